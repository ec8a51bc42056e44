//! Slots that people have: reserved for a while, driven in sessions, given back.
//!
//! A reservation keeps jobs off its slot and drives nothing. Each session of it is a lease like that of a run, with a number
//! from the runs' own, raised epochs and no job ([`NO_JOB`]); whatever ends the leases of runs ends it too.

use std::collections::BTreeMap;

use headend_model::{JobId, Lease, Outcome, ReservationId, RunId, SlotId, Span, Target, TestIx, Timestamp, UserName};

use super::Farm;
use super::invariants::{Check, ensure};
use super::state::{AwayWhy, Held, Timer};
use crate::action::{Action, ChosenBy, StartReason};
use crate::reservation::{Obstacle, ReservationAction, ReservationCommand, ReservationEnd, ReservationRefusal};
use crate::view::{ReservationView, SessionView};

/// In the lease of a session: handles start at 1.
const NO_JOB: JobId = JobId(0);

/// Who has which slot.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub(super) struct Reservations {
    /// So many were made; numbers only rise.
    made: u64,
    open: BTreeMap<ReservationId, Booked>,
    by_slot: BTreeMap<SlotId, ReservationId>,
    /// Sessions under a lease, those of reservations that are over among them.
    sessions: BTreeMap<RunId, Session>,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Booked {
    pub user: UserName,
    pub slot: SlotId,
    pub note: String,
    pub begun: Timestamp,
    pub until: Timestamp,
    pub session: Option<RunId>,
}

/// Keeps what is to be shown of its reservation, which may be over before it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Session {
    pub reservation: ReservationId,
    pub booked: Booked,
}

impl Reservations {
    /// The reservation of a slot, unless it is over.
    pub(super) fn at(&self, slot: SlotId) -> Option<&Booked> {
        self.by_slot.get(&slot).and_then(|id| self.open.get(id))
    }

    pub(super) fn session(&self, run: RunId) -> Option<&Session> {
        self.sessions.get(&run)
    }

    /// A session's lease has ended.
    pub(super) fn close_session(&mut self, run: RunId) -> Option<Session> {
        let session = self.sessions.remove(&run)?;
        if let Some(booked) = self.open.get_mut(&session.reservation).filter(|booked| booked.session == Some(run)) {
            booked.session = None;
        }
        Some(session)
    }

    /// Numbers of a lost past are not given out again.
    pub(super) fn skip(&mut self, numbers: u64) {
        self.made += numbers;
    }

    fn count_of(&self, user: &UserName) -> usize {
        self.open.values().filter(|booked| booked.user == *user).count()
    }

    fn remove(&mut self, id: ReservationId) -> Option<Booked> {
        let booked = self.open.remove(&id)?;
        self.by_slot.remove(&booked.slot);
        Some(booked)
    }
}

impl Farm {
    pub(super) fn reservation_command(&mut self, by: &UserName, command: &ReservationCommand) {
        let done = match command {
            ReservationCommand::Reserve { slot, length, note } => self.reserve(by, *slot, *length, note),
            ReservationCommand::Extend { reservation, by } => self.extend(*reservation, *by),
            ReservationCommand::Release { reservation } => self.end_reservation(*reservation, ReservationEnd::Released),
            ReservationCommand::Kick { reservation, reason } => {
                let why = ReservationEnd::Kicked { by: by.clone(), reason: reason.clone() };
                self.end_reservation(*reservation, why)
            }
            ReservationCommand::Open { reservation } => self.open_session(*reservation),
            ReservationCommand::Close { reservation, session } => self.leave_session(*reservation, *session),
        };
        if let Err(refusal) = done {
            self.tell_reservation(ReservationAction::Refused(refusal));
        }
    }

    fn tell_reservation(&mut self, news: ReservationAction) {
        self.emit(Action::Reservation(Box::new(news)));
    }

