//! Comparison of a manifest with its article.
//!
//! The article is imported again, and the resulting draft is compared with the manifest, fact by
//! fact, as two manifests are. Text that authors word themselves (titles, ids, instructions, the
//! description of fixes) is not a fact, and neither is anything that no article can contain: pins,
//! or why a file is used by no step. Since ids are the author's, steps are matched by their actions
//! and targets.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::article::{Imported, Open};
use crate::document::{Code, Finding, Findings, Source, Span};
use crate::manifest::{
    self, Action, Condition, CopyFiles, Difference, InstallTargets, Kind, Listed, Manifest, Place,
    Prerequisite, Selection, Step, Value, compare,
};
use crate::names::CaseFolded;

/// An article with which a manifest is compared.
pub struct Article {
    name: String,
    imported: Imported,
    manifest: Manifest,
}

/// An article that does not contain enough to be compared with a manifest.
#[derive(Debug, thiserror::Error)]
#[error("what can be read of the article is no whole manifest: {why}")]
pub struct Incomplete {
    why: String,
    /// Facts that it leaves open.
    pub open: Vec<Open>,
}

impl Article {
    /// Returns an imported article, under the name that findings should have for it.
    ///
    /// # Errors
    ///
    /// Fails if something that every manifest must have could not be read from it, such as its KB
    /// number.
    pub fn new(name: impl Into<String>, imported: Imported) -> Result<Self, Incomplete> {
        let mut findings = Findings::default();
        match manifest::parse(
            &Source::new("the draft", imported.draft.as_str()),
            &mut findings,
        ) {
            Some(manifest) => Ok(Self {
                name: name.into(),
                imported,
                manifest,
            }),
            None => {
                let why = findings
                    .sorted()
                    .first()
                    .map(|first| first.message.clone())
                    .unwrap_or_default();
                Err(Incomplete {
                    why,
                    open: imported.open,
                })
            }
        }
    }

    /// Adds the differences between the article and the manifest of this source.
    pub(super) fn compare(&self, source: &Source, manifest: &Manifest, findings: &mut Findings) {
        let (ours, its) = (manifest.rollup.kb, self.manifest.rollup.kb);
        let head = span(
            source,
            manifest.rollup.lines.get("kb").copied().unwrap_or(1),
            None,
        );
        if ours != its {
            let message = format!("the manifest is of {ours}, and the article of {its}");
            let finding = findings.add(Code::ArticleSaysOtherwise, head, message);
            finding.help("give the article of this rollup; nothing else was compared");
            return;
        }
        let said = Self::in_the_words_of(&self.manifest, manifest);
        for difference in compare(&said, manifest)
            .iter()
            .filter(|difference| is_a_fact(difference))
        {
            if let Some(finding) = self.finding(source, manifest, difference) {
                findings.push(finding);
            }
        }
        for open in &self.imported.open {
            let finding = findings.add(
                Code::ArticleLeavesOpen,
                head.clone(),
                format!("left open: {}", open.what),
            );
            finding.note(self.place(open.line));
        }
    }

    /// Returns the facts of the article, with the steps and the questions under the ids that the
    /// manifest has for them.
    fn in_the_words_of(said: &Manifest, manifest: &Manifest) -> Manifest {
        let mut said = said.clone();
        let asked = |prerequisite: &&Prerequisite| {
            matches!(prerequisite.condition, Condition::Confirm { .. })
        };
        let its = said
            .prerequisites
            .iter_mut()
            .filter(|one| matches!(one.condition, Condition::Confirm { .. }));
        for (its, ours) in its.zip(manifest.prerequisites.iter().filter(asked)) {
            its.condition = ours.condition.clone();
        }
        let pairs = pairs(&said.steps, &manifest.steps);
        let taken: BTreeSet<CaseFolded> = manifest
            .steps
            .iter()
            .map(|step| CaseFolded::of(&step.id))
            .collect();
        let mut renamed = BTreeMap::new();
        for (at, step) in said.steps.iter_mut().enumerate() {
            let id = match pairs.get(&at) {
                Some(&partner) => manifest.steps[partner].id.clone(),
                None if taken.contains(&CaseFolded::of(&step.id)) => {
                    format!("{} of the article", step.id)
                }
                None => step.id.clone(),
            };
            renamed.insert(CaseFolded::of(&step.id), id.clone());
            step.id = id;
        }
        for step in &mut said.steps {
            if let Action::Install(InstallTargets::RemovedBy { step, line: _ }) = &mut step.action
                && let Some(id) = renamed.get(&CaseFolded::of(step))
            {
                *step = id.clone();
            }
        }
        said
    }

