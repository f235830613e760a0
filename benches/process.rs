//! Duration of the commands that only read, as whole processes: `cargo bench --profile dist --bench process`.
//!
//! KB952076 in the sample deployment, with everything read before so that no disk is measured.
//! `true` is the time of starting any process. The limits are for an operator who waits at a
//! prompt, and for CI that validates every push.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use shared::{median_of, rollup, run_timed};

mod shared;

/// Repetitions of each command, all of them in turn.
const ROUNDS: usize = 40;

fn main() -> anyhow::Result<()> {
    let directory = shared::directory()?;
    let lab = directory.path();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/kb952076.toml");
    fs::copy(manifest, lab.join("manifest.toml"))?;
    run_timed(&mut rollup(
        lab,
        &["rehearse", "manifest.toml", "--lab", "lab", "--prepare"],
    ))?;
    let deployment = ["-d", "lab/deployment"];
    let rollup_command = |arguments: &[&[&str]]| rollup(lab, &arguments.concat());
    let mut commands: [(&str, Command, Option<u64>); 6] = [
        ("true", Command::new("true"), None),
        (
            "rollup --version",
            rollup_command(&[&["--version"]]),
            Some(3),
        ),
        (
            "rollup validate",
            rollup_command(&[&["validate", "manifest.toml"]]),
            None,
        ),
        (
            "rollup validate --deployment",
            rollup_command(&[&["validate", "manifest.toml"], &deployment]),
            None,
        ),
        (
            "rollup plan, without payload",
            rollup_command(&[&["plan", "manifest.toml"], &deployment]),
            Some(15),
        ),
        (
            "rollup plan --payload",
            rollup_command(&[&["plan", "manifest.toml", "-p", "lab/payload"], &deployment]),
            Some(60),
        ),
    ];
    let mut times: [Vec<Duration>; 6] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, command, _), times) in commands.iter_mut().zip(&mut times) {
            times.push(run_timed(command)?.0);
        }
    }
    println!("{:<30} {:>10} {:>10}", "command", "median", "limit");
    for ((label, _, limit), times) in commands.iter().zip(times) {
        let limit = limit.map_or(String::new(), |limit| format!("{limit} ms"));
        println!(
            "{label:<30} {:>7.1} ms {limit:>10}",
            median_of(times).as_secs_f64() * 1e3
        );
    }
    Ok(())
}
