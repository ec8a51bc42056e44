//! The core's loop: batches of messages in, durable records and actions out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use headend_model::{Lease, RunId, Timestamp};
use headend_scheduler::event::Claim;
use headend_scheduler::fence::{FenceAction, FenceEvent, FenceRecord, StopReason};
use headend_wire::rack::{Declined, Orders, SessionOrder, StartOrder};
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;

use super::shared::Shared;
use crate::clock::{boot_now, until};
use crate::crash;
use crate::journal::Journal;
use crate::link::Client;
use crate::remote;
use crate::run::{self, Ended, Stop};
use crate::session::ends::HowEnded;

/// Messages taken as one batch.
const BATCH: usize = 512;
/// Longest sleep: nothing depends on it.
const LONG: Duration = Duration::from_hours(1);
/// How soon a journal that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What reaches the core.
#[derive(Debug)]
pub(crate) enum Msg {
    /// An answer of the server.
    Answer(Box<Answer>),
    /// A run has ended.
    Ended(RunId, Box<Ended>),
    /// Take no new runs; stop by yourself when none is left.
    Drain,
    /// Stop every run now, then stop.
    Shutdown,
}

/// An answer of the server, and what it answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) orders: Orders,
    /// When the request was sent.
    pub(crate) sent: Timestamp,
    /// What it named as held, if it was a heartbeat.
    pub(crate) named: Option<Vec<Claim>>,
    /// Told when the answer has been worked in.
    pub(crate) done: oneshot::Sender<()>,
}

/// What a lease is for.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// A run of a job.
    Run(Box<StartOrder>),
    /// A session of a person.
    Session(Box<SessionOrder>),
}

impl Work {
    fn lease(&self) -> &Lease {
        match self {
            Self::Run(order) => &order.lease,
            Self::Session(order) => &order.lease,
        }
    }
}

/// The state of the core.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) journal: Journal,
    pub(crate) inbox: Receiver<Msg>,
    /// For the ends of runs. Bounded by what sends: one end per run, two answers of the link.
    pub(crate) myself: Sender<Msg>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) tasks: TaskTracker,
    /// Folders with something to hand over to the server.
    pub(crate) evidence: tokio::sync::mpsc::Sender<std::path::PathBuf>,
    /// Says that the core has ended.
    pub(crate) drained: watch::Sender<bool>,
    /// For sessions, which fetch their person's end from the server.
    pub(crate) client: Client,
    pub(crate) offers: BTreeMap<RunId, Work>,
    pub(crate) running: BTreeMap<RunId, watch::Sender<Option<HowEnded>>>,
    /// Stops that came before their start was durable.
    pub(crate) early_stops: BTreeMap<RunId, HowEnded>,
    pub(crate) unwritten: Vec<FenceRecord>,
    pub(crate) deferred: Vec<FenceAction>,
    pub(crate) waiting: Vec<oneshot::Sender<()>>,
    pub(crate) draining: bool,
    /// The process is to end: nothing waits for a disk that takes nothing.
    pub(crate) shutdown: bool,
    /// Why the journal takes nothing, while that is so: the last cause, without the paths of this host.
    pub(crate) disk_trouble: Option<String>,
}