    fn reserve(&mut self, user: &UserName, slot: SlotId, length: Span, note: &str) -> Result<(), ReservationRefusal> {
        if !self.slots.contains_key(&slot) {
            return Err(ReservationRefusal::UnknownSlot { slot });
        }
        let longest = self.config.longest_reservation;
        if length > longest || length <= Span::ZERO {
            return Err(ReservationRefusal::TooLong { longest });
        }
        let obstacle = self.reserved_at(slot).map(|view| obstacle_of(&view)).or_else(|| self.in_the_way(slot));
        if let Some(why) = obstacle {
            return Err(ReservationRefusal::Busy { slot, why: Box::new(why) });
        }
        let most = self.config.reservations_per_user;
        if self.reservations.count_of(user) >= most as usize {
            return Err(ReservationRefusal::TooMany { user: user.clone(), most });
        }
        self.reservations.made += 1;
        let (reservation, until) = (ReservationId(self.reservations.made), self.now + length);
        let (user, note) = (user.clone(), note.to_owned());
        let booked = Booked { user: user.clone(), slot, note, begun: self.now, until, session: None };
        self.reservations.open.insert(reservation, booked);
        self.reservations.by_slot.insert(slot, reservation);
        self.arm(until, Timer::Reservation(reservation));
        self.tell_reservation(ReservationAction::Made { reservation, user, slot, until });
        Ok(())
    }

    fn extend(&mut self, reservation: ReservationId, by: Span) -> Result<(), ReservationRefusal> {
        let (now, longest) = (self.now, self.config.longest_reservation);
        let booked = self.booked(reservation)?;
        if by <= Span::ZERO || by > longest || booked.until + by > now + longest {
            return Err(ReservationRefusal::TooLong { longest });
        }
        booked.until = booked.until + by;
        let (user, slot, until, session) = (booked.user.clone(), booked.slot, booked.until, booked.session);
        if let Some(session) = session.and_then(|run| self.reservations.sessions.get_mut(&run)) {
            session.booked.until = until;
        }
        // The former timer finds, when it fires, that it is not over.
        self.tell_reservation(ReservationAction::Extended { reservation, user, slot, until });
        Ok(())
    }

    fn booked(&mut self, reservation: ReservationId) -> Result<&mut Booked, ReservationRefusal> {
        self.reservations.open.get_mut(&reservation).ok_or(ReservationRefusal::Unknown { reservation })
    }

    /// The slot is free for others as soon as nothing drives it: at once, or when the session has ended.
    fn end_reservation(&mut self, reservation: ReservationId, why: ReservationEnd) -> Result<(), ReservationRefusal> {
        let booked = self.reservations.remove(reservation).ok_or(ReservationRefusal::Unknown { reservation })?;
        self.round.dirty.insert(booked.slot);
        if let Some(run) = booked.session {
            self.stop_run(run);
        }
        let Booked { user, slot, .. } = booked;
        self.tell_reservation(ReservationAction::Ended { reservation, user, slot, why });
        Ok(())
    }

    pub(super) fn reservation_due(&mut self, reservation: ReservationId) {
        let Some(until) = self.reservations.open.get(&reservation).map(|booked| booked.until) else { return };
        if until > self.now {
            return self.arm(until, Timer::Reservation(reservation));
        }
        // It is there.
        let _ = self.end_reservation(reservation, ReservationEnd::Expired);
    }

    /// A lease for the rack. As for a run, the rack has to take it, and the slot is free again when it says so or when it
    /// must have stopped by itself.
    fn open_session(&mut self, reservation: ReservationId) -> Result<(), ReservationRefusal> {
        let booked = self.booked(reservation)?.clone();
        if let Some(run) = booked.session {
            return Err(ReservationRefusal::SessionOpen { reservation, run });
        }
        let slot = booked.slot;
        if let Some(why) = self.in_the_way(slot) {
            return Err(ReservationRefusal::Busy { slot, why: Box::new(why) });
        }
        let busy = |why| ReservationRefusal::Busy { slot, why: Box::new(why) };
        let rack = self.inventory.rack_of(slot).ok_or(busy(Obstacle::NoRack))?;
        let target = self.raise_epochs(slot).ok_or(busy(Obstacle::NoDut))?;
        let run = RunId(self.next.run);
        self.next.run += 1;
        let until = self.now + self.config.lease.length;
        let lease = Lease { job: NO_JOB, run, attempt: 1, rack, targets: vec![target], until };
        self.occupy(&lease);
        self.wear_of_start(&lease.targets);
        self.arm(until, Timer::Lease(run));
        let incarnation = self.racks.get(&rack).and_then(|rack| rack.incarnation);
        let user = booked.user.clone();
        self.leases.insert(run, held(lease.clone(), self.now, incarnation, &user));
        let booked = Booked { session: Some(run), ..booked };
        self.reservations.open.insert(reservation, booked.clone());
        self.reservations.sessions.insert(run, Session { reservation, booked });
        self.tell_reservation(ReservationAction::SessionBegun { reservation, user, lease });
        Ok(())
    }

