//! Checks for objects on disk that a swap cannot handle, such as links and names that differ only
//! in case.

use std::collections::BTreeSet;

use super::planner::Planner;
use super::refusal::{Reason, ReasonKind};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::tree::FileKind;
use crate::names::{CaseFolded, Escaped, RelPath};

impl Planner<'_> {
    /// Refuses objects at and below a live path that a swap cannot handle: a link, FIFO, device or
    /// socket, or a file in place of a directory.
    pub(super) fn inspect(&mut self, live: &RelPath, expected: FileKind) {
        if !self.inspected.insert(live.case_folded()) {
            return;
        }
        self.inspect_parents(live);
        let Some(object) = self.snapshot.node(live) else {
            return;
        };
        if object.kind != expected {
            self.reasons.push(unsupported(&object.path, object.kind));
            return;
        }
        for found in self.snapshot.below(live) {
            if !matches!(found.kind, FileKind::File | FileKind::Directory) {
                self.reasons.push(unsupported(&found.path, found.kind));
            }
        }
    }

    /// Checks that every parent of a path that exists is a directory.
    fn inspect_parents(&mut self, path: &RelPath) {
        let ancestors = path
            .ancestors()
            .filter_map(|directory| self.snapshot.node(&directory));
        let wrong = ancestors.filter(|found| found.kind != FileKind::Directory);
        self.reasons
            .extend(wrong.map(|found| unsupported(&found.path, found.kind)));
    }

    /// Refuses objects that hide the record of an instance: behind a link, for example, an
    /// installed item would count as not installed, and the run would leave it as it is.
    pub(super) fn inspect_record(&mut self, live: &RelPath) {
        let record = ItemDir(live).record();
        self.inspect_parents(&record);
        if let Some(found) = self
            .snapshot
            .node(&record)
            .filter(|found| found.kind != FileKind::File)
        {
            self.reasons.push(unsupported(&found.path, found.kind));
        }
    }

    /// Refuses names on the paths of the run that differ only in case or are not UTF-8.
    pub(super) fn refuse_clashes(&mut self) {
        let clashes = if self.snapshot.clashes.is_empty() {
            Vec::new()
        } else {
            self.touched_clashes()
        };
        for (a, b) in clashes {
            let message = format!(
                "`{}` and `{}` differ only in case",
                Escaped(a.as_str()),
                Escaped(b.as_str())
            );
            self.refuse(
                ReasonKind::NotReady,
                message,
                Some("rename or remove one of them"),
            );
        }
        let unreadable: Vec<_> = self
            .snapshot
            .unreadable
            .iter()
            .filter(|name| self.is_touched(name))
            .cloned()
            .collect();
        for name in unreadable {
            let message = format!("the name of `{}` is not UTF-8", Escaped(&name));
            self.refuse(ReasonKind::NotReady, message, Some("rename it"));
        }
    }

    fn touched_clashes(&self) -> Vec<(RelPath, RelPath)> {
        let live: BTreeSet<CaseFolded> = self
            .swaps
            .iter()
            .map(|swap| swap.live.case_folded())
            .collect();
        let parents: BTreeSet<RelPath> = self
            .swaps
            .iter()
            .flat_map(|swap| swap.live.ancestors())
            .collect();
        let touched = |path: &RelPath| {
            path.ancestors()
                .chain([path.clone()])
                .any(|p| self.inspected.contains(&p.case_folded()))
                || live.contains(&path.case_folded())
                || parents.contains(path)
        };
        self.snapshot
            .clashes
            .iter()
            .filter(|(a, b)| touched(a) || touched(b))
            .cloned()
            .collect()
    }

    fn is_touched(&self, name: &str) -> bool {
        name.match_indices('/')
            .any(|(at, _)| self.inspected.contains(&CaseFolded::of(&name[..at])))
    }
}

/// Returns the reason to refuse an object that a swap cannot handle.
fn unsupported(path: &RelPath, kind: FileKind) -> Reason {
    let message = format!("`{}` is {}", Escaped(path.as_str()), kind.with_article());
    Reason::new(ReasonKind::NotReady, message)
        .help("rollup changes only files and directories; move it elsewhere")
}
