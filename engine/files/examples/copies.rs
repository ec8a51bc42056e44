//! What files cost here: blobs stored a second, and working copies of 50 small files.
//!
//! `cargo run -p headend-files --example copies [folder]`
#![allow(clippy::unwrap_used, reason = "an example stops at the first fault")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headend_files::{
    Access, BlobHash, BlobOptions, BlobStore, BlobStream, Fetch, FileEntry, SnapshotId, Tree, WorkingCopies,
};
use headend_model::TreePath;

struct FromStore(BlobStore);

impl Fetch for FromStore {
    fn fetch(&self, hash: BlobHash) -> Pin<Box<dyn Future<Output = std::io::Result<BlobStream>> + Send + '_>> {
        Box::pin(async move {
            let (file, _) = self.0.stream(hash).await.map_err(std::io::Error::other)?;
            Ok(Box::new(file) as BlobStream)
        })
    }
}

async fn puts(blobs: &BlobStore, tasks: u64, each: u64) {
    let since = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let blobs = blobs.clone();
            tokio::spawn(async move {
                for n in 0..each {
                    blobs.put_bytes(format!("{task} {n} {}", "x".repeat(4_000))).await.unwrap();
                }
            })
        })
        .collect();
    let count = tasks.len() as u64;
    for task in tasks {
        task.await.unwrap();
    }
    println!("{count} uploaders: {:.0} blobs/s", (count * each) as f64 / since.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::args().nth(1).map_or_else(|| temporary.path().to_owned(), Into::into);
    let blobs = BlobStore::open(folder.join("blobs"), BlobOptions::default()).unwrap();
    puts(&blobs, 1, 500).await;
    puts(&blobs, 64, 50).await;

    let mut files = std::collections::BTreeMap::new();
    for n in 0..50 {
        let blob = blobs.put_bytes(format!("script {n} {}", "y".repeat(2_000))).await.unwrap();
        let path = TreePath::parse(&format!("samples/test{}/script{n}.py", n % 5)).unwrap();
        files.insert(path, FileEntry { hash: blob.hash, size: blob.size });
    }
    let public = blobs.put_bytes(Tree::from_files(files).unwrap().to_bytes()).await.unwrap().hash;
    let snapshot = SnapshotId { public, private: None };
    let copies = WorkingCopies::open(folder.join("rack"), 4, Arc::new(FromStore(blobs))).unwrap();

    let since = Instant::now();
    let first = copies.acquire(snapshot, Access::Own).await.unwrap();
    println!("first copy, 50 files fetched: {:?}", since.elapsed());
    let since = Instant::now();
    let second = copies.acquire(snapshot, Access::Own).await.unwrap();
    println!("second copy beside it: {:?}", since.elapsed());
    first.release().await.unwrap();
    second.release().await.unwrap();

    copies.acquire(snapshot, Access::Shared).await.unwrap();
    // Files count as settled a moment after they were written.
    tokio::time::sleep(Duration::from_millis(100)).await;
    copies.acquire(snapshot, Access::Own).await.unwrap().release().await.unwrap();
    for access in [Access::Own, Access::Shared] {
        let since = Instant::now();
        for _ in 0..1_000 {
            copies.acquire(snapshot, access).await.unwrap().release().await.unwrap();
        }
        println!("{access:?}: {:?} per run, taken and given back", since.elapsed() / 1_000);
    }
}
