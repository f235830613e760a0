//! Page in a file that a browser saved with its pictures (`.mht`).
//!
//! The page keeps its line numbers: what was before it becomes empty lines.

/// Deepest nesting of parts.
const DEEPEST: usize = 4;

/// Returns the page in the file, if the bytes are such a file.
pub(super) fn page(bytes: &[u8]) -> Option<Vec<u8>> {
    let head = &bytes[..bytes.len().min(8 << 10)];
    let lower = String::from_utf8_lossy(head).to_ascii_lowercase();
    let is_message = lower.starts_with("from:")
        || lower.starts_with("mime-version:")
        || lower.contains("\nmime-version:");
    if !is_message || !lower.contains("content-type: multipart/") {
        return None;
    }
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for line in &mut lines {
        *line = line.strip_suffix(b"\r").unwrap_or(line);
    }
    part(&lines, 0, DEEPEST)
}

/// Returns the text of the first part with a page, whose header begins at this line.
fn part(lines: &[&[u8]], from: usize, depth: usize) -> Option<Vec<u8>> {
    let length = lines[from..].iter().position(|line| line.is_empty())?;
    let header = lines[from..from + length]
        .iter()
        .map(|line| String::from_utf8_lossy(line));
    // A header may go on in the next line, which is indented.
    let header = header
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\n ", " ")
        .replace("\n\t", " ");
    let value = |name: &str| {
        let mut fields = header.lines().filter_map(|line| line.split_once(':'));
        let field = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let kind = value("Content-Type");
    let body = from + length + 1;
    let is_kind = |wanted: &str| {
        kind.get(..wanted.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    };
    if is_kind("multipart/") && depth > 0 {
        let mark = format!("--{}", boundary(&kind)?);
        let marks = (body..lines.len()).filter(|at| lines[*at] == mark.as_bytes());
        return marks
            .filter(|at| at + 1 < lines.len())
            .find_map(|at| part(lines, at + 1, depth - 1));
    }
    if !is_kind("text/html") && !is_kind("text/plain") {
        return None;
    }
    let end = (body..lines.len()).find(|at| lines[*at].starts_with(b"--") && lines[*at].len() > 12);
    let body = &lines[body..end.unwrap_or(lines.len())];
    let mut page = vec![b'\n'; from + length + 1];
    match value("Content-Transfer-Encoding")
        .to_ascii_lowercase()
        .as_str()
    {
        "quoted-printable" => quoted_printable(body, &mut page),
        "base64" => base64(body, &mut page),
        _ => page.extend(body.join(&b'\n')),
    }
    Some(page)
}

fn boundary(kind: &str) -> Option<&str> {
    let at = kind.to_ascii_lowercase().find("boundary=")?;
    let value = &kind[at + "boundary=".len()..];
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([';', ' ']).next(),
    }
}

/// Decodes `=41` and line ends that are none. These come after the next line end that is one.
fn quoted_printable(lines: &[&[u8]], page: &mut Vec<u8>) {
    let mut missing = 0;
    for line in lines {
        let (text, is_soft) = line
            .strip_suffix(b"=")
            .map_or((*line, false), |text| (text, true));
        let mut rest = text;
        while let Some((first, others)) = rest.split_first() {
            let code = others
                .get(..2)
                .and_then(|code| std::str::from_utf8(code).ok());
            let byte = code
                .filter(|_| *first == b'=')
                .and_then(|code| u8::from_str_radix(code, 16).ok());
            page.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { &others[2..] } else { others };
        }
        missing += 1;
        if !is_soft {
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
