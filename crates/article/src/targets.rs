//! Objects of a clause: names in the console, servers of a kind, files.

use super::lines::spaced;

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
const SERVERS: [&str; 7] = [
    "each server",
    "every server",
    "all servers",
    "each of the servers",
    "all of the servers",
    "the servers",
    "each computer",
];

/// Words between the servers and their item.
const BELOW: [&str; 9] = [
    " under ",
    " below ",
    " beneath ",
    " in ",
    " of ",
    " within ",
    " for ",
    " that appears under ",
    " that hosts ",
];

/// Reads the words after "right-click" or "uninstall".
pub(super) fn targets(text: &str) -> Targets {
    let text = text
        .strip_prefix("on ")
        .unwrap_or(text)
        .trim_end_matches(['.', ':'])
        .trim();
    let lower = text.to_lowercase();
    let starts = |starts: &[&str]| starts.iter().any(|start| lower.starts_with(start));
    let listed = ["of these", "in this list", "in the list", "these items"]
        .iter()
        .any(|end| lower.ends_with(end));
    if lower.contains("following") && !lower.starts_with("each server") || listed {
        return Targets::Following;
    }
    if starts(&SERVERS) {
        let below = BELOW
            .iter()
            .filter_map(|word| lower.rfind(word).map(|at| (at, word.len())))
            .max();
        let below = below
            .and_then(|(at, length)| text.get(at + length..))
            .map(name);
        // "below it" is below the node that was opened last.
        return Targets::Servers(below.filter(|name| !["it", "this"].contains(&name.as_str())));
    }
    if lower.contains("following")
        || lower.contains("these components")
        || lower.contains("listed below")
    {
        return Targets::Following;
    }
    let removed = ["uninstalled", "removed"]
        .iter()
        .any(|word| lower.contains(word));
    if removed
        && (lower.contains("you ")
            || lower.contains("were ")
            || lower.contains("was ")
            || lower.contains(" in step"))
    {
        return Targets::Removed(part_after(&lower));
    }
    if starts(&["it ", "them", "the same", "these "]) || lower == "it" {
        return Targets::Same;
    }
    if names_only_a_kind(text) {
        return Targets::ByKind;
    }
    Targets::Named(names(text))
}

/// Returns the number in "in step 2", "in part 2".
fn part_after(lower: &str) -> Option<u32> {
    let rest = [" in step ", " in part "]
        .iter()
        .find_map(|word| lower.split_once(word))?
        .1;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// Returns whether a text has only words for a kind of node, which name none: "the Web service" is
/// the one of the sentence before.
pub(super) fn names_only_a_kind(text: &str) -> bool {
    const KINDS: [&str; 12] = [
        "web",
        "service",
        "component",
        "item",
        "provider",
        "namespace",
        "server",
        "group",
        "node",
        "procedure",
        "folder",
        "it",
    ];
    let lower = text.trim_end_matches(['.', ':']).to_lowercase();
    let bare = ["the ", "this ", "that ", "each ", "its "]
        .iter()
        .find_map(|word| lower.strip_prefix(word));
    let words = bare.or((lower == "it").then_some("it"));
    words.is_some_and(|words| words.split_whitespace().all(|word| KINDS.contains(&word)))
}

/// Returns names that are separated by commas, of which the last may have an "and".
pub(super) fn names(text: &str) -> Vec<String> {
    let quoted: Vec<&str> = text.split('"').collect();
    // Quotation marks show where names begin and end.
    if quoted.len() >= 5 {
        return quoted
            .iter()
            .skip(1)
            .step_by(2)
            .map(|quoted| spaced(quoted))
            .filter(|name| !name.is_empty())
            .collect();
    }
    let parts: Vec<&str> = text.split(", ").collect();
    if parts.len() == 1 {
        return vec![name(text)];
    }
    let part = |part: &&str| {
        part.strip_prefix("and ")
            .or_else(|| part.strip_prefix("or "))
            .unwrap_or(part)
            .to_owned()
    };
    let mut names: Vec<String> = parts.iter().map(part).collect();
    // "A, B and C"
    if let Some((before, after)) = names
        .last()
        .filter(|_| !text.contains(", and "))
        .and_then(|last| last.split_once(" and "))
    {
        let (before, after) = (before.to_owned(), after.to_owned());
        names.pop();
        names.extend([before, after]);
    }
    names
        .iter()
        .map(|part| name(part))
        .filter(|name| !name.is_empty())
        .collect()
}

/// Returns the platform that a text about servers narrows them to.
pub(super) fn platform(text: &str) -> Option<&'static str> {
    // An installer's name may contain the word too, but never as a word of its own.
    let words = || text.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
    let has = |wanted: &[&str]| {
        words().any(|word| {
            wanted
                .iter()
                .any(|wanted| word.eq_ignore_ascii_case(wanted))
        })
    };
    match (has(&["x64", "64-bit", "amd64"]), has(&["x86", "32-bit"])) {
        (true, false) => Some("x64"),
        (false, true) => Some("x86"),
        _ => None,
    }
}

/// Returns a name without its article, its quotation marks, and the word for its kind.
pub(super) fn name(text: &str) -> String {
    let mut name = text.trim().trim_end_matches(['.', ',', ':', ';']).trim();
    for article in ["the ", "The ", "each ", "every "] {
        name = name.strip_prefix(article).unwrap_or(name);
    }
    const WORDS: [&str; 16] = [
        " node",
        " group",
        " item",
        " component",
        " container",
        " entry",
        " procedure",
        " branch",
        " tree",
        " object",
        " namespace entry",
        " in the console tree",
        " in the left pane",
        " in the navigation pane",
        " in the tree",
        " in the tool",
    ];
    // Only in lower case: `Front End Component` is a name.
    for word in WORDS {
        name = name.strip_suffix(word).unwrap_or(name);
    }
    for adverb in [" again", " there", " instead"] {
        name = name.strip_suffix(adverb).unwrap_or(name);
    }
    spaced(name.trim_matches(['"', '\'', '`', '*', ' ']))
}

