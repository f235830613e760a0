//! Reports on a run by `report RUN` and `history RUN`. They come from the run's events, and from
//! its journal and plan for facts that the events do not have. Damaged or missing events leave
//! gaps, which the report names.

use std::fs;
use std::time::Duration;

use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree;
use rollup::events::{self, Breakdown, Records, RunSummary};
use rollup::journal::{Outcome, RunState, runs};
use rollup::run::load_plan;
use serde_json::Value;

use crate::events::{WITH_MANUAL_STEP, kill_near_the_end};
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit};

const RUN: &str = "0001-KB100001";

/// Summarizes a run from its events and records.
fn summary(world: &World, run: &str) -> RunSummary {
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    let runs = runs(&tree).expect("runs");
    let run = runs
        .iter()
        .find(|candidate| candidate.name() == run)
        .expect("the run");
    let plan = load_plan(&tree, &run.directory).ok();
    RunSummary::of(
        run.name(),
        &events::read(&tree, run.name()),
        &Records {
            run: Some(run),
            plan: plan.as_ref(),
        },
    )
}

/// Summarizes a run from its events alone.
fn from_events(world: &World, run: &str) -> RunSummary {
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    RunSummary::of(run, &events::read(&tree, run), &Records::default())
}

/// Replaces the text of a run's events.
fn edit_events(world: &World, change: impl FnOnce(&str) -> Vec<u8>) {
    let at = world.run_directory(RUN).join("events.ndjson");
    let text = fs::read_to_string(&at).expect("events");
    fs::write(&at, change(&text)).expect("written");
}

/// Asserts properties of every summary: durations add up, and spans are in order.
#[track_caller]
fn assert_consistent(summary: &RunSummary) {
    for attempt in &summary.attempts {
        let Some(renames) = attempt.renames else {
            continue;
        };
        let Breakdown {
            renaming_us,
            syncs_us,
            waiting_us,
            between_us,
            else_us,
        } = attempt.breakdown;
        assert_eq!(
            renaming_us + syncs_us + waiting_us + between_us + else_us,
            renames.us()
        );
        assert!(renames.from_us >= attempt.span.from_us && renames.to_us <= attempt.span.to_us);
        // Staging ends before the first rename.
        assert!(
            attempt
                .staged
                .is_none_or(|staged| staged.to_us <= renames.from_us)
        );
        let spans = || attempt.outages.iter().flat_map(|outages| &outages.spans);
        assert_eq!(attempt.outage.is_none(), spans().next().is_none());
        for span in spans() {
            let outage = attempt.outage.expect("an outage");
            assert!(span.from_us < span.to_us && span.within(&outage) == span.us());
            assert!(span.us() <= attempt.outage_us);
        }
        if let Some(outage) = attempt.outage {
            assert!(outage.within(&renames) == outage.us() && attempt.outage_us <= outage.us());
        }
        for step in &attempt.steps {
            let by_server: u64 = step.servers.iter().map(|server| server.operations).sum();
            assert_eq!(by_server, step.operations);
            assert!(
                step.syncs
                    .iter()
                    .all(|sync| sync.within(&step.span) == sync.us())
            );
        }
        let renaming_of_steps: u64 = attempt.steps.iter().map(|step| step.renaming_us).sum();
        assert!(renaming_us <= renaming_of_steps);
    }
}

#[test]
fn an_apply_is_reported_with_its_outages() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("0001-KB952076: finished; exit code 0, ok")
        .prints("Succeeded: the result matches the plan - Unavailable: 18 items and 1 service, for")
        .prints("ok: the result matches the plan")
        .prints("from the first rename to the last")
        .prints("Provisioning Engine on MPS01:")
        .prints("7 items on PROV02:")
        .prints("restart-engine: Restart the Provisioning Engine")
        .prints("apply by")
        .does_not_print("missing from this report");
    let summary = summary(&world, "0001-KB952076");
    assert_consistent(&summary);
    assert_eq!(summary.state, RunState::Closed(Outcome::Applied));
    let [attempt] = summary.attempts.as_slice() else {
        panic!("one attempt")
    };
    assert!(
        attempt
            .compared
            .as_ref()
            .is_some_and(events::StateComparison::is_same)
    );
    assert_eq!(attempt.outages.len(), 25 + 2);
    assert!(
        attempt
            .outages
            .iter()
            .all(|outages| outages.since_us.is_none() && outages.spans.len() == 1)
    );
    let done: u64 = attempt.steps.iter().map(|step| step.operations).sum();
    assert_eq!(done, 75);
    assert_eq!(
        attempt
            .servers
            .iter()
            .map(|server| server.operations)
            .sum::<u64>(),
        75
    );
}

