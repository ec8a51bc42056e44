//! Analysers that the server hands out: asked for by name, kept on the disk, and used from there while the server is away.
//!
//! `FOLDER/NAME/HASH/` holds a manifest with its code, `FOLDER/NAME/in-force` says which of them is asked, with which parameters and
//! grants. A version is fetched once; going back to it, or a restart, costs no transfer of what is still there.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use headend_wire::plugins::{AnalyserAnswer, AnalyserPackage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the server said is good for so long: a test may look many times a second.
const FRESH: Duration = Duration::from_secs(1);
/// After a server that could not be reached, what is kept does for so long.
const AWAY: Duration = Duration::from_secs(5);
/// Versions of an analyser that stay on the disk.
const KEPT: usize = 5;

const MANIFEST: &str = headend_plugin_host::manifest::MANIFEST_FILE;
const IN_FORCE: &str = "in-force";

/// A server that has analysers. Asked from threads that may block.
pub(crate) trait HandsOut: fmt::Debug + Send + Sync {
    /// The version in force; `Ok(None)`: there is none of this name. `have`: the content that is here already.
    ///
    /// # Errors
    /// [`NotHanded`].
    fn analyser(&self, name: &str, have: Option<&str>) -> Result<Option<AnalyserAnswer>, NotHanded>;
}

/// Nothing was handed out.
#[derive(Debug)]
pub(crate) enum NotHanded {
    /// The server cannot be asked; what is here has to do.
    Away(String),
    /// It has one and does not give it, for the reason that it says.
    Refused(String),
}

/// What is in force of an analyser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InForce {
    /// BLAKE3 over manifest and code.
    pub(crate) hash: String,
    /// Parameters as they were set.
    pub(crate) set: Value,
    /// What it is granted.
    pub(crate) capabilities: Vec<String>,
}

#[derive(Debug)]
struct Known {
    good_until: Instant,
    found: Option<InForce>,
}

/// The analysers of a server.
#[derive(Debug)]
pub(crate) struct Served {
    folder: PathBuf,
    server: Box<dyn HandsOut>,
    /// Held while the server is asked: whoever needs the same one waits with it.
    known: Mutex<BTreeMap<String, Known>>,
}

impl Served {
    /// `folder`: of this user alone; made when there is something to keep.
    pub(crate) fn new(folder: PathBuf, server: Box<dyn HandsOut>) -> Self {
        Self { folder, server, known: Mutex::default() }
    }

