//! How long `apply` takes, beside the script that an operator would write for the same work, and
//! beside copying what is new: `cargo bench --bench apply`.
//!
//! Two rollups: KB952076 in the sample, and a large one. Before each apply, and before each run of
//! `benches/apply.sh`, the deployment is copied anew; only then the clock runs, until everything is
//! on disk. The floor is `cp -r` of every object that is new, and `sync`. `ROLLUP_BENCH_MB=2000`
//! takes so many megabytes for the large one instead of 256, `ROLLUP_BENCH_DIR` another place than
//! `target`.
//!
//! Then the time during which services are down, from the first rename to the last, as
//! `rollup report` tells it: what the swaps and what the syncs took of it, beside as many bare
//! renames. Once more while somebody else writes to the same file system as fast as it takes it: a
//! sync brings his bytes to disk too.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollup::plan::{OperationKind, Plan, SourceAt, TargetState, parse};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use shared::{Rows, middle, rollup, timed};

mod shared;

/// Each is done so often, all of them in turn.
const ROUNDS: usize = 5;

fn main() {
    let directory = shared::directory();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!(
        "{:<16} {:<28} {:>12} {:>15}",
        "rollup", "what", "median", "of the script's"
    );

    let lab = directory.path().join("kb952076");
    fs::create_dir(&lab).expect("there is room");
    fs::copy(
        root.join("manifests/kb952076.toml"),
        lab.join("manifest.toml"),
    )
    .expect("there is room");
    timed(&mut rollup(
        &lab,
        &["rehearse", "manifest.toml", "--lab", "lab", "--prepare"],
    ));
    for name in ["deployment", "payload"] {
        fs::rename(lab.join("lab").join(name), lab.join(name))
            .expect("both are directories of ours");
    }
    compare("KB952076", &lab);

    let large = directory.path().join("large");
    fs::create_dir(&large).expect("there is room");
    let bytes = shared::wanted_bytes();
    let sizes = shared::large(bytes);
    shared::build(
        &large,
        &shared::site(sizes.len(), 0),
        &shared::manifest(sizes.len(), Rows::Sized(&sizes)),
    );
    compare(&format!("one of {} MB", bytes / 1_000_000), &large);
}

/// Measures all three in a directory with `deployment`, `payload` and `manifest.toml`.
fn compare(name: &str, directory: &Path) {
    let job = ["manifest.toml", "-d", "work", "-p", "payload"];
    copy_anew(directory);
    timed(&mut rollup(
        directory,
        &[&["plan"], &job[..], &["--save", "plan.json"]].concat(),
    ));
    let plan = fs::read_to_string(directory.join("plan.json")).expect("it was just saved");
    let plan = parse(&plan).expect("it was just saved");
    let new = lists(directory, &plan);
    let renames = plan
        .swaps
        .iter()
        .map(|swap| if swap.has_old() { 2 } else { 1 })
        .sum();

    let apply = || {
        let (time, _) = timed(&mut rollup(
            directory,
            &[&["apply"], &job[..], &["--yes"]].concat(),
        ));
        (time, Window::told(directory))
    };
    let (mut quiet, mut busy, mut script, mut floor): (
        Vec<_>,
        Vec<_>,
        Vec<Duration>,
        Vec<Duration>,
    ) = Default::default();
    for _ in 0..ROUNDS {
        copy_anew(directory);
        busy.push(beside_a_writer(&directory.join("noise"), apply));
        copy_anew(directory);
        quiet.push(apply());

        // What stands new by now is what the floor copies.
        let _ = fs::remove_dir_all(directory.join("floor"));
        fs::create_dir(directory.join("floor")).expect("there is room");
        let mut copy = Command::new("sh");
        copy.args([
            "-c",
            "cp -r --parents \"$@\" ../floor && sync -f ../floor",
            "sh",
        ])
        .args(&new);
        floor.push(timed(copy.current_dir(directory.join("work"))).0);

        copy_anew(directory);
        let _ = fs::remove_dir_all(directory.join("backup"));
        fs::create_dir(directory.join("backup")).expect("there is room");
        let mut by_hand =
            Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/apply.sh"));
        let places =
            ["work", "payload", "backup", "items", "files"].map(|name| directory.join(name));
        script.push(timed(by_hand.args(places)).0);
    }
    let script = middle(script);
    let applied =
        |runs: &[(Duration, Window)]| middle(runs.iter().map(|(time, _)| *time).collect());
    let rows = [
        ("rollup apply", applied(&quiet)),
        ("rollup apply, others write", applied(&busy)),
        ("apply.sh", script),
        ("cp -r and sync", middle(floor)),
    ];
    for (what, time) in rows {
        println!(
            "{name:<16} {what:<28} {:>9.1} ms {:>15.2}",
            ms(time),
            time.as_secs_f64() / script.as_secs_f64()
        );
    }
    for (what, runs) in [("services down", &quiet), ("the same, others write", &busy)] {
        let part = |part: fn(&Window) -> Duration| {
            ms(middle(
                runs.iter().map(|(_, window)| part(window)).collect(),
            ))
        };
        println!(
            "{name:<16} {what:<28} {:>9.1} ms: swaps {:.1}, syncs {:.1}, all else {:.1}",
            part(|window| window.whole()),
            part(|window| window.swaps),
            part(|window| window.syncs),
            part(|window| window.others)
        );
    }
    let bare = middle(
        (0..ROUNDS)
            .map(|_| bare_renames(&directory.join("bare"), renames))
            .collect(),
    );
    println!(
        "{name:<16} {:<28} {:>9.1} ms",
        format!("{renames} bare renames"),
        ms(bare)
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The time from the first rename of a run to its last, by what was done in it.
#[derive(Clone, Copy)]
struct Window {
    swaps: Duration,
    syncs: Duration,
    others: Duration,
}

impl Window {
    /// As the report of the last run has it.
    fn told(directory: &Path) -> Self {
        let (_, report) = timed(&mut rollup(
            directory,
            &["report", "last", "-d", "work", "--format", "json"],
        ));
        let report: serde_json::Value =
            serde_json::from_str(&report).expect("a report is a document");
        let spent = &report["report"]["passages"][0]["spent"];
        let part = |name: &str| {
            Duration::from_micros(spent[name].as_u64().expect("a report tells its times"))
        };
        Self {
            swaps: part("renaming_us"),
            syncs: part("syncs_us"),
            others: part("else_us"),
        }
    }

    fn whole(&self) -> Duration {
        self.swaps + self.syncs + self.others
    }
}

/// Does something while a thread writes beside it, a gigabyte at most before it begins anew.
fn beside_a_writer<T>(noise: &Path, done: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let block = vec![0x5a; 1_000_000];
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let mut file = fs::File::create(noise).expect("there is room");
                for _ in 0..1_000 {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    file.write_all(&block).expect("there is room");
                }
            }
        });
        let done = done();
        over.store(true, Ordering::Relaxed);
        done
    });
    fs::remove_file(noise).expect("it was just written");
    done
}

