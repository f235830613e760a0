//! Where the procedure stands in the console's tree.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::Folded;

/// A console has no more levels.
const DEEPEST: usize = 32;

/// The nodes that were expanded, and where items were met before.
#[derive(Debug, Default)]
pub(super) struct Console {
    path: Vec<String>,
    /// Something was done since the last node was expanded.
    acted: bool,
    /// Names from which a walk began.
    roots: BTreeSet<Folded>,
    /// The groups in which items were met.
    met: BTreeMap<Folded, String>,
    /// The walk at hand opened several nodes in one sentence.
    at_once: bool,
    /// The paths at which nodes were expanded; nothing where one name stands at several.
    nodes: BTreeMap<Folded, Option<String>>,
}

impl Console {
    /// A new part of the procedure looks at the whole tree again.
    pub(super) fn leave(&mut self) {
        self.path.clear();
        self.acted = false;
    }

    /// Several nodes in one sentence start at the root. A single one goes one deeper, or stands
    /// beside the last one where something was done there. Tells the last one where nothing says
    /// whether the new one stands beside it.
    pub(super) fn expand(&mut self, names: &[String], from_root: bool) -> Option<String> {
        let first = names.first()?;
        let mut unlike = None;
        // No console is as deep as a text that was made to hurt.
        let names = &names[..names.len().min(DEEPEST)];
        if self.path.len() >= DEEPEST {
            self.path.clear();
        }
        if names.len() > 1 || from_root || self.roots.contains(&Folded::of(first)) {
            self.path.clear();
        } else if self.acted
            && let Some(last) = self.path.pop()
            && self.at_once
            && !is_like(&last, first)
        {
            // A sentence that opened all nodes at once may be followed by one that begins anew.
            self.path.clear();
            unlike = Some(last);
        }
        self.at_once = names.len() > 1 || self.at_once && !self.path.is_empty();
        if self.path.is_empty() {
            self.roots.insert(Folded::of(first));
        }
        for name in names {
            self.path.push(name.clone());
            let path = Some(self.path.join("/"));
            let known = self
                .nodes
                .entry(Folded::of(name))
                .or_insert_with(|| path.clone());
            if *known != path {
                *known = None;
            }
        }
        self.acted = false;
        unlike
    }

    /// Goes back to a node above.
    pub(super) fn under(&mut self, name: &str) {
        match self
            .path
            .iter()
            .position(|part| Folded::of(part) == Folded::of(name))
        {
            Some(at) => self.path.truncate(at + 1),
            None => {
                self.expand(&[name.to_owned()], false);
            }
        }
    }

    pub(super) fn acted(&mut self) {
        self.acted = true;
    }

    /// The node that was expanded last.
    pub(super) fn last(&self) -> Option<&String> {
        self.path.last()
    }

    /// The group that an item stands in: the expanded nodes, or where it was met before.
    pub(super) fn group_of(&mut self, item: &str) -> Option<String> {
        let folded = Folded::of(item);
        let above = match self.path.iter().position(|part| Folded::of(part) == folded) {
            Some(at) => &self.path[..at],
            None => &self.path[..],
        };
        if above.is_empty() {
            return self.met.get(&folded).cloned();
        }
        let group = above.join("/");
        self.met.insert(folded, group.clone());
        Some(group)
    }

    /// The path of a group that is named by its last part.
    pub(super) fn group(&self, name: &str) -> String {
        let folded = Folded::of(name);
        let above = match self.path.iter().position(|part| Folded::of(part) == folded) {
            Some(at) => &self.path[..at],
            // What began a walk stands at the root wherever the last walk ended.
            None if self.roots.contains(&folded) => &[],
            None if self.path.is_empty() => match self.nodes.get(&folded) {
                Some(Some(path)) => return path.clone(),
                _ => &[],
            },
            None => &self.path[..],
        };
        above
            .iter()
            .map(String::as_str)
            .chain([name])
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// Nodes of one kind have a word in common, such as "A Web Service" and "B Web Service".
fn is_like(one: &str, other: &str) -> bool {
    one.split(' ').any(|word| {
        other
            .split(' ')
            .any(|second| second.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_node_of_another_kind_begins_a_walk_and_is_told() {
        let mut console = Console::default();
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
    fn a_single_node_stands_beside_the_last_one_or_below_it() {
        let mut console = Console::default();
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
