//! Damaged articles: the draft is the same as for the intact article, or it lists the lines that
//! the importer did not understand.

use std::path::Path;

use encoding_rs::WINDOWS_1252;
use rollup::article::{self, ArticleError, ImportedArticle};

const PAGE: &str = "brightmoor-workspaces.html";
const GLUED: &str = "tessaly-billing.txt";
const TABBED: &str = "corvane-telephony.txt";

fn bytes(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/articles");
    std::fs::read(directory.join(name)).expect("an article of the repository")
}

/// Reads the text of an article in UTF-8.
fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).expect("it is UTF-8")
}

/// Reads the text of the article in Windows-1252, with the line ends of Unix.
fn tabbed() -> String {
    WINDOWS_1252.decode(&bytes(TABBED)).0.replace("\r\n", "\n")
}

/// Edits a text at the only place that matches.
fn edited(text: &str, from: &str, to: &str) -> String {
    assert_eq!(
        text.matches(from).count(),
        1,
        "`{from}` is in the article once"
    );
    text.replacen(from, to, 1)
}

fn draft(text: &str) -> ImportedArticle {
    article::import(text.as_bytes()).expect("it is still an article")
}

/// Returns the lines of the open points of a draft whose message contains a text.
fn open_lines(imported: &ImportedArticle, text: &str) -> Vec<Option<u32>> {
    imported
        .open
        .iter()
        .filter(|open| open.message.contains(text))
        .map(|open| open.line)
        .collect()
}

/// Returns the number of rows that the messages with a text are about.
fn rows_of(imported: &ImportedArticle, text: &str) -> u32 {
    let messages = imported.open.iter().map(|open| open.message.as_str());
    let rows = |message: &str| {
        let Some((_, places)) = message.rsplit_once("(line") else {
            return 1;
        };
        let places = places.trim_end_matches(')').split(", ");
        let place = |place: &str| {
            let numbers = place
                .trim_start_matches("line")
                .trim_start_matches('s')
                .trim();
            let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
            let number = |text: &str| text.parse::<u32>().expect("a number");
            number(last) - number(first) + 1
        };
        places.map(place).sum()
    };
    messages
        .filter(|message| message.contains(text))
        .map(rows)
        .sum()
}

/// Returns the row of a file in the draft's file table.
fn file_row<'i>(imported: &'i ImportedArticle, file: &str) -> &'i str {
    let start = format!("{{ name = \"{file}\"");
    imported
        .draft
        .lines()
        .find(|line| line.trim_start().starts_with(&start))
        .unwrap_or_default()
}

/// Returns the number of the first line, from 1, that contains a text.
fn line_of(text: &str, wanted: &str) -> Option<u32> {
    text.lines()
        .zip(1..)
        .find(|(line, _)| line.contains(wanted))
        .map(|(_, number)| number)
}

#[test]
fn a_comment_that_is_never_closed_is_reported_with_its_line() {
    let heading = "<h3>Step 3: Upgrade the PlanStore database</h3>";
    let page = edited(&text(PAGE), heading, &format!("<!-- {heading}"));
    let imported = draft(&page);
    assert_eq!(
        open_lines(&imported, "hidden element is never closed"),
        [line_of(&page, "<!-- <h3>")]
    );
    assert!(
        imported
            .draft
            .contains("# TODO a comment, a script or another hidden element is never closed"),
        "{}",
        imported.draft
    );
    assert!(open_lines(&draft(&text(PAGE)), "hidden element is never closed").is_empty());
}

#[test]
fn exchanged_column_heads_are_reported_and_no_version_is_wrong() {
    let latin: Vec<u8> = bytes(TABBED);
    let wanted = b"SP requirement\tFile version";
    let at = latin
        .windows(wanted.len())
        .position(|window| window == wanted)
        .expect("the head of the table");
    let swapped = [
        &latin[..at],
        b"File version\tSP requirement",
        &latin[at + wanted.len()..],
    ]
    .concat();
    let imported = article::import(&swapped).expect("an article");
    assert_eq!(
        open_lines(&imported, "`SP2` is not understood (line").len(),
        1,
        "{:#?}",
        imported.open
    );
    assert_eq!(
        open_lines(&imported, "looks like a version").len(),
        4,
        "{:#?}",
        imported.open
    );
    assert!(
        !imported.draft.contains("version = \"SP2\"")
            && !imported.draft.contains("version = \"5.2.2")
    );
}

