//! The loaded plugins, and the switch between their versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use headend_model::PolicyName;
use headend_scheduler::view::PlanView;

use super::fault::PolicyFault;
use super::info::{KeptVersion, PluginInfo, PluginState, VersionInUse};
use super::version::{Counted, Version};
use super::{PolicyInstance, QueueInstance};
use crate::analyser::{AnalyserHost, AnalyserHostConfig};
use crate::guest::GuestProgram;
use crate::lifecycle::{FolderChange, FolderWatch, Grants, Kept, LoadError, Origin, WatchError, label};
use crate::manifest::{Kind, Limits, Manifest, ParameterError};
use crate::trust::Trust;
use crate::wasm::{CompileError, Compiler, Engines};

/// What a host needs to know.
#[derive(Clone, Debug)]
pub struct PolicyHostConfig {
    /// Runs what must not run in this process: the compiler and Rhai.
    pub guest: GuestProgram,
    /// Folder for compiled plugins; made with mode 0700, refused if others may write to it.
    pub cache: PathBuf,
    /// Folder for the versions that one can go back to.
    pub versions: PathBuf,
    /// How many versions of a plugin are kept, that in force included.
    pub keep: usize,
    /// What plugins get when they ask for it.
    pub grants: Grants,
    /// Whose plugins are let in.
    pub trust: Trust,
    /// The most that any manifest may ask for.
    pub most: Limits,
    /// Takes analysers in as well, checked so; `None`: policies alone. Grants are those of this host.
    pub analysers: Option<AnalyserHostConfig>,
}

impl PolicyHostConfig {
    /// The usual settings: logging granted, no signatures, five versions kept beside the cache, 64 MiB and one second per question at most.
    pub fn new(guest: GuestProgram, cache: impl Into<PathBuf>) -> Self {
        let most = Limits { memory_mib: 64, deadline_ms: 1_000, fuel: None, host_calls: 1_000 };
        let cache = cache.into();
        let versions = cache.with_extension("versions");
        let (grants, trust) = (Grants::default(), Trust::default());
        Self { guest, cache, versions, keep: 5, grants, trust, most, analysers: None }
    }
}

/// No plugin of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no policy plugin {0:?} is loaded; `headend plugin list` shows those that are")]
pub struct UnknownPlugin(pub String);

/// Loads policy plugins, keeps their versions apart, and builds instances. Shared by reference between threads; a load does not hold up
/// instances, and instances do not hold up each other.
pub struct PolicyHost {
    pub(crate) compiler: Compiler,
    pub(crate) kept: Kept,
    pub(crate) keep: usize,
    pub(crate) trust: Trust,
    pub(crate) most: Limits,
    pub(crate) analysers: Option<AnalyserHostConfig>,
    /// Started for the first analyser.
    analyser_host: Mutex<Option<Arc<AnalyserHost>>>,
    grants: Mutex<Grants>,
    /// Never held while a plugin is compiled, tried or asked.
    plugins: Mutex<BTreeMap<PolicyName, Plugin>>,
    /// Content that was last loaded from a path.
    seen: Mutex<BTreeMap<PathBuf, String>>,
    /// Versions beside the one in force, under names of their own.
    on_trial: Mutex<BTreeMap<PolicyName, Arc<Version>>>,
}

pub(crate) struct Plugin {
    pub(crate) current: Arc<Version>,
    pub(crate) state: PluginState,
    /// Replaced, and perhaps still at work for jobs that began with them.
    pub(crate) older: Vec<Weak<Version>>,
    /// Versions that one can go back to, oldest first; the one in force is among them.
    pub(crate) versions: Vec<KeptVersion>,
}

impl PolicyHost {
    /// A host without plugins.
    ///
    /// # Errors
    /// [`CompileError`] when the runtime cannot start or the cache folder cannot be used.
    pub fn new(config: PolicyHostConfig) -> Result<Self, CompileError> {
        let engines = Engines::new().map_err(|error| CompileError::Foreign(format!("{error:#}")))?;
        let compiler = Compiler::new(config.guest, config.cache, engines)?;
        Ok(Self {
            compiler,
            kept: Kept::new(config.versions),
            keep: config.keep,
            trust: config.trust,
            most: config.most,
            analysers: config.analysers,
            analyser_host: Mutex::default(),
            grants: Mutex::new(config.grants),
            plugins: Mutex::default(),
            seen: Mutex::default(),
            on_trial: Mutex::default(),
        })
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
        let info = plugin.info();
        let alive: Vec<_> =
            plugin.older.iter().filter_map(Weak::upgrade).chain([Arc::clone(&plugin.current)]).collect();
        drop(plugins);
        if state != PluginState::Enabled {
            // What nobody asks keeps no process.
            for version in alive {
                version.code.rest();
            }
        }
        Ok(info)
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
        Ok(Box::new(Counted { inner: version.coverage(plan)?, version }))
    }

