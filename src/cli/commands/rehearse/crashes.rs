//! `rehearse --crash-everywhere`: the processes that are killed, and the table of the results.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::answers::confirmations;
use crate::cli::args::RehearseArgs;
use crate::cli::envelope::show;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::job::{Job, preview_or_report};
use crate::cli::signed::{REHEARSAL, requires_approvals};
use crate::cli::terminal::Signals;
use crate::cli::terminal::console;
use crate::cli::terminal::out;
use crate::journal::Direction;
use crate::manifest::Rollup;
use crate::names::{Digest, Escaped};
use crate::phase::Phase;
use crate::plan::Plan;
use crate::rehearse::{
    CrashPhase, CrashProgress, CrashRehearsal, CrashReport, CrashRow, FailedPoint, Lab, Program,
    crash_everywhere,
};

/// Number of failing points that are listed one by one.
const MOST_FAILED_POINTS: usize = 20;

/// Kills at every point, and shows the table.
pub(super) fn everywhere(
    args: &RehearseArgs,
    job: &Job,
    confirm: &[String],
    lab: &Lab,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    let Some(plan) = preview_or_report(job, args.format)? else {
        return Ok(Exit::Ok);
    };
    let confirmed = confirmations(&plan, confirm)?;
    let path = std::env::current_exe().context("cannot find the path of this program")?;
    let program = Program {
        path,
        apply: arguments(job, &confirmed),
    };
    for step in plan.steps.iter().filter(|step| step.manual.is_some()) {
        out::message(format_args!(
            "manual step {} counts as done every time, or as rolled back",
            step.id
        ));
    }
    let counting = console::phase(Phase::unmeasured("counting the changes of an apply"));
    let display = CrashProgressDisplay(Mutex::new(Some(counting)));
    let on_progress = |progress: &CrashProgress<'_>| display.show(progress);
    let begun = Instant::now();
    lab.list_copies(&plan)?;
    let crashes = CrashRehearsal {
        program: &program,
        deployment: &lab.deployment,
        directory: &args.lab,
        plan: &plan,
        on_progress: &on_progress,
        is_stopped: &|| signals.is_received(),
    };
    let report = crash_everywhere(crashes);
    drop(display);
    let report = report.context("not all points were tried")?;
    out::line(format_args!("\n{}", heading(args, job, &plan)));
    out::line(table(&report));
    out::line(legend(&report));
    out::message(format_args!("took {}", out::duration(begun.elapsed())));
    out::line(total(&report));
    if report.failing.is_empty() {
        let content = CrashDocument {
            plan: plan.digest,
            points: report.points(),
            report: &report,
        };
        show(args.format, Exit::Ok, content, |_| {});
        Ok(Exit::Ok)
    } else {
        Err(failed(&report).into())
    }
}

/// Content of the document of a crash rehearsal in which every point recovers.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Rehearsal of crashes")]
pub(in crate::cli) struct CrashDocument<'a> {
    /// Digest of the plan.
    plan: Option<Digest>,
    /// Number of changes of the disk at which a command was killed.
    points: u64,
    #[serde(flatten)]
    report: &'a CrashReport,
}

/// Returns the arguments that every `apply` gets, as they would be typed.
fn arguments(job: &Job, confirmed: &[String]) -> Vec<OsString> {
    let typed = &job.typed;
    let mut words: Vec<OsString> = Vec::new();
    words.extend(typed.manifest.clone().map(OsString::from));
    if let Some(payload) = &typed.payload {
        words.extend(["-p".into(), payload.clone().into()]);
    }
    words.extend(job.choices.flags().into_iter().map(OsString::from));
    for id in confirmed {
        words.extend(["--confirm".into(), id.into()]);
    }
    if requires_approvals(&job.site.description) {
        words.extend(["--without-approval".into(), REHEARSAL.into()]);
    }
    words
}

/// Phase of the command that is killed, and a line for each row of the table.
struct CrashProgressDisplay(Mutex<Option<Arc<Phase>>>);

impl CrashProgressDisplay {
    fn show(&self, progress: &CrashProgress<'_>) {
        let mut killing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            CrashProgress::Begun { command, points } => {
                let name = format!("killing {command}");
                let new = Phase::items(&name, "points", *points, "comparing");
                *killing = Some(console::phase(new));
            }
            CrashProgress::PointTried => killing.iter().for_each(|phase| phase.advance(1)),
            CrashProgress::PhaseTried(row) => {
                *killing = None;
                let (phase, points) = (phase(row.phase), count_points(row.points));
                let how = match row.failing {
                    0 => "all recover".to_owned(),
                    failing => format!("{} fail", out::number(failing)),
                };
                out::message(format_args!("killed in {phase}: {points}, {how}"));
            }
        }
    }
}

fn count_points(points: u64) -> String {
    out::count(points as usize, "point")
}

fn phase(phase: CrashPhase) -> &'static str {
    match phase {
        CrashPhase::Staging => "apply, while staging",
        CrashPhase::Commit => "apply, while committing",
        CrashPhase::Resume => "resume",
        CrashPhase::Undo => "undo",
        CrashPhase::UndoFinished => "undo of the finished run",
    }
}

