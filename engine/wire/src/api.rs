//! REST types under `/api/v1`. Times are RFC 3339 in UTC with microseconds. Ids are numbers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /jobs`. With header `Idempotency-Key`, a retry gives the same handle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// What its owner calls it.
    pub name: String,
    /// 1 (first) to 9 (last); 5 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Slots to use. Slots or DUTs, or both.
    #[serde(default)]
    pub slots: Vec<SlotRef>,
    /// DUT ids to use.
    #[serde(default)]
    pub duts: Vec<u64>,
    /// What to run, in order.
    pub tests: Vec<TestRequest>,
    /// With any warning nothing is stored.
    #[serde(default)]
    pub fail_on_warning: bool,
}

/// A slot of a rack, as people write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotRef {
    /// Name of the rack.
    pub rack: String,
    /// Number in it, from 1.
    pub slot: u16,
}

/// One test of a job (document 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Path in its area, with either slash.
    pub script: String,
    /// In the public area; else in the submitter's own.
    #[serde(default = "yes")]
    pub public: bool,
    /// On how many targets; as many as the job has unless given. Signed, so that nonsense gets a clear answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots_needed: Option<i64>,
    /// 0, 1, 2 or the name of a coverage policy; 1 unless given.
    #[serde(default)]
    pub mode: ModeRef,
    /// Arguments as one line, split as a shell would, without a shell.
    #[serde(default)]
    pub args: String,
    /// Stop it after this many seconds.
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

/// `GET /jobs/{job}/runs?after=RUN&limit=1000`, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunItem>,
    /// Give as `after` for the next page.
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

/// `GET /jobs/{job}/why?after=RUN&limit=1000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyAnswer {
    /// The handle.
    pub job: u64,
    /// Status in words.
    pub status_text: String,
    /// Starts so far: which run, where, and why. A page of them, in the order of the runs' numbers.
    pub started: Vec<WhyStarted>,
    /// What waits, and what stands in the way at each target. On the first page only (without `after`).
    pub waiting: Vec<WhyWaiting>,
    /// Where the job stands among all that wait; none once it has ended.
    #[serde(default)]
    pub queue: Option<WhyQueue>,
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
}

/// Why runs of a test wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyWaiting {
    /// Its script.
    pub script: String,
    /// How many of its runs wait.
    pub runs: u32,
    /// Per target: `rack/slot` and the reason there.
    pub at: Vec<WhyAt>,
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

/// `GET /racks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RackList {
    /// The racks.
    pub racks: Vec<RackItem>,
}

/// A rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RackItem {
    /// Its name.
    pub rack: String,
    /// Its daemon was heard of lately.
    pub online: bool,
    /// Takes no new runs.
    pub draining: bool,
    /// Last word from it.
    pub last_seen: Option<String>,
    /// CPU use, percent.
    pub cpu_percent: u8,
    /// The CPU gate is closed; for people.
    pub gate: Option<String>,
    /// Its slots.
    pub slots: Vec<SlotItem>,
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotItem {
    /// Number in the rack.
    pub slot: u16,
    /// The DUT in it.
    pub dut: Option<u64>,
    /// Its name.
    pub dut_name: Option<String>,
    /// `free`, `leased`, `held`, `offered`, `cooling`, `quarantined`.
    pub state: String,
    /// For people: by which job and run, until when.
    pub detail: String,
    /// Epoch of its last lease.
    pub epoch: u64,
}

/// `GET /duts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DutList {
    /// The DUTs.
    pub duts: Vec<DutItem>,
}

/// A DUT and where it is. The fields are those of `findStb` (document 4.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the document's own")]
pub struct DutItem {
    pub dut: u64,
    pub name: String,
    pub description: String,
    pub serial_number: String,
    pub model_name: String,
    pub model_description: String,
    pub manufacturer: String,
    pub manufacturer_model: String,
    pub hardware_version: String,
    pub type_name: String,
    pub type_description: String,
    pub broadcaster: String,
    pub ir_name: String,
    pub ir_description: String,
    pub smartcard_number: String,
    pub smartcard_param_name: String,
    pub smartcard_param_value: String,
    /// Where it is; `None`: on the shelf.
    pub place: Option<SlotRef>,
    /// Id of the model whose texts these are; in answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<u64>,
    /// When its infrared set was made known; in answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_created: Option<String>,
}

/// `POST /duts` (a new DUT; `dut` is ignored) and `PUT /duts/{dut}/place` take this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceRequest {
    /// The slot, or `None` for the shelf.
    pub place: Option<SlotRef>,
}

