//! `report`: tells what happened in a run.

use crate::cli::args;
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::named::{Newest, choose};
use crate::cli::output::OutputFile;
use crate::cli::views;
use crate::deployment::lock::holder;
use crate::deployment::tree::Tree;
use crate::events::{self, Account, Records};
use crate::journal::{Damaged, Run, sound_and_damaged};
use crate::run::load_plan;

/// Runs `rollup report`.
pub(super) fn report(args: &args::Reporting) -> Result<Exit, Failure> {
    let site = inputs::run_site(args.deployment.deployment.as_deref())?;
    site.warn();
    let tree = &site.tree;
    let output = OutputFile::of(args.output.as_deref(), &[tree.path()])?;
    let (runs, damaged) = sound_and_damaged(tree).map_err(|fault| inputs::journal(&fault))?;
    let sound = runs.iter().map(|run| run.number).max();
    let account = match damaged
        .iter()
        .rfind(|damaged| is_named(damaged, &args.run, sound))
    {
        Some(damaged) => of_damaged(tree, damaged),
        None => of_run(tree, choose(&runs, &args.run, Newest::Any)?),
    };
    let at_work = holder(tree).map_err(|error| inputs::disk(&error))?;
    let mut account = account;
    // The deployment's own description has what the events lack.
    if let (None, Ok(description)) = (&account.deployment, &site.description) {
        account.deployment = Some(description.name.clone());
    }
    views::report::show(
        tree,
        &account,
        at_work.map(|holder| holder.to_string()),
        args.format,
        output.as_ref(),
    )?;
    Ok(Exit::Ok)
}

/// Returns whether a damaged run is meant; by `last` only if no sound run is newer.
fn is_named(damaged: &Damaged, named: &str, sound: Option<u32>) -> bool {
    let name = damaged.directory.name();
    let number = name
        .split_once('-')
        .and_then(|(number, _)| number.parse().ok());
    if named.eq_ignore_ascii_case("last") {
        return number > sound;
    }
    name.eq_ignore_ascii_case(named)
        || number.is_some_and(|number: u32| named.parse() == Ok(number))
}

fn of_run(tree: &Tree, run: &Run) -> Account {
    let plan = load_plan(tree, &run.directory);
    let records = Records {
        run: Some(run),
        plan: plan.as_ref().ok(),
    };
    let mut account = Account::of(run.name(), &events::read(tree, run.name()), &records);
    if run.journal.opened().is_none() {
        account
            .missing
            .push("the run's journal says nothing".to_owned());
    }
    if let Err(error) = plan {
        account.missing.push(error.to_string());
    }
    account
}

/// Reads the account of a run whose journal cannot be relied on: its events still exist.
fn of_damaged(tree: &Tree, damaged: &Damaged) -> Account {
    let name = damaged.directory.name();
    let plan = load_plan(tree, &damaged.directory).ok();
    let records = Records {
        run: None,
        plan: plan.as_ref(),
    };
    let mut account = Account::of(name, &events::read(tree, name), &records);
    account.missing.push(damaged.fault.to_string());
    account
}
