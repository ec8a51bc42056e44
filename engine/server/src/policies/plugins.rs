//! The policy plugins of this server: load, reload, disable, and what the farm and the feed are told of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use headend_model::{PolicyName, TargetIx, Timestamp, UserName};
use headend_plugin_host::lifecycle::{FolderChange, FolderWatch, Grants};
use headend_plugin_host::policy::{Answer, PluginInfo, PluginState, PolicyFault, QueueInstance};
use headend_plugin_host::trust::SignatureInfo;
use headend_plugin_host::{GuestProgram, Kind, LoadError, PolicyHost, PolicyHostConfig, PolicyInstance};
use headend_scheduler::Farm;
use headend_scheduler::action::{Noted, RankedJob, RankedSlot};
use headend_scheduler::event::{Event, PolicyKind};
use headend_scheduler::view::PlanView;
use headend_store::{FeedItem, FeedRow, GrantRow, Projection, Store};
use headend_wire::api::{PluginItem, QueueInfo};
use headend_wire::codes;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::change::all_grants;
use super::install::refused;
use super::{MakesPolicies, Policy, Ranks, Trouble, lock};
use crate::clock::{Clock, rfc3339};
use crate::events::Bus;
use crate::farm_loop::{FarmHandle, Tell};
use crate::http::problem::Chain;
use crate::http::{ApiError, ApiResult};
use crate::options::ServeOptions;
use crate::show;

/// Changes of the folder that may wait for us; the watch waits when there are more.
const CHANGES: usize = 64;

/// Starts the plugin host.
///
/// # Errors
/// When the runtime cannot start, in words.
pub(crate) fn start_host(options: &ServeOptions, granted: &[GrantRow]) -> Result<Arc<PolicyHost>, String> {
    let program = match &options.guest {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(|error| format!("cannot find out which program this is: {error}"))?,
    };
    let cache = options.data.join("cache").join("plugins");
    let mut config = PolicyHostConfig::new(GuestProgram::headend(program), cache);
    config.versions = options.data.join("plugin-versions");
    config.grants = all_grants(&options.plugin_grants, granted);
    config.trust = options.plugin_trust.clone();
    config.trust.folder.get_or_insert_with(|| options.data.join("trusted-keys"));
    PolicyHost::new(config).map(Arc::new).map_err(|error| Chain(&error).to_string())
}

/// The host as the policy threads see it.
pub(crate) struct HostMaker {
    pub(crate) host: Arc<PolicyHost>,
    /// What people know of the devices.
    pub(crate) devices: super::devices::Devices,
}

impl MakesPolicies for HostMaker {
    fn make(&self, policy: &PolicyName, plan: PlanView, content: Option<&str>) -> Result<Box<dyn Policy>, Trouble> {
        let plan = self.devices.described(plan)?;
        let instance = match content {
            Some(content) => self.host.instance_of(policy, &plan, content),
            None => self.host.instance(policy, &plan),
        };
        match instance {
            Ok(instance) => Ok(Box::new(Hosted(instance))),
            Err(PolicyFault::Declined { what, .. }) => Err(Trouble::Declined(what)),
            Err(fault) => Err(Trouble::Failed(fault.to_string())),
        }
    }

    fn make_queue(&self, policy: &PolicyName) -> Result<Box<dyn Ranks>, String> {
        let instance = self.host.queue(policy).map_err(|fault| fault.to_string())?;
        Ok(Box::new(HostedQueue(instance)))
    }

    fn quarantine(&self, policy: &PolicyName) {
        // Removed meanwhile: nothing to quarantine.
        let _ = self.host.quarantine(policy);
    }
}

struct Hosted(Box<dyn PolicyInstance>);

impl Policy for Hosted {
    fn content(&self) -> &str {
        self.0.content()
    }

    fn apply(&mut self, news: &Noted) {
        self.0.apply(news);
    }

    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, String> {
        self.0.propose(now, free).map_err(|fault| fault.to_string())
    }

    fn report(&mut self) -> Result<String, String> {
        self.0.report().map_err(|fault| fault.to_string())
    }
}

struct HostedQueue(Box<dyn QueueInstance>);

