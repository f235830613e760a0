//! Objects of a clause: names in the console, servers of a kind, files.

use super::lines::spaced;
use super::text::{
    LazyPattern, begins, behind, ends, has, is, pattern, without_end, without_start,
};

/// Objects in the console that a clause names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Targets {
    Named(Vec<String>),
    /// The list below the sentence.
    Following,
    /// Each server below an item; below the one that was expanded last if none is named.
    Servers(Option<String>),
    /// Objects that an earlier part of the procedure removed, with the number of that part if the
    /// text gives it.
    Removed(Option<u32>),
    /// Word for a kind of node, which refers to all nodes of that kind that were named before.
    ByKind,
    /// Objects of the sentence before.
    Same,
}

/// Words that begin a phrase for all servers below an item.
const SERVERS: &str = "each server|every server|all servers|each of the servers|all of the servers|the servers|each computer";

/// Item that servers are below.
static BELOW: LazyPattern =
    LazyPattern::new(|| pattern(r"^.* (?:under|below|beneath|in|of|within|for|that hosts) (.+)$"));

static PART: LazyPattern = LazyPattern::new(|| pattern(r" in (?:step|part) (\d{1,9})"));

/// Reads the words after "right-click" or "uninstall".
pub(super) fn targets(text: &str) -> Targets {
    let text = text.strip_prefix("on ").unwrap_or(text);
    let text = text.trim_end_matches(['.', ':']).trim();
    let lower = text.to_lowercase();
    let follows = has(&lower, "following|these components|listed below");
    if lower.contains("following") && !lower.starts_with("each server")
        || ends(&lower, "of these|in this list|in the list|these items")
    {
        return Targets::Following;
    }
    if begins(&lower, SERVERS) {
        let below = BELOW.captures(text).map(|below| name(&below[1]));
        // "below it" is below the node that was opened last.
        return Targets::Servers(below.filter(|name| !is(name, "it|this")));
    }
    if follows {
        return Targets::Following;
    }
    if has(&lower, "uninstalled|removed") && has(&lower, "you |were |was | in step") {
        let part = PART.captures(&lower);
        return Targets::Removed(part.and_then(|part| part[1].parse().ok()));
    }
    if begins(&lower, "it |them|the same|these ") || lower == "it" {
        return Targets::Same;
    }
    match names_only_a_kind(text) {
        true => Targets::ByKind,
        false => Targets::Named(names(text)),
    }
}

/// Returns whether a text has only words for a kind of node, which name none: "the Web service" is
/// the one of the sentence before.
pub(super) fn names_only_a_kind(text: &str) -> bool {
    let kinds =
        "web|service|component|item|provider|namespace|server|group|node|procedure|folder|it";
    let lower = text.trim_end_matches(['.', ':']).to_lowercase();
    let words = behind(&lower, "the |this |that |each |its ");
    let mut words = words.unwrap_or_default().split_whitespace();
    lower == "it" || words.clone().count() > 0 && words.all(|word| is(word, kinds))
}

