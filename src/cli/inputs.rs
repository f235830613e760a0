//! Finds and reads the inputs of a command: the deployment, the manifest, the payload.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::failure::Failure;
use super::next::NextCommands;
use crate::cli::terminal::out;
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::deployment::lock::{LockError, check_format, held};
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::{DiskError, Tree, path as rel};
use crate::document::{Code, Findings, RenderOptions, Source};
use crate::journal::{Run, runs};
use crate::manifest::{self, Checks, Manifest};
use crate::names::{Kb, escaped_path};
use crate::payload::Payload;
use crate::run::check_not_begun;

/// Most attempts of a reader before it reports that another process keeps changing the journals.
const MAX_READS: usize = 5;

/// Deployment with a valid `deployment.toml`.
pub(super) struct DescribedDeployment {
    pub(super) tree: Tree,
    pub(super) description: Description,
    /// The way in which the deployment was found, for the first line of output.
    pub(super) how: &'static str,
}

/// Valid manifest, with its text.
pub(super) struct LoadedManifest {
    pub(super) manifest: Manifest,
    pub(super) source: Source,
}

/// Deployment for a command that works from the records of its runs.
///
/// Recovery must not depend on a file that people edit, so `deployment.toml` may be damaged or
/// missing.
pub(super) struct OpenedDeployment {
    pub(super) tree: Tree,
    /// Description in `deployment.toml`, or the reason why it cannot be used.
    pub(super) description: Result<Description, Failure>,
    /// The way in which the deployment was found, for the first line of output.
    pub(super) how: &'static str,
}

impl OpenedDeployment {
    /// Returns the deployment with its description, for a command that needs it.
    ///
    /// # Errors
    ///
    /// The description cannot be used; the failure then names an open run.
    pub(super) fn described(self) -> anyhow::Result<DescribedDeployment> {
        let Self {
            tree,
            description,
            how,
        } = self;
        match description {
            Ok(description) => Ok(DescribedDeployment {
                tree,
                description,
                how,
            }),
            Err(failure) => Err(with_open_run(failure, &tree).into()),
        }
    }

    /// Warns if `deployment.toml` cannot be used, which does not affect the command.
    pub(super) fn warn(&self) {
        if let Err(failure) = &self.description {
            out::warn(format_args!(
                "{failure}; this command works from the records of the runs"
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
pub(super) fn open_described(given: Option<&Path>) -> anyhow::Result<DescribedDeployment> {
    open_deployment(given)?.described()
}

/// Opens a deployment as [`open_described`] does, for a command that works from the records of its
/// runs.
///
/// # Errors
///
/// No deployment exists there, or its `.rollup` is of a later version.
pub(super) fn open_deployment(given: Option<&Path>) -> anyhow::Result<OpenedDeployment> {
    let (path, how) = match given {
        Some(path) => (path.to_owned(), "as given"),
        None => (nearest_deployment()?, "found in the parent directories"),
    };
    let tree = open_tree(&path)?;
    check_format(&tree)?;
    match description(&tree) {
        Err(failure) if failure.exit == Exit::NoInput && !has_runs(&tree) => Err(failure.into()),
        description => Ok(OpenedDeployment {
            tree,
            description,
            how,
        }),
    }
}

fn has_runs(tree: &Tree) -> bool {
    let runs = tree.metadata(&ROLLUP_DIR.runs());
    runs.is_ok_and(|metadata| metadata.is_some())
}

/// Adds the open run to a failure, as the commands that continue the run work without the
/// description.
fn with_open_run(failure: Failure, tree: &Tree) -> Failure {
    if !runs(tree).is_ok_and(|runs| runs.iter().any(Run::is_open)) {
        return failure;
    }
    let next = NextCommands(tree.path());
    failure.next(format!(
        "`{}` works without the file, and so do `{}` and `{}`",
        next.status(),
        next.resume(),
        next.undo()
    ))
}

fn open_tree(path: &Path) -> Result<Tree, Failure> {
    if !path.is_dir() {
        let failure = Failure::new(
            Exit::NoInput,
            format_args!("there is no deployment `{}`", path.display()),
        );
        return Err(if path.exists() {
            failure.next("name the directory with the `deployment.toml`")
        } else {
            failure.next("check the path; a deployment is a directory with a `deployment.toml`")
        });
    }
    Ok(Tree::open(path)?)
}

fn nearest_deployment() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::new(Exit::Io, error))?;
    let is_one = |directory: &Path| {
        directory.join("deployment.toml").is_file()
            || directory.join(ROLLUP_DIR.runs().to_path()).is_dir()
    };
    let found = here.ancestors().find(|directory| is_one(directory));
    found.map(Path::to_owned).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "no deployment was given, and neither the current directory nor any of its parent \
             directories has a `deployment.toml`",
        )
        .next("pass `--deployment DIR`, or set ROLLUP_DEPLOYMENT")
    })
}

fn description(tree: &Tree) -> Result<Description, Failure> {
    let source = text_of_description(tree)?;
    let mut findings = Findings::default();
    let description = describe::parse(&source, &mut findings);
    description.ok_or_else(|| invalid_document(&source, findings))
}

