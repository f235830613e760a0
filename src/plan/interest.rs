//! Parts of a deployment that a plan may touch.

use std::collections::BTreeSet;

use crate::deployment::applied::AppliedRecord;
use crate::deployment::description::{Description, ItemKind, ServerId};
use crate::deployment::snapshot::Interest;
use crate::manifest::{Action, BoundFile, BoundManifest, CopyPlace, StepTarget};
use crate::names::{FileName, RelPath};

/// Returns the parts of this deployment that a plan of this manifest may touch, so that only these
/// are hashed. If the rollup `is_applied`, its installers are read from the share, too, because the
/// plan may only catch up.
pub fn interest(bound: &BoundManifest, site: &Description, is_applied: bool) -> Interest {
    let mut interest = Interest {
        files: [AppliedRecord::path(bound.manifest.rollup.kb)].into(),
        ..Interest::default()
    };
    for step in &bound.steps {
        match &step.action {
            Action::Uninstall(targets) => add_targets(&mut interest, targets),
            Action::Install(targets) => {
                add_targets(&mut interest, targets);
                installers(&mut interest, site, is_applied);
            }
            Action::Reinstall { .. } => installers(&mut interest, site, is_applied),
            Action::Manual { .. } | Action::NoServer => {}
            Action::Initialize(procedures) => {
                let procedures = procedures.iter();
                add_targets(&mut interest, procedures.map(|procedure| &procedure.target));
            }
            Action::Copy { files, to } => copies(&mut interest, site, files, to),
            Action::Run { on, .. } => interest.programs_on.extend(&on.servers),
            Action::Service {
                service, servers, ..
            } => {
                let servers = servers.iter().map(|server| (*service, *server));
                interest.services.extend(servers);
            }
        }
    }
    interest
}

fn add_targets<'t>(interest: &mut Interest, targets: impl IntoIterator<Item = &'t StepTarget>) {
    let targets = targets.into_iter();
    interest
        .instances
        .extend(targets.map(|target| target.instance));
}

/// Adds the installers from which the items so far may be installed: the share has those that no
/// earlier step copied, and all if the rollup is applied.
fn installers(interest: &mut Interest, site: &Description, is_applied: bool) {
    let items: BTreeSet<_> = interest.instances.iter().map(|of| of.item).collect();
    for item in items {
        if let ItemKind::Component { installer, .. } = &site[item].kind {
            let installer = installer.case_folded();
            if interest.share.insert(installer.clone()) || is_applied {
                interest.packages.insert(installer);
            }
        }
    }
}

fn copies(interest: &mut Interest, site: &Description, files: &[BoundFile], to: &CopyPlace) {
    match to {
        CopyPlace::Share => {
            let names = files.iter().map(|file| file.name.file_name().case_folded());
            interest.share.extend(names);
        }
        CopyPlace::Servers(on, directory) => {
            for &server in &on.servers {
                for file in files {
                    let path =
                        server_file(site, server, directory.as_ref(), &file.name.file_name());
                    interest.files.insert(path);
                }
            }
        }
    }
}

/// Returns the path of a file in the share, as `deployment.toml` and the step spell it.
pub(super) fn share_file(site: &Description, name: &FileName) -> RelPath {
    let share = RelPath::parse(site.share.as_str()).expect("a checked name");
    share.join(name.as_str()).expect("a checked name")
}

/// Returns the path of a copied file on a server, as `deployment.toml` and the step spell it.
pub(super) fn server_file(
    site: &Description,
    server: ServerId,
    directory: Option<&RelPath>,
    name: &FileName,
) -> RelPath {
    let files = site.files_directory(server);
    let files = directory.map_or(files.clone(), |directory| files.with(directory));
    files.join(name.as_str()).expect("a checked name")
}
