//! Conversion of Markdown to the text that a browser shows of it.

use super::lines::{self, ArticleLine};

/// Returns whether a text is Markdown: it has front matter, or several headings.
pub(super) fn is_markdown(text: &str) -> bool {
    let is_heading = |line: &&str| heading(line).is_some();
    front_matter(text) > 0 || text.lines().filter(is_heading).count() > 1
}

/// Returns the lines of a text that are not blank.
pub(super) fn lines(text: &str) -> Vec<ArticleLine> {
    let front = front_matter(text);
    let mut plain = String::with_capacity(text.len());
    let mut headings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let is_front = number <= front;
        let bare = match heading(line).filter(|_| !is_front) {
            Some((level, title)) => {
                headings.push((number, level));
                title
            }
            None => line,
        };
        match is_front {
            true => plain.push_str(front_line(line)),
            false => plain.push_str(&without_marks(bare)),
        }
        plain.push('\n');
    }
    let mut lines = lines::lines(&plain);
    for line in &mut lines {
        let is_front_title = line.number as usize <= front && line.text.starts_with(TITLE);
        if is_front_title {
            line.text = lines::spaced(line.text[TITLE.len()..].trim_matches([' ', '"', '\'']));
            line.cells = vec![line.text.clone()];
        }
        let level = headings
            .iter()
            .find(|(number, _)| *number == line.number as usize)
            .map(|(_, level)| *level);
        line.heading |= level.is_some() || is_front_title;
        line.title |= level == Some(1) || is_front_title;
    }
    lines
}

const TITLE: &str = "title: ";

/// Returns the number of lines of the front matter, with both of its bars; 0 if there is none.
fn front_matter(text: &str) -> usize {
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return 0;
    }
    let mut has_keys = false;
    for (at, line) in lines.take(60).enumerate() {
        if line.trim_end() == "---" {
            return if has_keys { at + 2 } else { 0 };
        }
        has_keys |= line.contains(": ");
    }
    0
}

/// Returns a line of the front matter if it is about the article; others are about the page.
fn front_line(line: &str) -> &str {
    let is_known = [
        TITLE,
        "ms.date: ",
        "original kb number: ",
        "ms.reviewed-on: ",
    ];
    match is_known
        .iter()
        .any(|key| line.to_lowercase().starts_with(key))
    {
        true => line,
        false => "",
    }
}

/// Returns level and title of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line[level..]
        .strip_prefix(' ')?
        .trim()
        .trim_end_matches('#')
        .trim_end();
    ((1..=6).contains(&level) && !title.is_empty()).then_some((level, title))
}

/// Removes what only marks the look of a text, and shows links as `text (address)`.
fn without_marks(line: &str) -> String {
    let line = line.trim_end().trim_end_matches('\\');
    let line = line.strip_prefix("> ").unwrap_or(line);
    let mut text = line.replace("**", "").replace("__", "").replace('`', "");
    for (entity, c) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
        ("<br>", " "),
        ("<br/>", " "),
        ("[!NOTE]", "Note"),
        ("[!IMPORTANT]", "Important"),
        ("[!WARNING]", "Warning"),
    ] {
        text = text.replace(entity, c);
    }
    for mark in ['*', '_'] {
        text = without_emphasis(&text, mark);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, (name, address, after))) = rest
        .find('[')
        .and_then(|at| Some((&rest[..at], link(&rest[at..])?)))
    {
        plain.push_str(before.trim_end_matches('!'));
        plain.push_str(name);
        if address.contains("://") {
            plain.push_str(&format!(" ({address})"));
        }
        rest = after;
    }
    plain.push_str(rest);
    unescaped(&plain)
}

/// Splits a text that begins with `[name](address)`.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (address, after) = rest.split_once(')')?;
    let address = address.split(' ').next().unwrap_or_default();
    (!name.contains('[')).then_some((name, address, after))
}

/// Removes pairs of a mark around words.
fn without_emphasis(text: &str, mark: char) -> String {
    let mut text = text.to_owned();
    let mut from = 0;
    while let Some(open) = text[from..].find(mark).map(|at| from + at) {
        let inner = open + mark.len_utf8();
        let opens = !text[..open].ends_with(|c: char| c.is_alphanumeric() || c == '\\')
            && text[inner..].starts_with(|c: char| !c.is_whitespace());
        let ends = |at: &usize| {
            let after = *at + mark.len_utf8();
            !text[..*at].ends_with([' ', '\\']) && !text[after..].starts_with(char::is_alphanumeric)
        };
        let close = text[inner..]
            .match_indices(mark)
            .map(|(at, _)| inner + at)
            .find(ends);
        match close.filter(|_| opens) {
            Some(close) => {
                text.remove(close);
                text.remove(open);
                from = close - 1;
            }
            None => from = inner,
        }
    }
    text
}

/// Removes the backslash before signs that would be marks.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_escape = c == '\\'
            && chars
                .peek()
                .is_some_and(|next| "_*[]<>#|`-".contains(*next));
        if !is_escape {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_has_the_lines_of_its_text() {
        let text = "---\ntitle: \"Update 3 of the mill\"\nms.author: me\nms.date: 04/29/2008\n---\n# Update 3\n\n\
            _Original KB number:_ &nbsp; 612345\n\n## Files\n\n> [!NOTE]\n- Click **OK**, see [612346](https://m.example/kb/612346) and \
            [more](../more.md).\n\n| File name | Size |\n|---|---|\n| big\\_wheel.dll | 1,024 |\n* _a_b.dll and __x__\n";
        assert!(is_markdown(text) && !is_markdown("# One\nand # two"));
        let found = lines(text);
        let texts: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.heading, line.text.as_str()))
            .collect();
        assert_eq!(
            texts,
            [
                (2, true, "Update 3 of the mill"),
                (4, false, "ms.date: 04/29/2008"),
                (6, true, "Update 3"),
                (8, false, "Original KB number: 612345"),
                (10, true, "Files"),
                (12, false, "Note"),
                (
                    13,
                    false,
                    "Click OK, see 612346 (https://m.example/kb/612346) and more."
                ),
                (15, false, "File name Size"),
                (17, false, "big_wheel.dll 1,024"),
                (18, false, "_a_b.dll and x"),
            ]
        );
        assert!(found[0].title && found[2].title && found[8].tabular);
    }
}
