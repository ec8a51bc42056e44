//! The farm's own past is missing: the database was put back to an older backup, or a failover lost its last commits.
//!
//! Racks may then drive under leases that the farm has never heard of, and have seen epochs and run numbers that it would
//! give out again. So from that moment on
//! - handles, run numbers and epochs go on in a new **era**, above all that the lost past can have used (S2, S8, S9);
//! - runs that wait in the backup keep their numbers, which clients know, and start as another attempt (S2);
//! - every rack has to say ready again before it gets anything, and tells the highest epochs that it has seen;
//! - nothing is leased until the lease of an unknown run has surely run out: a full term, the kill bound, the margin (S1,
//!   S10). Leases that the farm does know go on if their racks name them, and run out if not.
//!
//! Results that were acknowledged after the backup are gone with it; their runs wait in the books and are run again.
//!
//! The farm learns of it in two ways. Whoever restores a backup raises [`FarmConfig::generation`]; and a rack that names
//! a run which was never given out proves the loss, so a forgotten word costs little.
//!
//! [`FarmConfig::generation`]: crate::FarmConfig::generation

use headend_model::{Epoch, RackId, Timestamp};

use super::Farm;
use super::state::Timer;
use crate::event::Claim;

/// Handles per era. They stay small enough for the 32 bits of XML-RPC.
const JOBS_PER_ERA: u64 = 1_000_000;
/// Run numbers, questions and epochs per era.
const NUMBERS_PER_ERA: u64 = 1 << 32;

impl Farm {
    /// A server whose store has a higher generation than the books stands on a backup. 0: nobody has counted yet.
    pub(super) fn is_restored(&self, generation: u64) -> bool {
        let known = self.config.generation;
        known > 0 && generation > known
    }

    /// A rack names a run: one of an era that has not begun is no proof, only nonsense.
    pub(super) fn hear_of(&mut self, claim: &Claim) {
        let next = self.next.run;
        if (next..next.saturating_add(NUMBERS_PER_ERA)).contains(&claim.run.0) {
            self.past_is_lost();
        }
    }

    pub(super) fn past_is_lost(&mut self) {
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::RestoreUnnoticed) {
            return;
        }
        self.next.era += 1;
        self.next.job += JOBS_PER_ERA;
        self.next.run += NUMBERS_PER_ERA;
        self.next.ask += NUMBERS_PER_ERA;
        self.reservations.skip(NUMBERS_PER_ERA);
        self.drop_asks(None);
        for held in self.leases.values_mut().filter(|held| !held.confirmed) {
            // Never offered again: what has become of it since, and of its DUT, nobody knows.
            held.incarnation = None;
        }
        for rack in self.racks.values_mut() {
            (rack.incarnation, rack.online) = (None, false);
        }
        for rack in self.racks.keys().copied().collect::<Vec<RackId>>() {
            self.presence_changed(rack);
        }
        self.be_quiet();
    }

    /// Nothing is leased until all that is unknown has surely run out, counted from now. A server that starts again
    /// meanwhile counts anew, as it does for leases: its wall clock may have been set forward while it was away, and the
    /// racks' clocks were not.
    pub(super) fn be_quiet(&mut self) {
        #[cfg(feature = "mutants")]
        if self.quiet_until.is_some() && self.is_mutant(crate::mutant::Mutant::QuietCutShort) {
            return;
        }
        let until = self.config.lease.reusable_at(self.now + self.config.lease.length);
        self.quiet_until = Some(until);
        self.arm(until, Timer::Quiet);
    }

    /// Which try of its run a job's next start is. A run that waited in a backup may have been started in the lost past:
    /// its number stays, since clients know it, and the try is another one, so that the pair is never given out twice.
    pub(super) fn attempt(&self, born: u32) -> u32 {
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::AttemptsRepeat) {
            return 1;
        }
        self.next.era.saturating_sub(born).saturating_add(1)
    }

    pub(super) fn quiet_due(&mut self) {
        if self.quiet_until.is_some_and(|until| until <= self.now) {
            self.quiet_until = None;
            self.round.dirty.extend(self.slots.keys().copied());
        }
    }

    /// Until when nothing is leased because the past is missing.
    pub(super) fn quiet(&self) -> Option<Timestamp> {
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::NoQuietTime) {
            return None;
        }
        self.quiet_until
    }

    /// Epochs of this era are above this one.
    pub(super) fn epoch_floor(&self) -> Epoch {
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::NoNewEra) {
            return Epoch::default();
        }
        Epoch(u64::from(self.next.era) * NUMBERS_PER_ERA)
    }
}
