//! Progress of a run: its phases on a terminal, a line for each finished operation elsewhere, and
//! `events.ndjson` in the run's directory.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::choices::choices;
use super::console;
use super::display;
use super::out;
use super::prompts;
use super::signals::Signals;
use crate::cli::args::{ProgressMode, RehearsalChildArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::views::restarts::describe_restart;
use crate::cli::views::steps::{describe_answer, with_title};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::Tree;
use crate::events::{Began, DroppedEvents, Event, EventOperation, EventWriter, Pace};
use crate::journal::{AnswerSource, AskedOptions, Direction};
use crate::names::Escaped;
use crate::phase::{Phase, PhaseUnit};
use crate::plan::{ManualFile, OperationKind, PlannedStep};
use crate::run::{CompletedBackup, Listener, OnFailure, Question, Reply};

/// Source of the answer at a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ManualSteps {
    /// The operator, at a prompt.
    #[default]
    Prompted,
    /// No prompt: in a rehearsal each step counts as done, or as rolled back.
    AssumedDone,
}

impl From<RehearsalChildArgs> for ManualSteps {
    fn from(rehearsal: RehearsalChildArgs) -> Self {
        if rehearsal.manual_steps_done {
            Self::AssumedDone
        } else {
            Self::Prompted
        }
    }
}

/// Listener that prints a run's events, records them, and prompts at manual steps.
pub(crate) struct RunProgress {
    /// Deployment that the events of the run are written to.
    tree: Option<Tree>,
    options: RunOptions,
    begun: Instant,
    pace: Pace,
    /// Phase of the run, to show it again after a prompt.
    phase: Weak<Phase>,
    /// First line of the events, without the run's name.
    began: Began,
    events: Option<EventWriter>,
    /// Start of the commit, just before the first rename.
    pub(crate) committing: Option<Instant>,
    /// End of the staging, if this command staged.
    pub(crate) staged: Option<Instant>,
    /// Name of the run.
    pub(crate) run: Option<String>,
    /// Places of the failures, forward and backward.
    pub(crate) failed_at: FailurePlaces,
}

/// Places of the failures of a run: the step with the operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailurePlaces {
    pub(crate) forward: Option<String>,
    pub(crate) back: Option<String>,
}

/// Options of a run that are not part of its plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunOptions {
    /// Ids of the steps that `--done` answers, until the answer is used: it counts once.
    pub(crate) confirmed: Vec<String>,
    pub(crate) manual_steps: ManualSteps,
    /// Options that outlive the command.
    pub(crate) asked: AskedOptions,
    pub(crate) signals: Signals,
}

impl RunProgress {
    /// Begins the progress of a run. From now on all output of the process is queued.
    pub(crate) fn new(disk: &LockedDeployment, began: Began, options: RunOptions) -> Self {
        console::begin();
        Self {
            tree: disk.tree().try_clone().ok(),
            options,
            begun: Instant::now(),
            pace: Pace::of(disk),
            phase: Weak::new(),
            began,
            events: None,
            committing: None,
            staged: None,
            run: None,
            failed_at: FailurePlaces::default(),
        }
    }

    /// Writes the events of this run from now on, and prints their path.
    pub(crate) fn reopen(&mut self, run: &str) {
        self.run = Some(run.to_owned());
        let Some(tree) = &self.tree else { return };
        self.events = EventWriter::open(tree, run, self.begun, self.pace);
        if let Some(events) = &mut self.events {
            events.write(&Event::Began(Box::new(Began {
                run: run.to_owned(),
                ..self.began.clone()
            })));
            let path = tree.shown(Some(&ROLLUP_DIR.run(run).events()));
            if !choices().is_quiet {
                console::offer(&format!("events in {}", Escaped(&path)));
            }
        }
    }

    /// Shows the phase. Without a bar, a line for each finished operation shows how far a walk is.
    fn show_phase(&self) {
        let Some(phase) = self.phase.upgrade() else {
            return;
        };
        if display::mode() != ProgressMode::Plain || phase.unit == PhaseUnit::Bytes {
            console::show(&phase);
        }
    }

    /// Prints a line of progress, unless none is wanted.
    fn print(&self, line: &str) {
        if display::mode() != ProgressMode::None {
            console::offer(line);
        }
    }

    /// Prints the directory with the files of a manual step.
    fn show_files(&self, step: &PlannedStep) {
        let files: Vec<&ManualFile> = step
            .manual
            .iter()
            .flat_map(|manual| &manual.files)
            .collect();
        if let (false, Some(tree), Some(run)) = (files.is_empty(), &self.tree, &self.run) {
            let directory = tree.shown(Some(&ROLLUP_DIR.run(run).manual_step(&step.id)));
            console::offer(&format!("  files in {}:", Escaped(&directory)));
            for file in files {
                console::offer(&format!("    {file}"));
            }
        }
    }

