//! Names, sizes, numbers and service verbs in an article, wherever they are.
//!
//! A check of a manifest must not read with the eyes of the importer, or both overlook the same. So
//! this looks at every line by itself and knows no sections, tables or steps.

use std::collections::{BTreeMap, BTreeSet};

use rollup_names::{CaseFolded, Kb, ServiceVerb};

use super::commands::service_verb;
use super::lines::ArticleLine;
use super::numbers::numbers;
use super::rows::EXTENSIONS;
use super::text::{LazyPattern, ends, is, pattern};
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
        let has_values = words.iter().any(TypedWord::is_number);
        let digits = line.text.bytes().filter(u8::is_ascii_digit).count();
        let is_alone = words.len() == 1;
        let is_short = words.len() <= MOST_WORDS && !ends(&line.text, ".|:|?");
        let is_listed = is_alone || is_short && (has_values || digits >= 6);
        for name in words.iter().filter_map(file_name) {
            let mut text = line.text.clone();
            let mut words = words.clone();
            for cell in below.iter().take(CELLS).filter(|_| is_alone) {
                let cells = words::typed(&cell.cells);
                if cells.iter().any(|word| file_name(word).is_some()) {
                    break;
                }
                text = format!("{text} {}", cell.text);
                words.extend(cells);
            }
            let (mut sizes, mut days) = (Vec::new(), Vec::new());
            for value in words.into_iter().flat_map(|word| word.values) {
                match value {
                    Value::Size(Size::Bytes(size)) => sizes.push(size),
                    Value::Day(day) => {
                        days.extend(day.month_first.into_iter().chain(day.day_first))
                    }
                    _ => {}
                }
            }
            let index = self.by_name.entry(CaseFolded::of(name)).or_default();
            index.push(self.files.len());
            self.files.push(FileMention {
                name: name.to_owned(),
                line: line.number,
                is_listed,
                text,
                sizes,
                days,
            });
        }
    }

    /// Returns the mentions of a file, without regard to case.
    pub fn of_file(&self, name: &str) -> Vec<&FileMention> {
        let at = self.by_name.get(&CaseFolded::of(name));
        let at = at.into_iter().flatten();
        at.map(|at| &self.files[*at]).collect()
    }
}

impl FileMention {
    /// Returns the text without the name, which may have digits, too.
    fn values(&self) -> String {
        self.text.replacen(&self.name, " ", 1)
    }

    /// Returns whether the text has this number of bytes, in any grouping.
    pub fn has_size(&self, size: u64) -> bool {
        let values = self.values();
        let is_glued = values.split_whitespace().count() <= 4;
        let is_digit = |c: char| c.is_ascii_digit();
        let grouped = [',', '.', ' ', '\''].map(|separator| rollup_names::grouped(size, separator));
        let mut texts = grouped.into_iter().chain([size.to_string()]);
        texts.any(|text| {
            let mut places = values.match_indices(&text);
            places.any(|(at, _)| {
                let after = &values[at + text.len()..];
                is_glued || !values[..at].ends_with(is_digit) && !after.starts_with(is_digit)
            })
        })
    }

    /// Returns whether the text has this version.
    pub fn has_version(&self, version: &str) -> bool {
        self.text.contains(version)
    }

    /// Returns whether the text has any number beside the name.
    pub fn has_values(&self) -> bool {
        self.values().bytes().filter(u8::is_ascii_digit).count() > 2
    }
}

/// Name of a file that the next value follows directly.
static GLUED: LazyPattern = LazyPattern::new(|| {
    let extensions = EXTENSIONS.join("|");
    pattern(&format!(r"^(.+?\.(?i:{extensions}))[[:upper:]\d]"))
});

/// Returns the name of a file at the beginning of a word.
fn file_name(word: &TypedWord) -> Option<&str> {
    let glued = GLUED.captures(&word.text);
    let glued = glued.filter(|_| !word.text.contains("://"));
    let glued = glued.and_then(|found| found.get(1));
    glued.map(|name| name.as_str()).or_else(|| word.name())
}

/// Command that is typed to change a service.
static TYPED: LazyPattern = LazyPattern::new(|| pattern(r"(?i)net (stop|start) (.*)|(iisreset)"));

/// Words between a verb and the word for a service. Component Services is a tool.
static SERVICE: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(stop|start|restart|disable|enable) (?:the )?(?:(iis)|(.*?)(?: service| application|iis))",
    )
});

/// Reads a sentence that says to change a service.
fn service_change(sentence: &str, line: u32) -> Option<ServiceMention> {
    let (verb, service) = match TYPED.captures(sentence) {
        Some(typed) => match typed.get(1) {
            Some(verb) => (verb.as_str().to_owned(), typed[2].to_owned()),
            None => ("restart".to_owned(), "iis".to_owned()),
        },
        None => clauses::clauses(sentence).iter().find_map(|clause| {
            let found = SERVICE.captures(clause)?;
            let service = found.get(3).map_or("iis", |name| name.as_str());
            let is_named = !is(&service.to_lowercase(), "component|the");
            is_named.then(|| (found[1].to_owned(), service.to_owned()))
        })?,
    };
    let service = service.to_lowercase();
    Some(ServiceMention {
        verb: service_verb(&verb.to_lowercase())?,
        service: service.trim_matches([' ', '"', '.', ',']).to_owned(),
        text: sentence.to_owned(),
        line,
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
