//! Conversion of clauses, each a verb and its object, to commands.

use std::collections::BTreeSet;

use super::clauses::{clauses, verb};
use super::targets::{self, Targets};
use rollup_names::ServiceVerb;

/// Command of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArticleCommand {
    /// Place or time: "On the X servers", "In the tool".
    Context(ClauseContext),
    /// Opens nodes of the console, one below the other.
    Expand(Vec<String>),
    /// Right-clicks or selects.
    Point(Targets),
    /// Chooses from a menu, or clicks something on the screen.
    Choose(String),
    /// Queues targets, as a right-click would.
    Queue(QueuedAction, Targets),
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
    /// Repeats the lines below for each of these.
    ForEach(Vec<String>),
    /// Types a value into a box, which may be named before.
    Type {
        value: String,
        into: Option<String>,
    },
    /// Opens a node that is named by its kind only.
    ExpandByKind,
    /// Repeats all instructions so far on other servers.
    Repeat {
        on: ServerScope,
    },
    /// Goes to these servers, which the next instructions are for.
    Visit(ServerScope),
    /// Needs no step, for this reason.
    Needless(&'static str),
    Unknown,
}

/// Action that the console puts into its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueuedAction {
    Uninstall,
    Install,
    Initialize,
}

/// Services that a command is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Services {
    Named(Vec<String>),
    Following,
}

/// Files that a command is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Files {
    Named(Vec<String>),
    Following,
}

/// Servers that a command is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ServerScope {
    pub(super) role: Option<String>,
    /// Only those of this platform.
    pub(super) platform: Option<&'static str>,
    /// True if servers are named, but without a role.
    pub(super) unclear: bool,
}

impl ServerScope {
    fn of(text: &str) -> Self {
        let role = targets::role(text);
        let servers = text
            .get(targets::without_role(text).len()..)
            .filter(|servers| !servers.is_empty());
        let about = role.is_some() || targets::is_about_servers(text);
        let platform = if about {
            targets::platform(servers.unwrap_or(text))
        } else {
            None
        };
        Self {
            unclear: role.is_none() && about,
            platform,
            role,
        }
    }
}

/// Words before the verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClauseContext {
    /// Servers that the next instructions are for.
    Servers(ServerScope),
    /// Tool, so the walk begins at the root of the console's tree.
    Tool,
    /// Node that contains the next one.
    Under(String),
    /// Box of a dialog.
    Box(String),
    /// Introduction of a description how to do the command before.
    How,
    /// Message that may appear; the click that answers it is not a step.
    Message,
    /// Condition that only a person can judge.
    If,
    Other,
}

const NAVIGATES: &str = "it only opens or closes something on the screen";
const CHECKS_RESULT: &str = "it checks the result, and rollup compares every file itself";
const KEEPS_REPLACED: &str = "rollup always keeps replaced files";
const UNPACKED: &str = "rollup reads the payload unpacked";
const CHANGES_NOTHING: &str = "it changes nothing";
const WAITS: &str = "rollup waits for each step itself";

/// Returns the commands of a sentence.
pub(super) fn commands(sentence: &str) -> Vec<ArticleCommand> {
    let of_clause = |clause: &String| {
        let command = command(clause);
        match is_consumed(clause, &command) {
            true => command,
            false => ArticleCommand::Unknown,
        }
    };
    clauses(sentence).iter().map(of_clause).collect()
}

/// Words of a clause that say nothing beside its command.
const FILLERS: &[&str] = &[
    "a",
    "again",
    "all",
    "and",
    "any",
    "application",
    "applications",
    "at",
    "below",
    "both",
    "called",
    "client",
    "com+",
    "command",
    "component",
    "components",
    "computer",
    "computers",
    "directory",
    "download",
    "each",
    "edition",
    "engine",
    "every",
    "everything",
    "executable",
    "file",
    "files",
    "first",
    "fix",
    "folder",
    "following",
    "from",
    "has",
    "have",
    "host",
    "hosts",
    "hotfix",
    "in",
    "information",
    "installer",
    "installers",
    "into",
    "item",
    "items",
    "it",
    "its",
    "listed",
    "machine",
    "machines",
    "msi",
    "name",
    "named",
    "namespace",
    "namespaces",
    "new",
    "node",
    "nodes",
    "now",
    "of",
    "on",
    "one",
    "operating",
    "other",
    "package",
    "packages",
    "please",
    "procedure",
    "prompt",
    "provider",
    "providers",
    "remaining",
    "rest",
    "rollup",
    "run",
    "running",
    "runs",
    "script",
    "server",
    "servers",
    "service",
    "services",
    "share",
    "step",
    "system",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "to",
    "tool",
    "console",
    "uninstalled",
    "removed",
    "unpacked",
    "update",
    "were",
    "was",
    "which",
    "windows",
    "with",
    "you",
    "your",
    "part",
    "net",
    "sc",
    "same",
    "x64",
    "x86",
    "64-bit",
    "32-bit",
    "amd64",
    "instead",
    "web",
    "where",
];

