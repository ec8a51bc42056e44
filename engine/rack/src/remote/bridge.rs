//! The person's end: a socket like that of a session on boxes of one's own, and behind it a rack far away.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use headend_model::TreePath;
use headend_wire::relay::{FromPerson, PING_SECONDS, ToPerson};
use headend_wire::session::{Call, CallError, CalledFrom, Question, Reply, SessionInfo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::sync::{Mutex, mpsc};

use super::frames::{Input, Output};
use crate::local::LocalError;
use crate::python::{Door, Host};

/// How long the rack may take to hand over the files of a session that is over.
const LAST_FILES: Duration = Duration::from_mins(2);
/// How long the rack may take to say its first word.
const WELCOME: Duration = Duration::from_secs(30);

/// Where things go.
pub struct BridgeOptions {
    /// Log and captures, as they come and at the end.
    pub out: PathBuf,
}

/// How a session far away came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bridged {
    /// The script was done; in the rack's words.
    Over(String),
    /// It was ended from there while the script went on, or the line broke; for people.
    CutOff(String),
}

/// Serves a script's session over a stream to a rack until it is `over`. `tell`: called once with the socket's path and
/// the token, when scripts may connect.
///
/// # Errors
/// [`LocalError::SetUp`] when there is no room for the socket; [`LocalError::Line`] when the rack does not answer.
pub async fn bridge_session<S: AsyncRead + AsyncWrite + Send>(
    stream: S,
    options: BridgeOptions,
    tell: impl FnOnce(&Path, &str),
    over: impl Future<Output = ()>,
) -> Result<Bridged, LocalError> {
    let out = std::path::absolute(&options.out).unwrap_or(options.out);
    let (read, write) = tokio::io::split(stream);
    let (mut input, output) = (Input::new(Box::pin(read)), Mutex::new(Output::new(Box::pin(write))));
    let first = tokio::time::timeout(WELCOME, input.next()).await;
    let info = match first {
        Ok(Ok(Some(ToPerson::Welcome(info)))) => info,
        Ok(Ok(_)) => return Err(LocalError::Line(io::ErrorKind::UnexpectedEof.into())),
        Ok(Err(error)) => return Err(LocalError::Line(error)),
        Err(_) => return Err(LocalError::Line(io::ErrorKind::TimedOut.into())),
    };
    // Mode 0700: nobody else gets at the socket.
    let temp = tempfile::Builder::new().prefix("headend-session-").tempdir();
    let temp = temp.map_err(|source| LocalError::SetUp { folder: std::env::temp_dir(), source })?;
    let socket = temp.path().join("s");
    let door = Door::open(&socket).map_err(|source| LocalError::SetUp { folder: temp.path().to_owned(), source })?;
    // One call at a time: more than one answer never waits.
    let (answered, replies) = mpsc::channel(1);
    let mut far = Far::new(info, &out, &output, replies);
    let mut listening = std::pin::pin!(listen(&mut input, answered, &out));
    let shared = Mutex::new(&mut far);
    tell(&socket, &door.token);
    tokio::select! {
        ended = &mut listening => return Ok(Bridged::CutOff(words(ended))),
        () = door.serve(&shared) => {}
        () = ping(&output) => {}
        () = over => {}
    }
    // Nobody reads answers any more.
    let done = output.lock().await.send(&FromPerson::Done {}).await;
    if let Err(error) = done {
        return Ok(Bridged::CutOff(words(Err(error))));
    }
    match tokio::time::timeout(LAST_FILES, listening).await {
        Ok(Ok(how)) => Ok(Bridged::Over(how)),
        Ok(Err(error)) => Ok(Bridged::CutOff(words(Err(error)))),
        Err(_) => Ok(Bridged::CutOff("its last files did not come in time".to_owned())),
    }
}

fn words(ended: io::Result<String>) -> String {
    match ended {
        Ok(how) => how,
        Err(error) => format!("the line is broken ({error})"),
    }
}

