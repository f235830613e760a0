//! Text of a document, with its lines and columns.

use super::codes::Code;
use super::findings::Finding;
use super::secrets;

/// Text of a document, with the name under which it is shown.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
    /// Text with masks in place of secrets, if it has any.
    masked: Option<String>,
    /// Byte offset of the first byte of every line.
    lines: Vec<usize>,
    /// Number of characters that begin before every [`STRIDE`]th byte.
    characters: Vec<usize>,
    /// Reason why the bytes cannot be read as a document.
    fault: Option<Finding>,
}

/// Bytes between two offsets whose characters are counted in advance: a line may be as long as the
/// document, and each of its findings has a column.
const STRIDE: usize = 4096;

impl Source {
    /// Size of the largest document that is read, in bytes. A manifest with twenty thousand pinned
    /// rows is smaller; the parser may need a hundred times the size of a hostile document.
    pub const LARGEST: usize = 4 << 20;

    /// Returns a document with a given text, and the name under which it is shown.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let fault = unreadable(&text);
        Self {
            name: name.into(),
            masked: secrets::masked(&text, &[]),
            lines: line_starts(&text),
            characters: characters(&text),
            text,
            fault,
        }
    }

    /// Returns a document with the bytes of a file. For bytes that cannot be a document, parsing
    /// reports a single finding.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let (text, fault) = decoded(bytes);
        let mut source = Self::new(name, text);
        source.fault = fault.or(source.fault);
        source
    }

    /// Returns the same text under another name.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// Returns the same text with more names of parameters that are secret.
    pub fn with_secrets(self, names: &[String]) -> Self {
        Self {
            masked: secrets::masked(&self.text, names),
            ..self
        }
    }

    /// Returns what a file is whose signature is that of another format: `a ZIP archive`.
    pub fn binary_format(&self) -> Option<&'static str> {
        let fault = self.fault.as_ref()?;
        SIGNATURES
            .iter()
            .map(|(_, format)| *format)
            .into_iter()
            .find(|format| fault.code == Code::OtherFormat && fault.message.contains(format))
    }

    /// Returns whether it cannot be any kind of document.
    pub fn is_unreadable(&self) -> bool {
        self.fault.is_some()
    }

    /// Returns the name under which it is shown, usually the path as it was typed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text, with its secrets.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the line of a byte offset, from 1.
    pub fn line(&self, offset: usize) -> u32 {
        let line = self.lines.partition_point(|&start| start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Returns line and column of a byte offset, both from 1; columns count characters.
    pub fn place(&self, offset: usize) -> (u32, u32) {
        let offset = self.floor(offset);
        let line = self.line(offset);
        let start = self.line_start(line);
        // A byte order mark is invisible.
        let invisible = usize::from(start == 0 && offset > 0 && self.text.starts_with('\u{feff}'));
        let column = self.characters_before(offset) - self.characters_before(start) - invisible + 1;
        (line, u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Returns the text of a line, without its end. It may contain secrets.
    pub fn line_text(&self, line: u32) -> &str {
        &self.text[self.line_span(line)]
    }

    /// Returns a part of the text as people may see it, with `***` in place of each secret.
    pub fn shown(&self, part: std::ops::Range<usize>) -> String {
        match &self.masked {
            Some(masked) => secrets::shown(&masked[part]),
            None => self.text[part].to_owned(),
        }
    }

    /// Returns the start of the line of a byte offset.
    pub(super) fn line_start_of(&self, offset: usize) -> usize {
        self.line_start(self.line(offset))
    }

    /// Returns the byte offsets of a line, without its end.
    pub(crate) fn line_span(&self, line: u32) -> std::ops::Range<usize> {
        let start = self.line_start(line);
        let end = self.line_start(line + 1);
        // Only one line end is removed: a line may consist of carriage returns, and removing all of
        // them for each finding would be quadratic.
        let line = &self.text[start..end];
        let kept = line
            .strip_suffix('\n')
            .map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        start..start + kept.len()
    }

    /// Returns the nearest character boundary at or before an offset.
    pub(super) fn floor(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset.min(self.text.len()))
    }

    /// Returns the number of characters before a character boundary.
    fn characters_before(&self, offset: usize) -> usize {
        let known = offset / STRIDE;
        self.characters[known] + count(&self.text.as_bytes()[known * STRIDE..offset])
    }

    /// Returns the reason why the bytes cannot be a document, if there is one.
    pub(super) fn fault(&self) -> Option<&Finding> {
        self.fault.as_ref()
    }

    fn line_start(&self, line: u32) -> usize {
        self.lines
            .get(line.saturating_sub(1) as usize)
            .copied()
            .unwrap_or(self.text.len())
    }
}

/// Signatures of files that people name in place of a document, with their formats.
const SIGNATURES: [(&[u8], &str); 6] = [
    (
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        "a compound file, such as a Windows Installer package",
    ),
    (b"MSCF\0\0\0\0", "a cabinet"),
    (b"MZ", "a program for Windows"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF-", "a PDF"),
    (b"\x1F\x8B", "a compressed file"),
];

/// Returns the text of a file; for bytes that cannot be a document what can be shown of them, and the
/// reason.
fn decoded(bytes: Vec<u8>) -> (String, Option<Finding>) {
    let not_utf8 = |at: usize, message: String| {
        Finding::new(Code::NotUtf8, at..at + 1, message).with_help("save the file as UTF-8")
    };
    let is_text = || !bytes.contains(&0) && std::str::from_utf8(&bytes).is_ok();
    let fault = if let Some(format) = format_of(&bytes).filter(|_| !is_text()) {
        let message = format!("the document is {format}, not TOML");
        Finding::new(Code::OtherFormat, 0..0, message)
            .with_help("`rollup inspect` prints what is in a package")
    } else if bytes.len() > Source::LARGEST {
        too_large(bytes.len())
    } else if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        not_utf8(0, "the document is UTF-16, but TOML is UTF-8".to_owned())
    } else {
        let fault = std::str::from_utf8(&bytes).err().map(|error| {
            let at = error.valid_up_to();
            not_utf8(at, format!("byte 0x{:02X} is not UTF-8", bytes[at]))
        });
        return (String::from_utf8_lossy(&bytes).into_owned(), fault);
    };
    (String::new(), Some(fault))
}

/// Returns the format that the signature of a file says.
fn format_of(bytes: &[u8]) -> Option<&'static str> {
    SIGNATURES
        .iter()
        .find(|(signature, _)| bytes.starts_with(signature))
        .map(|(_, format)| *format)
}

fn unreadable(text: &str) -> Option<Finding> {
    if text.len() > Source::LARGEST {
        return Some(too_large(text.len()));
    }
    let nul = text.find('\0')?;
    let message = "the document contains a NUL byte";
    let finding = Finding::new(Code::NulByte, nul..nul + 1, message);
    Some(finding.with_help("this is not a text file, or it was saved as UTF-16; save it as UTF-8"))
}

fn too_large(size: usize) -> Finding {
    let message = format!(
        "the document has {size} bytes, more than the limit of {}",
        Source::LARGEST
    );
    Finding::new(Code::TooLarge, 0..0, message)
        .with_help("no manifest is as large; is this the right file?")
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_ends).collect()
}

