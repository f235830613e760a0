//! A plan as Markdown, for the ticket in which it is approved.

use std::collections::BTreeSet;

use super::words::{
    POINT_OF_NO_RETURN, describe_change, describe_manual_step, describe_rollback, describe_size,
    describe_target, group_operations, grouped_outages, newly_installed, permanent_outages,
    plan_title, restarts_after_undo, restored_state, rollup_list, scope_lines, step_heading,
    target_directory,
};
use crate::cli::terminal::out::number;
use crate::cli::views::markdown::{MarkdownPage, escape};
use crate::names::RelPath;
use crate::plan::{FileTableRow, Operation, Plan, PlannedStep, TargetState};

/// Formats the whole plan: subject and deployment, everything to read before approving, outages,
/// the steps with their operations, the files old and new, and the rollback.
pub(super) fn text(plan: &Plan) -> String {
    let mut document = MarkdownPlan::default();
    document.head(plan);
    document.notices(plan);
    document.outages(plan);
    document.dependency_outages(plan);
    document.page.line("## Steps");
    let new = newly_installed(plan);
    for (at, step) in plan.steps.iter().enumerate() {
        document.step(at + 1, step, &new);
    }
    document.files(plan);
    document.documented(plan);
    document.rollback(plan);
    document.page.into_text()
}

#[derive(Default)]
struct MarkdownPlan {
    page: MarkdownPage,
}

impl MarkdownPlan {
    fn head(&mut self, plan: &Plan) {
        self.page.line(&format!("# {}", escape(&plan_title(plan))));
        let digest = match &plan.digest {
            Some(digest) => format!("`{digest}`"),
            None => "none: without a payload, the bytes to write are unknown".to_owned(),
        };
        let rollback =
            describe_rollback(plan).unwrap_or_else(|step| format!("point of no return: {step}"));
        let rows = [
            ("deployment", escape(&plan.deployment)),
            ("applied now", rollup_list(&plan.applied.before)),
            ("applied afterwards", rollup_list(&plan.applied.after)),
            ("plan", digest),
            ("size", describe_size(plan)),
            ("undo", escape(&rollback)),
        ];
        self.page.table(
            &["", ""],
            rows.map(|(name, value)| vec![name.to_owned(), value]),
        );
    }

    /// Adds everything to read or confirm before approving.
    fn notices(&mut self, plan: &Plan) {
        let confirmation =
            |one: &crate::plan::Confirmation| format!("`{}`: {}", one.id, escape(&one.question));
        self.page.section(
            "To be confirmed first",
            plan.confirmations.iter().map(confirmation),
        );
        let left_out = plan
            .steps
            .iter()
            .filter(|step| !step.left_out.is_empty())
            .map(|step| {
                let names: Vec<_> = step.left_out.iter().map(|name| escape(name)).collect();
                format!(
                    "left out of step {}, as not installed here: {}",
                    escape(&step.id),
                    names.join(", ")
                )
            });
        let found = |checked: &crate::plan::CheckedPrerequisite| {
            format!(
                "{}: {}",
                escape(&checked.condition),
                escape(&checked.found.join(", "))
            )
        };
        let scope = scope_lines(plan);
        self.page
            .section("Scope", scope.iter().map(|line| escape(line)));
        self.page
            .section("Checked", plan.context.checked.iter().map(found));
        self.page
            .section("Notes", plan.context.notes.iter().map(|note| escape(note)));
        self.page
            .section("Fixes", plan.context.fixes.iter().map(|fix| escape(fix)));
        let permanent = permanent_outages(plan);
        let warnings = plan
            .warnings
            .iter()
            .chain(&permanent)
            .map(|warning| escape(warning))
            .chain(left_out);
        self.page.section("Warnings", warnings);
    }

    fn step(&mut self, at: usize, step: &PlannedStep, new: &BTreeSet<&RelPath>) {
        self.page
            .line(&format!("### {}", escape(&step_heading(at, step))));
        if let Some(manual) = &step.manual {
            let on = if manual.servers.is_empty() {
                String::new()
            } else {
                format!(", on {}", escape(&manual.servers.join(", ")))
            };
            self.page.line(&format!(
                "**Manual step**{on}: {}.",
                describe_manual_step(manual).trim_start_matches("manual step; ")
            ));
            self.page.verbatim(&manual.instructions);
            match &manual.undo {
                Some(undo) => {
                    self.page.line("Undo:");
                    self.page.verbatim(undo);
                }
                None => self
                    .page
                    .line("Undo: not possible; once it is done, the step is a point of no return."),
            }
        }
        if !step.operations.is_empty() {
            let row = |group: Vec<&Operation>| {
                let first = group[0];
                let mark = if new.contains(&first.at) {
                    "**new here**: "
                } else {
                    ""
                };
                let into = target_directory(first)
                    .map(|directory| format!(", into {}", escape(&directory)))
                    .unwrap_or_default();
                let target = format!("{mark}{}{into}", escape(&describe_target(&group)));
                vec![
                    first.kind.word().to_owned(),
                    target,
                    escape(&describe_change(first)),
                    escape(&first.seen),
                ]
            };
            self.page.table(
                &["operation", "target", "change", "seen"],
                group_operations(&step.operations).into_iter().map(row),
            );
        }
        if !step.nothing.is_empty() {
            self.page.list(step.nothing.iter().map(|unchanged| {
                format!(
                    "nothing: {}: {}",
                    escape(&unchanged.target),
                    escape(&unchanged.why)
                )
            }));
        }
    }

