//! Differences between two manifests: a newer rollup and an older one, or two revisions of one.
//!
//! The comparison is about the meaning of the manifests, not their layout. Each part of a manifest
//! is split into facts, and the facts of both sides are compared: the position of an entry, the
//! order of the names in a list and the spelling of a name that is looked up are not facts. Only
//! the order of the steps counts, and that of the packages that a step runs. `meaning` splits the
//! parts and leaves out no field of them, so that a new one does not compile until it is compared.

mod facts;
mod meaning;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use facts::{Facts, between};
use order::{Anchor, ListMove, anchor, moves};

use super::{Action, Condition, Listed, Manifest, PayloadFile, Prerequisite, Step};
use crate::names::CaseFolded;

/// One difference between two manifests.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestDifference {
    /// Table that it belongs to.
    pub table: ManifestTable,
    /// Name of the step, prerequisite or file, if the table has more than one.
    pub of: Option<String>,
    /// Key as a manifest spells it, such as `title` or `items."GROUP"`; `step`, `prerequisite` or
    /// `file` for a whole entry.
    pub key: String,
    pub kind: ChangeKind,
    /// Old value; `None` if it was added.
    pub old: Option<FactValue>,
    /// New value; `None` if it was removed.
    pub new: Option<FactValue>,
    /// Line in the old manifest, from 1.
    pub old_line: Option<u32>,
    /// Line in the new manifest, from 1.
    pub new_line: Option<u32>,
}

/// Table of a manifest, in the document's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManifestTable {
    /// `[rollup]`.
    Rollup,
    /// `[article]`.
    Article,
    /// `[[prerequisites]]`.
    Prerequisites,
    /// `[[steps]]`.
    Steps,
    /// `[payload]`, with the pins.
    Payload,
}

/// Kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Only the new manifest has it.
    Added,
    /// Only the old manifest has it.
    Removed,
    /// Both have it, with different values.
    Changed,
    /// Both have the same value, at another position in the order.
    Moved,
}

/// Value that a manifest states.
#[derive(Debug, Clone, PartialEq)]
pub enum FactValue {
    /// Text, name or day.
    Text(String),
    Number(u64),
    Flag(bool),
    List(Vec<FactValue>),
    /// Whole step, prerequisite or row, or the position of an entry that moved: values by their
    /// keys.
    Whole(Vec<(String, FactValue)>),
}

impl Serialize for FactValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(values) => serializer.collect_seq(values),
            Self::Whole(values) => {
                serializer.collect_map(values.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

/// Returns the differences of `new` from `old`, in the order of a manifest; none if both mean the
/// same.
pub fn compare(old: &Manifest, new: &Manifest) -> Vec<ManifestDifference> {
    // Positions and the digest of the bytes are not facts: a manifest that was only reformatted is
    // the same.
    let Manifest {
        rollup: old_rollup,
        prerequisites: old_prerequisites,
        steps: old_steps,
        files: old_files,
        payload: _,
        digest: _,
        meaning: _,
    } = old;
    let Manifest {
        rollup,
        prerequisites,
        steps,
        files,
        payload: _,
        digest: _,
        meaning: _,
    } = new;
    let mut differences = Differences::default();
    let [before, after] = [meaning::rollup(old_rollup), meaning::rollup(rollup)];
    differences.facts(ManifestTable::Rollup, None, &before.0, &after.0);
    differences.facts(ManifestTable::Article, None, &before.1, &after.1);
    differences.prerequisites(old_prerequisites, prerequisites);
    differences.steps(old_steps, steps);
    differences.files(old_files, files);
    differences.found
}

#[derive(Default)]
struct Differences {
    found: Vec<ManifestDifference>,
}

/// Whole step, prerequisite or row of one side.
struct Whole<'m> {
    table: ManifestTable,
    of: String,
    key: &'static str,
    line: u32,
    facts: Facts<'m>,
}

impl Whole<'_> {
    /// Returns a difference without the values and lines of both sides.
    fn difference(&self, kind: ChangeKind) -> ManifestDifference {
        ManifestDifference {
            table: self.table,
            of: Some(self.of.clone()),
            key: self.key.to_owned(),
            kind,
            old: None,
            new: None,
            old_line: None,
            new_line: None,
        }
    }
}