impl Ranks for HostedQueue {
    fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, String> {
        self.0.rank(jobs).map_err(|fault| fault.to_string())
    }

    fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, String> {
        self.0.rank_slots(slots).map_err(|fault| fault.to_string())
    }
}

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
    broken: Mutex<BTreeMap<PathBuf, (String, Timestamp)>>,
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
        };
        if let Err(error) = noted {
            tracing::warn!(?error, "a change of the plugin folder was not noted");
        }
    }

    pub(super) async fn note_broken(&self, folder: PathBuf, error: &LoadError) -> ApiResult<()> {
        let reason = Chain(error).to_string();
        tracing::warn!(reason, folder = %folder.display(), "a plugin was not loaded");
        let text = format!("{} was not loaded: {reason}", folder_name(&folder));
        lock(&self.broken).insert(folder, (reason, self.clock.now()));
        let data = json!({ "state": "broken", "change": "broken", "step": error.step().as_str() });
        self.publish(text, data, Vec::new()).await
    }

    /// Tells the farm and the feed of a plugin; how it stands now.
    async fn note_loaded(&self, info: &PluginInfo, word: Word) -> ApiResult<PluginInfo> {
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

    /// Loads a plugin from a path, absolute or below the plugin folder.
    ///
    /// # Errors
    /// `forbidden` for a path elsewhere unless `anywhere`; `bad_plugin` with the step that failed.
    pub(crate) async fn load(&self, path: &str, anywhere: bool) -> ApiResult<PluginItem> {
        let path = self.resolve(path, anywhere)?;
        let _turn = self.turn().await?;
        let host = self.host.clone();
        let result = blocking(move || host.load(&path)).await?;
        // Others may bring a plugin, but not bring one back that was put aside.
        self.after(result, if anywhere { Word::Person } else { Word::Nobody }).await
    }

    fn resolve(&self, path: &str, anywhere: bool) -> ApiResult<PathBuf> {
        if path.is_empty() || path.contains('\0') {
            return Err(ApiError::new(&codes::BAD_PLUGIN, "the path is empty or has a NUL").at("/path"));
        }
        let wanted = self.folder.join(path);
        let shown = crate::edge::names::cut(path);
        let bad = |error: std::io::Error| {
            ApiError::new(&codes::BAD_PLUGIN, format!("{shown:?} cannot be read: {error}")).at("/path")
        };
        if anywhere {
            return wanted.canonicalize().map_err(bad);
        }
        // One answer for what is elsewhere and what is nowhere: the server's disk is not to be searched by guesses.
        let inside = |real: &PathBuf| self.folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
        wanted.canonicalize().ok().filter(inside).ok_or_else(|| {
            let detail =
                format!("there is no {shown:?} in the plugin folder; only an administrator may load from elsewhere");
            ApiError::new(&codes::FORBIDDEN, detail).at("/path")
        })
    }

    /// Loads a plugin again from where it came from.
    ///
    /// # Errors
    /// `unknown_plugin`; `bad_plugin`, and the loaded version stays in use.
    pub(crate) async fn reload(&self, name: &str, by: &UserName) -> ApiResult<PluginItem> {
        let name = self.known(name)?;
        let _turn = self.turn().await?;
        let host = self.host.clone();
        let result = blocking(move || host.reload(&name)).await?;
        let info = result.map_err(|error| refused(&error))?;
        let info = self.note_changed(&info, Word::Person, "reloaded", by).await?;
        Ok(self.item(&info))
    }

    async fn after(&self, result: Result<PluginInfo, LoadError>, word: Word) -> ApiResult<PluginItem> {
        let info = result.map_err(|error| refused(&error))?;
        let info = self.note_loaded(&info, word).await?;
        Ok(self.item(&info))
    }

    /// Stops asking a plugin.
    ///
    /// # Errors
    /// `unknown_plugin`.
    pub(crate) async fn disable(&self, name: &str, by: &UserName) -> ApiResult<PluginItem> {
        let name = self.known(name)?;
        let info = self.host.disable(&name).map_err(|error| unknown(&error))?;
        self.tell.policies.forget_policy(&name);
        self.farm.step(Event::PolicyRemoved { policy: name.clone() }).await?;
        let data = changed(&info, "disabled", by);
        self.publish(format!("{name} was disabled by {by}"), data, vec![self.row_of(&info)]).await?;
        Ok(self.item(&info))
    }

    /// Asks a plugin again.
    ///
    /// # Errors
    /// `unknown_plugin`.
    pub(crate) async fn enable(&self, name: &str, by: &UserName) -> ApiResult<PluginItem> {
        let name = self.known(name)?;
        self.require_grants(&name)?;
        let info = self.host.enable(&name).map_err(|error| unknown(&error))?;
        self.farm.apply(events_of(&info, Word::Person), |_, _| ()).await?;
        self.tell.policies.remember(&name, 0, "");
        let data = changed(&info, "enabled", by);
        self.publish(format!("{name} was enabled by {by}"), data, vec![self.row_of(&info)]).await?;
        Ok(self.item(&info))
    }

    pub(super) fn known(&self, name: &str) -> ApiResult<PolicyName> {
        let all = self.host.list();
        if let Some(info) = all.iter().find(|info| info.name.as_str() == name) {
            return Ok(info.name.clone());
        }
        let names = crate::edge::names::listed(all.iter().map(|info| info.name.to_string()));
        let detail = format!("there is no plugin {:?}; loaded are: {names}", crate::edge::names::cut(name));
        Err(ApiError::new(&codes::UNKNOWN_PLUGIN, detail))
    }

    /// Another rule is to order the jobs: a loaded queue policy, or the built-in one.
    ///
    /// # Errors
    /// `unknown_plugin`; `invalid` for a plugin of another kind; `conflict` for one that is not to be asked.
    pub(crate) async fn use_queue(&self, name: &str, by: &UserName) -> ApiResult<QueueInfo> {
        let policy = if name == show::queue::BUILT_IN { None } else { Some(self.queue_policy(name)?) };
        let event = Event::UseQueuePolicy { policy, by: by.clone() };
        Ok(self.farm.apply(vec![event], |_, view| show::queue::info(view.farm)).await?)
    }

    fn queue_policy(&self, name: &str) -> ApiResult<PolicyName> {
        let name = self.known(name)?;
        let infos = self.host.list();
        let Some(info) = infos.iter().find(|info| info.name == name) else {
            return Err(ApiError::new(&codes::UNKNOWN_PLUGIN, format!("{name} was removed")));
        };
        if info.kind != Kind::QueuePolicy {
            let detail = format!("{name} is of kind {}; only a queue-policy orders jobs", info.kind.as_str());
            return Err(ApiError::new(&codes::INVALID, detail).at("/policy"));
        }
        match info.state {
            PluginState::Enabled => Ok(name),
            PluginState::Disabled => {
                let detail = format!("{name} is disabled; `headend plugin enable {name}` first");
                Err(ApiError::new(&codes::CONFLICT, detail))
            }
            PluginState::Quarantined => {
                let detail = format!("{name} is in quarantine; `headend plugin reload {name}` first");
                Err(ApiError::new(&codes::CONFLICT, detail))
            }
        }
    }

    /// Coverage policies that a job may name.
    pub(crate) fn coverage_policies(&self) -> Vec<PolicyName> {
        let installed = self.host.list().into_iter().filter(|info| info.kind == Kind::CoveragePolicy);
        installed.map(|info| info.name).collect()
    }

    /// All plugins, and the folders whose plugin is broken.
    pub(crate) fn list(&self) -> Vec<PluginItem> {
        let loaded = self.host.list();
        let mut items: Vec<PluginItem> = loaded.iter().map(|info| self.item(info)).collect();
        for (folder, (reason, at)) in lock(&self.broken).iter() {
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
fn changed(info: &PluginInfo, change: &str, by: &UserName) -> serde_json::Value {
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

fn folder_name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

pub(super) fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn unknown(error: &headend_plugin_host::policy::UnknownPlugin) -> ApiError {
    ApiError::new(&codes::UNKNOWN_PLUGIN, error.to_string())
}

/// Loading compiles and tries the plugin: not for the threads that answer requests.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal("the plugin host failed", &error))
}
