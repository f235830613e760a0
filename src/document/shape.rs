//! What the tables of a language look like.
//!
//! One description serves two: the reader, which walks a document by it, and the JSON Schema, from
//! which editors complete keys and show what they mean. So what people are told while they write is
//! what the reader then takes.

/// The title of the shape of a document's top.
pub const TOP: &str = "the top of the document";

/// One table of a language: what it is called and which keys it has.
#[derive(Debug)]
pub struct Shape {
    /// The header, such as `[rollup]`; for a table that has none, what people call it.
    pub title: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// The keys.
    pub keys: Keys,
    /// What more holds, depending on what the table is about.
    pub cases: Cases,
}

/// The keys of a table.
#[derive(Debug)]
pub enum Keys {
    /// Every key that means something.
    Named(&'static [Key]),
    /// Names that the author chooses, of a form, each with a value like this key's.
    Free(Form, Key),
}

/// A key and what it may have.
#[derive(Debug)]
pub struct Key {
    /// Its name; of free keys, what stands there.
    pub name: &'static str,
    /// The value.
    pub kind: Kind,
    /// For a key that must be there, a line that would do.
    pub required: Option<&'static str>,
    /// What it says, with its unit, in a sentence or two.
    pub about: &'static str,
}

/// What a key may have.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text that is not empty.
    Text(Form),
    /// A text, empty or not.
    AnyText,
    /// A list of texts, none of them empty.
    Texts(List),
    /// `true` or `false`.
    Flag,
    /// `true`; `false` would say nothing.
    Yes,
    /// A whole number from zero up to this one.
    Number(u64),
    /// This whole number and no other.
    Only(u64),
    /// A day without a time.
    Day,
    /// A moment in UTC, to the minute.
    Time,
    /// A table.
    Table(&'static Shape),
    /// A list of inline tables.
    Tables(&'static Shape),
    /// Tables that each have a header with two brackets.
    Headers(&'static Shape),
}

/// A list of texts.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// The form of each.
    pub form: Form,
    /// Whether it must hold something.
    pub filled: bool,
    /// Whether each may stand in it only once.
    pub unique: bool,
}

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What people read and nothing looks up; not empty.
    Prose,
    /// Anything that is not empty.
    Words,
    /// Anything at all; only keys may be empty.
    Anything,
    /// A KB number.
    Kb,
    /// Numbers joined by dots.
    Version,
    /// A SHA-256 in hexadecimal digits.
    Sha256,
    /// A name that is typed on the command line.
    Id,
    /// A name that Windows takes for a file, too.
    FileName,
    /// A path that cannot leave its folder, with `/` between its parts.
    Path,
    /// The same, of parts that are file names.
    FilePath,
    /// The same, or `.` for the folder itself.
    Folder,
    /// One part of a path.
    Part,
    /// An address that begins with `http://` or `https://`.
    WebAddress,
}

/// What depends on what a table is about.
#[derive(Debug)]
pub enum Cases {
    /// Nothing does.
    None,
    /// The text of a key decides; it has the name of one of the cases.
    Of {
        /// The key.
        key: &'static str,
        /// The keys that go with every case.
        always: &'static [&'static str],
        /// The cases.
        cases: &'static [Case],
    },
    /// Exactly one of the keys that give the cases their names is there.
    Either(&'static [Case]),
}

/// One of the things that a table may be about.
#[derive(Debug)]
pub struct Case {
    /// The text or the key that says so.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub about: &'static str,
    /// The keys that go with it.
    pub keys: &'static [&'static str],
    /// What holds among them.
    pub rules: &'static [Rule],
}

/// What holds among the keys of a table.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// The key must be there; the line would do.
    Needs(&'static str, &'static str),
    /// The first key needs the second one; the line would do.
    With(&'static str, &'static str, &'static str),
    /// At least one of these says to what it is done.
    Targets(&'static [&'static str]),
    /// The first key goes with none of the others.
    Alone(&'static str, &'static [&'static str]),
    /// The files of this key are installer packages.
    Packages(&'static str),
    /// The key is this text, and goes with none of the others; or any other text, and needs the
    /// first of them.
    Place(&'static str, &'static str, &'static [&'static str]),
}

impl Shape {
    /// A table with keys of its own.
    pub const fn new(title: &'static str, about: &'static str, keys: &'static [Key]) -> Self {
        Self {
            title,
            about,
            keys: Keys::Named(keys),
            cases: Cases::None,
        }
    }

    /// A table whose keys the author chooses.
    pub const fn free(title: &'static str, about: &'static str, form: Form, key: Key) -> Self {
        Self {
            title,
            about,
            keys: Keys::Free(form, key),
            cases: Cases::None,
        }
    }

    /// What more holds.
    pub const fn with(self, cases: Cases) -> Self {
        Self {
            title: self.title,
            about: self.about,
            keys: self.keys,
            cases,
        }
    }

    /// What stands below a key, if it means something here.
    pub fn key(&'static self, name: &str) -> Option<&'static Key> {
        match &self.keys {
            Keys::Named(keys) => keys.iter().find(|key| key.name == name),
            Keys::Free(_, key) => Some(key),
        }
    }

    /// Whether one of its own keys has this name.
    pub fn takes(&self, name: &str) -> bool {
        matches!(&self.keys, Keys::Named(keys) if keys.iter().any(|key| key.name == name))
    }

    /// The keys that have names.
    pub fn named(&self) -> &'static [Key] {
        match self.keys {
            Keys::Named(keys) => keys,
            Keys::Free(..) => &[],
        }
    }

    /// The case of a name.
    pub fn case(&'static self, name: &str) -> Option<&'static Case> {
        self.cases().iter().find(|case| case.name == name)
    }

    /// Everything that it may be about.
    pub fn cases(&'static self) -> &'static [Case] {
        match &self.cases {
            Cases::None => &[],
            Cases::Of { cases, .. } | Cases::Either(cases) => cases,
        }
    }

    /// Whether a key may stand there in this case.
    pub fn goes_with(&self, case: &Case, key: &str) -> bool {
        let always = match &self.cases {
            Cases::Of { always, .. } => *always,
            Cases::None | Cases::Either(_) => &[],
        };
        case.keys.contains(&key) || always.contains(&key)
    }

    /// This shape and all below it, each before those below it.
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
    /// A key that may be left out.
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: None,
            about,
        }
    }

    /// A key that must be there, with a line that would do.
    pub const fn required(
        name: &'static str,
        kind: Kind,
        line: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            required: Some(line),
            about,
        }
    }
}

impl Kind {
    /// A list of texts that may repeat each other.
    pub const fn texts(form: Form) -> Self {
        Self::Texts(List {
            form,
            filled: false,
            unique: false,
        })
    }

    /// A list of texts of which each stands there once.
    pub const fn names(form: Form) -> Self {
        Self::Texts(List {
            form,
            filled: false,
            unique: true,
        })
    }

    /// The same, with at least one.
    pub const fn some_names(form: Form) -> Self {
        Self::Texts(List {
            form,
            filled: true,
            unique: true,
        })
    }

    /// The shape of the tables below.
    pub fn shape(self) -> Option<&'static Shape> {
        match self {
            Self::Table(shape) | Self::Tables(shape) | Self::Headers(shape) => Some(shape),
            _ => None,
        }
    }
}
