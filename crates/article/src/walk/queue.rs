//! Commands queued in the console, and the steps made from them when the deployment is started.

use super::{Instruction, LineKind, Walker};
use crate::Located;
use crate::commands::QueuedAction;
use crate::steps::{ItemSelection, Parameter, StepAction};
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
        let line = instruction.line.number;
        let removed = match targets {
            Targets::Removed(part) => Some(*part),
            _ => None,
        };
        let is_same = |queue: &QueueEntry| queue.kind == kind && queue.removed == removed;
        if !self.queue.last().is_some_and(is_same) {
            self.queue.push(QueueEntry {
                kind,
                line,
                selection: ItemSelection::default(),
                removed,
                todo: Vec::new(),
                lines: Vec::new(),
            });
        }
        let Some(queue) = self.queue.last_mut() else {
            return;
        };
        queue.lines.append(&mut self.leading);
        queue.lines.extend_from_slice(&instruction.indexes);
        if matches!(targets, Targets::Servers(_)) && names.is_empty() {
            let message = "the article does not name the item that these servers are below";
            queue.todo.push(Located::new(message, line));
        }
        for name in names.into_iter().filter(|name| !name.value.is_empty()) {
            if groups {
                let group = self.console.group(&name.value);
                queue.selection.group(Located::new(group, name.line));
                continue;
            }
            let group = self.console.group_of(&name.value).unwrap_or_else(|| {
                let message = format!("the article does not name the group of `{}`", name.value);
                queue.todo.push(Located::new(message, name.line));
                "TODO the group".to_owned()
            });
            queue.selection.item(group, name);
        }
        self.console.acted();
    }

    /// Returns the items or groups that targets name.
    fn named(&self, targets: &Targets, instruction: &Instruction<'_>) -> Vec<Located<String>> {
        let names: &[String] = match (targets, &self.each) {
            (Targets::Named(names), _) | (Targets::Servers(None), Some((names, _))) => names,
            (Targets::Servers(Some(item)), _) => std::slice::from_ref(item),
            (Targets::Servers(None), None) => self.console.last().map_or(&[], std::slice::from_ref),
            (Targets::Following, _) => {
                let members = instruction.members.iter();
                return members
                    .map(|member| Located::new(targets::name(&member.text), member.number))
                    .collect();
            }
            (Targets::Removed(_) | Targets::Same | Targets::ByKind, _) => &[],
        };
        let line = instruction.line.number;
        let names = names.iter();
        names.map(|name| Located::new(name, line)).collect()
    }

    /// Starts the queued commands.
    pub(super) fn start(&mut self, indexes: &[usize]) {
        if self.queue.is_empty() {
            self.mark(indexes, LineKind::Needless("nothing is queued here"));
        }
        let from = self.steps.len();
        self.flush();
        for at in indexes {
            self.lines[*at].steps.extend(from..self.steps.len());
        }
    }

    /// Makes a step of each entry in the queue, in its order.
    pub(super) fn flush(&mut self) {
        for mut queue in std::mem::take(&mut self.queue) {
            let action = match queue.removed {
                Some(part) => {
                    let (of, todo) = self.removed_by(part);
                    let todo =
                        todo.map(|todo| Located::new(format!("`removed_by`: {todo}"), queue.line));
                    queue.todo.extend(todo);
                    StepAction::Reinstall(of)
                }
                None => StepAction::Batch(queue.kind, queue.selection),
            };
            self.step(action, queue.line, queue.todo, &queue.lines);
        }
    }

    /// Returns the step that removed the reinstalled items, and an open question about it.
    fn removed_by(&self, part: Option<u32>) -> (Option<usize>, Option<String>) {
        // If the parts have no numbers, the number may be that of a line.
        let part = part.filter(|_| self.part_number.is_some());
        let is_source = |at: &usize| {
            let step = &self.steps[*at];
            matches!(step.action, StepAction::Batch(QueuedAction::Uninstall, _))
                && (part.is_none() || step.part == part)
        };
        let mut sources = (0..self.steps.len()).filter(is_source);
        let last = sources.next_back();
        let todo = match (last, part, sources.next()) {
            (None, Some(part), _) => format!(
                "the article names step {part}, but no part of that number uninstalls anything"
            ),
            (None, None, _) => "no earlier step uninstalls anything".to_owned(),
            (Some(_), None, Some(_)) => {
                "several earlier steps uninstall something; check if the last one is meant"
                    .to_owned()
            }
            (Some(_), _, _) => return (last, None),
        };
        (last, Some(todo))
    }

    /// Adds a parameter to the procedure that was queued last.
    pub(super) fn parameter(&mut self, name: String, value: String, instruction: &Instruction<'_>) {
        let (Some(Targets::Named(procedures)), Some(queue)) =
            (&self.pointed, self.queue.last_mut())
        else {
            return;
        };
        let value = Located::new(value, instruction.line.number);
        queue.selection.parameter(Parameter {
            procedure: procedures[0].clone(),
            name,
            value,
        });
        queue.lines.extend_from_slice(&instruction.indexes);
    }
}
