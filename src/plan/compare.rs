//! Comparison of two plans, value by value, so that every difference has a name.

use std::collections::{BTreeSet, HashSet};
use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde_json::Value;

use super::Plan;

/// Largest number of characters of a value that is printed.
const MAX_PRINTED: usize = 60;
/// Number of characters before the first difference of two texts that are printed.
const BEFORE_DIFFERENCE: usize = 20;

/// Value of a plan that is another one in a later plan.
#[derive(Debug)]
pub struct PlanDifference {
    /// Keys that lead to the value, such as `steps[copy].title`.
    pub key: String,
    change: ValueChange,
}

#[derive(Debug)]
enum ValueChange {
    Added(Value),
    Removed(Value),
    /// The value before, and now.
    Changed(Value, Value),
}

impl Display for PlanDifference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.change {
            ValueChange::Added(value) => {
                let value = excerpt(&value.to_string(), 0);
                write!(f, "`{key}` has {value} now, and did not before")
            }
            ValueChange::Removed(value) => {
                let value = excerpt(&value.to_string(), 0);
                write!(f, "`{key}` had {value}, and does not any more")
            }
            ValueChange::Changed(old, new) => {
                let (old, new) = (old.to_string(), new.to_string());
                let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b);
                let from = same.count().saturating_sub(BEFORE_DIFFERENCE);
                let (old, new) = (excerpt(&old, from), excerpt(&new, from));
                write!(f, "`{key}` was {old}, and now is {new}")
            }
        }
    }
}

/// Returns the characters of a text from a position on, as many as are printed.
fn excerpt(text: &str, from: usize) -> String {
    let mut excerpt: String = text.chars().skip(from).take(MAX_PRINTED).collect();
    if from > 0 {
        excerpt.insert(0, '…');
    }
    if text.chars().count() > from + MAX_PRINTED {
        excerpt.push('…');
    }
    excerpt
}

/// Returns the differences of what people approve, of an earlier and a later plan.
pub fn differences(old: &Plan, new: &Plan) -> Vec<PlanDifference> {
    let [old, new] = [old, new].map(|plan| value_of(&plan.approved()));
    differences_of_values(&old, &new)
}

/// Returns the differences of the rest of the console, of an earlier and a later plan.
pub fn differences_of_context(old: &Plan, new: &Plan) -> Vec<PlanDifference> {
    differences_of_values(&value_of(&old.context), &value_of(&new.context))
}

pub(super) fn value_of(part: &impl Serialize) -> Value {
    serde_json::to_value(part).expect("a plan can be written as JSON")
}

pub(super) fn differences_of_values(old: &Value, new: &Value) -> Vec<PlanDifference> {
    let mut found = Vec::new();
    compare("", old, new, &mut found);
    found
}

fn compare(key: &str, old: &Value, new: &Value, found: &mut Vec<PlanDifference>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for below in keys {
                let key = match key {
                    "" => below.clone(),
                    key => format!("{key}.{below}"),
                };
                match (old.get(below), new.get(below)) {
                    (Some(old), Some(new)) => compare(&key, old, new, found),
                    (old, new) => found.extend(difference(&key, old, new)),
                }
            }
        }
        (Value::Array(then), Value::Array(now)) if then.len() != now.len() => {
            let before = found.len();
            let [all_then, all_now] = [then, now].map(HashSet::<&Value>::from_iter);
            let removed = then.iter().filter(|value| !all_now.contains(value));
            let added = now.iter().filter(|value| !all_then.contains(value));
            found.extend(removed.filter_map(|value| difference(key, Some(value), None)));
            found.extend(added.filter_map(|value| difference(key, None, Some(value))));
            // One of the lists repeats a member.
            if found.len() == before {
                found.extend(difference(key, Some(old), Some(new)));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{key}[{}]", label(at, old, new)), old, new, found);
            }
        }
        _ => found.extend(difference(key, Some(old), Some(new))),
    }
}

/// Returns the difference of two values, if there is one.
fn difference(key: &str, old: Option<&Value>, new: Option<&Value>) -> Option<PlanDifference> {
    let change = match (old, new) {
        (None, Some(new)) => ValueChange::Added(new.clone()),
        (Some(old), None) => ValueChange::Removed(old.clone()),
        (Some(old), Some(new)) if old != new => ValueChange::Changed(old.clone(), new.clone()),
        _ => return None,
    };
    let key = key.to_owned();
    Some(PlanDifference { key, change })
}

/// Returns the name of a member of a list if both plans have the same, else its position from 0.
fn label(at: usize, old: &Value, new: &Value) -> String {
    let mut names = ["id", "name", "path", "at", "live", "instance"].into_iter();
    let name = names.find_map(|key| {
        let name = old.get(key)?.as_str()?;
        (new.get(key)?.as_str()? == name).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| at.to_string())
}
