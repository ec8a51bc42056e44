//! Coverage policies of the second version of the contract.

use std::time::Duration;

use headend_model::search::fields_of;
use headend_model::{DutFields, DutId, TargetIx, TestIx, Timestamp};
use headend_scheduler::action::{Noted, PlanChange};
use headend_scheduler::event::{Placement, Skip};
use headend_scheduler::history::{LastOutcome, ScriptHistory};
use headend_scheduler::view::{PlanView, TargetView, TestView};
use wasmtime::Store;

use super::super::fault::PolicyFault;
use super::super::words::sentence;
use super::super::{Answer, MAX_REPORT, Reasons, Serves};
use super::BUILD_FACTOR;
use super::guest::{Guest, State};
use world::headend::policy::plans::{self, Change, News};
use world::headend::policy::types;

pub(super) mod world {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v2/policy",
        world: "coverage-policy",
        imports: { default: trappable },
    });
}

impl types::Host for State {}
impl plans::Host for State {}

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
    news: Vec<News>,
    /// The free targets of a question; kept so that a question allocates nothing here.
    free: Vec<u32>,
}

impl Coverage {
    pub(super) fn build(
        mut guest: Guest,
        pre: &world::CoveragePolicyPre<State>,
        plan: &PlanView,
        parameters: String,
    ) -> Result<Self, PolicyFault> {
        let bindings = guest.call("instantiate", BUILD_FACTOR, |store| pre.instantiate(store))?;
        let plan = to_plan(plan, parameters);
        let built =
            guest.call("build", BUILD_FACTOR, |store| bindings.headend_policy_coverage().call_build(store, &plan))?;
        built.map_err(|what| guest.declined(&what))?;
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
        self.news.push(to_news(news));
    }

    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, PolicyFault> {
        self.tell()?;
        self.free.clear();
        self.free.extend(free.iter().map(|target| target.0));
        let (bindings, free) = (&self.bindings, self.free.as_slice());
        let call =
            |store: &mut Store<State>| bindings.headend_policy_coverage().call_propose(store, now.micros(), free);
        let answer = self.guest.call("propose", 1, call)?;
        Ok(Answer {
            start: answer.start.into_iter().map(from_placement).collect(),
            skip: answer.skip.iter().map(from_skip).collect(),
        })
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
        self.tell()?;
        let bindings = &self.bindings;
        let report =
            self.guest.call("report", BUILD_FACTOR, |store| bindings.headend_policy_coverage().call_report(store))?;
        if report.len() > MAX_REPORT {
            return Err(self.guest.too_much("report", MAX_REPORT));
        }
        Ok(report)
    }
}

fn to_plan(plan: &PlanView, parameters: String) -> plans::Plan {
    plans::Plan {
        parameters,
        accepted: plan.accepted.micros(),
        tests: plan.tests.iter().map(to_test).collect(),
        targets: plan.targets.iter().map(|target| to_target(plan, target)).collect(),
        outcomes: plan.outcomes.iter().map(to_outcome).collect(),
        past: plan.past.iter().map(to_news).collect(),
    }
}

fn to_test(test: &TestView) -> plans::Test {
    plans::Test {
        ix: test.test.0,
        runs: test.runs,
        name: test.name.clone(),
        history: test.history.as_ref().map(to_history),
    }
}

fn to_history(history: &ScriptHistory) -> plans::History {
    let millis = |span: headend_model::Span| u64::try_from(span.as_millis()).unwrap_or_default();
    plans::History {
        runs: history.runs,
        passed: history.passed,
        last_code: history.last_code,
        failures_in_a_row: history.failures_in_a_row,
        p50_ms: millis(history.p50),
        p90_ms: millis(history.p90),
    }
}

fn to_target(plan: &PlanView, target: &TargetView) -> plans::Target {
    plans::Target {
        ix: target.target.0,
        place: target.place.as_ref().map(|(rack, slot)| types::Place { rack: rack.as_str().to_owned(), slot: slot.0 }),
        dut: target.dut.map(|dut| to_dut(dut, plan.duts.get(&dut))),
    }
}

fn to_dut(id: DutId, known: Option<&DutFields>) -> plans::Dut {
    let field = |(name, value): (&str, &str)| plans::Field { name: name.to_owned(), value: value.to_owned() };
    plans::Dut {
        id: id.0,
        model: known.map(|known| known.model_name.clone()).unwrap_or_default(),
        fields: known.map(|known| fields_of(known).map(field).collect()).unwrap_or_default(),
    }
}

fn to_outcome((of, last): &(Placement, LastOutcome)) -> plans::Outcome {
    plans::Outcome { of: to_placement(*of), code: last.code, at: last.at.micros() }
}

fn to_news(news: &Noted) -> News {
    let what = match &news.change {
        PlanChange::Started(placement) => Change::Started(to_placement(*placement)),
        PlanChange::Ended { placement, code } => {
            Change::Ended(plans::Ending { of: to_placement(*placement), code: *code })
        }
        PlanChange::TargetLost(target) => Change::TargetLost(target.0),
        PlanChange::Dropped { test, runs } => Change::Dropped(plans::Dropped { test: test.0, runs: *runs }),
    };
    News { at: news.at.micros(), what }
}

fn to_placement(placement: Placement) -> types::Placement {
    types::Placement { test: placement.test.0, target: placement.target.0 }
}

fn from_placement(placement: types::Placement) -> Placement {
    Placement { test: TestIx(placement.test), target: TargetIx(placement.target) }
}

fn from_skip(skip: &plans::Skip) -> Skip {
    Skip { test: TestIx(skip.test), runs: skip.runs, reason: sentence(&skip.reason) }
}
