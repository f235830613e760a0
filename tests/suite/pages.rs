//! HTML pages of plans and reports: complete without a network or a script, true to the plan, and
//! accessible.
//!
//! The ignored tests run an HTML validator and an accessibility checker; they need `chromium`, and
//! `html-validate` and `axe-core` from npm.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

use crate::events::WITH_MANUAL_STEP;
use crate::previews::of_the_plan;
use crate::saved_plans::ALL_KINDS;
use crate::small::small_world;
use crate::temporary::temporary;
use crate::world::{APPLY, World, exit};

/// Manifest with everything that a page can show, and with texts that try to break out of it.
pub(crate) const WITH_HOSTILE_TEXTS: &str = r#"
notes = ["<script>alert(1)</script> & \"quotes\" {{ braces }}"]
fixes = ["<b>bold</b>"]
[[prerequisites]]
product = "Database"
service_pack = 1
[[prerequisites]]
id = "ask"
confirm = "Have <all users> been informed?"
[[steps]]
id = "remove"
title = "</h3><img src=x onerror=alert(1)>"
action = "uninstall"
items."Things" = ["Provider"]
[[steps]]
id = "database"
action = "manual"
instructions = "Run <update.sql>\nand wait."
on = "engine"
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Provider.msi"]
[[steps]]
id = "install"
action = "install"
groups = ["Things"]
[[steps]]
id = "restart"
action = "restart"
service = "Engine"
[payload]
files = [{ name = "Provider.msi" }, { name = "Readme.txt", unused = "for people" }]
"#;

fn render(world: &World, arguments: &str) -> String {
    world
        .run(arguments)
        .exits_with(exit::OK)
        .stdout()
        .to_owned()
}

/// Returns the plan of [`WITH_HOSTILE_TEXTS`] that installs missing items, too, as a page and as
/// JSON.
fn hostile_page() -> (String, Value) {
    let world = small_world(WITH_HOSTILE_TEXTS);
    let plan = world
        .run("plan small.toml --include-missing --save plan.json --format json")
        .exits_with(exit::OK)
        .json();
    (render(&world, "show plan.json --format html"), plan)
}

/// Returns reports of three runs: one that was applied, one that stopped at a manual step, and one
/// that was finished later and rolled back.
fn reports() -> [String; 3] {
    let applied = World::with_deployment();
    applied.run(APPLY).exits_with(exit::OK);
    let stopped = small_world(WITH_MANUAL_STEP);
    stopped
        .run("apply small.toml --yes")
        .exits_with(exit::STOPPED);
    let undone = stopped.copy();
    undone
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    undone
        .run("undo last --yes --done database")
        .exits_with(exit::OK);
    [applied, stopped, undone].map(|world| render(&world, "report last --format html"))
}

fn page_of_kb952076() -> (String, Value) {
    let world = World::with_deployment();
    (
        render(&world, "plan kb952076.toml --format html"),
        world.plan("kb952076.toml"),
    )
}

/// Returns the text of a page without head and tags, with its entities replaced.
fn visible_text(page: &str) -> String {
    let body = page.split_once("<body>").map_or(page, |(_, body)| body);
    let mut visible_text = String::new();
    let mut in_tag = false;
    for c in body.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            c if !in_tag => visible_text.push(c),
            _ => {}
        }
        if in_tag {
            visible_text.push(' ');
        }
    }
    let entities = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    let visible_text = entities
        .iter()
        .fold(visible_text, |visible_text, (entity, c)| {
            visible_text.replace(entity, c)
        });
    visible_text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the values of an attribute.
fn values<'p>(page: &'p str, attribute: &str) -> Vec<&'p str> {
    let start = format!(" {attribute}=\"");
    page.split(&start)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0))
        .collect()
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

#[test]
fn pages_need_no_network_and_no_script() {
    for page in [page_of_kb952076().0, hostile_page().0]
        .into_iter()
        .chain(reports())
    {
        for word in [
            "<script",
            "<link",
            "<iframe",
            "<img",
            "<object",
            "@import",
            "url(",
            "http:",
            "https:",
            "javascript:",
        ] {
            assert!(!page.contains(word), "the page has `{word}`");
        }
        assert!(values(&page, "src").is_empty() && values(&page, "onerror").is_empty());
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
        assert!(page.contains(
            "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src"
        ));
    }
}

