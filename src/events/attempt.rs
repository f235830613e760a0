//! Attempts of a run, each from one clean state to the next: an apply with every resume, then an
//! undo of the finished run, and so on.

use std::collections::{BTreeMap, BTreeSet};

use super::outage::outages;
use super::summary::{
    Attempt, DirectionChange, ManualWait, OutageBreakdown, RequiredRestart, ServerTiming,
    StateComparison, StepTiming, TimeSpan, TimedSwap,
};
use super::timeline::{Moment, Timeline};
use super::{EventStep, LoggedEvent, SwapEvent, TargetKind};
use crate::journal::{Direction, Outcome, RunState};

/// Splits the events of a run into its attempts, and summarizes each.
pub(super) fn attempts(
    all: &Timeline<'_>,
    steps: &[EventStep],
    planned_swaps: Option<u64>,
    state: RunState,
    from_journal: bool,
) -> Vec<Attempt> {
    let mut builders: Vec<AttemptBuilder<'_>> = Vec::new();
    let mut before = 0;
    for moment in &all.moments {
        let last = std::mem::replace(&mut before, moment.us);
        // A command that was refused, or that only read, belongs to no attempt.
        if matches!(
            moment.line.event,
            LoggedEvent::Began(_) | LoggedEvent::Ended { .. }
        ) {
            continue;
        }
        if builders
            .last()
            .is_none_or(|builder| builder.attempt.outcome.is_some())
        {
            builders.push(AttemptBuilder::new(all, moment, steps));
        }
        let builder = builders.last_mut().expect("one was just made");
        builder.before = last;
        builder.read(moment);
    }
    // The journal may record an end for which no event was written, because the command died.
    if let (RunState::Closed(outcome), Some(last)) = (state, builders.last_mut()) {
        last.attempt.outcome.get_or_insert(outcome);
    }
    builders
        .into_iter()
        .map(|builder| builder.end(all, planned_swaps, from_journal))
        .collect()
}

/// Attempt of which more lines are to be read.
struct AttemptBuilder<'a> {
    all: &'a Timeline<'a>,
    steps: &'a [EventStep],
    attempt: Attempt,
    first_session: usize,
    /// Index of each step in the attempt's steps, by id and direction.
    known: BTreeMap<(Option<String>, Direction), usize>,
    /// Manual step that waits: its index in the attempt's waits, and the command that asked.
    asked: Option<(usize, usize)>,
    /// Time at which the question was last asked.
    asked_us: u64,
    /// Time at which the commit began, and in which command.
    committing: Option<(u64, usize)>,
    /// Commands of the first and last rename.
    renamed_in: Option<(usize, usize)>,
    forward: BTreeSet<u32>,
    back: BTreeSet<u32>,
    /// Time of the line before: whatever took time began after it.
    before: u64,
}

impl<'a> AttemptBuilder<'a> {
    fn new(all: &'a Timeline<'a>, first: &Moment<'_>, steps: &'a [EventStep]) -> Self {
        let attempt = Attempt {
            outcome: None,
            at: first.line.at.clone(),
            span: TimeSpan {
                from_us: first.us,
                to_us: first.us,
                by_wall_clock: false,
            },
            staged: None,
            bytes: None,
            backup: None,
            committed: None,
            outage: None,
            breakdown: OutageBreakdown::default(),
            partial: false,
            steps: Vec::new(),
            servers: Vec::new(),
            outages: Vec::new(),
            waits: Vec::new(),
            turns: Vec::new(),
            restarts: Vec::new(),
            notices: Vec::new(),
            compared: None,
            accepted: None,
            swaps: Vec::new(),
            idle: Vec::new(),
        };
        Self {
            all,
            steps,
            attempt,
            first_session: first.session,
            known: BTreeMap::new(),
            asked: None,
            asked_us: 0,
            committing: None,
            renamed_in: None,
            forward: BTreeSet::new(),
            back: BTreeSet::new(),
            before: 0,
        }
    }

