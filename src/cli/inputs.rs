//! Finds and reads the inputs of a command: the deployment, the manifest, the payload.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anyhow::bail;
use rustix::fs::OFlags;

use super::args::{DeploymentArg, LockArgs};
use super::ending::report_cleared_runs;
use super::exit::Exit;
use super::failure::Failure;
use super::near_misses;
use super::state_now::take_lock;
use crate::cli::terminal::console;
use crate::cli::terminal::out;
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::deployment::lock::{check_rollup_directory, held};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::{DiskError, Tree, path as rel};
use crate::document::{Code, Findings, RenderOptions, Severity, Source};
use crate::journal::{Run, runs};
use crate::manifest::{self, Checks, Manifest};
use crate::names::{Escaped, Kb, escaped_path};
use crate::phase::Phase;
use crate::run::clear_interrupted_staging;
use crate::validation::{DocumentKind, OtherDocument, kind_of};

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
    pub(super) fn described(self) -> Result<DescribedDeployment, Failure> {
        match self.description {
            Ok(description) => Ok(DescribedDeployment {
                tree: self.tree,
                description,
                how: self.how,
            }),
            Err(failure) => Err(with_open_run(failure, &self.tree)),
        }
    }

    /// Takes the lock.
    pub(super) fn lock(&self, verb: &str, lock: LockArgs) -> anyhow::Result<LockedDeployment> {
        Ok(take_lock(self.tree.try_clone()?, verb, lock.wait())?)
    }

    /// Takes the lock, and clears runs that died while staging.
    pub(super) fn lock_and_clear(
        &self,
        verb: &str,
        lock: LockArgs,
    ) -> anyhow::Result<LockedDeployment> {
        let disk = self.lock(verb, lock)?;
        report_cleared_runs(&clear_interrupted_staging(&disk)?);
        Ok(disk)
    }

    /// Returns a question about the deployment, which ends with its name and path.
    pub(super) fn question(&self, what: &str, of: &str) -> String {
        let name = self
            .description
            .as_ref()
            .ok()
            .map(|site| site.name.as_str());
        question(what, of, name, &self.tree)
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

/// Returns a question that ends with the name and the path of the deployment.
pub(super) fn question(what: &str, of: &str, name: Option<&str>, tree: &Tree) -> String {
    let path = tree.path().display().to_string();
    let site = match name {
        Some(name) => format!("{} in {}", Escaped(name), Escaped(&path)),
        None => Escaped(&path).to_string(),
    };
    format!("{what}{of} of {site}")
}

/// Opens the given deployment, or the nearest one among the parent directories.
///
/// # Errors
///
/// No deployment exists there, its `deployment.toml` is not valid, or its `.rollup` is of a later
/// version.
pub(super) fn open_described(given: Option<&Path>) -> anyhow::Result<DescribedDeployment> {
    Ok(open_deployment(given)?.described()?)
}

/// Opens the deployment that a command changes, and prints it as the first line.
pub(super) fn open_to_change(given: &DeploymentArg) -> anyhow::Result<OpenedDeployment> {
    let site = open_deployment(given.path())?;
    let path = site.tree.path().display();
    out::message(format_args!("deployment {path} ({})", site.how));
    Ok(site)
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
    check_rollup_directory(&tree)?;
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
    tree.metadata(&ROLLUP_DIR.runs())
        .is_ok_and(|metadata| metadata.is_some())
}

/// Adds the open run to a failure, as the commands that continue the run work without the
/// description.
fn with_open_run(failure: Failure, tree: &Tree) -> Failure {
    if !runs(tree).is_ok_and(|runs| runs.iter().any(Run::is_open)) {
        return failure;
    }
    failure
        .next("`rollup status` works without the file, and so do `rollup resume` and `rollup undo`")
}

fn open_tree(path: &Path) -> Result<Tree, Failure> {
    if path.is_dir() {
        return Ok(Tree::open(path)?);
    }
    let reason = format!("there is no deployment `{}`", path.display());
    let advice = "check the path; a deployment is a directory with a `deployment.toml`";
    Err(Failure::no_input(reason).next(advice))
}

/// Returns whether a deployment is found without being named on the command line.
pub(super) fn is_deployment_known() -> bool {
    let set = std::env::var_os("ROLLUP_DEPLOYMENT").is_some_and(|set| !set.is_empty());
    set || nearest_deployment().is_ok()
}

fn nearest_deployment() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(Failure::io)?;
    for directory in here.ancestors() {
        if directory.join("deployment.toml").is_file()
            || directory.join(ROLLUP_DIR.runs().to_path()).is_dir()
        {
            return Ok(directory.to_owned());
        }
    }
    let reason = "no deployment was given, and neither the current directory nor any of its parent \
                  directories has a `deployment.toml`";
    Err(Failure::usage(reason).next("pass `--deployment DIR`, or set ROLLUP_DEPLOYMENT"))
}

