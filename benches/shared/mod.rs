//! Helpers of the benchmarks: documents of any size, and measurement of time.

#![allow(dead_code, reason = "each benchmark uses its part")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Checks, Manifest};
use rollup::rehearse::{build_payload, build_site};

/// Limit for the growth of time and memory per item, from the base size to the largest.
pub(crate) const FLAT: f64 = 1.5;

/// Repeats a measurement until its times add up to `long_enough`, and at least three times. Returns
/// the median, or the error of a run that fails.
pub(crate) fn median<T>(
    long_enough: Duration,
    mut run: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<Duration> {
    let (mut times, started) = (Vec::new(), Instant::now());
    while times.len() < 3 || started.elapsed() < long_enough {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed());
    }
    Ok(median_of(times))
}

/// Returns the median of some values.
pub(crate) fn median_of<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort();
    values[values.len() / 2]
}

/// Makes a temporary directory in `ROLLUP_BENCH_DIR` or below `target`.
pub(crate) fn directory() -> anyhow::Result<tempfile::TempDir> {
    let parent =
        std::env::var_os("ROLLUP_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    tempfile::tempdir_in(parent).context("cannot make a temporary directory")
}

/// Returns the file sizes of a payload with a number of bytes: eight large files have four fifths
/// of it, sixteen small ones the rest.
pub(crate) fn file_sizes(bytes: u64) -> Vec<u64> {
    let sizes = std::iter::repeat_n(bytes / 10, 8).chain(std::iter::repeat_n(bytes / 80, 16));
    sizes.map(|size| size.div_ceil(512) * 512).collect()
}

/// Returns the size of the rollup of a benchmark in bytes: 256 MB, or `ROLLUP_BENCH_MB`.
pub(crate) fn payload_bytes() -> anyhow::Result<u64> {
    let megabytes = match std::env::var("ROLLUP_BENCH_MB") {
        Ok(requested) => requested
            .parse()
            .context("ROLLUP_BENCH_MB is not a number")?,
        Err(_) => 256,
    };
    Ok(megabytes * 1_000_000)
}

/// Builds a deployment in its state before a rollup, and the payload of the rollup.
pub(crate) fn build(directory: &Path, deployment_text: &str, manifest: &str) -> anyhow::Result<()> {
    fs::write(directory.join("manifest.toml"), manifest)?;
    let description = parse_description(deployment_text)?;
    let manifest = parse_manifest(manifest, None)?;
    build_site(&description, deployment_text, &directory.join("deployment"))?;
    build_payload(&manifest, &description, &directory.join("payload"))?;
    Ok(())
}

/// Parses a `deployment.toml` that has no errors.
pub(crate) fn parse_description(text: &str) -> anyhow::Result<Description> {
    let description = describe::parse(
        &Source::new("deployment.toml", text),
        &mut Findings::default(),
    );
    description.context("the description has errors")
}

/// Parses a manifest that has no errors.
pub(crate) fn parse_manifest(
    text: &str,
    deployment: Option<&Description>,
) -> anyhow::Result<Manifest> {
    let mut findings = Findings::default();
    let parsed = manifest::parse_with(
        &Source::new("m.toml", text),
        &Checks { deployment },
        &mut findings,
    );
    parsed.with_context(|| format!("the manifest has errors: {:?}", findings.sorted().first()))
}

/// Runs a command, which must succeed, and returns its time and standard output.
pub(crate) fn run_timed(command: &mut Command) -> anyhow::Result<(Duration, String)> {
    let started = Instant::now();
    let output = command.output();
    let output = output.with_context(|| format!("cannot run {command:?}"))?;
    let elapsed = started.elapsed();
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((elapsed, text))
}

/// Returns a command of the `rollup` that was built for this benchmark.
pub(crate) fn rollup(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
    command.args(arguments).current_dir(directory);
    command
}

/// Columns of the file table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows<'s> {
    /// Size, date and pin, as a vendor's table and `pin` have them.
    Documented,
    /// The name alone, which any file matches.
    Named,
    /// Name and size.
    Sized(&'s [u64]),
}

/// Returns a manifest without errors for a number of files and items: a row for each file, which a
/// step copies, and a name for each item in an uninstall step, which a later step installs again.
pub(crate) fn manifest(size: usize, rows: Rows<'_>) -> String {
    let mut text = String::from(
        "schema = 1\n\n[rollup]\nkb = \"KB952076\"\ntitle = \"A large one\"\nproduct = \"Product\"\n\
         product_versions = [\"4.0\"]\nreleased = 2008-04-29\n\n",
    );
    let names = |text: &mut String, name: &dyn Fn(usize) -> String| {
        (0..size).for_each(|at| text.push_str(&format!("  \"{}\",\n", name(at))));
    };
    text.push_str("[[steps]]\nid = \"uninstall\"\naction = \"uninstall\"\nitems.\"Group\" = [\n");
    names(&mut text, &item);
    text.push_str("]\n\n[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\nfiles = [\n");
    names(&mut text, &file);
    text.push_str(
        "]\n\n[[steps]]\nid = \"install\"\naction = \"install\"\nremoved_by = \"uninstall\"\n\n",
    );
    text.push_str("[payload]\nfiles = [\n");
    for at in 0..size {
        let (name, bytes, minute) = (file(at), 512 * (at + 1), at % 60);
        let row = match rows {
            Rows::Documented => {
                format!(
                    "  {{ name = \"{name}\", size = {bytes}, modified = 2008-03-31T18:{minute:02}:00Z }},\n"
                )
            }
            Rows::Named => format!("  {{ name = \"{name}\" }},\n"),
            Rows::Sized(sizes) => format!("  {{ name = \"{name}\", size = {} }},\n", sizes[at]),
        };
        text.push_str(&row);
    }
    text.push_str("]\n");
    if rows == Rows::Documented {
        text.push_str("\n[payload.sha256]\n");
        (0..size).for_each(|at| text.push_str(&format!("\"{}\" = \"{at:064x}\"\n", file(at))));
    }
    text
}

/// Returns a `deployment.toml` with a number of items, each on a number of servers; with 0 servers,
/// the items have a single instance.
pub(crate) fn deployment_text(size: usize, servers: usize) -> String {
    let mut text = String::from(
        "schema = 1\nname = \"site\"\nproduct = \"Product\"\nproduct_version = \"4.0\"\nshare = \"MSIShare\"\n\
         roles = [{ name = \"engine\" }]\nservers = [\n",
    );
    for at in 1..=servers.max(1) {
        text.push_str(&format!(
            "  {{ name = \"MPS{at:02}\", roles = [\"engine\"] }},\n"
        ));
    }
    let on = if servers > 0 { "on = \"engine\"\n" } else { "" };
    text.push_str(&format!(
        "]\n\n[[groups]]\npath = \"Group\"\n{on}items = [\n"
    ));
    for at in 0..size {
        let (item, file) = (item(at), file(at));
        text.push_str(&format!(
            "  {{ name = \"{item}\", installer = \"{file}\" }},\n"
        ));
    }
    text.push_str("]\n");
    text
}

fn item(at: usize) -> String {
    format!("Provider {at} of the Service")
}

fn file(at: usize) -> String {
    format!("Provider{at}OfTheService.msi")
}
