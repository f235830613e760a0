//! Checks of the SARIF report by other tools: the validator of the standard's authors, and the
//! schema of the standard.
//!
//! `Sarif.Multitool` is in the npm package `@microsoft/sarif-multitool-linux`, with the schema
//! beside it; `check-jsonschema` is a package of PyPI.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::temporary::temporary;

/// Manifest with a warning that a comment allows.
const ALLOWED: &str = "schema = 1
[rollup]
kb = \"KB900001\"
title = \"A rollup\"
product = \"A product\"
product_versions = [\"1.0\"]
[[steps]]
id = \"restart\"
action = \"restart\"
service = \"IIS\"
[payload]
files = [{ name = \"a.msi\", size = 512 }] # rollup: allow RU0202
";

/// Advice that is not followed: to add a URL of the tool, which has none, and to leave out the list
/// of documents, which is the only record of those without findings.
const ADVICE: [&str; 2] = ["SARIF2004", "SARIF2005"];

/// Writes a report about all faulty documents, about the shipped manifest on the sample, and about a
/// finding that a comment allows; with links to a published manual.
fn report(directory: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = directory.join("report.sarif");
    std::fs::write(directory.join("allowed.toml"), ALLOWED).expect("written");
    let arguments = [
        "validate",
        "fixtures/codes",
        "fixtures/faulty",
        "manifests",
        "-d",
        "fixtures/hmc40",
        "--format",
        "sarif",
        "--findings-url",
        "https://manual.example/findings.html",
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
    let output = command
        .args(arguments)
        .arg(directory.join("allowed.toml"))
        .arg("-o")
        .arg(&report)
        .current_dir(root)
        .output()
        .expect("the program runs");
    assert_eq!(
        output.status.code(),
        Some(65),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&report).expect("a report");
    assert!(text.contains("\"suppressions\"") && text.contains("\"helpUri\""));
    report
}

fn multitool() -> PathBuf {
    let directories: Vec<PathBuf> =
        env::split_paths(&env::var_os("PATH").expect("a PATH")).collect();
    let found = directories
        .iter()
        .map(|directory| directory.join("Sarif.Multitool"))
        .find(|tool| tool.is_file());
    found
        .and_then(|tool| tool.canonicalize().ok())
        .expect("Sarif.Multitool is installed")
}

fn output_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
#[ignore = "needs Sarif.Multitool, of the npm package @microsoft/sarif-multitool-linux"]
fn the_validator_of_the_standard_has_no_complaints() {
    let directory = temporary();
    let report = report(directory.path());
    let mut command = Command::new(multitool());
    command
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .arg("validate")
        .arg(&report);
    let output_text = output_text(&command.output().expect("the program runs"));
    assert!(
        output_text.contains("1 files scanned")
            && output_text.contains("Analysis completed successfully"),
        "{output_text}"
    );
    let rules = output_text
        .split("SARIF")
        .skip(1)
        .map(|rest| format!("SARIF{}", rest.get(..4).unwrap_or_default()));
    let rules: BTreeSet<String> = rules
        .filter(|rule| rule[5..].bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    assert!(
        rules.iter().all(|rule| ADVICE.contains(&rule.as_str())),
        "{output_text}"
    );
    assert!(!output_text.contains(": error "), "{output_text}");
}

#[test]
#[ignore = "needs check-jsonschema, and the schema beside Sarif.Multitool"]
fn a_report_conforms_to_the_schema_of_the_standard() {
    let directory = temporary();
    let report = report(directory.path());
    let schema = multitool().with_file_name("sarif-2.1.0.json");
    let mut command = Command::new("check-jsonschema");
    // One pattern of the schema is a valid expression only in some engines.
    command
        .args(["--regex-variant", "python", "--schemafile"])
        .arg(schema)
        .arg(report);
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{}", output_text(&output));
}
