//! Agreement of the JSON Schemas with the parsers: both check the same documents.
//!
//! The schemas are those that the program prints; an independent validator checks with them.

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
use toml::Table;
use toml::de::{DeTable, DeValue};

use crate::sampling::Sampling;
use crate::temporary::temporary;
use crate::transcripts::program;

/// Document language with its parser and its schema.
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

pub(crate) fn printed_schema(name: &str) -> String {
    let output = program(root())
        .args(["schema", name])
        .output()
        .expect("the program runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

fn validator(name: &str) -> Validator {
    let schema = serde_json::from_str(&printed_schema(name)).expect("JSON");
    jsonschema::draft7::meta::validate(&schema).expect("a schema of draft 07");
    jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("valid patterns")
}

/// Converts TOML to JSON, with dates and times as strings. Returns nothing if it is not TOML.
fn to_json(text: &str) -> Option<Value> {
    fn value(toml: &DeValue<'_>) -> Value {
        match toml {
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

/// Returns true for a fault that only the parser can find, as it needs two places of a document.
fn is_cross_reference(finding: &Finding) -> bool {
    match finding.code {
        // The same name in another case, a name that is in use, or a reserved one.
        Code::DuplicateName
        | Code::ReservedName
        | Code::OverlappingDirectories
        | Code::CaseDiffers => true,
        // Steps and pins against the file table.
        Code::NotListed | Code::PinWithoutRow => true,
        // `required` and `signers` belong together.
        Code::MissingKey => ["needs a file table", "[approval] lacks"]
            .iter()
            .any(|words| finding.message.contains(words)),
        Code::ExclusiveKeys => finding.message.contains("already takes all other files"),
        Code::NoTargets => finding.message.contains("has no targets: "),
        // Steps against each other, rollups against each other.
        Code::InvalidRemovedBy | Code::SelfRelation | Code::RequiredAndReplaced => true,
        // The limits of a range, and two prerequisites.
        Code::NeverHolds => true,
        // Names against their definitions.
        Code::UnknownName | Code::RequiresProcedure | Code::RequirementCycle | Code::WrongKind => {
            true
        }
        _ => false,
    }
}

/// Asserts that parser and schema both accept or both refuse a document. With `inexpressible`, the
/// schema may accept it, as no pattern can express its fault.
#[track_caller]
fn assert_agree(language: &Language, text: &str, inexpressible: bool, about: &str) {
    let source = Source::new("document", text);
    let mut findings = Findings::default();
    let accepted = (language.parse)(&source, &mut findings);
    let sorted = findings.sorted();
    let errors = sorted
        .iter()
        .filter(|finding| finding.level == Severity::Error);
    let mut errors: Vec<_> = errors
        .filter(|finding| !is_cross_reference(finding))
        .collect();
    let Some(instance) = to_json(text) else {
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
            inexpressible || !faults.is_empty(),
            "{about}: only the parser refuses: {}\n{text}",
            error.message
        );
    }
}

#[test]
fn the_schemas_in_the_repository_match_those_that_the_program_prints() {
    let program = rollup::cli::command();
    let schema = program.find_subcommand("schema").expect("a command");
    let name = schema.get_positionals().next().expect("an argument");
    let names = name.get_possible_values();
    assert!(names.len() > 15, "{names:?}");
    for name in names.iter().map(|name| name.get_name()) {
        let expected = root().join(format!("schemas/{name}.json"));
        // As text, so that every byte is compared, and with it the order of the keys.
        let expected = snapbox::Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .normalize_paths(false)
            .eq(printed_schema(name), expected.raw());
    }
}

#[test]
fn a_schema_is_written_into_a_file_as_it_is_printed() {
    let directory = temporary();
    let output = program(directory.path())
        .args(["schema", "manifest", "-o", "m.json"])
        .output()
        .expect("the program runs");
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(
        fs::read_to_string(directory.path().join("m.json")).expect("a file"),
        printed_schema("manifest")
    );
    let output = program(directory.path())
        .args(["schema", "manifest", "-o", "none/m.json"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(74));
    let output = program(directory.path())
        .args(["schema", "journal"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn the_shipped_documents_conform() {
    for (language, path) in [
        (&MANIFESTS, "manifests/kb952076.toml"),
        (&DEPLOYMENTS, "fixtures/hmc40/deployment.toml"),
    ] {
        let text = fs::read_to_string(root().join(path)).expect("a document");
        assert!(
            language.schema.is_valid(&to_json(&text).expect("TOML")),
            "{path}"
        );
        assert_agree(language, &text, false, path);
    }
}

#[test]
fn parser_and_schema_agree_about_every_faulty_document() {
    let mut compared = 0;
    for entry in fs::read_dir(root().join("fixtures/faulty")).expect("the fixtures") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read(&path)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        // A schema cannot check a text that is not TOML or is nested too deeply.
        let Some(text) = text.filter(|text| name.ends_with(".toml") && to_json(text).is_some())
        else {
            continue;
        };
        // An inline table over several lines is TOML 1.1, which a schema cannot see.
        let language = if name.starts_with("deployment-") {
            &DEPLOYMENTS
        } else {
            &MANIFESTS
        };
        assert_agree(language, &text, name == "toml-1-1.toml", &name);
        compared += 1;
    }
    assert!(compared > 10, "only {compared} were TOML");
}

/// Manifest without errors that uses every key.
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
requires = ["KB3", "kb4>=2.0"]
fixes = ["a fault"]
notes = ["a note"]
computer_restart = "required"
registry_changes = "none"

[article]
url = "https://support.example/kb/952076"
revision = "1.0"
reviewed = 2008-05-14

[[prerequisites]]
product = "Other"
service_pack = 1
on = "engine"

[[prerequisites]]
product = "Other"
service_pack = { min = 1, max = 2 }
version = { min = "4.0", max = "4.1" }
on = "web"

[[prerequisites]]
product = "One More"
version = "2007"

[[prerequisites]]
item = "Item"
version = "4.0"

[[prerequisites]]
item = "Old Item"
absent = true

[[prerequisites]]
any = [
  { product = "Other", service_pack = 1, version = "2007" },
  { product = "Other", service_pack = { min = 3, max = 4 }, version = { min = "4.0", max = "4.1" }, on = "engine" },
  { item = "Item", version = "4.0" },
  { item = "New Item", absent = true },
]

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
irreversible = "it upgrades a database"

[[steps]]
id = "run"
action = "run"
files = ["c.msi"]
features = ["Tools"]
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
files = ["f.vbs"]
on = "sql"
platform = "x64"

[[steps]]
id = "hotfix"
action = "run"
on = "engine"
files = ["h.exe"]
arguments = "/quiet"
program = "Hotfix"
undo = "h.exe /uninstall"

[[steps]]
id = "each"
action = "each-server"
on = "engine"
platform = "x64"

[[steps.steps]]
id = "each-out"
title = "Remove"
action = "uninstall"
items."Group/Below" = ["A"]
groups = ["Other Group"]

[[steps.steps]]
id = "each-in"
action = "install"
removed_by = "each-out"

[[steps.steps]]
id = "each-copy"
action = "copy"
to = "Scripts/New"
files = ["f.vbs", "b.msi"]

[[steps.steps]]
id = "each-run"
action = "run"
files = ["c.msi"]
features = ["Tools"]
irreversible = "it upgrades a database"

[[steps.steps]]
id = "each-hotfix"
action = "run"
files = ["h.exe"]
arguments = "/quiet"
program = "Hotfix 2"
undo = "h.exe /uninstall"

[[steps.steps]]
id = "each-initialize"
action = "initialize"
items."Group/Procedures" = ["P"]
parameters."P" = { controller = "AD01" }

[[steps.steps]]
id = "each-stop"
action = "stop"
service = "Engine"

[[steps.steps]]
id = "each-disable"
action = "disable"
service = "Engine"

[[steps.steps]]
id = "each-enable"
action = "enable"
service = "Engine"

[[steps.steps]]
id = "each-start"
action = "start"
service = "Engine"

[[steps.steps]]
id = "each-restart"
action = "restart"
service = "Engine"

[[steps.steps]]
id = "each-manual"
action = "manual"
instructions = "Look."
undo = "Nothing."
optional = true

[payload]
files = [
  { name = "a.msi", size = 512, modified = 2008-03-31T18:32:00Z, platform = "x86", version = "1.0" },
  { name = "b.msi", size = 1024 },
  { name = "c.msi", size = 1536 },
  { name = "d.txt", size = 7 },
  { name = "f.vbs", size = 7 },
  { name = "h.exe", size = 1024 },
  { name = "e.exe", size = 7, unused = "only where nothing else helps" },
]

[payload.sha256]
"a.msi" = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
"#;

const FULL_DEPLOYMENT: &str = r#"
schema = 1
name = "site"
product = "Product"
product_aliases = ["The Product"]
product_version = "4.0"
share = "MSIShare"
applied = ["KB1", "KB2"]
roles = [{ name = "engine", aliases = ["engines"] }, { name = "web" }]
servers = [{ name = "S1", roles = ["engine"], platform = "x64" }, { name = "S2", offline = true }]
products = [{ name = "Other", aliases = ["Another"], service_pack = 1, version = "4.0", servers = ["S1"] }]
services = [{ name = "Engine", aliases = ["E"], on = "engine" }]

[[groups]]
path = "Group/Below"
aliases = ["Beneath"]
on = "engine"
removable = false
items = [
  { name = "A", aliases = ["Aa"], installer = "a.msi", product = "The A", features = ["Tools"], on = "web", removable = true, irreversible = "it cannot be repeated" },
  { name = "B", installer = "b.msi" },
]
procedures = [{ name = "P", aliases = ["Pp"], needs = ["controller"], secret = ["connection"], public = ["keyPath"], on = "engine", irreversible = "it cannot be repeated" }]

[requires]
"A" = ["B"]
"P" = ["A"]

[parameters]
"P" = { controller = "AD01", empty = "", token = { env = "TOKEN" }, password = { file = "/run/secrets/p" } }

[approval]
required = 2
signers = "allowed_signers"
manifest_signers = "authors/allowed_signers"

[rehearsal]
not_installed = ["B"]
"#;

/// Returns the document of a language that uses every key.
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

/// Collects every table of a document, with its path and its shape.
pub(crate) fn collect_tables(
    table: &Table,
    shape: &'static Shape,
    path: &[PathSegment],
    collected: &mut Vec<(Vec<PathSegment>, &'static Shape)>,
) {
    collected.push((path.to_vec(), shape));
    for (name, value) in table {
        let Some(below) = shape.key(name).and_then(|key| key.kind.shape()) else {
            continue;
        };
        let path = [path, &[PathSegment::Key(name.clone())]].concat();
        match value {
            toml::Value::Table(inner) => collect_tables(inner, below, &path, collected),
            toml::Value::Array(list) => {
                for (index, inner) in list.iter().enumerate() {
                    collect_tables(
                        inner.as_table().expect("a table"),
                        below,
                        &[&path[..], &[PathSegment::Index(index)]].concat(),
                        collected,
                    );
                }
            }
            _ => {}
        }
    }
}

/// Segment of the path to a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PathSegment {
    Key(String),
    Index(usize),
}

/// Collects the paths of all values in tables and lists.
pub(crate) fn collect_paths(
    value: &toml::Value,
    path: &[PathSegment],
    collected: &mut Vec<Vec<PathSegment>>,
) {
    let mut below = |segment: PathSegment, value: &toml::Value| {
        let path = [path, &[segment]].concat();
        collected.push(path.clone());
        collect_paths(value, &path, collected);
    };
    match value {
        toml::Value::Table(table) => table
            .iter()
            .for_each(|(name, value)| below(PathSegment::Key(name.clone()), value)),
        toml::Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, value)| below(PathSegment::Index(index), value));
        }
        _ => {}
    }
}

fn value_at<'v>(value: &'v mut toml::Value, path: &[PathSegment]) -> &'v mut toml::Value {
    path.iter().fold(value, |value, segment| match segment {
        PathSegment::Key(name) => &mut value[name.as_str()],
        PathSegment::Index(index) => &mut value[*index],
    })
}

/// Returns the document with a change in the table or list that contains the value at a path.
pub(crate) fn changed(
    document: &Table,
    path: &[PathSegment],
    change: impl FnOnce(&mut toml::Value, &PathSegment),
) -> String {
    let mut document = toml::Value::Table(document.clone());
    let (last, parent) = path.split_last().expect("a path with segments");
    change(value_at(&mut document, parent), last);
    toml::to_string(&document).expect("TOML")
}

pub(crate) fn set_value(parent: &mut toml::Value, segment: &PathSegment, value: toml::Value) {
    *value_at(parent, std::slice::from_ref(segment)) = value;
}

const LANGUAGES: [&Language; 2] = [&MANIFESTS, &DEPLOYMENTS];

#[test]
fn the_full_documents_use_every_key_and_every_action() {
    for language in LANGUAGES {
        let document = full(language);
        let mut collected = Vec::new();
        collect_tables(&document, language.shape, &[], &mut collected);
        let mut document = toml::Value::Table(document);
        let mut used: BTreeSet<(&str, String)> = BTreeSet::new();
        for (path, shape) in &collected {
            let table = value_at(&mut document, path).as_table().expect("a table");
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
            // A rollup has a KB number or an id.
            // Only one step takes all other files.
            let names = names.filter(|name| {
                ![("[rollup]", "id"), ("[[steps.steps]]", "others")].contains(&(shape.title, name))
            });
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
fn parser_and_schema_agree_when_a_value_is_removed_or_emptied() {
    for language in LANGUAGES {
        let document = full(language);
        let mut collected = Vec::new();
        collect_paths(&toml::Value::Table(document.clone()), &[], &mut collected);
        for path in collected {
            let without = changed(&document, &path, |parent, segment| {
                match (parent, segment) {
                    (toml::Value::Table(table), PathSegment::Key(name)) => drop(table.remove(name)),
                    (toml::Value::Array(list), PathSegment::Index(index)) => {
                        drop(list.remove(*index))
                    }
                    _ => unreachable!("the path is from the document"),
                }
            });
            assert_agree(language, &without, false, &format!("without {path:?}"));
            let emptied = changed(&document, &path, |parent, segment| {
                let empty = match value_at(parent, std::slice::from_ref(segment)) {
                    toml::Value::Array(_) => toml::Value::Array(Vec::new()),
                    toml::Value::Table(_) => toml::Value::Table(Table::new()),
                    _ => toml::Value::String(String::new()),
                };
                set_value(parent, segment, empty);
            });
            assert_agree(language, &emptied, false, &format!("{path:?} emptied"));
        }
    }
}

#[test]
fn parser_and_schema_agree_when_a_value_has_another_type() {
    // JSON has one type of number, so a schema would accept 512.0 as an integer.
    let other_values = "a = [\"x\", \" \", 7, -1, 2_000_000_000_000, 2.5, true, false, 2008-04-29, 18:32:00, 2008-03-31T18:32:00Z, \
                  2008-03-31T18:32:00, 2008-03-31T18:32:17Z, 2008-03-31T20:32:00+02:00, [], [\"x\"], [\"x\", \"x\"], [1], \
                  [\"\"], [[]], [{}], {}, { x = 1 }, { x = \"y\" }, { name = \"n\" }]";
    let other_values: Table = other_values.parse().expect("TOML");
    let other_values = other_values["a"].as_array().expect("a list");
    let sampling = Sampling::one_of(12);
    for language in LANGUAGES {
        let document = full(language);
        let mut collected = Vec::new();
        collect_paths(&toml::Value::Table(document.clone()), &[], &mut collected);
        for (at, path) in collected.into_iter().enumerate() {
            for (number, other) in other_values.iter().enumerate() {
                if !sampling.includes(at, number) {
                    continue;
                }
                // A date is a string in JSON, so a schema cannot refuse it in place of a string.
                let mut inexpressible = false;
                let text = changed(&document, &path, |parent, segment| {
                    let may_be_text = is_text_or_table(&path)
                        || value_at(parent, std::slice::from_ref(segment)).is_str();
                    inexpressible = other.is_datetime() && may_be_text;
                    set_value(parent, segment, other.clone());
                });
                assert_agree(
                    language,
                    &text,
                    inexpressible,
                    &format!("{path:?} is {other}"),
                );
            }
        }
    }
}

/// Returns whether a path is that of a parameter or of a version, each of which is a text or a table.
fn is_text_or_table(path: &[PathSegment]) -> bool {
    let key = |name: &str| PathSegment::Key(name.to_owned());
    let is_parameter = path.len() == 3 && path[0] == key("parameters");
    is_parameter || path.last() == Some(&key("version"))
}

#[test]
fn parser_and_schema_agree_about_the_form_of_every_string_and_name() {
    let long = "x".repeat(256);
    let long_revision = format!("KB1 >= {}", ["1"; 40].join("."));
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
        "KB1 >= 4.0",
        "kb1>=4",
        "1  >=  4.0.1",
        "KB1 > 4.0",
        "KB1 => 4.0",
        "KB1 >= ",
        "KB1 >= x",
        "KB1 >= 4.0 ",
        ">= 4.0",
        &long_revision,
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
    // No pattern can express the letters of every script, blanks that Windows does not count as
    // blanks, or the length of a whole path.
    let inexpressible = [
        "\u{a0}",
        "\u{85}",
        "x\u{2192}y",
        "\u{2028}.msi",
        "\u{feff}",
        "\u{1f4be}",
        &long,
    ];
    let sampling = Sampling::one_of(12);
    for language in LANGUAGES {
        let document = full(language);
        let mut collected = Vec::new();
        collect_paths(&toml::Value::Table(document.clone()), &[], &mut collected);
        for (at, path) in collected.iter().enumerate() {
            let mut root_value = toml::Value::Table(document.clone());
            if !value_at(&mut root_value, path).is_str() {
                continue;
            }
            for (number, text) in texts.iter().chain(&inexpressible).enumerate() {
                if !sampling.includes(at, number) {
                    continue;
                }
                let changed_text = changed(&document, path, |parent, segment| {
                    set_value(parent, segment, (*text).into())
                });
                assert_agree(
                    language,
                    &changed_text,
                    inexpressible.contains(text),
                    &format!("{path:?} is {text:?}"),
                );
            }
        }
        let mut collected = Vec::new();
        collect_tables(&document, language.shape, &[], &mut collected);
        for (path, _) in collected
            .iter()
            .filter(|(_, shape)| matches!(shape.keys, Keys::Free(..)))
        {
            for name in texts.iter().chain(&inexpressible).chain(&[""]) {
                let text = changed(&document, path, |parent, segment| {
                    let table = value_at(parent, std::slice::from_ref(segment))
                        .as_table_mut()
                        .expect("a table");
                    let value = table
                        .iter()
                        .next()
                        .map(|(_, value)| value.clone())
                        .expect("an entry");
                    table.insert((*name).to_owned(), value);
                });
                assert_agree(
                    language,
                    &text,
                    inexpressible.contains(name),
                    &format!("{path:?} has {name:?}"),
                );
            }
        }
    }
}

/// Tests above all that both agree about the keys of each action, and about keys that exclude
/// each other.
#[test]
fn parser_and_schema_agree_when_a_table_gets_another_key() {
    for language in LANGUAGES {
        let document = full(language);
        let mut collected = Vec::new();
        collect_tables(&document, language.shape, &[], &mut collected);
        let mut root_value = toml::Value::Table(document.clone());
        for (path, shape) in &collected {
            let with_key = |name: &str, value: toml::Value| {
                let mut document = root_value.clone();
                let table = value_at(&mut document, path)
                    .as_table_mut()
                    .expect("a table");
                if table.insert(name.to_owned(), value).is_none() {
                    let text = toml::to_string(&document).expect("TOML");
                    assert_agree(language, &text, false, &format!("{path:?} with `{name}`"));
                }
            };
            if matches!(shape.keys, Keys::Named(_)) {
                with_key("unknown_key", true.into());
            }
            for key in shape.named() {
                let alike = collected
                    .iter()
                    .filter(|(_, other)| other.title == shape.title);
                let values: Vec<toml::Value> = alike
                    .filter_map(|(path, _)| {
                        value_at(&mut toml::Value::Table(document.clone()), path)
                            .get(key.name)
                            .cloned()
                    })
                    .collect();
                values
                    .into_iter()
                    .for_each(|value| with_key(key.name, value));
            }
        }
        root_value.as_table_mut().expect("a table").clear();
        assert_agree(language, "", false, "an empty document");
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
fn another_validator_accepts_the_schemas_and_checks_with_them() {
    let schemas = ["schemas/manifest.json", "schemas/deployment.json"];
    let (valid, report) = check_jsonschema(&["--check-metaschema", schemas[0], schemas[1]]);
    assert!(valid, "{report}");
    for (schema, document) in schemas
        .iter()
        .zip(["manifests/kb952076.toml", "fixtures/hmc40/deployment.toml"])
    {
        let (valid, report) = check_jsonschema(&["--schemafile", schema, document]);
        assert!(valid, "{report}");
    }
    let (valid, report) = check_jsonschema(&[
        "--schemafile",
        schemas[0],
        "fixtures/faulty/ten-faults.toml",
    ]);
    assert!(!valid && report.contains("titel"), "{report}");
}
