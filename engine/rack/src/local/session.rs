//! A session for a script that somebody else has started, such as `python script.py` at a prompt: the same devices and the same calls as
//! [`run_script`](super::run_script), without a host. Whoever knows the socket's path and the token may connect.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::devices::Devices;
use super::{LocalError, LocalReport, setup};
use crate::options::{GuestProgram, SlotDriver};
use crate::python::Door;
use crate::session::ends::{HowEnded, outcome};
use crate::session::{Session, Watcher};

/// The devices, and where what is left of the session goes.
pub struct SessionOptions {
    /// What drives each slot: [`boxes`](super::boxes), or slots of a rack file.
    pub slots: BTreeMap<u16, SlotDriver>,
    /// Where log and captures go; made if there is something to keep.
    pub out: PathBuf,
    /// Compiles analysers, and runs those in Rhai.
    pub guest: GuestProgram,
    /// Hears log lines as they come.
    pub watcher: Arc<dyn Watcher>,
}

/// Serves one session until it is `over`. `tell`: called once with the socket's path and the token, when scripts may connect.
///
/// # Errors
/// [`LocalError::Tools`] when real tools do not work; [`LocalError::SetUp`] when there is no room for the socket.
pub async fn serve_session(
    options: SessionOptions,
    tell: impl FnOnce(&Path, &str),
    over: impl Future<Output = ()>,
) -> Result<LocalReport, LocalError> {
    let ended = HowEnded::Process { how: "the script came to its end without one".to_owned(), clean: true };
    let mut over = std::pin::pin!(over);
    let devices = tokio::select! {
        devices = Devices::start(&options.slots) => devices?,
        () = &mut over => return Ok(LocalReport { outcome: outcome(None, &ended), out: None }),
    };
    // Mode 0700: nobody else gets at the socket.
    let temp = tempfile::Builder::new().prefix("headend-session-").tempdir();
    let temp = temp.map_err(|source| LocalError::SetUp { folder: std::env::temp_dir(), source })?;
    let socket = temp.path().join("s");
    let door = Door::open(&socket).map_err(|source| LocalError::SetUp { folder: temp.path().to_owned(), source })?;
    let mut session = Session::new(setup(&options, &devices, &[]));
    {
        let shared = Mutex::new(&mut session);
        tell(&socket, &door.token);
        tokio::select! {
            () = door.serve(&shared) => {}
            () = &mut over => {}
        }
    }
    let outcome = outcome(session.reported(), &ended);
    session.keep_sources().await;
    session.close().await;
    let keep = session.finish(&outcome.to_string());
    Ok(LocalReport { outcome, out: keep.then(|| options.out.clone()) })
}

#[cfg(test)]
mod tests {
    use futures::{SinkExt, StreamExt};
    use headend_model::RunId;
    use serde_json::{Value, json};
    use tokio::net::UnixStream;
    use tokio::sync::oneshot;
    use tokio_util::codec::{Framed, LinesCodec};

    use super::*;
    use crate::local::boxes;

    struct Deaf;

    impl Watcher for Deaf {
        fn note(&self, _: RunId, _: String) {}
        fn console(&self, _: RunId, _: &str) {}
    }

    async fn says(lines: &mut Framed<UnixStream, LinesCodec>, what: &Value) -> Option<Value> {
        lines.send(what.to_string()).await.unwrap();
        lines.next().await.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_stranger_is_turned_away_and_the_script_drives_a_box() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let guest = GuestProgram::default();
        let options = SessionOptions { slots: boxes(1, true), out: out.clone(), guest, watcher: Arc::new(Deaf) };
        let (told, known) = oneshot::channel();
        let (end, over) = oneshot::channel::<()>();
        let tell = move |socket: &Path, token: &str| told.send((socket.to_owned(), token.to_owned())).unwrap();
        let serving = tokio::spawn(serve_session(options, tell, async move { over.await.unwrap() }));
        let (socket, token) = known.await.unwrap();

        let file = folder.path().join("by_hand.py");
        std::fs::write(&file, "import helper\n").unwrap();
        let hello =
            |token: &str| json!({ "hello": { "protocol": headend_wire::PROTOCOL, "token": token, "script": file } });
        let connect = || async { Framed::new(UnixStream::connect(&socket).await.unwrap(), LinesCodec::new()) };
        assert_eq!(says(&mut connect().await, &hello("guessed")).await, None);
        let mut script = connect().await;
        let welcome = says(&mut script, &hello(&token)).await.unwrap();
        assert_eq!(welcome["welcome"]["under_daemon"], false);
        assert_eq!(welcome["welcome"]["script"], json!(file));
        for (id, call, args) in [
            (1, "connect", json!({ "server": "", "description": "by hand" })),
            (2, "reserve_slot", json!({ "slot": 1 })),
            (3, "press", json!({ "key": "Menu", "slot": 1 })),
            (4, "result", json!({ "code": 111, "comment": null })),
        ] {
            let reply = says(&mut script, &json!({ "call": { "id": id, "call": call, "args": args } })).await.unwrap();
            assert!(reply["reply"]["ok"] != Value::Null, "{call}: {reply}");
        }
        end.send(()).unwrap();
        let report = serving.await.unwrap().unwrap();
        assert!(report.outcome.is_pass(), "{}", report.outcome);
        assert!(std::fs::read_to_string(out.join("log.jsonl")).unwrap().contains("Menu"));
        assert_eq!(std::fs::read_to_string(out.join("src/by_hand.py")).unwrap(), "import helper\n");
    }
}
