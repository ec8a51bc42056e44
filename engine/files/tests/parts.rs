//! Uploads in parts: what has arrived stays, and nothing but the right bytes becomes a blob.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use headend_files::{
    BlobHash, BlobOptions, BlobStore, Digest, FilesError, MAX_UNFINISHED, PartKey, Parts, Progress, Sha256Hash,
};
use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};

/// Gives some bytes and then breaks.
struct Cut<'a>(&'a [u8]);

impl AsyncRead for Cut<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset)));
        }
        let (now, later) = self.0.split_at(self.0.len().min(buf.remaining()).min(7_000));
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

fn open(folder: &std::path::Path) -> (BlobStore, Parts) {
    let blobs = BlobStore::open(folder, BlobOptions { durable: false, limit: 1 << 20 }).unwrap();
    (blobs.clone(), Parts::open(blobs).unwrap())
}

fn key(bytes: &[u8]) -> PartKey {
    PartKey::new("ann", Digest::Sha256(Sha256Hash::of(bytes)), bytes.len() as u64)
}

fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 31 % 253) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cut_anywhere_it_goes_on_and_ends_with_the_bytes(
        size in 0_usize..400_000,
        cuts in proptest::collection::vec((0_usize..400_000, any::<bool>()), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (mut blobs, mut parts) = open(folder.path());
            let bytes = noise(size);
            let key = key(&bytes);
            for (cut, restart) in cuts {
                if restart {
                    (blobs, parts) = open(folder.path());
                }
                let at = parts.progress(&key).await.unwrap() as usize;
                let upto = at.max(cut.min(size));
                if upto == size {
                    continue;
                }
                // Announces all that is left, and breaks before.
                let part = Cut(&bytes[at..upto]);
                let error = parts.append(&key, at as u64, (size - at) as u64, part).await.unwrap_err();
                assert!(matches!(error, FilesError::CutOff { received, .. } if received == upto as u64), "{error}");
            }
            let at = parts.progress(&key).await.unwrap() as usize;
            let end = parts.append(&key, at as u64, (size - at) as u64, &bytes[at..]).await.unwrap();
            let Progress::Complete(stored) = end else { panic!("{end:?}") };
            assert_eq!(blobs.read(stored.blob.hash).await.unwrap(), bytes);
            assert_eq!(stored.sha256, Sha256Hash::of(&bytes));
            assert_eq!(parts.progress(&key).await.unwrap(), 0, "nothing is left of the parts");
        });
    }
}

#[tokio::test]
async fn wrong_bytes_drop_all_parts_and_wrong_places_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, parts) = open(folder.path());
    let bytes = noise(10_000);
    let key = key(&bytes);
    assert_eq!(parts.append(&key, 0, 4_000, &bytes[..4_000]).await.unwrap(), Progress::Partial(4_000));
    for offset in [0, 3_999, 4_001] {
        let error = parts.append(&key, offset, 10, &bytes[..10]).await.unwrap_err();
        assert!(matches!(error, FilesError::WrongOffset { received: 4_000, .. }), "{error}");
    }
    assert!(matches!(parts.append(&key, 4_000, 6_001, &bytes[..]).await, Err(FilesError::TooLarge { .. })));
    assert!(matches!(parts.append(&key, u64::MAX, 2, &bytes[..]).await, Err(FilesError::TooLarge { .. })));
    let wrong = vec![0; 6_000];
    assert!(matches!(parts.append(&key, 4_000, 6_000, wrong.as_slice()).await, Err(FilesError::WrongHash { .. })));
    assert_eq!(parts.progress(&key).await.unwrap(), 0);
    assert!(!blobs.has(BlobHash::of(&bytes)).await.unwrap());
    let huge = PartKey::new("ann", Digest::Blake3(BlobHash::of(b"")), (1 << 20) + 1);
    assert!(matches!(parts.append(&huge, 0, 0, &b""[..]).await, Err(FilesError::TooLarge { .. })));
    // The same bytes again, by either name.
    let again = PartKey::new("ann", Digest::Blake3(BlobHash::of(&bytes)), 10_000);
    assert!(matches!(parts.append(&again, 0, 10_000, bytes.as_slice()).await.unwrap(), Progress::Complete(_)));
}

#[tokio::test]
async fn one_request_at_a_time_and_senders_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let (_, parts) = open(folder.path());
    let bytes = noise(100_000);
    let key = key(&bytes);
    let (reader, mut writer) = tokio::io::duplex(1_000);
    let slow = tokio::spawn({
        let (parts, key) = (parts.clone(), key.clone());
        async move { parts.append(&key, 0, 100_000, reader).await }
    });
    tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes[..5_000]).await.unwrap();
    assert!(matches!(parts.append(&key, 0, 1, &bytes[..1]).await, Err(FilesError::UnderWay)));
    let bob = PartKey::new("bob", Digest::Sha256(Sha256Hash::of(&bytes)), 100_000);
    assert!(matches!(parts.append(&bob, 0, 100_000, bytes.as_slice()).await.unwrap(), Progress::Complete(_)));
    drop(writer);
    assert!(matches!(slow.await.unwrap(), Err(FilesError::CutOff { received: 5_000, .. })));
    assert_eq!(parts.progress(&key).await.unwrap(), 5_000);
}

#[tokio::test]
async fn unfinished_uploads_are_few_and_do_not_stay_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (_, parts) = open(folder.path());
    let of = |n: usize| PartKey::new("ann", Digest::Sha256(Sha256Hash::of(&n.to_le_bytes())), 100);
    for n in 0..MAX_UNFINISHED {
        parts.append(&of(n), 0, 1, &b"x"[..]).await.unwrap();
    }
    let error = parts.append(&of(99), 0, 1, &b"x"[..]).await.unwrap_err();
    assert!(matches!(error, FilesError::TooManyUploads { .. }), "{error}");
    parts.append(&of(0), 1, 1, &b"x"[..]).await.unwrap();
    assert_eq!(parts.sweep(Duration::from_hours(24)).await.unwrap(), 0);
    assert_eq!(parts.sweep(Duration::ZERO).await.unwrap(), MAX_UNFINISHED);
    assert_eq!(parts.progress(&of(0)).await.unwrap(), 0);
    parts.append(&of(99), 0, 1, &b"x"[..]).await.unwrap();
}

#[tokio::test]
async fn many_small_blobs_are_stored_up_to_the_first_bad_one() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, _) = open(folder.path());
    let record = |n: u32| {
        let bytes = Bytes::from(n.to_string());
        (Digest::Sha256(Sha256Hash::of(&bytes)), bytes)
    };
    let mut records: Vec<_> = (0..300).map(record).collect();
    let (stored, bad) = blobs.take_many(records.clone()).await.unwrap();
    assert_eq!((stored.len(), bad.is_none()), (300, true));
    assert_eq!(blobs.read(stored[299].blob.hash).await.unwrap(), b"299");
    records = (300..310).map(record).collect();
    records[4].1 = Bytes::from_static(b"other");
    let (stored, bad) = blobs.take_many(records).await.unwrap();
    assert!(matches!(bad, Some(FilesError::WrongHash { .. })));
    assert_eq!(stored.len(), 4);
    assert!(!blobs.has(BlobHash::of(b"305")).await.unwrap());
    assert_eq!(blobs.gone(vec![BlobHash::of(b"303"), BlobHash::of(b"305")]).await.unwrap(), [BlobHash::of(b"305")]);
}
