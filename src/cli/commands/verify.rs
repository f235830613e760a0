//! `verify`: compares every installed file, installer and state with its record.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, VerifyArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::next::NextCommands;
use crate::cli::terminal::out::{self, BAD, DIM, GOOD, WARN, count, styled};
use crate::deployment::lock::holder;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::{Run, RunState};
use crate::names::{Escaped, RelPath};
use crate::run::{describe_run, kept_object_faults};
use crate::verify::{Drift, Verification, verify as verify_tree};

/// Runs `rollup verify`.
pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_described(args.deployment.deployment.as_deref())?;
    let compared = inputs::read_consistently(&site.tree, || {
        let snapshot = Snapshot::read(&site.tree, site.description.clone(), &Interest::default());
        let snapshot = snapshot?;
        let verified = verify_tree(&site.tree, snapshot)?;
        let runs = inputs::checked_runs(&site.tree)?;
        let kept = match args.undo {
            true => Some(kept_objects(&site.tree, &runs)?),
            false => None,
        };
        let open = runs
            .into_iter()
            .find(|run| matches!(run.state(), RunState::Unfinished(_)));
        Ok(Compared {
            verified,
            kept,
            open,
        })
    })?;
    if compared.open.is_some() && holder(&site.tree)?.is_some() {
        return Err(inputs::writer_at_work(&site.tree).into());
    }
    let exit = match compared.differences() == 0 && compared.open.is_none() {
        true => Exit::Ok,
        false => Exit::Mismatch,
    };
    match args.format {
        Format::Json => Envelope::new(exit, &compared).print(),
        Format::Text => {
            compared.print_differences();
            compared.print_verdict(&NextCommands(site.tree.path()));
        }
    }
    Ok(exit)
}

/// Result of the comparison.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Comparison of a deployment with its records")]
pub(in crate::cli) struct Compared {
    #[serde(flatten)]
    verified: Verification,
    /// Kept objects, if they were hashed.
    kept: Option<KeptObjects>,
    /// Run that is unfinished.
    #[serde(skip)]
    open: Option<Run>,
}

impl Compared {
    fn print_differences(&self) {
        let verified = &self.verified;
        if let Some(run) = &self.open {
            out::line(format_args!(
                "{}: run {} is {}; `rollup status` shows the next command",
                styled(WARN, "open"),
                run.name(),
                describe_run(run)
            ));
        }
        let width = out::width();
        let mut by_directory: BTreeMap<Option<RelPath>, Vec<&Drift>> = BTreeMap::new();
        verified.drift.iter().for_each(|drift| {
            by_directory
                .entry(drift.path.parent())
                .or_default()
                .push(drift)
        });
        for drift in by_directory.into_values().flatten() {
            let path = format!("`{}`", Escaped(drift.path.as_str()));
            // A path stays in one piece; its description goes on the next line if the line would be too
            // long.
            let fits =
                "drift: ".len() + path.chars().count() + 1 + drift.description.chars().count()
                    <= width;
            let gap = if fits { " " } else { "\n       " };
            out::line(format_args!(
                "{}: {path}{gap}{}",
                styled(BAD, "drift"),
                drift.description
            ));
        }
        for lagging in &verified.lagging {
            out::line(format_args!("{}: {lagging}", styled(BAD, "lagging")));
        }
        for lacking in &verified.lacking {
            out::line(format_args!("{}: {lacking}", styled(BAD, "requires")));
        }
        for changed in self.kept.iter().flat_map(|kept| &kept.changed) {
            out::line(format_args!("{}: {changed}", styled(BAD, "undo")));
        }
        for directory in &verified.directories_of_no_instance {
            out::line(format_args!(
                "{}: `{}` belongs to no server or instance of `deployment.toml`",
                styled(WARN, "directory"),
                Escaped(directory.as_str())
            ));
        }
        for name in &verified.unreadable {
            let label = styled(WARN, "unmanaged");
            out::line(format_args!(
                "{label}: `{}` has a name that is not UTF-8; `apply` refuses to touch it",
                Escaped(name)
            ));
        }
        for path in &verified.unmanaged {
            out::line(format_args!(
                "{}: `{}` has no record; rollup leaves it alone",
                styled(DIM, "unmanaged"),
                Escaped(path.as_str())
            ));
        }
    }

    fn print_verdict(&self, next: &NextCommands<'_>) {
        let verified = &self.verified;
        let items = count(verified.items, "installed item", "installed items");
        let files = count(verified.files, "file", "files");
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.changed.is_empty()) {
            let runs = count(kept.runs.len(), "run", "runs");
            out::line(format_args!(
                "the kept objects of {runs} are as they were moved there"
            ));
        }
        match self.differences() {
            0 => {
                let verdict = if self.open.is_some() {
                    "the current state matches its records"
                } else {
                    "everything matches"
                };
                let bytes = out::number(verified.bytes);
                out::line(format_args!(
                    "{}: {items}, {files}, {bytes} bytes",
                    styled(GOOD, verdict)
                ));
            }
            drift => {
                out::line(format_args!(
                    "{} in {items} with {files}",
                    count(drift, "difference", "differences")
                ));
                if self.open.is_none() && !verified.lagging.is_empty() {
                    out::line(next.complete("next: `rollup apply` brings up only what lags"));
                }
                if self.open.is_none() && !verified.lacking.is_empty() {
                    out::line("next: install again what is required and missing");
                }
                if self
                    .kept
                    .as_ref()
                    .is_some_and(|kept| !kept.changed.is_empty())
                {
                    out::line(
                        "next: restore the kept objects from a backup; without them the run cannot be undone",
                    );
                }
                if self.open.is_none() && !verified.drift.is_empty() {
                    out::line(next.complete(
                        "next: restore the files above, or `rollup apply --reapply` repeats all steps",
                    ));
                    out::line(format_args!("  or: `{}` accepts the drift", next.accept()));
                }
            }
        }
    }

    fn differences(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.changed.len());
        self.verified.differences() + kept
    }
}

/// Kept objects of the finished runs that still have them.
#[derive(Serialize, JsonSchema)]
struct KeptObjects {
    /// Names of these runs.
    runs: Vec<String>,
    /// Differences from what the runs moved there.
    changed: Vec<String>,
}

/// Hashes the objects that the finished runs keep.
fn kept_objects(tree: &Tree, runs: &[Run]) -> anyhow::Result<KeptObjects> {
    let mut kept = KeptObjects {
        runs: Vec::new(),
        changed: Vec::new(),
    };
    for run in runs.iter().filter(|run| run.is_done()) {
        let faults = kept_object_faults(tree, run)?;
        if let Some(faults) = faults {
            kept.changed.extend(faults);
            kept.runs.push(run.name().to_owned());
        }
    }
    Ok(kept)
}
