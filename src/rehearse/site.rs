//! Building a deployment in its state before the rollup: older packages installed, files and all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Write};
use std::path::Path;

use super::payload::{OLD_VERSION, SOME_TIME, recipe, write_file};
use super::{LabError, disk};
use crate::deployment::description::{Description, Item, ItemKind};
use crate::deployment::records::{FileRecord, Installed, InstallerRecord, ItemRecord, ProcedureRecord, ServiceRecord};
use crate::installer::{self, Contents, FileHashes, Installer, NothingBeside, PackagedFile, Sink, build_package};
use crate::names::{Digest, FileName};

/// Builds the tree of a description: every item installed but those that its `[rehearsal]` names.
///
/// # Errors
///
/// [`LabError::Build`] where a name of the description cannot stand in a package, [`LabError::Disk`]
/// where the disk refuses.
pub fn build(description: &Description, text: &str, folder: &Path) -> Result<(), LabError> {
    let site = Site { description, folder };
    site.folder_at("")?;
    site.text("deployment.toml", text)?;
    let share = site.folder_at(description.share.as_str())?;
    for server in &description.servers {
        for name in ["Services", "Files", "Programs"] {
            site.folder_at(&format!("Servers/{}/{name}", server.name))?;
        }
    }
    for (service, server) in description.all_services() {
        let file = description.service_file(service, server);
        site.text(file.as_str(), &ServiceRecord::default().to_toml())?;
    }
    for (at, item) in description.items.iter().enumerate() {
        match &item.kind {
            ItemKind::Component { .. } => site.component(at, item, &share)?,
            ItemKind::Procedure { parameters, .. } => site.procedure(at, parameters)?,
        }
    }
    Ok(())
}

struct Site<'a> {
    description: &'a Description,
    folder: &'a Path,
}

impl Site<'_> {
    fn folder_at(&self, below: &str) -> Result<std::path::PathBuf, LabError> {
        let at = if below.is_empty() { self.folder.to_owned() } else { self.folder.join(below) };
        fs::create_dir_all(&at).map_err(disk("make the folder", &at))?;
        Ok(at)
    }

    fn text(&self, below: &str, text: &str) -> Result<(), LabError> {
        let at = self.folder.join(below);
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent).map_err(disk("make the folder", parent))?;
        }
        fs::write(&at, text).map_err(disk("write", &at))
    }

    /// Puts the old package into the share, and installs it where the item was installed before.
    fn component(&self, at: usize, item: &Item, share: &Path) -> Result<(), LabError> {
        let ItemKind::Component { installer, product, .. } = &item.kind else { return Ok(()) };
        let version = OLD_VERSION.parse().expect("a version");
        let package = build_package(&recipe(installer, product, version, None, SOME_TIME))?;
        write_file(&share.join(installer.as_str()), &package, SOME_TIME)?;
        let item = crate::deployment::description::ItemId(at);
        if self.description.rehearsal_not_installed.contains(&item) {
            return Ok(());
        }
        let contents = installer::contents(Cursor::new(&package), &mut NothingBeside).expect("a package just built");
        let record = record(&contents, installer, &package);
        for instance in self.description.instances(item) {
            let folder = self.description.folder(instance);
            self.text(&format!("{folder}/state.toml"), &record.to_toml())?;
            let files = self.folder_at(&format!("{folder}/files"))?;
            lay_down(&package, &files)?;
        }
        Ok(())
    }

    fn procedure(&self, at: usize, parameters: &BTreeMap<String, String>) -> Result<(), LabError> {
        let item = crate::deployment::description::ItemId(at);
        if self.description.rehearsal_not_installed.contains(&item) {
            return Ok(());
        }
        for instance in self.description.instances(item) {
            let record = ProcedureRecord::ran(None, parameters.clone());
            self.text(&format!("{}/state.toml", self.description.folder(instance)), &record.to_toml())?;
        }
        Ok(())
    }
}

fn record(contents: &Contents, installer: &FileName, package: &[u8]) -> ItemRecord {
    let file =
        |file: &installer::UnpackedFile| (file.path.clone(), FileRecord { size: file.size, sha256: file.sha256 });
    let installed = Installed {
        product: contents.identity.product.clone(),
        version: contents.identity.version.clone(),
        product_code: contents.identity.product_code.clone(),
        upgrade_code: contents.identity.upgrade_code.clone(),
        installer: InstallerRecord { name: installer.clone(), sha256: Digest::of(package) },
        files: contents.files.iter().map(file).collect(),
    };
    ItemRecord::installed(None, installed)
}

fn lay_down(package: &[u8], folder: &Path) -> Result<(), LabError> {
    let unpacked = Installer::open(Cursor::new(package))
        .and_then(|mut installer| installer.unpack(&mut NothingBeside, &mut IntoFolder(folder), FileHashes::Compare));
    unpacked.map_err(|error| disk("unpack a package into", folder)(io::Error::other(error)))
}

/// Writes the files of a package below a folder.
struct IntoFolder<'a>(&'a Path);

impl Sink for IntoFolder<'_> {
    fn file<'a>(&'a mut self, file: &PackagedFile, _modified: Option<i64>) -> io::Result<Box<dyn Write + 'a>> {
        let at = self.0.join(file.path.to_path());
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(Box::new(fs::File::create(at)?))
    }
}
