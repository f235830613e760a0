//! Effects of commands that belong together: what is pointed at, and what is chosen then.

use super::commands::{Command, Context, Files, On, Queued, Services};
use super::targets::{self, Targets};
use crate::manifest::ServiceVerb;

/// Reason why a click on something that is not a command needs no step.
pub(super) const LEADS: &str = "it only opens what is on the screen";

const WHERE_REMOVED: &str = "only the servers from which it was removed are meant, and `items` takes all that it is assigned to; \
                             where these differ, write `removed_by`";

/// Effect of an instruction on the walker.
pub(super) enum Effect {
    /// Whole tree of the tool.
    Root,
    Servers(On),
    Under(String),
    Expand(Vec<String>),
    Point(Targets),
    Needless(&'static str),
    /// Names that the lines below are done for.
    ForEach(Vec<String>),
    /// Value for the procedure that was queued last.
    Parameter {
        name: String,
        value: String,
    },
    /// Something that a person has to check.
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

/// Reader of commands of the console that belong together: what is pointed at, and what is chosen
/// then.
pub(super) struct EffectReader {
    pub(super) pointed: Option<Targets>,
    pub(super) found: Vec<Effect>,
    /// True if a list follows the instruction.
    pub(super) members: bool,
    /// Role that is meant if none is named.
    pub(super) role: Option<String>,
    /// Names that a word for a kind of node refers to.
    pub(super) each: Option<Vec<String>>,
    /// True if a procedure was queued last.
    pub(super) procedure: bool,
}

/// State that the commands of one sentence leave for those after them.
#[derive(Default)]
struct Sentence {
    /// Nodes that were opened one after the other.
    expanded: Vec<String>,
    /// True if something was pointed at.
    here: bool,
    /// True if the second menu of a command may follow.
    submenu: bool,
    /// True if a message that may appear is answered.
    message: bool,
    /// Box that a value is for.
    into: Option<String>,
    /// Index of the first effect in `found` that only describes how to do the ones before it.
    how: Option<usize>,
}

impl EffectReader {
    /// Takes a sentence; returns nothing if one of its commands is not understood.
    pub(super) fn sentence(&mut self, commands: Vec<Command>) -> Option<()> {
        let mut sentence = Sentence::default();
        for command in commands {
            let answers =
                matches!(&command, Command::Choose(button) if is_button(&button.to_lowercase()));
            if sentence.message && !answers && !matches!(command, Command::Needless(_)) {
                return None;
            }
            if !matches!(command, Command::Expand(_)) && !sentence.expanded.is_empty() {
                self.found
                    .push(Effect::Expand(std::mem::take(&mut sentence.expanded)));
            }
            match command {
                Command::Context(context) => self.context(context, &mut sentence)?,
                Command::Expand(names) => sentence.expanded.extend(names),
                Command::Point(targets) => {
                    self.point(targets)?;
                    sentence.here = true;
                }
                Command::Choose(_) if sentence.submenu => sentence.submenu = false,
                Command::Choose(command) => {
                    sentence.submenu = self.choose(&command, sentence.here)?
                }
                Command::Type { value, into } => {
                    self.typed(value, into.or_else(|| sentence.into.take())?)?
                }
                command => self.act(command)?,
            }
        }
        if !sentence.expanded.is_empty() {
            self.found.push(Effect::Expand(sentence.expanded));
        }
        if let Some(from) = sentence.how {
            self.tell_once(from);
        }
        Some(())
    }

    fn context(&mut self, context: Context, sentence: &mut Sentence) -> Option<()> {
        match context {
            Context::If => return None,
            Context::Message => sentence.message = true,
            Context::Box(name) => sentence.into = Some(name),
            Context::How => sentence.how = Some(self.found.len()),
            Context::Servers(on) => self.servers(on),
            Context::Tool => self.found.push(Effect::Root),
            Context::Under(name) => self.found.push(Effect::Under(name)),
            Context::Other => {}
        }
        Some(())
    }

    fn point(&mut self, targets: Targets) -> Option<()> {
        let targets = match targets {
            Targets::Following if !self.members => return None,
            Targets::Same => return Some(()),
            Targets::Anyone => Targets::Named(self.each.clone()?),
            targets => targets,
        };
        self.pointed = Some(targets.clone());
        self.found.push(Effect::Point(targets));
        Some(())
    }

    /// Takes a value in a box, which is a parameter of the one procedure that was chosen last.
    fn typed(&mut self, value: String, name: String) -> Option<()> {
        let one = matches!(&self.pointed, Some(Targets::Named(names)) if names.len() == 1);
        (self.procedure && one).then(|| self.found.push(Effect::Parameter { name, value }))
    }

    /// Takes a command that needs no other one to be understood.
    fn act(&mut self, command: Command) -> Option<()> {
        let effect = match command {
            Command::ForEach(names) => {
                self.each = Some(names.clone());
                Effect::ForEach(names)
            }
            Command::ExpandAnyone if self.each.is_some() => Effect::Needless(LEADS),
            Command::Visit(on) => {
                self.servers(on);
                Effect::Needless(LEADS)
            }
            Command::Queue(_, Targets::Following) if !self.members => return None,
            Command::Queue(_, Targets::Same | Targets::Anyone) => return None,
            Command::Queue(kind, targets) => {
                self.queue(kind, targets, false);
                return Some(());
            }
            Command::Service {
                services: Services::Following,
                ..
            }
            | Command::Copy {
                files: Files::Following,
                ..
            }
            | Command::Run {
                files: Files::Following,
                ..
            } if !self.members => {
                return None;
            }
            Command::Service { verb, services, on } => Effect::Service { verb, services, on },
            Command::Copy { files, to, on } => Effect::Copy { files, to, on },
            Command::Run { files, on } => Effect::Run { files, on },
            // A step that was done on servers of one role is not done yet on those of another.
            Command::Repeat { on }
                if on.role.is_some() && self.role.is_some() && on.role != self.role =>
            {
                return None;
            }
            Command::Repeat { .. } => {
                Effect::Needless("a step is done on every server of its role")
            }
            Command::Needless(why) => Effect::Needless(why),
            Command::Unknown
            | Command::ExpandAnyone
            | Command::Context(_)
            | Command::Expand(_)
            | Command::Point(_)
            | Command::Choose(_)
            | Command::Type { .. } => return None,
        };
        self.found.push(effect);
        Some(())
    }

    fn queue(&mut self, kind: Queued, targets: Targets, groups: bool) {
        self.procedure = kind == Queued::Initialize;
        self.found.push(Effect::Queue {
            kind,
            targets,
            groups,
        });
    }

    /// Drops effects that are asked for twice: "Restart IIS. To do this, type iisreset" asks for
    /// one restart. A description of how to change a service is not another change, and a
    /// description of how to queue an item gives its position more exactly.
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
        let queues = |kind: Queued| move |effect: &Effect| matches!(effect, Effect::Queue { kind: k, .. } if *k == kind);
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

    /// Takes a command of a menu; returns whether its second menu may follow.
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
            self.found
                .push(Effect::Needless("rollup verifies what it installed itself"));
        } else if let Some(verb) =
            service_verb(&lower).filter(|_| here || self.pointed.is_some() && lower != "start")
        {
            let services = match targets? {
                Targets::Named(names) => {
                    Services::Named(names.iter().map(|name| targets::service(name)).collect())
                }
                Targets::Following => Services::Following,
                _ => return None,
            };
            self.found.push(Effect::Service {
                verb,
                services,
                on: On::default(),
            });
        } else if here && !is_button(&lower) {
            return None;
        } else if is_button(&lower)
            || command.starts_with(|c: char| c.is_uppercase()) && !lower.contains(" check box")
        {
            // A node, a menu or a button; the next command may be for what is clicked.
            if !is_button(&lower) {
                self.pointed = Some(Targets::Named(vec![command.to_owned()]));
                self.found
                    .push(Effect::Point(Targets::Named(vec![command.to_owned()])));
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