#[test]
fn a_glued_table_without_its_head_is_reported_once_with_its_rows() {
    let text = edited(
        &text(GLUED),
        "File nameFile versionFile sizeDateTimePlatform\n",
        "",
    );
    let imported = draft(&text);
    assert_eq!(imported.found.files, 0);
    let (first, last) = (
        line_of(&text, "InvoiceExport.msi6"),
        line_of(&text, "TsGatewayHelper.dll6"),
    );
    assert_eq!(
        open_lines(&imported, "no line above it names the columns"),
        [first]
    );
    let lines = format!(
        "(lines {}-{})",
        first.unwrap_or_default(),
        last.unwrap_or_default()
    );
    assert_eq!(
        open_lines(&imported, &lines),
        [first],
        "{:#?}",
        imported.open
    );
    assert!(open_lines(&imported, "no file table was found").is_empty());
}

#[test]
fn a_wide_text_without_a_mark_means_the_same() {
    let text = text(GLUED);
    let wanted = draft(&text).draft;
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for wide in [&little, &big] {
        assert_eq!(
            article::import(wide).map(|imported| imported.draft),
            Ok(wanted.clone())
        );
        assert!(
            article::import(&wide[..wide.len() - 1]).is_err(),
            "half a letter is not read"
        );
    }
}

#[test]
fn the_same_text_in_any_encoding_means_the_same() {
    let wanted = draft(&tabbed()).draft;
    let units = || std::iter::once(0xfeff).chain(tabbed().encode_utf16().collect::<Vec<_>>());
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    for wide in [&little, &big] {
        assert_eq!(
            article::import(wide).map(|imported| imported.draft),
            Ok(wanted.clone())
        );
        let cut = article::import(&wide[..wide.len() - 1]).map(|imported| imported.draft);
        assert!(
            matches!(cut, Err(ArticleError::Binary { at, .. }) if at == wide.len() - 2),
            "{cut:?}"
        );
    }
}

#[test]
fn two_encodings_in_one_text_leave_no_trace_in_the_draft() {
    let mixed: Vec<u8> = bytes(TABBED)
        .into_iter()
        .flat_map(|byte| {
            if byte == 0xa0 {
                vec![0xc2, 0xa0]
            } else {
                vec![byte]
            }
        })
        .collect();
    let imported = article::import(&mixed).expect("an article");
    assert_eq!(imported.draft, draft(&tabbed()).draft);
    assert!(!imported.draft.contains('Â'), "{}", imported.draft);
}

#[test]
fn a_size_that_is_cut_off_is_left_out() {
    let text = tabbed();
    let last = "x86\tCvMediaRelay_x86.msi\tSP2\t5.2.2212.0\t16-Sep-2010\t19:01\t871,9";
    let end = text.find(last).expect("it is in the table") + last.len();
    let imported = draft(&text[..end]);
    assert_eq!(
        open_lines(&imported, "`871,9` is not understood"),
        [line_of(&text, last)]
    );
    let file_row = file_row(&imported, "CvMediaRelay_x86.msi");
    assert!(
        file_row.contains("2010-09-16T19:01:00Z") && !file_row.contains("size"),
        "{file_row}"
    );
    assert_eq!(imported.found.files, 4, "no row is invented after the cut");
}

#[test]
fn an_impossible_date_and_an_odd_size_are_reported_and_the_size_is_kept() {
    let from = "CvRoutingRules.msi\tSP2\t5.2.2210.4\t14-Sep-2010\t07:45\t402,432";
    let to = "CvRoutingRules.msi\tSP2\t5.2.2210.4\t31-Sep-2010\t07:45\t402,433";
    let text = edited(&tabbed(), from, to);
    let imported = draft(&text);
    let line = line_of(&text, to);
    assert_eq!(
        open_lines(&imported, "`31-Sep-2010` is not understood"),
        [line]
    );
    assert_eq!(
        open_lines(&imported, "not in whole sectors of 512 bytes"),
        [line]
    );
    let file_row = file_row(&imported, "CvRoutingRules.msi");
    assert!(
        file_row.contains("size = 402_433") && !file_row.contains("modified"),
        "{file_row}"
    );
}

#[test]
fn a_page_without_end_tags_means_the_same() {
    let page = text(PAGE);
    let bare = ["</li>", "</td>", "</tr>", "</p>"]
        .iter()
        .fold(page.clone(), |page, tag| page.replace(tag, ""));
    assert_ne!(bare, page);
    assert_eq!(draft(&bare).draft, draft(&page).draft);
}

