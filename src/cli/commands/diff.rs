//! `rollup diff`: the differences between two manifests.

use std::collections::BTreeMap;
use std::path::Path;

use anstyle::Style;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::args::{DiffArgs, Format};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::{self, LoadedManifest};
use crate::cli::saved::SavedPlan;
use crate::cli::terminal::out::{self, BOLD, DIM, count, list, number, styled, wrapped};
use crate::manifest::{ChangeKind, ManifestDifference, ManifestTable, compare};
use crate::names::{Escaped, Kb, Version, columns};

/// Column in which the text of a difference begins.
const INDENT: usize = 14;

/// Runs `rollup diff`.
pub(super) fn diff(args: &DiffArgs) -> anyhow::Result<Exit> {
    let (old, new) = both(&args.old, &args.new)?;
    let differences = compare(&old.manifest, &new.manifest);
    let exit = if args.detailed_exitcode && !differences.is_empty() {
        Exit::Changes
    } else {
        Exit::Ok
    };
    match args.format {
        Format::Text => text(&differences, &old, &new).iter().for_each(out::line),
        Format::Json => {
            let content = DiffDocument {
                old: ComparedManifest::of(&old),
                new: ComparedManifest::of(&new),
                differences,
            };
            Envelope::new(exit, content).print();
        }
    }
    Ok(exit)
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Differences between two manifests")]
pub(in crate::cli) struct DiffDocument<'a> {
    old: ComparedManifest<'a>,
    new: ComparedManifest<'a>,
    /// Differences in the order of a manifest.
    differences: Vec<ManifestDifference>,
}

/// Manifest that is compared.
#[derive(Serialize, JsonSchema)]
struct ComparedManifest<'a> {
    file: &'a str,
    kb: Kb,
    revision: &'a Version,
}

impl<'a> ComparedManifest<'a> {
    fn of(loaded: &'a LoadedManifest) -> Self {
        let rollup = &loaded.manifest.rollup;
        Self {
            file: loaded.source.name(),
            kb: rollup.kb,
            revision: &rollup.revision,
        }
    }
}

/// Reads both manifests; an error in one does not hide the errors of the other.
fn both(old: &Path, new: &Path) -> Result<(LoadedManifest, LoadedManifest), Failure> {
    for path in [old, new] {
        if SavedPlan::read(path).is_ok_and(|saved| saved.is_some()) {
            let message = format!(
                "`{}` is a saved plan, and `diff` compares manifests",
                path.display()
            );
            return Err(Failure::invalid(message).next("name the manifest that it was made from"));
        }
    }
    match (inputs::manifest(old, None), inputs::manifest(new, None)) {
        (Ok(old), Ok(new)) => Ok((old, new)),
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => Err(failure),
        (Err(one), Err(other)) => Err(one.and(other)),
    }
}

/// Formats the differences line by line, below the tables that they belong to.
fn text(
    differences: &[ManifestDifference],
    old: &LoadedManifest,
    new: &LoadedManifest,
) -> Vec<String> {
    let width = out::width();
    let names = [old, new].map(|side| Escaped(side.source.name()).to_string());
    if differences.is_empty() {
        let text = format!("no difference: {} and {} mean the same", names[0], names[1]);
        return vec![wrapped(&text, width, "  ")];
    }
    let bold = |text: String| styled(BOLD, wrapped(&text, width, "  "));
    let mut lines = Vec::new();
    for (sign, side) in [("-", old), ("+", new)] {
        let (file, rollup) = (Escaped(side.source.name()), &side.manifest.rollup);
        let (kb, revision) = (rollup.kb, &rollup.revision);
        lines.push(bold(format!("{sign} {file}: {kb} revision {revision}")));
    }
    let mut last_heading = String::new();
    for difference in differences {
        let heading = heading(difference);
        if heading != last_heading {
            lines.extend([String::new(), bold(heading.clone())]);
            last_heading = heading;
        }
        lines.extend(difference_lines(difference, &names, width));
    }
    lines.extend([String::new(), summary(differences)]);
    lines
}

/// Keys whose value is a table, which is printed in braces.
const TABLE_KEYS: [&str; 3] = ["service_pack", "version", "any"];

