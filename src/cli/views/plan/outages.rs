//! Outages of a plan: what is unavailable, on which servers, from which step to which.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{PlanView, StepView};
use crate::cli::terminal::out::{count, first_few, on_servers};
use crate::plan::{DependencyOutage, Outage, Plan};

/// Largest number of targets of a group that are named; the operations name all.
const NAMED: usize = 12;
/// Largest number of them that are named in a line of text.
const FEW: usize = 5;

/// Kind of an outage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OutageKind {
    /// The item is not installed.
    Item,
    /// The service is stopped.
    Service,
    /// The item is installed, and something that it requires is not.
    Dependency,
}

/// Outage from one step to another.
#[derive(Clone)]
pub(super) struct OutageView<'p> {
    pub(super) kind: OutageKind,
    pub(super) target: &'p str,
    /// Servers on which the target is unavailable; for a dependency outage, what the item is without.
    pub(super) others: Vec<&'p str>,
    /// Positions of the steps.
    pub(super) from: usize,
    pub(super) to: Option<usize>,
}

/// Outages of several targets on the same servers, from the same step to the same.
pub(super) struct OutageGroup<'p> {
    /// First of the outages.
    pub(super) first: OutageView<'p>,
    pub(super) targets: Vec<&'p str>,
}

impl<'p> PlanView<'p> {
    /// Describes the span of an outage.
    pub(super) fn span(&self, outage: &OutageView<'_>) -> String {
        let from = self.id(&outage.from);
        match &outage.to {
            Some(to) if *to == outage.from => format!("during step {from}"),
            Some(to) => {
                let note = self.wait_note(outage);
                format!("from step {from} to step {}{note}", self.id(to))
            }
            None => format!("from step {from} on, permanently"),
        }
    }

    /// Returns the ids of the manual steps during an outage: it lasts as long as a person takes for
    /// them.
    pub(super) fn waits(&self, outage: &OutageView<'_>) -> Vec<&'p str> {
        let to = outage.to.unwrap_or(self.plan.steps.len());
        let manual = self
            .plan
            .steps
            .get(outage.from..to)
            .unwrap_or_default()
            .iter()
            .filter(|step| step.manual.is_some());
        manual.map(|step| step.id.as_str()).collect()
    }

    /// Describes the manual steps during an outage, as the end of a sentence; empty without any.
    pub(super) fn wait_note(&self, outage: &OutageView<'_>) -> String {
        match self.waits(outage).as_slice() {
            [] => String::new(),
            steps => format!(", as long as a person takes for step {}", steps.join(", ")),
        }
    }
}

impl OutageView<'_> {
    /// Describes the target, with its servers or with what it is without.
    pub(super) fn subject(&self) -> String {
        match self.kind {
            OutageKind::Dependency => {
                format!("{} is without {}", self.target, self.others.join(", "))
            }
            _ => on_servers(self.target, self.others.iter().copied()),
        }
    }
}

impl<'p> OutageGroup<'p> {
    /// Groups outages, in the order in which they begin.
    pub(super) fn of(outages: &[OutageView<'p>]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut known: BTreeMap<_, usize> = BTreeMap::new();
        for outage in outages {
            let key = (outage.kind, outage.from, outage.to, outage.others.clone());
            let at = *known.entry(key).or_insert(groups.len());
            if at == groups.len() {
                groups.push(Self {
                    first: outage.clone(),
                    targets: Vec::new(),
                });
            }
            groups[at].targets.push(outage.target);
        }
        groups.sort_by_key(|group| group.first.from);
        groups
    }

    /// Describes the targets with their servers; the steps name those that are only counted.
    pub(super) fn subject(&self) -> String {
        let targets = match self.targets.len() {
            ..=FEW => self.targets.join(", "),
            _ => self.what(),
        };
        on_servers(&targets, self.first.others.iter().copied())
    }

    /// Counts the targets.
    pub(super) fn what(&self) -> String {
        count(
            self.targets.len(),
            match self.first.kind {
                OutageKind::Service => "service",
                _ => "item",
            },
        )
    }

    /// Names the targets.
    pub(super) fn names(&self) -> String {
        let names = self.targets.iter().map(|name| (*name).to_owned());
        first_few(names, NAMED).join(", ")
    }

    /// Names the servers, or what the items are without.
    pub(super) fn others(&self) -> String {
        match self.first.others.as_slice() {
            [] => "all servers".to_owned(),
            others => others.join(", "),
        }
    }

    /// Returns the word for the outage in a picture.
    pub(super) fn word(&self) -> &'static str {
        let is_one_step = self.first.to == Some(self.first.from);
        match (self.first.kind, is_one_step) {
            (OutageKind::Item, false) => "unavailable",
            (OutageKind::Item, true) => "replaced",
            (OutageKind::Service, false) => "stopped",
            (OutageKind::Service, true) => "restarted",
            (OutageKind::Dependency, _) => "without",
        }
    }

