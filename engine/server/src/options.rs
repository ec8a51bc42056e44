//! What whoever starts a server may choose.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use headend_plugin_host::lifecycle::Grants;
use headend_plugin_host::trust::Trust;
use headend_scheduler::FarmConfig;
use headend_store::StoreOptions;

pub use crate::retention::Retention;

/// How clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// By bearer token. The default, on one machine too.
    #[default]
    Token,
    /// Not at all: the document's free `setUser`. Refused unless the server listens on loopback only.
    Open,
    /// Not at all, on any address. Whoever reaches the port may run code on every rack.
    OpenForced,
}

impl AuthMode {
    /// Requests without a token are served.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::OpenForced)
    }
}

/// Bounds on what one client can make the server hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest JSON body, in bytes.
    pub json_bytes: usize,
    /// Deepest nesting of a JSON body.
    pub json_depth: usize,
    /// Largest list of files, in bytes of JSON.
    pub commit_bytes: usize,
    /// Largest blob, in bytes.
    pub blob_bytes: u64,
    /// Largest artifact of a run, in bytes.
    pub artifact_bytes: u64,
    /// Most bytes that the artifacts of one run may take together.
    pub run_bytes: u64,
    /// Most files that one run may leave.
    pub run_files: usize,
    /// Connections at once. More wait in the listener's queue.
    pub connections: usize,
    /// For a whole request head: from its first byte, or from the begin of a connection.
    pub header_timeout: Duration,
    /// How long a connection may rest between two requests. Longer than clients keep theirs (usually at most 90 s): a request that is sent
    /// while its connection is being closed has no answer, and whoever sent it cannot know whether it was carried out.
    pub idle_timeout: Duration,
    /// Longest pause between two pieces of a body.
    pub body_timeout: Duration,
    /// Longest time in which a client takes nothing of an answer.
    pub write_timeout: Duration,
    /// How long open requests may go on once the server shuts down.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes: 4 << 20,
            json_depth: 64,
            commit_bytes: 32 << 20,
            blob_bytes: headend_files::MAX_BLOB_BYTES,
            artifact_bytes: 64 << 20,
            run_bytes: 512 << 20,
            run_files: 5_000,
            connections: 2_048,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(2),
            body_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// Most bytes that the newest revision of an area may have; `None`: no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Of each user's own area.
    pub private: Option<u64>,
    /// Of the public area.
    pub public: Option<u64>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { private: Some(20 << 30), public: Some(100 << 30) }
    }
}

/// What is kept of occurrences of schedules that are over; `None`: no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OccurrencesKept {
    /// For so long after their end.
    pub age: Option<Duration>,
    /// So many of each schedule.
    pub count: Option<u32>,
}

impl Default for OccurrencesKept {
    fn default() -> Self {
        Self { age: Some(Duration::from_hours(730 * 24)), count: Some(100_000) }
    }
}

/// Everything [`crate::Server::start`] is told.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The data folder was put back from a backup: racks may know more than it does (design 0013).
    pub restored: bool,
    /// The data folder; made when it is missing.
    pub data: PathBuf,
    /// Names beside the listen address, `localhost` and loopback under which clients may reach the server (`Host`).
    /// With or without a port.
    pub allow_hosts: Vec<String>,
    /// How clients prove who they are.
    pub auth: AuthMode,
    /// Settings of the farm.
    pub farm: FarmConfig,
    /// Where policy plugins lie; `None`: `plugins` in the data folder.
    pub plugins: Option<PathBuf>,
    /// What plugins may do beyond answering; more may be granted while the server runs.
    pub plugin_grants: Grants,
    /// Whose plugins are let in. Its folder is `trusted-keys` in the data folder unless another one is named.
    pub plugin_trust: Trust,
    /// The program that hosts Rhai policies (`headend`, run as `headend guest`); `None`: Rhai policies cannot be loaded.
    pub guest: Option<PathBuf>,
    /// Settings of the database.
    pub store: StoreOptions,
    /// Bounds.
    pub limits: Limits,
    /// Room for files.
    pub quotas: Quotas,
    /// Room for what became of occurrences.
    pub occurrences_kept: OccurrencesKept,
    /// What is kept of runs.
    pub retention: Retention,
    /// A script is stopped after this long unless its test says otherwise.
    pub default_time_limit: Duration,
    /// A snapshot of the farm every so many events.
    pub snapshot_every: u64,
    /// The time zone of schedules that name none: a name of the IANA database, `UTC` or an offset; `None`: this machine's,
    /// or UTC if that has no name.
    pub time_zone: Option<String>,
}

impl ServeOptions {
    /// The defaults with this data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8001)),
            restored: false,
            data: data.into(),
            allow_hosts: Vec::new(),
            auth: AuthMode::default(),
            farm: FarmConfig::default(),
            plugins: None,
            plugin_grants: Grants::default(),
            plugin_trust: Trust::default(),
            guest: None,
            store: StoreOptions::default(),
            limits: Limits::default(),
            quotas: Quotas::default(),
            occurrences_kept: OccurrencesKept::default(),
            retention: Retention::default(),
            default_time_limit: Duration::from_hours(1),
            snapshot_every: 20_000,
            time_zone: None,
        }
    }

    /// The plugin folder in force.
    pub fn plugin_folder(&self) -> PathBuf {
        self.plugins.clone().unwrap_or_else(|| self.data.join("plugins"))
    }

    /// Where the artifacts of runs lie.
    pub(crate) fn run_folder(&self) -> PathBuf {
        Path::new(&self.data).join("runs")
    }
}
