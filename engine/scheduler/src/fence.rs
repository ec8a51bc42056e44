//! The rack's half of the lease rule, as pure as the farm: which offer may start, when a run must stop by itself, what
//! has to be told to the server and until when it has to be kept.

use std::collections::{BTreeMap, VecDeque};

use headend_model::run::Incomplete;
use headend_model::{DutId, Epoch, Lease, LeaseTerms, LeasedTarget, Outcome, RunId, SlotId, Timestamp};

use crate::event::Claim;

/// What reaches the fence. `now` beside it is the rack's own monotonic clock and means nothing elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceEvent {
    /// The journal of a former life, in order, before anything else. Runs that were started and have no end in it get
    /// one: their processes were killed before the daemon reported ready.
    Recovered(Vec<FenceRecord>),
    /// This life of the daemon begins, right after that. Its record is durable before the server hears of this life.
    Began(Life),
    /// The server offers a lease, and the offer cannot have been under way for long: the lease counts from now.
    Offered(Lease),
    /// The server offers a lease in the answer to a request: the lease counts from when the request was *sent*, so an
    /// answer that was held up starts nothing. Ask with a wait well below the length of a lease.
    OfferedIn {
        /// The offer.
        lease: Lease,
        /// When the request was sent, on the rack's clock.
        sent: Timestamp,
    },
    /// The server wants a lease ended that the rack, as far as the server knows, has not taken: if it has, the run is
    /// stopped; if not, it never starts, and the server is told so.
    RefuseAsked(Lease),
    /// The journal did not take the epochs of this run: it was not started, and may be offered again.
    NotWritten {
        /// Which.
        run: RunId,
    },
    /// The server wants a run stopped.
    StopAsked {
        /// Which.
        run: RunId,
    },
    /// A heartbeat was answered: the leases of what was held when it was *sent* live on, counted from then.
    Renewed {
        /// When it was sent, on the rack's clock.
        sent: Timestamp,
        /// What it named.
        held: Vec<Claim>,
    },
    /// A run has ended and nothing of it is left.
    Ended {
        /// Which.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// Something of it could not be killed.
        unkillable: bool,
    },
    /// The server has made the ends up to and with this sequence number durable.
    Acknowledged {
        /// Sequence number.
        seq: u64,
    },
    /// Time has passed.
    Tick,
}

/// What the fence wants done, in this order: every `Write` is durable before the next other action is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceAction {
    /// Append to the rack's journal, durably.
    Write(FenceRecord),
    /// Start the run.
    Start(Lease),
    /// Begin to kill the run (SIGTERM, grace, SIGKILL); `Ended` follows.
    Stop {
        /// Which.
        run: RunId,
        /// Why: decides the outcome unless the script has reported one.
        why: StopReason,
    },
    /// Tell the server at the next exchange that this lease is not taken, now or ever.
    Decline {
        /// Which run, try and epoch.
        claim: Claim,
        /// Why, for people.
        reason: String,
    },
}

/// Why a run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A user asked.
    Asked,
    /// The lease ran out.
    LeaseExpired,
}

/// One line of the rack's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum FenceRecord {
    /// These epochs are used up; the run is about to start.
    Starting(Lease),
    /// A run has ended; to be told under this sequence number.
    Ended(EndReport),
    /// The server has all ends up to this.
    Acknowledged(u64),
    /// Epochs that are used up besides: refused, or forgotten when the journal was compacted.
    Seen {
        /// Per slot.
        slots: Vec<(SlotId, Epoch)>,
        /// Per DUT.
        duts: Vec<(DutId, Epoch)>,
    },
    /// A life of the daemon has begun with this journal.
    Began(Life),
}

/// One process of a rack's daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Life {
    /// What it is called towards the server: random per process.
    pub incarnation: u64,
    /// Names the folder of the journal, which one process at a time has locked. A copy of the folder has another name: what
    /// lived in the original may be alive.
    pub home: u64,
}

