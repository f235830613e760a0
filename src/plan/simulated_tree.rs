//! Deployment as it will be after each step: the snapshot, with the changes of the plan so far.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, EntryKind, NewEntry, NewEntryKind};
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::{FileFacts, FileKind};
use crate::names::{CaseFolded, RelPath};

/// Tree of the deployment during planning.
pub(super) struct SimulatedTree<'a> {
    snapshot: &'a Snapshot,
    /// Entries of every object that a step replaced or made; `None` if an entry was removed.
    changed: BTreeMap<CaseFolded, Option<Entry>>,
    /// Containers of the objects that steps made, in the spelling of the first one.
    containers: BTreeMap<CaseFolded, RelPath>,
}

/// Parts that a new object takes over from the one it replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeptEntries {
    /// Directories that lead to unmanaged entries.
    pub(super) directories: Vec<RelPath>,
    /// Topmost unmanaged files and directories.
    pub(super) unmanaged: Vec<RelPath>,
}

impl<'a> SimulatedTree<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            changed: BTreeMap::new(),
            containers: BTreeMap::new(),
        }
    }

    /// Returns the path in its current spelling, as far as it exists.
    pub(super) fn actual(&self, wanted: &RelPath) -> RelPath {
        match self.changed.get(&wanted.case_folded()) {
            Some(Some(entry)) => return entry.path.clone(),
            Some(None) => {}
            None => {
                if let Some(found) = self.snapshot.node(wanted) {
                    return found.path.clone();
                }
            }
        }
        if let Some(made) = self.containers.get(&wanted.case_folded()) {
            return made.clone();
        }
        match wanted.parent() {
            None => wanted.clone(),
            Some(parent) => self
                .actual(&parent)
                .join(wanted.name())
                .expect("the parts of a path"),
        }
    }

    /// Returns whether a step changed the object at a live path.
    pub(super) fn is_changed(&self, live: &RelPath) -> bool {
        self.changed.contains_key(&live.case_folded())
    }

    /// Returns the entries at and below a live path, the object itself first. Every file on disk
    /// that is not one of the managed paths is unmanaged.
    pub(super) fn object(&self, live: &RelPath, managed: &BTreeSet<CaseFolded>) -> Vec<Entry> {
        let mut entries = match self.is_changed(live) {
            true => self.changed_object(live),
            false => self.found_object(live, managed),
        };
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries
    }

    fn changed_object(&self, live: &RelPath) -> Vec<Entry> {
        let case_folded = live.case_folded();
        let prefix = CaseFolded::of(&format!("{}/", case_folded.as_str()));
        let itself = self.changed.get(&case_folded).into_iter();
        let below = self.changed.range(prefix.clone()..);
        let below = below
            .take_while(|(path, _)| path.as_str().starts_with(prefix.as_str()))
            .map(|(_, entry)| entry);
        itself.chain(below).flatten().cloned().collect()
    }

    fn found_object(&self, live: &RelPath, managed: &BTreeSet<CaseFolded>) -> Vec<Entry> {
        let Some(object) = self.snapshot.node(live) else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        for found in std::iter::once(object).chain(self.snapshot.below(live)) {
            let kind = match (found.kind, self.snapshot.facts(&found.path)) {
                (FileKind::Directory, _) => EntryKind::Directory,
                (_, Some(FileFacts { size, sha256 }))
                    if managed.contains(&found.path.case_folded()) =>
                {
                    EntryKind::File { size, sha256 }
                }
                _ => EntryKind::Unmanaged,
            };
            let path = found.path.clone();
            entries.push(Entry { path, kind });
        }
        entries
    }

    /// Replaces the old object at a live path by a new one, and by the entries that move along with
    /// it.
    pub(super) fn replace(
        &mut self,
        live: &RelPath,
        old: &[Entry],
        new: &[NewEntry],
        along: Vec<Entry>,
    ) {
        for container in live.ancestors() {
            self.containers
                .entry(container.case_folded())
                .or_insert(container);
        }
        for entry in old {
            self.changed.insert(entry.path.case_folded(), None);
        }
        for entry in new.iter().map(NewEntry::entry).chain(along) {
            self.changed.insert(entry.path.case_folded(), Some(entry));
        }
    }
}

/// Entries of the object at a live path, divided by the object that replaces it.
pub(super) struct DividedObject {
    /// Managed entries, and the topmost unmanaged ones: what is in an unmanaged directory moves
    /// along with it, and is not listed.
    pub(super) entries: Vec<Entry>,
    /// All unmanaged entries.
    pub(super) along: Vec<Entry>,
}

/// Divides an object. A directory is managed if a managed file of the old or the new object is below
/// it, or if the new object has it.
pub(super) fn divide(live: &RelPath, object: Vec<Entry>, new: &[NewEntry]) -> DividedObject {
    let is_file = |entry: &&Entry| matches!(entry.kind, EntryKind::File { .. });
    let of_old = object
        .iter()
        .filter(is_file)
        .flat_map(|entry| entry.path.ancestors());
    let of_new = new.iter().flat_map(|entry| {
        let itself = matches!(entry.kind, NewEntryKind::Directory).then(|| entry.path.clone());
        entry.path.ancestors().chain(itself)
    });
    let managed: BTreeSet<CaseFolded> = of_old
        .chain(of_new)
        .map(|path| path.case_folded())
        .collect();
    let is_managed = |path: &RelPath| path == live || managed.contains(&path.case_folded());
    let mut divided = DividedObject {
        entries: Vec::new(),
        along: Vec::new(),
    };
    for entry in object {
        match entry.kind {
            EntryKind::File { .. } => divided.entries.push(entry),
            EntryKind::Directory if is_managed(&entry.path) => divided.entries.push(entry),
            _ => {
                if entry.path == *live
                    || entry
                        .path
                        .parent()
                        .is_some_and(|parent| is_managed(&parent))
                {
                    divided.entries.push(Entry {
                        path: entry.path.clone(),
                        kind: EntryKind::Unmanaged,
                    });
                }
                divided.along.push(entry);
            }
        }
    }
    divided
}

