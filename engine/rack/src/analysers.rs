//! The analysers of a rack: found by name in folders and on the server, loaded at their first use, replaced when their files, or what is in
//! force on the server, change.
//!
//! One [`Analysers`] serves all sessions of a rack. Loading takes up to a second once; what was compiled is kept on the disk. An instance at
//! work stays with the version that it was built from.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use headend_model::PolicyName;
use headend_plugin_host::analyser::Reference;
use headend_plugin_host::lifecycle::Grant;
use headend_plugin_host::manifest::Senses;
use headend_plugin_host::{AnalyserFault, AnalyserHost, AnalyserHostConfig, AnalyserInstance, Capability};
use serde_json::{Value, json};

use crate::core::chain;
use crate::options::{AnalyserOptions, GuestProgram};
use crate::served::{InForce, Served};

/// Environment variable with folders of analysers, separated by colons: looked through before the usual ones.
pub const ENV_ANALYSERS: &str = "HEADEND_ANALYSERS";

const MANIFEST: &str = headend_plugin_host::manifest::MANIFEST_FILE;

/// An instance with what has to be known to feed it.
pub struct Built {
    /// Ready for the first frame.
    pub instance: Box<dyn AnalyserInstance>,
    /// What it is fed with.
    pub senses: Senses,
    /// Version and beginning of the hash of its code.
    pub version: String,
}

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Built").field("senses", &self.senses).field("version", &self.version).finish_non_exhaustive()
    }
}

/// Why there is no instance.
#[derive(Debug, thiserror::Error)]
pub enum NoAnalyser {
    /// No folder has one of this name.
    #[error("there is no analyser {name:?}; {}", installed(.known, .folders))]
    Unknown {
        /// As asked for.
        name: String,
        /// All that there are.
        known: BTreeSet<String>,
        /// Where they were looked for.
        folders: Vec<PathBuf>,
    },
    /// Its parameters are no object.
    #[error("the parameters of {0} must be a map of names to values")]
    Parameters(String),
    /// It is there and does not load.
    #[error("analyser {name} cannot be loaded: {why}; `headend plugin check` tells more")]
    Load {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// It was loaded and could not begin.
    #[error(transparent)]
    Fault(#[from] AnalyserFault),
}

const REMEDY: &str =
    "give one to the server with `headend plugin install`, or name the folder that holds their folders in";

fn installed(known: &BTreeSet<String>, folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return format!("none are installed; {REMEDY} {ENV_ANALYSERS}");
    }
    if known.is_empty() {
        let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        return format!("none are installed in {}; {REMEDY} {ENV_ANALYSERS}", folders.join(", "));
    }
    format!("there are: {}", known.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// Files of a plugin's folder, with when they were changed and how long they are.
type Print = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// A loaded one.
struct Loaded {
    folder: PathBuf,
    print: Print,
    /// What the server says of it, if it is the server's.
    in_force: Option<InForce>,
    version: String,
    /// Its schema has a parameter `from_us`.
    from_us: bool,
    senses: Senses,
}

/// All analysers of a rack.
pub struct Analysers {
    /// Those that whoever started the rack has named: looked through first.
    named: Vec<PathBuf>,
    /// What was installed on the server.
    served: Option<Served>,
    /// Those in the box.
    usual: Vec<PathBuf>,
    guest: headend_plugin_host::GuestProgram,
    cache: PathBuf,
    host: OnceLock<Result<AnalyserHost, String>>,
    /// Held while one is loaded: those who need another one then wait with it.
    loaded: Mutex<BTreeMap<String, Loaded>>,
}

impl fmt::Debug for Analysers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Analysers").field("named", &self.named).field("usual", &self.usual).finish_non_exhaustive()
    }
}

impl Analysers {
    /// Looks at nothing yet. `guest`: the program of script guests, which also compiles and runs analysers; `cache`: a folder of this user's
    /// alone for compiled ones, made when it is needed.
    pub fn new(options: &AnalyserOptions, guest: &GuestProgram, cache: PathBuf) -> Self {
        let mut named = options.folders.clone();
        named.extend(options.search.then(named_folders).into_iter().flatten());
        let usual = if options.search { usual_folders() } else { Vec::new() };
        let program = options.guest.as_ref().unwrap_or(guest);
        let verbs = program.args.strip_suffix(&["script".to_owned()]).unwrap_or(&program.args);
        let guest = headend_plugin_host::GuestProgram {
            program: program.program.clone(),
            args: verbs.iter().map(Into::into).collect(),
        };
        Self { named, served: None, usual, guest, cache, host: OnceLock::new(), loaded: Mutex::default() }
    }

