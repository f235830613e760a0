//! Ends of TOML strings, for searches that have to skip them.

/// Returns the offset after a string that begins at `at`. An unclosed string is an error with the
/// offset at which its line or the text ends.
pub(super) fn string_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let quote = bytes[at];
    let long = bytes[at..].starts_with(&[quote; 3]);
    let mut at = at + if long { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\'
                if quote == b'"'
                    && bytes.get(at + 1).is_some_and(|&next| long || next != b'\n') =>
            {
                at += 1
            }
            b'\n' if !long => return Err(at),
            _ if byte == quote && !long => return Ok(at + 1),
            _ if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return Ok(at + 3),
            _ => {}
        }
        at += 1;
    }
    Err(at)
}
