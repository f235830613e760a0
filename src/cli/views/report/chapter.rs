//! One attempt of a run in words.

use super::words::{Tone, share, shown, time, took, wall};
use crate::cli::terminal::out::number;
use crate::events::Turned;
use crate::events::{self, Account, Away, Compared, Kind, Passage, ServerTaken, Span, StepTaken};
use crate::journal::Direction;
use crate::journal::{Answer, Outcome};
use crate::names::Escaped;

/// One attempt of the run, from one clean state to the next.
pub(super) struct Chapter {
    /// Number and direction, if there are several; else empty.
    pub(super) title: String,
    pub(super) compared: Option<(Tone, Vec<String>)>,
    /// Reasons why the direction changed, required restarts, notices, and the user who closed the
    /// run in its current state.
    pub(super) told: Vec<(Tone, String)>,
    pub(super) waits: Vec<Wait>,
    pub(super) figures: Vec<Figure>,
    pub(super) services: Vec<Down>,
    pub(super) items: Vec<Down>,
    pub(super) steps: Vec<Taken>,
    pub(super) servers: Vec<Place>,
}

/// Manual step.
pub(super) struct Wait {
    pub(super) step: String,
    pub(super) answer: String,
    pub(super) by: String,
    pub(super) took: String,
}

/// Time, and what it was spent on.
pub(super) struct Figure {
    pub(super) label: &'static str,
    /// True if it is a part of the last figure before it that is not a part.
    pub(super) part: bool,
    pub(super) value: String,
    pub(super) note: String,
}

/// Outage of an item or a service.
pub(super) struct Down {
    pub(super) what: String,
    pub(super) server: String,
    pub(super) took: String,
    pub(super) note: String,
}

/// Step as it was executed.
pub(super) struct Taken {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) from: String,
    pub(super) took: String,
    pub(super) operations: u64,
    pub(super) renaming: String,
    pub(super) sync: String,
}

/// Work that was done on a server.
pub(super) struct Place {
    pub(super) server: String,
    pub(super) operations: u64,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) renaming: String,
}

impl Chapter {
    pub(super) fn of(account: &Account, at: usize, passage: &Passage) -> Self {
        let all = account.passages.len();
        let turned_back = |turn: &Turned| turn.direction == Direction::Back;
        let way = match (at, passage.turns.iter().any(turned_back)) {
            (0, false) => "forward",
            (0, true) => "forward, and back",
            (_, true) => "back",
            (_, false) => "again",
        };
        let title = match all {
            1 => String::new(),
            _ => format!("way {} of {all}, {way}: {}", at + 1, time(&passage.at)),
        };
        let first = passage
            .steps
            .first()
            .map_or(passage.span.from_us, |first| first.span.from_us);
        let base = passage
            .committed
            .map_or(first, |committed| committed.from_us.min(first));
        let is_service = |away: &&Away| away.of == Kind::Service;
        Self {
            title,
            compared: passage.compared.as_ref().map(compared),
            told: told(passage),
            waits: passage
                .waits
                .iter()
                .map(|waited| wait(waited, passage))
                .collect(),
            figures: figures(passage),
            services: passage
                .away
                .iter()
                .filter(is_service)
                .map(|away| down(away, passage))
                .collect(),
            items: passage
                .away
                .iter()
                .filter(|away| !is_service(away))
                .map(|away| down(away, passage))
                .collect(),
            steps: passage.steps.iter().map(|step| taken(step, base)).collect(),
            servers: passage
                .servers
                .iter()
                .map(|server| place(server, base))
                .collect(),
        }
    }
}

fn compared(compared: &Compared) -> (Tone, Vec<String>) {
    let what = match compared.direction {
        Direction::Forward => "as previewed",
        Direction::Back => "as it was before",
    };
    let mut lines = Vec::new();
    let tone = match (compared.differs.is_empty(), compared.is_same()) {
        (true, true) => {
            lines.push(what.to_owned());
            Tone::Good
        }
        (true, false) => {
            lines.push(format!(
                "{what}, but for an operator's files, which came or went meanwhile"
            ));
            Tone::Good
        }
        (false, _) => {
            lines.push(format!("not {what}:"));
            Tone::Bad
        }
    };
    lines.extend(compared.differs.iter().map(|differs| shown(differs)));
    lines.extend(
        compared
            .came
            .iter()
            .map(|came| format!("`{}` came meanwhile", Escaped(came.as_str()))),
    );
    let digest = |name: &str, digest: Option<crate::names::Digest>| {
        digest.map(|digest| format!("{name} {digest}"))
    };
    let expected = match compared.direction {
        Direction::Forward => "expected",
        Direction::Back => "before  ",
    };
    lines.extend(digest(expected, compared.expected));
    lines.extend(digest("measured", compared.measured));
    (tone, lines)
}

fn told(passage: &Passage) -> Vec<(Tone, String)> {
    let mut told = Vec::new();
    for turn in &passage.turns {
        told.push(match (turn.direction, turn.why.as_str()) {
            (Direction::Back, "undo") => (Tone::Warn, "taken back, as asked by `undo`".to_owned()),
            (Direction::Forward, "resume") => (
                Tone::Warn,
                "turned forward again, as asked by `resume`".to_owned(),
            ),
            (Direction::Back, why) => {
                let failed = passage.steps.iter().rfind(|step| {
                    step.direction == Direction::Forward && step.span.from_us <= turn.at_us
                });
                let at = match failed {
                    None => String::new(),
                    Some(StepTaken { id: Some(id), .. }) => format!(" in step {}", Escaped(id)),
                    Some(_) => " at the level".to_owned(),
                };
                (
                    Tone::Bad,
                    format!("it failed{at}, and was put back: {}", Escaped(why)),
                )
            }
            (Direction::Forward, why) => (
                Tone::Warn,
                format!("turned forward again: {}", Escaped(why)),
            ),
        });
    }
    for restart in &passage.restarts {
        let servers = restart.servers.join(", ");
        told.push((
            Tone::Warn,
            format!(
                "restart due: {} on {}",
                Escaped(&restart.service),
                Escaped(&servers)
            ),
        ));
    }
    told.extend(
        passage
            .notices
            .iter()
            .map(|notice| (Tone::Warn, shown(notice))),
    );
    if let Some((by, reason)) = &passage.accepted {
        told.push((
            Tone::Warn,
            format!("closed as it stood by {}: {}", Escaped(by), Escaped(reason)),
        ));
    }
    told
}

