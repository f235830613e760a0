//! Codes of the catalogue: each has a faulty document in `fixtures/codes`, whose report is compared
//! whole, and one fault makes one finding.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rollup::document::{Code, Severity, Source};
use tempfile::TempDir;

use crate::temporary::temporary;
use crate::world::copy_tree;

/// Codes with a second finding on the same fault: all three matter more if a file has no pin, which
/// is a finding itself.
const ALSO_FOUND: [(Code, Code); 3] = [
    (Code::SameSizeAndDate, Code::Unpinned),
    (Code::NoSizeOrHash, Code::Unpinned),
    (Code::WrongDate, Code::Unpinned),
];

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

/// Copies the fixtures, and adds the two that cannot be in a repository: a document above the
/// limit, and two names in one directory that differ only in case.
fn copy_of_fixtures() -> TempDir {
    let directory = temporary();
    copy_tree(&fixtures().join("codes"), &directory.path().join("codes"));
    copy_tree(&fixtures().join("hmc40"), &directory.path().join("hmc40"));
    let large = "# a manifest\n".repeat(Source::LARGEST / 13 + 1);
    fs::write(directory.path().join("codes/RU0006.toml"), large).expect("written");
    fs::write(
        directory.path().join("codes/RU0708/payload/ONE.txt"),
        "another one\n",
    )
    .expect("written");
    directory
}

/// Returns the arguments of `validate` that find a code: its document or directory of documents,
/// and the article, payload or deployment that these are checked against.
fn arguments(code: Code, codes: &Path) -> Vec<String> {
    let name = code.number();
    let arguments: Vec<String> = match name {
        _ if codes.join(name).join("article.txt").is_file() => {
            vec![
                format!("{name}/manifest.toml"),
                "--article".to_owned(),
                format!("{name}/article.txt"),
            ]
        }
        _ if codes.join(name).join("allowed_signers").is_file() => {
            vec![
                format!("{name}/manifest.toml"),
                "--signers".to_owned(),
                format!("{name}/allowed_signers"),
            ]
        }
        _ if codes.join(name).join("payload").is_dir() => {
            vec![
                format!("{name}/manifest.toml"),
                "-p".to_owned(),
                format!("{name}/payload"),
            ]
        }
        _ if codes.join(name).join("site").is_dir() => {
            vec![
                format!("{name}/manifest.toml"),
                "-d".to_owned(),
                format!("{name}/site"),
            ]
        }
        _ if codes.join(name).is_dir() => vec![name.to_owned()],
        _ => vec![format!("{name}.toml")],
    };
    let for_the_sample = name.starts_with("RU06") && !arguments.contains(&"-d".to_owned())
        || code == Code::CopiedTooLate;
    arguments
        .into_iter()
        .chain(
            for_the_sample
                .then_some(["-d", "../hmc40"])
                .into_iter()
                .flatten()
                .map(str::to_owned),
        )
        .collect()
}

struct ValidateOutput {
    code: Option<i32>,
    stdout: String,
}

fn validate(arguments: &[String], codes: &Path, format: &str) -> ValidateOutput {
    let output = Command::new(env!("CARGO_BIN_EXE_rollup"))
        .arg("validate")
        .args(arguments)
        .args(["--format", format])
        .current_dir(codes)
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    ValidateOutput {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
    }
}

#[test]
fn every_code_has_its_exact_report() {
    let directory = copy_of_fixtures();
    let codes = directory.path().join("codes");
    for &code in Code::ALL {
        let ran = validate(&arguments(code, &codes), &codes, "text");
        let exit_code = if code.level() == Severity::Error {
            65
        } else {
            0
        };
        assert_eq!(ran.code, Some(exit_code), "{code}\n{}", ran.stdout);
        let expected = fixtures().join(format!("codes/{code}.txt"));
        let expected = snapbox::Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .normalize_paths(false)
            .eq(ran.stdout, expected.raw());
    }
}

#[test]
fn a_fault_makes_one_finding() {
    let directory = copy_of_fixtures();
    let codes = directory.path().join("codes");
    for &code in Code::ALL {
        let ran = validate(&arguments(code, &codes), &codes, "json");
        let document: serde_json::Value =
            serde_json::from_str(&ran.stdout).expect("a JSON document");
        let codes_found: Vec<&str> = document["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|finding| finding["code"].as_str())
            .collect();
        let companion = ALSO_FOUND
            .iter()
            .filter(|(of, _)| *of == code)
            .map(|(_, companion)| companion.number());
        let expected: Vec<&str> = std::iter::once(code.number()).chain(companion).collect();
        assert_eq!(codes_found, expected, "{code}");
        let first = &document["findings"][0];
        let has_example = first["message"]
            .as_str()
            .is_some_and(|message| message.contains("; write it like"));
        let has_advice = ["label", "help"].iter().any(|key| !first[key].is_null())
            || first["notes"] != serde_json::json!([]);
        assert!(has_example || has_advice, "{code} gives no advice");
        assert_eq!(
            first["level"].as_str(),
            Some(code.level().to_string().as_str()),
            "{code}"
        );
    }
}
