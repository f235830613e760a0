//! A report as text.

use super::attempt::{AttemptView, OutageView};
use super::view::ReportView;
use super::words::Tone;
use crate::cli::terminal::out::{BAD, BOLD, GOOD, WARN, count, number, styled, wrapped};

/// Number of outages that are listed one by one; more are summarized by server.
const LISTED: usize = 6;
/// Column in which the facts about the run begin.
const INDENT: usize = 13;
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
    report.commands(view);
    if !view.missing.is_empty() {
        report.heading("missing from this report");
        view.missing.iter().for_each(|text| report.item("- ", text));
    }
    report.lines.push(String::new());
    report.item("", &format!("events in {}", view.events));
    report.lines.join("\n")
}

struct TextReport {
    lines: Vec<String>,
    width: usize,
}

impl TextReport {
    fn heading(&mut self, text: &str) {
        self.lines.push(String::new());
        self.lines.push(styled(BOLD, text));
    }

    /// Adds a text below a heading, with a sign before it.
    fn item(&mut self, sign: &str, text: &str) {
        let indent = " ".repeat(2 + sign.chars().count());
        self.lines
            .push(format!("  {sign}{}", wrapped(text, self.width, &indent)));
    }

    fn toned(&mut self, tone: Tone, text: &str) {
        let (style, word) = match tone {
            Tone::Good => (GOOD, "ok"),
            Tone::Warn => (WARN, "note"),
            Tone::Bad => (BAD, "failed"),
        };
        let label = format!("{word}: ");
        let indent = " ".repeat(2 + label.len());
        let text = wrapped(&format!("{label}{text}"), self.width, &indent);
        self.lines.push(format!(
            "  {}",
            text.replacen(word, &styled(style, word), 1)
        ));
    }

    fn head(&mut self, view: &ReportView) {
        self.lines
            .push(styled(BOLD, wrapped(&view.title, self.width, "  ")));
        let indent = " ".repeat(INDENT);
        for (name, value) in &view.head {
            let value = wrapped(value, self.width, &indent);
            let value = match *name {
                "run" => value.replacen(&view.state, &styled(style(view.tone), &view.state), 1),
                _ => value,
            };
            self.lines.push(format!("  {name:<11}{value}"));
        }
        for next in &view.next {
            let text = wrapped(next, self.width, &indent);
            self.lines.push(format!(
                "  {}{text}",
                styled(WARN, format_args!("{:<11}", "unfinished"))
            ));
        }
    }

    fn attempt(&mut self, attempt: &AttemptView) {
        if !attempt.title.is_empty() {
            self.heading(&attempt.title);
        }
        if let Some((tone, lines)) = &attempt.compared {
            self.heading("compared");
            let (first, rest) = lines
                .split_first()
                .expect("at least the result of the comparison");
            self.toned(*tone, first);
            rest.iter()
                .for_each(|line| self.lines.push(format!("    {line}")));
        }
        if !attempt.messages.is_empty() {
            self.heading("messages");
            attempt
                .messages
                .iter()
                .for_each(|(tone, text)| self.toned(*tone, text));
        }
        if !attempt.figures.is_empty() {
            self.heading("durations");
        }
        for figure in &attempt.figures {
            let label = if figure.part {
                format!("  {}", figure.label)
            } else {
                figure.label.to_owned()
            };
            let note = wrapped(&figure.note, self.width, &" ".repeat(NOTES));
            self.lines.push(
                format!("  {label:<20}{:>14}  {note}", figure.value)
                    .trim_end()
                    .to_owned(),
            );
        }
        if !attempt.waits.is_empty() {
            self.heading("manual steps");
        }
        for wait in &attempt.waits {
            let by = if wait.by.is_empty() {
                String::new()
            } else {
                format!(" by {}", wait.by)
            };
            self.item(
                "",
                &format!("{}: {}{by}, waited {}", wait.step, wait.answer, wait.took),
            );
        }
        self.outages("services, from stop to start", &attempt.services);
        self.outages("items, from removal until available again", &attempt.items);
        self.steps(attempt);
        self.servers(attempt);
    }

