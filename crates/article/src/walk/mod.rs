//! Walk through the installation section, line by line, which makes steps of its instructions.
//!
//! A line is either understood completely or kept as a manual step at its position, in the
//! article's words. A line that needs no step is reported with the reason.

mod perform;
mod queue;

use super::clauses;
use super::commands::{self, ArticleCommand, QueuedAction};
use super::console::ConsolePosition;
use super::effects::{Effect, EffectReader, ONLY_OPENS};
use super::instructions::{is_optional, only_informs, rollback_instructions};
use super::issues::remark;
use super::lines::{ArticleLine, Marker};
use super::listing::members;
use super::outline::OutlineEntry;
use super::parts::{is_part, part_name, part_number};
use super::section::Section;
use super::steps::{self, ArticleStep, ManualWork, StepAction};
use super::targets::{self, Targets};
use queue::QueueEntry;

use super::{InstallationLine, LineResult, Located, OpenQuestion, lines_text};

/// Steps, every line of the section, and the open questions.
#[derive(Debug, Default)]
pub(super) struct WalkResult {
    pub(super) steps: Vec<ArticleStep>,
    pub(super) installation: Vec<InstallationLine>,
    pub(super) open: Vec<OpenQuestion>,
}

/// Walks through the installation section.
pub(super) fn walk(outline: &[OutlineEntry<'_>]) -> WalkResult {
    let section: Vec<&OutlineEntry<'_>> = outline
        .iter()
        .filter(|entry| entry.section == Section::Installation)
        .collect();
    let mut walker = Walker::default();
    let mut at = 0;
    while at < section.len() {
        at += walker.take(&section[at..]);
    }
    let mut result = walker.finish();
    result.open.extend(instructions_elsewhere(outline));
    result
}

/// Reports instructions that no heading calls an installation; a person knows if they belong to
/// the rollup.
fn instructions_elsewhere(outline: &[OutlineEntry<'_>]) -> Option<OpenQuestion> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for stretch in outline.chunk_by(|one, next| one.section == next.section && !next.heading) {
        let may_install = matches!(
            stretch[0].section,
            Section::Head | Section::Summary | Section::Fixes | Section::Files | Section::Other
        );
        let mut instructs = stretch
            .iter()
            .filter(|entry| may_install && !entry.heading && is_instruction(entry))
            .map(|entry| entry.line);
        if let Some(first) = instructs.next() {
            let last = instructs.next_back().unwrap_or(first);
            ranges.push((first.number, last.last));
        }
    }
    let (first, _) = *ranges.first()?;
    let places: Vec<String> = ranges.iter().map(|range| lines_text(*range)).collect();
    let message = format!(
        "no heading calls these instructions an installation; if they install the rollup, write them as steps ({})",
        places.join(", ")
    );
    Some(OpenQuestion {
        line: Some(first),
        message,
    })
}

/// Returns whether a sentence begins with a verb that changes something.
fn begins_with_action(sentence: &str) -> bool {
    const ACTIONS: [&str; 16] = [
        "copy",
        "replace",
        "rename",
        "run",
        "execute",
        "extract",
        "install",
        "stop",
        "start",
        "restart",
        "delete",
        "remove",
        "unpack",
        "overwrite",
        "disable",
        "enable",
    ];
    let verb = clauses::verb(sentence).map(|(verb, _)| verb);
    verb.is_some_and(|verb| ACTIONS.contains(&verb))
        && !sentence.ends_with(':')
        && sentence.contains(' ')
}

/// Returns whether a line outside of an installation may be a part of one: an entry of a numbered
/// list, or a sentence that gives an instruction where the article describes the solution.
fn is_instruction(entry: &OutlineEntry<'_>) -> bool {
    let line = entry.line;
    match line.marker {
        Some(Marker::Number | Marker::Letter) => commands::is_command(&line.text),
        _ if !matches!(entry.section, Section::Files | Section::Other) => false,
        Some(_) => begins_with_action(&line.text),
        None => {
            let text = remark(&line.text).unwrap_or(&line.text);
            let is_conditional = text.len() < line.text.len();
            clauses::sentences(text).iter().any(|sentence| {
                begins_with_action(sentence)
                    || is_conditional
                        && sentence.starts_with("If ")
                        && commands::is_command(sentence)
            })
        }
    }
}

#[derive(Default)]
struct Walker {
    steps: Vec<ArticleStep>,
    lines: Vec<CountedLine>,
    open: Vec<OpenQuestion>,
    console: ConsolePosition,
    /// Title of the current part, for the first step made from it.
    title: Option<String>,
    /// Role of the servers of the current part.
    role: Option<String>,
    /// Platform of these servers.
    platform: Option<&'static str>,
    /// Targets that were selected last.
    pointed: Option<Targets>,
    /// Commands queued in the console, in order, with their lines.
    queue: Vec<QueueEntry>,
    /// Lines that lead to the next action, as indexes into `lines`.
    leading: Vec<usize>,
    /// Index of the first step of the current part.
    part: usize,
    /// Numbers of the parts so far, each with the index of its first step.
    part_numbers: Vec<(u32, usize)>,
    /// True if the current part is optional.
    optional: bool,
    /// Names for which the lines below are repeated, and the depth of the line that lists them.
    each: Option<(Vec<String>, usize)>,
    /// True if the next manual line continues the last manual step.
    continues_manual: bool,
}

/// Line that is an instruction.
struct Instruction<'l> {
    line: &'l ArticleLine,
    /// List below it.
    members: Vec<&'l ArticleLine>,
    /// Indexes of all these lines in `Walker::lines`.
    indexes: Vec<usize>,
}

