//! POSIX ACLs, in the form in which the kernel has them as an extended attribute.
//!
//! Entries follow 4 bytes of version; each has tag, permissions and id, in 2, 2 and 4 bytes.

use std::fmt;

/// Tags of the entries: the owner, a user, the group, a group, the mask, and others.
const USER: u16 = 0x01;
const NAMED_USER: u16 = 0x02;
const GROUP: u16 = 0x04;
const NAMED_GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// Bit of three permissions.
pub(super) const WRITE: u32 = 2;

/// Users or groups whom an object gives a permission, other than its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permitted {
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

/// Entry of an ACL.
struct AclEntry {
    tag: u16,
    permissions: u32,
    id: u32,
}

fn entries(acl: &[u8]) -> impl Iterator<Item = AclEntry> {
    let entries = acl.get(4..).unwrap_or_default().chunks_exact(8);
    entries.map(|entry| AclEntry {
        tag: u16::from_le_bytes([entry[0], entry[1]]),
        permissions: u32::from(entry[2] & 7),
        id: u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]),
    })
}

fn permissions_of(acl: &[u8], tag: u16) -> Option<u32> {
    let entry = entries(acl).find(|entry| entry.tag == tag)?;
    Some(entry.permissions)
}

/// Changes the permissions of every entry to those that are returned for it.
fn change(acl: &mut [u8], new: impl Fn(AclEntry) -> u32) {
    let all: Vec<u32> = entries(acl).map(new).collect();
    for (at, permissions) in all.into_iter().enumerate() {
        acl[4 + 8 * at + 2] = (permissions & 7) as u8;
    }
}

/// Returns the permission bits of an ACL. The group's bits are those of the mask, or of the group itself.
pub(super) fn permissions(acl: &[u8], masked: bool) -> Option<u32> {
    let of = |tag| permissions_of(acl, tag);
    let group = match masked {
        true => of(MASK).or_else(|| of(GROUP)),
        false => of(GROUP),
    };
    Some(of(USER)? << 6 | group? << 3 | of(OTHER)?)
}

/// Sets the permissions of an ACL that the bits of a mode are, as a change of the mode does.
pub(super) fn set_permissions(acl: &mut [u8], mode: u32) {
    let has_mask = permissions_of(acl, MASK).is_some();
    change(acl, |entry| match entry.tag {
        USER => mode >> 6,
        MASK => mode >> 3,
        GROUP if !has_mask => mode >> 3,
        OTHER => mode,
        _ => entry.permissions,
    });
}

/// Returns whether the mask limits entries with this tag.
fn is_masked(tag: u16) -> bool {
    matches!(tag, NAMED_USER | GROUP | NAMED_GROUP)
}

/// Changes what each entry effectively permits; the second argument is true for others. The mask permits
/// no more than some entry then.
pub(super) fn limit(acl: &mut [u8], new: impl Fn(u32, bool) -> u32) {
    let mask = permissions_of(acl, MASK).unwrap_or(7);
    change(
        acl,
        |AclEntry {
             tag, permissions, ..
         }| match tag {
            MASK => permissions,
            _ if is_masked(tag) => new(permissions & mask, false),
            _ => new(permissions, tag == OTHER),
        },
    );
    let masked = entries(acl).filter(|entry| is_masked(entry.tag));
    let most = masked.fold(0, |most, entry| most | entry.permissions);
    change(acl, |entry| match entry.tag {
        MASK => most,
        _ => entry.permissions,
    });
}

/// Returns who may write an object with this ACL besides its owner; its group is given.
pub(super) fn writers(acl: &[u8], group: u32) -> Vec<Permitted> {
    let mask = permissions_of(acl, MASK).unwrap_or(7);
    let writers = entries(acl).filter_map(|entry| {
        let permitted = match entry.tag {
            NAMED_USER => Permitted::User(entry.id),
            GROUP => Permitted::Group(group),
            NAMED_GROUP => Permitted::Group(entry.id),
            OTHER => Permitted::Others,
            _ => return None,
        };
        let bits = if is_masked(entry.tag) { mask } else { 7 };
        (entry.permissions & bits & WRITE != 0).then_some(permitted)
    });
    writers.collect()
}

/// Returns who may write an object with this mode and without an ACL besides its owner.
pub(super) fn writers_by_mode(mode: u32, group: u32) -> Vec<Permitted> {
    let of_group = (mode >> 3 & WRITE != 0).then_some(Permitted::Group(group));
    let of_others = (mode & WRITE != 0).then_some(Permitted::Others);
    of_group.into_iter().chain(of_others).collect()
}
