//! First half of a run: all slow work, before anything changes.
//!
//! Every file that a step deploys is read once, and hashed while it is copied into the run's
//! directory. Installers are unpacked from that verified copy. All cores do this (see `parallel`),
//! each with its own buffer, so that memory use does not grow with the payload. After one sync,
//! everything is read back from the disk and compared; only then may `staged` be recorded in the
//! journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::attributes::{self, AttributesByPath, RecordedAttributes};
use super::check::{moved_to, not_as_written};
use super::containers::missing_containers;
use super::measure::differences_in;
use super::parallel::for_each_parallel;
use super::preflight::{Risk, risk};
use super::{Event, Listener, RunError, begin_phase};
use crate::deployment::attributes::{Attributes, OwnAccess};
use crate::deployment::lock::{host, user};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::open_file::OpenFile;
use crate::deployment::run_dir::{ROLLUP_DIR, RunDir};
use crate::deployment::tree::{DiskError, FileKind, Tree, hash_and};
use crate::installer::{Installer, PackagedFile, ReadSeek, SiblingFiles, Sink};
use crate::journal::{
    AskedOptions, FORMAT, JournalError, JournalWriter, Opened, Record, RunSignatures, RunSubject,
    next_number,
};
use crate::names::{Digest, Escaped, RelPath, same_name};
use crate::payload::Payload;
use crate::phase::Phase;
use crate::plan::{
    Entry, EntryKind, NewEntry, NewEntryKind, Origin, PackageMember, Plan, PlanSource, Reason,
    ReasonKind, SourceLocation, Subject, Swap, digest_of,
};

/// Size in bytes from which writing a complete file to disk begins before the sync.
const SYNC_EARLY_FROM: u64 = 1024 * 1024;

/// Run that is completely staged.
pub struct StagedRun {
    /// Directory of the run, below the deployment.
    pub run: RunDir,
    /// Journal of the run, open for writing.
    pub journal: JournalWriter,
}

/// Inputs of a run besides its plan.
#[derive(Default)]
pub struct RunRequest<'a> {
    /// Text of the manifest, which the run's directory keeps; `None` for a run that accepts drift.
    pub manifest: Option<&'a str>,
    /// Ids of the `confirm` prerequisites that were answered with yes.
    pub confirmed: Vec<String>,
    /// Options of the command, which later commands follow.
    pub options: AskedOptions,
    /// Signatures that the run is begun with, as they are recorded.
    pub signatures: RunSignatures,
    /// The signatures themselves, which the run's directory keeps.
    pub signed: SignedFiles,
}

/// Files with signatures, as they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedFiles {
    /// Approvals of the plan.
    pub approvals: Vec<SignedStatement>,
    /// Signature of the manifest.
    pub manifest: Option<String>,
}

/// Statement with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    pub statement: String,
    pub signature: String,
}

/// Stages a plan in a new run directory.
///
/// # Errors
///
/// Any failure; the directory is discarded then, and nothing of the deployment has changed.
pub fn stage(
    disk: &LockedDeployment,
    plan: &Plan,
    request: &RunRequest<'_>,
    payload: Option<&Payload>,
    listener: &mut dyn Listener,
) -> Result<StagedRun, RunError> {
    let run = ROLLUP_DIR.run(&next_run(disk.tree(), plan)?);
    let staged = Stager::new(disk, plan, run.clone(), payload).stage(request, listener);
    if staged.is_err() {
        // If the directory cannot be removed either, the next command clears it.
        let _ = disk.discard(&run);
    }
    staged
}

/// Returns the name that the next run will have.
pub fn next_run(tree: &Tree, plan: &Plan) -> Result<String, JournalError> {
    Ok(format!("{:04}-{}", next_number(tree)?, plan.subject))
}

impl StagedRun {
    /// Discards the staged run; nothing of the deployment has changed.
    pub fn discard(self, disk: &LockedDeployment) -> Result<(), DiskError> {
        disk.discard(&self.run)
    }
}

struct Stager<'a> {
    disk: &'a LockedDeployment,
    plan: &'a Plan,
    run: RunDir,
    payload: Option<&'a Payload>,
    /// Attributes that new files and directories get, by their live path.
    attributes: Mutex<BTreeMap<RelPath, Attributes>>,
    /// Targets of each source. The first copy is the one that is verified and that installers are
    /// unpacked from.
    copies: Vec<Vec<StagingTarget>>,
}

