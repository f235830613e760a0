//! Relation of the rollup at hand to the applied ones.

use schemars::JsonSchema;
use serde::Serialize;

use super::brought::recorded;
use super::lagging::{CatchUp, Lagging};
use super::options::Reapply;
use super::refusal::{Reason, ReasonKind};
use crate::deployment::applied::{AppliedRecord, AppliedRollups, Superseded};
use crate::deployment::description::Description;
use crate::deployment::snapshot::Snapshot;
use crate::manifest::Manifest;
use crate::names::{Kb, Requirement};

/// Reason why a rollup needs no run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "Rollup that needs no run")]
pub struct NothingToDo {
    /// Reason why there is nothing to do.
    pub why: String,
    /// Further information for the operator.
    pub note: Option<String>,
}

/// Consequence of the applied rollups for the one at hand.
pub(super) enum Applicability {
    /// There is something to do.
    Apply,
    /// It is applied, and something lags behind it.
    CatchUp(CatchUp),
    /// It is applied already.
    Nothing(NothingToDo),
    /// It cannot be applied.
    Refused(Vec<Reason>),
}

pub(super) fn applicability(
    manifest: &Manifest,
    snapshot: &Snapshot,
    lagging: &Lagging,
    reapply: Reapply,
) -> Applicability {
    let applied = &snapshot.applied;
    let kb = manifest.rollup.kb;
    let mut reasons = Vec::new();
    reasons.extend(wrong_product(manifest, &snapshot.description));
    let record = applied.record(kb);
    let is_same_revision =
        record.is_some_and(|record| record.revision.as_ref() == Some(&manifest.rollup.revision));
    // What a rollup brought and lacks now is brought again, superseded or not.
    let may_catch_up =
        is_same_revision && reapply == Reapply::No && lagging.rollups().contains(&kb);
    if !may_catch_up {
        reasons.extend(superseded(kb, applied));
        reasons.extend(
            manifest
                .rollup
                .requires
                .iter()
                .filter_map(|requirement| missing(requirement, applied)),
        );
        reasons.extend(broken_by(manifest, snapshot));
    }
    if !reasons.is_empty() {
        return Applicability::Refused(reasons);
    }
    match applied.contains(kb) {
        false => Applicability::Apply,
        true => already_applied(manifest, snapshot, lagging, reapply),
    }
}

fn already_applied(
    manifest: &Manifest,
    snapshot: &Snapshot,
    lagging: &Lagging,
    reapply: Reapply,
) -> Applicability {
    let kb = manifest.rollup.kb;
    let revision = &manifest.rollup.revision;
    let record = snapshot.applied.record(kb);
    match record.and_then(|record| record.revision.as_ref()) {
        Some(newer) if newer > revision => {
            let message = format!(
                "revision {newer} of {kb} is applied, which is newer than revision {revision}"
            );
            return Applicability::Refused(vec![Reason::new(ReasonKind::NotApplicable, message)]);
        }
        Some(older) if older < revision => return Applicability::Apply,
        _ if reapply == Reapply::Yes => return Applicability::Apply,
        _ => {}
    }
    let same_meaning = record.is_some_and(|record| record.manifest == Some(manifest.meaning()));
    if lagging.rollups().contains(&kb) {
        return match same_meaning {
            true => Applicability::CatchUp(lagging.catch_up(kb, snapshot.past.rank(kb))),
            false => {
                let message = format!(
                    "something lags behind {kb}, and this manifest says something else than the one that was applied"
                );
                let help = "use the manifest of the run, which `rollup history` finds in its directory; \
                            or `--reapply` does all steps of this one";
                Applicability::Refused(vec![Reason::new(ReasonKind::Mismatch, message).help(help)])
            }
        };
    }
    match &snapshot.past.drift {
        None => Applicability::Nothing(NothingToDo {
            why: format!("{kb} is applied already"),
            note: Some("no run of it is on record here, so nothing could be compared".to_owned()),
        }),
        Some(drift) if drift.is_empty() => Applicability::Nothing(NothingToDo {
            why: format!("{kb} revision {revision} is applied, and nothing has changed since"),
            note: (!same_meaning).then(|| {
                "the manifest has changed since it was applied, but not its revision; \
                 `--reapply` does all its steps again"
                    .to_owned()
            }),
        }),
        Some(drift) => {
            let mut reasons = Vec::new();
            for difference in drift {
                let message = format!("{kb} is applied, but has drifted since: {difference}");
                reasons.push(Reason::new(ReasonKind::Mismatch, message));
            }
            if let Some(last) = reasons.last_mut() {
                last.help = Some(
                    "`rollup apply --reapply` does all its steps again; `rollup accept` accepts the drift"
                        .to_owned(),
                );
            }
            Applicability::Refused(reasons)
        }
    }
}

