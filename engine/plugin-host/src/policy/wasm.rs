//! Policies in WebAssembly. An instance answers within this process, on the caller's thread, between an epoch deadline and a memory cap.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use headend_model::{TargetIx, TestIx, Timestamp};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::policy::QueuedJob;
use headend_scheduler::view::PlanView;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Store, Trap};

use super::fault::PolicyFault;
use crate::lifecycle::LoadError;
use crate::manifest::{Capability, Kind, Limits};
use crate::wasm::{Compiler, Counting, Meter, Ticker};

use coverage_world::exports::headend::policy::coverage as wit;
use coverage_world::headend::policy::types as wit_types;

mod coverage_world {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v1/policy",
        world: "coverage-policy",
        imports: { default: trappable },
    });
}

mod queue_world {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v1/policy",
        world: "queue-policy",
        imports: { default: trappable },
    });
}

/// Most bytes that one call may hand back. A placement has 8; the largest sound answer is one per target.
const MAX_ANSWER: usize = 1 << 20;
/// Building reads the whole past: it may take this many times as long as a question.
const BUILD_FACTOR: u64 = 10;
/// Most bytes of a log line.
const MAX_LOG_LINE: usize = 1 << 10;
/// Most bytes of a reason.
pub(super) const MAX_REASON: usize = 300;

/// A linked policy: an instance costs some microseconds.
pub(super) struct WasmPolicy {
    pre: Pre,
    ticker: Arc<Ticker>,
    label: Arc<str>,
    limits: Limits,
}

enum Pre {
    Coverage(coverage_world::CoveragePolicyPre<State>),
    Queue(queue_world::QueuePolicyPre<State>),
}

/// What an instance's host calls see.
pub(super) struct State {
    meter: Meter,
    label: Arc<str>,
    log_left: u32,
    log_dropped: u64,
}

impl State {
    fn log(&mut self, text: &str) {
        if self.log_left == 0 {
            self.log_dropped += 1;
            return;
        }
        self.log_left -= 1;
        tracing::info!(plugin = %self.label, "{}", cut(text, MAX_LOG_LINE));
    }
}

impl coverage_world::headend::policy::log::Host for State {
    fn line(&mut self, text: String) -> wasmtime::Result<()> {
        self.log(&text);
        Ok(())
    }
}

impl queue_world::headend::policy::log::Host for State {
    fn line(&mut self, text: String) -> wasmtime::Result<()> {
        self.log(&text);
        Ok(())
    }
}

impl wit_types::Host for State {}
impl queue_world::headend::policy::types::Host for State {}

/// The first `most` bytes, cut between characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl WasmPolicy {
    /// Steps compile and link.
    pub(super) fn load(
        compiler: &Compiler,
        code: &[u8],
        kind: Kind,
        limits: Limits,
        capabilities: &std::collections::BTreeSet<Capability>,
        label: &str,
    ) -> Result<Self, LoadError> {
        let counting = if limits.fuel.is_some() { Counting::Fuel } else { Counting::Time };
        let component =
            compiler.component(code, counting).map_err(|source| LoadError::Compile { plugin: label.into(), source })?;
        let pre = link(&component, kind, capabilities).map_err(|error| LoadError::Link {
            plugin: label.into(),
            world: kind,
            what: format!("{error:#}"),
        })?;
        Ok(Self { pre, ticker: Arc::clone(compiler.engines().ticker()), label: label.into(), limits })
    }

    /// An instance for one plan. `keep` is dropped with the instance: it counts the version's users.
    pub(super) fn coverage(&self, plan: &PlanView) -> Result<WasmCoverage, PolicyFault> {
        let mut guest = self.guest();
        let Pre::Coverage(pre) = &self.pre else {
            return Err(guest.wrong_kind(Kind::QueuePolicy, Kind::CoveragePolicy));
        };
        let bindings = guest.call("instantiate", BUILD_FACTOR, |store| pre.instantiate(store))?;
        let plan = to_plan(plan);
        guest.call("build", BUILD_FACTOR, |store| bindings.headend_policy_coverage().call_build(store, &plan))?;
        Ok(WasmCoverage { guest, bindings, news: Vec::new(), free: Vec::new() })
    }

    /// An instance for all jobs.
    pub(super) fn queue(&self) -> Result<WasmQueue, PolicyFault> {
        let mut guest = self.guest();
        let Pre::Queue(pre) = &self.pre else {
            return Err(guest.wrong_kind(Kind::CoveragePolicy, Kind::QueuePolicy));
        };
        let bindings = guest.call("instantiate", BUILD_FACTOR, |store| pre.instantiate(store))?;
        Ok(WasmQueue { guest, bindings })
    }

    fn guest(&self) -> Guest {
        let engine = match &self.pre {
            Pre::Coverage(pre) => pre.engine(),
            Pre::Queue(pre) => pre.engine(),
        };
        let state = State {
            meter: Meter::new((self.limits.memory_mib as usize) << 20),
            label: Arc::clone(&self.label),
            log_left: 0,
            log_dropped: 0,
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(MAX_ANSWER);
        Guest { store, ticker: Arc::clone(&self.ticker), limits: self.limits, fault: None }
    }
}

