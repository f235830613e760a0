//! Meaning of a manifest: its values by their keys.
//!
//! The parsed manifest is serialized, so that a new field belongs to its meaning by itself, and each
//! value gets a key that does not depend on its position: a step its id, a row its name, a member of
//! a list itself. Layout, the order of lists and the case of names are therefore not part of the
//! meaning; the order of the steps is, and that of the packages that a step runs. Two manifests have
//! the same digest if and only if their comparison finds no difference, because both use these keys.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::shapes::ARTICLE;
use super::*;
use crate::names::same_name;

/// Table of a manifest, in the document's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
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

/// Keys of tables whose values are names that are looked up without regard to case.
const NAME_KEYS: &[&str] = &[
    "groups",
    "id",
    "item",
    "items",
    "on",
    "platform",
    "product",
    "removed_by",
    "service",
    "steps",
];

/// Keys of prerequisites whose value may be a range, which is one value.
const RANGE_KEYS: &[&str] = &["service_pack", "version"];

/// All entries of a manifest: its tables, and each prerequisite, step and row.
pub(super) type Entries = BTreeMap<EntryId, ManifestEntry>;

/// Table of an entry, and its identity among the entries of the table.
pub(super) type EntryId = (ManifestTable, String);

/// Table of a manifest, or one of several. Only what counts for the comparison is serialized.
#[derive(Serialize)]
pub(super) struct ManifestEntry {
    table: ManifestTable,
    /// All values by their keys, and for a step the one before it.
    #[serde(skip)]
    pub(super) whole: Fact,
    /// Values by their keys, and by themselves if they are members of a list.
    pub(super) facts: BTreeMap<String, Fact>,
    /// Names whose order counts: all steps, or the packages of a step.
    pub(super) order: Vec<Fact>,
}

/// Value that a manifest states, or all values of an entry.
#[derive(Serialize)]
pub(super) struct Fact {
    /// Key as a manifest spells it, with the free keys below it.
    #[serde(skip)]
    pub(super) key: String,
    /// Value as a manifest spells it.
    #[serde(skip)]
    pub(super) value: Value,
    #[serde(skip)]
    pub(super) line: Option<u32>,
    /// The same text for all spellings of the value.
    pub(super) canonical: String,
}

impl Manifest {
    /// Returns the SHA-256 of what the manifest says: it is the same for two manifests if and only
    /// if `compare` finds no difference.
    pub fn meaning(&self) -> Digest {
        let entries: Vec<_> = entries(self).into_iter().collect();
        let json = serde_json::to_vec(&entries).expect("entries are JSON");
        Digest::of(&json)
    }
}

/// Returns the meaning of a manifest.
pub(super) fn entries(manifest: &Manifest) -> Entries {
    let Manifest {
        rollup,
        prerequisites,
        steps,
        files,
        payload: _,
    } = manifest;
    let mut of_rollup = object(rollup);
    if let Some(kb) = of_rollup.remove("kb") {
        of_rollup.insert(rollup.kb.key().to_owned(), kb);
    }
    let (article, identity) = of_rollup
        .into_iter()
        .partition(|(key, _)| ARTICLE.key(key).is_some());
    let mut all = vec![
        ManifestEntry::new(ManifestTable::Rollup, identity, &rollup.lines, None),
        ManifestEntry::new(ManifestTable::Article, article, &rollup.lines, None),
    ];
    let no_lines = KeyLines::new();
    for one in prerequisites {
        let (table, line) = (ManifestTable::Prerequisites, Some(one.line));
        all.push(ManifestEntry::new(table, object(one), &no_lines, line));
    }
    let mut run = ManifestEntry::new(ManifestTable::Steps, Map::new(), &no_lines, None);
    for step in steps {
        let mut entry = step_entry(step);
        if let Some(before) = run.order.last() {
            entry.whole.value["after"] = before.value.clone();
        }
        run.order.push(ordered("order", &step.id, step.line));
        all.push(entry);
    }
    all.push(run);
    for row in files {
        let (table, line) = (ManifestTable::Payload, Some(row.line));
        all.push(ManifestEntry::new(table, row_values(row), &no_lines, line));
    }
    keyed(all)
}

