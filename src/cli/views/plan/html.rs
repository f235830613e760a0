//! A plan as one HTML page, for a change board: in a browser, on a phone, on paper.
//!
//! The page needs no network and no script. Everything shown by a colour or a pattern is also
//! written in words, and every picture has a table underneath, so that it can be read aloud and
//! printed.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use super::tree::{queued, state_after, state_before};
use super::words::{
    applied, directory, down, for_good, grouped, inverse, kept, manual_mark, new_here, no_return,
    restarts_due, servers, side, staged, stands_again, title,
};
use crate::cli::terminal::out::{count, number};
use crate::deployment::records::State;
use crate::names::{Digest, Escaped, RelPath};
use crate::plan::{Documented, Operation, OperationKind, Plan, PlannedStep, TargetState};

/// Number of marks in a row of a picture, each `MARK` pixels wide and high.
const IN_A_ROW: usize = 20;
const MARK: usize = 14;

/// Renders the whole page.
pub(super) fn page(plan: &Plan) -> String {
    Page::of(plan)
        .render()
        .expect("texts are written into a text")
}

#[derive(Template)]
#[template(path = "plan.html")]
struct Page {
    /// Title of the window: short.
    window: String,
    title: String,
    deployment: String,
    product: Option<String>,
    applied_before: String,
    applied_after: String,
    digest: Option<Digest>,
    /// `Ok` if everything can be rolled back, `Err` with what cannot; both in words.
    no_return: Result<String, String>,
    figures: Vec<(String, &'static str)>,
    confirmations: Vec<(String, String)>,
    warnings: Vec<String>,
    /// Items removed and not restored, or services stopped and not started.
    for_good: Vec<String>,
    /// Manual steps: number, heading, servers, and true if the step may be skipped.
    by_hand: Vec<(usize, String, String, bool)>,
    restarts_due: Vec<String>,
    left_out: Vec<(String, Vec<String>)>,
    new_here: Vec<String>,
    checked: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
    fixes: Vec<String>,
    steps: Vec<Step>,
    down: Vec<Span>,
    lacking: Vec<Span>,
    bytes: Vec<Bytes>,
    map: Vec<Mapped>,
    console: Vec<Row>,
    files: Vec<Replaced>,
    documented: Vec<TableRow>,
    way_back: Vec<Back>,
    /// Hashes that the plan is bound to: name and full hash.
    checksums: Vec<(String, String)>,
}

/// Cells of a row of the file table.
struct TableRow {
    name: String,
    size: String,
    modified: String,
    platform: String,
    version: String,
    used: String,
    unused: bool,
}

/// Step with its operations.
struct Step {
    at: usize,
    id: String,
    heading: String,
    manual: Option<ManualView>,
    operations: Vec<Line>,
    nothing: Vec<(String, String)>,
}

struct ManualView {
    how: &'static str,
    instructions: String,
    undo: Option<String>,
    servers: String,
}

/// Operations that share a line.
struct Line {
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

/// Span from one step to another, with one cell for each step.
struct Span {
    what: String,
    servers: String,
    when: String,
    cells: Vec<Cell>,
}

/// Cell of a picture; without a text nothing happens there.
struct Cell {
    text: &'static str,
}

struct Bytes {
    name: String,
    new: String,
    old: String,
    /// Length in percent of the widest bar.
    new_share: u64,
    old_share: u64,
}

/// Group of the console as a picture: a mark for each instance, before and after.
struct Mapped {
    path: String,
    before: Marks,
    after: Marks,
}

struct Marks {
    /// Number of instances in each state, in words.
    said: String,
    marks: Vec<Mark>,
    /// Height in pixels.
    height: usize,
}

struct Mark {
    class: &'static str,
    x: usize,
    y: usize,
}

/// Row of the console.
enum Row {
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

struct Replaced {
    path: String,
    old: Option<(String, String)>,
    new: (String, String),
}

/// Step of the rollback.
struct Back {
    at: usize,
    id: String,
    /// Instructions to roll back a manual step; `Err` if there are none and the rollback ends here.
    by_hand: Option<Result<String, ()>>,
    operations: Vec<(char, &'static str, String, String, String)>,
}

impl Page {
    fn of(plan: &Plan) -> Self {
        let context = &plan.context;
        let new = new_here(plan);
        let shown_new = grouped_new(plan, &new);
        let left_out = plan.steps.iter().filter(|step| !step.left_out.is_empty());
        Self {
            window: window(plan),
            title: title(plan),
            deployment: shown(&plan.deployment),
            product: context.product.as_deref().map(shown),
            applied_before: applied(&plan.applied.before),
            applied_after: applied(&plan.applied.after),
            digest: plan.digest,
            no_return: no_return(plan),
            figures: figures(plan),
            confirmations: plan
                .confirmations
                .iter()
                .map(|one| (shown(&one.id), shown(&one.question)))
                .collect(),
            warnings: plan.warnings.iter().map(|warning| shown(warning)).collect(),
            for_good: for_good(plan),
            by_hand: by_hand(plan),
            restarts_due: restarts_due(plan),
            left_out: left_out
                .map(|step| (shown(&step.id), all_shown(&step.left_out)))
                .collect(),
            new_here: shown_new,
            checked: context
                .checked
                .iter()
                .map(|one| (shown(&one.what), all_shown(&one.found)))
                .collect(),
            notes: all_shown(&context.notes),
            fixes: all_shown(&context.fixes),
            steps: plan
                .steps
                .iter()
                .enumerate()
                .map(|(at, one)| step(at + 1, one, &new))
                .collect(),
            down: outages(plan),
            lacking: lacking(plan),
            bytes: bytes(plan),
            map: map(plan),
            console: console(plan),
            files: files(plan),
            documented: context.file_table.iter().map(documented).collect(),
            way_back: way_back(plan),
            checksums: checksums(plan),
        }
    }
}

fn window(plan: &Plan) -> String {
    match plan.rollup() {
        Some(rollup) => format!("{} revision {}: plan", rollup.kb, rollup.revision),
        None => "accept: plan".to_owned(),
    }
}

/// Returns the heading of a step.
fn title_of(at: usize, step: &PlannedStep) -> String {
    super::words::heading(at, step)
}

fn shown(text: &str) -> String {
    Escaped(text).to_string()
}

fn all_shown(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| shown(text)).collect()
}

fn figures(plan: &Plan) -> Vec<(String, &'static str)> {
    let down = down(plan);
    let away = |service: bool| {
        let of_kind = down.iter().filter(|(outage, _)| outage.service == service);
        of_kind
            .map(|(outage, _)| outage.target)
            .collect::<BTreeSet<_>>()
            .len()
    };
    let servers: BTreeSet<_> = plan
        .operations()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    let by_hand = plan
        .steps
        .iter()
        .filter(|step| step.manual.is_some())
        .count();
    let figure = |many: usize, one: &'static str, more: &'static str| {
        (number(many as u64), if many == 1 { one } else { more })
    };
    let mut figures = vec![
        figure(plan.steps.len(), "step", "steps"),
        figure(by_hand, "of them by hand", "of them by hand"),
        figure(plan.operations().count(), "operation", "operations"),
        figure(servers.len(), "server is named", "servers are named"),
        figure(away(false), "item down meanwhile", "items down meanwhile"),
        figure(
            away(true),
            "service down meanwhile",
            "services down meanwhile",
        ),
    ];
    if plan.digest.is_some() {
        figures.push((
            number(staged(&plan.swaps)),
            "bytes to stage, before anything changes",
        ));
    }
    figures
}

fn by_hand(plan: &Plan) -> Vec<(usize, String, String, bool)> {
    let steps = plan.steps.iter().enumerate();
    let manual_steps = steps.filter_map(|(at, step)| {
        let manual = step.manual.as_ref()?;
        Some((
            at + 1,
            title_of(at + 1, step),
            shown(&manual.servers.join(", ")),
            manual.optional,
        ))
    });
    manual_steps.collect()
}

fn grouped_new(plan: &Plan, new: &BTreeSet<&RelPath>) -> Vec<String> {
    let groups = plan.steps.iter().flat_map(|step| grouped(&step.operations));
    groups
        .filter(|group| new.contains(&group[0].at))
        .map(|group| super::words::target(&group))
        .collect()
}

fn step(at: usize, step: &PlannedStep, new: &BTreeSet<&RelPath>) -> Step {
    let line = |group: Vec<&Operation>| {
        let first = group[0];
        Line {
            tone: tone(first.kind),
            sign: first.kind.sign(),
            word: first.kind.word(),
            target: shown(&first.target),
            directory: directory(first).map(|directory| shown(&directory)),
            servers: servers(&group),
            before: side(&first.before),
            after: side(&first.after),
            new: new.contains(&first.at),
            line: first.line,
            seen: shown(&first.seen),
        }
    };
    Step {
        at,
        id: shown(&step.id),
        heading: title_of(at, step),
        manual: step.manual.as_ref().map(|manual| ManualView {
            how: manual_mark(manual),
            instructions: manual
                .instructions
                .lines()
                .map(shown)
                .collect::<Vec<_>>()
                .join("\n"),
            undo: manual
                .undo
                .as_deref()
                .map(|undo| undo.lines().map(shown).collect::<Vec<_>>().join("\n")),
            servers: shown(&manual.servers.join(", ")),
        }),
        operations: grouped(&step.operations).into_iter().map(line).collect(),
        nothing: step
            .nothing
            .iter()
            .map(|idle| (shown(&idle.target), shown(&idle.why)))
            .collect(),
    }
}

/// Returns the CSS class of a kind of operation.
fn tone(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Uninstall | OperationKind::Stop | OperationKind::Disable => "goes",
        OperationKind::Install | OperationKind::Run | OperationKind::Copy => "comes",
        OperationKind::Start | OperationKind::Enable => "comes",
        OperationKind::Replace
        | OperationKind::Initialize
        | OperationKind::Restart
        | OperationKind::Accept => "changes",
    }
}

fn outages(plan: &Plan) -> Vec<Span> {
    let spans = down(plan).into_iter().map(|(outage, servers)| {
        let words = match outage.service {
            true => ["stopped", "down", "started", "restarted"],
            false => ["removed", "away", "installed", "replaced"],
        };
        Span {
            what: shown(outage.target),
            servers: shown(&servers.join(", ")),
            when: when(plan, outage.from, outage.to),
            cells: cells(plan, outage.from, outage.to, words),
        }
    });
    spans.collect()
}

/// Returns the items that stay while something they require is down, with everything that is down
/// in the same span in one row.
fn lacking(plan: &Plan) -> Vec<Span> {
    let at: BTreeMap<&str, usize> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| (step.id.as_str(), at))
        .collect();
    let mut spans: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for lacking in &plan.outage {
        spans
            .entry((&lacking.instance, &lacking.from, &lacking.to))
            .or_default()
            .push(&lacking.without);
    }
    let spans = spans
        .into_iter()
        .filter_map(|((instance, from, to), without)| {
            let (from, to) = (*at.get(from)?, *at.get(to)?);
            Some(Span {
                what: format!(
                    "{} is without {}",
                    Escaped(instance),
                    Escaped(&without.join(", "))
                ),
                servers: String::new(),
                when: when(plan, from, Some(to)),
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

/// Describes a span of steps in words.
fn when(plan: &Plan, from: usize, to: Option<usize>) -> String {
    let named = |at: usize| format!("{}. {}", at + 1, Escaped(&plan.steps[at].id));
    match to {
        Some(to) if to == from => format!("during {}", named(to)),
        Some(to) => format!("{} to {}", named(from), named(to)),
        None => format!("from {} on, for good", named(from)),
    }
}

/// Returns one cell for each step; the words are for the first, those between, the last, and for
/// one that is both.
fn cells(
    plan: &Plan,
    from: usize,
    to: Option<usize>,
    [goes, away, comes, both]: [&'static str; 4],
) -> Vec<Cell> {
    let text = |at: usize| match to {
        _ if at < from => "",
        Some(to) if at > to => "",
        Some(to) if from == to => both,
        Some(to) if at == to => comes,
        _ if at == from => goes,
        _ => away,
    };
    (0..plan.steps.len())
        .map(|at| Cell { text: text(at) })
        .collect()
}

fn bytes(plan: &Plan) -> Vec<Bytes> {
    if plan.digest.is_none() {
        return Vec::new();
    }
    let of = |step: &PlannedStep| {
        let swaps = || plan.swaps_of(Some(step.id.as_str()));
        (staged(swaps()), kept(swaps()))
    };
    let applied = (staged(plan.swaps_of(None)), kept(plan.swaps_of(None)));
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
    let names = names.chain(["the level, last of all".to_owned()]);
    let row = |(name, (new, old)): (String, (u64, u64))| Bytes {
        name,
        new: number(new),
        old: number(old),
        new_share: share(new),
        old_share: share(old),
    };
    names.zip(all).map(row).collect()
}

fn map(plan: &Plan) -> Vec<Mapped> {
    let queued = queued(plan);
    let mut map = Vec::new();
    for group in plan
        .context
        .console
        .iter()
        .filter(|group| !group.items.is_empty())
    {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for stands in group.items.iter().flat_map(|item| &item.instances) {
            let before = state_before(stands);
            let last = queued
                .get(&stands.at)
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
        map.push(Mapped {
            path: shown(group.path.as_str()),
            before: marks(old),
            after: marks(new),
        });
    }
    map
}

/// Lays out the marks of a group, in rows.
fn marks(all: Vec<(&'static str, String)>) -> Marks {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    all.iter()
        .for_each(|(_, text)| *counts.entry(text).or_default() += 1);
    let said = counts
        .into_iter()
        .map(|(text, count)| format!("{} × {text}", number(count as u64)));
    let mark = |(at, class): (usize, &'static str)| Mark {
        class,
        x: at % IN_A_ROW * MARK,
        y: at / IN_A_ROW * MARK,
    };
    Marks {
        said: said.collect::<Vec<_>>().join(", "),
        height: all.len().div_ceil(IN_A_ROW) * MARK,
        marks: all
            .iter()
            .map(|(class, _)| *class)
            .enumerate()
            .map(mark)
            .collect(),
    }
}

fn console(plan: &Plan) -> Vec<Row> {
    let queued = queued(plan);
    let mut rows = Vec::new();
    for group in &plan.context.console {
        let depth = group.path.parts().count();
        rows.push(Row::Group {
            depth: depth.min(6),
            name: shown(group.path.name()),
        });
        for item in &group.items {
            for (at, stands) in item.instances.iter().enumerate() {
                let operations = queued
                    .get(&stands.at)
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                let words = operations
                    .iter()
                    .map(|one| (tone(one.kind), one.kind.sign(), one.kind.word()));
                let before = state_before(stands);
                let after = operations
                    .last()
                    .map_or(before.clone(), |last| state_after(&last.after));
                rows.push(Row::Instance {
                    depth: (depth + 1).min(6),
                    item: (at == 0).then(|| (shown(&item.name), item.instances.len())),
                    server: stands.server.as_deref().map(shown).unwrap_or_default(),
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
fn files(plan: &Plan) -> Vec<Replaced> {
    let facts = |side: &TargetState| match side {
        TargetState::File { size, sha256 } => Some((number(*size), sha256.to_string())),
        _ => None,
    };
    let file = |operation: &Operation| {
        Some(Replaced {
            path: shown(operation.at.as_str()),
            old: facts(&operation.before),
            new: facts(&operation.after)?,
        })
    };
    plan.operations().filter_map(file).collect()
}

fn documented(row: &Documented) -> TableRow {
    let text = |text: &Option<String>| text.as_deref().map(shown).unwrap_or_default();
    TableRow {
        name: shown(row.name.as_str()),
        size: row.size.map(number).unwrap_or_default(),
        modified: text(&row.modified),
        platform: text(&row.platform),
        version: text(&row.version),
        used: match &row.unused {
            Some(why) => format!("not deployed: {}", Escaped(why)),
            None if row.steps.is_empty() => "not deployed".to_owned(),
            None => shown(&row.steps.join(", ")),
        },
        unused: row.steps.is_empty(),
    }
}

fn way_back(plan: &Plan) -> Vec<Back> {
    let mut back = Vec::new();
    for (at, step) in plan.steps.iter().enumerate().rev() {
        let by_hand = step
            .manual
            .as_ref()
            .map(|manual| manual.undo.as_deref().map(shown).ok_or(()));
        let row = |group: Vec<&Operation>| {
            let (sign, word) = inverse(group[0]);
            (
                sign,
                word,
                shown(&group[0].target),
                servers(&group),
                stands_again(group[0]),
            )
        };
        let operations = grouped(&step.operations)
            .into_iter()
            .rev()
            .map(row)
            .collect();
        back.push(Back {
            at: at + 1,
            id: shown(&step.id),
            by_hand,
            operations,
        });
    }
    back
}

fn checksums(plan: &Plan) -> Vec<(String, String)> {
    let mut checksums = Vec::new();
    if let Some(digest) = &plan.digest {
        checksums.push(("plan".to_owned(), digest.to_string()));
    }
    if let Some(rollup) = plan.rollup() {
        checksums.push(("manifest, SHA-256".to_owned(), rollup.manifest.to_string()));
    }
    if let Some(expected_state) = &plan.expected_state {
        let entries = count(
            expected_state.entries.len(),
            "file or directory",
            "files and directories",
        );
        checksums.push((
            format!("prediction, of {entries}"),
            expected_state.digest.to_string(),
        ));
    }
    checksums
}