    /// Prints an event, without waiting.
    fn show(&mut self, event: &Event) {
        match event {
            Event::Opened { run, .. } => self.print(&format!("staging run {run}")),
            Event::Staged { .. } => self.staged = Some(Instant::now()),
            Event::BackedUp {
                directory,
                files,
                bytes,
            } => console::offer(&backup_line(directory, *files, *bytes)),
            Event::Committing => {
                self.committing = Some(Instant::now());
                self.print("committing");
            }
            Event::Step { step, direction } => {
                let step = self
                    .began
                    .steps
                    .iter()
                    .find(|known| Some(&known.id) == step.as_ref());
                if let Some(step) = step {
                    let prefix = match direction {
                        Direction::Forward => "",
                        Direction::Back => "rollback of ",
                    };
                    let name = with_title(&step.id, &step.title);
                    self.print(&format!("{prefix}step {}", Escaped(&name)));
                }
            }
            Event::Swapped {
                operations,
                direction,
                ..
            } if display::mode() == ProgressMode::Plain => {
                for operation in operations {
                    self.print(&format!("  {}", describe_finished(operation, *direction)));
                }
            }
            Event::Answered {
                step,
                answer,
                by,
                from,
                ..
            } => {
                self.options.confirmed.retain(|id| id != step);
                let result = describe_answer(*answer, Some(by), *from);
                console::offer(&format!("  step {step} {}", Escaped(&result)));
            }
            Event::Turned {
                why,
                direction: Direction::Back,
            } => {
                let line = format!("rolling back: {}", Escaped(why));
                match why.as_str() {
                    // It was asked for.
                    "undo" => self.print(&line),
                    _ => console::offer(&line),
                }
            }
            Event::RestartRequired { service, servers } => {
                let servers = servers.iter().map(String::as_str);
                let restart = describe_restart(service.as_deref(), servers);
                console::offer(&format!("restart required: {}", Escaped(&restart)));
            }
            Event::Notice { text } => {
                let text = format!("{}: {}", out::styled(out::WARN, "warning"), Escaped(text));
                console::offer(&text);
            }
            Event::Began(_)
            | Event::Swapped { .. }
            | Event::Turned { .. }
            | Event::Closed { .. }
            | Event::Sync { .. }
            | Event::Asked { .. }
            | Event::Compared(_)
            | Event::Ended { .. } => {}
        }
    }

    /// Names the answers that were not used, and writes the last line of the events, with the exit code
    /// of the command.
    pub(crate) fn end<T>(&mut self, result: &anyhow::Result<T>) {
        for id in &self.options.confirmed {
            out::warn(format_args!(
                "`--done {id}` was not used: this command did not ask about step `{id}`"
            ));
        }
        let failure = result
            .as_ref()
            .err()
            .map(|error| Failure::of(error, self.tree.as_ref()));
        let exit = failure.as_ref().map_or(Exit::Ok, |failure| failure.exit);
        let reasons = failure.map(|failure| failure.reasons).unwrap_or_default();
        let dropped = self.events.take().map(|events| {
            events.finish(&Event::Ended {
                exit_code: exit as u8,
                exit: exit.name().to_owned(),
                reasons,
            })
        });
        self.warn_of_dropped_events(dropped);
    }

    /// Warns of events that could not be written, as a report of the run lacks them; `None` if
    /// there is no file of events.
    fn warn_of_dropped_events(&self, dropped: Option<Option<DroppedEvents>>) {
        let (Some(tree), Some(run)) = (&self.tree, &self.run) else {
            return;
        };
        let at = tree.shown(Some(&ROLLUP_DIR.run(run).events()));
        match dropped {
            None => out::warn(format_args!(
                "the events of this command are not recorded: cannot write `{at}`"
            )),
            Some(None) => {}
            Some(Some(DroppedEvents { lines, why })) => {
                let lines = out::count(lines as usize, "line");
                out::warn(format_args!(
                    "{lines} could not be written to `{at}`: {why}; a report will lack them"
                ));
            }
        }
    }
}

impl Listener for RunProgress {
    fn report(&mut self, event: &Event) {
        if let Event::Opened { run, .. } = event {
            self.reopen(run);
        }
        // Record first, so that a slow terminal is not part of the measured times.
        if let Some(events) = &mut self.events {
            events.write(event);
        }
        self.show(event);
        if self.pace == Pace::Sequential {
            console::settle();
        }
    }

    fn phase(&mut self, phase: &Arc<Phase>) {
        self.phase = Arc::downgrade(phase);
        self.show_phase();
    }

    fn is_stopped(&self) -> bool {
        self.options.signals.is_received()
    }

    fn stops_before(&self, step: &PlannedStep) -> bool {
        self.options
            .asked
            .stop_before
            .as_ref()
            .is_some_and(|word| step.may_be(word))
    }

    fn on_failure(&self) -> OnFailure {
        if self.options.asked.stop_on_failure {
            OnFailure::Stop
        } else {
            OnFailure::Undo
        }
    }

    fn failed(&mut self, direction: Direction, place: &str) {
        let failed_at = match direction {
            Direction::Forward => &mut self.failed_at.forward,
            Direction::Back => &mut self.failed_at.back,
        };
        *failed_at = Some(place.to_owned());
    }

