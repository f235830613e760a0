//! A plan as one HTML page, for a change board: in a browser, on a phone, on paper.
//!
//! The page needs no network and no script. Everything shown by a colour or a pattern is also
//! written in words, and every picture has a table underneath, so that it can be read aloud and
//! printed.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use super::tree::{operations_by_path, state_after, state_before};
use super::words::{
    POINT_OF_NO_RETURN, describe_manual_step, describe_rollback, describe_state, describe_target,
    group_operations, grouped_outages, kept_bytes, newly_installed, permanent_outages, plan_title,
    restarts_after_undo, restored_state, rollup_list, scope_lines, server_list, staged_bytes,
    step_heading, target_directory,
};
use crate::cli::terminal::out::{count, number};
use crate::deployment::records::State;
use crate::names::{Digest, Escaped, RelPath};
use crate::plan::{FileTableRow, Operation, OperationKind, Plan, PlannedStep, TargetState};

/// Number of marks in a row of a picture, each `MARK` pixels wide and high.
const IN_A_ROW: usize = 20;
const MARK: usize = 14;

/// Renders the whole page.
pub(super) fn page(plan: &Plan) -> String {
    PlanPage::of(plan)
        .render()
        .expect("texts are written into a text")
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    /// Short title, for the window.
    window_title: String,
    title: String,
    deployment: String,
    product: Option<String>,
    applied_before: String,
    applied_after: String,
    digest: Option<Digest>,
    /// `Ok` if everything can be rolled back, `Err` with the first point of no return.
    undo: Result<String, String>,
    figures: Vec<(String, &'static str)>,
    confirmations: Vec<(String, String)>,
    scope: Vec<String>,
    /// True if the rollup is applied already, and the plan brings only what lags.
    catches_up: bool,
    warnings: Vec<String>,
    permanent_outages: Vec<String>,
    /// Manual steps: number, heading, servers, and true if the step is optional.
    manual_steps: Vec<(usize, String, String, bool)>,
    restarts_after_undo: Vec<String>,
    left_out: Vec<(String, Vec<String>)>,
    newly_installed: Vec<String>,
    checked: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
    fixes: Vec<String>,
    steps: Vec<StepView>,
    outages: Vec<StepSpan>,
    dependency_outages: Vec<StepSpan>,
    bytes: Vec<StepBytes>,
    map: Vec<GroupMap>,
    console: Vec<ConsoleRow>,
    files: Vec<CopiedFile>,
    documented: Vec<DocumentedFileRow>,
    rollback: Vec<RollbackStep>,
    point_of_no_return: &'static str,
    /// Hashes that the plan is bound to: name and full hash.
    digests: Vec<(String, String)>,
}

/// Row of the file table of the article.
struct DocumentedFileRow {
    name: String,
    size: String,
    modified: String,
    platform: String,
    version: String,
    used: String,
    unused: bool,
}

/// Step with its operations.
struct StepView {
    at: usize,
    id: String,
    heading: String,
    manual: Option<ManualStepView>,
    operations: Vec<OperationRow>,
    nothing: Vec<(String, String)>,
}

struct ManualStepView {
    how: &'static str,
    instructions: String,
    undo: Option<String>,
    servers: String,
}

/// Operations that share a line.
struct OperationRow {
    tone: &'static str,
    sign: char,
    word: &'static str,
    target: String,
    directory: Option<String>,
    servers: String,
    before: String,
    after: String,
    new: bool,
    line: u32,
    seen: String,
}

/// Outage from one step to another, with one cell for each step.
struct StepSpan {
    target: String,
    servers: String,
    when: String,
    cells: Vec<StepCell>,
}

/// Cell of a picture; without a text nothing happens there.
struct StepCell {
    text: &'static str,
}

struct StepBytes {
    name: String,
    new: String,
    old: String,
    /// Length in percent of the widest bar.
    new_share: u64,
    old_share: u64,
}

/// Group of the console as a picture: a mark for each instance, before and after.
struct GroupMap {
    path: String,
    before: InstanceMarks,
    after: InstanceMarks,
}

struct InstanceMarks {
    /// Number of instances in each state, in words.
    counts: String,
    marks: Vec<InstanceMark>,
    /// Height in pixels.
    height: usize,
}

struct InstanceMark {
    class: &'static str,
    x: usize,
    y: usize,
}

/// Row of the console.
enum ConsoleRow {
    Group {
        depth: usize,
        name: String,
    },
    Instance {
        depth: usize,
        /// Name of the item and the number of its rows, in the first of them.
        item: Option<(String, usize)>,
        server: String,
        before: String,
        /// Tone, sign and word of every operation on the instance.
        queued: Vec<(&'static str, char, &'static str)>,
        after: String,
        /// True if nothing is installed afterwards.
        gone: bool,
    },
}

struct CopiedFile {
    path: String,
    old: Option<(String, String)>,
    new: (String, String),
}

/// Step of the rollback.
struct RollbackStep {
    at: usize,
    id: String,
    /// Instructions to roll back a manual step; `Err` if it is a point of no return.
    manual: Option<Result<String, ()>>,
    operations: Vec<(char, &'static str, String, String, String)>,
}

impl PlanPage {
    fn of(plan: &Plan) -> Self {
        let context = &plan.context;
        let new = newly_installed(plan);
        let newly_installed = describe_new(plan, &new);
        let left_out = plan.steps.iter().filter(|step| !step.left_out.is_empty());
        Self {
            window_title: window_title(plan),
            title: plan_title(plan),
            deployment: escaped(&plan.deployment),
            product: context.product.as_deref().map(escaped),
            applied_before: rollup_list(&plan.applied.before),
            applied_after: rollup_list(&plan.applied.after),
            digest: plan.digest,
            undo: describe_rollback(plan),
            figures: figures(plan),
            confirmations: plan
                .confirmations
                .iter()
                .map(|one| (escaped(&one.id), escaped(&one.question)))
                .collect(),
            scope: all_escaped(&scope_lines(plan)),
            catches_up: plan
                .rollup()
                .is_some_and(|rollup| !rollup.catch_up.is_empty()),
            warnings: plan
                .warnings
                .iter()
                .map(|warning| escaped(warning))
                .collect(),
            permanent_outages: permanent_outages(plan),
            manual_steps: manual_steps(plan),
            restarts_after_undo: restarts_after_undo(plan),
            left_out: left_out
                .map(|step| (escaped(&step.id), all_escaped(&step.left_out)))
                .collect(),
            newly_installed,
            checked: context
                .checked
                .iter()
                .map(|one| (escaped(&one.condition), all_escaped(&one.found)))
                .collect(),
            notes: all_escaped(&context.notes),
            fixes: all_escaped(&context.fixes),
            steps: plan
                .steps
                .iter()
                .enumerate()
                .map(|(at, one)| step(at + 1, one, &new))
                .collect(),
            outages: outages(plan),
            dependency_outages: dependency_outages(plan),
            bytes: bytes(plan),
            map: map(plan),
            console: console(plan),
            files: files(plan),
            documented: context.file_table.iter().map(documented).collect(),
            rollback: rollback(plan),
            point_of_no_return: POINT_OF_NO_RETURN,
            digests: digests(plan),
        }
    }
}

fn window_title(plan: &Plan) -> String {
    match plan.rollup() {
        Some(rollup) => format!("{} revision {}: plan", rollup.kb, rollup.revision),
        None => "accept: plan".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    Escaped(text).to_string()
}

fn all_escaped(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| escaped(text)).collect()
}

fn figures(plan: &Plan) -> Vec<(String, &'static str)> {
    let outages = grouped_outages(plan);
    let targets = |service: bool| {
        outages
            .iter()
            .filter(|(outage, _)| outage.service == service)
            .map(|(outage, _)| outage.target)
            .collect::<BTreeSet<_>>()
            .len()
    };
    let servers: BTreeSet<_> = plan
        .operations()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    let manual_steps = plan
        .steps
        .iter()
        .filter(|step| step.manual.is_some())
        .count();
    let figure = |many: usize, one: &'static str, more: &'static str| {
        (number(many as u64), if many == 1 { one } else { more })
    };
    let mut figures = vec![
        figure(plan.steps.len(), "step", "steps"),
        figure(manual_steps, "manual step", "manual steps"),
        figure(plan.operations().count(), "operation", "operations"),
        figure(servers.len(), "server", "servers"),
        figure(targets(false), "item unavailable", "items unavailable"),
        figure(targets(true), "service unavailable", "services unavailable"),
    ];
    if plan.digest.is_some() {
        figures.push((
            number(staged_bytes(&plan.swaps)),
            "bytes to stage before the first change",
        ));
    }
    figures
}

fn manual_steps(plan: &Plan) -> Vec<(usize, String, String, bool)> {
    let steps = plan.steps.iter().enumerate();
    let manual_steps = steps.filter_map(|(at, step)| {
        let manual = step.manual.as_ref()?;
        Some((
            at + 1,
            step_heading(at + 1, step),
            escaped(&manual.servers.join(", ")),
            manual.optional,
        ))
    });
    manual_steps.collect()
}

fn describe_new(plan: &Plan, new: &BTreeSet<&RelPath>) -> Vec<String> {
    let groups = plan
        .steps
        .iter()
        .flat_map(|step| group_operations(&step.operations));
    groups
        .filter(|group| new.contains(&group[0].at))
        .map(|group| describe_target(&group))
        .collect()
}

fn step(at: usize, step: &PlannedStep, new: &BTreeSet<&RelPath>) -> StepView {
    let line = |group: Vec<&Operation>| {
        let first = group[0];
        OperationRow {
            tone: tone(first.kind),
            sign: first.kind.sign(),
            word: first.kind.word(),
            target: escaped(&first.target),
            directory: target_directory(first).map(|directory| escaped(&directory)),
            servers: server_list(&group),
            before: describe_state(&first.before),
            after: describe_state(&first.after),
            new: new.contains(&first.at),
            line: first.line,
            seen: escaped(&first.seen),
        }
    };
    StepView {
        at,
        id: escaped(&step.id),
        heading: step_heading(at, step),
        manual: step.manual.as_ref().map(|manual| ManualStepView {
            how: describe_manual_step(manual),
            instructions: manual
                .instructions
                .lines()
                .map(escaped)
                .collect::<Vec<_>>()
                .join("\n"),
            undo: manual
                .undo
                .as_deref()
                .map(|undo| undo.lines().map(escaped).collect::<Vec<_>>().join("\n")),
            servers: escaped(&manual.servers.join(", ")),
        }),
        operations: group_operations(&step.operations)
            .into_iter()
            .map(line)
            .collect(),
        nothing: step
            .nothing
            .iter()
            .map(|unchanged| (escaped(&unchanged.target), escaped(&unchanged.why)))
            .collect(),
    }
}

/// Returns the CSS class of a kind of operation.
fn tone(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Uninstall | OperationKind::Stop | OperationKind::Disable => "removes",
        OperationKind::Install | OperationKind::Run | OperationKind::Copy => "adds",
        OperationKind::Start | OperationKind::Enable => "adds",
        OperationKind::Replace | OperationKind::Initialize | OperationKind::Accept => "changes",
    }
}

fn outages(plan: &Plan) -> Vec<StepSpan> {
    let spans = grouped_outages(plan).into_iter().map(|(outage, servers)| {
        let words = match outage.service {
            true => ["stopped", "down", "started", "restarted"],
            false => ["removed", "down", "installed", "replaced"],
        };
        StepSpan {
            target: escaped(outage.target),
            servers: escaped(&servers.join(", ")),
            when: describe_span(plan, outage.from, outage.to),
            cells: cells(plan, outage.from, outage.to, words),
        }
    });
    spans.collect()
}

/// Returns the items that stay installed while something that they require is down, with everything
/// that is down from the same step to the same step in one row.
fn dependency_outages(plan: &Plan) -> Vec<StepSpan> {
    let at: BTreeMap<&str, usize> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| (step.id.as_str(), at))
        .collect();
    let mut spans: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for outage in &plan.outage {
        spans
            .entry((&outage.instance, &outage.from, &outage.to))
            .or_default()
            .push(&outage.without);
    }
    let spans = spans
        .into_iter()
        .filter_map(|((instance, from, to), without)| {
            let (from, to) = (*at.get(from)?, *at.get(to)?);
            Some(StepSpan {
                target: format!(
                    "{} is without {}",
                    Escaped(instance),
                    Escaped(&without.join(", "))
                ),
                servers: String::new(),
                when: describe_span(plan, from, Some(to)),
                cells: cells(
                    plan,
                    from,
                    Some(to),
                    ["from here", "without", "until here", "during it"],
                ),
            })
        });
    spans.collect()
}