#[test]
fn every_link_and_label_has_a_target() {
    for page in [page_of_kb952076().0, hostile_page().0]
        .into_iter()
        .chain(reports())
    {
        let all = values(&page, "id");
        let ids: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(ids.len(), all.len(), "an id is there twice");
        let links = values(&page, "href")
            .into_iter()
            .map(|link| link.strip_prefix('#').expect("a link in the page"));
        for name in links.chain(values(&page, "aria-labelledby")) {
            assert!(ids.contains(name), "no element has the id {name}");
        }
        for table in page.split("<table").skip(1) {
            let (tag, rest) = table.split_once('>').expect("a tag");
            let is_named = tag.contains("aria-labelledby") || rest.starts_with("\n<caption");
            assert!(is_named, "a table has no name: {tag}");
        }
        assert_eq!(
            page.matches("<th ").count() + page.matches("<th>").count(),
            page.matches(" scope=\"").count()
        );
    }
}

#[test]
fn a_page_shows_everything_that_is_in_the_plan() {
    for (page, plan) in [page_of_kb952076(), hostile_page()] {
        let text_of_page = visible_text(&page);
        let assert_contains = |text: &str| {
            assert!(
                text_of_page.contains(text),
                "`{text}` is not on the page: {text_of_page}"
            )
        };
        assert_contains(plan["digest"].as_str().expect("a digest"));
        assert_contains(plan["expected_state"]["digest"].as_str().expect("a digest"));
        for step in list(&plan, "/steps") {
            assert_contains(step["id"].as_str().expect("an id"));
            for operation in list(step, "/operations") {
                assert_contains(operation["target"].as_str().expect("a target"));
                assert_contains(operation["server"].as_str().unwrap_or_default());
                assert_contains(operation["after"]["sha256"].as_str().unwrap_or_default());
                assert_contains(operation["before"]["sha256"].as_str().unwrap_or_default());
                assert_contains(operation["after"]["version"].as_str().unwrap_or_default());
            }
            for nothing in list(step, "/nothing") {
                assert_contains(nothing["why"].as_str().expect("a reason"));
            }
            list(step, "/left_out")
                .iter()
                .for_each(|item| assert_contains(item.as_str().expect("an item")));
        }
        for row in list(&plan, "/context/file_table") {
            assert_contains(row["name"].as_str().expect("a name"));
            assert_contains(row["unused"].as_str().unwrap_or_default());
        }
        let items = list(&plan, "/context/console")
            .iter()
            .flat_map(|group| list(group, "/items"));
        items.for_each(|item| assert_contains(item["name"].as_str().expect("a name")));
        for check in list(&plan, "/context/checked") {
            assert_contains(check["condition"].as_str().expect("a text"));
            list(check, "/found")
                .iter()
                .for_each(|found| assert_contains(found.as_str().expect("a text")));
        }
        for confirmation in list(&plan, "/confirmations") {
            assert_contains(confirmation["question"].as_str().expect("a question"));
        }
        list(&plan, "/warnings")
            .iter()
            .for_each(|warning| assert_contains(warning.as_str().expect("a warning")));
    }
}

#[test]
fn a_page_shows_the_whole_console() {
    let (page, _) = page_of_kb952076();
    let console = page
        .split_once("<caption id=\"console-caption\">")
        .expect("a console")
        .1;
    let console = console.split_once("</table>").expect("a table").0;
    let rows: Vec<&str> = console
        .split("<tr")
        .skip(2)
        .filter(|row| !row.contains("rowgroup"))
        .collect();
    assert_eq!(rows.len(), 41, "instances");
    assert_eq!(
        rows.iter()
            .filter(|row| row.contains("uninstall") && row.contains("4.0.300"))
            .count(),
        25
    );
    assert_eq!(
        rows.iter()
            .filter(|row| row.starts_with(" class=\"still\""))
            .count(),
        13
    );
}

