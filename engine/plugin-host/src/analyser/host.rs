//! The loaded analysers, and the switch between their versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use headend_model::PolicyName;
use serde_json::Value;

use super::desk::May;
use super::ocr::Ocr;
use super::scripted::RhaiAnalyser;
use super::selfcheck::self_check;
use super::wasm::WasmAnalyser;
use super::{AnalyserFault, AnalyserInstance, MAX_REFERENCES, Reference, WORLDS};
use crate::guest::GuestProgram;
use crate::lifecycle::{Grant, Grants, LoadError, Origin, Package, Tried, Upload, label};
use crate::manifest::{Capability, Kind, Language, Limits, Manifest, Senses};
use crate::policy::version::{Code as GuardedCode, Version as Guarded};
use crate::policy::{KeptVersion, PluginInfo, PluginState, VersionInUse};
use crate::trust::{SignatureInfo, Trust};
use crate::wasm::{CompileError, Compiler, Engines};

/// What a host needs to know.
#[derive(Clone, Debug)]
pub struct AnalyserHostConfig {
    /// Runs what must not run in this process: the compiler and Rhai.
    pub guest: GuestProgram,
    /// Folder for compiled plugins; made with mode 0700, refused if others may write to it.
    pub cache: PathBuf,
    /// How many versions of an analyser can be gone back to, that in force included. They are kept in memory.
    pub keep: usize,
    /// What plugins get when they ask for it.
    pub grants: Grants,
    /// Whose plugins are let in.
    pub trust: Trust,
    /// The most that any manifest may ask for.
    pub most: Limits,
    /// The program that reads text for plugins with the capability `ocr`: a path, or a name to be looked for in `PATH`.
    pub tesseract: PathBuf,
}

impl AnalyserHostConfig {
    /// The usual settings: logging granted and nothing else, no signatures, five versions, 128 MiB and five seconds per frame at most.
    pub fn new(guest: GuestProgram, cache: impl Into<PathBuf>) -> Self {
        let most = Limits { memory_mib: 128, deadline_ms: 5_000, fuel: None, host_calls: 100_000 };
        let (grants, trust) = (Grants::default(), Trust::default());
        Self { guest, cache: cache.into(), keep: 5, grants, trust, most, tesseract: "tesseract".into() }
    }
}

/// One version of an analyser. Lives as long as it can be gone back to, or has an instance at work.
pub(super) struct Version {
    manifest: Manifest,
    code: Code,
    hash: String,
    origin: Origin,
    signature: SignatureInfo,
    /// Parameters as they were set.
    set: Value,
    /// With the schema's defaults.
    parameters: Value,
}

enum Code {
    Wasm(WasmAnalyser),
    Rhai(RhaiAnalyser),
}

impl Version {
    /// What it is given of a stream.
    pub(super) const fn senses(&self) -> Senses {
        self.manifest.senses
    }

    /// An instance. `asked`: parameters over those that are set, as JSON text of an object; empty: none.
    pub(super) fn build(
        &self,
        references: &[Reference],
        asked: &str,
    ) -> Result<Box<dyn AnalyserInstance>, AnalyserFault> {
        let declined = |what: String| AnalyserFault::Declined { plugin: label(&self.manifest), what };
        if references.len() > MAX_REFERENCES {
            let many = references.len();
            return Err(declined(format!("{many} references are given; at most {MAX_REFERENCES} are taken")));
        }
        let parameters = self.parameters_for(asked).map_err(declined)?;
        let mut sorted: Vec<Reference> = references.to_vec();
        sorted.sort_by(|one, other| one.name.cmp(&other.name));
        match &self.code {
            Code::Wasm(code) => code.build(&parameters, &sorted),
            Code::Rhai(code) => code.build(&parameters, &sorted),
        }
    }

