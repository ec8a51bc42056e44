//! The rack's end: a lease, a session on its devices, and the stream over which somebody drives them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headend_model::TreePath;
use headend_scheduler::fence::StopReason;
use headend_wire::rack::SessionOrder;
use headend_wire::relay::{self, FromPerson, MAX_FILE_BYTES, ToPerson};
use headend_wire::session::{Reply, SessionInfo};
use reqwest::Upgraded;
use serde_json::Value;
use tokio::io::{ReadHalf, WriteHalf};

use super::frames::{Input, Output};
use crate::core::{Shared, chain};
use crate::link::Client;
use crate::record::playable;
use crate::run::{Ended, Stop};
use crate::session::ends::{HowEnded, outcome};
use crate::session::{Session, SessionSetup};

/// How long the server may take to join us with the person.
const JOIN: Duration = Duration::from_secs(10);
/// How long the files of a session may take on their way; its device is free meanwhile.
const FAREWELL: Duration = Duration::from_mins(2);
/// Where pictures of the person lie, below the session's folder.
const GIVEN: &str = "given";

/// What is left to do when the device is free already: the person gets the files of the session.
pub(crate) struct Farewell {
    line: Option<Line>,
    out: PathBuf,
    how: String,
}

/// The stream, and what went over it.
struct Line {
    input: Input<ReadHalf<Upgraded>>,
    output: Output<WriteHalf<Upgraded>>,
    out: PathBuf,
    /// Files that the person has.
    sent: BTreeSet<PathBuf>,
    /// Bytes of the person's pictures.
    taken: u64,
}

/// What came of a call.
enum Answered {
    /// This.
    Reply(Reply),
    /// The person is done.
    Done(Option<relay::Ended>),
}

/// Serves a session until the person is done, the stream breaks or it is to stop. Drives the device only between the two
/// lines of the witness.
pub(crate) async fn execute(
    shared: &Shared,
    client: &Client,
    order: &SessionOrder,
    mut stop: Stop,
) -> (Ended, Farewell) {
    let nos = order.lease.targets.iter().filter_map(|target| shared.place(target.slot)).map(|place| place.no.0);
    // Its tools are not taken away before the session is closed.
    let using = shared.users.enter(nos);
    shared.witness.lease(&order.lease, "drive_begin");
    let out = shared.folder.sessions().join(format!("{}-{}", order.lease.run, order.lease.attempt));
    let mut session = Session::new(setup(shared, order, &out));
    // Pictures that a call names lie beside the script, wherever the person's own is.
    session.set_files(&out.join("script"), None);
    let mut line = None;
    let how = tokio::select! {
        biased;
        how = stop.asked() => how,
        how = serve(client, order, &mut session, &mut line, &out) => how,
    };
    let outcome = outcome(session.reported(), &how);
    session.close().await;
    session.finish(&outcome.to_string());
    drop(session);
    shared.witness.lease(&order.lease, "drive_end");
    drop(using);
    let farewell = Farewell { line, out, how: outcome.to_string() };
    // Its files are the person's, not a run's.
    (Ended { outcome, unkillable: false, evidence: None }, farewell)
}

async fn serve(
    client: &Client,
    order: &SessionOrder,
    session: &mut Session,
    line: &mut Option<Line>,
    out: &Path,
) -> HowEnded {
    let joined = tokio::time::timeout(JOIN, client.session(order.lease.run.0)).await;
    let stream = match joined {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return HowEnded::CannotStart(format!("nobody to drive the slot: {}", chain(&error))),
        Err(_) => return HowEnded::CannotStart("nobody came to drive the slot".to_owned()),
    };
    let (read, write) = tokio::io::split(stream);
    let (input, output) = (Input::new(read), Output::new(write));
    let line = line.insert(Line { input, output, out: out.to_owned(), sent: BTreeSet::new(), taken: 0 });
    match line.talk(session).await {
        Ok(Some(relay::Ended::Script(end))) => HowEnded::Script(end),
        Ok(Some(relay::Ended::Stopped)) => HowEnded::Stopped(StopReason::Asked),
        Ok(None) => HowEnded::Process { how: "the script came to its end without one".to_owned(), clean: true },
        Err(error) => HowEnded::Process { how: format!("the person is gone ({error})"), clean: false },
    }
}

