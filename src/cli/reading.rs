//! Commands that only read the tree: `tree`, `verify`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::args::{Format, Reading};
use super::exit::{Exit, Failure};
use super::inputs;
use super::next::Next;
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, count, styled};
use crate::deployment::description::{Description, GroupId, Instance, ItemId, ItemKind};
use crate::deployment::lock::holder;
use crate::deployment::records::State;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::{Tree, path};
use crate::journal::{Run, RunState};
use crate::names::{Escaped, RelPath};
use crate::run::{describe_state, load_plan};
use crate::verify::{Drift, verify as verify_tree};

fn all_runs(tree: &Tree) -> Result<Vec<Run>, Failure> {
    inputs::sound_runs(tree)
}

/// Runs `rollup tree`.
pub(super) fn tree(args: &Reading) -> Result<Exit, Failure> {
    let site = inputs::site(args.deployment.deployment.as_deref())?;
    let (snapshot, touched) = inputs::quietly(&site.tree, || {
        let snapshot = Snapshot::read(&site.tree, site.description.clone(), &Interest::default());
        Ok((
            snapshot.map_err(|error| inputs::disk(&error))?,
            touched_by_open_run(&site.tree)?,
        ))
    })?;
    let view = View {
        snapshot: &snapshot,
        touched: touched.iter().collect(),
    };
    if args.format == Format::Json {
        let site = &snapshot.description;
        let instances: Vec<_> = site
            .all_instances()
            .map(|instance| view.json(instance))
            .collect();
        let document = json!({ "schema": 1, "outcome": "ok", "exit_code": 0, "changed": false, "instances": instances });
        out::line(format_args!("{document:#}"));
        return Ok(Exit::Ok);
    }
    out::line(styled(BOLD, Escaped(&snapshot.description.name)));
    let site = &snapshot.description;
    let top = (0..site.groups.len()).filter(|&at| site.groups[at].path.parent().is_none());
    top.for_each(|at| view.group(GroupId(at), 1));
    if !touched.is_empty() {
        out::line(
            "a run is open: what it touched counts as unverified until it is closed; `rollup status` says what to type",
        );
    }
    Ok(Exit::Ok)
}

/// Returns the live paths of the open run, if there is one.
fn touched_by_open_run(tree: &Tree) -> Result<Vec<RelPath>, Failure> {
    let open = all_runs(tree)?
        .into_iter()
        .find(|run| matches!(run.state(), RunState::Unfinished(_)));
    let Some(open) = open else {
        return Ok(Vec::new());
    };
    let plan = load_plan(tree, &open.directory).map_err(|error| inputs::not_begun(&error))?;
    Ok(plan.live_paths().into_iter().cloned().collect())
}

struct View<'a> {
    snapshot: &'a Snapshot,
    touched: BTreeSet<&'a RelPath>,
}

impl View<'_> {
    fn site(&self) -> &Description {
        &self.snapshot.description
    }

    /// Returns the state of an instance. An item that its open run touches does not count as
    /// verified.
    fn state(&self, instance: Instance) -> State {
        let record = self.snapshot.item(instance).map(|record| record.state);
        let procedure = self.snapshot.procedure(instance).map(|record| record.state);
        let state = record.or(procedure).unwrap_or(State::NotInstalled);
        // A run that touches an item touches at least its record, if not its whole directory.
        let record = self.site().directory(instance).with(&path("state.toml"));
        if record.lies_in(&self.touched) && state == State::Verified {
            State::Unverified
        } else {
            state
        }
    }

    fn version(&self, instance: Instance) -> Option<String> {
        let installed = self.snapshot.item(instance)?.installed.as_ref()?;
        Some(installed.version.to_string())
    }

    fn json(&self, instance: Instance) -> Value {
        let item = &self.site().items[instance.item.0];
        json!({ "path": self.site().directory(instance), "item": item.name,
                "server": instance.server.map(|server| &self.site().servers[server.0].name),
                "procedure": matches!(item.kind, ItemKind::Procedure { .. }),
                "state": self.state(instance), "version": self.version(instance) })
    }

    fn group(&self, id: GroupId, depth: usize) {
        let group = &self.site().groups[id.0];
        out::line(format_args!(
            "{}{}",
            "  ".repeat(depth),
            styled(BOLD, Escaped(group.path.name()))
        ));
        group
            .groups
            .iter()
            .for_each(|&below| self.group(below, depth + 1));
        group
            .items
            .iter()
            .for_each(|&item| self.item(item, depth + 1));
    }

    fn item(&self, id: ItemId, depth: usize) {
        let item = &self.site().items[id.0];
        let indent = "  ".repeat(depth);
        let instances = self.site().instances(id);
        if item.on.is_none() {
            instances.iter().for_each(|&instance| {
                self.instance(&indent, Escaped(item.name.as_str()), instance)
            });
            return;
        }
        out::line(format_args!("{indent}{}", Escaped(item.name.as_str())));
        for instance in instances {
            let server = instance
                .server
                .map(|server| self.site().servers[server.0].name.as_str())
                .unwrap_or_default();
            self.instance(&format!("{indent}  "), Escaped(server), instance);
        }
    }

    fn instance(&self, indent: &str, name: Escaped<'_>, instance: Instance) {
        let state = self.state(instance);
        let style = match state {
            State::Verified => GOOD,
            State::NotInstalled => DIM,
            State::InstallFailed | State::VerifyFailed => BAD,
            State::Unverified | State::UserInputNeeded => WARN,
        };
        let version = self
            .version(instance)
            .map(|version| format!(" {version}"))
            .unwrap_or_default();
        let gap = 56_usize
            .saturating_sub(indent.len() + name.to_string().chars().count())
            .max(2);
        out::line(format_args!(
            "{indent}{name}{}{}{version}",
            " ".repeat(gap),
            styled(style, state.as_str())
        ));
    }
}

