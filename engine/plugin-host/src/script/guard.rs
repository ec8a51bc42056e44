//! Watches the CPU time that a script uses between two calls.
//!
//! Interpreters have hooks, but not everywhere: Rhai's parser, Cranelift and a single long operation run without asking anybody. So a
//! thread beside the script reads the process's CPU clock. Past the budget it first raises a flag (Rhai looks at it after each operation) and
//! moves the epoch (WASM traps at its next loop). If that does not help, or there is nothing that could listen, it says `Ended` in the
//! script's place and ends the process.
//!
//! A script that computes for long gives way (see [`crate::cores`]) until its run has ended, or has only waited for a while.
//!
//! Calls stop the clock. A guest that has nothing to do costs nothing: the thread then sleeps until it is woken.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headend_wire::session::{ScriptEnd, ToHost};
use rustix::process::Pid;
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};

use super::link;
use crate::cores::{GivenWay, PATIENCE, give_way};

/// How often the clock is read while a script computes that has given way.
const TICK: Duration = Duration::from_millis(20);
/// How long the thread goes on ticking after the last sign of life, so that a busy guest need not wake it at each call.
const DOZE_AFTER: Duration = Duration::from_secs(1);
/// CPU time that a script gets to notice the flag.
const GRACE: Duration = Duration::from_millis(500);

/// Exit status of a guest that the guard has ended.
pub(super) const EXIT_BY_GUARD: i32 = 3;

/// What the script is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No run, or inside a call.
    Resting,
    /// Computing since `mark` on the process's CPU clock.
    Computing { mark: Duration, budget: Duration, what: Work },
}

/// What is being computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Reads the source. Nothing can interrupt it.
    Preparing,
    /// Runs the script.
    Running,
}

struct State {
    phase: Phase,
    /// Budget of the run, for the end of calls.
    budget: Duration,
    /// The thread sleeps until it is woken.
    dozing: bool,
    last_sign: Instant,
    /// The thread that computes.
    thread: Option<Pid>,
    /// It has computed for long in this run.
    given: Option<GivenWay>,
}

/// Handle on the guard thread.
pub(super) struct Guard {
    state: Mutex<State>,
    wake: Condvar,
    expired: AtomicBool,
}

impl Guard {
    /// Starts the thread. `last_words`: where it says `Ended`; `interrupt`: called once when a budget is used up.
    pub(super) fn start(last_words: UnixStream, interrupt: impl Fn() + Send + 'static) -> std::io::Result<Arc<Self>> {
        let guard = Arc::new(Self {
            state: Mutex::new(State {
                phase: Phase::Resting,
                budget: Duration::ZERO,
                dozing: false,
                last_sign: Instant::now(),
                thread: None,
                given: None,
            }),
            wake: Condvar::new(),
            expired: AtomicBool::new(false),
        });
        let watched = Arc::clone(&guard);
        // Lives as long as the process: the process's end is its end.
        std::thread::Builder::new()
            .name("guard".into())
            .stack_size(128 << 10)
            .spawn(move || watched.watch(&last_words, &interrupt))?;
        Ok(guard)
    }

    /// A computation begins on this thread, with a fresh budget of CPU time.
    pub(super) fn begin(&self, what: Work, budget: Duration) {
        self.expired.store(false, Ordering::Relaxed);
        let mut state = self.lock();
        state.budget = budget;
        state.thread = Some(gettid());
        self.compute(&mut state, what);
    }

    /// A call begins: the clock stands still.
    pub(super) fn pause(&self) {
        self.lock().phase = Phase::Resting;
    }

    /// The call has ended: a fresh budget.
    pub(super) fn resume(&self) {
        let mut state = self.lock();
        self.compute(&mut state, Work::Running);
    }

    /// The computation has ended.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.phase = Phase::Resting;
        state.given = None;
    }

    /// The budget is used up: stop at the next chance.
    pub(super) fn expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }

    fn compute(&self, state: &mut State, what: Work) {
        state.phase = Phase::Computing { mark: cpu_time(), budget: state.budget, what };
        state.last_sign = Instant::now();
        if state.dozing {
            state.dozing = false;
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, last_words: &UnixStream, interrupt: &dyn Fn()) {
        let mut state = self.lock();
        loop {
            if let Phase::Computing { mark, budget, what } = state.phase {
                let used = cpu_time().saturating_sub(mark);
                let hard = if what == Work::Running { budget + GRACE } else { budget };
                if used >= hard {
                    // The state stays locked: the script cannot begin a call while we speak in its place.
                    end_process(last_words, what, budget);
                }
                if used >= budget && !self.expired.swap(true, Ordering::Relaxed) {
                    interrupt();
                }
                if used >= PATIENCE && state.given.is_none() {
                    state.given = state.thread.and_then(give_way);
                }
                state.last_sign = Instant::now();
            }
            state = self.sleep(state);
        }
    }

    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.phase == Phase::Resting && state.last_sign.elapsed() >= DOZE_AFTER {
            state.dozing = true;
            state.given = None;
            return self.wake.wait_while(state, |state| state.dozing).unwrap_or_else(PoisonError::into_inner);
        }
        let tick = if state.given.is_none() { PATIENCE } else { TICK };
        self.wake.wait_timeout(state, tick).map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state)
    }
}

/// CPU time of this process, all threads.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// What a user reads when the budget was used up.
pub(super) fn limit_text(what: Work, budget: Duration) -> String {
    let ms = budget.as_millis();
    match what {
        Work::Preparing => format!("cpu_ms: reading the script took more than {ms} ms of CPU time; make it smaller"),
        Work::Running => {
            format!("cpu_ms: {ms} ms of CPU time went by without a call; is there an endless loop?")
        }
    }
}

fn end_process(mut last_words: &UnixStream, what: Work, budget: Duration) -> ! {
    let ended = ToHost::Ended { how: ScriptEnd::Limit(limit_text(what, budget)) };
    if let Ok(line) = link::encode(&ended) {
        // A supervisor that is gone needs no last words.
        let _ = last_words.write_all(&line);
    }
    std::process::exit(EXIT_BY_GUARD)
}