    fn read(&mut self, moment: &Moment<'_>) {
        let (us, session) = (moment.us, moment.session);
        self.attempt.span.to_us = us;
        self.attempt.span.by_wall_clock = session != self.first_session;
        match &moment.line.event {
            LoggedEvent::Began(_) | LoggedEvent::Ended { .. } => {}
            LoggedEvent::Opened { bytes, .. } => self.attempt.bytes = Some(*bytes),
            LoggedEvent::Staged { .. } => {
                let from_us = self.all.sessions[session].span.from_us;
                self.attempt.staged = Some(TimeSpan {
                    from_us,
                    to_us: us,
                    by_wall_clock: false,
                });
            }
            LoggedEvent::BackedUp { directory, .. } => {
                self.attempt.backup = Some(directory.clone())
            }
            LoggedEvent::Committing => {
                self.committing.get_or_insert((us, session));
            }
            LoggedEvent::Step { step, direction } => {
                self.step(step.as_ref(), *direction, us);
            }
            LoggedEvent::Swap(swapped) => self.swap(swapped, us, session),
            LoggedEvent::Sync {
                step,
                direction,
                took_us,
            } => {
                let sync = self.took(*took_us, us);
                let step = self.step(step.as_ref(), *direction, us);
                step.syncs.push(sync);
                step.span.to_us = us;
            }
            LoggedEvent::Asked { step, direction } => self.asked(step, *direction, us, session),
            LoggedEvent::Answered {
                step,
                answer,
                by,
                waited_us,
            } => {
                // An answer counts even if no question was asked for it.
                if self
                    .asked
                    .is_none_or(|(at, _)| self.attempt.waits[at].step != *step)
                {
                    self.asked(
                        step,
                        Direction::Forward,
                        us.saturating_sub(*waited_us),
                        session,
                    );
                }
                let (at, asked_in) = self.asked.take().expect("it was asked");
                let wait = &mut self.attempt.waits[at];
                // The time after the answer was spent on recording it.
                wait.span.to_us = us
                    .min(self.asked_us.saturating_add(*waited_us))
                    .max(wait.span.from_us);
                wait.span.by_wall_clock = asked_in != session;
                wait.answer = Some(*answer);
                wait.by = Some(by.clone()).filter(|by| !by.is_empty());
                let direction = wait.direction;
                self.step(Some(step), direction, us).span.to_us = us;
            }
            LoggedEvent::Turned { direction, why } => {
                self.committing.get_or_insert((us, session));
                self.wait_until(us, session);
                // A run that continues in the same direction asks the same question again.
                self.asked = self
                    .asked
                    .filter(|(at, _)| self.attempt.waits[*at].direction == *direction);
                if self
                    .attempt
                    .turns
                    .last()
                    .is_none_or(|turn| (turn.direction, &turn.why) != (*direction, why))
                {
                    self.attempt.turns.push(DirectionChange {
                        direction: *direction,
                        why: why.clone(),
                        at_us: us,
                    });
                }
            }
            LoggedEvent::RestartRequired { service, servers } => {
                self.attempt.restarts.push(RequiredRestart {
                    service: service.clone(),
                    servers: servers.clone(),
                });
            }
            LoggedEvent::Notice { text } => self.attempt.notices.push(text.clone()),
            LoggedEvent::Compared {
                direction,
                expected,
                measured,
                differs,
                appeared,
            } => {
                self.attempt.compared = Some(StateComparison {
                    direction: *direction,
                    expected: *expected,
                    measured: *measured,
                    differs: differs.clone(),
                    appeared: appeared.clone(),
                });
            }
            LoggedEvent::Closed {
                outcome,
                by,
                reason,
                ..
            } => {
                self.attempt.outcome = Some(*outcome);
                self.attempt.accepted = by.clone().zip(reason.clone());
                self.attempt.committed = self.committing.map(|(from_us, began_in)| TimeSpan {
                    from_us,
                    to_us: us,
                    by_wall_clock: began_in != session,
                });
            }
        }
        self.wait_until(us, session);
    }

    /// Extends the wait for an answer that has not come yet, as far as the summary goes.
    fn wait_until(&mut self, us: u64, session: usize) {
        if let Some((at, asked_in)) = self.asked {
            let wait = &mut self.attempt.waits[at];
            wait.span.to_us = us;
            wait.span.by_wall_clock = asked_in != session;
            let (step, direction) = (wait.step.clone(), wait.direction);
            self.step(Some(&step), direction, us).span.to_us = us;
        }
    }

