//! Answers of the operator: options on the command line, or replies to a prompt.

use super::advice::typed_again;
use super::exit::Exit;
use super::failure::Failure;
use crate::cli::terminal::prompts;
use crate::names::Escaped;
use crate::plan::{Confirmation, Plan};

/// Asks a question, unless `--yes` answered it. Commands ask after all checks, and after they printed
/// what they will do.
///
/// # Errors
///
/// The answer is not yes, or there is no terminal to ask at.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if let Some(why) = prompts::missing_terminal() {
        let reason = format!("cannot prompt: {why}");
        let again = format!("`{} --yes` does it without asking", typed_again());
        return Err(Failure::usage(reason).next(again));
    }
    if prompts::is_yes(&prompts::ask(&format!("{question}? [y/N]"))) {
        return Ok(());
    }
    Err(Failure::new(Exit::Interrupted, "not confirmed"))
}

/// Refuses an answer to a question that is not asked.
pub(super) fn check_answers(
    given: &[String],
    known: &[&str],
    option: &str,
    kind: &str,
) -> Result<(), Failure> {
    for id in given {
        if known.iter().any(|known| known.eq_ignore_ascii_case(id)) {
            continue;
        }
        let advice = match known {
            [] => format!("leave `{option}` out"),
            known => format!("known: {}", known.join(", ")),
        };
        let reason = format!("there is no {kind} named `{}`", Escaped(id));
        return Err(Failure::usage(reason)
            .meant(&format!("{option} "), id, known.iter().copied())
            .next(advice));
    }
    Ok(())
}

/// Collects the answers to `confirm` prerequisites: given by `--confirm ID`, else prompted for;
/// `--yes` never answers them.
pub(super) fn confirmations(plan: &Plan, given: &[String]) -> Result<Vec<String>, Failure> {
    let asked = plan.confirmations.iter();
    let ids: Vec<&str> = asked.map(|asked| asked.id.as_str()).collect();
    check_answers(given, &ids, "--confirm", "`confirm` prerequisite")?;
    let mut confirmed = Vec::new();
    let mut failure = Failure::because(Exit::NotReady, Vec::new());
    let mut command = typed_again();
    for Confirmation { id, question } in &plan.confirmations {
        let is_given = given.iter().any(|given| given.eq_ignore_ascii_case(id));
        let prompt = format!("{} [y/N]", Escaped(question));
        if is_given || prompts::can_ask() && prompts::is_yes(&prompts::ask(&prompt)) {
            confirmed.push(id.clone());
        } else {
            let reason = format!("`{id}` is not confirmed: {question}");
            failure.reasons.push(reason);
            command.push_str(&format!(" --confirm {id}"));
        }
    }
    if failure.reasons.is_empty() {
        return Ok(confirmed);
    }
    Err(failure.next(format!("if the answer is yes: `{command}`")))
}
