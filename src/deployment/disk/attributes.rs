//! What belongs to an object besides its bytes, and how it is carried to the object that replaces it.
//!
//! Carried are mode, owner, POSIX ACLs, `user.*` attributes and the SELinux label. What grants rights
//! to the old bytes is not: setuid and setgid of a file, capabilities, and integrity attributes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use cap_std::fs::Dir;
use rustix::fs::{Gid, Mode, OFlags, Uid, fchmod, fchown, openat};
use rustix::io::Errno;
use xattr::FileExt;

use super::acl::{self, Permitted};
use super::fault_injection::{AttachedInjector, Change};
use super::tree::{DiskError, Tree, readable};
use crate::names::{Digest, Hasher, RelPath};

/// Action in a [`DiskError`]: attributes cannot be given to a new object.
pub const CARRY_ACTION: &str = "carry the attributes over to";

const ACCESS_ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";
const SELINUX_LABEL: &str = "security.selinux";

/// Setuid and setgid.
const PRIVILEGES: u32 = 0o6000;
const SETGID: u32 = 0o2000;

/// Users that an object of rollup's own is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnAccess {
    /// Those who may write the deployment's root may write, and those who may read it may read.
    Shared,
    /// Those who may write the deployment's root: the object is closed to all others.
    Writers,
}

impl OwnAccess {
    /// Returns the permissions on an own object of users who have these three bits on the root.
    fn permissions(self, on_root: u32, is_other: bool) -> u32 {
        let bits = match is_other {
            true => on_root & !acl::WRITE,
            false => on_root,
        };
        match self {
            Self::Writers if bits & acl::WRITE == 0 => 0,
            _ => bits,
        }
    }
}

/// Mode, owner and extended attributes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits, with setuid, setgid and the sticky bit.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// ACLs and extended attributes that are carried, by name.
    extended: BTreeMap<OsString, Vec<u8>>,
}

impl Attributes {
    /// Returns attributes without ACLs and extended attributes.
    pub fn plain(mode: u32, owner: (u32, u32)) -> Self {
        let extended = BTreeMap::new();
        Self {
            mode,
            owner,
            extended,
        }
    }

    /// Reads the attributes of an open object.
    pub fn of(object: &File) -> io::Result<Self> {
        let mut attributes = Self::of_metadata(&object.metadata()?);
        for name in carried_names(object)? {
            if let Some(value) = object.get_xattr(&name)? {
                attributes.extended.insert(name, value);
            }
        }
        Ok(attributes)
    }

    fn of_metadata(metadata: &Metadata) -> Self {
        Self::plain(metadata.mode() & 0o7777, (metadata.uid(), metadata.gid()))
    }

    /// Reads the attributes of a file.
    pub fn of_file(tree: &Tree, path: &RelPath) -> Result<Self, DiskError> {
        Self::of(&tree.file(path)?).map_err(|e| failed(tree, Some(path), e))
    }

    /// Reads the attributes of a directory, or of the root.
    pub fn of_directory(tree: &Tree, path: Option<&RelPath>) -> Result<Self, DiskError> {
        let directory = readable(&tree.directory(path)?, c".");
        directory
            .and_then(|directory| Self::of(&directory))
            .map_err(|e| failed(tree, path, e))
    }

    /// Returns the attributes that a file gets from the one that it replaces.
    pub fn carried_by_file(self) -> Self {
        Self {
            mode: self.mode & !PRIVILEGES,
            ..self
        }
    }

    /// Returns the attributes of a new file in a directory with these: mode and owner of the directory,
    /// without the execute bits, and the ACL that the directory gives to new entries.
    pub fn of_new_file(&self) -> Self {
        let mut new = self.of_new_directory();
        new.mode &= 0o666;
        new.extended.remove(&OsString::from(DEFAULT_ACL));
        for acl in new.extended.values_mut() {
            acl::set_permissions(acl, new.mode);
        }
        new
    }

    /// Returns the attributes of a new directory in a directory with these.
    pub fn of_new_directory(&self) -> Self {
        let acl = |name: &str| self.extended.get(&OsString::from(name));
        let mut new = Self::plain(self.mode, self.owner);
        if let Some(given) = acl(DEFAULT_ACL) {
            new.mode =
                self.mode & 0o7000 | acl::permissions(given, true).unwrap_or(self.mode & 0o777);
            new.extended.insert(ACCESS_ACL.into(), given.clone());
            new.extended.insert(DEFAULT_ACL.into(), given.clone());
        } else if let Some(bits) = acl(ACCESS_ACL).and_then(|acl| acl::permissions(acl, false)) {
            // The group bits of an object with an ACL are its mask, which may be more than what the
            // group has.
            new.mode = self.mode & 0o7000 | bits;
        }
        new
    }

    /// Returns the attributes of a directory of rollup's own, in a deployment whose root has these:
    /// owner, group and access of the root, and never write permission for others.
    pub fn of_own_directory(&self, access: OwnAccess) -> Self {
        let mut own = Self::plain(self.mode & SETGID, self.owner);
        if let Some(acl) = self.extended.get(&OsString::from(ACCESS_ACL)) {
            let mut acl = acl.clone();
            acl::limit(&mut acl, |on_root, is_other| {
                access.permissions(on_root, is_other)
            });
            own.mode |= acl::permissions(&acl, true).unwrap_or_default();
            own.extended.insert(ACCESS_ACL.into(), acl);
            return own;
        }
        for (shift, is_other) in [(6, false), (3, false), (0, true)] {
            own.mode |= access.permissions(self.mode >> shift & 7, is_other) << shift;
        }
        own
    }

