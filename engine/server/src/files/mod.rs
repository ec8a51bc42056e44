//! Areas of files: which tree each has now, and how a change becomes a revision.
//!
//! ```text
//!  blobs, packs, parts ─► BlobStore, digests, Sent ─┐
//!  commit, convert, delete ─► Change ───────────────┴─► Areas::commit ─► history rows, then the revision, then memory
//!  a run is leased ─► Areas::tree_now ─► pin
//! ```
//!
//! What is in memory is what the store has.

mod answers;
mod commit;
mod convert;
mod history;
mod known;
mod quota;
mod sweep;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use headend_files::{BlobHash, BlobStore, FilesError, Parts, Tree};
use headend_model::UserName;
use headend_store::{AreaHead, AreaId, Store};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::Quotas;
use crate::http::{ApiError, ApiResult};

pub(crate) use answers::{bad_path, edited_of};
pub(crate) use commit::{Commit, Maker};
pub(crate) use convert::deletable;
pub(crate) use known::Sent;

/// Trees that are kept at hand besides the heads.
const TREES_KEPT: usize = 64;
/// Packs that are read at once: each may take 8 MiB of memory.
const PACKS_AT_ONCE: usize = 4;

/// The public area (`None`) or a user's own.
pub(crate) type AreaKey = Option<UserName>;

/// A revision of an area with its content.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// `None`: nothing was ever put there.
    pub(crate) area: Option<AreaId>,
    /// Its number; 0: nothing was ever put there.
    pub(crate) revision: u64,
    /// The hash of its tree.
    pub(crate) hash: BlobHash,
    /// Its tree.
    pub(crate) tree: Arc<Tree>,
}

/// What is known of an area without reading its tree.
#[derive(Clone, Copy, Debug)]
struct Mark {
    area: AreaId,
    revision: u64,
    hash: BlobHash,
}

/// All areas.
pub(crate) struct Areas {
    store: Store,
    /// The blobs.
    pub(crate) blobs: BlobStore,
    /// Large files on their way in.
    pub(crate) parts: Parts,
    /// Who has sent which blobs lately.
    pub(crate) sent: Sent,
    quotas: Quotas,
    /// One permit for each pack that is read.
    pub(crate) packs: Semaphore,
    marks: RwLock<BTreeMap<AreaKey, Mark>>,
    heads: RwLock<BTreeMap<AreaKey, Arc<Head>>>,
    trees: Mutex<BTreeMap<BlobHash, Arc<Tree>>>,
    empty: BlobHash,
    /// Commits are rare and short, so one at a time is enough.
    committing: tokio::sync::Mutex<()>,
    /// Commits go to their end even when the client goes away: half of one would leave memory behind the store.
    work: TaskTracker,
}

impl Areas {
    /// Where it is all kept.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The areas of a store.
    ///
    /// # Errors
    /// When the empty tree cannot be stored, or the store cannot be read.
    pub(crate) async fn open(store: Store, blobs: BlobStore, quotas: Quotas) -> ApiResult<Arc<Self>> {
        let empty = blobs.put_bytes(Tree::new().to_bytes()).await?.hash;
        let parts = Parts::open(blobs.clone())?;
        let areas = Arc::new(Self {
            store,
            blobs,
            parts,
            sent: Sent::default(),
            quotas,
            packs: Semaphore::new(PACKS_AT_ONCE),
            marks: RwLock::default(),
            heads: RwLock::default(),
            trees: Mutex::default(),
            empty,
            committing: tokio::sync::Mutex::default(),
            work: TaskTracker::new(),
        });
        areas.read_marks().await?;
        Ok(areas)
    }

    async fn read_marks(&self) -> ApiResult<()> {
        for row in self.store.areas().await? {
            let Some(head) = row.head else { continue };
            let mark = Mark { area: row.area, revision: head.revision, hash: head.tree.parse()? };
            if !row.has_history {
                self.begin_history(&head, mark.hash).await?;
            }
            self.marks.write().unwrap_or_else(PoisonError::into_inner).insert(row.owner, mark);
        }
        Ok(())
    }

    /// The tree that an area has at this moment.
    pub(crate) fn tree_now(&self, user: Option<&UserName>) -> BlobHash {
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        marks.get(&user.cloned()).map_or(self.empty, |mark| mark.hash)
    }

    /// The newest revision of an area.
    pub(crate) async fn head(&self, key: &AreaKey) -> ApiResult<Arc<Head>> {
        let mark = self.marks.read().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let Some(mark) = mark else {
            return Ok(Arc::new(Head { area: None, revision: 0, hash: self.empty, tree: Arc::default() }));
        };
        if let Some(head) = self.heads.read().unwrap_or_else(PoisonError::into_inner).get(key)
            && head.revision >= mark.revision
        {
            return Ok(head.clone());
        }
        let tree = self.tree(mark.hash).await?;
        let head = Arc::new(Head { area: Some(mark.area), revision: mark.revision, hash: mark.hash, tree });
        let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
        // A commit may have been faster; what it left is newer.
        let kept = heads.entry(key.clone()).or_insert_with(|| head.clone());
        if kept.revision < head.revision {
            *kept = head;
        }
        Ok(kept.clone())
    }

    fn set_head(&self, key: &AreaKey, area: AreaId, head: Arc<Head>) {
        let mark = Mark { area, revision: head.revision, hash: head.hash };
        self.heads.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), head);
        self.marks.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), mark);
    }

    /// A tree by its hash.
    ///
    /// # Errors
    /// `not_found`, or `internal` when it is damaged.
    pub(crate) async fn tree(&self, hash: BlobHash) -> ApiResult<Arc<Tree>> {
        if let Some(tree) = self.trees.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(tree.clone());
        }
        let tree = Arc::new(Tree::parse(&self.blobs.read(hash).await?)?);
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if trees.len() >= TREES_KEPT {
            trees.pop_first();
        }
        trees.insert(hash, tree.clone());
        Ok(tree)
    }

    /// Waits for commits that are under way; none begins after that.
    pub(crate) async fn finish(&self) {
        self.work.close();
        self.work.wait().await;
    }
}

/// The areas as they were before anybody kept a history get one that begins with their present revision.
impl Areas {
    async fn begin_history(&self, head: &AreaHead, hash: BlobHash) -> ApiResult<()> {
        let tree = self.tree(hash).await?;
        let rows = commit::rows(&Tree::new(), &tree, &BTreeMap::new(), head.at);
        self.write_rows(head.area, head.revision, rows).await
    }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        answers::problem(&error)
    }
}
