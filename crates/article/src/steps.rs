//! Steps of the manifest, made from the procedure.

use std::collections::{BTreeMap, BTreeSet};

use super::Located;
use super::commands::QueuedAction;
use super::table::ArticleRow;
use super::targets::{role, slug};
use rollup_names::CaseFolded;
use rollup_names::ServiceVerb;

/// Step of the manifest, as the article describes it.
#[derive(Debug)]
pub(super) struct ArticleStep {
    /// Assigned last, when all steps are known.
    pub(super) id: String,
    /// Number of its part, if the parts have numbers.
    pub(super) part: Option<u32>,
    pub(super) title: Option<String>,
    pub(super) action: StepAction,
    /// Line of the article.
    pub(super) line: u32,
    /// Open questions about it.
    pub(super) todo: Vec<Located<String>>,
}

/// All servers of a role, or those of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StepServers {
    pub(super) role: String,
    pub(super) platform: Option<&'static str>,
}

/// Action of a step.
#[derive(Debug)]
pub(super) enum StepAction {
    Batch(QueuedAction, ItemSelection),
    /// Installs the items that an earlier uninstall step removed, given as the index of that step;
    /// none if that step is unknown.
    Reinstall(Option<usize>),
    Copy {
        files: Vec<Located<String>>,
        to: String,
        on: Option<StepServers>,
    },
    Run {
        files: Vec<Located<String>>,
        on: Option<StepServers>,
    },
    Service {
        verb: ServiceVerb,
        service: String,
        on: Option<StepServers>,
    },
    Manual(ManualWork),
}

/// Manual work, in the article's words.
#[derive(Debug, Default)]
pub(super) struct ManualWork {
    pub(super) lines: Vec<Located<String>>,
    /// Files of the table that the lines name, so that a person gets them verified.
    pub(super) files: Vec<Located<String>>,
    /// Instructions for the rollback.
    pub(super) undo: Option<Located<String>>,
    pub(super) optional: bool,
}

impl ManualWork {
    /// Adds the files of the table that the lines name as whole words.
    pub(super) fn add_files(&mut self, rows: &[Located<ArticleRow>]) {
        let mut named: BTreeMap<CaseFolded, u32> = BTreeMap::new();
        for line in &self.lines {
            for word in line.value.split_whitespace() {
                let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
                named.entry(CaseFolded::of(word)).or_insert(line.line);
            }
        }
        for Located { value: row, .. } in rows {
            if let Some(line) = named.get(&CaseFolded::of(&row.name)) {
                self.files.push(Located::new(&row.name, *line));
            }
        }
    }

    /// Returns the role whose servers the lines name, if they name only one.
    pub(super) fn role(&self) -> Option<Located<String>> {
        let lines = self.lines.iter();
        let mut roles = lines.filter_map(|line| Some(Located::new(role(&line.value)?, line.line)));
        let first = roles.next()?;
        roles.all(|role| role.value == first.value).then_some(first)
    }
}

impl StepAction {
    /// Returns the name that a manifest has for the action.
    pub(super) fn keyword(&self) -> &'static str {
        match self {
            StepAction::Batch(QueuedAction::Uninstall, _) => "uninstall",
            StepAction::Batch(QueuedAction::Install, _) | StepAction::Reinstall(_) => "install",
            StepAction::Batch(QueuedAction::Initialize, _) => "initialize",
            StepAction::Copy { .. } => "copy",
            StepAction::Run { .. } => "run",
            StepAction::Service { verb, .. } => verb.keyword(),
            StepAction::Manual(_) => "manual",
        }
    }

    /// Returns the files that the step copies, runs or names.
    pub(super) fn files(&self) -> &[Located<String>] {
        match self {
            StepAction::Copy { files, .. } | StepAction::Run { files, .. } => files,
            StepAction::Manual(work) => &work.files,
            _ => &[],
        }
    }
}

/// Items by their groups, and whole groups.
#[derive(Debug, Default)]
pub(super) struct ItemSelection {
    /// In the order in which the article first names them.
    pub(super) items: Vec<(Located<String>, Vec<Located<String>>)>,
    pub(super) groups: Vec<Located<String>>,
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
    pub(super) value: Located<String>,
}

impl ItemSelection {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.groups.is_empty()
    }

    pub(super) fn item(&mut self, group: String, item: Located<String>) {
        let key = CaseFolded::of(&group);
        let next = self.items.len();
        let at = *self.known.entry((key.clone(), None)).or_insert(next);
        if at == next {
            let group = Located::new(group, item.line);
            self.items.push((group, Vec::new()));
        }
        let key = (key, Some(CaseFolded::of(&item.value)));
        if self.known.insert(key, at).is_none() {
            self.items[at].1.push(item);
        }
    }

    /// Gives a procedure a parameter; a later value replaces an earlier one, as in the dialog.
    pub(super) fn parameter(&mut self, given: Parameter) {
        self.parameters
            .retain(|known| (&known.procedure, &known.name) != (&given.procedure, &given.name));
        self.parameters.push(given);
    }

    pub(super) fn group(&mut self, group: Located<String>) {
        // No item has the empty name, so it marks the group itself.
        let key = (CaseFolded::of(&group.value), Some(CaseFolded::of("")));
        if self.known.insert(key, 0).is_none() {
            self.groups.push(group);
        }
    }
}

/// Returns the names without those that occur again.
pub(super) fn unique(mut names: Vec<Located<String>>) -> Vec<Located<String>> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(CaseFolded::of(&name.value)));
    names
}

/// Gives every step a short unique id: its action, and its target if that adds information.
pub(super) fn name(steps: &mut [ArticleStep]) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for step in steps {
        let target = match &step.action {
            StepAction::Copy { on: Some(on), .. } => slug(&on.role, 3),
            StepAction::Service { service, .. } => slug(service, 3),
            _ => String::new(),
        };
        let id = match (step.action.keyword(), target) {
            (action, target) if target.is_empty() => action.to_owned(),
            (action, target) => format!("{action}-{target}"),
        };
        let count = counts.entry(id.clone()).or_default();
        // A name that ends in a number may already belong to another step.
        loop {
            *count += 1;
            step.id = match *count {
                1 => id.clone(),
                count => format!("{id}-{count}"),
            };
            if taken.insert(step.id.clone()) {
                break;
            }
        }
    }
}
