//! DUTs: which there are, and where.

use axum::extract::{Path, Query, State};
use headend_model::{DutId, Filter, SlotId};
use headend_scheduler::event::Event;
use headend_store::DutRow;
use headend_wire::api::{DutItem, DutList, PlaceRequest, SlotRef};
use headend_wire::inventory::{DutEntry, InventoryDoc};
use headend_wire::{Problem, codes};
use http::StatusCode;

use crate::app::{App, Shared};
use crate::auth::Person;
use crate::edge::names;
use crate::http::{ApiError, ApiResult, Json};
use crate::lab::{self, Book};
use crate::show::racks;

/// DUTs, by id: all, or those for which every `filter` holds (document 4.5: `Field==pattern`, `*` for any text).
#[utoipa::path(get, path = "/duts", operation_id = "list_duts", tag = "duts",
    params(("filter" = Option<Vec<String>>, Query, description = "A condition such as `Manufacturer==Pace*`; may be repeated.")),
    responses((status = 200, body = DutList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    _person: Person,
    Query(query): Query<Vec<(String, String)>>,
) -> ApiResult<axum::Json<DutList>> {
    if let Some((other, _)) = query.iter().find(|(name, _)| name != "filter") {
        let detail = format!("there is no parameter {:?}; there is: filter", names::cut(other));
        return Err(ApiError::new(&codes::BAD_REQUEST, detail));
    }
    let book = Book::read(&app).await?;
    let found = find(&book, query.iter().map(|(_, condition)| condition.as_str()))?;
    Ok(axum::Json(DutList { duts: found.map(|row| item(&book, row)).collect() }))
}

/// The DUTs that `findStb` finds.
///
/// # Errors
/// `bad_filter`.
pub(crate) fn find<'a>(
    book: &'a Book,
    conditions: impl Iterator<Item = &'a str>,
) -> ApiResult<impl Iterator<Item = &'a DutRow>> {
    let filter = Filter::parse(conditions).map_err(|error| ApiError::new(&codes::BAD_FILTER, error.to_string()))?;
    let model = |row: &DutRow| row.refs.model.map(|id| id.to_string()).unwrap_or_default();
    Ok(book.duts.values().filter(move |row| filter.matches(&row.fields, &model(row))))
}

fn item(book: &Book, row: &DutRow) -> DutItem {
    let ir_set = row.refs.ir_set.and_then(|id| book.entries.get(&id));
    racks::dut(row.clone(), book.places.get(&row.dut).cloned(), ir_set.map(|set| set.created))
}

/// Takes a new DUT in; its id is given here.
#[utoipa::path(post, path = "/duts", operation_id = "create_dut", tag = "duts", request_body = DutItem,
    responses((status = 201, body = DutItem), (status = "4XX", body = Problem)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    Json(item): Json<DutItem>,
) -> ApiResult<(StatusCode, axum::Json<DutItem>)> {
    let place = item.place.as_ref().map(lab::slot_text);
    let texts = lab::texts_of(&racks::fields(item));
    let dut = app.store.take_dut_ids(1).await?;
    let entry = DutEntry { dut: Some(dut), place, texts, ..DutEntry::default() };
    lab::apply(&app, &InventoryDoc { dut: vec![entry], ..InventoryDoc::default() }, false).await?;
    Ok((StatusCode::CREATED, one(&app, DutId(dut)).await?))
}

async fn slot_of(app: &Shared, place: Option<SlotRef>) -> ApiResult<Option<SlotId>> {
    let Some(place) = place else { return Ok(None) };
    let slot = app.farm.read(move |view| names::slot(view.farm, &place)).await?;
    Ok(Some(slot.map_err(|problem| problem.at("/place"))?))
}

async fn one(app: &App, dut: DutId) -> ApiResult<axum::Json<DutItem>> {
    let book = Book::read(app).await?;
    let row = book.duts.get(&dut).ok_or_else(|| ApiError::not_found(format!("DUT {dut}")))?;
    Ok(axum::Json(item(&book, row)))
}

/// Puts a DUT into a slot, or on the shelf. Whatever sat in the slot goes on the shelf.
#[utoipa::path(put, path = "/duts/{dut}/place", operation_id = "place_dut", tag = "duts", params(("dut" = u64, Path,)),
    request_body = PlaceRequest, responses((status = 200, body = DutItem), (status = "4XX", body = Problem)))]
pub(crate) async fn place(
    State(app): State<Shared>,
    Path(dut): Path<u64>,
    Json(request): Json<PlaceRequest>,
) -> ApiResult<axum::Json<DutItem>> {
    let dut = DutId(dut);
    let _known = one(&app, dut).await?;
    let slot = slot_of(&app, request.place).await?;
    app.farm.step(Event::PlaceDut { dut, slot }).await?;
    one(&app, dut).await
}
