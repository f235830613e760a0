//! A manifest as far as it could be read, every value with its span. A value that is missing or
//! could not be read is `None` and has its finding already, so the checks skip it.

use std::collections::BTreeMap;

use super::known::{ResolutionSummary, ResolvedNames};
use super::*;
use crate::document::{Placed, Reader, Source, Span, brief};

#[derive(Default)]
pub(super) struct Draft {
    pub(super) rollup: RollupDraft,
    pub(super) prerequisites: Vec<PrerequisiteDraft>,
    pub(super) steps: Vec<StepDraft>,
    pub(super) payload: TableDraft,
    pub(super) resolved: ResolutionSummary,
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
    pub(super) url: Option<String>,
    pub(super) revision: Option<Version>,
    pub(super) reviewed: Option<Placed<String>>,
    pub(super) lines: KeyLines,
}

pub(super) struct PrerequisiteDraft {
    pub(super) span: Span,
    pub(super) condition: Option<ConditionDraft>,
}

pub(super) enum ConditionDraft {
    Product {
        product: Placed<String>,
        service_pack: u32,
        on: Option<Placed<String>>,
    },
    Item {
        item: Placed<String>,
    },
    Confirm {
        id: Placed<String>,
        question: String,
    },
}

/// Action of a step, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Uninstall,
    Install,
    Copy,
    Run,
    Initialize,
    Service(ServiceVerb),
    Manual,
}

/// Name as the author wrote it.
pub(super) type Named = Placed<String>;

/// Items by their groups.
pub(super) type GroupMembers = Vec<(Named, Vec<Named>)>;

/// Answers by procedure and name, each with the span of its name.
pub(super) type ProcedureAnswers = Vec<(Placed<String>, BTreeMap<String, Placed<String>>)>;

/// Step with every key that any action has; keys that its action does not have were reported while
/// reading.
pub(super) struct StepDraft {
    pub(super) header: Span,
    pub(super) lines: KeyLines,
    pub(super) id: Option<Placed<String>>,
    pub(super) title: Option<String>,
    pub(super) verb: Option<Verb>,
    pub(super) items: GroupMembers,
    pub(super) groups: Vec<Placed<String>>,
    pub(super) removed_by: Option<Placed<String>>,
    pub(super) files: Vec<Placed<FileName>>,
    pub(super) others: Option<Span>,
    /// Files that `others` resolves to; filled in by the checks of the file table.
    pub(super) other_names: Vec<FileName>,
    pub(super) to: Option<CopyDestination>,
    pub(super) parameters: ProcedureAnswers,
    pub(super) service: Option<Placed<String>>,
    pub(super) on: Option<Placed<String>>,
    pub(super) platform: Option<Placed<String>>,
    pub(super) instructions: Option<String>,
    pub(super) undo: Option<String>,
    pub(super) optional: bool,
    pub(super) unreadable: UnreadableParts,
    /// Filled in before the checks of the steps.
    pub(super) resolved: ResolvedNames,
}

/// Parts of a step that could not be read. A check reports nothing that these parts could refute.
#[derive(Default)]
pub(super) struct UnreadableParts {
    /// Items, groups or `removed_by`, or their servers.
    pub(super) targets: bool,
    /// Name of a file.
    pub(super) files: bool,
    /// Service, or its servers.
    pub(super) service: bool,
    pub(super) undo: bool,
}

pub(super) enum CopyDestination {
    Share,
    Files,
    Directory(RelPath),
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
    pub(super) pins: Vec<(Placed<FileName>, Option<Digest>)>,
}

pub(super) struct RowDraft {
    pub(super) name: Placed<FileName>,
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
pub(super) struct FileNames {
    /// Case-folded names of all rows.
    pub(super) listed: BTreeSet<CaseFolded>,
    /// Names of the rows that steps copy or run, in the document's order.
    pub(super) deployed: Vec<FileName>,
}

impl StepDraft {
    /// Returns the span of a finding about the whole step: its id, else its header.
    pub(super) fn span(&self) -> Span {
        self.id
            .as_ref()
            .map_or_else(|| self.header.clone(), |id| id.span.clone())
    }

