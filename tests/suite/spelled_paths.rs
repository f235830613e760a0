//! Paths below `.rollup` are spelled in `run_dir.rs` only, and those of an item in `item_dir.rs`, so
//! that the layout of a deployment can be read, and changed, in one place.

use std::fs;
use std::path::Path;

use regex::Regex;
use walkdir::WalkDir;

/// Files that spell the paths.
const SPELLED_IN: [&str; 2] = [
    "src/deployment/disk/run_dir.rs",
    "src/deployment/site/item_dir.rs",
];

/// Names that are nothing but names of files and directories.
const NAMES: [&str; 12] = [
    ".rollup",
    "events.ndjson",
    "journal",
    "lock.owner",
    "manifest.toml",
    "plan.json",
    "quarantined.toml",
    "reserve",
    "slots",
    "sources",
    "state.toml",
    "trash",
];

/// Names that are words elsewhere, such as keys of documents: they count as parts of a path only.
const WORDS: [&str; 6] = ["files", "format", "lock", "new", "old", "runs"];

/// Returns the string literals of a source file that spell such a path, without those of its tests.
fn spellings(source: &str) -> Vec<String> {
    let literal = Regex::new(r#"(\b(?:join|path|rel)\(\s*&?)?"([^"\\\s]+)""#).expect("a pattern");
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let mut found = Vec::new();
    for literal in literal.captures_iter(&lines.join("\n")) {
        let parts: Vec<&str> = literal[2].split('/').collect();
        let is_path = literal.get(1).is_some() || parts.len() > 1;
        let is_spelled = |part: &&str| NAMES.contains(part) || is_path && WORDS.contains(part);
        if parts.iter().any(is_spelled) {
            found.push(literal[2].to_owned());
        }
    }
    found
}

#[test]
fn paths_of_runs_and_items_are_spelled_in_one_file_each() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut elsewhere = Vec::new();
    let mut known = Vec::new();
    let files = |directory| WalkDir::new(root.join(directory)).sort_by_file_name();
    for entry in files("src").into_iter().chain(files("crates")) {
        let file = entry.expect("the repository can be read").into_path();
        let is_source = file.extension().is_some_and(|end| end == "rs");
        if !is_source || file.ends_with("tests.rs") {
            continue;
        }
        let shown = file.strip_prefix(root).expect("a file of the repository");
        let spelled = spellings(&fs::read_to_string(&file).expect("a source file"));
        if SPELLED_IN.iter().any(|allowed| Path::new(allowed) == shown) {
            known.extend(spelled);
        } else {
            let named = spelled.iter();
            elsewhere.extend(named.map(|literal| format!("{}: {literal:?}", shown.display())));
        }
    }
    assert!(elsewhere.is_empty(), "{}", elsewhere.join("\n"));
    known.sort();
    assert_eq!(known, NAMES, "each name is spelled once");
}

#[test]
fn a_spelled_path_is_found_and_other_words_are_not() {
    let source = r#"
        // A comment may name "slots".
        let slots = run.join("slots");
        let old = slot.join("old").expect("a plain name");
        let new = format!("{slot}/new");
        let document = json!({ "old": old, "files": files });
        "contains no `state.toml`"
        #[cfg(test)]
        path("state.toml")
    "#;
    assert_eq!(spellings(source), ["slots", "old", "{slot}/new"]);
}
