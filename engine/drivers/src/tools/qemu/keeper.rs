//! Who starts the machine, ends it, and starts it again when it dies by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::live::{Live, Process, launch};
use super::options::Options;
use crate::tools::serial::lines::Lines;
use crate::{DriverError, Place};

/// First and longest time from a death to the next start.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A machine that ran so long did not die of its start.
const HEALTHY: Duration = Duration::from_mins(1);

/// Switches mains.
pub(super) struct Order {
    pub(super) on: bool,
    pub(super) answer: oneshot::Sender<Result<(), DriverError>>,
}

/// What the machine does now, for its faces.
#[derive(Debug, Default)]
pub(super) struct State(Mutex<Now>);

#[derive(Debug, Default)]
enum Now {
    #[default]
    Off,
    On(Arc<Live>),
    /// It died, with the reason.
    Dead(String),
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, now: Now) {
        // The old connection ends outside of the lock: that waits for its reader.
        let before = std::mem::replace(&mut *self.now(), now);
        drop(before);
    }

    /// Mains are off.
    pub(super) fn is_off(&self) -> bool {
        matches!(&*self.now(), Now::Off)
    }

    /// The machine, if it runs.
    pub(super) fn live(&self) -> Result<Arc<Live>, DriverError> {
        match &*self.now() {
            Now::On(live) => Ok(Arc::clone(live)),
            Now::Off => Err(DriverError("the machine is off; switch its mains on first".into())),
            Now::Dead(why) => Err(DriverError(format!("the machine has died and is started again: {why}"))),
        }
    }
}

/// Owns the process.
pub(super) struct Keeper {
    options: Options,
    place: Place,
    lines: Arc<Lines>,
    state: Arc<State>,
    process: Option<Process>,
    started: Instant,
    /// How long after its next death it is started again.
    pause: Duration,
    /// When it is started again; `None` with mains off.
    again: Option<Instant>,
}

enum Next {
    Order(Order),
    Died(String),
    Again,
}

impl Keeper {
    /// With the machine running.
    pub(super) async fn start(
        options: Options,
        place: Place,
        lines: Arc<Lines>,
        state: Arc<State>,
    ) -> Result<Self, DriverError> {
        let started = Instant::now();
        let mut keeper = Self { options, place, lines, state, process: None, started, pause: PAUSES.0, again: None };
        keeper.launch().await?;
        Ok(keeper)
    }

    /// Until nobody can order any more. The process ends with this.
    pub(super) async fn keep(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            match self.next(&mut orders).await {
                None => return,
                Some(Next::Order(Order { on, answer })) => {
                    let done = if on { self.on().await } else { self.off().await };
                    // Whoever asked may have given up.
                    let _ = answer.send(done);
                }
                Some(Next::Died(why)) => self.died(why),
                Some(Next::Again) => {
                    if let Err(error) = self.launch().await {
                        self.died(error.to_string());
                    }
                }
            }
        }
    }

    async fn next(&mut self, orders: &mut mpsc::Receiver<Order>) -> Option<Next> {
        let again = self.again.map(tokio::time::Instant::from_std);
        let death = async {
            match (&mut self.process, again) {
                (Some(process), _) => Next::Died(process.ended().await),
                (None, Some(at)) => {
                    tokio::time::sleep_until(at).await;
                    Next::Again
                }
                (None, None) => std::future::pending().await,
            }
        };
        tokio::select! {
            order = orders.recv() => order.map(Next::Order),
            next = death => Some(next),
        }
    }

    async fn launch(&mut self) -> Result<(), DriverError> {
        let (process, live) = launch(&self.options, &self.place, &self.lines).await?;
        tracing::info!(slot = self.place.slot, version = live.qmp.version(), "the machine runs");
        self.process = Some(process);
        self.started = Instant::now();
        self.again = None;
        self.state.set(Now::On(Arc::new(live)));
        Ok(())
    }

    fn died(&mut self, why: String) {
        if self.process.take().is_some() && self.started.elapsed() > HEALTHY {
            self.pause = PAUSES.0;
        }
        tracing::warn!(slot = self.place.slot, pause_ms = self.pause.as_millis() as u64, "the machine has died: {why}");
        self.state.set(Now::Dead(why));
        self.again = Some(Instant::now() + self.pause);
        self.pause = PAUSES.1.min(self.pause * 2);
    }

    async fn on(&mut self) -> Result<(), DriverError> {
        if self.process.is_none() {
            self.pause = PAUSES.0;
            return self.launch().await;
        }
        let live = self.state.live()?;
        match live.status().await?.as_str() {
            "running" => Ok(()),
            // It has switched itself off: the button of a real one would be pressed.
            "shutdown" => {
                live.ask("system_reset", json!({})).await?;
                live.ask("cont", json!({})).await.map(drop)
            }
            _ => live.ask("cont", json!({})).await.map(drop),
        }
    }

    async fn off(&mut self) -> Result<(), DriverError> {
        self.again = None;
        if let Some(process) = self.process.take() {
            match self.state.live() {
                Ok(live) => process.quit(&live).await,
                Err(_) => drop(process),
            }
        }
        self.state.set(Now::Off);
        Ok(())
    }
}
