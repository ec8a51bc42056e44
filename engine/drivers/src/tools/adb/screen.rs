//! Pictures of the screen, fetched again and again while somebody looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::options::Options;
use super::png;
use super::server::Server;
use crate::{DriverError, Shot, now_us};

/// The newest picture, and the task that fetches the next.
#[derive(Debug)]
pub(super) struct Screen {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    server: Server,
    known: Mutex<Known>,
    /// Told after every attempt.
    tried: Condvar,
    /// When somebody looked last; 0: nobody has.
    looked_us: AtomicU64,
    look: Notify,
}

#[derive(Debug, Default)]
struct Known {
    shot: Option<Shot>,
    /// Why the last attempt gave none.
    trouble: Option<String>,
    attempts: u64,
}

impl Screen {
    pub(super) fn new(options: &Options, server: &Server) -> Self {
        let shared = Arc::new(Shared {
            options: options.clone(),
            server: server.clone(),
            known: Mutex::default(),
            tried: Condvar::new(),
            looked_us: AtomicU64::new(0),
            look: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(poll(Arc::clone(&shared)));
        Self { shared, _tasks: tasks }
    }

    /// The newest picture. If nobody has looked for a while, the first one is waited for.
    pub(super) fn latest(&self) -> Result<Shot, DriverError> {
        let shared = &self.shared;
        shared.looked_us.store(now_us().max(1), Ordering::Relaxed);
        shared.look.notify_one();
        let known = shared.known();
        let before = known.attempts;
        let waiting = |known: &mut Known| shared.fresh(known).is_none() && known.attempts == before;
        // The attempt itself may take as long as its limit; decoding takes some more.
        let most = shared.server.limit + Duration::from_secs(1);
        let waited = shared.tried.wait_timeout_while(known, most, waiting);
        let (known, _) = waited.unwrap_or_else(PoisonError::into_inner);
        shared.fresh(&known).ok_or_else(|| shared.no_signal(&known))
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, known: &Known) -> Option<Shot> {
        let oldest = now_us().saturating_sub(u64::from(self.options.stale_ms) * 1000);
        known.shot.as_ref().filter(|shot| shot.at_us >= oldest).cloned()
    }

    fn no_signal(&self, known: &Known) -> DriverError {
        let why = known.trouble.as_deref().unwrap_or("the picture was too old when it came; raise stale_ms");
        DriverError(format!("no signal: no picture of {}: {why}", self.options.serial))
    }

    fn idle(&self) -> bool {
        let looked = self.looked_us.load(Ordering::Relaxed);
        looked == 0 || now_us().saturating_sub(looked) >= u64::from(self.options.idle_ms) * 1000
    }

    /// A picture has the time at which the device was told to take it.
    async fn fetch(&self) -> Result<Shot, String> {
        let at_us = AtomicU64::new(now_us());
        let accepted = || at_us.store(now_us(), Ordering::Relaxed);
        let file = self.server.exec(&self.options.serial, "screencap -p", png::MAX_FILE, accepted).await;
        let file = file.map_err(|fault| fault.to_string())?;
        let decoded = tokio::task::spawn_blocking(move || {
            png::picture(&file)
                .map_err(|why| format!("`screencap -p` gave no PNG picture: {why}; it begins {}", head(&file)))
        });
        let picture = decoded.await.map_err(|error| error.to_string())??;
        Ok(Shot { at_us: at_us.into_inner(), picture })
    }

    fn note(&self, fetched: Result<Shot, String>) {
        let mut known = self.known();
        known.attempts += 1;
        match fetched {
            Ok(shot) => (known.shot, known.trouble) = (Some(shot), None),
            Err(trouble) => known.trouble = Some(trouble),
        }
        drop(known);
        self.tried.notify_all();
    }
}

/// The beginning of an answer, which may be a message.
fn head(file: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&file[..file.len().min(80)]))
}

async fn poll(shared: Arc<Shared>) {
    let gap = Duration::from_millis(u64::from(shared.options.poll_ms));
    loop {
        while shared.idle() {
            shared.look.notified().await;
        }
        let next = Instant::now() + gap;
        let fetched = shared.fetch().await;
        shared.note(fetched);
        tokio::time::sleep_until(next).await;
    }
}
