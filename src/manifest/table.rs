//! Checks of the file table: against the steps that use it, against itself, and its pins.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::draft::*;
use super::parse::MANIFEST;
use super::steps::told;
use crate::document::{Code, Finding, Level, Reader, some_of};
use crate::names::{Digest, FileName, Folded};

/// The sectors that an installer package is made of.
const SECTOR: u64 = 512;

/// Rows by folded name.
type Rows = BTreeMap<Folded, usize>;

pub(super) fn check(reader: &mut Reader<'_>, draft: &mut Draft) {
    let rows = unique_rows(reader, &draft.payload);
    let mut used = used_rows(reader, draft, &rows);
    others(reader, draft, &mut used);
    unused(reader, draft, &used);
    let pins = pins(reader, &draft.payload, &rows);
    let pinned = |row: &RowDraft| pins.contains_key(&row.name.value.folded());
    sizes(reader, &draft.payload, &pinned);
    dates(reader, draft);
    let hashes = hashes(&draft.payload);
    same_pins(reader, &draft.payload, &rows, &hashes);
    twins(reader, &draft.payload, &hashes);
    unpinned(reader, &draft.payload, &pinned);
}

fn unique_rows(reader: &mut Reader<'_>, table: &TableDraft) -> Rows {
    let mut rows = Rows::new();
    for (at, row) in table.rows.iter().enumerate() {
        let first = *rows.entry(row.name.value.folded()).or_insert(at);
        if first != at {
            let line = reader.source.line(table.rows[first].name.span.start);
            let message = format!("there are two rows with the name `{}`; the first is on line {line}", row.name.value);
            let finding = reader.findings.add(Code::DuplicateName, row.name.span.clone(), message);
            finding.help("case does not count; remove or rename one");
        }
    }
    rows
}

/// Which rows the steps name. A row that a misspelled name may have meant counts, so that one
/// mistake is told once.
fn used_rows(reader: &mut Reader<'_>, draft: &Draft, rows: &Rows) -> Vec<bool> {
    let table = &draft.payload;
    let mut used = vec![false; table.rows.len()];
    let users = draft.steps.iter().filter(|step| matches!(step.verb, Some(Verb::Copy | Verb::Run) | None));
    let files = users.flat_map(|step| step.files.iter().map(move |file| (step.verb, file)));
    for (verb, file) in files {
        if table.header.is_none() && is_astray(reader) {
            break;
        }
        if table.header.is_none() {
            let message = format!("`{}` needs a file table, and the manifest has no [payload]", file.value);
            let finding = reader.findings.add(Code::MissingKey, file.span.clone(), message);
            finding.help("add `[payload]` with `files = [{ name = \"…\" }]`");
            break;
        }
        match rows.get(&file.value.folded()) {
            Some(&row) => {
                let listed = &table.rows[row].name.value;
                if listed != &file.value && !used[row] {
                    let message = format!("`{}` is `{listed}` in the file table", file.value);
                    reader.findings.add(Code::Spelling, file.span.clone(), message).label("case does not count");
                }
                used[row] = true;
            }
            None if table.nameless => {}
            None => {
                let names = table.rows.iter().map(|row| row.name.value.as_str());
                let near = reader.nearest(file.value.as_str(), names).map(str::to_owned);
                let verb = if verb == Some(Verb::Run) { "run" } else { "copied" };
                let message = format!("`{}` is {verb} but not in the file table", file.value);
                let finding = reader.findings.add(Code::NotListed, file.span.clone(), message);
                finding.did_you_mean(near.as_deref()).help("correct the name, or add its row to `[payload] files`");
                let meant = near.and_then(|near| rows.get(&Folded::of(&near)));
                meant.into_iter().for_each(|&row| used[row] = true);
            }
        }
    }
    used
}

/// Works out what `others = true` stands for, and counts it as used.
fn others(reader: &mut Reader<'_>, draft: &mut Draft, used: &mut [bool]) {
    let torn = draft.steps.iter().any(|step| step.torn.files) || draft.payload.nameless;
    let mut first: Option<u32> = None;
    for step in &mut draft.steps {
        // Beside `files` it has its finding already.
        let Some(span) = step.others.clone().filter(|_| step.files.is_empty()) else { continue };
        let line = reader.source.line(span.start);
        if let Some(first) = first {
            let message = format!("a step on line {first} takes all other files already");
            reader.findings.add(Code::Contradiction, span, message).help("name the files of one of the two");
            continue;
        }
        first = Some(line);
        for (row, used) in draft.payload.rows.iter().zip(used.iter_mut()) {
            if !*used && row.unused.is_none() {
                *used = true;
                step.other_names.push(row.name.value.clone());
            }
        }
        if !step.other_names.is_empty() || torn {
            continue;
        }
        if draft.payload.header.is_none() {
            if !is_astray(reader) {
                let message = "`others` needs a file table, and the manifest has no [payload]";
                let finding = reader.findings.add(Code::MissingKey, span, message);
                finding.help("add `[payload]` with `files = [{ name = \"…\" }]`");
            }
            continue;
        }
        let why = match draft.payload.rows.is_empty() {
            true => "the file table lists no file",
            false => "other steps use all files",
        };
        let message = format!("{} has no targets: {why}", told(reader, step));
        reader.findings.add(Code::NoTargets, span, message).help("remove the step, or name its files");
    }
}

