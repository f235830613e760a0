//! Answers to near misses: what a path is that a command cannot use, and how it is meant to be named.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::exit::Exit;
use super::failure::Failure;
use super::inputs;
use super::saved::SavedPlan;
use crate::cli::terminal::out::shell_quoted;
use crate::document::nearest;
use crate::names::{Kb, escaped_path};
use crate::validation::{DocumentKind, OtherDocument, kind_of};

/// Commands that have neither operations nor phases to print, and so no use for `--verbose`.
pub(super) const WITHOUT_VERBOSE: [&str; 13] = [
    "ack",
    "completions",
    "diff",
    "explain",
    "history",
    "import",
    "init",
    "man",
    "prune",
    "report",
    "schema",
    "status",
    "tree",
];

/// Most entries of a directory that are looked at.
const MOST_ENTRIES: usize = 1_000;

/// Describes a path that is not a file.
pub(super) fn not_a_file(path: &Path) -> Failure {
    let failure = Failure::no_input(format_args!("`{}` is not a file", escaped_path(path)));
    let shown = shell_quoted(path);
    if !path.is_dir() {
        return failure.next("name a file");
    }
    if is_deployment(path) {
        return failure.next(format!("name a file; `-d {shown}` names a deployment"));
    }
    let files = entries(path);
    let has_extension = |file: &&PathBuf, wanted: &str| {
        let extension = file.extension();
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
    };
    let mut documents = files.iter().filter(|file| has_extension(file, "toml"));
    if let Some(manifest) = documents.find(|file| is_manifest(file)) {
        let manifest = shell_quoted(manifest);
        return failure.next(format!("name a manifest in it, such as `{manifest}`"));
    }
    if files.iter().any(|file| has_extension(&file, "msi")) {
        return failure.next(format!("name the manifest; `-p {shown}` names the payload"));
    }
    if let Some(below) = inputs::directories_with(path, is_deployment).first() {
        let below = shell_quoted(below);
        return failure.next(format!(
            "name a file; `-d {below}` names the deployment in it"
        ));
    }
    failure.next("name the file")
}

/// Describes a path that does not exist.
pub(super) fn no_file(path: &Path) -> Failure {
    let name = escaped_path(path);
    let failure = Failure::no_input(format_args!("there is no file `{name}`"));
    let typed = path.to_str().unwrap_or_default();
    if let Some(meant) = nearest_file(path) {
        return failure.next(format!("did you mean `{}`?", shell_quoted(&meant)));
    }
    let is_run = typed.eq_ignore_ascii_case("last") || Kb::number(typed).is_ok();
    if is_run {
        return failure.next(
            "name the manifest of the rollup, which is a file; `rollup history` lists the runs",
        );
    }
    failure.next("check the path")
}

/// Returns the file beside a path that is most like it: with an ending, in another case, or
/// misspelled.
fn nearest_file(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let directory = inputs::parent_of(path);
    let files = entries(directory);
    let names: Vec<&str> = files
        .iter()
        .filter_map(|file| file.file_name()?.to_str())
        .collect();
    let with_ending = format!("{name}.toml");
    let found = names
        .iter()
        .find(|known| known.eq_ignore_ascii_case(&with_ending))
        .copied();
    let found = found.or_else(|| {
        let is_long = name.len() > 4 && name.contains('.');
        let documents = names.iter().copied().filter(|_| is_long);
        nearest(name, documents)
    });
    found.map(|found| path.with_file_name(found))
}

/// Returns the regular files in a directory, sorted by their names.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .take(MOST_ENTRIES)
        .map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn is_manifest(file: &Path) -> bool {
    let source = inputs::source(file);
    source.is_ok_and(|source| kind_of(&source) == Some(DocumentKind::Manifest))
}

fn is_deployment(path: &Path) -> bool {
    path.join("deployment.toml").is_file()
}

/// Describes a file in place of the name of a run; `None` if there is no such file.
pub(super) fn file_for_run(named: &str) -> Option<Failure> {
    let path = Path::new(named);
    if !path.is_file() {
        return None;
    }
    let (what, kb) = described(path);
    let reason = format!(
        "`{}` is {what}, and this command takes a run",
        escaped_path(path)
    );
    let failure = Failure::usage(reason);
    Some(match kb {
        Some(kb) => failure.next(format!("name the run by its rollup: `{kb}`")),
        None => failure,
    })
}

/// Returns what a file is, and the rollup that it is about.
fn described(path: &Path) -> (&'static str, Option<Kb>) {
    if let Ok(Some(saved)) = SavedPlan::read(path) {
        return ("a saved plan", saved.plan.rollup().map(|rollup| rollup.kb));
    }
    match inputs::manifest(path, None) {
        Ok(loaded) => ("a manifest", Some(loaded.manifest.rollup.kb)),
        Err(_) => ("a file", None),
    }
}

/// Refuses the directory of a deployment in place of a document or a run.
///
/// # Errors
///
/// A command that takes a deployment with `-d` has one in another place: 64.
pub(super) fn refuse_deployment_in_place(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((command, matches)) = matches.subcommand() else {
        return Ok(());
    };
    let takes_documents = ["plan", "apply", "stage", "rehearse", "pin"].contains(&command);
    let mut paths = ["manifest", "run"]
        .iter()
        .filter_map(|id| matches.try_get_raw(id).ok()?)
        .flatten()
        .map(Path::new);
    let Some(path) = paths.find(|path| is_deployment(path)) else {
        return Ok(());
    };
    let (name, shown) = (escaped_path(path), shell_quoted(path));
    let reason = format!("`{name}` is the directory of a deployment");
    let more = if takes_documents {
        "; name a manifest, too"
    } else {
        ""
    };
    Err(Failure::new(Exit::Usage, reason).next(format!("`-d {shown}` names it{more}")))
}

/// Refuses `--verbose` where it would print nothing more.
///
/// # Errors
///
/// A command without a use for it has it: 64.
pub(super) fn refuse_unused_verbose(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some((command, matches))
            if WITHOUT_VERBOSE.contains(&command) && matches.get_flag("verbose") =>
        {
            let reason = format!("`rollup {command}` has nothing more to print for `--verbose`");
            Err(Failure::new(Exit::Usage, reason).next("the same command without it"))
        }
        _ => Ok(()),
    }
}

/// Returns what to type if a deployment is named without its option.
pub(super) fn advice_for_usage(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let path = Path::new(word);
    let shown = shell_quoted(path);
    is_deployment(path).then(|| format!("`-d {shown}` names the deployment"))
}

/// Describes a document of another kind in place of a manifest.
pub(super) fn not_a_manifest(path: &str, other: OtherDocument) -> Failure {
    let what = other.description();
    let reason = format!("`{path}` is {what}; it is not a manifest");
    Failure::invalid(reason).next(other.advice(&shell_quoted(Path::new(path))))
}
