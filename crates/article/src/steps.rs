//! Steps of the manifest, made from the procedure.

use std::collections::BTreeMap;

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
            for word in words(&line.value) {
                named.entry(CaseFolded::of(word)).or_insert(line.line);
            }
        }
        for Located { value: row, .. } in rows {
            if let Some(line) = named.get(&CaseFolded::of(&row.name)) {
                self.files.push(Located::new(row.name.clone(), *line));
            }
        }
    }

    /// Returns the role whose servers the lines name, if they name only one.
    pub(super) fn role(&self) -> Option<Located<String>> {
        let mut roles = self
            .lines
            .iter()
            .filter_map(|line| Some(Located::new(role(&line.value)?, line.line)));
        let first = roles.next()?;
        roles.all(|role| role.value == first.value).then_some(first)
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
        let case_folded = CaseFolded::of(&group);
        let at = *self
            .known
            .entry((case_folded.clone(), None))
            .or_insert_with(|| {
                self.items
                    .push((Located::new(group, item.line), Vec::new()));
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
pub(super) fn unique(names: impl IntoIterator<Item = Located<String>>) -> Vec<Located<String>> {
    let mut seen = std::collections::BTreeSet::new();
    names
        .into_iter()
        .filter(|name| seen.insert(CaseFolded::of(&name.value)))
        .collect()
}

/// Gives every step a short unique id: its action, and its target if that adds information.
pub(super) fn name(steps: &mut [ArticleStep]) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for step in steps {
        let id = base(&step.action);
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

fn base(action: &StepAction) -> String {
    let with = |verb: &str, target: &str| match slug(target, 3) {
        slug if slug.is_empty() => verb.to_owned(),
        slug => format!("{verb}-{slug}"),
    };
    match action {
        StepAction::Batch(QueuedAction::Uninstall, _) => "uninstall".to_owned(),
        StepAction::Batch(QueuedAction::Install, _) | StepAction::Reinstall(_) => {
            "install".to_owned()
        }
        StepAction::Batch(QueuedAction::Initialize, _) => "initialize".to_owned(),
        StepAction::Copy { on: Some(on), .. } => with("copy", &on.role),
        StepAction::Copy { .. } => "copy".to_owned(),
        StepAction::Run { .. } => "run".to_owned(),
        StepAction::Service { verb, service, .. } => with(verb.keyword(), service),
        StepAction::Manual(_) => "manual".to_owned(),
    }
}

/// Returns the words of a text, without the punctuation around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let around = |c: char| !c.is_alphanumeric() && c != '_';
    text.split_whitespace()
        .map(move |word| word.trim_matches(around))
}
