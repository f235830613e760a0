//! A plan as Markdown, for the ticket in which it is approved.

use std::collections::BTreeSet;

use super::words::{
    applied, change, directory, down, for_good, grouped, heading, inverse, manual_mark, new_here,
    no_return, restarts_due, stands_again, summary, target, title,
};
use crate::cli::terminal::out::number;
use crate::cli::views::markdown::{Page, plain};
use crate::names::RelPath;
use crate::plan::{Documented, Operation, Plan, PlannedStep, TargetState};

/// Formats the whole plan: subject and deployment, what to look at first, outages, the steps with
/// their operations, the files old and new, and the rollback.
pub(super) fn text(plan: &Plan) -> String {
    let mut ticket = Ticket::default();
    ticket.head(plan);
    ticket.first(plan);
    ticket.down(plan);
    ticket.outage(plan);
    ticket.page.line("## Steps");
    let new = new_here(plan);
    for (at, step) in plan.steps.iter().enumerate() {
        ticket.step(at + 1, step, &new);
    }
    ticket.files(plan);
    ticket.documented(plan);
    ticket.way_back(plan);
    ticket.page.into_text()
}

#[derive(Default)]
struct Ticket {
    page: Page,
}

impl Ticket {
    fn head(&mut self, plan: &Plan) {
        self.page.line(&format!("# {}", plain(&title(plan))));
        let digest = match &plan.digest {
            Some(digest) => format!("`{digest}`"),
            None => "none: a preview without a payload, so nobody can tell what will be written"
                .to_owned(),
        };
        let rows = [
            ("deployment", plain(&plan.deployment)),
            ("in force now", applied(&plan.applied.before)),
            ("in force afterwards", applied(&plan.applied.after)),
            ("plan", digest),
            ("size", summary(plan)),
            (
                "can be undone",
                plain(&no_return(plan).unwrap_or_else(|step| step)),
            ),
        ];
        self.page.table(
            &["", ""],
            rows.map(|(name, value)| vec![name.to_owned(), value]),
        );
    }

    /// Adds what has to be looked at or answered before anything else.
    fn first(&mut self, plan: &Plan) {
        let asked = |asked: &crate::plan::Confirmation| {
            format!("`{}`: {}", asked.id, plain(&asked.question))
        };
        self.page.section(
            "To be confirmed first",
            plan.confirmations.iter().map(asked),
        );
        let left_out = plan
            .steps
            .iter()
            .filter(|step| !step.left_out.is_empty())
            .map(|step| {
                let names: Vec<_> = step.left_out.iter().map(|name| plain(name)).collect();
                format!(
                    "left out of step {}, as not installed here: {}",
                    plain(&step.id),
                    names.join(", ")
                )
            });
        let found = |checked: &crate::plan::Checked| {
            format!(
                "{}: {}",
                plain(&checked.what),
                plain(&checked.found.join(", "))
            )
        };
        self.page
            .section("Checked", plan.context.checked.iter().map(found));
        self.page
            .section("Notes", plan.context.notes.iter().map(|note| plain(note)));
        self.page.section(
            "What it mends",
            plan.context.fixes.iter().map(|fix| plain(fix)),
        );
        let lasting = for_good(plan);
        let warnings = plan
            .warnings
            .iter()
            .chain(&lasting)
            .map(|warning| plain(warning))
            .chain(left_out);
        self.page.section("Warnings", warnings);
    }

    fn step(&mut self, at: usize, step: &PlannedStep, new: &BTreeSet<&RelPath>) {
        self.page
            .line(&format!("### {}", plain(&heading(at, step))));
        if let Some(manual) = &step.manual {
            let on = if manual.servers.is_empty() {
                String::new()
            } else {
                format!(", on {}", plain(&manual.servers.join(", ")))
            };
            self.page.line(&format!(
                "**By hand**{on}: {}.",
                manual_mark(manual).trim_start_matches("by hand; ")
            ));
            self.page.verbatim(&manual.instructions);
            match &manual.undo {
                Some(undo) => {
                    self.page.line("Taken back:");
                    self.page.verbatim(undo);
                }
                None => {
                    self.page.line("Nobody says how it is taken back; once it is done there is no way back before it.")
                }
            }
        }
        if !step.operations.is_empty() {
            let row = |group: Vec<&Operation>| {
                let first = group[0];
                let loud = if new.contains(&first.at) {
                    "**new here**: "
                } else {
                    ""
                };
                let into = directory(first)
                    .map(|directory| format!(", into {}", plain(&directory)))
                    .unwrap_or_default();
                let target = format!("{loud}{}{into}", plain(&target(&group)));
                vec![
                    first.kind.word().to_owned(),
                    target,
                    plain(&change(first)),
                    plain(&first.seen),
                ]
            };
            self.page.table(
                &["operation", "target", "change", "seen"],
                grouped(&step.operations).into_iter().map(row),
            );
        }
        if !step.nothing.is_empty() {
            self.page.list(
                step.nothing
                    .iter()
                    .map(|idle| format!("nothing: {}: {}", plain(&idle.target), plain(&idle.why))),
            );
        }
    }

