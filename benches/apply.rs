//! Duration of `apply`, compared with the script that an operator would write for the same work,
//! and with copying the new objects: `cargo bench --profile dist --bench apply`.
//!
//! Two rollups: KB952076 in the sample, and a large one. Before each apply, and before each run of
//! `benches/apply.sh`, the deployment is copied again; then the clock runs until everything is on
//! disk. The floor is `cp -r` of every new object, and `sync`. `ROLLUP_BENCH_MB=2000` sets the
//! megabytes of the large rollup, 256 by default; `ROLLUP_BENCH_DIR` sets another directory than
//! `target`.
//!
//! Then the renames, from the first to the last, as `rollup report` has it: the time of the
//! swaps and of the syncs, compared with the same number of bare renames. Both are measured again
//! while another thread writes to the same file system at full speed, as a sync writes its bytes,
//! too.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rollup::plan::{OperationKind, Plan, SourceLocation, TargetState, parse};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use shared::{Rows, median_of, rollup, run_timed};

mod shared;

/// Repetitions of each measurement, all of them in turn.
const ROUNDS: usize = 5;

fn main() -> anyhow::Result<()> {
    let directory = shared::directory()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!(
        "{:<16} {:<28} {:>12} {:>15}",
        "rollup", "measurement", "median", "of the script's"
    );

    let lab = directory.path().join("kb952076");
    fs::create_dir(&lab)?;
    fs::copy(
        root.join("manifests/kb952076.toml"),
        lab.join("manifest.toml"),
    )?;
    run_timed(&mut rollup(
        &lab,
        &["rehearse", "manifest.toml", "--lab", "lab", "--prepare"],
    ))?;
    for name in ["deployment", "payload"] {
        fs::rename(lab.join("lab").join(name), lab.join(name))?;
    }
    compare("KB952076", &lab)?;

    let large = directory.path().join("large");
    fs::create_dir(&large)?;
    let bytes = shared::payload_bytes()?;
    let sizes = shared::file_sizes(bytes);
    shared::build(
        &large,
        &shared::deployment_text(sizes.len(), 0),
        &shared::manifest(sizes.len(), Rows::Sized(&sizes)),
    )?;
    compare(&format!("one of {} MB", bytes / 1_000_000), &large)
}

/// Measures apply, script and floor in a directory with `deployment`, `payload` and
/// `manifest.toml`.
fn compare(name: &str, directory: &Path) -> anyhow::Result<()> {
    let job = ["manifest.toml", "-d", "work", "-p", "payload"];
    copy_deployment(directory)?;
    run_timed(&mut rollup(
        directory,
        &[&["plan"], &job[..], &["--save", "plan.json"]].concat(),
    ))?;
    let plan = fs::read_to_string(directory.join("plan.json"))?;
    let plan = parse(&plan)?;
    let new_paths = write_lists(directory, &plan)?;
    let renames = plan
        .swaps
        .iter()
        .map(|swap| if swap.has_old() { 2 } else { 1 })
        .sum();

    let apply = || -> anyhow::Result<_> {
        let (time, _) = run_timed(&mut rollup(
            directory,
            &[&["apply"], &job[..], &["--yes"]].concat(),
        ))?;
        Ok((time, Renaming::from_report(directory)?))
    };
    let (mut alone, mut concurrent, mut script, mut floor): (
        Vec<_>,
        Vec<_>,
        Vec<Duration>,
        Vec<Duration>,
    ) = Default::default();
    for _ in 0..ROUNDS {
        copy_deployment(directory)?;
        concurrent.push(with_concurrent_writer(&directory.join("noise"), apply)?);
        copy_deployment(directory)?;
        alone.push(apply()?);

        // The floor copies the objects that the apply has installed.
        let _ = fs::remove_dir_all(directory.join("floor"));
        fs::create_dir(directory.join("floor"))?;
        let mut copy = Command::new("sh");
        copy.args([
            "-c",
            "cp -r --parents \"$@\" ../floor && sync -f ../floor",
            "sh",
        ])
        .args(&new_paths);
        floor.push(run_timed(copy.current_dir(directory.join("work")))?.0);

        copy_deployment(directory)?;
        let _ = fs::remove_dir_all(directory.join("backup"));
        fs::create_dir(directory.join("backup"))?;
        let mut script_command =
            Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/apply.sh"));
        let paths =
            ["work", "payload", "backup", "items", "files"].map(|name| directory.join(name));
        script.push(run_timed(script_command.args(paths))?.0);
    }
    let script = median_of(script);
    let applied =
        |runs: &[(Duration, Renaming)]| median_of(runs.iter().map(|(time, _)| *time).collect());
    let rows = [
        ("rollup apply", applied(&alone)),
        ("apply, concurrent writes", applied(&concurrent)),
        ("apply.sh", script),
        ("cp -r and sync", median_of(floor)),
    ];
    for (label, time) in rows {
        println!(
            "{name:<16} {label:<28} {:>9.1} ms {:>15.2}",
            ms(time),
            time.as_secs_f64() / script.as_secs_f64()
        );
    }
    for (label, runs) in [
        ("renames", &alone),
        ("renames, concurrent writes", &concurrent),
    ] {
        let part = |part: fn(&Renaming) -> Duration| {
            ms(median_of(
                runs.iter().map(|(_, renames)| part(renames)).collect(),
            ))
        };
        println!(
            "{name:<16} {label:<28} {:>9.1} ms: swaps {:.1}, syncs {:.1}, rest {:.1}",
            part(|renames| renames.total()),
            part(|renames| renames.swaps),
            part(|renames| renames.syncs),
            part(|renames| renames.rest)
        );
    }
    let mut bare = Vec::new();
    for _ in 0..ROUNDS {
        bare.push(bare_renames(&directory.join("bare"), renames)?);
    }
    println!(
        "{name:<16} {:<28} {:>9.1} ms",
        format!("{renames} bare renames"),
        ms(median_of(bare))
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Time from the first rename of a run to its last, by activity.
#[derive(Clone, Copy)]
struct Renaming {
    swaps: Duration,
    syncs: Duration,
    rest: Duration,
}

impl Renaming {
    /// Reads it from the report of the last run.
    fn from_report(directory: &Path) -> anyhow::Result<Self> {
        let (_, report) = run_timed(&mut rollup(
            directory,
            &["report", "last", "-d", "work", "--format", "json"],
        ))?;
        let report: serde_json::Value = serde_json::from_str(&report)?;
        let breakdown = &report["report"]["attempts"][0]["breakdown"];
        let part = |name: &str| {
            let us = breakdown[name].as_u64();
            us.map(Duration::from_micros)
                .with_context(|| format!("the report has no `{name}`"))
        };
        Ok(Self {
            swaps: part("renaming_us")?,
            syncs: part("syncs_us")?,
            rest: part("else_us")?,
        })
    }

    fn total(&self) -> Duration {
        self.swaps + self.syncs + self.rest
    }
}

/// Runs `work` while another thread writes a file again and again, each time up to a gigabyte.
fn with_concurrent_writer<T>(
    noise: &Path,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let stop = AtomicBool::new(false);
    let block = vec![0x5a; 1_000_000];
    let result = std::thread::scope(|scope| {
        let writer = scope.spawn(|| -> std::io::Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let mut file = fs::File::create(noise)?;
                for _ in 0..1_000 {
                    if stop.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    file.write_all(&block)?;
                }
            }
            Ok(())
        });
        let result = work();
        stop.store(true, Ordering::Relaxed);
        let written = writer.join();
        written.map_err(|_| anyhow!("the writer panicked"))??;
        result
    });
    fs::remove_file(noise)?;
    result
}

