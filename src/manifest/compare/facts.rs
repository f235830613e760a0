//! Facts that one part of a manifest states, and the comparison of the facts of two sides.

use std::collections::{BTreeMap, BTreeSet};

use super::Value;
use crate::manifest::{KeyLines, Listed};
use crate::names::{CaseFolded, Kb, Version, same_name};

/// Single statement of a manifest.
#[derive(Debug)]
pub(super) struct Fact<'m> {
    key: &'static str,
    /// Free key below it, such as the group of `items`; case does not count.
    under: Option<&'m str>,
    /// Identity among the key's values, if the key has several.
    member: Option<Member<'m>>,
    weighed: Weighed,
    /// True for a default that the manifest does not state: a difference to it counts, but it is
    /// not shown as written.
    implied: bool,
    pub(super) value: Value,
    /// Line in the manifest, from 1.
    pub(super) line: Option<u32>,
}

/// One of several values of a key.
#[derive(Debug, Clone, Copy)]
enum Member<'m> {
    /// A name; case does not count.
    Name(&'m str),
    /// A text, to the letter.
    Text(&'m str),
    /// A rollup.
    Rollup(Kb),
    /// A free key with a value of its own, to the letter.
    Key(&'m str),
}

/// Comparison of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weighed {
    /// To the letter.
    Exactly,
    /// As names, whose case does not count.
    AsNames,
    /// Number by number.
    AsVersions,
}

/// Facts of one part, in the order in which they are shown.
#[derive(Debug)]
pub(super) struct Facts<'m> {
    list: Vec<Fact<'m>>,
    lines: Option<&'m KeyLines>,
    /// Line of the whole part, for facts without a line of their own.
    line: Option<u32>,
}

impl<'m> Facts<'m> {
    /// Creates facts whose keys are on these lines.
    pub(super) fn with_lines(lines: &'m KeyLines, line: Option<u32>) -> Self {
        Self {
            list: Vec::new(),
            lines: Some(lines),
            line,
        }
    }

    /// Creates facts that are all on one line, or nearly.
    pub(super) fn on_line(line: u32) -> Self {
        Self {
            list: Vec::new(),
            lines: None,
            line: Some(line),
        }
    }

    /// Adds a value, if there is one.
    pub(super) fn says(
        &mut self,
        key: &'static str,
        value: Option<impl Into<Value>>,
        weighed: Weighed,
    ) {
        if let Some(value) = value {
            self.push(key, value.into(), weighed, false);
        }
    }

    /// Adds a value that also holds if the manifest does not state it, in which case it is
    /// `implied`.
    pub(super) fn holds(
        &mut self,
        key: &'static str,
        value: impl Into<Value>,
        implied: bool,
        weighed: Weighed,
    ) {
        self.push(key, value.into(), weighed, implied);
    }

    /// Adds texts whose order does not count.
    pub(super) fn texts(&mut self, key: &'static str, texts: &'m [String]) {
        for text in texts {
            self.member(
                key,
                None,
                Member::Text(text),
                Weighed::Exactly,
                Value::Text(text.clone()),
                None,
            );
        }
    }

    /// Adds rollups whose order does not count.
    pub(super) fn rollups(&mut self, key: &'static str, rollups: &[Kb]) {
        for kb in rollups {
            self.member(
                key,
                None,
                Member::Rollup(*kb),
                Weighed::Exactly,
                Value::Text(kb.to_string()),
                None,
            );
        }
    }

    /// Adds names below a free key, or below none.
    pub(super) fn names(
        &mut self,
        key: &'static str,
        under: Option<&'m str>,
        names: &'m [Listed],
        weighed: Weighed,
    ) {
        for Listed { name, line } in names {
            self.member(
                key,
                under,
                Member::Name(name),
                weighed,
                Value::Text(name.clone()),
                Some(*line),
            );
        }
    }

    /// Adds a name that is on a given line.
    pub(super) fn name(&mut self, key: &'static str, name: &'m str, line: u32, weighed: Weighed) {
        self.member(
            key,
            None,
            Member::Name(name),
            weighed,
            Value::Text(name.to_owned()),
            Some(line),
        );
    }

    /// Adds the text of a free key that is below another one.
    pub(super) fn entry(&mut self, key: &'static str, under: &'m str, name: &'m str, text: &str) {
        self.member(
            key,
            Some(under),
            Member::Key(name),
            Weighed::Exactly,
            Value::Text(text.to_owned()),
            None,
        );
    }

    fn push(&mut self, key: &'static str, value: Value, weighed: Weighed, implied: bool) {
        let line = self.line_of(key);
        self.list.push(Fact {
            key,
            under: None,
            member: None,
            weighed,
            implied,
            value,
            line,
        });
    }

    fn member(
        &mut self,
        key: &'static str,
        under: Option<&'m str>,
        member: Member<'m>,
        weighed: Weighed,
        value: Value,
        line: Option<u32>,
    ) {
        let line = line.or_else(|| self.line_of(key));
        self.list.push(Fact {
            key,
            under,
            member: Some(member),
            weighed,
            implied: false,
            value,
            line,
        });
    }

