//! Differences between two manifests: a newer rollup and an older one, or two revisions of one.
//!
//! The comparison is about what the manifests mean, not how they are written. Each part of a
//! manifest is taken apart into facts, and the facts of both sides are compared: the position of an
//! entry, the order of the names in a list and the spelling of a name that is looked up are not
//! facts. Only the order of the steps counts, and that of the packages that a step runs. `meaning`
//! takes the parts apart and leaves out no field of them, so that a new one does not compile until
//! it is compared.

mod facts;
mod meaning;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use facts::{Facts, between};
use order::{Anchor, Move, anchor, moves};

use super::{Action, Condition, Listed, Manifest, PayloadFile, Prerequisite, Step};
use crate::names::CaseFolded;

/// One difference between two manifests.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Table that it belongs to.
    pub place: Place,
    /// Name of the step, prerequisite or file, if the table has several.
    pub of: Option<String>,
    /// Key as a manifest has it, such as `title` or `items."GROUP"`; `step`, `prerequisite` or
    /// `file` for a whole one.
    pub what: String,
    /// Kind of the difference.
    pub kind: Kind,
    /// Old value; `None` if it was added.
    pub old: Option<Value>,
    /// New value; `None` if it was removed.
    pub new: Option<Value>,
    /// Line in the old manifest, from 1.
    pub old_line: Option<u32>,
    /// Line in the new manifest, from 1.
    pub new_line: Option<u32>,
}

/// The tables of a manifest, in the document's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
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

/// Kinds of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Only the new manifest has it.
    Added,
    /// Only the old manifest has it.
    Removed,
    /// Both have it, with different values.
    Changed,
    /// Both have the same, at another place in the order.
    Moved,
}

/// Value that a manifest states.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, a name, a day.
    Text(String),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Several of them.
    List(Vec<Value>),
    /// A whole step, prerequisite or row, or the position of something that moved: values by their
    /// keys.
    Whole(Vec<(String, Value)>),
}

impl Serialize for Value {
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

/// Returns what `new` changes against `old`, in the order of a manifest; nothing if both mean the
/// same.
pub fn compare(old: &Manifest, new: &Manifest) -> Vec<Difference> {
    // Positions and the digest of the bytes are not facts: a manifest that was only reformatted is
    // the same.
    let Manifest {
        rollup: old_rollup,
        prerequisites: asked,
        steps: old_steps,
        files: old_files,
        payload: _,
        digest: _,
    } = old;
    let Manifest {
        rollup,
        prerequisites,
        steps,
        files,
        payload: _,
        digest: _,
    } = new;
    let mut differences = Differences::default();
    let [was, is] = [meaning::rollup(old_rollup), meaning::rollup(rollup)];
    differences.facts(Place::Rollup, None, &was.0, &is.0);
    differences.facts(Place::Article, None, &was.1, &is.1);
    differences.prerequisites(asked, prerequisites);
    differences.steps(old_steps, steps);
    differences.files(old_files, files);
    differences.found
}

#[derive(Default)]
struct Differences {
    found: Vec<Difference>,
}

/// Whole step, prerequisite or row of one side.
struct Whole<'m> {
    place: Place,
    of: String,
    what: &'static str,
    line: u32,
    facts: Facts<'m>,
}

