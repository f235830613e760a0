//! Progress of a run: bars on a terminal, a line per finished operation elsewhere, and
//! `events.ndjson` in the run's directory.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out;
use super::prompts;
use super::signals::Signals;
use crate::cli::args::Rehearsing;
use crate::cli::exit::{Exit, Failure};
use crate::deployment::tree::Tree;
use crate::events::{self, Began, Happened, Lost};
use crate::journal::{Answer, Direction};
use crate::names::Escaped;
use crate::plan::{Operation, OperationKind, PlannedStep};
use crate::run::{BackedUp, Event, Listener, OnFailure, Question, Reply};

/// Source of the answer at a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ManualSteps {
    /// The operator, at a prompt.
    #[default]
    Asked,
    /// No prompt: in a rehearsal each step counts as done, or as rolled back.
    Done,
}

impl From<Rehearsing> for ManualSteps {
    fn from(rehearsing: Rehearsing) -> Self {
        if rehearsing.manual_steps_done {
            Self::Done
        } else {
            Self::Asked
        }
    }
}

/// Report of a run's events to the operator, with the prompts at manual steps.
pub(crate) struct Progress {
    /// Deployment that the events of the run are written to.
    tree: Option<Tree>,
    wishes: Wishes,
    begun: Instant,
    bar: Option<ProgressBar>,
    operations: u64,
    /// First line of the events, without the run's name.
    began: Began,
    events: Option<events::Writer>,
    /// Time when the commit began, just before the first rename.
    pub(crate) committing: Option<Instant>,
    /// Name of the run.
    pub(crate) run: Option<String>,
}

/// Wishes of the operator for a run beyond its plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// Steps that were confirmed on the command line.
    pub(crate) confirmed: Vec<String>,
    pub(crate) manual_steps: ManualSteps,
    /// Step before which the run stops.
    pub(crate) stop_before: Option<String>,
    pub(crate) on_failure: OnFailure,
    /// Directory into which the files that will be replaced are backed up first.
    pub(crate) backup: Option<PathBuf>,
    pub(crate) signals: Signals,
}

impl Progress {
    pub(crate) fn new(deployment: &Tree, began: Began, wishes: Wishes) -> Self {
        Self {
            tree: deployment.again().ok(),
            wishes,
            begun: Instant::now(),
            bar: None,
            operations: began.steps.iter().map(|step| step.operations).sum(),
            began,
            events: None,
            committing: None,
            run: None,
        }
    }

    /// Writes the events of this run from now on, and reports where they are.
    pub(crate) fn reopen(&mut self, run: &str) {
        self.run = Some(run.to_owned());
        let Some(tree) = &self.tree else { return };
        self.events = events::Writer::open(tree, run, self.begun);
        if let Some(events) = &mut self.events {
            events.write(Happened::Began(Box::new(Began {
                run: run.to_owned(),
                ..self.began.clone()
            })));
            out::say(format_args!(
                "events in {}",
                Escaped(&tree.shown(events::path_of(run).as_ref()))
            ));
        }
    }

    fn bar(&mut self, length: u64, template: &str) {
        self.finish_bar();
        if !std::io::stderr().is_terminal() {
            return;
        }
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        bar.set_style(style);
        self.bar = Some(bar);
    }

    fn finish_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| out::say(text)),
            None => out::say(text),
        }
    }

    fn finished(&self, operation: &Operation, direction: Direction) {
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                bar.set_message(operation.target.clone());
            }
            None => out::say(format_args!("  {}", done(operation, direction))),
        }
    }

    /// Records an event. Events are never needed: what cannot be written is dropped.
    fn record(&mut self, event: &Event<'_>) {
        if let (Some(events), Some(happened)) = (&mut self.events, Happened::of(event)) {
            events.write(happened);
        }
    }

    /// Writes the last line of the events: how the command ended.
    pub(crate) fn end<T>(&mut self, result: &Result<T, Failure>) {
        self.finish_bar();
        let exit = result
            .as_ref()
            .map_or_else(|failure| failure.exit, |_| Exit::Ok);
        let reasons = result
            .as_ref()
            .err()
            .map(|failure| failure.reasons.clone())
            .unwrap_or_default();
        if let Some(events) = &mut self.events {
            events.write(Happened::Ended {
                exit_code: exit as u8,
                exit: exit.name().to_owned(),
                reasons,
            });
        }
        self.report_lost_events();
    }

    /// Warns of events that could not be written: a report of the run lacks them.
    fn report_lost_events(&self) {
        let (Some(tree), Some(run)) = (&self.tree, &self.run) else {
            return;
        };
        let at = tree.shown(events::path_of(run).as_ref());
        match &self.events {
            None => out::warn(format_args!(
                "the events of this command are not recorded: cannot write `{at}`"
            )),
            Some(events) => {
                if let Some(Lost { lines, why }) = events.lost() {
                    let lines = out::count(*lines as usize, "line", "lines");
                    out::warn(format_args!(
                        "{lines} could not be written to `{at}`: {why}; a report lacks these events"
                    ));
                }
            }
        }
    }
}

