//! Values of keys: each is returned with its place, or reported if it has the wrong type.

use toml::Spanned;
use toml::de::DeValue;
use toml::value::Datetime;

use super::Reader;
use super::keys::sample;
use super::table::{Placed, Table, ValueOrTable};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Span, brief};
use crate::document::diagnostics::hidden_characters::escaped_if_hidden;
use crate::document::diagnostics::wording::is_bare_key;
use crate::document::schema::shape::{Form, KeyKind, Keys, Shape};

/// Type that a value should have, and advice on how to write it.
struct ExpectedValue(&'static str, &'static str);

const TEXT: ExpectedValue = ExpectedValue("a string", "write it in quotes: `\"…\"`");
const ROW: ExpectedValue = ExpectedValue("a table", "write `{ name = \"…\" }`");

impl ExpectedValue {
    fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Text(_) | KeyKind::TextOrTable(..) => TEXT,
            KeyKind::Texts(_) => Self("a list of strings", "write a list, even for one: `[\"…\"]`"),
            KeyKind::Flag | KeyKind::Yes => {
                Self("true or false", "write `true` or `false`, without quotes")
            }
            KeyKind::Number(_) | KeyKind::Only(_) => {
                Self("a whole number", "write only digits, without quotes")
            }
            KeyKind::NumberOrTable(..) => Self(
                "a whole number or a table",
                "write only digits, or `{ min = 1, max = 2 }`",
            ),
            KeyKind::Day => Self("a day", "write it like `2008-04-29`, without quotes"),
            KeyKind::Time => Self(
                "a time",
                "write it like `2008-03-31T18:32:00Z`, without quotes",
            ),
            KeyKind::Table(_) => Self("a table", "write `{ … }`, or a header"),
            KeyKind::Tables(_) | KeyKind::SomeTables(_) => {
                Self("a list of tables", "write `[{ … }]`, even for one")
            }
            KeyKind::Headers(_) | KeyKind::SomeHeaders(_) => {
                Self("a list of tables", "write each with two brackets: `[[…]]`")
            }
        }
    }
}

