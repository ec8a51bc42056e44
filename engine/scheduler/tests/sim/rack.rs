//! A rack: the fence, its journal on disk, and processes that drive boxes.

use std::collections::BTreeSet;

use headend_model::{Lease, Outcome, RunId, SlotId, SlotNo, TestResult, Timestamp};
use headend_scheduler::event::{Claim, RackReady};
use headend_scheduler::fence::{FenceRecord, Life};
use headend_scheduler::{Fence, FenceAction, FenceEvent};

use crate::rng::Rng;
use crate::server::{claim_of, slots_of};
use crate::witness::{Broken, Process, Stuck};
use crate::world::{
    Break, Clock, Exchange, Happening, MS, Real, Reply, SECOND, ToServer, World, rack_id, seen_on, terms,
};

pub(crate) struct Rack {
    pub(crate) clock: Clock,
    pub(crate) up: bool,
    pub(crate) life: u64,
    pub(crate) cut_until: Real,
    pub(crate) cpu: u8,
    fence: Fence,
    journal: Vec<FenceRecord>,
    /// It has said that it is ready, and was heard.
    settled: bool,
    started: Vec<Claim>,
    declined: Vec<Claim>,
    dying: BTreeSet<RunId>,
    slots: Vec<(SlotNo, SlotId)>,
    tick: Option<Real>,
    broken: Option<Break>,
}

impl Rack {
    pub(crate) fn new(_at: usize, _slots: u16, rng: &mut Rng, broken: Option<Break>) -> Self {
        Self {
            clock: Clock::drifting(rng),
            up: false,
            life: 0,
            cut_until: 0,
            cpu: 0,
            fence: Fence::new(terms()),
            // The farm was furnished with a life that never ran.
            journal: vec![FenceRecord::Began(Life { incarnation: 0, home: 0 })],
            settled: false,
            started: Vec::new(),
            declined: Vec::new(),
            dying: BTreeSet::new(),
            slots: Vec::new(),
            tick: None,
            broken,
        }
    }

    pub(crate) fn is_cut(&self, now: Real) -> bool {
        now < self.cut_until
    }

    pub(crate) fn lives(&self, life: u64) -> bool {
        self.up && self.life == life
    }
}

impl World {
    fn rack_clock(&self, rack: usize) -> Timestamp {
        self.racks[rack].clock.read(self.now)
    }

    /// One event through the fence; what it wants is done in order, writes first.
    fn fence_step(&mut self, rack: usize, event: &FenceEvent) -> Result<(), Broken> {
        let now = self.rack_clock(rack);
        let actions = self.racks[rack].fence.step(now, event);
        self.tell(|| format!("rack {rack}: {event:?} -> {actions:?}"));
        for action in actions {
            match action {
                // A disk that is full for a moment: not written, so not started.
                FenceAction::Write(FenceRecord::Starting(lease)) if !self.is_calm() && self.rng.range(0, 299) == 0 => {
                    return self.fence_step(rack, &FenceEvent::NotWritten { run: lease.run });
                }
                FenceAction::Write(record) => self.racks[rack].journal.push(record),
                FenceAction::Start(lease) => {
                    // The worst moment: written, not started.
                    if !self.is_calm() && self.rng.range(0, 199) == 0 {
                        self.rack_crashes(rack);
                        return Ok(());
                    }
                    self.start_process(rack, &lease)?;
                }
                FenceAction::Stop { run, .. } => self.kill_process(rack, run),
                FenceAction::Decline { claim, .. } => self.racks[rack].declined.push(claim),
            }
        }
        self.arm_fence(rack);
        Ok(())
    }

    fn start_process(&mut self, rack: usize, lease: &Lease) -> Result<(), Broken> {
        self.witness.process_starts(rack, lease)?;
        self.racks[rack].started.push(claim_of(lease));
        // After a restore a run of the same number may have been killed here before.
        self.racks[rack].dying.remove(&lease.run);
        let length = if self.rng.percent(30) {
            self.rng.range(5 * SECOND, 15 * SECOND)
        } else {
            self.rng.range(50 * MS, 4 * SECOND)
        };
        let life = self.racks[rack].life;
        self.after(length, Happening::ProcessEnds { rack, life, claim: claim_of(lease), killed: false });
        Ok(())
    }

