//! Working copies on a rack: a snapshot as a folder that a script can run in.
//!
//! Choice: a run that may write gets a copy that nobody else has. Hard links are out of the question (a link shares the
//! bytes, so a write in place would spoil the cache and every other copy), reflinks are used where the file system has
//! them, plain copies elsewhere. What makes this cheap is that a copy is not thrown away after its run: it is *restored*.
//! [`crate::restore`] looks at each file's inode, size and change time, writes again only what a run has touched, and
//! removes what it left behind. The same function brings an old copy up to a new snapshot. Runs that cannot write
//! (Rhai and WASM, whose hosts have no files) share one copy and touch nothing.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use headend_model::TreePath;
use tokio::io::AsyncRead;

use crate::blobs::{BlobOptions, BlobStore, Claim, blocking, private_folder};
use crate::error::FilesError;
use crate::hash::BlobHash;
use crate::restore::{Folder, restore};
use crate::tree::Tree;

/// The bytes of a blob on their way in.
pub type BlobStream = Box<dyn AsyncRead + Send + Unpin>;

/// Where a rack gets blobs that it does not have. Called once per blob, as long as the cache keeps it.
pub trait Fetch: Send + Sync + 'static {
    /// Opens the stream of a blob's bytes. They are checked against the hash.
    fn fetch(&self, hash: BlobHash) -> Pin<Box<dyn Future<Output = std::io::Result<BlobStream>> + Send + '_>>;
}

/// The files a run was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// Tree of the public area.
    pub public: BlobHash,
    /// Tree of its owner's private area, for private scripts.
    pub private: Option<BlobHash>,
}

/// What the run may do with its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Only read, through a host that refuses writes (Rhai and WASM): any number of runs share one copy.
    Shared,
    /// Write: no other run sees this copy.
    Own,
}

/// The working copies of a rack. Cheap to clone.
#[derive(Clone)]
pub struct WorkingCopies {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    blobs: BlobStore,
    fetch: Arc<dyn Fetch>,
    keep: usize,
    next: AtomicU64,
    shelf: Mutex<Shelf>,
    /// Held while a shared copy is made or blobs are fetched: each is made once.
    making: tokio::sync::Mutex<()>,
}

/// Copies that are there. The least recently used come first.
#[derive(Default)]
struct Shelf {
    /// Own copies that nobody has now.
    idle: Vec<CopyOnDisk>,
    shared: Vec<Arc<CopyOnDisk>>,
    /// Every folder that was made, and whether somebody still has it. A run that was called off in the middle may leave
    /// one behind.
    folders: Vec<(PathBuf, Weak<()>)>,
}

/// A folder with a snapshot in it.
#[derive(Debug)]
struct CopyOnDisk {
    snapshot: SnapshotId,
    root: PathBuf,
    public: Folder,
    private: Option<Folder>,
    _alive: Arc<()>,
}

/// A copy in use by one run. Dropped or released, it goes back to the others.
pub struct WorkingCopy {
    inner: Arc<Inner>,
    held: Held,
}

enum Held {
    Shared(Arc<CopyOnDisk>),
    Own(Box<CopyOnDisk>),
    Gone,
}

impl std::fmt::Debug for WorkingCopies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkingCopies").field("root", &self.inner.root).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WorkingCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WorkingCopy").field(&self.copy().map(|copy| &copy.root)).finish()
    }
}

