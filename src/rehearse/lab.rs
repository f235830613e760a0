//! Directory of a lab: how it is created, marked, recognized and replaced.
//!
//! You may rehearse as root, in a directory that others can write to. So a lab has to be owned by
//! the caller, everything in it is created through directory handles, and `--replace` removes it
//! only if every file in it is known: from the listing in its marker file, or from the plans of the
//! runs that its deployments have had since.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt};

use super::copy::copy_tree;
use super::crashes::{self, COMMANDS_RUN, FIRST_FAILURE, START_STATE};
use super::lab_writer::{BuiltTree, LabProgress, LabWriter};
use super::listing::{LabMarker, ListedObjects, Listing, MARKER, completeness};
use super::payload::InstalledVersions;
use super::secrets::SecretFiles;
use super::{LabError, disk, payload, site};
use crate::deployment::deletion::{list_in, refuse_mounts_in, remove_tree};
use crate::deployment::description::Description;
use crate::deployment::run_dir::{ROLLUP_DIR, RollupDir, RunDir};
use crate::deployment::tree::{FileKind, Tree};
use crate::manifest::Manifest;
use crate::names::RelPath;
use crate::plan::{Entry, EntryKind, NewEntry, Plan};
use crate::run::{is_made_by_staging, load_plan, path_parts, slot_entries};

/// Directory of the built payload, or of those of several manifests.
const PAYLOAD: &str = "payload";

/// Lab that is ready. As long as this value exists, no other process replaces the lab.
#[derive(Debug, Clone)]
pub struct Lab {
    pub deployment: PathBuf,
    /// Payload of each manifest, in their order.
    pub payloads: Vec<PathBuf>,
    listing: Arc<Listing>,
}

/// Origin of the deployment of a lab.
#[derive(Debug, Clone, Copy)]
pub enum LabOrigin<'a> {
    /// Built in its state before the rollup, from the text of a `deployment.toml`.
    Built(&'a str),
    /// A copy of a deployment.
    Copied(&'a Path),
}

/// Treatment of a lab that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// Keep it, and fail.
    Refuse,
    /// Remove it, if `rehearse` made everything in it.
    Replace,
}

/// State of the directory in which a lab is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabState {
    /// The directory does not exist.
    Absent,
    /// An empty directory.
    Empty,
    /// A lab that was finished.
    Complete,
    /// A lab that was not finished.
    Incomplete,
    /// Anything else.
    Other,
}

impl LabState {
    /// Determines the state of a directory.
    pub fn of(directory: &Path) -> Self {
        match (directory.symlink_metadata(), completeness(directory)) {
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Self::Absent,
            (_, Some(true)) => Self::Complete,
            (_, Some(false)) => Self::Incomplete,
            _ if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none()) => {
                Self::Empty
            }
            _ => Self::Other,
        }
    }
}

/// Contents of the deployment of a lab.
enum LabContents<'a> {
    Built(BuiltTree),
    Copied(&'a Path, SecretFiles<'a>),
}

/// Makes a lab in a directory: a deployment from its origin, and a built payload for each manifest
/// unless `real` has their payloads. The deployment is in its state before the first of them.
///
/// # Errors
///
/// Returns the first obstacle. All checks that need no writing precede the first change, and
/// everything made before a failure is removed.
pub fn prepare(
    manifests: &[&Manifest],
    description: &Description,
    directory: &Path,
    origin: LabOrigin<'_>,
    real: &[PathBuf],
    existing: OnExisting,
    progress: LabProgress<'_>,
) -> Result<Lab, LabError> {
    if let LabOrigin::Copied(own) = origin {
        refuse_inside(directory, own)?;
        refuse_to_lose(directory, own)?;
    }
    for real in real {
        refuse_to_lose(directory, real)?;
    }
    let built = match real {
        [] => built_payloads(manifests, description, origin)?,
        _ => Vec::new(),
    };
    let payloads = match real {
        [] => built.iter().map(|(path, _)| directory.join(path)).collect(),
        _ => real.to_vec(),
    };
    let deployment = match origin {
        LabOrigin::Copied(own) => LabContents::Copied(own, SecretFiles::of(description, own)),
        LabOrigin::Built(text) => {
            LabContents::Built(site::contents(description, without_schema_line(text))?)
        }
    };
    let lab_directory = LabDirectory::open(directory, existing)?;
    let listing = lab_directory.begin()?;
    match lab_directory.fill(&listing, deployment, built, progress) {
        Ok(()) => Ok(Lab {
            deployment: directory.join("deployment"),
            payloads,
            listing: Arc::new(listing),
        }),
        Err(error) => {
            drop(listing);
            // A lab that cannot be removed remains incomplete, and is reported as such.
            let _ = lab_directory.remove_attempt();
            Err(error)
        }
    }
}