    /// SIGTERM, grace, SIGKILL: takes up to the kill bound on the rack's clock.
    fn kill_process(&mut self, rack: usize, run: RunId) {
        let Some(claim) = self.witness.alive.get(&run).map(|process| claim_of(&process.lease)) else { return };
        self.racks[rack].dying.insert(run);
        self.perhaps_stuck(run);
        let bound = terms().kill_bound.as_micros() - 10 * MS;
        let takes =
            if self.rng.percent(50) { self.rng.range(bound * 9 / 10, bound) } else { self.rng.range(MS, bound) };
        let at = self.racks[rack].clock.reaches(self.rack_clock(rack) + headend_model::Span::micros(takes));
        let life = self.racks[rack].life;
        self.at(at, Happening::ProcessEnds { rack, life, claim, killed: true });
    }

    /// Some processes hang where no signal reaches them; they end some day.
    fn perhaps_stuck(&mut self, run: RunId) {
        if self.is_calm() || !self.has_stuck || !self.rng.percent(15) {
            return;
        }
        let Some(process) = self.witness.alive.get_mut(&run) else { return };
        if process.stuck == Stuck::No {
            process.stuck = Stuck::Hidden;
            let goes = self.rng.range(2 * SECOND, 20 * SECOND);
            self.after(goes, Happening::StuckGoes { run });
        }
    }

    pub(crate) fn process_ends(&mut self, rack: usize, life: u64, claim: Claim, killed: bool) -> Result<(), Broken> {
        let run = claim.run;
        // After a restore another run of the same number may be there by now.
        let here = |process: &&Process| process.rack == rack && claim_of(&process.lease) == claim;
        let Some(process) = self.witness.alive.get(&run).filter(here) else {
            return Ok(());
        };
        if process.stuck != Stuck::No {
            if killed && self.racks[rack].lives(life) {
                // The kill bound is over, and it still drives.
                self.racks[rack].dying.remove(&run);
                let event = FenceEvent::Ended { run, outcome: Outcome::Killed, unkillable: true };
                self.fence_step(rack, &event)?;
                self.exchange_now(rack);
            }
            return Ok(());
        }
        if !self.racks[rack].lives(life) {
            // A child without a daemon: it ends some day.
            self.witness.process_ends(run, None);
            return Ok(());
        }
        // One that is being stopped does not hurry: the signal decides.
        if !killed && self.racks[rack].dying.contains(&run) {
            return Ok(());
        }
        let outcome = if killed {
            Outcome::Killed
        } else {
            Outcome::Done { result: TestResult::Pass, comment: format!("run {run}") }
        };
        self.witness.process_ends(run, Some(&outcome));
        self.racks[rack].dying.remove(&run);
        self.fence_step(rack, &FenceEvent::Ended { run, outcome, unkillable: false })?;
        if self.racks[rack].up && self.rng.percent(70) {
            self.exchange_now(rack);
        }
        Ok(())
    }

    pub(crate) fn rack_gets(&mut self, rack: usize, life: u64, reply: Reply) -> Result<(), Broken> {
        if !self.racks[rack].lives(life) {
            return Ok(());
        }
        self.racks[rack].settled = !reply.say_ready;
        if let Some(seq) = reply.acknowledged {
            self.fence_step(rack, &FenceEvent::Acknowledged { seq })?;
        }
        for lease in &reply.refusals {
            self.fence_step(rack, &FenceEvent::RefuseAsked(lease.clone()))?;
        }
        for run in &reply.stops {
            self.fence_step(rack, &FenceEvent::StopAsked { run: *run })?;
        }
        if let Some(held) = reply.renewed {
            self.fence_step(rack, &FenceEvent::Renewed { sent: reply.sent, held })?;
        }
        let before = self.racks[rack].started.len();
        for lease in reply.offers {
            if self.racks[rack].lives(life) {
                self.fence_step(rack, &FenceEvent::OfferedIn { lease, sent: reply.sent })?;
            }
        }
        if self.racks[rack].lives(life) && self.racks[rack].started.len() > before {
            self.exchange_now(rack);
        }
        Ok(())
    }

    fn exchange_now(&mut self, rack: usize) {
        let now = self.rack_clock(rack);
        let cut = self.racks[rack].is_cut(self.now);
        let ready = (!self.racks[rack].settled).then(|| self.ready_of(rack));
        let book = &mut self.racks[rack];
        let exchange = Exchange {
            rack,
            life: book.life,
            sent: now,
            ready,
            former: book.fence.former_lives(),
            ends: book.fence.unacknowledged(),
            started: std::mem::take(&mut book.started),
            declined: std::mem::take(&mut book.declined),
            holds: book.fence.held(),
            cpu: book.cpu,
        };
        self.send(Happening::AtServer(Box::new(ToServer::Exchange(Box::new(exchange)))), cut);
    }

