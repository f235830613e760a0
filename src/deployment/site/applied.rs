//! Applied rollups: the records in `applied/`, one for each rollup, and what follows from their
//! relations.
//!
//! Nothing that follows is stored: which rollups are superseded, what is included through others,
//! and what a rollup lacks are computed from all records at hand.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item};

use super::records::{LONGEST_RECORD, RecordError, SCHEMA, parse_record};
use crate::deployment::disk::tree::{DiskError, FileKind, Tree, path};
use crate::names::{Digest, FileName, Kb, RelPath, Requirement, Version};

/// Directory of the records, at the root of the deployment.
pub const APPLIED: &str = "applied";

/// Record of an applied rollup, `applied/KB952076.toml`: its relations, and what it brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedRecord {
    schema: u32,
    /// KB number or id, which is also the name of the file.
    #[serde(alias = "id")]
    pub kb: Kb,
    /// Article revision; unknown for a rollup that was applied by hand and recorded by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Version>,
    /// Title, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// SHA-256 of the meaning of its manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// Rollups that it includes by its own manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<Kb>,
    /// Rollups that it replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Kb>,
    /// Rollups that it requires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// True if it was applied by hand, so that nothing is known of what it brought.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
    /// Servers that it covered, by role, for every role of its steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub servers: BTreeMap<String, BTreeSet<FileName>>,
    /// Items and procedures, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<String, Brought>,
    /// Files of the installer share, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub share: BTreeMap<FileName, Brought>,
    /// Programs, by role and name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, BTreeMap<String, Brought>>,
    /// Copied files, by role and by path below `Files`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, BTreeMap<RelPath, Brought>>,
    /// Services, by role and name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, BTreeMap<String, Brought>>,
}

/// State in which a rollup left an item, procedure, program, file or service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brought {
    /// ProductVersion of an installed item or program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// SHA-256 of the installer of an item or program, or of a copied file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// True for a procedure that ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub procedure: bool,
    /// True for an item that was removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// For a service: whether it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// For a service: whether it may be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Servers on which it is so, if not on all that the rollup covered: a step can be narrowed by
    /// platform, and an item is restored only where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<BTreeSet<FileName>>,
}

impl AppliedRecord {
    /// Returns the record of a rollup that brought nothing that is known.
    pub fn new(kb: Kb) -> Self {
        Self {
            schema: SCHEMA,
            kb,
            revision: None,
            title: None,
            manifest: None,
            includes: Vec::new(),
            replaces: Vec::new(),
            requires: Vec::new(),
            by_hand: false,
            servers: BTreeMap::new(),
            items: BTreeMap::new(),
            share: BTreeMap::new(),
            programs: BTreeMap::new(),
            files: BTreeMap::new(),
            services: BTreeMap::new(),
        }
    }

    /// Returns the path of the record of a rollup, below the deployment.
    pub fn path(kb: Kb) -> RelPath {
        RelPath::parse(&format!("{APPLIED}/{kb}.toml")).expect("plain names")
    }

    /// Returns the rollup whose record has this path, if it is the path of one.
    pub fn rollup_at(path: &RelPath) -> Option<Kb> {
        let mut parts = path.parts();
        let (directory, file) = (parts.next()?, parts.next()?);
        let is_record = parts.next().is_none() && crate::names::same_name(directory, APPLIED);
        let kb = file.strip_suffix(".toml")?.parse().ok()?;
        is_record.then_some(kb)
    }

    /// Reads a record. `kb` is the rollup that the name of its file states.
    ///
    /// # Errors
    ///
    /// The text is not a record of that rollup.
    pub fn parse(kb: Kb, text: &str) -> Result<Self, RecordError> {
        let record: Self = parse_record(text)?;
        match record.kb == kb {
            true => Ok(record),
            false => Err(RecordError::NotARecord(format!(
                "it is the record of {}, not of {kb}",
                record.kb
            ))),
        }
    }

