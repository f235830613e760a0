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
use super::text::{LazyPattern, ends, is, pattern};
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
    let mut places = Vec::new();
    let mut first = None;
    for stretch in outline.chunk_by(|one, next| one.section == next.section && !next.heading) {
        let mut instructs = stretch
            .iter()
            .filter(|entry| !entry.heading && is_instruction(entry))
            .map(|entry| entry.line);
        if let Some(begin) = instructs.next() {
            let end = instructs.next_back().unwrap_or(begin);
            places.push(lines_text((begin.number, end.last)));
            first.get_or_insert(begin.number);
        }
    }
    let message = format!(
        "no heading calls these instructions an installation; if they install the rollup, write them as steps ({})",
        places.join(", ")
    );
    Some(OpenQuestion::new(first?, message))
}

/// Verbs that change something.
const ACTIONS: &str = "copy|replace|rename|run|execute|extract|install|stop|start|restart|delete|remove|unpack|overwrite|disable|enable";

/// Returns whether a sentence begins with a verb that changes something.
fn begins_with_action(sentence: &str) -> bool {
    clauses::verb(sentence).is_some_and(|(verb, _)| is(verb, ACTIONS))
        && !sentence.ends_with(':')
        && sentence.contains(' ')
}

/// Returns whether a line outside of an installation may be a part of one: an entry of a numbered
/// list, or a sentence that gives an instruction where the article describes the solution.
fn is_instruction(entry: &OutlineEntry<'_>) -> bool {
    let text = &entry.line.text;
    let solves = matches!(entry.section, Section::Files | Section::Other);
    let may_install = solves
        || matches!(
            entry.section,
            Section::Head | Section::Summary | Section::Fixes
        );
    match entry.line.marker {
        Some(Marker::Number | Marker::Letter) => may_install && commands::is_command(text),
        _ if !solves => false,
        Some(_) => begins_with_action(text),
        None => {
            let remark = remark(text);
            let sentences = clauses::sentences(remark.unwrap_or(text));
            sentences.into_iter().any(|sentence| {
                let is_conditional = remark.is_some() && sentence.starts_with("If ");
                begins_with_action(sentence) || is_conditional && commands::is_command(sentence)
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
    /// Number of the last part that has one.
    part_number: Option<u32>,
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

#[derive(Clone, Copy)]
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

/// Words for something that is done on one server after another.
static EACH_SERVER: LazyPattern =
    LazyPattern::new(|| pattern(r"\b(?:each|every)\b.*\b(?:server|computer|node|machine)s?\b"));

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
        let is_below =
            |(_, depth): &(_, usize)| line.depth > *depth || line.marker == Some(Marker::Letter);
        self.each = self.each.take().filter(is_below);
        let members = members(rest);
        let lines = 1 + members.len();
        self.instruction(line, members);
        lines
    }

    fn remark(&mut self, line: &ArticleLine, text: &str) {
        let is_needless = |sentence: &&str| {
            let commands = commands::commands(sentence);
            let mut needs = commands.iter();
            only_informs(sentence, &commands)
                || needs.all(|command| matches!(command, ArticleCommand::Needless(_)))
        };
        // Apart from navigation, a remark may be important before the maintenance window.
        let is_minor = text.starts_with("To ") || clauses::sentences(text).iter().all(is_needless);
        self.record_line(line, LineKind::Needless(REMARK));
        if !is_minor {
            let message = "a remark in the procedure; check if it is an instruction";
            self.add_question(line.number, message);
        }
    }

    /// Records how a manual step is rolled back; rollup rolls back the others itself.
    fn record_rollback(&mut self, line: &ArticleLine, text: String) {
        let at = self.record_line(line, LineKind::Needless(ROLLS_BACK));
        self.continues_manual = false;
        for (step, known) in self.steps.iter_mut().enumerate().skip(self.part).rev() {
            let StepAction::Manual(work) = &mut known.action else {
                continue;
            };
            match &mut work.undo {
                Some(undo) => undo.value = format!("{} {text}", undo.value),
                undo => *undo = Some(Located::new(text, line.number)),
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
        let title = part_name(&line.text).unwrap_or(&line.text);
        let title = title.trim_end_matches([':', '.']);
        let title = title.strip_suffix(" (optional)").unwrap_or(title);
        self.title = Some(title.to_owned()).filter(|title| !title.is_empty());
        self.number(line);
        if line.text.to_lowercase().starts_with("method 2") {
            let message = "the article describes several methods; keep the steps of one of them";
            self.add_question(line.number, message);
        }
        self.optional = is_optional(&line.text);
        self.each = None;
        self.role = targets::role(&line.text);
        self.platform = targets::platform(&line.text).filter(|_| line.text.contains("only"));
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
        let before = self.part_number.replace(number);
        if let Some(before) = before.filter(|before| *before >= number) {
            let message = format!(
                "part {number} comes after part {before}; the steps keep the order of the text"
            );
            self.add_question(line.number, message);
        }
    }

    /// Marks lines that led to no action as needless: they only opened something on the screen.
    fn drop_leading(&mut self) {
        let leading = std::mem::take(&mut self.leading);
        self.mark(&leading, LineKind::Needless(ONLY_OPENS));
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

    fn mark(&mut self, indexes: &[usize], kind: LineKind) {
        for at in indexes {
            self.lines[*at].kind = kind;
        }
    }

    /// Records that these lines, and those that led to them, are the source of a step.
    fn lead_to(&mut self, step: usize, indexes: &[usize]) {
        let leading = std::mem::take(&mut self.leading);
        for at in leading.iter().chain(indexes) {
            let steps = &mut self.lines[*at].steps;
            if steps.last() != Some(&step) {
                steps.push(step);
            }
        }
    }

    fn add_question(&mut self, line: u32, message: impl Into<String>) {
        self.open.push(OpenQuestion::new(line, message));
    }

    fn instruction(&mut self, line: &ArticleLine, members: Vec<&ArticleLine>) {
        let first = self.record_line(line, LineKind::Step);
        for member in &members {
            self.record_line(member, LineKind::Step);
        }
        let indexes: Vec<usize> = (first..self.lines.len()).collect();
        let lower = line.text.to_lowercase();
        if lower.contains("follow these steps")
            || ends(&lower, "the following steps:|do the following:")
        {
            self.mark(&indexes, LineKind::Needless(INTRODUCES));
            if EACH_SERVER.is_match(&lower) {
                let message = "the article repeats the lines below on each server; nest their steps in an `each-server` step";
                self.add_question(line.number, message);
            }
            return;
        }
        let mut sentences = Vec::new();
        for sentence in clauses::sentences(&line.text) {
            let commands = commands::commands(sentence);
            if !only_informs(sentence, &commands) {
                sentences.push(commands);
            }
        }
        if sentences.is_empty() && members.is_empty() {
            self.mark(&indexes, LineKind::Needless(INFORMS));
            return;
        }
        let effects = self.effects(sentences, !members.is_empty());
        let instruction = Instruction {
            line,
            members,
            indexes,
        };
        match effects {
            Some(effects) => self.perform(effects, &instruction),
            None => self.manual(&instruction),
        }
    }

    /// Returns the effects of all commands of an instruction; nothing if one of them is not
    /// understood.
    fn effects(&self, sentences: Vec<Vec<ArticleCommand>>, members: bool) -> Option<Vec<Effect>> {
        let queued = self.queue.last().map(|queue| queue.kind);
        let mut reader = EffectReader {
            pointed: self.pointed.clone(),
            found: Vec::new(),
            members,
            role: self.role.clone(),
            each: self.each.as_ref().map(|(names, _)| names.clone()),
            procedure: queued == Some(QueuedAction::Initialize),
        };
        for sentence in sentences {
            reader.sentence(sentence)?;
        }
        let is_place = |effect: &Effect| {
            matches!(effect, Effect::Servers(_) | Effect::Root | Effect::Under(_))
        };
        Some(reader.found).filter(|found| !found.iter().all(is_place))
    }

    fn step(
        &mut self,
        action: StepAction,
        line: u32,
        todo: Vec<Located<String>>,
        indexes: &[usize],
    ) {
        self.continues_manual = matches!(action, StepAction::Manual(_));
        self.lead_to(self.steps.len(), indexes);
        self.console.acted();
        self.steps.push(ArticleStep {
            id: String::new(),
            part: self.part_number,
            title: self.title.take(),
            action,
            line,
            todo,
        });
    }

    fn manual(&mut self, instruction: &Instruction<'_>) {
        let line = instruction.line;
        // If a walk through the tree was not understood, its last node is unknown.
        if line.text.to_lowercase().contains("expand ") {
            self.console.leave();
        }
        // What was opened or selected before belongs to what a person does now.
        let leading = std::mem::take(&mut self.leading);
        let indexes = [&leading[..], &instruction.indexes].concat();
        self.mark(&indexes, LineKind::Manual);
        let lines = indexes.iter().map(|at| &self.lines[*at]);
        let mut lines: Vec<_> = lines
            .map(|counted| Located::new(&counted.text, counted.line))
            .collect();
        // Consecutive lines of which none is understood are one manual step.
        if let Some((at, step)) = self.steps.iter_mut().enumerate().next_back()
            && let StepAction::Manual(work) = &mut step.action
            && self.continues_manual
        {
            work.lines.append(&mut lines);
            self.lead_to(at, &indexes);
            return;
        }
        let optional = self.optional || is_optional(&line.text);
        let keep = match optional {
            true => "keep it as a manual step, which is optional as in the article",
            false => "keep it as a manual step",
        };
        let todo = format!("this was not understood; write it as steps, or {keep}");
        let work = ManualWork {
            lines,
            optional,
            ..ManualWork::default()
        };
        let todo = vec![Located::new(todo, line.number)];
        self.step(StepAction::Manual(work), line.number, todo, &indexes);
    }

    fn finish(mut self) -> WalkResult {
        self.drop_leading();
        if let Some(queue) = self.queue.last() {
            let message = "the article queues this, but never starts the deployment; check if this step belongs here";
            self.add_question(queue.line, message);
            self.flush();
        }
        steps::name(&mut self.steps);
        let mut installation = Vec::new();
        for counted in self.lines {
            let ids = counted.steps.iter();
            let mut steps: Vec<String> = ids.map(|at| self.steps[*at].id.clone()).collect();
            let needless = |why: &str| LineResult::Needless {
                why: why.to_owned(),
            };
            let result = match counted.kind {
                LineKind::Heading => LineResult::Heading,
                LineKind::Needless(why) => needless(why),
                LineKind::Step if steps.is_empty() => needless(ONLY_OPENS),
                LineKind::Step => LineResult::Understood { steps },
                LineKind::Manual => LineResult::Manual {
                    step: steps.drain(..).next().unwrap_or_default(),
                },
            };
            installation.push(InstallationLine {
                line: counted.line,
                text: counted.text,
                result,
            });
        }
        WalkResult {
            installation,
            steps: self.steps,
            open: self.open,
        }
    }
}
