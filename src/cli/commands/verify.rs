//! `verify`: compares every installed file, installer and state with its record.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::args::{Format, ReadArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::next::NextCommands;
use crate::cli::terminal::out::{self, BAD, DIM, GOOD, WARN, count, styled};
use crate::deployment::lock::holder;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::journal::RunState;
use crate::names::{Escaped, RelPath};
use crate::run::describe_run;
use crate::verify::{Drift, verify as verify_tree};

/// Runs `rollup verify`.
pub(super) fn verify(args: &ReadArgs) -> Result<Exit, Failure> {
    let site = inputs::open_described(args.deployment.deployment.as_deref())?;
    let (verified, open) = inputs::read_consistently(&site.tree, || {
        let snapshot = Snapshot::read(&site.tree, site.description.clone(), &Interest::default());
        let snapshot = snapshot.map_err(|error| inputs::disk_failure(&error))?;
        let verified =
            verify_tree(&site.tree, &snapshot).map_err(|error| inputs::run_failure(&error))?;
        let open = inputs::checked_runs(&site.tree)?
            .into_iter()
            .find(|run| matches!(run.state(), RunState::Unfinished(_)));
        Ok((verified, open))
    })?;
    if open.is_some()
        && holder(&site.tree)
            .map_err(|error| inputs::disk_failure(&error))?
            .is_some()
    {
        return Err(inputs::writer_at_work(&site.tree));
    }
    let exit = if verified.drift.is_empty() && open.is_none() {
        Exit::Ok
    } else {
        Exit::Mismatch
    };
    if args.format == Format::Json {
        let drift: Vec<_> = verified
            .drift
            .iter()
            .map(|d| json!({ "path": d.path, "description": d.description }))
            .collect();
        let document = json!({ "schema": 1, "outcome": exit.name(), "exit_code": exit as u8, "changed": false,
                               "items": verified.items, "files": verified.files, "bytes": verified.bytes,
                               "drift": drift, "unmanaged": verified.unmanaged, "unreadable": verified.unreadable });
        out::line(format_args!("{document:#}"));
        return Ok(exit);
    }
    if let Some(run) = &open {
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
            "drift: ".len() + path.chars().count() + 1 + drift.description.chars().count() <= width;
        let gap = if fits { " " } else { "\n       " };
        out::line(format_args!(
            "{}: {path}{gap}{}",
            styled(BAD, "drift"),
            drift.description
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
    let items = count(verified.items, "installed item", "installed items");
    let files = count(verified.files, "file", "files");
    match verified.drift.len() {
        0 => {
            let verdict = if open.is_some() {
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
            if open.is_none() {
                out::line(
                    "next: restore the files above, or repeat a rollup's steps with `rollup apply --reapply`",
                );
                out::line(format_args!(
                    "  or: `{}` accepts the drift",
                    NextCommands(site.tree.path()).accept()
                ));
            }
        }
    }
    Ok(exit)
}
