//! What the child keeps of each plan, and how a script sees it.

use std::collections::BTreeMap;

use headend_scheduler::action::PlanChange;
use rhai::{Array, Dynamic, INT, Map};

use super::protocol::WirePlan;

/// A plan with its counts. The script gets a copy with each call; `state` is the script's own, as `this`.
pub(super) struct Books {
    tests: BTreeMap<u32, TestRow>,
    /// In list order.
    test_order: Vec<u32>,
    targets: Vec<TargetRow>,
    pub(super) state: Dynamic,
}

struct TestRow {
    runs: u32,
    starts: u32,
}

struct TargetRow {
    ix: u32,
    rack: Dynamic,
    slot: Dynamic,
    dut: Dynamic,
    /// Tests that were started here, oldest first.
    seen: Array,
    lost: bool,
}

impl Books {
    pub(super) fn new(plan: WirePlan) -> Self {
        let targets = plan.targets.into_iter().map(|target| {
            let (rack, slot) = match target.place {
                Some((rack, slot)) => (Dynamic::from(rack.to_string()), Dynamic::from_int(INT::from(slot.0))),
                None => (Dynamic::UNIT, Dynamic::UNIT),
            };
            let dut = target.dut.map_or(Dynamic::UNIT, |dut| Dynamic::from_int(dut.0 as INT));
            TargetRow { ix: target.ix, rack, slot, dut, seen: Array::new(), lost: false }
        });
        let mut books = Self {
            test_order: plan.tests.iter().map(|(ix, _)| *ix).collect(),
            tests: plan.tests.into_iter().map(|(ix, runs)| (ix, TestRow { runs, starts: 0 })).collect(),
            targets: targets.collect(),
            state: Dynamic::from_map(Map::new()),
        };
        plan.past.iter().for_each(|change| books.note(change));
        books
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
        }
    }

    fn target(&mut self, ix: u32) -> Option<&mut TargetRow> {
        self.targets.iter_mut().find(|target| target.ix == ix)
    }

    /// The plan as a script sees it (told in `plugins/policies/spread/README.md`).
    pub(super) fn view(&self, now: i64) -> Map {
        let tests: Array = self.test_order.iter().filter_map(|ix| self.test_view(*ix)).collect();
        let targets: Array = self.targets.iter().map(TargetRow::view).collect();
        Map::from([
            ("now".into(), Dynamic::from_int(now)),
            ("tests".into(), Dynamic::from_array(tests)),
            ("targets".into(), Dynamic::from_array(targets)),
        ])
    }

    fn test_view(&self, ix: u32) -> Option<Dynamic> {
        let row = self.tests.get(&ix)?;
        let number = |n: u32| Dynamic::from_int(INT::from(n));
        Some(Dynamic::from_map(Map::from([
            ("ix".into(), number(ix)),
            ("runs".into(), number(row.runs)),
            ("left".into(), number(row.runs.saturating_sub(row.starts))),
            ("starts".into(), number(row.starts)),
        ])))
    }
}

impl TargetRow {
    fn view(&self) -> Dynamic {
        Dynamic::from_map(Map::from([
            ("ix".into(), Dynamic::from_int(INT::from(self.ix))),
            ("rack".into(), self.rack.clone()),
            ("slot".into(), self.slot.clone()),
            ("dut".into(), self.dut.clone()),
            ("seen".into(), Dynamic::from_array(self.seen.clone())),
            ("starts".into(), Dynamic::from_int(self.seen.len() as INT)),
            ("lost".into(), Dynamic::from_bool(self.lost)),
        ]))
    }
}