static QUOTED: LazyPattern = LazyPattern::new(|| pattern(r#""([^"]*)""#));

/// Returns names that are separated by commas, of which the last may have an "and".
pub(super) fn names(text: &str) -> Vec<String> {
    // Quotation marks show where names begin and end.
    let quoted = QUOTED.captures_iter(text);
    let mut names: Vec<String> = quoted.map(|quoted| spaced(&quoted[1])).collect();
    if names.len() < 2 {
        // "A, B and C"
        let listed = match text.rsplit_once(", ") {
            Some((before, last)) if !last.starts_with("and ") => {
                format!("{before}, {}", last.replacen(" and ", ", ", 1))
            }
            _ => text.to_owned(),
        };
        let parts = listed.split(", ");
        let parts = parts.map(|part| behind(part, "and |or ").unwrap_or(part));
        names = parts.map(name).collect();
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Returns the platform that a text about servers narrows them to.
pub(super) fn platform(text: &str) -> Option<&'static str> {
    // An installer's name may contain the word too, but never as a word of its own.
    let lower = text.to_lowercase();
    let words = || lower.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
    let x64 = words().any(|word| is(word, "x64|64-bit|amd64"));
    let x86 = words().any(|word| is(word, "x86|32-bit"));
    match (x64, x86) {
        (true, false) => Some("x64"),
        (false, true) => Some("x86"),
        _ => None,
    }
}

/// Returns a name without its article, its quotation marks, and the word for its kind.
pub(super) fn name(text: &str) -> String {
    let name = text.trim().trim_end_matches(['.', ',', ':', ';']).trim();
    let name = without_start(name, "the |The |each |every ");
    // Only in lower case: `Front End Component` is a name.
    let name = without_end(
        name,
        " node| group| item| component| container| entry| procedure| branch| tree| object| namespace entry|\
          in the console tree| in the left pane| in the navigation pane| in the tree| in the tool| again| there| instead",
    );
    spaced(name.trim_matches(['"', '\'', '`', '*', ' ']))
}

/// Returns a service's name, without the words for its kind.
pub(super) fn service(text: &str) -> String {
    let name = name(text);
    let lower = name.to_lowercase();
    if is(&lower, "iis|internet information services")
        || lower.ends_with("(iis)")
        || name == "iis admin service"
    {
        return "IIS".to_owned();
    }
    let name = without_end(
        &name,
        " Windows service| COM+ application| services| service| application| applications| engine service",
    );
    spaced(name.trim_matches(['"', '\'', ' ']))
}

/// Returns the names of services: "the A service", "the A and B services".
pub(super) fn services(text: &str) -> Vec<String> {
    let lower = text.trim_end_matches(['.', ':']).to_lowercase();
    let are_several =
        ends(&lower, "services|applications") && !lower.contains("information services");
    let names = names(text);
    let names = match (are_several, &names[..]) {
        (true, [one]) => one.split(" and ").map(service).collect(),
        _ => names.iter().map(|name| service(name)).collect(),
    };
    let names: Vec<String> = names;
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

static ON: LazyPattern = LazyPattern::new(|| pattern(r"(?i)\bon[ \t]"));

/// Servers behind an "on", perhaps with words for their role before them.
static SERVER: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"^(?:(?:the|each|every|all|of|any|your|both|an?|other|remaining|first|next|x64|x86|64-bit|32-bit) )*((?:[\w+'/-]+ ){0,7}?)(?:server|computer|machine|node)s?\b",
    )
});

/// Role in "… server that runs the X". Having something is not a role: "all servers that have
/// components of X".
static HOSTED: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"^ (?:(?:that|which|where|with|is|are) )*(?:runs?|running|hosts?|hosting|holds?) (?:(?:the|a) )*([\w+'/-]+(?: [\w+'/-]+){0,2})",
    )
});

const NO_ROLE: &str = "that|which|where|and|to|in|from|menu|tab|click|under|my|this";

/// Returns the role in "on the X servers", "on each server that runs X"; nothing if all servers are
/// meant.
pub(super) fn role(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    ON.find_iter(&lower).find_map(|on| {
        let rest = &lower[on.end()..];
        let found = SERVER.captures(rest)?;
        let role = found[1].trim();
        if role.is_empty() {
            let hosted = HOSTED.captures(&rest[found[0].len()..])?;
            let words = hosted[1].split(' ');
            let words = words.filter(|word| !is(word, "role|service|installed"));
            let role = slug(&words.collect::<Vec<_>>().join(" "), 3);
            return Some(role).filter(|role| !role.is_empty());
        }
        let is_role = !role.split(' ').any(|word| is(word, NO_ROLE));
        is_role.then(|| slug(role, 4))
    })
}

const MACHINES: &str = "server|computer|machine|node";

