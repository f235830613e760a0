//! `rollup import`: a manifest draft from the text of an article.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::article::{
    self, ArticleError, DraftValue, ImportSummary, ImportedArticle, InstallationLine, LineResult,
    OpenQuestion,
};
use crate::cli::args::ImportArgs;
use crate::cli::envelope::show;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{self, IfExists, OutputFile};
use crate::cli::terminal::out::{self, BOLD, WARN, count, count_of, shell_quoted, styled, wrapped};
use crate::names::{Escaped, Kb};

/// Number of open points that are listed below a draft; the report has all of them.
const BRIEF: usize = 12;

/// Reads an article named on the command line.
pub(super) fn imported(path: &Path, kb: Option<Kb>) -> Result<ImportedArticle, Failure> {
    let bytes = inputs::bytes(path, article::MAX_ARTICLE_BYTES as u64 + 1)?;
    article::import_as(&bytes, kb).map_err(|error| no_article(path, &error))
}

/// Runs `rollup import`.
pub(super) fn import(args: &ImportArgs) -> anyhow::Result<Exit> {
    let existing = if args.force {
        IfExists::Replace
    } else {
        IfExists::Refuse
    };
    let article = args.article.as_path();
    let output = match args.output.as_deref() {
        Some(path) if path != Path::new("-") => Some(OutputFile::new(path, &[article], existing)?),
        _ => None,
    };
    let imported = imported(article, args.kb)?;
    if output.is_some() || !args.report {
        output::document(&imported.draft, output.as_ref())?;
    }
    if args.report {
        let document = ImportDocument::of(article, &imported);
        show(args.format, Exit::Ok, document, |_| {
            print_report(article, &imported);
        });
    } else {
        print_brief(article, &imported);
    }
    Ok(Exit::Ok)
}

pub(super) fn no_article(path: &Path, error: &ArticleError) -> Failure {
    let failure = Failure::invalid(format_args!(
        "`{}` cannot be imported: {error}",
        path.display()
    ));
    match error {
        ArticleError::TooLarge => failure.next("save the article alone, as text or as one page without its pictures"),
        ArticleError::Binary { .. } => {
            failure.next("save the article from the browser as text or as a page, or paste it into a text file")
        }
        ArticleError::OtherFormat(_) => {
            failure.next("save the article from the browser as text, as a page (.htm or .mht) or as Markdown")
        }
        ArticleError::OtherDocument(_) => failure.next("name the article that the vendor published, as text or as a page"),
        ArticleError::NothingFound => failure.next(
            "check the file: it needs numbered steps below a heading such as `Installation information`, or a table with \
             the columns `File name` and `Size`",
        ),
    }
}

/// Summarizes the draft and the points that are left to decide.
fn print_brief(article: &Path, imported: &ImportedArticle) {
    out::message(summary(imported));
    let open = imported.open.len();
    if open > 0 {
        let label = styled(WARN, "open");
        let points = count_of(open, "point is left to decide", "points are left to decide");
        out::message(format_args!("{label}: {points}"));
    }
    for open in imported.open.iter().take(BRIEF) {
        out::message(open_line(article, open));
    }
    if open > BRIEF {
        out::message(format_args!("  and {} more", open - BRIEF));
    }
    let (label, article) = (styled(BOLD, "next"), shell_quoted(article));
    out::message(format_args!("{label}: rollup import {article} --report"));
}

fn summary(imported: &ImportedArticle) -> String {
    let found = &imported.found;
    let kb = found.kb.as_deref().unwrap_or("no KB number");
    let manual = match found.manual {
        0 => String::new(),
        manual => format!(" ({manual} manual)"),
    };
    format!(
        "{kb}: {}{manual}, {} in the table, {}",
        count(found.steps, "step"),
        count(found.files, "file"),
        count(found.prerequisites, "prerequisite"),
    )
}

fn open_line(article: &Path, open: &OpenQuestion) -> String {
    let mut place = article.display().to_string();
    if let Some(line) = open.line {
        place.push_str(&format!(":{line}"));
    }
    let text = format!("{}: {}", Escaped(&place), Escaped(&open.message));
    format!("  {}", wrapped(&text, out::width() - 2, "    "))
}

/// Reports everything: the summary, the open points, the result of every line of the installation
/// section, and the origin of every value.
fn print_report(article: &Path, imported: &ImportedArticle) {
    out::line(styled(BOLD, summary(imported)));
    heading("Left to decide");
    if imported.open.is_empty() {
        out::line("  nothing");
    }
    for open in &imported.open {
        out::line(open_line(article, open));
    }
    heading("Installation section");
    if imported.installation.is_empty() {
        out::line("  none was found");
    }
    for entry in &imported.installation {
        let text: String = entry.text.chars().take(60).collect();
        let text = Escaped(&text).to_string();
        let result = match &entry.result {
            LineResult::Heading => "heading".to_owned(),
            LineResult::Understood { steps } => format!("step {}", steps.join(", ")),
            LineResult::Needless { why } => format!("needs no step: {why}"),
            LineResult::Manual { step } => format!("{}: step {step}", styled(WARN, "manual")),
        };
        out::line(format_args!("{:>6}  {text:<60}  {result}", entry.line));
    }
    heading("Draft, with the lines of the article that it comes from");
    for value in imported.values() {
        out::line(format_args!("{:>6}  {}", value.line, Escaped(value.text)));
    }
}

fn heading(text: &str) {
    out::line(format_args!("\n{}", styled(BOLD, text)));
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

impl<'a> ImportDocument<'a> {
    fn of(article: &Path, imported: &'a ImportedArticle) -> Self {
        Self {
            article: article.display().to_string(),
            found: &imported.found,
            open: &imported.open,
            installation: &imported.installation,
            values: imported.values().collect(),
        }
    }
}
