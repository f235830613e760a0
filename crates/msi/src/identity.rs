//! Identity of a package, from its table `Property`.

use std::io::{Read, Seek};

use rollup_names::{Escaped, Version};
use schemars::JsonSchema;
use serde::Serialize;

use super::InstallerError;
use super::database::Database;

/// Identity of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the product: never empty, otherwise any text that the vendor chose.
    pub product: String,
    pub version: Version,
    /// GUID of this version of the product, in braces.
    pub product_code: String,
    /// GUID that all versions of the product share, in braces.
    pub upgrade_code: Option<String>,
    pub manufacturer: Option<String>,
}

/// Properties that identify a package, as they are written; blank ones are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Properties {
    /// Name of the product.
    pub product: Option<String>,
    /// Version of the product.
    pub version: Option<String>,
    /// GUID of this version of the product.
    pub product_code: Option<String>,
    /// GUID that all versions of the product share.
    pub upgrade_code: Option<String>,
    pub manufacturer: Option<String>,
    /// Level up to which features are installed.
    #[serde(skip)]
    pub(super) install_level: Option<String>,
}

const TABLE: &str = "Property";

impl Properties {
    pub(super) fn read<R: Read + Seek>(
        database: &Database,
        compound: &mut cfb::CompoundFile<R>,
    ) -> Result<Self, InstallerError> {
        let table = database.table(compound, TABLE, ["Property", "Value"])?;
        let mut properties = Self::default();
        for row in table.rows() {
            let name = row.key(0)?;
            if name == "Manufacturer" {
                properties.manufacturer = row.text_for_people(1);
                continue;
            }
            let property = match name.as_str() {
                "ProductName" => &mut properties.product,
                "ProductVersion" => &mut properties.version,
                "ProductCode" => &mut properties.product_code,
                "UpgradeCode" => &mut properties.upgrade_code,
                "INSTALLLEVEL" => &mut properties.install_level,
                _ => continue,
            };
            *property = row.text(1)?.filter(|value| !value.trim().is_empty());
        }
        Ok(properties)
    }

    /// Returns the identity, if every property that it needs is there and valid. Adds a note on a
    /// version that is valid only in part.
    pub(super) fn identity(&self, notes: &mut Vec<String>) -> Result<Identity, InstallerError> {
        let required = |name: &str, value: &Option<String>| {
            let missing = || InstallerError::damaged_table(TABLE, format!("it has no `{name}`"));
            value.clone().ok_or_else(missing)
        };
        let product = required("ProductName", &self.product)?;
        let version = leading_version(&required("ProductVersion", &self.version)?, notes)?;
        let product_code = required("ProductCode", &self.product_code)?;
        for code in self.upgrade_code.iter().chain([&product_code]) {
            check_guid(code)?;
        }
        Ok(Identity {
            product,
            version,
            product_code,
            upgrade_code: self.upgrade_code.clone(),
            manufacturer: self.manufacturer.clone(),
        })
    }

    /// Returns the level up to which features are installed, which is 1 by default.
    pub(super) fn install_level(&self) -> i32 {
        let level = self.install_level.as_deref();
        level
            .and_then(|level| level.trim().parse().ok())
            .unwrap_or(1)
    }
}

/// Returns the numbers with which a version begins: Windows Installer reads no further.
fn leading_version(text: &str, notes: &mut Vec<String>) -> Result<Version, InstallerError> {
    if let Ok(version) = text.trim().parse() {
        return Ok(version);
    }
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let numbers = text.trim().split(|c| !is_number(c)).next();
    let version = numbers.and_then(|numbers| numbers.trim_end_matches('.').parse().ok());
    let version: Version = version.ok_or_else(|| {
        let reason = format!(
            "its `ProductVersion` is `{}`, which has no number",
            Escaped(text)
        );
        InstallerError::not_accepted(format!("the table `{TABLE}`"), reason)
    })?;
    notes.push(format!(
        "`ProductVersion` is `{}`, of which only {version} is a version",
        Escaped(text)
    ));
    Ok(version)
}

fn check_guid(code: &str) -> Result<(), InstallerError> {
    let inner = code
        .strip_prefix('{')
        .and_then(|code| code.strip_suffix('}'));
    let is_guid =
        inner.is_some_and(|inner| inner.len() == 36 && uuid::Uuid::try_parse(inner).is_ok());
    if is_guid {
        return Ok(());
    }
    Err(InstallerError::damaged_table(
        TABLE,
        format!("`{}` is not a GUID", Escaped(code)),
    ))
}
