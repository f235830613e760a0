//! Common clock for the lines of all commands.
//!
//! Within a command the monotonic clock counts. It starts again with every command, so the time
//! between two commands is measured by the wall clock; if the wall clock went back, the next
//! command begins when the last one ended.

use jiff::Timestamp;

use super::summary::{Session, TimeSpan};
use super::{Event, EventLine};

/// Lines on one clock, and the commands that wrote them.
pub(super) struct Timeline<'a> {
    pub(super) moments: Vec<Moment<'a>>,
    pub(super) sessions: Vec<Session>,
    /// Index of the last command that did something to the run.
    pub(super) last_at_work: Option<usize>,
}

/// Line with its time on the common clock.
pub(super) struct Moment<'a> {
    /// Microseconds since the command of the first line began.
    pub(super) us: u64,
    /// Time at which the command began that wrote it.
    pub(super) began_us: u64,
    /// Index of that command.
    pub(super) session: usize,
    pub(super) line: &'a EventLine,
}

/// Converts the times of lines to one clock.
pub(super) fn timeline<'a>(lines: &'a [EventLine], missing: &mut Vec<String>) -> Timeline<'a> {
    let mut all = Timeline {
        moments: Vec::with_capacity(lines.len()),
        sessions: Vec::new(),
        last_at_work: None,
    };
    let mut origin: Option<Timestamp> = None;
    let mut last_us = 0;
    let mut is_over = true;
    let mut went_back = false;
    for line in lines {
        let begins = matches!(line.event, Event::Began(_));
        let elapsed_before = all
            .moments
            .last()
            .map_or(0, |last: &Moment<'_>| last.line.elapsed_us);
        if is_over || begins || line.elapsed_us < elapsed_before {
            let began_at = begin_of(line);
            if origin.is_none() {
                origin = began_at;
            }
            let from = began_at
                .zip(origin)
                .map(|(at, origin)| at.as_microsecond() - origin.as_microsecond())
                .and_then(|us| u64::try_from(us).ok())
                .filter(|&us| us >= last_us);
            went_back |= from.is_none();
            all.sessions.push(session(line, from.unwrap_or(last_us)));
        }
        let session = all.sessions.len() - 1;
        let us = all.sessions[session]
            .span
            .from_us
            .saturating_add(line.elapsed_us)
            .max(last_us);
        last_us = us;
        all.sessions[session].span.to_us = us;
        if let Event::Ended {
            exit_code,
            exit,
            reasons,
        } = &line.event
        {
            let ended = &mut all.sessions[session];
            ended.exit_code = Some(*exit_code);
            ended.exit = Some(exit.clone()).filter(|exit| !exit.is_empty());
            ended.reasons.clone_from(reasons);
        }
        is_over = matches!(line.event, Event::Ended { .. });
        if !is_over && !begins {
            all.last_at_work = Some(session);
        }
        all.moments.push(Moment {
            us,
            began_us: all.sessions[session].span.from_us,
            session,
            line,
        });
    }
    if went_back {
        missing.push(
            "the time between two commands is not known: the wall clock went back".to_owned(),
        );
    }
    all
}

/// Returns the time at which the command of a line began, by the wall clock.
fn begin_of(line: &EventLine) -> Option<Timestamp> {
    let at: Timestamp = line.at.parse().ok()?;
    let us = at
        .as_microsecond()
        .checked_sub(i64::try_from(line.elapsed_us).ok()?)?;
    Timestamp::from_microsecond(us).ok()
}

fn session(line: &EventLine, from_us: u64) -> Session {
    let began = match &line.event {
        Event::Began(began) => Some(began),
        _ => None,
    };
    Session {
        command: began.map(|began| began.command.clone()),
        user: began.map(|began| began.user.clone()),
        host: began.map(|began| began.host.clone()),
        tool: began.map(|began| began.tool.clone()),
        at: line.at.clone(),
        span: TimeSpan::new(from_us, from_us),
        exit_code: None,
        exit: None,
        reasons: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u8, elapsed_us: u64, event: Event) -> EventLine {
        EventLine {
            at: format!("2026-11-23T12:00:{second:02}Z"),
            elapsed_us,
            event,
        }
    }

    fn ended() -> Event {
        Event::Ended {
            exit_code: 12,
            exit: "stopped".to_owned(),
            reasons: Vec::new(),
        }
    }

    fn times(lines: &[EventLine]) -> (Vec<u64>, Vec<String>) {
        let mut missing = Vec::new();
        let timeline = timeline(lines, &mut missing);
        (
            timeline.moments.iter().map(|moment| moment.us).collect(),
            missing,
        )
    }

    #[test]
    fn the_monotonic_clock_counts_within_a_command() {
        // The wall clock was set back during the command.
        let lines = [
            line(30, 5, Event::Committing),
            line(10, 900, Event::Committing),
            line(11, 1_000, ended()),
        ];
        assert_eq!(times(&lines), (vec![5, 900, 1_000], Vec::new()));
    }

    #[test]
    fn the_wall_clock_counts_between_two_commands() {
        let lines = [
            line(10, 0, Event::Committing),
            line(12, 2_000_000, ended()),
            line(15, 7, Event::Committing),
        ];
        assert_eq!(times(&lines).0, [0, 2_000_000, 5_000_000]);
    }

    #[test]
    fn lines_stay_in_order_and_a_wall_clock_that_went_back_is_reported() {
        let lines = [
            line(30, 0, Event::Committing),
            line(30, 9, ended()),
            line(10, 7, Event::Committing),
        ];
        let (times, missing) = times(&lines);
        assert_eq!((times, missing.len()), (vec![0, 9, 16], 1));
    }

    #[test]
    fn a_clock_that_restarts_is_another_command() {
        let lines = [
            line(10, 500, Event::Committing),
            line(11, 3, Event::Committing),
        ];
        assert_eq!(timeline(&lines, &mut Vec::new()).sessions.len(), 2);
    }
}
