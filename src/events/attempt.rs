//! Attempts of a run, each from one clean state to the next: an apply with every resume, then an
//! undo of the finished run, and so on.

use std::collections::{BTreeMap, BTreeSet};

use super::outage::outages;
use super::summary::{
    Attempt, Breakdown, DirectionChange, ManualWait, RequiredRestart, ServerTiming, StepTiming,
    TimeSpan, TimedSwap,
};
use super::timeline::{Moment, Timeline};
use super::{Event, EventOperation, EventStep, TargetKind};
use crate::journal::{Answer, Direction, Outcome, RunState};

/// Splits the events of a run into its attempts, and summarizes each.
pub(super) fn attempts(
    all: &Timeline<'_>,
    steps: &[EventStep],
    planned_swaps: u64,
    state: RunState,
    from_journal: bool,
) -> Vec<Attempt> {
    let mut builders: Vec<AttemptBuilder<'_>> = Vec::new();
    let mut before = 0;
    for moment in &all.moments {
        let last = std::mem::replace(&mut before, moment.us);
        // A command that was refused, or that only read, belongs to no attempt.
        if moment.line.event.is_edge() {
            continue;
        }
        let mut builder = builders
            .pop_if(|builder| builder.attempt.outcome.is_none())
            .unwrap_or_else(|| AttemptBuilder::new(moment, steps));
        builder.before = last;
        builder.read(moment);
        builders.push(builder);
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
#[derive(Default)]
struct AttemptBuilder<'a> {
    /// Titles of the steps by their ids.
    titles: BTreeMap<&'a str, &'a str>,
    attempt: Attempt,
    /// Indexes of the attempt's steps.
    known: BTreeMap<(Option<String>, Direction), usize>,
    first_session: usize,
    /// Time and command of the line that is read.
    us: u64,
    session: usize,
    /// Time of the line before: whatever took time began after it.
    before: u64,
    /// Command that asked, if the last manual step still waits.
    asked_in: Option<usize>,
    /// Time at which the question was last asked.
    asked_us: u64,
    /// Time at which the commit began, and in which command.
    committing: Option<(u64, usize)>,
    /// Command of the first rename.
    renamed_in: Option<usize>,
    forward: BTreeSet<u32>,
    back: BTreeSet<u32>,
}

impl<'a> AttemptBuilder<'a> {
    fn new(first: &Moment<'_>, steps: &'a [EventStep]) -> Self {
        Self {
            titles: steps
                .iter()
                .map(|step| (step.id.as_str(), step.title.as_str()))
                .collect(),
            attempt: Attempt {
                at: first.line.at.clone(),
                span: TimeSpan::new(first.us, first.us),
                ..Attempt::default()
            },
            first_session: first.session,
            ..Self::default()
        }
    }

    fn read(&mut self, moment: &Moment<'_>) {
        (self.us, self.session) = (moment.us, moment.session);
        let attempt = &mut self.attempt;
        attempt.span.to_us = moment.us;
        attempt.span.by_wall_clock = moment.session != self.first_session;
        match &moment.line.event {
            Event::Began(_) | Event::Ended { .. } => {}
            Event::Opened { bytes, .. } => attempt.bytes = Some(*bytes),
            Event::Staged { .. } => {
                attempt.staged = Some(TimeSpan::new(moment.began_us, moment.us));
            }
            Event::BackedUp { directory, .. } => attempt.backup = Some(directory.clone()),
            Event::Committing => self.commit(),
            Event::Step { step, direction } => {
                self.step(step.as_ref(), *direction, self.us);
            }
            Event::Swapped {
                swap,
                step,
                direction,
                took_us,
                operations,
            } => {
                let span = self.took(*took_us);
                self.swap(*swap, step.as_ref(), *direction, operations, span, *took_us);
            }
            Event::Sync {
                step,
                direction,
                took_us,
            } => self.sync(step.as_ref(), *direction, *took_us),
            Event::Asked { step, direction } => self.asked(step, *direction, self.us),
            Event::Answered {
                step,
                answer,
                by,
                from,
                waited_us,
            } => {
                self.answered(step, *answer, by, *waited_us);
                if let Some(wait) = self.attempt.waits.last_mut() {
                    wait.from = *from;
                }
            }
            Event::Turned { direction, why } => self.turned(*direction, why),
            Event::RestartRequired { service, servers } => {
                attempt.restarts.push(RequiredRestart {
                    service: service.clone(),
                    servers: servers.clone(),
                });
            }
            Event::Notice { text } => attempt.notices.push(text.clone()),
            Event::Compared(compared) => attempt.compared = Some(compared.clone()),
            Event::Closed {
                outcome,
                by,
                reason,
                ..
            } => {
                attempt.accepted = by.clone().zip(reason.clone());
                self.closed(*outcome);
            }
        }
        self.wait_until(moment.us, moment.session);
    }

    fn commit(&mut self) {
        self.committing.get_or_insert((self.us, self.session));
    }

    fn sync(&mut self, step: Option<&String>, direction: Direction, took_us: u64) {
        let (us, sync) = (self.us, self.took(took_us));
        let step = self.step(step, direction, us);
        step.syncs.push(sync);
        step.span.to_us = us;
    }

    /// Extends the wait for an answer that has not come yet, as far as the summary goes.
    fn wait_until(&mut self, us: u64, session: usize) {
        let Some(asked_in) = self.asked_in else {
            return;
        };
        if let Some(wait) = self.attempt.waits.last_mut() {
            wait.span.to_us = us;
            wait.span.by_wall_clock = asked_in != session;
            let (step, direction) = (wait.step.clone(), wait.direction);
            self.step(Some(&step), direction, us).span.to_us = us;
        }
    }

    /// Returns the period of something that took this long and ended now.
    fn took(&self, took_us: u64) -> TimeSpan {
        TimeSpan::new(self.us.saturating_sub(took_us).max(self.before), self.us)
    }

    /// Returns the step as it is taken in this direction; adds it if it is new.
    fn step(&mut self, id: Option<&String>, direction: Direction, us: u64) -> &mut StepTiming {
        let steps = &mut self.attempt.steps;
        let known = self.known.entry((id.cloned(), direction));
        let at = *known.or_insert_with(|| {
            let title = id.and_then(|id| self.titles.get(id.as_str()));
            steps.push(StepTiming {
                id: id.cloned(),
                title: title.map(|title| (*title).to_owned()),
                direction,
                span: TimeSpan::new(us, us),
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

    fn swap(
        &mut self,
        swap: u32,
        id: Option<&String>,
        direction: Direction,
        operations: &[EventOperation],
        span: TimeSpan,
        took_us: u64,
    ) {
        let step = self.step(id, direction, span.from_us);
        step.span.to_us = span.to_us;
        step.swaps += 1;
        step.operations += operations.len() as u64;
        step.renaming_us += took_us;
        by_server(&mut step.servers, operations, span, took_us);
        by_server(&mut self.attempt.servers, operations, span, took_us);
        match direction {
            Direction::Forward => self.forward.insert(swap),
            Direction::Back => self.back.insert(swap),
        };
        let first_in = *self.renamed_in.get_or_insert(self.session);
        let renames = self.attempt.renames.get_or_insert(span);
        renames.to_us = span.to_us;
        renames.by_wall_clock = first_in != self.session;
        self.attempt.swaps.push(TimedSwap {
            step: id.cloned(),
            direction,
            span,
            operations: operations.to_vec(),
            session: self.session,
        });
    }

    /// Returns whether the last manual step waits for an answer.
    fn waits_for(&self, step: &str, direction: Option<Direction>) -> bool {
        let last = self.attempt.waits.last();
        self.asked_in.is_some()
            && last.is_some_and(|wait| {
                wait.step == step && direction.is_none_or(|direction| wait.direction == direction)
            })
    }

    fn asked(&mut self, step: &str, direction: Direction, us: u64) {
        self.asked_us = us;
        // The same question in a later command continues the wait.
        if self.waits_for(step, Some(direction)) {
            return;
        }
        self.asked_in = Some(self.session);
        self.attempt.waits.push(ManualWait {
            step: step.to_owned(),
            direction,
            span: TimeSpan::new(us, us),
            answer: None,
            by: None,
            from: None,
        });
    }

    fn answered(&mut self, step: &String, answer: Answer, by: &str, waited_us: u64) {
        let (us, session) = (self.us, self.session);
        // An answer counts even if no question was asked for it.
        if !self.waits_for(step, None) {
            self.asked(step, Direction::Forward, us.saturating_sub(waited_us));
        }
        // The time after the answer was spent on recording it.
        let answered_us = us.min(self.asked_us.saturating_add(waited_us));
        let asked_in = self.asked_in.take();
        if let Some(wait) = self.attempt.waits.last_mut() {
            wait.span.to_us = answered_us.max(wait.span.from_us);
            wait.span.by_wall_clock = asked_in != Some(session);
            wait.answer = Some(answer);
            wait.by = Some(by.to_owned()).filter(|by| !by.is_empty());
            let direction = wait.direction;
            self.step(Some(step), direction, us).span.to_us = us;
        }
    }

    fn turned(&mut self, direction: Direction, why: &str) {
        self.commit();
        self.wait_until(self.us, self.session);
        // A run that continues in the same direction asks the same question again.
        let last = self.attempt.waits.last();
        if last.is_some_and(|wait| wait.direction != direction) {
            self.asked_in = None;
        }
        let last = self.attempt.turns.last();
        if last.is_none_or(|turn| (turn.direction, turn.why.as_str()) != (direction, why)) {
            self.attempt.turns.push(DirectionChange {
                direction,
                why: why.to_owned(),
                at_us: self.us,
            });
        }
    }

    fn closed(&mut self, outcome: Outcome) {
        self.attempt.outcome = Some(outcome);
        self.attempt.committed = self.committing.map(|(from_us, began_in)| TimeSpan {
            from_us,
            to_us: self.us,
            by_wall_clock: began_in != self.session,
        });
    }

    fn end(mut self, all: &Timeline<'_>, planned_swaps: u64, from_journal: bool) -> Attempt {
        if let (None, Some(last)) = (self.attempt.outcome, all.sessions.last()) {
            self.wait_until(last.span.to_us, all.sessions.len() - 1);
        }
        let lacks_swaps = self.lacks_swaps(planned_swaps) || self.lacks_forward_swaps();
        let attempt = &mut self.attempt;
        // A command that died before it recorded its first swap may have done a part of it.
        let unrecorded = self.committing.zip(self.renamed_in);
        let unrecorded = unrecorded.and_then(|((from_us, began_in), first_in)| {
            let before = all.sessions.get(began_in..first_in)?;
            let died = before.iter().find(|session| session.exit_code.is_none())?;
            Some(from_us.max(died.span.from_us))
        });
        if let (Some(from_us), Some(renames)) = (unrecorded, &mut attempt.renames) {
            renames.from_us = renames.from_us.min(from_us);
            renames.by_wall_clock = true;
        }
        attempt.partial = from_journal || lacks_swaps || unrecorded.is_some();
        attempt.outages = outages(&attempt.swaps, attempt.outcome);
        let spans = joined(
            attempt
                .outages
                .iter()
                .flat_map(|outages| outages.spans.iter().copied()),
        );
        attempt.outage_us = spans.iter().map(TimeSpan::us).sum();
        attempt.outage = spans
            .first()
            .zip(spans.last())
            .map(|(first, last)| TimeSpan {
                to_us: last.to_us,
                by_wall_clock: spans.iter().any(|span| span.by_wall_clock),
                ..*first
            });
        if attempt.outcome == Some(Outcome::Undone) {
            attempt.restarts = restarts(attempt);
        }
        attempt.idle = idle(&attempt.waits, all);
        if let Some(renames) = attempt.renames {
            attempt.breakdown = breakdown(attempt, &renames);
        }
        self.attempt
    }

    /// Returns whether fewer swaps are recorded than the plan has.
    fn lacks_swaps(&self, planned_swaps: u64) -> bool {
        let recorded = match self.attempt.outcome {
            Some(Outcome::Applied) => &self.forward,
            // A failed apply rolls back only the swaps that it made, so their number is not the
            // plan's.
            Some(Outcome::Undone) if self.forward.is_empty() => &self.back,
            _ => return false,
        };
        (recorded.len() as u64) < planned_swaps
    }

    /// Returns whether a swap was rolled back that is not recorded as done. A swap that failed was
    /// begun and not done, so it has an event for its rollback alone.
    fn lacks_forward_swaps(&self) -> bool {
        let failed = self
            .attempt
            .turns
            .iter()
            .filter(|turn| turn.direction == Direction::Back && turn.why != "undo");
        let only_back = self.back.difference(&self.forward);
        !self.forward.is_empty() && only_back.count() > failed.count()
    }
}

fn by_server(
    servers: &mut Vec<ServerTiming>,
    operations: &[EventOperation],
    span: TimeSpan,
    took_us: u64,
) {
    let mut renamed_on: BTreeSet<&Option<String>> = BTreeSet::new();
    for operation in operations {
        let server = &operation.server;
        let at = servers
            .binary_search_by(|timing| timing.server.cmp(server))
            .unwrap_or_else(|at| {
                let timing = ServerTiming {
                    server: server.clone(),
                    span,
                    operations: 0,
                    renaming_us: 0,
                };
                servers.insert(at, timing);
                at
            });
        let timing = &mut servers[at];
        timing.operations += 1;
        timing.span.to_us = span.to_us;
        // One rename may do several operations on a server.
        if renamed_on.insert(server) {
            timing.renaming_us += took_us;
        }
    }
}

/// Returns the restarts that are required after everything was rolled back. Each command reports
/// those of the services that it rolled back itself; the services that an interrupted command
/// rolled back before require one as well.
fn restarts(attempt: &Attempt) -> Vec<RequiredRestart> {
    let mut required: BTreeMap<Option<&String>, BTreeSet<&String>> = BTreeMap::new();
    for restart in &attempt.restarts {
        required
            .entry(restart.service.as_ref())
            .or_default()
            .extend(&restart.servers);
    }
    let back = attempt
        .swaps
        .iter()
        .filter(|swap| swap.direction == Direction::Back);
    for operation in back.flat_map(|swap| &swap.operations) {
        if let (TargetKind::Service, Some(server)) = (operation.of, &operation.server) {
            required
                .entry(Some(&operation.target))
                .or_default()
                .insert(server);
        }
    }
    let restart = |(service, servers): (Option<&String>, BTreeSet<&String>)| RequiredRestart {
        service: service.cloned(),
        servers: servers.into_iter().cloned().collect(),
    };
    required.into_iter().map(restart).collect()
}

/// Returns the periods between two commands and those of waits, joined where they overlap: a
/// question may outlast the command that asked it.
fn idle(waits: &[ManualWait], all: &Timeline<'_>) -> Vec<TimeSpan> {
    let gaps = all
        .sessions
        .windows(2)
        .map(|two| TimeSpan::new(two[0].span.to_us, two[1].span.from_us));
    joined(waits.iter().map(|wait| wait.span).chain(gaps))
}

/// Returns periods in order, joined where they overlap.
fn joined(spans: impl Iterator<Item = TimeSpan>) -> Vec<TimeSpan> {
    let mut spans: Vec<TimeSpan> = spans.collect();
    spans.sort_by_key(|span| span.from_us);
    let mut joined: Vec<TimeSpan> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.to_us >= span.from_us => {
                last.to_us = last.to_us.max(span.to_us);
                last.by_wall_clock |= span.by_wall_clock;
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// Breaks a period down. Nothing counts twice, and the parts add up to the whole.
fn breakdown(attempt: &Attempt, whole: &TimeSpan) -> Breakdown {
    let within = |span: &TimeSpan| span.within(whole);
    let syncs = attempt.steps.iter().flat_map(|step| &step.syncs);
    let waiting_us = attempt.waits.iter().map(|wait| within(&wait.span)).sum();
    let idle_us: u64 = attempt.idle.iter().map(within).sum();
    let syncs_us = syncs.map(within).sum();
    let renaming_us = attempt.swaps.iter().map(|swap| within(&swap.span)).sum();
    let known = idle_us + syncs_us + renaming_us;
    Breakdown {
        renaming_us,
        syncs_us,
        waiting_us,
        between_us: idle_us.saturating_sub(waiting_us),
        else_us: whole.us().saturating_sub(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventLine;
    use crate::events::timeline::timeline;
    use crate::journal::RunSignatures;

    fn line(elapsed_us: u64, event: Event) -> EventLine {
        EventLine {
            at: format!("2026-11-23T12:00:00.{elapsed_us:06}Z"),
            elapsed_us,
            event,
        }
    }

    fn swap(elapsed_us: u64, took_us: u64) -> EventLine {
        let swapped = Event::Swapped {
            swap: 1,
            step: Some("one".to_owned()),
            direction: Direction::Forward,
            took_us,
            operations: Vec::new(),
        };
        line(elapsed_us, swapped)
    }

    fn sync(elapsed_us: u64, took_us: u64) -> EventLine {
        line(
            elapsed_us,
            Event::Sync {
                step: Some("one".to_owned()),
                direction: Direction::Forward,
                took_us,
            },
        )
    }

    fn only_attempt(lines: &[EventLine]) -> Attempt {
        let timeline = timeline(lines, &mut Vec::new());
        let all = attempts(&timeline, &[], 0, RunState::Staged, false);
        let [attempt] = <[Attempt; 1]>::try_from(all).expect("one attempt");
        attempt
    }

    #[test]
    fn the_renames_are_from_before_the_first_until_after_the_last() {
        let lines = [
            line(
                10,
                Event::Opened {
                    run: "0001-KB1".to_owned(),
                    bytes: 5,
                    signatures: RunSignatures::default(),
                },
            ),
            line(100, Event::Staged { bytes: 5 }),
            line(110, Event::Committing),
            swap(130, 10),
            sync(160, 25),
            swap(200, 20),
            sync(400, 200),
        ];
        let attempt = only_attempt(&lines);
        assert_eq!(
            attempt.renames,
            Some(TimeSpan {
                from_us: 120,
                to_us: 200,
                by_wall_clock: false
            })
        );
        assert_eq!(attempt.staged.map(|staged| staged.us()), Some(100));
        let breakdown = Breakdown {
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
        let answered = Event::Answered {
            step: step.clone(),
            answer: Answer::Done,
            by: "me".to_owned(),
            from: None,
            waited_us: 40,
        };
        let lines = [
            swap(10, 5),
            line(20, Event::Asked { step, direction }),
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
    fn the_unrecorded_work_of_a_killed_command_belongs_to_its_renames() {
        // It died before it recorded its first swap, and another command continued: its clock
        // starts again.
        let lines = [line(50, Event::Committing), swap(20, 10)];
        let attempt = only_attempt(&lines);
        assert!(attempt.partial);
        assert_eq!(
            attempt.renames,
            Some(TimeSpan {
                from_us: 50,
                to_us: 70,
                by_wall_clock: true
            })
        );
    }

    #[test]
    fn a_command_that_stopped_for_a_question_did_no_unrecorded_work() {
        let stopped = Event::Ended {
            exit_code: 16,
            exit: "stopped".to_owned(),
            reasons: Vec::new(),
        };
        let lines = [line(50, Event::Committing), line(60, stopped), swap(20, 10)];
        let attempt = only_attempt(&lines);
        assert!(!attempt.partial);
        assert_eq!(attempt.renames.map(|renames| renames.us()), Some(10));
    }

    #[test]
    fn no_duration_exceeds_the_time_since_the_line_before() {
        let attempt = only_attempt(&[swap(10, 1_000), swap(30, 1_000)]);
        assert_eq!(attempt.renames.map(|renames| renames.us()), Some(30));
        assert_eq!(
            (attempt.breakdown.renaming_us, attempt.breakdown.else_us),
            (30, 0)
        );
    }
}
