//! The loaded plugins, and the switch between their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use headend_model::PolicyName;
use headend_scheduler::view::PlanView;

use super::fault::PolicyFault;
use super::info::{PluginInfo, PluginState, VersionInUse};
use super::scripted::RhaiPolicy;
use super::selfcheck::self_check;
use super::version::{Code, Counted, Version};
use super::wasm::WasmPolicy;
use super::{PolicyInstance, QueueInstance};
use crate::guest::GuestProgram;
use crate::lifecycle::{FolderChange, FolderWatch, LoadError, Package, WatchError};
use crate::manifest::{Capability, Kind, Language, Limits, MANIFEST_FILE};
use crate::wasm::{CompileError, Compiler, Engines};

/// What a host needs to know.
#[derive(Clone, Debug)]
pub struct PolicyHostConfig {
    /// Runs what must not run in this process: the compiler and Rhai.
    pub guest: GuestProgram,
    /// Folder for compiled plugins; made with mode 0700, refused if others may write to it.
    pub cache: PathBuf,
    /// What plugins get when they ask for it.
    pub granted: BTreeSet<Capability>,
    /// The most that any manifest may ask for.
    pub most: Limits,
}

impl PolicyHostConfig {
    /// The usual settings: every capability granted, 64 MiB and one second per question at most.
    pub fn new(guest: GuestProgram, cache: impl Into<PathBuf>) -> Self {
        let most = Limits { memory_mib: 64, deadline_ms: 1_000, fuel: None, host_calls: 1_000 };
        Self { guest, cache: cache.into(), granted: BTreeSet::from([Capability::Log]), most }
    }
}

/// No plugin of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no policy plugin {0:?} is loaded; `headend plugin list` shows those that are")]
pub struct UnknownPlugin(pub String);

/// Loads policy plugins, keeps their versions apart, and builds instances. Shared by reference between threads; a load does not hold up
/// instances, and instances do not hold up each other.
pub struct PolicyHost {
    compiler: Compiler,
    granted: BTreeSet<Capability>,
    most: Limits,
    /// Never held while a plugin is compiled, tried or asked.
    plugins: Mutex<BTreeMap<PolicyName, Plugin>>,
}

struct Plugin {
    current: Arc<Version>,
    state: PluginState,
    /// Replaced, and perhaps still at work for jobs that began with them.
    older: Vec<Weak<Version>>,
}

impl PolicyHost {
    /// A host without plugins.
    ///
    /// # Errors
    /// [`CompileError`] when the runtime cannot start or the cache folder cannot be used.
    pub fn new(config: PolicyHostConfig) -> Result<Self, CompileError> {
        let engines = Engines::new().map_err(|error| CompileError::Foreign(format!("{error:#}")))?;
        let compiler = Compiler::new(config.guest, config.cache, engines)?;
        Ok(Self { compiler, granted: config.granted, most: config.most, plugins: Mutex::default() })
    }

    /// Loads the plugin in a folder (or beside a manifest). A plugin of that name from the same folder is replaced; its instances at work stay
    /// with the old version. Ends a quarantine, keeps a person's `disable`. Takes from milliseconds to a minute: not for an event loop.
    ///
    /// # Errors
    /// [`LoadError`], one variant per step; nothing has changed then.
    pub fn load(&self, path: &Path) -> Result<PluginInfo, LoadError> {
        self.load_as(path, None)
    }

    /// Loads a plugin again from where it came from.
    ///
    /// # Errors
    /// As [`PolicyHost::load`]; the loaded version stays in use then.
    pub fn reload(&self, name: &PolicyName) -> Result<PluginInfo, LoadError> {
        let folder = self.plugins().get(name).map(|plugin| plugin.current.folder.clone());
        self.load_as(&folder.ok_or_else(|| LoadError::NotLoaded(name.to_string()))?, Some(name))
    }

