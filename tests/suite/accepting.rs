//! `accept` makes the records match the disk: it accepts drift, and closes a run that is stuck.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rollup::deployment::fault_injection::FaultInjector;
use rollup::deployment::snapshot::{Interest, Snapshot};
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Direction, Outcome, Run, RunState, runs};
use rollup::plan::{self, AcceptResult, Expectation};
use rollup::run::{self, Ended, LeftObjects, Listener, RunError};

use crate::crash::site::{DeploymentCopy, Site};
use crate::crash::tree::Tree;
use crate::crash::{
    ConfirmingListener, CrashInjector, apply, change_count, lock, make_rollup_directory, one_of,
    recover, sample,
};
use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, CommandRun, World, exit};

const ACCEPT: &str = "accept --yes --reason 'repaired by hand'";
const PROVIDER: &str = "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider";
const WEB_SERVICE: &str = "MPS Web Services/Hosted Email 2007 Web Service";

/// Returns the path of an installed file of an instance, by the end of its name.
#[track_caller]
fn installed(world: &World, instance: &str, end: &str) -> String {
    let files = Path::new(instance).join("files");
    let condition = |path: &Path| path.starts_with(&files) && path.to_string_lossy().ends_with(end);
    let found = Listing::of(&world.deployment())
        .paths(|path, entry| entry.kind == "file" && condition(path));
    found
        .first()
        .expect("such a file is installed")
        .to_str()
        .expect("a plain path")
        .to_owned()
}

/// Returns the paths that a command changed, made or removed.
fn touched(ran: &CommandRun<'_>) -> Vec<PathBuf> {
    let (before, after) = (ran.before(), ran.after());
    let mut all: BTreeSet<PathBuf> = before.paths(|_, _| true).into_iter().collect();
    all.extend(after.paths(|_, _| true));
    all.into_iter()
        .filter(|path| before.get(path) != after.get(path))
        .collect()
}

/// Applies the rollup, and makes drift: one of its files is changed and one removed, an installer
/// and the record of a service are changed, and the second server's web service lacks a file.
fn drifted() -> World {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let (dll, other) = (
        installed(&world, PROVIDER, "provider.dll"),
        installed(&world, PROVIDER, "notes.txt"),
    );
    let lost = installed(&world, &format!("{WEB_SERVICE}/PROV02"), ".dll");
    let engine = "Servers/MPS01/Services/Provisioning Engine.toml";
    let stopped = world
        .read(engine)
        .replace("running = true", "running = false");
    let share = Listing::of(&world.live("MSIShare"));
    let condition = |path: &Path| {
        path.as_os_str()
            .eq_ignore_ascii_case("Exchange2007Provider.msi")
    };
    let msi = share.paths(|path, _| condition(path)).remove(0);
    let world = world
        .write_file(&dll, "a hotfix")
        .remove(&other)
        .remove(&lost)
        .write_file(engine, stopped);
    world.write_file(&format!("MSIShare/{}", msi.display()), "another package")
}

#[test]
fn drift_that_is_accepted_matches_from_then_on() {
    let world = drifted();
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("accept -d deployment --reason TEXT")
        .nothing_was_touched();
    world
        .run(APPLY)
        .exits_with(exit::MISMATCH)
        .prints("`rollup accept -d deployment --reason TEXT --yes` accepts the drift");
    let ran = world.run(ACCEPT).exits_with(exit::OK);
    let records = [
        format!("{PROVIDER}/state.toml"),
        format!("{WEB_SERVICE}/PROV02/state.toml"),
    ];
    assert_eq!(
        touched(&ran),
        records.map(PathBuf::from),
        "only records change"
    );
    ran.prints("accepted as run 0002-accept: 5 differences")
        .prints("rewrote the records of 2 items");
    world
        .run("verify")
        .exits_with(exit::OK)
        .prints("everything matches")
        .does_not_print("drift");
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("nothing to do: KB952076 revision 1.0 is applied");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress")
        .prints("applied: KB952076");
    let provider = world.read(&format!("{PROVIDER}/state.toml"));
    for kept in [
        "state = \"verified\"",
        "kb = \"KB952076\"",
        "version = \"4.0.300\"",
        "product_code = ",
    ] {
        assert!(provider.contains(kept), "{kept}\n{provider}");
    }
    assert!(
        provider.contains(&rollup::names::Digest::of(b"another package").to_string()),
        "{provider}"
    );
    assert!(
        provider.contains(&rollup::names::Digest::of(b"a hotfix").to_string()),
        "{provider}"
    );
}

