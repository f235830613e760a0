//! Names for random deployments and manifests, plain ones first: a failure that does not need an
//! odd name shrinks to a plain one.

/// Item with a built package: its name, its installer and the product in it. Texts in packages are
/// in code page 1252; the others need not be.
pub(super) struct StockItem {
    pub(super) name: &'static str,
    pub(super) installer: &'static str,
    pub(super) product: &'static str,
}

const fn stock_item(
    name: &'static str,
    installer: &'static str,
    product: &'static str,
) -> StockItem {
    StockItem {
        name,
        installer,
        product,
    }
}

pub(super) const ITEMS: &[StockItem] = &[
    stock_item("Provider", "Provider.msi", "Provider"),
    stock_item("Site", "Site.msi", "Site"),
    stock_item("Name space", "Name space.msi", "Name space"),
    stock_item("It's `quoted` “twice”", "it's.MSI", "It's `quoted`"),
    stock_item("Überblick & Söhne", "Überblick.msi", "Überblick & Söhne"),
    stock_item(".hidden", ".hidden.msi", ".hidden product"),
    // One letter, and a letter with a mark behind it: two names.
    stock_item("é", "one.msi", "é"),
    stock_item("e\u{301}", "two.msi", "Two"),
    // Two names: the upper case of `ß` is longer than one character.
    stock_item("straße", "straße.msi", "straße"),
    stock_item("STRASSE", "STRASSE.msi", "STRASSE"),
    stock_item("日本 😀", "Emoji.msi", "Emoji"),
    stock_item(LONG, "Long.msi", "Long"),
];

/// Name of the greatest length, less the bytes that its spelling in another case may add.
const LONG: &str = concat!(
    "A name of many words that goes on and on and on and on and on and on and on and on and on and on and on ",
    "and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on ",
    "until it ends here"
);

/// Packages that steps run; their products are named like them, with their directories.
pub(super) const PROGRAMS: &[&str] = &["Tool.msi", "x64/Hot fix Ü.msi", "STRASSE 2.msi"];

/// Packages that rollup cannot open, with their size in the first payload, and true if the second
/// has one byte more.
pub(super) const OPAQUE: &[(&str, u64, bool)] = &[
    ("Hotfix.exe", 2_000, true),
    ("Fix/Flicken Ü.EXE", 1_500, false),
    ("kb1.msu", 900, true),
];

/// Directories that steps name for such packages. One is that of another package; none is that of a
/// product, which is of another kind.
pub(super) const OPAQUE_DIRECTORIES: &[&str] = &["Hotfix 7", "hotfix.EXE", "straße 2"];

/// Arguments of such packages.
pub(super) const ARGUMENTS: &[&str] = &["/quiet", "/quiet /norestart"];

/// Files without a format, with their size in the first payload; the second has one byte more.
pub(super) const PLAIN: &[(&str, u64)] = &[
    ("Tool.txt", 100),
    ("Ünï/empty", 0),
    ("Daten/日本/Über uns 😀.dat", 5_000),
];

pub(super) const SHARES: &[&str] = &["Share", "MSI Share é"];
pub(super) const ROLES: &[&str] = &["engine", "web", "x 64"];
pub(super) const SERVERS: &[&str] = &["S1", "server-2", "Sörver 3"];
pub(super) const SERVICES: &[&str] = &["Engine", "W3 Ünit", "engine.2"];
pub(super) const GROUPS: &[&str] = &["Group", "Group/Below", "Other group", "Überall/日本"];
pub(super) const PROCEDURES: &[&str] = &["Prepare", "Ïnitialize it"];

/// Target directories of a copy step, below a server's files.
pub(super) const TARGETS: &[&str] = &[".", "tools", "tools/new", "TOOLS/NEW/deep", "Ünï/x"];

/// Names of unmanaged files, some of them in unmanaged directories.
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

/// Names of unmanaged empty directories.
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
