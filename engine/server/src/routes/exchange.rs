//! The one call of a running rack: what it reports goes in, what it should do comes out.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use headend_model::run::Incomplete;
use headend_model::{DutFields, DutId, Epoch, Outcome, RackId, RunId, SlotId, SlotNo, Timestamp};
use headend_scheduler::event::{Claim, Event, Heartbeat, RackReady};
use headend_scheduler::fence::EndReport;
use headend_scheduler::view::{RackView, SessionView};
use headend_wire::api::EventItem;
use headend_wire::rack::{Exchange, Orders, Ready, SessionOrder, SlotOut, StartOrder};
use headend_wire::{PROTOCOL, Problem, codes};

use crate::app::Shared;
use crate::auth::Rack;
use crate::clock::rfc3339;
use crate::crash::crash_point;
use crate::edge::ids;
use crate::farm_loop::View;
use crate::http::{ApiError, ApiResult, Json};
use crate::racks::{RackDesk, Word};

/// Longest wait for orders, in milliseconds.
const MAX_WAIT_MS: u64 = 30_000;
/// Most ends and most notes of one exchange.
const MOST: usize = 1_000;

/// Reports of a rack in, orders out.
#[utoipa::path(post, path = "/racks/exchange", operation_id = "rack_exchange", tag = "racks",
    request_body = Exchange, responses((status = 200, body = Orders),
        (status = 409, description = "Another process runs this rack.", body = Problem),
        (status = 426, description = "Another version of the exchange.", body = Problem)))]
pub(crate) async fn exchange(
    State(app): State<Shared>,
    rack: Rack,
    Json(exchange): Json<Exchange>,
) -> ApiResult<axum::Json<Orders>> {
    app.counters.exchanges.fetch_add(1, Ordering::Relaxed);
    check_form(&exchange)?;
    let desk = app.tell.board.desk(rack.rack);
    // Who may speak for the rack is decided and noted in one go.
    let guard = if exchange.ready.is_some() { Some(desk.ready.lock().await) } else { None };
    let life = life(&app, &rack, &exchange, &desk).await?;
    if life == Life::Unknown && exchange.ready.is_none() {
        return Ok(axum::Json(Orders { say_ready: true, ..Orders::default() }));
    }
    if exchange.ready.is_some() {
        desk.forget();
    }
    if !exchange.started.is_empty() {
        // The rack has it, and nothing of that is written here.
        crash_point("dispatch.after_send");
    }
    desk.saw(exchange.holds.iter().map(|claim| (claim.run, claim.attempt, Word::Start)));
    whisper(&app, &exchange);
    let mut orders = report(&app, &rack, &exchange, &desk).await?;
    log_words(&rack, &exchange);
    log_offers(&rack, &exchange, &orders);
    if let Some(ready) = &exchange.ready {
        desk.life.store(exchange.incarnation, Ordering::Release);
        place_builtins(&app, &rack, ready).await?;
    }
    drop(guard);
    if !exchange.ends.is_empty() {
        crash_point("result.before_ack");
    }
    if is_news(&orders, &exchange) {
        return Ok(axum::Json(orders));
    }
    wait_for_orders(&app, &rack, &exchange, &desk, &mut orders).await?;
    Ok(axum::Json(orders))
}

/// For whoever asks later why a run did not start: since when a process speaks for the rack, and what it refused.
fn log_words(rack: &Rack, exchange: &Exchange) {
    let (name, life) = (&rack.name, format!("{:016x}", exchange.incarnation));
    if let Some(ready) = &exchange.ready {
        tracing::info!(rack = %name, life, former_lives = ready.former.len(), "a rack is ready");
    }
    for no in &exchange.declined {
        tracing::info!(rack = %name, life, run = no.claim.run.0, reason = %shortened(&no.reason), "a run is refused");
    }
}

/// For the same: what was offered to which process.
fn log_offers(rack: &Rack, exchange: &Exchange, orders: &Orders) {
    for order in &orders.start {
        let life = format!("{:016x}", exchange.incarnation);
        tracing::debug!(rack = %rack.name, life, run = order.lease.run.0, "offered");
    }
}

