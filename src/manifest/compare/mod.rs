//! Differences between two manifests: a newer rollup and an older one, or two revisions of one.
//!
//! The values of both are compared key by key. The order of the steps, and that of the packages of a
//! step, is one difference each: entries that only one side has do not change it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::meaning::{Fact, ManifestEntry, entries};
use super::{Manifest, ManifestTable};
use crate::document::is_secret_name;

/// Value in place of a secret.
const SECRET: &str = "(secret)";

/// Begin of the keys of parameters.
const PARAMETERS: &str = "parameters.";

/// One difference between two manifests.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ManifestDifference {
    /// Table that it belongs to.
    pub table: ManifestTable,
    /// Name of the step, prerequisite or file, if the table has more than one.
    pub of: Option<String>,
    /// Key as a manifest spells it, such as `title` or `items."GROUP"`; `step`, `prerequisite` or
    /// `file` for a whole entry; `order` for the order of the steps.
    pub key: String,
    pub kind: ChangeKind,
    /// Old value, `null` if it was added: for a whole entry an object, for an order a list.
    pub old: Option<Value>,
    /// New value, `null` if it was removed.
    pub new: Option<Value>,
    /// Line in the old manifest, from 1.
    pub old_line: Option<u32>,
    /// Line in the new manifest, from 1.
    pub new_line: Option<u32>,
}

/// Kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Only the new manifest has it.
    Added,
    /// Only the old manifest has it.
    Removed,
    /// Both have it, with different values.
    Changed,
    /// Both have the same entries, in another order.
    Moved,
}

/// Returns the differences of `new` from `old`, table by table and in the order of the new manifest;
/// none if both mean the same.
pub fn compare(old: &Manifest, new: &Manifest) -> Vec<ManifestDifference> {
    let (old, new) = (entries(old), entries(new));
    let mut pairs = paired(&old, &new);
    pairs.sort_by_key(|(id, [old, new])| {
        let entry = new.or(*old);
        (id.0, entry.and_then(|entry| entry.whole.line))
    });
    let mut found = Vec::new();
    for (id, sides) in pairs {
        if let [Some(old), Some(new)] = sides {
            between(id.0, old, new, &mut found);
        } else {
            let name = sides.into_iter().flatten().find_map(ManifestEntry::name);
            let sides = sides.map(|entry| entry.map(|entry| &entry.whole));
            found.extend(difference(id.0, name, sides));
        }
    }
    found
}

/// Pairs the values that have the same key.
fn paired<'a, K: Ord, V>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> Vec<(&'a K, [Option<&'a V>; 2])> {
    let keys: BTreeSet<&K> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .map(|key| (key, [old.get(key), new.get(key)]))
        .collect()
}

/// Adds the differences between an entry of both sides.
fn between(
    table: ManifestTable,
    old: &ManifestEntry,
    new: &ManifestEntry,
    found: &mut Vec<ManifestDifference>,
) {
    let name = new.name();
    for (_, sides) in paired(&old.facts, &new.facts) {
        let [old, new] = sides.map(|fact| fact.map(|fact| &fact.canonical));
        if old != new {
            found.extend(difference(table, name, sides));
        }
    }
    if let Some([old, new]) = reordered(&old.order, &new.order) {
        let moved = difference(table, name, [Some(&old), Some(&new)]);
        found.extend(moved.map(|moved| ManifestDifference {
            kind: ChangeKind::Moved,
            ..moved
        }));
    }
}

/// Returns the difference between both sides, of which one may be missing.
fn difference(
    table: ManifestTable,
    of: Option<&str>,
    [old, new]: [Option<&Fact>; 2],
) -> Option<ManifestDifference> {
    let kind = match (old, new) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        _ => ChangeKind::Changed,
    };
    Some(ManifestDifference {
        table,
        of: of.map(str::to_owned),
        key: new.or(old)?.key.clone(),
        kind,
        old: old.map(shown_value),
        new: new.map(shown_value),
        old_line: old.and_then(|fact| fact.line),
        new_line: new.and_then(|fact| fact.line),
    })
}

/// Returns a value without the texts of parameters whose names say that they are secret.
fn shown_value(fact: &Fact) -> Value {
    let mut value = fact.value.clone();
    if let Some(parameters) = value.get_mut("parameters").and_then(Value::as_object_mut) {
        let procedures = parameters.values_mut().filter_map(Value::as_object_mut);
        for (name, value) in procedures.flatten() {
            if is_secret_name(name) {
                *value = SECRET.into();
            }
        }
    } else if fact.key.starts_with(PARAMETERS) && is_secret_name(&fact.key) {
        value = SECRET.into();
    }
    value
}

/// Returns the part of both lists in which the names that both have are in another order.
fn reordered(old: &[Fact], new: &[Fact]) -> Option<[Fact; 2]> {
    let [before, after] = [also_in(new, old), also_in(old, new)];
    let differs: Vec<bool> = before
        .iter()
        .zip(&after)
        .map(|(one, other)| one.canonical != other.canonical)
        .collect();
    let first = differs.iter().position(|differs| *differs)?;
    let last = differs.iter().rposition(|differs| *differs)?;
    Some([before, after].map(|names| {
        Fact {
            key: names[first].key.clone(),
            value: names[first..=last]
                .iter()
                .map(|name| name.value.clone())
                .collect(),
            line: names[first].line,
            canonical: String::new(),
        }
    }))
}

/// Returns the names of a list that another one also has.
fn also_in<'a>(other: &[Fact], list: &'a [Fact]) -> Vec<&'a Fact> {
    let names: BTreeSet<&String> = other.iter().map(|name| &name.canonical).collect();
    list.iter()
        .filter(|name| names.contains(&name.canonical))
        .collect()
}

#[cfg(test)]
mod tests;
