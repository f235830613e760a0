//! A limit of the system, a full disk or a reader that went away is an error like any other: what
//! is never needed stops nothing, and what is needed ends with an exit code and not with a signal.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit};

/// Runs the program in a shell that first does this, such as `ulimit -f 8`.
fn under(world: &World, limit: &str, words: &str) -> Output {
    let program = world.command(words);
    let mut shell = Command::new("bash");
    shell
        .arg("-c")
        .arg(format!("{limit}\nexec \"$0\" \"$@\""))
        .arg(program.get_program())
        .args(program.get_args());
    shell.envs(
        program
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    shell
        .current_dir(world.at(""))
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn events_beyond_a_limit_of_the_file_size_do_not_stop_a_commit() {
    let world = World::with_deployment();
    world.run("stage kb952076.toml --yes").exits_with(exit::OK);
    let output = under(&world, "ulimit -f 8", APPLY);
    assert_eq!(output.status.code(), Some(exit::OK), "{}", told(&output));
    let said = told(&output);
    assert!(
        said.contains(
            "could not be written to `deployment/.rollup/runs/0001-KB952076/events.ndjson`"
        ),
        "{said}"
    );
    assert!(said.contains("File too large"), "{said}");
    world.run("verify").exits_with(exit::OK);
    world.run("report 1").exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
}

#[test]
fn a_limit_of_the_file_size_while_staging_begins_nothing() {
    for limit in [0, 1, 8, 64] {
        let world = World::with_deployment();
        let before = Listing::of(&world.deployment());
        let output = under(&world, &format!("ulimit -f {limit}"), APPLY);
        assert_eq!(
            output.status.code(),
            Some(exit::IO),
            "{limit}: {}",
            told(&output)
        );
        before.assert_same(&Listing::of(&world.deployment()));
        world.run("status").exits_with(exit::OK);
        world.run(APPLY).exits_with(exit::OK);
    }
}

#[test]
fn a_journal_that_cannot_grow_leaves_a_run_that_can_be_recovered() {
    // From not even `committing` to all but the last record.
    for (room, way) in [0, 20, 110, 200, 230]
        .into_iter()
        .flat_map(|room| [(room, "resume"), (room, "undo")])
    {
        let world = small_world(UPDATE_PROVIDER);
        let before = Listing::of(&world.deployment());
        world.run("stage small.toml --yes").exits_with(exit::OK);
        let staged = world.read(".rollup/runs/0001-KB100001/journal").len();
        let output = under(
            &world,
            &format!("prlimit --fsize={} --pid $$", staged + room),
            APPLY_SMALL,
        );
        let code = output.status.code();
        if code == Some(exit::OK) {
            continue;
        }
        assert!(
            matches!(code, Some(exit::IO | exit::NEEDS_ATTENTION)),
            "{room}: {code:?} {}",
            told(&output)
        );
        world.run(&format!("{way} --yes")).exits_with(exit::OK);
        match way {
            "undo" => before.assert_same(&Listing::of(&world.deployment())),
            _ => drop(world.run("verify").exits_with(exit::OK)),
        }
        world.run("status").exits_with(exit::OK);
    }
}

#[test]
fn few_open_files_are_an_error_and_not_a_panic() {
    for limit in [5, 8, 10, 12, 16, 24, 32] {
        let world = small_world(UPDATE_PROVIDER);
        let before = Listing::of(&world.deployment());
        let output = under(&world, &format!("ulimit -n {limit}"), APPLY_SMALL);
        let (code, said) = (output.status.code(), told(&output));
        assert!(!said.contains("panicked"), "{limit}: {said}");
        match code {
            // Too few for the loader itself.
            Some(exit::OK | 127) => {}
            Some(exit::IO | exit::UNDONE | exit::NOT_READY) => {
                before.assert_same(&Listing::of(&world.deployment()))
            }
            _ => panic!("{limit}: {code:?} {said}"),
        }
    }
}

#[test]
fn events_that_cannot_be_written_are_reported_and_stop_nothing() {
    let at = ".rollup/runs/0001-KB100001/events.ndjson";
    for what in ["a directory", "a FIFO", "a link", "a full device"] {
        let world = small_world(UPDATE_PROVIDER);
        world.run("stage small.toml --yes").exits_with(exit::OK);
        let live = world.live(at);
        fs::remove_file(&live).expect("removed");
        match what {
            "a directory" => fs::create_dir(live).expect("made"),
            "a FIFO" => {
                mknodat(CWD, live, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made")
            }
            "a link" => symlink(world.at("elsewhere"), live).expect("linked"),
            _ => symlink("/dev/full", live).expect("linked"),
        }
        let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
        ran.says(&format!(
            "the events of this command are not recorded: cannot write `deployment/{at}`"
        ));
        assert!(!world.at("elsewhere").exists(), "{what}");
    }
}

#[test]
fn a_terminal_that_went_away_or_is_full_stops_nothing() {
    for closed in [
        ">&-",
        "2>&-",
        ">&- 2>&-",
        "<&- >&- 2>&-",
        ">/dev/full",
        "2>/dev/full",
        ">/dev/full 2>/dev/full",
    ] {
        let world = small_world(UPDATE_PROVIDER);
        let output = under(&world, &format!("exec {closed}"), APPLY_SMALL);
        assert_eq!(
            output.status.code(),
            Some(exit::OK),
            "{closed}: {}",
            told(&output)
        );
        world.run("verify").exits_with(exit::OK);
    }
    let world = small_world(UPDATE_PROVIDER);
    let output = under(&world, "ulimit -f 0\nexec >out 2>&1", "plan small.toml");
    assert_eq!(output.status.code(), Some(exit::IO));
}

#[test]
fn a_rehearsal_under_a_limit_ends_with_a_code() {
    let world = World::with_deployment();
    let output = under(&world, "ulimit -f 8", "rehearse kb952076.toml");
    assert_eq!(output.status.code(), Some(exit::IO), "{}", told(&output));
}
