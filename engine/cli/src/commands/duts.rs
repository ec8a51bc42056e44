//! `headend duts`: devices under test and where they are.

use headend_wire::api::{DutItem, DutList, PlaceRequest};

use super::Context;
use crate::failure::Result;
use crate::targets::{self, Place};
use crate::ui::{self, cell};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// All DUTs (also without any word).
    List,
    /// Make a new DUT known.
    Add(Box<NewDut>),
    /// Put a DUT into a slot, or on the shelf.
    Place {
        /// Its id.
        dut: u64,
        /// rack1/4, or shelf.
        place: Place,
    },
}

/// The fields of `findStb` that people use most; all may stay blank.
#[derive(Debug, clap::Args)]
pub(crate) struct NewDut {
    /// What people call it.
    name: String,
    /// Where it is: rack1/4; on the shelf unless given.
    #[arg(long)]
    place: Option<Place>,
    /// About it, for people.
    #[arg(long, default_value = "")]
    description: String,
    /// Its serial number.
    #[arg(long, default_value = "")]
    serial_number: String,
    /// Its model.
    #[arg(long, default_value = "")]
    model: String,
    /// Who made it.
    #[arg(long, default_value = "")]
    manufacturer: String,
    /// Version of its hardware.
    #[arg(long, default_value = "")]
    hardware_version: String,
    /// Whose signals it receives.
    #[arg(long, default_value = "")]
    broadcaster: String,
    /// Name of its infrared code set.
    #[arg(long, default_value = "")]
    ir_name: String,
    /// Number of its smartcard.
    #[arg(long, default_value = "")]
    smartcard_number: String,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List => list(context).await,
        Command::Add(new) => add(context, new).await,
        Command::Place { dut, place } => put(context, *dut, place).await,
    }
}

async fn list(context: &Context) -> Result<()> {
    let list: DutList = context.client.get("/duts").await?;
    if list.duts.is_empty() && !context.ui.json {
        context.ui.say("no DUTs; make one known with `headend duts add`");
        return Ok(());
    }
    context.ui.show(&list, |list| table(context, list))
}

fn table(context: &Context, list: &DutList) -> String {
    let mut table = context.ui.table(&["DUT", "NAME", "WHERE", "MODEL", "MANUFACTURER", "SERIAL", "DESCRIPTION"]);
    for dut in &list.duts {
        table.add_row([
            cell(&dut.dut.to_string()),
            cell(&dut.name),
            cell(&dut.place.as_ref().map_or_else(|| "shelf".to_owned(), targets::show)),
            cell(&dut.model_name),
            cell(&dut.manufacturer),
            cell(&dut.serial_number),
            cell(&dut.description),
        ]);
    }
    ui::text(&table)
}

async fn add(context: &Context, new: &NewDut) -> Result<()> {
    let item = DutItem {
        name: new.name.clone(),
        description: new.description.clone(),
        serial_number: new.serial_number.clone(),
        model_name: new.model.clone(),
        manufacturer: new.manufacturer.clone(),
        hardware_version: new.hardware_version.clone(),
        broadcaster: new.broadcaster.clone(),
        ir_name: new.ir_name.clone(),
        smartcard_number: new.smartcard_number.clone(),
        place: new.place.as_ref().and_then(|Place(place)| place.clone()),
        ..DutItem::default()
    };
    let added: DutItem = context.client.post("/duts", &item).await?;
    context.ui.show(&added, |added| added.dut.to_string())
}

async fn put(context: &Context, dut: u64, Place(place): &Place) -> Result<()> {
    let request = PlaceRequest { place: place.clone() };
    let answer: serde_json::Value = context.client.put(&format!("/duts/{dut}/place"), &request).await?;
    if context.ui.json {
        return context.ui.print_json(&answer);
    }
    let place = place.as_ref().map_or_else(|| "on the shelf".to_owned(), |slot| format!("in {}", targets::show(slot)));
    context.ui.say(&format!("DUT {dut} is {place}"));
    Ok(())
}
