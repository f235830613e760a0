//! Position of the procedure in the tree of the console.

use std::collections::{BTreeMap, BTreeSet};

use rollup_names::CaseFolded;

/// Largest depth of a console.
const DEEPEST: usize = 32;

/// Expanded nodes, and the groups of the items that were named before.
#[derive(Debug, Default)]
pub(super) struct ConsolePosition {
    path: Vec<String>,
    /// True if a command followed the last node that was expanded.
    acted: bool,
    /// Names at which a walk began.
    roots: BTreeSet<CaseFolded>,
    /// Groups by the names of their items.
    groups: BTreeMap<CaseFolded, String>,
    /// True if the current walk opened several nodes in one sentence.
    at_once: bool,
    /// Paths at which nodes were expanded; nothing if one name occurs at several.
    nodes: BTreeMap<CaseFolded, Option<String>>,
}

impl ConsolePosition {
    /// Leaves the current node: a new part of the procedure is about the whole tree again.
    pub(super) fn leave(&mut self) {
        self.path.clear();
        self.acted = false;
    }

    /// Expands nodes. Several nodes in one sentence start at the root. A single one is below the
    /// last one, or beside it if a command was given there. Returns the last one if the new one may
    /// also be beside it.
    pub(super) fn expand(&mut self, names: &[String], from_root: bool) -> Option<String> {
        let first = names.first()?;
        let mut unlike = None;
        // A hostile text may name more levels than any console has.
        let names = &names[..names.len().min(DEEPEST)];
        if self.path.len() >= DEEPEST {
            self.path.clear();
        }
        if names.len() > 1 || from_root || self.roots.contains(&CaseFolded::of(first)) {
            self.path.clear();
        } else if self.acted
            && let Some(last) = self.path.pop()
            && self.at_once
            && !is_like(&last, first)
        {
            // After a sentence that opened all nodes at once, the next one may start at the root
            // again.
            self.path.clear();
            unlike = Some(last);
        }
        self.at_once = names.len() > 1 || self.at_once && !self.path.is_empty();
        if self.path.is_empty() {
            self.roots.insert(CaseFolded::of(first));
        }
        for name in names {
            self.path.push(name.clone());
            let path = Some(self.path.join("/"));
            let known = self.nodes.entry(CaseFolded::of(name));
            let known = known.or_insert_with(|| path.clone());
            if *known != path {
                *known = None;
            }
        }
        self.acted = false;
        unlike
    }

    /// Goes back to a node above, or expands it if there is none of that name.
    pub(super) fn under(&mut self, name: &str) {
        match self.above(name) {
            Some(above) => self.path.truncate(above.len() + 1),
            None => {
                self.expand(&[name.to_owned()], false);
            }
        }
    }

    pub(super) fn acted(&mut self) {
        self.acted = true;
    }

    /// Returns the node that was expanded last.
    pub(super) fn last(&self) -> Option<&String> {
        self.path.last()
    }

    /// Returns the expanded nodes above one of them.
    fn above(&self, name: &str) -> Option<&[String]> {
        let name = CaseFolded::of(name);
        let mut path = self.path.iter();
        let at = path.position(|part| CaseFolded::of(part) == name)?;
        Some(&self.path[..at])
    }

    /// Returns the group of an item: the expanded nodes, or the group in which it was named before.
    pub(super) fn group_of(&mut self, item: &str) -> Option<String> {
        let case_folded = CaseFolded::of(item);
        let above = self.above(item).unwrap_or(&self.path);
        if above.is_empty() {
            return self.groups.get(&case_folded).cloned();
        }
        let group = above.join("/");
        self.groups.insert(case_folded, group.clone());
        Some(group)
    }

    /// Returns the path of a group that is named by its last part.
    pub(super) fn group(&self, name: &str) -> String {
        let case_folded = CaseFolded::of(name);
        let above = match self.above(name) {
            Some(above) => above,
            // A node at which a walk began is at the root, wherever the last walk ended.
            None if self.roots.contains(&case_folded) => &[],
            None => &self.path,
        };
        match self.nodes.get(&case_folded) {
            Some(Some(path)) if self.path.is_empty() && !self.roots.contains(&case_folded) => {
                path.clone()
            }
            _ => [above, &[name.to_owned()]].concat().join("/"),
        }
    }
}

/// Returns whether nodes are of one kind: they have a word in common, such as "A Web Service" and
/// "B Web Service".
fn is_like(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one.split(' ')
        .any(|word| other.split(' ').any(|second| second == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_node_of_another_kind_begins_a_walk_and_is_returned() {
        let mut console = ConsolePosition::default();
        console.expand(&names(&["Mill", "Mill Providers"]), false);
        console.acted();
        assert_eq!(
            console.expand(&names(&["Web Services"]), false).as_deref(),
            Some("Mill Providers")
        );
        assert_eq!(console.group("Flour Service"), "Web Services/Flour Service");
        console.expand(&names(&["Mill", "Mill Providers"]), false);
        console.acted();
        assert_eq!(console.expand(&names(&["Mill Configuration"]), false), None);
        assert_eq!(console.group("X"), "Mill/Mill Configuration/X");
    }

    #[test]
    fn a_single_node_is_beside_the_last_one_or_below_it() {
        let mut console = ConsolePosition::default();
        console.expand(&names(&["Web", "One Service"]), false);
        assert_eq!(console.group_of("One Service").as_deref(), Some("Web"));
        console.acted();
        console.expand(&names(&["Two Service"]), false);
        assert_eq!(console.group_of("Two Service").as_deref(), Some("Web"));
        console.expand(&names(&["Deeper"]), false);
        assert_eq!(
            console.group_of("X").as_deref(),
            Some("Web/Two Service/Deeper")
        );
        console.acted();
        console.expand(&names(&["Web"]), false);
        assert_eq!(console.group("Inner"), "Web/Inner");
        console.leave();
        assert_eq!(
            (console.group("Web"), console.group_of("X").as_deref()),
            ("Web".to_owned(), Some("Web/Two Service/Deeper"))
        );
        assert_eq!(console.group("Deeper"), "Web/Two Service/Deeper");
    }
}
