//! A plan or a report as one page: whole without a network or a script, true to the plan, and
//! usable by everybody.
//!
//! What a validator and an accessibility checker say is asked in the ignored tests; they need
//! `chromium`, and `html-validate` and `axe-core` from npm.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

use crate::events::EVERYTHING as WITH_A_PERSON;
use crate::saved_plans::ALL_KINDS;
use crate::small::small_world;
use crate::world::{APPLY, World, exit};

/// A manifest with everything that a page may have to show; its author means no good.
pub(crate) const EVERYTHING: &str = r#"
notes = ["<script>alert(1)</script> & \"quotes\" {{ braces }}"]
fixes = ["<b>bold</b>"]
[[prerequisites]]
product = "Database"
service_pack = 1
[[prerequisites]]
id = "ask"
confirm = "Has <everybody> been told?"
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

fn page(world: &World, words: &str) -> String {
    world.run(words).exits_with(exit::OK).stdout().to_owned()
}

/// The plan of [`EVERYTHING`], with what was never installed taken in: a page, and the same as
/// JSON.
fn everything() -> (String, Value) {
    let world = small_world(EVERYTHING);
    let plan = world
        .run("plan small.toml --include-missing --save plan.json --format json")
        .exits_with(exit::OK)
        .json();
    (page(&world, "show plan.json --format html"), plan)
}

/// Reports of runs: applied; stopped at a manual step; finished later, and undone.
fn reports() -> [String; 3] {
    let applied = World::with_deployment();
    applied.run(APPLY).exits_with(exit::OK);
    let stopped = small_world(WITH_A_PERSON);
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
    [applied, stopped, undone].map(|world| page(&world, "report last --format html"))
}

fn kb952076() -> (String, Value) {
    let world = World::with_deployment();
    (
        page(&world, "plan kb952076.toml --format html"),
        world.plan("kb952076.toml"),
    )
}

