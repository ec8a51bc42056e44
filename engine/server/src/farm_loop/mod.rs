//! The one task that owns the [`Farm`], and the handle by which everybody else reaches it.
//!
//! ```text
//!  handlers, racks, policies ─► Command ─► batch ─► Farm::step per event ─► journal (durable) ─► answers, racks, feed
//! ```
//!
//! A command may carry no events: it then only reads, and like every answer it sees nothing that is not durable.

mod commit;
mod record;
mod recover;
mod task;

use std::collections::BTreeMap;
use std::time::Duration;

use headend_model::RunId;
use headend_scheduler::{Action, Event, Farm};
use headend_store::{Pin, StoreError};
use headend_wire::codes;
use tokio::sync::{mpsc, oneshot};

use crate::http::ApiError;

pub(crate) use commit::Tell;
pub(crate) use record::{Recorder, runs_of};
pub use recover::RecoverError;
pub(crate) use recover::recover;
pub use task::LoopFailure;
pub(crate) use task::{LoopParts, run};

/// Commands that may wait; more make the sender wait.
const QUEUE: usize = 4_096;
/// How long a sender waits for a place in the queue before the client is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was done with one command: the actions of each of its events.
pub(crate) type Stepped = Vec<Vec<Action>>;

type Finish = Box<dyn FnOnce(Result<Stepped, Rejected>, &View<'_>) + Send>;

/// Events to take in one go, and what to do once they are durable.
pub(crate) struct Command {
    events: Vec<Event>,
    finish: Finish,
}

/// What a reader sees: the farm as it is on disk.
pub(crate) struct View<'a> {
    /// The farm.
    pub(crate) farm: &'a Farm,
    /// The trees that leased runs were given.
    pub(crate) pins: &'a BTreeMap<RunId, Pin>,
}

/// Nothing of the command was done.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Rejected {
    /// The journal did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much waits already.
    #[error("too many requests wait; try again in a moment")]
    Overloaded,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Closed,
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Store(error) => error.into(),
            Rejected::Overloaded | Rejected::Closed => Self::new(&codes::UNAVAILABLE, rejected.to_string()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::new(&codes::STORAGE_FULL, error.to_string()),
            StoreError::Busy | StoreError::Stopped { .. } => Self::new(&codes::UNAVAILABLE, error.to_string()),
            StoreError::Conflict { .. } | StoreError::StaleRevision { .. } => {
                Self::new(&codes::CONFLICT, error.to_string())
            }
            other => Self::internal("the store failed", &other),
        }
    }
}

/// Reaches the farm. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FarmHandle {
    commands: mpsc::Sender<Command>,
}

impl FarmHandle {
    /// A handle, and the end at which the owner listens.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(QUEUE);
        (Self { commands }, receiver)
    }

    /// Takes events in one go; once they are durable, `then` sees their actions and the farm.
    ///
    /// # Errors
    /// [`Rejected`]: none of the events has happened.
    pub(crate) async fn apply<T: Send + 'static>(
        &self,
        events: Vec<Event>,
        then: impl FnOnce(Stepped, &View<'_>) -> T + Send + 'static,
    ) -> Result<T, Rejected> {
        let (answer, answered) = oneshot::channel();
        let finish: Finish = Box::new(move |stepped, view| {
            // The asker may have gone away; the events have happened all the same.
            let _ = answer.send(stepped.map(|stepped| then(stepped, view)));
        });
        self.commands.send_timeout(Command { events, finish }, PATIENCE).await.map_err(|error| match error {
            mpsc::error::SendTimeoutError::Timeout(_) => Rejected::Overloaded,
            mpsc::error::SendTimeoutError::Closed(_) => Rejected::Closed,
        })?;
        answered.await.map_err(|_| Rejected::Closed)?
    }

    /// Takes one event; its actions.
    ///
    /// # Errors
    /// As [`FarmHandle::apply`].
    pub(crate) async fn step(&self, event: Event) -> Result<Vec<Action>, Rejected> {
        self.apply(vec![event], |mut stepped, _| stepped.pop().unwrap_or_default()).await
    }

    /// Looks at the farm.
    ///
    /// # Errors
    /// [`Rejected::Overloaded`] or [`Rejected::Closed`].
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Rejected> {
        self.apply(Vec::new(), |_, view| look(view)).await
    }
}
