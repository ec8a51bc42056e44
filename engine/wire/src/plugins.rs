//! The life cycle of plugins over REST.

use base64::Engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::PluginItem;

/// `GET /plugins/{name}`: a plugin with everything about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginDetail {
    /// As in the list.
    #[serde(flatten)]
    pub item: PluginItem,
    /// Its sentence about itself.
    pub description: String,
    /// Where it came from: a path on the server's machine, or `an upload of FILE`.
    pub origin: String,
    /// What it asks for beyond answering.
    pub capabilities: Vec<CapabilityItem>,
    /// What each of its calls may cost.
    pub limits: PluginLimits,
    /// Parameters.
    pub parameters: PluginParameters,
    /// Who vouches for it.
    pub signature: SignatureItem,
    /// Versions that one can go back to, oldest first; the one in force is among them.
    pub versions: Vec<VersionItem>,
    /// Who uses it, as far as the asker may see their jobs and schedules.
    pub uses: PluginUses,
}

/// Something that a plugin may do beyond answering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapabilityItem {
    /// Its name.
    pub capability: String,
    /// What it lets a plugin do.
    pub about: String,
    /// The plugin has it.
    pub granted: bool,
}

/// What each call of a plugin may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginLimits {
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Wall-clock time of a question, in ms.
    pub deadline_ms: u64,
    /// Instructions of a call; none: only time counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Calls into the host during one call.
    pub host_calls: u32,
}

/// Parameters of a plugin. Jobs may ask for others, member by member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginParameters {
    /// JSON Schema of what it takes; `null`: it takes none.
    #[schema(value_type = Object)]
    pub schema: serde_json::Value,
    /// What was set; `null`: nothing.
    #[schema(value_type = Object)]
    pub set: serde_json::Value,
    /// What it gets: what was set, and the schema's defaults.
    #[schema(value_type = Object)]
    pub effective: serde_json::Value,
}

/// Who vouches for a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignatureItem {
    /// `not_checked`, `good`, `doubtful`.
    pub state: String,
    /// Id of the key that signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the operator calls the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The comment that the signature covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Why it is doubtful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionItem {
    /// As its manifest says.
    pub version: String,
    /// BLAKE3 of manifest and code.
    pub hash: String,
    /// When it was installed first.
    pub installed: String,
    /// It is in force.
    pub current: bool,
    /// Open jobs that are at work with it.
    pub jobs: Vec<u64>,
}

/// Who uses a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginUses {
    /// Open jobs with a test that names it.
    pub jobs: Vec<u64>,
    /// Schedules with a test that names it, as `OWNER/NAME`.
    pub schedules: Vec<String>,
    /// It is to order the jobs.
    pub queue: bool,
}

impl PluginUses {
    /// Nobody does.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.schedules.is_empty() && !self.queue
    }
}

/// Answer to `POST /plugins/verify`: how far a plugin would come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifyAnswer {
    /// It would be loaded.
    pub ok: bool,
    /// `NAME VERSION (HASH)`, as far as its manifest could be read.
    pub plugin: Option<String>,
    /// Each step in its order.
    pub steps: Vec<StepItem>,
    /// Who vouches for it, if that step was reached.
    pub signature: Option<SignatureItem>,
}

/// A step of loading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepItem {
    /// `read`, `manifest`, `world`, `capabilities`, `signature`, `parameters`, `compile`, `link`, `self-check`, `keep`, `switch`.
    pub step: String,
    /// `passed`, `failed`, `not reached`.
    pub how: String,
    /// Why it failed, and what helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /plugins/{name}/rollback` (administrators).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The beginning of the hash of a kept version; the version before the one in force unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// `GET /plugin-grants`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantList {
    /// What plugins may do beyond answering.
    pub grants: Vec<GrantItem>,
    /// What can be granted.
    pub capabilities: Vec<String>,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantItem {
    /// Name of the plugin; `*`: all.
    pub plugin: String,
    /// Name of the capability.
    pub capability: String,
    /// Who granted it; none: the server was started with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// `POST /plugin-grants` and `POST /plugin-grants/revoke` (administrators).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// Name of a plugin, also of one that is still to come; `*`: all.
    pub plugin: String,
    /// Name of the capability.
    pub capability: String,
}

/// `GET /racks/analysers/{name}`: an analyser in force, as a rack runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnalyserAnswer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// BLAKE3 over manifest and code, in hex.
    pub hash: String,
    /// Parameters as they were set: an object, or null.
    #[serde(default)]
    pub set: serde_json::Value,
    /// What it asks for and was granted.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Manifest and code; left out when the rack has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<AnalyserPackage>,
}

/// The two files of an analyser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnalyserPackage {
    /// Text of the manifest.
    pub manifest: String,
    /// Name of the code's file.
    pub file: String,
    /// The code, in base64.
    code: String,
}

impl AnalyserPackage {
    /// Of these files.
    pub fn new(manifest: impl Into<String>, file: impl Into<String>, code: &[u8]) -> Self {
        let code = base64::engine::general_purpose::STANDARD.encode(code);
        Self { manifest: manifest.into(), file: file.into(), code }
    }

    /// The code; `None`: it is no base64.
    pub fn code(&self) -> Option<Vec<u8>> {
        base64::engine::general_purpose::STANDARD.decode(&self.code).ok()
    }
}