#[test]
fn a_name_that_looks_like_toml_stays_one_string() {
    let strange =
        "&quot;]&#10;[[steps]]&#10;id = &quot;x&quot;&#10;action = &quot;manual&quot;&#10;# ";
    let page = text(PAGE);
    let named = edited(
        &page,
        "<li>Workspace Provider</li>",
        &format!("<li>Workspace Provider{strange}</li>"),
    );
    let titled = edited(
        &page,
        "<h1>Update Rollup 4",
        &format!("<h1>Update Rollup 4{strange}"),
    );
    let steps = |imported: &ImportedArticle| -> usize {
        let table: toml::Table = imported.draft.parse().expect("a draft is TOML");
        table["steps"].as_array().map_or(0, Vec::len)
    };
    let wanted = steps(&draft(&page));
    for damaged in [&named, &titled] {
        let imported = draft(damaged);
        assert_eq!(steps(&imported), wanted, "{}", imported.draft);
        assert!(
            !imported.draft.contains("\nid = \"x\""),
            "{}",
            imported.draft
        );
    }
    assert!(
        draft(&named)
            .draft
            .contains(r#""Workspace Provider\"] [[steps]]"#)
    );
}

#[test]
fn a_cell_with_an_absurd_span_spans_one_column() {
    let page = text(PAGE);
    let wide = edited(
        &page,
        "right\">301,056</td>",
        "right\" colspan=\"99999999999\">301,056</td>",
    );
    assert_eq!(draft(&wide).draft, draft(&page).draft);
}

#[test]
fn a_text_in_one_line_is_refused() {
    let joined = text(GLUED).replace('\n', " ");
    let refused = article::import(joined.as_bytes()).map(|imported| imported.draft);
    assert_eq!(refused, Err(ArticleError::NothingFound));
}

#[test]
fn an_ambiguous_size_is_reported_with_all_readings() {
    let text = edited(
        &text(GLUED),
        "6.1.1204.7245,76022-Jun-2009",
        "6.1.1204.7245,76122-Jun-2009",
    );
    let imported = draft(&text);
    assert_eq!(
        open_lines(&imported, "the size may be 245761 or 45761 or 5761"),
        [line_of(&text, "LedgerConnector.msi6")]
    );
    let file_row = file_row(&imported, "LedgerConnector.msi");
    assert!(
        file_row.contains("2009-06-22T16:08:00Z")
            && !file_row.contains("size")
            && !file_row.contains("version"),
        "{file_row}"
    );
}

#[test]
fn columns_exchanged_below_their_heads_are_reported_in_every_row() {
    let text = tabbed();
    for (one, other, lost) in [(4, 5, "modified = "), (3, 6, "size = ")] {
        let exchanged = |line: &str| {
            let mut cells: Vec<&str> = line.split('\t').collect();
            if cells.len() == 7 && cells[0] != "Platform" {
                cells.swap(one, other);
            }
            cells.join("\t")
        };
        let imported = draft(&text.lines().map(exchanged).collect::<Vec<_>>().join("\n"));
        assert_eq!(imported.found.files, 11);
        assert_eq!(
            rows_of(&imported, "is not understood"),
            // Not every file has a version.
            if one == 4 { 22 } else { 18 },
            "{:#?}",
            imported.open
        );
        assert!(!imported.draft.contains(lost), "{}", imported.draft);
    }
}

#[test]
fn an_article_without_its_table_is_reported_and_keeps_its_steps() {
    let text = tabbed();
    let without: Vec<&str> = text
        .lines()
        .filter(|line| line.matches('\t').count() != 6)
        .collect();
    let imported = draft(&without.join("\n"));
    assert_eq!(open_lines(&imported, "no file table was found"), [None]);
    assert_eq!(
        (imported.found.files, imported.found.steps),
        (0, draft(&text).found.steps)
    );
}

#[test]
fn an_article_without_its_installation_is_reported_and_keeps_its_table() {
    let text = tabbed();
    let from = text
        .find("How to apply the rollup\n\nPlan")
        .expect("it has the section");
    let to = text
        .find("Requirements\n\n")
        .expect("and the one behind it");
    let imported = draft(&format!("{}{}", &text[..from], &text[to..]));
    assert_eq!(
        open_lines(&imported, "no installation steps were found"),
        [None]
    );
    assert_eq!((imported.found.files, imported.found.steps), (11, 0));
}

#[test]
fn an_article_in_another_language_becomes_manual_steps_with_all_its_lines() {
    let text = "\
Updaterollup 3 für Bestellannahme 4.0
Artikelnummer: 612001

Installation

1. Öffnen Sie den Dienste-Manager, und beenden Sie den Dienst „Bestellannahme“.
2. Führen Sie Bestellung.msi auf jedem Bestellserver aus.

Dateien
Dateiname\tDateiversion\tDateigröße\tDatum\tUhrzeit\tPlattform
Bestellung.msi\t4.0.12.3\t402.432\t14-Sep-2010\t07:45\tx86
Preise.xml\tNicht zutreffend\t1.812\t14.09.2010\t07:45\tNicht zutreffend
";
    let imported = draft(text);
    assert_eq!(
        (
            imported.found.steps,
            imported.found.manual,
            imported.found.files
        ),
        (1, 1, 2)
    );
    assert_eq!(open_lines(&imported, "this was not understood"), [Some(6)]);
    assert_eq!(
        open_lines(&imported, "does not name the zone of the times"),
        [Some(11)]
    );
    for quoted in [
        "beenden Sie den Dienst",
        "Führen Sie Bestellung.msi",
        "Preise.xml",
    ] {
        assert!(imported.draft.contains(quoted), "{}", imported.draft);
    }
}

#[test]
fn a_binary_file_is_refused_with_the_position() {
    let package = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 504]].concat();
    let refused = |bytes: &[u8]| article::import(bytes).map(|imported| imported.draft);
    assert!(
        matches!(refused(&package), Err(ArticleError::OtherFormat(name)) if name.contains(".msi"))
    );
    assert_eq!(
        refused(b"MZ\x11"),
        Err(ArticleError::Binary { byte: 0x11, at: 2 })
    );
}

