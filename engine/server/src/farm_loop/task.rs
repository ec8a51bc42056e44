//! The loop: wait, step, make durable, tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headend_model::Timestamp;
use headend_scheduler::farm::Violation;
use headend_scheduler::{Action, Event, Farm, FarmConfig};
use headend_store::{Committed, Entry, Store, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::commit::Tell;
use super::record::Recorder;
use super::recover::{RecoverError, Recovered, recover};
use super::{Command, Rejected, Stepped, View};
use crate::clock::Clock;
use crate::crash::crash_point;
use crate::policies::Question;

/// Commands that share one commit at most.
const BATCH: usize = 512;
/// A batch that takes longer is told in the log, for those who look for what holds the loop up.
const SLOW: Duration = Duration::from_millis(20);
/// Between two tries of a disk that refuses.
const REST: Duration = Duration::from_millis(250);

/// What the loop is made of.
pub(crate) struct LoopParts {
    pub(crate) store: Store,
    pub(crate) recovered: Recovered,
    pub(crate) config: FarmConfig,
    pub(crate) clock: Clock,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) recorder: Recorder,
    pub(crate) tell: Arc<Tell>,
    pub(crate) snapshot_every: u64,
    /// Ends the loop once all that waits is done.
    pub(crate) stop: CancellationToken,
}

/// Why the loop ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum LoopFailure {
    /// The journal failed in a way that leaves its outcome unknown.
    #[error("the journal failed; nothing more is acknowledged")]
    Store(#[source] StoreError),
    /// The farm could not be rebuilt after a refused commit.
    #[error("the farm could not be rebuilt after a refused commit")]
    Recover(#[source] RecoverError),
    /// A bug of ours. What it would have written is not.
    #[error("the scheduler broke one of its own rules; nothing more is decided")]
    Broken(#[source] Violation),
}

struct Loop {
    store: Store,
    config: FarmConfig,
    clock: Clock,
    recorder: Recorder,
    tell: Arc<Tell>,
    snapshot_every: u64,
    state: Recovered,
    saving: Option<tokio::task::JoinHandle<()>>,
    /// The disk has refused a batch, and none has been stored since.
    outage: Option<Outage>,
}

/// A disk that refuses for a while.
struct Outage {
    error: StoreError,
    next_try: Instant,
}

/// What one batch has become before it is durable.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    waiting: Vec<(Command, Stepped)>,
    tick: Stepped,
    questions: Vec<Question>,
}

/// Runs until told to stop; leaves a snapshot.
///
/// # Errors
/// [`LoopFailure`]: the process should end, the disk needs a look.
pub(crate) async fn run(parts: LoopParts) -> Result<(), LoopFailure> {
    let LoopParts { store, recovered, config, clock, mut commands, recorder, tell, snapshot_every, stop } = parts;
    let mut this =
        Loop { store, config, clock, recorder, tell, snapshot_every, state: recovered, saving: None, outage: None };
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let due = this.next_tick();
        tokio::select! {
            biased;
            // Nothing and nobody left to send: the server is gone.
            count = commands.recv_many(&mut batch, BATCH) => if count == 0 { break },
            () = tokio::time::sleep_until(due.into()) => {}
            () = stop.cancelled() => break,
        }
        this.take(std::mem::take(&mut batch)).await?;
    }
    commands.close();
    while commands.recv_many(&mut batch, BATCH).await > 0 {
        this.take(std::mem::take(&mut batch)).await?;
    }
    this.snapshot_at_end().await;
    Ok(())
}

impl Loop {
    fn next_tick(&self) -> Instant {
        let far = Instant::now() + Duration::from_hours(1);
        if let Some(outage) = &self.outage {
            return outage.next_try;
        }
        // A pause of a millisecond keeps a deadline that does not move from spinning the loop.
        let soon = Instant::now() + Duration::from_millis(1);
        self.state.farm.next_deadline().map_or(far, |at| self.clock.instant_of(at).max(soon).min(far))
    }

    async fn take(&mut self, commands: Vec<Command>) -> Result<(), LoopFailure> {
        let writes = commands.iter().any(|command| !command.events.is_empty());
        if let Some(error) = self.still_refused(writes).await? {
            refuse_all(commands, &error, &self.view());
            return Ok(());
        }
        let began = Instant::now();
        let batch = self.step_all(commands);
        let stepped = began.elapsed();
        if let Some(violation) = self.state.farm.violation().cloned() {
            tracing::error!(%violation, "stopping before anything of it is written");
            self.answer_refused(batch, &StoreError::Stopped { reason: violation.to_string() });
            return Err(LoopFailure::Broken(violation));
        }
        if batch.entries.is_empty() {
            self.finish(batch, &Committed::default());
            return Ok(());
        }
        before_append(&batch.entries);
        let marks = Marks::of(&batch.entries);
        let mut batch = batch;
        match self.store.append(std::mem::take(&mut batch.entries)).await {
            Ok(committed) => {
                let stored = began.elapsed();
                marks.after_commit();
                self.state.seq = committed.seq;
                self.state.since_snapshot += marks.events;
                self.finish(batch, &committed);
                self.snapshot_if_due();
                tell_if_slow(marks.events, [stepped, stored, began.elapsed()]);
                Ok(())
            }
            Err(error) => self.refuse(batch, error).await,
        }
    }

