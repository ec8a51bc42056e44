//! What server and child say to each other: one line of JSON each way, one answer per request. Both ends are the same build, so the
//! form may change at any time.

use headend_model::{DutId, RackName, SlotNo, TargetIx, TestIx};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::view::{PlanView, TargetView};
use serde::{Deserialize, Serialize};

/// A request, and the plans that nobody asks about any more.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) gone: Vec<u64>,
    pub(super) request: Request,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Always the first: limits the process, then parses.
    Load {
        source: String,
        entry: Entry,
        memory_mib: u32,
    },
    Build {
        plan: u64,
        view: WirePlan,
    },
    Note {
        plan: u64,
        changes: Vec<PlanChange>,
    },
    Propose {
        plan: u64,
        now: i64,
        free: Vec<u32>,
    },
    Reason {
        plan: u64,
        of: Placement,
    },
    Rank {
        id: u64,
        owner: String,
        priority: u8,
        accepted: i64,
    },
}

/// What the script must define.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// `fn propose(plan, free)`.
    Coverage,
    /// `fn rank(job)`.
    Queue,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    Placements(Vec<(u32, u32)>),
    Text(String),
    Rank(i64),
    /// The source is no Rhai, or uses what is switched off.
    Refused(String),
    /// It lacks a function.
    Misfit(String),
    /// The script threw, ran out of operations, or answered something else than asked.
    Threw(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WirePlan {
    pub(super) tests: Vec<(u32, u32)>,
    pub(super) targets: Vec<WireTarget>,
    pub(super) past: Vec<PlanChange>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireTarget {
    pub(super) ix: u32,
    pub(super) place: Option<(RackName, SlotNo)>,
    pub(super) dut: Option<DutId>,
}

impl From<&PlanView> for WirePlan {
    fn from(plan: &PlanView) -> Self {
        let target =
            |target: &TargetView| WireTarget { ix: target.target.0, place: target.place.clone(), dut: target.dut };
        Self {
            tests: plan.tests.iter().map(|(test, runs)| (test.0, *runs)).collect(),
            targets: plan.targets.iter().map(target).collect(),
            past: plan.past.clone(),
        }
    }
}

/// From an answer's pair.
pub(super) fn placement((test, target): (u32, u32)) -> Placement {
    Placement { test: TestIx(test), target: TargetIx(target) }
}
