//! Which bytes a person may name without sending them: those of the public area, of the own one, and what that person has
//! sent within the last hour. Whoever could name others could ask for their files by guess.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use headend_files::{BlobHash, Change, Digest, Stored};
use headend_model::UserName;
use headend_store::DigestRow;

use super::Areas;
use crate::http::ApiResult;

/// How long what somebody has sent is known to be theirs.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// Most blobs that are remembered so, of all senders: some 30 MiB of memory. Beyond it clients are told to send again.
const MOST: usize = 400_000;

/// A blob that somebody has sent.
struct SentBlob {
    size: u64,
    at: Instant,
    /// No commit of its sender has named it since.
    waits: bool,
}

/// What one person has sent.
#[derive(Default)]
struct OfOne {
    blobs: HashMap<BlobHash, SentBlob>,
    /// Bytes of those that wait for a commit.
    waiting: u64,
}

impl OfOne {
    fn note(&mut self, hash: BlobHash, size: u64, at: Instant) {
        let former = self.blobs.insert(hash, SentBlob { size, at, waits: true });
        if !former.is_some_and(|former| former.waits) {
            self.waiting += size;
        }
    }

    fn placed(&mut self, hash: BlobHash) {
        if let Some(blob) = self.blobs.get_mut(&hash).filter(|blob| blob.waits) {
            blob.waits = false;
            self.waiting -= blob.size;
        }
    }

    fn forget_old(&mut self, now: Instant) {
        self.blobs.retain(|_, blob| now.duration_since(blob.at) < KNOWN_FOR);
        self.waiting = self.blobs.values().filter(|blob| blob.waits).map(|blob| blob.size).sum();
    }
}

/// Who has sent which blobs lately. A restart forgets: clients then send again.
#[derive(Default)]
pub(crate) struct Sent {
    by: Mutex<HashMap<UserName, OfOne>>,
}

impl Sent {
    fn note(&self, user: &UserName, stored: &[Stored]) {
        let mut by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let count = |by: &HashMap<UserName, OfOne>| by.values().map(|one| one.blobs.len()).sum::<usize>();
        if count(&by) + stored.len() > MOST {
            by.retain(|_, sent| {
                sent.forget_old(now);
                !sent.blobs.is_empty()
            });
            if count(&by) + stored.len() > MOST {
                by.clear();
            }
        }
        let own = by.entry(user.clone()).or_default();
        for one in stored {
            own.note(one.blob.hash, one.blob.size, now);
        }
    }

    /// What a commit has put into an area no longer waits.
    pub(super) fn placed(&self, user: &UserName, change: &Change) {
        let mut by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by.get_mut(user) {
            change.put.values().for_each(|entry| own.placed(entry.hash));
        }
    }

    /// Whether at most so many bytes of this person wait for a commit.
    pub(super) fn waiting_at_most(&self, user: &UserName, bytes: u64) -> bool {
        let mut by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = by.get_mut(user).filter(|own| own.waiting > bytes) else { return true };
        own.forget_old(Instant::now());
        own.waiting <= bytes
    }

    fn fill(&self, user: &UserName, wanted: &mut HashMap<BlobHash, Option<u64>>) {
        let by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sent) = by.get(user) else { return };
        for (hash, size) in wanted.iter_mut().filter(|(_, size)| size.is_none()) {
            *size = sent.blobs.get(hash).filter(|blob| blob.at.elapsed() < KNOWN_FOR).map(|blob| blob.size);
        }
    }
}

impl Areas {
    /// Remembers under which names blobs are kept, and whose they are.
    ///
    /// # Errors
    /// When the store does not take it: the blobs are stored all the same.
    pub(crate) async fn note(&self, user: &UserName, stored: &[Stored]) -> ApiResult<()> {
        let row = |one: &Stored| DigestRow {
            sha256: one.sha256.to_string(),
            hash: one.blob.hash.to_string(),
            size: one.blob.size,
        };
        self.store.keep_digests(stored.iter().map(row).collect()).await?;
        self.sent.note(user, stored);
        Ok(())
    }

    /// Those of these digests that this person may name, with the blob's own hash and size.
    pub(crate) async fn known(
        &self,
        user: &UserName,
        digests: &BTreeSet<Digest>,
    ) -> ApiResult<HashMap<Digest, (BlobHash, u64)>> {
        let own = self.own_names(digests).await?;
        let mut wanted: HashMap<BlobHash, Option<u64>> = own.values().map(|hash| (*hash, None)).collect();
        for key in [None, Some(user.clone())] {
            let head = self.head(&key).await?;
            for (_, entry) in head.tree.iter() {
                if let Some(size) = wanted.get_mut(&entry.hash) {
                    *size = Some(entry.size);
                }
            }
        }
        self.sent.fill(user, &mut wanted);
        let known = own.into_iter().filter_map(|(digest, hash)| Some((digest, (hash, wanted.get(&hash).copied()??))));
        Ok(known.collect())
    }

    /// The same, without those whose bytes are not there. The others count as just used: a sweep spares them.
    pub(crate) async fn there(
        &self,
        user: &UserName,
        digests: &BTreeSet<Digest>,
    ) -> ApiResult<HashMap<Digest, (BlobHash, u64)>> {
        let mut known = self.known(user, digests).await?;
        let hashes: BTreeSet<BlobHash> = known.values().map(|(hash, _)| *hash).collect();
        let gone: BTreeSet<BlobHash> = self.blobs.missing(hashes).await?.into_iter().collect();
        known.retain(|_, (hash, _)| !gone.contains(hash));
        Ok(known)
    }

    async fn own_names(&self, digests: &BTreeSet<Digest>) -> ApiResult<HashMap<Digest, BlobHash>> {
        let mut names = HashMap::new();
        let mut by_text = HashMap::new();
        for digest in digests {
            match digest {
                Digest::Blake3(hash) => drop(names.insert(*digest, *hash)),
                Digest::Sha256(hash) => drop(by_text.insert(hash.to_string(), *digest)),
            }
        }
        let texts: Vec<String> = by_text.keys().cloned().collect();
        for row in self.store.digests(&texts).await? {
            if let Some(digest) = by_text.get(&row.sha256) {
                names.insert(*digest, row.hash.parse()?);
            }
        }
        Ok(names)
    }
}
