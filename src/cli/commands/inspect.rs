//! `inspect`: shows what is known of installer packages, and whether each can be installed.

use std::fs::OpenOptions;
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, InspectArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::terminal::out::{self, BOLD, count, styled};
use crate::deployment::tree::hash;
use crate::document::some_of;
use crate::installer::{
    self, Component, Components, FileFormat, PackagedFile, Properties, ReadSeek, SiblingFiles,
    Survey,
};
use crate::names::{Digest, Escaped, RelPath, error_chain, same_name};

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
        count(args.files.len(), "package", "packages")
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

/// Facts about a package.
#[derive(Serialize, JsonSchema)]
struct PackageFacts {
    identity: Properties,
    features: Vec<FeatureFacts>,
    /// Files that are installed unless other features are asked for, sorted by path.
    files: Vec<InspectedFile>,
    /// Files that are not installed, because their features are off by default or another file has
    /// their path.
    not_installed: Vec<InspectedFile>,
    /// Files that must be in the directory of the package, and are there.
    beside: Vec<BesideFacts>,
    /// Files that must be in the directory of the package, and are missing.
    absent: Vec<RelPath>,
    /// Peculiarities that keep nothing from being installed.
    notes: Vec<String>,
}

/// Feature of a package.
#[derive(Serialize, JsonSchema)]
struct FeatureFacts {
    /// Key, by which `features` of a manifest or of `deployment.toml` names it.
    name: String,
    title: Option<String>,
    /// Feature that it belongs to.
    parent: Option<String>,
    /// True if it is installed by default.
    default: bool,
    /// True if the package has conditions that may change this; they are not evaluated.
    conditional: bool,
}

/// File of a package.
#[derive(Serialize, JsonSchema)]
struct InspectedFile {
    /// Path below the target directory.
    path: RelPath,
    /// Size in bytes.
    size: u64,
    /// `null` if it cannot be unpacked.
    sha256: Option<Digest>,
    version: Option<String>,
    /// Features that it belongs to.
    features: Vec<String>,
    /// Condition of its component, which is not evaluated.
    condition: Option<String>,
}

/// File in the directory of a package.
#[derive(Serialize, JsonSchema)]
struct BesideFacts {
    /// Path as the package spells it.
    path: RelPath,
    /// Size in bytes.
    size: u64,
    sha256: Digest,
}

