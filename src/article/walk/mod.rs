//! Walk through the installation section, line by line: what each line asks for, and its outcome.
//!
//! A line is either understood completely or kept as a manual step in its place, in the article's
//! words. A line that needs no step is reported with the reason.

mod perform;
mod queue;

use super::clauses;
use super::commands::{self, Command, Queued};
use super::console::Console;
use super::effects::{Effect, EffectReader, LEADS};
use super::instructions::{is_optional, tells, way_back};
use super::issues::remark;
use super::lines::{Line, Marker};
use super::listing::members;
use super::outline::Placed;
use super::parts::{is_part, part_name, part_number};
use super::section::Section;
use super::steps::{self, ByHand, Does, Step};
use super::targets::{self, Targets};
use queue::Queue;

use super::{Accounted, Became, Open, Said};

/// Steps, every line of the section, and what is left to decide.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) steps: Vec<Step>,
    pub(super) accounted: Vec<Accounted>,
    pub(super) open: Vec<Open>,
}

/// Walks through the installation section.
pub(super) fn walk(outline: &[Placed<'_>]) -> Walked {
    let section: Vec<&Placed<'_>> = outline
        .iter()
        .filter(|placed| placed.section == Section::Installation)
        .collect();
    let mut walker = Walker::default();
    let mut at = 0;
    while at < section.len() {
        at += walker.take(&section[at..]);
    }
    walker.finish()
}

#[derive(Default)]
struct Walker {
    steps: Vec<Step>,
    lines: Vec<Counted>,
    open: Vec<Open>,
    console: Console,
    /// Title of the current part, for the first step made from it.
    title: Option<String>,
    /// Role that the current part is about.
    role: Option<String>,
    /// Platform that these servers are narrowed to.
    platform: Option<&'static str>,
    /// Targets that were pointed at last.
    pointed: Option<Targets>,
    /// Commands queued in the console, in order, with the lines they come from.
    queue: Vec<Queue>,
    /// Lines that lead to the next action, as indexes into `lines`.
    leading: Vec<usize>,
    /// Index of the first step of the current part.
    part: usize,
    /// Numbers of the parts so far, each with the index of its first step.
    numbered: Vec<(u32, usize)>,
    /// True if only some have to do what the current part asks for.
    optional: bool,
    /// Names that the lines below are done for, and the depth of the line that lists them.
    each: Option<(Vec<String>, usize)>,
    /// True if the next manual line continues the last manual step.
    goes_on: bool,
}

/// Line that asks for something.
struct Instruction<'l> {
    line: &'l Line,
    /// List below it.
    members: Vec<&'l Line>,
    /// Indexes of all these lines in `Walker::lines`.
    places: Vec<usize>,
}

/// Line with the steps made from it.
struct Counted {
    line: u32,
    text: String,
    fate: Fate,
    steps: Vec<usize>,
}