/// What the rack says, until it is over: answers go to whoever waits, files where they belong.
async fn listen<R: AsyncRead + Unpin>(
    input: &mut Input<R>,
    answered: mpsc::Sender<(u64, Reply)>,
    out: &Path,
) -> io::Result<String> {
    while let Some(message) = input.next().await? {
        match message {
            // A call that nobody waits for any more has an answer that nobody wants.
            ToPerson::Reply { id, reply } => drop(answered.try_send((id, reply))),
            ToPerson::File { path, bytes } => {
                let path = TreePath::parse(&path).map_err(io::Error::other)?;
                input.file(bytes, &out.join(path.as_str())).await?;
            }
            ToPerson::Over { how } => return Ok(how),
            ToPerson::Welcome(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Says from time to time that somebody is there; returns when that cannot be said any more.
async fn ping<W: AsyncWrite + Unpin>(output: &Mutex<Output<W>>) {
    loop {
        tokio::time::sleep(Duration::from_secs(PING_SECONDS)).await;
        if output.lock().await.send(&FromPerson::Ping {}).await.is_err() {
            return;
        }
    }
}

/// A picture of the person's that the rack has: its name there, and what the file was like then.
struct Given {
    name: String,
    changed: Option<SystemTime>,
    bytes: u64,
}

type Line<S> = Mutex<Output<std::pin::Pin<Box<WriteHalf<S>>>>>;

/// The session far away.
struct Far<'a, S> {
    /// With folders of this machine.
    info: SessionInfo,
    /// The output folder here and there.
    here: String,
    there: String,
    output: &'a Line<S>,
    replies: mpsc::Receiver<(u64, Reply)>,
    calls: u64,
    given: BTreeMap<PathBuf, Given>,
}

impl<'a, S: AsyncRead + AsyncWrite + Send> Far<'a, S> {
    fn new(info: SessionInfo, out: &Path, output: &'a Line<S>, replies: mpsc::Receiver<(u64, Reply)>) -> Self {
        let (here, there) = (out.display().to_string(), info.out.clone());
        let info = SessionInfo { out: here.clone(), script: String::new(), ..info };
        Self { info, here, there, output, replies, calls: 0, given: BTreeMap::new() }
    }

    async fn ask(&mut self, mut call: Call, source: CalledFrom) -> io::Result<Reply> {
        for picture in pictures_of(&mut call) {
            self.give(picture).await?;
        }
        self.calls += 1;
        let id = self.calls;
        self.output.lock().await.send(&FromPerson::Call { id, source, call }).await?;
        while let Some((of, reply)) = self.replies.recv().await {
            if of == id {
                return Ok(self.relocated(reply));
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// A picture that a call names is sent before the call, once, and named as the rack knows it.
    async fn give(&mut self, picture: &mut String) -> io::Result<()> {
        let path = PathBuf::from(picture.as_str());
        let Ok(meta) = tokio::fs::metadata(&path).await else { return Ok(()) };
        if !meta.is_file() {
            return Ok(());
        }
        let (changed, bytes) = (meta.modified().ok(), meta.len());
        let known = self.given.get(&path).filter(|given| given.changed == changed && given.bytes == bytes);
        if let Some(given) = known {
            *picture = format!("given/{}", given.name);
            return Ok(());
        }
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or("png").to_ascii_lowercase();
        let name = format!("{}.{kind}", self.given.len() + 1);
        let head = |bytes| FromPerson::File { name: name.clone(), bytes };
        self.output.lock().await.send_file(&path, head).await?;
        *picture = format!("given/{name}");
        self.given.insert(path, Given { name, changed, bytes });
        Ok(())
    }

    /// Files are where they were put here.
    fn relocated(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Ok(mut value) => {
                relocate(&mut value, &self.there, &self.here);
                Reply::Ok(value)
            }
            refused @ Reply::Error(_) => refused,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send> Host for Far<'_, S> {
    fn info(&self) -> SessionInfo {
        self.info.clone()
    }

    async fn call(&mut self, call: Call, source: CalledFrom) -> Reply {
        self.ask(call, source).await.unwrap_or_else(|error| {
            let message =
                format!("the session is over: the slot is not yours any more, or the line is broken ({error})");
            Reply::Error(CallError { code: "lease_lost".to_owned(), message })
        })
    }
}

fn pictures_of(call: &mut Call) -> Vec<&mut String> {
    fn references(question: &mut Question) -> impl Iterator<Item = &mut String> {
        question.references.iter_mut().map(|file| &mut file.path)
    }
    match call {
        Call::Analyse { question, picture } => references(question).chain([picture]).collect(),
        Call::Watch { question, .. } | Call::Arm { question, .. } => references(question).collect(),
        _ => Vec::new(),
    }
}

fn relocate(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                *text = format!("{to}{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, from, to)),
        Value::Object(fields) => fields.values_mut().for_each(|item| relocate(item, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
