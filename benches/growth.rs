//! Growth of time and memory with the size of a deployment: `cargo bench --profile dist --bench growth`.
//!
//! Deployments have 10 to 100,000 instances, each item on ten servers, with real installers.
//! Reading, planning and validating are measured separately, each in its own process: the median
//! time, and the peak of the memory that it added to the process. `list` only lists the names, the
//! lower limit for reading. `apply`, `verify` and `undo` are measured up to 10,000 instances, as
//! whole processes.
//!
//! `ROLLUP_GROWTH=10,1000` measures only these sizes. `ROLLUP_BENCH_DIR=/dev/shm` builds the
//! deployments there: a million files and directories do not stay in every system's cache, and the
//! benchmark would measure the disk.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use rollup::deployment::description::Description;
use rollup::deployment::snapshot::Snapshot;
use rollup::deployment::tree::Tree;
use rollup::payload::Payload;
use rollup::plan::{Options, Planned, interest, plan};

use shared::{FLAT, Rows, parse_description, parse_manifest};

mod shared;

const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];
/// Largest deployment for whole runs.
const LARGEST_RUN: usize = 10_000;
/// Growth is relative to this size, as fixed costs dominate below it.
const BASE: usize = 1_000;
/// Servers of each item.
const SERVERS: usize = 10;

/// Stages that are measured separately.
const STAGES: [&str; 5] = ["list", "read", "payload", "plan", "validate"];

/// A stage is repeated until its times add up to this, and at least three times.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

/// Commands are repeated, apply and undo in turn, within this time and up to three times.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, requested, stage, directory, size] = arguments.as_slice()
        && requested == "measure"
    {
        let size = size.parse()?;
        return measure(stage, Path::new(directory), size);
    }
    let sizes = match std::env::var("ROLLUP_GROWTH") {
        Ok(requested) => {
            let sizes = requested.split(',').map(|size| size.trim().parse());
            let sizes: Result<_, _> = sizes.collect();
            sizes.context("ROLLUP_GROWTH has something else than numbers")?
        }
        Err(_) => SIZES.to_vec(),
    };
    let mut table = Table::default();
    println!(
        "{:>9} {:<10} {:>11} {:>12} {:>14}",
        "instances", "what", "time", "each", "memory each"
    );
    for size in sizes {
        let directory = shared::directory()?;
        let items = size / SERVERS;
        let (deployment_text, manifest) = (
            shared::deployment_text(items, SERVERS),
            shared::manifest(items, Rows::Named),
        );
        shared::build(directory.path(), &deployment_text, &manifest)?;
        for stage in STAGES {
            let (time, memory) = measure_in_child(stage, directory.path(), size)?;
            table.row(size, stage, time, memory);
        }
        if size <= LARGEST_RUN {
            for (label, (time, memory)) in commands(directory.path())? {
                table.row(size, label, time, memory);
            }
        }
    }
    Ok(())
}

/// Rows so far: time and memory of one instance at the base size.
#[derive(Default)]
struct Table(BTreeMap<String, (f64, f64)>);

impl Table {
    fn row(&mut self, size: usize, label: &str, time: Duration, memory: u64) {
        let per_instance = time.as_secs_f64() / size as f64;
        let bytes = memory as f64 / size as f64;
        let growth = match self.0.get(label) {
            Some(&(time, memory)) => {
                let (time, memory) = (per_instance / time, bytes / memory);
                let warning = if time > FLAT || memory > FLAT {
                    "  MORE THAN FLAT"
                } else {
                    ""
                };
                format!("  {time:.2} and {memory:.2} times those of {BASE}{warning}")
            }
            None => String::new(),
        };
        if size == BASE {
            self.0.insert(label.to_owned(), (per_instance, bytes));
        }
        let (milliseconds, per_instance) = (time.as_secs_f64() * 1e3, per_instance * 1e6);
        println!(
            "{size:>9} {label:<10} {milliseconds:>8.1} ms {per_instance:>9.2} us {:>11.2} KB{growth}",
            bytes / 1e3
        );
    }
}

/// Measures one stage in its own process, so that it does not reuse memory of another one.
fn measure_in_child(stage: &str, directory: &Path, size: usize) -> anyhow::Result<(Duration, u64)> {
    let here = std::env::current_exe()?;
    let requested = [
        stage.as_ref(),
        directory.as_os_str(),
        size.to_string().as_ref(),
    ]
    .map(std::ffi::OsStr::to_owned);
    let output = Command::new(here)
        .arg("measure")
        .args(requested)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{stage} of {size} failed");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let (time, memory) = stdout.trim().split_once(' ').context("not two numbers")?;
    Ok((Duration::from_nanos(time.parse()?), memory.parse()?))
}

