//! Commands queued in the console, and the steps made from them when the deployment is started.

use super::{Instruction, LineKind, Walker};
use crate::Located;
use crate::commands::QueuedAction;
use crate::steps::{ArticleStep, ItemSelection, Parameter, StepAction};
use crate::targets::{self, Targets};

/// Consecutive commands of one kind in the queue.
pub(super) struct QueueEntry {
    pub(super) kind: QueuedAction,
    pub(super) line: u32,
    pub(super) selection: ItemSelection,
    /// Set if an earlier part removed these items, with that part's number if the text gives it.
    pub(super) removed: Option<Option<u32>>,
    pub(super) todo: Vec<Located<String>>,
    /// Lines that queued it, as indexes into `Walker::lines`.
    pub(super) lines: Vec<usize>,
}

impl Walker {
    pub(super) fn enqueue(
        &mut self,
        kind: QueuedAction,
        targets: &Targets,
        groups: bool,
        instruction: &Instruction<'_>,
    ) {
        let names = self.named(targets, instruction);
        let Instruction { line, indexes, .. } = instruction;
        let removed = match targets {
            Targets::Removed(part) => Some(*part),
            _ => None,
        };
        let same = |queue: &QueueEntry| queue.kind == kind && queue.removed == removed;
        if !self.queue.last().is_some_and(same) {
            let queue = QueueEntry {
                kind,
                line: line.number,
                selection: ItemSelection::default(),
                removed,
                todo: Vec::new(),
                lines: Vec::new(),
            };
            self.queue.push(queue);
        }
        let leading = std::mem::take(&mut self.leading);
        let queue = self.queue.last_mut().expect("the queue has an entry");
        queue.lines.extend(leading);
        queue.lines.extend_from_slice(indexes);
        if matches!(targets, Targets::Servers(_)) && names.is_empty() {
            queue.todo.push(Located::new(
                "the article does not name the item that these servers are below".to_owned(),
                line.number,
            ));
        }
        for name in names.into_iter().filter(|name| !name.value.is_empty()) {
            if groups {
                queue
                    .selection
                    .group(Located::new(self.console.group(&name.value), name.line));
                continue;
            }
            let group = self.console.group_of(&name.value).unwrap_or_else(|| {
                queue.todo.push(Located::new(
                    format!("the article does not name the group of `{}`", name.value),
                    name.line,
                ));
                "TODO the group".to_owned()
            });
            queue.selection.item(group, name);
        }
        self.console.acted();
    }

    /// Returns the items or groups that targets name.
    fn named(&self, targets: &Targets, instruction: &Instruction<'_>) -> Vec<Located<String>> {
        let Instruction { line, members, .. } = instruction;
        match targets {
            Targets::Named(names) => names
                .iter()
                .map(|name| Located::new(name.clone(), line.number))
                .collect(),
            Targets::Following => members
                .iter()
                .map(|member| Located::new(targets::name(&member.text), member.number))
                .collect(),
            Targets::Servers(None) if self.each.is_some() => {
                let names = self.each.iter().flat_map(|(names, _)| names);
                names
                    .map(|name| Located::new(name.clone(), line.number))
                    .collect()
            }
            Targets::Servers(item) => item
                .iter()
                .chain(self.console.last())
                .take(1)
                .map(|item| Located::new(item.clone(), line.number))
                .collect(),
            Targets::Removed(_) | Targets::Same | Targets::ByKind => Vec::new(),
        }
    }

    /// Starts the queued commands.
    pub(super) fn start(&mut self, indexes: &[usize]) {
        if self.queue.is_empty() {
            indexes
                .iter()
                .for_each(|at| self.lines[*at].kind = LineKind::Needless("nothing is queued here"));
            return;
        }
        let from = self.steps.len();
        self.flush();
        let started: Vec<usize> = (from..self.steps.len()).collect();
        for at in indexes {
            self.lines[*at].steps.extend(&started);
        }
    }

    /// Makes a step of each entry in the queue, in its order.
    pub(super) fn flush(&mut self) {
        for mut queue in std::mem::take(&mut self.queue) {
            let action = match queue.removed {
                Some(part) => {
                    let (of, todo) = self.removed_by(part);
                    queue
                        .todo
                        .extend(todo.map(|todo| Located::new(todo, queue.line)));
                    StepAction::Reinstall(of)
                }
                None => StepAction::Batch(queue.kind, queue.selection),
            };
            self.step(action, queue.line, queue.todo, &queue.lines);
        }
    }

    /// Returns the step that removed the reinstalled items, and an open question about it.
    fn removed_by(&self, part: Option<u32>) -> (Option<usize>, Option<String>) {
        let uninstalls = |step: &ArticleStep| {
            matches!(step.action, StepAction::Batch(QueuedAction::Uninstall, _))
        };
        let all: Vec<usize> = (0..self.steps.len())
            .filter(|at| uninstalls(&self.steps[*at]))
            .collect();
        // If the parts have no numbers, the number may be that of a line.
        if let Some(part) = part.filter(|_| !self.part_numbers.is_empty()) {
            let known = self
                .part_numbers
                .iter()
                .position(|(number, _)| *number == part);
            let of = known.and_then(|at| {
                let from = self.part_numbers[at].1;
                let to = self
                    .part_numbers
                    .get(at + 1)
                    .map_or(self.steps.len(), |(_, first)| *first);
                all.iter().copied().rfind(|at| (from..to).contains(at))
            });
            let todo = of.is_none().then(|| {
                format!(
                    "`removed_by`: the article names step {part}, but no part of that number uninstalls anything"
                )
            });
            return (of, todo);
        }
        let todo = match all.len() {
            0 => Some("`removed_by`: no earlier step uninstalls anything".to_owned()),
            1 => None,
            _ => Some(
                "`removed_by`: several earlier steps uninstall something; check if the last one is meant".to_owned(),
            ),
        };
        (all.last().copied(), todo)
    }

    /// Adds a parameter to the procedure that was queued last.
    pub(super) fn parameter(&mut self, name: String, value: String, instruction: &Instruction<'_>) {
        let Some(Targets::Named(procedures)) = &self.pointed else {
            return;
        };
        let (Some(procedure), Some(queue)) = (procedures.first(), self.queue.last_mut()) else {
            return;
        };
        queue.selection.parameter(Parameter {
            procedure: procedure.clone(),
            name,
            value: Located::new(value, instruction.line.number),
        });
        queue.lines.extend_from_slice(&instruction.indexes);
    }
}
