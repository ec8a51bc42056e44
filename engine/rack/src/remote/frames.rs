//! Lines and files on a stream, each bounded in size and in time.

use std::io;
use std::path::Path;
use std::time::Duration;

use headend_wire::relay::MAX_FILE_BYTES;
use headend_wire::session::MAX_LINE_BYTES;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Longest time in which the other side takes nothing, or gives nothing of a file.
const STALL: Duration = Duration::from_secs(30);
/// Bytes of a file that are moved at once.
const PIECE: usize = 64 << 10;

/// What comes in.
pub(super) struct Input<R> {
    stream: BufReader<R>,
    /// A line that has come in part.
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Input<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream: BufReader::new(stream), line: Vec::new() }
    }

    /// The next line; `None`: the other side has closed. Safe to drop while waiting: nothing is lost.
    ///
    /// # Errors
    /// A line that is too long or not understood: the two sides are released together.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let room = (MAX_LINE_BYTES + 1).saturating_sub(self.line.len());
        (&mut self.stream).take(room as u64).read_until(b'\n', &mut self.line).await?;
        let mut line = std::mem::take(&mut self.line);
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => serde_json::from_slice(&line).map(Some).map_err(io::Error::from),
            Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long, or breaks off")),
        }
    }

    /// The bytes of a file, into a new one.
    ///
    /// # Errors
    /// When it is too large, breaks off, or cannot be written.
    pub(super) async fn file(&mut self, bytes: u64, to: &Path) -> io::Result<()> {
        if bytes > MAX_FILE_BYTES {
            let text = format!("{} has {bytes} bytes; at most {MAX_FILE_BYTES} are taken", to.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if let Some(folder) = to.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let mut file = tokio::fs::File::create(to).await?;
        let mut left = bytes;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let count = in_time(self.stream.read(&mut piece[..most])).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_all(&piece[..count]).await?;
            left -= count as u64;
        }
        file.flush().await
    }
}

/// What goes out.
pub(super) struct Output<W> {
    stream: W,
    /// Something was begun and not finished: nothing that follows would be understood.
    torn: bool,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    pub(super) const fn new(stream: W) -> Self {
        Self { stream, torn: false }
    }

    pub(super) const fn is_torn(&self) -> bool {
        self.torn
    }

    /// A line.
    ///
    /// # Errors
    /// When the other side is gone or takes nothing.
    pub(super) async fn send<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        if line.len() >= MAX_LINE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than a line may be"));
        }
        line.push(b'\n');
        self.torn = true;
        in_time(self.stream.write_all(&line)).await?;
        in_time(self.stream.flush()).await?;
        self.torn = false;
        Ok(())
    }

    /// A file after the line that `head` makes of its size.
    ///
    /// # Errors
    /// As [`Output::send`], and when the file cannot be read.
    pub(super) async fn send_file<T: Serialize>(&mut self, path: &Path, head: impl FnOnce(u64) -> T) -> io::Result<()> {
        let file = tokio::fs::File::open(path).await?;
        let bytes = file.metadata().await?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is too large", path.display())));
        }
        self.send(&head(bytes)).await?;
        self.torn = true;
        let (mut left, mut file) = (bytes, file.take(bytes));
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let count = file.read(&mut piece).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            in_time(self.stream.write_all(&piece[..count])).await?;
            left -= count as u64;
        }
        in_time(self.stream.flush()).await?;
        self.torn = false;
        Ok(())
    }
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(STALL, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_is_waited_for_twice_is_whole() {
        let (mut near, far) = tokio::io::duplex(64);
        let mut input = Input::new(far);
        near.write_all(b"\"in two ").await.unwrap();
        // It waits for the rest, and is broken off.
        assert!(futures::poll!(std::pin::pin!(input.next::<String>())).is_pending());
        near.write_all(b"parts\"\n").await.unwrap();
        assert_eq!(input.next::<String>().await.unwrap().as_deref(), Some("in two parts"));
    }

    #[tokio::test]
    async fn lines_and_files_arrive_as_they_were_and_what_is_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("deep/to"));
        std::fs::write(&from, vec![7; 200_000]).unwrap();
        let (near, far) = tokio::io::duplex(1_000);
        let sender = tokio::spawn(async move {
            let mut output = Output::new(near);
            output.send_file(&from, |bytes| bytes).await.unwrap();
            output.send(&"after it").await.unwrap();
            assert!(output.send(&"x".repeat(MAX_LINE_BYTES)).await.is_err() && !output.is_torn());
            output.stream.write_all(&vec![b'x'; MAX_LINE_BYTES + 1]).await.unwrap();
        });
        let mut input = Input::new(far);
        let bytes: u64 = input.next().await.unwrap().unwrap();
        assert_eq!(bytes, 200_000);
        input.file(bytes, &to).await.unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), vec![7; 200_000]);
        assert_eq!(input.next::<String>().await.unwrap().as_deref(), Some("after it"));
        assert!(input.next::<String>().await.is_err());
        drop(input);
        sender.await.unwrap();
    }
}
