//! What a client hands in, and the job states of the document's chapter 5.1.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::{DutId, PolicyName, SlotId, UserName};
use crate::path::TreePath;
use crate::time::Span;

/// Where a test may run: a place, or a device wherever it is (document 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Target {
    /// Whatever DUT sits in this slot.
    Slot(SlotId),
    /// This DUT, in whichever slot it sits.
    Dut(DutId),
}

/// Position of a test in [`JobSpec::tests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct TestIx(pub u32);

/// Position of a target in [`JobSpec::targets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct TargetIx(pub u32);

/// How a test is spread over targets (document 4.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Mode {
    /// 0: one process, all slots at once, all on one rack, all or nothing.
    SingleProcess,
    /// 1: on each DUT the tests in list order.
    DutCoverage,
    /// 2: the least-started test first, so that all tests are executed as soon as possible.
    TestCoverage,
    /// Any coverage policy by name: a plugin, or a built-in of that name.
    Policy(PolicyName),
}

/// 1 is highest, 9 lowest (out of range is refused at the edge).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Priority(pub u8);

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

/// One entry of a job (the five elements of the document's chapter 4.4, and limits).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TestSpec {
    /// Script, relative to its area.
    pub script: TreePath,
    /// In the public area, else in the owner's private one.
    pub public: bool,
    /// How many targets it is to run on, at least 1.
    pub slots_needed: u32,
    /// How it is spread over them.
    pub mode: Mode,
    /// Arguments, already split as a shell would.
    pub args: Vec<String>,
    /// The script is stopped after this long; `None`: the server's default.
    pub time_limit: Option<Span>,
}

/// A job as accepted: tests × targets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JobSpec {
    /// What its owner calls it. Not unique.
    pub name: String,
    /// Who handed it in.
    pub owner: UserName,
    /// Between jobs: lower numbers first.
    pub priority: Priority,
    /// Where it may run, without duplicates, at least one.
    pub targets: Vec<Target>,
    /// What to run, at least one.
    pub tests: Vec<TestSpec>,
    /// What the owner asks of the coverage policies that the tests name: JSON text of an object each.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "BTreeMap::is_empty"))]
    pub policy_parameters: BTreeMap<PolicyName, String>,
}

/// Job states with the numbers of the document's chapter 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum JobStatus {
    /// 0: accepted, nothing started yet.
    Idle,
    /// 1: at least one run has started and not all have ended.
    Running,
    /// 2: every run has ended.
    Completed,
    /// 3: stopped by a user, and no process of it can still run.
    Stopped,
    /// 4: a rack that holds a run of it has not been heard of for three heartbeats.
    Stalled,
    /// 5: could not start: no daemon on the rack.
    NoDaemon,
    /// 6: could not start: no DUT in the slots, or DUT ids not in the system.
    NoDut,
    /// 7: could not start: single-process tests over several racks.
    SeveralRacks,
}

impl JobStatus {
    /// The document's number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Running => 1,
            Self::Completed => 2,
            Self::Stopped => 3,
            Self::Stalled => 4,
            Self::NoDaemon => 5,
            Self::NoDut => 6,
            Self::SeveralRacks => 7,
        }
    }

    /// Will never change again.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Idle | Self::Running | Self::Stalled)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Stalled => "stalled",
            Self::NoDaemon => "no daemon on the rack",
            Self::NoDut => "no DUT in the slots",
            Self::SeveralRacks => "several racks needed",
        })
    }
}