fn check_form(exchange: &Exchange) -> ApiResult<()> {
    if exchange.protocol != PROTOCOL {
        let detail = format!("the rack speaks version {}, this server {PROTOCOL}", exchange.protocol);
        return Err(ApiError::new(&codes::VERSION, detail).at("/protocol"));
    }
    for (count, field) in [
        (exchange.ends.len(), "/ends"),
        (exchange.notes.len(), "/notes"),
        (exchange.started.len(), "/started"),
        (exchange.declined.len(), "/declined"),
        (exchange.holds.len(), "/holds"),
        (exchange.ready.as_ref().map_or(0, |ready| ready.former.len()), "/ready/former"),
        (exchange.beat.as_ref().map_or(0, |beat| beat.out.len()), "/beat/out"),
    ] {
        if count > MOST {
            return Err(ApiError::new(&codes::INVALID, format!("{count} items; at most {MOST} at once")).at(field));
        }
    }
    exchange.ready.as_ref().map_or(Ok(()), check_ready)
}

/// A rack that names a slot 0, or an epoch after which none comes, would have a slot that nobody can ever use.
fn check_ready(ready: &Ready) -> ApiResult<()> {
    if let Some(at) = ready.slots.iter().position(|slot| slot.no == 0) {
        let detail = "a slot has the number 0; slots are numbered from 1";
        return Err(ApiError::new(&codes::INVALID, detail).at(format!("/ready/slots/{at}/no")));
    }
    let of_slots = ready.slots.iter().map(|slot| slot.epoch).zip(0_usize..).map(|(epoch, at)| (epoch, "slots", at));
    let of_duts =
        ready.dut_epochs.iter().map(|(_, epoch)| *epoch).zip(0..).map(|(epoch, at)| (epoch, "dut_epochs", at));
    if let Some((epoch, list, at)) = of_slots.chain(of_duts).find(|(epoch, ..)| *epoch > ids::LARGEST) {
        let detail =
            format!("epoch {epoch} was never given out; the rack's journal is damaged, give it a new data folder");
        return Err(ApiError::new(&codes::INVALID, detail).at(format!("/ready/{list}/{at}")));
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The one that the farm talks to.
    Known,
    /// No other one is alive: this one may say ready.
    Unknown,
}

/// Whether this process is the one that speaks for the rack.
async fn life(app: &Shared, rack: &Rack, exchange: &Exchange, desk: &RackDesk) -> ApiResult<Life> {
    let (id, incarnation) = (rack.rack, exchange.incarnation);
    // Another life can only begin by a `ready` that passes here, so what is noted stays true until then.
    if exchange.ready.is_none() && incarnation != 0 && desk.life.load(Ordering::Acquire) == incarnation {
        return Ok(Life::Known);
    }
    let now = app.clock.now();
    let (known, last_seen, term) = app
        .farm
        .read(move |view| {
            let seen = view.farm.racks().iter().find(|found| found.rack == id).and_then(|found| found.last_seen);
            (view.farm.incarnation(id), seen, view.farm.config().lease.heartbeat.times(3))
        })
        .await?;
    match known {
        Some(known) if known == incarnation => {
            desk.life.store(incarnation, Ordering::Release);
            Ok(Life::Known)
        }
        // Nobody has spoken for the rack since this server started: racks and server may have gone down together.
        Some(_) if desk.life.load(Ordering::Acquire) == 0 => Ok(Life::Unknown),
        Some(known) if last_seen.is_some_and(|seen| now < seen + term) => {
            let seen = last_seen.map(rfc3339).unwrap_or_default();
            Err(ApiError::new(
                &codes::RACK_TAKEN,
                format!(
                    "rack {} is run by process {known:016x}, last heard of at {seen}; this is process \
                     {incarnation:016x}: stop one of them, or wait until the other has been silent for {term}",
                    rack.name
                ),
            ))
        }
        _ => Ok(Life::Unknown),
    }
}

/// Feeds in what the rack says, in the order in which it happened, and draws up the orders once that is durable.
async fn report(app: &Shared, rack: &Rack, exchange: &Exchange, desk: &std::sync::Arc<RackDesk>) -> ApiResult<Orders> {
    let id = rack.rack;
    let ends = with_reasons(app, id, exchange).await?;
    let events = events_of(id, exchange, ends);
    let acknowledged = exchange.ends.iter().map(|end| end.seq).max();
    let (holds, incarnation) = (exchange.holds.clone(), exchange.incarnation);
    let (beat, ready) = (exchange.beat.is_some(), exchange.ready.is_some());
    let (desk, limit) = (desk.clone(), app.options.default_time_limit);
    let draw_up = move |_, view: &View<'_>| {
        let mut orders = orders(view, id, &holds, &desk, limit);
        orders.acknowledged = acknowledged;
        orders.renewed = (beat || ready) && view.farm.incarnation(id) == Some(incarnation);
        if ready {
            introduce(view, id, &mut orders);
        }
        orders
    };
    Ok(app.farm.apply(events, draw_up).await?)
}

