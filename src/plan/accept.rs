//! Acceptance of drift: the records that are rewritten, and the entries that are only noted.
//!
//! A file that an installer brought has a record, the `state.toml` of its item, which is rewritten.
//! Other files that runs left have none: the plan itself states which of them are there now and
//! which are gone, and later comparisons take that into account.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::{item_state, procedure_state, seen_item};
use super::applicability::{broken_by_record, wrong_product};
use super::brought::recorded;
use super::lagging::{Lagging, lagging};
use super::refusal::Refusal;
use super::rollup::names_of_offline;
use super::swaps::text_entry;
use super::{
    ACCEPT, Acceptance, AppliedChange, Context, DocumentedFacts, Entry, EntryKind, ExpectedState,
    NewEntry, Operation, OperationKind, Options, Plan, PlannedStep, SCHEMA, Subject, Swap,
    TargetState, digest_of,
};
use crate::deployment::applied::AppliedRecord;
use crate::deployment::description::{Description, Instance};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::{FileRecord, Installed, ItemRecord, ProcedureRecord, State};
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::{FileFacts, FileKind};
use crate::manifest::Manifest;
use crate::names::{CaseFolded, Escaped, Kb, RelPath};

/// State that earlier runs left.
#[derive(Debug, Default)]
pub struct Expectation {
    /// Entries that they left, by path.
    pub there: BTreeMap<RelPath, EntryKind>,
    /// Paths that were accepted as gone already.
    pub gone: BTreeSet<RelPath>,
    /// Paths at which mode or owner are not those that a run recorded, with the difference in words.
    pub attributes: BTreeMap<RelPath, String>,
    /// Live paths that a run left empty when it was closed in the state it was in.
    pub emptied: BTreeSet<RelPath>,
}

/// Result of accepting.
#[derive(Debug)]
pub struct AcceptResult {
    /// Plan that accepts the drift; `None` if there is no drift that can be accepted.
    pub plan: Option<Box<Plan>>,
    /// Differences that are accepted, in words.
    pub accepted: BTreeMap<RelPath, String>,
    /// Differences that cannot be accepted, in words.
    pub rejected: BTreeMap<RelPath, String>,
    /// True if a server lags as a whole, which cannot be accepted.
    pub servers_lag: bool,
}

/// Returns the files that have to be hashed before drift can be accepted. `first` is a snapshot
/// that has read the records.
pub fn accept_interest(
    first: &Snapshot,
    expectation: &Expectation,
    chosen: Option<&BTreeSet<Instance>>,
) -> Interest {
    let site = &first.description;
    let instances: BTreeSet<Instance> = match chosen {
        Some(chosen) => chosen.clone(),
        None => site.all_instances().collect(),
    };
    let items = instances
        .iter()
        .filter_map(|&instance| first.item(instance))
        .filter_map(installed);
    let installers = items
        .map(|installed| installed.installer.name.case_folded())
        .collect();
    let mut files: BTreeSet<RelPath> = expectation.there.keys().cloned().collect();
    if chosen.is_none() {
        for (directory, record) in first.programs() {
            files.insert(ItemDir(directory).record());
            files.extend(
                installed(record)
                    .into_iter()
                    .flat_map(|i| i.files.keys())
                    .map(|file| ItemDir(directory).file(file)),
            );
        }
    }
    Interest {
        instances,
        share: installers,
        files,
        ..Interest::default()
    }
}

/// Plans to accept the state on disk: all drift, or only that of the chosen instances.
///
/// A chosen instance that is installed also becomes verified, whatever its state is.
///
/// # Errors
///
/// The disk is too small.
pub fn accept(
    snapshot: &Snapshot,
    expectation: &Expectation,
    chosen: Option<&BTreeSet<Instance>>,
    reason: &str,
) -> Result<AcceptResult, Refusal> {
    let mut acceptor = Acceptor::new(snapshot, expectation, chosen);
    acceptor.reject_unknown();
    acceptor.records();
    acceptor.compare_with_runs();
    acceptor.compare_attributes();
    acceptor.finish(reason)
}

