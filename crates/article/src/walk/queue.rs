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
        let last = self.queue.pop();
        let (same, other) = match last {
            Some(last) if last.kind == kind && last.removed == removed => (Some(last), None),
            last => (None, last),
        };
        self.queue.extend(other);
        let mut queue = same.unwrap_or_else(|| QueueEntry {
            kind,
            line,
            selection: ItemSelection::default(),
            removed,
            todo: Vec::new(),
            lines: Vec::new(),
        });
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
        self.queue.push(queue);
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
        let is_uninstall = |at: &usize| {
            matches!(
                self.steps[*at].action,
                StepAction::Batch(QueuedAction::Uninstall, _)
            )
        };
        // If the parts have no numbers, the number may be that of a line.
        if let Some(part) = part.filter(|_| !self.part_numbers.is_empty()) {
            let mut parts = self.part_numbers.iter();
            let from = parts.find(|(number, _)| *number == part).map(|(_, at)| *at);
            let to = parts.next().map_or(self.steps.len(), |(_, at)| *at);
            let of = from.and_then(|from| (from..to).rfind(is_uninstall));
            let todo = of.is_none().then(|| {
                format!(
                    "the article names step {part}, but no part of that number uninstalls anything"
                )
            });
            return (of, todo);
        }
        let mut all = (0..self.steps.len()).filter(is_uninstall);
        let last = all.next_back();
        let todo = match (last, all.next()) {
            (None, _) => "no earlier step uninstalls anything",
            (Some(_), None) => return (last, None),
            (Some(_), Some(_)) => {
                "several earlier steps uninstall something; check if the last one is meant"
            }
        };
        (last, Some(todo.to_owned()))
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
