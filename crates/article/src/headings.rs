//! Meaning of headings, recognized by their words.

use super::section::Section;

/// Words that a heading may have beside those of its subject.
const ABOUT: &[&str] = &[
    "information",
    "info",
    "details",
    "requirement",
    "requirements",
    "instructions",
    "steps",
    "procedure",
    "notes",
    "section",
    "and",
    "of",
    "the",
    "a",
    "an",
    "for",
    "this",
    "update",
    "rollup",
    "hotfix",
    "fix",
    "package",
    "cumulative",
    "service",
    "software",
    "you",
    "must",
    "to",
    "may",
];

/// Words of a heading. Whole words count.
#[derive(Clone, Copy)]
struct Heading<'a> {
    words: &'a [&'a str],
    text: &'a str,
}

impl Heading<'_> {
    fn has(self, wanted: &[&str]) -> bool {
        self.words.iter().any(|word| wanted.contains(word))
    }

    fn has_only(self, wanted: &[&str]) -> bool {
        self.words.iter().all(|word| wanted.contains(word))
    }

    /// Returns whether the heading has one of these words, and otherwise only words that say
    /// nothing about the subject.
    fn is_about(self, wanted: &[&str]) -> bool {
        let fits = |word: &&str| wanted.contains(word) || ABOUT.contains(word);
        self.has(wanted) && self.words.iter().all(fits)
    }

    fn has_at_most(self, words: usize) -> bool {
        self.words.len() <= words
    }

    fn begins_with(self, starts: &[&str]) -> bool {
        starts.iter().any(|start| self.text.starts_with(start))
    }

    fn is_how_to(self) -> bool {
        self.begins_with(&["how to ", "to "])
    }
}

/// HeadingCondition of a heading.
type HeadingCondition = fn(Heading<'_>) -> bool;

/// Meanings, the narrow ones before the wide ones.
const MEANINGS: &[(HeadingCondition, Section)] = &[
    (asks_for_restart, Section::Restart),
    (is_short_and_elsewhere, Section::Other),
    (is_prerequisites, Section::Prerequisites),
    (is_restart, Section::Restart),
    (is_replacement, Section::Replacement),
    (is_removal, Section::Removal),
    (is_files, Section::Files),
    (is_applies_to, Section::AppliesTo),
    (is_known_issues, Section::Other),
    (is_problem, Section::Problem),
    (is_fixes, Section::Fixes),
    (is_installation, Section::Installation),
    (is_summary, Section::Summary),
    (is_elsewhere, Section::Other),
];

/// Returns the section that a heading of these words opens.
pub(super) fn by_words(words: &[&str], text: &str) -> Option<Section> {
    let heading = Heading { words, text };
    if is_unclear_restart(heading) {
        return None;
    }
    let meaning = MEANINGS.iter().find(|(fits, _)| fits(heading));
    meaning.map(|(_, section)| *section)
}

fn asks_for_restart(heading: Heading<'_>) -> bool {
    heading.begins_with(&["do i ", "do you ", "must i ", "is a ", "will i "])
        && heading.has(&["restart", "reboot", "restarted"])
        && heading.has_at_most(9)
}

fn is_short_and_elsewhere(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "registry",
        "keywords",
        "properties",
        "references",
        "disclaimer",
        "feedback",
        "download",
        "downloads",
    ];
    heading.has(WORDS) && heading.has_at_most(5)
}

fn is_prerequisites(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "prerequisite",
        "prerequisites",
        "dependencies",
        "preconditions",
    ];
    let is_requirements = heading.is_about(&["requirements", "requirement", "system"])
        && !heading.has(&["restart", "information"])
        && heading.has_at_most(3);
    let is_before = heading.begins_with(&["before you "]) && heading.has_at_most(6);
    heading.is_about(WORDS) || is_requirements || is_before
}

/// Returns whether a heading is about a restart in any way.
fn names_restart(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &["restart", "reboot", "restarting", "computer", "system"];
    const NEEDED: &[&str] = &[
        "information",
        "requirement",
        "requirements",
        "restart",
        "reboot",
    ];
    heading.is_about(WORDS)
        && heading.has(&["restart", "reboot"])
        && heading.has(NEEDED)
        && heading.has_at_most(5)
        && !heading.is_how_to()
}

fn is_restart(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "information",
        "info",
        "requirement",
        "requirements",
        "details",
    ];
    names_restart(heading) && (heading.has(WORDS) || heading.has_at_most(1))
}

