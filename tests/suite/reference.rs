//! The reference in `docs/`: every key of both languages and every command has its place there.
//!
//! The pages are generated from the tables that the reader and the schemas use, and from the
//! definition of the command line. `SNAPSHOTS=overwrite` writes them again.

use std::fmt::Write as _;
use std::path::Path;

use clap_markdown::{MarkdownOptions, help_markdown_command_custom};
use rollup::deployment::shapes::DEPLOYMENT;
use rollup::document::{Case, Cases, Form, Key, KeyKind, Keys, List, Rule, Shape};
use rollup::manifest::MANIFEST;
use snapbox::{Data, assert_data_eq};

/// Compares a page of the manual with the text that it should have.
fn assert_page(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    assert_data_eq!(text, Data::read_from(&file, None).raw());
}

#[test]
fn the_page_of_commands_is_generated_from_their_definition() {
    let options = MarkdownOptions::new()
        .title("Commands".to_owned())
        .show_footer(false)
        .show_table_of_contents(true);
    let text = help_markdown_command_custom(&rollup::cli::command(), &options);
    let blocks: Vec<String> = text.split("\n\n").map(fenced).collect();
    let text = blocks.join("\n\n");
    assert_page("commands.md", &format!("{}\n", text.trim_end()));
}

/// Puts the indented lines below a heading such as `Examples:` into a fence, so that their columns
/// stay.
fn fenced(block: &str) -> String {
    let block = block.trim_matches('\n');
    match block.split_once(":\n  ") {
        Some((heading, lines)) if !heading.contains('\n') && !heading.starts_with('*') => {
            format!(
                "{heading}:\n\n```text\n{}\n```",
                lines.replace("\n  ", "\n")
            )
        }
        _ => block.to_owned(),
    }
}

#[test]
fn the_page_of_the_manifest_is_generated_from_its_tables() {
    let text = language(
        "The manifest",
        "A manifest is a TOML file. `rollup validate` reports every mistake in it, and `rollup schema manifest` prints its \
         JSON Schema for editors.",
        &MANIFEST,
    );
    assert_page("manifest.md", &text);
}

#[test]
fn the_page_of_the_deployment_is_generated_from_its_tables() {
    let text = language(
        "deployment.toml",
        "`deployment.toml` at the root of a deployment lists what exists, installed or not. People write it; `rollup` only \
         reads it. `rollup schema deployment` prints its JSON Schema for editors.",
        &DEPLOYMENT,
    );
    assert_page("deployment.md", &text);
}

#[test]
fn every_key_of_both_languages_has_its_line_in_the_reference() {
    for (name, top) in [("manifest.md", &MANIFEST), ("deployment.md", &DEPLOYMENT)] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs")
            .join(name);
        let page = std::fs::read_to_string(file).expect("the page exists");
        for key in top.all().into_iter().flat_map(Shape::named) {
            let line = format!("| `{}`", key.name);
            assert!(page.contains(&line), "{name} has no line {line}");
        }
    }
}

#[test]
fn every_example_of_the_reference_is_toml() {
    for top in [&MANIFEST, &DEPLOYMENT] {
        for shape in top.all() {
            for key in keys(shape) {
                let line = example(key);
                assert!(line.parse::<toml::Table>().is_ok(), "not TOML: {line}");
            }
            for case in shape.cases() {
                let lines = case_example(shape, case);
                assert!(lines.parse::<toml::Table>().is_ok(), "not TOML: {lines}");
            }
        }
    }
}

fn language(title: &str, about: &str, top: &'static Shape) -> String {
    let mut page = format!("# {title}\n\n{about}\n");
    let mut described: Vec<*const Shape> = Vec::new();
    let mut cases_of: Vec<(*const Case, &str)> = Vec::new();
    for shape in top.all() {
        // A shape in two places is described once.
        if described.contains(&std::ptr::from_ref(shape)) {
            continue;
        }
        described.push(shape);
        let _ = write!(page, "\n## {}\n\n{}\n\n", heading(shape), shape.about);
        page.push_str("| key | value | meaning | example |\n| --- | --- | --- | --- |\n");
        for key in keys(shape) {
            let required = if key.required.is_some() {
                ", required"
            } else {
                ""
            };
            let _ = writeln!(
                page,
                "| `{}` | {}{required} | {} | `{}` |",
                key.name,
                value(key.kind),
                cell(key.about),
                cell(&example(key)),
            );
        }
        let first = shape.cases().first().map(std::ptr::from_ref);
        match cases_of.iter().find(|(case, _)| Some(*case) == first) {
            Some((_, of)) => {
                let names = shape.cases().iter().map(|case| format!("`{}`", case.name));
                let names: Vec<String> = names.collect();
                let _ = write!(
                    page,
                    "\nIts cases are those of `{of}`: {}.\n",
                    names.join(", ")
                );
            }
            None => cases(&mut page, shape),
        }
        cases_of.extend(first.map(|first| (first, shape.title)));
    }
    page
}

