//! A manual step is asked once in a direction: the newest answer in the journal counts.

use std::io;
use std::sync::Arc;

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::run::{Event, Listener, Question, Reply};

use super::site::{Copy, Site};
use super::{Ended, Way, interrupted, recover, recover_before};

/// Counts the questions, and does every manual step at once.
#[derive(Default)]
struct Asked(usize);

impl Listener for Asked {
    fn tell(&mut self, _: &Event<'_>) {}

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        self.0 += 1;
        Reply::Done
    }
}

/// What the step before the manual one replaces.
const BEFORE: &str = "Share/Site.msi";

/// Lets every rename to that path fail.
struct Refused;

impl FaultInjector for Refused {
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
    let mut asked = Asked::default();
    let ended = recover_before(copy.path(), Way::Forward, None, &mut asked);
    assert!(
        matches!(ended, Ok(Some(Ended::Applied { .. }))),
        "{ended:?}"
    );
    assert_eq!(asked.0, 0);
}

#[test]
fn a_manual_step_that_was_rolled_back_is_asked_again() {
    let site = Site::new();
    let copy = interrupted(&site);
    let failed = recover(copy.path(), Way::Back, Some(Arc::new(Refused)));
    assert!(
        matches!(failed, Ok(Some(Ended::Stuck { .. }))),
        "{failed:?}"
    );
    for (way, questions) in [(Way::Forward, 1), (Way::Back, 0)] {
        let copy = Copy::of(copy.path());
        let mut asked = Asked::default();
        let ended = recover_before(copy.path(), way, None, &mut asked);
        assert!(
            matches!(
                ended,
                Ok(Some(Ended::Applied { .. } | Ended::Undone { .. }))
            ),
            "{ended:?}"
        );
        assert_eq!(asked.0, questions, "{way:?}");
    }
}
