//! Changed signatures, files of signers and texts: nothing is accepted that `ssh-keygen -Y verify`
//! refuses, and nothing panics.
//!
//! The test needs `ssh-keygen`. `ROLLUP_MUTATIONS=20000` sets the number of changes, and
//! `ROLLUP_MUTATIONS_SEED` others than the usual ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rollup_signatures::{Namespace, Signers};

/// Number of changes without `ROLLUP_MUTATIONS`.
const USUAL: u64 = 600;
/// One in so many refused changes is shown to `ssh-keygen`, too.
const SHOWN: u64 = 10;

/// Signatures that the changes begin with.
const SIGNATURES: [&str; 12] = [
    "alice",
    "alice-sha256",
    "alice2",
    "bob",
    "carol",
    "dave",
    "gina",
    "hank",
    "frank",
    "gina-untouched",
    "alice-git",
    "erin",
];

/// Principals that a line may get.
const PRINCIPALS: [&str; 12] = [
    "zoe",
    "zoe,yan",
    "*",
    "*,zoe",
    "*@example.com,zoe",
    "!zoe",
    "zoe,!zo*",
    "!yan,zoe",
    "z?e",
    "\"zoe\"",
    "zoe\"",
    ",zoe,",
];

/// Options that a line may get.
const OPTIONS: [&str; 27] = [
    "namespaces=\"rollup-approval@1\"",
    "namespaces=\"git,rollup-*\"",
    "namespaces=\"*,!rollup-approval@1\"",
    "namespaces=\"\"",
    "namespaces=\"rollup-approval@?\"",
    "NAMESPACES=\"*\"",
    "namespaces=\"a\\\"b,rollup-approval@1\"",
    "namespaces=rollup-approval@1",
    "namespaces",
    "namespaces=\"*\",namespaces=\"*\"",
    "namespaces=\"*\",",
    ",namespaces=\"*\"",
    "valid-after=\"20200101\"",
    "valid-after=\"20200101Z\",valid-before=\"20990101Z\"",
    "valid-after=\"209901010000\"",
    "valid-after=\"20200229\"",
    "valid-after=\"20210229\"",
    "valid-after=\"20200101000060Z\"",
    "valid-after=\"2020-01-01\"",
    "valid-before=\"20200101\"",
    "valid-before=\"20990101000000z\"",
    "valid-before=\"20990101 \"",
    "Valid-Before=\"20990101\"",
    "cert-authority",
    "no-touch-required",
    "verify-required,namespaces=\"*\"",
    "valid-before=\"20990101\" ",
];

/// What is verified.
#[derive(Clone)]
struct Case {
    signers: String,
    signature: String,
    statement: Vec<u8>,
}

#[test]
#[ignore = "needs ssh-keygen; .ci/run has it"]
#[expect(clippy::print_stderr, reason = "the figures of the campaign")]
fn nothing_is_accepted_that_ssh_keygen_refuses() {
    let number = |name: &str, usual| {
        let given = std::env::var(name).ok();
        given.map_or(usual, |given| given.parse().expect("a number"))
    };
    let mut random = Random(number("ROLLUP_MUTATIONS_SEED", 1) | 1 << 32);
    let directory = tempfile::tempdir().expect("a directory");
    let judge = Judge(directory.path().to_owned());
    let (mut accepted, mut refused, mut stricter) = (0, 0, 0);
    let changes = number("ROLLUP_MUTATIONS", USUAL);
    for at in 0..changes {
        let case = changed(&mut random);
        match names(&case) {
            Ok(names) => {
                accepted += 1;
                for name in names {
                    assert!(
                        judge.accepts(&case, &name),
                        "change {at}: ssh-keygen refuses it for `{name}`\n{}\n{}\n{}",
                        case.signers,
                        case.signature,
                        String::from_utf8_lossy(&case.statement)
                    );
                }
            }
            Err(_) if random.below(SHOWN) == 0 => {
                refused += 1;
                let known = [
                    "alice@example.com",
                    "bob@example.com",
                    "gina@example.com",
                    "zoe",
                ];
                stricter += u64::from(known.iter().any(|name| judge.accepts(&case, name)));
            }
            Err(_) => {}
        }
    }
    eprintln!(
        "{changes} changes: {accepted} accepted, all of them by ssh-keygen, too; {stricter} of {refused} \
         refused ones are accepted by ssh-keygen"
    );
    assert!(
        accepted > changes / 20,
        "too few changes are accepted: {accepted}"
    );
    assert!(accepted < changes, "no change is refused");
}

