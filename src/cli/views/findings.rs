//! Findings as Markdown, for the summary of a job or a ticket.

use std::fmt::Write;

use super::markdown::escape;
use crate::cli::terminal::out::{count, number};
use crate::document::{Finding, Source};
use crate::validation::{FindingCounts, FindingsUrl, Validation};

/// Most findings that are listed: code hosts refuse long summaries.
const LISTED: usize = 500;

/// Most files that are listed.
const FILES: usize = 500;

/// Returns tables of the files and of the findings, with the most severe first. Codes are links if
/// the page of findings is published.
pub(crate) fn markdown(validation: &Validation, url: Option<&FindingsUrl>) -> String {
    let counts = validation.counts();
    let mut page = format!("# Findings\n\n{}.\n", describe_counts(counts));
    files(validation, &mut page);
    findings(validation, url, &mut page);
    if validation.allowed() > 0 {
        let allowed = count(validation.allowed(), "finding");
        let _ = write!(page, "\nComments in the files allow {allowed}.\n");
    }
    if !validation.corrections.is_empty() {
        corrections(validation, &mut page);
    }
    page
}

/// Counts findings by their level.
pub(crate) fn describe_counts(counts: FindingCounts) -> String {
    format!(
        "{}, {}, {}",
        count(counts.errors, "error"),
        count(counts.warnings, "warning"),
        count(counts.notes, "note")
    )
}

fn files(validation: &Validation, page: &mut String) {
    page.push_str("\n| file | errors | warnings | notes |\n| --- | ---: | ---: | ---: |\n");
    for document in validation.documents.iter().take(FILES) {
        let [errors, warnings, notes] = document.findings.counts();
        let file = escape(document.source.name());
        let _ = writeln!(page, "| {file} | {errors} | {warnings} | {notes} |");
    }
    for unread in validation.unread.iter().take(FILES) {
        let (file, reason) = (escape(&unread.file), escape(&unread.reason));
        let _ = writeln!(page, "| {file}: {reason} | | | |");
    }
    let hidden = |all: usize| all.saturating_sub(FILES);
    let more = hidden(validation.documents.len()) + hidden(validation.unread.len());
    if more > 0 {
        let _ = writeln!(page, "| and {} more | | | |", number(more as u64));
    }
}

fn findings(validation: &Validation, url: Option<&FindingsUrl>, page: &mut String) {
    let mut all: Vec<(&Finding, &Source)> = validation
        .documents
        .iter()
        .flat_map(|document| {
            document
                .findings
                .sorted()
                .into_iter()
                .map(|finding| (finding, &document.source))
        })
        .collect();
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|(finding, _)| finding.level);
    page.push_str("\n| level | code | place | finding |\n| --- | --- | --- | --- |\n");
    for (finding, source) in all.iter().take(LISTED) {
        let (line, column) = source.place(finding.span.start);
        let place = escape(&format!("{}:{line}:{column}", source.name()));
        let code = match url {
            Some(url) => format!("[{}]({})", finding.code, url.of(finding.code)),
            None => finding.code.to_string(),
        };
        let text = described(finding);
        let _ = writeln!(page, "| {} | {code} | {place} | {text} |", finding.level);
    }
    let more = all.len().saturating_sub(LISTED);
    if more > 0 {
        let _ = writeln!(page, "\nand {} more.", number(more as u64));
    }
}

/// Returns the texts of a finding in one cell.
fn described(finding: &Finding) -> String {
    let lines: Vec<String> = finding.plain_text().lines().map(escape).collect();
    lines.join("<br>")
}

fn corrections(validation: &Validation, page: &mut String) {
    page.push_str("\n| corrected | was | is |\n| --- | --- | --- |\n");
    for one in validation.corrections.iter().take(LISTED) {
        let place = escape(&format!("{}:{}:{}", one.file, one.line, one.column));
        let _ = writeln!(
            page,
            "| {place} | {} | {} |",
            escape(&one.old),
            escape(&one.new)
        );
    }
    let more = validation.corrections.len().saturating_sub(LISTED);
    if more > 0 {
        let _ = writeln!(page, "\nand {} more.", number(more as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Code, Findings};
    use crate::validation::{Document, DocumentKind};

    #[test]
    fn nothing_in_a_document_ends_its_cell() {
        let mut findings = Findings::default();
        let finding = findings.add(Code::UnknownKey, 0..3, "no key `a|b`\n| <b>");
        finding.help("a [link](x)");
        findings.add(Code::CaseDiffers, 4..7, "spelling");
        let document = Document {
            source: Source::new("a|b\u{1b}.toml", "abc\ndef\n"),
            kind: DocumentKind::Manifest,
            findings,
        };
        let validation = Validation {
            documents: vec![document],
            ..Validation::default()
        };
        let url = "https://manual.example/f.html".parse().expect("an address");
        let wanted = "\
# Findings

1 error, 0 warnings, 1 note.

| file | errors | warnings | notes |
| --- | ---: | ---: | ---: |
| a\\|b\\u{1b}.toml | 1 | 0 | 1 |

| level | code | place | finding |
| --- | --- | --- | --- |
| error | [RU0101](https://manual.example/f.html#ru0101-a-key-is-unknown) | a\\|b\\u{1b}.toml:1:1 | no key \\`a\\|b\\`\\\\u{a}\\| \\<b><br>help: a \\[link\\](x) |
| note | [RU0205](https://manual.example/f.html#ru0205-a-step-and-the-file-table-differ-in-case) | a\\|b\\u{1b}.toml:2:1 | spelling |
";
        assert_eq!(markdown(&validation, Some(&url)), wanted);
    }
}
