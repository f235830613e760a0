//! Effects of related commands: targets are selected, then a command for them is chosen.

use super::commands::{ArticleCommand, ClauseContext, Files, QueuedAction, ServerScope, Services};
use super::targets::{self, Targets};
use rollup_names::ServiceVerb;

/// Reason why a click on something that is not a command needs no step.
pub(super) const ONLY_OPENS: &str = "it only opens something on the screen";

const ONLY_WHERE_REMOVED: &str = "only the servers from which it was removed are meant, but `items` means all servers that it is \
                                  assigned to; if these differ, write `removed_by`";

/// Effect of an instruction on the walker.
pub(super) enum Effect {
    /// Moves to the root of the console's tree.
    Root,
    Servers(ServerScope),
    Under(String),
    Expand(Vec<String>),
    Point(Targets),
    Needless(&'static str),
    /// Names for which the lines below are repeated.
    ForEach(Vec<String>),
    /// Value for the procedure that was queued last.
    Parameter {
        name: String,
        value: String,
    },
    /// Open question.
    Doubt(&'static str),
    Queue {
        kind: QueuedAction,
        targets: Targets,
        groups: bool,
    },
    /// Runs the queue.
    Start,
    Service {
        verb: ServiceVerb,
        services: Services,
        on: ServerScope,
    },
    Copy {
        files: Files,
        to: String,
        on: ServerScope,
    },
    Run {
        files: Files,
        on: ServerScope,
    },
}

/// Reader of related commands.
pub(super) struct EffectReader {
    pub(super) pointed: Option<Targets>,
    pub(super) found: Vec<Effect>,
    /// True if a list follows the instruction.
    pub(super) members: bool,
    /// Role of commands that name none.
    pub(super) role: Option<String>,
    /// Nodes that a word for their kind refers to.
    pub(super) each: Option<Vec<String>>,
    /// True if a procedure was queued last.
    pub(super) procedure: bool,
}

/// State between the commands of one sentence.
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
    /// Index of the first effect in `found` that only describes how to do those before it.
    how: Option<usize>,
}

impl EffectReader {
    /// Takes a sentence; returns nothing if one of its commands is not understood.
    pub(super) fn sentence(&mut self, commands: Vec<ArticleCommand>) -> Option<()> {
        let mut sentence = Sentence::default();
        for command in commands {
            let answers = matches!(&command, ArticleCommand::Choose(button) if is_button(&button.to_lowercase()));
            if sentence.message && !answers && !matches!(command, ArticleCommand::Needless(_)) {
                return None;
            }
            if !matches!(command, ArticleCommand::Expand(_)) && !sentence.expanded.is_empty() {
                self.found
                    .push(Effect::Expand(std::mem::take(&mut sentence.expanded)));
            }
            match command {
                ArticleCommand::Context(context) => self.context(context, &mut sentence)?,
                ArticleCommand::Expand(names) => sentence.expanded.extend(names),
                ArticleCommand::Point(targets) => {
                    self.point(targets)?;
                    sentence.here = true;
                }
                ArticleCommand::Choose(_) if sentence.submenu => sentence.submenu = false,
                ArticleCommand::Choose(command) => {
                    sentence.submenu = self.choose(&command, sentence.here)?
                }
                ArticleCommand::Type { value, into } => {
                    self.typed(value, into.or_else(|| sentence.into.take())?)?
                }
                command => self.act(command)?,
            }
        }
        if !sentence.expanded.is_empty() {
            self.found.push(Effect::Expand(sentence.expanded));
        }
        if let Some(from) = sentence.how {
            self.drop_repeated(from);
        }
        Some(())
    }

    fn context(&mut self, context: ClauseContext, sentence: &mut Sentence) -> Option<()> {
        match context {
            ClauseContext::If => return None,
            ClauseContext::Message => sentence.message = true,
            ClauseContext::Box(name) => sentence.into = Some(name),
            ClauseContext::How => sentence.how = Some(self.found.len()),
            ClauseContext::Servers(on) => self.servers(on),
            ClauseContext::Tool => self.found.push(Effect::Root),
            ClauseContext::Under(name) => self.found.push(Effect::Under(name)),
            ClauseContext::Other => {}
        }
        Some(())
    }

