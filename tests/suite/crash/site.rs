//! A small deployment and a rollup with every kind of step.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rollup::deployment::applied::AppliedRecord;
use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::deployment::snapshot::Snapshot;
use rollup::deployment::tree::Tree as Directory;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Manifest};
use rollup::payload::Payload;
use rollup::plan::{Options, Plan, Planned, interest, plan};
use rollup::rehearse::{build_payload, build_site};
use rollup::run;
use tempfile::TempDir;
use walkdir::WalkDir;

use super::tree::Tree;
use super::{Ended, apply};

use crate::temporary::temporary;

const DEPLOYMENT: &str = r#"
schema = 1
name = "small"
product = "Product"
product_version = "1"
share = "Share"
roles = [{ name = "engine" }, { name = "web" }]
servers = [{ name = "E1", roles = ["engine"] }, { name = "W1", roles = ["web"] }, { name = "W2", roles = ["web"] }]
services = [{ name = "Engine", on = "engine" }, { name = "Web", on = "web" }]

[[groups]]
path = "Group"
items = [{ name = "Provider", installer = "Provider.msi" }]
procedures = [{ name = "Prepare" }]

[[groups]]
path = "Web"
on = "web"
items = [{ name = "Site", installer = "Site.msi" }, { name = "New", installer = "New.msi" }]

[requires]
"Site" = ["Provider"]

[rehearsal]
not_installed = ["New"]
"#;

const MANIFEST: &str = r#"
schema = 1

[rollup]
kb = "KB1"
title = "A little of everything"
product = "Product"
product_versions = ["1"]

[[steps]]
id = "disable"
action = "disable"
service = "Engine"

[[steps]]
id = "uninstall"
action = "uninstall"
items."Group" = ["Provider"]
items."Web" = ["Site"]

[[steps]]
id = "share"
action = "copy"
to = "share"
files = ["Provider.msi", "Site.msi", "New.msi"]

[[steps]]
id = "by-hand"
action = "manual"
instructions = "do it"
undo = "undo it"
files = ["x86/by hand.vbs", "x64/by hand.vbs"]

[[steps]]
id = "files"
action = "copy"
to = "tools/new"
on = "web"
files = ["Tool.txt", "more/Other.txt"]

[[steps]]
id = "more-files"
action = "copy"
to = "tools/new"
on = "web"
files = ["Late.txt"]

[[steps]]
id = "install"
action = "install"
removed_by = "uninstall"

[[steps]]
id = "install-new"
action = "install"
items."Web" = ["New"]

[[steps]]
id = "run"
action = "run"
on = "engine"
files = ["Tool.msi"]

[[steps]]
id = "prepare"
action = "initialize"
items."Group" = ["Prepare"]

[[steps]]
id = "enable"
action = "enable"
service = "Engine"

[[steps]]
id = "each"
action = "each-server"
on = "web"

[[steps.steps]]
id = "drain"
action = "manual"
instructions = "take it out"
undo = "take it in"

[[steps.steps]]
id = "hotfix"
action = "run"
files = ["Hotfix.exe"]
arguments = "/quiet"
undo = "Hotfix.exe /uninstall"

[[steps.steps]]
id = "restart"
action = "restart"
service = "Web"

[payload]
files = [
  { name = "Provider.msi", size = 32768 },
  { name = "Site.msi", size = 32768 },
  { name = "New.msi", size = 32768 },
  { name = "Tool.msi", size = 32768 },
  { name = "Hotfix.exe", size = 1024 },
  { name = "Tool.txt", size = 100 },
  { name = "more/Other.txt", size = 0 },
  { name = "x86/by hand.vbs", size = 20 },
  { name = "x64/by hand.vbs", size = 30 },
  { name = "Late.txt", size = 10 },
]
"#;

/// Deployment in its state before, with the rollup to apply.
pub(crate) struct Site {
    directory: TempDir,
    pub(crate) description: Description,
    manifest: Manifest,
    pub(crate) manifest_text: String,
    pub(crate) payload: Payload,
}

impl Site {
    /// Builds the deployment: older packages installed, and unmanaged files beside their files.
    pub(crate) fn new() -> Self {
        let site = Self::of(DEPLOYMENT, MANIFEST);
        let deployment = site.directory();
        put(
            &deployment,
            "Group/Provider/files/Program Files/Provider/operator.ini",
            "unmanaged",
        );
        put(&deployment, "Group/Provider/notes.txt", "unmanaged");
        put(
            &deployment,
            "Web/Site/W1/logs/2008/january.log",
            "unmanaged",
        );
        let private = std::fs::Permissions::from_mode(0o750);
        std::fs::set_permissions(deployment.join("Web/Site/W1/logs"), private)
            .expect("the test owns it");
        std::fs::create_dir_all(deployment.join("Web/Site/W2/empty/directory"))
            .expect("a directory");
        site
    }

