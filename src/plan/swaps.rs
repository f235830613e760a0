//! Entries of the new objects of swaps.

use super::{NewEntry, NewEntryKind, Origin};
use crate::deployment::item_dir::ItemDir;
use crate::names::{Digest, RelPath};

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
