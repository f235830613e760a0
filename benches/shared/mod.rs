//! What the benchmarks share: documents of any size, and how a time is taken.

#![allow(dead_code, reason = "each benchmark uses its part")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Checks, Manifest};
use rollup::rehearse::{build_payload, build_site};

/// Time and memory per item may grow by this much from the first size that counts to the last.
pub(crate) const FLAT: f64 = 1.5;

/// The median of as many repetitions as took this long altogether, at least three.
pub(crate) fn median(long_enough: Duration, mut run: impl FnMut()) -> Duration {
    let (mut times, begun) = (Vec::new(), Instant::now());
    while times.len() < 3 || begun.elapsed() < long_enough {
        let start = Instant::now();
        run();
        times.push(start.elapsed());
    }
    middle(times)
}

/// The median of times that were taken.
pub(crate) fn middle<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort();
    values[values.len() / 2]
}

/// A directory that is gone afterwards, in `ROLLUP_BENCH_DIR` or below `target`.
pub(crate) fn directory() -> tempfile::TempDir {
    let place =
        std::env::var_os("ROLLUP_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    tempfile::tempdir_in(place).expect("there is room for a directory")
}

/// The sizes of a payload of so many bytes, a few files larger than many others: eight hold four
/// fifths of it, sixteen the rest.
pub(crate) fn large(bytes: u64) -> Vec<u64> {
    let sizes = std::iter::repeat_n(bytes / 10, 8).chain(std::iter::repeat_n(bytes / 80, 16));
    sizes.map(|size| size.div_ceil(512) * 512).collect()
}

/// How large the rollup of a benchmark is, in bytes: 256 MB, or as many as `ROLLUP_BENCH_MB` says.
pub(crate) fn wanted_bytes() -> u64 {
    let asked = std::env::var("ROLLUP_BENCH_MB").ok();
    asked.map_or(256, |asked| {
        asked.parse().expect("ROLLUP_BENCH_MB is a number")
    }) * 1_000_000
}

/// A deployment in its state before the rollup of a manifest, and the rollup's payload.
pub(crate) fn build(directory: &Path, site: &str, manifest: &str) {
    fs::write(directory.join("manifest.toml"), manifest).expect("there is room");
    let (description, manifest) = (described(site), parsed(manifest, None));
    build_site(&description, site, &directory.join("deployment")).expect("the site can be built");
    build_payload(&manifest, &description, &directory.join("payload"))
        .expect("the payload can be built");
}

/// A `deployment.toml` that has no errors.
pub(crate) fn described(text: &str) -> Description {
    let described = describe::parse(
        &Source::new("deployment.toml", text),
        &mut Findings::default(),
    );
    described.expect("the site has no errors")
}

/// A manifest that has no errors.
pub(crate) fn parsed(text: &str, deployment: Option<&Description>) -> Manifest {
    let mut findings = Findings::default();
    let parsed = manifest::parse_with(
        &Source::new("m.toml", text),
        &Checks { deployment },
        &mut findings,
    );
    parsed.unwrap_or_else(|| panic!("the manifest has errors: {:?}", findings.sorted().first()))
}

/// How long a command takes, which must succeed, and what it says.
pub(crate) fn timed(command: &mut Command) -> (Duration, String) {
    let begun = Instant::now();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let took = begun.elapsed();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    (took, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `rollup`, as it was built for this benchmark.
pub(crate) fn rollup(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
    command.args(arguments).current_dir(directory);
    command
}

/// What the manifest says of its files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows<'s> {
    /// Size, date and pin, as a vendor's table and `pin` would have it.
    Documented,
    /// The name only: whatever is built under it fits.
    Named,
    /// These sizes.
    Sized(&'s [u64]),
}

/// A manifest of so many files and items, without a finding that would be an error: a row for each
/// file, which a step copies, and for each item a name in an uninstall step, whose items are put
/// back.
pub(crate) fn manifest(size: usize, rows: Rows<'_>) -> String {
    let mut text = String::from(
        "schema = 1\n\n[rollup]\nkb = \"KB952076\"\ntitle = \"A large one\"\nproduct = \"Product\"\n\
         product_versions = [\"4.0\"]\nreleased = 2008-04-29\n\n",
    );
    let names = |text: &mut String, name: &dyn Fn(usize) -> String| {
        (0..size).for_each(|at| writeln!(text, "  \"{}\",", name(at)).expect("a text takes all"));
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
        (0..size).for_each(|at| {
            writeln!(text, "\"{}\" = \"{at:064x}\"", file(at)).expect("a text takes all")
        });
    }
    text
}

/// The `deployment.toml` that describes these items, each on so many servers; on none where there
/// are none.
pub(crate) fn site(size: usize, servers: usize) -> String {
    let mut text = String::from(
        "schema = 1\nname = \"site\"\nproduct = \"Product\"\nproduct_version = \"4.0\"\nshare = \"MSIShare\"\n\
         roles = [{ name = \"engine\" }]\nservers = [\n",
    );
    for at in 1..=servers.max(1) {
        writeln!(text, "  {{ name = \"MPS{at:02}\", roles = [\"engine\"] }},")
            .expect("a text takes all");
    }
    let on = if servers > 0 { "on = \"engine\"\n" } else { "" };
    write!(text, "]\n\n[[groups]]\npath = \"Group\"\n{on}items = [\n").expect("a text takes all");
    for at in 0..size {
        writeln!(
            text,
            "  {{ name = \"{}\", installer = \"{}\" }},",
            item(at),
            file(at)
        )
        .expect("a text takes all");
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
