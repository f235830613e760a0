//! Checks of the file table: against the steps that use it, against itself, and its pins.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::draft::*;
use super::shapes::MANIFEST;
use crate::document::{Code, Finding, Reader, Severity, some_of};
use crate::names::{CaseFolded, Digest};

/// Size in bytes of the sectors that an installer package consists of.
const SECTOR: u64 = 512;

/// Index of the rows and pins of a file table. A name is looked up once; from then on rows and pins
/// are numbers.
struct RowIndex {
    /// The first row of each name.
    by_name: HashMap<CaseFolded, usize>,
    /// True for the first row of a name; any other has its finding already.
    first: Vec<bool>,
    /// The pin of each row, if it has one.
    pin: Vec<Option<usize>>,
    /// The row of each pin, if there is one.
    row_of_pin: Vec<Option<usize>>,
}

impl RowIndex {
    /// Returns the hash that a row is pinned with, if it could be read.
    fn hash(&self, table: &TableDraft, row: usize) -> Option<Digest> {
        table.pins[self.pin[row]?].1
    }
}

pub(super) fn check(reader: &mut Reader<'_>, draft: &mut Draft) {
    let mut rows = index_rows(reader, &draft.payload);
    let mut used = used_rows(reader, draft, &rows);
    resolve_others(reader, draft, &mut used);
    unused_rows(reader, draft, &rows, &used);
    match_pins(reader, &draft.payload, &mut rows);
    check_sizes(reader, &draft.payload, &rows);
    check_release_day(reader, draft);
    same_pins(reader, &draft.payload, &rows);
    indistinguishable_files(reader, &draft.payload, &rows);
    unpinned(reader, &draft.payload, &rows);
}

fn index_rows(reader: &mut Reader<'_>, table: &TableDraft) -> RowIndex {
    let mut by_name = HashMap::with_capacity(table.rows.len());
    let mut firsts = Vec::with_capacity(table.rows.len());
    for (at, row) in table.rows.iter().enumerate() {
        let first = *by_name.entry(row.name.value.case_folded()).or_insert(at);
        firsts.push(first == at);
        if first != at {
            let line = reader.source.line(table.rows[first].name.span.start);
            let message = format!(
                "two rows have the name `{}`; the first is on line {line}",
                row.name.value
            );
            reader
                .report(Code::DuplicateName, &row.name.span, message)
                .help("remove or rename one of them; case does not count");
        }
    }
    RowIndex {
        by_name,
        first: firsts,
        pin: vec![None; table.rows.len()],
        row_of_pin: Vec::new(),
    }
}

/// Marks the rows that the steps name. A misspelled name marks the nearest row, so that one mistake
/// is reported once.
fn used_rows(reader: &mut Reader<'_>, draft: &Draft, rows: &RowIndex) -> Vec<bool> {
    let table = &draft.payload;
    let mut used = vec![false; table.rows.len()];
    let users = draft
        .steps
        .iter()
        .filter(|step| matches!(step.verb, Some(Verb::Copy | Verb::Run) | None));
    let files = users.flat_map(|step| step.files.iter().map(move |file| (step.verb, file)));
    for (verb, file) in files {
        if table.header.is_none() && is_header_misspelled(reader) {
            break;
        }
        if table.header.is_none() {
            let message = format!(
                "`{}` needs a file table, but the manifest has no `[payload]`",
                file.value
            );
            reader
                .report(Code::MissingKey, &file.span, message)
                .help("add `[payload]` with `files = [{ name = \"…\" }]`");
            break;
        }
        match rows.by_name.get(&file.value.case_folded()) {
            Some(&row) => {
                let listed = &table.rows[row].name.value;
                if listed != &file.value && !used[row] {
                    let message = format!("the file table spells `{}` as `{listed}`", file.value);
                    reader
                        .report(Code::CaseDiffers, &file.span, message)
                        .label("case does not count");
                }
                used[row] = true;
            }
            None if table.has_nameless_row => {}
            None => {
                let names = table.rows.iter().map(|row| row.name.value.as_str());
                let near = reader.nearest(file.value.as_str(), names);
                let verb = if verb == Some(Verb::Run) {
                    "run"
                } else {
                    "copied"
                };
                let message = format!("`{}` is {verb}, but is not in the file table", file.value);
                reader
                    .report(Code::NotListed, &file.span, message)
                    .did_you_mean(near)
                    .help("correct the name, or add its row to `[payload] files`");
                let meant = near.and_then(|near| rows.by_name.get(&CaseFolded::of(near)));
                meant.into_iter().for_each(|&row| used[row] = true);
            }
        }
    }
    used
}

