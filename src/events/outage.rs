//! Outages of services and items during a run, derived from its swaps alone.
//!
//! An item goes down when it is uninstalled or when its install is rolled back, and is up again
//! when it is installed or when its uninstall is rolled back. A service goes down when it is
//! stopped and is up again when it is started. A rollback restores the old file of a service, which
//! the service itself does not notice: a stopped service stays stopped until an operator restarts
//! it. An item that is replaced in one swap is down for that swap.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::summary::{TargetOutages, TimeSpan, TimedSwap};
use super::{Availability, EventOperation, TargetKind};
use crate::journal::{Direction, Outcome};
use crate::plan::OperationKind;

/// Returns the outages during these swaps: ongoing ones first, then the longest.
pub(super) fn outages(swaps: &[TimedSwap], outcome: Option<Outcome>) -> Vec<TargetOutages> {
    let mut all: BTreeMap<(TargetKind, &str, Option<&str>), TargetOutages> = BTreeMap::new();
    // Index of the command in which each target went down.
    let mut down_since: BTreeMap<_, usize> = BTreeMap::new();
    for (swap, operation) in operations(swaps) {
        let Some((before, after)) = availability(operation, swap.direction) else {
            continue;
        };
        let server = operation.server.as_deref();
        let key = (operation.of, operation.target.as_str(), server);
        let outages = all.entry(key).or_insert_with(|| TargetOutages {
            of: operation.of,
            target: operation.target.clone(),
            server: operation.server.clone(),
            spans: Vec::new(),
            since_us: None,
            total_us: 0,
        });
        if before == Availability::Up {
            outages.since_us.get_or_insert(swap.span.from_us);
            down_since.entry(key).or_insert(swap.session);
        }
        if let (Availability::Up, Some(from_us)) = (after, outages.since_us) {
            outages.since_us = None;
            let down_in = down_since.remove(&key);
            outages.spans.push(TimeSpan {
                from_us,
                to_us: swap.span.to_us,
                by_wall_clock: down_in.is_some_and(|session| session != swap.session),
            });
        }
    }
    let mut all: Vec<TargetOutages> = all.into_values().collect();
    for outages in &mut all {
        // After a rollback, an item that was down before the run is as it was: no outage.
        if outcome == Some(Outcome::Undone) && outages.of != TargetKind::Service {
            outages.since_us = None;
        }
        outages.total_us = outages.spans.iter().map(TimeSpan::us).sum();
    }
    all.retain(|outages| !outages.spans.is_empty() || outages.since_us.is_some());
    all.sort_by_key(|outages| (outages.since_us.is_none(), Reverse(outages.total_us)));
    all
}

fn operations(swaps: &[TimedSwap]) -> impl Iterator<Item = (&TimedSwap, &EventOperation)> {
    swaps.iter().flat_map(|swap| {
        swap.operations
            .iter()
            .map(move |operation| (swap, operation))
    })
}

