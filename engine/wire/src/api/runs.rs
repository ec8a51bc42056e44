//! Runs of jobs, and the files that they leave.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /jobs/{job}/runs?after=RUN&limit=1000`, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunItem>,
    /// Give as `after` for the next page.
    pub next: Option<u64>,
}

/// One run (the document's nine elements, and more).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunItem {
    /// The run; 0 while it waits without a place.
    pub run: u64,
    /// The test, from 0.
    pub test: u32,
    /// 0 complete, 1 running, 2 waiting.
    pub state: u8,
    /// `TM` code, or 1 for incomplete; 0 if not complete.
    pub result: u16,
    /// In words.
    pub comment: String,
    /// When it was leased.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// `public/...` or `private/...` and the script.
    pub script: String,
    /// Where its output can be read.
    pub log_url: Option<String>,
    /// Where it ran; empty while it waits or if it was never executed.
    pub slots: Vec<RunSlot>,
    /// Which try.
    pub attempt: u32,
    /// Why it was started there and then; empty while it waits.
    pub why: String,
}

/// Where a run ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunSlot {
    /// Rack.
    pub rack: String,
    /// Slot number.
    pub slot: u16,
    /// DUT id.
    pub dut: u64,
    /// Epoch of the slot's lease.
    pub epoch: u64,
}

/// `GET /runs/{run}/files`: what a run has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArtifactList {
    /// The run.
    pub run: u64,
    /// Its files, by path. Each is at `/api/v1/runs/{run}/files/{path}`.
    pub files: Vec<ArtifactItem>,
}

/// A file that a run has left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct ArtifactItem {
    /// Path with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
}
