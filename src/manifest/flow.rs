//! Checks of items across all steps: a removed item should be installed again, and only once.

use super::draft::Draft;
use super::*;
use crate::deployment::description::Description;
use crate::document::{Code, Reader, some_of};

/// Checks the selections. With a deployment, aliases are resolved; without one, only faults that
/// the words themselves prove are reported.
pub(super) fn check(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    if selections_known(draft) {
        match deployment {
            // Names that the deployment does not have are reported first, and prove nothing here.
            Some(deployment) if draft.names.whole => resolved_flow(reader, draft, deployment),
            Some(_) => {}
            None => worded_flow(reader, draft),
        }
        removed_twice(reader, draft);
        reinstalled_twice(reader, draft);
    }
}

/// Returns whether every selection could be read: one that could not may be the one that installs
/// the removed items again.
pub(super) fn selections_known(draft: &Draft) -> bool {
    !draft.steps.iter().any(Step::hides_targets)
}

/// Checks the selections as sets of items, which is exact.
fn resolved_flow(reader: &mut Reader<'_>, draft: &Draft, deployment: &Description) {
    let installed = install_steps(draft);
    let mut removed: BTreeSet<ItemId> = BTreeSet::new();
    for (at, step) in draft.steps.iter().enumerate() {
        let is_missing = |item: &&ItemId| installed.get(item).is_none_or(|(_, last)| *last < at);
        let missing: Vec<_> = step
            .removes()
            .iter()
            .filter(is_missing)
            .map(|item| deployment[*item].name.as_str())
            .collect();
        not_reinstalled(reader, step, missing);
        removed.extend(step.removes());
        if step.verb == Some(Verb::Install) {
            let is_new = |name: &&Name<ItemId>| name.id.is_some_and(|id| !removed.contains(&id));
            let new: Vec<_> = step
                .named_items()
                .filter(is_new)
                .map(|name| name.text.as_str())
                .collect();
            never_removed(reader, step, new);
        }
    }
}

/// Returns the first and the last step that installs each item.
pub(super) fn install_steps(draft: &Draft) -> BTreeMap<ItemId, (usize, usize)> {
    let mut removed: BTreeSet<ItemId> = BTreeSet::new();
    let mut by_item = BTreeMap::new();
    for (at, step) in draft.steps.iter().enumerate() {
        removed.extend(step.removes());
        if step.verb == Some(Verb::Install) {
            for &item in draft.installs(step, &removed).iter() {
                by_item.entry(item).or_insert((at, at)).1 = at;
            }
        }
    }
    by_item
}

/// Checks the selections by the words of the manifest. If a group may be named by an alias, the
/// words prove nothing.
fn worded_flow(reader: &mut Reader<'_>, draft: &Draft) {
    let mut later = Words::default();
    let mut referred: BTreeSet<CaseFolded> = BTreeSet::new();
    for step in draft.steps.iter().rev() {
        match step.verb {
            Some(Verb::Install) => {
                later.add(step);
                referred.extend(
                    step.removed_by
                        .as_ref()
                        .map(|reference| CaseFolded::of(&reference.text)),
                );
            }
            Some(Verb::Uninstall) => {
                let is_reinstalled = referred.contains(&CaseFolded::of(&step.id));
                if !is_reinstalled && later.all_groups_are_above(step) {
                    not_reinstalled(reader, step, later.left_out(step));
                }
            }
            _ => {}
        }
    }
    let mut earlier = Words::default();
    for step in &draft.steps {
        match step.verb {
            Some(Verb::Uninstall) => earlier.add(step),
            Some(Verb::Install) if step.groups.is_empty() && earlier.all_groups_are_above(step) => {
                never_removed(reader, step, earlier.left_out(step));
            }
            _ => {}
        }
    }
}

/// Selections as words: whole groups by path, and items by name.
#[derive(Default)]
struct Words {
    groups: BTreeSet<CaseFolded>,
    items: BTreeSet<CaseFolded>,
}

impl Words {
    /// Adds the selection of a step.
    fn add(&mut self, step: &Step) {
        self.groups
            .extend(step.groups.iter().map(|name| CaseFolded::of(&name.text)));
        self.items
            .extend(step.named_items().map(|name| CaseFolded::of(&name.text)));
    }