/// Object that is at an expected path.
enum ObjectState {
    Gone,
    File(RelPath, FileFacts),
    Directory(RelPath),
    /// Neither a managed file nor a managed directory; described in words.
    Unexpected(String),
    /// Already reported as something whose expected state is unknown.
    Reported,
}

/// Installed item, or the program that a step ran, with its record.
struct RecordedInstallation<'a> {
    directory: &'a RelPath,
    record: &'a ItemRecord,
    target: String,
    server: Option<String>,
    /// True if the operator named it.
    is_chosen: bool,
    installer_origin: InstallerOrigin,
}

/// Origin of the installer of an installation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InstallerOrigin {
    /// The share, where the installer of an item is.
    Share,
    /// The payload, from which a step ran it; a file of that name in the share is unrelated.
    Payload,
}

struct Acceptor<'a> {
    snapshot: &'a Snapshot,
    expectation: &'a Expectation,
    chosen: Option<&'a BTreeSet<Instance>>,
    /// Directories of the chosen instances, and the files in the share that they come from.
    scope: BTreeSet<CaseFolded>,
    /// Lag behind applied rollups; that of items is accepted.
    lagging: Lagging,
    /// Paths at and below which the expected state is unknown.
    unknown: BTreeSet<CaseFolded>,
    operations: Vec<Operation>,
    swaps: Vec<Swap>,
    there: BTreeMap<RelPath, EntryKind>,
    gone: BTreeSet<RelPath>,
    accepted: BTreeMap<RelPath, String>,
    rejected: BTreeMap<RelPath, String>,
}

impl<'a> Acceptor<'a> {
    fn new(
        snapshot: &'a Snapshot,
        expectation: &'a Expectation,
        chosen: Option<&'a BTreeSet<Instance>>,
    ) -> Self {
        let mut scope = BTreeSet::new();
        for &instance in chosen.into_iter().flatten() {
            scope.insert(snapshot.description.directory(instance).case_folded());
            let installed = snapshot.item(instance).and_then(installed);
            scope.extend(
                installed
                    .map(|installed| snapshot.share_path(&installed.installer.name).case_folded()),
            );
        }
        Self {
            snapshot,
            expectation,
            chosen,
            scope,
            lagging: lagging(snapshot),
            unknown: BTreeSet::new(),
            operations: Vec::new(),
            swaps: Vec::new(),
            there: BTreeMap::new(),
            gone: BTreeSet::new(),
            accepted: BTreeMap::new(),
            rejected: BTreeMap::new(),
        }
    }

    fn in_scope(&self, path: &RelPath) -> bool {
        self.chosen.is_none() || is_within(path, &self.scope)
    }

    /// Rejects entries whose expected state is unknown: two names that differ only in case, records
    /// that cannot be read, files without a record.
    fn reject_unknown(&mut self) {
        for (first, second) in &self.snapshot.clashes {
            let difference = format!("and `{}` differ only in case", Escaped(first.as_str()));
            self.reject_below(second, second, difference);
        }
        for (file, why) in &self.snapshot.faults {
            let is_record = ItemDir::is_record(file);
            let directory = file
                .parent()
                .filter(|_| is_record)
                .unwrap_or_else(|| file.clone());
            self.reject_below(&directory, file, format!("cannot be used: {why}"));
        }
        let site = &self.snapshot.description;
        for instance in site
            .all_instances()
            .filter(|&instance| self.snapshot.item(instance).is_none())
        {
            let directory = self.snapshot.actual(&site.directory(instance));
            if let Some((path, difference)) = self.snapshot.hidden(&directory) {
                self.reject_below(&directory, &path, difference);
            }
        }
    }

    fn reject_below(&mut self, directory: &RelPath, at: &RelPath, difference: String) {
        self.unknown.insert(directory.case_folded());
        self.reject(at, difference);
    }