    /// Loads every folder of `folder` that has a manifest, in the order of their names.
    pub fn load_folder(&self, folder: &Path) -> Vec<Result<PluginInfo, LoadError>> {
        let mut folders: Vec<PathBuf> = match std::fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
            Err(source) => return vec![Err(LoadError::Read { path: folder.into(), source })],
        };
        folders.sort();
        folders.iter().filter(|folder| folder.join(MANIFEST_FILE).is_file()).map(|folder| self.load(folder)).collect()
    }

    fn load_as(&self, path: &Path, wanted: Option<&PolicyName>) -> Result<PluginInfo, LoadError> {
        let version = self.prepare(path)?;
        if let Some(wanted) = wanted.filter(|wanted| **wanted != version.manifest.name) {
            return Err(LoadError::Renamed {
                folder: version.folder,
                wanted: wanted.to_string(),
                found: version.manifest.name.to_string(),
            });
        }
        self.switch(version)
    }

    /// All steps but the last.
    fn prepare(&self, path: &Path) -> Result<Version, LoadError> {
        let package = Package::read(path, &self.most)?;
        package.check_policy(&self.granted)?;
        let (name, manifest) = (package.label(), &package.manifest);
        let code = match manifest.language {
            Language::Wasm => Code::Wasm(WasmPolicy::load(
                &self.compiler,
                &package.code,
                manifest.kind,
                manifest.limits,
                &manifest.capabilities,
                &name,
            )?),
            Language::Rhai => Code::Rhai(RhaiPolicy::load(self.compiler.guest(), &package)?),
        };
        let label = format!("{name} ({})", package.hash.get(..12).unwrap_or_default());
        let Package { manifest, folder, hash, .. } = package;
        let version = Version { manifest, code, hash, folder, label };
        // On a busy machine a sound plugin may miss its deadline once, most likely at its very first call.
        self_check(&version)
            .or_else(|_first| self_check(&version))
            .map_err(|what| LoadError::SelfCheck { plugin: name, what })?;
        Ok(version)
    }

    /// The last step: from now on new instances are of this version.
    fn switch(&self, version: Version) -> Result<PluginInfo, LoadError> {
        let version = Arc::new(version);
        let mut plugins = self.plugins();
        let name = version.manifest.name.clone();
        let plugin = match plugins.remove(&name) {
            Some(old) if old.current.folder != version.folder => {
                let folder = old.current.folder.clone();
                plugins.insert(name, old);
                let plugin = crate::lifecycle::label(&version.manifest);
                return Err(LoadError::NameTaken { plugin, folder });
            }
            Some(old) => old.replaced_by(version),
            None => Plugin { current: version, state: PluginState::Enabled, older: Vec::new() },
        };
        let info = plugin.info();
        plugins.insert(name, plugin);
        Ok(info)
    }

    /// Lets a plugin be asked (again).
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn enable(&self, name: &PolicyName) -> Result<PluginInfo, UnknownPlugin> {
        self.set_state(name, PluginState::Enabled)
    }

    /// Builds no more instances of a plugin. Instances at work are their holders' to drop.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn disable(&self, name: &PolicyName) -> Result<PluginInfo, UnknownPlugin> {
        self.set_state(name, PluginState::Disabled)
    }

    /// As [`PolicyHost::disable`], because the scheduler has had enough of it.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn quarantine(&self, name: &PolicyName) -> Result<PluginInfo, UnknownPlugin> {
        self.set_state(name, PluginState::Quarantined)
    }

    fn set_state(&self, name: &PolicyName, state: PluginState) -> Result<PluginInfo, UnknownPlugin> {
        let mut plugins = self.plugins();
        let plugin = plugins.get_mut(name).ok_or_else(|| UnknownPlugin(name.to_string()))?;
        plugin.state = state;
        Ok(plugin.info())
    }

    /// Forgets a plugin. Its instances at work go on until they are dropped.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn remove(&self, name: &PolicyName) -> Result<PluginInfo, UnknownPlugin> {
        let plugin = self.plugins().remove(name).ok_or_else(|| UnknownPlugin(name.to_string()))?;
        Ok(plugin.info())
    }

    /// All plugins, by name.
    pub fn list(&self) -> Vec<PluginInfo> {
        self.plugins().values().map(Plugin::info).collect()
    }

    /// An instance of the named coverage policy for one plan. `plan.past` is told to it at once.
    ///
    /// # Errors
    /// [`PolicyFault`] when there is no such policy to be asked, or it fails to build.
    pub fn instance(&self, name: &PolicyName, plan: &PlanView) -> Result<Box<dyn PolicyInstance>, PolicyFault> {
        let version = self.version(name, Kind::CoveragePolicy)?;
        Ok(Box::new(Counted { inner: version.code.coverage(plan)?, version }))
    }

    /// An instance of the named queue policy.
    ///
    /// # Errors
    /// As [`PolicyHost::instance`].
    pub fn queue(&self, name: &PolicyName) -> Result<Box<dyn QueueInstance>, PolicyFault> {
        let version = self.version(name, Kind::QueuePolicy)?;
        Ok(Box::new(Counted { inner: version.code.queue()?, version }))
    }

    fn version(&self, name: &PolicyName, wanted: Kind) -> Result<Arc<Version>, PolicyFault> {
        let plugins = self.plugins();
        let plugin = plugins.get(name).ok_or_else(|| PolicyFault::Unknown(name.to_string()))?;
        let is = plugin.current.manifest.kind;
        match plugin.state {
            PluginState::Disabled => Err(PolicyFault::Disabled(name.to_string())),
            PluginState::Quarantined => Err(PolicyFault::Quarantined(name.to_string())),
            PluginState::Enabled if is != wanted => {
                Err(PolicyFault::WrongKind { name: name.to_string(), is: is.as_str(), wanted: wanted.as_str() })
            }
            PluginState::Enabled => Ok(Arc::clone(&plugin.current)),
        }
    }

    /// Follows a folder of plugin folders: what appears or changes is loaded once it holds still, what goes away is removed. `told` is called
    /// from the watch's own thread, after the fact. What lies there already is loaded first, and told too.
    ///
    /// # Errors
    /// [`WatchError`] when the folder cannot be made or its thread cannot start.
    pub fn watch(
        self: &Arc<Self>,
        folder: &Path,
        told: impl FnMut(FolderChange) + Send + 'static,
    ) -> Result<FolderWatch, WatchError> {
        FolderWatch::start(Arc::clone(self), folder, Box::new(told))
    }

    /// The plugin that came from a folder: its name, and the hash of manifest and code.
    pub(crate) fn loaded_from(&self, folder: &Path) -> Option<(PolicyName, String)> {
        let plugins = self.plugins();
        let plugin = plugins.values().find(|plugin| plugin.current.folder == folder)?;
        Some((plugin.current.manifest.name.clone(), plugin.current.hash.clone()))
    }

    /// The hash of what lies in a folder now, if it can be read at all.
    pub(crate) fn hash_of(&self, folder: &Path) -> Option<String> {
        Package::read(folder, &self.most).ok().map(|package| package.hash)
    }

    fn plugins(&self) -> MutexGuard<'_, BTreeMap<PolicyName, Plugin>> {
        // Each change of the map is complete in itself: a panic elsewhere leaves nothing half done.
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugin {
    fn replaced_by(mut self, version: Arc<Version>) -> Self {
        self.older.retain(|old| old.strong_count() > 0);
        self.older.push(Arc::downgrade(&self.current));
        let state = match self.state {
            PluginState::Quarantined => PluginState::Enabled,
            state => state,
        };
        Self { current: version, state, older: self.older }
    }

    fn info(&self) -> PluginInfo {
        let Version { manifest, hash, folder, .. } = &*self.current;
        PluginInfo {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            kind: manifest.kind,
            language: manifest.language.as_str(),
            description: manifest.description.clone(),
            world: manifest.world.to_string(),
            hash: hash.clone(),
            folder: folder.clone(),
            capabilities: manifest.capabilities.iter().copied().collect(),
            limits: manifest.limits,
            state: self.state,
            instances: Arc::strong_count(&self.current) - 1,
            older: self.older.iter().filter_map(Weak::upgrade).map(|old| in_use(&old)).collect(),
        }
    }
}

fn in_use(old: &Arc<Version>) -> VersionInUse {
    VersionInUse {
        version: old.manifest.version.clone(),
        hash: old.hash.clone(),
        // Less the one that we look at it with.
        instances: Arc::strong_count(old) - 1,
    }
}
