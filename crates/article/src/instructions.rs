//! Sentences that are not instructions: information, and notes on rollback and options.

use super::clauses::verb;
use super::commands::ArticleCommand;
use super::text::{LazyPattern, begins, ends, has, is, pattern};

/// Words before the instructions of a rollback.
const ROLLBACK: &str = "to return to the former state|to return to the state before|to undo this|to go back|\
    to roll back|to roll this back|to reverse this|to revert this";

/// Returns the instructions of a rollback, such as "To return to the former state, restore the
/// database", without the words that introduce them.
pub(super) fn rollback_instructions(text: &str) -> Option<String> {
    let (opening, rest) = text.split_once(", ")?;
    let mut letters = rest.chars();
    let first = letters.next()?.to_uppercase();
    begins(&opening.to_lowercase(), ROLLBACK).then(|| first.chain(letters).collect())
}

/// Returns whether an instruction is optional, such as "If your site also uses X". "If you have not
/// made a backup, make one" applies to everyone.
pub(super) fn is_optional(text: &str) -> bool {
    let lower = text.to_lowercase();
    let optional = "if you |if your |optional|providers who |customers who ";
    !begins(&lower, "if you have not |if you did not |if you do not ")
        && (begins(&lower, optional) || lower.contains("(optional)"))
}

/// Returns whether a sentence only informs, and is not an instruction.
pub(super) fn only_informs(sentence: &str, commands: &[ArticleCommand]) -> bool {
    let lower = sentence.to_lowercase();
    let is_none = |command: &ArticleCommand| {
        matches!(
            command,
            ArticleCommand::Unknown | ArticleCommand::Context(_)
        )
    };
    commands.iter().all(is_none) && (is_description(&lower) || prepares(&lower))
}

/// Returns whether a sentence is about preparations for the maintenance window, such as time, a
/// password or an account.
fn prepares(lower: &str) -> bool {
    let needs = "plan for |expect |allow |you need an account|you need the password";
    let is_ready = ends(lower.trim_end_matches('.'), " at hand| ready| available");
    begins(lower, needs) || lower.starts_with("have ") && is_ready
}

/// Servers as the subject of a sentence that states something of them.
static STATEMENT: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"^([^,]{0,39}) (?:servers|computers|components)( [^,]*)? (?:keep|are|have|stay|remain) ",
    )
});

/// Returns whether a sentence begins with its subject, such as "Rating servers with a 32-bit
/// edition keep their engine", or with a participle. An instruction begins with a verb, and only
/// some of those end in `ed`.
fn is_statement(lower: &str) -> bool {
    let first = lower.split(' ').next().unwrap_or_default();
    if first.ends_with("ed") && !is(first, "need|embed|feed|proceed|seed|shed|speed") {
        return true;
    }
    let statement = STATEMENT.find(lower).map(|found| found.as_str());
    statement.is_some_and(|text| !has(text, " that | which | where ")) && verb(lower).is_none()
}

/// Words that a description begins with.
const DESCRIBES: &str = "this |the |these |it |you can |for more information|when |each |to install|by default|\
    in this |none of |no |its |their |there |nothing ";

/// Words of a sentence that asks for something.
const ASKS: &str =
    "must|should|need to|have to|required|please|make sure|ensure|before |do not|manually";

/// Returns whether a line without a command is a description.
fn is_description(lower: &str) -> bool {
    (begins(lower, DESCRIBES) || is_statement(lower)) && !has(lower, ASKS)
}