    fn parameters_for(&self, asked: &str) -> Result<String, String> {
        if asked.is_empty() {
            return Ok(self.parameters.to_string());
        }
        let asked = serde_json::from_str(asked).map_err(|error| format!("its parameters are no JSON: {error}"))?;
        let all = self.manifest.parameters.effective(&self.set, &asked);
        all.map(|all| all.to_string()).map_err(|error| error.to_string())
    }
}

/// An analyser with the versions that one can go back to, oldest first.
struct Loaded {
    current: Arc<Version>,
    kept: Vec<Arc<Version>>,
    /// Perhaps still at work.
    older: Vec<Weak<Version>>,
}

/// Loads analysers, keeps their versions apart, and builds instances. Shared by reference between threads; loading does not hold up instances, and instances do
/// not hold up each other.
pub struct AnalyserHost {
    compiler: Compiler,
    trust: Trust,
    grants: Grants,
    most: Limits,
    keep: usize,
    ocr: Ocr,
    /// Never held while a plugin is compiled, tried or asked.
    loaded: Mutex<BTreeMap<PolicyName, Loaded>>,
}

impl AnalyserHost {
    /// A host without analysers.
    ///
    /// # Errors
    /// [`CompileError`] when the runtime cannot start or the cache folder cannot be used.
    pub fn new(config: AnalyserHostConfig) -> Result<Self, CompileError> {
        let engines = Engines::new().map_err(|error| CompileError::Foreign(format!("{error:#}")))?;
        let AnalyserHostConfig { guest, cache, keep, grants, trust, most, tesseract } = config;
        let compiler = Compiler::new(guest, cache, engines)?;
        Ok(Self {
            compiler,
            trust,
            grants,
            most,
            keep: keep.max(1),
            ocr: Ocr::new(tesseract),
            loaded: Mutex::default(),
        })
    }

    /// Loads the analyser at a path of this machine: its folder, a bundle, or a single file. One of that name is replaced; its instances at work
    /// stay with the old version. Takes from milliseconds to a minute: not for an event loop.
    ///
    /// # Errors
    /// [`LoadError`], one variant per step; nothing has changed then.
    pub fn load(&self, path: &Path) -> Result<PluginInfo, LoadError> {
        let package = Package::read(path, &self.most)?;
        Ok(self.switch(self.prepare(&package, Value::Null, &self.grants)?))
    }

    /// As [`AnalyserHost::load`], with these parameters (an object, or null), and granted this beside what the host grants.
    ///
    /// # Errors
    /// As [`AnalyserHost::load`].
    pub fn load_with(&self, path: &Path, set: Value, granted: &[Capability]) -> Result<PluginInfo, LoadError> {
        let package = Package::read(path, &self.most)?;
        let mut grants = self.grants.clone();
        let name = Some(package.manifest.name.clone());
        grants.0.extend(granted.iter().map(|capability| Grant { plugin: name.clone(), capability: *capability }));
        Ok(self.switch(self.prepare(&package, set, &grants)?))
    }

    /// Loads what was sent, with these parameters (an object, or null).
    ///
    /// # Errors
    /// As [`AnalyserHost::load`].
    pub fn install(&self, upload: Upload, set: Value) -> Result<PluginInfo, LoadError> {
        let package = Package::sent(upload, &self.most)?;
        Ok(self.switch(self.prepare(&package, set, &self.grants)?))
    }

    /// Takes all steps but the last two: nothing is kept, nothing is switched.
    pub fn try_out(&self, upload: Upload, set: Value) -> Tried {
        let package = match Package::sent(upload, &self.most) {
            Ok(package) => package,
            Err(error) => return Tried { info: None, error: Some(error) },
        };
        match self.prepare(&package, set, &self.grants) {
            Ok(version) => Tried { info: Some(Box::new(info(&version))), error: None },
            Err(error) => Tried {
                info: Some(Box::new(PluginInfo::of(&package.manifest, &package.hash, &package.origin))),
                error: Some(error),
            },
        }
    }

