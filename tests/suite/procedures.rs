//! Real procedures in `fixtures/procedures`: small ones for the sample, and three whole ones of other
//! products, each with its deployment, its manifest, the page for the change board, and the report.
//!
//! `SNAPSHOTS=overwrite cargo test --test suite procedures` writes the pages and reports again.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::world::{World, exit};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Names of the whole procedures, with the ids of their prerequisites that a person confirms.
const WHOLE: [(&str, &str); 3] = [
    ("mail-server", "--confirm backup"),
    ("portal", "--confirm backup"),
    ("database-nodes", "--confirm active"),
];

/// Makes a world with the deployment of a whole procedure, its manifest and its sample payload.
fn world(name: &str) -> World {
    let directory = fixtures().join("procedures").join(name);
    let read = |file| fs::read_to_string(directory.join(file)).expect("a fixture");
    World::with_site(&read("deployment.toml")).manifest(name, &read("manifest.toml"))
}

#[test]
fn every_procedure_is_valid_for_its_deployment() {
    let mut all = 0;
    for entry in fs::read_dir(fixtures().join("procedures")).expect("the procedures") {
        let path = entry.expect("a readable entry").path();
        let (manifest, deployment) = match path.is_dir() {
            true => (path.join("manifest.toml"), path.join("deployment.toml")),
            false => (path.clone(), fixtures().join("hmc40/deployment.toml")),
        };
        World::with_deployment()
            .run(&format!(
                "validate {} -d {}",
                manifest.display(),
                deployment.parent().expect("a directory").display()
            ))
            .exits_with(exit::OK);
        all += 1;
    }
    assert_eq!(all, 15);
}

/// Replaces everything that differs from run to run: times, durations, who ran it and where. Rows that
/// are sorted by their durations are sorted by name.
pub(crate) fn without_times(report: &str) -> String {
    let replaced = [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( UTC)?", "(time)"),
        (r"(at least )?\b[\d,.]+ (µs|ms|s|min|h)\b", "(duration)"),
        (r"(less than )?\b\d+ %", "(share)"),
        (r"\bby \S+ on \S+", "by (user) on (host)"),
        (r"\bby \S+ with\b", "by (user) with"),
        (r"\| \S+ on \S+ \|", "| (user) on (host) |"),
    ];
    let mut text = report.to_owned();
    for (pattern, replacement) in replaced {
        let pattern = Regex::new(pattern).expect("a pattern");
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    let mut sections: Vec<String> = text.split("\n### ").map(str::to_owned).collect();
    // What takes no time has an empty cell.
    for section in sections
        .iter_mut()
        .filter(|section| section.starts_with("Steps, timed"))
    {
        while section.contains("|  |") {
            *section = section.replace("|  |", "| (duration) |");
        }
    }
    for section in sections
        .iter_mut()
        .filter(|section| section.contains(", from "))
    {
        let (head, rows) = section.split_once("| --- |").expect("a table");
        let mut rows: Vec<&str> = rows.lines().collect();
        rows[1..].sort_unstable();
        *section = format!("{head}| --- |{}\n", rows.join("\n"));
    }
    sections.join("\n### ")
}

fn assert_matches(name: &str, file: &str, text: &str) {
    let at = fixtures().join("procedures").join(name).join(file);
    let expected = snapbox::Data::read_from(&at, Some(snapbox::data::DataFormat::Text));
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .normalize_paths(false)
        .eq(text.to_owned(), expected.raw());
}

#[test]
fn whole_procedures_have_their_page_and_their_report() {
    for (name, confirmed) in WHOLE {
        let world = world(name);
        let page = world
            .run(&format!("plan {name}.toml --format html"))
            .exits_with(exit::OK);
        let page = page.stdout();
        // Time, user and paths are of this machine.
        let (before, made) = page.split_once("<dt>Made</dt>").expect("a time");
        let (_, after) = made.split_once("</dl>").expect("an end");
        let made = "<dt>Made</dt><dd>(time) by (user) on (host)</dd>\n</dl>";
        let page = format!("{before}{made}{after}");
        assert_matches(name, "board.html", &page);
        world
            .run(&format!("apply {name}.toml --yes {confirmed}"))
            .exits_with(exit::STOPPED);
        // Each question is answered when it is asked.
        for _ in 0..20 {
            let status = world.run("status --format json").json();
            let Some(step) = status["open"]["waiting_at"]["step"].as_str() else {
                break;
            };
            let resumed = world.run(&format!("resume --done {step} --yes"));
            let (_, code) = resumed.printed();
            assert!(
                matches!(code, Some(exit::OK | exit::STOPPED)),
                "{}",
                resumed.description()
            );
        }
        world.run("verify").exits_with(exit::OK);
        let report = world
            .run("report last --format markdown")
            .exits_with(exit::OK);
        assert_matches(name, "report.md", &without_times(report.stdout()));
    }
}

#[test]
fn a_server_of_a_rolling_update_leaves_the_others_up() {
    let plan = world("mail-server").plan("mail-server.toml --allow-downgrade");
    let outages = plan["role_outages"].as_array().expect("outages");
    let at_once: Vec<(&str, u64)> = outages
        .iter()
        .map(|role| {
            (
                role["role"].as_str().expect("a role"),
                role["at_once"].as_u64().expect("a number"),
            )
        })
        .collect();
    assert_eq!(
        at_once,
        [("client-access", 1), ("transport", 1), ("mailbox", 1)]
    );
}

#[test]
fn an_update_that_cannot_be_removed_stops_every_rollback_behind_it() {
    let world = world("portal");
    world
        .run("plan portal.toml")
        .exits_with(exit::OK)
        .prints("undo: only before the first point of no return, in step `update`")
        .prints("The update cannot be removed from a server.")
        .prints("all 2 servers of web are unavailable at once");
    world
        .run("apply portal.toml --yes --confirm backup")
        .exits_with(exit::STOPPED);
    world
        .run("undo --yes")
        .exits_with(exit::NOT_READY)
        .prints("The update cannot be removed from a server.");
}