    fn line_of(&self, key: &str) -> Option<u32> {
        self.lines
            .and_then(|lines| lines.get(key))
            .copied()
            .or(self.line)
    }

    /// Returns everything that the manifest states, by its key; several values of one key are a
    /// list.
    pub(super) fn whole(&self) -> Vec<(String, Value)> {
        let mut whole: Vec<(String, Value)> = Vec::new();
        for fact in self.list.iter().filter(|fact| !fact.implied) {
            let value = fact.value.clone();
            let several = matches!(
                fact.member,
                Some(Member::Name(_) | Member::Text(_) | Member::Rollup(_))
            );
            match whole.last_mut() {
                Some((key, Value::List(values))) if several && *key == fact.path() => {
                    values.push(value)
                }
                _ if several => whole.push((fact.path(), Value::List(vec![value]))),
                _ => whole.push((fact.path(), value)),
            }
        }
        whole
    }
}

impl Fact<'_> {
    /// Returns the key as a manifest has it, with the free keys below it.
    pub(super) fn path(&self) -> String {
        let mut path = self.key.to_owned();
        let last = match self.member {
            Some(Member::Key(key)) => Some(key),
            _ => None,
        };
        for part in self.under.into_iter().chain(last) {
            path.push('.');
            path.push_str(&toml::Value::String(part.to_owned()).to_string());
        }
        path
    }

    fn slot(&self) -> Slot {
        let member = self.member.map(|member| match member {
            Member::Name(name) => CaseFolded::of(name).as_str().to_owned(),
            Member::Text(text) | Member::Key(text) => text.to_owned(),
            Member::Rollup(kb) => kb.to_string(),
        });
        (self.key, self.under.map(CaseFolded::of), member)
    }

    fn is_about(&self, other: &Fact<'_>) -> bool {
        let under = match (self.under, other.under) {
            (Some(one), Some(other)) => same_name(one, other),
            (one, other) => one == other,
        };
        let member = match (self.member, other.member) {
            (None, None) => true,
            (Some(Member::Name(one)), Some(Member::Name(other))) => same_name(one, other),
            (Some(Member::Text(one)), Some(Member::Text(other))) => one == other,
            (Some(Member::Key(one)), Some(Member::Key(other))) => one == other,
            (Some(Member::Rollup(one)), Some(Member::Rollup(other))) => one == other,
            _ => false,
        };
        self.key == other.key && under && member
    }

    fn says_the_same(&self, other: &Fact<'_>) -> bool {
        match (&self.value, &other.value) {
            (Value::Text(one), Value::Text(other)) => match self.weighed {
                Weighed::Exactly => one == other,
                Weighed::AsNames => same_name(one, other),
                Weighed::AsVersions => match (one.parse::<Version>(), other.parse::<Version>()) {
                    (Ok(one), Ok(other)) => one == other,
                    _ => one == other,
                },
            },
            (one, other) => one == other,
        }
    }
}

/// Subject of a fact: two facts with the same slot are equal, or one is the changed value of the
/// other.
type Slot = (&'static str, Option<CaseFolded>, Option<String>);

/// Returns the facts that differ between both sides, in pairs; one half is missing if only one side
/// states the fact. The pairs of one key stay together.
pub(super) fn between<'f, 'm>(
    old: &'f Facts<'m>,
    new: &'f Facts<'m>,
) -> Vec<(Option<&'f Fact<'m>>, Option<&'f Fact<'m>>)> {
    // Usually both sides state the same facts in the same order, and then no index is needed.
    let alike = old
        .list
        .iter()
        .zip(&new.list)
        .take_while(|(old, new)| old.is_about(new))
        .count();
    let changed = old
        .list
        .iter()
        .zip(&new.list)
        .take(alike)
        .filter(|(old, new)| !old.says_the_same(new));
    let mut pairs: Vec<_> = changed.map(|(old, new)| (Some(old), Some(new))).collect();
    let rest: BTreeMap<Slot, &Fact<'_>> = new.list[alike..]
        .iter()
        .map(|fact| (fact.slot(), fact))
        .collect();
    let mut met = BTreeSet::new();
    for fact in &old.list[alike..] {
        let slot = fact.slot();
        match rest.get(&slot).copied() {
            Some(partner) if !fact.says_the_same(partner) => {
                pairs.push((Some(fact), Some(partner)))
            }
            Some(_) => {}
            None => pairs.push((Some(fact), None)),
        }
        met.insert(slot);
    }
    for fact in &new.list[alike..] {
        if met.insert(fact.slot()) {
            pairs.push((None, Some(fact)));
        }
    }
    if pairs.is_empty() {
        return pairs;
    }
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    for fact in old.list.iter().chain(&new.list) {
        let rank = ranks.len();
        ranks.entry(fact.key).or_insert(rank);
    }
    pairs.sort_by_key(|(old, new)| old.or(*new).and_then(|fact| ranks.get(fact.key).copied()));
    pairs
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}
