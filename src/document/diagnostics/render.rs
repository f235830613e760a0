//! Output of findings, as text for people and as records for programs.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Level as Drawn, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;

use super::codes::Code;
use super::findings::{Finding, Findings, Suggestion};
use super::nearest::MeantName;
use super::severity::Severity;
use super::source::Source;
use super::wording::is_bare_key;
use crate::names::{Escaped, STYLE_MARK, columns, wrapped};

/// Number of findings of one kind that are drawn. The others are listed below the last one; notes
/// are listed below the first.
const DRAWN: usize = 20;

/// Number of notes of one kind up to which all of them are drawn.
const NOTES_DRAWN: usize = 3;

/// Number of findings of one kind that are listed. The others are only counted.
const LISTED: usize = 200;

/// Properties of the output, which depend on its destination.
#[derive(Debug, Clone, Copy)]
pub struct RenderOptions {
    /// Columns of the screen; source lines are truncated to fit.
    pub width: usize,
    /// True if escape sequences for colour may be written.
    pub color: bool,
    /// True if messages are wrapped to the width, too. In a file or a log each remains on one line,
    /// so that a search finds it.
    pub wraps: bool,
}

impl RenderOptions {
    /// Properties of a text that is not shown on a screen.
    pub const PLAIN: Self = Self {
        width: 100,
        color: false,
        wraps: false,
    };
}

/// A finding in the form that programs read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FindingRecord<'a> {
    /// The document's name.
    pub file: &'a str,
    /// Line on which it begins, from 1.
    pub line: u32,
    /// Column at which it begins, in characters from 1.
    pub column: u32,
    /// The line on which it ends.
    pub end_line: u32,
    /// Column after its last character.
    pub end_column: u32,
    /// Number of its code, such as `RU0201`.
    pub code: &'static str,
    pub level: Severity,
    /// Message; in all texts, invisible characters of the document are escaped.
    pub message: String,
    /// Text at the carets.
    pub label: Option<String>,
    /// More facts.
    pub notes: Vec<String>,
    /// Advice on how to fix it.
    pub help: Option<String>,
    /// Text that probably should be at this place.
    pub replacement: Option<String>,
    /// True if nothing else can be meant, so that `validate --fix` writes it.
    pub fixable: bool,
}

impl Findings {
    /// Returns all findings, drawn as `rustc` draws them, with one empty line between two findings.
    ///
    /// If a document has many findings of one kind, the first are drawn, and the places of the
    /// others are listed below.
    pub fn text(&self, source: &Source, options: &RenderOptions) -> String {
        let sorted = self.sorted();
        let mut groups: BTreeMap<(Code, Severity), Vec<usize>> = BTreeMap::new();
        for (at, finding) in sorted.iter().enumerate() {
            groups
                .entry((finding.code, finding.level))
                .or_default()
                .push(at);
        }
        let mut parts = vec![String::new(); sorted.len()];
        for ((code, level), group) in groups {
            let is_drawn_once = level == Severity::Note && group.len() > NOTES_DRAWN;
            let drawn = if is_drawn_once {
                1
            } else {
                DRAWN.min(group.len())
            };
            for &at in &group[..drawn] {
                parts[at] = sorted[at].text(source, options);
            }
            let last = &mut parts[group[drawn - 1]];
            for &at in group[drawn..].iter().take(LISTED) {
                last.push_str(&also_line(sorted[at], source));
            }
            let more = group.len().saturating_sub(drawn + LISTED);
            if more > 0 {
                last.push_str(&format!("  and {more} more {code}\n"));
            }
        }
        parts.retain(|part| !part.is_empty());
        parts.join("\n")
    }
}

