//! Outages of services and items during a run, derived from its swaps alone.
//!
//! An item goes down when it is uninstalled or when its install is rolled back, and is up again
//! when it is installed or when its uninstall is rolled back. A service goes down when it is
//! stopped and is up again when it is started. A rollback restores the old file of a service, which
//! the service itself does not notice: a stopped service stays stopped until an operator restarts
//! it. What is replaced in one swap is down for that swap.

use std::collections::BTreeMap;

use super::summary::{Away, Move, Span};
use super::{Availability, Kind};
use crate::journal::{Direction, Outcome};
use crate::plan::OperationKind;

/// Returns the outages during these swaps: ongoing ones first, then the longest.
pub(super) fn away(moves: &[Move], outcome: Option<Outcome>) -> Vec<Away> {
    let mut all: BTreeMap<(Kind, &str, Option<&str>), Away> = BTreeMap::new();
    // Index of the command in which something went down.
    let mut went: BTreeMap<_, usize> = BTreeMap::new();
    for step in moves {
        for operation in &step.operations {
            let (before, after) = match step.direction {
                Direction::Forward => (operation.before, operation.after),
                Direction::Back => (operation.after, operation.before),
            };
            let (Some(before), Some(after)) = (before, after) else {
                continue;
            };
            if step.direction == Direction::Back && operation.of == Kind::Service {
                continue;
            }
            // The permission to start a service, and a change of a record, take nothing down.
            if matches!(
                operation.kind,
                OperationKind::Enable | OperationKind::Disable | OperationKind::Accept
            ) {
                continue;
            }
            let key = (
                operation.of,
                operation.target.as_str(),
                operation.server.as_deref(),
            );
            let away = all.entry(key).or_insert_with(|| Away {
                of: operation.of,
                target: operation.target.clone(),
                server: operation.server.clone(),
                spans: Vec::new(),
                since_us: None,
                total_us: 0,
            });
            if before == Availability::Up {
                away.since_us.get_or_insert(step.span.from_us);
                went.entry(key).or_insert(step.session);
            }
            if let (Availability::Up, Some(from_us)) = (after, away.since_us) {
                away.since_us = None;
                let by_wall_clock = went
                    .remove(&key)
                    .is_some_and(|session| session != step.session);
                away.spans.push(Span {
                    from_us,
                    to_us: step.span.to_us,
                    by_wall_clock,
                });
            }
        }
    }
    let mut all: Vec<Away> = all.into_values().collect();
    for away in &mut all {
        // After a rollback, an item that was down before the run is as it was: no outage.
        if outcome == Some(Outcome::Undone) && away.of != Kind::Service {
            away.since_us = None;
        }
        away.total_us = away.spans.iter().map(Span::us).sum();
    }
    all.retain(|away| !away.spans.is_empty() || away.since_us.is_some());
    all.sort_by_key(|away| (away.since_us.is_none(), std::cmp::Reverse(away.total_us)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Operation;

    fn step(kind: OperationKind, of: Kind, direction: Direction, from_us: u64) -> Move {
        let (before, after) = match kind {
            OperationKind::Uninstall | OperationKind::Stop => {
                (Availability::Up, Availability::Down)
            }
            OperationKind::Install | OperationKind::Start => (Availability::Down, Availability::Up),
            _ => (Availability::Up, Availability::Up),
        };
        let operation = Operation {
            kind,
            target: "it".to_owned(),
            server: None,
            of,
            before: Some(before),
            after: Some(after),
        };
        let span = Span {
            from_us,
            to_us: from_us + 2,
            by_wall_clock: false,
        };
        Move {
            step: None,
            direction,
            span,
            operations: vec![operation],
            session: 0,
        }
    }

    /// Returns the outages that ended, and the start of the first one if it did not end.
    fn times(moves: &[Move], outcome: Option<Outcome>) -> (Vec<(u64, u64)>, Option<u64>) {
        let all = away(moves, outcome);
        let spans = all
            .iter()
            .flat_map(|away| &away.spans)
            .map(|span| (span.from_us, span.to_us));
        (spans.collect(), all.first().and_then(|away| away.since_us))
    }

    use Direction::{Back, Forward};
    use OperationKind::{Disable, Install, Replace, Start, Stop, Uninstall};

    #[test]
    fn an_item_is_away_from_before_its_removal_until_it_stands_again() {
        let there_and_back = [
            step(Uninstall, Kind::Item, Forward, 10),
            step(Install, Kind::Item, Forward, 20),
        ];
        assert_eq!(
            times(&there_and_back, Some(Outcome::Applied)),
            (vec![(10, 22)], None)
        );
        assert_eq!(
            times(&there_and_back[..1], Some(Outcome::Applied)),
            (vec![], Some(10))
        );
        assert_eq!(times(&there_and_back[..1], None), (vec![], Some(10)));
    }

    #[test]
    fn a_failure_that_is_put_back_takes_an_item_away_twice() {
        let moves = [
            step(Uninstall, Kind::Item, Forward, 10),
            step(Install, Kind::Item, Forward, 20),
            step(Install, Kind::Item, Back, 30),
            step(Uninstall, Kind::Item, Back, 40),
        ];
        assert_eq!(
            times(&moves, Some(Outcome::Undone)),
            (vec![(10, 22), (30, 42)], None)
        );
    }

    #[test]
    fn what_was_not_there_before_is_not_missed_when_it_is_gone_again() {
        let moves = [
            step(Install, Kind::Item, Forward, 10),
            step(Install, Kind::Item, Back, 20),
        ];
        assert_eq!(times(&moves, Some(Outcome::Undone)), (vec![], None));
        assert_eq!(times(&moves, None), (vec![], Some(20)));
    }

    #[test]
    fn a_service_is_down_from_stop_to_start_and_notices_no_way_back() {
        let forward = [
            step(Stop, Kind::Service, Forward, 10),
            step(Start, Kind::Service, Forward, 20),
        ];
        assert_eq!(
            times(&forward, Some(Outcome::Applied)),
            (vec![(10, 22)], None)
        );
        let back = [
            step(Start, Kind::Service, Back, 30),
            step(Stop, Kind::Service, Back, 40),
        ];
        assert_eq!(times(&back, Some(Outcome::Undone)), (vec![], None));
        let stopped_and_back = [
            step(Stop, Kind::Service, Forward, 10),
            step(Stop, Kind::Service, Back, 20),
        ];
        assert_eq!(
            times(&stopped_and_back, Some(Outcome::Undone)),
            (vec![], Some(10))
        );
    }

    #[test]
    fn what_is_replaced_is_away_for_its_swap_and_what_is_disabled_is_not() {
        assert_eq!(
            times(
                &[step(Replace, Kind::Item, Forward, 10)],
                Some(Outcome::Applied)
            ),
            (vec![(10, 12)], None)
        );
        assert_eq!(
            times(
                &[step(Disable, Kind::Service, Forward, 10)],
                Some(Outcome::Applied)
            ),
            (vec![], None)
        );
    }
}
