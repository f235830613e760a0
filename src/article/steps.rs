//! Steps of the manifest, as the procedure yields them.

use std::collections::BTreeMap;

use super::Said;
use super::commands::{Files, Queued};
use super::targets::{role, slug};
use crate::manifest::ServiceVerb;
use crate::names::CaseFolded;

/// A step of the manifest.
#[derive(Debug)]
pub(super) struct Step {
    /// Assigned last, when all steps are known.
    pub(super) id: String,
    pub(super) title: Option<String>,
    pub(super) does: Does,
    /// Line of the article that it comes from.
    pub(super) line: u32,
    /// Decisions about it that are left.
    pub(super) todo: Vec<Said<String>>,
}

/// All servers of a role, or those of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) role: String,
    pub(super) platform: Option<&'static str>,
}

/// Action of a step.
#[derive(Debug)]
pub(super) enum Does {
    Batch(Queued, Selection),
    /// Installs what an earlier uninstall step removed, given as the index of that step; none if no
    /// step is known to be the one that is meant.
    Reinstall(Option<usize>),
    Copy {
        files: Listed,
        to: String,
        on: Option<Servers>,
    },
    Run {
        files: Listed,
        on: Option<Servers>,
    },
    Service {
        verb: ServiceVerb,
        service: String,
        on: Option<Servers>,
    },
    Manual(ByHand),
}

/// Manual work, in the article's words.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    pub(super) lines: Vec<Said<String>>,
    /// Instructions to roll it back.
    pub(super) undo: Option<Said<String>>,
    /// True if only some who install the rollup have to do it.
    pub(super) optional: bool,
}

impl ByHand {
    /// Returns the role whose servers the lines name, if they name only one.
    pub(super) fn role(&self) -> Option<Said<String>> {
        let mut roles = self
            .lines
            .iter()
            .filter_map(|line| Some(Said::new(role(&line.value)?, line.line)));
        let first = roles.next()?;
        roles.all(|role| role.value == first.value).then_some(first)
    }
}

/// The files of a step.
#[derive(Debug)]
pub(super) enum Listed {
    Named(Vec<Said<String>>),
    Others,
    /// All others except these.
    OthersBut(Vec<String>),
    /// All with this extension; the file table shows which.
    Ending(String),
}

impl Listed {
    pub(super) fn of(files: Files, line: u32, following: Vec<Said<String>>) -> Self {
        match files {
            Files::Named(names) => {
                Self::Named(unique(names.into_iter().map(|name| Said::new(name, line))))
            }
            Files::Following => Self::Named(unique(following)),
            Files::Others => Self::Others,
            Files::OthersBut(names) => Self::OthersBut(names),
            Files::Ending(ending) => Self::Ending(ending),
        }
    }
}

/// Items by their groups, and whole groups.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// In the order in which the article first names them.
    pub(super) items: Vec<(Said<String>, Vec<Said<String>>)>,
    pub(super) groups: Vec<Said<String>>,
    /// Index into `items` for each group and each item of it, so that long lists stay cheap.
    known: BTreeMap<(CaseFolded, Option<CaseFolded>), usize>,
    /// In the order in which the article gives them.
    pub(super) parameters: Vec<Parameter>,
}

/// Parameter of a procedure.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) procedure: String,
    pub(super) name: String,
    pub(super) value: Said<String>,
}

impl Selection {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.groups.is_empty()
    }

    pub(super) fn item(&mut self, group: String, item: Said<String>) {
        let case_folded = CaseFolded::of(&group);
        let at = *self
            .known
            .entry((case_folded.clone(), None))
            .or_insert_with(|| {
                self.items.push((Said::new(group, item.line), Vec::new()));
                self.items.len() - 1
            });
        if self
            .known
            .insert((case_folded, Some(CaseFolded::of(&item.value))), at)
            .is_none()
        {
            self.items[at].1.push(item);
        }
    }

    /// Gives a procedure a parameter; a later value replaces an earlier one, as in the box.
    pub(super) fn parameter(&mut self, given: Parameter) {
        self.parameters
            .retain(|known| (&known.procedure, &known.name) != (&given.procedure, &given.name));
        self.parameters.push(given);
    }

    pub(super) fn group(&mut self, group: Said<String>) {
        // No item has the empty name, so it marks the group itself.
        let key = (CaseFolded::of(&group.value), Some(CaseFolded::of("")));
        if self.known.insert(key, 0).is_none() {
            self.groups.push(group);
        }
    }
}

fn unique(names: impl IntoIterator<Item = Said<String>>) -> Vec<Said<String>> {
    let mut seen = std::collections::BTreeSet::new();
    names
        .into_iter()
        .filter(|name| seen.insert(CaseFolded::of(&name.value)))
        .collect()
}

/// Gives every step a short unique id: its action, and its target if that adds information.
pub(super) fn name(steps: &mut [Step]) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for step in steps {
        let id = base(&step.does);
        loop {
            let count = taken.entry(id.clone()).or_default();
            *count += 1;
            step.id = if *count == 1 {
                id.clone()
            } else {
                format!("{id}-{count}")
            };
            // A name that ends in a number may already belong to another step.
            let numbered = step.id.clone();
            if numbered == id || taken.insert(numbered, 1).is_none() {
                break;
            }
        }
    }
}

fn base(does: &Does) -> String {
    let with = |verb: &str, target: &str| match slug(target, 3) {
        slug if slug.is_empty() => verb.to_owned(),
        slug => format!("{verb}-{slug}"),
    };
    match does {
        Does::Batch(Queued::Uninstall, _) => "uninstall".to_owned(),
        Does::Batch(Queued::Install, _) | Does::Reinstall(_) => "install".to_owned(),
        Does::Batch(Queued::Initialize, _) => "initialize".to_owned(),
        Does::Copy { on: Some(on), .. } => with("copy", &on.role),
        Does::Copy { .. } => "copy".to_owned(),
        Does::Run { .. } => "run".to_owned(),
        Does::Service { verb, service, .. } => with(keyword(*verb), service),
        Does::Manual(_) => "manual".to_owned(),
    }
}

pub(super) fn keyword(verb: ServiceVerb) -> &'static str {
    match verb {
        ServiceVerb::Start => "start",
        ServiceVerb::Stop => "stop",
        ServiceVerb::Restart => "restart",
        ServiceVerb::Enable => "enable",
        ServiceVerb::Disable => "disable",
    }
}
