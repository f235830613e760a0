//! The installation section, line by line: what each asks for, and what became of it.
//!
//! A line is understood whole or not at all. What is not is kept as a manual step in its place, in the article's
//! words; what needs no step is told with the reason.

use std::collections::BTreeSet;

use super::clauses::{self, verb};
use super::commands::{self, Command, Files, On, Queued, Services};
use super::console::Console;
use super::effects::{Effect, EffectReader, LEADS};
use super::issues::remark;
use super::lines::{Line, Marker, starts_with_file};
use super::outline::{Placed, Section};
use super::steps::{self, Does, Listed, Selection, Servers, Step};
use super::targets::{self, Targets};
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
    removed: bool,
    todo: Vec<Said<String>>,
    /// The lines that put it there.
    lines: Vec<usize>,
}

const REMARK: &str = "a remark";
const INTRODUCES: &str = "it introduces what follows";
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
            let at = self.count(line, Fate::Needless(REMARK));
            // Navigation aside, a remark may hold what a person has to know before the window.
            if !text.starts_with("To ") {
                self.tell(
                    self.lines[at].line,
                    "a remark in the procedure; read whether it asks for something".to_owned(),
                );
            }
            return 1;
        }
        let members = members(rest);
        self.instruction(line, &members);
        1 + members.len()
    }

    fn part(&mut self, line: &Line) {
        self.let_go();
        self.count(line, Fate::Heading);
        self.console.leave();
        let title = part_name(&line.text).unwrap_or(&line.text).trim_end_matches([':', '.']);
        self.title = (!title.is_empty()).then(|| title.to_owned());
        self.role = targets::role(&line.text);
        self.platform = if line.text.contains("only") { targets::platform(&line.text) } else { None };
        self.pointed = None;
        self.part = self.steps.len();
        self.goes_on = false;
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
                    self.console.expand(&names, std::mem::take(&mut from_root));
                    self.leading.extend_from_slice(places);
                    acted = true;
                }
                Effect::Point(targets) => {
                    self.pointed = Some(targets);
                    self.leading.extend_from_slice(places);
                    acted = true;
                }
                Effect::Needless(why) => needless = Some(why),
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
        let removed = *targets == Targets::Removed;
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
            Targets::Servers(item) => item
                .iter()
                .chain(self.console.last())
                .take(1)
                .map(|item| Said::new(item.clone(), line.number))
                .collect(),
            Targets::Removed | Targets::Same => Vec::new(),
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
        for queue in std::mem::take(&mut self.queue) {
            let uninstalls = |step: &Step| matches!(step.does, Does::Batch(Queued::Uninstall, _));
            let removed = if queue.removed { self.steps.iter().rposition(uninstalls) } else { None };
            let does = removed.map_or_else(|| Does::Batch(queue.kind, queue.selection), Does::Reinstall);
            self.step(does, queue.line, queue.todo, &queue.lines);
        }
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
        self.goes_on = matches!(does, Does::Manual { .. });
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
        if let Some(Step { does: Does::Manual { lines: known }, .. }) = self.steps.last_mut().filter(|_| self.goes_on) {
            known.append(&mut lines);
            places.iter().for_each(|at| self.lines[*at].steps.push(last));
            return;
        }
        // What was opened above is for what is understood below.
        let leading = std::mem::take(&mut self.leading);
        let todo =
            vec![Said::new("this was not understood; write it as steps, or keep it as a gate".to_owned(), line.number)];
        self.step(Does::Manual { lines }, line.number, todo, places);
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

/// Whether a line only names a part of the procedure.
fn is_part(rest: &[&Placed<'_>]) -> bool {
    let line = rest[0].line;
    let next = rest.get(1).map(|placed| placed.line);
    let works = clauses::clauses(&line.text).first().is_some_and(|clause| {
        let navigates = ["expand", "right-click", "click", "type", "double-click"];
        // A title may begin so too, and has no full stop.
        let may = ["open", "select"];
        verb(clause).is_some_and(|(verb, _)| navigates.contains(&verb) || may.contains(&verb) && !is_title(line))
    });
    match line.marker {
        // `Step 1:` is a part where numbered lines stand below it, else an instruction of its own.
        Some(Marker::Step(_)) => {
            !works && next.is_some_and(|next| matches!(next.marker, Some(Marker::Number | Marker::Letter)))
                || line.text.is_empty()
        }
        Some(Marker::Number) => {
            !works
                && next.is_some_and(|next| {
                    next.marker == Some(Marker::Letter)
                        || next.marker == Some(Marker::Number) && next.depth > line.depth
                })
        }
        Some(_) => false,
        None => {
            let titles = line.apart && is_title(line);
            line.heading
                || titles && (part_name(&line.text).is_some() || next.is_some_and(|next| next.marker.is_some()))
        }
    }
}

/// The title in "Part 2 – Copy the files", "Phase B: …".
fn part_name(text: &str) -> Option<&str> {
    let (word, rest) = text.split_once(' ')?;
    let part = ["part", "phase", "stage", "task", "procedure", "section"];
    part.iter().find(|part| word.eq_ignore_ascii_case(part))?;
    let (label, name) = rest.split_once([' ', ':', '.']).unwrap_or((rest, ""));
    let labels = label.len() <= 3 && label.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let name = name.trim_start();
    // "Part 2 is done by hand" is a sentence.
    let parted = label.len() < rest.len() && !rest[label.len()..].starts_with(' ');
    let dashed = name.strip_prefix(['-', '–', '—', ':']);
    (labels && !label.is_empty() && (parted || name.is_empty() || dashed.is_some()))
        .then(|| dashed.unwrap_or(name).trim_start())
}

/// What is meant where no servers are named.
fn unknown() -> Servers {
    Servers { role: "TODO the role".to_owned(), platform: None }
}

/// Short, and no sentence.
fn is_title(line: &Line) -> bool {
    line.text.chars().count() <= 90
        && !line.text.ends_with(['.', ',', ';'])
        && !line.text.contains(". ")
        && !line.text.to_lowercase().contains("following")
}

/// The list below an instruction, if it announces one.
fn members<'l>(rest: &[&Placed<'l>]) -> Vec<&'l Line> {
    let line = rest[0].line;
    let lower = line.text.to_lowercase();
    const LISTS: [&str; 6] =
        ["these files", "these items", "these components", "these packages", "of these", "in this list"];
    let announces = (["following", "listed below", "these", "in this list"].iter().any(|word| lower.contains(word)))
        && !lower.contains("steps")
        && (line.text.ends_with(':') || lower.contains("following") || LISTS.iter().any(|list| lower.contains(list)));
    if !announces {
        return Vec::new();
    }
    let is_member = |line: &&Line| {
        let listed = match line.marker {
            Some(Marker::Bullet) => true,
            // A list that lost its bullets: names of files or items, and no sentences.
            None => !line.heading && (starts_with_file(&line.text) && !line.text.contains(' ') || is_name(line)),
            Some(_) => false,
        };
        listed && remark(&line.text).is_none()
    };
    rest[1..].iter().take_while(|placed| !placed.heading).map(|placed| placed.line).take_while(is_member).collect()
}

