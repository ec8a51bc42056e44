//! The socket to the supervisor: one JSON object per line, blocking.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use headend_wire::session::{Call, CalledFrom, MAX_LINE_BYTES, Reply, ToHost, ToScript};

/// The socket, and the number of the next call.
pub(super) struct Link {
    reader: BufReader<UnixStream>,
    line: Vec<u8>,
    next_call: u64,
}

/// Why a line could not be exchanged. The session is over then.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("the rack closed the session")]
    Closed,
    #[error("the session socket failed")]
    Io(#[from] io::Error),
    #[error("the rack sent a line of more than {MAX_LINE_BYTES} bytes")]
    LineTooLong,
    #[error("the rack said something else than was expected: {0}")]
    Unexpected(String),
}

/// What a message comes to when it is written down.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    #[error("the call takes {0} bytes on the wire; at most {MAX_LINE_BYTES} are allowed")]
    TooLong(usize),
    #[error("the call cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Link {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { reader: BufReader::with_capacity(16 << 10, stream), line: Vec::with_capacity(4 << 10), next_call: 1 }
    }

    /// Sends a call, which the caller has encoded with [`Link::encode_call`], and waits for its answer.
    pub(super) fn exchange(&mut self, encoded: &Encoded) -> Result<Reply, LinkError> {
        self.write(&encoded.line)?;
        match self.receive()? {
            ToScript::Reply { id, reply } if id == encoded.id => Ok(reply),
            other => Err(LinkError::Unexpected(format!("{other:?}"))),
        }
    }

    pub(super) fn encode_call(&mut self, call: Call, source: CalledFrom) -> Result<Encoded, EncodeError> {
        let id = self.next_call;
        self.next_call += 1;
        let line = encode(&ToHost::Call { id, source, call })?;
        Ok(Encoded { id, line })
    }

    pub(super) fn send(&mut self, message: &ToHost) -> Result<(), LinkError> {
        let line = encode(message).map_err(|error| LinkError::Io(io::Error::other(error)))?;
        self.write(&line)
    }

    /// Waits for the next line. `Closed` when the supervisor has hung up.
    pub(super) fn receive(&mut self) -> Result<ToScript, LinkError> {
        self.read_line()?;
        serde_json::from_slice(&self.line).map_err(|error| LinkError::Unexpected(error.to_string()))
    }

    fn write(&mut self, line: &[u8]) -> Result<(), LinkError> {
        match self.reader.get_mut().write_all(line) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(LinkError::Closed),
            Err(error) => Err(error.into()),
        }
    }

    fn read_line(&mut self) -> Result<(), LinkError> {
        self.line.clear();
        loop {
            let seen = match self.reader.fill_buf() {
                Ok([]) => return Err(LinkError::Closed),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(LinkError::Closed),
                Err(error) => return Err(error.into()),
            };
            let end = seen.iter().position(|&byte| byte == b'\n');
            let taken = end.unwrap_or(seen.len());
            if self.line.len() + taken > MAX_LINE_BYTES {
                return Err(LinkError::LineTooLong);
            }
            self.line.extend_from_slice(&seen[..taken]);
            self.reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

/// A call, ready to be sent.
pub(super) struct Encoded {
    id: u64,
    line: Vec<u8>,
}

/// One line of JSON with its line feed.
pub(super) fn encode(message: &ToHost) -> Result<Vec<u8>, EncodeError> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    if line.len() > MAX_LINE_BYTES {
        return Err(EncodeError::TooLong(line.len()));
    }
    Ok(line)
}
