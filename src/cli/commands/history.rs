//! `history`: the runs of a deployment, or everything recorded of one.

use serde_json::{Value, json};

use crate::cli::args::{Format, History};
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::named::{Newest, choose};
use crate::cli::terminal::out::{self, BOLD, DIM, GOOD, WARN, count, number, styled};
use crate::deployment::tree::Tree;
use crate::events;
use crate::journal::{
    About, Accepted, Answer, Direction, Entry, Outcome, Quarantine, Record, Run, RunState,
    quarantined,
};
use crate::names::Escaped;
use crate::plan::{Plan, PlannedRollup};
use crate::run::{describe_state, kept, load_plan, no_return};

/// Runs `rollup history`.
pub(super) fn history(args: &History) -> Result<Exit, Failure> {
    let site = inputs::run_site(args.deployment.deployment.as_deref())?;
    site.warn();
    let (runs, no_return) = inputs::quietly(&site.tree, || {
        let runs = inputs::sound_runs(&site.tree)?;
        let no_return = no_return(&site.tree, &runs).map_err(|error| inputs::not_begun(&error))?;
        Ok((runs, no_return))
    })?;
    if let Some(named) = &args.run {
        let run = choose(&runs, named, Newest::Any)?;
        let one = One::of(&site.tree, run, no_return.get(&run.number))?;
        match args.format {
            Format::Json => out::line(format_args!("{:#}", one.json())),
            Format::Text => one.text(),
        }
        return Ok(Exit::Ok);
    }
    let quarantined = quarantined(&site.tree).map_err(|error| inputs::disk(&error))?;
    if args.format == Format::Json {
        let runs: Vec<Value> = runs
            .iter()
            .map(|run| run_json(run, no_return.get(&run.number)))
            .collect();
        let quarantine: Vec<Value> = quarantined
            .iter()
            .map(|(name, said)| quarantined_json(name, said.as_ref()))
            .collect();
        let document = json!({ "schema": 1, "outcome": "ok", "exit_code": 0, "changed": false, "runs": runs, "quarantined": quarantine });
        out::line(format_args!("{document:#}"));
        return Ok(Exit::Ok);
    }
    if runs.is_empty() {
        out::line("no run yet");
    }
    for run in &runs {
        let opened = run.journal.opened();
        let at = run
            .journal
            .entries
            .first()
            .map_or("", |entry| entry.at.as_str());
        let by = opened
            .map(|opened| format!("{} on {}", Escaped(&opened.user), Escaped(&opened.host)))
            .unwrap_or_default();
        let plan = opened
            .map(|opened| opened.plan.to_string())
            .unwrap_or_default();
        out::line(format_args!(
            "{}  {}  {at}  by {by}",
            styled(BOLD, run.name()),
            styled(style(run), describe_state(run))
        ));
        let about = about(opened.map(|opened| &opened.about));
        let undo = match no_return.get(&run.number) {
            Some(why) => format!("; cannot be undone any more: {}", Escaped(why)),
            None if can_be_undone(run) => "; can be undone".to_owned(),
            None => String::new(),
        };
        let about = format!("{about}; plan {plan}{undo}");
        out::line(format_args!(
            "    {}",
            out::wrapped(&about, out::width() - 4, "    ")
        ));
        if let Some(Accepted { by, reason, .. }) = accepted(run) {
            let text = format!("closed as it stood by {}: {}", Escaped(by), Escaped(reason));
            out::line(format_args!(
                "    {}",
                out::wrapped(&text, out::width() - 4, "    ")
            ));
        }
    }
    for (name, said) in &quarantined {
        let at = said.as_ref().map_or("", |said| said.at.as_str());
        out::line(format_args!(
            "{}  {}  {at}",
            styled(BOLD, Escaped(name)),
            styled(WARN, "quarantined: not a run any more")
        ));
        if let Some(said) = said {
            let text = format!(
                "by {}: {}; {}",
                Escaped(&said.by),
                Escaped(&said.reason),
                Escaped(&said.because)
            );
            out::line(format_args!(
                "    {}",
                out::wrapped(&text, out::width() - 4, "    ")
            ));
        }
    }
    if runs.iter().any(Run::is_open) {
        out::line("a run is open: `rollup status` says what to type");
    }
    Ok(Exit::Ok)
}

fn style(run: &Run) -> anstyle::Style {
    match run.state() {
        RunState::Closed(Outcome::Applied) => GOOD,
        RunState::Closed(_) => DIM,
        _ => WARN,
    }
}