impl Reader<'_> {
    /// Reads a text, which is not empty unless its form is [`Form::Anything`].
    pub fn text(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        let (KeyKind::Text(form) | KeyKind::TextOrTable(form, _)) = table.kind(key) else {
            unreachable!("`{key}` is described as a text")
        };
        self.text_of_form(key, table.value(key)?, form, table.help_if_empty(key))
    }

    /// Reads a text, without its place.
    pub fn plain_text(&mut self, table: &Table<'_>, key: &str) -> Option<String> {
        self.text(table, key).map(|text| text.value)
    }

    /// Reads a text and parses it.
    pub fn parse<T, E: std::fmt::Display>(
        &mut self,
        table: &Table<'_>,
        key: &str,
        code: Code,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        let text = self.text(table, key)?;
        self.parsed(text, code, parse)
    }

    /// Reads a text, or the table in place of one.
    pub fn text_or_table<'t>(
        &mut self,
        table: &Table<'t>,
        key: &str,
    ) -> Option<ValueOrTable<'t, String>> {
        if table.has_table(key) {
            return self.table(table, key).map(ValueOrTable::Table);
        }
        self.text(table, key).map(ValueOrTable::Value)
    }

    /// Reads a whole number, or the table in place of one.
    pub fn number_or_table<'t>(
        &mut self,
        table: &Table<'t>,
        key: &str,
    ) -> Option<ValueOrTable<'t, u64>> {
        if table.has_table(key) {
            return self.table(table, key).map(ValueOrTable::Table);
        }
        self.number(table, key).map(ValueOrTable::Value)
    }

    /// Reads a boolean.
    pub fn flag(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<bool>> {
        self.typed(table, key, DeValue::as_bool)
    }

    /// Reads a boolean that may only be true.
    pub fn yes(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<bool>> {
        let flag = self.flag(table, key)?;
        if !flag.value {
            let message = format!("`{key} = false` has no effect");
            self.report(Code::InvalidValue, &flag.span, message)
                .help("remove the key");
            return None;
        }
        Some(flag)
    }

    /// Reads a whole number, from zero up to the largest that the key may have.
    pub fn number(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<u64>> {
        let most = match table.kind(key) {
            KeyKind::Number(most) | KeyKind::NumberOrTable(most, _) => most,
            // The caller compares it with the only valid number, and reports another one itself.
            _ => i64::MAX as u64,
        };
        let Placed { value: raw, span } = self.typed(table, key, DeValue::as_integer)?;
        // A sign is not a digit, so a negative number fails here too.
        match u64::from_str_radix(raw.as_str(), raw.radix()) {
            Ok(value) if value <= most => Some(Placed { value, span }),
            _ => {
                let message = format!("`{key}` is {raw}, but must be from 0 to {most}");
                self.report(Code::OutOfRange, &span, message)
                    .help("write the number in plain digits, as it is documented");
                None
            }
        }
    }

    /// Reads a day without a time, as `YYYY-MM-DD`.
    pub fn day(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        self.typed(table, key, |value| match value.as_datetime() {
            Some(Datetime {
                date: Some(date),
                time: None,
                offset: None,
            }) => Some(date.to_string()),
            _ => None,
        })
    }

    /// Reads a date, a time or both.
    pub fn datetime(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<Datetime>> {
        self.typed(table, key, |value| value.as_datetime().copied())
    }

    /// Reads a list of texts, none of them empty; the shape decides whether the list may be empty.
    /// Returns no texts if there is no list.
    pub fn texts_or_none(&mut self, table: &Table<'_>, key: &str) -> Vec<Placed<String>> {
        let list = self.typed(table, key, DeValue::as_array);
        let (Some(list), KeyKind::Texts(described)) = (list, table.kind(key)) else {
            return Vec::new();
        };
        let list = list.value;
        if described.filled && list.is_empty() {
            self.empty_list(table, key);
        }
        let mut texts = Vec::with_capacity(list.len());
        for value in list.iter() {
            texts.extend(self.text_of_form(key, value, described.form, "fill it, or remove it"));
        }
        texts
    }

    /// Reads a list of texts and parses each.
    pub fn parse_each<T, E: std::fmt::Display>(
        &mut self,
        table: &Table<'_>,
        key: &str,
        code: Code,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<Placed<T>> {
        self.texts_or_none(table, key)
            .into_iter()
            .filter_map(|text| self.parsed(text, code, &parse))
            .collect()
    }

    fn empty_list(&mut self, table: &Table<'_>, key: &str) {
        let message = format!("`{key}` is empty");
        let span = table.key(key).unwrap_or_default();
        self.report(Code::EmptyValue, &span, message)
            .help(table.help_if_empty(key));
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
        let kind = table.kind(key);
        self.table_of(
            key,
            table.value(key)?,
            kind.shape()?,
            ExpectedValue::of(kind),
        )
    }

    /// Reads a list of tables, inline or each with a header of its own.
    pub fn tables<'t>(&mut self, table: &Table<'t>, key: &str) -> Vec<Table<'t>> {
        let kind = table.kind(key);
        let list = self.typed(table, key, DeValue::as_array);
        let (Some(list), Some(shape)) = (list, kind.shape()) else {
            return Vec::new();
        };
        let is_filled = matches!(kind, KeyKind::SomeTables(_) | KeyKind::SomeHeaders(_));
        if list.value.is_empty() && is_filled {
            self.empty_list(table, key);
        }
        list.value
            .iter()
            .filter_map(|row| self.table_of(key, row, shape, ROW))
            .collect()
    }

    fn table_of<'t>(
        &mut self,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
        shape: &'static Shape,
        expected: ExpectedValue,
    ) -> Option<Table<'t>> {
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type(key, value, expected, Some(shape));
            return None;
        };
        let table = Table::new(entries, value.span(), shape);
        self.check_keys(&table);
        Some(table)
    }

    /// Parses a text further, and reports the error of the parser.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        text: Placed<String>,
        code: Code,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        let Placed { value: text, span } = text;
        let error = match parse(&text) {
            Ok(value) => return Some(Placed { value, span }),
            Err(error) => error.to_string(),
        };
        let message = match error.contains(&text) {
            true => error,
            false => format!("`{text}` cannot be used: {error}"),
        };
        let finding = self.report(code, &span, message);
        if code == Code::UnsafeName {
            let slashes = text.contains('/') && text.split('/').any(str::is_empty);
            finding.help(match slashes {
                true => {
                    "write one `/` between two parts, and none before the first or after the last"
                }
                false => "use a name that is also valid on Windows",
            });
        }
        None
    }

    /// Reports a name with an invisible character. Texts for people may contain any character.
    pub(super) fn check_hidden_characters(&mut self, name: &str, span: &Span) {
        if let Some(shown) = escaped_if_hidden(name) {
            let message = format!("`{shown}` contains an invisible character");
            self.report(Code::HiddenCharacter, span, message)
                .help("type the name again, with ordinary spaces, and none at its ends");
        }
    }

    fn text_of_form(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        form: Form,
        help: &str,
    ) -> Option<Placed<String>> {
        let string = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
        let text = self.value_of(key, value, TEXT, string)?;
        if form == Form::Anything {
            return Some(text);
        }
        if form != Form::Prose {
            self.check_hidden_characters(&text.value, &text.span);
        }
        if text.value.trim().is_empty() {
            let message = format!("`{}` contains an empty text", brief(key));
            self.report(Code::EmptyValue, &text.span, message)
                .help(help);
            return None;
        }
        Some(text)
    }

    fn typed<'t, T>(
        &mut self,
        table: &Table<'t>,
        key: &str,
        take: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let expected = ExpectedValue::of(table.kind(key));
        self.value_of(key, table.value(key)?, expected, take)
    }

    fn value_of<'t, T>(
        &mut self,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
        expected: ExpectedValue,
        take: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let span = value.span();
        let taken = take(value.get_ref()).map(|value| Placed { value, span });
        if taken.is_none() {
            self.wrong_type(key, value, expected, None);
        }
        taken
    }

    fn wrong_type(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        ExpectedValue(expected, advice): ExpectedValue,
        shape: Option<&Shape>,
    ) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let raw = self.source.shown(value.span());
        let message = format!("`{}` has {found} instead of {expected}", brief(key));
        let finding = self.report(Code::WrongType, &value.span(), message);
        match value.get_ref() {
            DeValue::Array(_) | DeValue::Table(_) if expected == TEXT.0 => {
                finding.label("write one text: `\"…\"`")
            }
            DeValue::Datetime(Datetime {
                date: Some(date), ..
            }) if expected == "a day" => finding.label(format!("write only the day: `{date}`")),
            _ => match shape.and_then(|shape| table_advice(brief(key), &raw, shape)) {
                Some(better) => finding.label(better),
                None => finding.label(advice),
            },
        };
        if let Some(rewritten) = retyped(value.get_ref(), &raw, expected) {
            finding.only_rewritten(rewritten);
        }
    }
}