    fn step_all(&mut self, commands: Vec<Command>) -> Batch {
        let now = self.clock.now().max(self.state.at);
        let mut batch = Batch::default();
        for mut command in commands {
            let events = std::mem::take(&mut command.events);
            let stepped = events.into_iter().map(|event| self.step_one(now, event, &mut batch)).collect();
            batch.waiting.push((command, stepped));
        }
        // Last, as the farm wants it: what has arrived counts before what has run out.
        if self.state.farm.next_deadline().is_some_and(|due| due <= now) {
            let ticked = self.step_one(now, Event::Tick, &mut batch);
            batch.tick.push(ticked);
        }
        batch
    }

    fn step_one(&mut self, now: Timestamp, event: Event, batch: &mut Batch) -> Vec<Action> {
        let actions = self.state.farm.step(now, &event);
        self.state.at = now;
        let projections = self.recorder.record(&self.state.farm, now, &actions, &mut self.state.pins);
        // Questions are drawn up at once: a plan taken later would hold changes that the next question tells again.
        batch.questions.extend(self.tell.policies.questions(&self.state.farm, &actions));
        batch.entries.push(Entry { at: now, event, projections });
        actions
    }

    fn finish(&mut self, batch: Batch, committed: &Committed) {
        let view = View { farm: &self.state.farm, pins: &self.state.pins };
        self.tell.feed(committed, self.recorder.take_feed());
        // Before a job's instances are forgotten: they are asked for their report.
        batch.questions.into_iter().for_each(|question| self.tell.policies.ask(question));
        for actions in batch.waiting.iter().flat_map(|(_, stepped)| stepped).chain(&batch.tick) {
            self.tell.actions(actions);
        }
        for (command, stepped) in batch.waiting {
            (command.finish)(Ok(stepped), &view);
        }
    }

    /// The journal has not taken the batch: neither has the farm. It is rebuilt as it was.
    async fn refuse(&mut self, batch: Batch, error: StoreError) -> Result<(), LoopFailure> {
        tracing::error!(%error, "a batch was not stored");
        self.recorder.take_feed();
        if !is_passing(&error) {
            self.answer_refused(batch, &error);
            return Err(LoopFailure::Store(error));
        }
        let rebuilt = recover(&self.store, &self.config).await;
        let rebuilt = rebuilt.map_err(LoopFailure::Recover);
        match rebuilt {
            Ok(recovered) => self.state = recovered,
            Err(failure) => {
                self.answer_refused(batch, &error);
                return Err(failure);
            }
        }
        self.answer_refused(batch, &error);
        if matches!(error, StoreError::Conflict { .. }) {
            // A fault of ours in this batch, none of the disk; but what leads to it may come again at once.
            tokio::time::sleep(REST).await;
        } else {
            self.outage = Some(Outage { error, next_try: Instant::now() + REST });
        }
        Ok(())
    }

    /// While the disk refuses, nothing is stepped and no lease runs out here: what racks have to say cannot be heard.
    /// When it takes records again, the first one gives every lease a fresh term, as after a restart, so that racks can
    /// hand in what has ended meanwhile.
    ///
    /// `asked`: somebody wants something written, so the disk is tried at once.
    async fn still_refused(&mut self, asked: bool) -> Result<Option<StoreError>, LoopFailure> {
        let Some(outage) = &self.outage else { return Ok(None) };
        if !asked && Instant::now() < outage.next_try {
            return Ok(Some(outage.error.clone()));
        }
        let now = self.clock.now().max(self.state.at);
        let event = Event::ServerStarted { config: self.config.clone() };
        // On a copy: a farm that is ahead of the journal would have to be rebuilt.
        let (mut farm, mut pins) = (self.state.farm.clone(), self.state.pins.clone());
        let actions = farm.step(now, &event);
        let projections = self.recorder.record(&farm, now, &actions, &mut pins);
        match self.store.append(vec![Entry { at: now, event, projections }]).await {
            Ok(committed) => {
                (self.state.farm, self.state.pins, self.state.at) = (farm, pins, now);
                self.state.seq = committed.seq;
                self.state.since_snapshot += 1;
                self.outage = None;
                tracing::info!("the disk takes records again");
                let questions = self.tell.policies.questions(&self.state.farm, &actions);
                self.finish(Batch { tick: vec![actions], questions, ..Batch::default() }, &committed);
                Ok(None)
            }
            Err(error) if is_passing(&error) => {
                self.recorder.take_feed();
                self.outage = Some(Outage { error: error.clone(), next_try: Instant::now() + REST });
                Ok(Some(error))
            }
            Err(error) => Err(LoopFailure::Store(error)),
        }
    }

