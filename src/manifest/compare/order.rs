//! Moves within a list whose order counts.

use std::collections::BTreeMap;

use crate::names::CaseFolded;

/// Position of an entry relative to another one of its list, given by the index of that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    After(usize),
    Before(usize),
}

impl Anchor {
    /// Returns the preposition, and the index of the other entry.
    pub(super) fn word_and_index(self) -> (&'static str, usize) {
        match self {
            Anchor::After(at) => ("after", at),
            Anchor::Before(at) => ("before", at),
        }
    }
}

/// Entry that both lists have, at another position in the order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListMove {
    /// Index in the old list.
    pub(super) old_index: usize,
    /// Index in the new list.
    pub(super) new_index: usize,
    /// Old position, relative to an entry that did not move.
    pub(super) old_anchor: Anchor,
    /// New position, relative to an entry that did not move.
    pub(super) new_anchor: Anchor,
}

/// Returns the position of an entry of a list: after the previous entry, or before the next one for
/// the first entry; `None` if it is the only one.
pub(super) fn anchor(at: usize, length: usize) -> Option<Anchor> {
    match at.checked_sub(1) {
        Some(before) => Some(Anchor::After(before)),
        None => (length > 1).then_some(Anchor::Before(1)),
    }
}

/// Returns the fewest moves that turn the old order into the new one, in the new order. No list has
/// an entry twice.
pub(super) fn moves(old: &[CaseFolded], new: &[CaseFolded]) -> Vec<ListMove> {
    let places: BTreeMap<&CaseFolded, usize> = old
        .iter()
        .enumerate()
        .map(|(at, entry)| (entry, at))
        .collect();
    let pairs: Vec<(usize, usize)> = new
        .iter()
        .enumerate()
        .filter_map(|(new_index, entry)| Some((*places.get(entry)?, new_index)))
        .collect();
    let stays = longest_rising(&pairs);
    if stays.iter().all(|stays| *stays) {
        return Vec::new();
    }
    let (mut still_old, mut still_new) = (vec![false; old.len()], vec![false; new.len()]);
    for (&(old_index, new_index), _) in pairs.iter().zip(&stays).filter(|(_, stays)| **stays) {
        still_old[old_index] = true;
        still_new[new_index] = true;
    }
    let (old_anchor, new_anchor) = (anchors(&still_old), anchors(&still_new));
    let moved = pairs.iter().zip(&stays).filter(|(_, stays)| !**stays);
    // At least one entry always stays: one entry alone is in order.
    moved
        .filter_map(|(&(old_index, new_index), _)| {
            Some(ListMove {
                old_index,
                new_index,
                old_anchor: old_anchor[old_index]?,
                new_anchor: new_anchor[new_index]?,
            })
        })
        .collect()
}

/// Returns, for every index, the nearest entry before it that did not move, or else the nearest one
/// after it.
fn anchors(still: &[bool]) -> Vec<Option<Anchor>> {
    let first = still.iter().position(|still| *still).map(Anchor::Before);
    let mut last = None;
    let mut anchors = Vec::with_capacity(still.len());
    for (at, still) in still.iter().enumerate() {
        anchors.push(last.or(first));
        if *still {
            last = Some(Anchor::After(at));
        }
    }
    anchors
}

/// Marks the pairs of the longest subsequence whose first halves increase, by patience sorting.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<bool> {
    let mut piles: Vec<usize> = Vec::new();
    let mut below: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (old_index, _)) in pairs.iter().enumerate() {
        let pile = piles.partition_point(|&top| pairs[top].0 < *old_index);
        below.push(pile.checked_sub(1).map(|pile| piles[pile]));
        match piles.get_mut(pile) {
            Some(top) => *top = at,
            None => piles.push(at),
        }
    }
    let mut stays = vec![false; pairs.len()];
    let mut next = piles.last().copied();
    while let Some(at) = next {
        stays[at] = true;
        next = below[at];
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(old: &str, new: &str) -> Vec<String> {
        let list = |text: &str| {
            text.chars()
                .map(|c| CaseFolded::of(&c.to_string()))
                .collect::<Vec<_>>()
        };
        let position = |anchor: Anchor, list: &str| {
            let (word, at) = anchor.word_and_index();
            format!("{word} {}", &list[at..=at])
        };
        let moves = moves(&list(old), &list(new)).into_iter();
        moves
            .map(|shift| {
                assert!(
                    old[shift.old_index..=shift.old_index]
                        .eq_ignore_ascii_case(&new[shift.new_index..=shift.new_index])
                );
                format!(
                    "{}: {}, {}",
                    &new[shift.new_index..=shift.new_index],
                    position(shift.old_anchor, old),
                    position(shift.new_anchor, new)
                )
            })
            .collect()
    }

    #[test]
    fn as_few_entries_as_possible_move() {
        assert_eq!(moved("abcd", "ABCD"), [""; 0]);
        assert_eq!(moved("abcd", "bcda"), ["a: before b, after d"]);
        assert_eq!(moved("abcd", "dabc"), ["d: after c, before a"]);
        assert_eq!(moved("abcde", "abdce").len(), 1);
        assert_eq!(
            moved("abcdef", "cdefab"),
            ["a: before c, after f", "b: before c, after f"]
        );
    }

    #[test]
    fn added_and_removed_entries_move_nothing() {
        assert_eq!(moved("abcd", "xaybzd"), [""; 0]);
        assert_eq!(moved("", "ab"), [""; 0]);
        assert_eq!(moved("xab", "bya"), ["b: after a, before a"]);
    }
}
