//! `report`: what happened in a run, as text on the screen, as Markdown in a ticket, as one page
//! for a browser and for paper, or as a document for programs.
//!
//! Each contains the same in its own form; its content is gathered here, in words, from the run's
//! account.

mod html;
mod markdown;
mod text;

use serde_json::{Value, json};

use super::args::{self, Shape};
use super::exit::{Exit, Failure};
use super::inputs;
use super::named::{Newest, choose};
use super::next::Next;
use super::output::{self, OutputFile};
use crate::cli::terminal::out::{self, count, number};
use crate::deployment::lock::holder;
use crate::deployment::tree::Tree;
use crate::events::{
    self, About, Account, Away, Compared, Kind, Passage, Records, ServerTaken, Span, StepTaken,
};
use crate::journal::{Answer, Damaged, Direction, Outcome, Run, RunState, sound_and_damaged};
use crate::names::Escaped;
use crate::run::{describe_run_state, load_plan};

/// Number of outages that have a row; the document for programs has all.
const ROWS: usize = 500;

/// Runs `rollup report`.
pub(super) fn report(args: &args::Reporting) -> Result<Exit, Failure> {
    let site = inputs::run_site(args.deployment.deployment.as_deref())?;
    site.warn();
    let tree = &site.tree;
    let output = OutputFile::of(args.output.as_deref(), &[tree.path()])?;
    let (runs, damaged) = sound_and_damaged(tree).map_err(|fault| inputs::journal(&fault))?;
    let sound = runs.iter().map(|run| run.number).max();
    let account = match damaged
        .iter()
        .rfind(|damaged| is_named(damaged, &args.run, sound))
    {
        Some(damaged) => of_damaged(tree, damaged),
        None => of_run(tree, choose(&runs, &args.run, Newest::Any)?),
    };
    let at_work = holder(tree).map_err(|error| inputs::disk(&error))?;
    let mut account = account;
    // The deployment's own description has what the events lack.
    if let (None, Ok(description)) = (&account.deployment, &site.description) {
        account.deployment = Some(description.name.clone());
    }
    let story = Story::of(tree, &account, at_work.map(|holder| holder.to_string()));
    let document = match args.format {
        Shape::Text => text::text(&story, out::width()),
        Shape::Markdown => markdown::text(&story),
        Shape::Html => html::page(&story, &account),
        Shape::Json => format!("{:#}", as_document(&account, &story)),
    };
    output::document(&document, output.as_ref())?;
    Ok(Exit::Ok)
}

fn as_document(account: &Account, story: &Story) -> Value {
    json!({ "schema": 1, "outcome": Exit::Ok.name(), "exit_code": Exit::Ok as u8, "changed": false,
            "events": story.events, "report": account })
}

/// Returns whether a damaged run is meant; by `last` only if no sound run is newer.
fn is_named(damaged: &Damaged, named: &str, sound: Option<u32>) -> bool {
    let name = damaged.directory.name();
    let number = name
        .split_once('-')
        .and_then(|(number, _)| number.parse().ok());
    if named.eq_ignore_ascii_case("last") {
        return number > sound;
    }
    name.eq_ignore_ascii_case(named)
        || number.is_some_and(|number: u32| named.parse() == Ok(number))
}

fn of_run(tree: &Tree, run: &Run) -> Account {
    let plan = load_plan(tree, &run.directory);
    let records = Records {
        run: Some(run),
        plan: plan.as_ref().ok(),
    };
    let mut account = Account::of(run.name(), &events::read(tree, run.name()), &records);
    if run.journal.opened().is_none() {
        account
            .missing
            .push("the run's journal says nothing".to_owned());
    }
    if let Err(error) = plan {
        account.missing.push(error.to_string());
    }
    account
}

/// Reads the account of a run whose journal cannot be relied on: its events still exist.
fn of_damaged(tree: &Tree, damaged: &Damaged) -> Account {
    let name = damaged.directory.name();
    let plan = load_plan(tree, &damaged.directory).ok();
    let records = Records {
        run: None,
        plan: plan.as_ref(),
    };
    let mut account = Account::of(name, &events::read(tree, name), &records);
    account.missing.push(damaged.fault.to_string());
    account
}

