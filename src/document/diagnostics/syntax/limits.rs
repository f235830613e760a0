//! Limits of what is parsed at all: a hostile document must not cost the stack or the memory.

use super::strings::string_end;
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::Finding;
use crate::document::diagnostics::source::Source;

/// Largest depth of brackets, and largest number of dots in a key.
///
/// toml's own limit is 80 for each, and 80 times 80 is more than the stack of a thread holds: its
/// tables are built and dropped by recursion.
const DEEPEST: usize = 16;

/// Largest number of lines and values in a document, a table counted as [`TABLE`] of them. A
/// hundred thousand files with their pins, or as many items, need a third of it.
///
/// To the parser a table of one entry is more than a kilobyte: 4 MiB of `{a=1},` would be one
/// gigabyte.
const MOST: usize = 1_000_000;

/// Number of values that a table, a list or a part of a dotted key counts as.
const TABLE: usize = 3;

/// Refuses a document that must not even be parsed.
pub(in crate::document) fn refuse(source: &Source) -> Option<Finding> {
    if let Some(fault) = source.fault() {
        return Some(fault.clone());
    }
    let (at, why) = unbearable(source.text())?;
    if why == Unbearable::Amount {
        let message = format!(
            "the document has more than {} tables, or {MOST} lines and values",
            MOST / TABLE
        );
        return Some(
            Finding::new(Code::TooLarge, at..at + 1, message)
                .with_help("nothing that is run needs as many"),
        );
    }
    let message = format!("nested more than {DEEPEST} deep");
    Some(
        Finding::new(Code::TooDeep, at..at + 1, message)
            .with_help("nothing in this language needs more than four"),
    )
}

/// Reason why a text is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unbearable {
    /// Brackets or the dots of a key go deeper than allowed.
    Depth,
    /// There are more of them than allowed.
    Amount,
}

/// Returns the first place at which brackets and dots are too deep or too many.
fn unbearable(text: &str) -> Option<(usize, Unbearable)> {
    let bytes = text.as_bytes();
    let (mut brackets, mut dots, mut all, mut at) = (0_usize, 0_usize, 0_usize, 0);
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
            b'[' | b'{' => (brackets, dots) = (brackets + 1, 0),
            b']' | b'}' => (brackets, dots) = (brackets.saturating_sub(1), 0),
            b'.' => dots += 1,
            b',' | b'=' | b'\n' => dots = 0,
            _ => {}
        }
        if brackets > DEEPEST || dots > DEEPEST {
            return Some((at, Unbearable::Depth));
        }
        all += match byte {
            b'[' | b'{' | b'.' => TABLE,
            b'\n' | b',' => 1,
            _ => 0,
        };
        if all > MOST {
            return Some((at, Unbearable::Amount));
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_before_anything_recurses() {
        assert_eq!(
            unbearable(&format!("a = {}", "[".repeat(1000))),
            Some((4 + DEEPEST, Unbearable::Depth))
        );
        assert!(unbearable(&format!("a{} = 1", ".a".repeat(1000))).is_some());
        assert!(unbearable(&"{a=".repeat(1000)).is_some());
        let harmless = format!(
            "a = \"{0}\"\nb = '{0}' # {0}\nc = '''\n{0}'''\nd = \"\\\"{0}\"",
            "[.".repeat(100)
        );
        assert_eq!(unbearable(&harmless), None);
        let many = |count| format!("a = [{}]", "{b=1},".repeat(count));
        let most = (MOST - TABLE) / (TABLE + 1);
        assert_eq!(unbearable(&many(most)), None);
        assert_eq!(
            unbearable(&many(most + 1)),
            Some((5 + 6 * most, Unbearable::Amount))
        );
        assert!(matches!(
            unbearable(&"\n".repeat(MOST + 1)),
            Some((_, Unbearable::Amount))
        ));
    }
}
