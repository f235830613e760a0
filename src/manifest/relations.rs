//! Relations among several manifests that are validated together.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::RollupDraft;
use super::parse::rollup_of;
use crate::document::{Code, Findings, Placed, Source};
use crate::names::{Kb, Version};

/// Manifests of each rollup: there may be several revisions.
type ByKb = BTreeMap<Kb, Vec<usize>>;

/// Reference from one rollup to another.
struct Link<'r> {
    word: &'static str,
    to: usize,
    place: &'r Placed<Kb>,
}

/// Checks the relations among the given manifests; each finding goes to the manifest it is about.
///
/// A manifest speaks for itself only, and what is not given here is not guessed.
pub fn check_together(given: &mut [(&Source, &mut Findings)]) {
    let rollups: Vec<RollupDraft> = given.iter().map(|(source, _)| rollup_of(source)).collect();
    let mut by_kb = ByKb::new();
    for (at, rollup) in rollups.iter().enumerate() {
        rollup
            .kb
            .iter()
            .for_each(|kb| by_kb.entry(kb.value).or_default().push(at));
    }
    circles(given, &rollups, &by_kb);
    left_out(given, &rollups, &by_kb);
    same(given, &rollups);
}

/// Reports two manifests of one rollup: KB number and revision identify it.
fn same(given: &mut [(&Source, &mut Findings)], rollups: &[RollupDraft]) {
    let mut first: BTreeMap<(Kb, Version), usize> = BTreeMap::new();
    for (at, rollup) in rollups.iter().enumerate() {
        let Some(kb) = &rollup.kb else { continue };
        let revision = rollup.revision();
        if let Some(&other) = first.get(&(kb.value, revision.clone())) {
            let message = format!(
                "`{}` is a manifest of {} in revision {revision} too",
                given[other].0.name(),
                kb.value
            );
            let finding = given[at].1.add(Code::SameRollup, kb.span.clone(), message);
            if rollup.revision.is_none() || rollups[other].revision.is_none() {
                finding.note("a manifest without `revision` is taken for revision 1.0");
            }
            finding.help("raise `revision` in the newer one, or remove the copy");
        } else {
            first.insert((kb.value, revision), at);
        }
    }
}

/// Returns everything that a rollup requires, replaces or includes: it comes after each of them.
fn links<'r>(rollups: &'r [RollupDraft], by_kb: &ByKb, at: usize) -> Vec<Link<'r>> {
    let rollup = &rollups[at];
    let own = rollup.kb.as_ref().map(|kb| kb.value);
    let lists = [
        ("requires", &rollup.requires),
        ("replaces", &rollup.replaces),
        ("includes", &rollup.includes),
    ];
    let mut links = Vec::new();
    for (word, list) in lists {
        // A rollup that names itself is reported when it is read alone.
        for place in list.iter().filter(|kb| Some(kb.value) != own) {
            let known = by_kb.get(&place.value).into_iter().flatten();
            links.extend(known.map(|&to| Link { word, to, place }));
        }
    }
    links
}

/// Reports every circle once, at the first of its links; of circles that share a rollup only the
/// first.
fn circles(given: &mut [(&Source, &mut Findings)], rollups: &[RollupDraft], by_kb: &ByKb) {
    let links: Vec<Vec<Link<'_>>> = (0..rollups.len())
        .map(|at| links(rollups, by_kb, at))
        .collect();
    let mut left = tangled(rollups.len(), |at| {
        links[at].iter().map(|link| link.to).collect()
    });
    let name = |at: usize| {
        rollups[at]
            .kb
            .as_ref()
            .map(|kb| kb.value.to_string())
            .unwrap_or_default()
    };
    for start in 0..rollups.len() {
        if !left[start] {
            continue;
        }
        let mut walk: Vec<(usize, &Link<'_>)> = Vec::new();
        let mut step_of: BTreeMap<usize, usize> = BTreeMap::new();
        let mut last = start;
        let from = loop {
            // Every rollup that is left links to one that is left.
            let Some(link) = links[last].iter().find(|link| left[link.to]) else {
                break None;
            };
            step_of.insert(last, walk.len());
            walk.push((last, link));
            last = link.to;
            if let Some(&from) = step_of.get(&last) {
                break Some(from);
            }
        };
        left[last] = false;
        walk.iter().for_each(|&(seen, _)| left[seen] = false);
        let Some(from) = from else { continue };
        let circle = &walk[from..];
        let words: Vec<_> = circle
            .iter()
            .map(|(at, link)| format!("{} {} ", name(*at), link.word))
            .collect();
        let (first, link) = circle[0];
        let message = format!("{}{}", words.concat(), name(first));
        let finding = given[first]
            .1
            .add(Code::RelationCycle, link.place.span.clone(), message);
        finding.help("each would have to come after the next; remove one of these links");
    }
}

/// Returns which nodes are in a circle or lead to one: those left after repeatedly removing nodes
/// that link to no other node that is left.
fn tangled(count: usize, links: impl Fn(usize) -> Vec<usize>) -> Vec<bool> {
    let to: Vec<Vec<usize>> = (0..count).map(links).collect();
    let mut open: Vec<usize> = to.iter().map(Vec::len).collect();
    let mut from: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, to) in to.iter().enumerate() {
        to.iter().for_each(|&to| from[to].push(at));
    }
    let mut ended: Vec<usize> = (0..count).filter(|&at| open[at] == 0).collect();
    let mut left = vec![true; count];
    while let Some(at) = ended.pop() {
        left[at] = false;
        for &before in &from[at] {
            open[before] -= 1;
            if open[before] == 0 {
                ended.push(before);
            }
        }
    }
    left
}