/// Severity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Good,
    Warn,
    Bad,
}

/// Report in words.
struct Story {
    title: String,
    /// State of the run, in a word or two.
    state: String,
    tone: Tone,
    /// Facts about the run: name and value.
    head: Vec<(&'static str, String)>,
    /// Path of the events.
    events: String,
    /// Actions that are required if the run is not finished.
    next: Vec<String>,
    /// Attempts, the newest first.
    chapters: Vec<Chapter>,
    commands: Vec<Command>,
    missing: Vec<String>,
}

/// One attempt of the run, from one clean state to the next.
struct Chapter {
    /// Number and direction, if there are several; else empty.
    title: String,
    compared: Option<(Tone, Vec<String>)>,
    /// Reasons why the direction changed, required restarts, notices, and the user who closed the
    /// run in its current state.
    told: Vec<(Tone, String)>,
    waits: Vec<Wait>,
    figures: Vec<Figure>,
    services: Vec<Down>,
    items: Vec<Down>,
    steps: Vec<Taken>,
    servers: Vec<Place>,
}

/// Manual step.
struct Wait {
    step: String,
    answer: String,
    by: String,
    took: String,
}

/// Time, and what it was spent on.
struct Figure {
    label: &'static str,
    /// True if it is a part of the last figure before it that is not a part.
    part: bool,
    value: String,
    note: String,
}

/// Outage of an item or a service.
struct Down {
    what: String,
    server: String,
    took: String,
    note: String,
}

/// Step as it was executed.
struct Taken {
    name: String,
    title: String,
    from: String,
    took: String,
    operations: u64,
    renaming: String,
    sync: String,
}

/// Work that was done on a server.
struct Place {
    server: String,
    operations: u64,
    from: String,
    to: String,
    renaming: String,
}

/// Command that worked on the run.
struct Command {
    name: String,
    at: String,
    by: String,
    took: String,
    /// Exit code and its name, or a note that none was recorded.
    ended: String,
    is_over: bool,
    reasons: Vec<String>,
}

impl Story {
    fn of(tree: &Tree, account: &Account, at_work: Option<String>) -> Self {
        let at_rest = matches!(account.state, RunState::Closed(_));
        let mut missing: Vec<String> = account.missing.iter().map(|text| shown(text)).collect();
        missing.extend(without_end(account, at_work.is_some()));
        if account.passages.iter().any(is_by_wall_clock) {
            missing.push("times that span several commands are by the wall clock".to_owned());
        }
        let chapters = account.passages.iter().enumerate().rev();
        Self {
            title: title(account),
            state: describe_run_state(account.state).to_owned(),
            tone: match account.state {
                RunState::Closed(Outcome::Applied) => Tone::Good,
                RunState::Closed(Outcome::Undone | Outcome::Accepted) | RunState::Staged => {
                    Tone::Warn
                }
                RunState::Staging | RunState::Unfinished(_) => Tone::Bad,
            },
            head: head(tree, account),
            events: events::path_of(&account.run)
                .map(|at| tree.shown(Some(&at)))
                .unwrap_or_default(),
            next: if at_rest {
                Vec::new()
            } else {
                next(tree, account.state, at_work.as_deref())
            },
            chapters: chapters
                .map(|(at, passage)| Chapter::of(account, at, passage))
                .collect(),
            commands: account
                .commands
                .iter()
                .enumerate()
                .map(|(at, one)| {
                    command(one, at_work.is_some() && at + 1 == account.commands.len())
                })
                .collect(),
            missing,
        }
    }
}

fn shown(text: &str) -> String {
    Escaped(text).to_string()
}

fn title(account: &Account) -> String {
    match &account.about {
        Some(About::Rollup {
            kb,
            revision,
            title,
        }) => {
            format!(
                "{} revision {}: {}",
                Escaped(kb),
                Escaped(revision),
                Escaped(title)
            )
        }
        Some(About::Accept { reason }) => format!("accept what lay on disk: {}", Escaped(reason)),
        None => format!("run {}", Escaped(&account.run)),
    }
}

fn head(tree: &Tree, account: &Account) -> Vec<(&'static str, String)> {
    let mut head = Vec::new();
    let exit = account.exit_code.map(|code| match &account.exit {
        Some(name) => format!("; exit code {code}, {}", Escaped(name)),
        None => format!("; exit code {code}"),
    });
    head.push((
        "run",
        format!(
            "{}: {}{}",
            Escaped(&account.run),
            describe_run_state(account.state),
            exit.unwrap_or_default()
        ),
    ));
    let directory = shown(&tree.path().display().to_string());
    head.push((
        "deployment",
        match &account.deployment {
            Some(name) => format!("{} in {directory}", Escaped(name)),
            None => directory,
        },
    ));
    let by = account.user.as_ref().map(|user| match &account.host {
        Some(host) => format!(" by {} on {}", Escaped(user), Escaped(host)),
        None => format!(" by {}", Escaped(user)),
    });
    if let Some(at) = &account.opened {
        head.push(("opened", format!("{}{}", time(at), by.unwrap_or_default())));
    }
    if let Some(at) = &account.closed {
        head.push(("closed", time(at)));
    }
    head.extend(account.plan.map(|plan| ("plan", plan.to_string())));
    head.extend(
        account
            .expected
            .map(|expected| ("expected", expected.to_string())),
    );
    head
}

/// Describes commands whose last lines are missing.
fn without_end(account: &Account, at_work: bool) -> Vec<String> {
    let last = account.commands.len().saturating_sub(1);
    let without = account
        .commands
        .iter()
        .enumerate()
        .filter(|(_, command)| command.exit_code.is_none());
    let told = without
        .filter(|(at, _)| *at < last || !at_work)
        .map(|(_, command)| {
            let name = command.command.as_deref().unwrap_or("a command");
            format!(
                "`{}` of {} told no end: it died there, or its last lines are lost",
                Escaped(name),
                time(&command.at)
            )
        });
    told.collect()
}

fn next(tree: &Tree, state: RunState, at_work: Option<&str>) -> Vec<String> {
    if let Some(holder) = at_work {
        return vec![format!(
            "{} is changing the deployment at this moment: this is how far it told",
            shown(holder)
        )];
    }
    let next = Next(tree.path());
    let (resume, undo) = (next.resume(), next.undo());
    match state {
        RunState::Closed(_) => Vec::new(),
        RunState::Staging => vec![format!(
            "it died while staging; nothing has changed, and `{undo}` clears it away"
        )],
        RunState::Staged => vec![format!(
            "it waits; `{resume}` commits it, `{undo}` throws it away"
        )],
        RunState::Unfinished(Direction::Forward) => {
            vec![format!(
                "it is not over: `{resume}` takes it to its end, `{undo}` takes it back"
            )]
        }
        RunState::Unfinished(Direction::Back) => {
            vec![format!(
                "it is not over: `{undo}` takes it back, `{resume}` takes it to its end"
            )]
        }
    }
}

fn is_by_wall_clock(passage: &Passage) -> bool {
    passage.span.by_wall_clock && !passage.partial
}

fn command(session: &events::Session, at_work: bool) -> Command {
    let by = match (&session.user, &session.host) {
        (Some(user), Some(host)) => format!("{} on {}", Escaped(user), Escaped(host)),
        _ => String::new(),
    };
    let ended = match (session.exit_code, &session.exit) {
        (Some(code), Some(name)) => format!("{code}, {}", Escaped(name)),
        (Some(code), None) => code.to_string(),
        (None, _) if at_work => "still at work".to_owned(),
        (None, _) => "no end told".to_owned(),
    };
    let at_least = if session.exit_code.is_none() {
        "at least "
    } else {
        ""
    };
    Command {
        name: session
            .command
            .as_deref()
            .map_or("not known".to_owned(), shown),
        at: time(&session.at),
        by,
        took: format!("{at_least}{}", took(session.span.us())),
        ended,
        is_over: session.exit_code.is_some(),
        reasons: session.reasons.iter().map(|reason| shown(reason)).collect(),
    }
}

impl Chapter {
    fn of(account: &Account, at: usize, passage: &Passage) -> Self {
        let all = account.passages.len();
        let way = match (at, passage.turns.iter().any(|turn| turn.back)) {
            (0, false) => "forward",
            (0, true) => "forward, and back",
            (_, true) => "back",
            (_, false) => "again",
        };
        let title = match all {
            1 => String::new(),
            _ => format!("way {} of {all}, {way}: {}", at + 1, time(&passage.at)),
        };
        let first = passage
            .steps
            .first()
            .map_or(passage.span.from_us, |first| first.span.from_us);
        let base = passage
            .committed
            .map_or(first, |committed| committed.from_us.min(first));
        let is_service = |away: &&Away| away.of == Kind::Service;
        Self {
            title,
            compared: passage.compared.as_ref().map(compared),
            told: told(passage),
            waits: passage
                .waits
                .iter()
                .map(|waited| wait(waited, passage))
                .collect(),
            figures: figures(passage),
            services: passage
                .away
                .iter()
                .filter(is_service)
                .map(|away| down(away, passage))
                .collect(),
            items: passage
                .away
                .iter()
                .filter(|away| !is_service(away))
                .map(|away| down(away, passage))
                .collect(),
            steps: passage.steps.iter().map(|step| taken(step, base)).collect(),
            servers: passage
                .servers
                .iter()
                .map(|server| place(server, base))
                .collect(),
        }
    }
}

fn compared(compared: &Compared) -> (Tone, Vec<String>) {
    let what = if compared.back {
        "as it was before"
    } else {
        "as previewed"
    };
    let mut lines = Vec::new();
    let tone = match (compared.differs.is_empty(), compared.is_same()) {
        (true, true) => {
            lines.push(what.to_owned());
            Tone::Good
        }
        (true, false) => {
            lines.push(format!(
                "{what}, but for an operator's files, which came or went meanwhile"
            ));
            Tone::Good
        }
        (false, _) => {
            lines.push(format!("not {what}:"));
            Tone::Bad
        }
    };
    lines.extend(compared.differs.iter().map(|differs| shown(differs)));
    lines.extend(
        compared
            .came
            .iter()
            .map(|came| format!("`{}` came meanwhile", Escaped(came.as_str()))),
    );
    let digest = |name: &str, digest: Option<crate::names::Digest>| {
        digest.map(|digest| format!("{name} {digest}"))
    };
    let expected = if compared.back {
        "before  "
    } else {
        "expected"
    };
    lines.extend(digest(expected, compared.expected));
    lines.extend(digest("measured", compared.measured));
    (tone, lines)
}

fn told(passage: &Passage) -> Vec<(Tone, String)> {
    let mut told = Vec::new();
    for turn in &passage.turns {
        told.push(match (turn.back, turn.why.as_str()) {
            (true, "undo") => (Tone::Warn, "taken back, as asked by `undo`".to_owned()),
            (false, "resume") => (
                Tone::Warn,
                "turned forward again, as asked by `resume`".to_owned(),
            ),
            (true, why) => {
                let failed = passage
                    .steps
                    .iter()
                    .rfind(|step| !step.back && step.span.from_us <= turn.at_us);
                let at = match failed {
                    None => String::new(),
                    Some(StepTaken { id: Some(id), .. }) => format!(" in step {}", Escaped(id)),
                    Some(_) => " at the level".to_owned(),
                };
                (
                    Tone::Bad,
                    format!("it failed{at}, and was put back: {}", Escaped(why)),
                )
            }
            (false, why) => (
                Tone::Warn,
                format!("turned forward again: {}", Escaped(why)),
            ),
        });
    }
    for restart in &passage.restarts {
        let servers = restart.servers.join(", ");
        told.push((
            Tone::Warn,
            format!(
                "restart due: {} on {}",
                Escaped(&restart.service),
                Escaped(&servers)
            ),
        ));
    }
    told.extend(
        passage
            .notices
            .iter()
            .map(|notice| (Tone::Warn, shown(notice))),
    );
    if let Some((by, reason)) = &passage.accepted {
        told.push((
            Tone::Warn,
            format!("closed as it stood by {}: {}", Escaped(by), Escaped(reason)),
        ));
    }
    told
}

fn wait(waited: &events::Waited, passage: &Passage) -> Wait {
    let answer = match (waited.answer, waited.back) {
        (Some(Answer::Done), _) => "done",
        (Some(Answer::Skipped), _) => "skipped",
        (Some(Answer::TakenBack), _) => "taken back",
        (None, _) if passage.outcome.is_none() => "waits",
        (None, false) => "not answered",
        (None, true) => "not taken back",
    };
    let answer = match answer {
        "waits" => format!("waits since {}", wall(passage, waited.span.from_us)),
        answer => answer.to_owned(),
    };
    Wait {
        step: shown(&waited.step),
        answer,
        by: waited.by.as_deref().map(shown).unwrap_or_default(),
        took: took(waited.span.us()),
    }
}

fn figures(passage: &Passage) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut figure = |label, part, value: String, note: String| {
        figures.push(Figure {
            label,
            part,
            value,
            note,
        })
    };
    if let Some(staged) = passage.staged {
        let bytes = passage
            .bytes
            .map(|bytes| format!("{} bytes, ", number(bytes)))
            .unwrap_or_default();
        figure(
            "staged in",
            false,
            took(staged.us()),
            format!("{bytes}before anything changed"),
        );
    }
    if let Some(backup) = &passage.backup {
        figure(
            "backup",
            false,
            String::new(),
            format!("in {}", Escaped(backup)),
        );
    }
    let at_least = if passage.partial { "at least " } else { "" };
    if let Some(committed) = passage.committed {
        let note = match passage.compared {
            Some(_) => "from its beginning until all was compared".to_owned(),
            None => "from its beginning until it was closed".to_owned(),
        };
        figure("committed in", false, took(committed.us()), note);
    }
    if let Some(window) = passage.window {
        let value = format!("{at_least}{}", took(window.us()));
        match passage.outcome {
            Some(_) => figure(
                "window",
                false,
                value,
                "from the first rename to the last".to_owned(),
            ),
            None => figure(
                "so far",
                false,
                value,
                "from the first rename to the last one told; it is not over".to_owned(),
            ),
        }
        let spent = &passage.spent;
        let parts = [
            ("renames", spent.renaming_us),
            ("syncs", spent.syncs_us),
            ("waiting for people", spent.waiting_us),
            ("between commands", spent.between_us),
            ("all else", spent.else_us),
        ];
        for (label, us) in parts.into_iter().filter(|(_, us)| *us > 0) {
            figure(label, true, took(us), share(us, window.us()));
        }
    }
    figures
}

