//! How long `apply` takes, beside the script that an operator would write for the same work, and beside copying what is
//! new: `cargo bench --bench apply`.
//!
//! Two rollups: KB952076 in the sample, and a large one. Before each apply, and before each run of `benches/apply.sh`, the
//! deployment is copied anew; only then the clock runs, until everything is on disk. The floor is `cp -r` of every
//! object that is new, and `sync`. `ROLLUP_BENCH_MB=2000` takes so many megabytes for the large one instead of 256,
//! `ROLLUP_BENCH_DIR` another place than `target`.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rollup::plan::{OperationKind, Plan, Side, SourceAt, parse};
use shared::{Rows, middle, rollup, timed};

mod shared;

/// Each is done so often, all of them in turn.
const ROUNDS: usize = 5;

fn main() {
    let folder = shared::folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!("{:<24} {:<24} {:>10} {:>16}", "rollup", "what", "median", "of the script's");

    let lab = folder.path().join("kb952076");
    fs::create_dir(&lab).expect("there is room");
    fs::copy(root.join("manifests/kb952076.toml"), lab.join("manifest.toml")).expect("there is room");
    timed(&mut rollup(&lab, &["rehearse", "manifest.toml", "--in", "lab", "--prepare"]));
    for name in ["deployment", "payload"] {
        fs::rename(lab.join("lab").join(name), lab.join(name)).expect("both are folders of ours");
    }
    compare("KB952076", &lab);

    let large = folder.path().join("large");
    fs::create_dir(&large).expect("there is room");
    let bytes = shared::wanted_bytes();
    let sizes = shared::large(bytes);
    shared::build(&large, &shared::site(sizes.len(), 0), &shared::manifest(sizes.len(), Rows::Sized(&sizes)));
    compare(&format!("one of {} MB", bytes / 1_000_000), &large);
}

/// Measures all three in a folder with `deployment`, `payload` and `manifest.toml`.
fn compare(name: &str, folder: &Path) {
    let job = ["manifest.toml", "-d", "work", "-p", "payload"];
    copy_anew(folder);
    timed(&mut rollup(folder, &[&["plan"], &job[..], &["--save", "plan.json"]].concat()));
    let plan = fs::read_to_string(folder.join("plan.json")).expect("it was just saved");
    let new = lists(folder, &parse(&plan).expect("it was just saved"));

    let (mut apply, mut script, mut floor): (Vec<Duration>, Vec<Duration>, Vec<Duration>) = Default::default();
    let mut halves = String::new();
    for _ in 0..ROUNDS {
        copy_anew(folder);
        let (time, said) = timed(&mut rollup(folder, &[&["apply"], &job[..], &["--yes"]].concat()));
        apply.push(time);
        halves = said.lines().find(|line| line.starts_with("staged in")).unwrap_or_default().to_owned();

        // What stands new by now is what the floor copies.
        let _ = fs::remove_dir_all(folder.join("floor"));
        fs::create_dir(folder.join("floor")).expect("there is room");
        let mut copy = Command::new("sh");
        copy.args(["-c", "cp -r --parents \"$@\" ../floor && sync -f ../floor", "sh"]).args(&new);
        floor.push(timed(copy.current_dir(folder.join("work"))).0);

        copy_anew(folder);
        let _ = fs::remove_dir_all(folder.join("backup"));
        fs::create_dir(folder.join("backup")).expect("there is room");
        let mut by_hand = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/apply.sh"));
        let places = ["work", "payload", "backup", "items", "files"].map(|name| folder.join(name));
        script.push(timed(by_hand.args(places)).0);
    }
    let script = middle(script);
    for (what, time) in [("rollup apply", middle(apply)), ("apply.sh", script), ("cp -r and sync", middle(floor))] {
        let ratio = time.as_secs_f64() / script.as_secs_f64();
        println!("{name:<24} {what:<24} {:>7.1} ms {ratio:>16.2}", time.as_secs_f64() * 1e3);
    }
    println!("{name:<24} the last apply: {halves}");
}

/// The deployment as before the rollup, on disk and in memory.
fn copy_anew(folder: &Path) {
    let _ = fs::remove_dir_all(folder.join("work"));
    timed(Command::new("cp").args(["-a", "deployment", "work"]).current_dir(folder));
    timed(Command::new("sync").arg("-f").arg(folder));
}

/// Writes what the script works through, and says what stands new afterwards.
fn lists(folder: &Path, plan: &Plan) -> Vec<String> {
    let (mut items, mut files, mut sums, mut new) = (String::new(), String::new(), String::new(), Vec::new());
    let payload = |sha256| {
        let found = plan.sources.iter().find(|source| source.sha256 == sha256);
        match found.map(|source| &source.at) {
            Some(SourceAt::Payload { name }) => name.to_string(),
            _ => panic!("everything new comes from the payload"),
        }
    };
    let mut in_share = std::collections::BTreeMap::new();
    for operation in plan.operations() {
        match (&operation.becomes, operation.kind) {
            (Side::File { sha256, .. }, _) => {
                let (from, to) = (payload(*sha256), operation.at.name());
                writeln!(files, "{from}\t{to}").expect("a text takes all");
                writeln!(sums, "{sha256}  {from}").expect("a text takes all");
                in_share.insert(from, to);
            }
            (Side::Item { installer: Some(sha256), .. }, OperationKind::Install) => {
                writeln!(items, "{}\t{}", operation.at, in_share[&payload(*sha256)]).expect("a text takes all");
            }
            _ => continue,
        }
        new.push(operation.at.to_string());
    }
    for (name, text) in [("items", items), ("files", files), ("payload/SHA256SUMS", sums)] {
        fs::write(folder.join(name), text).expect("there is room");
    }
    new
}