    /// Goes back to the version before the one in force, or to that of this hash (or the beginning of one).
    ///
    /// # Errors
    /// [`LoadError::NotLoaded`] and [`LoadError::NoSuchVersion`].
    pub fn roll_back(&self, name: &PolicyName, to: Option<&str>) -> Result<PluginInfo, LoadError> {
        let mut all = self.loaded();
        let loaded = all.get_mut(name).ok_or_else(|| LoadError::NotLoaded(name.to_string()))?;
        let now = loaded.kept.iter().position(|kept| Arc::ptr_eq(kept, &loaded.current));
        let wanted = match to {
            Some(hash) => loaded.kept.iter().find(|kept| !hash.is_empty() && kept.hash.starts_with(hash)),
            None => now.and_then(|now| now.checked_sub(1)).and_then(|before| loaded.kept.get(before)),
        };
        let Some(wanted) = wanted.cloned() else {
            let short = |kept: &Arc<Version>| format!("{} ({})", short_hash(&kept.hash), kept.manifest.version);
            return Err(LoadError::NoSuchVersion {
                plugin: name.to_string(),
                wanted: to.map_or("before the one in force".to_owned(), |hash| format!("{hash:?}")),
                kept: loaded.kept.iter().map(short).collect::<Vec<_>>().join(", "),
            });
        };
        loaded.replace(wanted);
        Ok(loaded.info())
    }

    /// Forgets an analyser. Its instances at work go on until they are dropped. `None`: there was none.
    pub fn remove(&self, name: &PolicyName) -> Option<PluginInfo> {
        self.loaded().remove(name).map(|loaded| loaded.info())
    }

    /// All analysers, by name.
    pub fn list(&self) -> Vec<PluginInfo> {
        self.loaded().values().map(Loaded::info).collect()
    }

    /// An instance for one stream. `asked`: parameters over those that are set, as JSON text of an object; empty: none.
    ///
    /// # Errors
    /// [`AnalyserFault`] when there is no such analyser, it declines, or it fails to build.
    pub fn instance(
        &self,
        name: &PolicyName,
        references: &[Reference],
        asked: &str,
    ) -> Result<Box<dyn AnalyserInstance>, AnalyserFault> {
        let version = self.loaded().get(name).map(|loaded| Arc::clone(&loaded.current));
        let version = version.ok_or_else(|| AnalyserFault::Unknown(name.to_string()))?;
        let inner = version.build(references, asked)?;
        Ok(Box::new(Counted { inner, _version: version }))
    }

    /// Takes the same steps for a host that keeps it and does not run it.
    pub(crate) fn checked(&self, package: &Package, set: Value, grants: &Grants) -> Result<Guarded, LoadError> {
        let Version { manifest, hash, origin, signature, set, parameters, .. } = self.prepare(package, set, grants)?;
        let label = format!("{} ({})", label(&manifest), short_hash(&hash));
        // Parameters that it cannot do without come with each question.
        let (code, wants_more) = (GuardedCode::Analyser, false);
        Ok(Guarded { manifest, code, hash, origin, label, signature, set, parameters, wants_more })
    }

    /// The steps from world to self-check.
    fn prepare(&self, package: &Package, set: Value, grants: &Grants) -> Result<Version, LoadError> {
        package.check_contract(&[Kind::Analyser], WORLDS, grants)?;
        let signature = package.check_signature(&self.trust)?;
        let (name, manifest) = (package.label(), &package.manifest);
        let parameters = manifest.parameters.effective(&set, &Value::Null);
        // What is required and not given may come with each instance; what is given must fit.
        let parameters = match parameters {
            Err(_) if set.is_null() => Value::Object(serde_json::Map::new()),
            checked => checked.map_err(|source| LoadError::Parameters {
                plugin: name.clone(),
                name: manifest.name.to_string(),
                source,
            })?,
        };
        let may = May::of(manifest, &self.ocr);
        let code = match manifest.language {
            Language::Wasm => Code::Wasm(WasmAnalyser::load(&self.compiler, &package.code, manifest, &name, may)?),
            Language::Rhai => Code::Rhai(RhaiAnalyser::load(self.compiler.guest(), package, may)?),
        };
        let Package { manifest, origin, hash, .. } = package;
        let (manifest, origin, hash) = (manifest.clone(), origin.clone(), hash.clone());
        let version = Version { manifest, code, hash, origin, signature, set, parameters };
        // On a busy machine a sound plugin may miss its deadline once, most likely at its very first call.
        self_check(&version)
            .or_else(|_first| self_check(&version))
            .map_err(|what| LoadError::SelfCheck { plugin: name, what })?;
        Ok(version)
    }

