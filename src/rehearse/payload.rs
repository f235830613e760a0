//! Payload of a rehearsal, built as the file table documents it, without any file of a vendor.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::lab_writer::{BuiltFile, BuiltTree, LabWriter};
use super::{LabError, disk};
use crate::deployment::description::{Description, ItemKind};
use crate::installer::{Recipe, build_package, build_program};
use crate::manifest::{Manifest, PayloadFile};
use crate::names::{Digest, FileName, RelPath, Version};

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
    let payload = contents(manifest, description)?;
    fs::create_dir_all(directory).map_err(disk("create the directory", directory))?;
    LabWriter::at(directory)?.tree(Path::new(""), &payload)
}

/// Builds every file of the table and compares it with its pin.
pub(super) fn contents(
    manifest: &Manifest,
    description: &Description,
) -> Result<BuiltTree, LabError> {
    let products = products(description);
    let build = |row: &PayloadFile| {
        let product = products.get(&row.name.case_folded()).copied();
        let modified = row.modified.unwrap_or(SOME_TIME);
        let bytes = match (
            product,
            row.name.is_msi(),
            row.name.as_str().to_ascii_lowercase().ends_with(".exe"),
        ) {
            (Some(_), _, _) | (None, true, _) => {
                let product = product.map_or_else(|| stem(&row.name), str::to_owned);
                let version = row
                    .version
                    .as_deref()
                    .and_then(|version| version.parse().ok());
                let version = version.unwrap_or_else(|| NEW_VERSION.parse().expect("a version"));
                build_package(&recipe(&row.name, &product, version, row.size, modified))?
            }
            (None, false, true) => build_program(&row.name, row.size.unwrap_or(64 * 1024))?,
            (None, false, false) => plain(&row.name, row.size.unwrap_or(1024)),
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
    manifest.files.iter().map(build).collect()
}

/// Returns the recipe of an installer: a library, its description, and a page to read.
pub(super) fn recipe(
    name: &FileName,
    product: &str,
    version: Version,
    size: Option<u64>,
    modified: i64,
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
    Recipe {
        name: name.clone(),
        product: product.to_owned(),
        version,
        size,
        files,
        modified,
    }
}

fn products(description: &Description) -> BTreeMap<crate::names::CaseFolded, &str> {
    let named = description
        .items
        .iter()
        .filter_map(|item| match &item.kind {
            ItemKind::Component {
                installer, product, ..
            } => Some((installer.case_folded(), product.as_str())),
            ItemKind::Procedure { .. } => None,
        });
    named.collect()
}

fn stem(name: &FileName) -> String {
    let name = name.as_str();
    name.rsplit_once('.')
        .map_or(name, |(stem, _)| stem)
        .to_owned()
}

/// Returns the contents of a file without a format: its name over and over.
fn plain(name: &FileName, size: u64) -> Vec<u8> {
    let line = format!("{name}\n");
    line.bytes()
        .cycle()
        .take(usize::try_from(size).unwrap_or(usize::MAX))
        .collect()
}
