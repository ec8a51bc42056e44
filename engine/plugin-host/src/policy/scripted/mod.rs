//! Policies in Rhai. They run in a child process, never in this one (why: [`crate::rhai_child`]).
//!
//! One child serves all instances of one version of a plugin. When it dies, or is killed because a call overran, the instance that asked gets
//! the fault; the others build themselves again in a new child from what they remember.

mod books;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod guest;
mod protocol;
mod queue;

pub use guest::guest_main;
pub(super) use queue::RhaiQueue;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headend_model::{TargetIx, Timestamp};
use headend_scheduler::action::Noted;
use headend_scheduler::event::Placement;
use headend_scheduler::view::PlanView;

use super::fault::PolicyFault;
use super::words::sentence;
use super::{self as wish, MAX_REPORT, Reasons, Serves};
use crate::excerpt::with_place;
use crate::guest::GuestProgram;
use crate::lifecycle::{LoadError, Package};
use crate::manifest::{Kind, Limits};
use crate::rhai_child::{self, Child, ChildFault, LOAD_DEADLINE};
use crate::wasm::CompileError;
use protocol::{Answer, Entry, Envelope, Request, WirePlan, placement};

/// Building reads the whole past: it may take this many times as long as a question.
const BUILD_FACTOR: u32 = 10;

/// A parsed policy and its child.
#[derive(Clone)]
pub(crate) struct RhaiPolicy(Arc<Inner>);

struct Inner {
    guest: GuestProgram,
    source: String,
    entry: Entry,
    /// Major number of the contract that it was written against.
    world: u32,
    label: String,
    limits: Limits,
    /// One call at a time. `None`: not started yet, or killed.
    child: Mutex<Option<Child>>,
    /// Nobody is to ask: no child is kept between calls.
    resting: AtomicBool,
    next_plan: AtomicU64,
    /// Plans of dropped instances, told to the child with the next request.
    gone: Mutex<Vec<u64>>,
}

/// Why a talk with the child came to nothing.
enum Trouble {
    /// The child is no more.
    Lost(ChildFault),
    /// The child is fine, the script is not.
    Script(Answer),
}

impl RhaiPolicy {
    /// Steps compile and link: starts the child and lets it parse.
    pub(crate) fn load(guest: &GuestProgram, package: &Package) -> Result<Self, LoadError> {
        let plugin = package.label();
        let refused =
            |what: String| LoadError::Compile { plugin: package.label(), source: CompileError::Refused(what) };
        let source = String::from_utf8(package.code.to_vec()).map_err(|error| refused(error.to_string()))?;
        let entry = match package.manifest.kind {
            Kind::QueuePolicy => Entry::Queue,
            Kind::CoveragePolicy | Kind::Analyser | Kind::Script => Entry::Coverage,
        };
        let inner = Inner {
            guest: guest.clone(),
            source,
            entry,
            world: package.manifest.world.0,
            label: plugin.clone(),
            limits: package.manifest.limits,
            child: Mutex::default(),
            resting: AtomicBool::new(false),
            next_plan: AtomicU64::new(1),
            gone: Mutex::default(),
        };
        let child = inner.start().map_err(|trouble| match trouble {
            Trouble::Script(Answer::Misfit(what)) => LoadError::Link { plugin, world: package.manifest.kind, what },
            Trouble::Script(answer) => refused(with_place(&inner.source, said(answer))),
            Trouble::Lost(fault) => {
                LoadError::Compile { plugin, source: fault.into_compile_error(guest, LOAD_DEADLINE) }
            }
        })?;
        *lock(&inner.child) = Some(child);
        Ok(Self(Arc::new(inner)))
    }

    /// Nobody asks it for now: its child goes, at once or after the call that is under way. A new instance ends this.
    pub(super) fn rest(&self) {
        self.0.resting.store(true, Ordering::SeqCst);
        if let Ok(mut child) = self.0.child.try_lock() {
            *child = None;
        }
    }

    /// An instance for one plan.
    /// `parameters`: JSON text of an object.
    pub(super) fn coverage(&self, plan: &PlanView, parameters: String) -> Result<Box<dyn Serves>, PolicyFault> {
        if self.0.entry != Entry::Coverage {
            return Err(self.0.wrong_kind(Kind::QueuePolicy, Kind::CoveragePolicy));
        }
        self.0.resting.store(false, Ordering::SeqCst);
        let id = self.0.next_plan.fetch_add(1, Ordering::Relaxed);
        let policy = Arc::clone(&self.0);
        let plan = plan.clone();
        let mut instance = RhaiCoverage {
            policy,
            id,
            built_in: None,
            plan,
            parameters,
            news: Vec::new(),
            reasoned: false,
            asked: Instant::now(),
            fault: None,
        };
        instance.build()?;
        Ok(Box::new(instance))
    }
}