impl Differences {
    /// Adds the differences between two tables that both sides have.
    fn facts(&mut self, table: ManifestTable, of: Option<&str>, old: &Facts<'_>, new: &Facts<'_>) {
        self.found
            .extend(between(old, new).into_iter().map(|(old, new)| {
                let some = old.or(new).expect("one side has the fact");
                ManifestDifference {
                    table,
                    of: of.map(str::to_owned),
                    key: some.path(),
                    kind: match (old, new) {
                        (None, _) => ChangeKind::Added,
                        (_, None) => ChangeKind::Removed,
                        _ => ChangeKind::Changed,
                    },
                    old: old.map(|fact| fact.value.clone()),
                    new: new.map(|fact| fact.value.clone()),
                    old_line: old.and_then(|fact| fact.line),
                    new_line: new.and_then(|fact| fact.line),
                }
            }));
    }

    fn added(&mut self, whole: Whole<'_>, position: Option<(String, FactValue)>) {
        let difference = whole.difference(ChangeKind::Added);
        let new = FactValue::Whole(position.into_iter().chain(whole.facts.whole()).collect());
        self.found.push(ManifestDifference {
            new: Some(new),
            new_line: Some(whole.line),
            ..difference
        });
    }

    fn removed(&mut self, whole: Whole<'_>, position: Option<(String, FactValue)>) {
        let difference = whole.difference(ChangeKind::Removed);
        let old = FactValue::Whole(position.into_iter().chain(whole.facts.whole()).collect());
        self.found.push(ManifestDifference {
            old: Some(old),
            old_line: Some(whole.line),
            ..difference
        });
    }

