//! The calls that customers' own tools make directly, with the arguments in their order. What a reply holds beyond what such
//! tools read is ours to choose; unused elements are blank.

use headend_model::{Catalogue, DutId, SlotId};
use headend_scheduler::view::RackView;
use headend_wire::codes;
use headend_wire::inventory::{DutEntry, InventoryDoc, Removal};
use headend_wire::xmlrpc::Value;

use super::answer::{Answer, int, list, text};
use super::args::{Args, bad};
use super::{Caller, jobs};
use crate::auth::Person;
use crate::http::{ApiError, ApiResult};
use crate::lab::{self, Book};

/// Elements of a server's row; its slots are the last.
const SERVER_ROW: usize = 19;

pub(super) async fn create_remote_job(caller: &Caller<'_>, args: Args) -> ApiResult<Answer> {
    jobs::create(caller, args).await
}

/// `GetServerList()`: a row per rack, element 0 its name, element 1 its id, element 18 its slots.
pub(super) async fn server_list(caller: &Caller<'_>, args: Args) -> ApiResult<Answer> {
    args.done("GetServerList", &[])?;
    let book = Book::read(caller.app).await?;
    let rows = caller.app.farm.read(move |view| {
        let racks = view.farm.racks();
        racks.iter().map(|rack| server_row(&book, rack)).collect::<Vec<_>>()
    });
    Ok(Answer::ok([list(rows.await?)]))
}

fn server_row(book: &Book, rack: &RackView<'_>) -> Value {
    let slots = rack.slots.iter().map(|slot| {
        let dut = slot.dut.and_then(|dut| book.duts.get(&dut));
        let field = |pick: fn(&headend_model::DutFields) -> &String| {
            text(dut.map(|row| pick(&row.fields).clone()).unwrap_or_default())
        };
        list([
            int(slot.no.0),
            int(dut.map_or(0, |row| row.dut.0)),
            field(|fields| &fields.name),
            field(|fields| &fields.description),
            field(|fields| &fields.serial_number),
            field(|fields| &fields.type_name),
        ])
    });
    let slots = list(slots);
    let mut row = vec![text(rack.name.as_str()), int(rack.rack.0)];
    row.resize(SERVER_ROW - 1, text(""));
    row.push(slots);
    list(row)
}

/// `GetServerId(name)`.
pub(super) async fn server_id(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let name = args.text("server")?;
    args.done("GetServerId", &["server"])?;
    let rack = caller.app.farm.read(move |view| crate::edge::names::rack(view.farm, &name)).await??;
    Ok(Answer::ok([int(rack.0)]))
}

/// `GetStbModelInfo()`: a row per model, element 0 its name, element 3 its id.
pub(super) async fn models(caller: &Caller<'_>, args: Args) -> ApiResult<Answer> {
    args.done("GetStbModelInfo", &[])?;
    let book = Book::read(caller.app).await?;
    let models = book.entries.values().filter_map(|row| match &row.entry {
        headend_model::CatalogueEntry::Model(model) => {
            Some(list([text(&model.name), text(&model.description), text(&model.manufacturer), int(row.id)]))
        }
        _ => None,
    });
    Ok(Answer::ok([list(models)]))
}

/// `GetSlotIdFromAddress(server, slot)`: the slot's number over the whole farm.
pub(super) async fn slot_id(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let rack = args.text("server")?;
    let slot = slot_number(args.int("slot")?)?;
    args.done("GetSlotIdFromAddress", &["server", "slot"])?;
    let named = headend_wire::api::SlotRef { rack, slot };
    let id = caller.app.farm.read(move |view| crate::edge::names::slot(view.farm, &named)).await??;
    Ok(Answer::ok([int(id.0)]))
}

/// `GetDutInstance(slotId)`: element 0 is the id of the DUT there.
pub(super) async fn dut_in_slot(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let id = args.int("slotId")?;
    args.done("GetDutInstance", &["slotId"])?;
    let slot = u32::try_from(id).map(SlotId).map_err(|_| bad("slotId", &format!("is {id}; it is none of ours")))?;
    let dut = caller.app.farm.read(move |view| view.farm.inventory().dut_in(slot)).await?;
    let dut = dut.ok_or_else(|| ApiError::not_found(format!("DUT in slot {id}")))?;
    let book = Book::read(caller.app).await?;
    let name = book.duts.get(&dut).map(|row| row.fields.name.clone()).unwrap_or_default();
    Ok(Answer::ok([list([int(dut.0), text(name)])]))
}

/// `CreateDutInstanceByModel(user, serverId, slot, modelId, name, description, serial)`: the new DUT's id.
pub(super) async fn create_dut(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let user = args.text("user")?;
    let (server, slot) = (args.int("serverId")?, slot_number(args.int("slot")?)?);
    let model = args.id("modelId")?;
    let texts = [("name", args.text("name")?), ("description", args.text_or("description", "")?)];
    let serial = args.text_or("serial", "NA")?;
    let names = ["user", "serverId", "slot", "modelId", "name", "description", "serial"];
    args.done("CreateDutInstanceByModel", &names)?;
    require_admin(&jobs::acting_as(&caller.person, &user)?)?;

    let book = Book::read(caller.app).await?;
    let model = book.entries.get(&model).filter(|row| row.entry.kind() == Catalogue::Models);
    let model = model.ok_or_else(|| bad("modelId", "is no model; see GetStbModelInfo"))?.entry.key().to_owned();
    let racks = caller.app.farm.read(|view| view.farm.inventory().racks.clone()).await?;
    let rack = racks.iter().find(|(id, _)| i64::from(id.0) == server).map(|(_, name)| name.to_string());
    let rack =
        rack.ok_or_else(|| ApiError::new(&codes::UNKNOWN_RACK, format!("there is no server with id {server}")))?;
    let dut = caller.app.store.take_dut_ids(1).await?;
    let texts = texts.into_iter().chain([("serial_number", serial)]).map(|(name, text)| (name.to_owned(), text));
    let entry = DutEntry {
        dut: Some(dut),
        model: Some(model),
        place: Some(format!("{rack}/{slot}")),
        texts: texts.collect(),
        ..DutEntry::default()
    };
    lab::apply(caller.app, &InventoryDoc { dut: vec![entry], ..InventoryDoc::default() }, false).await?;
    Ok(Answer::ok([int(dut)]))
}

/// `DeleteDutInstance(user, dutId)`.
pub(super) async fn delete_dut(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let user = args.text("user")?;
    let dut = DutId(args.id("dutId")?);
    args.done("DeleteDutInstance", &["user", "dutId"])?;
    require_admin(&jobs::acting_as(&caller.person, &user)?)?;
    let remove = vec![Removal { kind: "dut".to_owned(), key: dut.to_string() }];
    lab::apply(caller.app, &InventoryDoc { remove, ..InventoryDoc::default() }, false).await?;
    Ok(Answer::ok([int(dut.0)]))
}

fn require_admin(person: &Person) -> ApiResult<()> {
    if person.admin {
        return Ok(());
    }
    Err(ApiError::new(&codes::FORBIDDEN, "only administrators change the inventory"))
}

fn slot_number(number: i64) -> ApiResult<u16> {
    u16::try_from(number).map_err(|_| bad("slot", &format!("is {number}; slots are counted from 1")))
}
