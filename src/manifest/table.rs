//! Checks of the file table: against the steps that use it, against itself, and its pins.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::draft::*;
use super::*;
use crate::document::{Code, MeantName, Reader, Severity, some_of};

/// Size in bytes of the sectors that an installer package consists of.
const SECTOR: u64 = 512;

/// Indexes of the rows, each the first of its name.
type RowsByName = HashMap<CaseFolded, usize>;

pub(super) fn check(reader: &mut Reader<'_>, draft: &mut Draft) {
    let by_name = index_rows(reader, &mut draft.payload);
    match_pins(reader, &mut draft.payload, &by_name);
    mark_used(reader, draft, &by_name);
    resolve_others(reader, draft);
    let has_unreadable_files = draft.steps.iter().any(|step| step.unreadable.files);
    for row in &draft.payload.rows {
        check_use(reader, row, has_unreadable_files);
        check_size(reader, row);
    }
    check_release_day(reader, draft);
    same_pins(reader, &draft.payload, &by_name);
    indistinguishable_files(reader, &draft.payload);
    unpinned(reader, &draft.payload);
}

fn index_rows(reader: &mut Reader<'_>, table: &mut TableDraft) -> RowsByName {
    let mut by_name = HashMap::with_capacity(table.rows.len());
    for at in 0..table.rows.len() {
        let name = &table.rows[at].name;
        let first = *by_name.entry(name.value.case_folded()).or_insert(at);
        if first == at {
            continue;
        }
        let line = reader.source.line(table.rows[first].name.span.start);
        let message = format!("two rows have the name `{name}`; the first is on line {line}");
        reader
            .report(Code::DuplicateName, &name.span, message)
            .help("remove or rename one of them; case does not count");
        table.rows[at].is_repeated = true;
    }
    check_directories(reader, table, &by_name);
    by_name
}

/// Checks that each directory of the payload has one spelling, and is not also the name of a file.
fn check_directories(reader: &mut Reader<'_>, table: &TableDraft, by_name: &RowsByName) {
    let mut spellings: HashMap<CaseFolded, (RelPath, u32)> = HashMap::new();
    for row in table.rows.iter().filter(|row| !row.is_repeated) {
        for directory in row.name.value.directories() {
            let case_folded = directory.case_folded();
            let message = match spellings.get(&case_folded) {
                Some((first, _)) if *first == directory => continue,
                Some((first, line)) => {
                    format!("the directory `{directory}` is spelled `{first}` on line {line}")
                }
                None => {
                    let line = reader.source.line(row.name.span.start);
                    let file = by_name.get(&case_folded);
                    spellings.insert(case_folded, (directory.clone(), line));
                    let Some(file) = file.map(|file| &table.rows[*file].name.span) else {
                        continue;
                    };
                    let line = reader.source.line(file.start);
                    format!("`{directory}` is a directory here, and a file on line {line}")
                }
            };
            reader
                .report(Code::DuplicateName, &row.name.span, message)
                .help("correct one of the two names");
            break;
        }
    }
}

/// Marks the rows that the steps name.
fn mark_used(reader: &mut Reader<'_>, draft: &mut Draft, by_name: &RowsByName) {
    let table = &mut draft.payload;
    for step in &mut draft.steps {
        let use_of_file = match step.verb {
            Some(Verb::Copy) | None => "copied",
            Some(Verb::Run) => "run",
            Some(Verb::Manual) => "needed by a manual step",
            _ => continue,
        };
        for file in &mut step.files {
            if table.header.is_none() {
                return report_missing_table(reader, &file.span, file.text.as_str());
            }
            let Some(&row) = by_name.get(&file.text.case_folded()) else {
                unlisted_file(reader, use_of_file, file, table, by_name);
                continue;
            };
            file.id = Some(RowId(row));
            let row = &mut table.rows[row];
            let listed = &row.name.value;
            if *listed != file.text && !row.is_used {
                let message = format!("the file table spells `{file}` as `{listed}`");
                reader
                    .report(Code::CaseDiffers, &file.span, message)
                    .label("case does not count");
            }
            row.is_used = true;
            // The payload has one spelling of each directory, that of the table.
            file.text = file.text.moved_beside(listed);
        }
    }
}

fn report_missing_table(reader: &mut Reader<'_>, span: &Span, what: &str) {
    // Its header may be misspelled, which is reported.
    if !reader.is_stray_of_top("payload") {
        let message = format!("`{what}` needs a file table, but the manifest has no `[payload]`");
        reader
            .report(Code::MissingKey, span, message)
            .help("add `[payload]` with `files = [{ name = \"…\" }]`");
    }
}