    /// Compares the prerequisites. A prerequisite is identified by its subject, and if several are
    /// about one product, by the role, too.
    fn prerequisites(&mut self, old: &[Prerequisite], new: &[Prerequisite]) {
        let mut exactly: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, one) in old.iter().enumerate().rev() {
            exactly.entry(subject(one, true)).or_default().push(at);
        }
        let exact = |one| exactly.get_mut(&subject(one, true)).and_then(Vec::pop);
        let mut partners: Vec<Option<usize>> = new.iter().map(exact).collect();
        let mut nearly: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for at in exactly.into_values().flatten() {
            nearly.entry(subject(&old[at], false)).or_default().push(at);
        }
        for (one, partner) in new
            .iter()
            .zip(&mut partners)
            .filter(|(_, partner)| partner.is_none())
        {
            *partner = nearly.get_mut(&subject(one, false)).and_then(Vec::pop);
        }
        let mut gone: Vec<usize> = nearly.into_values().flatten().collect();
        gone.sort_unstable();
        gone.into_iter()
            .for_each(|at| self.removed(meaning::whole_prerequisite(&old[at]), None));
        for (one, partner) in new.iter().zip(partners) {
            match partner {
                Some(at) => {
                    let (before, after) =
                        (meaning::prerequisite(&old[at]), meaning::prerequisite(one));
                    self.facts(
                        ManifestTable::Prerequisites,
                        Some(meaning::subject_name(one)),
                        &before,
                        &after,
                    );
                }
                None => self.added(meaning::whole_prerequisite(one), None),
            }
        }
    }

    /// Compares the steps, which are identified by their ids. Removed steps come first, then
    /// everything in the order of the new manifest.
    fn steps(&mut self, old: &[Step], new: &[Step]) {
        let [before, after] = [old, new].map(|steps| {
            steps
                .iter()
                .map(|step| CaseFolded::of(&step.id))
                .collect::<Vec<_>>()
        });
        let partners: BTreeMap<&CaseFolded, usize> =
            before.iter().enumerate().map(|(at, id)| (id, at)).collect();
        let stays: BTreeSet<&CaseFolded> = after.iter().collect();
        for (at, step) in old
            .iter()
            .enumerate()
            .filter(|(at, _)| !stays.contains(&before[*at]))
        {
            self.removed(
                meaning::whole_step(step),
                position_entry(anchor(at, old.len()), old),
            );
        }
        let mut moved = moves(&before, &after).into_iter().peekable();
        for (at, step) in new.iter().enumerate() {
            let Some(partner) = partners.get(&after[at]).map(|&at| &old[at]) else {
                self.added(
                    meaning::whole_step(step),
                    position_entry(anchor(at, new.len()), new),
                );
                continue;
            };
            if let Some(shift) = moved.next_if(|shift| shift.new_index == at) {
                self.moved_step(partner, step, &shift, (old, new));
            }
            self.facts(
                ManifestTable::Steps,
                Some(&step.id),
                &meaning::step(partner),
                &meaning::step(step),
            );
            if let (Action::Run { files: before, .. }, Action::Run { files: after, .. }) =
                (&partner.action, &step.action)
            {
                self.moved_packages(&step.id, before, after);
            }
        }
    }

    fn moved_step(
        &mut self,
        before: &Step,
        after: &Step,
        shift: &ListMove,
        (old, new): (&[Step], &[Step]),
    ) {
        let whole = |position: Option<(String, FactValue)>| {
            Some(FactValue::Whole(position.into_iter().collect()))
        };
        self.found.push(ManifestDifference {
            table: ManifestTable::Steps,
            of: Some(after.id.clone()),
            key: "step".to_owned(),
            kind: ChangeKind::Moved,
            old: whole(position_entry(Some(shift.old_anchor), old)),
            new: whole(position_entry(Some(shift.new_anchor), new)),
            old_line: Some(before.line),
            new_line: Some(after.line),
        });
    }

    /// Adds the packages that moved: they are run in the order of the list.
    fn moved_packages(&mut self, step: &str, old: &[Listed], new: &[Listed]) {
        let [before, after] = [old, new].map(|files| {
            files
                .iter()
                .map(|file| CaseFolded::of(&file.name))
                .collect::<Vec<_>>()
        });
        for shift in moves(&before, &after) {
            let side = |anchor: Anchor, files: &[Listed], at: usize| {
                let (word, other) = anchor.word_and_index();
                let name = |at: usize| FactValue::Text(files[at].name.clone());
                Some(FactValue::Whole(vec![
                    ("name".to_owned(), name(at)),
                    (word.to_owned(), name(other)),
                ]))
            };
            self.found.push(ManifestDifference {
                table: ManifestTable::Steps,
                of: Some(step.to_owned()),
                key: "files".to_owned(),
                kind: ChangeKind::Moved,
                old: side(shift.old_anchor, old, shift.old_index),
                new: side(shift.new_anchor, new, shift.new_index),
                old_line: Some(old[shift.old_index].line),
                new_line: Some(new[shift.new_index].line),
            });
        }
    }

    /// Compares the rows, which are identified by their names; removed rows come first.
    fn files(&mut self, old: &[PayloadFile], new: &[PayloadFile]) {
        let mut rows: BTreeMap<CaseFolded, (usize, &PayloadFile)> = old
            .iter()
            .enumerate()
            .map(|(at, row)| (row.name.case_folded(), (at, row)))
            .collect();
        let pairs: Vec<_> = new
            .iter()
            .map(|row| (rows.remove(&row.name.case_folded()), row))
            .collect();
        let mut gone: Vec<_> = rows.into_values().collect();
        gone.sort_unstable_by_key(|(at, _)| *at);
        gone.into_iter()
            .for_each(|(_, row)| self.removed(meaning::whole_file(row), None));
        for (partner, row) in pairs {
            match partner {
                Some((_, before)) => {
                    self.facts(
                        ManifestTable::Payload,
                        Some(row.name.as_str()),
                        &meaning::file(before),
                        &meaning::file(row),
                    );
                }
                None => self.added(meaning::whole_file(row), None),
            }
        }
    }
}

/// Returns the subject of a prerequisite, by which both sides are matched.
fn subject(prerequisite: &Prerequisite, with_role: bool) -> (u8, CaseFolded, Option<CaseFolded>) {
    match &prerequisite.condition {
        Condition::Product {
            product,
            service_pack: _,
            on,
        } => (
            0,
            CaseFolded::of(product),
            on.as_deref().filter(|_| with_role).map(CaseFolded::of),
        ),
        Condition::Item { item } => (1, CaseFolded::of(item), None),
        Condition::Confirm { id, question: _ } => (2, CaseFolded::of(id), None),
    }
}

/// Returns the position of a step, as an entry of its description.
fn position_entry(anchor: Option<Anchor>, steps: &[Step]) -> Option<(String, FactValue)> {
    let (word, at) = anchor?.word_and_index();
    Some((word.to_owned(), FactValue::Text(steps[at].id.clone())))
}

#[cfg(test)]
mod tests;