    fn reject(&mut self, at: &RelPath, difference: String) {
        let holds_scope = || {
            self.scope
                .iter()
                .any(|path| is_below(path, &at.case_folded()))
        };
        if self.in_scope(at) || holds_scope() {
            self.rejected.insert(at.clone(), difference);
        }
    }

    fn accept(&mut self, at: &RelPath, difference: impl Into<String>) {
        self.accepted
            .entry(at.clone())
            .or_insert_with(|| difference.into());
    }

    fn object_state(&self, path: &RelPath) -> ObjectState {
        if is_within(path, &self.unknown) {
            return ObjectState::Reported;
        }
        let parents = path
            .ancestors()
            .filter_map(|directory| self.snapshot.node(&directory));
        if let Some(found) = parents
            .into_iter()
            .find(|found| found.kind != FileKind::Directory)
        {
            return ObjectState::Unexpected(format!(
                "`{}` is {}, not a directory",
                Escaped(found.path.as_str()),
                found.kind.with_article()
            ));
        }
        let Some(found) = self.snapshot.node(path) else {
            return ObjectState::Gone;
        };
        match (found.kind, self.snapshot.facts(&found.path)) {
            (FileKind::Directory, _) => ObjectState::Directory(found.path.clone()),
            (FileKind::File, Some(facts)) => ObjectState::File(found.path.clone(), facts),
            (kind, _) => ObjectState::Unexpected(format!("is {}", kind.with_article())),
        }
    }

    fn records(&mut self) {
        let site = &self.snapshot.description;
        let all: BTreeSet<Instance> = match self.chosen {
            Some(chosen) => chosen.clone(),
            None => site.all_instances().collect(),
        };
        for instance in all {
            let directory = self.snapshot.actual(&site.directory(instance));
            let target = site[instance.item].name.to_string();
            let server = server_of(site, instance);
            let is_chosen = self.chosen.is_some();
            if let Some(record) = self.snapshot.item(instance) {
                self.item(&RecordedInstallation {
                    directory: &directory,
                    record,
                    target,
                    server,
                    is_chosen,
                    installer_origin: InstallerOrigin::Share,
                });
            } else if let (true, Some(record)) = (is_chosen, self.snapshot.procedure(instance)) {
                self.procedure(&directory, record, target, server);
            }
        }
        if self.chosen.is_none() {
            for (directory, record) in self.snapshot.programs() {
                let server = directory.parts().nth(1).map(str::to_owned);
                let target = directory.name().to_owned();
                self.item(&RecordedInstallation {
                    directory,
                    record,
                    target,
                    server,
                    is_chosen: false,
                    installer_origin: InstallerOrigin::Payload,
                });
            }
        }
    }

    /// Rewrites a record if the files that it names, or the installer, differ from it.
    fn item(&mut self, of: &RecordedInstallation<'_>) {
        let file = ItemDir(of.directory).record();
        if is_within(&file, &self.unknown) {
            return;
        }
        let lag = self
            .lagging
            .places
            .iter()
            .find(|lag| lag.path == *of.directory);
        let lag = lag.map(|lag| lag.why.clone());
        let Some(before) = installed(of.record) else {
            if let Some(why) = lag {
                self.accept(&file, format!("stays as it is: the item {why}"));
                let record = ItemRecord {
                    accepted: true,
                    ..of.record.clone()
                };
                self.rewrite_item(of, &record);
            }
            return;
        };
        let mut now = before.clone();
        now.files = self.files(of.directory, before);
        if of.installer_origin == InstallerOrigin::Share {
            self.installer(&mut now);
        }
        let is_forced = of.is_chosen && of.record.state != State::Verified;
        if now == *before && !is_forced && lag.is_none() {
            return;
        }
        let record = ItemRecord {
            state: State::Verified,
            accepted: true,
            installed: Some(now),
            ..of.record.clone()
        };
        if is_forced {
            let state = of.record.state.as_str();
            self.accept(&file, format!("changes from {state} to verified"));
        } else if let Some(why) = lag {
            self.accept(&file, format!("stays as it is: the item {why}"));
        }
        self.rewrite_item(of, &record);
    }