    /// The last step: from now on new instances are of this version.
    fn switch(&self, version: Version) -> PluginInfo {
        let (name, version) = (version.manifest.name.clone(), Arc::new(version));
        let mut all = self.loaded();
        let loaded = all.entry(name).or_insert_with(|| Loaded {
            current: Arc::clone(&version),
            kept: Vec::new(),
            older: Vec::new(),
        });
        loaded.kept.retain(|kept| kept.hash != version.hash);
        loaded.kept.push(Arc::clone(&version));
        loaded.replace(version);
        let gone = loaded.kept.len().saturating_sub(self.keep);
        loaded.kept.drain(..gone);
        loaded.info()
    }

    fn loaded(&self) -> MutexGuard<'_, BTreeMap<PolicyName, Loaded>> {
        // Each change of the map is complete in itself: a panic elsewhere leaves nothing half done.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    fn replace(&mut self, version: Arc<Version>) {
        let old = std::mem::replace(&mut self.current, version);
        self.older.retain(|older| older.strong_count() > 0);
        if !Arc::ptr_eq(&old, &self.current) {
            self.older.push(Arc::downgrade(&old));
        }
    }

    fn info(&self) -> PluginInfo {
        let kept_versions = |version: &Arc<Version>| self.kept.iter().filter(|kept| Arc::ptr_eq(kept, version)).count();
        let at_work = |version: &Arc<Version>, held: usize| {
            Arc::strong_count(version).saturating_sub(held + kept_versions(version))
        };
        let in_use = |version: Arc<Version>| VersionInUse {
            version: version.manifest.version.clone(),
            hash: version.hash.clone(),
            // Less the one that we look at it with.
            instances: at_work(&version, 1),
        };
        let older = self.older.iter().filter_map(Weak::upgrade).filter(|old| !Arc::ptr_eq(old, &self.current));
        let kept =
            |kept: &Arc<Version>| KeptVersion { version: kept.manifest.version.clone(), hash: kept.hash.clone() };
        PluginInfo {
            versions: self.kept.iter().map(kept).collect(),
            instances: at_work(&self.current, 1),
            older: older.map(in_use).filter(|old| old.instances > 0).collect(),
            ..info(&self.current)
        }
    }
}

fn short_hash(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn info(version: &Version) -> PluginInfo {
    PluginInfo {
        set: version.set.clone(),
        parameters: version.parameters.clone(),
        signature: version.signature.clone(),
        state: PluginState::Enabled,
        ..PluginInfo::of(&version.manifest, &version.hash, &version.origin)
    }
}

/// What the caller holds: an instance, and the version that it must not outlive.
struct Counted {
    inner: Box<dyn AnalyserInstance>,
    _version: Arc<Version>,
}

impl AnalyserInstance for Counted {
    fn feed(&mut self, frame: &super::Frame) -> Result<Option<super::Verdict>, AnalyserFault> {
        self.inner.feed(frame)
    }

    fn hear(&mut self, heard: &super::Heard) -> Result<Option<super::Verdict>, AnalyserFault> {
        self.inner.hear(heard)
    }

    fn read(&mut self, news: &super::serial::News) -> Result<Option<super::Verdict>, AnalyserFault> {
        self.inner.read(news)
    }

    fn finish(&mut self) -> Result<Option<super::Verdict>, AnalyserFault> {
        self.inner.finish()
    }
}