#[test]
fn the_map_of_the_console_has_a_mark_for_every_instance() {
    let (page, _) = page_of_kb952076();
    let table = page
        .split_once("<caption id=\"map-caption\">")
        .expect("a table")
        .1;
    let table = table.split_once("</table>").expect("a table").0;
    let marks = |class: &str| table.matches(&format!("class=\"{class}\"")).count();
    // Before and after: 25 instances and 3 procedures change, 10 stay unchanged, and 3 are not
    // installed.
    assert_eq!(
        (marks("old"), marks("new"), marks("still"), marks("none")),
        (28, 28, 20, 6)
    );
    assert!(
        visible_text(table)
            .contains("11 × 4.0.200, 1 × not-installed 11 × 4.0.300, 1 × not-installed"),
        "{table}"
    );
}

#[test]
fn outages_are_drawn_from_step_to_step_with_a_bar_for_those_that_are_equal() {
    let (page, _) = page_of_kb952076();
    let table = page.split_once("<h2 id=\"outages\">").expect("a table").1;
    let table = table.split_once("</table>").expect("a table").0;
    let rows: Vec<(String, Vec<&str>)> = table
        .split("<tr>")
        .skip(2)
        .map(|row| (visible_text(row), values(row, "colspan")))
        .collect();
    let [web, shared, engine] = rows.as_slice() else {
        panic!("three rows: {rows:?}")
    };
    // Eighteen items are unavailable for three steps, and the engine restarts in the last one.
    assert!(web.0.starts_with("7 items on PROV01, PROV02"), "{web:?}");
    assert!(
        shared.0.starts_with("11 items on all servers"),
        "{shared:?}"
    );
    assert_eq!((&*web.1, &*shared.1), (&["3", "2"][..], &["3", "2"][..]));
    assert!(engine.0.contains("Provisioning Engine"), "{engine:?}");
    assert!(engine.0.ends_with("restarted"), "{engine:?}");
    assert_eq!(engine.1, ["4", "1"]);
}

/// Returns the part of a page before its annexes.
fn first_part(page: &str) -> String {
    let end = page.find("class=\"annex\"").expect("an annex");
    visible_text(&page[..end])
}

#[test]
fn the_first_part_of_a_plan_answers_what_a_board_asks() {
    let world = World::with_deployment();
    let page = render(&world, "plan kb952076.toml --format html");
    let plan = world.plan("kb952076.toml");
    let digest = plan["digest"].as_str().expect("a digest");
    let text = first_part(&page);
    for answer in [
        "Can be applied: every check passed; 2 points to consider first.",
        "applied updates KB948755 KB952076",
        "18 items, 7 of them on 2 servers: 25 instances in all 4.0.200 4.0.300",
        "Provisioning Engine on MPS01, MPS02 running restarted",
        "7 items: Managed Mobility 2007 Web Service",
        "PROV01, PROV02 from step uninstall to step install",
        "Servers with an outage at the same time, of mps-web: 2 of 2.",
        "How long: no rehearsal is named, so no time is stated.",
        "The deployment can be rolled back; only the records of procedures can be restored, not what they changed elsewhere, which rollup does not know: Initialize Exchange 2007",
        "Exchange Server 2007, at least service pack 1: EXHUB01 (service pack 1)",
        &format!("--expect-plan {digest}"),
        "/kb952076.toml",
        "Not checked: whether items and services work after the run",
        "Decision ☐ approved",
    ] {
        assert!(text.contains(answer), "`{answer}` is not in {text}");
    }
}

#[test]
fn a_saved_plan_does_not_claim_that_it_can_be_applied() {
    let world = small_world(WITH_HOSTILE_TEXTS);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    let text = first_part(&render(&world, "show plan.json --format html"));
    assert!(text.contains("A saved plan: rollup plan FILE checks whether it still holds"));
    assert!(!text.contains("Can be applied"), "{text}");
    fs::remove_dir_all(world.at("KB100001")).expect("removed");
    let text = first_part(&render(&world, "plan small.toml --format html"));
    assert!(text.contains("A preview without a payload"), "{text}");
    assert!(!text.contains("--expect-plan"), "{text}");
}

