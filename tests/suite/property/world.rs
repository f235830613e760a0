//! Writing a random deployment to disk. The same data always give the same tree, times included, so
//! that a second copy is made by writing it again.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rollup::names::{CaseFolded, same_name};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::model::{Case, Found, ModeAndOwner, Site, Touch};
use super::stock::stock;

/// When the first file was changed, in seconds since 1970; each further one a little later.
const LONG_AGO: i64 = 1_210_000_000;

/// A deployment on disk, gone when it is dropped.
pub(super) struct World {
    _directory: TempDir,
    deployment: PathBuf,
}

impl World {
    /// The deployment of a case, before anything is applied to it.
    pub(super) fn of(case: &Case) -> Self {
        let directory = temporary();
        let deployment = directory.path().join("deployment");
        set_up(&case.site, &deployment);
        case.site
            .touches
            .iter()
            .for_each(|touch| apply(touch, &deployment));
        let entries = WalkDir::new(&deployment).sort_by_file_name().into_iter();
        let files = entries
            .map(|entry| entry.expect("it can be listed"))
            .filter(|entry| entry.file_type().is_file());
        for (file, seconds) in files.zip(LONG_AGO..) {
            let time = Timespec {
                tv_sec: seconds,
                tv_nsec: 987_654_321,
            };
            let times = Timestamps {
                last_access: time,
                last_modification: time,
            };
            utimensat(CWD, file.path(), &times, AtFlags::SYMLINK_NOFOLLOW)
                .expect("times can be set");
        }
        Self {
            _directory: directory,
            deployment,
        }
    }

    pub(super) fn deployment(&self) -> &Path {
        &self.deployment
    }
}

/// A directory in memory where there is one: a sync of a disk would only take time.
pub(super) fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    };
    directory.expect("a temporary directory")
}

/// The tree as it is set up, before anybody touches it.
fn set_up(site: &Site, deployment: &Path) {
    let put = |at: &str, bytes: &[u8]| {
        let at = deployment.join(at);
        fs::create_dir_all(at.parent().expect("it lies below")).expect("directories can be made");
        fs::write(at, bytes).expect("a file can be written");
    };
    put("deployment.toml", site.to_toml().as_bytes());
    for server in &site.servers {
        for name in ["Services", "Files", "Programs"] {
            let at = deployment.join(format!("Servers/{}/{name}", server.name));
            fs::create_dir_all(at).expect("directories can be made");
        }
    }
    for service in &site.services {
        let Some((running, enabled)) = service.file else {
            continue;
        };
        let text = format!("schema = 1\nrunning = {running}\nenabled = {enabled}\nstarts = 3\n");
        for (_, server) in site.servers_of(service.role) {
            put(
                &format!("Servers/{}/Services/{}.toml", server.name, service.name),
                text.as_bytes(),
            );
        }
    }
    let removed = "schema = 1\nstate = \"not-installed\"\n";
    for item in &site.items {
        let stocked = item.stock();
        let built = &stock().items[item.stock];
        put(
            &format!("{}/{}", site.share, stocked.installer),
            &built.package,
        );
        for directory in site.directories(item.group, stocked.name, item.role) {
            match item.found {
                Found::Absent => {}
                Found::Removed => put(&format!("{directory}/state.toml"), removed.as_bytes()),
                Found::As(state) => {
                    let record = built
                        .record
                        .replace("state = \"verified\"", &format!("state = \"{state}\""));
                    put(&format!("{directory}/state.toml"), record.as_bytes());
                    for (below, bytes) in &built.files {
                        put(&format!("{directory}/files/{}", below.display()), bytes);
                    }
                }
            }
        }
    }
    for procedure in &site.procedures {
        for directory in site.directories(procedure.group, procedure.name, procedure.role) {
            let text = match procedure.found {
                Found::Absent => continue,
                Found::Removed => removed.to_owned(),
                Found::As(state) => format!("schema = 1\nstate = \"{state}\"\n"),
            };
            put(&format!("{directory}/state.toml"), text.as_bytes());
        }
    }
}

