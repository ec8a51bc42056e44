//! `headend run --slot rack1/4`: a Rhai or WASM script in a guest of this machine, on a slot that its person has reserved.

use std::collections::BTreeMap;

use headend_rack::remote::{ThereReport, guest_script, run_there};
use headend_wire::api::SlotRef;
use tokio_util::sync::CancellationToken;

use super::far::{self, Opened};
use super::life::{self, Signals};
use super::run::{self, Args, Out};
use crate::client::Client;
use crate::commands::Context;
use crate::credentials::ServerArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets;
use crate::ui::Ui;

/// Runs it; the exit code tells how it ended.
pub(super) fn run(args: &Args, slot: &SlotRef, server: &ServerArgs, ui: Ui) -> Result<()> {
    // Nobody's slot is driven for a script that cannot be run.
    guest_of(args, slot)?;
    let context = Context { client: Client::new(server)?, ui };
    let out = Out::reserve(args)?;
    let report = life::runtime()?.block_on(async {
        let mut signals = Signals::catch()?;
        let opened = tokio::select! {
            opened = far::open(&context, slot) => opened?,
            () = signals.next() => return Err(Failure::silent(Exit::Interrupted)),
        };
        drive(args, opened, &out, (ui, &mut signals)).await
    })?;
    tell(ui, slot, &out, &report)?;
    run::ended(&report.outcome)
}

fn guest_of(args: &Args, slot: &SlotRef) -> Result<()> {
    let script = args.script.display();
    if args.script.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("py")) {
        let slot = targets::show(slot);
        let message = format!("{script} is a Python script: it drives {slot} from a process of its own");
        return Err(Failure::usage(message).help(format!("HEADEND_SLOT={slot} python {script}")));
    }
    guest_script(&args.script).map(drop).map_err(run::failed)
}

/// The first signal stops the script, which has its files sent; the second ends the wait for them.
async fn drive(args: &Args, opened: Opened, out: &Out, (ui, signals): (Ui, &mut Signals)) -> Result<ThereReport> {
    let stop = CancellationToken::new();
    let options = run::options(args, BTreeMap::new(), out.folder.clone(), ui, stop.clone());
    let (stream, why) = opened.parts();
    let running = run_there(stream, &options, why);
    tokio::pin!(running);
    tokio::select! {
        report = &mut running => return report.map_err(run::failed),
        () = signals.next() => stop.cancel(),
    }
    tokio::select! {
        report = &mut running => report.map_err(run::failed),
        () = signals.next() => Err(Failure::silent(Exit::Interrupted)),
    }
}

fn tell(ui: Ui, slot: &SlotRef, out: &Out, report: &ThereReport) -> Result<()> {
    let ThereReport { outcome, cut_off } = report;
    if ui.json {
        let left = far::has_files(&out.folder).then_some(out.folder.as_path());
        let mut told = run::as_json(outcome, left);
        told["slot"] = targets::show(slot).into();
        told["cut_off"] = cut_off.clone().into();
        return ui.print_json(&told);
    }
    ui.print(&run::as_text(outcome))?;
    let Some(why) = cut_off else {
        ui.say(&far::files(far::ALL_FILES, &out.folder));
        return Ok(());
    };
    ui.say(&format!("{}; `headend reservations` shows who has the slot", far::cut_off(slot, why)));
    ui.say(&far::files(far::SOME_FILES, &out.folder));
    Ok(())
}