/// Describes the subject of a run.
fn about(about: Option<&About>) -> String {
    match about {
        Some(About::Rollup(PlannedRollup {
            kb,
            revision,
            title,
            ..
        })) => {
            format!("{kb} revision {revision}: {}", Escaped(title))
        }
        Some(About::Accept { reason }) => format!("accept what lay on disk: {}", Escaped(reason)),
        None => "it died before it said what it was".to_owned(),
    }
}

/// Returns the acceptance that closed the run in its current state, if one did.
fn accepted(run: &Run) -> Option<&Accepted> {
    match run.journal.last()? {
        Record::Closed { accepted, .. } => accepted.as_ref(),
        _ => None,
    }
}

/// Returns whether a run has something to undo.
fn can_be_undone(run: &Run) -> bool {
    !matches!(
        run.state(),
        RunState::Closed(Outcome::Undone | Outcome::Accepted)
    )
}

fn run_json(run: &Run, no_return: Option<&String>) -> Value {
    let measured = run
        .journal
        .entries
        .iter()
        .rev()
        .find_map(|entry| match &entry.record {
            Record::Closed { measured, .. } => Some(measured),
            _ => None,
        });
    let reason = match run.journal.opened().map(|opened| &opened.about) {
        Some(About::Accept { reason }) => Some(reason),
        _ => accepted(run).map(|accepted| &accepted.reason),
    };
    json!({ "run": run.name(), "number": run.number, "kb": run.kb, "state": run.state().word(),
            "opened": run.journal.entries.first().map(|entry| &entry.at),
            "closed": measured.and(run.journal.entries.last().map(|entry| &entry.at)),
            "plan": run.journal.opened().map(|opened| &opened.plan), "measured": measured,
            "undoable": can_be_undone(run) && no_return.is_none(), "no_return": no_return, "reason": reason })
}

fn quarantined_json(name: &str, said: Option<&Quarantine>) -> Value {
    json!({ "directory": name, "at": said.map(|said| &said.at), "by": said.map(|said| &said.by),
            "reason": said.map(|said| &said.reason), "because": said.map(|said| &said.because) })
}

/// Everything recorded of one run.
struct One<'a> {
    tree: &'a Tree,
    run: &'a Run,
    no_return: Option<&'a String>,
    /// Plan of the run, or why it cannot be used.
    plan: Result<Plan, String>,
    /// Bytes of the old objects that the run keeps.
    kept: Option<u64>,
}

impl<'a> One<'a> {
    fn of(tree: &'a Tree, run: &'a Run, no_return: Option<&'a String>) -> Result<Self, Failure> {
        let plan = load_plan(tree, &run.directory).map_err(|error| error.to_string());
        // The slots of an open run are still changing.
        let kept = match run.is_open() {
            true => None,
            false => kept(tree, run).map_err(|error| inputs::disk(&error))?,
        };
        Ok(Self {
            tree,
            run,
            no_return,
            plan,
            kept,
        })
    }

    /// Returns the path of a file in the run's directory, as found on disk.
    fn at(&self, name: &str) -> String {
        self.tree.shown(self.run.directory.join(name).ok().as_ref())
    }

    fn events(&self) -> String {
        events::path_of(self.run.name())
            .map(|at| self.tree.shown(Some(&at)))
            .unwrap_or_default()
    }

    fn report(&self) -> String {
        format!(
            "rollup report {} -d {}",
            self.run.number,
            out::typed(self.tree.path())
        )
    }