fn link(
    component: &Component,
    kind: Kind,
    capabilities: &std::collections::BTreeSet<Capability>,
) -> wasmtime::Result<Pre> {
    let mut linker = Linker::<State>::new(component.engine());
    let log = capabilities.contains(&Capability::Log);
    Ok(match kind {
        Kind::QueuePolicy => {
            queue_world::headend::policy::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            if log {
                queue_world::headend::policy::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            }
            Pre::Queue(queue_world::QueuePolicyPre::new(linker.instantiate_pre(component)?)?)
        }
        Kind::CoveragePolicy | Kind::Analyser | Kind::Script => {
            wit_types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            if log {
                coverage_world::headend::policy::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            }
            Pre::Coverage(coverage_world::CoveragePolicyPre::new(linker.instantiate_pre(component)?)?)
        }
    })
}

/// A store with its limits. After a fault it answers nothing but that fault.
struct Guest {
    store: Store<State>,
    ticker: Arc<Ticker>,
    limits: Limits,
    fault: Option<PolicyFault>,
}

impl Guest {
    /// One call. `factor`: how many times the usual deadline it may take.
    fn call<T>(
        &mut self,
        name: &'static str,
        factor: u64,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, PolicyFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let result = self.fill(factor).and_then(|()| {
            let _running = self.ticker.running();
            let store = &mut self.store;
            // A panic can only come from our own host functions or from the runtime; neither may take the server's thread along.
            catch_unwind(AssertUnwindSafe(|| call(store)))
                .unwrap_or_else(|_| Err(wasmtime::format_err!("the host panicked during the call")))
        });
        self.tell_dropped_lines();
        result.map_err(|error| {
            let fault = self.fault(name, factor, &error);
            self.fault = Some(fault.clone());
            fault
        })
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

    fn wrong_kind(&self, is: Kind, wanted: Kind) -> PolicyFault {
        PolicyFault::WrongKind { name: self.store.data().label.to_string(), is: is.as_str(), wanted: wanted.as_str() }
    }
}

/// The runtime has no type for this one. A change of its words makes the fault less exact, not wrong.
fn is_too_large(error: &wasmtime::Error) -> bool {
    format!("{error:#}").contains("fuel allocated for hostcalls has been exhausted")
}

/// A coverage policy at work.
pub(super) struct WasmCoverage {
    guest: Guest,
    bindings: coverage_world::CoveragePolicy,
    /// Told right before the next question. Bounded by the runs of the job: each starts and ends once.
    news: Vec<wit_types::Change>,
    /// The free targets of a question; kept so that a question allocates nothing here.
    free: Vec<u32>,
}

impl WasmCoverage {
    pub(super) fn apply(&mut self, change: &PlanChange) {
        self.news.push(to_change(change));
    }

    fn tell(&mut self) -> Result<(), PolicyFault> {
        if self.news.is_empty() {
            return Ok(());
        }
        let Self { guest, bindings, news, .. } = self;
        let told = guest
            .call("note", BUILD_FACTOR, |store| bindings.headend_policy_coverage().call_note(store, news.as_slice()));
        news.clear();
        told
    }

    pub(super) fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Vec<Placement>, PolicyFault> {
        self.tell()?;
        self.free.clear();
        self.free.extend(free.iter().map(|target| target.0));
        let (bindings, free) = (&self.bindings, self.free.as_slice());
        let call =
            |store: &mut Store<State>| bindings.headend_policy_coverage().call_propose(store, now.micros(), free);
        let answer = self.guest.call("propose", 1, call)?;
        Ok(answer.into_iter().map(from_placement).collect())
    }

    pub(super) fn reason(&mut self, of: Placement) -> Result<String, PolicyFault> {
        let call =
            |store: &mut Store<State>| self.bindings.headend_policy_coverage().call_reason(store, to_placement(of));
        let text = self.guest.call("reason", 1, call)?;
        Ok(cut(&text, MAX_REASON).into())
    }
}

/// A queue policy at work.
pub(super) struct WasmQueue {
    guest: Guest,
    bindings: queue_world::QueuePolicy,
}

impl WasmQueue {
    pub(super) fn rank(&mut self, job: &QueuedJob<'_>) -> Result<i64, PolicyFault> {
        let job = queue_world::exports::headend::policy::queue::Job {
            id: job.job.0,
            owner: job.owner.to_string(),
            priority: job.priority.0,
            accepted: job.accepted.micros(),
        };
        self.guest.call("rank", 1, |store| self.bindings.headend_policy_queue().call_rank(store, &job))
    }
}

fn to_plan(plan: &PlanView) -> wit::Plan {
    wit::Plan {
        tests: plan.tests.iter().map(|(test, runs)| wit_types::Test { ix: test.0, runs: *runs }).collect(),
        targets: plan
            .targets
            .iter()
            .map(|target| wit_types::Target {
                ix: target.target.0,
                place: target
                    .place
                    .as_ref()
                    .map(|(rack, slot)| wit_types::Place { rack: rack.to_string(), slot: slot.0 }),
                dut: target.dut.map(|dut| dut.0),
            })
            .collect(),
        past: plan.past.iter().map(to_change).collect(),
    }
}

fn to_change(change: &PlanChange) -> wit_types::Change {
    match change {
        PlanChange::Started(placement) => wit_types::Change::Started(to_placement(*placement)),
        PlanChange::Ended { placement, code } => {
            wit_types::Change::Ended(wit_types::Ending { placement: to_placement(*placement), code: *code })
        }
        PlanChange::TargetLost(target) => wit_types::Change::TargetLost(target.0),
    }
}

fn to_placement(placement: Placement) -> wit_types::Placement {
    wit_types::Placement { test: placement.test.0, target: placement.target.0 }
}

fn from_placement(placement: wit_types::Placement) -> Placement {
    Placement { test: TestIx(placement.test), target: TargetIx(placement.target) }
}
