//! Who gets the free slots: jobs in the order of their rank, and for each job its free slots in order (by their rank, if a
//! queue policy gives them one).
//!
//! Going by job first keeps the order between jobs (O1, O2) over all slots at once, lets a single-process test see all
//! slots that nobody better wants, and a policy plugin all targets it may choose from.

use std::collections::BTreeSet;

use headend_model::{JobId, RackId, SlotId, Target, TargetIx, TestIx};

use super::Farm;
use super::books::{Group, Rule};
use super::queues::{Key, QueueId};
use crate::action::{ChosenBy, StartReason};
use crate::policy::{CoveragePolicy, DutCoverage, TestCoverage};

/// A job that may want a slot, as one of its targets. Ordered by job, then the slot's rank, then slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub key: Key,
    /// Of its free slots a job gets those with smaller ranks first.
    rank: i64,
    pub slot: SlotId,
    pub target: TargetIx,
    pub queue: QueueId,
    /// It stands at its queue's cursor; else it is behind a job that was passed over.
    at_cursor: bool,
    /// The target by which the slot was found.
    by: Target,
}

impl Candidate {
    pub(super) const fn job(&self) -> JobId {
        self.key.1
    }
}

/// What became of a candidate.
pub(super) enum Verdict {
    /// Something was started, perhaps not on this slot.
    Started,
    /// The slot is taken: leased, held, offered, or its rack's gate is closed.
    Taken,
    /// Nothing now, but perhaps later.
    Later,
    /// Nothing on this target ever again.
    Never,
}

type Frontier = BTreeSet<Candidate>;

impl Farm {
    pub(super) fn dispatch(&mut self) {
        let mut frontier = Frontier::new();
        loop {
            for slot in std::mem::take(&mut self.round.dirty) {
                self.seed(slot, &mut frontier);
            }
            if let Some(candidate) = frontier.pop_first() {
                self.consider(candidate, &mut frontier);
            } else if !self.close_answers() {
                return;
            }
        }
    }

    fn seed(&mut self, slot: SlotId, frontier: &mut Frontier) {
        self.round.room.clear();
        if !self.is_usable(slot) {
            return;
        }
        let dut = self.inventory.dut_in(slot).map(Target::Dut);
        let rank = self.slot_rank(slot);
        for by in std::iter::once(Target::Slot(slot)).chain(dut) {
            self.next_cursor((rank, slot), by, None, frontier);
        }
    }

    fn next_cursor(&self, (rank, slot): (i64, SlotId), by: Target, after: Option<&Candidate>, frontier: &mut Frontier) {
        let after = after.map(|candidate| (candidate.key, candidate.queue, candidate.target));
        if let Some((key, queue, target)) = self.queues.cursor(by, after) {
            frontier.insert(Candidate { key, rank, slot, target, queue, at_cursor: true, by });
        }
    }

    /// Nobody drives the slot or its DUT, and it may be driven.
    pub(super) fn is_usable(&self, slot: SlotId) -> bool {
        let Some(book) = self.slots.get(&slot) else { return false };
        let kept = book.lease.is_some() || book.offered.is_some();
        if kept || book.quarantined || book.out.is_some() || self.quiet().is_some() {
            return false;
        }
        if self.reservations.at(slot).is_some() {
            return false;
        }
        let ready =
            self.racks.get(&book.rack).is_some_and(|rack| rack.online && !rack.draining && rack.refusal.is_none());
        ready && self.inventory.dut_in(slot).is_some_and(|dut| self.dut_is_free(dut))
    }

