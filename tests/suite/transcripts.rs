//! Texts that must match the program: the transcripts and the example manifest of the pages that
//! are written by hand, the help of every command, and the page of all codes.
//! `SNAPSHOTS=overwrite` updates the help.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollup::document::{Findings, Source};
use rollup::manifest;

use crate::temporary::temporary;
use crate::world::copy_tree;

const COMMANDS: [&str; 22] = [
    "plan", "show", "stage", "apply", "status", "resume", "undo", "accept", "ack", "tree",
    "verify", "history", "report", "import", "validate", "pin", "diff", "inspect", "schema",
    "explain", "rehearse", "prune",
];

/// Pages with transcripts. The transcripts of one page share a directory, so each page makes its
/// own lab.
const PAGES: [&str; 3] = ["README.md", "docs/notes.md", "docs/procedures.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a page")
}

/// Returns the README, followed by the notes of the manual, which continue it.
pub(crate) fn manual() -> String {
    PAGES.map(page).concat()
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

/// Runs a command line of a page, and returns the text of both streams, in order.
fn output_of(directory: &Path, line: &str) -> String {
    let arguments = line
        .strip_prefix("cargo run -- ")
        .or_else(|| line.strip_prefix("rollup "));
    let arguments = arguments.unwrap_or_else(|| panic!("`{line}` does not run rollup"));
    let mut output_file: File = tempfile::tempfile().expect("a file");
    let output_handle = || output_file.try_clone().expect("a second handle");
    let status = program(directory)
        .args(arguments.split_whitespace())
        .stdout(output_handle())
        .stderr(output_handle())
        .status();
    let mut text = String::new();
    output_file
        .rewind()
        .and_then(|()| output_file.read_to_string(&mut text))
        .expect("output");
    assert!(
        status.expect("the program runs").success(),
        "{line}\n{text}"
    );
    text
}

fn copy_manifests(to: &Path) {
    for directory in ["manifests", "fixtures/procedures"] {
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

#[test]
fn the_transcripts_of_the_pages_match_the_program() {
    for name in PAGES {
        let directory = temporary();
        copy_manifests(directory.path());
        let blocks = blocks(&page(name), "console");
        assert!(blocks.len() >= 2, "{name}");
        for (command, expected) in blocks.iter().flat_map(|block| exchanges(block)) {
            snapbox::Assert::new()
                .action(snapbox::assert::Action::Verify)
                .eq(output_of(directory.path(), &command), expected);
        }
    }
}

#[test]
fn the_manifest_in_the_notes_has_no_findings() {
    let blocks = blocks(&page("docs/notes.md"), "toml");
    let examples: Vec<&String> = blocks
        .iter()
        .filter(|block| block.starts_with("schema = 1"))
        .collect();
    assert_eq!(examples.len(), 1);
    let source = Source::new("notes.md", examples[0].clone());
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
        let expected = snapbox::Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
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
    let expected = snapbox::Data::read_from(
        &root().join("docs/findings.md"),
        Some(snapbox::data::DataFormat::Text),
    );
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .normalize_paths(false)
        .eq(page, expected.raw());
}
