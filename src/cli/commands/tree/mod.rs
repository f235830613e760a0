//! `tree`: shows the console tree with states, or what each server has.

mod servers;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::advice::command_for;
use crate::cli::args::{TreeArgs, TreeOrder};
use crate::cli::envelope::show;
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::recovery::is_unfinished;
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, styled};
use crate::deployment::description::{Description, Group, Instance, Item, ItemKind};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::State;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::runs;
use crate::names::{Escaped, RelPath, padded};
use crate::run::load_plan;

/// Widest column of names.
const NAMES: usize = 54;
/// Columns that most states and versions need.
const STATES: usize = 26;

/// Runs `rollup tree`.
pub(super) fn tree(args: &TreeArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_described(args.read.deployment.path())?;
    let (snapshot, touched) = inputs::read_consistently(&site.tree, || {
        let snapshot = Snapshot::read(&site.tree, site.description.clone(), &Interest::default());
        Ok((snapshot?, touched_by_open_run(&site.tree)?))
    })?;
    let described = &snapshot.description;
    let touched_paths = touched.iter().collect();
    let instances = described
        .all_instances()
        .map(|instance| row(&snapshot, &touched_paths, instance));
    let is_by_server = args.by == TreeOrder::Server;
    let document = TreeDocument {
        instances: instances.collect(),
        servers: is_by_server.then(|| servers::servers(&snapshot, &touched_paths)),
    };
    show(args.read.format, Exit::Ok, document, |document| {
        match &document.servers {
            Some(servers) => servers::print(described, servers, &site.tree),
            None => ConsoleText::of(described, document).print(),
        }
        if touched.is_empty() {
            print_verdict(&document.instances, &site.tree);
        } else {
            out::line(
                "a run is open: its items count as unverified until it is closed; `rollup status` shows the next command",
            );
        }
    });
    Ok(Exit::Ok)
}

/// Returns the live paths of the open run, if there is one.
fn touched_by_open_run(tree: &Tree) -> anyhow::Result<Vec<RelPath>> {
    let runs = runs(tree)?;
    let Some(open) = runs.iter().find(|run| is_unfinished(run)) else {
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
    /// With `--by server` everything on each server, in the order of `deployment.toml`.
    servers: Option<Vec<servers::ServerTree<'a>>>,
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

impl InstanceRow<'_> {
    fn print(&self, indent: usize, name: &str) {
        print_state(indent, name, self.state, self.version.as_deref());
    }
}

/// Prints the state of an instance or a program, with its version.
fn print_state(indent: usize, name: &str, state: State, version: Option<&str>) {
    let style = match state {
        State::Verified => GOOD,
        State::NotInstalled => DIM,
        State::InstallFailed | State::VerifyFailed => BAD,
        State::Unverified | State::UserInputNeeded => WARN,
    };
    let state = styled(style, state.as_str());
    let version = version.unwrap_or_default();
    print_row(indent, name, &format!("{state} {version}"));
}

/// Prints a name and what is known of it, which begins in a column.
fn print_row(indent: usize, name: &str, about: &str) {
    let column = out::width().saturating_sub(STATES).clamp(20, NAMES);
    let name = format!("{:indent$}{}", "", Escaped(name));
    out::line(format!("{}  {about}", padded(&name, column)).trim_end());
}

/// Returns a state from a record, or that of an object that the open run touches.
fn shown_state(state: State, record: &RelPath, touched: &BTreeSet<&RelPath>) -> State {
    match state {
        State::Verified if record.is_within(touched) => State::Unverified,
        state => state,
    }
}

/// Returns an instance with its state. An item that the open run touches does not count as verified.
fn row<'a>(
    snapshot: &'a Snapshot,
    touched: &BTreeSet<&RelPath>,
    instance: Instance,
) -> InstanceRow<'a> {
    let site = &snapshot.description;
    let item = &site.items[instance.item.0];
    let server = instance.server.map(|server| &site.servers[server.0]);
    let record = snapshot.item(instance);
    let procedure = snapshot.procedure(instance).map(|record| record.state);
    let state = record.map(|record| record.state).or(procedure);
    let path = site.directory(instance);
    let state = state.unwrap_or(State::NotInstalled);
    let installed = record.and_then(|record| record.installed.as_ref());
    InstanceRow {
        item: item.name.as_str(),
        server: server.map(|server| server.name.as_str()),
        procedure: matches!(item.kind, ItemKind::Procedure { .. }),
        // A run that touches an item touches at least its record, if not its whole directory.
        state: shown_state(state, &ItemDir(&path).record(), touched),
        version: installed.and_then(|installed| Some(installed.version.as_ref()?.to_string())),
        path,
    }
}

/// Console as text.
struct ConsoleText<'a> {
    site: &'a Description,
    /// Instances by the name of their item.
    rows: BTreeMap<&'a str, Vec<&'a InstanceRow<'a>>>,
}

impl<'a> ConsoleText<'a> {
    fn of(site: &'a Description, document: &'a TreeDocument<'a>) -> Self {
        let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in &document.instances {
            rows.entry(row.item).or_default().push(row);
        }
        Self { site, rows }
    }

    fn print(&self) {
        out::line(styled(BOLD, Escaped(&self.site.name)));
        for group in &self.site.groups {
            if group.path.parent().is_none() {
                self.print_group(group, 2);
            }
        }
    }

    fn print_group(&self, group: &Group, indent: usize) {
        let name = styled(BOLD, Escaped(group.path.name()));
        out::line(format_args!("{:indent$}{name}", ""));
        for item in &group.items {
            self.print_item(&self.site.items[item.0], indent + 2);
        }
        for below in &group.groups {
            self.print_group(&self.site.groups[below.0], indent + 2);
        }
    }

    fn print_item(&self, item: &Item, indent: usize) {
        let name = item.name.as_str();
        if item.on.is_some() {
            out::line(format_args!("{:indent$}{}", "", Escaped(name)));
        }
        for row in self.rows.get(name).into_iter().flatten() {
            match row.server {
                Some(server) => row.print(indent + 2, server),
                None => row.print(indent, name),
            }
        }
    }
}

fn print_verdict(instances: &[InstanceRow<'_>], tree: &Tree) {
    let all = out::count(instances.len(), "instance");
    let installed = instances
        .iter()
        .filter(|row| row.state.is_installed())
        .count();
    let verify = command_for(tree.path(), "verify");
    out::message(format_args!(
        "{installed} of {all} installed or run; `{verify}` compares them with their records"
    ));
}