    fn leave_session(&mut self, reservation: ReservationId, session: RunId) -> Result<(), ReservationRefusal> {
        let open = self.reservations.session(session).is_some_and(|book| book.reservation == reservation);
        if !open {
            return Err(ReservationRefusal::Unknown { reservation });
        }
        if self.leases.get(&session).is_some_and(|held| !held.stopping) {
            self.stop_run(session);
        }
        Ok(())
    }

    /// The lease of a session is gone; says where that was.
    pub(super) fn session_ended(
        &mut self,
        held: &Held,
        session: &Session,
        outcome: Outcome,
    ) -> Vec<(SlotId, headend_model::DutId)> {
        self.tell_reservation(ReservationAction::SessionEnded {
            reservation: session.reservation,
            user: session.booked.user.clone(),
            slot: session.booked.slot,
            rack: held.lease.rack,
            run: held.lease.run,
            outcome,
        });
        held.lease.targets.iter().map(|target| (target.slot, target.dut)).collect()
    }

    /// Why nobody can drive the slot now, apart from its reservation.
    fn in_the_way(&self, slot: SlotId) -> Option<Obstacle> {
        let book = self.slots.get(&slot)?;
        if let Some(held) = book.lease.and_then(|run| self.leases.get(&run)) {
            return Some(self.obstacle_of_lease(held));
        }
        let dut = self.inventory.dut_in(slot).and_then(|dut| self.duts.get(&dut));
        if book.quarantined || dut.is_some_and(|dut| dut.quarantined.is_some()) {
            return Some(Obstacle::Quarantined);
        }
        if let Some(until) = self.quiet() {
            return Some(Obstacle::Cooling { until });
        }
        if let Some(run) = dut.and_then(|dut| dut.lease) {
            return Some(Obstacle::DutElsewhere { run });
        }
        self.obstacle_of_rack(slot).or_else(|| self.obstacle_of_jobs(slot))
    }

    fn obstacle_of_lease(&self, held: &Held) -> Obstacle {
        let Lease { run, job, until, .. } = held.lease;
        if until <= self.now {
            return Obstacle::Cooling { until: self.config.lease.reusable_at(until) };
        }
        self.reservation_of_session(run).map_or(Obstacle::Driven { run, job }, |view| obstacle_of(&view))
    }

    fn obstacle_of_rack(&self, slot: SlotId) -> Option<Obstacle> {
        match self.absence(Target::Slot(slot)) {
            Some(AwayWhy::NoDaemon) => return Some(Obstacle::NoRack),
            Some(AwayWhy::NoDut) => return Some(Obstacle::NoDut),
            None => {}
        }
        let book = self.slots.get(&slot)?;
        let rack = self.racks.get(&book.rack)?;
        if rack.draining {
            return Some(Obstacle::Draining);
        }
        if let Some(refusal) = &rack.refusal {
            return Some(Obstacle::NotTaking { reason: refusal.reason.clone() });
        }
        book.out.as_ref().map(|out| Obstacle::Out { reason: out.reason.clone() })
    }

    fn obstacle_of_jobs(&self, slot: SlotId) -> Option<Obstacle> {
        let offered = self.slots.get(&slot)?.offered.and_then(|ask| self.asks.get(&ask));
        let offered = offered.map(|ask| Obstacle::Offered { job: ask.job });
        offered.or_else(|| self.held_for(slot).map(|(job, until)| Obstacle::Held { job, until }))
    }

