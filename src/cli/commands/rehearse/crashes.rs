//! `rehearse --crash-everywhere`: the processes that are killed, and the table of the results.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lab::{again, lab_now, not_prepared};
use crate::cli::answers::confirmations;
use crate::cli::args::{Format, Rehearse};
use crate::cli::exit::{Exit, Failure};
use crate::cli::job::{Job, preview_of, told_nothing};
use crate::cli::terminal::Signals;
use crate::cli::terminal::out;
use crate::journal::Direction;
use crate::manifest::Rollup;
use crate::names::Escaped;
use crate::plan::{Plan, Planned};
use crate::rehearse::{
    CrashError, Crashes, Failing, Lab, News, Place, Program, Report, Row, crash_everywhere,
};

/// Number of failing points that are listed one by one.
const TOLD: usize = 20;

/// Kills at every point, and shows the table.
pub(super) fn everywhere(
    args: &Rehearse,
    job: &Job,
    lab: &Lab,
    signals: &Signals,
) -> Result<Exit, Failure> {
    let plan = match preview_of(job)? {
        Planned::Plan(plan) => plan,
        Planned::Nothing(nothing) => {
            told_nothing(&nothing, Format::Text);
            return Ok(Exit::Ok);
        }
    };
    let confirmed = confirmations(&plan, &args.confirm, &again(args))?;
    let path = std::env::current_exe().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format_args!("cannot tell where this program lies: {error}"),
        )
    })?;
    let program = Program {
        path,
        apply: arguments(args, lab, &confirmed),
    };
    for step in plan.steps.iter().filter(|step| step.manual.is_some()) {
        out::say(format_args!(
            "manual step {} counts as done each time, or as taken back",
            step.id
        ));
    }
    let progress = Progress::default();
    let tell = |news: &News<'_>| progress.tell(news);
    let begun = Instant::now();
    lab.list_copies(&plan)
        .map_err(|error| not_prepared(&error, args))?;
    let crashes = Crashes {
        program: &program,
        deployment: &lab.deployment,
        directory: &args.lab,
        plan: &plan,
        tell: &tell,
        is_stopped: &|| signals.came(),
    };
    let report = crash_everywhere(crashes);
    progress.end();
    let report = report.map_err(|error| not_tried(&error, args))?;
    out::line(format_args!("\n{}", heading(args, job, &plan)));
    out::line(table(&report));
    out::line(legend(&report));
    out::say(format_args!("took {}", out::duration(begun.elapsed())));
    out::line(total(&report));
    if report.failing.is_empty() {
        Ok(Exit::Ok)
    } else {
        Err(failed(&report))
    }
}

/// Returns the arguments that every `apply` gets, as they would be typed.
fn arguments(args: &Rehearse, lab: &Lab, confirmed: &[String]) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![
        args.manifest.clone().into(),
        "-p".into(),
        lab.payload.clone().into(),
    ];
    let choices = args.choices;
    let flags = [
        (choices.include_missing, "--include-missing"),
        (choices.reapply, "--reapply"),
        (choices.allow_downgrade, "--allow-downgrade"),
    ];
    words.extend(
        flags
            .into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, flag)| flag.into()),
    );
    words.extend(
        confirmed
            .iter()
            .flat_map(|id| ["--confirm".into(), id.into()]),
    );
    words
}

/// Progress bar on a terminal; elsewhere a line for each row of the table.
#[derive(Default)]
struct Progress(Mutex<Option<ProgressBar>>);

impl Progress {
    fn tell(&self, news: &News<'_>) {
        let mut bar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match news {
            News::Begun { verb, points } if std::io::stderr().is_terminal() => {
                let template = "killing {msg} {bar:30} {pos}/{len}, {eta} to go";
                let style = ProgressStyle::with_template(template)
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
                let new =
                    ProgressBar::with_draw_target(Some(*points), ProgressDrawTarget::stderr());
                new.set_style(style);
                new.set_message(verb.to_string());
                *bar = Some(new);
            }
            News::Begun { .. } => {}
            News::Tried => bar.iter().for_each(|bar| bar.inc(1)),
            News::Row(row) => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
                let points = out::count(
                    usize::try_from(row.points).unwrap_or(usize::MAX),
                    "point",
                    "points",
                );
                let how = match row.failing {
                    0 => "all recover".to_owned(),
                    failing => format!("{} fail", out::number(failing)),
                };
                out::say(format_args!(
                    "killed in {}: {points}, {how}",
                    place(row.place)
                ));
            }
        }
    }

    fn end(&self) {
        if let Some(bar) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Staging => "apply, while staging",
        Place::Commit => "apply, while committing",
        Place::Resume => "resume",
        Place::Undo => "undo",
        Place::UndoFinished => "undo of the finished run",
    }
}