    fn dut_is_free(&self, dut: headend_model::DutId) -> bool {
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::NoDutLease) {
            return true;
        }
        self.duts.get(&dut).is_none_or(|book| book.lease.is_none() && book.quarantined.is_none())
    }

    /// The slot is not held for a job that comes before this one.
    pub(super) fn is_open_to(&self, slot: SlotId, key: Key) -> bool {
        let holder = self.slots.get(&slot).and_then(|book| book.hold).and_then(|job| self.jobs.get(&job));
        holder.is_none_or(|holder| key <= holder.key)
    }

    fn consider(&mut self, candidate: Candidate, frontier: &mut Frontier) {
        if !self.is_usable(candidate.slot) || !self.is_open_to(candidate.slot, candidate.key) {
            return;
        }
        match self.try_job(&candidate) {
            Verdict::Started => {
                frontier.insert(candidate);
            }
            Verdict::Taken => {}
            Verdict::Later => self.pass_over(&candidate, frontier),
            Verdict::Never => self.leave_behind(&candidate, frontier),
        }
    }

    /// The next in its queue and the next queue have their turn; the cursor stays.
    fn pass_over(&self, candidate: &Candidate, frontier: &mut Frontier) {
        if let Some(key) = self.queues.behind(candidate.queue, candidate.key) {
            frontier.insert(Candidate { key, at_cursor: false, ..*candidate });
        }
        if candidate.at_cursor {
            self.next_cursor((candidate.rank, candidate.slot), candidate.by, Some(candidate), frontier);
        }
    }

    /// As `pass_over`, and nobody will look at this job for this target again.
    fn leave_behind(&mut self, candidate: &Candidate, frontier: &mut Frontier) {
        if !candidate.at_cursor {
            return self.pass_over(candidate, frontier);
        }
        self.queues.advance((candidate.key, candidate.queue, candidate.target));
        self.next_cursor((candidate.rank, candidate.slot), candidate.by, Some(candidate), frontier);
    }

    fn try_job(&mut self, candidate: &Candidate) -> Verdict {
        let Some(job) = self.jobs.get(&candidate.job()) else { return Verdict::Never };
        if job.lost.contains_key(&candidate.target) || !self.queues.contains(candidate.queue, candidate.key) {
            return Verdict::Never;
        }
        let groups = job.groups.len() as u32;
        let mut later = false;
        for group in 0..groups {
            match self.try_group(candidate, group) {
                Verdict::Never => {}
                Verdict::Later => later = true,
                done @ (Verdict::Started | Verdict::Taken) => return done,
            }
        }
        if later { Verdict::Later } else { Verdict::Never }
    }

    fn try_group(&mut self, candidate: &Candidate, number: u32) -> Verdict {
        let Some(group) = self.group(candidate.job(), number) else { return Verdict::Never };
        match &group.rule {
            Rule::DutCoverage => self.try_native(candidate, number, &DutCoverage, None),
            Rule::TestCoverage => self.try_native(candidate, number, &TestCoverage, None),
            Rule::Gang if group.is_done() => Verdict::Never,
            Rule::Gang => self.try_gang(candidate, number),
            Rule::Policy(name) => {
                let name = name.clone();
                self.try_policy(candidate, number, name)
            }
        }
    }

    pub(super) fn group(&self, job: JobId, number: u32) -> Option<&Group> {
        self.jobs.get(&job)?.groups.get(number as usize)
    }

    /// Starts what a rule of the core chooses. `instead` names the plugin it stands in for.
    pub(super) fn try_native(
        &mut self,
        candidate: &Candidate,
        number: u32,
        rule: &dyn CoveragePolicy,
        instead: Option<ChosenBy>,
    ) -> Verdict {
        let Some(group) = self.group(candidate.job(), number) else { return Verdict::Never };
        let Some(test) = rule.choose(group, candidate.target) else { return Verdict::Never };
        let reason = rule.reason(group, test, candidate.target);
        let chosen_by = instead.unwrap_or_else(|| ChosenBy::BuiltIn(rule.name().to_owned()));
        self.start_one(candidate, test, chosen_by, reason)
    }

    /// Starts one test on the candidate's slot, unless the CPU gate is closed.
    pub(super) fn start_one(
        &mut self,
        candidate: &Candidate,
        test: TestIx,
        chosen_by: ChosenBy,
        reason: String,
    ) -> Verdict {
        let rack: Option<RackId> = self.inventory.rack_of(candidate.slot);
        if !rack.is_some_and(|rack| self.gate_opens(rack)) {
            return Verdict::Taken;
        }
        let why = StartReason { chosen_by, queue: self.queue_reason(candidate.job()), test: reason, inputs: 0 };
        self.grant(candidate.job(), test, &[(candidate.target, candidate.slot)], why);
        Verdict::Started
    }

    pub(super) fn queue_reason(&self, id: JobId) -> String {
        let Some(job) = self.jobs.get(&id) else { return String::new() };
        let waited = self.now.since(job.accepted);
        let priority = job.spec.priority.0;
        if let Some(order) = self.order_reason(id) {
            return format!("first of those that want the slot: {order}, priority {priority}, waited {waited}");
        }
        match self.config.ageing_step {
            Some(step) => {
                format!("first of those that want the slot: priority {priority}, waited {waited}, one step per {step}")
            }
            None => format!("first of those that want the slot: priority {priority}, waited {waited}"),
        }
    }
}
