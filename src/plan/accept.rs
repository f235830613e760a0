//! Acceptance of what is on disk: which records are rewritten, and what is only noted.
//!
//! A file that an installer brought has a record, the `state.toml` of its item, which is rewritten.
//! Other files that runs left have none: the plan itself states which of them are there now and
//! which are gone, and later queries for what the runs left take it into account.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::{item_side, procedure_side, seen_item};
use super::refusal::Refusal;
use super::swaps::text_entry;
use super::{
    ACCEPT, Acceptance, Context, Entry, LevelChange, NewEntry, Operation, OperationKind, Plan,
    PlannedStep, Prediction, SCHEMA, Side, Subject, Swap, What, digest_of,
};
use crate::deployment::description::{Description, Instance};
use crate::deployment::records::{FileRecord, Installed, ItemRecord, ProcedureRecord, State};
use crate::deployment::snapshot::{Interest, Snapshot, in_files};
use crate::deployment::tree::{FileFacts, Kind, path};
use crate::names::{Folded, RelPath, Shown};

/// State that earlier runs left.
#[derive(Debug, Default)]
pub struct Expectation {
    /// Entries that they left, by path.
    pub there: BTreeMap<RelPath, What>,
    /// Paths that were accepted as gone already.
    pub gone: BTreeSet<RelPath>,
    /// Live paths that a run left empty when it was closed in the state it was in.
    pub emptied: BTreeSet<RelPath>,
}

/// Result of accepting.
#[derive(Debug)]
pub struct Accepting {
    /// Plan that accepts what drifted; `None` if nothing drifted that can be accepted.
    pub plan: Option<Box<Plan>>,
    /// Differences that are accepted, in words.
    pub taken: BTreeMap<RelPath, String>,
    /// Differences that cannot be accepted, in words.
    pub left: BTreeMap<RelPath, String>,
}

/// Returns what has to be hashed before accepting. `first` is a snapshot that has read the records.
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
        .map(|installed| installed.installer.name.folded())
        .collect();
    let mut files: BTreeSet<RelPath> = expectation.there.keys().cloned().collect();
    if chosen.is_none() {
        for (directory, record) in first.programs() {
            files.insert(record_of(directory));
            files.extend(
                installed(record)
                    .into_iter()
                    .flat_map(|i| i.files.keys())
                    .map(|file| in_files(directory, file)),
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

/// Plans to accept what is on disk: everything that drifted, or only what belongs to the chosen
/// instances.
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
) -> Result<Accepting, Refusal> {
    let mut acceptor = Acceptor::new(snapshot, expectation, chosen);
    acceptor.name_what_is_left();
    acceptor.records();
    acceptor.left_by_runs();
    acceptor.finish(reason)
}

/// Object that is at an expected path.
enum Standing {
    Gone,
    File(RelPath, FileFacts),
    Directory(RelPath),
    /// Neither a managed file nor a managed directory; described in words.
    Strange(String),
    /// Already reported as something whose expected state is unknown.
    Told,
}

/// Installed item, or the program that a step ran.
struct Recorded<'a> {
    directory: &'a RelPath,
    record: &'a ItemRecord,
    target: String,
    server: Option<String>,
    /// True if the operator named it.
    is_chosen: bool,
    came: Came,
}

/// Origin of something that is installed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// The share, where the installer of an item is.
    FromShare,
    /// The payload, from which a step ran it; a file of that name in the share is unrelated.
    FromPayload,
}

struct Acceptor<'a> {
    snapshot: &'a Snapshot,
    expectation: &'a Expectation,
    chosen: Option<&'a BTreeSet<Instance>>,
    /// Directories of the chosen instances, and the files in the share that they come from.
    scope: BTreeSet<Folded>,
    /// Paths at and below which the expected state is unknown.
    shut: BTreeSet<Folded>,
    operations: Vec<Operation>,
    swaps: Vec<Swap>,
    there: BTreeMap<RelPath, What>,
    gone: BTreeSet<RelPath>,
    taken: BTreeMap<RelPath, String>,
    left: BTreeMap<RelPath, String>,
}

impl<'a> Acceptor<'a> {
    fn new(
        snapshot: &'a Snapshot,
        expectation: &'a Expectation,
        chosen: Option<&'a BTreeSet<Instance>>,
    ) -> Self {
        let mut scope = BTreeSet::new();
        for &instance in chosen.into_iter().flatten() {
            scope.insert(snapshot.description.directory(instance).folded());
            let installed = snapshot.item(instance).and_then(installed);
            scope.extend(
                installed.map(|installed| snapshot.share_path(&installed.installer.name).folded()),
            );
        }
        Self {
            snapshot,
            expectation,
            chosen,
            scope,
            shut: BTreeSet::new(),
            operations: Vec::new(),
            swaps: Vec::new(),
            there: BTreeMap::new(),
            gone: BTreeSet::new(),
            taken: BTreeMap::new(),
            left: BTreeMap::new(),
        }
    }

