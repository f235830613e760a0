//! Numbered lines of a text: without markers, with white space and quotes in one form, and with
//! wrapped lines joined again.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{LazyPattern, ends, pattern};
use super::{columns, words};

/// A line of the article.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ArticleLine {
    /// Number from 1; that of its first line if it was wrapped.
    pub(super) number: u32,
    /// Number of its last line if it was wrapped, and else the same.
    pub(super) last: u32,
    /// Indentation: columns in a text, number of lists around it in a page.
    pub(super) depth: usize,
    pub(super) marker: Option<Marker>,
    /// True if the page has it as a heading.
    pub(super) heading: bool,
    /// True if it is the title of the article.
    pub(super) title: bool,
    /// True if it is the address of the page itself.
    pub(super) address: bool,
    /// True if a blank line (or the edge of a block) precedes it.
    pub(super) apart: bool,
    /// Text without the marker, with single spaces.
    pub(super) text: String,
    /// Columns of that text, if tabs, wide gaps or a table separate them.
    pub(super) cells: Vec<String>,
    /// True if the cells are those of a table, so that an empty cell is one, too.
    pub(super) tabular: bool,
}

/// Marker at the beginning of a line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Bullet,
    /// `1.`, `1)`, `(1)`, `1.2.`
    Number,
    /// `a.`, `b)`, `iv.`
    Letter,
    /// `Step 1:`, with its number.
    Step(u32),
}

/// Returns the lines of a text that are not blank.
pub(super) fn lines(text: &str) -> Vec<ArticleLine> {
    let numbered: Vec<(u32, String)> = (1..).zip(text.lines().map(plain)).collect();
    let footers = footers(&numbered);
    let width = wrapping(&numbered);
    let mut reader = LineReader {
        width,
        apart: true,
        ..LineReader::default()
    };
    for (number, raw) in &numbered {
        if !footers.contains(&without_digits(raw)) {
            reader.take(*number, raw);
        }
    }
    let mut lines = reader.lines;
    // A joined line gets its one cell here, when it is complete and copied only once.
    for line in lines.iter_mut().filter(|line| line.cells.is_empty()) {
        line.cells.push(line.text.clone());
    }
    lines
}

/// Columns that a full line may lack: a gap, and some of an indentation.
const SLACK: usize = 4;

#[derive(Default)]
struct LineReader {
    lines: Vec<ArticleLine>,
    /// Column at which the text is wrapped, if it is.
    width: Option<usize>,
    /// True if the line before was blank.
    apart: bool,
    /// Length of the line before.
    length: usize,
    /// Marker that is alone on its line, and belongs to the line below it.
    bare: Option<ArticleLine>,
    /// Separator of the list of values that is being read.
    values: Option<char>,
}

impl LineReader {
    fn take(&mut self, number: u32, raw: &str) {
        if raw.trim().is_empty() {
            (self.apart, self.values) = (true, None);
            return;
        }
        if RULE.is_match(raw) {
            if !self.apart && !raw.contains(['|', '+']) {
                self.underline(raw);
            }
            return;
        }
        let Some(mut line) = self.row(raw, number).or_else(|| line(raw, number)) else {
            return;
        };
        line.apart = std::mem::take(&mut self.apart);
        if let Some(bare) = self.bare.take() {
            if line.marker.is_none() {
                (line.marker, line.depth, line.apart) = (bare.marker, bare.depth, bare.apart);
            }
        } else if line.text.is_empty() {
            self.bare = Some(line);
            return;
        }
        if line.text.is_empty() {
            return;
        }
        let needed = self.length + SLACK + first_word(&line.text);
        let is_full = self.width.is_some_and(|width| needed > width);
        self.length = raw.trim_end().chars().count();
        match self.lines.last_mut() {
            Some(last) if is_full && continues(last, &line) => {
                last.last = number;
                last.text.push(' ');
                last.text.push_str(&line.text);
                last.cells.clear();
            }
            _ => self.lines.push(line),
        }
    }

