//! `headend session`: boxes for a script that is started by hand, or a slot that its person has reserved on a server. The
//! Python package runs it when there is no rack.

use std::path::PathBuf;
use std::sync::Arc;

use headend_model::RunId;
use headend_rack::local::{SessionOptions, serve_session};
use headend_rack::options::GuestProgram;
use headend_rack::remote::{BridgeOptions, Bridged, bridge_session};
use headend_rack::session::Watcher;
use headend_wire::api::SlotRef;
use headend_wire::relay;
use tokio::io::AsyncReadExt;

use super::life::{self, Signals};
use crate::args::OutputArgs;
use crate::client::Client;
use crate::commands::Context;
use crate::commands::reserve::{self, OneSlot, Which};
use crate::credentials::ServerArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets;
use crate::ui::Ui;

const AFTER: &str = "\
Prints one line, {\"socket\": PATH, \"token\": TEXT}, serves one session there, and ends when its standard input closes. \
`python script.py` starts it by itself when the script connects and no rack runs it: HEADEND_PROGRAM names the program, or \
it is found on PATH; with HEADEND_SLOT set it is a session on that slot, else on a virtual box.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// On virtual boxes of its own, here.
    #[arg(long, required_unless_present = "slot", conflicts_with = "slot")]
    local: bool,
    /// On a slot of the server that you have reserved (`headend reserve rack1/4 --for 30m`).
    #[arg(long, value_name = "SLOT")]
    slot: Option<OneSlot>,
    /// Virtual boxes.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "slot",
        value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Waits take as long as they say; without it they cost nothing.
    #[arg(long, conflicts_with = "slot")]
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
    let runtime = life::runtime()?;
    let ended = match &args.slot {
        Some(OneSlot(slot)) => {
            let context = Context { client: Client::new(server)?, ui };
            runtime.block_on(there(&context, slot, &args.out))
        }
        None => runtime.block_on(here(args, ui)),
    };
    // Reading the input cannot be broken off.
    runtime.shutdown_background();
    ended
}

/// On virtual boxes.
async fn here(args: &Args, ui: Ui) -> Result<()> {
    let options = SessionOptions {
        slots: args.slots,
        virtual_time: !args.real_time,
        out: args.out.clone(),
        guest: GuestProgram::default(),
        watcher: Arc::new(Silent),
    };
    let over = over()?;
    let served = serve_session(options, greet(ui), over).await;
    served.map(drop).map_err(|error| Failure::new(Exit::Io, "session", "there is no session").because(error))
}

/// On a slot of a server.
async fn there(context: &Context, slot: &SlotRef, out: &std::path::Path) -> Result<()> {
    let over = over()?;
    let number = reserve::number(context, &Which::Slot(slot.clone())).await?;
    let stream = context.client.stream(&format!("/reservations/{number}/session"), relay::UPGRADE).await?;
    let options = BridgeOptions { out: out.to_owned() };
    match bridge_session(stream, options, greet(context.ui), over).await {
        Ok(Bridged::Over(how)) => {
            context.ui.say(&how);
            Ok(())
        }
        Ok(Bridged::CutOff(how)) => {
            let slot = targets::show(slot);
            Err(Failure::new(Exit::Unavailable, "cut_off", format!("the session on {slot} was cut off: {how}"))
                .help("`headend reservations` shows who has the slot"))
        }
        Err(error) => Err(Failure::new(Exit::Io, "session", "there is no session").because(error)),
    }
}

fn greet(ui: Ui) -> impl FnOnce(&std::path::Path, &str) {
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