/// The end of a run, kept until the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EndReport {
    /// Rises by one per report of this rack, over restarts too.
    pub seq: u64,
    /// Which run, try and epoch.
    pub claim: Claim,
    /// How it ended.
    pub outcome: Outcome,
    /// Something of it could not be killed.
    pub unkillable: bool,
}

/// So many former lives are remembered. One that the server never heard of is no more than a place in this list.
const MOST_LIVES: usize = 32;

/// The state machine of one rack.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    terms: LeaseTerms,
    slots: BTreeMap<SlotId, Epoch>,
    duts: BTreeMap<DutId, Epoch>,
    held: BTreeMap<RunId, Held>,
    outbox: VecDeque<EndReport>,
    /// Sequence number of the last report.
    last_seq: u64,
    /// The server has all reports up to this.
    acknowledged: u64,
    /// Of this journal; the last one is the present one.
    lives: VecDeque<Life>,
    #[cfg(feature = "mutants")]
    mutant: Option<crate::mutant::Mutant>,
}

/// A run that was taken and has not ended.
#[derive(Clone, Debug)]
struct Held {
    lease: Lease,
    deadline: Timestamp,
    stopping: Option<StopReason>,
    /// Its targets with the epochs that were the highest before.
    before: Vec<LeasedTarget>,
}

impl Held {
    fn claim(&self) -> Option<Claim> {
        claim_of(&self.lease)
    }
}

impl Fence {
    /// A fence that has seen nothing yet.
    pub fn new(terms: LeaseTerms) -> Self {
        Self { terms, ..Self::default() }
    }

    /// New terms, for leases that are offered or renewed from now on.
    pub fn set_terms(&mut self, terms: LeaseTerms) {
        self.terms = terms;
    }

    /// Makes the fence break one of its rules, to show that the tests notice.
    #[cfg(feature = "mutants")]
    pub fn mutate(&mut self, mutant: crate::mutant::Mutant) {
        self.mutant = Some(mutant);
    }

    /// Takes one event and says what to do.
    pub fn step(&mut self, now: Timestamp, event: &FenceEvent) -> Vec<FenceAction> {
        let mut out = Vec::new();
        // Deadlines first: after a long sleep of the machine no late answer may bring a lease back to life.
        self.expire(now, &mut out);
        match event {
            FenceEvent::Recovered(journal) => self.recover(journal, &mut out),
            FenceEvent::Began(life) => {
                self.note_life(*life);
                out.push(FenceAction::Write(FenceRecord::Began(*life)));
            }
            FenceEvent::Offered(lease) => self.offered(now, now, lease, &mut out),
            FenceEvent::OfferedIn { lease, sent } => self.offered(now, *sent, lease, &mut out),
            FenceEvent::RefuseAsked(lease) => self.refuse(lease, &mut out),
            FenceEvent::NotWritten { run } => self.take_back(*run),
            FenceEvent::StopAsked { run } => self.stop(*run, StopReason::Asked, &mut out),
            FenceEvent::Renewed { sent, held } => self.renew(now, *sent, held),
            FenceEvent::Ended { run, outcome, unkillable } => self.end(*run, outcome, *unkillable, &mut out),
            FenceEvent::Acknowledged { seq } => self.acknowledge(*seq, &mut out),
            FenceEvent::Tick => {}
        }
        out
    }

    fn expire(&mut self, now: Timestamp, out: &mut Vec<FenceAction>) {
        for (run, held) in &mut self.held {
            if held.deadline > now || held.stopping == Some(StopReason::LeaseExpired) {
                continue;
            }
            // A run that is being stopped already only loses its right to drive.
            if held.stopping.replace(StopReason::LeaseExpired).is_none() {
                out.push(FenceAction::Stop { run: *run, why: StopReason::LeaseExpired });
            }
        }
        #[cfg(feature = "mutants")]
        if self.mutant == Some(crate::mutant::Mutant::NoSelfStop) {
            out.clear();
        }
    }

