//! State of planning while the steps of a manifest are taken, one after another.

use std::collections::{BTreeMap, BTreeSet};

use super::options::Options;
use super::refusal::{Reason, ReasonKind};
use super::requirements::Absences;
use super::resolve::Resolver;
use super::world::World;
use super::{NewEntry, Source, SourceAt, Swap};
use crate::deployment::description::{Instance, ServerId, ServiceId};
use crate::deployment::records::{ItemRecord, ServiceRecord};
use crate::deployment::snapshot::Snapshot;
use crate::installer::Contents;
use crate::manifest::{Manifest, PayloadFile};
use crate::names::{CaseFolded, Digest, FileName, RelPath};
use crate::payload::PayloadFacts;

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
    pub(super) sources: Vec<Source>,
    source_of: BTreeMap<SourceAt, usize>,
    pub(super) swaps: Vec<Swap>,
    /// Live paths whose surroundings were inspected already.
    pub(super) inspected: BTreeSet<CaseFolded>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
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
}