impl Whole<'_> {
    /// Returns a difference with neither side filled in.
    fn difference(&self, kind: Kind) -> Difference {
        Difference {
            place: self.place,
            of: Some(self.of.clone()),
            what: self.what.to_owned(),
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
    fn facts(&mut self, place: Place, of: Option<&str>, old: &Facts<'_>, new: &Facts<'_>) {
        self.found
            .extend(between(old, new).into_iter().map(|(old, new)| {
                let some = old.or(new).expect("one side says it");
                Difference {
                    place,
                    of: of.map(str::to_owned),
                    what: some.path(),
                    kind: match (old, new) {
                        (None, _) => Kind::Added,
                        (_, None) => Kind::Removed,
                        _ => Kind::Changed,
                    },
                    old: old.map(|fact| fact.value.clone()),
                    new: new.map(|fact| fact.value.clone()),
                    old_line: old.and_then(|fact| fact.line),
                    new_line: new.and_then(|fact| fact.line),
                }
            }));
    }

    fn added(&mut self, whole: Whole<'_>, stands: Option<(String, Value)>) {
        let difference = whole.difference(Kind::Added);
        let new = Value::Whole(stands.into_iter().chain(whole.facts.whole()).collect());
        self.found.push(Difference {
            new: Some(new),
            new_line: Some(whole.line),
            ..difference
        });
    }

    fn removed(&mut self, whole: Whole<'_>, stood: Option<(String, Value)>) {
        let difference = whole.difference(Kind::Removed);
        let old = Value::Whole(stood.into_iter().chain(whole.facts.whole()).collect());
        self.found.push(Difference {
            old: Some(old),
            old_line: Some(whole.line),
            ..difference
        });
    }

    /// Compares the prerequisites. One is identified by what it asks about; if several ask about
    /// one product, by the role, too.
    fn prerequisites(&mut self, old: &[Prerequisite], new: &[Prerequisite]) {
        let mut exactly: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, one) in old.iter().enumerate().rev() {
            exactly.entry(asked(one, true)).or_default().push(at);
        }
        let exact = |one| exactly.get_mut(&asked(one, true)).and_then(Vec::pop);
        let mut partners: Vec<Option<usize>> = new.iter().map(exact).collect();
        let mut nearly: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for at in exactly.into_values().flatten() {
            nearly.entry(asked(&old[at], false)).or_default().push(at);
        }
        for (one, partner) in new
            .iter()
            .zip(&mut partners)
            .filter(|(_, partner)| partner.is_none())
        {
            *partner = nearly.get_mut(&asked(one, false)).and_then(Vec::pop);
        }
        let mut gone: Vec<usize> = nearly.into_values().flatten().collect();
        gone.sort_unstable();
        gone.into_iter()
            .for_each(|at| self.removed(meaning::whole_prerequisite(&old[at]), None));
        for (one, partner) in new.iter().zip(partners) {
            match partner {
                Some(at) => {
                    let (was, is) = (meaning::prerequisite(&old[at]), meaning::prerequisite(one));
                    self.facts(Place::Prerequisites, Some(meaning::subject(one)), &was, &is);
                }
                None => self.added(meaning::whole_prerequisite(one), None),
            }
        }
    }

    /// Compares the steps, which are identified by their ids. Removed steps come first, then
    /// everything in the order of the new manifest.
    fn steps(&mut self, old: &[Step], new: &[Step]) {
        let [was, is] = [old, new].map(|steps| {
            steps
                .iter()
                .map(|step| CaseFolded::of(&step.id))
                .collect::<Vec<_>>()
        });
        let partners: BTreeMap<&CaseFolded, usize> =
            was.iter().enumerate().map(|(at, id)| (id, at)).collect();
        let stays: BTreeSet<&CaseFolded> = is.iter().collect();
        for (at, step) in old
            .iter()
            .enumerate()
            .filter(|(at, _)| !stays.contains(&was[*at]))
        {
            self.removed(
                meaning::whole_step(step),
                stands(anchor(at, old.len()), old),
            );
        }
        let mut moved = moves(&was, &is).into_iter().peekable();
        for (at, step) in new.iter().enumerate() {
            let Some(partner) = partners.get(&is[at]).map(|&at| &old[at]) else {
                self.added(
                    meaning::whole_step(step),
                    stands(anchor(at, new.len()), new),
                );
                continue;
            };
            if let Some(shift) = moved.next_if(|shift| shift.is == at) {
                self.moved_step(partner, step, &shift, (old, new));
            }
            self.facts(
                Place::Steps,
                Some(&step.id),
                &meaning::step(partner),
                &meaning::step(step),
            );
            if let (Action::Run { files: was, .. }, Action::Run { files: is, .. }) =
                (&partner.action, &step.action)
            {
                self.moved_packages(&step.id, was, is);
            }
        }
    }

    fn moved_step(&mut self, was: &Step, is: &Step, shift: &Move, (old, new): (&[Step], &[Step])) {
        let whole =
            |stands: Option<(String, Value)>| Some(Value::Whole(stands.into_iter().collect()));
        self.found.push(Difference {
            place: Place::Steps,
            of: Some(is.id.clone()),
            what: "step".to_owned(),
            kind: Kind::Moved,
            old: whole(stands(Some(shift.behind), old)),
            new: whole(stands(Some(shift.ahead), new)),
            old_line: Some(was.line),
            new_line: Some(is.line),
        });
    }

    /// Adds the packages that moved: they are run in the order of the list.
    fn moved_packages(&mut self, step: &str, old: &[Listed], new: &[Listed]) {
        let [was, is] = [old, new].map(|files| {
            files
                .iter()
                .map(|file| CaseFolded::of(&file.name))
                .collect::<Vec<_>>()
        });
        for shift in moves(&was, &is) {
            let side = |anchor: Anchor, files: &[Listed], at: usize| {
                let (word, other) = anchor.told();
                let name = |at: usize| Value::Text(files[at].name.clone());
                Some(Value::Whole(vec![
                    ("name".to_owned(), name(at)),
                    (word.to_owned(), name(other)),
                ]))
            };
            self.found.push(Difference {
                place: Place::Steps,
                of: Some(step.to_owned()),
                what: "files".to_owned(),
                kind: Kind::Moved,
                old: side(shift.behind, old, shift.was),
                new: side(shift.ahead, new, shift.is),
                old_line: Some(old[shift.was].line),
                new_line: Some(new[shift.is].line),
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
                Some((_, was)) => {
                    self.facts(
                        Place::Payload,
                        Some(row.name.as_str()),
                        &meaning::file(was),
                        &meaning::file(row),
                    );
                }
                None => self.added(meaning::whole_file(row), None),
            }
        }
    }
}

/// Returns what a prerequisite asks about.
fn asked(prerequisite: &Prerequisite, with_role: bool) -> (u8, CaseFolded, Option<CaseFolded>) {
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
fn stands(anchor: Option<Anchor>, steps: &[Step]) -> Option<(String, Value)> {
    let (word, at) = anchor?.told();
    Some((word.to_owned(), Value::Text(steps[at].id.clone())))
}

#[cfg(test)]
mod tests;