/// Returns whether the command says every word of its clause. A clause that says more, such as a
/// condition or a second target, is left to a person.
fn is_consumed(clause: &str, command: &ArticleCommand) -> bool {
    let Some(said) = command.said() else {
        return true;
    };
    let words = |text: &str| -> Vec<String> {
        let apart = |c: char| c.is_whitespace() || ",;\"()/\\'".contains(c);
        let is_drive = |word: &&str| word.len() == 2 && word.ends_with(':');
        let words = text.split(apart).filter(|word| !is_drive(word));
        let words = words.map(|word| word.trim_end_matches(['.', ':']).to_lowercase());
        words
            .filter(|word| !word.is_empty() && word != "-")
            .collect()
    };
    let said: BTreeSet<String> = said
        .iter()
        .flat_map(|text| {
            words(&text.replace('-', " "))
                .into_iter()
                .chain(words(text))
        })
        .collect();
    let verbs = verb(clause).map_or(0, |(verb, _)| verb.split(' ').count());
    words(clause).iter().skip(verbs).all(|word| {
        let parts = word.split('-').filter(|part| !part.is_empty());
        let is_share = said.contains("share") && word.ends_with("share");
        is_share
            || FILLERS.contains(&word.as_str())
            || said.contains(word)
            || parts.into_iter().all(|part| said.contains(part))
    })
}

impl ArticleCommand {
    /// Returns the texts of a command that becomes a step by itself.
    fn said(&self) -> Option<Vec<String>> {
        let (mut said, on) = match self {
            ArticleCommand::Service { verb, services, on } => {
                let mut said = vec![verb.keyword().to_owned()];
                if let Services::Named(names) = services {
                    said.extend(names.iter().cloned());
                    let is_web = names.iter().any(|name| name == "IIS");
                    said.extend(is_web.then(|| "iisreset internet information".to_owned()));
                }
                (said, Some(on))
            }
            ArticleCommand::Copy { files, to, on } => {
                let mut said = files.said();
                said.push(to.clone());
                (said, Some(on))
            }
            ArticleCommand::Run { files, on } => (files.said(), Some(on)),
            ArticleCommand::Queue(_, Targets::Named(names)) => (names.clone(), None),
            ArticleCommand::Queue(_, Targets::Removed(part)) => {
                (part.iter().map(u32::to_string).collect(), None)
            }
            _ => return None,
        };
        said.extend(on.and_then(|on| on.role.clone()));
        Some(said)
    }
}

impl Files {
    fn said(&self) -> Vec<String> {
        match self {
            Files::Named(names) => names.clone(),
            Files::Following => Vec::new(),
        }
    }
}

/// Returns whether a text begins with a command of the console.
pub(super) fn is_command(text: &str) -> bool {
    clauses(text)
        .iter()
        .take(2)
        .any(|clause| verb(clause).is_some())
}

/// Words at the beginning of a clause that say only when it is done.
const ORDER_WORDS: [&str; 11] = [
    "and ",
    "Then ",
    "Next, ",
    "Finally, ",
    "Now, ",
    "Again, ",
    "again ",
    "Please ",
    "please ",
    "First, ",
    "then ",
];

fn command(clause: &str) -> ArticleCommand {
    let mut clause = clause;
    for word in ORDER_WORDS {
        clause = clause.strip_prefix(word).unwrap_or(clause);
    }
    let Some((verb, object)) = verb(clause) else {
        return context(clause);
    };
    let lower = object.to_lowercase();
    needless(verb, object, &lower)
        .or_else(|| on_servers(verb, object, &lower))
        .or_else(|| on_screen(verb, object, &lower))
        .unwrap_or_else(|| action(verb, object, &lower))
}