/// Whether the file table is only missing since its header is misspelled.
fn is_astray(reader: &Reader<'_>) -> bool {
    reader.is_stray(&(0..0), MANIFEST.title, "payload")
}

fn unused(reader: &mut Reader<'_>, draft: &Draft, used: &[bool]) {
    let torn = draft.steps.iter().any(|step| step.torn.files);
    let mut seen = BTreeSet::new();
    for (row, &used) in draft.payload.rows.iter().zip(used) {
        // The second row of one name has its finding already.
        if !seen.insert(row.name.value.folded()) {
            continue;
        }
        match (&row.unused, used) {
            (Some(why), true) => {
                let message = format!("`{}` is marked unused, yet a step uses it", row.name.value);
                reader.findings.add(Code::UsedAfterAll, why.span.clone(), message).help("remove `unused`");
            }
            (None, false) if !torn => {
                let message = format!("no step uses `{}`", row.name.value);
                let finding = reader.findings.add(Code::Unused, row.name.span.clone(), message);
                finding.help("add it to a step, or say why it is there: `unused = \"…\"`");
            }
            _ => {}
        }
    }
}

/// The pins of rows; the value says nothing.
fn pins(reader: &mut Reader<'_>, table: &TableDraft, rows: &Rows) -> BTreeMap<Folded, ()> {
    let all: BTreeSet<Folded> = table.pins.iter().map(|(name, _)| name.value.folded()).collect();
    let mut pins = BTreeMap::new();
    for (name, _) in &table.pins {
        let folded = name.value.folded();
        if !rows.contains_key(&folded) && !table.nameless {
            let open = table.rows.iter().filter(|row| !all.contains(&row.name.value.folded()));
            let near = reader.nearest(name.value.as_str(), open.map(|row| row.name.value.as_str())).map(str::to_owned);
            let message = format!("`{}` is pinned and not in the file table", name.value);
            let finding = reader.findings.add(Code::PinOfNothing, name.span.clone(), message);
            finding.did_you_mean(near.as_deref()).help("correct the name, or remove the pin");
        }
        if pins.insert(folded, ()).is_some() {
            let message = format!("`{}` is pinned twice", name.value);
            let finding = reader.findings.add(Code::DuplicateName, name.span.clone(), message);
            finding.help("case does not count; remove one");
        }
    }
    pins
}

fn sizes(reader: &mut Reader<'_>, table: &TableDraft, pinned: &impl Fn(&RowDraft) -> bool) {
    for row in &table.rows {
        let name = &row.name.value;
        match &row.size {
            Some(size) if name.is_msi() && !size.value.is_multiple_of(SECTOR) => {
                let message = format!("`{name}` has {} bytes, which is no multiple of {SECTOR}", size.value);
                let finding = reader.findings.add(Code::OddMsiSize, size.span.clone(), message);
                finding.help("compare the size with the article");
            }
            None if !pinned(row) && !row.torn => {
                let message = format!("`{name}` has neither a size nor a hash");
                let finding = reader.findings.add(Code::Unmeasured, row.name.span.clone(), message);
                finding.help("add its `size`, or pin it with `rollup seal`");
            }
            _ => {}
        }
    }
}

/// No file is younger than its rollup. Where all of them seem to be, the day of the release is the wrong one.
fn dates(reader: &mut Reader<'_>, draft: &Draft) {
    let Some(released) = &draft.rollup.released else { return };
    let Some(end) = released.value.parse().ok().and_then(behind) else { return };
    let dated = |row: &'_ RowDraft| row.modified.as_ref().map(|time| (row.name.value.clone(), time.clone()));
    let dated: Vec<_> = draft.payload.rows.iter().filter_map(dated).collect();
    let late: Vec<_> = dated.iter().filter(|(_, time)| time.value >= end).collect();
    if late.len() > 1 && late.len() == dated.len() {
        let message = format!("released on {}, before every file of the table", released.value);
        let finding = reader.findings.add(Code::DatesBackwards, released.span.clone(), message);
        finding.help("compare the day with the article");
        return;
    }
    for (name, time) in late {
        let message = format!("`{name}` is younger than the rollup, which was released on {}", released.value);
        let finding = reader.findings.add(Code::DatesBackwards, time.span.clone(), message);
        finding.help("compare the date with the article");
    }
}