fn inspect_one(path: &Path) -> Result<Inspected, Failure> {
    let fail = |error: io::Error| inputs::read_failure(path, &error);
    let facts = hash(inputs::open_file(path)?).map_err(fail)?;
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

/// Returns the facts about a package, and the reason why it cannot be installed.
fn package_facts(survey: Survey) -> (PackageFacts, Option<String>) {
    let mut facts = PackageFacts {
        identity: survey.properties.clone(),
        features: feature_facts(&survey.components),
        files: Vec::new(),
        not_installed: Vec::new(),
        beside: Vec::new(),
        absent: survey.absent.clone(),
        notes: Vec::new(),
    };
    let selected = survey.components.selected(&[]);
    let selected = selected.expect("no feature is asked for");
    let mut keys: Vec<&str> = survey
        .files
        .iter()
        .filter(|file| selected[file.component])
        .map(|file| file.key.as_str())
        .collect();
    let error = match &survey.contents {
        Ok(contents) => {
            facts.notes = contents.notes.clone();
            facts.beside = contents
                .beside
                .iter()
                .map(|file| BesideFacts {
                    path: file.path.clone(),
                    size: file.size,
                    sha256: file.sha256,
                })
                .collect();
            match contents.installed(&[]) {
                Ok(installed) => {
                    keys = installed
                        .iter()
                        .map(|file| file.file.key.as_str())
                        .collect();
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        }
        Err(error) => Some(error_chain(error)),
    };
    keys.sort_unstable();
    for file in &survey.files {
        let inspected = InspectedFile::new(&survey, file);
        if keys.binary_search(&file.key.as_str()).is_ok() {
            facts.files.push(inspected);
        } else {
            facts.not_installed.push(inspected);
        }
    }
    (facts, error)
}

fn feature_facts(components: &Components) -> Vec<FeatureFacts> {
    let features = &components.features;
    let facts = features.iter().map(|feature| FeatureFacts {
        name: feature.name.clone(),
        title: feature.title.clone(),
        parent: feature.parent.map(|parent| features[parent].name.clone()),
        default: feature.is_default,
        conditional: feature.has_condition,
    });
    facts.collect()
}

impl InspectedFile {
    fn new(survey: &Survey, file: &PackagedFile) -> Self {
        let Component {
            features,
            condition,
            ..
        } = &survey.components.components[file.component];
        let names = features
            .iter()
            .map(|at| survey.components.features[*at].name.clone());
        Self {
            path: file.path.clone(),
            size: file.size,
            sha256: survey.sha256.get(&file.key).copied(),
            version: file.version.clone(),
            features: names.collect(),
            condition: condition.clone(),
        }
    }
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

    fn show(&self) {
        out::line(styled(BOLD, Escaped(&self.file)));
        if let Some(size) = self.size {
            row("size", format_args!("{} bytes", out::number(size)));
        }
        if let Some(sha256) = self.sha256 {
            row("sha256", sha256);
        }
        if let Some(package) = &self.package {
            package.show();
        }
        if let Some(error) = &self.error {
            let message = styled(out::BAD, "cannot be installed");
            out::line(format_args!("  {message}: {error}"));
        }
        if let Some(help) = self.help {
            out::line(format_args!("  help: {help}"));
        }
    }
}

fn row(name: &str, value: impl std::fmt::Display) {
    out::line(format_args!("  {name:<14}  {value}"));
}

impl PackageFacts {
    fn show(&self) {
        let properties = [
            ("product", &self.identity.product),
            ("version", &self.identity.version),
            ("product code", &self.identity.product_code),
            ("upgrade code", &self.identity.upgrade_code),
            ("manufacturer", &self.identity.manufacturer),
        ];
        for (name, value) in properties {
            row(name, Escaped(value.as_deref().unwrap_or("none")));
        }
        self.show_features();
        for file in &self.beside {
            row("beside it", Escaped(file.path.as_str()));
        }
        for path in &self.absent {
            let path = Escaped(path.as_str());
            row("beside it", format_args!("{path} (missing)"));
        }
        for note in &self.notes {
            row("note", note);
        }
        let files = count(self.files.len(), "file", "files");
        out::line(format_args!("  {files} by default:"));
        show_files(&self.files);
        if !self.not_installed.is_empty() {
            let files = count(self.not_installed.len(), "file is", "files are");
            out::line(format_args!("  {files} not installed:"));
            show_files(&self.not_installed);
        }
    }
}

impl PackageFacts {
    fn show_features(&self) {
        for (name, is_on) in [("features", true), ("off by default", false)] {
            let features = self
                .features
                .iter()
                .filter(|feature| feature.default == is_on);
            let names: Vec<&str> = features.map(|feature| feature.name.as_str()).collect();
            if !names.is_empty() {
                row(name, Escaped(&some_of(names.iter().copied())));
            }
        }
        let conditional = self
            .features
            .iter()
            .filter(|feature| feature.conditional)
            .count();
        if conditional > 0 {
            let features = count(conditional, "feature has", "features have");
            row(
                "note",
                format_args!("{features} conditions, which are not evaluated"),
            );
        }
    }
}

fn show_files(files: &[InspectedFile]) {
    let paths = files
        .iter()
        .map(|file| Escaped(file.path.as_str()).to_string());
    let longest = paths.map(|path| path.chars().count()).max();
    // Show as much of the hashes as the screen has room for; JSON has them in full.
    let digits = match 4 + 13 + 2 + 64 + 2 + longest.unwrap_or_default() <= out::width() {
        true => 64,
        false => 12,
    };
    for file in files {
        let sha256 = file.sha256.map(|sha256| sha256.to_string());
        let sha256 = &sha256.unwrap_or_else(|| "-".repeat(64))[..digits];
        let (size, path) = (out::number(file.size), Escaped(file.path.as_str()));
        out::line(format_args!("    {size:>13}  {sha256}  {path}"));
    }
}

/// Files in the directory of a package and below it, found without regard to case. Links are not
/// followed.
struct BesideOnDisk<'a>(&'a Path);

impl SiblingFiles for BesideOnDisk<'_> {
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let directory = self
            .0
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let mut at = directory.unwrap_or(Path::new(".")).to_owned();
        let mut is_file = false;
        for part in path.parts() {
            let Some((found, kind)) = entry(&at, part)? else {
                return Ok(None);
            };
            at = found;
            is_file = kind.is_file();
            if !is_file && !kind.is_dir() {
                return Ok(None);
            }
        }
        if !is_file {
            return Ok(None);
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(at)?;
        Ok(Some(Box::new(BufReader::new(file))))
    }
}

/// Returns the entry of a directory that has a name, without regard to case.
fn entry(directory: &Path, name: &str) -> io::Result<Option<(PathBuf, std::fs::FileType)>> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let found = entry.file_name();
        if found.to_str().is_some_and(|found| same_name(found, name)) {
            return Ok(Some((entry.path(), entry.file_type()?)));
        }
    }
    Ok(None)
}
