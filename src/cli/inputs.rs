//! Finds and reads what a command works on: the deployment, the manifest, the payload.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::next::Next;
use crate::cli::terminal::out;
use crate::deployment::deletion::is_mount_point;
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::deployment::lock::{LockError, check_format, held};
use crate::deployment::tree::{DiskError, Tree, path as rel};
use crate::document::{Code, Findings, RenderOptions, Source};
use crate::journal::{JournalError, Run, runs};
use crate::manifest::{self, Checks, Manifest};
use crate::names::{Kb, escaped_path};
use crate::payload::Payload;
use crate::run::{RunError, describe_state, untouched};

/// Number of attempts of a reader before it reports that a writer keeps changing the journals.
const LOOKS: usize = 5;

/// Opened deployment.
pub(super) struct Site {
    pub(super) tree: Tree,
    pub(super) description: Description,
    /// Description of how it was found.
    pub(super) how: &'static str,
}

/// Manifest without errors, with its text.
pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) source: Source,
}

/// Deployment for a command that works from the records of its runs.
///
/// Recovery must not depend on a file that people edit, so `deployment.toml` may be damaged or
/// missing.
pub(super) struct RunSite {
    pub(super) tree: Tree,
    /// Description in `deployment.toml`, or why it cannot be used.
    pub(super) description: Result<Description, Failure>,
    /// Description of how it was found.
    pub(super) how: &'static str,
}

impl RunSite {
    /// Returns the deployment with its description, for a command that needs it.
    ///
    /// # Errors
    ///
    /// The description cannot be used; the failure then names an open run.
    pub(super) fn described(self) -> Result<Site, Failure> {
        let Self {
            tree,
            description,
            how,
        } = self;
        match description {
            Ok(description) => Ok(Site {
                tree,
                description,
                how,
            }),
            Err(failure) => Err(with_open_run(failure, &tree)),
        }
    }

    /// Warns if `deployment.toml` cannot be used, which does not affect the command.
    pub(super) fn warn(&self) {
        if let Err(failure) = &self.description {
            let reason = failure.reasons.join("; ");
            out::warn(format_args!(
                "{reason}; this command needs only what the runs recorded"
            ));
        }
    }
}

/// Opens the given deployment, or the nearest one among the parent directories.
///
/// # Errors
///
/// No deployment exists there, its `deployment.toml` is not valid, or its `.rollup` is of a later
/// version.
pub(super) fn site(given: Option<&Path>) -> Result<Site, Failure> {
    run_site(given)?.described()
}

/// Opens a deployment as [`site`] does, for a command that works from the records of its runs.
///
/// # Errors
///
/// No deployment exists there, or its `.rollup` is of a later version.
pub(super) fn run_site(given: Option<&Path>) -> Result<RunSite, Failure> {
    let (path, how) = match given {
        Some(path) => (path.to_owned(), "as given"),
        None => (nearest()?, "found upwards from here"),
    };
    let tree = open(&path)?;
    check_format(&tree).map_err(|error| locked(&error))?;
    let has_runs = tree
        .metadata(&rel(".rollup/runs"))
        .is_ok_and(|metadata| metadata.is_some());
    match description(&tree) {
        Err(failure) if failure.exit == Exit::NoInput && !has_runs => Err(failure),
        description => Ok(RunSite {
            tree,
            description,
            how,
        }),
    }
}

/// Adds what a failure must not hide: a run is open, and the commands that continue it work without
/// the description.
fn with_open_run(failure: Failure, tree: &Tree) -> Failure {
    let Some(open) = runs(tree)
        .ok()
        .and_then(|runs| runs.into_iter().find(Run::is_open))
    else {
        return failure;
    };
    let next = Next(tree.path());
    failure
        .now(format!(
            "this command changed nothing; run {} is {}",
            open.name(),
            describe_state(&open)
        ))
        .next(format!(
            "`{}` works without the file, and so do `{}` and `{}`",
            next.status(),
            next.resume(),
            next.undo()
        ))
}

fn open(path: &Path) -> Result<Tree, Failure> {
    if !path.is_dir() {
        let failure = Failure::new(
            Exit::NoInput,
            format_args!("there is no deployment `{}`", path.display()),
        );
        return Err(if path.exists() {
            failure.next("give the directory that `deployment.toml` lies in")
        } else {
            failure
        });
    }
    Tree::open(path).map_err(|error| disk(&error))
}

fn nearest() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::new(Exit::Io, error))?;
    let is_one = |directory: &Path| {
        directory.join("deployment.toml").is_file() || directory.join(".rollup/runs").is_dir()
    };
    let found = here.ancestors().find(|directory| is_one(directory));
    found.map(Path::to_owned).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "no deployment was given, and no directory upwards from here has a `deployment.toml`",
        )
        .next("say which one: `--deployment DIR`, or set ROLLUP_DEPLOYMENT")
    })
}

fn description(tree: &Tree) -> Result<Description, Failure> {
    let source = text_of_description(tree)?;
    let mut findings = Findings::default();
    let description = describe::parse(&source, &mut findings);
    description.ok_or_else(|| invalid(&source, findings))
}

