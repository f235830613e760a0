//! `rollup validate`: every mistake in manifests and deployments.

mod gather;

use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::import::{imported, no_article};
use crate::article;
use crate::cli::args::{ReportFormat, ValidateArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{self, OutputFile};
use crate::cli::signed;
use crate::cli::terminal::out::{self, count};
use crate::document::{Code, RenderOptions};
use crate::names::Escaped;
use crate::payload::Payload;
use crate::validation::{
    Article, FindingCounts, FindingSelector, LintLevel, LintLevels, ManifestSignatures,
    UnreadableFile, Validation, ValidationContext,
};

use gather::Gathered;

/// Number of paths that could not be read that are listed.
const LISTED: usize = 20;

/// Runs `rollup validate`.
pub(super) fn validate(args: &ValidateArgs) -> anyhow::Result<Exit> {
    let levels = levels(args)?;
    let code_host = matches!(args.format, ReportFormat::Sarif | ReportFormat::Github);
    let here = std::env::current_dir().ok().filter(|_| code_host);
    let mut gathered = Gathered::of(&args.files, here, args.signers.is_some());
    let described = match &args.deployment {
        Some(directory) => gathered.deployment(directory)?,
        None => None,
    };
    let inputs = [&args.payload, &args.article, &args.signers]
        .into_iter()
        .flatten();
    let mut reads: Vec<&Path> = gathered
        .seen
        .iter()
        .chain(inputs)
        .map(|path| path.as_path())
        .collect();
    if gathered.read_standard_input {
        reads.push(Path::new("/dev/stdin"));
    }
    let output = OutputFile::of(args.output.as_deref(), &reads)?;
    let payload = match &args.payload {
        Some(directory) => {
            gathered.refuse_several_manifests("a payload", "--payload")?;
            Some(Payload::open(&inputs::given_payload(directory)?)?)
        }
        None => None,
    };
    let hashing = payload.is_some().then(inputs::hashing_payload);
    let article = match &args.article {
        Some(file) => {
            gathered.refuse_several_manifests("an article", "--article")?;
            Some(article(file)?)
        }
        None => None,
    };
    let signatures = match &args.signers {
        Some(file) => Some(ManifestSignatures {
            signers: signed::signers_of_file(file)?,
            now: Timestamp::now().as_second(),
            texts: std::mem::take(&mut gathered.signatures),
        }),
        None => None,
    };
    report_unread(&gathered);
    let against = ValidationContext {
        deployment: described.as_ref(),
        payload: payload.as_ref().zip(hashing.as_deref()),
        article: article.as_ref(),
        signatures: signatures.as_ref(),
    };
    let mut validation = Validation::of(gathered.documents, &against);
    validation.apply_levels(&levels);
    let exit = match (validation.counts().errors, gathered.failures.first()) {
        (0, None) => Exit::Ok,
        (0, Some((_, failure))) => failure.exit,
        _ => Exit::Invalid,
    };
    for (file, failure) in gathered.failures {
        let reason = failure.to_string();
        validation.unread.push(UnreadableFile { file, reason });
    }
    validation.passed_over = gathered.passed_over;
    write_report(&validation, args.format, output.as_ref(), exit)?;
    Ok(exit)
}

/// Reports the paths that were not read.
fn report_unread(gathered: &Gathered) {
    if let [first, others @ ..] = gathered.links.as_slice() {
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
    for (_, failure) in gathered.failures.iter().take(LISTED) {
        out::fail(failure, None);
    }
    if gathered.failures.len() > LISTED {
        let paths = count(gathered.failures.len() - LISTED, "path", "paths");
        out::warn(format_args!("{paths} could not be read either"));
    }
}

/// Reads the article that the manifest is compared with.
fn article(file: &Path) -> Result<Article, Failure> {
    // A text that could not be imported is not an article.
    imported(file, None)?;
    let bytes = inputs::bytes(file, article::MAX_ARTICLE_BYTES as u64 + 1)?;
    let mentions = article::mentions(&bytes).map_err(|error| no_article(file, &error))?;
    Ok(Article::new(file.display().to_string(), mentions))
}

fn levels(args: &ValidateArgs) -> Result<LintLevels, Failure> {
    let mut levels = Vec::new();
    for (selectors, level) in [
        (&args.deny, LintLevel::Deny),
        (&args.warn, LintLevel::Warn),
        (&args.allow, LintLevel::Allow),
    ] {
        levels.extend(selectors.iter().map(|&selector| (selector, level)));
    }
    if args.require_hashes {
        let unpinned = FindingSelector::Code(Code::Unpinned);
        levels.push((unpinned, LintLevel::Deny));
    }
    LintLevels::new(levels)
        .map_err(|misuse| Failure::usage(misuse).next("`rollup explain` lists all codes"))
}

/// Writes the report to standard output or its file. The summary for people goes beside it.
fn write_report(
    validation: &Validation,
    format: ReportFormat,
    output: Option<&OutputFile>,
    exit: Exit,
) -> Result<(), Failure> {
    let summary = summary(validation);
    let document = match format {
        ReportFormat::Text if output.is_some() => validation.text(&RenderOptions::PLAIN),
        ReportFormat::Text => {
            let findings = validation.text(&inputs::render_options(&io::stdout()));
            if !findings.is_empty() {
                out::laid_out(findings);
            }
            out::line(summary);
            return Ok(());
        }
        ReportFormat::Github => validation.github(),
        ReportFormat::Sarif => format!("{:#}", validation.sarif(exit as u8)),
        ReportFormat::Json => Envelope::new(exit, validation.document()).text(),
    };
    output::document(&document, output)?;
    if output.is_some() || format == ReportFormat::Github {
        out::message(summary);
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
        let paths = count(validation.unread.len(), "path", "paths");
        line.push_str(&format!("; {paths} could not be used"));
    }
    if let [first, rest @ ..] = validation.passed_over.as_slice() {
        let others = count(rest.len() + 1, "other TOML file", "other TOML files");
        let more = if rest.is_empty() { "" } else { " and so on" };
        let first = Escaped(first);
        line.push_str(&format!(
            "\n{others} skipped, as neither manifest nor deployment: {first}{more}"
        ));
    }
    if let Some(code) = validation.foremost() {
        line.push_str(&format!(
            "\n`rollup explain {code}` explains the first of them"
        ));
    }
    line
}
