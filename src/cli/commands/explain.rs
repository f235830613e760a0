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
use crate::document::{Code, Severity, nearest};

/// Runs `rollup explain`.
pub(super) fn explain(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let topics = match &args.code {
        Some(code) => vec![Topic::named(code)?],
        None => Code::ALL
            .iter()
            .copied()
            .map(Topic::Finding)
            .chain(Exit::ALL.into_iter().map(Topic::Exit))
            .chain([Topic::Recovery])
            .collect(),
    };
    match (args.format, &topics[..]) {
        (ExplainFormat::Json, _) => {
            let topics = topics.iter().map(Topic::row).collect();
            Envelope::new(Exit::Ok, ExplainDocument { topics }).print();
        }
        (ExplainFormat::Markdown, [topic]) => out::line(topic.markdown()),
        (ExplainFormat::Markdown, topics) => out::line(page(topics).trim_end()),
        // Its tables and shell lines are to be read and pasted as they are.
        (ExplainFormat::Text, [Topic::Recovery]) => out::line(RECOVERY.trim_end()),
        (ExplainFormat::Text, [topic]) => {
            out::line(format_args!(
                "{}\n\n{}",
                styled(BOLD, topic.heading()),
                fitted(topic.text())
            ));
        }
        (ExplainFormat::Text, topics) => list(topics),
    }
    Ok(Exit::Ok)
}

/// Recovery by hand. It is in the program, as an operator who needs it may have no repository.
const RECOVERY: &str = include_str!("../../../docs/recovery.md");

/// Finding, exit code or procedure that can be explained.
#[derive(Clone, Copy)]
enum Topic {
    Finding(Code),
    Exit(Exit),
    Recovery,
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Explanations of findings and exit codes")]
pub(in crate::cli) struct ExplainDocument {
    topics: Vec<TopicRow>,
}

/// Topic: a finding has a `code` and a `level`, an exit code an `exit_code`.
#[derive(Default, Serialize, JsonSchema)]
struct TopicRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Severity>,
    title: String,
    explanation: &'static str,
}

impl Topic {
    /// Finds a finding by its code or name, an exit code by its number or name, or `recovery`.
    fn named(wanted: &str) -> Result<Self, Failure> {
        if wanted.eq_ignore_ascii_case("recovery") {
            return Ok(Self::Recovery);
        }
        let exit = |exit: &Exit| {
            exit.name().eq_ignore_ascii_case(wanted) || (*exit as u8).to_string() == wanted
        };
        if let Some(exit) = Exit::ALL.into_iter().find(exit) {
            return Ok(Self::Exit(exit));
        }
        let finding = |code: &Code| code.name().eq_ignore_ascii_case(wanted);
        if let Some(code) = wanted
            .parse()
            .ok()
            .or_else(|| Code::ALL.iter().copied().find(finding))
        {
            return Ok(Self::Finding(code));
        }
        let names = Code::ALL
            .iter()
            .map(|code| code.number())
            .chain(Exit::ALL.iter().map(|exit| exit.name()))
            .chain(["recovery"]);
        let near = nearest(wanted, names)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let reason = format!("`{wanted}` is not a finding, an exit code or a topic{near}");
        Err(Failure::new(Exit::Usage, reason).next("`rollup explain` lists all of them"))
    }

    fn heading(&self) -> String {
        match self {
            Self::Finding(code) => format!("{code}: {} ({})", code.title(), code.level()),
            Self::Exit(exit) => format!(
                "exit code {} ({}): {}",
                *exit as u8,
                exit.name(),
                exit.meaning()
            ),
            Self::Recovery => "recovery by hand".to_owned(),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Finding(code) => code.explanation(),
            Self::Exit(exit) => exit.explanation(),
            Self::Recovery => RECOVERY,
        }
    }

