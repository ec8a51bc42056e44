//! What the child keeps of each plan, and how a script sees it.

use std::collections::BTreeMap;

use headend_scheduler::action::PlanChange;
use rhai::{Array, Dynamic, INT, Map};

use super::protocol::{WireHistory, WirePlan, WireTarget, WireTest};

/// A plan with its counts. The script gets a copy with each call; `state` is the script's own, as `this`.
pub(super) struct Books {
    tests: BTreeMap<u32, TestRow>,
    /// In list order.
    test_order: Vec<u32>,
    targets: Vec<TargetRow>,
    /// What scripts of later contracts see besides: `parameters`, `accepted`, `outcomes`. `None`: the first contract.
    facts: Option<Map>,
    pub(super) state: Dynamic,
}

struct TestRow {
    runs: u32,
    starts: u32,
    dropped: u32,
    /// `name` and `history`.
    facts: Option<Map>,
}

struct TargetRow {
    ix: u32,
    rack: Dynamic,
    slot: Dynamic,
    dut: Dynamic,
    /// Tests that were started here, oldest first.
    seen: Array,
    lost: bool,
    /// `fields` and `model`.
    facts: Option<Map>,
}

impl Books {
    /// `world`: major number of the contract; `parameters`: as the script sees them.
    pub(super) fn new(plan: WirePlan, world: u32, parameters: Map) -> Self {
        let later = world > 1;
        let facts = later.then(|| plan_facts(&plan, parameters));
        let row = |test: WireTest| {
            let facts = later.then(|| test_facts(&test));
            (test.ix, TestRow { runs: test.runs, starts: 0, dropped: 0, facts })
        };
        Self {
            test_order: plan.tests.iter().map(|test| test.ix).collect(),
            tests: plan.tests.into_iter().map(row).collect(),
            targets: plan.targets.into_iter().map(|target| TargetRow::new(target, later)).collect(),
            facts,
            state: Dynamic::from_map(Map::new()),
        }
    }

    pub(super) fn note(&mut self, change: &PlanChange) {
        match change {
            PlanChange::Started(placement) => {
                if let Some(test) = self.tests.get_mut(&placement.test.0) {
                    test.starts += 1;
                }
                if let Some(target) = self.target(placement.target.0) {
                    target.seen.push(Dynamic::from_int(INT::from(placement.test.0)));
                }
            }
            PlanChange::Ended { .. } => {}
            PlanChange::TargetLost(lost) => {
                if let Some(target) = self.target(lost.0) {
                    target.lost = true;
                }
            }
            PlanChange::Dropped { test, runs } => {
                if let Some(test) = self.tests.get_mut(&test.0) {
                    test.dropped += runs;
                }
            }
        }
    }

    fn target(&mut self, ix: u32) -> Option<&mut TargetRow> {
        self.targets.iter_mut().find(|target| target.ix == ix)
    }

    /// The plan as a script sees it (told in `plugins/policies/spread/README.md`).
    pub(super) fn view(&self, now: i64) -> Map {
        let tests: Array = self.test_order.iter().filter_map(|ix| self.test_view(*ix)).collect();
        let targets: Array = self.targets.iter().map(TargetRow::view).collect();
        let mut view = self.facts.clone().unwrap_or_default();
        view.insert("now".into(), Dynamic::from_int(now));
        view.insert("tests".into(), Dynamic::from_array(tests));
        view.insert("targets".into(), Dynamic::from_array(targets));
        view
    }

    fn test_view(&self, ix: u32) -> Option<Dynamic> {
        let row = self.tests.get(&ix)?;
        let number = |n: u32| Dynamic::from_int(INT::from(n));
        let mut view = row.facts.clone().unwrap_or_default();
        view.insert("ix".into(), number(ix));
        view.insert("runs".into(), number(row.runs));
        view.insert("left".into(), number(row.runs.saturating_sub(row.starts).saturating_sub(row.dropped)));
        view.insert("starts".into(), number(row.starts));
        Some(Dynamic::from_map(view))
    }
}

impl TargetRow {
    fn new(target: WireTarget, later: bool) -> Self {
        let facts = later.then(|| target_facts(&target));
        let (rack, slot) = match target.place {
            Some((rack, slot)) => (Dynamic::from(rack.to_string()), Dynamic::from_int(INT::from(slot.0))),
            None => (Dynamic::UNIT, Dynamic::UNIT),
        };
        let dut = target.dut.map_or(Dynamic::UNIT, |dut| Dynamic::from_int(dut.0 as INT));
        Self { ix: target.ix, rack, slot, dut, seen: Array::new(), lost: false, facts }
    }

    fn view(&self) -> Dynamic {
        let mut view = self.facts.clone().unwrap_or_default();
        view.insert("ix".into(), Dynamic::from_int(INT::from(self.ix)));
        view.insert("rack".into(), self.rack.clone());
        view.insert("slot".into(), self.slot.clone());
        view.insert("dut".into(), self.dut.clone());
        view.insert("seen".into(), Dynamic::from_array(self.seen.clone()));
        view.insert("starts".into(), Dynamic::from_int(self.seen.len() as INT));
        view.insert("lost".into(), Dynamic::from_bool(self.lost));
        Dynamic::from_map(view)
    }
}

fn plan_facts(plan: &WirePlan, parameters: Map) -> Map {
    let outcome = |(test, target, code, at): &(u32, u32, u16, INT)| {
        Dynamic::from_map(Map::from([
            ("test".into(), Dynamic::from_int(INT::from(*test))),
            ("target".into(), Dynamic::from_int(INT::from(*target))),
            ("code".into(), Dynamic::from_int(INT::from(*code))),
            ("at".into(), Dynamic::from_int(*at)),
        ]))
    };
    Map::from([
        ("parameters".into(), Dynamic::from_map(parameters)),
        ("accepted".into(), Dynamic::from_int(plan.accepted)),
        ("outcomes".into(), Dynamic::from_array(plan.outcomes.iter().map(outcome).collect())),
    ])
}

fn test_facts(test: &WireTest) -> Map {
    let history = test.history.as_ref().map_or(Dynamic::UNIT, |history| Dynamic::from_map(history_facts(history)));
    Map::from([("name".into(), Dynamic::from(test.name.clone())), ("history".into(), history)])
}

fn history_facts(history: &WireHistory) -> Map {
    let number = |n: u32| Dynamic::from_int(INT::from(n));
    Map::from([
        ("runs".into(), number(history.runs)),
        ("passed".into(), number(history.passed)),
        ("last_code".into(), number(history.last_code.into())),
        ("failures_in_a_row".into(), number(history.failures_in_a_row)),
        ("p50_ms".into(), Dynamic::from_int(history.p50_ms)),
        ("p90_ms".into(), Dynamic::from_int(history.p90_ms)),
    ])
}

fn target_facts(target: &WireTarget) -> Map {
    let value = |name: &str| target.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let fields: Map = target.fields.iter().map(|(name, value)| (name.into(), Dynamic::from(value.clone()))).collect();
    let model = Dynamic::from(value("ModelName").unwrap_or_default());
    Map::from([("fields".into(), Dynamic::from_map(fields)), ("model".into(), model)])
}
