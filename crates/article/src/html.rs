//! Conversion of a saved page to the same lines that its text would have.
//!
//! The tokenizer gives the position of everything; this module finds blocks, lists and tables. Tags
//! that are never closed do no harm.

use html5gum::emitters::default::{DefaultEmitter, StartTag, Token};
use html5gum::{Error, HtmlString, Tokenizer};

use super::lines::{ArticleLine, Marker, line, plain, spaced};

/// Deepest nesting of lists, and of elements that are not read, that is tracked.
const DEEPEST: usize = 64;

/// Largest span of a cell in rows or columns; a cell with a larger one spans none.
const WIDEST: usize = 200;

/// Largest size of all cells, in bytes; in a larger page, cells no longer span others.
const REPEATED: usize = 1 << 20;

/// Returns whether a text is the source of a page.
pub(super) fn is_html(text: &str) -> bool {
    // An article may show the source of a page.
    if !text.trim_start().starts_with('<') {
        return false;
    }
    let mut end = text.len().min(64 << 10);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = text[..end].to_ascii_lowercase();
    [
        "<!doctype html",
        "<html",
        "<body",
        "</p>",
        "</li>",
        "</td>",
        "</h1>",
        "</h2>",
        "</div>",
    ]
    .iter()
    .any(|tag| head.contains(tag))
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
    let starts: Vec<usize> = std::iter::once(0)
        .chain(page.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let mut builder = LineBuilder::default();
    let tokens = Tokenizer::new_with_emitter(page, {
        let mut emitter = DefaultEmitter::<usize>::new_with_span();
        // Scripts and styles are not text.
        emitter.naively_switch_states(true);
        emitter
    });
    let (mut comment, mut unclosed) = (0, false);
    for token in tokens {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let number = starts.partition_point(|start| *start <= tag.span.start);
                builder.start_tag(&tag, number);
            }
            Token::EndTag(tag) => {
                let name = name(&tag.name);
                builder.close(&name);
                builder.show(&name);
            }
            Token::String(text) => {
                let value = String::from_utf8_lossy(&text.value);
                let blank = value.len() - value.trim_start().len();
                let number = starts.partition_point(|start| *start <= text.span.start + blank);
                builder.text(&value, u32::try_from(number).unwrap_or(u32::MAX));
            }
            Token::Comment(found) => {
                comment = starts.partition_point(|start| *start <= found.span.start)
            }
            Token::Error(error) => unclosed |= error.value == Error::EofInComment,
            Token::Doctype(_) => {}
        }
    }
    builder.flush();
    builder.end_title();
    // An unclosed script or template hides everything in it, comments too, so its line comes first.
    let hidden = builder
        .unread
        .first()
        .map(|(_, line)| *line)
        .or(unclosed.then_some(comment));
    let unclosed_at = hidden.map(|line| u32::try_from(line).unwrap_or(u32::MAX));
    SavedPage {
        lines: builder.lines,
        unclosed_at,
    }
}

impl LineBuilder {
    /// Reads the beginning of an element on the line of this number.
    fn start_tag(&mut self, tag: &StartTag<usize>, number: usize) {
        let attribute = |wanted: &[u8]| {
            let mut attributes = tag.attributes.iter();
            let value = attributes.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            value.map(|(_, value)| String::from_utf8_lossy(&value.value).trim().to_owned())
        };
        let name = name(&tag.name);
        if name == "link" {
            let address = attribute(b"rel").filter(|rel| rel.eq_ignore_ascii_case("canonical"));
            let address = address.and_then(|_| attribute(b"href"));
            self.address(address, u32::try_from(number).unwrap_or(u32::MAX));
            return;
        }
        self.open(&name);
        self.hide(&name, number);
        if name == "td" || name == "th" {
            let span = |wanted| attribute(wanted).map_or(1, |text| span(&text));
            self.span = (span(b"colspan"), span(b"rowspan"));
        }
    }
}

/// Returns the number of rows or columns that a cell claims.
fn span(text: &str) -> usize {
    text.parse()
        .ok()
        .filter(|span| (1..=WIDEST).contains(span))
        .unwrap_or(1)
}

