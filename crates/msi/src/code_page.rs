//! Code pages. The database of a package names the one in which its texts are encoded.

use encoding_rs::Encoding;

/// Encoding of the texts of a package.
#[derive(Debug, Clone, Copy)]
pub(super) enum CodePage {
    /// Code page 0, of which only ASCII is defined.
    Ascii,
    Known(&'static Encoding),
}

impl CodePage {
    pub(super) fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 | 20127 => Self::Ascii,
            65001 => Self::Known(encoding_rs::UTF_8),
            874 => Self::Known(encoding_rs::WINDOWS_874),
            932 => Self::Known(encoding_rs::SHIFT_JIS),
            936 => Self::Known(encoding_rs::GBK),
            949 => Self::Known(encoding_rs::EUC_KR),
            950 => Self::Known(encoding_rs::BIG5),
            1250 => Self::Known(encoding_rs::WINDOWS_1250),
            1251 => Self::Known(encoding_rs::WINDOWS_1251),
            1252 | 28591 => Self::Known(encoding_rs::WINDOWS_1252),
            1253 => Self::Known(encoding_rs::WINDOWS_1253),
            1254 => Self::Known(encoding_rs::WINDOWS_1254),
            1255 => Self::Known(encoding_rs::WINDOWS_1255),
            1256 => Self::Known(encoding_rs::WINDOWS_1256),
            1257 => Self::Known(encoding_rs::WINDOWS_1257),
            1258 => Self::Known(encoding_rs::WINDOWS_1258),
            _ => return None,
        })
    }

    /// Returns the text, or `None` if the bytes are invalid in this code page.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Ascii => bytes
                .is_ascii()
                .then(|| String::from_utf8_lossy(bytes).into_owned()),
            Self::Known(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(|text| text.into_owned()),
        }
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
        let decode = |number, bytes: &[u8]| {
            CodePage::from_number(number).and_then(|page| page.decode(bytes))
        };
        assert_eq!(decode(1252, b"\xdcber.dll").as_deref(), Some("Über.dll"));
        assert_eq!(decode(1255, b"\xf9.txt").as_deref(), Some("ש.txt"));
        assert_eq!(decode(932, b"\x93\xfa.txt").as_deref(), Some("日.txt"));
        assert_eq!(decode(0, b"plain.txt").as_deref(), Some("plain.txt"));
        assert_eq!(decode(0, b"\xdcber.dll"), None, "code page 0 is ASCII");
        assert_eq!(decode(65001, b"\xdcber.dll"), None);
        assert_eq!(decode(123_456, b"a"), None);
    }
}