impl WorkingCopies {
    /// Opens a folder for copies and a cache of blobs. Copies of a former life are removed, its blobs are kept.
    ///
    /// `keep`: how many copies nobody uses are kept for the next runs (document 6.1.1: 4).
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn open(root: impl Into<PathBuf>, keep: usize, fetch: Arc<dyn Fetch>) -> Result<Self, FilesError> {
        let root = root.into();
        private_folder(&root)?;
        let copies = root.join("copies");
        // Nothing is known of what happened to them meanwhile.
        crate::restore::remove(&copies)?;
        private_folder(&copies)?;
        // A blob that the disk forgets is fetched again.
        let blobs = BlobStore::open(root.join("blobs"), BlobOptions { durable: false, ..BlobOptions::default() })?;
        let (shelf, making) = (Mutex::default(), tokio::sync::Mutex::default());
        let inner = Inner { root: copies, blobs, fetch, keep, next: AtomicU64::new(1), shelf, making };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A copy of the snapshot: one that is there, one that is brought up to date, or a new one. Every byte in it has
    /// been checked against its hash. Never waits for another run to end.
    ///
    /// # Errors
    /// [`FilesError::Fetch`], [`FilesError::WrongHash`], [`FilesError::BadTree`], [`FilesError::Full`],
    /// [`FilesError::Io`].
    pub async fn acquire(&self, snapshot: SnapshotId, access: Access) -> Result<WorkingCopy, FilesError> {
        let held = match access {
            Access::Shared => Held::Shared(self.shared(snapshot).await?),
            Access::Own => Held::Own(Box::new(self.own(snapshot).await?)),
        };
        Ok(WorkingCopy { inner: self.inner.clone(), held })
    }

    /// How many copies are on the disk, in use or not.
    pub fn count(&self) -> usize {
        std::fs::read_dir(&self.inner.root).map_or(0, Iterator::count)
    }

    async fn shared(&self, snapshot: SnapshotId) -> Result<Arc<CopyOnDisk>, FilesError> {
        if let Some(copy) = self.inner.find_shared(snapshot) {
            return Ok(copy);
        }
        let _one_at_a_time = self.inner.making.lock().await;
        if let Some(copy) = self.inner.find_shared(snapshot) {
            return Ok(copy);
        }
        let trees = self.inner.trees(snapshot).await?;
        let copy = Arc::new(self.inner.clone().bring(self.inner.new_copy(snapshot), snapshot, trees).await?);
        self.inner.shelf().shared.push(copy.clone());
        self.inner.clone().evict().await;
        Ok(copy)
    }

    async fn own(&self, snapshot: SnapshotId) -> Result<CopyOnDisk, FilesError> {
        let taken = self.inner.take_idle(snapshot);
        let trees = match &taken {
            Some(copy) if copy.snapshot == snapshot => copy.trees(),
            _ => {
                let _one_at_a_time = self.inner.making.lock().await;
                self.inner.trees(snapshot).await?
            }
        };
        let copy = taken.unwrap_or_else(|| self.inner.new_copy(snapshot));
        let copy = self.inner.clone().bring(copy, snapshot, trees).await?;
        self.inner.clone().evict().await;
        Ok(copy)
    }
}

type Trees = (Arc<Tree>, Option<Arc<Tree>>);

impl Inner {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_shared(&self, snapshot: SnapshotId) -> Option<Arc<CopyOnDisk>> {
        let mut on = self.shelf();
        let at = on.shared.iter().position(|copy| copy.snapshot == snapshot)?;
        let copy = on.shared.remove(at);
        on.shared.push(copy.clone());
        Some(copy)
    }

    /// An idle copy of this snapshot, else (when there are enough) the oldest one, to be brought up to date.
    fn take_idle(&self, snapshot: SnapshotId) -> Option<CopyOnDisk> {
        let mut on = self.shelf();
        if let Some(at) = on.idle.iter().rposition(|copy| copy.snapshot == snapshot) {
            return Some(on.idle.remove(at));
        }
        (on.idle.len() >= self.keep.max(1)).then(|| on.idle.remove(0))
    }

    fn new_copy(&self, snapshot: SnapshotId) -> CopyOnDisk {
        let root = self.root.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let public = Folder::new(root.join("public"));
        let alive = Arc::new(());
        self.shelf().folders.push((root.clone(), Arc::downgrade(&alive)));
        CopyOnDisk { snapshot, root, public, private: None, _alive: alive }
    }

    /// The trees of a snapshot, with all their blobs in the cache.
    async fn trees(&self, snapshot: SnapshotId) -> Result<Trees, FilesError> {
        let public = self.tree(snapshot.public).await?;
        let private = match snapshot.private {
            Some(hash) => Some(self.tree(hash).await?),
            None => None,
        };
        Ok((public, private))
    }

    async fn tree(&self, hash: BlobHash) -> Result<Arc<Tree>, FilesError> {
        let bytes = match self.blobs.read(hash).await {
            Ok(bytes) => bytes,
            Err(FilesError::NoBlob { .. } | FilesError::DamagedBlob { .. }) => {
                self.fetch(hash).await?;
                self.blobs.read(hash).await?
            }
            Err(other) => return Err(other),
        };
        let tree = Tree::parse(&bytes)?;
        for missing in self.blobs.missing(tree.blobs().collect::<BTreeSet<_>>()).await? {
            self.fetch(missing).await?;
        }
        Ok(Arc::new(tree))
    }

    async fn fetch(&self, hash: BlobHash) -> Result<(), FilesError> {
        let stream = self.fetch.fetch(hash).await;
        let stream = stream.map_err(|source| FilesError::Fetch { hash, source: Arc::new(source) })?;
        self.blobs.remove(hash).await?;
        self.blobs.put(Claim { hash: Some(hash), size: None }, stream).await.map(drop)
    }

