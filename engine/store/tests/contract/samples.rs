//! Values for tests, one line each.
#![allow(dead_code, reason = "each test file uses some")]

use headend_model::{
    DutId, JobId, JobSpec, Mode, OccurrenceNo, Outcome, Priority, RunId, ScheduleId, SlotId, SlotNo, Target, TestIx,
    TestResult, TestSpec, Timestamp, TreePath, UserName,
};
use headend_scheduler::Event;
use headend_scheduler::action::{ChosenBy, StartReason};
use headend_scheduler::event::Submission;
use headend_store::{Entry, FeedItem, JobRow, OccurrenceRow, Pin, Projection, RunPlace, RunRow};

pub(crate) fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

pub(crate) fn spec(name: &str, owner: &str) -> JobSpec {
    JobSpec {
        name: name.to_owned(),
        owner: user(owner),
        priority: Priority(3),
        targets: vec![Target::Slot(SlotId(4)), Target::Dut(DutId(9))],
        tests: vec![TestSpec {
            script: TreePath::parse("samples/zap.rhai").unwrap(),
            public: true,
            slots_needed: 2,
            mode: Mode::TestCoverage,
            args: vec!["-s".to_owned(), "an argument".to_owned()],
            time_limit: None,
        }],
        policy_parameters: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn submit(name: &str) -> Event {
    Event::Submit(Box::new(Submission {
        spec: spec(name, "ann"),
        missing_scripts: std::iter::once(TestIx(0)).collect(),
        fail_on_warning: false,
        key: None,
    }))
}

pub(crate) fn kill(job: u64) -> Event {
    Event::Kill { job: JobId(job), by: user("bob") }
}

pub(crate) fn entry(us: i64, event: Event, projections: Vec<Projection>) -> Entry {
    Entry { at: at(us), event, projections }
}

pub(crate) fn tick(us: i64) -> Entry {
    entry(us, Event::Tick, Vec::new())
}

pub(crate) fn occurrence(schedule: u64, no: u64) -> Projection {
    let planned = at(no as i64 * 1_000);
    Projection::OccurrenceEnded(Box::new(OccurrenceRow {
        schedule: ScheduleId(schedule),
        owner: user("ann"),
        first: OccurrenceNo(no),
        last: OccurrenceNo(no),
        planned,
        planned_last: planned,
        window_end: None,
        fate: "late".to_owned(),
        reason: Some("occurrence 4 was still under way".to_owned()),
        began: Some(at(no as i64 * 1_000 + 70)),
        ended: at(no as i64 * 1_000 + 90),
        jobs: vec![JobId(no), JobId(no + 1)],
    }))
}

pub(crate) fn job(id: u64, owner: &str) -> Projection {
    let row = JobRow::accepted(JobId(id), spec("night", owner), RunId(id * 10), 2, at(id as i64));
    Projection::JobAccepted(Box::new(row))
}

pub(crate) fn run(id: u64, job: u64, outcome: Outcome) -> RunRow {
    RunRow {
        run: RunId(id),
        job: JobId(job),
        test: TestIx(0),
        attempt: 1,
        rack: Some("rack1".parse().unwrap()),
        places: vec![RunPlace { slot: SlotNo(4), slot_epoch: 17, dut: DutId(9), dut_epoch: 3 }],
        leased: Some(at(5)),
        ended: at(9),
        outcome,
        why: Some(StartReason {
            chosen_by: ChosenBy::BuiltIn("test-coverage".to_owned()),
            queue: "first of 1".to_owned(),
            test: "least started".to_owned(),
            inputs: u64::MAX,
        }),
        public_tree: Some("ab".repeat(32)),
        private_tree: None,
    }
}

pub(crate) fn ended(id: u64, job: u64, result: TestResult) -> Projection {
    Projection::RunEnded(Box::new(run(id, job, Outcome::Done { result, comment: "it zaps".to_owned() })))
}

pub(crate) fn pin(run: u64, tree: &str) -> Projection {
    Projection::RunPinned(Pin { run: RunId(run), public_tree: tree.repeat(32), private_tree: Some("ef".repeat(32)) })
}

pub(crate) fn feed(text: &str) -> Projection {
    Projection::Feed(FeedItem {
        at: at(1),
        kind: "note".to_owned(),
        job: Some(JobId(7)),
        run: None,
        text: text.to_owned(),
        data: serde_json::json!({ "n": 1 }),
    })
}