#[test]
fn a_rehearsal_that_is_named_has_applied_this_plan() {
    let world = World::with_deployment();
    let lab = world.copy();
    lab.run(APPLY).exits_with(exit::OK);
    let lab = lab.deployment();
    let rehearsal = format!("plan kb952076.toml --rehearsal {}", lab.display());
    let page = render(&world, &format!("{rehearsal} --format html"));
    let text = first_part(&page);
    assert!(
        text.contains("How long: something was unavailable for "),
        "{text}"
    );
    assert!(text.contains("in the rehearsal of 20"), "{text}");
    let json = world.run(&format!("{rehearsal} --format json")).json();
    assert_eq!(json["rehearsal"]["run"], "0001-KB952076");
    assert!(json["rehearsal"]["outage_us"].as_u64() > Some(0));
    world
        .run(&rehearsal)
        .exits_with(exit::OK)
        .prints("rehearsed: something was unavailable for");
    // Another plan was not rehearsed there.
    world
        .run("plan kb952076.toml --include-missing --save plan.json")
        .exits_with(exit::OK);
    world
        .run(&format!("show plan.json --rehearsal {}", lab.display()))
        .exits_with(exit::MISMATCH);
    world
        .run(&format!("{rehearsal} --include-missing"))
        .exits_with(exit::MISMATCH)
        .prints("applied this plan with all its events");
    world
        .run("plan kb952076.toml --rehearsal nowhere")
        .exits_with(exit::NO_INPUT);
}

#[test]
fn a_report_begins_with_its_verdict_and_compares_plan_and_run() {
    let [applied, stopped, undone] = reports();
    for (page, texts) in [
        (
            applied,
            &[
                "Succeeded: the result matches the plan.",
                "Unavailable: 18 items and 1 service, for",
                "Can be undone; only the records of procedures can be restored",
                "To undo it: rollup undo 0001-KB952076",
                "Nothing is pending",
                "Operations 75 75",
                "Unavailable 18 items and 1 service 18 items and 1 service",
                ", the same",
            ][..],
        ),
        (
            stopped,
            &[
                "Unfinished: ",
                "This page was written at 20",
                "Manual steps 1 0 answered",
            ][..],
        ),
        (
            undone,
            &[
                "Rolled back: everything is as it was before.",
                "Manual steps 1 1 answered",
            ][..],
        ),
    ] {
        let text = visible_text(&page);
        for expected in texts {
            assert!(text.contains(expected), "`{expected}` is not in {text}");
        }
    }
}

#[test]
fn a_failure_is_above_everything_else() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml -d deployment -p KB952076 --lab lab --inject-failure install")
        .exits_with(exit::ROLLED_BACK);
    let page = render(&world, "report last -d lab/deployment --format html");
    let text = visible_text(&page);
    let verdict = text
        .find("Failed, and rolled back: everything is as it was before.")
        .expect("a verdict");
    let failure = text
        .find("the run was rolled back: step install")
        .expect("a failure");
    let facts = text.find("Planned and actual").expect("a table");
    assert!(verdict < failure && failure < facts, "{text}");
}

#[test]
fn the_point_of_no_return_and_new_items_are_prominent() {
    let (page, _) = hostile_page();
    let text_of_page = visible_text(&page);
    for text in [
        "Point of no return: the manual step `database`: the manifest has no `undo` instructions for it",
        "By hand: step database, on ENG01, ENG02",
        "New here, not installed before this run: Extra",
        "--confirm ask ): Have <all users> been informed?",
        "Undo: not possible; once it is done, the step is a point of no return",
        "Stop: point of no return: if this was done, the rollback ends here",
    ] {
        assert!(text_of_page.contains(text), "{text}: {text_of_page}");
    }
}

#[test]
fn texts_of_a_manifest_are_escaped() {
    let (page, _) = hostile_page();
    assert!(
        page.contains(
            "&#60;script&#62;alert(1)&#60;/script&#62; &#38; &#34;quotes&#34; {{ braces }}"
        )
    );
    assert!(visible_text(&page).contains("</h3><img src=x onerror=alert(1)>"));
}

#[test]
fn a_page_never_replaces_a_file_that_the_command_reads() {
    let world = small_world(ALL_KINDS);
    world
        .run("plan small.toml --format html -o plan.html --save plan.json")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let ran = world
        .run("show plan.json --format html -o again.html")
        .exits_with(exit::OK);
    assert_eq!(ran.stdout(), "");
    let [planned, shown] = ["../plan.html", "../again.html"].map(|page| world.read(page));
    assert_eq!(of_the_plan(&planned), of_the_plan(&shown));
    for arguments in [
        "show plan.json --format html -o plan.json",
        "plan small.toml --format html -o small.toml",
    ] {
        world
            .run(arguments)
            .exits_with(exit::USAGE)
            .prints("is an input of this command")
            .prints("now: this command changed nothing");
    }
    world
        .run("show plan.json -o nowhere/plan.txt")
        .exits_with(exit::IO)
        .prints("cannot write `nowhere/plan.txt`");
}

