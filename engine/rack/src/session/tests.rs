//! What a script gets back, call by call.

#![allow(clippy::float_cmp, reason = "numbers that come as they were given")]

mod explained;
mod fake;
mod followed;
mod kept;
mod looking;
mod reading;
mod screens;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use headend_model::{DutId, JobId, LeasedTarget, RackId, Timestamp};
use serde_json::Value;

use super::*;
use crate::driver::virtual_stb::VirtualStb;
use crate::options::VirtualOptions;

struct Lease_ {
    live: AtomicBool,
    /// Questions until it is over.
    left: AtomicU32,
}

impl Guard for Lease_ {
    fn may_drive(&self, _: RunId, slot: SlotId) -> Option<Epoch> {
        // What is over stays over.
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        (left.is_ok() && self.live.load(Ordering::SeqCst)).then_some(Epoch(u64::from(slot.0)))
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Watcher for Notes {
    fn note(&self, _: RunId, text: String) {
        self.0.lock().unwrap().push(text);
    }
    fn console(&self, _: RunId, _: &str) {}
}

struct Bench {
    session: Session,
    lease: Arc<Lease_>,
    out: tempfile::TempDir,
}

fn bench(slots: &[u16]) -> Bench {
    let drivers = slots.iter().map(|no| {
        let options = VirtualOptions { virtual_time: true, ..VirtualOptions::numbered(*no) };
        Arc::new(VirtualStb::new(options)) as Arc<dyn Driver>
    });
    bench_of(slots, drivers.collect())
}

fn bench_of(slots: &[u16], drivers: Vec<Arc<dyn Driver>>) -> Bench {
    let out = tempfile::tempdir().unwrap();
    let target = |no: &u16| LeasedTarget {
        slot: SlotId(u32::from(*no)),
        slot_epoch: Epoch(u64::from(*no)),
        dut: DutId(u64::from(*no) + 100),
        dut_epoch: Epoch(1),
    };
    let lease = Lease {
        job: JobId(1),
        run: RunId(1),
        attempt: 1,
        rack: RackId(1),
        targets: slots.iter().map(target).collect(),
        until: Timestamp::EPOCH,
    };
    let info = SessionInfo {
        job: 1,
        run: 1,
        attempt: 1,
        script: out.path().join("script/x.rhai").display().to_string(),
        args: Vec::new(),
        public: None,
        out: out.path().join("run").display().to_string(),
        rack: "rack1".into(),
        port: 8001,
        slots: slots.to_vec(),
        under_daemon: true,
    };
    let guard = Arc::new(Lease_ { live: AtomicBool::new(true), left: AtomicU32::new(u32::MAX) });
    let setup = SessionSetup {
        info,
        lease,
        drivers,
        guard: guard.clone(),
        witness: Arc::default(),
        watcher: Arc::new(Notes::default()),
        analysers: fake::analysers(out.path()),
        limits: LogLimits { captures: 3, ..LogLimits::default() },
    };
    Bench { session: Session::new(setup), lease: guard, out }
}

impl Bench {
    async fn ok(&mut self, call: Call) -> Value {
        match self.session.call(call).await {
            Reply::Ok(value) => value,
            Reply::Error(error) => panic!("{error:?}"),
        }
    }

    async fn error(&mut self, call: Call) -> String {
        let error = self.refusal(call).await;
        // What a failed test shows.
        eprintln!("refused: {error:?}");
        error.code
    }

    async fn refusal(&mut self, call: Call) -> CallError {
        match self.session.call(call).await {
            Reply::Ok(value) => panic!("answered {value}"),
            Reply::Error(error) => error,
        }
    }

    /// What happened, from the log.
    fn events(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.out.path().join("run/log.jsonl")).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What people are shown of it.
    fn page(&self) -> String {
        std::fs::read_to_string(self.out.path().join("run/logfile.html")).unwrap()
    }

    async fn ready(&mut self, slots: &[u32]) {
        self.ok(connect()).await;
        for slot in slots {
            assert_eq!(self.ok(reserve(*slot)).await, true);
        }
    }
}

fn connect() -> Call {
    Call::Connect { server: "anything".into(), description: String::new() }
}

fn reserve(slot: u32) -> Call {
    Call::ReserveSlot { slot, params: std::collections::BTreeMap::new() }
}

fn press(key: &str, slot: Option<u32>) -> Call {
    Call::Press { key: key.into(), slot }
}

fn result(code: i64) -> Call {
    Call::Result { code, comment: None }
}

#[tokio::test]
async fn the_boxes_of_a_run_go_by_one_clock() {
    let mut bench = bench(&[4, 7]);
    bench.ready(&[1, 2]).await;
    for _ in 0..3 {
        bench.ok(press("Menu", Some(1))).await;
    }
    let clocks = |bench: &Bench| [0, 1].map(|place| bench.session.scenes[place].driver.now_us());
    let [ahead, behind] = clocks(&bench);
    assert!(ahead > behind, "a key takes its time");
    bench.ok(Call::Wait { ms: 500 }).await;
    assert_eq!(clocks(&bench), [ahead + 500_000; 2]);
}

#[tokio::test]
async fn the_scripts_numbers_stand_for_the_leased_slots_in_order() {
    let mut bench = bench(&[4, 9]);
    assert_eq!(bench.error(reserve(1)).await, "not_connected");
    assert_eq!(bench.ok(connect()).await, true);
    assert_eq!(bench.ok(connect()).await, false, "a second connect");
    assert_eq!(bench.ok(reserve(12)).await, true);
    assert_eq!(bench.ok(reserve(12)).await, false, "held already");
    assert_eq!(bench.ok(reserve(3)).await, true);
    assert_eq!(bench.ok(reserve(5)).await, false, "no leased slot is left");
    assert_eq!(bench.ok(Call::Allocations {}).await, serde_json::json!({ "server": "rack1:8001", "slots": [4, 9] }));
    let rows = bench.ok(press("Ok", None)).await;
    assert_eq!(rows, serde_json::json!([{ "slot": 12, "value": true }, { "slot": 3, "value": true }]));
    assert_eq!(bench.ok(press("Ok", Some(3))).await, serde_json::json!([{ "slot": 3, "value": true }]));
    assert_eq!(bench.error(press("Ok", Some(4))).await, "no_slot", "a real number means nothing");
    assert_eq!(bench.ok(Call::FreeSlot { slot: 12 }).await, true);
    assert_eq!(bench.ok(Call::FreeSlot { slot: 12 }).await, false);
    assert_eq!(bench.ok(reserve(5)).await, true);
    assert_eq!(bench.ok(Call::Disconnect {}).await, true);
    assert_eq!(bench.error(press("Ok", None)).await, "no_slot");
}

#[tokio::test]
async fn the_first_result_counts() {
    let mut bench = bench(&[1]);
    assert_eq!(bench.error(result(42)).await, "bad_result");
    assert_eq!(bench.ok(result(110)).await, true);
    assert_eq!(bench.ok(result(100)).await, false);
    assert_eq!(bench.session.reported().unwrap().result, TestResult::PartialPass);
}

#[tokio::test]
async fn a_lost_lease_refuses_every_drive() {
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    bench.lease.live.store(false, Ordering::SeqCst);
    assert_eq!(bench.error(press("Ok", None)).await, "lease_lost");
    assert_eq!(bench.error(Call::Power { on: true, slot: None }).await, "lease_lost");
    assert_eq!(bench.error(Call::Capture { rect: None, name: None, slot: None }).await, "lease_lost");
}

#[tokio::test]
async fn a_run_with_nothing_to_keep_writes_nothing() {
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 86_400_000 }).await;
    bench.ok(result(111)).await;
    assert!(!bench.session.finish("done"));
    assert!(!bench.out.path().join("run").exists());
}

