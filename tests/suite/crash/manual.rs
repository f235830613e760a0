//! A manual step is asked once in a direction: the newest answer in the journal counts.

use std::io;
use std::sync::Arc;

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::journal::Direction;
use rollup::run::{Event, Listener, Question, Reply};

use super::site::{DeploymentCopy, Site};
use super::{Ended, interrupted, recover, recover_with_listener};

/// Listener that counts the questions, and confirms every manual step.
#[derive(Default)]
struct QuestionCounter(usize);

impl Listener for QuestionCounter {
    fn report(&mut self, _: &Event) {}

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        self.0 += 1;
        Reply::Done
    }
}

/// Live path that the step before the manual one replaces.
const BEFORE: &str = "Share/Site.msi";

/// Failure of every rename to [`BEFORE`].
struct RefusedRename;

impl FaultInjector for RefusedRename {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        match change {
            Change::Rename(_, to) if to.as_str() == BEFORE => Err(io::Error::other("refused")),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_manual_step_that_is_confirmed_is_not_asked_again() {
    let site = Site::new();
    let copy = interrupted(&site);
    let mut counter = QuestionCounter::default();
    let ended = recover_with_listener(copy.path(), Direction::Forward, None, &mut counter);
    assert!(
        matches!(ended, Ok(Some(Ended::Applied { .. }))),
        "{ended:?}"
    );
    assert_eq!(counter.0, 0);
}

#[test]
fn a_manual_step_that_was_rolled_back_is_asked_again() {
    let site = Site::new();
    let copy = interrupted(&site);
    let failed = recover(copy.path(), Direction::Back, Some(Arc::new(RefusedRename)));
    assert!(
        matches!(failed, Ok(Some(Ended::Stuck { .. }))),
        "{failed:?}"
    );
    // One manual step, and on both web servers a nested one and an opaque package.
    for (direction, questions) in [(Direction::Forward, 5), (Direction::Back, 0)] {
        let copy = DeploymentCopy::of(copy.path());
        let mut counter = QuestionCounter::default();
        let ended = recover_with_listener(copy.path(), direction, None, &mut counter);
        assert!(
            matches!(
                ended,
                Ok(Some(Ended::Applied { .. } | Ended::Undone { .. }))
            ),
            "{ended:?}"
        );
        assert_eq!(counter.0, questions, "{direction:?}");
    }
}
