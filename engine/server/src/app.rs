//! What every handler can reach.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use headend_model::Timestamp;
use headend_store::Store;
use tokio_util::sync::CancellationToken;

use crate::auth::tokens::Tokens;
use crate::clock::Clock;
use crate::farm_loop::{FarmHandle, Tell};
use crate::files::Areas;
use crate::http::guard::AllowedHosts;
use crate::options::ServeOptions;
use crate::policies::plugins::Plugins;
use crate::relays::Relays;
use crate::results::Results;
use crate::run_files::RunFiles;
use crate::schedules::zones::ServerZone;

/// The server's parts.
pub(crate) struct App {
    pub(crate) options: ServeOptions,
    pub(crate) farm: FarmHandle,
    pub(crate) store: Store,
    /// Held while the inventory changes.
    pub(crate) lab: tokio::sync::Mutex<()>,
    /// Held while a test on a schedule changes: what is left out of a change stays as the former one left it.
    pub(crate) scheduled_tests: tokio::sync::Mutex<()>,
    pub(crate) areas: Arc<Areas>,
    pub(crate) run_files: RunFiles,
    pub(crate) results: Results,
    pub(crate) tokens: Tokens,
    /// Feed, racks that wait, policies.
    pub(crate) tell: Arc<Tell>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) clock: Clock,
    /// The zone of schedules that name none.
    pub(crate) zone: ServerZone,
    pub(crate) started: Timestamp,
    /// Ends long polls and event streams at shutdown.
    pub(crate) stop: CancellationToken,
    pub(crate) counters: Counters,
    /// Sessions of persons: who waits for whose end of a stream.
    pub(crate) relays: Relays,
}

/// What `/metrics` counts.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) exchanges: AtomicU64,
}

/// Shared by all handlers.
pub(crate) type Shared = Arc<App>;
