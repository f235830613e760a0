//! Texts that must match the program: the transcripts and the example manifest of the pages that
//! are written by hand, the help of every command, and the page of all codes.
//! `SNAPSHOTS=overwrite` updates the help.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};

use regex::Regex;
use rollup::document::{Findings, Source};
use rollup::manifest;
use snapbox::Data;

use crate::manual::book_pages;
use crate::temporary::temporary;
use crate::world::copy_tree;

const COMMANDS: [&str; 26] = [
    "plan",
    "show",
    "approve",
    "stage",
    "apply",
    "status",
    "resume",
    "undo",
    "accept",
    "ack",
    "tree",
    "verify",
    "history",
    "report",
    "init",
    "import",
    "validate",
    "pin",
    "diff",
    "inspect",
    "schema",
    "explain",
    "rehearse",
    "prune",
    "completions",
    "man",
];

/// Page with the complete manifest.
const PAGE_OF_MANIFESTS: &str = "docs/writing.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a page")
}

/// Returns the pages that may have transcripts: the README, and those of the manual.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    pages.extend(book_pages());
    pages
}

/// Returns the README, followed by the manual, which continues it.
pub(crate) fn manual() -> String {
    pages().iter().map(|name| page(name)).collect()
}

/// Returns the contents of the fenced blocks of a kind, in order.
pub(crate) fn blocks(text: &str, kind: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else {
            continue;
        };
        let block: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .map(|line| format!("{line}\n"))
            .collect();
        if fence == kind {
            blocks.push(block);
        }
    }
    blocks
}

/// Returns the program's command, with output for 80 columns and without colour.
pub(crate) fn program(directory: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rollup"));
    program
        .current_dir(directory)
        .stdin(Stdio::null())
        .env("COLUMNS", "80")
        .env("NO_COLOR", "1");
    program
        .env_remove("ROLLUP_DEPLOYMENT")
        .env_remove("ROLLUP_PAYLOAD")
        .env_remove("CLICOLOR_FORCE");
    program
}

/// Runs a command line of a page in a shell; returns its exit code, and the text of both streams in
/// order.
fn run(directory: &Path, line: &str) -> (i32, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_rollup"));
    let programs = program.parent().expect("a directory").to_str();
    let path = std::env::var("PATH").unwrap_or_default();
    let line = line.replace("cargo run -- ", "rollup ");
    let mut output_file: File = tempfile::tempfile().expect("a file");
    let output_handle = || output_file.try_clone().expect("a second handle");
    let mut shell = Command::new("sh");
    for name in ["ROLLUP_DEPLOYMENT", "ROLLUP_PAYLOAD", "CLICOLOR_FORCE"] {
        shell.env_remove(name);
    }
    let status = shell
        .args(["-c", &line])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output_handle())
        .stderr(output_handle())
        .env("PATH", format!("{}:{path}", programs.expect("UTF-8")))
        .env("COLUMNS", "80")
        .env("NO_COLOR", "1")
        .status()
        .expect("a shell runs");
    let mut text = String::new();
    output_file
        .rewind()
        .and_then(|()| output_file.read_to_string(&mut text))
        .expect("output");
    (
        status.code().expect("an exit code"),
        without_progress(&text),
    )
}

/// Removes the lines that a slow machine prints every few seconds, such as `staging: 41 %, …`.
fn without_progress(text: &str) -> String {
    static PROGRESS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^[a-z ]+(?:, [0-9]+ (?:s|min)|: [0-9]+ %).*\n").expect("a pattern")
    });
    PROGRESS.replace_all(text, "").into_owned()
}

fn copy_documents(to: &Path) {
    for directory in ["manifests", "fixtures/procedures", "fixtures/articles"] {
        let at = to.join(directory);
        fs::create_dir_all(at.parent().expect("below the directory")).expect("a directory");
        copy_tree(&root().join(directory), &at);
    }
}

/// Splits a transcript into commands with their output.
fn exchanges(block: &str) -> Vec<(String, String)> {
    let mut exchanges: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), exchanges.last_mut()) {
            (Some(command), _) => exchanges.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("a transcript begins with a command: {line}"),
        }
    }
    exchanges
}

