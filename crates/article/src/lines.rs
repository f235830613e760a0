//! Numbered lines of a text: without markers, with white space and quotes in one form, and with
//! wrapped lines joined again.

use std::collections::{BTreeMap, BTreeSet};

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
        let is_rule = is_rule(raw);
        if raw.trim().is_empty() || is_rule {
            if is_rule && !self.apart && !raw.contains(['|', '+']) {
                self.underline(raw);
            }
            if !is_rule {
                (self.apart, self.values) = (true, None);
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
        let is_full = |width| self.length + SLACK + first_word(&line.text) > width;
        let continues = self.lines.last().is_some_and(|last| continues(last, &line));
        let last = self.lines.last_mut();
        match last.filter(|_| continues && self.width.is_some_and(is_full)) {
            Some(last) => {
                last.last = number;
                last.text.push(' ');
                last.text.push_str(&line.text);
                last.cells.clear();
            }
            None => self.lines.push(line),
        }
        self.length = raw.trim_end().chars().count();
    }

    /// Makes the line before a heading if this rule underlines it.
    fn underline(&mut self, rule: &str) {
        let length = self.length;
        let Some(last) = self.lines.last_mut() else {
            return;
        };
        let fits = rule.trim().len().abs_diff(length) <= 8 || rule.contains('=');
        let is_title = last.cells.len() <= 1 && !last.text.ends_with(['.', ',', ';']);
        last.heading |= fits && is_title && last.marker != Some(Marker::Bullet) && !is_row(last);
    }

    /// Reads a row of a table whose cells are separated by bars, or by commas below a head.
    fn row(&mut self, raw: &str, number: u32) -> Option<ArticleLine> {
        let trimmed = raw.trim();
        let separator = match trimmed.starts_with('|') {
            true => Some('|'),
            false => ['|', ',', ';'].into_iter().find(|separator| {
                let cells = values(trimmed, *separator);
                cells.len() > usize::from(*separator != '|') + 1
                    && columns::head("", &cells).is_some()
            }),
        };
        self.values = separator.or(self.values);
        let cells = values(trimmed, self.values?);
        (cells.len() > 1).then_some(())?;
        let mut line = line(raw, number)?;
        line.marker = None;
        line.text = spaced(&cells.join(" "));
        line.tabular = true;
        line.cells = cells;
        Some(line)
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

/// Returns whether a line only draws a rule, such as the one below a heading or within a table.
fn is_rule(raw: &str) -> bool {
    let drawn = |c: &char| matches!(c, '-' | '=' | '_' | '*' | '\u{2500}');
    raw.chars().filter(drawn).count() >= 3
        && raw
            .chars()
            .all(|c| drawn(&c) || matches!(c, ' ' | '\t' | '|' | '+' | ':'))
}

/// Returns the lines that a printer puts on every page, without their digits.
fn footers(lines: &[(u32, String)]) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, raw) in lines {
        let kind = without_digits(raw);
        let lower = kind.to_lowercase();
        let numbers = ["page #", "page # of #", "seite #", "seite # von #"];
        let is_paged = numbers
            .iter()
            .any(|mark| lower.ends_with(mark) || lower.starts_with(mark))
            || lower.contains("://")
                && [" #/#", " # of #"].iter().any(|mark| lower.ends_with(mark));
        if is_paged && kind.len() <= 200 {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count > 1);
    counts.into_keys().collect()
}

/// Returns a line with one sign for each number.
fn without_digits(raw: &str) -> String {
    let mut kind = String::new();
    for c in spaced(raw).chars() {
        match c.is_ascii_digit() {
            true if kind.ends_with('#') => {}
            true => kind.push('#'),
            false => kind.push(c),
        }
    }
    kind
}

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
    let (marker, rest) = marker(body);
    Some(ArticleLine {
        number,
        last: number,
        depth: depth + bullet_depth(body, marker),
        marker,
        heading: false,
        title: false,
        address: false,
        apart: false,
        text: spaced(rest),
        cells: cells(rest),
        tabular: rest.contains('\t'),
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
    let tabs = text.contains('\t');
    let parts: Vec<&str> = if tabs {
        text.split('\t').collect()
    } else {
        text.split("  ").collect()
    };
    // Two tabs in a row enclose an empty cell; a wide gap is one gap, however wide.
    if tabs {
        return parts.into_iter().map(spaced).collect();
    }
    let mut cells: Vec<String> = Vec::new();
    for part in parts
        .into_iter()
        .map(spaced)
        .filter(|part| !part.is_empty())
    {
        match cells
            .last_mut()
            .filter(|last| last.ends_with(['.', '!', '?', ':']))
        {
            // A wide gap between two sentences.
            Some(last) => *last = format!("{last} {part}"),
            None => cells.push(part),
        }
    }
    cells
}

/// Returns the depth that the kind of a bullet shows. A list saved as text loses its indentation,
/// and only the kinds of the bullets distinguish nested lists.
fn bullet_depth(body: &str, marker: Option<Marker>) -> usize {
    match (marker, body.chars().next()) {
        (Some(Marker::Bullet), Some('o' | '○' | '◦')) => 1,
        (Some(Marker::Bullet), Some('§' | '▪' | '\u{f0a7}')) => 2,
        _ => 0,
    }
}

/// Takes the marker off a line of a list.
fn marker(body: &str) -> (Option<Marker>, &str) {
    let first = body.chars().next().unwrap_or_default();
    let after = &body[first.len_utf8()..];
    let is_bullet = matches!(
        first,
        '•' | '·'
            | '∙'
            | '●'
            | '○'
            | '◦'
            | '▪'
            | '▫'
            | '■'
            | '□'
            | '‣'
            | '⁃'
            | '►'
            | '▸'
            | '➢'
            | '➤'
            | '✓'
            | '❖'
            | '§'
            | '¤'
            | '\u{f0a7}'
            | '\u{f0b7}'
            | '\u{f0d8}'
    );
    if is_bullet {
        return (Some(Marker::Bullet), after.trim_start());
    }
    // These occur in words too, so they need a space; a single `o` needs a wide one.
    let gap = after.starts_with([' ', '\t']) || after.is_empty();
    if matches!(first, '-' | '–' | '—' | '*' | '+' | '>') && gap {
        return (Some(Marker::Bullet), after.trim_start());
    }
    if first == 'o' && (after.starts_with('\t') || after.starts_with("  ")) {
        return (Some(Marker::Bullet), after.trim_start());
    }
    step(body)
        .or_else(|| numbered(body))
        .map_or((None, body), |(marker, rest)| (Some(marker), rest))
}

/// Reads `Step 1: …`, `STEP 1 - …`, or `Step 1` alone.
fn step(body: &str) -> Option<(Marker, &str)> {
    let word = body
        .get(..4)
        .filter(|word| word.eq_ignore_ascii_case("step"))?;
    let rest = body[word.len()..].strip_prefix(' ')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest[..digits].parse().ok()?;
    let rest = rest[digits..].trim_start();
    let tail = rest
        .strip_prefix([':', '.', ')', '-', '–', '—'])
        .or(rest.is_empty().then_some(""))?;
    Some((Marker::Step(number), tail.trim_start()))
}

/// Reads `1.`, `1)`, `(1)`, `1.2.`, `a.` or `iv)`; a space has to follow.
fn numbered(body: &str) -> Option<(Marker, &str)> {
    let open = body.strip_prefix('(');
    let label = open.unwrap_or(body);
    let length = label
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'.')
        .count();
    let name = label[..length].trim_end_matches('.');
    let closed = label[length..].strip_prefix(')');
    let rest = match (open, closed) {
        (Some(_), Some(rest)) | (None, Some(rest)) => rest,
        (None, None) if label[..length].ends_with('.') => &label[length..],
        _ => return None,
    };
    let digits = name
        .split('.')
        .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    let letter = name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let roman = (2..=4).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'i' | b'v' | b'x'));
    let gap = rest.starts_with([' ', '\t']) || rest.is_empty();
    let marker = if digits {
        Marker::Number
    } else {
        Marker::Letter
    };
    ((digits || letter || roman) && gap).then(|| (marker, rest.trim_start()))
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
        for count in fits
            .iter_mut()
            .take(length + 1 + first_word(below))
            .skip(length)
        {
            *count += 1;
        }
    }
    // The narrowest column that fits most lines.
    let most = fits.iter().copied().max().unwrap_or(0);
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

/// Returns whether a text begins with the name of a file, as the rows of a file table do.
pub(super) fn starts_with_file(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    word.find('.').is_some_and(|dot| {
        dot > 0
            && word[dot + 1..]
                .bytes()
                .take_while(u8::is_ascii_alphabetic)
                .take(3)
                .count()
                >= 2
    }) && !word.contains("://")
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