/// Target of a staged file.
struct StagingTarget {
    at: RelPath,
    whose: Whose,
}

/// Decides the attributes of a staged file.
enum Whose {
    /// File of the deployment that is renamed to this live path.
    Live(RelPath),
    /// File of rollup's own: of a manual step, or only copied to be unpacked.
    Own(OwnAccess),
}

impl<'a> Stager<'a> {
    fn new(
        disk: &'a LockedDeployment,
        plan: &'a Plan,
        run: RunDir,
        payload: Option<&'a Payload>,
    ) -> Self {
        let copies = copies(plan, &run.staging());
        Self {
            disk,
            plan,
            run: run.staging(),
            payload,
            attributes: Mutex::default(),
            copies,
        }
    }

    fn stage(
        self,
        request: &RunRequest<'_>,
        listener: &mut dyn Listener,
    ) -> Result<StagedRun, RunError> {
        let journal = self.open(request, listener)?;
        let phase = Phase::bytes("staging", self.bytes() + self.scratch_bytes(), "syncing");
        let staging = begin_phase(listener, phase);
        let swaps: Vec<&Swap> = self.plan.swaps.iter().collect();
        for_each_parallel(
            self.disk,
            swaps,
            |_| 0,
            listener,
            |swap| self.make_slot(swap, &staging),
        )?;
        if risk(self.disk.tree()) == Risk::Overlay {
            self.check_moves()?;
        }
        self.copy_sources(listener, &staging)?;
        self.unpack_members(listener, &staging)?;
        self.remove_sources()?;
        self.record_attributes()?;
        let syncing = begin_phase(listener, Phase::unmeasured("syncing"));
        drop(staging);
        self.disk.sync()?;
        drop(syncing);
        let phase = Phase::bytes("reading back", self.bytes(), "comparing");
        self.read_back(&begin_phase(listener, phase))?;
        self.record(journal, listener)
    }

    /// Makes the run's directory, and begins its journal.
    fn open(
        &self,
        request: &RunRequest<'_>,
        listener: &mut dyn Listener,
    ) -> Result<JournalWriter, RunError> {
        self.disk.make_own_directory(&self.run, OwnAccess::Shared)?;
        listener.report(&Event::Opened {
            run: self.run.name().to_owned(),
            bytes: self.bytes(),
            signatures: request.signatures.clone(),
        });
        let mut journal = JournalWriter::begin(self.disk, &self.run)?;
        let opened = opened(self.plan, request);
        journal.write(self.disk, Record::Opened(Box::new(opened)))?;
        if let Some(manifest) = request.manifest {
            self.disk
                .write_own(&self.run.manifest(), manifest.as_bytes())?;
        }
        self.disk
            .write_own(&self.run.plan(), self.plan.to_json().as_bytes())?;
        self.keep_signatures(&request.signed)?;
        // Who owns a directory in a slot could remove what an undo needs.
        self.disk
            .make_own_directory(&self.run.slots(), OwnAccess::Writers)?;
        self.disk
            .make_own_directory(&self.run.sources(), OwnAccess::Writers)?;
        self.make_manual_directories()?;
        Ok(journal)
    }

    /// Writes the signatures that the run is begun with. They are on disk before `staged` says so.
    fn keep_signatures(&self, signed: &SignedFiles) -> Result<(), RunError> {
        if let Some(signature) = &signed.manifest {
            self.disk
                .write_own(&self.run.manifest_signature(), signature.as_bytes())?;
        }
        if signed.approvals.is_empty() {
            return Ok(());
        }
        self.disk
            .make_own_directory(&self.run.approvals(), OwnAccess::Shared)?;
        for (number, signed) in (1..).zip(&signed.approvals) {
            let (statement, signature) = (&signed.statement, &signed.signature);
            self.disk
                .write_own(&self.run.approval(number), statement.as_bytes())?;
            self.disk
                .write_own(&self.run.approval_signature(number), signature.as_bytes())?;
        }
        Ok(())
    }

