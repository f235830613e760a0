//! A report as text.

use std::iter;

use super::attempt::AttemptView;
use super::outages::{OutageRow, OutageTable};
use super::view::{CommandView, ReportView};
use crate::cli::terminal::out::{BAD, BOLD, GOOD, WARN, styled, wrapped};
use crate::cli::views::verdict::Tone;
use crate::names::Escaped;

/// Column in which the facts about the run begin.
const INDENT: usize = 13;
/// Width below which numbers are in lines of their own.
const NARROW: usize = 70;
/// Column in which the notes on a time begin.
const NOTES: usize = 38;
/// Column in which the names of steps begin.
const STEPS: usize = 46;

/// Formats the report line by line, no wider than `width` as far as words allow it.
pub(super) fn text(view: &ReportView, width: usize) -> String {
    let mut report = TextReport {
        lines: Vec::new(),
        width,
    };
    report.head(view);
    for attempt in &view.attempts {
        report.attempt(attempt);
    }
    report.section("commands", &view.commands, TextReport::command);
    report.section("missing from this report", &view.missing, |report, text| {
        report.wrap("  - ", text, 4);
    });
    report.lines.push(String::new());
    report.wrap("  ", &format!("events in {}", view.events), 2);
    report.lines.join("\n")
}

struct TextReport {
    lines: Vec<String>,
    width: usize,
}

impl TextReport {
    fn heading(&mut self, text: &str) {
        self.lines.push(String::new());
        let text = wrapped(&Escaped(text).to_string(), self.width, "  ");
        self.lines.push(styled(BOLD, text));
    }

    /// Adds a text after a label; its further lines are indented.
    fn wrap(&mut self, label: &str, text: &str, indent: usize) {
        let text = wrapped(&Escaped(text).to_string(), self.width, &" ".repeat(indent));
        self.lines.push(format!("{label}{text}"));
    }

    /// Adds a heading and a line for each row, if there are any.
    fn section<T>(&mut self, title: &str, rows: &[T], line: impl Fn(&mut Self, &T)) {
        if rows.is_empty() {
            return;
        }
        self.heading(title);
        for row in rows {
            line(self, row);
        }
    }

    fn toned(&mut self, tone: Tone, text: &str) {
        let word = match tone {
            Tone::Good => "ok",
            Tone::Warn => "note",
            Tone::Bad => "failed",
        };
        let label = format!("  {}: ", styled(style(tone), word));
        self.wrap(&label, text, word.len() + 4);
    }

    fn head(&mut self, view: &ReportView) {
        let title = wrapped(&Escaped(&view.title).to_string(), self.width, "  ");
        self.lines.push(styled(BOLD, title));
        let headline = wrapped(
            &Escaped(&view.verdict.headline).to_string(),
            self.width,
            "  ",
        );
        self.lines.push(styled(style(view.verdict.tone), headline));
        for point in &view.verdict.points {
            self.wrap("- ", point, 2);
        }
        let run = format!("{}: {}{}", view.run, view.state, view.exit);
        self.wrap(&format!("  {:<11}", "run"), &run, INDENT);
        for (name, value) in &view.facts {
            self.wrap(&format!("  {name:<11}"), value, INDENT);
        }
        for next in &view.next {
            let label = format!("  {} ", styled(WARN, "unfinished"));
            self.wrap(&label, next, INDENT);
        }
    }

    fn attempt(&mut self, attempt: &AttemptView) {
        if !attempt.title.is_empty() {
            self.heading(&attempt.title);
        }
        if let Some(compared) = &attempt.compared {
            self.heading("compared");
            self.toned(compared.tone, &compared.result);
            for line in &compared.differs {
                self.wrap("    ", line, 6);
            }
            for (name, digest) in &compared.digests {
                if let Some(digest) = digest {
                    self.lines.push(format!("    {name:<8} {digest}"));
                }
            }
        }
        self.section("messages", &attempt.messages, |report, (tone, text)| {
            report.toned(*tone, text);
        });
        self.section("durations", &attempt.figures, |report, figure| {
            let indent = if figure.part { "  " } else { "" };
            let label = format!("{indent}{}", figure.label);
            let label = format!("  {label:<20}{:>14}", figure.value);
            if report.width < NARROW {
                report.lines.push(label);
                report.wrap("      ", &figure.note, 6);
            } else {
                report.wrap(&format!("{label}  "), &figure.note, NOTES);
            }
        });
        self.section("manual steps", &attempt.waits, |report, wait| {
            let text = format!("{}: {}, waited {}", wait.step, wait.answer, wait.took);
            report.wrap("  ", &text, 2);
        });
        for table in &attempt.outages {
            self.outages(table);
        }
        let steps = attempt.steps.iter();
        let rows: Vec<_> = steps
            .map(|row| [&*row.from, &row.took, &row.sync, &row.operations, &row.name])
            .collect();
        let head = ["from", "took", "sync", "done", "step"];
        self.table("steps, timed from the start of the commit", head, &rows);
        let servers = attempt.servers.iter();
        let rows: Vec<_> = servers
            .map(|row| {
                [
                    &*row.from,
                    &row.to,
                    &row.renaming,
                    &row.operations,
                    &row.server,
                ]
            })
            .collect();
        let head = ["from", "to", "renames", "done", "server"];
        self.table("servers, timed from the start of the commit", head, &rows);
    }

    fn outages(&mut self, table: &OutageTable) {
        let lines: Vec<String> = table.groups.iter().map(describe_outage).collect();
        self.section(&table.title.to_lowercase(), &lines, |report, line| {
            report.wrap("  ", line, 2);
        });
    }

    /// Adds a table with four numbers and a name in each row.
    fn table(&mut self, title: &str, head: [&str; 5], rows: &[[&str; 5]]) {
        if rows.is_empty() {
            return;
        }
        self.heading(title);
        if self.width < NARROW {
            for row in rows {
                let [first, second, third, done, name] = row;
                self.wrap("  ", name, 4);
                let numbers = iter::zip(head, [first, second, third, done]);
                let numbers = numbers.filter(|(_, number)| !number.is_empty());
                let numbers: Vec<String> = numbers
                    .map(|(head, number)| format!("{head} {number}"))
                    .collect();
                self.wrap("    ", &numbers.join(", "), 4);
            }
            return;
        }
        for [first, second, third, done, name] in iter::once(&head).chain(rows) {
            let numbers = format!("  {first:>11} {second:>11} {third:>11} {done:>6}  ");
            self.wrap(&numbers, name, STEPS);
        }
    }

    fn command(&mut self, command: &CommandView) {
        let CommandView {
            at,
            name,
            took,
            ended,
            ..
        } = command;
        let by = preceded(" by ", &command.by);
        self.wrap("  ", &format!("{at}  {name}{by}, {took}; {ended}"), 2);
        for reason in &command.reasons {
            self.wrap("    ", reason, 4);
        }
    }
}

fn style(tone: Tone) -> anstyle::Style {
    match tone {
        Tone::Good => GOOD,
        Tone::Warn => WARN,
        Tone::Bad => BAD,
    }
}

/// Returns a text with words before it, or nothing if it is empty.
fn preceded(words: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{words}{text}")
}

fn describe_outage(outage: &OutageRow) -> String {
    let on = preceded(" on ", &outage.server);
    let parts = [outage.took.as_str(), outage.note.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}{on}: {}", outage.target, parts.join(", "))
}
