//! Alternations of apply, resume and undo, each of them interrupted somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use rollup::journal::Direction;
use rollup::names::CaseFolded;
use rollup::plan::Plan;

use super::choose::cases;
use super::drive::{
    CommandObserver, CommandResult, Interruption, ObservedEvent, ReadyRollup, closed_direction,
    recover, undo_finished,
};
use super::hold::hold;
use super::model::Case;
use super::reference::{ChangePosition, Reference, change_positions};
use super::world::{RandomDeployment, actual, vacant};

/// One command of an alternation.
#[derive(Debug, Clone)]
struct InterruptedCommand {
    direction: Direction,
    interruption: Option<Interruption>,
    /// Number that selects a directory for an unmanaged file, which is added before the command.
    adds_file: Option<u8>,
}

fn directions() -> impl Strategy<Value = Direction> {
    select(vec![Direction::Forward, Direction::Back])
}

fn commands() -> impl Strategy<Value = Vec<InterruptedCommand>> {
    let interruption = prop_oneof![
        4 => (1_usize..40).prop_map(Interruption::Crash),
        2 => (1_usize..40).prop_map(Interruption::Failure),
        2 => (1_usize..20).prop_map(Interruption::Signal),
        1 => Just(Interruption::NoAnswer),
    ];
    let command = (
        directions(),
        proptest::option::weighted(0.9, interruption),
        proptest::option::weighted(0.3, any::<u8>()),
    );
    vec(
        command.prop_map(|(direction, interruption, adds_file)| InterruptedCommand {
            direction,
            interruption,
            adds_file,
        }),
        1..=6,
    )
}

/// Runs the command that leads in a direction: apply, resume or undo.
fn command(
    rollup: &ReadyRollup<'_>,
    at: &Path,
    direction: Direction,
    observer: &mut CommandObserver,
) -> CommandResult {
    match (closed_direction(at), direction) {
        (None, _) => recover(at, direction, observer),
        (Some(Direction::Back), Direction::Forward) => {
            let plan = rollup.plan(at).expect("the same plan as before");
            rollup.apply(at, &plan, observer)
        }
        (Some(Direction::Forward), Direction::Back) => undo_finished(at, observer),
        (Some(_), _) => Ok(None),
    }
}

/// Unmanaged files that were added between the commands.
struct UnmanagedFiles {
    /// Directories from before any run: an undo removes those that a run made, with their files.
    directories: Vec<PathBuf>,
    /// Paths below the deployment, with their inodes.
    files: Vec<(PathBuf, u64)>,
}

impl UnmanagedFiles {
    fn before(case: &Case, at: &Path) -> Self {
        let directories = case
            .site
            .places()
            .into_iter()
            .filter_map(|place| actual(at, &place));
        Self {
            directories: directories.filter(|directory| directory.is_dir()).collect(),
            files: Vec::new(),
        }
    }

    /// Adds a file to the directory of an item or procedure, unless a run has moved it to `old`.
    fn add(&mut self, at: &Path, number: u8) {
        if self.directories.is_empty() {
            return;
        }
        let directory = &self.directories[usize::from(number) % self.directories.len()];
        let names = [
            "unmanaged.txt",
            "unmanaged/own/file",
            "files/unmanaged",
            "files/Program Files/unmanaged/file",
            "Files/UNMANAGED/file",
        ];
        let below = format!(
            "{} {}",
            names[usize::from(number / 16) % names.len()],
            self.files.len()
        );
        let Some(file) = Some(directory)
            .filter(|directory| directory.is_dir())
            .and_then(|directory| vacant(directory, &below))
        else {
            return;
        };
        fs::write(&file, "unmanaged, added between two commands").expect("its directory exists");
        let identity = fs::metadata(&file).expect("just written").ino();
        self.files.push((
            file.strip_prefix(at)
                .expect("it is below the deployment")
                .to_owned(),
            identity,
        ));
    }

    /// Returns true for an added file and for its parent directories.
    fn is_unmanaged(&self, path: &Path) -> bool {
        let case_folded = |path: &Path| CaseFolded::of(&path.to_string_lossy());
        let path = case_folded(path);
        self.files
            .iter()
            .flat_map(|(file, _)| file.ancestors())
            .any(|unmanaged| case_folded(unmanaged) == path)
    }

    fn check_all_exist(&self, at: &Path, context: &str) -> TestCaseResult {
        for (file, identity) in &self.files {
            // If a run made a directory of this name since, its spelling counts.
            let found = actual(at, file.to_str().expect("a name in UTF-8"));
            let found = found
                .and_then(|found| fs::metadata(found).ok())
                .map(|metadata| metadata.ino());
            prop_assert_eq!(
                found,
                Some(*identity),
                "{}: the unmanaged file {:?}",
                context,
                file
            );
        }
        Ok(())
    }
}

