//! People: they reserve slots, work there in sessions, come back, forget, and are sent away.

use headend_model::{SlotId, Span, UserName};
use headend_scheduler::{Action, Event, ReservationCommand};

use crate::witness::Broken;
use crate::world::{CALM, Happening, SECOND, World};

impl World {
    /// In half of the labs there are people beside jobs.
    pub(crate) fn plan_people(&mut self) {
        if self.rng.percent(50) {
            return;
        }
        for _ in 0..self.rng.range(4, 24) {
            let at = self.rng.range(0, CALM - SECOND);
            self.at(at, Happening::Person);
        }
    }

    /// Somebody does something that is allowed at any moment.
    pub(crate) fn person_acts(&mut self, durable: bool) -> Result<Vec<Action>, Broken> {
        let by = UserName::new(if self.rng.percent(50) { "anna" } else { "bert" }).unwrap();
        let known = self.server.farm.reservations();
        let of = (!known.is_empty()).then(|| &known[self.rng.range(0, known.len() as i64 - 1) as usize]);
        let command = match (of, self.rng.range(0, 9)) {
            (None, _) | (_, 0..=2) => self.reserve(),
            (Some(of), 3) => {
                let by = Span::seconds(self.rng.range(0, 8));
                ReservationCommand::Extend { reservation: of.reservation, by }
            }
            (Some(of), 4) => ReservationCommand::Release { reservation: of.reservation },
            (Some(of), 5) => ReservationCommand::Kick { reservation: of.reservation, reason: String::new() },
            (Some(of), kind) => match of.session {
                Some(session) if kind == 6 => ReservationCommand::Close { reservation: of.reservation, session },
                _ => ReservationCommand::Open { reservation: of.reservation },
            },
        };
        self.commit(Event::Reservation { by, command }, durable)
    }

    fn reserve(&mut self) -> ReservationCommand {
        let slots: Vec<SlotId> = self.server.farm.inventory().slots.keys().copied().collect();
        let slot = slots[self.rng.range(0, slots.len() as i64 - 1) as usize];
        let length = Span::seconds(self.rng.range(1, 15));
        ReservationCommand::Reserve { slot, length, note: String::new() }
    }
}
