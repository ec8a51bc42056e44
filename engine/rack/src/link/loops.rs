//! The two loops of the link.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use headend_wire::PROTOCOL;
use headend_wire::rack::{Beat, Exchange, Orders, Ready, ReadySlot, SlotOut};
use rand::RngExt;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::{Client, LinkError};
use crate::clock::boot_now;
use crate::core::{Answer, Msg, Report, Shared};
use crate::cpu::CpuGauge;
use crate::crash;
use headend_model::{RunId, SlotId, Timestamp};

/// First pause when the server is away; doubled up to [`LONGEST_PAUSE`], each with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause when the server is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pause after an answer that brought nothing new and was not waited for: a server must not be asked in a tight loop.
const BREATH: Duration = Duration::from_millis(100);

/// What both loops stand on.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Client,
    pub(crate) core: Sender<Msg>,
    pub(crate) cpu: Arc<CpuGauge>,
    /// The server has taken this life's `ready`.
    pub(crate) known: watch::Sender<bool>,
    /// No more requests.
    pub(crate) stop: CancellationToken,
}

/// Pauses that grow while the server is away.
#[derive(Debug)]
struct Pause(Duration);

impl Pause {
    fn reset(&mut self) {
        self.0 = FIRST_PAUSE;
    }

    /// Between half of the pause and all of it, so that many racks do not come back at once.
    fn next(&mut self, longest: Duration) -> Duration {
        let now = self.0.min(longest);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        now.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

impl Link {
    fn exchange(&self, report: &Report) -> Exchange {
        Exchange {
            protocol: PROTOCOL,
            incarnation: self.shared.incarnation,
            ready: None,
            beat: None,
            started: report.started.clone(),
            declined: report.declined.clone(),
            ends: report.ends.clone(),
            notes: report.notes.clone(),
            holds: report.held.clone(),
            stopping: Vec::new(),
            wait_ms: 0,
        }
    }

    /// The first word of this life, with the epochs that the journal has seen.
    fn ready(&self) -> Ready {
        let (slots, duts, former) = {
            let fence = self.shared.fence.lock();
            let (slots, duts) = fence.seen();
            (slots, duts, fence.former_lives())
        };
        let epoch_of = |no: u16| {
            let ours = |slot: &SlotId| self.shared.place(*slot).is_some_and(|place| place.no.0 == no);
            slots.iter().find(|(slot, _)| ours(slot)).map_or(0, |(_, epoch)| epoch.0)
        };
        let slot = |(no, driver): (&u16, &Arc<dyn crate::driver::Driver>)| ReadySlot {
            no: *no,
            epoch: epoch_of(*no),
            driver: driver.kind().to_owned(),
            builtin_dut: driver.builtin_dut(),
        };
        Ready {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slots: self.shared.drivers.iter().map(slot).collect(),
            dut_epochs: duts.into_iter().map(|(dut, epoch)| (dut.0, epoch.0)).collect(),
            logs: None,
            former,
        }
    }

    fn beat(&self, report: &Report) -> Beat {
        let out = report.out.iter().map(|(no, reason)| SlotOut { no: *no, reason: reason.clone() });
        let mut out: Vec<SlotOut> = out.collect();
        // Of a slot that the rack file no longer has, the server knows; nobody can drive it.
        let gone = self.shared.slots_without_driver();
        out.extend(gone.into_iter().map(|no| SlotOut { no, reason: "the rack no longer has this slot".to_owned() }));
        Beat { cpu_percent: self.cpu.percent(), not_taking: report.not_taking.clone(), out }
    }

    /// Hands an answer to the core and waits until it is worked in.
    async fn work_in(&self, orders: Orders, sent: Timestamp, exchange: &Exchange) {
        let (done, worked_in) = oneshot::channel();
        let named = exchange.beat.is_some().then(|| exchange.holds.clone());
        let answer = Answer { orders, sent, named, done };
        if self.core.send(Msg::Answer(Box::new(answer))).is_ok() {
            // A core that cannot write its journal does not answer; heartbeats go on meanwhile.
            let _ = tokio::time::timeout(Duration::from_secs(1), worked_in).await;
        }
    }

    fn heartbeat(&self) -> Duration {
        Duration::from_micros(self.shared.terms().heartbeat.as_micros().unsigned_abs()).max(Duration::from_millis(20))
    }

    /// A third of a lease: an offer that comes at the end of a wait still has most of its time before it.
    fn longest_wait(&self) -> Duration {
        let lease = Duration::from_micros(self.shared.terms().length.as_micros().unsigned_abs());
        (lease / 3).clamp(Duration::from_millis(100), Duration::from_secs(30))
    }

    /// A sixth of a lease: a server that comes back finds its racks before their leases are over.
    fn longest_pause(&self) -> Duration {
        let lease = Duration::from_micros(self.shared.terms().length.as_micros().unsigned_abs());
        (lease / 6).clamp(FIRST_PAUSE, LONGEST_PAUSE)
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

/// Heartbeats and reports, one at a time, until stopped.
pub(crate) async fn report_loop(link: Arc<Link>) {
    let mut pause = Pause(FIRST_PAUSE);
    let (mut acknowledged, mut last_sent) = (0, 0);
    let mut next_beat = Instant::now();
    let mut say_ready = true;
    let (mut refusal_told, mut out_told) = (None, BTreeMap::new());
    while !link.stop.is_cancelled() {
        let report = link.shared.outbox.report(acknowledged);
        // That no new runs are taken, or taken again, is told at once; by the whole rack or on a slot.
        let beat_due = Instant::now() >= next_beat || report.not_taking != refusal_told || report.out != out_told;
        if !say_ready && !beat_due && !report.is_urgent(last_sent) {
            tokio::select! {
                () = link.stop.cancelled() => {}
                () = link.shared.outbox.urgent() => {}
                () = tokio::time::sleep_until(next_beat) => {}
            }
            continue;
        }
        let mut exchange = link.exchange(&report);
        exchange.ready = say_ready.then(|| link.ready());
        exchange.beat = (beat_due || say_ready).then(|| link.beat(&report));
        crash::point("rack.before_report");
        let sent = boot_now();
        if exchange.beat.is_some() {
            next_beat = Instant::now() + link.heartbeat();
        }
        match link.client.exchange(&exchange, link.longest_wait().max(Duration::from_secs(2))).await {
            Ok(orders) => {
                crash::point("rack.after_report");
                pause.reset();
                say_ready = orders.say_ready;
                refusal_told.clone_from(&report.not_taking);
                out_told.clone_from(&report.out);
                last_sent = report.ends.last().map_or(last_sent, |end| end.seq.max(last_sent));
                acknowledged = orders.acknowledged.unwrap_or(acknowledged).max(acknowledged);
                link.shared.outbox.delivered(&report, acknowledged);
                if !say_ready {
                    link.known.send_replace(true);
                }
                link.work_in(orders, sent, &exchange).await;
            }
            Err(error) => {
                log_failure(&error, pause.0);
                // Next time everything is told again.
                last_sent = 0;
                let wait = match pause.next(link.longest_pause()) {
                    _ if error.is_final() => LONGEST_PAUSE,
                    // Our own former life is forgotten after three heartbeats.
                    wait if error.is_taken() => wait.min(link.heartbeat()),
                    wait => wait,
                };
                link.pause(wait).await;
                next_beat = Instant::now();
            }
        }
    }
}

/// The long poll, one at a time, until stopped.
pub(crate) async fn wait_loop(link: Arc<Link>) {
    let mut pause = Pause(FIRST_PAUSE);
    let mut known = link.known.subscribe();
    tokio::select! {
        () = link.stop.cancelled() => return,
        // Waiting makes sense only after the first word of this life.
        _ = known.wait_for(|known| *known) => {}
    }
    let mut stopping = Vec::new();
    while !link.stop.is_cancelled() {
        let wait = link.longest_wait();
        let report = Report { held: link.shared.outbox.held(), ..Report::default() };
        stopping.retain(|run| report.held.iter().any(|held| held.run == *run));
        let mut exchange = link.exchange(&report);
        exchange.wait_ms = wait.as_millis() as u64;
        exchange.stopping.clone_from(&stopping);
        let (sent, asked) = (boot_now(), Instant::now());
        let answer = tokio::select! {
            () = link.stop.cancelled() => return,
            answer = link.client.exchange(&exchange, wait + Duration::from_secs(5)) => answer,
        };
        if let Ok(orders) = answer {
            pause.reset();
            let news = bring_news(&orders, &exchange);
            stopping.extend(orders.stop.iter().filter(|run| !exchange.stopping.contains(run)));
            link.work_in(orders, sent, &exchange).await;
            if !news && asked.elapsed() < wait / 2 {
                link.pause(BREATH).await;
            }
        } else {
            // The report loop says what is wrong; here it is only waited.
            let wait = pause.next(link.longest_pause());
            link.pause(wait).await;
        }
    }
}

/// Whether a rack that has said this has anything to do about that.
fn bring_news(orders: &Orders, said: &Exchange) -> bool {
    let holds = |run: RunId| said.holds.iter().any(|held| held.run == run);
    let runs = orders.start.iter().map(|order| order.lease.run);
    let mut offered = runs.chain(orders.sessions.iter().map(|order| order.lease.run));
    let mut stops = orders.stop.iter().copied();
    offered.any(|run| !holds(run)) || stops.any(|run| holds(run) && !said.stopping.contains(&run))
}

fn log_failure(error: &LinkError, pause: Duration) {
    let text = crate::core::chain(error);
    if error.is_final() || error.is_taken() && pause <= LONGEST_PAUSE / 2 {
        tracing::error!(error = text, "the server refuses this rack");
    } else if pause <= FIRST_PAUSE {
        // Once per outage, not once per try.
        tracing::warn!(error = text, "the server is away; results wait in the journal");
    } else {
        tracing::debug!(error = text, "still away");
    }
}
