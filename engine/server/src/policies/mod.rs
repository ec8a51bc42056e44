//! Policy plugins at work: a few threads own the instances, answer the farm's questions, and forget what has ended.
//!
//! ```text
//!  Action::Ask ─► PolicyDesk ─► thread of (job, group) ─► instance.apply*, propose, reasons ─► Event::Proposed ─► farm
//!                                                           └─ fault ────────────────────────► Event::PolicyFailed, PolicyDeclined
//!  Action::AskReport ─► the same thread ─► instance.apply*, report ─► Event::Reported
//!  Action::AskRanks ─► PolicyDesk ─► a thread of its own ─► instance.rank* ─► Event::Ranked, or PolicyFailed
//! ```

mod analysers;
mod change;
mod deeds;
pub(crate) mod devices;
pub(crate) mod hosted;
pub(crate) mod install;
mod listed;
mod memory;
mod parameters;
pub(crate) mod plugins;
mod ranks;
mod seats;
mod startup;
pub(crate) mod trials;
mod uses;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headend_model::{JobId, PolicyName, TargetIx, Timestamp};
use headend_plugin_host::lifecycle::HeldVersion;
use headend_plugin_host::policy::Answer;
use headend_scheduler::action::{Ask, AskRanks, AskReport, Noted, RankedJob, RankedSlot};
use headend_scheduler::event::{Event, Placement, Said};
use headend_scheduler::view::PlanView;
use headend_scheduler::{Action, Farm};
use tokio::sync::mpsc;

use crate::clock::Clock;
use trials::Shadows;

/// Questions that may wait per thread.
const QUEUE: usize = 1_024;
/// Questions about ranks that may wait. The farm asks one at a time, and another one when it has given up the first.
const RANK_QUEUE: usize = 16;

/// Where instances come from; the plugin host, and what tests put in its place.
pub(crate) trait MakesPolicies: Send + Sync {
    /// An instance for one plan, told of the plan's past. `content`: of the version that the job began with, in an earlier life of the server;
    /// `None`: of what is in force.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn make(&self, policy: &PolicyName, plan: PlanView, content: Option<&str>) -> Result<Box<dyn Policy>, Trouble>;
    /// An instance of a queue policy, for one question.
    ///
    /// # Errors
    /// As [`MakesPolicies::make`].
    fn make_queue(&self, policy: &PolicyName) -> Result<Box<dyn Ranks>, String>;
    /// The farm has had enough of this policy: it is not to be asked before it is loaded again.
    fn quarantine(&self, policy: &PolicyName);
}

/// Why there is no answer, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The policy has failed.
    Failed(String),
    /// It cannot serve this plan, and says so.
    Declined(String),
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// An instance of a coverage policy.
pub(crate) trait Policy: Send {
    /// Hash of the content of the version that answers.
    fn content(&self) -> &str;
    /// What has happened since the last question.
    fn apply(&mut self, news: &Noted);
    /// What to start on these free targets.
    ///
    /// # Errors
    /// What it did wrong, for people.
    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, String>;
    /// Why it has just proposed these, within so much time. When that says that it failed, the instance is of no use any more.
    fn reasons(&mut self, of: &[Placement], left: Duration) -> Said;
    /// What has come of the plan: JSON text, or nothing.
    ///
    /// # Errors
    /// What it did wrong, for people.
    fn report(&mut self) -> Result<String, String>;
}

/// An instance of a queue policy.
pub(crate) trait Ranks {
    /// The rank of each job, in their order: smaller ones get slots first.
    ///
    /// # Errors
    /// What it did wrong, for people.
    fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, String>;
    /// The rank of each slot, in their order: of several free ones a job gets those with smaller ranks first.
    ///
    /// # Errors
    /// As [`Ranks::rank`].
    fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, String>;
}

/// An instance belongs to one group of tests of one job.
pub(crate) type Key = (JobId, u32);

/// A question with what its instance is built from, if there is none yet.
pub(crate) struct Question {
    asked: Asked,
    plan: Option<PlanView>,
    /// The same for those that are asked aside.
    aside: Vec<trials::Question>,
}

/// What a coverage policy is asked.
enum Asked {
    Propose(Ask),
    Report(AskReport),
}

