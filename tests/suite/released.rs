//! Files that a released version left: later versions read them, and do with them what that version
//! did. `fixtures/released/VERSION` has directories of the release with a deployment, its manifest, the
//! payload and a saved plan: every path with its contents, directories without. `keys.txt` has every
//! key of its JSON documents, with types and values.
//!
//! `SNAPSHOTS=overwrite` writes what is missing of the version in `Cargo.toml`, and replaces nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rollup::deployment::applied::AppliedRecord;
use rollup::deployment::records::{ItemRecord, ProcedureRecord, ServiceRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use walkdir::WalkDir;

use crate::world::{World, exit};

/// Contents of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    /// Bytes that are not text, as hexadecimal digits.
    Bytes {
        hex: String,
    },
}

/// Contents of a directory by path; `None` is a directory.
type StoredTree = BTreeMap<PathBuf, Option<Stored>>;

/// `deployment.toml` with nearly every key of its language.
const SITE: &str = r#"
schema = 1
name = "released"
product = "Sample"
product_aliases = ["The Sample"]
product_version = "1.0"
share = "Share"
applied = ["KB100000"]
roles = [{ name = "engine", aliases = ["engines"] }, { name = "web" }]
servers = [
  { name = "ENG01", roles = ["engine"] },
  { name = "WEB01", roles = ["web"], platform = "x64" },
  { name = "WEB02", roles = ["web"] },
  { name = "WEB03", roles = ["web"], offline = true },
]
products = [{ name = "Database", aliases = ["DB"], version = "9.0", service_pack = 2, servers = ["ENG01"] }]
services = [{ name = "Engine", aliases = ["The Engine"], on = "engine" }, { name = "Site", on = "web" }]

[[groups]]
path = "Things"
aliases = ["Objects"]
items = [
  { name = "Provider", aliases = ["The Provider"], installer = "Provider.msi" },
  { name = "Core", installer = "Core.msi", removable = false },
  { name = "Extra", installer = "Extra.msi" },
]
procedures = [{ name = "Prepare", needs = ["controller"], secret = ["connection"], public = ["keyPath"] }]

[[groups]]
path = "Web"
on = "web"
items = [{ name = "Pages", installer = "Pages.msi" }]

[requires]
"Provider" = ["Core"]

[parameters]
"Prepare" = { controller = "dc1", keyPath = "HKLM", connection = { env = "ROLLUP_TEST_TOKEN" } }

[rehearsal]
not_installed = ["Extra"]
"#;

/// Manifest with every action but those that cannot be undone.
const MANIFEST: &str = r#"
schema = 1

[rollup]
id = "SAMPLE-2.1"
title = "A rollup with every action"
product = "Sample"
product_versions = ["1.0"]
scope = "All servers"
released = 2008-03-31
fixes = ["The provider forgets its settings."]
notes = ["Read the article."]
includes = ["KB100002"]
replaces = ["KB100003"]
requires = ["KB100000"]
computer_restart = "if-in-use"
registry_changes = "none"

[article]
url = "https://sample.example/2.1"
revision = "2.1"
reviewed = 2008-04-02

[[prerequisites]]
product = "Database"
service_pack = { min = 1, max = 3 }
version = { min = "8.0" }
on = "engine"

[[prerequisites]]
item = "Core"
version = { min = "1.0" }

[[prerequisites]]
any = [{ product = "Mail Server" }, { item = "Provider" }]

[[prerequisites]]
product = "Old Mail Server"
absent = true

[[prerequisites]]
confirm = "Is there a backup?"
id = "backup"

[[steps]]
id = "stop"
title = "Stop the engine"
action = "stop"
service = "Engine"

[[steps]]
id = "remove"
action = "uninstall"
items."Things" = ["Provider"]

[[steps]]
id = "share"
action = "copy"
to = "share"
files = ["Provider.msi"]

[[steps]]
id = "install"
action = "install"
removed_by = "remove"

[[steps]]
id = "tools"
action = "copy"
others = true
to = "Tools"
on = "web"

[[steps]]
id = "hotfix"
action = "run"
files = ["hotfix.exe"]
on = "engine"
arguments = "/quiet"
program = "Hotfix 2.1"
undo = "hotfix.exe /uninstall"

