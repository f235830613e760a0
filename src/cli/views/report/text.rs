//! A report as text.

use super::chapter::{Chapter, Down};
use super::story::Story;
use super::words::Tone;
use crate::cli::terminal::out::{BAD, BOLD, GOOD, WARN, count, number, styled, wrapped};

/// Number of outages that are listed one by one; more are summarized by server.
const TOLD: usize = 6;
/// Column in which the facts about the run begin.
const INDENT: usize = 13;
/// Column in which the notes on a time begin.
const NOTES: usize = 38;
/// Column in which the names of steps begin.
const STEPS: usize = 46;

/// Formats the report line by line, no wider than `width` as far as words allow it.
pub(super) fn text(story: &Story, width: usize) -> String {
    let mut page = Page {
        lines: Vec::new(),
        width,
    };
    page.head(story);
    for chapter in &story.chapters {
        page.chapter(chapter);
    }
    page.commands(story);
    if !story.missing.is_empty() {
        page.heading("what this report does not know");
        story.missing.iter().for_each(|text| page.item("- ", text));
    }
    page.lines.push(String::new());
    page.item("", &format!("events in {}", story.events));
    page.lines.join("\n")
}

struct Page {
    lines: Vec<String>,
    width: usize,
}

impl Page {
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

    fn head(&mut self, story: &Story) {
        self.lines
            .push(styled(BOLD, wrapped(&story.title, self.width, "  ")));
        let indent = " ".repeat(INDENT);
        for (name, value) in &story.head {
            let value = wrapped(value, self.width, &indent);
            let value = match *name {
                "run" => value.replacen(&story.state, &styled(style(story.tone), &story.state), 1),
                _ => value,
            };
            self.lines.push(format!("  {name:<11}{value}"));
        }
        for next in &story.next {
            let text = wrapped(next, self.width, &indent);
            self.lines.push(format!(
                "  {}{text}",
                styled(WARN, format_args!("{:<11}", "unfinished"))
            ));
        }
    }

    fn chapter(&mut self, chapter: &Chapter) {
        if !chapter.title.is_empty() {
            self.heading(&chapter.title);
        }
        if let Some((tone, lines)) = &chapter.compared {
            self.heading("compared");
            let (first, rest) = lines
                .split_first()
                .expect("it says at least how it compares");
            self.toned(*tone, first);
            rest.iter()
                .for_each(|line| self.lines.push(format!("    {line}")));
        }
        if !chapter.told.is_empty() {
            self.heading("what was told");
            chapter
                .told
                .iter()
                .for_each(|(tone, text)| self.toned(*tone, text));
        }
        if !chapter.figures.is_empty() {
            self.heading("how long");
        }
        for figure in &chapter.figures {
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
        if !chapter.waits.is_empty() {
            self.heading("by hand");
        }
        for wait in &chapter.waits {
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
        self.downs("services, from stop to start", &chapter.services);
        self.downs(
            "items, from their removal until they stood again",
            &chapter.items,
        );
        self.steps(chapter);
        self.servers(chapter);
    }

    fn downs(&mut self, heading: &str, downs: &[Down]) {
        if downs.is_empty() {
            return;
        }
        self.heading(heading);
        if downs.len() > TOLD {
            summarised(downs)
                .iter()
                .for_each(|line| self.item("", line));
            return;
        }
        for down in downs {
            let on = if down.server.is_empty() {
                String::new()
            } else {
                format!(" on {}", down.server)
            };
            let parts: Vec<&str> = [&*down.took, &*down.note]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            self.item("", &format!("{}{on}: {}", down.what, parts.join(", ")));
        }
    }

    fn steps(&mut self, chapter: &Chapter) {
        if chapter.steps.is_empty() {
            return;
        }
        self.heading("steps, in time from the beginning of the commit");
        self.lines.push(format!(
            "  {:>11} {:>11} {:>11} {:>6}  step",
            "from", "took", "sync", "done"
        ));
        let indent = " ".repeat(STEPS);
        for step in &chapter.steps {
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

    fn servers(&mut self, chapter: &Chapter) {
        if chapter.servers.is_empty() {
            return;
        }
        self.heading("servers, in time from the beginning of the commit");
        self.lines.push(format!(
            "  {:>11} {:>11} {:>11} {:>6}  server",
            "from", "to", "renames", "done"
        ));
        for place in &chapter.servers {
            let done = number(place.operations);
            let (from, to, renaming) = (&place.from, &place.to, &place.renaming);
            self.lines.push(format!(
                "  {from:>11} {to:>11} {renaming:>11} {done:>6}  {}",
                place.server
            ));
        }
    }

    fn commands(&mut self, story: &Story) {
        if story.commands.is_empty() {
            return;
        }
        self.heading("commands that worked on it");
        for command in &story.commands {
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
fn summarised(downs: &[Down]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&Down>)> = Vec::new();
    for down in downs {
        let key = match down.note.is_empty() {
            true => down.server.clone(),
            false => format!("{} {}", down.server, down.note),
        };
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(down),
            None => groups.push((key, vec![down])),
        }
    }
    let line = |group: &[&Down]| {
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
            [one] => format!("{}{on}{took}{note}", one.what),
            [.., shortest] => {
                let items = count(group.len(), "item", "items");
                let range = match shortest.took == longest.took || shortest.took.is_empty() {
                    true => took,
                    false => format!(
                        ": {} to {}, longest {}",
                        shortest.took, longest.took, longest.what
                    ),
                };
                format!("{items}{on}{range}{note}")
            }
            [] => String::new(),
        }
    };
    groups.iter().map(|(_, group)| line(group)).collect()
}
