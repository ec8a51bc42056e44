//! What coverage policies say has come of a job.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /jobs/{job}/report`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobReport {
    /// The handle.
    pub job: u64,
    /// One for each policy at work that had something to say; empty before its runs have ended.
    pub reports: Vec<PolicyReport>,
}

/// The word of one policy about the tests that it ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyReport {
    /// Which group of the job's tests, counted from 0: tests of one mode form a group.
    pub group: u32,
    /// The policy.
    pub policy: String,
    /// What it says; its form is the policy's own. `null`: it has failed, see `fault`.
    #[schema(value_type = Object)]
    pub report: serde_json::Value,
    /// Why there is no report, for people.
    #[serde(default)]
    pub fault: Option<String>,
    /// When it was made.
    pub at: String,
}
