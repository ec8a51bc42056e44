//! Follows a folder of plugins while the server runs.
//!
//! The system's notices say that something moved; a look at the files says what. A plugin folder is loaded when it has held still for a
//! moment, so a file that is half copied is not read, and when it is all the same (a slow copy), the rest of the copy brings the next try.
//! Every few seconds the folder is looked at without a notice, for file systems that give none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use headend_model::PolicyName;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::{LoadError, is_bundle};
use crate::manifest::MANIFEST_FILE;
use crate::policy::{PluginInfo, PolicyHost};

/// How long a plugin folder must hold still before it is loaded.
const SETTLE: Duration = Duration::from_millis(300);
/// How often the folder is looked at without a notice.
const RESCAN: Duration = Duration::from_secs(5);

/// What has become of the folder.
#[derive(Debug)]
pub enum FolderChange {
    /// A plugin was loaded, or replaced by a new version.
    Loaded(Box<PluginInfo>),
    /// A plugin was not loaded. If an older version of it was in use, it still is.
    Failed {
        /// Its folder.
        folder: PathBuf,
        /// The step that failed.
        error: LoadError,
    },
    /// Its folder has gone, and the plugin with it.
    Removed(PolicyName),
    /// A folder has gone whose plugin had not been loaded when it was looked at last.
    Gone(PathBuf),
}

/// A folder that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("cannot follow the plugin folder {}", folder.display())]
pub struct WatchError {
    /// Which.
    pub folder: PathBuf,
    /// Why not.
    #[source]
    pub source: std::io::Error,
}

/// Follows until dropped; dropping waits for a load that is under way.
#[derive(Debug)]
pub struct FolderWatch {
    tell: Sender<Notice>,
    thread: Option<JoinHandle<()>>,
    /// `None`: the system gives no notices here, looking must do.
    _notices: Option<RecommendedWatcher>,
}

enum Notice {
    Moved,
    Stop,
}

impl FolderWatch {
    pub(crate) fn start(
        host: Arc<PolicyHost>,
        folder: &Path,
        told: Box<dyn FnMut(FolderChange) + Send>,
    ) -> Result<Self, WatchError> {
        let fail = |source| WatchError { folder: folder.into(), source };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let folder_path = folder.canonicalize().map_err(fail)?;
        // Bounded by what the system's own queue holds, and drained to the last at each look.
        let (tell, notices) = mpsc::channel();
        let watcher = watcher(&folder_path, tell.clone());
        let mut follower = Follower { host, folder: folder_path, told, seen: BTreeMap::new(), failed: BTreeSet::new() };
        let thread =
            thread::Builder::new().name("plugin-folder".into()).spawn(move || follower.run(&notices)).map_err(fail)?;
        Ok(Self { tell, thread: Some(thread), _notices: watcher })
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        // A follower that has ended already needs no telling.
        let _ = self.tell.send(Notice::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Too many watches or a strange file system must not keep the server from starting.
fn watcher(folder: &Path, tell: Sender<Notice>) -> Option<RecommendedWatcher> {
    let started = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own looks read the files: notices of access would ring for ever.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = tell.send(Notice::Moved);
        }
    })
    .and_then(|mut watcher| watcher.watch(folder, RecursiveMode::Recursive).map(|()| watcher));
    started
        .inspect_err(|error| {
            tracing::warn!(folder = %folder.display(), %error, "no notices for this folder; it is looked at every {RESCAN:?}");
        })
        .ok()
}

struct Follower {
    host: Arc<PolicyHost>,
    folder: PathBuf,
    told: Box<dyn FnMut(FolderChange) + Send>,
    seen: BTreeMap<PathBuf, Seen>,
    /// Where the last try has failed.
    failed: BTreeSet<PathBuf>,
}

/// What a plugin folder looked like.
struct Seen {
    look: Look,
    since: Instant,
    /// This look has been loaded, or tried.
    settled: bool,
}

