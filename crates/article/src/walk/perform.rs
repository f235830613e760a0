//! Effects of an instruction: a new position in the console, an entry of its queue, or a step.

use std::collections::BTreeSet;

use super::{Instruction, LineKind, Walker};
use crate::Located;
use crate::commands::{Files, ServerScope, Services};
use crate::effects::Effect;
use crate::listing::listed;
use crate::steps::{ArticleStep, StepAction, StepServers};
use crate::targets;
use rollup_names::ServiceVerb;

impl Walker {
    pub(super) fn perform(&mut self, effects: Vec<Effect>, instruction: &Instruction<'_>) {
        let mut needless = None;
        let mut acted = false;
        let mut from_root = false;
        for effect in effects {
            match effect {
                Effect::Root => from_root = true,
                Effect::Servers(on) => (self.role, self.platform) = (on.role, on.platform),
                Effect::Under(name) => self.console.under(&name),
                Effect::Doubt(message) => {
                    self.add_question(instruction.line.number, message.to_owned())
                }
                Effect::Needless(why) => needless = Some(why),
                effect => {
                    acted = true;
                    self.act(effect, instruction, &mut from_root);
                }
            }
        }
        if let (false, Some(why)) = (acted, needless) {
            instruction
                .indexes
                .iter()
                .for_each(|at| self.lines[*at].kind = LineKind::Needless(why));
        }
    }

    /// Applies an effect that leads to a step or is one.
    fn act(&mut self, effect: Effect, instruction: &Instruction<'_>, from_root: &mut bool) {
        match effect {
            Effect::Expand(names) => self.expand(&names, std::mem::take(from_root), instruction),
            Effect::Point(targets) => {
                self.pointed = Some(targets);
                self.leading.extend_from_slice(&instruction.indexes);
            }
            Effect::ForEach(names) => {
                self.each = Some((names, instruction.line.depth));
                self.leading.extend_from_slice(&instruction.indexes);
            }
            Effect::Parameter { name, value } => self.parameter(name, value, instruction),
            Effect::Queue {
                kind,
                targets,
                groups,
            } => {
                if std::mem::take(from_root) {
                    self.console.leave();
                }
                self.enqueue(kind, &targets, groups, instruction);
                self.pointed = Some(targets);
            }
            Effect::Start => self.start(&instruction.indexes),
            Effect::Service { verb, services, on } => {
                self.services(verb, services, &on, instruction)
            }
            Effect::Copy { files, to, on } => self.copy(files, to, &on, instruction),
            Effect::Run { files, on } => self.run(files, &on, instruction),
            Effect::Root
            | Effect::Servers(_)
            | Effect::Under(_)
            | Effect::Doubt(_)
            | Effect::Needless(_) => {}
        }
    }

    fn expand(&mut self, names: &[String], from_root: bool, instruction: &Instruction<'_>) {
        if let Some(last) = self.console.expand(names, from_root) {
            let message = format!(
                "`{}` is placed at the root; it may belong beside `{last}`",
                names[0]
            );
            self.add_question(instruction.line.number, message);
        }
        self.leading.extend_from_slice(&instruction.indexes);
    }

    fn copy(&mut self, files: Files, to: String, on: &ServerScope, instruction: &Instruction<'_>) {
        let line = instruction.line.number;
        let role = self.on(on, line);
        let (files, mut todo) = listed(files, instruction.line, &instruction.members);
        let on = if to == "share" { None } else { Some(role) };
        if let Some(None) = on {
            todo.push(Located::new(
                "the article does not name the role of the servers that have the directory"
                    .to_owned(),
                line,
            ));
        }
        let on = on.map(|servers| servers.unwrap_or_else(unknown));
        self.step(
            StepAction::Copy { files, to, on },
            line,
            todo,
            &instruction.indexes,
        );
    }

    fn run(&mut self, files: Files, on: &ServerScope, instruction: &Instruction<'_>) {
        let line = instruction.line.number;
        let on = self.on(on, line);
        let (files, mut todo) = listed(files, instruction.line, &instruction.members);
        if on.is_none() {
            todo.push(Located::new(
                "the article does not name the role of the servers that run it".to_owned(),
                line,
            ));
        }
        let on = Some(on.unwrap_or_else(unknown));
        if !self.extends_run(&files, on.as_ref(), line) {
            self.step(
                StepAction::Run { files, on },
                line,
                todo,
                &instruction.indexes,
            );
        }
    }

    /// Returns the role of a clause, or the one that the current part is about.
    fn on(&mut self, on: &ServerScope, line: u32) -> Option<StepServers> {
        if on.unclear && self.role.is_none() {
            self.add_question(
                line,
                "the article does not name the role of these servers".to_owned(),
            );
        }
        let named = on.role.as_ref().map(|role| (role, on.platform));
        let (role, platform) = named.or(self
            .role
            .as_ref()
            .map(|role| (role, on.platform.or(self.platform))))?;
        Some(StepServers {
            role: role.clone(),
            platform,
        })
    }

    /// Adds installers to the last step if the same instruction runs them on the same servers, in
    /// its order.
    fn extends_run(
        &mut self,
        more: &[Located<String>],
        servers: Option<&StepServers>,
        from: u32,
    ) -> bool {
        let Some(ArticleStep {
            action: StepAction::Run { files, on },
            line,
            ..
        }) = self.steps.last_mut()
        else {
            return false;
        };
        let is_same = *line == from && on.as_ref() == servers;
        if is_same {
            files.extend(more.iter().cloned());
        }
        is_same
    }

    fn services(
        &mut self,
        verb: ServiceVerb,
        services: Services,
        on: &ServerScope,
        instruction: &Instruction<'_>,
    ) {
        let Instruction {
            line,
            members,
            indexes,
        } = instruction;
        let on = self.on(on, line.number);
        let names: Vec<String> = match services {
            Services::Named(names) => names,
            Services::Following => members
                .iter()
                .map(|member| targets::service(&member.text))
                .collect(),
        };
        let mut seen = BTreeSet::new();
        for service in names
            .into_iter()
            .filter(|name| !name.is_empty() && seen.insert(name.clone()))
        {
            if verb == ServiceVerb::Start && self.restarts(&service, on.as_ref(), indexes) {
                continue;
            }
            self.step(
                StepAction::Service {
                    verb,
                    service,
                    on: on.clone(),
                },
                line.number,
                Vec::new(),
                indexes,
            );
        }
    }

    /// Merges a start that directly follows the stop of the same service with it into one restart.
    fn restarts(&mut self, service: &str, role: Option<&StepServers>, indexes: &[usize]) -> bool {
        let last = self.steps.len().saturating_sub(1);
        let Some(step) = self.steps.last_mut().filter(|_| last >= self.part) else {
            return false;
        };
        match &mut step.action {
            StepAction::Service {
                verb: verb @ ServiceVerb::Stop,
                service: stopped,
                on,
            } if stopped.eq_ignore_ascii_case(service) && on.as_ref() == role => {
                *verb = ServiceVerb::Restart;
            }
            _ => return false,
        }
        let leading = std::mem::take(&mut self.leading);
        for at in leading.iter().chain(indexes) {
            if self.lines[*at].steps.last() != Some(&last) {
                self.lines[*at].steps.push(last);
            }
        }
        true
    }
}

/// Returns the placeholder for servers that are not named.
fn unknown() -> StepServers {
    StepServers {
        role: "TODO the role".to_owned(),
        platform: None,
    }
}
