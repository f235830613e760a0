//! Sentences, and the clauses of a sentence that gives instructions.

/// Verbs that a clause of a procedure begins with.
pub(super) const VERBS: &[&str] = &[
    "expand",
    "right-click",
    "right click",
    "click",
    "double-click",
    "double click",
    "select",
    "choose",
    "point to",
    "highlight",
    "open",
    "start",
    "launch",
    "run",
    "execute",
    "type",
    "enter",
    "copy",
    "place",
    "move",
    "put",
    "locate",
    "find",
    "navigate",
    "browse",
    "go to",
    "back up",
    "backup",
    "back them up",
    "stop",
    "shut down",
    "restart",
    "reset",
    "recycle",
    "disable",
    "enable",
    "install",
    "reinstall",
    "uninstall",
    "remove",
    "close",
    "exit",
    "quit",
    "wait",
    "verify",
    "confirm",
    "make sure",
    "make a",
    "ensure",
    "repeat",
    "log on",
    "log in",
    "sign in",
    "extract",
    "unpack",
    "unzip",
    "download",
    "return",
    "replace",
    "overwrite",
    "perform",
    "press",
    "set",
    "delete",
    "edit",
    "rename",
    "clear",
    "check",
    "review",
    "do",
    "use",
    "change",
    "save",
    "create",
    "add",
    "initialize",
    "connect",
    "switch",
    "drag",
    "view",
    "complete",
    "follow",
    "accept",
    "provide",
    "specify",
    "import",
    "export",
    "apply",
    "update",
    "modify",
    "test",
    "keep",
    "leave",
];

/// Returns the sentences of a paragraph.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(['.', '!', '?']) {
        let rest = &text[at + 1..];
        let next = rest.strip_prefix(' ').and_then(|rest| rest.chars().next());
        let abbreviated = ["e.g", "i.e", "etc", "vs", "approx"]
            .iter()
            .any(|word| text[..at].ends_with(word));
        if !abbreviated && next.is_some_and(|next| next.is_uppercase() || matches!(next, '"' | '('))
        {
            found.push(text[start..=at].trim());
            start = at + 1;
        }
    }
    found.push(text[start..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Returns the clauses of a sentence: the text before its first verb, if there is any, and then one
/// for each verb.
pub(super) fn clauses(sentence: &str) -> Vec<String> {
    let sentence = sentence.trim_end_matches(['.', ';', '!']).trim();
    // A sentence as long as this is not an instruction.
    if sentence.len() > 2_000 {
        return vec![sentence.to_owned()];
    }
    let mut found: Vec<String> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some((from, to)) = joint(sentence, at) {
        at = to;
        // Names begin with capitals, so a verb within a sentence does not.
        if sentence[to..].starts_with(|c: char| c.is_lowercase())
            && verb(&sentence[to..]).is_some()
            && !is_purpose(&sentence[start..from])
        {
            found.push(sentence[start..from].trim().to_owned());
            start = to;
        }
    }
    found.push(sentence[start..].trim().to_owned());
    found.retain(|clause| !clause.is_empty());
    found
        .iter_mut()
        .for_each(|clause| clause.truncate(without_wait(clause).len()));
    lend_objects(&mut found);
    found
}

/// Returns the next place at which two clauses may be joined: the end of the first, and the
/// beginning of the second.
fn joint(sentence: &str, from: usize) -> Option<(usize, usize)> {
    const JOINTS: [&str; 9] = [
        ", and then ",
        "; and then ",
        " and then ",
        ", then ",
        "; then ",
        ", and ",
        " and ",
        "; ",
        ", ",
    ];
    let bytes = sentence.as_bytes();
    (from..sentence.len())
        .filter(|at| matches!(bytes[*at], b',' | b';' | b' '))
        .find_map(|at| {
            JOINTS
                .iter()
                .find(|joint| bytes[at..].starts_with(joint.as_bytes()))
                .map(|joint| (at, at + joint.len()))
        })
}

/// Returns whether a relative clause is still open, within which no new clause begins: "the files
/// that you copy and rename" describes files.
fn is_purpose(before: &str) -> bool {
    let last = before.rsplit([',', ';']).next().unwrap_or_default();
    [" that you ", " which you ", " you must ", " so that "]
        .iter()
        .any(|word| last.contains(word))
        && !before.contains("click")
}

/// Removes a wait, as in "Run A, and when it has finished": every step waits for the one before it
/// anyway.
fn without_wait(clause: &str) -> &str {
    let Some((before, after)) = clause.rsplit_once(" and ") else {
        return clause;
    };
    let waits = ["when", "once", "after", "as soon as"].iter().any(|when| {
        after.strip_prefix(when).is_some_and(|rest| {
            [" it ", " this ", " that ", " they "]
                .iter()
                .any(|it| rest.starts_with(it))
        })
    });
    if waits && verb(before).is_some() {
        before.trim_end_matches(',')
    } else {
        clause
    }
}

/// Gives a verb without an object the object of the next one, as in "Stop and then start the X
/// service".
fn lend_objects(clauses: &mut [String]) {
    for at in (1..clauses.len()).rev() {
        let bare = verb(&clauses[at - 1]).is_some_and(|(verb, rest)| {
            rest.is_empty() && ["stop", "disable", "shut down"].contains(&verb)
        });
        if let (true, Some((_, object))) = (bare, verb(&clauses[at])) {
            let object = object.to_owned();
            clauses[at - 1] = format!("{} {object}", clauses[at - 1]);
        }
    }
}

/// Returns the verb that a text begins with, and the rest.
pub(super) fn verb(text: &str) -> Option<(&'static str, &str)> {
    let fits = |verb: &&&'static str| {
        text.get(..verb.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(verb))
            && text[verb.len()..]
                .chars()
                .next()
                .is_none_or(|c| !c.is_alphanumeric() && c != '-')
    };
    let verb = VERBS.iter().filter(fits).max_by_key(|verb| verb.len())?;
    Some((verb, text[verb.len()..].trim_start_matches([' ', ':'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_become_clauses() {
        for (sentence, wanted) in [
            (
                "Expand One, and then expand Two.",
                &["Expand One", "expand Two"][..],
            ),
            (
                "Right-click Stop and Start Provider, and then click Execute -> Start it.",
                &[
                    "Right-click Stop and Start Provider",
                    "click Execute -> Start it",
                ],
            ),
            (
                "On the Gear servers, start Tools, and open More.",
                &["On the Gear servers", "start Tools", "open More"],
            ),
            (
                "Stop and then start the Gear service",
                &["Stop the Gear service", "start the Gear service"],
            ),
            (
                "Click Start, click Run, type iisreset, and then click OK.",
                &["Click Start", "click Run", "type iisreset", "click OK"],
            ),
            (
                "Run a.msi, and when it has finished, run b.msi.",
                &["Run a.msi", "run b.msi"],
            ),
            (
                "Locate the files, and then back them up to another folder",
                &["Locate the files", "back them up to another folder"],
            ),
        ] {
            assert_eq!(clauses(sentence), wanted, "{sentence}");
        }
    }

    #[test]
    fn a_dot_in_a_name_ends_no_sentence() {
        assert_eq!(
            sentences("Copy a.msi to B. Then wait. See 4.0 e.g. That"),
            ["Copy a.msi to B.", "Then wait.", "See 4.0 e.g. That"]
        );
    }
}
