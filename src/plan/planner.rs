//! Walk over the manifest that makes a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::applicability::{self, Applicability};
use super::prerequisites::confirmations;
use super::refusal::{Reason, ReasonKind, Refusal};
use super::requirements::{self, Absences};
use super::resolve::Resolver;
use super::world::World;
use super::{
    AppliedChange, Entry, ExpectedState, NewEntry, Plan, PlannedRollup, PlannedStep, SCHEMA,
    Source, SourceAt, Subject, Swap, digest_of,
};
use crate::deployment::description::{Instance, ServerId, ServiceId};
use crate::deployment::records::{ItemRecord, ServiceRecord};
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::path;
use crate::document::{Code, Severity};
use crate::installer::Contents;
use crate::manifest::{Manifest, PayloadFile};
use crate::names::{CaseFolded, Digest, FileName, RelPath};
use crate::payload::{PayloadFacts, compare};

/// Choices of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Choice whether the install of a group also includes what was never installed.
    pub include_missing: IncludeMissing,
    /// Choice whether an applied rollup is applied again.
    pub reapply: Reapply,
    /// Choice whether an older product version may replace a newer one.
    pub downgrade: Downgrade,
}

/// Treatment of members of a group that were not installed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeMissing {
    /// They are listed and left out.
    #[default]
    No,
    /// They are installed too, as the article literally demands.
    Yes,
}

/// Treatment of a rollup that is applied already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reapply {
    /// Nothing is done.
    #[default]
    No,
    /// All its steps are done again.
    Yes,
}

/// Treatment of an older version that would replace a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Downgrade {
    /// It is refused.
    #[default]
    Refuse,
    /// It is done.
    Allow,
}

/// Result of planning.
#[derive(Debug, Clone)]
pub enum Planned {
    /// There is something to do.
    Plan(Box<Plan>),
    /// There is nothing to do.
    Nothing(Nothing),
}

/// Reason why there is nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nothing {
    /// Reason in words.
    pub why: String,
    /// Further note to the operator.
    pub note: Option<String>,
}

/// Makes the plan of a manifest for a deployment.
///
/// Without payload facts it is a preview: it has neither digest nor expected state, and no swaps.
///
/// # Errors
///
/// All reasons why the rollup cannot be applied, at once.
pub fn plan(
    manifest: &Manifest,
    snapshot: &Snapshot,
    payload: Option<&PayloadFacts>,
    options: Options,
) -> Result<Planned, Refusal> {
    let mut reasons = unusable(snapshot);
    match applicability::applicability(manifest, snapshot, options.reapply) {
        Applicability::Nothing(nothing) if reasons.is_empty() => {
            return Ok(Planned::Nothing(nothing));
        }
        Applicability::Nothing(_) | Applicability::Apply => {}
        Applicability::Refused(refused) => {
            // If the rollup must not be applied at all, what it lacks besides is of no interest.
            let lacks_only = refused
                .iter()
                .all(|reason| reason.kind == ReasonKind::NotReady);
            reasons.extend(refused);
            if !lacks_only {
                Refusal::unless_empty(reasons.clone())?;
            }
        }
    }
    let mut planner = Planner::new(manifest, snapshot, payload, options);
    planner.reasons = reasons;
    planner.prerequisites();
    if let Some(payload) = payload {
        planner.payload(payload);
    }
    let steps = manifest
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| planner.step(at, step))
        .collect();
    planner
        .finish(steps)
        .map(|plan| Planned::Plan(Box::new(plan)))
}

/// Returns the reasons that make any plan impossible.
fn unusable(snapshot: &Snapshot) -> Vec<Reason> {
    let fault = |(file, why): &(RelPath, String)| {
        let message = format!("`{file}` cannot be used: {why}");
        let help = "mend it by hand, or put it back from a backup";
        Reason::new(ReasonKind::Invalid, message).help(help)
    };
    let mut reasons: Vec<_> = snapshot.faults.iter().map(fault).collect();
    // The plan may be the very one that is staged.
    if let Some(open) = snapshot
        .past
        .open
        .as_ref()
        .filter(|open| open.staged.is_none())
    {
        let message = format!("run {} is {}", open.name, open.state);
        reasons.push(Reason::new(ReasonKind::NotReady, message));
    }
    reasons
}

/// File of the share as it is at some step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) at: SourceAt,
    pub(super) size: u64,
    pub(super) sha256: Digest,
}

/// Knowledge about an installer of the share at some step.
pub(super) enum Package<'a> {
    Known(&'a Contents, Shared),
    /// There is no payload to look into.
    Unknown,
    Missing,
    Unusable(String),
}

/// New object for a live path, before it becomes a swap.
pub(super) struct Put {
    pub(super) live: RelPath,
    pub(super) new: Vec<NewEntry>,
    pub(super) unmanaged: Vec<RelPath>,
}

