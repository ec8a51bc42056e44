//! Which rule orders the jobs: the core's own, or a queue policy plugin.
//!
//! ```text
//!  UseQueuePolicy ─► all open jobs are asked about, a batch at a time ─► once all are ranked: one change of order
//!  Submit ─────────► the new job stands behind all ranked ones ─► asked about ─► takes its place
//!  usage changes ──► asked again about that owner's jobs, at a bounded rate (`order_again`)
//!  failure ────────► asked again after a pause ─► the third in a row: quarantine, the core's own rule
//! ```
//!
//! A rank holds until another one is given, so a decision stays at O(log n). Nothing waits for a plugin: what it has not
//! ranked keeps its place until it has.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{JobId, PolicyName, SlotId, Span, UserName};

use super::order_again::Again;
use super::queues::Rank;
use super::state::Timer;
use super::{Farm, Violation};
use crate::action::{Action, AskRanks, QueueState, RankedJob};
use crate::event::PolicyKind;
use crate::view::{QueueRank, QueueView};

/// Jobs that are asked about in one question: so many for the first time, and as many again. Together no more than the
/// contract allows.
const BATCH: usize = 256;
/// A question about ranks holds no slot back, so it may take this many times as long as one about tests.
const PATIENCE: u64 = 20;
/// How many policy deadlines a queue policy that has failed is left alone.
const PAUSE: u64 = 4;

/// Which rule is wanted, and how far a plugin has got with it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub(super) struct Order {
    /// The plugin that is to order the jobs; `None`: the core's own rule.
    pub(super) wanted: Option<PolicyName>,
    /// The plugin whose ranks are in force; a former one while the wanted one is still at work.
    ranked_by: Option<PolicyName>,
    /// A whole new order is in the making: all open jobs below this one are part of it.
    pub(super) switching: Option<JobId>,
    /// Open jobs that are still to be asked about.
    pub(super) unranked: BTreeSet<JobId>,
    /// Ranks that come into force together.
    ready: BTreeMap<JobId, i64>,
    asking: Option<Question>,
    /// The plugin has failed: no question before this time is over.
    pausing: bool,
    /// Which of several free slots a job gets first; those without a rank last. Empty: in the order of the slots.
    slot_ranks: BTreeMap<SlotId, i64>,
    /// What is to be asked about again.
    pub(super) again: Again,
}

/// A question that waits for its answer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Question {
    ask: u64,
    jobs: BTreeSet<JobId>,
    #[cfg_attr(feature = "serde", serde(default))]
    slots: BTreeSet<SlotId>,
}

impl Order {
    pub(super) fn is_asking(&self, ask: u64) -> bool {
        self.asking.as_ref().is_some_and(|question| question.ask == ask)
    }

    /// A question is on the table, or the plugin is left alone: what comes next is looked at after that.
    pub(super) const fn is_asking_at_all(&self) -> bool {
        self.asking.is_some() || self.pausing
    }

    /// Takes the question off the table; its jobs are to be asked about again.
    fn take_back(&mut self) {
        if let Some(question) = self.asking.take() {
            self.unranked.extend(question.jobs);
            self.again.slots.extend(question.slots);
        }
    }

    /// When usage or wear is to be looked at again, the time has come.
    pub(super) fn woken(&mut self) {
        self.again.woken();
    }

    /// Open jobs without a rank of the wanted plugin.
    fn to_rank(&self) -> u32 {
        (self.unranked.len() + self.asking.as_ref().map_or(0, |question| question.jobs.len())) as u32
    }
}

impl Question {
    /// What an answer says nothing of.
    fn left_out(&self, jobs: &BTreeMap<JobId, i64>, slots: &BTreeMap<SlotId, i64>) -> Option<String> {
        let job = self.jobs.iter().find(|job| !jobs.contains_key(job)).map(|job| format!("job {job}"));
        let slot = || self.slots.iter().find(|slot| !slots.contains_key(slot)).map(|slot| format!("slot {slot}"));
        job.or_else(slot)
    }
}

/// Which jobs get a rank of the core's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those that have no rank of a plugin.
    NotGiven,
}

