//! Steps on one server after another: `each-server`.

use serde_json::Value;

use crate::listing::Listing;
use crate::small::small;
use crate::world::{World, exit};

/// `deployment.toml` with two web servers, an item and a service on each, and an item that they share.
const SITE: &str = r#"
schema = 1
name = "farm"
product = "Sample"
product_version = "1.0"
share = "Share"
roles = [{ name = "web" }, { name = "engine" }]
servers = [
  { name = "WEB01", roles = ["web"] },
  { name = "WEB02", roles = ["web"] },
  { name = "ENG01", roles = ["engine"] },
]
services = [{ name = "IIS", on = "web" }, { name = "Engine", on = "engine" }]

[[groups]]
path = "Things"
items = [{ name = "Provider", installer = "Provider.msi" }]

[[groups]]
path = "Web"
on = "web"
items = [{ name = "Site", installer = "Site.msi" }]
"#;

/// Steps that update the item on one server after the other, with questions before and after.
const ROLLING: &str = r#"
[[steps]]
id = "share"
action = "copy"
to = "share"
files = ["Site.msi"]

[[steps]]
id = "web"
title = "Web servers"
action = "each-server"
on = "web"

[[steps.steps]]
id = "drain"
action = "manual"
instructions = "Take the server out of the balancer."
undo = "Take it in again."

[[steps.steps]]
id = "stop"
action = "stop"
service = "IIS"

[[steps.steps]]
id = "out"
action = "uninstall"
items."Web" = ["Site"]

[[steps.steps]]
id = "in"
action = "install"
removed_by = "out"

[[steps.steps]]
id = "start"
action = "start"
service = "IIS"

[payload]
files = [{ name = "Site.msi" }]
"#;

/// The same without questions.
fn unattended() -> String {
    let begin = ROLLING
        .find("[[steps.steps]]\nid = \"drain\"")
        .expect("a manual step");
    let end = ROLLING
        .find("[[steps.steps]]\nid = \"stop\"")
        .expect("the next step");
    format!("{}{}", &ROLLING[..begin], &ROLLING[end..])
}

fn world(steps: &str) -> World {
    World::with_site(SITE).manifest("small", &small("KB100001", steps))
}

/// Returns the ids of the steps of a plan.
fn ids(plan: &Value) -> Vec<&str> {
    let steps = plan["steps"].as_array().expect("steps");
    steps
        .iter()
        .map(|step| step["id"].as_str().expect("an id"))
        .collect()
}

const APPLY: &str = "apply small.toml --yes";