fn step_entry(step: &Step) -> ManifestEntry {
    let mut values = object(step);
    // The default of a title is the id.
    let title = step.title.as_ref();
    if title.is_some_and(|title| same_name(title, &step.id)) {
        values.remove("title");
    }
    let mut entry = ManifestEntry::new(ManifestTable::Steps, values, &step.lines, Some(step.line));
    // The entry is reported by its id.
    if let Some(whole) = entry.whole.value.as_object_mut() {
        whole.remove("id");
    }
    if step.verb == Some(Verb::Run) {
        for file in &step.files {
            let name = file.text.as_str();
            entry.order.push(ordered("files", name, file.line));
        }
    }
    entry
}

/// Returns the values of a row, with the time as a manifest spells it.
fn row_values(row: &PayloadFile) -> Map<String, Value> {
    let mut values = object(row);
    if let Some(Ok(modified)) = row.modified.map(Timestamp::from_second) {
        values.insert("modified".to_owned(), modified.to_string().into());
    }
    if row.platform.is_none() {
        values.insert("platform".to_owned(), "x86".into());
    }
    values
}

/// Returns a name whose position counts.
fn ordered(key: &str, name: &str, line: u32) -> Fact {
    Fact {
        key: key.to_owned(),
        value: name.into(),
        line: Some(line),
        canonical: CaseFolded::of(name).as_str().to_owned(),
    }
}

/// Returns the entries by what they are about. Prerequisites about the same product are counted, in
/// an order that does not depend on the document.
fn keyed(mut all: Vec<ManifestEntry>) -> Entries {
    all.sort_by_cached_key(ManifestEntry::content);
    let mut entries = Entries::new();
    for entry in all {
        let mut id = (entry.table, String::new());
        if let Some(subject) = entry.subject() {
            let name = CaseFolded::of(&subject.canonical);
            id.1 = format!("{} {}", subject.key, name.as_str());
        }
        while entries.contains_key(&id) {
            id.1.push('+');
        }
        entries.insert(id, entry);
    }
    entries
}

/// Returns a table with its keys as JSON.
fn object(table: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(table) {
        Ok(Value::Object(values)) => values,
        other => unreachable!("a table is an object, not {other:?}"),
    }
}

impl ManifestEntry {
    /// Returns the entry with these values. A key without a line of its own has that of the entry.
    fn new(
        table: ManifestTable,
        values: Map<String, Value>,
        lines: &KeyLines,
        line: Option<u32>,
    ) -> Self {
        let key = match table {
            ManifestTable::Prerequisites => "prerequisite",
            ManifestTable::Steps => "step",
            _ => "file",
        };
        let mut entry = Self {
            table,
            whole: Fact {
                key: key.to_owned(),
                value: Value::Object(Map::new()),
                line,
                canonical: String::new(),
            },
            facts: BTreeMap::new(),
            order: Vec::new(),
        };
        for (key, value) in values {
            if !value.is_null() {
                let line = lines.get(key.as_str()).copied().or(line);
                entry.whole.value[&key] = entry.add(&key, &key, "", value, line);
            }
        }
        entry
    }

    /// Adds the value of a key, or each value if it is a list or a table of free keys, and returns
    /// it without the lines of its members. `path` is the key with the free keys below it, `name`
    /// the last free key.
    fn add(&mut self, key: &str, path: &str, name: &str, value: Value, line: Option<u32>) -> Value {
        match value {
            Value::Object(below) if !RANGE_KEYS.contains(&key) => {
                let mut values = Map::new();
                for (name, value) in below {
                    let path = format!("{path}.{}", toml::Value::String(name.clone()));
                    let value = self.add(key, &path, &name, value, line);
                    values.insert(name, value);
                }
                Value::Object(values)
            }
            Value::Array(members) => {
                let mut values = Vec::new();
                for member in members {
                    let line = member["line"].as_u64().map(|line| line as u32).or(line);
                    let value = member.get("name").unwrap_or(&member).clone();
                    let fact = self.fact(key, path, value.clone(), line);
                    self.insert(member_identity(key, &fact), fact);
                    values.push(value);
                }
                Value::Array(values)
            }
            value => {
                // The name of a parameter is not looked up, so its case counts.
                let fact = self.fact(key, path, value.clone(), line);
                self.insert(name.to_owned(), fact);
                value
            }
        }
    }