    fn in_scope(&self, path: &RelPath) -> bool {
        self.chosen.is_none() || lies_in(path, &self.scope)
    }

    /// Lists what cannot be accepted: two names that differ only in case, records that cannot be
    /// read, files without a record.
    fn name_what_is_left(&mut self) {
        for (first, second) in &self.snapshot.clashes {
            let what = format!("and `{}` differ only in case", Shown(first.as_str()));
            self.shut(second, second, what);
        }
        for (file, why) in &self.snapshot.faults {
            let is_record = file.name().eq_ignore_ascii_case("state.toml");
            let directory = file
                .parent()
                .filter(|_| is_record)
                .unwrap_or_else(|| file.clone());
            self.shut(&directory, file, format!("cannot be used: {why}"));
        }
        let site = &self.snapshot.description;
        for instance in site
            .all_instances()
            .filter(|&instance| self.snapshot.item(instance).is_none())
        {
            let directory = self.snapshot.actual(&site.directory(instance));
            if let Some((path, what)) = self.snapshot.hidden(&directory) {
                self.shut(&directory, &path, what);
            }
        }
    }

    fn shut(&mut self, directory: &RelPath, at: &RelPath, what: String) {
        self.shut.insert(directory.folded());
        self.leave(at, what);
    }

    fn leave(&mut self, at: &RelPath, what: String) {
        let holds_scope = || self.scope.iter().any(|place| is_below(place, &at.folded()));
        if self.in_scope(at) || holds_scope() {
            self.left.insert(at.clone(), what);
        }
    }

    fn take(&mut self, at: &RelPath, what: impl Into<String>) {
        self.taken.entry(at.clone()).or_insert_with(|| what.into());
    }

    fn standing(&self, path: &RelPath) -> Standing {
        if lies_in(path, &self.shut) {
            return Standing::Told;
        }
        let on_the_way = path
            .ancestors()
            .filter_map(|directory| self.snapshot.node(&directory));
        if let Some(found) = on_the_way
            .into_iter()
            .find(|found| found.kind != Kind::Directory)
        {
            return Standing::Strange(format!(
                "`{}` is {}, not a directory",
                Shown(found.path.as_str()),
                found.kind.named()
            ));
        }
        let Some(found) = self.snapshot.node(path) else {
            return Standing::Gone;
        };
        match (found.kind, self.snapshot.facts(&found.path)) {
            (Kind::Directory, _) => Standing::Directory(found.path.clone()),
            (Kind::File, Some(facts)) => Standing::File(found.path.clone(), facts),
            (kind, _) => Standing::Strange(format!("is {}", kind.named())),
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
            let target = site.items[instance.item.0].name.to_string();
            let server = server_of(site, instance);
            let is_chosen = self.chosen.is_some();
            if let Some(record) = self.snapshot.item(instance) {
                self.item(&Recorded {
                    directory: &directory,
                    record,
                    target,
                    server,
                    is_chosen,
                    came: Came::FromShare,
                });
            } else if let (true, Some(record)) = (is_chosen, self.snapshot.procedure(instance)) {
                self.procedure(&directory, record, target, server);
            }
        }
        if self.chosen.is_none() {
            for (directory, record) in self.snapshot.programs() {
                let server = directory.parts().nth(1).map(str::to_owned);
                let target = directory.name().to_owned();
                self.item(&Recorded {
                    directory,
                    record,
                    target,
                    server,
                    is_chosen: false,
                    came: Came::FromPayload,
                });
            }
        }
    }

    /// Rewrites a record if the files that it names, or the installer, differ from it.
    fn item(&mut self, of: &Recorded<'_>) {
        let Some(was) = installed(of.record) else {
            return;
        };
        if lies_in(&record_of(of.directory), &self.shut) {
            return;
        }
        let mut now = was.clone();
        now.files = self.files(of.directory, was);
        if of.came == Came::FromShare {
            self.installer(&mut now);
        }
        let is_forced = of.is_chosen && of.record.state != State::Verified;
        if now == *was && !is_forced {
            return;
        }
        let record = ItemRecord {
            state: State::Verified,
            installed: Some(now),
            ..of.record.clone()
        };
        if is_forced {
            let state = of.record.state.as_str();
            self.take(
                &record_of(of.directory),
                format!("said {state}, and says verified from now on"),
            );
        }
        let (was, becomes) = (item_side(Some(of.record)), item_side(Some(&record)));
        let seen = seen_item(Some(of.record));
        self.rewrite(
            of.directory,
            (of.target.clone(), of.server.clone()),
            (was, becomes),
            seen,
            record.to_toml(),
        );
    }

