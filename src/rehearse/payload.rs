//! Payload of a rehearsal, built as the file table documents it, without any file of a vendor.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::lab_writer::{BuiltFile, BuiltTree, LabWriter};
use super::{LabError, disk};
use crate::deployment::description::{Description, ItemKind};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::ItemRecord;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::installer::{Recipe, build_package, build_patch, build_program, build_update};
use crate::manifest::{FileTable, Manifest, PayloadFile};
use crate::names::{CaseFolded, Digest, FileName, PayloadPath, RelPath, Version};

/// Version of every new package whose row documents none.
const NEW_VERSION: &str = "4.0.300";
/// Version of every package of the state before.
pub(super) const OLD_VERSION: &str = "4.0.200";
/// Time of files that document none, in seconds since 1970: the first day of 2008.
pub(super) const SOME_TIME: i64 = 1_199_145_600;

/// Builds the payload of a manifest in a directory that does not exist yet.
pub fn build(
    manifest: &Manifest,
    description: &Description,
    directory: &Path,
) -> Result<(), LabError> {
    let payload = contents(manifest, description, &mut InstalledVersions::default())?;
    fs::create_dir_all(directory).map_err(disk("create the directory", directory))?;
    LabWriter::at(directory)?.tree(Path::new(""), &payload)
}

/// Newest version that is installed from each installer, or was built for an earlier rollup, by its
/// case-folded name.
#[derive(Debug, Default)]
pub(super) struct InstalledVersions(BTreeMap<CaseFolded, Version>);

