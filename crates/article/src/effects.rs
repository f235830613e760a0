//! Effects of related commands: targets are selected, then a command for them is chosen.

use super::commands::{
    Act, ArticleCommand, ClauseContext, Objects, QueuedAction, ServerScope, service_verb,
};
use super::targets::{self, Targets};
use super::text::{ends, has, is};

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
    Act(Act, Objects, ServerScope),
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
            let answers = match &command {
                ArticleCommand::Choose(button) => is(&button.to_lowercase(), BUTTONS),
                command => matches!(command, ArticleCommand::Needless(_)),
            };
            if sentence.message && !answers {
                return None;
            }
            if !matches!(command, ArticleCommand::Expand(_)) {
                self.expand(&mut sentence);
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
                    sentence.submenu = self.choose(&command, sentence.here)?;
                }
                ArticleCommand::Type { value, into } => {
                    let name = into.or_else(|| sentence.into.take())?;
                    // It is a parameter of the one procedure that was chosen last.
                    let is_one =
                        matches!(&self.pointed, Some(Targets::Named(names)) if names.len() == 1);
                    (self.procedure && is_one).then_some(())?;
                    self.found.push(Effect::Parameter { name, value });
                }
                command => self.act(command)?,
            }
        }
        self.expand(&mut sentence);
        if let Some(from) = sentence.how {
            self.drop_repeated(from);
        }
        Some(())
    }

    fn expand(&mut self, sentence: &mut Sentence) {
        if !sentence.expanded.is_empty() {
            let expanded = std::mem::take(&mut sentence.expanded);
            self.found.push(Effect::Expand(expanded));
        }
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
            ArticleCommand::Act(_, Objects::Following, _)
            | ArticleCommand::Queue(_, Targets::Following)
                if !self.members =>
            {
                return None;
            }
            ArticleCommand::Queue(_, Targets::Same | Targets::ByKind) => return None,
            ArticleCommand::Queue(kind, targets) => {
                self.queue(kind, targets, false);
                return Some(());
            }
            ArticleCommand::Act(act, objects, on) => Effect::Act(act, objects, on),
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
            _ => return None,
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
        hows.retain(|how| {
            let is_same = |known: &Effect| match (known, how) {
                (
                    Effect::Act(Act::Service(_), known, _),
                    Effect::Act(Act::Service(_), services, _),
                ) => known == services,
                _ => false,
            };
            !self.found.iter().any(is_same)
        });
        self.found.retain(|known| {
            let is_same = |how: &Effect| match (known, how) {
                (Effect::Queue { kind, .. }, Effect::Queue { kind: how, .. }) => kind == how,
                _ => false,
            };
            !hows.iter().any(is_same)
        });
        self.found.append(&mut hows);
    }

    fn servers(&mut self, on: ServerScope) {
        self.role.clone_from(&on.role);
        self.found.push(Effect::Servers(on));
    }

    /// Takes a command of a menu; returns whether its second menu may follow.
    fn choose(&mut self, command: &str, here: bool) -> Option<bool> {
        let lower = command.to_lowercase();
        let mut menu = MENU.iter();
        let known = menu.find(|(name, _)| lower.starts_with(name));
        if lower.starts_with("start deployment") {
            self.found.push(Effect::Start);
        } else if lower.starts_with("verify") {
            let why = "rollup verifies installed items itself";
            self.found.push(Effect::Needless(why));
        } else if let Some((name, kind)) = known
            && (*name != "remove" || lower == "remove")
        {
            // The menus of other programs have such commands, too.
            if has(&lower, " menu| tab| toolbar") {
                return None;
            }
            let is_group = has(&lower, "in this group|in the group");
            let groups = is_group && *kind != QueuedAction::Initialize;
            self.queue(*kind, self.pointed.clone()?, groups);
            if *kind == QueuedAction::Install && lower.contains("from which") {
                self.found.push(Effect::Doubt(ONLY_WHERE_REMOVED));
            }
        } else {
            return self.choose_other(command, &lower, here).map(|()| false);
        }
        Some(is(&lower, "install on server|execute"))
    }

    /// Takes a command that is not one of the console's own: it changes a service, or opens something.
    fn choose_other(&mut self, command: &str, lower: &str, here: bool) -> Option<()> {
        if let Some(verb) = service_verb(lower)
            && (here || self.pointed.is_some() && lower != "start")
        {
            let services = match self.pointed.clone()? {
                Targets::Named(names) => {
                    Objects::Named(names.iter().map(|name| targets::service(name)).collect())
                }
                Targets::Following => Objects::Following,
                _ => return None,
            };
            let on = ServerScope::default();
            self.found
                .push(Effect::Act(Act::Service(verb), services, on));
            return Some(());
        }
        let is_name = command.starts_with(char::is_uppercase) && !lower.contains(" check box");
        if !is(lower, BUTTONS) {
            if here || !is_name && !ends(lower, " menu| tab") {
                return None;
            }
            // A node or a menu; the next command may be for it.
            if is_name {
                self.point(Targets::Named(vec![command.to_owned()]))?;
            }
        }
        self.found.push(Effect::Needless(ONLY_OPENS));
        Some(())
    }
}

/// Names that the commands of the console's menus begin with; `remove` is one alone.
const MENU: [(&str, QueuedAction); 4] = [
    ("uninstall", QueuedAction::Uninstall),
    ("remove", QueuedAction::Uninstall),
    ("install", QueuedAction::Install),
    ("execute", QueuedAction::Initialize),
];

/// Buttons, and entries of the Start menu.
const BUTTONS: &str = "ok|yes|no|retry|next|finish|close|apply|save|start|run|continue|all programs|programs|\
    administrative tools|accessories|command prompt|action";
