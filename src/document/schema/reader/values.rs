//! Values of keys: each is returned with its place, or reported if it has the wrong type.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::DeValue;
use toml::value::Datetime;

use super::Reader;
use super::keys::sample;
use super::table::{Placed, Table};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Span, brief};
use crate::document::diagnostics::hidden_characters::escaped_if_hidden;
use crate::document::schema::shape::{Form, KeyKind, Keys, Shape};

/// Type that a value should have, and advice on how to write it.
struct ExpectedValue {
    name: &'static str,
    advice: Cow<'static, str>,
}

impl ExpectedValue {
    const fn new(name: &'static str, advice: &'static str) -> Self {
        Self {
            name,
            advice: Cow::Borrowed(advice),
        }
    }
}

const TEXT: ExpectedValue = ExpectedValue::new("a string", "write it in quotes: `\"…\"`");
const TEXTS: ExpectedValue =
    ExpectedValue::new("a list of strings", "write a list, even for one: `[\"…\"]`");
const FLAG: ExpectedValue =
    ExpectedValue::new("true or false", "write `true` or `false`, without quotes");
const NUMBER: ExpectedValue =
    ExpectedValue::new("a whole number", "write only digits, without quotes");
const DAY: ExpectedValue =
    ExpectedValue::new("a day", "write it like `2008-04-29`, without quotes");
const TIME: ExpectedValue = ExpectedValue::new(
    "a time",
    "write it like `2008-03-31T18:32:00Z`, without quotes",
);
const TABLE: ExpectedValue = ExpectedValue::new("a table", "write `{ … }`, or a header");
const ROW: ExpectedValue = ExpectedValue::new("a table", "write `{ name = \"…\" }`");
const TABLES: ExpectedValue =
    ExpectedValue::new("a list of tables", "write `[{ … }]`, even for one");
const HEADERS: ExpectedValue =
    ExpectedValue::new("a list of tables", "write each with two brackets: `[[…]]`");

