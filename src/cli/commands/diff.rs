//! `rollup diff`: the differences between two manifests.

use std::collections::BTreeMap;
use std::path::Path;

use anstyle::Style;
use serde_json::json;

use crate::cli::args::{DiffArgs, Format};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::{self, LoadedManifest};
use crate::cli::saved::SavedPlan;
use crate::cli::terminal::out::{self, BOLD, DIM, count, number, styled, wrapped};
use crate::manifest::{ChangeKind, FactValue, ManifestDifference, ManifestTable, compare};
use crate::names::Escaped;

/// Column in which the text of a difference begins.
const INDENT: usize = 14;

/// Runs `rollup diff`.
pub(super) fn diff(args: &DiffArgs) -> anyhow::Result<Exit> {
    let (old, new) = both(&args.old, &args.new)?;
    let differences = compare(&old.manifest, &new.manifest);
    let exit = match args.detailed_exitcode && !differences.is_empty() {
        true => Exit::Changes,
        false => Exit::Ok,
    };
    match args.format {
        Format::Text => text(&differences, &old, &new).iter().for_each(out::line),
        Format::Json => {
            let rollup = |side: &LoadedManifest| {
                let rollup = &side.manifest.rollup;
                json!({ "file": side.source.name(), "kb": rollup.kb, "revision": rollup.revision })
            };
            let document = json!({
                "schema": 1, "outcome": exit.name(), "exit_code": exit as u8, "changed": false,
                "old": rollup(&old), "new": rollup(&new),
                "differences": differences.iter().map(record).collect::<Vec<_>>() });
            out::line(format_args!("{document:#}"));
        }
    }
    Ok(exit)
}

/// Reads both manifests; an error in one does not hide the errors of the other.
fn both(old: &Path, new: &Path) -> Result<(LoadedManifest, LoadedManifest), Failure> {
    for path in [old, new] {
        if SavedPlan::read(path).is_ok_and(|saved| saved.is_some()) {
            let message = format!(
                "`{}` is a saved plan, and `diff` compares manifests",
                path.display()
            );
            return Err(Failure::new(Exit::Invalid, message)
                .next("name the manifest that it was made from"));
        }
    }
    match (inputs::manifest(old, None), inputs::manifest(new, None)) {
        (Ok(old), Ok(new)) => Ok((old, new)),
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => Err(failure),
        (Err(one), Err(other)) => Err(together(one, other)),
    }
}

/// Combines two failures into one, with the exit code of the more serious one.
fn together(mut one: Failure, other: Failure) -> Failure {
    let grave = [Exit::Invalid, Exit::NoInput];
    let rank = |exit: Exit| {
        grave
            .iter()
            .position(|grave| *grave == exit)
            .unwrap_or(grave.len())
    };
    if rank(other.exit) < rank(one.exit) {
        one.exit = other.exit;
    }
    let findings: Vec<String> = one
        .findings
        .take()
        .into_iter()
        .chain(other.findings)
        .collect();
    one.findings = (!findings.is_empty()).then(|| findings.join("\n\n"));
    let mut join = |more: Vec<String>, to: fn(&mut Failure) -> &mut Vec<String>| {
        let known = to(&mut one);
        known.extend(more);
        known.dedup();
    };
    join(other.reasons, |failure| &mut failure.reasons);
    join(other.next, |failure| &mut failure.next);
    one
}

/// Returns a difference as JSON, for programs.
fn record(difference: &ManifestDifference) -> serde_json::Value {
    let ManifestDifference {
        table,
        of,
        key,
        kind,
        old,
        new,
        old_line,
        new_line,
    } = difference;
    json!({ "table": table, "of": of, "key": key, "kind": kind, "old": old, "new": new,
            "old_line": old_line, "new_line": new_line })
}

/// Formats the differences line by line, below the tables that they belong to.
fn text(
    differences: &[ManifestDifference],
    old: &LoadedManifest,
    new: &LoadedManifest,
) -> Vec<String> {
    let width = out::width();
    let names = (old.source.name(), new.source.name());
    if differences.is_empty() {
        let text = format!(
            "no difference: {} and {} mean the same",
            Escaped(names.0),
            Escaped(names.1)
        );
        return vec![wrapped(&text, width, "  ")];
    }
    let head = |side: &LoadedManifest| {
        let rollup = &side.manifest.rollup;
        format!(
            "{}: {} revision {}",
            Escaped(side.source.name()),
            rollup.kb,
            rollup.revision
        )
    };
    let mut lines: Vec<String> = [("-", old), ("+", new)]
        .map(|(sign, side)| {
            styled(
                BOLD,
                wrapped(&format!("{sign} {}", head(side)), width, "  "),
            )
        })
        .into();
    let mut heading = None;
    for difference in differences {
        // Each step is a table of its own; the prerequisites and the rows share a heading.
        let of = difference
            .of
            .as_deref()
            .filter(|_| difference.table == ManifestTable::Steps);
        if heading != Some((difference.table, of)) {
            heading = Some((difference.table, of));
            let step = of.map(|of| format!(" {}", Escaped(of))).unwrap_or_default();
            lines.push(String::new());
            lines.push(styled(
                BOLD,
                wrapped(&format!("{}{step}", header(difference.table)), width, "  "),
            ));
        }
        lines.extend(DifferenceText::of(difference).lines(&places(difference, names), width));
    }
    lines.push(String::new());
    lines.push(summary(differences));
    lines
}

