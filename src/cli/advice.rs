//! Commands to type next, completed so that they can be typed as they are printed.
//!
//! A message names a command, such as `rollup apply --reapply`, and knows neither the manifest nor
//! the deployment. The command line that was typed has both, and the options that change the plan.
//! Without a terminal, a command that prompts gets `--yes`.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};

use super::args::PlanChoices;
use super::saved::SavedPlan;
use super::terminal::{out, prompts};
use crate::journal::Run;

/// Flags that change the plan, by the ids of their arguments.
const PLAN_FLAGS: [&str; 3] = ["include_missing", "reapply", "allow_downgrade"];

/// Part of a command line that other commands for the same deployment and plan repeat.
#[derive(Debug, Clone, Default)]
pub(super) struct TypedCommand {
    /// Manifest, if one was given.
    pub(super) manifest: Option<PathBuf>,
    /// Saved plan, if one was given, which has its manifest.
    pub(super) saved_plan: Option<PathBuf>,
    pub(super) deployment: Option<PathBuf>,
    pub(super) payload: Option<PathBuf>,
    /// Options that change the plan, with their values.
    pub(super) options: Vec<String>,
}

impl TypedCommand {
    /// Returns the parts of a parsed command line; `deployment` is the one that was found.
    pub(super) fn of(matches: &ArgMatches, deployment: Option<&Path>) -> Self {
        let mut typed = deployment.map(Self::on).unwrap_or_default();
        let Some((_, matches)) = matches.subcommand() else {
            return typed;
        };
        // A rehearsal may have several manifests, and advice is about one of them.
        let only = |id| {
            let paths = matches.try_get_many::<PathBuf>(id).ok().flatten()?;
            let paths: Vec<_> = paths.collect();
            match paths[..] {
                [path] => Some(path.clone()),
                _ => None,
            }
        };
        typed.manifest = only("manifest");
        typed.payload = only("payload");
        for id in PLAN_FLAGS {
            if let Ok(Some(true)) = matches.try_get_one::<bool>(id) {
                typed.options.push(format!("--{}", id.replace('_', "-")));
            }
        }
        if let Ok(Some(ids)) = matches.try_get_many::<String>("confirm") {
            typed
                .options
                .extend(ids.map(|id| format!("--confirm {id}")));
        }
        typed.resolve_saved_plan();
        typed
    }

    /// Returns the parts that name a deployment.
    pub(super) fn on(deployment: &Path) -> Self {
        Self {
            deployment: Some(deployment.to_owned()),
            ..Self::default()
        }
    }

    /// Names a saved plan, whose options cannot be changed.
    fn resolve_saved_plan(&mut self) {
        if let Some(path) = &self.manifest
            && let Ok(Some(saved)) = SavedPlan::read(path)
        {
            self.saved_plan = self.manifest.take();
            self.options
                .extend(PlanChoices::from(saved.plan.options).flags());
        }
    }

    /// Completes every command between backticks.
    pub(super) fn complete(&self, advice: &str) -> String {
        let mut parts: Vec<String> = advice.split('`').map(str::to_owned).collect();
        for part in parts.iter_mut().skip(1).step_by(2) {
            if let Some(command) = part.strip_prefix("rollup ") {
                *part = self.command(command);
            }
        }
        parts.join("`")
    }

