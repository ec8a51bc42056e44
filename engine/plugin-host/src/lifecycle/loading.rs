//! The life cycle on a [`PolicyHost`]: what brings a version in, changes it, goes back to an older one, and takes it away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headend_model::PolicyName;
use serde_json::Value;

use super::package::POLICY_WORLDS;
use super::{Grants, LoadError, Origin, Package, Step, Tried, Upload};
use crate::manifest::{AtLoad, Kind, Language, MANIFEST_FILE, Manifest};
use crate::policy::host::{Plugin, PolicyHost, UnknownPlugin};
use crate::policy::scripted::RhaiPolicy;
use crate::policy::selfcheck::self_check;
use crate::policy::version::{Code, Version};
use crate::policy::wasm::WasmPolicy;
use crate::policy::{KeptVersion, PluginInfo};

/// Keeps an older version loaded.
#[derive(Clone)]
pub struct HeldVersion(#[allow(dead_code, reason = "the version lives as long as it is held")] Arc<Version>);

/// What is known of a plugin from a former life of the host.
#[derive(Clone, Debug)]
pub struct Former {
    /// Its name.
    pub name: PolicyName,
    /// The version in force, by content.
    pub hash: String,
    /// Where it came from.
    pub origin: Origin,
    /// The versions that are kept, oldest first.
    pub versions: Vec<KeptVersion>,
    /// Parameters as they were set.
    pub set: Value,
    /// Content of `origin` when it was last read: another one is a new version.
    pub seen: Option<String>,
}

impl PolicyHost {
    /// Loads the plugin at a path of this machine: its folder, a bundle, or a single file. A plugin of that name from the same path is
    /// replaced; its instances at work stay with the old version. Ends a quarantine, keeps a person's `disable`. Takes from milliseconds to
    /// a minute: not for an event loop.
    ///
    /// # Errors
    /// [`LoadError`], one variant per step; nothing has changed then.
    pub fn load(&self, path: &Path) -> Result<PluginInfo, LoadError> {
        self.bring(&self.package(|most| Package::read(path, most))?, None)
    }

    /// Loads what was sent. `set`: parameters; `None` keeps those that are set.
    ///
    /// # Errors
    /// As [`PolicyHost::load`].
    pub fn install(&self, upload: Upload, set: Option<Value>) -> Result<PluginInfo, LoadError> {
        self.bring(&self.sent(upload)?, set)
    }

    /// Takes all steps but the last two: nothing is kept, nothing is switched.
    pub fn try_out(&self, upload: Upload, set: Option<Value>) -> Tried {
        let package = match self.sent(upload) {
            Ok(package) => package,
            Err(error) => return Tried { info: None, error: Some(error) },
        };
        let told = Box::new(PluginInfo::of(&package.manifest, &package.hash, &package.origin));
        let taken = self.may_take(&package.manifest, &package.origin);
        let set = self.settings(&package.manifest.name, set);
        match self.prepare(&package, set).and_then(|version| taken.map(|()| version)) {
            Ok(version) => Tried { info: Some(Box::new(Plugin::new(version).info())), error: None },
            Err(error) => Tried { info: Some(told), error: Some(error) },
        }
    }

    /// Loads a plugin again: from the path it came from, or, when it was sent, what is kept of it.
    ///
    /// # Errors
    /// As [`PolicyHost::load`]; the loaded version stays in use then.
    pub fn reload(&self, name: &PolicyName) -> Result<PluginInfo, LoadError> {
        let (origin, hash) = self.in_force(name)?;
        let package = match origin.path() {
            Some(path) => self.package(|most| Package::read(path, most))?,
            None => self.package(|most| self.kept.read(&hash, &origin, most))?,
        };
        named(&package, name)?;
        self.bring(&package, None)
    }

    /// Goes back to an older version: to that of this hash (or the beginning of one), or to the one before. Instances at work stay with the
    /// version they have. What lies at the plugin's path is left alone, and not loaded before its content is another one.
    ///
    /// # Errors
    /// [`LoadError::NoSuchVersion`], [`LoadError::NotKept`], and as [`PolicyHost::load`].
    pub fn roll_back(&self, name: &PolicyName, to: Option<&str>) -> Result<PluginInfo, LoadError> {
        let (origin, now) = self.in_force(name)?;
        let versions = self.plugins().get(name).map(|plugin| plugin.versions.clone()).unwrap_or_default();
        let wanted = if let Some(hash) = to {
            versions.iter().find(|kept| !hash.is_empty() && kept.hash.starts_with(hash))
        } else {
            let at = versions.iter().position(|kept| kept.hash == now).unwrap_or(0);
            at.checked_sub(1).and_then(|before| versions.get(before))
        };
        let Some(wanted) = wanted else {
            let short = |kept: &KeptVersion| format!("{} ({})", kept.hash.get(..12).unwrap_or_default(), kept.version);
            return Err(LoadError::NoSuchVersion {
                plugin: name.to_string(),
                wanted: to.map_or("before the one in force".to_owned(), |hash| format!("{hash:?}")),
                kept: versions.iter().map(short).collect::<Vec<_>>().join(", "),
            });
        };
        let package = self.package(|most| self.kept.read(&wanted.hash, &origin, most))?;
        let version = self.prepare(&package, self.settings(name, None))?;
        self.switch(version, Versions::Stay)
    }

    /// Sets parameters: the version in force again, with these. Instances at work keep those they were built with.
    ///
    /// # Errors
    /// [`LoadError::Parameters`] with the place of the mistake, and as [`PolicyHost::load`].
    pub fn set_parameters(&self, name: &PolicyName, set: Value) -> Result<PluginInfo, LoadError> {
        let (origin, hash) = self.in_force(name)?;
        let version = self.prepare(&self.package(|most| self.kept.read(&hash, &origin, most))?, set)?;
        self.switch(version, Versions::Stay)
    }

    /// Brings a plugin back as it was left: the version that was in force, with its parameters, whatever lies at its path by now.
    ///
    /// # Errors
    /// As [`PolicyHost::load`], and [`LoadError::NotKept`].
    pub fn restore(&self, former: Former) -> Result<PluginInfo, LoadError> {
        let package = self.package(|most| self.kept.read(&former.hash, &former.origin, most))?;
        named(&package, &former.name)?;
        let version = self.prepare(&package, former.set)?;
        if let (Some(path), Some(seen)) = (former.origin.path(), former.seen) {
            self.saw(path, seen);
        }
        self.switch(version, Versions::Were(former.versions))
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

    /// Forgets a plugin and its kept versions. Its instances at work go on until they are dropped. What lies at its path is left alone, and
    /// not loaded before its content is another one.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn remove(&self, name: &PolicyName) -> Result<PluginInfo, UnknownPlugin> {
        let plugin = self.plugins().remove(name).ok_or_else(|| UnknownPlugin(name.to_string()))?;
        for kept in &plugin.versions {
            self.kept.drop(&kept.hash);
        }
        Ok(plugin.info())
    }

    /// Other grants from now on, for what is loaded from now on.
    pub fn set_grants(&self, grants: Grants) {
        *self.grants() = grants;
    }

    /// Has the version of this content ready for the jobs that began with it, for as long as what is returned lives. Takes its time, so
    /// that the first question of such a job need not.
    ///
    /// # Errors
    /// As [`PolicyHost::load`], and [`LoadError::NotKept`].
    pub fn hold(&self, name: &PolicyName, content: &str) -> Result<HeldVersion, LoadError> {
        self.version_of(name, content).map(HeldVersion)
    }

    /// The version of this content, for a job that began with it: in force, still at work, or kept.
    pub(crate) fn version_of(&self, name: &PolicyName, hash: &str) -> Result<Arc<Version>, LoadError> {
        let (origin, _) = self.in_force(name)?;
        if let Some(found) = self.plugins().get(name).and_then(|plugin| plugin.alive(hash)) {
            return Ok(found);
        }
        let package = self.package(|most| self.kept.read(hash, &origin, most))?;
        named(&package, name)?;
        let version = Arc::new(self.prepare(&package, self.settings(name, None))?);
        if let Some(plugin) = self.plugins().get_mut(name) {
            plugin.older.push(Arc::downgrade(&version));
        }
        Ok(version)
    }

    fn bring(&self, package: &Package, set: Option<Value>) -> Result<PluginInfo, LoadError> {
        let (name, label, hash) = (package.manifest.name.clone(), package.label(), package.hash.clone());
        self.may_take(&package.manifest, &package.origin)?;
        let set = self.settings(&name, set);
        let version = self.prepare(package, set)?;
        self.kept.keep(package).map_err(|source| LoadError::Keep {
            plugin: label,
            folder: self.kept.folder().into(),
            source,
        })?;
        let path = version.origin.path().map(Path::to_owned);
        let info = self.switch(version, Versions::Grow)?;
        if let Some(path) = path {
            self.saw(&path, hash);
        }
        Ok(info)
    }

    /// The same without the last step. The oldest versions make room, but never that in force.
    pub(super) fn keep_beside(&self, package: &Package) -> Result<PluginInfo, LoadError> {
        let (name, label) = (package.manifest.name.clone(), package.label());
        self.may_take(&package.manifest, &package.origin)?;
        let version = self.prepare(package, self.settings(&name, None))?;
        let folder = self.kept.folder().into();
        self.kept.keep(package).map_err(|source| LoadError::Keep { plugin: label, folder, source })?;
        let mut plugins = self.plugins();
        let plugin = plugins.get_mut(&name).ok_or_else(|| LoadError::NotLoaded(name.to_string()))?;
        let new = KeptVersion::of(&version);
        plugin.versions.retain(|kept| *kept != new || kept.hash == plugin.current.hash);
        if !plugin.versions.contains(&new) {
            plugin.versions.push(new.clone());
        }
        while plugin.versions.len() > self.keep.max(2) {
            let spare = |kept: &KeptVersion| kept.hash != plugin.current.hash && *kept != new;
            let Some(at) = plugin.versions.iter().position(spare) else { break };
            self.kept.drop(&plugin.versions.remove(at).hash);
        }
        Ok(plugin.info())
    }

    /// The steps from world to self-check.
    fn prepare(&self, package: &Package, set: Value) -> Result<Version, LoadError> {
        let grants = self.grants().clone();
        if package.manifest.kind == Kind::Analyser
            && let Some(analysers) = self.analyser_host(&package.label())?
        {
            return analysers.checked(package, set, &grants);
        }
        let kinds: &'static [Kind] = match self.analysers {
            None => &[Kind::CoveragePolicy, Kind::QueuePolicy],
            Some(_) => &[Kind::CoveragePolicy, Kind::QueuePolicy, Kind::Analyser],
        };
        package.check_contract(kinds, POLICY_WORLDS, &grants)?;
        let signature = package.check_signature(&self.trust)?;
        let (name, manifest) = (package.label(), &package.manifest);
        let refused = |source| LoadError::Parameters { plugin: name.clone(), name: manifest.name.to_string(), source };
        // Of a coverage policy each job may ask for something else; a queue policy has nobody else to ask.
        let (parameters, wants_more) = match manifest.kind {
            Kind::CoveragePolicy => match manifest.parameters.at_load(&set).map_err(refused)? {
                AtLoad::Whole(all) => (all, false),
                AtLoad::Partial(all) => (all, true),
            },
            Kind::QueuePolicy | Kind::Analyser | Kind::Script => {
                (manifest.parameters.effective(&set, &Value::Null).map_err(refused)?, false)
            }
        };
        let code = match manifest.language {
            Language::Wasm => Code::Wasm(WasmPolicy::load(&self.compiler, &package.code, manifest, &name)?),
            Language::Rhai => Code::Rhai(RhaiPolicy::load(self.compiler.guest(), package)?),
        };
        let label = format!("{name} ({})", package.hash.get(..12).unwrap_or_default());
        let Package { manifest, origin, hash, .. } = package;
        let (manifest, origin, hash) = (manifest.clone(), origin.clone(), hash.clone());
        let version = Version { manifest, code, hash, origin, label, signature, set, parameters, wants_more };
        // On a busy machine a sound plugin may miss its deadline once, most likely at its very first call.
        self_check(&version)
            .or_else(|_first| self_check(&version))
            .map_err(|what| LoadError::SelfCheck { plugin: name, what })?;
        Ok(version)
    }

    /// A name belongs to where its plugin came from.
    fn may_take(&self, manifest: &Manifest, origin: &Origin) -> Result<(), LoadError> {
        self.plugins().get(&manifest.name).map_or(Ok(()), |plugin| plugin.gives_way_to(manifest, origin))
    }

    /// The last step: from now on new instances are of this version.
    fn switch(&self, version: Version, change: Versions) -> Result<PluginInfo, LoadError> {
        let name = version.manifest.name.clone();
        let mut plugins = self.plugins();
        // Looked at again under the lock: compiling takes its time.
        if let Some(plugin) = plugins.get(&name) {
            plugin.gives_way_to(&version.manifest, &version.origin)?;
        }
        let new = KeptVersion::of(&version);
        let mut plugin = match plugins.remove(&name) {
            Some(old) => old.replaced_by(Arc::new(version)),
            None => Plugin::new(version),
        };
        let dropped = change.apply(&mut plugin.versions, new, self.keep);
        let info = plugin.info();
        plugins.insert(name, plugin);
        drop(plugins);
        for kept in dropped {
            self.kept.drop(&kept.hash);
        }
        Ok(info)
    }

    /// Parameters that are given, or set already.
    fn settings(&self, name: &PolicyName, given: Option<Value>) -> Value {
        let set = || self.plugins().get(name).map(|plugin| plugin.current.set.clone());
        given.or_else(set).unwrap_or(Value::Null)
    }

    /// Where the version in force came from, and its hash.
    fn in_force(&self, name: &PolicyName) -> Result<(Origin, String), LoadError> {
        let plugins = self.plugins();
        let plugin = plugins.get(name).ok_or_else(|| LoadError::NotLoaded(name.to_string()))?;
        Ok((plugin.current.origin.clone(), plugin.current.hash.clone()))
    }

    /// What came from a path is not loaded again before its content is another one.
    pub fn saw(&self, path: &Path, hash: String) {
        self.seen().insert(path.to_owned(), hash);
    }

    /// The content that was last loaded from a path.
    pub fn seen_at(&self, path: &Path) -> Option<String> {
        self.seen().get(path).cloned()
    }

    /// The plugin that came from a path.
    pub(crate) fn loaded_from(&self, path: &Path) -> Option<PolicyName> {
        let plugins = self.plugins();
        let plugin = plugins.values().find(|plugin| plugin.current.origin.path() == Some(path))?;
        Some(plugin.current.manifest.name.clone())
    }

    /// Nothing lies at a path any more.
    pub(crate) fn lost(&self, path: &Path) {
        self.seen().remove(path);
    }

    /// The hash of what lies at a path now, if it can be read at all.
    pub fn hash_at(&self, path: &Path) -> Option<String> {
        self.package(|most| Package::read(path, most)).ok().map(|package| package.hash)
    }
}

