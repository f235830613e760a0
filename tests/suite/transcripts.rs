//! What the README shows is what happens: its transcripts, its example of a manifest, and the help
//! of every command. `SNAPSHOTS=overwrite` renews the help.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollup::document::{Findings, Source};
use rollup::manifest;
use tempfile::TempDir;

const COMMANDS: [&str; 21] = [
    "validate", "explain", "plan", "show", "apply", "stage", "resume", "undo", "status", "history",
    "report", "tree", "verify", "accept", "prune", "rehearse", "inspect", "pin", "diff", "import",
    "schema",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("there is a README")
}

/// The contents of every fenced block of a kind, in order.
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

/// The program as a person would see it on a screen of 80 columns, without a terminal's colours.
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

/// Runs a command line of the README, and returns what it wrote to both streams, in order.
fn shown(directory: &Path, line: &str) -> String {
    let arguments = line
        .strip_prefix("cargo run --release -- ")
        .or_else(|| line.strip_prefix("rollup "));
    let arguments = arguments.unwrap_or_else(|| panic!("`{line}` is no command of ours"));
    let mut both: File = tempfile::tempfile().expect("a file");
    let stream = || both.try_clone().expect("a second handle");
    let status = program(directory)
        .args(arguments.split_whitespace())
        .stdout(stream())
        .stderr(stream())
        .status();
    let mut text = String::new();
    both.rewind()
        .and_then(|()| both.read_to_string(&mut text))
        .expect("what was written");
    assert!(status.expect("it runs").success(), "{line}\n{text}");
    text
}

fn copy_manifests(to: &Path) {
    fs::create_dir(to.join("manifests")).expect("a directory");
    for entry in fs::read_dir(root().join("manifests")).expect("the manifests") {
        let entry = entry.expect("a readable entry");
        fs::copy(entry.path(), to.join("manifests").join(entry.file_name())).expect("a copy");
    }
}

/// A command and what follows it, up to the next command.
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
fn the_transcripts_of_the_readme_are_true() {
    let directory = TempDir::new().expect("a directory");
    copy_manifests(directory.path());
    let blocks = blocks(&readme(), "console");
    assert!(blocks.len() >= 2);
    for (command, expected) in blocks.iter().flat_map(|block| exchanges(block)) {
        snapbox::Assert::new()
            .action(snapbox::assert::Action::Verify)
            .eq(shown(directory.path(), &command), expected);
    }
}

#[test]
fn the_manifest_in_the_readme_has_no_mistakes() {
    let blocks = blocks(&readme(), "toml");
    let examples: Vec<&String> = blocks
        .iter()
        .filter(|block| block.starts_with("schema = 1"))
        .collect();
    assert_eq!(examples.len(), 1);
    let source = Source::new("README.md", examples[0].clone());
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
fn the_help_of_every_command_fits_80_columns() {
    let directory = TempDir::new().expect("a directory");
    for command in COMMANDS.iter().map(Some).chain([None]) {
        let output = program(directory.path())
            .args(command)
            .arg("--help")
            .output()
            .expect("it runs");
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
fn every_command_of_the_help_is_known_here() {
    let directory = TempDir::new().expect("a directory");
    let output = program(directory.path())
        .arg("--help")
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let listed = text
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let listed = listed
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    assert_eq!(
        listed.filter(|name| *name != "help").collect::<Vec<_>>(),
        COMMANDS
    );
}

#[test]
fn the_page_of_all_codes_is_what_explain_prints() {
    let output = program(root())
        .args(["explain", "--format", "markdown"])
        .output()
        .expect("it runs");
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
