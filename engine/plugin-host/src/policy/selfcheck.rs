//! The last look before a plugin is let in: a tiny plan, two rounds, and the answers must hold.

use std::collections::BTreeSet;

use headend_model::{DutId, JobId, Priority, RackName, SlotNo, TargetIx, TestIx, Timestamp, UserName};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::policy::QueuedJob;
use headend_scheduler::view::{PlanView, TargetView};

use super::fault::PolicyFault;
use super::version::{AnyInstance, Version};
use crate::manifest::Kind;

/// Tries the version. `Err` says what it did.
pub(super) fn self_check(version: &Version) -> Result<(), String> {
    match version.manifest.kind {
        Kind::QueuePolicy => rank_twice(version),
        Kind::CoveragePolicy | Kind::Analyser | Kind::Script => cover(version),
    }
}

fn cover(version: &Version) -> Result<(), String> {
    let said = |fault: PolicyFault| fault.to_string();
    let first = first_round(&mut version.code.coverage(&tiny_plan()).map_err(said)?)?;
    let mut twin = version.code.coverage(&tiny_plan()).map_err(said)?;
    if first != first_round(&mut twin)? {
        return Err(
            "two instances answered the same question differently; a policy must be a function of its plan".into()
        );
    }
    for placement in &first {
        let _ = twin.reason(*placement).map_err(said)?;
        twin.apply(&PlanChange::Started(*placement));
        twin.apply(&PlanChange::Ended { placement: *placement, code: 2 });
    }
    let second = twin.propose(Timestamp::EPOCH, &targets()).map_err(said)?;
    check(&second, &first)
}

fn first_round(instance: &mut AnyInstance) -> Result<Vec<Placement>, String> {
    let answer = instance.propose(Timestamp::EPOCH, &targets()).map_err(|fault| fault.to_string())?;
    check(&answer, &[])?;
    Ok(answer)
}

/// Two tests with two runs each on two targets: small enough to be judged by eye.
fn tiny_plan() -> PlanView {
    let target = |n: u32| TargetView {
        target: TargetIx(n),
        place: RackName::new("self-check").ok().map(|rack| (rack, SlotNo(n as u16 + 1))),
        dut: Some(DutId(u64::from(n) + 1)),
    };
    PlanView { tests: vec![(TestIx(0), 2), (TestIx(1), 2)], targets: vec![target(0), target(1)], past: Vec::new() }
}

fn targets() -> [TargetIx; 2] {
    [TargetIx(0), TargetIx(1)]
}

/// The rules that the scheduler holds every answer to.
fn check(answer: &[Placement], past: &[Placement]) -> Result<(), String> {
    let mut used = BTreeSet::new();
    for placement in answer {
        let Placement { test, target } = *placement;
        let fault = if test.0 > 1 {
            "the plan has no such test"
        } else if target.0 > 1 {
            "the target was not offered"
        } else if !used.insert(target) {
            "the target is named twice"
        } else if past.contains(placement) {
            "the test has been on the target before"
        } else {
            continue;
        };
        return Err(format!("it proposed test {test} on target {target}: {fault}", test = test.0, target = target.0));
    }
    Ok(())
}

fn rank_twice(version: &Version) -> Result<(), String> {
    let owner = UserName::new("self-check").map_err(|error| error.to_string())?;
    let job = QueuedJob { job: JobId(1), owner: &owner, priority: Priority::default(), accepted: Timestamp::EPOCH };
    let rank = || version.code.queue().and_then(|mut queue| queue.rank(&job)).map_err(|fault| fault.to_string());
    if rank()? == rank()? { Ok(()) } else { Err("it ranked the same job differently twice".into()) }
}
