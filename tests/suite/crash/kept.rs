//! What an operator keeps, and attributes: whole unmanaged directories, ACLs and extended attributes
//! survive a crash anywhere, and a failing rollback.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::journal::{Direction, RunState, runs};
use walkdir::WalkDir;

use super::site::{DeploymentCopy, Site};
use super::tree::Tree;
use super::{
    CrashInjector, Directory, Ended, FailureInjector, apply, change_count, first_rename, recover,
    reopen,
};

/// Extended attributes of everything outside `.rollup`, by path.
type Extended = BTreeMap<PathBuf, BTreeMap<OsString, Vec<u8>>>;

fn extended(deployment: &Path) -> Extended {
    let is_own = |entry: &walkdir::DirEntry| {
        entry.depth() == 1 && entry.file_name().to_string_lossy().starts_with(".rollup")
    };
    let entries = WalkDir::new(deployment)
        .into_iter()
        .filter_entry(|entry| !is_own(entry));
    let of_entry = |entry: walkdir::DirEntry| {
        let names = xattr::list(entry.path()).expect("extended attributes are supported");
        let value = |name: OsString| {
            let value = xattr::get(entry.path(), &name).expect("readable");
            (name, value.expect("just listed"))
        };
        let below = entry
            .path()
            .strip_prefix(deployment)
            .expect("below")
            .to_owned();
        (below, names.map(value).collect())
    };
    entries
        .map(|entry| of_entry(entry.expect("listed")))
        .collect()
}

/// An ACL in the kernel's form, by which user 33 may read.
fn acl() -> Vec<u8> {
    let none = u32::MAX;
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (1_u16, 7_u16, none),
        (2, 4, 33),
        (4, 5, none),
        (16, 5, none),
        (32, 5, none),
    ] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// Returns the site with ACLs and extended attributes, and a directory of an operator's data.
fn decorated() -> Site {
    let site = Site::new();
    let at = |path: &str| site.directory().join(path);
    for path in [
        "Share/Site.msi",
        "Group/Provider",
        "Group/Provider/state.toml",
        "Web/Site/W1",
    ] {
        xattr::set(at(path), "user.owner", path.as_bytes()).expect("a user attribute");
        xattr::set(at(path), "system.posix_acl_access", &acl()).expect("an ACL");
    }
    xattr::set(at("Group/Provider"), "system.posix_acl_default", &acl()).expect("a default ACL");
    let data = at("Group/Provider/files/data/deep/er");
    fs::create_dir_all(&data).expect("made");
    for number in 0..20 {
        fs::write(data.join(format!("{number}.dat")), "data").expect("written");
    }
    xattr::set(&data, "user.kind", b"data").expect("a user attribute");
    site
}

#[test]
fn attributes_and_whole_directories_survive_a_crash_anywhere() {
    let site = decorated();
    let of = |deployment: &Path| (Tree::of(deployment).without_times(), extended(deployment));
    let before = of(&site.directory());
    let done = site.copy();
    assert!(matches!(
        apply(&site, done.path(), None),
        Ok(Ended::Applied { .. })
    ));
    let after = of(done.path());
    assert_eq!(
        after.1[Path::new("Share/Site.msi")],
        before.1[Path::new("Share/Site.msi")]
    );
    for at in (first_rename(&site) - 3..change_count(&site)).step_by(5) {
        for direction in [Direction::Forward, Direction::Back] {
            let copy = site.copy();
            let seen = Arc::default();
            let _ = apply(
                &site,
                copy.path(),
                Some(Arc::new(CrashInjector { seen, at })),
            );
            let recovered = recover(copy.path(), direction, None);
            assert!(
                recovered.is_ok(),
                "crash at {at}, {direction:?}: {recovered:?}"
            );
            let expected = match direction {
                Direction::Forward => &after,
                Direction::Back => &before,
            };
            let found = of(copy.path());
            expected
                .0
                .assert_same(&found.0, &format!("crash at {at}, {direction:?}"));
            assert_eq!(found.1, expected.1, "crash at {at}, {direction:?}");
        }
    }
}

/// Counts the renames of a commit.
#[derive(Default)]
struct Renames(AtomicUsize);