    /// Completes one command, which is given without the name of the program.
    pub(super) fn command(&self, typed: &str) -> String {
        let program = super::command();
        let verb = typed.split(' ').next().unwrap_or_default();
        let Some(definition) = program.find_subcommand(verb) else {
            return format!("rollup {typed}");
        };
        let given: Vec<&str> = typed.split(' ').collect();
        let options_at = given.iter().position(|word| word.starts_with('-'));
        let (named, options) = given.split_at(options_at.unwrap_or(given.len()));
        let mut advised = AdvisedCommand {
            definition,
            given: &given,
            words: named.iter().map(ToString::to_string).collect(),
        };
        // To plan again, or with other options, takes a manifest.
        let is_saved_plan = self.saved_plan.is_some() && typed == verb;
        let document = if is_saved_plan {
            &self.saved_plan
        } else {
            &self.manifest
        };
        let is_completed = advised.add_document(document.as_deref());
        // Without `-d`, a rehearsal makes a sample.
        if verb != "rehearse" {
            advised.add_path("deployment", "-d", self.deployment.as_deref());
        }
        advised.add_path("payload", "-p", self.payload.as_deref());
        advised
            .words
            .extend(options.iter().map(ToString::to_string));
        if is_completed && !is_saved_plan {
            for option in &self.options {
                advised.add_option(option);
            }
        }
        advised.add("reason", "--reason TEXT");
        if !prompts::can_ask() {
            advised.add("yes", "--yes");
        }
        format!("rollup {}", advised.words.join(" "))
    }

    /// Prints commands to type next, each with its effect.
    pub(super) fn print_next(&self, commands: &[(impl AsRef<str>, &str)]) {
        let completed: Vec<String> = commands
            .iter()
            .map(|(command, _)| self.command(command.as_ref()))
            .collect();
        let width = completed.iter().map(String::len).max().unwrap_or_default();
        let mut label = "next";
        for (command, (_, effect)) in completed.iter().zip(commands) {
            out::line(format_args!("{label}: {command:width$}    {effect}"));
            label = "  or";
        }
    }
}

/// Command in advice, while it is completed.
struct AdvisedCommand<'a> {
    definition: &'a Command,
    /// Words that the advice has.
    given: &'a [&'a str],
    words: Vec<String>,
}

impl AdvisedCommand<'_> {
    /// Adds an option that the command takes, unless the advice has it.
    fn add(&mut self, id: &str, option: &str) {
        let name = option.split(' ').next().unwrap_or_default();
        let long = format!("--{}", id.replace('_', "-"));
        if self
            .definition
            .get_arguments()
            .any(|arg| arg.get_id() == id)
            && !self
                .given
                .iter()
                .any(|word| *word == name || word.split('=').next() == Some(&long))
        {
            self.words.push(option.to_owned());
        }
    }

    fn add_path(&mut self, id: &str, option: &str, path: Option<&Path>) {
        if let Some(path) = path {
            self.add(id, &format!("{option} {}", out::shell_quoted(path)));
        }
    }

    /// Adds an option that changes the plan.
    fn add_option(&mut self, option: &str) {
        let name = option.split(' ').next().unwrap_or_default();
        self.add(&name.trim_start_matches('-').replace('-', "_"), option);
    }

    /// Adds the document that the command requires, unless the advice names one. Returns whether it
    /// was added.
    fn add_document(&mut self, document: Option<&Path>) -> bool {
        let verb = self.definition.get_name();
        let is_document = |arg: &&Arg| {
            let name = placeholder(arg);
            arg.is_required_set() && (name == "MANIFEST" || name == "PLAN" || verb == "validate")
        };
        let required = self.definition.get_positionals().find(is_document);
        let Some(required) = required.filter(|_| !self.has_positional()) else {
            return false;
        };
        let document = match document {
            Some(document) => out::shell_quoted(document),
            None => placeholder(required),
        };
        self.words.insert(1, document);
        true
    }

    /// Returns whether the advice has a word that is neither an option nor the value of one.
    fn has_positional(&self) -> bool {
        let mut words = self.given.iter().skip(1);
        while let Some(word) = words.next() {
            let Some(long) = word.strip_prefix("--") else {
                return true;
            };
            let option = self
                .definition
                .get_arguments()
                .find(|arg| arg.get_long() == Some(long));
            if option.is_some_and(|option| option.get_action().takes_values()) {
                words.next();
            }
        }
        false
    }
}

/// Returns the word for an argument in usage lines: the first of its value name.
fn placeholder(arg: &Arg) -> String {
    let name = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map_or_else(|| arg.get_id().to_string(), ToString::to_string);
    name.split('|').next().unwrap_or_default().to_owned()
}