/// Returns the reason why a rollup is not for the product or version of a deployment.
pub(super) fn wrong_product(manifest: &Manifest, site: &Description) -> Option<Reason> {
    let fault = manifest.rollup.refuted_by(site)?;
    Some(Reason::from(&fault))
}

/// Returns a reason to refuse a rollup that an applied one includes or replaces.
pub(super) fn superseded(kb: Kb, applied: &AppliedRollups) -> Option<Reason> {
    let by = applied.superseded_by(kb)?;
    let replaces = applied
        .record(by)
        .is_some_and(|record| record.replaces.contains(&kb));
    let (how, help) = match applied.included_in(by).contains(&kb) {
        true => (
            "includes it",
            "nothing has to be done: that rollup contains it",
        ),
        false if replaces => ("replaces it", "it must not be applied any more"),
        false => (
            "replaces what superseded it",
            "it must not be applied any more",
        ),
    };
    let message = format!("{kb} is superseded: {by} is applied and {how}");
    Some(Reason::new(ReasonKind::NotApplicable, message).help(help))
}

/// Returns a reason to refuse if a required rollup is neither applied nor included by an applied
/// one.
fn missing(requirement: &Requirement, applied: &AppliedRollups) -> Option<Reason> {
    if applied.provides(requirement) {
        return None;
    }
    let kb = requirement.kb;
    let found = match (applied.superseded_by(kb), applied.record(kb)) {
        (Some(by), _) => {
            let message = format!("{requirement} is required, and {by} replaced {kb}");
            let help = format!("{kb} cannot be applied any more: ask the manifest's author");
            return Some(Reason::new(ReasonKind::NotReady, message).help(help));
        }
        (None, Some(record)) => match &record.revision {
            Some(revision) => format!("{kb} is applied in revision {revision}"),
            None => format!("the revision of {kb} that is applied is not known"),
        },
        (None, None) if applied.contains(kb) => {
            format!("`deployment.toml` lists {kb} without its revision")
        }
        (None, None) => "neither applied nor included by an applied rollup".to_owned(),
    };
    let help = match applied.contains(kb) {
        true => format!(
            "apply the required revision of {kb} first; if it is, `rollup accept --applied MANIFEST` records it"
        ),
        false => format!("apply {kb} first"),
    };
    let message = format!("{requirement} is required, and {found}");
    Some(Reason::new(ReasonKind::NotReady, message).help(help))
}

/// Returns a reason to refuse for each rollup in effect that would lack what it requires, because
/// this one replaces it or what includes it, or no longer includes it.
fn broken_by(manifest: &Manifest, snapshot: &Snapshot) -> Vec<Reason> {
    let after = recorded(manifest, AppliedRecord::new(manifest.rollup.kb));
    broken_by_record(&snapshot.applied, after)
}

/// Returns a reason to refuse for each rollup in effect that would lack what it requires with one
/// record more.
pub(super) fn broken_by_record(applied: &AppliedRollups, record: AppliedRecord) -> Vec<Reason> {
    let kb = record.kb;
    let after = applied.with(record);
    let lost = applied.lost_in(&after, Superseded::Ignore);
    let others = lost.into_iter().filter(|lacking| lacking.rollup != kb);
    let reasons = others.map(|lacking| {
        let replaces = after
            .record(kb)
            .is_some_and(|record| record.replaces.contains(&lacking.requires.kb));
        let message = match replaces {
            true => format!("{lacking}, and {kb} replaces it"),
            false => format!("{lacking}, which no rollup in effect would provide beside {kb}"),
        };
        let help = format!(
            "undo {} first, or ask the manifest's author",
            lacking.rollup
        );
        Reason::new(ReasonKind::NotReady, message).help(help)
    });
    reasons.collect()
}