fn wait(waited: &events::Waited, passage: &Passage) -> Wait {
    let answer = match (waited.answer, waited.direction) {
        (Some(Answer::Done), _) => "done",
        (Some(Answer::Skipped), _) => "skipped",
        (Some(Answer::TakenBack), _) => "taken back",
        (None, _) if passage.outcome.is_none() => "waits",
        (None, Direction::Forward) => "not answered",
        (None, Direction::Back) => "not taken back",
    };
    let answer = match answer {
        "waits" => format!("waits since {}", wall(passage, waited.span.from_us)),
        answer => answer.to_owned(),
    };
    Wait {
        step: shown(&waited.step),
        answer,
        by: waited.by.as_deref().map(shown).unwrap_or_default(),
        took: took(waited.span.us()),
    }
}

fn figures(passage: &Passage) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut figure = |label, part, value: String, note: String| {
        figures.push(Figure {
            label,
            part,
            value,
            note,
        })
    };
    if let Some(staged) = passage.staged {
        let bytes = passage
            .bytes
            .map(|bytes| format!("{} bytes, ", number(bytes)))
            .unwrap_or_default();
        figure(
            "staged in",
            false,
            took(staged.us()),
            format!("{bytes}before anything changed"),
        );
    }
    if let Some(backup) = &passage.backup {
        figure(
            "backup",
            false,
            String::new(),
            format!("in {}", Escaped(backup)),
        );
    }
    let at_least = if passage.partial { "at least " } else { "" };
    if let Some(committed) = passage.committed {
        let note = match passage.compared {
            Some(_) => "from its beginning until all was compared".to_owned(),
            None => "from its beginning until it was closed".to_owned(),
        };
        figure("committed in", false, took(committed.us()), note);
    }
    if let Some(window) = passage.window {
        let value = format!("{at_least}{}", took(window.us()));
        match passage.outcome {
            Some(_) => figure(
                "window",
                false,
                value,
                "from the first rename to the last".to_owned(),
            ),
            None => figure(
                "so far",
                false,
                value,
                "from the first rename to the last one told; it is not over".to_owned(),
            ),
        }
        let spent = &passage.spent;
        let parts = [
            ("renames", spent.renaming_us),
            ("syncs", spent.syncs_us),
            ("waiting for people", spent.waiting_us),
            ("between commands", spent.between_us),
            ("all else", spent.else_us),
        ];
        for (label, us) in parts.into_iter().filter(|(_, us)| *us > 0) {
            figure(label, true, took(us), share(us, window.us()));
        }
    }
    figures
}

fn down(away: &Away, passage: &Passage) -> Down {
    let at_least = if passage.partial { "at least " } else { "" };
    let gone = match (away.of, passage.outcome) {
        (Kind::Service, None) => "stopped, and not started yet",
        (Kind::Service, Some(Outcome::Undone)) => "stopped; a restart is due",
        (Kind::Service, Some(_)) => "stopped, and not started again",
        (_, None) => "removed, and not put back yet",
        (_, Some(_)) if passage.partial => "removed; not every swap is told, it may stand again",
        (_, Some(_)) => "removed, and not put back",
    };
    let took = match (away.since_us, away.spans.as_slice()) {
        (Some(since_us), []) if passage.outcome.is_none() => {
            format!("since {}", wall(passage, since_us))
        }
        (Some(_), []) => String::new(),
        _ => format!("{at_least}{}", took(away.total_us)),
    };
    let note = match (away.since_us, away.spans.len()) {
        (Some(_), _) => gone.to_owned(),
        (None, 0 | 1) => String::new(),
        (None, 2) => "away twice".to_owned(),
        (None, times) => format!("away {times} times"),
    };
    Down {
        what: shown(&away.target),
        server: away.server.as_deref().map(shown).unwrap_or_default(),
        took,
        note,
    }
}

fn taken(step: &StepTaken, base: u64) -> Taken {
    let name = match (&step.id, step.direction) {
        (Some(id), Direction::Forward) => shown(id),
        (Some(id), Direction::Back) => format!("back: {}", Escaped(id)),
        (None, Direction::Forward) => "the level".to_owned(),
        (None, Direction::Back) => "back: the level".to_owned(),
    };
    let sync: u64 = step.syncs.iter().map(Span::us).sum();
    Taken {
        name,
        title: step.title.as_deref().map(shown).unwrap_or_default(),
        from: took(step.span.from_us.saturating_sub(base)),
        took: took(step.span.us()),
        operations: step.operations,
        renaming: if step.swaps == 0 {
            String::new()
        } else {
            took(step.renaming_us)
        },
        sync: if step.syncs.is_empty() {
            String::new()
        } else {
            took(sync)
        },
    }
}

fn place(server: &ServerTaken, base: u64) -> Place {
    Place {
        server: server
            .server
            .as_deref()
            .map_or("shared by all".to_owned(), shown),
        operations: server.operations,
        from: took(server.span.from_us.saturating_sub(base)),
        to: took(server.span.to_us.saturating_sub(base)),
        renaming: took(server.renaming_us),
    }
}