    /// Returns the files of an item as they are now.
    fn files(&mut self, directory: &RelPath, was: &Installed) -> BTreeMap<RelPath, FileRecord> {
        let mut files = was.files.clone();
        for (file, recorded) in &was.files {
            let at = self.snapshot.exact(&in_files(directory, file));
            match self.standing(&at) {
                Standing::Told => {}
                Standing::Gone => {
                    files.remove(file);
                    self.take(&at, "is gone");
                }
                Standing::File(_, FileFacts { size, sha256 }) => {
                    if sha256 != recorded.sha256 {
                        files.insert(file.clone(), FileRecord { size, sha256 });
                        self.take(&at, changed(recorded.size, size));
                    }
                }
                Standing::Directory(_) => self.leave(&at, "is a directory, not a file".to_owned()),
                Standing::Strange(what) => self.leave(&at, what),
            }
        }
        files
    }

    /// Records the installer as it is in the share, unless a run brought that one: it came after
    /// the item.
    fn installer(&mut self, now: &mut Installed) {
        let at = self.snapshot.share_path(&now.installer.name);
        match self.standing(&at) {
            Standing::File(at, FileFacts { size, sha256 }) => {
                let brought = self.expectation.there.get(&at);
                let as_brought = matches!(brought, Some(What::File { sha256: brought, .. }) if *brought == sha256);
                if sha256 != now.installer.sha256 && !as_brought {
                    now.installer.sha256 = sha256;
                    self.take(&at, format!("has other contents, {size} bytes now"));
                }
            }
            Standing::Gone => {
                if !self.expectation.gone.contains(&at) {
                    self.gone.insert(at.clone());
                    self.take(&at, "is gone");
                }
            }
            Standing::Directory(at) => self.leave(&at, "is a directory, not a file".to_owned()),
            Standing::Strange(what) => self.leave(&at, what),
            Standing::Told => {}
        }
    }

    /// Forces the state of a procedure. Procedures have no files, so there is nothing else to
    /// accept.
    fn procedure(
        &mut self,
        directory: &RelPath,
        was: &ProcedureRecord,
        target: String,
        server: Option<String>,
    ) {
        let at = record_of(directory);
        if !was.state.is_installed() || was.state == State::Verified || lies_in(&at, &self.shut) {
            return;
        }
        let mut record = was.clone();
        record.state = State::Verified;
        self.take(
            &at,
            format!("said {}, and says verified from now on", was.state.as_str()),
        );
        let sides = (procedure_side(Some(was)), procedure_side(Some(&record)));
        self.rewrite(
            directory,
            (target, server),
            sides,
            was.state.as_str().to_owned(),
            record.to_toml(),
        );
    }

    fn rewrite(
        &mut self,
        directory: &RelPath,
        (target, server): (String, Option<String>),
        (was, becomes): (Side, Side),
        seen: String,
        text: String,
    ) {
        let Standing::File(live, FileFacts { size, sha256 }) = self.standing(&record_of(directory))
        else {
            return;
        };
        let number = self.swaps.len() as u32 + 1;
        let old = vec![Entry {
            path: live.clone(),
            what: What::File { size, sha256 },
        }];
        let new = vec![text_entry(live.clone(), text)];
        let step = Some(ACCEPT.to_owned());
        self.swaps.push(Swap {
            number,
            step,
            live,
            old,
            new,
            travellers: Vec::new(),
        });
        let at = directory.clone();
        let kind = OperationKind::Accept;
        self.operations.push(Operation {
            kind,
            target,
            server,
            at,
            was,
            becomes,
            swap: number,
            line: 0,
            seen,
        });
    }

