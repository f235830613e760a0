//! `resume`: finishes the unfinished run.

use crate::cli::answers::{asked, known_answers};
use crate::cli::args::Resume;
use crate::cli::ending::{arrived, not_walked, told_compared};
use crate::cli::exit::{Exit, Failure};
use crate::cli::next::Next;
use crate::cli::recovery::{all_runs, locked, manual_steps, nothing_open, show_way};
use crate::cli::terminal::out;
use crate::cli::terminal::signals::heeded;
use crate::cli::terminal::{Progress, Wishes};
use crate::events::Began;
use crate::journal::{Direction, Run};
use crate::run::{self, load_plan};

/// Runs `rollup resume`.
pub(super) fn resume(args: &Resume) -> Result<Exit, Failure> {
    let (disk, cleared) = locked(
        &args.deployment,
        args.yes,
        args.locking,
        args.rehearsing,
        "resume",
    )?;
    let directory = disk.tree().path().to_owned();
    let next = Next(&directory);
    let Some(open) = all_runs(&disk)?.into_iter().find(Run::is_open) else {
        return Ok(nothing_open(&cleared, ""));
    };
    let plan = load_plan(disk.tree(), &open.directory)
        .map_err(|error| not_walked(&error, &open, &next))?;
    known_answers(&args.done, &manual_steps(&plan), "--done", "manual step")?;
    show_way(&disk, &open, &plan, Direction::Forward)?;
    asked(args.yes)?;
    let wishes = Wishes {
        confirmed: args.done.clone(),
        manual_steps: args.rehearsing.into(),
        on_failure: args.failing.on_failure.into(),
        signals: heeded()?,
        ..Wishes::default()
    };
    let mut progress = Progress::new(disk.tree(), Began::of(&plan, "resume"), wishes);
    progress.reopen(open.name());
    let ended =
        run::resume(&disk, &open, &mut progress).map_err(|error| not_walked(&error, &open, &next));
    let result = ended
        .and_then(|ended| arrived(ended, &next))
        .map(|(measured, came)| {
            out::line(format_args!("run {} is finished", open.name()));
            told_compared(&plan, measured, &came);
            Exit::Ok
        });
    progress.end(&result);
    result
}
