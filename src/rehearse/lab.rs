//! Directory of a lab: made, marked, recognized and replaced.
//!
//! You may rehearse as root, in a directory that others can write to. So a lab is a directory of
//! the caller, everything in it is made by handle, and `--replace` removes it only if all of it is
//! accounted for: by the listing in its mark, or by the plans of the runs that its deployments have
//! had since.

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
use super::crashes::{self, FIRST_FAILURE, SCENE, WHAT_HAPPENED};
use super::listing::{Listed, Listing, MARK, Mark, completeness};
use super::making::{BuiltTree, Making};
use super::{LabError, disk, payload, site};
use crate::deployment::deletion::{list_in, refuse_mounts_in, remove_tree};
use crate::deployment::description::Description;
use crate::deployment::locked::is_unfinished;
use crate::deployment::tree::{FileKind, Tree, path as rel};
use crate::manifest::Manifest;
use crate::names::RelPath;
use crate::plan::{self, Entry, NewEntry, Plan, What};
use crate::run::{is_made_by_staging, slot_entries};

/// Longest plan that is read, in bytes: more than the plan of any run.
const LONGEST_PLAN: u64 = 1 << 30;

/// Lab that is ready. As long as this value exists, no other process replaces the lab.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Path of the deployment.
    pub deployment: PathBuf,
    /// Path of the payload.
    pub payload: PathBuf,
    listing: Arc<Listing>,
}

/// Origin of the deployment of a lab.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// Built in its state before the rollup, from the text of a `deployment.toml`.
    Built(&'a str),
    /// A copy of a deployment.
    Copied(&'a Path),
}

/// Treatment of a lab that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// It is left alone.
    Refuse,
    /// It is removed, if `rehearse` made all of it.
    Replace,
}

/// State of the directory in which a lab is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabState {
    /// Nothing.
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
enum Contents<'a> {
    Built(BuiltTree),
    Copied(&'a Path),
}

