//! Why a run was started where and when it was, and why others wait.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /jobs/{job}/why?after=RUN&limit=1000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyAnswer {
    /// The handle.
    pub job: u64,
    /// Status in words.
    pub status_text: String,
    /// Starts so far: which run, where, and why. A page of them, in the order of the runs' numbers.
    pub started: Vec<WhyStarted>,
    /// What waits, and what stands in the way at each target: at most 100 tests. On the first page (without `after`), and
    /// from the test on that `waiting_from` names.
    pub waiting: Vec<WhyWaiting>,
    /// So many tests of the job have runs that wait.
    #[serde(default)]
    pub waiting_tests: u32,
    /// Give as `waiting_from` for more of them.
    #[serde(default)]
    pub waiting_next: Option<u32>,
    /// Where the job stands among all that wait; none once it has ended.
    #[serde(default)]
    pub queue: Option<WhyQueue>,
    /// Canaries that serve the job, or have served it, while the farm knows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<crate::trials::WhyCanary>,
    /// Give as `after` for more starts.
    #[serde(default)]
    pub next: Option<u64>,
}

/// Where a job stands among all that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyQueue {
    /// The queue policy that orders the jobs: `priority-fifo` is the built-in one.
    pub policy: String,
    /// The job's rank there: smaller ones get slots first. None: not ranked yet, behind all that are.
    pub rank: Option<i64>,
    /// For people.
    pub text: String,
}

/// Why a run was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyStarted {
    /// The run.
    pub run: u64,
    /// Its script.
    pub script: String,
    /// `rack/slot (DUT n)`.
    pub place: String,
    /// Rule or plugin that chose it.
    pub chosen_by: String,
    /// Why this job, and why this test.
    pub reason: String,
    /// Digest of what it was decided from and of all starts before, in hex; empty if none was kept. A replay of the journal
    /// gives the same.
    #[serde(default)]
    pub inputs: String,
}

/// Why runs of a test wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyWaiting {
    /// Its script.
    pub script: String,
    /// How many of its runs wait.
    pub runs: u32,
    /// The number that the next of them will have; `why-not` takes it.
    #[serde(default)]
    pub next_run: u64,
    /// Per target: `rack/slot` and the reason there. At most 64 of them.
    pub at: Vec<WhyAt>,
    /// So many targets could still take one of these runs.
    #[serde(default)]
    pub targets: u32,
}

/// What stands in the way at one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyAt {
    /// `rack/slot` or `DUT n`.
    pub target: String,
    /// Stable code, such as `slot_held`, `behind`, `cpu_gate`.
    pub code: String,
    /// For people.
    pub reason: String,
}