#[test]
fn a_change_after_an_acceptance_is_drift_again() {
    let world = drifted();
    world.run(ACCEPT).exits_with(exit::OK);
    let dll = installed(&world, PROVIDER, "provider.dll");
    let world = world.write_file(&dll, "another hotfix").write_file(
        "Servers/MPS01/Services/Provisioning Engine.toml",
        "schema = 1",
    );
    let ran = world.run("verify").exits_with(exit::MISMATCH);
    ran.prints(&dll).prints("run 0002-accept left it");
    world.run(APPLY).exits_with(exit::INVALID);
}

#[test]
fn undo_of_an_acceptance_restores_every_record() {
    let world = drifted();
    let before = world.run(ACCEPT).exits_with(exit::OK).before().clone();
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .prints("run 0002-accept is undone");
    before.assert_same(&ran.after());
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("Exchange2007provider.dll");
    world
        .run("history")
        .exits_with(exit::OK)
        .prints("2 accept undone");
    // A second acceptance works like the first one.
    world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("run 0003-accept");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn the_rollup_is_undone_only_after_the_acceptance() {
    let world = drifted();
    world.run(ACCEPT).exits_with(exit::OK);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("run 0002-accept is later than")
        .tree_is_unchanged();
    world.run("undo last --yes").exits_with(exit::OK);
    world
        .run("undo 1 --yes")
        .exits_with(exit::MISMATCH)
        .prints("changed since the run: ")
        .tree_is_unchanged();
    world
        .run("undo 1 --yes --discard-changes")
        .exits_with(exit::OK);
}

#[test]
fn only_the_items_that_are_named_are_accepted() {
    let world = drifted();
    let path = format!("accept '{WEB_SERVICE}@PROV02' --yes --reason 'one file less'");
    let ran = world
        .run(&path)
        .exits_with(exit::OK)
        .prints("accepted as run 0002-accept: 1 difference");
    assert_eq!(
        touched(&ran),
        [PathBuf::from(format!("{WEB_SERVICE}/PROV02/state.toml"))]
    );
    let ran = world.run("verify").exits_with(exit::MISMATCH);
    ran.prints("Exchange 2007 Provider")
        .prints("Provisioning Engine.toml")
        .does_not_print("PROV02");
    world
        .run("accept 'exchange 2007 provider' --yes --reason more")
        .exits_with(exit::OK);
    let ran = world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("Provisioning Engine.toml")
        .prints("1 difference in");
    ran.does_not_print("Exchange 2007 Provider");
    let nothing = world
        .run("accept 'Hosted Exchange' --yes --reason more")
        .exits_with(exit::OK);
    nothing
        .prints("nothing to do: the named items match their records")
        .tree_is_unchanged();
}

#[test]
fn drift_of_an_item_installed_before_any_run_is_accepted() {
    let world = World::with_deployment();
    let dll = installed(&world, PROVIDER, ".dll");
    let world = world.write_file(&dll, "older and repaired");
    let ran = world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("accepted as run 0001-accept");
    assert_eq!(
        touched(&ran),
        [PathBuf::from(format!("{PROVIDER}/state.toml"))]
    );
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("applied KB952076 as run 0002-KB952076");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn accept_accepts_a_missing_installer() {
    let world = small_world(UPDATE_PROVIDER).remove("Share/Site.msi");
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("`Share/Site.msi` is gone");
    let ran = world.run(ACCEPT).exits_with(exit::OK);
    assert!(
        touched(&ran).is_empty(),
        "no record says that there is none"
    );
    world.run("verify").exits_with(exit::OK);
    let world = world.write_file("Share/Site.msi", "something else");
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("`Share/Site.msi` has other contents");
}

#[test]
fn an_installer_is_accepted_for_each_server_separately() {
    let world = World::with_deployment();
    let state: toml::Table = world
        .read(&format!("{WEB_SERVICE}/PROV02/state.toml"))
        .parse()
        .expect("a record");
    let msi = format!(
        "MSIShare/{}",
        state["installer"]["name"].as_str().expect("a name")
    );
    let world = world.write_file(&msi, "another package");
    world
        .run(&format!("accept '{WEB_SERVICE}@PROV01' --yes --reason one"))
        .exits_with(exit::OK);
    let ran = world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("1 difference in");
    ran.prints("`Hosted Email 2007 Web Service on PROV02` was installed from it");
}

#[test]
fn drift_without_a_record_of_its_own_needs_no_swap() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let edited = format!("# by hand\n{}", world.read("applied/KB100001.toml"));
    let world = world.write_file("applied/KB100001.toml", edited);
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("applied/KB100001.toml");
    world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("accepted as run 0002-accept: 1 difference")
        .tree_is_unchanged();
    assert!(
        !world
            .run_directory("0002-accept")
            .join("manifest.toml")
            .exists()
    );
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("applied/KB100001.toml");
}

#[test]
fn a_record_that_was_edited_by_hand_stays_as_it_is() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let state = "Things/Provider/state.toml";
    let edited = format!("# by hand\n{}", world.read(state));
    let world = world.write_file(state, edited);
    world.run("verify").exits_with(exit::MISMATCH).prints(state);
    world.run(ACCEPT).exits_with(exit::OK).tree_is_unchanged();
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_spelling_that_changed_is_accepted() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.rename("Share/Provider.msi", "Share/PROVIDER.MSI");
    world.run(APPLY_SMALL).exits_with(exit::MISMATCH);
    world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("is spelled `Share/PROVIDER.MSI`")
        .tree_is_unchanged();
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_named_item_that_is_installed_becomes_verified() {
    let state = "Things/Provider/state.toml";
    let world = small_world(UPDATE_PROVIDER);
    let failed = world
        .read(state)
        .replace("\"verified\"", "\"verify-failed\"");
    let world = world.write_file(state, failed);
    world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("nothing to do")
        .tree_is_unchanged();
    let ran = world
        .run("accept Provider --yes --reason 'tried it'")
        .exits_with(exit::OK);
    ran.prints("changes from verify-failed to verified");
    assert!(world.read(state).contains("state = \"verified\""));
    world
        .run("tree")
        .exits_with(exit::OK)
        .does_not_print("verify-failed");
}

#[test]
fn drift_that_cannot_be_accepted_is_named_and_left() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let dll = installed(&world, "Things/Namespace", ".dll");
    let provider = installed(&world, "Things/Provider", ".dll");
    let clash = provider.replace(".dll", ".DLL");
    let site = "Web/Site/WEB01/state.toml";
    let world = world
        .write_file(&clash, "a twin")
        .write_file(site, "state = ")
        .remove(&dll);
    fs::create_dir(world.live(&dll)).expect("made");
    let world = world.write_file("Share/Provider.msi", "another package");
    let ran = world
        .run(ACCEPT)
        .exits_with(exit::MISMATCH)
        .prints("accepted as run 0002-accept");
    for left in [dll.as_str(), site, "differ only in case"] {
        assert!(
            ran.output_contains(left),
            "{left} is not named\n{}",
            ran.stdout()
        );
    }
    ran.prints("this cannot be accepted")
        .prints("now: run 0002-accept is finished");
    let ran = world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .does_not_print("Share/Provider.msi");
    ran.prints(&dll).prints(site).prints("differ only in case");
    world
        .run(ACCEPT)
        .exits_with(exit::MISMATCH)
        .prints("now: this command changed nothing")
        .tree_is_unchanged();
}

