//! `headend serve`: the server alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use headend_server::{AuthMode, LoopFailure, ServeError, ServeOptions, Server, ServerHandle};
use headend_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::farm_args::FarmArgs;
use super::life::{self, Signals};
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
    #[command(flatten)]
    pub(crate) server: ServerFlags,
    #[command(flatten)]
    farm: FarmArgs,
}

fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let remedy = "write a numeric address and a port: 127.0.0.1:8001 for this machine alone, 0.0.0.0:8001 for all";
    text.parse().map_err(|_| remedy.to_owned())
}

/// What `serve` and `up` have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerFlags {
    /// A name under which clients may reach the server, beside its address and localhost. May be given several times.
    #[arg(long = "allow-host", value_name = "NAME")]
    allow_hosts: Vec<String>,
    /// Folder of plugins [default: plugins, in the data folder].
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
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
        options.guest = std::env::current_exe().ok();
        options.default_time_limit = Duration::from_secs(self.default_time_limit);
        options.snapshot_every = self.snapshot_every.unwrap_or(options.snapshot_every).max(1);
        options.time_zone.clone_from(&self.time_zone);
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
    life::runtime()?.block_on(async {
        let mut signals = Signals::catch()?;
        let server = start(options).await?;
        if let Err(failure) = tell(&server).write(&credentials) {
            server.shutdown().await.map_err(failed)?;
            return Err(failure);
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
