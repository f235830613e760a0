//! Check that the disk has enough space.

use super::refusal::{Reason, ReasonKind};
use super::{Context, NewEntryKind, PlanSource, Swap};
use crate::deployment::free_space::FreeSpace;

/// Bytes that a run keeps beside its slots (journal, reserve, events), generously.
const OVERHEAD_BYTES: u64 = 4 * 1024 * 1024;
/// Number of files and directories beside its slots.
const OVERHEAD_INODES: u64 = 16;

/// Returns a reason to refuse a plan whose new objects do not fit on the disk beside the old ones.
/// Sources count a second time, because installers are unpacked from verified copies.
pub(super) fn lack_of_space(
    swaps: &[Swap],
    sources: &[PlanSource],
    context: &Context,
    free: Option<FreeSpace>,
) -> Option<Reason> {
    let free = free?;
    let blocks = |size: u64| size.div_ceil(free.block) * free.block;
    let (mut bytes, mut inodes) = (OVERHEAD_BYTES, OVERHEAD_INODES);
    for swap in swaps {
        // The slot itself is a directory.
        bytes += free.block;
        inodes += 1 + swap.new.len() as u64;
        for entry in &swap.new {
            bytes += match &entry.kind {
                NewEntryKind::Directory => free.block,
                NewEntryKind::File { size, .. } => blocks(*size),
            };
        }
    }
    bytes += sources
        .iter()
        .map(|source| blocks(source.size))
        .sum::<u64>();
    // The plan and the manifest are kept; the plan grows with the entries that it describes.
    bytes += swaps
        .iter()
        .map(|swap| 1024 * (swap.new.len() + swap.old.len()) as u64)
        .sum::<u64>();
    let instances = context
        .console
        .iter()
        .flat_map(|group| &group.items)
        .map(|item| item.instances.len() as u64);
    bytes += 512 * instances.sum::<u64>();
    inodes += sources.len() as u64;
    // Some file systems count no inodes.
    let lacks_inodes = free.inodes != u64::MAX && inodes > free.inodes;
    if bytes <= free.bytes && !lacks_inodes {
        return None;
    }
    let message = if lacks_inodes {
        format!(
            "the disk is too small: {inodes} more files and directories are needed, {} are free",
            free.inodes
        )
    } else {
        format!(
            "the disk is too small: {} are needed, {} are free",
            mebibytes(bytes),
            mebibytes(free.bytes)
        )
    };
    let help = "make room on the file system of the deployment; nothing has changed";
    Some(Reason::new(ReasonKind::NotReady, message).help(help))
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_is_reported_with_the_needed_and_the_free_space() {
        let free = |bytes, inodes| {
            Some(FreeSpace {
                bytes,
                inodes,
                block: 4096,
                total: 0,
            })
        };
        assert!(
            lack_of_space(
                &[],
                &[],
                &Context::default(),
                free(OVERHEAD_BYTES, OVERHEAD_INODES)
            )
            .is_none()
        );
        let bytes = lack_of_space(
            &[],
            &[],
            &Context::default(),
            free(OVERHEAD_BYTES - 1, u64::MAX),
        )
        .expect("one byte is missing");
        assert_eq!(
            bytes.message,
            "the disk is too small: 4.0 MiB are needed, 4.0 MiB are free"
        );
        let inodes = lack_of_space(
            &[],
            &[],
            &Context::default(),
            free(u64::MAX, OVERHEAD_INODES - 1),
        )
        .expect("one inode is missing");
        assert!(
            inodes.message.contains("16 more files and directories"),
            "{}",
            inodes.message
        );
        assert!(
            lack_of_space(&[], &[], &Context::default(), None).is_none(),
            "a file system that does not report its free space is trusted"
        );
    }
}
