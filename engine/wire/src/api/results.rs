//! What runs have found out, who wants them kept, and what retention does. Lists go a page at a time, the newest run first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /results`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultList {
    /// Runs that have ended.
    pub results: Vec<RunResult>,
    /// Give as `after` for the next page.
    pub next: Option<String>,
}

/// `GET /results/steps`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepList {
    /// Of the newest run first; those of a run in the order in which they began.
    pub steps: Vec<StepItem>,
    /// Give as `after` for the next page.
    pub next: Option<String>,
}

/// `GET /results/measurements`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasurementList {
    /// Of the newest run first; those of a run in the order in which they were taken.
    pub measurements: Vec<MeasurementItem>,
    /// Give as `after` for the next page.
    pub next: Option<String>,
}

/// `GET /results/artifacts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultFileList {
    /// Of the newest run first; those of a run by path.
    pub artifacts: Vec<ResultFile>,
    /// Give as `after` for the next page.
    pub next: Option<String>,
}

/// A run that has ended, and what has come of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunResult {
    /// The run.
    pub run: u64,
    /// Its job,
    pub job: u64,
    /// and what that is called.
    pub job_name: String,
    /// Whose job it is.
    pub owner: String,
    /// `public/…` or `private/…` and the script.
    pub test: String,
    /// Which try, from 1; 0: never executed.
    pub attempt: u32,
    /// `pass`, `partial_pass`, `fail`, `not_run`, `incomplete` or `killed`.
    pub outcome: String,
    /// `TM` code, or 1.
    pub code: u16,
    /// In words.
    pub comment: String,
    /// Which rule or plugin chose it.
    pub chosen_by: String,
    /// The rack; `null`: never executed.
    pub rack: Option<String>,
    /// Its slots and what was in them, with the names of that time.
    pub devices: Vec<ResultDevice>,
    /// When it was leased.
    pub started: Option<String>,
    /// When it ended.
    pub ended: String,
    /// Between the two, in seconds.
    pub seconds: Option<f64>,
    /// The schedule that made its job.
    pub schedule: Option<ResultSchedule>,
    /// The files that it saw.
    pub snapshot: ResultSnapshot,
    /// Versions of the analysers that it asked, by name.
    pub plugins: BTreeMap<String, String>,
    /// `read`: steps and measurements are those of its events; `none`: it has left no events, or they have not come yet;
    /// `removed`: they were read, and retention has taken the log since.
    pub events: String,
    /// How many there are.
    pub counts: ResultCounts,
    /// What was over a bound; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<ResultLeftOut>,
    /// When retention took films and film strips; `null`: not.
    pub video_removed: Option<String>,
    /// When retention took logs and captures.
    pub logs_removed: Option<String>,
    /// When retention took steps and measurements.
    pub numbers_removed: Option<String>,
}

/// Where a run ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultDevice {
    /// Slot number.
    pub slot: u16,
    /// DUT id.
    pub dut: u64,
    /// The DUT's name then.
    pub dut_name: String,
    /// Its model's name then.
    pub model: String,
}

/// The schedule that made a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultSchedule {
    /// Its id.
    pub id: u64,
    /// Its name then.
    pub name: String,
    /// Which occurrence.
    pub occurrence: u64,
}

/// The files that a run saw: hashes of trees, and the revisions that had them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultSnapshot {
    /// Tree of the public area; `null`: never executed.
    pub public_tree: Option<String>,
    /// Its revision.
    pub public_revision: Option<u64>,
    /// Tree of the owner's own area, for private scripts.
    pub private_tree: Option<String>,
    /// Its revision.
    pub private_revision: Option<u64>,
}

/// How much a run has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultCounts {
    /// Steps.
    pub steps: u64,
    /// Those that failed.
    pub steps_failed: u64,
    /// Measurements.
    pub measurements: u64,
    /// Files.
    pub artifacts: u64,
}