    fn outages(&mut self, heading: &str, outages: &[OutageView]) {
        if outages.is_empty() {
            return;
        }
        self.heading(heading);
        if outages.len() > LISTED {
            summarize_outages(outages)
                .iter()
                .for_each(|line| self.item("", line));
            return;
        }
        for outage in outages {
            let on = if outage.server.is_empty() {
                String::new()
            } else {
                format!(" on {}", outage.server)
            };
            let parts: Vec<&str> = [&*outage.took, &*outage.note]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            self.item("", &format!("{}{on}: {}", outage.target, parts.join(", ")));
        }
    }

    fn steps(&mut self, attempt: &AttemptView) {
        if attempt.steps.is_empty() {
            return;
        }
        self.heading("steps, timed from the start of the commit");
        self.lines.push(format!(
            "  {:>11} {:>11} {:>11} {:>6}  step",
            "from", "took", "sync", "done"
        ));
        let indent = " ".repeat(STEPS);
        for step in &attempt.steps {
            let title = if step.title.is_empty() {
                String::new()
            } else {
                format!(": {}", step.title)
            };
            let name = wrapped(
                &format!("{}{title}", step.name),
                self.width.max(STEPS + 20),
                &indent,
            );
            let done = number(step.operations);
            self.lines.push(format!(
                "  {:>11} {:>11} {:>11} {done:>6}  {name}",
                step.from, step.took, step.sync
            ));
        }
    }

    fn servers(&mut self, attempt: &AttemptView) {
        if attempt.servers.is_empty() {
            return;
        }
        self.heading("servers, timed from the start of the commit");
        self.lines.push(format!(
            "  {:>11} {:>11} {:>11} {:>6}  server",
            "from", "to", "renames", "done"
        ));
        for row in &attempt.servers {
            let done = number(row.operations);
            let (from, to, renaming) = (&row.from, &row.to, &row.renaming);
            self.lines.push(format!(
                "  {from:>11} {to:>11} {renaming:>11} {done:>6}  {}",
                row.server
            ));
        }
    }

    fn commands(&mut self, view: &ReportView) {
        if view.commands.is_empty() {
            return;
        }
        self.heading("commands");
        for command in &view.commands {
            let by = if command.by.is_empty() {
                String::new()
            } else {
                format!(" by {}", command.by)
            };
            let exit = if command.is_over { "exit " } else { "" };
            let text = format!(
                "{}  {}{by}, {}; {exit}{}",
                command.at, command.name, command.took, command.ended
            );
            self.item("", &text);
            command
                .reasons
                .iter()
                .for_each(|reason| self.item("  ", reason));
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

/// Summarizes outages in few lines: similar ones together, with the shortest and the longest time.
fn summarize_outages(outages: &[OutageView]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&OutageView>)> = Vec::new();
    for outage in outages {
        let key = match outage.note.is_empty() {
            true => outage.server.clone(),
            false => format!("{} {}", outage.server, outage.note),
        };
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(outage),
            None => groups.push((key, vec![outage])),
        }
    }
    let line = |group: &[&OutageView]| {
        let longest = group[0];
        let on = if longest.server.is_empty() {
            String::new()
        } else {
            format!(" on {}", longest.server)
        };
        let note = if longest.note.is_empty() {
            String::new()
        } else {
            format!(", {}", longest.note)
        };
        let took = if longest.took.is_empty() {
            String::new()
        } else {
            format!(": {}", longest.took)
        };
        match group {
            [one] => format!("{}{on}{took}{note}", one.target),
            [.., shortest] => {
                let items = count(group.len(), "item", "items");
                let range = match shortest.took == longest.took || shortest.took.is_empty() {
                    true => took,
                    false => format!(
                        ": {} to {}, longest {}",
                        shortest.took, longest.took, longest.target
                    ),
                };
                format!("{items}{on}{range}{note}")
            }
            [] => String::new(),
        }
    };
    groups.iter().map(|(_, group)| line(group)).collect()
}