    /// Adds a value with an identity among those of its key.
    fn insert(&mut self, identity: String, fact: Fact) {
        let path = CaseFolded::of(&fact.key);
        let id = format!("{}={identity}", path.as_str());
        self.facts.insert(id, fact);
    }

    fn fact(&self, key: &str, path: &str, value: Value, line: Option<u32>) -> Fact {
        Fact {
            key: path.to_owned(),
            canonical: canonical(self.table, key, &value),
            value,
            line,
        }
    }

    /// Returns the value by which the entry is identified and reported, if its table has several.
    fn subject(&self) -> Option<&Fact> {
        let is_subject = |key: &str| matches!(key, "id" | "name" | "product" | "item");
        let subject = self.facts.values().find(|fact| is_subject(&fact.key));
        subject.filter(|_| self.table > ManifestTable::Article)
    }

    /// Returns the name of the entry for people.
    pub(super) fn name(&self) -> Option<&str> {
        self.subject()?.value.as_str()
    }

    /// Returns what counts for the comparison.
    fn content(&self) -> String {
        serde_json::to_string(self).expect("an entry is JSON")
    }
}

/// Returns the same text for all spellings of a value.
fn canonical(table: ManifestTable, key: &str, value: &Value) -> String {
    // A range, or an alternative of a prerequisite.
    if let Value::Object(values) = value {
        let values = values
            .iter()
            .map(|(key, value)| (key, canonical(table, key, value)));
        return Value::from_iter(values).to_string();
    }
    let text = value.as_str().map_or(value.to_string(), str::to_owned);
    match key {
        "revision" | "requires" => numbers(&text),
        "version" | "min" | "max"
            if table == ManifestTable::Prerequisites && text.parse::<Version>().is_ok() =>
        {
            numbers(&text)
        }
        _ if table != ManifestTable::Rollup && NAME_KEYS.contains(&key) => {
            CaseFolded::of(&text).as_str().to_owned()
        }
        _ => text,
    }
}

/// Returns numbers joined by dots in one spelling: `1.0` is the same version as `1`.
fn numbers(text: &str) -> String {
    let numbers = text
        .split(['.', ' '])
        .map(|number| number.trim_start_matches('0'));
    numbers
        .collect::<Vec<_>>()
        .join(".")
        .trim_end_matches('.')
        .to_owned()
}

/// Returns the same text for all spellings of a condition.
pub(super) fn canonical_condition(condition: &SiteCondition) -> String {
    let values = Value::Object(object(condition));
    canonical(ManifestTable::Prerequisites, "any", &values)
}

/// Returns the identity of a member of a list: another value is the changed value of the same member
/// if it has the same identity.
fn member_identity(key: &str, fact: &Fact) -> String {
    match key {
        // Looked up without regard to case, but a new file gets the spelling of the list.
        "files" => CaseFolded::of(&fact.canonical).as_str().to_owned(),
        // The minimum revision may change.
        "requires" => fact.canonical.split('.').take(1).collect(),
        _ => fact.canonical.clone(),
    }
}

/// Serializes a name by its text alone.
pub(super) fn text<Id, S: Serializer>(name: &Name<Id>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&name.text)
}

/// Serializes a name by its text alone, if there is one.
pub(super) fn text_or_none<Id, S: Serializer>(
    name: &Option<Name<Id>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    name.as_ref().map(|name| &name.text).serialize(serializer)
}

/// Serializes items as `items."GROUP" = [names]`.
pub(super) fn names_by_group<S: Serializer>(
    items: &[GroupItems],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(items.iter().map(|of| (&of.group.text, &of.names)))
}

/// Serializes parameters as `parameters."PROCEDURE" = { name = "text" }`.
pub(super) fn values_by_procedure<S: Serializer>(
    parameters: &[ProcedureParameters],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(parameters.iter().map(|of| (&of.procedure.text, &of.values)))
}

/// Serializes a directory below `Files`, which may be `Files` itself.
pub(super) fn directory_or_dot<S: Serializer>(
    directory: &Option<RelPath>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(directory.as_ref().map_or(".", RelPath::as_str))
}
