//! Inputs of a plan, and the planner of one step.
//!
//! A step is planned from the state in which it finds the deployment, and returns a draft: its
//! operations, what they change, and the reasons to refuse it. It changes nothing itself, so the
//! same step can be planned at several states: on one server after another.

use super::SourceLocation;
use super::actions::StepDraft;
use super::lagging::CatchUp;
use super::options::Options;
use super::simulated_state::{SimulatedState, SourceFile};
use crate::deployment::description::{Description, Instance, RoleId, ServerId};
use crate::deployment::snapshot::Snapshot;
use crate::installer::Contents;
use crate::manifest::{BoundFile, BoundManifest, BoundStep};
use crate::names::{CaseFolded, FileName, Kb, PayloadPath, RelPath, Version};
use crate::payload::PayloadFacts;

/// Everything that a plan is made from; no step changes it.
pub(super) struct Inputs<'a> {
    pub(super) bound: &'a BoundManifest,
    pub(super) snapshot: &'a Snapshot,
    pub(super) payload: Option<&'a PayloadFacts>,
    pub(super) options: Options,
    /// Limits of a run that only catches up.
    pub(super) catch_up: Option<CatchUp>,
}

/// Planner of one step.
pub(super) struct StepPlanner<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    /// The deployment as the step finds it.
    pub(super) state: &'a SimulatedState<'a>,
    pub(super) step: &'a BoundStep,
}

/// Installer in the share, as far as it is known at some step.
pub(super) enum Package<'a> {
    Known(&'a Contents, SourceFile),
    /// There is no payload to read it from.
    Unknown,
    Missing,
    Unusable(String),
}

impl<'a> Inputs<'a> {
    pub(super) fn site(&self) -> &'a Description {
        &self.snapshot.description
    }

    /// Returns the identity that the records of this run state.
    pub(super) fn rollup_identity(&self) -> (Kb, Version) {
        let rollup = &self.bound.manifest.rollup;
        (rollup.kb, rollup.revision.clone())
    }

    /// Returns whether the run may touch a place, on a server in a role or without one: one that only
    /// catches up leaves the others alone.
    pub(super) fn covers(&self, path: &RelPath, on: Option<(ServerId, RoleId)>) -> bool {
        let catch_up = self.catch_up.as_ref();
        catch_up.is_none_or(|catch_up| catch_up.covers(path, on))
    }

    /// Returns whether the run may touch an instance.
    pub(super) fn covers_instance(&self, instance: Instance) -> bool {
        let site = self.site();
        self.covers(&site.directory(instance), site.server_in_role(instance))
    }

    /// Returns whether service and manual steps in these roles apply to a server.
    pub(super) fn touches(
        &self,
        server: ServerId,
        roles: impl IntoIterator<Item = RoleId>,
    ) -> bool {
        let catch_up = self.catch_up.as_ref();
        let mut roles = roles.into_iter();
        catch_up.is_none_or(|catch_up| roles.any(|role| catch_up.touches((server, role))))
    }

    /// Returns whether an instance has to be installed though this run did not remove it: it lags, or
    /// its server does and an earlier run of the rollup removed it there.
    pub(super) fn is_lagging(&self, instance: Instance) -> bool {
        let Some(catch_up) = &self.catch_up else {
            return false;
        };
        let site = self.site();
        if catch_up.is_lagging(&site.directory(instance)) {
            return true;
        }
        if !catch_up.is_uncovered(site.server_in_role(instance)) {
            return false;
        }
        let kb = self.bound.manifest.rollup.kb;
        let was_removed = self
            .snapshot
            .item(instance)
            .is_some_and(|record| record.kb == Some(kb) && !record.state.is_installed());
        let record = self.snapshot.applied.record(kb);
        let brought = record.and_then(|record| record.items.get(site[instance.item].name.as_str()));
        was_removed && brought.is_some_and(|brought| !brought.removed)
    }
}

impl<'a> StepPlanner<'a> {
    pub(super) fn site(&self) -> &'a Description {
        self.inputs.site()
    }

    /// Plans the step.
    pub(super) fn draft(&self) -> StepDraft {
        let mut draft = self.action(StepDraft::after(self.state));
        for change in &mut draft.changes {
            let of_step = self.step.irreversible.clone();
            change.operation.irreversible = of_step.or(change.operation.irreversible.take());
        }
        let why = match self.inputs.catch_up {
            Some(_) => "nothing of it lags",
            None => "it selects no item, file or server of this deployment",
        };
        draft.or_unchanged(&self.step.title, why)
    }

    /// Returns the installer of this name in the share at this step.
    pub(super) fn package(&self, name: &FileName) -> Package<'a> {
        let case_folded = name.case_folded();
        match self.state.share.get(&case_folded) {
            Some(Some(file)) => self.copied_package(file),
            Some(None) => Package::Unknown,
            None => self.found_package(&case_folded),
        }
    }

    /// Returns an installer that a step copied to the share.
    fn copied_package(&self, file: &SourceFile) -> Package<'a> {
        let SourceLocation::Payload { name } = &file.at else {
            return Package::Missing;
        };
        let payload = self.inputs.payload;
        let fact = payload.and_then(|payload| payload.files.get(&name.case_folded()));
        match fact.map(|fact| &fact.package) {
            Some(Ok(contents)) => Package::Known(contents, file.clone()),
            Some(Err(fault)) => Package::Unusable(fault.why.clone()),
            None => Package::Missing,
        }
    }

    /// Returns an installer that was in the share before the run.
    fn found_package(&self, name: &CaseFolded) -> Package<'a> {
        let snapshot = self.inputs.snapshot;
        let Some(found) = snapshot.share_file(name) else {
            return Package::Missing;
        };
        match (snapshot.package(name), snapshot.facts(&found.path)) {
            (Some(Ok(contents)), Some(facts)) => {
                let path = found.path.clone();
                let file = SourceFile {
                    at: SourceLocation::Share { path },
                    size: facts.size,
                    sha256: facts.sha256,
                };
                Package::Known(contents, file)
            }
            (Some(Err(why)), _) => Package::Unusable(why.clone()),
            _ => Package::Missing,
        }
    }

    /// Returns a payload file that a step names as a source, in the table's spelling.
    pub(super) fn payload_file(&self, file: &BoundFile) -> Option<SourceFile> {
        self.payload_source(&self.inputs.bound.manifest.files[file.row.0].name)
    }

    /// Returns a payload file of this name as a source.
    pub(super) fn payload_source(&self, name: &PayloadPath) -> Option<SourceFile> {
        let facts = self.inputs.payload?.files.get(&name.case_folded())?;
        let facts = facts.facts.as_ref().ok()?;
        Some(SourceFile {
            at: SourceLocation::Payload { name: name.clone() },
            size: facts.size,
            sha256: facts.sha256,
        })
    }
}
