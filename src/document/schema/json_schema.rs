//! JSON Schema of a language, made from the shapes that its reader uses.
//!
//! A document that the reader accepts always conforms. A conforming document may still have
//! mistakes that only the reader finds: violated rules between places, and forms that a pattern
//! cannot express. The schema is draft 07, which TOML editors support, without references, which simple
//! schema readers do not follow: a shape that is used in two places is written twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::shape::{Case, Cases, Form, Key, KeyKind, Keys, Rule, Shape};

/// Returns the JSON Schema of a language, given the shape of its documents' top.
pub fn json_schema(title: &str, top: &'static Shape) -> String {
    let mut schema = table(top);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = title.into();
    format!("{schema:#}\n")
}

fn table(shape: &'static Shape) -> Value {
    let mut schema = match &shape.keys {
        Keys::Named(keys) => {
            let required = keys.iter().filter(|key| key.required.is_some());
            let properties = keys.iter().map(|key| (key.name, property(shape, key)));
            json!({
                "required": required.map(|key| key.name).collect::<Vec<_>>(),
                "properties": properties.collect::<BTreeMap<_, _>>(),
                "additionalProperties": false,
            })
        }
        Keys::Free(form, key) => json!({
            "propertyNames": { "pattern": pattern(*form) },
            "additionalProperties": property(shape, key),
        }),
    };
    schema["type"] = "object".into();
    schema["description"] = shape.about.into();
    let cases = shape.cases();
    match &shape.cases {
        Cases::Either(cases) => {
            schema["oneOf"] = cases.iter().map(|case| required(case.name)).collect();
        }
        Cases::AtLeastOne(keys) => {
            schema["anyOf"] = keys.iter().map(|key| required(key)).collect();
        }
        Cases::None | Cases::Of { .. } => {}
    }
    if !cases.is_empty() {
        schema["allOf"] = cases.iter().map(|case| consequences(shape, case)).collect();
    }
    schema
}

fn property(shape: &'static Shape, key: &'static Key) -> Value {
    let mut schema = match key.kind {
        KeyKind::Text(form) => text(form),
        KeyKind::TextOrTable(form, shape) => json!({ "anyOf": [text(form), table(shape)] }),
        KeyKind::Texts(list) => json!({
            "type": "array",
            "items": text(list.form),
            "minItems": u64::from(list.filled),
            "uniqueItems": list.unique,
        }),
        KeyKind::Flag => json!({ "type": "boolean" }),
        KeyKind::Yes => json!({ "type": "boolean", "const": true }),
        KeyKind::Number(most) => number(most),
        KeyKind::NumberOrTable(most, shape) => json!({ "anyOf": [number(most), table(shape)] }),
        KeyKind::Only(number) => json!({ "type": "integer", "const": number }),
        // Programs that validate TOML with a schema pass dates and times as texts; some check the
        // format.
        KeyKind::Day => json!({ "type": "string", "format": "date", "pattern": DAY }),
        KeyKind::Time => json!({ "type": "string", "format": "date-time", "pattern": TIME }),
        KeyKind::Table(shape) => table(shape),
        KeyKind::Tables(shape) | KeyKind::Headers(shape) => {
            json!({ "type": "array", "items": table(shape) })
        }
        KeyKind::SomeTables(shape) | KeyKind::SomeHeaders(shape) => {
            json!({ "type": "array", "items": table(shape), "minItems": 1 })
        }
    };
    if let Cases::Of { key: by, cases, .. } = &shape.cases
        && *by == key.name
    {
        schema["enum"] = cases.iter().map(|case| case.name).collect();
        let abouts: Vec<&str> = cases.iter().map(|case| case.about).collect();
        // Not part of the standard: taplo, and editors that use it, show these texts for the
        // values.
        schema["x-taplo"] = json!({ "docs": { "enumValues": abouts } });
    }
    schema["description"] = key.about.into();
    schema
}

fn number(most: u64) -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": most })
}

const DAY: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";

/// Pattern of a time. Some programs write UTC as an offset of zero, and `T` instead of a space.
const TIME: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:00(?:\\.0+)?(?:[Zz]|\\+00:00)$";

/// Returns the schema of a value that is a text. The patterns of paths allow a blank one, since a
/// key may be blank, but a value may not.
fn text(form: Form) -> Value {
    let mut schema = json!({ "type": "string", "pattern": pattern(form) });
    if matches!(form, Form::Path | Form::MachinePath) {
        schema["not"] = json!({ "pattern": "^[^\\S\\uFEFF]*$" });
    }
    schema
}

