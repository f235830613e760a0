//! Keeps retired words out of everything that people read: messages, `--help`, pages, schemas, the
//! manual. The vocabulary is the field's, so that people and search engines find their way.

use std::fs;
use std::path::{Path, PathBuf};

use regex::{Regex, RegexSet};
use walkdir::WalkDir;

/// Lines of a word, a colon, and the pattern of the words that it replaced.
const RETIRED: &str = include_str!("retired_words.txt");

/// Uses of such a word in another sense.
const OTHER_SENSES: [&str; 6] = [
    // An option of mounts, and the system's user.
    "nobarrier",
    "barrier=",
    "write barriers",
    "\"nobody\"",
    "`nobody`",
    // Words that vendors write, which the importer recognises.
    "aside\"",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that people read, or whose texts the program prints.
fn texts() -> Vec<PathBuf> {
    let ends = ["rs", "md", "html", "json", "txt", "toml"];
    let mut files: Vec<PathBuf> = [
        "src",
        "crates",
        "docs",
        "templates",
        "schemas",
        "manifests",
        "tests/suite/help",
        "tests/suite/previews",
    ]
    .iter()
    .flat_map(|directory| WalkDir::new(root().join(directory)))
    .map(|entry| entry.expect("the repository can be read").into_path())
    .filter(|path| {
        path.extension()
            .is_some_and(|end| ends.iter().any(|e| end == *e))
    })
    .collect();
    files.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "ARCHITECTURE.md",
            "CHANGELOG.md",
        ]
        .map(|name| root().join(name)),
    );
    files
}

#[test]
fn retired_words_are_in_no_text_that_people_read() {
    let rules: Vec<(Regex, &str)> = RETIRED
        .lines()
        .map(|line| {
            let (instead, pattern) = line.split_once(": ").expect("a word and a pattern");
            let whole = Regex::new(&format!(r"(?i)\b(?:{pattern})\b")).expect("a pattern");
            (whole, instead)
        })
        .collect();
    // One search for all of them finds the few lines that need to be looked at.
    let any = rules.iter().map(|(rule, _)| rule.as_str());
    let any = RegexSet::new(any).expect("patterns");
    let mut found = Vec::new();
    for file in texts() {
        let text = fs::read_to_string(&file).expect("a text");
        for (number, line) in (1..).zip(text.lines()) {
            let words = OTHER_SENSES
                .iter()
                .fold(line.to_owned(), |line, sense| line.replace(sense, ""))
                .replace('_', " ");
            for at in any.matches(&words) {
                let (rule, instead) = &rules[at];
                if let Some(hit) = rule.find(&words) {
                    let name = file.strip_prefix(root()).unwrap_or(&file).display();
                    found.push(format!(
                        "{name}:{number}: `{}`, write `{instead}`",
                        hit.as_str()
                    ));
                }
            }
        }
    }
    assert!(found.is_empty(), "retired words:\n{}", found.join("\n"));
}