/// Returns what a new object takes over from an object that was divided by it.
pub(super) fn kept(live: &RelPath, entries: &[Entry]) -> KeptEntries {
    let unmanaged = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Unmanaged);
    let unmanaged: Vec<RelPath> = unmanaged.map(|entry| entry.path.clone()).collect();
    let leading = unmanaged.iter().flat_map(RelPath::ancestors);
    let leading: BTreeSet<RelPath> = leading.filter(|path| path.below(live).is_some()).collect();
    KeptEntries {
        directories: leading.into_iter().collect(),
        unmanaged,
    }
}

/// Spells the paths of new entries like those of the directories that stay and of the files that
/// are replaced. Fails with the first new entry that would replace an unmanaged one, and with that
/// one.
pub(super) fn respell(
    new: &mut Vec<NewEntry>,
    old: &[Entry],
    kept: &KeptEntries,
) -> Result<(), (RelPath, RelPath)> {
    let spelled: BTreeMap<CaseFolded, &RelPath> = old
        .iter()
        .map(|entry| (entry.path.case_folded(), &entry.path))
        .collect();
    let unmanaged: BTreeMap<CaseFolded, &RelPath> = kept
        .unmanaged
        .iter()
        .map(|path| (path.case_folded(), path))
        .collect();
    let directories: BTreeSet<CaseFolded> =
        kept.directories.iter().map(RelPath::case_folded).collect();
    for entry in new.iter_mut() {
        for prefix in entry.path.ancestors().chain([entry.path.clone()]) {
            if let Some(&unmanaged) = unmanaged.get(&prefix.case_folded()) {
                return Err((entry.path.clone(), unmanaged.clone()));
            }
        }
        if matches!(entry.kind, NewEntryKind::File { .. })
            && directories.contains(&entry.path.case_folded())
        {
            return Err((entry.path.clone(), entry.path.clone()));
        }
        entry.path = spelling(&entry.path, &spelled);
    }
    let there: BTreeSet<CaseFolded> = new.iter().map(|entry| entry.path.case_folded()).collect();
    let missing = kept
        .directories
        .iter()
        .filter(|directory| !there.contains(&directory.case_folded()));
    new.extend(missing.map(|directory| NewEntry {
        path: directory.clone(),
        kind: NewEntryKind::Directory,
    }));
    new.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

fn spelling(path: &RelPath, spelled: &BTreeMap<CaseFolded, &RelPath>) -> RelPath {
    if let Some(&found) = spelled.get(&path.case_folded()) {
        return found.clone();
    }
    match path.parent() {
        None => path.clone(),
        Some(parent) => spelling(&parent, spelled)
            .join(path.name())
            .expect("the parts of a path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Digest;
    use crate::plan::Origin;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("a valid path")
    }

    fn directory(at: &str) -> NewEntry {
        NewEntry {
            path: path(at),
            kind: NewEntryKind::Directory,
        }
    }

    fn file(at: &str) -> NewEntry {
        let origin = Origin::Text(String::new());
        NewEntry {
            path: path(at),
            kind: NewEntryKind::File {
                size: 0,
                sha256: Digest::of(b""),
                origin,
            },
        }
    }

    fn kept(directories: &[&str], unmanaged: &[&str]) -> KeptEntries {
        let paths = |names: &[&str]| names.iter().map(|name| path(name)).collect();
        KeptEntries {
            directories: paths(directories),
            unmanaged: paths(unmanaged),
        }
    }

    #[test]
    fn new_entries_take_the_spelling_of_the_directories_that_stay() {
        let old = [Entry {
            path: path("Item/FILES"),
            kind: EntryKind::Directory,
        }];
        let mut new = vec![directory("Item/files"), file("Item/files/a.dll")];
        let kept = kept(
            &["Item/FILES", "Item/FILES/own"],
            &["Item/FILES/own/notes.txt"],
        );
        respell(&mut new, &old, &kept).expect("no conflict");
        let paths: Vec<_> = new.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["Item/FILES", "Item/FILES/a.dll", "Item/FILES/own"]);
    }

    #[test]
    fn new_entries_never_replace_unmanaged_ones() {
        let placed = |new: NewEntry, kept: KeptEntries| respell(&mut vec![new], &[], &kept);
        assert!(placed(file("Item/A.DLL"), kept(&[], &["Item/a.dll"])).is_err());
        // An unmanaged file at the path of a managed directory, and the reverse.
        assert!(placed(file("Item/a/b.dll"), kept(&[], &["Item/A"])).is_err());
        assert!(placed(file("Item/a"), kept(&["Item/A"], &[])).is_err());
        assert!(placed(file("Item/a.dll"), kept(&[], &["Item/b.dll"])).is_ok());
    }
}