/// Measures renames of directories alone, in the pattern of swaps.
fn bare_renames(directory: &Path, count: usize) -> anyhow::Result<Duration> {
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
        fs::create_dir_all(live)?;
        fs::create_dir_all(new)?;
    }
    run_timed(Command::new("sync").arg("-f").arg(directory))?;
    let started = Instant::now();
    for [live, new, old] in &swaps {
        renameat_with(CWD, live, CWD, old, RenameFlags::NOREPLACE)?;
        renameat_with(CWD, new, CWD, live, RenameFlags::NOREPLACE)?;
    }
    Ok(started.elapsed())
}

/// Copies the deployment in its state before the rollup, and syncs it.
fn copy_deployment(directory: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(directory.join("work"));
    run_timed(
        Command::new("cp")
            .args(["-a", "deployment", "work"])
            .current_dir(directory),
    )?;
    run_timed(Command::new("sync").arg("-f").arg(directory))?;
    Ok(())
}

/// Writes the lists of the script, and returns the paths of the objects that an apply installs.
fn write_lists(directory: &Path, plan: &Plan) -> anyhow::Result<Vec<String>> {
    let (mut items, mut files, mut sums, mut new_paths) =
        (String::new(), String::new(), String::new(), Vec::new());
    let payload = |sha256| {
        let found = plan.sources.iter().find(|source| source.sha256 == sha256);
        match found.map(|source| &source.at) {
            Some(SourceLocation::Payload { name }) => Ok(name.to_string()),
            _ => bail!("a source is outside of the payload"),
        }
    };
    let mut in_share = std::collections::BTreeMap::new();
    for operation in plan.operations() {
        match (&operation.after, operation.kind) {
            (TargetState::File { sha256, .. }, _) => {
                let (from, to) = (payload(*sha256)?, operation.at.name());
                writeln!(files, "{from}\t{to}")?;
                writeln!(sums, "{sha256}  {from}")?;
                in_share.insert(from, to);
            }
            (
                TargetState::Item {
                    installer: Some(sha256),
                    ..
                },
                OperationKind::Install,
            ) => {
                writeln!(items, "{}\t{}", operation.at, in_share[&payload(*sha256)?])?;
            }
            _ => continue,
        }
        new_paths.push(operation.at.to_string());
    }
    for (name, text) in [
        ("items", items),
        ("files", files),
        ("payload/SHA256SUMS", sums),
    ] {
        fs::write(directory.join(name), text)?;
    }
    Ok(new_paths)
}