/// Returns the names of the signer.
fn names(case: &Case) -> Result<Vec<String>, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let now = i64::try_from(now.as_secs()).expect("a time");
    let signers = Signers::parse(&case.signers).map_err(|error| error.to_string())?;
    let verified = signers.verify(Namespace::Approval, &case.statement, &case.signature, now);
    verified
        .map(|verified| verified.names)
        .map_err(|error| error.to_string())
}

/// `ssh-keygen`, with its files in a directory.
struct Judge(PathBuf);

impl Judge {
    fn accepts(&self, case: &Case, name: &str) -> bool {
        let write = |file: &str, bytes: &[u8]| {
            let path = self.0.join(file);
            fs::write(&path, bytes).expect("written");
            path
        };
        let signers = write("signers", case.signers.as_bytes());
        let signature = write("signature", case.signature.as_bytes());
        let statement = write("statement", &case.statement);
        let ended = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-n", Namespace::Approval.name(), "-I", name])
            .arg("-f")
            .arg(signers)
            .arg("-s")
            .arg(signature)
            .stdin(fs::File::open(statement).expect("a statement"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ended.expect("ssh-keygen runs").success()
    }
}

/// Random numbers by xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn at(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("a position")
    }

    fn of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.at(list.len())]
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

fn fixture(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../../fixtures/approvals").join(name);
    fs::read_to_string(path).expect("a fixture")
}

/// Returns a case with one to three changes.
fn changed(random: &mut Random) -> Case {
    let mut case = Case {
        signers: fixture("allowed_signers"),
        signature: fixture(&format!("{}.sig", random.of(&SIGNATURES))),
        statement: fixture("statement").into_bytes(),
    };
    for _ in 0..=random.below(3) {
        match random.below(20) {
            0 => change_bytes(&mut case.statement, random),
            1..=7 => case.signature = change_signature(&case.signature, random),
            _ => case.signers = change_signers(&case.signers, random),
        }
    }
    case
}

fn change_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.at(bytes.len().max(1));
    match random.below(4) {
        _ if bytes.is_empty() => bytes.push(random.byte()),
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.insert(at, random.byte()),
        2 => drop(bytes.remove(at)),
        _ => bytes.truncate(at),
    }
}

fn change_text(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    change_bytes(&mut bytes, random);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn change_signers(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return "\n".to_owned();
    }
    let at = random.at(lines.len());
    let line = lines[at].clone();
    let (principals, rest) = line.split_once(' ').unwrap_or((&line, ""));
    // The key without its options.
    let key = ["ssh-", "sk-", "ecdsa-"]
        .iter()
        .filter_map(|kind| line.find(&format!(" {kind}")));
    let key = key.min().map_or(rest, |at| &line[at + 1..]);
    lines[at] = match random.below(16) {
        0 | 1 => format!("{} {key}", random.of(&PRINCIPALS)),
        2..=5 => format!("{principals} {} {key}", random.of(&OPTIONS)),
        6 => format!("{},{principals} {rest}", random.of(&PRINCIPALS)),
        7 => format!(" \t{line}"),
        8 => line.replacen(' ', "  \t", 1),
        9 => format!("{line} a comment, with = and \"\r"),
        10 => format!("{principals} {key}"),
        11 => format!(
            "{line}\n{}",
            random.of(&["", "# a comment", "\r", " ", "zoe", "zoe x y"])
        ),
        12 => String::new(),
        13 => return change_text(text, random),
        14 => return text.replace('\n', "\r\n"),
        _ => {
            let other = random.at(lines.len());
            std::mem::take(&mut lines[other])
        }
    };
    let end = random.of(&["\n", "\n", "\n", "", "\n\n"]);
    format!("{}{end}", lines.join("\n"))
}

