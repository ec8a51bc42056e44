//! The policy plugins of this server, and what the farm and the feed are told of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use headend_model::{PolicyName, Timestamp, UserName};
use headend_plugin_host::excerpt::without_place;
use headend_plugin_host::lifecycle::{FolderChange, FolderWatch, Grants};
use headend_plugin_host::policy::{PluginInfo, PluginState};
use headend_plugin_host::trust::SignatureInfo;
use headend_plugin_host::{Kind, LoadError, PolicyHost};
use headend_scheduler::Farm;
use headend_scheduler::event::{Event, PolicyKind};
use headend_store::{FeedItem, FeedRow, GrantRow, Projection, Store};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::listed::folder_name;
use super::lock;
use crate::clock::Clock;
use crate::events::Bus;
use crate::farm_loop::{FarmHandle, Tell};
use crate::http::ApiResult;
use crate::http::problem::Chain;
use crate::options::ServeOptions;

/// Changes of the folder that may wait for us; the watch waits when there are more.
const CHANGES: usize = 64;

/// The plugins and all who are told of them.
pub(crate) struct Plugins {
    pub(super) host: Arc<PolicyHost>,
    pub(super) folder: PathBuf,
    pub(super) store: Store,
    pub(super) farm: FarmHandle,
    pub(super) tell: Arc<Tell>,
    pub(super) clock: Clock,
    pub(super) loaded: Mutex<BTreeMap<PolicyName, Timestamp>>,
    /// When a content was installed first.
    pub(super) times: Mutex<BTreeMap<String, Timestamp>>,
    /// Folders whose plugin could not be loaded, with the reason and the time.
    pub(super) broken: Mutex<BTreeMap<PathBuf, (String, Timestamp)>>,
    /// Grants that the server was started with.
    pub(super) started_with: Grants,
    /// Grants that were added.
    pub(super) granted: Mutex<Vec<GrantRow>>,
    /// Where uploads lie while they come in.
    pub(super) uploads: PathBuf,
    /// Turns of those that compile.
    pub(super) busy: Semaphore,
}

/// Plugins that are tried at once, each in a process of its own.
const AT_ONCE: usize = 2;

impl Plugins {
    /// Plugins of a host.
    pub(crate) fn new(
        host: Arc<PolicyHost>,
        options: &ServeOptions,
        granted: Vec<GrantRow>,
        store: Store,
        farm: FarmHandle,
        tell: Arc<Tell>,
        clock: Clock,
    ) -> Self {
        Self {
            host,
            folder: options.plugin_folder(),
            store,
            farm,
            tell,
            clock,
            loaded: Mutex::default(),
            times: Mutex::default(),
            broken: Mutex::default(),
            started_with: options.plugin_grants.clone(),
            granted: Mutex::new(granted),
            uploads: options.data.join("plugin-uploads"),
            busy: Semaphore::new(AT_ONCE),
        }
    }

    /// Follows the folder until the watch is dropped; its changes come out of the receiver.
    ///
    /// # Errors
    /// When the folder cannot be watched, in words.
    pub(crate) fn watch(&self) -> Result<(FolderWatch, mpsc::Receiver<FolderChange>), String> {
        let (sender, changes) = mpsc::channel(CHANGES);
        let told = move |change| {
            // The server is going down: nobody needs to know.
            let _ = sender.blocking_send(change);
        };
        let watch = self.host.watch(&self.folder, told).map_err(|error| Chain(&error).to_string())?;
        Ok((watch, changes))
    }

    /// Takes note of what has become of the folder.
    pub(crate) async fn on_change(&self, change: FolderChange) {
        let noted = match change {
            FolderChange::Loaded(info) => self.note_loaded(&info, Word::Nobody).await.map(drop),
            FolderChange::Failed { folder, error } => self.note_broken(folder, &error).await,
            FolderChange::Removed(name) => self.note_removed(&name).await,
            FolderChange::Gone(folder) => self.note_gone(&folder).await,
        };
        if let Err(error) = noted {
            tracing::warn!(?error, "a change of the plugin folder was not noted");
        }
    }

    pub(super) async fn note_broken(&self, folder: PathBuf, error: &LoadError) -> ApiResult<()> {
        let reason = Chain(error).to_string();
        let reason = without_place(&reason).to_owned();
        tracing::warn!(reason, folder = %folder.display(), "a plugin was not loaded");
        let text = format!("{} was not loaded: {reason}", folder_name(&folder));
        lock(&self.broken).insert(folder, (reason, self.clock.now()));
        let data = json!({ "state": "broken", "change": "broken", "step": error.step().as_str() });
        self.publish(text, data, Vec::new()).await
    }

    /// Tells the farm and the feed of a plugin; how it stands now.
    pub(super) async fn note_loaded(&self, info: &PluginInfo, word: Word) -> ApiResult<PluginInfo> {
        let info = self.tell_farm(info, word).await?;
        self.note_there(&info).await?;
        Ok(info)
    }

    /// The same for what a person did to it.
    pub(super) async fn note_changed(
        &self,
        info: &PluginInfo,
        word: Word,
        change: &str,
        by: &UserName,
    ) -> ApiResult<PluginInfo> {
        let info = self.tell_farm(info, word).await?;
        self.is_there(&info);
        let text = format!("{} {} is in force: {} by {by}", info.name, info.version, change.replace('_', " "));
        self.publish(text, changed(&info, change, by), vec![self.row_of(&info)]).await?;
        Ok(info)
    }

