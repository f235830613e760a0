//! A report as Markdown, for the ticket in which the change was approved.

use super::ROWS;
use super::attempt::{AttemptView, OutageView};
use super::view::ReportView;
use super::words::Tone;
use crate::cli::terminal::out::number;
use crate::cli::views::markdown::{MarkdownPage, escape};

/// Formats the whole report.
pub(super) fn text(view: &ReportView) -> String {
    let mut report = MarkdownReport::default();
    let page = &mut report.page;
    page.line(&format!("# {}", escape(&view.title)));
    let rows = view
        .head
        .iter()
        .map(|(name, value)| vec![(*name).to_owned(), escape(value)]);
    page.table(&["", ""], rows);
    if !view.next.is_empty() {
        page.line("## Unfinished");
        page.list(view.next.iter().map(|text| escape(text)));
    }
    view.attempts
        .iter()
        .for_each(|attempt| report.attempt(attempt));
    let page = &mut report.page;
    if !view.commands.is_empty() {
        page.line("## Commands");
        let rows = view.commands.iter().map(|command| {
            let why = command
                .reasons
                .iter()
                .map(|reason| escape(reason))
                .collect::<Vec<_>>()
                .join("; ");
            let cells = [
                &command.at,
                &command.name,
                &command.by,
                &command.took,
                &command.ended,
            ];
            cells
                .into_iter()
                .map(|cell| escape(cell))
                .chain([why])
                .collect()
        });
        page.table(&["at", "command", "by", "took", "exit", "why"], rows);
    }
    if !view.missing.is_empty() {
        page.line("## Missing from this report");
        page.list(view.missing.iter().map(|text| escape(text)));
    }
    page.line(&format!("Events: `{}`", view.events.replace('`', "'")));
    report.page.into_text()
}

#[derive(Default)]
struct MarkdownReport {
    page: MarkdownPage,
}

impl MarkdownReport {
    fn attempt(&mut self, attempt: &AttemptView) {
        if !attempt.title.is_empty() {
            self.page.line(&format!("## {}", escape(&attempt.title)));
        }
        // The parts are one level below the title of an attempt, which exists only if there are
        // several.
        let level = if attempt.title.is_empty() {
            "##"
        } else {
            "###"
        };
        if let Some((_, lines)) = &attempt.compared {
            self.page.line(&format!("{level} Compared"));
            self.page.list(lines.iter().map(|line| escape(line)));
        }
        if !attempt.messages.is_empty() {
            self.page.line(&format!("{level} Messages"));
            self.page
                .list(attempt.messages.iter().map(|(tone, text)| match tone {
                    Tone::Bad => format!("**{}**", escape(text)),
                    _ => escape(text),
                }));
        }
        if !attempt.figures.is_empty() {
            self.page.line(&format!("{level} Durations"));
            let rows = attempt.figures.iter().map(|figure| {
                let label = if figure.part {
                    format!("of it {}", figure.label)
                } else {
                    figure.label.to_owned()
                };
                vec![label, figure.value.clone(), escape(&figure.note)]
            });
            self.page.table(&["", "", ""], rows);
        }
        if !attempt.waits.is_empty() {
            self.page.line(&format!("{level} Manual steps"));
            let rows = attempt.waits.iter().map(|wait| {
                [&wait.step, &wait.answer, &wait.by, &wait.took]
                    .into_iter()
                    .map(|cell| escape(cell))
                    .collect()
            });
            self.page.table(&["step", "answer", "by", "waited"], rows);
        }
        self.outages(
            &format!("{level} Services, from stop to start"),
            &attempt.services,
        );
        self.outages(
            &format!("{level} Items, from removal until available again"),
            &attempt.items,
        );
        if !attempt.steps.is_empty() {
            self.page.line(&format!(
                "{level} Steps, timed from the start of the commit"
            ));
            let rows = attempt.steps.iter().map(|step| {
                let times = [&step.from, &step.took, &step.renaming, &step.sync].map(Clone::clone);
                let name = [escape(&step.name), escape(&step.title)];
                name.into_iter()
                    .chain([number(step.operations)])
                    .chain(times)
                    .collect()
            });
            self.page.table(
                &["step", "title", "done", "from", "took", "renames", "sync"],
                rows,
            );
        }
        if !attempt.servers.is_empty() {
            self.page.line(&format!(
                "{level} Servers, timed from the start of the commit"
            ));
            let rows = attempt.servers.iter().map(|row| {
                let times = [&row.from, &row.to, &row.renaming].map(Clone::clone);
                [escape(&row.server), number(row.operations)]
                    .into_iter()
                    .chain(times)
                    .collect()
            });
            self.page
                .table(&["server", "done", "from", "to", "renames"], rows);
        }
    }

    fn outages(&mut self, heading: &str, outages: &[OutageView]) {
        if !outages.is_empty() {
            self.page.line(heading);
            let rows = outages.iter().take(ROWS).map(|outage| {
                [&outage.target, &outage.server, &outage.took, &outage.note]
                    .into_iter()
                    .map(|cell| escape(cell))
                    .collect()
            });
            self.page
                .table(&["target", "server", "unavailable", "note"], rows);
            if let Some(more @ 1..) = outages.len().checked_sub(ROWS) {
                self.page.line(&format!(
                    "{} more are in `rollup report --format json` only.",
                    number(more as u64)
                ));
            }
        }
    }
}
