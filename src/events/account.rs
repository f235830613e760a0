//! The account of a run: what happened, when, and how long it took.

use serde::Serialize;

use super::passage::passages;
use super::timeline::timeline;
use super::{About, Began, Events, Happened, Kind, Line, Operation, Records, Step};
use crate::journal::{Answer, Outcome, RunState};
use crate::names::{Digest, RelPath, Shown};

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Such as `0012-KB952076`.
    pub run: String,
    /// What it is of, where anything still says so.
    pub about: Option<About>,
    /// Name of the deployment.
    pub deployment: Option<String>,
    /// Who began it.
    pub user: Option<String>,
    /// On which machine.
    pub host: Option<String>,
    /// When its folder was made.
    pub opened: Option<String>,
    /// When it came to rest, the last time.
    pub closed: Option<String>,
    /// Digest of the plan.
    pub plan: Option<Digest>,
    /// Digest of what the plan predicts.
    pub predicted: Option<Digest>,
    /// Where it stands: `staging`, `staged`, `unfinished`, `unfinished-back`, `applied`, `undone`
    /// or `accepted`.
    #[serde(serialize_with = "state_word")]
    pub state: RunState,
    /// How the last command ended that did something to the run.
    pub exit_code: Option<u8>,
    /// The name of that exit code.
    pub exit: Option<String>,
    /// The steps of the plan.
    pub steps: Vec<Step>,
    /// Every command that worked on it, in order.
    pub commands: Vec<Session>,
    /// Its ways from rest to rest, in order: the apply with every resume, an undo of what was
    /// finished.
    pub passages: Vec<Passage>,
    /// What this account does not know, in words.
    pub missing: Vec<String>,
}

/// A time on the clock of the account, which began with the first line of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// From, in microseconds.
    pub from_us: u64,
    /// To, in microseconds.
    pub to_us: u64,
    /// It was measured by the wall clock: it begins in one command and ends in another one.
    pub by_wall_clock: bool,
}

/// One command that worked on the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The command, where its first line is there.
    pub command: Option<String>,
    /// Who typed it.
    pub user: Option<String>,
    /// Where.
    pub host: Option<String>,
    /// Version of the program.
    pub tool: Option<String>,
    /// When its first line was written.
    pub at: String,
    /// From its beginning to its last line.
    pub span: Span,
    /// Its exit code; none where it died, or is still at work.
    pub exit_code: Option<u8>,
    /// The name of the exit code.
    pub exit: Option<String>,
    /// Why it did not do what it was asked for.
    pub reasons: Vec<String>,
}

/// A run's way from rest to rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passage {
    /// How it ended; none where it has not.
    pub outcome: Option<Outcome>,
    /// When its first line was written.
    pub at: String,
    /// From its first line to its last.
    pub span: Span,
    /// From the command's beginning until staging was whole.
    pub staged: Option<Span>,
    /// Bytes that were staged.
    pub bytes: Option<u64>,
    /// Where a copy of what was replaced is.
    pub backup: Option<String>,
    /// From when the first rename was due until everything was compared and closed.
    pub committed: Option<Span>,
    /// From before the first rename until behind the last one.
    pub window: Option<Span>,
    /// What the window was spent on.
    pub spent: Spent,
    /// Not all of its swaps are told, so that times are too short.
    pub partial: bool,
    /// Its steps, in the order in which they were taken, forward and back.
    pub steps: Vec<StepTaken>,
    /// The same by server.
    pub servers: Vec<ServerTaken>,
    /// Services and items that were away meanwhile, the longest first.
    pub away: Vec<Away>,
    /// Manual steps.
    pub waits: Vec<Waited>,
    /// Why it went the other way.
    pub turns: Vec<Turned>,
    /// Services whose file went back, and which did not notice.
    pub restarts: Vec<Restart>,
    /// What the operator should know.
    pub notices: Vec<String>,
    /// Comparison with the preview, or with the state before.
    pub compared: Option<Compared>,
    /// Who closed it as it stood, and why.
    pub accepted: Option<(String, String)>,
    /// Every swap; programs find them among the events.
    #[serde(skip)]
    pub moves: Vec<Move>,
}

