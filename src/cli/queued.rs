//! `plan --tree`: the console as it is, what is queued, and as it will be; what the MPS Deployment Tool shows
//! before Start Deployment.

use std::collections::BTreeMap;

use super::exit::Failure;
use super::inputs;
use super::job::Job;
use super::out::{BOLD, DIM, GOOD, WARN, styled};
use crate::deployment::description::{Description, GroupId, Instance, ItemId};
use crate::deployment::records::State;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::names::{RelPath, Shown};
use crate::plan::{Operation, Plan, Side};

/// Columns of what stands before, of what is queued, and of what stands after.
const BEFORE: usize = 17;
const QUEUED: usize = 21;
const AFTER: usize = 17;

/// The tree, no wider than `width` where names allow it.
pub(super) fn text(job: &Job, plan: &Plan, width: usize) -> Result<String, Failure> {
    let description = job.site.description.clone();
    let snapshot = inputs::quietly(job.tree(), || {
        Snapshot::read(job.tree(), description.clone(), &Interest::default()).map_err(|error| inputs::disk(&error))
    })?;
    let mut queued: BTreeMap<&RelPath, Vec<&Operation>> = BTreeMap::new();
    plan.operations().for_each(|operation| queued.entry(&operation.at).or_default().push(operation));
    let mut view = View { snapshot: &snapshot, queued, width, lines: Vec::new() };
    view.head();
    let site = view.site();
    let top = (0..site.groups.len()).filter(|&at| site.groups[at].path.parent().is_none());
    top.for_each(|at| view.group(GroupId(at), 1));
    Ok(view.lines.join("\n"))
}

struct View<'a> {
    snapshot: &'a Snapshot,
    /// Operations by the folder of their instance.
    queued: BTreeMap<&'a RelPath, Vec<&'a Operation>>,
    width: usize,
    lines: Vec<String>,
}

impl<'a> View<'a> {
    fn site(&self) -> &'a Description {
        &self.snapshot.description
    }

    fn head(&mut self) {
        let name = Shown(&self.site().name).to_string();
        let line = self.columns(&name, "before", "queued", "after");
        self.lines.push(styled(BOLD, line));
    }

    fn group(&mut self, id: GroupId, depth: usize) {
        let group = &self.site().groups[id.0];
        self.lines.push(format!("{}{}", "  ".repeat(depth), styled(BOLD, Shown(group.path.name()))));
        group.groups.iter().for_each(|&below| self.group(below, depth + 1));
        group.items.iter().for_each(|&item| self.item(item, depth + 1));
    }

    fn item(&mut self, id: ItemId, depth: usize) {
        let site = self.site();
        let item = &site.items[id.0];
        let indent = "  ".repeat(depth);
        let own = format!("{indent}{}", Shown(item.name.as_str()));
        if item.on.is_some() {
            self.lines.push(own.clone());
        }
        for instance in site.instances(id) {
            let name = match instance.server {
                None => own.clone(),
                Some(server) => format!("{indent}  {}", Shown(site.servers[server.0].name.as_str())),
            };
            self.instance(&name, instance);
        }
    }

    fn instance(&mut self, name: &str, instance: Instance) {
        let before = self.stands(instance);
        let operations = self.queued.get(&self.site().folder(instance)).map(Vec::as_slice).unwrap_or_default();
        let Some(last) = operations.last() else {
            let line = self.columns(name, &before, "", "");
            self.lines.push(styled(DIM, line.trim_end()));
            return;
        };
        let words: Vec<&str> = operations.iter().map(|operation| operation.kind.word()).collect();
        let signs: String = operations.iter().map(|operation| operation.kind.sign()).collect();
        let queued = format!("{signs} {}", words.join(", "));
        let after = becomes(&last.becomes);
        let line = self.columns(name, &before, &queued, &after);
        let goes = after == State::NotInstalled.as_str();
        self.lines.push(styled(if goes { WARN } else { GOOD }, line));
    }

    /// What stands there now: the version where something is verified, else the state.
    fn stands(&self, instance: Instance) -> String {
        let item = self.snapshot.item(instance);
        let version = item.and_then(|record| record.installed.as_ref()).map(|installed| installed.version.to_string());
        let procedure = self.snapshot.procedure(instance).map(|record| record.state);
        let state = item.map(|record| record.state).or(procedure).unwrap_or(State::NotInstalled);
        match version {
            Some(version) if state == State::Verified => version,
            _ => state.as_str().to_owned(),
        }
    }

    /// A line with four columns; a name that is too long has a line of its own.
    fn columns(&self, name: &str, before: &str, queued: &str, after: &str) -> String {
        let rest = format!("{before:<BEFORE$} {queued:<QUEUED$} {after:<AFTER$}");
        let rest = rest.trim_end();
        let column = self.width.saturating_sub(BEFORE + QUEUED + AFTER + 3).clamp(20, 56);
        match name.chars().count() <= column {
            true => format!("{name:<column$} {rest}"),
            false => format!("{name}\n{:column$} {rest}", ""),
        }
    }
}

fn becomes(side: &Side) -> String {
    match side {
        Side::Item { state: State::Verified, version: Some(version), .. } => version.to_string(),
        Side::Item { state, .. } | Side::Procedure { state, .. } => state.as_str().to_owned(),
        Side::Unknown => "known with payload".to_owned(),
        Side::Nothing | Side::File { .. } | Side::Service { .. } => String::new(),
    }
}
