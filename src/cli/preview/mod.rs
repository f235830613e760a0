//! A plan, shown: as text on the screen, as Markdown in a ticket, as one page for a browser and for paper.
//!
//! Each says the same in its own form; the words that they share are here.

mod html;
mod json;
mod markdown;
mod text;
mod tree;
mod way_back;

use std::collections::BTreeSet;
use std::path::Path;

use super::args::{Shape, Showing};
use super::exit::{Exit, Failure};
use super::out::{self, count, number};
use crate::names::{Digest, Kb, RelPath, Shown};
use crate::plan::{NewWhat, Operation, OperationKind, Outage, Plan, Side, Subject, Swap, What};

pub(super) use json::{MadeFrom, PlanDocument, saved};
pub(super) use markdown::plain;
pub(super) use text::{text, way};

/// Whether every operation says why it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Told,
    Left,
}

/// Shows a plan as it was asked for. `inputs` are files that the document must never replace.
pub(super) fn show(plan: &Plan, showing: &Showing, exit: Exit, inputs: &[&Path]) -> Result<(), Failure> {
    let width = if showing.output.is_some() { 100 } else { out::width() };
    let document = match showing.format {
        Shape::Json => json::shown(plan, exit),
        Shape::Markdown => markdown::text(plan),
        Shape::Html => html::page(plan),
        Shape::Text if showing.tree => tree::text(plan, width),
        Shape::Text if showing.undo => way_back::text(plan, width),
        Shape::Text => text(plan, width, if showing.why { Why::Told } else { Why::Left }),
    };
    out::document(&document, showing.output.as_deref(), inputs)
}

/// Refuses what would change nothing of what is shown.
pub(super) fn sensible(showing: &Showing) -> Result<(), Failure> {
    let asked = [(showing.why, "--why"), (showing.tree, "--tree"), (showing.undo, "--undo")];
    match asked.into_iter().find(|(asked, _)| *asked && showing.format != Shape::Text) {
        None => Ok(()),
        Some((_, flag)) => {
            Err(Failure::new(Exit::Usage, format_args!("`{flag}` chooses among what `--format text` shows"))
                .now("nothing was written")
                .next(format!("leave out `{flag}`: the other formats hold all of it already")))
        }
    }
}

/// What the plan is of, in one line.
fn title(plan: &Plan) -> String {
    match &plan.subject {
        Subject::Rollup(rollup) => format!("{} revision {}: {}", rollup.kb, rollup.revision, Shown(&rollup.title)),
        Subject::Accept(acceptance) => format!("accept what lies on disk: {}", Shown(&acceptance.reason)),
    }
}