#[test]
fn files_whose_record_is_lost_are_left() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.remove("Things/Provider/state.toml");
    let ran = world
        .run(ACCEPT)
        .exits_with(exit::MISMATCH)
        .tree_is_unchanged();
    ran.prints("contains files, but no `state.toml` describes them");
}

#[test]
fn without_drift_there_is_nothing_to_accept() {
    let world = World::with_deployment();
    world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("nothing to do: everything matches its records")
        .nothing_was_touched();
    world.run(APPLY).exits_with(exit::OK);
    world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("nothing to do")
        .tree_is_unchanged();
    assert!(!world.run_directory("0002-accept").exists());
}

#[test]
fn an_unknown_item_is_refused_with_the_nearest_name() {
    let world = World::with_deployment();
    for (named, help) in [
        (
            "'Exchange 2007 Provder'",
            "did you mean `Exchange 2007 Provider`?",
        ),
        (
            "'Hosted Exchange/Exchange Provisionin/Exchange 2007 Provider'",
            "did you mean `Exchange 2007 Provider`?",
        ),
        ("'Hosted Exchnge'", "did you mean `Hosted Exchange`?"),
        (
            "'Hosted Email 2007 Web Service@PROV03'",
            "did you mean `Hosted Email 2007 Web Service@PROV0",
        ),
        (
            "'Exchange 2007 Provider@PROV01'",
            "it is not bound to a server: write `Exchange 2007 Provider`",
        ),
        (
            "zzz",
            "`rollup tree -d deployment` lists the names of the console",
        ),
    ] {
        let ran = world
            .run(&format!("accept {named} --yes --reason x"))
            .exits_with(exit::USAGE)
            .prints(help);
        ran.prints("now: this command changed nothing")
            .nothing_was_touched();
    }
}

