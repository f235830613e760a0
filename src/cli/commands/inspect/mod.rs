//! `inspect`: shows what is known of installer packages, and whether each can be installed.
//!
//! `facts` has what is known of a package, `text` prints it, `beside` opens the files in its directory.

mod beside;
mod facts;
mod text;

use std::io::{self, BufReader};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use self::beside::BesideOnDisk;
use self::facts::{PackageFacts, package_facts};
use crate::cli::args::{Format, InspectArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::terminal::out::{self, count};
use crate::deployment::tree::hash;
use crate::installer::{self, FileFormat};
use crate::names::{Digest, error_chain};
use crate::phase::Phase;

/// Runs `rollup inspect`.
pub(super) fn inspect(args: &InspectArgs) -> anyhow::Result<Exit> {
    let mut files = Vec::new();
    let mut failures = Vec::new();
    for path in &args.files {
        let inspected = inspect_one(path).unwrap_or_else(|failure| {
            let inspected = Inspected::unreadable(path, &failure);
            failures.push(failure);
            inspected
        });
        if args.format == Format::Text {
            inspected.show();
        }
        files.push(inspected);
    }
    let usable = files.iter().filter(|file| file.error.is_none()).count();
    let exit = match failures.first() {
        _ if usable + failures.len() < files.len() => Exit::Invalid,
        Some(failure) => failure.exit,
        None => Exit::Ok,
    };
    if args.format == Format::Json {
        Envelope::new(exit, InspectDocument { files }).print();
        return Ok(exit);
    }
    out::message(format_args!(
        "{usable} of {} can be installed",
        count(args.files.len(), "package")
    ));
    match failures.into_iter().next() {
        Some(failure) if failure.exit == exit => Err(failure.into()),
        _ => Ok(exit),
    }
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Contents of installer packages")]
pub(in crate::cli) struct InspectDocument {
    /// The files in the order in which they were named.
    files: Vec<Inspected>,
}

/// A file, what is known of it, and the reason why it cannot be installed.
#[derive(Serialize, JsonSchema)]
struct Inspected {
    /// Path, as typed.
    file: String,
    /// Size in bytes, if the file can be read.
    size: Option<u64>,
    sha256: Option<Digest>,
    /// Kind of the file by its signature, such as `a cabinet (.cab)`.
    kind: Option<String>,
    /// Facts about a package, as far as they can be read.
    package: Option<PackageFacts>,
    /// Reason why it cannot be installed.
    error: Option<String>,
    /// Advice for a file that cannot be installed.
    help: Option<&'static str>,
}

fn inspect_one(path: &Path) -> Result<Inspected, Failure> {
    let fail = |error: io::Error| inputs::read_failure(path, &error);
    let facts = hash(inputs::open_file(path)?, &Phase::hidden()).map_err(fail)?;
    let mut file = BufReader::new(inputs::open_file(path)?);
    let kind = FileFormat::of(&mut file).map_err(fail)?;
    let mut inspected = Inspected {
        file: path.display().to_string(),
        size: Some(facts.size),
        sha256: Some(facts.sha256),
        kind: Some(kind.to_string()),
        package: None,
        error: None,
        help: None,
    };
    match installer::survey(file, &mut BesideOnDisk(path)) {
        Ok(survey) => {
            let (package, error) = package_facts(survey);
            inspected.package = Some(package);
            inspected.error = error;
        }
        Err(error) => inspected.error = Some(error_chain(&error)),
    }
    if inspected.error.is_some() && kind != FileFormat::Package {
        inspected.help = Some(kind.help());
    }
    Ok(inspected)
}

impl Inspected {
    fn unreadable(path: &Path, failure: &Failure) -> Self {
        Self {
            file: path.display().to_string(),
            size: None,
            sha256: None,
            kind: None,
            package: None,
            error: Some(failure.reasons.join("; ")),
            help: None,
        }
    }
}
