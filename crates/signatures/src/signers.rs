//! The `allowed_signers` file of OpenSSH: whose keys count, for what, and how long.
//!
//! ```text
//! alice@example.com,alice namespaces="rollup-*" ssh-ed25519 AAAA… a comment
//! bob@example.com valid-before="20271231Z" sk-ssh-ed25519@openssh.com AAAA…
//! ```

use std::collections::{BTreeMap, BTreeSet};

use ssh_key::public::{KeyData, PublicKey};

use super::pattern::{is_literal, matches_list};
use super::times::{self, End};

/// Size of the largest file of signers that is read, in bytes.
pub const LARGEST_SIGNERS: u64 = 1024 * 1024;

/// Characters that separate the fields of a line.
const BLANKS: [char; 2] = [' ', '\t'];

/// Kinds of keys that can sign, as they are written.
const KEY_KINDS: [&str; 6] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Beginnings of the names of other kinds of keys.
const OTHER_KEYS: [&str; 5] = ["ssh-", "sk-", "ecdsa-", "webauthn-", "rsa-"];

/// Line that makes a file of signers unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SignersError {
    /// Number of the line, from 1.
    pub line: usize,
    problem: LineProblem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum LineProblem {
    #[error("it has a control character")]
    ControlCharacter,
    #[error("its principals are in quotation marks, which rollup does not read")]
    QuotedPrincipals,
    #[error("it has no key")]
    NoKey,
    #[error("the option `{0}` is not understood")]
    UnknownOption(String),
    #[error("the option `{0}` is there twice")]
    Twice(&'static str),
    #[error("the value of `{0}` is not in quotation marks")]
    NotQuoted(&'static str),
    #[error("the options end with a comma")]
    EndsWithComma,
    #[error("`{value}` in `{option}` is not a time such as `20271231` or `202712312359Z`")]
    NotATime { option: &'static str, value: String },
    #[error("`valid-before` is not after `valid-after`")]
    Period,
    #[error("keys of a certificate authority are not supported: list each person's own key")]
    CertAuthority,
    #[error(
        "a key of the kind `{0}` cannot sign for rollup; `ssh-keygen -t ed25519` makes one that can, \
         and `ssh-keygen -t ed25519-sk` one on a security key"
    )]
    KeyKind(String),
    #[error("its key is not valid")]
    InvalidKey,
}

/// Person that a file of signers names: all the names and keys that belong together.
///
/// Names on one line are one person, and so are the names of one key. Their case does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// Names, in the order of the file.
    pub names: Vec<String>,
}

/// Contents of a file of signers.
#[derive(Debug, Clone)]
pub struct Signers {
    pub(crate) lines: Vec<SignerLine>,
    people: Vec<Person>,
}

/// One key, with its rules.
#[derive(Debug, Clone)]
pub(crate) struct SignerLine {
    /// Number of the line, from 1.
    pub(crate) number: usize,
    /// Names of the person: principals without a wildcard that the line does not exclude.
    pub(crate) names: Vec<String>,
    /// Position of the person in the list of people; `None` if the line names no person.
    pub(crate) person: Option<usize>,
    pub(crate) key: KeyData,
    namespaces: Option<String>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

/// Options before the key of a line.
#[derive(Debug, Default)]
struct KeyOptions {
    namespaces: Option<String>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

impl Signers {
    /// Parses a file of signers.
    ///
    /// # Errors
    ///
    /// A line is not understood: the file is then refused as a whole.
    pub fn parse(text: &str) -> Result<Self, SignersError> {
        let mut lines = Vec::new();
        for (at, line) in text.split('\n').enumerate() {
            let number = at + 1;
            let parsed = SignerLine::parse(line.strip_suffix('\r').unwrap_or(line), number);
            let failed = |problem| SignersError {
                line: number,
                problem,
            };
            lines.extend(parsed.map_err(failed)?);
        }
        let people = people(&mut lines);
        Ok(Self { lines, people })
    }