    /// Who has a slot: its reservation, or the one whose session is being ended there.
    pub(super) fn reserved_at(&self, slot: SlotId) -> Option<ReservationView> {
        let open = self.reservations.by_slot.get(&slot).and_then(|id| self.reservation(*id));
        open.or_else(|| {
            let run = self.slots.get(&slot)?.lease?;
            self.reservation_of_session(run)
        })
    }

    /// The reservation under which a lease was granted; `None`: the lease is a run's.
    pub(super) fn reservation_of_session(&self, run: RunId) -> Option<ReservationView> {
        let session = self.reservations.session(run)?;
        let over = !self.reservations.open.contains_key(&session.reservation);
        Some(view_of(session.reservation, &session.booked, over))
    }

    pub(super) fn session_of(&self, run: RunId) -> Option<SessionView<'_>> {
        let session = self.reservations.session(run)?;
        Some(SessionView { reservation: session.reservation, user: &session.booked.user })
    }

    /// A reservation that is not over.
    pub fn reservation(&self, id: ReservationId) -> Option<ReservationView> {
        self.reservations.open.get(&id).map(|booked| view_of(id, booked, false))
    }

    /// Reservations that are not over, in the order in which they were made; and those whose session is being ended.
    pub fn reservations(&self) -> Vec<ReservationView> {
        let open = self.reservations.open.iter().map(|(id, booked)| view_of(*id, booked, false));
        let over = self.reservations.sessions.values();
        let over = over.filter(|session| !self.reservations.open.contains_key(&session.reservation));
        let mut all: Vec<_> =
            open.chain(over.map(|session| view_of(session.reservation, &session.booked, true))).collect();
        all.sort_by_key(|view| view.reservation);
        all
    }

    /// S1, L7: a slot is reserved once, driven by no job meanwhile, and each session has a lease.
    pub(super) fn check_reservations(&self) -> Check {
        let books = &self.reservations;
        ensure(books.open.len() == books.by_slot.len(), "S1", || "a slot is reserved twice".to_owned())?;
        for (id, booked) in &books.open {
            let slot = booked.slot;
            ensure(books.by_slot.get(&slot) == Some(id), "S1", || format!("slot {slot} forgot reservation {id}"))?;
            ensure(id.0 <= books.made, "S9", || format!("reservation {id} was never made"))?;
            let lease = self.slots.get(&slot).and_then(|book| book.lease);
            ensure(lease.is_none() || lease == booked.session, "S1", || {
                format!("slot {slot} is reserved ({id}), and driven by {lease:?}")
            })?;
            let known = booked.session.is_none_or(|run| books.sessions.contains_key(&run));
            ensure(known, "L7", || format!("reservation {id} has a session that has ended"))?;
        }
        let lost = books.sessions.keys().find(|run| !self.leases.contains_key(run));
        ensure(lost.is_none(), "L7", || format!("session {lost:?} has no lease"))?;
        let mut free = self.leases.values().filter(|held| held.lease.job == NO_JOB);
        let stray = free.find(|held| !books.sessions.contains_key(&held.lease.run));
        ensure(stray.is_none(), "L7", || format!("{:?} is leased for nobody", stray.map(|held| held.lease.run)))
    }
}

fn view_of(reservation: ReservationId, booked: &Booked, over: bool) -> ReservationView {
    ReservationView {
        reservation,
        user: booked.user.clone(),
        slot: booked.slot,
        note: booked.note.clone(),
        begun: booked.begun,
        until: booked.until,
        session: booked.session,
        over,
    }
}

fn obstacle_of(view: &ReservationView) -> Obstacle {
    Obstacle::Reserved { reservation: view.reservation, user: view.user.clone(), until: view.until, over: view.over }
}

fn held(lease: Lease, leased: Timestamp, incarnation: Option<u64>, user: &UserName) -> Held {
    let why = StartReason {
        chosen_by: ChosenBy::BuiltIn("reservation".to_owned()),
        queue: String::new(),
        test: format!("{user} has reserved the slot"),
        inputs: 0,
    };
    Held {
        lease,
        test: TestIx(0),
        group: 0,
        targets: Vec::new(),
        leased,
        confirmed: false,
        stopping: false,
        incarnation,
        why,
    }
}
