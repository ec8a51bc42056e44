//! DUTs: which there are, and where.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use headend_model::{DutId, SlotId};
use headend_scheduler::event::Event;
use headend_wire::api::{DutItem, DutList, PlaceRequest, SlotRef};
use headend_wire::{Problem, codes};
use http::StatusCode;

use crate::app::Shared;
use crate::auth::Person;
use crate::edge::names;
use crate::http::{ApiError, ApiResult, Json};
use crate::show::racks;

/// Longest text of a field, in characters.
const MAX_TEXT: usize = 500;

/// All DUTs.
#[utoipa::path(get, path = "/duts", operation_id = "list_duts", tag = "duts",
    responses((status = 200, body = DutList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<DutList>> {
    let places = app.farm.read(|view| places(view.farm)).await?;
    let rows = app.store.duts().await?.into_iter();
    let duts = rows.map(|row| {
        let place = places.get(&row.dut).cloned();
        racks::dut(row, place)
    });
    Ok(axum::Json(DutList { duts: duts.collect() }))
}

fn places(farm: &headend_scheduler::Farm) -> BTreeMap<DutId, SlotRef> {
    let duts = farm.inventory().duts.keys();
    duts.filter_map(|dut| Some((*dut, racks::place_of(farm, *dut)?))).collect()
}

/// Takes a new DUT in; its id is given here.
#[utoipa::path(post, path = "/duts", operation_id = "create_dut", tag = "duts", request_body = DutItem,
    responses((status = 201, body = DutItem), (status = "4XX", body = Problem)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    Json(item): Json<DutItem>,
) -> ApiResult<(StatusCode, axum::Json<DutItem>)> {
    let place = item.place.clone();
    let fields = racks::fields(item);
    check_texts(&fields)?;
    let slot = slot_of(&app, place).await?;
    let dut = app.store.create_dut(fields, app.clock.now()).await?;
    app.farm.step(Event::PlaceDut { dut, slot }).await?;
    Ok((StatusCode::CREATED, one(&app, dut).await?))
}

fn check_texts(fields: &headend_model::DutFields) -> ApiResult<()> {
    let value = serde_json::to_value(fields).map_err(|error| ApiError::internal("a DUT cannot be read", &error))?;
    for (name, text) in value.as_object().into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
            let detail = format!("{name} is longer than {MAX_TEXT} characters or has a control character");
            return Err(ApiError::new(&codes::INVALID, detail).at(format!("/{name}")));
        }
    }
    if fields.name.trim().is_empty() {
        return Err(ApiError::new(&codes::INVALID, "the DUT has no name; give it one").at("/name"));
    }
    Ok(())
}

async fn slot_of(app: &Shared, place: Option<SlotRef>) -> ApiResult<Option<SlotId>> {
    let Some(place) = place else { return Ok(None) };
    let slot = app.farm.read(move |view| names::slot(view.farm, &place)).await?;
    Ok(Some(slot.map_err(|problem| problem.at("/place"))?))
}

async fn one(app: &Shared, dut: DutId) -> ApiResult<axum::Json<DutItem>> {
    let place = app.farm.read(move |view| racks::place_of(view.farm, dut)).await?;
    let row = app.store.dut(dut).await?.ok_or_else(|| ApiError::not_found(format!("DUT {dut}")))?;
    Ok(axum::Json(racks::dut(row, place)))
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
