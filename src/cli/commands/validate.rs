//! `rollup validate`: documents in, one of four reports out.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::import::imported;
use crate::cli::args::{ReportFormat, ValidateArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{self, OutputFile};
use crate::cli::terminal::out::{self, count};
use crate::cli::walk::{DocumentEntry, DocumentSearch, WILDCARDS};
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::document::{Code, Findings, RenderOptions, Source};
use crate::names::{Escaped, escaped_path};
use crate::validation::{
    Article, DocumentKind, FindingCounts, FindingSelector, LintLevel, LintLevels, UnreadableFile,
    Validation, ValidationContext, kind_of,
};

/// Runs `rollup validate`.
pub(super) fn validate(args: &ValidateArgs) -> anyhow::Result<Exit> {
    let levels = levels(args)?;
    let code_host = matches!(args.format, ReportFormat::Sarif | ReportFormat::Github);
    let here = std::env::current_dir().ok().filter(|_| code_host);
    let mut gathered = Gathered {
        here,
        ..Gathered::default()
    };
    args.files.iter().for_each(|file| gathered.take(file));
    let described = args
        .deployment
        .as_deref()
        .map(|directory| gathered.deployment(directory))
        .transpose()?
        .flatten();
    let reads: Vec<&Path> = gathered
        .seen
        .iter()
        .map(PathBuf::as_path)
        .chain(args.payload.as_deref())
        .chain(args.article.as_deref())
        .chain(
            gathered
                .read_standard_input
                .then_some(Path::new("/dev/stdin")),
        )
        .collect();
    let output = OutputFile::of(args.output.as_deref(), &reads)?;
    let payload = match &args.payload {
        Some(directory) => {
            gathered.refuse_several_manifests("a payload", "--payload")?;
            Some(inputs::payload(&inputs::given_payload(directory)?)?)
        }
        None => None,
    };
    let article = match &args.article {
        Some(file) => {
            gathered.refuse_several_manifests("an article", "--article")?;
            Some(article(file)?)
        }
        None => None,
    };
    let against = ValidationContext {
        deployment: described.as_ref(),
        payload: payload.as_ref(),
        article: article.as_ref(),
    };
    let mut validation = Validation::of(gathered.documents, &against);
    validation.apply_levels(&levels);
    let unread = gathered
        .failures
        .iter()
        .map(|(file, failure)| UnreadableFile {
            file: file.clone(),
            reason: failure.reasons.join("; "),
        });
    validation.unread = unread.collect();
    validation.passed_over = gathered.passed_over;
    let exit = match (validation.counts().errors, gathered.failures.first()) {
        (0, None) => Exit::Ok,
        (0, Some((_, failure))) => failure.exit,
        _ => Exit::Invalid,
    };
    report_unread(&gathered.links, &gathered.failures);
    write_report(&validation, args, output.as_ref(), exit)?;
    Ok(exit)
}

/// Number of paths that could not be read that are listed.
const LISTED: usize = 20;

/// Reports the paths that were not read.
fn report_unread(links: &[String], failures: &[(String, Failure)]) {
    if let [first, others @ ..] = links {
        let more = match others.len() {
            0 => "was not read: links are not followed".to_owned(),
            more => format!(
                "and {} were not read",
                count(more, "other link", "other links")
            ),
        };
        out::warn(format_args!(
            "the symbolic link `{first}` {more}; name its target, if that is a document"
        ));
    }
    failures
        .iter()
        .take(LISTED)
        .for_each(|(_, failure)| out::fail(failure, None));
    if failures.len() > LISTED {
        out::warn(format_args!(
            "{} could not be read either",
            count(failures.len() - LISTED, "path", "paths")
        ));
    }
}

/// Reads the article that the manifest is compared with.
fn article(file: &Path) -> Result<Article, Failure> {
    let name = file.display().to_string();
    Article::new(&name, imported(file)?).map_err(|incomplete| {
        let open = incomplete.open.iter().map(|open| match open.line {
            Some(line) => format!("{name}:{line}: {}", open.message),
            None => open.message.clone(),
        });
        Failure::new(Exit::Invalid, format_args!("`{name}`: {incomplete}")).next(format!(
            "left open: {}",
            open.collect::<Vec<_>>().join("; ")
        ))
    })
}

fn levels(args: &ValidateArgs) -> Result<LintLevels, Failure> {
    let with_level = |codes: &[FindingSelector], level: LintLevel| {
        codes
            .iter()
            .map(move |&which| (which, level))
            .collect::<Vec<_>>()
    };
    let mut selections = with_level(&args.deny, LintLevel::Deny);
    selections.extend(with_level(&args.warn, LintLevel::Warn));
    selections.extend(with_level(&args.allow, LintLevel::Allow));
    selections.extend(
        args.require_hashes
            .then_some((FindingSelector::Code(Code::Unpinned), LintLevel::Deny)),
    );
    LintLevels::new(selections).map_err(|misuse| {
        Failure::new(Exit::Usage, misuse).next("`rollup explain` lists all codes")
    })
}

/// Writes the report to standard output or its file. The summary for people goes beside it.
fn write_report(
    validation: &Validation,
    args: &ValidateArgs,
    output: Option<&OutputFile>,
    exit: Exit,
) -> Result<(), Failure> {
    let document = match args.format {
        ReportFormat::Text => validation.text(&options(args.output.is_some())),
        ReportFormat::Github => validation.github(),
        ReportFormat::Sarif => format!("{:#}\n", validation.sarif(exit as u8)),
        ReportFormat::Json => {
            format!("{}\n", Envelope::new(exit, validation.document()).text())
        }
    };
    match (output, args.format) {
        (Some(_), _) => {
            output::document(&document, output)?;
            out::message(summary(validation));
        }
        (None, ReportFormat::Text) => {
            if !document.is_empty() {
                out::line(&document);
            }
            out::line(summary(validation));
        }
        (None, ReportFormat::Github) => {
            out::line(document.trim_end());
            out::message(summary(validation));
        }
        (None, ReportFormat::Json | ReportFormat::Sarif) => out::line(document.trim_end()),
    }
    Ok(())
}

/// Describes the result in one line, and where to read on.
fn summary(validation: &Validation) -> String {
    let FindingCounts {
        errors,
        warnings,
        notes,
    } = validation.counts();
    let mut line = format!(
        "{}: {}, {}, {}",
        count(validation.documents.len(), "file", "files"),
        count(errors, "error", "errors"),
        count(warnings, "warning", "warnings"),
        count(notes, "note", "notes")
    );
    if !validation.unread.is_empty() {
        line.push_str(&format!(
            "; {} could not be used",
            count(validation.unread.len(), "path", "paths")
        ));
    }
    if let [first, rest @ ..] = validation.passed_over.as_slice() {
        let others = count(
            validation.passed_over.len(),
            "other TOML file",
            "other TOML files",
        );
        let more = if rest.is_empty() { "" } else { " and so on" };
        line.push_str(&format!(
            "\n{others} skipped, as neither manifest nor deployment: {}{more}",
            Escaped(first)
        ));
    }
    if let Some(code) = validation.foremost() {
        line.push_str(&format!(
            "\n`rollup explain {code}` explains the first of them"
        ));
    }
    line
}

fn options(into_file: bool) -> RenderOptions {
    let color = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    match into_file {
        true => RenderOptions::PLAIN,
        false => RenderOptions {
            width: out::width(),
            color,
            wraps: out::is_screen(),
        },
    }
}

/// Documents that the command line names, in its order.
#[derive(Default)]
struct Gathered {
    /// Directory below which documents are named relative to it, as code hosts want them.
    here: Option<PathBuf>,
    documents: Vec<(Source, DocumentKind)>,
    /// Paths that could not be read. They do not keep the others from being reported.
    failures: Vec<(String, Failure)>,
    /// Links that were found and not followed.
    links: Vec<String>,
    /// Files that were read already, by their true paths.
    seen: BTreeSet<PathBuf>,
    /// TOML files in directories that are neither manifest nor deployment.
    passed_over: Vec<String>,
    read_standard_input: bool,
}

impl Gathered {
    /// Takes a file, a directory with documents in and below it, a pattern, or standard input.
    fn take(&mut self, given: &Path) {
        if given == Path::new("-") {
            return self.standard_input();
        }
        if given.is_dir() {
            return self.directory(given);
        }
        let pattern = given
            .to_str()
            .filter(|text| text.contains(WILDCARDS))
            .filter(|_| !given.exists());
        match pattern {
            Some(pattern) => self.pattern(pattern),
            None => self.file(given),
        }
    }

    fn file(&mut self, path: &Path) {
        if !self.is_new(path) {
            return;
        }
        match self.source(path) {
            // A file named on the command line is a manifest, unless its contents differ.
            Ok(source) => {
                let kind = kind_of(&source).unwrap_or(DocumentKind::Manifest);
                self.documents.push((source, kind));
            }
            Err(failure) => self.fail(&escaped_path(path), failure),
        }
    }

    fn source(&self, path: &Path) -> Result<Source, Failure> {
        inputs::source(path).map(|source| self.named(source, path))
    }

    /// Names a document as the report needs it.
    fn named(&self, source: Source, path: &Path) -> Source {
        match self
            .here
            .as_deref()
            .and_then(|here| path.strip_prefix(here).ok())
        {
            Some(relative) => source.named(escaped_path(relative)),
            None => source,
        }
    }

    /// Takes a file found in a directory, which may hold other files beside documents. Returns
    /// whether it counts as a document.
    fn found(&mut self, path: &Path) -> bool {
        if !self.is_new(path) {
            return true;
        }
        match self.source(path) {
            Ok(source) => match kind_of(&source) {
                Some(kind) => self.documents.push((source, kind)),
                // A file that cannot even be read as text may be a manifest that was saved in a
                // wrong way.
                None if source.is_unreadable() => {
                    self.documents.push((source, DocumentKind::Manifest))
                }
                None => {
                    self.passed_over.push(source.name().to_owned());
                    return false;
                }
            },
            Err(failure) => self.fail(&escaped_path(path), failure),
        }
        true
    }

    fn directory(&mut self, directory: &Path) {
        let mut any = false;
        DocumentSearch::directory(directory).for_each(|found| {
            any |= match found {
                DocumentEntry::File(path) => self.found(&path),
                other => self.not_read(other),
            };
        });
        if !any {
            let name = escaped_path(directory);
            let reason = format!("there is no manifest and no deployment.toml in `{name}`");
            self.fail(&name, Failure::new(Exit::NoInput, reason));
        }
    }

    fn pattern(&mut self, pattern: &str) {
        let walk = match DocumentSearch::pattern(pattern) {
            Ok(walk) => walk,
            Err(failure) => return self.fail(pattern, failure),
        };
        let mut any = false;
        walk.for_each(|found| match found {
            DocumentEntry::File(path) => {
                self.file(&path);
                any = true;
            }
            other => any |= self.not_read(other),
        });
        if !any {
            self.fail(
                pattern,
                Failure::new(Exit::NoInput, format_args!("`{pattern}` matches no file")),
            );
        }
    }

    /// Keeps an entry that a walk found and did not read. Returns whether that is a failure by
    /// itself.
    fn not_read(&mut self, found: DocumentEntry) -> bool {
        match found {
            DocumentEntry::Unread(path, why) => {
                let name = escaped_path(&path);
                self.fail(
                    &name,
                    Failure::new(Exit::Io, format_args!("cannot read `{name}`: {why}")),
                );
                true
            }
            DocumentEntry::File(path) | DocumentEntry::Link(path) => {
                self.links.push(escaped_path(&path));
                false
            }
        }
    }

    fn standard_input(&mut self) {
        const NAME: &str = "standard input";
        if std::mem::replace(&mut self.read_standard_input, true) {
            return;
        }
        let mut bytes = Vec::new();
        match io::stdin()
            .lock()
            .take(Source::LARGEST as u64 + 1)
            .read_to_end(&mut bytes)
        {
            Ok(_) => {
                let source = Source::from_bytes(NAME, bytes);
                let kind = kind_of(&source).unwrap_or(DocumentKind::Manifest);
                self.documents.push((source, kind));
            }
            Err(error) => self.fail(
                NAME,
                Failure::new(Exit::Io, format_args!("cannot read {NAME}: {error}")),
            ),
        }
    }

    /// Reads the description that manifests are checked against. Its own mistakes are reported with
    /// theirs, and then the manifests are checked without it.
    fn deployment(&mut self, directory: &Path) -> Result<Option<Description>, Failure> {
        let source = inputs::description_source(directory)?;
        let mut findings = Findings::default();
        let description = describe::parse(&source, &mut findings);
        if self.is_new(&directory.join("deployment.toml")) && !findings.is_empty() {
            let source = self.named(source, &directory.join("deployment.toml"));
            self.documents.insert(0, (source, DocumentKind::Deployment));
        }
        if description.is_none() {
            out::warn(
                "the manifests are not checked against the deployment, whose own file has errors",
            );
        }
        Ok(description)
    }

    fn refuse_several_manifests(&self, subject: &str, option: &str) -> Result<(), Failure> {
        let manifests = self
            .documents
            .iter()
            .filter(|(_, kind)| *kind == DocumentKind::Manifest)
            .count();
        match manifests {
            0 | 1 => Ok(()),
            _ => Err(Failure::new(
                Exit::Usage,
                format_args!(
                    "{subject} belongs to one rollup, but {manifests} manifests are given"
                ),
            )
            .next(format!(
                "name one manifest with `{option}`, or leave it out"
            ))),
        }
    }

    fn is_new(&mut self, path: &Path) -> bool {
        self.seen
            .insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    }

    fn fail(&mut self, file: &str, failure: Failure) {
        self.failures.push((file.to_owned(), failure));
    }
}