#[test]
fn a_service_is_unavailable_from_its_stop_to_its_start() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let summary = summary(&world, "0001-KB952076");
    let attempt = &summary.attempts[0];
    let service = attempt
        .outages
        .iter()
        .find(|outages| outages.server.as_deref() == Some("MPS01"))
        .expect("the engine");
    let moves_engine = |at: &events::TimedSwap| {
        at.operations
            .iter()
            .any(|one| one.server.as_deref() == Some("MPS01"))
    };
    let [stop, start] = attempt
        .swaps
        .iter()
        .filter(|at| moves_engine(at))
        .collect::<Vec<_>>()[..]
    else {
        panic!("two renames")
    };
    assert_eq!(
        (service.spans[0].from_us, service.spans[0].to_us),
        (stop.span.from_us, start.span.to_us)
    );
    // An item is unavailable from its uninstall to its install, including the steps between.
    let item = attempt
        .outages
        .iter()
        .find(|outages| outages.target == "Exchange 2007 Provider")
        .expect("an item");
    assert!(item.total_us > attempt.steps[1].span.us());
}

#[test]
fn an_undo_stops_no_service_and_asks_each_question_once() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::STOPPED);
    world.run("undo --yes --done database").exits_with(exit::OK);
    let summary = summary(&world, RUN);
    assert_consistent(&summary);
    let [forward, back] = summary.attempts.as_slice() else {
        panic!("two attempts")
    };
    let services = |attempt: &events::Attempt| {
        attempt
            .outages
            .iter()
            .filter(|outages| outages.of == events::TargetKind::Service)
            .count()
    };
    assert!(
        services(forward) > 0 && services(back) == 0,
        "{:?}",
        back.outages
    );
    assert_eq!((back.waits.len(), back.turns.len()), (1, 1));
    world
        .run("report last")
        .prints("restart required: Engine on ENG01, ENG02")
        .prints("database: rolled back");
}

#[test]
fn the_last_run_is_reported_even_if_its_journal_is_damaged() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("report last")
        .exits_with(exit::USAGE)
        .prints("there is no run yet")
        .prints("makes the first run");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let at = world.run_directory(RUN).join("journal");
    let text = fs::read_to_string(&at).expect("a journal");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&at, [&lines[..1], &lines[2..]].concat().join("\n") + "\n").expect("written");
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("is damaged in line 2")
        .prints("KB100001 revision 1.0");
}

#[test]
fn events_of_another_run_are_reported_as_such() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    edit_events(&world, |text| {
        text.replace("\"run\":\"0001-KB100001\"", "\"run\":\"0009-KB100001\"")
            .into_bytes()
    });
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("the events belong to run 0009-KB100001");
}

#[test]
fn without_events_the_journal_proves_that_the_result_matches_the_plan() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    fs::remove_file(world.run_directory(RUN).join("events.ndjson")).expect("removed");
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("ok: the result matches the plan");
}

#[test]
fn the_events_alone_are_enough_for_the_report() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    assert_eq!(summary(&world, RUN), from_events(&world, RUN));
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    assert_eq!(summary(&world, RUN), from_events(&world, RUN));
    world.run("undo last --yes").exits_with(exit::STOPPED);
    assert_eq!(summary(&world, RUN), from_events(&world, RUN));
    world.run("undo --yes --done database").exits_with(exit::OK);
    let full_summary = summary(&world, RUN);
    assert_eq!(full_summary, from_events(&world, RUN));
    assert_consistent(&full_summary);
    assert_eq!(full_summary.attempts.len(), 2);
    let document = world
        .run("report last --format json")
        .exits_with(exit::OK)
        .json();
    for record_file in ["journal", "plan.json", "manifest.toml"] {
        fs::remove_file(world.run_directory(RUN).join(record_file)).expect("removed");
    }
    let mut events_only = world
        .run("report last --format json")
        .exits_with(exit::OK)
        .json();
    let missing = events_only["report"]["missing"].take();
    assert_eq!(missing.as_array().map(Vec::len), Some(2));
    // Restarts are pending by the journal alone.
    assert_eq!(
        document["report"]["pending"].as_array().map(Vec::len),
        Some(2)
    );
    for key in ["missing", "pending"] {
        events_only["report"][key] = document["report"][key].clone();
    }
    assert_eq!(events_only, document);
}

