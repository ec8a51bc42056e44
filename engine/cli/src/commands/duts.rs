//! `headend duts`: devices under test and where they are.

use headend_wire::api::{DutItem, DutList, PlaceRequest, SlotRef};
use headend_wire::inventory::DutEntry;

use super::{Context, inventory};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets::{self, Place};
use crate::ui::{self, cell};

/// What can be looked for.
const FIELDS: &str = "\
Fields: Name, Description, SerialNumber, ModelName, ModelDescription, Manufacturer, ManufactureModel,
HardwareVersion, TypeName, TypeDescription, Broadcaster, IRName, IRDescription, SmartcardNumber,
SmartcardParamName, SmartcardParamValue, ModelId. Letter case makes no difference; * is any text.";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// All DUTs (also without any word), or those that are looked for.
    #[command(after_help = FIELDS)]
    List {
        /// A condition such as `Manufacturer==Pace*`; all must hold.
        #[arg(value_name = "FIELD==PATTERN")]
        filters: Vec<String>,
    },
    /// Make a new DUT known.
    Add(Box<NewDut>),
    /// Change what is written about a DUT.
    Set {
        /// Its id.
        dut: u64,
        /// `name=TEXT`, `description=TEXT`, `serial_number=TEXT`, `model=NAME`, `ir_set=NAME`, `smartcard=NUMBER`; nothing
        /// after the `=` clears it.
        #[arg(required = true, value_name = "FIELD=TEXT")]
        texts: Vec<String>,
    },
    /// Remove a DUT from the lab.
    Remove {
        /// Its id.
        dut: u64,
    },
    /// Put a DUT into a slot, or on the shelf. Whatever sat in the slot goes on the shelf.
    #[command(visible_alias = "move")]
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
    /// Where it is: rack1/4; on the shelf unless given. Whatever sat in the slot goes on the shelf.
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
        Command::List { filters } => list(context, filters).await,
        Command::Set { dut, texts } => {
            let entry = entry(*dut, texts)?;
            // The inventory would make it: an id that it does not know is a DUT of another lab's export.
            require(&known(context).await?, *dut)?;
            inventory::set_dut(context, entry).await
        }
        Command::Remove { dut } => {
            let command = inventory::Command::Remove { kind: "dut".to_owned(), key: dut.to_string() };
            inventory::run(context, &command).await
        }
        Command::Add(new) => add(context, new).await,
        Command::Place { dut, place } => put(context, *dut, place).await,
    }
}

fn entry(dut: u64, texts: &[String]) -> Result<DutEntry> {
    let mut entry = DutEntry { dut: Some(dut), ..DutEntry::default() };
    for given in texts {
        let (name, text) = given
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("{given:?} has no `=`; write it as name=TEXT")))?;
        match name {
            "model" => entry.model = Some(text.to_owned()),
            "ir_set" => entry.ir_set = Some(text.to_owned()),
            "smartcard" => entry.smartcard = Some(text.to_owned()),
            "place" => entry.place = Some(text.to_owned()),
            _ => drop(entry.texts.insert(name.to_owned(), text.to_owned())),
        }
    }
    Ok(entry)
}

async fn known(context: &Context) -> Result<Vec<DutItem>> {
    let list: DutList = context.client.get("/duts").await?;
    Ok(list.duts)
}

fn require(known: &[DutItem], dut: u64) -> Result<()> {
    if known.iter().any(|one| one.dut == dut) {
        return Ok(());
    }
    Err(Failure::new(Exit::NotFound, "unknown_dut", format!("there is no DUT {dut}"))
        .help("see `headend duts`; `headend duts add` makes a new one known"))
}

/// Who sits in this slot now.
async fn sitting(context: &Context, place: Option<&SlotRef>) -> Result<Option<DutItem>> {
    let Some(place) = place else { return Ok(None) };
    Ok(known(context).await?.into_iter().find(|one| one.place.as_ref() == Some(place)))
}

/// Whoever sat there had to go.
fn say_displaced(context: &Context, dut: u64, former: Option<&DutItem>) {
    if let Some(former) = former.filter(|former| former.dut != dut) {
        context.ui.say(&format!("DUT {} ({}), which was there, is on the shelf now", former.dut, former.name));
    }
}

async fn list(context: &Context, filters: &[String]) -> Result<()> {
    let query: Vec<(&str, &str)> = filters.iter().map(|filter| ("filter", filter.as_str())).collect();
    let request = context.client.request(reqwest::Method::GET, "/duts").query(&query);
    let list: DutList = context.client.fetch(request).await?;
    if list.duts.is_empty() && !context.ui.json {
        let none =
            if filters.is_empty() { "no DUTs; make one known with `headend duts add`" } else { "no DUT is like that" };
        context.ui.say(none);
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
    let former = sitting(context, item.place.as_ref()).await?;
    let added: DutItem = context.client.post("/duts", &item).await?;
    context.ui.show(&added, |added| added.dut.to_string())?;
    say_displaced(context, added.dut, former.as_ref());
    Ok(())
}

async fn put(context: &Context, dut: u64, Place(place): &Place) -> Result<()> {
    let former = sitting(context, place.as_ref()).await?;
    let request = PlaceRequest { place: place.clone() };
    let answer: serde_json::Value = context.client.put(&format!("/duts/{dut}/place"), &request).await?;
    if context.ui.json {
        return context.ui.print_json(&answer);
    }
    let place = place.as_ref().map_or_else(|| "on the shelf".to_owned(), |slot| format!("in {}", targets::show(slot)));
    context.ui.say(&format!("DUT {dut} is {place}"));
    say_displaced(context, dut, former.as_ref());
    Ok(())
}
