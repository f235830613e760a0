//! Reading of the payload: the file table and its pins.

use jiff::Timestamp;
use toml::value::{Datetime, Offset};

use crate::document::{Code, Placed, Reader, Table};
use crate::manifest::draft::{RowDraft, TableDraft};
use crate::names::{Digest, PayloadPath};

pub(super) fn payload(reader: &mut Reader<'_>, top: &Table<'_>) -> TableDraft {
    let mut draft = TableDraft::default();
    let Some(payload) = reader.table(top, "payload") else {
        return draft;
    };
    draft.header = Some(payload.span());
    for table in reader.tables(&payload, "files") {
        match row(reader, &table) {
            Some(row) => draft.rows.push(row),
            None => draft.has_nameless_row = true,
        }
    }
    if let Some(pins) = reader.table(&payload, "sha256") {
        draft.pins_header = Some(pins.span());
        for key in pins.keys() {
            let digest = reader.parse(&pins, key.value, Code::InvalidValue, str::parse::<Digest>);
            let name = reader.parsed(key.to_owned(), Code::UnsafeName, PayloadPath::parse);
            let digest = digest.map(|digest| digest.value);
            draft.pins.extend(name.map(|name| (name, digest)));
        }
    }
    draft
}

fn row(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<RowDraft> {
    let before = reader.findings.errors();
    let name = reader.parse(table, "name", Code::UnsafeName, PayloadPath::parse);
    Some(RowDraft {
        size: reader.number(table, "size"),
        modified: reader
            .datetime(table, "modified")
            .and_then(|time| utc_minute(reader, &time)),
        platform: reader.text(table, "platform"),
        version: reader.plain_text(table, "version"),
        unused: reader.text(table, "unused"),
        unreadable: reader.findings.errors() > before,
        name: name?,
        is_repeated: false,
        is_used: false,
        is_pinned: false,
        hash: None,
    })
}

/// Reads a time in UTC, to the minute, as seconds since 1970.
fn utc_minute(reader: &mut Reader<'_>, time: &Placed<Datetime>) -> Option<Placed<i64>> {
    // Quote the source, not the parsed value written again: `-00:00` is not `+00:00`.
    let raw = &reader.source.text()[time.span.clone()];
    const NOT_UTC: &str = "not UTC to the minute";
    let Datetime {
        date,
        time: clock,
        offset,
    } = time.value;
    let (fault, help) = match (date, clock, offset) {
        (Some(_), Some(_), Some(Offset::Z)) => match time.value.to_string().parse::<Timestamp>() {
            Ok(moment) if is_minute(moment) => {
                return Some(Placed {
                    value: moment.as_second(),
                    span: time.span.clone(),
                });
            }
            Ok(_) => (
                NOT_UTC,
                "write the seconds as 00: articles document times to the minute",
            ),
            Err(_) => ("too late", "the latest time is 9999-12-30T22:00:00Z"),
        },
        (Some(_), Some(_), _) => (NOT_UTC, "add a `Z` at the end, for UTC"),
        _ => (
            NOT_UTC,
            "write a date and a time, such as 2008-03-31T18:32:00Z",
        ),
    };
    let message = format!("`modified` is {raw}, which is {fault}");
    reader
        .report(Code::InvalidTime, &time.span, message)
        .help(help);
    None
}

fn is_minute(moment: Timestamp) -> bool {
    moment.as_second() % 60 == 0 && moment.subsec_nanosecond() == 0
}
