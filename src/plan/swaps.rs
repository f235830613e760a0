//! Swaps of a step, made from its placements.

use std::collections::BTreeMap;

use super::planner::{Placement, Planner};
use super::{Entry, NewEntry, NewEntryKind, Origin, Swap};
use crate::deployment::tree::FileKind;
use crate::names::{CaseFolded, Digest, RelPath};

impl Planner<'_> {
    /// Makes the swaps of the step that was just planned, and returns the number of the swap of
    /// each placement.
    ///
    /// If the parent of a live path is missing, the live path becomes the topmost missing
    /// directory, and everything that the step places below it is one object.
    pub(super) fn close_step(&mut self, step: Option<&str>) -> Vec<u32> {
        let placements = std::mem::take(&mut self.placements);
        self.install_directories.clear();
        let mut objects: Vec<Placement> = Vec::new();
        let mut raised: BTreeMap<CaseFolded, usize> = BTreeMap::new();
        let mut object_of = Vec::new();
        for placement in placements {
            let Some(top) = self.tree.topmost_missing(&placement.live) else {
                object_of.push(objects.len());
                objects.push(placement);
                continue;
            };
            let at = *raised.entry(top.case_folded()).or_insert(objects.len());
            if at == objects.len() {
                objects.push(Placement {
                    live: top.clone(),
                    new: Vec::new(),
                    unmanaged: placement.unmanaged,
                });
            }
            objects[at].new.extend(
                missing_directories(&top, &placement.live)
                    .into_iter()
                    .chain(placement.new),
            );
            object_of.push(at);
        }
        let first = self.swaps.len() as u32 + 1;
        objects
            .into_iter()
            .for_each(|object| self.swap(step, object));
        object_of.into_iter().map(|at| first + at as u32).collect()
    }

    fn swap(&mut self, step: Option<&str>, object: Placement) {
        let Placement {
            live,
            mut new,
            unmanaged,
        } = object;
        new.sort_by(|a, b| a.path.cmp(&b.path));
        // Two placements below one new directory both contain its parent directories.
        new.dedup_by(|a, b| a.path == b.path);
        let old: Vec<Entry> = self.tree.object(&live);
        self.tree.replace(&live, &new, &unmanaged);
        let number = self.swaps.len() as u32 + 1;
        self.swaps.push(Swap {
            number,
            step: step.map(str::to_owned),
            live,
            old,
            new,
            unmanaged,
        });
    }

    /// Adds the placement of a text file at a live path.
    pub(super) fn place_text(&mut self, at: &RelPath, text: String) {
        let live = self.tree.actual(at);
        self.inspect(&live, FileKind::File);
        self.tree.load(&live, &[live.case_folded()].into());
        let new = vec![text_entry(live.clone(), text)];
        self.placements.push(Placement {
            live,
            new,
            unmanaged: Vec::new(),
        });
    }
}

/// Returns an entry whose contents are in the plan itself.
pub(super) fn text_entry(path: RelPath, text: String) -> NewEntry {
    let (size, sha256) = (text.len() as u64, Digest::of(text.as_bytes()));
    NewEntry {
        path,
        kind: NewEntryKind::File {
            size,
            sha256,
            origin: Origin::Text(text),
        },
    }
}

/// Returns the directories from a topmost missing one down to the parent of a live path.
fn missing_directories(top: &RelPath, live: &RelPath) -> Vec<NewEntry> {
    let depth = top.parts().count();
    let directories = live
        .ancestors()
        .filter(|directory| directory.parts().count() >= depth);
    directories
        .map(|path| NewEntry {
            path,
            kind: NewEntryKind::Directory,
        })
        .collect()
}
