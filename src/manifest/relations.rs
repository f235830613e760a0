//! What several manifests, validated together, say about each other.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::RollupDraft;
use super::parse::rollup_of;
use crate::document::{Code, Findings, Placed, Source};
use crate::names::{Kb, Version};

/// Which of a rollup's lists is looked at.
type Relation = fn(&RollupDraft) -> &[Placed<Kb>];

/// The relations that make a chain, with the word for one link of it.
const CHAINS: [(&str, Relation); 3] = [
    ("requires", |rollup| &rollup.requires),
    ("replaces", |rollup| &rollup.replaces),
    ("includes", |rollup| &rollup.includes),
];

/// Checks the relations among the given manifests; the findings go to each one's own.
///
/// A manifest speaks for itself only, and what is not given here is not guessed.
pub fn check_together(given: &mut [(&Source, &mut Findings)]) {
    let rollups: Vec<RollupDraft> = given.iter().map(|(source, _)| rollup_of(source)).collect();
    let numbers = rollups.iter().enumerate();
    let by_kb: BTreeMap<Kb, usize> = numbers.filter_map(|(at, rollup)| Some((rollup.kb.as_ref()?.value, at))).collect();
    for (word, relation) in CHAINS {
        circles(given, &rollups, &by_kb, word, relation);
    }
    left_out(given, &rollups, &by_kb);
    same(given, &rollups);
}

/// Two manifests of one rollup: KB number and revision identify it.
fn same(given: &mut [(&Source, &mut Findings)], rollups: &[RollupDraft]) {
    let mut first: BTreeMap<(Kb, Version), usize> = BTreeMap::new();
    for (at, rollup) in rollups.iter().enumerate() {
        let Some(kb) = &rollup.kb else { continue };
        let revision = rollup.revision();
        if let Some(&other) = first.get(&(kb.value, revision.clone())) {
            let message =
                format!("`{}` is a manifest of {} in revision {revision} too", given[other].0.name(), kb.value);
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

/// Tells every circle of one relation once, at the first of its links.
fn circles(
    given: &mut [(&Source, &mut Findings)],
    rollups: &[RollupDraft],
    by_kb: &BTreeMap<Kb, usize>,
    word: &str,
    relation: Relation,
) {
    // A rollup that names itself is told when it is read alone.
    let others =
        |at: usize| relation(&rollups[at]).iter().filter_map(|kb| by_kb.get(&kb.value)).filter(move |&&to| to != at);
    let mut left = tangled(rollups.len(), |at| others(at).copied().collect());
    while let Some(start) = left.iter().position(|&tangled| tangled) {
        let mut walk = vec![start];
        let repeated = loop {
            let last = walk[walk.len() - 1];
            // Whatever is left leads to something that is left.
            let Some(&next) = others(last).find(|&&to| left[to]) else { break None };
            match walk.iter().position(|&seen| seen == next) {
                Some(from) => break Some(from),
                None => walk.push(next),
            }
        };
        walk.iter().for_each(|&seen| left[seen] = false);
        let Some(from) = repeated else { continue };
        let circle = &walk[from..];
        let name = |at: usize| rollups[at].kb.as_ref().map(|kb| kb.value.to_string()).unwrap_or_default();
        let chain: Vec<_> = circle.iter().chain(circle.first()).map(|&at| name(at)).collect();
        let next = rollups[circle[1 % circle.len()]].kb.as_ref().map(|kb| kb.value);
        let link = relation(&rollups[circle[0]]).iter().find(|kb| Some(kb.value) == next);
        let message = chain.join(&format!(" {word} "));
        let finding =
            given[circle[0]].1.add(Code::RelationCycle, link.map(|kb| kb.span.clone()).unwrap_or_default(), message);
        finding.help("remove one of these links");
    }
}

/// Which nodes are in a circle or lead to one: what is left when everything that ends is taken away.
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

/// What an included rollup includes is in the including one too, and is not guessed: it must be listed.
fn left_out(given: &mut [(&Source, &mut Findings)], rollups: &[RollupDraft], by_kb: &BTreeMap<Kb, usize>) {
    for (at, rollup) in rollups.iter().enumerate() {
        let listed: BTreeSet<Kb> = rollup.includes.iter().map(|kb| kb.value).collect();
        for included in &rollup.includes {
            let Some(&inner) = by_kb.get(&included.value).filter(|&&inner| inner != at) else { continue };
            let own = rollup.kb.as_ref().map(|kb| kb.value);
            let missing = rollups[inner].includes.iter().map(|kb| kb.value);
            let missing: Vec<_> =
                missing.filter(|kb| !listed.contains(kb) && Some(*kb) != own).map(|kb| kb.to_string()).collect();
            if !missing.is_empty() {
                let message =
                    format!("{} includes {}, which `includes` leaves out", included.value, missing.join(", "));
                let finding = given[at].1.add(Code::IncludesLeftOut, included.span.clone(), message);
                finding.help("list them too; relations are read from each manifest and guessed no further");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(relations: &[(&str, &str)]) -> Vec<Vec<String>> {
        let text = |&(kb, relations): &(&str, &str)| {
            Source::new(kb, format!("schema = 1\n[rollup]\nkb = \"{kb}\"\n{relations}\n"))
        };
        let sources: Vec<Source> = relations.iter().map(text).collect();
        let mut findings = vec![Findings::default(); sources.len()];
        let mut given: Vec<_> = sources.iter().zip(&mut findings).collect();
        check_together(&mut given);
        let shown = |finding: &&crate::document::Finding| format!("{} {}", finding.code, finding.message);
        findings.iter().map(|findings| findings.sorted().iter().map(shown).collect()).collect()
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
    fn what_an_included_rollup_includes_must_be_listed() {
        let found =
            found(&[("KB1", ""), ("KB2", "includes = [\"KB1\"]"), ("KB3", "includes = [\"2\"]\nrequires = [\"KB1\"]")]);
        assert_eq!(found.concat(), ["RU0404 KB2 includes KB1, which `includes` leaves out"]);
    }
}
