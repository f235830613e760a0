//! Swaps of a step, made from its placements.

use super::planner::{Placement, Planner};
use super::{Entry, NewEntry, NewEntryKind, Origin, Swap};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::tree::FileKind;
use crate::names::{Digest, RelPath};

impl Planner<'_> {
    /// Makes the swaps of the step that was just planned, and returns the number of the swap of
    /// each placement.
    pub(super) fn close_step(&mut self, step: Option<&str>) -> Vec<u32> {
        self.install_directories.clear();
        let placements = std::mem::take(&mut self.placements);
        let first = self.swaps.len() as u32 + 1;
        let numbers = (first..).take(placements.len()).collect();
        placements
            .into_iter()
            .for_each(|placement| self.swap(step, placement));
        numbers
    }

    fn swap(&mut self, step: Option<&str>, placement: Placement) {
        let Placement {
            live,
            mut new,
            unmanaged,
        } = placement;
        new.sort_by(|a, b| a.path.cmp(&b.path));
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

/// Returns the entries of an item's directory that holds nothing but this record.
pub(super) fn directory_with_record(directory: &RelPath, record: String) -> Vec<NewEntry> {
    let entry = NewEntry {
        path: directory.clone(),
        kind: NewEntryKind::Directory,
    };
    vec![entry, text_entry(ItemDir(directory).record(), record)]
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
