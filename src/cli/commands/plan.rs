//! `plan`: shows what applying a manifest would do, and saves it for a review.

use crate::cli::args::{self, Format, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::job::{Job, preview, refuse, report_nothing_to_do};
use crate::cli::output::{IfExists, OutputFile};
use crate::cli::rehearsed::rehearsal_of;
use crate::cli::saved;
use crate::cli::signed::{describe_required, requires_approvals};
use crate::cli::terminal::out;
use crate::cli::views;
use crate::cli::views::plan::{Rehearsal, Showing};
use crate::plan::{NothingToDo, Plan, Planned};

/// Runs `rollup plan`.
pub(super) fn plan(args: &args::PlanArgs) -> anyhow::Result<Exit> {
    views::plan::check_options(&args.view)?;
    let job = Job::from_args(&args.planning)?;
    let reads = job.reads();
    let output = OutputFile::of(args.view.output.as_deref(), &reads)?;
    let save = match &args.save {
        Some(path) => Some((path, OutputFile::new(path, &reads, IfExists::Replace)?)),
        None => None,
    };
    if let (Some(output), Some((_, save))) = (&output, &save)
        && output.is_same(save)
    {
        let reason = "`--save` and `--output` name the same file";
        return Err(Failure::usage(reason)
            .next("name a different file for each")
            .into());
    }
    job.announce();
    let plan = match preview(&job)? {
        Planned::Plan(plan) => plan,
        Planned::Nothing(nothing) => {
            report_no_plan(args, &nothing);
            return Ok(Exit::Ok);
        }
    };
    let found = job.preflight(&plan)?;
    refuse(found.site)?;
    let refused: Vec<String> = found
        .caller
        .into_iter()
        .map(|reason| reason.message)
        .collect();
    for why in &refused {
        out::warn(format_args!("`rollup apply` would refuse this user: {why}"));
    }
    if let Some(note) = describe_required(&job.site.description) {
        out::message(format_args!("note: {note}"));
    }
    let exit = if args.detailed_exitcode {
        Exit::Changes
    } else {
        Exit::Ok
    };
    let rehearsal = rehearsal_of(&plan, args.view.rehearsal.as_deref())?;
    let showing = showing(&job, &plan, refused, rehearsal);
    views::plan::show(&plan, &showing, &args.view, exit, output.as_ref())?;
    if let Some((path, save)) = &save {
        saved::save(&job, &plan, path, save)?;
    }
    if let Some(saved) = &job.typed.saved_plan {
        let saved = out::shell_quoted(saved);
        out::message(format_args!(
            "{saved} still holds: planning again gives the same plan"
        ));
    }
    if plan.digest.is_none() {
        out::message("next: plan again with the payload: `--payload DIR`");
    } else if args.save.is_none() && requires_approvals(&job.site.description) {
        out::message("next: save it to have it approved: `--save FILE`");
    } else if args.save.is_none() {
        out::message(format_args!("next: {}", job.typed.command("apply")));
    }
    Ok(exit)
}

/// Gathers the facts about this command for the documents of a plan; `refused` are the reasons why
/// `apply` would refuse this user.
pub(super) fn showing(
    job: &Job,
    plan: &Plan,
    refused: Vec<String>,
    rehearsal: Option<Rehearsal>,
) -> Showing {
    let typed = &job.typed;
    let sources: Vec<_> = [
        ("manifest", &typed.manifest),
        ("saved plan", &typed.saved_plan),
        ("deployment", &typed.deployment),
        ("payload", &typed.payload),
    ]
    .into_iter()
    .filter_map(|(label, path)| Some((label, path.as_deref()?)))
    .collect();
    let apply = typed.command("apply");
    Showing::now(plan, &sources, &apply, Some(refused), rehearsal)
}

fn report_no_plan(args: &args::PlanArgs, nothing: &NothingToDo) {
    for file in args.save.iter().chain(&args.view.output) {
        let file = out::shell_quoted(file);
        out::message(format_args!(
            "nothing was written to {file}: there is no plan"
        ));
    }
    let format = match args.view.format {
        OutputFormat::Json => Format::Json,
        _ => Format::Text,
    };
    report_nothing_to_do(nothing, format);
}