/// `GET /plugins`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginList {
    /// The plugins.
    pub plugins: Vec<PluginItem>,
    /// The rule that orders the jobs.
    #[serde(default)]
    pub queue: QueueInfo,
}

/// `GET /queue-policy`: the rule that orders the jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueInfo {
    /// What is to order them: a plugin, or `priority-fifo`, the built-in rule.
    pub policy: String,
    /// What does, until the plugin has ranked all open jobs, or while it cannot be asked.
    pub in_force: String,
    /// `in_force`, `ranking`, `stood_in`.
    pub state: String,
    /// Why another rule stands in.
    pub reason: Option<String>,
    /// All of it, for people.
    pub text: String,
}

impl Default for QueueInfo {
    fn default() -> Self {
        let policy = "priority-fifo".to_owned();
        let text = format!("{policy} orders the jobs");
        Self { in_force: policy.clone(), policy, state: "in_force".to_owned(), reason: None, text }
    }
}

/// `PUT /queue-policy` (administrators).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueRequest {
    /// A loaded queue policy, or `priority-fifo`.
    pub policy: String,
}

/// A plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginItem {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `coverage-policy`, `queue-policy`, `analyser` or `script`.
    pub kind: String,
    /// `wasm` or `rhai`.
    pub language: String,
    /// Version of the contract.
    pub world: String,
    /// `live`, `disabled`, `quarantined`, `broken`.
    pub state: String,
    /// Why it is broken or in quarantine.
    pub reason: Option<String>,
    /// BLAKE3 of what was loaded.
    pub hash: String,
    /// Failures in a row.
    pub strikes: u32,
    /// When it was loaded.
    pub loaded: String,
}

/// `POST /plugins/load`: a path on the server's machine, below its plugin folder unless the caller is an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadRequest {
    /// Folder or file of the plugin, absolute or below the plugin folder.
    pub path: String,
}

/// `GET /server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerInfo {
    /// Version of the server.
    pub version: String,
    /// When it started.
    pub started: String,
    /// The caller's user name.
    pub user: String,
    /// `admin`, `user` or `rack`.
    pub role: String,
    /// Open jobs.
    pub open_jobs: u64,
    /// Number of the newest event.
    pub event: u64,
}

/// One event of `GET /events` (SSE, `id:` is the number; resume with `Last-Event-ID` or `?after=`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventItem {
    /// Rises by at least one per event.
    pub number: u64,
    /// When.
    pub at: String,
    /// `job_accepted`, `job_changed`, `run_started`, `run_ended`, `rack_changed`, `plugin_changed`, `policy_struck`,
    /// `proposal_refused`, `queue_changed`, `files_changed`, `note`.
    pub kind: String,
    /// The job, if it is about one.
    pub job: Option<u64>,
    /// The run, if it is about one.
    pub run: Option<u64>,
    /// For people.
    pub text: String,
    /// The rest, by kind.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// `POST /racks/tokens` (administrators): a one-use token for `headend rack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolToken {
    /// The token; shown once.
    pub token: String,
    /// When it becomes void.
    pub expires: String,
}

/// `POST /racks/{rack}/drain` (administrators).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// `true`: no new runs on this rack; `false`: again.
    pub on: bool,
}

/// `POST /tokens` (administrators): a token for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Whose.
    pub user: String,
    /// `admin` or `user`; `user` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Void after this many seconds; never unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// What people call it.
    #[serde(default)]
    pub label: String,
    /// Its holder may act for others (document 4.11, `setUser`). Administrators always may.
    #[serde(default)]
    pub act_as: bool,
}

/// Answer to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenAnswer {
    /// The token; shown once.
    pub token: String,
    /// Its id, for lists and to revoke it.
    pub id: String,
    /// Whose.
    pub user: String,
    /// `admin` or `user`.
    pub role: String,
    /// When it becomes void.
    pub expires: Option<String>,
}

/// `GET /tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// Those that are valid now, by user.
    pub tokens: Vec<TokenItem>,
}

/// A token without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenItem {
    /// Its id.
    pub id: String,
    /// Whose.
    pub user: String,
    /// `admin` or `user`.
    pub role: String,
    /// What people call it.
    pub label: String,
    /// Its holder may act for others.
    pub act_as: bool,
    /// When it was made.
    pub created: String,
    /// When it becomes void; never if absent.
    pub expires: Option<String>,
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

/// `GET /version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionAnswer {
    /// Version of the server.
    pub version: String,
    /// Version of the rack exchange.
    pub protocol: u32,
}