    fn source(&self, question: &Question<'_>) -> AnswerSource {
        let id = &question.step.id;
        if self.options.confirmed.contains(id) {
            AnswerSource::CommandLine
        } else if self.options.manual_steps == ManualSteps::AssumedDone {
            AnswerSource::Rehearsal
        } else if prompts::can_ask() {
            AnswerSource::Terminal
        } else {
            AnswerSource::NoTerminal
        }
    }

    fn ask(&mut self, question: &Question<'_>) -> Reply {
        console::hide();
        let reply = self.prompt(question);
        self.show_phase();
        reply
    }
}

impl RunProgress {
    /// Describes a manual step, and asks about it if no answer is known.
    fn prompt(&self, question: &Question<'_>) -> Reply {
        let step = question.step;
        let action = match question.direction {
            Direction::Forward => "to be done by hand",
            Direction::Back => "to be rolled back by hand",
        };
        let id = out::styled(out::BOLD, &step.id);
        let title = if step.title == step.id {
            String::new()
        } else {
            format!(": {}", Escaped(&step.title))
        };
        console::offer(&format!("\n{id} {action}{title}"));
        for line in question.text.lines() {
            console::offer(&format!("  {}", Escaped(line)));
        }
        if !question.servers.is_empty() {
            console::offer(&format!("  on {}", question.servers.join(", ")));
        }
        self.show_files(step);
        match self.source(question) {
            AnswerSource::CommandLine | AnswerSource::Rehearsal => return Reply::Done,
            AnswerSource::NoTerminal if question.optional => return Reply::Skip,
            AnswerSource::NoTerminal => return Reply::Stop,
            AnswerSource::Terminal | AnswerSource::Slots => {}
        }
        loop {
            let choices = if question.optional {
                "[yes/skip/stop]"
            } else {
                "[yes/stop]"
            };
            let signals = &self.options.signals;
            let prompt = format!("Is it done? {choices}");
            let answer = prompts::ask_unless(&prompt, || signals.is_received());
            match answer.to_ascii_lowercase().as_str() {
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
fn describe_finished(operation: &EventOperation, direction: Direction) -> String {
    let target = out::on_servers(&operation.target, operation.server.as_deref());
    let kind = operation.kind;
    let (sign, action) = match direction {
        Direction::Forward => (kind.sign(), past_tense(kind).to_owned()),
        Direction::Back => {
            let (sign, word) = kind.inverse();
            (sign, format!("{word}d"))
        }
    };
    format!("{} {action} {target}", out::signed(sign))
}

/// Returns the past tense of an operation: `installed`.
pub(crate) fn past_tense(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Uninstall => "uninstalled",
        OperationKind::Install => "installed",
        OperationKind::Replace => "replaced",
        OperationKind::Copy => "copied",
        OperationKind::Run | OperationKind::Initialize => "ran",
        OperationKind::Store => "stored",
        OperationKind::Start => "started",
        OperationKind::Stop => "stopped",
        OperationKind::Enable => "enabled",
        OperationKind::Disable => "disabled",
        OperationKind::Accept => "accepted",
    }
}

/// Describes the size of a backup, and its path.
pub(crate) fn describe_backup(backup: &CompletedBackup) -> String {
    let directory = backup.directory.display().to_string();
    backup_line(&directory, backup.files as u64, backup.bytes)
}

fn backup_line(directory: &str, files: u64, bytes: u64) -> String {
    let files = out::count(files as usize, "replaced file");
    format!(
        "backup: {files} with {} in {}",
        out::size(bytes),
        Escaped(directory)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Answer;

    #[test]
    fn an_answer_of_the_command_line_counts_once() {
        let step: PlannedStep = serde_json::from_value(serde_json::json!({
            "id": "check", "title": "check", "action": "manual", "line": 1,
            "operations": [], "nothing": [], "left_out": [], "manual": null,
        }))
        .expect("a step");
        let question = |direction| Question {
            step: &step,
            text: "Check it.",
            optional: false,
            servers: &[],
            direction,
        };
        let mut progress = RunProgress {
            tree: None,
            options: RunOptions {
                confirmed: vec!["check".to_owned()],
                ..RunOptions::default()
            },
            begun: Instant::now(),
            pace: Pace::Queued,
            phase: Weak::new(),
            began: serde_json::from_value(serde_json::json!({
                "schema": 1, "command": "resume", "run": "", "tool": "", "user": "", "host": "",
                "deployment": "", "subject": { "accept": { "reason": "" } }, "plan": null,
                "expected": null, "swaps": 0, "steps": [],
            }))
            .expect("a first line"),
            events: None,
            committing: None,
            staged: None,
            run: None,
            failed_at: FailurePlaces::default(),
        };
        let forward = question(Direction::Forward);
        assert_eq!(progress.source(&forward), AnswerSource::CommandLine);
        progress.report(&Event::Answered {
            step: "check".to_owned(),
            answer: Answer::Done,
            by: String::new(),
            from: Some(AnswerSource::CommandLine),
            waited_us: 0,
        });
        // A later step fails: the rollback asks a person, and has no answer yet.
        let back = question(Direction::Back);
        assert_ne!(progress.source(&back), AnswerSource::CommandLine);
    }
}