    /// Formats the record as the text of its file: a line for everything that it brought.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string(self).expect("a record is a table");
        let text = text.replacen("\nkb = ", &format!("\n{} = ", self.kb.key()), 1);
        let mut document: DocumentMut = text.parse().expect("a written document");
        for key in ["items", "share"] {
            entries_inline(document.get_mut(key));
        }
        for key in ["programs", "files", "services"] {
            let Some(roles) = document.get_mut(key).and_then(Item::as_table_mut) else {
                continue;
            };
            roles.set_implicit(true);
            roles
                .iter_mut()
                .for_each(|(_, role)| entries_inline(Some(role)));
        }
        document.to_string()
    }
}

/// Makes every entry of a table one line.
fn entries_inline(table: Option<&mut Item>) {
    let Some(table) = table.and_then(Item::as_table_mut) else {
        return;
    };
    for (mut key, entry) in table.iter_mut() {
        key.fmt();
        entry.make_value();
    }
}

/// Applied rollups of a deployment: those with a record, and those that `deployment.toml` lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedRollups {
    records: BTreeMap<Kb, AppliedRecord>,
    /// Rollups that only `deployment.toml` lists, oldest first. Nothing else is known of them.
    listed: Vec<Kb>,
}

/// Requirement that is not met, with the rollup that has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct LackingRollup {
    /// Rollup that has the requirement.
    #[serde(rename = "kb")]
    pub rollup: Kb,
    /// The requirement.
    pub requires: Requirement,
}

impl std::fmt::Display for LackingRollup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} requires {}", self.rollup, self.requires)
    }
}

impl AppliedRollups {
    /// Returns the applied rollups with these records; `listed` are those of `deployment.toml`,
    /// which count only without a record.
    pub fn new(records: impl IntoIterator<Item = AppliedRecord>, listed: &[Kb]) -> Self {
        let records: BTreeMap<Kb, AppliedRecord> = records
            .into_iter()
            .map(|record| (record.kb, record))
            .collect();
        let mut seen = BTreeSet::new();
        let listed = listed.iter().copied();
        let listed = listed.filter(|kb| !records.contains_key(kb) && seen.insert(*kb));
        let listed = listed.collect();
        Self { records, listed }
    }

    /// Reads the records, and returns the faults of those that cannot be used. `listed` are the
    /// rollups of `deployment.toml`. Other files beside the records are unmanaged.
    ///
    /// # Errors
    ///
    /// The directory or a file cannot be read.
    pub fn read(
        tree: &Tree,
        listed: &[Kb],
    ) -> Result<(Self, Vec<(RelPath, RecordError)>), DiskError> {
        let mut records = Vec::new();
        let mut faults = Vec::new();
        let directories = tree.top()?.into_iter().filter(|(name, kind)| {
            crate::names::same_name(name, APPLIED) && *kind == FileKind::Directory
        });
        for (directory, _) in directories {
            let directory = path(&directory);
            for (name, kind) in tree.names(&directory)? {
                let file = directory.join(&name).expect("a name found in a directory");
                let Some(kb) = AppliedRecord::rollup_at(&file) else {
                    continue;
                };
                // The plan refuses a link or a directory at this path, if it matters.
                if kind != FileKind::File {
                    continue;
                }
                let text = tree.text(&file, LONGEST_RECORD)?.unwrap_or_default();
                match AppliedRecord::parse(kb, &text) {
                    Ok(record) => records.push(record),
                    Err(fault) => faults.push((file, fault)),
                }
            }
        }
        Ok((Self::new(records, listed), faults))
    }

    /// Returns the same with one record more, or another one of the same rollup.
    pub fn with(&self, record: AppliedRecord) -> Self {
        let mut after = self.clone();
        after.listed.retain(|kb| *kb != record.kb);
        after.records.insert(record.kb, record);
        after
    }