/// What was over a bound: 10,000 steps and 10,000 measurements of a run are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultLeftOut {
    /// Steps.
    pub steps: u64,
    /// Measurements.
    pub measurements: u64,
    /// Bytes of events that the rack did not write.
    pub log_bytes: u64,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepItem {
    /// The run.
    pub run: u64,
    /// Its job.
    pub job: u64,
    /// Its test.
    pub test: String,
    /// Name of its first DUT.
    pub dut_name: Option<String>,
    /// Number in the run, from 1.
    pub no: u32,
    /// The step around it.
    pub parent: Option<u32>,
    /// 0 for the outermost.
    pub depth: u32,
    /// Names of the steps around it and its own, with `/`; a `/` in a name is written `\/`.
    pub path: String,
    /// Its name.
    pub name: String,
    /// `pass`, `partial_pass`, `fail`, `not_run`, `other` (no number of `TM`) or `open` (the script ended before it).
    pub outcome: String,
    /// What the script gave.
    pub code: Option<i64>,
    /// On the rack's wall clock.
    pub began: Option<String>,
    /// On the rack's wall clock.
    pub ended: Option<String>,
    /// Between the two.
    pub seconds: Option<f64>,
    /// What was said at its end.
    pub comment: String,
}

/// A measurement of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasurementItem {
    /// The run.
    pub run: u64,
    /// Its job.
    pub job: u64,
    /// Its test.
    pub test: String,
    /// Name of its first DUT.
    pub dut_name: Option<String>,
    /// Number in the run, from 1.
    pub no: u32,
    /// Number of the step in which it was taken.
    pub step: Option<u32>,
    /// That step's path.
    pub path: String,
    /// What.
    pub name: String,
    /// How much.
    pub value: f64,
    /// In what.
    pub unit: String,
    /// Not less than this.
    pub low: Option<f64>,
    /// Not more than this.
    pub high: Option<f64>,
    /// Between the two; `null` without limits.
    pub within: Option<bool>,
    /// On the rack's wall clock.
    pub at: Option<String>,
}

/// A file that a run has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultFile {
    /// The run.
    pub run: u64,
    /// Its job.
    pub job: u64,
    /// Its test.
    pub test: String,
    /// Name of its first DUT.
    pub dut_name: Option<String>,
    /// Path below the run's folder; the bytes are at `/api/v1/runs/{run}/files/{path}`.
    pub path: String,
    /// What the script calls it; else the file's own name.
    pub name: String,
    /// `film`, `strip`, `picture`, `sound`, `page`, `events`, `log`, `data` or `other`.
    pub kind: String,
    /// Its class for retention: `video` or `logs`.
    pub class: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, 64 hex digits.
    pub hash: String,
    /// When retention took it; `null`: it is there.
    pub removed: Option<String>,
}

/// `PUT /runs/{run}/pin`: retention leaves the run alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinRequest {
    /// Why, for people; at most 500 characters.
    #[serde(default)]
    pub note: String,
}

/// A run that retention leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinItem {
    /// The run.
    pub run: u64,
    /// Whose job it is of.
    pub owner: String,
    /// Who pinned it.
    pub by: String,
    /// When.
    pub at: String,
    /// Why.
    pub note: String,
}

/// `GET /pins`, the newest run first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinList {
    /// The pins.
    pub pins: Vec<PinItem>,
    /// Give as `before` for the next page.
    pub next: Option<u64>,
}

/// `GET /retention`: what is kept, what would go now, and what has gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionInfo {
    /// Video, logs, numbers: what goes first stands first.
    pub classes: Vec<RetentionClass>,
    /// What would go if retention began now, the oldest run first; at most 1,000 runs.
    pub would: Vec<RetentionItem>,
    /// More would go than is listed.
    pub more: bool,
    /// When retention begins next.
    pub next: String,
    /// What has gone, the newest first.
    pub went: Vec<RetentionPast>,
}

/// A class of what runs leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionClass {
    /// `video`, `logs` or `numbers`.
    pub class: String,
    /// Bytes that are held.
    pub bytes: u64,
    /// Goes so many seconds after its run's end; `null`: never by age.
    pub age_s: Option<u64>,
    /// The oldest goes when more bytes than this are held; `null`: never by space.
    pub space: Option<u64>,
}

/// What would go of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionItem {
    /// The run.
    pub run: u64,
    /// When it ended.
    pub ended: String,
    /// Which classes.
    pub classes: Vec<String>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// `age` or `space`.
    pub reason: String,
}

/// What went at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionPast {
    /// When.
    pub at: String,
    /// `video`, `logs` or `numbers`.
    pub class: String,
    /// Of so many runs.
    pub runs: u64,
    /// Bytes.
    pub bytes: u64,
}
