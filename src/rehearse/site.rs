//! Deployment of a rehearsal in its state before the rollup: older packages installed, with all
//! their files.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use super::lab_writer::{BuiltFile, BuiltTree, LabWriter};
use super::payload::{OLD_VERSION, SOME_TIME, recipe};
use super::secrets::{DESCRIPTION, without_secrets};
use super::{LabError, disk};
use crate::deployment::description::{Description, Item, ItemKind};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::parameters::Parameters;
use crate::deployment::records::{
    FileRecord, Installed, InstallerRecord, ItemRecord, PackageRecord, ProcedureRecord,
    ServiceRecord,
};
use crate::installer::{
    self, Contents, Installer, NoSiblingFiles, PackagedFile, Sink, build_package,
};
use crate::names::{Digest, FileName};

/// Builds the tree of a description in a directory: all items are installed except those that its
/// `[rehearsal]` names.
///
/// # Errors
///
/// [`LabError::Build`] if a name of the description cannot be in a package: then nothing was made.
/// [`LabError::Disk`] for errors of the disk.
pub fn build(description: &Description, text: &str, directory: &Path) -> Result<(), LabError> {
    let site = contents(description, text)?;
    fs::create_dir_all(directory).map_err(disk("create the directory", directory))?;
    LabWriter::at(directory)?.tree(Path::new(""), &site)
}

/// Builds the same tree in memory, so that only the disk can fail afterwards.
pub(super) fn contents(description: &Description, text: &str) -> Result<BuiltTree, LabError> {
    let mut site = SiteBuilder {
        description,
        tree: BuiltTree::new(),
    };
    site.text(DESCRIPTION, &without_secrets(text, description)?);
    let share = site.directory(description.share.as_str());
    for server in &description.servers {
        for name in ["Services", "Files", "Programs"] {
            site.directory(&format!("Servers/{}/{name}", server.name));
        }
    }
    for (service, server) in description.all_services() {
        let file = description.service_file(service, server);
        site.text(file.as_str(), &ServiceRecord::default().to_toml());
    }
    for (at, item) in description.items.iter().enumerate() {
        match &item.kind {
            ItemKind::Component { .. } => site.component(at, item, &share)?,
            ItemKind::Procedure { .. } => site.procedure(at, item.stored_parameters()),
        }
    }
    Ok(site.tree)
}

/// Builder of the tree of a sample deployment, in memory.
struct SiteBuilder<'a> {
    description: &'a Description,
    tree: BuiltTree,
}

impl SiteBuilder<'_> {
    fn directory(&mut self, path: &str) -> PathBuf {
        self.tree.insert(PathBuf::from(path), None);
        PathBuf::from(path)
    }

    fn file(&mut self, path: PathBuf, bytes: Vec<u8>, modified: Option<i64>) {
        self.tree.insert(path, Some(BuiltFile { bytes, modified }));
    }

    fn text(&mut self, path: &str, text: &str) {
        self.file(PathBuf::from(path), text.as_bytes().to_owned(), None);
    }

    /// Adds the old package to the share, and installs it if the item was installed before.
    fn component(&mut self, at: usize, item: &Item, share: &Path) -> Result<(), LabError> {
        let ItemKind::Component {
            installer,
            product,
            features,
            ..
        } = &item.kind
        else {
            return Ok(());
        };
        let version = OLD_VERSION.parse().expect("a version");
        let recipe = recipe(installer, product, version, None, SOME_TIME, features);
        let package = build_package(&recipe)?;
        self.file(
            share.join(installer.as_str()),
            package.clone(),
            Some(SOME_TIME),
        );
        let item = crate::deployment::description::ItemId(at);
        let description = self.description;
        if description.rehearsal_not_installed.contains(&item) {
            return Ok(());
        }
        let contents = installer::contents(Cursor::new(&package), &mut NoSiblingFiles)
            .expect("a package just built");
        let record = record(&contents, installer, features, &package);
        for instance in description.instances(item) {
            let directory = description.directory(instance);
            let directory = ItemDir(&directory);
            self.text(directory.record().as_str(), &record.to_toml());
            let files = self.directory(directory.files().as_str());
            for (path, bytes) in unpacked(&package, &files)? {
                self.file(path, bytes, None);
            }
        }
        Ok(())
    }

    fn procedure(&mut self, at: usize, parameters: Parameters) {
        let item = crate::deployment::description::ItemId(at);
        let description = self.description;
        if description.rehearsal_not_installed.contains(&item) {
            return;
        }
        for instance in description.instances(item) {
            let record = ProcedureRecord::ran(None, parameters.clone());
            let directory = description.directory(instance);
            self.text(ItemDir(&directory).record().as_str(), &record.to_toml());
        }
    }
}

fn record(
    contents: &Contents,
    installer: &FileName,
    features: &[String],
    package: &[u8],
) -> ItemRecord {
    let file = |file: &installer::UnpackedFile| {
        let record = FileRecord {
            size: file.file.size,
            sha256: file.sha256,
        };
        (file.file.path.clone(), record)
    };
    let installed = Installed {
        product: contents.identity.product.clone(),
        version: Some(contents.identity.version.clone()),
        package: PackageRecord::Msi {
            product_code: contents.identity.product_code.clone(),
            upgrade_code: contents.identity.upgrade_code.clone(),
            features: features.to_vec(),
        },
        installer: InstallerRecord {
            name: installer.clone(),
            sha256: Digest::of(package),
        },
        // The package has just the features that the item asks for.
        files: contents.files.iter().map(file).collect(),
    };
    ItemRecord::installed(None, installed)
}

/// Returns the files of a package, below a directory.
fn unpacked(package: &[u8], directory: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, LabError> {
    let mut sink = FilesInMemory {
        directory,
        files: Vec::new(),
    };
    let unpacked = Installer::open(Cursor::new(package))
        .and_then(|mut installer| installer.unpack(&mut NoSiblingFiles, &mut sink));
    unpacked.map_err(|error| disk("unpack a package into", directory)(io::Error::other(error)))?;
    Ok(sink.files)
}

/// Sink that keeps the files of a package, with their paths below a directory.
struct FilesInMemory<'a> {
    directory: &'a Path,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Sink for FilesInMemory<'_> {
    fn file<'a>(
        &'a mut self,
        files: &[&PackagedFile],
        _modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>> {
        // Each file of a package that was built here is a content of its own.
        self.files
            .push((self.directory.join(files[0].path.to_path()), Vec::new()));
        let (_, bytes) = self.files.last_mut().expect("just pushed");
        Ok(Box::new(bytes))
    }
}