    /// Makes the line before a heading if this rule underlines it.
    fn underline(&mut self, rule: &str) {
        let Some(last) = self.lines.last_mut() else {
            return;
        };
        let fits = rule.trim().len().abs_diff(self.length) <= 8 || rule.contains('=');
        let is_title = last.cells.len() <= 1 && !ends(&last.text, ".|,|;");
        last.heading |= fits && is_title && last.marker != Some(Marker::Bullet) && !is_row(last);
    }

    /// Reads a row of a table whose cells are separated by bars, or by commas below a head.
    fn row(&mut self, raw: &str, number: u32) -> Option<ArticleLine> {
        let trimmed = raw.trim();
        let mut separators = ['|', ',', ';'].into_iter();
        let separator = separators.find(|separator| {
            let least = if *separator == '|' { 2 } else { 3 };
            let cells = values(trimmed, *separator);
            cells.len() >= least && columns::head("", &cells).is_some()
        });
        let drawn = trimmed.starts_with('|').then_some('|');
        self.values = drawn.or(separator).or(self.values);
        let cells = values(trimmed, self.values?);
        let line = line(raw, number).filter(|_| cells.len() > 1)?;
        Some(ArticleLine {
            marker: None,
            text: spaced(&cells.join(" ")),
            tabular: true,
            cells,
            ..line
        })
    }
}

/// Splits a line of values, of which some may be quoted.
fn values(text: &str, separator: char) -> Vec<String> {
    let inner = text.strip_prefix('|').unwrap_or(text);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let text = if separator == '|' { inner } else { text };
    let mut is_quoted = false;
    let parts = text.split(|c: char| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    });
    parts
        .map(|part| spaced(part.trim().trim_matches('"')))
        .collect()
}

/// Line that only draws a rule, such as the one below a heading or within a table.
static RULE: LazyPattern =
    LazyPattern::new(|| pattern(r"^(?:[\s|+:]*[-=_*\x{2500}]){3}[-=_*\x{2500}\s|+:]*$"));

/// Line that a printer puts on every page, with one sign for each number.
static FOOTER: LazyPattern = LazyPattern::new(|| {
    pattern(r"(?i)^(?:page|seite) #|(?:page|seite) #(?: (?:of|von) #)?$|://.* #(?:/| of )#$")
});

/// Returns the lines that a printer puts on every page, without their digits.
fn footers(lines: &[(u32, String)]) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, raw) in lines {
        let kind = without_digits(raw);
        if kind.len() <= 200 && FOOTER.is_match(&kind) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count > 1);
    counts.into_keys().collect()
}

/// Returns a line with one sign for each number.
fn without_digits(raw: &str) -> String {
    DIGITS.replace_all(&spaced(raw), "#").into_owned()
}

static DIGITS: LazyPattern = LazyPattern::new(|| pattern("[0-9]+"));

fn first_word(text: &str) -> usize {
    let word = text.split(' ').next().unwrap_or_default();
    word.chars().count()
}

/// Makes a line from text that is complete in itself, such as a block of a page.
pub(super) fn line(raw: &str, number: u32) -> Option<ArticleLine> {
    let indented = raw.trim_end();
    let body = indented.trim_start();
    if body.is_empty() {
        return None;
    }
    let indent = indented.chars().take_while(|c| c.is_whitespace());
    let depth: usize = indent.map(|c| if c == '\t' { 4 } else { 1 }).sum();
    let (marker, deeper, rest) = marker(body);
    Some(ArticleLine {
        number,
        last: number,
        depth: depth + deeper,
        marker,
        text: spaced(rest),
        cells: cells(rest),
        tabular: rest.contains('\t'),
        ..ArticleLine::default()
    })
}