    fn row(&self) -> TopicRow {
        let row = TopicRow {
            explanation: self.text(),
            ..TopicRow::default()
        };
        match self {
            Self::Finding(code) => TopicRow {
                code: Some(code.number()),
                name: code.name(),
                level: Some(code.level()),
                title: code.title().to_owned(),
                ..row
            },
            Self::Exit(exit) => TopicRow {
                exit_code: Some(*exit as u8),
                name: exit.name(),
                title: exit.meaning().to_owned(),
                ..row
            },
            Self::Recovery => TopicRow {
                name: "recovery",
                title: self.heading(),
                ..row
            },
        }
    }

    fn markdown(&self) -> String {
        match self {
            Self::Finding(code) => {
                let level = code.level();
                format!(
                    "### {code}: {}\n\n*{level}* · `{}`\n\n{}\n",
                    code.title(),
                    code.name(),
                    self.text()
                )
            }
            Self::Exit(exit) => {
                format!(
                    "### {} `{}`: {}\n\n{}\n",
                    *exit as u8,
                    exit.name(),
                    exit.meaning(),
                    self.text()
                )
            }
            Self::Recovery => RECOVERY.to_owned(),
        }
    }
}

/// Wraps the paragraphs of a text to the screen's width; indented ones are examples and stay.
fn fitted(text: &str) -> String {
    let width = out::width().min(100);
    let paragraph = |part: &str| match part.starts_with("    ") {
        true => part.to_owned(),
        false => out::wrapped(part, width, ""),
    };
    text.split("\n\n")
        .map(paragraph)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Lists the topics, one line each.
fn list(topics: &[Topic]) {
    for topic in topics {
        match topic {
            Topic::Finding(code) => {
                let style = match code.level() {
                    Severity::Error => out::BAD,
                    Severity::Warning => out::WARN,
                    Severity::Note => out::GOOD,
                };
                let level = styled(style, format_args!("{:7}", code.level().to_string()));
                out::line(format_args!("{code}  {level}  {}", code.title()));
            }
            Topic::Exit(exit) => {
                out::line(format_args!(
                    "{:>6}  {:15}  {}",
                    *exit as u8,
                    exit.name(),
                    exit.meaning()
                ));
            }
            Topic::Recovery => out::line("recovery  finish or roll back a run by hand, with `mv`"),
        }
    }
    out::message("`rollup explain CODE` explains one of them");
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
fn page(topics: &[Topic]) -> String {
    let mut page = String::from(
        "# Findings and exit codes\n\n\
         Every finding of `rollup validate` has a code that never changes its meaning. `rollup explain CODE` shows the\n\
         same text; `--deny`, `--warn` and `--allow` change the level of warnings and notes.\n\
         `rollup explain --format markdown` prints this page.\n",
    );
    for (family, title) in FAMILIES {
        let _ = write!(page, "\n## {title}\n");
        for topic in topics {
            if matches!(topic, Topic::Finding(code) if code.number().starts_with(family)) {
                let _ = write!(page, "\n{}", topic.markdown());
            }
        }
    }
    page.push_str("\n## Exit codes\n");
    for topic in topics
        .iter()
        .filter(|topic| matches!(topic, Topic::Exit(_)))
    {
        let _ = write!(page, "\n{}", topic.markdown());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_family_and_is_on_the_page() {
        let topics: Vec<_> = Code::ALL.iter().copied().map(Topic::Finding).collect();
        let page = page(&topics);
        assert!(
            Code::ALL
                .iter()
                .all(|code| page.contains(&format!("### {code}: ")))
        );
    }

    #[test]
    fn a_topic_is_found_by_any_of_its_names() {
        for name in ["RU0201", "ru0201", "NotListed"] {
            assert!(
                matches!(Topic::named(name), Ok(Topic::Finding(Code::NotListed))),
                "{name}"
            );
        }
        assert!(matches!(
            Topic::named("13"),
            Ok(Topic::Exit(Exit::Mismatch))
        ));
        assert!(matches!(
            Topic::named("stale-plan"),
            Ok(Topic::Exit(Exit::StalePlan))
        ));
        assert!(Topic::named("RU9999").is_err() && Topic::named("").is_err());
    }
}
