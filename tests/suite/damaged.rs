//! Articles that were damaged on their way: a draft keeps to what the sound article says, or tells what it could not read.

use std::path::Path;

use rollup::article::{self, Imported};

const PAGE: &str = "brightmoor-workspaces.html";
const GLUED: &str = "tessaly-billing.txt";
const TABBED: &str = "corvane-telephony.txt";

fn bytes(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/articles");
    std::fs::read(folder.join(name)).expect("an article of the repository")
}

/// The text of an article in UTF-8.
fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).expect("it is UTF-8")
}

/// A text with one edit, at the only place that fits it.
fn edited(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands in the article once");
    text.replacen(from, to, 1)
}

fn draft(text: &str) -> Imported {
    article::import(text.as_bytes()).expect("it is an article all the same")
}

/// The points of a draft that say this, with their lines.
fn told(imported: &Imported, what: &str) -> Vec<Option<u32>> {
    imported.open.iter().filter(|open| open.what.contains(what)).map(|open| open.line).collect()
}

/// The line, from 1, on which this stands first.
fn line_of(text: &str, wanted: &str) -> Option<u32> {
    text.lines().zip(1..).find(|(line, _)| line.contains(wanted)).map(|(_, number)| number)
}

#[test]
fn a_comment_that_is_never_closed_is_told_with_its_line() {
    let heading = "<h3>Step 3: Upgrade the PlanStore database</h3>";
    let page = edited(&text(PAGE), heading, &format!("<!-- {heading}"));
    let imported = draft(&page);
    assert_eq!(told(&imported, "the page breaks off"), [line_of(&page, "<!-- <h3>")]);
    assert!(imported.draft.contains("# TODO the page breaks off"), "{}", imported.draft);
    assert!(told(&draft(&text(PAGE)), "the page breaks off").is_empty());
}

#[test]
fn two_heads_exchanged_lose_no_version_silently() {
    let latin: Vec<u8> = bytes(TABBED);
    let wanted = b"SP requirement\tFile version";
    let at = latin.windows(wanted.len()).position(|window| window == wanted).expect("the head of the table");
    let swapped = [&latin[..at], b"File version\tSP requirement", &latin[at + wanted.len()..]].concat();
    let imported = article::import(&swapped).expect("it is one");
    assert_eq!(told(&imported, "`SP2` is not understood").len(), 5, "{:#?}", imported.open);
    assert_eq!(told(&imported, "looks like a version").len(), 7, "{:#?}", imported.open);
    assert!(!imported.draft.contains("version = \"SP2\"") && !imported.draft.contains("version = \"5.2.2"));
}

#[test]
fn a_glued_table_without_its_head_is_told_once_with_its_rows() {
    let text = edited(&text(GLUED), "File nameFile versionFile sizeDateTimePlatform\n", "");
    let imported = draft(&text);
    assert_eq!(imported.found.files, 0);
    let (first, last) = (line_of(&text, "InvoiceExport.msi6"), line_of(&text, "TsGatewayHelper.dll6"));
    assert_eq!(told(&imported, "has no line that names its columns"), [first]);
    let lines = format!("(lines {}-{})", first.unwrap_or_default(), last.unwrap_or_default());
    assert_eq!(told(&imported, &lines), [first], "{:#?}", imported.open);
    assert!(told(&imported, "no file table was found").is_empty());
}

#[test]
fn a_wide_text_without_a_mark_means_the_same() {
    let text = text(GLUED);
    let wanted = draft(&text).draft;
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for wide in [&little, &big] {
        assert_eq!(article::import(wide).map(|imported| imported.draft), Ok(wanted.clone()));
        assert!(article::import(&wide[..wide.len() - 1]).is_err(), "half a letter is not read");
    }
}
