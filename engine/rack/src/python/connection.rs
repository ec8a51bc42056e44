//! The session socket of a run: connections say hello with the run's token, then call.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt};
use headend_wire::PROTOCOL;
use headend_wire::session::{MAX_LINE_BYTES, ToHost, ToScript};
use subtle::ConstantTimeEq;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio_util::codec::{Framed, LinesCodec};

use crate::session::Host;

/// Connections of one run at a time: its process, and what it started.
const MOST: usize = 16;

/// A listening socket in a folder of its own, removed when dropped.
#[derive(Debug)]
pub(crate) struct Door {
    listener: UnixListener,
    pub(crate) token: String,
    used: AtomicBool,
}

impl Door {
    /// Opens the socket.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let secret: [u8; 32] = rand::random();
        let token = blake3::Hash::from_bytes(secret).to_hex().to_string();
        Ok(Self { listener: UnixListener::bind(path)?, token, used: AtomicBool::new(false) })
    }

    /// Has the script said hello, and so perhaps driven something?
    pub(super) fn was_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// Serves until dropped. One call at a time, whoever makes it.
    pub(crate) async fn serve<H: Host>(&self, session: &Mutex<&mut H>) {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < MOST => {
                    if let Ok((stream, _)) = accepted {
                        connections.push(self.connection(stream, session));
                    }
                }
                Some(()) = connections.next() => {}
            }
        }
    }

    /// A line that is not understood ends the connection: the package and the rack are released together.
    async fn connection<H: Host>(&self, stream: UnixStream, session: &Mutex<&mut H>) {
        let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
        let mut welcome = false;
        while let Some(Ok(line)) = lines.next().await {
            let answer = match serde_json::from_str(&line) {
                Ok(ToHost::Hello { protocol: PROTOCOL, token, script }) if self.knows(&token) => {
                    welcome = true;
                    self.used.store(true, Ordering::Release);
                    let mut session = session.lock().await;
                    if let Some(script) = script {
                        session.set_script(Path::new(&script));
                    }
                    ToScript::Welcome(session.info())
                }
                Ok(ToHost::Call { id, source, call }) if welcome => {
                    let reply = session.lock().await.call(call, source).await;
                    ToScript::Reply { id, reply }
                }
                Ok(ToHost::Hello { .. } | ToHost::Call { .. } | ToHost::Ready { .. } | ToHost::Ended { .. })
                | Err(_) => return,
            };
            let Ok(answer) = serde_json::to_string(&answer) else { return };
            if lines.send(answer).await.is_err() {
                return;
            }
        }
    }

    fn knows(&self, token: &str) -> bool {
        self.token.as_bytes().ct_eq(token.as_bytes()).into()
    }
}
