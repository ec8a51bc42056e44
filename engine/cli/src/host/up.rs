//! `headend up`: server and rack in one process, with everything that needs no choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use headend_rack::wiring::RackFile;
use headend_rack::{Rack, RackHandle, RackOptions};
use headend_server::{ServeOptions, ServerHandle};
use headend_wire::api::RackList;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::farm_args::FarmArgs;
use super::life::{self, Signals};
use super::rack::{self, BoxFlags};
use super::rack_file;
use super::serve::{self, ServerFlags};
use crate::args::{OutputArgs, credentials_in};
use crate::client::Client;
use crate::credentials::{self, Credentials, ServerArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

/// Name of the rack, unless a rack file has one.
const RACK: &str = "rack1";
/// Server, rack, client and everything else share this machine: being busy is no reason to wait.
const CPU_GATE: u8 = 100;
/// Longest wait until the rack has joined and all virtual boxes are placed.
const JOIN: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of everything that is kept, credentials too [default: the user's state folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port on loopback; 0 picks a free one.
    #[arg(long, default_value_t = 8001)]
    port: u16,
    /// A rack file: slots of real tools and virtual boxes in place of --slots.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["slots", "virtual_time", "box_picture", "box_boot", "box_chances"]
    )]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    boxes: BoxFlags,
    #[command(flatten)]
    farm: FarmArgs,
}

/// Where things are, and what goes up there.
struct Places {
    data: PathBuf,
    credentials: PathBuf,
    file: Option<RackFile>,
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
        let file = args.file.as_deref().map(rack_file::read).transpose()?;
        Ok(Self { data, credentials, file })
    }

    fn rack(&self) -> &str {
        self.file.as_ref().and_then(|file| file.rack.name.as_deref()).unwrap_or(RACK)
    }

    /// How many slots the rack has.
    fn slots(&self, args: &Args) -> usize {
        self.file.as_ref().map_or(usize::from(args.boxes.slots), |file| file.slots.len())
    }

    /// The rack for this server. A folder that was asked for on the command line holds everything.
    fn options(&self, args: &Args, server: &str) -> RackOptions {
        let of_file = self.file.as_ref().filter(|_| args.data.is_none()).and_then(|file| file.rack.data.clone());
        let data = of_file.unwrap_or_else(|| self.data.join(self.rack()));
        let options = args.boxes.options(server, self.rack(), data);
        match &self.file {
            Some(file) => rack_file::with(options, file.clone()),
            None => options,
        }
    }
}

/// Runs both until told to stop.
pub(crate) fn run(args: &Args, server: &ServerArgs, output: OutputArgs, ui: Ui) -> Result<()> {
    life::log(ui, output, "warn");
    let places = Places::find(args, server)?;
    if places.file.as_ref().is_some_and(|file| file.rack.server.is_some()) {
        ui.say(
            "the rack file's `server` is for `headend rack`; here the rack works for the server that goes up with it",
        );
    }
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
    let mut options = places.options(args, &serve::base(server));
    options.enrol_token = Some(server.new_enrol_token().await.map_err(serve::failed)?);
    let rack = Rack::start(options).await.map_err(rack::failed)?;
    let known = serve::tell(server);
    let joined = match Client::with(known.clone()) {
        Ok(client) => wait(&client, &rack, args, places).await.and_then(|()| make_known(&known, &places.credentials)),
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

/// Writes the credentials. Those of another server that were there are kept.
fn make_known(known: &Credentials, path: &Path) -> Result<()> {
    if let Some((named, aside)) = credentials::set_aside(path, &known.server)? {
        tracing::warn!("{} named {named}: it is kept as {}", path.display(), aside.display());
    }
    known.write(path)
}

/// Until the rack is there with its virtual boxes. Of a rack file not all slots need have a DUT, and tools take their time: their slots come
/// in when they have passed a probe.
async fn wait(client: &Client, rack: &RackHandle, args: &Args, places: &Places) -> Result<()> {
    let expected = if places.file.is_some() { 0 } else { usize::from(args.boxes.slots) };
    let began = Instant::now();
    // The server has seen to what stands in the slots when it answers the rack's first word; an answer that is late is told below.
    let _ = tokio::time::timeout(JOIN, rack.ready()).await;
    loop {
        let list: RackList = client.get("/racks").await?;
        let rack = list.racks.iter().find(|rack| rack.rack == places.rack() && rack.online);
        if rack.is_some_and(|rack| rack.slots.iter().filter(|slot| slot.dut.is_some()).count() >= expected) {
            return Ok(());
        }
        if began.elapsed() > JOIN {
            let message = format!("the rack {} did not come online within {} s", places.rack(), JOIN.as_secs());
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
            "rack": places.rack(), "slots": places.slots(args),
        }));
    }
    let is_default = credentials::default_path().is_ok_and(|path| path == places.credentials);
    ui.print(&text(&base, args, places, is_default))
}

/// A closed pipe is no failure for a table that somebody has seen enough of; for this it is.
fn unheard(failure: Failure) -> Failure {
    let message = "cannot print where the server is: standard output is closed";
    let failure = if failure.is_quiet() { Failure::new(Exit::Io, "output", message) } else { failure };
    failure.help("it has stopped again; start it with a standard output that can be written, such as a file")
}

fn text(base: &str, args: &Args, places: &Places, is_default: bool) -> String {
    let (rack, slots) = (places.rack(), places.slots(args));
    let with = match &args.file {
        None => format!("{slots} virtual boxes"),
        Some(file) => format!(
            "{} of {}; those of real tools are in when they work (headend racks)",
            crate::ui::count(slots as u64, "slot"),
            file.display()
        ),
    };
    let shown = |path: &Path| path.display().to_string();
    let hint = if is_default { "" } else { "   (for other commands: export HEADEND_CONFIG to it)" };
    format!(
        "server       {base}\nrack         {rack} with {with}\ndata         {}\ncredentials  {}{hint}\nready; Ctrl-C stops",
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
        let places = Places { data: folder.path().to_owned(), credentials: credentials_in(folder.path()), file: None };
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
