//! A report as text.

use anstyle::Style;

use super::attempt::AttemptView;
use super::outages::OutageRow;
use super::view::{CommandView, ReportView};
use crate::cli::table::{TableRow, table};
use crate::cli::terminal::out::{BAD, GOOD, WARN, preceded, styled};
use crate::cli::views::page::TextPage;
use crate::cli::views::verdict::Tone;
use crate::names::Escaped;

/// Column in which the facts about the run begin.
const INDENT: usize = 13;
/// Width below which the notes on a time are in lines of their own.
const NARROW: usize = 70;
/// Column in which the notes on a time begin.
const NOTES: usize = 38;

/// Formats the report line by line.
pub(super) fn text(view: &ReportView) -> String {
    let mut page = TextPage::new();
    head(&mut page, view);
    for one in &view.attempts {
        attempt(&mut page, one);
    }
    section(&mut page, "commands", &view.commands, command);
    let title = "missing from this report";
    section(&mut page, title, &view.missing, |page, text| {
        page.wrap("  - ", text, 4);
    });
    page.gap();
    page.wrap("  ", &format!("events in {}", view.events), 2);
    page.text()
}

/// Adds a heading and a line for each row, if there are any.
fn section<T>(page: &mut TextPage, title: &str, rows: &[T], line: impl Fn(&mut TextPage, &T)) {
    if rows.is_empty() {
        return;
    }
    page.gap();
    page.heading(title, 2);
    for row in rows {
        line(page, row);
    }
}

fn toned(page: &mut TextPage, tone: Tone, text: &str) {
    let word = match tone {
        Tone::Good => "ok",
        Tone::Warn => "note",
        Tone::Bad => "failed",
    };
    let label = format!("  {}: ", styled(style(tone), word));
    page.wrap(&label, text, word.len() + 4);
}

fn head(page: &mut TextPage, view: &ReportView) {
    page.heading(&view.title, 2);
    page.styled(style(view.verdict.tone), &view.verdict.headline, 2);
    for point in &view.verdict.points {
        page.wrap("- ", point, 2);
    }
    let run = format!("{}: {}{}", view.run, view.state, view.exit);
    for (name, value) in [("run", run)].iter().chain(&view.facts) {
        page.wrap(&format!("  {name:<11}"), value, INDENT);
    }
    for next in &view.next {
        let label = format!("  {} ", styled(WARN, "unfinished"));
        page.wrap(&label, next, INDENT);
    }
}

fn attempt(page: &mut TextPage, attempt: &AttemptView) {
    if !attempt.title.is_empty() {
        page.gap();
        page.heading(&attempt.title, 2);
    }
    section(
        page,
        "compared",
        attempt.compared.as_slice(),
        |page, compared| {
            toned(page, compared.tone, &compared.result);
            for line in &compared.differs {
                page.wrap("    ", line, 6);
            }
            for (name, digest) in &compared.digests {
                if let Some(digest) = digest {
                    page.add(format_args!("    {name:<8} {digest}"));
                }
            }
        },
    );
    section(page, "messages", &attempt.messages, |page, (tone, text)| {
        toned(page, *tone, text);
    });
    section(page, "durations", &attempt.figures, |page, figure| {
        let indent = if figure.part { "  " } else { "" };
        let label = format!("{indent}{}", figure.label);
        let label = format!("  {label:<20}{:>14}  ", figure.value);
        if page.width < NARROW {
            page.add(label.trim_end());
            page.wrap("      ", &figure.note, 6);
        } else {
            page.wrap(&label, &figure.note, NOTES);
        }
    });
    section(page, "manual steps", &attempt.waits, |page, wait| {
        let text = format!("{}: {}, waited {}", wait.step, wait.answer, wait.took);
        page.wrap("  ", &text, 2);
    });
    for table in &attempt.outages {
        section(
            page,
            &table.title.to_lowercase(),
            &table.groups,
            |page, row| {
                page.wrap("  ", &describe_outage(row), 2);
            },
        );
    }
    let steps = attempt.steps.iter();
    let heads = ["from", "took", "sync", "done", "step"];
    let rows = steps.map(|row| [&row.from, &row.took, &row.sync, &row.operations, &row.name]);
    timed(page, "steps", heads, rows);
    let servers = attempt.servers.iter();
    let heads = ["from", "to", "renames", "done", "server"];
    let rows = servers.map(|row| {
        [
            &row.from,
            &row.to,
            &row.renaming,
            &row.operations,
            &row.server,
        ]
    });
    timed(page, "servers", heads, rows);
}

/// Adds a table of times, if it has rows.
fn timed<'v>(
    page: &mut TextPage,
    what: &str,
    heads: [&str; 5],
    rows: impl Iterator<Item = [&'v String; 5]>,
) {
    let rows: Vec<_> = rows
        .map(|cells| TableRow {
            cells: cells.map(|cell| Escaped(cell).to_string()),
            styles: [Style::new(); 5],
            below: Vec::new(),
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.gap();
    page.heading(&format!("{what}, timed from the start of the commit"), 2);
    let rows = table(heads, &rows, page.width.saturating_sub(2)).join("\n");
    for line in rows.lines() {
        page.add(format_args!("  {line}"));
    }
}

fn command(page: &mut TextPage, command: &CommandView) {
    let CommandView {
        at,
        name,
        took,
        ended,
        ..
    } = command;
    let by = preceded(" by ", Some(&command.by));
    page.wrap("  ", &format!("{at}  {name}{by}, {took}; {ended}"), 2);
    for reason in &command.reasons {
        page.wrap("    ", reason, 4);
    }
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Good => GOOD,
        Tone::Warn => WARN,
        Tone::Bad => BAD,
    }
}

fn describe_outage(outage: &OutageRow) -> String {
    let on = preceded(" on ", Some(&outage.server));
    let parts: Vec<&str> = [outage.took.as_str(), outage.note.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    format!("{}{on}: {}", outage.target, parts.join(", "))
}
