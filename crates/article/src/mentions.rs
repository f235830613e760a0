//! Names, sizes, numbers and service verbs in an article, wherever they are.
//!
//! A check of a manifest must not read with the eyes of the importer, or both overlook the same. So
//! this looks at every line by itself and knows no sections, tables or steps.

use std::collections::{BTreeMap, BTreeSet};

use rollup_names::{CaseFolded, Kb, ServiceVerb};

use super::lines::ArticleLine;
use super::numbers::numbers;
use super::rows::EXTENSIONS;
use super::words::{self, Size, TypedWord, Value};
use super::{ArticleError, clauses, read};

/// Most words of a row.
const MOST_WORDS: usize = 24;

/// Lines below a name alone on its line that can have its values.
const CELLS: usize = 6;

/// Everything that a manifest should account for.
#[derive(Debug, Clone, Default)]
pub struct ArticleMentions {
    /// Own number of the article, if it is clear.
    pub kb: Option<Kb>,
    /// Names of files, in the order of the article.
    pub files: Vec<FileMention>,
    /// Numbers of articles, each with the first line that has it.
    pub numbers: Vec<(Kb, u32)>,
    /// Sentences that change a service.
    pub services: Vec<ServiceMention>,
    /// For each name, the indexes of its mentions.
    by_name: BTreeMap<CaseFolded, Vec<usize>>,
}

/// Line that names a file.
#[derive(Debug, Clone)]
pub struct FileMention {
    pub name: String,
    /// Counted from 1.
    pub line: u32,
    /// True if the line is a row of a table or an entry of a list, and not a sentence.
    pub is_listed: bool,
    /// Text that has the file's values.
    text: String,
    /// Sizes in bytes that can be the file's.
    pub sizes: Vec<u64>,
    /// Days that can be the file's.
    pub days: Vec<String>,
}

/// Sentence that says to change a service.
#[derive(Debug, Clone)]
pub struct ServiceMention {
    pub verb: ServiceVerb,
    /// Words between the verb and the word for a service.
    pub service: String,
    pub text: String,
    /// Counted from 1.
    pub line: u32,
}

/// Looks for everything that a manifest should account for.
///
/// # Errors
///
/// Fails if the bytes are not an article.
pub fn mentions(bytes: &[u8]) -> Result<ArticleMentions, ArticleError> {
    let lines = read(bytes)?.lines;
    let own = super::identity::identity(&super::outline::outline(&lines), None).kb;
    let mut found = ArticleMentions {
        kb: own.map(|kb| kb.value),
        ..ArticleMentions::default()
    };
    let mut known = BTreeSet::new();
    for (at, line) in lines.iter().enumerate() {
        found.files_of(line, &lines[at + 1..]);
        for kb in numbers(&line.text) {
            if known.insert(kb) {
                found.numbers.push((kb, line.number));
            }
        }
        for sentence in clauses::sentences(&line.text) {
            found.services.extend(service_change(sentence, line.number));
        }
    }
    Ok(found)
}

impl ArticleMentions {
    fn files_of(&mut self, line: &ArticleLine, below: &[ArticleLine]) {
        let words = words::typed(&line.cells);
        let named: Vec<&str> = words.iter().filter_map(file_name).collect();
        let values = words.iter().filter(|word| word.is_number()).count();
        let digits = line.text.bytes().filter(u8::is_ascii_digit).count();
        let is_alone = words.len() == 1;
        let is_short = words.len() <= MOST_WORDS && !line.text.ends_with(['.', ':', '?']);
        let is_listed = is_alone || is_short && (values > 0 || digits >= 6);
        for name in &named {
            let mut text = line.text.clone();
            let mut values: Vec<TypedWord> = words.clone();
            if is_alone {
                let cells = below.iter().take(CELLS).take_while(|line| {
                    !words::typed(&line.cells)
                        .iter()
                        .any(|word| file_name(word).is_some())
                });
                for cell in cells {
                    text = format!("{text} {}", cell.text);
                    values.extend(words::typed(&cell.cells));
                }
            }
            let values = || values.iter().flat_map(|word| &word.values);
            let size = |value: &Value| match value {
                Value::Size(Size::Bytes(size)) => Some(*size),
                _ => None,
            };
            let day = |value: &Value| match value {
                Value::Day(day) => Some([day.month_first.clone(), day.day_first.clone()]),
                _ => None,
            };
            let index = self.by_name.entry(CaseFolded::of(name)).or_default();
            index.push(self.files.len());
            self.files.push(FileMention {
                name: (*name).to_owned(),
                line: line.number,
                is_listed,
                sizes: values().filter_map(size).collect(),
                days: values().filter_map(day).flatten().flatten().collect(),
                text,
            });
        }
    }

    /// Returns the mentions of a file, without regard to case.
    pub fn of_file(&self, name: &str) -> Vec<&FileMention> {
        let at = self.by_name.get(&CaseFolded::of(name));
        at.into_iter()
            .flatten()
            .map(|at| &self.files[*at])
            .collect()
    }
}