/// Does what an operator did; where it cannot be done, nothing.
fn apply(touch: &Touch, deployment: &Path) {
    let there = |at: &str| actual(deployment, at).filter(|at| at.symlink_metadata().is_ok());
    match touch {
        Touch::File {
            at: below,
            metadata,
        } => {
            let Some(at) = vacant(deployment, below) else {
                return;
            };
            fs::write(&at, format!("his own {below}")).expect("its directory is there");
            set(&at, *metadata);
        }
        Touch::Twin { of, at } => {
            let Some(of) = there(of).filter(|of| of.is_file()) else {
                return;
            };
            let Some(at) = vacant(deployment, at) else {
                return;
            };
            fs::hard_link(of, at).expect("both directories are there");
        }
        Touch::Directory { at, metadata } => {
            let Some(at) = vacant(deployment, at) else {
                return;
            };
            fs::create_dir(&at).expect("its parent is there");
            set(&at, *metadata);
        }
        Touch::Link { at } => {
            let Some(at) = vacant(deployment, at) else {
                return;
            };
            symlink("nowhere", at).expect("its directory is there");
        }
        Touch::Change { at, metadata } => {
            let Some(at) = there(at) else { return };
            set(&at, *metadata);
        }
        Touch::Respell { at } => {
            let Some(at) = there(at) else { return };
            let name = at
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name of ours");
            let other = at.with_file_name(respelled(name));
            fs::rename(&at, other).expect("nothing else has this name");
        }
        Touch::Remove { at } => match there(at) {
            Some(at) if at.is_dir() => fs::remove_dir_all(at).expect("it can be removed"),
            Some(at) => fs::remove_file(at).expect("it can be removed"),
            None => {}
        },
        Touch::Patch { at } => {
            let Some(at) = there(at).filter(|at| at.is_file()) else {
                return;
            };
            fs::write(at, "patched").expect("it can be written");
        }
    }
}

/// The path in the spelling on disk, as far as it is there; `None` for the deployment itself, and
/// where a file stands on the way.
pub(super) fn actual(deployment: &Path, at: &str) -> Option<PathBuf> {
    let mut path = deployment.to_owned();
    for part in at.split('/').filter(|part| !part.is_empty()) {
        if path.exists() && !path.is_dir() {
            return None;
        }
        let found = fs::read_dir(&path)
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("it can be listed").file_name());
        let found = found
            .into_iter()
            .find(|name| name.to_str().is_some_and(|name| same_name(name, part)));
        path.push(found.unwrap_or_else(|| part.into()));
    }
    (path != deployment).then_some(path)
}

/// A place where nothing stands, in a directory that is there.
pub(super) fn vacant(deployment: &Path, at: &str) -> Option<PathBuf> {
    let at = actual(deployment, at).filter(|at| at.symlink_metadata().is_err())?;
    fs::create_dir_all(at.parent().expect("it lies below")).ok()?;
    Some(at)
}

fn set(at: &Path, metadata: ModeAndOwner) {
    let is_directory = at.is_dir();
    if rustix::process::geteuid().is_root() {
        chown(at, Some(metadata.owner), Some(metadata.owner)).expect("root may");
    }
    // Whoever runs the test must be able to work in a directory.
    let mode = if is_directory {
        metadata.mode | 0o700
    } else {
        metadata.mode | 0o400
    };
    fs::set_permissions(at, fs::Permissions::from_mode(mode)).expect("a mode that can be set");
}

/// Another spelling of the same name.
fn respelled(name: &str) -> String {
    let other = |c: char| {
        let turned: Vec<char> = if c.is_lowercase() {
            c.to_uppercase().collect()
        } else {
            c.to_lowercase().collect()
        };
        match turned[..] {
            [turned] if CaseFolded::of(&turned.to_string()) == CaseFolded::of(&c.to_string()) => {
                turned
            }
            _ => c,
        }
    };
    name.chars().map(other).collect()
}
