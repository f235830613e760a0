//! Comments that allow findings: `# rollup: allow RU0202`.
//!
//! Such a comment is about the findings on its own line; alone on a line, also about those on the
//! next line that has more than a comment. It allows warnings and notes. An error stays, since the
//! document cannot be used. A `#` ends the list of codes, so that a reason may follow or precede it.

use std::collections::BTreeMap;

use toml_parser::lexer::TokenKind;

use super::codes::Code;
use super::findings::{Finding, Findings, Span};
use super::severity::Severity;
use super::source::Source;

/// Beginning of such a comment, behind its `#`.
const PREFIX: &str = "rollup:";

/// Only word that may follow the prefix.
const ALLOW: &str = "allow";

/// Code in a comment, with the lines that the comment is about.
struct Allowance {
    code: Code,
    /// Place of the code in the comment.
    span: Span,
    own_line: u32,
    /// Next line with more than a comment, if the comment is alone on its line.
    next_line: Option<u32>,
    /// Most severe level of the findings of the code on these lines.
    found: Option<Severity>,
}

impl Findings {
    /// Marks the warnings and notes that comments of the document allow, and reports every comment
    /// that allows nothing.
    ///
    /// `is_checked` is false for codes that could not be found, as what they are checked against is
    /// not given. A comment with such a code is not reported.
    pub fn allow_by_comments(&mut self, source: &Source, is_checked: impl Fn(Code) -> bool) {
        if !source.text().contains(PREFIX) {
            return;
        }
        let mut scan = CommentScan::of(source);
        let mut by_line: BTreeMap<(u32, Code), usize> = BTreeMap::new();
        for (at, allowance) in scan.allowances.iter().enumerate() {
            for line in [Some(allowance.own_line), allowance.next_line] {
                by_line.extend(line.map(|line| ((line, allowance.code), at)));
            }
        }
        for finding in self.all_mut() {
            let line = source.line(finding.span.start);
            let Some(&at) = by_line.get(&(line, finding.code)) else {
                continue;
            };
            let allowance = &mut scan.allowances[at];
            let level = finding.level;
            allowance.found = Some(allowance.found.map_or(level, |other| other.min(level)));
            if level != Severity::Error {
                finding.allowed_by = Some(source.line(allowance.span.start));
            }
        }
        // The errors of a document may hide what a comment allows.
        let is_complete = self.errors() == 0;
        for allowance in &scan.allowances {
            let code = allowance.code;
            match allowance.found {
                Some(Severity::Error) => {
                    let message =
                        format!("{code} is an error here, and an error cannot be allowed");
                    let finding = Finding::new(Code::InvalidAllow, allowance.span.clone(), message);
                    scan.faults.push(
                        finding.with_help("fix the error, and remove the code from the comment"),
                    );
                }
                None if is_complete && is_checked(code) => {
                    scan.faults.push(idle_allowance(allowance));
                }
                _ => {}
            }
        }
        for fault in scan.faults {
            self.push(fault);
        }
    }
}

/// Reports a code that is not found where its comment allows it.
fn idle_allowance(allowance: &Allowance) -> Finding {
    let code = allowance.code;
    let message = format!("{code} is not found here, so the comment allows nothing");
    let help = match allowance.next_line {
        Some(line) => format!("it is about this line and line {line}; move it, or remove the code"),
        None => "it is about its own line; move it, or remove the code".to_owned(),
    };
    Finding::new(Code::IdleAllow, allowance.span.clone(), message).with_help(help)
}

/// Comments of a text that allow findings.
struct CommentScan<'s> {
    source: &'s Source,
    allowances: Vec<Allowance>,
    faults: Vec<Finding>,
}

impl<'s> CommentScan<'s> {
    fn of(source: &'s Source) -> Self {
        let mut scan = Self {
            source,
            allowances: Vec::new(),
            faults: Vec::new(),
        };
        // Lines with more than a comment.
        let mut lines = Vec::new();
        for token in toml_parser::Source::new(source.text()).lex() {
            let span = token.span().start()..token.span().end();
            match token.kind() {
                TokenKind::Whitespace | TokenKind::Newline | TokenKind::Eof => {}
                TokenKind::Comment => scan.comment(span),
                // A text may have several lines.
                _ => lines.extend([source.line(span.start), source.line(span.end)]),
            }
        }
        for allowance in &mut scan.allowances {
            let next = lines.partition_point(|line| *line < allowance.own_line);
            let next_line = lines.get(next).copied();
            allowance.next_line = next_line.filter(|line| *line != allowance.own_line);
        }
        scan
    }

    /// Reads a comment, of which each part behind a `#` may allow findings.
    fn comment(&mut self, span: Span) {
        let mut at = span.start;
        for part in self.source.text()[span].split('#') {
            let inside = part.trim_start();
            if let Some(list) = inside.strip_prefix(PREFIX) {
                self.list(at + part.len() - list.len(), list);
            }
            at += part.len() + 1;
        }
    }