#[test]
fn a_reason_is_required_and_shown_by_history() {
    let world = drifted();
    for command in [
        "accept --yes",
        "accept --yes --reason ''",
        "accept --yes --reason '  '",
    ] {
        world
            .run(command)
            .exits_with(exit::USAGE)
            .prints("--reason")
            .nothing_was_touched();
    }
    world
        .run("accept --yes --reason 'hotfix of case 4711'")
        .exits_with(exit::OK);
    world
        .run("history")
        .exits_with(exit::OK)
        .prints("accepted: hotfix of case 4711");
    let history = world
        .run("history --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(history["runs"][0]["reason"], "hotfix of case 4711");
}

#[test]
fn an_acceptance_needs_a_confirmation() {
    let world = drifted();
    let ran = world
        .run("accept --reason x")
        .exits_with(exit::USAGE)
        .prints("cannot prompt: standard input is not a terminal")
        .prints("--yes");
    ran.tree_is_unchanged();
    world
        .at_terminal("accept --reason x", "n\n")
        .exits_with(exit::INTERRUPTED)
        .prints("[y/N]")
        .tree_is_unchanged();
    world
        .at_terminal("accept --reason x", "y\n")
        .exits_with(exit::OK)
        .prints("accepted as run 0002-accept");
}

/// Returns a world whose run is stopped before its step `install`.
fn stopped() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    world
}

#[test]
fn a_stuck_run_is_closed_in_its_current_state() {
    let before = Listing::of(&small_world(UPDATE_PROVIDER).deployment());
    let world = stopped();
    let ran = world.run(ACCEPT).exits_with(exit::OK).tree_is_unchanged();
    ran.prints("run 0001-KB100001 is unfinished")
        .prints("step remove: done, 1 operation")
        .prints("2 of 3 operations done")
        .prints("run 0001-KB100001 is closed in its current state; no installed file was moved");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress")
        .prints("no rollup is applied");
    world
        .run("history")
        .exits_with(exit::OK)
        .prints("1 KB100001 accepted")
        .prints("accepted: repaired by hand");
    world
        .run("history 1")
        .exits_with(exit::OK)
        .prints("in its current state by");
    let history = world
        .run("history --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&history["runs"][0]["state"], &history["runs"][0]["reason"]),
        (&"accepted".into(), &"repaired by hand".into())
    );
    world
        .run("resume --yes")
        .exits_with(exit::OK)
        .prints("nothing to do: no run in progress")
        .tree_is_unchanged();
    assert!(
        world
            .run_directory("0001-KB100001")
            .join("slots/1/old/state.toml")
            .exists(),
        "the slots keep their objects"
    );
    // It counts as finished, and what it did is undone like that of another run.
    world
        .run("undo 1 --yes")
        .exits_with(exit::OK)
        .prints("run 0001-KB100001 is undone: the deployment is as it was before");
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn after_a_stuck_run_was_closed_the_rest_is_drift() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("apply small.toml --yes --reapply --stop-before install")
        .exits_with(exit::STOPPED);
    world.run(ACCEPT).exits_with(exit::OK).tree_is_unchanged();
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("run 0001-KB100001 left it");
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("catches up")
        .prints("`Provider` lags behind KB100001: it is not installed");
    world
        .run(ACCEPT)
        .exits_with(exit::OK)
        .prints("accepted as run 0003-accept");
    assert!(
        world
            .read("Things/Provider/state.toml")
            .contains("accepted = true")
    );
    let ran = world.run("verify").exits_with(exit::MISMATCH);
    ran.prints("1 difference")
        .prints("`Namespace` requires `Provider`, which is not installed");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
    world
        .run("apply small.toml --yes --reapply --include-missing")
        .exits_with(exit::OK);
}