    /// Adds every file that a step copies, old and new, with full hashes.
    fn files(&mut self, plan: &Plan) {
        let facts = |state: &TargetState| match state {
            TargetState::File { size, sha256 } => format!("{} bytes, `{sha256}`", number(*size)),
            _ => "nothing".to_owned(),
        };
        let copied = plan
            .operations()
            .filter(|operation| matches!(operation.after, TargetState::File { .. }));
        let rows: Vec<_> = copied
            .map(|operation| {
                vec![
                    escape(operation.at.as_str()),
                    facts(&operation.before),
                    facts(&operation.after),
                ]
            })
            .collect();
        if !rows.is_empty() {
            self.page.line("## Files");
            self.page.table(&["file", "now", "afterwards"], rows);
        }
    }

    /// Adds every documented file, also those that no step deploys.
    fn documented(&mut self, plan: &Plan) {
        let text = |text: &Option<String>| text.as_deref().map(escape).unwrap_or_default();
        let row = |row: &FileTableRow| {
            let used = match &row.unused {
                Some(why) => format!("unused: {}", escape(why)),
                None if row.steps.is_empty() => "no step uses it".to_owned(),
                None => escape(&row.steps.join(", ")),
            };
            let size = row.size.map(number).unwrap_or_default();
            vec![
                escape(row.name.as_str()),
                size,
                text(&row.modified),
                text(&row.platform),
                text(&row.version),
                used,
            ]
        };
        if !plan.context.file_table.is_empty() {
            self.page.line("## Documented files");
            let head = [
                "file",
                "bytes",
                "modified (UTC)",
                "platform",
                "version",
                "deployed by",
            ];
            self.page
                .table(&head, plan.context.file_table.iter().map(row));
        }
    }

    /// Adds the items and services that are unavailable during the run.
    fn outages(&mut self, plan: &Plan) {
        let id = |at: usize| escape(&plan.steps[at].id);
        let rows: Vec<_> = grouped_outages(plan)
            .into_iter()
            .map(|(outage, servers)| {
                let to = outage.to.map_or("permanent".to_owned(), id);
                vec![
                    escape(outage.target),
                    escape(&servers.join(", ")),
                    id(outage.from),
                    to,
                ]
            })
            .collect();
        if !rows.is_empty() {
            self.page.line("## Unavailable during the run");
            self.page
                .table(&["target", "on", "from step", "until step"], rows);
        }
    }

    fn dependency_outages(&mut self, plan: &Plan) {
        if plan.outage.is_empty() {
            return;
        }
        self.page.line("## Dependencies unavailable during the run");
        let row = |outage: &crate::plan::DependencyOutage| {
            vec![
                escape(&outage.instance),
                escape(&outage.without),
                escape(&outage.from),
                escape(&outage.to),
            ]
        };
        self.page.table(
            &["item", "is without", "from step", "until step"],
            plan.outage.iter().map(row),
        );
    }

    fn rollback(&mut self, plan: &Plan) {
        self.page.line("## Rollback");
        for (at, step) in plan.steps.iter().enumerate().rev() {
            self.page
                .line(&format!("### {}. {}", at + 1, escape(&step.id)));
            match step.manual.as_ref().map(|manual| &manual.undo) {
                Some(Some(undo)) => {
                    self.page.line("Manual step:");
                    self.page.verbatim(undo);
                }
                Some(None) => self.page.line(&format!("**Stop:** {POINT_OF_NO_RETURN}.")),
                None => {}
            }
            let row = |group: Vec<&Operation>| {
                let (_, word) = group[0].kind.inverse();
                vec![
                    word.to_owned(),
                    escape(&describe_target(&group)),
                    restored_state(group[0]),
                ]
            };
            if !step.operations.is_empty() {
                self.page.table(
                    &["operation", "target", "restored"],
                    group_operations(&step.operations)
                        .into_iter()
                        .rev()
                        .map(row),
                );
            }
        }
        for restart in restarts_after_undo(plan) {
            self.page.line(&format!(
                "Required: {}; restoring its record does not restart it.",
                escape(&restart)
            ));
        }
    }
}
