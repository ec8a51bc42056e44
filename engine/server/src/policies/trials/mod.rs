//! Policies on trial. A canary is the farm's matter, and its instances are asked like all others (`canary`). A shadow is asked aside:
//!
//! ```text
//!  Action::Ask of the live policy ─► Shadows::draw_up ─► Shadows::ask (bounded; dropped and counted when full) ─► thread `policy-shadow`
//!  the live answer ────────────────► Shadows::answered ───────────────────────────────────────────────────────► compared there
//! ```
//!
//! Nothing of it goes back to the farm: there is no way by which a shadow could delay or change a decision.

mod aside;
mod canary;
mod figures;
mod keep;
mod shadow;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use headend_model::{JobId, PolicyName, Span, Timestamp};
use headend_scheduler::action::{Ask, AskRanks, RankedJob};
use headend_scheduler::event::Event;
use headend_scheduler::view::PlanView;
use headend_scheduler::{Action, Farm};

pub(crate) use figures::Shadow;
pub(crate) use keep::left_in;

use super::{Key, MakesPolicies, lock};
use crate::clock::Clock;
use crate::show::queue::BUILT_IN;

/// What may wait for the thread of the shadows. More is dropped.
const QUEUE: usize = 256;
/// Shadows that run at once.
const MOST: usize = 8;
/// Shadows that are remembered.
const REMEMBERED: usize = 32;
/// Jobs that a shadow of the built-in order is asked about at each new job.
const JOBS: usize = 256;

/// A question for a shadow, drawn up together with that for the live policy.
pub(super) struct Question {
    shadow: PolicyName,
    ask: Ask,
    plan: Option<PlanView>,
    /// What the farm allows the live policy.
    allowed: Span,
}

/// A question about ranks.
pub(super) struct RankQuestion {
    shadow: PolicyName,
    jobs: Vec<RankedJob>,
    at: Timestamp,
    /// Ranks of the one at work, if it was not asked by the same question.
    live: BTreeMap<JobId, i64>,
    /// Else the number of that.
    ask: Option<u64>,
    allowed: Span,
}

pub(super) enum Work {
    Ask(Box<Question>),
    Rank(Box<RankQuestion>),
    /// What the live policy has answered, and what it took it.
    Live(Box<(Event, Duration)>),
    Forget(JobId),
    End(PolicyName),
}

/// All shadows, and where questions for them are handed in.
pub(crate) struct Shadows {
    all: Mutex<BTreeMap<PolicyName, Shadow>>,
    /// Instances that exist, or will once what waits is done.
    built: Mutex<HashSet<(PolicyName, Key)>>,
    running: AtomicUsize,
    waiting: AtomicUsize,
    work: OnceLock<SyncSender<Work>>,
}

