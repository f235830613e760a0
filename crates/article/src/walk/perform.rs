//! Effects of an instruction: a new position in the console, an entry of its queue, or a step.

use super::{Instruction, LineKind, Walker};
use crate::Located;
use crate::commands::{Act, Objects, ServerScope};
use crate::effects::Effect;
use crate::listing::listed;
use crate::steps::{ArticleStep, StepAction, StepServers, unique};
use crate::targets;
use rollup_names::ServiceVerb;

impl Walker {
    pub(super) fn perform(&mut self, effects: Vec<Effect>, instruction: &Instruction<'_>) {
        let line = instruction.line.number;
        let mut needless = None;
        let mut acted = false;
        let mut from_root = false;
        for effect in effects {
            acted |= !matches!(
                effect,
                Effect::Root
                    | Effect::Servers(_)
                    | Effect::Under(_)
                    | Effect::Doubt(_)
                    | Effect::Needless(_)
            );
            match effect {
                Effect::Root => from_root = true,
                Effect::Servers(on) => (self.role, self.platform) = (on.role, on.platform),
                Effect::Under(name) => self.console.under(&name),
                Effect::Doubt(message) => self.add_question(line, message),
                Effect::Needless(why) => needless = Some(why),
                Effect::Expand(names) => {
                    self.expand(&names, std::mem::take(&mut from_root), instruction);
                }
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
                    if std::mem::take(&mut from_root) {
                        self.console.leave();
                    }
                    self.enqueue(kind, &targets, groups, instruction);
                    self.pointed = Some(targets);
                }
                Effect::Start => self.start(&instruction.indexes),
                Effect::Act(act, objects, on) => {
                    let on = self.on(&on, line);
                    self.act(act, objects, on, instruction);
                }
            }
        }
        if let (false, Some(why)) = (acted, needless) {
            self.mark(&instruction.indexes, LineKind::Needless(why));
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

    /// Makes steps of an action on servers.
    fn act(
        &mut self,
        act: Act,
        objects: Objects,
        on: Option<StepServers>,
        instruction: &Instruction<'_>,
    ) {
        let line = instruction.line.number;
        if let Act::Service(verb) = act {
            self.services(verb, objects, on.as_ref(), instruction);
            return;
        }
        let (files, mut todo) = listed(objects, instruction.line, &instruction.members);
        let is_share = matches!(&act, Act::Copy(to) if to == "share");
        if on.is_none() && !is_share {
            let does = match act {
                Act::Run => "run it",
                _ => "have the directory",
            };
            let message = format!("the article does not name the role of the servers that {does}");
            todo.push(Located::new(message, line));
        }
        let on = on.unwrap_or_else(|| StepServers {
            role: "TODO the role".to_owned(),
            platform: None,
        });
        let on = Some(on).filter(|_| !is_share);
        let action = match act {
            Act::Copy(to) => StepAction::Copy { files, to, on },
            _ if self.extends_run(&files, on.as_ref(), line) => return,
            _ => StepAction::Run { files, on },
        };
        self.step(action, line, todo, &instruction.indexes);
    }

    /// Returns the role of a clause, or the one that the current part is about.
    fn on(&mut self, on: &ServerScope, line: u32) -> Option<StepServers> {
        if on.unclear && self.role.is_none() {
            let message = "the article does not name the role of these servers";
            self.add_question(line, message);
        }
        let (role, platform) = match &on.role {
            Some(role) => (role, on.platform),
            None => (self.role.as_ref()?, on.platform.or(self.platform)),
        };
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
        match self.steps.last_mut() {
            Some(ArticleStep {
                action: StepAction::Run { files, on },
                line,
                ..
            }) if *line == from && on.as_ref() == servers => {
                files.extend_from_slice(more);
                true
            }
            _ => false,
        }
    }

    fn services(
        &mut self,
        verb: ServiceVerb,
        services: Objects,
        on: Option<&StepServers>,
        instruction: &Instruction<'_>,
    ) {
        let line = instruction.line.number;
        let located = |name: String| Located::new(name, line);
        let names = match services {
            Objects::Named(names) => names.into_iter().map(located).collect(),
            Objects::Following => {
                let members = instruction.members.iter();
                let names = members.map(|member| located(targets::service(&member.text)));
                names.collect()
            }
        };
        for name in unique(names) {
            let service = name.value;
            if service.is_empty()
                || verb == ServiceVerb::Start && self.restarts(&service, on, &instruction.indexes)
            {
                continue;
            }
            let on = on.cloned();
            let action = StepAction::Service { verb, service, on };
            self.step(action, line, Vec::new(), &instruction.indexes);
        }
    }

    /// Merges a start that directly follows the stop of the same service with it into one restart.
    fn restarts(&mut self, service: &str, role: Option<&StepServers>, indexes: &[usize]) -> bool {
        let part = self.part;
        let Some((at, step)) = self.steps.iter_mut().enumerate().next_back() else {
            return false;
        };
        match &mut step.action {
            StepAction::Service {
                verb: verb @ ServiceVerb::Stop,
                service: stopped,
                on,
            } if at >= part && stopped.eq_ignore_ascii_case(service) && on.as_ref() == role => {
                *verb = ServiceVerb::Restart;
            }
            _ => return false,
        }
        self.lead_to(at, indexes);
        true
    }
}
