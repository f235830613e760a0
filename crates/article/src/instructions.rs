//! Sentences that are not instructions: information, and notes on rollback and options.

use super::clauses::verb;
use super::commands::ArticleCommand;

/// Returns the instructions of a rollback, such as "To return to the former state, restore the
/// database", without the words that introduce them.
pub(super) fn rollback_instructions(text: &str) -> Option<String> {
    const PHRASES: [&str; 8] = [
        "to return to the former state",
        "to return to the state before",
        "to undo this",
        "to go back",
        "to roll back",
        "to roll this back",
        "to reverse this",
        "to revert this",
    ];
    let (opening, rest) = text.split_once(", ")?;
    let opening = opening.to_lowercase();
    PHRASES.iter().find(|known| opening.starts_with(**known))?;
    let mut letters = rest.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}

/// Returns whether an instruction is optional, such as "If your site also uses X".
pub(super) fn is_optional(text: &str) -> bool {
    let lower = text.to_lowercase();
    // "If you have not made a backup, make one" applies to everyone.
    if ["if you have not ", "if you did not ", "if you do not "]
        .iter()
        .any(|start| lower.starts_with(start))
    {
        return false;
    }
    [
        "if you ",
        "if your ",
        "optional",
        "providers who ",
        "customers who ",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
        || lower.contains("(optional)")
}

/// Returns whether a sentence only informs, and is not an instruction.
pub(super) fn only_informs(sentence: &str, commands: &[ArticleCommand]) -> bool {
    let lower = sentence.to_lowercase();
    commands.iter().all(|command| {
        matches!(
            command,
            ArticleCommand::Unknown | ArticleCommand::Context(_)
        )
    }) && (is_description(&lower) || prepares(&lower))
}

/// Returns whether a sentence is about preparations for the maintenance window, such as time, a
/// password or an account.
fn prepares(lower: &str) -> bool {
    let ready = [" at hand", " ready", " available"]
        .iter()
        .any(|word| lower.trim_end_matches('.').ends_with(word));
    [
        "plan for ",
        "expect ",
        "allow ",
        "you need an account",
        "you need the password",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
        || lower.starts_with("have ") && ready
}

/// Returns whether a sentence begins with its subject, such as "Rating servers with a 32-bit
/// edition keep their engine", or with a participle. An instruction begins with a verb, and only
/// those in `NOT_DONE` end in `ed`.
fn is_statement(lower: &str) -> bool {
    const NOT_DONE: [&str; 7] = ["need", "embed", "feed", "proceed", "seed", "shed", "speed"];
    let first = lower.split(' ').next().unwrap_or_default();
    if first.ends_with("ed") && !NOT_DONE.contains(&first) {
        return true;
    }
    let Some(at) = [" servers ", " computers ", " components "]
        .iter()
        .filter_map(|noun| lower.find(noun))
        .min()
    else {
        return false;
    };
    let states = [" keep ", " are ", " have ", " stay ", " remain "]
        .iter()
        .filter_map(|verb| lower.find(verb))
        .min();
    let relative = [" that ", " which ", " where ", ", "]
        .iter()
        .filter_map(|word| lower.find(word))
        .min();
    at < 40
        && verb(lower).is_none()
        && states.is_some_and(|states| states >= at && relative.is_none_or(|word| word > states))
}

/// Returns whether a line without a command is a description.
fn is_description(lower: &str) -> bool {
    let starts = [
        "this ",
        "the ",
        "these ",
        "it ",
        "you can ",
        "for more information",
        "when ",
        "each ",
        "to install",
        "by default",
        "in this ",
        "none of ",
        "no ",
        "its ",
        "their ",
        "there ",
        "nothing ",
    ];
    let asks = [
        "must",
        "should",
        "need to",
        "have to",
        "required",
        "please",
        "make sure",
        "ensure",
        "before ",
        "do not",
        "manually",
    ];
    (starts.iter().any(|start| lower.starts_with(start)) || is_statement(lower))
        && !asks.iter().any(|word| lower.contains(word))
}