    /// Reads the words behind the prefix, which begin at an offset.
    fn list(&mut self, start: usize, list: &str) {
        let text = self.source.text();
        let mut words = words(start, list).into_iter();
        let Some(verb) = words.next().filter(|span| &text[span.clone()] == ALLOW) else {
            let span = start - PREFIX.len()..start + list.trim_end().len();
            let message = "a comment for rollup is not understood";
            return self.fault(span, message.to_owned());
        };
        let codes: Vec<Span> = words.collect();
        if codes.is_empty() {
            return self.fault(verb, "the comment names no finding to allow".to_owned());
        }
        for span in codes {
            match text[span.clone()].parse() {
                Ok(code) => self.allowances.push(Allowance {
                    code,
                    own_line: self.source.line(span.start),
                    next_line: None,
                    found: None,
                    span,
                }),
                Err(_) => {
                    let word = self.source.shown(span.clone());
                    self.fault(span, format!("`{word}` is not the code of a finding"));
                }
            }
        }
    }

    fn fault(&mut self, span: Span, message: String) {
        let help =
            "write the codes behind it: `# rollup: allow RU0202`; `rollup explain` lists all";
        self.faults
            .push(Finding::new(Code::InvalidAllow, span, message).with_help(help));
    }
}

/// Returns the places of the words of a list, which commas or spaces separate.
fn words(start: usize, list: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = start;
    for word in list.split([' ', '\t', ',', '\r']) {
        if !word.is_empty() {
            spans.push(at..at + word.len());
        }
        at += word.len() + 1;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a warning at each `w` and an error at each `e` that begins a line, and returns what is
    /// left, with its line.
    fn left(text: &str) -> Vec<String> {
        let source = Source::new("m.toml", text);
        let mut findings = Findings::default();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            match line.chars().next() {
                Some('w') => drop(findings.add(Code::UnusedFile, at..at + 1, "unused")),
                Some('e') => drop(findings.add(Code::NotListed, at..at + 1, "missing")),
                _ => {}
            }
            at += line.len();
        }
        findings.allow_by_comments(&source, |code| code != Code::WrongDate);
        let line = |finding: &&Finding| {
            let line = source.line(finding.span.start);
            format!(
                "{line} {} {}",
                finding.code,
                &source.text()[finding.span.clone()]
            )
        };
        findings.sorted().iter().map(line).collect()
    }

    #[test]
    fn a_comment_is_about_its_line_or_about_the_next_one() {
        assert_eq!(left("w = 1 # rollup: allow RU0202\n"), [""; 0]);
        assert_eq!(left("# rollup: allow RU0202\n\n# why\nw = 1\n"), [""; 0]);
        assert_eq!(left("w = 1\n# rollup: allow RU0202\nx = 1\n").len(), 2);
        let once = "# rollup: allow RU0202\nw = 1\nw = 2\n";
        assert_eq!(left(once), ["3 RU0202 w"]);
        let stacked = "# rollup: allow RU0202\r\n#rollup:allow RU0710 # when copied\r\nw = 1\r\n";
        assert_eq!(left(stacked), [""; 0]);
        assert_eq!(
            left("w = 1 # a tool # rollup: allow ru0203, RU0202#why"),
            ["1 RU0011 ru0203"]
        );
    }

    #[test]
    fn a_text_is_not_a_comment() {
        let text = "w = '# rollup: allow RU0202'\n";
        assert_eq!(left(text), ["1 RU0202 w"]);
        let text = "x = '''\n# rollup: allow RU0202\nw = 1\n'''\n";
        assert_eq!(left(text), ["3 RU0202 w"]);
    }

    #[test]
    fn an_error_cannot_be_allowed() {
        assert_eq!(
            left("e = 1 # rollup: allow RU0201\n"),
            ["1 RU0201 e", "1 RU0010 RU0201"]
        );
        // It may hide what another comment allows.
        assert_eq!(
            left("e = 1\nx = 1 # rollup: allow RU0202\n"),
            ["1 RU0201 e"]
        );
    }

    #[test]
    fn what_is_not_understood_is_reported() {
        assert_eq!(
            left("w = 1 # rollup: allow\n"),
            ["1 RU0202 w", "1 RU0010 allow"]
        );
        assert_eq!(
            left("# rollup: ignore RU0202\nw = 1\n"),
            ["1 RU0010 rollup: ignore RU0202", "2 RU0202 w"]
        );
        assert_eq!(
            left("w = 1 # rollup: allow warnings RU0202\n"),
            ["1 RU0010 warnings"]
        );
        assert_eq!(left("w = 1 # rollup allow RU0202\n"), ["1 RU0202 w"]);
    }

    #[test]
    fn many_comments_take_no_more_than_one_walk() {
        let text = "# rollup: allow RU0202\n".repeat(150_000) + "w = 1\n";
        let source = Source::new("m.toml", text);
        let mut findings = Findings::default();
        let at = source.text().len() - 6;
        findings.add(Code::UnusedFile, at..at + 1, "unused");
        findings.allow_by_comments(&source, |_| true);
        assert_eq!(findings.counts()[1], 0);
    }
}