/// Returns the words of a command for a deployment, for a text that is read later.
pub(super) fn command_for(deployment: &Path, verb: &str) -> String {
    format!("rollup {verb} -d {}", out::shell_quoted(deployment))
}

/// Returns the command that undoes a run, which must be named if it is finished; without the name
/// of the program.
pub(super) fn undo_of(run: &Run) -> String {
    if run.is_open() {
        "undo".to_owned()
    } else {
        format!("undo {}", run.number)
    }
}

/// Returns the command line that does the same as this process again.
pub(super) fn typed_again() -> String {
    let mut words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| out::shell_quoted(Path::new(&word)))
        .collect();
    // By now the lab exists.
    let replace = "--replace".to_owned();
    if words[0] == "rehearse" && !words.contains(&replace) {
        words.push(replace);
    }
    format!("rollup {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> TypedCommand {
        TypedCommand {
            manifest: Some("my manifest.toml".into()),
            deployment: Some("hmc40".into()),
            payload: Some("files".into()),
            ..TypedCommand::default()
        }
    }

    /// Without a terminal, a command that prompts gets `--yes`.
    fn yes() -> &'static str {
        if prompts::can_ask() { "" } else { " --yes" }
    }

    #[test]
    fn commands_in_advice_get_the_paths_of_the_command_line() {
        let yes = yes();
        for (advice, completed) in [
            (
                "move it, then try again",
                "move it, then try again".to_owned(),
            ),
            (
                "`rollup apply --reapply` repeats it; `rollup accept` accepts the drift",
                format!(
                    "`rollup apply 'my manifest.toml' -d hmc40 -p files --reapply{yes}` repeats \
                     it; `rollup accept -d hmc40 --reason TEXT{yes}` accepts the drift"
                ),
            ),
            (
                "`rollup undo 12 -d other`",
                format!("`rollup undo 12 -d other{yes}`"),
            ),
            (
                "`rollup explain recovery`",
                "`rollup explain recovery`".to_owned(),
            ),
            (
                "`rollup plan other.toml --save plan.json`",
                "`rollup plan other.toml -d hmc40 -p files --save plan.json`".to_owned(),
            ),
        ] {
            assert_eq!(typed().complete(advice), completed);
        }
        let unknown = TypedCommand::default();
        assert_eq!(unknown.command("plan"), "rollup plan MANIFEST");
    }

    #[test]
    fn commands_in_advice_keep_the_options_that_change_the_plan() {
        let yes = yes();
        let typed = TypedCommand {
            options: vec!["--reapply".to_owned(), "--confirm backup".to_owned()],
            ..typed()
        };
        for (advice, completed) in [
            (
                "apply",
                format!(
                    "apply 'my manifest.toml' -d hmc40 -p files --reapply --confirm backup{yes}"
                ),
            ),
            (
                "plan --reapply",
                "plan 'my manifest.toml' -d hmc40 -p files --reapply".to_owned(),
            ),
            (
                "plan other.toml",
                "plan other.toml -d hmc40 -p files".to_owned(),
            ),
            ("undo 12", format!("undo 12 -d hmc40{yes}")),
        ] {
            assert_eq!(typed.command(advice), format!("rollup {completed}"));
        }
    }

    #[test]
    fn a_saved_plan_is_named_again_unless_it_is_planned_again() {
        let yes = yes();
        let typed = TypedCommand {
            manifest: None,
            saved_plan: Some("plan.json".into()),
            options: vec!["--include-missing".to_owned()],
            ..typed()
        };
        for (advice, completed) in [
            ("apply", format!("apply plan.json -d hmc40 -p files{yes}")),
            ("plan", "plan plan.json -d hmc40 -p files".to_owned()),
            (
                "plan --save FILE",
                "plan MANIFEST -d hmc40 -p files --save FILE --include-missing".to_owned(),
            ),
            (
                "apply --reapply",
                format!("apply MANIFEST -d hmc40 -p files --reapply --include-missing{yes}"),
            ),
        ] {
            assert_eq!(typed.command(advice), format!("rollup {completed}"));
        }
    }
}
