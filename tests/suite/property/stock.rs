//! Packages for all random cases, built once, because building them takes most of the time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Manifest};
use rollup::payload::Payload;
use rollup::rehearse::{build_payload, build_site};
use walkdir::WalkDir;

use super::names::{ITEMS, OPAQUE, PLAIN, PROGRAMS, StockItem};

use crate::temporary::temporary;

/// Number of rollups with payloads.
pub(super) const ROLLUPS: usize = 2;

/// Built packages and payloads, in memory.
pub(super) struct Stock {
    /// By position in [`ITEMS`].
    pub(super) items: Vec<InstalledItem>,
    /// By rollup: names and bytes.
    payloads: Vec<Vec<(PathBuf, Vec<u8>)>>,
}

/// Installed item of the state before.
pub(super) struct InstalledItem {
    pub(super) package: Vec<u8>,
    pub(super) record: String,
    /// By path below `files`.
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
}

/// Returns the version of a rollup's packages; higher for each.
pub(super) fn version(rollup: usize) -> String {
    format!("4.0.{}00", rollup + 2)
}

/// Returns the stock of this process.
pub(super) fn stock() -> &'static Stock {
    static STOCK: OnceLock<Stock> = OnceLock::new();
    STOCK.get_or_init(Stock::build)
}

/// Parses a `deployment.toml`, or returns its errors.
pub(super) fn description(text: &str) -> Result<Description, String> {
    let mut findings = Findings::default();
    let description = describe::parse(&Source::new("deployment.toml", text), &mut findings);
    description.ok_or_else(|| format!("{findings:#?}"))
}

/// Parses a manifest, or returns its errors.
pub(super) fn manifest(text: &str) -> Result<Manifest, String> {
    let mut findings = Findings::default();
    let manifest = manifest::parse(&Source::new("manifest.toml", text), &mut findings);
    manifest.ok_or_else(|| format!("{findings:#?}"))
}

impl Stock {
    fn build() -> Self {
        let directory = temporary();
        let site = directory.path().join("site");
        let text = site_of_all();
        let description = description(&text).expect("no errors");
        build_site(&description, &text, &site).expect("a site that can be built");
        let read = |at: PathBuf| fs::read(at).expect("it was just built");
        let item = |stock_item: &StockItem| {
            let at = site.join("All").join(stock_item.name);
            InstalledItem {
                package: read(site.join("Share").join(stock_item.installer)),
                record: String::from_utf8(read(at.join("state.toml"))).expect("records are text"),
                files: files_below(&at.join("files")),
            }
        };
        let payload = |rollup| {
            let at = directory.path().join(format!("payload {rollup}"));
            let manifest = manifest(&payload_of_all(rollup)).expect("no errors");
            build_payload(&manifest, &description, &at).expect("a payload that can be built");
            files_below(&at)
        };
        Self {
            items: ITEMS.iter().map(item).collect(),
            payloads: (1..=ROLLUPS).map(payload).collect(),
        }
    }

    /// Writes the payloads below a directory. Files that a manifest does not list are of no
    /// interest to it, so all cases share them.
    pub(super) fn payloads(&self, directory: &Path) -> Vec<Payload> {
        let write = |(at, files): (usize, &Vec<(PathBuf, Vec<u8>)>)| {
            let directory = directory.join(at.to_string());
            fs::create_dir(&directory).expect("a new directory");
            for (name, bytes) in files {
                let at = directory.join(name);
                fs::create_dir_all(at.parent().expect("it has a parent")).expect("made");
                fs::write(at, bytes).expect("a plain name");
            }
            Payload::open(&directory).expect("it was just written")
        };
        self.payloads.iter().enumerate().map(write).collect()
    }
}

fn site_of_all() -> String {
    let item = |StockItem {
                    name,
                    installer,
                    product,
                }: &StockItem| {
        format!(
            "[[groups.items]]\nname = \"{name}\"\ninstaller = \"{installer}\"\nproduct = \"{product}\"\n"
        )
    };
    let items: String = ITEMS.iter().map(item).collect();
    format!(
        "schema = 1\nname = \"all\"\nproduct = \"P\"\nproduct_version = \"1\"\nshare = \"Share\"\n\
         roles = [{{ name = \"one\" }}]\nservers = [{{ name = \"S1\", roles = [\"one\"] }}]\n\
         [[groups]]\npath = \"All\"\n{items}"
    )
}

fn payload_of_all(rollup: usize) -> String {
    let version = version(rollup);
    let packages = ITEMS
        .iter()
        .map(|item| item.installer)
        .chain(PROGRAMS.iter().copied());
    let packages =
        packages.map(|name| format!("  {{ name = \"{name}\", version = \"{version}\" }},\n"));
    let plain = |&(name, size): &(&str, u64)| {
        let size = size + rollup as u64 - 1;
        format!("  {{ name = \"{name}\", size = {size} }},\n")
    };
    let opaque = |&(name, size, grows): &(&str, u64, bool)| {
        let size = size + if grows { rollup as u64 - 1 } else { 0 };
        format!("  {{ name = \"{name}\", size = {size} }},\n")
    };
    let rows: String = packages
        .chain(PLAIN.iter().map(plain))
        .chain(OPAQUE.iter().map(opaque))
        .collect();
    format!(
        "schema = 1\n[rollup]\nkb = \"KB1\"\ntitle = \"all\"\nproduct = \"P\"\nproduct_versions = [\"1\"]\n\
         [[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\nothers = true\n\
         [payload]\nfiles = [\n{rows}]\n"
    )
}

/// Reads every file below a directory, by its path there.
fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("it can be listed"));
    let files = entries.filter(|entry| entry.file_type().is_file());
    let read = |entry: walkdir::DirEntry| {
        let below = entry
            .path()
            .strip_prefix(directory)
            .expect("it is below the directory")
            .to_owned();
        (below, fs::read(entry.path()).expect("it can be read"))
    };
    files.map(read).collect()
}