/// Returns a command that names the servers of others.
fn on_servers(verb: &str, object: &str, lower: &str) -> Option<ArticleCommand> {
    match verb {
        "go to" | "switch" | "connect" | "log on" | "log in" | "sign in" => {
            visited(object).map(ArticleCommand::Visit)
        }
        "do" if lower.starts_with("the same on ") => Some(repeat(object)),
        "do" | "perform" | "follow" => each_of(object).map(ArticleCommand::ForEach),
        "repeat" => Some(repeat(object)),
        _ => None,
    }
}

/// Returns a command for which the run needs no step.
fn needless(verb: &str, object: &str, lower: &str) -> Option<ArticleCommand> {
    let stays = [" as it is", " as they are", " unchanged"];
    let why = match verb {
        "keep"
            if ["copy", "backup", "old"]
                .iter()
                .any(|word| lower.contains(word)) =>
        {
            KEEPS_REPLACED
        }
        "keep" | "leave" if stays.iter().any(|stays| lower.contains(stays)) => CHANGES_NOTHING,
        "copy" | "move" if is_download(lower) => UNPACKED,
        "copy" | "move" if is_current_files(lower) => KEEPS_REPLACED,
        "open" | "launch" | "close" | "exit" | "quit" | "return" | "navigate" | "browse"
        | "view" | "locate" | "find" => NAVIGATES,
        "go to" | "switch" if visited(object).is_none() => NAVIGATES,
        "connect" | "log on" | "log in" | "sign in" if visited(object).is_none() => {
            "you are logged on already"
        }
        "press" if lower.len() <= 24 => NAVIGATES,
        "wait" => WAITS,
        "download" | "extract" | "unpack" | "unzip" => UNPACKED,
        "start" if opens_tool(object) => NAVIGATES,
        _ => return None,
    };
    Some(ArticleCommand::Needless(why))
}

/// Returns a command that selects something in a window.
fn on_screen(verb: &str, object: &str, lower: &str) -> Option<ArticleCommand> {
    let is_check_box = lower.starts_with("the check") || lower.starts_with("check box");
    Some(match verb {
        "expand" if targets::names_only_a_kind(object) => ArticleCommand::ExpandByKind,
        "expand" => ArticleCommand::Expand(path(object)),
        "right-click" | "right click" | "highlight" => {
            ArticleCommand::Point(targets::targets(object))
        }
        "select" if is_check_box => ArticleCommand::Unknown,
        "select" if is_command_name(lower) => ArticleCommand::Choose(menu(object)),
        "select" => ArticleCommand::Point(targets::targets(object)),
        "click" | "choose" | "point to" => ArticleCommand::Choose(menu(object)),
        "double-click" | "double click" if is_package(lower) => run(object),
        "double-click" | "double click" => ArticleCommand::Expand(path(object)),
        _ => return None,
    })
}

/// Returns a command that changes or checks something.
fn action(verb: &str, object: &str, lower: &str) -> ArticleCommand {
    match verb {
        "verify" | "confirm" | "check" | "make sure" | "ensure" | "review" => check(lower),
        "back up" | "backup" | "back them up" => backup(verb, lower),
        "make a" if lower.starts_with("backup") || lower.starts_with("copy") => backup(verb, lower),
        "start" => service(ServiceVerb::Start, object),
        "stop" | "shut down" => service(ServiceVerb::Stop, object),
        "restart" | "reset" | "recycle" => service(ServiceVerb::Restart, object),
        "disable" => service(ServiceVerb::Disable, object),
        "enable" => service(ServiceVerb::Enable, object),
        "copy" | "place" | "move" | "put" => copy(object),
        "type" | "enter" | "run" | "execute" | "use" => typed(verb, object),
        "install" | "reinstall" if is_package(lower) => run(object),
        "install" | "reinstall" => queue(QueuedAction::Install, object),
        "uninstall" | "remove" => queue(QueuedAction::Uninstall, object),
        "initialize" => queue(QueuedAction::Initialize, object),
        _ => ArticleCommand::Unknown,
    }
}

/// Returns the servers in "go to the X servers", "log on to each X server".
fn visited(object: &str) -> Option<ServerScope> {
    let object = object.strip_prefix("to ").unwrap_or(object);
    let has_determiner = ["the ", "each ", "every ", "all ", "both ", "one "]
        .iter()
        .any(|word| object.starts_with(word));
    let on = ServerScope::of(&format!("on {object}"));
    (has_determiner && on.role.is_some()).then_some(on)
}