fn header(table: ManifestTable) -> &'static str {
    match table {
        ManifestTable::Rollup => "[rollup]",
        ManifestTable::Article => "[article]",
        ManifestTable::Prerequisites => "[[prerequisites]]",
        ManifestTable::Steps => "[[steps]]",
        ManifestTable::Payload => "[payload]",
    }
}

/// Returns the sign, the word and the colour of a kind of difference.
fn sign_word_and_style(kind: ChangeKind) -> (char, &'static str, Style) {
    match kind {
        ChangeKind::Added => ('+', "added", out::GOOD),
        ChangeKind::Removed => ('-', "removed", out::BAD),
        ChangeKind::Changed => ('~', "changed", out::WARN),
        ChangeKind::Moved => ('>', "moved", out::BOLD),
    }
}

/// Returns the file and line of a difference, for each side on which it has a line.
fn places(difference: &ManifestDifference, (old, new): (&str, &str)) -> Vec<String> {
    let sides = [(old, difference.old_line), (new, difference.new_line)];
    let place = |(file, line): (&str, Option<u32>)| Some(format!("{}:{}", Escaped(file), line?));
    sides.into_iter().filter_map(place).collect()
}

/// Difference in words.
struct DifferenceText {
    kind: ChangeKind,
    /// Subject of the difference, with its values if they are short.
    text: String,
    /// Values of the two sides, for a changed value.
    sides: Option<(String, String)>,
    /// Keys of a whole step, a line each.
    details: Vec<String>,
}

impl DifferenceText {
    fn of(difference: &ManifestDifference) -> Self {
        let ManifestDifference {
            table,
            of,
            key,
            kind,
            old,
            new,
            ..
        } = difference;
        let of = of
            .as_deref()
            .filter(|_| *table != ManifestTable::Steps)
            .map(|of| format!("{}: ", Escaped(of)));
        let of = of.unwrap_or_default();
        let shown = |value: &Option<FactValue>| {
            value
                .as_ref()
                .map(|value| value_text(key, value))
                .unwrap_or_default()
        };
        let mut entry = Self {
            kind: *kind,
            text: String::new(),
            sides: None,
            details: Vec::new(),
        };
        match (kind, old, new) {
            (ChangeKind::Added | ChangeKind::Removed, Some(FactValue::Whole(whole)), None)
            | (ChangeKind::Added | ChangeKind::Removed, None, Some(FactValue::Whole(whole))) => {
                entry.whole(difference, whole);
            }
            (ChangeKind::Moved, Some(FactValue::Whole(old)), Some(FactValue::Whole(new))) => {
                let name = new
                    .iter()
                    .find(|(key, _)| key == "name")
                    .map_or(String::new(), |(_, name)| {
                        format!(" {}", value_text("", name))
                    });
                entry.text = format!("{key}{name}: now {}, was {}", position(new), position(old));
            }
            (ChangeKind::Changed, ..) => {
                let (mut old, new) = (shown(old), shown(new));
                // Write the unit only once.
                if let Some(bare) = old.strip_suffix(" bytes").filter(|_| key == "size") {
                    old = bare.to_owned();
                }
                let same =
                    |one: &str, other: &str| one.split_whitespace().eq(other.split_whitespace());
                let only_space = if same(&old, &new) {
                    " (other white space)"
                } else {
                    ""
                };
                entry.text = format!("{of}{}{only_space}: ", Escaped(key));
                entry.sides = Some((old, new));
            }
            _ => entry.text = format!("{of}{}: {}{}", Escaped(key), shown(old), shown(new)),
        }
        entry
    }