fn keys(shape: &'static Shape) -> &'static [Key] {
    match &shape.keys {
        Keys::Named(keys) => keys,
        Keys::Free(_, key) => std::slice::from_ref(key),
    }
}

fn title(shape: &Shape) -> String {
    match shape.title.starts_with('[') {
        true => format!("`{}`", shape.title),
        false => shape.title.to_owned(),
    }
}

/// Returns the title as a heading, which begins with a capital.
fn heading(shape: &Shape) -> String {
    match shape.title.starts_with('[') {
        true => title(shape),
        false => {
            let (first, rest) = shape.title.split_at(1);
            first.to_uppercase() + rest
        }
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Writes the cases of a table, each with its keys, rules and an example.
fn cases(page: &mut String, shape: &'static Shape) {
    if let Cases::AtLeastOne(keys) = shape.cases {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        let _ = writeln!(page, "\nAt least one of {} is required.", keys.join(", "));
    }
    for case in shape.cases() {
        let name = match &shape.cases {
            Cases::Of { key, .. } => format!("{key} = \"{}\"", case.name),
            _ => case.name.to_owned(),
        };
        let names: Vec<String> = case.keys.iter().map(|key| format!("`{key}`")).collect();
        let _ = write!(
            page,
            "\n### `{name}`\n\n{}\n\nKeys: {}.",
            case.about,
            names.join(", ")
        );
        for rule in case.rules {
            let _ = write!(page, " {}", sentence(rule));
        }
        let _ = write!(page, "\n\n```toml\n{}```\n", case_example(shape, case));
    }
}

fn endings(extensions: &[&str]) -> String {
    let endings: Vec<String> = extensions.iter().map(|one| format!("`.{one}`")).collect();
    endings.join(", ")
}

fn sentence(rule: &Rule) -> String {
    let list = |keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        keys.join(", ")
    };
    match rule {
        Rule::Needs(key, _) => format!("`{key}` is required."),
        Rule::With(key, needed, _) => format!("`{key}` requires `{needed}`."),
        Rule::Targets([key]) => format!("`{key}` names the targets."),
        Rule::Targets(keys) => format!("At least one of {} names the targets.", list(keys)),
        Rule::Alone(key, others) => format!("`{key}` excludes {}.", list(others)),
        Rule::Kinds(None, extensions) => format!("The files are {}.", endings(extensions)),
        Rule::Kinds(Some(key), extensions) => {
            format!("`{key}` is for {}.", endings(extensions))
        }
        Rule::OneFile(key) => format!("`{key}` is for a single file."),
        Rule::Numbers(key) => format!("A text of `{key}` is numbers joined by dots."),
        Rule::Place(key, text, others) => format!(
            "`{key} = \"{text}\"` excludes {}; any other text requires `{}`.",
            list(others),
            others[0]
        ),
    }
}

/// Returns the smallest table of a case, line by line.
fn case_example(shape: &'static Shape, case: &Case) -> String {
    let is_inline = !shape.title.starts_with('[');
    let mut lines = Vec::new();
    let mut present = Vec::new();
    let mut add = |name: &'static str, line: String| {
        if !present.contains(&name) {
            present.push(name);
            lines.push(line);
        }
    };
    let needed = |name: &'static str| shape.key(name).map(example).unwrap_or_default();
    match &shape.cases {
        Cases::Of { key, .. } => {
            for required in shape.named().iter().filter(|one| one.required.is_some()) {
                match required.name == *key {
                    true => add(required.name, format!("{key} = \"{}\"", case.name)),
                    false => add(required.name, example(required)),
                }
            }
        }
        _ => add(case.name, needed(case.name)),
    }
    for rule in case.rules {
        match *rule {
            Rule::Targets(keys) => add(keys[0], needed(keys[0])),
            Rule::Needs(name, line) => add(name, line.to_owned()),
            Rule::Place(name, text, _) => add(name, format!("{name} = \"{text}\"")),
            Rule::With(..)
            | Rule::Alone(..)
            | Rule::Kinds(..)
            | Rule::OneFile(_)
            | Rule::Numbers(_) => {}
        }
    }
    if is_inline {
        return format!("NAME = {{ {} }}\n", lines.join(", "));
    }
    format!("{}\n{}\n", shape.title, lines.join("\n"))
}

/// Describes the values of a kind.
fn value(kind: KeyKind) -> String {
    match kind {
        KeyKind::Text(Form::OneOf(words)) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("one of {}", words.join(", "))
        }
        KeyKind::Text(Form::Anything) => "text, may be empty".to_owned(),
        KeyKind::Text(form) => form_name(form).to_owned(),
        KeyKind::TextOrTable(Form::Anything, shape) => {
            format!("text, may be empty; or table: {}", title(shape))
        }
        KeyKind::TextOrTable(form, shape) => {
            format!("{}; or table: {}", form_name(form), title(shape))
        }
        KeyKind::NumberOrTable(most, shape) => {
            format!("whole number up to {most}; or table: {}", title(shape))
        }
        KeyKind::Texts(List {
            form,
            filled,
            unique,
        }) => format!(
            "list of {}{}{}",
            form_name(form),
            if filled { ", not empty" } else { "" },
            if unique { ", each once" } else { "" },
        ),
        KeyKind::Flag => "`true` or `false`".to_owned(),
        KeyKind::Yes => "`true`".to_owned(),
        KeyKind::Number(most) => format!("whole number up to {most}"),
        KeyKind::Only(number) => format!("`{number}`"),
        KeyKind::Day => "date".to_owned(),
        KeyKind::Time => "time in UTC".to_owned(),
        KeyKind::Table(shape) => format!("table: {}", title(shape)),
        KeyKind::Tables(shape) => format!("list of tables: {}", title(shape)),
        KeyKind::SomeTables(shape) => format!("list of tables, not empty: {}", title(shape)),
        KeyKind::Headers(shape) => format!("tables: {}", title(shape)),
        KeyKind::SomeHeaders(shape) => format!("tables, at least one: {}", title(shape)),
    }
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::Prose | Form::Words | Form::Anything => "text",
        Form::Kb => "KB number",
        Form::RollupId => "id of a rollup",
        Form::Rollup => "KB number or id of a rollup",
        Form::Requirement => "KB number or id, with or without a minimum revision",
        Form::Version => "version",
        Form::Sha256 => "SHA-256, in hexadecimal",
        Form::Id => "id",
        Form::FileName => "file name",
        Form::PayloadPath => "file name, with or without directories",
        Form::Path => "path",
        Form::MachinePath => "path, absolute or not",
        Form::Variable => "name of an environment variable",
        Form::FilePath => "file path",
        Form::Directory => "directory, or `.`",
        Form::Part => "name",
        Form::WebAddress => "web address",
        Form::OneOf(_) => "word",
    }
}