#[test]
fn parts_out_of_order_keep_the_order_of_the_text_and_are_reported() {
    let text = tabbed();
    let part = |number: u32| text.find(&format!("\nPart {number} ")).expect("the part") + 1;
    let (first, second, fourth, fifth) = (part(1), part(2), part(4), part(5));
    let pieces = [
        &text[..first],
        &text[fourth..fifth],
        &text[second..fourth],
        &text[first..second],
        &text[fifth..],
    ];
    let swapped = pieces.concat();
    let imported = draft(&swapped);
    let (start, stop) = (
        imported.draft.find("\"start-corvane"),
        imported.draft.find("\"stop-corvane"),
    );
    assert!(start.is_some() && start < stop, "{}", imported.draft);
    assert_eq!(
        open_lines(&imported, "part 2 comes after part 4"),
        [line_of(&swapped, "Part 2 –")]
    );
    assert!(open_lines(&draft(&text), "comes after part").is_empty());
}

#[test]
fn an_article_saved_twice_is_reported_once() {
    let text = tabbed();
    let imported = draft(&[text.as_str(), &text].concat());
    assert_eq!(
        open_lines(&imported, "part 1 comes after part 5").len(),
        1,
        "{:?}",
        imported.open
    );
}

#[test]
fn a_directory_outside_of_the_server_is_left_out() {
    let out = edited(
        &tabbed(),
        "folder Prompts\\System on",
        "folder ..\\..\\System32\\drivers on",
    );
    let imported = draft(&out);
    assert!(!imported.draft.contains("to = \".."), "{}", imported.draft);
    assert!(
        imported.draft.contains("System32\\\\drivers"),
        "the article's words are kept"
    );
    assert_eq!(
        open_lines(&imported, "this was not understood").first(),
        Some(&line_of(&out, "System32"))
    );
}

#[test]
fn a_reference_to_a_step_that_removed_nothing_is_left_open() {
    let page = edited(
        &text(PAGE),
        "that you uninstalled in step&nbsp;1, on",
        "that you uninstalled in step&nbsp;2, on",
    );
    let imported = draft(&page);
    assert!(
        imported.draft.contains("removed_by = \"TODO\""),
        "{}",
        imported.draft
    );
    let line = line_of(&page, "that you uninstalled in step");
    assert_eq!(
        open_lines(
            &imported,
            "the article names step 2, but no part of that number uninstalls anything"
        ),
        [line]
    );
}

#[test]
fn items_without_a_named_group_are_left_open() {
    let text = text(GLUED);
    let note = text
        .lines()
        .find(|line| line.starts_with("NOTE Legacy"))
        .expect("the note")
        .to_owned()
        + "\n";
    let text = edited(
        &edited(
            &text,
            " Expand Billing Services, and then expand Connector Components.\n2)",
            "\n2)",
        ),
        &note,
        "",
    );
    let imported = draft(&text);
    assert!(
        imported.draft.contains("items.\"TODO the group\" = ["),
        "{}",
        imported.draft
    );
    assert_eq!(
        open_lines(
            &imported,
            "the article does not name the group of `Ledger Connector`"
        )
        .len(),
        1
    );
}