    /// Adds every file that a step copies, old and new, with full hashes.
    fn files(&mut self, plan: &Plan) {
        let side = |side: &TargetState| match side {
            TargetState::File { size, sha256 } => format!("{} bytes, `{sha256}`", number(*size)),
            _ => "nothing".to_owned(),
        };
        let copied = plan
            .operations()
            .filter(|operation| matches!(operation.after, TargetState::File { .. }));
        let rows: Vec<_> = copied
            .map(|operation| {
                vec![
                    plain(operation.at.as_str()),
                    side(&operation.before),
                    side(&operation.after),
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
        let told = |text: &Option<String>| text.as_deref().map(plain).unwrap_or_default();
        let row = |row: &Documented| {
            let used = match &row.unused {
                Some(why) => format!("unused: {}", plain(why)),
                None if row.steps.is_empty() => "no step uses it".to_owned(),
                None => plain(&row.steps.join(", ")),
            };
            let size = row.size.map(number).unwrap_or_default();
            vec![
                plain(row.name.as_str()),
                size,
                told(&row.modified),
                told(&row.platform),
                told(&row.version),
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

    /// Adds what is removed or stopped during the run.
    fn down(&mut self, plan: &Plan) {
        let id = |at: usize| plain(&plan.steps[at].id);
        let rows: Vec<_> = down(plan)
            .into_iter()
            .map(|(outage, servers)| {
                let to = outage.to.map_or("not at all".to_owned(), id);
                vec![
                    plain(outage.target),
                    plain(&servers.join(", ")),
                    id(outage.from),
                    to,
                ]
            })
            .collect();
        if !rows.is_empty() {
            self.page.line("## Down meanwhile");
            self.page
                .table(&["what", "on", "from step", "until step"], rows);
        }
    }

    fn outage(&mut self, plan: &Plan) {
        if plan.outage.is_empty() {
            return;
        }
        self.page
            .line("## Meanwhile without something they require");
        let row = |lacking: &crate::plan::DependencyOutage| {
            vec![
                plain(&lacking.instance),
                plain(&lacking.without),
                plain(&lacking.from),
                plain(&lacking.to),
            ]
        };
        self.page.table(
            &["what", "is without", "from step", "until step"],
            plan.outage.iter().map(row),
        );
    }

    fn way_back(&mut self, plan: &Plan) {
        self.page.line("## The way back");
        for (at, step) in plan.steps.iter().enumerate().rev() {
            self.page
                .line(&format!("### {}. {}", at + 1, plain(&step.id)));
            match step.manual.as_ref().map(|manual| &manual.undo) {
                Some(Some(undo)) => {
                    self.page.line("By hand:");
                    self.page.verbatim(undo);
                }
                Some(None) => self.page.line(
                    "Nobody says how this is taken back: where it was done, the way ends here, and a finished run cannot be \
                     undone at all. What follows is for a run that did not get here.",
                ),
                None => {}
            }
            let row = |group: Vec<&Operation>| {
                let (_, word) = inverse(group[0]);
                vec![
                    word.to_owned(),
                    plain(&target(&group)),
                    stands_again(group[0]),
                ]
            };
            if !step.operations.is_empty() {
                self.page.table(
                    &["", "target", "stands again"],
                    grouped(&step.operations).into_iter().rev().map(row),
                );
            }
        }
        for restart in restarts_due(plan) {
            self.page.line(&format!(
                "Due then: a restart of {}; its file is put back, and it does not notice.",
                plain(&restart)
            ));
        }
    }
}
