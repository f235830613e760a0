//! Plan of a package: its files and directories, with their keys in the tables.

use std::collections::BTreeMap;

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use uuid::Uuid;

use super::noise::noise;
use super::{BuildError, Recipe};
use rollup_names::{CaseFolded, FileName, RelPath, Version};

/// Maximum number of files: the sequence of a file has 15 bits.
const MAX_FILES: usize = 32_767;
/// Maximum number of bytes of all files, well below the limits of the formats.
const MAX_BYTES: u64 = 1 << 30;

pub(super) struct PackagePlan<'a> {
    pub(super) name: &'a FileName,
    pub(super) product: &'a str,
    pub(super) version: &'a Version,
    pub(super) product_code: String,
    pub(super) upgrade_code: String,
    /// Identifier of this package; a package of another size has another identifier.
    pub(super) package_code: Uuid,
    /// Directory of the product and those below it, parents first.
    pub(super) directories: Vec<PlannedDirectory>,
    /// In the order of the cabinet.
    pub(super) files: Vec<PlannedFile<'a>>,
    pub(super) noise: Option<(RelPath, Vec<u8>)>,
    /// Features that are off by default.
    pub(super) features: &'a [String],
    pub(super) modified: Timestamp,
}

pub(super) struct PlannedDirectory {
    pub(super) key: String,
    pub(super) parent: String,
    /// `short|long`, or one name for both.
    pub(super) name: String,
    pub(super) component: String,
    pub(super) component_code: String,
    path: Option<RelPath>,
}

#[derive(Clone)]
pub(super) struct PlannedFile<'a> {
    pub(super) key: String,
    pub(super) component: String,
    /// `short|long`, or one name for both.
    pub(super) name: String,
    pub(super) bytes: &'a [u8],
}

/// Key of the product's directory.
pub(super) const PRODUCT_DIRECTORY: &str = "INSTALLDIR";

impl<'a> PackagePlan<'a> {
    pub(super) fn new(recipe: &'a Recipe) -> Result<Self, BuildError> {
        check_name(&recipe.product)?;
        check_paths(recipe)?;
        let modified =
            cabinet_time(recipe.modified).ok_or(BuildError::Modified(recipe.modified))?;
        let version = &recipe.version;
        let mut plan = Self {
            name: &recipe.name,
            product: &recipe.product,
            version,
            product_code: braced(guid(&["product", &recipe.product, version.as_str()])),
            upgrade_code: braced(guid(&["upgrade", &recipe.product])),
            package_code: guid(&[
                "package",
                recipe.name.as_str(),
                version.as_str(),
                &format!("{:?}", recipe.size),
            ]),
            directories: Vec::new(),
            files: Vec::new(),
            noise: None,
            features: &recipe.features,
            modified,
        };
        plan.add_directory(None, "", short_and_long(&recipe.product, 'D', 0));
        for (path, bytes) in &recipe.files {
            plan.add_file(path, bytes);
        }
        let total: u64 = recipe
            .files
            .iter()
            .map(|(_, bytes)| bytes.len() as u64)
            .sum();
        match plan.files.len() < MAX_FILES && total.max(recipe.size.unwrap_or(0)) <= MAX_BYTES {
            true => Ok(plan),
            false => Err(BuildError::TooLarge(recipe.name.clone())),
        }
    }

    /// Sets the length of the noise, a file that is named like the package.
    pub(super) fn set_noise(&mut self, recipe: &Recipe, length: u64) -> Result<(), BuildError> {
        let name = recipe.name.as_str();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let file = format!("{stem}.dat");
        check_name(&file)?;
        let path = RelPath::parse(&file).map_err(|_| BuildError::NotEncodable(file))?;
        if recipe
            .files
            .iter()
            .any(|(other, _)| other.parts().next().map(CaseFolded::of) == Some(path.case_folded()))
        {
            return Err(BuildError::Conflict(path));
        }
        self.noise = Some((path, noise(&[name, recipe.version.as_str()], length)));
        Ok(())
    }