/// Measures one stage in the child process, and prints the time in nanoseconds and the memory in
/// bytes.
fn measure(stage: &str, directory: &Path, size: usize) -> anyhow::Result<()> {
    let text = |name: &str| fs::read_to_string(directory.join(name));
    let (deployment_text, manifest) = (text("deployment/deployment.toml")?, text("manifest.toml")?);
    let tree = Tree::open(&directory.join("deployment"))?;
    let payload = Payload::open(&directory.join("payload"))?;
    let bind = |description: &Description| {
        let bound = parse_manifest(&manifest, None)?.bind(description);
        bound.map_err(|faults| anyhow!("names are not known: {faults:?}"))
    };
    let read = || -> anyhow::Result<_> {
        let description = parse_description(&deployment_text)?;
        let interest = interest(&bind(&description)?, &description, false);
        Ok(Snapshot::read(&tree, description, &interest)?)
    };
    let (time, memory) = match stage {
        "list" => time_and_memory(|| {
            let entries = walkdir::WalkDir::new(tree.path()).into_iter();
            ensure!(
                entries.filter_map(Result::ok).count() > size,
                "an instance has no directory"
            );
            Ok(())
        }),
        "read" => time_and_memory(read),
        "payload" => {
            let manifest = parse_manifest(&manifest, None)?;
            time_and_memory(|| Ok(payload.facts(&manifest.file_table())))
        }
        "plan" => {
            let (manifest, snapshot) = (parse_manifest(&manifest, None)?, read()?);
            let facts = payload.facts(&manifest.file_table());
            time_and_memory(|| {
                let bound = manifest.clone().bind(&snapshot.description);
                let bound = bound.map_err(|faults| anyhow!("names are not known: {faults:?}"))?;
                let planned = plan(&bound, &snapshot, Some(&facts), Options::default());
                ensure!(
                    matches!(planned, Ok(Planned::Plan(_))),
                    "the plan is empty: {planned:?}"
                );
                Ok(())
            })
        }
        _ => {
            let (manifest, description) = (
                shared::manifest(size, Rows::Documented),
                parse_description(&shared::deployment_text(size, 0))?,
            );
            time_and_memory(|| parse_manifest(&manifest, Some(&description)))
        }
    }?;
    println!("{} {memory}", time.as_nanos());
    Ok(())
}

/// Returns the median time, and the peak of the memory that the first repetition added.
fn time_and_memory<T>(
    mut run: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<(Duration, u64)> {
    let before = status("self", "VmRSS:").unwrap_or_default();
    drop(run()?);
    let peak = status("self", "VmHWM:").unwrap_or_default();
    let median = shared::median(LONG_ENOUGH, run)?;
    Ok((median, peak.saturating_sub(before)))
}

/// Reads a memory figure of a process from `/proc`, in bytes.
fn status(process: &str, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let figure = status.lines().find_map(|line| line.strip_prefix(key))?;
    Some(figure.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Measures the commands that an operator runs, as processes.
fn commands(directory: &Path) -> anyhow::Result<Vec<(&'static str, (Duration, u64))>> {
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
    let started = Instant::now();
    while taken[0].0.is_empty() || taken[0].0.len() < 3 && started.elapsed() < PATIENCE {
        for ((_, arguments), (times, memory)) in all.iter().zip(&mut taken) {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
            command
                .args(arguments)
                .arg("-d")
                .arg(&deployment)
                .current_dir(directory);
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            let (time, peak) = run_with_memory(quiet)?;
            times.push(time);
            *memory = peak.max(*memory);
        }
    }
    let rows = all.iter().zip(taken);
    Ok(rows
        .map(|((label, _), (times, memory))| (*label, (shared::median_of(times), memory)))
        .collect())
}

/// Runs a command, and returns its time and its peak of memory. The system keeps the peak only as
/// long as the process, so this polls it.
fn run_with_memory(command: &mut Command) -> anyhow::Result<(Duration, u64)> {
    let started = Instant::now();
    let mut child: Child = command.spawn()?;
    let process = child.id().to_string();
    let mut peak = 0;
    loop {
        peak = status(&process, "VmHWM:").unwrap_or_default().max(peak);
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{command:?} ended with {status}");
            return Ok((started.elapsed(), peak));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