    /// Those of a server as well.
    #[must_use]
    pub(crate) fn with(self, served: Served) -> Self {
        Self { served: Some(served), ..self }
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.named.iter().chain(&self.usual)
    }

    /// Names of those that are installed here.
    pub fn names(&self) -> BTreeSet<String> {
        let entries = self.folders().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let plugins = entries.filter(|entry| entry.path().join(MANIFEST).is_file());
        plugins.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// An instance for one stream. `parameters`: an object or null. `from_us`: given to those that have a parameter of that name. Takes from
    /// milliseconds to, at the first use of a name, a second: not for an event loop.
    ///
    /// # Errors
    /// [`NoAnalyser`].
    pub fn build(
        &self,
        name: &str,
        references: &[Reference],
        parameters: &Value,
        from_us: Option<i64>,
    ) -> Result<Built, NoAnalyser> {
        let plain = PolicyName::new(name).ok().filter(|_| !name.starts_with('.') && !name.contains(['/', '\\']));
        let plain = plain.ok_or_else(|| self.unknown(name))?;
        let host = self.host(name)?;
        let (version, takes_from, senses) = self.load(host, name)?;
        let mut asked = match parameters {
            Value::Null => serde_json::Map::new(),
            Value::Object(asked) => asked.clone(),
            _ => return Err(NoAnalyser::Parameters(name.to_owned())),
        };
        if let Some(from_us) = from_us.filter(|_| takes_from) {
            asked.insert("from_us".to_owned(), json!(from_us));
        }
        let asked = if asked.is_empty() { String::new() } else { Value::Object(asked).to_string() };
        let instance = host.instance(&plain, references, &asked)?;
        Ok(Built { instance, senses, version })
    }

    fn host(&self, name: &str) -> Result<&AnalyserHost, NoAnalyser> {
        let host = self.host.get_or_init(|| {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.cache);
            made.map_err(|error| format!("cannot make {}: {error}", self.cache.display()))?;
            let mut config = AnalyserHostConfig::new(self.guest.clone(), self.cache.clone());
            config.grants.0.extend(reads_text());
            AnalyserHost::new(config).map_err(|error| chain(&error))
        });
        host.as_ref().map_err(|why| NoAnalyser::Load { name: name.to_owned(), why: why.clone() })
    }

    /// Version, whether it takes `from_us`, and what it is given; loaded if it is not, or has changed on the disk.
    fn load(&self, host: &AnalyserHost, name: &str) -> Result<(String, bool, Senses), NoAnalyser> {
        let refused = |why: String| NoAnalyser::Load { name: name.to_owned(), why };
        let (folder, in_force) = self.find(name)?;
        // A change of the map is complete in itself.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let print = print(&folder);
        if let Some(known) = loaded.get(name)
            && (&known.folder, &known.print, &known.in_force) == (&folder, &print, &in_force)
        {
            return Ok((known.version.clone(), known.from_us, known.senses));
        }
        let info = match &in_force {
            None => host.load(&folder),
            Some(InForce { set, capabilities, .. }) => {
                let granted: Vec<_> = capabilities.iter().filter_map(|name| Capability::parse(name).ok()).collect();
                host.load_with(&folder, set.clone(), &granted)
            }
        };
        let info = info.map_err(|error| refused(chain(&error)))?;
        if in_force.as_ref().is_some_and(|in_force| in_force.hash != info.hash) {
            return Err(refused("what lies here is not what the server has in force".to_owned()));
        }
        if info.name.to_string() != name {
            return Err(refused(format!("the manifest in {} says that it is called {}", folder.display(), info.name)));
        }
        let version = format!("{} ({})", info.version, info.hash.get(..12).unwrap_or(&info.hash));
        let from_us = info.schema.pointer("/properties/from_us").is_some();
        let now = Loaded { folder, print, in_force, version: version.clone(), from_us, senses: info.senses };
        loaded.insert(name.to_owned(), now);
        Ok((version, from_us, info.senses))
    }

