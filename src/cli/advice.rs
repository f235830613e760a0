//! Completes the commands in advice, so that they can be typed as they are printed.
//!
//! A message of the engine names a command, such as `rollup apply --reapply`, and knows neither the
//! manifest nor the deployment. The command line that failed has both.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};

use super::saved::SavedPlan;
use super::terminal::out;

/// Paths of the command line that printed the advice.
#[derive(Debug, Default)]
pub(super) struct TypedPaths {
    pub(super) manifest: Option<PathBuf>,
    pub(super) deployment: Option<PathBuf>,
    pub(super) payload: Option<PathBuf>,
}

impl TypedPaths {
    /// Returns the paths of a parsed command line; `deployment` is the one that was found.
    pub(super) fn of(matches: &ArgMatches, deployment: Option<&Path>) -> Self {
        let path = |id| {
            let (_, matches) = matches.subcommand()?;
            matches.try_get_one::<PathBuf>(id).ok().flatten().cloned()
        };
        let typed = path("manifest");
        // The options of a saved plan cannot be changed, so advice names what it was made from.
        let saved = typed.as_deref().and_then(|typed| {
            let saved = SavedPlan::read(typed).ok().flatten()?;
            saved.origin(typed).ok()
        });
        let (manifest, planned_payload) = match saved {
            Some((manifest, payload, _)) => (Some(manifest), Some(payload)),
            None => (typed, None),
        };
        Self {
            manifest,
            deployment: deployment.map(Path::to_owned),
            payload: path("payload").or(planned_payload),
        }
    }

    /// Completes every command between backticks.
    pub(super) fn complete(&self, advice: &str) -> String {
        let parts = advice.split('`').enumerate();
        let completed = parts.map(|(at, part)| match part.strip_prefix("rollup ") {
            Some(command) if at % 2 == 1 => self.complete_command(command),
            _ => part.to_owned(),
        });
        completed.collect::<Vec<_>>().join("`")
    }

    fn complete_command(&self, typed: &str) -> String {
        let program = super::command();
        let verb = typed.split(' ').next().unwrap_or_default();
        let mut completed = format!("rollup {typed}");
        let Some(command) = program.find_subcommand(verb) else {
            return completed;
        };
        let has_option = |option: &str| typed.split(' ').any(|word| word == option);
        let is_document = |arg: &&Arg| {
            let name = placeholder(arg);
            arg.is_required_set() && (name == "MANIFEST" || name == "PLAN" || verb == "validate")
        };
        let required = command.get_positionals().find(is_document);
        if let Some(required) = required
            && !has_positional(command, typed)
        {
            let document = match &self.manifest {
                Some(manifest) => out::shell_quoted(manifest),
                None => placeholder(required),
            };
            completed = completed.replacen(verb, &format!("{verb} {document}"), 1);
        }
        let options = [
            ("deployment", "-d", &self.deployment),
            ("payload", "-p", &self.payload),
        ];
        for (id, option, path) in options {
            if let Some(path) = path
                && takes(command, id)
                && !has_option(option)
            {
                completed.push_str(&format!(" {option} {}", out::shell_quoted(path)));
            }
        }
        if takes(command, "reason") && !has_option("--reason") {
            completed.push_str(" --reason TEXT");
        }
        completed
    }
}

/// Returns the word for an argument in usage lines: the first of its value name.
fn placeholder(arg: &Arg) -> String {
    let name = arg.get_value_names().and_then(|names| names.first());
    let name = name.map_or_else(|| arg.get_id().to_string(), ToString::to_string);
    name.split('|').next().unwrap_or_default().to_owned()
}

fn takes(command: &Command, id: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == id)
}

/// Returns whether a command line has a word that is neither an option nor the value of one.
fn has_positional(command: &Command, typed: &str) -> bool {
    let takes_value = |word: &str| {
        let names = |arg: &&Arg| {
            arg.get_long()
                .is_some_and(|long| word.strip_prefix("--") == Some(long))
                || arg
                    .get_short()
                    .is_some_and(|short| word == format!("-{short}"))
        };
        let arg = command.get_arguments().find(names);
        arg.is_some_and(|arg| arg.get_action().takes_values())
    };
    let mut words = typed.split(' ').skip(1);
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            return true;
        }
        if takes_value(word) {
            words.next();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_advice_get_the_paths_of_the_command_line() {
        let paths = TypedPaths {
            manifest: Some("my manifest.toml".into()),
            deployment: Some("hmc40".into()),
            payload: Some("files".into()),
        };
        for (advice, completed) in [
            ("move it, then try again", "move it, then try again"),
            (
                "`rollup apply --reapply` repeats it; `rollup accept` accepts the drift",
                "`rollup apply 'my manifest.toml' --reapply -d hmc40 -p files` repeats it; \
                 `rollup accept -d hmc40 --reason TEXT` accepts the drift",
            ),
            ("`rollup undo 12 -d other`", "`rollup undo 12 -d other`"),
            ("`rollup explain recovery`", "`rollup explain recovery`"),
            (
                "`rollup plan other.toml --save plan.json`",
                "`rollup plan other.toml --save plan.json -d hmc40 -p files`",
            ),
        ] {
            assert_eq!(paths.complete(advice), completed);
        }
        let unknown = TypedPaths::default();
        assert_eq!(
            unknown.complete("`rollup apply`"),
            "`rollup apply MANIFEST`"
        );
    }
}