fn description(tree: &Tree) -> Result<Description, Failure> {
    parse_description(&text_of_description(tree)?)
}

/// Reads a description outside of a deployment, with its text.
pub(super) fn read_description(path: &Path) -> Result<(Description, String), Failure> {
    let source = source(path)?;
    if kind_of(&source) == Some(DocumentKind::Manifest) {
        return Err(
            other_kind(&source, "is a manifest; it does not describe a deployment")
                .next("name a `deployment.toml`, or the directory of a deployment"),
        );
    }
    let description = parse_description(&source)?;
    Ok((description, source.text().to_owned()))
}

/// Parses a description without errors.
pub(super) fn parse_description(source: &Source) -> Result<Description, Failure> {
    let mut findings = Findings::default();
    describe::parse(source, &mut findings).ok_or_else(|| invalid_document(source, findings))
}

/// Reads the text of a deployment's `deployment.toml`.
pub(super) fn description_source(deployment: &Path) -> Result<Source, Failure> {
    text_of_description(&open_tree(deployment)?)
}

fn text_of_description(tree: &Tree) -> Result<Source, Failure> {
    let at = rel("deployment.toml");
    let name = tree.shown(Some(&at));
    let file = match tree.file(&at) {
        Err(error) if error.is_missing() => {
            let path = tree.path().display();
            let reason = format!("`{path}` is not a deployment: it has no `deployment.toml`");
            let mut failure = Failure::no_input(reason);
            for below in directories_with(tree.path(), |one| one.join("deployment.toml").is_file())
            {
                let below = out::shell_quoted(&below);
                failure = failure.next(format!("`{below}` is one: `-d {below}`"));
            }
            return Err(failure);
        }
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(Source::LARGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| DiskError::new("read", name.clone(), error))?;
    Ok(Source::from_bytes(name, bytes))
}

/// Reads a document named on the command line, at most one byte more than a document may have.
pub(super) fn source(path: &Path) -> Result<Source, Failure> {
    let bytes = bytes(path, Source::LARGEST as u64 + 1)?;
    Ok(Source::from_bytes(escaped_path(path), bytes))
}

/// Reads a file named on the command line, at most `most` bytes.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    open_file(path)?
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| read_failure(path, &error))?;
    Ok(bytes)
}

/// Opens a file named on the command line. Anything but a file is refused without waiting for it.
pub(super) fn open_file(path: &Path) -> Result<File, Failure> {
    // A path that a shell passes, such as `<(…)`, is a stream with a writer at its other end.
    let is_stream = ["/dev/fd", "/dev/stdin", "/proc/self/fd"]
        .iter()
        .any(|stream| path.starts_with(stream));
    let mut flags = OFlags::empty();
    flags.set(OFlags::NONBLOCK, !is_stream);
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| read_failure(path, &error))?;
    if !is_stream && !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(near_misses::not_a_file(path));
    }
    Ok(file)
}

/// Describes a file named on the command line that cannot be read.
pub(super) fn read_failure(path: &Path, error: &io::Error) -> Failure {
    let name = escaped_path(path);
    if error.kind() == io::ErrorKind::NotFound {
        return near_misses::no_file(path);
    }
    Failure::io(format!("cannot read `{name}`: {error}"))
}

/// Describes a document of another kind.
fn other_kind(source: &Source, what: &str) -> Failure {
    Failure::invalid(format_args!("`{}` {what}", source.name()))
}

/// Reads a manifest, and checks it against the deployment that it is meant for.
pub(super) fn manifest(
    path: &Path,
    deployment: Option<&Description>,
) -> Result<LoadedManifest, Failure> {
    parse_manifest(source(path)?, deployment)
}

/// Checks a manifest against the deployment that it is meant for.
pub(super) fn parse_manifest(
    source: Source,
    deployment: Option<&Description>,
) -> Result<LoadedManifest, Failure> {
    if kind_of(&source) == Some(DocumentKind::Deployment) {
        return Err(
            other_kind(&source, "describes a deployment; it is not a manifest")
                .next("name the manifest of the rollup; `-d DIR` names the deployment"),
        );
    }
    if let Some(other) = OtherDocument::of(&source) {
        return Err(near_misses::not_a_manifest(source.name(), other));
    }
    let source = match deployment {
        Some(deployment) => source.with_secrets(&deployment.secret_names()),
        None => source,
    };
    let mut findings = Findings::default();
    match manifest::parse_with(&source, &Checks { deployment }, &mut findings) {
        Some(manifest) => Ok(LoadedManifest { manifest, source }),
        None => Err(invalid_document(&source, findings)),
    }
}

