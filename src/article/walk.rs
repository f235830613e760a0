//! The installation section, line by line: what each asks for, and what became of it.
//!
//! A line is understood whole or not at all. What is not is kept as a manual step in its place, in the article's
//! words; what needs no step is told with the reason.

use std::collections::BTreeSet;

use super::clauses;
use super::commands::{self, Command, On, Queued, Services};
use super::console::Console;
use super::effects::{Effect, EffectReader, LEADS};
use super::issues::remark;
use super::lines::{Line, Marker};
use super::listing::{listed, members};
use super::outline::{Placed, Section};
use super::parts::{is_part, part_name, part_number};
use super::steps::{self, ByHand, Does, Listed, Parameter, Selection, Servers, Step};
use super::targets::{self, Targets};
use super::telling::{is_optional, tells, way_back};
use super::{Accounted, Became, Open, Said};
use crate::manifest::ServiceVerb;

/// The steps, every line of the section, and what is left to decide.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) steps: Vec<Step>,
    pub(super) accounted: Vec<Accounted>,
    pub(super) open: Vec<Open>,
}

/// Walks through the installation section.
pub(super) fn walk(outline: &[Placed<'_>]) -> Walked {
    let section: Vec<&Placed<'_>> = outline.iter().filter(|placed| placed.section == Section::Installation).collect();
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
    /// The title of the part at hand, for the first step that comes of it.
    title: Option<String>,
    /// The role that the part at hand talks about.
    role: Option<String>,
    /// The platform that these servers are narrowed to.
    platform: Option<&'static str>,
    /// What was pointed at last.
    pointed: Option<Targets>,
    /// What is queued in the console, in order, with the lines it comes from.
    queue: Vec<Queue>,
    /// Lines that lead to the next action, by their places in `lines`.
    leading: Vec<usize>,
    /// The first step of the part at hand.
    part: usize,
    /// The numbers of the parts so far, each with its first step.
    numbered: Vec<(u32, usize)>,
    /// Not everybody has to do what the part at hand asks for.
    optional: bool,
    /// What the lines below are done for, and how deep the line stands that says so.
    each: Option<(Vec<String>, usize)>,
    /// The next manual line goes on the last manual step.
    goes_on: bool,
}

/// A line with the steps that came of it.
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

/// Commands of one kind that follow each other in the queue.
struct Queue {
    kind: Queued,
    line: u32,
    selection: Selection,
    /// It is what an earlier part removed, with that part's number where it is told.
    removed: Option<Option<u32>>,
    todo: Vec<Said<String>>,
    /// The lines that put it there.
    lines: Vec<usize>,
}

const REMARK: &str = "a remark";
const INTRODUCES: &str = "it introduces what follows";
const UNDOES: &str = "rollup takes back its own steps itself";
const TELLS: &str = "it tells something and asks for nothing";

impl Walker {
    /// Takes one instruction with the list below it, and tells how many lines that was.
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
        // Lettered lines stand below a numbered one, however a text indents them.
        if self.each.as_ref().is_some_and(|(_, depth)| line.depth <= *depth && line.marker != Some(Marker::Letter)) {
            self.each = None;
        }
        let members = members(rest);
        self.instruction(line, &members);
        1 + members.len()
    }

    fn remark(&mut self, line: &Line, text: &str) {
        let needless = |sentence: &&str| {
            let commands = commands::commands(sentence);
            tells(sentence, &commands) || commands.iter().all(|command| matches!(command, Command::Needless(_)))
        };
        // Navigation aside, a remark may hold what a person has to know before the window.
        let told = text.starts_with("To ") || clauses::sentences(text).iter().all(needless);
        self.count(line, Fate::Needless(REMARK));
        if !told {
            self.tell(line.number, "a remark in the procedure; read whether it asks for something".to_owned());
        }
    }

    /// How a manual step is taken back; the others rollup takes back itself.
    fn way_back(&mut self, line: &Line, text: String) {
        let at = self.count(line, Fate::Needless(UNDOES));
        let last = self.steps.len().saturating_sub(1);
        let by_hand = self.steps.last_mut().filter(|_| last >= self.part);
        if let Some(Step { does: Does::Manual(ByHand { undo: undo @ None, .. }), .. }) = by_hand {
            *undo = Some(Said::new(text, line.number));
            self.lines[at].fate = Fate::Step;
            self.lines[at].steps.push(last);
        }
        self.goes_on = false;
    }

    fn part(&mut self, line: &Line) {
        self.let_go();
        self.count(line, Fate::Heading);
        self.console.leave();
        let title = part_name(&line.text).unwrap_or(&line.text).trim_end_matches([':', '.']);
        let title = title.trim_end_matches(" (optional)");
        self.title = (!title.is_empty()).then(|| title.to_owned());
        self.number(line);
        self.optional = is_optional(&line.text);
        self.each = None;
        self.role = targets::role(&line.text);
        self.platform = if line.text.contains("only") { targets::platform(&line.text) } else { None };
        self.pointed = None;
        self.part = self.steps.len();
        self.goes_on = false;
    }

    /// The parts keep the order in which the article has them; where their numbers say another one, a person decides.
    fn number(&mut self, line: &Line) {
        let Some(number) = part_number(line) else { return };
        if let Some((before, _)) = self.numbered.last().filter(|(before, _)| *before >= number) {
            let what = format!("part {number} stands behind part {before}; the steps keep the order of the text");
            self.tell(line.number, what);
        }
        self.numbered.push((number, self.steps.len()));
    }

    /// Lines that led to nothing opened something on the screen at most.
    fn let_go(&mut self) {
        for at in std::mem::take(&mut self.leading) {
            self.lines[at].fate = Fate::Needless(LEADS);
        }
    }

    fn count(&mut self, line: &Line, fate: Fate) -> usize {
        self.lines.push(Counted { line: line.number, text: line.text.clone(), fate, steps: Vec::new() });
        self.lines.len() - 1
    }

    fn tell(&mut self, line: u32, what: String) {
        self.open.push(Open { line: Some(line), what });
    }

    fn instruction(&mut self, line: &Line, members: &[&Line]) {
        let first = self.count(line, Fate::Step);
        for member in members {
            self.count(member, Fate::Step);
        }
        let places: Vec<usize> = (first..self.lines.len()).collect();
        let lower = line.text.to_lowercase();
        if lower.contains("follow these steps")
            || lower.ends_with("the following steps:")
            || lower.ends_with("do the following:")
        {
            places.into_iter().for_each(|at| self.lines[at].fate = Fate::Needless(INTRODUCES));
            return;
        }
        let told: Vec<Vec<Command>> = clauses::sentences(&line.text)
            .into_iter()
            .map(|sentence| (sentence, commands::commands(sentence)))
            .filter(|(sentence, commands)| !tells(sentence, commands))
            .map(|(_, commands)| commands)
            .collect();
        if told.is_empty() && members.is_empty() {
            places.into_iter().for_each(|at| self.lines[at].fate = Fate::Needless(TELLS));
            return;
        }
        match self.effects(told, members) {
            Some(effects) => self.perform(effects, line, members, &places),
            None => self.manual(line, members, &places),
        }
    }

    /// What all commands of an instruction come to; nothing where one of them is not understood.
    fn effects(&self, sentences: Vec<Vec<Command>>, members: &[&Line]) -> Option<Vec<Effect>> {
        let mut reader = EffectReader {
            pointed: self.pointed.clone(),
            found: Vec::new(),
            members: !members.is_empty(),
            role: self.role.clone(),
            each: self.each.as_ref().map(|(names, _)| names.clone()),
            procedure: self.queue.last().is_some_and(|queue| queue.kind == Queued::Initialize),
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

    fn perform(&mut self, effects: Vec<Effect>, line: &Line, members: &[&Line], places: &[usize]) {
        let mut needless = None;
        let mut acted = false;
        let mut from_root = false;
        for effect in effects {
            match effect {
                Effect::Root => from_root = true,
                Effect::Servers(on) => (self.role, self.platform) = (on.role, on.platform),
                Effect::Under(name) => self.console.under(&name),
                Effect::Expand(names) => {
                    if let Some(last) = self.console.expand(&names, std::mem::take(&mut from_root)) {
                        let what =
                            format!("`{}` is taken to stand at the root; it may stand beside `{last}`", names[0]);
                        self.tell(line.number, what);
                    }
                    self.leading.extend_from_slice(places);
                    acted = true;
                }
                Effect::Point(targets) => {
                    self.pointed = Some(targets);
                    self.leading.extend_from_slice(places);
                    acted = true;
                }
                Effect::Needless(why) => needless = Some(why),
                Effect::ForEach(names) => {
                    self.each = Some((names, line.depth));
                    self.leading.extend_from_slice(places);
                    acted = true;
                }
                Effect::Parameter { name, value } => {
                    self.parameter(name, Said::new(value, line.number), places);
                    acted = true;
                }
                Effect::Doubt(what) => self.tell(line.number, what.to_owned()),
                Effect::Queue { kind, targets, groups } => {
                    if std::mem::take(&mut from_root) {
                        self.console.leave();
                    }
                    self.enqueue(kind, &targets, groups, line, members, places);
                    (self.pointed, acted) = (Some(targets), true);
                }
                Effect::Start => {
                    self.start(places);
                    acted = true;
                }
                Effect::Service { verb, services, on } => {
                    self.services(verb, services, on, line, members, places);
                    acted = true;
                }
                Effect::Copy { files, to, on } => {
                    let role = self.on(&on, line);
                    let (files, mut todo) = listed(files, line, members);
                    let on = if to == "share" { None } else { Some(role) };
                    if let Some(None) = on {
                        todo.push(Said::new("on which role's servers the folder lies".to_owned(), line.number));
                    }
                    let on = on.map(|servers| servers.unwrap_or_else(unknown));
                    self.step(Does::Copy { files, to, on }, line.number, todo, places);
                    acted = true;
                }
                Effect::Run { files, on } => {
                    let on = self.on(&on, line);
                    let (files, mut todo) = listed(files, line, members);
                    if on.is_none() {
                        todo.push(Said::new("on which role's servers it is run".to_owned(), line.number));
                    }
                    let on = Some(on.unwrap_or_else(unknown));
                    acted = true;
                    if self.run_too(&files, on.as_ref(), line.number) {
                        continue;
                    }
                    self.step(Does::Run { files, on }, line.number, todo, places);
                }
            }
        }
        if let (false, Some(why)) = (acted, needless) {
            places.iter().for_each(|at| self.lines[*at].fate = Fate::Needless(why));
        }
    }

    /// The role of a clause, or the one that the part talks about.
    fn on(&mut self, on: &On, line: &Line) -> Option<Servers> {
        if on.unclear && self.role.is_none() {
            self.tell(line.number, "which role's servers are meant".to_owned());
        }
        let named = on.role.as_ref().map(|role| (role, on.platform));
        let (role, platform) = named.or(self.role.as_ref().map(|role| (role, on.platform.or(self.platform))))?;
        Some(Servers { role: role.clone(), platform })
    }

    /// Installers that one instruction runs on the same servers are one step, in its order.
    fn run_too(&mut self, more: &Listed, servers: Option<&Servers>, from: u32) -> bool {
        match (self.steps.last_mut(), more) {
            (Some(Step { does: Does::Run { files: Listed::Named(files), on }, line, .. }), Listed::Named(more))
                if *line == from && on.as_ref() == servers =>
            {
                files.extend(more.iter().cloned());
                true
            }
            _ => false,
        }
    }

    fn enqueue(
        &mut self,
        kind: Queued,
        targets: &Targets,
        groups: bool,
        line: &Line,
        members: &[&Line],
        places: &[usize],
    ) {
        let removed = match targets {
            Targets::Removed(part) => Some(*part),
            _ => None,
        };
        let same = |queue: &Queue| queue.kind == kind && queue.removed == removed;
        if !self.queue.last().is_some_and(same) {
            let queue = Queue {
                kind,
                line: line.number,
                selection: Selection::default(),
                removed,
                todo: Vec::new(),
                lines: Vec::new(),
            };
            self.queue.push(queue);
        }
        let names: Vec<Said<String>> = match targets {
            Targets::Named(names) => names.iter().map(|name| Said::new(name.clone(), line.number)).collect(),
            Targets::Following => {
                members.iter().map(|member| Said::new(targets::name(&member.text), member.number)).collect()
            }
            Targets::Servers(None) if self.each.is_some() => {
                let names = self.each.iter().flat_map(|(names, _)| names);
                names.map(|name| Said::new(name.clone(), line.number)).collect()
            }
            Targets::Servers(item) => item
                .iter()
                .chain(self.console.last())
                .take(1)
                .map(|item| Said::new(item.clone(), line.number))
                .collect(),
            Targets::Removed(_) | Targets::Same | Targets::Anyone => Vec::new(),
        };
        let leading = std::mem::take(&mut self.leading);
        let queue = self.queue.last_mut().expect("one was pushed, or was there");
        queue.lines.extend(leading);
        queue.lines.extend_from_slice(places);
        if matches!(targets, Targets::Servers(_)) && names.is_empty() {
            queue.todo.push(Said::new("below which item these servers are".to_owned(), line.number));
        }
        for name in names.into_iter().filter(|name| !name.value.is_empty()) {
            if groups {
                queue.selection.group(Said::new(self.console.group(&name.value), name.line));
                continue;
            }
            let group = self.console.group_of(&name.value).unwrap_or_else(|| {
                queue.todo.push(Said::new(format!("in which group `{}` is", name.value), name.line));
                "TODO the group".to_owned()
            });
            queue.selection.item(group, name);
        }
        self.console.acted();
    }

    /// Starts what is queued.
    fn start(&mut self, places: &[usize]) {
        if self.queue.is_empty() {
            places.iter().for_each(|at| self.lines[*at].fate = Fate::Needless("nothing is queued here"));
            return;
        }
        let from = self.steps.len();
        self.flush();
        let started: Vec<usize> = (from..self.steps.len()).collect();
        for at in places {
            self.lines[*at].steps.extend(&started);
        }
    }

    /// A step for each kind in the queue, in its order.
    fn flush(&mut self) {
        for mut queue in std::mem::take(&mut self.queue) {
            let does = match queue.removed {
                Some(part) => {
                    let (of, todo) = self.removed_by(part);
                    queue.todo.extend(todo.map(|todo| Said::new(todo, queue.line)));
                    Does::Reinstall(of)
                }
                None => Does::Batch(queue.kind, queue.selection),
            };
            self.step(does, queue.line, queue.todo, &queue.lines);
        }
    }

    /// The step that removed what is installed again, and what is to decide about it.
    fn removed_by(&self, part: Option<u32>) -> (Option<usize>, Option<String>) {
        let uninstalls = |step: &Step| matches!(step.does, Does::Batch(Queued::Uninstall, _));
        let all: Vec<usize> = (0..self.steps.len()).filter(|at| uninstalls(&self.steps[*at])).collect();
        // A number may be that of a line too, where the parts have none.
        if let Some(part) = part.filter(|_| !self.numbered.is_empty()) {
            let known = self.numbered.iter().position(|(number, _)| *number == part);
            let of = known.and_then(|at| {
                let from = self.numbered[at].1;
                let to = self.numbered.get(at + 1).map_or(self.steps.len(), |(_, first)| *first);
                all.iter().copied().rfind(|at| (from..to).contains(at))
            });
            let todo = of.is_none().then(|| {
                format!(
                    "`removed_by`: the article names step {part}, and nothing is uninstalled in a part of that number"
                )
            });
            return (of, todo);
        }
        let todo = match all.len() {
            0 => Some("`removed_by`: nothing is uninstalled before".to_owned()),
            1 => None,
            _ => Some(
                "`removed_by`: several steps before uninstall something; whether the last of them is meant".to_owned(),
            ),
        };
        (all.last().copied(), todo)
    }

    /// A parameter of the procedure that was queued last.
    fn parameter(&mut self, name: String, value: Said<String>, places: &[usize]) {
        let Some(Targets::Named(procedures)) = &self.pointed else { return };
        let (Some(procedure), Some(queue)) = (procedures.first(), self.queue.last_mut()) else { return };
        queue.selection.parameter(Parameter { procedure: procedure.clone(), name, value });
        queue.lines.extend_from_slice(places);
    }

    fn services(
        &mut self,
        verb: ServiceVerb,
        services: Services,
        on: On,
        line: &Line,
        members: &[&Line],
        places: &[usize],
    ) {
        let on = self.on(&on, line);
        let names: Vec<String> = match services {
            Services::Named(names) => names,
            Services::Following => members.iter().map(|member| targets::service(&member.text)).collect(),
        };
        let mut seen = BTreeSet::new();
        for service in names.into_iter().filter(|name| !name.is_empty() && seen.insert(name.clone())) {
            if verb == ServiceVerb::Start && self.restarts(&service, on.as_ref(), places) {
                continue;
            }
            self.step(Does::Service { verb, service, on: on.clone() }, line.number, Vec::new(), places);
        }
    }

    /// A start right behind the stop of the same service makes one restart of both.
    fn restarts(&mut self, service: &str, role: Option<&Servers>, places: &[usize]) -> bool {
        let last = self.steps.len().saturating_sub(1);
        let Some(step) = self.steps.last_mut().filter(|_| last >= self.part) else { return false };
        match &mut step.does {
            Does::Service { verb: verb @ ServiceVerb::Stop, service: stopped, on }
                if stopped.eq_ignore_ascii_case(service) && on.as_ref() == role =>
            {
                *verb = ServiceVerb::Restart;
            }
            _ => return false,
        }
        let leading = std::mem::take(&mut self.leading);
        for at in leading.iter().chain(places) {
            if self.lines[*at].steps.last() != Some(&last) {
                self.lines[*at].steps.push(last);
            }
        }
        true
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
        self.steps.push(Step { id: String::new(), title: self.title.take(), does, line, todo });
    }

    fn manual(&mut self, line: &Line, members: &[&Line], places: &[usize]) {
        places.iter().for_each(|at| self.lines[*at].fate = Fate::Manual);
        // Where a walk through the tree was not understood, nobody knows where it ended.
        if line.text.to_lowercase().contains("expand ") {
            self.console.leave();
        }
        let lines = std::iter::once(line).chain(members.iter().copied());
        let mut lines: Vec<Said<String>> = lines.map(|line| Said::new(line.text.clone(), line.number)).collect();
        let last = self.steps.len().saturating_sub(1);
        // What follows each other without a word that is understood is one thing to do.
        if let Some(Step { does: Does::Manual(ByHand { lines: known, .. }), .. }) =
            self.steps.last_mut().filter(|_| self.goes_on)
        {
            known.append(&mut lines);
            places.iter().for_each(|at| self.lines[*at].steps.push(last));
            return;
        }
        // What was opened above is for what is understood below.
        let leading = std::mem::take(&mut self.leading);
        let optional = self.optional || is_optional(&line.text);
        let keep = match optional {
            true => "keep it as a gate, which is optional as the article has it",
            false => "keep it as a gate",
        };
        let todo = vec![Said::new(format!("this was not understood; write it as steps, or {keep}"), line.number)];
        self.step(Does::Manual(ByHand { lines, undo: None, optional }), line.number, todo, places);
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
                Fate::Needless(why) => Became::Needless { why: why.to_owned() },
                Fate::Manual => Became::Manual { step: counted.steps.first().map(id).unwrap_or_default() },
                Fate::Step if counted.steps.is_empty() => Became::Needless { why: LEADS.to_owned() },
                Fate::Step => Became::Understood { steps: counted.steps.iter().map(id).collect() },
            },
        });
        Walked { accounted: accounted.collect(), steps: self.steps, open: self.open }
    }
}

/// What is meant where no servers are named.
fn unknown() -> Servers {
    Servers { role: "TODO the role".to_owned(), platform: None }
}