    /// Returns all people whom the file names.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Returns the people who can sign in a namespace at a time, in seconds since 1970.
    pub fn people_for(&self, namespace: &str, now: i64) -> BTreeSet<usize> {
        let valid = self.lines.iter();
        let valid = valid.filter(|line| line.allows(namespace) && line.is_valid_at(now));
        valid.filter_map(|line| line.person).collect()
    }
}

impl SignerLine {
    /// Parses a line without its end; an empty line and a comment have no key.
    fn parse(line: &str, number: usize) -> Result<Option<Self>, LineProblem> {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(LineProblem::ControlCharacter);
        }
        let line = line.trim_start_matches(BLANKS);
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let (principals, rest) = line.split_once(BLANKS).ok_or(LineProblem::NoKey)?;
        if principals.contains('"') {
            return Err(LineProblem::QuotedPrincipals);
        }
        let rest = rest.trim_start_matches(BLANKS);
        if rest.is_empty() {
            return Err(LineProblem::NoKey);
        }
        let kind = rest.split(BLANKS).next().unwrap_or_default();
        let (options, key) = match is_key_kind(kind) {
            true => (KeyOptions::default(), rest),
            false => KeyOptions::parse(rest)?,
        };
        let key = parse_key(key.trim_start_matches(BLANKS))?;
        let named = principals.split(',').filter(|name| is_literal(name));
        let named = named.filter(|name| matches_list(name, principals));
        Ok(Some(Self {
            number,
            names: named.map(str::to_owned).collect(),
            person: None,
            key,
            namespaces: options.namespaces,
            valid_after: options.valid_after,
            valid_before: options.valid_before,
        }))
    }

    /// Returns whether the key counts in a namespace.
    pub(crate) fn allows(&self, namespace: &str) -> bool {
        let listed = self.namespaces.as_deref();
        listed.is_none_or(|listed| matches_list(namespace, listed))
    }

    /// Returns whether the key counts at a time, in seconds since 1970.
    pub(crate) fn is_valid_at(&self, now: i64) -> bool {
        self.valid_after.is_none_or(|after| now >= after)
            && self.valid_before.is_none_or(|before| now <= before)
    }
}

impl KeyOptions {
    /// Parses the options at the beginning of a text, and returns the text behind them.
    fn parse(text: &str) -> Result<(Self, &str), LineProblem> {
        let mut options = Self::default();
        let mut rest = text;
        loop {
            let end = rest.find(['=', ',', ' ', '\t']).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            rest = options.read(name, behind)?;
            match rest.strip_prefix(',') {
                Some("") => return Err(LineProblem::EndsWithComma),
                Some(next) => rest = next,
                None if rest.is_empty() => return Err(LineProblem::NoKey),
                None if rest.starts_with(BLANKS) => break,
                None => return Err(LineProblem::UnknownOption(printable(rest))),
            }
        }
        let (after, before) = (options.valid_after, options.valid_before);
        if after.is_some_and(|after| before.is_some_and(|before| before <= after)) {
            return Err(LineProblem::Period);
        }
        Ok((options, rest))
    }

    /// Reads one option with its value, and returns the text behind it.
    fn read<'t>(&mut self, name: &str, behind: &'t str) -> Result<&'t str, LineProblem> {
        let has_value = behind.starts_with('=');
        match name.to_ascii_lowercase().as_str() {
            "cert-authority" => Err(LineProblem::CertAuthority),
            "namespaces" if has_value => {
                let (value, rest) = quoted(behind, "namespaces")?;
                set(&mut self.namespaces, value, "namespaces")?;
                Ok(rest)
            }
            "valid-after" if has_value => {
                read_time(&mut self.valid_after, behind, "valid-after", End::Start)
            }
            "valid-before" if has_value => {
                read_time(&mut self.valid_before, behind, "valid-before", End::Stop)
            }
            _ => Err(LineProblem::UnknownOption(printable(name))),
        }
    }
}

