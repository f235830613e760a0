//! The manual: the pages of `docs/`, which `docs/SUMMARY.md` makes a book, and those at the root of
//! the repository that refer to them. Links resolve, no page is missing, and every command line
//! that the pages recommend is one that the program accepts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use clap::error::ErrorKind;
use regex::Regex;

const ROOT_PAGES: [&str; 5] = [
    "README.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "CHANGELOG.md",
];
const SUMMARY: &str = "docs/SUMMARY.md";

static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern"));
static CODE_SPAN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([^`]+)`").expect("a pattern"));

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Returns the pages of the book in its order, by their paths in the repository.
pub(crate) fn book_pages() -> Vec<String> {
    let summary = read(SUMMARY);
    LINK.captures_iter(&summary)
        .map(|link| format!("docs/{}", &link[1]))
        .collect()
}

/// Returns all pages with links: those of the book, its summary, and those at the root.
fn pages_with_links() -> Vec<String> {
    let mut pages = book_pages();
    pages.push(SUMMARY.to_owned());
    pages.extend(ROOT_PAGES.map(str::to_owned));
    pages
}

/// Returns the lines of a page that are not in a block of code.
fn prose(page: &str) -> Vec<String> {
    let mut in_fence = false;
    let mut lines = Vec::new();
    for line in read(page).lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence && !line.starts_with("    ") {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Returns the targets of the links of a page, without those to the network.
fn links(page: &str) -> Vec<String> {
    LINK.captures_iter(&prose(page).join("\n"))
        .map(|link| link[1].to_owned())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// Returns the anchors of a page, as code hosts and mdBook make them of its headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(page) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// Resolves a link of a page to a path in the repository.
fn resolved(page: &str, target: &str) -> PathBuf {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {target} leaves the repository"),
            part => path.push(part),
        }
    }
    path
}

/// Returns the fault of a link, if it has one.
fn fault(page: &str, link: &str) -> Option<String> {
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = if target.is_empty() {
        PathBuf::from(page)
    } else {
        resolved(page, target)
    };
    if !root().join(&path).exists() {
        return Some(format!("{page}: {link}: there is no {}", path.display()));
    }
    let name = path.to_str().expect("UTF-8");
    if !anchor.is_empty() && !anchors(name).contains(anchor) {
        return Some(format!("{page}: {link}: {name} has no such heading"));
    }
    None
}

#[test]
fn every_link_and_anchor_of_the_pages_resolves() {
    let mut number = 0;
    let mut faults = Vec::new();
    for page in pages_with_links() {
        let links = links(&page);
        number += links.len();
        faults.extend(links.iter().filter_map(|link| fault(&page, link)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(number > 100, "only {number} links were found");
}

#[test]
fn the_summary_lists_every_page_of_the_manual_once() {
    let listed = book_pages();
    let mut files: Vec<String> = fs::read_dir(root().join("docs"))
        .expect("the manual")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| format!("docs/{}", name.to_str().expect("UTF-8")))
        .filter(|file| file.ends_with(".md") && file != SUMMARY)
        .collect();
    files.sort();
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(sorted, files);
}

#[test]
fn the_first_page_of_the_manual_links_every_other_one() {
    let linked: BTreeSet<PathBuf> = links("docs/README.md")
        .iter()
        .map(|link| resolved("docs/README.md", link.split('#').next().expect("a part")))
        .collect();
    for page in book_pages() {
        let is_linked = linked.contains(Path::new(&page));
        assert!(is_linked || page == "docs/README.md", "{page}");
    }
}

/// Returns the command lines of a page: those of its blocks of shell and YAML, and those in its text.
///
/// Transcripts are run by another test.
fn command_lines(page: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut fence = None;
    for line in read(page).lines() {
        match (line.trim_start().strip_prefix("```"), fence) {
            (Some(_), Some(_)) => fence = None,
            (Some(kind), None) => fence = Some(["sh", "yaml"].contains(&kind)),
            (None, Some(true)) => commands.push(without_prefix_and_comment(line).to_owned()),
            (None, _) => {}
        }
    }
    for paragraph in prose(page).join("\n").split("\n\n") {
        let spans = CODE_SPAN.captures_iter(paragraph);
        commands.extend(spans.map(|span| span[1].replace('\n', " ")));
    }
    // A word for several commands or values, and the usage of a command.
    let is_pattern = |command: &str| {
        ["COMMAND", "NAME", "[OPTIONS]"]
            .iter()
            .any(|word| command.contains(word))
    };
    commands.retain(|command| command.starts_with("rollup ") && !is_pattern(command));
    commands
}

/// Returns the command in a line of shell or YAML.
fn without_prefix_and_comment(line: &str) -> &str {
    let command = line.split(" # ").next().expect("a part").trim();
    ["- ", "run: ", "entry: "]
        .iter()
        .fold(command, |rest, prefix| rest.trim_start_matches(prefix))
}

/// Splits a command line into words as a shell does, without redirections.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (None, '<' | '>' | '|' | ';') => break,
            (None, ' ') => words.push(String::new()),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (_, c) => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_line_of_the_pages_is_one_that_the_program_accepts() {
    let mut number = 0;
    let mut faults = Vec::new();
    for page in pages_with_links() {
        for command in command_lines(&page) {
            number += 1;
            // The placeholders for numbers and digests of the pages.
            let words = words(&command).into_iter().map(|word| match word.as_str() {
                "N" | "SECONDS" => "1".to_owned(),
                "DIGEST" => "0".repeat(64),
                _ => word,
            });
            let parsed = rollup::cli::command().try_get_matches_from(words);
            // A page may leave out what a command needs, as `rollup apply` in a sentence does.
            let is_incomplete = |error: &clap::Error| {
                matches!(
                    error.kind(),
                    ErrorKind::MissingRequiredArgument | ErrorKind::DisplayVersion
                )
            };
            if let Err(error) = parsed
                && !is_incomplete(&error)
            {
                faults.push(format!("{page}: {command}\n{error}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(number > 100, "only {number} command lines were found");
}