impl InstalledVersions {
    /// Reads the versions of a deployment. Records that cannot be read count for nothing here: the
    /// plan refuses them.
    pub(super) fn read(deployment: &Path) -> Self {
        let mut versions = Self::default();
        let walk = WalkDir::new(deployment).into_iter();
        let walk = walk.filter_entry(|entry| entry.file_name() != ROLLUP_DIR.name());
        for entry in walk.filter_map(Result::ok) {
            if entry.file_name() != ItemDir::RECORD || !entry.file_type().is_file() {
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let record = ItemRecord::parse(&text).ok();
            if let Some(installed) = record.and_then(|record| record.installed)
                && let Some(version) = installed.version
            {
                versions.add(&installed.installer.name, version);
            }
        }
        versions
    }

    /// Adds a version, unless a newer one is known.
    fn add(&mut self, installer: &FileName, version: Version) {
        let newest = self.0.entry(installer.case_folded());
        let newest = newest.or_insert_with(|| version.clone());
        if *newest < version {
            *newest = version;
        }
    }

    /// Returns the version for a new package without a documented one: higher than the installed
    /// one, so that two rollups in a row do not bring the same package.
    fn next(&self, installer: &FileName) -> Version {
        let first: Version = NEW_VERSION.parse().expect("a version");
        match self.0.get(&installer.case_folded()) {
            Some(installed) if *installed >= first => successor(installed).unwrap_or(first),
            _ => first,
        }
    }
}

/// Returns the version with a higher last number, if it has room for one.
fn successor(version: &Version) -> Option<Version> {
    let (before, last) = version.as_str().rsplit_once('.')?;
    let last: u32 = last.parse().ok()?;
    format!("{before}.{}", last.checked_add(1)?).parse().ok()
}

/// Builds every file of the table and compares it with its pin. The versions of new packages are
/// added to the known ones.
pub(super) fn contents(
    manifest: &Manifest,
    description: &Description,
    known: &mut InstalledVersions,
) -> Result<BuiltTree, LabError> {
    let table = manifest.file_table();
    let products = products(&table, description);
    let run_features = |name: &PayloadPath| {
        let features = table.run.get(&name.case_folded());
        features.into_iter().flatten().cloned().collect::<Vec<_>>()
    };
    let mut build = |row: &PayloadFile| {
        let product = products.get(&row.name.case_folded()).copied();
        let file_name = row.name.file_name();
        let modified = row.modified.unwrap_or(SOME_TIME);
        let bytes = match product {
            _ if product.is_some() || row.name.is_msi() => {
                let (product, features) = match product {
                    Some((product, features)) => (product.to_owned(), features.to_vec()),
                    None => (product_of(&row.name), run_features(&row.name)),
                };
                let documented = row.version.as_deref();
                let version = match documented.and_then(|version| version.parse().ok()) {
                    Some(documented) => documented,
                    // A pin is that of the first version.
                    None if row.sha256.is_some() => NEW_VERSION.parse().expect("a version"),
                    None => known.next(&file_name),
                };
                known.add(&file_name, version.clone());
                build_package(&recipe(
                    &file_name, &product, version, row.size, modified, &features,
                ))?
            }
            _ if row.name.has_extension(&["exe"]) => {
                build_program(&file_name, row.size.unwrap_or(64 * 1024))?
            }
            _ if row.name.has_extension(&["msp"]) => {
                build_patch(&file_name, row.size.unwrap_or(64 * 1024))?
            }
            _ if row.name.has_extension(&["msu"]) => {
                build_update(&file_name, row.size.unwrap_or(64 * 1024))
            }
            _ => plain(&row.name, row.size.unwrap_or(1024)),
        };
        let built = Digest::of(&bytes);
        match row.sha256 {
            Some(pinned) if pinned != built => Err(LabError::PinsOfARealPayload {
                name: row.name.clone(),
                pinned,
                built,
            }),
            _ => Ok((
                PathBuf::from(row.name.as_str()),
                Some(BuiltFile {
                    bytes,
                    modified: Some(modified),
                }),
            )),
        }
    };
    manifest.files.iter().map(&mut build).collect()
}

/// Returns the recipe of an installer: a library, its description, and a page to read.
pub(super) fn recipe(
    name: &FileName,
    product: &str,
    version: Version,
    size: Option<u64>,
    modified: i64,
    features: &[String],
) -> Recipe {
    let stem = stem(name);
    let before = version.as_str() == OLD_VERSION;
    let file = |path: String, text: String| {
        (
            RelPath::parse(&path).expect("a plain path"),
            text.into_bytes(),
        )
    };
    let mut files = vec![
        file(
            format!("{stem}.dll"),
            format!("{product} {version}: what the provisioning engine would load\n"),
        ),
        file(
            format!("{stem}.xml"),
            format!(
                "<product name=\"{}\" version=\"{version}\"/>\n",
                product.replace('&', "&amp;").replace('"', "&quot;")
            ),
        ),
        file(
            "Documentation/Release notes.txt".to_owned(),
            format!("{product}, version {version}\n"),
        ),
    ];
    if before {
        // The new version does not have it, so that an update also removes a file.
        files.push(file(
            "Documentation/Known issues.txt".to_owned(),
            format!("{product}: see the next version\n"),
        ));
    }
    for feature in features {
        let text = format!("{product} {version}: the feature {feature}\n");
        files.push(file(format!("{feature}/{feature}.txt"), text));
    }
    Recipe {
        name: name.clone(),
        product: product.to_owned(),
        version,
        size,
        files,
        features: features.to_vec(),
        modified,
    }
}

/// Returns the product and the features of each installer of an item, by the name of its row.
fn products<'d>(
    table: &FileTable<'_>,
    description: &'d Description,
) -> BTreeMap<CaseFolded, (&'d str, &'d [String])> {
    let named = description
        .items
        .iter()
        .filter_map(|item| match &item.kind {
            ItemKind::Component {
                installer,
                product,
                features,
                ..
            } => {
                let row = table.row_of_installer(installer);
                Some((row, (product.as_str(), &features[..])))
            }
            ItemKind::Procedure { .. } => None,
        });
    named.collect()
}

/// Returns the product of an installer of no item, such as `Setup (x64)`: files of one name in
/// several directories are packages of several products.
fn product_of(name: &PayloadPath) -> String {
    let stem = stem(&name.file_name());
    match name.as_rel_path().parent() {
        Some(directory) => format!("{stem} ({})", directory.as_str().replace('/', " ")),
        None => stem,
    }
}

fn stem(name: &FileName) -> String {
    let name = name.as_str();
    name.rsplit_once('.')
        .map_or(name, |(stem, _)| stem)
        .to_owned()
}

/// Returns the contents of a file without a format: its name over and over.
fn plain(name: &PayloadPath, size: u64) -> Vec<u8> {
    let line = format!("{name}\n");
    line.bytes()
        .cycle()
        .take(usize::try_from(size).unwrap_or(usize::MAX))
        .collect()
}