#[test]
fn a_live_path_that_a_closed_run_left_empty_is_drift_until_it_is_accepted() {
    let world = stopped().rename("Things/Provider", ".rollup/runs/0001-KB100001/slots/3/old");
    let kept = "`.rollup/runs/0001-KB100001/slots/3/old`";
    let ran = world.run(ACCEPT).exits_with(exit::OK).tree_is_unchanged();
    let slot = ".rollup/runs/0001-KB100001/slots/3";
    ran.prints(&format!(
        "between: `Things/Provider`; its objects are in `{slot}`"
    ))
    .prints("empty now: `Things/Provider`")
    .prints(kept);
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("`Things/Provider` is gone")
        .prints(kept);
    world
        .run("accept Provider --yes --reason 'not needed'")
        .exits_with(exit::OK)
        .tree_is_unchanged();
    let ran = world.run("verify").exits_with(exit::MISMATCH);
    ran.prints("1 difference")
        .prints("`Namespace` requires `Provider`, which is not installed");
    world.run("undo last --yes").exits_with(exit::OK);
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("`Things/Provider` is gone");
}

#[test]
fn a_live_path_that_a_closed_run_left_empty_is_drift_even_without_its_slots() {
    let world = stopped().rename("Things/Provider", ".rollup/runs/0001-KB100001/slots/3/old");
    world.run(ACCEPT).exits_with(exit::OK);
    // Its objects are needed.
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .prints("skipped: run 0001-KB100001 is needed");
    let world = world.remove(".rollup/runs/0001-KB100001/slots");
    let ran = world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("`Things/Provider` is gone");
    ran.prints("had moved it to its directory")
        .does_not_print("keeps it as");
}

#[test]
fn a_run_is_closed_despite_an_unexpected_file_at_a_live_path() {
    let world = stopped().rename("Things/Provider", ".rollup/runs/0001-KB100001/slots/3/old");
    std::os::unix::fs::symlink("elsewhere", world.live("Things/Provider")).expect("linked");
    world
        .run("status")
        .exits_with(11)
        .prints("accept -d deployment --reason TEXT")
        .nothing_was_touched();
    let ran = world.run(ACCEPT).exits_with(exit::OK).tree_is_unchanged();
    ran.prints("needs attention: an unexpected file or directory is at the live path");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
}

#[test]
fn items_are_accepted_only_after_the_open_run_is_closed() {
    let world = stopped();
    let ran = world
        .run("accept Provider --yes --reason x")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    ran.prints("run 0001-KB100001 is unfinished, and must be closed first")
        .prints("without items first; then accept the items");
    world.run("status").exits_with(exit::STOPPED);
}

#[test]
fn a_staged_run_cannot_be_accepted() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    let ran = world
        .run(ACCEPT)
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.prints("run 0001-KB100001 is staged, and has nothing to accept")
        .prints("undo -d deployment --yes` discards it")
        .prints("resume -d deployment");
    world.run("undo --yes").exits_with(exit::OK);
}

/// Changes one letter in the middle of a file in the run's directory.
fn damage(world: &World, file: &str) {
    let at = world.run_directory("0001-KB100001").join(file);
    let text = fs::read_to_string(&at).expect("a text");
    fs::write(
        &at,
        text.replacen("engine", "engina", 1)
            .replacen("KB100001", "KB100002", 1),
    )
    .expect("written");
}

