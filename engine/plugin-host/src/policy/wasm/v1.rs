//! Coverage policies of the first version of the contract, as plugins of that time know it: a plan without history, parameters and
//! names, changes without times, no skips, no report.

use std::collections::BTreeMap;
use std::time::Duration;

use headend_model::{TargetIx, TestIx, Timestamp};
use headend_scheduler::action::{Noted, PlanChange};
use headend_scheduler::event::Placement;
use headend_scheduler::view::PlanView;
use wasmtime::Store;

use super::super::fault::PolicyFault;
use super::super::words::sentence;
use super::super::{Answer, Reasons, Serves};
use super::BUILD_FACTOR;
use super::guest::{Guest, State};
use world::exports::headend::policy::coverage as wit;
use world::headend::policy::types;

pub(super) mod world {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v1/policy",
        world: "coverage-policy",
        imports: { default: trappable },
    });
}

impl types::Host for State {}

impl world::headend::policy::log::Host for State {
    fn line(&mut self, text: String) -> wasmtime::Result<()> {
        self.log(&text);
        Ok(())
    }
}

/// An instance at work.
pub(super) struct Coverage {
    guest: Guest,
    bindings: world::CoveragePolicy,
    /// Told right before the next question. Bounded by the runs of the job: each starts and ends once.
    news: Vec<types::Change>,
    /// The free targets of a question; kept so that a question allocates nothing here.
    free: Vec<u32>,
}

impl Coverage {
    pub(super) fn build(
        mut guest: Guest,
        pre: &world::CoveragePolicyPre<State>,
        plan: &PlanView,
    ) -> Result<Self, PolicyFault> {
        let bindings = guest.call("instantiate", BUILD_FACTOR, |store| pre.instantiate(store))?;
        let plan = to_plan(plan);
        guest.call("build", BUILD_FACTOR, |store| bindings.headend_policy_coverage().call_build(store, &plan))?;
        Ok(Self { guest, bindings, news: Vec::new(), free: Vec::new() })
    }

    fn tell(&mut self) -> Result<(), PolicyFault> {
        if self.news.is_empty() {
            return Ok(());
        }
        let Self { guest, bindings, news, .. } = self;
        let told = guest
            .call("note", BUILD_FACTOR, |store| bindings.headend_policy_coverage().call_note(store, news.as_slice()));
        news.clear();
        told
    }
}

impl Serves for Coverage {
    fn apply(&mut self, news: &Noted) {
        self.news.extend(to_change(&news.change));
    }

    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, PolicyFault> {
        self.tell()?;
        self.free.clear();
        self.free.extend(free.iter().map(|target| target.0));
        let (bindings, free) = (&self.bindings, self.free.as_slice());
        let call =
            |store: &mut Store<State>| bindings.headend_policy_coverage().call_propose(store, now.micros(), free);
        let answer = self.guest.call("propose", 1, call)?;
        Ok(Answer { start: answer.into_iter().map(from_placement).collect(), skip: Vec::new() })
    }

    fn reason(&mut self, of: Placement) -> Result<String, PolicyFault> {
        let call =
            |store: &mut Store<State>| self.bindings.headend_policy_coverage().call_reason(store, to_placement(of));
        self.guest.call("reason", 1, call).map(|text| sentence(&text))
    }

    fn reasons(&mut self, of: &[Placement], left: Duration) -> Reasons {
        let coverage = self.bindings.headend_policy_coverage();
        self.guest.reasons(of, left, |store, of| coverage.call_reason(store, to_placement(of)))
    }

    fn report(&mut self) -> Result<String, PolicyFault> {
        Ok(String::new())
    }
}

/// That version was never told of runs that were dropped: they are left out of the plan from the beginning.
fn to_plan(plan: &PlanView) -> wit::Plan {
    let mut dropped: BTreeMap<TestIx, u32> = BTreeMap::new();
    for noted in &plan.past {
        if let PlanChange::Dropped { test, runs } = noted.change {
            *dropped.entry(test).or_default() += runs;
        }
    }
    let left = |test: TestIx, runs: u32| runs.saturating_sub(dropped.get(&test).copied().unwrap_or_default());
    let tests = plan.tests.iter().map(|test| types::Test { ix: test.test.0, runs: left(test.test, test.runs) });
    let target = |target: &headend_scheduler::view::TargetView| types::Target {
        ix: target.target.0,
        place: target.place.as_ref().map(|(rack, slot)| types::Place { rack: rack.as_str().to_owned(), slot: slot.0 }),
        dut: target.dut.map(|dut| dut.0),
    };
    wit::Plan {
        tests: tests.filter(|test| test.runs > 0).collect(),
        targets: plan.targets.iter().map(target).collect(),
        past: plan.past.iter().filter_map(|noted| to_change(&noted.change)).collect(),
    }
}

fn to_change(change: &PlanChange) -> Option<types::Change> {
    match change {
        PlanChange::Started(placement) => Some(types::Change::Started(to_placement(*placement))),
        PlanChange::Ended { placement, code } => {
            Some(types::Change::Ended(types::Ending { placement: to_placement(*placement), code: *code }))
        }
        PlanChange::TargetLost(target) => Some(types::Change::TargetLost(target.0)),
        PlanChange::Dropped { .. } => None,
    }
}

fn to_placement(placement: Placement) -> types::Placement {
    types::Placement { test: placement.test.0, target: placement.target.0 }
}

fn from_placement(placement: types::Placement) -> Placement {
    Placement { test: TestIx(placement.test), target: TargetIx(placement.target) }
}