/// The ends that a rack reports. It knows only that a script is not there; here it is known who took it away.
async fn with_reasons(app: &Shared, rack: RackId, exchange: &Exchange) -> ApiResult<Vec<EndReport>> {
    let mut ends = exchange.ends.clone();
    let missing = Outcome::Incomplete(Incomplete::ScriptMissing);
    for end in ends.iter_mut().filter(|end| end.outcome == missing) {
        let run = end.claim.run;
        let script = app.farm.read(move |view| {
            let granted = view.farm.leases_on(rack).into_iter().find(|granted| granted.run == run)?;
            let job = view.farm.job(granted.lease.job)?;
            let test = job.spec.tests.get(granted.test.0 as usize)?;
            Some(((!test.public).then(|| job.spec.owner.clone()), test.script.clone()))
        });
        if let Some((area, script)) = script.await? {
            end.outcome = Outcome::Incomplete(app.areas.why_missing(&area, &script).await?);
        }
    }
    Ok(ends)
}

fn events_of(rack: RackId, exchange: &Exchange, ends: Vec<EndReport>) -> Vec<Event> {
    let started = exchange.started.iter().map(|claim| Event::RunStarted { rack, claim: *claim });
    let ends = ends.into_iter().map(|end| Event::RunEnded {
        rack,
        claim: end.claim,
        outcome: end.outcome,
        unkillable: end.unkillable,
    });
    let declines =
        exchange.declined.iter().map(|no| Event::NotStarted { rack, claim: no.claim, reason: shortened(&no.reason) });
    let not_taking = exchange.beat.as_ref().and_then(|beat| beat.not_taking.as_deref()).map(shortened);
    let out: Vec<(SlotNo, String)> = exchange.beat.iter().flat_map(|beat| &beat.out).map(out_of).collect();
    // Ends of a former life come before `ready`, which would count them as lost with the rack.
    let ready = exchange.ready.iter().map(|ready| {
        let (not_taking, out) = (not_taking.clone(), out.clone());
        RackReady { not_taking, out, ..ready_of(rack, exchange.incarnation, ready) }
    });
    let ready = ready.map(Event::RackReady);
    // Right behind `ready`, which ends what the rack's journal knows of its former lives.
    let goes_on = exchange.ready.iter().filter(|ready| !ready.former.is_empty()).map(|ready| Event::RackContinues {
        rack,
        incarnation: exchange.incarnation,
        former: ready.former.clone(),
    });
    let beat = exchange.beat.iter().map(|beat| {
        Event::Heartbeat(Heartbeat {
            rack,
            incarnation: exchange.incarnation,
            cpu_percent: beat.cpu_percent.min(100),
            holds: exchange.holds.clone(),
            not_taking: not_taking.clone(),
            out: out.clone(),
        })
    });
    started.chain(ends).chain(declines).chain(ready).chain(goes_on).chain(beat).collect()
}

/// A rack's words for people, of a length that people read.
fn shortened(text: &str) -> String {
    text.chars().take(500).collect()
}

fn out_of(out: &SlotOut) -> (SlotNo, String) {
    (SlotNo(out.no), shortened(&out.reason))
}