/// Returns whether an object is the download, as in "the unpacked download": its destination is the
/// operator's choice, and it is not a part of the product.
fn is_download(lower: &str) -> bool {
    let object = lower.split(" to ").next().unwrap_or_default();
    let whole = ["download", "rollup", "update", "package"]
        .iter()
        .any(|word| object.ends_with(word));
    whole
        && !object.contains('.')
        && [" place", " location", " temporary"]
            .iter()
            .any(|word| lower.contains(word))
}

/// Returns whether an object is the current files, as in "the present versions of the files".
fn is_current_files(lower: &str) -> bool {
    let object = lower.split(" to ").next().unwrap_or_default();
    ["present ", "current ", "existing ", "old "]
        .iter()
        .any(|word| object.contains(word))
        && ["version", "file", "installer", "package"]
            .iter()
            .any(|word| object.contains(word))
}

/// Reads the words before the verb.
fn context(clause: &str) -> ArticleCommand {
    let lower = clause.to_lowercase();
    let first = lower.split(' ').next().unwrap_or_default();
    let on = ServerScope::of(&format!("on {}", after_word(clause)));
    // Every copy replaces a file of the same name.
    if lower.contains("same name") && lower.contains("overwritten") {
        return ArticleCommand::Needless(KEEPS_REPLACED);
    }
    ArticleCommand::Context(match first {
        "to" if ["to do this", "to do so", "to do that"].contains(&lower.as_str()) => {
            ClauseContext::How
        }
        "in" | "for" if is_box(&lower) => ClauseContext::Box(box_name(after_word(clause))),
        "on" | "at" | "from" | "for" if on.role.is_some() => ClauseContext::Servers(on),
        "under" | "below" | "beneath" => ClauseContext::Under(targets::name(after_word(clause))),
        "in" if ["tool", "console", "window", "manager", "snap-in"]
            .iter()
            .any(|word| lower.ends_with(word)) =>
        {
            ClauseContext::Tool
        }
        "if" | "unless" if lower.contains("prompted") || lower.contains("asked") => {
            ClauseContext::Other
        }
        "if" if ["message", "warning", "dialog"]
            .iter()
            .any(|word| lower.contains(word)) =>
        {
            ClauseContext::Message
        }
        "after" | "when" | "once"
            if ["done", "finish", "complete"]
                .iter()
                .any(|end| lower.contains(end)) =>
        {
            ClauseContext::Other
        }
        "if" | "unless" | "only" | "after" | "when" | "once" | "as" | "by" | "using" | "while"
        | "before" | "with" | "for" => ClauseContext::If,
        "on" | "in" | "at" | "from" | "to" | "next" | "then" | "finally" | "now" | "again"
        | "first" => ClauseContext::Other,
        _ => return ArticleCommand::Unknown,
    })
}

fn after_word(text: &str) -> &str {
    text.split_once(' ').map_or("", |(_, rest)| rest)
}

/// Returns nodes one below the other: "A, B, and C", `A > B`, `A\B`.
fn path(object: &str) -> Vec<String> {
    let object = without_position(object);
    for separator in [" -> ", " > ", "\\"] {
        if object.contains(separator) {
            return object
                .split(separator)
                .map(targets::name)
                .filter(|name| !name.is_empty())
                .collect();
        }
    }
    targets::names(object)
}

/// Returns an object without the words that locate it on the screen.
fn without_position(object: &str) -> &str {
    [" in the ", " under the "]
        .iter()
        .fold(object, |object, word| match object.split_once(word) {
            Some((before, rest))
                if ["tree", "pane", "tool", "console", "window"]
                    .iter()
                    .any(|end| rest.ends_with(end)) =>
            {
                before
            }
            _ => object,
        })
}

/// Returns the words of a menu, without those for its kind.
fn menu(object: &str) -> String {
    let name = object.trim_end_matches(['.', ':']).trim();
    let name = name.strip_prefix("the ").unwrap_or(name);
    let name = name
        .strip_suffix(" button")
        .or_else(|| name.strip_suffix(" command"))
        .unwrap_or(name);
    name.trim_matches(['"', '\'', '*', ' ']).to_owned()
}

