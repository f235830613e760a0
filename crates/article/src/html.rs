//! Conversion of a saved page to the same lines that its text would have.
//!
//! The tokenizer gives the position of everything; this module finds blocks, lists and tables. Tags
//! that are never closed do no harm.

use html5gum::emitters::default::{DefaultEmitter, StartTag, Token};
use html5gum::{Error, HtmlString, Tokenizer};

use super::lines::{ArticleLine, Marker, line, plain, spaced};
use super::text::{LazyPattern, is, pattern};

/// Deepest nesting of lists, and of elements that are not read, that is tracked.
const DEEPEST: usize = 64;

/// Largest span of a cell in rows or columns; a cell with a larger one spans none.
const WIDEST: usize = 200;

/// Largest size of all cells, in bytes; in a larger page, cells no longer span others.
const REPEATED: usize = 1 << 20;

static TAGS: LazyPattern =
    LazyPattern::new(|| pattern("(?i)<!doctype html|<html|<body|</(?:p|li|td|h1|h2|div)>"));

/// Returns whether a text is the source of a page. An article may show the source of one.
pub(super) fn is_html(text: &str) -> bool {
    let tag = TAGS
        .find(text)
        .filter(|_| text.trim_start().starts_with('<'));
    tag.is_some_and(|tag| tag.start() < 64 << 10)
}

/// Result of reading a page.
pub(super) struct SavedPage {
    /// Lines of the page: one for each block, list entry and table row.
    pub(super) lines: Vec<ArticleLine>,
    /// Line of a comment, script or the like that is never closed, and hides the rest of the page.
    pub(super) unclosed_at: Option<u32>,
}

/// Reads a page.
pub(super) fn read(page: &str) -> SavedPage {
    let ends: Vec<usize> = page.match_indices('\n').map(|(at, _)| at).collect();
    let line_at = |at: usize| {
        let lines = ends.partition_point(|end| *end < at);
        u32::try_from(lines + 1).unwrap_or(u32::MAX)
    };
    let mut builder = LineBuilder::default();
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    // Scripts and styles are not text.
    emitter.naively_switch_states(true);
    let (mut comment, mut is_unclosed) = (0, false);
    for token in Tokenizer::new_with_emitter(page, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => builder.start_tag(&tag, line_at(tag.span.start)),
            Token::EndTag(tag) => {
                let name = name(&tag.name);
                builder.close(&name);
                builder.show(&name);
            }
            Token::String(text) => {
                let value = String::from_utf8_lossy(&text.value);
                let blank = value.len() - value.trim_start().len();
                builder.text(&value, line_at(text.span.start + blank));
            }
            Token::Comment(found) => comment = line_at(found.span.start),
            Token::Error(error) => is_unclosed |= error.value == Error::EofInComment,
            Token::Doctype(_) => {}
        }
    }
    builder.flush();
    builder.end_title();
    // An unclosed script or template hides everything in it, comments too, so its line comes first.
    let hidden = builder.unread.first().map(|(_, line)| *line);
    SavedPage {
        lines: builder.lines,
        unclosed_at: hidden.or(is_unclosed.then_some(comment)),
    }
}

fn name(name: &HtmlString) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// Returns the value of an attribute.
fn attribute(tag: &StartTag<usize>, wanted: &str) -> Option<String> {
    let mut attributes = tag.attributes.iter();
    let (_, value) = attributes.find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))?;
    Some(String::from_utf8_lossy(&value.value).trim().to_owned())
}

/// Returns the number of rows or columns that a cell claims.
fn span(tag: &StartTag<usize>, wanted: &str) -> usize {
    let span = attribute(tag, wanted).and_then(|span| span.parse().ok());
    span.filter(|span| (1..=WIDEST).contains(span)).unwrap_or(1)
}