impl Finding {
    /// Returns one finding, drawn as `rustc` draws it. No control character of the document reaches
    /// the terminal.
    pub fn text(&self, source: &Source, options: &RenderOptions) -> String {
        let width = options.width.max(40);
        let (line, column) = source.place(self.span.start);
        let excerpt = Excerpt::of(self, source, line, width - MARGIN);
        let fitted = |text: &str, before: usize| {
            if options.wraps {
                wrapped_message(&escaped(text), width.saturating_sub(before))
            } else {
                escaped(text)
            }
        };
        let gutter = line.to_string().len();
        let below = |text: &String| fitted(text, gutter + "  = note: ".len());
        let mut annotation = AnnotationKind::Primary.span(excerpt.span.clone());
        let mut notes: Vec<String> = self.notes.iter().map(below).collect();
        if let Some(label) = &self.label {
            let end = excerpt.columns_to_end() + columns(&escaped(label));
            // Beside the carets if there is room, else below like a note.
            if options.wraps && gutter + 4 + end > width {
                notes.insert(0, below(label));
            } else {
                annotation = annotation.label(escaped(label));
            }
        }
        let notes = notes.into_iter().map(|note| Drawn::NOTE.message(note));
        let help = self
            .help
            .iter()
            .map(|help| Drawn::HELP.message(below(help)));
        let snippet = Snippet::source(excerpt.text)
            .line_start(line as usize)
            .path(PLACE.to_string())
            .annotation(annotation);
        let before = format!("{}[{}]: ", self.level, self.code);
        let title = drawn(self.level)
            .primary_title(fitted(&self.message, before.len()))
            .id(self.code.number());
        let report = [title.element(snippet).elements(notes).elements(help)];
        let renderer = if options.color {
            Renderer::styled().hyperlink(false)
        } else {
            Renderer::plain()
        };
        let drawing = renderer.term_width(width).render(&report);
        let place = format!("{}:{line}:{column}", Escaped(source.name()));
        with_place(&drawing, &place).replace('\u{1b}', &format!("{STYLE_MARK}\u{1b}"))
    }

    /// Returns the text that probably should be at its place, with quotes if they are needed.
    pub fn replacement(&self, source: &Source) -> Option<String> {
        let written = source.text().get(self.span.clone())?;
        match self.suggestion.as_ref()? {
            // A secret is neither printed nor changed.
            Suggestion::Text(_) if source.shown(self.span.clone()) != written => None,
            Suggestion::Text(text) => Some(text.clone()),
            Suggestion::Name(MeantName { name, .. }) => {
                Some(if written.starts_with(['"', '\'']) || !is_bare_key(name) {
                    toml::Value::String(name.clone()).to_string()
                } else {
                    name.clone()
                })
            }
        }
    }

    /// Returns the replacement if nothing else can be meant. A warning about a name is only a guess:
    /// the name may exist.
    pub fn only_replacement(&self, source: &Source) -> Option<String> {
        let is_only = match self.suggestion.as_ref()? {
            Suggestion::Name(meant) => meant.is_certain && self.code.level() == Severity::Error,
            Suggestion::Text(_) => true,
        };
        self.replacement(source).filter(|_| is_only)
    }

    /// Returns the finding in the form that programs read.
    pub fn record<'a>(&'a self, source: &'a Source) -> FindingRecord<'a> {
        let (line, column) = source.place(self.span.start);
        let (end_line, end_column) = source.place(self.span.end.max(self.span.start));
        // Lines and columns cannot say that a byte order mark is removed.
        let is_visible = (line, column) != (end_line, end_column) || self.span.is_empty();
        FindingRecord {
            file: source.name(),
            line,
            column,
            end_line,
            end_column,
            code: self.code.number(),
            level: self.level,
            message: escaped(&self.message),
            label: self.label.as_deref().map(escaped),
            notes: self.notes.iter().map(|note| escaped(note)).collect(),
            help: self.help.as_deref().map(escaped),
            replacement: self.replacement(source).filter(|_| is_visible),
            fixable: self.only_replacement(source).is_some(),
        }
    }
}

fn escaped(text: &str) -> String {
    Escaped(text).to_string()
}

