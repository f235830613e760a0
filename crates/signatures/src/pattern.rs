//! Lists of patterns, as OpenSSH has them for principals and namespaces.

/// Length of the longest pattern that OpenSSH compares, in bytes.
const LONGEST: usize = 1022;

/// Returns whether a text matches a list of patterns, separated by commas: at least one of them, and
/// none that begins with `!`.
pub(crate) fn matches_list(text: &str, list: &str) -> bool {
    let mut is_matched = false;
    for pattern in list.split(',') {
        if pattern.len() > LONGEST {
            return false;
        }
        match pattern.strip_prefix('!') {
            Some(excluded) if matches(text, excluded) => return false,
            Some(_) => {}
            None => is_matched |= matches(text, pattern),
        }
    }
    is_matched
}

/// Returns whether a pattern of a list can match only one text.
pub(crate) fn is_literal(pattern: &str) -> bool {
    !pattern.is_empty() && !pattern.starts_with('!') && !pattern.contains(['*', '?'])
}

/// Returns whether a text matches a pattern: `*` is any text, `?` any byte.
///
/// Goes back to the last `*` only, so that the time is bounded by the product of the lengths.
fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut at, mut next) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(next) {
            Some(b'*') => {
                star = Some((at, next + 1));
                next += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[at] => {
                at += 1;
                next += 1;
            }
            _ => {
                let Some((from, behind)) = star else {
                    return false;
                };
                star = Some((from + 1, behind));
                (at, next) = (from + 1, behind);
            }
        }
    }
    pattern[next..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_matches_if_one_pattern_does_and_no_negated_one() {
        for (list, is_matched) in [
            ("alice", true),
            ("bob,alice", true),
            ("bob", false),
            ("Alice", false),
            ("al*", true),
            ("*", true),
            ("al?ce", true),
            ("al??ce", false),
            ("*c*", true),
            ("a*e*", true),
            ("a*x", false),
            ("!alice", false),
            ("!bob", false),
            ("*,!alice", false),
            ("*,!bob", true),
            ("!al*,alice", false),
            ("", false),
            (",alice", true),
            ("alice ", false),
        ] {
            assert_eq!(matches_list("alice", list), is_matched, "{list}");
        }
        assert!(!matches_list(
            "alice",
            &format!("{},alice", "x".repeat(1100))
        ));
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = format!("{}b", "a*".repeat(500));
        assert!(!matches_list(&"a".repeat(10_000), &pattern));
    }
}
