//! A report as one HTML page, in a browser, on a phone, on paper.
//!
//! Like the page of a plan it needs no network and no script, writes in words what it shows by a
//! colour or a place, and has every picture as a table too.

use std::collections::BTreeSet;

use askama::Template;

use super::ROWS;
use super::chapter::{Chapter, Down};
use super::story::Story;
use super::words::{Tone, shown, took};
use crate::cli::terminal::out::{count, number};
use crate::events::{About, Account, Away, Kind, Move, Operation, Passage, Span};
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
pub(super) fn page(story: &Story, account: &Account) -> String {
    Page::of(story, account)
        .render()
        .expect("texts are written into a text")
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'s> {
    /// Title of the window: short.
    heading: String,
    run: String,
    tone: &'static str,
    story: &'s Story,
    chapters: Vec<Sheet<'s>>,
    version: &'static str,
}

/// One attempt of the run.
struct Sheet<'s> {
    at: usize,
    title: &'s str,
    story: &'s Chapter,
    /// Number of this attempt if there are several, for the names of its parts.
    which: String,
    compared: Option<Outcome<'s>>,
    told: Vec<(&'static str, &'s str)>,
    cards: Vec<(String, &'static str)>,
    lanes: Vec<Lane>,
    more_servers: usize,
    has_waits: bool,
    /// Length of the time that the picture shows.
    length: String,
    /// True if a wait is drawn shorter than it was.
    cut: bool,
    down: Vec<Table>,
}

/// Result of the comparison.
struct Outcome<'s> {
    tone: &'static str,
    first: &'s str,
    differs: Vec<&'s str>,
    /// Digests with their names.
    digests: Vec<(&'s str, &'s str)>,
}

