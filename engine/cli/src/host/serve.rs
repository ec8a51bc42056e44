//! `headend serve`: the server alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use headend_model::Timestamp;
use headend_plugin_host::lifecycle::{BadGrant, Grants};
use headend_plugin_host::trust::{SignatureMode, Trust, TrustedKey};
use headend_server::{AuthMode, LoopFailure, ServeError, ServeOptions, Server, ServerHandle};
use headend_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::farm_args::FarmArgs;
use super::kept::KeptArgs;
use super::life::{self, Signals};
use super::quotas::QuotaArgs;
use super::retention::RetentionArgs;
use crate::args::{OutputArgs, credentials_in};
use crate::credentials::{self, Credentials};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

/// The gate of a rack on a machine of its own (document 6.2).
const CPU_GATE: u8 = 80;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of everything that the server keeps [default: server, in the user's state folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8001", value_parser = address)]
    listen: SocketAddr,
    /// The data folder was put back from a backup. Give this once, at the first start after it: handles and run numbers go
    /// on above all that were lost, and nothing is leased until the racks have stopped what the backup does not know.
    #[arg(long)]
    restored: bool,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
    #[command(flatten)]
    farm: FarmArgs,
}

fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let remedy = "write a numeric address and a port: 127.0.0.1:8001 for this machine alone, 0.0.0.0:8001 for all";
    text.parse().map_err(|_| remedy.to_owned())
}

/// One grant, or nothing at all.
fn grants(text: &str) -> std::result::Result<Grants, String> {
    if text == "none" {
        return Ok(Grants::none());
    }
    text.parse().map(|grant| Grants([grant].into())).map_err(|error: BadGrant| error.to_string())
}

fn signatures(text: &str) -> std::result::Result<SignatureMode, String> {
    let all = [SignatureMode::Off, SignatureMode::Warn, SignatureMode::Require];
    all.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| "write off, warn or require".to_owned())
}

fn trusted_key(text: &str) -> std::result::Result<TrustedKey, String> {
    TrustedKey::parse(text).map_err(|error| error.to_string())
}

/// What `serve` and `up` have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerFlags {
    /// A name under which clients may reach the server, beside its address and localhost. May be given several times.
    #[arg(long = "allow-host", value_name = "NAME")]
    allow_hosts: Vec<String>,
    /// Folder of plugins that is watched [default: plugins, in the data folder; with `up`, in `server` in it].
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// What plugins may do beyond answering, as PLUGIN=CAPABILITY, or *=CAPABILITY for all; `none` for nothing. May be given several times
    /// [default: *=log].
    #[arg(long = "plugin-grant", value_name = "GRANT", value_parser = grants, env = "HEADEND_PLUGIN_GRANTS", value_delimiter = ',')]
    plugin_grants: Vec<Grants>,
    /// What is done about plugins that no trusted key vouches for: off (nobody looks), warn, require.
    #[arg(long, value_name = "MODE", default_value = "off", value_parser = signatures, env = "HEADEND_PLUGIN_SIGNATURES")]
    plugin_signatures: SignatureMode,
    /// A public key of minisign, or its file, that may sign plugins. May be given several times.
    #[arg(long = "trusted-key", value_name = "KEY", value_parser = trusted_key)]
    trusted_keys: Vec<TrustedKey>,
    /// Folder of such keys, *.pub [default: trusted-keys, in the data folder; with `up`, in `server` in it].
    #[arg(long = "trusted-keys", value_name = "DIR")]
    trusted_folder: Option<PathBuf>,
    /// Ask nobody for a token: the document's free `setUser`. On loopback only.
    #[arg(long)]
    open: bool,
    /// With --open: on any address. Whoever reaches the port may run code on every rack.
    #[arg(long, requires = "open")]
    force_open: bool,
    /// Stop a test after so many seconds, unless it says otherwise.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    default_time_limit: u64,
    /// Time zone of schedules that name none: Europe/Dublin, UTC, +02:00 [default: this machine's].
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    #[command(flatten)]
    quotas: QuotaArgs,
    #[command(flatten)]
    kept: KeptArgs,
    #[command(flatten)]
    retention: RetentionArgs,
    /// A snapshot of the scheduler's state every so many events.
    #[arg(long, value_name = "EVENTS", env = "HEADEND_SNAPSHOT_EVERY", hide = true)]
    snapshot_every: Option<u64>,
}