impl Shadows {
    /// Starts the thread. It ends when the last sender is dropped.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(super) fn start(maker: Arc<dyn MakesPolicies>, clock: Clock) -> std::io::Result<Arc<Self>> {
        let (sender, work) = sync_channel(QUEUE);
        let shadows = Arc::new(Self {
            all: Mutex::default(),
            built: Mutex::default(),
            running: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            work: OnceLock::new(),
        });
        let aside = aside::Aside::new(maker, clock, Arc::downgrade(&shadows));
        std::thread::Builder::new().name("policy-shadow".to_owned()).spawn(move || aside.run(&work))?;
        // Set once, here.
        let _ = shadows.work.set(sender);
        Ok(shadows)
    }

    fn is_idle(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0
    }

    /// Hands something to the thread, if there is room.
    fn send(&self, work: Work) -> bool {
        let Some(sender) = self.work.get() else { return false };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = sender.try_send(work).is_ok();
        if !sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }

    fn with(&self, shadow: &PolicyName, change: impl FnOnce(&mut Shadow)) {
        if let Some(shadow) = lock(&self.all).get_mut(shadow) {
            change(shadow);
            shadow.changed = true;
        }
    }

    /// The questions for the shadows of a coverage policy. Drawn up in the farm's loop, so no more than a plan is copied, and none when the
    /// queue is full.
    pub(super) fn draw_up(&self, farm: &Farm, ask: &Ask) -> Vec<Question> {
        if self.is_idle() {
            return Vec::new();
        }
        let beside: Vec<PolicyName> = lock(&self.all)
            .iter()
            .filter(|(_, shadow)| shadow.is_asked_beside(ask.policy.as_str(), false))
            .map(|(name, _)| name.clone())
            .collect();
        let allowed = ask.deadline.since(farm.now());
        let draw_up = |shadow: PolicyName| {
            let key = (shadow.clone(), (ask.job, ask.group));
            if self.waiting.load(Ordering::Relaxed) >= QUEUE {
                self.drop_question(&key);
                return None;
            }
            let plan = if lock(&self.built).insert(key) { farm.plan(ask.job, ask.group) } else { None };
            Some(Question { shadow, ask: ask.clone(), plan, allowed })
        };
        beside.into_iter().filter_map(draw_up).collect()
    }

    /// Its instance has missed something: it is built anew for the next question.
    fn drop_question(&self, key: &(PolicyName, Key)) {
        self.with(&key.0, |shadow| shadow.figures.dropped += 1);
        lock(&self.built).remove(key);
    }

    /// Puts questions to the thread. What finds no room is counted, no more.
    pub(super) fn ask(&self, questions: Vec<Question>) {
        for question in questions {
            let key = (question.shadow.clone(), (question.ask.job, question.ask.group));
            if !self.send(Work::Ask(Box::new(question))) {
                self.drop_question(&key);
            }
        }
    }

    /// The live queue policy is asked: so are its shadows.
    pub(super) fn ask_ranks(&self, question: &AskRanks, now: Timestamp) {
        for shadow in self.beside_queue(question.policy.as_str()) {
            let allowed = question.deadline.since(now);
            let (jobs, ask) = (question.jobs.clone(), Some(question.ask));
            self.rank(RankQuestion { shadow, jobs, at: now, live: BTreeMap::new(), ask, allowed });
        }
    }

    fn beside_queue(&self, live: &str) -> Vec<PolicyName> {
        if self.is_idle() {
            return Vec::new();
        }
        let all = lock(&self.all);
        let beside = all.iter().filter(|(_, shadow)| shadow.is_asked_beside(live, true));
        beside.map(|(name, _)| name.clone()).collect()
    }

    /// The built-in order asks nobody: its shadows are asked about the open jobs when one comes.
    pub(super) fn look(&self, farm: &Farm, actions: &[Action]) {
        let came = |action: &Action| matches!(action, Action::Accepted { repeated: false, .. } | Action::Schedule(_));
        if self.is_idle() || farm.queue_order().ranked_by.is_some() || !actions.iter().any(came) {
            return;
        }
        for shadow in self.beside_queue(BUILT_IN) {
            self.rank(rank_all(farm, shadow));
        }
    }

    fn rank(&self, question: RankQuestion) {
        let shadow = question.shadow.clone();
        if !question.jobs.is_empty() && !self.send(Work::Rank(Box::new(question))) {
            self.with(&shadow, |shadow| shadow.figures.dropped += 1);
        }
    }

    /// What a live policy has answered, and what it took it.
    pub(super) fn answered(&self, event: &Event, took: Duration) {
        if !self.is_idle() {
            // Without room nothing is compared, no more.
            self.send(Work::Live(Box::new((event.clone(), took))));
        }
    }

    /// Drops the instances for a job that has ended.
    pub(super) fn forget(&self, job: JobId) {
        if !self.is_idle() {
            lock(&self.built).retain(|(_, (of, _))| *of != job);
            // Without room its instances stay until the shadow ends.
            self.send(Work::Forget(job));
        }
    }

    /// The live policies that have shadows at work, for people.
    pub(crate) fn list(&self) -> Vec<(PolicyName, Shadow)> {
        let mut all: Vec<(PolicyName, Shadow)> =
            lock(&self.all).iter().map(|(name, shadow)| (name.clone(), shadow.clone())).collect();
        all.sort_by_key(|(_, shadow)| std::cmp::Reverse(shadow.began));
        all
    }

    /// Counts anew how many run.
    fn recount(&self) {
        let running = lock(&self.all).values().filter(|shadow| shadow.ended.is_none()).count();
        self.running.store(running, Ordering::Relaxed);
    }

    /// Takes one up, new or from an earlier life of the server. The oldest that are over make room; their names.
    fn take_up(&self, name: PolicyName, shadow: Shadow) -> Vec<PolicyName> {
        let mut all = lock(&self.all);
        all.insert(name, shadow);
        let mut over: Vec<(i64, PolicyName)> =
            all.iter().filter(|(_, one)| one.ended.is_some()).map(|(name, one)| (one.began, name.clone())).collect();
        over.sort_unstable();
        over.truncate(all.len().saturating_sub(REMEMBERED));
        let gone: BTreeSet<PolicyName> = over.into_iter().map(|(_, name)| name).collect();
        all.retain(|name, _| !gone.contains(name));
        drop(all);
        self.recount();
        gone.into_iter().collect()
    }

    /// Ends one; whether it was running.
    fn end(&self, name: &PolicyName, at: Timestamp, reason: &str) -> bool {
        let mut was = false;
        self.with(name, |shadow| {
            was = shadow.ended.is_none();
            if was {
                shadow.ended = Some((at.micros(), reason.to_owned()));
            }
        });
        if was {
            self.recount();
            lock(&self.built).retain(|(of, _)| of != name);
            self.send(Work::End(name.clone()));
        }
        was
    }
}

/// All open jobs, as far as they are asked about at once, with the ranks in force.
fn rank_all(farm: &Farm, shadow: PolicyName) -> RankQuestion {
    let (jobs, live): (Vec<RankedJob>, Vec<i64>) = farm.ranks_in_force(JOBS).into_iter().unzip();
    let live = jobs.iter().map(|job| job.job).zip(live).collect();
    let allowed = farm.config().policy_deadline.times(20);
    RankQuestion { shadow, jobs, at: farm.now(), live, ask: None, allowed }
}
