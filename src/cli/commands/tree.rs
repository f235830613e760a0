//! `tree`: shows the console tree with states.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, ReadArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, styled};
use crate::deployment::description::{Description, GroupId, Instance, ItemId, ItemKind};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::State;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::RunState;
use crate::names::{Escaped, RelPath};
use crate::run::load_plan;

/// Runs `rollup tree`.
pub(super) fn tree(args: &ReadArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_described(args.deployment.deployment.as_deref())?;
    let root = site.tree.path().to_owned();
    let (snapshot, touched) = inputs::read_consistently(&site.tree, || {
        let snapshot = Snapshot::read(&site.tree, site.description.clone(), &Interest::default());
        Ok((snapshot?, touched_by_open_run(&site.tree)?))
    })?;
    let view = ConsoleView {
        snapshot: &snapshot,
        touched: touched.iter().collect(),
    };
    if args.format == Format::Json {
        let site = &snapshot.description;
        let instances = site.all_instances().map(|instance| view.row(instance));
        let content = TreeDocument {
            instances: instances.collect(),
        };
        Envelope::new(Exit::Ok, content).print();
        return Ok(Exit::Ok);
    }
    out::line(styled(BOLD, Escaped(&snapshot.description.name)));
    let site = &snapshot.description;
    let top = (0..site.groups.len()).filter(|&at| site.groups[at].path.parent().is_none());
    top.for_each(|at| view.group(GroupId(at), 1));
    if !touched.is_empty() {
        out::line(
            "a run is open: its items count as unverified until it is closed; `rollup status` shows the next command",
        );
    } else {
        let states: Vec<State> = site.all_instances().map(|at| view.state(at)).collect();
        let installed = states.iter().filter(|state| state.is_installed()).count();
        out::message(format_args!(
            "{installed} of {} installed or run; `rollup verify -d {}` compares them with their records",
            out::count(states.len(), "instance", "instances"),
            out::shell_quoted(&root)
        ));
    }
    Ok(Exit::Ok)
}

/// Returns the live paths of the open run, if there is one.
fn touched_by_open_run(tree: &Tree) -> anyhow::Result<Vec<RelPath>> {
    let open = inputs::checked_runs(tree)?
        .into_iter()
        .find(|run| matches!(run.state(), RunState::Unfinished(_)));
    let Some(open) = open else {
        return Ok(Vec::new());
    };
    let plan = load_plan(tree, &open.directory)?;
    Ok(plan.live_paths().into_iter().cloned().collect())
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "The console of a deployment")]
pub(in crate::cli) struct TreeDocument<'a> {
    /// All instances, in the order of `deployment.toml`.
    instances: Vec<InstanceRow<'a>>,
}

/// Instance of the console, with its state.
#[derive(Serialize, JsonSchema)]
struct InstanceRow<'a> {
    /// Directory below the deployment.
    path: RelPath,
    /// Name of the item or procedure.
    item: &'a str,
    /// Server, unless the servers share the instance.
    server: Option<&'a str>,
    /// True for a procedure.
    procedure: bool,
    state: State,
    version: Option<String>,
}

struct ConsoleView<'a> {
    snapshot: &'a Snapshot,
    touched: BTreeSet<&'a RelPath>,
}

impl ConsoleView<'_> {
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
        let record = ItemDir(&self.site().directory(instance)).record();
        if record.is_within(&self.touched) && state == State::Verified {
            State::Unverified
        } else {
            state
        }
    }

    fn version(&self, instance: Instance) -> Option<String> {
        let installed = self.snapshot.item(instance)?.installed.as_ref()?;
        Some(installed.version.to_string())
    }

    fn row(&self, instance: Instance) -> InstanceRow<'_> {
        let item = &self.site().items[instance.item.0];
        let server = instance.server.map(|server| &self.site().servers[server.0]);
        InstanceRow {
            path: self.site().directory(instance),
            item: item.name.as_str(),
            server: server.map(|server| server.name.as_str()),
            procedure: matches!(item.kind, ItemKind::Procedure { .. }),
            state: self.state(instance),
            version: self.version(instance),
        }
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