[[steps]]
id = "prepare"
action = "initialize"
items."Things" = ["Prepare"]
parameters."Prepare" = { controller = "dc2" }

[[steps]]
id = "pages"
action = "each-server"
on = "web"

[[steps.steps]]
id = "drain"
action = "manual"
instructions = "Take the server out of the balancer."
undo = "Take it in again."

[[steps.steps]]
id = "disable"
action = "disable"
service = "Site"

[[steps.steps]]
id = "enable"
action = "enable"
service = "Site"

[[steps.steps]]
id = "restart"
action = "restart"
service = "Site"

[[steps]]
id = "look"
action = "manual"
optional = true
instructions = "Look at the first page."
undo = "Look at it again."

[[steps]]
id = "start"
action = "start"
service = "Engine"

[payload]
files = [
  { name = "Provider.msi" },
  { name = "hotfix.exe" },
  { name = "Tool.txt", size = 40, version = "2.1" },
  { name = "Readme.txt", unused = "for people" },
]
"#;

const ROLLUP: &str = "SAMPLE-2.1";
const SAVE: &str = "plan sample.toml --save plan.json";
const APPLY: &str = "apply plan.json --yes --confirm backup";
const DRAINED: &str = "--done drain@WEB01 --done drain@WEB02";

/// Returns the directory of a deployment before the rollup, with a saved plan for it.
fn before() -> World {
    let world = World::with_site(SITE).manifest("sample", MANIFEST);
    let world = world.write_file("Things/Provider/files/notes.txt", "unmanaged");
    fs::write(world.at("SAMPLE-2.1/hotfix.exe"), b"MZ\x90\0\x03\0\0").expect("written");
    world.run(SAVE).exits_with(exit::OK);
    world
}

/// Applies the saved plan, and records another rollup as applied by hand.
fn apply(world: &World) {
    world.run(APPLY).exits_with(exit::STOPPED);
    for done in ["drain@WEB01", "drain@WEB02"] {
        world.run(&format!("resume --yes --done {done}"));
    }
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
    world
        .run("accept --applied KB100009 --reason 'by hand' --yes")
        .exits_with(exit::OK);
}

fn undo(world: &World) {
    world.run("undo last --yes").exits_with(exit::OK);
    let words = format!("undo {ROLLUP} --yes {DRAINED} --done hotfix");
    world.run(&words).exits_with(exit::OK);
}

fn released() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/released")
}

/// Returns the directories of all released versions.
fn releases() -> Vec<PathBuf> {
    let releases = fs::read_dir(released()).expect("released versions");
    releases
        .map(|entry| entry.expect("listed").path())
        .collect()
}

fn stored(bytes: Vec<u8>) -> Stored {
    let is_text = |text: &str| !text.contains('\0');
    match String::from_utf8(bytes) {
        Ok(text) if is_text(&text) => Stored::Text(text),
        bytes => {
            let bytes =
                bytes.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
            let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Stored::Bytes { hex }
        }
    }
}

fn bytes(stored: &Stored) -> Vec<u8> {
    match stored {
        Stored::Text(text) => text.clone().into_bytes(),
        Stored::Bytes { hex } => hex
            .as_bytes()
            .chunks(2)
            .map(|digits| str::from_utf8(digits).expect("digits"))
            .map(|digits| u8::from_str_radix(digits, 16).expect("a byte"))
            .collect(),
    }
}

fn tree(world: &World) -> StoredTree {
    let root = world.at(".");
    let mut tree = StoredTree::new();
    for entry in WalkDir::new(&root).min_depth(1) {
        let entry = entry.expect("a readable tree");
        let path = entry.path().strip_prefix(&root).expect("below the root");
        // The reserve for a full disk has no information.
        if path.ends_with("reserve") {
            continue;
        }
        let is_file = entry.file_type().is_file();
        let contents = is_file.then(|| stored(fs::read(entry.path()).expect("a file")));
        tree.insert(path.to_owned(), contents);
    }
    tree
}

/// Returns the part of a tree that is the deployment, without the directory of rollup itself.
fn deployed(mut tree: StoredTree) -> StoredTree {
    tree.retain(|path, _| {
        path.starts_with("deployment") && !path.starts_with("deployment/.rollup")
    });
    tree
}