/// Maximum number of rollups that are visited to find what is included through others.
const PATIENCE: usize = 1_000_000;

/// Reports rollups that `includes` leaves out. What an included rollup includes is in the including
/// one too, however many rollups are between, and is not guessed: it must be listed.
fn left_out(given: &mut [(&Source, &mut Findings)], rollups: &[RollupDraft], by_kb: &ByKb) {
    let mut patience = PATIENCE;
    for (at, rollup) in rollups.iter().enumerate() {
        let own = rollup.kb.as_ref().map(|kb| kb.value);
        let mut known: BTreeSet<Kb> = rollup
            .includes
            .iter()
            .map(|kb| kb.value)
            .chain(own)
            .collect();
        for included in rollup.includes.iter().filter(|kb| Some(kb.value) != own) {
            let mut missing = Vec::new();
            let mut next = vec![included.value];
            while let Some(kb) = next.pop() {
                let inside = by_kb
                    .get(&kb)
                    .into_iter()
                    .flatten()
                    .flat_map(|&inner| &rollups[inner].includes);
                for inner in inside {
                    patience = patience.saturating_sub(1);
                    if patience > 0 && known.insert(inner.value) {
                        missing.push(inner.value);
                        next.push(inner.value);
                    }
                }
            }
            missing.sort();
            if !missing.is_empty() {
                let missing: Vec<_> = missing.iter().map(Kb::to_string).collect();
                let message = format!(
                    "{} includes {}, which `includes` leaves out",
                    included.value,
                    missing.join(", ")
                );
                let finding =
                    given[at]
                        .1
                        .add(Code::IncludesLeftOut, included.span.clone(), message);
                finding.help(
                    "list them too; relations are read from each manifest and guessed no further",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(relations: &[(&str, &str)]) -> Vec<Vec<String>> {
        let text = |&(kb, relations): &(&str, &str)| {
            Source::new(
                kb,
                format!("schema = 1\n[rollup]\nkb = \"{kb}\"\n{relations}\n"),
            )
        };
        let sources: Vec<Source> = relations.iter().map(text).collect();
        let mut findings = vec![Findings::default(); sources.len()];
        let mut given: Vec<_> = sources.iter().zip(&mut findings).collect();
        check_together(&mut given);
        let shown =
            |finding: &&crate::document::Finding| format!("{} {}", finding.code, finding.message);
        findings
            .iter()
            .map(|findings| findings.sorted().iter().map(shown).collect())
            .collect()
    }

    #[test]
    fn a_circle_among_manifests_is_told_once() {
        let found = found(&[
            ("KB1", "requires = [\"KB2\"]"),
            ("KB2", "requires = [\"KB3\", \"KB9\"]"),
            ("KB3", "requires = [\"KB2\"]\nreplaces = [\"KB4\"]"),
            ("KB4", ""),
        ]);
        assert_eq!(found.concat(), ["RU0403 KB2 requires KB3 requires KB2"]);
        assert_eq!(found[1].len(), 1);
    }

    #[test]
    fn links_of_all_kinds_make_a_circle_and_another_revision_hides_none() {
        let mixed = found(&[
            ("KB10", "requires = [\"KB11\"]"),
            ("KB11", "replaces = [\"KB10\"]"),
        ]);
        assert_eq!(mixed.concat(), ["RU0403 KB10 requires KB11 replaces KB10"]);
        let found = found(&[
            ("KB1", "requires = [\"KB2\"]"),
            ("KB2", "requires = [\"KB1\"]"),
            ("KB1", ""),
        ]);
        assert_eq!(found[0], ["RU0403 KB1 requires KB2 requires KB1"]);
    }

    #[test]
    fn what_is_included_through_others_is_told_at_once() {
        let found = found(&[
            ("KB5", "includes = [\"KB2\"]"),
            ("KB2", "includes = [\"KB3\"]"),
            ("KB3", "includes = [\"KB4\"]"),
        ]);
        assert_eq!(
            found[0],
            ["RU0404 KB2 includes KB3, KB4, which `includes` leaves out"]
        );
        assert_eq!(
            found[1],
            ["RU0404 KB3 includes KB4, which `includes` leaves out"]
        );
    }

    #[test]
    fn what_an_included_rollup_includes_must_be_listed() {
        let found = found(&[
            ("KB1", ""),
            ("KB2", "includes = [\"KB1\"]"),
            ("KB3", "includes = [\"2\"]\nrequires = [\"KB1\"]"),
        ]);
        assert_eq!(
            found.concat(),
            ["RU0404 KB2 includes KB1, which `includes` leaves out"]
        );
    }
}