impl Core {
    /// Until drained, or everybody else is gone.
    pub(crate) fn run(mut self) {
        loop {
            self.commit();
            if self.is_done() {
                break;
            }
            match self.inbox.recv_timeout(self.sleep()) {
                Ok(first) => self.take(first),
                Err(RecvTimeoutError::Timeout) => self.step(&FenceEvent::Tick),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for _ in 1..BATCH {
                let Ok(message) = self.inbox.try_recv() else { break };
                self.take(message);
            }
        }
        let _ = self.drained.send(true);
    }

    fn is_done(&self) -> bool {
        if !self.draining || !self.running.is_empty() {
            return false;
        }
        let written = self.unwritten.is_empty() && self.deferred.is_empty();
        if self.shutdown && !written {
            // Their starts are in the journal: the next life tells them as lost with the rack.
            tracing::error!(records = self.unwritten.len(), "the journal could not be written before the end");
        }
        written || self.shutdown
    }

    fn sleep(&self) -> Duration {
        let deadline = self.shared.fence.lock().next_deadline().map_or(LONG, until);
        if self.disk_trouble.is_some() { deadline.min(RETRY) } else { deadline.min(LONG) }
    }

    fn take(&mut self, message: Msg) {
        match message {
            Msg::Answer(answer) => self.answered(*answer),
            Msg::Ended(run, ended) => self.ended(run, *ended),
            Msg::Drain => self.draining = true,
            Msg::Shutdown => {
                (self.draining, self.shutdown) = (true, true);
                self.running.values().for_each(|stop| ask(stop, HowEnded::Shutdown));
            }
        }
    }

    fn step(&mut self, event: &FenceEvent) {
        let actions = self.shared.fence.lock().step(boot_now(), event);
        for action in actions {
            match action {
                FenceAction::Write(record) => self.unwritten.push(record),
                // Never waits for the disk: the device has to be left alone in time.
                FenceAction::Stop { run, why } => self.stop(run, why),
                other => self.deferred.push(other),
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        let Answer { orders, sent, named, done } = answer;
        if let Some(terms) = orders.terms {
            self.shared.fence.lock().set_terms(terms);
            *self.shared.terms.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = terms;
        }
        if !orders.slots.is_empty() {
            self.shared.set_slots(&orders.slots);
        }
        if let Some(held) = named.filter(|_| orders.renewed) {
            self.step(&FenceEvent::Renewed { sent, held });
        }
        if let Some(seq) = orders.acknowledged {
            self.step(&FenceEvent::Acknowledged { seq });
        }
        for run in orders.stop {
            self.step(&FenceEvent::StopAsked { run });
        }
        for lease in orders.refuse {
            self.step(&FenceEvent::RefuseAsked(lease));
        }
        self.draining |= orders.drain;
        for order in orders.start {
            self.offered(Work::Run(Box::new(order)), sent);
        }
        for order in orders.sessions {
            self.offered(Work::Session(Box::new(order)), sent);
        }
        self.waiting.push(done);
    }

    fn offered(&mut self, work: Work, sent: Timestamp) {
        let lease = work.lease().clone();
        let run = lease.run;
        if self.offers.contains_key(&run) {
            return;
        }
        // Left lying: the server knows why, or will with the next heartbeat, and offers again.
        if self.draining || self.not_taking().is_some() {
            tracing::debug!(run = run.0, draining = self.draining, "an offer is left lying");
            return;
        }
        if let Some(reason) = self.stranger(&lease) {
            return self.decline(claim(&lease), reason);
        }
        if let Some(reason) = self.out(&lease) {
            // Before a heartbeat could tell it. The refusal goes through the journal: it never starts later.
            return self.refuse(lease, &reason);
        }
        self.offers.insert(run, work);
        self.step(&FenceEvent::OfferedIn { lease, sent });
        let wanted = |action: &FenceAction| match action {
            FenceAction::Start(lease) => lease.run == run,
            FenceAction::Decline { claim, .. } => claim.run == run,
            FenceAction::Write(_) | FenceAction::Stop { .. } => false,
        };
        if !self.deferred.iter().any(wanted) {
            tracing::debug!(run = run.0, "an offer came too late, or for what is held or was told as ended");
            self.offers.remove(&run);
        }
    }

    /// Why no new run is taken at the moment.
    fn not_taking(&self) -> Option<String> {
        if let Some(trouble) = &self.disk_trouble {
            return Some(format!("its journal cannot be written ({trouble})"));
        }
        let most = self.shared.options.outbox;
        let full = self.shared.fence.lock().unacknowledged_count() >= most;
        full.then(|| format!("its outbox is full: {most} results wait until the server takes them"))
    }

    /// Why the device of one of its slots cannot be driven at the moment.
    fn out(&self, lease: &Lease) -> Option<String> {
        let mut places = lease.targets.iter().filter_map(|target| self.shared.place(target.slot));
        places.find_map(|place| Some(format!("slot {} is out: {}", place.no, self.shared.outbox.out(place.no.0)?)))
    }

    /// A lease that is not taken, and never will be.
    fn refuse(&mut self, lease: Lease, why: &str) {
        let run = lease.run;
        self.step(&FenceEvent::RefuseAsked(lease));
        for action in &mut self.deferred {
            if let FenceAction::Decline { claim, reason } = action
                && claim.run == run
            {
                why.clone_into(reason);
            }
        }
    }

    fn stranger(&self, lease: &Lease) -> Option<String> {
        let strange = lease.targets.iter().find(|target| self.shared.place(target.slot).is_none());
        strange.map(|target| format!("slot {} is not a slot of this rack", target.slot))
    }

    fn decline(&self, claim: Option<Claim>, reason: String) {
        if let Some(claim) = claim {
            tracing::info!(run = claim.run.0, reason, "a run is refused");
            self.shared.outbox.declined(Declined { claim, reason });
        }
    }

    fn ended(&mut self, run: RunId, ended: Ended) {
        self.running.remove(&run);
        self.offers.remove(&run);
        crash::point("rack.after_end");
        let Ended { outcome, unkillable, evidence } = ended;
        self.step(&FenceEvent::Ended { run, outcome, unkillable });
        if let Some(folder) = evidence
            && self.evidence.try_send(folder).is_err()
        {
            // It lies on the disk: the next look at the folder finds it.
            tracing::debug!("the queue of evidence is full");
        }
    }

    /// Makes the batch durable, then does what it says, then tells the link.
    fn commit(&mut self) {
        let written = self.write();
        if !written {
            self.take_back_starts();
            // Whoever still waits may be told later; the others have gone.
            self.waiting.retain(|done| !done.is_closed());
            return self.shared.outbox.set_not_taking(self.not_taking());
        }
        for action in std::mem::take(&mut self.deferred) {
            self.act(action);
        }
        let (held, ends, records) = {
            let fence = self.shared.fence.lock();
            let records = self.journal.is_long().then(|| fence.compacted());
            (fence.held(), fence.unacknowledged(), records)
        };
        self.shared.outbox.publish(held, ends);
        self.shared.outbox.set_not_taking(self.not_taking());
        if let Some(records) = records
            && let Err(error) = self.journal.compact(&records)
        {
            tracing::error!(error = %chain(&error), "the journal cannot be compacted");
        }
        for done in self.waiting.drain(..) {
            let _ = done.send(());
        }
    }

    /// Whether everything is in the journal.
    fn write(&mut self) -> bool {
        if self.disk_trouble.is_some() && self.unwritten.is_empty() {
            // Says nothing new: it only tries the disk.
            let acknowledged = self.shared.fence.lock().acknowledged();
            self.unwritten.push(FenceRecord::Acknowledged(acknowledged));
        }
        if self.unwritten.is_empty() {
            return true;
        }
        crash::point("rack.before_journal");
        if let Err(error) = self.journal.append(&self.unwritten) {
            let cause = root(&error);
            // Once per trouble, not once per try.
            if self.disk_trouble.as_ref() != Some(&cause) {
                let error = chain(&error);
                tracing::error!(error, "nothing starts and no end is told until the journal can be written");
            }
            self.disk_trouble = Some(cause);
            return false;
        }
        self.unwritten.clear();
        if self.disk_trouble.take().is_some() {
            tracing::info!("the journal can be written again");
        }
        crash::point("rack.after_journal");
        true
    }

    /// Starts whose epochs are not in the journal have not happened: the server offers them again.
    fn take_back_starts(&mut self) {
        let mut runs = Vec::new();
        self.unwritten.retain(|record| {
            let start = if let FenceRecord::Starting(lease) = record { Some(lease.run) } else { None };
            runs.extend(start);
            start.is_none()
        });
        self.deferred.retain(|action| !matches!(action, FenceAction::Start(_)));
        for run in runs {
            tracing::warn!(run = run.0, "not started: its epochs could not be written to the journal");
            self.offers.remove(&run);
            self.early_stops.remove(&run);
            self.step(&FenceEvent::NotWritten { run });
        }
    }

    fn act(&mut self, action: FenceAction) {
        match action {
            FenceAction::Start(lease) => self.start(&lease),
            FenceAction::Decline { claim, reason } => {
                self.offers.remove(&claim.run);
                self.decline(Some(claim), reason);
            }
            FenceAction::Write(_) | FenceAction::Stop { .. } => {}
        }
    }

    fn start(&mut self, lease: &Lease) {
        let run = lease.run;
        let Some(work) = self.offers.get(&run).cloned() else { return };
        let (stop, signal) = Stop::new();
        if let Some(how) = self.early_stops.remove(&run) {
            ask(&stop, how);
        }
        self.running.insert(run, stop);
        if let Some(claim) = claim(lease) {
            self.shared.outbox.started(claim);
        }
        let (shared, myself, client) = (self.shared.clone(), self.myself.clone(), self.client.clone());
        self.tasks.spawn_on(
            async move {
                match work {
                    Work::Run(order) => {
                        let ended = run::execute(&shared, &order, signal).await;
                        let _ = myself.send(Msg::Ended(run, Box::new(ended)));
                    }
                    Work::Session(order) => {
                        let (ended, farewell) = remote::execute(&shared, &client, &order, signal).await;
                        // The slot is free before the session's files are on their way.
                        let _ = myself.send(Msg::Ended(run, Box::new(ended)));
                        farewell.say().await;
                    }
                }
            },
            &self.runtime,
        );
        crash::point("rack.after_start");
    }

    fn stop(&mut self, run: RunId, why: StopReason) {
        let how = HowEnded::Stopped(why);
        match self.running.get(&run) {
            Some(stop) => ask(stop, how),
            None => {
                self.early_stops.entry(run).or_insert(how);
            }
        }
    }
}

/// The first reason stays.
fn ask(stop: &watch::Sender<Option<HowEnded>>, how: HowEnded) {
    stop.send_if_modified(|asked| {
        let first = asked.is_none();
        if first {
            *asked = Some(how);
        }
        first
    });
}

fn claim(lease: &Lease) -> Option<Claim> {
    let epoch = lease.targets.first()?.slot_epoch;
    Some(Claim { run: lease.run, attempt: lease.attempt, epoch })
}

/// The last cause of an error.
fn root(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
