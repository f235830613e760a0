//! Commands queued in the console, and the steps made from them when the deployment is started.

use super::{Fate, Instruction, Walker};
use crate::article::Said;
use crate::article::commands::Queued;
use crate::article::steps::{Does, Parameter, Selection, Step};
use crate::article::targets::{self, Targets};

/// Consecutive commands of one kind in the queue.
pub(super) struct Queue {
    pub(super) kind: Queued,
    pub(super) line: u32,
    pub(super) selection: Selection,
    /// Set if it is what an earlier part removed, with that part's number if the text gives it.
    pub(super) removed: Option<Option<u32>>,
    pub(super) todo: Vec<Said<String>>,
    /// Lines that queued it, as indexes into `Walker::lines`.
    pub(super) lines: Vec<usize>,
}

impl Walker {
    pub(super) fn enqueue(
        &mut self,
        kind: Queued,
        targets: &Targets,
        groups: bool,
        asked: &Instruction<'_>,
    ) {
        let names = self.named(targets, asked);
        let Instruction { line, places, .. } = asked;
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
        let leading = std::mem::take(&mut self.leading);
        let queue = self.queue.last_mut().expect("one was pushed, or was there");
        queue.lines.extend(leading);
        queue.lines.extend_from_slice(places);
        if matches!(targets, Targets::Servers(_)) && names.is_empty() {
            queue.todo.push(Said::new(
                "below which item these servers are".to_owned(),
                line.number,
            ));
        }
        for name in names.into_iter().filter(|name| !name.value.is_empty()) {
            if groups {
                queue
                    .selection
                    .group(Said::new(self.console.group(&name.value), name.line));
                continue;
            }
            let group = self.console.group_of(&name.value).unwrap_or_else(|| {
                queue.todo.push(Said::new(
                    format!("in which group `{}` is", name.value),
                    name.line,
                ));
                "TODO the group".to_owned()
            });
            queue.selection.item(group, name);
        }
        self.console.acted();
    }

    /// Returns the items or groups that targets name.
    fn named(&self, targets: &Targets, asked: &Instruction<'_>) -> Vec<Said<String>> {
        let Instruction { line, members, .. } = asked;
        match targets {
            Targets::Named(names) => names
                .iter()
                .map(|name| Said::new(name.clone(), line.number))
                .collect(),
            Targets::Following => members
                .iter()
                .map(|member| Said::new(targets::name(&member.text), member.number))
                .collect(),
            Targets::Servers(None) if self.each.is_some() => {
                let names = self.each.iter().flat_map(|(names, _)| names);
                names
                    .map(|name| Said::new(name.clone(), line.number))
                    .collect()
            }
            Targets::Servers(item) => item
                .iter()
                .chain(self.console.last())
                .take(1)
                .map(|item| Said::new(item.clone(), line.number))
                .collect(),
            Targets::Removed(_) | Targets::Same | Targets::Anyone => Vec::new(),
        }
    }

    /// Starts what is queued.
    pub(super) fn start(&mut self, places: &[usize]) {
        if self.queue.is_empty() {
            places
                .iter()
                .for_each(|at| self.lines[*at].fate = Fate::Needless("nothing is queued here"));
            return;
        }
        let from = self.steps.len();
        self.flush();
        let started: Vec<usize> = (from..self.steps.len()).collect();
        for at in places {
            self.lines[*at].steps.extend(&started);
        }
    }

    /// Makes a step of each entry in the queue, in its order.
    pub(super) fn flush(&mut self) {
        for mut queue in std::mem::take(&mut self.queue) {
            let does = match queue.removed {
                Some(part) => {
                    let (of, todo) = self.removed_by(part);
                    queue
                        .todo
                        .extend(todo.map(|todo| Said::new(todo, queue.line)));
                    Does::Reinstall(of)
                }
                None => Does::Batch(queue.kind, queue.selection),
            };
            self.step(does, queue.line, queue.todo, &queue.lines);
        }
    }

    /// Returns the step that removed what is installed again, and what is left to decide about it.
    fn removed_by(&self, part: Option<u32>) -> (Option<usize>, Option<String>) {
        let uninstalls = |step: &Step| matches!(step.does, Does::Batch(Queued::Uninstall, _));
        let all: Vec<usize> = (0..self.steps.len())
            .filter(|at| uninstalls(&self.steps[*at]))
            .collect();
        // If the parts have no numbers, the number may be that of a line.
        if let Some(part) = part.filter(|_| !self.numbered.is_empty()) {
            let known = self.numbered.iter().position(|(number, _)| *number == part);
            let of = known.and_then(|at| {
                let from = self.numbered[at].1;
                let to = self
                    .numbered
                    .get(at + 1)
                    .map_or(self.steps.len(), |(_, first)| *first);
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

    /// Adds a parameter to the procedure that was queued last.
    pub(super) fn parameter(&mut self, name: String, value: String, asked: &Instruction<'_>) {
        let Some(Targets::Named(procedures)) = &self.pointed else {
            return;
        };
        let (Some(procedure), Some(queue)) = (procedures.first(), self.queue.last_mut()) else {
            return;
        };
        queue.selection.parameter(Parameter {
            procedure: procedure.clone(),
            name,
            value: Said::new(value, asked.line.number),
        });
        queue.lines.extend_from_slice(&asked.places);
    }
}
