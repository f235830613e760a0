//! How fast documents are validated, beside what `toml` takes alone to read the same text:
//! `cargo bench --bench validate`.
//!
//! A manifest of so many files and items: a row with size and date, a name in a copy step and a pin
//! for each file, a name in the uninstall step for each item; and the `deployment.toml` that
//! describes these items. Then one and two MiB of tokens that are not TOML, whose time must not grow
//! with the square of the size.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::time::Duration;

use rollup::deployment::describe;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Checks};

use shared::{FLAT, Rows};

mod shared;

const SIZES: [usize; 3] = [1_000, 5_000, 20_000];

/// Each measurement is repeated until it took this long altogether, at least thrice.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

fn main() {
    println!(
        "{:>8} {:<30} {:>10} {:>12} {:>10} {:>10}",
        "items", "what", "median", "per item", "to toml", "MB/s"
    );
    let mut first: Vec<f64> = Vec::new();
    for size in SIZES {
        let (manifest, site) = (
            shared::manifest(size, Rows::Documented),
            shared::site(size, 0),
        );
        let described = describe::parse(
            &Source::new("deployment.toml", site.as_str()),
            &mut Findings::default(),
        );
        let described = described.expect("the site has no errors");
        let validated = |checks: &Checks<'_>| {
            let mut findings = Findings::default();
            let parsed = manifest::parse_with(
                &Source::new("m.toml", manifest.as_str()),
                checks,
                &mut findings,
            );
            assert!(
                parsed.is_some(),
                "the manifest has no errors: {:?}",
                findings.sorted().first()
            );
        };
        let read = || {
            let read = describe::parse(
                &Source::new("deployment.toml", site.as_str()),
                &mut Findings::default(),
            );
            assert!(read.is_some(), "the site has no errors");
        };
        let plain = |text: &str| assert!(toml::from_str::<toml::Table>(text).is_ok(), "it is TOML");
        let median = |run: &dyn Fn()| shared::median(LONG_ENOUGH, run);
        let floor = median(&|| plain(&manifest));
        let site_floor = median(&|| plain(&site));
        let with_site = Checks {
            deployment: Some(&described),
        };
        let rows = [
            ("toml alone: manifest", &manifest, floor, floor),
            (
                "manifest",
                &manifest,
                median(&|| validated(&Checks::default())),
                floor,
            ),
            (
                "manifest for the deployment",
                &manifest,
                median(&|| validated(&with_site)),
                floor,
            ),
            ("toml alone: deployment.toml", &site, site_floor, site_floor),
            ("deployment.toml", &site, median(&read), site_floor),
        ];
        for (at, (what, text, time, floor)) in rows.into_iter().enumerate() {
            let each = time.as_secs_f64() / size as f64;
            let ratio = time.as_secs_f64() / floor.as_secs_f64();
            let rate = text.len() as f64 / time.as_secs_f64() / 1e6;
            let growth = match first.get(at) {
                Some(first) => format!("  {:.2} times that of {}", each / first, SIZES[0]),
                None => String::new(),
            };
            first.extend((size == SIZES[0]).then_some(each));
            let missed = if each > first[at] * FLAT {
                ", MORE THAN FLAT"
            } else {
                ""
            };
            println!(
                "{size:>8} {what:<30} {:>7.1} ms {:>9.2} us {ratio:>10.2} {rate:>10.1}{growth}{missed}",
                time.as_secs_f64() * 1e3,
                each * 1e6
            );
        }
    }
    damage();
}

/// Prints how much longer twice as much of what is not TOML takes.
fn damage() {
    println!(
        "\n{:>12} {:>10} {:>10} {:>8}",
        "1 MiB of", "median", "2 MiB", "ratio"
    );
    for token in ["\r", "]", "\"", "=\n", "a=\n", "[a]\n", "{a=1},", "a.a=1\n"] {
        let read = |size: usize| {
            let text = token.repeat(size / token.len());
            let read = || {
                let source = Source::new("m.toml", text.as_str());
                let parsed =
                    manifest::parse_with(&source, &Checks::default(), &mut Findings::default());
                assert!(parsed.is_none(), "it is not a manifest");
            };
            shared::median(LONG_ENOUGH, read).as_secs_f64() * 1e3
        };
        let (one, two) = (read(1 << 20), read(2 << 20));
        println!(
            "{token:>12?} {one:>7.1} ms {two:>7.1} ms {:>8.2}",
            two / one
        );
    }
}
