//! Time to verify three approvals, each of another kind of key, compared with `ssh-keygen`:
//! `cargo bench --profile dist -p rollup-signatures`.
//!
//! Reading the file of signers is part of it, as a command reads it once.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rollup_signatures::{Namespace, Signers};

/// Each measurement is repeated so often; the median counts.
const ROUNDS: usize = 201;

/// Three approvals: the names of their fixtures.
const BOARDS: [(&str, [&str; 3]); 3] = [
    (
        "Ed25519, ECDSA P-256, security key",
        ["alice", "bob", "gina"],
    ),
    ("two security keys, P-256", ["gina", "hank", "bob"]),
    ("the slowest: P-384, P-521, P-256", ["carol", "dave", "bob"]),
];

/// 1 December 2026.
const NOW: i64 = 1_796_083_200;

fn main() {
    println!(
        "{:<36} {:>12} {:>14} {:>8}",
        "three approvals", "rollup", "ssh-keygen", "ratio"
    );
    let statement = std::fs::read(fixture("statement")).expect("a statement");
    for (board, names) in BOARDS {
        let own = median(|| verify(&statement, &names));
        let other = median_of_ssh_keygen(&names);
        let [own_ms, other_ms] = [own, other].map(|time| time.as_secs_f64() * 1e3);
        let ratio = other_ms / own_ms;
        println!("{board:<36} {own_ms:>9.3} ms {other_ms:>11.3} ms {ratio:>7.1}x");
    }
}

fn fixture(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../fixtures/approvals").join(name)
}

fn verify(statement: &[u8], names: &[&str]) {
    let signers = std::fs::read_to_string(fixture("allowed_signers")).expect("signers");
    let signers = Signers::parse(&signers).expect("a file of signers");
    for name in names {
        let signature = std::fs::read_to_string(fixture(&format!("{name}.sig")));
        let signature = signature.expect("a signature");
        let verified = signers.verify(Namespace::Approval, statement, &signature, NOW);
        assert!(verified.is_ok(), "{name}");
    }
}

fn median_of_ssh_keygen(names: &[&str]) -> Duration {
    median(|| {
        for name in names {
            let ended = Command::new("ssh-keygen")
                .args(["-Y", "verify", "-n", Namespace::Approval.name(), "-I"])
                .arg(format!("{name}@example.com"))
                .arg("-f")
                .arg(fixture("allowed_signers"))
                .arg("-s")
                .arg(fixture(&format!("{name}.sig")))
                .stdin(File::open(fixture("statement")).expect("a statement"))
                .stdout(Stdio::null())
                .status();
            assert!(ended.expect("ssh-keygen runs").success(), "{name}");
        }
    })
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}
