//! Many small blobs in one body: a row of records `DIGEST SPACE SIZE LF`, then SIZE bytes (`engine/design/0012`).

use std::time::Duration;

use bytes::Bytes;
use headend_files::Digest;
use headend_wire::codes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::http::{ApiError, ApiResult};

/// Most bytes of a pack, with all that is not content.
pub(super) const BYTES: u64 = 8 << 20;
/// Most records of one.
const RECORDS: usize = 1_000;
/// Longest first line of a record: a digest, a space, a number, a line feed.
const LINE: u64 = 96;
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
    let mut body = BufReader::new(body.take(BYTES + 1));
    let mut records = Vec::new();
    let read_all = async {
        while let Some(record) = next(&mut body, records.len()).await? {
            if records.len() == RECORDS {
                let detail = format!("a pack has at most {RECORDS} records; send the others in another one");
                return Err(ApiError::new(&codes::TOO_LARGE, detail));
            }
            records.push(record);
        }
        Ok(())
    };
    let slow =
        || ApiError::new(&codes::TOO_SLOW, format!("the pack was not there after {PATIENCE:?}; send smaller ones"));
    let done = tokio::time::timeout(PATIENCE, read_all).await.unwrap_or_else(|_| Err(slow()));
    let over = body.get_ref().limit() == 0;
    match done {
        Err(_) if over => (records, Some(too_large())),
        done => (records, done.err()),
    }
}

fn too_large() -> ApiError {
    ApiError::new(&codes::TOO_LARGE, format!("a pack has at most {BYTES} bytes; send the others in another one"))
}

async fn next(body: &mut (impl AsyncBufRead + Unpin), at: usize) -> ApiResult<Option<Record>> {
    let mut line = Vec::new();
    let read = body.take(LINE).read_until(b'\n', &mut line).await;
    read.map_err(|error| broken(at, &error))?;
    if line.is_empty() {
        return Ok(None);
    }
    let (digest, size) = header(&line, at)?;
    let mut bytes = Vec::new();
    let read = body.take(size).read_to_end(&mut bytes).await.map_err(|error| broken(at, &error))?;
    if read as u64 != size {
        let detail = format!("record {at} says {size} bytes, and {read} are there; send it again");
        return Err(ApiError::new(&codes::BAD_REQUEST, detail));
    }
    Ok(Some((digest, bytes.into())))
}

fn header(line: &[u8], at: usize) -> ApiResult<(Digest, u64)> {
    let bad = |what: &str| {
        ApiError::new(&codes::BAD_REQUEST, format!("record {at} {what}; write `DIGEST SIZE` and a line feed"))
    };
    let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
    let (digest, size) = text.and_then(|text| text.split_once(' ')).ok_or_else(|| bad("does not begin as one"))?;
    let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    let size: Option<u64> = size.parse().ok().filter(|_| digits);
    let size = size.ok_or_else(|| bad("has no size"))?;
    if size > BYTES {
        return Err(too_large());
    }
    Ok((digest.parse().map_err(|_| bad("has no digest"))?, size))
}

fn broken(at: usize, error: &std::io::Error) -> ApiError {
    match error.kind() {
        std::io::ErrorKind::TimedOut => {
            ApiError::new(&codes::TOO_SLOW, format!("the pack broke off in record {at}: {error}"))
        }
        _ => ApiError::new(&codes::BAD_REQUEST, format!("the pack broke off in record {at}; send it again")),
    }
}

#[cfg(test)]
mod tests {
    use headend_files::Sha256Hash;

    use super::*;

    fn record(bytes: &[u8]) -> Vec<u8> {
        let mut text = format!("{} {}\n", Digest::Sha256(Sha256Hash::of(bytes)), bytes.len()).into_bytes();
        text.extend_from_slice(bytes);
        text
    }

    async fn code(body: &[u8]) -> (usize, Option<String>) {
        let (records, fault) = read(body).await;
        (records.len(), fault.map(|fault| fault.problem().code.clone()))
    }

    #[tokio::test]
    async fn records_follow_each_other_with_nothing_between() {
        let two = [record(b"a\nb"), record(b"")].concat();
        let (records, fault) = read(two.as_slice()).await;
        assert!(fault.is_none());
        assert_eq!(records.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [3, 0]);
        assert_eq!(code(b"").await, (0, None));
        for cut in 1..record(b"a\nb").len() {
            assert_eq!(code(&two[..cut]).await, (0, Some("bad_request".to_owned())), "cut after {cut}");
        }
    }

    #[tokio::test]
    async fn what_is_no_pack_is_refused() {
        let digest = Digest::Sha256(Sha256Hash::of(b""));
        for bad in [
            "\n",
            " \n",
            "x 1\ny",
            &format!("{digest}\n"),
            &format!("{digest} \n"),
            &format!("{digest} +1\na"),
            &format!("{digest} -1\na"),
            &format!("{digest}  1\na"),
            &"a".repeat(10_000),
        ] {
            assert_eq!(code(bad.as_bytes()).await, (0, Some("bad_request".to_owned())), "{bad:.40}");
        }
        let large = format!("{digest} {}\n", BYTES + 1);
        assert_eq!(code(large.as_bytes()).await, (0, Some("too_large".to_owned())));
        let many: Vec<u8> = std::iter::repeat_n(record(b""), RECORDS + 1).flatten().collect();
        assert_eq!(code(&many).await, (RECORDS, Some("too_large".to_owned())));
        let mut long = record(&vec![7; BYTES as usize / 2]);
        long.extend(long.clone());
        assert_eq!(code(&long).await, (1, Some("too_large".to_owned())));
    }
}