impl Listener for Progress {
    fn tell(&mut self, event: &Event<'_>) {
        if let Event::Opened { run, .. } = event {
            self.reopen(run);
        }
        // Record first, so that a slow terminal is not part of what is measured.
        self.record(event);
        match event {
            Event::Opened { run, bytes } => {
                self.line(&format!("staging run {run}"));
                self.bar(*bytes, "staging {bar:30} {bytes}/{total_bytes}");
            }
            Event::Wrote { bytes } => {
                if let Some(bar) = &self.bar {
                    bar.inc(*bytes);
                }
            }
            Event::Staged { .. } => self.finish_bar(),
            Event::BackedUp(backup) => self.line(&backed_up(backup)),
            Event::Committing => {
                self.committing = Some(Instant::now());
                self.line("committing");
                self.bar(self.operations, "committing {bar:30} {pos}/{len} {msg}");
            }
            Event::Step { step, direction } => {
                if let Some(step) = step {
                    let sign = match direction {
                        Direction::Forward => "",
                        Direction::Back => "back: ",
                    };
                    self.line(&format!("{sign}step {}: {}", step.id, Escaped(&step.title)));
                }
            }
            Event::Swapped {
                operations,
                direction,
                ..
            } => {
                operations
                    .iter()
                    .for_each(|operation| self.finished(operation, *direction));
            }
            Event::Answered { step, answer, .. } => {
                let how = match answer {
                    Answer::Done => "done",
                    Answer::Skipped => "skipped",
                    Answer::TakenBack => "taken back",
                };
                self.line(&format!("  manual step {} {how}", step.id));
            }
            Event::Turned { why, direction } => {
                self.finish_bar();
                if *direction == Direction::Back {
                    self.line(&format!("putting everything back: {}", Escaped(why)));
                }
            }
            Event::RestartDue { service, servers } => {
                let text = format!(
                    "restart due: {} on {}",
                    Escaped(service),
                    Escaped(&servers.join(", "))
                );
                self.line(&text);
            }
            Event::Notice { text } => {
                let text = format!("{}: {}", out::styled(out::WARN, "warning"), Escaped(text));
                self.line(&text);
            }
            Event::Closed { .. } => self.finish_bar(),
            Event::Sync { .. } | Event::Asked { .. } | Event::Compared(_) => {}
        }
    }

    fn is_stopped(&self) -> bool {
        self.wishes.signals.came()
    }

    fn stops_before(&self, step: &PlannedStep) -> bool {
        self.wishes
            .stop_before
            .as_ref()
            .is_some_and(|asked| asked.eq_ignore_ascii_case(&step.id))
    }

    fn on_failure(&self) -> OnFailure {
        self.wishes.on_failure
    }

    fn ask(&mut self, question: &Question<'_>) -> Reply {
        self.finish_bar();
        let step = question.step;
        let what = match question.direction {
            Direction::Forward => "to be done by hand",
            Direction::Back => "to be taken back by hand",
        };
        self.line(&format!(
            "\n{} {what}: {}",
            out::styled(out::BOLD, &step.id),
            Escaped(&step.title)
        ));
        for line in question.text.lines() {
            self.line(&format!("  {}", Escaped(line)));
        }
        if !question.servers.is_empty() {
            self.line(&format!("  on {}", question.servers.join(", ")));
        }
        if self
            .wishes
            .confirmed
            .iter()
            .any(|confirmed| confirmed.eq_ignore_ascii_case(&step.id))
        {
            return Reply::Done;
        }
        if self.wishes.manual_steps == ManualSteps::Done {
            let counts_as = match question.direction {
                Direction::Forward => "done",
                Direction::Back => "taken back",
            };
            self.line(&format!(
                "  this is a rehearsal, where it counts as {counts_as}"
            ));
            return Reply::Done;
        }
        if !prompts::can_ask() {
            return if question.optional {
                Reply::Skip
            } else {
                Reply::Stop
            };
        }
        loop {
            let choices = if question.optional {
                "[yes/skip/stop]"
            } else {
                "[yes/stop]"
            };
            let signals = &self.wishes.signals;
            match prompts::ask_unless(&format!("Is it done? {choices}"), || signals.came())
                .to_ascii_lowercase()
                .as_str()
            {
                "y" | "yes" => return Reply::Done,
                "skip" if question.optional => return Reply::Skip,
                // The end of input does not count as a yes.
                "stop" | "n" | "no" | "" => return Reply::Stop,
                _ => {}
            }
        }
    }
}

/// Describes a finished operation.
fn done(operation: &Operation, direction: Direction) -> String {
    let on = operation
        .server
        .as_ref()
        .map(|server| format!(" on {}", Escaped(server)))
        .unwrap_or_default();
    let (word, what) = match direction {
        Direction::Forward => (past(operation.kind), String::new()),
        Direction::Back => ("took back", format!("{} of ", operation.kind.word())),
    };
    format!("{word} {what}{}{on}", Escaped(&operation.target))
}

/// Returns the word for an operation that was done.
pub(crate) fn past(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Uninstall => "uninstalled",
        OperationKind::Install => "installed",
        OperationKind::Replace => "replaced",
        OperationKind::Copy => "copied",
        OperationKind::Run | OperationKind::Initialize => "ran",
        OperationKind::Start => "started",
        OperationKind::Stop => "stopped",
        OperationKind::Restart => "restarted",
        OperationKind::Enable => "enabled",
        OperationKind::Disable => "disabled",
        OperationKind::Accept => "accepted",
    }
}

/// Describes where a backup is, and how large.
pub(crate) fn backed_up(backup: &BackedUp) -> String {
    let files = out::count(backup.files, "replaced file", "replaced files");
    let directory = backup.directory.display().to_string();
    format!(
        "backup: {files} with {} bytes in {}",
        out::number(backup.bytes),
        Escaped(&directory)
    )
}