/// Removes characters that are invisible, and gives each quote, space, digit and ligature one form.
pub(super) fn plain(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {}
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' => text.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2033}' => text.push('"'),
            '\u{2010}' | '\u{2011}' => text.push('-'),
            '\u{fb00}' => text.push_str("ff"),
            '\u{fb01}' => text.push_str("fi"),
            '\u{fb02}' => text.push_str("fl"),
            '\u{fb03}' => text.push_str("ffi"),
            '\u{fb04}' => text.push_str("ffl"),
            '\u{ff10}'..='\u{ff19}' => text.extend(char::from_digit(c as u32 - 0xff10, 10)),
            '\t' => text.push('\t'),
            c if c.is_whitespace() => text.push(' '),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

/// Reduces white space to single spaces, with none at the ends.
pub(super) fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cells(text: &str) -> Vec<String> {
    // Two tabs in a row enclose an empty cell; a wide gap is one gap, however wide.
    if text.contains('\t') {
        return text.split('\t').map(spaced).collect();
    }
    let mut cells: Vec<String> = Vec::new();
    let parts = text.split("  ").map(spaced);
    for part in parts.filter(|part| !part.is_empty()) {
        match cells.last_mut() {
            // A wide gap between two sentences.
            Some(last) if ends(last, ".|!|?|:") => *last = format!("{last} {part}"),
            _ => cells.push(part),
        }
    }
    cells
}

/// Marker of a list. Some occur in words too, so they need a space; a single `o` needs a wide one.
/// A list saved as text loses its indentation, and only the kinds of the bullets distinguish nested
/// lists.
static MARKER: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?x)^(?:
            (?<deepest>[§▪\u{f0a7}])
            | (?<deeper>[○◦] | o(?:\t|\ \ ))
            | (?<bullet>[•·∙●▫■□‣⁃►▸➢➤✓❖¤\u{f0b7}\u{f0d8}] | [-–—*+>](?:\s|$))
            | (?i:step)\ (?<step>\d{1,9})\s*(?:[-:.)–—]|$)
            | (?:\(?(?<number>\d{1,3}(?:\.\d{1,3})*)\) | (?<numbers>\d{1,3}(?:\.\d{1,3})*)\.)(?:\s|$)
            | (?:\(?(?:[A-Za-z]|[ivx]{2,4})\) | (?:[A-Za-z]|[ivx]{2,4})\.)(?:\s|$)
        )\s*",
    )
});

/// Takes the marker off a line of a list; returns the depth that it shows, too.
fn marker(body: &str) -> (Option<Marker>, usize, &str) {
    let Some(found) = MARKER.captures(body) else {
        return (None, 0, body);
    };
    let has = |names: [&str; 2]| names.iter().any(|name| found.name(name).is_some());
    let depth = match found.name("deepest") {
        Some(_) => 2,
        None => usize::from(has(["deeper"; 2])),
    };
    let step = found
        .name("step")
        .and_then(|step| step.as_str().parse().ok());
    let marker = if let Some(step) = step {
        Marker::Step(step)
    } else if depth > 0 || has(["bullet"; 2]) {
        Marker::Bullet
    } else if has(["number", "numbers"]) {
        Marker::Number
    } else {
        Marker::Letter
    };
    (Some(marker), depth, &body[found[0].len()..])
}

/// Returns the column at which a text was wrapped, if it was: after most lines that end within a
/// sentence, the first word of the next line did not fit any more.
fn wrapping(lines: &[(u32, String)]) -> Option<usize> {
    let mut fits = [0_usize; 111];
    let mut pairs = 0;
    for pair in lines.windows(2) {
        let [above, below] = [&pair[0].1, &pair[1].1].map(|raw| raw.trim());
        let length = pair[0].1.trim_end().chars().count();
        let goes_on = !above.ends_with(['.', ':', '!', '?', ';', '|'])
            && below.starts_with(char::is_lowercase)
            && marker(below).0.is_none();
        if length < 40 || !goes_on || above.contains("  ") {
            continue;
        }
        pairs += 1;
        let widths = fits.iter_mut().skip(length);
        for count in widths.take(1 + first_word(below)) {
            *count += 1;
        }
    }
    // The narrowest column that fits most lines.
    let most = fits.iter().copied().max()?;
    let width = fits.iter().position(|count| *count == most)?;
    (most >= 3 && most * 2 >= pairs && width >= 50).then_some(width)
}

