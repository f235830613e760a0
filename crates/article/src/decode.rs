//! Conversion of bytes to text, in any encoding that a browser or an editor writes.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::text::{LazyPattern, pattern};
use super::{ArticleError, mht};

/// Largest size of an article, in bytes; the longest that vendors publish have some hundred
/// kilobytes.
pub const MAX_ARTICLE_BYTES: usize = 4 << 20;

/// Returns the text, with line feeds only and without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<String, ArticleError> {
    if bytes.len() > MAX_ARTICLE_BYTES {
        return Err(ArticleError::TooLarge);
    }
    refuse_formats(bytes)?;
    let page = mht::page(bytes);
    let bytes = page.as_deref().unwrap_or(bytes);
    let text = match Encoding::for_bom(bytes) {
        // An editor may have put the mark of UTF-8 before bytes that are not UTF-8.
        Some((encoding, mark)) if encoding == UTF_8 => {
            refuse_binary(bytes)?;
            decode_mixed(&bytes[mark..])
        }
        Some((encoding, mark)) => {
            let unit = match encoding == UTF_16LE {
                true => u16::from_le_bytes,
                false => u16::from_be_bytes,
            };
            check_utf_16(bytes, unit)?;
            decode_as(encoding, &bytes[mark..])
        }
        None => match decode_unmarked_utf_16(bytes) {
            Some(text) => text,
            None => decode_bytes(bytes)?,
        },
    };
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn decode_as(encoding: &'static Encoding, bytes: &[u8]) -> String {
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// Refuses the files of other programs, by the bytes that they begin with.
fn refuse_formats(bytes: &[u8]) -> Result<(), ArticleError> {
    const FORMATS: [(&[u8], &str); 6] = [
        (b"%PDF-", "a PDF file"),
        (b"{\\rtf", "an RTF file"),
        (
            b"PK\x03\x04",
            "a ZIP archive, such as a Word document (.docx)",
        ),
        (
            b"\xd0\xcf\x11\xe0",
            "a compound file, such as a Word document (.doc) or an installer package (.msi)",
        ),
        (
            b"<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<?mso-application",
            "a Word document (.xml)",
        ),
        (b"ITSF", "a compiled help file (.chm)"),
    ];
    let found = FORMATS.iter().find(|(begins, _)| bytes.starts_with(begins));
    found.map_or(Ok(()), |(_, name)| Err(ArticleError::OtherFormat(name)))
}

/// Decodes a text of single bytes, or UTF-8.
fn decode_bytes(bytes: &[u8]) -> Result<String, ArticleError> {
    refuse_binary(bytes)?;
    Ok(match declared_encoding(bytes) {
        Some(encoding) if std::str::from_utf8(bytes).is_err() => decode_as(encoding, bytes),
        _ => decode_mixed(bytes),
    })
}

/// Decodes UTF-16 without a byte order mark: one byte of most pairs is zero, always the same one,
/// and every unit is text.
fn decode_unmarked_utf_16(bytes: &[u8]) -> Option<String> {
    let zeros = |which: usize| {
        let bytes = bytes.iter().skip(which).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let encoding = match (zeros(0), zeros(1)) {
        (0, low) if low > bytes.len() / 4 => UTF_16LE,
        (high, 0) if high > bytes.len() / 4 => UTF_16BE,
        _ => return None,
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    let is_text = refuse_binary(text.as_bytes()).is_ok();
    is_text.then(|| text.into_owned())
}

/// Decodes a text in two encodings, written by several programs: valid UTF-8 is read as UTF-8,
/// since hardly any other text is valid UTF-8, and the bytes between are Windows-1252.
fn decode_mixed(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    text
}

/// Refuses UTF-16 that is cut within a unit, has half of a surrogate pair, or has a character that
/// no text contains. The error names the first byte of the first such unit.
fn check_utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<(), ArticleError> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut at = 0;
    for found in char::decode_utf16(units) {
        match found {
            Ok(c) if u8::try_from(c).is_ok_and(|byte| !in_text(byte)) => break,
            Ok(c) => at += 2 * c.len_utf16(),
            Err(_) => break,
        }
    }
    // Half a unit is left if the text is cut.
    bytes
        .get(at)
        .map_or(Ok(()), |&byte| Err(ArticleError::Binary { byte, at }))
}

/// Returns whether a text can have this byte, or the character of this number.
fn in_text(byte: u8) -> bool {
    byte >= 0x20 || matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0x1a)
}

/// Refuses bytes that no text contains. The error names the first one.
fn refuse_binary(bytes: &[u8]) -> Result<(), ArticleError> {
    match bytes.iter().position(|&byte| !in_text(byte)) {
        Some(at) => Err(ArticleError::Binary {
            byte: bytes[at],
            at,
        }),
        None => Ok(()),
    }
}

static CHARSET: LazyPattern = LazyPattern::new(|| pattern(r#"(?i)charset=["']*([[:alnum:]_-]+)"#));

/// Returns the encoding that a saved page declares in its head.
fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(2048)]);
    let label = CHARSET.captures(&head)?;
    // If a page declares UTF-8 and is not, the older encoding loses nothing.
    Encoding::for_label(label[1].as_bytes()).filter(|encoding| *encoding != UTF_8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_that_browsers_write_is_read() {
        let wanted = "“Größe” – 1\n";
        assert_eq!(decode(wanted.as_bytes()), Ok(wanted.to_owned()));
        assert_eq!(
            decode(&[b"\xef\xbb\xbf", wanted.as_bytes()].concat()),
            Ok(wanted.to_owned())
        );
        assert_eq!(
            decode(b"\x93Gr\xf6\xdfe\x94 \x96 1\r\n"),
            Ok(wanted.to_owned())
        );
        let units = || std::iter::once(0xfeff).chain(wanted.encode_utf16());
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&little), Ok(wanted.to_owned()));
        assert_eq!(decode(&big), Ok(wanted.to_owned()));
        assert_eq!(
            decode(b"\x93Gr\xf6\xdfe\x94\xc2\xa0\x96 1"),
            Ok("“Größe”\u{a0}– 1".to_owned())
        );
        assert_eq!(
            decode(b"\xef\xbb\xbf\x93Gr\xf6\xdfe\x94 \x96 1"),
            Ok("“Größe” – 1".to_owned())
        );
        let latin2 = b"<meta charset=\"iso-8859-2\">\xb1";
        assert_eq!(
            decode(latin2),
            Ok("<meta charset=\"iso-8859-2\">ą".to_owned())
        );
    }

    #[test]
    fn utf_16_without_a_mark_is_read_completely_or_refused() {
        let wanted = "KB612345 \u{2013} one\n";
        let little: Vec<u8> = wanted.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = wanted.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&little), Ok(wanted.to_owned()));
        assert_eq!(decode(&big), Ok(wanted.to_owned()));
        assert_eq!(
            decode(&little[..little.len() - 1]),
            Err(ArticleError::Binary { byte: 0, at: 1 })
        );
    }

    #[test]
    fn utf_16_with_a_mark_is_read_completely_or_refused() {
        let marked = |units: &[u16]| -> [Vec<u8>; 2] {
            let units = || std::iter::once(0xfeff).chain(units.iter().copied());
            [
                units().flat_map(u16::to_le_bytes).collect(),
                units().flat_map(u16::to_be_bytes).collect(),
            ]
        };
        for whole in marked(&[0x4b, 0x42, 0xd83d, 0xde00]) {
            assert_eq!(decode(&whole), Ok("KB\u{1f600}".to_owned()));
            assert!(matches!(
                decode(&whole[..whole.len() - 1]),
                Err(ArticleError::Binary { at: 6, .. })
            ));
            assert!(matches!(
                decode(&whole[..whole.len() - 2]),
                Err(ArticleError::Binary { at: 6, .. })
            ));
            assert!(matches!(
                decode(&whole[..whole.len() - 5]),
                Err(ArticleError::Binary { at: 4, .. })
            ));
        }
        for broken in [[0x4b, 0xde00, 0x42], [0x4b, 0xd83d, 0x42], [0x4b, 0, 0x42]] {
            for wide in marked(&broken) {
                assert!(
                    matches!(decode(&wide), Err(ArticleError::Binary { at: 4, .. })),
                    "{broken:x?}"
                );
            }
        }
    }

    #[test]
    fn files_of_other_programs_are_named() {
        for (begins, name) in [("%PDF-1.4", "a PDF file"), ("{\\rtf1\\ansi", "an RTF file")] {
            assert_eq!(
                decode(begins.as_bytes()),
                Err(ArticleError::OtherFormat(name))
            );
        }
    }

    #[test]
    fn binary_data_is_refused_with_the_first_byte() {
        assert_eq!(
            decode(b"MZ\x90\0\x03"),
            Err(ArticleError::Binary { byte: 0, at: 3 })
        );
        assert_eq!(
            decode(&vec![b' '; MAX_ARTICLE_BYTES + 1]),
            Err(ArticleError::TooLarge)
        );
    }
}
