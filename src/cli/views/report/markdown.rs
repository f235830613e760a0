//! A report as Markdown, for the ticket in which the change was approved.

use super::ROWS;
use super::chapter::{Chapter, Down};
use super::story::Story;
use super::words::Tone;
use crate::cli::terminal::out::number;
use crate::cli::views::markdown::{Page, plain};

/// Formats the whole report.
pub(super) fn text(story: &Story) -> String {
    let mut ticket = Ticket::default();
    let page = &mut ticket.page;
    page.line(&format!("# {}", plain(&story.title)));
    let rows = story
        .head
        .iter()
        .map(|(name, value)| vec![(*name).to_owned(), plain(value)]);
    page.table(&["", ""], rows);
    if !story.next.is_empty() {
        page.line("## Unfinished");
        page.list(story.next.iter().map(|text| plain(text)));
    }
    story
        .chapters
        .iter()
        .for_each(|chapter| ticket.chapter(chapter));
    let page = &mut ticket.page;
    if !story.commands.is_empty() {
        page.line("## Commands that worked on it");
        let rows = story.commands.iter().map(|command| {
            let why = command
                .reasons
                .iter()
                .map(|reason| plain(reason))
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
                .map(|cell| plain(cell))
                .chain([why])
                .collect()
        });
        page.table(&["at", "command", "by", "took", "exit", "why"], rows);
    }
    if !story.missing.is_empty() {
        page.line("## What this report does not know");
        page.list(story.missing.iter().map(|text| plain(text)));
    }
    page.line(&format!("Events: `{}`", story.events.replace('`', "'")));
    ticket.page.into_text()
}

#[derive(Default)]
struct Ticket {
    page: Page,
}

impl Ticket {
    fn chapter(&mut self, chapter: &Chapter) {
        if !chapter.title.is_empty() {
            self.page.line(&format!("## {}", plain(&chapter.title)));
        }
        // The parts are one level below the title of an attempt, which exists only if there are
        // several.
        let level = if chapter.title.is_empty() {
            "##"
        } else {
            "###"
        };
        if let Some((_, lines)) = &chapter.compared {
            self.page.line(&format!("{level} Compared"));
            self.page.list(lines.iter().map(|line| plain(line)));
        }
        if !chapter.told.is_empty() {
            self.page.line(&format!("{level} What was told"));
            self.page
                .list(chapter.told.iter().map(|(tone, text)| match tone {
                    Tone::Bad => format!("**{}**", plain(text)),
                    _ => plain(text),
                }));
        }
        if !chapter.figures.is_empty() {
            self.page.line(&format!("{level} How long"));
            let rows = chapter.figures.iter().map(|figure| {
                let label = if figure.part {
                    format!("of it {}", figure.label)
                } else {
                    figure.label.to_owned()
                };
                vec![label, figure.value.clone(), plain(&figure.note)]
            });
            self.page.table(&["", "", ""], rows);
        }
        if !chapter.waits.is_empty() {
            self.page.line(&format!("{level} By hand"));
            let rows = chapter.waits.iter().map(|wait| {
                [&wait.step, &wait.answer, &wait.by, &wait.took]
                    .into_iter()
                    .map(|cell| plain(cell))
                    .collect()
            });
            self.page.table(&["step", "answer", "by", "waited"], rows);
        }
        self.downs(
            &format!("{level} Services, from stop to start"),
            &chapter.services,
        );
        self.downs(
            &format!("{level} Items, from their removal until they stood again"),
            &chapter.items,
        );
        if !chapter.steps.is_empty() {
            self.page.line(&format!(
                "{level} Steps, in time from the beginning of the commit"
            ));
            let rows = chapter.steps.iter().map(|step| {
                let times = [&step.from, &step.took, &step.renaming, &step.sync].map(Clone::clone);
                let name = [plain(&step.name), plain(&step.title)];
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
        if !chapter.servers.is_empty() {
            self.page.line(&format!(
                "{level} Servers, in time from the beginning of the commit"
            ));
            let rows = chapter.servers.iter().map(|place| {
                let times = [&place.from, &place.to, &place.renaming].map(Clone::clone);
                [plain(&place.server), number(place.operations)]
                    .into_iter()
                    .chain(times)
                    .collect()
            });
            self.page
                .table(&["server", "done", "from", "to", "renames"], rows);
        }
    }

    fn downs(&mut self, heading: &str, downs: &[Down]) {
        if !downs.is_empty() {
            self.page.line(heading);
            let rows = downs.iter().take(ROWS).map(|down| {
                [&down.what, &down.server, &down.took, &down.note]
                    .into_iter()
                    .map(|cell| plain(cell))
                    .collect()
            });
            self.page.table(&["what", "server", "away", ""], rows);
            if let Some(more @ 1..) = downs.len().checked_sub(ROWS) {
                self.page.line(&format!(
                    "{} more are in `rollup report --format json` only.",
                    number(more as u64)
                ));
            }
        }
    }
}
