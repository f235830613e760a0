//! What of `.rollup` cannot be trusted: objects of another kind, and objects that users can write who
//! may not write the deployment.

use std::io;

use cap_std::fs::Dir;
use rustix::fs::{Access, AtFlags, accessat};

use super::acl::Permitted;
use super::attributes::Attributes;
use super::run_dir::{ROLLUP_DIR, RollupDir, RunDir};
use super::tree::{DiskError, FileKind, PathMetadata, Tree};
use crate::names::RelPath;

/// Write permission of group and others, in a mode.
const WRITE_OF_OTHERS: u32 = 0o022;

/// Object in `.rollup` that cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// Path below the deployment.
    pub path: RelPath,
    /// Predicate of a sentence about the object.
    pub why: String,
    /// What to do about it.
    pub help: String,
}

/// Returns the first object of `.rollup` that cannot be trusted; none if `.rollup` does not exist.
///
/// The owner of an object counts as one of those who may write the deployment if that can be: root, the
/// owner of the deployment, a user who is named in its ACL, or any user if a group may write it, because
/// the members of a group are not always known here.
///
/// # Errors
///
/// The deployment cannot be read.
pub(super) fn untrusted(tree: &Tree) -> Result<Option<Untrusted>, DiskError> {
    let Some(found) = tree.metadata(&ROLLUP_DIR)? else {
        return Ok(None);
    };
    let root = tree.root();
    let fail = |e: io::Error| DiskError::new("look at", tree.shown(None), e);
    let status = rustix::fs::fstat(root).map_err(|e| fail(e.into()))?;
    let check = Check {
        tree,
        owner: status.st_uid,
        writers: Attributes::writers(root, ".").map_err(fail)?,
        is_writer: accessat(root, c".", Access::WRITE_OK, AtFlags::EACCESS).is_ok(),
    };
    if let Some(untrusted) = check.object(root, &ROLLUP_DIR, &found, true)? {
        return Ok(Some(untrusted));
    }
    let files = RollupDir::FILES;
    if let Some(untrusted) = check.entries(&ROLLUP_DIR, &RollupDir::DIRECTORIES, &files)? {
        return Ok(Some(untrusted));
    }
    let names = tree.names(&ROLLUP_DIR.runs())?;
    if names.is_empty() {
        return Ok(None);
    }
    let runs = tree.directory(Some(&ROLLUP_DIR.runs()))?;
    for (name, _) in names {
        let run = ROLLUP_DIR.run(&name);
        let Some(found) = tree.metadata_in(&runs, &run)? else {
            continue;
        };
        if let Some(untrusted) = check.object(&runs, &run, &found, true)? {
            return Ok(Some(untrusted));
        }
        let directories = [RunDir::DIRECTORIES.as_slice(), &[RunDir::SLOTS]].concat();
        if let Some(untrusted) = check.entries(&run, &directories, &RunDir::FILES)? {
            return Ok(Some(untrusted));
        }
    }
    Ok(None)
}

struct Check<'a> {
    tree: &'a Tree,
    /// Owner of the deployment's root.
    owner: u32,
    /// Others who may write it.
    writers: Vec<Permitted>,
    /// True if this process may.
    is_writer: bool,
}

impl Check<'_> {
    /// Checks the entries of a directory that have these names.
    fn entries(
        &self,
        at: &RelPath,
        directories: &[&str],
        files: &[&str],
    ) -> Result<Option<Untrusted>, DiskError> {
        let directory = self.tree.directory(Some(at))?;
        let names = directories.iter().map(|name| (name, true));
        for (name, is_directory) in names.chain(files.iter().map(|name| (name, false))) {
            let path = at.join(name).expect("a plain name");
            let Some(found) = self.tree.metadata_in(&directory, &path)? else {
                continue;
            };
            // No command depends on the events; whatever else is there is never opened.
            if *name == RunDir::EVENTS && found.kind != FileKind::File {
                continue;
            }
            let untrusted = self.object(&directory, &path, &found, is_directory)?;
            if untrusted.is_some() {
                return Ok(untrusted);
            }
        }
        Ok(None)
    }

    fn object(
        &self,
        directory: &Dir,
        path: &RelPath,
        found: &PathMetadata,
        is_directory: bool,
    ) -> Result<Option<Untrusted>, DiskError> {
        let wanted = match is_directory {
            true => FileKind::Directory,
            false => FileKind::File,
        };
        let untrusted = |why: String, help: &str| {
            let (path, help) = (path.clone(), help.to_owned());
            Ok(Some(Untrusted { path, why, help }))
        };
        if found.kind != wanted {
            let why = format!(
                "is {}, not {}",
                found.kind.with_article(),
                wanted.with_article()
            );
            return untrusted(
                why,
                "find out who put it there; then remove it, or restore what was there",
            );
        }
        if !self.is_trusted_owner(found.owner.0) {
            let why = format!(
                "belongs to user {}, who may not write to the deployment",
                found.owner.0
            );
            return untrusted(
                why,
                "find out what was changed there; then `chown` it to the owner of the deployment",
            );
        }
        if found.mode & WRITE_OF_OTHERS == 0 {
            return Ok(None);
        }
        let writers = Attributes::writers(directory, path.name())
            .map_err(|e| DiskError::new("look at", self.tree.shown(Some(path)), e))?;
        let mut others = writers.into_iter();
        match others.find(|permitted| !self.may_write(permitted)) {
            None => Ok(None),
            Some(other) => untrusted(
                format!("can be written by {other}, but the deployment cannot"),
                "find out what was changed there; then `chmod -R go-w .rollup`, or `setfacl -R -b .rollup`",
            ),
        }
    }

    fn is_trusted_owner(&self, user: u32) -> bool {
        let is_own = self.is_writer && user == rustix::process::geteuid().as_raw();
        let has_group = |permitted: &Permitted| !matches!(permitted, Permitted::User(_));
        is_own || self.may_write(&Permitted::User(user)) || self.writers.iter().any(has_group)
    }

    fn may_write(&self, permitted: &Permitted) -> bool {
        [Permitted::User(0), Permitted::User(self.owner)].contains(permitted)
            || self.writers.contains(&Permitted::Others)
            || self.writers.contains(permitted)
    }
}
