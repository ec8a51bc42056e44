//! Racks, their slots and DUTs: who is there, who is away since when, who is in quarantine.

use headend_model::inventory::SlotPlace;
use headend_model::run::Incomplete;
use headend_model::{DutId, Epoch, JobId, Lease, Outcome, RackId, RackName, RunId, SlotId, SlotNo, Target, Timestamp};

use super::Farm;
use super::lease::claim_of;
use super::state::{Away, AwayWhy, Gate, Rack, Refusal, Slot, Timer};
use crate::action::Action;
use crate::event::{Heartbeat, RackReady};

impl Farm {
    pub(super) fn enrol(&mut self, name: &RackName) {
        let known = self.inventory.racks.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| {
            let id = RackId(self.next.rack);
            self.next.rack += 1;
            self.inventory.racks.insert(id, name.clone());
            self.racks.insert(id, Rack::default());
            id
        });
        self.emit(Action::RackEnrolled { rack: id, name: name.clone() });
    }

    pub(super) fn rack_ready(&mut self, ready: &RackReady) {
        let id = ready.rack;
        if !self.racks.contains_key(&id) {
            return;
        }
        // First: nothing is granted to a rack that comes and says that it takes nothing.
        self.hear_refusal(id, ready.not_taking.as_deref());
        for (no, epoch) in &ready.slots {
            self.declare_slot(id, *no, *epoch);
        }
        self.hear_out(id, &ready.out);
        for (dut, epoch) in &ready.dut_epochs {
            if *epoch <= self.next.removed_epoch && !self.inventory.duts.contains_key(dut) {
                // Of one that was taken out; were it to come back, it would start above this.
                continue;
            }
            let book = self.duts.entry(*dut).or_default();
            book.epoch = book.epoch.max(*epoch);
        }
        self.end_former_lives(ready);
        if let Some(rack) = self.racks.get_mut(&id) {
            rack.incarnation = Some(ready.incarnation);
        }
        self.heard_of(id);
        self.emit(Action::RackChanged { rack: id });
    }

    /// A restored backup may know lower epochs than the rack: ours rise first, so the rack will not refuse us (A13).
    fn declare_slot(&mut self, rack: RackId, no: SlotNo, seen: Epoch) {
        let Some(book) = self.racks.get_mut(&rack) else { return };
        let id = *book.slots.entry(no).or_insert_with(|| {
            let id = SlotId(self.next.slot);
            self.next.slot += 1;
            id
        });
        self.inventory.declare_slot(id, SlotPlace { rack, no });
        let slot = self.slots.entry(id).or_insert_with(|| Slot {
            rack,
            epoch: Epoch::default(),
            lease: None,
            offered: None,
            hold: None,
            quarantined: false,
            out: None,
        });
        slot.epoch = slot.epoch.max(seen);
        self.round.dirty.insert(id);
        self.refresh_slot(id);
    }

    /// A new life of the daemon has cleaned up after those before it. What its journal knows is surely gone. What it
    /// does not know may be alive under a journal that was lost, or the report may be an old one: that has to run out.
    fn end_former_lives(&mut self, ready: &RackReady) {
        let Some(rack) = self.racks.get(&ready.rack) else { return };
        let over: Vec<RunId> = rack
            .leases
            .iter()
            .filter_map(|run| self.leases.get(run))
            // A lease of a lost past has no life to its name: it runs out, or the rack names it.
            .filter(|held| held.incarnation.is_some_and(|life| life != ready.incarnation))
            .filter(|held| self.is_covered(&held.lease, ready))
            .map(|held| held.lease.run)
            .collect();
        for run in over {
            let stopping = self.leases.get(&run).is_some_and(|held| held.stopping);
            self.end_run(run, if stopping { Outcome::Killed } else { Outcome::Incomplete(Incomplete::RackLost) });
        }
    }

    /// The new life has the journal of former ones, and these are gone. What that journal knows has just been ended by
    /// `ready`. The rest of what was granted to them was never started: it goes to the new life, under the same epochs.
    pub(super) fn take_over(&mut self, id: RackId, incarnation: u64, former: &[u64]) {
        if self.forgets_former_lives() {
            return;
        }
        let Some(rack) = self.racks.get(&id).filter(|rack| rack.incarnation == Some(incarnation)) else { return };
        for run in rack.leases.iter().copied().collect::<Vec<_>>() {
            let Some(held) = self.leases.get_mut(&run) else { continue };
            let life = held.incarnation.filter(|life| *life != incarnation && former.contains(life));
            // One that was taken stands in the journal. If it does not, that journal is not what it is taken for.
            if life.is_none() || held.confirmed {
                continue;
            }
            held.incarnation = Some(incarnation);
            self.renew(run);
        }
    }

    #[cfg(feature = "mutants")]
    fn forgets_former_lives(&self) -> bool {
        self.is_mutant(crate::mutant::Mutant::FormerLivesForgotten)
    }

    #[cfg(not(feature = "mutants"))]
    #[allow(clippy::unused_self, reason = "the broken variant looks at it")]
    const fn forgets_former_lives(&self) -> bool {
        false
    }

    fn is_covered(&self, lease: &Lease, ready: &RackReady) -> bool {
        lease.targets.iter().all(|target| {
            let no = self.inventory.slots.get(&target.slot).map(|place| place.no);
            ready.slots.iter().any(|(slot, seen)| Some(*slot) == no && *seen >= target.slot_epoch)
        })
    }

    pub(super) fn heartbeat(&mut self, beat: &Heartbeat) {
        beat.holds.iter().for_each(|claim| self.hear_of(claim));
        let Some(rack) = self.racks.get_mut(&beat.rack) else { return };
        if rack.incarnation != Some(beat.incarnation) {
            return;
        }
        rack.cpu_percent = beat.cpu_percent;
        let leases: Vec<RunId> = rack.leases.iter().copied().collect();
        for run in leases {
            self.beat_for(run, beat);
        }
        self.hear_refusal(beat.rack, beat.not_taking.as_deref());
        self.hear_out(beat.rack, &beat.out);
        self.heard_of(beat.rack);
    }

    /// A rack knows best when it cannot take new runs (its outbox is full, its journal cannot be written). They wait.
    fn hear_refusal(&mut self, id: RackId, reason: Option<&str>) {
        let now = self.now;
        let Some(rack) = self.racks.get_mut(&id) else { return };
        let before = rack.refusal.as_ref().map(|refusal| refusal.since);
        rack.refusal = reason.map(|reason| Refusal { since: before.unwrap_or(now), reason: reason.to_owned() });
        if before.is_some() != reason.is_some() {
            self.round.dirty.extend(rack.slots.values().copied());
            self.emit(Action::RackChanged { rack: id });
        }
    }

    /// A rack knows best which devices it cannot drive (a tool has died, a machine does not come up). Their slots get
    /// nothing new; what runs there goes on, and ends as its script or its lease ends.
    fn hear_out(&mut self, id: RackId, out: &[(SlotNo, String)]) {
        let now = self.now;
        let Some(rack) = self.racks.get(&id) else { return };
        let mut news = false;
        for (no, slot) in &rack.slots {
            let Some(book) = self.slots.get_mut(slot) else { continue };
            let reason = out.iter().find(|(other, _)| other == no).map(|(_, reason)| reason);
            if book.out.as_ref().map(|out| &out.reason) == reason {
                continue;
            }
            let since = book.out.as_ref().map_or(now, |out| out.since);
            if book.out.is_some() != reason.is_some() {
                self.round.dirty.insert(*slot);
            }
            book.out = reason.map(|reason| Refusal { since, reason: reason.clone() });
            news = true;
        }
        if news {
            self.emit(Action::RackChanged { rack: id });
        }
    }

    /// What the rack holds lives on; so does an offer that has not reached it yet.
    fn beat_for(&mut self, run: RunId, beat: &Heartbeat) {
        let Some(held) = self.leases.get_mut(&run) else { return };
        let named = claim_of(&held.lease).is_some_and(|claim| beat.holds.contains(&claim));
        let on_its_way = !held.confirmed && !held.stopping && held.incarnation == Some(beat.incarnation);
        held.confirmed |= named;
        if named {
            held.incarnation = Some(beat.incarnation);
        }
        if named || on_its_way {
            self.renew(run);
        }
    }

    fn heard_of(&mut self, id: RackId) {
        let now = self.now;
        let silent_at = now + self.config.lease.heartbeat.times(3);
        let Some(rack) = self.racks.get_mut(&id) else { return };
        rack.last_seen = Some(now);
        if std::mem::replace(&mut rack.online, true) {
            return;
        }
        self.arm(silent_at, Timer::Silent(id));
        self.presence_changed(id);
    }

    pub(super) fn silent_due(&mut self, id: RackId) {
        let term = self.config.lease.heartbeat.times(3);
        let Some(rack) = self.racks.get_mut(&id) else { return };
        let (true, Some(seen)) = (rack.online, rack.last_seen) else { return };
        if seen + term > self.now {
            return self.arm(seen + term, Timer::Silent(id));
        }
        rack.online = false;
        self.presence_changed(id);
    }

    /// A rack came or went.
    pub(super) fn presence_changed(&mut self, id: RackId) {
        let Some(rack) = self.racks.get(&id) else { return };
        let slots: Vec<SlotId> = rack.slots.values().copied().collect();
        let jobs: Vec<JobId> =
            rack.leases.iter().filter_map(|run| self.leases.get(run)).map(|held| held.lease.job).collect();
        self.round.touched.extend(jobs);
        self.round.dirty.extend(slots.iter().copied());
        for slot in slots {
            self.refresh_slot(slot);
        }
        self.emit(Action::RackChanged { rack: id });
    }

    pub(super) fn drain(&mut self, id: RackId, on: bool) {
        let Some(rack) = self.racks.get_mut(&id) else { return };
        if std::mem::replace(&mut rack.draining, on) != on {
            self.round.dirty.extend(rack.slots.values().copied());
            self.emit(Action::RackChanged { rack: id });
        }
    }

    pub(super) fn place_dut(&mut self, dut: DutId, slot: Option<SlotId>) {
        if slot.is_some_and(|slot| !self.slots.contains_key(&slot)) {
            return;
        }
        let before = self.inventory.slot_of(dut);
        let evicted = slot.and_then(|slot| self.inventory.dut_in(slot)).filter(|other| *other != dut);
        self.duts.entry(dut).or_default();
        self.inventory.place(dut, slot);
        for slot in before.into_iter().chain(slot) {
            self.round.dirty.insert(slot);
            self.slot_changed(slot);
            self.refresh(Target::Slot(slot));
        }
        for dut in evicted.into_iter().chain([dut]) {
            self.refresh(Target::Dut(dut));
            self.end_torn_gangs(dut);
        }
    }

    fn refresh_slot(&mut self, slot: SlotId) {
        self.refresh(Target::Slot(slot));
        if let Some(dut) = self.inventory.dut_in(slot) {
            self.refresh(Target::Dut(dut));
        }
    }

    /// Notes since when a target is away; the patience of those who wait for it starts then.
    fn refresh(&mut self, target: Target) {
        let Some(why) = self.absence(target) else {
            self.away.remove(&target);
            return;
        };
        let now = self.now;
        let mut new = false;
        let away = self.away.entry(target).or_insert_with(|| {
            new = true;
            Away { since: now, why }
        });
        away.why = why;
        if new {
            self.expect_back(target, now);
        }
    }

    pub(super) fn expect_back(&mut self, target: Target, since: Timestamp) {
        let at = since + self.config.absence_patience;
        match target {
            Target::Slot(slot) => self.arm(at, Timer::SlotAway(slot)),
            Target::Dut(dut) => self.arm(at, Timer::DutAway(dut)),
        }
    }

    /// Why a target can run nothing now, whoever asks.
    pub(super) fn absence(&self, target: Target) -> Option<AwayWhy> {
        let Some(slot) = self.slot_at(target) else { return Some(AwayWhy::NoDut) };
        let online = self.slots.get(&slot).and_then(|slot| self.racks.get(&slot.rack)).is_some_and(|rack| rack.online);
        if !online {
            return Some(AwayWhy::NoDaemon);
        }
        self.inventory.dut_in(slot).is_none().then_some(AwayWhy::NoDut)
    }

    /// The slot where a target is now.
    pub(super) fn slot_at(&self, target: Target) -> Option<SlotId> {
        match target {
            Target::Slot(slot) => Some(slot),
            Target::Dut(dut) => self.inventory.slot_of(dut),
        }
    }

    pub(super) fn rack_at(&self, target: Target) -> Option<RackId> {
        self.slot_at(target).and_then(|slot| self.inventory.rack_of(slot))
    }

    /// Document 6.2: the CPU is looked at before a start; above the threshold the next look is a while later.
    pub(super) fn gate_opens(&mut self, id: RackId) -> bool {
        let limit = self.config.cpu_gate_percent;
        let next = self.now + self.config.cpu_gate_retry;
        let now = self.now;
        let Some(rack) = self.racks.get_mut(&id) else { return false };
        if rack.gate.is_some() {
            return false;
        }
        if limit >= 100 || rack.cpu_percent <= limit {
            return true;
        }
        rack.gate = Some(Gate { since: now, next });
        self.arm(next, Timer::Gate(id));
        self.emit(Action::RackChanged { rack: id });
        false
    }

    pub(super) fn gate_due(&mut self, id: RackId) {
        let limit = self.config.cpu_gate_percent;
        let next = self.now + self.config.cpu_gate_retry;
        let Some(rack) = self.racks.get_mut(&id) else { return };
        let Some(gate) = &mut rack.gate else { return };
        if gate.next > self.now {
            return;
        }
        if limit < 100 && rack.cpu_percent > limit {
            gate.next = next;
            return self.arm(next, Timer::Gate(id));
        }
        rack.gate = None;
        self.round.dirty.extend(rack.slots.values().copied());
        self.emit(Action::RackChanged { rack: id });
    }

    pub(super) fn quarantine(&mut self, places: &[(SlotId, DutId)]) {
        for (slot, dut) in places {
            if self.inventory.duts.contains_key(dut) {
                self.duts.entry(*dut).or_default().quarantined = Some(*slot);
            }
            let Some(book) = self.slots.get_mut(slot) else { continue };
            if !std::mem::replace(&mut book.quarantined, true) {
                self.emit(Action::SlotQuarantined { slot: *slot, on: true });
            }
        }
    }

    pub(super) fn clear_quarantine(&mut self, slot: SlotId) {
        let Some(book) = self.slots.get_mut(&slot) else { return };
        if !std::mem::replace(&mut book.quarantined, false) {
            return;
        }
        self.round.dirty.insert(slot);
        for (dut, book) in self.duts.iter_mut().filter(|(_, book)| book.quarantined == Some(slot)) {
            book.quarantined = None;
            self.round.dirty.extend(self.inventory.slot_of(*dut));
        }
        self.emit(Action::SlotQuarantined { slot, on: false });
    }
}