/// Resolves `others = true` to names, and marks their rows as used.
fn resolve_others(reader: &mut Reader<'_>, draft: &mut Draft, used: &mut [bool]) {
    let unreadable =
        draft.steps.iter().any(|step| step.unreadable.files) || draft.payload.has_nameless_row;
    let mut first: Option<u32> = None;
    for step in &mut draft.steps {
        // Together with `files` it has its finding already.
        let Some(span) = step.others.clone().filter(|_| step.files.is_empty()) else {
            continue;
        };
        let line = reader.source.line(span.start);
        if let Some(first) = first {
            let message = format!("the step on line {first} already takes all other files");
            reader
                .report(Code::ExclusiveKeys, &span, message)
                .help("name the files of one of the two steps");
            continue;
        }
        first = Some(line);
        for (row, used) in draft.payload.rows.iter().zip(used.iter_mut()) {
            if !*used && row.unused.is_none() {
                *used = true;
                step.other_names.push(row.name.value.clone());
            }
        }
        if !step.other_names.is_empty() || unreadable {
            continue;
        }
        if draft.payload.header.is_none() {
            if !is_header_misspelled(reader) {
                let message = "`others` needs a file table, but the manifest has no `[payload]`";
                reader
                    .report(Code::MissingKey, &span, message)
                    .help("add `[payload]` with `files = [{ name = \"…\" }]`");
            }
            continue;
        }
        let why = match draft.payload.rows.is_empty() {
            true => "the file table is empty",
            false => "other steps use all the files",
        };
        let message = format!("{} has no targets: {why}", step_reference(reader, step));
        reader
            .report(Code::NoTargets, &span, message)
            .help("remove the step, or name its files");
    }
}

/// Returns whether the file table is missing only because its header is misspelled.
fn is_header_misspelled(reader: &Reader<'_>) -> bool {
    reader.is_stray(&(0..0), MANIFEST.title, "payload")
}

fn unused_rows(reader: &mut Reader<'_>, draft: &Draft, rows: &RowIndex, used: &[bool]) {
    let unreadable = draft.steps.iter().any(|step| step.unreadable.files);
    let firsts = draft
        .payload
        .rows
        .iter()
        .zip(used)
        .zip(&rows.first)
        .filter(|(_, first)| **first);
    for ((row, &used), _) in firsts {
        match (&row.unused, used) {
            (Some(why), true) => {
                let message = format!(
                    "`{}` is marked `unused`, but a step uses it",
                    row.name.value
                );
                reader
                    .report(Code::UsedDespiteUnused, &why.span, message)
                    .help("remove `unused`");
            }
            (None, false) if !unreadable => {
                let message = format!("no step uses `{}`", row.name.value);
                reader
                    .report(Code::UnusedFile, &row.name.span, message)
                    .help("add it to a step, or add the reason to its row: `unused = \"…\"`");
            }
            _ => {}
        }
    }
}

/// Finds the row of every pin.
fn match_pins(reader: &mut Reader<'_>, table: &TableDraft, rows: &mut RowIndex) {
    let mut unlisted = BTreeSet::new();
    for (pin, (name, _)) in table.pins.iter().enumerate() {
        let case_folded = name.value.case_folded();
        let row = rows.by_name.get(&case_folded).copied();
        let twice = match row {
            Some(row) => rows.pin[row].replace(pin).is_some(),
            None => !unlisted.insert(case_folded),
        };
        rows.row_of_pin.push(row);
        if twice {
            let message = format!("`{}` is pinned twice", name.value);
            reader
                .report(Code::DuplicateName, &name.span, message)
                .help("remove one of the pins; case does not count");
        }
    }
    if table.has_nameless_row {
        return;
    }
    for ((name, _), _) in table
        .pins
        .iter()
        .zip(&rows.row_of_pin)
        .filter(|(_, row)| row.is_none())
    {
        let open = table
            .rows
            .iter()
            .zip(&rows.pin)
            .filter(|(_, pin)| pin.is_none());
        let names = open.map(|(row, _)| row.name.value.as_str());
        let near = reader.nearest(name.value.as_str(), names);
        let message = format!("`{}` is pinned, but is not in the file table", name.value);
        reader
            .report(Code::PinWithoutRow, &name.span, message)
            .did_you_mean(near)
            .help("correct the name, or remove the pin");
    }
}

fn check_sizes(reader: &mut Reader<'_>, table: &TableDraft, rows: &RowIndex) {
    for (row, pin) in table.rows.iter().zip(&rows.pin) {
        let name = &row.name.value;
        match &row.size {
            Some(size) if name.is_msi() && !size.value.is_multiple_of(SECTOR) => {
                let message = format!(
                    "`{name}` has {} bytes, which is not a multiple of {SECTOR}",
                    size.value
                );
                reader
                    .report(Code::UnlikelyMsiSize, &size.span, message)
                    .help("compare the size with the article");
            }
            None if pin.is_none() && !row.unreadable => {
                let message = format!("`{name}` has neither a size nor a hash");
                reader
                    .report(Code::NoSizeOrHash, &row.name.span, message)
                    .help("add its `size`, or pin it with `rollup pin`");
            }
            _ => {}
        }
    }
}