/// Names, lengths and times of a folder's files: cheap, and different after every change that matters.
type Look = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl Follower {
    fn run(&mut self, notices: &Receiver<Notice>) {
        loop {
            self.look();
            let wait = if self.seen.values().all(|seen| seen.settled) { RESCAN } else { SETTLE / 3 };
            match notices.recv_timeout(wait) {
                Ok(Notice::Moved) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            // One look answers them all.
            while let Ok(notice) = notices.try_recv() {
                if matches!(notice, Notice::Stop) {
                    return;
                }
            }
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        let looks = plugin_folders(&self.folder);
        let gone: Vec<PathBuf> = self.seen.keys().filter(|folder| !looks.contains_key(*folder)).cloned().collect();
        for folder in gone {
            self.seen.remove(&folder);
            self.unload(&folder);
        }
        for (folder, look) in looks {
            let seen = self.seen.entry(folder.clone()).or_insert_with(|| Seen {
                look: Look::new(),
                since: now,
                settled: false,
            });
            if seen.look != look {
                *seen = Seen { look, since: now, settled: false };
            } else if !seen.settled && now.duration_since(seen.since) >= SETTLE {
                seen.settled = true;
                self.load(folder);
            }
        }
    }

    fn load(&mut self, folder: PathBuf) {
        let loaded = self.host.loaded_from(&folder);
        // Touched, not changed; or a person went back to an older version, or removed it.
        if self.host.seen_at(&folder).is_some_and(|seen| self.host.hash_at(&folder) == Some(seen)) {
            // What had failed in between was put back: nobody is to go on with the complaint.
            if self.failed.remove(&folder)
                && let Some(info) = self.host.list().into_iter().find(|info| info.origin.path() == Some(&*folder))
            {
                (self.told)(FolderChange::Loaded(Box::new(info)));
            }
            return;
        }
        let change = match self.host.load(&folder) {
            Ok(info) => {
                self.failed.remove(&folder);
                self.forget_former_name(loaded, &info);
                FolderChange::Loaded(Box::new(info))
            }
            Err(error) => {
                self.failed.insert(folder.clone());
                FolderChange::Failed { folder, error }
            }
        };
        (self.told)(change);
    }

    /// The plugin in the folder got another name: the old one has gone.
    fn forget_former_name(&mut self, former: Option<PolicyName>, info: &PluginInfo) {
        if let Some(former) = former.filter(|former| *former != info.name)
            && self.host.remove(&former).is_ok()
        {
            (self.told)(FolderChange::Removed(former));
        }
    }

    fn unload(&mut self, folder: &Path) {
        if self.failed.remove(folder) {
            (self.told)(FolderChange::Gone(folder.to_owned()));
        }
        self.host.lost(folder);
        if let Some(name) = self.host.loaded_from(folder)
            && self.host.remove(&name).is_ok()
        {
            (self.told)(FolderChange::Removed(name));
        }
    }
}

/// Each folder with a manifest and each bundle, and how it looks.
fn plugin_folders(root: &Path) -> BTreeMap<PathBuf, Look> {
    let entries = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| entry.path())
        .filter(|path| path.join(MANIFEST_FILE).is_file() || is_bundle_file(path))
        .map(|folder| {
            let look = look_at(&folder);
            (folder, look)
        })
        .collect()
}

fn is_bundle_file(path: &Path) -> bool {
    path.is_file() && path.file_name().is_some_and(|name| is_bundle(&name.to_string_lossy()))
}

/// The files of a folder, or a bundle and its signature.
fn look_at(path: &Path) -> Look {
    let files: Vec<PathBuf> = match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(_) => vec![path.to_owned(), path.with_added_extension("minisig")],
    };
    let mut look: Look = files
        .into_iter()
        .filter_map(|file| {
            let meta = std::fs::metadata(&file).ok()?;
            Some((file, meta.len(), meta.modified().ok()))
        })
        .collect();
    look.sort();
    look
}