    /// Returns the attributes of a file of rollup's own, in the same way.
    pub fn of_own_file(&self, access: OwnAccess) -> Self {
        let mut own = self.of_own_directory(access);
        own.mode &= 0o666;
        for acl in own.extended.values_mut() {
            acl::set_permissions(acl, own.mode);
        }
        own
    }

    /// Reads who may write an object besides its owner, by its ACL or its mode. It takes no permission on
    /// the object itself.
    pub(super) fn writers(directory: &Dir, name: &str) -> io::Result<Vec<Permitted>> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let object = File::from(openat(directory, name, flags, Mode::empty())?);
        let metadata = object.metadata()?;
        // A mere path has no call for its attributes.
        let path = format!("/proc/self/fd/{}", object.as_raw_fd());
        let acl = match xattr::get_deref(path, ACCESS_ACL) {
            // The file system has no ACLs, or the system shows no such paths: then the mode counts.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Unsupported | io::ErrorKind::NotFound
                ) =>
            {
                None
            }
            acl => acl?,
        };
        Ok(match acl {
            Some(acl) => acl::writers(&acl, metadata.gid()),
            None => acl::writers_by_mode(metadata.mode(), metadata.gid()),
        })
    }

    /// Returns a digest of ACLs and extended attributes; `None` without any.
    pub fn extended_digest(&self) -> Option<Digest> {
        let mut hasher = Hasher::new();
        for (name, value) in &self.extended {
            for part in [name.as_bytes(), value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        (!self.extended.is_empty()).then(|| hasher.finish())
    }

    /// Returns whether an object has these attributes, but for an owner that only root can give, and
    /// a label that the system gave the object by its own rules.
    pub fn are_carried_to(&self, object: &Self) -> bool {
        let is_own = self.owner == object.owner;
        let mut wanted = self.extended.clone();
        if let Some((name, label)) = object
            .extended
            .get_key_value(&OsString::from(SELINUX_LABEL))
        {
            wanted.entry(name.clone()).or_insert_with(|| label.clone());
        }
        (is_own || !rustix::process::geteuid().is_root())
            && (self.mode, &wanted) == (object.mode, &object.extended)
    }

    /// Gives an object these attributes. Without the right to change the owner, the object keeps the
    /// user who made it, and gets the group if that is allowed.
    pub(super) fn set(
        &self,
        object: &File,
        at: &RelPath,
        injector: &AttachedInjector,
    ) -> io::Result<()> {
        let now = Self::of(object)?;
        let announce = || injector.before(Change::SetAttributes(at));
        let chmod = |mode| announce().and_then(|()| Ok(fchmod(object, Mode::from_raw_mode(mode))?));
        let is_acl = |name: &OsString| name == ACCESS_ACL || name == DEFAULT_ACL;
        let missing: Vec<_> = self
            .extended
            .iter()
            .filter(|(name, value)| now.extended.get(*name) != Some(value))
            .collect();
        if !missing.is_empty() && now.mode & 0o200 == 0 {
            chmod(now.mode | 0o600)?;
        }
        // Those of the directory that it is made in, such as a default ACL, are not its own. A label is:
        // the system never takes one away.
        for name in now
            .extended
            .keys()
            .filter(|name| !self.extended.contains_key(*name) && *name != SELINUX_LABEL)
        {
            announce()?;
            object.remove_xattr(name)?;
        }
        for (name, value) in missing.iter().filter(|(name, _)| !is_acl(name)) {
            announce()?;
            object.set_xattr(name, value)?;
        }
        let mut mode = self.mode;
        if now.owner != self.owner {
            announce()?;
            if give(object, self.owner)? != self.owner.1 {
                // Another group gets no more than everybody has.
                mode = mode & !(PRIVILEGES | 0o070) | mode & (mode << 3) & 0o070;
            }
        }
        for (name, value) in missing.iter().filter(|(name, _)| is_acl(name)) {
            announce()?;
            object.set_xattr(name, value)?;
        }
        // Last: a change of the owner or of an ACL changes permission bits.
        if object.metadata()?.mode() & 0o7777 != mode {
            chmod(mode)?;
        }
        Ok(())
    }
}

/// Changes user and group, or the group alone, or nothing: what the system allows. Returns the group that
/// the object has then.
fn give(object: &File, (user, group): (u32, u32)) -> io::Result<u32> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    let given = match fchown(object, Some(user), Some(group)) {
        Err(Errno::PERM) => fchown(object, None, Some(group)),
        given => given,
    };
    match given {
        Err(Errno::PERM) | Ok(()) => Ok(object.metadata()?.gid()),
        Err(error) => Err(error.into()),
    }
}

/// Returns the names of the extended attributes of an object that are carried. A file system may
/// support none at all.
pub fn carried_names(object: &File) -> io::Result<Vec<OsString>> {
    let is_carried = |name: &OsString| {
        name == ACCESS_ACL
            || name == DEFAULT_ACL
            || name == SELINUX_LABEL
            || name.as_bytes().starts_with(b"user.")
    };
    match object.list_xattr() {
        Ok(names) => Ok(names.filter(is_carried).collect()),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn failed(tree: &Tree, path: Option<&RelPath>, error: io::Error) -> DiskError {
    DiskError::new("read the attributes of", tree.shown(path), error)
}