    fn recover(&mut self, journal: &[FenceRecord], out: &mut Vec<FenceAction>) {
        let mut open: BTreeMap<RunId, Claim> = BTreeMap::new();
        for record in journal {
            match record {
                FenceRecord::Starting(lease) => {
                    self.see(&lease.targets);
                    open.extend(claim_of(lease).map(|claim| (lease.run, claim)));
                }
                FenceRecord::Ended(report) => {
                    open.remove(&report.claim.run);
                    self.last_seq = self.last_seq.max(report.seq);
                    self.outbox.push_back(report.clone());
                }
                FenceRecord::Acknowledged(seq) => self.forget(*seq),
                FenceRecord::Seen { slots, duts } => self.see_all(slots, duts),
                FenceRecord::Began(life) => self.note_life(*life),
            }
        }
        for claim in open.into_values() {
            self.report(claim, Outcome::Incomplete(Incomplete::RackLost), false, out);
        }
    }

    fn note_life(&mut self, life: Life) {
        self.lives.push_back(life);
        if self.lives.len() > MOST_LIVES {
            self.lives.pop_front();
        }
    }

    fn see(&mut self, targets: &[LeasedTarget]) {
        for target in targets {
            self.see_all(&[(target.slot, target.slot_epoch)], &[(target.dut, target.dut_epoch)]);
        }
    }

    fn see_all(&mut self, slots: &[(SlotId, Epoch)], duts: &[(DutId, Epoch)]) {
        for (slot, epoch) in slots {
            let seen = self.slots.entry(*slot).or_default();
            *seen = (*seen).max(*epoch);
        }
        for (dut, epoch) in duts {
            let seen = self.duts.entry(*dut).or_default();
            *seen = (*seen).max(*epoch);
        }
    }

    fn offered(&mut self, now: Timestamp, sent: Timestamp, lease: &Lease, out: &mut Vec<FenceAction>) {
        let deadline = self.terms.rack_deadline(sent);
        // Too late, known already, or in the way of what still runs: the server will see it in what is held and in the
        // reports, and offers again what is missing.
        if deadline <= now || self.knows(lease) || self.collides(lease) {
            return;
        }
        if let Some(reason) = self.fault(lease) {
            let declined = claim_of(lease).map(|claim| FenceAction::Decline { claim, reason });
            return out.extend(declined);
        }
        let before = lease.targets.iter().map(|target| self.seen_of(target)).collect();
        self.see(&lease.targets);
        self.held.insert(lease.run, Held { lease: lease.clone(), deadline, stopping: None, before });
        out.push(FenceAction::Write(FenceRecord::Starting(lease.clone())));
        out.push(FenceAction::Start(lease.clone()));
    }

    /// The epochs of a refused lease are used up like those of a start: a late offer of it finds them seen.
    fn refuse(&mut self, lease: &Lease, out: &mut Vec<FenceAction>) {
        if self.held.contains_key(&lease.run) {
            return self.stop(lease.run, StopReason::Asked, out);
        }
        let Some(claim) = claim_of(lease).filter(|_| !self.knows(lease)) else { return };
        if self.fault(lease).is_none() && !self.forgets_refusals() {
            self.see(&lease.targets);
            let slots = lease.targets.iter().map(|target| (target.slot, target.slot_epoch)).collect();
            let duts = lease.targets.iter().map(|target| (target.dut, target.dut_epoch)).collect();
            out.push(FenceAction::Write(FenceRecord::Seen { slots, duts }));
        }
        out.push(FenceAction::Decline { claim, reason: "stopped before it was started".to_owned() });
    }

    #[cfg(feature = "mutants")]
    fn forgets_refusals(&self) -> bool {
        self.mutant == Some(crate::mutant::Mutant::RefusalForgotten)
    }

