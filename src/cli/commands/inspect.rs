//! `inspect`: shows the contents of installer packages, or why they cannot be used.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, InspectArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal::out::{self, BOLD, count, styled};
use crate::deployment::tree::hash;
use crate::installer::{self, Contents, ReadSeek, SiblingFiles};
use crate::names::{Digest, Escaped, FileName, error_chain, same_name};

/// Runs `rollup inspect`.
pub(super) fn inspect(args: &InspectArgs) -> anyhow::Result<Exit> {
    let mut exit = Exit::Ok;
    let mut files = Vec::new();
    let mut usable = 0;
    for path in &args.files {
        let inspected = inspect_one(path)?;
        match inspected.contents {
            InspectedContents::Package(_) => usable += 1,
            InspectedContents::Error(_) => exit = Exit::Invalid,
        }
        match args.format {
            Format::Json => files.push(inspected),
            Format::Text => inspected.show(),
        }
    }
    if args.format == Format::Json {
        Envelope::new(exit, InspectDocument { files }).print();
    } else {
        out::message(format_args!(
            "{usable} of {} can be used",
            count(args.files.len(), "package", "packages")
        ));
    }
    Ok(exit)
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Contents of installer packages")]
pub(in crate::cli) struct InspectDocument {
    files: Vec<Inspected>,
}

/// Package, or the reason why it cannot be used.
#[derive(Serialize, JsonSchema)]
struct Inspected {
    /// Path, as typed.
    file: String,
    size: u64,
    sha256: Digest,
    #[serde(flatten)]
    contents: InspectedContents,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum InspectedContents {
    /// Everything that the package installs.
    Package(Contents),
    /// Reason why the package cannot be used.
    Error(String),
}

fn inspect_one(path: &Path) -> Result<Inspected, Failure> {
    let shown = path.display().to_string();
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Exit::NoInput, format_args!("there is no file `{shown}`"))
                .next("check the path")
        }
        _ => Failure::new(Exit::Io, format_args!("cannot read `{shown}`: {error}")),
    };
    if !path.metadata().map_err(fail)?.is_file() {
        return Err(Failure::new(
            Exit::NoInput,
            format_args!("`{shown}` is not a file"),
        ));
    }
    let facts = hash(File::open(path).map_err(fail)?).map_err(fail)?;
    let file = BufReader::new(File::open(path).map_err(fail)?);
    let contents = match installer::contents(file, &mut BesideFile(path)) {
        Ok(contents) => InspectedContents::Package(contents),
        Err(error) => InspectedContents::Error(error_chain(&error)),
    };
    Ok(Inspected {
        file: shown.clone(),
        size: facts.size,
        sha256: facts.sha256,
        contents,
    })
}

impl Inspected {
    fn show(&self) {
        out::line(styled(BOLD, Escaped(&self.file)));
        out::line(format_args!(
            "  size          {} bytes",
            out::number(self.size)
        ));
        out::line(format_args!("  sha256        {}", self.sha256));
        match &self.contents {
            InspectedContents::Error(why) => out::line(format_args!(
                "  {}: {why}",
                styled(out::BAD, "cannot be used")
            )),
            InspectedContents::Package(contents) => show_contents(contents),
        }
    }
}

fn show_contents(contents: &Contents) {
    let identity = &contents.identity;
    out::line(format_args!(
        "  product       {}",
        Escaped(&identity.product)
    ));
    out::line(format_args!("  version       {}", identity.version));
    out::line(format_args!(
        "  product code  {}",
        Escaped(&identity.product_code)
    ));
    out::line(format_args!(
        "  upgrade code  {}",
        Escaped(identity.upgrade_code.as_deref().unwrap_or("none"))
    ));
    if let Some(manufacturer) = &identity.manufacturer {
        out::line(format_args!("  manufacturer  {}", Escaped(manufacturer)));
    }
    for cabinet in &contents.external_cabinets {
        out::line(format_args!(
            "  needs         {} beside it",
            Escaped(cabinet.name.as_str())
        ));
    }
    out::line(format_args!(
        "  {}",
        count(contents.files.len(), "file:", "files:")
    ));
    let longest = contents
        .files
        .iter()
        .map(|file| Escaped(file.path.as_str()).to_string().chars().count())
        .max();
    // Show as much of the hashes as the screen has room for; JSON has them in full.
    let digits = match 4 + 13 + 2 + 64 + 2 + longest.unwrap_or_default() <= out::width() {
        true => 64,
        false => 12,
    };
    for file in &contents.files {
        let sha256 = &file.sha256.to_string()[..digits];
        out::line(format_args!(
            "    {:>13}  {sha256}  {}",
            out::number(file.size),
            Escaped(file.path.as_str())
        ));
    }
}

/// Files in the directory of a package, found without regard to case.
struct BesideFile<'a>(&'a Path);

impl SiblingFiles for BesideFile<'_> {
    fn open(&mut self, name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let directory = self
            .0
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry
                .file_name()
                .to_str()
                .is_some_and(|found| same_name(found, name.as_str()))
                && entry.file_type()?.is_file()
            {
                return Ok(Some(Box::new(BufReader::new(File::open(entry.path())?))));
            }
        }
        Ok(None)
    }
}
