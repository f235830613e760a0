//! Fingerprints that a check took of the live paths, for the swaps of the same process.

use std::collections::BTreeMap;

/// Fingerprints of the live paths when they were compared with the plan: by swap, and then by entry
/// of its old object. Only compared within one process.
pub(super) type Fingerprints = BTreeMap<u32, Vec<Option<Fingerprint>>>;

/// Identity of an entry's file, and its modification time.
type Fingerprint = ((u64, u64), (i64, i64));
