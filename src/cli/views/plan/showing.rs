//! Facts about a command that shows a plan, which the plan does not have.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::terminal::out::preceded;
use crate::cli::views::report::{format_duration, format_time};
use crate::deployment::lock::{host, user};
use crate::plan::Plan;

/// Facts about a command that shows a plan.
pub(crate) struct Showing {
    /// Time and user of the command.
    pub(super) made: String,
    /// Files from which the plan comes, each with its label.
    pub(super) sources: Vec<(&'static str, String)>,
    /// Command that applies this plan and no other.
    pub(super) apply: String,
    /// Reasons why `apply` would refuse this user; `None` if the plan was not compared with the
    /// deployment now.
    pub(super) refused: Option<Vec<String>>,
    pub(super) rehearsal: Option<Rehearsal>,
}

/// Times of a rehearsal of the same plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rehearsal {
    /// Name of the run, such as `0001-KB952076`.
    pub(crate) run: String,
    /// Path of the deployment in which it was rehearsed.
    pub(crate) deployment: String,
    /// Machine on which it was rehearsed.
    pub(crate) host: Option<String>,
    /// Time at which the run was finished.
    pub(crate) at: String,
    /// Time that staging took, in microseconds, if it is recorded.
    pub(crate) staged_us: Option<u64>,
    /// Time in which at least one item or service was unavailable, in microseconds.
    pub(crate) outage_us: u64,
    /// Number of manual steps, which took no time.
    pub(crate) manual_steps: usize,
}

impl Showing {
    /// Gathers the facts about this command; `apply` is the command that applies the plan.
    pub(crate) fn now(
        plan: &Plan,
        sources: &[(&'static str, &Path)],
        apply: &str,
        refused: Option<Vec<String>>,
        rehearsal: Option<Rehearsal>,
    ) -> Self {
        let now = jiff::Timestamp::now().to_string();
        // A page is read elsewhere.
        let sources = sources.iter().map(|(label, path)| {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
            (*label, absolute.display().to_string())
        });
        Self {
            made: format!("{} by {} on {}", format_time(&now), user(), host()),
            sources: sources.collect(),
            apply: match &plan.digest {
                Some(digest) => format!("{apply} --expect-plan {digest}"),
                None => apply.to_owned(),
            },
            refused,
            rehearsal,
        }
    }
}

impl Rehearsal {
    /// Describes the times, and where they were measured.
    pub(super) fn describe(&self) -> String {
        let unavailable = match self.outage_us {
            0 => "nothing was unavailable".to_owned(),
            us => format!("something was unavailable for {}", format_duration(us)),
        };
        let staged = self.staged_us.map(format_duration);
        let staged = staged.map(|staged| format!(", after {staged} of staging"));
        let on = preceded(" on ", self.host.as_deref());
        let by_hand = match self.manual_steps {
            0 => "",
            _ => "; manual steps were not done, and took no time",
        };
        format!(
            "{unavailable}{}, in the rehearsal of {}{} ({} in {}){by_hand}",
            staged.unwrap_or_default(),
            format_time(&self.at),
            on,
            self.run,
            self.deployment
        )
    }
}