/// Checks that no file is newer than its rollup. If all of them seem to be, the release day is
/// wrong.
fn check_release_day(reader: &mut Reader<'_>, draft: &Draft) {
    let Some(released) = &draft.rollup.released else {
        return;
    };
    let Some(end) = released.value.parse().ok().and_then(end_of_day) else {
        return;
    };
    let dated = |row: &'_ RowDraft| {
        row.modified
            .as_ref()
            .map(|time| (row.name.value.clone(), time.clone()))
    };
    let dated: Vec<_> = draft.payload.rows.iter().filter_map(dated).collect();
    let late: Vec<_> = dated.iter().filter(|(_, time)| time.value >= end).collect();
    if late.len() > 1 && late.len() == dated.len() {
        let message = format!(
            "`released` is {}, before the date of every file",
            released.value
        );
        reader
            .report(Code::DateOrder, &released.span, message)
            .help("compare the day with the article");
        return;
    }
    for (name, time) in late {
        let message = format!(
            "`{name}` is newer than the rollup, which was released on {}",
            released.value
        );
        reader
            .report(Code::DateOrder, &time.span, message)
            .help("compare the date with the article");
    }
}

/// Returns the time when a day is over in every time zone, in seconds since 1970.
fn end_of_day(day: Date) -> Option<i64> {
    let midnight = day.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_second() + (24 + 12) * 3600)
}

/// Reports rows that are pinned with the hash of another row, at each pin but the first.
fn same_pins(reader: &mut Reader<'_>, table: &TableDraft, rows: &RowIndex) {
    let size = |row: usize| table.rows[row].size.as_ref().map(|size| size.value);
    let mut first: HashMap<Digest, usize> = HashMap::with_capacity(table.pins.len());
    // A pin without a row has its finding already.
    for ((name, _), row) in table.pins.iter().zip(&rows.row_of_pin) {
        let Some((row, hash)) = row.and_then(|row| Some((row, rows.hash(table, row)?))) else {
            continue;
        };
        let other = *first.entry(hash).or_insert(row);
        if other == row {
            continue;
        }
        let message = format!(
            "`{}` and `{}` have the same pinned hash",
            name.value, table.rows[other].name.value
        );
        let finding = reader.report(Code::SamePin, &name.span, message);
        if let (Some(size), Some(their)) = (size(row), size(other))
            && size != their
        {
            finding.note(format!("their sizes differ: {size} and {their} bytes"));
        }
        finding.help("pin them again with `rollup pin`");
    }
}

/// Reports rows whose files could be swapped unnoticed, once for each group of them.
fn indistinguishable_files(reader: &mut Reader<'_>, table: &TableDraft, rows: &RowIndex) {
    let mut alike: BTreeMap<(u64, Option<i64>), Vec<usize>> = BTreeMap::new();
    let mut pinned = HashSet::new();
    for (at, row) in table
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| !row.unreadable)
    {
        // A second row of a name has its finding already, and so has a second file of a hash.
        if !rows.first[at]
            || rows
                .hash(table, at)
                .is_some_and(|hash| !pinned.insert(hash))
        {
            continue;
        }
        if let Some(size) = &row.size {
            alike
                .entry((size.value, row.modified.as_ref().map(|time| time.value)))
                .or_default()
                .push(at);
        }
    }
    for ((size, modified), twins) in alike.into_iter().filter(|(_, twins)| twins.len() > 1) {
        let names = some_of(twins.iter().map(|&at| table.rows[at].name.value.as_str()));
        let same = if modified.is_some() {
            format!("size ({size}) and date")
        } else {
            format!("size ({size})")
        };
        let message = format!("{names} have the same {same}");
        let mut finding = Finding::new(
            Code::SameSizeAndDate,
            table.rows[twins[0]].name.span.clone(),
            message,
        );
        if twins.iter().all(|&at| rows.pin[at].is_some()) {
            finding
                .level(Severity::Note)
                .note("their hashes distinguish them");
        } else {
            finding.help("pin them with `rollup pin`, so that swapped files are detected");
        }
        reader.findings.push(finding);
    }
}

fn unpinned(reader: &mut Reader<'_>, table: &TableDraft, rows: &RowIndex) {
    // Rows of the same name count once, by the first.
    let files: Vec<usize> = (0..table.rows.len()).filter(|&at| rows.first[at]).collect();
    let open = files.iter().filter(|&&at| rows.pin[at].is_none());
    let open: Vec<_> = open.map(|&at| table.rows[at].name.value.as_str()).collect();
    let Some(header) = table
        .pins_header
        .clone()
        .or_else(|| table.header.clone())
        .filter(|_| !open.is_empty())
    else {
        return;
    };
    let message = match open.len() == files.len() {
        true => "no file of the table is pinned".to_owned(),
        false => format!("{} of {} files are not pinned", open.len(), files.len()),
    };
    let mut finding = Finding::new(Code::Unpinned, header, message);
    if open.len() < files.len() {
        finding.note(format!("not pinned: {}", some_of(open.into_iter())));
    }
    finding.help(
        "run `rollup pin MANIFEST --payload DIR`, which checks the files and writes their hashes",
    );
    reader.findings.push(finding);
}