pub(super) struct Planner<'a> {
    pub(super) manifest: &'a Manifest,
    /// The rows of the file table, by folded name.
    pub(super) rows: BTreeMap<CaseFolded, &'a PayloadFile>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) payload: Option<&'a PayloadFacts>,
    pub(super) options: Options,
    pub(super) resolver: Resolver<'a>,
    pub(super) world: World<'a>,
    pub(super) reasons: Vec<Reason>,
    pub(super) warnings: Vec<String>,
    /// Items as the plan left them so far; all others are as in the snapshot.
    pub(super) items: BTreeMap<Instance, ItemRecord>,
    pub(super) programs: BTreeMap<CaseFolded, ItemRecord>,
    pub(super) services: BTreeMap<(ServiceId, ServerId), ServiceRecord>,
    /// Files of the share that a step replaced; `None` without a payload to read the new one from.
    pub(super) share: BTreeMap<CaseFolded, Option<Shared>>,
    pub(super) removed_by: BTreeMap<CaseFolded, Vec<Instance>>,
    pub(super) absences: Absences,
    pub(super) procedures_run: BTreeSet<Instance>,
    pub(super) puts: Vec<Put>,
    /// Directories to which packages were installed in this step.
    pub(super) laid_down: BTreeSet<RelPath>,
    sources: Vec<Source>,
    source_of: BTreeMap<SourceAt, usize>,
    pub(super) swaps: Vec<Swap>,
    /// Live paths whose surroundings were inspected already.
    pub(super) inspected: BTreeSet<CaseFolded>,
}

impl<'a> Planner<'a> {
    fn new(
        manifest: &'a Manifest,
        snapshot: &'a Snapshot,
        payload: Option<&'a PayloadFacts>,
        options: Options,
    ) -> Self {
        Self {
            manifest,
            rows: manifest.rows(),
            snapshot,
            payload,
            options,
            resolver: Resolver::new(&snapshot.description),
            world: World::new(snapshot),
            reasons: Vec::new(),
            warnings: Vec::new(),
            items: BTreeMap::new(),
            programs: BTreeMap::new(),
            services: BTreeMap::new(),
            share: BTreeMap::new(),
            removed_by: BTreeMap::new(),
            absences: BTreeMap::new(),
            procedures_run: BTreeSet::new(),
            puts: Vec::new(),
            laid_down: BTreeSet::new(),
            sources: Vec::new(),
            source_of: BTreeMap::new(),
            swaps: Vec::new(),
            inspected: BTreeSet::new(),
        }
    }

    pub(super) fn refuse(
        &mut self,
        kind: ReasonKind,
        message: impl Into<String>,
        help: Option<&str>,
    ) {
        self.reasons.push(Reason {
            kind,
            message: message.into(),
            help: help.map(str::to_owned),
        });
    }

    /// Returns the record of an item as it is at this step.
    pub(super) fn item_now(&self, instance: Instance) -> Option<&ItemRecord> {
        self.items
            .get(&instance)
            .or_else(|| self.snapshot.item(instance))
    }

    pub(super) fn installed_now(&self, instance: Instance) -> bool {
        self.item_now(instance)
            .is_some_and(|record| record.state.is_installed())
    }

