//! The session far away, as hosts of scripts see it: their calls go over the line, and the pictures that they name before them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headend_model::{RunId, TestResult};
use headend_wire::relay::FromPerson;
use headend_wire::session::{Call, CallError, CalledFrom, Question, Reply, SessionInfo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::sync::{Mutex, mpsc, watch};

use super::frames::Output;
use super::home::Home;
use crate::screen::{named, stored};
use crate::session::capture::plain_name;
use crate::session::{Heard, Host, Places, Reported, Sources, Watcher, blocking, fitting};

/// How long a call that did not get through waits for the reason.
const TOLD: Duration = Duration::from_secs(15);

/// Code of calls that are refused because nobody may drive the slot for the script any more.
const LEASE_LOST: &str = "lease_lost";

/// How a call names a picture that the session has kept: no file of this machine.
const KEPT: &str = "frame:";

/// The way out.
pub(super) type Line<S> = Mutex<Output<Pin<Box<WriteHalf<S>>>>>;

/// Says that the session was ended from there, and why.
#[derive(Clone, Debug)]
pub(super) struct Cut(watch::Receiver<Option<String>>);

impl Cut {
    /// The side that says it, and the others.
    pub(super) fn new() -> (watch::Sender<Option<String>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Waits for it; never, if nobody can say it any more.
    pub(super) async fn off(&mut self) -> String {
        let why = self.0.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// Why, if it was.
    pub(super) fn why(&self) -> Option<String> {
        self.0.borrow().clone()
    }
}

/// A picture of the person's that the rack has: its name there, and what the file was like then.
struct Given {
    name: String,
    changed: Option<SystemTime>,
    bytes: u64,
}

/// The session far away.
pub(super) struct Far<'a, S> {
    /// With folders of this machine.
    info: SessionInfo,
    /// The output folder here and there.
    here: String,
    there: String,
    output: &'a Line<S>,
    replies: mpsc::Receiver<(u64, Reply)>,
    cut: Cut,
    calls: u64,
    given: BTreeMap<PathBuf, Given>,
    gifts: u64,
    /// Where pictures are that calls name.
    places: Places,
    sources: Sources,
    /// Hears what the script says.
    ear: Option<Arc<dyn Watcher>>,
    reported: Option<Reported>,
    refused: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + Send> Far<'a, S> {
    /// For a script of somebody else, who works in this folder.
    pub(super) fn new(
        info: SessionInfo,
        (out, beside): (&Path, &Path),
        output: &'a Line<S>,
        (replies, cut): (mpsc::Receiver<(u64, Reply)>, Cut),
    ) -> Self {
        let (here, there) = (out.display().to_string(), info.out.clone());
        let mut sources = Sources::default();
        sources.begin();
        Self {
            info: SessionInfo { out: here.clone(), script: String::new(), ..info },
            here,
            there,
            output,
            replies,
            cut,
            calls: 0,
            given: BTreeMap::new(),
            gifts: 0,
            places: Places::by_hand(beside),
            sources,
            ear: None,
            reported: None,
            refused: false,
        }
    }

    /// For this script, which is hosted here.
    pub(super) fn of_script(&mut self, script: &Path, args: &[String], ear: Arc<dyn Watcher>) {
        self.info.script = script.display().to_string();
        self.info.args = args.to_vec();
        self.ear = Some(ear);
    }

    /// What is left to do here when the session is over and its files have come.
    pub(super) fn home(self) -> Home {
        Home { info: self.info, there: self.there, sources: self.sources }
    }

    /// The result that counts.
    pub(super) fn reported(&self) -> Option<&Reported> {
        self.reported.as_ref()
    }

    /// A call did not get through because the session is over. A script that breaks at that is not broken.
    pub(super) fn was_refused(&self) -> bool {
        self.refused
    }

    async fn ask(&mut self, mut call: Call, source: CalledFrom) -> Result<Reply, CallError> {
        if let Some(why) = self.cut.why() {
            return Err(self.over(why).await);
        }
        let files = (self.places.clone(), PathBuf::from(&self.here));
        if let Some(answer) = answered_here(&call, files).await? {
            return Ok(Reply::Ok(answer));
        }
        call = looked_up(call, self.places.clone()).await?;
        if let Call::Artifact { path, .. } = &mut call {
            relocate_path(path, &self.here, &self.there);
        }
        for picture in pictures_of(&mut call) {
            self.give(picture).await?;
        }
        self.calls += 1;
        let id = self.calls;
        let sent = self.output.lock().await.send(&FromPerson::Call { id, source, call }).await;
        if let Err(error) = sent {
            return Err(self.lost(error).await);
        }
        loop {
            let answer = tokio::select! {
                answer = self.replies.recv() => answer,
                _ = self.cut.off() => None,
            };
            match answer {
                // The rack knows that it is over before it says why.
                Some((of, Reply::Error(error))) if of == id && error.code == LEASE_LOST => {
                    return Err(self.over(error.message).await);
                }
                Some((of, reply)) if of == id => return Ok(self.relocated(reply)),
                Some(_) => {}
                None => return Err(self.lost(io::ErrorKind::UnexpectedEof.into()).await),
            }
        }
    }

    /// A picture that a call names is sent before the call, once, and named as the rack knows it.
    async fn give(&mut self, picture: &mut String) -> Result<(), CallError> {
        let (places, name) = (self.places.clone(), picture.clone());
        let path = blocking(move || places.path(&name)).await?;
        // Of one that is not there its name alone is known: reading it says what is wrong.
        let meta = tokio::fs::metadata(&path).await;
        let (changed, bytes) = meta.map_or((None, 0), |meta| (meta.modified().ok(), meta.len()));
        let known = self.given.get(&path).filter(|given| given.changed == changed && given.bytes == bytes);
        if let Some(given) = known {
            *picture = format!("given/{}", given.name);
            return Ok(());
        }
        // Nothing but pictures leaves this machine, whatever a script names.
        let (places, name) = (self.places.clone(), picture.clone());
        blocking(move || places.read(&name).map(drop)).await??;
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_plain = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // A picture that has changed is another: none of the former names is used again.
        self.gifts += 1;
        let name = format!("{}.{}", self.gifts, if is_plain { kind.as_str() } else { "png" });
        self.send_picture(&path, &name).await?;
        *picture = format!("given/{name}");
        self.given.insert(path, Given { name, changed, bytes });
        Ok(())
    }

    async fn send_picture(&mut self, path: &Path, name: &str) -> Result<(), CallError> {
        let head = |bytes| FromPerson::File { name: name.to_owned(), bytes };
        let (sent, torn) = {
            let mut output = self.output.lock().await;
            let sent = output.send_file(path, head).await;
            (sent, output.is_torn())
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) if torn => Err(self.lost(error).await),
            Err(error) => Err(bad_call(format!("cannot send the picture {}: {error}", path.display()))),
        }
    }

    /// What a call is told that did not get through.
    async fn lost(&mut self, error: io::Error) -> CallError {
        if error.kind() == io::ErrorKind::InvalidData {
            return bad_call(format!("the call cannot be sent: {error}"));
        }
        self.over(format!("the line is broken ({error})")).await
    }

    /// What a call is told when there is no session any more: why, or what else is known of it.
    async fn over(&mut self, known: String) -> CallError {
        self.refused = true;
        let why = tokio::time::timeout(TOLD, self.cut.off()).await.unwrap_or(known);
        CallError { code: LEASE_LOST.to_owned(), message: format!("the session is over: {why}") }
    }

    /// Files are where they were put here.
    fn relocated(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Ok(mut value) => {
                relocate(&mut value, &self.there, &self.here);
                Reply::Ok(value)
            }
            Reply::Error(error) => {
                let message = error.message.replace(&self.there, &self.here);
                Reply::Error(CallError { message, ..error })
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send> Host for Far<'_, S> {
    fn info(&self) -> SessionInfo {
        self.info.clone()
    }

    fn set_script(&mut self, script: &Path) {
        if self.info.script.is_empty() && script.is_absolute() {
            self.info.script = script.display().to_string();
        }
    }

    async fn call(&mut self, call: Call, source: CalledFrom) -> Reply {
        let source = self.sources.note(source);
        let heard = self.ear.as_ref().and_then(|_| Heard::of(&call));
        let (result, talks) = (result_of(&call), is_talk(&call));
        let reply = match self.ask(call, source).await {
            // Nobody keeps it any more, and the person hears it all the same.
            Err(error) if talks && error.code == LEASE_LOST => Reply::Ok(Value::Null),
            Ok(Reply::Ok(answer)) => fitting(answer).map_or_else(Reply::Error, Reply::Ok),
            answered => answered.unwrap_or_else(Reply::Error),
        };
        if let Reply::Ok(answer) = &reply {
            if let Some((heard, ear)) = heard.zip(self.ear.as_deref()) {
                heard.tell(answer, RunId(0), ear);
            }
            if *answer == Value::Bool(true) && self.reported.is_none() {
                self.reported = result;
            }
        }
        reply
    }
}

/// Screens and what tests share are files of this machine; `None`: the call is for the rack. `out`: the output folder.
async fn answered_here(call: &Call, (places, out): (Places, PathBuf)) -> Result<Option<Value>, CallError> {
    if !matches!(call, Call::Screens { .. } | Call::Named { .. } | Call::SaveScreen { .. }) {
        return Ok(None);
    }
    let call = call.clone();
    let answer = blocking(move || match call {
        Call::Screens { file } => stored::load(&places, &file).map(|screens| serde_json::to_value(screens).ok()),
        Call::Named { kind, name, slot } => named::find(&places, kind, &name, slot).map(Some),
        Call::SaveScreen { screen, name } => {
            let name = plain_name(&name).ok_or_else(|| format!("{name:?} is no name for the file of a screen"))?;
            stored::save(&places, &out, &name, screen).map(|path| Some(path.display().to_string().into()))
        }
        _ => Ok(None),
    });
    answer.await?.map_err(bad_call)
}

/// What a screen names is put into it: the rack does not have it.
async fn looked_up(mut call: Call, places: Places) -> Result<Call, CallError> {
    if !matches!(call, Call::WaitScreen { .. } | Call::MatchScreen { .. }) {
        return Ok(call);
    }
    let found = blocking(move || {
        if let Call::WaitScreen { screen, .. } | Call::MatchScreen { screen, .. } = &mut call {
            stored::look_up(&places, screen)?;
        }
        Ok(call)
    });
    found.await?.map_err(bad_call)
}

/// What a call reports, if it does and the rack takes it.
fn result_of(call: &Call) -> Option<Reported> {
    let Call::Result { code, comment } = call else { return None };
    let result = TestResult::from_code(*code)?;
    Some(Reported { result, comment: comment.clone().unwrap_or_default() })
}

/// It says something, and wants nothing of a device.
const fn is_talk(call: &Call) -> bool {
    matches!(
        call,
        Call::Log { .. }
            | Call::Console { .. }
            | Call::BeginRegion { .. }
            | Call::EndRegion { .. }
            | Call::BeginStep { .. }
            | Call::EndStep { .. }
    )
}

fn bad_call(message: String) -> CallError {
    CallError { code: "bad_call".to_owned(), message }
}

fn pictures_of(call: &mut Call) -> Vec<&mut String> {
    fn references(question: &mut Question) -> impl Iterator<Item = &mut String> {
        question.references.iter_mut().map(|file| &mut file.path)
    }
    match call {
        Call::Analyse { question, picture } => {
            // Pictures that the session has kept are named as they are there.
            let file = (!picture.starts_with(KEPT)).then_some(picture);
            references(question).chain(file).collect()
        }
        Call::Watch { question, .. } | Call::Arm { question, .. } => references(question).collect(),
        Call::WaitScreen { screen, .. } => stored::images_of(screen),
        Call::MatchScreen { screen, picture } => {
            let file = (!picture.starts_with(KEPT)).then_some(picture);
            stored::images_of(screen).into_iter().chain(file).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn relocate(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => relocate_path(text, from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, from, to)),
        Value::Object(fields) => fields.values_mut().for_each(|item| relocate(item, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn relocate_path(text: &mut String, from: &str, to: &str) {
    if let Some(rest) = text.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        *text = format!("{to}{rest}");
    }
}
