//! The thread that lets deadlines bite: it moves the engines' epoch on while guests run, and sleeps while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::EngineWeak;

/// Length of a tick. A deadline is met to within one of these.
const TICK: Duration = Duration::from_millis(5);

/// Ticks without any call after which the thread sleeps: an idle server costs no CPU.
const IDLE_TICKS: u32 = 200;

/// Owner of the thread. Stopped and joined when dropped.
pub(crate) struct Ticker {
    pulse: Arc<Pulse>,
    thread: Option<JoinHandle<()>>,
}

/// What callers and the thread share.
struct Pulse {
    /// Calls begun so far,
    begun: AtomicU64,
    /// and ended so far. Different numbers: a guest runs.
    ended: AtomicU64,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// A guest runs as long as this lives.
pub(crate) struct Running<'a>(&'a Pulse);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

impl Ticker {
    pub(crate) fn start(engines: Vec<EngineWeak>) -> std::io::Result<Arc<Self>> {
        let pulse = Arc::new(Pulse {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&pulse);
        let thread = thread::Builder::new().name("guest-epoch".into()).spawn(move || theirs.run(&engines))?;
        Ok(Arc::new(Self { pulse, thread: Some(thread) }))
    }

    /// To be held around each call into a guest.
    pub(crate) fn running(&self) -> Running<'_> {
        self.pulse.begun.fetch_add(1, Ordering::SeqCst);
        if self.pulse.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Running(&self.pulse)
    }

    /// A deadline as a number of ticks. One more than needed: the current tick is already partly over.
    pub(crate) fn ticks(deadline: Duration) -> u64 {
        deadline.as_millis().div_ceil(TICK.as_millis()) as u64 + 1
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Pulse {
    fn run(&self, engines: &[EngineWeak]) {
        let (mut seen, mut idle) = (0, 0);
        while !self.stop.load(Ordering::SeqCst) {
            thread::park_timeout(TICK);
            engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
            let begun = self.begun.load(Ordering::SeqCst);
            let quiet = begun == seen && begun == self.ended.load(Ordering::SeqCst);
            idle = if quiet { idle + 1 } else { 0 };
            seen = begun;
            if idle >= IDLE_TICKS {
                self.sleep(begun);
                idle = 0;
            }
        }
    }

    /// Sleeps until the next call. Either the caller sees `asleep` and wakes us, or we see its call and stay awake.
    fn sleep(&self, begun: u64) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.begun.load(Ordering::SeqCst) == begun && !self.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.pulse.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The thread runs nothing that panics; if it did, there is nothing left to do about it here.
            let _ = thread.join();
        }
    }
}