/// Row of the picture. Places and widths are in percent.
struct Lane {
    name: String,
    /// Description of the row in words.
    says: String,
    bands: Vec<Band>,
    hatched: Vec<Hatched>,
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
struct Hatched {
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
struct Table {
    id: &'static str,
    caption: &'static str,
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    what: String,
    server: String,
    took: String,
    note: String,
    bars: Vec<(f64, f64)>,
}

impl<'s> Page<'s> {
    fn of(story: &'s Story, account: &'s Account) -> Self {
        let heading = match &account.about {
            Some(About::Rollup { kb, revision, .. }) => format!("{kb} revision {revision}: report"),
            _ => format!("{}: report", shown(&account.run)),
        };
        let ways = story
            .chapters
            .iter()
            .zip(account.passages.iter().rev())
            .enumerate();
        Self {
            heading: shown(&heading),
            run: shown(&account.run),
            tone: match story.tone {
                Tone::Good => "comes",
                Tone::Warn => "changes",
                Tone::Bad => "goes",
            },
            story,
            chapters: ways
                .map(|(at, (chapter, passage))| Sheet::of(at + 1, chapter, passage, account))
                .collect(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl<'s> Sheet<'s> {
    fn of(at: usize, chapter: &'s Chapter, passage: &Passage, account: &Account) -> Self {
        let axis = Axis::of(passage, account);
        let (lanes, more_servers) = lanes(passage, &axis);
        let compared = chapter.compared.as_ref().map(|(tone, lines)| {
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
                .map(|(name, it)| (name.trim(), it));
            Outcome {
                tone: notice(*tone),
                first,
                differs: rest.to_vec(),
                digests: digests.collect(),
            }
        });
        Self {
            at,
            which: match account.passages.len() {
                1 => String::new(),
                all => format!(", way {}", all + 1 - at),
            },
            title: &chapter.title,
            story: chapter,
            compared,
            told: chapter
                .told
                .iter()
                .map(|(tone, text)| (notice(*tone), text.as_str()))
                .collect(),
            cards: cards(passage),
            has_waits: !axis.idle.is_empty(),
            length: took(axis.to_us.saturating_sub(axis.from_us)),
            cut: axis.is_cut(),
            lanes,
            more_servers,
            down: vec![
                table(
                    ("services", "Services, from stop to start"),
                    &chapter.services,
                    passage,
                    Kind::Service,
                    &axis,
                ),
                table(
                    ("items", "Items, from their removal until they stood again"),
                    &chapter.items,
                    passage,
                    Kind::Item,
                    &axis,
                ),
            ],
        }
    }

    fn is_down(&self) -> bool {
        self.down.iter().any(|table| !table.rows.is_empty())
    }
}

fn is_digest(line: &str) -> bool {
    let last = line.rsplit(' ').next().unwrap_or_default();
    last.len() == 64 && last.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn notice(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Warn => "loud",
        Tone::Bad => "bad",
    }
}

fn cards(passage: &Passage) -> Vec<(String, &'static str)> {
    let at_least = if passage.partial { "≥ " } else { "" };
    let mut cards = Vec::new();
    if let Some(window) = passage.window {
        cards.push((
            format!("{at_least}{}", took(window.us())),
            "from the first rename to the last",
        ));
    }
    let longest = |kind: Kind| {
        passage
            .away
            .iter()
            .filter(|away| away.of == kind)
            .map(|away| away.total_us)
            .max()
    };
    if let Some(us) = longest(Kind::Service).filter(|&us| us > 0) {
        cards.push((
            format!("{at_least}{}", took(us)),
            "longest that a service was down",
        ));
    }
    if let Some(us) = longest(Kind::Item).filter(|&us| us > 0) {
        cards.push((
            format!("{at_least}{}", took(us)),
            "longest that an item was away",
        ));
    }
    let waited: u64 = passage.waits.iter().map(|wait| wait.span.us()).sum();
    if waited > 0 {
        cards.push((took(waited), "waited for people"));
    }
    if let Some(staged) = passage.staged {
        cards.push((took(staged.us()), "staged before, when nothing had changed"));
    }
    let done: u64 = passage.steps.iter().map(|step| step.operations).sum();
    if done > 0 {
        cards.push((number(done), "operations done or taken back"));
    }
    cards
}

/// Mapping of times to places in the picture. Waits are drawn no wider than needed, so that what
/// was done can be seen.
struct Axis {
    from_us: u64,
    to_us: u64,
    /// Spans without a running command or with one that waits for a person, in order and disjoint.
    idle: Vec<Span>,
    /// Factor by which waits are drawn shorter.
    shrink: f64,
    /// Drawn length of all, in microseconds.
    drawn: f64,
}

impl Axis {
    fn of(passage: &Passage, account: &Account) -> Self {
        let from_us = passage
            .steps
            .iter()
            .map(|step| step.span.from_us)
            .min()
            .unwrap_or(passage.span.from_us);
        let to_us = passage
            .steps
            .iter()
            .map(|step| step.span.to_us)
            .max()
            .unwrap_or(passage.span.to_us);
        let to_us = to_us.max(from_us + 1);
        let between = account
            .commands
            .windows(2)
            .map(|two| (two[0].span.to_us, two[1].span.from_us));
        let waits = passage
            .waits
            .iter()
            .map(|wait| (wait.span.from_us, wait.span.to_us));
        let mut all: Vec<(u64, u64)> = between
            .chain(waits)
            .map(|(a, b)| (a.max(from_us), b.min(to_us)))
            .collect();
        all.retain(|(a, b)| a < b);
        all.sort_unstable();
        let mut idle: Vec<Span> = Vec::new();
        for (from, to) in all {
            match idle.last_mut().filter(|last| last.to_us >= from) {
                Some(last) => last.to_us = last.to_us.max(to),
                None => idle.push(Span {
                    from_us: from,
                    to_us: to,
                    by_wall_clock: false,
                }),
            }
        }
        let waited: u64 = idle.iter().map(Span::us).sum();
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

    fn is_cut(&self) -> bool {
        self.shrink < 1.0
    }

    /// Returns the place of a time in percent.
    fn place(&self, us: u64) -> f64 {
        let us = us.clamp(self.from_us, self.to_us);
        let until = Span {
            from_us: self.from_us,
            to_us: us,
            by_wall_clock: false,
        };
        let waited: u64 = self.idle.iter().map(|idle| idle.within(&until)).sum();
        let drawn = (until.us() - waited) as f64 + waited as f64 * self.shrink;
        rounded(drawn * 100.0 / self.drawn)
    }

    fn width(&self, span: &Span) -> f64 {
        rounded(self.place(span.to_us) - self.place(span.from_us))
    }
}

/// Rounds to a hundredth: a finer place is not visible, and would only make the page longer.
fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// Returns the rows of the picture, and the number of servers that have none.
fn lanes(passage: &Passage, axis: &Axis) -> (Vec<Lane>, usize) {
    if passage.steps.is_empty() {
        return (Vec::new(), 0);
    }
    let mut lanes = vec![steps(passage, axis)];
    for server in passage.servers.iter().take(LANES) {
        let on = |one: &&Operation| one.server == server.server;
        let name = server
            .server
            .as_deref()
            .map_or("shared by all".to_owned(), shown);
        let says = format!(
            "{name}: {}, from {} to {}",
            count(server.operations as usize, "operation", "operations"),
            took(server.span.from_us.saturating_sub(axis.from_us)),
            took(server.span.to_us.saturating_sub(axis.from_us)),
        );
        let ticks = ticks(
            passage
                .moves
                .iter()
                .flat_map(|at| at.operations.iter().filter(on).map(move |o| (at, o))),
            axis,
        );
        lanes.push(Lane {
            name,
            says,
            bands: bands(passage, axis),
            hatched: hatched(passage, axis),
            ticks,
            words: Vec::new(),
        });
    }
    (lanes, passage.servers.len().saturating_sub(LANES))
}

/// Returns the lane of the steps, by number, with syncs and waits.
fn steps(passage: &Passage, axis: &Axis) -> Lane {
    let numbers = passage.steps.iter().enumerate().filter_map(|(at, step)| {
        let is_wide = axis.width(&step.span) >= NARROWEST;
        is_wide.then(|| {
            (
                rounded(axis.place(step.span.from_us) + 0.4),
                (at + 1).to_string(),
            )
        })
    });
    let named: Vec<String> = passage
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let name = step.id.as_deref().unwrap_or("the level");
            let back = match step.direction {
                Direction::Forward => "",
                Direction::Back => "back: ",
            };
            let (from, to) = (
                step.span.from_us.saturating_sub(axis.from_us),
                step.span.to_us.saturating_sub(axis.from_us),
            );
            format!(
                "{}. {back}{} from {} to {}",
                at + 1,
                shown(name),
                took(from),
                took(to)
            )
        })
        .collect();
    Lane {
        name: "steps".to_owned(),
        says: format!("Steps: {}", named.join("; ")),
        words: numbers.collect(),
        bands: bands(passage, axis),
        hatched: hatched(passage, axis),
        ticks: Vec::new(),
    }
}

fn bands(passage: &Passage, axis: &Axis) -> Vec<Band> {
    let band = |(at, step): (usize, &crate::events::StepTaken)| Band {
        class: if at % 2 == 0 { "even" } else { "odd" },
        x: axis.place(step.span.from_us),
        width: axis.width(&step.span),
    };
    passage.steps.iter().enumerate().map(band).collect()
}

fn hatched(passage: &Passage, axis: &Axis) -> Vec<Hatched> {
    let line = |class: &'static str, span: &Span| Hatched {
        class,
        x: axis.place(span.from_us),
        end: axis.place(span.to_us),
    };
    let syncs = passage
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
    operations: impl Iterator<Item = (&'m Move, &'m Operation)>,
    axis: &Axis,
) -> Vec<Tick> {
    let mut seen: BTreeSet<(u64, u8)> = BTreeSet::new();
    let mut ticks = Vec::new();
    for (at, operation) in operations {
        let (class, y) = look(operation.kind, at.direction);
        let x = axis.place(at.span.from_us);
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

/// Returns the class of an operation and its distance from the top; rolled back, it looks like its
/// opposite.
fn look(kind: OperationKind, direction: Direction) -> (&'static str, u8) {
    let (goes, comes) = (("goes", 1), ("comes", 17));
    match kind {
        OperationKind::Uninstall | OperationKind::Stop | OperationKind::Disable => {
            match direction {
                Direction::Forward => goes,
                Direction::Back => comes,
            }
        }
        OperationKind::Install | OperationKind::Start | OperationKind::Enable => match direction {
            Direction::Forward => comes,
            Direction::Back => goes,
        },
        _ => ("changes", 9),
    }
}

fn table(
    (id, caption): (&'static str, &'static str),
    downs: &[Down],
    passage: &Passage,
    kind: Kind,
    axis: &Axis,
) -> Table {
    let of_kind = passage
        .away
        .iter()
        .filter(|away| (away.of == Kind::Service) == (kind == Kind::Service));
    let row = |(down, away): (&Down, &Away)| {
        let open = away.since_us.map(|from_us| Span {
            from_us,
            to_us: axis.to_us,
            by_wall_clock: false,
        });
        // A small value is still visible.
        let bar = |span: &Span| (axis.place(span.from_us), axis.width(span).max(FINEST));
        Row {
            what: down.what.clone(),
            server: down.server.clone(),
            took: down.took.clone(),
            note: down.note.clone(),
            bars: away.spans.iter().chain(&open).map(bar).collect(),
        }
    };
    let rows = downs.iter().zip(of_kind).take(ROWS).map(row).collect();
    Table {
        id,
        caption,
        rows,
        more: downs.len().saturating_sub(ROWS),
    }
}