    /// Makes the directories for the files of manual steps.
    fn make_manual_directories(&self) -> Result<(), RunError> {
        let mut directories: BTreeSet<RelPath> = BTreeSet::new();
        for (at, _) in manual_files(self.plan, &self.run) {
            let above = at.ancestors();
            directories.extend(above.filter(|directory| directory.below(&self.run).is_some()));
        }
        for directory in directories {
            self.disk
                .make_own_directory(&directory, OwnAccess::Shared)?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.plan.new_bytes()
    }

    /// Makes the slot with its directories and its texts; other files follow.
    fn make_slot(&self, swap: &Swap, phase: &Phase) -> Result<(), RunError> {
        self.disk
            .make_own_directory(&self.run.slot(swap.number), OwnAccess::Writers)?;
        for entry in &swap.new {
            let at = staged_at(&self.run, swap, &entry.path);
            let attributes =
                self.attributes_of(&entry.path, matches!(entry.kind, NewEntryKind::Directory))?;
            match &entry.kind {
                NewEntryKind::Directory => self.disk.make_directory(&at, &attributes)?,
                NewEntryKind::File {
                    origin: Origin::Text(text),
                    ..
                } => {
                    self.disk.write(&at, text.as_bytes(), &attributes)?;
                    phase.advance(text.len() as u64);
                }
                NewEntryKind::File { .. } => {}
            }
        }
        Ok(())
    }

    /// Refuses a run that overlayfs would stop in the middle: it does not rename directories of lower
    /// layers unless it is mounted with `redirect_dir=on`.
    fn check_moves(&self) -> Result<(), RunError> {
        let occupied = self.run.slots();
        let mut reasons = Vec::new();
        for live in self.plan.live_paths() {
            let found = self.disk.tree().metadata(live)?;
            let is_directory = found.is_some_and(|found| found.kind == FileKind::Directory);
            if is_directory && !self.disk.can_move(live, &occupied)? {
                let shown = self.disk.tree().shown(Some(live));
                let message = format!("overlayfs refuses to rename `{}`", Escaped(&shown));
                let help =
                    "mount it with `redirect_dir=on`, or put the deployment on another file system";
                reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
            }
        }
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(RunError::NotReady(reasons)),
        }
    }