/// Packages that rollup cannot open. No file of theirs is removed before a person has rolled its step
/// back since the run last went forward.
struct StoredPackages {
    /// Steps by their swaps.
    steps: BTreeMap<u32, String>,
    /// Swaps whose package is there.
    stored: BTreeSet<u32>,
    rolled_back: BTreeSet<String>,
}

impl StoredPackages {
    fn of(plan: &Plan) -> Self {
        let steps = plan.steps.iter().filter(|step| step.undo.is_some());
        let swaps = steps.flat_map(|step| {
            let operations = step.operations.iter();
            operations.map(|operation| (operation.swap, step.id.clone()))
        });
        Self {
            steps: swaps.collect(),
            stored: BTreeSet::new(),
            rolled_back: BTreeSet::new(),
        }
    }

    fn follow(&mut self, event: &ObservedEvent) -> TestCaseResult {
        match event {
            ObservedEvent::Turned(Direction::Forward) => self.rolled_back.clear(),
            ObservedEvent::Answered {
                step,
                direction: Direction::Back,
                ..
            } => drop(self.rolled_back.insert(step.clone())),
            ObservedEvent::Swapped { swap, direction } => {
                let Some(step) = self.steps.get(swap) else {
                    return Ok(());
                };
                if *direction == Direction::Forward {
                    self.rolled_back.remove(step);
                    self.stored.insert(*swap);
                } else if self.stored.remove(swap) {
                    prop_assert!(
                        self.rolled_back.contains(step),
                        "swap {swap} of {step} was rolled back before its package"
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Runs the commands one after another, and returns the number of interruptions.
fn run_commands(
    reference: &Reference,
    rollup: &ReadyRollup<'_>,
    case: &Case,
    first: ChangePosition,
    commands: &[InterruptedCommand],
) -> Result<usize, TestCaseError> {
    let world = RandomDeployment::of(case);
    let at = world.deployment();
    let mut unmanaged = UnmanagedFiles::before(case, at);
    let mut observer = CommandObserver::with(Some(reference.crash_at(first)));
    let crashed = command(rollup, at, Direction::Forward, &mut observer);
    prop_assert_eq!(observer.was_interrupted(&crashed), Ok(true));
    let mut packages = StoredPackages::of(&reference.plan);
    for event in observer.events() {
        packages.follow(event)?;
    }
    let mut interrupted = 1;
    for (
        number,
        InterruptedCommand {
            direction,
            interruption,
            adds_file,
        },
    ) in commands.iter().enumerate()
    {
        if let Some(number) = adds_file {
            unmanaged.add(at, *number);
        }
        let mut observer = CommandObserver::with(*interruption);
        let result = command(rollup, at, *direction, &mut observer);
        let context = format!("command {number} resulted in {result:?}");
        match observer.was_interrupted(&result) {
            Ok(true) => interrupted += 1,
            Ok(false) => {}
            Err(why) => return Err(TestCaseError::fail(format!("command {number}: {why}"))),
        }
        for event in observer.events() {
            packages.follow(event)?;
        }
        if let Some(last) = closed_direction(at) {
            reference.check_state_except(
                at,
                last,
                &|path| unmanaged.is_unmanaged(path),
                &context,
            )?;
            unmanaged.check_all_exist(at, &context)?;
        }
    }
    let last = commands.last().expect("at least one command").direction;
    prop_assert_eq!(closed_direction(at), Some(last), "after the last command");
    Ok(interrupted)
}

fn check_alternation(cases_tried: u32, adds_file: bool) {
    let strategy = (cases(1), change_positions(), commands(), directions());
    let tally = hold(
        cases_tried,
        &strategy,
        |(case, first, mut commands, last), payloads, tally| {
            let rollup = &ReadyRollup::all(&case, payloads)?[0];
            let reference = Reference::of(&case, rollup, tally)?;
            commands
                .iter_mut()
                .filter(|_| !adds_file)
                .for_each(|command| command.adds_file = None);
            // The first of them may only discard a run that crashed while staging.
            commands.extend(vec![
                InterruptedCommand {
                    direction: last,
                    interruption: None,
                    adds_file: None
                };
                2
            ]);
            if run_commands(&reference, rollup, &case, first, &commands)? > 2 {
                tally.count_special();
            }
            Ok(())
        },
    );
    assert!(
        tally.special.get() > 10,
        "few alternations were interrupted more than twice"
    );
}

#[test]
fn commands_in_any_alternation_end_in_the_state_of_the_last_one() {
    check_alternation(30, false);
}

#[test]
fn unmanaged_files_added_between_any_commands_stay_in_place() {
    check_alternation(30, true);
}