#[test]
fn time_spent_waiting_for_a_person_is_reported_separately() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("database: waits since 20")
        .prints("unfinished `rollup resume");
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    let summary = summary(&world, RUN);
    assert_consistent(&summary);
    let attempt = &summary.attempts[0];
    let [wait] = attempt.waits.as_slice() else {
        panic!("one manual step: {:?}", attempt.waits)
    };
    assert!(wait.span.by_wall_clock && wait.by.is_some());
    assert!(
        attempt
            .outage
            .is_some_and(|outage| wait.span.within(&outage) == wait.span.us())
    );
    assert_eq!(
        (attempt.breakdown.waiting_us, attempt.breakdown.between_us),
        (wait.span.us(), 0)
    );
    world
        .run("report last")
        .prints("database: done by")
        .prints("waiting for people")
        .prints("are by the wall clock");
}

#[test]
fn a_run_that_was_rolled_back_is_reported_with_its_reason() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml --inject-failure install")
        .exits_with(exit::ROLLED_BACK);
    let ran = world
        .run("report last -d lab/deployment")
        .exits_with(exit::OK);
    ran.prints("undone; exit code 10, rolled-back")
        .prints("Failed, and rolled back: everything is as it was before - the run was rolled back: step `install`, operation 44 of 75 (install Exchange 2007 Provider): cannot rename")
        .prints("ok: everything is as it was before")
        .prints("Input/output error")
        .prints("rollback: uninstall: Remove the old components");
    let report = world
        .run("report last -d lab/deployment --format json")
        .json()["report"]
        .take();
    let outages = report["attempts"][0]["outages"]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(outages.len(), 25);
    assert!(outages.iter().all(|outages| outages["since_us"].is_null()));
    assert_eq!(report["commands"][0]["command"], "rehearse");
}

#[test]
fn a_finished_run_that_was_undone_has_two_directions() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .prints("attempt 2 of 2, rollback")
        .prints("attempt 1 of 2, forward");
    ran.prints("undo by")
        .prints("apply by")
        .prints("0001-KB100001: undone");
    // A refused command is reported, but does not belong to a direction of the run.
    world.run("undo 1 --yes").exits_with(exit::OK);
    let summary = summary(&world, RUN);
    assert_consistent(&summary);
    assert_eq!(
        summary
            .attempts
            .iter()
            .map(|attempt| attempt.outcome)
            .collect::<Vec<_>>(),
        [Some(Outcome::Applied), Some(Outcome::Undone)]
    );
}

#[test]
fn a_restart_is_required_even_after_an_interrupted_rollback() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::STOPPED);
    let ran = world.run("undo --yes --done database").exits_with(exit::OK);
    ran.prints("restart required: Engine on ENG01, ENG02");
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("restart required: Engine on ENG01, ENG02");
}

#[test]
fn a_killed_command_is_reported_with_the_state_that_it_left() {
    let world = small_world(
        WITH_MANUAL_STEP
            .replace("undo = \"Run the other script.\"", "optional = true")
            .as_str(),
    );
    kill_near_the_end(&world, APPLY_SMALL);
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("0001-KB100001: unfinished")
        .prints("has no recorded end: it died")
        .prints("`rollup resume -d deployment`");
    world.run("resume --yes").exits_with(exit::OK);
    let summary = summary(&world, RUN);
    assert_consistent(&summary);
    assert_eq!(
        summary
            .commands
            .iter()
            .map(|command| command.exit_code)
            .collect::<Vec<_>>(),
        [None, Some(0)]
    );
    let attempt = &summary.attempts[0];
    assert!(attempt.outage.is_some_and(|outage| outage.by_wall_clock));
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("between commands")
        .prints("`apply` of");
}

#[test]
fn an_item_that_was_removed_for_good_is_not_reported_as_restored() {
    let remove = "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Web\" = [\"Site\"]\n";
    let world = small_world(remove);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("Site on WEB01: removed, not restored");
    world.run("undo last --yes").exits_with(exit::OK);
    let summary = summary(&world, RUN);
    assert_eq!(summary.attempts[1].outages, []);
}

#[test]
fn a_staged_run_is_reported_as_waiting() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("staged and not begun")
        .prints("`rollup resume -d deployment` commits");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let summary = summary(&world, RUN);
    assert_consistent(&summary);
    assert_eq!(summary.attempts.len(), 1);
    assert!(summary.attempts[0].staged.is_some());
}