    /// Returns the id in quotes, or `this step`, for a message about it. A long id is shortened,
    /// since there may be a message for each item of the step.
    pub(super) fn quoted_name(&self) -> String {
        self.id.as_ref().map_or_else(
            || "this step".to_owned(),
            |id| format!("`{}`", brief(&id.value)),
        )
    }

    /// Returns whether the step may select items that could not be read.
    pub(super) fn hides_targets(&self) -> bool {
        self.unreadable.targets
            || (self.verb.is_none() && self.service.is_none() && self.files.is_empty())
    }

    /// Returns whether the step may name a service that could not be read.
    pub(super) fn hides_service(&self) -> bool {
        self.unreadable.service
            || (self.verb.is_none() && !self.names_items() && self.files.is_empty())
    }

    fn names_items(&self) -> bool {
        !self.items.is_empty() || !self.groups.is_empty() || self.removed_by.is_some()
    }
}

/// Returns the name of another step, for a sentence about this one.
pub(super) fn step_reference(reader: &Reader<'_>, step: &StepDraft) -> String {
    match &step.id {
        Some(id) => format!("the step `{}`", id.value),
        None => format!("the step on line {}", reader.source.line(step.header.start)),
    }
}

/// Returns the servers that a step is narrowed to, as a text that can be compared.
pub(super) fn servers_of(step: &StepDraft) -> String {
    let text = |name: &Option<Named>| {
        let name = name.as_ref().map(|name| CaseFolded::of(&name.value));
        name.map_or_else(String::new, |name| name.as_str().to_owned())
    };
    format!("{}@{}", text(&step.on), text(&step.platform))
}

impl Draft {
    /// Returns the manifest, or `None` if something is missing.
    pub(super) fn finish(self, source: &Source) -> Option<Manifest> {
        let line = |span: &Span| source.line(span.start);
        let rollup = self.rollup.finish()?;
        let prerequisites = self.prerequisites.into_iter().map(|prerequisite| {
            let line = line(&prerequisite.span);
            Some(Prerequisite {
                line,
                condition: prerequisite.condition?.finish(),
            })
        });
        let steps = self.steps.into_iter().map(|step| {
            let line = line(&step.header);
            step.finish(line, source)
        });
        Some(Manifest {
            rollup,
            prerequisites: prerequisites.collect::<Option<_>>()?,
            steps: steps.collect::<Option<_>>()?,
            payload: self.payload.header.clone().unwrap_or_default(),
            files: self.payload.finish(source),
            digest: Digest::of(source.text().as_bytes()),
        })
    }

    /// Returns the file table, as far as it could be read.
    pub(super) fn file_table(self, source: &Source) -> FileTable<'static> {
        let files_of = |verb| {
            let steps = self
                .steps
                .iter()
                .filter(move |step| step.verb == Some(verb));
            let files = steps.flat_map(|step| {
                let files = step.files.iter().map(|file| &file.value);
                files.chain(&step.other_names)
            });
            files.map(FileName::case_folded)
        };
        let run: BTreeSet<_> = files_of(Verb::Run).collect();
        let deployed = files_of(Verb::Copy).chain(run.iter().cloned()).collect();
        FileTable {
            span: self.payload.header.clone().unwrap_or_default(),
            rows: self.payload.finish(source).into(),
            deployed,
            run,
        }
    }

    /// Returns the names in the file table, as far as they could be read.
    pub(super) fn file_names(self, source: &Source) -> FileNames {
        let FileTable {
            rows,
            deployed: deployed_names,
            ..
        } = self.file_table(source);
        let mut listed = BTreeSet::new();
        let mut deployed = Vec::new();
        for row in rows.iter() {
            let case_folded = row.name.case_folded();
            let is_deployed = deployed_names.contains(&case_folded);
            if listed.insert(case_folded) && is_deployed {
                deployed.push(row.name.clone());
            }
        }
        FileNames { listed, deployed }
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
        let requires = self.requires.iter();
        let requires = requires.map(|required| ("requires", required.value.kb, &required.span));
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
            lines: self.lines,
        })
    }
}

