//! Conversion of clauses, each a verb and its object, to commands.

use std::collections::BTreeSet;

use super::clauses::{clauses, verb};
use super::targets::{self, Targets};
use super::text::{LazyPattern, begins, behind, ends, has, is, pattern, without_start};
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
    /// Does something on servers that becomes a step by itself.
    Act(Act, Objects, ServerScope),
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

/// Action on servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Service(ServiceVerb),
    /// Copies files to this directory.
    Copy(String),
    Run,
}

/// Services or files that an action is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Objects {
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
        let is_about = role.is_some() || targets::is_about_servers(text);
        let servers = match &text[targets::without_role(text).len()..] {
            "" => text,
            servers => servers,
        };
        Self {
            unclear: role.is_none() && is_about,
            platform: targets::platform(servers).filter(|_| is_about),
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
const LOGGED_ON: &str = "you are logged on already";

/// Returns the commands of a sentence.
pub(super) fn commands(sentence: &str) -> Vec<ArticleCommand> {
    let mut commands = Vec::new();
    for clause in clauses(sentence) {
        let command = command(&clause);
        commands.push(match is_consumed(&clause, &command) {
            true => command,
            false => ArticleCommand::Unknown,
        });
    }
    commands
}

/// Words of a clause that say nothing beside its command.
const FILLERS: &str = "a|again|all|and|any|application|applications|at|below|both|called|client|com+|\
    command|component|components|computer|computers|directory|download|each|edition|engine|every|\
    everything|executable|file|files|first|fix|folder|following|from|has|have|host|hosts|hotfix|in|\
    information|installer|installers|into|item|items|it|its|listed|machine|machines|msi|name|named|\
    namespace|namespaces|new|node|nodes|now|of|on|one|operating|other|package|packages|please|\
    procedure|prompt|provider|providers|remaining|rest|rollup|run|running|runs|script|server|servers|\
    service|services|share|step|system|that|the|their|them|then|there|these|they|this|to|tool|console|\
    uninstalled|removed|unpacked|update|were|was|which|windows|with|you|your|part|net|sc|same|x64|x86|\
    64-bit|32-bit|amd64|instead|web|where";

static WORD: LazyPattern = LazyPattern::new(|| pattern(r#"[^\s,;"()/\\']+"#));

/// Returns the words of a text in lower case, without drives.
fn words(text: &str) -> Vec<String> {
    let words = WORD.find_iter(text).map(|word| word.as_str());
    let words = words.filter(|word| !(word.len() == 2 && word.ends_with(':')));
    words
        .map(|word| word.trim_end_matches(['.', ':']).to_lowercase())
        .filter(|word| !is(word, "|-"))
        .collect()
}

/// Returns whether the command says every word of its clause. A clause that says more, such as a
/// condition or a second target, is left to a person.
fn is_consumed(clause: &str, command: &ArticleCommand) -> bool {
    let Some(said) = command.said() else {
        return true;
    };
    let said: BTreeSet<String> = [words(&said), words(&said.replace('-', " "))]
        .into_iter()
        .flatten()
        .collect();
    let verbs = verb(clause).map_or(0, |(verb, _)| verb.split(' ').count());
    words(clause).iter().skip(verbs).all(|word| {
        is(word, FILLERS)
            || said.contains(word)
            || said.contains("share") && word.ends_with("share")
            || word
                .split('-')
                .all(|part| part.is_empty() || said.contains(part))
    })
}

impl ArticleCommand {
    /// Returns the texts of a command that becomes a step by itself.
    fn said(&self) -> Option<String> {
        let mut said = match self {
            ArticleCommand::Act(_, Objects::Named(names), _)
            | ArticleCommand::Queue(_, Targets::Named(names)) => names.join(" "),
            ArticleCommand::Act(_, Objects::Following, _) => String::new(),
            ArticleCommand::Queue(_, Targets::Removed(part)) => part.unwrap_or(0).to_string(),
            _ => return None,
        };
        if let ArticleCommand::Act(act, _, on) = self {
            let more = match act {
                Act::Service(verb) if said == "IIS" => {
                    &format!("{} iisreset internet information", verb.keyword())
                }
                Act::Service(verb) => verb.keyword(),
                Act::Copy(to) => to,
                Act::Run => "",
            };
            let role = on.role.as_deref().unwrap_or_default();
            said = format!("{said} {more} {role}");
        }
        Some(said)
    }
}

/// Returns whether a text begins with a command of the console.
pub(super) fn is_command(text: &str) -> bool {
    let clauses = clauses(text);
    clauses.iter().take(2).any(|clause| verb(clause).is_some())
}

/// Words at the beginning of a clause that say only when it is done.
const ORDER_WORDS: &str =
    "and |Then |Next, |Finally, |Now, |Again, |again |Please |please |First, |then ";

fn command(clause: &str) -> ArticleCommand {
    let clause = without_start(clause, ORDER_WORDS);
    let Some((verb, object)) = verb(clause) else {
        return context(clause);
    };
    let lower = object.to_lowercase();
    needless(verb, object, &lower)
        .map(ArticleCommand::Needless)
        .or_else(|| on_screen(verb, object, &lower))
        .unwrap_or_else(|| action(verb, object, &lower))
}

/// Returns the reason why a run needs no step for a command.
fn needless(verb: &str, object: &str, lower: &str) -> Option<&'static str> {
    Some(match verb {
        "keep" if has(lower, "copy|backup|old") => KEEPS_REPLACED,
        "keep" | "leave" if has(lower, " as it is| as they are| unchanged") => CHANGES_NOTHING,
        "copy" | "move" if is_download(lower) => UNPACKED,
        "copy" | "move" if is_current_files(lower) => KEEPS_REPLACED,
        "open" | "launch" | "close" | "exit" | "quit" | "return" | "navigate" | "browse"
        | "view" | "locate" | "find" => NAVIGATES,
        "go to" | "switch" if visited(object).is_none() => NAVIGATES,
        "connect" | "log on" | "log in" | "sign in" if visited(object).is_none() => LOGGED_ON,
        "press" if lower.len() <= 24 => NAVIGATES,
        "wait" => WAITS,
        "download" | "extract" | "unpack" | "unzip" => UNPACKED,
        "start" if opens_tool(object) => NAVIGATES,
        "verify" | "confirm" | "check" | "make sure" | "ensure" | "review"
            if has(
                lower,
                "install|deploy|succe|complete|version|state|status|verified|running|started|copied",
            ) && !has(
                lower,
                "no user|users are|backup|backed|permission|member|account",
            ) =>
        {
            CHECKS_RESULT
        }
        "back up" | "backup" | "back them up" if verb == "back them up" || is_of_files(lower) => {
            KEEPS_REPLACED
        }
        "make a" if begins(lower, "backup|copy") && is_of_files(lower) => KEEPS_REPLACED,
        _ => return None,
    })
}

/// Returns whether a backup is one of files, which a run keeps itself.
fn is_of_files(lower: &str) -> bool {
    has(
        lower,
        "file|them|installer|folder|share|package|.msi|component",
    ) && !has(
        lower,
        "database|registry|system state|active directory|configuration|the server|mailbox",
    )
}

/// Returns a command that selects something in a window.
fn on_screen(verb: &str, object: &str, lower: &str) -> Option<ArticleCommand> {
    Some(match verb {
        "expand" if object.is_empty() => ArticleCommand::Unknown,
        "expand" if targets::names_only_a_kind(object) => ArticleCommand::ExpandByKind,
        "double-click" | "double click" if is_package(lower) => run(object),
        "expand" | "double-click" | "double click" => ArticleCommand::Expand(path(object)),
        "select" if begins(lower, "the check|check box") => ArticleCommand::Unknown,
        "select" if begins(lower, "uninstall|install|execute|start deployment") => {
            ArticleCommand::Choose(menu(object))
        }
        "right-click" | "right click" | "highlight" | "select" => {
            ArticleCommand::Point(targets::targets(object))
        }
        "click" | "choose" | "point to" => ArticleCommand::Choose(menu(object)),
        _ => return None,
    })
}

/// Returns a command that changes something.
fn action(verb: &str, object: &str, lower: &str) -> ArticleCommand {
    if let Some(verb) = service_verb(verb) {
        return service(verb, object);
    }
    match verb {
        "go to" | "switch" | "connect" | "log on" | "log in" | "sign in" => {
            visited(object).map_or(ArticleCommand::Unknown, ArticleCommand::Visit)
        }
        "do" | "repeat" if verb == "repeat" || lower.starts_with("the same on ") => {
            let on = ServerScope::of(object);
            match on.role.is_some() || on.unclear {
                true => ArticleCommand::Repeat { on },
                false => ArticleCommand::Unknown,
            }
        }
        "do" | "perform" | "follow" => {
            each_of(object).map_or(ArticleCommand::Unknown, ArticleCommand::ForEach)
        }
        "copy" | "place" | "move" | "put" => copy(object).unwrap_or(ArticleCommand::Unknown),
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
    let on = ServerScope::of(&format!("on {object}"));
    let is_visit = begins(object, "the |each |every |all |both |one ") && on.role.is_some();
    is_visit.then_some(on)
}

/// Returns whether an object is the download, as in "the unpacked download": its destination is the
/// operator's choice, and it is not a part of the product.
fn is_download(lower: &str) -> bool {
    let object = lower.split(" to ").next().unwrap_or_default();
    ends(object, "download|rollup|update|package")
        && !object.contains('.')
        && has(lower, " place| location| temporary")
}

/// Returns whether an object is the current files, as in "the present versions of the files".
fn is_current_files(lower: &str) -> bool {
    let object = lower.split(" to ").next().unwrap_or_default();
    has(object, "present |current |existing |old ") && has(object, "version|file|installer|package")
}

/// Reads the words before the verb.
fn context(clause: &str) -> ArticleCommand {
    let lower = clause.to_lowercase();
    let rest = clause.split_once(' ').map_or("", |(_, rest)| rest);
    let on = ServerScope::of(&format!("on {rest}"));
    // Every copy replaces a file of the same name.
    if lower.contains("same name") && lower.contains("overwritten") {
        return ArticleCommand::Needless(KEEPS_REPLACED);
    }
    ArticleCommand::Context(match lower.split(' ').next().unwrap_or_default() {
        "to" if is(&lower, "to do this|to do so|to do that") => ClauseContext::How,
        "in" | "for" if ends(&lower, " box| field") => ClauseContext::Box(box_name(rest)),
        "on" | "at" | "from" | "for" if on.role.is_some() => ClauseContext::Servers(on),
        "under" | "below" | "beneath" => ClauseContext::Under(targets::name(rest)),
        "in" if ends(&lower, "tool|console|window|manager|snap-in") => ClauseContext::Tool,
        "if" | "unless" if has(&lower, "prompted|asked") => ClauseContext::Other,
        "if" if has(&lower, "message|warning|dialog") => ClauseContext::Message,
        "after" | "when" | "once" if has(&lower, "done|finish|complete") => ClauseContext::Other,
        "if" | "unless" | "only" | "after" | "when" | "once" | "as" | "by" | "using" | "while"
        | "before" | "with" | "for" => ClauseContext::If,
        "on" | "in" | "at" | "from" | "to" | "next" | "then" | "finally" | "now" | "again"
        | "first" => ClauseContext::Other,
        _ => return ArticleCommand::Unknown,
    })
}

/// Words that locate an object on the screen.
static POSITION: LazyPattern =
    LazyPattern::new(|| pattern(r" (?:in|under) the .*(?:tree|pane|tool|console|window)$"));

/// Returns nodes one below the other: "A, B, and C", `A > B`, `A\B`.
fn path(object: &str) -> Vec<String> {
    let object = POSITION.replace(object, "");
    for separator in [" -> ", " > ", "\\"] {
        if object.contains(separator) {
            let names = object.split(separator).map(targets::name);
            return names.filter(|name| !name.is_empty()).collect();
        }
    }
    targets::names(&object)
}

/// Returns the words of a menu, without those for its kind.
fn menu(object: &str) -> String {
    let name = object.trim_end_matches(['.', ':']).trim();
    let name = name.strip_prefix("the ").unwrap_or(name);
    let name = name.strip_suffix(" button").unwrap_or(name);
    let name = name.strip_suffix(" command").unwrap_or(name);
    name.trim_matches(['"', '\'', '*', ' ']).to_owned()
}

fn is_package(lower: &str) -> bool {
    has(lower, ".msi|following installer|following package")
}

/// Returns whether "start X" only opens a tool.
fn opens_tool(object: &str) -> bool {
    let lower = targets::without_role(object).to_lowercase();
    let lower = lower.trim_end_matches('.');
    let tools = "tool|console|manager|snap-in|management|explorer|prompt|wizard|editor|panel|window|shell|utility";
    let are_services = lower.ends_with(" services")
        && lower != "component services"
        && (lower.starts_with("the ") || has(lower, "following|information services"));
    ends(lower, tools) || lower.ends_with("services") && !are_services
}

/// Returns the change of a service that a word commands.
pub(super) fn service_verb(lower: &str) -> Option<ServiceVerb> {
    Some(match lower {
        "stop" | "shut down" | "shutdown" => ServiceVerb::Stop,
        "start" => ServiceVerb::Start,
        "restart" | "reset" | "recycle" => ServiceVerb::Restart,
        "disable" => ServiceVerb::Disable,
        "enable" => ServiceVerb::Enable,
        _ => return None,
    })
}

fn service(verb: ServiceVerb, object: &str) -> ArticleCommand {
    let on = ServerScope::of(object);
    let object = targets::without_role(object);
    let lower = object.to_lowercase();
    let machines =
        "the computer|the server|each server|every server|all servers|each computer|your computer";
    if object.is_empty() || begins(&lower, machines) {
        return ArticleCommand::Unknown;
    }
    if lower.contains("following") {
        return ArticleCommand::Act(Act::Service(verb), Objects::Following, on);
    }
    let names = targets::services(object);
    let is_kind =
        lower.trim_end_matches('.').ends_with(" services") && names.len() == 1 && names[0] != "IIS";
    // Such as `w3svc`.
    let is_short =
        |name: &String| !name.contains(' ') && name.contains(|c: char| c.is_ascii_digit());
    let is_called = has(&lower, " service| application|iis|_|\"") || names.iter().all(is_short);
    // A service has a name, not a description.
    let is_name = |name: &String| {
        let is_capital = name.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
        (is_capital || is_short(name)) && name.split(' ').count() <= 8
    };
    match is_called && !is_kind && !names.is_empty() && names.iter().all(is_name) {
        true => ArticleCommand::Act(Act::Service(verb), Objects::Named(names), on),
        false => ArticleCommand::Unknown,
    }
}

fn queue(kind: QueuedAction, object: &str) -> ArticleCommand {
    let is_again = has(&object.to_lowercase(), "again|uninstalled");
    let is_name = |name: &String| name.starts_with(char::is_uppercase);
    match targets::targets(targets::without_role(object)) {
        Targets::Named(names) if names.is_empty() || !names.iter().all(is_name) => {
            match kind == QueuedAction::Install && is_again {
                true => ArticleCommand::Queue(kind, Targets::Removed(None)),
                false => ArticleCommand::Unknown,
            }
        }
        found => ArticleCommand::Queue(kind, found),
    }
}

/// Files and their directory; of several prepositions, the last one.
static COPIED: LazyPattern =
    LazyPattern::new(|| pattern(r"^(.*) (?:(?:to|into)(?: the)?|in the) (.*)$"));

fn copy(object: &str) -> Option<ArticleCommand> {
    let on = ServerScope::of(object);
    let found = COPIED.captures(targets::without_role(object))?;
    let source = found[1].split(" from ").next()?;
    let act = Act::Copy(directory(&found[2])?);
    Some(ArticleCommand::Act(act, files(source)?, on))
}

static FILE: LazyPattern = LazyPattern::new(|| pattern(r"^.+\.[^.]{2,6}$"));

/// Returns the files that an object means.
fn files(object: &str) -> Option<Objects> {
    let listed = "following|listed below|these files|these packages|these installers";
    if has(&object.to_lowercase(), listed) {
        return Some(Objects::Following);
    }
    let words = object.split([',', ' ', '"', ';']);
    let words = words.map(|word| word.trim_matches(['(', ')', '\'']));
    let named = words.filter(|word| FILE.is_match(word)).map(str::to_owned);
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then_some(Objects::Named(named))
}

/// Name of a directory, or its path. A variable for a system directory means nothing there.
static DIRECTORY: LazyPattern = LazyPattern::new(|| {
    pattern(
        r#"^(?:[A-Za-z]:\\)?((?:[^\\/:*?"<>|%. ][^\\/:*?"<>|%]*[\\/])*[^\\/:*?"<>|%. ][^\\/:*?"<>|% ]*)[\\/]?$"#,
    )
});

/// Words that name no directory: "a folder on the server" is any.
const NO_NAME: &str = "a|an|any|another|each|same|this|that|its|your|new|appropriate";

/// Returns the directory that a text names; `share` for the installer share.
fn directory(to: &str) -> Option<String> {
    // The words after a comma describe the purpose of the directory.
    let to = to.split(", ").next()?.trim_end_matches(['.', ':', ',']);
    let to = without_start(to, "folder |directory ");
    let to = to
        .strip_suffix("folder")
        .unwrap_or(to)
        .trim_matches([' ', '"']);
    let lower = to.to_lowercase();
    if lower.ends_with("share") || has(&lower, "installer files|installation files") {
        return Some("share".to_owned());
    }
    let path = DIRECTORY.captures(to).filter(|_| !is(&lower, NO_NAME))?;
    Some(path[1].replace('\\', "/"))
}

fn run(object: &str) -> ArticleCommand {
    let on = ServerScope::of(object);
    let is_package = |file: &String| file.to_lowercase().ends_with(".msi");
    match files(targets::without_role(object)) {
        Some(Objects::Named(files)) if !files.iter().all(is_package) => ArticleCommand::Unknown,
        Some(files) => ArticleCommand::Act(Act::Run, files, on),
        None => ArticleCommand::Unknown,
    }
}

/// Command that is typed to change a service.
static SHELL: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(?:the )?(?:following command: )?(?:(?:(?:net|sc)(?:\.exe)? (stop|start)|(restart|stop|start)-service) (.+?)|(iisreset)(?:\.exe)?(?: .*?/(stop|start)| .*)?)(?: command)?$",
    )
});

