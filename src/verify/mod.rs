//! Does every installed file, installer and state still match its record and what the runs left?
//! Reads only.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::deployment::records::{InstallerRecord, ItemRecord};
use crate::deployment::snapshot::{Snapshot, in_files};
use crate::deployment::tree::{DiskError, FileFacts, Kind, Tree};
use crate::journal::runs;
use crate::names::{Digest, Folded, RelPath, Shown};
use crate::plan::What;
use crate::run::{RunError, left_by};

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Installed items and programs.
    pub items: usize,
    /// Their files, and those that runs copied or wrote.
    pub files: usize,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// Drift per file or record, sorted by path.
    pub drift: Vec<Drift>,
    /// An operator's files beside the installed ones; they belong there as far as anybody knows.
    pub beside: Vec<RelPath>,
    /// Names on disk that are not UTF-8, made readable; no plan that touches them is made.
    pub unreadable: Vec<String>,
}

/// One thing that does not match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// Where, below the deployment.
    pub path: RelPath,
    /// What is wrong, in words.
    pub what: String,
}

/// What looks like something that was never installed, and is not: a record that is no file, or files
/// without one.
fn hidden(snapshot: &Snapshot, folder: &RelPath) -> Option<Drift> {
    let below = |name: &str| folder.join(name).expect("a plain name");
    let record = snapshot.node(&below("state.toml"));
    if let Some(found) = record.filter(|found| found.kind != Kind::File) {
        return Some(Drift { path: found.path.clone(), what: format!("is {}, not a file", found.kind.named()) });
    }
    let files = below("files");
    let lost = record.is_none() && snapshot.below(&files).any(|found| found.kind == Kind::File);
    lost.then(|| Drift { path: files, what: "holds files, and no `state.toml` says what they are".to_owned() })
}

/// A file that should be what somebody recorded.
struct Expected {
    sha256: Digest,
    /// By whom, for the message.
    by: String,
}

/// Compares the deployment with its records and with what the finished runs left.
pub fn verify(tree: &Tree, snapshot: &Snapshot) -> Result<Verified, RunError> {
    let mut expected: BTreeMap<RelPath, Expected> = BTreeMap::new();
    let mut verified = Verified { unreadable: snapshot.unreadable.clone(), ..Verified::default() };
    for (path, left) in left_by(tree, &runs(tree)?)? {
        if let What::File { sha256, .. } = left.what {
            expected.insert(path, Expected { sha256, by: format!("run {} left it", left.run) });
        }
    }
    let site = &snapshot.description;
    for instance in site.all_instances() {
        let folder = snapshot.actual(&site.folder(instance));
        match snapshot.item(instance) {
            Some(record) => {
                let shown = site.shown(instance);
                take_in(snapshot, &folder, record, &shown, &mut expected, &mut verified);
                installer_of(snapshot, record, &shown, &mut expected, &mut verified);
            }
            None => verified.drift.extend(hidden(snapshot, &folder)),
        }
    }
    for (folder, record) in snapshot.programs() {
        let shown = folder.name().to_owned();
        // What a step ran came from its payload; a file of that name in the share is none of its business.
        take_in(snapshot, folder, record, &shown, &mut expected, &mut verified);
    }
    for (first, second) in &snapshot.clashes {
        let what = format!("and `{}` differ only in case", Shown(first.as_str()));
        verified.drift.push(Drift { path: second.clone(), what });
    }
    for (file, why) in &snapshot.faults {
        verified.drift.push(Drift { path: file.clone(), what: why.clone() });
    }
    compare(tree, snapshot, expected, &mut verified)?;
    verified.drift.sort();
    verified.drift.dedup();
    Ok(verified)
}

/// What the record of something installed says.
fn take_in(
    snapshot: &Snapshot,
    folder: &RelPath,
    record: &ItemRecord,
    shown: &str,
    expected: &mut BTreeMap<RelPath, Expected>,
    verified: &mut Verified,
) {
    let installed = record.installed.as_ref().filter(|_| record.state.is_installed());
    let files = installed.map(|installed| &installed.files);
    let mut ours: Vec<Folded> = vec![folder.with(&RelPath::parse("state.toml").expect("a name")).folded()];
    for (file, wanted) in files.into_iter().flatten() {
        let at = snapshot.exact(&in_files(folder, file));
        ours.push(at.folded());
        let by = format!("`{}` was installed with it", Shown(shown));
        expected.insert(at, Expected { sha256: wanted.sha256, by });
    }
    ours.sort();
    let beside = snapshot.below(folder).filter(|found| found.kind != Kind::Folder);
    let beside = beside.filter(|found| ours.binary_search(&found.path.folded()).is_err());
    verified.beside.extend(beside.map(|found| found.path.clone()));
    verified.items += usize::from(installed.is_some());
}

/// Whether the installer of an item still lies in the share, as the item was installed from it.
fn installer_of(
    snapshot: &Snapshot,
    record: &ItemRecord,
    shown: &str,
    expected: &mut BTreeMap<RelPath, Expected>,
    verified: &mut Verified,
) {
    let Some(installed) = record.installed.as_ref().filter(|_| record.state.is_installed()) else { return };
    let InstallerRecord { name, sha256 } = &installed.installer;
    if let Some(found) = snapshot.share_file(&name.folded()) {
        let by = format!("`{}` was installed from it", Shown(shown));
        expected.entry(found.path.clone()).or_insert(Expected { sha256: *sha256, by });
    } else {
        let what = format!("is gone; `{}` was installed from it", Shown(shown));
        let share = snapshot.description.share.as_str();
        let path = RelPath::parse(&format!("{share}/{name}")).expect("checked names");
        verified.drift.push(Drift { path, what });
    }
}

fn compare(
    tree: &Tree,
    snapshot: &Snapshot,
    expected: BTreeMap<RelPath, Expected>,
    verified: &mut Verified,
) -> Result<(), RunError> {
    let check = |(path, wanted): (&RelPath, &Expected)| -> Result<(u64, Option<String>), DiskError> {
        let at = snapshot.exact(path);
        match tree.look(&at)?.map(|look| look.kind) {
            None => Ok((0, Some(format!("is gone; {}", wanted.by)))),
            Some(Kind::File) => {
                let FileFacts { size, sha256 } = tree.facts(&at)?;
                Ok((
                    size,
                    (sha256 != wanted.sha256)
                        .then(|| format!("has other contents; {} as {}", wanted.by, wanted.sha256.short())),
                ))
            }
            Some(kind) => Ok((0, Some(format!("is {}, not a file; {}", kind.named(), wanted.by)))),
        }
    };
    let found: Vec<_> = expected.par_iter().map(check).collect::<Result<_, _>>()?;
    verified.files = expected.len();
    for (path, (bytes, what)) in expected.into_keys().zip(found) {
        verified.bytes += bytes;
        verified.drift.extend(what.map(|what| Drift { path, what }));
    }
    Ok(())
}
