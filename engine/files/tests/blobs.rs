//! Blobs: whole and checked, or not there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use headend_files::{BlobHash, BlobOptions, BlobStore, Claim, FilesError};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

fn store(folder: &Path) -> BlobStore {
    BlobStore::open(folder, BlobOptions::default()).unwrap()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Gives some bytes and then breaks, or hangs for ever.
struct Broken<'a> {
    left: &'a [u8],
    hangs: bool,
}

impl AsyncRead for Broken<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.left.is_empty() {
            return if self.hangs { Poll::Pending } else { Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset))) };
        }
        let (now, later) = self.left.split_at(self.left.len().min(buf.remaining()).min(10_000));
        buf.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn bytes_come_back_and_equal_bytes_are_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = store(folder.path());
    for size in [0, 1, 1000, 262_144, 262_145, 3_000_000] {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let claim = Claim { hash: Some(BlobHash::of(&bytes)), size: Some(size as u64) };
        let blob = blobs.put(claim, bytes.as_slice()).await.unwrap();
        assert_eq!(blobs.put_bytes(&bytes).await.unwrap(), blob);
        assert_eq!((blob.size, blobs.read(blob.hash).await.unwrap()), (size as u64, bytes.clone()));
        let (mut file, length) = blobs.stream(blob.hash).await.unwrap();
        let mut streamed = Vec::new();
        file.read_to_end(&mut streamed).await.unwrap();
        assert_eq!((streamed, length), (bytes, size as u64));
    }
    assert_eq!(files(folder.path()).len(), 6);
    let nowhere = BlobHash::of(b"nowhere");
    assert!(matches!(blobs.read(nowhere).await, Err(FilesError::NoBlob { hash }) if hash == nowhere));
    let there = BlobHash::of(b"");
    assert_eq!(blobs.missing([there, nowhere]).await.unwrap(), [nowhere]);
    assert!(blobs.has(there).await.unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn only_this_user_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("blobs");
    let blobs = store(&root);
    let name = blobs.put_bytes(b"secret").await.unwrap().hash.to_string();
    for path in [root.clone(), root.join(&name[..2]), root.join(&name[..2]).join(&name[2..])] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn false_claims_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(folder.path(), BlobOptions { limit: 500_000, durable: true }).unwrap();
    let put = async |hash, size, bytes: &[u8]| blobs.put(Claim { hash, size }, bytes).await.unwrap_err();
    let wrong = BlobHash::of(b"other");
    assert!(
        matches!(put(Some(wrong), None, b"some").await, FilesError::WrongHash { claimed, .. } if claimed == wrong.into())
    );
    for (claimed, bytes) in [(10, 11), (10, 9), (300_000, 300_001), (300_000, 299_999)] {
        let error = put(None, Some(claimed), &vec![7; bytes]).await;
        assert!(matches!(error, FilesError::WrongSize { .. }), "{error}");
    }
    assert!(matches!(put(None, None, &vec![7; 500_001]).await, FilesError::TooLarge { limit: 500_000 }));
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_dropped_upload_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = store(folder.path());
    let bytes = vec![7; 600_000];
    let put = blobs.put(Claim::default(), Broken { left: &bytes, hangs: true });
    assert!(tokio::time::timeout(Duration::from_millis(50), put).await.is_err());
    // A write that was under way ends first and is then thrown away.
    let gone = async {
        while !files(folder.path()).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone).await.unwrap();
}

#[tokio::test]
async fn what_a_dead_process_left_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(folder.path()));
    std::fs::write(folder.path().join("tmp/half"), b"half an upl").unwrap();
    store(folder.path());
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_mended_by_a_new_upload() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = store(folder.path());
    let bytes = vec![7; 10_000];
    let hash = blobs.put_bytes(&bytes).await.unwrap().hash;
    let path = files(folder.path()).pop().unwrap();
    let mut spoilt = bytes.clone();
    spoilt[5_000] ^= 4;
    std::fs::write(&path, &spoilt).unwrap();
    assert!(matches!(blobs.read(hash).await, Err(FilesError::DamagedBlob { .. })));
    assert!(matches!(blobs.verify(hash).await, Err(FilesError::DamagedBlob { .. })));
    blobs.put_bytes(&bytes).await.unwrap();
    assert_eq!(blobs.read(hash).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_sweep_spares_what_is_reachable_or_young() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = store(folder.path());
    let mut hashes = Vec::new();
    for text in ["kept", "old", "asked for"] {
        hashes.push(blobs.put_bytes(text).await.unwrap().hash);
    }
    let keep: BTreeSet<_> = [hashes[0]].into();
    let hour = Duration::from_hours(1);
    assert_eq!(blobs.sweep(keep.clone(), hour).await.unwrap().removed, 0);
    let long_ago = std::time::SystemTime::now() - 2 * hour;
    for path in files(folder.path()) {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    // Somebody was told that it need not be sent again.
    assert!(blobs.has(hashes[2]).await.unwrap());
    let swept = blobs.sweep(keep, hour).await.unwrap();
    assert_eq!((swept.kept, swept.removed, swept.bytes), (2, 1, 3));
    assert_eq!(blobs.missing(hashes.clone()).await.unwrap(), [hashes[1]]);
}

#[tokio::test]
async fn many_uploads_of_the_same_bytes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = store(folder.path());
    let bytes = vec![3; 100_000];
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (blobs, bytes) = (blobs.clone(), bytes.clone());
            tokio::spawn(async move { blobs.put_bytes(bytes).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(files(folder.path()).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn an_upload_cut_at_any_byte_leaves_nothing(cut in 0_usize..700_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![9; 700_000];
        let options = BlobOptions { durable: false, ..BlobOptions::default() };
        let error = runtime.block_on(async {
            let claim = Claim { hash: Some(BlobHash::of(&bytes)), size: Some(700_000) };
            let blobs = BlobStore::open(folder.path(), options).unwrap();
            blobs.put(claim, Broken { left: &bytes[..cut], hangs: false }).await.unwrap_err()
        });
        prop_assert!(matches!(error, FilesError::CutOff { .. }), "{}", error);
        prop_assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
}