/// Describes a span of steps.
fn describe_span(plan: &Plan, from: usize, to: Option<usize>) -> String {
    let named = |at: usize| format!("{}. {}", at + 1, Escaped(&plan.steps[at].id));
    match to {
        Some(to) if to == from => format!("during {}", named(to)),
        Some(to) => format!("{} to {}", named(from), named(to)),
        None => format!("from {} on, permanently", named(from)),
    }
}

/// Returns one cell for each step; the words are for the first, those between, the last, and for
/// one that is both.
fn cells(
    plan: &Plan,
    from: usize,
    to: Option<usize>,
    [first, between, last, only]: [&'static str; 4],
) -> Vec<StepCell> {
    let text = |at: usize| match to {
        _ if at < from => "",
        Some(to) if at > to => "",
        Some(to) if from == to => only,
        Some(to) if at == to => last,
        _ if at == from => first,
        _ => between,
    };
    (0..plan.steps.len())
        .map(|at| StepCell { text: text(at) })
        .collect()
}

fn bytes(plan: &Plan) -> Vec<StepBytes> {
    if plan.digest.is_none() {
        return Vec::new();
    }
    let of = |step: &PlannedStep| {
        let swaps = || plan.swaps_of(Some(step.id.as_str()));
        (staged_bytes(swaps()), kept_bytes(swaps()))
    };
    let applied = (
        staged_bytes(plan.swaps_of(None)),
        kept_bytes(plan.swaps_of(None)),
    );
    let all: Vec<(u64, u64)> = plan.steps.iter().map(of).chain([applied]).collect();
    let widest = all
        .iter()
        .map(|(new, old)| *new.max(old))
        .max()
        .unwrap_or_default()
        .max(1);
    // A small value is still visible.
    let share = |bytes: u64| {
        if bytes == 0 {
            0
        } else {
            (bytes * 100 / widest).max(1)
        }
    };
    let names = plan
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| format!("{}. {}", at + 1, Escaped(&step.id)));
    let names = names.chain(["applied updates, after all steps".to_owned()]);
    let row = |(name, (new, old)): (String, (u64, u64))| StepBytes {
        name,
        new: number(new),
        old: number(old),
        new_share: share(new),
        old_share: share(old),
    };
    names.zip(all).map(row).collect()
}

