//! Policy plugins, and which of them orders the jobs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /plugins`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginList {
    /// The plugins.
    pub plugins: Vec<PluginItem>,
    /// The rule that orders the jobs.
    #[serde(default)]
    pub queue: QueueInfo,
    /// Shadows and canaries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TrialItem>,
}

/// A policy on trial beside a live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrialItem {
    /// Its name: the plugin's, or that of another version of it.
    pub policy: String,
    /// The live policy.
    pub beside: String,
    /// `shadow` or `canary`.
    pub trial: String,
    /// As `GET /shadows` and `GET /canaries` tell it.
    pub state: String,
    /// For people.
    pub text: String,
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
    #[schema(min_length = 1)]
    pub path: String,
}