/// Returns whether a menu of this console has such a command.
fn is_command_name(lower: &str) -> bool {
    ["uninstall", "install", "execute", "start deployment"]
        .iter()
        .any(|name| lower.starts_with(name))
}

fn is_package(lower: &str) -> bool {
    lower.contains(".msi")
        || lower.contains("following installer")
        || lower.contains("following package")
}

/// Returns whether "start X" only opens a tool.
fn opens_tool(object: &str) -> bool {
    let lower = targets::without_role(object)
        .trim_end_matches('.')
        .to_lowercase();
    [
        "tool",
        "console",
        "manager",
        "snap-in",
        "services",
        "management",
        "explorer",
        "prompt",
        "wizard",
        "editor",
        "panel",
        "window",
        "shell",
        "utility",
    ]
    .iter()
    .any(|end| lower.ends_with(end))
        && !lower.ends_with("information services")
        && !(lower.ends_with(" services")
            && lower != "component services"
            && (lower.starts_with("the ") || lower.contains("following")))
}

fn service(verb: ServiceVerb, object: &str) -> ArticleCommand {
    let on = ServerScope::of(object);
    let object = targets::without_role(object);
    let lower = object.to_lowercase();
    let machine = [
        "the computer",
        "the server",
        "each server",
        "every server",
        "all servers",
        "each computer",
        "the computers",
        "the servers",
        "your computer",
    ];
    if object.is_empty() || machine.iter().any(|machine| lower.starts_with(machine)) {
        return ArticleCommand::Unknown;
    }
    if lower.contains("following") {
        return ArticleCommand::Service {
            verb,
            services: Services::Following,
            on,
        };
    }
    let services = targets::services(object);
    let is_kind = lower.trim_end_matches('.').ends_with(" services")
        && services.len() == 1
        && services[0] != "IIS";
    let has_kind = [" service", " application", "iis", "_", "\""]
        .iter()
        .any(|word| lower.contains(word));
    let is_called = has_kind || services.iter().all(|name| is_short_name(name));
    if is_kind || !is_called {
        return ArticleCommand::Unknown;
    }
    // A service has a name, not a description.
    let named = !services.is_empty()
        && services.iter().all(|name| {
            name.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
                || is_short_name(name)
        })
        && services.iter().all(|name| name.split(' ').count() <= 8);
    match named {
        true => ArticleCommand::Service {
            verb,
            services: Services::Named(services),
            on,
        },
        false => ArticleCommand::Unknown,
    }
}

/// Returns whether a name is the short name of a service, such as `w3svc`.
fn is_short_name(name: &str) -> bool {
    !name.contains(' ') && name.bytes().any(|byte| byte.is_ascii_digit())
}

fn queue(kind: QueuedAction, object: &str) -> ArticleCommand {
    match targets::targets(targets::without_role(object)) {
        Targets::Named(names)
            if !names
                .iter()
                .all(|name| name.starts_with(char::is_uppercase)) =>
        {
            let again = object.to_lowercase();
            match kind == QueuedAction::Install
                && (again.contains("again") || again.contains("uninstalled"))
            {
                true => ArticleCommand::Queue(kind, Targets::Removed(None)),
                false => ArticleCommand::Unknown,
            }
        }
        found => ArticleCommand::Queue(kind, found),
    }
}

fn check(lower: &str) -> ArticleCommand {
    let result = [
        "install", "deploy", "succe", "complete", "version", "state", "status", "verified",
        "running", "started", "copied",
    ];
    let before = [
        "no user",
        "users are",
        "backup",
        "backed",
        "permission",
        "member",
        "account",
    ];
    match result.iter().any(|word| lower.contains(word))
        && !before.iter().any(|word| lower.contains(word))
    {
        true => ArticleCommand::Needless(CHECKS_RESULT),
        false => ArticleCommand::Unknown,
    }
}

fn backup(verb: &str, lower: &str) -> ArticleCommand {
    let other = [
        "database",
        "registry",
        "system state",
        "active directory",
        "configuration",
        "the server",
        "mailbox",
    ];
    let files = [
        "file",
        "them",
        "installer",
        "folder",
        "share",
        "package",
        ".msi",
        "component",
    ];
    let is_of_files = verb == "back them up" || files.iter().any(|word| lower.contains(word));
    match is_of_files && !other.iter().any(|word| lower.contains(word)) {
        true => ArticleCommand::Needless(KEEPS_REPLACED),
        false => ArticleCommand::Unknown,
    }
}

