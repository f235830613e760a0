//! A rollup that was applied by hand, and is recorded as applied.

use std::path::Path;

use anyhow::bail;

use super::{done_nothing, run_accept};
use crate::cli::args::AcceptArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::{self, DescribedDeployment};
use crate::cli::signed::{check_manifest, signature_of_file};
use crate::cli::terminal::out;
use crate::deployment::applied::AppliedRecord;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::names::Kb;
use crate::plan::{self, AppliedByHand};

/// Records the rollup of a number or a manifest.
pub(super) fn record_applied(
    site: &DescribedDeployment,
    disk: Option<LockedDeployment>,
    named: &Path,
    args: &AcceptArgs,
) -> anyhow::Result<Exit> {
    // A manifest may have a name that an identity could have.
    let is_manifest = named.is_file() || named.extension().is_some_and(|end| end == "toml");
    let number = named
        .to_str()
        .filter(|_| !is_manifest)
        .and_then(|text| text.parse::<Kb>().ok());
    let Some(kb) = number else {
        let loaded = inputs::manifest(named, None)?;
        let (tree, text) = (&site.tree, loaded.source.text());
        let signature = || signature_of_file(named);
        check_manifest(tree, &site.description, named, text, signature)?;
        let rollup = AppliedByHand::Manifest(&loaded.manifest);
        return record(site, disk, loaded.manifest.rollup.kb, &rollup, args);
    };
    record(site, disk, kb, &AppliedByHand::Number(kb), args)
}

fn record(
    site: &DescribedDeployment,
    disk: Option<LockedDeployment>,
    kb: Kb,
    rollup: &AppliedByHand<'_>,
    args: &AcceptArgs,
) -> anyhow::Result<Exit> {
    let interest = Interest {
        files: [AppliedRecord::path(kb)].into(),
        ..Interest::default()
    };
    let snapshot = Snapshot::read(&site.tree, site.description.clone(), &interest)?;
    if let Some((file, why)) = snapshot.faults.first() {
        let reason = format!("`{}` cannot be used: {why}", site.tree.shown(Some(file)));
        let failure = Failure::invalid(reason);
        bail!(failure.next(why.help()));
    }
    let Some(plan) = plan::accept_applied(&snapshot, rollup, &args.reason)? else {
        out::line(format_args!("nothing to do: {kb} is on record as applied"));
        return done_nothing(site, disk.as_ref(), args);
    };
    out::line(format_args!(
        "{kb} will be recorded as applied by hand; no installed file is moved or changed"
    ));
    run_accept(site, disk, &plan, args, &kb.to_string(), Ok(()))
}
