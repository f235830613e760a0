//! `report RUN` and `history RUN`: what happened, from the run's events; the run's own records
//! where those are silent; and whatever became of them, a report that says what it does not know.

use std::fs;
use std::time::Duration;

use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree;
use rollup::events::{self, Account, Records, Spent};
use rollup::journal::{Outcome, RunState, runs};
use rollup::run::load_plan;
use serde_json::Value;

use crate::events::{EVERYTHING, killed_near_the_end};
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit};

const RUN: &str = "0001-KB100001";

/// The account of a run, from its events and records.
fn account(world: &World, run: &str) -> Account {
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    let runs = runs(&tree).expect("runs");
    let run = runs
        .iter()
        .find(|known| known.name() == run)
        .expect("the run");
    let plan = load_plan(&tree, &run.directory).ok();
    Account::of(
        run.name(),
        &events::read(&tree, run.name()),
        &Records {
            run: Some(run),
            plan: plan.as_ref(),
        },
    )
}

/// The same from its events alone.
fn from_events(world: &World, run: &str) -> Account {
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    Account::of(run, &events::read(&tree, run), &Records::default())
}

/// Changes the text of a run's events.
fn edit(world: &World, change: impl FnOnce(&str) -> Vec<u8>) {
    let at = world.run_directory(RUN).join("events.ndjson");
    let text = fs::read_to_string(&at).expect("events");
    fs::write(&at, change(&text)).expect("written");
}

/// What every account holds: parts are no more than the whole, and what is in order is so.
#[track_caller]
fn adds_up(account: &Account) {
    for passage in &account.passages {
        let Some(window) = passage.window else {
            continue;
        };
        let Spent {
            renaming_us,
            syncs_us,
            waiting_us,
            between_us,
            else_us,
        } = passage.spent;
        assert_eq!(
            renaming_us + syncs_us + waiting_us + between_us + else_us,
            window.us()
        );
        assert!(window.from_us >= passage.span.from_us && window.to_us <= passage.span.to_us);
        // Staging is over before the first rename.
        assert!(
            passage
                .staged
                .is_none_or(|staged| staged.to_us <= window.from_us)
        );
        for away in passage.away.iter().flat_map(|away| &away.spans) {
            assert!(away.from_us < away.to_us && away.within(&window) == away.us());
        }
        for step in &passage.steps {
            let by_server: u64 = step.servers.iter().map(|server| server.operations).sum();
            assert_eq!(by_server, step.operations);
            assert!(
                step.syncs
                    .iter()
                    .all(|sync| sync.within(&step.span) == sync.us())
            );
        }
        let of_steps: u64 = passage.steps.iter().map(|step| step.renaming_us).sum();
        assert!(renaming_us <= of_steps);
    }
}

#[test]
fn an_apply_is_reported_with_its_window_and_what_was_down() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("0001-KB952076: finished; exit code 0, ok")
        .says("ok: as previewed")
        .says("from the first rename to the last")
        .says("Provisioning Engine on MPS01:")
        .says("7 items on PROV02:")
        .says("restart-engine: Restart the Provisioning Engine")
        .says("apply by")
        .does_not_say("does not know");
    let account = account(&world, "0001-KB952076");
    adds_up(&account);
    assert_eq!(account.state, RunState::Closed(Outcome::Applied));
    let [passage] = account.passages.as_slice() else {
        panic!("one way")
    };
    assert!(
        passage
            .compared
            .as_ref()
            .is_some_and(events::Compared::is_same)
    );
    assert_eq!(passage.away.len(), 25 + 2);
    assert!(
        passage
            .away
            .iter()
            .all(|away| away.since_us.is_none() && away.spans.len() == 1)
    );
    let done: u64 = passage.steps.iter().map(|step| step.operations).sum();
    assert_eq!(done, 75);
    assert_eq!(
        passage
            .servers
            .iter()
            .map(|server| server.operations)
            .sum::<u64>(),
        75
    );
}

#[test]
fn a_service_is_down_from_its_stop_to_its_start() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let account = account(&world, "0001-KB952076");
    let passage = &account.passages[0];
    let service = passage
        .away
        .iter()
        .find(|away| away.server.as_deref() == Some("MPS01"))
        .expect("the engine");
    let of_it = |at: &events::Move| {
        at.operations
            .iter()
            .any(|one| one.server.as_deref() == Some("MPS01"))
    };
    let [stop, start] = passage
        .moves
        .iter()
        .filter(|at| of_it(at))
        .collect::<Vec<_>>()[..]
    else {
        panic!("two")
    };
    assert_eq!(
        (service.spans[0].from_us, service.spans[0].to_us),
        (stop.span.from_us, start.span.to_us)
    );
    // An item is away from its uninstall on, over all that the steps between did, to its install.
    let item = passage
        .away
        .iter()
        .find(|away| away.target == "Exchange 2007 Provider")
        .expect("an item");
    assert!(item.total_us > passage.steps[1].span.us());
}

