//! The JSON Schemas of the documents and the parsers are fed the same documents, and agree.
//!
//! The schemas are those that the program prints; who checks by them is a validator that others
//! made.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use jsonschema::Validator;
use rollup::deployment::describe;
use rollup::deployment::shapes::DEPLOYMENT;
use rollup::document::{Code, Finding, Findings, Keys, Severity, Shape, Source};
use rollup::manifest::{self, MANIFEST};
use serde_json::Value;
use tempfile::TempDir;
use toml::Table;
use toml::de::{DeTable, DeValue};

use crate::transcripts::program;

/// A language, as the parser and as the schema know it.
struct Language {
    name: &'static str,
    shape: &'static Shape,
    parse: fn(&Source, &mut Findings) -> bool,
    schema: LazyLock<Validator>,
}

static MANIFESTS: Language = Language {
    name: "manifest",
    shape: &MANIFEST,
    parse: |source, findings| manifest::parse(source, findings).is_some(),
    schema: LazyLock::new(|| validator("manifest")),
};

static DEPLOYMENTS: Language = Language {
    name: "deployment",
    shape: &DEPLOYMENT,
    parse: |source, findings| describe::parse(source, findings).is_some(),
    schema: LazyLock::new(|| validator("deployment")),
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn printed(name: &str) -> String {
    let output = program(root())
        .args(["schema", name])
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

fn validator(name: &str) -> Validator {
    let schema = serde_json::from_str(&printed(name)).expect("JSON");
    jsonschema::draft7::meta::validate(&schema).expect("a schema of draft 07");
    jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("patterns that can be read")
}

/// TOML as JSON; dates and times become texts. It is none where it is not TOML.
fn json(text: &str) -> Option<Value> {
    fn value(found: &DeValue<'_>) -> Value {
        match found {
            DeValue::String(text) => text.as_ref().into(),
            DeValue::Integer(number) => {
                let wide = i128::from_str_radix(number.as_str(), number.radix()).expect("digits");
                i64::try_from(wide).map_or_else(|_| (wide as f64).into(), Value::from)
            }
            DeValue::Float(number) => number.as_str().parse::<f64>().expect("a number").into(),
            DeValue::Boolean(flag) => (*flag).into(),
            DeValue::Datetime(time) => time.to_string().into(),
            DeValue::Array(list) => list.iter().map(|entry| value(entry.get_ref())).collect(),
            DeValue::Table(table) => object(table),
        }
    }
    fn object(table: &DeTable<'_>) -> Value {
        table
            .iter()
            .map(|(key, entry)| (key.get_ref().to_string(), value(entry.get_ref())))
            .collect()
    }
    DeTable::parse(text.trim_start_matches('\u{feff}'))
        .ok()
        .map(|table| object(table.get_ref()))
}

/// Faults that only the parser can see: they lie between two places of a document.
fn between_places(finding: &Finding) -> bool {
    match finding.code {
        // The same name in another case, a name that something else has, or one that is ours.
        Code::DuplicateName | Code::Reserved | Code::Overlap | Code::Spelling => true,
        // Steps and pins against the file table.
        Code::NotListed | Code::PinOfNothing => true,
        Code::MissingKey => finding.message.contains("needs a file table"),
        Code::Contradiction => finding.message.contains("takes all other files already"),
        Code::NoTargets => finding.message.contains("has no targets: "),
        // Steps against each other, rollups against each other.
        Code::RemovedBy | Code::SelfRelation | Code::Opposed => true,
        // Names against what is described elsewhere.
        Code::UnknownHere | Code::RequiresProcedure | Code::Cycle | Code::WrongKind => true,
        _ => false,
    }
}

/// Parser and schema say the same of a document. `lax` where its only fault is one that no pattern
/// tells.
#[track_caller]
fn agree(language: &Language, text: &str, lax: bool, about: &str) {
    let source = Source::new("document", text);
    let mut findings = Findings::default();
    let accepted = (language.parse)(&source, &mut findings);
    let sorted = findings.sorted();
    let errors = sorted
        .iter()
        .filter(|finding| finding.level == Severity::Error);
    let mut errors: Vec<_> = errors.filter(|finding| !between_places(finding)).collect();
    let Some(instance) = json(text) else {
        panic!("{about}: not TOML:\n{text}")
    };
    let faults: Vec<String> = language
        .schema
        .iter_errors(&instance)
        .map(|fault| fault.to_string())
        .collect();
    if accepted {
        assert!(
            faults.is_empty(),
            "{about}: only the schema refuses\n{text}\n{faults:#?}"
        );
    } else if let Some(error) = errors.pop() {
        assert!(
            lax || !faults.is_empty(),
            "{about}: only the parser refuses: {}\n{text}",
            error.message
        );
    }
}

#[test]
fn the_schemas_in_the_repository_are_those_that_the_program_prints() {
    for name in ["manifest", "deployment", "plan", "event"] {
        let expected = root().join(format!("schemas/{name}.json"));
        // As text: what is compared is every byte, the order of the keys included.
        let expected = snapbox::Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .normalize_paths(false)
            .eq(printed(name), expected.raw());
    }
}

#[test]
fn a_schema_is_written_into_a_file_as_it_is_printed() {
    let directory = TempDir::new().expect("a directory");
    let output = program(directory.path())
        .args(["schema", "manifest", "-o", "m.json"])
        .output()
        .expect("it runs");
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(
        fs::read_to_string(directory.path().join("m.json")).expect("a file"),
        printed("manifest")
    );
    let output = program(directory.path())
        .args(["schema", "manifest", "-o", "none/m.json"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(74));
    let output = program(directory.path())
        .args(["schema", "journal"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn the_shipped_documents_conform() {
    for (language, path) in [
        (&MANIFESTS, "manifests/kb952076.toml"),
        (&DEPLOYMENTS, "fixtures/hmc40/deployment.toml"),
    ] {
        let text = fs::read_to_string(root().join(path)).expect("it can be read");
        assert!(
            language.schema.is_valid(&json(&text).expect("TOML")),
            "{path}"
        );
        agree(language, &text, false, path);
    }
}

#[test]
fn of_every_faulty_document_parser_and_schema_say_the_same() {
    let mut compared = 0;
    for entry in fs::read_dir(root().join("fixtures/faulty")).expect("the fixtures are there") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read(&path)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        // What is no TOML, or nested too deeply to be looked at, is nothing to a schema.
        let Some(text) = text.filter(|text| name.ends_with(".toml") && json(text).is_some()) else {
            continue;
        };
        // An inline table over several lines is TOML 1.1, about which no schema can say anything.
        let language = if name.starts_with("deployment-") {
            &DEPLOYMENTS
        } else {
            &MANIFESTS
        };
        agree(language, &text, name == "toml-1-1.toml", &name);
        compared += 1;
    }
    assert!(compared > 10, "only {compared} were TOML");
}

/// Documents without a fault that together use every key.
pub(crate) const FULL_MANIFEST: &str = r#"
schema = 1

[rollup]
kb = "KB952076"
title = "Everything at once"
product = "Product"
product_versions = ["4.0"]
scope = "all of it"
released = 2008-04-29
includes = ["KB1", "2"]
replaces = ["kb1"]
requires = ["KB3"]
fixes = ["a fault"]
notes = ["a note"]

[article]
url = "https://support.example/kb/952076"
revision = "1.0"
reviewed = 2008-05-14

[[prerequisites]]
product = "Other"
service_pack = 1
on = "engine"

[[prerequisites]]
item = "Item"

[[prerequisites]]
confirm = "Is there a backup?"
id = "backup"

[[steps]]
id = "uninstall"
title = "Remove"
action = "uninstall"
items."Group/Below" = ["A", "B"]
groups = ["Other Group"]
on = "engine"
platform = "x64"

[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["a.msi", "b.msi"]

[[steps]]
id = "copy-others"
action = "copy"
to = "Scripts/New"
on = "engine"
platform = "x64"
others = true

[[steps]]
id = "install"
action = "install"
removed_by = "uninstall"

[[steps]]
id = "install-more"
action = "install"
groups = ["Group/Other"]
items."Group" = ["C"]

[[steps]]
id = "run"
action = "run"
files = ["c.msi"]
on = "engine"
platform = "x64"

[[steps]]
id = "initialize"
action = "initialize"
items."Group/Procedures" = ["P"]
parameters."P" = { controller = "AD01", empty = "" }

[[steps]]
id = "stop"
action = "stop"
service = "Engine"

[[steps]]
id = "disable"
action = "disable"
service = "Engine"

[[steps]]
id = "enable"
action = "enable"
service = "Engine"

[[steps]]
id = "start"
action = "start"
service = "Engine"

[[steps]]
id = "restart"
action = "restart"
service = "Engine"
on = "engine"
platform = "x86"

[[steps]]
id = "manual"
action = "manual"
instructions = "Run the script."
undo = "Run the other script."
optional = true
on = "sql"
platform = "x64"

[payload]
files = [
  { name = "a.msi", size = 512, modified = 2008-03-31T18:32:00Z, platform = "x86", version = "1.0" },
  { name = "b.msi", size = 1024 },
  { name = "c.msi", size = 1536 },
  { name = "d.txt", size = 7 },
  { name = "e.exe", size = 7, unused = "only where nothing else helps" },
]

[payload.sha256]
"a.msi" = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
"#;

const FULL_DEPLOYMENT: &str = r#"
schema = 1
name = "site"
product = "Product"
product_version = "4.0"
share = "MSIShare"
applied = ["KB1", "KB2"]
roles = [{ name = "engine", aliases = ["engines"] }, { name = "web" }]
servers = [{ name = "S1", roles = ["engine"], platform = "x64" }, { name = "S2" }]
products = [{ name = "Other", service_pack = 1, servers = ["S1"] }]
services = [{ name = "Engine", aliases = ["E"], on = "engine" }]

[[groups]]
path = "Group/Below"
aliases = ["Beneath"]
on = "engine"
removable = false
items = [
  { name = "A", aliases = ["Aa"], installer = "a.msi", product = "The A", on = "web", removable = true },
  { name = "B", installer = "b.msi" },
]
procedures = [{ name = "P", aliases = ["Pp"], needs = ["controller"], on = "engine" }]

[requires]
"A" = ["B"]
"P" = ["A"]

[parameters]
"P" = { controller = "AD01", empty = "" }

[rehearsal]
not_installed = ["B"]
"#;

/// The documents in which one thing after the other is changed.
fn full(language: &Language) -> Table {
    let text = if language.name == "manifest" {
        FULL_MANIFEST
    } else {
        FULL_DEPLOYMENT
    };
    let mut findings = Findings::default();
    assert!(
        (language.parse)(&Source::new("full", text), &mut findings),
        "{:?}",
        findings.sorted()
    );
    text.parse().expect("TOML")
}

/// Every table of a document, with the way to it and its shape.
pub(crate) fn tables(
    table: &Table,
    shape: &'static Shape,
    way: &[Step],
    found: &mut Vec<(Vec<Step>, &'static Shape)>,
) {
    found.push((way.to_vec(), shape));
    for (name, value) in table {
        let Some(below) = shape.key(name).and_then(|key| key.kind.shape()) else {
            continue;
        };
        let way = [way, &[Step::Key(name.clone())]].concat();
        match value {
            toml::Value::Table(inner) => tables(inner, below, &way, found),
            toml::Value::Array(list) => {
                for (at, inner) in list.iter().enumerate() {
                    tables(
                        inner.as_table().expect("a table"),
                        below,
                        &[&way[..], &[Step::Entry(at)]].concat(),
                        found,
                    );
                }
            }
            _ => {}
        }
    }
}

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Key(String),
    Entry(usize),
}

/// Every way to a value, below tables and lists.
pub(crate) fn ways(value: &toml::Value, way: &[Step], found: &mut Vec<Vec<Step>>) {
    let mut below = |step: Step, value: &toml::Value| {
        let way = [way, &[step]].concat();
        found.push(way.clone());
        ways(value, &way, found);
    };
    match value {
        toml::Value::Table(table) => table
            .iter()
            .for_each(|(name, value)| below(Step::Key(name.clone()), value)),
        toml::Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(at, value)| below(Step::Entry(at), value));
        }
        _ => {}
    }
}

fn at<'v>(value: &'v mut toml::Value, way: &[Step]) -> &'v mut toml::Value {
    way.iter().fold(value, |value, step| match step {
        Step::Key(name) => &mut value[name.as_str()],
        Step::Entry(at) => &mut value[*at],
    })
}

/// The document with something changed in the table or list that holds the end of the way.
pub(crate) fn changed(
    document: &Table,
    way: &[Step],
    change: impl FnOnce(&mut toml::Value, &Step),
) -> String {
    let mut document = toml::Value::Table(document.clone());
    let (last, holder) = way.split_last().expect("a way has steps");
    change(at(&mut document, holder), last);
    toml::to_string(&document).expect("it can be written")
}

pub(crate) fn put(holder: &mut toml::Value, step: &Step, value: toml::Value) {
    *at(holder, std::slice::from_ref(step)) = value;
}

const BOTH: [&Language; 2] = [&MANIFESTS, &DEPLOYMENTS];

#[test]
fn the_full_documents_use_every_key_and_every_case() {
    for language in BOTH {
        let document = full(language);
        let mut found = Vec::new();
        tables(&document, language.shape, &[], &mut found);
        let mut document = toml::Value::Table(document);
        let mut used: BTreeSet<(&str, String)> = BTreeSet::new();
        for (way, shape) in &found {
            let table = at(&mut document, way).as_table().expect("a table");
            used.extend(table.keys().map(|key| (shape.title, key.clone())));
            used.extend(
                table
                    .get("action")
                    .and_then(|action| Some((shape.title, action.as_str()?.to_owned()))),
            );
        }
        for shape in language.shape.all() {
            let free = matches!(shape.keys, Keys::Free(..));
            assert!(
                !free || used.iter().any(|(title, _)| *title == shape.title),
                "{}",
                shape.title
            );
            let names = shape
                .named()
                .iter()
                .map(|key| key.name)
                .chain(shape.cases().iter().map(|case| case.name));
            for name in names {
                assert!(
                    used.contains(&(shape.title, name.to_owned())),
                    "`{name}` of {} is not used",
                    shape.title
                );
            }
        }
    }
}

#[test]
fn they_agree_when_anything_is_taken_away_or_emptied() {
    for language in BOTH {
        let document = full(language);
        let mut found = Vec::new();
        ways(&toml::Value::Table(document.clone()), &[], &mut found);
        for way in found {
            let without = changed(&document, &way, |holder, step| match (holder, step) {
                (toml::Value::Table(table), Step::Key(name)) => drop(table.remove(name)),
                (toml::Value::Array(list), Step::Entry(at)) => drop(list.remove(*at)),
                _ => unreachable!("a way fits its document"),
            });
            agree(language, &without, false, &format!("without {way:?}"));
            let emptied = changed(&document, &way, |holder, step| {
                let empty = match at(holder, std::slice::from_ref(step)) {
                    toml::Value::Array(_) => toml::Value::Array(Vec::new()),
                    toml::Value::Table(_) => toml::Value::Table(Table::new()),
                    _ => toml::Value::String(String::new()),
                };
                put(holder, step, empty);
            });
            agree(language, &emptied, false, &format!("{way:?} emptied"));
        }
    }
}

#[test]
fn they_agree_when_a_value_has_another_type() {
    // JSON has one kind of numbers, so 512.0 would be a whole one to a schema.
    let others = "a = [\"x\", \" \", 7, -1, 2_000_000_000_000, 2.5, true, false, 2008-04-29, 18:32:00, 2008-03-31T18:32:00Z, \
                  2008-03-31T18:32:00, 2008-03-31T18:32:17Z, 2008-03-31T20:32:00+02:00, [], [\"x\"], [\"x\", \"x\"], [1], \
                  [\"\"], [[]], [{}], {}, { x = 1 }, { x = \"y\" }, { name = \"n\" }]";
    let others: Table = others.parse().expect("TOML");
    let others = others["a"].as_array().expect("a list");
    for language in BOTH {
        let document = full(language);
        let mut found = Vec::new();
        ways(&toml::Value::Table(document.clone()), &[], &mut found);
        for way in found {
            for other in others {
                // A date is a text to a schema, so it cannot tell one where a text belongs.
                let mut lax = false;
                let text = changed(&document, &way, |holder, step| {
                    lax = other.is_datetime() && at(holder, std::slice::from_ref(step)).is_str();
                    put(holder, step, other.clone());
                });
                agree(language, &text, lax, &format!("{way:?} is {other}"));
            }
        }
    }
}

#[test]
fn they_agree_about_the_form_of_every_text_and_name() {
    let long = "x".repeat(256);
    let digest = "9F86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let texts = [
        " ",
        "KB1",
        "kb952076",
        "7",
        "KB0",
        "KB 1",
        "1234567890",
        "KB123456789",
        "1.0",
        "1..0",
        "1.x",
        "12345678901",
        "-x",
        "x-y_z.1",
        "x y",
        "x/y",
        "/x",
        "x/",
        "x//y",
        "x\\y",
        ".",
        "..",
        "./x",
        "../x",
        "x/..",
        "x/.../y",
        "a.",
        "a ",
        "a/b.",
        "a:b",
        "nul",
        "NUL.txt",
        "com1",
        "LPT9.log",
        "COM\u{b9}",
        "con .x",
        "CONIN$",
        "a/aux/b",
        "COM10",
        "console",
        ".hidden",
        "\u{dc}ber uns.dll",
        "x.msi",
        ".msi",
        "x.MSI",
        "share",
        "SHARE",
        "http://x",
        "https://",
        "ftp://x",
        "HTTP://x",
        "uninstall",
        "Copy",
        "x\ty",
        "x\u{7f}",
        "x\ny",
        "\u{feff}",
        "\u{2028}.msi",
        digest,
        &digest[1..],
        "\u{1f4be}",
    ];
    // No pattern tells letters of every script, blanks that are none to Windows, or the length of a
    // whole path.
    let lax = [
        "\u{a0}",
        "\u{85}",
        "x\u{2192}y",
        "\u{2028}.msi",
        "\u{feff}",
        "\u{1f4be}",
        &long,
    ];
    for language in BOTH {
        let document = full(language);
        let mut found = Vec::new();
        ways(&toml::Value::Table(document.clone()), &[], &mut found);
        for way in &found {
            let mut whole = toml::Value::Table(document.clone());
            if !at(&mut whole, way).is_str() {
                continue;
            }
            for text in texts.iter().chain(&lax) {
                let said = changed(&document, way, |holder, step| {
                    put(holder, step, (*text).into())
                });
                agree(
                    language,
                    &said,
                    lax.contains(text),
                    &format!("{way:?} is {text:?}"),
                );
            }
        }
        let mut found = Vec::new();
        tables(&document, language.shape, &[], &mut found);
        for (way, _) in found
            .iter()
            .filter(|(_, shape)| matches!(shape.keys, Keys::Free(..)))
        {
            for name in texts.iter().chain(&lax).chain(&[""]) {
                let named = changed(&document, way, |holder, step| {
                    let table = at(holder, std::slice::from_ref(step))
                        .as_table_mut()
                        .expect("a table");
                    let value = table
                        .iter()
                        .next()
                        .map(|(_, value)| value.clone())
                        .expect("it has an entry");
                    table.insert((*name).to_owned(), value);
                });
                agree(
                    language,
                    &named,
                    lax.contains(name),
                    &format!("{way:?} has {name:?}"),
                );
            }
        }
    }
}

/// Above all which keys go with which action, and with which other keys.
#[test]
fn they_agree_when_a_table_gets_a_key_more() {
    for language in BOTH {
        let document = full(language);
        let mut found = Vec::new();
        tables(&document, language.shape, &[], &mut found);
        let mut whole = toml::Value::Table(document.clone());
        for (way, shape) in &found {
            let more = |name: &str, value: toml::Value| {
                let mut document = whole.clone();
                let table = at(&mut document, way).as_table_mut().expect("a table");
                if table.insert(name.to_owned(), value).is_none() {
                    let text = toml::to_string(&document).expect("it can be written");
                    agree(language, &text, false, &format!("{way:?} with `{name}`"));
                }
            };
            if matches!(shape.keys, Keys::Named(_)) {
                more("unheard_of", true.into());
            }
            for key in shape.named() {
                let alike = found.iter().filter(|(_, other)| other.title == shape.title);
                let values: Vec<toml::Value> = alike
                    .filter_map(|(way, _)| {
                        at(&mut toml::Value::Table(document.clone()), way)
                            .get(key.name)
                            .cloned()
                    })
                    .collect();
                values.into_iter().for_each(|value| more(key.name, value));
            }
        }
        whole.as_table_mut().expect("a table").clear();
        agree(language, "", false, "nothing at all");
    }
}

fn check_jsonschema(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("check-jsonschema")
        .args(arguments)
        .current_dir(root())
        .output();
    let output = output.unwrap_or_else(|error| panic!("cannot run `check-jsonschema`: {error}"));
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
#[ignore = "needs check-jsonschema"]
fn another_program_takes_the_schemas_and_judges_by_them() {
    let schemas = ["schemas/manifest.json", "schemas/deployment.json"];
    let (fine, told) = check_jsonschema(&["--check-metaschema", schemas[0], schemas[1]]);
    assert!(fine, "{told}");
    for (schema, document) in schemas
        .iter()
        .zip(["manifests/kb952076.toml", "fixtures/hmc40/deployment.toml"])
    {
        let (fine, told) = check_jsonschema(&["--schemafile", schema, document]);
        assert!(fine, "{told}");
    }
    let (fine, told) = check_jsonschema(&[
        "--schemafile",
        schemas[0],
        "fixtures/faulty/ten-faults.toml",
    ]);
    assert!(!fine && told.contains("titel"), "{told}");
}