/// Makes a lab in a directory: a deployment of its origin, and a built payload unless `real` is
/// given.
///
/// # Errors
///
/// Returns the first obstacle. Everything but the disk is checked before anything is removed or
/// made, and what was made until then is removed.
pub fn prepare(
    manifest: &Manifest,
    description: &Description,
    directory: &Path,
    origin: Origin<'_>,
    real: Option<&Path>,
    existing: OnExisting,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Lab, LabError> {
    if let Origin::Copied(own) = origin {
        refuse_inside(directory, own)?;
        refuse_to_lose(directory, own)?;
    }
    if let Some(real) = real {
        refuse_to_lose(directory, real)?;
    }
    let payload = match real {
        Some(_) => None,
        None => Some(payload::contents(manifest, description)?),
    };
    let deployment = match origin {
        Origin::Copied(own) => Contents::Copied(own),
        Origin::Built(text) => Contents::Built(site::contents(description, by_itself(text))?),
    };
    let place = LabPlace::open(directory, existing)?;
    let listing = place.begin()?;
    match place.fill(&listing, deployment, payload, is_stopped) {
        Ok(()) => Ok(Lab {
            deployment: directory.join("deployment"),
            payload: real.map_or_else(|| directory.join("payload"), Path::to_owned),
            listing: Arc::new(listing),
        }),
        Err(error) => {
            drop(listing);
            // A lab that cannot be removed remains incomplete, and is reported as such.
            let _ = place.take_back();
            Err(error)
        }
    }
}

impl Lab {
    /// Lists the copies that `--crash-everywhere` makes, and what a plan may leave in each of them.
    ///
    /// # Errors
    ///
    /// The disk refuses.
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
        note(
            FileKind::File,
            &Path::new(FIRST_FAILURE).join(WHAT_HAPPENED),
        )?;
        for (is_directory, path) in written(plan) {
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

/// An empty directory in which a lab is made.
struct LabPlace {
    root: Dir,
    shown: PathBuf,
    /// Directories that were made for it, innermost first.
    made: Vec<PathBuf>,
}

impl LabPlace {
    /// Opens the directory, makes it if it does not exist, and empties it if it has a lab that may
    /// be replaced.
    fn open(shown: &Path, existing: OnExisting) -> Result<Self, LabError> {
        let made = match shown.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(shown)?,
            Err(error) => return Err(disk("look at", shown)(error)),
            // The owner of the link may let it lead elsewhere at any time.
            Ok(link) if link.is_symlink() && link.uid() != me() => {
                return Err(LabError::NotYours(shown.to_owned()));
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
        let place = Self {
            root,
            shown: shown.to_owned(),
            made,
        };
        let is_empty = place
            .root
            .entries()
            .map_err(disk("list", shown))?
            .next()
            .is_none();
        if !is_empty
            && !place
                .root
                .symlink_metadata(MARK)
                .is_ok_and(|mark| mark.is_file())
        {
            return Err(LabError::NotALab(shown.to_owned()));
        }
        if metadata.uid() != me() {
            return Err(LabError::NotYours(shown.to_owned()));
        }
        if metadata.mode() & 0o002 != 0 {
            return Err(LabError::WritableByAll(shown.to_owned()));
        }
        if !is_empty {
            place.replace(existing)?;
        }
        Ok(place)
    }

    /// Removes the existing lab. An incomplete one is no loss, so it is removed in any case.
    fn replace(&self, existing: OnExisting) -> Result<(), LabError> {
        let mark = match Mark::read(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(LabError::Busy(self.shown.clone()));
            }
            mark => mark.map_err(disk("read", &self.shown.join(MARK)))?,
        };
        match mark {
            Mark::None => Err(LabError::NotALab(self.shown.clone())),
            Mark::WithoutListing => Err(LabError::WithoutListing(self.shown.clone())),
            Mark::Listing(_, listed) if existing == OnExisting::Refuse && listed.is_complete() => {
                Err(LabError::Exists(self.shown.clone()))
            }
            Mark::Listing(listing, listed) => self.empty(&listing, &listed),
        }
    }

    /// Removes everything in the lab, if all of it is accounted for.
    fn empty(&self, listing: &Listing, listed: &Listed) -> Result<(), LabError> {
        refuse_mounts_in(&self.root, &self.shown)?;
        let found = self.found()?;
        let accounts = Accounts {
            lab: &self.shown,
            listed,
            plans: RefCell::default(),
        };
        let (ours, foreign): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(path, kind)| accounts.have(path, *kind));
        if !foreign.is_empty() {
            let paths = foreign
                .into_iter()
                .map(|(path, _)| self.shown.join(path))
                .collect();
            return Err(LabError::Foreign {
                directory: self.shown.clone(),
                paths,
            });
        }
        // A death from here on leaves less than what the plans account for, and maybe not the
        // plans, so note the objects in the listing first. On a full disk that is not possible.
        let unlisted = ours.iter().filter(|(path, kind)| !listed.has(*kind, path));
        let _ = unlisted
            .into_iter()
            .try_for_each(|(path, kind)| listing.note(*kind, path));
        for entry in self.root.entries().map_err(disk("list", &self.shown))? {
            let entry = entry.map_err(disk("list", &self.shown))?;
            let name = entry.file_name();
            if name != MARK {
                self.remove(&name, entry.file_type().is_ok_and(|kind| kind.is_dir()))?;
            }
        }
        self.remove(OsStr::new(MARK), false)
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

    /// Marks the directory as a lab. From here on everything in it belongs to this rehearsal.
    fn begin(&self) -> Result<Listing, LabError> {
        Listing::create(&self.root).map_err(|error| {
            let _ = self.remove_directories();
            disk("write", &self.shown.join(MARK))(error)
        })
    }

    fn fill(
        &self,
        listing: &Listing,
        deployment: Contents<'_>,
        payload: Option<BuiltTree>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), LabError> {
        let root = self
            .root
            .try_clone()
            .map_err(disk("open the directory", &self.shown))?;
        let making = Making::listed(root, &self.shown, listing, is_stopped);
        match deployment {
            Contents::Copied(own) => copy_tree(own, &making, Path::new("deployment"))?,
            Contents::Built(tree) => making.tree(Path::new("deployment"), &tree)?,
        }
        if let Some(payload) = payload {
            making.tree(Path::new("payload"), &payload)?;
        }
        listing
            .complete()
            .map_err(disk("write", &self.shown.join(MARK)))
    }

    /// Removes what this attempt made, and only that.
    fn take_back(&self) -> Result<(), LabError> {
        if let Mark::Listing(listing, listed) =
            Mark::read(&self.root).map_err(disk("read", &self.shown.join(MARK)))?
        {
            self.empty(&listing, &listed)?;
        }
        self.remove_directories()
    }

    /// Removes the directories that were made for the lab, unless there is something in them.
    fn remove_directories(&self) -> Result<(), LabError> {
        self.made
            .iter()
            .try_for_each(|made| fs::remove_dir(made).map_err(disk("remove", made)))
    }
}

/// Makes a directory and the missing ones above it, and returns them, innermost first.
fn make(directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    let is_missing =
        |above: &&Path| !above.as_os_str().is_empty() && above.symlink_metadata().is_err();
    let missing: Vec<PathBuf> = directory
        .ancestors()
        .take_while(is_missing)
        .map(Path::to_owned)
        .collect();
    let mut made = Vec::new();
    for path in missing.into_iter().rev() {
        // Never writable by others, whatever the umask is.
        match fs::DirBuilder::new().mode(0o755).create(&path) {
            Ok(()) => made.insert(0, path),
            // Happens for `a/..`, once `a` was made.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.ends_with("..") => {}
            Err(error) => {
                let _ = made.iter().try_for_each(fs::remove_dir);
                return Err(disk("make the directory", &path)(error));
            }
        }
    }
    Ok(made)
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Objects that runs wrote: true for a directory, and the path.
type Brought = BTreeSet<(bool, RelPath)>;

/// Records that account for the objects of a lab.
struct Accounts<'a> {
    lab: &'a Path,
    listed: &'a Listed,
    /// Objects that the runs of a deployment wrote, with the deployment.
    plans: RefCell<Vec<(PathBuf, Brought)>>,
}

impl Accounts<'_> {
    /// Returns whether a rehearsal, or a command in one of its deployments, made an object.
    fn have(&self, path: &Path, kind: FileKind) -> bool {
        if path == Path::new(MARK) || self.listed.has(kind, path) {
            return true;
        }
        let Some((deployment, below)) = in_deployment(path) else {
            return false;
        };
        if !self.listed.has(FileKind::Directory, &deployment) {
            return false;
        }
        if let Ok(kept) = below.strip_prefix(".rollup") {
            return self.is_kept(&deployment, &below, kept, kind);
        }
        if self.is_half_made(path, &below, kind) {
            return true;
        }
        // The other deployments are copies of the lab's own, so its listing accounts for them as
        // well.
        below.as_os_str().is_empty()
            || self.listed.has(kind, &Path::new("deployment").join(&below))
            || self.is_brought(&deployment, &below, kind)
    }

    /// Returns whether an object in `.rollup` is one that commands make there.
    fn is_kept(&self, deployment: &Path, below: &Path, kept: &Path, kind: FileKind) -> bool {
        let parts: Vec<&str> = kept
            .iter()
            .map(|part| part.to_str().unwrap_or_default())
            .collect();
        match (parts.as_slice(), kind) {
            ([] | ["runs" | "trash"], FileKind::Directory) => true,
            (["format" | "lock" | "lock.owner"], FileKind::File) => true,
            (["trash", discarded, ..], FileKind::Directory | FileKind::File) => {
                let name = discarded.split('.').next().unwrap_or_default();
                matches!(name, "slots" | "sources") || is_run(name)
            }
            (["runs", run], FileKind::Directory) => is_run(run),
            (["runs", _, "slots", _, _, ..], _) => self.is_brought(deployment, below, kind),
            (["runs", run, ..], _) => {
                let below = kept.iter().skip(2).collect::<PathBuf>();
                is_run(run) && is_made_by_staging(&below, kind)
            }
            _ => false,
        }
    }

    /// Returns whether an object belongs to a `.rollup` that a dead process left under its
    /// temporary name, and contains nothing that could be lost.
    fn is_half_made(&self, path: &Path, below: &Path, kind: FileKind) -> bool {
        let parts: Vec<&str> = below
            .iter()
            .map(|part| part.to_str().unwrap_or_default())
            .collect();
        match (parts.as_slice(), kind) {
            ([top] | [top, "trash" | "runs"], FileKind::Directory) => is_unfinished(top),
            ([top, "format" | "lock"], FileKind::File) => {
                is_unfinished(top)
                    && fs::symlink_metadata(self.lab.join(path)).is_ok_and(|file| file.len() <= 2)
            }
            _ => false,
        }
    }

    fn is_brought(&self, deployment: &Path, below: &Path, kind: FileKind) -> bool {
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
            plans.push((deployment.to_owned(), brought(&self.lab.join(deployment))));
            plans.len() - 1
        });
        plans[at].1.contains(&(is_directory, below))
    }
}