fn level(kbs: &[Kb]) -> String {
    match kbs {
        [] => "nothing".to_owned(),
        kbs => kbs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// The first thing that cannot be taken back, or that everything can.
fn no_return(plan: &Plan) -> Result<String, String> {
    match plan.point_of_no_return() {
        None => Ok("everything, also once it is done".to_owned()),
        Some(step) => {
            Err(format!("step `{}` cannot be taken back: from there on there is no way to the state before", step.id))
        }
    }
}

/// Operations in a row that do the same to the same on several servers share a line.
pub(super) fn grouped(operations: &[Operation]) -> Vec<Vec<&Operation>> {
    let mut groups: Vec<Vec<&Operation>> = Vec::new();
    for operation in operations {
        let same = |other: &Operation| {
            other.kind == operation.kind
                && other.target == operation.target
                && change(other) == change(operation)
                && other.server.is_some()
        };
        match groups.last_mut() {
            Some(group) if same(group[0]) => group.push(operation),
            _ => groups.push(vec![operation]),
        }
    }
    groups
}

/// The servers of operations that share a line.
fn servers(group: &[&Operation]) -> String {
    let servers: Vec<_> = group.iter().filter_map(|operation| operation.server.as_deref()).collect();
    Shown(&servers.join(", ")).to_string()
}

/// What operations that share a line are done to.
pub(super) fn target(group: &[&Operation]) -> String {
    match servers(group) {
        servers if servers.is_empty() => Shown(&group[0].target).to_string(),
        servers => format!("{} on {servers}", Shown(&group[0].target)),
    }
}

/// What changes, in few words.
fn change(operation: &Operation) -> String {
    match (&operation.was, &operation.becomes) {
        _ if operation.kind == OperationKind::Accept => "record written anew".to_owned(),
        (Side::Item { version: Some(was), .. }, Side::Item { version: Some(is), .. }) if was == is => {
            format!("{is}, other package")
        }
        (Side::Item { version: Some(was), .. }, Side::Item { version: Some(is), .. }) => format!("{was} -> {is}"),
        (Side::Item { version: Some(was), .. }, _) => was.to_string(),
        (_, Side::Item { version: Some(is), .. }) => is.to_string(),
        (Side::File { size: was, .. }, Side::File { size: is, .. }) => {
            format!("{} -> {} bytes, {}", number(*was), number(*is), hashes(operation).unwrap_or_default())
        }
        (_, Side::File { size, sha256 }) => format!("{} bytes, {}", number(*size), brief(sha256)),
        (_, Side::Service { starts, .. }) => match operation.kind.word() {
            "start" | "restart" => format!("start no. {starts}"),
            _ => String::new(),
        },
        (_, Side::Procedure { parameters, .. }) => {
            let pairs: Vec<_> =
                parameters.iter().map(|(name, value)| format!("{}={}", Shown(name), Shown(value))).collect();
            pairs.join(" ")
        }
        (_, Side::Unknown) => "known with a payload".to_owned(),
        _ => String::new(),
    }
}

/// Of a replaced file, the beginnings of both hashes.
fn hashes(operation: &Operation) -> Option<String> {
    match (&operation.was, &operation.becomes) {
        (Side::File { sha256: old, .. }, Side::File { sha256: new, .. }) => {
            Some(format!("{} -> {}", brief(old), brief(new)))
        }
        _ => None,
    }
}

/// The beginning of a hash, long enough to tell files apart by eye.
fn brief(digest: &Digest) -> String {
    digest.short()[..8].to_owned()
}

/// The operation that takes one back, by sign and word.
fn inverse(operation: &Operation) -> (char, &'static str) {
    match operation.kind {
        OperationKind::Uninstall => ('+', "put back"),
        OperationKind::Install | OperationKind::Run | OperationKind::Copy => ('-', "remove"),
        OperationKind::Replace | OperationKind::Accept => ('~', "put back"),
        OperationKind::Initialize => ('*', "as before"),
        OperationKind::Start | OperationKind::Stop | OperationKind::Restart => ('!', "as before"),
        OperationKind::Enable | OperationKind::Disable => ('!', "as before"),
    }
}

/// What stands there again.
fn stands_again(was: &Side) -> String {
    match was {
        Side::Nothing | Side::Unknown => String::new(),
        Side::Item { version: Some(version), .. } => version.to_string(),
        Side::Item { .. } => String::new(),
        Side::Procedure { state, .. } => state.as_str().to_owned(),
        Side::File { size, sha256 } => format!("{} bytes, {}", number(*size), brief(sha256)),
        Side::Service { running, enabled, starts } => {
            let running = if *running { "running" } else { "stopped" };
            let disabled = if *enabled { "" } else { ", disabled" };
            format!("{running}{disabled}, started {}", count(*starts as usize, "time", "times"))
        }
    }
}

/// Where something will be installed that was not installed before, and this run did not remove.
fn new_here(plan: &Plan) -> BTreeSet<&RelPath> {
    let of = |kind: OperationKind| plan.operations().filter(move |operation| operation.kind == kind);
    let removed: BTreeSet<_> = of(OperationKind::Uninstall).map(|operation| &operation.at).collect();
    of(OperationKind::Install).map(|operation| &operation.at).filter(|at| !removed.contains(at)).collect()
}

/// Outages in a row that differ only in the server, with the servers that they have.
fn down(plan: &Plan) -> Vec<(Outage<'_>, Vec<&str>)> {
    let mut groups: Vec<(Outage<'_>, Vec<&str>)> = Vec::new();
    for outage in plan.outages() {
        let servers: Vec<&str> = outage.server.into_iter().collect();
        let same = |(other, _): &&mut (Outage<'_>, Vec<&str>)| {
            (other.target, other.service, other.from, other.to)
                == (outage.target, outage.service, outage.from, outage.to)
        };
        match groups.last_mut().filter(same) {
            Some((_, all)) => all.extend(servers),
            None => groups.push((outage, servers)),
        }
    }
    groups
}

/// Bytes of the new objects of some swaps.
fn staged<'p>(swaps: impl IntoIterator<Item = &'p Swap>) -> u64 {
    let size = |what: &NewWhat| match what {
        NewWhat::File { size, .. } => *size,
        NewWhat::Folder => 0,
    };
    swaps.into_iter().flat_map(|swap| &swap.new).map(|entry| size(&entry.what)).sum()
}

/// Bytes of the old objects of some swaps, which the run keeps.
fn kept<'p>(swaps: impl IntoIterator<Item = &'p Swap>) -> u64 {
    let size = |what: &What| match what {
        What::File { size, .. } => *size,
        What::Folder | What::Traveller => 0,
    };
    swaps.into_iter().flat_map(|swap| &swap.old).map(|entry| size(&entry.what)).sum()
}

/// The size of the plan, in one line.
fn summary(plan: &Plan) -> String {
    let operations = count(plan.operations().count(), "operation", "operations");
    let steps = count(plan.steps.len(), "step", "steps");
    if plan.digest.is_none() {
        return format!("{operations} in {steps}");
    }
    let swaps = count(plan.swaps.len(), "swap", "swaps");
    format!("{operations} in {steps}, by {swaps}; {} bytes to stage", number(staged(&plan.swaps)))
}
