//! What belongs to an object besides its bytes is carried to its replacement, and compared.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

const PROVIDER: &str = "Things/Provider";
const INSTALLER: &str = "Share/Provider.msi";
const RECORD: &str = "Things/Provider/state.toml";

/// Mode, owner, and extended attributes.
type Attributes = (u32, (u32, u32), BTreeMap<OsString, Vec<u8>>);

fn attributes(at: &Path) -> Attributes {
    let metadata = fs::symlink_metadata(at).expect("it exists");
    let names = xattr::list(at).expect("a file system with extended attributes");
    let value = |name: OsString| {
        let value = xattr::get(at, &name)
            .expect("readable")
            .expect("just listed");
        (name, value)
    };
    let owner = (metadata.uid(), metadata.gid());
    (metadata.mode() & 0o7777, owner, names.map(value).collect())
}

/// Returns a POSIX ACL in the kernel's form: the owner, user 33 and the mask may read and write; the
/// group and others may do nothing.
fn acl(user: u16, mask: u16) -> Vec<u8> {
    let none = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (1, 7, none),
        (2, user, 33),
        (4, 0, none),
        (16, mask, none),
        (32, 0, none),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn set_mode(world: &World, path: &str, mode: u32) {
    fs::set_permissions(world.live(path), fs::Permissions::from_mode(mode)).expect("a mode");
}

fn decorated() -> World {
    small_world(UPDATE_PROVIDER).with(|world| {
        for path in [INSTALLER, RECORD, PROVIDER] {
            let at = world.live(path);
            xattr::set(&at, "user.owner", path.as_bytes()).expect("a user attribute");
            xattr::set(&at, "system.posix_acl_access", &acl(6, 6)).expect("an ACL");
        }
        let at = world.live(PROVIDER);
        xattr::set(at, "system.posix_acl_default", &acl(5, 7)).expect("a default ACL");
        set_mode(world, "Share/Namespace.msi", 0o640);
    })
}

#[test]
fn acls_and_user_attributes_are_carried_to_the_replacement_and_come_back() {
    let world = decorated();
    let of = |path: &str| attributes(&world.live(path));
    let before = [INSTALLER, RECORD, PROVIDER].map(of);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(
        [INSTALLER, RECORD, PROVIDER].map(of),
        before,
        "after the apply"
    );
    world.run("undo last --yes").exits_with(exit::OK);
    assert_eq!(
        [INSTALLER, RECORD, PROVIDER].map(of),
        before,
        "after the undo"
    );
}

#[test]
fn setuid_and_setgid_of_a_file_are_not_carried() {
    let world = small_world(UPDATE_PROVIDER).with(|world| set_mode(world, INSTALLER, 0o6755));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(attributes(&world.live(INSTALLER)).0, 0o755);
    world.run("undo last --yes").exits_with(exit::OK);
    assert_eq!(attributes(&world.live(INSTALLER)).0, 0o6755);
}

#[test]
fn a_new_file_gets_no_rights_from_the_mask_of_its_directory() {
    let install = "[[steps]]\nid = \"install\"\naction = \"install\"\nitems.\"Things\" = [\"Extra\"]\n\
                   [payload]\nfiles = []\n";
    let world = World::with_site(SMALL).manifest("small", &small("KB100001", install));
    let things = world.live("Things");
    xattr::set(&things, "system.posix_acl_access", &acl(7, 7)).expect("an ACL");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let (mode, _, extended) = attributes(&world.live("Things/Extra/state.toml"));
    assert_eq!(
        (mode & 0o077, extended),
        (0, BTreeMap::new()),
        "mode {mode:o}"
    );
}

#[test]
fn a_new_file_gets_the_default_acl_of_its_directory() {
    let world = small_world(UPDATE_PROVIDER);
    let provider = world.live(PROVIDER);
    xattr::set(&provider, "system.posix_acl_default", &acl(5, 5)).expect("a default ACL");
    // The package brings a file that was not there.
    let world = world.remove("Things/Provider/files");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let (mode, _, extended) =
        attributes(&world.live("Things/Provider/files/Program Files/Provider/Provider.dll"));
    let names: Vec<_> = extended.keys().collect();
    assert_eq!(names, ["system.posix_acl_access"]);
    assert_eq!(mode & 0o777, 0o640, "mode {mode:o}");
}

#[test]
fn verify_reports_a_changed_mode_and_accept_accepts_it() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    set_mode(&world, INSTALLER, 0o600);
    set_mode(&world, PROVIDER, 0o700);
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints(&format!("`{INSTALLER}` has mode 0600, not 0644"))
        .prints(&format!("`{PROVIDER}` has mode 0700, not 0755"));
    world
        .run("accept --yes --reason hardened")
        .exits_with(exit::OK)
        .prints("has mode 0600, not 0644");
    world.run("verify").exits_with(exit::OK);
    // The undo of the accept brings the difference back.
    world.run("undo last --yes").exits_with(exit::OK);
    world.run("verify").exits_with(exit::MISMATCH);
}

#[test]
fn attributes_that_change_after_staging_are_a_stale_plan() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    set_mode(&world, INSTALLER, 0o600);
    world
        .run("resume --yes")
        .exits_with(exit::STALE_PLAN)
        .prints("has mode 0600, not 0644")
        .tree_is_unchanged();
    set_mode(&world, INSTALLER, 0o644);
    world.run("resume --yes").exits_with(exit::OK);
}

#[test]
fn damaged_attributes_are_named_and_stop_nothing_else() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file(".rollup/runs/0001-KB100001/attributes", "nonsense\n");
    world
        .run("verify")
        .exits_with(exit::NEEDS_ATTENTION)
        .prints("0001-KB100001/attributes")
        .does_not_print("everything matches");
    world.run("undo last --yes").exits_with(exit::OK);
}