/// Wraps a text to a width, but not within backticks, so that names and commands can be copied.
fn wrapped_message(text: &str, width: usize) -> String {
    // Replaces the spaces that must not break. An escaped text contains no control character.
    const NO_BREAK: char = '\u{1f}';
    let unbroken = |(at, part): (usize, &str)| {
        let in_backticks = at % 2 == 1;
        if in_backticks && columns(part) + 2 <= width {
            part.replace(' ', NO_BREAK.encode_utf8(&mut [0; 4]))
        } else {
            part.to_owned()
        }
    };
    let parts: Vec<String> = text.split('`').enumerate().map(unbroken).collect();
    wrapped(&parts.join("`"), width, "").replace(NO_BREAK, " ")
}

fn drawn(level: Severity) -> Drawn<'static> {
    match level {
        Severity::Error => Drawn::ERROR,
        Severity::Warning => Drawn::WARNING,
        Severity::Note => Drawn::NOTE,
    }
}

fn also_line(finding: &Finding, source: &Source) -> String {
    let (line, column) = source.place(finding.span.start);
    format!("  also {line}:{column}: {}\n", Escaped(&finding.message))
}

/// Escaped source line of a finding, truncated to the part around it, with the adjusted span.
struct Excerpt {
    text: String,
    span: std::ops::Range<usize>,
}

/// Columns of a screen that line numbers and margins take.
const MARGIN: usize = 16;

/// Characters kept on each side of a finding in a very long line; the renderer truncates to the
/// screen.
const KEPT: usize = 400;

impl Excerpt {
    /// Returns the excerpt of a finding. A marked part that is longer than `most` characters is
    /// truncated, since no screen can show all of it.
    fn of(finding: &Finding, source: &Source, line: u32, most: usize) -> Self {
        let whole = source.line_span(line);
        let start = source
            .floor(finding.span.start)
            .clamp(whole.start, whole.end);
        let end = source.floor(finding.span.end).clamp(start, whole.end);
        let from = source.floor(start.saturating_sub(KEPT).max(whole.start));
        let to = source.floor((start + 2 * KEPT).min(whole.end)).max(start);
        let safe = |range: std::ops::Range<usize>| safe_line(&source.shown(range));
        let dots = if from > whole.start { "…" } else { "" };
        let before = format!("{dots}{}", safe(from..start));
        let mut marked = safe(start..end.min(to));
        let mut after = safe(end.min(to)..to);
        if let Some((cut, _)) = marked.char_indices().nth(most) {
            marked.truncate(cut);
            after = "…".to_owned();
        }
        let span = before.len()..before.len() + marked.len();
        Self {
            text: format!("{before}{marked}{after}"),
            span,
        }
    }

    /// Returns the columns up to the end of the carets, with a tab counted as four.
    fn columns_to_end(&self) -> usize {
        self.text[..self.span.end]
            .chars()
            .map(|c| if c == '\t' { 4 } else { 1 })
            .sum()
    }
}

/// Escapes a line for display. Tabs remain, since the renderer aligns them; the byte order mark is
/// removed, since authors do not see it.
fn safe_line(text: &str) -> String {
    let parts: Vec<_> = text
        .trim_start_matches('\u{feff}')
        .split('\t')
        .map(|part| Escaped(part).to_string())
        .collect();
    parts.join("\t")
}

/// Path in a drawing, which its place replaces. No other text has this character, as it is escaped.
const PLACE: char = '\u{2060}';