    /// Returns the period of something that took this long and ended now.
    fn took(&self, took_us: u64, us: u64) -> TimeSpan {
        TimeSpan {
            from_us: us.saturating_sub(took_us).max(self.before),
            to_us: us,
            by_wall_clock: false,
        }
    }

    /// Returns the step as it is taken in this direction; adds it if it is new.
    fn step(&mut self, id: Option<&String>, direction: Direction, us: u64) -> &mut StepTiming {
        let steps = &mut self.attempt.steps;
        let at = *self
            .known
            .entry((id.cloned(), direction))
            .or_insert_with(|| {
                let title = self
                    .steps
                    .iter()
                    .find(|step| Some(&step.id) == id)
                    .map(|step| step.title.clone());
                steps.push(StepTiming {
                    id: id.cloned(),
                    title,
                    direction,
                    span: TimeSpan {
                        from_us: us,
                        to_us: us,
                        by_wall_clock: false,
                    },
                    operations: 0,
                    swaps: 0,
                    renaming_us: 0,
                    syncs: Vec::new(),
                    servers: Vec::new(),
                });
                steps.len() - 1
            });
        &mut steps[at]
    }

    fn swap(&mut self, swapped: &SwapEvent, us: u64, session: usize) {
        let SwapEvent {
            swap,
            step,
            direction,
            took_us,
            operations,
        } = swapped;
        let span = self.took(*took_us, us);
        let taken = self.step(step.as_ref(), *direction, span.from_us);
        taken.span.to_us = us;
        taken.swaps += 1;
        taken.operations += operations.len() as u64;
        taken.renaming_us += took_us;
        by_server(&mut taken.servers, swapped, span);
        by_server(&mut self.attempt.servers, swapped, span);
        match direction {
            Direction::Forward => self.forward.insert(*swap),
            Direction::Back => self.back.insert(*swap),
        };
        let (first_in, _) = *self.renamed_in.get_or_insert((session, session));
        self.renamed_in = Some((first_in, session));
        let by_wall_clock = first_in != session;
        let from_us = self
            .attempt
            .outage
            .map_or(span.from_us, |outage| outage.from_us);
        self.attempt.outage = Some(TimeSpan {
            from_us,
            to_us: us,
            by_wall_clock,
        });
        self.attempt.swaps.push(TimedSwap {
            step: step.clone(),
            direction: *direction,
            span,
            operations: operations.clone(),
            session,
        });
    }

    fn asked(&mut self, step: &str, direction: Direction, us: u64, session: usize) {
        self.asked_us = us;
        // The same question in a later command continues the wait.
        if let Some((at, _)) = self.asked
            && self.attempt.waits[at].step == step
            && self.attempt.waits[at].direction == direction
        {
            return;
        }
        let span = TimeSpan {
            from_us: us,
            to_us: us,
            by_wall_clock: false,
        };
        self.attempt.waits.push(ManualWait {
            step: step.to_owned(),
            direction,
            span,
            answer: None,
            by: None,
        });
        self.asked = Some((self.attempt.waits.len() - 1, session));
    }

    fn end(
        mut self,
        all: &Timeline<'_>,
        planned_swaps: Option<u64>,
        from_journal: bool,
    ) -> Attempt {
        if let (None, Some(last)) = (self.attempt.outcome, all.sessions.last()) {
            self.wait_until(last.span.to_us, all.sessions.len() - 1);
        }
        let attempt = &mut self.attempt;
        let recorded = match attempt.outcome {
            Some(Outcome::Applied) => Some(self.forward.len()),
            // A failed apply rolls back only the swaps that it made, so their number is not the
            // plan's.
            Some(Outcome::Undone) if self.forward.is_empty() => Some(self.back.len()),
            _ => None,
        };
        let lacks_swaps = recorded
            .zip(planned_swaps)
            .is_some_and(|(recorded, planned)| (recorded as u64) < planned);
        // A swap that failed was begun and not done, so it has an event for its rollback alone.
        let failed = attempt
            .turns
            .iter()
            .filter(|turn| turn.direction == Direction::Back && turn.why != "undo")
            .count();
        let only_back = self.back.difference(&self.forward).count();
        let lacks_forward_swaps = !self.forward.is_empty() && only_back > failed;
        // A command that died before it recorded its first swap may have done a part of it.
        let begun = self
            .committing
            .zip(attempt.outage.as_mut())
            .zip(self.renamed_in);
        let silent = begun.filter(|((committing, _), (first_in, _))| committing.1 != *first_in);
        let is_silent = silent.is_some();
        if let Some((((from_us, _), outage), _)) = silent {
            outage.from_us = outage.from_us.min(from_us);
            outage.by_wall_clock = true;
        }
        attempt.partial = from_journal || lacks_swaps || lacks_forward_swaps || is_silent;
        attempt.outages = outages(&attempt.swaps, attempt.outcome);
        if attempt.outcome == Some(Outcome::Undone) {
            attempt.restarts = restarts(attempt);
        }
        attempt.idle = idle(&attempt.waits, all);
        if let Some(outage) = attempt.outage {
            attempt.breakdown = breakdown(attempt, &outage);
        }
        self.attempt
    }
}

