//! How long the commands take that only look, as whole processes: `cargo bench --bench process`.
//!
//! KB952076 in the sample deployment, everything read before so that no disk is measured. `true` is
//! what starting any process takes. The bars are those of an operator who waits at a prompt, and of
//! CI that validates at every push.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use shared::{middle, rollup, timed};

mod shared;

/// Each is run so often, all of them in turn.
const ROUNDS: usize = 40;

fn main() {
    let directory = shared::directory();
    let lab = directory.path();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/kb952076.toml");
    fs::copy(manifest, lab.join("manifest.toml")).expect("there is room");
    timed(&mut rollup(
        lab,
        &["rehearse", "manifest.toml", "--lab", "lab", "--prepare"],
    ));
    let deployed = ["-d", "lab/deployment"];
    let ours = |arguments: &[&[&str]]| rollup(lab, &arguments.concat());
    let mut commands: [(&str, Command, Option<u64>); 6] = [
        ("true", Command::new("true"), None),
        ("rollup --version", ours(&[&["--version"]]), Some(3)),
        (
            "rollup validate",
            ours(&[&["validate", "manifest.toml"]]),
            None,
        ),
        (
            "rollup validate --deployment",
            ours(&[&["validate", "manifest.toml"], &deployed]),
            None,
        ),
        (
            "rollup plan, without payload",
            ours(&[&["plan", "manifest.toml"], &deployed]),
            Some(15),
        ),
        (
            "rollup plan --payload",
            ours(&[&["plan", "manifest.toml", "-p", "lab/payload"], &deployed]),
            Some(60),
        ),
    ];
    let mut times: [Vec<Duration>; 6] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, command, _), times) in commands.iter_mut().zip(&mut times) {
            times.push(timed(command).0);
        }
    }
    println!("{:<30} {:>10} {:>10}", "what", "median", "bar");
    for ((what, _, bar), times) in commands.iter().zip(times) {
        let bar = bar.map_or(String::new(), |bar| format!("{bar} ms"));
        println!(
            "{what:<30} {:>7.1} ms {bar:>10}",
            middle(times).as_secs_f64() * 1e3
        );
    }
}