const HEAD: &str = "-----BEGIN SSH SIGNATURE-----";
const FOOT: &str = "-----END SSH SIGNATURE-----";

fn change_signature(text: &str, random: &mut Random) -> String {
    let base64: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    match random.below(10) {
        0 => change_text(text, random),
        1 => armored(&base64, 1 + random.at(100), "\n"),
        2 => armored(&base64, 70, "\r\n"),
        3 => format!("{text}{}", random.of(&["", "\n", "more\n", " "])),
        4 => format!("{}{text}", random.of(&["\n", " ", "more\n"])),
        5 => text.trim_end().to_owned(),
        6 => text.replacen('\n', " \n", 1 + random.at(3)),
        _ => {
            let Some(mut blob) = decoded(&base64) else {
                return change_text(text, random);
            };
            change_blob(&mut blob, random);
            armored(&encoded(&blob), 70, "\n")
        }
    }
}

fn armored(base64: &str, width: usize, end: &str) -> String {
    let mut text = format!("{HEAD}{end}");
    for line in base64.as_bytes().chunks(width) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push_str(end);
    }
    format!("{text}{FOOT}{end}")
}

/// Changes a field of a signature: its length or its contents, or the bytes anywhere.
fn change_blob(blob: &mut Vec<u8>, random: &mut Random) {
    let fields = fields(blob);
    if fields.is_empty() || random.below(3) == 0 {
        return change_bytes(blob, random);
    }
    let (from, to) = *random.of(&fields);
    let other = decoded_fixture(random);
    let contents: Vec<u8> = match random.below(5) {
        0 => Vec::new(),
        1 => random
            .of(&[
                &b"sha256"[..],
                b"sha512",
                b"git",
                b"rollup-approval@1",
                b"ssh-ed25519",
            ])
            .to_vec(),
        2 => {
            // The same field of another signature.
            let others = self::fields(&other);
            let at = fields
                .iter()
                .position(|field| field.0 == from)
                .unwrap_or_default();
            others
                .get(at)
                .map_or_else(Vec::new, |(from, to)| other[*from..*to].to_vec())
        }
        3 => [&blob[from..to], &[random.byte()]].concat(),
        _ => {
            let mut contents = blob[from..to].to_vec();
            change_bytes(&mut contents, random);
            contents
        }
    };
    let length = u32::try_from(contents.len())
        .expect("a length")
        .to_be_bytes();
    let new = [&length[..], &contents].concat();
    blob.splice(from - 4..to, new);
}

fn decoded_fixture(random: &mut Random) -> Vec<u8> {
    let text = fixture(&format!("{}.sig", random.of(&SIGNATURES)));
    let base64: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    decoded(&base64).expect("a fixture")
}

/// Returns the positions of the fields behind `SSHSIG` and the version.
fn fields(blob: &[u8]) -> Vec<(usize, usize)> {
    let mut fields = Vec::new();
    let mut at = 10;
    while let Some(length) = blob.get(at..at + 4) {
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        let (from, to) = (at + 4, at + 4 + length);
        if to > blob.len() {
            break;
        }
        fields.push((from, to));
        at = to;
    }
    fields
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decoded(base64: &str) -> Option<Vec<u8>> {
    let mut bits: u32 = 0;
    let mut count = 0;
    let mut bytes = Vec::new();
    for digit in base64.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            let is_padding = digit > chunk.len();
            text.push(if is_padding {
                '='
            } else {
                ALPHABET[value] as char
            });
        }
    }
    text
}
