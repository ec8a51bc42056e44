//! The server about itself, and the feed of events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// `proposal_refused`, `queue_changed`, `files_changed`, `retention`, `note`.
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

/// `GET /version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionAnswer {
    /// Version of the server.
    pub version: String,
    /// Version of the rack exchange.
    pub protocol: u32,
}
