//! The thread that lets deadlines bite: it moves the engines' epoch on while guests run, has those that run for long give way, and
//! sleeps while none runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::thread::gettid;
use wasmtime::EngineWeak;

use crate::cores::{GivenWay, PATIENCE, give_way};

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
    /// Calls begun so far; the number of the newest.
    begun: AtomicU64,
    /// Those that have not ended.
    turns: Mutex<Vec<Turn>>,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// A call that runs.
struct Turn {
    number: u64,
    thread: Pid,
    since: Instant,
    given: Option<GivenWay>,
}

/// A guest runs as long as this lives, on the thread that made it.
pub(crate) struct Running<'a> {
    pulse: &'a Pulse,
    number: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut turns = self.pulse.turns();
        if let Some(index) = turns.iter().position(|turn| turn.number == self.number) {
            // With the turn goes what it has given way to.
            turns.swap_remove(index);
        }
    }
}

impl Ticker {
    pub(crate) fn start(engines: Vec<EngineWeak>) -> std::io::Result<Arc<Self>> {
        let pulse = Arc::new(Pulse {
            begun: AtomicU64::new(0),
            turns: Mutex::default(),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&pulse);
        let thread = thread::Builder::new().name("guest-epoch".into()).spawn(move || theirs.run(&engines))?;
        Ok(Arc::new(Self { pulse, thread: Some(thread) }))
    }

    /// To be held around each call into a guest, by the thread that calls.
    pub(crate) fn running(&self) -> Running<'_> {
        let number = self.pulse.begun.fetch_add(1, Ordering::SeqCst) + 1;
        self.pulse.turns().push(Turn { number, thread: gettid(), since: Instant::now(), given: None });
        if self.pulse.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Running { pulse: &self.pulse, number }
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
            let quiet = self.have_the_long_give_way() && begun == seen;
            idle = if quiet { idle + 1 } else { 0 };
            seen = begun;
            if idle >= IDLE_TICKS {
                self.sleep(begun);
                idle = 0;
            }
        }
    }

    /// Whether nobody runs.
    fn have_the_long_give_way(&self) -> bool {
        let mut turns = self.turns();
        for turn in turns.iter_mut().filter(|turn| turn.given.is_none() && turn.since.elapsed() >= PATIENCE) {
            turn.given = give_way(turn.thread);
        }
        turns.is_empty()
    }

    fn turns(&self) -> MutexGuard<'_, Vec<Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
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
