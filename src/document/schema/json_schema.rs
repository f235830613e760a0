//! JSON Schema of a language, made from the shapes that its reader uses.
//!
//! A document that the reader accepts always conforms. A conforming document may still have
//! mistakes that only the reader finds: violated rules between places, and forms that a pattern
//! cannot express. The schema is draft 07, which TOML editors support, without references: no shape
//! is used in two places, and simple schema readers do not follow references.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::shape::{Case, Cases, Form, Key, KeyKind, Keys, List, Rule, Shape};

/// Returns the JSON Schema of a language, given the shape of its documents' top.
pub fn json_schema(title: &str, top: &'static Shape) -> String {
    let mut schema = Object::default();
    schema
        .put("$schema", "http://json-schema.org/draft-07/schema#")
        .put("title", title)
        .put("description", top.about);
    table(&mut schema, top);
    let text =
        serde_json::to_string_pretty(&schema).expect("texts, numbers and lists can be written");
    text + "\n"
}

/// JSON object that keeps the order of insertion, which is the order for readers.
#[derive(Default)]
struct Object(Vec<(String, Node)>);

enum Node {
    Value(Value),
    Object(Object),
    List(Vec<Object>),
}

impl From<Object> for Node {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Object>> for Node {
    fn from(list: Vec<Object>) -> Self {
        Self::List(list)
    }
}

/// Implements `From` for JSON values that need no order.
macro_rules! values {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Node {
            fn from(value: $kind) -> Self {
                Self::Value(value.into())
            }
        })*
    };
}
values!(&str, String, bool, u64, Vec<&str>, Value);

impl Object {
    fn of(name: &str, value: impl Into<Node>) -> Self {
        let mut object = Self::default();
        object.put(name, value);
        object
    }

    fn put(&mut self, name: &str, value: impl Into<Node>) -> &mut Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// Inserts a list, unless it is empty.
    fn put_list(&mut self, name: &str, list: Vec<Object>) {
        if !list.is_empty() {
            self.put(name, list);
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0
            .iter()
            .try_for_each(|(name, node)| map.serialize_entry(name, node))?;
        map.end()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
        }
    }
}

fn table(schema: &mut Object, shape: &'static Shape) {
    schema.put("type", "object");
    match &shape.keys {
        Keys::Named(keys) => {
            let required: Vec<&str> = keys
                .iter()
                .filter(|key| key.required.is_some())
                .map(|key| key.name)
                .collect();
            if !required.is_empty() {
                schema.put("required", required);
            }
            let mut properties = Object::default();
            for key in *keys {
                properties.put(key.name, value(key, deciding(shape, key)));
            }
            schema
                .put("properties", properties)
                .put("additionalProperties", false);
        }
        Keys::Free(form, key) => {
            let names = text(*form);
            if !names.0.is_empty() {
                schema.put("propertyNames", names);
            }
            schema.put("additionalProperties", value(key, &[]));
        }
    }
    cases(schema, shape);
}

