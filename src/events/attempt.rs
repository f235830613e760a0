//! Attempts of a run, each from one clean state to the next: an apply with every resume, then an
//! undo of the finished run, and so on.

use std::collections::{BTreeMap, BTreeSet};

use super::outage::away;
use super::summary::{
    Compared, Move, Passage, Restart, ServerTaken, Span, Spent, StepTaken, Turned, Waited,
};
use super::timeline::{Moment, Timeline};
use super::{Happened, Kind, Step, Swapped};
use crate::journal::{Direction, Outcome, RunState};

/// Splits the events of a run into its attempts, and collects what happened in each.
pub(super) fn passages(
    all: &Timeline<'_>,
    steps: &[Step],
    swaps: Option<u64>,
    state: RunState,
    from_journal: bool,
) -> Vec<Passage> {
    let mut ways: Vec<Way<'_>> = Vec::new();
    let mut before = 0;
    for moment in &all.moments {
        let last = std::mem::replace(&mut before, moment.us);
        // A command that was refused, or that only read, belongs to no attempt.
        if matches!(
            moment.line.happened,
            Happened::Began(_) | Happened::Ended { .. }
        ) {
            continue;
        }
        if ways.last().is_none_or(|way| way.passage.outcome.is_some()) {
            ways.push(Way::new(all, moment, steps));
        }
        let way = ways.last_mut().expect("one was just made");
        way.before = last;
        way.take_in(moment);
    }
    // The journal may record an end for which no event was written, because the command died.
    if let (RunState::Closed(outcome), Some(last)) = (state, ways.last_mut()) {
        last.passage.outcome.get_or_insert(outcome);
    }
    ways.into_iter()
        .map(|way| way.end(all, swaps, from_journal))
        .collect()
}

/// Attempt while its lines are read.
struct Way<'a> {
    all: &'a Timeline<'a>,
    steps: &'a [Step],
    passage: Passage,
    first_session: usize,
    /// Index of each step in `passage.steps`, by id and direction.
    known: BTreeMap<(Option<String>, Direction), usize>,
    /// Manual step that waits: its index in `passage.waits`, and the command that asked.
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