#[tokio::test]
async fn the_log_has_what_happened_and_a_bound() {
    let mut bench = bench(&[1]);
    bench.session.recorder =
        Recorder::new(bench.out.path().join("run"), LogLimits { log_bytes: 500, ..LogLimits::default() });
    bench.ready(&[1]).await;
    bench.ok(Call::BeginStep { name: "zap {}".into() }).await;
    bench.ok(Call::EndStep { name: "zap {}".into(), result: 111, comment: None }).await;
    bench.ok(Call::Log { level: headend_wire::session::LogLevel::Info, text: "x".repeat(900) }).await;
    assert!(bench.session.finish("done"));
    let log = std::fs::read_to_string(bench.out.path().join("run/log.jsonl")).unwrap();
    let kinds: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["connect", "reserve", "step", "step_end", "end", "dropped"]);
}

#[tokio::test]
async fn captures_are_pictures_of_the_slots() {
    let mut bench = bench(&[4, 9]);
    bench.ready(&[1, 2]).await;
    let wish = |name: &str| Call::Capture { rect: None, name: Some(name.into()), slot: None };
    let rows = bench.ok(wish("shot.png")).await;
    let paths: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["value"]["path"].as_str().unwrap()).collect();
    assert!(paths[0].ends_with("/run/shot.png") && paths[1].ends_with("/run/shot_1.png"), "{paths:?}");
    let pictures: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(pictures[0].starts_with(b"\x89PNG") && pictures[0] != pictures[1]);
    assert_eq!((rows[0]["value"]["width"].as_u64(), rows[0]["value"]["height"].as_u64()), (Some(1280), Some(720)));
    let crop = Call::Capture { rect: Some([1200, 700, 200, 200]), name: Some("corner.jpg".into()), slot: Some(2) };
    let rows = bench.ok(crop).await;
    assert_eq!((rows[0]["value"]["width"].as_u64(), rows[0]["value"]["height"].as_u64()), (Some(80), Some(20)));
    assert_eq!(bench.error(wish("one-too-many.png")).await, "limit");
}

#[tokio::test]
async fn regions_end_with_what_is_open_inside() {
    let mut bench = bench(&[1]);
    for name in ["outer", "inner"] {
        assert_eq!(bench.ok(Call::BeginRegion { name: name.into() }).await, Value::Null);
    }
    for name in ["outer", "inner"] {
        let end = Call::EndRegion { name: name.into(), style: Some("pass".into()), comment: None };
        assert_eq!(bench.ok(end).await, Value::Null);
    }
    bench.session.finish("done");
    let log = std::fs::read_to_string(bench.out.path().join("run/log.jsonl")).unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ended: Vec<_> = events.filter(|event| event["kind"] == "region_end").map(|event| event["ok"].clone()).collect();
    assert_eq!(ended, [true, false], "the inner one ended with the outer one");
}
