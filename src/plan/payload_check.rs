//! Whether the payload is what the file table says and what the steps need.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::{Reason, ReasonKind};
use crate::deployment::description::{Description, ItemKind};
use crate::deployment::tree::FileFacts;
use crate::manifest::{Action, CopyFiles, Manifest, PayloadFile};
use crate::names::{Folded, Shown};
use crate::payload::{PackageFault, PayloadFact, PayloadFacts};

/// How far a date may be off and still be told as another time zone, in seconds.
const LARGEST_ZONE: i64 = 14 * 3600;

/// How a payload compares with its manifest.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// What is wrong with files that steps deploy: the rollup cannot be applied.
    pub reasons: Vec<Reason>,
    /// What is wrong with files that no step deploys.
    pub others: Vec<Reason>,
    /// Everything worth a word that stops nothing.
    pub warnings: Vec<String>,
    /// Dates that differ, which are among the warnings too.
    pub dates: Vec<String>,
}

/// Compares every file with its row, its pin and, where a deployment is known, the item it is for.
pub fn compare_payload(manifest: &Manifest, site: Option<&Description>, payload: &PayloadFacts) -> Compared {
    let (deployed, run) = deployed(manifest);
    let products = site.map(products).unwrap_or_default();
    let mut compared = Compared::default();
    let mut unpinned = 0;
    for row in &manifest.files {
        let name = row.name.folded();
        let needed = deployed.contains(&name);
        let Some(fact) = payload.files.get(&name) else {
            if needed {
                let message = format!("`{}` is missing in the payload", row.name);
                compared.reasons.push(mismatch(message, "unpack the vendor's download again"));
            }
            continue;
        };
        let found = wrong(row, fact).or_else(|| unusable(row, fact, run.contains(&name), products.get(&name)));
        match needed {
            true => compared.reasons.extend(found),
            false => {
                compared.warnings.extend(found.iter().map(|reason| reason.message.clone()));
                compared.others.extend(found);
            }
        }
        compared.dates.extend(wrong_date(row, fact));
        unpinned += usize::from(row.sha256.is_none() && needed);
    }
    for (a, b) in &payload.clashes {
        let message = format!("`{}` and `{}` in the payload differ only in case", Shown(a), Shown(b));
        compared.reasons.push(mismatch(message, "remove the one that is not the vendor's"));
    }
    compared.warnings.extend(compared.dates.iter().cloned());
    if unpinned > 0 {
        let files = if unpinned == 1 { "file has" } else { "files have" };
        compared.warnings.push(format!(
            "{unpinned} {files} no pinned SHA-256 in the manifest, so only name, size and product were compared"
        ));
    }
    compared
}

/// The folded names of files that steps deploy, and of those that steps run.
fn deployed(manifest: &Manifest) -> (BTreeSet<Folded>, BTreeSet<Folded>) {
    let (mut deployed, mut run) = (BTreeSet::new(), BTreeSet::new());
    for step in &manifest.steps {
        match &step.action {
            Action::Copy { files: CopyFiles::Named(names), .. } => {
                deployed.extend(names.iter().map(|listed| Folded::of(&listed.name)));
            }
            Action::Copy { files: CopyFiles::Others { names, .. }, .. } => {
                deployed.extend(names.iter().map(|name| name.folded()));
            }
            Action::Run { files, .. } => run.extend(files.iter().map(|listed| Folded::of(&listed.name))),
            _ => {}
        }
    }
    deployed.extend(run.iter().cloned());
    (deployed, run)
}

/// The item that is installed from a file.
struct ForItem {
    item: String,
    product: String,
}

/// The product that a file must hold, and the item that is installed from it.
fn products(site: &Description) -> BTreeMap<Folded, ForItem> {
    let named = site.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Component { installer, product, .. } => {
            let belongs = ForItem { item: item.name.to_string(), product: product.clone() };
            Some((installer.folded(), belongs))
        }
        ItemKind::Procedure { .. } => None,
    });
    named.collect()
}

fn mismatch(message: String, help: &str) -> Reason {
    Reason::new(ReasonKind::Mismatch, message).help(help)
}

/// The first way in which a file differs from its row.
fn wrong(row: &PayloadFile, fact: &PayloadFact) -> Option<Reason> {
    let name = &row.name;
    let FileFacts { size, sha256 } = match &fact.facts {
        Ok(facts) => *facts,
        Err(what) => {
            return Some(mismatch(format!("`{name}` in the payload cannot be used: {what}"), "put the file there"));
        }
    };
    let again = "unpack the vendor's download again";
    if let Some(wanted) = row.size.filter(|&wanted| wanted != size) {
        let how = if size < wanted { "too short" } else { "too long" };
        let message = format!("`{name}` is {how}: the file table says {wanted} bytes, the payload has {size}");
        return Some(mismatch(message, again));
    }
    let wanted = row.sha256.filter(|&wanted| wanted != sha256)?;
    let held = match &fact.package {
        Ok(contents) => format!("; it holds `{}` {}", Shown(&contents.identity.product), contents.identity.version),
        Err(_) => String::new(),
    };
    let message = format!("`{name}` is not the pinned file: SHA-256 {sha256}, the manifest pins {wanted}{held}");
    Some(mismatch(message, again))
}

/// Why a file with the right size and hash still cannot be used for what it is for.
fn unusable(row: &PayloadFile, fact: &PayloadFact, is_run: bool, belongs: Option<&ForItem>) -> Option<Reason> {
    let name = &row.name;
    let needed = is_run || belongs.is_some() || name.is_msi();
    match &fact.package {
        Err(PackageFault::NotAPackage(why)) if needed => {
            Some(mismatch(format!("`{name}` is no installer: {why}"), "unpack the vendor's download again"))
        }
        Err(PackageFault::Unusable(why)) if needed => {
            Some(mismatch(format!("`{name}` cannot be installed from: {why}"), "`rollup inspect` tells more"))
        }
        Err(_) => None,
        Ok(contents) => {
            let ForItem { item, product } = belongs?;
            let found = &contents.identity.product;
            (found != product).then(|| {
                let message = format!("`{name}` should hold `{product}` for `{item}`, and holds `{}`", Shown(found));
                mismatch(message, "two files may be swapped; `rollup inspect` tells what each one holds")
            })
        }
    }
}

/// A wrong date is worth a word, since another edition has one too; but copying changes it, and where
/// the hash is pinned it says nothing.
fn wrong_date(row: &PayloadFile, fact: &PayloadFact) -> Option<String> {
    let wanted = row.modified.filter(|_| row.sha256.is_none() && fact.facts.is_ok())?;
    // The table tells minutes.
    let off = fact.modified.div_euclid(60) * 60 - wanted;
    if off == 0 {
        return None;
    }
    Some(match off % 3600 == 0 && off.abs() <= LARGEST_ZONE {
        true => format!("`{}` is dated {} h off, which looks like another time zone", row.name, off / 3600),
        false => format!("`{}` has another date than the file table says; copying may have changed it", row.name),
    })
}