enum Fate {
    Heading,
    Step,
    Needless(&'static str),
    Manual,
}

const REMARK: &str = "a remark";
const INTRODUCES: &str = "it introduces what follows";
const UNDOES: &str = "rollup takes back its own steps itself";
const TELLS: &str = "it tells something and asks for nothing";

impl Walker {
    /// Takes one instruction with the list below it, and returns the number of these lines.
    fn take(&mut self, rest: &[&Placed<'_>]) -> usize {
        let Placed { line, heading, .. } = rest[0];
        if *heading || is_part(rest) {
            self.part(line);
            // The heading of the whole section says nothing about its first step.
            self.title = self.title.take().filter(|_| !*heading);
            return 1;
        }
        if let Some(text) = remark(&line.text).or_else(|| line.text.strip_prefix("TIP ")) {
            self.remark(line, text);
            return 1;
        }
        if let Some(text) = way_back(&line.text) {
            self.way_back(line, text);
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

    fn remark(&mut self, line: &Line, text: &str) {
        let needless = |sentence: &&str| {
            let commands = commands::commands(sentence);
            tells(sentence, &commands)
                || commands
                    .iter()
                    .all(|command| matches!(command, Command::Needless(_)))
        };
        // Apart from navigation, a remark may contain what a person has to know before the
        // maintenance window.
        let told = text.starts_with("To ") || clauses::sentences(text).iter().all(needless);
        self.count(line, Fate::Needless(REMARK));
        if !told {
            self.tell(
                line.number,
                "a remark in the procedure; read whether it asks for something".to_owned(),
            );
        }
    }

    /// Records how a manual step is rolled back; rollup rolls back the others itself.
    fn way_back(&mut self, line: &Line, text: String) {
        let at = self.count(line, Fate::Needless(UNDOES));
        self.goes_on = false;
        for (step, known) in self.steps.iter_mut().enumerate().skip(self.part).rev() {
            let Does::Manual(ByHand { undo, .. }) = &mut known.does else {
                continue;
            };
            match undo {
                Some(undo) => undo.value = format!("{} {text}", undo.value),
                None => *undo = Some(Said::new(text, line.number)),
            }
            self.lines[at].fate = Fate::Step;
            self.lines[at].steps.push(step);
            return;
        }
    }

    fn part(&mut self, line: &Line) {
        self.let_go();
        self.count(line, Fate::Heading);
        self.console.leave();
        let title = part_name(&line.text)
            .unwrap_or(&line.text)
            .trim_end_matches([':', '.']);
        let title = title.trim_end_matches(" (optional)");
        self.title = (!title.is_empty()).then(|| title.to_owned());
        self.number(line);
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
        self.goes_on = false;
    }

    /// Records the number of a part. The parts keep the order of the article; if their numbers
    /// contradict it, a person decides.
    fn number(&mut self, line: &Line) {
        let Some(number) = part_number(line) else {
            return;
        };
        if let Some((before, _)) = self.numbered.last().filter(|(before, _)| *before >= number) {
            let what = format!(
                "part {number} stands behind part {before}; the steps keep the order of the text"
            );
            self.tell(line.number, what);
        }
        self.numbered.push((number, self.steps.len()));
    }

    /// Marks lines that led to no action as needless: at most they opened something on the screen.
    fn let_go(&mut self) {
        for at in std::mem::take(&mut self.leading) {
            self.lines[at].fate = Fate::Needless(LEADS);
        }
    }

    fn count(&mut self, line: &Line, fate: Fate) -> usize {
        self.lines.push(Counted {
            line: line.number,
            text: line.text.clone(),
            fate,
            steps: Vec::new(),
        });
        self.lines.len() - 1
    }

    fn tell(&mut self, line: u32, what: String) {
        self.open.push(Open {
            line: Some(line),
            what,
        });
    }

    fn instruction(&mut self, line: &Line, members: Vec<&Line>) {
        let first = self.count(line, Fate::Step);
        for member in &members {
            self.count(member, Fate::Step);
        }
        let places: Vec<usize> = (first..self.lines.len()).collect();
        let lower = line.text.to_lowercase();
        if lower.contains("follow these steps")
            || lower.ends_with("the following steps:")
            || lower.ends_with("do the following:")
        {
            places
                .into_iter()
                .for_each(|at| self.lines[at].fate = Fate::Needless(INTRODUCES));
            return;
        }
        let told: Vec<Vec<Command>> = clauses::sentences(&line.text)
            .into_iter()
            .map(|sentence| (sentence, commands::commands(sentence)))
            .filter(|(sentence, commands)| !tells(sentence, commands))
            .map(|(_, commands)| commands)
            .collect();
        if told.is_empty() && members.is_empty() {
            places
                .into_iter()
                .for_each(|at| self.lines[at].fate = Fate::Needless(TELLS));
            return;
        }
        match self.effects(told, !members.is_empty()) {
            Some(effects) => self.perform(
                effects,
                &Instruction {
                    line,
                    members,
                    places,
                },
            ),
            None => self.manual(line, &members, &places),
        }
    }

    /// Returns the effects of all commands of an instruction; nothing if one of them is not
    /// understood.
    fn effects(&self, sentences: Vec<Vec<Command>>, members: bool) -> Option<Vec<Effect>> {
        let mut reader = EffectReader {
            pointed: self.pointed.clone(),
            found: Vec::new(),
            members,
            role: self.role.clone(),
            each: self.each.as_ref().map(|(names, _)| names.clone()),
            procedure: self
                .queue
                .last()
                .is_some_and(|queue| queue.kind == Queued::Initialize),
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

    fn step(&mut self, does: Does, line: u32, todo: Vec<Said<String>>, places: &[usize]) {
        self.goes_on = matches!(does, Does::Manual(_));
        let at = self.steps.len();
        let leading = std::mem::take(&mut self.leading);
        for place in leading.iter().chain(places) {
            if self.lines[*place].steps.last() != Some(&at) {
                self.lines[*place].steps.push(at);
            }
        }
        self.console.acted();
        self.steps.push(Step {
            id: String::new(),
            title: self.title.take(),
            does,
            line,
            todo,
        });
    }

    fn manual(&mut self, line: &Line, members: &[&Line], places: &[usize]) {
        places
            .iter()
            .for_each(|at| self.lines[*at].fate = Fate::Manual);
        // If a walk through the tree was not understood, its last node is unknown.
        if line.text.to_lowercase().contains("expand ") {
            self.console.leave();
        }
        let lines = std::iter::once(line).chain(members.iter().copied());
        let mut lines: Vec<Said<String>> = lines
            .map(|line| Said::new(line.text.clone(), line.number))
            .collect();
        let last = self.steps.len().saturating_sub(1);
        // Consecutive lines of which none is understood are one manual step.
        if let Some(Step {
            does: Does::Manual(ByHand { lines: known, .. }),
            ..
        }) = self.steps.last_mut().filter(|_| self.goes_on)
        {
            known.append(&mut lines);
            places
                .iter()
                .for_each(|at| self.lines[*at].steps.push(last));
            return;
        }
        // Nodes that were opened above belong to the next line that is understood.
        let leading = std::mem::take(&mut self.leading);
        let optional = self.optional || is_optional(&line.text);
        let keep = match optional {
            true => "keep it as a gate, which is optional as the article has it",
            false => "keep it as a gate",
        };
        let todo = vec![Said::new(
            format!("this was not understood; write it as steps, or {keep}"),
            line.number,
        )];
        self.step(
            Does::Manual(ByHand {
                lines,
                undo: None,
                optional,
            }),
            line.number,
            todo,
            places,
        );
        self.leading = leading;
    }

    fn finish(mut self) -> Walked {
        self.let_go();
        if let Some(queue) = self.queue.last() {
            let line = queue.line;
            self.tell(
                line,
                "the article queues this and never starts the deployment; whether it is to be run here".to_owned(),
            );
            self.flush();
        }
        steps::name(&mut self.steps);
        let id = |at: &usize| self.steps[*at].id.clone();
        let accounted = self.lines.iter().map(|counted| Accounted {
            line: counted.line,
            text: counted.text.clone(),
            became: match counted.fate {
                Fate::Heading => Became::Heading,
                Fate::Needless(why) => Became::Needless {
                    why: why.to_owned(),
                },
                Fate::Manual => Became::Manual {
                    step: counted.steps.first().map(id).unwrap_or_default(),
                },
                Fate::Step if counted.steps.is_empty() => Became::Needless {
                    why: LEADS.to_owned(),
                },
                Fate::Step => Became::Understood {
                    steps: counted.steps.iter().map(id).collect(),
                },
            },
        });
        Walked {
            accounted: accounted.collect(),
            steps: self.steps,
            open: self.open,
        }
    }
}