/// Returns a text up to its words about servers.
pub(super) fn without_role(text: &str) -> &str {
    let mut places = ON.find_iter(text);
    let on = places.find(|on| on.start() > 0 && has(&text[on.end()..].to_lowercase(), MACHINES));
    on.map_or(text, |on| text[..on.start()].trim_end_matches([' ', ',']))
}

/// Returns whether a text is about something that is done on several or all servers.
pub(super) fn is_about_servers(text: &str) -> bool {
    let rest = ON.find(text).map_or("", |on| &text[on.end()..]);
    rest.len() < 57 && has(&rest.to_lowercase(), MACHINES)
}

/// Returns the first words of a text as a role or an id: lower-case letters, digits and `-`.
pub(super) fn slug(text: &str, most: usize) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !is(word, "|the|The|a|of")).take(most);
    let slug = words.collect::<Vec<_>>().join("-").to_lowercase();
    let slug: String = slug.chars().take(48).collect();
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_slugs_of_the_words_before_servers() {
        for (text, wanted) in [
            ("On the MPS Engine servers", Some("mps-engine")),
            ("restart IIS on each web server", Some("web")),
            (
                "on every server that runs the Gear Engine",
                Some("gear-engine"),
            ),
            ("on all servers", None),
            ("on the File menu, click", None),
            ("on the first Gear Engine server", Some("gear-engine")),
            ("on x64 wheel servers only", Some("wheel")),
            ("Based on the front-end computers", Some("front-end")),
        ] {
            assert_eq!(role(text).as_deref(), wanted, "{text}");
        }
        assert_eq!(
            without_role("the Gear service on each web server"),
            "the Gear service"
        );
    }

    #[test]
    fn servers_are_narrowed_to_a_platform() {
        for (text, wanted) in [
            (
                "on each wheel server with a 64-bit operating system",
                Some("x64"),
            ),
            ("on the x86 wheel servers", Some("x86")),
            ("Update the mill (64-bit only)", Some("x64")),
            ("run Wheel_x64.msi on each server", None),
            ("on 32-bit and 64-bit servers", None),
        ] {
            assert_eq!(platform(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_word_for_a_kind_names_nothing() {
        assert!(
            ["the Web service.", "it", "this component", "each provider"]
                .iter()
                .all(|text| names_only_a_kind(text))
        );
        assert!(
            ["the Mill Service", "Web service", "The Provider of Flour"]
                .iter()
                .all(|text| !names_only_a_kind(text))
        );
    }

    #[test]
    fn targets_are_distinguished() {
        let named =
            |names: &[&str]| Targets::Named(names.iter().map(|name| (*name).to_owned()).collect());
        for (text, wanted) in [
            ("each of the following components", Targets::Following),
            (
                "each server under Orchard Web Service",
                Targets::Servers(Some("Orchard Web Service".into())),
            ),
            ("each server", Targets::Servers(None)),
            (
                "each server that is listed below it",
                Targets::Servers(None),
            ),
            ("each server under it", Targets::Servers(None)),
            ("each item in this list", Targets::Following),
            ("each of these", Targets::Following),
            ("Orchard again", named(&["Orchard"])),
            (
                "each component that you uninstalled in step 1",
                Targets::Removed(Some(1)),
            ),
            ("all items that you removed", Targets::Removed(None)),
            ("the component", Targets::ByKind),
            ("the Orchard node", named(&["Orchard"])),
            (
                "\"Orchard and Mill Provider\"",
                named(&["Orchard and Mill Provider"]),
            ),
            ("One, Two, and Three", named(&["One", "Two", "Three"])),
            ("One, Two and Three", named(&["One", "Two", "Three"])),
        ] {
            assert_eq!(targets(text), wanted, "{text}");
        }
    }

    #[test]
    fn services_lose_the_words_for_their_kind() {
        assert_eq!(services("the Gear and Wheel services"), ["Gear", "Wheel"]);
        assert_eq!(services("Internet Information Services (IIS)"), ["IIS"]);
        assert_eq!(
            services("the \"Gear Engine\" COM+ application"),
            ["Gear Engine"]
        );
    }
}