#[derive(Default)]
struct LineBuilder {
    lines: Vec<ArticleLine>,
    /// Text of the current block so far.
    text: String,
    /// Line on which that text begins.
    number: u32,
    /// Lists around the current block: true for a numbered one.
    lists: Vec<bool>,
    /// Marker of a list entry that has no text yet.
    marker: Option<Marker>,
    heading: bool,
    /// True within the first level of headings.
    first_level: bool,
    /// Name of the page, and its line.
    title: Option<(String, u32)>,
    /// Open elements whose text is not read, each with its line.
    unread: Vec<(String, u32)>,
    /// Number of open `pre` and `textarea` elements, in which line breaks are line breaks.
    kept: usize,
    /// Cells of the current row.
    row: Option<Vec<String>>,
    /// True within a cell of that row, which may be an empty one.
    cell: bool,
    /// Columns and rows that the cell takes; 0 counts as 1.
    span: (usize, usize),
    /// For each column, how many further rows the cell from above spans, and its text.
    above: Vec<(usize, String)>,
    /// Bytes of all cells so far, with 32 added for each.
    repeated: usize,
}

impl LineBuilder {
    /// Reads the beginning of an element.
    fn start_tag(&mut self, tag: &StartTag<usize>, line: u32) {
        let name = name(&tag.name);
        if name == "link" {
            let rel = attribute(tag, "rel").unwrap_or_default();
            let address = attribute(tag, "href").filter(|_| rel.eq_ignore_ascii_case("canonical"));
            self.address(&address.unwrap_or_default(), line);
            return;
        }
        self.open(&name);
        // Of the elements whose text is not read, only templates can be nested.
        let is_open = self.unread.iter().any(|(open, _)| *open == name);
        if is(&name, "script|style|title|noscript|template")
            && (name == "template" || !is_open)
            && self.unread.len() < DEEPEST
        {
            self.unread.push((name, line));
        } else if is(&name, "td|th") {
            self.span = (span(tag, "colspan"), span(tag, "rowspan"));
        }
    }

    fn open(&mut self, tag: &str) {
        if is(tag, "ol|ul|menu|dir|li|h1|h2|h3|h4|h5|h6|table") {
            self.leave_row();
            self.flush();
        }
        match tag {
            "ol" | "ul" | "menu" | "dir" if self.lists.len() < DEEPEST => {
                self.lists.push(tag == "ol");
            }
            "li" => {
                self.marker = Some(match self.lists.last() {
                    Some(true) => Marker::Number,
                    _ => Marker::Bullet,
                });
            }
            "tr" => {
                self.end_row();
                self.row = Some(Vec::new());
            }
            "td" | "th" => {
                self.end_cell();
                self.cell = true;
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.heading = true;
                self.first_level = tag == "h1";
            }
            "pre" | "textarea" => {
                self.flush();
                self.kept += 1;
            }
            "table" => self.above.clear(),
            _ if is(tag, BLOCKS) || tag == "br" => self.end_block(),
            _ => {}
        }
    }

    /// Ends an element whose text is not read, and every open one within it.
    fn show(&mut self, tag: &str) {
        if let Some(at) = self.unread.iter().rposition(|(open, _)| open == tag) {
            self.unread.truncate(at);
        }
    }

    /// Adds the canonical address of the page as a line.
    fn address(&mut self, address: &str, number: u32) {
        if address.starts_with("http") && address.len() <= 500 {
            self.flush();
            self.number = number;
            self.block(address);
            if let Some(line) = self.lines.last_mut() {
                line.address = true;
            }
        }
    }