    /// Returns the attributes of the object at the same path before the run, else those that its
    /// directory gives.
    fn attributes_of(&self, live: &RelPath, directory: bool) -> Result<Attributes, RunError> {
        // The lock is not held while the disk is read: a second thread finds the same attributes,
        // because nothing there changes during staging.
        let known = || {
            self.attributes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let before = known().get(live).cloned();
        if let Some(before) = before {
            return Ok(before);
        }
        let wanted = if directory {
            FileKind::Directory
        } else {
            FileKind::File
        };
        let attributes = match self
            .disk
            .tree()
            .metadata(live)?
            .filter(|metadata| metadata.kind == wanted)
        {
            Some(_) if directory => Attributes::of_directory(self.disk.tree(), Some(live))?,
            Some(_) => Attributes::of_file(self.disk.tree(), live)?.carried_by_file(),
            None => {
                let parent = match live.parent() {
                    Some(parent) => self.attributes_of(&parent, true)?,
                    None => self.disk.root_attributes()?,
                };
                match directory {
                    true => parent.of_new_directory(),
                    false => parent.of_new_file(),
                }
            }
        };
        known().insert(live.clone(), attributes.clone());
        Ok(attributes)
    }

    /// Returns the number of bytes that are copied only for this run: to unpack them, or for a person.
    fn scratch_bytes(&self) -> u64 {
        let copies = self.copies.iter().zip(&self.plan.sources);
        let bytes = copies.map(|(targets, source)| {
            let own = |target: &&StagingTarget| matches!(target.whose, Whose::Own(_));
            targets.iter().filter(own).count() as u64 * source.size
        });
        bytes.sum()
    }

    /// Copies every source once, hashing it on the way, and from that copy to its other targets.
    fn copy_sources(&self, listener: &mut dyn Listener, phase: &Phase) -> Result<(), RunError> {
        let sources = (0..self.plan.sources.len()).collect();
        let size = |source: &usize| self.plan.sources[*source].size;
        for_each_parallel(self.disk, sources, size, listener, |&source| {
            let (first, others) = self.copies[source]
                .split_first()
                .expect("a source has a target");
            name_source(phase, &self.plan.sources[source]);
            let modified = self.copy_source(source, first, phase)?;
            others
                .iter()
                .try_for_each(|other| self.copy_staged(&first.at, other, Some(modified), phase))
        })
    }

    fn create_target(&self, target: &StagingTarget) -> Result<OpenFile, DiskError> {
        match target.whose {
            Whose::Live(_) => self.disk.create(&target.at),
            Whose::Own(access) => self.disk.create_own(&target.at, access),
        }
    }

    fn attributes_of_target(&self, target: &StagingTarget) -> Result<Attributes, RunError> {
        match &target.whose {
            Whose::Live(live) => self.attributes_of(live, false),
            Whose::Own(access) => Ok(self.disk.root_attributes()?.of_own_file(*access)),
        }
    }

    fn open_source(&self, source: usize) -> Result<(File, String), RunError> {
        match &self.plan.sources[source].at {
            SourceLocation::Share { path } => Ok((
                self.disk.tree().file(path)?,
                self.disk.tree().shown(Some(path)),
            )),
            SourceLocation::Payload { name } => {
                let missing = || {
                    let not_there = io::Error::from(io::ErrorKind::NotFound);
                    DiskError::new("find in the payload", name.as_str(), not_there)
                };
                let payload = self.payload.ok_or_else(missing)?;
                let at = payload.path_of(name)?.ok_or_else(missing)?;
                Ok((payload.tree().file(&at)?, payload.tree().shown(Some(&at))))
            }
        }
    }

    /// Copies and hashes a source in one pass; refuses a file that differs from the plan.
    fn copy_source(
        &self,
        source: usize,
        to: &StagingTarget,
        phase: &Phase,
    ) -> Result<i64, RunError> {
        let (mut from, shown) = self.open_source(source)?;
        let mut file = self.create_target(to)?;
        let wanted = &self.plan.sources[source];
        let fail = |error| DiskError::new("copy", shown.as_str(), error);
        let facts = hash_and(&mut from, wanted.size, fail, |chunk| {
            file.write_all(chunk).map_err(fail)?;
            phase.advance(chunk.len() as u64);
            Ok(())
        })?;
        if (facts.size, facts.sha256) != (wanted.size, wanted.sha256) {
            let difference = format!(
                "SHA-256 {} with {} bytes, not {}",
                facts.sha256, facts.size, wanted.sha256
            );
            return Err(RunError::Stale {
                path: shown,
                difference,
            });
        }
        let modified = from.metadata().map(|metadata| metadata.mtime());
        let modified = modified.map_err(|e| DiskError::new("look at", shown.as_str(), e))?;
        file.finish(&self.attributes_of_target(to)?, Some(modified))?;
        begin_sync(&file, facts.size);
        Ok(modified)
    }

    /// Copies a verified file in the kernel, as a clone if possible. Never makes a hard link: the
    /// files of two servers are two files.
    fn copy_staged(
        &self,
        from: &RelPath,
        to: &StagingTarget,
        modified: Option<i64>,
        phase: &Phase,
    ) -> Result<(), RunError> {
        let fail = |e| DiskError::new("copy", self.disk.tree().shown(Some(from)), e);
        let mut source = self.disk.tree().file(from)?;
        let mut target = self.create_target(to)?;
        let bytes = target.copy_from(&mut source).map_err(fail)?;
        target.finish(&self.attributes_of_target(to)?, modified)?;
        begin_sync(&target, bytes);
        phase.advance(bytes);
        Ok(())
    }

    /// Unpacks every installer once, and copies its files to their other targets.
    fn unpack_members(&self, listener: &mut dyn Listener, phase: &Phase) -> Result<(), RunError> {
        let mut wanted: BTreeMap<usize, Members<'_>> = BTreeMap::new();
        for swap in &self.plan.swaps {
            for entry in &swap.new {
                if let NewEntryKind::File {
                    origin: Origin::Member(PackageMember { source, key }),
                    ..
                } = &entry.kind
                {
                    let at = staged_at(&self.run, swap, &entry.path);
                    let staging_target = StagingTarget {
                        at,
                        whose: Whose::Live(entry.path.clone()),
                    };
                    wanted
                        .entry(*source)
                        .or_default()
                        .entry(key)
                        .or_default()
                        .push(staging_target);
                }
            }
        }
        let size = |(source, _): &(usize, Members<'_>)| self.plan.sources[*source].size;
        for_each_parallel(
            self.disk,
            wanted.into_iter().collect(),
            size,
            listener,
            |(source, members)| {
                name_source(phase, &self.plan.sources[*source]);
                for (keys, modified) in self.unpack(*source, members, phase)? {
                    let mut targets = keys.iter().flat_map(|key| &members[*key]);
                    let first = targets.next().expect("a file that is needed has a target");
                    targets.try_for_each(|target| {
                        self.copy_staged(&first.at, target, modified, phase)
                    })?;
                }
                Ok(())
            },
        )
    }

    /// Unpacks a package: the first target of each content. Returns the contents that are needed.
    fn unpack<'p>(
        &self,
        source: usize,
        members: &Members<'p>,
        phase: &Phase,
    ) -> Result<Vec<UnpackedContent<'p>>, RunError> {
        let copy = &self.copies[source][0].at;
        let shown = self.disk.tree().shown(Some(copy));
        let mut targets = BTreeMap::new();
        for (member, staging_targets) in members {
            targets.insert(
                *member,
                (
                    &staging_targets[0].at,
                    self.attributes_of_target(&staging_targets[0])?,
                ),
            );
        }
        let mut sink = SlotSink {
            disk: self.disk,
            targets,
            contents: Vec::new(),
            phase,
            failed: None,
        };
        let mut beside = StagedCabinets {
            disk: self.disk,
            plan: self.plan,
            copies: &self.copies,
            source,
        };
        let file = BufReader::new(self.disk.tree().file(copy)?);
        // The planner unpacked the same bytes, and the files unpacked now are read back and
        // compared with the plan.
        let unpacked = Installer::open(file)
            .and_then(|mut installer| installer.unpack(&mut beside, &mut sink));
        unpacked.map_err(|error| DiskError::new("unpack", shown, io::Error::other(error)))?;
        sink.failed
            .map_or(Ok(sink.contents), |error| Err(error.into()))
    }

