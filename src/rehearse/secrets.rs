//! Secrets of a deployment, none of which gets into a lab.
//!
//! A lab is shown to people who may not know them, and is kept. So its `deployment.toml` has a fixed
//! text for every secret, its records have none, and files with secrets are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use toml_edit::{DocumentMut, Item, value};

use super::LabError;
use crate::deployment::description::{Description, ItemId, ItemKind};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::parameters::{SecretSource, StoredParameter};
use crate::deployment::records::{LONGEST_RECORD, ProcedureRecord};
use crate::document::Source;
use crate::names::{CaseFolded, RelPath};

/// Name of the description, at the root of a deployment.
pub(super) const DESCRIPTION: &str = "deployment.toml";

/// Value of every secret in a lab.
const REHEARSED: &str = "rehearsed";

/// Returns the text of a `deployment.toml` with a fixed text in place of each secret.
pub(super) fn without_secrets(text: &str, description: &Description) -> Result<String, LabError> {
    let mut document: DocumentMut = text
        .trim_start_matches('\u{feff}')
        .parse()
        .map_err(|_| LabError::Secrets)?;
    let Some(procedures) = document.get_mut("parameters") else {
        return Ok(text.to_owned());
    };
    let Some(procedures) = procedures.as_table_like_mut() else {
        return Err(LabError::Secrets);
    };
    let mut has_secrets = false;
    for (key, parameters) in procedures.iter_mut() {
        let procedure = description.item(key.get()).ok_or(LabError::Secrets)?;
        let ItemKind::Procedure {
            parameters: stored, ..
        } = &description[procedure].kind
        else {
            return Err(LabError::Secrets);
        };
        for (name, stored) in stored {
            if matches!(stored, StoredParameter::Secret(_)) {
                has_secrets = true;
                replace(parameters, name);
            }
        }
    }
    Ok(if has_secrets {
        document.to_string()
    } else {
        text.to_owned()
    })
}

/// Replaces a parameter of a procedure, if the table has it.
fn replace(parameters: &mut Item, name: &str) {
    if let Some(table) = parameters.as_table_mut()
        && table.contains_key(name)
    {
        // It may have been only the path of `[parameters.PROCEDURE.NAME]`.
        table.set_implicit(false);
        table.insert(name, value(REHEARSED));
    } else if let Some(table) = parameters.as_inline_table_mut()
        && table.contains_key(name)
    {
        table.insert(name, REHEARSED.into());
    }
}

/// Files of a deployment that hold secrets.
pub(super) struct SecretFiles<'d> {
    description: &'d Description,
    /// Records of procedures.
    records: BTreeMap<CaseFolded, ItemId>,
    /// Device and inode of each file that is the place of a secret.
    places: BTreeSet<(u64, u64)>,
}

impl<'d> SecretFiles<'d> {
    /// Finds the files of a deployment.
    pub(super) fn of(description: &'d Description, deployment: &Path) -> Self {
        let instances = description.all_instances();
        let procedures = instances.filter(|instance| description[instance.item].is_procedure());
        let records = procedures.map(|instance| {
            let directory = description.directory(instance);
            (ItemDir(&directory).record().case_folded(), instance.item)
        });
        let mut places = BTreeSet::new();
        for item in &description.items {
            let ItemKind::Procedure { parameters, .. } = &item.kind else {
                continue;
            };
            for stored in parameters.values() {
                let path = match stored {
                    StoredParameter::Secret(SecretSource::DeploymentFile(path)) => {
                        deployment.join(path.to_path())
                    }
                    StoredParameter::Secret(SecretSource::MachineFile(path)) => path.clone(),
                    _ => continue,
                };
                // A file that does not exist is not copied either.
                places.extend(
                    path.metadata()
                        .map(|metadata| (metadata.dev(), metadata.ino())),
                );
            }
        }
        Self {
            description,
            records: records.collect(),
            places,
        }
    }

    /// Returns whether a file is the place of a secret.
    pub(super) fn is_place(&self, file: &Metadata) -> bool {
        self.places.contains(&(file.dev(), file.ino()))
    }

    /// Returns the contents without secrets of a file that may have some; `None` for any other file.
    pub(super) fn rewritten(&self, below: &Path, file: &File) -> io::Result<Option<String>> {
        if below == Path::new(DESCRIPTION) {
            let text = text(file, Source::LARGEST as u64)?;
            let rewritten = without_secrets(&text, self.description);
            return rewritten.map(Some).map_err(io::Error::other);
        }
        let path = below.to_str().and_then(|path| RelPath::parse(path).ok());
        let Some(item) = path.and_then(|path| self.records.get(&path.case_folded())) else {
            return Ok(None);
        };
        let text = text(file, LONGEST_RECORD)?;
        let mut record = ProcedureRecord::parse(&text).map_err(io::Error::other)?;
        self.description[*item].hide_secrets(&mut record.parameters);
        Ok(Some(record.to_toml()))
    }
}

fn text(file: &File, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    file.take(limit).read_to_string(&mut text)?;
    Ok(text)
}
