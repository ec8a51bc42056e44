//! `headend up`: server and virtual rack in one process, with everything that needs no choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use headend_rack::{Rack, RackHandle};
use headend_server::{ServeOptions, ServerHandle};
use headend_wire::api::RackList;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::farm_args::FarmArgs;
use super::life::{self, Signals};
use super::rack::{self, BoxFlags};
use super::serve::{self, ServerFlags};
use crate::args::{OutputArgs, credentials_in};
use crate::client::Client;
use crate::credentials::{self, ServerArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

/// Name of the virtual rack.
const RACK: &str = "rack1";
/// Server, rack, client and everything else share this machine: being busy is no reason to wait.
const CPU_GATE: u8 = 100;
/// Longest wait until the rack has joined and all boxes are placed.
const JOIN: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of everything that is kept, credentials too [default: the user's state folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port on loopback; 0 picks a free one.
    #[arg(long, default_value_t = 8001)]
    port: u16,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    boxes: BoxFlags,
    #[command(flatten)]
    farm: FarmArgs,
}

/// Where things are.
struct Places {
    data: PathBuf,
    credentials: PathBuf,
}

impl Places {
    /// `--config` first; a data folder of one's own has its credentials inside; else they are where clients look.
    fn find(args: &Args, server: &ServerArgs) -> Result<Self> {
        let data = match &args.data {
            Some(data) => std::path::absolute(data).map_err(|error| Failure::file("find", data, error))?,
            None => credentials::default_data()?,
        };
        let credentials = match (&server.config, &args.data) {
            (Some(config), _) => config.clone(),
            (None, Some(_)) => credentials_in(&data),
            (None, None) => credentials::default_path()?,
        };
        Ok(Self { data, credentials })
    }
}

/// Runs both until told to stop.
pub(crate) fn run(args: &Args, server: &ServerArgs, output: OutputArgs, ui: Ui) -> Result<()> {
    life::log(ui, output, "warn");
    let places = Places::find(args, server)?;
    life::runtime()?.block_on(async {
        let mut signals = Signals::catch()?;
        let (server, rack) = tokio::select! {
            started = start(args, &places, options(args, &places)) => started?,
            () = signals.next() => return Err(Failure::silent(Exit::Interrupted)),
        };
        match ready(ui, args, &places, &server) {
            Ok(()) => live(ui, &mut signals, server, rack).await,
            Err(failure) => {
                // Nobody has heard where it is, so nobody could use it or would stop it.
                let stopped = stop(ui, &mut signals, server, rack).await;
                stopped.and(Err(unheard(failure)))
            }
        }
    })
}

fn options(args: &Args, places: &Places) -> ServeOptions {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let mut options = args.server.options(places.data.join("server"), listen);
    options.farm = args.farm.config(CPU_GATE);
    options
}

async fn start(args: &Args, places: &Places, options: ServeOptions) -> Result<(ServerHandle, RackHandle)> {
    let server = serve::start(options).await?;
    match join(args, places, &server).await {
        Ok(rack) => Ok((server, rack)),
        Err(failure) => {
            server.shutdown().await.map_err(serve::failed)?;
            Err(failure)
        }
    }
}

/// The rack, and then the credentials: whoever finds them finds everything ready.
async fn join(args: &Args, places: &Places, server: &ServerHandle) -> Result<RackHandle> {
    let mut options = args.boxes.options(&serve::base(server), RACK, places.data.join(RACK));
    options.enrol_token = Some(server.new_enrol_token().await.map_err(serve::failed)?);
    let rack = Rack::start(options).await.map_err(rack::failed)?;
    let known = serve::tell(server);
    let joined = match Client::with(known.clone()) {
        Ok(client) => wait_for_boxes(&client, args.boxes.slots).await.and_then(|()| known.write(&places.credentials)),
        Err(failure) => Err(failure),
    };
    match joined {
        Ok(()) => Ok(rack),
        Err(failure) => {
            rack.stop().await;
            Err(failure)
        }
    }
}

async fn wait_for_boxes(client: &Client, slots: u16) -> Result<()> {
    let began = Instant::now();
    loop {
        let list: RackList = client.get("/racks").await?;
        let rack = list.racks.iter().find(|rack| rack.rack == RACK && rack.online);
        if rack.is_some_and(|rack| rack.slots.iter().filter(|slot| slot.dut.is_some()).count() >= usize::from(slots)) {
            return Ok(());
        }
        if began.elapsed() > JOIN {
            let message = format!("the virtual rack did not come online within {} s", JOIN.as_secs());
            return Err(Failure::new(Exit::CouldNotRun, "rack", message).help("run it again with -v, which says why"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn ready(ui: Ui, args: &Args, places: &Places, server: &ServerHandle) -> Result<()> {
    let base = serve::base(server);
    if ui.json {
        return ui.print_json_line(&serde_json::json!({
            "event": "ready", "server": base, "credentials": places.credentials, "data": places.data,
            "rack": RACK, "slots": args.boxes.slots,
        }));
    }
    let is_default = credentials::default_path().is_ok_and(|path| path == places.credentials);
    ui.print(&text(&base, args.boxes.slots, places, is_default))
}

/// A closed pipe is no failure for a table that somebody has seen enough of; for this it is.
fn unheard(failure: Failure) -> Failure {
    let message = "cannot print where the server is: standard output is closed";
    let failure = if failure.is_quiet() { Failure::new(Exit::Io, "output", message) } else { failure };
    failure.help("it has stopped again; start it with a standard output that can be written, such as a file")
}

fn text(base: &str, slots: u16, places: &Places, is_default: bool) -> String {
    let shown = |path: &Path| path.display().to_string();
    let hint = if is_default { "" } else { "   (for other commands: export HEADEND_CONFIG to it)" };
    format!(
        "server       {base}\nrack         {RACK} with {slots} virtual boxes\ndata         {}\ncredentials  {}{hint}\nready; Ctrl-C stops",
        shown(&places.data),
        shown(&places.credentials)
    )
}

/// Until a signal comes or the server fails; a rack that was drained is no end, as results can still be read. Then stops
/// in order.
async fn live(ui: Ui, signals: &mut Signals, server: ServerHandle, rack: RackHandle) -> Result<()> {
    let told = CancellationToken::new();
    let mut serving = pin!(server.wait(told.cancelled()));
    let failed = tokio::select! {
        ended = &mut serving => Some(ended),
        () = signals.next() => None,
    };
    life::stop(ui, signals, async {
        // The rack first, while the server can hear how its runs ended.
        rack.stop().await;
        told.cancel();
        match failed {
            Some(ended) => ended,
            None => serving.await,
        }
        .map_err(serve::failed)
    })
    .await
}

async fn stop(ui: Ui, signals: &mut Signals, server: ServerHandle, rack: RackHandle) -> Result<()> {
    life::stop(ui, signals, async {
        rack.stop().await;
        server.shutdown().await.map_err(serve::failed)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use clap::Parser;
    use headend_store::{Fault, FaultHook};

    use super::*;
    use crate::ui::ColorChoice;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_fails_ends_the_rack_and_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let args = Line::parse_from(["up", "--port", "0", "--slots", "1"]).args;
        let places = Places { data: folder.path().to_owned(), credentials: credentials_in(folder.path()) };
        let broken = Arc::new(AtomicBool::new(false));
        let mut options = options(&args, &places);
        let disk = broken.clone();
        options.store.faults = Some(FaultHook::new(move |_| disk.load(Ordering::SeqCst).then_some(Fault::Io)));
        let mut signals = Signals::catch().unwrap();
        let (server, rack) = Box::pin(start(&args, &places, options)).await.unwrap();

        broken.store(true, Ordering::SeqCst);
        let ended = live(Ui::new(false, true, ColorChoice::Never), &mut signals, server, rack);
        let ended = tokio::time::timeout(Duration::from_mins(1), ended).await.expect("the failure was not noticed");
        assert_eq!(ended.unwrap_err().exit(), Exit::Io);
        // Both have let go of their folders.
        broken.store(false, Ordering::SeqCst);
        let (server, rack) = Box::pin(start(&args, &places, super::options(&args, &places))).await.unwrap();
        rack.stop().await;
        server.shutdown().await.unwrap();
    }
}
