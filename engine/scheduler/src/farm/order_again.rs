//! Asking a queue policy again because usage or wear has changed, and never a storm of it.
//!
//! The rule, for a policy of the second contract that is in force:
//! - An owner's open jobs are asked about again when a job of the owner came or ended or a run started or ended, at most
//!   once per second; and every half minute while there are any, since device time grows and is forgotten by itself.
//! - A slot is asked about again when a run on it has ended or another DUT came into it, at most once per second.
//! - Of jobs at most some 2,000 per second and ten questions, over all owners, each in its turn; one question at a time.
//!
//! What is asked keeps its old rank until the answer is there. So a rank in force is at most so old: half a minute, and
//! a second per 2,000 open jobs, and the time that the answer takes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use headend_model::{JobId, SlotId, Span, Timestamp, UserName};

use super::Farm;
use super::invariants::{Check, ensure};
use super::state::Timer;
use crate::action::{RankedJob, RankedSlot};
use crate::event::PolicyKind;

/// The first version of the contract whose queue policies are told of usage and wear.
const TELLS_OF_USAGE: u32 = 2;
/// An owner, or a slot, is left alone so long at least.
const REST: Span = Span::seconds(1);
/// An owner with open jobs is asked about so often at least.
const REFRESH: Span = Span::seconds(30);
/// From one question of this kind to the next, at least.
const GAP: Span = Span::millis(100);
/// For each job in it: some 2,000 jobs in a second.
const GAP_PER_JOB: Span = Span::micros(488);
/// Slots in one question.
const SLOTS: usize = 256;
/// Jobs that are looked at for one question: many of them may have nothing that waits.
const LOOKS: usize = 2_048;

/// Who and what is to be asked about again, and when.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub(super) struct Again {
    /// All owners with open jobs (and some whose last job has just ended).
    owners: BTreeMap<UserName, Standing>,
    /// Those whose turn will come, by its time.
    due: BTreeSet<(Timestamp, UserName)>,
    /// Those whose turn has come, each with the job from which on to go on.
    turns: VecDeque<(UserName, JobId)>,
    /// Jobs are left alone until then.
    jobs_from: Timestamp,
    /// Slots that have changed.
    pub(super) slots: BTreeSet<SlotId>,
    /// Slots are left alone until then.
    slots_from: Timestamp,
    /// A timer is set for then.
    wakes: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Standing {
    /// To be asked about at that time, and not before the other.
    Due { at: Timestamp, rests_until: Timestamp },
    /// Being asked about since; something has changed meanwhile.
    InTurn { since: Timestamp, changed: bool },
}

impl Again {
    pub(super) fn woken(&mut self) {
        self.wakes = None;
    }

    fn set_due(&mut self, owner: &UserName, at: Timestamp, rests_until: Timestamp) {
        if let Some(Standing::Due { at, .. }) = self.owners.insert(owner.clone(), Standing::Due { at, rests_until }) {
            self.due.remove(&(at, owner.clone()));
        }
        self.due.insert((at, owner.clone()));
    }

    fn changed(&mut self, owner: &UserName, now: Timestamp) {
        match self.owners.get_mut(owner) {
            None => self.set_due(owner, now, now),
            Some(Standing::InTurn { changed, .. }) => *changed = true,
            Some(Standing::Due { at, rests_until }) => {
                let (sooner, rests_until) = ((*rests_until).max(now), *rests_until);
                if sooner < *at {
                    self.set_due(owner, sooner, rests_until);
                }
            }
        }
    }

    /// Those whose time has come take their turn behind those who have theirs.
    fn take_turns(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.due.first()
            && *at <= now
            && let Some((_, owner)) = self.due.pop_first()
        {
            self.owners.insert(owner.clone(), Standing::InTurn { since: now, changed: false });
            self.turns.push_back((owner, JobId(0)));
        }
    }

    /// The first in turn has been asked about.
    fn end_turn(&mut self, now: Timestamp, has_open: bool) {
        let Some((owner, _)) = self.turns.pop_front() else { return };
        let Some(Standing::InTurn { since, changed }) = self.owners.remove(&owner) else { return };
        if has_open {
            let rests_until = since + REST;
            let next = if changed { rests_until.max(now) } else { since + REFRESH };
            self.set_due(&owner, next, rests_until);
        }
    }

    /// When there is something to ask about.
    fn next(&self) -> Option<Timestamp> {
        let in_turn = (!self.turns.is_empty()).then_some(self.jobs_from);
        let due = self.due.first().map(|(at, _)| (*at).max(self.jobs_from));
        let slots = (!self.slots.is_empty()).then_some(self.slots_from);
        in_turn.into_iter().chain(due).chain(slots).min()
    }
}

