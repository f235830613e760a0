//! Answers of the operator: options on the command line, or replies to a prompt.

use super::exit::Exit;
use super::failure::Failure;
use crate::cli::terminal::prompts;
use crate::document::nearest;
use crate::names::Escaped;
use crate::plan::Plan;

/// Prompts before a command continues, unless `--yes` was given.
pub(super) fn confirm_to_continue(yes: bool) -> Result<(), Failure> {
    if yes || prompts::is_yes(&prompts::ask("Continue? [y/N]")) {
        return Ok(());
    }
    Err(Failure::new(Exit::Interrupted, "not confirmed"))
}

/// Refuses to prompt without a terminal. `otherwise` is the way to run the command without one.
pub(super) fn require_terminal(otherwise: &str) -> Result<(), Failure> {
    let Some(stream) = prompts::missing_terminal() else {
        return Ok(());
    };
    let reason = format!("cannot prompt: {stream} is not a terminal");
    Err(Failure::new(Exit::Usage, reason).next(otherwise))
}

/// Refuses an answer to a question that is not asked.
pub(super) fn check_answers(
    given: &[String],
    known: &[&str],
    option: &str,
    kind: &str,
) -> Result<(), Failure> {
    let unknown = given
        .iter()
        .find(|id| !known.iter().any(|known| known.eq_ignore_ascii_case(id)));
    let Some(unknown) = unknown else {
        return Ok(());
    };
    let failure = Failure::new(
        Exit::Usage,
        format_args!("there is no {kind} named `{}`", Escaped(unknown)),
    );
    Err(match (nearest(unknown, known.iter().copied()), known) {
        (_, []) => failure.next(format!("leave `{option}` out")),
        (Some(meant), _) => failure.next(format!("did you mean `{option} {meant}`?")),
        (None, known) => failure.next(format!("known: {}", known.join(", "))),
    })
}

/// Collects the answers to `confirm` prerequisites: given by `--confirm ID`, else prompted for;
/// `--yes` never answers them.
pub(super) fn confirmations(
    plan: &Plan,
    given: &[String],
    retry_command: &str,
) -> Result<Vec<String>, Failure> {
    let ids: Vec<&str> = plan
        .confirmations
        .iter()
        .map(|confirmation| confirmation.id.as_str())
        .collect();
    check_answers(given, &ids, "--confirm", "`confirm` prerequisite")?;
    let mut confirmed = Vec::new();
    let mut missing = Vec::new();
    for confirmation in &plan.confirmations {
        let is_given = given
            .iter()
            .any(|id| id.eq_ignore_ascii_case(&confirmation.id));
        let question = format!("{} [y/N]", Escaped(&confirmation.question));
        if is_given || prompts::can_ask() && prompts::is_yes(&prompts::ask(&question)) {
            confirmed.push(confirmation.id.clone());
        } else {
            missing.push(confirmation);
        }
    }
    if missing.is_empty() {
        return Ok(confirmed);
    }
    let mut failure = Failure::because(Exit::NotReady, Vec::new());
    let mut command = retry_command.to_owned();
    for confirmation in missing {
        failure.reasons.push(format!(
            "`{}` is not confirmed: {}",
            confirmation.id, confirmation.question
        ));
        command.push_str(&format!(" --confirm {}", confirmation.id));
    }
    Err(failure.next(format!("if the answer is yes: `{command}`")))
}
