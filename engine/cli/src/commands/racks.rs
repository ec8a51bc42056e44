//! `headend racks`: racks and their slots, draining, enrolment.

use comfy_table::Color;
use headend_wire::api::{EnrolToken, RackItem, RackList};

use super::Context;
use crate::client::segment;
use crate::failure::Result;
use crate::targets::{self, SlotRange};
use crate::ui::{self, cell, plain, verdict, when_or_dash};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Racks, slots, and the DUTs in them (also without any word).
    List,
    /// Give a rack no new runs; those that run end in peace.
    Drain {
        /// Name of the rack.
        rack: String,
        /// Give it runs again.
        #[arg(long)]
        off: bool,
    },
    /// Take a slot out of quarantine: somebody has looked, and nothing drives it.
    Clear {
        /// rack1/4
        slot: SlotRange,
    },
    /// A new one-use token with which a rack enrols.
    Token,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List => list(context).await,
        Command::Drain { rack, off } => drain(context, rack, !off).await,
        Command::Clear { slot } => clear(context, slot).await,
        Command::Token => token(context).await,
    }
}

async fn list(context: &Context) -> Result<()> {
    let list: RackList = context.client.get("/racks").await?;
    if list.racks.is_empty() && !context.ui.json {
        context.ui.say("no racks; enrol one with `headend racks token` and `headend rack`");
        return Ok(());
    }
    context.ui.show(&list, |list| table(context, list))
}

fn table(context: &Context, list: &RackList) -> String {
    let mut table = context.ui.table(&["SLOT", "DUT", "NAME", "STATE", "DETAIL"]);
    for rack in &list.racks {
        let color = if rack.online { Color::Green } else { Color::Red };
        table.add_row([cell(&rack.rack), cell(""), cell(""), verdict(state(rack), color), cell(&detail(rack))]);
        for slot in &rack.slots {
            table.add_row([
                cell(&format!("{}/{}", rack.rack, slot.slot)),
                cell(&slot.dut.map_or_else(|| "-".to_owned(), |dut| dut.to_string())),
                cell(slot.dut_name.as_deref().unwrap_or("-")),
                cell(&slot.state),
                cell(&slot.detail),
            ]);
        }
    }
    ui::text(&table)
}

const fn state(rack: &RackItem) -> &'static str {
    match (rack.online, rack.draining) {
        (false, _) => "offline",
        (true, true) => "draining",
        (true, false) => "online",
    }
}

fn detail(rack: &RackItem) -> String {
    let gate = rack.gate.as_ref().map(|gate| format!(", {}", plain(gate))).unwrap_or_default();
    if rack.online {
        return format!("CPU {} %{gate}", rack.cpu_percent);
    }
    format!("last seen {}", when_or_dash(rack.last_seen.as_ref()))
}

async fn drain(context: &Context, rack: &str, on: bool) -> Result<()> {
    let path = format!("/racks/{}/drain", segment(rack));
    let answer: serde_json::Value = context.client.post(&path, &serde_json::json!({ "on": on })).await?;
    if context.ui.json {
        return context.ui.print_json(&answer);
    }
    context.ui.say(&if on { format!("{rack} takes no new runs") } else { format!("{rack} takes runs again") });
    Ok(())
}

async fn clear(context: &Context, SlotRange(slots): &SlotRange) -> Result<()> {
    for slot in slots {
        let path = format!("/racks/{}/slots/{}/clear", segment(&slot.rack), slot.slot);
        let answer: serde_json::Value = context.client.post(&path, &serde_json::json!({})).await?;
        if context.ui.json {
            context.ui.print_json(&answer)?;
        } else {
            context.ui.say(&format!("{} may be used again", targets::show(slot)));
        }
    }
    Ok(())
}

async fn token(context: &Context) -> Result<()> {
    let token: EnrolToken = context.client.post("/racks/tokens", &serde_json::json!({})).await?;
    context.ui.show(&token, |token| token.token.clone())?;
    context.ui.say(&format!(
        "for one rack, until {}; on the rack: headend rack --name NAME --server {} --token TOKEN",
        ui::when(&token.expires),
        context.client.server()
    ));
    Ok(())
}
