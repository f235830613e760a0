//! `status`: one of six states, and what is known of it.

mod history;
mod open;
mod state;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::advice::TypedCommand;
use crate::cli::args::ReadArgs;
use crate::cli::envelope::show;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::{self, OpenedDeployment};
use crate::cli::recovery::{is_unfinished, state_of};
use crate::cli::terminal::out;
use crate::deployment::applied::{AppliedRollups, LackingRollup};
use crate::deployment::description::Description;
use crate::deployment::free_space::free;
use crate::deployment::lock::{LockHolder, holder};
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::{
    Outcome, PendingAction, Run, RunState, pending_actions, runs, slots_are_closed,
};
use crate::names::{Kb, RelPath, Version};
use crate::plan::{directories_of_no_instance, lagging};
use crate::run::{UndoAnswer, kept_bytes, past, undo_answers};

use open::OpenRow;
use state::DeploymentState;

/// Runs `rollup status`.
pub(super) fn status(args: &ReadArgs) -> anyhow::Result<Exit> {
    let mut status = Status::read(inputs::open_deployment(args.deployment.path())?)?;
    let exit = status.exit();
    let typed = TypedCommand::on(&status.path);
    let ways = status.ways();
    status.next = ways.iter().map(|(way, _)| typed.command(way)).collect();
    show(args.format, exit, status, text::print);
    Ok(exit)
}

/// Everything that `status` reports, and the content of its document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "State of a deployment")]
pub(in crate::cli) struct Status {
    state: DeploymentState,
    /// Path of the deployment.
    #[serde(skip)]
    path: PathBuf,
    /// Name of the deployment, if its description or the open run has it.
    #[serde(skip)]
    name: Option<String>,
    /// Applied rollups that are not superseded; unknown only while a run is open.
    applied: Option<Vec<AppliedRow>>,
    superseded: Option<Vec<SupersededRow>>,
    /// Requirements of applied rollups that are not met.
    lacking: Option<Vec<LackingRollup>>,
    #[serde(flatten)]
    site: SiteStatus,
    /// Newest finished run.
    newest: Option<NewestRun>,
    open: Option<OpenRow>,
    /// Runs that are closed by their slots, and whose journal is damaged, in words.
    damaged: Vec<String>,
    /// Id of the process that is changing the deployment.
    in_progress_by: Option<u32>,
    #[serde(skip)]
    holder: Option<LockHolder>,
    /// Restarts that a person still has to do, by the runs that left them.
    pending: Vec<PendingRow>,
    undo_data: UndoData,
    /// Commands to type next, the first one for the direction of the open run.
    next: Vec<String>,
}

/// Restarts that a run left to a person.
#[derive(Serialize, JsonSchema)]
struct PendingRow {
    run: String,
    actions: BTreeSet<PendingAction>,
}

#[derive(Serialize, JsonSchema)]
struct AppliedRow {
    kb: Kb,
    revision: Option<Version>,
    /// The rollup in words.
    #[serde(skip)]
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct SupersededRow {
    kb: Kb,
    /// Rollup that includes or replaces it.
    by: Kb,
    /// The rollup in words.
    #[serde(skip)]
    text: String,
}

/// State of the deployment beside its runs, which is unknown while a run is unfinished.
#[derive(Default, Serialize, JsonSchema)]
struct SiteStatus {
    /// Lag behind applied rollups, in words; unknown while a run is unfinished, as are the next two.
    lagging: Option<Vec<String>>,
    /// Servers that are offline.
    offline: Option<Vec<String>>,
    /// Directories that belong to no instance and to no server.
    directories_of_no_instance: Option<Vec<RelPath>>,
}

#[derive(Serialize, JsonSchema)]
struct NewestRun {
    run: String,
    undo: UndoAnswer,
}

/// Old objects that the slots of finished runs keep.
#[derive(Default, Serialize, JsonSchema)]
struct UndoData {
    /// Number of runs that keep old objects.
    runs: usize,
    /// Number of further runs whose slots are closed to this user.
    closed_runs: usize,
    /// Size of these objects.
    bytes: u64,
    /// True if that is more than a tenth of the file system.
    is_large: bool,
    /// True if only runs that were rolled back keep any.
    #[serde(skip)]
    only_rolled_back: bool,
}

impl Status {
    /// Reads the status. An open run is reported from its own records, whatever else cannot be
    /// read.
    fn read(opened: OpenedDeployment) -> anyhow::Result<Self> {
        let OpenedDeployment {
            tree, description, ..
        } = opened;
        let described = description.as_ref().ok();
        let (applied, runs, site) = inputs::read_consistently(&tree, || {
            let runs = runs(&tree)?;
            let site = match described {
                Some(description) if !runs.iter().any(is_unfinished) => {
                    SiteStatus::read(&tree, description)?
                }
                _ => SiteStatus::default(),
            };
            Ok((applied(&tree, described), runs, site))
        })?;
        let newest = newest_run(&tree, &runs, described)?;
        let pending = pending_rows(&runs);
        let open = runs.iter().find(|run| run.is_open());
        let description = unless_open(description.map_err(Into::into), open)?;
        let (applied, superseded, lacking) = match unless_open(applied, open)? {
            Some(applied) => {
                let (in_effect, superseded) = applied_rows(&applied);
                (Some(in_effect), Some(superseded), Some(applied.lacking()))
            }
            None => (None, None, None),
        };
        let holder = holder(&tree)?;
        let open = match open {
            Some(run) => Some(OpenRow::read(&tree, run, holder.is_some())?),
            None => None,
        };
        let planned = open.as_ref().and_then(|open| open.deployment.clone());
        Ok(Self {
            state: DeploymentState::of(open.as_ref(), holder.is_some(), !pending.is_empty()),
            pending,
            next: Vec::new(),
            path: tree.path().to_owned(),
            name: description.map(|site| site.name).or(planned),
            applied,
            superseded,
            lacking,
            site,
            newest,
            open,
            damaged: runs
                .iter()
                .filter(|run| !run.is_open())
                .filter_map(damaged)
                .collect(),
            in_progress_by: holder.as_ref().map(|holder| holder.process),
            holder,
            undo_data: UndoData::read(&tree, &runs)?,
        })
    }