/// Returns the availability of a target before and after an operation; `None` if the operation
/// takes nothing down and brings nothing up.
fn availability(
    operation: &EventOperation,
    direction: Direction,
) -> Option<(Availability, Availability)> {
    // The permission to start a service, and a change of a record, take nothing down.
    if matches!(
        operation.kind,
        OperationKind::Enable | OperationKind::Disable | OperationKind::Accept
    ) {
        return None;
    }
    let (before, after) = operation.before.zip(operation.after)?;
    match direction {
        Direction::Forward => Some((before, after)),
        Direction::Back if operation.of == TargetKind::Service => None,
        Direction::Back => Some((after, before)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap(kind: OperationKind, of: TargetKind, direction: Direction, from_us: u64) -> TimedSwap {
        let (before, after) = match kind {
            OperationKind::Uninstall | OperationKind::Stop => {
                (Availability::Up, Availability::Down)
            }
            OperationKind::Install | OperationKind::Start => (Availability::Down, Availability::Up),
            _ => (Availability::Up, Availability::Up),
        };
        let operation = EventOperation {
            kind,
            target: "it".to_owned(),
            server: None,
            of,
            before: Some(before),
            after: Some(after),
        };
        let span = TimeSpan {
            from_us,
            to_us: from_us + 2,
            by_wall_clock: false,
        };
        TimedSwap {
            step: None,
            direction,
            span,
            operations: vec![operation],
            session: 0,
        }
    }

    /// Returns the outages that ended, and the start of the first one if it did not end.
    fn times(swaps: &[TimedSwap], outcome: Option<Outcome>) -> (Vec<(u64, u64)>, Option<u64>) {
        let all = outages(swaps, outcome);
        let spans = all
            .iter()
            .flat_map(|outages| &outages.spans)
            .map(|span| (span.from_us, span.to_us));
        (
            spans.collect(),
            all.first().and_then(|outages| outages.since_us),
        )
    }

    use Direction::{Back, Forward};
    use OperationKind::{Disable, Install, Replace, Start, Stop, Uninstall};

    #[test]
    fn an_item_is_down_from_before_its_removal_until_after_its_install() {
        let removed_and_installed = [
            swap(Uninstall, TargetKind::Item, Forward, 10),
            swap(Install, TargetKind::Item, Forward, 20),
        ];
        assert_eq!(
            times(&removed_and_installed, Some(Outcome::Applied)),
            (vec![(10, 22)], None)
        );
        assert_eq!(
            times(&removed_and_installed[..1], Some(Outcome::Applied)),
            (vec![], Some(10))
        );
        assert_eq!(times(&removed_and_installed[..1], None), (vec![], Some(10)));
    }

    #[test]
    fn an_item_is_down_twice_if_a_failed_run_is_rolled_back() {
        let swaps = [
            swap(Uninstall, TargetKind::Item, Forward, 10),
            swap(Install, TargetKind::Item, Forward, 20),
            swap(Install, TargetKind::Item, Back, 30),
            swap(Uninstall, TargetKind::Item, Back, 40),
        ];
        assert_eq!(
            times(&swaps, Some(Outcome::Undone)),
            (vec![(10, 22), (30, 42)], None)
        );
    }

    #[test]
    fn an_item_that_was_not_installed_before_has_no_outage_after_a_rollback() {
        let swaps = [
            swap(Install, TargetKind::Item, Forward, 10),
            swap(Install, TargetKind::Item, Back, 20),
        ];
        assert_eq!(times(&swaps, Some(Outcome::Undone)), (vec![], None));
        assert_eq!(times(&swaps, None), (vec![], Some(20)));
    }

    #[test]
    fn a_service_is_down_from_stop_to_start_and_does_not_notice_a_rollback() {
        let forward = [
            swap(Stop, TargetKind::Service, Forward, 10),
            swap(Start, TargetKind::Service, Forward, 20),
        ];
        assert_eq!(
            times(&forward, Some(Outcome::Applied)),
            (vec![(10, 22)], None)
        );
        let back = [
            swap(Start, TargetKind::Service, Back, 30),
            swap(Stop, TargetKind::Service, Back, 40),
        ];
        assert_eq!(times(&back, Some(Outcome::Undone)), (vec![], None));
        let stopped_and_rolled_back = [
            swap(Stop, TargetKind::Service, Forward, 10),
            swap(Stop, TargetKind::Service, Back, 20),
        ];
        assert_eq!(
            times(&stopped_and_rolled_back, Some(Outcome::Undone)),
            (vec![], Some(10))
        );
    }

    #[test]
    fn a_replaced_item_is_down_for_its_swap_and_a_disabled_service_is_not() {
        assert_eq!(
            times(
                &[swap(Replace, TargetKind::Item, Forward, 10)],
                Some(Outcome::Applied)
            ),
            (vec![(10, 12)], None)
        );
        assert_eq!(
            times(
                &[swap(Disable, TargetKind::Service, Forward, 10)],
                Some(Outcome::Applied)
            ),
            (vec![], None)
        );
    }
}
