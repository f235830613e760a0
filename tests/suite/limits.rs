//! Limits of the system, full devices and closed streams. A failure of events or messages stops
//! nothing; any other failure ends with an exit code and not with a signal.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit};

/// Runs the program in a shell that first sets a limit, such as with `ulimit -f 8`.
fn run_with_limit(world: &World, limit: &str, arguments: &str) -> Output {
    let program = world.command(arguments);
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
        .expect("the program runs")
}

fn output_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_limit_on_the_size_of_the_events_does_not_stop_a_commit() {
    let world = World::with_deployment();
    world.run("stage kb952076.toml --yes").exits_with(exit::OK);
    let output = run_with_limit(&world, "ulimit -f 8", APPLY);
    assert_eq!(
        output.status.code(),
        Some(exit::OK),
        "{}",
        output_text(&output)
    );
    let printed = output_text(&output);
    assert!(
        printed.contains(
            "could not be written to `deployment/.rollup/runs/0001-KB952076/events.ndjson`"
        ),
        "{printed}"
    );
    assert!(printed.contains("File too large"), "{printed}");
    world.run("verify").exits_with(exit::OK);
    world.run("report 1").exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
}

#[test]
fn a_limit_on_the_file_size_while_staging_changes_nothing() {
    for limit in [0, 1, 8, 64] {
        let world = World::with_deployment();
        let before = Listing::of(&world.deployment());
        let output = run_with_limit(&world, &format!("ulimit -f {limit}"), APPLY);
        assert_eq!(
            output.status.code(),
            Some(exit::IO),
            "{limit}: {}",
            output_text(&output)
        );
        before.assert_same(&Listing::of(&world.deployment()));
        world.run("status").exits_with(exit::OK);
        world.run(APPLY).exits_with(exit::OK);
    }
}

#[test]
fn a_journal_that_cannot_grow_leaves_a_run_that_can_be_recovered() {
    // From a journal without `committing` to one that lacks only the last record.
    for (bytes_left, command) in [0, 20, 110, 200, 230]
        .into_iter()
        .flat_map(|bytes_left| [(bytes_left, "resume"), (bytes_left, "undo")])
    {
        let world = small_world(UPDATE_PROVIDER);
        let before = Listing::of(&world.deployment());
        world.run("stage small.toml --yes").exits_with(exit::OK);
        let staged = world.read(".rollup/runs/0001-KB100001/journal").len();
        let output = run_with_limit(
            &world,
            &format!("prlimit --fsize={} --pid $$", staged + bytes_left),
            APPLY_SMALL,
        );
        let code = output.status.code();
        if code == Some(exit::OK) {
            continue;
        }
        assert!(
            matches!(code, Some(exit::IO | exit::NEEDS_ATTENTION)),
            "{bytes_left}: {code:?} {}",
            output_text(&output)
        );
        world.run(&format!("{command} --yes")).exits_with(exit::OK);
        match command {
            "undo" => before.assert_same(&Listing::of(&world.deployment())),
            _ => drop(world.run("verify").exits_with(exit::OK)),
        }
        world.run("status").exits_with(exit::OK);
    }
}

#[test]
fn a_limit_on_open_files_is_an_error_and_not_a_panic() {
    for limit in [5, 8, 10, 12, 16, 24, 32] {
        let world = small_world(UPDATE_PROVIDER);
        let before = Listing::of(&world.deployment());
        let output = run_with_limit(&world, &format!("ulimit -n {limit}"), APPLY_SMALL);
        let (code, printed) = (output.status.code(), output_text(&output));
        assert!(!printed.contains("panicked"), "{limit}: {printed}");
        match code {
            // 127: too few for the loader itself.
            Some(exit::OK | 127) => {}
            Some(exit::IO | exit::ROLLED_BACK | exit::NOT_READY) => {
                before.assert_same(&Listing::of(&world.deployment()))
            }
            _ => panic!("{limit}: {code:?} {printed}"),
        }
    }
}

#[test]
fn events_that_cannot_be_written_are_reported_and_do_not_stop_a_run() {
    let at = ".rollup/runs/0001-KB100001/events.ndjson";
    for object in ["a directory", "a FIFO", "a link", "a full device"] {
        let world = small_world(UPDATE_PROVIDER);
        world.run("stage small.toml --yes").exits_with(exit::OK);
        let live = world.live(at);
        fs::remove_file(&live).expect("removed");
        match object {
            "a directory" => fs::create_dir(live).expect("made"),
            "a FIFO" => {
                mknodat(CWD, live, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made")
            }
            "a link" => symlink(world.at("elsewhere"), live).expect("linked"),
            _ => symlink("/dev/full", live).expect("linked"),
        }
        let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
        ran.prints(&format!(
            "the events of this command are not recorded: cannot write `deployment/{at}`"
        ));
        assert!(!world.at("elsewhere").exists(), "{object}");
    }
}

#[test]
fn a_closed_or_full_terminal_does_not_stop_a_run() {
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
        let output = run_with_limit(&world, &format!("exec {closed}"), APPLY_SMALL);
        assert_eq!(
            output.status.code(),
            Some(exit::OK),
            "{closed}: {}",
            output_text(&output)
        );
        world.run("verify").exits_with(exit::OK);
    }
    let world = small_world(UPDATE_PROVIDER);
    let output = run_with_limit(&world, "ulimit -f 0\nexec >out 2>&1", "plan small.toml");
    assert_eq!(output.status.code(), Some(exit::IO));
}

#[test]
fn a_rehearsal_under_a_limit_ends_with_an_exit_code() {
    let world = World::with_deployment();
    let output = run_with_limit(&world, "ulimit -f 8", "rehearse kb952076.toml");
    assert_eq!(
        output.status.code(),
        Some(exit::IO),
        "{}",
        output_text(&output)
    );
}