    /// Returns the feature of a directory if it is off by default.
    pub(super) fn feature_of(&self, directory: &PlannedDirectory) -> Option<&'a String> {
        let first = directory.path.as_ref()?.parts().next()?;
        self.features.iter().find(|feature| *feature == first)
    }

    /// Returns all files, the noise last.
    pub(super) fn all_files(&self) -> impl Iterator<Item = PlannedFile<'_>> {
        let noise = self
            .noise
            .iter()
            .map(|(path, bytes)| self.file(path, bytes, PRODUCT_DIRECTORY, self.files.len() + 1));
        self.files.iter().cloned().chain(noise)
    }

    fn add_file(&mut self, path: &RelPath, bytes: &'a [u8]) {
        let mut directory = PRODUCT_DIRECTORY.to_owned();
        for ancestor in path.ancestors() {
            let known = self
                .directories
                .iter()
                .find(|directory| directory.path.as_ref() == Some(&ancestor));
            directory = match known {
                Some(known) => known.key.clone(),
                None => {
                    let name = short_and_long(ancestor.name(), 'D', self.directories.len());
                    self.add_directory(Some(ancestor), &directory, name)
                }
            };
        }
        let file = self.file(path, bytes, &directory, self.files.len() + 1);
        self.files.push(file);
    }

    fn file<'b>(
        &self,
        path: &RelPath,
        bytes: &'b [u8],
        directory: &str,
        number: usize,
    ) -> PlannedFile<'b> {
        let component = component_key(directory);
        PlannedFile {
            key: format!("F{number}"),
            component,
            name: short_and_long(path.name(), 'F', number),
            bytes,
        }
    }

    fn add_directory(&mut self, path: Option<RelPath>, parent: &str, name: String) -> String {
        let (key, parent) = match self.directories.len() {
            0 => (
                PRODUCT_DIRECTORY.to_owned(),
                "ProgramFilesFolder".to_owned(),
            ),
            number => (format!("D{number}"), parent.to_owned()),
        };
        let below_product = path.as_ref().map_or("", RelPath::as_str);
        let component_code = braced(guid(&["component", self.product, below_product]));
        let component = component_key(&key);
        self.directories.push(PlannedDirectory {
            key: key.clone(),
            parent,
            name,
            component,
            component_code,
            path,
        });
        key
    }
}

fn component_key(directory: &str) -> String {
    format!("C_{directory}")
}

fn check_paths(recipe: &Recipe) -> Result<(), BuildError> {
    // Each path in its spelling, and true for a file; only directories may be repeated.
    let mut known: BTreeMap<CaseFolded, (RelPath, bool)> = BTreeMap::new();
    for (path, _) in &recipe.files {
        path.parts().try_for_each(check_name)?;
        let directories = path.ancestors().map(|directory| (directory, false));
        for entry in directories.chain([(path.clone(), true)]) {
            match known.get(&entry.0.case_folded()) {
                Some(other) if *other != entry || entry.1 => {
                    return Err(BuildError::Conflict(path.clone()));
                }
                Some(_) => {}
                None => drop(known.insert(entry.0.case_folded(), entry)),
            }
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), BuildError> {
    FileName::parse(name).map_err(|source| BuildError::Name {
        name: name.to_owned(),
        source,
    })?;
    let (_, _, lossy) = encoding_rs::WINDOWS_1252.encode(name);
    if lossy {
        Err(BuildError::NotEncodable(name.to_owned()))
    } else {
        Ok(())
    }
}

/// Returns the time rounded down to even seconds, if cabinets can store it.
fn cabinet_time(modified: i64) -> Option<Timestamp> {
    let time = Timestamp::from_second(modified - modified.rem_euclid(2)).ok()?;
    let year = time.to_zoned(jiff::tz::TimeZone::UTC).year();
    (1980..=2107).contains(&year).then_some(time)
}

/// Returns a GUID that is always the same for the same texts.
///
/// It is `Uuid::new_v3` of the namespace of URLs, without the older library of MD5 that `uuid` has
/// for it.
fn guid(texts: &[&str]) -> Uuid {
    let hash = Md5::new()
        .chain_update(Uuid::NAMESPACE_URL)
        .chain_update(format!("rollup:rehearsal:{}", texts.join("\n")))
        .finalize();
    uuid::Builder::from_md5_bytes(hash.into()).into_uuid()
}

fn braced(guid: Uuid) -> String {
    guid.braced().to_string().to_uppercase()
}

/// Returns `short|long` if the name is longer than a short name: eight characters, a dot, three.
fn short_and_long(name: &str, letter: char, number: usize) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    if (1..=8).contains(&stem.len()) && extension.len() <= 3 && plain(stem) && plain(extension) {
        return name.to_owned();
    }
    let short: String = extension
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(3)
        .collect();
    let dot = if short.is_empty() { "" } else { "." };
    format!(
        "{letter}{number:05}{dot}{}|{name}",
        short.to_ascii_uppercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_the_name_based_one_of_its_texts() {
        assert_eq!(
            braced(guid(&["a", "b"])),
            "{C1DE16BF-1BA2-3E60-8261-4963CB341E69}"
        );
    }

    #[test]
    fn only_long_names_get_a_short_one() {
        assert_eq!(short_and_long("a.txt", 'F', 1), "a.txt");
        assert_eq!(short_and_long("Provider.dll", 'F', 2), "Provider.dll");
        assert_eq!(
            short_and_long("Provider.dll.config", 'F', 3),
            "F00003.CON|Provider.dll.config"
        );
        assert_eq!(
            short_and_long("Exchange 2007", 'D', 4),
            "D00004|Exchange 2007"
        );
        assert_eq!(short_and_long(".hidden", 'F', 5), "F00005.HID|.hidden");
    }
}