/// Formats a part of a whole in percent.
fn share(part: u64, whole: u64) -> String {
    match (part as f64 * 100.0 / whole.max(1) as f64).round() as u64 {
        0 if part > 0 => "less than 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

fn down(away: &Away, passage: &Passage) -> Down {
    let at_least = if passage.partial { "at least " } else { "" };
    let gone = match (away.of, passage.outcome) {
        (Kind::Service, None) => "stopped, and not started yet",
        (Kind::Service, Some(Outcome::Undone)) => "stopped; a restart is due",
        (Kind::Service, Some(_)) => "stopped, and not started again",
        (_, None) => "removed, and not put back yet",
        (_, Some(_)) if passage.partial => "removed; not every swap is told, it may stand again",
        (_, Some(_)) => "removed, and not put back",
    };
    let took = match (away.since_us, away.spans.as_slice()) {
        (Some(since_us), []) if passage.outcome.is_none() => {
            format!("since {}", wall(passage, since_us))
        }
        (Some(_), []) => String::new(),
        _ => format!("{at_least}{}", took(away.total_us)),
    };
    let note = match (away.since_us, away.spans.len()) {
        (Some(_), _) => gone.to_owned(),
        (None, 0 | 1) => String::new(),
        (None, 2) => "away twice".to_owned(),
        (None, times) => format!("away {times} times"),
    };
    Down {
        what: shown(&away.target),
        server: away.server.as_deref().map(shown).unwrap_or_default(),
        took,
        note,
    }
}

/// Formats a moment of an attempt by the wall clock, to the second.
fn wall(passage: &Passage, us: u64) -> String {
    let offset = i64::try_from(us.saturating_sub(passage.span.from_us)).unwrap_or(i64::MAX);
    let at = passage.at.parse::<jiff::Timestamp>().ok();
    let at = at.and_then(|at| {
        at.checked_add(jiff::SignedDuration::from_micros(offset))
            .ok()
    });
    at.map_or_else(
        || "a time that is not told".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

fn taken(step: &StepTaken, base: u64) -> Taken {
    let name = match (&step.id, step.back) {
        (Some(id), false) => shown(id),
        (Some(id), true) => format!("back: {}", Escaped(id)),
        (None, false) => "the level".to_owned(),
        (None, true) => "back: the level".to_owned(),
    };
    let sync: u64 = step.syncs.iter().map(Span::us).sum();
    Taken {
        name,
        title: step.title.as_deref().map(shown).unwrap_or_default(),
        from: took(step.span.from_us.saturating_sub(base)),
        took: took(step.span.us()),
        operations: step.operations,
        renaming: if step.swaps == 0 {
            String::new()
        } else {
            took(step.renaming_us)
        },
        sync: if step.syncs.is_empty() {
            String::new()
        } else {
            took(sync)
        },
    }
}

fn place(server: &ServerTaken, base: u64) -> Place {
    Place {
        server: server
            .server
            .as_deref()
            .map_or("shared by all".to_owned(), shown),
        operations: server.operations,
        from: took(server.span.from_us.saturating_sub(base)),
        to: took(server.span.to_us.saturating_sub(base)),
        renaming: took(server.renaming_us),
    }
}

/// Summarizes outages in few lines: similar ones together, with the shortest and the longest time.
fn summarised(downs: &[Down]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&Down>)> = Vec::new();
    for down in downs {
        let key = match down.note.is_empty() {
            true => down.server.clone(),
            false => format!("{} {}", down.server, down.note),
        };
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(down),
            None => groups.push((key, vec![down])),
        }
    }
    let line = |group: &[&Down]| {
        let longest = group[0];
        let on = if longest.server.is_empty() {
            String::new()
        } else {
            format!(" on {}", longest.server)
        };
        let note = if longest.note.is_empty() {
            String::new()
        } else {
            format!(", {}", longest.note)
        };
        let took = if longest.took.is_empty() {
            String::new()
        } else {
            format!(": {}", longest.took)
        };
        match group {
            [one] => format!("{}{on}{took}{note}", one.what),
            [.., shortest] => {
                let items = count(group.len(), "item", "items");
                let range = match shortest.took == longest.took || shortest.took.is_empty() {
                    true => took,
                    false => format!(
                        ": {} to {}, longest {}",
                        shortest.took, longest.took, longest.what
                    ),
                };
                format!("{items}{on}{range}{note}")
            }
            [] => String::new(),
        }
    };
    groups.iter().map(|(_, group)| line(group)).collect()
}

/// Formats a time of the wall clock, to the second.
fn time(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => shown(at),
    }
}

/// Formats a duration in the unit that suits it.
fn took(us: u64) -> String {
    let seconds = us / 1_000_000;
    match us {
        0..=999 => format!("{us} µs"),
        1_000..=99_999 => format!("{:.1} ms", us as f64 / 1e3),
        100_000..=9_999_999 => format!("{} ms", number(us / 1_000)),
        10_000_000..=119_999_999 => format!("{:.1} s", us as f64 / 1e6),
        120_000_000..=7_199_999_999 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        7_200_000_000..=172_799_999_999 => {
            format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60)
        }
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_the_unit_that_suits_it() {
        let told = [
            0,
            999,
            1_500,
            123_456,
            12_300_000,
            192_000_000,
            7_500_000_000,
            200_000_000_000,
        ]
        .map(took);
        assert_eq!(
            told,
            [
                "0 µs",
                "999 µs",
                "1.5 ms",
                "123 ms",
                "12.3 s",
                "3 min 12 s",
                "2 h 05 min",
                "2 d 7 h"
            ]
        );
    }

    #[test]
    fn a_little_is_not_nothing() {
        assert_eq!(share(1, 1_000_000), "less than 1 %");
        assert_eq!(
            (share(0, 0), share(1, 2)),
            ("0 %".to_owned(), "50 %".to_owned())
        );
    }
}