    fn exit(&self) -> Exit {
        match self.state {
            DeploymentState::Clean | DeploymentState::ActionRequired => Exit::Ok,
            DeploymentState::InProgress if self.open.is_none() => Exit::Ok,
            DeploymentState::NeedsAttention => Exit::NeedsAttention,
            DeploymentState::Staged
            | DeploymentState::InProgress
            | DeploymentState::Interrupted => Exit::Stopped,
        }
    }

    /// Returns the commands to type next, each with its effect; none while a process works.
    fn ways(&self) -> Vec<(String, &'static str)> {
        match &self.open {
            _ if self.holder.is_some() => Vec::new(),
            Some(open) => open.ways(),
            None if !self.pending.is_empty() => {
                vec![("ack".to_owned(), "once the restarts are done")]
            }
            None => Vec::new(),
        }
    }
}

/// Describes a run whose journal is damaged.
fn damaged(run: &Run) -> Option<String> {
    Some(format!("{}: {}", state_of(run), run.fault.as_ref()?))
}

/// Returns the value read from a file of the deployment; while a run is open its faults are
/// warnings.
fn unless_open<T>(read: anyhow::Result<T>, open: Option<&Run>) -> anyhow::Result<Option<T>> {
    match read {
        Err(error) if open.is_some() => {
            out::warn(Failure::of(&error, None));
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Reads the applied rollups.
fn applied(tree: &Tree, site: Option<&Description>) -> anyhow::Result<AppliedRollups> {
    let listed = site.map(|site| site.applied.as_slice());
    let (applied, faults) = AppliedRollups::read(tree, listed.unwrap_or_default())?;
    if let Some((at, fault)) = faults.first() {
        let reason = format!("`{}` cannot be used: {fault}", tree.shown(Some(at)));
        return Err(Failure::invalid(reason).next(fault.help()).into());
    }
    Ok(applied)
}

/// Returns the rollups that are in effect, and those that are superseded.
fn applied_rows(applied: &AppliedRollups) -> (Vec<AppliedRow>, Vec<SupersededRow>) {
    let (mut in_effect, mut superseded) = (Vec::new(), Vec::new());
    for kb in applied.all() {
        let record = applied.record(kb);
        let revision = record.and_then(|record| record.revision.clone());
        let mut text = kb.to_string();
        if let Some(revision) = &revision {
            text.push_str(&format!(" revision {revision}"));
        }
        match record {
            None => text.push_str(" (listed in `deployment.toml`)"),
            Some(record) if record.by_hand => text.push_str(" (by hand)"),
            Some(_) => {}
        }
        match applied.superseded_by(kb) {
            None => in_effect.push(AppliedRow { kb, revision, text }),
            Some(by) => superseded.push(SupersededRow { kb, by, text }),
        }
    }
    (in_effect, superseded)
}

fn pending_rows(runs: &[Run]) -> Vec<PendingRow> {
    pending_actions(runs)
        .into_iter()
        .map(|(run, actions)| PendingRow {
            run: run.name().to_owned(),
            actions,
        })
        .collect()
}

fn newest_run(
    tree: &Tree,
    runs: &[Run],
    site: Option<&Description>,
) -> anyhow::Result<Option<NewestRun>> {
    let mut answers = undo_answers(tree, runs, site)?;
    Ok(runs.iter().rfind(|run| run.is_done()).and_then(|run| {
        Some(NewestRun {
            run: run.name().to_owned(),
            undo: answers.remove(&run.number)?,
        })
    }))
}

impl SiteStatus {
    fn read(tree: &Tree, description: &Description) -> anyhow::Result<Self> {
        let mut snapshot = Snapshot::read(tree, description.clone(), &Interest::default())?;
        (snapshot.past, _) = past(tree, None)?;
        let offline = description.offline_servers().into_iter();
        Ok(Self {
            lagging: Some(lagging(&snapshot).lines(None)),
            offline: Some(offline.map(str::to_owned).collect()),
            directories_of_no_instance: Some(directories_of_no_instance(&snapshot)),
        })
    }
}

impl UndoData {
    fn read(tree: &Tree, runs: &[Run]) -> anyhow::Result<Self> {
        let mut undo_data = Self {
            only_rolled_back: true,
            ..Self::default()
        };
        for run in runs.iter().filter(|run| !run.is_open()) {
            if slots_are_closed(tree, &run.directory)? {
                undo_data.closed_runs += 1;
            } else if let Some(bytes) = kept_bytes(tree, run)? {
                undo_data.runs += 1;
                undo_data.bytes += bytes;
                undo_data.only_rolled_back &= run.state() == RunState::Closed(Outcome::Undone);
            }
        }
        let total = free(tree).map(|space| space.total);
        undo_data.is_large = total.is_some_and(|total| undo_data.bytes > total / 10);
        Ok(undo_data)
    }

    /// Returns the command that clears the data without the loss of a wanted undo.
    fn prune(&self) -> &'static str {
        if self.only_rolled_back {
            "prune --rolled-back"
        } else {
            "prune --keep N"
        }
    }
}