    fn finding(
        &self,
        source: &Source,
        manifest: &Manifest,
        difference: &Difference,
    ) -> Option<Finding> {
        let Difference {
            of,
            what,
            kind,
            old,
            new,
            old_line,
            ..
        } = difference;
        // A fact of a row that only the manifest has may be one that the article leaves open.
        let row = of
            .as_deref()
            .map(CaseFolded::of)
            .filter(|_| difference.place == Place::Payload);
        let row = row.and_then(|row| {
            self.manifest
                .files
                .iter()
                .find(|file| file.name.case_folded() == row)
        });
        let its_line = old_line
            .or(row.map(|row| row.line))
            .and_then(|line| self.imported.article_line(line));
        let is_open = its_line.is_some_and(|line| {
            self.imported
                .open
                .iter()
                .any(|open| open.line == Some(line))
        });
        let subject = match of {
            _ if matches!(what.as_str(), "step" | "file" | "prerequisite") => {
                format!("{what} `{}`", of.as_deref().unwrap_or_default())
            }
            Some(of) => format!("`{what}` of `{of}`"),
            None => format!("`{what}`"),
        };
        let [its, ours] = [old, new].map(|value| value.as_ref().and_then(told));
        let (code, message) = match (kind, its, ours) {
            // Facts that the draft leaves out or marks are reported as open.
            (Kind::Added | Kind::Removed, ..) if is_open => return None,
            (Kind::Changed, Some(its), Some(ours)) if !its.contains("TODO") => (
                Code::ArticleSaysOtherwise,
                format!("{subject} is {ours}, and {its} in the article"),
            ),
            (Kind::Changed, ..) => return None,
            (Kind::Moved, its, ours) => {
                let [its, ours] =
                    [its, ours].map(|place| place.unwrap_or_else(|| "elsewhere".to_owned()));
                (
                    Code::ArticleSaysOtherwise,
                    format!("{subject} comes {ours}, and in the article {its}"),
                )
            }
            (Kind::Removed, its, _) => {
                let its = its
                    .filter(|_| !is_whole(old))
                    .map(|its| format!("{its} in "))
                    .unwrap_or_default();
                (
                    Code::ArticleSaysMore,
                    format!("{its}{subject} is missing, and the article has it"),
                )
            }
            (Kind::Added, _, ours) => {
                let ours = ours
                    .filter(|_| !is_whole(new))
                    .map(|ours| format!("{ours} in "))
                    .unwrap_or_default();
                (
                    Code::ArticleSaysLess,
                    format!("{ours}{subject} is not in the article"),
                )
            }
        };
        let mut finding = Finding::new(code, ours_at(source, manifest, difference), message);
        match (kind, its_line) {
            (Kind::Added, _) => finding.note(format!("nothing in {} says so", self.name)),
            (_, line) => finding.note(self.place(line)),
        };
        Some(finding)
    }

    /// Returns a line of the article, for a note.
    fn place(&self, line: Option<u32>) -> String {
        match line {
            Some(line) => format!("the article at {}:{line}", self.name),
            None => format!("the article is {}", self.name),
        }
    }
}

/// Returns whether a difference is one of facts, and not of text that authors word or add.
fn is_a_fact(difference: &Difference) -> bool {
    let what = difference.what.as_str();
    match difference.place {
        Place::Rollup => !matches!(what, "title" | "fixes" | "notes"),
        // The address is given by the person who found the article.
        Place::Article => what != "url",
        Place::Prerequisites => !matches!(what, "id" | "confirm"),
        Place::Steps => !matches!(what, "title" | "instructions" | "undo" | "optional"),
        Place::Payload => !matches!(what, "sha256" | "unused"),
    }
}

fn is_whole(value: &Option<Value>) -> bool {
    matches!(value, Some(Value::Whole(_)))
}

/// Returns a value for a sentence; for the new place of something that moved, the neighbour.
fn told(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(format!("`{text}`")),
        Value::Number(number) => Some(number.to_string()),
        Value::Flag(flag) => Some(flag.to_string()),
        Value::List(values) => Some(
            values
                .iter()
                .filter_map(told)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        Value::Whole(parts) => {
            let (word, beside) = parts
                .iter()
                .find(|(word, _)| word == "after" || word == "before")?;
            Some(format!("{word} {}", told(beside)?))
        }
    }
}