    fn close(&mut self, tag: &str) {
        if is(tag, "ol|ul|menu|dir|li|h1|h2|h3|h4|h5|h6|pre|textarea") {
            self.flush();
        }
        match tag {
            "li" => self.marker = None,
            "ol" | "ul" | "menu" | "dir" => {
                self.lists.pop();
                self.marker = None;
            }
            "tr" | "table" => self.end_row(),
            "td" | "th" => self.end_cell(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading = false,
            "pre" | "textarea" => self.kept = self.kept.saturating_sub(1),
            _ if is(tag, BLOCKS) => self.end_block(),
            _ => {}
        }
    }

    /// Places the name of the page before its text, if no heading in the text is its title.
    fn end_title(&mut self) {
        let title = self.title.take();
        let title = title.and_then(|(title, number)| line(&plain(&title), number));
        // Of a title that is never closed, the whole page would be the text.
        let is_open = self.unread.iter().any(|(tag, _)| tag == "title");
        let has_title = is_open || self.lines.iter().any(|line| line.title);
        if let Some(mut title) = title.filter(|_| !has_title) {
            (title.title, title.heading) = (true, true);
            self.lines.insert(0, title);
        }
    }

    fn text(&mut self, text: &str, number: u32) {
        if let Some((hidden, _)) = self.unread.last() {
            if hidden == "title" && self.title.is_none() {
                self.title = Some((text.replace('\n', " "), number));
            }
            return;
        }
        let is_kept = self.kept > 0 && self.row.is_none();
        let breaks = if is_kept { '\n' } else { '\0' };
        for (at, part) in (0..).zip(text.split(breaks)) {
            if at > 0 {
                self.flush();
            }
            let part = plain(&part.replace('\n', " "));
            if self.text.trim().is_empty() {
                // Blanks between tags would accumulate.
                self.text.clear();
                if !part.trim().is_empty() {
                    self.number = number.saturating_add(at);
                }
            }
            self.text.push_str(&part);
        }
    }

    /// Ends a block; within a cell, blocks are parts of its text.
    fn end_block(&mut self) {
        match self.row {
            Some(_) => self.text.push(' '),
            None => self.flush(),
        }
    }

    fn end_cell(&mut self) {
        let text = spaced(&std::mem::take(&mut self.text));
        let (columns, rows) = std::mem::take(&mut self.span);
        let is_cell = std::mem::take(&mut self.cell) || !text.is_empty();
        if self.row.is_none() || !is_cell {
            return self.block(&text);
        }
        let mut row = self.row.take().unwrap_or_default();
        self.reach_down(&mut row, false);
        self.push(&mut row, text, rows);
        for _ in 1..columns {
            if self.repeated <= REPEATED {
                self.push(&mut row, String::new(), rows);
            }
        }
        self.row = Some(row);
    }

    /// Adds a cell, and keeps it for the rows below that it spans.
    fn push(&mut self, row: &mut Vec<String>, text: String, rows: usize) {
        self.repeated += text.len() + 32;
        let at = row.len();
        if rows > 1 && self.repeated <= REPEATED && at < WIDEST {
            let width = self.above.len().max(at + 1);
            self.above.resize(width, (0, String::new()));
            self.above[at] = (rows - 1, text.clone());
        }
        row.push(text);
    }

    /// Adds the cells from above that span into the next columns; with `to_the_end`, fills all
    /// columns that are left.
    fn reach_down(&mut self, row: &mut Vec<String>, to_the_end: bool) {
        while let Some((rows, text)) = self.above.get_mut(row.len()) {
            if *rows == 0 && !to_the_end {
                return;
            }
            let reaches = *rows > 0 && self.repeated <= REPEATED;
            self.repeated += text.len() + 32;
            *rows = rows.saturating_sub(1);
            row.push(if reaches { text.clone() } else { String::new() });
        }
    }

    /// Turns the cells of the current row into blocks. A file table contains neither headings nor
    /// lists, so a row with one only lays out the page.
    fn leave_row(&mut self) {
        self.cell = false;
        for cell in self.row.take().unwrap_or_default() {
            self.block(&cell);
        }
    }

    fn end_row(&mut self) {
        self.end_cell();
        let Some(mut cells) = self.row.take().filter(|row| !row.is_empty()) else {
            return;
        };
        if self.repeated > REPEATED {
            self.above.clear();
        }
        self.reach_down(&mut cells, true);
        // A cell alone, such as one that spans the whole table, is a line of text.
        if cells.iter().filter(|cell| !cell.is_empty()).count() < 2 {
            cells.iter().for_each(|cell| self.block(cell));
            return;
        }
        self.lines.push(ArticleLine {
            number: self.number,
            last: self.number,
            depth: self.lists.len(),
            text: spaced(&cells.join(" ")),
            cells,
            tabular: true,
            ..ArticleLine::default()
        });
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.block(&text);
    }

    fn block(&mut self, text: &str) {
        let Some(line) = line(text, self.number).filter(|line| !line.text.is_empty()) else {
            return;
        };
        // The first block of an entry has its marker; the blocks after it belong to it without one.
        let marker = self.marker.take().or(line.marker);
        self.lines.push(ArticleLine {
            depth: self.lists.len(),
            heading: self.heading,
            title: self.heading && self.first_level,
            marker,
            apart: marker.is_none() && self.lists.is_empty(),
            cells: vec![line.text.clone()],
            ..line
        });
    }
}

/// Elements that begin and end a block.
const BLOCKS: &str = "p|div|section|article|main|header|footer|nav|aside|blockquote|dl|dt|dd|hr|body|form|figure|\
    caption|thead|tbody|fieldset|address|center|details|summary";

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<ArticleLine> {
        read(text).lines
    }

