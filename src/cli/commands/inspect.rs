//! `inspect`: shows the contents of installer packages, or why they cannot be used.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, InspectArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::terminal::out::{self, BOLD, count, number, styled};
use crate::deployment::tree::hash;
use crate::installer::{self, Contents, ReadSeek, SiblingFiles, UnpackedFile};
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
        let packages = count(args.files.len(), "package", "packages");
        out::message(format_args!("{usable} of {packages} can be used"));
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
    let facts = hash(inputs::open_file(path)?);
    let facts = facts.map_err(|error| inputs::read_failure(path, &error))?;
    let file = BufReader::new(inputs::open_file(path)?);
    let contents = match installer::contents(file, &mut BesideFile(path)) {
        Ok(contents) => InspectedContents::Package(contents),
        Err(error) => InspectedContents::Error(error_chain(&error)),
    };
    Ok(Inspected {
        file: path.display().to_string(),
        size: facts.size,
        sha256: facts.sha256,
        contents,
    })
}

impl Inspected {
    fn show(&self) {
        out::line(styled(BOLD, Escaped(&self.file)));
        fact("size", format_args!("{} bytes", number(self.size)));
        fact("sha256", self.sha256);
        match &self.contents {
            InspectedContents::Package(contents) => show_contents(contents),
            InspectedContents::Error(why) => {
                let label = styled(out::BAD, "cannot be used");
                out::line(format_args!("  {label}: {why}"));
            }
        }
    }
}

fn fact(name: &str, value: impl Display) {
    out::line(format_args!("  {name:<12}  {value}"));
}

fn show_contents(contents: &Contents) {
    let identity = &contents.identity;
    let upgrade_code = identity.upgrade_code.as_deref().unwrap_or("none");
    fact("product", Escaped(&identity.product));
    fact("version", &identity.version);
    fact("product code", Escaped(&identity.product_code));
    fact("upgrade code", Escaped(upgrade_code));
    if let Some(manufacturer) = &identity.manufacturer {
        fact("manufacturer", Escaped(manufacturer));
    }
    for cabinet in &contents.external_cabinets {
        let name = Escaped(cabinet.name.as_str());
        fact("needs", format_args!("{name} beside it"));
    }
    let files = count(contents.files.len(), "file:", "files:");
    out::line(format_args!("  {files}"));
    let length = |file: &UnpackedFile| Escaped(file.path.as_str()).to_string().chars().count();
    let longest = contents.files.iter().map(length).max().unwrap_or_default();
    // Show as much of the hashes as the screen has room for; JSON has them in full.
    let digits = if 4 + 13 + 2 + 64 + 2 + longest <= out::width() {
        64
    } else {
        12
    };
    for file in &contents.files {
        let (size, path) = (number(file.size), Escaped(file.path.as_str()));
        let sha256 = &file.sha256.to_string()[..digits];
        out::line(format_args!("    {size:>13}  {sha256}  {path}"));
    }
}

/// Files in the directory of a package, found without regard to case.
struct BesideFile<'a>(&'a Path);

impl SiblingFiles for BesideFile<'_> {
    fn open(&mut self, name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>> {
        for entry in std::fs::read_dir(inputs::parent_of(self.0))? {
            let entry = entry?;
            let is_named = |found: &str| same_name(found, name.as_str());
            if entry.file_name().to_str().is_some_and(is_named) && entry.file_type()?.is_file() {
                return Ok(Some(Box::new(BufReader::new(File::open(entry.path())?))));
            }
        }
        Ok(None)
    }
}
