//! Commands that belong together, and what they come to: what is pointed at, and what is chosen then.

use super::commands::{Command, Context, Files, On, Queued, Services};
use super::targets::{self, Targets};
use crate::manifest::ServiceVerb;

/// Why a click on something that is no command needs no step.
pub(super) const LEADS: &str = "it only opens what is on the screen";

const WHERE_REMOVED: &str = "only the servers from which it was removed are meant, and `items` takes all that it is assigned to; \
                             where these differ, write `removed_by`";

/// What an instruction does to the walker.
pub(super) enum Effect {
    /// The tool's whole tree is meant.
    Root,
    Servers(On),
    Under(String),
    Expand(Vec<String>),
    Point(Targets),
    Needless(&'static str),
    /// What stands below is done for each of these.
    ForEach(Vec<String>),
    /// A value for the procedure that was queued last.
    Parameter {
        name: String,
        value: String,
    },
    /// Something that a person has to look at.
    Doubt(&'static str),
    Queue {
        kind: Queued,
        targets: Targets,
        groups: bool,
    },
    /// Runs the queue.
    Start,
    Service {
        verb: ServiceVerb,
        services: Services,
        on: On,
    },
    Copy {
        files: Files,
        to: String,
        on: On,
    },
    Run {
        files: Files,
        on: On,
    },
}

/// Commands of the console that belong together: what is pointed at, and what is chosen then.
pub(super) struct EffectReader {
    pub(super) pointed: Option<Targets>,
    pub(super) found: Vec<Effect>,
    /// Whether a list stands below the instruction.
    pub(super) members: bool,
    /// The role that is meant where none is named.
    pub(super) role: Option<String>,
    /// What a word for a kind of node stands for.
    pub(super) each: Option<Vec<String>>,
    /// Whether a procedure was queued last.
    pub(super) procedure: bool,
}

impl EffectReader {
    /// Takes a sentence; nothing where a command of it is not understood.
    pub(super) fn sentence(&mut self, sentence: Vec<Command>) -> Option<()> {
        let mut expanded: Vec<String> = Vec::new();
        // Pointed at in this sentence; and the rest of a command of two menus may follow.
        let (mut here, mut submenu) = (false, false);
        let mut message = false;
        let (mut into, mut how) = (None, None);
        for command in sentence {
            let answers = matches!(&command, Command::Choose(button) if is_button(&button.to_lowercase()));
            if message && !answers && !matches!(command, Command::Needless(_)) {
                return None;
            }
            if !matches!(command, Command::Expand(_)) && !expanded.is_empty() {
                self.found.push(Effect::Expand(std::mem::take(&mut expanded)));
            }
            match command {
                Command::Context(Context::If) | Command::Unknown => return None,
                Command::Context(Context::Message) => message = true,
                Command::Context(Context::Box(name)) => into = Some(name),
                Command::Context(Context::How) => how = Some(self.found.len()),
                Command::ForEach(names) => {
                    self.each = Some(names.clone());
                    self.found.push(Effect::ForEach(names));
                }
                Command::ExpandAnyone if self.each.is_some() => self.found.push(Effect::Needless(LEADS)),
                Command::ExpandAnyone => return None,
                Command::Type { value, into: named } => {
                    let name = named.or_else(|| into.take())?;
                    let one = matches!(&self.pointed, Some(Targets::Named(names)) if names.len() == 1);
                    if !self.procedure || !one {
                        return None;
                    }
                    self.found.push(Effect::Parameter { name, value });
                }
                Command::Context(Context::Servers(on)) => self.servers(on),
                Command::Visit(on) => {
                    self.servers(on);
                    self.found.push(Effect::Needless(LEADS));
                }
                Command::Context(Context::Tool) => self.found.push(Effect::Root),
                Command::Context(Context::Under(name)) => self.found.push(Effect::Under(name)),
                Command::Context(Context::Other) => {}
                Command::Expand(names) => expanded.extend(names),
                Command::Point(Targets::Following) if !self.members => return None,
                Command::Point(Targets::Anyone) => {
                    let targets = Targets::Named(self.each.clone()?);
                    self.pointed = Some(targets.clone());
                    self.found.push(Effect::Point(targets));
                    here = true;
                }
                Command::Point(targets) => {
                    if targets != Targets::Same {
                        self.pointed = Some(targets.clone());
                        self.found.push(Effect::Point(targets));
                    }
                    here = true;
                }
                Command::Choose(_) if submenu => submenu = false,
                Command::Choose(command) => submenu = self.choose(&command, here)?,
                Command::Queue(kind, targets) => match targets {
                    Targets::Following if !self.members => return None,
                    Targets::Same | Targets::Anyone => return None,
                    targets => self.queue(kind, targets, false),
                },
                Command::Service { services: Services::Following, .. }
                | Command::Copy { files: Files::Following, .. }
                | Command::Run { files: Files::Following, .. }
                    if !self.members =>
                {
                    return None;
                }
                Command::Service { verb, services, on } => self.found.push(Effect::Service { verb, services, on }),
                Command::Copy { files, to, on } => self.found.push(Effect::Copy { files, to, on }),
                Command::Run { files, on } => self.found.push(Effect::Run { files, on }),
                // What is done on servers of one kind is not yet done on those of another.
                Command::Repeat { on } if on.role.is_some() && self.role.is_some() && on.role != self.role => {
                    return None;
                }
                Command::Repeat { .. } => {
                    self.found.push(Effect::Needless("a step is done on every server of its role"))
                }
                Command::Needless(why) => self.found.push(Effect::Needless(why)),
            }
        }
        if !expanded.is_empty() {
            self.found.push(Effect::Expand(expanded));
        }
        if let Some(from) = how {
            self.tell_once(from);
        }
        Some(())
    }

    fn queue(&mut self, kind: Queued, targets: Targets, groups: bool) {
        self.procedure = kind == Queued::Initialize;
        self.found.push(Effect::Queue { kind, targets, groups });
    }

    /// "Restart IIS. To do this, type iisreset" asks for one restart: what tells how to change a service is no change more,
    /// and what tells how to queue an item knows better where the item is.
    fn tell_once(&mut self, from: usize) {
        let mut hows = self.found.split_off(from);
        let changed: Vec<&Services> = self
            .found
            .iter()
            .filter_map(|effect| match effect {
                Effect::Service { services, .. } => Some(services),
                _ => None,
            })
            .collect();
        hows.retain(|effect| !matches!(effect, Effect::Service { services, .. } if changed.contains(&services)));
        let queues =
            |kind: Queued| move |effect: &Effect| matches!(effect, Effect::Queue { kind: k, .. } if *k == kind);
        for kind in [Queued::Uninstall, Queued::Install, Queued::Initialize] {
            if hows.iter().any(queues(kind)) {
                self.found.retain(|effect| !queues(kind)(effect));
            }
        }
        self.found.append(&mut hows);
    }

    fn servers(&mut self, on: On) {
        self.role.clone_from(&on.role);
        self.found.push(Effect::Servers(on));
    }

    /// A command of a menu; tells whether its second menu may follow.
    fn choose(&mut self, command: &str, here: bool) -> Option<bool> {
        let lower = command.to_lowercase();
        let targets = self.pointed.clone();
        let group = lower.contains("in this group") || lower.contains("in the group");
        if lower.starts_with("start deployment") {
            self.found.push(Effect::Start);
        } else if lower.starts_with("uninstall") || lower == "remove" {
            self.queue(Queued::Uninstall, targets?, group);
        } else if lower.starts_with("install") {
            self.queue(Queued::Install, targets?, group);
            if lower.contains("from which") {
                self.found.push(Effect::Doubt(WHERE_REMOVED));
            }
            return Some(lower == "install on server");
        } else if lower.starts_with("execute") {
            self.queue(Queued::Initialize, targets?, false);
            return Some(lower == "execute");
        } else if lower.starts_with("verify") {
            self.found.push(Effect::Needless("rollup verifies what it installed itself"));
        } else if let Some(verb) = service_verb(&lower).filter(|_| here || self.pointed.is_some() && lower != "start") {
            let services = match targets? {
                Targets::Named(names) => Services::Named(names.iter().map(|name| targets::service(name)).collect()),
                Targets::Following => Services::Following,
                _ => return None,
            };
            self.found.push(Effect::Service { verb, services, on: On::default() });
        } else if here && !is_button(&lower) {
            return None;
        } else if is_button(&lower) || command.starts_with(|c: char| c.is_uppercase()) && !lower.contains(" check box")
        {
            // A node, a menu or a button. What is clicked may be what the next command is for.
            if !is_button(&lower) {
                self.pointed = Some(Targets::Named(vec![command.to_owned()]));
                self.found.push(Effect::Point(Targets::Named(vec![command.to_owned()])));
            }
            self.found.push(Effect::Needless(LEADS));
        } else {
            return (lower.ends_with(" menu") || lower.ends_with(" tab"))
                .then(|| self.found.push(Effect::Needless(LEADS)))
                .map(|()| false);
        }
        Some(false)
    }
}

fn service_verb(lower: &str) -> Option<ServiceVerb> {
    Some(match lower {
        "shut down" | "shutdown" | "stop" => ServiceVerb::Stop,
        "start" => ServiceVerb::Start,
        "restart" | "recycle" => ServiceVerb::Restart,
        "disable" => ServiceVerb::Disable,
        "enable" => ServiceVerb::Enable,
        _ => return None,
    })
}

fn is_button(lower: &str) -> bool {
    matches!(
        lower,
        "ok" | "yes"
            | "no"
            | "retry"
            | "next"
            | "finish"
            | "close"
            | "apply"
            | "save"
            | "start"
            | "run"
            | "continue"
            | "all programs"
            | "programs"
            | "administrative tools"
            | "accessories"
            | "command prompt"
            | "action"
    )
}