    /// Removes the copies that only served for unpacking.
    fn remove_sources(&self) -> Result<(), RunError> {
        Ok(self.disk.remove_tree(&self.run.sources())?)
    }

    /// Checks that all staged objects have the attributes that they should have, and records them; an
    /// accept run records those of the paths that it accepts.
    fn record_attributes(&self) -> Result<(), RunError> {
        let tree = self.disk.tree();
        let entries = self.plan.swaps.par_iter();
        let entries = entries.flat_map_iter(|swap| swap.new.iter().map(move |entry| (swap, entry)));
        let staged = entries.map(|(swap, entry)| {
            let at = staged_at(&self.run, swap, &entry.path);
            let is_directory = matches!(entry.kind, NewEntryKind::Directory);
            let wanted = self.attributes_of(&entry.path, is_directory)?;
            let found = match is_directory {
                true => Attributes::of_directory(tree, Some(&at))?,
                false => Attributes::of_file(tree, &at)?,
            };
            match wanted.are_carried_to(&found) {
                true => Ok((entry.path.clone(), RecordedAttributes::of(&found))),
                false => Err(RunError::NotCarried {
                    path: tree.shown(Some(&entry.path)),
                }),
            }
        });
        let mut recorded: AttributesByPath = staged.collect::<Result<_, RunError>>()?;
        for container in missing_containers(self.disk, self.plan)? {
            let attributes = self.attributes_of(&container, true)?;
            recorded.insert(container, RecordedAttributes::of_container(&attributes));
        }
        if let Subject::Accept(acceptance) = &self.plan.subject {
            for entry in &acceptance.there {
                let now = attributes::recorded_now(tree, &entry.path)?;
                recorded.extend(now.map(|now| (entry.path.clone(), now)));
            }
        }
        Ok(attributes::write(self.disk, &self.run, recorded)?)
    }

