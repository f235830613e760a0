//! State of the planner while it works through the steps of a manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::brought::BroughtPlaces;
use super::lagging::CatchUp;
use super::options::Options;
use super::refusal::{Reason, ReasonKind};
use super::requirements::Absences;
use super::resolve::Resolver;
use super::simulated_tree::SimulatedTree;
use super::{NewEntry, PlanSource, SourceLocation, Swap};
use crate::deployment::description::{Instance, RoleId, ServerId, ServiceId};
use crate::deployment::records::{ItemRecord, ServiceRecord};
use crate::deployment::snapshot::Snapshot;
use crate::installer::Contents;
use crate::manifest::{Manifest, PayloadFile};
use crate::names::{CaseFolded, Digest, FileName, RelPath};
use crate::payload::PayloadFacts;

/// File that a step reads, as it is at that step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceFile {
    pub(super) at: SourceLocation,
    pub(super) size: u64,
    pub(super) sha256: Digest,
}

/// Installer in the share, as far as it is known at some step.
pub(super) enum Package<'a> {
    Known(&'a Contents, SourceFile),
    /// There is no payload to read it from.
    Unknown,
    Missing,
    Unusable(String),
}

/// New object for a live path, from which a swap is made.
pub(super) struct Placement {
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
    pub(super) tree: SimulatedTree<'a>,
    pub(super) reasons: Vec<Reason>,
    pub(super) warnings: Vec<String>,
    /// Items that the plan has changed so far; all others are as in the snapshot.
    pub(super) items: BTreeMap<Instance, ItemRecord>,
    pub(super) programs: BTreeMap<CaseFolded, ItemRecord>,
    pub(super) services: BTreeMap<(ServiceId, ServerId), ServiceRecord>,
    /// Files of the share that a step replaced; `None` without a payload to read the new one from.
    pub(super) share: BTreeMap<CaseFolded, Option<SourceFile>>,
    pub(super) removed_by: BTreeMap<CaseFolded, Vec<Instance>>,
    /// Targets of each step that uninstalls which were not installed.
    pub(super) absent_for: BTreeMap<CaseFolded, Vec<Instance>>,
    pub(super) brought: BroughtPlaces,
    /// Limits of a run that only catches up.
    pub(super) catch_up: Option<CatchUp>,
    pub(super) absences: Absences,
    pub(super) procedures_run: BTreeSet<Instance>,
    pub(super) placements: Vec<Placement>,
    /// Directories to which packages were installed in this step.
    pub(super) install_directories: BTreeSet<RelPath>,
    pub(super) sources: Vec<PlanSource>,
    source_of: BTreeMap<SourceLocation, usize>,
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
            tree: SimulatedTree::new(snapshot),
            reasons: Vec::new(),
            warnings: Vec::new(),
            items: BTreeMap::new(),
            programs: BTreeMap::new(),
            services: BTreeMap::new(),
            share: BTreeMap::new(),
            removed_by: BTreeMap::new(),
            absent_for: BTreeMap::new(),
            brought: BroughtPlaces::default(),
            catch_up: None,
            absences: BTreeMap::new(),
            procedures_run: BTreeSet::new(),
            placements: Vec::new(),
            install_directories: BTreeSet::new(),
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

    /// Returns whether the run may touch a place, on a server in a role or without one: one that only
    /// catches up leaves the others alone.
    pub(super) fn covers(&self, path: &RelPath, on: Option<(ServerId, RoleId)>) -> bool {
        let catch_up = self.catch_up.as_ref();
        catch_up.is_none_or(|catch_up| catch_up.covers(path, on))
    }

    /// Returns whether the run may touch an instance.
    pub(super) fn covers_instance(&self, instance: Instance) -> bool {
        let site = &self.snapshot.description;
        self.covers(&site.directory(instance), site.server_in_role(instance))
    }

    /// Returns whether service and manual steps in these roles apply to a server.
    pub(super) fn touches(&self, server: ServerId, roles: &[RoleId]) -> bool {
        let catch_up = self.catch_up.as_ref();
        catch_up.is_none_or(|catch_up| roles.iter().any(|role| catch_up.touches((server, *role))))
    }

    /// Returns whether an instance has to be installed though this run did not remove it: it lags, or
    /// its server does and an earlier run of the rollup removed it there.
    pub(super) fn is_lagging(&self, instance: Instance) -> bool {
        let site = &self.snapshot.description;
        let Some(catch_up) = &self.catch_up else {
            return false;
        };
        let kb = self.manifest.rollup.kb;
        let was_removed = || {
            let record = self.snapshot.item(instance);
            record.is_some_and(|record| record.kb == Some(kb) && !record.state.is_installed())
        };
        let is_brought = || {
            let name = site.items[instance.item.0].name.as_str();
            let record = self.snapshot.applied.record(kb);
            let brought = record.and_then(|record| record.items.get(name));
            brought.is_some_and(|brought| !brought.removed)
        };
        catch_up.is_lagging(&site.directory(instance))
            || catch_up.is_uncovered(site.server_in_role(instance)) && was_removed() && is_brought()
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

    /// Returns the installer of this name in the share at this step.
    pub(super) fn package(&self, name: &FileName) -> Package<'a> {
        let case_folded = name.case_folded();
        match self.share.get(&case_folded) {
            Some(None) => return Package::Unknown,
            Some(Some(source_file)) => {
                let SourceLocation::Payload { name } = &source_file.at else {
                    return Package::Missing;
                };
                let fact = self
                    .payload
                    .and_then(|payload| payload.files.get(&name.case_folded()));
                return match fact.map(|fact| &fact.package) {
                    Some(Ok(contents)) => Package::Known(contents, source_file.clone()),
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
                let at = SourceLocation::Share {
                    path: found.path.clone(),
                };
                Package::Known(
                    contents,
                    SourceFile {
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

    /// Returns the position of a source; adds it if it is new.
    pub(super) fn source(&mut self, source_file: &SourceFile) -> usize {
        if let Some(&at) = self.source_of.get(&source_file.at) {
            return at;
        }
        let at = self.sources.len();
        self.source_of.insert(source_file.at.clone(), at);
        let SourceFile {
            at: location,
            size,
            sha256,
        } = source_file.clone();
        self.sources.push(PlanSource {
            at: location,
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