/// Program that opens a window when it is typed into the Run box of the Start menu.
static WINDOW: LazyPattern = LazyPattern::new(|| {
    pattern(r"(?i)^(?:the )?(?:cmd|dcomcnfg|services\.msc|regedit|mmc)(?:\.exe)?$")
});

/// Reads a command that is typed at a prompt, or run.
fn typed(verb: &str, object: &str) -> ArticleCommand {
    let line = targets::without_role(object).replace('"', "");
    if let Some(found) = SHELL.captures(&line) {
        let part = |at| found.get(at).map(|part| part.as_str());
        let verb = part(1).or(part(2)).or(part(5)).unwrap_or("restart");
        let name = part(3).or(part(4).and(Some("IIS"))).unwrap_or_default();
        let name = name.trim_matches(['\'', ' ', '.']).to_owned();
        let act = service_verb(&verb.to_lowercase()).map(Act::Service);
        let on = ServerScope::of(object);
        return act.map_or(ArticleCommand::Unknown, |act| {
            ArticleCommand::Act(act, Objects::Named(vec![name]), on)
        });
    }
    match verb {
        _ if WINDOW.is_match(&line) => ArticleCommand::Needless(NAVIGATES),
        "run" if is_package(&line.to_lowercase()) => run(object),
        "type" | "enter" => into_box(object).unwrap_or(ArticleCommand::Unknown),
        _ => ArticleCommand::Unknown,
    }
}