impl<'a> Way<'a> {
    fn new(all: &'a Timeline<'a>, first: &Moment<'_>, steps: &'a [Step]) -> Self {
        let passage = Passage {
            outcome: None,
            at: first.line.at.clone(),
            span: Span {
                from_us: first.us,
                to_us: first.us,
                by_wall_clock: false,
            },
            staged: None,
            bytes: None,
            backup: None,
            committed: None,
            window: None,
            spent: Spent::default(),
            partial: false,
            steps: Vec::new(),
            servers: Vec::new(),
            away: Vec::new(),
            waits: Vec::new(),
            turns: Vec::new(),
            restarts: Vec::new(),
            notices: Vec::new(),
            compared: None,
            accepted: None,
            moves: Vec::new(),
        };
        Self {
            all,
            steps,
            passage,
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

    fn take_in(&mut self, moment: &Moment<'_>) {
        let (us, session) = (moment.us, moment.session);
        self.passage.span.to_us = us;
        self.passage.span.by_wall_clock = session != self.first_session;
        match &moment.line.happened {
            Happened::Began(_) | Happened::Ended { .. } => {}
            Happened::Opened { bytes, .. } => self.passage.bytes = Some(*bytes),
            Happened::Staged { .. } => {
                let from_us = self.all.sessions[session].span.from_us;
                self.passage.staged = Some(Span {
                    from_us,
                    to_us: us,
                    by_wall_clock: false,
                });
            }
            Happened::BackedUp { directory, .. } => self.passage.backup = Some(directory.clone()),
            Happened::Committing => {
                self.committing.get_or_insert((us, session));
            }
            Happened::Step { step, direction } => {
                self.step(step.as_ref(), *direction, us);
            }
            Happened::Swap(swapped) => self.swap(swapped, us, session),
            Happened::Sync {
                step,
                direction,
                took_us,
            } => {
                let sync = self.took(*took_us, us);
                let step = self.step(step.as_ref(), *direction, us);
                step.syncs.push(sync);
                step.span.to_us = us;
            }
            Happened::Asked { step, direction } => self.asked(step, *direction, us, session),
            Happened::Answered {
                step,
                answer,
                by,
                waited_us,
            } => {
                // An answer counts even if no question was asked for it.
                if self
                    .asked
                    .is_none_or(|(at, _)| self.passage.waits[at].step != *step)
                {
                    self.asked(
                        step,
                        Direction::Forward,
                        us.saturating_sub(*waited_us),
                        session,
                    );
                }
                let (at, asked_in) = self.asked.take().expect("it was asked");
                let wait = &mut self.passage.waits[at];
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
            Happened::Turned { direction, why } => {
                self.committing.get_or_insert((us, session));
                self.wait_until(us, session);
                // A run that continues in the same direction asks the same question again.
                self.asked = self
                    .asked
                    .filter(|(at, _)| self.passage.waits[*at].direction == *direction);
                if self
                    .passage
                    .turns
                    .last()
                    .is_none_or(|turn| (turn.direction, &turn.why) != (*direction, why))
                {
                    self.passage.turns.push(Turned {
                        direction: *direction,
                        why: why.clone(),
                        at_us: us,
                    });
                }
            }
            Happened::RestartDue { service, servers } => {
                self.passage.restarts.push(Restart {
                    service: service.clone(),
                    servers: servers.clone(),
                });
            }
            Happened::Notice { text } => self.passage.notices.push(text.clone()),
            Happened::Compared {
                direction,
                expected,
                measured,
                differs,
                came,
            } => {
                self.passage.compared = Some(Compared {
                    direction: *direction,
                    expected: *expected,
                    measured: *measured,
                    differs: differs.clone(),
                    came: came.clone(),
                });
            }
            Happened::Closed {
                outcome,
                by,
                reason,
                ..
            } => {
                self.passage.outcome = Some(*outcome);
                self.passage.accepted = by.clone().zip(reason.clone());
                self.passage.committed = self.committing.map(|(from_us, began_in)| Span {
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
            let wait = &mut self.passage.waits[at];
            wait.span.to_us = us;
            wait.span.by_wall_clock = asked_in != session;
            let (step, direction) = (wait.step.clone(), wait.direction);
            self.step(Some(&step), direction, us).span.to_us = us;
        }
    }

    /// Returns the period of something that took this long and ended now.
    fn took(&self, took_us: u64, us: u64) -> Span {
        Span {
            from_us: us.saturating_sub(took_us).max(self.before),
            to_us: us,
            by_wall_clock: false,
        }
    }

    /// Returns the step as it is taken in this direction; adds it if it is new.
    fn step(&mut self, id: Option<&String>, direction: Direction, us: u64) -> &mut StepTaken {
        let steps = &mut self.passage.steps;
        let at = *self
            .known
            .entry((id.cloned(), direction))
            .or_insert_with(|| {
                let title = self
                    .steps
                    .iter()
                    .find(|step| Some(&step.id) == id)
                    .map(|step| step.title.clone());
                steps.push(StepTaken {
                    id: id.cloned(),
                    title,
                    direction,
                    span: Span {
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

    fn swap(&mut self, swapped: &Swapped, us: u64, session: usize) {
        let Swapped {
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
        by_server(&mut self.passage.servers, swapped, span);
        match direction {
            Direction::Forward => self.forward.insert(*swap),
            Direction::Back => self.back.insert(*swap),
        };
        let (first_in, _) = *self.renamed_in.get_or_insert((session, session));
        self.renamed_in = Some((first_in, session));
        let by_wall_clock = first_in != session;
        let from_us = self
            .passage
            .window
            .map_or(span.from_us, |window| window.from_us);
        self.passage.window = Some(Span {
            from_us,
            to_us: us,
            by_wall_clock,
        });
        self.passage.moves.push(Move {
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
            && self.passage.waits[at].step == step
            && self.passage.waits[at].direction == direction
        {
            return;
        }
        let span = Span {
            from_us: us,
            to_us: us,
            by_wall_clock: false,
        };
        self.passage.waits.push(Waited {
            step: step.to_owned(),
            direction,
            span,
            answer: None,
            by: None,
        });
        self.asked = Some((self.passage.waits.len() - 1, session));
    }

    fn end(mut self, all: &Timeline<'_>, swaps: Option<u64>, from_journal: bool) -> Passage {
        if let (None, Some(last)) = (self.passage.outcome, all.sessions.last()) {
            self.wait_until(last.span.to_us, all.sessions.len() - 1);
        }
        let passage = &mut self.passage;
        let due = match passage.outcome {
            Some(Outcome::Applied) => Some(self.forward.len()),
            // A failed apply rolls back only the swaps that it made, so their number is not the
            // plan's.
            Some(Outcome::Undone) if self.forward.is_empty() => Some(self.back.len()),
            _ => None,
        };
        let untold = due
            .zip(swaps)
            .is_some_and(|(told, swaps)| (told as u64) < swaps);
        // A swap that failed was begun and not done, so it has an event for its rollback alone.
        let failed = passage
            .turns
            .iter()
            .filter(|turn| turn.direction == Direction::Back && turn.why != "undo")
            .count();
        let only_back = self.back.difference(&self.forward).count();
        let unmatched = !self.forward.is_empty() && only_back > failed;
        // A command that died before it recorded its first swap may have done a part of it.
        let begun = self
            .committing
            .zip(passage.window.as_mut())
            .zip(self.renamed_in);
        let silent = begun.filter(|((committing, _), (first_in, _))| committing.1 != *first_in);
        let is_silent = silent.is_some();
        if let Some((((from_us, _), window), _)) = silent {
            window.from_us = window.from_us.min(from_us);
            window.by_wall_clock = true;
        }
        passage.partial = from_journal || untold || unmatched || is_silent;
        passage.away = away(&passage.moves, passage.outcome);
        if passage.outcome == Some(Outcome::Undone) {
            passage.restarts = restarts(passage);
        }
        if let Some(window) = passage.window {
            passage.spent = spent(passage, &window, all);
        }
        self.passage
    }
}

fn by_server(servers: &mut Vec<ServerTaken>, swapped: &Swapped, span: Span) {
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
                    ServerTaken {
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
fn restarts(passage: &Passage) -> Vec<Restart> {
    let mut due: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for told in &passage.restarts {
        due.entry(&told.service)
            .or_default()
            .extend(told.servers.iter().map(String::as_str));
    }
    for operation in passage
        .moves
        .iter()
        .filter(|step| step.direction == Direction::Back)
        .flat_map(|step| &step.operations)
    {
        if let (Kind::Service, Some(server)) = (operation.of, &operation.server) {
            due.entry(&operation.target).or_default().insert(server);
        }
    }
    let restart = |(service, servers): (&str, BTreeSet<&str>)| Restart {
        service: service.to_owned(),
        servers: servers.into_iter().map(str::to_owned).collect(),
    };
    due.into_iter().map(restart).collect()
}

/// Breaks an outage down. Nothing counts twice, and the parts add up to the whole.
fn spent(passage: &Passage, window: &Span, all: &Timeline<'_>) -> Spent {
    let sum =
        |spans: &mut dyn Iterator<Item = Span>| spans.map(|span| span.within(window)).sum::<u64>();
    let waiting_us = sum(&mut passage.waits.iter().map(|wait| wait.span));
    let gaps = all.sessions.windows(2).map(|two| Span {
        from_us: two[0].span.to_us,
        to_us: two[1].span.from_us,
        by_wall_clock: true,
    });
    // A question that outlasts its command counts as waiting, not as idle time.
    let idle = gaps.map(|gap| {
        let asked: u64 = passage
            .waits
            .iter()
            .map(|wait| wait.span.within(&gap))
            .sum();
        gap.within(window).saturating_sub(asked)
    });
    let between_us: u64 = idle.sum();
    let syncs_us = sum(&mut passage
        .steps
        .iter()
        .flat_map(|step| step.syncs.iter().copied()));
    let renaming_us = sum(&mut passage.moves.iter().map(|step| step.span));
    let known = waiting_us + between_us + syncs_us + renaming_us;
    Spent {
        renaming_us,
        syncs_us,
        waiting_us,
        between_us,
        else_us: window.us().saturating_sub(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Line;
    use crate::events::timeline::timeline;
    use crate::journal::Answer;

    fn line(elapsed_us: u64, happened: Happened) -> Line {
        Line {
            at: format!("2026-11-23T12:00:00.{elapsed_us:06}Z"),
            elapsed_us,
            happened,
        }
    }

    fn swap(elapsed_us: u64, took_us: u64) -> Line {
        let swapped = Swapped {
            swap: 1,
            step: Some("one".to_owned()),
            direction: Direction::Forward,
            took_us,
            operations: Vec::new(),
        };
        line(elapsed_us, Happened::Swap(swapped))
    }

    fn sync(elapsed_us: u64, took_us: u64) -> Line {
        line(
            elapsed_us,
            Happened::Sync {
                step: Some("one".to_owned()),
                direction: Direction::Forward,
                took_us,
            },
        )
    }

    fn only(lines: &[Line]) -> Passage {
        let timeline = timeline(lines, &mut Vec::new());
        let all = passages(&timeline, &[], None, RunState::Staged, false);
        let [only] = <[Passage; 1]>::try_from(all).expect("one way");
        only
    }

    #[test]
    fn the_window_is_from_before_the_first_rename_until_behind_the_last() {
        let lines = [
            line(
                10,
                Happened::Opened {
                    run: "0001-KB1".to_owned(),
                    bytes: 5,
                },
            ),
            line(100, Happened::Staged { bytes: 5 }),
            line(110, Happened::Committing),
            swap(130, 10),
            sync(160, 25),
            swap(200, 20),
            sync(400, 200),
        ];
        let passage = only(&lines);
        assert_eq!(
            passage.window,
            Some(Span {
                from_us: 120,
                to_us: 200,
                by_wall_clock: false
            })
        );
        assert_eq!(passage.staged.map(|staged| staged.us()), Some(100));
        let spent = Spent {
            renaming_us: 30,
            syncs_us: 25,
            waiting_us: 0,
            between_us: 0,
            else_us: 25,
        };
        assert_eq!(passage.spent, spent);
    }

    #[test]
    fn a_person_is_waited_for_until_the_answer_and_not_until_its_record() {
        let (step, direction) = ("by-hand".to_owned(), Direction::Forward);
        let answered = Happened::Answered {
            step: step.clone(),
            answer: Answer::Done,
            by: "me".to_owned(),
            waited_us: 40,
        };
        let lines = [
            swap(10, 5),
            line(20, Happened::Asked { step, direction }),
            line(75, answered),
            swap(100, 10),
        ];
        let passage = only(&lines);
        assert_eq!(
            (
                passage.spent.waiting_us,
                passage.spent.renaming_us,
                passage.spent.else_us
            ),
            (40, 15, 40)
        );
    }

    #[test]
    fn what_a_command_may_have_done_before_it_died_belongs_to_the_window() {
        // It died before it recorded its first swap, and another command continued: its clock
        // starts again.
        let lines = [line(50, Happened::Committing), swap(20, 10)];
        let passage = only(&lines);
        assert!(passage.partial);
        assert_eq!(
            passage.window,
            Some(Span {
                from_us: 50,
                to_us: 70,
                by_wall_clock: true
            })
        );
    }

    #[test]
    fn nothing_took_longer_than_since_the_line_before() {
        let passage = only(&[swap(10, 1_000), swap(30, 1_000)]);
        assert_eq!(passage.window.map(|window| window.us()), Some(30));
        assert_eq!((passage.spent.renaming_us, passage.spent.else_us), (30, 0));
    }
}
