//! Conversion of Markdown to the text that a browser shows of it.

use std::collections::BTreeMap;

use regex::Captures;

use super::lines::{self, ArticleLine};
use super::text::{LazyPattern, begins, pattern};

/// Returns whether a text is Markdown: it has front matter, or several headings.
pub(super) fn is_markdown(text: &str) -> bool {
    let is_heading = |line: &&str| heading(line).is_some();
    front_matter(text) > 0 || text.lines().filter(is_heading).count() > 1
}

/// Returns the lines of a text that are not blank.
pub(super) fn lines(text: &str) -> Vec<ArticleLine> {
    let front = front_matter(text);
    let mut plain = String::with_capacity(text.len());
    let mut levels = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if number <= front {
            plain.push_str(front_line(line));
        } else if let Some((level, title)) = heading(line) {
            levels.insert(number, level);
            plain.push_str(&without_marks(title));
        } else {
            plain.push_str(&without_marks(line));
        }
        plain.push('\n');
    }
    let mut lines = lines::lines(&plain);
    for line in &mut lines {
        if line.number <= front
            && let Some(title) = line.text.strip_prefix(TITLE)
        {
            line.text = lines::spaced(title.trim_matches([' ', '"', '\'']));
            line.cells = vec![line.text.clone()];
            levels.insert(line.number, 1);
        }
        let level = levels.get(&line.number);
        line.heading |= level.is_some();
        line.title |= level == Some(&1);
    }
    lines
}

const TITLE: &str = "title: ";

/// Returns the number of lines of the front matter, with both of its bars; 0 if there is none.
fn front_matter(text: &str) -> u32 {
    let mut has_keys = false;
    for (number, line) in (1..=61).zip(text.lines()) {
        match (number, line.trim_end() == "---") {
            (1, true) => {}
            (1, false) => return 0,
            (_, true) => return if has_keys { number } else { 0 },
            (_, false) => has_keys |= line.contains(": "),
        }
    }
    0
}

/// Returns a line of the front matter if it is about the article; others are about the page.
fn front_line(line: &str) -> &str {
    let keys = "title: |ms.date: |original kb number: |ms.reviewed-on: ";
    match begins(&line.to_lowercase(), keys) {
        true => line,
        false => "",
    }
}

static HEADING: LazyPattern = LazyPattern::new(|| pattern(r"^(#{1,6}) +(.*[^#\s])[#\s]*$"));

/// Returns level and title of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let (_, [marks, title]) = HEADING.captures(line)?.extract();
    Some((marks.len(), title))
}

/// Sign that a backslash keeps from being a mark.
static ESCAPED: LazyPattern = LazyPattern::new(|| pattern(r"\\([_*\[\]<>#|`-])"));

/// Marks around words, which they do not join to other words.
static EMPHASIS: LazyPattern =
    LazyPattern::new(|| pattern(r"\b{start-half}(?:\*(\S|\S.*?\S)\*|_(\S|\S.*?\S)_)\b{end-half}"));

static LINK: LazyPattern = LazyPattern::new(|| pattern(r"!?\[([^\[\]]*)\]\(([^) ]*)[^)]*\)"));

/// Texts that a browser shows otherwise.
const SHOWN: [(&str, &str); 12] = [
    ("**", ""),
    ("__", ""),
    ("`", ""),
    ("&nbsp;", " "),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&amp;", "&"),
    ("<br>", " "),
    ("<br/>", " "),
    ("[!NOTE]", "Note"),
    ("[!IMPORTANT]", "Important"),
    ("[!WARNING]", "Warning"),
];

/// Removes what only marks the look of a text, and shows links as `text (address)`.
fn without_marks(line: &str) -> String {
    let line = line.trim_end().trim_end_matches('\\');
    let line = line.strip_prefix("> ").unwrap_or(line);
    let mut text = line.to_owned();
    for (mark, shown) in SHOWN {
        text = text.replace(mark, shown);
    }
    // An escaped sign is none of the marks until the end.
    let escaped = ESCAPED.replace_all(&text, |found: &Captures<'_>| {
        let sign = found[1].chars().next().map_or(0, u32::from);
        char::from_u32(PRIVATE + sign).map_or(String::new(), String::from)
    });
    let plain = EMPHASIS.replace_all(&escaped, "$1$2");
    let linked = LINK.replace_all(&plain, |found: &Captures<'_>| match &found[2] {
        address if address.contains("://") => format!("{} ({address})", &found[1]),
        _ => found[1].to_owned(),
    });
    let unescaped = |c: char| {
        let sign = u32::from(c).checked_sub(PRIVATE);
        sign.and_then(char::from_u32)
            .filter(char::is_ascii)
            .unwrap_or(c)
    };
    linked.chars().map(unescaped).collect()
}

/// First of the characters in the place of escaped ones.
const PRIVATE: u32 = 0xe000;

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