/// Pattern of a file name. The stem of a device ends with a dot, a slash or the end.
const FILE_NAME: &str = concat!(
    "(?!(?:[Cc][Oo][Nn](?:[Ii][Nn]\\$|[Oo][Uu][Tt]\\$)?|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]",
    "|(?:[Cc][Oo][Mm]|[Ll][Pp][Tt])[0-9\u{b9}\u{b2}\u{b3}]) *(?:[./]|$))",
    r#"[^/\\<>:"|?*\x00-\x1F\x7F-\x9F]*[^/\\<>:"|?*\x00-\x1F\x7F-\x9F. ]"#
);

/// Pattern of a path that cannot leave its directory.
const PATH: &str = r"(?!\.{1,2}(?:/|$))[^/\x00]+(?:/(?!\.{1,2}(?:/|$))[^/\x00]+)*";

/// Pattern of an id of a rollup, which ends with the text or before a minimum revision: unlike a KB
/// number, and none of the words and device names that are refused.
const ROLLUP_ID: &str = concat!(
    "(?![Kk][Bb](?:[0-9]|(?: *>=|$)))(?![0-9.-]+[A-Za-z]?[0-9.-]*(?: *>=|$))",
    "(?!(?:[Ll][Aa][Ss][Tt]|[Aa][Cc][Cc][Ee][Pp][Tt])(?: *>=|$))",
    "(?!(?:[Cc][Oo][Nn]|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]",
    "|(?:[Cc][Oo][Mm]|[Ll][Pp][Tt])[0-9])(?:[.]| *>=|$))",
    "[0-9A-Za-z](?:[0-9A-Za-z.-]{0,62}[0-9A-Za-z])?"
);

/// Returns the pattern of a text. No pattern refuses a text that the reader accepts; only patterns
/// treat `\uFEFF` as a blank.
fn pattern(form: Form) -> String {
    let pattern = match form {
        Form::Anything => "",
        Form::Prose | Form::Words => r"[\S\uFEFF]",
        Form::Kb => "^(?:[Kk][Bb])?[1-9][0-9]{0,8}$",
        Form::RollupId => "^ROLLUPID$",
        Form::Rollup => "^(?:(?:[Kk][Bb])?[1-9][0-9]{0,8}|ROLLUPID)$",
        Form::Requirement => {
            r"^(?:(?:[Kk][Bb])?[1-9][0-9]{0,8}|ROLLUPID)(?: *>= *(?!.{65})[0-9]{1,10}(?:\.[0-9]{1,10})*)?$"
        }
        Form::Version => r"^(?!.{65})[0-9]{1,10}(?:\.[0-9]{1,10})*$",
        Form::Sha256 => "^[0-9A-Fa-f]{64}$",
        // Letters and digits of all scripts are allowed, which patterns do not match in the same
        // way everywhere.
        Form::Id => r"^(?!\.+$)(?:[0-9A-Za-z_.]|[^\x00-\x7F])(?:[0-9A-Za-z_.-]|[^\x00-\x7F])*$",
        Form::FileName => "^(?!.{256})NAME$",
        Form::PayloadPath => "^(?!.*[^/]{256})(?!.{1025})NAME(?:/NAME)*$",
        Form::Path => "^PATH$",
        Form::Variable => "^[A-Za-z_][0-9A-Za-z_]*$",
        Form::MachinePath => "^/?PATH$",
        Form::FilePath => "^NAME(?:/NAME)*$",
        Form::Directory => r"^(?:\.|NAME(?:/NAME)*)$",
        Form::Part => r"^[^/]*(?:[^/\s]|\uFEFF)[^/]*$",
        Form::WebAddress => "^https?://",
        Form::OneOf(words) => return format!("^(?:{})$", words.join("|")),
    };
    pattern
        .replace("ROLLUPID", ROLLUP_ID)
        .replace("PATH", PATH)
        .replace("NAME", FILE_NAME)
}

/// Returns the schema of a table that has a key.
fn required(key: &str) -> Value {
    json!({ "required": [key] })
}

/// Returns the schema of a table that has a key with this text.
fn has_text(key: &str, text: &str) -> Value {
    json!({ "required": [key], "properties": { key: { "const": text } } })
}