/// Inserts the place into a drawing: the renderer only knows an excerpt, and would print names
/// unescaped.
fn with_place(drawing: &str, place: &str) -> String {
    let (before, behind) = drawing.split_once(PLACE).unwrap_or((drawing, ""));
    let behind = behind.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit());
    format!("{before}{place}{behind}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: RenderOptions = RenderOptions {
        width: 80,
        ..RenderOptions::PLAIN
    };

    #[test]
    fn a_finding_is_drawn_at_its_place() {
        let source = Source::new("m.toml", "schema = 1\nfiles = [\"HostedMail.msi\"]\n");
        let mut finding = Finding::new(
            Code::NotListed,
            20..36,
            "`HostedMail.msi` is copied but not in the file table",
        );
        finding
            .label("did you mean `HostedEmail2007NS.msi`?")
            .help("or add a row");
        let text = finding.text(&source, &PLAIN);
        let wanted = "\
error[RU0201]: `HostedMail.msi` is copied but not in the file table
 --> m.toml:2:10
  |
2 | files = [\"HostedMail.msi\"]
  |          ^^^^^^^^^^^^^^^^ did you mean `HostedEmail2007NS.msi`?
  |
  = help: or add a row
";
        assert_eq!(text, wanted);
        let colored = finding.text(
            &source,
            &RenderOptions {
                color: true,
                ..PLAIN
            },
        );
        assert!(colored.contains("m.toml:2:10\n"), "{colored}");
    }

    #[test]
    fn on_a_narrow_screen_messages_are_wrapped_and_a_long_label_moves_below() {
        let source = Source::new("m.toml", "on = \"mps-engin\"\n");
        let mut finding = Finding::new(
            Code::NoSuchRole,
            5..16,
            "the deployment `hmc40` has no role `mps-engin`",
        );
        finding
            .label("did you mean `mps-engine`, perhaps?")
            .help("the roles are in `deployment.toml`");
        let wanted = "\
error[RU0603]: the deployment `hmc40` has
               no role `mps-engin`
 --> m.toml:1:6
  |
1 | on = \"mps-engin\"
  |      ^^^^^^^^^^^
  |
  = note: did you mean `mps-engine`,
          perhaps?
  = help: the roles are in
          `deployment.toml`
";
        assert_eq!(
            finding.text(
                &source,
                &RenderOptions {
                    width: 41,
                    color: false,
                    wraps: true
                }
            ),
            wanted
        );
    }

    #[test]
    fn many_notes_of_one_kind_are_drawn_once_and_listed() {
        let source = Source::new("m.toml", "a\nb\nc\nd\ne\n");
        let mut findings = Findings::default();
        for at in [0, 2, 4, 6] {
            findings.add(Code::CaseDiffers, at..at + 1, format!("spelling {at}"));
        }
        findings
            .add(Code::CaseDiffers, 8..9, "a more severe one")
            .level(Severity::Warning);
        let text = findings.text(&source, &PLAIN);
        assert!(
            text.contains(
                "^\n  also 2:1: spelling 2\n  also 3:1: spelling 4\n  also 4:1: spelling 6\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("warning[RU0205]: a more severe one\n --> m.toml:5:1\n"),
            "{text}"
        );
    }

    #[test]
    fn a_hostile_document_does_not_drive_the_terminal() {
        let source = Source::new(
            "a\u{1b}]0;x\u{7}",
            "\u{9b}31m\u{1b}[2J = \"\u{202e}\"\t#\u{85}",
        );
        let mut finding = Finding::new(Code::UnknownKey, 0..7, "unknown key `\u{1b}[2J\n\u{9b}`");
        finding.label("\u{9b}1m").note("\u{1b}").help("\u{7}");
        let text = finding.text(&source, &PLAIN);
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
        assert!(!text.contains('\u{202e}'));
    }

    #[test]
    fn a_very_long_line_is_cut_and_the_column_stays_true() {
        let text = format!("a = \"{}\" b", "x".repeat(1_000_000));
        let end = text.len();
        let source = Source::new("m.toml", text);
        let drawn = Finding::new(Code::Syntax, end - 1..end, "`b` is wrong").text(&source, &PLAIN);
        assert!(
            drawn.len() < 1000 && drawn.contains("m.toml:1:1000008\n"),
            "{drawn}"
        );
    }
}
