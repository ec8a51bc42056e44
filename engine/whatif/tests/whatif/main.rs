//! Loads small enough to be followed by hand, and a whole day.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod cases;
mod day;
mod forecasts;
mod reports;

use std::collections::BTreeMap;

use headend_model::{DutId, Mode, Priority, RackName, SlotNo, Span, Timestamp, TreePath, UserName};
use headend_whatif::{JobPlan, Lasts, Place, Plan, RackPlan, SlotPlan, TestPlan};

/// Monday morning.
const MORNING: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Racks of so many slots, a DUT in each.
fn lab(slots: &[u16]) -> Plan {
    let mut dut = 100;
    let mut slot = |no| {
        dut += 1;
        SlotPlan { no: SlotNo(no), dut: Some(DutId(dut)) }
    };
    let racks = slots.iter().enumerate().map(|(at, slots)| RackPlan {
        name: RackName::new(format!("rack{}", at + 1)).unwrap(),
        slots: (1..=*slots).map(&mut slot).collect(),
    });
    Plan { racks: racks.collect(), otherwise: Span::seconds(10), ..Plan::default() }
}

fn slot(rack: u16, no: u16) -> Place {
    Place::Slot(RackName::new(format!("rack{rack}")).unwrap(), SlotNo(no))
}

fn test(script: &str, mode: Mode, slots_needed: u32, seconds: i64) -> TestPlan {
    let script = TreePath::parse(script).unwrap();
    TestPlan { script, mode, slots_needed, lasts: Lasts::Fixed(Span::seconds(seconds)), fails_percent: 0 }
}

/// A job of `anna` on slots of the first rack, so many seconds after the morning began.
fn job(after: i64, slots: impl IntoIterator<Item = u16>, tests: impl IntoIterator<Item = TestPlan>) -> JobPlan {
    JobPlan {
        name: "night".to_owned(),
        owner: UserName::new("anna").unwrap(),
        priority: Priority::default(),
        arrives: MORNING + Span::seconds(after),
        targets: slots.into_iter().map(|no| slot(1, no)).collect(),
        tests: tests.into_iter().collect(),
        parameters: BTreeMap::new(),
    }
}
