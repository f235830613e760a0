//! Snapshot of a deployment: everything that a plan depends on, read once.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::applied::AppliedRollups;
use super::description::{Description, Instance, ItemKind, ServerId, ServiceId};
use super::item_dir::ItemDir;
use super::records::{
    ItemRecord, LONGEST_RECORD, ProcedureRecord, RecordError, ServiceRecord, State,
};
use crate::deployment::disk::free_space::{FreeSpace, free};
use crate::deployment::disk::tree::{DiskError, FileFacts, FileKind, FoundEntry, Tree, path};
use crate::installer::{self, Contents, ReadSeek, SiblingFiles};
use crate::names::{CaseFolded, Digest, FileName, Kb, RelPath};

/// Parts of a deployment that a plan may touch; only these are hashed and opened.
#[derive(Debug, Clone, Default)]
pub struct Interest {
    /// Items and procedures.
    pub instances: BTreeSet<Instance>,
    /// Files of the share that may be replaced or read.
    pub share: BTreeSet<CaseFolded>,
    /// Files of the share from which items may be installed.
    pub packages: BTreeSet<CaseFolded>,
    /// Servers on which a step may run a package.
    pub programs_on: BTreeSet<ServerId>,
    /// Services that may change.
    pub services: BTreeSet<(ServiceId, ServerId)>,
    /// Files below the servers' `Files` that may be replaced.
    pub files: BTreeSet<RelPath>,
}

/// Contents of a deployment. Look-ups fold case; paths are returned in the spelling on disk.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Description of everything that exists, installed or not.
    pub description: Description,
    /// Pairs of entries that differ only in case.
    pub clashes: Vec<(RelPath, RelPath)>,
    /// Names on disk that are not UTF-8, escaped.
    pub unreadable: Vec<String>,
    /// Records that cannot be used, with the reason.
    pub faults: Vec<(RelPath, RecordError)>,
    /// Applied rollups: the records in `applied`, and those that `deployment.toml` lists.
    pub applied: AppliedRollups,
    /// Free space on the file system; `None` if it is not reported.
    pub free: Option<FreeSpace>,
    /// Facts from the journals of finished and unfinished runs; the caller fills it in, since only
    /// it reads journals.
    pub past: PastRuns,
    /// Second entry of each clash.
    second_spellings: BTreeSet<RelPath>,
    nodes: BTreeMap<CaseFolded, FoundEntry>,
    facts: BTreeMap<RelPath, FileFacts>,
    items: BTreeMap<Instance, ItemRecord>,
    procedures: BTreeMap<Instance, ProcedureRecord>,
    services: BTreeMap<(ServiceId, ServerId), ServiceRecord>,
    programs: BTreeMap<CaseFolded, ItemRecord>,
    packages: BTreeMap<CaseFolded, Result<Contents, String>>,
}

/// Facts about earlier runs that a plan has to know.
#[derive(Debug, Clone, Default)]
pub struct PastRuns {
    /// Number of the newest run of each rollup that is finished and not undone; a run that caught
    /// up counts as the run that it completed.
    pub ranks: BTreeMap<Kb, u32>,
    /// Paths that were accepted as missing.
    pub gone: BTreeSet<RelPath>,
    /// Run that must be closed or discarded before another one can start.
    pub open: Option<OpenRun>,
    /// Differences from the state after the run of the rollup at hand; `None` if no such run is
    /// known.
    pub drift: Option<Vec<String>>,
}

/// Run that is neither finished nor undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Its name, such as `0012-KB952076`.
    pub name: String,
    /// Description of its state, such as "unfinished, rolling back".
    pub state: String,
    /// Digest of its plan, if it is staged and not begun, so that the same plan commits it.
    pub staged: Option<Digest>,
}

impl PastRuns {
    /// Returns the number of the run that brought what a rollup left; 0 if no run is known.
    pub fn rank(&self, kb: Kb) -> u32 {
        self.ranks.get(&kb).copied().unwrap_or_default()
    }

    /// Returns whether a path, or a directory above it, was accepted as missing.
    pub fn is_accepted_as_gone(&self, path: &RelPath) -> bool {
        !self.gone.is_empty()
            && (self.gone.contains(path)
                || path.ancestors().any(|above| self.gone.contains(&above)))
    }
}