fn read_time<'t>(
    place: &mut Option<i64>,
    behind: &'t str,
    option: &'static str,
    end: End,
) -> Result<&'t str, LineProblem> {
    let (value, rest) = quoted(behind, option)?;
    let time = times::parse(&value, end);
    let value = printable(&value);
    let time = time.ok_or(LineProblem::NotATime { option, value })?;
    set(place, time, option)?;
    Ok(rest)
}

fn set<T>(place: &mut Option<T>, value: T, option: &'static str) -> Result<(), LineProblem> {
    match place.replace(value) {
        Some(_) => Err(LineProblem::Twice(option)),
        None => Ok(()),
    }
}

/// Returns the text in the quotation marks behind `=`, and what follows them. `\"` is a quotation mark.
fn quoted<'t>(text: &'t str, option: &'static str) -> Result<(String, &'t str), LineProblem> {
    let inside = text.strip_prefix("=\"");
    let inside = inside.ok_or(LineProblem::NotQuoted(option))?;
    let mut value = String::new();
    let mut left = inside.char_indices().peekable();
    while let Some((at, character)) = left.next() {
        match character {
            '"' => return Ok((value, &inside[at + 1..])),
            '\\' if left.peek().is_some_and(|(_, next)| *next == '"') => {
                left.next();
                value.push('"');
            }
            other => value.push(other),
        }
    }
    Err(LineProblem::NotQuoted(option))
}

/// Returns whether a word is the kind of a key, and not an option.
fn is_key_kind(word: &str) -> bool {
    !word.contains(['=', ',', '"']) && OTHER_KEYS.iter().any(|kind| word.starts_with(kind))
}

fn parse_key(text: &str) -> Result<KeyData, LineProblem> {
    let kind = text.split(BLANKS).next().unwrap_or_default();
    if kind.is_empty() {
        return Err(LineProblem::NoKey);
    }
    if !KEY_KINDS.contains(&kind) {
        return Err(match is_key_kind(kind) {
            true => LineProblem::KeyKind(printable(kind)),
            false => LineProblem::UnknownOption(printable(kind)),
        });
    }
    // A comment may follow, which the parser of a whole file of one key reads in another way.
    let mut words = text.split(BLANKS).filter(|word| !word.is_empty());
    let (Some(kind), Some(base64)) = (words.next(), words.next()) else {
        return Err(LineProblem::InvalidKey);
    };
    let key = PublicKey::from_openssh(&format!("{kind} {base64}"));
    let key = key.map_err(|_| LineProblem::InvalidKey)?;
    match key.algorithm().as_str() == kind {
        true => Ok(key.key_data().clone()),
        false => Err(LineProblem::InvalidKey),
    }
}

/// Returns the beginning of a text, for a message.
fn printable(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Returns the people of the lines, and sets the person of each line.
fn people(lines: &mut [SignerLine]) -> Vec<Person> {
    // Each line begins as a group of its own; lines with a name or a key in common are joined.
    let mut groups: Vec<usize> = (0..lines.len()).collect();
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let names = line.names.iter().map(|name| name.to_lowercase());
        let key = format!("key {}", line.key.fingerprint(ssh_key::HashAlg::Sha256));
        for mark in names.chain([key]) {
            let earlier = *first.entry(mark).or_insert(at);
            let (from, to) = (groups[at], groups[earlier]);
            for group in &mut groups {
                if *group == from {
                    *group = to;
                }
            }
        }
    }
    let mut people: Vec<Person> = Vec::new();
    let mut persons: BTreeMap<usize, usize> = BTreeMap::new();
    for (line, group) in lines.iter_mut().zip(groups) {
        if line.names.is_empty() {
            continue;
        }
        let person = *persons.entry(group).or_insert_with(|| {
            people.push(Person { names: Vec::new() });
            people.len() - 1
        });
        line.person = Some(person);
        for name in &line.names {
            if !people[person].names.contains(name) {
                people[person].names.push(name.clone());
            }
        }
    }
    people
}
