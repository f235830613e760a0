//! Whether time and memory stay flat as a deployment grows: `cargo bench --bench growth`.
//!
//! Deployments of 10 to 100,000 instances, each item on ten servers, with genuine installers.
//! Reading, planning and validating are measured alone, each in a process of its own: the median
//! time, and the most memory that it took above what the process had before. `list` only lists the
//! names: less than that no reading can take. `apply`, `verify` and `undo` are measured up to
//! 10,000 instances, as the whole processes that an operator starts.
//!
//! `ROLLUP_GROWTH=10,1000` measures these sizes only. `ROLLUP_BENCH_DIR=/dev/shm` builds the
//! deployments there: a million files and directories do not stay in every system's cache, and then
//! a disk is measured where we should be.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rollup::deployment::snapshot::Snapshot;
use rollup::deployment::tree::Tree;
use rollup::payload::Payload;
use rollup::plan::{Options, Planned, interest, plan};

use shared::{FLAT, Rows, described, parsed};

mod shared;

const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];
/// Whole runs stop here.
const LARGEST_RUN: usize = 10_000;
/// Growth is told against this size: below it the fixed costs weigh most.
const BASE: usize = 1_000;
/// Each item is on so many servers.
const SERVERS: usize = 10;

/// What is measured alone.
const STAGES: [&str; 5] = ["list", "read", "payload", "plan", "validate"];

/// Each of these is repeated until it took this long altogether, at least three times.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

/// Commands are repeated, apply and undo in turn, as long as this is not over; up to three times.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, asked, stage, directory, size] = arguments.as_slice()
        && asked == "measure"
    {
        let size = size.parse().expect("the parent gives a number");
        return measure(stage, Path::new(directory), size);
    }
    let asked = std::env::var("ROLLUP_GROWTH").ok();
    let sizes = match &asked {
        Some(asked) => asked
            .split(',')
            .map(|size| size.trim().parse().expect("ROLLUP_GROWTH lists numbers"))
            .collect(),
        None => SIZES.to_vec(),
    };
    let mut table = Table::default();
    println!(
        "{:>9} {:<10} {:>11} {:>12} {:>14}",
        "instances", "what", "time", "each", "memory each"
    );
    for size in sizes {
        let directory = shared::directory();
        let items = size / SERVERS;
        let (site, manifest) = (
            shared::site(items, SERVERS),
            shared::manifest(items, Rows::Named),
        );
        shared::build(directory.path(), &site, &manifest);
        for stage in STAGES {
            let (time, memory) = measured_alone(stage, directory.path(), size);
            table.row(size, stage, time, memory);
        }
        if size <= LARGEST_RUN {
            for (what, (time, memory)) in commands(directory.path()) {
                table.row(size, what, time, memory);
            }
        }
    }
}

/// The rows so far: what one instance took at the size that growth is told against.
#[derive(Default)]
struct Table(BTreeMap<String, (f64, f64)>);

impl Table {
    fn row(&mut self, size: usize, what: &str, time: Duration, memory: u64) {
        let each = time.as_secs_f64() / size as f64;
        let bytes = memory as f64 / size as f64;
        let growth = match self.0.get(what) {
            Some(&(time, memory)) => {
                let (time, memory) = (each / time, bytes / memory);
                let missed = if time > FLAT || memory > FLAT {
                    "  MORE THAN FLAT"
                } else {
                    ""
                };
                format!("  {time:.2} and {memory:.2} times those of {BASE}{missed}")
            }
            None => String::new(),
        };
        if size == BASE {
            self.0.insert(what.to_owned(), (each, bytes));
        }
        let (whole, each) = (time.as_secs_f64() * 1e3, each * 1e6);
        println!(
            "{size:>9} {what:<10} {whole:>8.1} ms {each:>9.2} us {:>11.2} KB{growth}",
            bytes / 1e3
        );
    }
}

/// Has one stage measured by a process of its own, so that none finds memory that another left.
fn measured_alone(stage: &str, directory: &Path, size: usize) -> (Duration, u64) {
    let here = std::env::current_exe().expect("a process knows its program");
    let asked = [
        stage.as_ref(),
        directory.as_os_str(),
        size.to_string().as_ref(),
    ]
    .map(std::ffi::OsStr::to_owned);
    let output = Command::new(here)
        .arg("measure")
        .args(asked)
        .stderr(Stdio::inherit())
        .output();
    let output = output.expect("it runs once more");
    assert!(output.status.success(), "{stage} of {size} failed");
    let said = String::from_utf8_lossy(&output.stdout);
    let mut numbers = said
        .split_whitespace()
        .map(|number| number.parse::<u64>().expect("two numbers are printed"));
    let mut number = || numbers.next().expect("two numbers are printed");
    (Duration::from_nanos(number()), number())
}