/// Returns the names in "the following for A and for B"; "for each component" names none.
fn each_of(object: &str) -> Option<Vec<String>> {
    let names = "the following for |this for |these steps for |the following steps for ";
    let names = behind(object, names)?.split(" and for ");
    let names: Vec<String> = names.flat_map(targets::names).collect();
    let is_name =
        |name: &String| name.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    (!names.is_empty() && names.iter().all(is_name)).then_some(names)
}

fn box_name(text: &str) -> String {
    let name = targets::name(text);
    let name = name.strip_suffix(" field").unwrap_or(&name);
    let name = name.strip_suffix(" box").unwrap_or(name);
    let name = name.strip_suffix(" text").unwrap_or(name);
    name.trim_matches(['"', '\'']).to_owned()
}

/// Value that is typed literally: one word, or words in quotation marks. "<name of your server>" is
/// not a value.
static VALUE: LazyPattern = LazyPattern::new(|| {
    pattern(r#"^(?:"([^"<>]+)"|([^\s"<>]+))(?: (?:in|into) the (.+ (?:box|field)))?$"#)
});

fn into_box(object: &str) -> Option<ArticleCommand> {
    let found = VALUE.captures(object.trim())?;
    let value = found.get(1).or(found.get(2))?.as_str().to_owned();
    let into = found.get(3).map(|name| box_name(name.as_str()));
    Some(ArticleCommand::Type { value, into })
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

    fn named(names: &[&str]) -> Objects {
        Objects::Named(names.iter().map(|name| (*name).to_owned()).collect())
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
                ArticleCommand::Act(Act::Service(verb), named(&[service]), on(role)),
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
        for (sentence, files, to, role) in [
            (
                "Copy the following files from the update to the InstallShare folder:",
                Objects::Following,
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
                Objects::Following,
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
                ArticleCommand::Act(Act::Copy(to.to_owned()), files, on),
                "{sentence}"
            );
        }
        assert_eq!(
            one("Run Client.msi on each mail server."),
            ArticleCommand::Act(Act::Run, named(&["Client.msi"]), on("mail"))
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
