//! Moves within a list whose order counts.

use std::collections::BTreeMap;

use crate::names::CaseFolded;

/// Position of an entry beside another one of its list, by that one's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    After(usize),
    Before(usize),
}

impl Anchor {
    /// Returns the word for it, and the index.
    pub(super) fn told(self) -> (&'static str, usize) {
        match self {
            Anchor::After(at) => ("after", at),
            Anchor::Before(at) => ("before", at),
        }
    }
}

/// Entry that both lists have, at another place in the order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// Index in the old list.
    pub(super) was: usize,
    /// Index in the new list.
    pub(super) is: usize,
    /// Old position, beside an entry that did not move.
    pub(super) behind: Anchor,
    /// New position, beside an entry that did not move.
    pub(super) ahead: Anchor,
}

/// Returns the position of an entry of a list: after the previous entry, or before the next one at
/// the head; `None` if it is alone.
pub(super) fn anchor(at: usize, length: usize) -> Option<Anchor> {
    match at.checked_sub(1) {
        Some(before) => Some(Anchor::After(before)),
        None => (length > 1).then_some(Anchor::Before(1)),
    }
}

/// Returns the fewest moves that turn the old order into the new one, in the new order. No list has
/// an entry twice.
pub(super) fn moves(old: &[CaseFolded], new: &[CaseFolded]) -> Vec<Move> {
    let places: BTreeMap<&CaseFolded, usize> = old
        .iter()
        .enumerate()
        .map(|(at, entry)| (entry, at))
        .collect();
    let pairs: Vec<(usize, usize)> = new
        .iter()
        .enumerate()
        .filter_map(|(is, entry)| Some((*places.get(entry)?, is)))
        .collect();
    let stays = longest_rising(&pairs);
    if stays.iter().all(|stays| *stays) {
        return Vec::new();
    }
    let (mut still_old, mut still_new) = (vec![false; old.len()], vec![false; new.len()]);
    for (&(was, is), _) in pairs.iter().zip(&stays).filter(|(_, stays)| **stays) {
        still_old[was] = true;
        still_new[is] = true;
    }
    let (behind, ahead) = (anchors(&still_old), anchors(&still_new));
    let moved = pairs.iter().zip(&stays).filter(|(_, stays)| !**stays);
    // At least one entry always stays: one entry alone is in order.
    moved
        .filter_map(|(&(was, is), _)| {
            Some(Move {
                was,
                is,
                behind: behind[was]?,
                ahead: ahead[is]?,
            })
        })
        .collect()
}

/// Returns, for every index, the nearest entry before it that did not move, or else the nearest
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

/// Returns which of the pairs form the longest run whose first halves rise, by patience sorting.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<bool> {
    let mut piles: Vec<usize> = Vec::new();
    let mut below: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (was, _)) in pairs.iter().enumerate() {
        let pile = piles.partition_point(|&top| pairs[top].0 < *was);
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
        let told = |anchor: Anchor, list: &str| {
            let (word, at) = anchor.told();
            format!("{word} {}", &list[at..=at])
        };
        let moves = moves(&list(old), &list(new)).into_iter();
        moves
            .map(|shift| {
                assert!(old[shift.was..=shift.was].eq_ignore_ascii_case(&new[shift.is..=shift.is]));
                format!(
                    "{}: {}, {}",
                    &new[shift.is..=shift.is],
                    told(shift.behind, old),
                    told(shift.ahead, new)
                )
            })
            .collect()
    }

    #[test]
    fn as_little_as_possible_is_said_to_move() {
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
    fn what_comes_and_goes_moves_nothing() {
        assert_eq!(moved("abcd", "xaybzd"), [""; 0]);
        assert_eq!(moved("", "ab"), [""; 0]);
        assert_eq!(moved("xab", "bya"), ["b: after a, before a"]);
    }
}
