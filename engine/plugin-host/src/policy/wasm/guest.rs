//! One instance's store: its limits, its host calls, and what a failed call is called.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Engine, Store, Trap};

use super::super::Reasons;
use super::super::fault::PolicyFault;
use super::super::words::{cut, sentence};
use crate::manifest::{Kind, Limits};
use crate::wasm::{Meter, Ticker};

/// Most bytes that one call may hand back. A placement has 8; the largest sound answer is one per target.
const MAX_ANSWER: usize = 1 << 20;
/// Most bytes of a log line.
const MAX_LOG_LINE: usize = 1 << 10;

/// What an instance's host calls see.
pub(super) struct State {
    meter: Meter,
    label: Arc<str>,
    log_left: u32,
    log_dropped: u64,
}

impl State {
    pub(super) fn log(&mut self, text: &str) {
        if self.log_left == 0 {
            self.log_dropped += 1;
            return;
        }
        self.log_left -= 1;
        tracing::info!(plugin = %self.label, "{}", cut(text, MAX_LOG_LINE));
    }
}

/// A store with its limits. After a fault it answers nothing but that fault.
pub(super) struct Guest {
    store: Store<State>,
    ticker: Arc<Ticker>,
    limits: Limits,
    fault: Option<PolicyFault>,
    /// When the last call began.
    called: Instant,
}

impl Guest {
    pub(super) fn new(engine: &Engine, ticker: &Arc<Ticker>, label: &Arc<str>, limits: Limits) -> Self {
        let meter = Meter::new((limits.memory_mib as usize) << 20);
        let state = State { meter, label: Arc::clone(label), log_left: 0, log_dropped: 0 };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(MAX_ANSWER);
        Self { store, ticker: Arc::clone(ticker), limits, fault: None, called: Instant::now() }
    }

    /// The plugin has said itself that it cannot serve this plan.
    pub(super) fn declined(&self, what: &str) -> PolicyFault {
        let plugin = self.store.data().label.to_string();
        PolicyFault::Declined { plugin, what: sentence(what) }
    }

    /// One call. `factor`: how many times the usual deadline it may take.
    pub(super) fn call<T>(
        &mut self,
        name: &'static str,
        factor: u64,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, PolicyFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.called = Instant::now();
        let result = self.fill(factor).and_then(|()| self.guarded(call));
        self.tell_dropped_lines();
        result.map_err(|error| self.broken(name, factor, &error))
    }

    /// A small call for each of these, out of what the last one has left of its time, its fuel and its log lines. What has no room any
    /// more is not asked: no call is begun when half of that is spent. `left`: the time that the caller can spare.
    pub(super) fn reasons<I: Copy>(
        &mut self,
        of: &[I],
        left: Duration,
        call: impl Fn(&mut Store<State>, I) -> wasmtime::Result<String>,
    ) -> Reasons {
        let deadline = Duration::from_millis(self.limits.deadline_ms);
        let left = left.min(deadline.saturating_sub(self.called.elapsed()));
        let (begin, half) = (Instant::now(), left / 2);
        let mut texts = Vec::with_capacity(of.len());
        if self.fault.is_some() || of.is_empty() || half.is_zero() {
            return Reasons { texts, fault: None };
        }
        self.store.set_epoch_deadline(Ticker::ticks(left));
        let limits = self.limits;
        let result = self.guarded(|store| {
            for item in of {
                if begin.elapsed() >= half || is_used_up(store, &limits) {
                    break;
                }
                texts.push(sentence(&call(store, *item)?));
            }
            Ok(())
        });
        self.tell_dropped_lines();
        let fault = result.err().map(|error| self.broken("reason", 1, &error));
        Reasons { texts, fault }
    }

    fn guarded<T>(&mut self, call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        let _running = self.ticker.running();
        let store = &mut self.store;
        // A panic can only come from our own host functions or from the runtime; neither may take the server's thread along.
        catch_unwind(AssertUnwindSafe(|| call(store)))
            .unwrap_or_else(|_| Err(wasmtime::format_err!("the host panicked during the call")))
    }

    fn broken(&mut self, name: &'static str, factor: u64, error: &wasmtime::Error) -> PolicyFault {
        let fault = self.fault(name, factor, error);
        self.fault = Some(fault.clone());
        fault
    }

    /// Gives the call its time, its fuel and its log lines.
    fn fill(&mut self, factor: u64) -> wasmtime::Result<()> {
        let deadline = Duration::from_millis(self.limits.deadline_ms * factor);
        self.store.set_epoch_deadline(Ticker::ticks(deadline));
        self.store.data_mut().log_left = self.limits.host_calls;
        match self.limits.fuel {
            Some(fuel) => self.store.set_fuel(fuel.saturating_mul(factor)),
            None => Ok(()),
        }
    }

    fn tell_dropped_lines(&mut self) {
        let state = self.store.data_mut();
        if std::mem::take(&mut state.log_dropped) > 0 {
            tracing::warn!(plugin = %state.label, "wrote more log lines than its host calls allow; the rest was dropped");
        }
    }

    fn fault(&self, call: &'static str, factor: u64, error: &wasmtime::Error) -> PolicyFault {
        let plugin = self.store.data().label.to_string();
        if self.store.data().meter.denied() {
            return PolicyFault::Memory { plugin, call, memory_mib: self.limits.memory_mib };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                PolicyFault::Deadline { plugin, call, deadline_ms: self.limits.deadline_ms * factor }
            }
            Some(Trap::OutOfFuel) => {
                let fuel = self.limits.fuel.unwrap_or_default().saturating_mul(factor);
                PolicyFault::Fuel { plugin, call, fuel }
            }
            Some(trap) => PolicyFault::Failed { plugin, call, what: trap.to_string() },
            None if is_too_large(error) => PolicyFault::AnswerTooLarge { plugin, call, most: MAX_ANSWER },
            None => PolicyFault::Failed { plugin, call, what: cut(&error.root_cause().to_string(), 1_000).into() },
        }
    }

    pub(super) fn failed(&self, call: &'static str, what: &str) -> PolicyFault {
        PolicyFault::Failed { plugin: self.store.data().label.to_string(), call, what: what.into() }
    }

    pub(super) fn too_much(&self, call: &'static str, most: usize) -> PolicyFault {
        PolicyFault::AnswerTooLarge { plugin: self.store.data().label.to_string(), call, most }
    }

    pub(super) fn wrong_kind(&self, is: Kind, wanted: Kind) -> PolicyFault {
        PolicyFault::WrongKind { name: self.store.data().label.to_string(), is: is.as_str(), wanted: wanted.as_str() }
    }
}

/// Half of the fuel or all log lines of a question are spent.
fn is_used_up(store: &Store<State>, limits: &Limits) -> bool {
    let mute = store.data().log_left == 0 && limits.host_calls > 0;
    let dry = limits.fuel.is_some_and(|fuel| store.get_fuel().is_ok_and(|left| left < fuel / 2));
    mute || dry
}

/// The runtime has no type for this one. A change of its words makes the fault less exact, not wrong.
fn is_too_large(error: &wasmtime::Error) -> bool {
    format!("{error:#}").contains("fuel allocated for hostcalls has been exhausted")
}