/// Line with the steps made from it.
struct CountedLine {
    line: u32,
    text: String,
    kind: LineKind,
    steps: Vec<usize>,
}

enum LineKind {
    Heading,
    Step,
    Needless(&'static str),
    Manual,
}

const REMARK: &str = "a remark";
const INTRODUCES: &str = "it introduces the lines below";
const ROLLS_BACK: &str = "rollup rolls back its own steps";
const INFORMS: &str = "it is information, not an instruction";

/// Returns whether a sentence in lower case repeats something on one server after another.
fn repeats_on_servers(lower: &str) -> bool {
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    let repeats = words.any(|word| matches!(word, "each" | "every"));
    let is_server = |word: &str| {
        let word = word.strip_suffix('s').unwrap_or(word);
        matches!(word, "server" | "computer" | "node" | "machine")
    };
    repeats && words.any(is_server)
}

impl Walker {
    /// Takes one instruction with the list below it, and returns the number of these lines.
    fn take(&mut self, rest: &[&OutlineEntry<'_>]) -> usize {
        let OutlineEntry { line, heading, .. } = rest[0];
        if *heading || is_part(rest) {
            self.part(line);
            // The heading of the section is not the title of its first step.
            self.title = self.title.take().filter(|_| !*heading);
            return 1;
        }
        if let Some(text) = remark(&line.text).or_else(|| line.text.strip_prefix("TIP ")) {
            self.remark(line, text);
            return 1;
        }
        if let Some(text) = rollback_instructions(&line.text) {
            self.record_rollback(line, text);
            return 1;
        }
        // Lettered lines belong to the numbered line above them, however a text indents them.
        if self
            .each
            .as_ref()
            .is_some_and(|(_, depth)| line.depth <= *depth && line.marker != Some(Marker::Letter))
        {
            self.each = None;
        }
        let members = members(rest);
        let lines = 1 + members.len();
        self.instruction(line, members);
        lines
    }

    fn remark(&mut self, line: &ArticleLine, text: &str) {
        let needless = |sentence: &&str| {
            let commands = commands::commands(sentence);
            only_informs(sentence, &commands)
                || commands
                    .iter()
                    .all(|command| matches!(command, ArticleCommand::Needless(_)))
        };
        // Apart from navigation, a remark may be important before the maintenance window.
        let unimportant = text.starts_with("To ") || clauses::sentences(text).iter().all(needless);
        self.record_line(line, LineKind::Needless(REMARK));
        if !unimportant {
            self.add_question(
                line.number,
                "a remark in the procedure; check if it is an instruction".to_owned(),
            );
        }
    }

    /// Records how a manual step is rolled back; rollup rolls back the others itself.
    fn record_rollback(&mut self, line: &ArticleLine, text: String) {
        let at = self.record_line(line, LineKind::Needless(ROLLS_BACK));
        self.continues_manual = false;
        for (step, known) in self.steps.iter_mut().enumerate().skip(self.part).rev() {
            let StepAction::Manual(ManualWork { undo, .. }) = &mut known.action else {
                continue;
            };
            match undo {
                Some(undo) => undo.value = format!("{} {text}", undo.value),
                None => *undo = Some(Located::new(text, line.number)),
            }
            self.lines[at].kind = LineKind::Step;
            self.lines[at].steps.push(step);
            return;
        }
    }

    fn part(&mut self, line: &ArticleLine) {
        self.drop_leading();
        self.record_line(line, LineKind::Heading);
        self.console.leave();
        let title = part_name(&line.text)
            .unwrap_or(&line.text)
            .trim_end_matches([':', '.']);
        let title = title.trim_end_matches(" (optional)");
        self.title = (!title.is_empty()).then(|| title.to_owned());
        self.number(line);
        if line.text.to_lowercase().starts_with("method 2") {
            let message = "the article describes several methods; keep the steps of one of them";
            self.add_question(line.number, message.to_owned());
        }
        self.optional = is_optional(&line.text);
        self.each = None;
        self.role = targets::role(&line.text);
        self.platform = if line.text.contains("only") {
            targets::platform(&line.text)
        } else {
            None
        };
        self.pointed = None;
        self.part = self.steps.len();
        self.continues_manual = false;
    }

    /// Records the number of a part. The parts keep the order of the article; numbers that
    /// contradict it are an open question.
    fn number(&mut self, line: &ArticleLine) {
        let Some(number) = part_number(line) else {
            return;
        };
        if let Some((before, _)) = self
            .part_numbers
            .last()
            .filter(|(before, _)| *before >= number)
        {
            let message = format!(
                "part {number} comes after part {before}; the steps keep the order of the text"
            );
            self.add_question(line.number, message);
        }
        self.part_numbers.push((number, self.steps.len()));
    }

    /// Marks lines that led to no action as needless: they only opened something on the screen.
    fn drop_leading(&mut self) {
        for at in std::mem::take(&mut self.leading) {
            self.lines[at].kind = LineKind::Needless(ONLY_OPENS);
        }
    }

    fn record_line(&mut self, line: &ArticleLine, kind: LineKind) -> usize {
        self.lines.push(CountedLine {
            line: line.number,
            text: line.text.clone(),
            kind,
            steps: Vec::new(),
        });
        self.lines.len() - 1
    }

    fn add_question(&mut self, line: u32, message: String) {
        self.open.push(OpenQuestion {
            line: Some(line),
            message,
        });
    }

    fn instruction(&mut self, line: &ArticleLine, members: Vec<&ArticleLine>) {
        let first = self.record_line(line, LineKind::Step);
        for member in &members {
            self.record_line(member, LineKind::Step);
        }
        let indexes: Vec<usize> = (first..self.lines.len()).collect();
        let lower = line.text.to_lowercase();
        if lower.contains("follow these steps")
            || lower.ends_with("the following steps:")
            || lower.ends_with("do the following:")
        {
            indexes
                .into_iter()
                .for_each(|at| self.lines[at].kind = LineKind::Needless(INTRODUCES));
            if repeats_on_servers(&lower) {
                let message = "the article repeats the lines below on each server; nest their steps in an `each-server` step";
                self.add_question(line.number, message.to_owned());
            }
            return;
        }
        let sentences: Vec<Vec<ArticleCommand>> = clauses::sentences(&line.text)
            .into_iter()
            .map(|sentence| (sentence, commands::commands(sentence)))
            .filter(|(sentence, commands)| !only_informs(sentence, commands))
            .map(|(_, commands)| commands)
            .collect();
        if sentences.is_empty() && members.is_empty() {
            indexes
                .into_iter()
                .for_each(|at| self.lines[at].kind = LineKind::Needless(INFORMS));
            return;
        }
        match self.effects(sentences, !members.is_empty()) {
            Some(effects) => self.perform(
                effects,
                &Instruction {
                    line,
                    members,
                    indexes,
                },
            ),
            None => self.manual(line, &members, &indexes),
        }
    }

    /// Returns the effects of all commands of an instruction; nothing if one of them is not
    /// understood.
    fn effects(&self, sentences: Vec<Vec<ArticleCommand>>, members: bool) -> Option<Vec<Effect>> {
        let mut reader = EffectReader {
            pointed: self.pointed.clone(),
            found: Vec::new(),
            members,
            role: self.role.clone(),
            each: self.each.as_ref().map(|(names, _)| names.clone()),
            procedure: self
                .queue
                .last()
                .is_some_and(|queue| queue.kind == QueuedAction::Initialize),
        };
        for sentence in sentences {
            reader.sentence(sentence)?;
        }
        reader
            .found
            .iter()
            .any(|effect| !matches!(effect, Effect::Servers(_) | Effect::Root | Effect::Under(_)))
            .then_some(reader.found)
    }

    fn step(
        &mut self,
        action: StepAction,
        line: u32,
        todo: Vec<Located<String>>,
        indexes: &[usize],
    ) {
        self.continues_manual = matches!(action, StepAction::Manual(_));
        let at = self.steps.len();
        let leading = std::mem::take(&mut self.leading);
        for place in leading.iter().chain(indexes) {
            if self.lines[*place].steps.last() != Some(&at) {
                self.lines[*place].steps.push(at);
            }
        }
        self.console.acted();
        self.steps.push(ArticleStep {
            id: String::new(),
            title: self.title.take(),
            action,
            line,
            todo,
        });
    }

    fn manual(&mut self, line: &ArticleLine, members: &[&ArticleLine], indexes: &[usize]) {
        indexes
            .iter()
            .for_each(|at| self.lines[*at].kind = LineKind::Manual);
        // If a walk through the tree was not understood, its last node is unknown.
        if line.text.to_lowercase().contains("expand ") {
            self.console.leave();
        }
        // What was opened or selected before belongs to what a person does now.
        let leading = std::mem::take(&mut self.leading);
        let mut lines = Vec::new();
        for at in &leading {
            let counted = &mut self.lines[*at];
            counted.kind = LineKind::Manual;
            lines.push(Located::new(counted.text.clone(), counted.line));
        }
        let these = std::iter::once(line).chain(members.iter().copied());
        lines.extend(these.map(|line| Located::new(line.text.clone(), line.number)));
        let indexes = &[&leading, indexes].concat();
        let last = self.steps.len().saturating_sub(1);
        // Consecutive lines of which none is understood are one manual step.
        if let Some(ArticleStep {
            action: StepAction::Manual(ManualWork { lines: known, .. }),
            ..
        }) = self.steps.last_mut().filter(|_| self.continues_manual)
        {
            known.append(&mut lines);
            indexes
                .iter()
                .for_each(|at| self.lines[*at].steps.push(last));
            return;
        }
        let optional = self.optional || is_optional(&line.text);
        let keep = match optional {
            true => "keep it as a manual step, which is optional as in the article",
            false => "keep it as a manual step",
        };
        let todo = vec![Located::new(
            format!("this was not understood; write it as steps, or {keep}"),
            line.number,
        )];
        self.step(
            StepAction::Manual(ManualWork {
                lines,
                files: Vec::new(),
                undo: None,
                optional,
            }),
            line.number,
            todo,
            indexes,
        );
    }

    fn finish(mut self) -> WalkResult {
        self.drop_leading();
        if let Some(queue) = self.queue.last() {
            let line = queue.line;
            self.add_question(
                line,
                "the article queues this, but never starts the deployment; check if this step belongs here".to_owned(),
            );
            self.flush();
        }
        steps::name(&mut self.steps);
        let id = |at: &usize| self.steps[*at].id.clone();
        let installation = self.lines.iter().map(|counted| InstallationLine {
            line: counted.line,
            text: counted.text.clone(),
            result: match counted.kind {
                LineKind::Heading => LineResult::Heading,
                LineKind::Needless(why) => LineResult::Needless {
                    why: why.to_owned(),
                },
                LineKind::Manual => LineResult::Manual {
                    step: counted.steps.first().map(id).unwrap_or_default(),
                },
                LineKind::Step if counted.steps.is_empty() => LineResult::Needless {
                    why: ONLY_OPENS.to_owned(),
                },
                LineKind::Step => LineResult::Understood {
                    steps: counted.steps.iter().map(id).collect(),
                },
            },
        });
        WalkResult {
            installation: installation.collect(),
            steps: self.steps,
            open: self.open,
        }
    }
}
