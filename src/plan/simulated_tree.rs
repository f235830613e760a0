//! Deployment as it will be after each step: the snapshot, with the changes of the plan so far.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, EntryKind, NewEntry, NewEntryKind};
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::FileKind;
use crate::names::{CaseFolded, RelPath};

/// Tree of the deployment during planning.
pub(super) struct SimulatedTree<'a> {
    snapshot: &'a Snapshot,
    /// Entries of every object that was touched or made; `None` if an entry was removed.
    changed: BTreeMap<CaseFolded, Option<Entry>>,
    /// Live paths whose object was loaded from the snapshot.
    loaded: BTreeSet<CaseFolded>,
}

/// Parts that a new object takes over from the one it replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeptEntries {
    /// Unmanaged directories, and those that lead to unmanaged files.
    pub(super) directories: Vec<RelPath>,
    /// Unmanaged files.
    pub(super) unmanaged: Vec<RelPath>,
}

impl<'a> SimulatedTree<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            changed: BTreeMap::new(),
            loaded: BTreeSet::new(),
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
        match wanted.parent() {
            None => wanted.clone(),
            Some(parent) => self
                .actual(&parent)
                .join(wanted.name())
                .expect("the parts of a path"),
        }
    }

    /// Loads the object at a live path from the snapshot, once. Every file in it that is not one of
    /// the managed paths is unmanaged. Returns whether this was the first time.
    pub(super) fn load(&mut self, live: &RelPath, managed: &BTreeSet<CaseFolded>) -> bool {
        if !self.loaded.insert(live.case_folded()) || self.changed.contains_key(&live.case_folded())
        {
            return false;
        }
        let Some(object) = self.snapshot.node(live) else {
            return false;
        };
        for found in std::iter::once(object).chain(self.snapshot.below(live)) {
            let case_folded = found.path.case_folded();
            let kind = match (found.kind, self.snapshot.facts(&found.path)) {
                (FileKind::Directory, _) => EntryKind::Directory,
                (_, Some(facts)) if managed.contains(&case_folded) => EntryKind::File {
                    size: facts.size,
                    sha256: facts.sha256,
                },
                _ => EntryKind::Unmanaged,
            };
            self.changed.insert(
                case_folded,
                Some(Entry {
                    path: found.path.clone(),
                    kind,
                }),
            );
        }
        true
    }

    /// Returns the entries at and below a live path that was loaded or made, the object itself
    /// first.
    pub(super) fn object(&self, live: &RelPath) -> Vec<Entry> {
        let case_folded = live.case_folded();
        let prefix = CaseFolded::of(&format!("{}/", case_folded.as_str()));
        let itself = self.changed.get(&case_folded).into_iter();
        let below = self.changed.range(prefix.clone()..);
        let below = below
            .take_while(|(path, _)| path.as_str().starts_with(prefix.as_str()))
            .map(|(_, entry)| entry);
        let mut entries: Vec<_> = itself.chain(below).flatten().cloned().collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries
    }

    /// Returns the unmanaged parts of an object, without the directories that only managed files
    /// need.
    pub(super) fn kept(&self, live: &RelPath) -> KeptEntries {
        let object = self.object(live);
        let unmanaged: Vec<RelPath> = object
            .iter()
            .filter(|e| e.kind == EntryKind::Unmanaged)
            .map(|e| e.path.clone())
            .collect();
        let directories = object
            .iter()
            .filter(|e| e.kind == EntryKind::Directory)
            .map(|e| &e.path);
        let mut managed: BTreeSet<RelPath> = BTreeSet::new();
        for entry in object
            .iter()
            .filter(|entry| matches!(entry.kind, EntryKind::File { .. }))
        {
            managed.extend(entry.path.ancestors());
        }
        let is_unmanaged = |directory: &RelPath| directory != live && !managed.contains(directory);
        let mut needed: BTreeSet<RelPath> = directories
            .filter(|directory| is_unmanaged(directory))
            .cloned()
            .collect();
        let leading: Vec<_> = unmanaged
            .iter()
            .chain(&needed)
            .flat_map(|path| path.ancestors())
            .collect();
        needed.extend(
            leading
                .into_iter()
                .filter(|directory| directory.below(live).is_some()),
        );
        KeptEntries {
            directories: needed.into_iter().collect(),
            unmanaged,
        }
    }

    /// Replaces the old object by a new one; unmanaged files stay.
    pub(super) fn replace(&mut self, live: &RelPath, new: &[NewEntry], unmanaged: &[RelPath]) {
        for entry in self.object(live) {
            self.changed.insert(entry.path.case_folded(), None);
        }
        for entry in new {
            self.changed
                .insert(entry.path.case_folded(), Some(entry.entry()));
        }
        for path in unmanaged {
            let entry = Entry {
                path: path.clone(),
                kind: EntryKind::Unmanaged,
            };
            self.changed.insert(path.case_folded(), Some(entry));
        }
        self.loaded.insert(live.case_folded());
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
