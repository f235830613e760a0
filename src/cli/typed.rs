//! Command lines that plan, stage or apply, for messages that name the command to type next.

use std::path::{Path, PathBuf};

use super::args::PlanChoices;
use crate::cli::terminal::out;

/// Arguments of a command that plans, as they are typed.
pub(super) struct PlanCommand {
    /// Manifest, or saved plan.
    pub(super) path: PathBuf,
    /// Manifest of a saved plan, if one was given.
    pub(super) manifest_of_plan: Option<PathBuf>,
    pub(super) deployment: PathBuf,
    pub(super) payload: Option<PathBuf>,
    pub(super) choices: PlanChoices,
}

impl PlanCommand {
    /// Returns the command line that applies the same plan.
    pub(super) fn apply_line(&self) -> String {
        self.line("apply")
    }

    /// Returns the command line of another command for the same plan.
    pub(super) fn line(&self, verb: &str) -> String {
        if self.is_saved_plan() {
            return format!(
                "rollup {verb} {} -d {}",
                out::shell_quoted(&self.path),
                out::shell_quoted(&self.deployment)
            );
        }
        self.line_for(&self.path, verb)
    }

    /// Returns whether a saved plan was given, and not a manifest.
    pub(super) fn is_saved_plan(&self) -> bool {
        self.manifest_of_plan.is_some()
    }

    /// Returns the manifest, even if a saved plan was given.
    pub(super) fn manifest(&self) -> PathBuf {
        self.manifest_of_plan
            .clone()
            .unwrap_or_else(|| self.path.clone())
    }

    /// Returns the command line for a manifest, with every argument that decides the plan.
    pub(super) fn line_for(&self, manifest: &Path, verb: &str) -> String {
        let mut command = format!(
            "rollup {verb} {} -d {}",
            out::shell_quoted(manifest),
            out::shell_quoted(&self.deployment)
        );
        if let Some(payload) = &self.payload {
            command.push_str(&format!(" -p {}", out::shell_quoted(payload)));
        }
        let PlanChoices {
            include_missing,
            reapply,
            allow_downgrade,
        } = self.choices;
        let flags = [
            (include_missing, " --include-missing"),
            (reapply, " --reapply"),
            (allow_downgrade, " --allow-downgrade"),
        ];
        for (is_given, flag) in flags {
            if is_given {
                command.push_str(flag);
            }
        }
        command
    }
}
