//! Racks and slots as the lab sees them; enrolment.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path, State};
use headend_model::{DutId, RackName, Span, Timestamp};
use headend_scheduler::action::Action;
use headend_scheduler::event::Event;
use headend_wire::api::{DrainRequest, EnrolToken, RackItem, RackList, SlotRef};
use headend_wire::rack::{Enrol, Enrolled};
use headend_wire::{PROTOCOL, Problem, codes};
use http::StatusCode;
use http::request::Parts;

use crate::app::Shared;
use crate::auth::gate::bearer;
use crate::auth::tokens::Secret;
use crate::auth::{Person, Rack};
use crate::clock::{rfc3339, wall_now};
use crate::edge::names;
use crate::http::{ApiError, ApiResult, Json};
use crate::show;

/// How long a one-use token is good for.
const ENROL_TERM: Span = Span::seconds(3_600);

/// All racks with their slots.
#[utoipa::path(get, path = "/racks", operation_id = "list_racks", tag = "racks",
    responses((status = 200, body = RackList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<RackList>> {
    let names = dut_names(&app).await?;
    let racks = app.farm.read(move |view| show::racks::racks(view.farm, &names)).await?;
    Ok(axum::Json(RackList { racks }))
}

async fn dut_names(app: &Shared) -> ApiResult<BTreeMap<DutId, String>> {
    Ok(app.store.duts().await?.into_iter().map(|row| (row.dut, row.fields.name)).collect())
}

async fn one_rack(app: &Shared, name: String) -> ApiResult<axum::Json<RackItem>> {
    let names = dut_names(app).await?;
    let racks = app.farm.read(move |view| show::racks::racks(view.farm, &names)).await?;
    let found = racks.into_iter().find(|rack| rack.rack == name);
    found.map(axum::Json).ok_or_else(|| ApiError::not_found(format!("rack {name}")))
}

/// Gives a rack no new runs, or gives it some again.
#[utoipa::path(post, path = "/racks/{rack}/drain", operation_id = "drain_rack", tag = "racks",
    params(("rack" = String, Path, description = "Its name")), request_body = DrainRequest,
    responses((status = 200, body = RackItem), (status = "4XX", body = Problem)))]
pub(crate) async fn drain(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Json(request): Json<DrainRequest>,
) -> ApiResult<axum::Json<RackItem>> {
    let wanted = name.clone();
    let rack = app.farm.read(move |view| names::rack(view.farm, &wanted)).await??;
    app.farm.step(Event::Drain { rack, on: request.on }).await?;
    one_rack(&app, name).await
}

/// Takes a slot out of quarantine: somebody has looked, and nothing drives it.
#[utoipa::path(post, path = "/racks/{rack}/slots/{slot}/clear", operation_id = "clear_slot", tag = "racks",
    params(("rack" = String, Path, description = "Name of the rack"), ("slot" = u16, Path, description = "Number in it")),
    responses((status = 200, body = RackItem), (status = "4XX", body = Problem)))]
pub(crate) async fn clear(
    State(app): State<Shared>,
    Path((name, slot)): Path<(String, u16)>,
) -> ApiResult<axum::Json<RackItem>> {
    let wanted = SlotRef { rack: name.clone(), slot };
    let slot = app.farm.read(move |view| names::slot(view.farm, &wanted)).await??;
    app.farm.step(Event::ClearQuarantine { slot }).await?;
    one_rack(&app, name).await
}

/// Makes a one-use token with which a rack can enrol within the hour.
#[utoipa::path(post, path = "/racks/tokens", operation_id = "make_enrol_token", tag = "racks",
    responses((status = 201, body = EnrolToken), (status = "4XX", body = Problem)))]
pub(crate) async fn token(State(app): State<Shared>) -> ApiResult<(StatusCode, axum::Json<EnrolToken>)> {
    let (token, expires) = new_enrol_token(&app).await?;
    let answer = EnrolToken { token: token.reveal().to_owned(), expires: rfc3339(expires) };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}

/// A one-use token and when it becomes void.
///
/// # Errors
/// When it cannot be made or stored.
pub(crate) async fn new_enrol_token(app: &Shared) -> ApiResult<(Secret, Timestamp)> {
    let token = Secret::new("enrol").map_err(|error| ApiError::internal("no randomness", &error))?;
    let expires = wall_now() + ENROL_TERM;
    app.tokens.add_enrol(&token, expires).await?;
    Ok((token, expires))
}

/// Makes a rack known. The bearer is a one-use token; the answer holds the rack's own.
#[utoipa::path(post, path = "/racks/enrol", operation_id = "enrol_rack", tag = "racks",
    request_body = Enrol, responses((status = 201, body = Enrolled),
        (status = 401, body = Problem), (status = 409, body = Problem), (status = 426, body = Problem)))]
pub(crate) async fn enrol(
    State(app): State<Shared>,
    // Before the body: nobody without a token has one read.
    Once(once): Once,
    Json(request): Json<Enrol>,
) -> ApiResult<(StatusCode, axum::Json<Enrolled>)> {
    if request.protocol != PROTOCOL {
        let detail = format!("the rack speaks version {}, this server {PROTOCOL}", request.protocol);
        return Err(ApiError::new(&codes::VERSION, detail).at("/protocol"));
    }
    let name =
        RackName::new(request.name).map_err(|error| ApiError::new(&codes::INVALID, error.to_string()).at("/name"))?;
    let unknown = || void("the enrolment token is unknown, used up or expired");
    // Before anything is told of the racks; it is used up only when nothing stands against the enrolment.
    if !app.store.knows_enrol_token(&once.hash(), wall_now()).await? {
        return Err(unknown());
    }
    refuse_if_alive(&app, &name).await?;
    if !app.store.redeem_enrol_token(&once.hash(), wall_now()).await? {
        return Err(unknown());
    }
    let rack = enrolled(&app, &name).await?;
    let token = Secret::new("rack").map_err(|error| ApiError::internal("no randomness", &error))?;
    app.tokens.add_rack(&token, &rack, app.clock.now()).await?;
    let answer = Enrolled { rack: rack.rack, token: token.reveal().to_owned() };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}

/// The one-use token of a request. Whether it is good is seen when it is redeemed.
pub(crate) struct Once(Secret);

impl FromRequestParts<Shared> for Once {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> ApiResult<Self> {
        bearer(&parts.headers)?.map(Self).ok_or_else(|| void("no token was given"))
    }
}

fn void(what: &str) -> ApiError {
    ApiError::new(&codes::UNAUTHENTICATED, format!("{what}; make one with `headend racks token` or POST /racks/tokens"))
}

/// A new token voids the old one, which a rack at work needs.
async fn refuse_if_alive(app: &Shared, name: &RackName) -> ApiResult<()> {
    let wanted = name.clone();
    let alive =
        app.farm.read(move |view| view.farm.racks().iter().any(|rack| *rack.name == wanted && rack.online)).await?;
    if alive {
        let detail = format!("rack {name} is online; stop it first, or enrol this one under another name");
        return Err(ApiError::new(&codes::RACK_TAKEN, detail).at("/name"));
    }
    Ok(())
}

async fn enrolled(app: &Shared, name: &RackName) -> ApiResult<Rack> {
    let actions = app.farm.step(Event::EnrolRack { name: name.clone() }).await?;
    let id = actions.iter().find_map(|action| match action {
        Action::RackEnrolled { rack, .. } => Some(*rack),
        _ => None,
    });
    let rack = id.ok_or_else(|| ApiError::new(&codes::INTERNAL, "the scheduler gave the rack no id"))?;
    Ok(Rack { rack, name: name.clone() })
}