/// Returns whether a heading may as well be a command to restart something.
fn is_unclear_restart(heading: Heading<'_>) -> bool {
    let before = MEANINGS.iter().take(3);
    let is_clear = before.into_iter().any(|(fits, _)| fits(heading));
    !is_clear && names_restart(heading) && !is_restart(heading)
}

fn is_replacement(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "replacement",
        "replaced",
        "replaces",
        "superseded",
        "supersedence",
        "supersedes",
        "relationship",
    ];
    const OTHERS: &[&str] = &["updates", "hotfixes", "other", "previous", "earlier"];
    heading.is_about(&[WORDS, OTHERS].concat()) && heading.has(WORDS)
}

fn is_removal(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "removal",
        "uninstall",
        "uninstallation",
        "uninstalling",
        "remove",
        "removing",
        "rollback",
    ];
    const NOUNS: &[&str] = &[
        "information",
        "info",
        "instructions",
        "removal",
        "uninstallation",
        "uninstalling",
        "removing",
    ];
    heading.is_about(&[WORDS, &["how", "roll", "back"]].concat())
        && heading.has(WORDS)
        && (heading.is_how_to() || heading.has(NOUNS))
}

fn is_files(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "file",
        "files",
        "table",
        "list",
        "attributes",
        "manifest",
        "in",
        "included",
        "payload",
        "that",
        "are",
        "english",
        "version",
    ];
    heading.has(&["file", "files"]) && heading.is_about(WORDS) && !heading.is_how_to()
}

fn is_applies_to(heading: Heading<'_>) -> bool {
    const STARTS: &[&str] = &["applies to", "the information in this article applies to"];
    const WORDS: &[&str] = &["affected", "products", "product", "supported", "applicable"];
    heading.begins_with(STARTS) || heading.has_only(WORDS)
}

fn is_known_issues(heading: Heading<'_>) -> bool {
    heading.has(&["known"]) && heading.has(&["issues", "issue", "problems"])
}

fn is_problem(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "cause",
        "causes",
        "symptom",
        "symptoms",
        "workaround",
        "workarounds",
        "reproduce",
        "reproducing",
        "behavior",
        "example",
        "examples",
        "ursache",
        "problembeschreibung",
    ];
    heading.has(WORDS) && heading.has_at_most(7)
}

fn is_fixes(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "issue",
        "issues",
        "fixes",
        "fixed",
        "resolved",
        "resolves",
        "problems",
        "corrections",
        "corrected",
        "changes",
    ];
    heading.has(WORDS) && !heading.has(&["not"]) && !heading.text.contains(", ")
}

fn is_installation(heading: Heading<'_>) -> bool {
    const NOUNS: &[&str] = &[
        "installation",
        "installing",
        "deploying",
        "deployment",
        "procedure",
        "steps",
        "instructions",
        "applying",
    ];
    const OTHERS: &[&str] = &["install", "deploy", "apply", "how", "updating"];
    const INSTALLS: &[&str] = &[
        "installation",
        "install",
        "installing",
        "installer",
        "apply",
        "applying",
        "deploy",
        "deploying",
    ];
    const ROLLUPS: &[&str] = &["hotfix", "fix", "update", "rollup", "patch", "bundle"];
    const NOT: &[&str] = &[
        "after",
        "before",
        "not",
        "cannot",
        "fails",
        "fail",
        "error",
        "when",
        "remove",
        "uninstall",
        "s",
    ];
    heading.is_about(&[NOUNS, OTHERS].concat()) && (heading.is_how_to() || heading.has(NOUNS))
        || heading.has(INSTALLS) && heading.has(ROLLUPS) && !heading.has(NOT)
}

fn is_summary(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "summary",
        "introduction",
        "overview",
        "about",
        "description",
        "abstract",
    ];
    heading.has_only(&[WORDS, &["this", "update", "rollup"]].concat()) && heading.has(WORDS)
}

fn is_elsewhere(heading: Heading<'_>) -> bool {
    const WORDS: &[&str] = &[
        "more",
        "additional",
        "further",
        "information",
        "resolution",
        "workaround",
        "cause",
        "status",
        "see",
        "also",
        "support",
        "notes",
        "acknowledgements",
        "contact",
        "history",
        "revision",
        "revisions",
        "security",
    ];
    heading.has_only(WORDS)
}