    /// Returns what the share holds under this name at this step.
    pub(super) fn package(&self, name: &FileName) -> Package<'a> {
        let case_folded = name.case_folded();
        match self.share.get(&case_folded) {
            Some(None) => return Package::Unknown,
            Some(Some(shared)) => {
                let SourceAt::Payload { name } = &shared.at else {
                    return Package::Missing;
                };
                let fact = self
                    .payload
                    .and_then(|payload| payload.files.get(&name.case_folded()));
                return match fact.map(|fact| &fact.package) {
                    Some(Ok(contents)) => Package::Known(contents, shared.clone()),
                    Some(Err(fault)) => Package::Unusable(fault.why().to_owned()),
                    None => Package::Missing,
                };
            }
            None => {}
        }
        let Some(found) = self.snapshot.share_file(&case_folded) else {
            return Package::Missing;
        };
        match (
            self.snapshot.package(&case_folded),
            self.snapshot.facts(&found.path),
        ) {
            (Some(Ok(contents)), Some(facts)) => {
                let at = SourceAt::Share {
                    path: found.path.clone(),
                };
                Package::Known(
                    contents,
                    Shared {
                        at,
                        size: facts.size,
                        sha256: facts.sha256,
                    },
                )
            }
            (Some(Err(why)), _) => Package::Unusable(why.clone()),
            _ => Package::Missing,
        }
    }

    /// Returns the position of a source, and adds it if it is new.
    pub(super) fn source(&mut self, shared: &Shared) -> usize {
        if let Some(&at) = self.source_of.get(&shared.at) {
            return at;
        }
        let at = self.sources.len();
        self.source_of.insert(shared.at.clone(), at);
        let Shared {
            at: place,
            size,
            sha256,
        } = shared.clone();
        self.sources.push(Source {
            at: place,
            size,
            sha256,
            beside: Vec::new(),
        });
        at
    }

    /// Records which cabinets are beside an installer.
    pub(super) fn beside(&mut self, installer: usize, cabinets: Vec<usize>) {
        self.sources[installer].beside = cabinets;
    }

    /// Compares the payload. Errors in files that steps deploy refuse the plan; of the rest, only
    /// what affects this run becomes a warning.
    fn payload(&mut self, payload: &PayloadFacts) {
        let table = self.manifest.file_table();
        for difference in compare(&table, Some(&self.snapshot.description), payload) {
            match difference.level {
                Severity::Error => {
                    let reason = Reason::new(ReasonKind::Mismatch, difference.message);
                    self.reasons.push(Reason {
                        help: difference.help.map(str::to_owned),
                        ..reason
                    });
                }
                Severity::Warning if difference.code != Code::MissingFile => {
                    self.warnings.push(difference.message)
                }
                Severity::Warning | Severity::Note => {}
            }
        }
        let known = |row: &&PayloadFile| payload.files.contains_key(&row.name.case_folded());
        let deployed = table
            .rows
            .iter()
            .filter(|row| table.deployed.contains(&row.name.case_folded()));
        let unpinned = deployed
            .filter(|row| row.sha256.is_none())
            .filter(known)
            .count();
        if unpinned > 0 {
            let files = if unpinned == 1 {
                "file has"
            } else {
                "files have"
            };
            self.warnings.push(format!(
                "{unpinned} {files} no pinned SHA-256 in the manifest, so only name, size and product were compared"
            ));
        }
    }

    fn finish(mut self, steps: Vec<PlannedStep>) -> Result<Plan, Refusal> {
        let ids: Vec<&str> = self
            .manifest
            .steps
            .iter()
            .map(|step| step.id.as_str())
            .collect();
        let before = self.snapshot.applied();
        let after = applicability::applied_after(self.manifest, &before);
        let applied = AppliedChange {
            before: before.in_effect().map(|entry| entry.kb).collect(),
            after: after.in_effect().map(|entry| entry.kb).collect(),
        };
        self.put_text(&path("applied.toml"), after.to_toml());
        self.close_step(None);
        self.compare_level();
        self.refuse_clashes();
        let at_end = |instance| self.installed_now(instance);
        let end =
            requirements::check_end(self.snapshot, &self.absences, at_end, &self.procedures_run);
        self.reasons.extend(end);
        let came = self
            .items
            .iter()
            .filter(|(_, record)| record.state.is_installed())
            .map(|(&instance, _)| instance);
        let came = came.chain(self.procedures_run.iter().copied());
        let lacking =
            requirements::lacking(self.snapshot, came, |instance| self.installed_now(instance));
        self.warnings.extend(lacking);
        self.reasons.append(&mut self.resolver.reasons);
        let context = self.context();
        if let Some(reason) =
            super::bytes::too_much(&self.swaps, &self.sources, &context, self.snapshot.free)
        {
            self.reasons.push(reason);
        }
        Refusal::unless_empty(std::mem::take(&mut self.reasons))?;
        let rollup = &self.manifest.rollup;
        let mut plan = Plan {
            schema: SCHEMA,
            digest: None,
            subject: Subject::Rollup(PlannedRollup {
                kb: rollup.kb,
                revision: rollup.revision.clone(),
                title: rollup.title.clone(),
                manifest: self.manifest.digest,
                includes: rollup.includes.clone(),
                replaces: rollup.replaces.clone(),
            }),
            deployment: self.snapshot.description.name.clone(),
            applied,
            confirmations: confirmations(self.manifest),
            warnings: self.warnings,
            steps,
            outage: requirements::outage(self.snapshot, &self.absences, &ids),
            sources: self.sources,
            swaps: self.swaps,
            expected_state: None,
            context,
            checksum: None,
        };
        match self.payload {
            None => {
                // Without a payload the new objects are guesses.
                plan.swaps.clear();
                plan.sources.clear();
            }
            Some(_) => {
                plan.expected_state = Some(predict(&self.world, &plan.swaps));
                plan.bind();
            }
        }
        Ok(plan)
    }

    /// Warns about rollups that only `deployment.toml` lists: from the first run on, its `level` is
    /// only compared.
    fn compare_level(&mut self) {
        let Some(applied) = &self.snapshot.applied else {
            return;
        };
        for kb in &self.snapshot.description.applied {
            if !applied.rollups.iter().any(|entry| entry.kb == *kb) {
                self.warnings.push(format!(
                    "`deployment.toml` lists {kb} in `applied`, `applied.toml` does not; since the first run only \
                     `applied.toml` counts"
                ));
            }
        }
    }
}

fn predict(world: &World<'_>, swaps: &[Swap]) -> ExpectedState {
    let mut live: Vec<_> = swaps.iter().map(|swap| &swap.live).collect();
    live.sort();
    live.dedup();
    let mut entries: Vec<Entry> = live
        .into_iter()
        .flat_map(|live| world.object(live))
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup();
    ExpectedState {
        digest: digest_of(&entries),
        entries,
    }
}