fn map(plan: &Plan) -> Vec<GroupMap> {
    let queued = operations_by_path(plan);
    let mut map = Vec::new();
    for group in plan
        .context
        .console
        .iter()
        .filter(|group| !group.items.is_empty())
    {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for instance in group.items.iter().flat_map(|item| &item.instances) {
            let before = state_before(instance);
            let last = queued
                .get(&instance.at)
                .and_then(|operations| operations.last());
            let is = last.map_or(before.clone(), |last| state_after(&last.after));
            let class = |text: &str, changes: &'static str| match last {
                _ if text == State::NotInstalled.as_str() => "none",
                None => "still",
                Some(_) => changes,
            };
            old.push((class(&before, "old"), before));
            new.push((class(&is, "new"), is));
        }
        map.push(GroupMap {
            path: escaped(group.path.as_str()),
            before: marks(old),
            after: marks(new),
        });
    }
    map
}

/// Lays out the marks of a group, in rows.
fn marks(all: Vec<(&'static str, String)>) -> InstanceMarks {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    all.iter()
        .for_each(|(_, text)| *counts.entry(text).or_default() += 1);
    let counts = counts
        .into_iter()
        .map(|(text, count)| format!("{} × {text}", number(count as u64)));
    let mark = |(at, class): (usize, &'static str)| InstanceMark {
        class,
        x: at % IN_A_ROW * MARK,
        y: at / IN_A_ROW * MARK,
    };
    InstanceMarks {
        counts: counts.collect::<Vec<_>>().join(", "),
        height: all.len().div_ceil(IN_A_ROW) * MARK,
        marks: all
            .iter()
            .map(|(class, _)| *class)
            .enumerate()
            .map(mark)
            .collect(),
    }
}

fn console(plan: &Plan) -> Vec<ConsoleRow> {
    let queued = operations_by_path(plan);
    let mut rows = Vec::new();
    for group in &plan.context.console {
        let depth = group.path.parts().count();
        rows.push(ConsoleRow::Group {
            depth: depth.min(6),
            name: escaped(group.path.name()),
        });
        for item in &group.items {
            for (at, instance) in item.instances.iter().enumerate() {
                let operations = queued
                    .get(&instance.at)
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                let words = operations
                    .iter()
                    .map(|one| (tone(one.kind), one.kind.sign(), one.kind.word()));
                let before = state_before(instance);
                let after = operations
                    .last()
                    .map_or(before.clone(), |last| state_after(&last.after));
                rows.push(ConsoleRow::Instance {
                    depth: (depth + 1).min(6),
                    item: (at == 0).then(|| (escaped(&item.name), item.instances.len())),
                    server: instance.server.as_deref().map(escaped).unwrap_or_default(),
                    gone: after == State::NotInstalled.as_str(),
                    after,
                    before,
                    queued: words.collect(),
                });
            }
        }
    }
    rows
}

/// Returns every file that a step writes, old and new.
fn files(plan: &Plan) -> Vec<CopiedFile> {
    let facts = |side: &TargetState| match side {
        TargetState::File { size, sha256 } => Some((number(*size), sha256.to_string())),
        _ => None,
    };
    let file = |operation: &Operation| {
        Some(CopiedFile {
            path: escaped(operation.at.as_str()),
            old: facts(&operation.before),
            new: facts(&operation.after)?,
        })
    };
    plan.operations().filter_map(file).collect()
}

fn documented(row: &FileTableRow) -> DocumentedFileRow {
    let text = |text: &Option<String>| text.as_deref().map(escaped).unwrap_or_default();
    DocumentedFileRow {
        name: escaped(row.name.as_str()),
        size: row.size.map(number).unwrap_or_default(),
        modified: text(&row.modified),
        platform: text(&row.platform),
        version: text(&row.version),
        used: match &row.unused {
            Some(why) => format!("not deployed: {}", Escaped(why)),
            None if row.steps.is_empty() => "not deployed".to_owned(),
            None => escaped(&row.steps.join(", ")),
        },
        unused: row.steps.is_empty(),
    }
}

fn rollback(plan: &Plan) -> Vec<RollbackStep> {
    let mut rollback = Vec::new();
    for (at, step) in plan.steps.iter().enumerate().rev() {
        let manual = step
            .manual
            .as_ref()
            .map(|manual| manual.undo.as_deref().map(escaped).ok_or(()));
        let row = |group: Vec<&Operation>| {
            let (sign, word) = group[0].kind.inverse();
            (
                sign,
                word,
                escaped(&group[0].target),
                server_list(&group),
                restored_state(group[0]),
            )
        };
        let operations = group_operations(&step.operations)
            .into_iter()
            .rev()
            .map(row)
            .collect();
        rollback.push(RollbackStep {
            at: at + 1,
            id: escaped(&step.id),
            manual,
            operations,
        });
    }
    rollback
}

fn digests(plan: &Plan) -> Vec<(String, String)> {
    let mut digests = Vec::new();
    if let Some(digest) = &plan.digest {
        digests.push(("plan".to_owned(), digest.to_string()));
    }
    if let Some(rollup) = plan.rollup() {
        digests.push(("manifest, SHA-256".to_owned(), rollup.manifest.to_string()));
    }
    if let Some(expected_state) = &plan.expected_state {
        let entries = count(
            expected_state.entries.len(),
            "file or directory",
            "files and directories",
        );
        digests.push((
            format!("expected state of {entries}"),
            expected_state.digest.to_string(),
        ));
    }
    digests
}