impl FileMention {
    /// Returns whether the text has this number of bytes, in any grouping.
    pub fn has_size(&self, size: u64) -> bool {
        // A name may have digits, too.
        let values = self.text.replacen(&self.name, " ", 1);
        let is_glued = values.split_whitespace().count() <= 4;
        ['\0', ',', '.', ' ', '\''].into_iter().any(|separator| {
            let text = match separator {
                '\0' => size.to_string(),
                separator => rollup_names::grouped(size, separator),
            };
            values.match_indices(&text).any(|(at, _)| {
                let before = values[..at].ends_with(|c: char| c.is_ascii_digit());
                let after = values[at + text.len()..].starts_with(|c: char| c.is_ascii_digit());
                is_glued || !before && !after
            })
        })
    }

    /// Returns whether the text has this version.
    pub fn has_version(&self, version: &str) -> bool {
        self.text.contains(version)
    }

    /// Returns whether the text has any number beside the name.
    pub fn has_values(&self) -> bool {
        self.text
            .replacen(&self.name, " ", 1)
            .bytes()
            .filter(u8::is_ascii_digit)
            .count()
            > 2
    }
}

/// Returns the name of a file at the beginning of a word; the next value may follow it directly.
fn file_name(word: &TypedWord) -> Option<&str> {
    let text = word.text.as_str();
    let dots = text
        .match_indices('.')
        .map(|(at, _)| at)
        .filter(|at| *at > 0 && !text.contains("://"));
    let mut glued = dots.filter_map(|dot| {
        let rest = text[dot + 1..].to_ascii_lowercase();
        let known = EXTENSIONS
            .iter()
            .filter(|known| rest.starts_with(**known))
            .max_by_key(|known| known.len())?;
        let end = dot + 1 + known.len();
        text[end..]
            .starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
            .then(|| &text[..end])
    });
    glued.next().or_else(|| word.name())
}

/// Reads a sentence that says to change a service.
fn service_change(sentence: &str, line: u32) -> Option<ServiceMention> {
    let found = |verb, service: &str| ServiceMention {
        verb,
        service: service.trim_matches([' ', '"', '.', ',']).to_owned(),
        text: sentence.to_owned(),
        line,
    };
    const COMMANDS: [(&str, ServiceVerb); 3] = [
        ("net stop ", ServiceVerb::Stop),
        ("net start ", ServiceVerb::Start),
        ("iisreset", ServiceVerb::Restart),
    ];
    let lower = sentence.to_lowercase();
    for (command, verb) in COMMANDS {
        if let Some((_, service)) = lower.split_once(command) {
            return Some(found(
                verb,
                if command == "iisreset" {
                    "iis"
                } else {
                    service
                },
            ));
        }
    }
    const VERBS: [(&str, ServiceVerb); 5] = [
        ("stop ", ServiceVerb::Stop),
        ("start ", ServiceVerb::Start),
        ("restart ", ServiceVerb::Restart),
        ("disable ", ServiceVerb::Disable),
        ("enable ", ServiceVerb::Enable),
    ];
    clauses::clauses(sentence).iter().find_map(|clause| {
        let lower = clause.to_lowercase();
        let (verb, object) = VERBS
            .iter()
            .find_map(|(word, verb)| Some((*verb, lower.strip_prefix(word)?)))?;
        let object = object.strip_prefix("the ").unwrap_or(object);
        let end = [" service", " application", "iis"]
            .iter()
            .filter_map(|noun| object.find(noun))
            .min()?;
        let service = if object.starts_with("iis") {
            "iis"
        } else {
            &object[..end]
        };
        // Component Services is a tool.
        (service != "component").then(|| found(verb, service))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_looked_at_by_itself() {
        let text = "KB612345: Wheels\n\nThe Wheel.log file has more; see KB612346.\n\nCAUSE\n\nWheel.dll    1,024   03/04/1999\n\
            wheel.DLLNot Applicable2,04831-Mar-200818:32\n\nOil.exe\n512\n2008-03-31\n\n1. Stop the Wheel service on all servers. Then wait.\n\
            2. Type net stop oil.\nThe service may stop. Start Component Services.\n";
        let found = mentions(text.as_bytes()).expect("an article");
        let files: Vec<_> = found
            .files
            .iter()
            .map(|file| (file.name.as_str(), file.line, file.is_listed))
            .collect();
        assert_eq!(
            files,
            [
                ("Wheel.log", 3, false),
                ("Wheel.dll", 7, true),
                ("wheel.DLL", 8, true),
                ("Oil.exe", 10, true)
            ]
        );
        let wheel = found.of_file("WHEEL.dll");
        assert_eq!(
            (wheel[0].sizes.as_slice(), wheel[0].days.len()),
            (&[1024][..], 2)
        );
        assert!(wheel[1].has_size(2048) && !wheel[1].has_size(1024) && wheel[0].has_size(1024));
        assert!(found.files[3].has_size(512));
        let numbers: Vec<_> = found
            .numbers
            .iter()
            .map(|(kb, line)| (kb.to_string(), *line))
            .collect();
        assert_eq!(
            numbers,
            [("KB612345".to_owned(), 1), ("KB612346".to_owned(), 3)]
        );
        let services: Vec<_> = found
            .services
            .iter()
            .map(|service| (service.verb, service.service.as_str(), service.line))
            .collect();
        assert_eq!(
            services,
            [
                (ServiceVerb::Stop, "wheel", 14),
                (ServiceVerb::Stop, "oil", 15)
            ]
        );
    }
}