/// When a day is over everywhere on earth, in seconds since 1970.
fn behind(day: Date) -> Option<i64> {
    let midnight = day.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_second() + (24 + 12) * 3600)
}

/// The pins by name; `None` for one that could not be read.
fn hashes(table: &TableDraft) -> BTreeMap<Folded, Option<Digest>> {
    table.pins.iter().map(|(name, pin)| (name.value.folded(), *pin)).collect()
}

/// Rows that are pinned with the hash of another one: told at each pin but the first.
fn same_pins(reader: &mut Reader<'_>, table: &TableDraft, rows: &Rows, hashes: &BTreeMap<Folded, Option<Digest>>) {
    let size = |name: &Folded| table.rows[*rows.get(name)?].size.as_ref().map(|size| size.value);
    let mut first: BTreeMap<Digest, &FileName> = BTreeMap::new();
    for (name, _) in &table.pins {
        let folded = name.value.folded();
        // A pin of nothing has its finding already.
        let hash = hashes.get(&folded).copied().flatten().filter(|_| rows.contains_key(&folded));
        let Some(hash) = hash else { continue };
        let other = *first.entry(hash).or_insert(&name.value);
        let theirs = other.folded();
        if theirs == folded {
            continue;
        }
        let message = format!("`{}` and `{other}` are pinned with the same hash", name.value);
        let finding = reader.findings.add(Code::SamePin, name.span.clone(), message);
        if let (Some(size), Some(their)) = (size(&folded), size(&theirs))
            && size != their
        {
            finding.note(format!("their sizes are {size} and {their}, and one file has one size"));
        }
        finding.help("pin them anew with `rollup seal`");
    }
}

/// Rows that a swap could hide behind, once for each group of them.
fn twins(reader: &mut Reader<'_>, table: &TableDraft, hashes: &BTreeMap<Folded, Option<Digest>>) {
    let mut alike: BTreeMap<(u64, Option<i64>), Vec<&RowDraft>> = BTreeMap::new();
    let (mut named, mut pinned) = (BTreeSet::new(), BTreeSet::new());
    for row in table.rows.iter().filter(|row| !row.torn) {
        // A second row of one name has its finding already, and so has a second file of one hash.
        let hash = hashes.get(&row.name.value.folded()).copied().flatten();
        if !named.insert(row.name.value.folded()) || hash.is_some_and(|hash| !pinned.insert(hash)) {
            continue;
        }
        if let Some(size) = &row.size {
            alike.entry((size.value, row.modified.as_ref().map(|time| time.value))).or_default().push(row);
        }
    }
    for ((size, modified), rows) in alike.into_iter().filter(|(_, rows)| rows.len() > 1) {
        let names = some_of(rows.iter().map(|row| row.name.value.as_str()));
        let same = if modified.is_some() { format!("size ({size}) and date") } else { format!("size ({size})") };
        let message = format!("{names} have the same {same}");
        let mut finding = Finding::new(Code::Twins, rows[0].name.span.clone(), message);
        if rows.iter().all(|row| hashes.contains_key(&row.name.value.folded())) {
            finding.level(Level::Note).note("their hashes tell them apart");
        } else {
            finding.help("pin them with `rollup seal`, or one could stand under the name of the other");
        }
        reader.findings.push(finding);
    }
}

fn unpinned(reader: &mut Reader<'_>, table: &TableDraft, pinned: &impl Fn(&RowDraft) -> bool) {
    let open: Vec<_> = table.rows.iter().filter(|row| !pinned(row)).map(|row| row.name.value.as_str()).collect();
    let Some(header) = table.pins_header.clone().or_else(|| table.header.clone()).filter(|_| !open.is_empty()) else {
        return;
    };
    let message = match open.len() == table.rows.len() {
        true => "no file of the table is pinned by its hash".to_owned(),
        false => format!("{} of {} files are not pinned by a hash", open.len(), table.rows.len()),
    };
    let mut finding = Finding::new(Code::Unpinned, header, message);
    if open.len() < table.rows.len() {
        finding.note(format!("these are {}", some_of(open.into_iter())));
    }
    finding.help("`rollup seal MANIFEST --payload DIR` checks the files and writes their hashes");
    reader.findings.push(finding);
}
