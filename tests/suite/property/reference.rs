//! Expected trees of a case, from an apply that nothing disturbs.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use rollup::journal::Direction;
use rollup::plan::Plan;
use rollup::run::Ended;

use super::drive::{CommandObserver, Interruption, ReadyRollup};
use super::hold::Tally;
use super::model::Case;
use super::nested::check_steps;
use super::same;
use super::world::RandomDeployment;
use crate::crash::tree::Tree;

/// Trees before and after an apply, with its plan and its number of changes.
pub(super) struct Reference {
    began: i64,
    pub(super) plan: Plan,
    before: Tree,
    after: Tree,
    /// Number of the changes that staged the run.
    staging: usize,
    change_count: usize,
}

/// Position of a change in an apply, in 65,536ths of its staging or of its commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangePosition {
    commits: bool,
    at: u16,
}

pub(super) fn change_positions() -> impl Strategy<Value = ChangePosition> {
    (prop::bool::weighted(0.8), any::<u16>())
        .prop_map(|(commits, at)| ChangePosition { commits, at })
}

impl Reference {
    pub(super) fn of(
        case: &Case,
        rollup: &ReadyRollup<'_>,
        tally: &Tally,
    ) -> Result<Self, TestCaseError> {
        let world = RandomDeployment::of(case);
        let at = world.deployment();
        let plan = tally.planned(rollup.plan(at))?;
        check_steps(&case.site, &case.rollups[0], &plan)?;
        let (began, before) = (now(), Tree::of(at));
        let mut observer = CommandObserver::uninterrupted();
        match rollup.apply(at, &plan, &mut observer) {
            Ok(Some(Ended::Applied { .. })) => {}
            other => return Err(TestCaseError::fail(format!("apply: {other:?}"))),
        }
        let after = Tree::of(at).without_times_since(began);
        Ok(Self {
            began,
            plan,
            before,
            after,
            staging: observer.staging(),
            change_count: observer.change_count(),
        })
    }

    /// Returns whether a path was there before the apply.
    pub(super) fn had(&self, path: &Path) -> bool {
        self.before.has(path)
    }

    /// Returns a crash at a position of the apply.
    pub(super) fn crash_at(&self, ChangePosition { commits, at }: ChangePosition) -> Interruption {
        let (first, last) = if commits {
            (self.staging, self.change_count)
        } else {
            (0, self.staging)
        };
        Interruption::Crash(1 + first + (last - first) * usize::from(at) / 65_536)
    }

    /// Compares the deployment with the tree before, or with the one after, except for the times of
    /// files that the run wrote.
    pub(super) fn check_state(
        &self,
        at: &Path,
        direction: Direction,
        context: &str,
    ) -> TestCaseResult {
        match direction {
            Direction::Back => same(&self.before, &Tree::of(at), context),
            Direction::Forward => same(
                &self.after,
                &Tree::of(at).without_times_since(self.began),
                context,
            ),
        }
    }

    /// Compares the deployment in the same way, but ignores unmanaged paths, and the case of names:
    /// an unmanaged file may have decided the spelling of a directory.
    pub(super) fn check_state_except(
        &self,
        at: &Path,
        direction: Direction,
        is_unmanaged: &dyn Fn(&Path) -> bool,
        context: &str,
    ) -> TestCaseResult {
        let wanted = if direction == Direction::Back {
            &self.before
        } else {
            &self.after
        };
        let found = match direction {
            Direction::Back => Tree::of(at),
            Direction::Forward => Tree::of(at).without_times_since(self.began),
        };
        let normalized = |tree: Tree| tree.without(is_unmanaged).in_one_case();
        let (Some(wanted), Some(found)) = (normalized(wanted.clone()), normalized(found)) else {
            return Err(TestCaseError::fail(format!(
                "{context}: two names differ only in case"
            )));
        };
        same(&wanted, &found, context)
    }
}

/// Returns the current time, less the possible lag of a file system's clock.
fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    i64::try_from(now.as_secs()).expect("it is not so late") - 2
}