impl Snapshot {
    /// Reads a deployment. `past` stays empty.
    pub fn read(
        tree: &Tree,
        description: Description,
        interest: &Interest,
    ) -> Result<Self, DiskError> {
        let listing = tree.walk(None)?;
        let mut snapshot = Self {
            description,
            clashes: Vec::new(),
            unreadable: listing.unreadable,
            faults: Vec::new(),
            applied: AppliedRollups::default(),
            free: free(tree),
            past: PastRuns::default(),
            second_spellings: BTreeSet::new(),
            nodes: BTreeMap::new(),
            facts: BTreeMap::new(),
            items: BTreeMap::new(),
            procedures: BTreeMap::new(),
            services: BTreeMap::new(),
            programs: BTreeMap::new(),
            packages: BTreeMap::new(),
        };
        snapshot.add_entries(listing.found);
        snapshot.read_records(tree)?;
        snapshot.read_programs(tree)?;
        snapshot.hash_interesting(tree, interest)?;
        snapshot.open_packages(tree, interest)?;
        Ok(snapshot)
    }

    fn add_entries(&mut self, found: Vec<FoundEntry>) {
        for found in found {
            match self.nodes.entry(found.path.case_folded()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(found);
                }
                std::collections::btree_map::Entry::Occupied(first) => {
                    self.second_spellings.insert(found.path.clone());
                    self.clashes.push((first.get().path.clone(), found.path));
                }
            }
        }
    }

    fn read_records(&mut self, tree: &Tree) -> Result<(), DiskError> {
        self.read_applied(tree)?;
        let instances: Vec<_> = self.description.all_instances().collect();
        let read = |instance: &Instance| {
            let directory = self.description.directory(*instance);
            let file = self.actual(&ItemDir(&directory).record());
            self.text(tree, &file)
                .map(|text| text.map(|text| (*instance, file, text)))
        };
        let texts: Vec<_> = instances.par_iter().map(read).collect::<Result<_, _>>()?;
        for (instance, file, text) in texts.into_iter().flatten() {
            match self.description.items[instance.item.0].kind {
                ItemKind::Component { .. } => {
                    let record = self.checked(&file, ItemRecord::parse(&text));
                    self.items.extend(record.map(|record| (instance, record)));
                }
                ItemKind::Procedure { .. } => {
                    let record = self.checked(&file, ProcedureRecord::parse(&text));
                    if let Some(mut record) = record {
                        let item = &self.description.items[instance.item.0];
                        item.hide_secrets(&mut record.parameters);
                        self.procedures.insert(instance, record);
                    }
                }
            }
        }
        for (service, server) in self.description.all_services() {
            let file = self.actual(&self.description.service_file(service, server));
            if let Some(text) = self.text(tree, &file)? {
                let record = self.checked(&file, ServiceRecord::parse(&text));
                self.services
                    .extend(record.map(|record| ((service, server), record)));
            }
        }
        Ok(())
    }

    /// Reads the records of applied rollups.
    fn read_applied(&mut self, tree: &Tree) -> Result<(), DiskError> {
        let (applied, faults) = AppliedRollups::read(tree, &self.description.applied)?;
        self.applied = applied;
        self.faults.extend(faults);
        Ok(())
    }

    /// Reads the records of programs that steps ran, `Servers/SERVER/Programs/PRODUCT/state.toml`.
    fn read_programs(&mut self, tree: &Tree) -> Result<(), DiskError> {
        let servers = path("Servers");
        let programs = self.below(&servers).filter(|found| {
            let mut parts = found.path.parts().skip(2);
            found.path.parts().count() == 5
                && parts
                    .next()
                    .is_some_and(|part| crate::names::same_name(part, "Programs"))
                && ItemDir::is_record(&found.path)
        });
        let files: Vec<_> = programs.map(|found| found.path.clone()).collect();
        for file in files {
            if let Some(text) = self.text(tree, &file)? {
                let record = self.checked(&file, ItemRecord::parse(&text));
                let directory = file.parent().expect("five parts").case_folded();
                self.programs
                    .extend(record.map(|record| (directory, record)));
            }
        }
        Ok(())
    }

    fn text(&self, tree: &Tree, file: &RelPath) -> Result<Option<String>, DiskError> {
        match self.node(file) {
            Some(found) if found.kind == FileKind::File => tree.text(&found.path, LONGEST_RECORD),
            // The plan refuses a link or a directory at this path, if it matters.
            _ => Ok(None),
        }
    }

    fn checked<T>(&mut self, file: &RelPath, record: Result<T, RecordError>) -> Option<T> {
        record
            .map_err(|fault| self.faults.push((file.clone(), fault)))
            .ok()
    }

    fn hash_interesting(&mut self, tree: &Tree, interest: &Interest) -> Result<(), DiskError> {
        let mut wanted: BTreeSet<RelPath> = BTreeSet::new();
        let mut want = |file: &RelPath| {
            if let Some(FoundEntry {
                path,
                kind: FileKind::File,
            }) = self.node(file)
            {
                wanted.insert(path.clone());
            }
        };
        for &instance in &interest.instances {
            let directory = self.description.directory(instance);
            want(&ItemDir(&directory).record());
            let files = self
                .items
                .get(&instance)
                .and_then(|record| record.installed.as_ref());
            files
                .iter()
                .flat_map(|i| i.files.keys())
                .for_each(|file| want(&ItemDir(&directory).file(file)));
        }
        for (directory, record) in &self.programs {
            let Some(FoundEntry {
                path: directory, ..
            }) = self.nodes.get(directory)
            else {
                continue;
            };
            let server = directory
                .parts()
                .nth(1)
                .and_then(|name| self.description.server(name));
            if server.is_some_and(|server| interest.programs_on.contains(&server)) {
                want(&ItemDir(directory).record());
                let files = record.installed.as_ref();
                files
                    .iter()
                    .flat_map(|i| i.files.keys())
                    .for_each(|file| want(&ItemDir(directory).file(file)));
            }
        }
        for &(service, server) in &interest.services {
            want(&self.description.service_file(service, server));
        }
        interest.files.iter().for_each(&mut want);
        for name in &interest.share {
            // The plan refuses anything but a file, by name.
            if let Some(found) = self
                .share_file(name)
                .filter(|found| found.kind == FileKind::File)
            {
                wanted.insert(found.path.clone());
            }
        }
        let facts = |file: RelPath| tree.facts(&file).map(|facts| (file, facts));
        self.facts = wanted
            .into_par_iter()
            .map(facts)
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn open_packages(&mut self, tree: &Tree, interest: &Interest) -> Result<(), DiskError> {
        for name in &interest.packages {
            let Some(found) = self
                .share_file(name)
                .filter(|found| found.kind == FileKind::File)
            else {
                continue;
            };
            let file = tree.file(&found.path)?;
            let mut siblings = ShareSiblings {
                snapshot: self,
                tree,
            };
            let contents = installer::contents(std::io::BufReader::new(file), &mut siblings);
            self.packages
                .insert(name.clone(), contents.map_err(|error| error.to_string()));
        }
        Ok(())
    }

    /// Returns whether an item is installed; for a procedure, whether it has run.
    pub fn is_installed(&self, instance: Instance) -> bool {
        let item = self.item(instance).map(|record| record.state);
        let state = item.or_else(|| self.procedure(instance).map(|record| record.state));
        state.is_some_and(State::is_installed)
    }

    /// Returns the entry at a path, regardless of case.
    pub fn node(&self, path: &RelPath) -> Option<&FoundEntry> {
        self.nodes.get(&path.case_folded())
    }

    /// Returns everything on disk but `.rollup`, sorted by folded path.
    pub fn entries(&self) -> impl Iterator<Item = &FoundEntry> {
        self.nodes.values()
    }

    /// Returns everything below a directory, sorted by folded path.
    pub fn below(&self, directory: &RelPath) -> impl Iterator<Item = &FoundEntry> {
        self.below_folded(&directory.case_folded())
    }

    /// Returns everything below a directory, given by its folded path.
    pub fn below_folded<'s>(
        &'s self,
        directory: &CaseFolded,
    ) -> impl Iterator<Item = &'s FoundEntry> + use<'s> {
        let prefix = format!("{}/", directory.as_str());
        let from = CaseFolded::of(&prefix);
        self.nodes
            .range(from..)
            .map_while(move |(path, found)| path.as_str().starts_with(&prefix).then_some(found))
    }

    /// Returns a path in the spelling on disk, as far as it exists.
    pub fn actual(&self, wanted: &RelPath) -> RelPath {
        if let Some(found) = self.node(wanted) {
            return found.path.clone();
        }
        match wanted.parent() {
            None => wanted.clone(),
            Some(parent) => self
                .actual(&parent)
                .join(wanted.name())
                .expect("the parts of a path"),
        }
    }

    /// Returns the given path if it is the second spelling of a clash, else the path in the
    /// spelling on disk.
    pub fn exact(&self, wanted: &RelPath) -> RelPath {
        match self.second_spellings.contains(wanted) {
            true => wanted.clone(),
            false => self.actual(wanted),
        }
    }

    /// Returns the path and the fault of an item that only seems not installed: its record is not a
    /// file, or it has files without a record.
    pub fn hidden(&self, directory: &RelPath) -> Option<(RelPath, String)> {
        let record = self.node(&ItemDir(directory).record());
        if let Some(found) = record.filter(|found| found.kind != FileKind::File) {
            return Some((
                found.path.clone(),
                format!("is {}, not a file", found.kind.with_article()),
            ));
        }
        let files = ItemDir(directory).files();
        let lost = record.is_none() && self.below(&files).any(|found| found.kind == FileKind::File);
        lost.then(|| {
            (
                files,
                "contains files, but no `state.toml` describes them".to_owned(),
            )
        })
    }

    /// Returns a file of the share, by folded name.
    pub fn share_file(&self, name: &CaseFolded) -> Option<&FoundEntry> {
        let path = format!(
            "{}/{}",
            self.description.share.case_folded().as_str(),
            name.as_str()
        );
        self.nodes.get(&CaseFolded::of(&path))
    }

    /// Returns the path at which the share has, or would have, an installer with this name.
    pub fn share_path(&self, name: &FileName) -> RelPath {
        let path = format!("{}/{name}", self.description.share);
        RelPath::parse(&path).expect("a checked name in a checked directory")
    }

    /// Returns size and hash of a file in the [`Interest`], by its path on disk.
    pub fn facts(&self, path: &RelPath) -> Option<FileFacts> {
        self.facts.get(path).copied()
    }

    /// Returns the record of an item's instance.
    pub fn item(&self, instance: Instance) -> Option<&ItemRecord> {
        self.items.get(&instance)
    }

    /// Returns the record of a procedure's instance.
    pub fn procedure(&self, instance: Instance) -> Option<&ProcedureRecord> {
        self.procedures.get(&instance)
    }

    /// Returns the state of a service on a server; without a file it is running and enabled.
    pub fn service(&self, service: ServiceId, server: ServerId) -> ServiceRecord {
        self.services
            .get(&(service, server))
            .copied()
            .unwrap_or_default()
    }

    /// Returns the record of a program that a step ran, by its directory.
    pub fn program(&self, directory: &RelPath) -> Option<&ItemRecord> {
        self.programs.get(&directory.case_folded())
    }

    /// Returns all records of programs that steps ran: the directory on disk and the record.
    pub fn programs(&self) -> impl Iterator<Item = (&RelPath, &ItemRecord)> {
        self.programs
            .iter()
            .filter_map(|(directory, record)| Some((&self.nodes.get(directory)?.path, record)))
    }

    /// Returns the contents of a package of the share, by folded name, or the reason why it cannot
    /// be used.
    pub fn package(&self, name: &CaseFolded) -> Option<&Result<Contents, String>> {
        self.packages.get(name)
    }
}

/// Files beside a package in the share.
struct ShareSiblings<'a> {
    snapshot: &'a Snapshot,
    tree: &'a Tree,
}

impl SiblingFiles for ShareSiblings<'_> {
    fn open(&mut self, path: &RelPath) -> std::io::Result<Option<Box<dyn ReadSeek>>> {
        match self.snapshot.share_file(&path.case_folded()) {
            None => Ok(None),
            Some(found) => {
                let file = self.tree.file(&found.path).map_err(|error| error.source)?;
                Ok(Some(Box::new(std::io::BufReader::new(file))))
            }
        }
    }
}