/// Builds the payload of each manifest, with its path in the lab. A package that several of them
/// have gets a higher version each time.
fn built_payloads(
    manifests: &[&Manifest],
    description: &Description,
    origin: LabOrigin<'_>,
) -> Result<Vec<(PathBuf, BuiltTree)>, LabError> {
    let mut known = match origin {
        LabOrigin::Copied(own) => InstalledVersions::read(own),
        LabOrigin::Built(_) => InstalledVersions::default(),
    };
    let mut built = Vec::new();
    for (number, manifest) in (1..).zip(manifests) {
        let path = match manifests {
            [_] => PathBuf::from(PAYLOAD),
            // Two revisions of one rollup have the same identity.
            _ => Path::new(PAYLOAD).join(format!("{number}-{}", manifest.rollup.kb)),
        };
        let payload = payload::contents(manifest, description, &mut known)?;
        built.push((path, payload));
    }
    Ok(built)
}

impl Lab {
    /// Adds the copies that `--crash-everywhere` makes to the listing, and everything that a run of
    /// the plan may leave in each of them, or that earlier runs left in the deployment.
    ///
    /// # Errors
    ///
    /// Returns the error of the disk.
    pub fn list_copies(&self, plan: &Plan) -> Result<(), LabError> {
        let note = |kind, path: &Path| {
            self.listing
                .note(kind, path)
                .map_err(disk("write the listing for", path))
        };
        for copy in crashes::copies() {
            note(FileKind::Directory, Path::new(&copy))?;
            note(FileKind::Directory, &Path::new(&copy).join("deployment"))?;
        }
        note(FileKind::File, &Path::new(FIRST_FAILURE).join(COMMANDS_RUN))?;
        let mut written = written_by_runs(&self.deployment);
        written.extend(written_by(plan));
        for (is_directory, path) in written {
            let kind = if is_directory {
                FileKind::Directory
            } else {
                FileKind::File
            };
            note(kind, &Path::new("deployment").join(path.to_path()))?;
        }
        Ok(())
    }
}

/// Empty directory in which a lab is made.
struct LabDirectory {
    root: Dir,
    shown: PathBuf,
    /// Directories that were created for it, innermost first.
    created: Vec<PathBuf>,
}