fn name(name: &HtmlString) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
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
    unread: Vec<(String, usize)>,
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
    fn open(&mut self, tag: &str) {
        match tag {
            "ol" | "ul" | "menu" | "dir" => {
                self.leave_row();
                self.flush();
                if self.lists.len() < DEEPEST {
                    self.lists.push(tag == "ol");
                }
            }
            "li" => {
                self.leave_row();
                self.flush();
                let numbered = self.lists.last().copied().unwrap_or(false);
                self.marker = Some(if numbered {
                    Marker::Number
                } else {
                    Marker::Bullet
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
            "br" if self.row.is_some() => self.text.push(' '),
            "br" => self.flush(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.leave_row();
                self.flush();
                self.heading = true;
                self.first_level = tag == "h1";
            }
            "pre" | "textarea" => {
                self.flush();
                self.kept += 1;
            }
            "table" => {
                self.leave_row();
                self.flush();
                self.above.clear();
            }
            _ if is_block(tag) => self.end_block(),
            _ => {}
        }
    }

    /// Begins an element whose text is not read. Of these elements, only templates can be nested.
    fn hide(&mut self, tag: &str, line: usize) {
        let unread = matches!(tag, "script" | "style" | "title" | "noscript" | "template");
        let again = tag != "template" && self.unread.iter().any(|(open, _)| open == tag);
        if unread && !again && self.unread.len() < DEEPEST {
            self.unread.push((tag.to_owned(), line));
        }
    }

    /// Ends such an element, and every open one within it.
    fn show(&mut self, tag: &str) {
        if let Some(at) = self.unread.iter().rposition(|(open, _)| open == tag) {
            self.unread.truncate(at);
        }
    }

    /// Adds the canonical address of the page as a line.
    fn address(&mut self, address: Option<String>, number: u32) {
        let Some(address) =
            address.filter(|address| address.starts_with("http") && address.len() <= 500)
        else {
            return;
        };
        self.flush();
        self.number = number;
        self.block(&address);
        self.lines
            .iter_mut()
            .rev()
            .take(1)
            .for_each(|line| line.address = true);
    }

    fn close(&mut self, tag: &str) {
        match tag {
            "ol" | "ul" | "menu" | "dir" => {
                self.flush();
                self.lists.pop();
                self.marker = None;
            }
            "li" => {
                self.flush();
                self.marker = None;
            }
            "tr" | "table" => self.end_row(),
            "td" | "th" => self.end_cell(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush();
                self.heading = false;
            }
            "pre" | "textarea" => {
                self.flush();
                self.kept = self.kept.saturating_sub(1);
            }
            _ if is_block(tag) => self.end_block(),
            _ => {}
        }
    }

    /// Places the name of the page before its text, if no heading in the text is its title.
    fn end_title(&mut self) {
        let title = self
            .title
            .take()
            .and_then(|(title, number)| line(&plain(&title), number));
        // Of a title that is never closed, the whole page would be the text.
        let is_open = self.unread.iter().any(|(tag, _)| tag == "title");
        let has_title = is_open || self.lines.iter().any(|line| line.title);
        if let Some(title) = title.filter(|_| !has_title) {
            self.lines.insert(
                0,
                ArticleLine {
                    title: true,
                    heading: true,
                    ..title
                },
            );
        }
    }

    fn text(&mut self, text: &str, number: u32) {
        if self.unread.last().is_some_and(|(tag, _)| tag == "title") && self.title.is_none() {
            self.title = Some((text.replace('\n', " "), number));
        }
        if !self.unread.is_empty() {
            return;
        }
        let text = plain_breaks(text, self.kept > 0 && self.row.is_none());
        for (at, part) in text.split('\n').enumerate() {
            if at > 0 {
                self.flush();
            }
            if self.text.trim().is_empty() {
                // Blanks between tags would accumulate.
                self.text.clear();
                if !part.trim().is_empty() {
                    self.number = number.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                }
            }
            self.text.push_str(part);
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
        let is_cell = std::mem::take(&mut self.cell);
        match self.row.take() {
            Some(mut row) if is_cell || !text.is_empty() => {
                self.reach_down(&mut row, false);
                self.push(&mut row, text, rows);
                for _ in 1..columns {
                    if self.repeated <= REPEATED {
                        self.push(&mut row, String::new(), rows);
                    }
                }
                self.row = Some(row);
            }
            row => {
                self.row = row;
                self.block(&text);
            }
        }
    }

    /// Adds a cell, and keeps it for the rows below that it spans.
    fn push(&mut self, row: &mut Vec<String>, text: String, rows: usize) {
        self.repeated += text.len() + 32;
        let at = row.len();
        if rows > 1 && self.repeated <= REPEATED && at < WIDEST {
            self.above
                .resize(self.above.len().max(at + 1), (0, String::new()));
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
        let mut line = ArticleLine {
            number: self.number,
            last: self.number,
            text: spaced(&cells.join(" ")),
            ..ArticleLine::default()
        };
        line.depth = self.lists.len();
        line.cells = cells;
        line.tabular = true;
        self.lines.push(line);
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.block(&text);
    }

    fn block(&mut self, text: &str) {
        let Some(mut line) = line(text, self.number) else {
            return;
        };
        if line.text.is_empty() {
            return;
        }
        line.depth = self.lists.len();
        line.heading = self.heading;
        line.title = self.heading && self.first_level;
        // The first block of an entry has its marker; the blocks after it belong to it without one.
        line.marker = self.marker.take().or(line.marker);
        line.apart = line.marker.is_none() && self.lists.is_empty();
        line.cells = vec![line.text.clone()];
        self.lines.push(line);
    }
}

fn is_block(tag: &str) -> bool {
    matches!(
        tag,
        "p" | "div"
            | "section"
            | "article"
            | "main"
            | "header"
            | "footer"
            | "nav"
            | "aside"
            | "blockquote"
            | "dl"
            | "dt"
            | "dd"
            | "hr"
            | "body"
            | "form"
            | "figure"
            | "caption"
            | "thead"
            | "tbody"
            | "fieldset"
            | "address"
            | "center"
            | "details"
            | "summary"
    )
}

fn plain_breaks(text: &str, kept: bool) -> String {
    match kept {
        true => text.split('\n').map(plain).collect::<Vec<_>>().join("\n"),
        false => plain(&text.replace('\n', " ")),
    }
}

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
