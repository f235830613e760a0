//! Speed at which `verify` reads and hashes a deployment, compared with other tools:
//! `cargo bench --profile dist --bench hashing`.
//!
//! A rollup is applied, and then the same files are verified by `rollup verify`, by
//! `sha256sum --check`, and by one `openssl dgst` for each file on all cores. `openssl speed`
//! measures the limit of the cores, without reading files. Everything is read once before, so that
//! no disk is measured. `ROLLUP_BENCH_MB=2000` sets the megabytes, 256 by default;
//! `ROLLUP_BENCH_DIR` sets another directory than `target`.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use rollup::deployment::tree::{FileKind, Tree};
use shared::{Rows, median_of, rollup, run_timed};

mod shared;

/// Repetitions of each measurement, all of them in turn.
const ROUNDS: usize = 5;

fn main() -> anyhow::Result<()> {
    let directory = shared::directory()?;
    // The contents of a package are in the share and, unpacked, with the item.
    let sizes = shared::file_sizes(shared::payload_bytes()? / 2);
    let deployment_text = shared::deployment_text(sizes.len(), 0);
    shared::build(
        directory.path(),
        &deployment_text,
        &shared::manifest(sizes.len(), Rows::Sized(&sizes)),
    )?;
    run_timed(&mut rollup(
        directory.path(),
        &[
            "apply",
            "manifest.toml",
            "-d",
            "deployment",
            "-p",
            "payload",
            "--yes",
        ],
    ))?;
    let deployment = directory.path().join("deployment");
    let (files, bytes) = installed(&deployment)?;
    fs::write(directory.path().join("files"), files.join("\0"))?;
    let sums = run_timed(
        Command::new("sha256sum")
            .args(&files)
            .current_dir(&deployment),
    )?
    .1;
    fs::write(directory.path().join("SHA256SUMS"), sums)?;

    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let cores = cores.to_string();
    let verify = || rollup(directory.path(), &["verify", "-d", "deployment"]);
    let check = || {
        let mut command = Command::new("sha256sum");
        command
            .args(["--quiet", "--check", "../SHA256SUMS"])
            .current_dir(&deployment);
        command
    };
    let openssl = || {
        let mut command = Command::new("xargs");
        let arguments = [
            "-0", "-a", "../files", "-n", "1", "-P", &cores, "openssl", "dgst", "-sha256",
        ];
        command.args(arguments).current_dir(&deployment);
        command
    };
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut limits = Vec::new();
    for _ in 0..ROUNDS {
        for (command, times) in [verify(), check(), openssl()].iter_mut().zip(&mut times) {
            times.push(run_timed(command)?.0);
        }
        limits.push(limit(&cores)?);
    }
    let limit = median_of(limits) as f64;
    println!(
        "{} files of {:.0} MB, {cores} cores",
        files.len(),
        bytes as f64 / 1e6
    );
    println!(
        "{:<44} {:>10} {:>10} {:>18} {:>12}",
        "command", "median", "MB/s", "of sha256sum's", "of the limit"
    );
    let names = [
        "rollup verify",
        "sha256sum --check",
        "openssl dgst for each, by xargs -P",
    ];
    let rates = times.map(|times| bytes as f64 / median_of(times).as_secs_f64());
    for (label, rate) in names.into_iter().zip(rates) {
        let (time, megabytes) = (bytes as f64 / rate * 1e3, rate / 1e6);
        println!(
            "{label:<44} {time:>7.1} ms {megabytes:>10.0} {:>18.2} {:>12.2}",
            rate / rates[1],
            rate / limit
        );
    }
    let label = format!("openssl speed -evp sha256 -multi {cores}: the limit");
    println!(
        "{label:<44} {:>10} {:>10.0} {:>18.2} {:>12.2}",
        "",
        limit / 1e6,
        limit / rates[1],
        1.0
    );
    Ok(())
}

/// Returns the files that `verify` reads, and their size in bytes.
fn installed(deployment: &Path) -> anyhow::Result<(Vec<String>, u64)> {
    let tree = Tree::open(deployment)?;
    let entries = tree.walk(None)?.found.into_iter();
    let files: Vec<_> = entries
        .filter(|entry| entry.kind == FileKind::File)
        .map(|entry| entry.path)
        .collect();
    let size = |path| {
        tree.metadata(path)
            .ok()
            .flatten()
            .map_or(0, |metadata| metadata.size)
    };
    let bytes = files.iter().map(size).sum();
    Ok((files.iter().map(ToString::to_string).collect(), bytes))
}

/// Measures the bytes that the cores can hash in a second, in large blocks.
fn limit(cores: &str) -> anyhow::Result<u64> {
    let arguments = [
        "speed", "-evp", "sha256", "-multi", cores, "-bytes", "16384", "-seconds", "1", "-mr",
    ];
    let output = run_timed(Command::new("openssl").args(arguments))?.1;
    // The last line: +F:number:name:bytes per second.
    let rate = output.lines().rev().find_map(|line| {
        line.strip_prefix("+F:")?
            .rsplit(':')
            .next()?
            .parse::<f64>()
            .ok()
    });
    Ok(rate.context("openssl prints no speed")? as u64)
}