/// Returns whether a line can be the rest of the one before it, if that one is full.
fn continues(last: &ArticleLine, line: &ArticleLine) -> bool {
    line.marker.is_none()
        && !line.apart
        && !last.heading
        && (line.depth >= last.depth
            || last.marker.is_none()
            || line.text.starts_with(char::is_lowercase))
        && !is_row(last)
        && !is_row(line)
        && !last.text.ends_with(':')
}

/// Returns whether a line can be a row of a table.
fn is_row(line: &ArticleLine) -> bool {
    let text = line.text.as_str();
    // Without anything between the cells, there are few words and many digits.
    let is_glued = starts_with_file(text)
        && text.split(' ').count() <= 5
        && text.bytes().filter(u8::is_ascii_digit).count() >= 6;
    line.cells.len() > 1
        || line.tabular
        || is_glued
        || words::is_row(text)
        || columns::is_head(text, &line.cells)
}

/// Name of a file at the beginning of a text, as in the rows of a file table.
static FILE: LazyPattern = LazyPattern::new(|| pattern(r"^[^ .]+\.[A-Za-z]{2}[^ ]*"));

/// Returns whether a text begins with the name of a file.
pub(super) fn starts_with_file(text: &str) -> bool {
    let file = FILE.find(text);
    file.is_some_and(|file| !file.as_str().contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(u32, Option<Marker>, String)> {
        lines(text)
            .into_iter()
            .map(|line| (line.number, line.marker, line.text))
            .collect()
    }

    #[test]
    fn markers_of_every_list_style_are_removed() {
        for (raw, marker) in [
            ("  • Widget", Marker::Bullet),
            ("\t\u{f0b7}\tWidget", Marker::Bullet),
            ("- Widget", Marker::Bullet),
            ("o\tWidget", Marker::Bullet),
            ("12. Widget", Marker::Number),
            ("(3) Widget", Marker::Number),
            ("2) Widget", Marker::Number),
            ("a. Widget", Marker::Letter),
            ("iv. Widget", Marker::Letter),
            ("1.2. Widget", Marker::Number),
            ("STEP 4 – Widget", Marker::Step(4)),
            ("Step 4: Widget", Marker::Step(4)),
        ] {
            assert_eq!(
                texts(raw),
                [(1, Some(marker), "Widget".to_owned())],
                "{raw}"
            );
        }
        for raw in [
            "4.0 is out",
            "-5 degrees",
            "Stepping on",
            "(see below)",
            "kb. 5",
            "Step back",
        ] {
            assert_eq!(texts(raw)[0].1, None, "{raw}");
        }
    }

    #[test]
    fn invisible_characters_are_removed() {
        assert_eq!(
            texts("a\u{200b}b\u{ad}c \u{a0}“d’s”\n\n\u{a0}\n1.\nOpen it")[0].2,
            "abc \"d's\""
        );
        assert_eq!(
            texts("x\n1.\n\nOpen it")[1],
            (4, Some(Marker::Number), "Open it".to_owned())
        );
    }

    #[test]
    fn typographic_variants_of_a_name_are_equal() {
        for (raw, wanted) in [
            ("\u{fb01}le.msi", "file.msi"),
            ("o\u{fb03}ce\u{fb04}at\u{fb00}\u{fb02}", "officefflatfffl"),
            ("\u{ff10}\u{ff11}\u{ff19}", "019"),
            ("\u{2066}1,024\u{2069}", "1,024"),
            ("Long\u{ad}Name\u{200b}.\u{2060}msi", "LongName.msi"),
            ("Shared\\\u{200b}Files", "Shared\\Files"),
        ] {
            assert_eq!(plain(raw), wanted);
        }
    }

    #[test]
    fn wrapped_lines_are_joined() {
        let text = "\
  1. Copy the files that are listed below from the folder of the
     update to the folder of the installers, and then close the
     window:
       - One.msi
       - Two.msi
  2. Restart the service on every server that has the role, and
     then wait.
Every other paragraph of this text is as long as the column has";
        let texts = texts(text);
        assert_eq!(texts.len(), 5, "{texts:#?}");
        assert!(texts[0].2.ends_with("then close the window:"));
        assert_eq!(
            texts[3].2,
            "Restart the service on every server that has the role, and then wait."
        );
    }
}
