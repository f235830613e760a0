//! `rollup validate`: every mistake in manifests and deployments.

mod fix;
mod gather;

use std::io;
use std::path::{Path, PathBuf};

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
use crate::cli::terminal::out::{self, GOOD, count, number, styled};
use crate::cli::views::findings;
use crate::document::{Code, RenderOptions};
use crate::names::Escaped;
use crate::payload::Payload;
use crate::validation::{
    Article, FindingSelector, LintLevel, LintLevels, ManifestSignatures, UnreadableFile,
    Validation, ValidationContext,
};

use gather::Gathered;

/// Number of paths that could not be read that are listed.
const LISTED: usize = 20;

/// Runs `rollup validate`.
pub(super) fn validate(args: &ValidateArgs) -> anyhow::Result<Exit> {
    let levels = levels(args)?;
    refuse_unused_url(args)?;
    let here = directory_of_names(args.format);
    let mut gathered = Gathered::of(&args.files, here, args.signers.is_some());
    let described = match &args.deployment {
        Some(directory) => gathered.deployment(directory)?,
        None => None,
    };
    let output = output_file(args, &gathered)?;
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
    let corrections = if args.fix {
        fix::fix(&mut gathered, described.as_ref(), &levels)?
    } else {
        Vec::new()
    };
    let can_fix = !args.fix && !gathered.read_standard_input;
    let mut validation = Validation::of(
        std::mem::take(&mut gathered.documents)
            .into_iter()
            .map(|document| (document.source, document.kind))
            .collect(),
        &against,
    );
    validation.corrections = corrections;
    validation.apply_levels(&levels);
    let exit = add_failures(&mut validation, gathered);
    let mut summary = summary(&validation);
    if can_fix {
        summary.push_str(&fixable(&validation));
    }
    write_report(&validation, args, summary, output.as_ref(), exit)?;
    Ok(exit)
}

/// Returns the directory below which documents are named relative to it, as code hosts want them.
fn directory_of_names(format: ReportFormat) -> Option<PathBuf> {
    match format {
        ReportFormat::Sarif | ReportFormat::Github | ReportFormat::Markdown => {
            std::env::current_dir().ok()
        }
        ReportFormat::Text | ReportFormat::Json => None,
    }
}

/// Checks the path of the report, which must not be a file that the command reads.
fn output_file(args: &ValidateArgs, gathered: &Gathered) -> Result<Option<OutputFile>, Failure> {
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
    OutputFile::of(args.output.as_deref(), &reads)
}

/// Adds the paths that could not be read to the report, and returns its exit code.
fn add_failures(validation: &mut Validation, gathered: Gathered) -> Exit {
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
    exit
}

/// Refuses the address of a page to which the report has no links.
fn refuse_unused_url(args: &ValidateArgs) -> Result<(), Failure> {
    let has_links = matches!(args.format, ReportFormat::Sarif | ReportFormat::Markdown);
    if has_links || args.findings_url.is_none() {
        return Ok(());
    }
    let reason = "only reports as SARIF and Markdown have links to the page of findings";
    Err(Failure::usage(reason).next("leave `--findings-url` out, or add `--format sarif`"))
}

/// Reports the paths that were not read.
fn report_unread(gathered: &Gathered) {
    if let [first, others @ ..] = gathered.links.as_slice() {
        let more = match others.len() {
            0 => "was not read: links are not followed".to_owned(),
            more => format!("and {} were not read", count(more, "other link")),
        };
        out::warn(format_args!(
            "the symbolic link `{first}` {more}; name its target, if that is a document"
        ));
    }
    for (_, failure) in gathered.failures.iter().take(LISTED) {
        out::fail(failure, None);
    }
    if gathered.failures.len() > LISTED {
        let paths = count(gathered.failures.len() - LISTED, "path");
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
    args: &ValidateArgs,
    summary: String,
    output: Option<&OutputFile>,
    exit: Exit,
) -> Result<(), Failure> {
    let corrections = corrections(validation);
    let url = args.findings_url.as_ref();
    let document = match args.format {
        ReportFormat::Text if output.is_some() => validation.text(&RenderOptions::PLAIN),
        ReportFormat::Text => {
            corrections.iter().for_each(out::line);
            let findings = validation.text(&inputs::render_options(&io::stdout()));
            if !findings.is_empty() {
                out::laid_out(findings);
            }
            out::line(summary);
            return Ok(());
        }
        ReportFormat::Github => validation.github(),
        ReportFormat::Sarif => format!("{:#}", validation.sarif(exit as u8, url)),
        ReportFormat::Markdown => findings::markdown(validation, url),
        ReportFormat::Json => Envelope::new(exit, validation.document()).text(),
    };
    corrections.iter().for_each(out::message);
    output::document(&document, output)?;
    if output.is_some() || args.format == ReportFormat::Github {
        out::message(summary);
    }
    Ok(())
}

/// Describes each correction in one line.
fn corrections(validation: &Validation) -> Vec<String> {
    let label = styled(GOOD, "fixed");
    let corrections = validation.corrections.iter();
    let described = corrections.map(|one| {
        let what = match (&*one.old, &*one.new) {
            ("", new) => format!("`{new}` is added"),
            (old, "") => format!("`{old}` is removed"),
            (old, new) => format!("`{old}` is now `{new}`"),
        };
        let file = Escaped(&one.file);
        format!("{label}: {file}:{}:{}: {what}", one.line, one.column)
    });
    described.collect()
}

/// Describes how many findings could be corrected, if there are any.
fn fixable(validation: &Validation) -> String {
    match validation.fixable() {
        0 => String::new(),
        fixable => {
            let fixable = number(fixable as u64);
            format!("\n`rollup validate --fix` corrects {fixable} of them")
        }
    }
}

/// Describes the result in one line, and where to read on.
fn summary(validation: &Validation) -> String {
    let files = count(validation.documents.len(), "file");
    let counts = findings::describe_counts(validation.counts());
    let mut line = format!("{files}: {counts}");
    let allowed = validation.allowed();
    if allowed > 0 {
        line.push_str(&format!("; {} allowed by comments", number(allowed as u64)));
    }
    if !validation.corrections.is_empty() {
        let corrections = number(validation.corrections.len() as u64);
        line.push_str(&format!("; {corrections} fixed"));
    }
    if !validation.unread.is_empty() {
        let paths = count(validation.unread.len(), "path");
        line.push_str(&format!("; {paths} could not be used"));
    }
    if let [first, rest @ ..] = validation.passed_over.as_slice() {
        let others = count(rest.len() + 1, "other TOML file");
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
