//! Swaps of a step, made from its puts.

use std::collections::BTreeMap;

use super::planner::{Planner, Put};
use super::{Entry, NewEntry, NewWhat, Origin, Swap};
use crate::deployment::tree::FileKind;
use crate::names::{CaseFolded, Digest, RelPath};

impl Planner<'_> {
    /// Makes the swaps of the step that was just walked, and returns which one each put became.
    ///
    /// If the parent of a live path is missing, the path is raised to the topmost missing
    /// directory, and all that the step puts below it is one object.
    pub(super) fn close_step(&mut self, step: Option<&str>) -> Vec<u32> {
        let puts = std::mem::take(&mut self.puts);
        self.laid_down.clear();
        let mut objects: Vec<Put> = Vec::new();
        let mut raised: BTreeMap<CaseFolded, usize> = BTreeMap::new();
        let mut object_of = Vec::new();
        for put in puts {
            let Some(top) = self.world.topmost_missing(&put.live) else {
                object_of.push(objects.len());
                objects.push(put);
                continue;
            };
            let at = *raised.entry(top.case_folded()).or_insert(objects.len());
            if at == objects.len() {
                objects.push(Put {
                    live: top.clone(),
                    new: Vec::new(),
                    unmanaged: put.unmanaged,
                });
            }
            objects[at].new.extend(
                missing_directories(&top, &put.live)
                    .into_iter()
                    .chain(put.new),
            );
            object_of.push(at);
        }
        let first = self.swaps.len() as u32 + 1;
        objects
            .into_iter()
            .for_each(|object| self.swap(step, object));
        object_of.into_iter().map(|at| first + at as u32).collect()
    }

    fn swap(&mut self, step: Option<&str>, object: Put) {
        let Put {
            live,
            mut new,
            unmanaged,
        } = object;
        new.sort_by(|a, b| a.path.cmp(&b.path));
        // Two puts below one new directory both bring its parent directories.
        new.dedup_by(|a, b| a.path == b.path);
        let old: Vec<Entry> = self.world.object(&live);
        self.world.replace(&live, &new, &unmanaged);
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

    /// Puts a text file at a live path.
    pub(super) fn put_text(&mut self, at: &RelPath, text: String) {
        let live = self.world.actual(at);
        self.inspect(&live, FileKind::File);
        self.world.load(&live, &[live.case_folded()].into());
        let new = vec![text_entry(live.clone(), text)];
        self.puts.push(Put {
            live,
            new,
            unmanaged: Vec::new(),
        });
    }
}

/// Returns an entry whose bytes the plan itself holds.
pub(super) fn text_entry(path: RelPath, text: String) -> NewEntry {
    let (size, sha256) = (text.len() as u64, Digest::of(text.as_bytes()));
    NewEntry {
        path,
        what: NewWhat::File {
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
            what: NewWhat::Directory,
        })
        .collect()
}