/// What a window was spent on, in microseconds. Together they are the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Renames, with the checks around each.
    pub renaming_us: u64,
    /// Bringing what was moved to disk.
    pub barriers_us: u64,
    /// Waiting for people.
    pub waiting_us: u64,
    /// Between two commands, when nobody was at work.
    pub between_us: u64,
    /// Everything else.
    pub else_us: u64,
}

/// A step as it was taken, in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepTaken {
    /// Its id; none is the level.
    pub id: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// It was taken back.
    pub back: bool,
    /// From its beginning until it was on disk.
    pub span: Span,
    /// Operations that were done.
    pub operations: u64,
    /// Swaps that were done.
    pub swaps: u64,
    /// How long its renames took.
    pub renaming_us: u64,
    /// Its barriers; several where it was interrupted.
    pub barriers: Vec<Span>,
    /// The same by server.
    pub servers: Vec<ServerTaken>,
}

/// What was done on one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerTaken {
    /// Its name; none is what the servers share.
    pub server: Option<String>,
    /// From before the first rename until behind the last one.
    pub span: Span,
    /// Operations that were done or taken back there.
    pub operations: u64,
    /// How long its renames took.
    pub renaming_us: u64,
}

/// A service or an item that was not there for those who use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Away {
    /// An item or a service.
    pub of: Kind,
    /// Its name.
    pub target: String,
    /// The server, where there is one.
    pub server: Option<String>,
    /// From before it went until it stood again.
    pub spans: Vec<Span>,
    /// When it went for good, or for as long as this account goes.
    pub since_us: Option<u64>,
    /// How long it was away in all, as far as it came back.
    pub total_us: u64,
}

/// A manual step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// The step's id.
    pub step: String,
    /// It was to be taken back.
    pub back: bool,
    /// From the question to the answer, or to the last line.
    pub span: Span,
    /// The answer; none where there was none.
    pub answer: Option<Answer>,
    /// Who gave it.
    pub by: Option<String>,
}

/// The run went the other way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turned {
    /// Going back from then on.
    pub back: bool,
    /// Why.
    pub why: String,
    /// When.
    pub at_us: u64,
}

/// A restart that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// The service.
    pub service: String,
    /// Where.
    pub servers: Vec<String>,
}

/// How what stands compares with what should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// With the state before, and not with the preview.
    pub back: bool,
    /// Digest of what should stand.
    pub expected: Option<Digest>,
    /// Digest of what does.
    pub measured: Option<Digest>,
    /// What of ours differs.
    pub differs: Vec<String>,
    /// An operator's files, which came meanwhile.
    pub came: Vec<RelPath>,
}

/// A swap in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The step's id; none is the level.
    pub step: Option<String>,
    /// It was taken back.
    pub back: bool,
    /// From before its first rename until behind its last one.
    pub span: Span,
    /// What it did.
    pub operations: Vec<Operation>,
    /// Which command did it.
    pub(super) session: usize,
}

impl Span {
    /// How long it is, in microseconds.
    pub fn us(&self) -> u64 {
        self.to_us.saturating_sub(self.from_us)
    }

    /// The part of it that lies in another one, in microseconds.
    pub fn within(&self, other: &Span) -> u64 {
        self.to_us
            .min(other.to_us)
            .saturating_sub(self.from_us.max(other.from_us))
    }
}

impl Compared {
    /// Everything is as it should be, an operator's files included.
    pub fn is_same(&self) -> bool {
        self.differs.is_empty() && self.expected.is_some() && self.expected == self.measured
    }
}

