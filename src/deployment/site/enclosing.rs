//! Search for the deployment that contains a path, for commands that must not write into one.

use std::path::Path;

use super::applied::APPLIED;
use crate::deployment::disk::run_dir::RollupDir;
use crate::names::same_name;

/// Largest description in which the name of the share is searched, in bytes.
const LONGEST: u64 = 4 << 20;

/// Files and directories beside a `deployment.toml` that only a deployment has.
const DEPLOYMENT_ENTRIES: [&str; 2] = [APPLIED, "Servers"];

/// Returns the nearest deployment among a directory and its parent directories.
///
/// The path has to be absolute and without links. A directory is a deployment if it has `.rollup`,
/// or a `deployment.toml` beside `applied`, `Servers` or the share that the
/// description names, in any case. A `deployment.toml` alone is not enough: repositories of
/// manifests have one, too.
pub fn enclosing_deployment(directory: &Path) -> Option<&Path> {
    directory
        .ancestors()
        .find(|directory| is_deployment(directory))
}

fn is_deployment(directory: &Path) -> bool {
    if directory.join(RollupDir::NAME).is_dir() {
        return true;
    }
    let description = directory.join("deployment.toml");
    if description.symlink_metadata().is_err() {
        return false;
    }
    let share = share(&description);
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| {
            let is_share = share.as_ref().is_some_and(|share| same_name(share, &name));
            is_share
                || DEPLOYMENT_ENTRIES
                    .iter()
                    .any(|entry| same_name(entry, &name))
        })
}

/// Returns the share that a description names, even if the description has errors. Only its line is
/// searched, since a parser needs memory for each error, and any parent directory may have such a
/// file.
fn share(description: &Path) -> Option<String> {
    let metadata = description
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    if metadata.len() > LONGEST {
        return None;
    }
    let text = std::fs::read_to_string(description).ok()?;
    let value = text.lines().find_map(|line| {
        let key = line
            .trim_start()
            .trim_start_matches(['"', '\''])
            .strip_prefix("share")?;
        key.trim_start_matches(['"', '\''])
            .trim_start()
            .strip_prefix('=')
    })?;
    let value = value.trim_start();
    let quote = value
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..]
        .split_once(quote)
        .map(|(share, _)| share.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_found_in_a_damaged_description() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = directory.path().join("deployment.toml");
        for (text, found) in [
            ("share = \"MSIShare\"\n", Some("MSIShare")),
            (
                "schema = = 1\n  share='My Share' # here\n",
                Some("My Share"),
            ),
            ("\"share\" = \"X\"", Some("X")),
            ("shared = \"X\"\n", None),
            ("share = 1\n", None),
            ("share = \"open\n", None),
        ] {
            std::fs::write(&at, text).expect("written");
            assert_eq!(share(&at).as_deref(), found, "{text}");
        }
    }
}