    /// Returns all rollups, superseded ones included: the listed ones first, then those with a
    /// record, by number.
    pub fn all(&self) -> impl Iterator<Item = Kb> + '_ {
        self.listed
            .iter()
            .copied()
            .chain(self.records.keys().copied())
    }

    /// Returns the records, by number.
    pub fn records(&self) -> impl Iterator<Item = &AppliedRecord> {
        self.records.values()
    }

    /// Returns the record of a rollup.
    pub fn record(&self, kb: Kb) -> Option<&AppliedRecord> {
        self.records.get(&kb)
    }

    /// Returns whether a rollup is applied or superseded.
    pub fn contains(&self, kb: Kb) -> bool {
        self.records.contains_key(&kb) || self.listed.contains(&kb)
    }

    /// Returns the rollups that are in effect: neither included nor replaced by another one.
    pub fn in_effect(&self) -> impl Iterator<Item = Kb> + '_ {
        self.all().filter(|&kb| self.superseded_by(kb).is_none())
    }

    /// Returns everything that a rollup includes, by its record and by those of what it includes.
    pub fn included_in(&self, kb: Kb) -> BTreeSet<Kb> {
        let mut included = BTreeSet::new();
        let mut next = vec![kb];
        while let Some(one) = next.pop() {
            let inside = self.records.get(&one).into_iter().flat_map(|r| &r.includes);
            next.extend(inside.copied().filter(|&inner| included.insert(inner)));
        }
        included.remove(&kb);
        included
    }

    /// Returns the rollup that superseded this one: it includes or replaces it, or what did so. One
    /// that includes it is preferred.
    pub fn superseded_by(&self, kb: Kb) -> Option<Kb> {
        let mut by = self.directly_superseded_by(kb)?;
        let mut seen = BTreeSet::from([kb, by]);
        while let Some(next) = self.directly_superseded_by(by) {
            if !seen.insert(next) {
                break;
            }
            by = next;
        }
        Some(by)
    }

    fn directly_superseded_by(&self, kb: Kb) -> Option<Kb> {
        let others = || self.records.values().filter(|other| other.kb != kb);
        let including = others().find(|other| self.included_in(other.kb).contains(&kb));
        let by = including.or_else(|| others().find(|other| other.replaces.contains(&kb)))?;
        Some(by.kb)
    }

    /// Returns whether a requirement is met: the rollup is in effect in the revision, or one in
    /// effect includes it.
    pub fn provides(&self, requirement: &Requirement) -> bool {
        let Requirement { kb, revision } = requirement;
        let is_recent = || match (revision, self.record(*kb)) {
            (None, _) => true,
            (Some(least), Some(record)) => record.revision.as_ref().is_some_and(|now| now >= least),
            (Some(_), None) => false,
        };
        self.in_effect().any(|one| {
            one == *kb && is_recent() || one != *kb && self.included_in(one).contains(kb)
        })
    }

    /// Returns the requirements of the rollups in effect that are not met.
    pub fn lacking(&self) -> Vec<LackingRollup> {
        self.unmet(|kb| self.superseded_by(kb).is_none())
    }

    /// Returns the requirements that are met here, but not in `after`, of the rollups that `after`
    /// has in effect; of all that it has, if `superseded` ones may come back into effect.
    pub fn lost_in(&self, after: &Self, superseded: Superseded) -> Vec<LackingRollup> {
        let counts = |kb| superseded == Superseded::Count || after.superseded_by(kb).is_none();
        let mut lost = after.unmet(counts);
        lost.retain(|lacking| self.contains(lacking.rollup) && self.provides(&lacking.requires));
        lost
    }

    fn unmet(&self, counts: impl Fn(Kb) -> bool) -> Vec<LackingRollup> {
        let all = self.records.values().filter(|record| counts(record.kb));
        all.flat_map(|record| record.requires.iter().map(|requires| (record.kb, requires)))
            .filter(|(_, requires)| !self.provides(requires))
            .map(|(rollup, requires)| LackingRollup {
                rollup,
                requires: requires.clone(),
            })
            .collect()
    }
}

