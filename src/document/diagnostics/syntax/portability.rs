//! Syntax that the parser accepts and other readers of TOML do not: a byte order mark, and TOML
//! 1.1.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span};
use crate::document::diagnostics::source::Source;

/// Reports a byte order mark, which is skipped.
pub(in crate::document) fn byte_order_mark(source: &Source, findings: &mut Findings) {
    if source.text().starts_with('\u{feff}') {
        let finding = findings.add(
            Code::ByteOrderMark,
            0..0,
            "the document begins with a byte order mark",
        );
        finding.help("save it as UTF-8 without a byte order mark");
    }
}

/// Reports syntax that TOML 1.0 does not have.
pub(in crate::document) fn newer_than_1_0(
    source: &Source,
    root: &DeTable<'_>,
    findings: &mut Findings,
) {
    let text = source.text();
    let mut tables = vec![root];
    let mut values: Vec<&Spanned<DeValue<'_>>> = Vec::new();
    loop {
        while let Some(value) = values.pop() {
            let raw = text.get(value.span()).unwrap_or_default();
            match value.get_ref() {
                DeValue::String(_) => newer_escapes(raw, value.span().start, findings),
                DeValue::Datetime(time) if time.time.is_some_and(|time| time.second.is_none()) => {
                    let finding = findings.add(
                        Code::NewerToml,
                        value.span(),
                        format!("the time `{raw}` has no seconds"),
                    );
                    finding.help("TOML 1.0 requires them: `18:32:00`");
                }
                DeValue::Array(array) => values.extend(array.iter()),
                DeValue::Table(table) => {
                    if raw.starts_with('{') {
                        newer_inline_table(text, value.span(), table, findings);
                    }
                    tables.push(table);
                }
                _ => {}
            }
        }
        let Some(table) = tables.pop() else { return };
        for (key, value) in table {
            newer_escapes(
                text.get(key.span()).unwrap_or_default(),
                key.span().start,
                findings,
            );
            values.push(value);
        }
    }
}

fn newer_escapes(raw: &str, start: usize, findings: &mut Findings) {
    if !raw.starts_with('"') {
        return;
    }
    let mut bytes = raw.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte != b'\\' {
            continue;
        }
        if let Some((_, escape @ (b'e' | b'x'))) = bytes.next() {
            let at = start + at;
            let message = format!(
                "the escape `\\{}` is newer than TOML 1.0",
                char::from(escape)
            );
            findings
                .add(Code::NewerToml, at..at + 2, message)
                .help("write `\\u` and four hexadecimal digits, or `\\\\` for a backslash");
        }
    }
}

fn newer_inline_table(text: &str, span: Span, table: &DeTable<'_>, findings: &mut Findings) {
    let mut from = span.start;
    let mut leaves = leaves(text, table);
    leaves.sort_by_key(|leaf| leaf.start);
    for leaf in &leaves {
        if let Some(at) = text.get(from..leaf.start).and_then(|gap| gap.find('\n')) {
            return over_lines(span.start..from + at, findings);
        }
        from = leaf.end;
    }
    let rest = text.get(from..span.end).unwrap_or_default();
    if let Some(at) = rest.find('\n') {
        return over_lines(span.start..from + at, findings);
    }
    if let Some(comma) = rest.find(',') {
        let at = from + comma;
        findings
            .add(
                Code::NewerToml,
                at..at + 1,
                "a comma at the end of an inline table",
            )
            .help("remove it");
    }
}

fn over_lines(span: Span, findings: &mut Findings) {
    let finding = findings.add(Code::NewerToml, span, "an inline table over several lines");
    finding.help("write it on one line, or as a table with a header of its own");
}

/// Returns the places of the values of an inline table, including those of dotted keys.
fn leaves(text: &str, table: &DeTable<'_>) -> Vec<Span> {
    let mut found = Vec::new();
    let mut left = vec![table];
    while let Some(table) = left.pop() {
        for (_, value) in table {
            match value.get_ref() {
                DeValue::Table(inner) if !text[value.span().start..].starts_with('{') => {
                    left.push(inner)
                }
                _ => found.push(value.span()),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_of_toml_1_1_is_found() {
        let text = "a = { b = 1, }\nc = { d = [\n1\n], e.f = \"\"\"\n\"\"\" }\ng = { h = 1,\n i = 2 }\nj = 10:20\nk = \"\\\\e\\e\"\n";
        let source = Source::new("x", text);
        let (root, errors) = DeTable::parse_recoverable(text);
        assert!(errors.is_empty());
        let mut findings = Findings::default();
        newer_than_1_0(&source, root.get_ref(), &mut findings);
        let places: Vec<_> = findings
            .sorted()
            .iter()
            .map(|finding| source.place(finding.span.start))
            .collect();
        assert_eq!(places, [(1, 12), (6, 5), (8, 5), (9, 9)]);
    }
}
