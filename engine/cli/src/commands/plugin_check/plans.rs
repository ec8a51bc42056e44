//! Plans that are made up: small ones first, so that the first that shows a fault is easy to read.

use std::collections::BTreeMap;

use headend_model::{DutFields, DutId, RackName, SlotNo, Span, TargetIx, TestIx, Timestamp};
use headend_scheduler::event::Placement;
use headend_scheduler::history::{LastOutcome, ScriptHistory};
use headend_scheduler::view::{PlanView, TargetView, TestView};

use super::random::Random;

/// How many small ones.
const SMALL: u64 = 40;
/// Tests and targets of plans that are wide or long.
const LARGE: &[(u32, u32)] = &[(2, 200), (200, 2), (40, 40)];
/// When the plans were accepted: in 2027.
pub(super) const ACCEPTED: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// Each with the seed of its game.
pub(super) fn all() -> Vec<(u64, PlanView)> {
    let small = (0..SMALL).map(|seed| {
        let mut random = Random::new(seed);
        let size = 1 + seed as u32 / 6;
        let (tests, targets) = (1 + random.below(size), 1 + random.below(size));
        (seed, plan(&mut random, tests, targets))
    });
    let large =
        LARGE.iter().zip(SMALL..).map(|(&(tests, targets), seed)| (seed, plan(&mut Random::new(seed), tests, targets)));
    small.chain(large).collect()
}

/// One that is as large as it is said, with two runs of each test.
pub(super) fn large(size: u32) -> PlanView {
    let mut plan = plan(&mut Random::new(u64::from(size)), size, size);
    plan.tests.iter_mut().for_each(|test| test.runs = 2);
    // Every slot has its device, and a tenth of the pairs of a small lab are remembered.
    plan.outcomes.truncate(10 * size as usize);
    plan
}

fn plan(random: &mut Random, tests: u32, targets: u32) -> PlanView {
    let tests: Vec<TestView> = (0..tests).map(|ix| test(random, ix, targets)).collect();
    let targets: Vec<TargetView> = (0..targets).map(|ix| target(random, ix)).collect();
    let duts: BTreeMap<DutId, DutFields> =
        targets.iter().filter_map(|target| target.dut).map(|dut| (dut, fields(random, dut))).collect();
    let outcomes = outcomes(random, tests.len() as u32, targets.len() as u32);
    PlanView { parameters: String::new(), accepted: ACCEPTED, tests, targets, duts, outcomes, past: Vec::new() }
}

fn test(random: &mut Random, ix: u32, targets: u32) -> TestView {
    let history = random.once_in(2).then(|| {
        let runs = 1 + random.below(30);
        let passed = random.below(runs + 1);
        let last_passed = passed > 0 && random.once_in(2);
        let p50 = i64::from(random.below(600_000));
        ScriptHistory {
            runs,
            passed,
            last_code: if last_passed { 111 } else { 100 },
            failures_in_a_row: if last_passed { 0 } else { runs - passed },
            p50: Span::millis(p50),
            p90: Span::millis(p50 * 2),
        }
    });
    // More runs than targets happen: who writes a job does not count devices.
    TestView { test: TestIx(ix), runs: 1 + random.below(targets.min(4) + 1), name: format!("check/{ix}.rhai"), history }
}

fn target(random: &mut Random, ix: u32) -> TargetView {
    let nowhere = random.once_in(12);
    let place = || RackName::new(format!("rack{}", ix % 3)).ok().map(|rack| (rack, SlotNo((ix / 3) as u16 + 1)));
    let empty = nowhere || random.once_in(12);
    TargetView {
        target: TargetIx(ix),
        place: if nowhere { None } else { place() },
        dut: if empty { None } else { Some(DutId(u64::from(ix) + 100)) },
    }
}

fn fields(random: &mut Random, dut: DutId) -> DutFields {
    DutFields {
        name: format!("dut {}", dut.0),
        model_name: ["", "M1", "M2", "M3"][random.below(4) as usize].to_owned(),
        hardware_version: ["", "rev A", "rev B"][random.below(3) as usize].to_owned(),
        broadcaster: ["", "north", "south"][random.below(3) as usize].to_owned(),
        ..DutFields::default()
    }
}

/// Of some pairs, by test and then target.
fn outcomes(random: &mut Random, tests: u32, targets: u32) -> Vec<(Placement, LastOutcome)> {
    let pairs = (0..tests).flat_map(|test| (0..targets).map(move |target| (test, target)));
    let some = pairs.filter(|_| random.once_in(5)).collect::<Vec<_>>();
    some.into_iter()
        .map(|(test, target)| {
            let code = [111, 100, 1][random.below(3) as usize];
            let at = Timestamp::from_micros(ACCEPTED.micros() - i64::from(random.below(1_000_000_000)));
            (Placement { test: TestIx(test), target: TargetIx(target) }, LastOutcome { code, at })
        })
        .collect()
}
