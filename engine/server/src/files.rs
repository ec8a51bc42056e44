//! Areas of files: which tree each has now, and how a change becomes a revision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use headend_files::{BlobHash, BlobStore, Change, FilesError, Swept, Tree};
use headend_model::{Timestamp, UserName};
use headend_store::{AreaHead, AreaId, FeedItem, FeedRow, Projection, Store, StoreError};
use headend_wire::codes;
use serde_json::json;

use crate::crash::crash_point;
use crate::events::Bus;
use crate::http::{ApiError, ApiResult};

/// Trees that are kept at hand besides the heads.
const TREES_KEPT: usize = 64;

/// Former revisions of an area whose blobs stay.
const REVISIONS_KEPT: u32 = 20;
/// A blob may wait this long for its commit.
const UPLOAD_GRACE: Duration = Duration::from_hours(1);

/// The public area (`None`) or a user's own.
pub(crate) type AreaKey = Option<UserName>;

/// A revision of an area with its content.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    area: AreaId,
    /// Its number; 0: nothing was ever put there.
    pub(crate) revision: u64,
    /// The hash of its tree.
    pub(crate) hash: BlobHash,
    /// Its tree.
    pub(crate) tree: Arc<Tree>,
}

/// All areas. What is in memory is what the store has.
pub(crate) struct Areas {
    store: Store,
    /// The blobs.
    pub(crate) blobs: BlobStore,
    heads: RwLock<BTreeMap<AreaKey, Arc<Head>>>,
    trees: Mutex<BTreeMap<BlobHash, Arc<Tree>>>,
    empty: BlobHash,
    /// Commits are rare and short, so one at a time is enough.
    committing: tokio::sync::Mutex<()>,
}

impl Areas {
    /// The areas of a store.
    ///
    /// # Errors
    /// When the empty tree cannot be stored.
    pub(crate) async fn open(store: Store, blobs: BlobStore) -> Result<Self, FilesError> {
        let empty = blobs.put_bytes(Tree::new().to_bytes()).await?.hash;
        Ok(Self {
            store,
            blobs,
            heads: RwLock::default(),
            trees: Mutex::default(),
            empty,
            committing: tokio::sync::Mutex::default(),
        })
    }

    /// The tree that an area has at this moment, for an area that was looked at before (as every submit does).
    pub(crate) fn tree_now(&self, user: Option<&UserName>) -> BlobHash {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        heads.get(&user.cloned()).map_or(self.empty, |head| head.hash)
    }