/// Returns a service's name, without the words for its kind.
pub(super) fn service(text: &str) -> String {
    let name = name(text);
    let lower = name.to_lowercase();
    if lower == "iis"
        || lower.ends_with("(iis)")
        || lower == "internet information services"
        || lower == "iis admin service" && name == lower
    {
        return "IIS".to_owned();
    }
    let mut name = name.as_str();
    for word in [
        " Windows service",
        " COM+ application",
        " services",
        " service",
        " application",
        " applications",
        " engine service",
    ] {
        name = name.strip_suffix(word).unwrap_or(name);
    }
    spaced(name.trim_matches(['"', '\'', ' ']))
}

/// Returns the names of services: "the A service", "the A and B services".
pub(super) fn services(text: &str) -> Vec<String> {
    let plural = text.trim_end_matches(['.', ':']).to_lowercase();
    let plural = ["services", "applications"]
        .iter()
        .any(|word| plural.ends_with(word))
        && !plural.contains("information services");
    let parts = names(text);
    let parts = match (plural, &parts[..]) {
        (true, [one]) => one.split(" and ").map(str::to_owned).collect(),
        _ => parts,
    };
    parts
        .iter()
        .map(|part| service(part))
        .filter(|name| !name.is_empty())
        .collect()
}

/// Returns the role in "on the X servers", "on each server that runs X"; nothing if all servers are
/// meant.
pub(super) fn role(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let mut from = 0;
    while let Some(at) = find_word(&lower, "on", from) {
        if let Some(role) = role_after(&lower[at + 2..]) {
            return Some(role);
        }
        from = at + 2;
    }
    None
}

fn role_after(text: &str) -> Option<String> {
    let mut words = text
        .split(|c: char| !(c.is_alphanumeric() || "-+'/".contains(c)))
        .filter(|word| !word.is_empty());
    let mut role: Vec<&str> = Vec::new();
    for word in words.by_ref().take(8) {
        match word {
            "the" | "each" | "every" | "all" | "of" | "any" | "your" | "both" | "a" | "an"
            | "other" | "remaining" | "first" | "next" | "x64" | "x86" | "64-bit" | "32-bit"
                if role.is_empty() => {}
            "server" | "servers" | "computer" | "computers" | "machine" | "machines" | "node"
            | "nodes" => {
                return if role.is_empty() {
                    hosted(words.take(8).collect())
                } else {
                    Some(slug(&role.join(" "), 4))
                };
            }
            "that" | "which" | "where" | "and" | "to" | "in" | "from" | "menu" | "tab"
            | "click" | "under" | "my" | "this" => {
                return None;
            }
            word => role.push(word),
        }
    }
    None
}

/// Returns the role in "… server that runs the X".
fn hosted(words: Vec<&str>) -> Option<String> {
    let mut words = words
        .into_iter()
        .skip_while(|word| ["that", "which", "where", "with", "is", "are"].contains(word));
    // Having something is not a role: "all servers that have components of X".
    let runs = [
        "runs", "run", "running", "hosts", "host", "hosting", "holds", "hold",
    ];
    words.next().filter(|word| runs.contains(word))?;
    let rest: Vec<&str> = words
        .skip_while(|word| ["the", "a"].contains(word))
        .take(3)
        .collect();
    let rest: Vec<&str> = rest
        .into_iter()
        .filter(|word| !["role", "service", "installed"].contains(word))
        .collect();
    (!rest.is_empty()).then(|| slug(&rest.join(" "), 3))
}

/// Returns the position of a word that is not part of another one.
fn find_word(text: &str, word: &str, from: usize) -> Option<usize> {
    text.get(from..)?
        .match_indices(word)
        .map(|(at, _)| from + at)
        .find(|at| {
            !text[..*at].ends_with(|c: char| c.is_alphanumeric())
                && text[at + word.len()..].starts_with([' ', '\t'])
        })
}

/// Returns a text up to its words about servers.
pub(super) fn without_role(text: &str) -> &str {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return text;
    }
    let mut from = 0;
    while let Some(at) = find_word(&lower, "on", from) {
        let rest = &lower[at..];
        if ["server", "computer", "machine", "node"]
            .iter()
            .any(|word| rest.contains(word))
            && at > 0
        {
            return text[..at].trim_end_matches([' ', ',']);
        }
        from = at + 2;
    }
    text
}

/// Returns whether a text is about something that is done on several or all servers.
pub(super) fn is_about_servers(text: &str) -> bool {
    let lower = text.to_lowercase();
    find_word(&lower, "on", 0).is_some_and(|at| {
        let rest = &lower[at..];
        rest.len() < 60
            && ["server", "computer", "machine", "node"]
                .iter()
                .any(|word| rest.contains(word))
    })
}

/// Returns the first words of a text as a role or an id: lower-case letters, digits and `-`.
pub(super) fn slug(text: &str, most: usize) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let words = words
        .filter(|word| !["the", "The", "a", "of"].contains(word))
        .take(most);
    let slug = words.collect::<Vec<_>>().join("-").to_lowercase();
    slug.chars()
        .take(48)
        .collect::<String>()
        .trim_end_matches('-')
        .to_owned()
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
