//! Slots that people have for a while (design 0026).

use axum::extract::{Path, State};
use headend_model::{ReservationId, Span};
use headend_scheduler::event::Event;
use headend_scheduler::{Action, ReservationAction, ReservationCommand};
use headend_wire::api::{ExtendRequest, KickRequest, ReservationItem, ReservationList, ReservationRequest};
use headend_wire::{Problem, codes};
use http::StatusCode;

use crate::app::Shared;
use crate::auth::Person;
use crate::edge::names;
use crate::farm_loop::View;
use crate::http::{ApiError, ApiResult, Json};
use crate::show;

/// Longest note or reason, in characters.
const LONGEST_TEXT: usize = 200;

/// All that are reserved, by whom and until when.
#[utoipa::path(get, path = "/reservations", operation_id = "list_reservations", tag = "racks",
    responses((status = 200, body = ReservationList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<ReservationList>> {
    let look = |view: &View<'_>| {
        let all = view.farm.reservations();
        all.iter().filter_map(|one| show::reservations::item(view.farm, one)).collect()
    };
    Ok(axum::Json(ReservationList { reservations: app.farm.read(look).await? }))
}

/// Reserves a free slot from now on. Jobs wait meanwhile.
#[utoipa::path(post, path = "/reservations", operation_id = "reserve_slot", tag = "racks", request_body = ReservationRequest,
    responses((status = 201, body = ReservationItem),
        (status = 409, description = "Somebody has the slot; the detail says who, and until when.", body = Problem),
        (status = "4XX", body = Problem)))]
pub(crate) async fn reserve(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<ReservationRequest>,
) -> ApiResult<(StatusCode, axum::Json<ReservationItem>)> {
    let note = checked(request.note, "/note")?;
    let length = Span::seconds(i64::from(request.seconds));
    let slot = app.farm.read(move |view| names::slot(view.farm, &request.slot)).await?;
    let slot = slot.map_err(|problem| problem.at("/slot"))?;
    let command = ReservationCommand::Reserve { slot, length, note };
    Ok((StatusCode::CREATED, axum::Json(changed(&app, &person, command).await?)))
}

/// Makes a reservation last longer.
#[utoipa::path(post, path = "/reservations/{reservation}/extend", operation_id = "extend_reservation", tag = "racks",
    params(("reservation" = u64, Path,)), request_body = ExtendRequest,
    responses((status = 200, body = ReservationItem), (status = "4XX", body = Problem)))]
pub(crate) async fn extend(
    State(app): State<Shared>,
    person: Person,
    Path(reservation): Path<u64>,
    Json(request): Json<ExtendRequest>,
) -> ApiResult<axum::Json<ReservationItem>> {
    let reservation = of(&app, &person, reservation).await?;
    let by = Span::seconds(i64::from(request.seconds));
    changed(&app, &person, ReservationCommand::Extend { reservation, by }).await.map(axum::Json)
}

/// Gives a slot back. A session that is open on it ends.
#[utoipa::path(post, path = "/reservations/{reservation}/release", operation_id = "release_reservation", tag = "racks",
    params(("reservation" = u64, Path,)), responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn release(
    State(app): State<Shared>,
    person: Person,
    Path(reservation): Path<u64>,
) -> ApiResult<StatusCode> {
    let reservation = of(&app, &person, reservation).await?;
    step(&app, &person, ReservationCommand::Release { reservation }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a slot away from whoever has it. A session that is open on it ends.
#[utoipa::path(post, path = "/reservations/{reservation}/kick", operation_id = "kick_reservation", tag = "racks",
    params(("reservation" = u64, Path,)), request_body = KickRequest,
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn kick(
    State(app): State<Shared>,
    person: Person,
    Path(reservation): Path<u64>,
    Json(request): Json<KickRequest>,
) -> ApiResult<StatusCode> {
    let reason = checked(request.reason, "/reason")?;
    let reservation = of(&app, &person, reservation).await?;
    step(&app, &person, ReservationCommand::Kick { reservation, reason }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A line for people.
fn checked(text: String, field: &str) -> ApiResult<String> {
    if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
        let detail = format!("it is longer than {LONGEST_TEXT} characters or has control characters; write one line");
        return Err(ApiError::new(&codes::INVALID, detail).at(field));
    }
    Ok(text)
}

/// A reservation that the person may change. Another's is as if it were not there.
///
/// # Errors
/// `not_found`.
pub(super) async fn of(app: &Shared, person: &Person, number: u64) -> ApiResult<ReservationId> {
    let id = ReservationId(number);
    let found = app.farm.read(move |view| view.farm.reservation(id)).await?;
    let own = found.filter(|view| person.may_see(&view.user));
    own.map(|view| view.reservation).ok_or_else(|| ApiError::not_found(format!("reservation {number}")))
}

async fn changed(app: &Shared, person: &Person, command: ReservationCommand) -> ApiResult<ReservationItem> {
    let news = step(app, person, command).await?;
    let Some(ReservationAction::Made { reservation: id, .. } | ReservationAction::Extended { reservation: id, .. }) =
        news
    else {
        return Err(ApiError::new(&codes::INTERNAL, "the scheduler gave no answer to the reservation"));
    };
    let look = move |view: &View<'_>| {
        let found = view.farm.reservation(id)?;
        show::reservations::item(view.farm, &found)
    };
    app.farm.read(look).await?.ok_or_else(|| ApiError::not_found(format!("reservation {id}")))
}

/// What the farm says to a command.
///
/// # Errors
/// When it refuses.
pub(super) async fn step(
    app: &Shared,
    person: &Person,
    command: ReservationCommand,
) -> ApiResult<Option<ReservationAction>> {
    let event = Event::Reservation { by: person.user.clone(), command };
    let now = app.clock.now();
    let answer = move |stepped: Vec<Vec<Action>>, view: &View<'_>| {
        let news = stepped.into_iter().flatten().find_map(|action| match action {
            Action::Reservation(news) => Some(*news),
            _ => None,
        });
        match news {
            Some(ReservationAction::Refused(refusal)) => Err(show::reservations::refusal(view.farm, now, &refusal)),
            news => Ok(news),
        }
    };
    app.farm.apply(vec![event], answer).await?
}
