//! A running server: what it is made of, who notices when a part of it ends, and the order in which they go down.

use std::net::SocketAddr;
use std::path::PathBuf;

use headend_files::FilesError;
use headend_plugin_host::lifecycle::FolderWatch;
use headend_store::StoreError;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::Shared;
use crate::auth::tokens::Secret;
use crate::farm_loop::{LoopFailure, RecoverError};
use crate::routes;
use crate::schedules::zones::NoSuchZone;

/// Why a server does not start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Open mode on an address that others can reach.
    #[error("auth mode `open` serves anybody and is refused on {listen}; listen on loopback, use tokens, or force it")]
    OpenNotLoopback {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// The address cannot be used.
    #[error("cannot listen on {listen}; is another server running there?")]
    Listen {
        /// Where it was to listen.
        listen: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder of the data folder cannot be used.
    #[error("cannot use {}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be opened or used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs cannot be opened.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The farm cannot be rebuilt.
    #[error("the scheduler's state cannot be rebuilt")]
    Recover(#[from] RecoverError),
    /// The plugin host cannot start.
    #[error("the plugin host cannot start: {0}")]
    Plugins(String),
    /// The server's time zone is none.
    #[error(transparent)]
    TimeZone(#[from] NoSuchZone),
    /// A step of the start was refused.
    #[error("the start was refused: {0}")]
    Refused(String),
    /// The loop has ended by a failure.
    #[error("the server has stopped")]
    Loop(#[source] LoopFailure),
    /// A part that runs as long as the server does is no more: our own bug.
    #[error("the server's {part} has ended: {how}; nothing that was acknowledged is lost, start it again")]
    Part {
        /// Which.
        part: &'static str,
        /// How it ended.
        how: String,
    },
}

/// A running server. Dropping it does not stop it; see [`ServerHandle::shutdown`].
pub struct ServerHandle {
    pub(crate) address: SocketAddr,
    pub(crate) admin_token: Secret,
    pub(crate) restored: Option<u64>,
    pub(crate) app: Shared,
    pub(crate) stop: Stops,
    pub(crate) tasks: Tasks,
}

/// What each part listens to, in the order of a shutdown.
#[derive(Clone, Default)]
pub(crate) struct Stops {
    /// No more connections; long polls and streams end.
    pub(crate) accept: CancellationToken,
    /// The loop ends once all that waits is done.
    pub(crate) farm: CancellationToken,
}

/// What runs as long as the server does. Each set has been joined as far as it is empty.
#[derive(Default)]
pub(crate) struct Tasks {
    /// The accept loop with its connections.
    pub(crate) listener: JoinSet<()>,
    /// The one that owns the farm.
    pub(crate) farm: JoinSet<Result<(), LoopFailure>>,
    /// Those that only carry things to others.
    pub(crate) helpers: JoinSet<()>,
    /// Looks at the plugin folder, on a thread of its own.
    pub(crate) watch: Option<FolderWatch>,
}

impl Tasks {
    /// Waits until a part ends that should not. Safe to drop while waiting.
    async fn failure(&mut self) -> ServeError {
        tokio::select! {
            Some(ended) = self.listener.join_next() => gone("listener", ended),
            Some(ended) = self.farm.join_next() => match ended {
                Ok(Err(failure)) => ServeError::Loop(failure),
                ended => gone("farm loop", ended.map(drop)),
            },
            failure = panicked(&mut self.helpers) => failure,
        }
    }
}

/// A part that ended without being told to.
fn gone(part: &'static str, ended: Result<(), JoinError>) -> ServeError {
    let how = match ended.map_err(JoinError::try_into_panic) {
        Ok(()) => "it came to its end without being told to".to_owned(),
        Err(Err(cancelled)) => cancelled.to_string(),
        Err(Ok(panic)) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("it panicked with {:?}", text.unwrap_or_default())
        }
    };
    ServeError::Part { part, how }
}

/// A helper may end, as when nobody is left to help. It must not panic.
async fn panicked(helpers: &mut JoinSet<()>) -> ServeError {
    while let Some(ended) = helpers.join_next().await {
        if ended.is_err() {
            return gone("helper", ended);
        }
    }
    std::future::pending().await
}

impl ServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The administrator's token of this data folder.
    pub fn admin_token(&self) -> &str {
        self.admin_token.reveal()
    }

    /// The generation that this start began, if it was told that the data was put back from a backup.
    pub const fn restored(&self) -> Option<u64> {
        self.restored
    }

    /// A one-use token with which a rack can enrol within the hour.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn new_enrol_token(&self) -> Result<String, ServeError> {
        let made = routes::racks::new_enrol_token(&self.app).await;
        made.map(|(token, _)| token.reveal().to_owned()).map_err(|error| ServeError::Refused(error.to_string()))
    }

    /// Stops in order: no more connections, open requests end, the loop takes what waits, a snapshot is kept.
    ///
    /// # Errors
    /// [`ServeError::Loop`] when the journal failed on the way, [`ServeError::Part`] when a part broke.
    pub async fn shutdown(self) -> Result<(), ServeError> {
        self.end(Ok(())).await
    }

    /// Runs until a part of the server ends by itself, or until `asked` resolves; then stops in order.
    ///
    /// # Errors
    /// [`ServeError::Loop`] when the journal failed, [`ServeError::Part`] when a part broke.
    pub async fn wait(mut self, asked: impl Future<Output = ()>) -> Result<(), ServeError> {
        let why = tokio::select! {
            () = asked => Ok(()),
            failure = self.tasks.failure() => {
                tracing::error!(%failure, "stopping");
                Err(failure)
            }
        };
        self.end(why).await
    }

    /// Ends what still runs. The first failure counts: what follows it is its consequence.
    async fn end(self, so_far: Result<(), ServeError>) -> Result<(), ServeError> {
        let Tasks { mut listener, mut farm, mut helpers, watch } = self.tasks;
        self.stop.accept.cancel();
        let mut result = so_far;
        while let Some(ended) = listener.join_next().await {
            result = result.and(ended.map_err(|error| gone("listener", Err(error))));
        }
        // Its thread may be in the middle of a load, which ends by itself.
        let watch = tokio::task::spawn_blocking(move || drop(watch)).await;
        result = result.and(watch.map_err(|error| gone("watch of the plugin folder", Err(error))));
        // They end with the connections.
        self.app.relays.finish().await;
        self.stop.farm.cancel();
        while let Some(ended) = helpers.join_next().await {
            result = result.and(ended.map_err(|error| gone("helper", Err(error))));
        }
        while let Some(ended) = farm.join_next().await {
            let ended = ended.map_err(|error| gone("farm loop", Err(error)));
            result = result.and(ended.and_then(|ended| ended.map_err(ServeError::Loop)));
        }
        self.app.areas.finish().await;
        self.app.store.close().await;
        result
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{ServeOptions, Server};

    async fn start(folder: &std::path::Path) -> ServerHandle {
        let mut options = ServeOptions::new(folder);
        options.listen = "127.0.0.1:0".parse().unwrap();
        Server::start(options).await.unwrap()
    }

    async fn failure_of(handle: ServerHandle) -> String {
        let waited = tokio::time::timeout(Duration::from_mins(1), handle.wait(std::future::pending()));
        waited.await.expect("the failure was not noticed").unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_listener_that_ends_ends_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let mut handle = start(folder.path()).await;
        handle.tasks.listener.abort_all();
        let said = failure_of(handle).await;
        assert!(said.contains("listener has ended") && said.contains("cancelled"), "{said}");

        // The folder is free again: it stopped in order.
        let mut handle = start(folder.path()).await;
        handle.tasks.listener.spawn(async { panic!("out of luck") });
        let said = failure_of(handle).await;
        assert!(said.contains("listener has ended") && said.contains("out of luck"), "{said}");
        start(folder.path()).await.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn a_helper_may_end_but_not_panic() {
        let folder = tempfile::tempdir().unwrap();
        let mut handle = start(folder.path()).await;
        handle.tasks.helpers.spawn(async {});
        handle.tasks.helpers.spawn(async { panic!("out of luck") });
        let said = failure_of(handle).await;
        assert!(said.contains("helper has ended") && said.contains("out of luck"), "{said}");
    }
}