    fn ready_of(&self, rack: usize) -> RackReady {
        let book = &self.racks[rack];
        let (slots, duts) = book.fence.seen();
        let slots = book.slots.iter().map(|(no, slot)| (*no, seen_on(&slots, *slot))).collect();
        RackReady {
            rack: rack_id(rack),
            incarnation: book.life,
            slots,
            dut_epochs: duts,
            not_taking: None,
            out: Vec::new(),
        }
    }

    pub(crate) fn rack_beats(&mut self, rack: usize, life: u64) {
        if !self.racks[rack].lives(life) {
            return;
        }
        self.exchange_now(rack);
        let next = self.racks[rack].clock.reaches(self.rack_clock(rack) + terms().heartbeat);
        self.at(next, Happening::Beat { rack, life });
    }

    fn arm_fence(&mut self, rack: usize) {
        let Some(deadline) = self.racks[rack].fence.next_deadline().filter(|_| self.racks[rack].up) else { return };
        let at = self.racks[rack].clock.reaches(deadline).max(self.now);
        if self.racks[rack].tick.is_none_or(|tick| at < tick) {
            self.racks[rack].tick = Some(at);
            let life = self.racks[rack].life;
            self.at(at, Happening::FenceTick { rack, life });
        }
    }

    pub(crate) fn fence_ticks(&mut self, rack: usize, life: u64) -> Result<(), Broken> {
        if !self.racks[rack].lives(life) || self.racks[rack].tick.is_none_or(|tick| tick > self.now) {
            return Ok(());
        }
        self.racks[rack].tick = None;
        self.fence_step(rack, &FenceEvent::Tick)
    }

    pub(crate) fn rack_crashes(&mut self, rack: usize) {
        if !self.racks[rack].up {
            return;
        }
        let book = &mut self.racks[rack];
        book.up = false;
        book.dying.clear();
        book.started.clear();
        book.declined.clear();
        let orphans = book.broken == Some(Break::OrphansLive);
        if !orphans {
            // The processes die with their daemon.
            let dead: Vec<RunId> = self
                .witness
                .alive
                .iter()
                .filter(|(_, process)| process.rack == rack && process.stuck == Stuck::No)
                .map(|(run, _)| *run)
                .collect();
            for run in dead {
                self.witness.process_ends(run, None);
            }
        }
        let down =
            if self.rng.percent(50) { self.rng.range(10 * MS, SECOND) } else { self.rng.range(SECOND, 15 * SECOND) };
        self.after(if self.is_calm() { 100 * MS } else { down }, Happening::RackBack { rack });
    }

    pub(crate) fn rack_is_back(&mut self, rack: usize) -> Result<(), Broken> {
        if self.racks[rack].up {
            return Ok(());
        }
        if self.witness.alive.values().any(|process| process.rack == rack && process.stuck != Stuck::No) {
            // A new life of the daemon is ready when nothing of the former one is left.
            self.after(500 * MS, Happening::RackBack { rack });
            return Ok(());
        }
        let life = self.rng.next() | 1;
        let slots = slots_of(&self.server.farm, rack);
        let compact = self.rng.percent(30);
        let book = &mut self.racks[rack];
        let journal = if book.broken == Some(Break::JournalForgotten) { Vec::new() } else { book.journal.clone() };
        book.fence = Fence::new(terms());
        if let Some(Break::Core(mutant)) = book.broken {
            book.fence.mutate(mutant);
        }
        (book.up, book.life, book.settled, book.tick, book.slots) = (true, life, false, None, slots);
        self.fence_step(rack, &FenceEvent::Recovered(journal))?;
        self.fence_step(rack, &FenceEvent::Began(Life { incarnation: life, home: 0 }))?;
        if compact {
            self.racks[rack].journal = self.racks[rack].fence.compacted();
        }
        let (seen, _) = self.racks[rack].fence.seen();
        for (_, slot) in &self.racks[rack].slots {
            self.witness.rack_reports(*slot, seen_on(&seen, *slot))?;
        }
        self.after(0, Happening::Beat { rack, life });
        Ok(())
    }
}