#[test]
fn a_run_in_progress_is_reported_up_to_its_last_event() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    let locked = LockedDeployment::lock(tree, "resume", Duration::ZERO).expect("the lock");
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .prints("is changing the deployment at this moment");
    ran.does_not_print("rollup resume");
    drop(locked);
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("`rollup resume -d deployment` finishes it");
}

#[test]
fn accepted_drift_is_reported_with_its_reason() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("accept --reason 'repaired by hand' --yes")
        .exits_with(exit::OK);
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("closed in its current state by")
        .prints("repaired by hand");
    let world = small_world(UPDATE_PROVIDER).write_file(
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        "other",
    );
    world
        .run("accept --reason 'a hotfix' --yes")
        .exits_with(exit::OK);
    let ran = world.run("report last").exits_with(exit::OK);
    ran.prints("accept drift: a hotfix")
        .prints("0001-accept: finished");
}

#[test]
fn there_is_a_report_whatever_happened_to_the_events() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let full_events = fs::read(world.run_directory(RUN).join("events.ndjson")).expect("events");
    let assert_prints = |change: &dyn Fn(&str) -> Vec<u8>, expected_text: &str| {
        let world = world.copy();
        edit_events(&world, change);
        world
            .run("report last")
            .exits_with(exit::OK)
            .nothing_was_touched()
            .prints(expected_text)
            .prints("0001-KB100001: finished");
        for format in ["json", "markdown", "html"] {
            world
                .run(&format!("report last --format {format}"))
                .exits_with(exit::OK);
        }
    };
    assert_prints(&|_| Vec::new(), "times are those of the journal's records");
    assert_prints(
        &|text| text[..text.len() - 20].into(),
        "the last line of the events is incomplete",
    );
    assert_prints(
        &|text| text.replacen("\"swap\"", "\"swop\"", 1).into(),
        "lines of the events of a later version, which are left out: 1",
    );
    assert_prints(
        &|text| text.replacen("\"schema\":1", "\"schema\":2", 1).into(),
        "of a later version",
    );
    assert_prints(
        &|text| text.replacen("\"took_us\":", "\"took\":", 2).into(),
        "lines of the events that cannot be read: 2",
    );
    assert_prints(
        &|text| [b"\xff\xfe\0\n[[[[\n{}\n", text.as_bytes()].concat(),
        "lines of the events that cannot be read: 3",
    );
    assert_prints(&|_| vec![b'x'; 40 << 20], "cannot be read");
    // Any byte can be changed, and any line can be missing.
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    for at in (0..full_events.len()).step_by(13) {
        let mut bytes = full_events.clone();
        bytes[at] ^= 0x05;
        let read = events::Events::parse(bytes.as_slice());
        let _ = RunSummary::of(RUN, &read, &Records::default());
    }
    let lines: Vec<&[u8]> = full_events.split_inclusive(|&byte| byte == b'\n').collect();
    for index in 0..lines.len() {
        let rest = [&lines[..index], &lines[index + 1..]].concat().concat();
        let _ = RunSummary::of(
            RUN,
            &events::Events::parse(rest.as_slice()),
            &Records::default(),
        );
        let backwards: Vec<u8> = lines
            .iter()
            .rev()
            .skip(index)
            .copied()
            .collect::<Vec<_>>()
            .concat();
        let _ = RunSummary::of(
            RUN,
            &events::Events::parse(backwards.as_slice()),
            &Records::default(),
        );
    }
    fs::remove_file(world.run_directory(RUN).join("events.ndjson")).expect("removed");
    assert!(events::read(&tree, RUN).absent.is_some());
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("the events of the run cannot be used: there are none");
    std::os::unix::fs::symlink("/dev/zero", world.run_directory(RUN).join("events.ndjson"))
        .expect("a link");
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("the events of the run cannot be used");
}

#[test]
fn a_missing_last_event_is_replaced_by_the_journal() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    edit_events(&world, |text| {
        text.lines()
            .take_while(|line| !line.contains("closed"))
            .collect::<Vec<_>>()
            .join("\n")
            .into()
    });
    let summary = summary(&world, RUN);
    assert_eq!(
        summary.attempts.last().and_then(|attempt| attempt.outcome),
        Some(Outcome::Applied)
    );
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("0001-KB100001: finished")
        .prints("has no recorded end");
}

#[test]
fn a_damaged_journal_does_not_hide_the_events() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let at = world.run_directory(RUN).join("journal");
    let text = fs::read_to_string(&at).expect("a journal");
    fs::write(&at, text.replacen("KB100001", "KB100002", 1)).expect("written");
    world
        .run("report 1")
        .exits_with(exit::OK)
        .prints("is damaged in line 1")
        .prints("ok: the result matches the plan");
}