/// Without what it cannot take: that stands beside it.
fn ready_of(rack: RackId, incarnation: u64, ready: &Ready) -> RackReady {
    RackReady {
        rack,
        incarnation,
        slots: ready.slots.iter().map(|slot| (SlotNo(slot.no), Epoch(slot.epoch))).collect(),
        dut_epochs: ready.dut_epochs.iter().map(|(dut, epoch)| (DutId(*dut), Epoch(*epoch))).collect(),
        not_taking: None,
        out: Vec::new(),
    }
}

fn introduce(view: &View<'_>, rack: RackId, orders: &mut Orders) {
    orders.terms = Some(view.farm.config().lease);
    orders.rack = Some(rack);
    orders.slots = slots_of(view, rack).into_iter().map(|(id, no)| (id.0, no.0)).collect();
}

fn slots_of(view: &View<'_>, rack: RackId) -> Vec<(SlotId, SlotNo)> {
    let racks = view.farm.racks();
    let found: Option<&RackView<'_>> = racks.iter().find(|found| found.rack == rack);
    found.map(|rack| rack.slots.iter().map(|slot| (slot.slot, slot.no)).collect()).unwrap_or_default()
}

/// What the rack should hold besides what it holds, and what it should stop.
fn orders(view: &View<'_>, rack: RackId, holds: &[Claim], desk: &RackDesk, default_limit: Duration) -> Orders {
    let leases = view.farm.leases_on(rack);
    let held: HashSet<RunId> = holds.iter().map(|claim| claim.run).collect();
    let live: HashSet<RunId> = leases.iter().map(|granted| granted.run).collect();
    desk.keep(|run| live.contains(&run));
    let heartbeat = u64::try_from(view.farm.config().lease.heartbeat.as_micros()).unwrap_or(1_000_000);
    let patience = Duration::from_micros(heartbeat.saturating_mul(3));
    let mut orders = Orders::default();
    for granted in &leases {
        let (run, attempt) = (granted.run, granted.lease.attempt);
        let lacks = !held.contains(&run);
        if granted.stopping {
            orders.stop.push(run);
            // An offer of it may be under way: only the rack can say that it will never start.
            if lacks && !granted.confirmed && desk.offer((run, attempt, Word::Refuse), patience) {
                orders.refuse.push(granted.lease.clone());
            }
        } else if lacks && desk.offer((run, attempt, Word::Start), patience) {
            match &granted.session {
                Some(session) => orders.sessions.push(session_order(granted, session)),
                None => orders.start.extend(start_order(view, granted, default_limit)),
            }
        }
    }
    // What it holds without a lease was given up here: nobody waits for it any more.
    orders.stop.extend(held.iter().filter(|run| !live.contains(run)));
    orders
}

fn session_order(granted: &headend_scheduler::farm::Granted<'_>, session: &SessionView<'_>) -> SessionOrder {
    let (reservation, user) = (session.reservation.0, session.user.to_string());
    SessionOrder { lease: granted.lease.clone(), reservation, user }
}

fn start_order(view: &View<'_>, granted: &headend_scheduler::farm::Granted<'_>, limit: Duration) -> Option<StartOrder> {
    let job = view.farm.job(granted.lease.job)?;
    let test = job.spec.tests.get(granted.test.0 as usize)?;
    let pin = view.pins.get(&granted.run)?;
    let limit_ms = test.time_limit.map_or(limit.as_millis() as u64, |limit| limit.as_millis().max(0) as u64);
    Some(StartOrder {
        lease: granted.lease.clone(),
        priority: job.spec.priority,
        script: test.script.to_string(),
        public: test.public,
        args: test.args.clone(),
        time_limit_ms: limit_ms,
        public_tree: pin.public_tree.clone(),
        private_tree: pin.private_tree.clone(),
        job: granted.lease.job,
        job_name: job.spec.name.clone(),
        owner: job.spec.owner.to_string(),
    })
}

fn is_news(orders: &Orders, exchange: &Exchange) -> bool {
    let answers = exchange.ready.is_some() || exchange.beat.is_some() || !exchange.ends.is_empty();
    exchange.wait_ms == 0 || answers || is_worth_waking(orders, exchange)
}

fn is_worth_waking(orders: &Orders, exchange: &Exchange) -> bool {
    !orders.start.is_empty()
        || !orders.sessions.is_empty()
        || !orders.refuse.is_empty()
        || !new_stops(orders, exchange).is_empty()
}

