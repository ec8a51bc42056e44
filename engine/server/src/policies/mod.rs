//! Policy plugins at work: a few threads own the instances, answer the farm's questions, and forget what has ended.
//!
//! ```text
//!  Action::Ask ─► PolicyDesk ─► thread of (job, group) ─► instance.apply*, propose ─► Event::Proposed ─► farm
//!                                                           └─ fault ───────────────► Event::PolicyFailed
//!  Action::AskRanks ─► PolicyDesk ─► a thread of its own ─► instance.rank* ─► Event::Ranked, or PolicyFailed
//! ```

pub(crate) mod plugins;
mod ranks;
mod startup;
mod worker;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use headend_model::{JobId, PolicyName, TargetIx, Timestamp};
use headend_scheduler::action::{Ask, AskRanks, PlanChange, RankedJob};
use headend_scheduler::event::{Event, Placement};
use headend_scheduler::view::PlanView;
use headend_scheduler::{Action, Farm};
use tokio::sync::mpsc;

use crate::clock::Clock;

/// Threads that answer questions. A policy that stalls holds up only those that share its thread, until its deadline.
const THREADS: usize = 4;
/// Questions that may wait per thread.
const QUEUE: usize = 1_024;
/// Questions about ranks that may wait. The farm asks one at a time, and another one when it has given up the first.
const RANK_QUEUE: usize = 16;

/// Where instances come from; the plugin host, and what tests put in its place.
pub(crate) trait MakesPolicies: Send + Sync {
    /// An instance for one plan, told of the plan's past.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn make(&self, policy: &PolicyName, plan: &PlanView) -> Result<Box<dyn Policy>, String>;
    /// An instance of a queue policy, for one question.
    ///
    /// # Errors
    /// As [`MakesPolicies::make`].
    fn make_queue(&self, policy: &PolicyName) -> Result<Box<dyn Ranks>, String>;
    /// The farm has had enough of this policy: it is not to be asked before it is loaded again.
    fn quarantine(&self, policy: &PolicyName);
}

/// An instance of a coverage policy.
pub(crate) trait Policy: Send {
    /// What has happened since the last question.
    fn apply(&mut self, change: &PlanChange);
    /// What to start on these free targets.
    ///
    /// # Errors
    /// What it did wrong, for people.
    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Vec<Placement>, String>;
}

/// An instance of a queue policy.
pub(crate) trait Ranks {
    /// The rank of a job: smaller ones get slots first.
    ///
    /// # Errors
    /// What it did wrong, for people.
    fn rank(&mut self, job: &RankedJob) -> Result<i64, String>;
}

/// An instance belongs to one group of tests of one job.
pub(crate) type Key = (JobId, u32);

/// A question with what its instance is built from, if there is none yet.
pub(crate) struct Question {
    ask: Ask,
    plan: Option<PlanView>,
}

enum Work {
    Ask(Box<Question>),
    ForgetJob(JobId),
    ForgetPolicy(PolicyName),
}

/// Instances that exist, so that the loop knows when to draw up a plan.
type Built = Arc<Mutex<HashSet<Key>>>;

/// Where questions are handed in.
pub(crate) struct PolicyDesk {
    threads: Vec<std::sync::mpsc::SyncSender<Work>>,
    /// Ranks have a thread of their own: a slow queue policy holds up no question about tests.
    ranks: std::sync::mpsc::SyncSender<AskRanks>,
    built: Built,
    maker: Arc<dyn MakesPolicies>,
    /// Failures in a row, and the last one.
    strikes: Mutex<BTreeMap<PolicyName, (u32, String)>>,
    answers: mpsc::Sender<Event>,
}

impl PolicyDesk {
    /// Starts the threads. They end when the desk is dropped.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        maker: Arc<dyn MakesPolicies>,
        clock: Clock,
        answers: mpsc::Sender<Event>,
    ) -> std::io::Result<Self> {
        let built = Built::default();
        let threads = (0..THREADS).map(|number| {
            let (sender, work) = std::sync::mpsc::sync_channel(QUEUE);
            let worker = worker::Worker::new(maker.clone(), clock, answers.clone(), built.clone());
            std::thread::Builder::new().name(format!("policy-{number}")).spawn(move || worker.run(&work))?;
            Ok(sender)
        });
        let threads = threads.collect::<std::io::Result<Vec<_>>>()?;
        let ranks = ranks::start(maker.clone(), clock, answers.clone(), RANK_QUEUE)?;
        Ok(Self { threads, ranks, built, maker, strikes: Mutex::default(), answers })
    }

    /// The questions among these actions, with plans where an instance has to be built.
    pub(crate) fn questions(&self, farm: &Farm, actions: &[Action]) -> Vec<Question> {
        let asks = actions.iter().filter_map(|action| match action {
            Action::Ask(ask) => Some(ask.clone()),
            _ => None,
        });
        asks.map(|ask| {
            let known = lock(&self.built).contains(&(ask.job, ask.group));
            let plan = if known { None } else { farm.plan(ask.job, ask.group) };
            Question { ask, plan }
        })
        .collect()
    }

    /// Puts a question to its thread. It is answered by an event, whatever happens.
    pub(crate) fn ask(&self, question: Question) {
        let key = (question.ask.job, question.ask.group);
        let number = question.ask.ask;
        if self.thread_of(key).try_send(Work::Ask(Box::new(question))).is_err() {
            let reason = "too many questions wait for the policy threads".to_owned();
            // Full here too: the farm's own deadline answers in our place.
            let _ = self.answers.try_send(Event::PolicyFailed { ask: number, reason });
        }
    }

    /// Puts a question about ranks to its thread. It is answered by an event, whatever happens.
    pub(crate) fn ask_ranks(&self, question: &AskRanks) {
        if self.ranks.try_send(question.clone()).is_err() {
            let reason = "too many questions wait for the queue policy".to_owned();
            // As above.
            let _ = self.answers.try_send(Event::PolicyFailed { ask: question.ask, reason });
        }
    }

    /// Drops the instances of a job that has ended.
    pub(crate) fn forget(&self, job: JobId) {
        let groups: Vec<Key> = lock(&self.built).iter().copied().filter(|(of, _)| *of == job).collect();
        for key in groups {
            // A full queue keeps the instance a little longer, no more: its key stays in `built`.
            let _ = self.thread_of(key).try_send(Work::ForgetJob(job));
        }
    }

    /// Drops the instances of a policy that is not asked any more.
    pub(crate) fn forget_policy(&self, policy: &PolicyName) {
        for thread in &self.threads {
            let _ = thread.try_send(Work::ForgetPolicy(policy.clone()));
        }
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

    fn thread_of(&self, key: Key) -> &std::sync::mpsc::SyncSender<Work> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        &self.threads[hasher.finish() as usize % self.threads.len()]
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