    fn rewrite_item(&mut self, of: &RecordedInstallation<'_>, record: &ItemRecord) {
        let states = (item_state(Some(of.record)), item_state(Some(record)));
        self.rewrite(
            of.directory,
            (of.target.clone(), of.server.clone()),
            states,
            seen_item(Some(of.record)),
            record.to_toml(),
        );
    }

    /// Returns the file at a path, `Some(None)` if it is gone. Rejects everything else that is there.
    fn file_at(&mut self, at: &RelPath) -> Option<Option<(RelPath, FileFacts)>> {
        match self.object_state(at) {
            ObjectState::Gone => return Some(None),
            ObjectState::File(found, facts) => return Some(Some((found, facts))),
            ObjectState::Directory(_) => self.reject(at, "is a directory, not a file".to_owned()),
            ObjectState::Unexpected(difference) => self.reject(at, difference),
            ObjectState::Reported => {}
        }
        None
    }

    /// Returns the files of an item as they are now.
    fn files(&mut self, directory: &RelPath, before: &Installed) -> BTreeMap<RelPath, FileRecord> {
        let mut files = before.files.clone();
        for (file, recorded) in &before.files {
            let at = self.snapshot.exact(&ItemDir(directory).file(file));
            match self.file_at(&at) {
                None => {}
                Some(None) => {
                    files.remove(file);
                    self.accept(&at, "is gone");
                }
                Some(Some((_, FileFacts { sha256, .. }))) if sha256 == recorded.sha256 => {}
                Some(Some((_, FileFacts { size, sha256 }))) => {
                    files.insert(file.clone(), FileRecord { size, sha256 });
                    self.accept(&at, changed(recorded.size, size));
                }
            }
        }
        files
    }

    /// Records the installer as it is in the share, unless a run copied that one there: it is newer
    /// than the item.
    fn installer(&mut self, now: &mut Installed) {
        let at = self.snapshot.share_path(&now.installer.name);
        match self.file_at(&at) {
            None => {}
            Some(None) if self.expectation.gone.contains(&at) => {}
            Some(None) => {
                self.gone.insert(at.clone());
                self.accept(&at, "is gone");
            }
            Some(Some((at, FileFacts { size, sha256 }))) => {
                let copied = self.expectation.there.get(&at);
                let is_as_copied = matches!(copied, Some(EntryKind::File { sha256: copied, .. }) if *copied == sha256);
                if sha256 != now.installer.sha256 && !is_as_copied {
                    now.installer.sha256 = sha256;
                    self.accept(&at, format!("has other contents, {size} bytes now"));
                }
            }
        }
    }

    /// Forces the state of a procedure. Procedures have no files, so there is nothing else to
    /// accept.
    fn procedure(
        &mut self,
        directory: &RelPath,
        before: &ProcedureRecord,
        target: String,
        server: Option<String>,
    ) {
        let at = ItemDir(directory).record();
        if !before.state.is_installed()
            || before.state == State::Verified
            || is_within(&at, &self.unknown)
        {
            return;
        }
        let mut record = before.clone();
        record.state = State::Verified;
        self.accept(
            &at,
            format!("changes from {} to verified", before.state.as_str()),
        );
        let sides = (
            procedure_state(Some(before)),
            procedure_state(Some(&record)),
        );
        self.rewrite(
            directory,
            (target, server),
            sides,
            before.state.as_str().to_owned(),
            record.to_toml(),
        );
    }

    fn rewrite(
        &mut self,
        directory: &RelPath,
        (target, server): (String, Option<String>),
        (before, after): (TargetState, TargetState),
        seen: String,
        text: String,
    ) {
        let ObjectState::File(live, facts) = self.object_state(&ItemDir(directory).record()) else {
            return;
        };
        let number = self.swaps.len() as u32 + 1;
        let old = file_entry(&live, facts);
        let new = text_entry(live.clone(), text);
        self.swaps
            .push(accepting_swap(number, live, Some(old), new));
        let at = directory.clone();
        let kind = OperationKind::Accept;
        self.operations.push(Operation {
            kind,
            target,
            server,
            at,
            before,
            after,
            swap: number,
            line: 0,
            seen,
            irreversible: None,
        });
    }

