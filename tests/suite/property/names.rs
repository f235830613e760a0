//! The names that random deployments and manifests are made of, plain ones first: what fails with
//! odd names and with plain ones alike shrinks to plain ones.

/// An item as it is stocked: its name, its installer and the product in it. What stands in packages
/// is of code page 1252; the rest need not be.
pub(super) struct Stocked {
    pub(super) name: &'static str,
    pub(super) installer: &'static str,
    pub(super) product: &'static str,
}

const fn stocked(name: &'static str, installer: &'static str, product: &'static str) -> Stocked {
    Stocked {
        name,
        installer,
        product,
    }
}

pub(super) const ITEMS: &[Stocked] = &[
    stocked("Provider", "Provider.msi", "Provider"),
    stocked("Site", "Site.msi", "Site"),
    stocked("Name space", "Name space.msi", "Name space"),
    stocked("It's `quoted` “twice”", "it's.MSI", "It's `quoted`"),
    stocked("Überblick & Söhne", "Überblick.msi", "Überblick & Söhne"),
    stocked(".hidden", ".hidden.msi", ".hidden product"),
    // One letter, and a letter with a mark behind it: two names.
    stocked("é", "one.msi", "é"),
    stocked("e\u{301}", "two.msi", "Two"),
    // No spellings of one name: the upper case of `ß` is longer than one character.
    stocked("straße", "straße.msi", "straße"),
    stocked("STRASSE", "STRASSE.msi", "STRASSE"),
    stocked("日本 😀", "Emoji.msi", "Emoji"),
    stocked(LONG, "Long.msi", "Long"),
];

/// As long as a name may be, less what its spelling in another case may add in bytes.
const LONG: &str = concat!(
    "A name of many words that goes on and on and on and on and on and on and on and on and on and on and on ",
    "and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on ",
    "until it ends here"
);

/// Packages that steps run; their products are named like them.
pub(super) const PROGRAMS: &[&str] = &["Tool.msi", "Hot fix Ü.msi", "STRASSE 2.msi"];

/// Files without a format, with their size in the first payload; the second has one byte more.
pub(super) const PLAIN: &[(&str, u64)] =
    &[("Tool.txt", 100), ("empty", 0), ("Über uns 😀.dat", 5_000)];

pub(super) const SHARES: &[&str] = &["Share", "MSI Share é"];
pub(super) const ROLES: &[&str] = &["engine", "web", "x 64"];
pub(super) const SERVERS: &[&str] = &["S1", "server-2", "Sörver 3"];
pub(super) const SERVICES: &[&str] = &["Engine", "W3 Ünit", "engine.2"];
pub(super) const GROUPS: &[&str] = &["Group", "Group/Below", "Other group", "Überall/日本"];
pub(super) const PROCEDURES: &[&str] = &["Prepare", "Ïnitialize it"];

/// Where a step copies to below a server's files.
pub(super) const TARGETS: &[&str] = &[".", "tools", "tools/new", "TOOLS/NEW/deep", "Ünï/x"];

/// What an operator calls his files, some of them in directories of his own.
pub(super) const FILES: &[&str] = &[
    "notes.txt",
    "own/notes.txt",
    "own/deep/er/notes.txt",
    "OWN/second.txt",
    ".hidden",
    "a b  c'\"$&;.txt",
    "line\nbreak.txt",
    "Überblick – 日本.txt",
    "é.txt",
    "e\u{301}.txt",
    "straße",
    "STRASSE",
    "\u{212a}elvin \u{131}\u{130}",
    "😀/😀",
    "new",
    "old",
    "files/new",
    "NUL",
    "trailing. ",
    "back\\slash:*?",
    "-rf",
    "state.toml.bak",
    LONG,
];

/// What he calls his empty directories.
pub(super) const DIRECTORIES: &[&str] = &[
    "empty",
    "own/empty",
    "own",
    "Leer ü",
    "files/own",
    "new",
    "old",
    ".rollup",
];