fn read(release: &Path, name: &str) -> StoredTree {
    let text = fs::read_to_string(release.join(format!("{name}.json"))).expect("a directory");
    serde_json::from_str(&text).expect("paths and contents")
}

/// Writes a stored directory to disk. The owner of the files is the user of the test.
fn restored(release: &Path, name: &str) -> World {
    let world = World::with_site(SITE);
    fs::remove_dir_all(world.deployment()).expect("removed");
    for (path, contents) in read(release, name) {
        let at = world.at(path.to_str().expect("UTF-8"));
        match contents {
            None => fs::create_dir(at).expect("made"),
            Some(contents) => fs::write(at, bytes(&contents)).expect("written"),
        }
    }
    world
}

#[test]
fn the_files_of_this_version_are_stored() {
    let release = released().join(env!("CARGO_PKG_VERSION"));
    let world = before();
    for name in ["before", "applied"] {
        if name == "applied" {
            apply(&world);
        }
        let at = release.join(format!("{name}.json"));
        if !at.exists() && std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite") {
            fs::create_dir_all(&release).expect("made");
            let text = serde_json::to_string_pretty(&tree(&world)).expect("paths and contents");
            fs::write(&at, text + "\n").expect("written");
        }
        let stored = deployed(read(&release, name));
        assert_eq!(
            deployed(tree(&world)),
            stored,
            "{name}: it is not what this version writes"
        );
    }
}

#[test]
fn deployments_of_released_versions_are_read() {
    for release in releases() {
        let world = restored(&release, "applied");
        for (command, words) in [
            ("status", "clean: no run in progress"),
            ("history", ROLLUP),
            (&format!("history {ROLLUP}"), "hotfix: hotfix; 1 operation"),
            ("tree", "Provider"),
            ("tree --by server", "Hotfix 2.1"),
            ("report 1", "revision 2.1"),
            ("report 1 --format markdown", "revision 2.1"),
            ("report 1 --format html", "revision 2.1"),
            ("plan sample.toml", "nothing to do"),
            ("plan plan.json", "nothing to do"),
            ("validate sample.toml -d deployment", "0 errors"),
        ] {
            let ran = world.run(command).exits_with(exit::OK);
            ran.nothing_was_touched().prints(words);
        }
        let verified = world.run("verify --undo").nothing_was_touched();
        verified.prints("everything matches");
    }
}

#[test]
fn runs_of_released_versions_are_undone() {
    for release in releases() {
        let world = restored(&release, "applied");
        undo(&world);
        let tree = deployed(tree(&world));
        assert_eq!(tree, deployed(read(&release, "before")));
    }
}

/// A plan is for the version that made it: if a later version plans otherwise, it refuses it as stale,
/// and the release has to be named here.
#[test]
fn saved_plans_of_released_versions_are_shown_and_applied() {
    for release in releases() {
        let world = restored(&release, "before");
        let plan: Value = serde_json::from_slice(&fs::read(world.at("plan.json")).expect("a plan"))
            .expect("JSON");
        let digest = plan["digest"].as_str().expect("a digest");
        for format in ["text", "markdown", "html", "json"] {
            world
                .run(&format!("show plan.json --format {format}"))
                .exits_with(exit::OK)
                .nothing_was_touched()
                .prints(digest);
        }
        apply(&world);
        let tree = deployed(tree(&world));
        assert_eq!(tree, deployed(read(&release, "applied")));
    }
}

/// Reads a record and writes it again. Returns `None` for another file.
fn written_again(path: &Path, text: &str) -> Option<String> {
    let is = |part: &str| path.components().any(|name| name.as_os_str() == part);
    let name = path.file_name().and_then(|name| name.to_str())?;
    let stem = name.strip_suffix(".toml")?;
    if is("applied") {
        let kb = stem.parse().expect("an identity");
        let record = AppliedRecord::parse(kb, text).expect("a record");
        return Some(record.to_toml());
    }
    if is("Services") {
        return Some(ServiceRecord::parse(text).expect("a record").to_toml());
    }
    if name != "state.toml" {
        return None;
    }
    let is_procedure = is("Prepare");
    Some(if is_procedure {
        ProcedureRecord::parse(text).expect("a record").to_toml()
    } else {
        ItemRecord::parse(text).expect("a record").to_toml()
    })
}