/// How long so many renames take that do nothing else, of directories, as swaps do them.
fn bare_renames(directory: &Path, count: usize) -> Duration {
    let _ = fs::remove_dir_all(directory);
    let paths = |at: usize| {
        [
            format!("live/{at}"),
            format!("slots/{at}/new"),
            format!("slots/{at}/old"),
        ]
    };
    let swaps: Vec<_> = (0..count.div_ceil(2))
        .map(|at| paths(at).map(|path| directory.join(path)))
        .collect();
    for [live, new, _] in &swaps {
        fs::create_dir_all(live).expect("there is room");
        fs::create_dir_all(new).expect("there is room");
    }
    timed(Command::new("sync").arg("-f").arg(directory));
    let begun = Instant::now();
    for [live, new, old] in &swaps {
        renameat_with(CWD, live, CWD, old, RenameFlags::NOREPLACE).expect("nothing is in the way");
        renameat_with(CWD, new, CWD, live, RenameFlags::NOREPLACE).expect("nothing is in the way");
    }
    begun.elapsed()
}

/// The deployment as before the rollup, on disk and in memory.
fn copy_anew(directory: &Path) {
    let _ = fs::remove_dir_all(directory.join("work"));
    timed(
        Command::new("cp")
            .args(["-a", "deployment", "work"])
            .current_dir(directory),
    );
    timed(Command::new("sync").arg("-f").arg(directory));
}

/// Writes what the script works through, and says what stands new afterwards.
fn lists(directory: &Path, plan: &Plan) -> Vec<String> {
    let (mut items, mut files, mut sums, mut new) =
        (String::new(), String::new(), String::new(), Vec::new());
    let payload = |sha256| {
        let found = plan.sources.iter().find(|source| source.sha256 == sha256);
        match found.map(|source| &source.at) {
            Some(SourceAt::Payload { name }) => name.to_string(),
            _ => panic!("everything new comes from the payload"),
        }
    };
    let mut in_share = std::collections::BTreeMap::new();
    for operation in plan.operations() {
        match (&operation.after, operation.kind) {
            (TargetState::File { sha256, .. }, _) => {
                let (from, to) = (payload(*sha256), operation.at.name());
                writeln!(files, "{from}\t{to}").expect("a text takes all");
                writeln!(sums, "{sha256}  {from}").expect("a text takes all");
                in_share.insert(from, to);
            }
            (
                TargetState::Item {
                    installer: Some(sha256),
                    ..
                },
                OperationKind::Install,
            ) => {
                writeln!(items, "{}\t{}", operation.at, in_share[&payload(*sha256)])
                    .expect("a text takes all");
            }
            _ => continue,
        }
        new.push(operation.at.to_string());
    }
    for (name, text) in [
        ("items", items),
        ("files", files),
        ("payload/SHA256SUMS", sums),
    ] {
        fs::write(directory.join(name), text).expect("there is room");
    }
    new
}