    /// Describes a step with a line for each key; a prerequisite or a row in one line.
    fn whole(&mut self, difference: &ManifestDifference, whole: &[(String, FactValue)]) {
        let entry = |(key, value): &(String, FactValue)| {
            format!("{}: {}", Escaped(key), value_text(key, value))
        };
        let entries = whole
            .iter()
            .filter(|(key, _)| key != "after" && key != "before");
        if difference.table == ManifestTable::Steps {
            let position = match (position(whole), difference.kind) {
                (position, _) if position.is_empty() => position,
                (position, ChangeKind::Removed) => format!(", which was {position}"),
                (position, _) => format!(", {position}"),
            };
            self.text = format!("{}{position}", difference.key);
            self.details = entries.map(entry).collect();
        } else {
            // The first key is the one that identifies the part, or the one next to it.
            let subject = difference.of.as_deref().unwrap_or_default();
            let known =
                |value: &FactValue| matches!(value, FactValue::Text(text) if text == subject);
            let kind = match difference.table {
                ManifestTable::Prerequisites => whole
                    .first()
                    .map(|(key, _)| format!("{key} "))
                    .unwrap_or_default(),
                _ => String::new(),
            };
            let entries: Vec<_> = entries
                .filter(|(_, value)| !known(value))
                .map(entry)
                .collect();
            let colon = if entries.is_empty() { "" } else { ": " };
            self.text = format!("{kind}{}{colon}{}", Escaped(subject), entries.join(", "));
        }
    }

    /// Returns the lines for the screen. Long texts of two sides go below each other.
    fn lines(self, places: &[String], width: usize) -> Vec<String> {
        let (sign, word, style) = sign_word_and_style(self.kind);
        let indent = " ".repeat(INDENT);
        let mark = format!("  {sign} {word:<9} ");
        let (text, below) = match self.sides {
            Some((old, new)) => {
                let short = format!("{}{old} -> {new}", self.text);
                match INDENT + short.chars().count() <= width {
                    true => (short, Vec::new()),
                    false => (
                        self.text.trim_end_matches(": ").to_owned(),
                        vec![format!("- {old}"), format!("+ {new}")],
                    ),
                }
            }
            None => (self.text, self.details),
        };
        let text = wrapped(&text, width.saturating_sub(INDENT), "");
        let mut texts: Vec<String> = text.lines().map(str::to_owned).collect();
        // The places go beside the text if there is room, else below it.
        let place = places.join(", ");
        let used = INDENT + texts.last().map_or(0, |line| line.chars().count());
        match texts.last_mut() {
            Some(last) if used + 2 + place.chars().count() <= width => {
                last.push_str(&format!("  {}", styled(DIM, place)));
            }
            _ if INDENT + place.chars().count() <= width => texts.push(styled(DIM, place)),
            _ => texts.extend(places.iter().map(|place| styled(DIM, place))),
        }
        for detail in below {
            let detail = wrapped(&detail, width.saturating_sub(INDENT + 4), "");
            let lines = detail.lines().enumerate();
            texts.extend(
                lines.map(|(at, line)| format!("{}{line}", if at == 0 { "  " } else { "    " })),
            );
        }
        let lines = texts.into_iter().enumerate();
        lines
            .map(|(at, line)| match at {
                0 => format!("{}{line}", styled(style, &mark)),
                _ => format!("{indent}{line}"),
            })
            .collect()
    }
}

/// Describes the position of a step or file by its neighbour.
fn position(whole: &[(String, FactValue)]) -> String {
    let beside = whole
        .iter()
        .find(|(key, _)| key == "after" || key == "before");
    beside
        .map(|(word, other)| format!("{word} `{}`", value_text(word, other)))
        .unwrap_or_default()
}

fn value_text(key: &str, value: &FactValue) -> String {
    match value {
        // Twelve digits are enough to distinguish two hashes; the full ones are for programs.
        FactValue::Text(text) if key == "sha256" => text.chars().take(12).collect(),
        // A line break is not a control character to be escaped; the text is wrapped again anyway.
        FactValue::Text(text) => text
            .lines()
            .map(|line| Escaped(line).to_string())
            .collect::<Vec<_>>()
            .join(" "),
        FactValue::Number(size) if key == "size" => format!("{} bytes", number(*size)),
        FactValue::Number(number) => number.to_string(),
        FactValue::Flag(flag) => flag.to_string(),
        FactValue::List(values) => values
            .iter()
            .map(|value| value_text(key, value))
            .collect::<Vec<_>>()
            .join(", "),
        FactValue::Whole(whole) => whole
            .iter()
            .map(|(key, value)| format!("{key} {}", value_text(key, value)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn summary(differences: &[ManifestDifference]) -> String {
    let mut kinds: BTreeMap<ChangeKind, usize> = BTreeMap::new();
    differences
        .iter()
        .for_each(|difference| *kinds.entry(difference.kind).or_default() += 1);
    let kinds: Vec<_> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{} {}", number(count as u64), sign_word_and_style(kind).1))
        .collect();
    format!(
        "{}: {}",
        count(differences.len(), "difference", "differences"),
        kinds.join(", ")
    )
}
