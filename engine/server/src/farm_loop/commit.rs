//! Who is told once a batch is durable.

use headend_scheduler::{Action, ReservationAction};
use headend_store::{Committed, FeedItem, FeedRow};

use crate::events::Bus;
use crate::policies::PolicyDesk;
use crate::racks::Board;

/// Racks that wait for orders, policies that are to be asked, and whoever watches the feed.
pub(crate) struct Tell {
    pub(crate) bus: Bus,
    pub(crate) board: Board,
    pub(crate) policies: PolicyDesk,
}

impl Tell {
    /// Publishes feed items under the numbers that they were given.
    pub(crate) fn feed(&self, committed: &Committed, items: Vec<FeedItem>) {
        for (number, item) in committed.feed.clone().zip(items) {
            self.bus.publish(FeedRow { number, item });
        }
    }

    /// Carries out what the actions of a step ask for.
    pub(crate) fn actions(&self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Start { lease, .. } => self.board.wake(lease.rack),
                Action::Stop { rack, .. } => self.board.wake(*rack),
                Action::Reservation(news) => {
                    if let ReservationAction::SessionBegun { lease, .. } = &**news {
                        self.board.wake(lease.rack);
                    }
                }
                Action::AskRanks(question) => self.policies.ask_ranks(question),
                Action::JobChanged { job, status, .. } if status.is_final() => self.policies.forget(*job),
                // Its instances are built anew where they are still wanted.
                Action::PolicyMoved { from, .. } => self.policies.forget_policy(from),
                Action::PolicyStruck { policy, strikes, reason, quarantined } => {
                    self.policies.struck(policy, *strikes, reason, *quarantined);
                }
                _ => {}
            }
        }
    }
}
