//! What belongs to an object besides its bytes, and how it is carried to the object that replaces it.
//!
//! Carried are mode, owner, POSIX ACLs, `user.*` attributes and the SELinux label. What grants rights
//! to the old bytes is not: setuid and setgid of a file, capabilities, and integrity attributes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};
use rustix::io::Errno;
use xattr::FileExt;

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

/// Users or groups whom an object gives a permission, other than its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted {
    User(u32),
    Group(u32),
    Others,
}

impl fmt::Display for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user {user}"),
            Self::Group(group) => write!(f, "group {group}"),
            Self::Others => write!(f, "others"),
        }
    }
}

impl OwnAccess {
    /// Returns the permissions on an own object of users who have these three bits on the root.
    fn permissions(self, on_root: u32, is_other: bool) -> u32 {
        let bits = match is_other {
            true => on_root & !WRITE,
            false => on_root,
        };
        match self {
            Self::Writers if bits & WRITE == 0 => 0,
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
            set_permissions(acl, new.mode);
        }
        new
    }

    /// Returns the attributes of a new directory in a directory with these.
    pub fn of_new_directory(&self) -> Self {
        let acl = |name: &str| self.extended.get(&OsString::from(name));
        let mut new = Self::plain(self.mode, self.owner);
        if let Some(given) = acl(DEFAULT_ACL) {
            new.mode = self.mode & 0o7000 | permissions(given, true).unwrap_or(self.mode & 0o777);
            new.extended.insert(ACCESS_ACL.into(), given.clone());
            new.extended.insert(DEFAULT_ACL.into(), given.clone());
        } else if let Some(bits) = acl(ACCESS_ACL).and_then(|acl| permissions(acl, false)) {
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
            limit_acl(&mut acl, access);
            own.mode |= permissions(&acl, true).unwrap_or_default();
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
            set_permissions(acl, own.mode);
        }
        own
    }

    /// Returns who may write the object besides its owner, by its ACL or its mode.
    pub fn writers(&self) -> Vec<Permitted> {
        let mut acl = match self.extended.get(&OsString::from(ACCESS_ACL)) {
            Some(acl) => acl.clone(),
            None => {
                let of_group =
                    (self.mode >> 3 & WRITE != 0).then_some(Permitted::Group(self.owner.1));
                let of_others = (self.mode & WRITE != 0).then_some(Permitted::Others);
                return of_group.into_iter().chain(of_others).collect();
            }
        };
        let entries = entries_mut(&mut acl);
        let mask = mask_of(&entries);
        let writers = entries.iter().filter_map(|entry| {
            let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            let (permitted, bits) = match entry_tag(entry) {
                NAMED_USER => (Permitted::User(id), mask),
                GROUP => (Permitted::Group(self.owner.1), mask),
                NAMED_GROUP => (Permitted::Group(id), mask),
                OTHER => (Permitted::Others, 7),
                _ => return None,
            };
            (u32::from(entry[2]) & bits & WRITE != 0).then_some(permitted)
        });
        writers.collect()
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

/// Tags of the entries of a POSIX ACL: the owner, the group, the mask, and others. In the kernel's form
/// entries follow 4 bytes of version; each has tag, permissions and id, in 2, 2 and 4 bytes.
const USER: u16 = 0x01;
const NAMED_USER: u16 = 0x02;
const GROUP: u16 = 0x04;
const NAMED_GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

const WRITE: u32 = 2;

/// Returns the permission bits of an ACL. The group's bits are those of the mask, or of the group itself.
fn permissions(acl: &[u8], masked: bool) -> Option<u32> {
    let entries = acl.get(4..)?.chunks_exact(8).map(|entry| {
        let number = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        (number(0), u32::from(number(2) & 7))
    });
    let of = |wanted: u16| {
        entries
            .clone()
            .find(|(tag, _)| *tag == wanted)
            .map(|(_, bits)| bits)
    };
    let group = match masked {
        true => of(MASK).or_else(|| of(GROUP)),
        false => of(GROUP),
    };
    Some(of(USER)? << 6 | group? << 3 | of(OTHER)?)
}

/// Sets the permissions of an ACL that the bits of a mode are, as a change of the mode does.
fn set_permissions(acl: &mut [u8], mode: u32) {
    let mut entries = entries_mut(acl);
    let has_mask = entries.iter().any(|entry| entry_tag(entry) == MASK);
    for entry in &mut entries {
        let bits = match entry_tag(entry) {
            USER => mode >> 6,
            MASK => mode >> 3,
            GROUP if !has_mask => mode >> 3,
            OTHER => mode,
            _ => continue,
        };
        entry[2] = (bits & 7) as u8;
    }
}

/// Limits every entry of the root's ACL to what an own object gives to users who have it on the root.
fn limit_acl(acl: &mut [u8], access: OwnAccess) {
    let mut entries = entries_mut(acl);
    let mask = mask_of(&entries);
    let mut most = 0;
    for entry in &mut entries {
        let bits = u32::from(entry[2]);
        let on_root = match entry_tag(entry) {
            NAMED_USER | GROUP | NAMED_GROUP => bits & mask,
            USER | OTHER => bits,
            _ => continue,
        };
        let own = access.permissions(on_root, entry_tag(entry) == OTHER);
        if matches!(entry_tag(entry), NAMED_USER | GROUP | NAMED_GROUP) {
            most |= own;
        }
        entry[2] = own as u8;
    }
    for entry in &mut entries {
        if entry_tag(entry) == MASK {
            entry[2] = most as u8;
        }
    }
}

/// Returns the permissions that named entries and the group can have at most.
fn mask_of(entries: &[&mut [u8]]) -> u32 {
    let mask = entries.iter().find(|entry| entry_tag(entry) == MASK);
    mask.map_or(7, |entry| u32::from(entry[2]))
}

fn entries_mut(acl: &mut [u8]) -> Vec<&mut [u8]> {
    let entries = acl.get_mut(4..).into_iter();
    entries
        .flat_map(|entries| entries.chunks_exact_mut(8))
        .collect()
}

fn entry_tag(entry: &[u8]) -> u16 {
    u16::from_le_bytes([entry[0], entry[1]])
}

fn failed(tree: &Tree, path: Option<&RelPath>, error: io::Error) -> DiskError {
    DiskError::new("read the attributes of", tree.shown(path), error)
}