impl Farm {
    /// The policy in force is one that is told of usage and wear.
    fn tells_of_usage(&self) -> bool {
        let Some(name) = self.order.wanted.as_ref() else { return false };
        let book = self.policies.get(name).filter(|book| book.may_be_asked(PolicyKind::Queue));
        self.order.switching.is_none() && book.is_some_and(|book| book.contract >= TELLS_OF_USAGE)
    }

    /// A policy has come into force: what has changed while it was at work on the whole order is asked about again.
    pub(super) fn follow_usage(&mut self) {
        self.order.again = Again::default();
        if !self.tells_of_usage() {
            return;
        }
        let again = &mut self.order.again;
        for owner in self.usage.with_jobs() {
            again.set_due(owner, self.now + REST, self.now + REST);
        }
        let filled = self.slots.keys().filter(|slot| self.inventory.dut_in(**slot).is_some());
        again.slots = filled.copied().collect();
    }

    pub(super) fn standing_changed(&mut self, owner: &UserName) {
        if self.tells_of_usage() {
            self.order.again.changed(owner, self.now);
        }
    }

    pub(super) fn slot_changed(&mut self, slot: SlotId) {
        if self.tells_of_usage() {
            self.order.again.slots.insert(slot);
        }
    }

    /// Jobs that are to be ranked again, of the owners in turn.
    pub(super) fn next_to_rank_again(&mut self, room: usize) -> Vec<RankedJob> {
        if self.order.again.jobs_from > self.now || !self.tells_of_usage() {
            return Vec::new();
        }
        let mut jobs = Vec::new();
        self.order.again.take_turns(self.now);
        let mut looks = LOOKS;
        while looks > 0
            && jobs.len() < room
            && let Some((owner, from)) = self.order.again.turns.front().cloned()
        {
            let goes_on = self.rank_again(&owner, from, room, &mut looks, &mut jobs);
            match (goes_on, self.order.again.turns.front_mut()) {
                (Some(next), Some(turn)) => turn.1 = next,
                _ => self.order.again.end_turn(self.now, self.usage.has_open(&owner)),
            }
        }
        let pause = GAP.max(GAP_PER_JOB.times(jobs.len() as i64));
        self.order.again.jobs_from = self.now + pause;
        jobs
    }

    /// Some more jobs of an owner; says from where to go on, if there are more.
    fn rank_again(
        &self,
        owner: &UserName,
        from: JobId,
        room: usize,
        looks: &mut usize,
        jobs: &mut Vec<RankedJob>,
    ) -> Option<JobId> {
        for id in self.usage.jobs_from(owner, from) {
            if *looks == 0 || jobs.len() >= room {
                return Some(id);
            }
            *looks -= 1;
            let Some(job) = self.jobs.get(&id) else { continue };
            if self.queues.contains(job.queue, job.key) && !self.order.unranked.contains(&id) {
                jobs.extend(self.ranked_job(id));
            }
        }
        None
    }

    pub(super) fn next_slots_to_rank(&mut self) -> Vec<RankedSlot> {
        let again = &mut self.order.again;
        if again.slots.is_empty() || again.slots_from > self.now {
            return Vec::new();
        }
        again.slots_from = self.now + REST;
        let mut ids = Vec::new();
        while ids.len() < SLOTS
            && let Some(slot) = self.order.again.slots.pop_first()
        {
            ids.push(slot);
        }
        // Nothing can start in an empty one; it is asked about when a DUT comes.
        ids.into_iter().filter_map(|slot| self.slot_wear(slot)).filter(|slot| slot.dut.is_some()).collect()
    }

    /// Sets the timer for the next question.
    pub(super) fn wake_for_ranks(&mut self) {
        let Some(at) = self.order.again.next() else { return };
        let at = at.max(self.now);
        if self.order.again.wakes.is_none_or(|wakes| wakes > at) {
            self.order.again.wakes = Some(at);
            self.arm(at, Timer::RanksAgain);
        }
    }

    /// Nobody is forgotten who is to be asked about again.
    pub(super) fn check_again(&self) -> Check {
        let again = &self.order.again;
        for (owner, standing) in &again.owners {
            let known = match standing {
                Standing::Due { at, .. } => again.due.contains(&(*at, owner.clone())),
                Standing::InTurn { .. } => again.turns.iter().filter(|(turn, _)| turn == owner).count() == 1,
            };
            ensure(known, "O2", || format!("{owner} is {standing:?} and will never have a turn"))?;
        }
        if !self.tells_of_usage() {
            return Ok(());
        }
        let forgotten = self.usage.with_jobs().find(|owner| !again.owners.contains_key(owner));
        ensure(forgotten.is_none(), "O2", || format!("{forgotten:?} is not asked about any more"))?;
        let asking = self.order.is_asking_at_all();
        let woken = asking || again.next().is_none_or(|at| again.wakes.is_some_and(|wakes| wakes <= at.max(self.now)));
        ensure(woken, "O2", || format!("nothing wakes for {:?}, set is {:?}", again.next(), again.wakes))
    }
}
