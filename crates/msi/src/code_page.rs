//! Code pages. The database of a package names the one in which its texts are encoded.

use std::fmt;

use encoding_rs::Encoding;

/// Encoding of the texts of a package.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodePage {
    number: u32,
    /// `None` for code page 0, and for those that are not known: only their ASCII is certain.
    encoding: Option<&'static Encoding>,
}

impl fmt::Display for CodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)
    }
}

impl CodePage {
    pub(super) fn from_number(number: u32) -> Self {
        let encoding = match number {
            65001 => encoding_rs::UTF_8,
            866 => encoding_rs::IBM866,
            874 => encoding_rs::WINDOWS_874,
            932 => encoding_rs::SHIFT_JIS,
            936 => encoding_rs::GBK,
            949 => encoding_rs::EUC_KR,
            950 => encoding_rs::BIG5,
            1250 => encoding_rs::WINDOWS_1250,
            1251 => encoding_rs::WINDOWS_1251,
            1252 | 28591 => encoding_rs::WINDOWS_1252,
            1253 => encoding_rs::WINDOWS_1253,
            1254 => encoding_rs::WINDOWS_1254,
            1255 => encoding_rs::WINDOWS_1255,
            1256 => encoding_rs::WINDOWS_1256,
            1257 => encoding_rs::WINDOWS_1257,
            1258 => encoding_rs::WINDOWS_1258,
            20866 => encoding_rs::KOI8_R,
            28592 => encoding_rs::ISO_8859_2,
            28605 => encoding_rs::ISO_8859_15,
            54936 => encoding_rs::GB18030,
            _ => {
                return Self {
                    number,
                    encoding: None,
                };
            }
        };
        Self {
            number,
            encoding: Some(encoding),
        }
    }

    /// Returns the text, or `None` if the bytes are invalid in this code page.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        let Some(encoding) = self.encoding else {
            let text = bytes.is_ascii().then(|| String::from_utf8_lossy(bytes));
            return text.map(|text| text.into_owned());
        };
        encoding
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(|text| text.into_owned())
    }

    /// Returns the text for messages, with replacement characters for invalid bytes.
    pub(super) fn decode_lossy(self, bytes: &[u8]) -> String {
        self.decode(bytes)
            .unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_their_code_page() {
        let decode = |number, bytes: &[u8]| CodePage::from_number(number).decode(bytes);
        assert_eq!(decode(1252, b"\xdcber.dll").as_deref(), Some("Über.dll"));
        assert_eq!(decode(1255, b"\xf9.txt").as_deref(), Some("ש.txt"));
        assert_eq!(decode(932, b"\x93\xfa.txt").as_deref(), Some("日.txt"));
        assert_eq!(decode(0, b"plain.txt").as_deref(), Some("plain.txt"));
        assert_eq!(decode(0, b"\xdcber.dll"), None, "code page 0 is ASCII");
        assert_eq!(decode(65001, b"\xdcber.dll"), None);
        assert_eq!(decode(123_456, b"plain.txt").as_deref(), Some("plain.txt"));
        assert_eq!(decode(123_456, b"\xdcber.dll"), None);
    }
}