/// Returns a line with the key: the one that the reader suggests, or one with a value of its kind.
fn example(key: &Key) -> String {
    if let Some(line) = key.required {
        return line.to_owned();
    }
    let name = match key
        .name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    {
        true => key.name.to_owned(),
        false => format!("\"{}\"", key.name),
    };
    match key.kind {
        KeyKind::Text(Form::Anything) | KeyKind::TextOrTable(Form::Anything, _) => {
            format!("{name} = \"\"")
        }
        KeyKind::Text(form) => format!("{name} = \"{}\"", text(form)),
        KeyKind::TextOrTable(_, shape) | KeyKind::NumberOrTable(_, shape) => {
            format!("{name} = {{ {} }}", inside(shape))
        }
        KeyKind::Texts(list) => format!("{name} = [\"{}\"]", text(list.form)),
        KeyKind::Flag | KeyKind::Yes => format!("{name} = true"),
        KeyKind::Number(_) => format!("{name} = 1"),
        KeyKind::Only(number) => format!("{name} = {number}"),
        KeyKind::Day => format!("{name} = 2008-09-22"),
        KeyKind::Time => format!("{name} = 2008-09-22T10:30:00Z"),
        KeyKind::Headers(shape) | KeyKind::SomeHeaders(shape) => shape.title.to_owned(),
        KeyKind::Table(shape) if shape.title.starts_with('[') => shape.title.to_owned(),
        KeyKind::Table(shape) => format!("{name} = {{ {} }}", inside(shape)),
        KeyKind::Tables(shape) => format!("{name} = [{{ {} }}]", inside(shape)),
        KeyKind::SomeTables(shape) => {
            let keys = shape.cases().iter().filter_map(|case| shape.key(case.name));
            let entries: Vec<String> = keys.map(|key| format!("{{ {} }}", example(key))).collect();
            format!("{name} = [{}]", entries.join(", "))
        }
    }
}

/// Returns the required keys of a table, or its first key, as they are inside an inline table.
fn inside(shape: &'static Shape) -> String {
    let required: Vec<String> = keys(shape)
        .iter()
        .filter(|key| key.required.is_some())
        .map(example)
        .collect();
    match required.is_empty() {
        true => keys(shape).first().map(example).unwrap_or_default(),
        false => required.join(", "),
    }
}

fn text(form: Form) -> &'static str {
    match form {
        Form::Prose | Form::Words | Form::Anything => "…",
        Form::Kb | Form::Rollup => "KB948755",
        Form::RollupId => "HMC45-RU4",
        Form::Requirement => "KB948755 >= 1.0",
        Form::Version => "1.0",
        Form::Sha256 => "fc8152aa8f8cc464b35b7debb0620557e847496a90a85ebb8d9b5c63caccc504",
        Form::Id => "install",
        Form::FileName | Form::PayloadPath => "HostedEmail2007NS.msi",
        Form::Path => "Hosted Exchange/Exchange Provisioning",
        Form::MachinePath => "/run/secrets/service",
        Form::Variable => "SERVICE_PASSWORD",
        Form::FilePath => "Web/Bin/Exchange.config",
        Form::Directory => ".",
        Form::Part => "Exchange 2007 Provider",
        Form::WebAddress => "https://support.example.com/952076",
        Form::OneOf(words) => words[0],
    }
}