impl Farm {
    /// The rule that orders the jobs.
    pub fn queue_order(&self) -> QueueView<'_> {
        let Order { wanted, ranked_by, .. } = &self.order;
        QueueView { wanted: wanted.as_ref(), ranked_by: ranked_by.as_ref(), state: self.queue_state() }
    }

    /// Where an open job stands.
    pub fn queue_rank(&self, job: JobId) -> Option<QueueRank<'_>> {
        Some(match (self.jobs.get(&job)?.key.0, &self.order.ranked_by) {
            (Rank::Given { given: rank }, Some(policy)) => QueueRank::Plugin { policy, rank },
            (Rank::Own(_), Some(policy)) => QueueRank::NotYet { policy },
            (Rank::Own(rank) | Rank::Given { given: rank }, None) => QueueRank::BuiltIn(rank),
        })
    }

    fn queue_state(&self) -> QueueState {
        let order = &self.order;
        let Some(name) = &order.wanted else { return QueueState::InForce };
        if !self.may_be_asked(name, PolicyKind::Queue) {
            return QueueState::StoodIn { reason: self.why_not_asked(name) };
        }
        if order.switching.is_some() { QueueState::Ranking(order.to_rank()) } else { QueueState::InForce }
    }

    fn why_not_asked(&self, name: &PolicyName) -> String {
        match self.policies.get(name) {
            Some(book) if book.loaded && book.kind != PolicyKind::Queue => "not a queue policy".to_owned(),
            Some(book) if book.quarantined => format!("in quarantine after repeated failures: {}", book.reason),
            _ => "not loaded".to_owned(),
        }
    }

    pub(super) fn use_queue_policy(&mut self, policy: Option<&PolicyName>, by: &UserName) {
        if self.order.wanted.as_ref() != policy {
            self.order.wanted = policy.cloned();
            match policy {
                Some(name) if self.may_be_asked(name, PolicyKind::Queue) => self.rank_anew(),
                Some(_) | None => self.order_natively(),
            }
        }
        self.tell_order(Some(by.clone()));
    }

    fn tell_order(&mut self, by: Option<UserName>) {
        let (policy, state) = (self.order.wanted.clone(), self.queue_state());
        // Once per step: the last one says it all.
        self.round.out.retain(|action| !matches!(action, Action::QueueOrder { .. }));
        self.emit(Action::QueueOrder { policy, state, by });
    }

    /// The plugin may be asked (again), or is another one by now.
    pub(super) fn queue_policy_came(&mut self, name: &PolicyName) {
        if self.order.wanted.as_ref() != Some(name) {
            return;
        }
        if self.may_be_asked(name, PolicyKind::Queue) {
            self.rank_anew();
        } else {
            self.order_natively();
        }
        self.tell_order(None);
    }

    /// The plugin cannot be asked any more.
    pub(super) fn queue_policy_went(&mut self, name: &PolicyName) {
        if self.order.wanted.as_ref() == Some(name) {
            self.order_natively();
            self.tell_order(None);
        }
    }

    /// The core's own order, at once.
    fn order_natively(&mut self) {
        let wanted = self.order.wanted.take();
        self.order = Order { wanted, ..Order::default() };
        self.rank_natively(Which::All);
        self.look_everywhere();
    }

    /// Another order lets other jobs pass a hold.
    fn look_everywhere(&mut self) {
        self.round.dirty.extend(self.slots.keys().copied());
    }

    /// Ranks by the core's own rule: all jobs, or those that no plugin has ranked.
    pub(super) fn rank_natively(&mut self, which: Which) {
        for id in self.jobs.keys().copied().collect::<Vec<_>>() {
            let Some(job) = self.jobs.get(&id) else { continue };
            if which == Which::All || matches!(job.key.0, Rank::Own(_)) {
                self.rank_natively_one(id);
            }
        }
    }

    fn rank_natively_one(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let rank = Rank::Own(self.rank(id, &job.spec, job.accepted));
        self.give_rank(id, rank);
    }

    /// Moves a job to its place by a rank.
    fn give_rank(&mut self, id: JobId, rank: Rank) {
        #[cfg(feature = "mutants")]
        let rank = self.mutated_rank(rank);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let (queue, old) = (job.queue, job.key);
        job.key = (rank, id);
        if old != job.key && self.queues.contains(queue, old) {
            self.queues.remove(queue, old);
            job.queue = self.queues.add(&job.spec.targets, job.key);
        }
    }

    #[cfg(feature = "mutants")]
    fn mutated_rank(&self, rank: Rank) -> Rank {
        match rank {
            Rank::Given { .. } if self.is_mutant(crate::mutant::Mutant::RanksIgnored) => Rank::Given { given: 0 },
            rank => rank,
        }
    }

    /// All open jobs are to be ranked by the wanted plugin. Until they are, the order stays.
    fn rank_anew(&mut self) {
        let order = &mut self.order;
        order.switching = Some(JobId(self.next.job));
        order.unranked = self.jobs.keys().copied().collect();
        order.ready.clear();
        order.asking = None;
        order.pausing = false;
        order.again = Again::default();
        self.go_on_asking();
    }

    /// A new job has come.
    pub(super) fn want_rank(&mut self, id: JobId) {
        let wanted = self.order.wanted.as_ref();
        if self.jobs.contains_key(&id) && wanted.is_some_and(|name| self.may_be_asked(name, PolicyKind::Queue)) {
            self.order.unranked.insert(id);
            self.go_on_asking();
        }
    }

    /// The server has started: nobody will answer what was asked before.
    pub(super) fn ask_ranks_anew(&mut self) {
        self.order.take_back();
        self.ask_ranks();
    }

    /// The pause after a failure is over.
    pub(super) fn ask_ranks(&mut self) {
        self.order.pausing = false;
        self.go_on_asking();
    }

    /// Asks about the oldest jobs without a rank and, as far as it is their time, those whose ranks may have changed; unless
    /// a question is on the table or the plugin is left alone. At the end of each step.
    pub(super) fn go_on_asking(&mut self) {
        let Some(policy) = self.order.wanted.as_ref() else { return };
        if self.order.asking.is_some() || self.order.pausing || !self.may_be_asked(policy, PolicyKind::Queue) {
            return;
        }
        let policy = policy.clone();
        let mut jobs = self.next_to_rank();
        jobs.extend(self.next_to_rank_again(BATCH));
        let slots = self.next_slots_to_rank();
        if jobs.is_empty() && slots.is_empty() {
            return self.wake_for_ranks();
        }
        let ask = self.next.ask;
        self.next.ask += 1;
        let deadline = self.now + self.ranks_deadline();
        self.arm(deadline, Timer::Ask(ask));
        self.order.asking = Some(Question {
            ask,
            jobs: jobs.iter().map(|job| job.job).collect(),
            slots: slots.iter().map(|slot| slot.slot).collect(),
        });
        self.emit(Action::AskRanks(AskRanks { ask, policy, jobs, slots, deadline }));
    }

    /// The next batch; comes to the end of a switch on the way, if all of it are ranked.
    fn next_to_rank(&mut self) -> Vec<RankedJob> {
        while let Some(first) = self.order.unranked.first()
            && !self.jobs.contains_key(first)
        {
            self.order.unranked.pop_first();
        }
        let first = self.order.unranked.first();
        if self.order.switching.is_some_and(|end| first.is_none_or(|first| *first >= end)) {
            self.switch();
        }
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(id) = self.order.unranked.pop_first()
        {
            batch.extend(self.ranked_job(id));
        }
        batch
    }

    pub(super) fn ranked_job(&self, id: JobId) -> Option<RankedJob> {
        let job = self.jobs.get(&id)?;
        let (owner, priority) = (job.spec.owner.clone(), job.spec.priority);
        let usage = self.usage(&owner);
        Some(RankedJob { job: id, owner, priority, accepted: job.accepted, usage })
    }

    /// All open jobs are ranked: the new order comes into force in one go.
    fn switch(&mut self) {
        self.order.switching = None;
        self.order.ranked_by.clone_from(&self.order.wanted);
        self.order.slot_ranks.clear();
        let mut ready = std::mem::take(&mut self.order.ready);
        for id in self.jobs.keys().copied().collect::<Vec<_>>() {
            match ready.remove(&id) {
                Some(given) => self.give_rank(id, Rank::Given { given }),
                // It came after the switch was asked for, and is asked about next.
                None => self.rank_natively_one(id),
            }
        }
        self.look_everywhere();
        self.tell_order(None);
        self.follow_usage();
    }

    /// How long the plugin has for one question.
    pub(super) fn ranks_deadline(&self) -> Span {
        self.config.policy_deadline.times(PATIENCE as i64)
    }

    pub(super) fn ranked(&mut self, ask: u64, ranks: &[(JobId, i64)], slots: &[(SlotId, i64)]) {
        if !self.order.is_asking(ask) {
            return;
        }
        let told: BTreeMap<JobId, i64> = ranks.iter().copied().collect();
        let slots: BTreeMap<SlotId, i64> = slots.iter().copied().collect();
        if let Some(left_out) = self.order.asking.as_ref().and_then(|asked| asked.left_out(&told, &slots)) {
            return self.ranks_failed(&format!("gave no rank to {left_out}"));
        }
        let Some(question) = self.order.asking.take() else { return };
        if let Some(name) = self.order.wanted.clone() {
            self.forgive(&name);
        }
        for slot in question.slots {
            self.order.slot_ranks.extend(slots.get(&slot).map(|rank| (slot, *rank)));
        }
        // In the order of their ranks, so that a queue's cursors move back once and not with each of them.
        let mut given: Vec<(i64, JobId)> =
            question.jobs.iter().filter_map(|job| told.get(job).map(|rank| (*rank, *job))).collect();
        given.sort_unstable();
        if self.order.switching.is_some() {
            self.order.ready.extend(given.into_iter().map(|(rank, job)| (job, rank)));
        } else {
            self.take_ranks(&given);
        }
        self.go_on_asking();
    }

    /// Ranks that come into force one by one.
    fn take_ranks(&mut self, ranks: &[(i64, JobId)]) {
        let (mut lists, mut moved) = (BTreeMap::new(), false);
        for (given, id) in ranks {
            let Some(job) = self.jobs.get(id) else { continue };
            let (old, new) = (job.key.0, Rank::Given { given: *given });
            if old == new {
                continue;
            }
            match old {
                Rank::Own(_) => drop(lists.insert(job.queue, *id)),
                Rank::Given { .. } => moved = true,
            }
            self.give_rank(*id, new);
        }
        // Jobs with the same list of targets share a queue: one of them stands for all.
        for job in lists.into_values() {
            self.mark_targets(job);
        }
        // Who had a rank before has been looked at wherever something is free; only a hold may let it pass now.
        if moved {
            let held = self.slots.iter().filter(|(_, slot)| slot.hold.is_some());
            self.round.dirty.extend(held.map(|(id, _)| *id));
        }
    }

    /// Among several free slots those with smaller ranks are taken first.
    pub(super) fn slot_rank(&self, slot: SlotId) -> i64 {
        self.order.slot_ranks.get(&slot).copied().unwrap_or(i64::MAX)
    }

    pub(super) fn ranks_failed(&mut self, reason: &str) {
        self.order.take_back();
        let Some(name) = self.order.wanted.clone() else { return };
        self.strike(&name, reason);
        if self.may_be_asked(&name, PolicyKind::Queue) {
            self.order.pausing = true;
            self.arm(self.now + self.config.policy_deadline.times(PAUSE as i64), Timer::Ranks);
        } else {
            self.queue_policy_went(&name);
        }
    }

    /// A rank of a plugin is in force only while the plugin is, and no job is forgotten that it is to rank.
    pub(super) fn check_order(&self) -> Result<(), Violation> {
        let order = &self.order;
        let asks = order.wanted.as_ref().is_some_and(|name| self.may_be_asked(name, PolicyKind::Queue));
        let noted = |id: &JobId| {
            let asking = order.asking.as_ref().is_some_and(|question| question.jobs.contains(id));
            asking || order.unranked.contains(id) || order.ready.contains_key(id)
        };
        self.check_again()?;
        for (id, job) in &self.jobs {
            let given = matches!(job.key.0, Rank::Given { .. });
            let sound = !given || order.ranked_by.is_some();
            let known = !asks || noted(id) || (given && order.switching.is_none());
            if !(sound && known) {
                let what = format!("job {id} has the rank {:?} under {:?}", job.key.0, order.ranked_by);
                return Err(Violation { id: "O1", what });
            }
        }
        Ok(())
    }

    /// Why a job is first, as far as the rule between jobs goes.
    pub(super) fn order_reason(&self, id: JobId) -> Option<String> {
        match self.queue_rank(id)? {
            QueueRank::Plugin { policy, rank } => Some(format!("rank {rank} by queue policy {policy}")),
            QueueRank::NotYet { policy } => Some(format!("not ranked yet by queue policy {policy}")),
            QueueRank::BuiltIn(_) => None,
        }
    }
}