impl LabDirectory {
    /// Opens the directory, creates it if it does not exist, and empties it if it has a lab that
    /// may be replaced.
    fn open(shown: &Path, existing: OnExisting) -> Result<Self, LabError> {
        let created = match shown.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create_directories(shown)?,
            Err(error) => return Err(disk("look at", shown)(error)),
            // The owner of the link can change its target at any time.
            Ok(link) if link.is_symlink() && link.uid() != effective_user() => {
                return Err(LabError::OtherOwner(shown.to_owned()));
            }
            Ok(_) => Vec::new(),
        };
        let root = match Dir::open_ambient_dir(shown, ambient_authority()) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(LabError::NotALab(shown.to_owned()));
            }
            root => root.map_err(disk("open the directory", shown))?,
        };
        let metadata = root.dir_metadata().map_err(disk("look at", shown))?;
        let lab_directory = Self {
            root,
            shown: shown.to_owned(),
            created,
        };
        let is_empty = lab_directory
            .root
            .entries()
            .map_err(disk("list", shown))?
            .next()
            .is_none();
        if !is_empty
            && !lab_directory
                .root
                .symlink_metadata(MARKER)
                .is_ok_and(|marker| marker.is_file())
        {
            return Err(LabError::NotALab(shown.to_owned()));
        }
        if metadata.uid() != effective_user() {
            return Err(LabError::OtherOwner(shown.to_owned()));
        }
        if metadata.mode() & 0o002 != 0 {
            return Err(LabError::WritableByAll(shown.to_owned()));
        }
        if !is_empty {
            lab_directory.replace(existing)?;
        }
        Ok(lab_directory)
    }

    /// Removes the existing lab. An incomplete one is not worth keeping, so it is always removed.
    fn replace(&self, existing: OnExisting) -> Result<(), LabError> {
        let marker = match LabMarker::read(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(LabError::Busy(self.shown.clone()));
            }
            marker => marker.map_err(disk("read", &self.shown.join(MARKER)))?,
        };
        match marker {
            LabMarker::None => Err(LabError::NotALab(self.shown.clone())),
            LabMarker::WithoutListing => Err(LabError::WithoutListing(self.shown.clone())),
            LabMarker::Listing(_, listed)
                if existing == OnExisting::Refuse && listed.is_complete() =>
            {
                Err(LabError::Exists(self.shown.clone()))
            }
            LabMarker::Listing(listing, listed) => self.empty(&listing, &listed),
        }
    }

    /// Removes everything in the lab, if all of it is known to come from rehearsals.
    fn empty(&self, listing: &Listing, listed: &ListedObjects) -> Result<(), LabError> {
        refuse_mounts_in(&self.root, &self.shown)?;
        let found = self.found()?;
        let lab_objects = LabObjects {
            lab: &self.shown,
            listed,
            plans: RefCell::default(),
        };
        let (expected, unexpected): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(path, kind)| lab_objects.contains(path, *kind));
        if !unexpected.is_empty() {
            let paths = unexpected
                .into_iter()
                .map(|(path, _)| self.shown.join(path))
                .collect();
            return Err(LabError::UnexpectedFiles {
                directory: self.shown.clone(),
                paths,
            });
        }
        // If the process is killed during the removal, the plans that account for some objects may
        // be gone before these objects, so add them to the listing first. On a full disk that is
        // not possible.
        let unlisted = expected
            .iter()
            .filter(|(path, kind)| !listed.has(*kind, path));
        let _ = unlisted
            .into_iter()
            .try_for_each(|(path, kind)| listing.note(*kind, path));
        for entry in self.root.entries().map_err(disk("list", &self.shown))? {
            let entry = entry.map_err(disk("list", &self.shown))?;
            let name = entry.file_name();
            if name != MARKER {
                self.remove(&name, entry.file_type().is_ok_and(|kind| kind.is_dir()))?;
            }
        }
        self.remove(OsStr::new(MARKER), false)
    }

    fn remove(&self, name: &OsStr, is_directory: bool) -> Result<(), LabError> {
        let shown = self.shown.join(name);
        match is_directory {
            true => Ok(remove_tree(&self.root, name, &shown, &|| Ok(()))?),
            false => self.root.remove_file(name).map_err(disk("remove", &shown)),
        }
    }

    fn found(&self) -> Result<Vec<(PathBuf, FileKind)>, LabError> {
        let found = RefCell::new(Vec::new());
        list_in(&self.root, &self.shown, &|path, kind, _| {
            let path = path.strip_prefix(&self.shown).unwrap_or(path);
            found
                .borrow_mut()
                .push((path.to_owned(), FileKind::from(kind)));
        })?;
        let mut found = found.into_inner();
        found.sort();
        Ok(found)
    }

    /// Marks the directory as a lab. From now on everything in it belongs to this rehearsal.
    fn begin(&self) -> Result<Listing, LabError> {
        Listing::create(&self.root).map_err(|error| {
            let _ = self.remove_directories();
            disk("write", &self.shown.join(MARKER))(error)
        })
    }

    fn fill(
        &self,
        listing: &Listing,
        deployment: LabContents<'_>,
        payloads: Vec<(PathBuf, BuiltTree)>,
        progress: LabProgress<'_>,
    ) -> Result<(), LabError> {
        let root = self
            .root
            .try_clone()
            .map_err(disk("open the directory", &self.shown))?;
        let writer = LabWriter::listed(root, &self.shown, listing, progress);
        if let LabContents::Built(tree) = &deployment {
            let payloads = payloads.iter().map(|(_, payload)| payload.len());
            let files = tree.len() + payloads.sum::<usize>();
            progress.phase.expect(files as u64);
        }
        match deployment {
            LabContents::Copied(own, secrets) => {
                copy_tree(own, Some(&secrets), &writer, Path::new("deployment"))?;
            }
            LabContents::Built(tree) => writer.tree(Path::new("deployment"), &tree)?,
        }
        for (path, payload) in &payloads {
            writer.tree(path, payload)?;
        }
        listing
            .complete()
            .map_err(disk("write", &self.shown.join(MARKER)))
    }

    /// Removes everything that this attempt made, and nothing else.
    fn remove_attempt(&self) -> Result<(), LabError> {
        if let LabMarker::Listing(listing, listed) =
            LabMarker::read(&self.root).map_err(disk("read", &self.shown.join(MARKER)))?
        {
            self.empty(&listing, &listed)?;
        }
        self.remove_directories()
    }

    /// Removes the directories that were created for the lab, if they are empty.
    fn remove_directories(&self) -> Result<(), LabError> {
        self.created
            .iter()
            .try_for_each(|created| fs::remove_dir(created).map_err(disk("remove", created)))
    }
}