/// Reads a description outside of a deployment, with its text.
pub(super) fn described(path: &Path) -> Result<(Description, String), Failure> {
    let source = source(path)?;
    let mut findings = Findings::default();
    match describe::parse(&source, &mut findings) {
        Some(description) => Ok((description, source.text().to_owned())),
        None => Err(invalid(&source, findings)),
    }
}

/// Reads the text of a deployment's `deployment.toml`.
pub(super) fn description_source(deployment: &Path) -> Result<Source, Failure> {
    text_of_description(&open(deployment)?)
}

fn text_of_description(tree: &Tree) -> Result<Source, Failure> {
    let at = rel("deployment.toml");
    let shown = tree.shown(Some(&at));
    let file = tree.file(&at).map_err(|error| match error.is_missing() {
        true => {
            let reason = format!(
                "`{}` is no deployment: it has no `deployment.toml`",
                tree.path().display()
            );
            Failure::new(Exit::NoInput, reason)
        }
        false => disk(&error),
    })?;
    let mut bytes = Vec::new();
    file.take(Source::LARGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| disk(&DiskError::new("read", shown.clone(), error)))?;
    Ok(Source::from_bytes(shown, bytes))
}

/// Reads a document named on the command line; no more of it than a document can have.
pub(super) fn source(path: &Path) -> Result<Source, Failure> {
    Ok(Source::from_bytes(
        escaped_path(path),
        bytes(path, Source::LARGEST as u64 + 1)?,
    ))
}

/// Reads a file named on the command line, at most `most` bytes. Anything but a file is refused
/// without waiting for it.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let shown = escaped_path(path);
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Exit::NoInput, format_args!("there is no file `{shown}`"))
        }
        _ => Failure::new(Exit::Io, format_args!("cannot read `{shown}`: {error}")),
    };
    // A path that a shell passes, such as `<(…)`, is a stream with a writer at its other end.
    let stream = ["/dev/fd", "/dev/stdin", "/proc/self/fd"]
        .iter()
        .any(|place| path.starts_with(place));
    let nonblocking = if stream {
        0
    } else {
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed()
    };
    let file = File::options()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(fail)?;
    if !stream && !file.metadata().map_err(fail)?.is_file() {
        return Err(Failure::new(
            Exit::NoInput,
            format_args!("`{shown}` is not a file"),
        ));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Reads a manifest, and checks it against the deployment that it is meant for.
pub(super) fn manifest(path: &Path, deployment: Option<&Description>) -> Result<Loaded, Failure> {
    let source = source(path)?;
    let mut findings = Findings::default();
    let checks = Checks { deployment };
    match manifest::parse_with(&source, &checks, &mut findings) {
        Some(manifest) => Ok(Loaded { manifest, source }),
        None => Err(invalid(&source, findings)),
    }
}

/// Returns a failure that shows the errors among the findings; the rest is for `rollup validate`.
fn invalid(source: &Source, mut findings: Findings) -> Failure {
    findings.retain(|finding| finding.level == crate::document::Severity::Error);
    let shown = findings.text(source, &options()).trim_end().to_owned();
    // A manifest that removes what is not removable is still a valid one.
    let exit = match findings
        .sorted()
        .iter()
        .all(|finding| finding.code == Code::NotRemovable)
    {
        true => Exit::NotReady,
        false => Exit::Invalid,
    };
    let errors = out::count(findings.errors(), "error", "errors");
    let failure = Failure::new(exit, format_args!("`{}` has {errors}", source.name()))
        .now("this command changed nothing")
        .next(format!(
            "fix the file, then `rollup validate {}`",
            source.name()
        ));
    Failure {
        findings: Some(shown),
        ..failure
    }
}

/// Returns the layout of findings on standard error.
pub(super) fn options() -> RenderOptions {
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    RenderOptions {
        width: out::width(),
        color,
        folds: out::is_screen(),
    }
}

/// Returns the given payload, or the directory beside the manifest that is named like its KB
/// number.
pub(super) fn payload_directory(
    given: Option<&Path>,
    manifest: &Path,
    kb: Kb,
) -> Result<Option<PathBuf>, Failure> {
    if let Some(given) = given {
        return given_payload(given).map(Some);
    }
    let beside = manifest
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(beside).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.parse() == Ok(kb))
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    Ok(found.into_iter().next())
}

/// Checks a payload directory named on the command line.
pub(super) fn given_payload(given: &Path) -> Result<PathBuf, Failure> {
    match given.is_dir() {
        true => Ok(given.to_owned()),
        false => {
            let failure = Failure::new(
                Exit::NoInput,
                format_args!("there is no payload directory `{}`", given.display()),
            );
            Err(if given.exists() {
                failure.next("give the directory that the files lie in")
            } else {
                failure
            })
        }
    }
}

/// Opens a payload directory.
pub(super) fn payload(directory: &Path) -> Result<Payload, Failure> {
    Payload::open(directory).map_err(|error| disk(&error))
}

