//! Relation of the rollup at hand to the applied ones.

use super::options::Reapply;
use super::refusal::{Reason, ReasonKind};
use crate::deployment::records::{AppliedUpdate, AppliedUpdates};
use crate::deployment::snapshot::{PastRun, Snapshot};
use crate::manifest::Manifest;
use crate::names::Kb;

/// Reason why a rollup needs no run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NothingToDo {
    pub why: String,
    /// Further information for the operator.
    pub note: Option<String>,
}

/// Consequence of the applied rollups for the one at hand.
pub(super) enum Applicability {
    /// There is something to do.
    Apply,
    /// It is applied already.
    Nothing(NothingToDo),
    /// It cannot be applied.
    Refused(Vec<Reason>),
}

pub(super) fn applicability(
    manifest: &Manifest,
    snapshot: &Snapshot,
    reapply: Reapply,
) -> Applicability {
    let mut reasons = Vec::new();
    let applied = snapshot.applied();
    reasons.extend(wrong_product(manifest, snapshot));
    reasons.extend(superseded(manifest, snapshot, &applied));
    reasons.extend(
        manifest
            .rollup
            .requires
            .iter()
            .filter_map(|required| missing(required.kb, snapshot, &applied)),
    );
    if !reasons.is_empty() {
        return Applicability::Refused(reasons);
    }
    let same = applied
        .in_effect()
        .find(|entry| entry.kb == manifest.rollup.kb);
    match same {
        None => Applicability::Apply,
        Some(entry) => already_applied(manifest, snapshot, entry, reapply),
    }
}

fn already_applied(
    manifest: &Manifest,
    snapshot: &Snapshot,
    entry: &AppliedUpdate,
    reapply: Reapply,
) -> Applicability {
    let kb = entry.kb;
    let revision = &manifest.rollup.revision;
    match &entry.revision {
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
    match &snapshot.past.drift {
        None => Applicability::Nothing(NothingToDo {
            why: format!("{kb} is applied already"),
            note: Some("no run of it is on record here, so nothing could be compared".to_owned()),
        }),
        Some(drift) if drift.is_empty() => Applicability::Nothing(NothingToDo {
            why: format!("{kb} revision {revision} is applied, and nothing has changed since"),
            note: (entry.manifest != Some(manifest.digest)).then(|| {
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

fn wrong_product(manifest: &Manifest, snapshot: &Snapshot) -> Option<Reason> {
    let (rollup, site) = (&manifest.rollup, &snapshot.description);
    if rollup.product != site.product {
        let message = format!(
            "{} is for `{}`, and this deployment is `{}`",
            rollup.kb, rollup.product, site.product
        );
        return Some(Reason::new(ReasonKind::NotApplicable, message));
    }
    let known = rollup.product_versions.contains(&site.product_version);
    (!known).then(|| {
        let versions = rollup.product_versions.join(", ");
        let message = format!(
            "{} is for version {versions} of `{}`, and this deployment has {}",
            rollup.kb, site.product, site.product_version
        );
        Reason::new(ReasonKind::NotApplicable, message)
    })
}

/// Returns a reason to refuse if an applied rollup includes or replaces the one at hand.
fn superseded(
    manifest: &Manifest,
    snapshot: &Snapshot,
    applied: &AppliedUpdates,
) -> Option<Reason> {
    let kb = manifest.rollup.kb;
    let recorded = applied
        .in_effect()
        .map(|entry| entry.kb)
        .filter(|&other| other != kb)
        .find(|&other| {
            run_of(other, snapshot)
                .is_some_and(|run| run.includes.contains(&kb) || run.replaces.contains(&kb))
        });
    let by = successor(kb, applied).or(recorded)?;
    let included = run_of(by, snapshot).is_some_and(|run| run.includes.contains(&kb));
    let (how, help) = match included {
        true => (
            "includes",
            "nothing has to be done: that rollup contains it",
        ),
        false => ("replaces", "it must not be applied any more"),
    };
    let message = format!("{kb} is superseded: {by} is applied and {how} it");
    Some(Reason::new(ReasonKind::NotApplicable, message).help(help))
}

/// Returns the applied rollup that superseded this one, through all that superseded each other.
fn successor(kb: Kb, applied: &AppliedUpdates) -> Option<Kb> {
    let by = |kb: Kb| {
        applied
            .rollups
            .iter()
            .rev()
            .find(|entry| entry.kb == kb)?
            .superseded_by
    };
    let mut last = by(kb)?;
    // A chain has no more rollups than the list, so a circle in it ends too.
    for _ in &applied.rollups {
        match by(last) {
            Some(next) => last = next,
            None => return Some(last),
        }
    }
    None
}

/// Returns the last finished run that applied a rollup.
fn run_of(kb: Kb, snapshot: &Snapshot) -> Option<&PastRun> {
    snapshot.past.applied.iter().rev().find(|run| run.kb == kb)
}

/// Returns a reason to refuse if a required rollup is neither applied nor included by an applied
/// one.
fn missing(required: Kb, snapshot: &Snapshot, applied: &AppliedUpdates) -> Option<Reason> {
    let included =
        |other: Kb| run_of(other, snapshot).is_some_and(|run| run.includes.contains(&required));
    if applied
        .in_effect()
        .any(|entry| entry.kb == required || included(entry.kb))
    {
        return None;
    }
    let message =
        format!("{required} is required, and neither applied nor included by an applied rollup");
    let help = match successor(required, applied) {
        Some(by) => format!(
            "{by} replaced {required}, which cannot be applied any more: ask the manifest's author"
        ),
        None => format!("apply {required} first"),
    };
    Some(Reason::new(ReasonKind::NotReady, message).help(help))
}

/// Returns the applied rollups after this one: it comes last, and what it includes or replaces is
/// superseded.
pub(super) fn applied_after(manifest: &Manifest, before: &AppliedUpdates) -> AppliedUpdates {
    let rollup = &manifest.rollup;
    let mut rollups: Vec<_> = before
        .rollups
        .iter()
        .filter(|entry| entry.kb != rollup.kb)
        .cloned()
        .collect();
    for entry in &mut rollups {
        let superseded = rollup.includes.contains(&entry.kb) || rollup.replaces.contains(&entry.kb);
        if superseded && entry.superseded_by.is_none() {
            entry.superseded_by = Some(rollup.kb);
        }
    }
    rollups.push(AppliedUpdate {
        kb: rollup.kb,
        revision: Some(rollup.revision.clone()),
        manifest: Some(manifest.digest),
        superseded_by: None,
    });
    AppliedUpdates::new(rollups)
}