    #[test]
    fn the_line_of_an_unclosed_comment_is_found() {
        let broken = read("<p>One</p>\n<!-- two -->\n<p>Three\n<!-- four\n<p>Five");
        assert_eq!((broken.lines.len(), broken.unclosed_at), (2, Some(4)));
        assert_eq!(read("<p>One</p>\n<!-- two -->").unclosed_at, None);
    }

    #[test]
    fn the_line_of_an_unclosed_hidden_element_is_found() {
        for tag in ["script", "style", "noscript", "template", "title"] {
            let broken = read(&format!(
                "<p>One</p>\n<{tag}>two</{tag}>\n<p>Three\n<{tag}>\n<p>Five</p>"
            ));
            assert_eq!(
                (broken.lines.len(), broken.unclosed_at),
                (2, Some(4)),
                "{tag}"
            );
        }
        let nested = read("<p>One</p>\n<template><template></template>\n<p>Three");
        assert_eq!((nested.lines.len(), nested.unclosed_at), (1, Some(2)));
        let closed = read(
            "<template><template></template></template>\n<noscript><noscript></noscript>\n<p>Three",
        );
        assert_eq!((closed.lines.len(), closed.unclosed_at), (1, None));
    }

    #[test]
    fn a_page_has_the_lines_of_its_text() {
        let page = "<html><head><title>No</title><script>if (a<b) {}</script></head><body>\n<h2>Install&nbsp;it</h2>\n\
            <ol><li>Expand <b>Tools</b>, and then\n click:<ul><li>One</li><li>Two</ul></li>\n<li><p>Start</p><p>Note x</p></ol>\n\
            <table><tr><th>File name<th>Size</tr>\n<tr><td>a.msi</td><td></td><td>1,024</td></tr></table>";
        let found = lines(page);
        let texts: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.marker, line.text.as_str()))
            .collect();
        assert_eq!(
            texts,
            [
                (1, None, "No"),
                (2, None, "Install it"),
                (3, Some(Marker::Number), "Expand Tools, and then click:"),
                (4, Some(Marker::Bullet), "One"),
                (4, Some(Marker::Bullet), "Two"),
                (5, Some(Marker::Number), "Start"),
                (5, None, "Note x"),
                (6, None, "File name Size"),
                (7, None, "a.msi 1,024"),
            ]
        );
        assert!(found[0].title && found[1].heading && !found[2].heading);
        assert_eq!(found[8].cells, ["a.msi", "", "1,024"]);
    }

    #[test]
    fn cells_that_span_others_keep_the_columns_in_place() {
        let page = "<table><tr><th rowspan=2>File<th colspan=2>Changed<th rowspan='2'>Version</tr><tr><th>Date<th>Time</tr>\
            <tr><td colspan=4>Tools</td></tr><tr><td>a.dll<td rowspan=2>today<td>now<td></tr><tr><td>b.dll<td>soon<td>1.0\
            <tr><td colspan=99999999999>c.dll<td>x</table>";
        let found = lines(page);
        let cells: Vec<_> = found.iter().map(|line| line.cells.join("|")).collect();
        assert_eq!(
            cells,
            [
                "File|Changed||Version",
                "File|Date|Time|Version",
                "Tools",
                "a.dll|today|now|",
                "b.dll|today|soon|1.0",
                "c.dll|x||"
            ]
        );
    }

    #[test]
    fn the_size_of_spanned_cells_is_limited() {
        let page = format!(
            "<table>{}",
            "<tr><td colspan=200 rowspan=200>wide".repeat(5_000)
        );
        let cells: usize = lines(&page).iter().map(|line| line.cells.len()).sum();
        assert!(cells < 2_000_000, "{cells}");
    }

    #[test]
    fn the_canonical_address_is_a_line() {
        let found = lines(
            "<html><head><link rel=canonical href='http://example.com/kb/612345'></head><p>x</p></html>",
        );
        assert_eq!(found[0].text, "http://example.com/kb/612345");
    }
}