/// Stops of runs that the rack says it holds and is not stopping yet. A stop of another one is no news: the rack has nothing to do
/// about it.
fn new_stops<'a>(orders: &'a Orders, exchange: &Exchange) -> Vec<&'a RunId> {
    let holds = |run: &RunId| exchange.holds.iter().any(|claim| claim.run == *run);
    orders.stop.iter().filter(|run| holds(run) && !exchange.stopping.contains(run)).collect()
}

async fn wait_for_orders(
    app: &Shared,
    rack: &Rack,
    exchange: &Exchange,
    desk: &std::sync::Arc<RackDesk>,
    orders_out: &mut Orders,
) -> ApiResult<()> {
    let wait = Duration::from_millis(exchange.wait_ms.min(MAX_WAIT_MS));
    let until = tokio::time::Instant::now() + wait;
    let id = rack.rack;
    loop {
        let news = desk.news.notified();
        tokio::pin!(news);
        // From here on nothing is missed: first listen, then look.
        news.as_mut().enable();
        let (holds, limit, desk) = (exchange.holds.clone(), app.options.default_time_limit, desk.clone());
        let found = app.farm.read(move |view| orders(view, id, &holds, &desk, limit)).await?;
        if is_worth_waking(&found, exchange) {
            log_offers(rack, exchange, &found);
            (orders_out.start, orders_out.stop, orders_out.refuse) = (found.start, found.stop, found.refuse);
            orders_out.sessions = found.sessions;
            return Ok(());
        }
        // An offer that got lost is made again without anybody ringing.
        let look_again = (tokio::time::Instant::now() + Duration::from_secs(1)).min(until);
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep_until(look_again) => if look_again >= until { return Ok(()) },
            () = app.stop.cancelled() => return Ok(()),
        }
    }
}

/// Lines of running scripts, for whoever watches right now.
fn whisper(app: &Shared, exchange: &Exchange) {
    for note in &exchange.notes {
        app.tell.bus.whisper(EventItem {
            number: 0,
            at: rfc3339(note.at),
            kind: "note".to_owned(),
            job: None,
            run: Some(note.run.0),
            text: note.text.chars().take(4_000).collect(),
            data: serde_json::json!({}),
        });
    }
}

/// Boxes that a driver brings along become DUTs when they are seen for the first time. Later they are where people put them.
async fn place_builtins(app: &Shared, rack: &Rack, ready: &Ready) -> ApiResult<()> {
    if ready.slots.iter().all(|slot| slot.builtin_dut.is_none()) {
        return Ok(());
    }
    let known: BTreeSet<String> = app.store.duts().await?.into_iter().map(|row| row.fields.serial_number).collect();
    let id = rack.rack;
    let slots = app.farm.read(move |view| slots_of(view, id)).await?;
    let now: Timestamp = app.clock.now();
    let mut events = Vec::new();
    for slot in &ready.slots {
        let Some(name) = &slot.builtin_dut else { continue };
        let serial = format!("{}/{}/{}", rack.name, slot.no, name);
        let place = slots.iter().find(|(_, no)| no.0 == slot.no).map(|(slot, _)| *slot);
        if !known.contains(&serial) {
            let fields = DutFields {
                name: name.chars().take(100).collect(),
                serial_number: serial,
                model_name: slot.driver.chars().take(100).collect(),
                ..DutFields::default()
            };
            let dut = app.store.create_dut(fields, now).await?;
            events.push(Event::PlaceDut { dut, slot: place });
        }
    }
    if !events.is_empty() {
        app.farm.apply(events, |_, _| ()).await?;
    }
    Ok(())
}

/// The trees of all runs that are leased on a rack.
pub(crate) fn pinned_trees(view: &View<'_>, rack: RackId) -> BTreeSet<String> {
    let leases = view.farm.leases_on(rack);
    let pins = leases.iter().filter_map(|granted| view.pins.get(&granted.run));
    pins.flat_map(|pin| [Some(pin.public_tree.clone()), pin.private_tree.clone()]).flatten().collect()
}
