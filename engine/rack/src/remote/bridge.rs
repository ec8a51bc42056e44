//! The person's end: the line to the rack, whoever works with it here.

use std::io;
use std::path::Path;
use std::time::Duration;

use headend_model::TreePath;
use headend_wire::relay::{Ended, FromPerson, PING_SECONDS, ToPerson};
use headend_wire::session::{Reply, SessionInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, mpsc};

use super::far::{Cut, Far};
use super::frames::{Input, Output};
use crate::local::LocalError;
use crate::python::Door;

/// How long the rack may take to hand over the files of a session that is over.
const LAST_FILES: Duration = Duration::from_mins(2);
/// How long the rack may take to say its first word.
const WELCOME: Duration = Duration::from_secs(30);
/// How long anybody may take to say why a session was ended from there.
const WHY: Duration = Duration::from_secs(3);
/// A script in a call hears of the end of its session before its socket closes.
const LINGER: Duration = Duration::from_secs(1);

/// How a session far away came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bridged {
    /// The script was done; in the rack's words.
    Over(String),
    /// It was ended from there while the script went on, or the line broke; for people.
    CutOff(String),
}

/// Serves a script's session over a stream to a rack until it is `over`. `out`: log and captures go there, as they come and at the end. `why`: asked
/// once if it is ended from there; who knows more than the rack says it. `tell`: called once with the socket's path and the token, when scripts may
/// connect.
///
/// # Errors
/// [`LocalError::SetUp`] when there is no room for the socket; [`LocalError::Line`] when the rack does not answer.
pub async fn bridge_session<S: AsyncRead + AsyncWrite + Send>(
    stream: S,
    out: &Path,
    why: impl Future<Output = Option<String>>,
    tell: impl FnOnce(&Path, &str),
    over: impl Future<Output = ()>,
) -> Result<Bridged, LocalError> {
    // Mode 0700: nobody else gets at the socket.
    let temp = tempfile::Builder::new().prefix("headend-session-").tempdir();
    let temp = temp.map_err(|source| LocalError::SetUp { folder: std::env::temp_dir(), source })?;
    let socket = temp.path().join("s");
    let door = Door::open(&socket).map_err(|source| LocalError::SetUp { folder: temp.path().to_owned(), source })?;
    let beside = std::env::current_dir().unwrap_or_default();
    let crossed = cross(stream, (out, &beside), why, async |far, mut cut| {
        let shared = Mutex::new(far);
        tell(&socket, &door.token);
        let cut_off = async {
            cut.off().await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::select! {
            () = door.serve(&shared) => {}
            () = over => {}
            () = cut_off => {}
        }
        ((), None)
    });
    crossed.await.map(|((), bridged)| bridged)
}

/// Opens a session over a stream to a rack, lets `work` do with it what it will, and takes leave. The work gives what comes of it, and how the
/// script ended, for the session's log. If the session is ended from there, its calls are refused and it has to come to its end.
///
/// # Errors
/// [`LocalError::Line`] when the rack does not answer.
pub(super) async fn cross<S: AsyncRead + AsyncWrite + Send, T>(
    stream: S,
    (out, beside): (&Path, &Path),
    why: impl Future<Output = Option<String>>,
    work: impl AsyncFnOnce(&mut Far<'_, S>, Cut) -> (T, Option<Ended>),
) -> Result<(T, Bridged), LocalError> {
    let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let (read, write) = tokio::io::split(stream);
    let (mut input, output) = (Input::new(Box::pin(read)), Mutex::new(Output::new(Box::pin(write))));
    let info = welcome(&mut input).await?;
    // One call at a time: more than one answer never waits.
    let (answered, replies) = mpsc::channel(1);
    let (cutting, cut) = Cut::new();
    let mut far = Far::new(info, (&out, beside), &output, (replies, cut.clone()));
    let carried = async {
        let mut listening = std::pin::pin!(listen(&mut input, answered, &out));
        let mut working = std::pin::pin!(work(&mut far, cut));
        let first = tokio::select! {
            ended = &mut listening => Err(ended),
            error = ping(&output) => Err(Err(error)),
            done = &mut working => Ok(done),
        };
        let (result, how) = match first {
            Ok(done) => done,
            Err(ended) => {
                let why = tokio::time::timeout(WHY, why).await.ok().flatten().unwrap_or_else(|| words(ended));
                cutting.send_replace(Some(why.clone()));
                let (result, _) = working.await;
                return (result, Bridged::CutOff(why));
            }
        };
        // Nobody reads answers any more.
        let done = output.lock().await.send(&FromPerson::Done { how }).await;
        if let Err(error) = done {
            return (result, Bridged::CutOff(words(Err(error))));
        }
        let bridged = match tokio::time::timeout(LAST_FILES, listening).await {
            Ok(Ok(how)) => Bridged::Over(how),
            Ok(Err(error)) => Bridged::CutOff(words(Err(error))),
            Err(_) => Bridged::CutOff("its last files did not come in time".to_owned()),
        };
        (result, bridged)
    };
    let carried = carried.await;
    far.home().settle().await;
    Ok(carried)
}

async fn welcome<R: AsyncRead + Unpin>(input: &mut Input<R>) -> Result<SessionInfo, LocalError> {
    let line = |kind: io::ErrorKind| LocalError::Line(kind.into());
    match tokio::time::timeout(WELCOME, input.next()).await {
        Ok(Ok(Some(ToPerson::Welcome(info)))) => Ok(info),
        Ok(Ok(_)) => Err(line(io::ErrorKind::UnexpectedEof)),
        Ok(Err(error)) => Err(LocalError::Line(error)),
        Err(_) => Err(line(io::ErrorKind::TimedOut)),
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

/// Says from time to time that somebody is there, until that cannot be said any more.
async fn ping<W: AsyncWrite + Unpin>(output: &Mutex<Output<W>>) -> io::Error {
    loop {
        tokio::time::sleep(Duration::from_secs(PING_SECONDS)).await;
        if let Err(error) = output.lock().await.send(&FromPerson::Ping {}).await {
            return error;
        }
    }
}