impl Line {
    /// Until the person is done; how the script ended, if that is told.
    async fn talk(&mut self, session: &mut Session) -> io::Result<Option<relay::Ended>> {
        self.output.send(&ToPerson::Welcome(session.info().clone())).await?;
        while let Some(message) = self.input.next().await? {
            match message {
                FromPerson::Call { id, source, call } => {
                    let reply = match self.answered(session.call_from(call, source)).await? {
                        Answered::Reply(reply) => reply,
                        Answered::Done(how) => return Ok(how),
                    };
                    self.send_named(&reply).await?;
                    self.output.send(&ToPerson::Reply { id, reply }).await?;
                }
                FromPerson::File { name, bytes } => self.take(&name, bytes).await?,
                FromPerson::Ping {} => {}
                FromPerson::Done { how } => return Ok(how),
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// The answer, unless the person is done before it is there: a script may be stopped while it waits for an hour.
    async fn answered(&mut self, call: impl Future<Output = Reply>) -> io::Result<Answered> {
        let mut call = std::pin::pin!(call);
        loop {
            let message = tokio::select! {
                biased;
                reply = &mut call => return Ok(Answered::Reply(reply)),
                message = self.input.next() => message?,
            };
            match message {
                Some(FromPerson::Ping {}) => {}
                Some(FromPerson::Done { how }) => return Ok(Answered::Done(how)),
                Some(FromPerson::Call { .. } | FromPerson::File { .. }) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "it spoke before it was answered"));
                }
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// A picture for later calls.
    async fn take(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let plain = TreePath::parse(name).is_ok() && !name.contains('/');
        self.taken = self.taken.saturating_add(bytes);
        if !plain || self.taken > MAX_FILE_BYTES {
            let text = format!("the file {name:?} is not taken; at most {MAX_FILE_BYTES} bytes are, under plain names");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.input.file(bytes, &self.out.join(GIVEN).join(name)).await
    }

    /// Files that an answer names are there when it is.
    async fn send_named(&mut self, reply: &Reply) -> io::Result<()> {
        let Reply::Ok(value) = reply else { return Ok(()) };
        let mut named = Vec::new();
        paths_in(value, &self.out, &mut named);
        for path in named {
            // One that is still being written comes at the end.
            if path.extension().is_some_and(|kind| kind != "avi") && path.is_file() {
                self.send_file(&path).await?;
            }
        }
        Ok(())
    }

    async fn send_file(&mut self, path: &Path) -> io::Result<()> {
        let Ok(below) = path.strip_prefix(&self.out) else { return Ok(()) };
        if self.sent.contains(path) || below.starts_with(GIVEN) {
            return Ok(());
        }
        let name = below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        self.output.send_file(path, |bytes| ToPerson::File { path: name, bytes }).await?;
        self.sent.insert(path.to_owned());
        Ok(())
    }
}

impl Farewell {
    /// Hands over what is left, and forgets the session.
    pub(crate) async fn say(mut self) {
        playable::make_for_a_person(&self.out).await;
        if let Some(line) = self.line.as_mut().filter(|line| !line.output.is_torn()) {
            let told = tokio::time::timeout(FAREWELL, tell(line, &self.out, self.how)).await;
            if !matches!(told, Ok(Ok(()))) {
                tracing::debug!(folder = %self.out.display(), "files of a session were not taken");
            }
        }
        match tokio::fs::remove_dir_all(&self.out).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, folder = %self.out.display(), "files of a session cannot be removed");
            }
            _ => {}
        }
    }
}

async fn tell(line: &mut Line, out: &Path, how: String) -> io::Result<()> {
    let folder = out.to_owned();
    let files = tokio::task::spawn_blocking(move || files_below(&folder)).await.map_err(io::Error::other)?;
    for file in files {
        line.send_file(&file).await?;
    }
    line.output.send(&ToPerson::Over { how }).await
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    files.sort();
    files
}

/// All texts of an answer that lead into a folder.
fn paths_in(value: &Value, folder: &Path, found: &mut Vec<PathBuf>) {
    match value {
        Value::String(text) if Path::new(text).starts_with(folder) => found.push(PathBuf::from(text)),
        Value::Array(items) => items.iter().for_each(|item| paths_in(item, folder, found)),
        Value::Object(fields) => fields.values().for_each(|item| paths_in(item, folder, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn setup(shared: &Shared, order: &SessionOrder, out: &Path) -> SessionSetup {
    let lease = &order.lease;
    let places: Vec<_> = lease.targets.iter().filter_map(|target| shared.place(target.slot)).collect();
    SessionSetup {
        info: SessionInfo {
            job: 0,
            run: lease.run.0,
            attempt: lease.attempt,
            script: String::new(),
            args: Vec::new(),
            public: None,
            out: out.display().to_string(),
            rack: shared.options.name.clone(),
            port: 8001,
            slots: places.iter().map(|place| place.no.0).collect(),
            under_daemon: false,
        },
        lease: lease.clone(),
        drivers: places.into_iter().map(|place| place.driver).collect(),
        guard: Arc::new(shared.fence.clone()),
        witness: shared.witness.clone(),
        watcher: shared.outbox.clone(),
        analysers: shared.analysers.clone(),
        limits: shared.options.logs,
    }
}
