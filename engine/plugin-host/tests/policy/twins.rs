//! A WASM policy and its native twin give the same answers through any history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use headend_model::{TargetIx, TestIx, Timestamp};
use headend_plugin_host::PolicyInstance;
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::policy::{CoveragePolicy, PlanBooks, native};
use headend_scheduler::view::PlanView;
use proptest::prelude::*;

use super::support::{Lab, name, plan};

/// Books as plain as can be: every question walks over everything.
#[derive(Clone)]
struct PlainBooks {
    order: Vec<TestIx>,
    runs: BTreeMap<TestIx, u32>,
    been: BTreeSet<(TestIx, TargetIx)>,
    starts: BTreeMap<TestIx, u32>,
}

impl PlainBooks {
    fn new(runs: &[u32]) -> Self {
        let tests = (0..).map(TestIx).zip(runs.iter().copied());
        Self {
            order: tests.clone().map(|(test, _)| test).collect(),
            runs: tests.collect(),
            been: BTreeSet::new(),
            starts: BTreeMap::new(),
        }
    }

    fn start(&mut self, placement: Placement) {
        self.been.insert((placement.test, placement.target));
        *self.starts.entry(placement.test).or_default() += 1;
    }

    /// What the core's loop would place: each choice sees those before it.
    fn propose(&self, policy: &dyn CoveragePolicy, free: &[TargetIx]) -> Vec<Placement> {
        let mut books = self.clone();
        let mut answer = Vec::new();
        for &target in free {
            if let Some(test) = policy.choose(&books, target) {
                books.start(Placement { test, target });
                answer.push(Placement { test, target });
            }
        }
        answer
    }
}

impl PlanBooks for PlainBooks {
    fn tests(&self) -> &[TestIx] {
        &self.order
    }

    fn runs_left(&self, test: TestIx) -> u32 {
        self.runs.get(&test).copied().unwrap_or_default().saturating_sub(self.starts(test))
    }

    fn starts(&self, test: TestIx) -> u32 {
        self.starts.get(&test).copied().unwrap_or_default()
    }

    fn was_on(&self, test: TestIx, target: TargetIx) -> bool {
        self.been.contains(&(test, target))
    }

    fn least_started(&self) -> Box<dyn Iterator<Item = TestIx> + '_> {
        let mut open: Vec<TestIx> = self.in_order().collect();
        open.sort_by_key(|test| self.starts(*test));
        Box::new(open.into_iter())
    }

    fn in_order(&self) -> Box<dyn Iterator<Item = TestIx> + '_> {
        Box::new(self.order.iter().copied().filter(|test| self.runs_left(*test) > 0))
    }
}

/// One round of a history: which targets are free, and what becomes of the answer.
#[derive(Clone, Debug)]
struct Round {
    free: Vec<bool>,
    /// Per placement: taken, or refused.
    taken: Vec<bool>,
    /// Another rule places something itself, if it can.
    fallback: bool,
    /// The instance is lost after this round and built again from its past.
    rebuilt: bool,
}

fn round() -> impl Strategy<Value = Round> {
    let flags = || prop::collection::vec(any::<bool>(), 8);
    (flags(), flags(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
        .prop_map(|(free, taken, fallback, rebuilt)| Round { free, taken, fallback, rebuilt })
}

/// Runs of each test: mostly of short lists, which reach every corner soon, and now and then of one that is long.
fn list() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![7 => prop::collection::vec(1u32..6, 1..12), 1 => prop::collection::vec(1u32..4, 60..140)]
}

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let lab = Lab::new();
        for policy in ["dut-coverage", "test-coverage"] {
            lab.host.load(&lab.stage_own(policy)).unwrap();
        }
        for policy in ["c-coverage", "zig-coverage"] {
            if let Some(folder) = lab.stage_example(policy) {
                lab.host.load(&folder).unwrap();
            }
        }
        lab
    })
}

/// Whether an example was built; the lab has said so if not.
fn is_here(policy: &str) -> bool {
    lab().plugins().join(policy).exists()
}

fn drive(policy: &str, runs: &[u32], targets: u32, rounds: &[Round]) -> Result<(), TestCaseError> {
    drive_beside(policy, native(policy).unwrap(), runs, targets, rounds)
}

