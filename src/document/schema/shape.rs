//! Shapes of the tables of a language.
//!
//! One description serves two purposes: the reader checks a document against it, and the JSON
//! Schema is made from it, with which editors complete and describe keys. So the suggestions that
//! people get while they write agree with the reader.

/// Title of the shape of a document's top.
pub const TOP: &str = "the top of the document";

/// Table of a language: its name and its keys.
#[derive(Debug)]
pub struct Shape {
    /// Header, such as `[rollup]`; for a table without a header, a name for messages.
    pub title: &'static str,
    /// Purpose, in a sentence.
    pub about: &'static str,
    /// Keys of the table.
    pub keys: Keys,
    /// Further rules, which depend on the case of the table.
    pub cases: Cases,
    /// Keys that authors may expect and the table does not have, each with advice.
    pub absent: &'static [(&'static str, &'static str)],
}

/// Keys of a table.
#[derive(Debug)]
pub enum Keys {
    /// All keys that are allowed.
    Named(&'static [Key]),
    /// Names of this form, which the author chooses; each has a value like this key.
    Free(Form, Key),
}

/// Key and the kind of its value.
#[derive(Debug)]
pub struct Key {
    /// Name; for free keys, a placeholder for the names.
    pub name: &'static str,
    /// Kind of the value.
    pub kind: KeyKind,
    /// Example of a line with the key, if it is required.
    pub required: Option<&'static str>,
    /// Meaning, with the unit, in a sentence or two.
    pub about: &'static str,
}

/// Kind of value that a key may have.
#[derive(Debug, Clone, Copy)]
pub enum KeyKind {
    /// A text.
    Text(Form),
    /// A text, or a table in place of it.
    TextOrTable(Form, &'static Shape),
    /// A list of texts, none of them empty.
    Texts(List),
    /// `true` or `false`.
    Flag,
    /// `true`; `false` is not allowed.
    Yes,
    /// A whole number from zero up to this one.
    Number(u64),
    /// A whole number from zero up to this one, or a table in place of it.
    NumberOrTable(u64, &'static Shape),
    /// This whole number only.
    Only(u64),
    /// A day without a time.
    Day,
    /// A date and time in UTC, to the minute.
    Time,
    /// A table.
    Table(&'static Shape),
    /// A list of inline tables.
    Tables(&'static Shape),
    /// A list of at least one inline table.
    SomeTables(&'static Shape),
    /// Tables that each have a header with two brackets.
    Headers(&'static Shape),
    /// At least one of such tables.
    SomeHeaders(&'static Shape),
}

/// A list of texts.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// Form of each text.
    pub form: Form,
    /// True if the list must not be empty.
    pub filled: bool,
    /// True if no text may be in it twice.
    pub unique: bool,
}

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text for people, which is not a name; not empty.
    Prose,
    /// Any text that is not empty.
    Words,
    /// Any text, empty or not.
    Anything,
    /// A KB number.
    Kb,
    /// An id of a rollup without a KB number.
    RollupId,
    /// A KB number, or an id of a rollup.
    Rollup,
    /// A KB number or an id, maybe with a minimum revision.
    Requirement,
    /// Numbers joined by dots.
    Version,
    /// A SHA-256 in hexadecimal digits.
    Sha256,
    /// A name that is typed on the command line.
    Id,
    /// A name that Windows accepts for a file, too.
    FileName,
    /// A file name, maybe below directories, with `/` between the parts.
    PayloadPath,
    /// A path that cannot leave its directory, with `/` between its parts.
    Path,
    /// The name of an environment variable: letters of ASCII, digits and `_`, no digit first.
    Variable,
    /// An absolute path, or a path like [`Form::Path`], without `.` and `..`.
    MachinePath,
    /// A path like [`Form::Path`] whose parts are file names.
    FilePath,
    /// A path like [`Form::FilePath`], or `.` for the directory itself.
    Directory,
    /// One part of a path.
    Part,
    /// An address that begins with `http://` or `https://`.
    WebAddress,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// Rules that depend on the case of a table.
#[derive(Debug)]
pub enum Cases {
    /// No cases.
    None,
    /// Cases named by the possible texts of a key.
    Of {
        key: &'static str,
        /// Keys that are allowed in every case.
        always: &'static [&'static str],
        cases: &'static [Case],
    },
    /// Cases named by keys, of which exactly one is present.
    Either(&'static [Case]),
    /// No cases, but at least one of these keys is present.
    AtLeastOne(&'static [&'static str]),
}

/// Case of a table, such as one action of a step.
#[derive(Debug)]
pub struct Case {
    /// Text or key that selects the case.
    pub name: &'static str,
    /// Meaning, in a sentence.
    pub about: &'static str,
    /// Keys that are allowed in it.
    pub keys: &'static [&'static str],
    /// Rules among the keys.
    pub rules: &'static [Rule],
}

/// Rule among the keys of a table. A rule that requires a key which the table cannot have is void, so
/// that tables with fewer keys share the rules.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// The key is required; the second text is an example of a line.
    Needs(&'static str, &'static str),
    /// The first key requires the second one; the third text is an example of a line.
    With(&'static str, &'static str, &'static str),
    /// At least one of these keys is required, since they name the targets.
    Targets(&'static [&'static str]),
    /// The first key excludes the others.
    Alone(&'static str, &'static [&'static str]),
    /// The files have one of these extensions; with a key only if the table has it.
    Kinds(Option<&'static str>, &'static [&'static str]),
    /// The key is about one file, so that the table must not have more.
    OneFile(&'static str),
    /// A text of this key is numbers joined by dots.
    Numbers(&'static str),
    /// The key has this text, and excludes the others; or it has any other text, and requires the
    /// first of them. A table that cannot have the first of them must not have the text.
    Place(&'static str, &'static str, &'static [&'static str]),
}

impl Shape {
    /// Returns a table with named keys.
    pub const fn new(title: &'static str, about: &'static str, keys: &'static [Key]) -> Self {
        Self {
            title,
            about,
            keys: Keys::Named(keys),
            cases: Cases::None,
            absent: &[],
        }
    }

    /// Returns a table whose keys the author chooses.
    pub const fn free(title: &'static str, about: &'static str, form: Form, key: Key) -> Self {
        Self {
            keys: Keys::Free(form, key),
            ..Self::new(title, about, &[])
        }
    }

    /// Returns the shape with further rules.
    pub const fn with(self, cases: Cases) -> Self {
        Self { cases, ..self }
    }

    /// Returns the shape with advice for keys that it does not have.
    pub const fn without(self, absent: &'static [(&'static str, &'static str)]) -> Self {
        Self { absent, ..self }
    }

    /// Returns the description of a key, if it is allowed.
    pub fn key(&'static self, name: &str) -> Option<&'static Key> {
        match &self.keys {
            Keys::Named(keys) => keys.iter().find(|key| key.name == name),
            Keys::Free(_, key) => Some(key),
        }
    }

    /// Returns whether one of the named keys has this name.
    pub fn takes(&self, name: &str) -> bool {
        self.named().iter().any(|key| key.name == name)
    }

    /// Returns the named keys.
    pub fn named(&self) -> &'static [Key] {
        match self.keys {
            Keys::Named(keys) => keys,
            Keys::Free(..) => &[],
        }
    }

    /// Returns the case of a name.
    pub fn case(&'static self, name: &str) -> Option<&'static Case> {
        self.cases().iter().find(|case| case.name == name)
    }

    /// Returns every case of the table.
    pub fn cases(&'static self) -> &'static [Case] {
        match &self.cases {
            Cases::None | Cases::AtLeastOne(_) => &[],
            Cases::Of { cases, .. } | Cases::Either(cases) => cases,
        }
    }

    /// Returns whether a key is allowed in this case.
    pub fn goes_with(&self, case: &Case, key: &str) -> bool {
        let always = match &self.cases {
            Cases::Of { always, .. } => *always,
            Cases::None | Cases::Either(_) | Cases::AtLeastOne(_) => &[],
        };
        case.keys.contains(&key) || always.contains(&key)
    }

    /// Returns this shape and all nested ones, each before the ones that it contains.
    pub fn all(&'static self) -> Vec<&'static Shape> {
        let keys = match &self.keys {
            Keys::Named(keys) => keys,
            Keys::Free(_, key) => std::slice::from_ref(key),
        };
        let below = keys
            .iter()
            .filter_map(|key| key.kind.shape())
            .flat_map(Shape::all);
        std::iter::once(self).chain(below).collect()
    }
}

impl Key {
    /// Returns an optional key.
    pub const fn new(name: &'static str, kind: KeyKind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: None,
            about,
        }
    }

    /// Returns a required key, with an example of a line.
    pub const fn required(
        name: &'static str,
        kind: KeyKind,
        line: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            required: Some(line),
            ..Self::new(name, kind, about)
        }
    }
}

impl KeyKind {
    /// Returns a list of texts that may repeat each other.
    pub const fn texts(form: Form) -> Self {
        Self::Texts(List {
            form,
            filled: false,
            unique: false,
        })
    }

    /// Returns a list of texts, each at most once.
    pub const fn names(form: Form) -> Self {
        Self::Texts(List {
            form,
            filled: false,
            unique: true,
        })
    }

    /// Returns a list of at least one text, each at most once.
    pub const fn some_names(form: Form) -> Self {
        Self::Texts(List {
            form,
            filled: true,
            unique: true,
        })
    }

    /// Returns the shape of the nested tables.
    pub fn shape(self) -> Option<&'static Shape> {
        match self {
            Self::Table(shape)
            | Self::Tables(shape)
            | Self::SomeTables(shape)
            | Self::SomeHeaders(shape)
            | Self::Headers(shape)
            | Self::TextOrTable(_, shape)
            | Self::NumberOrTable(_, shape) => Some(shape),
            _ => None,
        }
    }
}