/// Returns a value in the type that it should have, if only its quotes or brackets are wrong.
fn retyped(value: &DeValue<'_>, raw: &str, expected: &str) -> Option<String> {
    let is_plain = |text: &str| {
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        text.split('.').all(is_digits)
    };
    match value {
        DeValue::Integer(_) | DeValue::Float(_) if expected == TEXT.0 && is_plain(raw) => {
            Some(format!("\"{raw}\""))
        }
        DeValue::String(_) if expected == "a list of strings" => Some(format!("[{raw}]")),
        DeValue::String(text) => {
            let written: DeValue<'_> = DeValue::parse(text).ok()?.into_inner();
            let fits = match expected {
                "true or false" => written.is_bool(),
                "a whole number" => written.is_integer() && is_plain(text),
                "a day" | "a time" => written.is_datetime(),
                _ => false,
            };
            fits.then(|| text.to_string())
        }
        _ => None,
    }
}

/// Returns advice on how to write a table in place of another value.
fn table_advice(key: &str, raw: &str, shape: &Shape) -> Option<String> {
    if shape.title.starts_with('[') {
        return Some(if raw.starts_with("[[") {
            format!("write one bracket on each side: `{}`", shape.title)
        } else {
            format!("write it below a header: `{}`", shape.title)
        });
    }
    let Keys::Free(_, free) = &shape.keys else {
        return None;
    };
    let key = if is_bare_key(key) {
        format!("{key}.")
    } else {
        format!("\"{key}\".")
    };
    let is_list = matches!(free.kind, KeyKind::Texts(_)) && raw.starts_with('[');
    Some(if is_list && raw.len() < 60 && !raw.contains('\n') {
        format!("write `{key}\"{}\" = {raw}`", free.name)
    } else {
        format!("write {}", sample(&key, free))
    })
}