#[test]
fn nested_steps_run_on_one_server_then_on_the_next() {
    let world = world(&unattended());
    let plan = world.plan("small.toml");
    assert_eq!(
        ids(&plan),
        [
            "share",
            "stop@WEB01",
            "out@WEB01",
            "in@WEB01",
            "start@WEB01",
            "stop@WEB02",
            "out@WEB02",
            "in@WEB02",
            "start@WEB02"
        ]
    );
    let targets = plan["steps"].as_array().expect("steps").iter();
    let targets = targets.flat_map(|step| step["operations"].as_array().expect("operations"));
    let servers: Vec<&Value> = targets.map(|operation| &operation["server"]).collect();
    let of = |name| servers.iter().filter(|server| **server == name).count();
    assert_eq!((of("WEB01"), of("WEB02")), (4, 4));
    world.run(APPLY).exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn a_plan_says_how_many_servers_of_a_role_are_unavailable_at_once() {
    world(&unattended())
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("web: 1 of 2")
        .does_not_print("all 2 servers");
    let at_once = unattended()
        .replace("[[steps]]\nid = \"web\"\ntitle = \"Web servers\"\naction = \"each-server\"\non = \"web\"\n", "")
        .replace("[[steps.steps]]", "[[steps]]");
    world(&at_once)
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("web: 2 of 2")
        .prints("all 2 servers of web are unavailable at once, from step stop on");
}

#[test]
fn a_nested_manual_step_is_answered_for_each_server() {
    let world = world(ROLLING);
    world
        .run(APPLY)
        .exits_with(exit::STOPPED)
        .prints("resume")
        .prints("--done drain@WEB01");
    // The name alone means the first server that is not done.
    world
        .run("resume --done drain --yes")
        .exits_with(exit::STOPPED)
        .prints("--done drain@WEB02");
    world
        .run("resume --done DRAIN@web02 --yes")
        .exits_with(exit::OK);
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("drain@WEB01")
        .prints("drain@WEB02");
}

#[test]
fn two_answers_of_one_name_are_for_two_servers() {
    let world = world(ROLLING);
    world.run(APPLY).exits_with(exit::STOPPED);
    world
        .run("resume --done drain --done drain --yes")
        .exits_with(exit::OK);
}

#[test]
fn an_answer_that_comes_too_early_is_named() {
    let world = world(ROLLING);
    world.run(APPLY).exits_with(exit::STOPPED);
    world
        .run("resume --done drain@WEB02 --yes")
        .exits_with(exit::STOPPED)
        .prints(
            "`--done drain@WEB02` was not used: this command did not ask about step `drain@WEB02`",
        )
        .prints("--done drain@WEB01");
}

#[test]
fn an_answer_for_a_server_without_the_step_is_refused() {
    let world = world(ROLLING);
    world.run(APPLY).exits_with(exit::STOPPED);
    world
        .run("resume --done drain@WEB09 --yes")
        .exits_with(exit::USAGE)
        .prints("there is no manual step named `drain@WEB09`")
        .prints("did you mean `--done drain@WEB01`?")
        .tree_is_unchanged();
}

#[test]
fn a_rollback_goes_through_the_servers_in_reverse() {
    let world = world(ROLLING);
    let before = Listing::of(&world.deployment());
    world.run(APPLY).exits_with(exit::STOPPED);
    world
        .run("resume --done drain --done drain --yes")
        .exits_with(exit::OK);
    world
        .run("undo last --yes")
        .exits_with(exit::STOPPED)
        .prints("undo")
        .prints("--done drain@WEB02");
    world
        .run("undo --done drain --yes")
        .exits_with(exit::STOPPED)
        .prints("--done drain@WEB01");
    world.run("undo --done drain --yes").exits_with(exit::OK);
    assert_eq!(Listing::of(&world.deployment()), before);
}

#[test]
fn a_name_means_the_step_that_waits_in_a_rollback_from_the_middle() {
    let world = world(ROLLING);
    world.run(APPLY).exits_with(exit::STOPPED);
    world
        .run("resume --done drain --yes")
        .exits_with(exit::STOPPED)
        .prints("--done drain@WEB02");
    // The second server was never drained, so the rollback asks only about the first one.
    world
        .run("undo --yes")
        .exits_with(exit::STOPPED)
        .prints("--done drain@WEB01");
    world.run("undo --done drain --yes").exits_with(exit::OK);
}

#[test]
fn a_failure_on_the_second_server_rolls_back_the_first_one_too() {
    let world = world(&unattended());
    world
        .run("rehearse small.toml -d deployment --inject-failure in@WEB02")
        .exits_with(exit::ROLLED_BACK)
        .prints("install Site on WEB02")
        .prints("the whole tree is as before");
}

#[test]
fn a_run_stops_between_two_servers() {
    for stop_before in ["stop@WEB02", "web@web02"] {
        let world = world(&unattended());
        world
            .run(&format!("{APPLY} --stop-before {stop_before}"))
            .exits_with(exit::STOPPED)
            .prints("before step `stop@WEB02`");
        world
            .run("status")
            .prints("step start@WEB01: done")
            .prints("step stop@WEB02: not begun");
        world.run("resume --yes").exits_with(exit::OK);
    }
    let world = world(&unattended());
    world
        .run(&format!("{APPLY} --stop-before in"))
        .exits_with(exit::STOPPED)
        .prints("before step `in@WEB01`");
}

#[test]
fn a_step_on_a_server_of_another_role_is_refused_before_anything_else() {
    world(&unattended())
        .run(&format!("{APPLY} --stop-before in@ENG01"))
        .exits_with(exit::USAGE)
        .prints("the manifest has no step `in@ENG01`")
        .prints("a nested step is `STEP@SERVER`")
        .nothing_was_touched();
}

#[test]
fn a_server_that_is_offline_is_left_out_and_catches_up_later() {
    let offline = SITE.replace(
        "{ name = \"WEB02\", roles = [\"web\"] }",
        "{ name = \"WEB02\", roles = [\"web\"], offline = true }",
    );
    let world = World::with_site(&offline).manifest("small", &small("KB100001", ROLLING));
    world.run(APPLY).exits_with(exit::STOPPED);
    world
        .run("resume --done drain@WEB01 --yes")
        .exits_with(exit::OK);
    let world = world.edit("deployment/deployment.toml", ", offline = true", "");
    let plan = world.plan("small.toml");
    let with_work: Vec<&str> = plan["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|step| step["operations"] != serde_json::json!([]) || !step["manual"].is_null())
        .map(|step| step["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(
        with_work,
        [
            "drain@WEB02",
            "stop@WEB02",
            "out@WEB02",
            "in@WEB02",
            "start@WEB02"
        ]
    );
    world
        .run(APPLY)
        .exits_with(exit::STOPPED)
        .prints("--done drain@WEB02");
    world.run("resume --done drain --yes").exits_with(exit::OK);
    world
        .run("status")
        .exits_with(exit::OK)
        .does_not_print("lags");
}

#[test]
fn without_a_server_that_is_online_the_step_does_nothing() {
    let offline = SITE.replace("roles = [\"web\"] }", "roles = [\"web\"], offline = true }");
    World::with_site(&offline)
        .manifest("small", &small("KB100001", ROLLING))
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("no server of its role and platform is online");
}

/// Asserts that validation against the deployment reports exactly this finding among its errors.
#[track_caller]
fn has_error(steps: &str, code: &str, message: &str) {
    let world = World::with_site(SITE);
    std::fs::write(world.at("small.toml"), small("KB100001", steps)).expect("written");
    let ran = world.run("validate small.toml -d deployment");
    let ran = ran
        .exits_with(exit::INVALID)
        .prints(&format!("error[{code}]: {message}"));
    assert_eq!(
        ran.stdout().matches("error[").count(),
        1,
        "{}",
        ran.stdout()
    );
}

#[test]
fn a_nested_step_names_only_what_one_server_has() {
    let each = "[[steps]]\nid = \"web\"\naction = \"each-server\"\non = \"web\"\n";
    has_error(
        &format!(
            "{each}[[steps.steps]]\nid = \"out\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\"]\n"
        ),
        "RU0313",
        "`Provider` is on no server",
    );
    has_error(
        &format!(
            "{each}[[steps.steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"a.msi\"]\n[payload]\nfiles = [{{ name = \"a.msi\" }}]\n"
        ),
        "RU0313",
        "a nested step copies to one server",
    );
    has_error(
        &format!("{each}[[steps.steps]]\nid = \"inner\"\naction = \"each-server\"\n"),
        "RU0313",
        "`each-server` cannot be nested",
    );
    has_error(
        &format!(
            "{each}[[steps.steps]]\nid = \"stop\"\naction = \"restart\"\nservice = \"IIS\"\non = \"web\"\n"
        ),
        "RU0101",
        "[[steps.steps]] has no key `on`",
    );
    let questions = format!("[[prerequisites]]\nconfirm = \"Ready?\"\nid = \"ready\"\n{each}");
    has_error(
        &format!(
            "{questions}[[steps.steps]]\nid = \"stop\"\naction = \"restart\"\nservice = \"IIS\"\nplatform = \"x64\"\n"
        ),
        "RU0101",
        "[[steps.steps]] has no key `platform`",
    );
    has_error(&format!("{each}steps = []\n"), "RU0106", "`steps` is empty");
    has_error(
        "[[steps]]\nid = \"out\"\naction = \"uninstall\"\nitems.\"Web\" = [\"Site\"]\n[[steps]]\nid = \"web\"\naction = \"each-server\"\non = \"web\"\n[[steps.steps]]\nid = \"in\"\naction = \"install\"\nremoved_by = \"out\"\n",
        "RU0305",
        "the step `out` is not in the same `each-server` step",
    );
    has_error(
        "[[steps]]\nid = \"tool\"\naction = \"restart\"\nservice = \"IIS\"\n[[steps.steps]]\nid = \"in\"\naction = \"restart\"\nservice = \"IIS\"\n",
        "RU0112",
        "the action `restart` has no key `steps`",
    );
}

#[test]
fn a_service_of_another_role_is_a_warning() {
    let steps = "[[steps]]\nid = \"web\"\naction = \"each-server\"\non = \"web\"\n[[steps.steps]]\nid = \"restart\"\naction = \"restart\"\nservice = \"Engine\"\n";
    world(steps)
        .run("validate small.toml -d deployment")
        .exits_with(exit::OK)
        .prints("warning[RU0619]: `Engine` runs on `engine`, but no server holds both that role and `web`");
}

#[test]
fn the_order_of_the_servers_is_part_of_the_meaning() {
    let at_once = unattended()
        .replace("[[steps]]\nid = \"web\"\ntitle = \"Web servers\"\naction = \"each-server\"\non = \"web\"\n", "")
        .replace("[[steps.steps]]", "[[steps]]");
    let world = world(&unattended()).manifest("flat", &small("KB100001", &at_once));
    world
        .run("diff small.toml flat.toml")
        .exits_with(exit::OK)
        .prints("web");
    let same = unattended().replace("id = \"out\"", "id = \"OUT\"");
    let world = world.manifest("same", &small("KB100001", &same));
    world.run("diff small.toml same.toml").prints("the same");
}

#[test]
fn a_saved_plan_of_nested_steps_holds() {
    let world = world(ROLLING);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    world.run("apply plan.json --yes").exits_with(exit::STOPPED);
    world
        .run("resume --done drain --done drain --yes")
        .exits_with(exit::OK);
}