/// Creates a directory and its missing parent directories, and returns them, innermost first.
fn create_directories(directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    let is_missing =
        |above: &&Path| !above.as_os_str().is_empty() && above.symlink_metadata().is_err();
    let missing: Vec<PathBuf> = directory
        .ancestors()
        .take_while(is_missing)
        .map(Path::to_owned)
        .collect();
    let mut created = Vec::new();
    for path in missing.into_iter().rev() {
        // Never writable by others, whatever the umask is.
        match fs::DirBuilder::new().mode(0o755).create(&path) {
            Ok(()) => created.insert(0, path),
            // Happens for `a/..`, once `a` was created.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.ends_with("..") => {}
            Err(error) => {
                let _ = created.iter().try_for_each(fs::remove_dir);
                return Err(disk("create the directory", &path)(error));
            }
        }
    }
    Ok(created)
}

fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Objects that runs wrote: true for a directory, and the path.
type WrittenObjects = BTreeSet<(bool, RelPath)>;

/// Objects that rehearsals made in a lab, from its listing and from the runs in it.
struct LabObjects<'a> {
    lab: &'a Path,
    listed: &'a ListedObjects,
    /// Objects that the runs of a deployment wrote, with the deployment.
    plans: RefCell<Vec<(PathBuf, WrittenObjects)>>,
}

impl LabObjects<'_> {
    /// Returns whether a rehearsal, or a command in one of its deployments, made an object.
    fn contains(&self, path: &Path, kind: FileKind) -> bool {
        if path == Path::new(MARKER) || self.listed.has(kind, path) {
            return true;
        }
        let Some((deployment, below)) = split_deployment_path(path) else {
            return false;
        };
        if !self.listed.has(FileKind::Directory, &deployment) {
            return false;
        }
        if let Ok(in_rollup) = below.strip_prefix(RollupDir::NAME) {
            return self.is_made_by_commands(&deployment, &below, in_rollup, kind);
        }
        if self.is_unfinished_rollup_directory(path, &below, kind) {
            return true;
        }
        // The other deployments are copies of the lab's own, so its listing accounts for them as
        // well.
        below.as_os_str().is_empty()
            || self.listed.has(kind, &Path::new("deployment").join(&below))
            || self.is_written_by_run(&deployment, &below, kind)
    }

    /// Returns whether an object in `.rollup` is one that commands make there.
    fn is_made_by_commands(
        &self,
        deployment: &Path,
        below: &Path,
        in_rollup: &Path,
        kind: FileKind,
    ) -> bool {
        match (path_parts(in_rollup).as_slice(), kind) {
            ([], FileKind::Directory) => true,
            ([name], FileKind::Directory) => RollupDir::DIRECTORIES.contains(name),
            ([name], FileKind::File) => RollupDir::FILES.contains(name),
            ([RollupDir::TRASH, discarded, ..], FileKind::Directory | FileKind::File) => {
                let name = discarded.split('.').next().unwrap_or_default();
                name == RunDir::SLOTS || is_run(name)
            }
            ([RollupDir::RUNS, run], FileKind::Directory) => is_run(run),
            ([RollupDir::RUNS, run, RunDir::SLOTS], FileKind::Directory)
            | ([RollupDir::RUNS, run, RunDir::SLOTS, _], FileKind::Directory) => is_run(run),
            ([RollupDir::RUNS, _, RunDir::SLOTS, _, _, ..], _) => {
                self.is_written_by_run(deployment, below, kind)
            }
            ([RollupDir::RUNS, run, in_run @ ..], _) => {
                is_run(run) && is_made_by_staging(in_run, kind)
            }
            _ => false,
        }
    }

    /// Returns whether an object belongs to a `.rollup` that a killed process left under its
    /// temporary name, and contains no data worth keeping.
    fn is_unfinished_rollup_directory(&self, path: &Path, below: &Path, kind: FileKind) -> bool {
        match (path_parts(below).as_slice(), kind) {
            ([top] | [top, RollupDir::TRASH | RollupDir::RUNS], FileKind::Directory) => {
                RollupDir::is_unfinished(top)
            }
            ([top, RollupDir::FORMAT | RollupDir::LOCK], FileKind::File) => {
                RollupDir::is_unfinished(top)
                    && fs::symlink_metadata(self.lab.join(path)).is_ok_and(|file| file.len() <= 2)
            }
            _ => false,
        }
    }

    fn is_written_by_run(&self, deployment: &Path, below: &Path, kind: FileKind) -> bool {
        let Some(Ok(below)) = below.to_str().map(RelPath::parse) else {
            return false;
        };
        let is_directory = match kind {
            FileKind::Directory => true,
            FileKind::File => false,
            FileKind::Link | FileKind::Other(_) => return false,
        };
        let mut plans = self.plans.borrow_mut();
        let known = plans.iter().position(|(known, _)| known == deployment);
        let at = known.unwrap_or_else(|| {
            let written = written_by_runs(&self.lab.join(deployment));
            plans.push((deployment.to_owned(), written));
            plans.len() - 1
        });
        plans[at].1.contains(&(is_directory, below))
    }
}