    /// The folder of this name: one that was named at the start, what is in force on the server, or one in the box.
    fn find(&self, name: &str) -> Result<(PathBuf, Option<InForce>), NoAnalyser> {
        let first = |folders: &[PathBuf]| {
            folders.iter().map(|folder| folder.join(name)).find(|folder| folder.join(MANIFEST).is_file())
        };
        if let Some(folder) = first(&self.named) {
            return Ok((folder, None));
        }
        let served = self.served.as_ref().map_or(Ok(None), |served| served.find(name));
        match served.map_err(|why| NoAnalyser::Load { name: name.to_owned(), why })? {
            Some((folder, in_force)) => Ok((folder, Some(in_force))),
            None => first(&self.usual).map(|folder| (folder, None)).ok_or_else(|| self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> NoAnalyser {
        NoAnalyser::Unknown { name: name.to_owned(), known: self.names(), folders: self.folders().cloned().collect() }
    }
}

/// The folder of an installed analyser, where racks of this machine look for it. `None`: none has that name.
pub fn installed_folder(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
        return None;
    }
    let folders = named_folders().into_iter().chain(usual_folders());
    folders.map(|folder| folder.join(name)).find(|folder| folder.join(MANIFEST).is_file())
}

/// The analyser in the box that is there for it may have text read; any other would have to be granted it.
fn reads_text() -> Option<Grant> {
    let plugin = PolicyName::new("ocr").ok()?;
    Some(Grant { plugin: Some(plugin), capability: Capability::Ocr })
}

fn print(folder: &Path) -> Print {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        let meta = entry.metadata().ok()?;
        Some((entry.path(), (meta.modified().ok(), meta.len())))
    };
    entries.filter_map(file).collect()
}

/// What the environment names.
fn named_folders() -> Vec<PathBuf> {
    let named = std::env::var_os(ENV_ANALYSERS).unwrap_or_default();
    std::env::split_paths(&named).filter(|path| path.is_absolute() && path.is_dir()).collect()
}

/// Beside the program as it is installed (`share/headend/analysers`), then as it is built (`target/guests`).
fn usual_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let program = std::env::current_exe().unwrap_or_default();
    for above in program.ancestors().skip(1).take(3) {
        folders.push(above.join("share/headend/analysers"));
        folders.push(above.join("guests/analysers"));
    }
    folders.retain(|folder| folder.file_name() != Some(OsStr::new("")) && folder.is_dir());
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_tells_those_that_there_are() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["colour", "motion"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(MANIFEST), "").unwrap();
        }
        fs::create_dir(folder.path().join("not-one")).unwrap();
        let options = AnalyserOptions { folders: vec![folder.path().into()], search: false, guest: None };
        let all = Analysers::new(&options, &GuestProgram::default(), folder.path().join("cache"));
        for name in ["color", "../colour", "", ".."] {
            let error = all.build(name, &[], &Value::Null, None).unwrap_err().to_string();
            assert!(error.ends_with("there are: colour, motion"), "{error}");
        }
        let none = AnalyserOptions { folders: vec![folder.path().join("nowhere")], search: false, guest: None };
        let none = Analysers::new(&none, &GuestProgram::default(), folder.path().join("cache"));
        let error = none.build("colour", &[], &Value::Null, None).unwrap_err().to_string();
        assert!(error.contains("none are installed") && error.contains(ENV_ANALYSERS), "{error}");
    }
}