fn named(package: &Package, wanted: &PolicyName) -> Result<(), LoadError> {
    if package.manifest.name == *wanted {
        return Ok(());
    }
    Err(LoadError::Renamed {
        from: package.origin.clone(),
        wanted: wanted.to_string(),
        found: package.manifest.name.to_string(),
    })
}

/// What a switch does to the list of versions that are kept.
enum Versions {
    /// The new one is the newest.
    Grow,
    /// It is one of them.
    Stay,
    /// They are these, from a former life.
    Were(Vec<KeptVersion>),
}

impl Versions {
    /// Those that are kept no more.
    fn apply(self, versions: &mut Vec<KeptVersion>, new: KeptVersion, most: usize) -> Vec<KeptVersion> {
        match self {
            Self::Stay => return Vec::new(),
            Self::Were(were) => *versions = were,
            Self::Grow => versions.retain(|kept| *kept != new),
        }
        if !versions.contains(&new) {
            versions.push(new);
        }
        let gone = versions.len().saturating_sub(most.max(1));
        versions.drain(..gone).collect()
    }
}

impl Tried {
    /// Each step with how it went: `passed`, `failed`, or `not reached`. The last two are never taken in a trial.
    pub fn steps(&self) -> impl Iterator<Item = (Step, &'static str)> {
        let failed = self.error.as_ref().map(LoadError::step);
        Step::ALL.iter().map(move |step| {
            let how = match failed {
                _ if *step == Step::Keep => "not reached",
                Some(failed) if *step == failed => "failed",
                Some(failed) if *step > failed => "not reached",
                None if *step == Step::Switch => "not reached",
                _ => "passed",
            };
            (*step, how)
        })
    }
}
