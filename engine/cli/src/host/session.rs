//! `headend session`: boxes for a script that is started by hand. The Python package runs it when there is no rack.

use std::path::PathBuf;
use std::sync::Arc;

use headend_model::RunId;
use headend_rack::local::{SessionOptions, serve_session};
use headend_rack::options::GuestProgram;
use headend_rack::session::Watcher;
use tokio::io::AsyncReadExt;

use super::life::{self, Signals};
use crate::args::OutputArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

const AFTER: &str = "\
Prints one line, {\"socket\": PATH, \"token\": TEXT}, serves one session there, and ends when its standard input closes. \
`python script.py` starts it by itself when the script connects and no rack runs it: HEADEND_PROGRAM names the program, or \
it is found on PATH.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// On virtual boxes of its own, here. There is no other kind yet.
    #[arg(long, required = true)]
    local: bool,
    /// Virtual boxes.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Waits take as long as they say; without it they cost nothing.
    #[arg(long)]
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
pub(crate) fn run(args: &Args, output: OutputArgs, ui: Ui) -> Result<()> {
    life::log(ui, output, "warn");
    let options = SessionOptions {
        slots: args.slots,
        virtual_time: !args.real_time,
        out: args.out.clone(),
        guest: GuestProgram::default(),
        watcher: Arc::new(Silent),
    };
    let runtime = life::runtime()?;
    let served = runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let over = async move {
            tokio::select! {
                () = input_closed() => {}
                () = signals.next() => {}
            }
        };
        let tell = |socket: &std::path::Path, token: &str| {
            let greeting = serde_json::json!({ "socket": socket, "token": token });
            // Nobody to read it: the input is closed as well, and the session ends.
            ui.print(&greeting.to_string()).ok();
        };
        serve_session(options, tell, over)
            .await
            .map_err(|error| Failure::new(Exit::Io, "session", "there is no session").because(error))
    });
    // Reading the input cannot be broken off.
    runtime.shutdown_background();
    served.map(drop)
}

async fn input_closed() {
    let (mut input, mut bytes) = (tokio::io::stdin(), [0; 256]);
    while input.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}