/// Reads a description outside of a deployment, with its text.
pub(super) fn read_description(path: &Path) -> Result<(Description, String), Failure> {
    let source = source(path)?;
    let mut findings = Findings::default();
    match describe::parse(&source, &mut findings) {
        Some(description) => Ok((description, source.text().to_owned())),
        None => Err(invalid_document(&source, findings)),
    }
}

/// Reads the text of a deployment's `deployment.toml`.
pub(super) fn description_source(deployment: &Path) -> Result<Source, Failure> {
    text_of_description(&open_tree(deployment)?)
}

fn text_of_description(tree: &Tree) -> Result<Source, Failure> {
    let at = rel("deployment.toml");
    let name = tree.shown(Some(&at));
    let file = tree.file(&at).map_err(|error| match error.is_missing() {
        true => {
            let reason = format!(
                "`{}` is not a deployment: it has no `deployment.toml`",
                tree.path().display()
            );
            Failure::new(Exit::NoInput, reason)
        }
        false => error.into(),
    })?;
    let mut bytes = Vec::new();
    file.take(Source::LARGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| DiskError::new("read", name.clone(), error))?;
    Ok(Source::from_bytes(name, bytes))
}

/// Reads a document named on the command line, at most one byte more than a document may have.
pub(super) fn source(path: &Path) -> Result<Source, Failure> {
    Ok(Source::from_bytes(
        escaped_path(path),
        bytes(path, Source::LARGEST as u64 + 1)?,
    ))
}

/// Reads a file named on the command line, at most `most` bytes. Anything but a file is refused
/// without waiting for it.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let name = escaped_path(path);
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Exit::NoInput, format_args!("there is no file `{name}`"))
                .next("check the path")
        }
        _ => Failure::new(Exit::Io, format_args!("cannot read `{name}`: {error}")),
    };
    // A path that a shell passes, such as `<(…)`, is a stream with a writer at its other end.
    let stream = ["/dev/fd", "/dev/stdin", "/proc/self/fd"]
        .iter()
        .any(|directory| path.starts_with(directory));
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
            format_args!("`{name}` is not a file"),
        ));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Reads a manifest, and checks it against the deployment that it is meant for.
pub(super) fn manifest(
    path: &Path,
    deployment: Option<&Description>,
) -> Result<LoadedManifest, Failure> {
    let source = source(path)?;
    let mut findings = Findings::default();
    let checks = Checks { deployment };
    match manifest::parse_with(&source, &checks, &mut findings) {
        Some(manifest) => Ok(LoadedManifest { manifest, source }),
        None => Err(invalid_document(&source, findings)),
    }
}

/// Returns a failure that shows the errors among the findings; the rest is for `rollup validate`.
fn invalid_document(source: &Source, mut findings: Findings) -> Failure {
    findings.retain(|finding| finding.level == crate::document::Severity::Error);
    let text = findings
        .text(source, &render_options())
        .trim_end()
        .to_owned();
    // A manifest that removes an item that is not removable is still valid.
    let exit = match findings
        .sorted()
        .iter()
        .all(|finding| finding.code == Code::NotRemovable)
    {
        true => Exit::NotReady,
        false => Exit::Invalid,
    };
    let errors = out::count(findings.errors(), "error", "errors");
    let failure = Failure::new(exit, format_args!("`{}` has {errors}", source.name())).next(
        format!("fix the file, then `rollup validate {}`", source.name()),
    );
    Failure {
        findings: Some(text),
        ..failure
    }
}

/// Returns the layout of findings on standard error.
fn render_options() -> RenderOptions {
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    RenderOptions {
        width: out::width(),
        color,
        wraps: out::is_screen(),
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
                failure.next("name the directory with the files")
            } else {
                failure.next("check the path; `-p DIR` is the directory with the vendor's files")
            })
        }
    }
}

/// Opens a payload directory.
pub(super) fn payload(directory: &Path) -> anyhow::Result<Payload> {
    Ok(Payload::open(directory)?)
}

/// Reads while another process may write: compares the journals before and after, and reads again
/// if they changed.
pub(super) fn read_consistently<T>(
    tree: &Tree,
    mut read: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    for _ in 0..MAX_READS {
        let before = record_counts(tree)?;
        let value = read();
        if record_counts(tree)? == before {
            return value;
        }
    }
    Err(writer_at_work(tree).into())
}

/// Returns all runs.
///
/// # Errors
///
/// The slots of a run show more progress than its journal records.
pub(super) fn checked_runs(tree: &Tree) -> anyhow::Result<Vec<Run>> {
    let runs = runs(tree)?;
    runs.iter().try_for_each(|run| check_not_begun(tree, run))?;
    Ok(runs)
}

/// Returns the number of records of every run: a writer changes it first and last.
fn record_counts(tree: &Tree) -> anyhow::Result<Vec<(u32, usize)>> {
    let runs = runs(tree)?;
    Ok(runs
        .iter()
        .map(|run| (run.number, run.journal.entries.len()))
        .collect())
}

/// Describes the process that holds the lock.
pub(super) fn writer_at_work(tree: &Tree) -> LockError {
    held(tree)
}
