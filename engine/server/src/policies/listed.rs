//! Plugins as they are listed.

use std::path::Path;

use headend_model::{PolicyName, Timestamp};
use headend_plugin_host::Kind;
use headend_plugin_host::policy::{PluginInfo, PluginState};
use headend_wire::api::PluginItem;

use super::lock;
use super::plugins::Plugins;
use crate::clock::rfc3339;

impl Plugins {
    /// Coverage policies that a job may name.
    pub(crate) fn coverage_policies(&self) -> Vec<PolicyName> {
        let installed = self.host.list().into_iter().filter(|info| info.kind == Kind::CoveragePolicy);
        installed.map(|info| info.name).collect()
    }

    /// All plugins, and the folders whose plugin is broken.
    pub(crate) fn list(&self) -> Vec<PluginItem> {
        let loaded = self.host.list();
        let mut items: Vec<PluginItem> = loaded.iter().map(|info| self.item(info)).collect();
        // The watch may not have seen yet that one has gone.
        let is_there = |folder: &Path| !folder.starts_with(&self.folder) || folder.exists();
        for (folder, (reason, at)) in lock(&self.broken).iter().filter(|(folder, _)| is_there(folder)) {
            match loaded.iter().position(|info| info.origin.path() == Some(folder.as_path())) {
                // The old version works on; that the new one does not is worth knowing.
                Some(at) => items[at].reason = Some(format!("a newer version was not loaded: {reason}")),
                None => items.push(broken_item(folder, reason, *at)),
            }
        }
        items
    }

    pub(super) fn item(&self, info: &PluginInfo) -> PluginItem {
        let strikes = self.tell.policies.strikes(&info.name);
        let (state, reason) = match info.state {
            PluginState::Enabled => ("live", None),
            PluginState::Disabled => ("disabled", None),
            PluginState::Quarantined => ("quarantined", strikes.as_ref().map(|(_, reason)| reason.clone())),
        };
        let loaded = lock(&self.loaded).get(&info.name).copied();
        PluginItem {
            name: info.name.to_string(),
            version: info.version.clone(),
            kind: info.kind.as_str().to_owned(),
            language: info.language.to_owned(),
            world: info.world.clone(),
            state: state.to_owned(),
            reason,
            hash: info.hash.clone(),
            strikes: strikes.map_or(0, |(count, _)| count),
            loaded: loaded.map(rfc3339).unwrap_or_default(),
        }
    }
}

fn broken_item(folder: &Path, reason: &str, at: Timestamp) -> PluginItem {
    PluginItem {
        name: folder_name(folder),
        version: String::new(),
        kind: String::new(),
        language: String::new(),
        world: String::new(),
        state: "broken".to_owned(),
        reason: Some(reason.to_owned()),
        hash: String::new(),
        strikes: 0,
        loaded: rfc3339(at),
    }
}

pub(super) fn folder_name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}