impl Asked {
    fn of(action: &Action) -> Option<Self> {
        match action {
            Action::Ask(ask) => Some(Self::Propose(ask.clone())),
            Action::AskReport(ask) => Some(Self::Report(ask.clone())),
            _ => None,
        }
    }

    const fn number(&self) -> u64 {
        match self {
            Self::Propose(ask) => ask.ask,
            Self::Report(ask) => ask.ask,
        }
    }

    const fn key(&self) -> Key {
        match self {
            Self::Propose(ask) => (ask.job, ask.group),
            Self::Report(ask) => (ask.job, ask.group),
        }
    }

    const fn policy(&self) -> &PolicyName {
        match self {
            Self::Propose(ask) => &ask.policy,
            Self::Report(ask) => &ask.policy,
        }
    }

    fn changes(&self) -> &[Noted] {
        match self {
            Self::Propose(ask) => &ask.changes,
            Self::Report(ask) => &ask.changes,
        }
    }

    const fn deadline(&self) -> Timestamp {
        match self {
            Self::Propose(ask) => ask.deadline,
            Self::Report(ask) => ask.deadline,
        }
    }
}

enum Work {
    Ask(Box<Question>),
    ForgetJob(JobId),
    ForgetPolicy(PolicyName),
}

/// Instances that exist, so that the loop knows when to draw up a plan; with policy and content.
type Built = Arc<Mutex<HashMap<Key, (PolicyName, String)>>>;

/// Content that a job began with in an earlier life of the server. A failure ends this: what is built then is of what is in force, which may
/// be the mended version.
type Pins = Arc<Mutex<HashMap<(JobId, PolicyName), Pin>>>;

struct Pin {
    content: String,
    /// Keeps the version loaded.
    _held: Option<HeldVersion>,
}

/// Where questions are handed in.
pub(crate) struct PolicyDesk {
    seats: seats::Seats,
    /// Ranks have a thread of their own: a slow queue policy holds up no question about tests.
    ranks: std::sync::mpsc::SyncSender<AskRanks>,
    built: Built,
    pins: Pins,
    maker: Arc<dyn MakesPolicies>,
    /// Failures in a row, and the last one.
    strikes: Mutex<BTreeMap<PolicyName, (u32, String)>>,
    answers: mpsc::Sender<Event>,
    clock: Clock,
    shadows: Arc<Shadows>,
}