fn repeat(object: &str) -> ArticleCommand {
    let on = ServerScope::of(object);
    match on.role.is_some() || on.unclear {
        true => ArticleCommand::Repeat { on },
        false => ArticleCommand::Unknown,
    }
}

fn copy(object: &str) -> ArticleCommand {
    let on = ServerScope::of(object);
    let bare = targets::without_role(object);
    let place = [" to the ", " into the ", " in the ", " to ", " into "];
    let Some((at, length)) = place
        .iter()
        .filter_map(|word| bare.rfind(word).map(|at| (at, word.len())))
        .max_by_key(|(at, length)| (at + length, *length))
    else {
        return ArticleCommand::Unknown;
    };
    let (source, to) = (&bare[..at], &bare[at + length..]);
    let source = source
        .split_once(" from ")
        .map_or(source, |(source, _)| source);
    match (files(source), directory(to)) {
        (Some(files), Some(to)) => ArticleCommand::Copy { files, to, on },
        _ => ArticleCommand::Unknown,
    }
}

/// Returns the files that an object means.
fn files(object: &str) -> Option<Files> {
    let lower = object.to_lowercase();
    let listed = [
        "following",
        "listed below",
        "these files",
        "these packages",
        "these installers",
    ];
    if listed.iter().any(|word| lower.contains(word)) {
        return Some(Files::Following);
    }
    let named = named_files(object);
    (!named.is_empty()).then_some(Files::Named(named))
}

/// Returns every word that is the name of a file.
fn named_files(text: &str) -> Vec<String> {
    text.split([',', ' ', '"', ';'])
        .map(|word| word.trim_matches(['(', ')', '\'']))
        .filter(|word| {
            word.rfind('.')
                .is_some_and(|dot| dot > 0 && (2..=6).contains(&(word.len() - dot - 1)))
        })
        .map(str::to_owned)
        .collect()
}

/// Returns a directory that is given by words or by its path: `share` for the installer share.
fn directory(to: &str) -> Option<String> {
    let to = to.trim_end_matches(['.', ':', ',']).trim();
    // The words after a comma describe the purpose of the directory.
    let to = to.split_once(", ").map_or(to, |(to, _)| to);
    let to = ["the ", "folder ", "directory "]
        .iter()
        .fold(to, |to, word| to.strip_prefix(word).unwrap_or(to));
    let to = ["folder", "directory"]
        .iter()
        .fold(to, |to, word| to.strip_suffix(word).unwrap_or(to))
        .trim_matches([' ', '"', '\'']);
    let lower = to.to_lowercase();
    if lower.ends_with("share")
        || lower.contains("installer files")
        || lower.contains("installation files")
    {
        return Some("share".to_owned());
    }
    // A drive is dropped and a variable for a system directory refused: neither means anything
    // below `Files`.
    let path = to
        .split_once(":\\")
        .map_or(to, |(_, path)| path)
        .replace('\\', "/");
    let path = path.trim_matches('/').to_owned();
    // "A folder on the server" is any.
    const ANY: [&str; 12] = [
        "a",
        "an",
        "any",
        "another",
        "each",
        "same",
        "this",
        "that",
        "its",
        "your",
        "new",
        "appropriate",
    ];
    if path
        .split(' ')
        .next()
        .is_some_and(|word| ANY.contains(&word.to_lowercase().as_str()))
    {
        return None;
    }
    let odd = path.contains(['%', ':', '*', '?', '<', '>', '|', '"'])
        || path.split('/').any(|part| part.is_empty() || part == "..");
    (!path.is_empty() && !odd && path.split(' ').count() <= 8).then_some(path)
}

fn run(object: &str) -> ArticleCommand {
    let on = ServerScope::of(object);
    match files(targets::without_role(object)) {
        Some(Files::Named(files))
            if !files
                .iter()
                .all(|file| file.to_lowercase().ends_with(".msi")) =>
        {
            ArticleCommand::Unknown
        }
        Some(files @ (Files::Named(_) | Files::Following)) => ArticleCommand::Run { files, on },
        _ => ArticleCommand::Unknown,
    }
}