#[test]
fn an_undo_takes_no_service_down_and_asks_each_question_once() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::STOPPED);
    world.run("undo --yes --done database").exits_with(exit::OK);
    let account = account(&world, RUN);
    adds_up(&account);
    let [forward, back] = account.passages.as_slice() else {
        panic!("two ways")
    };
    let services = |passage: &events::Passage| {
        passage
            .away
            .iter()
            .filter(|away| away.of == events::Kind::Service)
            .count()
    };
    assert!(
        services(forward) > 0 && services(back) == 0,
        "{:?}",
        back.away
    );
    assert_eq!((back.waits.len(), back.turns.len()), (1, 1));
    world
        .run("report last")
        .says("restart due: Engine on ENG01, ENG02")
        .says("database: taken back");
}

#[test]
fn the_last_run_is_reported_also_where_its_journal_is_damaged() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("report last")
        .exits_with(exit::USAGE)
        .says("there is no run yet")
        .says("makes the first one");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let at = world.run_directory(RUN).join("journal");
    let text = fs::read_to_string(&at).expect("a journal");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&at, [&lines[..1], &lines[2..]].concat().join("\n") + "\n").expect("written");
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("is damaged in line 2")
        .says("KB100001 revision 1.0");
}

#[test]
fn events_of_another_run_are_said_to_be_so() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    edit(&world, |text| {
        text.replace("\"run\":\"0001-KB100001\"", "\"run\":\"0009-KB100001\"")
            .into_bytes()
    });
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("the events say that they are of run 0009-KB100001");
}

#[test]
fn without_events_the_journal_still_says_that_all_was_as_previewed() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    fs::remove_file(world.run_directory(RUN).join("events.ndjson")).expect("removed");
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("ok: as previewed");
}

#[test]
fn the_events_alone_make_the_same_report() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    assert_eq!(account(&world, RUN), from_events(&world, RUN));
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    assert_eq!(account(&world, RUN), from_events(&world, RUN));
    world.run("undo last --yes").exits_with(exit::STOPPED);
    assert_eq!(account(&world, RUN), from_events(&world, RUN));
    world.run("undo --yes --done database").exits_with(exit::OK);
    let whole = account(&world, RUN);
    assert_eq!(whole, from_events(&world, RUN));
    adds_up(&whole);
    assert_eq!(whole.passages.len(), 2);
    let told = world
        .run("report last --format json")
        .exits_with(exit::OK)
        .json();
    for lost in ["journal", "plan.json", "manifest.toml"] {
        fs::remove_file(world.run_directory(RUN).join(lost)).expect("removed");
    }
    let mut alone = world
        .run("report last --format json")
        .exits_with(exit::OK)
        .json();
    let missing = alone["report"]["missing"].take();
    assert_eq!(missing.as_array().map(Vec::len), Some(2));
    alone["report"]["missing"] = told["report"]["missing"].clone();
    assert_eq!(alone, told);
}

#[test]
fn a_person_is_waited_for_apart_from_the_machine_also_between_commands() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("database: waits since 20")
        .says("it is not over: `rollup resume");
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    let account = account(&world, RUN);
    adds_up(&account);
    let passage = &account.passages[0];
    let [wait] = passage.waits.as_slice() else {
        panic!("one manual step: {:?}", passage.waits)
    };
    assert!(wait.span.by_wall_clock && wait.by.is_some());
    assert!(
        passage
            .window
            .is_some_and(|window| wait.span.within(&window) == wait.span.us())
    );
    assert_eq!(
        (passage.spent.waiting_us, passage.spent.between_us),
        (wait.span.us(), 0)
    );
    world
        .run("report last")
        .says("database: done by")
        .says("waiting for people")
        .says("are by the wall clock");
}

#[test]
fn a_failure_that_was_put_back_is_told_with_its_reason() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml --inject-failure install")
        .exits_with(exit::UNDONE);
    let ran = world
        .run("report last -d lab/deployment")
        .exits_with(exit::OK);
    ran.says("undone; exit code 10, undone")
        .says("ok: as it was before")
        .says("failed: it failed in step install, and was put back: cannot rename")
        .says("Input/output error")
        .says("back: uninstall: Remove the old components");
    let report = world
        .run("report last -d lab/deployment --format json")
        .json()["report"]
        .take();
    let away = report["passages"][0]["away"]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(away.len(), 25);
    assert!(away.iter().all(|away| away["since_us"].is_null()));
    assert_eq!(report["commands"][0]["command"], "rehearse");
}

