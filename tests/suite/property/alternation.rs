//! Apply, resume and undo in any alternation, each of them interrupted somewhere.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use rollup::names::CaseFolded;

use super::choose::cases;
use super::drive::{Came, Course, Interruption, Ready, Way, recover, rests, undo_finished};
use super::hold::hold;
use super::model::Case;
use super::reference::{Moment, Reference, moments};
use super::world::{World, actual, vacant};

/// One command of an alternation.
#[derive(Debug, Clone)]
struct Command {
    way: Way,
    interruption: Option<Interruption>,
    /// Where an operator puts a file of his before it, by the number of an item's or procedure's
    /// directory.
    puts: Option<u8>,
}

fn ways() -> impl Strategy<Value = Way> {
    select(vec![Way::Forward, Way::Back])
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let interruption = prop_oneof![
        4 => (1_usize..40).prop_map(Interruption::Death),
        2 => (1_usize..40).prop_map(Interruption::Failure),
        2 => (1_usize..20).prop_map(Interruption::Signal),
        1 => Just(Interruption::Nobody),
    ];
    let command = (
        ways(),
        proptest::option::weighted(0.9, interruption),
        proptest::option::weighted(0.3, any::<u8>()),
    );
    vec(
        command.prop_map(|(way, interruption, puts)| Command {
            way,
            interruption,
            puts,
        }),
        1..=6,
    )
}

/// Takes the run one way, whatever stands: begins it, goes on with it, or takes it back.
fn command(rollup: &Ready<'_>, at: &Path, way: Way, course: &mut Course) -> Came {
    match (rests(at), way) {
        (None, _) => recover(at, way, course),
        (Some(Way::Back), Way::Forward) => {
            let plan = rollup.plan(at).expect("it could be planned before");
            rollup.apply(at, &plan, course)
        }
        (Some(Way::Forward), Way::Back) => undo_finished(at, course),
        (Some(_), _) => Ok(None),
    }
}

/// The files that an operator put somewhere meanwhile.
struct Put {
    /// Directories that were there before any run: what a run made is gone when it is taken back,
    /// so that nobody's file can stay in it.
    directories: Vec<PathBuf>,
    /// Where, below the deployment, and which file it is.
    files: Vec<(PathBuf, u64)>,
}

impl Put {
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

    /// Puts a file into the directory of an item or procedure, unless a run has set it aside.
    fn put(&mut self, at: &Path, number: u8) {
        if self.directories.is_empty() {
            return;
        }
        let directory = &self.directories[usize::from(number) % self.directories.len()];
        let his = [
            "his.txt",
            "his/own/file",
            "files/his",
            "files/Program Files/his/file",
            "Files/HIS/file",
        ];
        let below = format!(
            "{} {}",
            his[usize::from(number / 16) % his.len()],
            self.files.len()
        );
        let Some(file) = Some(directory)
            .filter(|directory| directory.is_dir())
            .and_then(|directory| vacant(directory, &below))
        else {
            return;
        };
        fs::write(&file, "his own, put there meanwhile").expect("its directory is there");
        let identity = fs::metadata(&file).expect("just written").ino();
        self.files.push((
            file.strip_prefix(at).expect("it lies below").to_owned(),
            identity,
        ));
    }

    /// His files, and directories that are there for their sake alone.
    fn is_his(&self, path: &Path) -> bool {
        let case_folded = |path: &Path| CaseFolded::of(&path.to_string_lossy());
        let path = case_folded(path);
        self.files
            .iter()
            .flat_map(|(file, _)| file.ancestors())
            .any(|his| case_folded(his) == path)
    }

    fn all_there(&self, at: &Path, told: &str) -> TestCaseResult {
        for (file, identity) in &self.files {
            // Where a directory of ours came meanwhile, its spelling counts.
            let found = actual(at, file.to_str().expect("a name of ours"));
            let found = found
                .and_then(|found| fs::metadata(found).ok())
                .map(|metadata| metadata.ino());
            prop_assert_eq!(
                found,
                Some(*identity),
                "{}: the operator's {:?}",
                told,
                file
            );
        }
        Ok(())
    }
}

/// How often it was interrupted.
fn ends_where_the_last_one_says(
    reference: &Reference,
    rollup: &Ready<'_>,
    case: &Case,
    first: Moment,
    commands: &[Command],
) -> Result<usize, TestCaseError> {
    let world = World::of(case);
    let at = world.deployment();
    let mut put = Put::before(case, at);
    let mut course = Course::with(Some(reference.death(first)));
    let died = command(rollup, at, Way::Forward, &mut course);
    prop_assert_eq!(course.was_interrupted(&died), Ok(true));
    let mut interrupted = 1;
    for (
        number,
        Command {
            way,
            interruption,
            puts,
        },
    ) in commands.iter().enumerate()
    {
        if let Some(number) = puts {
            put.put(at, *number);
        }
        let mut course = Course::with(*interruption);
        let came = command(rollup, at, *way, &mut course);
        let told = format!("command {number} came to {came:?}");
        match course.was_interrupted(&came) {
            Ok(true) => interrupted += 1,
            Ok(false) => {}
            Err(why) => return Err(TestCaseError::fail(format!("command {number}: {why}"))),
        }
        if let Some(stands) = rests(at) {
            reference.stands_but_for(at, stands, &|path| put.is_his(path), &told)?;
            put.all_there(at, &told)?;
        }
    }
    let last = commands.last().expect("there is a last one").way;
    prop_assert_eq!(rests(at), Some(last), "it ended elsewhere");
    Ok(interrupted)
}

fn hold_in_alternation(cases_tried: u32, puts: bool) {
    let strategy = (cases(1), moments(), commands(), ways());
    let tally = hold(
        cases_tried,
        &strategy,
        |(case, first, mut commands, last), payloads, tally| {
            let rollup = &Ready::all(&case, payloads)?[0];
            let reference = Reference::of(&case, rollup, tally)?;
            commands
                .iter_mut()
                .filter(|_| !puts)
                .for_each(|command| command.puts = None);
            // The first of them may only clear away what died while it was staged.
            commands.extend(vec![
                Command {
                    way: last,
                    interruption: None,
                    puts: None
                };
                2
            ]);
            if ends_where_the_last_one_says(&reference, rollup, &case, first, &commands)? > 2 {
                tally.count_special();
            }
            Ok(())
        },
    );
    assert!(
        tally.special.get() > 10,
        "hardly any was interrupted more than twice"
    );
}

#[test]
fn commands_in_any_alternation_end_where_the_last_one_says() {
    hold_in_alternation(60, false);
}

#[test]
fn what_an_operator_puts_beside_items_between_any_commands_stays_where_he_put_it() {
    hold_in_alternation(60, true);
}
