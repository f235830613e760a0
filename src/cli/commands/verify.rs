//! `verify`: compares every installed file, installer and state with its record.

use anyhow::bail;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::advice::TypedCommand;
use crate::cli::args::VerifyArgs;
use crate::cli::envelope::show;
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::lines::{labelled, path_line, print_directories_of_no_instance};
use crate::cli::recovery::{is_unfinished, state_of};
use crate::cli::terminal::console;
use crate::cli::terminal::out::{self, BAD, DIM, GOOD, WARN, count};
use crate::deployment::lock::{held, holder};
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::{Run, runs};
use crate::names::Escaped;
use crate::phase::Phase;
use crate::run::kept_object_faults;
use crate::verify::{Drift, Verification, verify as verify_tree};

/// Runs `rollup verify`.
pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_described(args.deployment.path())?;
    let compared = inputs::read_consistently(&site.tree, || {
        let snapshot = Snapshot::read(&site.tree, site.description.clone(), &Interest::default())?;
        let phase = console::phase(Phase::bytes("verifying", 0, "comparing"));
        let verified = verify_tree(&site.tree, snapshot, &phase)?;
        let runs = runs(&site.tree)?;
        let kept = if args.undo {
            Some(KeptObjects::read(&site.tree, &runs)?)
        } else {
            None
        };
        Ok(Compared {
            verified,
            kept,
            open: runs.into_iter().find(is_unfinished),
        })
    })?;
    if compared.open.is_some() && holder(&site.tree)?.is_some() {
        bail!(held(&site.tree));
    }
    let exit = if !compared.verified.faults.is_empty()
        || compared
            .open
            .as_ref()
            .is_some_and(|run| run.fault.is_some())
    {
        Exit::NeedsAttention
    } else if compared.differences() == 0 && compared.open.is_none() {
        Exit::Ok
    } else {
        Exit::Mismatch
    };
    show(args.format, exit, compared, |compared| {
        compared.print_differences();
        compared.print_verdict(&TypedCommand::on(site.tree.path()));
    });
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
            let state = state_of(run);
            let text = format!("{state}; `rollup status` shows the next command");
            labelled(WARN, "open", text);
        }
        let mut drift: Vec<&Drift> = verified.drift.iter().collect();
        drift.sort_by_key(|drift| drift.path.parent());
        for Drift {
            path, description, ..
        } in drift
        {
            labelled(BAD, "drift", path_line(path, description, 7, 7));
        }
        for Drift { path, description } in &verified.faults {
            labelled(BAD, "damaged", path_line(path, description, 9, 7));
        }
        for lagging in &verified.lagging {
            labelled(BAD, "lagging", lagging);
        }
        for lacking in &verified.lacking {
            labelled(BAD, "requires", lacking);
        }
        for changed in self.changed_objects() {
            labelled(BAD, "undo", changed);
        }
        print_directories_of_no_instance(&verified.directories_of_no_instance);
        for name in &verified.unreadable {
            let name = Escaped(name);
            let text =
                format!("`{name}` has a name that is not UTF-8; `apply` refuses to touch it");
            labelled(WARN, "unmanaged", text);
        }
        for path in &verified.unmanaged {
            let path = Escaped(path.as_str());
            let text = format!("`{path}` has no record; rollup leaves it alone");
            labelled(DIM, "unmanaged", text);
        }
    }

    fn print_verdict(&self, typed: &TypedCommand) {
        let verified = &self.verified;
        let items = count(verified.items, "installed item");
        let files = count(verified.files, "file");
        if let Some(kept) = &self.kept
            && kept.changed.is_empty()
        {
            match kept.runs.len() {
                0 if self.open.is_some() => {
                    out::line("the objects of the open run were not compared");
                }
                0 => out::line("no run keeps objects for an undo"),
                runs => out::line(format_args!(
                    "the kept objects of {} are as they were moved there",
                    count(runs, "run")
                )),
            }
        }
        if self.differences() == 0 {
            let verdict = if self.open.is_some() {
                "the current state matches its records"
            } else {
                "everything matches"
            };
            let bytes = out::size(verified.bytes);
            labelled(GOOD, verdict, format_args!("{items}, {files}, {bytes}"));
            return;
        }
        let differences = count(self.differences(), "difference");
        out::line(format_args!("{differences} in {items} with {files}"));
        self.print_next(typed);
    }

    fn print_next(&self, typed: &TypedCommand) {
        if !self.changed_objects().is_empty() {
            out::line(
                "next: restore the kept objects from a backup; without them the run cannot be undone",
            );
        }
        if self.open.is_some() {
            return;
        }
        let verified = &self.verified;
        if !verified.lagging.is_empty() {
            let advice = "next: `rollup apply` brings up only what lags";
            out::line(typed.complete(advice));
        }
        if !verified.lacking.is_empty() {
            out::line("next: install again what is required and missing");
        }
        if !verified.drift.is_empty() {
            out::line(typed.complete(
                "next: restore the files above, or `rollup apply --reapply` repeats all steps\n  \
                 or: `rollup accept` accepts the drift",
            ));
        }
    }

    /// Returns the kept objects that have changed.
    fn changed_objects(&self) -> &[String] {
        match &self.kept {
            Some(kept) => &kept.changed,
            None => &[],
        }
    }

    fn differences(&self) -> usize {
        self.verified.differences() + self.changed_objects().len()
    }
}

/// Kept objects of the finished runs that still have them.
#[derive(Default, Serialize, JsonSchema)]
struct KeptObjects {
    /// Names of these runs.
    runs: Vec<String>,
    /// Differences from what the runs moved there.
    changed: Vec<String>,
}

impl KeptObjects {
    /// Hashes the objects that the finished runs keep.
    fn read(tree: &Tree, runs: &[Run]) -> anyhow::Result<Self> {
        let mut kept = Self::default();
        let phase = console::phase(Phase::bytes("hashing kept objects", 0, "comparing"));
        for run in runs.iter().filter(|run| run.is_done()) {
            if let Some(faults) = kept_object_faults(tree, run, &phase)? {
                kept.changed.extend(faults);
                kept.runs.push(run.name().to_owned());
            }
        }
        Ok(kept)
    }
}
