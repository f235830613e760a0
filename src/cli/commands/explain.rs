//! `rollup explain`: the meaning of a finding or an exit code, the page with all of them, and
//! recovery by hand.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{ExplainArgs, ExplainFormat};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal::out::{self, BOLD, styled};
use crate::document::{Code, Severity};

/// Runs `rollup explain`.
pub(super) fn explain(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let topics = match &args.code {
        Some(named) => vec![TopicRow::named(named)?],
        None => TopicRow::all(),
    };
    match (args.format, topics.as_slice()) {
        (ExplainFormat::Json, _) => Envelope::new(Exit::Ok, ExplainDocument { topics }).print(),
        (ExplainFormat::Markdown, [topic]) => out::laid_out(topic.markdown()),
        (ExplainFormat::Markdown, topics) => out::laid_out(page(topics).trim_end()),
        // Its tables and shell lines are to be read and pasted as they are.
        (ExplainFormat::Text, [topic]) if topic.name == RECOVERY_NAME => {
            out::line(RECOVERY.trim_end());
        }
        (ExplainFormat::Text, [topic]) => {
            out::line(styled(BOLD, topic.heading()));
            out::line(format_args!("\n{}", fitted(topic.explanation)));
        }
        (ExplainFormat::Text, topics) => {
            for topic in topics {
                out::line(topic.line());
            }
            out::message("`rollup explain CODE` explains one of them");
        }
    }
    Ok(Exit::Ok)
}

/// Recovery by hand. It is in the program, as an operator who needs it may have no repository.
const RECOVERY: &str = include_str!("../../../docs/recovery.md");

const RECOVERY_NAME: &str = "recovery";

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Explanations of findings and exit codes")]
pub(in crate::cli) struct ExplainDocument {
    topics: Vec<TopicRow>,
}

/// Topic: a finding has a `code` and a `level`, an exit code an `exit_code`.
#[derive(Serialize, JsonSchema)]
struct TopicRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Severity>,
    title: &'static str,
    explanation: &'static str,
}

impl TopicRow {
    fn of_finding(code: Code) -> Self {
        Self {
            code: Some(code.number()),
            exit_code: None,
            name: code.name(),
            level: Some(code.level()),
            title: code.title(),
            explanation: code.explanation(),
        }
    }

    fn of_exit(exit: Exit) -> Self {
        Self {
            code: None,
            exit_code: Some(exit as u8),
            name: exit.name(),
            level: None,
            title: exit.meaning(),
            explanation: exit.explanation(),
        }
    }

    fn recovery() -> Self {
        Self {
            code: None,
            exit_code: None,
            name: RECOVERY_NAME,
            level: None,
            title: "recovery by hand",
            explanation: RECOVERY,
        }
    }

    fn all() -> Vec<Self> {
        let findings = Code::ALL.iter().copied().map(Self::of_finding);
        let exits = Exit::ALL.into_iter().map(Self::of_exit);
        findings.chain(exits).chain([Self::recovery()]).collect()
    }

    /// Finds a finding by its code or name, an exit code by its number or name, or `recovery`.
    fn named(wanted: &str) -> Result<Self, Failure> {
        if let Ok(code) = wanted.parse() {
            return Ok(Self::of_finding(code));
        }
        let exit_code = wanted.parse().ok();
        let mut near = Vec::new();
        for topic in Self::all() {
            let is_number = exit_code.is_some() && topic.exit_code == exit_code;
            if is_number || topic.name.eq_ignore_ascii_case(wanted) {
                return Ok(topic);
            }
            near.push(topic.code.unwrap_or(topic.name));
        }
        let reason = format!("`{wanted}` is not a finding, an exit code or a topic");
        Err(Failure::usage(reason)
            .meant("", wanted, near.into_iter())
            .next("`rollup explain` lists all of them"))
    }

    fn heading(&self) -> String {
        let (name, title) = (self.name, self.title);
        match (self.code, self.level, self.exit_code) {
            (Some(code), Some(level), _) => format!("{code}: {title} ({level})"),
            (_, _, Some(exit)) => format!("exit code {exit} ({name}): {title}"),
            _ => title.to_owned(),
        }
    }