/// Runs `rollup verify`.
pub(super) fn verify(args: &Reading) -> Result<Exit, Failure> {
    let site = inputs::site(args.deployment.deployment.as_deref())?;
    let (verified, open) = inputs::quietly(&site.tree, || {
        let snapshot = Snapshot::read(&site.tree, site.description.clone(), &Interest::default());
        let snapshot = snapshot.map_err(|error| inputs::disk(&error))?;
        let verified =
            verify_tree(&site.tree, &snapshot).map_err(|error| inputs::not_begun(&error))?;
        let open = all_runs(&site.tree)?
            .into_iter()
            .find(|run| matches!(run.state(), RunState::Unfinished(_)));
        Ok((verified, open))
    })?;
    if open.is_some()
        && holder(&site.tree)
            .map_err(|error| inputs::disk(&error))?
            .is_some()
    {
        return Err(inputs::busy(&site.tree));
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
            .map(|d| json!({ "path": d.path, "what": d.what }))
            .collect();
        let document = json!({ "schema": 1, "outcome": exit.name(), "exit_code": exit as u8, "changed": false,
                               "items": verified.items, "files": verified.files, "bytes": verified.bytes,
                               "drift": drift, "beside": verified.beside, "unreadable": verified.unreadable });
        out::line(format_args!("{document:#}"));
        return Ok(exit);
    }
    if let Some(run) = &open {
        out::line(format_args!(
            "{}: run {} is {}; `rollup status` says what to type",
            styled(WARN, "open"),
            run.name(),
            describe_state(run)
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
        let fits = "drift: ".len() + path.chars().count() + 1 + drift.what.chars().count() <= width;
        let gap = if fits { " " } else { "\n       " };
        out::line(format_args!(
            "{}: {path}{gap}{}",
            styled(BAD, "drift"),
            drift.what
        ));
    }
    for name in &verified.unreadable {
        let label = styled(WARN, "beside");
        out::line(format_args!(
            "{label}: `{}` has a name that is not UTF-8; `apply` refuses to touch it",
            Escaped(name)
        ));
    }
    for path in &verified.beside {
        out::line(format_args!(
            "{}: `{}` is an operator's; it is left alone",
            styled(DIM, "beside"),
            Escaped(path.as_str())
        ));
    }
    let items = count(verified.items, "installed item", "installed items");
    let files = count(verified.files, "file", "files");
    match verified.drift.len() {
        0 => {
            let matches = if open.is_some() {
                "what stands now matches its records"
            } else {
                "everything matches"
            };
            let bytes = out::number(verified.bytes);
            out::line(format_args!(
                "{}: {items}, {files}, {bytes} bytes",
                styled(GOOD, matches)
            ));
        }
        drift => {
            out::line(format_args!(
                "{} in {items} with {files}",
                count(drift, "difference", "differences")
            ));
            if open.is_none() {
                out::line(
                    "next: put back what is named, or let `rollup apply --reapply` do a rollup's steps anew",
                );
                out::line(format_args!(
                    "  or: `{}` takes what lies there for true",
                    Next(site.tree.path()).accept()
                ));
            }
        }
    }
    Ok(exit)
}