/// The words of a page: without its head, its marks and its entities.
fn words(page: &str) -> String {
    let body = page.split_once("<body>").map_or(page, |(_, body)| body);
    let mut words = String::new();
    let mut in_mark = false;
    for c in body.chars() {
        match c {
            '<' => in_mark = true,
            '>' => in_mark = false,
            c if !in_mark => words.push(c),
            _ => {}
        }
        if in_mark {
            words.push(' ');
        }
    }
    let entities = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    let words = entities
        .iter()
        .fold(words, |words, (entity, c)| words.replace(entity, c));
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The values of an attribute.
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
fn it_needs_no_network_and_no_script() {
    for page in [kb952076().0, everything().0].into_iter().chain(reports()) {
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
    }
}

#[test]
fn every_link_and_label_leads_somewhere() {
    for page in [kb952076().0, everything().0].into_iter().chain(reports()) {
        let all = values(&page, "id");
        let ids: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(ids.len(), all.len(), "an id stands there twice");
        let links = values(&page, "href")
            .into_iter()
            .map(|link| link.strip_prefix('#').expect("a link in the page"));
        for name in links.chain(values(&page, "aria-labelledby")) {
            assert!(ids.contains(name), "nothing is called {name}");
        }
        assert_eq!(
            page.matches("<table").count(),
            page.matches("<caption").count()
        );
        assert_eq!(
            page.matches("<th ").count() + page.matches("<th>").count(),
            page.matches(" scope=\"").count()
        );
    }
}

#[test]
fn it_says_everything_that_the_plan_says() {
    for (page, plan) in [kb952076(), everything()] {
        let said = words(&page);
        let says = |text: &str| {
            assert!(
                said.contains(text),
                "the page does not say `{text}`: {said}"
            )
        };
        says(plan["digest"].as_str().expect("a digest"));
        says(plan["expected_state"]["digest"].as_str().expect("a digest"));
        for step in list(&plan, "/steps") {
            says(step["id"].as_str().expect("an id"));
            for operation in list(step, "/operations") {
                says(operation["target"].as_str().expect("a target"));
                says(operation["server"].as_str().unwrap_or_default());
                says(operation["after"]["sha256"].as_str().unwrap_or_default());
                says(operation["before"]["sha256"].as_str().unwrap_or_default());
                says(operation["after"]["version"].as_str().unwrap_or_default());
            }
            for nothing in list(step, "/nothing") {
                says(nothing["why"].as_str().expect("a reason"));
            }
            list(step, "/left_out")
                .iter()
                .for_each(|item| says(item.as_str().expect("an item")));
        }
        for row in list(&plan, "/context/file_table") {
            says(row["name"].as_str().expect("a name"));
            says(row["unused"].as_str().unwrap_or_default());
        }
        let items = list(&plan, "/context/console")
            .iter()
            .flat_map(|group| list(group, "/items"));
        items.for_each(|item| says(item["name"].as_str().expect("a name")));
        for checked in list(&plan, "/context/checked") {
            says(checked["what"].as_str().expect("a text"));
            list(checked, "/found")
                .iter()
                .for_each(|found| says(found.as_str().expect("a text")));
        }
        for confirmation in list(&plan, "/confirmations") {
            says(confirmation["question"].as_str().expect("a question"));
        }
        list(&plan, "/warnings")
            .iter()
            .for_each(|warning| says(warning.as_str().expect("a warning")));
    }
}

#[test]
fn the_console_of_the_sample_is_shown_whole() {
    let (page, _) = kb952076();
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
fn the_picture_of_the_console_has_a_mark_for_every_instance() {
    let (page, _) = kb952076();
    let picture = page
        .split_once("<caption id=\"map-caption\">")
        .expect("a picture")
        .1;
    let picture = picture.split_once("</table>").expect("a table").0;
    let marks = |class: &str| picture.matches(&format!("class=\"{class}\"")).count();
    // 25 instances and 3 procedures change, 10 are left alone, and 3 are not installed, before and
    // after.
    assert_eq!(
        (marks("old"), marks("new"), marks("still"), marks("none")),
        (28, 28, 20, 6)
    );
    assert!(
        words(picture).contains("11 × 4.0.200, 1 × not-installed 11 × 4.0.300, 1 × not-installed"),
        "{picture}"
    );
}

#[test]
fn what_is_down_is_drawn_from_step_to_step() {
    let (page, _) = kb952076();
    let picture = page.split_once("<h2 id=\"down\">").expect("a picture").1;
    let picture = picture.split_once("</table>").expect("a table").0;
    let down: Vec<usize> = picture
        .split("<tr>")
        .skip(2)
        .map(|row| row.matches("class=\"cell down\"").count())
        .collect();
    // Eighteen items are away for three steps, and the engine restarts in one.
    assert_eq!(down, [vec![3; 18], vec![1]].concat());
}

#[test]
fn the_point_of_no_return_and_what_is_new_are_loud() {
    let (page, _) = everything();
    let said = words(&page);
    for text in [
        "No way back: once step `database` is done by hand, it cannot be taken back",
        "What a person has to do 2. database , on ENG01, ENG02",
        "New here: not installed before, and will be Extra",
        "--confirm ask : Has <everybody> been told?",
        "Nobody says how it is taken back",
        "No way: nobody says how this is taken back",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
}

#[test]
fn words_of_an_author_stay_words() {
    let (page, _) = everything();
    assert!(
        page.contains(
            "&#60;script&#62;alert(1)&#60;/script&#62; &#38; &#34;quotes&#34; {{ braces }}"
        )
    );
    assert!(words(&page).contains("</h3><img src=x onerror=alert(1)>"));
}

#[test]
fn a_page_is_written_whole_and_never_over_what_is_read() {
    let world = small_world(ALL_KINDS);
    world
        .run("plan small.toml --format html -o plan.html --save plan.json")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let told = world
        .run("show plan.json --format html -o again.html")
        .exits_with(exit::OK);
    assert_eq!(told.stdout(), "");
    assert_eq!(world.read("../plan.html"), world.read("../again.html"));
    for words in [
        "show plan.json --format html -o plan.json",
        "plan small.toml --format html -o small.toml",
    ] {
        world
            .run(words)
            .exits_with(exit::USAGE)
            .says("is what the command reads")
            .says("nothing was written");
    }
    world
        .run("show plan.json -o nowhere/plan.txt")
        .exits_with(exit::IO)
        .says("cannot write `nowhere/plan.txt`");
}

#[test]
fn what_chooses_among_texts_is_refused_elsewhere() {
    let world = small_world(ALL_KINDS);
    for flag in ["--undo", "--tree", "--why"] {
        for format in ["html", "markdown", "json"] {
            let ran = world
                .run(&format!("plan small.toml {flag} --format {format}"))
                .exits_with(exit::USAGE);
            ran.says(&format!(
                "`{flag}` chooses among what `--format text` shows"
            ));
        }
    }
}

/// A page in the browser, with the accessibility checker in it: what it found.
fn checked(page: &str, axe: &str, flags: &[&str]) -> Value {
    let run = "<script>window.onload = () => axe.run(document).then(result => {\
               const found = document.createElement('pre'); found.id = 'found';\
               found.textContent = JSON.stringify(result.violations.map(one => [one.id, one.nodes.map(n => n.html)]));\
               document.body.append(found); })</script></body>";
    let axe = axe.replace("</script", "<\\/script");
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let at = directory.path().join("page.html");
    fs::write(
        &at,
        page.replace("</body>", &format!("<script>{axe}</script>{run}")),
    )
    .expect("written");
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

/// The directory of npm's packages in which `html-validate` lies.
fn packages() -> PathBuf {
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
        .expect("npm's packages")
}

#[test]
#[ignore = "needs chromium, and axe-core beside html-validate, of npm"]
fn an_accessibility_checker_finds_nothing() {
    let axe =
        fs::read_to_string(packages().join("axe-core/axe.min.js")).expect("axe-core is installed");
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
                checked(&page, &axe, view),
                serde_json::json!([]),
                "{name} with {view:?}"
            );
        }
    }
}

#[test]
#[ignore = "needs html-validate, of npm"]
fn an_html_validator_finds_nothing() {
    packages();
    let directory = tempfile::TempDir::new().expect("a temporary directory");
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

/// A page of every kind.
fn all_pages() -> Vec<(&'static str, String)> {
    let without_payload = small_world(ALL_KINDS);
    fs::remove_dir_all(without_payload.at("KB100001")).expect("removed");
    let [applied, stopped, undone] = reports();
    vec![
        ("report-applied", applied),
        ("report-stopped", stopped),
        ("report-undone", undone),
        ("kb952076", kb952076().0),
        ("everything", everything().0),
        (
            "without-payload",
            page(&without_payload, "plan small.toml --format html"),
        ),
    ]
}