#[test]
fn a_finished_run_that_was_undone_has_two_ways() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .says("way 2 of 2, back")
        .says("way 1 of 2, forward");
    ran.says("undo by")
        .says("apply by")
        .says("0001-KB100001: undone");
    // A refused command is told, and is no way of the run.
    world.run("undo 1 --yes").exits_with(exit::OK);
    let account = account(&world, RUN);
    adds_up(&account);
    assert_eq!(
        account
            .passages
            .iter()
            .map(|way| way.outcome)
            .collect::<Vec<_>>(),
        [Some(Outcome::Applied), Some(Outcome::Undone)]
    );
}

#[test]
fn a_restart_is_due_also_when_the_way_back_was_interrupted_behind_it() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::STOPPED);
    let ran = world.run("undo --yes --done database").exits_with(exit::OK);
    ran.says("restart due: Engine on ENG01, ENG02");
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("restart due: Engine on ENG01, ENG02");
}

#[test]
fn a_death_is_told_and_what_it_left_too() {
    let world = small_world(
        EVERYTHING
            .replace("undo = \"Run the other script.\"", "optional = true")
            .as_str(),
    );
    killed_near_the_end(&world, APPLY_SMALL);
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("0001-KB100001: unfinished")
        .says("told no end: it died there")
        .says("`rollup resume -d deployment`");
    world.run("resume --yes").exits_with(exit::OK);
    let account = account(&world, RUN);
    adds_up(&account);
    assert_eq!(
        account
            .commands
            .iter()
            .map(|command| command.exit_code)
            .collect::<Vec<_>>(),
        [None, Some(0)]
    );
    let passage = &account.passages[0];
    assert!(passage.window.is_some_and(|window| window.by_wall_clock));
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("between commands")
        .says("`apply` of");
}

#[test]
fn what_was_removed_for_good_is_not_said_to_be_back() {
    let remove = "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Web\" = [\"Site\"]\n";
    let world = small_world(remove);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("Site on WEB01: removed, and not put back");
    world.run("undo last --yes").exits_with(exit::OK);
    let account = account(&world, RUN);
    assert_eq!(account.passages[1].away, []);
}

#[test]
fn what_is_staged_only_is_reported_as_waiting() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("staged and not begun")
        .says("`rollup resume -d deployment` commits");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let account = account(&world, RUN);
    adds_up(&account);
    assert_eq!(account.passages.len(), 1);
    assert!(account.passages[0].staged.is_some());
}

#[test]
fn a_run_that_somebody_works_on_is_reported_as_far_as_it_told() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    let at_work =
        LockedDeployment::lock(tree, "resume", Duration::ZERO).expect("nobody else is at work");
    let ran = world
        .run("report last")
        .exits_with(exit::OK)
        .says("is changing the deployment at this moment");
    ran.does_not_say("rollup resume");
    drop(at_work);
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("`rollup resume -d deployment` takes it to its end");
}

#[test]
fn what_was_accepted_says_why() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("accept --reason 'mended by hand' --yes")
        .exits_with(exit::OK);
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("closed as it stood by")
        .says("mended by hand");
    let world = small_world(UPDATE_PROVIDER).put(
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        "other",
    );
    world
        .run("accept --reason 'a hotfix' --yes")
        .exits_with(exit::OK);
    let ran = world.run("report last").exits_with(exit::OK);
    ran.says("accept what lay on disk: a hotfix")
        .says("0001-accept: finished");
}