    /// Counts the columns before the outage, of it and after it in a picture of these steps.
    pub(super) fn columns(&self, steps: &[StepView<'_>]) -> [usize; 3] {
        let (from, to) = (self.first.from, self.first.to.unwrap_or(usize::MAX));
        let mut columns = [0; 3];
        for step in steps {
            let at = step.number - 1;
            columns[usize::from(at >= from) + usize::from(at > to)] += 1;
        }
        columns
    }
}

/// Counts the items and services of these outages.
pub(crate) fn count_unavailable(outages: &[Outage<'_>]) -> String {
    let targets = |is_service: bool| -> BTreeSet<&str> {
        outages
            .iter()
            .filter(|one| one.service == is_service)
            .map(|outage| outage.target)
            .collect()
    };
    unavailable_count(&targets(false), &targets(true))
}

/// Returns the outages, with one for all servers on which a target has the same.
pub(super) fn outages(plan: &Plan) -> Vec<OutageView<'_>> {
    let span = |outage: &Outage<'_>| (outage.from, outage.to);
    plan.outages()
        .chunk_by(|one, next| (one.target, span(one)) == (next.target, span(next)))
        .map(|same| OutageView {
            kind: if same[0].service {
                OutageKind::Service
            } else {
                OutageKind::Item
            },
            target: same[0].target,
            others: same.iter().filter_map(|outage| outage.server).collect(),
            from: same[0].from,
            to: same[0].to,
        })
        .collect()
}

/// Returns the dependency outages, with one for everything that an item is without in the same span.
pub(super) fn dependency_outages(plan: &Plan) -> Vec<OutageView<'_>> {
    let position = |id: &str| plan.steps.iter().position(|step| step.id == id);
    let span = |outage: &DependencyOutage| (position(&outage.from), position(&outage.to));
    plan.outage
        .chunk_by(|one, next| (&one.instance, span(one)) == (&next.instance, span(next)))
        .filter_map(|same| {
            let (from, to) = span(&same[0]);
            Some(OutageView {
                kind: OutageKind::Dependency,
                target: &same[0].instance,
                others: same.iter().map(|outage| outage.without.as_str()).collect(),
                from: from?,
                to,
            })
        })
        .collect()
}

/// Describes an outage that no later step ends.
pub(super) fn describe_permanent(plan: &Plan, outage: &OutageView<'_>) -> Option<String> {
    if outage.to.is_some() {
        return None;
    }
    let (down, up) = match outage.kind {
        OutageKind::Service => ("is stopped", "starts it"),
        _ => ("is removed", "installs it"),
    };
    let (subject, step) = (outage.subject(), &plan.steps[outage.from].id);
    Some(format!(
        "{subject} {down} in step {step}, and no later step {up}"
    ))
}

/// Counts what the run of a plan makes unavailable.
pub(crate) fn planned_unavailable(plan: &Plan) -> String {
    count_unavailable(&plan.outages())
}

/// Counts items and services that are unavailable: `18 items and 1 service`.
pub(crate) fn unavailable_count<T>(items: &BTreeSet<T>, services: &BTreeSet<T>) -> String {
    let (items, services) = (items.len(), services.len());
    match (count(items, "item"), count(services, "service")) {
        _ if items + services == 0 => "nothing".to_owned(),
        (items, _) if services == 0 => items,
        (_, services) if items == 0 => services,
        (items, services) => format!("{items} and {services}"),
    }
}
