//! What the link has to tell the server: written by the core after the journal, read by the link.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headend_model::RunId;
use headend_scheduler::event::Claim;
use headend_scheduler::fence::EndReport;
use headend_wire::rack::{Declined, Note};
use tokio::sync::Notify;

use crate::clock::wall_now;
use crate::session::Watcher;

/// Items of each kind per report.
const MOST: usize = 1_000;
/// Lines of running scripts that wait; more are dropped, the oldest first.
const MOST_NOTES: usize = 2_000;
/// Lines per report.
const NOTES_PER_REPORT: usize = 500;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    urgent: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<Claim>,
    ends: Vec<EndReport>,
    /// As the link has heard; the core may not have worked it in yet.
    acknowledged: u64,
    started: VecDeque<Claim>,
    declined: VecDeque<Declined>,
    notes: VecDeque<Note>,
    not_taking: Option<String>,
    out: BTreeMap<u16, String>,
}

/// What one report carries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) held: Vec<Claim>,
    pub(crate) ends: Vec<EndReport>,
    pub(crate) started: Vec<Claim>,
    pub(crate) declined: Vec<Declined>,
    pub(crate) notes: Vec<Note>,
    /// Why no new runs are taken at the moment.
    pub(crate) not_taking: Option<String>,
    /// Slots whose devices cannot be driven at the moment, and why.
    pub(crate) out: BTreeMap<u16, String>,
}

impl Report {
    /// Worth a message of its own, before the next heartbeat.
    pub(crate) fn is_urgent(&self, last_sent: u64) -> bool {
        !self.declined.is_empty() || self.ends.last().is_some_and(|end| end.seq > last_sent)
    }
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The core's new word on what is held and what is to be told.
    pub(crate) fn publish(&self, held: Vec<Claim>, ends: Vec<EndReport>) {
        let mut state = self.state();
        let grown = ends.last().map(|end| end.seq) > state.ends.last().map(|end| end.seq);
        (state.held, state.ends) = (held, ends);
        drop(state);
        if grown {
            self.urgent.notify_one();
        }
    }

    /// Why no new runs are taken from now on; `None`: they are.
    pub(crate) fn set_not_taking(&self, reason: Option<String>) {
        let mut state = self.state();
        let news = state.not_taking != reason;
        state.not_taking = reason;
        drop(state);
        if news {
            self.urgent.notify_one();
        }
    }

    /// Why the device of a slot cannot be driven from now on; `None`: it can.
    pub(crate) fn set_out(&self, slot: u16, reason: Option<String>) {
        let mut state = self.state();
        let news = state.out.get(&slot) != reason.as_ref();
        match reason {
            Some(reason) => drop(state.out.insert(slot, reason)),
            None => drop(state.out.remove(&slot)),
        }
        drop(state);
        if news {
            self.urgent.notify_one();
        }
    }

    /// Why the device of a slot cannot be driven at the moment.
    pub(crate) fn out(&self, slot: u16) -> Option<String> {
        self.state().out.get(&slot).cloned()
    }

    /// A run has started.
    pub(crate) fn started(&self, claim: Claim) {
        self.state().started.push_back(claim);
    }

    /// An offer is not taken.
    pub(crate) fn declined(&self, declined: Declined) {
        self.state().declined.push_back(declined);
        self.urgent.notify_one();
    }

    /// Waits until there is something that should not wait for the next heartbeat. May wake once too often.
    pub(crate) async fn urgent(&self) {
        self.urgent.notified().await;
    }

    /// What to tell now, leaving out ends that the server has acknowledged since the core last looked.
    pub(crate) fn report(&self, acknowledged: u64) -> Report {
        let mut state = self.state();
        let most = state.notes.len().min(NOTES_PER_REPORT);
        Report {
            held: state.held.clone(),
            ends: state.ends.iter().filter(|end| end.seq > acknowledged).take(MOST).cloned().collect(),
            started: state.started.iter().take(MOST).copied().collect(),
            declined: state.declined.iter().take(MOST).cloned().collect(),
            // Notes may be lost, so they are not kept until the answer.
            notes: state.notes.drain(..most).collect(),
            not_taking: state.not_taking.clone(),
            out: state.out.clone(),
        }
    }

    /// What is held, for a request that only waits.
    pub(crate) fn held(&self) -> Vec<Claim> {
        self.state().held.clone()
    }

    /// Every end is with the server.
    pub(crate) fn all_told(&self) -> bool {
        let state = self.state();
        state.ends.last().is_none_or(|end| end.seq <= state.acknowledged)
    }

    /// The server has answered this report: starts and refusals in it need not be told again.
    pub(crate) fn delivered(&self, report: &Report, acknowledged: u64) {
        let mut state = self.state();
        state.acknowledged = state.acknowledged.max(acknowledged);
        // Only the core adds, at the back, and only the link removes, at the front.
        state.started.drain(..report.started.len());
        state.declined.drain(..report.declined.len());
    }
}

impl Watcher for Outbox {
    fn note(&self, run: RunId, text: String) {
        let mut state = self.state();
        if state.notes.len() >= MOST_NOTES {
            state.notes.pop_front();
        }
        state.notes.push_back(Note { run, at: wall_now(), text });
    }

    fn console(&self, _: RunId, _: &str) {}
}
