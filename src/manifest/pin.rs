//! Writing of the pins into a manifest, without changing anything else in it.
//!
//! The text is spliced at the spans that the parser returns, since an editor of TOML documents
//! would rewrite every line ending.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{CaseFolded, Digest, PayloadPath};

/// Reason why a manifest could not be pinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Manifest that is not TOML, which validation reports in full.
    #[error("the manifest is not TOML: {0}")]
    Unreadable(String),
    /// Manifest without a file table, so there is nothing to pin.
    #[error("the manifest has no `[payload]` with a list of files")]
    NoTable,
    /// Tables in a form to which no pins can be added.
    #[error(
        "the pins need a table of their own; write `[payload]` and `[payload.sha256]` as headers"
    )]
    NoRoom,
    /// Pin of a file that the table does not have.
    #[error("`{0}` is not in the file table")]
    NotListed(PayloadPath),
}

/// Returns the manifest's text with `[payload.sha256]`: one line for every pin, in the order of the
/// file table.
///
/// Every other byte is kept: comments, spacing, line endings. An existing pin is replaced in its
/// line, or kept if it is not among `pins`. Adding the same pins again changes nothing.
pub fn add_pins(text: &str, pins: &[(PayloadPath, Digest)]) -> Result<String, PinError> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.first() {
        return Err(PinError::Unreadable(error.message().to_owned()));
    }
    let payload = root
        .get_ref()
        .get("payload")
        .and_then(|payload| payload.get_ref().as_table());
    let payload = payload.ok_or(PinError::NoTable)?;
    let pin_rows = in_table_order(payload, pins)?;
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let pinned = match payload.get("sha256") {
        None => appended(text, &pin_rows, end),
        Some(table) => spliced(text, table, &pin_rows, end)?,
    };
    // A table header is invalid after some forms of `payload`.
    match DeTable::parse(&pinned) {
        Ok(_) => Ok(pinned),
        Err(_) => Err(PinError::NoRoom),
    }
}

/// Pins to write, by name. A row without a new pin has no digest, but the next pin may go after the
/// line of its old one.
type PinRows<'t> = Vec<(&'t str, Option<Digest>)>;

fn in_table_order<'t>(
    payload: &'t DeTable<'_>,
    pins: &[(PayloadPath, Digest)],
) -> Result<PinRows<'t>, PinError> {
    let rows = payload
        .get("files")
        .and_then(|files| files.get_ref().as_array())
        .ok_or(PinError::NoTable)?;
    let name = |row: &'t Spanned<DeValue<'_>>| row.get_ref().get("name")?.get_ref().as_str();
    let mut by_name: BTreeMap<CaseFolded, &(PayloadPath, Digest)> =
        pins.iter().map(|pin| (pin.0.case_folded(), pin)).collect();
    let mut pin_of = |name| Some(by_name.remove(&CaseFolded::of(name))?.1);
    let pin_rows = rows
        .iter()
        .filter_map(name)
        .map(|name| (name, pin_of(name)))
        .collect();
    match by_name.into_values().next() {
        Some((name, _)) => Err(PinError::NotListed(name.clone())),
        None => Ok(pin_rows),
    }
}

fn line(name: &str, pin: Digest, end: &str) -> String {
    // A file name has neither quotes nor backslashes nor control characters.
    format!("\"{name}\" = \"{pin}\"{end}")
}

fn appended(text: &str, pin_rows: &PinRows<'_>, end: &str) -> String {
    let mut pinned = text.to_owned();
    if !pinned.is_empty() && !pinned.ends_with('\n') {
        pinned.push_str(end);
    }
    pinned.push_str(&format!("{end}[payload.sha256]{end}"));
    pinned.extend(
        pin_rows
            .iter()
            .filter_map(|&(name, pin)| Some(line(name, pin?, end))),
    );
    pinned
}