fn by_server(servers: &mut Vec<ServerTiming>, swapped: &SwapEvent, span: TimeSpan) {
    let mut operations: BTreeMap<Option<&String>, u64> = BTreeMap::new();
    for operation in &swapped.operations {
        *operations.entry(operation.server.as_ref()).or_default() += 1;
    }
    for (server, operations) in operations {
        let at = servers
            .binary_search_by(|taken| taken.server.as_ref().cmp(&server))
            .unwrap_or_else(|at| {
                servers.insert(
                    at,
                    ServerTiming {
                        server: server.cloned(),
                        span,
                        operations: 0,
                        renaming_us: 0,
                    },
                );
                at
            });
        let taken = &mut servers[at];
        taken.operations += operations;
        taken.renaming_us += swapped.took_us;
        taken.span.to_us = span.to_us;
    }
}

/// Returns the restarts that are required after everything was rolled back. Each command reports
/// those of the services that it rolled back itself; the services that an interrupted command
/// rolled back before require one as well.
fn restarts(attempt: &Attempt) -> Vec<RequiredRestart> {
    let mut required: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for restart in &attempt.restarts {
        required
            .entry(&restart.service)
            .or_default()
            .extend(restart.servers.iter().map(String::as_str));
    }
    for operation in attempt
        .swaps
        .iter()
        .filter(|swap| swap.direction == Direction::Back)
        .flat_map(|swap| &swap.operations)
    {
        if let (TargetKind::Service, Some(server)) = (operation.of, &operation.server) {
            required
                .entry(&operation.target)
                .or_default()
                .insert(server);
        }
    }
    let restart = |(service, servers): (&str, BTreeSet<&str>)| RequiredRestart {
        service: service.to_owned(),
        servers: servers.into_iter().map(str::to_owned).collect(),
    };
    required.into_iter().map(restart).collect()
}

/// Returns the periods between two commands and those of waits, joined where they overlap: a
/// question may outlast the command that asked it.
fn idle(waits: &[ManualWait], all: &Timeline<'_>) -> Vec<TimeSpan> {
    let gaps = all.sessions.windows(2).map(|two| TimeSpan {
        from_us: two[0].span.to_us,
        to_us: two[1].span.from_us,
        by_wall_clock: true,
    });
    let mut spans: Vec<TimeSpan> = waits.iter().map(|wait| wait.span).chain(gaps).collect();
    spans.sort_by_key(|span| span.from_us);
    let mut joined: Vec<TimeSpan> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.to_us >= span.from_us => last.to_us = last.to_us.max(span.to_us),
            _ => joined.push(span),
        }
    }
    joined
}