    /// Compares the entries that runs left with those on disk, except for records that are
    /// rewritten.
    fn compare_with_runs(&mut self) {
        let rewritten = self.swaps.iter().map(|swap| swap.live.case_folded());
        let rewritten: BTreeSet<CaseFolded> = rewritten.collect();
        let expectation = self.expectation;
        for path in expectation.emptied.difference(&expectation.gone) {
            if self.in_scope(path) && matches!(self.object_state(path), ObjectState::Gone) {
                self.is_gone(path);
            }
        }
        for (path, expected) in &expectation.there {
            if self.in_scope(path) && !rewritten.contains(&path.case_folded()) {
                self.compare_entry(path, expected);
            }
        }
    }

    /// Accepts modes and owners; the run records those that the paths have now.
    fn compare_attributes(&mut self) {
        let expectation = self.expectation;
        for (path, difference) in &expectation.attributes {
            // The replacement of a rewritten record has the attributes that the record has now.
            let is_rewritten = self.swaps.iter().any(|swap| swap.live == *path);
            if is_rewritten || !self.in_scope(path) || self.there.contains_key(path) {
                continue;
            }
            let now = match self.object_state(path) {
                ObjectState::File(found, facts) => file_entry(&found, facts),
                ObjectState::Directory(path) => Entry {
                    path,
                    kind: EntryKind::Directory,
                },
                _ => continue,
            };
            self.accepted
                .entry(path.clone())
                .or_insert_with(|| difference.clone());
            self.there.insert(now.path, now.kind);
        }
    }

    fn compare_entry(&mut self, path: &RelPath, expected: &EntryKind) {
        let state = match expected {
            EntryKind::Unmanaged => return,
            EntryKind::Directory => match self.object_state(path) {
                ObjectState::Directory(found) => Some(Some((found, EntryKind::Directory))),
                ObjectState::Gone => Some(None),
                ObjectState::File(..) => {
                    return self.reject(path, "is a file, not a directory".to_owned());
                }
                ObjectState::Unexpected(difference) => return self.reject(path, difference),
                ObjectState::Reported => None,
            },
            EntryKind::File { .. } => self.file_at(path).map(|found| {
                found.map(|(found, facts)| (found.clone(), file_entry(&found, facts).kind))
            }),
        };
        match state {
            None => {}
            Some(None) => self.is_gone(path),
            Some(Some((found, now))) => self.is_there(path, found, now, expected),
        }
    }

    fn is_gone(&mut self, path: &RelPath) {
        if !self.gone_with_its_directory(path) {
            self.gone.insert(path.clone());
            self.accept(path, "is gone");
        }
    }

    fn gone_with_its_directory(&self, path: &RelPath) -> bool {
        path.ancestors()
            .any(|directory| self.gone.contains(&directory))
    }

    fn is_there(&mut self, path: &RelPath, found: RelPath, now: EntryKind, before: &EntryKind) {
        if found != *path {
            if !self.gone_with_its_directory(path) {
                self.gone.insert(path.clone());
                self.accept(path, format!("is spelled `{}`", Escaped(found.as_str())));
            }
            self.there.insert(found, now);
            return;
        }
        let (
            EntryKind::File { size, .. },
            EntryKind::File {
                size: size_before, ..
            },
        ) = (&now, before)
        else {
            return;
        };
        if now != *before {
            self.accept(path, changed(*size_before, *size));
            self.there.insert(found, now);
        }
    }