    fn view(&self) -> View<'_> {
        View { farm: &self.state.farm, pins: &self.state.pins }
    }

    fn answer_refused(&self, batch: Batch, error: &StoreError) {
        let view = View { farm: &self.state.farm, pins: &self.state.pins };
        for (command, stepped) in batch.waiting {
            // Readers have nothing to lose.
            let answer = if stepped.is_empty() { Ok(stepped) } else { Err(Rejected::Store(error.clone())) };
            (command.finish)(answer, &view);
        }
    }

    fn snapshot_if_due(&mut self) {
        let busy = self.saving.as_ref().is_some_and(|task| !task.is_finished());
        if self.state.since_snapshot < self.snapshot_every || busy {
            return;
        }
        self.state.since_snapshot = 0;
        let (store, farm) = (self.store.clone(), self.state.farm.clone());
        let (seq, at) = (self.state.seq, self.state.at);
        self.saving = Some(tokio::spawn(save(store, farm, seq, at)));
    }

    async fn snapshot_at_end(&mut self) {
        if let Some(saving) = self.saving.take() {
            let _ = saving.await;
        }
        if self.state.since_snapshot > 0 {
            save(self.store.clone(), self.state.farm.clone(), self.state.seq, self.state.at).await;
        }
    }
}

/// Everybody has waited for a batch like that. `until`: since its begin, when it was decided, when it was stored, and when all were told.
fn tell_if_slow(events: u64, until: [Duration; 3]) {
    let [stepped, stored, told] = until;
    if told >= SLOW {
        tracing::debug!(events, ?stepped, ?stored, ?told, "a slow batch");
    }
}

/// The next try may work.
fn is_passing(error: &StoreError) -> bool {
    matches!(error, StoreError::Full | StoreError::Busy | StoreError::Conflict { .. })
}

/// Answers without a step: whoever only reads gets what is on the disk.
fn refuse_all(commands: Vec<Command>, error: &StoreError, view: &View<'_>) {
    for command in commands {
        let answer = if command.events.is_empty() { Ok(Vec::new()) } else { Err(Rejected::Store(error.clone())) };
        (command.finish)(answer, view);
    }
}

/// A snapshot only shortens the next start: failing to keep one is worth a warning and no more.
async fn save(store: Store, farm: Farm, seq: u64, at: Timestamp) {
    crash_point("snapshot.before");
    let bytes = tokio::task::spawn_blocking(move || serde_json::to_vec(&farm)).await;
    let saved = match bytes {
        Ok(Ok(bytes)) => store.save_snapshot(seq, at, bytes).await.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    crash_point("snapshot.after");
    if let Err(error) = saved {
        tracing::warn!(error, seq, "no snapshot was kept");
    }
}

/// What a batch holds, for the crash points after its commit.
struct Marks {
    events: u64,
    points: Vec<&'static str>,
}

impl Marks {
    fn of(entries: &[Entry]) -> Self {
        let mut points: Vec<_> =
            entries.iter().filter_map(|entry| point_of(&entry.event)).map(|(_, after)| after).collect();
        if entries.iter().any(starts_something) {
            points.push("dispatch.after_commit");
        }
        Self { events: entries.len() as u64, points }
    }

    fn after_commit(&self) {
        self.points.iter().for_each(|point| crash_point(point));
    }
}

fn before_append(entries: &[Entry]) {
    entries.iter().filter_map(|entry| point_of(&entry.event)).for_each(|(before, _)| crash_point(before));
    if entries.iter().any(starts_something) {
        crash_point("dispatch.before_append");
    }
}

fn starts_something(entry: &Entry) -> bool {
    entry.projections.iter().any(|row| matches!(row, headend_store::Projection::RunPinned(_)))
}

fn point_of(event: &Event) -> Option<(&'static str, &'static str)> {
    match event {
        Event::Submit(_) => Some(("submit.before_append", "submit.after_commit")),
        Event::RunEnded { .. } => Some(("result.before_append", "result.after_commit")),
        Event::Heartbeat(_) => Some(("heartbeat.before_append", "heartbeat.after_commit")),
        Event::Kill { .. } => Some(("kill.before_append", "kill.after_commit")),
        _ => None,
    }
}