    /// Compares all staged objects with the plan, read from the disk itself as far as the system
    /// allows.
    fn read_back(&self, phase: &Phase) -> Result<(), RunError> {
        let staged = self.plan.swaps.iter().flat_map(|swap| {
            let new: Vec<Entry> = swap.new.iter().map(NewEntry::entry).collect();
            moved_to(&new, &swap.live, &self.run.new_object(swap.number))
        });
        let manual = manual_files(self.plan, &self.run);
        let manual = manual.into_iter().map(|(path, source)| {
            let PlanSource { size, sha256, .. } = self.plan.sources[source];
            let kind = EntryKind::File { size, sha256 };
            Entry { path, kind }
        });
        let staged: Vec<Entry> = staged.chain(manual).collect();
        let files = staged
            .par_iter()
            .filter(|entry| matches!(entry.kind, EntryKind::File { .. }));
        files.try_for_each(|entry| self.disk.tree().file(&entry.path).map(|file| forget(&file)))?;
        match differences_in(self.disk.tree(), &staged, phase)?
            .into_iter()
            .next()
        {
            None => Ok(()),
            Some(found) => Err(not_as_written(
                self.disk.tree(),
                self.plan,
                &self.run,
                found,
            )),
        }
    }

    fn record(
        self,
        mut journal: JournalWriter,
        listener: &mut dyn Listener,
    ) -> Result<StagedRun, RunError> {
        let new = staged_digest(self.plan);
        journal.write(self.disk, Record::Staged { new })?;
        let run = self.run.staged();
        self.disk.rename(&self.run.slots(), &run.slots())?;
        // On btrfs the next sync of the journal alone could lose the directory under both names.
        self.disk.sync()?;
        let bytes = self.bytes();
        listener.report(&Event::Staged { bytes });
        Ok(StagedRun { run, journal })
    }
}

/// Returns the first record of a run.
pub(super) fn opened(plan: &Plan, request: &RunRequest<'_>) -> Opened {
    Opened {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        user: user(),
        host: host(),
        subject: match &plan.subject {
            Subject::Rollup(rollup) => RunSubject::Rollup(rollup.clone()),
            Subject::Accept(acceptance) => RunSubject::Accept {
                reason: acceptance.reason.clone(),
                applied: acceptance.applied,
            },
        },
        plan: plan.digest.expect("only a plan with a payload is run"),
        confirmed: request.confirmed.clone(),
        options: request.options.clone(),
        signatures: request.signatures.clone(),
    }
}

/// Returns the digest over all new objects of a plan.
pub(super) fn staged_digest(plan: &Plan) -> Digest {
    let new = plan.swaps.iter().flat_map(|swap| &swap.new);
    let new: Vec<Entry> = new.map(NewEntry::entry).collect();
    digest_of(&new)
}

/// Files of a package that a plan needs, by their keys in it, each with its targets.
type Members<'p> = BTreeMap<&'p str, Vec<StagingTarget>>;

/// One content of a package: the keys of the files that have it and that the plan needs, and its
/// time.
type UnpackedContent<'p> = (Vec<&'p str>, Option<i64>);

/// Returns the targets of every source that is copied as it is; at least one for each source.
fn copies(plan: &Plan, run: &RunDir) -> Vec<Vec<StagingTarget>> {
    let mut copies: Vec<Vec<StagingTarget>> = plan.sources.iter().map(|_| Vec::new()).collect();
    for swap in &plan.swaps {
        for entry in &swap.new {
            if let NewEntryKind::File {
                origin: Origin::Source(source),
                ..
            } = &entry.kind
            {
                let at = staged_at(run, swap, &entry.path);
                copies[*source].push(StagingTarget {
                    at,
                    whose: Whose::Live(entry.path.clone()),
                });
            }
        }
    }
    for (at, source) in manual_files(plan, run) {
        let whose = Whose::Own(OwnAccess::Shared);
        copies[source].push(StagingTarget { at, whose });
    }
    for (source, staging_targets) in copies
        .iter_mut()
        .enumerate()
        .filter(|(_, staging_targets)| staging_targets.is_empty())
    {
        staging_targets.push(StagingTarget {
            at: run.source(source),
            whose: Whose::Own(OwnAccess::Writers),
        });
    }
    copies
}

/// Returns the staged files of manual steps, each with its source.
fn manual_files(plan: &Plan, run: &RunDir) -> Vec<(RelPath, usize)> {
    let mut files = Vec::new();
    for step in &plan.steps {
        for file in step.manual.iter().flat_map(|manual| &manual.files) {
            let directory = run.manual_step(&step.id);
            if let (Ok(at), Some(source)) = (directory.join(file.name.as_str()), file.source) {
                files.push((at, source));
            }
        }
    }
    files
}