/// Choice whether the requirements of superseded rollups count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Superseded {
    /// They count: what superseded them may be undone.
    Count,
    /// They do not.
    Ignore,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kb(number: u32) -> Kb {
        number.to_string().parse().expect("a number")
    }

    fn record(number: u32, includes: &[u32], replaces: &[u32], requires: &[&str]) -> AppliedRecord {
        AppliedRecord {
            revision: Some("1.0".parse().expect("a revision")),
            includes: includes.iter().copied().map(kb).collect(),
            replaces: replaces.iter().copied().map(kb).collect(),
            requires: requires
                .iter()
                .map(|text| text.parse().expect("a requirement"))
                .collect(),
            ..AppliedRecord::new(kb(number))
        }
    }

    fn provides(applied: &AppliedRollups, requirement: &str) -> bool {
        applied.provides(&requirement.parse().expect("a requirement"))
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let name = |name: &str| FileName::parse(name).expect("a name");
        let installed = Brought {
            version: Some("4.0.300".parse().expect("a version")),
            sha256: Some(Digest::of(b"x")),
            ..Brought::default()
        };
        let removed = Brought {
            removed: true,
            servers: Some([name("WEB 1")].into()),
            ..Brought::default()
        };
        let ran = Brought {
            procedure: true,
            ..Brought::default()
        };
        let copied = Brought {
            sha256: Some(Digest::of(b"y")),
            ..Brought::default()
        };
        let service = Brought {
            running: Some(true),
            enabled: Some(false),
            ..Brought::default()
        };
        let role = "web \"a\"".to_owned();
        let path = RelPath::parse("Tools/a b.exe").expect("a path");
        let full = AppliedRecord {
            title: Some("A \"title\"".to_owned()),
            manifest: Some(Digest::of(b"")),
            servers: [(role.clone(), [name("WEB 1")].into())].into(),
            items: [
                ("A.b".to_owned(), installed.clone()),
                ("C".to_owned(), removed),
                ("D".to_owned(), ran),
            ]
            .into(),
            share: [(name("a.msi"), copied.clone())].into(),
            programs: [(role.clone(), [("P".to_owned(), installed)].into())].into(),
            files: [(role.clone(), [(path, copied)].into())].into(),
            services: [(role, [("S".to_owned(), service)].into())].into(),
            ..record(3, &[1], &[2], &["KB4 >= 1.5"])
        };
        let text = full.to_toml();
        assert_eq!(
            AppliedRecord::parse(kb(3), &text).expect("its own text"),
            full,
            "{text}"
        );
        assert!(text.contains("\nD = { procedure = true }\n"), "{text}");
        assert!(AppliedRecord::parse(kb(4), &text).is_err());
    }

    #[test]
    fn inclusion_is_transitive_and_replacement_is_not_presence() {
        let applied = AppliedRollups::new(
            [
                record(1, &[9], &[], &[]),
                record(2, &[1], &[], &[]),
                record(3, &[], &[4], &[]),
            ],
            &[kb(4), kb(5), kb(1)],
        );
        let in_effect: Vec<Kb> = applied.in_effect().collect();
        assert_eq!(in_effect, [kb(5), kb(2), kb(3)]);
        assert!(provides(&applied, "KB9") && provides(&applied, "KB1 >= 7.0"));
        assert!(!provides(&applied, "KB4") && !provides(&applied, "KB5 >= 1.0"));
        assert!(provides(&applied, "KB2 >= 1.0") && !provides(&applied, "KB2 >= 1.1"));
        assert_eq!(applied.superseded_by(kb(9)), Some(kb(2)));
    }

    #[test]
    fn a_lost_requirement_is_one_that_was_met_before() {
        let before = AppliedRollups::new(
            [record(1, &[], &[], &[]), record(2, &[], &[], &["KB1"])],
            &[],
        );
        let after = before.with(record(3, &[2], &[1], &[]));
        assert_eq!(before.lost_in(&after, Superseded::Ignore), []);
        let lost = before.lost_in(&after, Superseded::Count);
        assert_eq!(lost[0].to_string(), "KB2 requires KB1");
        let without = AppliedRollups::new([record(2, &[], &[], &["KB1"])], &[]);
        assert_eq!(before.lost_in(&without, Superseded::Ignore).len(), 1);
        assert_eq!(without.lost_in(&without, Superseded::Count), []);
    }
}
