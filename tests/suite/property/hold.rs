//! Checks of a promise on many cases. The cases are counted by kind, so that a promise cannot hold
//! for lack of cases.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{
    Config, RngSeed, TestCaseError, TestCaseResult, TestError, TestRunner,
};
use rollup::payload::Payload;
use rollup::plan::{OperationKind, Plan};

use super::stock::stock;

use crate::temporary::temporary;

/// Counts of the cases.
#[derive(Default)]
pub(super) struct Tally {
    applied: Cell<usize>,
    refused: Cell<usize>,
    kinds: RefCell<BTreeSet<OperationKind>>,
    /// Plans that do nested steps on more than one server.
    on_each_server: Cell<usize>,
    /// Plans with packages that rollup cannot open.
    opaque: Cell<usize>,
    /// Cases of a kind that the promise counts itself.
    pub(super) special: Cell<usize>,
}

impl Tally {
    /// Counts a plan as applied, or rejects the case.
    pub(super) fn planned(&self, plan: Result<Plan, String>) -> Result<Plan, TestCaseError> {
        match plan {
            Ok(plan) if plan.operations().next().is_some() => {
                self.applied.set(self.applied.get() + 1);
                self.kinds
                    .borrow_mut()
                    .extend(plan.operations().map(|operation| operation.kind));
                self.count_steps(&plan);
                Ok(plan)
            }
            Ok(_) => self.refuse("it has no operations".to_owned()),
            Err(why) => self.refuse(why),
        }
    }

    fn refuse(&self, why: String) -> Result<Plan, TestCaseError> {
        self.refused.set(self.refused.get() + 1);
        Err(TestCaseError::reject(why))
    }

    fn count_steps(&self, plan: &Plan) {
        let nested = plan.steps.iter().filter(|step| {
            let has_work = !step.operations.is_empty() || step.manual.is_some();
            step.within.is_some() && has_work
        });
        let servers: BTreeSet<_> = nested
            .filter_map(|step| step.within.as_ref())
            .map(|within| (&within.step, &within.server))
            .collect();
        let steps: BTreeSet<_> = servers.iter().map(|(step, _)| step).collect();
        let is_on_each = servers.len() > steps.len();
        let is_opaque = plan.steps.iter().any(|step| step.undo.is_some());
        for (count, has) in [
            (&self.on_each_server, is_on_each),
            (&self.opaque, is_opaque),
        ] {
            count.set(count.get() + usize::from(has));
        }
    }

    /// Asserts that a tenth of the plans do nested steps on several servers, and a tenth store
    /// packages that rollup cannot open.
    #[track_caller]
    pub(super) fn assert_new_steps(&self) {
        for (count, what) in [
            (&self.on_each_server, "do nested steps on several servers"),
            (&self.opaque, "store opaque packages"),
        ] {
            let (count, applied) = (count.get(), self.applied.get());
            assert!(
                count * 10 >= applied,
                "only {count} of {applied} plans {what}"
            );
        }
    }

    /// Returns the kinds of operations that no case had.
    pub(super) fn never_done(&self, wanted: &[OperationKind]) -> Vec<OperationKind> {
        let kinds = self.kinds.borrow();
        wanted
            .iter()
            .copied()
            .filter(|kind| !kinds.contains(kind))
            .collect()
    }

    pub(super) fn count_special(&self) {
        self.special.set(self.special.get() + 1);
    }
}

/// Tries a promise on a number of cases, the same ones every time. A campaign sets its number of
/// cases with `PROPTEST_CASES`, and gets new ones every time.
pub(super) fn hold<S>(
    cases: u32,
    strategy: &S,
    promise: impl Fn(S::Value, &[Payload], &Tally) -> TestCaseResult,
) -> Tally
where
    S: Strategy,
    S::Value: Debug,
{
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
        config.rng_seed = RngSeed::Fixed(952_076);
    }
    config.max_global_rejects = config.cases;
    let shelf = temporary();
    let payloads = stock().payloads(shelf.path());
    let tally = Tally::default();
    let mut runner = TestRunner::new(config.clone());
    match runner.run(strategy, |case| promise(case, &payloads, &tally)) {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("too many cases were refused: {why}"),
        Err(TestError::Fail(why, case)) => panic!("{why}\n{case:?}"),
    }
    let (applied, refused) = (tally.applied.get(), tally.refused.get());
    print_tally(&tally);
    assert!(
        applied >= config.cases as usize,
        "only {applied} manifests were applied"
    );
    assert!(
        applied * 10 >= (applied + refused) * 7,
        "{applied} were applied, and {refused} refused"
    );
    tally
}

#[expect(clippy::print_stderr, reason = "a campaign is run by hand")]
fn print_tally(
    Tally {
        applied,
        refused,
        kinds,
        on_each_server,
        opaque,
        special,
    }: &Tally,
) {
    let (applied, refused, special, kinds) =
        (applied.get(), refused.get(), special.get(), kinds.borrow());
    let (on_each_server, opaque) = (on_each_server.get(), opaque.get());
    eprintln!(
        "{applied} manifests were applied, {refused} refused, {special} special; {on_each_server} do nested steps on \
         several servers, {opaque} store opaque packages; {kinds:?}"
    );
}
