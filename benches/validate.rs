//! Speed of validation, compared with `toml` alone on the same text:
//! `cargo bench --profile dist --bench validate`.
//!
//! A manifest with many files and items: a row with size and date, a name in a copy step and a pin
//! for each file, a name in the uninstall step for each item; and the `deployment.toml` that
//! describes these items. Then one and two MiB of tokens that are not TOML, whose time must not
//! grow with the square of the size.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::time::Duration;

use anyhow::ensure;
use rollup::deployment::describe;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Checks};

use shared::{FLAT, Rows};

mod shared;

const SIZES: [usize; 3] = [1_000, 5_000, 20_000];

/// A measurement is repeated until its times add up to this, and at least three times.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    println!(
        "{:>8} {:<30} {:>10} {:>12} {:>10} {:>10}",
        "items", "document", "median", "per item", "to toml", "MB/s"
    );
    let mut base_times: Vec<f64> = Vec::new();
    for size in SIZES {
        let (manifest, deployment_text) = (
            shared::manifest(size, Rows::Documented),
            shared::deployment_text(size, 0),
        );
        let description = shared::parse_description(&deployment_text)?;
        let validate = |checks: &Checks<'_>| {
            let mut findings = Findings::default();
            let parsed = manifest::parse_with(
                &Source::new("m.toml", manifest.as_str()),
                checks,
                &mut findings,
            );
            ensure!(
                parsed.is_some(),
                "the manifest has errors: {:?}",
                findings.sorted().first()
            );
            Ok(())
        };
        let parse_deployment = || {
            let parsed = describe::parse(
                &Source::new("deployment.toml", deployment_text.as_str()),
                &mut Findings::default(),
            );
            ensure!(parsed.is_some(), "the deployment has errors");
            Ok(())
        };
        let parse_toml = |text: &str| {
            toml::from_str::<toml::Table>(text)?;
            Ok(())
        };
        let median = |run: &dyn Fn() -> anyhow::Result<()>| shared::median(LONG_ENOUGH, run);
        let floor = median(&|| parse_toml(&manifest))?;
        let deployment_floor = median(&|| parse_toml(&deployment_text))?;
        let with_deployment = Checks {
            deployment: Some(&description),
        };
        let rows = [
            ("toml alone: manifest", &manifest, floor, floor),
            (
                "manifest",
                &manifest,
                median(&|| validate(&Checks::default()))?,
                floor,
            ),
            (
                "manifest for the deployment",
                &manifest,
                median(&|| validate(&with_deployment))?,
                floor,
            ),
            (
                "toml alone: deployment.toml",
                &deployment_text,
                deployment_floor,
                deployment_floor,
            ),
            (
                "deployment.toml",
                &deployment_text,
                median(&parse_deployment)?,
                deployment_floor,
            ),
        ];
        for (at, (label, text, time, floor)) in rows.into_iter().enumerate() {
            let per_item = time.as_secs_f64() / size as f64;
            let ratio = time.as_secs_f64() / floor.as_secs_f64();
            let rate = text.len() as f64 / time.as_secs_f64() / 1e6;
            let growth = match base_times.get(at) {
                Some(base) => format!("  {:.2} times that of {}", per_item / base, SIZES[0]),
                None => String::new(),
            };
            base_times.extend((size == SIZES[0]).then_some(per_item));
            let warning = if per_item > base_times[at] * FLAT {
                ", MORE THAN FLAT"
            } else {
                ""
            };
            println!(
                "{size:>8} {label:<30} {:>7.1} ms {:>9.2} us {ratio:>10.2} {rate:>10.1}{growth}{warning}",
                time.as_secs_f64() * 1e3,
                per_item * 1e6
            );
        }
    }
    damage()
}

/// Prints the growth of the time if a text that is not TOML doubles.
fn damage() -> anyhow::Result<()> {
    println!(
        "\n{:>12} {:>10} {:>10} {:>8}",
        "1 MiB of", "median", "2 MiB", "ratio"
    );
    for token in ["\r", "]", "\"", "=\n", "a=\n", "[a]\n", "{a=1},", "a.a=1\n"] {
        let milliseconds = |size: usize| -> anyhow::Result<f64> {
            let text = token.repeat(size / token.len());
            let parse = || {
                let source = Source::new("m.toml", text.as_str());
                let parsed =
                    manifest::parse_with(&source, &Checks::default(), &mut Findings::default());
                ensure!(parsed.is_none(), "`{token}` is a manifest");
                Ok(())
            };
            Ok(shared::median(LONG_ENOUGH, parse)?.as_secs_f64() * 1e3)
        };
        let (one, two) = (milliseconds(1 << 20)?, milliseconds(2 << 20)?);
        println!(
            "{token:>12?} {one:>7.1} ms {two:>7.1} ms {:>8.2}",
            two / one
        );
    }
    Ok(())
}
