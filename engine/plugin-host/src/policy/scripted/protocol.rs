//! What server and child say to each other: one line of JSON each way, one answer per request. Both ends are the same build, so the
//! form may change at any time.

use headend_model::search::fields_of;
use headend_model::{DutId, RackName, SlotNo, TargetIx, TestIx};
use headend_scheduler::action::Noted;
use headend_scheduler::event::{Placement, Skip};
use headend_scheduler::history::LastOutcome;
use headend_scheduler::view::{PlanView, TargetView, TestView};
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
        /// Major number of the contract that it was written against.
        world: u32,
        memory_mib: u32,
    },
    Build {
        plan: u64,
        view: WirePlan,
    },
    Note {
        plan: u64,
        changes: Vec<Noted>,
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
    /// Why it has just proposed these. No sentence is begun after so many milliseconds.
    Reasons {
        plan: u64,
        of: Vec<Placement>,
        begin_within_ms: u64,
    },
    Report {
        plan: u64,
        now: i64,
    },
    /// About all jobs or slots that are asked about at once.
    Rank {
        parameters: String,
        of: super::queue::Of,
    },
}

/// What the script must define.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// `fn propose(plan, free)`.
    Coverage,
    /// `fn rank(job)` or `fn rank(job, parameters)`.
    Queue,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    Wishes {
        start: Vec<(u32, u32)>,
        skip: Vec<Skip>,
        /// It can say why.
        reasoned: bool,
    },
    /// For the first of those that were asked about, and what it threw at the next.
    Reasons {
        texts: Vec<String>,
        threw: Option<String>,
    },
    /// The script cannot serve the plan, for this reason.
    Declined(String),
    Text(String),
    Ranks(Vec<i64>),
    /// The source is no Rhai, or uses what is switched off.
    Refused(String),
    /// It lacks a function.
    Misfit(String),
    /// The script threw, ran out of operations, or answered something else than asked.
    Threw(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WirePlan {
    pub(super) parameters: String,
    pub(super) accepted: i64,
    pub(super) tests: Vec<WireTest>,
    pub(super) targets: Vec<WireTarget>,
    /// Test, target, return status, and when.
    pub(super) outcomes: Vec<(u32, u32, u16, i64)>,
    pub(super) past: Vec<Noted>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireTest {
    pub(super) ix: u32,
    pub(super) runs: u32,
    pub(super) name: String,
    pub(super) history: Option<WireHistory>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireHistory {
    pub(super) runs: u32,
    pub(super) passed: u32,
    pub(super) last_code: u16,
    pub(super) failures_in_a_row: u32,
    pub(super) p50_ms: i64,
    pub(super) p90_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireTarget {
    pub(super) ix: u32,
    pub(super) place: Option<(RackName, SlotNo)>,
    pub(super) dut: Option<DutId>,
    /// Names and values of its fields that are not blank.
    pub(super) fields: Vec<(String, String)>,
}

impl WirePlan {
    /// `parameters`: JSON text of an object.
    pub(super) fn new(plan: &PlanView, parameters: &str) -> Self {
        let outcome = |(of, last): &(Placement, LastOutcome)| (of.test.0, of.target.0, last.code, last.at.micros());
        Self {
            parameters: parameters.to_owned(),
            accepted: plan.accepted.micros(),
            tests: plan.tests.iter().map(wire_test).collect(),
            targets: plan.targets.iter().map(|target| wire_target(plan, target)).collect(),
            outcomes: plan.outcomes.iter().map(outcome).collect(),
            past: plan.past.clone(),
        }
    }
}

fn wire_test(test: &TestView) -> WireTest {
    let history = test.history.map(|history| WireHistory {
        runs: history.runs,
        passed: history.passed,
        last_code: history.last_code,
        failures_in_a_row: history.failures_in_a_row,
        p50_ms: history.p50.as_millis(),
        p90_ms: history.p90.as_millis(),
    });
    WireTest { ix: test.test.0, runs: test.runs, name: test.name.clone(), history }
}

fn wire_target(plan: &PlanView, target: &TargetView) -> WireTarget {
    let known = target.dut.and_then(|dut| plan.duts.get(&dut));
    let field = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let fields = known.map(|known| fields_of(known).map(field).collect()).unwrap_or_default();
    WireTarget { ix: target.target.0, place: target.place.clone(), dut: target.dut, fields }
}

/// From an answer's pair.
pub(super) fn placement((test, target): (u32, u32)) -> Placement {
    Placement { test: TestIx(test), target: TargetIx(target) }
}