    #[cfg(not(feature = "mutants"))]
    #[allow(clippy::unused_self, reason = "the broken variant looks at it")]
    const fn forgets_refusals(&self) -> bool {
        false
    }

    fn take_back(&mut self, run: RunId) {
        let Some(held) = self.held.remove(&run) else { return };
        for (taken, before) in held.lease.targets.iter().zip(&held.before) {
            // Unless somebody has raised it since: an epoch that was seen never comes back.
            if let Some(epoch) = self.slots.get_mut(&taken.slot).filter(|epoch| **epoch == taken.slot_epoch) {
                *epoch = before.slot_epoch;
            }
            if let Some(epoch) = self.duts.get_mut(&taken.dut).filter(|epoch| **epoch == taken.dut_epoch) {
                *epoch = before.dut_epoch;
            }
        }
    }

    /// The highest epochs seen on a target.
    fn seen_of(&self, target: &LeasedTarget) -> LeasedTarget {
        let slot_epoch = self.slots.get(&target.slot).copied().unwrap_or_default();
        let dut_epoch = self.duts.get(&target.dut).copied().unwrap_or_default();
        LeasedTarget { slot_epoch, dut_epoch, ..*target }
    }

    fn knows(&self, lease: &Lease) -> bool {
        let claim = claim_of(lease);
        self.held.contains_key(&lease.run) || self.outbox.iter().any(|report| Some(report.claim) == claim)
    }

    fn collides(&self, lease: &Lease) -> bool {
        let targets = || self.held.values().flat_map(|held| &held.lease.targets);
        lease.targets.iter().any(|new| targets().any(|old| old.slot == new.slot || old.dut == new.dut))
    }

    /// What makes a lease unacceptable for ever (S9).
    fn fault(&self, lease: &Lease) -> Option<String> {
        #[cfg(feature = "mutants")]
        if self.mutant == Some(crate::mutant::Mutant::EpochsNotChecked) {
            return None;
        }
        if lease.targets.is_empty() {
            return Some(format!("the lease of run {} names no slot", lease.run));
        }
        lease.targets.iter().find_map(|target| {
            let LeasedTarget { slot_epoch: slot, dut_epoch: dut, .. } = self.seen_of(target);
            if target.slot_epoch <= slot {
                return Some(format!(
                    "epoch {} of slot {} was seen before (last {})",
                    target.slot_epoch.0, target.slot, slot.0
                ));
            }
            (target.dut_epoch <= dut)
                .then(|| format!("epoch {} of DUT {} was seen before (last {})", target.dut_epoch.0, target.dut, dut.0))
        })
    }

    fn stop(&mut self, run: RunId, why: StopReason, out: &mut Vec<FenceAction>) {
        let Some(held) = self.held.get_mut(&run).filter(|held| held.stopping.is_none()) else { return };
        held.stopping = Some(why);
        out.push(FenceAction::Stop { run, why });
    }

    fn renew(&mut self, now: Timestamp, sent: Timestamp, named: &[Claim]) {
        #[cfg(feature = "mutants")]
        let sent = if self.mutant == Some(crate::mutant::Mutant::DeadlineFromReceipt) { now } else { sent };
        let deadline = self.terms.rack_deadline(sent.min(now));
        for held in self.held.values_mut() {
            let alive = held.stopping != Some(StopReason::LeaseExpired);
            if alive && held.claim().is_some_and(|claim| named.contains(&claim)) {
                held.deadline = held.deadline.max(deadline);
            }
        }
    }

    fn end(&mut self, run: RunId, outcome: &Outcome, unkillable: bool, out: &mut Vec<FenceAction>) {
        if let Some(claim) = self.held.remove(&run).and_then(|held| held.claim()) {
            self.report(claim, outcome.clone(), unkillable, out);
        }
    }