/// Returns the schema of a table that has none of these keys.
fn without<'k>(keys: impl IntoIterator<Item = &'k str>) -> Value {
    let properties = keys.into_iter().map(|key| (key, false));
    json!({ "properties": properties.collect::<BTreeMap<_, _>>() })
}

/// Returns the requirements of a case, under the condition that the table is of this case.
fn consequences(shape: &'static Shape, case: &Case) -> Value {
    let condition = match &shape.cases {
        Cases::Of { key, .. } => has_text(key, case.name),
        _ => required(case.name),
    };
    let keys = shape.named().iter().map(|key| key.name);
    let foreign = without(keys.filter(|key| !shape.goes_with(case, key)));
    let rules = case.rules.iter().map(|rule| consequence(shape, rule));
    let all: Vec<Value> = rules.chain([foreign]).collect();
    json!({ "if": condition, "then": { "allOf": all } })
}

fn consequence(shape: &'static Shape, rule: &Rule) -> Value {
    match *rule {
        Rule::Needs(key, _) if shape.takes(key) => required(key),
        Rule::With(key, needed, _) if shape.takes(needed) => {
            json!({ "dependencies": { key: [needed] } })
        }
        Rule::Needs(..) | Rule::With(..) => json!({}),
        Rule::Targets(keys) => {
            let targets = keys.iter().map(|key| target(shape, key));
            json!({ "anyOf": targets.collect::<Vec<_>>() })
        }
        Rule::Alone(key, others) => {
            json!({ "dependencies": { key: without(others.iter().copied()) } })
        }
        Rule::Kinds(None, extensions) => files_of(extensions),
        Rule::Kinds(Some(key), extensions) => {
            json!({ "dependencies": { key: files_of(extensions) } })
        }
        Rule::OneFile(key) => {
            json!({ "dependencies": { key: { "properties": { "files": { "maxItems": 1 } } } } })
        }
        Rule::Place(key, text, others) if !shape.takes(others[0]) => {
            json!({ "not": has_text(key, text) })
        }
        Rule::Numbers(key) => {
            json!({ "properties": { key: { "pattern": pattern(Form::Version) } } })
        }
        Rule::Place(key, text, others) => json!({
            "if": has_text(key, text),
            "then": without(others.iter().copied()),
            "else": required(others[0]),
        }),
    }
}

/// Returns the schema of a table whose files have one of these extensions, in any case.
fn files_of(extensions: &[&str]) -> Value {
    let in_any_case = |extension: &&str| -> String {
        extension
            .chars()
            .map(|letter| format!("[{}{letter}]", letter.to_ascii_uppercase()))
            .collect()
    };
    let extensions: Vec<String> = extensions.iter().map(in_any_case).collect();
    let pattern = format!(r"[^/]\.(?:{})$", extensions.join("|"));
    json!({ "properties": { "files": { "items": { "pattern": pattern } } } })
}

/// Returns the schema of a table that has a key, which must not be an empty table.
fn target(shape: &'static Shape, key: &'static str) -> Value {
    match shape.key(key).map(|key| key.kind) {
        Some(KeyKind::Table(_)) => {
            json!({ "required": [key], "properties": { key: { "minProperties": 1 } } })
        }
        _ => required(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::shapes::DEPLOYMENT;
    use crate::manifest::MANIFEST;

    /// A shape that contains itself would have no end.
    #[test]
    fn no_shape_contains_itself() {
        for top in [&MANIFEST, &DEPLOYMENT] {
            for shape in top.all() {
                let below = shape.all().into_iter().skip(1);
                let mut same = below.filter(|below| std::ptr::eq(*below, shape));
                assert!(same.next().is_none(), "{} contains itself", shape.title);
            }
        }
    }

    #[test]
    fn every_key_is_described_in_complete_sentences() {
        for shape in [&MANIFEST, &DEPLOYMENT]
            .into_iter()
            .flat_map(|top| top.all())
        {
            let free = match &shape.keys {
                Keys::Named(_) => None,
                Keys::Free(_, key) => Some(key),
            };
            let abouts = shape.named().iter().chain(free).map(|key| key.about);
            let abouts = abouts
                .chain(shape.cases().iter().map(|case| case.about))
                .chain([shape.about]);
            for about in abouts {
                assert!(
                    about.ends_with(['.', '`']) && about.len() > 10,
                    "{about:?} in {}",
                    shape.title
                );
            }
        }
    }
}
