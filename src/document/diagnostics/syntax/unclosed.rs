//! Brackets and quotes that are never closed, and the lines that become part of them.

use super::strings::string_end;

/// Returns the first bracket or multi-line quote that is never closed, or a bracket that is closed
/// by one of the other kind.
///
/// The lines below an unclosed bracket or quote become part of it, so that the parser reports an
/// error for each of them.
pub(super) fn never_closed(text: &str) -> Option<Unclosed> {
    let bytes = text.as_bytes();
    let mut open: Vec<usize> = Vec::new();
    let mut unclosed_texts: Vec<usize> = Vec::new();
    let unclosed = |at: usize, texts: &[usize]| Unclosed {
        at,
        unclosed_text: texts.iter().copied().find(|&text| text > at),
    };
    let (mut at, mut blank, mut in_header) = (0, true, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => {
                at += bytes[at..].iter().take_while(|&&b| b != b'\n').count();
                continue;
            }
            b'"' | b'\'' => {
                at = match string_end(bytes, at) {
                    Ok(end) => end,
                    Err(_) if bytes[at..].starts_with(&[byte; 3]) => {
                        return Some(Unclosed {
                            at,
                            unclosed_text: None,
                        });
                    }
                    Err(end) => {
                        let closes = bytes[at..end.min(bytes.len())]
                            .iter()
                            .any(|b| matches!(b, b']' | b'}'));
                        unclosed_texts.extend(closes.then_some(at));
                        end
                    }
                };
                blank = false;
                continue;
            }
            b'[' | b'{' => {
                in_header = if open.is_empty() { blank } else { in_header };
                open.push(at);
            }
            // A header ends with its line; the parser reports its errors.
            b'\n' if in_header => open.clear(),
            b']' | b'}' => match open.pop() {
                // In ASCII the code of a closing bracket is two more than that of its opening one.
                Some(opening) if bytes[opening] + 2 != byte => {
                    return Some(unclosed(opening, &unclosed_texts));
                }
                _ => {}
            },
            _ => {}
        }
        blank = byte == b'\n' || blank && byte.is_ascii_whitespace();
        at += 1;
    }
    open.first().map(|&at| unclosed(at, &unclosed_texts))
}

/// Bracket or quotes that are never closed.
#[derive(Clone, Copy)]
pub(super) struct Unclosed {
    /// Offset at which it was opened.
    pub(super) at: usize,
    /// Offset of a text after it that is not closed on its line, so that the closing bracket became
    /// part of the text.
    pub(super) unclosed_text: Option<usize>,
}

/// Returns the start of the next line that looks like a header.
pub(super) fn next_header(text: &str, at: usize) -> usize {
    text[at..]
        .find("\n[")
        .map_or(text.len(), |line| at + line + 1)
}

/// Returns the start of the next line that looks like a header or like a key with its value.
pub(super) fn next_entry(text: &str, at: usize) -> usize {
    let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let entry = |line: &str| {
        let behind = &line[line.bytes().take_while(|b| word(b)).count()..];
        line.starts_with('[')
            || (behind.len() < line.len() && behind.trim_start_matches(' ').starts_with('='))
    };
    let mut lines = text[at..].split_inclusive('\n');
    let mut start = at + lines.next().map_or(0, str::len);
    for line in lines {
        if entry(line) {
            break;
        }
        start += line.len();
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examining the line of the bracket again for each of these lines would take hours.
    #[test]
    fn the_line_of_an_unclosed_bracket_is_examined_once() {
        let text = format!("\"{}\" = [\n{}", "k".repeat(2 << 20), "\n".repeat(2 << 20));
        assert_eq!(
            never_closed(&text).map(|unclosed| unclosed.at),
            Some((2 << 20) + 5)
        );
    }
}
