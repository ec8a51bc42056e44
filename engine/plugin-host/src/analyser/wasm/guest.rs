//! One instance's store: its limits, its desk, and what a failed call is called.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Engine, Store, Trap};

use super::super::AnalyserFault;
use super::super::desk::{Desk, May, Over};
use super::super::verdict::MAX_SENTENCE;
use crate::analyser::verdict::cut;
use crate::manifest::Limits;
use crate::wasm::{Meter, Ticker};

/// Most bytes that one call may hand back: a verdict with all that it may have is far smaller.
const MAX_ANSWER: usize = 1 << 20;

/// What an instance's host calls see.
pub(super) struct State {
    meter: Meter,
    pub(super) desk: Desk,
}

/// A store with its limits. After a fault it answers nothing but that fault.
pub(super) struct Guest {
    store: Store<State>,
    ticker: Arc<Ticker>,
    label: Arc<str>,
    limits: Limits,
    fault: Option<AnalyserFault>,
}

impl Guest {
    pub(super) fn new(engine: &Engine, ticker: &Arc<Ticker>, label: &Arc<str>, limits: Limits, may: May) -> Self {
        let meter = Meter::new((limits.memory_mib as usize) << 20);
        let desk = Desk::new(label, limits.host_calls, may);
        let mut store = Store::new(engine, State { meter, desk });
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(MAX_ANSWER);
        Self { store, ticker: Arc::clone(ticker), label: Arc::clone(label), limits, fault: None }
    }

    pub(super) fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// The plugin has said itself that it cannot work like that.
    pub(super) fn declined(&self, what: &str) -> AnalyserFault {
        AnalyserFault::Declined { plugin: self.label.to_string(), what: cut(what, MAX_SENTENCE).into() }
    }

    /// The answer made no sense: the instance is done for.
    pub(super) fn fail(&mut self, call: &'static str, what: String) -> AnalyserFault {
        let fault = AnalyserFault::Failed { plugin: self.label.to_string(), call, what };
        self.fault = Some(fault.clone());
        fault
    }

    /// One call. `factor`: how many times the usual deadline it may take.
    pub(super) fn call<T>(
        &mut self,
        name: &'static str,
        factor: u32,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, AnalyserFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let result = self.fill(factor).and_then(|()| {
            let _running = self.ticker.running();
            let store = &mut self.store;
            // A panic can only come from our own host functions or from the runtime; neither may take the caller's thread along.
            catch_unwind(AssertUnwindSafe(|| call(store)))
                .unwrap_or_else(|_| Err(wasmtime::format_err!("the host panicked during the call")))
        });
        self.store.data_mut().desk.end();
        result.map_err(|error| {
            let fault = self.fault_of(name, factor, &error);
            self.fault = Some(fault.clone());
            fault
        })
    }

    /// Gives the call its time and its fuel.
    fn fill(&mut self, factor: u32) -> wasmtime::Result<()> {
        let deadline = Duration::from_millis(self.limits.deadline_ms) * factor;
        self.store.set_epoch_deadline(Ticker::ticks(deadline));
        self.store.data_mut().desk.begin(deadline);
        match self.limits.fuel {
            Some(fuel) => self.store.set_fuel(fuel.saturating_mul(factor.into())),
            None => Ok(()),
        }
    }

    fn fault_of(&self, call: &'static str, factor: u32, error: &wasmtime::Error) -> AnalyserFault {
        let plugin = self.label.to_string();
        let deadline_ms = self.limits.deadline_ms * u64::from(factor);
        match self.store.data().desk.over() {
            Some(Over::Calls) => return AnalyserFault::HostCalls { plugin, call, most: self.limits.host_calls },
            Some(Over::Time) => return AnalyserFault::Deadline { plugin, call, deadline_ms },
            Some(Over::Handle) | None => {}
        }
        if self.store.data().meter.denied() {
            return AnalyserFault::Memory { plugin, call, memory_mib: self.limits.memory_mib };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => AnalyserFault::Deadline { plugin, call, deadline_ms },
            Some(Trap::OutOfFuel) => {
                let fuel = self.limits.fuel.unwrap_or_default().saturating_mul(factor.into());
                AnalyserFault::Fuel { plugin, call, fuel }
            }
            Some(trap) => AnalyserFault::Failed { plugin, call, what: trap.to_string() },
            None => AnalyserFault::Failed { plugin, call, what: cut(&error.root_cause().to_string(), 1_000).into() },
        }
    }
}
