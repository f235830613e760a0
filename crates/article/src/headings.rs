//! Meaning of headings, recognized by their words.

use super::section::Section;
use super::text::{begins, is};

/// Words that a heading may have beside those of its subject.
const ABOUT: &str = "information|info|details|requirement|requirements|instructions|steps|procedure|notes|\
    section|and|of|the|a|an|for|this|update|rollup|hotfix|fix|package|cumulative|service|software|you|must|to|may";

/// Meaning of a heading that fulfils all these conditions. Whole words count.
struct Meaning {
    /// None if the heading may as well be an instruction.
    section: Option<Section>,
    /// Beginnings, of which it has one.
    begins: &'static str,
    /// Words, of which it has one.
    has: &'static str,
    /// Words, of which it has one, too.
    also: &'static str,
    /// Words that it may have beside those; if there are none, any.
    only: &'static [&'static str],
    /// Words that it does not have.
    not: &'static str,
    /// Largest number of words.
    most: usize,
}

const ANY: Meaning = Meaning {
    section: None,
    begins: "",
    has: "",
    also: "",
    only: &[],
    not: "",
    most: 9,
};

const RESTARTS: &[&str] = &[ABOUT, "restarting|computer|system"];
const REMOVES: &str = "removal|uninstall|uninstallation|uninstalling|remove|removing|rollback";
const INSTALLS: &str =
    "installation|installing|deploying|deployment|procedure|steps|instructions|applying";

/// Meanings, the narrow ones before the wide ones.
const MEANINGS: &[Meaning] = &[
    Meaning {
        section: Some(Section::Restart),
        begins: "do i |do you |must i |is a |will i ",
        has: "restart|reboot|restarted",
        ..ANY
    },
    Meaning {
        section: Some(Section::Other),
        has: "registry|keywords|properties|references|disclaimer|feedback|download|downloads",
        most: 5,
        ..ANY
    },
    Meaning {
        section: Some(Section::Prerequisites),
        has: "prerequisite|prerequisites|dependencies|preconditions",
        only: &[ABOUT],
        ..ANY
    },
    Meaning {
        section: Some(Section::Prerequisites),
        has: "requirements|requirement|system",
        only: &[ABOUT],
        not: "restart|information",
        most: 3,
        ..ANY
    },
    Meaning {
        section: Some(Section::Prerequisites),
        begins: "before you ",
        most: 6,
        ..ANY
    },
    Meaning {
        section: Some(Section::Restart),
        has: "restart|reboot",
        also: "information|info|requirement|requirements|details",
        only: RESTARTS,
        not: "to",
        most: 5,
        ..ANY
    },
    Meaning {
        section: Some(Section::Restart),
        has: "restart|reboot",
        most: 1,
        ..ANY
    },
    Meaning {
        section: None,
        has: "restart|reboot",
        only: RESTARTS,
        not: "to",
        most: 5,
        ..ANY
    },
    Meaning {
        section: Some(Section::Replacement),
        has: "replacement|replaced|replaces|superseded|supersedence|supersedes|relationship",
        only: &[ABOUT, "updates|hotfixes|other|previous|earlier"],
        ..ANY
    },
    Meaning {
        section: Some(Section::Removal),
        begins: "how to |to ",
        has: REMOVES,
        only: &[ABOUT, "how|roll|back"],
        ..ANY
    },
    Meaning {
        section: Some(Section::Removal),
        has: REMOVES,
        also: "information|info|instructions|removal|uninstallation|uninstalling|removing",
        only: &[ABOUT, "how|roll|back"],
        ..ANY
    },
    Meaning {
        section: Some(Section::Files),
        has: "file|files",
        only: &[
            ABOUT,
            "table|list|attributes|manifest|in|included|payload|that|are|english|version",
        ],
        ..ANY
    },
    Meaning {
        section: Some(Section::AppliesTo),
        begins: "applies to|the information in this article applies to",
        ..ANY
    },
    Meaning {
        section: Some(Section::AppliesTo),
        has: "affected|products|product|supported|applicable",
        only: &[""],
        ..ANY
    },
    Meaning {
        section: Some(Section::Other),
        has: "known",
        also: "issues|issue|problems",
        ..ANY
    },
    Meaning {
        section: Some(Section::Problem),
        has: "cause|causes|symptom|symptoms|workaround|workarounds|reproduce|reproducing|behavior|example|examples|ursache|problembeschreibung",
        most: 7,
        ..ANY
    },
    Meaning {
        section: Some(Section::Fixes),
        has: "issue|issues|fixes|fixed|resolved|resolves|problems|corrections|corrected|changes",
        not: "not",
        ..ANY
    },
    Meaning {
        section: Some(Section::Installation),
        begins: "how to |to ",
        has: "install|deploy|apply",
        only: &[ABOUT, INSTALLS, "how|updating"],
        ..ANY
    },
    Meaning {
        section: Some(Section::Installation),
        has: INSTALLS,
        only: &[ABOUT, "install|deploy|apply|how|updating"],
        ..ANY
    },
    Meaning {
        section: Some(Section::Installation),
        has: "installation|install|installing|installer|apply|applying|deploy|deploying",
        also: "hotfix|fix|update|rollup|patch|bundle",
        not: "after|before|not|cannot|fails|fail|error|when|remove|uninstall|s",
        ..ANY
    },
    Meaning {
        section: Some(Section::Summary),
        has: "summary|introduction|overview|about|description|abstract",
        only: &["this|update|rollup"],
        ..ANY
    },
    Meaning {
        section: Some(Section::Other),
        has: "more|additional|further|information|resolution|workaround|cause|status|see|also|support|notes|\
              acknowledgements|contact|history|revision|revisions|security",
        only: &[""],
        ..ANY
    },
];

/// Returns the section that a heading of these words opens.
pub(super) fn by_words(words: &[&str], text: &str) -> Option<Section> {
    let mut meanings = MEANINGS.iter();
    meanings.find(|meaning| meaning.fits(words, text))?.section
}

impl Meaning {
    fn fits(&self, words: &[&str], text: &str) -> bool {
        let has = |wanted: &str| words.iter().any(|word| is(word, wanted));
        let may_have = |word: &&str| {
            let mut lists = [self.has, self.also]
                .into_iter()
                .chain(self.only.iter().copied());
            lists.any(|list| is(word, list))
        };
        words.len() <= self.most
            && begins(text, self.begins)
            && (self.has.is_empty() || has(self.has))
            && (self.also.is_empty() || has(self.also))
            && !has(self.not)
            && (self.only.is_empty() || words.iter().all(may_have))
    }
}
