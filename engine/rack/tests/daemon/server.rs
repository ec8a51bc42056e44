//! A server as a rack sees it: hands out leases, hears ends, and can lose what it answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use headend_files::{BlobHash, FileEntry, Tree};
use headend_model::{
    DutId, Epoch, JobId, Lease, LeaseTerms, LeasedTarget, Outcome, Priority, RackId, RunId, SlotId, Span, Timestamp,
    TreePath,
};
use headend_scheduler::fence::EndReport;
use headend_wire::rack::{Declined, Enrol, Enrolled, Exchange, Orders, Ready, StartOrder};
use tokio::sync::Notify;

/// First slot id of the played farm: real numbers and ids must not be mixed up.
pub(crate) const FIRST_SLOT: u32 = 500;

#[derive(Default)]
pub(crate) struct Farm {
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Leased and not ended.
    pub leased: BTreeMap<RunId, StartOrder>,
    pub stops: BTreeSet<RunId>,
    /// Leased one after the other as slots come free.
    pub(crate) backlog: VecDeque<StartOrder>,
    pub ends: Vec<EndReport>,
    pub declined: Vec<Declined>,
    /// Declined when no end of it was known: told as never started.
    pub not_started: BTreeSet<RunId>,
    pub ready: Vec<Ready>,
    pub started: BTreeSet<RunId>,
    pub files: BTreeMap<String, Vec<u8>>,
    pub terms: LeaseTerms,
    pub epoch: u64,
    pub next_run: u64,
    /// No answers to anything.
    pub away: bool,
    /// The next answers are lost after the request was worked in.
    pub lose: u32,
    /// Offered over and over, whatever the rack holds or has ended.
    pub haunting: Vec<StartOrder>,
    /// To be refused, said over and over.
    pub refuse: Vec<Lease>,
    /// Messages of the rack.
    pub exchanges: u32,
    /// Why the rack takes nothing, as of its last heartbeat.
    pub not_taking: Option<String>,
    /// Times that more than what was acknowledged came again.
    pub reports: u32,
    pub acknowledge: bool,
}

#[derive(Clone)]
pub(crate) struct FakeServer {
    pub url: String,
    farm: Arc<Mutex<Farm>>,
    changed: Arc<Notify>,
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        let terms = LeaseTerms {
            heartbeat: Span::millis(100),
            length: Span::seconds(20),
            kill_bound: Span::seconds(2),
            margin: Span::millis(100),
            drift_ppm: 1_000,
        };
        let farm = Farm { terms, acknowledge: true, ..Farm::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url, farm: Arc::new(Mutex::new(farm)), changed: Arc::default() };
        let routes = Router::new()
            .route("/api/v1/racks/enrol", post(enrol))
            .route("/api/v1/racks/exchange", post(exchange))
            .route("/api/v1/blobs/{hash}", get(blob))
            .route("/api/v1/runs/{run}/files/{*path}", put(file))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        server
    }

    pub(crate) fn farm(&self) -> MutexGuard<'_, Farm> {
        self.farm.lock().unwrap()
    }

    /// A tree with these files; its hash is the snapshot.
    pub(crate) fn tree(&self, files: &[(&str, &str)]) -> String {
        let mut farm = self.farm();
        let entry = |bytes: &[u8]| FileEntry { hash: BlobHash::of(bytes), size: bytes.len() as u64 };
        let list = files.iter().map(|(path, text)| (TreePath::parse(path).unwrap(), entry(text.as_bytes()))).collect();
        let tree = Tree::from_files(list).unwrap();
        for (_, text) in files {
            farm.blobs.insert(BlobHash::of(text.as_bytes()).to_string(), text.as_bytes().to_vec());
        }
        farm.blobs.insert(tree.hash().to_string(), tree.to_bytes());
        tree.hash().to_string()
    }

    /// An order for a script alone in the public area, on these slots, under fresh epochs. Not leased yet.
    pub(crate) fn order(&self, (name, text): (&str, &str), slots: &[u16]) -> StartOrder {
        let tree = self.tree(&[(name, text)]);
        let mut farm = self.farm();
        farm.epoch += 1;
        farm.next_run += 1;
        let epoch = Epoch(farm.epoch);
        let target = |no: &u16| LeasedTarget {
            slot: SlotId(FIRST_SLOT + u32::from(*no)),
            slot_epoch: epoch,
            dut: DutId(u64::from(*no) + 7_000),
            dut_epoch: epoch,
        };
        StartOrder {
            lease: Lease {
                job: JobId(1),
                run: RunId(farm.next_run),
                attempt: 1,
                rack: RackId(1),
                targets: slots.iter().map(target).collect(),
                until: Timestamp::EPOCH,
            },
            priority: Priority(5),
            script: name.to_owned(),
            public: true,
            args: vec!["one".into(), "two words".into()],
            time_limit_ms: 60_000,
            public_tree: tree,
            private_tree: None,
            job: JobId(1),
            job_name: "job".into(),
            owner: "anna".into(),
        }
    }

    pub(crate) fn lease(&self, order: StartOrder) -> RunId {
        let run = order.lease.run;
        self.farm().leased.insert(run, order);
        self.changed.notify_waiters();
        run
    }

    /// Leases one Rhai script to one slot.
    pub(crate) fn submit(&self, text: &str, slot: u16) -> RunId {
        self.lease(self.order(("test.rhai", text), &[slot]))
    }

    /// Hands out these as slots come free.
    pub(crate) fn work_off(&self, orders: Vec<StartOrder>) {
        let mut farm = self.farm();
        farm.backlog.extend(orders);
        (0..4).for_each(|_| farm.next_of_backlog());
        drop(farm);
        self.changed.notify_waiters();
    }

    pub(crate) fn ask_stop(&self, run: RunId) {
        self.farm().stops.insert(run);
        self.changed.notify_waiters();
    }

    /// Waits for the end of a run.
    pub(crate) async fn end(&self, run: RunId) -> EndReport {
        let found = || self.farm().ends.iter().find(|end| end.claim.run == run).cloned();
        eventually(&format!("run {run} has an end"), found).await
    }

    pub(crate) async fn outcome(&self, run: RunId) -> Outcome {
        self.end(run).await.outcome
    }
}

