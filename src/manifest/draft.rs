//! A manifest as far as it could be read, every value with its span. A value that is missing or
//! could not be read is `None` and has its finding already, so the checks skip it.

use std::fmt;

use super::lookup::NameSummary;
use super::*;
use crate::document::{Source, brief};

#[derive(Default)]
pub(super) struct Draft {
    pub(super) rollup: RollupDraft,
    pub(super) prerequisites: Vec<PrerequisiteDraft>,
    pub(super) steps: Vec<Step>,
    pub(super) payload: TableDraft,
    pub(super) names: NameSummary,
}

#[derive(Default)]
pub(super) struct RollupDraft {
    pub(super) kb: Option<Placed<Kb>>,
    pub(super) title: Option<Placed<String>>,
    pub(super) product: Option<Placed<String>>,
    pub(super) product_versions: Vec<Placed<String>>,
    pub(super) scope: Option<String>,
    pub(super) released: Option<Placed<String>>,
    pub(super) includes: Vec<Placed<Kb>>,
    pub(super) replaces: Vec<Placed<Kb>>,
    pub(super) requires: Vec<Placed<Requirement>>,
    pub(super) fixes: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) computer_restart: Option<ComputerRestart>,
    pub(super) registry_changes: Option<String>,
    pub(super) url: Option<String>,
    pub(super) revision: Option<Version>,
    pub(super) reviewed: Option<Placed<String>>,
    pub(super) lines: KeyLines,
}

pub(super) struct PrerequisiteDraft {
    pub(super) span: Span,
    pub(super) condition: Option<Condition>,
}

#[derive(Default)]
pub(super) struct TableDraft {
    /// `[payload]`, if there is one.
    pub(super) header: Option<Span>,
    pub(super) rows: Vec<RowDraft>,
    /// True if the name of a row could not be read.
    pub(super) has_nameless_row: bool,
    /// `[payload.sha256]`, if there is one.
    pub(super) pins_header: Option<Span>,
    /// `None` for a pin that could not be read.
    pub(super) pins: Vec<(Placed<PayloadPath>, Option<Digest>)>,
}

pub(super) struct RowDraft {
    pub(super) name: Placed<PayloadPath>,
    pub(super) size: Option<Placed<u64>>,
    pub(super) modified: Option<Placed<i64>>,
    pub(super) platform: Option<Placed<String>>,
    pub(super) version: Option<String>,
    pub(super) unused: Option<Placed<String>>,
    /// True if part of the row could not be read, so nothing is reported as missing from it.
    pub(super) unreadable: bool,
    /// True if a row above has the same name. This and all below are filled in by the checks of the
    /// file table.
    pub(super) is_repeated: bool,
    /// True if a step uses the file.
    pub(super) is_used: bool,
    pub(super) is_pinned: bool,
    /// Pin, if it could be read.
    pub(super) hash: Option<Digest>,
}

/// Names in the file table, for the comparison with other manifests.
#[derive(Default)]
pub(super) struct FileNames {
    /// Case-folded names of all rows.
    pub(super) listed: BTreeSet<CaseFolded>,
    /// Names of the rows that steps copy or run, in the document's order.
    pub(super) deployed: Vec<PayloadPath>,
}

impl<Id, T: fmt::Display> fmt::Display for Name<Id, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl<Id, T> Name<Id, T> {
    /// Returns a name that is not looked up yet.
    pub(super) fn new(name: Placed<T>, source: &Source) -> Self {
        Self {
            text: name.value,
            line: source.line(name.span.start),
            span: name.span,
            id: None,
        }
    }
}

impl Step {
    /// Returns the action's keyword, such as `uninstall`.
    pub fn keyword(&self) -> &'static str {
        self.verb.map_or("", Verb::keyword)
    }

    /// Returns the purpose of the step, for people; its id if it has none.
    pub(super) fn shown_title(&self) -> String {
        self.title.clone().unwrap_or_else(|| self.id.clone())
    }

    /// Returns the id in quotes, or `this step`, for a message about it. A long id is shortened,
    /// since there may be a message for each item of the step.
    pub(super) fn quoted_name(&self) -> String {
        match self.id.as_str() {
            "" => "this step".to_owned(),
            id => format!("`{}`", brief(id)),
        }
    }

    /// Returns the name of the step, for a sentence about another one.
    pub(super) fn reference(&self) -> String {
        match self.id.as_str() {
            "" => format!("the step on line {}", self.line),
            id => format!("the step `{id}`"),
        }
    }

    /// Returns the names of its items, each a member of one of its groups.
    pub(super) fn named_items(&self) -> impl Iterator<Item = &Name<ItemId>> {
        self.items.iter().flat_map(|members| &members.names)
    }

    /// Returns the items that it names.
    pub(super) fn item_ids(&self) -> impl Iterator<Item = ItemId> {
        self.named_items().filter_map(|name| name.id)
    }

    /// Returns the groups that it names as a whole.
    pub(super) fn group_ids(&self) -> impl Iterator<Item = GroupId> {
        self.groups.iter().filter_map(|group| group.id)
    }

    /// Returns the parameters that it gives to a procedure.
    pub(super) fn parameters_of(
        &self,
        procedure: ItemId,
    ) -> impl Iterator<Item = (&String, &Placed<String>)> {
        let given = self.parameters.iter();
        given
            .filter(move |given| given.procedure.id == Some(procedure))
            .flat_map(|given| &given.values)
    }

    /// Returns whether the step may select items that could not be read.
    pub(super) fn hides_targets(&self) -> bool {
        self.unreadable.targets
            || (self.verb.is_none() && self.service.is_none() && self.files.is_empty())
    }

    /// Returns whether the step may name a service that could not be read.
    pub(super) fn hides_service(&self) -> bool {
        let names_items =
            !self.items.is_empty() || !self.groups.is_empty() || self.removed_by.is_some();
        self.unreadable.service || (self.verb.is_none() && !names_items && self.files.is_empty())
    }

    /// Returns whether the step is for some servers only.
    pub(super) fn is_narrowed(&self) -> bool {
        self.on.is_some() || self.platform.is_some() || self.within.is_some()
    }

    /// Returns the step whose `on` and `platform` apply to the step, among all steps: the one in which
    /// it is nested, or itself.
    pub(super) fn outer<'s>(&'s self, steps: &'s [Step]) -> &'s Step {
        self.within.map_or(self, |within| &steps[within.0])
    }

    /// Returns the servers that the step is narrowed to by its own keys, as a text that can be
    /// compared.
    pub(super) fn servers(&self) -> String {
        let role = self.on.as_ref().map_or("", |on| &on.text);
        let platform = self.platform.as_ref().map_or("", |on| &on.value);
        format!(
            "{}@{}",
            CaseFolded::of(role).as_str(),
            CaseFolded::of(platform).as_str()
        )
    }
}