    /// Returns whether every whole group is named by a step, or above a group that it names.
    fn all_groups_are_above(&self, step: &Step) -> bool {
        let above: BTreeSet<_> = step
            .items
            .iter()
            .map(|members| &members.group)
            .chain(&step.groups)
            .flat_map(|path| path_and_parents(&path.text))
            .collect();
        self.groups.is_subset(&above)
    }

    /// Returns the names that a step selects and these words do not.
    fn left_out<'s>(&self, step: &'s Step) -> Vec<&'s str> {
        let is_left_out = |group: &Name<GroupId>| {
            !path_and_parents(&group.text).any(|path| self.groups.contains(&path))
        };
        let groups = step
            .groups
            .iter()
            .filter(|group| is_left_out(group))
            .map(|group| group.text.as_str());
        let members = step
            .items
            .iter()
            .filter(|members| is_left_out(&members.group));
        let mut seen = self.items.clone();
        let items = members
            .flat_map(|members| &members.names)
            .filter(|name| seen.insert(CaseFolded::of(&name.text)));
        items.map(|name| name.text.as_str()).chain(groups).collect()
    }
}

/// Returns a path and its parent paths.
fn path_and_parents(path: &str) -> impl Iterator<Item = CaseFolded> + '_ {
    let cuts = path
        .match_indices('/')
        .map(|(at, _)| at)
        .chain(std::iter::once(path.len()));
    cuts.map(|at| CaseFolded::of(&path[..at]))
}

fn not_reinstalled(reader: &mut Reader<'_>, step: &Step, missing: Vec<&str>) {
    if missing.is_empty() {
        return;
    }
    let message = format!(
        "{} removes {}, which no later step installs again",
        step.quoted_name(),
        some_of(missing.into_iter())
    );
    let id = if step.id.is_empty() { "…" } else { &step.id };
    reader
        .report(Code::NeverReinstalled, &step.span, message)
        .help(format!(
            "add an `install` step with `removed_by = \"{id}\"`, unless this is intended"
        ));
}

fn never_removed(reader: &mut Reader<'_>, step: &Step, new: Vec<&str>) {
    if new.is_empty() {
        return;
    }
    let message = format!(
        "{} installs {}, which no earlier step removed",
        step.quoted_name(),
        some_of(new.into_iter())
    );
    reader
        .report(Code::NeverRemoved, &step.span, message)
        .help("nothing to do if it is new with this rollup");
}

/// Finds steps that reinstall the same items as an earlier step, with no removal in between.
fn reinstalled_twice(reader: &mut Reader<'_>, draft: &Draft) {
    let mut reinstalled: BTreeMap<CaseFolded, usize> = BTreeMap::new();
    for (at, step) in draft.steps.iter().enumerate() {
        match (step.verb, &step.removed_by) {
            (Some(Verb::Uninstall), _) => reinstalled.clear(),
            (Some(Verb::Install), Some(reference)) => {
                if let Some(first) = reinstalled.insert(CaseFolded::of(&reference.text), at) {
                    let first = draft.steps[first].reference();
                    let message =
                        format!("{first} already installs the items that `{reference}` removed");
                    reader
                        .report(Code::ReinstalledTwice, &reference.span, message)
                        .help("name another `uninstall` step, or remove one of the two steps");
                }
            }
            _ => {}
        }
    }
}

/// Finds items that are removed twice. A step for only some servers proves nothing about the
/// others, and any `install` may have reinstalled them.
fn removed_twice(reader: &mut Reader<'_>, draft: &Draft) {
    let mut missing: BTreeMap<Result<ItemId, CaseFolded>, usize> = BTreeMap::new();
    for (at, step) in draft.steps.iter().enumerate() {
        match step.verb {
            Some(Verb::Uninstall) if !step.is_narrowed() => {
                for item in step.named_items() {
                    // An item that the deployment does not know, not even by an alias, is the same
                    // if the word is the same.
                    let known = item.id.ok_or_else(|| CaseFolded::of(&item.text));
                    if let Some(by) = missing.insert(known, at)
                        && by != at
                    {
                        let by = draft.steps[by].reference();
                        let message = format!("{by} already removes `{item}`");
                        reader
                            .report(Code::RemovedTwice, &item.span, message)
                            .help("remove it from one of the two steps");
                    }
                }
            }
            Some(Verb::Install) => missing.clear(),
            _ => {}
        }
    }
}
