//! Search for the deployment that a path of the machine is in, for commands that must not write
//! there.

use std::path::Path;

use toml::de::DeTable;

/// Longest description that is read to find the name of its share, in bytes.
const LONGEST: u64 = 16 << 20;

/// Returns the directory among this one and its parents that is a deployment, the nearest first.
///
/// The path has to be absolute and without links. A directory is a deployment if it has `.rollup`,
/// or a `deployment.toml` beside `level.toml`, `applied`, `Servers` or the share that the
/// description names. A description alone is not enough: repositories of manifests keep one, too.
pub fn enclosing_deployment(directory: &Path) -> Option<&Path> {
    directory
        .ancestors()
        .find(|directory| is_deployment(directory))
}

fn is_deployment(directory: &Path) -> bool {
    let has = |name: &str| directory.join(name).symlink_metadata().is_ok();
    if directory.join(".rollup").is_dir() {
        return true;
    }
    has("deployment.toml")
        && (["level.toml", "applied", "Servers"].into_iter().any(has)
            || share(&directory.join("deployment.toml")).is_some_and(|share| has(&share)))
}

/// Returns the share that a description names, also if the description has errors.
fn share(description: &Path) -> Option<String> {
    let size = description
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)?
        .len();
    let text = (size <= LONGEST).then(|| std::fs::read_to_string(description).ok())??;
    let (table, _) = DeTable::parse_recoverable(&text);
    Some(table.get_ref().get("share")?.get_ref().as_str()?.to_owned())
}