/// The plugin `policy`, beside a rule of the server's own.
fn drive_beside(
    policy: &str,
    native: &dyn CoveragePolicy,
    runs: &[u32],
    targets: u32,
    rounds: &[Round],
) -> Result<(), TestCaseError> {
    let mut plan = plan(runs, targets);
    let mut books = PlainBooks::new(runs);
    let build = |plan: &PlanView| -> Box<dyn PolicyInstance> { lab().host.instance(&name(policy), plan).unwrap() };
    let mut instance = build(&plan);
    for round in rounds {
        let free: Vec<TargetIx> = (0..targets).filter(|n| round.free[*n as usize]).map(TargetIx).collect();
        let expected = books.propose(native, &free);
        prop_assert_eq!(&instance.propose(Timestamp::EPOCH, &free).unwrap().start, &expected);
        let mut news: Vec<Placement> =
            expected.iter().zip(&round.taken).filter(|(_, taken)| **taken).map(|(placement, _)| *placement).collect();
        if round.fallback {
            news.extend(somewhere(&books, &news, targets));
        }
        for placement in news {
            books.start(placement);
            for change in [PlanChange::Started(placement), PlanChange::Ended { placement, code: 111 }] {
                let change = change.at(Timestamp::EPOCH);
                instance.apply(&change);
                plan.past.push(change);
            }
        }
        if round.rebuilt {
            instance = build(&plan);
        }
    }
    Ok(())
}

/// Some pair that is still open, chosen from the end so that it is not what the rules would choose.
fn somewhere(books: &PlainBooks, news: &[Placement], targets: u32) -> Option<Placement> {
    let pairs =
        books.order.iter().rev().flat_map(|test| (0..targets).map(|n| Placement { test: *test, target: TargetIx(n) }));
    let mut books = books.clone();
    for placement in news {
        books.start(*placement);
    }
    pairs.filter(|pair| books.runs_left(pair.test) > 0).find(|pair| !books.was_on(pair.test, pair.target))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn dut_coverage_equals_its_native_twin(
        runs in list(),
        targets in 1u32..8,
        rounds in prop::collection::vec(round(), 1..16),
    ) {
        drive("dut-coverage", &runs, targets, &rounds)?;
    }

    #[test]
    fn test_coverage_equals_its_native_twin(
        runs in list(),
        targets in 1u32..8,
        rounds in prop::collection::vec(round(), 1..16),
    ) {
        drive("test-coverage", &runs, targets, &rounds)?;
    }

    #[test]
    fn least_started_in_c_equals_its_native_twin(
        runs in list(),
        targets in 1u32..8,
        rounds in prop::collection::vec(round(), 1..16),
    ) {
        if is_here("c-coverage") {
            drive_beside("c-coverage", native("test-coverage").unwrap(), &runs, targets, &rounds)?;
        }
    }

    #[test]
    fn list_order_in_zig_equals_its_native_twin(
        runs in list(),
        targets in 1u32..8,
        rounds in prop::collection::vec(round(), 1..16),
    ) {
        if is_here("zig-coverage") {
            drive_beside("zig-coverage", native("dut-coverage").unwrap(), &runs, targets, &rounds)?;
        }
    }
}

#[test]
fn a_policy_in_c_and_one_in_zig_say_why() {
    for (policy, expected) in [
        ("c-coverage", "test 0 has the fewest starts (0) of those that target 1 has not run"),
        ("zig-coverage", "test 0 is the first of the list that target 1 has not run"),
    ] {
        if !is_here(policy) {
            continue;
        }
        let mut instance = lab().host.instance(&name(policy), &plan(&[2, 1], 2)).unwrap();
        let answer = instance.propose(Timestamp::EPOCH, &[TargetIx(1)]).unwrap().start;
        assert_eq!(instance.reason(answer[0]).unwrap(), expected);
        assert_eq!(instance.report().unwrap(), "");
    }
}

#[test]
fn a_policy_in_zig_reads_its_parameters() {
    if !is_here("zig-coverage") {
        return;
    }
    let backwards = PlanView { parameters: r#"{"backwards": true}"#.into(), ..plan(&[1, 1, 1], 1) };
    let mut instance = lab().host.instance(&name("zig-coverage"), &backwards).unwrap();
    let answer = instance.propose(Timestamp::EPOCH, &[TargetIx(0)]).unwrap().start;
    assert_eq!(answer, [Placement { test: TestIx(2), target: TargetIx(0) }]);
}

#[test]
fn a_reason_names_the_test_and_the_target() {
    let mut instance = lab().host.instance(&name("test-coverage"), &plan(&[2, 1], 2)).unwrap();
    let answer = instance.propose(Timestamp::EPOCH, &[TargetIx(1)]).unwrap().start;
    let reason = instance.reason(answer[0]).unwrap();
    assert_eq!(reason, "test 0 has the fewest starts (0) of those that target 1 has not run");
    assert!(instance.plugin_version().starts_with("test-coverage 1.0.0 ("), "{}", instance.plugin_version());
}