#[test]
fn a_run_can_be_named_by_number_rollup_name_or_last() {
    let world = small_world(UPDATE_PROVIDER);
    for command in ["report", "history"] {
        world
            .run(&format!("{command} last"))
            .exits_with(exit::USAGE)
            .prints("there is no run yet");
    }
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    world.run("apply small.toml --yes").exits_with(exit::OK);
    for command in ["report", "history"] {
        for (argument, run) in [
            ("1", RUN),
            ("0001", RUN),
            ("0001-kb100001", RUN),
            ("KB100001", "0002-KB100001"),
            ("100001", "0002-KB100001"),
            ("last", "0002-KB100001"),
        ] {
            let ran = world
                .run(&format!("{command} {argument}"))
                .exits_with(exit::OK)
                .nothing_was_touched();
            ran.prints(run);
        }
        let ran = world
            .run(&format!("{command} 0002-KB10001"))
            .exits_with(exit::USAGE);
        ran.prints("there is no run `0002-KB10001`")
            .prints("did you mean `0002-KB100001`?")
            .prints("known: 0001-KB100001");
        world
            .run(&format!("{command} KB777777"))
            .exits_with(exit::USAGE)
            .prints("there is no run `KB777777`");
    }
}

#[test]
fn the_history_of_one_run_has_its_records_and_paths() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    let ran = world
        .run("history 1")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("Z opened")
        .prints("manual step database: done by")
        .prints("closed, applied; measured")
        .prints("1. remove: ")
        .prints("can be undone")
        .prints("events deployment/.rollup/runs/0001-KB100001/events.ndjson")
        .prints("rollup report 1 -d deployment");
    let document = world
        .run("history 1 --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(document["records"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        (
            &document["schema"],
            &document["state"],
            &document["undoable"]
        ),
        (&1.into(), &"applied".into(), &true.into())
    );
    assert_eq!(document["steps"].as_array().map(Vec::len), Some(5));
}

#[test]
fn every_form_of_a_report_has_the_same_facts_and_can_be_written_to_a_file() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    let document = world
        .run("report last --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&document["schema"], &document["exit_code"]),
        (&1.into(), &0.into())
    );
    assert_eq!(
        (&document["outcome"], &document["changed"]),
        (&"ok".into(), &false.into())
    );
    let digest = document["report"]["plan"]
        .as_str()
        .expect("a digest")
        .to_owned();
    for (format, name) in [
        ("text", "r.txt"),
        ("markdown", "r.md"),
        ("html", "r.html"),
        ("json", "r.json"),
    ] {
        let ran = world
            .run(&format!("report last --format {format}"))
            .exits_with(exit::OK);
        let ran = ran.prints(&digest).prints("database").prints("Engine");
        if format != "json" {
            ran.prints("matches the plan");
        }
        let ran = world
            .run(&format!("report last --format {format} -o {name}"))
            .exits_with(exit::OK);
        assert_eq!(ran.stdout(), "");
        let again = world.run(&format!("report last --format {format}"));
        assert_eq!(
            fs::read_to_string(world.at(name))
                .expect("a file")
                .trim_end(),
            again.stdout().trim_end()
        );
    }
    world
        .run("report last -o nowhere/r.txt")
        .exits_with(exit::IO);
    let failure: Value = world
        .run("report nothing --format json")
        .exits_with(exit::USAGE)
        .json();
    assert_eq!(failure["outcome"], "usage");
}

#[test]
fn texts_of_a_manifest_are_escaped_in_a_report() {
    let world = small_world(&UPDATE_PROVIDER.replace(
        "id = \"copy\"",
        "id = \"copy\"\ntitle = \"Copy \\u001B[2J <b>|</b>\"",
    ));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    for format in ["text", "markdown", "html", "json"] {
        let ran = world
            .run(&format!("report last --format {format}"))
            .exits_with(exit::OK);
        assert!(!ran.stdout().contains('\u{1b}'), "{format}");
    }
    assert!(
        !world
            .run("report last --format html")
            .stdout()
            .contains("<b>")
    );
    assert!(
        !world
            .run("report last --format markdown")
            .stdout()
            .contains("<b>|")
    );
}

#[test]
fn a_report_fits_80_columns() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    for expected_text in ["report last", "history last"] {
        let output = world
            .command(expected_text)
            .env("COLUMNS", "80")
            .output()
            .expect("the program runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let wide: Vec<&str> = text
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert!(wide.is_empty(), "{wide:#?}");
    }
}