/// Breaks an outage down. Nothing counts twice, and the parts add up to the whole.
fn breakdown(attempt: &Attempt, outage: &TimeSpan) -> OutageBreakdown {
    let within = |span: &TimeSpan| span.within(outage);
    let syncs = attempt.steps.iter().flat_map(|step| &step.syncs);
    let waiting_us = attempt.waits.iter().map(|wait| within(&wait.span)).sum();
    let idle_us: u64 = attempt.idle.iter().map(within).sum();
    let syncs_us = syncs.map(within).sum();
    let renaming_us = attempt.swaps.iter().map(|swap| within(&swap.span)).sum();
    let known = idle_us + syncs_us + renaming_us;
    OutageBreakdown {
        renaming_us,
        syncs_us,
        waiting_us,
        between_us: idle_us.saturating_sub(waiting_us),
        else_us: outage.us().saturating_sub(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventLine;
    use crate::events::timeline::timeline;
    use crate::journal::Answer;

    fn line(elapsed_us: u64, event: LoggedEvent) -> EventLine {
        EventLine {
            at: format!("2026-11-23T12:00:00.{elapsed_us:06}Z"),
            elapsed_us,
            event,
        }
    }

    fn swap(elapsed_us: u64, took_us: u64) -> EventLine {
        let swapped = SwapEvent {
            swap: 1,
            step: Some("one".to_owned()),
            direction: Direction::Forward,
            took_us,
            operations: Vec::new(),
        };
        line(elapsed_us, LoggedEvent::Swap(swapped))
    }

    fn sync(elapsed_us: u64, took_us: u64) -> EventLine {
        line(
            elapsed_us,
            LoggedEvent::Sync {
                step: Some("one".to_owned()),
                direction: Direction::Forward,
                took_us,
            },
        )
    }

    fn only_attempt(lines: &[EventLine]) -> Attempt {
        let timeline = timeline(lines, &mut Vec::new());
        let all = attempts(&timeline, &[], None, RunState::Staged, false);
        let [attempt] = <[Attempt; 1]>::try_from(all).expect("one attempt");
        attempt
    }

    #[test]
    fn the_outage_is_from_before_the_first_rename_until_after_the_last() {
        let lines = [
            line(
                10,
                LoggedEvent::Opened {
                    run: "0001-KB1".to_owned(),
                    bytes: 5,
                },
            ),
            line(100, LoggedEvent::Staged { bytes: 5 }),
            line(110, LoggedEvent::Committing),
            swap(130, 10),
            sync(160, 25),
            swap(200, 20),
            sync(400, 200),
        ];
        let attempt = only_attempt(&lines);
        assert_eq!(
            attempt.outage,
            Some(TimeSpan {
                from_us: 120,
                to_us: 200,
                by_wall_clock: false
            })
        );
        assert_eq!(attempt.staged.map(|staged| staged.us()), Some(100));
        let breakdown = OutageBreakdown {
            renaming_us: 30,
            syncs_us: 25,
            waiting_us: 0,
            between_us: 0,
            else_us: 25,
        };
        assert_eq!(attempt.breakdown, breakdown);
    }

    #[test]
    fn the_wait_for_a_person_ends_with_the_answer_and_not_with_its_record() {
        let (step, direction) = ("by-hand".to_owned(), Direction::Forward);
        let answered = LoggedEvent::Answered {
            step: step.clone(),
            answer: Answer::Done,
            by: "me".to_owned(),
            waited_us: 40,
        };
        let lines = [
            swap(10, 5),
            line(20, LoggedEvent::Asked { step, direction }),
            line(75, answered),
            swap(100, 10),
        ];
        let attempt = only_attempt(&lines);
        assert_eq!(
            (
                attempt.breakdown.waiting_us,
                attempt.breakdown.renaming_us,
                attempt.breakdown.else_us
            ),
            (40, 15, 40)
        );
    }

    #[test]
    fn the_unrecorded_work_of_a_killed_command_belongs_to_the_outage() {
        // It died before it recorded its first swap, and another command continued: its clock
        // starts again.
        let lines = [line(50, LoggedEvent::Committing), swap(20, 10)];
        let attempt = only_attempt(&lines);
        assert!(attempt.partial);
        assert_eq!(
            attempt.outage,
            Some(TimeSpan {
                from_us: 50,
                to_us: 70,
                by_wall_clock: true
            })
        );
    }

    #[test]
    fn no_duration_exceeds_the_time_since_the_line_before() {
        let attempt = only_attempt(&[swap(10, 1_000), swap(30, 1_000)]);
        assert_eq!(attempt.outage.map(|outage| outage.us()), Some(30));
        assert_eq!(
            (attempt.breakdown.renaming_us, attempt.breakdown.else_us),
            (30, 0)
        );
    }
}