impl Draft {
    /// Returns the servers that a step is narrowed to, as a text that can be compared.
    pub(super) fn servers(&self, step: &Step) -> String {
        step.outer(&self.steps).servers()
    }

    /// Returns the manifest, or `None` if something is missing.
    pub(super) fn finish(self, source: &Source) -> Option<Manifest> {
        let prerequisites = self.prerequisites.into_iter().map(|prerequisite| {
            Some(Prerequisite {
                line: source.line(prerequisite.span.start),
                condition: prerequisite.condition?,
            })
        });
        Some(Manifest {
            rollup: self.rollup.finish()?,
            prerequisites: prerequisites.collect::<Option<_>>()?,
            steps: self.steps,
            payload: self.payload.header.clone().unwrap_or_default(),
            files: self.payload.finish(source),
        })
    }

    /// Returns the file table, as far as it could be read.
    pub(super) fn file_table(self, source: &Source) -> FileTable<'static> {
        let span = self.payload.header.clone().unwrap_or_default();
        FileTable::new(self.payload.finish(source).into(), span, &self.steps)
    }

    /// Returns the names in the file table, as far as they could be read.
    pub(super) fn file_names(self, source: &Source) -> FileNames {
        let table = self.file_table(source);
        let mut names = FileNames::default();
        for row in table.rows.iter() {
            let case_folded = row.name.case_folded();
            let is_deployed = table.deployed.contains(&case_folded);
            if names.listed.insert(case_folded) && is_deployed {
                names.deployed.push(row.name.clone());
            }
        }
        names
    }
}

/// Entry of `requires`, `replaces` or `includes`.
pub(super) struct RelationEntry<'d> {
    pub(super) key: &'static str,
    pub(super) kb: Kb,
    pub(super) span: &'d Span,
}

impl RollupDraft {
    /// Returns the entries of all three lists.
    pub(super) fn relations(&self) -> impl Iterator<Item = RelationEntry<'_>> {
        let requires = self
            .requires
            .iter()
            .map(|required| ("requires", required.value.kb, &required.span));
        let replaces = self.replaces.iter().map(|kb| ("replaces", kb));
        let includes = self.includes.iter().map(|kb| ("includes", kb));
        requires
            .chain(
                replaces
                    .chain(includes)
                    .map(|(key, kb)| (key, kb.value, &kb.span)),
            )
            .map(|(key, kb, span)| RelationEntry { key, kb, span })
    }

    /// Returns the included rollups, except itself.
    pub(super) fn other_includes(&self) -> impl Iterator<Item = &Placed<Kb>> {
        let own = self.kb.as_ref().map(|kb| kb.value);
        self.includes.iter().filter(move |kb| Some(kb.value) != own)
    }

    /// Returns the article's revision; 1.0 if the manifest has none.
    pub(super) fn revision(&self) -> Version {
        self.revision
            .clone()
            .unwrap_or_else(|| "1.0".parse().expect("numbers joined by dots"))
    }

    fn finish(self) -> Option<Rollup> {
        let revision = self.revision();
        Some(Rollup {
            kb: self.kb?.value,
            revision,
            title: self.title?.value,
            product: self.product?.value,
            product_versions: values(self.product_versions),
            scope: self.scope,
            released: self.released.map(|day| day.value),
            url: self.url,
            reviewed: self.reviewed.map(|day| day.value),
            includes: values(self.includes),
            replaces: values(self.replaces),
            requires: values(self.requires),
            fixes: self.fixes,
            notes: self.notes,
            computer_restart: self.computer_restart,
            registry_changes: self.registry_changes,
            lines: self.lines,
        })
    }
}

impl TableDraft {
    fn finish(self, source: &Source) -> Vec<PayloadFile> {
        let row = |row: RowDraft| PayloadFile {
            sha256: row.hash,
            line: source.line(row.name.span.start),
            span: row.name.span,
            name: row.name.value,
            size: row.size.map(|size| size.value),
            modified: row.modified.map(|modified| modified.value),
            platform: row.platform.map(|platform| platform.value),
            version: row.version,
            unused: row.unused.map(|unused| unused.value),
        };
        self.rows.into_iter().map(row).collect()
    }
}

pub(super) fn values<T>(list: Vec<Placed<T>>) -> Vec<T> {
    list.into_iter().map(|entry| entry.value).collect()
}
