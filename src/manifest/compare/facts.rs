//! Facts that a part of a manifest states, and the comparison of the facts of two sides.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::FactValue;
use crate::manifest::{KeyLines, Listed};
use crate::names::{CaseFolded, Kb, Requirement, Version, same_name};

/// Single statement of a manifest.
#[derive(Debug)]
pub(super) struct Fact<'m> {
    key: &'static str,
    /// Free key below `key`, such as the group of `items`; case does not count.
    under: Option<&'m str>,
    /// Identity among the values of the key, if the key has more than one.
    member: Option<FactMember<'m>>,
    equality: Equality,
    /// True for a default that the manifest does not state: a difference from it counts, but it is
    /// not reported as written.
    implied: bool,
    pub(super) value: FactValue,
    /// Line in the manifest, from 1.
    pub(super) line: Option<u32>,
}

/// Identity of one of several values of a key.
#[derive(Debug, Clone, Copy)]
enum FactMember<'m> {
    /// Name; case does not count.
    Name(&'m str),
    /// Text; case counts.
    Text(&'m str),
    Rollup(Kb),
    /// Free key with a value of its own; case counts.
    Key(&'m str),
}

/// Rule by which two values are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Equality {
    /// Case counts.
    Exactly,
    /// Case does not count.
    AsNames,
    /// Compared number by number.
    AsVersions,
    /// Rollups whose minimum revisions are compared number by number.
    AsRequirements,
}

/// Facts of one part, in the order in which they are reported.
#[derive(Debug)]
pub(super) struct Facts<'m> {
    list: Vec<Fact<'m>>,
    lines: Option<&'m KeyLines>,
    /// Line of the whole part, for facts without a line of their own.
    line: Option<u32>,
}

impl<'m> Facts<'m> {
    /// Creates an empty list of facts whose keys are on these lines.
    pub(super) fn with_lines(lines: &'m KeyLines, line: Option<u32>) -> Self {
        Self {
            list: Vec::new(),
            lines: Some(lines),
            line,
        }
    }

    /// Creates an empty list of facts that all count as on this line.
    pub(super) fn on_line(line: u32) -> Self {
        Self {
            list: Vec::new(),
            lines: None,
            line: Some(line),
        }
    }

    /// Adds a value, if there is one.
    pub(super) fn add(
        &mut self,
        key: &'static str,
        value: Option<impl Into<FactValue>>,
        equality: Equality,
    ) {
        if let Some(value) = value {
            self.push(key, value.into(), equality, false);
        }
    }

    /// Adds a value that a key also has without being stated; `implied` if the manifest does not
    /// state it.
    pub(super) fn add_default(
        &mut self,
        key: &'static str,
        value: impl Into<FactValue>,
        implied: bool,
        equality: Equality,
    ) {
        self.push(key, value.into(), equality, implied);
    }

    /// Adds texts whose order does not count.
    pub(super) fn texts(&mut self, key: &'static str, texts: &'m [String]) {
        for text in texts {
            self.member(
                key,
                None,
                FactMember::Text(text),
                Equality::Exactly,
                FactValue::Text(text.clone()),
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
                FactMember::Rollup(*kb),
                Equality::Exactly,
                FactValue::Text(kb.to_string()),
                None,
            );
        }
    }

    /// Adds required rollups whose order does not count.
    pub(super) fn requirements(&mut self, key: &'static str, requirements: &[Requirement]) {
        for requirement in requirements {
            self.member(
                key,
                None,
                FactMember::Rollup(requirement.kb),
                Equality::AsRequirements,
                FactValue::Text(requirement.to_string()),
                None,
            );
        }
    }

    /// Adds names, maybe below a free key.
    pub(super) fn names(
        &mut self,
        key: &'static str,
        under: Option<&'m str>,
        names: &'m [Listed],
        equality: Equality,
    ) {
        for Listed { name, line } in names {
            self.member(
                key,
                under,
                FactMember::Name(name),
                equality,
                FactValue::Text(name.clone()),
                Some(*line),
            );
        }
    }

    /// Adds a name that is on this line.
    pub(super) fn name(&mut self, key: &'static str, name: &'m str, line: u32, equality: Equality) {
        self.member(
            key,
            None,
            FactMember::Name(name),
            equality,
            FactValue::Text(name.to_owned()),
            Some(line),
        );
    }

    /// Adds the text of a free key that is below another free key.
    pub(super) fn entry(&mut self, key: &'static str, under: &'m str, name: &'m str, text: &str) {
        self.member(
            key,
            Some(under),
            FactMember::Key(name),
            Equality::Exactly,
            FactValue::Text(text.to_owned()),
            None,
        );
    }

    fn push(&mut self, key: &'static str, value: FactValue, equality: Equality, implied: bool) {
        let line = self.line_of(key);
        self.list.push(Fact {
            key,
            under: None,
            member: None,
            equality,
            implied,
            value,
            line,
        });
    }