#[test]
fn records_of_released_versions_are_written_as_they_were() {
    for release in releases() {
        let mut number = 0;
        for (path, contents) in deployed(read(&release, "applied")) {
            let Some(Stored::Text(text)) = contents else {
                continue;
            };
            if let Some(again) = written_again(&path, &text) {
                assert_eq!(again, text, "{}", path.display());
                number += 1;
            }
        }
        assert!(number >= 10, "only {number} records");
    }
}

/// Documents that people write: a later version may require less of them.
const WRITTEN_BY_PEOPLE: [&str; 2] = ["manifest", "deployment"];

/// Collects the keys of a JSON Schema, with their types and values, as lines.
struct Keys<'s> {
    schema: &'s Value,
    lines: BTreeSet<String>,
    /// References that lead to this place, so that a type that contains itself ends.
    references: Vec<&'s str>,
}

impl<'s> Keys<'s> {
    fn add(&mut self, at: &'s Value, path: &str) {
        if let Some(reference) = at["$ref"]
            .as_str()
            .filter(|to| !self.references.contains(to))
        {
            let schema = self.schema;
            let pointer = reference
                .strip_prefix('#')
                .expect("a reference in the schema");
            self.references.push(reference);
            self.add(schema.pointer(pointer).expect("its target"), path);
            self.references.pop();
        }
        match &at["type"] {
            Value::String(name) => self.line(format!("{path}: {name}")),
            Value::Array(names) => names.iter().for_each(|name| {
                self.line(format!("{path}: {}", name.as_str().expect("a type")));
            }),
            _ => {}
        }
        for value in list(&at["enum"]).iter().chain(at.get("const")) {
            self.line(format!("{path} = {value}"));
        }
        for (key, value) in at["properties"].as_object().into_iter().flatten() {
            if list(&at["required"]).iter().any(|name| name == key) {
                self.line(format!("{path}.{key} is required"));
            }
            self.add(value, &format!("{path}.{key}"));
        }
        self.add_if_there(&at["items"], &format!("{path}[]"));
        self.add_if_there(&at["additionalProperties"], &format!("{path}.*"));
        for alternatives in ["anyOf", "oneOf", "allOf"] {
            for alternative in list(&at[alternatives]) {
                self.add(alternative, path);
            }
        }
    }

    fn add_if_there(&mut self, at: &'s Value, path: &str) {
        if at.is_object() {
            self.add(at, path);
        }
    }

    fn line(&mut self, line: String) {
        self.lines.insert(line);
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the keys of all documents that this version reads and writes.
fn keys_of_documents() -> BTreeSet<String> {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut lines = BTreeSet::new();
    for file in fs::read_dir(schemas).expect("the schemas") {
        let file = file.expect("listed").path();
        let text = fs::read_to_string(&file).expect("a schema");
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        let name = file
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name");
        let mut keys = Keys {
            schema: &schema,
            lines: BTreeSet::new(),
            references: Vec::new(),
        };
        keys.add(&schema, name);
        let mut found = keys.lines;
        if WRITTEN_BY_PEOPLE.contains(&name) {
            found.retain(|line| !line.ends_with(" is required"));
        }
        lines.extend(found);
    }
    lines
}

#[test]
fn documents_keep_the_keys_of_released_versions() {
    let keys = keys_of_documents();
    let own = released().join(env!("CARGO_PKG_VERSION")).join("keys.txt");
    if !own.exists() && std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite") {
        fs::create_dir_all(own.parent().expect("a directory")).expect("made");
        let text: String = keys.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&own, text).expect("written");
    }
    for release in releases() {
        let text = fs::read_to_string(release.join("keys.txt")).expect("the keys of a release");
        let lost: Vec<&str> = text.lines().filter(|line| !keys.contains(*line)).collect();
        assert!(lost.is_empty(), "{}: {lost:#?}", release.display());
        assert!(text.lines().count() > 1000);
    }
}