/// Returns the cases that this key selects.
fn deciding(shape: &'static Shape, by: &Key) -> &'static [Case] {
    match &shape.cases {
        Cases::Of { key, cases, .. } if *key == by.name => cases,
        _ => &[],
    }
}

fn value(key: &'static Key, cases: &[Case]) -> Object {
    let mut schema = Object::of("description", key.about);
    let typed = |schema: &mut Object, name: &str| {
        schema.put("type", name);
    };
    match key.kind {
        KeyKind::Text(_) if !cases.is_empty() => {
            typed(&mut schema, "string");
            let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
            let abouts: Vec<&str> = cases.iter().map(|case| case.about).collect();
            schema.put("enum", names);
            // Not part of the standard: taplo, and editors that use it, show these texts for the
            // values.
            schema.put("x-taplo", json!({ "docs": { "enumValues": abouts } }));
        }
        KeyKind::Text(form) => {
            typed(&mut schema, "string");
            schema.0.extend(filled(form).0);
        }
        KeyKind::AnyText => typed(&mut schema, "string"),
        KeyKind::Texts(list) => texts(&mut schema, list),
        KeyKind::Flag => typed(&mut schema, "boolean"),
        KeyKind::Yes => {
            typed(&mut schema, "boolean");
            schema.put("const", true);
        }
        KeyKind::Number(most) => {
            typed(&mut schema, "integer");
            schema.put("minimum", 0_u64).put("maximum", most);
        }
        KeyKind::Only(number) => {
            typed(&mut schema, "integer");
            schema.put("const", number);
        }
        // Programs that validate TOML with a schema pass dates and times as texts; some check the
        // format.
        KeyKind::Day => {
            typed(&mut schema, "string");
            schema
                .put("format", "date")
                .put("pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
        }
        KeyKind::Time => {
            typed(&mut schema, "string");
            schema.put("format", "date-time").put("pattern", TIME);
        }
        KeyKind::Table(shape) => table(&mut schema, shape),
        KeyKind::Tables(shape) | KeyKind::Headers(shape) => {
            typed(&mut schema, "array");
            let mut entry = Object::of("description", shape.about);
            table(&mut entry, shape);
            schema.put("items", entry);
        }
    }
    schema
}

fn texts(schema: &mut Object, list: List) {
    let mut entry = Object::of("type", "string");
    entry.0.extend(filled(list.form).0);
    schema.put("type", "array").put("items", entry);
    if list.filled {
        schema.put("minItems", 1_u64);
    }
    if list.unique {
        schema.put("uniqueItems", true);
    }
}

/// Pattern of a time. Some programs write UTC as an offset of zero, and `T` instead of a space.
const TIME: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:00(?:\\.0+)?(?:[Zz]|\\+00:00)$";

/// Returns the schema of a value that is a text, which must not be blank.
fn filled(form: Form) -> Object {
    let mut schema = text(form);
    // The patterns of all other forms exclude blank values.
    if form == Form::Path {
        schema.put("not", Object::of("pattern", "^[^\\S\\uFEFF]*$"));
    }
    schema
}

/// Returns the schema of a text. No pattern refuses a text that the reader accepts; only patterns
/// treat `\uFEFF` as a blank.
fn text(form: Form) -> Object {
    // The stem of a name ends with a dot, a slash or the end.
    const DEVICES: &str = "(?:[Cc][Oo][Nn](?:[Ii][Nn]\\$|[Oo][Uu][Tt]\\$)?|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]\
                           |(?:[Cc][Oo][Mm]|[Ll][Pp][Tt])[0-9\u{b9}\u{b2}\u{b3}]) *(?:[./]|$)";
    const REFUSED: &str = r#"/\\<>:"|?*\x00-\x1F\x7F-\x9F"#;
    let name = || format!("(?!{DEVICES})[^{REFUSED}]*[^{REFUSED}. ]");
    let pattern = |pattern: String| Object::of("pattern", pattern);
    match form {
        Form::Anything => Object::default(),
        Form::Prose | Form::Words => pattern("[\\S\\uFEFF]".to_owned()),
        Form::Kb => pattern("^(?:[Kk][Bb])?[1-9][0-9]{0,8}$".to_owned()),
        Form::Requirement => {
            let revision = r"(?!.{65})[0-9]{1,10}(?:\.[0-9]{1,10})*";
            pattern(format!(
                "^(?:[Kk][Bb])?[1-9][0-9]{{0,8}}(?: *>= *{revision})?$"
            ))
        }
        Form::Version => {
            let mut version = pattern("^[0-9]{1,10}(?:\\.[0-9]{1,10})*$".to_owned());
            version.put("maxLength", 64_u64);
            version
        }
        Form::Sha256 => pattern("^[0-9A-Fa-f]{64}$".to_owned()),
        // Letters and digits of all scripts are allowed, which patterns do not match in the same
        // way everywhere.
        Form::Id => pattern(
            "^(?:[0-9A-Za-z_.]|[^\\x00-\\x7F])(?:[0-9A-Za-z_.-]|[^\\x00-\\x7F])*$".to_owned(),
        ),
        Form::FileName => {
            let mut file = pattern(format!("^{}$", name()));
            file.put("maxLength", 255_u64);
            file
        }
        Form::Path => {
            let part = r"(?!\.{1,2}(?:/|$))[^/\x00]+";
            pattern(format!("^{part}(?:/{part})*$"))
        }
        Form::FilePath => pattern(format!("^{0}(?:/{0})*$", name())),
        Form::Directory => pattern(format!("^(?:\\.|{0}(?:/{0})*)$", name())),
        Form::Part => pattern("^[^/]*(?:[^/\\s]|\\uFEFF)[^/]*$".to_owned()),
        Form::WebAddress => pattern("^https?://".to_owned()),
    }
}

fn cases(schema: &mut Object, shape: &'static Shape) {
    let conditions = shape.cases().iter().filter_map(|case| {
        let then = consequences(shape, case);
        let when = match &shape.cases {
            Cases::Of { key, .. } => is(key, case.name),
            _ => Object::of("required", vec![case.name]),
        };
        let mut condition = Object::of("if", when);
        condition.put("then", then?);
        Some(condition)
    });
    let conditions = conditions.collect();
    if let Cases::Either(cases) = &shape.cases {
        schema.put_list(
            "oneOf",
            cases
                .iter()
                .map(|case| Object::of("required", vec![case.name]))
                .collect(),
        );
    }
    schema.put_list("allOf", conditions);
}

/// Returns the condition that a key is present with this text.
fn is(key: &str, text: &str) -> Object {
    let mut condition = Object::of("required", vec![key]);
    condition.put("properties", Object::of(key, Object::of("const", text)));
    condition
}

/// Returns the requirements of a case, if it has any.
fn consequences(shape: &'static Shape, case: &Case) -> Option<Object> {
    let mut required = Vec::new();
    let mut properties = Object::default();
    let mut dependencies = Object::default();
    let mut more = Vec::new();
    for rule in case.rules {
        match *rule {
            Rule::Needs(key, _) => required.push(key),
            Rule::With(key, needed, _) => {
                dependencies.put(key, vec![needed]);
            }
            Rule::Targets(keys) => more.push(targets(shape, keys)),
            Rule::Alone(key, others) => {
                dependencies.put(key, Object::of("properties", none_of(others)));
            }
            Rule::Packages(key) => {
                let package = Object::of("pattern", "[^/]\\.[Mm][Ss][Ii]$");
                properties.put(key, Object::of("items", package));
            }
            Rule::Place(key, text, others) => {
                let mut place = Object::of("if", is(key, text));
                place.put("then", Object::of("properties", none_of(others)));
                place.put("else", Object::of("required", vec![others[0]]));
                more.push(place);
            }
        }
    }
    let foreign = shape
        .named()
        .iter()
        .map(|key| key.name)
        .filter(|key| !shape.goes_with(case, key));
    properties.0.extend(none_of(&foreign.collect::<Vec<_>>()).0);
    let mut then = Object::default();
    if !required.is_empty() {
        then.put("required", required);
    }
    for (name, object) in [("properties", properties), ("dependencies", dependencies)] {
        if !object.0.is_empty() {
            then.put(name, object);
        }
    }
    then.put_list("allOf", more);
    (!then.0.is_empty()).then_some(then)
}

/// Returns the schema that forbids these properties.
fn none_of(keys: &[&str]) -> Object {
    let mut properties = Object::default();
    for key in keys {
        properties.put(key, false);
    }
    properties
}

/// Returns the schema that requires at least one of these keys; a table among them must not be
/// empty.
fn targets(shape: &'static Shape, keys: &[&str]) -> Object {
    let one = |key: &&str| {
        let mut present = Object::of("required", vec![*key]);
        if let Some(KeyKind::Table(_)) = shape.key(key).map(|key| key.kind) {
            present.put(
                "properties",
                Object::of(key, Object::of("minProperties", 1_u64)),
            );
        }
        present
    };
    let mut each: Vec<Object> = keys.iter().map(one).collect();
    match each.len() {
        1 => each.remove(0),
        _ => Object::of("anyOf", each),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::shapes::DEPLOYMENT;
    use crate::manifest::MANIFEST;

    /// A shape in two places would be written twice, and a shape could not contain itself.
    #[test]
    fn no_shape_is_used_in_two_places() {
        for top in [&MANIFEST, &DEPLOYMENT] {
            let mut shapes: Vec<*const Shape> =
                top.all().into_iter().map(std::ptr::from_ref).collect();
            let all = shapes.len();
            shapes.sort();
            shapes.dedup();
            assert_eq!(shapes.len(), all);
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