#[test]
fn a_run_that_cannot_be_read_is_quarantined_completely() {
    for (file, code) in [("journal", 11), ("plan.json", 11)] {
        let world = stopped().with(|world| damage(world, file));
        world
            .run("status")
            .exits_with(code)
            .prints("accept")
            .nothing_was_touched();
        let slots = Listing::of(&world.run_directory("0001-KB100001"));
        world
            .run("accept Provider --yes --reason x")
            .exits_with(exit::USAGE)
            .prints("quarantined first")
            .tree_is_unchanged();
        let ran = world.run(ACCEPT).exits_with(exit::OK).tree_is_unchanged();
        ran.prints("unusable:")
            .prints("run 0001-KB100001 is quarantined as `.rollup/runs/0001-KB100001.quarantined`");
        let quarantined = Listing::of(&world.run_directory("0001-KB100001.quarantined"));
        slots.assert_same(
            &quarantined.only(|path| {
                path != Path::new("quarantined.toml") && path != Path::new("lock.owner")
            }),
        );
        world
            .run("status")
            .exits_with(exit::OK)
            .prints("clean: no run in progress");
        let history = world
            .run("history")
            .exits_with(exit::OK)
            .prints("0001-KB100001.quarantined quarantined: no longer a run");
        history.prints("repaired by hand");
        // The next run gets a number of its own.
        world.run(APPLY_SMALL).prints("run 0002-KB100001");
    }
}

/// Plans an acceptance of the drift in a deployment, as the command does.
pub(crate) fn found(deployment: &Path, site: &Site) -> AcceptResult {
    let tree = Directory::open(deployment).expect("the deployment exists");
    let LeftObjects { there, gone, .. } =
        run::left_objects(&tree, &runs(&tree).expect("readable")).expect("readable");
    let there = there
        .into_iter()
        .map(|(path, left)| (path, left.kind))
        .collect();
    let expectation = Expectation {
        there,
        gone,
        ..Expectation::default()
    };
    let read = |interest: &Interest| {
        Snapshot::read(&tree, site.description.clone(), interest).expect("readable")
    };
    let interest = plan::accept_interest(&read(&Interest::default()), &expectation, None);
    plan::accept(&read(&interest), &expectation, None, "a test").expect("drift can be planned")
}

fn accept(
    site: &Site,
    deployment: &Path,
    injector: Option<Arc<dyn FaultInjector>>,
) -> Result<Ended, RunError> {
    let ended = accept_with_listener(site, deployment, injector, &mut ConfirmingListener)?;
    Ok(ended.expect("no run is in progress"))
}

/// Accepts as the command does. Returns `Ok(None)` if a run in progress was closed.
pub(crate) fn accept_with_listener(
    site: &Site,
    deployment: &Path,
    injector: Option<Arc<dyn FaultInjector>>,
    listener: &mut dyn Listener,
) -> Result<Option<Ended>, RunError> {
    let mut disk = lock(deployment);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    run::clear_interrupted_staging(&disk)?;
    if let Some(open) = runs(disk.tree())?.into_iter().find(Run::is_open) {
        let plan = run::load_plan(disk.tree(), &open.directory)?;
        let user_and_reason = ("operator".to_owned(), "a test".to_owned());
        return run::close_in_current_state(&disk, &open, &plan, user_and_reason, listener)
            .map(|_| None);
    }
    let plan = found(deployment, site).plan.expect("a plan for the drift");
    make_rollup_directory(&mut disk)?;
    let staged = run::stage(
        &disk,
        &plan,
        &run::RunRequest {
            manifest: None,
            confirmed: Vec::new(),
            ..run::RunRequest::default()
        },
        None,
        listener,
    )?;
    run::commit(&disk, &plan, staged, listener).map(Some)
}

/// Returns a deployment with the applied rollup, and with drift of files with and without records.
pub(crate) fn drifted_site(site: &Site) -> DeploymentCopy {
    let copy = site.copy();
    assert!(matches!(
        apply(site, copy.path(), None),
        Ok(Ended::Applied { .. })
    ));
    for file in [
        "Group/Provider/files/Program Files/Provider/Provider.dll",
        "Web/Site/W1/files/Program Files/Site/Site.dll",
        "Share/Site.msi",
    ] {
        let at = copy.path().join(file);
        assert!(at.is_file(), "{file} is missing");
        fs::write(at, "a hotfix").expect("written");
    }
    fs::remove_file(copy.path().join("Servers/W1/Files/tools/new/Tool.txt"))
        .expect("it was copied");
    copy
}

