//! Sessions of persons: the person's connection and the rack's, joined (design 0026).
//!
//! ```text
//!  person ── GET /reservations/N/session ─► farm: a lease ─► exchange ─► rack ── GET /sessions/R/rack ─┐
//!     └───────────────────────────────── both upgraded, and joined here ──────────────────────────────┘
//! ```
//!
//! Nothing is read or kept of what passes. A person who is silent is taken for gone; whoever takes nothing too.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headend_model::RunId;
use headend_wire::relay::PING_SECONDS;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A person says something more often than that.
const SILENCE: Duration = Duration::from_secs(3 * PING_SECONDS);
/// Longest time in which one side takes nothing of what the other sent.
const STALL: Duration = Duration::from_secs(30);
/// Both sides have asked for it; only the answers are on their way.
const UPGRADE: Duration = Duration::from_secs(10);
/// Bytes on their way in each direction.
const PIECE: usize = 16 << 10;

/// Who waits for whom, by session; and the tasks that join them.
#[derive(Default)]
pub(crate) struct Relays {
    waiting: Mutex<HashMap<RunId, Half>>,
    tasks: TaskTracker,
}

/// The one who came first.
enum Half {
    Person(oneshot::Sender<OnUpgrade>),
    Rack(OnUpgrade),
}

impl Relays {
    /// The rack's end of a session; waits for it.
    pub(crate) async fn rack_of(&self, run: RunId, patience: Duration) -> Option<OnUpgrade> {
        let coming = {
            let mut waiting = self.lock();
            if let Some(Half::Rack(end)) = waiting.remove(&run) {
                return Some(end);
            }
            let (here, coming) = oneshot::channel();
            waiting.insert(run, Half::Person(here));
            coming
        };
        let came = tokio::time::timeout(patience, coming).await;
        if let Ok(Ok(end)) = came {
            return Some(end);
        }
        self.lock().remove(&run);
        None
    }

    /// A rack has come with its end. `live`: sessions that there are; of others nobody comes any more.
    pub(crate) fn rack_is_here(&self, run: RunId, end: OnUpgrade, live: impl Fn(RunId) -> bool) {
        let mut waiting = self.lock();
        waiting.retain(|run, half| matches!(half, Half::Person(_)) || live(*run));
        match waiting.remove(&run) {
            // One who has gone away in this moment leaves the rack alone, which then hears the stream end.
            Some(Half::Person(here)) => drop(here.send(end)),
            Some(Half::Rack(_)) | None => drop(waiting.insert(run, Half::Rack(end))),
        }
    }

    /// Runs a task that the server waits for at its end.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for all tasks: each of them listens to the server's stop.
    pub(crate) async fn finish(&self) {
        self.lock().clear();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Half>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins two connections that were asked to be upgraded, until one of them ends.
pub(crate) async fn join(person: OnUpgrade, rack: OnUpgrade, stop: CancellationToken) -> io::Result<()> {
    let both = async { tokio::try_join!(upgraded(person), upgraded(rack)) };
    let (person, rack) = tokio::time::timeout(UPGRADE, both).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let (mut from_person, mut to_person) = tokio::io::split(person);
    let (mut from_rack, mut to_rack) = tokio::io::split(rack);
    let ended = tokio::select! {
        ended = pass(&mut from_person, &mut to_rack, Some(SILENCE)) => ended,
        ended = pass(&mut from_rack, &mut to_person, None) => ended,
        () = stop.cancelled() => Ok(()),
    };
    // Neither has to guess: both hear the end at once.
    let closing = async { tokio::join!(to_person.shutdown(), to_rack.shutdown()) };
    let _ = tokio::time::timeout(UPGRADE, closing).await;
    ended
}

async fn upgraded(end: OnUpgrade) -> io::Result<TokioIo<Upgraded>> {
    end.await.map(TokioIo::new).map_err(io::Error::other)
}

/// Until `from` ends, says nothing for so long, or `to` takes nothing.
async fn pass<R, W>(from: &mut R, to: &mut W, silence: Option<Duration>) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut piece = vec![0; PIECE];
    loop {
        let count = match silence {
            Some(most) => {
                tokio::time::timeout(most, from.read(&mut piece)).await.map_err(|_| io::ErrorKind::TimedOut)?
            }
            None => from.read(&mut piece).await,
        }?;
        if count == 0 {
            return Ok(());
        }
        let write = async {
            to.write_all(&piece[..count]).await?;
            to.flush().await
        };
        tokio::time::timeout(STALL, write).await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_is_passed_on_until_nobody_says_anything_or_one_side_closes() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let (mut sink, mut end) = tokio::io::duplex(64);
        let passing = tokio::spawn(async move { pass(&mut far, &mut sink, Some(Duration::from_millis(300))).await });
        near.write_all(b"ping").await.unwrap();
        let mut got = [0; 4];
        end.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"ping");
        assert_eq!(passing.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (near, mut far) = tokio::io::duplex(64);
        let (mut sink, _end) = tokio::io::duplex(64);
        drop(near);
        assert!(pass(&mut far, &mut sink, None).await.is_ok(), "closed");
    }
}
