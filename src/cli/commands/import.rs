//! `rollup import`: a manifest draft from the text of an article.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::article::{
    self, ArticleError, DraftValue, ImportSummary, ImportedArticle, InstallationLine, LineResult,
    OpenQuestion,
};
use crate::cli::args::{Format, ImportArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{IfExists, OutputFile};
use crate::cli::terminal::out::{self, BOLD, WARN, count, shell_quoted, styled, wrapped};
use crate::names::Escaped;

/// Number of open points that are listed below a draft; the report has all of them.
const BRIEF: usize = 12;

/// Reads an article named on the command line.
pub(super) fn imported(path: &Path) -> Result<ImportedArticle, Failure> {
    let bytes = inputs::bytes(path, article::MAX_ARTICLE_BYTES as u64 + 1)?;
    article::import(&bytes).map_err(|error| no_article(path, &error))
}

/// Runs `rollup import`.
pub(super) fn import(args: &ImportArgs) -> anyhow::Result<Exit> {
    let existing = if args.force {
        IfExists::Replace
    } else {
        IfExists::Refuse
    };
    let output = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let output = output
        .map(|path| OutputFile::new(path, &[&args.article], existing))
        .transpose()?;
    let imported = imported(&args.article)?;
    if let Some(output) = &output {
        output.write(&format!("{}\n", imported.draft.trim_end()))?;
    } else if !args.report {
        out::line(imported.draft.trim_end());
    }
    match (args.report, args.format) {
        (true, Format::Json) => Envelope::new(Exit::Ok, document(args, &imported)).print(),
        (true, Format::Text) => report(args, &imported).iter().for_each(out::line),
        (false, _) => brief(args, &imported).iter().for_each(out::message),
    }
    Ok(Exit::Ok)
}

fn no_article(path: &Path, error: &ArticleError) -> Failure {
    let failure = Failure::invalid(format_args!(
        "`{}` cannot be imported: {error}",
        path.display()
    ));
    match error {
        ArticleError::TooLarge => failure.next("save the article alone, as text or as one page without its pictures"),
        ArticleError::Binary { .. } => {
            failure.next("save the article from the browser as text or as a page, or paste it into a text file")
        }
        ArticleError::NothingFound => failure.next(
            "check the file: it needs a number such as `Article ID: 123456` or `KB123456`, numbered steps below a \
             heading such as `Installation information`, or a table with the columns `File name` and `Size`",
        ),
    }
}

/// Summarizes the draft and the points that are left to decide.
fn brief(args: &ImportArgs, imported: &ImportedArticle) -> Vec<String> {
    let mut lines = vec![summary(imported)];
    if let Some(path) = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"))
    {
        lines.push(format!("written to {}", shell_quoted(path)));
    }
    if !imported.open.is_empty() {
        let label = count(
            imported.open.len(),
            "point is left to decide",
            "points are left to decide",
        );
        lines.push(format!("{}: {label}", styled(WARN, "open")));
        lines.extend(
            imported
                .open
                .iter()
                .take(BRIEF)
                .map(|open| open_line(&args.article, open)),
        );
    }
    if imported.open.len() > BRIEF {
        lines.push(format!("  and {} more", imported.open.len() - BRIEF));
    }
    lines.push(format!(
        "{}: rollup import {} --report",
        styled(BOLD, "next"),
        shell_quoted(&args.article)
    ));
    lines
}

fn summary(imported: &ImportedArticle) -> String {
    let found = &imported.found;
    let kb = found.kb.as_deref().unwrap_or("no KB number");
    let manual = match found.manual {
        0 => String::new(),
        manual => format!(" ({manual} manual)"),
    };
    format!(
        "{kb}: {}{manual}, {}, {}",
        count(found.steps, "step", "steps"),
        count(found.files, "file in the table", "files in the table"),
        count(found.prerequisites, "prerequisite", "prerequisites"),
    )
}

fn open_line(article: &Path, open: &OpenQuestion) -> String {
    let place = match open.line {
        Some(line) => format!("{}:{line}", article.display()),
        None => article.display().to_string(),
    };
    format!(
        "  {}",
        wrapped(
            &format!("{}: {}", Escaped(&place), Escaped(&open.message)),
            out::width() - 2,
            "    "
        )
    )
}

/// Reports everything: the summary, the open points, the result of every line of the installation
/// section, and the origin of every value.
fn report(args: &ImportArgs, imported: &ImportedArticle) -> Vec<String> {
    let mut lines = vec![styled(BOLD, summary(imported)), String::new()];
    lines.push(styled(BOLD, "Left to decide"));
    if imported.open.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.extend(
        imported
            .open
            .iter()
            .map(|open| open_line(&args.article, open)),
    );
    lines.extend([String::new(), styled(BOLD, "Installation section")]);
    if imported.installation.is_empty() {
        lines.push("  none was found".to_owned());
    }
    for entry in &imported.installation {
        let text: String = entry.text.chars().take(60).collect();
        let result = match &entry.result {
            LineResult::Heading => "heading".to_owned(),
            LineResult::Understood { steps } => format!("step {}", steps.join(", ")),
            LineResult::Needless { why } => format!("needs no step: {why}"),
            LineResult::Manual { step } => format!("{}: step {step}", styled(WARN, "manual")),
        };
        lines.push(format!(
            "{:>6}  {:<60}  {result}",
            entry.line,
            Escaped(&text).to_string()
        ));
    }
    lines.extend([
        String::new(),
        styled(
            BOLD,
            "Draft, with the lines of the article that it comes from",
        ),
    ]);
    lines.extend(
        imported
            .values()
            .map(|value| format!("{:>6}  {}", value.line, Escaped(value.text))),
    );
    lines
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Import of an article")]
pub(in crate::cli) struct ImportDocument<'a> {
    /// Path of the article, as typed.
    article: String,
    /// Numbers of what was found.
    found: &'a ImportSummary,
    /// Points that are left to decide.
    open: &'a [OpenQuestion],
    /// Lines of the installation section, each with its result.
    installation: &'a [InstallationLine],
    /// Lines of the draft, each with the line of the article that it comes from.
    values: Vec<DraftValue<'a>>,
}

fn document<'a>(args: &ImportArgs, imported: &'a ImportedArticle) -> ImportDocument<'a> {
    ImportDocument {
        article: args.article.display().to_string(),
        found: &imported.found,
        open: &imported.open,
        installation: &imported.installation,
        values: imported.values().collect(),
    }
}
