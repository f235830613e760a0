//! A report as one HTML page, in a browser, on a phone, on paper.
//!
//! Like the page of a plan it needs no network and no script, writes in words everything that it
//! shows by a colour or a position, and has every picture as a table too.

use std::collections::BTreeSet;

use askama::Template;

use super::ROWS;
use super::attempt::{AttemptView, OutageView};
use super::view::ReportView;
use super::words::{Tone, escaped, format_duration};
use crate::cli::terminal::out::{count, number};
use crate::events::{
    Attempt, EventOperation, EventSubject, RunSummary, TargetKind, TargetOutages, TimeSpan,
    TimedSwap,
};
use crate::journal::Direction;
use crate::plan::OperationKind;

/// Number of servers that have a lane of the picture; the table has all.
const LANES: usize = 40;
/// Largest width of a wait in the picture, as a fraction of all the time in which something was
/// done.
const WIDEST_WAIT: f64 = 0.12;
/// Resolution at which operations are drawn apart, in percent of the width.
const FINEST: f64 = 0.25;
/// Narrowest step that has its number written in it, in percent of the width.
const NARROWEST: f64 = 2.5;

/// Renders the whole page.
pub(super) fn page(view: &ReportView, summary: &RunSummary) -> String {
    ReportPage::of(view, summary)
        .render()
        .expect("texts are written into a text")
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'s> {
    /// Short title, for the window.
    window_title: String,
    run: String,
    tone: &'static str,
    view: &'s ReportView,
    attempts: Vec<AttemptSection<'s>>,
    version: &'static str,
}

/// One attempt of the run.
struct AttemptSection<'s> {
    at: usize,
    title: &'s str,
    view: &'s AttemptView,
    /// Number of this attempt if there are several, for the captions of its parts.
    suffix: String,
    compared: Option<ReportOutcome<'s>>,
    messages: Vec<(&'static str, &'s str)>,
    cards: Vec<(String, &'static str)>,
    lanes: Vec<Lane>,
    more_servers: usize,
    has_waits: bool,
    /// Length of the time that the picture shows.
    length: String,
    /// True if a wait is drawn shorter than it was.
    is_shortened: bool,
    outages: Vec<OutageTable>,
}

/// Result of the comparison.
struct ReportOutcome<'s> {
    tone: &'static str,
    first: &'s str,
    differs: Vec<&'s str>,
    /// Digests with their names.
    digests: Vec<(&'s str, &'s str)>,
}

/// Row of the picture. Positions and widths are in percent.
struct Lane {
    name: String,
    description: String,
    bands: Vec<Band>,
    hatched: Vec<HatchedLine>,
    ticks: Vec<Tick>,
    words: Vec<(f64, String)>,
}

/// Step.
struct Band {
    class: &'static str,
    x: f64,
    width: f64,
}

/// Sync, or wait.
struct HatchedLine {
    class: &'static str,
    x: f64,
    end: f64,
}

/// Operations too close together to be drawn apart.
struct Tick {
    class: &'static str,
    x: f64,
    y: u8,
    width: f64,
}

/// Outages of services or of items.
struct OutageTable {
    id: &'static str,
    caption: &'static str,
    rows: Vec<OutageRow>,
    more: usize,
}

struct OutageRow {
    target: String,
    server: String,
    took: String,
    note: String,
    bars: Vec<(f64, f64)>,
}