    fn finish(self, reason: &str) -> Result<AcceptResult, Refusal> {
        let Self {
            snapshot,
            operations,
            swaps,
            there,
            gone,
            accepted,
            rejected,
            lagging,
            ..
        } = self;
        let servers_lag = !lagging.servers.is_empty();
        if swaps.is_empty() && there.is_empty() && gone.is_empty() {
            return Ok(AcceptResult {
                plan: None,
                accepted,
                rejected,
                servers_lag,
            });
        }
        let acceptance = Acceptance {
            reason: reason.to_owned(),
            applied: None,
            there: there
                .into_iter()
                .map(|(path, kind)| Entry { path, kind })
                .collect(),
            gone: gone.into_iter().collect(),
        };
        let in_effect: Vec<_> = snapshot.applied.in_effect().collect();
        let applied = AppliedChange {
            before: in_effect.clone(),
            after: in_effect,
        };
        let step = step("Accept the drift".to_owned(), operations);
        let plan = plan_of(snapshot, acceptance, applied, step, swaps)?;
        Ok(AcceptResult {
            plan: Some(plan),
            accepted,
            rejected,
            servers_lag,
        })
    }
}

fn step(title: String, operations: Vec<Operation>) -> PlannedStep {
    PlannedStep {
        id: ACCEPT.to_owned(),
        title,
        within: None,
        action: ACCEPT.to_owned(),
        line: 0,
        operations,
        nothing: Vec::new(),
        left_out: Vec::new(),
        manual: None,
        arguments: None,
        undo: None,
    }
}

/// Makes the plan of an accept from its only step.
fn plan_of(
    snapshot: &Snapshot,
    acceptance: Acceptance,
    applied: AppliedChange,
    step: PlannedStep,
    swaps: Vec<Swap>,
) -> Result<Box<Plan>, Refusal> {
    let context = Context::of_site(snapshot);
    if let Some(reason) = super::bytes::lack_of_space(&swaps, &[], &context, snapshot.free) {
        return Err(reason.into());
    }
    let mut entries: Vec<Entry> = swaps
        .iter()
        .flat_map(|swap| &swap.new)
        .map(NewEntry::entry)
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut plan = Plan {
        schema: SCHEMA,
        digest: None,
        subject: Subject::Accept(acceptance),
        deployment: snapshot.description.name.clone(),
        description: snapshot.description.meaning(),
        options: Options::default(),
        offline: names_of_offline(snapshot),
        applied,
        confirmations: Vec::new(),
        warnings: Vec::new(),
        steps: vec![step],
        outage: Vec::new(),
        outage_behind: 0,
        role_outages: Vec::new(),
        sources: Vec::new(),
        swaps,
        expected_state: Some(ExpectedState {
            digest: digest_of(&entries),
            entries,
        }),
        documented: DocumentedFacts::default(),
        context,
        checksum: None,
    };
    plan.bind();
    Ok(Box::new(plan))
}

/// Rollup that a person applied by hand, and what is known of it.
#[derive(Debug, Clone)]
pub enum AppliedByHand<'a> {
    /// Its number only.
    Number(Kb),
    /// Its manifest, which states its revision and relations.
    Manifest(&'a Manifest),
}

/// Plans to record a rollup that was applied by hand; `None` if it is on record already, in this
/// revision or a newer one.
///
/// # Errors
///
/// It is for another product, another rollup in effect would lack what it requires, or the disk is
/// too small.
pub fn accept_applied(
    snapshot: &Snapshot,
    rollup: &AppliedByHand<'_>,
    reason: &str,
) -> Result<Option<Box<Plan>>, Refusal> {
    let Some(record) = record_by_hand(snapshot, rollup) else {
        return Ok(None);
    };
    let kb = record.kb;
    let mut reasons = broken_by_record(&snapshot.applied, record.clone());
    if let AppliedByHand::Manifest(manifest) = rollup {
        reasons.extend(wrong_product(manifest, &snapshot.description));
    }
    Refusal::unless_empty(reasons)?;
    let (operation, swap) = place_record(snapshot, &record);
    let applied = AppliedChange {
        before: snapshot.applied.in_effect().collect(),
        after: snapshot.applied.with(record).in_effect().collect(),
    };
    let acceptance = Acceptance {
        reason: reason.to_owned(),
        applied: Some(kb),
        there: Vec::new(),
        gone: Vec::new(),
    };
    let step = step(format!("Record {kb} as applied by hand"), vec![operation]);
    plan_of(snapshot, acceptance, applied, step, vec![swap]).map(Some)
}

