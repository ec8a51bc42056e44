//! Many small blobs in one body (`engine/design/0012`): what HTTP adds to [`PackReader`].

use std::time::Duration;

use bytes::Bytes;
use headend_files::{Digest, MAX_PACK_BYTES, PackError, PackReader};
use headend_wire::codes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tokio::io::AsyncRead;

use crate::http::{ApiError, ApiResult};

/// Most bytes of a pack.
pub(super) const BYTES: u64 = MAX_PACK_BYTES;
/// Longest time for a whole pack: others wait for the memory that it takes.
const PATIENCE: Duration = Duration::from_mins(2);
const MEDIA: &str = "application/x-headend-pack";

/// One blob with what its sender calls it.
pub(super) type Record = (Digest, Bytes);

/// A page of another site can send forms without being asked; packs it cannot.
pub(super) fn require_media(headers: &HeaderMap) -> ApiResult<()> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(MEDIA) {
        return Ok(());
    }
    let given: String = media.chars().take(60).collect();
    Err(ApiError::new(&codes::MEDIA_TYPE, format!("Content-Type is {given:?}; send {MEDIA}")))
}

/// The records as far as they are whole, and what is wrong after them.
pub(super) async fn read(body: impl AsyncRead + Unpin) -> (Vec<Record>, Option<ApiError>) {
    let mut pack = PackReader::new(body);
    let mut records = Vec::new();
    let read_all = async {
        while let Some(record) = pack.next().await.map_err(|error| refusal(&error))? {
            records.push(record);
        }
        Ok(())
    };
    let slow =
        || ApiError::new(&codes::TOO_SLOW, format!("the pack was not there after {PATIENCE:?}; send smaller ones"));
    let done = tokio::time::timeout(PATIENCE, read_all).await.unwrap_or_else(|_| Err(slow()));
    (records, done.err())
}

fn refusal(error: &PackError) -> ApiError {
    let code = match error {
        PackError::TooLarge | PackError::TooMany => &codes::TOO_LARGE,
        slow if slow.is_timeout() => &codes::TOO_SLOW,
        PackError::NoRecord { .. } | PackError::Short { .. } | PackError::CutOff { .. } => &codes::BAD_REQUEST,
    };
    ApiError::new(code, error.to_string())
}