/// Waits for a condition.
pub(crate) async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(std::time::Instant::now() < end, "{what}: not within 60 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn token(headers: &HeaderMap) -> &str {
    headers.get("authorization").map_or("", |value| value.to_str().unwrap())
}

async fn enrol(headers: HeaderMap, Json(enrol): Json<Enrol>) -> Result<Json<Enrolled>, StatusCode> {
    match token(&headers) {
        "Bearer once" => Ok(Json(Enrolled { rack: RackId(1), token: format!("token-of-{}", enrol.name) })),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

async fn exchange(
    State(server): State<FakeServer>,
    headers: HeaderMap,
    Json(said): Json<Exchange>,
) -> Result<Json<Orders>, StatusCode> {
    if !token(&headers).starts_with("Bearer token-of-") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    if server.farm().away {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let deadline = tokio::time::Instant::now() + Duration::from_millis(said.wait_ms);
    server.work_in(&said);
    loop {
        // Asked for before looking, so that nothing is missed between.
        let changed = server.changed.notified();
        let orders = server.orders(&said);
        if !orders.start.is_empty() || !orders.stop.is_empty() || tokio::time::Instant::now() >= deadline {
            let mut farm = server.farm();
            if farm.away || farm.lose > 0 {
                farm.lose = farm.lose.saturating_sub(1);
                return Err(StatusCode::BAD_GATEWAY);
            }
            return Ok(Json(orders));
        }
        let _ = tokio::time::timeout_at(deadline, changed).await;
    }
}

impl Farm {
    /// Leases the first order of the backlog whose slot is free.
    pub(crate) fn next_of_backlog(&mut self) {
        let busy: BTreeSet<SlotId> = self.leased.values().map(|order| order.lease.targets[0].slot).collect();
        let free = |order: &StartOrder| !busy.contains(&order.lease.targets[0].slot);
        if let Some(order) = self.backlog.iter().position(free).and_then(|place| self.backlog.remove(place)) {
            self.leased.insert(order.lease.run, order);
        }
    }
}

impl FakeServer {
    fn work_in(&self, said: &Exchange) {
        let mut farm = self.farm();
        farm.ready.extend(said.ready.clone());
        farm.exchanges += 1;
        if let Some(beat) = &said.beat {
            farm.not_taking.clone_from(&beat.not_taking);
        }
        farm.started.extend(said.started.iter().map(|claim| claim.run));
        farm.reports += u32::from(!said.ends.is_empty());
        for end in &said.ends {
            if farm.ends.iter().all(|known| known.seq != end.seq) {
                farm.ends.push(end.clone());
            }
            if farm.leased.remove(&end.claim.run).is_some() {
                farm.next_of_backlog();
            }
            farm.stops.remove(&end.claim.run);
        }
        for declined in &said.declined {
            let run = declined.claim.run;
            farm.leased.remove(&run);
            if farm.ends.iter().all(|end| end.claim.run != run) {
                farm.not_started.insert(run);
            }
            farm.declined.push(declined.clone());
        }
        drop(farm);
        self.changed.notify_waiters();
    }

    fn orders(&self, said: &Exchange) -> Orders {
        let farm = self.farm();
        let held = |run: RunId| said.holds.iter().any(|claim| claim.run == run);
        let fresh = farm.leased.values().filter(|order| !held(order.lease.run));
        Orders {
            acknowledged: farm.acknowledge.then(|| farm.ends.iter().map(|end| end.seq).max()).flatten(),
            renewed: said.beat.is_some(),
            say_ready: said.ready.is_none() && farm.ready.is_empty(),
            start: fresh.chain(&farm.haunting).cloned().collect(),
            stop: farm.stops.iter().copied().filter(|run| held(*run)).collect(),
            sessions: Vec::new(),
            refuse: farm.refuse.clone(),
            terms: said.ready.is_some().then_some(farm.terms),
            rack: Some(RackId(1)),
            slots: if said.ready.is_some() {
                (1..=4).map(|no| (FIRST_SLOT + u32::from(no), no)).collect()
            } else {
                Vec::new()
            },
            drain: false,
        }
    }
}

async fn blob(State(server): State<FakeServer>, Path(hash): Path<String>) -> Result<Vec<u8>, StatusCode> {
    server.farm().blobs.get(&hash).cloned().ok_or(StatusCode::NOT_FOUND)
}

async fn file(State(server): State<FakeServer>, Path((run, path)): Path<(u64, String)>, bytes: Bytes) {
    server.farm().files.insert(format!("{run}/{path}"), bytes.to_vec());
}
