//! Many small blobs in one stream: a row of records `DIGEST SPACE SIZE LF`, then SIZE bytes (`engine/design/0012`).

use std::io::ErrorKind;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, Take};

use crate::digest::Digest;

/// Most bytes of a pack, with all that is not content.
pub const MAX_PACK_BYTES: u64 = 8 << 20;
/// Most records of one.
pub const MAX_PACK_RECORDS: usize = 1_000;
/// Longest first line of a record: a digest, a space, a number, a line feed.
const LINE: u64 = 96;

/// Why a pack was not read to its end. The records before that are whole.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum PackError {
    #[error("record {at} {what}; write `DIGEST SIZE` and a line feed")]
    NoRecord { at: usize, what: &'static str },
    #[error("record {at} says {size} bytes, and {there} are there; send it again")]
    Short { at: usize, size: u64, there: u64 },
    #[error("a pack has at most {MAX_PACK_BYTES} bytes; send the others in another one")]
    TooLarge,
    #[error("a pack has at most {MAX_PACK_RECORDS} records; send the others in another one")]
    TooMany,
    #[error("the pack broke off in record {at}: {source}; send it again")]
    CutOff { at: usize, source: std::io::Error },
}

impl PackError {
    /// The stream itself gave up waiting.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::CutOff { source, .. } if source.kind() == ErrorKind::TimedOut)
    }
}

/// Reads a pack record by record. Never takes more memory than [`MAX_PACK_BYTES`] for one.
#[derive(Debug)]
pub struct PackReader<R> {
    body: BufReader<Take<R>>,
    at: usize,
}

impl<R: AsyncRead + Unpin> PackReader<R> {
    /// A reader at the beginning of a pack.
    pub fn new(body: R) -> Self {
        Self { body: BufReader::new(body.take(MAX_PACK_BYTES + 1)), at: 0 }
    }

    /// The next record: what its sender calls it, and its bytes, which have not been looked at. `None`: that was all.
    ///
    /// # Errors
    /// [`PackError`]; nothing after it means anything.
    pub async fn next(&mut self) -> Result<Option<(Digest, Bytes)>, PackError> {
        let read = record(&mut self.body, self.at).await;
        match read {
            // Whatever else seems wrong: the pack goes on where nothing more is read.
            Err(_) if self.body.get_ref().limit() == 0 => Err(PackError::TooLarge),
            Ok(Some(_)) if self.at == MAX_PACK_RECORDS => Err(PackError::TooMany),
            Ok(Some(record)) => {
                self.at += 1;
                Ok(Some(record))
            }
            ended => ended,
        }
    }
}

async fn record(body: &mut (impl AsyncBufRead + Unpin), at: usize) -> Result<Option<(Digest, Bytes)>, PackError> {
    let cut_off = |source| PackError::CutOff { at, source };
    let mut line = Vec::new();
    body.take(LINE).read_until(b'\n', &mut line).await.map_err(cut_off)?;
    if line.is_empty() {
        return Ok(None);
    }
    let (digest, size) = header(&line, at)?;
    let mut bytes = Vec::new();
    let there = body.take(size).read_to_end(&mut bytes).await.map_err(cut_off)? as u64;
    if there != size {
        return Err(PackError::Short { at, size, there });
    }
    Ok(Some((digest, bytes.into())))
}

fn header(line: &[u8], at: usize) -> Result<(Digest, u64), PackError> {
    let bad = |what| PackError::NoRecord { at, what };
    let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
    let (digest, size) = text.and_then(|text| text.split_once(' ')).ok_or_else(|| bad("does not begin as one"))?;
    // One spelling for each number: no sign, no zeros in front.
    let size = size.parse().ok().filter(|number: &u64| number.to_string() == size).ok_or_else(|| bad("has no size"))?;
    if size > MAX_PACK_BYTES {
        return Err(PackError::TooLarge);
    }
    Ok((digest.parse().map_err(|_| bad("has no digest"))?, size))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Sha256Hash;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut text = format!("{} {}\n", Digest::Sha256(Sha256Hash::of(bytes)), bytes.len()).into_bytes();
        text.extend_from_slice(bytes);
        text
    }

    async fn read(body: &[u8]) -> (Vec<usize>, Option<PackError>) {
        let (mut pack, mut sizes) = (PackReader::new(body), Vec::new());
        loop {
            match pack.next().await {
                Ok(Some((_, bytes))) => sizes.push(bytes.len()),
                Ok(None) => return (sizes, None),
                Err(error) => return (sizes, Some(error)),
            }
        }
    }

    #[tokio::test]
    async fn records_follow_each_other_with_nothing_between() {
        let two = [packed(b"a\nb"), packed(b"")].concat();
        assert!(matches!(read(&two).await, (sizes, None) if sizes == [3, 0]));
        assert!(matches!(read(b"").await, (sizes, None) if sizes.is_empty()));
        for cut in 1..packed(b"a\nb").len() {
            let (sizes, fault) = read(&two[..cut]).await;
            let cut_short = matches!(fault, Some(PackError::NoRecord { at: 0, .. } | PackError::Short { at: 0, .. }));
            assert!(sizes.is_empty() && cut_short, "cut after {cut}: {fault:?}");
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
            &format!("{digest} 01\na"),
            &format!("{digest}  1\na"),
            &"a".repeat(10_000),
        ] {
            let (sizes, fault) = read(bad.as_bytes()).await;
            assert!(sizes.is_empty() && matches!(fault, Some(PackError::NoRecord { at: 0, .. })), "{bad:.40}");
        }
        let large = format!("{digest} {}\n", MAX_PACK_BYTES + 1);
        assert!(matches!(read(large.as_bytes()).await, (_, Some(PackError::TooLarge))));
        let many: Vec<u8> = std::iter::repeat_n(packed(b""), MAX_PACK_RECORDS + 1).flatten().collect();
        let (sizes, fault) = read(&many).await;
        assert!(sizes.len() == MAX_PACK_RECORDS && matches!(fault, Some(PackError::TooMany)), "{fault:?}");
        let mut long = packed(&vec![7; usize::try_from(MAX_PACK_BYTES).unwrap() / 2]);
        long.extend(long.clone());
        let (sizes, fault) = read(&long).await;
        assert!(sizes.len() == 1 && matches!(fault, Some(PackError::TooLarge)), "{fault:?}");
    }
}