    fn point(&mut self, targets: Targets) -> Option<()> {
        let targets = match targets {
            Targets::Following if !self.members => return None,
            Targets::Same => return Some(()),
            Targets::ByKind => Targets::Named(self.each.clone()?),
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

    /// Takes a command that is understood without another one.
    fn act(&mut self, command: ArticleCommand) -> Option<()> {
        let effect = match command {
            ArticleCommand::ForEach(names) => {
                self.each = Some(names.clone());
                Effect::ForEach(names)
            }
            ArticleCommand::ExpandByKind if self.each.is_some() => Effect::Needless(ONLY_OPENS),
            ArticleCommand::Visit(on) => {
                self.servers(on);
                Effect::Needless(ONLY_OPENS)
            }
            ArticleCommand::Queue(_, Targets::Following) if !self.members => return None,
            ArticleCommand::Queue(_, Targets::Same | Targets::ByKind) => return None,
            ArticleCommand::Queue(kind, targets) => {
                self.queue(kind, targets, false);
                return Some(());
            }
            ArticleCommand::Service {
                services: Services::Following,
                ..
            }
            | ArticleCommand::Copy {
                files: Files::Following,
                ..
            }
            | ArticleCommand::Run {
                files: Files::Following,
                ..
            } if !self.members => {
                return None;
            }
            ArticleCommand::Service { verb, services, on } => {
                Effect::Service { verb, services, on }
            }
            ArticleCommand::Copy { files, to, on } => Effect::Copy { files, to, on },
            ArticleCommand::Run { files, on } => Effect::Run { files, on },
            // A step that ran on servers of one role has not run on those of another.
            ArticleCommand::Repeat { on }
                if on.role.is_some() && self.role.is_some() && on.role != self.role =>
            {
                return None;
            }
            ArticleCommand::Repeat { .. } => {
                Effect::Needless("a step runs on every server of its role")
            }
            ArticleCommand::Needless(why) => Effect::Needless(why),
            ArticleCommand::Unknown
            | ArticleCommand::ExpandByKind
            | ArticleCommand::Context(_)
            | ArticleCommand::Expand(_)
            | ArticleCommand::Point(_)
            | ArticleCommand::Choose(_)
            | ArticleCommand::Type { .. } => return None,
        };
        self.found.push(effect);
        Some(())
    }

    fn queue(&mut self, kind: QueuedAction, targets: Targets, groups: bool) {
        self.procedure = kind == QueuedAction::Initialize;
        self.found.push(Effect::Queue {
            kind,
            targets,
            groups,
        });
    }

    /// Drops repeated effects: "Restart IIS. To do this, type iisreset" is one restart. A
    /// description how to change a service is not another change, and a description how to queue an
    /// item gives its position more exactly.
    fn drop_repeated(&mut self, from: usize) {
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
        let queues = |kind: QueuedAction| move |effect: &Effect| matches!(effect, Effect::Queue { kind: k, .. } if *k == kind);
        for kind in [
            QueuedAction::Uninstall,
            QueuedAction::Install,
            QueuedAction::Initialize,
        ] {
            if hows.iter().any(queues(kind)) {
                self.found.retain(|effect| !queues(kind)(effect));
            }
        }
        self.found.append(&mut hows);
    }

    fn servers(&mut self, on: ServerScope) {
        self.role.clone_from(&on.role);
        self.found.push(Effect::Servers(on));
    }

    /// Takes a command of a menu; returns whether its second menu may follow.
    fn choose(&mut self, command: &str, here: bool) -> Option<bool> {
        let lower = command.to_lowercase();
        let known = MENU
            .iter()
            .find(|(name, _)| lower.starts_with(name) && (*name != "remove" || lower == "remove"));
        let Some((_, kind)) = known else {
            return self.choose_other(command, &lower, here);
        };
        match kind {
            MenuCommand::Start => self.found.push(Effect::Start),
            MenuCommand::Verify => self
                .found
                .push(Effect::Needless("rollup verifies installed items itself")),
            MenuCommand::Queue(kind) => {
                // The menus of other programs have such commands, too.
                let places = [" menu", " tab", " toolbar"];
                if places.iter().any(|place| lower.contains(place)) {
                    return None;
                }
                let is_group = ["in this group", "in the group"]
                    .iter()
                    .any(|group| lower.contains(group));
                self.queue(
                    *kind,
                    self.pointed.clone()?,
                    is_group && *kind != QueuedAction::Initialize,
                );
                if *kind == QueuedAction::Install && lower.contains("from which") {
                    self.found.push(Effect::Doubt(ONLY_WHERE_REMOVED));
                }
            }
        }
        Some(["install on server", "execute"].contains(&lower.as_str()))
    }

    /// Takes a command that is not one of the console's own: it changes a service, or opens something.
    fn choose_other(&mut self, command: &str, lower: &str, here: bool) -> Option<bool> {
        let verb =
            service_verb(lower).filter(|_| here || self.pointed.is_some() && lower != "start");
        if let Some(verb) = verb {
            let services = match self.pointed.clone()? {
                Targets::Named(names) => {
                    Services::Named(names.iter().map(|name| targets::service(name)).collect())
                }
                Targets::Following => Services::Following,
                _ => return None,
            };
            let on = ServerScope::default();
            self.found.push(Effect::Service { verb, services, on });
            return Some(false);
        }
        let is_name = command.starts_with(char::is_uppercase) && !lower.contains(" check box");
        let is_place = lower.ends_with(" menu") || lower.ends_with(" tab");
        if !is_button(lower) {
            if here || !is_name && !is_place {
                return None;
            }
            // A node or a menu; the next command may be for it.
            if is_name {
                let node = Targets::Named(vec![command.to_owned()]);
                self.pointed = Some(node.clone());
                self.found.push(Effect::Point(node));
            }
        }
        self.found.push(Effect::Needless(ONLY_OPENS));
        Some(false)
    }
}

/// Commands of the console's menus.
enum MenuCommand {
    Start,
    Queue(QueuedAction),
    Verify,
}

/// Names that the commands begin with; `remove` is one alone.
const MENU: [(&str, MenuCommand); 6] = [
    ("start deployment", MenuCommand::Start),
    ("uninstall", MenuCommand::Queue(QueuedAction::Uninstall)),
    ("remove", MenuCommand::Queue(QueuedAction::Uninstall)),
    ("install", MenuCommand::Queue(QueuedAction::Install)),
    ("execute", MenuCommand::Queue(QueuedAction::Initialize)),
    ("verify", MenuCommand::Verify),
];

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
