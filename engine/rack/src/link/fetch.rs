//! Blobs from the server, for working copies.

use std::future::Future;
use std::io;
use std::pin::Pin;

use futures::TryStreamExt;
use headend_files::{BlobHash, BlobStream, Fetch};
use tokio_util::io::StreamReader;

use super::Client;

/// Fetches from `GET /api/v1/blobs/{hash}`.
#[derive(Debug)]
pub(crate) struct ServerBlobs(pub(crate) Client);

impl Fetch for ServerBlobs {
    fn fetch(&self, hash: BlobHash) -> Pin<Box<dyn Future<Output = io::Result<BlobStream>> + Send + '_>> {
        Box::pin(async move {
            let answer = self.0.blob(&hash.to_string()).await.map_err(io::Error::other)?;
            let bytes = answer.bytes_stream().map_err(io::Error::other);
            Ok(Box::new(StreamReader::new(Box::pin(bytes))) as BlobStream)
        })
    }
}
