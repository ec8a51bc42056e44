//! The last look before a plugin is let in: a tiny plan, two rounds, and the answers must hold.

use std::collections::BTreeSet;

use headend_model::{DutFields, DutId, RackName, SlotNo, TargetIx, TestIx, Timestamp};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::{Placement, Skip};
use headend_scheduler::view::{PlanView, TargetView, TestView};

use super::fault::PolicyFault;
use super::version::Version;
use super::{Answer, Serves};
use crate::manifest::Kind;

/// Tries the version. `Err` says what it did.
pub(crate) fn self_check(version: &Version) -> Result<(), String> {
    match version.manifest.kind {
        Kind::QueuePolicy => super::queue::self_check(version),
        Kind::CoveragePolicy | Kind::Analyser | Kind::Script => cover(version),
    }
}

fn cover(version: &Version) -> Result<(), String> {
    let example = version.example();
    if version.wants_more && example.is_none() {
        // Nobody has said what it could be built with: the first job will show.
        return Ok(());
    }
    match rounds(version, &tiny_plan(example)) {
        // It wants parameters, or another lab: nothing can be said of its answers.
        Ok(()) | Err(Trouble::Fault(PolicyFault::Declined { .. })) => Ok(()),
        Err(Trouble::Fault(fault)) => Err(fault.to_string()),
        Err(Trouble::Lie(what)) => Err(what),
    }
}

enum Trouble {
    Fault(PolicyFault),
    Lie(String),
}

impl From<PolicyFault> for Trouble {
    fn from(fault: PolicyFault) -> Self {
        Self::Fault(fault)
    }
}

fn rounds(version: &Version, plan: &PlanView) -> Result<(), Trouble> {
    let first = first_round(&mut *version.coverage(plan)?)?;
    let mut twin = version.coverage(plan)?;
    if first != first_round(&mut *twin)? {
        let what = "two instances answered the same question differently; a policy must be a function of its plan";
        return Err(Trouble::Lie(what.into()));
    }
    for placement in &first.start {
        let _ = twin.reason(*placement)?;
        twin.apply(&PlanChange::Started(*placement).at(Timestamp::EPOCH));
        twin.apply(&PlanChange::Ended { placement: *placement, code: 111 }.at(Timestamp::EPOCH));
    }
    for Skip { test, runs, .. } in &first.skip {
        twin.apply(&PlanChange::Dropped { test: *test, runs: *runs }.at(Timestamp::EPOCH));
    }
    let second = twin.propose(Timestamp::EPOCH, &targets())?;
    check(&second, &first).map_err(Trouble::Lie)?;
    let _report = twin.report()?;
    Ok(())
}

fn first_round(instance: &mut dyn Serves) -> Result<Answer, Trouble> {
    let answer = instance.propose(Timestamp::EPOCH, &targets())?;
    check(&answer, &Answer::default()).map_err(Trouble::Lie)?;
    Ok(answer)
}

/// Of each test of the tiny plan.
const RUNS: u32 = 2;

/// Two tests with two runs each on two targets: small enough to be judged by eye.
fn tiny_plan(parameters: Option<String>) -> PlanView {
    let target = |n: u32| TargetView {
        target: TargetIx(n),
        place: RackName::new("self-check").ok().map(|rack| (rack, SlotNo(n as u16 + 1))),
        dut: Some(DutId(u64::from(n) + 1)),
    };
    let test = |n: u32| TestView { test: TestIx(n), runs: RUNS, name: format!("self-check/{n}.py"), history: None };
    let fields = |n: u64| DutFields { model_name: format!("model {n}"), ..DutFields::default() };
    PlanView {
        parameters: parameters.unwrap_or_default(),
        tests: vec![test(0), test(1)],
        targets: vec![target(0), target(1)],
        duts: (1..=2).map(|n| (DutId(n), fields(n))).collect(),
        ..PlanView::default()
    }
}

fn targets() -> [TargetIx; 2] {
    [TargetIx(0), TargetIx(1)]
}

/// The rules that the scheduler holds every answer to.
fn check(answer: &Answer, past: &Answer) -> Result<(), String> {
    let (mut used, mut left) = (BTreeSet::new(), [RUNS; 2]);
    past.start.iter().for_each(|placement| left[placement.test.0 as usize] -= 1);
    past.skip.iter().for_each(|skip| left[skip.test.0 as usize] -= skip.runs);
    for placement in &answer.start {
        let Placement { test, target } = *placement;
        let fault = if test.0 > 1 {
            "the plan has no such test"
        } else if target.0 > 1 {
            "the target was not offered"
        } else if !used.insert(target) {
            "the target is named twice"
        } else if past.start.contains(placement) {
            "the test has been on the target before"
        } else if left[test.0 as usize] == 0 {
            "the test has no run left"
        } else {
            left[test.0 as usize] -= 1;
            continue;
        };
        return Err(format!("it proposed test {test} on target {target}: {fault}", test = test.0, target = target.0));
    }
    answer.skip.iter().try_for_each(|skip| check_skip(skip, &mut left))
}

fn check_skip(Skip { test, runs, .. }: &Skip, left: &mut [u32; 2]) -> Result<(), String> {
    let Some(left) = left.get_mut(test.0 as usize) else {
        return Err(format!("it left out test {}: the plan has no such test", test.0));
    };
    if *runs == 0 || *runs > *left {
        return Err(format!("it left out {runs} runs of test {}, of which {left} are left", test.0));
    }
    *left -= runs;
    Ok(())
}
