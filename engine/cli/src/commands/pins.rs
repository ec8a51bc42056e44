//! `headend runs`: runs that retention leaves alone.

use headend_wire::api::{PinItem, PinList, PinRequest};
use reqwest::Method;

use super::Context;
use crate::failure::Result;
use crate::ui::{self, cell, when};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Keep all that a run has left, whatever its age; pinning it again changes the note.
    Pin {
        /// The run.
        run: u64,
        /// Why.
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
    /// Let retention take them again when they are too old or too much.
    Unpin {
        /// The runs.
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<u64>,
    },
    /// Pinned runs, the newest first.
    #[command(visible_alias = "list")]
    Pins,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Pin { run, note } => {
            let request = PinRequest { note: note.clone() };
            let item: PinItem = context.client.put(&format!("/runs/{run}/pin"), &request).await?;
            context.ui.show(&item, |item| format!("run {} stays", item.run))
        }
        Command::Unpin { runs } => {
            for run in runs {
                context.client.send(context.client.request(Method::DELETE, &format!("/runs/{run}/pin"))).await?;
            }
            Ok(())
        }
        Command::Pins => list(context).await,
    }
}

async fn list(context: &Context) -> Result<()> {
    let mut all = PinList::default();
    loop {
        let before = all.next.map_or_else(String::new, |run| format!("?before={run}"));
        let page: PinList = context.client.get(&format!("/pins{before}")).await?;
        all.pins.extend(page.pins);
        all.next = page.next;
        if all.next.is_none() {
            break;
        }
    }
    if all.pins.is_empty() && !context.ui.json {
        context.ui.say("no pinned runs");
        return Ok(());
    }
    context.ui.show(&all, |all| {
        let mut table = context.ui.table(&["RUN", "OWNER", "PINNED BY", "AT", "NOTE"]);
        for pin in &all.pins {
            let (run, at) = (pin.run.to_string(), when(&pin.at));
            table.add_row([cell(&run), cell(&pin.owner), cell(&pin.by), cell(&at), cell(&pin.note)]);
        }
        ui::text(&table)
    })
}