impl ConditionDraft {
    fn finish(self) -> Condition {
        match self {
            Self::Product {
                product,
                service_pack,
                on,
            } => Condition::Product {
                product: product.value,
                service_pack,
                on: on.map(|on| on.value),
            },
            Self::Item { item } => Condition::Item { item: item.value },
            Self::Confirm { id, question } => Condition::Confirm {
                id: id.value,
                question,
            },
        }
    }
}

impl StepDraft {
    fn finish(mut self, line: u32, source: &Source) -> Option<Step> {
        let id = self.id.take()?.value;
        Some(Step {
            title: self.title.take().unwrap_or_else(|| id.clone()),
            id,
            line,
            lines: std::mem::take(&mut self.lines),
            action: self.action(source)?,
        })
    }

    fn action(self, source: &Source) -> Option<Action> {
        let on = self.servers();
        Some(match self.verb? {
            Verb::Uninstall => Action::Uninstall(self.selection(source)),
            Verb::Install => Action::Install(match &self.removed_by {
                Some(step) => InstallTargets::RemovedBy {
                    step: step.value.clone(),
                    line: source.line(step.span.start),
                },
                None => InstallTargets::Chosen(self.selection(source)),
            }),
            Verb::Copy => {
                let to = match self.to? {
                    CopyDestination::Share => CopyTarget::Share,
                    CopyDestination::Files => CopyTarget::Servers {
                        on: on?,
                        directory: None,
                    },
                    CopyDestination::Directory(directory) => CopyTarget::Servers {
                        on: on?,
                        directory: Some(directory),
                    },
                };
                let others = self.others.is_some();
                let files = match self.others {
                    Some(span) => {
                        let line = source.line(span.start);
                        let names = self.other_names.iter().map(ToString::to_string);
                        names.map(|name| Listed { name, line }).collect()
                    }
                    None => listed(&self.files, source),
                };
                Action::Copy { files, others, to }
            }
            Verb::Run => Action::Run {
                files: listed(&self.files, source),
                on: on?,
            },
            Verb::Initialize => {
                let items = self.selection(source);
                let values = |given: BTreeMap<String, Placed<String>>| {
                    given
                        .into_iter()
                        .map(|(name, value)| (name, value.value))
                        .collect()
                };
                let parameters = self.parameters.into_iter();
                let parameters =
                    parameters.map(|(procedure, given)| (procedure.value, values(given)));
                Action::Initialize {
                    items,
                    parameters: parameters.collect(),
                }
            }
            Verb::Service(verb) => {
                let platform = self.free_platform();
                Action::Service {
                    verb,
                    service: self.service?.value,
                    on,
                    platform,
                }
            }
            Verb::Manual => Action::Manual {
                instructions: self.instructions?,
                undo: self.undo,
                optional: self.optional,
                on,
            },
        })
    }

    fn servers(&self) -> Option<Servers> {
        self.on.as_ref().map(|on| Servers {
            role: on.value.clone(),
            platform: self.platform(),
        })
    }

    fn platform(&self) -> Option<String> {
        self.platform
            .as_ref()
            .map(|platform| platform.value.clone())
    }

    /// Returns the platform, unless the step also names a role.
    fn free_platform(&self) -> Option<String> {
        self.platform().filter(|_| self.on.is_none())
    }

    fn selection(&self, source: &Source) -> Selection {
        let members = |(group, names): &(Placed<String>, Vec<Placed<String>>)| GroupItems {
            group: listed_name(group, source),
            names: listed(names, source),
        };
        Selection {
            items: self.items.iter().map(members).collect(),
            groups: listed(&self.groups, source),
            on: self.servers(),
            platform: self.free_platform(),
        }
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

fn values<T>(list: Vec<Placed<T>>) -> Vec<T> {
    list.into_iter().map(|entry| entry.value).collect()
}

fn listed_name(name: &Placed<impl ToString>, source: &Source) -> Listed {
    Listed {
        name: name.value.to_string(),
        line: source.line(name.span.start),
    }
}

fn listed(names: &[Placed<impl ToString>], source: &Source) -> Vec<Listed> {
    names.iter().map(|name| listed_name(name, source)).collect()
}
