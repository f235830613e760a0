//! `ack`: records that a person did the restarts that a run left pending.

use std::collections::BTreeSet;

use crate::cli::answers::confirm;
use crate::cli::args::AckArgs;
use crate::cli::exit::Exit;
use crate::cli::inputs::open_to_change;
use crate::cli::named::{Newest, find_run};
use crate::cli::terminal::out;
use crate::cli::views::restarts::describe_restarts;
use crate::deployment::lock::user;
use crate::journal::{PendingAction, pending_actions, runs};
use crate::names::Escaped;
use crate::run::acknowledge;

/// Runs `rollup ack`.
pub(super) fn ack(args: &AckArgs) -> anyhow::Result<Exit> {
    let site = open_to_change(&args.deployment)?;
    site.warn();
    let disk = site.lock_and_clear("ack", args.lock)?;
    let runs = runs(disk.tree())?;
    let named = match &args.run {
        Some(named) => Some(find_run(&runs, named, Newest::Any)?),
        None => None,
    };
    let mut pending = pending_actions(&runs);
    pending.retain(|(run, _)| named.is_none_or(|named| named.number == run.number));
    if pending.is_empty() {
        let of = named
            .map(|run| format!(" of run {}", run.name()))
            .unwrap_or_default();
        out::line(format_args!("nothing to do: no restart{of} is pending"));
        return Ok(Exit::Ok);
    }
    let actions: BTreeSet<&PendingAction> =
        pending.iter().flat_map(|(_, actions)| actions).collect();
    let restarts = describe_restarts(actions);
    for (run, actions) in &pending {
        let left = describe_restarts(actions);
        let name = run.name();
        out::line(format_args!("run {name} left: restart {}", Escaped(&left)));
    }
    let question = site.question("Acknowledge these restarts", "");
    confirm(&question, args.yes)?;
    for (run, actions) in &pending {
        acknowledge(&disk, run, user(), actions.clone())?;
    }
    out::line(format_args!(
        "acknowledged as restarted: {}",
        Escaped(&restarts)
    ));
    Ok(Exit::Ok)
}
