//! Jobs: handed in, listed, stopped.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::runs::RunItem;

/// `POST /jobs`. With header `Idempotency-Key`, a retry gives the same handle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// 1 (first) to 9 (last); 5 unless given.
    #[schema(minimum = 1, maximum = 9)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Slots to use. Slots or DUTs, or both.
    #[serde(default)]
    pub slots: Vec<SlotRef>,
    /// DUT ids to use.
    #[serde(default)]
    pub duts: Vec<u64>,
    /// What to run, in order.
    #[schema(min_items = 1)]
    pub tests: Vec<TestRequest>,
    /// What is asked of the coverage policies that the tests name, by policy: an object in the form that the policy's manifest allows.
    #[schema(value_type = Object)]
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// With any warning nothing is stored.
    #[serde(default)]
    pub fail_on_warning: bool,
}

/// A slot of a rack, as people write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotRef {
    /// Name of the rack.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    pub rack: String,
    /// Number in it, from 1.
    #[schema(minimum = 1)]
    pub slot: u16,
}

/// One test of a job (document 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Path in its area, with either slash.
    #[schema(min_length = 1, max_length = 200)]
    pub script: String,
    /// In the public area; else in the submitter's own.
    #[serde(default = "yes")]
    pub public: bool,
    /// On how many targets; as many as the job has unless given. Signed, so that nonsense gets a clear answer.
    #[schema(minimum = 1, maximum = 100_000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots_needed: Option<i64>,
    /// 0, 1, 2 or the name of a coverage policy; 1 unless given.
    #[serde(default)]
    pub mode: ModeRef,
    /// Arguments as one line, split as a shell would, without a shell.
    #[schema(max_length = 32_768)]
    #[serde(default)]
    pub args: String,
    /// Stop it after this many seconds.
    #[schema(minimum = 1, maximum = 604_800)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
}

fn yes() -> bool {
    true
}

/// A mode by number or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ModeRef {
    /// 0 single process, 1 DUT coverage, 2 test coverage.
    Number(i64),
    /// A coverage policy.
    Name(String),
}

impl Default for ModeRef {
    fn default() -> Self {
        Self::Number(1)
    }
}

/// Answer to `POST /jobs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitAnswer {
    /// The handle.
    pub job: u64,
    /// What the submitter should know.
    pub warnings: Vec<WarningItem>,
    /// A retry: nothing new was stored.
    pub repeated: bool,
}

/// A warning, as the document's tuples (code, message, parameter).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WarningItem {
    /// Negative number of the code table.
    pub number: i32,
    /// Its stable name.
    pub code: String,
    /// For people.
    pub message: String,
    /// What caused it: a script, a slot, a DUT.
    pub parameter: String,
}

/// One line of `GET /jobs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobItem {
    /// The handle.
    pub job: u64,
    /// Its name.
    pub name: String,
    /// Whose.
    pub owner: String,
    /// 1 to 9.
    pub priority: u8,
    /// Number of the status, document 5.1.
    pub status: u8,
    /// The same in words.
    pub status_text: String,
    /// A user has asked to stop it and something of it may still run.
    pub stop_requested: bool,
    /// When it was accepted.
    pub accepted: String,
    /// When its first run was leased.
    pub started: Option<String>,
    /// When it became final.
    pub ended: Option<String>,
    /// Runs in all.
    pub runs: u32,
    /// Runs that wait.
    pub queued: u32,
    /// Runs under way.
    pub running: u32,
    /// Runs that ended with pass or partial pass.
    pub passed: u32,
    /// Runs that ended with fail.
    pub failed: u32,
    /// Runs that ended otherwise.
    pub incomplete: u32,
}

/// `GET /jobs?state=open|all&limit=100&before=HANDLE`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<JobItem>,
    /// Give as `before` for the next page.
    pub next: Option<u64>,
}

/// `GET /jobs/{job}?runs=1000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub item: JobItem,
    /// As submitted.
    pub tests: Vec<TestItem>,
    /// The first of its runs, at most 1,000, in the order of their numbers: those of the first test, then of the second.
    pub run_list: Vec<RunItem>,
    /// There are more: give it as `after` to `GET /jobs/{job}/runs`.
    #[serde(default)]
    pub next: Option<u64>,
}

/// A test of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestItem {
    /// Position, from 0.
    pub test: u32,
    /// Script in its area.
    pub script: String,
    /// In the public area.
    pub public: bool,
    /// Targets wanted.
    pub slots_needed: u32,
    /// Mode by number or name.
    pub mode: ModeRef,
    /// Arguments, split.
    pub args: Vec<String>,
}

/// Answer to `POST /jobs/{job}/kill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KillAnswer {
    /// The handle.
    pub job: u64,
    /// Status after the request.
    pub status: u8,
    /// In words: `stopped`, `stop requested`, or what it ended as before.
    pub status_text: String,
}