impl Reader<'_> {
    /// Reads a text that is not empty.
    pub fn text(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        debug_assert!(
            matches!(table.kind(key), KeyKind::Text(_)),
            "`{key}` is described as a text"
        );
        let value = table.value(key)?;
        let text = self.typed(key, value, TEXT, |value| value.as_str().map(str::to_owned))?;
        if !matches!(table.kind(key), KeyKind::Text(Form::Prose)) {
            self.check_hidden_characters(&text.value, &text.span);
        }
        let help = if table.needs(key) {
            "fill it"
        } else {
            "fill it, or remove the key"
        };
        self.filled(text, key, help)
    }

    /// Reads a text, empty or not.
    pub fn any_text(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        debug_assert!(
            matches!(table.kind(key), KeyKind::AnyText),
            "`{key}` is described as any text"
        );
        let value = table.value(key)?;
        self.typed(key, value, TEXT, |value| value.as_str().map(str::to_owned))
    }

    /// Reads a boolean.
    pub fn flag(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<bool>> {
        debug_assert!(
            matches!(table.kind(key), KeyKind::Flag | KeyKind::Yes),
            "`{key}` is described as a flag"
        );
        let value = table.value(key)?;
        self.typed(key, value, FLAG, DeValue::as_bool)
    }

    /// Reads a whole number, from zero up to the largest that the key may have.
    pub fn number(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<u64>> {
        let most = match table.kind(key) {
            KeyKind::Number(most) => most,
            // The caller compares it with the only valid number, and reports another one itself.
            KeyKind::Only(_) => i64::MAX as u64,
            _ => unreachable!("`{key}` is described as a number"),
        };
        let value = table.value(key)?;
        let raw = self.typed(key, value, NUMBER, |value| value.as_integer().cloned())?;
        // A sign is not a digit, so a negative number fails here too.
        match u64::from_str_radix(raw.value.as_str(), raw.value.radix()) {
            Ok(number) if number <= most => Some(Placed {
                value: number,
                span: raw.span,
            }),
            _ => {
                let message = format!("`{key}` is {}, but must be from 0 to {most}", raw.value);
                let finding = self.findings.add(Code::OutOfRange, raw.span, message);
                finding.help("write the number in plain digits, as it is documented");
                None
            }
        }
    }

    /// Reads a day without a time, as `YYYY-MM-DD`.
    pub fn day(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        debug_assert!(
            matches!(table.kind(key), KeyKind::Day),
            "`{key}` is described as a day"
        );
        let value = table.value(key)?;
        let day = |value: &DeValue<'_>| match value.as_datetime() {
            Some(Datetime {
                date: Some(date),
                time: None,
                offset: None,
            }) => Some(date.to_string()),
            _ => None,
        };
        self.typed(key, value, DAY, day)
    }

    /// Reads a date, a time or both.
    pub fn datetime(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<Datetime>> {
        debug_assert!(
            matches!(table.kind(key), KeyKind::Time),
            "`{key}` is described as a time"
        );
        let value = table.value(key)?;
        self.typed(key, value, TIME, |value| value.as_datetime().copied())
    }

    /// Reads a list of texts, none of them empty; the shape decides whether the list may be empty.
    pub fn texts(&mut self, table: &Table<'_>, key: &str) -> Option<Vec<Placed<String>>> {
        let KeyKind::Texts(described) = table.kind(key) else {
            unreachable!("`{key}` is described as a list of texts")
        };
        let list = self.list(table, key, TEXTS)?;
        if described.filled && list.is_empty() {
            let message = format!("`{key}` is empty");
            let span = table.key(key).unwrap_or_default();
            self.findings
                .add(Code::EmptyValue, span, message)
                .help(match table.needs(key) {
                    true => "fill it",
                    false => "fill it, or remove the key",
                });
        }
        let mut texts = Vec::with_capacity(list.len());
        for value in list {
            let text = self.typed(key, value, TEXT, |value| value.as_str().map(str::to_owned));
            if let Some(text) = text.as_ref().filter(|_| described.form != Form::Prose) {
                self.check_hidden_characters(&text.value, &text.span);
            }
            texts.extend(text.and_then(|text| self.filled(text, key, "fill it, or remove it")));
        }
        Some(texts)
    }

    /// Reads a list of texts like [`Reader::texts`]; it is empty if there is no list.
    pub fn texts_or_none(&mut self, table: &Table<'_>, key: &str) -> Vec<Placed<String>> {
        self.texts(table, key).unwrap_or_default()
    }

    /// Returns the number of entries of any type in a list; `None` if there is no list.
    pub fn list_length(&self, table: &Table<'_>, key: &str) -> Option<usize> {
        table
            .value(key)?
            .get_ref()
            .as_array()
            .map(|array| array.len())
    }

    /// Reads the table of a key.
    pub fn table<'t>(&mut self, table: &Table<'t>, key: &str) -> Option<Table<'t>> {
        let KeyKind::Table(shape) = table.kind(key) else {
            unreachable!("`{key}` is described as a table")
        };
        let value = table.value(key)?;
        let DeValue::Table(entries) = value.get_ref() else {
            let advice = table_advice(brief(key), &self.source.text()[value.span()], shape)
                .map_or(TABLE.advice, Cow::Owned);
            self.wrong_type(key, value, &ExpectedValue { advice, ..TABLE });
            return None;
        };
        let inner = Table::new(entries, value.span(), shape);
        self.check_keys(&inner);
        Some(inner)
    }

    /// Reads a list of tables, inline or each with a header of its own.
    pub fn tables<'t>(&mut self, table: &Table<'t>, key: &str) -> Vec<Table<'t>> {
        let (shape, expected) = match table.kind(key) {
            KeyKind::Headers(shape) => (shape, HEADERS),
            KeyKind::Tables(shape) => (shape, TABLES),
            _ => unreachable!("`{key}` is described as a list of tables"),
        };
        let list = self.list(table, key, expected).unwrap_or_default();
        let mut tables = Vec::with_capacity(list.len());
        for value in list {
            let DeValue::Table(entries) = value.get_ref() else {
                self.wrong_type(key, value, &ROW);
                continue;
            };
            let inner = Table::new(entries, value.span(), shape);
            self.check_keys(&inner);
            tables.push(inner);
        }
        tables
    }

    /// Parses a text further, and reports the error of the parser.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        text: Placed<String>,
        code: Code,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        match parse(&text.value) {
            Ok(value) => Some(Placed {
                value,
                span: text.span,
            }),
            Err(error) => {
                let mut message = error.to_string();
                if !message.contains(&text.value) {
                    message = format!("`{}` cannot be used: {message}", text.value);
                }
                let finding = self.findings.add(code, text.span, message);
                if code == Code::UnsafeName {
                    let slashes =
                        text.value.split('/').any(str::is_empty) && text.value.contains('/');
                    finding.help(match slashes {
                        true => "write one `/` between two parts, and none before the first or after the last",
                        false => "use a name that is also valid on Windows",
                    });
                }
                None
            }
        }
    }

    /// Reports a name with an invisible character. Texts for people may contain any character.
    pub(super) fn check_hidden_characters(&mut self, name: &str, span: &Span) {
        if let Some(shown) = escaped_if_hidden(name) {
            let message = format!("`{shown}` contains an invisible character");
            let finding = self
                .findings
                .add(Code::HiddenCharacter, span.clone(), message);
            finding.help("type the name again, with ordinary spaces, and none at its ends");
        }
    }

    fn filled(&mut self, text: Placed<String>, key: &str, help: &str) -> Option<Placed<String>> {
        if text.value.trim().is_empty() {
            let message = format!("`{}` contains an empty text", brief(key));
            self.findings
                .add(Code::EmptyValue, text.span, message)
                .help(help);
            return None;
        }
        Some(text)
    }

    fn list<'t>(
        &mut self,
        table: &Table<'t>,
        key: &str,
        expected: ExpectedValue,
    ) -> Option<&'t [Spanned<DeValue<'t>>]> {
        let value = table.value(key)?;
        self.typed(key, value, expected, |value| value.is_array().then_some(()))?;
        value.get_ref().as_array().map(|array| &**array)
    }

    fn typed<'t, T>(
        &mut self,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
        expected: ExpectedValue,
        take: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let taken = take(value.get_ref());
        if taken.is_none() {
            self.wrong_type(key, value, &expected);
        }
        taken.map(|taken| Placed {
            value: taken,
            span: value.span(),
        })
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &ExpectedValue) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let advice = match value.get_ref() {
            DeValue::Array(_) | DeValue::Table(_) if expected.name == TEXT.name => {
                "write one text: `\"…\"`".into()
            }
            DeValue::Datetime(Datetime {
                date: Some(date), ..
            }) if expected.name == DAY.name => format!("write only the day: `{date}`").into(),
            _ => expected.advice.clone(),
        };
        let message = format!("`{}` has {found} instead of {}", brief(key), expected.name);
        self.findings
            .add(Code::WrongType, value.span(), message)
            .label(advice);
    }
}

/// Returns advice on how to write a table in place of another value.
fn table_advice(key: &str, raw: &str, shape: &Shape) -> Option<String> {
    let headed = shape.title.starts_with('[');
    if headed && raw.starts_with("[[") {
        return Some(format!("write one bracket on each side: `{}`", shape.title));
    }
    match &shape.keys {
        Keys::Free(_, free) if !headed => {
            let whole =
                matches!(free.kind, KeyKind::Texts(_)) && raw.starts_with('[') && raw.len() < 60;
            let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let key = if key.chars().all(bare) {
                format!("{key}.")
            } else {
                format!("\"{key}\".")
            };
            match whole && !raw.contains('\n') {
                true => Some(format!("write `{key}\"{}\" = {raw}`", free.name)),
                false => Some(format!("write {}", sample(&key, free))),
            }
        }
        _ => headed.then(|| format!("write it below a header: `{}`", shape.title)),
    }
}