impl PolicyDesk {
    /// Threads start as they are needed. They end when the desk is dropped.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        maker: Arc<dyn MakesPolicies>,
        clock: Clock,
        answers: mpsc::Sender<Event>,
    ) -> std::io::Result<Self> {
        let (built, pins) = (Built::default(), Pins::default());
        let shadows = Shadows::start(maker.clone(), clock)?;
        let aside = shadows.clone();
        let worker = {
            let (maker, answers, built, pins) = (maker.clone(), answers.clone(), built.clone(), pins.clone());
            move || {
                worker::Worker::new(maker.clone(), clock, answers.clone(), built.clone(), pins.clone(), shadows.clone())
            }
        };
        let seats = seats::Seats::new(move |name| {
            let (sender, work) = std::sync::mpsc::sync_channel(QUEUE);
            let worker = worker();
            let run = move || worker.run(&work);
            std::thread::Builder::new().name(name).spawn(run)?;
            Ok(sender)
        });
        let ranks = ranks::start(maker.clone(), clock, answers.clone(), aside.clone(), RANK_QUEUE)?;
        Ok(Self { seats, ranks, built, pins, maker, strikes: Mutex::default(), answers, clock, shadows: aside })
    }

    /// The questions among these actions, with plans where an instance has to be built.
    pub(crate) fn questions(&self, farm: &Farm, actions: &[Action]) -> Vec<Question> {
        let draw_up = |asked: Asked| {
            let (job, group) = asked.key();
            // A job that was taken off a canary has an instance of another policy.
            let known = lock(&self.built).get(&(job, group)).is_some_and(|(policy, _)| policy == asked.policy());
            let plan = if known { None } else { farm.plan(job, group) };
            let aside = if let Asked::Propose(ask) = &asked { self.shadows.draw_up(farm, ask) } else { Vec::new() };
            Question { asked, plan, aside }
        };
        self.shadows.look(farm, actions);
        actions.iter().filter_map(Asked::of).map(draw_up).collect()
    }

    /// Puts a question to its thread. It is answered by an event, whatever happens.
    pub(crate) fn ask(&self, mut question: Question) {
        self.shadows.ask(std::mem::take(&mut question.aside));
        let (key, number) = (question.asked.key(), question.asked.number());
        let sent =
            self.seats.of(question.asked.policy(), key).map(|thread| thread.try_send(Work::Ask(Box::new(question))));
        if !matches!(sent, Ok(Ok(()))) {
            let reason = "too many questions wait for the policy's threads".to_owned();
            // Full here too: the farm's own deadline answers in our place.
            let _ = self.answers.try_send(Event::PolicyFailed { ask: number, reason });
        }
    }

    /// Puts a question about ranks to its thread. It is answered by an event, whatever happens.
    pub(crate) fn ask_ranks(&self, question: &AskRanks) {
        self.shadows.ask_ranks(question, self.clock.now());
        if self.ranks.try_send(question.clone()).is_err() {
            let reason = "too many questions wait for the queue policy".to_owned();
            // As above.
            let _ = self.answers.try_send(Event::PolicyFailed { ask: question.ask, reason });
        }
    }

    /// Policies that are asked aside.
    pub(crate) const fn shadows(&self) -> &Arc<Shadows> {
        &self.shadows
    }

    /// Drops the instances of a job that has ended.
    pub(crate) fn forget(&self, job: JobId) {
        self.shadows.forget(job);
        lock(&self.pins).retain(|(of, _), _| *of != job);
        let built = lock(&self.built);
        let groups = built.iter().filter(|((of, _), _)| *of == job);
        let groups: Vec<(Key, PolicyName)> = groups.map(|(key, (policy, _))| (*key, policy.clone())).collect();
        drop(built);
        for (key, policy) in groups {
            // A full queue keeps the instance a little longer, no more: its key stays in `built`.
            let _ = self.seats.of(&policy, key).map(|thread| thread.try_send(Work::ForgetJob(job)));
        }
    }

    /// Drops the instances of a policy that is not asked any more.
    pub(crate) fn forget_policy(&self, policy: &PolicyName) {
        for thread in self.seats.all_of(policy) {
            let _ = thread.try_send(Work::ForgetPolicy(policy.clone()));
        }
    }

    /// Open jobs by the content of the policy that they are at work with.
    pub(crate) fn contents(&self, policy: &PolicyName) -> BTreeMap<String, BTreeSet<JobId>> {
        let mut all = BTreeMap::<String, BTreeSet<JobId>>::new();
        for ((job, of), pin) in lock(&self.pins).iter() {
            if of == policy {
                all.entry(pin.content.clone()).or_default().insert(*job);
            }
        }
        for ((job, _), (of, content)) in lock(&self.built).iter() {
            if of == policy {
                all.entry(content.clone()).or_default().insert(*job);
            }
        }
        all
    }

    /// The job began with this content, before the server started.
    pub(crate) fn pin(&self, job: JobId, policy: PolicyName, content: String, held: Option<HeldVersion>) {
        lock(&self.pins).insert((job, policy), Pin { content, _held: held });
    }

    /// Jobs that have ended since need nothing any more.
    pub(crate) fn unpin_all_but(&self, open: &[JobId]) {
        lock(&self.pins).retain(|(job, _), _| open.contains(job));
    }

    /// Notes that a policy has failed; when that was once too often, its instances go.
    pub(crate) fn struck(&self, policy: &PolicyName, strikes: u32, reason: &str, quarantined: bool) {
        self.remember(policy, strikes, reason);
        if quarantined {
            self.maker.quarantine(policy);
            self.forget_policy(policy);
        }
    }

    /// Failures in a row as the farm counts them, and the last one.
    pub(crate) fn remember(&self, policy: &PolicyName, strikes: u32, reason: &str) {
        let mut all = lock(&self.strikes);
        match strikes {
            0 => drop(all.remove(policy)),
            _ => drop(all.insert(policy.clone(), (strikes, reason.to_owned()))),
        }
    }

    /// Failures in a row, and the last one, for people.
    pub(crate) fn strikes(&self, policy: &PolicyName) -> Option<(u32, String)> {
        lock(&self.strikes).get(policy).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