/// Returns the place in the manifest at which a difference is seen; for something missing, the
/// place where it belongs.
fn ours_at(source: &Source, manifest: &Manifest, difference: &Difference) -> Span {
    let value = match &difference.new {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    if let Some(line) = difference.new_line {
        let key = Some(difference.what.as_str()).filter(|_| !is_whole(&difference.new));
        return span(source, line, value.or(key));
    }
    let named = |id: &str| {
        manifest
            .steps
            .iter()
            .find(|step| step.id == id)
            .map(|step| step.line)
    };
    let beside = match &difference.old {
        Some(Value::Whole(parts)) => parts.iter().find_map(|(_, value)| match value {
            Value::Text(id) => named(id),
            _ => None,
        }),
        _ => None,
    };
    match difference.place {
        Place::Payload if difference.what == "file" => manifest.payload.clone(),
        Place::Payload => {
            let of = difference.of.as_deref().map(CaseFolded::of);
            let row = manifest
                .files
                .iter()
                .find(|row| Some(row.name.case_folded()) == of);
            row.map_or_else(
                || manifest.payload.clone(),
                |row| span(source, row.line, None),
            )
        }
        Place::Steps => {
            let line = difference.of.as_deref().and_then(named).or(beside);
            span(source, line.unwrap_or(1), None)
        }
        Place::Rollup | Place::Article | Place::Prerequisites => span(
            source,
            manifest.rollup.lines.get("kb").copied().unwrap_or(1),
            None,
        ),
    }
}

/// Returns the first place of a text on a line, else the whole line without the space around it.
fn span(source: &Source, line: u32, text: Option<&str>) -> Span {
    let (whole, start) = (source.line_text(line), source.line_span(line).start);
    let within = text
        .filter(|text| !text.is_empty())
        .and_then(|text| Some((whole.find(text)?, text.len())));
    let (at, length) =
        within.unwrap_or_else(|| (whole.len() - whole.trim_start().len(), whole.trim().len()));
    start + at..start + at + length
}

/// Pairs steps of the article with steps of the manifest: those with the same action and shared
/// targets, the most shared first; then the remaining ones by the action alone, in order.
fn pairs(article: &[Step], manifest: &[Step]) -> BTreeMap<usize, usize> {
    let targets = |steps: &[Step]| steps.iter().map(targets).collect::<Vec<_>>();
    let (its, ours) = (targets(article), targets(manifest));
    let mut candidates = Vec::new();
    for (at, step) in article.iter().enumerate() {
        for (other, candidate) in manifest.iter().enumerate() {
            if step.action.keyword() == candidate.action.keyword() {
                let shared = its[at].intersection(&ours[other]).count();
                candidates.push((Reverse(shared), at.abs_diff(other), at, other));
            }
        }
    }
    candidates.sort_unstable();
    let (mut pairs, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, _, at, other) in candidates {
        if !pairs.contains_key(&at) && taken.insert(other) {
            pairs.insert(at, other);
        }
    }
    pairs
}

/// Returns the names of the targets of a step.
fn targets(step: &Step) -> BTreeSet<CaseFolded> {
    let listed = |files: &[Listed]| {
        files
            .iter()
            .map(|file| CaseFolded::of(&file.name))
            .collect::<BTreeSet<_>>()
    };
    match &step.action {
        Action::Uninstall(selection)
        | Action::Install(InstallTargets::Chosen(selection))
        | Action::Initialize {
            items: selection,
            parameters: _,
        } => selected(selection),
        Action::Install(InstallTargets::RemovedBy { step, line: _ }) => {
            [CaseFolded::of(step)].into()
        }
        Action::Copy {
            files: CopyFiles::Named(files),
            to: _,
        }
        | Action::Run { files, on: _ } => listed(files),
        Action::Copy {
            files: CopyFiles::Others { names, line: _ },
            to: _,
        } => names.iter().map(|name| name.case_folded()).collect(),
        Action::Service { service, .. } => [CaseFolded::of(service)].into(),
        Action::Manual { .. } => BTreeSet::new(),
    }
}

fn selected(selection: &Selection) -> BTreeSet<CaseFolded> {
    let items = selection.items.iter().flat_map(|group| &group.names);
    items
        .chain(&selection.groups)
        .map(|name| CaseFolded::of(&name.name))
        .collect()
}