/// Replaces the values that differ, and inserts each new line after that of the previous row.
fn spliced(
    text: &str,
    table: &Spanned<DeValue<'_>>,
    pin_rows: &PinRows<'_>,
    end: &str,
) -> Result<String, PinError> {
    let entries = table.get_ref().as_table().ok_or(PinError::NoRoom)?;
    if !text[table.span().start..].starts_with('[') {
        return Err(PinError::NoRoom);
    }
    let known: BTreeMap<CaseFolded, _> = entries
        .iter()
        .map(|(key, value)| (CaseFolded::of(key.get_ref()), value))
        .collect();
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let mut insert_at = line_end(text, table.span().end);
    for &(name, pin) in pin_rows {
        let old = known.get(&CaseFolded::of(name));
        if let Some(value) = old {
            insert_at = line_end(text, value.span().end);
        }
        let Some(pin) = pin else { continue };
        match old {
            Some(value) if value.get_ref().as_str() == Some(&pin.to_string()) => {}
            Some(value) => edits.push((value.span(), format!("\"{pin}\""))),
            None => edits.push((insert_at..insert_at, line(name, pin, end))),
        }
    }
    // The sort is stable, so lines at the same offset keep the order of the file table.
    edits.sort_by_key(|(range, _)| range.start);
    let mut pinned = String::with_capacity(text.len() + pin_rows.len() * 100);
    let mut from = 0;
    for (range, new) in edits {
        pinned.push_str(&text[from..range.start]);
        if range.is_empty() && !pinned.ends_with('\n') {
            pinned.push_str(end);
        }
        pinned.push_str(&new);
        from = range.end;
    }
    pinned.push_str(&text[from..]);
    Ok(pinned)
}

/// Returns the offset after the line that contains `at`.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# a comment\nschema=1\n[payload]   # odd   spacing\nfiles = [ {name=\"B.msi\"},\n  { name = \"a.msi\" } ]";

    fn pin(name: &str, of: &str) -> (PayloadPath, Digest) {
        (
            PayloadPath::parse(name).expect("a name"),
            Digest::of(of.as_bytes()),
        )
    }

    #[test]
    fn pinning_adds_lines_in_the_order_of_the_table_and_nothing_else() {
        let pinned = add_pins(HEAD, &[pin("A.msi", "1"), pin("b.msi", "2")]).expect("pinned");
        let expected = format!(
            "{HEAD}\n\n[payload.sha256]\n\"B.msi\" = \"{}\"\n\"a.msi\" = \"{}\"\n",
            Digest::of(b"2"),
            Digest::of(b"1")
        );
        assert_eq!(pinned, expected);
        assert_eq!(
            add_pins(&pinned, &[pin("a.msi", "1"), pin("b.msi", "2")]).expect("pinned"),
            pinned
        );
    }

    #[test]
    fn a_changed_pin_keeps_its_line_and_a_new_one_is_in_table_order() {
        let before =
            format!("{HEAD}\r\n[payload.sha256]\r\n'A.MSI' = 'old' # why\r\n\r\n[[steps]]\r\n");
        let pinned = add_pins(&before, &[pin("a.msi", "1"), pin("b.msi", "2")]).expect("pinned");
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let expected = format!(
            "{HEAD}\r\n[payload.sha256]\r\n\"B.msi\" = \"{two}\"\r\n'A.MSI' = \"{one}\" # why\r\n\r\n[[steps]]\r\n"
        );
        assert_eq!(pinned, expected);
    }

    #[test]
    fn unusable_manifests_are_not_pinned() {
        assert!(matches!(
            add_pins("schema = 1", &[]),
            Err(PinError::NoTable)
        ));
        assert!(matches!(
            add_pins(HEAD, &[pin("c.msi", "1")]),
            Err(PinError::NotListed(_))
        ));
        assert!(matches!(
            add_pins(
                "payload = { files = [{ name = \"a.msi\" }] }",
                &[pin("a.msi", "1")]
            ),
            Err(PinError::NoRoom)
        ));
        assert!(matches!(
            add_pins("a = ", &[]),
            Err(PinError::Unreadable(_))
        ));
    }
}
