//! Services and items that were away while a run was under way, told by its swaps alone.
//!
//! An item goes when it is uninstalled or when its install is taken back, and stands again when it is installed or when
//! its uninstall is taken back; a service goes when it is stopped and comes when it is started, and likewise back. What
//! is replaced in one swap is away for that swap.

use std::collections::BTreeMap;

use super::account::{Away, Move, Span};
use super::{Kind, Stand};
use crate::journal::Outcome;
use crate::plan::OperationKind;

/// What was away during these swaps, the longest first.
pub(super) fn away(moves: &[Move], outcome: Option<Outcome>) -> Vec<Away> {
    let mut all: BTreeMap<(Kind, &str, Option<&str>), Away> = BTreeMap::new();
    // In which command something went.
    let mut went: BTreeMap<_, usize> = BTreeMap::new();
    for step in moves {
        for operation in &step.operations {
            let (before, after) = match step.back {
                false => (operation.was, operation.becomes),
                true => (operation.becomes, operation.was),
            };
            let (Some(before), Some(after)) = (before, after) else { continue };
            // Whether a service may be started, and what a record says, takes nothing away.
            if matches!(operation.kind, OperationKind::Enable | OperationKind::Disable | OperationKind::Accept) {
                continue;
            }
            let key = (operation.of, operation.target.as_str(), operation.server.as_deref());
            let away = all.entry(key).or_insert_with(|| Away {
                of: operation.of,
                target: operation.target.clone(),
                server: operation.server.clone(),
                spans: Vec::new(),
                since_us: None,
                total_us: 0,
            });
            if before == Stand::Up {
                away.since_us.get_or_insert(step.span.from_us);
                went.entry(key).or_insert(step.session);
            }
            if let (Stand::Up, Some(from_us)) = (after, away.since_us) {
                away.since_us = None;
                let by_wall_clock = went.remove(&key).is_some_and(|session| session != step.session);
                away.spans.push(Span { from_us, to_us: step.span.to_us, by_wall_clock });
            }
        }
    }
    let mut all: Vec<Away> = all.into_values().collect();
    for away in &mut all {
        // What was not there before the run is as it was.
        if outcome == Some(Outcome::Undone) {
            away.since_us = None;
        }
        away.total_us = away.spans.iter().map(Span::us).sum();
    }
    all.retain(|away| !away.spans.is_empty() || away.since_us.is_some());
    all.sort_by_key(|away| (away.since_us.is_none(), std::cmp::Reverse(away.total_us)));
    all
}
