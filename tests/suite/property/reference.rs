//! What a case comes to when nothing disturbs it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use rollup::plan::Plan;
use rollup::run::Ended;

use super::drive::{Course, Interruption, Ready, Way};
use super::hold::Tally;
use super::model::Case;
use super::same;
use super::world::World;
use crate::crash::tree::Tree;

/// The trees before and after an apply, and how it went from one to the other.
pub(super) struct Reference {
    began: i64,
    pub(super) plan: Plan,
    before: Tree,
    after: Tree,
    /// The changes that staged the run, and all of them.
    staging: usize,
    changes: usize,
}

/// A change of an apply: so many 65,536ths of those that stage it, or of those that commit it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    commits: bool,
    at: u16,
}

pub(super) fn moments() -> impl Strategy<Value = Moment> {
    (prop::bool::weighted(0.8), any::<u16>()).prop_map(|(commits, at)| Moment { commits, at })
}

impl Reference {
    pub(super) fn of(
        case: &Case,
        rollup: &Ready<'_>,
        tally: &Tally,
    ) -> Result<Self, TestCaseError> {
        let world = World::of(case);
        let at = world.deployment();
        let plan = tally.planned(rollup.plan(at))?;
        let (began, before) = (now(), Tree::of(at));
        let mut course = Course::free();
        match rollup.apply(at, &plan, &mut course) {
            Ok(Some(Ended::Applied { .. })) => {}
            other => return Err(TestCaseError::fail(format!("apply: {other:?}"))),
        }
        let after = Tree::of(at).without_times_since(began);
        Ok(Self {
            began,
            plan,
            before,
            after,
            staging: course.staging(),
            changes: course.changes(),
        })
    }

    /// A death of the apply.
    pub(super) fn death(&self, Moment { commits, at }: Moment) -> Interruption {
        let (first, last) = if commits {
            (self.staging, self.changes)
        } else {
            (0, self.staging)
        };
        Interruption::Death(1 + first + (last - first) * usize::from(at) / 65_536)
    }

    /// The tree before stands, or the one after but for the times of what the run wrote.
    pub(super) fn stands(&self, at: &Path, way: Way, told: &str) -> TestCaseResult {
        match way {
            Way::Back => same(&self.before, &Tree::of(at), told),
            Way::Forward => same(
                &self.after,
                &Tree::of(at).without_times_since(self.began),
                told,
            ),
        }
    }

    /// The same, but for the paths of somebody who works there meanwhile: they are of no interest,
    /// and the spelling of a directory that was not there before is his.
    pub(super) fn stands_but_for(
        &self,
        at: &Path,
        way: Way,
        is_his: &dyn Fn(&Path) -> bool,
        told: &str,
    ) -> TestCaseResult {
        let wanted = if way == Way::Back {
            &self.before
        } else {
            &self.after
        };
        let found = match way {
            Way::Back => Tree::of(at),
            Way::Forward => Tree::of(at).without_times_since(self.began),
        };
        let alike = |tree: Tree| tree.without(is_his).in_one_case();
        let (Some(wanted), Some(found)) = (alike(wanted.clone()), alike(found)) else {
            return Err(TestCaseError::fail(format!(
                "{told}: two names differ only in case"
            )));
        };
        same(&wanted, &found, told)
    }
}

/// Now, less what the clock of a file system may lag behind.
fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    i64::try_from(now.as_secs()).expect("it is not so late") - 2
}
