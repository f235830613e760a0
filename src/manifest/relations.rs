//! Relations among several manifests that are validated together.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{FileNames, RelationEntry, RollupDraft};
use super::parse::{file_names_of, rollup_of};
use crate::document::{Code, Findings, Source, Span, cycles, some_of};
use crate::names::{Kb, PayloadPath, Version};

/// Manifests that are checked together; each finding goes to the manifest it is about.
struct GivenManifests<'g, 's, 'f> {
    given: &'g mut [(&'s Source, &'f mut Findings)],
    rollups: Vec<RollupDraft>,
    /// Indexes of the manifests of each rollup, which may have several revisions.
    by_kb: BTreeMap<Kb, Vec<usize>>,
}

/// Reference from one rollup to another.
struct RelationLink {
    key: &'static str,
    to: usize,
    span: Span,
}

/// Checks the relations among the given manifests; each finding goes to the manifest it is about.
///
/// Relations are read from each manifest by itself; those of other manifests are not inferred.
pub fn check_together(given: &mut [(&Source, &mut Findings)]) {
    let rollups: Vec<RollupDraft> = given.iter().map(|(source, _)| rollup_of(source)).collect();
    let mut by_kb: BTreeMap<Kb, Vec<usize>> = BTreeMap::new();
    for (at, rollup) in rollups.iter().enumerate() {
        if let Some(kb) = &rollup.kb {
            by_kb.entry(kb.value).or_default().push(at);
        }
    }
    let mut manifests = GivenManifests {
        given,
        rollups,
        by_kb,
    };
    manifests.relation_cycles();
    manifests.omitted_inclusions();
    manifests.omitted_files();
    manifests.same_rollup();
}

/// Maximum number of rollups that are visited to find indirect inclusions.
const MAX_VISITS: usize = 1_000_000;

/// Maximum number of files that are looked up in the file tables of including rollups.
const MAX_LOOKUPS: usize = 10_000_000;