/// Reports a file that has no row. It marks the row with the nearest name, so that one mistake is
/// reported once.
fn unlisted_file(
    reader: &mut Reader<'_>,
    use_of_file: &str,
    file: &Name<RowId, PayloadPath>,
    table: &mut TableDraft,
    by_name: &RowsByName,
) {
    if table.has_nameless_row {
        return;
    }
    let name = &file.text;
    let elsewhere = reader.suggestion(table.rows.len(), || Some(namesakes(name, table)));
    let elsewhere = elsewhere.unwrap_or_default();
    let names = table.rows.iter().map(|row| row.name.value.as_str());
    let near = match elsewhere[..] {
        [] => reader.nearest(name.as_str(), names),
        [only] if name.directories().next().is_none() => {
            Some(MeantName::from(table.rows[only].name.value.as_str()))
        }
        // Files for several platforms differ in their directories only.
        _ => None,
    };
    let message = format!("`{name}` is {use_of_file}, but is not in the file table");
    let finding = reader.report(Code::NotListed, &file.span, message);
    finding
        .did_you_mean(near.clone())
        .help("correct the name, or add its row to `[payload] files`");
    if near.is_none() && !elsewhere.is_empty() {
        let names = elsewhere
            .iter()
            .map(|at| table.rows[*at].name.value.as_str());
        finding.note(format!("the table has {}", some_of(names)));
    }
    let near = near.and_then(|near| by_name.get(&CaseFolded::of(&near.name)));
    for row in elsewhere.iter().chain(near) {
        table.rows[*row].is_used = true;
    }
}

/// Returns the positions of the rows whose names differ from this one in their directories only.
fn namesakes(name: &PayloadPath, table: &TableDraft) -> Vec<usize> {
    let name = name.file_name().case_folded();
    let is_namesake = |at: &usize| table.rows[*at].name.value.file_name().case_folded() == name;
    (0..table.rows.len()).filter(is_namesake).collect()
}

/// Resolves `others = true` to names, and marks their rows as used.
fn resolve_others(reader: &mut Reader<'_>, draft: &mut Draft) {
    let table = &mut draft.payload;
    let is_unclear = table.has_nameless_row || draft.steps.iter().any(|step| step.unreadable.files);
    let mut first: Option<u32> = None;
    for step in &mut draft.steps {
        // Together with `files` it has its finding already.
        let Some(Placed { span, .. }) = step.others.clone().filter(|_| step.files.is_empty())
        else {
            continue;
        };
        if let Some(first) = first {
            let message = format!("the step on line {first} already takes all other files");
            reader
                .report(Code::ExclusiveKeys, &span, message)
                .help("name the files of one of the two steps");
            continue;
        }
        let line = reader.source.line(span.start);
        first = Some(line);
        for (at, row) in table.rows.iter_mut().enumerate() {
            if !row.is_used && row.unused.is_none() {
                row.is_used = true;
                step.files.push(Name {
                    text: row.name.value.clone(),
                    line,
                    span: span.clone(),
                    id: Some(RowId(at)),
                });
            }
        }
        if !step.files.is_empty() || is_unclear {
            continue;
        }
        if table.header.is_none() {
            report_missing_table(reader, &span, "others");
            continue;
        }
        let why = if table.rows.is_empty() {
            "the file table is empty"
        } else {
            "other steps use all the files"
        };
        let message = format!("{} has no targets: {why}", step.reference());
        reader
            .report(Code::NoTargets, &span, message)
            .help("remove the step, or name its files");
    }
}

fn check_use(reader: &mut Reader<'_>, row: &RowDraft, has_unreadable_files: bool) {
    let name = &row.name.value;
    match &row.unused {
        _ if row.is_repeated => {}
        Some(why) if row.is_used => {
            let message = format!("`{name}` is marked `unused`, but a step uses it");
            reader
                .report(Code::UsedDespiteUnused, &why.span, message)
                .help("remove `unused`");
        }
        None if !row.is_used && !has_unreadable_files => {
            let message = format!("no step uses `{name}`");
            reader
                .report(Code::UnusedFile, &row.name.span, message)
                .help("add it to a step, or add the reason to its row: `unused = \"…\"`");
        }
        _ => {}
    }
}

/// Finds the row of every pin.
fn match_pins(reader: &mut Reader<'_>, table: &mut TableDraft, by_name: &RowsByName) {
    let mut seen = BTreeSet::new();
    let mut unlisted = Vec::new();
    for (name, hash) in &table.pins {
        let case_folded = name.value.case_folded();
        match by_name.get(&case_folded) {
            Some(&row) => {
                table.rows[row].is_pinned = true;
                table.rows[row].hash = *hash;
            }
            None => unlisted.push(name),
        }
        if !seen.insert(case_folded) {
            let message = format!("`{name}` is pinned twice");
            reader
                .report(Code::DuplicateName, &name.span, message)
                .help("remove one of the pins; case does not count");
        }
    }
    if table.has_nameless_row {
        return;
    }
    for name in unlisted {
        let names = table
            .rows
            .iter()
            .filter(|row| !row.is_pinned)
            .map(|row| row.name.value.as_str());
        let near = reader.nearest(name.value.as_str(), names);
        let message = format!("`{name}` is pinned, but is not in the file table");
        reader
            .report(Code::PinWithoutRow, &name.span, message)
            .did_you_mean(near)
            .help("correct the name, or remove the pin");
    }
}