    fn json(&self) -> Value {
        let mut document = run_json(self.run, self.no_return);
        let steps = self.plan.as_ref().ok().map(|plan| {
            let steps = plan.steps.iter().map(|step| {
                json!({ "id": step.id, "title": step.title, "action": step.action, "operations": step.operations.len() })
            });
            steps.collect::<Vec<_>>()
        });
        let more = json!({ "schema": 1, "outcome": Exit::Ok.name(), "exit_code": Exit::Ok as u8, "changed": false,
            "records": self.run.journal.entries, "steps": steps, "plan_fault": self.plan.as_ref().err(),
            "old_objects": self.kept, "directory": self.tree.shown(Some(&self.run.directory)), "events": self.events(),
            "report": self.report() });
        if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
            document.extend(more);
        }
        document
    }

    fn text(&self) {
        let run = self.run;
        out::line(format_args!(
            "{}  {}",
            styled(BOLD, run.name()),
            styled(style(run), describe_state(run))
        ));
        let opened = run.journal.opened();
        line(&about(opened.map(|opened| &opened.about)));
        if let Some(opened) = opened {
            line(&format!(
                "by {} on {}, with rollup {}",
                Escaped(&opened.user),
                Escaped(&opened.host),
                Escaped(&opened.tool)
            ));
            line(&format!("plan {}", opened.plan));
            if !opened.confirmed.is_empty() {
                line(&format!(
                    "confirmed before: {}",
                    Escaped(&opened.confirmed.join(", "))
                ));
            }
        }
        line(&match self.no_return {
            Some(why) => format!("cannot be undone any more: {}", Escaped(why)),
            None if can_be_undone(run) => "can be undone".to_owned(),
            None => "there is nothing of it to undo".to_owned(),
        });
        out::line(styled(BOLD, "records"));
        run.journal
            .entries
            .iter()
            .for_each(|entry| line(&format!("{}  {}", entry.at, record(entry))));
        match &self.plan {
            Err(fault) => line(&format!("its plan cannot be used: {}", Escaped(fault))),
            Ok(plan) => {
                out::line(styled(BOLD, "steps"));
                for (at, step) in plan.steps.iter().enumerate() {
                    let operations = match step.manual {
                        Some(_) => "by hand".to_owned(),
                        None => count(step.operations.len(), "operation", "operations"),
                    };
                    line(&format!(
                        "{}. {}: {}; {operations}",
                        at + 1,
                        Escaped(&step.id),
                        Escaped(&step.title)
                    ));
                }
                let expected = plan
                    .expected_state
                    .as_ref()
                    .map(|expected_state| expected_state.digest);
                line(&expected.map_or(String::new(), |digest| format!("expected {digest}")));
            }
        }
        out::line(styled(BOLD, "where to look"));
        let places = [
            ("directory", self.tree.shown(Some(&run.directory))),
            ("plan", self.at("plan.json")),
            ("events", self.events()),
        ];
        places
            .iter()
            .for_each(|(name, path)| out::line(format_args!("  {name:<8}{}", Escaped(path))));
        if let Some(bytes) = self.kept {
            // A rollback restores the old objects and moves the new ones into the slots.
            let what = if run.state() == RunState::Closed(Outcome::Undone) {
                "what was taken back"
            } else {
                "old objects"
            };
            out::line(format_args!(
                "  {:<8}{} bytes of {what}",
                "slots",
                number(bytes)
            ));
        }
        out::line(format_args!("  {:<8}{}", "report", self.report()));
    }
}

/// Prints a line of the description of a run.
fn line(text: &str) {
    if !text.is_empty() {
        out::line(format_args!(
            "  {}",
            out::wrapped(text, out::width(), "    ")
        ));
    }
}

/// Describes a record.
fn record(entry: &Entry) -> String {
    match &entry.record {
        Record::Opened(_) => "opened".to_owned(),
        Record::Staged { .. } => "staged".to_owned(),
        Record::Committing => "committing".to_owned(),
        Record::Confirmed { step, by, answer } => {
            let answer = match answer {
                Answer::Done => "done",
                Answer::Skipped => "skipped",
                Answer::TakenBack => "taken back",
            };
            format!(
                "manual step {}: {answer}, says {}",
                Escaped(step),
                Escaped(by)
            )
        }
        Record::Turned {
            direction: Direction::Forward,
            why,
        } => format!("turned forward: {}", Escaped(why)),
        Record::Turned {
            direction: Direction::Back,
            why,
        } => format!("turned back: {}", Escaped(why)),
        Record::Reopened { why, unmanaged } => {
            let files = count(unmanaged.len(), "operator's file", "operator's files");
            format!("reopened: {}; {files} to move along", Escaped(why))
        }
        Record::Closed {
            outcome,
            measured,
            accepted,
        } => {
            let outcome = match outcome {
                Outcome::Applied => "applied".to_owned(),
                Outcome::Undone => "undone".to_owned(),
                Outcome::Accepted => match accepted {
                    Some(Accepted { by, reason, .. }) => {
                        format!("as it stood, by {}: {}", Escaped(by), Escaped(reason))
                    }
                    None => "as it stood".to_owned(),
                },
            };
            format!("closed, {outcome}; measured {measured}")
        }
    }
}
