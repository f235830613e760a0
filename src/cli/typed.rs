//! What decides a plan, as it is typed, for messages that name the command that does the same again.

use std::path::{Path, PathBuf};

use super::args::Choices;
use crate::cli::terminal::out;

/// Manifest, deployment, payload and choices of a command that plans.
pub(super) struct Typed {
    /// Manifest, or saved plan.
    pub(super) path: PathBuf,
    /// Manifest of a saved plan, if one was given.
    pub(super) manifest_of_plan: Option<PathBuf>,
    pub(super) deployment: PathBuf,
    pub(super) payload: Option<PathBuf>,
    pub(super) choices: Choices,
}

impl Typed {
    /// Returns the command line that does the same again, as far as it decides the plan.
    pub(super) fn apply_again(&self) -> String {
        self.again("apply")
    }

    /// Returns the same command line with another verb.
    pub(super) fn again(&self, verb: &str) -> String {
        let what = self.path.clone();
        if self.manifest_of_plan.is_some() {
            return format!(
                "rollup {verb} {} -d {}",
                out::typed(&what),
                out::typed(&self.deployment)
            );
        }
        self.again_with(&what, verb)
    }

    /// Returns whether a saved plan was typed, and not a manifest.
    pub(super) fn is_of_a_saved_plan(&self) -> bool {
        self.manifest_of_plan.is_some()
    }

    /// Returns the manifest, even if a saved plan was typed.
    pub(super) fn typed_manifest(&self) -> PathBuf {
        self.manifest_of_plan
            .clone()
            .unwrap_or_else(|| self.path.clone())
    }

    /// Returns the command line for a manifest, with everything that decides the plan.
    pub(super) fn again_with(&self, manifest: &Path, verb: &str) -> String {
        let mut command = format!(
            "rollup {verb} {} -d {}",
            out::typed(manifest),
            out::typed(&self.deployment)
        );
        if let Some(payload) = &self.payload {
            command.push_str(&format!(" -p {}", out::typed(payload)));
        }
        let Choices {
            include_missing,
            reapply,
            allow_downgrade,
        } = self.choices;
        let flags = [
            (include_missing, "--include-missing"),
            (reapply, "--reapply"),
            (allow_downgrade, "--allow-downgrade"),
        ];
        for (_, flag) in flags.into_iter().filter(|(given, _)| *given) {
            command.push_str(&format!(" {flag}"));
        }
        command
    }
}
