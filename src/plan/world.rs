//! The deployment as it will be, step by step: the snapshot, and the changes of the plan on top of
//! it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, NewEntry, NewWhat, What};
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::FileKind;
use crate::names::{CaseFolded, RelPath};

/// The simulated tree.
pub(super) struct World<'a> {
    snapshot: &'a Snapshot,
    /// Entries of every object that was touched or made; `None` if an entry was removed.
    changed: BTreeMap<CaseFolded, Option<Entry>>,
    /// Live paths whose object was loaded from the snapshot.
    loaded: BTreeSet<CaseFolded>,
}

/// Parts that a new object takes over from the one it replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Unmanaged directories, and those that lead to unmanaged files.
    pub(super) directories: Vec<RelPath>,
    /// Unmanaged files.
    pub(super) unmanaged: Vec<RelPath>,
}

impl<'a> World<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            changed: BTreeMap::new(),
            loaded: BTreeSet::new(),
        }
    }

    /// Returns the kind of the object that is at a path by now.
    pub(super) fn kind(&self, path: &RelPath) -> Option<FileKind> {
        match self.changed.get(&path.case_folded()) {
            Some(None) => None,
            Some(Some(Entry {
                what: What::Directory,
                ..
            })) => Some(FileKind::Directory),
            Some(Some(_)) => Some(FileKind::File),
            None => self.snapshot.node(path).map(|found| found.kind),
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

    /// Returns the topmost directory on the way to a path that does not exist yet, if its parent
    /// does not.
    pub(super) fn topmost_missing(&self, path: &RelPath) -> Option<RelPath> {
        path.ancestors()
            .find(|directory| self.kind(directory).is_none())
    }

    /// Loads the object at a live path from the snapshot, once. `ours` are the paths of the managed
    /// files in it; every other file is unmanaged. Returns whether this was the first time.
    pub(super) fn load(&mut self, live: &RelPath, ours: &BTreeSet<CaseFolded>) -> bool {
        if !self.loaded.insert(live.case_folded()) || self.changed.contains_key(&live.case_folded())
        {
            return false;
        }
        let Some(object) = self.snapshot.node(live) else {
            return false;
        };
        for found in std::iter::once(object).chain(self.snapshot.below(live)) {
            let case_folded = found.path.case_folded();
            let what = match (found.kind, self.snapshot.facts(&found.path)) {
                (FileKind::Directory, _) => What::Directory,
                (_, Some(facts)) if ours.contains(&case_folded) => What::File {
                    size: facts.size,
                    sha256: facts.sha256,
                },
                _ => What::Unmanaged,
            };
            self.changed.insert(
                case_folded,
                Some(Entry {
                    path: found.path.clone(),
                    what,
                }),
            );
        }
        true
    }

    /// Returns what is at and below a live path that was loaded or made, itself first.
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
    pub(super) fn kept(&self, live: &RelPath) -> Kept {
        let object = self.object(live);
        let unmanaged: Vec<RelPath> = object
            .iter()
            .filter(|e| e.what == What::Unmanaged)
            .map(|e| e.path.clone())
            .collect();
        let directories = object
            .iter()
            .filter(|e| e.what == What::Directory)
            .map(|e| &e.path);
        let mut ours: BTreeSet<RelPath> = BTreeSet::new();
        for entry in object
            .iter()
            .filter(|entry| matches!(entry.what, What::File { .. }))
        {
            ours.extend(entry.path.ancestors());
        }
        let is_his = |directory: &RelPath| directory != live && !ours.contains(directory);
        let mut needed: BTreeSet<RelPath> = directories
            .filter(|directory| is_his(directory))
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
        Kept {
            directories: needed.into_iter().collect(),
            unmanaged,
        }
    }

    /// Replaces the old object by a new one; unmanaged files stay where they are.
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
                what: What::Unmanaged,
            };
            self.changed.insert(path.case_folded(), Some(entry));
        }
        self.loaded.insert(live.case_folded());
    }
}

/// Gives new entries the spelling of what they meet: a directory that stays, or a file that is
/// replaced. Fails with the first new entry that would take the place of an unmanaged one, and with
/// that one.
pub(super) fn respell(
    new: &mut Vec<NewEntry>,
    old: &[Entry],
    kept: &Kept,
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
        if matches!(entry.what, NewWhat::File { .. })
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
        what: NewWhat::Directory,
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
            what: NewWhat::Directory,
        }
    }

    fn file(at: &str) -> NewEntry {
        let origin = Origin::Text(String::new());
        NewEntry {
            path: path(at),
            what: NewWhat::File {
                size: 0,
                sha256: Digest::of(b""),
                origin,
            },
        }
    }

    fn kept(directories: &[&str], unmanaged: &[&str]) -> Kept {
        let paths = |names: &[&str]| names.iter().map(|name| path(name)).collect();
        Kept {
            directories: paths(directories),
            unmanaged: paths(unmanaged),
        }
    }

    #[test]
    fn new_entries_take_the_spelling_of_the_directories_that_stay() {
        let old = [Entry {
            path: path("Item/FILES"),
            what: What::Directory,
        }];
        let mut new = vec![directory("Item/files"), file("Item/files/a.dll")];
        let kept = kept(
            &["Item/FILES", "Item/FILES/his"],
            &["Item/FILES/his/notes.txt"],
        );
        respell(&mut new, &old, &kept).expect("nothing stands in the way");
        let paths: Vec<_> = new.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["Item/FILES", "Item/FILES/a.dll", "Item/FILES/his"]);
    }

    #[test]
    fn an_operators_file_is_never_stood_in_place_of() {
        let clash = |new: NewEntry, kept: Kept| respell(&mut vec![new], &[], &kept);
        assert!(clash(file("Item/A.DLL"), kept(&[], &["Item/a.dll"])).is_err());
        // An unmanaged file where a managed directory should be, and the reverse.
        assert!(clash(file("Item/a/b.dll"), kept(&[], &["Item/A"])).is_err());
        assert!(clash(file("Item/a"), kept(&["Item/A"], &[])).is_err());
        assert!(clash(file("Item/a.dll"), kept(&[], &["Item/b.dll"])).is_ok());
    }
}