    /// Builds a deployment of this description, and the payload of a manifest for it.
    pub(crate) fn of(deployment_text: &str, manifest_text: &str) -> Self {
        let directory = temporary();
        let mut findings = Findings::default();
        let described = describe::parse(
            &Source::new("deployment.toml", deployment_text),
            &mut findings,
        );
        let source = Source::new("manifest.toml", manifest_text);
        let manifest = manifest::parse(&source, &mut findings);
        let (Some(description), Some(manifest)) = (described, manifest) else {
            panic!("{findings:#?}")
        };
        let deployment = directory.path().join("deployment");
        build_site(&description, deployment_text, &deployment).expect("the site can be built");
        build_payload(&manifest, &description, &directory.path().join("payload"))
            .expect("the payload can be built");
        let payload = Payload::open(&directory.path().join("payload")).expect("it was just built");
        Self {
            directory,
            description,
            manifest,
            manifest_text: manifest_text.to_owned(),
            payload,
        }
    }

    /// Returns the deployment in its state before; no test changes it.
    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().join("deployment")
    }

    /// Copies the deployment, with the times of its files.
    pub(crate) fn copy(&self) -> DeploymentCopy {
        DeploymentCopy::of(&self.directory())
    }

    /// Plans the rollup for a deployment that this site describes.
    pub(crate) fn plan(&self, deployment: &Path) -> Plan {
        let tree = Directory::open(deployment).expect("the deployment exists");
        let kb = self.manifest.rollup.kb;
        let record = tree
            .metadata(&AppliedRecord::path(kb))
            .expect("it can be read");
        let bound = self.manifest.clone().bind(&self.description);
        let bound = bound.expect("known names");
        let interest = interest(&bound, &self.description, record.is_some());
        let snapshot = Snapshot::read(&tree, self.description.clone(), &interest);
        let mut snapshot = snapshot.expect("the deployment can be read");
        (snapshot.past, _) = run::past(&tree, Some(kb)).expect("the runs can be read");
        let facts = self.payload.facts(&self.manifest.file_table());
        match plan(&bound, &snapshot, Some(&facts), Options::default()) {
            Ok(Planned::Plan(plan)) => *plan,
            other => panic!("{other:#?}"),
        }
    }

    /// Returns the tree after an apply that nothing disturbs, without times.
    pub(crate) fn applied(&self) -> Tree {
        let copy = self.copy();
        assert!(matches!(
            apply(self, copy.path(), None),
            Ok(Ended::Applied { .. })
        ));
        Tree::of(copy.path()).without_times()
    }
}

/// Copy of a deployment in a temporary directory.
pub(crate) struct DeploymentCopy {
    _directory: TempDir,
    deployment: PathBuf,
}

impl DeploymentCopy {
    /// Copies a deployment, with its `.rollup`.
    pub(crate) fn of(source: &Path) -> Self {
        let copy = temporary();
        let target = copy.path().join("deployment");
        for entry in WalkDir::new(source) {
            let entry = entry.expect("the site can be listed");
            let below = entry
                .path()
                .strip_prefix(source)
                .expect("it is below the source");
            let at = if below.as_os_str().is_empty() {
                target.clone()
            } else {
                target.join(below)
            };
            if entry.file_type().is_dir() {
                std::fs::create_dir(&at).expect("a new directory");
                let mode = entry.metadata().expect("listed").permissions();
                std::fs::set_permissions(&at, mode).expect("the test owns it");
                copy_extended(entry.path(), &at);
                continue;
            }
            std::fs::copy(entry.path(), &at).expect("a file can be copied");
            let modified = entry
                .metadata()
                .expect("listed")
                .modified()
                .expect("files have times");
            let file = std::fs::File::options()
                .write(true)
                .open(&at)
                .expect("just copied");
            copy_extended(entry.path(), &at);
            file.set_modified(modified).expect("a time can be set");
        }
        DeploymentCopy {
            _directory: copy,
            deployment: target,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.deployment
    }
}

/// Copies ACLs and extended attributes; removes those that a new object got from its directory.
fn copy_extended(from: &Path, to: &Path) {
    for name in xattr::list(to).expect("listed") {
        xattr::remove(to, name).expect("removed");
    }
    for name in xattr::list(from).expect("listed") {
        let value = xattr::get(from, &name).expect("readable").expect("listed");
        xattr::set(to, &name, &value).expect("set");
    }
}

fn put(deployment: &Path, below: &str, text: &str) {
    let at = deployment.join(below);
    std::fs::create_dir_all(at.parent().expect("it has a parent"))
        .expect("directories can be made");
    std::fs::write(at, text).expect("a file can be written");
}
