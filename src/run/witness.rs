//! What a check saw at the live paths, for the swaps of the same process.

use std::collections::BTreeMap;

/// State of the live paths when they were compared with the plan: by swap, and then by entry of the
/// old object, the identity of the file and its modification time. Only compared within one
/// process.
pub(super) type Witness = BTreeMap<u32, Vec<Option<Seen>>>;

/// Identity of an entry's file, and the time when its contents were last changed.
type Seen = ((u64, u64), (i64, i64));