impl<'s> ReportPage<'s> {
    fn of(view: &'s ReportView, summary: &'s RunSummary) -> Self {
        let window_title = match &summary.subject {
            Some(EventSubject::Rollup { kb, revision, .. }) => {
                format!("{kb} revision {revision}: report")
            }
            _ => format!("{}: report", escaped(&summary.run)),
        };
        let attempts = view
            .attempts
            .iter()
            .zip(summary.attempts.iter().rev())
            .enumerate();
        Self {
            window_title: escaped(&window_title),
            run: escaped(&summary.run),
            tone: match view.tone {
                Tone::Good => "adds",
                Tone::Warn => "changes",
                Tone::Bad => "removes",
            },
            view,
            attempts: attempts
                .map(|(at, (view, attempt))| AttemptSection::of(at + 1, view, attempt, summary))
                .collect(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl<'s> AttemptSection<'s> {
    fn of(at: usize, view: &'s AttemptView, attempt: &Attempt, summary: &RunSummary) -> Self {
        let axis = Axis::of(attempt, summary);
        let (lanes, more_servers) = lanes(attempt, &axis);
        let compared = view.compared.as_ref().map(|(tone, lines)| {
            let (digests, words): (Vec<&str>, Vec<&str>) = lines
                .iter()
                .map(String::as_str)
                .partition(|line| is_digest(line));
            let (first, rest) = words
                .split_first()
                .map_or(("", [].as_slice()), |(first, rest)| (*first, rest));
            let digests = digests
                .iter()
                .filter_map(|line| line.rsplit_once(' '))
                .map(|(name, digest)| (name.trim(), digest));
            ReportOutcome {
                tone: notice_class(*tone),
                first,
                differs: rest.to_vec(),
                digests: digests.collect(),
            }
        });
        Self {
            at,
            suffix: match summary.attempts.len() {
                1 => String::new(),
                all => format!(", attempt {}", all + 1 - at),
            },
            title: &view.title,
            view,
            compared,
            messages: view
                .messages
                .iter()
                .map(|(tone, text)| (notice_class(*tone), text.as_str()))
                .collect(),
            cards: cards(attempt),
            has_waits: !axis.idle.is_empty(),
            length: format_duration(axis.to_us.saturating_sub(axis.from_us)),
            is_shortened: axis.is_shortened(),
            lanes,
            more_servers,
            outages: vec![
                outage_table(
                    ("services", "Services, from stop to start"),
                    &view.services,
                    attempt,
                    TargetKind::Service,
                    &axis,
                ),
                outage_table(
                    ("items", "Items, from removal until available again"),
                    &view.items,
                    attempt,
                    TargetKind::Item,
                    &axis,
                ),
            ],
        }
    }

    fn has_outages(&self) -> bool {
        self.outages.iter().any(|table| !table.rows.is_empty())
    }
}

fn is_digest(line: &str) -> bool {
    let last = line.rsplit(' ').next().unwrap_or_default();
    last.len() == 64 && last.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn notice_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Warn => "loud",
        Tone::Bad => "bad",
    }
}

fn cards(attempt: &Attempt) -> Vec<(String, &'static str)> {
    let at_least = if attempt.partial { "≥ " } else { "" };
    let mut cards = Vec::new();
    if let Some(outage) = attempt.outage {
        cards.push((
            format!("{at_least}{}", format_duration(outage.us())),
            "from the first rename to the last",
        ));
    }
    let longest = |kind: TargetKind| {
        attempt
            .outages
            .iter()
            .filter(|outages| outages.of == kind)
            .map(|outages| outages.total_us)
            .max()
    };
    if let Some(us) = longest(TargetKind::Service).filter(|&us| us > 0) {
        cards.push((
            format!("{at_least}{}", format_duration(us)),
            "longest outage of a service",
        ));
    }
    if let Some(us) = longest(TargetKind::Item).filter(|&us| us > 0) {
        cards.push((
            format!("{at_least}{}", format_duration(us)),
            "longest outage of an item",
        ));
    }
    let waited: u64 = attempt.waits.iter().map(|wait| wait.span.us()).sum();
    if waited > 0 {
        cards.push((format_duration(waited), "waited for people"));
    }
    if let Some(staged) = attempt.staged {
        cards.push((
            format_duration(staged.us()),
            "staged before the first change",
        ));
    }
    let done: u64 = attempt.steps.iter().map(|step| step.operations).sum();
    if done > 0 {
        cards.push((number(done), "operations done or rolled back"));
    }
    cards
}

/// Mapping of times to positions in the picture. Waits are drawn no wider than needed, so that the
/// operations can be seen.
struct Axis {
    from_us: u64,
    to_us: u64,
    /// Spans without a running command or with one that waits for a person, in order and disjoint.
    idle: Vec<TimeSpan>,
    /// Factor by which waits are drawn shorter.
    shrink: f64,
    /// Drawn length of all, in microseconds.
    drawn: f64,
}

impl Axis {
    fn of(attempt: &Attempt, summary: &RunSummary) -> Self {
        let from_us = attempt
            .steps
            .iter()
            .map(|step| step.span.from_us)
            .min()
            .unwrap_or(attempt.span.from_us);
        let to_us = attempt
            .steps
            .iter()
            .map(|step| step.span.to_us)
            .max()
            .unwrap_or(attempt.span.to_us);
        let to_us = to_us.max(from_us + 1);
        let between = summary
            .commands
            .windows(2)
            .map(|two| (two[0].span.to_us, two[1].span.from_us));
        let waits = attempt
            .waits
            .iter()
            .map(|wait| (wait.span.from_us, wait.span.to_us));
        let mut all: Vec<(u64, u64)> = between
            .chain(waits)
            .map(|(a, b)| (a.max(from_us), b.min(to_us)))
            .collect();
        all.retain(|(a, b)| a < b);
        all.sort_unstable();
        let mut idle: Vec<TimeSpan> = Vec::new();
        for (from, to) in all {
            match idle.last_mut().filter(|last| last.to_us >= from) {
                Some(last) => last.to_us = last.to_us.max(to),
                None => idle.push(TimeSpan {
                    from_us: from,
                    to_us: to,
                    by_wall_clock: false,
                }),
            }
        }
        let waited: u64 = idle.iter().map(TimeSpan::us).sum();
        let active = ((to_us - from_us) - waited).max(1) as f64;
        let widest = active * WIDEST_WAIT * idle.len() as f64;
        let shrink = if waited as f64 > widest && waited > 0 {
            widest / waited as f64
        } else {
            1.0
        };
        let drawn = active + waited as f64 * shrink;
        Self {
            from_us,
            to_us,
            idle,
            shrink,
            drawn,
        }
    }

    fn is_shortened(&self) -> bool {
        self.shrink < 1.0
    }

    /// Returns the position of a time in percent.
    fn position(&self, us: u64) -> f64 {
        let us = us.clamp(self.from_us, self.to_us);
        let until = TimeSpan {
            from_us: self.from_us,
            to_us: us,
            by_wall_clock: false,
        };
        let waited: u64 = self.idle.iter().map(|idle| idle.within(&until)).sum();
        let drawn = (until.us() - waited) as f64 + waited as f64 * self.shrink;
        rounded(drawn * 100.0 / self.drawn)
    }

    fn width(&self, span: &TimeSpan) -> f64 {
        rounded(self.position(span.to_us) - self.position(span.from_us))
    }
}

/// Rounds to a hundredth: a finer position is not visible, and would only make the page longer.
fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// Returns the rows of the picture, and the number of servers that have none.
fn lanes(attempt: &Attempt, axis: &Axis) -> (Vec<Lane>, usize) {
    if attempt.steps.is_empty() {
        return (Vec::new(), 0);
    }
    let mut lanes = vec![step_lane(attempt, axis)];
    for server in attempt.servers.iter().take(LANES) {
        let on = |one: &&EventOperation| one.server == server.server;
        let name = server
            .server
            .as_deref()
            .map_or("shared by all".to_owned(), escaped);
        let description = format!(
            "{name}: {}, from {} to {}",
            count(server.operations as usize, "operation", "operations"),
            format_duration(server.span.from_us.saturating_sub(axis.from_us)),
            format_duration(server.span.to_us.saturating_sub(axis.from_us)),
        );
        let ticks = ticks(
            attempt
                .swaps
                .iter()
                .flat_map(|at| at.operations.iter().filter(on).map(move |o| (at, o))),
            axis,
        );
        lanes.push(Lane {
            name,
            description,
            bands: bands(attempt, axis),
            hatched: hatched_lines(attempt, axis),
            ticks,
            words: Vec::new(),
        });
    }
    (lanes, attempt.servers.len().saturating_sub(LANES))
}

/// Returns the lane of the steps, by number, with syncs and waits.
fn step_lane(attempt: &Attempt, axis: &Axis) -> Lane {
    let numbers = attempt.steps.iter().enumerate().filter_map(|(at, step)| {
        let is_wide = axis.width(&step.span) >= NARROWEST;
        is_wide.then(|| {
            (
                rounded(axis.position(step.span.from_us) + 0.4),
                (at + 1).to_string(),
            )
        })
    });
    let named: Vec<String> = attempt
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let name = step.id.as_deref().unwrap_or("applied updates");
            let prefix = match step.direction {
                Direction::Forward => "",
                Direction::Back => "rollback: ",
            };
            let (from, to) = (
                step.span.from_us.saturating_sub(axis.from_us),
                step.span.to_us.saturating_sub(axis.from_us),
            );
            format!(
                "{}. {prefix}{} from {} to {}",
                at + 1,
                escaped(name),
                format_duration(from),
                format_duration(to)
            )
        })
        .collect();
    Lane {
        name: "steps".to_owned(),
        description: format!("Steps: {}", named.join("; ")),
        words: numbers.collect(),
        bands: bands(attempt, axis),
        hatched: hatched_lines(attempt, axis),
        ticks: Vec::new(),
    }
}

fn bands(attempt: &Attempt, axis: &Axis) -> Vec<Band> {
    let band = |(at, step): (usize, &crate::events::StepTiming)| Band {
        class: if at % 2 == 0 { "even" } else { "odd" },
        x: axis.position(step.span.from_us),
        width: axis.width(&step.span),
    };
    attempt.steps.iter().enumerate().map(band).collect()
}

fn hatched_lines(attempt: &Attempt, axis: &Axis) -> Vec<HatchedLine> {
    let line = |class: &'static str, span: &TimeSpan| HatchedLine {
        class,
        x: axis.position(span.from_us),
        end: axis.position(span.to_us),
    };
    let syncs = attempt
        .steps
        .iter()
        .flat_map(|step| &step.syncs)
        .map(|span| line("sync", span));
    syncs
        .chain(axis.idle.iter().map(|span| line("waiting", span)))
        .collect()
}