/// Returns a failure that shows the errors among the findings; the rest is for `rollup validate`.
fn invalid_document(source: &Source, mut findings: Findings) -> Failure {
    findings.retain(|finding| finding.level == Severity::Error);
    // A manifest that removes an item that is not removable is still valid.
    let exit = if findings
        .sorted()
        .iter()
        .all(|finding| finding.code == Code::NotRemovable)
    {
        Exit::NotReady
    } else {
        Exit::Invalid
    };
    let name = source.name();
    let errors = out::count(findings.errors(), "error");
    let mut failure = Failure::new(exit, format!("`{name}` has {errors}"))
        .next(format!("fix the file, then `rollup validate {name}`"));
    let text = findings.text(source, &render_options(&io::stderr()));
    failure.findings = Some(text.trim_end().to_owned());
    failure
}

/// Returns the layout of findings on a stream.
pub(super) fn render_options(stream: &impl RawStream) -> RenderOptions {
    RenderOptions {
        width: out::width(),
        color: AutoStream::choice(stream) != ColorChoice::Never,
        wraps: out::is_screen(),
    }
}

/// Returns the given payload, or the directory beside the manifest or the saved plan that is named
/// like its KB number.
pub(super) fn payload_directory(
    given: Option<&Path>,
    document: &Path,
    kb: Kb,
) -> Result<Option<PathBuf>, Failure> {
    if let Some(given) = given {
        return given_payload(given).map(Some);
    }
    let entries = std::fs::read_dir(parent_of(document))
        .into_iter()
        .flatten()
        .flatten();
    let is_named = |name: &OsStr| name.to_str().is_some_and(|name| name.parse() == Ok(kb));
    Ok(entries
        .filter(|entry| is_named(&entry.file_name()))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .min())
}

/// Most directories below another that are named.
const MOST_BELOW: usize = 3;

/// Returns the directories directly below another that are wanted, in the order of their names, at
/// most some.
pub(super) fn directories_with(
    directory: &Path,
    is_wanted: impl Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths
        .filter(|path| path.is_dir() && is_wanted(path))
        .collect();
    found.sort();
    found.truncate(MOST_BELOW);
    found
}

/// Refuses a payload directory that has no file of the table, if one directly below it has some.
pub(super) fn refuse_parent_of_payload(
    directory: &Path,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let has_files = |below: &Path| {
        let mut rows = manifest.files.iter();
        rows.any(|row| below.join(row.name.as_str()).is_file())
    };
    let Some(below) = directories_with(directory, has_files).into_iter().next() else {
        return Ok(());
    };
    let reason = format!("`{}` has no file of the rollup", directory.display());
    let below = out::shell_quoted(&below);
    Err(Failure::no_input(reason).next(format!("`{below}` has: `-p {below}`")))
}

/// Returns the directory of a file, as a path that can be opened.
pub(super) fn parent_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Begins the phase in which a payload is read.
pub(super) fn hashing_payload() -> Arc<Phase> {
    console::phase(Phase::bytes("hashing", 0, "reading packages"))
}

/// Checks a payload directory named on the command line.
pub(super) fn given_payload(given: &Path) -> Result<PathBuf, Failure> {
    if given.is_dir() {
        return Ok(given.to_owned());
    }
    let reason = format!("there is no payload directory `{}`", given.display());
    let advice = "check the path; `-p DIR` is the directory with the vendor's files";
    Err(Failure::no_input(reason).next(advice))
}

/// Describes a payload that was neither given nor found beside a document.
pub(super) fn no_payload(kb: Kb, document: &str) -> Failure {
    let reason = format!("no payload was given, and no directory `{kb}` is beside the {document}");
    Failure::usage(reason)
        .next("pass the directory of the rollup's files as `--payload DIR`, or set ROLLUP_PAYLOAD")
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
    bail!(held(tree))
}

/// Returns the number of records of every run: a writer changes it first and last.
fn record_counts(tree: &Tree) -> anyhow::Result<Vec<(u32, usize)>> {
    Ok(runs(tree)?
        .iter()
        .map(|run| (run.number, run.journal.entries.len()))
        .collect())
}
