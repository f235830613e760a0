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
        let mut path: Vec<PathNode> = Vec::new();
        let mut next = (!is_seen[start]).then_some(start);
        loop {
            if let Some(node) = next.take() {
                is_seen[node] = true;
                place_in_path[node] = Some(path.len());
                let before = path.last().and_then(|last| last.taken);
                path.push(PathNode {
                    hop: (node, 0),
                    taken: is_in_cycle[node].then_some(path.len()).or(before),
                });
            }
            let Some(PathNode { hop, taken }) = path.last_mut() else {
                break;
            };
            let Some(target) = link_of(hop.0, hop.1) else {
                place_in_path[hop.0] = None;
                path.pop();
                continue;
            };
            hop.1 += 1;
            match place_in_path[target] {
                Some(from) if taken.is_none_or(|taken| taken < from) => {
                    let mut cycle = Vec::new();
                    for (place, node) in path.iter_mut().enumerate().skip(from) {
                        node.taken = Some(place);
                        is_in_cycle[node.hop.0] = true;
                        cycle.push((node.hop.0, node.hop.1 - 1));
                    }
                    found.push(cycle);
                }
                Some(_) => {}
                None => next = (!is_seen[target]).then_some(target),
            }
        }
    }
    found
}

/// Node of the path from the start to the current node.
struct PathNode {
    /// The node, and the number of its links that were followed.
    hop: Hop,
    /// Place of the last node at or before it that is in a cycle already.
    taken: Option<usize>,
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