    /// Returns the line of the list.
    fn line(&self) -> String {
        let (name, title) = (self.name, self.title);
        match (self.code, self.level, self.exit_code) {
            (Some(code), Some(level), _) => {
                let style = match level {
                    Severity::Error => out::BAD,
                    Severity::Warning => out::WARN,
                    Severity::Note => out::GOOD,
                };
                let level = styled(style, format_args!("{:7}", level.to_string()));
                format!("{code}  {level}  {title}")
            }
            (_, _, Some(exit)) => format!("{exit:>6}  {name:15}  {title}"),
            _ => format!("{name}  finish or roll back a run by hand, with `mv`"),
        }
    }

    fn markdown(&self) -> String {
        let (name, title, text) = (self.name, self.title, self.explanation);
        match (self.code, self.level, self.exit_code) {
            (Some(code), Some(level), _) => {
                format!("### {code}: {title}\n\n*{level}* · `{name}`\n\n{text}\n")
            }
            (_, _, Some(exit)) => format!("### {exit} `{name}`: {title}\n\n{text}\n"),
            _ => text.to_owned(),
        }
    }
}

/// Wraps the paragraphs of a text to the screen's width; indented ones are examples and stay.
fn fitted(text: &str) -> String {
    let width = out::width();
    let mut paragraphs = Vec::new();
    for paragraph in text.split("\n\n") {
        paragraphs.push(if paragraph.starts_with("    ") {
            paragraph.to_owned()
        } else {
            out::wrapped(paragraph, width, "")
        });
    }
    paragraphs.join("\n\n")
}

/// Families of findings, by the first two digits of their codes.
const FAMILIES: [(&str, &str); 9] = [
    ("RU00", "The text itself"),
    ("RU01", "Keys and values"),
    ("RU02", "The file table"),
    ("RU03", "Steps"),
    ("RU04", "Relations between rollups"),
    ("RU05", "The deployment"),
    ("RU06", "A manifest against a deployment"),
    ("RU07", "A payload against its manifest"),
    ("RU08", "A manifest against its article"),
];

/// Returns the page of the manual with everything that can be explained.
fn page(topics: &[TopicRow]) -> String {
    let mut page = String::from(
        "# Findings and exit codes\n\n\
         Every finding of `rollup validate` has a code that never changes its meaning. `rollup explain CODE` shows the\n\
         same text; `--deny`, `--warn` and `--allow` change the level of warnings and notes.\n\
         `rollup explain --format markdown` prints this page.\n",
    );
    for (family, title) in FAMILIES {
        let _ = write!(page, "\n## {title}\n");
        for topic in topics {
            if topic.code.is_some_and(|code| code.starts_with(family)) {
                let _ = write!(page, "\n{}", topic.markdown());
            }
        }
    }
    page.push_str("\n## Exit codes\n");
    for topic in topics.iter().filter(|topic| topic.exit_code.is_some()) {
        let _ = write!(page, "\n{}", topic.markdown());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_family_and_is_on_the_page() {
        let topics: Vec<_> = Code::ALL
            .iter()
            .copied()
            .map(TopicRow::of_finding)
            .collect();
        let page = page(&topics);
        assert!(
            Code::ALL
                .iter()
                .all(|code| page.contains(&format!("### {code}: ")))
        );
    }

    #[test]
    fn a_topic_is_found_by_any_of_its_names() {
        let named = |name| TopicRow::named(name).map(|topic| (topic.code, topic.exit_code));
        for name in ["RU0201", "ru0201", "NotListed"] {
            let found = named(name).expect("a finding");
            assert_eq!(found, (Some(Code::NotListed.number()), None), "{name}");
        }
        for (name, exit) in [("13", Exit::Mismatch), ("stale-plan", Exit::StalePlan)] {
            let found = named(name).expect("an exit code");
            assert_eq!(found, (None, Some(exit as u8)), "{name}");
        }
        assert!(named("RU9999").is_err() && named("").is_err());
    }
}