/// Reads a command that is typed at a prompt, or run.
fn typed(verb: &str, object: &str) -> ArticleCommand {
    let on = ServerScope::of(object);
    let line = targets::without_role(object)
        .replace('"', "")
        .to_lowercase();
    let line = line
        .trim_start_matches("the ")
        .trim_start_matches("following command: ");
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().trim_end_matches(".exe");
    let rest = line
        .split_once(' ')
        .map_or("", |(_, rest)| rest)
        .trim()
        .trim_end_matches(" command");
    let service = |verb, name: &str| ArticleCommand::Service {
        verb,
        services: Services::Named(vec![spelled(object, name)]),
        on: on.clone(),
    };
    match first {
        "iisreset" if rest.contains("/stop") => service(ServiceVerb::Stop, "IIS"),
        "iisreset" if rest.contains("/start") => service(ServiceVerb::Start, "IIS"),
        "iisreset" => service(ServiceVerb::Restart, "IIS"),
        "net" | "sc" => match rest.split_once(' ') {
            Some(("stop", name)) => service(ServiceVerb::Stop, name),
            Some(("start", name)) => service(ServiceVerb::Start, name),
            _ => ArticleCommand::Unknown,
        },
        "restart-service" => service(ServiceVerb::Restart, rest),
        "stop-service" => service(ServiceVerb::Stop, rest),
        "start-service" => service(ServiceVerb::Start, rest),
        // These open a window when typed into the Run box of the Start menu.
        "cmd" | "dcomcnfg" | "services.msc" | "regedit" | "mmc" if rest.is_empty() => {
            ArticleCommand::Needless(NAVIGATES)
        }
        _ if verb == "run" && is_package(line) => run(object),
        _ if verb == "type" || verb == "enter" => into_box(object),
        _ => ArticleCommand::Unknown,
    }
}

/// Returns the names in "the following for A and for B".
fn each_of(object: &str) -> Option<Vec<String>> {
    const STARTS: [&str; 4] = [
        "the following for ",
        "this for ",
        "these steps for ",
        "the following steps for ",
    ];
    let names = STARTS.iter().find_map(|start| object.strip_prefix(start))?;
    let names: Vec<String> = names.split(" and for ").flat_map(targets::names).collect();
    // "for each component" names none.
    let named = names
        .iter()
        .all(|name| name.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()));
    (named && !names.is_empty()).then_some(names)
}

fn is_box(lower: &str) -> bool {
    [" box", " field"].iter().any(|end| lower.ends_with(end))
}

fn box_name(text: &str) -> String {
    let name = targets::name(text);
    let ends = [" text box", " box", " field"];
    ends.iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name)
        .trim_matches(['"', '\''])
        .to_owned()
}

/// Reads a value that is typed literally: one word, or words in quotation marks.
fn into_box(object: &str) -> ArticleCommand {
    let (value, into) = match object
        .split_once(" in the ")
        .or_else(|| object.split_once(" into the "))
    {
        Some((value, name)) if is_box(&name.to_lowercase()) => (value, Some(box_name(name))),
        Some(_) => return ArticleCommand::Unknown,
        None => (object, None),
    };
    let bare = value
        .trim()
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    let literal = bare.unwrap_or(value.trim());
    // "<name of your server>" is not a value.
    let known = !literal.is_empty()
        && !literal.contains(['<', '>', '"'])
        && (bare.is_some() || !literal.contains(' '));
    match known {
        true => ArticleCommand::Type {
            value: literal.to_owned(),
            into,
        },
        false => ArticleCommand::Unknown,
    }
}

