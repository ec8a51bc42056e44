//! `headend session`: boxes for a script that is started by hand, slots of a rack file, or a slot that its person has reserved on a
//! server. The Python package runs it when there is no rack.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headend_model::RunId;
use headend_rack::local::{LocalError, SessionOptions, boxes, serve_session};
use headend_rack::options::GuestProgram;
use headend_rack::remote::{Bridged, bridge_session};
use headend_rack::session::Watcher;
use headend_wire::api::SlotRef;
use tokio::io::AsyncReadExt;

use super::far::{self, Wanted};
use super::life::{self, Signals};
use super::rack_file;
use crate::args::OutputArgs;
use crate::client::Client;
use crate::commands::Context;
use crate::credentials::ServerArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{Ui, plain};

const AFTER: &str = "\
Prints one line, {\"socket\": PATH, \"token\": TEXT}, serves one session there, and ends when its standard input closes. \
`python script.py` starts it by itself when the script connects and no rack runs it: HEADEND_PROGRAM names the program, or \
it is found on PATH; with HEADEND_SLOT set it is a session on that slot, with HEADEND_RACK_FILE on a slot of that file, else on a \
virtual box. Log and captures stay on this machine, in the folder of --out: a server keeps nothing of a session.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// On virtual boxes of its own, here.
    #[arg(long, required_unless_present_any = ["slot", "file"], conflicts_with_all = ["slot", "file"])]
    local: bool,
    /// On a slot of the server that you have reserved (`headend reserve rack1/4 --for 30m`). With --file: the number of a slot in it; may be
    /// given several times.
    #[arg(long, value_name = "SLOT")]
    slot: Vec<Wanted>,
    /// On slots of a rack file, here, with their real tools. Not while a rack is up with it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Virtual boxes.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["slot", "file"],
        value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Waits take as long as they say; without it they cost nothing.
    #[arg(long, conflicts_with_all = ["slot", "file"])]
    real_time: bool,
    /// Where log and captures go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The script's own process tells what it does.
struct Silent;

impl Watcher for Silent {
    fn note(&self, _: RunId, _: String) {}
    fn console(&self, _: RunId, _: &str) {}
}

/// Serves one session.
pub(crate) fn run(args: &Args, server: &ServerArgs, output: OutputArgs, ui: Ui) -> Result<()> {
    life::log(ui, output, "warn");
    let slot = if args.file.is_some() { None } else { far::of_server(&args.slot)? };
    let runtime = life::runtime()?;
    let ended = match slot {
        Some(slot) => {
            let context = Context { client: Client::new(server)?, ui };
            runtime.block_on(there(&context, slot, &args.out))
        }
        None => runtime.block_on(here(args, ui)),
    };
    // Reading the input cannot be broken off.
    runtime.shutdown_background();
    ended
}

/// On virtual boxes, or on slots of a rack file.
async fn here(args: &Args, ui: Ui) -> Result<()> {
    let borrowed = args.file.as_deref().map(|file| rack_file::borrow(file, &far::of_file(&args.slot)?)).transpose()?;
    let slots = borrowed.as_ref().map_or_else(|| boxes(args.slots, !args.real_time), |borrowed| borrowed.slots.clone());
    let options =
        SessionOptions { slots, out: args.out.clone(), guest: GuestProgram::default(), watcher: Arc::new(Silent) };
    let over = over()?;
    let served = serve_session(options, greet(ui), over).await.map_err(failed)?;
    if let Some(out) = &served.out {
        ui.say(&format!("{} in {}", far::ALL_FILES, far::absolute(out).display()));
    }
    Ok(())
}

fn failed(error: LocalError) -> Failure {
    let exit = if matches!(error, LocalError::Tools { .. }) { Exit::CouldNotRun } else { Exit::Io };
    Failure::new(exit, "session", "there is no session").because(error)
}

/// On a slot of a server.
async fn there(context: &Context, slot: &SlotRef, out: &Path) -> Result<()> {
    let over = over()?;
    let (stream, why) = far::open(context, slot).await?.parts();
    match bridge_session(stream, out, why, greet(context.ui), over).await.map_err(failed)? {
        Bridged::Over(how) => {
            context.ui.say(&plain(&how));
            context.ui.say(&far::files(far::ALL_FILES, out));
            Ok(())
        }
        Bridged::CutOff(why) => {
            context.ui.say(&far::files(far::SOME_FILES, out));
            Err(far::cut_off(slot, &why))
        }
    }
}

fn greet(ui: Ui) -> impl FnOnce(&Path, &str) {
    move |socket, token| {
        let greeting = serde_json::json!({ "socket": socket, "token": token });
        // Nobody to read it: the input is closed as well, and the session ends.
        ui.print(&greeting.to_string()).ok();
    }
}

/// The script has gone, or somebody has had enough.
fn over() -> Result<impl Future<Output = ()>> {
    let mut signals = Signals::catch()?;
    Ok(async move {
        tokio::select! {
            () = input_closed() => {}
            () = signals.next() => {}
        }
    })
}

async fn input_closed() {
    let (mut input, mut bytes) = (tokio::io::stdin(), [0; 256]);
    while input.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}
