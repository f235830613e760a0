//! Keys and headers that a text has twice, with the line of the first.

use std::collections::BTreeMap;

use super::strings::string_end;
use crate::document::diagnostics::source::Source;

/// Returns, for each line that repeats a key or a header, the line on which it is first.
///
/// The parser keeps the first one and does not report its place.
pub(super) fn repeated(source: &Source) -> BTreeMap<u32, u32> {
    let text = source.text();
    let mut firsts: BTreeMap<(usize, String), u32> = BTreeMap::new();
    let mut repeated = BTreeMap::new();
    // Start of the current table, and the last header with two brackets.
    let (mut table, mut element) = (0, (0, String::new()));
    let mut at = 0;
    while at < text.len() {
        let (end, line) = (entry_end(text, at), source.line(at));
        let entry = text[at..end].trim_start();
        if entry.starts_with('[') {
            let path = names_of(entry.trim_start_matches('['));
            let whole = path.last().cloned().unwrap_or_default();
            table = at + 1;
            let below = path.len() > 1 && path.first() == Some(&element.1);
            if entry.starts_with("[[") {
                element = (at + 1, whole.clone());
            }
            let scope = if below { element.0 } else { usize::MAX };
            note(
                &mut firsts,
                &mut repeated,
                &[(scope, whole.clone()), (0, whole.clone())],
                line,
            );
            firsts.entry((scope, whole)).or_insert(line);
        } else if !entry.is_empty() && !entry.starts_with('#') {
            let mut paths = names_of(entry);
            paths.reverse();
            let names: Vec<_> = paths.into_iter().map(|name| (table, name)).collect();
            note(&mut firsts, &mut repeated, &names, line);
            for name in names {
                firsts.entry(name).or_insert(line);
            }
        }
        at = end + 1;
    }
    repeated
}

fn note(
    firsts: &mut BTreeMap<(usize, String), u32>,
    repeated: &mut BTreeMap<u32, u32>,
    names: &[(usize, String)],
    line: u32,
) {
    if let Some(first) = names.iter().find_map(|name| firsts.get(name)) {
        repeated.insert(line, *first);
    }
}

/// Returns the end of the line on which a key's value or a header ends.
fn entry_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (start, 0_usize);
    // A header ends with its line, closed or not.
    if text[start..]
        .trim_start_matches([' ', '\t'])
        .starts_with('[')
    {
        return text[start..]
            .find('\n')
            .map_or(text.len(), |end| start + end);
    }
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => {
                at += bytes[at..].iter().take_while(|&&b| b != b'\n').count();
                continue;
            }
            b'"' | b'\'' => {
                at = string_end(bytes, at).unwrap_or_else(|end| end);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Returns all prefixes of a key or a header, such as `a`, `a.b` and `a.b.c`.
fn names_of(entry: &str) -> Vec<String> {
    let bytes = entry.as_bytes();
    let (mut at, mut path, mut paths) = (0, String::new(), Vec::new());
    while let Some(c) = entry[at..].chars().next() {
        match c {
            '=' | ']' | '\n' | '#' => break,
            '.' => {
                paths.push(path.clone());
                path.push('.');
            }
            '"' | '\'' => {
                let end = string_end(bytes, at)
                    .unwrap_or_else(|end| end)
                    .min(entry.len());
                path.push_str(entry.get(at..end).unwrap_or_default().trim_matches(c));
                at = entry.ceil_char_boundary(end);
                continue;
            }
            c if c.is_whitespace() => {}
            c => path.push(c),
        }
        at += c.len_utf8();
    }
    paths.push(path);
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_found_with_their_first_lines() {
        let text = "a = 1\nb.\"c d\" = [\n1,\n]\na = 2\nb . 'c d' = 3\n[t]\na = 1\n[[s]]\nx = 1\n[s.u]\n[[s]]\nx = 1\nx = 2\n[s.u]\n\
                    [t]\n[s.u]\n";
        let found: Vec<_> = repeated(&Source::new("x", text)).into_iter().collect();
        assert_eq!(
            found,
            [(5, 1), (6, 2), (12, 9), (14, 13), (16, 7), (17, 15)]
        );
    }
}
