//! Sentences, and the clauses of a sentence that gives instructions.

use super::text::{LazyPattern, ends, has, is, pattern};

/// Verbs that a clause of a procedure begins with.
const VERBS: &str = "expand|right-click|right click|click|double-click|double click|select|choose|point to|\
    highlight|open|start|launch|run|execute|type|enter|copy|place|move|put|locate|find|\
    navigate|browse|go to|back up|backup|back them up|stop|shut down|restart|reset|recycle|\
    disable|enable|install|reinstall|uninstall|remove|close|exit|quit|wait|verify|confirm|\
    make sure|make a|ensure|repeat|log on|log in|sign in|extract|unpack|unzip|download|\
    return|replace|overwrite|perform|press|set|delete|edit|rename|clear|check|review|do|use|\
    change|save|create|add|initialize|connect|switch|drag|view|complete|follow|accept|\
    provide|specify|import|export|apply|update|modify|test|keep|leave";

/// End of a sentence, before the beginning of the next one.
static END: LazyPattern = LazyPattern::new(|| pattern("[.!?] [A-Z\"(]"));

/// Returns the sentences of a paragraph.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for end in END.find_iter(text) {
        let end = end.start() + 1;
        if !ends(&text[..end - 1], "e.g|i.e|etc|vs|approx") {
            found.push(text[start..end].trim());
            start = end;
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
    for joint in JOINT.find_iter(sentence) {
        let (before, rest) = (&sentence[start..joint.start()], &sentence[joint.end()..]);
        // Names begin with capitals, so a verb within a sentence does not.
        if rest.starts_with(char::is_lowercase) && verb(rest).is_some() && !is_purpose(before) {
            found.push(before.trim().to_owned());
            start = joint.end();
        }
    }
    found.push(sentence[start..].trim().to_owned());
    found.retain(|clause| !clause.is_empty());
    for clause in &mut found {
        clause.truncate(without_wait(clause).len());
    }
    lend_objects(&mut found);
    found
}

/// Words between two clauses.
static JOINT: LazyPattern =
    LazyPattern::new(|| pattern("(?:[,;]? and then|[,;] then|,? and|;|,) "));

/// Returns whether a relative clause is still open, within which no new clause begins: "the files
/// that you copy and rename" describes files.
fn is_purpose(before: &str) -> bool {
    let last = before.rsplit([',', ';']).next().unwrap_or_default();
    has(last, " that you | which you | you must | so that ") && !before.contains("click")
}

/// Wait, as in "Run A, and when it has finished": every step waits for the one before it anyway.
static WAIT: LazyPattern = LazyPattern::new(|| {
    pattern(r",* and (?:when|once|after|as soon as) (?:it|this|that|they) [^,;]*$")
});

/// Removes a wait behind a command.
fn without_wait(clause: &str) -> &str {
    match WAIT.find(clause) {
        Some(wait) if verb(clause).is_some() => &clause[..wait.start()],
        _ => clause,
    }
}

/// Gives a verb without an object the object of the next one, as in "Stop and then start the X
/// service".
fn lend_objects(clauses: &mut [String]) {
    for at in (1..clauses.len()).rev() {
        if let Some((stops, "")) = verb(&clauses[at - 1])
            && is(stops, "stop|disable|shut down")
            && let Some((_, object)) = verb(&clauses[at])
        {
            clauses[at - 1] = format!("{} {object}", clauses[at - 1]);
        }
    }
}

/// Returns the verb that a text begins with, and the rest.
pub(super) fn verb(text: &str) -> Option<(&'static str, &str)> {
    let is_verb = |verb: &&str| {
        let start = text.get(..verb.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(verb))
            && !text[verb.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-')
    };
    let verbs = VERBS.split('|').filter(is_verb);
    let verb = verbs.max_by_key(|verb| verb.len())?;
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