#[test]
fn whatever_became_of_the_events_there_is_a_report() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let whole = fs::read(world.run_directory(RUN).join("events.ndjson")).expect("events");
    let told = |change: &dyn Fn(&str) -> Vec<u8>, words: &str| {
        let world = world.copy();
        edit(&world, change);
        world
            .run("report last")
            .exits_with(exit::OK)
            .nothing_was_touched()
            .says(words)
            .says("0001-KB100001: finished");
        for format in ["json", "markdown", "html"] {
            world
                .run(&format!("report last --format {format}"))
                .exits_with(exit::OK);
        }
    };
    told(&|_| Vec::new(), "times are those of the journal's records");
    told(
        &|text| text[..text.len() - 20].into(),
        "the last line of the events is torn",
    );
    told(
        &|text| text.replacen("\"swap\"", "\"swop\"", 1).into(),
        "1 line of the events is of a later version",
    );
    told(
        &|text| text.replacen("\"schema\":1", "\"schema\":2", 1).into(),
        "is of a later version",
    );
    told(
        &|text| text.replacen("\"took_us\":", "\"took\":", 2).into(),
        "2 lines of the events cannot be read",
    );
    told(
        &|text| [b"\xff\xfe\0\n[[[[\n{}\n", text.as_bytes()].concat(),
        "3 lines of the events cannot be read",
    );
    told(&|_| vec![b'x'; 40 << 20], "cannot be read");
    // Any byte may be another one, and any line may be gone.
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    for at in (0..whole.len()).step_by(13) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x05;
        let read = events::Events::parse(bytes.as_slice());
        let _ = Account::of(RUN, &read, &Records::default());
    }
    let lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
    for gone in 0..lines.len() {
        let left = [&lines[..gone], &lines[gone + 1..]].concat().concat();
        let _ = Account::of(
            RUN,
            &events::Events::parse(left.as_slice()),
            &Records::default(),
        );
        let backwards: Vec<u8> = lines
            .iter()
            .rev()
            .skip(gone)
            .copied()
            .collect::<Vec<_>>()
            .concat();
        let _ = Account::of(
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
        .says("the events of the run cannot be used: there are none");
    std::os::unix::fs::symlink("/dev/zero", world.run_directory(RUN).join("events.ndjson"))
        .expect("a link");
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("the events of the run cannot be used");
}

#[test]
fn an_end_that_nobody_came_to_tell_is_known_from_the_journal() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    edit(&world, |text| {
        text.lines()
            .take_while(|line| !line.contains("closed"))
            .collect::<Vec<_>>()
            .join("\n")
            .into()
    });
    let account = account(&world, RUN);
    assert_eq!(
        account.passages.last().and_then(|way| way.outcome),
        Some(Outcome::Applied)
    );
    world
        .run("report last")
        .exits_with(exit::OK)
        .says("0001-KB100001: finished")
        .says("told no end");
}

#[test]
fn a_damaged_journal_keeps_nobody_from_the_events() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let at = world.run_directory(RUN).join("journal");
    let text = fs::read_to_string(&at).expect("a journal");
    fs::write(&at, text.replacen("KB100001", "KB100002", 1)).expect("written");
    world
        .run("report 1")
        .exits_with(exit::OK)
        .says("is damaged in line 1")
        .says("ok: as previewed");
}

#[test]
fn a_run_is_named_by_number_rollup_name_or_last() {
    let world = small_world(UPDATE_PROVIDER);
    for command in ["report", "history"] {
        world
            .run(&format!("{command} last"))
            .exits_with(exit::USAGE)
            .says("there is no run yet");
    }
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    world.run("apply small.toml --yes").exits_with(exit::OK);
    for command in ["report", "history"] {
        for (named, run) in [
            ("1", RUN),
            ("0001", RUN),
            ("0001-kb100001", RUN),
            ("KB100001", "0002-KB100001"),
            ("100001", "0002-KB100001"),
            ("last", "0002-KB100001"),
        ] {
            let ran = world
                .run(&format!("{command} {named}"))
                .exits_with(exit::OK)
                .nothing_was_touched();
            ran.says(run);
        }
        let ran = world
            .run(&format!("{command} 0002-KB10001"))
            .exits_with(exit::USAGE);
        ran.says("there is no run `0002-KB10001`")
            .says("did you mean `0002-KB100001`?")
            .says("known: 0001-KB100001");
        world
            .run(&format!("{command} KB777777"))
            .exits_with(exit::USAGE)
            .says("there is no run `KB777777`");
    }
}

#[test]
fn the_history_of_one_run_has_its_records_and_where_to_look() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    let ran = world
        .run("history 1")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("Z opened")
        .says("manual step database: done, says")
        .says("closed, applied; measured")
        .says("1. remove: ")
        .says("can be undone")
        .says("events deployment/.rollup/runs/0001-KB100001/events.ndjson")
        .says("rollup report 1 -d deployment");
    let told = world
        .run("history 1 --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(told["records"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        (&told["schema"], &told["state"], &told["undoable"]),
        (&1.into(), &"applied".into(), &true.into())
    );
    assert_eq!(told["steps"].as_array().map(Vec::len), Some(5));
}

#[test]
fn a_report_in_every_form_says_the_same_and_goes_into_a_file() {
    let world = small_world(EVERYTHING);
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
        let printed = world
            .run(&format!("report last --format {format}"))
            .exits_with(exit::OK);
        let printed = printed.says(&digest).says("database").says("Engine");
        if format != "json" {
            printed.says("as previewed");
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
fn names_of_others_do_no_harm_in_a_report() {
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
fn a_report_fits_the_screen() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    for words in ["report last", "history last"] {
        let output = world
            .command(words)
            .env("COLUMNS", "80")
            .output()
            .expect("it runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let wide: Vec<&str> = text
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert!(wide.is_empty(), "{wide:#?}");
    }
}