#[test]
fn options_of_the_text_format_are_refused_for_other_formats() {
    let world = small_world(ALL_KINDS);
    for flag in ["--undo", "--tree", "--why"] {
        for format in ["html", "markdown", "json"] {
            let ran = world
                .run(&format!("plan small.toml {flag} --format {format}"))
                .exits_with(exit::USAGE);
            ran.prints(&format!("`{flag}` applies to `--format text` only"));
        }
    }
}

/// Opens a page in a browser together with the accessibility checker, and returns the violations.
fn accessibility_violations(page: &str, axe: &str, flags: &[&str]) -> Value {
    let run = "<script>window.onload = () => axe.run(document).then(result => {\
               const found = document.createElement('pre'); found.id = 'found';\
               found.textContent = JSON.stringify(result.violations.map(one => [one.id, one.nodes.map(n => n.html)]));\
               document.body.append(found); })</script></body>";
    let axe = axe.replace("</script", "<\\/script");
    let directory = temporary();
    let at = directory.path().join("page.html");
    // The policy of the page allows no script at all.
    let (before, policy) = page.split_once("<meta http-equiv").expect("a policy");
    let (_, after) = policy.split_once('\n').expect("an end");
    let page = format!("{before}{after}");
    let page = page.replace("</body>", &format!("<script>{axe}</script>{run}"));
    fs::write(&at, page).expect("written");
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=30000",
        "--dump-dom",
    ]);
    let output = command
        .args(flags)
        .arg(format!("file://{}", at.display()))
        .output()
        .expect("chromium runs");
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = page
        .split_once("<pre id=\"found\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"));
    let found = found
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
        .0;
    serde_json::from_str(
        &found
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
    .expect("JSON")
}

/// Returns the directory of npm packages that contains `html-validate`.
fn npm_packages() -> PathBuf {
    let directories: Vec<PathBuf> =
        env::split_paths(&env::var_os("PATH").expect("a PATH")).collect();
    let found = directories
        .iter()
        .map(|directory| directory.join("html-validate"))
        .find(|tool| tool.exists());
    let tool = found
        .and_then(|tool| tool.canonicalize().ok())
        .expect("html-validate is installed");
    tool.ancestors()
        .find(|directory| directory.ends_with("node_modules"))
        .map(Path::to_owned)
        .expect("a directory of npm packages")
}

#[test]
#[ignore = "needs chromium, and axe-core beside html-validate, of npm"]
fn an_accessibility_checker_finds_nothing() {
    let axe = fs::read_to_string(npm_packages().join("axe-core/axe.min.js"))
        .expect("axe-core is installed");
    let views: [&[&str]; 3] = [
        &["--window-size=1200,1000"],
        &[
            "--window-size=1200,1000",
            "--blink-settings=preferredColorScheme=0",
        ],
        &["--window-size=500,1000"],
    ];
    for (name, page) in all_pages() {
        for view in views {
            assert_eq!(
                accessibility_violations(&page, &axe, view),
                serde_json::json!([]),
                "{name} with {view:?}"
            );
        }
    }
}

#[test]
#[ignore = "needs html-validate, of npm"]
fn an_html_validator_finds_nothing() {
    npm_packages();
    let directory = temporary();
    for (name, page) in all_pages() {
        let at = directory.path().join(format!("{name}.html"));
        fs::write(&at, page).expect("written");
        let output = Command::new("html-validate")
            .arg(&at)
            .output()
            .expect("html-validate runs");
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// Returns a page of every kind, with its name.
fn all_pages() -> Vec<(&'static str, String)> {
    let without_payload = small_world(ALL_KINDS);
    fs::remove_dir_all(without_payload.at("KB100001")).expect("removed");
    let [applied, stopped, undone] = reports();
    vec![
        ("report-applied", applied),
        ("report-stopped", stopped),
        ("report-undone", undone),
        ("kb952076", page_of_kb952076().0),
        ("everything", hostile_page().0),
        (
            "without-payload",
            render(&without_payload, "plan small.toml --format html"),
        ),
    ]
}