    /// The folder of the version in force, and what is to be known of it; `Ok(None)`: the server has none of this name. `name` is a plain one.
    ///
    /// # Errors
    /// Why there is none although the server knows it, for people.
    pub(crate) fn find(&self, name: &str) -> Result<Option<(PathBuf, InForce)>, String> {
        // A change of the map is complete in itself.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let found = match known.get(name) {
            Some(known) if now < known.good_until => known.found.clone(),
            _ => {
                let (found, good) = self.ask(name)?;
                known.insert(name.to_owned(), Known { good_until: Instant::now() + good, found: found.clone() });
                found
            }
        };
        Ok(found.map(|found| (self.place(name, &found.hash), found)))
    }

    fn ask(&self, name: &str) -> Result<(Option<InForce>, Duration), String> {
        let kept = self.kept(name);
        match self.server.analyser(name, kept.as_ref().map(|kept| kept.hash.as_str())) {
            Ok(Some(answer)) => {
                let in_force = self.keep(name, answer).map_err(|error| format!("it cannot be kept here: {error}"))?;
                Ok((Some(in_force), FRESH))
            }
            Ok(None) => {
                if kept.is_some() {
                    self.forget(name);
                }
                Ok((None, FRESH))
            }
            Err(NotHanded::Refused(why)) => Err(why),
            Err(NotHanded::Away(why)) => {
                tracing::debug!(analyser = name, why, "the server cannot be asked for an analyser");
                Ok((kept, AWAY))
            }
        }
    }

    fn place(&self, name: &str, hash: &str) -> PathBuf {
        self.folder.join(name).join(hash)
    }

    /// What was in force when the server was asked last, if all of it is here.
    fn kept(&self, name: &str) -> Option<InForce> {
        let text = fs::read(self.folder.join(name).join(IN_FORCE)).ok()?;
        let kept: InForce = serde_json::from_slice(&text).ok()?;
        (is_hash(&kept.hash) && self.place(name, &kept.hash).join(MANIFEST).is_file()).then_some(kept)
    }

    fn keep(&self, name: &str, answer: AnalyserAnswer) -> io::Result<InForce> {
        let AnalyserAnswer { hash, set, capabilities, package, .. } = answer;
        if !is_hash(&hash) {
            return Err(io::Error::other("what the server calls its hash is none"));
        }
        let folder = self.folder.join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let place = self.place(name, &hash);
        if !place.join(MANIFEST).is_file() {
            let package = package.ok_or_else(|| io::Error::other("the server sent no code"))?;
            unpack(&folder, &place, &package)?;
        }
        let in_force = InForce { hash, set, capabilities };
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(&serde_json::to_vec(&in_force)?)?;
        file.persist(folder.join(IN_FORCE)).map_err(|error| error.error)?;
        tidy(&folder, &place);
        Ok(in_force)
    }

    fn forget(&self, name: &str) {
        if let Err(error) = fs::remove_dir_all(self.folder.join(name)) {
            tracing::warn!(analyser = name, %error, "an analyser that the server has no more stays on the disk");
        }
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A reader sees all of it or nothing: it is made beside its place.
fn unpack(folder: &Path, place: &Path, package: &AnalyserPackage) -> io::Result<()> {
    let plain = Path::new(&package.file).file_name().is_some_and(|name| name == package.file.as_str());
    if !plain || package.file.starts_with('.') || package.file == MANIFEST {
        return Err(io::Error::other(format!("{:?} is no plain name of a file", package.file)));
    }
    let code = package.code().ok_or_else(|| io::Error::other("its code is no base64"))?;
    let new = tempfile::Builder::new().prefix(".new-").tempdir_in(folder)?;
    fs::write(new.path().join(&package.file), code)?;
    fs::write(new.path().join(MANIFEST), &package.manifest)?;
    fs::rename(new.path(), place)
}

/// The oldest versions make room, but never that in force.
fn tidy(folder: &Path, in_force: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let versions = entries.filter(|entry| entry.path().is_dir() && entry.path() != in_force);
    let mut dated: Vec<_> =
        versions.map(|entry| (entry.metadata().and_then(|meta| meta.modified()).ok(), entry.path())).collect();
    dated.sort();
    let gone = (dated.len() + 1).saturating_sub(KEPT);
    for (_, path) in dated.into_iter().take(gone) {
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(path = %path.display(), %error, "an old version of an analyser was not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A server whose answer can be changed.
    #[derive(Clone, Debug, Default)]
    struct Fake(Arc<Mutex<State>>);

    #[derive(Debug, Default)]
    struct State {
        content: Option<&'static str>,
        away: bool,
        /// What each question said to be here already.
        asked: Vec<Option<String>>,
    }

    fn hash(text: &str) -> String {
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    impl HandsOut for Fake {
        fn analyser(&self, _: &str, have: Option<&str>) -> Result<Option<AnalyserAnswer>, NotHanded> {
            let mut this = self.0.lock().unwrap();
            this.asked.push(have.map(str::to_owned));
            if this.away {
                return Err(NotHanded::Away("no route".to_owned()));
            }
            Ok(this.content.map(|text| AnalyserAnswer {
                name: "eye".to_owned(),
                version: "1".to_owned(),
                hash: hash(text),
                set: Value::Null,
                capabilities: Vec::new(),
                package: (have != Some(&hash(text))).then(|| AnalyserPackage::new("name", "a.rhai", text.as_bytes())),
            }))
        }
    }

    impl Fake {
        fn set(&self, content: Option<&'static str>, away: bool) {
            let mut this = self.0.lock().unwrap();
            (this.content, this.away) = (content, away);
        }
    }

    fn code(served: &Served) -> Option<String> {
        let found = served.find("eye").unwrap();
        found.map(|(folder, _)| fs::read_to_string(folder.join("a.rhai")).unwrap())
    }

    #[test]
    fn what_the_server_has_in_force_is_used_also_while_it_is_away_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::default();
        // Each is a rack that was started again: nothing is remembered but what is on the disk.
        let again = || Served::new(folder.path().join("served"), Box::new(fake.clone()));
        assert_eq!(code(&again()), None);
        fake.set(Some("one"), false);
        let served = again();
        assert_eq!((code(&served), code(&served)).1.as_deref(), Some("one"));
        assert_eq!(fake.0.lock().unwrap().asked.len(), 2, "once within a second");
        fake.set(Some("two"), false);
        assert_eq!(code(&again()).as_deref(), Some("two"));
        fake.set(Some("two"), true);
        assert_eq!(code(&again()).as_deref(), Some("two"), "the server is away");
        fake.set(Some("one"), false);
        assert_eq!(code(&again()).as_deref(), Some("one"), "gone back to");
        assert_eq!(fake.0.lock().unwrap().asked.last().unwrap().as_deref(), Some(hash("two").as_str()));
        fake.set(None, false);
        assert_eq!(code(&again()), None, "taken away");
        assert!(!folder.path().join("served/eye").exists());
        fake.set(None, true);
        assert_eq!(code(&again()), None);
    }

    #[test]
    fn a_package_with_a_path_for_a_name_is_not_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["../a.rhai", "/etc/a.rhai", ".", "..", "", ".a", MANIFEST, "a/b"] {
            let package = AnalyserPackage::new("name", file, b"code");
            let place = folder.path().join("place");
            assert!(unpack(folder.path(), &place, &package).is_err(), "{file:?}");
            assert!(!place.exists());
        }
    }
}