/// Returns the record of a rollup that was applied by hand; `None` if it is on record already.
fn record_by_hand(snapshot: &Snapshot, rollup: &AppliedByHand<'_>) -> Option<AppliedRecord> {
    let mut record = match rollup {
        AppliedByHand::Number(kb) if snapshot.applied.contains(*kb) => return None,
        AppliedByHand::Number(kb) => AppliedRecord::new(*kb),
        AppliedByHand::Manifest(manifest) => {
            let kb = manifest.rollup.kb;
            let before = snapshot.applied.record(kb).cloned();
            let before = before.unwrap_or_else(|| AppliedRecord::new(kb));
            let revision = before.revision.as_ref();
            if revision.is_some_and(|revision| *revision >= manifest.rollup.revision) {
                return None;
            }
            recorded(manifest, before)
        }
    };
    record.by_hand = true;
    Some(record)
}

/// Returns the operation that writes the record of a rollup, and its swap.
fn place_record(snapshot: &Snapshot, record: &AppliedRecord) -> (Operation, Swap) {
    let live = snapshot.actual(&AppliedRecord::path(record.kb));
    let old = snapshot.facts(&live).map(|facts| file_entry(&live, facts));
    let seen = match old {
        Some(_) => "recorded in an older revision, or without one",
        None => "not recorded",
    };
    let new = text_entry(live.clone(), record.to_toml());
    let state = |kind: &EntryKind| match kind {
        &EntryKind::File { size, sha256 } => TargetState::File { size, sha256 },
        EntryKind::Directory | EntryKind::Unmanaged => TargetState::Nothing,
    };
    let operation = Operation {
        kind: OperationKind::Accept,
        target: record.kb.to_string(),
        server: None,
        at: live.clone(),
        before: old
            .as_ref()
            .map_or(TargetState::Nothing, |old| state(&old.kind)),
        after: state(&new.entry().kind),
        swap: 1,
        line: 0,
        seen: seen.to_owned(),
        irreversible: None,
    };
    let swap = accepting_swap(1, live, old, new);
    (operation, swap)
}

/// Returns the swap that writes one file.
fn accepting_swap(number: u32, live: RelPath, old: Option<Entry>, new: NewEntry) -> Swap {
    Swap {
        number,
        step: Some(ACCEPT.to_owned()),
        live,
        old: old.into_iter().collect(),
        new: vec![new],
    }
}

fn file_entry(path: &RelPath, FileFacts { size, sha256 }: FileFacts) -> Entry {
    Entry {
        path: path.clone(),
        kind: EntryKind::File { size, sha256 },
    }
}

/// Returns the installation that a record states, if there is one.
fn installed(record: &ItemRecord) -> Option<&Installed> {
    record
        .installed
        .as_ref()
        .filter(|_| record.state.is_installed())
}

fn server_of(site: &Description, instance: Instance) -> Option<String> {
    instance.server.map(|server| site[server].name.to_string())
}

fn changed(size_before: u64, size: u64) -> String {
    if size == size_before {
        format!("has other contents, still {size} bytes")
    } else {
        format!("has other contents, {size} bytes instead of {size_before}")
    }
}

fn is_below(path: &CaseFolded, directory: &CaseFolded) -> bool {
    path.as_str()
        .strip_prefix(directory.as_str())
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Returns whether a path, or one of its parent directories, is one of these; case is ignored.
fn is_within(path: &RelPath, directories: &BTreeSet<CaseFolded>) -> bool {
    directories.contains(&path.case_folded())
        || path
            .ancestors()
            .any(|directory| directories.contains(&directory.case_folded()))
}
