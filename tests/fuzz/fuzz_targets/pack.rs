//! Packs of small blobs: what was read is what was sent, however it arrives in pieces.
#![no_main]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use headend_files::{MAX_PACK_RECORDS, PackReader};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncReadExt};

fuzz_target!(|input: &[u8]| {
    // Two bytes say where the body is cut.
    let Some((cut, body)) = input.split_first_chunk::<2>() else { return };
    let (whole, ended) = at_once(read(body));
    let (first, second) = body.split_at(usize::from(u16::from_le_bytes(*cut)).min(body.len()));
    assert_eq!(at_once(read(first.chain(second))), (whole.clone(), ended), "in two pieces");
    assert!(body.starts_with(&whole), "records are what was sent");
    assert!(!ended || whole.len() == body.len(), "all of it was read");
    // Cut anywhere, it gives a part of the same records.
    assert!(whole.starts_with(&at_once(read(first)).0));
});

/// The records, written again; whether the pack had an end.
async fn read(body: impl AsyncRead + Unpin) -> (Vec<u8>, bool) {
    let (mut pack, mut written) = (PackReader::new(body), Vec::new());
    for _ in 0..=MAX_PACK_RECORDS {
        match pack.next().await {
            Ok(Some((digest, bytes))) => {
                written.extend_from_slice(format!("{digest} {}\n", bytes.len()).as_bytes());
                written.extend_from_slice(&bytes);
            }
            ended => return (written, ended.is_ok()),
        }
    }
    panic!("more records than a pack may have");
}

/// Bytes in memory never make anybody wait.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits for what is there"),
    }
}