fn check_size(reader: &mut Reader<'_>, row: &RowDraft) {
    let name = &row.name.value;
    match &row.size {
        Some(size) if name.is_msi() && !size.value.is_multiple_of(SECTOR) => {
            let message = format!("`{name}` has {size} bytes, which is not a multiple of {SECTOR}");
            reader
                .report(Code::UnlikelyMsiSize, &size.span, message)
                .help("compare the size with the article");
        }
        None if !row.is_pinned && !row.unreadable => {
            let message = format!("`{name}` has neither a size nor a hash");
            reader
                .report(Code::NoSizeOrHash, &row.name.span, message)
                .help("add its `size`, or pin it with `rollup pin`");
        }
        _ => {}
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
    let dated: Vec<_> = draft
        .payload
        .rows
        .iter()
        .filter_map(|row| Some((&row.name.value, row.modified.as_ref()?)))
        .collect();
    let late: Vec<_> = dated.iter().filter(|(_, time)| time.value >= end).collect();
    if late.len() > 1 && late.len() == dated.len() {
        let message = format!("`released` is {released}, before the date of every file");
        reader
            .report(Code::DateOrder, &released.span, message)
            .help("compare the day with the article");
        return;
    }
    for (name, time) in late {
        let message =
            format!("`{name}` is newer than the rollup, which was released on {released}");
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
fn same_pins(reader: &mut Reader<'_>, table: &TableDraft, by_name: &RowsByName) {
    let mut first: HashMap<Digest, usize> = HashMap::with_capacity(table.pins.len());
    for (name, hash) in &table.pins {
        // A pin without a row has its finding already.
        let (Some(&row), Some(hash)) = (by_name.get(&name.value.case_folded()), hash) else {
            continue;
        };
        let other = *first.entry(*hash).or_insert(row);
        if other == row {
            continue;
        }
        let (row, other) = (&table.rows[row], &table.rows[other]);
        let message = format!(
            "`{name}` and `{}` have the same pinned hash",
            other.name.value
        );
        let finding = reader.report(Code::SamePin, &name.span, message);
        if let (Some(size), Some(their)) = (&row.size, &other.size)
            && size.value != their.value
        {
            let (size, their) = (size.value, their.value);
            finding.note(format!("their sizes differ: {size} and {their} bytes"));
        }
        finding.help("pin them again with `rollup pin`");
    }
}

/// Reports rows whose files could be swapped unnoticed, once for each group of them.
fn indistinguishable_files(reader: &mut Reader<'_>, table: &TableDraft) {
    let mut alike: BTreeMap<_, Vec<&RowDraft>> = BTreeMap::new();
    let mut pinned = HashSet::new();
    for row in &table.rows {
        // A second row of a name has its finding already, and so has a second file of a hash.
        if row.unreadable || row.is_repeated || row.hash.is_some_and(|hash| !pinned.insert(hash)) {
            continue;
        }
        if let Some(size) = &row.size {
            let modified = row.modified.as_ref().map(|time| time.value);
            alike.entry((size.value, modified)).or_default().push(row);
        }
    }
    for ((size, modified), twins) in alike.into_iter().filter(|(_, twins)| twins.len() > 1) {
        let names = some_of(twins.iter().map(|row| row.name.value.as_str()));
        let date = modified.map_or("", |_| " and date");
        let message = format!("{names} have the same size ({size}){date}");
        let finding = reader.report(Code::SameSizeAndDate, &twins[0].name.span, message);
        if twins.iter().all(|row| row.is_pinned) {
            finding
                .level(Severity::Note)
                .note("their hashes distinguish them");
        } else {
            finding.help("pin them with `rollup pin`, so that swapped files are detected");
        }
    }
}

fn unpinned(reader: &mut Reader<'_>, table: &TableDraft) {
    // Rows of the same name count once, by the first.
    let files = table.rows.iter().filter(|row| !row.is_repeated);
    let count = files.clone().count();
    let open: Vec<_> = files
        .filter(|row| !row.is_pinned)
        .map(|row| row.name.value.as_str())
        .collect();
    let header = table.pins_header.as_ref().or(table.header.as_ref());
    let Some(header) = header.filter(|_| !open.is_empty()) else {
        return;
    };
    let message = if open.len() == count {
        "no file of the table is pinned".to_owned()
    } else {
        format!("{} of {count} files are not pinned", open.len())
    };
    let finding = reader.report(Code::Unpinned, header, message);
    if open.len() < count {
        finding.note(format!("not pinned: {}", some_of(open.into_iter())));
    }
    finding.help(
        "run `rollup pin MANIFEST --payload DIR`, which checks the files and writes their hashes",
    );
}