impl ServerFlags {
    /// Options of the server on this folder and address.
    pub(crate) fn options(&self, data: PathBuf, listen: SocketAddr) -> ServeOptions {
        let mut options = ServeOptions::new(data);
        options.listen = listen;
        options.allow_hosts.clone_from(&self.allow_hosts);
        options.plugins.clone_from(&self.plugins);
        if !self.plugin_grants.is_empty() {
            options.plugin_grants = Grants(self.plugin_grants.iter().flat_map(|grants| grants.0.clone()).collect());
        }
        options.plugin_trust = Trust {
            mode: self.plugin_signatures,
            keys: self.trusted_keys.clone(),
            folder: self.trusted_folder.clone(),
        };
        options.guest = std::env::current_exe().ok();
        options.default_time_limit = Duration::from_secs(self.default_time_limit);
        options.snapshot_every = self.snapshot_every.unwrap_or(options.snapshot_every).max(1);
        options.time_zone.clone_from(&self.time_zone);
        options.quotas = self.quotas.quotas();
        options.occurrences_kept = self.kept.occurrences();
        options.retention = self.retention.retention();
        options.auth = match (self.open, self.force_open) {
            (false, _) => AuthMode::Token,
            (true, false) => AuthMode::Open,
            (true, true) => AuthMode::OpenForced,
        };
        options
    }
}

/// Serves until it is told to stop.
pub(crate) fn run(args: &Args, output: OutputArgs, ui: Ui) -> Result<()> {
    life::log(ui, output, "info");
    let data = match &args.data {
        Some(data) => data.clone(),
        None => credentials::default_data()?.join("server"),
    };
    let credentials = credentials_in(&data);
    let mut options = args.server.options(data, args.listen);
    options.farm = args.farm.config(CPU_GATE);
    options.restored = args.restored;
    let lease = options.farm.lease;
    life::runtime()?.block_on(async {
        let mut signals = Signals::catch()?;
        let server = start(options).await?;
        if let Err(failure) = tell(&server).write(&credentials) {
            server.shutdown().await.map_err(failed)?;
            return Err(failure);
        }
        if let Some(generation) = server.restored() {
            // As the farm counts it (design 0013).
            let quiet = lease.reusable_at(Timestamp::default() + lease.length) - Timestamp::default();
            ui.say(&format!(
                "a backup was put back (generation {generation}): handles and run numbers begin anew above the lost ones, \
                 every rack has to say ready again, and nothing is leased for {quiet}; what was acknowledged after the \
                 backup is gone. Leave --restored out from now on"
            ));
        }
        ui.say(&format!("ready at {}; credentials in {}", base(&server), credentials.display()));
        let told = CancellationToken::new();
        let mut serving = pin!(server.wait(told.cancelled()));
        tokio::select! {
            ended = &mut serving => return ended.map_err(failed),
            () = signals.next() => told.cancel(),
        }
        life::stop(ui, &mut signals, async { serving.await.map_err(failed) }).await
    })
}

/// Starts the server; an error says what helps.
pub(crate) async fn start(options: ServeOptions) -> Result<ServerHandle> {
    Server::start(options).await.map_err(failed)
}

/// Where clients on this machine reach it.
pub(crate) fn base(server: &ServerHandle) -> String {
    let address = server.address();
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// What a client on this machine needs.
pub(crate) fn tell(server: &ServerHandle) -> Credentials {
    Credentials { server: base(server), token: server.admin_token().to_owned() }
}

/// Why a server did not start, or ended.
pub(crate) fn failed(error: ServeError) -> Failure {
    let exit = exit_of(&error);
    let failure = Failure::new(exit, "server", "the server cannot run").because(error);
    match exit {
        Exit::Io => {
            failure.help("look at the disk and its space; what was acknowledged is kept, so start it again then")
        }
        _ => failure,
    }
}

const fn exit_of(error: &ServeError) -> Exit {
    match error {
        ServeError::Listen { .. } | ServeError::Store(StoreError::InUse { .. }) => Exit::Conflict,
        ServeError::OpenNotLoopback { .. } | ServeError::TimeZone(_) => Exit::Usage,
        ServeError::Folder { .. }
        | ServeError::Store(_)
        | ServeError::Files(_)
        | ServeError::Recover(_)
        | ServeError::Loop(LoopFailure::Store(_) | LoopFailure::Recover(_)) => Exit::Io,
        ServeError::Plugins(_)
        | ServeError::Refused(_)
        | ServeError::Loop(LoopFailure::Broken(_))
        | ServeError::Part { .. } => Exit::Fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_and_a_bug_of_ours_have_different_exit_codes() {
        let disk = ServeError::Loop(LoopFailure::Store(StoreError::Full));
        assert_eq!(exit_of(&disk), Exit::Io);
        let bug = ServeError::Part { part: "listener", how: String::new() };
        assert_eq!(exit_of(&bug), Exit::Fault);
    }
}