/// Returns the path of a part of a new object while it is staged.
fn staged_at(run: &RunDir, swap: &Swap, entry: &RelPath) -> RelPath {
    let new = run.new_object(swap.number);
    entry
        .below(&swap.live)
        .map_or(new.clone(), |below| new.with(&below))
}

/// Asks the system to drop its cached contents of a file; only a hint, so a failure is ignored.
pub(super) fn forget(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

/// Starts writing a staged file to disk while the rest is still hashed; small files are better
/// written together.
fn begin_sync(file: &OpenFile, size: u64) {
    if size >= SYNC_EARLY_FROM {
        file.begin_sync();
    }
}

/// Sink that writes each file of a package to the first of its targets.
struct SlotSink<'s, 'p> {
    disk: &'s LockedDeployment,
    targets: BTreeMap<&'p str, (&'s RelPath, Attributes)>,
    contents: Vec<UnpackedContent<'p>>,
    phase: &'s Phase,
    /// Error that kept a file from getting its attributes.
    failed: Option<DiskError>,
}

impl Sink for SlotSink<'_, '_> {
    fn file<'a>(
        &'a mut self,
        files: &[&PackagedFile],
        modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>> {
        let needed = files.iter().filter_map(|file| {
            let (key, _) = self.targets.get_key_value(file.key.as_str())?;
            Some(*key)
        });
        let needed: Vec<&str> = needed.collect();
        // A content of the package that this plan does not need.
        let Some(first) = needed.first() else {
            return Ok(Box::new(io::sink()));
        };
        let (at, attributes) = &self.targets[first];
        self.contents.push((needed, modified));
        let target = self.disk.create(at).map_err(io::Error::other)?;
        let size = files[0].size;
        self.phase.advance(size);
        Ok(Box::new(UnpackedTarget {
            file: target,
            size,
            attributes: attributes.clone(),
            modified,
            failed: &mut self.failed,
        }))
    }
}

/// File of a package that is being unpacked; it gets its attributes when it is complete.
struct UnpackedTarget<'a> {
    file: OpenFile,
    size: u64,
    attributes: Attributes,
    modified: Option<i64>,
    failed: &'a mut Option<DiskError>,
}

impl Write for UnpackedTarget<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for UnpackedTarget<'_> {
    fn drop(&mut self) {
        match self.file.finish(&self.attributes, self.modified) {
            Ok(()) => begin_sync(&self.file, self.size),
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }
}

/// Verified copies of the files that belong beside an installer.
struct StagedCabinets<'a> {
    disk: &'a LockedDeployment,
    plan: &'a Plan,
    copies: &'a [Vec<StagingTarget>],
    source: usize,
}

impl SiblingFiles for StagedCabinets<'_> {
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let beside = self.plan.sources[self.source].beside.iter();
        let beside = beside.filter(|cabinet| is_beside(self.path(**cabinet), path));
        // A file of the same name in a directory below has more parts.
        let Some(&cabinet) = beside.min_by_key(|cabinet| self.path(**cabinet).parts().count())
        else {
            return Ok(None);
        };
        let copy = &self.copies[cabinet][0].at;
        let mut file = self.disk.tree().file(copy).map_err(|error| error.source)?;
        file.rewind()?;
        Ok(Some(Box::new(BufReader::new(file))))
    }
}

impl StagedCabinets<'_> {
    fn path(&self, source: usize) -> &RelPath {
        path_of(&self.plan.sources[source])
    }
}

fn path_of(source: &PlanSource) -> &RelPath {
    match &source.at {
        SourceLocation::Payload { name } => name.as_rel_path(),
        SourceLocation::Share { path } => path,
    }
}

fn name_source(phase: &Phase, source: &PlanSource) {
    phase.at_file(path_of(source).name(), source.size);
}

/// Returns whether a file is the one at a path in the directory of its package. A file that was
/// copied to the share was in any directory of the payload.
fn is_beside(known: &RelPath, path: &RelPath) -> bool {
    let mut parts = known.parts().rev();
    path.parts()
        .rev()
        .all(|part| parts.next().is_some_and(|known| same_name(known, part)))
}
