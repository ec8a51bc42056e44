//! `headend replay-check --data DIR`: decides what the journal keeps a second time, and compares.

use std::fmt::Write;
use std::path::PathBuf;

use headend_server::{ReplayReport, replay_check};

use super::simulate::store_in;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{Ui, count, plain};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Data folder of a server that is down.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Replays and says what differs; exit code 1 if anything does.
pub(crate) fn run(args: &Args, ui: Ui) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Fault, "runtime", "cannot start").because(error))?;
    let report = runtime.block_on(async {
        let store = store_in(&args.data).await?;
        let report = replay_check(&store).await;
        store.close().await;
        report.map_err(|error| {
            let message = format!("cannot replay the journal of {}", args.data.display());
            Failure::new(Exit::Io, "replay", message).because(error)
        })
    })?;
    ui.show(&report, text)?;
    if report.different > 0 { Err(Failure::silent(Exit::Failed)) } else { Ok(()) }
}

fn text(report: &ReplayReport) -> String {
    let mut out = format!(
        "{} after event {} replayed: {}, {} of them compared with what is kept; {}; {} compared",
        count(report.events, "event"),
        report.after,
        count(report.starts, "start"),
        report.compared,
        count(report.ends, "end"),
        count(report.snapshots, "snapshot"),
    );
    if report.events == 0 {
        out.push_str("\nnothing to decide again: the journal was cut behind a snapshot");
    } else if report.different == 0 {
        out.push_str("\nevery decision, reason and digest is the same");
    } else {
        // Writing to a string cannot fail, here and below.
        write!(out, "\n{} differ:", report.different).ok();
        for line in &report.differences {
            write!(out, "\n  {}", plain(line)).ok();
        }
    }
    out
}