    /// Makes the folder hold exactly the snapshot. A blob that the disk has spoilt is fetched again, once.
    async fn bring(
        self: Arc<Self>,
        copy: CopyOnDisk,
        snapshot: SnapshotId,
        trees: Trees,
    ) -> Result<CopyOnDisk, FilesError> {
        let mut copy = copy;
        let mut mended = BTreeSet::new();
        loop {
            let (blobs, wanted) = (self.blobs.clone(), trees.clone());
            let (back, done) = blocking(move || {
                let done = copy.fill(&blobs, snapshot, wanted);
                Ok((copy, done))
            })
            .await?;
            copy = back;
            match done {
                Ok(()) => return Ok(copy),
                Err(FilesError::NoBlob { hash } | FilesError::DamagedBlob { hash, .. }) if mended.insert(hash) => {
                    tracing::warn!(%hash, "a blob of the cache is damaged; it is fetched again");
                    self.fetch(hash).await?;
                }
                Err(other) => {
                    drop(copy);
                    self.evict().await;
                    return Err(other);
                }
            }
        }
    }

    /// Removes the oldest copies that nobody uses until no more than `keep` of a kind are left.
    async fn evict(self: Arc<Self>) {
        let surplus = self.surplus();
        if surplus.is_empty() {
            return;
        }
        let removed = blocking(move || surplus.iter().try_for_each(|root| crate::restore::remove(root))).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "an old working copy cannot be removed");
        }
    }

    fn surplus(&self) -> Vec<PathBuf> {
        let mut on = self.shelf();
        let idle = on.idle.len().saturating_sub(self.keep);
        on.idle.drain(..idle);
        // Nobody can take a shared copy into use while the shelf is locked.
        let unused = |copy: &Arc<CopyOnDisk>| Arc::strong_count(copy) == 1;
        while on.shared.iter().filter(|copy| unused(copy)).count() > self.keep {
            let Some(at) = on.shared.iter().position(unused) else { break };
            on.shared.remove(at);
        }
        let (kept, gone) = std::mem::take(&mut on.folders).into_iter().partition(|(_, alive)| alive.strong_count() > 0);
        on.folders = kept;
        gone.into_iter().map(|(root, _)| root).collect()
    }
}

impl CopyOnDisk {
    fn trees(&self) -> Trees {
        (self.public.tree().clone(), self.private.as_ref().map(|folder| folder.tree().clone()))
    }

    fn fill(&mut self, blobs: &BlobStore, snapshot: SnapshotId, trees: Trees) -> Result<(), FilesError> {
        private_folder(&self.root)?;
        crate::restore::keep_only(&self.root, &["public", "private"])?;
        restore(&mut self.public, &trees.0, blobs)?;
        if let Some(tree) = trees.1 {
            let folder = self.private.get_or_insert_with(|| Folder::new(self.root.join("private")));
            restore(folder, &tree, blobs)?;
        } else {
            self.private = None;
            crate::restore::remove(&self.root.join("private"))?;
        }
        self.snapshot = snapshot;
        Ok(())
    }
}

impl WorkingCopy {
    fn copy(&self) -> Option<&CopyOnDisk> {
        match &self.held {
            Held::Shared(copy) => Some(copy),
            Held::Own(copy) => Some(copy),
            Held::Gone => None,
        }
    }

    /// Folder `…/public`: what `STORMTEST_PUBLIC` is.
    pub fn public_root(&self) -> &Path {
        self.copy().map_or(Path::new(""), |copy| copy.public.root())
    }

    /// Folder `…/private` if the snapshot has a private tree.
    pub fn private_root(&self) -> Option<&Path> {
        self.copy()?.private.as_ref().map(Folder::root)
    }

    /// A script's file, and its own folder, which is the working folder of the run.
    ///
    /// # Errors
    /// [`FilesError::NoFile`] when it is not in that area's tree.
    pub fn script(&self, public: bool, script: &TreePath) -> Result<(PathBuf, PathBuf), FilesError> {
        let missing = || FilesError::NoFile { path: script.clone() };
        let copy = self.copy().ok_or_else(missing)?;
        let folder = if public { Some(&copy.public) } else { copy.private.as_ref() }.ok_or_else(missing)?;
        folder.tree().get(script).ok_or_else(missing)?;
        let file = folder.path_of(script);
        let own = file.parent().map_or_else(|| folder.root().to_owned(), Path::to_owned);
        Ok((file, own))
    }

    /// Gives the copy back and removes what the run left in it. Nothing of the run may be alive any more.
    ///
    /// # Errors
    /// [`FilesError::Io`]; the copy is not used again then.
    pub async fn release(mut self) -> Result<(), FilesError> {
        if let Held::Own(copy) = std::mem::replace(&mut self.held, Held::Gone) {
            let (snapshot, trees) = (copy.snapshot, copy.trees());
            let copy = self.inner.clone().bring(*copy, snapshot, trees).await?;
            self.inner.shelf().idle.push(copy);
        }
        self.inner.clone().evict().await;
        Ok(())
    }
}

impl Drop for WorkingCopy {
    /// Without [`WorkingCopy::release`] the copy is restored when it is used the next time.
    fn drop(&mut self) {
        if let Held::Own(copy) = std::mem::replace(&mut self.held, Held::Gone) {
            self.inner.shelf().idle.push(*copy);
        }
    }
}
