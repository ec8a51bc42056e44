//! Sessions of persons on what they have reserved: the two ends of a stream, one asked for by the person, one by the rack.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use headend_model::{ReservationId, RunId};
use headend_scheduler::{Event, ReservationAction, ReservationCommand};
use headend_wire::{Problem, codes, relay};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;

use super::reservations;
use crate::app::Shared;
use crate::auth::{Person, Rack};
use crate::http::{ApiError, ApiResult};
use crate::relays;

/// How long the rack may take to come for a session.
const RACK_COMES: Duration = Duration::from_secs(20);

/// Opens a session on a reserved slot: the connection is upgraded to a stream of calls and answers between the person's side and the rack.
#[utoipa::path(get, path = "/reservations/{reservation}/session", operation_id = "open_session", tag = "racks",
    params(("reservation" = u64, Path,)),
    responses((status = 101, description = "The stream begins; the rack speaks first."),
        (status = 409, description = "A session is open already, or the slot cannot be driven now.", body = Problem),
        (status = 503, description = "The rack did not come.", body = Problem),
        (status = "4XX", body = Problem)))]
pub(crate) async fn open(
    State(app): State<Shared>,
    person: Person,
    Path(reservation): Path<u64>,
    mut request: Request,
) -> ApiResult<Response> {
    let id = reservations::of(&app, &person, reservation).await?;
    let mine = wanted(&mut request)?;
    let begun = reservations::step(&app, &person, ReservationCommand::Open { reservation: id }).await?;
    let Some(ReservationAction::SessionBegun { lease, .. }) = begun else {
        return Err(ApiError::new(&codes::INTERNAL, "the scheduler gave no answer to the session"));
    };
    let (ready, joined) = oneshot::channel();
    // A task of the server's own: a person who goes away meanwhile leaves no session behind.
    app.relays.spawn(relay(app.clone(), (id, lease.run), person, mine, ready));
    match joined.await {
        Ok(()) => Ok(switching()),
        Err(_) => Err(ApiError::new(&codes::UNAVAILABLE, "the rack of the slot did not come for the session")),
    }
}

/// The rack's end of a session whose lease it has taken.
#[utoipa::path(get, path = "/sessions/{run}/rack", operation_id = "take_session", tag = "racks",
    params(("run" = u64, Path, description = "The session, as its lease names it")),
    responses((status = 101, description = "The stream begins; the rack speaks first."), (status = "4XX", body = Problem)))]
pub(crate) async fn take(
    State(app): State<Shared>,
    rack: Rack,
    Path(run): Path<u64>,
    mut request: Request,
) -> ApiResult<Response> {
    let live: Vec<RunId> =
        app.farm.read(|view| view.farm.reservations().into_iter().filter_map(|one| one.session).collect()).await?;
    let (id, run) = (rack.rack, RunId(run));
    let leased = app.farm.read(move |view| {
        view.farm
            .leases_on(id)
            .iter()
            .any(|granted| granted.run == run && granted.session.is_some() && !granted.stopping)
    });
    if !leased.await? {
        return Err(ApiError::not_found(format!("session {run}")));
    }
    let mine = wanted(&mut request)?;
    app.relays.rack_is_here(run, mine, |run| live.contains(&run));
    Ok(switching())
}

/// The request's connection, which is to become a stream.
fn wanted(request: &mut Request) -> ApiResult<OnUpgrade> {
    if !asks(request.headers()) {
        let detail = format!("this address is a stream; send `Connection: upgrade` and `Upgrade: {}`", relay::UPGRADE);
        return Err(ApiError::new(&codes::BAD_REQUEST, detail));
    }
    Ok(hyper::upgrade::on(request))
}

fn asks(headers: &HeaderMap) -> bool {
    let has = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    has(CONNECTION, "upgrade") && has(UPGRADE, relay::UPGRADE)
}

fn switching() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, http::HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, http::HeaderValue::from_static(relay::UPGRADE));
    response
}

/// Waits for the rack, tells the person's request, and joins the two until one of them ends.
async fn relay(
    app: Shared,
    (reservation, session): (ReservationId, RunId),
    person: Person,
    mine: OnUpgrade,
    ready: oneshot::Sender<()>,
) {
    let rack = tokio::select! {
        rack = app.relays.rack_of(session, RACK_COMES) => rack,
        () = app.stop.cancelled() => return,
    };
    if let Some(rack) = rack
        && ready.send(()).is_ok()
        && let Err(error) = relays::join(mine, rack, app.stop.clone()).await
    {
        tracing::debug!(%error, session = session.0, "a session's stream has ended");
    }
    // A rack that has not noticed is told; for one that has, there is nothing left to close.
    let command = ReservationCommand::Close { reservation, session };
    if let Err(error) = app.farm.step(Event::Reservation { by: person.user, command }).await {
        tracing::debug!(%error, session = session.0, "a session was not closed");
    }
}