impl Inner {
    /// A child that has parsed the source.
    fn start(&self) -> Result<Child, Trouble> {
        let mut child = Child::start(&self.guest, "policy").map_err(Trouble::Lost)?;
        let source = self.source.clone();
        let (entry, world, memory_mib) = (self.entry, self.world, self.limits.memory_mib);
        let request = Request::Load { source, entry, world, memory_mib };
        match asked(&mut child, &Envelope { gone: Vec::new(), request }, LOAD_DEADLINE).map_err(Trouble::Lost)? {
            Answer::Done => Ok(child),
            other => Err(Trouble::Script(other)),
        }
    }

    /// The child at work; starts one if need be.
    fn child<'a>(&self, slot: &'a mut Option<Child>) -> Result<&'a mut Child, PolicyFault> {
        if slot.is_none() {
            let child = self.start().map_err(|trouble| match trouble {
                Trouble::Lost(fault) => self.lost("load", LOAD_DEADLINE, fault),
                Trouble::Script(answer) => self.failed("load", said(answer)),
            })?;
            *slot = Some(child);
        }
        slot.as_mut().ok_or_else(|| self.failed("load", "there is no child process".into()))
    }

    /// One question. A child that did not answer it properly is killed; the next question starts another.
    fn ask(
        &self,
        slot: &mut Option<Child>,
        request: Request,
        call: &'static str,
        factor: u32,
    ) -> Result<Answer, PolicyFault> {
        self.ask_within(slot, request, call, Duration::from_millis(self.limits.deadline_ms) * factor)
    }

    fn ask_within(
        &self,
        slot: &mut Option<Child>,
        request: Request,
        call: &'static str,
        deadline: Duration,
    ) -> Result<Answer, PolicyFault> {
        let envelope = Envelope { gone: std::mem::take(&mut *lock(&self.gone)), request };
        match asked(self.child(slot)?, &envelope, deadline) {
            Ok(Answer::Threw(what)) => Err(self.failed(call, what)),
            Ok(Answer::Declined(what)) => {
                Err(PolicyFault::Declined { plugin: self.label.clone(), what: sentence(&what) })
            }
            Ok(answer) => Ok(answer),
            Err(fault) => {
                *slot = None;
                Err(self.lost(call, deadline, fault))
            }
        }
    }

    /// After a call.
    fn settle(&self, child: &mut Option<Child>) {
        if self.resting.load(Ordering::SeqCst) {
            *child = None;
        }
    }

    fn lost(&self, call: &'static str, deadline: Duration, fault: ChildFault) -> PolicyFault {
        let plugin = self.label.clone();
        match fault {
            ChildFault::Silent => PolicyFault::Deadline { plugin, call, deadline_ms: deadline.as_millis() as u64 },
            ChildFault::TooMuch(most) => PolicyFault::AnswerTooLarge { plugin, call, most },
            other => self.failed(call, other.text(&self.guest, self.limits.memory_mib)),
        }
    }

    fn failed(&self, call: &'static str, what: String) -> PolicyFault {
        PolicyFault::Failed { plugin: self.label.clone(), call, what: with_place(&self.source, what) }
    }

    fn wrong_kind(&self, is: Kind, wanted: Kind) -> PolicyFault {
        PolicyFault::WrongKind { name: self.label.clone(), is: is.as_str(), wanted: wanted.as_str() }
    }
}

/// One request, one answer, within the deadline.
fn asked(child: &mut Child, envelope: &Envelope, deadline: Duration) -> Result<Answer, ChildFault> {
    child.say(envelope)?;
    child.hear(deadline)
}

/// The engine of every child, and strings as policies may use them.
fn engine() -> rhai::Engine {
    let mut engine = rhai_child::engine();
    rhai_child::strings::register(&mut engine);
    engine
}

/// What a policy in Rhai may call, as a definition file for editors (`.d.rhai`).
pub fn definitions() -> String {
    engine().definitions().single_file()
}

