//! Annotations in the form that GitHub workflows read from standard output.

use std::fmt::Write;

use super::{Document, Validation};
use crate::document::{Finding, Severity};
use crate::names::Escaped;

impl Validation {
    /// Returns a workflow command for every finding and for every file that could not be read, one
    /// a line.
    pub fn github(&self) -> String {
        let mut text = String::new();
        for unread in &self.unread {
            let (file, reason) = (property(&unread.file), data(&unread.reason));
            let _ = writeln!(text, "::error file={file},title=cannot be read::{reason}");
        }
        for document in &self.documents {
            for finding in document.findings.sorted() {
                let _ = writeln!(text, "{}", annotation(document, finding));
            }
        }
        text
    }
}

fn annotation(document: &Document, finding: &Finding) -> String {
    let record = finding.record(&document.source);
    let file = property(record.file);
    let mut place = format!(
        "file={file},line={},endLine={}",
        record.line, record.end_line
    );
    // Columns mean something only within one line.
    if record.line == record.end_line {
        let _ = write!(
            place,
            ",col={},endColumn={}",
            record.column, record.end_column
        );
    }
    let title = property(&format!("{}: {}", finding.code, finding.code.title()));
    format!(
        "::{} {place},title={title}::{}",
        command(finding.level),
        data(&finding.plain_text())
    )
}

fn command(level: Severity) -> &'static str {
    match level {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    }
}

/// Escapes the text after the last two colons: a command ends with its line.
fn data(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| Escaped(line).to_string()).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}

/// Escapes a value between commas and colons.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Code, Findings, Source};
    use crate::validation::DocumentKind;

    #[test]
    fn nothing_in_a_document_ends_its_annotation() {
        let mut findings = Findings::default();
        let finding = findings.add(Code::UnknownKey, 0..3, "100 % `a\n::error::`");
        finding.help("write: this, and that");
        findings.add(Code::Syntax, 1..5, "over lines");
        let source = Source::new("a,b:c\n.toml", "abc\ndef\n");
        let validation = Validation {
            documents: vec![Document {
                source,
                kind: DocumentKind::Manifest,
                findings,
            }],
            ..Validation::default()
        };
        let wanted = "\
::error file=a%2Cb%3Ac%0A.toml,line=1,endLine=1,col=1,endColumn=4,title=RU0101%3A a key is unknown::\
100 %25 `a\\u{a}::error::`%0Ahelp: write: this, and that
::error file=a%2Cb%3Ac%0A.toml,line=1,endLine=2,title=RU0001%3A the document is not TOML::over lines
";
        assert_eq!(validation.github(), wanted);
    }
}
