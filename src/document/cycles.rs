//! Cycles among the entries of documents, such as items that require each other.

/// Node of a path, with the number of the link that is followed from it.
pub type Hop = (usize, usize);

/// Returns the cycles among `count` nodes, each as its nodes in order with the links between them.
/// Of cycles that share a node only the first is returned. `link_of` returns the target of one link
/// of a node by its number from 0, or `None` behind the last one.
///
/// Walks depth first, without recursion: a path may be as long as a document.
pub fn cycles(count: usize, link_of: impl Fn(usize, usize) -> Option<usize>) -> Vec<Vec<Hop>> {
    let mut is_seen = vec![false; count];
    let mut is_in_cycle = vec![false; count];
    let mut place_in_path: Vec<Option<usize>> = vec![None; count];
    let mut found = Vec::new();
    for start in 0..count {
        if is_seen[start] {
            continue;
        }
        let mut walk = Path::default();
        let mut next = Some(start);
        loop {
            if let Some(node) = next.take() {
                is_seen[node] = true;
                place_in_path[node] = Some(walk.hops.len());
                walk.enter(node, is_in_cycle[node]);
            }
            let Some((node, links)) = walk.hops.last_mut() else {
                break;
            };
            let Some(target) = link_of(*node, *links) else {
                place_in_path[*node] = None;
                walk.leave();
                continue;
            };
            *links += 1;
            match place_in_path[target] {
                Some(from) if walk.is_free_from(from) => {
                    let cycle = walk.close(from);
                    cycle.iter().for_each(|(node, _)| is_in_cycle[*node] = true);
                    found.push(cycle);
                }
                Some(_) => {}
                None => next = (!is_seen[target]).then_some(target),
            }
        }
    }
    found
}

/// Way from the start to the current node.
#[derive(Default)]
struct Path {
    /// Nodes, each with the number of links that were taken up.
    hops: Vec<Hop>,
    /// For every node, the place of the last one at or before it that is in a cycle already.
    taken: Vec<Option<usize>>,
}

impl Path {
    fn enter(&mut self, node: usize, is_in_cycle: bool) {
        let before = self.taken.last().copied().flatten();
        let here = Some(self.hops.len());
        self.taken.push(if is_in_cycle { here } else { before });
        self.hops.push((node, 0));
    }

    fn leave(&mut self) {
        self.hops.pop();
        self.taken.pop();
    }

    /// Returns whether no node from this place on is in a cycle.
    fn is_free_from(&self, place: usize) -> bool {
        let last = self.taken.last().copied().flatten();
        last.is_none_or(|last| last < place)
    }

    /// Returns the cycle that begins at this place.
    fn close(&mut self, from: usize) -> Vec<Hop> {
        for place in from..self.taken.len() {
            self.taken[place] = Some(place);
        }
        self.hops[from..]
            .iter()
            .map(|&(node, links)| (node, links - 1))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles_of(links: &[&[usize]]) -> Vec<Vec<Hop>> {
        cycles(links.len(), |node, link| links[node].get(link).copied())
    }

    #[test]
    fn a_cycle_has_the_links_that_make_it() {
        assert_eq!(
            cycles_of(&[&[1], &[3, 2], &[1], &[]]),
            [vec![(1, 1), (2, 0)]]
        );
        assert_eq!(cycles_of(&[&[0]]), [vec![(0, 0)]]);
    }

    #[test]
    fn nodes_that_share_a_target_are_no_cycle() {
        assert!(cycles_of(&[&[1, 2], &[3], &[3], &[]]).is_empty());
    }

    #[test]
    fn of_cycles_that_share_a_node_the_first_is_returned() {
        assert_eq!(
            cycles_of(&[&[1, 2], &[0], &[0], &[4], &[3]]),
            [vec![(0, 0), (1, 0)], vec![(3, 0), (4, 0)]]
        );
    }

    #[test]
    fn a_path_may_be_long() {
        let count = 1_000_000;
        let found = cycles(count, |node, link| {
            (link == 0).then_some((node + 1) % count)
        });
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), count);
    }
}
