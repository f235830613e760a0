//! The ways out of a run that cannot go on: it is closed as it stands, or its folder is set aside.

use super::executor::{load_plan, untouched};
use super::measure::measure;
use super::past::emptied;
use super::{Event, Listener, RunError};
use crate::deployment::locked::LockedDeployment;
use crate::journal::{
    Accepted, Aside, JournalFault, Outcome, Record, Run, RunState, Writer, sound_and_damaged,
};
use crate::names::{Digest, RelPath};
use crate::plan::{Plan, PlanFault};

/// A run that keeps every command from going on, because nobody can tell what it did or what it was
/// to do.
#[derive(Debug)]
pub struct Unusable {
    /// Its folder, below the deployment.
    pub folder: RelPath,
    /// What is wrong.
    pub why: RunError,
}

/// Closes an unfinished run where it is; who does, and why, is kept. No installed file moves, and
/// its slots keep what they hold.
///
/// # Errors
///
/// Whatever failed: the run is open as it was, unless only bringing the last record to disk did.
pub fn close_as_it_stands(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    (by, reason): (String, String),
    listener: &mut dyn Listener,
) -> Result<Digest, RunError> {
    // What the dead process did goes to disk before the run is called closed.
    disk.barrier()?;
    let known = plan
        .prediction
        .as_ref()
        .map(|prediction| prediction.entries.as_slice())
        .unwrap_or_default();
    let measured = measure(disk.tree(), &plan.live_paths(), known)?.digest;
    let outcome = Outcome::Accepted;
    let mut journal = Writer::resume(disk, &run.folder)?;
    let accepted = Accepted {
        by,
        reason,
        empty: emptied(disk.tree(), &run.folder, plan)?,
    };
    journal.write(
        disk,
        Record::Closed {
            outcome,
            measured,
            accepted: Some(accepted.clone()),
        },
    )?;
    listener.tell(&Event::Closed {
        outcome,
        measured,
        accepted: Some(&accepted),
    });
    Ok(measured)
}

/// The runs that stand in everybody's way: their journal is damaged, or the plan that is needed of
/// them cannot be used.
///
/// # Errors
///
/// What is no damage: the disk refused, or a later version wrote it.
pub fn unusable(disk: &LockedDeployment) -> Result<Vec<Unusable>, RunError> {
    let (runs, damaged) = sound_and_damaged(disk.tree())?;
    let damaged = damaged.into_iter().map(|damaged| Unusable {
        folder: damaged.folder,
        why: damaged.fault.into(),
    });
    let mut unusable: Vec<Unusable> = damaged.collect();
    for run in runs {
        let used = match run.state() {
            RunState::Staging | RunState::Staged => untouched(disk.tree(), &run),
            RunState::Closed(Outcome::Undone | Outcome::Accepted) => Ok(()),
            RunState::Unfinished(_) | RunState::Closed(Outcome::Applied) => {
                load_plan(disk.tree(), &run.folder).map(|_| ())
            }
        };
        match used {
            Ok(()) => {}
            Err(why) if is_damage(&why) => unusable.push(Unusable {
                folder: run.folder,
                why,
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(unusable)
}

fn is_damage(error: &RunError) -> bool {
    match error {
        RunError::Journal(fault) => matches!(fault, JournalFault::Damaged { .. }),
        RunError::Plan { fault, .. } => !matches!(fault, PlanFault::TooNew(_)),
        _ => false,
    }
}

/// Gives the folder of a run a name that is no run's; nothing in it is deleted. Returns that name's
/// path.
///
/// # Errors
///
/// Whatever failed. Once the folder has its new name, only the word about it may be missing.
pub fn set_aside(
    disk: &LockedDeployment,
    run: &Unusable,
    (by, reason): (String, String),
) -> Result<RelPath, RunError> {
    let folder = &run.folder;
    let named = |suffix: String| {
        let runs = folder.parent().expect("runs lie in a folder");
        runs.join(&format!("{}{}{suffix}", folder.name(), Aside::SUFFIX))
            .expect("a plain name")
    };
    let mut to = named(String::new());
    let mut number = 1;
    while disk.tree().look(&to)?.is_some() {
        number += 1;
        to = named(format!(".{number}"));
    }
    let at = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string();
    let said = Aside {
        at,
        by,
        reason,
        because: run.why.to_string(),
    };
    disk.barrier()?;
    disk.rename(folder, &to)?;
    let text = toml::to_string(&said).expect("four texts are TOML");
    disk.write(
        &to.join(Aside::FILE).expect("a plain name"),
        text.as_bytes(),
        None,
    )?;
    disk.barrier()?;
    Ok(to)
}