/// Returns the operations in the picture; those that are too close together are one.
fn ticks<'m>(
    operations: impl Iterator<Item = (&'m TimedSwap, &'m EventOperation)>,
    axis: &Axis,
) -> Vec<Tick> {
    let mut seen: BTreeSet<(u64, u8)> = BTreeSet::new();
    let mut ticks = Vec::new();
    for (at, operation) in operations {
        let (class, y) = tick_class(operation.kind, at.direction);
        let x = axis.position(at.span.from_us);
        if seen.insert(((x / FINEST) as u64, y)) {
            ticks.push(Tick {
                class,
                x,
                y,
                width: axis.width(&at.span).max(FINEST),
            });
        }
    }
    ticks
}

/// Returns the CSS class of an operation and its distance from the top; a rolled back operation is
/// drawn as its opposite.
fn tick_class(kind: OperationKind, direction: Direction) -> (&'static str, u8) {
    let (removes, adds) = (("removes", 1), ("adds", 17));
    match kind {
        OperationKind::Uninstall | OperationKind::Stop | OperationKind::Disable => {
            match direction {
                Direction::Forward => removes,
                Direction::Back => adds,
            }
        }
        OperationKind::Install | OperationKind::Start | OperationKind::Enable => match direction {
            Direction::Forward => adds,
            Direction::Back => removes,
        },
        _ => ("changes", 9),
    }
}

fn outage_table(
    (id, caption): (&'static str, &'static str),
    views: &[OutageView],
    attempt: &Attempt,
    kind: TargetKind,
    axis: &Axis,
) -> OutageTable {
    let of_kind = attempt
        .outages
        .iter()
        .filter(|outages| (outages.of == TargetKind::Service) == (kind == TargetKind::Service));
    let row = |(view, outages): (&OutageView, &TargetOutages)| {
        let open = outages.since_us.map(|from_us| TimeSpan {
            from_us,
            to_us: axis.to_us,
            by_wall_clock: false,
        });
        // A small value is still visible.
        let bar = |span: &TimeSpan| (axis.position(span.from_us), axis.width(span).max(FINEST));
        OutageRow {
            target: view.target.clone(),
            server: view.server.clone(),
            took: view.took.clone(),
            note: view.note.clone(),
            bars: outages.spans.iter().chain(&open).map(bar).collect(),
        }
    };
    let rows = views.iter().zip(of_kind).take(ROWS).map(row).collect();
    OutageTable {
        id,
        caption,
        rows,
        more: views.len().saturating_sub(ROWS),
    }
}