    /// Compares what runs left with what is there now, except for records that are rewritten.
    fn left_by_runs(&mut self) {
        let rewritten: BTreeSet<Folded> =
            self.swaps.iter().map(|swap| swap.live.folded()).collect();
        let expectation = self.expectation;
        for path in expectation.emptied.difference(&expectation.gone) {
            if self.in_scope(path) && matches!(self.standing(path), Standing::Gone) {
                self.is_gone(path);
            }
        }
        let there = expectation
            .there
            .iter()
            .filter(|(path, _)| !rewritten.contains(&path.folded()));
        for (path, what) in there
            .filter(|(path, _)| self.in_scope(path))
            .collect::<Vec<_>>()
        {
            match (self.standing(path), what) {
                (Standing::Told, _) | (_, What::Traveller) => {}
                (Standing::Gone, _) => self.is_gone(path),
                (Standing::Directory(found), What::Directory) => {
                    self.is_there(path, found, What::Directory, what)
                }
                (Standing::File(found, facts), What::File { .. }) => {
                    let now = What::File {
                        size: facts.size,
                        sha256: facts.sha256,
                    };
                    self.is_there(path, found, now, what);
                }
                (Standing::Directory(_), What::File { .. }) => {
                    self.leave(path, "is a directory, not a file".to_owned())
                }
                (Standing::File(..), What::Directory) => {
                    self.leave(path, "is a file, not a directory".to_owned())
                }
                (Standing::Strange(what), _) => self.leave(path, what),
            }
        }
    }

    fn is_gone(&mut self, path: &RelPath) {
        if !self.gone_with_its_directory(path) {
            self.gone.insert(path.clone());
            self.take(path, "is gone");
        }
    }

    fn gone_with_its_directory(&self, path: &RelPath) -> bool {
        path.ancestors()
            .any(|directory| self.gone.contains(&directory))
    }

    fn is_there(&mut self, path: &RelPath, found: RelPath, now: What, was: &What) {
        if found != *path {
            if !self.gone_with_its_directory(path) {
                self.gone.insert(path.clone());
                self.take(path, format!("is spelled `{}`", Shown(found.as_str())));
            }
            self.there.insert(found, now);
            return;
        }
        let (What::File { size, .. }, What::File { size: was_size, .. }) = (&now, was) else {
            return;
        };
        if now != *was {
            self.take(path, changed(*was_size, *size));
            self.there.insert(found, now);
        }
    }

    fn finish(self, reason: &str) -> Result<Accepting, Refusal> {
        let Self {
            snapshot,
            operations,
            swaps,
            there,
            gone,
            taken,
            left,
            ..
        } = self;
        if swaps.is_empty() && there.is_empty() && gone.is_empty() {
            return Ok(Accepting {
                plan: None,
                taken,
                left,
            });
        }
        let context = Context::of_site(snapshot);
        if let Some(reason) = super::bytes::too_much(&swaps, &[], &context, snapshot.free) {
            return Err(reason.into());
        }
        let there = there
            .into_iter()
            .map(|(path, what)| Entry { path, what })
            .collect();
        let acceptance = Acceptance {
            reason: reason.to_owned(),
            there,
            gone: gone.into_iter().collect(),
        };
        let in_force: Vec<_> = snapshot.level().in_force().map(|entry| entry.kb).collect();
        let step = PlannedStep {
            id: ACCEPT.to_owned(),
            title: "Take what lies on disk for true".to_owned(),
            action: ACCEPT.to_owned(),
            line: 0,
            operations,
            nothing: Vec::new(),
            left_out: Vec::new(),
            gate: None,
        };
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
            level: LevelChange {
                before: in_force.clone(),
                after: in_force,
            },
            confirmations: Vec::new(),
            warnings: Vec::new(),
            steps: vec![step],
            meanwhile: Vec::new(),
            sources: Vec::new(),
            swaps,
            prediction: Some(Prediction {
                digest: digest_of(&entries),
                entries,
            }),
            context,
            seal: None,
        };
        plan.bind();
        Ok(Accepting {
            plan: Some(Box::new(plan)),
            taken,
            left,
        })
    }
}

fn record_of(directory: &RelPath) -> RelPath {
    directory.with(&path("state.toml"))
}

/// Returns the installation that a record states, if there is one.
fn installed(record: &ItemRecord) -> Option<&Installed> {
    record
        .installed
        .as_ref()
        .filter(|_| record.state.is_installed())
}

fn server_of(site: &Description, instance: Instance) -> Option<String> {
    instance
        .server
        .map(|server| site.servers[server.0].name.to_string())
}

fn changed(was: u64, is: u64) -> String {
    match was == is {
        true => format!("has other contents, still {is} bytes"),
        false => format!("has other contents, {is} bytes instead of {was}"),
    }
}

fn is_below(path: &Folded, directory: &Folded) -> bool {
    path.as_str()
        .strip_prefix(directory.as_str())
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Returns whether a path, or one of its parent directories, is one of these, whatever the case.
fn lies_in(path: &RelPath, places: &BTreeSet<Folded>) -> bool {
    places.contains(&path.folded())
        || path
            .ancestors()
            .any(|directory| places.contains(&directory.folded()))
}
