//! Effects of an instruction: on the position in the console, on its queue, or at once as a step.

use std::collections::BTreeSet;

use super::{Fate, Instruction, Walker};
use crate::article::Said;
use crate::article::commands::{Files, On, Services};
use crate::article::effects::Effect;
use crate::article::listing::listed;
use crate::article::steps::{Does, Listed, Servers, Step};
use crate::article::targets;
use crate::manifest::ServiceVerb;

impl Walker {
    pub(super) fn perform(&mut self, effects: Vec<Effect>, asked: &Instruction<'_>) {
        let mut needless = None;
        let mut acted = false;
        let mut from_root = false;
        for effect in effects {
            match effect {
                Effect::Root => from_root = true,
                Effect::Servers(on) => (self.role, self.platform) = (on.role, on.platform),
                Effect::Under(name) => self.console.under(&name),
                Effect::Doubt(what) => self.tell(asked.line.number, what.to_owned()),
                Effect::Needless(why) => needless = Some(why),
                effect => {
                    acted = true;
                    self.act(effect, asked, &mut from_root);
                }
            }
        }
        if let (false, Some(why)) = (acted, needless) {
            asked
                .places
                .iter()
                .for_each(|at| self.lines[*at].fate = Fate::Needless(why));
        }
    }

    /// Applies an effect that leads to a step or is one.
    fn act(&mut self, effect: Effect, asked: &Instruction<'_>, from_root: &mut bool) {
        match effect {
            Effect::Expand(names) => self.expand(&names, std::mem::take(from_root), asked),
            Effect::Point(targets) => {
                self.pointed = Some(targets);
                self.leading.extend_from_slice(&asked.places);
            }
            Effect::ForEach(names) => {
                self.each = Some((names, asked.line.depth));
                self.leading.extend_from_slice(&asked.places);
            }
            Effect::Parameter { name, value } => self.parameter(name, value, asked),
            Effect::Queue {
                kind,
                targets,
                groups,
            } => {
                if std::mem::take(from_root) {
                    self.console.leave();
                }
                self.enqueue(kind, &targets, groups, asked);
                self.pointed = Some(targets);
            }
            Effect::Start => self.start(&asked.places),
            Effect::Service { verb, services, on } => self.services(verb, services, &on, asked),
            Effect::Copy { files, to, on } => self.copy(files, to, &on, asked),
            Effect::Run { files, on } => self.run(files, &on, asked),
            Effect::Root
            | Effect::Servers(_)
            | Effect::Under(_)
            | Effect::Doubt(_)
            | Effect::Needless(_) => {}
        }
    }

    fn expand(&mut self, names: &[String], from_root: bool, asked: &Instruction<'_>) {
        if let Some(last) = self.console.expand(names, from_root) {
            let what = format!(
                "`{}` is taken to stand at the root; it may stand beside `{last}`",
                names[0]
            );
            self.tell(asked.line.number, what);
        }
        self.leading.extend_from_slice(&asked.places);
    }

    fn copy(&mut self, files: Files, to: String, on: &On, asked: &Instruction<'_>) {
        let line = asked.line.number;
        let role = self.on(on, line);
        let (files, mut todo) = listed(files, asked.line, &asked.members);
        let on = if to == "share" { None } else { Some(role) };
        if let Some(None) = on {
            todo.push(Said::new(
                "on which role's servers the folder lies".to_owned(),
                line,
            ));
        }
        let on = on.map(|servers| servers.unwrap_or_else(unknown));
        self.step(Does::Copy { files, to, on }, line, todo, &asked.places);
    }

    fn run(&mut self, files: Files, on: &On, asked: &Instruction<'_>) {
        let line = asked.line.number;
        let on = self.on(on, line);
        let (files, mut todo) = listed(files, asked.line, &asked.members);
        if on.is_none() {
            todo.push(Said::new(
                "on which role's servers it is run".to_owned(),
                line,
            ));
        }
        let on = Some(on.unwrap_or_else(unknown));
        if !self.run_too(&files, on.as_ref(), line) {
            self.step(Does::Run { files, on }, line, todo, &asked.places);
        }
    }

    /// Returns the role of a clause, or the one that the current part is about.
    fn on(&mut self, on: &On, line: u32) -> Option<Servers> {
        if on.unclear && self.role.is_none() {
            self.tell(line, "which role's servers are meant".to_owned());
        }
        let named = on.role.as_ref().map(|role| (role, on.platform));
        let (role, platform) = named.or(self
            .role
            .as_ref()
            .map(|role| (role, on.platform.or(self.platform))))?;
        Some(Servers {
            role: role.clone(),
            platform,
        })
    }

    /// Adds installers to the last step if the same instruction runs them on the same servers, in
    /// its order.
    fn run_too(&mut self, more: &Listed, servers: Option<&Servers>, from: u32) -> bool {
        match (self.steps.last_mut(), more) {
            (
                Some(Step {
                    does:
                        Does::Run {
                            files: Listed::Named(files),
                            on,
                        },
                    line,
                    ..
                }),
                Listed::Named(more),
            ) if *line == from && on.as_ref() == servers => {
                files.extend(more.iter().cloned());
                true
            }
            _ => false,
        }
    }

    fn services(
        &mut self,
        verb: ServiceVerb,
        services: Services,
        on: &On,
        asked: &Instruction<'_>,
    ) {
        let Instruction {
            line,
            members,
            places,
        } = asked;
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
            if verb == ServiceVerb::Start && self.restarts(&service, on.as_ref(), places) {
                continue;
            }
            self.step(
                Does::Service {
                    verb,
                    service,
                    on: on.clone(),
                },
                line.number,
                Vec::new(),
                places,
            );
        }
    }

    /// Merges a start that directly follows the stop of the same service with it into one restart.
    fn restarts(&mut self, service: &str, role: Option<&Servers>, places: &[usize]) -> bool {
        let last = self.steps.len().saturating_sub(1);
        let Some(step) = self.steps.last_mut().filter(|_| last >= self.part) else {
            return false;
        };
        match &mut step.does {
            Does::Service {
                verb: verb @ ServiceVerb::Stop,
                service: stopped,
                on,
            } if stopped.eq_ignore_ascii_case(service) && on.as_ref() == role => {
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
}

/// Returns the placeholder for servers that are not named.
fn unknown() -> Servers {
    Servers {
        role: "TODO the role".to_owned(),
        platform: None,
    }
}
