//! Meaning of headings, recognized by their words.

use super::section::Section;

/// Returns the section that a heading of these words opens. Whole words count, and the narrow
/// meaning comes before the wide one.
pub(super) fn by_words(words: &[&str], text: &str) -> Option<Section> {
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    let only = |wanted: &[&str]| words.iter().all(|word| wanted.contains(word));
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
    let about = |wanted: &[&str]| {
        has(wanted)
            && words
                .iter()
                .all(|word| wanted.contains(word) || ABOUT.contains(word))
    };
    let how_to = text.starts_with("how to ") || text.starts_with("to ");
    let asks = ["do i ", "do you ", "must i ", "is a ", "will i "]
        .iter()
        .any(|start| text.starts_with(start));
    if asks && has(&["restart", "reboot", "restarted"]) && words.len() <= 9 {
        return Some(Section::Restart);
    }
    Some(
        if has(&[
            "registry",
            "keywords",
            "properties",
            "references",
            "disclaimer",
            "feedback",
            "download",
            "downloads",
        ]) && words.len() <= 5
        {
            Section::Other
        } else if about(&[
            "prerequisite",
            "prerequisites",
            "dependencies",
            "preconditions",
        ]) || about(&["requirements", "requirement", "system"])
            && !has(&["restart", "information"])
            && words.len() <= 3
            || text.starts_with("before you ") && words.len() <= 6
        {
            Section::Prerequisites
        } else if about(&["restart", "reboot", "restarting", "computer", "system"])
            && has(&["restart", "reboot"])
            && has(&[
                "information",
                "requirement",
                "requirements",
                "restart",
                "reboot",
            ])
            && words.len() <= 5
            && !how_to
        {
            if !has(&[
                "information",
                "info",
                "requirement",
                "requirements",
                "details",
            ]) && words.len() > 1
            {
                return None;
            }
            Section::Restart
        } else if about(&[
            "replacement",
            "replaced",
            "replaces",
            "superseded",
            "supersedence",
            "supersedes",
            "updates",
            "hotfixes",
            "relationship",
            "other",
            "previous",
            "earlier",
        ]) && has(&[
            "replacement",
            "replaced",
            "replaces",
            "superseded",
            "supersedence",
            "supersedes",
            "relationship",
        ]) {
            Section::Replacement
        } else if about(&[
            "removal",
            "uninstall",
            "uninstallation",
            "uninstalling",
            "remove",
            "removing",
            "how",
            "rollback",
            "roll",
            "back",
        ]) && has(&[
            "removal",
            "uninstall",
            "uninstallation",
            "uninstalling",
            "remove",
            "removing",
            "rollback",
        ]) && (how_to
            || has(&[
                "information",
                "info",
                "instructions",
                "removal",
                "uninstallation",
                "uninstalling",
                "removing",
            ]))
        {
            Section::Removal
        } else if has(&["file", "files"])
            && about(&[
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
            ])
            && !how_to
        {
            Section::Files
        } else if text.starts_with("applies to")
            || text.starts_with("the information in this article applies to")
            || only(&["affected", "products", "product", "supported", "applicable"])
        {
            Section::AppliesTo
        } else if has(&["known"]) && has(&["issues", "issue", "problems"]) {
            Section::Other
        } else if has(&[
            "issue",
            "issues",
            "fixes",
            "fixed",
            "symptom",
            "symptoms",
            "resolved",
            "resolves",
            "problems",
            "corrections",
            "corrected",
            "changes",
        ]) && !has(&["not"])
            && !text.contains(", ")
        {
            Section::Fixes
        } else if about(&[
            "installation",
            "install",
            "installing",
            "deployment",
            "deploying",
            "deploy",
            "apply",
            "applying",
            "how",
            "procedure",
            "steps",
            "instructions",
            "updating",
        ]) && (how_to
            || has(&[
                "installation",
                "installing",
                "deploying",
                "deployment",
                "procedure",
                "steps",
                "instructions",
                "applying",
            ]))
        {
            Section::Installation
        } else if only(&[
            "summary",
            "introduction",
            "overview",
            "about",
            "description",
            "this",
            "update",
            "rollup",
            "abstract",
        ]) && has(&[
            "summary",
            "introduction",
            "overview",
            "about",
            "description",
            "abstract",
        ]) {
            Section::Summary
        } else if only(&[
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
        ]) {
            Section::Other
        } else {
            return None;
        },
    )
}