fn heading(args: &Rehearse, job: &Job, plan: &Plan) -> String {
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
fn table(report: &Report) -> String {
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

fn line(row: &Row) -> String {
    let number = |n: u64| out::number(n);
    format!(
        "{:25}{:>8}  {:>8}{:>9}  {:>8}{:>9}{:>9}",
        place(row.place),
        number(row.points),
        number(row.resumed.before),
        number(row.resumed.after),
        number(row.undone.before),
        number(row.undone.after),
        number(row.failing),
    )
}

fn legend(report: &Report) -> String {
    let entries = out::count(report.entries, "file or directory", "files and directories");
    let mut lines = vec![
        String::new(),
        "before  the tree as before the rollup: names, kinds, bytes, permissions, owners,"
            .to_owned(),
        "        times of files".to_owned(),
        "after   the tree as an apply leaves it that nothing disturbs, times left out".to_owned(),
        format!("Each time {entries} were compared."),
    ];
    for (step, points) in &report.stopped_behind {
        let points = out::count(
            usize::try_from(*points).unwrap_or(usize::MAX),
            "point",
            "points",
        );
        let text = format!(
            "At {points} `undo` stopped behind step `{step}`, which cannot be taken back, and `resume` went on."
        );
        lines.push(out::wrapped(&text, 80, ""));
    }
    if let Some(step) = &report.no_return {
        let text =
            format!("The finished run was not undone, since step `{step}` cannot be taken back.");
        lines.push(out::wrapped(&text, 80, ""));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn total(report: &Report) -> String {
    format!(
        "{} of {} points recover",
        out::number(report.recovering()),
        out::number(report.points())
    )
}

fn failed(report: &Report) -> Failure {
    let mut failure = Failure::new(Exit::Failed, "");
    failure.reasons = report.failing.iter().take(TOLD).map(told).collect();
    if let Some(more @ 1..) = report.failing.len().checked_sub(TOLD) {
        failure
            .reasons
            .push(format!("and {} more", out::number(more as u64)));
    }
    match &report.kept {
        None => failure,
        Some(kept) => failure
            .now(format!(
                "the first of them that was found is kept in {}",
                out::typed(kept)
            ))
            .next(format!(
                "`{}` tells what was done there",
                kept.join("what-happened.txt").display()
            )),
    }
}

fn told(failing: &Failing) -> String {
    let Failing {
        place: at,
        point,
        way,
        wrong,
    } = failing;
    let way = if *way == Direction::Forward {
        "resume"
    } else {
        "undo"
    };
    let place = place(*at);
    format!(
        "killed in {place} before change {}, then {way}: {}",
        out::number(*point),
        wrong.join("; ")
    )
}

fn not_tried(error: &CrashError, args: &Rehearse) -> Failure {
    match error {
        CrashError::Lab(error) => not_prepared(error, args),
        _ => Failure::new(Exit::Failed, error).now(format!(
            "the points were not all tried; {}",
            lab_now(&args.lab)
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::rehearse::Stood;

    /// Returns a report with many points in each row, none of which recovers.
    fn report() -> Report {
        let row = |place| Row {
            place,
            points: 123_456,
            resumed: Stood {
                before: 123_456,
                after: 0,
            },
            undone: Stood {
                before: 123_400,
                after: 123_456,
            },
            failing: 123_456,
        };
        let failing = |point| Failing {
            place: Place::Undo,
            point,
            way: Direction::Back,
            wrong: vec!["`a` is gone".to_owned()],
        };
        Report {
            rows: [
                Place::Staging,
                Place::Commit,
                Place::Resume,
                Place::Undo,
                Place::UndoFinished,
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
    fn failing_points_are_told_with_what_is_wrong_and_where_to_look() {
        let failure = failed(&report());
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(
            failure.reasons[0],
            "killed in undo before change 1, then undo: `a` is gone"
        );
        assert_eq!(
            failure.reasons.last().map(String::as_str),
            Some("and 5 more")
        );
        assert_eq!(
            failure.now.as_deref(),
            Some("the first of them that was found is kept in lab/first-failure")
        );
        assert_eq!(
            failure.next,
            ["`lab/first-failure/what-happened.txt` tells what was done there"]
        );
    }
}
