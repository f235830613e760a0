//! Limits of a document that is parsed: a hostile document must not exhaust the stack or the
//! memory.

use super::strings::string_end;
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::Finding;
use crate::document::diagnostics::source::Source;

/// Largest depth of brackets, and largest number of dots in a key.
///
/// The limit of `toml` is 80 for each, and 80 times 80 is more than the stack of a thread can hold:
/// its tables are built and dropped by recursion.
const DEEPEST: usize = 16;

/// Largest number of lines and values in a document; a table counts as [`TABLE`] values. A hundred
/// thousand files with their pins, or as many items, need a third of it.
///
/// A parsed table with one entry takes more than a kilobyte: 4 MiB of `{a=1},` would take one
/// gigabyte.
const MOST: usize = 1_000_000;

/// Number of values that a table, a list or a part of a dotted key counts as.
const TABLE: usize = 3;

/// Returns the finding for a document that must not be parsed, if it exceeds a limit.
pub(in crate::document) fn check_limits(source: &Source) -> Option<Finding> {
    if let Some(fault) = source.fault() {
        return Some(fault.clone());
    }
    let (at, limit) = exceeded_limit(source.text())?;
    if limit == ExceededLimit::Amount {
        let message = format!(
            "the document has more than {} tables, or {MOST} lines and values",
            MOST / TABLE
        );
        return Some(
            Finding::new(Code::TooLarge, at..at + 1, message)
                .with_help("no manifest and no deployment needs as many"),
        );
    }
    let message = format!("the document is nested more than {DEEPEST} deep");
    Some(
        Finding::new(Code::TooDeep, at..at + 1, message)
            .with_help("manifests and deployments need at most four"),
    )
}

/// Limit that a text exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExceededLimit {
    /// Depth of the brackets, or number of dots in a key.
    Depth,
    /// Number of tables, lines and values.
    Amount,
}

/// Returns the first place at which a text exceeds a limit.
fn exceeded_limit(text: &str) -> Option<(usize, ExceededLimit)> {
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
            return Some((at, ExceededLimit::Depth));
        }
        all += match byte {
            b'[' | b'{' | b'.' => TABLE,
            b'\n' | b',' => 1,
            _ => 0,
        };
        if all > MOST {
            return Some((at, ExceededLimit::Amount));
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
            exceeded_limit(&format!("a = {}", "[".repeat(1000))),
            Some((4 + DEEPEST, ExceededLimit::Depth))
        );
        assert!(exceeded_limit(&format!("a{} = 1", ".a".repeat(1000))).is_some());
        assert!(exceeded_limit(&"{a=".repeat(1000)).is_some());
        let harmless = format!(
            "a = \"{0}\"\nb = '{0}' # {0}\nc = '''\n{0}'''\nd = \"\\\"{0}\"",
            "[.".repeat(100)
        );
        assert_eq!(exceeded_limit(&harmless), None);
        let many = |count| format!("a = [{}]", "{b=1},".repeat(count));
        let most = (MOST - TABLE) / (TABLE + 1);
        assert_eq!(exceeded_limit(&many(most)), None);
        assert_eq!(
            exceeded_limit(&many(most + 1)),
            Some((5 + 6 * most, ExceededLimit::Amount))
        );
        assert!(matches!(
            exceeded_limit(&"\n".repeat(MOST + 1)),
            Some((_, ExceededLimit::Amount))
        ));
    }
}