/// Splits a path of a lab into one of its deployments and what is below it.
fn in_deployment(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut parts = path.components();
    let first = parts.next()?.as_os_str().to_str()?;
    let deployment = match first {
        "deployment" | SCENE => PathBuf::from(first),
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

/// Returns what the runs of a deployment wrote. A plan that cannot be read accounts for nothing.
fn brought(deployment: &Path) -> Brought {
    let mut brought = Brought::new();
    let Ok(tree) = Tree::open(deployment) else {
        return brought;
    };
    let runs = rel(".rollup/runs");
    for (run, _) in tree.names(&runs).unwrap_or_default() {
        let Ok(run) = runs.join(&run) else { continue };
        let at = run.join("plan.json").expect("a plain name");
        let Ok(Some(text)) = tree.text(&at, LONGEST_PLAN) else {
            continue;
        };
        let Ok(plan) = plan::parse(&text) else {
            continue;
        };
        brought.extend(written(&plan));
        brought.extend(managed(slot_entries(&run, &plan)));
    }
    brought
}

/// Returns everything that a run of a plan may write, and the directories above it. Unmanaged files
/// that it moved along are not the run's.
fn written(plan: &Plan) -> Brought {
    let mut written = Brought::new();
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
        .filter(|entry| entry.what != What::Unmanaged);
    managed.map(|entry| (entry.what == What::Directory, entry.path))
}

/// Returns whether a name is one of a run, such as `0012-KB952076`.
fn is_run(name: &str) -> bool {
    let number = name.split_once('-').map(|(number, _)| number);
    number
        .is_some_and(|number| number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns a text without its first line if that line points editors to the schema: a lab may be
/// anywhere.
fn by_itself(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#:schema ") => rest,
        _ => text,
    }
}

/// Refuses a lab directory that contains what the lab is made from, because replacing the lab would
/// remove it.
pub fn refuse_to_lose(directory: &Path, source: &Path) -> Result<(), LabError> {
    let (Ok(directory), Ok(source)) = (directory.canonicalize(), source.canonicalize()) else {
        return Ok(());
    };
    match source.starts_with(&directory) {
        true => Err(LabError::WouldBeLost(source)),
        false => Ok(()),
    }
}

/// Refuses a lab inside the deployment that is copied into it. The copy would never end, and would
/// be in a deployment that is not meant to contain it.
fn refuse_inside(directory: &Path, own: &Path) -> Result<(), LabError> {
    let own = own.canonicalize().map_err(disk("find the way to", own))?;
    let here = std::path::absolute(directory).map_err(disk("find the way to", directory))?;
    // The lab itself may not exist yet; the nearest directory that exists decides.
    let nearest = here
        .ancestors()
        .find_map(|directory| directory.canonicalize().ok());
    match nearest.is_some_and(|nearest| nearest.starts_with(&own)) {
        true => Err(LabError::Inside(directory.to_owned())),
        false => Ok(()),
    }
}