    fn member(
        &mut self,
        key: &'static str,
        under: Option<&'m str>,
        member: FactMember<'m>,
        equality: Equality,
        value: FactValue,
        line: Option<u32>,
    ) {
        let line = line.or_else(|| self.line_of(key));
        self.list.push(Fact {
            key,
            under,
            member: Some(member),
            equality,
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

    /// Returns all stated values by their keys; several values of one key are a list.
    pub(super) fn whole(&self) -> Vec<(String, FactValue)> {
        let mut whole: Vec<(String, FactValue)> = Vec::new();
        for fact in self.list.iter().filter(|fact| !fact.implied) {
            let value = fact.value.clone();
            let several = matches!(
                fact.member,
                Some(FactMember::Name(_) | FactMember::Text(_) | FactMember::Rollup(_))
            );
            match whole.last_mut() {
                Some((key, FactValue::List(values))) if several && *key == fact.path() => {
                    values.push(value)
                }
                _ if several => whole.push((fact.path(), FactValue::List(vec![value]))),
                _ => whole.push((fact.path(), value)),
            }
        }
        whole
    }
}

impl Fact<'_> {
    /// Returns the key as a manifest spells it, with the free keys below it.
    pub(super) fn path(&self) -> String {
        let mut path = self.key.to_owned();
        let last = match self.member {
            Some(FactMember::Key(key)) => Some(key),
            _ => None,
        };
        for part in self.under.into_iter().chain(last) {
            path.push('.');
            path.push_str(&toml::Value::String(part.to_owned()).to_string());
        }
        path
    }

    fn fact_key(&self) -> FactKey {
        let member = self.member.map(|member| match member {
            FactMember::Name(name) => CaseFolded::of(name).as_str().to_owned(),
            FactMember::Text(text) | FactMember::Key(text) => text.to_owned(),
            FactMember::Rollup(kb) => kb.to_string(),
        });
        (self.key, self.under.map(CaseFolded::of), member)
    }

    /// Returns whether both facts have the same `fact_key`, without building it.
    fn has_same_key(&self, other: &Fact<'_>) -> bool {
        let under = match (self.under, other.under) {
            (Some(one), Some(other)) => same_name(one, other),
            (one, other) => one == other,
        };
        let member = match (self.member, other.member) {
            (None, None) => true,
            (Some(FactMember::Name(one)), Some(FactMember::Name(other))) => same_name(one, other),
            (Some(FactMember::Text(one)), Some(FactMember::Text(other))) => one == other,
            (Some(FactMember::Key(one)), Some(FactMember::Key(other))) => one == other,
            (Some(FactMember::Rollup(one)), Some(FactMember::Rollup(other))) => one == other,
            _ => false,
        };
        self.key == other.key && under && member
    }

    fn has_equal_value(&self, other: &Fact<'_>) -> bool {
        match (&self.value, &other.value) {
            (FactValue::Text(one), FactValue::Text(other)) => match self.equality {
                Equality::Exactly => one == other,
                Equality::AsNames => same_name(one, other),
                Equality::AsVersions => equal_when_parsed::<Version>(one, other),
                Equality::AsRequirements => equal_when_parsed::<Requirement>(one, other),
            },
            (one, other) => one == other,
        }
    }
}

/// Returns whether two texts mean the same value; texts that mean none are compared as they are.
fn equal_when_parsed<T: FromStr + PartialEq>(one: &str, other: &str) -> bool {
    match (one.parse::<T>(), other.parse::<T>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Identity of a fact: of two facts with the same key, both are equal or one is the changed value
/// of the other.
type FactKey = (&'static str, Option<CaseFolded>, Option<String>);

/// Returns the facts that differ between both sides, in pairs; one half is missing if only one side
/// has the fact. The pairs of one key stay together.
pub(super) fn between<'f, 'm>(
    old: &'f Facts<'m>,
    new: &'f Facts<'m>,
) -> Vec<(Option<&'f Fact<'m>>, Option<&'f Fact<'m>>)> {
    // Usually both sides have the same facts in the same order, and then no index is needed.
    let alike = old
        .list
        .iter()
        .zip(&new.list)
        .take_while(|(old, new)| old.has_same_key(new))
        .count();
    let changed = old
        .list
        .iter()
        .zip(&new.list)
        .take(alike)
        .filter(|(old, new)| !old.has_equal_value(new));
    let mut pairs: Vec<_> = changed.map(|(old, new)| (Some(old), Some(new))).collect();
    let rest: BTreeMap<FactKey, &Fact<'_>> = new.list[alike..]
        .iter()
        .map(|fact| (fact.fact_key(), fact))
        .collect();
    let mut seen = BTreeSet::new();
    for fact in &old.list[alike..] {
        let fact_key = fact.fact_key();
        match rest.get(&fact_key).copied() {
            Some(partner) if !fact.has_equal_value(partner) => {
                pairs.push((Some(fact), Some(partner)))
            }
            Some(_) => {}
            None => pairs.push((Some(fact), None)),
        }
        seen.insert(fact_key);
    }
    for fact in &new.list[alike..] {
        if seen.insert(fact.fact_key()) {
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

impl From<&str> for FactValue {
    fn from(text: &str) -> Self {
        FactValue::Text(text.to_owned())
    }
}

impl From<String> for FactValue {
    fn from(text: String) -> Self {
        FactValue::Text(text)
    }
}

impl From<u64> for FactValue {
    fn from(number: u64) -> Self {
        FactValue::Number(number)
    }
}

impl From<bool> for FactValue {
    fn from(flag: bool) -> Self {
        FactValue::Flag(flag)
    }
}