    fn report(&mut self, claim: Claim, outcome: Outcome, unkillable: bool, out: &mut Vec<FenceAction>) {
        self.last_seq += 1;
        let report = EndReport { seq: self.last_seq, claim, outcome, unkillable };
        self.outbox.push_back(report.clone());
        out.push(FenceAction::Write(FenceRecord::Ended(report)));
    }

    fn acknowledge(&mut self, seq: u64, out: &mut Vec<FenceAction>) {
        // A server that was put back to an older backup may know less, never more than was sent.
        let seq = seq.min(self.last_seq);
        if seq > self.acknowledged {
            self.forget(seq);
            out.push(FenceAction::Write(FenceRecord::Acknowledged(seq)));
        }
    }

    fn forget(&mut self, seq: u64) {
        self.acknowledged = self.acknowledged.max(seq);
        self.last_seq = self.last_seq.max(seq);
        while self.outbox.front().is_some_and(|report| report.seq <= seq) {
            self.outbox.pop_front();
        }
    }

    /// The server has all ends up to this sequence number.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// What is held: taken and not ended. This is what a heartbeat names.
    pub fn held(&self) -> Vec<Claim> {
        self.held.values().filter_map(Held::claim).collect()
    }

    /// Ends that the server has not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Vec<EndReport> {
        self.outbox.iter().cloned().collect()
    }

    /// How many ends the server has not acknowledged.
    pub fn unacknowledged_count(&self) -> usize {
        self.outbox.len()
    }

    /// Highest epochs seen, for `RackReady`.
    #[allow(clippy::type_complexity, reason = "two lists of pairs, as `RackReady` takes them")]
    pub fn seen(&self) -> (Vec<(SlotId, Epoch)>, Vec<(DutId, Epoch)>) {
        (
            self.slots.iter().map(|(slot, epoch)| (*slot, *epoch)).collect(),
            self.duts.iter().map(|(dut, epoch)| (*dut, *epoch)).collect(),
        )
    }

    /// The lives whose journal this one goes on with, and whose processes are gone: they had the lock that the present one
    /// has. What the server granted to one of them and is not among [`Fence::seen`] was never started.
    pub fn former_lives(&self) -> Vec<u64> {
        let Some(present) = self.lives.back() else { return Vec::new() };
        let former =
            self.lives.iter().filter(|life| life.home == present.home && life.incarnation != present.incarnation);
        former.map(|life| life.incarnation).collect()
    }

    /// The epoch under which this run may drive this slot now; `None`: its calls are refused. A run that a user has
    /// stopped may still tidy up; one whose lease has run out may not.
    pub fn may_drive(&self, now: Timestamp, run: RunId, slot: SlotId) -> Option<Epoch> {
        let held = self.held.get(&run)?;
        if held.deadline <= now || held.stopping == Some(StopReason::LeaseExpired) {
            return None;
        }
        held.lease.targets.iter().find(|target| target.slot == slot).map(|target| target.slot_epoch)
    }

    /// When the next `Tick` is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let alive = self.held.values().filter(|held| held.stopping != Some(StopReason::LeaseExpired));
        alive.map(|held| held.deadline).min()
    }

    /// The records that a compacted journal needs: the same future as the whole one.
    pub fn compacted(&self) -> Vec<FenceRecord> {
        let (slots, duts) = self.seen();
        let mut records = vec![FenceRecord::Seen { slots, duts }, FenceRecord::Acknowledged(self.acknowledged)];
        records.extend(self.lives.iter().copied().map(FenceRecord::Began));
        records.extend(self.held.values().map(|held| FenceRecord::Starting(held.lease.clone())));
        records.extend(self.outbox.iter().cloned().map(FenceRecord::Ended));
        records
    }
}

fn claim_of(lease: &Lease) -> Option<Claim> {
    let epoch = lease.targets.first()?.slot_epoch;
    Some(Claim { run: lease.run, attempt: lease.attempt, epoch })
}

#[cfg(test)]
mod tests;