/// Returns the heading: each step has its own, the prerequisites and the rows share one.
fn heading(difference: &ManifestDifference) -> String {
    let table = match difference.table {
        ManifestTable::Rollup => "[rollup]",
        ManifestTable::Article => "[article]",
        ManifestTable::Prerequisites => "[[prerequisites]]",
        ManifestTable::Steps => "[[steps]]",
        ManifestTable::Payload => "[payload]",
    };
    match &difference.of {
        Some(step) if difference.table == ManifestTable::Steps => {
            format!("{table} {}", Escaped(step))
        }
        _ => table.to_owned(),
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

/// Returns the lines of a difference: its subject, with the values if they are short, and its lines
/// in the documents; below it long values, or the keys of a whole step.
fn difference_lines(
    difference: &ManifestDifference,
    names: &[String; 2],
    width: usize,
) -> Vec<String> {
    let mut text = subject(difference);
    let values: Vec<String> = [&difference.old, &difference.new]
        .into_iter()
        .flatten()
        .map(|value| value_text(&difference.key, value))
        .collect();
    if let [old, new] = values.as_slice()
        && old.split_whitespace().eq(new.split_whitespace())
    {
        text.push_str(" (other white space)");
    }
    let mut below = Vec::new();
    let short = format!("{text}: {}", values.join(" -> "));
    match values.as_slice() {
        [_] if difference.key == "step" => below = whole(difference).map_or(below, key_texts),
        [old, new] if INDENT + columns(&short) > width => {
            below = vec![format!("- {old}"), format!("+ {new}")];
        }
        _ => text = short,
    }
    let room = width.saturating_sub(INDENT);
    let mut lines: Vec<String> = wrapped(&text, room, "")
        .lines()
        .map(str::to_owned)
        .collect();
    let places = places(difference, names);
    match lines.last_mut() {
        Some(last) if columns(last) + 2 + columns(&places) <= room => {
            last.push_str(&format!("  {}", styled(DIM, places)));
        }
        _ => {
            let places = wrapped(&places, room, "");
            lines.extend(places.lines().map(|line| styled(DIM, line)));
        }
    }
    for detail in below {
        let detail = wrapped(&detail, room.saturating_sub(4), "  ");
        lines.extend(detail.lines().map(|line| format!("  {line}")));
    }
    let (sign, word, style) = sign_word_and_style(difference.kind);
    let mut mark = styled(style, format!("  {sign} {word:<9} "));
    for line in &mut lines {
        line.insert_str(0, &mark);
        mark = " ".repeat(INDENT);
    }
    lines
}

/// Returns the keys of a whole entry that only one side has.
fn whole(difference: &ManifestDifference) -> Option<&Map<String, Value>> {
    let value = difference.new.as_ref().or(difference.old.as_ref());
    let is_whole = matches!(difference.key.as_str(), "step" | "prerequisite" | "file");
    value.and_then(Value::as_object).filter(|_| is_whole)
}

/// Returns the file and line of each side that has a line.
fn places(difference: &ManifestDifference, [old, new]: &[String; 2]) -> String {
    let sides = [(old, difference.old_line), (new, difference.new_line)];
    list(
        sides
            .into_iter()
            .filter_map(|(name, line)| Some(format!("{name}:{}", line?))),
    )
}

/// Returns the subject of a difference: its key, and the entry if the heading does not name it.
fn subject(difference: &ManifestDifference) -> String {
    let key = Escaped(&difference.key);
    let Some(of) = difference.of.as_deref().map(Escaped) else {
        return key.to_string();
    };
    match (difference.table, whole(difference)) {
        (ManifestTable::Payload, Some(_)) => format!("{key} {of}"),
        (ManifestTable::Payload | ManifestTable::Prerequisites, None) => format!("{of}: {key}"),
        _ => key.to_string(),
    }
}

fn value_text(key: &str, value: &Value) -> String {
    match value {
        // Twelve digits are enough to distinguish two hashes; the full ones are for programs.
        Value::String(text) if key == "sha256" => text.chars().take(12).collect(),
        // A line break is not a control character to be escaped; the text is wrapped again anyway.
        Value::String(text) => Escaped(&text.lines().collect::<Vec<_>>().join(" ")).to_string(),
        Value::Number(value) => number(value.as_u64().unwrap_or_default()),
        Value::Array(values) => list(values.iter().map(|value| value_text(key, value))),
        // A range, or an alternative of a prerequisite.
        Value::Object(values) if TABLE_KEYS.contains(&key) => {
            format!("{{ {} }}", key_texts(values).join(", "))
        }
        Value::Object(whole) => key_texts(whole).join(", "),
        other => other.to_string(),
    }
}

/// Returns the values of an entry with their keys, without the name that its subject has already.
fn key_texts(whole: &Map<String, Value>) -> Vec<String> {
    whole
        .iter()
        .filter(|(key, _)| *key != "name")
        .map(|(key, value)| format!("{}: {}", Escaped(key), value_text(key, value)))
        .collect()
}

fn summary(differences: &[ManifestDifference]) -> String {
    let mut kinds: BTreeMap<ChangeKind, usize> = BTreeMap::new();
    for difference in differences {
        *kinds.entry(difference.kind).or_default() += 1;
    }
    let counts = kinds.into_iter().map(|(kind, count)| {
        let (_, word, _) = sign_word_and_style(kind);
        format!("{} {word}", number(count as u64))
    });
    let all = count(differences.len(), "difference");
    format!("{all}: {}", list(counts))
}