/// The child's part: prints the time in nanoseconds and the memory in bytes.
fn measure(stage: &str, directory: &Path, size: usize) {
    let text = |name: &str| fs::read_to_string(directory.join(name)).expect("the parent wrote it");
    let (site, manifest) = (text("deployment/deployment.toml"), text("manifest.toml"));
    let tree = Tree::open(&directory.join("deployment")).expect("the parent built it");
    let payload = Payload::open(&directory.join("payload")).expect("the parent built it");
    let read = || {
        let description = described(&site);
        let interest = interest(&parsed(&manifest, None), &description);
        Snapshot::read(&tree, description, &interest).expect("nobody else is here")
    };
    let (time, memory) = match stage {
        "list" => both(|| {
            let entries = walkdir::WalkDir::new(tree.path()).into_iter();
            assert!(
                entries.filter_map(Result::ok).count() > size,
                "every instance has a directory"
            );
        }),
        "read" => both(|| drop(read())),
        "payload" => {
            let manifest = parsed(&manifest, None);
            both(|| drop(payload.facts(&manifest.file_table())))
        }
        "plan" => {
            let (manifest, snapshot) = (parsed(&manifest, None), read());
            let facts = payload.facts(&manifest.file_table());
            both(|| {
                let planned = plan(&manifest, &snapshot, Some(&facts), Options::default());
                assert!(
                    matches!(planned, Ok(Planned::Plan(_))),
                    "there is something to do: {planned:?}"
                );
            })
        }
        _ => {
            let (manifest, site) = (
                shared::manifest(size, Rows::Documented),
                described(&shared::site(size, 0)),
            );
            both(|| drop(parsed(&manifest, Some(&site))))
        }
    };
    println!("{} {memory}", time.as_nanos());
}

/// The median time, and the most memory of the first time above what was there before.
fn both(mut run: impl FnMut()) -> (Duration, u64) {
    let before = status("self", "VmRSS:").unwrap_or_default();
    run();
    let most = status("self", "VmHWM:").unwrap_or_default();
    (
        shared::median(LONG_ENOUGH, run),
        most.saturating_sub(before),
    )
}

/// A figure that the system keeps of a process, in bytes.
fn status(process: &str, what: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let figure = status.lines().find_map(|line| line.strip_prefix(what))?;
    Some(figure.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The commands of an operator, as processes.
fn commands(directory: &Path) -> Vec<(&'static str, (Duration, u64))> {
    let (deployment, payload) = (directory.join("deployment"), directory.join("payload"));
    let all: [(&str, Vec<&std::ffi::OsStr>); 3] = [
        (
            "apply",
            vec![
                "apply".as_ref(),
                "manifest.toml".as_ref(),
                "-p".as_ref(),
                payload.as_ref(),
                "--yes".as_ref(),
            ],
        ),
        ("verify", vec!["verify".as_ref()]),
        (
            "undo",
            vec!["undo".as_ref(), "last".as_ref(), "--yes".as_ref()],
        ),
    ];
    let mut taken: [(Vec<Duration>, u64); 3] = Default::default();
    let begun = Instant::now();
    while taken[0].0.is_empty() || taken[0].0.len() < 3 && begun.elapsed() < PATIENCE {
        for ((_, arguments), (times, memory)) in all.iter().zip(&mut taken) {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
            command
                .args(arguments)
                .arg("-d")
                .arg(&deployment)
                .current_dir(directory);
            let (time, most) = finished(command.stdout(Stdio::null()).stderr(Stdio::null()));
            times.push(time);
            *memory = most.max(*memory);
        }
    }
    all.iter()
        .zip(taken)
        .map(|((what, _), (times, memory))| (*what, (shared::middle(times), memory)))
        .collect()
}

/// Runs a command to its end: how long it took, and the most memory that it had. The system forgets
/// the latter with the process, so it is asked all the time.
fn finished(command: &mut Command) -> (Duration, u64) {
    let begun = Instant::now();
    let mut child: Child = command.spawn().expect("the program is built");
    let process = child.id().to_string();
    let mut most = 0;
    loop {
        most = status(&process, "VmHWM:").unwrap_or_default().max(most);
        if let Some(ended) = child.try_wait().expect("it is our child") {
            assert!(ended.success(), "{command:?} ended with {ended}");
            return (begun.elapsed(), most);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
