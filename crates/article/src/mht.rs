//! Page in a file that a browser saved with its pictures (`.mht`).
//!
//! The page keeps its line numbers: what was before it becomes empty lines.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::text::{LazyPattern, begins, pattern};

/// Deepest nesting of parts.
const DEEPEST: usize = 4;

/// Returns the page in the file, if the bytes are such a file.
pub(super) fn page(bytes: &[u8]) -> Option<Vec<u8>> {
    let head = &bytes[..bytes.len().min(8 << 10)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let is_message = begins(&head, "from:|mime-version:") || head.contains("\nmime-version:");
    if !is_message || !head.contains("content-type: multipart/") {
        return None;
    }
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    part(&lines.collect::<Vec<_>>(), 0, DEEPEST)
}

/// Field of a header, which may go on in the next line if that is indented.
fn field(header: &str, name: &str) -> String {
    let mut lines = header.lines().filter_map(|line| line.split_once(':'));
    let field = lines.find(|(field, _)| field.eq_ignore_ascii_case(name));
    field.map_or(String::new(), |(_, value)| value.trim().to_owned())
}

static BOUNDARY: LazyPattern =
    LazyPattern::new(|| pattern(r#"(?i)boundary=(?:"([^"]*)"|([^; ]*))"#));

/// Returns the text of the first part with a page, whose header begins at this line.
fn part(lines: &[&[u8]], from: usize, depth: usize) -> Option<Vec<u8>> {
    let length = lines[from..].iter().position(|line| line.is_empty())?;
    let body = from + length + 1;
    let header = lines[from..from + length].join(&b'\n');
    let header = String::from_utf8_lossy(&header);
    let header = header.replace("\n ", " ").replace("\n\t", " ");
    let kind = field(&header, "Content-Type");
    let lower = kind.to_ascii_lowercase();
    if lower.starts_with("multipart/") && depth > 0 {
        let found = BOUNDARY.captures(&kind)?;
        let mark = format!("--{}", found.get(1).or(found.get(2))?.as_str());
        let marks = (body..lines.len() - 1).filter(|at| lines[*at] == mark.as_bytes());
        return marks
            .into_iter()
            .find_map(|at| part(lines, at + 1, depth - 1));
    }
    if !begins(&lower, "text/html|text/plain") {
        return None;
    }
    let mut rest = lines[body..].iter();
    let end = rest.position(|line| line.starts_with(b"--") && line.len() > 12);
    let text = &lines[body..end.map_or(lines.len(), |end| body + end)];
    let mut page = vec![b'\n'; body];
    let encoding = field(&header, "Content-Transfer-Encoding");
    match encoding.to_ascii_lowercase().as_str() {
        "quoted-printable" => quoted_printable(text, &mut page),
        "base64" => base64(text, &mut page),
        _ => page.extend(text.join(&b'\n')),
    }
    Some(page)
}

static CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("=([[:xdigit:]]{2})").expect("the pattern is valid"));

/// Decodes `=41` and line ends that are none. These come after the next line end that is one.
fn quoted_printable(lines: &[&[u8]], page: &mut Vec<u8>) {
    let mut missing = 0;
    for line in lines {
        let soft = line.strip_suffix(b"=");
        let text = CODE.replace_all(soft.unwrap_or(line), |code: &Captures<'_>| {
            let code = std::str::from_utf8(&code[1]).unwrap_or_default();
            u8::from_str_radix(code, 16).map_or(Vec::new(), |byte| vec![byte])
        });
        page.extend_from_slice(&text);
        missing += 1;
        if soft.is_none() {
            page.extend(std::iter::repeat_n(b'\n', missing));
            missing = 0;
        }
    }
}

fn base64(lines: &[&[u8]], page: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u32, 0);
    for byte in lines.iter().flat_map(|line| line.iter()) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        (bits, count) = (bits << 6 | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            page.push((bits >> count) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_saved_file_keeps_its_lines() {
        let saved = |encoding: &str, body: &str| {
            format!(
                "From: <Saved by a browser>\r\nSubject: Mill\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\
                 \tboundary=\"----=_Part_17\"\r\n\r\nA message.\r\n\r\n------=_Part_17\r\nContent-Type: text/html\r\n\
                 Content-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n------=_Part_17\r\nContent-Type: image/png\r\n\r\nxx\r\n------=_Part_17--\r\n"
            )
        };
        let page = |encoding, body| {
            page(saved(encoding, body).as_bytes())
                .map(|page| String::from_utf8_lossy(&page).into_owned())
        };
        let lines = |page: Option<String>| -> Vec<(usize, String)> {
            let page = page.expect("a page");
            let lines = page.lines().map(str::to_owned).enumerate();
            lines.filter(|(_, line)| !line.is_empty()).collect()
        };
        let wanted = [
            (12, "<p>The mill turns</p>".to_owned()),
            (14, "<p>=</p>".to_owned()),
        ];
        assert_eq!(
            lines(page(
                "quoted-printable",
                "<p>The mill=\r\n turns</p>\r\n<p>=3D</p>"
            )),
            wanted
        );
        assert_eq!(
            lines(page("base64", "PHA+TWls\r\nbDwvcD4=")),
            [(12, "<p>Mill</p>".to_owned())]
        );
        assert_eq!(
            super::page(b"From: the miller\n\nContent-Type: multipart/none"),
            None
        );
    }
}
