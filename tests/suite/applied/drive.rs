//! A deployment in a temporary directory, and the real program that changes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;

use super::site::{Rollup, Site, kb, payload};
use crate::temporary::temporary;
use crate::world::copy_tree;

/// Entries below a deployment without `.rollup`: the bytes of files, nothing for directories.
pub(super) type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Directory with a deployment and the manifests of its rollups. Dropping it removes it.
pub(super) struct Lab {
    directory: TempDir,
}

/// Result of a command.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Reads everything below a deployment but `.rollup`.
pub(super) fn tree(deployment: &Path) -> Tree {
    let walk = WalkDir::new(deployment).min_depth(1).into_iter();
    let walk = walk.filter_entry(|entry| entry.depth() != 1 || entry.file_name() != ".rollup");
    let entries = walk.map(|entry| {
        let entry = entry.expect("a readable tree");
        let below = entry.path().strip_prefix(deployment).expect("a path below");
        let bytes = entry
            .file_type()
            .is_file()
            .then(|| fs::read(entry.path()).expect("a readable file"));
        (below.to_owned(), bytes)
    });
    entries.collect()
}

/// Returns the differences of two trees, one a line.
pub(super) fn differences(wanted: &Tree, found: &Tree) -> Vec<String> {
    let missing = wanted
        .keys()
        .filter(|path| !found.contains_key(*path))
        .map(|path| format!("{} is missing", path.display()));
    let others = found.iter().filter_map(|(path, bytes)| {
        let path_name = path.display();
        match wanted.get(path) {
            None => Some(format!("{path_name} is unexpected")),
            Some(wanted) if wanted != bytes => Some(format!("{path_name} differs")),
            Some(_) => None,
        }
    });
    missing.chain(others).collect()
}

impl Lab {
    /// Writes a site and the manifests of its rollups.
    pub(super) fn new(site: &Site, rollups: &[Rollup]) -> Self {
        let lab = Self {
            directory: temporary(),
        };
        site.write(&lab.deployment());
        for (number, rollup) in rollups.iter().enumerate() {
            let at = lab.directory.path().join(format!("{}.toml", kb(number)));
            fs::write(at, rollup.to_toml(number)).expect("written");
        }
        lab
    }

    pub(super) fn deployment(&self) -> PathBuf {
        self.directory.path().join("deployment")
    }

    pub(super) fn copy(&self) -> Self {
        let lab = Self {
            directory: temporary(),
        };
        copy_tree(self.directory.path(), lab.directory.path());
        lab
    }

    pub(super) fn tree(&self) -> Tree {
        tree(&self.deployment())
    }

    /// Runs the program without a terminal. Arguments are separated by spaces.
    pub(super) fn run(&self, arguments: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
        command
            .args(arguments.split(' '))
            .current_dir(self.directory.path())
            .env("ROLLUP_DEPLOYMENT", "deployment")
            .env_remove("ROLLUP_PAYLOAD")
            // Wide enough for every message to stay on one line.
            .env("COLUMNS", "400")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        let output = command.output().expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Ran {
            code: output.status.code().expect("it is not killed"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs a command that prints a JSON document.
    pub(super) fn json(&self, arguments: &str) -> (i32, Value) {
        let ran = self.run(&format!("{arguments} --format json"));
        let document = serde_json::from_str(&ran.stdout);
        let document = document.unwrap_or_else(|error| {
            panic!(
                "`{arguments}` prints no JSON: {error}\n{}",
                ran.description()
            )
        });
        (ran.code, document)
    }

    /// Returns the arguments that name a rollup's manifest and payload.
    pub(super) fn rollup(rollup: usize) -> String {
        format!(
            "{}.toml -p {} --allow-downgrade",
            kb(rollup),
            payload(rollup).display()
        )
    }
}

impl Ran {
    /// Returns the code and both streams, for the message of a failure.
    pub(super) fn description(&self) -> String {
        format!(
            "exited with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}