    /// The newest revision of an area.
    pub(crate) async fn head(&self, key: &AreaKey) -> ApiResult<Arc<Head>> {
        if let Some(head) = self.heads.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(head.clone());
        }
        let head = Arc::new(self.load(key).await?);
        let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
        // A commit may have been faster; what it left is newer.
        let kept = heads.entry(key.clone()).or_insert_with(|| head.clone());
        if kept.revision < head.revision {
            *kept = head;
        }
        Ok(kept.clone())
    }

    async fn load(&self, key: &AreaKey) -> ApiResult<Head> {
        let area = match key {
            None => AreaId::PUBLIC,
            Some(user) => self.store.private_area(user).await?,
        };
        let Some(found) = self.store.area(area).await? else {
            return Ok(Head { area, revision: 0, hash: self.empty, tree: Arc::default() });
        };
        let hash: BlobHash = found.tree.parse()?;
        Ok(Head { area, revision: found.revision, hash, tree: self.tree(hash).await? })
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

    /// Makes a change to an area: whole, durable, or not at all.
    ///
    /// # Errors
    /// `missing_blobs`, `case_clash`, `not_found` for a delete of what is not there, `storage_full`.
    pub(crate) async fn commit(
        &self,
        key: &AreaKey,
        change: Change,
        by: &UserName,
        at: Timestamp,
        bus: &Bus,
    ) -> ApiResult<Arc<Head>> {
        let _one_at_a_time = self.committing.lock().await;
        let head = self.head(key).await?;
        self.require_blobs(&change).await?;
        let tree = head.tree.apply(&change)?;
        let blob = self.blobs.put_bytes(tree.to_bytes()).await?;
        crash_point("files.after_blob");
        if blob.hash == head.hash {
            return Ok(head);
        }
        let next = Head { area: head.area, revision: head.revision + 1, hash: blob.hash, tree: Arc::new(tree) };
        self.store_head(&head, &next, key, by, at, bus).await?;
        let next = Arc::new(next);
        self.heads.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), next.clone());
        Ok(next)
    }

    async fn store_head(
        &self,
        old: &Head,
        new: &Head,
        key: &AreaKey,
        by: &UserName,
        at: Timestamp,
        bus: &Bus,
    ) -> Result<(), StoreError> {
        let item = feed_item(old, new, key, by, at);
        let row = AreaHead { area: new.area, revision: new.revision, tree: new.hash.to_string(), by: by.clone(), at };
        let committed = self.store.commit_area(old.revision, row, vec![Projection::Feed(item.clone())]).await?;
        crash_point("files.after_commit");
        for number in committed.feed {
            bus.publish(FeedRow { number, item: item.clone() });
        }
        Ok(())
    }

    /// Removes blobs that no revision of late, no leased run and no upload of the last hour needs.
    ///
    /// # Errors
    /// When a tree cannot be read: then nothing is removed.
    pub(crate) async fn sweep(&self) -> ApiResult<Swept> {
        let mut keep = BTreeSet::from([self.empty]);
        for text in self.store.live_trees(REVISIONS_KEPT).await? {
            let hash: BlobHash = text.parse()?;
            keep.insert(hash);
            keep.extend(Tree::parse(&self.blobs.read(hash).await?)?.blobs());
        }
        Ok(self.blobs.sweep(keep, UPLOAD_GRACE).await?)
    }

    async fn require_blobs(&self, change: &Change) -> ApiResult<()> {
        let missing = self.blobs.missing(change.put.values().map(|entry| entry.hash)).await?;
        if let Some(first) = missing.first() {
            let paths = change.put.iter().filter(|(_, entry)| missing.contains(&entry.hash)).map(|(path, _)| path);
            let named: Vec<_> = paths.take(5).map(ToString::to_string).collect();
            let detail = format!(
                "{} blobs have not been uploaded, the first is {first} ({}); put them, then commit again",
                missing.len(),
                named.join(", ")
            );
            return Err(ApiError::new(&codes::MISSING_BLOBS, detail));
        }
        for (path, entry) in &change.put {
            let (_, size) = self.blobs.stream(entry.hash).await?;
            if size != entry.size {
                let detail = format!("{path} is said to have {} bytes, its blob has {size}", entry.size);
                return Err(ApiError::new(&codes::INVALID, detail).at("/put"));
            }
        }
        Ok(())
    }
}

fn feed_item(old: &Head, new: &Head, key: &AreaKey, by: &UserName, at: Timestamp) -> FeedItem {
    let diff = old.tree.diff(&new.tree);
    let area = if key.is_none() { "public" } else { "private" };
    let (added, changed, removed) = (diff.added.len(), diff.changed.len(), diff.removed.len());
    let mut data = json!({
        "area": area, "revision": new.revision, "added": added, "changed": changed, "removed": removed, "by": by.as_str(),
    });
    if let (Some(owner), Some(data)) = (key, data.as_object_mut()) {
        data.insert("owner".to_owned(), owner.as_str().into());
    }
    let text = format!("{area} files, revision {}: {added} added, {changed} changed, {removed} removed", new.revision);
    FeedItem { at, kind: "files_changed".to_owned(), job: None, run: None, text, data }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        let code = match &error {
            FilesError::Full { .. } => &codes::STORAGE_FULL,
            FilesError::CutOff { .. } => &codes::BAD_REQUEST,
            FilesError::TooLarge { .. } => &codes::TOO_LARGE,
            FilesError::NoBlob { .. } | FilesError::NoFile { .. } => &codes::NOT_FOUND,
            FilesError::Collision { .. } => &codes::CASE_CLASH,
            FilesError::WrongHash { .. }
            | FilesError::WrongSize { .. }
            | FilesError::TooManyFiles { .. }
            | FilesError::BadHash { .. } => &codes::INVALID,
            FilesError::Io { .. }
            | FilesError::DamagedBlob { .. }
            | FilesError::BadTree { .. }
            | FilesError::Fetch { .. } => return Self::internal("files could not be read or written", &error),
        };
        Self::new(code, error.to_string())
    }
}
