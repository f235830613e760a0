//! A saved page to the same lines that its text would have.
//!
//! The tokenizer tells where everything stands; what is a block, a list or a table is told here, and tags that are
//! never closed do no harm.

use html5gum::emitters::default::{DefaultEmitter, Token};
use html5gum::{HtmlString, Tokenizer};

use super::lines::{Line, Marker, line, plain, spaced};

/// Lists within lists are counted no deeper.
const DEEPEST: usize = 64;

/// Whether a text is the source of a page.
pub(super) fn is_html(text: &str) -> bool {
    let mut end = text.len().min(64 << 10);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = text[..end].to_ascii_lowercase();
    ["<!doctype html", "<html", "<body", "</p>", "</li>", "</td>", "</h1>", "</h2>", "</div>"]
        .iter()
        .any(|tag| head.contains(tag))
}

/// The lines of a page: a block, an entry of a list or a row of a table each.
pub(super) fn lines(page: &str) -> Vec<Line> {
    let starts: Vec<usize> = std::iter::once(0).chain(page.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut writer = Writer::default();
    let tokens = Tokenizer::new_with_emitter(page, {
        let mut emitter = DefaultEmitter::<usize>::new_with_span();
        // Scripts and styles are no text.
        emitter.naively_switch_states(true);
        emitter
    });
    for token in tokens {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => writer.open(&name(&tag.name)),
            Token::EndTag(tag) => writer.close(&name(&tag.name)),
            Token::String(text) => {
                let value = String::from_utf8_lossy(&text.value);
                let blank = value.len() - value.trim_start().len();
                let number = starts.partition_point(|start| *start <= text.span.start + blank);
                writer.text(&value, u32::try_from(number).unwrap_or(u32::MAX));
            }
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    writer.flush();
    writer.lines
}

fn name(name: &HtmlString) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

#[derive(Default)]
struct Writer {
    lines: Vec<Line>,
    /// What was read of the block at hand.
    text: String,
    /// Where that begins.
    number: u32,
    /// The lists around it: whether they are numbered.
    lists: Vec<bool>,
    /// The entry of a list that has no text yet.
    marker: Option<Marker>,
    heading: bool,
    /// How many elements are open whose text nobody reads.
    unread: usize,
    /// In `pre`, where line breaks are line breaks.
    kept: usize,
    /// The cells of the row at hand.
    row: Option<Vec<String>>,
    /// Within a cell of it, which may be an empty one.
    cell: bool,
}

impl Writer {
    fn open(&mut self, tag: &str) {
        match tag {
            "script" | "style" | "title" | "noscript" | "template" => self.unread += 1,
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
                self.marker = Some(if numbered { Marker::Number } else { Marker::Bullet });
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
            }
            "pre" | "textarea" => {
                self.flush();
                self.kept += 1;
            }
            "table" => {
                self.leave_row();
                self.flush();
            }
            _ if is_block(tag) => self.end_block(),
            _ => {}
        }
    }

    fn close(&mut self, tag: &str) {
        match tag {
            "script" | "style" | "title" | "noscript" | "template" => self.unread = self.unread.saturating_sub(1),
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

    fn text(&mut self, text: &str, number: u32) {
        if self.unread > 0 {
            return;
        }
        let text = plain_breaks(text, self.kept > 0 && self.row.is_none());
        for (at, part) in text.split('\n').enumerate() {
            if at > 0 {
                self.flush();
            }
            if self.text.trim().is_empty() {
                // Blanks between tags would pile up.
                self.text.clear();
                if !part.trim().is_empty() {
                    self.number = number.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                }
            }
            self.text.push_str(part);
        }
    }

    /// The end of a block; within a cell, blocks are parts of its text.
    fn end_block(&mut self) {
        match self.row {
            Some(_) => self.text.push(' '),
            None => self.flush(),
        }
    }

    fn end_cell(&mut self) {
        let text = spaced(&std::mem::take(&mut self.text));
        match &mut self.row {
            Some(row) if self.cell || !text.is_empty() => row.push(text),
            _ => self.block(&text),
        }
        self.cell = false;
    }

    /// Headings and lists stand in no file table: such a row only lays out the page.
    fn leave_row(&mut self) {
        self.cell = false;
        for cell in self.row.take().unwrap_or_default() {
            self.block(&cell);
        }
    }

    fn end_row(&mut self) {
        self.end_cell();
        let Some(row) = self.row.take() else { return };
        let mut cells: Vec<String> = row;
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        if cells.len() < 2 {
            cells.iter().for_each(|cell| self.block(cell));
            return;
        }
        let mut line = Line { number: self.number, text: spaced(&cells.join(" ")), ..Line::default() };
        line.depth = self.lists.len();
        line.cells = cells;
        self.lines.push(line);
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.block(&text);
    }

    fn block(&mut self, text: &str) {
        let Some(mut line) = line(text, self.number) else { return };
        if line.text.is_empty() {
            return;
        }
        line.depth = self.lists.len();
        line.heading = self.heading;
        // The first block of an entry has its marker; what follows in it belongs to it without one.
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

    #[test]
    fn a_page_has_the_lines_of_its_text() {
        let page = "<html><head><title>No</title><script>if (a<b) {}</script></head><body>\n<h2>Install&nbsp;it</h2>\n\
            <ol><li>Expand <b>Tools</b>, and then\n click:<ul><li>One</li><li>Two</ul></li>\n<li><p>Start</p><p>Note x</p></ol>\n\
            <table><tr><th>File name<th>Size</tr>\n<tr><td>a.msi</td><td></td><td>1,024</td></tr></table>";
        let found = lines(page);
        let texts: Vec<_> = found.iter().map(|line| (line.number, line.marker, line.text.as_str())).collect();
        assert_eq!(
            texts,
            [
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
        assert!(found[0].heading && !found[1].heading);
        assert_eq!(found[7].cells, ["a.msi", "", "1,024"]);
    }
}
