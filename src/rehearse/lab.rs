//! The folder of a lab, and what it is made from.

use std::fs;
use std::path::{Path, PathBuf};

use super::copy::copy_tree;
use super::{LabError, disk, payload, site};
use crate::deployment::description::Description;
use crate::manifest::Manifest;

/// The mark by which a lab is known again, so that `--replace` removes nothing else.
const MARK: &str = ".rollup-lab";

/// A lab, ready.
#[derive(Debug, Clone)]
pub struct Lab {
    /// The deployment.
    pub deployment: PathBuf,
    /// The payload.
    pub payload: PathBuf,
}

/// What the deployment of a lab comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// Built in its state before the rollup, from the text of a `deployment.toml`.
    Built(&'a str),
    /// A copy of a deployment.
    Copied(&'a Path),
}

/// What is done with a lab that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// It is left alone.
    Refuse,
    /// It is removed, if `rehearse` made it.
    Replace,
}

/// Makes a lab in `folder`: a deployment of its origin, and a built payload unless `real` is given.
pub fn prepare(
    manifest: &Manifest,
    description: &Description,
    folder: &Path,
    origin: Origin<'_>,
    real: Option<&Path>,
    existing: OnExisting,
) -> Result<Lab, LabError> {
    if let Origin::Copied(own) = origin {
        refuse_inside(folder, own)?;
        refuse_to_lose(folder, own)?;
    }
    if let Some(real) = real {
        refuse_to_lose(folder, real)?;
    }
    make_room(folder, existing)?;
    let built = match real {
        Some(_) => None,
        None => Some(payload::contents(manifest, description)?),
    };
    fs::create_dir_all(folder).map_err(disk("make the folder", folder))?;
    let mark = folder.join(MARK);
    fs::write(&mark, "made by `rollup rehearse`, which may replace it\n").map_err(disk("write", &mark))?;
    let deployment = folder.join("deployment");
    match origin {
        Origin::Copied(own) => copy_tree(own, &deployment)?,
        Origin::Built(text) => site::build(description, by_itself(text), &deployment)?,
    }
    let payload = match (real, built) {
        (Some(real), _) => real.to_owned(),
        (None, built) => {
            let at = folder.join("payload");
            payload::write(built.unwrap_or_default(), &at)?;
            at
        }
    };
    Ok(Lab { deployment, payload })
}

/// A text without its first line where that tells editors where the schema is: a lab may stand anywhere.
fn by_itself(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#:schema ") => rest,
        _ => text,
    }
}

/// Making a lab anew must not remove what it is made from.
pub fn refuse_to_lose(folder: &Path, source: &Path) -> Result<(), LabError> {
    let (Ok(folder), Ok(source)) = (folder.canonicalize(), source.canonicalize()) else { return Ok(()) };
    match source.starts_with(&folder) {
        true => Err(LabError::WouldBeLost(source)),
        false => Ok(()),
    }
}

/// A copy into itself would never end, and would stand in a deployment where nobody expects it.
fn refuse_inside(folder: &Path, own: &Path) -> Result<(), LabError> {
    let own = own.canonicalize().map_err(disk("find the way to", own))?;
    let here = std::path::absolute(folder).map_err(disk("find the way to", folder))?;
    // The lab itself may not exist yet; the nearest folder that does decides.
    let nearest = here.ancestors().find_map(|folder| folder.canonicalize().ok());
    match nearest.is_some_and(|nearest| nearest.starts_with(&own)) {
        true => Err(LabError::Inside(folder.to_owned())),
        false => Ok(()),
    }
}

fn make_room(folder: &Path, existing: OnExisting) -> Result<(), LabError> {
    let Ok(mut entries) = fs::read_dir(folder) else {
        return match folder.symlink_metadata() {
            Ok(_) => Err(LabError::NotALab(folder.to_owned())),
            Err(_) => Ok(()),
        };
    };
    if entries.next().is_none() {
        return Ok(());
    }
    if !folder.join(MARK).is_file() {
        return Err(LabError::NotALab(folder.to_owned()));
    }
    match existing {
        OnExisting::Refuse => Err(LabError::Exists(folder.to_owned())),
        OnExisting::Replace => fs::remove_dir_all(folder).map_err(disk("remove", folder)),
    }
}