    async fn tell_farm(&self, info: &PluginInfo, word: Word) -> ApiResult<PluginInfo> {
        let name = info.name.clone();
        let standing = self.farm.apply(events_of(info, word), move |_, view| Standing::of(view.farm, &name)).await?;
        Ok(self.mirror(info, standing.as_ref()))
    }

    fn is_there(&self, info: &PluginInfo) {
        if let Some(path) = info.origin.path() {
            lock(&self.broken).remove(path);
        }
        lock(&self.loaded).insert(info.name.clone(), self.clock.now());
    }

    /// The feed and the list of a plugin that is loaded.
    pub(super) async fn note_there(&self, info: &PluginInfo) -> ApiResult<()> {
        self.is_there(info);
        let text = format!("{} {} was loaded", info.name, info.version);
        let mut data = about(info);
        data["change"] = "loaded".into();
        if let SignatureInfo::Doubtful(fault) = &info.signature {
            tracing::warn!(plugin = %info.name, %fault, "a plugin is not vouched for");
            data["doubt"] = fault.to_string().into();
        }
        self.publish(text, data, vec![self.row_of(info)]).await
    }

    /// The farm counts the failures, durably; the host and the list follow it.
    pub(super) fn mirror(&self, info: &PluginInfo, standing: Option<&Standing>) -> PluginInfo {
        let (strikes, reason) = standing.map_or((0, ""), |standing| (standing.strikes, standing.reason.as_str()));
        self.tell.policies.remember(&info.name, strikes, reason);
        let put_aside = info.state == PluginState::Enabled && standing.is_some_and(|standing| standing.quarantined);
        if put_aside { self.host.quarantine(&info.name).unwrap_or_else(|_| info.clone()) } else { info.clone() }
    }

    /// Nobody is to go on with the complaint.
    async fn note_gone(&self, folder: &Path) -> ApiResult<()> {
        lock(&self.broken).remove(folder);
        let data = json!({ "state": "removed", "change": "gone" });
        self.publish(format!("{}, which was not loaded, has gone", folder_name(folder)), data, Vec::new()).await
    }

    async fn note_removed(&self, name: &PolicyName) -> ApiResult<()> {
        self.forget(name).await?;
        let gone = Projection::PluginRemoved { name: name.to_string() };
        let data = json!({ "policy": name.as_str(), "change": "removed", "state": "removed" });
        self.publish(format!("{name} was removed"), data, vec![gone]).await
    }

    pub(super) async fn publish(
        &self,
        text: String,
        data: serde_json::Value,
        mut rows: Vec<Projection>,
    ) -> ApiResult<()> {
        let kind = "plugin_changed".to_owned();
        let item = FeedItem { at: self.clock.now(), kind, job: None, run: None, text, data };
        rows.push(Projection::Feed(item.clone()));
        let committed = self.store.write(rows).await?;
        publish_rows(&self.tell.bus, committed.feed, &item);
        Ok(())
    }
}

pub(super) const MANIFEST: &str = headend_plugin_host::manifest::MANIFEST_FILE;

fn publish_rows(bus: &Bus, numbers: std::ops::Range<u64>, item: &FeedItem) {
    for number in numbers {
        bus.publish(FeedRow { number, item: item.clone() });
    }
}

/// Whether a person stands behind what is told of a plugin: only that ends a quarantine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Person,
    Nobody,
}

/// What the farm is told of a plugin that is loaded.
pub(super) fn events_of(info: &PluginInfo, word: Word) -> Vec<Event> {
    let kind = match info.kind {
        Kind::CoveragePolicy => PolicyKind::Coverage,
        Kind::QueuePolicy => PolicyKind::Queue,
        Kind::Analyser | Kind::Script => return Vec::new(),
    };
    if info.state == PluginState::Disabled {
        return Vec::new();
    }
    let contract = contract_of(info);
    let found = Event::PolicyFound { policy: info.name.clone(), kind, hash: info.hash.clone(), contract };
    let loaded = (word == Word::Person).then(|| Event::PolicyLoaded { policy: info.name.clone() });
    std::iter::once(found).chain(loaded).collect()
}

/// Major version of the contract that a plugin was written against.
fn contract_of(info: &PluginInfo) -> u32 {
    info.world.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(1)
}

/// How a plugin stands with the farm.
pub(super) struct Standing {
    strikes: u32,
    reason: String,
    quarantined: bool,
}

impl Standing {
    pub(super) fn of(farm: &Farm, name: &PolicyName) -> Option<Self> {
        let view = farm.policy(name)?;
        Some(Self { strikes: view.strikes, reason: view.reason.to_owned(), quarantined: view.quarantined })
    }
}

/// The same, with what a person did.
pub(super) fn changed(info: &PluginInfo, change: &str, by: &UserName) -> serde_json::Value {
    let mut data = about(info);
    data["change"] = change.into();
    data["by"] = by.as_str().into();
    data
}

fn about(info: &PluginInfo) -> serde_json::Value {
    let state = match info.state {
        PluginState::Enabled => "live",
        PluginState::Disabled => "disabled",
        PluginState::Quarantined => "quarantined",
    };
    json!({ "policy": info.name.as_str(), "version": info.version, "hash": info.hash, "state": state })
}

pub(super) fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