fn said(answer: Answer) -> String {
    match answer {
        Answer::Refused(what) | Answer::Misfit(what) | Answer::Threw(what) | Answer::Declined(what) => what,
        Answer::Done | Answer::Wishes { .. } | Answer::Reasons { .. } | Answer::Text(_) | Answer::Ranks(_) => {
            "it answered another question".into()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change under these locks is complete in itself.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A coverage policy at work. Remembers its plan and past, to build itself again when another instance has lost the child.
struct RhaiCoverage {
    policy: Arc<Inner>,
    id: u64,
    /// Which child knows the plan.
    built_in: Option<u32>,
    /// With all that the child has been told as its past.
    plan: PlanView,
    parameters: String,
    /// Told right before the next question.
    news: Vec<Noted>,
    /// The script can say why it has proposed what it has proposed last.
    reasoned: bool,
    /// When it was asked that.
    asked: Instant,
    fault: Option<PolicyFault>,
}

impl Serves for RhaiCoverage {
    fn apply(&mut self, news: &Noted) {
        self.news.push(news.clone());
    }

    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<wish::Answer, PolicyFault> {
        let request =
            Request::Propose { plan: self.id, now: now.micros(), free: free.iter().map(|target| target.0).collect() };
        self.asked = Instant::now();
        match self.ask(request, "propose", 1)? {
            Answer::Wishes { start, skip, reasoned } => {
                self.reasoned = reasoned;
                Ok(wish::Answer { start: start.into_iter().map(placement).collect(), skip })
            }
            other => Err(self.policy.failed("propose", said(other))),
        }
    }

    fn reason(&mut self, of: Placement) -> Result<String, PolicyFault> {
        match self.ask(Request::Reason { plan: self.id, of }, "reason", 1)? {
            Answer::Text(text) => Ok(sentence(&text)),
            other => Err(self.policy.failed("reason", said(other))),
        }
    }

    fn reasons(&mut self, of: &[Placement], left: Duration) -> Reasons {
        let deadline = Duration::from_millis(self.policy.limits.deadline_ms);
        let left = left.min(deadline.saturating_sub(self.asked.elapsed()));
        let spare = (left / 2).as_millis() as u64;
        if !self.reasoned || of.is_empty() || spare == 0 {
            return Reasons::default();
        }
        let request = Request::Reasons { plan: self.id, of: of.to_vec(), begin_within_ms: spare };
        let answer = self.once_sound(|this, slot| {
            // Another instance may have lost the child meanwhile: this plan is not worth building for a sentence.
            if slot.as_ref().map(Child::id) != this.built_in {
                return Ok(Answer::Reasons { texts: Vec::new(), threw: None });
            }
            this.policy.ask_within(slot, request, "reason", left)
        });
        match answer {
            Ok(Answer::Reasons { texts, threw: None }) => Reasons { texts, fault: None },
            Ok(Answer::Reasons { texts, threw: Some(what) }) => {
                let fault = self.policy.failed("reason", what);
                self.fault = Some(fault.clone());
                Reasons { texts, fault: Some(fault) }
            }
            Ok(other) => Reasons { texts: Vec::new(), fault: Some(self.policy.failed("reason", said(other))) },
            Err(fault) => Reasons { texts: Vec::new(), fault: Some(fault) },
        }
    }

    fn report(&mut self) -> Result<String, PolicyFault> {
        let now = self.news.last().or(self.plan.past.last()).map_or(self.plan.accepted, |noted| noted.at);
        match self.ask(Request::Report { plan: self.id, now: now.micros() }, "report", BUILD_FACTOR)? {
            Answer::Text(text) if text.len() > MAX_REPORT => {
                Err(PolicyFault::AnswerTooLarge { plugin: self.policy.label.clone(), call: "report", most: MAX_REPORT })
            }
            Answer::Text(text) => Ok(text),
            other => Err(self.policy.failed("report", said(other))),
        }
    }
}

impl RhaiCoverage {
    fn ask(&mut self, request: Request, call: &'static str, factor: u32) -> Result<Answer, PolicyFault> {
        self.once_sound(|this, slot| {
            this.catch_up(slot)?;
            this.policy.ask(slot, request, call, factor)
        })
    }

    fn build(&mut self) -> Result<(), PolicyFault> {
        self.once_sound(Self::catch_up)
    }

    /// After a fault the instance answers nothing but that fault.
    fn once_sound<T>(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Option<Child>) -> Result<T, PolicyFault>,
    ) -> Result<T, PolicyFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let policy = Arc::clone(&self.policy);
        let mut child = lock(&policy.child);
        let result = work(self, &mut child);
        policy.settle(&mut child);
        drop(child);
        self.fault = result.as_ref().err().cloned();
        result
    }

    /// Sees to it that the child knows the plan as we do.
    fn catch_up(&mut self, slot: &mut Option<Child>) -> Result<(), PolicyFault> {
        let child = self.policy.child(slot)?.id();
        let known = self.built_in == Some(child);
        let news = std::mem::take(&mut self.news);
        if known && news.is_empty() {
            return Ok(());
        }
        self.plan.past.extend(news.iter().cloned());
        let (request, call) = if known {
            (Request::Note { plan: self.id, changes: news }, "note")
        } else {
            (Request::Build { plan: self.id, view: WirePlan::new(&self.plan, &self.parameters) }, "build")
        };
        self.built_in = Some(child);
        self.policy.ask(slot, request, call, BUILD_FACTOR).map(|_done| ())
    }
}

impl Drop for RhaiCoverage {
    fn drop(&mut self) {
        lock(&self.policy.gone).push(self.id);
    }
}