fn characters(text: &str) -> Vec<usize> {
    let mut before = vec![0];
    before.extend(text.as_bytes().chunks_exact(STRIDE).scan(0, |all, part| {
        *all += count(part);
        Some(*all)
    }));
    before
}

/// Returns the number of characters that begin in some bytes of a text.
fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("x", "a\nü = \"漢\" # z\r\nlast");
        let z = source.text().find('z').expect("a `z`");
        assert_eq!(source.place(z), (2, 11));
        assert_eq!(source.place(source.text().len()), (3, 5));
        assert_eq!(&source.text()[source.line_span(2)], "ü = \"漢\" # z");
        assert_eq!(source.place(usize::MAX), (3, 5));
        assert_eq!(Source::new("x", "a\r\r\n").line_text(1), "a\r");
    }

    #[test]
    fn columns_of_a_long_line_are_right() {
        let text = format!("\u{feff}{}\n{}", "ü漢x".repeat(STRIDE), "漢".repeat(STRIDE));
        let source = Source::new("x", text);
        for offset in (0..source.text().len())
            .step_by(97)
            .chain(STRIDE - 3..STRIDE + 3)
        {
            let offset = source.floor(offset);
            let (line, column) = source.place(offset);
            let line =
                source.text()[source.line_start(line)..offset].trim_start_matches('\u{feff}');
            assert_eq!(column as usize, line.chars().count() + 1);
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_a_fault_with_a_place() {
        let source = Source::from_bytes("x", b"a = 1\nb = \"\xff\"".to_vec());
        let fault = source.fault().expect("a fault");
        assert_eq!(
            (fault.code, source.place(fault.span.start)),
            (Code::NotUtf8, (2, 6))
        );
        assert!(Source::new("x", "a\0b").fault().is_some());
    }
}
