//! `approve`: the statement that approves a saved plan, for `ssh-keygen` to sign.

use anyhow::bail;
use jiff::Timestamp;

use super::show::read_saved_plan;
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{self, OutputFile};
use crate::cli::signed::how_to_sign;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::cli::views::plan::Reasons;
use crate::names::escaped_path;
use crate::plan::Plan;
use crate::signatures::{Namespace, Statement};

/// Runs `rollup approve`.
pub(super) fn approve(args: &args::ApproveArgs) -> anyhow::Result<Exit> {
    let output = OutputFile::of(args.output.as_deref(), &[&args.plan])?;
    if let Some(until) = args.until.filter(|until| *until <= Timestamp::now()) {
        let failure = Failure::usage(format!("{until} is in the past"));
        bail!(failure.next("name a time to come: `--until TIME`"));
    }
    let saved = read_saved_plan(&args.plan)?;
    let statement = statement(&saved.plan, args.until)
        .ok_or_else(|| not_approvable(&escaped_path(&args.plan)))?;
    // Standard output is for the statement alone.
    out::message(views::plan::text(&saved.plan, Reasons::Omitted));
    out::message("\nthe statement approves all of this:");
    output::document(&statement.to_string(), output.as_ref())?;
    if let Some(path) = &args.output {
        let next = how_to_sign(Namespace::Approval, path);
        out::message(format_args!("next: {next}"));
    }
    Ok(Exit::Ok)
}

/// Returns the statement for a plan; `None` for one that is not of a rollup, has no digest, or is for a
/// deployment whose name a statement cannot have.
fn statement(plan: &Plan, until: Option<Timestamp>) -> Option<Statement> {
    let rollup = plan.rollup()?;
    let statement = Statement {
        deployment: plan.deployment.clone(),
        rollup: rollup.kb,
        revision: rollup.revision.clone(),
        plan: plan.digest?,
        until,
    };
    let text = statement.to_string();
    let is_shown = text
        .lines()
        .all(|line| crate::names::Escaped(line).to_string() == line);
    (is_shown && text.parse() == Ok(statement.clone())).then_some(statement)
}

fn not_approvable(name: &str) -> Failure {
    let reason = format!(
        "`{name}` cannot be approved: it is not the plan of a rollup, or the name of its deployment \
         has characters that are not shown"
    );
    Failure::invalid(reason).next("`rollup plan MANIFEST --save FILE` saves a plan")
}