/// Reads while another process may write: compares the journals before and after, and reads again
/// if they changed.
pub(super) fn quietly<T>(
    tree: &Tree,
    mut read: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    for _ in 0..LOOKS {
        let before = marks(tree)?;
        let value = read();
        if marks(tree)? == before {
            return value;
        }
    }
    Err(busy(tree))
}

/// Returns all runs. Fails if the slots of one show more progress than its journal records.
pub(super) fn sound_runs(tree: &Tree) -> Result<Vec<Run>, Failure> {
    let runs = runs(tree).map_err(|fault| journal(&fault))?;
    runs.iter()
        .try_for_each(|run| untouched(tree, run))
        .map_err(|error| not_begun(&error))?;
    Ok(runs)
}

/// Returns what a writer changes first and last: the number of records of every run.
fn marks(tree: &Tree) -> Result<Vec<(u32, usize)>, Failure> {
    let runs = runs(tree).map_err(|fault| journal(&fault))?;
    Ok(runs
        .iter()
        .map(|run| (run.number, run.journal.entries.len()))
        .collect())
}

/// Describes the process that holds the lock.
pub(super) fn busy(tree: &Tree) -> Failure {
    locked(&held(tree))
}

/// Describes a failure of the lock.
pub(super) fn locked(error: &LockError) -> Failure {
    match error {
        LockError::Held { .. } => Failure::new(Exit::Locked, error)
            .now("this command changed nothing")
            .next("wait for it, or let `--lock-timeout SECONDS` wait; `rollup status` tells how far it is"),
        LockError::TooNew(_) => Failure::new(Exit::Invalid, error).next("use the rollup that wrote it, or a later one"),
        LockError::Disk(error) => disk(error),
    }
}

/// Describes a failure of the disk before anything was begun.
pub(super) fn disk(error: &DiskError) -> Failure {
    from_disk(error).now("this command changed nothing")
}

/// Describes a failure of the disk; a mount point in the tree can be unmounted.
pub(super) fn from_disk(error: &DiskError) -> Failure {
    if is_mount_point(&error.source) {
        let umount = format!("umount {}", out::typed(Path::new(&error.path)));
        return Failure::caused(Exit::NotReady, error)
            .next(format!("`{umount}`, then the same command again"));
    }
    Failure::caused(Exit::Io, error)
}

/// Describes a journal that cannot be used.
pub(super) fn journal(fault: &JournalError) -> Failure {
    match fault {
        JournalError::Damaged { .. } => Failure::new(Exit::NeedsAttention, fault)
            .now("nobody can tell from it how far the run is; nothing was touched")
            .next("the slots still tell: see \"By hand\" in the README")
            .next(
                "or `rollup accept --reason TEXT` shows them, and sets the run's directory aside",
            ),
        JournalError::TooNew { .. } => {
            Failure::new(Exit::Invalid, fault).next("use the rollup that wrote it")
        }
        JournalError::Disk(error) => disk(error),
    }
}

/// Describes a failure of a run before its commit began.
pub(super) fn not_begun(error: &RunError) -> Failure {
    let now = "nothing of the deployment has changed";
    match error {
        RunError::Disk(error) => from_disk(error).now(now),
        RunError::Journal(fault) => journal(fault),
        RunError::Plan { .. } => Failure::new(Exit::Invalid, error).now(now),
        RunError::Stale { .. } => Failure::new(Exit::StalePlan, error)
            .now(now)
            .next("plan again: `rollup plan` shows what is different"),
        RunError::NotReady(reasons) => {
            let mut failure = Failure::new(Exit::NotReady, "").now(now);
            failure.reasons = reasons
                .iter()
                .map(|reason| reason.message.clone())
                .collect();
            failure.next = reasons
                .iter()
                .filter_map(|reason| reason.help.clone())
                .collect();
            failure.next.dedup();
            failure
        }
        RunError::Pathless { .. } => Failure::new(Exit::NotReady, error)
            .now(now)
            .next("rename it"),
        RunError::Unfaithful { .. } => Failure::new(Exit::Io, error)
            .now(now)
            .next("look after the disk first"),
        RunError::Quarantined { .. } | RunError::InTheWay { .. } => {
            Failure::new(Exit::NeedsAttention, error)
        }
        RunError::Unexpected { .. } | RunError::Unpredicted(_) => {
            Failure::new(Exit::NeedsAttention, error)
        }
        RunError::Changed(found) => {
            let mut failure = Failure::new(Exit::Mismatch, "").now(now);
            failure.reasons = found
                .iter()
                .map(|what| format!("{what}, which the run had put there"))
                .collect();
            failure
        }
        RunError::Interrupted => Failure::new(Exit::Interrupted, "stopped by a signal").now(now),
        RunError::Waiting { .. } | RunError::StopsBefore { .. } => {
            Failure::new(Exit::Stopped, error)
        }
        RunError::NoReturn { .. } => Failure::new(Exit::NotReady, error).now(now),
    }
}