impl Account {
    /// What the events of a run tell, and the run's own records where the events do not.
    pub fn of(run: &str, events: &Events, records: &Records<'_>) -> Self {
        let mut missing = incomplete(events);
        let synthetic;
        let is_told = |line: &Line| matches!(line.happened, Happened::Began(_) | Happened::Swap(_));
        let from_journal = !events.lines.iter().any(is_told);
        let lines = match from_journal {
            true => {
                synthetic = records.lines();
                if !synthetic.is_empty() {
                    missing.push(
                        "times are those of the journal's records, by the wall clock".to_owned(),
                    );
                }
                &synthetic
            }
            false => &events.lines,
        };
        let timeline = timeline(lines, &mut missing);
        let began: Option<&Began> = lines.iter().find_map(|line| match &line.happened {
            Happened::Began(began) => Some(&**began),
            _ => None,
        });
        if let Some(other) = began
            .map(|began| &began.run)
            .filter(|named| !named.is_empty() && *named != run)
        {
            missing.push(format!(
                "the events say that they are of run {}",
                Shown(other)
            ));
        }
        let at = |wanted: fn(&Happened) -> bool| {
            let found = lines.iter().filter(move |line| wanted(&line.happened));
            found.map(|line| line.at.clone()).collect::<Vec<_>>()
        };
        let steps = began.map_or_else(|| records.steps(), |began| began.steps.clone());
        let swaps = began.map(|began| began.swaps).or_else(|| records.swaps());
        let state = records.state().unwrap_or_else(|| told_state(lines));
        let passages = passages(&timeline, &steps, swaps, state, from_journal);
        if passages.iter().any(|passage| passage.partial) && !from_journal {
            missing.push("not every swap is told: times may be too short".to_owned());
        }
        let is_closed = matches!(state, RunState::Closed(_));
        let commands = if from_journal {
            Vec::new()
        } else {
            timeline.sessions
        };
        let last = timeline.last_at_work.and_then(|at| commands.get(at));
        Self {
            run: run.to_owned(),
            about: began
                .map(|began| began.about.clone())
                .or_else(|| records.about()),
            deployment: began.map(|began| began.deployment.clone()),
            user: began
                .map(|began| began.user.clone())
                .or_else(|| records.opened().map(|opened| opened.user.clone())),
            host: began
                .map(|began| began.host.clone())
                .or_else(|| records.opened().map(|opened| opened.host.clone())),
            opened: at(|happened| matches!(happened, Happened::Opened { .. }))
                .into_iter()
                .next(),
            closed: at(|happened| matches!(happened, Happened::Closed { .. }))
                .pop()
                .filter(|_| is_closed),
            plan: began
                .and_then(|began| began.plan)
                .or_else(|| records.opened().map(|opened| opened.plan)),
            predicted: began
                .and_then(|began| began.predicted)
                .or_else(|| records.predicted()),
            state,
            exit_code: last.and_then(|session| session.exit_code),
            exit: last.and_then(|session| session.exit.clone()),
            steps,
            commands,
            passages,
            missing,
        }
    }
}

/// Where the events alone say that a run stands.
fn told_state(lines: &[Line]) -> RunState {
    use crate::journal::Direction::{Back, Forward};
    lines
        .iter()
        .fold(RunState::Staging, |state, line| match &line.happened {
            Happened::Staged { .. } => RunState::Staged,
            Happened::Committing if state == RunState::Staged => RunState::Unfinished(Forward),
            Happened::Turned { back, .. } => {
                RunState::Unfinished(if *back { Back } else { Forward })
            }
            Happened::Closed { outcome, .. } => RunState::Closed(*outcome),
            _ => state,
        })
}

/// What cannot be read of the events, in words.
fn incomplete(events: &Events) -> Vec<String> {
    let lines = |number: u64, one: &str, many: &str| match number {
        1 => format!("1 line of the events {one}"),
        _ => format!("{number} lines of the events {many}"),
    };
    let mut missing = Vec::new();
    missing.extend(
        events
            .absent
            .as_ref()
            .map(|why| format!("the events of the run cannot be used: {why}")),
    );
    if events.older > 0 {
        missing.push(lines(
            events.older,
            "has an older form, which tells less",
            "have an older form, which tells less",
        ));
    }
    let is_began = |line: &Line| matches!(line.happened, Happened::Began(_));
    if events.older == 0 && !events.lines.is_empty() && !events.lines.iter().any(is_began) {
        missing.push(
            "the events do not say what they are of: they have an older form, or lost their beginning".to_owned(),
        );
    }
    if events.unknown > 0 {
        missing.push(lines(
            events.unknown,
            "is of a later version, and left out",
            "are of a later version, and left out",
        ));
    }
    if events.damaged > 0 {
        missing.push(lines(events.damaged, "cannot be read", "cannot be read"));
    }
    if events.torn {
        missing.push("the last line of the events is torn".to_owned());
    }
    if events.cut {
        missing.push("the events are longer than what is read of them".to_owned());
    }
    missing
}

fn state_word<S: serde::Serializer>(state: &RunState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.word())
}