    /// The same for a job that began with the content of this hash, if that is still to be had; with what is in force if not.
    ///
    /// # Errors
    /// As [`PolicyHost::instance`].
    pub fn instance_of(
        &self,
        name: &PolicyName,
        plan: &PlanView,
        content: &str,
    ) -> Result<Box<dyn PolicyInstance>, PolicyFault> {
        let version = self.version(name, Kind::CoveragePolicy)?;
        let version = if version.hash == content {
            version
        } else {
            self.version_of(name, content).unwrap_or_else(|error| {
                tracing::warn!(plugin = %name, content, %error, "a job goes on with another version than it began with");
                version
            })
        };
        Ok(Box::new(Counted { inner: version.coverage(plan)?, version }))
    }

    /// What the named policy can be tried with, as its manifest says: JSON text of an object. `None`: it does not say.
    pub fn example_parameters(&self, name: &PolicyName) -> Option<String> {
        let version = self.plugins().get(name).map(|plugin| Arc::clone(&plugin.current))?;
        version.example()
    }

    /// Whether the version in force takes what a job asks of it; one that is not loaded takes anything. `asked`: JSON text of an object, or empty.
    ///
    /// # Errors
    /// [`ParameterError`] with the place of the first mistake.
    pub fn check_parameters(&self, name: &PolicyName, asked: &str) -> Result<(), ParameterError> {
        let version = self.plugins().get(name).map(|plugin| Arc::clone(&plugin.current));
        version.map_or(Ok(()), |version| version.parameters_for(asked).map(drop))
    }

    /// An instance of the named queue policy.
    ///
    /// # Errors
    /// As [`PolicyHost::instance`].
    pub fn queue(&self, name: &PolicyName) -> Result<Box<dyn QueueInstance>, PolicyFault> {
        let version = self.version(name, Kind::QueuePolicy)?;
        Ok(Box::new(Counted { inner: version.queue()?, version }))
    }

    fn version(&self, name: &PolicyName, wanted: Kind) -> Result<Arc<Version>, PolicyFault> {
        if let Some(version) = self.on_trial().get(name).filter(|version| version.manifest.kind == wanted) {
            return Ok(Arc::clone(version));
        }
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

    /// Who checks analysers, if they are taken in. `plugin`: for messages.
    pub(crate) fn analyser_host(&self, plugin: &str) -> Result<Option<Arc<AnalyserHost>>, LoadError> {
        let Some(config) = &self.analysers else { return Ok(None) };
        let mut host = lock(&self.analyser_host);
        if host.is_none() {
            let started = AnalyserHost::new(config.clone());
            let failed = |source| LoadError::Compile { plugin: plugin.to_owned(), source };
            *host = Some(Arc::new(started.map_err(failed)?));
        }
        Ok(host.clone())
    }

    pub(crate) fn plugins(&self) -> MutexGuard<'_, BTreeMap<PolicyName, Plugin>> {
        lock(&self.plugins)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, BTreeMap<PathBuf, String>> {
        lock(&self.seen)
    }

    pub(crate) fn on_trial(&self) -> MutexGuard<'_, BTreeMap<PolicyName, Arc<Version>>> {
        lock(&self.on_trial)
    }

    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        lock(&self.grants)
    }
}

impl Plugin {
    pub(crate) fn new(version: Version) -> Self {
        let versions = vec![KeptVersion::of(&version)];
        Self { current: Arc::new(version), state: PluginState::Enabled, older: Vec::new(), versions }
    }

    /// The version of this content, if it is in force or still at work.
    pub(crate) fn alive(&self, hash: &str) -> Option<Arc<Version>> {
        let older = self.older.iter().filter_map(Weak::upgrade);
        std::iter::once(Arc::clone(&self.current)).chain(older).find(|version| version.hash == hash)
    }

    /// Whether this may take its place: a name belongs to where its plugin came from, and to what those who name it count on.
    pub(crate) fn gives_way_to(&self, manifest: &Manifest, origin: &Origin) -> Result<(), LoadError> {
        let (there, plugin) = (&self.current, label(manifest));
        if !origin.may_replace(&there.origin) {
            return Err(LoadError::NameTaken { plugin, taken: there.origin.clone() });
        }
        let (kind, is) = (manifest.kind, there.manifest.kind);
        if kind != is && [kind, is].contains(&Kind::Analyser) {
            return Err(LoadError::OtherKind { plugin, kind, is });
        }
        Ok(())
    }

    pub(crate) fn replaced_by(mut self, version: Arc<Version>) -> Self {
        self.older.retain(|old| old.strong_count() > 0);
        self.older.push(Arc::downgrade(&self.current));
        let state = match self.state {
            PluginState::Quarantined => PluginState::Enabled,
            state => state,
        };
        Self { current: version, state, older: self.older, versions: self.versions }
    }

    pub(crate) fn info(&self) -> PluginInfo {
        let now = &*self.current;
        PluginInfo {
            set: now.set.clone(),
            parameters: now.parameters.clone(),
            signature: now.signature.clone(),
            versions: self.versions.clone(),
            state: self.state,
            instances: Arc::strong_count(&self.current) - 1,
            older: self.older.iter().filter_map(Weak::upgrade).map(|old| in_use(&old)).collect(),
            ..PluginInfo::of(&now.manifest, &now.hash, &now.origin)
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change of a map is complete in itself: a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_use(old: &Arc<Version>) -> VersionInUse {
    VersionInUse {
        version: old.manifest.version.clone(),
        hash: old.hash.clone(),
        // Less the one that we look at it with.
        instances: Arc::strong_count(old) - 1,
    }
}
