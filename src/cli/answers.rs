//! Answers to questions: on the command line, or at a prompt.

use super::exit::{Exit, Failure};
use crate::cli::terminal::prompts;
use crate::document::nearest;
use crate::names::Escaped;
use crate::plan::Plan;

pub(super) fn asked(yes: bool) -> Result<(), Failure> {
    match yes || prompts::is_yes(&prompts::ask("Go on? [y/N]")) {
        true => Ok(()),
        false => {
            Err(Failure::new(Exit::Interrupted, "not gone on").now("nothing has changed since"))
        }
    }
}

/// Refuses to prompt without a terminal.
pub(super) fn can_be_asked(otherwise: &str) -> Result<(), Failure> {
    match prompts::can_ask() {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Usage,
            "nobody can be asked here: there is no terminal",
        )
        .now("nothing was begun")
        .next(otherwise)),
    }
}

/// Refuses an answer to a question that is not asked.
pub(super) fn known_answers(
    given: &[String],
    known: &[&str],
    option: &str,
    what: &str,
) -> Result<(), Failure> {
    let unknown = given
        .iter()
        .find(|id| !known.iter().any(|known| known.eq_ignore_ascii_case(id)));
    let Some(unknown) = unknown else {
        return Ok(());
    };
    let failure = Failure::new(
        Exit::Usage,
        format_args!("there is no {what} named `{}`", Escaped(unknown)),
    )
    .now("this command changed nothing");
    Err(match (nearest(unknown, known.iter().copied()), known) {
        (_, []) => failure.next(format!("leave `{option}` out")),
        (Some(meant), _) => failure.next(format!("did you mean `{option} {meant}`?")),
        (None, known) => failure.next(format!("known: {}", known.join(", "))),
    })
}

/// Collects the answers to `confirm` prerequisites: given by `--confirm ID`, else asked; `--yes`
/// never answers them.
pub(super) fn confirmations(
    plan: &Plan,
    given: &[String],
    again: &str,
) -> Result<Vec<String>, Failure> {
    let ids: Vec<&str> = plan
        .confirmations
        .iter()
        .map(|asked| asked.id.as_str())
        .collect();
    known_answers(given, &ids, "--confirm", "prerequisite to be confirmed")?;
    let mut confirmed = Vec::new();
    let mut missing = Vec::new();
    for asked in &plan.confirmations {
        let named = given.iter().any(|id| id.eq_ignore_ascii_case(&asked.id));
        if named
            || prompts::can_ask()
                && prompts::is_yes(&prompts::ask(&format!(
                    "{} [y/N]",
                    Escaped(&asked.question)
                )))
        {
            confirmed.push(asked.id.clone());
        } else {
            missing.push(asked);
        }
    }
    if missing.is_empty() {
        return Ok(confirmed);
    }
    let mut failure = Failure::new(Exit::NotReady, "").now("nothing was begun");
    failure.reasons = missing
        .iter()
        .map(|asked| format!("`{}` is not confirmed: {}", asked.id, asked.question))
        .collect();
    let flags: Vec<_> = missing
        .iter()
        .map(|asked| format!("--confirm {}", asked.id))
        .collect();
    Err(failure.next(format!("when it is so: `{again} {}`", flags.join(" "))))
}
