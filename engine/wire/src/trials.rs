//! Policies on trial: shadows, which are asked and change nothing, and canaries, which get a share of the new jobs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /shadows` (administrators).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShadowRequest {
    /// The plugin that is to be asked.
    #[schema(min_length = 1)]
    pub plugin: String,
    /// Its version by the beginning of the hash; none: the one in force.
    #[serde(default)]
    pub hash: Option<String>,
    /// Its version by its own number, if only one that is kept has it.
    #[serde(default)]
    pub version: Option<String>,
    /// The live policy whose questions it gets: a coverage policy, or the queue policy that orders the jobs.
    #[schema(min_length = 1)]
    pub beside: String,
    /// In seconds; none: until it is stopped.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub length_s: Option<u64>,
}

/// `POST /canaries` (administrators).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryRequest {
    /// The plugin that is to get a share.
    #[schema(min_length = 1)]
    pub plugin: String,
    /// Its version by the beginning of the hash; none: the one in force.
    #[serde(default)]
    pub hash: Option<String>,
    /// Its version by its own number, if only one that is kept has it.
    #[serde(default)]
    pub version: Option<String>,
    /// The coverage policy whose new jobs are shared.
    #[schema(min_length = 1)]
    pub beside: String,
    /// How much, for how long, within which bounds.
    pub terms: CanaryTerms,
}

/// How much a canary gets, for how long, and what ends it before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryTerms {
    /// Share of the new jobs in thousandths.
    #[schema(minimum = 1, maximum = 1000)]
    pub share_permille: u16,
    /// How long it gets new jobs, in seconds.
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub length_s: u64,
    /// More failures and broken rules than this end it; none: only a quarantine does.
    #[serde(default)]
    pub max_faults: Option<u32>,
    /// A larger share of its runs that end incomplete ends it, if it is also larger than that of the others. In thousandths.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1000)]
    pub max_incomplete_permille: Option<u16>,
    /// A median wait that is longer than so many percent of the others' ends it. Waits below a second count as one.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100_000)]
    pub max_wait_percent: Option<u32>,
    /// Shares and waits count from so many runs on.
    #[serde(default = "min_runs")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub min_runs: u32,
}

const fn min_runs() -> u32 {
    20
}

/// `POST /canaries/{policy}/promote` (administrators).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// Although it has not passed.
    #[serde(default)]
    pub force: bool,
}

/// `GET /canaries`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CanaryList {
    /// The newest first; of those that are over the last ones.
    pub canaries: Vec<CanaryItem>,
}

/// A canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CanaryItem {
    /// Its name: the plugin's, or for another version of the live plugin the name, a dot, and the start of the hash.
    pub policy: String,
    /// The plugin.
    pub plugin: String,
    /// BLAKE3 of its content.
    pub hash: String,
    /// The live policy.
    pub beside: String,
    /// Who began it.
    pub by: String,
    /// `running`, `passed`, `unproven`, `broken`, `stopped`, `promoted`.
    pub state: String,
    /// Why it was broken off or stopped.
    pub reason: Option<String>,
    /// For people.
    pub text: String,
    /// When it began.
    pub began: String,
    /// When its time is over.
    pub until: String,
    /// When its state began.
    pub since: String,
    /// What was asked for.
    pub terms: CanaryTerms,
    /// What has come of its jobs,
    pub own: ArmItem,
    /// and of the other new jobs of the live policy.
    pub others: ArmItem,
    /// Open jobs that it serves.
    pub jobs: Vec<u64>,
}

/// What has come of one group of jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArmItem {
    /// Jobs.
    pub jobs: u32,
    /// Runs that were started.
    pub started: u32,
    /// Runs that ended, killed ones aside,
    pub ended: u32,
    /// and those of them without a result.
    pub incomplete: u32,
    /// Failures of the policy and rules of the contract that it broke.
    pub faults: u32,
    /// The last of them.
    pub last_fault: Option<String>,
    /// Plans that it declined.
    pub declined: u32,
    /// From a job's acceptance to the start of its run, median of the last 512.
    pub median_wait_ms: Option<u64>,
}

/// What a job has to do with a canary: part of `GET /jobs/{job}/why`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyCanary {
    /// The canary.
    pub policy: String,
    /// The policy that the job names.
    pub beside: String,
    /// It serves the job; else it has served it and was taken off.
    pub serves: bool,
    /// For people.
    pub text: String,
}

/// `GET /shadows`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShadowList {
    /// The newest first; of those that are over the last ones.
    pub shadows: Vec<ShadowItem>,
}

/// `GET /shadows/{policy}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShadowDetail {
    /// The shadow.
    #[serde(flatten)]
    pub item: ShadowItem,
    /// The last differences, the newest first.
    pub differences: Vec<ShadowDifference>,
}

/// A policy that is asked what the live one is asked, and changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShadowItem {
    /// Its name: the plugin's, or for another version of the live plugin the name, a dot, and the start of the hash.
    pub policy: String,
    /// The plugin.
    pub plugin: String,
    /// BLAKE3 of its content.
    pub hash: String,
    /// The live policy.
    pub beside: String,
    /// `coverage-policy` or `queue-policy`.
    pub kind: String,
    /// `running` or `stopped`.
    pub state: String,
    /// Why it was stopped.
    pub reason: Option<String>,
    /// Who began it.
    pub by: String,
    /// When it began.
    pub began: String,
    /// When it is to end.
    pub until: Option<String>,
    /// What has come of it.
    pub figures: ShadowFigures,
}

/// What has come of a shadow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ShadowFigures {
    /// Questions that it was asked.
    pub asked: u64,
    /// Questions that it was not asked because too many waited.
    pub dropped: u64,
    /// Answers that were compared with the live ones.
    pub compared: u64,
    /// The same starts, or the same job first.
    pub same: u64,
    /// As many starts, others; or another job first.
    pub other_placements: u64,
    /// It would have started fewer.
    pub starts_fewer: u64,
    /// It would have started more.
    pub starts_more: u64,
    /// The same starts, and others left out for good.
    pub skips_differ: u64,
    /// Answers in which it broke a rule of the contract, as the farm would have judged them.
    pub broken_rules: u64,
    /// Questions at which it failed.
    pub faults: u64,
    /// The last failure.
    pub last_fault: Option<String>,
    /// Answers that would have come after the farm's deadline.
    pub late: u64,
    /// Plans that it declined.
    pub declined: u64,
    /// Questions at which the live policy failed.
    pub live_faults: u64,
    /// Rank correlation of the two orders of the open jobs, Kendall's tau-b, -1 to 1: the last one,
    pub tau: Option<f64>,
    /// and the mean of all.
    pub tau_mean: Option<f64>,
    /// What an answer takes it, in microseconds: median of the last 512,
    pub p50_us: Option<u64>,
    /// and 99 of 100.
    pub p99_us: Option<u64>,
    /// The same of the live policy.
    pub live_p50_us: Option<u64>,
    /// The same of the live policy.
    pub live_p99_us: Option<u64>,
}

/// A question to which the two have answered otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShadowDifference {
    /// Counted from 1.
    pub number: u64,
    /// When it was asked.
    pub at: String,
    /// About which job; the one that the shadow puts first, for a queue policy.
    pub job: u64,
    /// `other_placements`, `starts_fewer`, `starts_more`, `skips_differ`, `other_first`, `broken_rule`.
    pub what: String,
    /// What the live policy did.
    pub live: String,
    /// What the shadow would have done.
    pub shadow: String,
    /// Why, in its words; empty: it has not said.
    pub reason: String,
}