#[test]
fn a_crash_at_any_change_of_an_acceptance_can_be_resumed_and_undone() {
    let site = Site::new();
    let drifted = drifted_site(&site);
    let before = Tree::of(drifted.path());
    let seen = Arc::new(AtomicUsize::new(0));
    let copy = DeploymentCopy::of(drifted.path());
    let injector = CrashInjector {
        seen: Arc::clone(&seen),
        at: usize::MAX,
    };
    assert!(matches!(
        accept(&site, copy.path(), Some(Arc::new(injector))),
        Ok(Ended::Applied { .. })
    ));
    let after = Tree::of(copy.path()).without_times();
    let (mut finished, mut rolled_back, mut not_begun) = (0, 0, 0);
    for at in sample(1, seen.load(Ordering::SeqCst)) {
        for direction in [Direction::Forward, Direction::Back] {
            let copy = DeploymentCopy::of(drifted.path());
            let crashed = accept(
                &site,
                copy.path(),
                Some(Arc::new(CrashInjector {
                    seen: Arc::default(),
                    at,
                })),
            );
            assert!(
                matches!(crashed, Err(_) | Ok(Ended::Stuck { .. })),
                "crash at change {at}: {crashed:?}"
            );
            let recovered = recover(copy.path(), direction, None);
            let tree = Directory::open(copy.path()).expect("the deployment exists");
            let last = runs(&tree)
                .expect("the journals can be read")
                .pop()
                .expect("a run");
            let is_accepted =
                last.name() == "0002-accept" && last.state() == RunState::Closed(Outcome::Applied);
            let expected = match &recovered {
                Ok(Some(Ended::Applied { .. })) if direction == Direction::Forward => {
                    finished += 1;
                    &after
                }
                Ok(Some(Ended::Undone { because: None })) if direction == Direction::Back => {
                    rolled_back += 1;
                    &before
                }
                // The record that closes the run was written, if not yet synced.
                Ok(None) if is_accepted => &after,
                Ok(None) => {
                    not_begun += 1;
                    &before
                }
                other => panic!("crash at change {at}, then {direction:?}: {other:?}"),
            };
            expected.assert_same(
                &Tree::of(copy.path()),
                &format!("crash at change {at}, then {direction:?}"),
            );
        }
    }
    assert!(
        [finished, rolled_back, not_begun / 4]
            .iter()
            .all(|count| count * one_of() >= 5),
        "{finished} {rolled_back} {not_begun}"
    );
}

#[test]
fn a_crash_while_a_run_is_closed_leaves_it_open_or_closed_and_the_tree_unchanged() {
    let site = Site::new();
    let stuck = site.copy();
    let crashed = apply(
        &site,
        stuck.path(),
        Some(Arc::new(CrashInjector {
            seen: Arc::default(),
            at: change_count(&site) - 20,
        })),
    );
    assert!(matches!(crashed, Ok(Ended::Stuck { .. })), "{crashed:?}");
    let before = Tree::of(stuck.path());
    let (mut open, mut closed) = (0, 0);
    for at in 1.. {
        let copy = DeploymentCopy::of(stuck.path());
        let injector = Arc::new(CrashInjector {
            seen: Arc::default(),
            at,
        });
        let accepted =
            accept_with_listener(&site, copy.path(), Some(injector), &mut ConfirmingListener);
        before.assert_same(&Tree::of(copy.path()), &format!("crash at change {at}"));
        let tree = Directory::open(copy.path()).expect("the deployment exists");
        match runs(&tree)
            .expect("no journal is damaged")
            .pop()
            .expect("the run")
            .state()
        {
            RunState::Closed(Outcome::Accepted) => closed += 1,
            RunState::Unfinished(_) => open += 1,
            other => panic!("crash at change {at}: {other:?}"),
        }
        if accepted.is_ok() {
            break;
        }
    }
    assert!(open >= 2 && closed >= 1, "{open} {closed}");
}
