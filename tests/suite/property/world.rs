//! Random deployments on disk. The same data always make the same tree, with times, so that a
//! second copy is made by writing it again.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rollup::names::{CaseFolded, same_name};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::model::{Case, InitialState, ModeAndOwner, OperatorAction, RandomSite};
use super::stock::stock;

use crate::temporary::temporary;

/// Time of the first file, in seconds since 1970; each further file is one second later.
const FIRST_TIME: i64 = 1_210_000_000;

/// Deployment of a case in a temporary directory.
pub(super) struct RandomDeployment {
    _directory: TempDir,
    deployment: PathBuf,
}

impl RandomDeployment {
    /// Writes the deployment of a case, before anything is applied to it.
    pub(super) fn of(case: &Case) -> Self {
        let directory = temporary();
        let deployment = directory.path().join("deployment");
        set_up(&case.site, &deployment);
        case.site
            .operator_actions
            .iter()
            .for_each(|operator_action| apply(operator_action, &deployment));
        let entries = WalkDir::new(&deployment).sort_by_file_name().into_iter();
        let files = entries
            .map(|entry| entry.expect("it can be listed"))
            .filter(|entry| entry.file_type().is_file());
        for (file, seconds) in files.zip(FIRST_TIME..) {
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

/// Writes the tree before any operator action.
fn set_up(site: &RandomSite, deployment: &Path) {
    let put = |at: &str, bytes: &[u8]| {
        let at = deployment.join(at);
        fs::create_dir_all(at.parent().expect("it has a parent")).expect("directories can be made");
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
        let text = format!("schema = 1\nrunning = {running}\nenabled = {enabled}\n");
        for (_, server) in site.servers_of(service.role) {
            put(
                &format!("Servers/{}/Services/{}.toml", server.name, service.name),
                text.as_bytes(),
            );
        }
    }
    let removed = "schema = 1\nstate = \"not-installed\"\n";
    for item in &site.items {
        let stock_item = item.stock();
        let built = &stock().items[item.stock];
        put(
            &format!("{}/{}", site.share, stock_item.installer),
            &built.package,
        );
        for directory in site.directories(item.group, stock_item.name, item.role) {
            match item.found {
                InitialState::Absent => {}
                InitialState::Removed => {
                    put(&format!("{directory}/state.toml"), removed.as_bytes())
                }
                InitialState::Recorded(state) => {
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
                InitialState::Absent => continue,
                InitialState::Removed => removed.to_owned(),
                InitialState::Recorded(state) => format!("schema = 1\nstate = \"{state}\"\n"),
            };
            put(&format!("{directory}/state.toml"), text.as_bytes());
        }
    }
}

/// Performs an operator action, if it is possible.
fn apply(operator_action: &OperatorAction, deployment: &Path) {
    let existing = |at: &str| actual(deployment, at).filter(|at| at.symlink_metadata().is_ok());
    match operator_action {
        OperatorAction::File {
            at: below,
            metadata,
        } => {
            let Some(at) = vacant(deployment, below) else {
                return;
            };
            fs::write(&at, format!("unmanaged {below}")).expect("its directory exists");
            set(&at, *metadata);
        }
        OperatorAction::HardLink { of, at } => {
            let Some(of) = existing(of).filter(|of| of.is_file()) else {
                return;
            };
            let Some(at) = vacant(deployment, at) else {
                return;
            };
            fs::hard_link(of, at).expect("both directories exist");
        }
        OperatorAction::Directory { at, metadata } => {
            let Some(at) = vacant(deployment, at) else {
                return;
            };
            fs::create_dir(&at).expect("its parent exists");
            set(&at, *metadata);
        }
        OperatorAction::Link { at } => {
            let Some(at) = vacant(deployment, at) else {
                return;
            };
            symlink("nowhere", at).expect("its directory exists");
        }
        OperatorAction::Change { at, metadata } => {
            let Some(at) = existing(at) else { return };
            set(&at, *metadata);
        }
        OperatorAction::Respell { at } => {
            let Some(at) = existing(at) else { return };
            let name = at
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name in UTF-8");
            let other = at.with_file_name(respelled(name));
            fs::rename(&at, other).expect("nothing else has this name");
        }
        OperatorAction::Remove { at } => match existing(at) {
            Some(at) if at.is_dir() => fs::remove_dir_all(at).expect("it can be removed"),
            Some(at) => fs::remove_file(at).expect("it can be removed"),
            None => {}
        },
        OperatorAction::Patch { at } => {
            let Some(at) = existing(at).filter(|at| at.is_file()) else {
                return;
            };
            fs::write(at, "patched").expect("it can be written");
        }
    }
}

/// Returns a path in the spelling on disk, as far as it exists; `None` for the deployment itself,
/// and if one of its parents is a file.
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

/// Returns a path that does not exist, and makes its parent directories.
pub(super) fn vacant(deployment: &Path, at: &str) -> Option<PathBuf> {
    let at = actual(deployment, at).filter(|at| at.symlink_metadata().is_err())?;
    fs::create_dir_all(at.parent().expect("it has a parent")).ok()?;
    Some(at)
}

fn set(at: &Path, metadata: ModeAndOwner) {
    let is_directory = at.is_dir();
    if rustix::process::geteuid().is_root() {
        chown(at, Some(metadata.owner), Some(metadata.owner)).expect("root may");
    }
    // The test itself must be able to work in a directory.
    let mode = if is_directory {
        metadata.mode | 0o700
    } else {
        metadata.mode | 0o400
    };
    fs::set_permissions(at, fs::Permissions::from_mode(mode)).expect("a mode that can be set");
}

/// Returns another spelling of the same name.
fn respelled(name: &str) -> String {
    let other = |c: char| {
        let swapped: Vec<char> = if c.is_lowercase() {
            c.to_uppercase().collect()
        } else {
            c.to_lowercase().collect()
        };
        match swapped[..] {
            [other] if CaseFolded::of(&other.to_string()) == CaseFolded::of(&c.to_string()) => {
                other
            }
            _ => c,
        }
    };
    name.chars().map(other).collect()
}