fn heading(args: &RehearseArgs, job: &Job, plan: &Plan) -> String {
    let of = match args.deployment {
        Some(_) => format!("a copy of {}", Escaped(&plan.deployment)),
        None => format!("the sample {}", Escaped(&plan.deployment)),
    };
    let Rollup { kb, revision, .. } = &job.loaded.manifest.rollup;
    let digest = plan
        .digest
        .map(|digest| format!("plan {digest}\n"))
        .unwrap_or_default();
    format!(
        "{kb} revision {revision}, on {of}\n{digest}killed at every change of the disk, and recovered both ways:\n"
    )
}

/// Formats the rows under their headings, to fit a screen of 80 columns.
fn table(report: &CrashReport) -> String {
    let mut lines = vec![
        format!(
            "{:33}  {:>17}  {:>17}",
            "", "then by resume", "then by undo"
        ),
        format!(
            "{:25}{:>8}  {:>8}{:>9}  {:>8}{:>9}{:>9}",
            "killed in", "points", "before", "after", "before", "after", "failing"
        ),
    ];
    lines.extend(report.rows.iter().map(line));
    lines.join("\n")
}

fn line(row: &CrashRow) -> String {
    let (resumed, undone) = (&row.resumed, &row.undone);
    let [points, before, after, undo_before, undo_after, failing] = [
        row.points,
        resumed.before,
        resumed.after,
        undone.before,
        undone.after,
        row.failing,
    ]
    .map(out::number);
    let phase = phase(row.phase);
    format!(
        "{phase:25}{points:>8}  {before:>8}{after:>9}  {undo_before:>8}{undo_after:>9}{failing:>9}"
    )
}

fn legend(report: &CrashReport) -> String {
    let entries = out::count_of(report.entries, "file or directory", "files and directories");
    let mut lines = vec![
        String::new(),
        "before  the tree as before the rollup: names, kinds, bytes, permissions, owners,"
            .to_owned(),
        "        times of files".to_owned(),
        "after   the tree as an undisturbed apply leaves it, without times".to_owned(),
        format!("Each time {entries} were compared."),
    ];
    for (step, points) in &report.stopped_behind {
        let points = count_points(*points);
        let text = format!(
            "At {points} `undo` stopped behind step `{step}`, which cannot be rolled back, and `resume` continued."
        );
        lines.push(out::wrapped(&text, 80, ""));
    }
    if let Some(step) = &report.no_return {
        let text =
            format!("The finished run was not undone, since step `{step}` cannot be rolled back.");
        lines.push(out::wrapped(&text, 80, ""));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn total(report: &CrashReport) -> String {
    format!(
        "{} of {} points recover",
        out::number(report.recovering()),
        out::number(report.points())
    )
}

fn failed(report: &CrashReport) -> Failure {
    let lines = report.failing.iter().map(failed_point_line);
    let reasons = out::first_few(lines, MOST_FAILED_POINTS);
    let failure = Failure::because(Exit::Failed, reasons);
    match &report.kept {
        None => failure,
        Some(kept) => failure.next(format!(
            "look at {}, which keeps the first failing point; `commands.txt` there lists the commands that were run",
            out::shell_quoted(kept)
        )),
    }
}

fn failed_point_line(failing: &FailedPoint) -> String {
    let direction = match failing.direction {
        Direction::Forward => "resume",
        Direction::Back => "undo",
    };
    let (phase, point) = (phase(failing.phase), out::number(failing.point));
    let differences = failing.differences.join("; ");
    format!("killed in {phase} before change {point}, then {direction}: {differences}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::rehearse::RecoveredTrees;

    /// Returns a report with many points in each row, none of which recovers.
    fn report() -> CrashReport {
        let row = |phase| CrashRow {
            phase,
            points: 123_456,
            resumed: RecoveredTrees {
                before: 123_456,
                after: 0,
            },
            undone: RecoveredTrees {
                before: 123_400,
                after: 123_456,
            },
            failing: 123_456,
        };
        let failing = |point| FailedPoint {
            phase: CrashPhase::Undo,
            point,
            direction: Direction::Back,
            differences: vec!["`a` is missing".to_owned()],
        };
        CrashReport {
            rows: [
                CrashPhase::Staging,
                CrashPhase::Commit,
                CrashPhase::Resume,
                CrashPhase::Undo,
                CrashPhase::UndoFinished,
            ]
            .map(row)
            .to_vec(),
            failing: (1..=25).map(failing).collect(),
            kept: Some("lab/first-failure".into()),
            stopped_behind: BTreeMap::from([("a-step-with-quite-a-long-name".to_owned(), 123)]),
            no_return: Some("a-step-with-quite-a-long-name".to_owned()),
            entries: 123_456,
        }
    }

    #[test]
    fn the_table_fits_80_columns_and_has_no_loose_ends() {
        let report = report();
        let text = format!(
            "{}\n{}\n{}",
            table(&report),
            legend(&report),
            total(&report)
        );
        for line in text.lines() {
            assert!(
                line.chars().count() <= 80 && line.trim_end() == line,
                "`{line}`"
            );
        }
    }

    #[test]
    fn failing_points_are_reported_with_their_differences_and_the_place_to_look() {
        let failure = failed(&report());
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(
            failure.reasons[0],
            "killed in undo before change 1, then undo: `a` is missing"
        );
        assert_eq!(
            failure.reasons.last().map(String::as_str),
            Some("and 5 more")
        );
        assert_eq!(
            failure.next,
            [
                "look at lab/first-failure, which keeps the first failing point; `commands.txt` there \
                 lists the commands that were run"
            ]
        );
    }
}
