//! What a run tells while it is under way: bars on a terminal, a line per finished operation
//! elsewhere, and `events.ndjson` in the run's folder.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::args::Rehearsing;
use super::backup::backed_up;
use super::out;
use super::signals::Signals;
use super::summary::past;
use crate::deployment::locked::side_file;
use crate::deployment::tree::Tree;
use crate::journal::Answer;
use crate::names::{RelPath, Shown};
use crate::plan::{Operation, Plan, PlannedStep};
use crate::run::{Event, Listener, OnFailure, Question, Reply};

/// Who answers at a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ManualSteps {
    /// A person.
    #[default]
    Asked,
    /// Nobody: in a rehearsal each counts as done, or as taken back.
    Done,
}

impl From<Rehearsing> for ManualSteps {
    fn from(rehearsing: Rehearsing) -> Self {
        if rehearsing.manual_steps_done { Self::Done } else { Self::Asked }
    }
}

/// Tells a run's events to the operator, and asks in front of manual steps.
pub(super) struct Progress {
    /// Where the events of the run are written.
    tree: Option<Tree>,
    wishes: Wishes,
    begun: Instant,
    bar: Option<ProgressBar>,
    operations: u64,
    events: Option<File>,
    /// When the first rename was due.
    pub(super) committing: Option<Instant>,
    /// The run's name.
    pub(super) run: Option<String>,
}

/// What the operator wants of a run beyond its plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// Steps that were confirmed on the command line.
    pub(super) confirmed: Vec<String>,
    pub(super) manual_steps: ManualSteps,
    /// The step before which the run stops.
    pub(super) stop_before: Option<String>,
    pub(super) on_failure: OnFailure,
    /// Where the files that will be replaced are backed up first.
    pub(super) backup: Option<PathBuf>,
    pub(super) signals: Signals,
}

impl Progress {
    pub(super) fn new(deployment: &Tree, plan: Option<&Plan>, wishes: Wishes) -> Self {
        Self {
            tree: deployment.again().ok(),
            wishes,
            begun: Instant::now(),
            bar: None,
            operations: plan.map_or(0, |plan| plan.operations().count() as u64),
            events: None,
            committing: None,
            run: None,
        }
    }

    /// Goes on writing the events of a run that was opened earlier.
    pub(super) fn reopen(&mut self, run: &str) {
        let at = RelPath::parse(&format!(".rollup/runs/{run}/events.ndjson")).ok();
        self.events = self.tree.as_ref().zip(at).and_then(|(tree, at)| side_file(tree, &at));
        self.run = Some(run.to_owned());
    }

