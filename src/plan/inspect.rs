//! Checks for objects on disk that a swap cannot handle, such as links and names that differ only
//! in case.

use std::collections::BTreeSet;

use super::Swap;
use super::refusal::{Reason, ReasonKind};
use super::simulated_state::SimulatedState;
use crate::deployment::item_dir::ItemDir;
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::{FileKind, FoundEntry};
use crate::names::{CaseFolded, Escaped, RelPath};

/// Refuses an object at a live path that a swap cannot handle: a link, FIFO, device or socket, or a file
/// in place of a directory.
pub(super) fn inspect(snapshot: &Snapshot, live: &RelPath, expected: FileKind) -> Vec<Reason> {
    let mut reasons = inspect_parents(snapshot, live);
    let Some(object) = snapshot.node(live) else {
        return reasons;
    };
    if object.kind != expected {
        reasons.push(unsupported(object));
    }
    reasons
}

/// Refuses everything on the paths of the run that a swap cannot handle: links, FIFOs, devices and
/// sockets, names that differ only in case, and names that are not UTF-8. What is in unmanaged
/// directories moves along with them, whatever it is.
pub(super) fn refuse_unsupported(snapshot: &Snapshot, state: &SimulatedState<'_>) -> Vec<Reason> {
    let unmanaged = state.swaps.iter().flat_map(Swap::unmanaged);
    let unmanaged: BTreeSet<CaseFolded> = unmanaged.map(RelPath::case_folded).collect();
    let is_inside = |path: &RelPath| {
        let mut above = path.ancestors();
        above.any(|above| unmanaged.contains(&above.case_folded()))
    };
    let mut reasons = refuse_kinds(snapshot, state, &is_inside);
    reasons.extend(refuse_clashes(snapshot, state, &is_inside));
    reasons
}

/// Refuses links, FIFOs, devices and sockets below the paths that the run touches.
fn refuse_kinds(
    snapshot: &Snapshot,
    state: &SimulatedState<'_>,
    is_in_unmanaged: &dyn Fn(&RelPath) -> bool,
) -> Vec<Reason> {
    let is_wrong =
        |found: &&FoundEntry| !matches!(found.kind, FileKind::File | FileKind::Directory);
    let mut reasons = Vec::new();
    for touched in &state.touched {
        let below = snapshot.below_folded(touched).filter(is_wrong);
        let below = below.filter(|found| !is_in_unmanaged(&found.path));
        reasons.extend(below.map(unsupported));
    }
    reasons
}

/// Checks that every parent of a path that exists is a directory.
fn inspect_parents(snapshot: &Snapshot, path: &RelPath) -> Vec<Reason> {
    let parents = path.ancestors();
    let parents = parents.filter_map(|directory| snapshot.node(&directory));
    let wrong = parents.filter(|found| found.kind != FileKind::Directory);
    wrong.map(unsupported).collect()
}

/// Refuses objects that hide the record of an instance: behind a link, for example, an
/// installed item would count as not installed, and the run would leave it as it is.
pub(super) fn inspect_record(snapshot: &Snapshot, live: &RelPath) -> Vec<Reason> {
    let record = ItemDir(live).record();
    let mut reasons = inspect_parents(snapshot, &record);
    let found = snapshot.node(&record);
    let wrong = found.filter(|found| found.kind != FileKind::File);
    reasons.extend(wrong.map(unsupported));
    reasons
}

/// Refuses names on the paths of the run that differ only in case or are not UTF-8.
fn refuse_clashes(
    snapshot: &Snapshot,
    state: &SimulatedState<'_>,
    is_in_unmanaged: &dyn Fn(&RelPath) -> bool,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let clashes = touched_clashes(snapshot, state).into_iter();
    for (a, b) in clashes.filter(|(a, b)| !is_in_unmanaged(a) || !is_in_unmanaged(b)) {
        let (a, b) = (Escaped(a.as_str()), Escaped(b.as_str()));
        let message = format!("`{a}` and `{b}` differ only in case");
        reasons
            .push(Reason::new(ReasonKind::NotReady, message).help("rename or remove one of them"));
    }
    for name in &snapshot.unreadable {
        if RelPath::parse(name).is_ok_and(|path| is_in_unmanaged(&path)) {
            continue;
        }
        let mut parents = name.match_indices('/').map(|(at, _)| &name[..at]);
        if parents.any(|parent| state.touched.contains(&CaseFolded::of(parent))) {
            let message = format!("the name of `{}` is not UTF-8", Escaped(name));
            reasons.push(Reason::new(ReasonKind::NotReady, message).help("rename it"));
        }
    }
    reasons
}

fn touched_clashes<'s>(
    snapshot: &'s Snapshot,
    state: &SimulatedState<'_>,
) -> Vec<&'s (RelPath, RelPath)> {
    if snapshot.clashes.is_empty() {
        return Vec::new();
    }
    let live = state.swaps.iter().map(|swap| &swap.live);
    let parents: BTreeSet<RelPath> = live.clone().flat_map(RelPath::ancestors).collect();
    let live: BTreeSet<CaseFolded> = live.map(RelPath::case_folded).collect();
    let is_touched = |path: &RelPath| {
        let mut at_and_above = path.ancestors().chain([path.clone()]);
        at_and_above.any(|path| state.touched.contains(&path.case_folded()))
            || live.contains(&path.case_folded())
            || parents.contains(path)
    };
    let clashes = snapshot.clashes.iter();
    clashes
        .filter(|(a, b)| is_touched(a) || is_touched(b))
        .collect()
}

/// Returns the reason to refuse an object that a swap cannot handle.
fn unsupported(found: &FoundEntry) -> Reason {
    let path = Escaped(found.path.as_str());
    let message = format!("`{path}` is {}", found.kind.with_article());
    Reason::new(ReasonKind::NotReady, message)
        .help("rollup changes only files and directories; move it elsewhere")
}