impl FaultInjector for Renames {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        if let Change::Rename(..) = change {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[test]
fn a_commit_renames_a_directory_of_data_once_whatever_is_in_it() {
    let renames = |files: usize| {
        let site = Site::new();
        let copy = site.copy();
        for data in [
            "Group/Provider/files/data",
            "Web/Site/W1/data",
            "Web/Site/W2/logs",
        ] {
            let data = copy.path().join(data);
            fs::create_dir_all(&data).expect("made");
            (0..files).for_each(|file| drop(fs::write(data.join(file.to_string()), "data")));
        }
        let inode = |copy: &DeploymentCopy| {
            let data = copy.path().join("Group/Provider/files/data");
            fs::metadata(data).expect("it is there").ino()
        };
        let before = inode(&copy);
        let counted = Arc::new(Renames::default());
        let ended = apply(&site, copy.path(), Some(counted.clone()));
        assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
        assert_eq!(inode(&copy), before, "the directory is another one");
        counted.0.load(Ordering::SeqCst)
    };
    assert_eq!(renames(1), renames(500));
}

/// A process that writes into a directory of its data all the time, at its path and by a handle.
#[test]
fn a_process_that_writes_during_the_run_loses_nothing() {
    let site = Site::new();
    let copy = site.copy();
    let data = copy.path().join("Group/Provider/files/data");
    fs::create_dir_all(&data).expect("made");
    let mut open = fs::File::create(data.join("open.log")).expect("created");
    writeln!(open, "before").expect("written");
    struct Writer {
        data: PathBuf,
        written: AtomicUsize,
    }
    impl FaultInjector for Writer {
        fn before(&self, change: Change<'_>) -> io::Result<()> {
            if let Change::Rename(..) = change {
                let number = self.written.load(Ordering::SeqCst);
                // The directory is elsewhere for a moment.
                if fs::write(self.data.join(number.to_string()), "data").is_ok() {
                    self.written.fetch_add(1, Ordering::SeqCst);
                }
            }
            Ok(())
        }
    }
    let writer = Arc::new(Writer {
        data: data.clone(),
        written: AtomicUsize::new(0),
    });
    let ended = apply(&site, copy.path(), Some(writer.clone()));
    assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
    writeln!(open, "after").expect("written");
    let written = writer.written.load(Ordering::SeqCst);
    assert!(written > 10, "{written}");
    for number in 0..written {
        assert!(
            data.join(number.to_string()).exists(),
            "file {number} of {written} is lost"
        );
    }
    let log = fs::read_to_string(data.join("open.log")).expect("it moved along");
    assert_eq!(log, "before\nafter\n");
}

/// Two directories with one name are merged; what collides stays where it is, and is named.
#[test]
fn a_directory_that_appears_at_its_target_is_merged() {
    struct Recreate {
        deployment: PathBuf,
    }
    impl FaultInjector for Recreate {
        fn before(&self, change: Change<'_>) -> io::Result<()> {
            // The new object is in place: a process makes its directory again, while the old one still
            // has entries.
            if let Change::Rename(from, to) = change
                && from.name() == "new"
                && to.as_str() == "Web/Site/W1"
            {
                let old = self.deployment.join(".rollup/runs/0001-KB1/slots");
                for slot in fs::read_dir(old)?.flatten() {
                    let logs = slot.path().join("old/logs");
                    if slot.path().join("old/state.toml").exists() && !logs.exists() {
                        fs::create_dir_all(logs.join("2009"))?;
                        fs::write(logs.join("2009/late.log"), "late")?;
                    }
                }
            }
            Ok(())
        }
    }
    let site = Site::new();
    let copy = site.copy();
    let deployment = copy.path().to_owned();
    let ended = apply(&site, copy.path(), Some(Arc::new(Recreate { deployment })));
    assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
    let logs = copy.path().join("Web/Site/W1/logs");
    assert!(logs.join("2008/january.log").exists());
    assert_eq!(
        fs::read_to_string(logs.join("2009/late.log")).expect("merged"),
        "late"
    );
}

#[test]
fn a_failing_undo_of_a_finished_run_goes_forward_again() {
    let site = Site::new();
    let finished = site.copy();
    assert!(matches!(
        apply(&site, finished.path(), None),
        Ok(Ended::Applied { .. })
    ));
    let after = Tree::of(finished.path());
    let mut restored = 0;
    for at in (1..).step_by(3) {
        let copy = DeploymentCopy::of(finished.path());
        let seen: Arc<AtomicUsize> = Arc::default();
        let injector = FailureInjector {
            seen: seen.clone(),
            at,
        };
        let ended = reopen(copy.path(), Some(Arc::new(injector)));
        if seen.load(Ordering::SeqCst) < at {
            break;
        }
        let context = format!("failure of change {at}");
        match ended {
            Ok(Ended::Restored { .. }) => {
                restored += 1;
                after.assert_same(&Tree::of(copy.path()), &context);
                let tree = Directory::open(copy.path()).expect("the deployment exists");
                let state = runs(&tree).expect("readable")[0].state();
                assert!(matches!(state, RunState::Closed(_)), "{context}: {state:?}");
                // The next attempt works.
                let again = reopen(copy.path(), None);
                assert!(
                    matches!(again, Ok(Ended::Undone { .. })),
                    "{context}: {again:?}"
                );
            }
            // The call was repeated, or cleaning up failed without harm.
            Ok(Ended::Undone { because: None }) => {}
            Err(_) => after.assert_same(&Tree::of(copy.path()), &context),
            Ok(Ended::Stuck { error, .. }) => {
                assert!(error.is_lost_write(), "{context}: {error}");
            }
            other => panic!("{context}: {other:?}"),
        }
    }
    assert!(restored > 10, "only {restored}");
}