    fn bar(&mut self, length: u64, template: &str) {
        self.finish_bar();
        if !std::io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
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

    /// Events are never needed: what cannot be written is dropped.
    fn record(&mut self, event: &Event<'_>) {
        let elapsed = self.begun.elapsed().as_micros();
        if let (Some(file), Some(Value::Object(mut line))) = (&mut self.events, as_json(event)) {
            line.insert("at".to_owned(), json!(jiff::Timestamp::now().to_string()));
            line.insert("elapsed_us".to_owned(), json!(elapsed));
            let _ = file.write_all(format!("{}\n", Value::Object(line)).as_bytes());
        }
    }

    /// The last line of the events: how the command ended.
    pub(super) fn end(&mut self, exit: super::exit::Exit) {
        self.finish_bar();
        if let Some(file) = &mut self.events {
            let line = json!({ "event": "ended", "at": jiff::Timestamp::now().to_string(),
                               "elapsed_us": self.begun.elapsed().as_micros(), "exit_code": exit as u8 });
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

impl Listener for Progress {
    fn tell(&mut self, event: &Event<'_>) {
        match event {
            Event::Opened { run, bytes } => {
                self.reopen(run);
                self.line(&format!("staging run {run}"));
                self.bar(*bytes, "staging {bar:30} {bytes}/{total_bytes}");
            }
            Event::Wrote { bytes } => {
                if let Some(bar) = &self.bar {
                    bar.inc(*bytes);
                }
            }
            Event::Staged => self.finish_bar(),
            Event::BackedUp(backup) => self.line(&backed_up(backup)),
            Event::Committing => {
                self.committing = Some(Instant::now());
                self.line("committing");
                self.bar(self.operations, "committing {bar:30} {pos}/{len} {msg}");
            }
            Event::Step { step, back } => {
                if let Some(step) = step {
                    let sign = if *back { "back: " } else { "" };
                    self.line(&format!("{sign}step {}: {}", step.id, Shown(&step.title)));
                }
            }
            Event::Done { operation, back } => match &self.bar {
                Some(bar) => {
                    bar.inc(1);
                    bar.set_message(operation.target.clone());
                }
                None => out::say(format_args!("  {}", done(operation, *back))),
            },
            Event::Answered { step, answer } => {
                let how = match answer {
                    Answer::Done => "done",
                    Answer::Skipped => "skipped",
                    Answer::TakenBack => "taken back",
                };
                self.line(&format!("  manual step {} {how}", step.id));
            }
            Event::Turned { why, .. } => {
                self.finish_bar();
                self.line(&format!("putting everything back: {}", Shown(why)));
            }
            Event::RestartDue { service, servers } => {
                let text = format!("restart due: {} on {}", Shown(service), Shown(&servers.join(", ")));
                self.line(&text);
            }
            Event::Notice { text } => {
                let text = format!("{}: {}", out::styled(out::WARN, "warning"), Shown(text));
                self.line(&text);
            }
            Event::Closed { .. } => self.finish_bar(),
        }
        self.record(event);
    }

    fn is_stopped(&self) -> bool {
        self.wishes.signals.came()
    }

    fn stops_before(&self, step: &PlannedStep) -> bool {
        self.wishes.stop_before.as_ref().is_some_and(|asked| asked.eq_ignore_ascii_case(&step.id))
    }

    fn on_failure(&self) -> OnFailure {
        self.wishes.on_failure
    }

    fn ask(&mut self, question: &Question<'_>) -> Reply {
        self.finish_bar();
        let step = question.step;
        let what = if question.back { "to be taken back by hand" } else { "to be done by hand" };
        self.line(&format!("\n{} {what}: {}", out::styled(out::BOLD, &step.id), Shown(&step.title)));
        for line in question.text.lines() {
            self.line(&format!("  {}", Shown(line)));
        }
        if !question.servers.is_empty() {
            self.line(&format!("  on {}", question.servers.join(", ")));
        }
        if self.wishes.confirmed.iter().any(|confirmed| confirmed.eq_ignore_ascii_case(&step.id)) {
            return Reply::Done;
        }
        if self.wishes.manual_steps == ManualSteps::Done {
            let counts_as = if question.back { "taken back" } else { "done" };
            self.line(&format!("  this is a rehearsal, where it counts as {counts_as}"));
            return Reply::Done;
        }
        if !out::can_ask() {
            return if question.optional { Reply::Skip } else { Reply::Stop };
        }
        loop {
            let choices = if question.optional { "[yes/skip/stop]" } else { "[yes/stop]" };
            let signals = &self.wishes.signals;
            match out::ask_unless(&format!("Is it done? {choices}"), || signals.came()).to_ascii_lowercase().as_str() {
                "y" | "yes" => return Reply::Done,
                "skip" if question.optional => return Reply::Skip,
                // The end of input is nobody's yes.
                "stop" | "" => return Reply::Stop,
                _ => {}
            }
        }
    }
}

/// A finished operation, in words.
fn done(operation: &Operation, back: bool) -> String {
    let on = operation.server.as_ref().map(|server| format!(" on {}", Shown(server))).unwrap_or_default();
    let word = if back { "took back" } else { past(operation.kind) };
    let what = if back { format!("{} of ", operation.kind.word()) } else { String::new() };
    format!("{word} {what}{}{on}", Shown(&operation.target))
}

fn as_json(event: &Event<'_>) -> Option<Value> {
    Some(match event {
        Event::Opened { run, bytes } => json!({ "event": "opened", "run": run, "bytes": bytes }),
        // Too many to keep; the bytes stand in `opened`.
        Event::Wrote { .. } => return None,
        Event::Staged => json!({ "event": "staged" }),
        Event::BackedUp(backup) => {
            json!({ "event": "backed-up", "folder": backup.folder, "files": backup.files, "bytes": backup.bytes })
        }
        Event::Committing => json!({ "event": "committing" }),
        Event::Step { step, back } => {
            json!({ "event": "step", "step": step.map(|step| &step.id), "back": back })
        }
        Event::Done { operation, back } => json!({
            "event": "operation", "kind": operation.kind.word(), "target": operation.target,
            "server": operation.server, "swap": operation.swap, "back": back }),
        Event::Answered { step, answer } => json!({ "event": "answered", "step": step.id, "answer": answer }),
        Event::Turned { back, why } => json!({ "event": "turned", "back": back, "why": why }),
        Event::RestartDue { service, servers } => {
            json!({ "event": "restart-due", "service": service, "servers": servers })
        }
        Event::Notice { text } => json!({ "event": "notice", "text": text }),
        Event::Closed { outcome } => {
            json!({ "event": "closed", "outcome": outcome })
        }
    })
}
