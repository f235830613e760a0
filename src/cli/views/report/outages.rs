//! Outages of an attempt: of each item and service, and by server.

use std::collections::BTreeMap;

use super::timeline::{Axis, Bar};
use super::words::{at_least, format_duration, format_moment};
use crate::cli::terminal::out::number;
use crate::events::{Attempt, TargetKind, TargetOutages};

/// Number of outages that are shown one by one; more are summarized by server.
const LISTED: usize = 6;
/// Number of outages that have a row on a page; the document for programs has all.
const ROWS: usize = 500;

/// Outages of services or of items, the longest first.
pub(super) struct OutageTable {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) rows: Vec<OutageRow>,
    /// The same by server, if they are more than [`LISTED`].
    pub(super) groups: Vec<OutageRow>,
}

/// Outage of an item or a service, or of several on one server.
#[derive(Clone)]
pub(super) struct OutageRow {
    pub(super) target: String,
    pub(super) server: String,
    pub(super) took: String,
    pub(super) note: String,
    pub(super) bars: Vec<Bar>,
}

impl OutageTable {
    pub(super) fn of(
        id: &'static str,
        title: &'static str,
        attempt: &Attempt,
        axis: &Axis,
    ) -> Self {
        let of_services = id == "services";
        let outages = attempt.outages.iter();
        let rows: Vec<OutageRow> = outages
            .filter(|outages| (outages.of == TargetKind::Service) == of_services)
            .map(|outages| OutageRow::of(outages, attempt, axis))
            .collect();
        let groups = if rows.len() > LISTED {
            grouped(&rows, id)
        } else {
            rows.clone()
        };
        Self {
            id,
            title,
            rows,
            groups,
        }
    }

    /// Returns whether groups replace the single outages.
    pub(super) fn is_grouped(&self) -> bool {
        self.groups.len() != self.rows.len()
    }

    /// Returns the outages that have a row on a page.
    pub(super) fn on_page(&self) -> &[OutageRow] {
        &self.rows[..self.rows.len().min(ROWS)]
    }

    /// Returns the number of outages that have no row on a page.
    pub(super) fn more(&self) -> usize {
        self.rows.len().saturating_sub(ROWS)
    }
}

impl OutageRow {
    fn of(outages: &TargetOutages, attempt: &Attempt, axis: &Axis) -> Self {
        let mut bars: Vec<Bar> = outages.spans.iter().map(|span| axis.bar(span)).collect();
        bars.extend(outages.since_us.map(|since_us| axis.bar_from(since_us)));
        let took = match (outages.since_us, attempt.outcome) {
            (Some(since_us), None) if outages.spans.is_empty() => {
                format!("since {}", format_moment(attempt, since_us))
            }
            (Some(_), Some(_)) if outages.spans.is_empty() => String::new(),
            _ => format!("{}{}", at_least(attempt), format_duration(outages.total_us)),
        };
        let note = match (outages.since_us, outages.spans.len()) {
            (Some(_), _) => describe_ongoing(outages.of, attempt),
            (None, 0 | 1) => String::new(),
            (None, times) => format!("unavailable {times} times"),
        };
        Self {
            target: outages.target.clone(),
            server: outages.server.clone().unwrap_or_default(),
            took,
            note,
            bars,
        }
    }
}

/// Describes the state of a target that is not available again, as far as the swaps are recorded.
fn describe_ongoing(kind: TargetKind, attempt: &Attempt) -> String {
    let state = match kind {
        TargetKind::Service => "stopped, not started again",
        _ => "removed, not restored",
    };
    if attempt.partial {
        format!("{state}, as far as swaps are recorded")
    } else {
        state.to_owned()
    }
}

/// Summarizes outages by server, with the shortest and the longest time.
fn grouped(rows: &[OutageRow], noun: &str) -> Vec<OutageRow> {
    let mut groups: BTreeMap<(&str, &str), Vec<&OutageRow>> = BTreeMap::new();
    for row in rows {
        let key = (row.server.as_str(), row.note.as_str());
        groups.entry(key).or_default().push(row);
    }
    groups
        .into_values()
        .map(|group| in_one(&group, noun))
        .collect()
}

/// Describes similar outages, the longest first, in one row.
fn in_one(group: &[&OutageRow], noun: &str) -> OutageRow {
    let (longest, shortest) = (group[0], group[group.len() - 1]);
    if group.len() == 1 {
        return longest.clone();
    }
    let took = if shortest.took == longest.took {
        longest.took.clone()
    } else {
        format!("{} to {}", shortest.took, longest.took)
    };
    let bars = group.iter().flat_map(|row| &row.bars);
    OutageRow {
        target: format!("{} {noun}", number(group.len() as u64)),
        server: longest.server.clone(),
        took,
        note: longest.note.clone(),
        bars: Bar::around(bars).into_iter().collect(),
    }
}