/// Runs the transcripts of a page in a directory of their own, so that each page makes its own lab.
///
/// A command must succeed, unless `echo $?` follows and prints another exit code.
fn check_transcripts(name: &str, blocks: &[String]) {
    let directory = temporary();
    copy_documents(directory.path());
    let exchanges: Vec<(String, String)> =
        blocks.iter().flat_map(|block| exchanges(block)).collect();
    let mut last_code = 0;
    for (index, (command, expected)) in exchanges.iter().enumerate() {
        let output = if command == "echo $?" {
            format!("{last_code}\n")
        } else {
            let (code, text) = run(directory.path(), command);
            let following = exchanges
                .get(index + 1)
                .map(|(command, _)| command.as_str());
            assert!(
                code == 0 || following == Some("echo $?"),
                "{name}: {command}: exit code {code}\n{text}"
            );
            last_code = code;
            text
        };
        let matches = snapbox::Assert::new()
            .action(snapbox::assert::Action::Verify)
            .try_eq(
                Some(&command),
                Data::text(output),
                Data::text(expected.as_str()),
            );
        if let Err(difference) = matches {
            panic!("{name}: {command}\n{difference}");
        }
    }
}

#[test]
fn the_transcripts_of_the_pages_match_the_program() {
    let pages: Vec<(String, Vec<String>)> = pages()
        .into_iter()
        .map(|name| (blocks(&page(&name), "console"), name))
        .filter(|(blocks, _)| !blocks.is_empty())
        .map(|(blocks, name)| (name, blocks))
        .collect();
    assert!(pages.len() >= 10, "{pages:#?}");
    let waiting = Mutex::new(pages.iter());
    let next_page = || waiting.lock().expect("no thread died there").next();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some((name, blocks)) = next_page() {
                    check_transcripts(name, blocks);
                }
            });
        }
    });
}

#[test]
fn the_complete_manifest_of_the_manual_has_no_findings() {
    let blocks = blocks(&page(PAGE_OF_MANIFESTS), "toml");
    let examples: Vec<&String> = blocks
        .iter()
        .filter(|block| block.starts_with("schema = 1"))
        .collect();
    assert_eq!(examples.len(), 1);
    let source = Source::new("writing.md", examples[0].clone());
    let mut findings = Findings::default();
    let parsed = manifest::parse(&source, &mut findings);
    let options = rollup::document::RenderOptions::PLAIN;
    assert!(
        parsed.is_some() && findings.is_empty(),
        "{}",
        findings.text(&source, &options)
    );
}

#[test]
fn the_manifest_and_the_deployment_in_the_readme_have_no_errors() {
    let directory = temporary();
    let blocks = blocks(&page("README.md"), "toml");
    let [manifest, deployment] = blocks.as_slice() else {
        panic!("a manifest and a deployment: {blocks:#?}");
    };
    fs::write(directory.path().join("kb952076.toml"), manifest).expect("written");
    fs::write(directory.path().join("deployment.toml"), deployment).expect("written");
    let output = program(directory.path())
        .args(["validate", "kb952076.toml", "deployment.toml", "-d", "."])
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("2 files: 0 errors"), "{text}");
}

#[test]
fn the_help_of_every_command_fits_80_columns() {
    let directory = temporary();
    for command in COMMANDS.iter().map(Some).chain([None]) {
        let output = program(directory.path())
            .args(command)
            .arg("--help")
            .output()
            .expect("the program runs");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        let wide: Vec<&str> = text
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert!(wide.is_empty(), "{wide:#?}");
        let expected: PathBuf = root().join(format!(
            "tests/suite/help/{}.txt",
            command.unwrap_or(&"rollup")
        ));
        let expected = Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .normalize_paths(false)
            .eq(text, expected.raw());
    }
}

#[test]
fn the_help_of_every_command_is_tested() {
    let program = rollup::cli::command();
    let names: Vec<&str> = program
        .get_subcommands()
        .map(|command| command.get_name())
        .collect();
    assert_eq!(names, COMMANDS);
}

#[test]
fn the_page_of_all_codes_matches_explain() {
    let output = program(root())
        .args(["explain", "--format", "markdown"])
        .output()
        .expect("the program runs");
    let page = String::from_utf8(output.stdout).expect("text");
    let expected = Data::read_from(
        &root().join("docs/findings.md"),
        Some(snapbox::data::DataFormat::Text),
    );
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .normalize_paths(false)
        .eq(page, expected.raw());
}