fn is_name(line: &Line) -> bool {
    is_title(line)
        && !line.apart
        && !line.text.ends_with(':')
        && line.text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        && line.text.split(' ').count() <= 8
        && clauses::clauses(&line.text).len() == 1
        && !matches!(verb(&line.text), Some(("click" | "expand" | "right-click" | "copy" | "open" | "restart", _)))
}

/// The files of a step, and what is to decide about them.
fn listed(files: Files, line: &Line, members: &[&Line]) -> (Listed, Vec<Said<String>>) {
    let mut todo = Vec::new();
    // The name of a part of the list, with files one deeper below it.
    let is_heading = |at: usize| {
        members.get(at + 1).is_some_and(|next| next.depth > members[at].depth && starts_with_file(&next.text))
            && !members[at].text.contains('.')
    };
    let following = members.iter().enumerate().filter(|(at, _)| !is_heading(*at)).filter_map(|(_, member)| {
        let name = member.text.split([' ', '\t', '(']).next().unwrap_or_default().trim_end_matches([',', ';', ':']);
        match crate::names::FileName::parse(name) {
            Ok(_) if name.contains('.') => Some(Said::new(name.to_owned(), member.number)),
            _ => {
                todo.push(Said::new(
                    format!("`{}` is no file's name", super::table::short(&member.text)),
                    member.number,
                ));
                None
            }
        }
    });
    let following = following.collect();
    (Listed::of(files, line.number, following), todo)
}

/// Whether a sentence only tells something.
fn tells(sentence: &str, commands: &[Command]) -> bool {
    let lower = sentence.to_lowercase();
    commands.iter().all(|command| matches!(command, Command::Unknown | Command::Context(_)))
        && (is_telling(&lower) || prepares(&lower))
}

/// What a person has at hand before the window, such as time, a password or an account.
fn prepares(lower: &str) -> bool {
    let ready = [" at hand", " ready", " available"].iter().any(|word| lower.trim_end_matches('.').ends_with(word));
    ["plan for ", "expect ", "allow ", "you need an account", "you need the password"]
        .iter()
        .any(|start| lower.starts_with(start))
        || lower.starts_with("have ") && ready
}

/// Such as "Rating servers with a 32-bit edition keep their engine": it begins with what it is about. An order begins
/// with a verb, and that has no such ending.
fn is_statement(lower: &str) -> bool {
    const NOT_DONE: [&str; 7] = ["need", "embed", "feed", "proceed", "seed", "shed", "speed"];
    let first = lower.split(' ').next().unwrap_or_default();
    if first.ends_with("ed") && !NOT_DONE.contains(&first) {
        return true;
    }
    let Some(at) = [" servers ", " computers ", " components "].iter().filter_map(|noun| lower.find(noun)).min() else {
        return false;
    };
    let states = [" keep ", " are ", " have ", " stay ", " remain "].iter().filter_map(|verb| lower.find(verb)).min();
    let relative = [" that ", " which ", " where ", ", "].iter().filter_map(|word| lower.find(word)).min();
    at < 40
        && verb(lower).is_none()
        && states.is_some_and(|states| states >= at && relative.is_none_or(|word| word > states))
}

/// Whether a line that has no command only tells something.
fn is_telling(lower: &str) -> bool {
    let starts = [
        "this ",
        "the ",
        "these ",
        "it ",
        "you can ",
        "for more information",
        "when ",
        "each ",
        "to install",
        "by default",
        "in this ",
        "none of ",
        "no ",
        "its ",
        "their ",
        "there ",
        "nothing ",
    ];
    let asks = [
        "must",
        "should",
        "need to",
        "have to",
        "required",
        "please",
        "make sure",
        "ensure",
        "before ",
        "do not",
        "manually",
    ];
    (starts.iter().any(|start| lower.starts_with(start)) || is_statement(lower))
        && !asks.iter().any(|word| lower.contains(word))
}