impl GivenManifests<'_, '_, '_> {
    /// Reports two manifests of the same rollup, which KB number and revision identify.
    fn same_rollup(&mut self) {
        let mut first: BTreeMap<(Kb, Version), usize> = BTreeMap::new();
        for (at, rollup) in self.rollups.iter().enumerate() {
            let Some(kb) = &rollup.kb else { continue };
            let revision = rollup.revision();
            let other = *first.entry((kb.value, revision.clone())).or_insert(at);
            if other == at {
                continue;
            }
            let message = format!(
                "`{}` is also a manifest of {kb} revision {revision}",
                self.given[other].0.name()
            );
            let findings = &mut self.given[at].1;
            let finding = findings.add(Code::SameRollup, kb.span.clone(), message);
            if rollup.revision.is_none() || self.rollups[other].revision.is_none() {
                finding.note("a manifest without `revision` has revision 1.0");
            }
            finding.help("raise `revision` in the newer manifest, or remove the copy");
        }
    }

    /// Returns the manifests of a rollup.
    fn revisions_of(&self, kb: Kb) -> &[usize] {
        self.by_kb.get(&kb).map_or(&[], Vec::as_slice)
    }

    /// Returns the given rollups that a rollup requires, replaces or includes, and must be applied
    /// after.
    fn links(&self, rollup: &RollupDraft) -> Vec<RelationLink> {
        let own = rollup.kb.as_ref().map(|kb| kb.value);
        let mut links = Vec::new();
        for RelationEntry { key, kb, span } in rollup.relations() {
            // A rollup that names itself is reported when it is read alone.
            if Some(kb) == own {
                continue;
            }
            for &to in self.revisions_of(kb) {
                let span = span.clone();
                links.push(RelationLink { key, to, span });
            }
        }
        links
    }

    /// Reports cycles, each at the first of its links; of cycles that share a rollup only the first.
    fn relation_cycles(&mut self) {
        let links: Vec<_> = self.rollups.iter().map(|one| self.links(one)).collect();
        let name = |at: usize| {
            let kb = self.rollups[at].kb.as_ref();
            kb.map(|kb| kb.value.to_string()).unwrap_or_default()
        };
        for cycle in cycles(links.len(), |at, link| Some(links[at].get(link)?.to)) {
            let mut message = String::new();
            for &(at, link) in &cycle {
                message += &format!("{} {} ", name(at), links[at][link].key);
            }
            let (first, link) = cycle[0];
            message += &name(first);
            self.given[first]
                .1
                .add(Code::RelationCycle, links[first][link].span.clone(), message)
                .help("each rollup would have to be applied after the next; remove one of these relations");
        }
    }

    /// Reports rollups that are missing from `includes`. Everything that an included rollup includes,
    /// directly or not, must be listed, since it is not inferred.
    fn omitted_inclusions(&mut self) {
        let mut visits_left = MAX_VISITS;
        for (at, rollup) in self.rollups.iter().enumerate() {
            let mut known: BTreeSet<Kb> = rollup
                .includes
                .iter()
                .chain(&rollup.kb)
                .map(|kb| kb.value)
                .collect();
            for included in rollup.other_includes() {
                let mut missing = BTreeSet::new();
                let mut next = vec![included.value];
                while let Some(kb) = next.pop() {
                    let revisions = self.revisions_of(kb).iter();
                    for inner in revisions.flat_map(|&inner| &self.rollups[inner].includes) {
                        visits_left = visits_left.saturating_sub(1);
                        if visits_left > 0 && known.insert(inner.value) {
                            missing.insert(inner.value);
                            next.push(inner.value);
                        }
                    }
                }
                if missing.is_empty() {
                    continue;
                }
                let missing: Vec<_> = missing.iter().map(Kb::to_string).collect();
                let message = format!(
                    "`includes` lacks {}, included by {included}",
                    missing.join(", ")
                );
                self.given[at]
                    .1
                    .add(Code::MissingInclude, included.span.clone(), message)
                    .help("add them to `includes`: inclusions of other rollups are not inferred");
            }
        }
    }

    /// Reports files that an included rollup deploys and the file table of the including one lacks.
    ///
    /// Files are compared by name only, since the including rollup brings newer versions under the
    /// same names. Of several revisions of the included rollup the newest counts.
    fn omitted_files(&mut self) {
        let mut names: BTreeMap<usize, Option<FileNames>> = BTreeMap::new();
        let mut lookups_left = MAX_LOOKUPS;
        for (at, rollup) in self.rollups.iter().enumerate() {
            for included in rollup.other_includes() {
                let kb = included.value;
                let Some(other) = self.newest_of(kb) else {
                    continue;
                };
                for index in [at, other] {
                    names
                        .entry(index)
                        .or_insert_with(|| file_names_of(self.given[index].0));
                }
                let (Some(table), Some(included_table)) = (&names[&at], &names[&other]) else {
                    continue;
                };
                let deployed = &included_table.deployed;
                lookups_left = lookups_left.saturating_sub(deployed.len());
                if lookups_left == 0 {
                    return;
                }
                let is_missing = |name: &&PayloadPath| !table.listed.contains(&name.case_folded());
                let missing: Vec<&PayloadPath> = deployed.iter().filter(is_missing).collect();
                if missing.is_empty() {
                    continue;
                }
                let files = match missing.len() {
                    1 => "1 file".to_owned(),
                    count => format!("{count} files"),
                };
                let message = format!(
                    "`includes` names {kb}, which deploys {files} that this file table lacks: {}",
                    some_of(missing.iter().map(|name| name.as_str()))
                );
                let compared = format!(
                    "`{}` is the manifest of {kb} revision {}",
                    self.given[other].0.name(),
                    self.rollups[other].revision()
                );
                self.given[at]
                    .1
                    .add(Code::OmittedFiles, included.span.clone(), message)
                    .help(format!(
                        "add them to the payload and deploy them, or remove {kb} from `includes`"
                    ))
                    .note(compared);
            }
        }
    }

    /// Returns the index of the newest revision of a rollup; of two equal ones the first.
    fn newest_of(&self, kb: Kb) -> Option<usize> {
        self.revisions_of(kb)
            .iter()
            .rev()
            .copied()
            .max_by_key(|&at| self.rollups[at].revision())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_of(relations: &[(&str, &str)]) -> Vec<Vec<String>> {
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
        let line =
            |finding: &&crate::document::Finding| format!("{} {}", finding.code, finding.message);
        findings
            .iter()
            .map(|findings| findings.sorted().iter().map(line).collect())
            .collect()
    }

    #[test]
    fn a_cycle_among_manifests_is_reported_once() {
        let findings = findings_of(&[
            ("KB1", "requires = [\"KB2\"]"),
            ("KB2", "requires = [\"KB3\", \"KB9\"]"),
            ("KB3", "requires = [\"KB2\"]\nreplaces = [\"KB4\"]"),
            ("KB4", ""),
        ]);
        assert_eq!(findings.concat(), ["RU0403 KB2 requires KB3 requires KB2"]);
        assert_eq!(findings[1].len(), 1);
    }

    #[test]
    fn links_of_all_kinds_make_a_cycle_and_another_revision_hides_none() {
        let mixed = findings_of(&[
            ("KB10", "requires = [\"KB11\"]"),
            ("KB11", "replaces = [\"KB10\"]"),
        ]);
        assert_eq!(mixed.concat(), ["RU0403 KB10 requires KB11 replaces KB10"]);
        let findings = findings_of(&[
            ("KB1", "requires = [\"KB2\"]"),
            ("KB2", "requires = [\"KB1\"]"),
            ("KB1", ""),
        ]);
        assert_eq!(findings[0], ["RU0403 KB1 requires KB2 requires KB1"]);
    }

    #[test]
    fn indirect_inclusions_are_reported_at_once() {
        let findings = findings_of(&[
            ("KB5", "includes = [\"KB2\"]"),
            ("KB2", "includes = [\"KB3\"]"),
            ("KB3", "includes = [\"KB4\"]"),
        ]);
        assert_eq!(
            findings[0],
            ["RU0404 `includes` lacks KB3, KB4, included by KB2"]
        );
        assert_eq!(
            findings[1],
            ["RU0404 `includes` lacks KB4, included by KB3"]
        );
    }

    /// Returns the rest of a manifest whose file table has these names; the first `copied` of them
    /// are copied, and the others are unused.
    fn with_files(relations: &str, names: &[&str], copied: usize) -> String {
        let row = |(at, name): (usize, &&str)| match at < copied {
            true => format!("{{ name = \"{name}\" }}"),
            false => format!("{{ name = \"{name}\", unused = \"x\" }}"),
        };
        let rows: Vec<String> = names.iter().enumerate().map(row).collect();
        format!(
            "{relations}\n[[steps]]\nid = \"c\"\naction = \"copy\"\nto = \"share\"\nfiles = {:?}\n\
             [payload]\nfiles = [{}]\n",
            &names[..copied],
            rows.join(", ")
        )
    }

    #[test]
    fn files_of_an_included_rollup_must_be_listed() {
        let names = ["a.msi", "b.msi", "c.msi", "unused.txt"];
        let findings = findings_of(&[
            ("KB1", &with_files("", &names, 3)),
            (
                "KB2",
                &with_files("includes = [\"KB1\"]", &["B.MSI", "d.msi"], 2),
            ),
            (
                "KB3",
                &with_files("includes = [\"KB1\"]", &["A.msi", "b.Msi", "c.MSI"], 1),
            ),
            ("KB4", "includes = [\"KB1\"]"),
        ]);
        assert_eq!(
            findings[1],
            [
                "RU0407 `includes` names KB1, which deploys 2 files that this file table lacks: \
                 `a.msi` and `c.msi`"
            ]
        );
        // The last one has errors and no rows, which may be elsewhere in it.
        assert_eq!(findings.concat().len(), 1, "{findings:#?}");
    }

    #[test]
    fn packages_that_are_run_and_all_other_files_count_too() {
        let included = "[[steps]]\nid = \"r\"\naction = \"run\"\nfiles = [\"Run.msi\"]\non = \"x\"\n\
             [[steps]]\nid = \"c\"\naction = \"copy\"\nto = \"share\"\nothers = true\n\
             [payload]\nfiles = [{ name = \"run.msi\" }, { name = \"other.txt\" }, { name = \"no\", unused = \"x\" }]\n";
        let findings = findings_of(&[
            ("KB2", &with_files("includes = [\"KB1\"]", &["x"], 1)),
            ("KB1", included),
        ]);
        assert_eq!(
            findings.concat(),
            [
                "RU0407 `includes` names KB1, which deploys 2 files that this file table lacks: \
                 `run.msi` and `other.txt`"
            ]
        );
    }

    #[test]
    fn the_newest_of_several_revisions_counts() {
        let revision = |revision: &str, names: &[&str]| {
            with_files("", names, names.len()) + &format!("[article]\nrevision = \"{revision}\"\n")
        };
        let findings = findings_of(&[
            ("KB2", &with_files("includes = [\"KB1\"]", &["a.msi"], 1)),
            ("KB1", &revision("1.9", &["a.msi", "old.msi"])),
            ("KB1", &revision("1.10", &["a.msi", "new.msi"])),
            ("KB1", &revision("1", &["a.msi", "older.msi"])),
        ]);
        assert_eq!(
            findings.concat(),
            [
                "RU0407 `includes` names KB1, which deploys 1 file that this file table lacks: \
                 `new.msi`"
            ]
        );
    }

    #[test]
    fn each_included_rollup_has_a_finding_of_its_own() {
        let includes = "includes = [\"KB1\", \"KB2\", \"KB9\"]";
        let findings = findings_of(&[
            ("KB3", &with_files(includes, &["c.msi"], 1)),
            ("KB2", &with_files("includes = [\"KB1\"]", &["b.msi"], 1)),
            ("KB1", &with_files("", &["a.msi"], 1)),
        ]);
        let counts: Vec<usize> = findings.iter().map(Vec::len).collect();
        assert_eq!(counts, [2, 1, 0], "{findings:#?}");
        assert!(findings[0][0].contains("names KB1") && findings[0][1].contains("names KB2"));
    }

    #[test]
    fn a_table_that_could_not_be_read_is_not_compared() {
        let included = with_files("", &["a.msi"], 1);
        let includes = "includes = [\"KB1\"]";
        for broken in [
            format!("{includes}\n[payload]\nfiles = [\"a.msi\"]\n"),
            format!("{includes}\n[payload]\nfiles = [{{ name = \"../y\" }}, {{ name = \"b\" }}]\n"),
            format!("{includes}\n[payload]\nfiles = [{{ name = \"b\" }}\n"),
            format!("{includes}\npayload = 1\n"),
        ] {
            let findings = findings_of(&[("KB2", &broken), ("KB1", &included)]);
            assert_eq!(findings.concat(), [""; 0], "{broken}");
        }
        let wrong_elsewhere = with_files(includes, &["b.msi"], 1) + "[artikel]\nrevision = 1\n";
        let findings = findings_of(&[("KB2", &wrong_elsewhere), ("KB1", &included)]);
        assert_eq!(findings[0].len(), 1, "{findings:#?}");
    }

    #[test]
    fn inclusions_of_an_included_rollup_must_be_listed() {
        let findings = findings_of(&[
            ("KB1", ""),
            ("KB2", "includes = [\"KB1\"]"),
            ("KB3", "includes = [\"2\"]\nrequires = [\"KB1\"]"),
        ]);
        assert_eq!(
            findings.concat(),
            ["RU0404 `includes` lacks KB1, included by KB2"]
        );
    }
}
