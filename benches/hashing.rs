//! How fast `verify` reads and hashes a deployment, beside what an operator would use instead:
//! `cargo bench --bench hashing`.
//!
//! A rollup is applied, and then the same files are verified by `rollup verify`, by
//! `sha256sum --check`, and by one `openssl dgst` for each file on all cores. `openssl speed`
//! tells what the cores can hash where nothing is read at all. Everything is read once before, so
//! that no disk is measured. `ROLLUP_BENCH_MB=2000` takes so many megabytes instead of 256,
//! `ROLLUP_BENCH_DIR` another place than `target`.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rollup::deployment::tree::{FileKind, Tree};
use shared::{Rows, middle, rollup, timed};

mod shared;

/// Each is done so often, all of them in turn.
const ROUNDS: usize = 5;

fn main() {
    let directory = shared::directory();
    // What a package holds lies in the share and, unpacked, with its item.
    let sizes = shared::large(shared::wanted_bytes() / 2);
    let site = shared::site(sizes.len(), 0);
    shared::build(
        directory.path(),
        &site,
        &shared::manifest(sizes.len(), Rows::Sized(&sizes)),
    );
    timed(&mut rollup(
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
    ));
    let deployment = directory.path().join("deployment");
    let (files, bytes) = installed(&deployment);
    fs::write(directory.path().join("files"), files.join("\0")).expect("there is room");
    let sums = timed(
        Command::new("sha256sum")
            .args(&files)
            .current_dir(&deployment),
    )
    .1;
    fs::write(directory.path().join("SHA256SUMS"), sums).expect("there is room");

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
        let words = [
            "-0", "-a", "../files", "-n", "1", "-P", &cores, "openssl", "dgst", "-sha256",
        ];
        command.args(words).current_dir(&deployment);
        command
    };
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut limits = Vec::new();
    for _ in 0..ROUNDS {
        for (command, times) in [verify(), check(), openssl()].iter_mut().zip(&mut times) {
            times.push(timed(command).0);
        }
        limits.push(limit(&cores));
    }
    let limit = middle(limits) as f64;
    println!(
        "{} files of {:.0} MB, {cores} cores",
        files.len(),
        bytes as f64 / 1e6
    );
    println!(
        "{:<44} {:>10} {:>10} {:>18} {:>12}",
        "what", "median", "MB/s", "of sha256sum's", "of the limit"
    );
    let named = [
        "rollup verify",
        "sha256sum --check",
        "openssl dgst for each, by xargs -P",
    ];
    let rates = times.map(|times| bytes as f64 / middle(times).as_secs_f64());
    for (what, rate) in named.into_iter().zip(rates) {
        let (time, mega) = (bytes as f64 / rate * 1e3, rate / 1e6);
        println!(
            "{what:<44} {time:>7.1} ms {mega:>10.0} {:>18.2} {:>12.2}",
            rate / rates[1],
            rate / limit
        );
    }
    let what = format!("openssl speed -evp sha256 -multi {cores}: the limit");
    println!(
        "{what:<44} {:>10} {:>10.0} {:>18.2} {:>12.2}",
        "",
        limit / 1e6,
        limit / rates[1],
        1.0
    );
}

/// Everything that `verify` reads, and how large it is.
fn installed(deployment: &Path) -> (Vec<String>, u64) {
    let tree = Tree::open(deployment).expect("it was just built");
    let found = tree
        .walk(None)
        .expect("nobody else is here")
        .found
        .into_iter();
    let files: Vec<_> = found
        .filter(|found| found.kind == FileKind::File)
        .map(|found| found.path)
        .collect();
    let size = |path| {
        tree.metadata(path)
            .ok()
            .flatten()
            .map_or(0, |metadata| metadata.size)
    };
    let bytes = files.iter().map(size).sum();
    (files.iter().map(ToString::to_string).collect(), bytes)
}

/// Bytes in a second that the cores hash, in the largest blocks that are tried.
fn limit(cores: &str) -> u64 {
    let words = [
        "speed", "-evp", "sha256", "-multi", cores, "-bytes", "16384", "-seconds", "1", "-mr",
    ];
    let said = timed(Command::new("openssl").args(words)).1;
    // The last line: +F:number:name:bytes in a second.
    let rate = said.lines().rev().find_map(|line| {
        line.strip_prefix("+F:")?
            .rsplit(':')
            .next()?
            .parse::<f64>()
            .ok()
    });
    rate.expect("openssl tells its speed") as u64
}