/// Returns a name as the article spells it.
fn spelled(object: &str, lower: &str) -> String {
    let at = object.to_lowercase().find(lower);
    let name = at
        .and_then(|at| object.get(at..at + lower.len()))
        .unwrap_or(lower);
    name.trim_matches(['"', '\'', ' ', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(sentence: &str) -> ArticleCommand {
        let found = commands(sentence);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().expect("there is one")
    }

    fn on(role: &str) -> ServerScope {
        ServerScope {
            role: Some(role.to_owned()),
            ..ServerScope::default()
        }
    }

    fn services(names: &[&str]) -> Services {
        Services::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn services_are_changed_in_many_words() {
        for (sentence, verb, service, role) in [
            (
                "Restart the Gear Engine service on each engine server.",
                ServiceVerb::Restart,
                "Gear Engine",
                "engine",
            ),
            (
                "Restart IIS on every web server",
                ServiceVerb::Restart,
                "IIS",
                "web",
            ),
            (
                "Run iisreset on the Front End servers.",
                ServiceVerb::Restart,
                "IIS",
                "front-end",
            ),
            (
                "Type net stop W3SVC on the web servers",
                ServiceVerb::Stop,
                "W3SVC",
                "web",
            ),
            (
                "Disable the Gear Engine application on the MPS Engine servers",
                ServiceVerb::Disable,
                "Gear Engine",
                "mps-engine",
            ),
        ] {
            assert_eq!(
                one(sentence),
                ArticleCommand::Service {
                    verb,
                    services: services(&[service]),
                    on: on(role)
                },
                "{sentence}"
            );
        }
        assert_eq!(one("Restart the computer."), ArticleCommand::Unknown);
        assert_eq!(
            one("Start Component Services."),
            ArticleCommand::Needless(NAVIGATES)
        );
        assert_eq!(
            one("Start the Gear Deployment tool."),
            ArticleCommand::Needless(NAVIGATES)
        );
    }

    #[test]
    fn files_are_copied_and_run() {
        let named =
            |names: &[&str]| Files::Named(names.iter().map(|name| (*name).to_owned()).collect());
        for (sentence, files, to, role) in [
            (
                "Copy the following files from the update to the InstallShare folder:",
                Files::Following,
                "share",
                None,
            ),
            (
                "Copy a.msi and b.dll to the installer share.",
                named(&["a.msi", "b.dll"]),
                "share",
                None,
            ),
            (
                "Copy a.dll and b.dll to the folder Gear\\Plugins",
                named(&["a.dll", "b.dll"]),
                "Gear/Plugins",
                None,
            ),
            (
                "Copy these files to GearShare, the share of the installers.",
                Files::Following,
                "share",
                None,
            ),
        ] {
            let on = ServerScope {
                role: role.map(str::to_owned),
                ..ServerScope::default()
            };
            assert_eq!(
                one(sentence),
                ArticleCommand::Copy {
                    files,
                    to: to.to_owned(),
                    on
                },
                "{sentence}"
            );
        }
        assert_eq!(
            one("Run Client.msi on each mail server."),
            ArticleCommand::Run {
                files: named(&["Client.msi"]),
                on: on("mail")
            }
        );
        for sentence in [
            "Copy all files except the traces to the GearShare folder",
            "Copy the remaining files to the Gear folder on each web server.",
            "Copy all .msi files to the GearShare folder",
        ] {
            assert_eq!(one(sentence), ArticleCommand::Unknown, "{sentence}");
        }
        assert_eq!(
            one("Run Setup.exe on each mail server."),
            ArticleCommand::Unknown
        );
    }

    #[test]
    fn servers_are_those_of_a_visit() {
        for (sentence, role, platform) in [
            (
                "Log on to each wheel server that runs a 64-bit edition.",
                "wheel",
                Some("x64"),
            ),
            ("Go to the wheel servers", "wheel", None),
        ] {
            assert_eq!(
                one(sentence),
                ArticleCommand::Visit(ServerScope {
                    platform,
                    ..on(role)
                }),
                "{sentence}"
            );
        }
        let [
            ArticleCommand::Context(ClauseContext::Message),
            ArticleCommand::Choose(button),
        ] = &commands("If a message appears, click Yes.")[..]
        else {
            panic!("a message, and a button")
        };
        assert_eq!(button, "Yes");
        assert!(matches!(
            one("Do the same on every other wheel server."),
            ArticleCommand::Repeat { .. }
        ));
    }

    #[test]
    fn work_that_rollup_does_itself_needs_no_step() {
        for sentence in [
            "Back up the files in the share",
            "Open the InstallShare folder",
            "Wait until the deployment is finished",
            "Extract the package",
            "Copy the unpacked download to a place that all servers can read",
            "Move the present versions of the files to another folder",
            "Keep a copy of the old ones",
            "Files of the same name are to be overwritten",
            "Leave the Gear Provider as it is",
        ] {
            assert!(
                matches!(one(sentence), ArticleCommand::Needless(_)),
                "{sentence}"
            );
        }
        for sentence in [
            "Back up the configuration database",
            "Make sure that no users are connected",
            "Dance",
        ] {
            assert_eq!(one(sentence), ArticleCommand::Unknown, "{sentence}");
        }
    }
}
