//! How a plugin was left: what its row in the store tells, and what a start makes of it.

use std::collections::BTreeMap;

use headend_model::{JobId, PolicyName, Timestamp};
use headend_plugin_host::lifecycle::{Former, Origin};
use headend_plugin_host::policy::{KeptVersion, PluginInfo, PluginState};
use headend_store::{PluginRow, Projection};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lock;
use super::plugins::Plugins;

/// The `details` of a plugin's row. What an older release left has none of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    /// It was sent, in a file of this name; none: it came from the row's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<String>,
    /// Content of its path when it was last loaded from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    /// Parameters as they were set.
    #[serde(skip_serializing_if = "Value::is_null")]
    set: Value,
    /// Versions that are kept, oldest first.
    versions: Vec<Kept>,
    /// Jobs that keep the version they began with, by its content.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    held: BTreeMap<String, Vec<u64>>,
    /// A person took it away, and what lies at its path is not to come back by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    version: String,
    hash: String,
    /// Microseconds since 1970.
    installed: i64,
}

/// A row, read.
pub(super) struct Memory {
    pub(super) name: PolicyName,
    pub(super) enabled: bool,
    pub(super) former: Former,
    details: Details,
}

impl Memory {
    /// `None`: a row that cannot be read; the plugin is then as good as new.
    pub(super) fn read(row: &PluginRow) -> Option<Self> {
        let name = PolicyName::new(row.name.clone()).ok()?;
        let details: Details = serde_json::from_str(&row.details)
            .inspect_err(|error| tracing::warn!(plugin = row.name, %error, "its details are not readable"))
            .unwrap_or_default();
        let origin = match &details.upload {
            Some(file) => Origin::Upload(file.clone()),
            None => Origin::Path(row.path.clone().into()),
        };
        let kept = |row: &Kept| KeptVersion { version: row.version.clone(), hash: row.hash.clone() };
        let former = Former {
            name: name.clone(),
            hash: row.hash.clone(),
            origin,
            versions: details.versions.iter().map(kept).collect(),
            set: details.set.clone(),
            seen: details.seen.clone(),
        };
        Some(Self { name, enabled: row.enabled, former, details })
    }

    pub(super) fn removed(&self) -> bool {
        self.details.removed
    }

    /// What lies at its path now is another content than was last loaded from there.
    pub(super) fn is_outdated(&self, now: Option<&String>) -> bool {
        now.is_some() && now != self.details.seen.as_ref()
    }

    /// When its versions were installed.
    pub(super) fn times(&self) -> impl Iterator<Item = (String, Timestamp)> + '_ {
        self.details.versions.iter().map(|row| (row.hash.clone(), Timestamp::from_micros(row.installed)))
    }

    /// Jobs that keep what they began with: job and content.
    pub(super) fn held(&self) -> impl Iterator<Item = (JobId, String)> + '_ {
        self.details.held.iter().flat_map(|(hash, jobs)| jobs.iter().map(|job| (JobId(*job), hash.clone())))
    }
}

impl Plugins {
    /// The row of a plugin as it stands.
    pub(super) fn row_of(&self, info: &PluginInfo) -> Projection {
        let (path, upload) = match &info.origin {
            Origin::Path(path) => (path.display().to_string(), None),
            Origin::Upload(file) => (String::new(), Some(file.clone())),
        };
        let details = Details {
            upload,
            seen: info.origin.path().and_then(|path| self.host.seen_at(path)),
            set: info.set.clone(),
            versions: info.versions.iter().map(|kept| self.version_row(kept)).collect(),
            held: self.held(info),
            removed: false,
        };
        row(info, path, info.state != PluginState::Disabled, &details)
    }

    /// The row of a plugin that was taken away while its files lie where they lay.
    pub(super) fn row_of_removed(&self, info: &PluginInfo) -> Option<Projection> {
        let path = info.origin.path().filter(|path| path.exists())?;
        let details = Details { seen: self.host.seen_at(path), removed: true, ..Details::default() };
        Some(row(info, path.display().to_string(), false, &details))
    }

    fn version_row(&self, kept: &KeptVersion) -> Kept {
        let now = self.clock.now();
        let installed = lock(&self.times).entry(kept.hash.clone()).or_insert(now).micros();
        Kept { version: kept.version.clone(), hash: kept.hash.clone(), installed }
    }

    /// Jobs at work with other content than what is in force.
    fn held(&self, info: &PluginInfo) -> BTreeMap<String, Vec<u64>> {
        let mut all = self.tell.policies.contents(&info.name);
        all.remove(&info.hash);
        all.into_iter().map(|(hash, jobs)| (hash, jobs.into_iter().map(|job| job.0).collect())).collect()
    }
}

fn row(info: &PluginInfo, path: String, enabled: bool, details: &Details) -> Projection {
    // Strings, numbers and JSON: this has a text.
    let details = serde_json::to_string(details).unwrap_or_else(|_| "{}".to_owned());
    Projection::Plugin(PluginRow { name: info.name.to_string(), hash: info.hash.clone(), path, enabled, details })
}