/// Splits a path of a lab into one of its deployments and the path below it.
fn split_deployment_path(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut parts = path.components();
    let first = parts.next()?.as_os_str().to_str()?;
    let deployment = match first {
        "deployment" | START_STATE => PathBuf::from(first),
        _ if first == FIRST_FAILURE || first.starts_with("worker-") => {
            let second = parts
                .next()
                .filter(|second| second.as_os_str() == "deployment")?;
            Path::new(first).join(second)
        }
        _ => return None,
    };
    Some((deployment, parts.as_path().to_owned()))
}

/// Returns the objects that the runs of a deployment wrote; none for a plan that cannot be read.
fn written_by_runs(deployment: &Path) -> WrittenObjects {
    let mut written = WrittenObjects::new();
    let Ok(tree) = Tree::open(deployment) else {
        return written;
    };
    for (name, _) in tree.names(&ROLLUP_DIR.runs()).unwrap_or_default() {
        let run = ROLLUP_DIR.run(&name);
        let Ok(plan) = load_plan(&tree, &run) else {
            continue;
        };
        written.extend(written_by(&plan));
        written.extend(managed(slot_entries(&run, &plan)));
    }
    written
}

/// Returns everything that a run of a plan may write, and the directories above it, without the
/// unmanaged files that it moved along.
fn written_by(plan: &Plan) -> WrittenObjects {
    let mut written = WrittenObjects::new();
    for swap in &plan.swaps {
        written.extend(swap.live.ancestors().map(|above| (true, above)));
    }
    let new = plan
        .swaps
        .iter()
        .flat_map(|swap| swap.new.iter().map(NewEntry::entry));
    let old = plan.swaps.iter().flat_map(|swap| swap.old.iter().cloned());
    written.extend(managed(new.chain(old)));
    written
}

fn managed(entries: impl IntoIterator<Item = Entry>) -> impl Iterator<Item = (bool, RelPath)> {
    let managed = entries
        .into_iter()
        .filter(|entry| entry.kind != EntryKind::Unmanaged);
    managed.map(|entry| (entry.kind == EntryKind::Directory, entry.path))
}

/// Returns whether a name is one of a run, such as `0012-KB952076`.
fn is_run(name: &str) -> bool {
    let number = name.split_once('-').map(|(number, _)| number);
    number
        .is_some_and(|number| number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns a text without its first line if that line points editors to the schema: its relative
/// path would be wrong in a lab.
fn without_schema_line(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#:schema ") => rest,
        _ => text,
    }
}

/// Refuses a lab directory that contains a source of the lab, because replacing the lab would
/// remove the source.
pub fn refuse_to_lose(directory: &Path, source: &Path) -> Result<(), LabError> {
    let (Ok(directory), Ok(source)) = (directory.canonicalize(), source.canonicalize()) else {
        return Ok(());
    };
    match source.starts_with(&directory) {
        true => Err(LabError::WouldBeLost(source)),
        false => Ok(()),
    }
}

/// Refuses a lab inside the deployment that is copied into it: the copy would never end, and would
/// leave the lab in a deployment that people use.
fn refuse_inside(directory: &Path, own: &Path) -> Result<(), LabError> {
    let own = own.canonicalize().map_err(disk("resolve", own))?;
    let here = std::path::absolute(directory).map_err(disk("resolve", directory))?;
    // The lab itself may not exist yet; the nearest directory that exists decides.
    let nearest = here
        .ancestors()
        .find_map(|directory| directory.canonicalize().ok());
    match nearest.is_some_and(|nearest| nearest.starts_with(&own)) {
        true => Err(LabError::Inside(directory.to_owned())),
        false => Ok(()),
    }
}
