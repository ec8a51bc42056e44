//! Any text as a policy, in this process, with few operations: what a child does between a request and its answer.

use headend_model::{DutId, JobId, Priority, RackName, SlotNo, TargetIx, TestIx, Timestamp, UserName};
use headend_scheduler::action::{OwnerUsage, PlanChange, RankedJob};
use headend_scheduler::event::Placement;
use headend_scheduler::view::{PlanView, TargetView, TestView};

use super::guest::Desk;
use super::protocol::{Answer, Entry, Request, WirePlan};
use super::queue::Of;

/// Enough to get anywhere in a script, few enough for thousands of scripts a second.
const OPERATIONS: u64 = 20_000;

/// Reads the text as a policy of either kind and asks it everything. Whether it was taken as one. Every answer is a line that reads as the
/// same answer again, and an error is short.
///
/// # Panics
/// When that does not hold.
pub fn policy_source(source: &str) -> bool {
    let mut taken = false;
    for (entry, world) in [(Entry::Coverage, 1), (Entry::Coverage, 2), (Entry::Queue, 2)] {
        match Desk::open(source, entry, world) {
            Ok(mut desk) => {
                desk.engine.set_max_operations(OPERATIONS);
                taken = true;
                ask_all(&mut desk, entry);
            }
            Err(answer) => line(&answer),
        }
    }
    taken
}

fn ask_all(desk: &mut Desk, entry: Entry) {
    let (at, free) = (Timestamp::EPOCH, vec![0, 1]);
    let of = Placement { test: TestIx(0), target: TargetIx(0) };
    let started = PlanChange::Started(of).at(at);
    let changes = vec![started, PlanChange::Ended { placement: of, code: 111 }.at(at)];
    let requests = match entry {
        Entry::Coverage => vec![
            Request::Build { plan: 1, view: WirePlan::new(&plan(), "{\"a\": [1, {\"b\": 0.5}]}") },
            Request::Propose { plan: 1, now: 0, free: free.clone() },
            Request::Reason { plan: 1, of },
            Request::Note { plan: 1, changes },
            Request::Propose { plan: 1, now: 1, free },
            Request::Report { plan: 1, now: 2 },
        ],
        Entry::Queue => vec![
            Request::Rank { parameters: "{}".into(), of: Of::Nothing },
            Request::Rank { parameters: "{}".into(), of: Of::Jobs(vec![job(1), job(u64::MAX)]) },
        ],
    };
    for request in requests {
        let asked = match &request {
            Request::Rank { of: Of::Jobs(jobs), .. } => Some(jobs.len()),
            _ => None,
        };
        let answer = desk.answer(&[], request);
        line(&answer);
        if let (Some(asked), Answer::Ranks(ranks)) = (asked, &answer) {
            assert_eq!(ranks.len(), asked);
        }
    }
    line(&desk.answer(&[1], Request::Propose { plan: 1, now: 3, free: Vec::new() }));
}

fn line(answer: &Answer) {
    let Ok(text) = serde_json::to_string(answer) else { panic!("{answer:?} has no text") };
    assert!(!text.contains('\n'), "one line");
    let Ok(again) = serde_json::from_str::<Answer>(&text) else { panic!("{text} does not read") };
    assert_eq!(format!("{again:?}"), format!("{answer:?}"));
    if let Answer::Threw(what) | Answer::Refused(what) | Answer::Misfit(what) = answer {
        assert!(what.len() <= 4_000, "{} bytes of error", what.len());
    }
}

fn plan() -> PlanView {
    let target = |n: u32| TargetView {
        target: TargetIx(n),
        place: RackName::new("fuzz").ok().map(|rack| (rack, SlotNo(n as u16 + 1))),
        dut: Some(DutId(u64::from(n))),
    };
    let test = |n: u32| TestView { test: TestIx(n), runs: 2, name: format!("{n}.py"), history: None };
    PlanView { tests: vec![test(0), test(1)], targets: vec![target(0), target(1)], ..PlanView::default() }
}

fn job(id: u64) -> RankedJob {
    let Ok(owner) = UserName::new("fuzz") else { panic!("a name") };
    RankedJob { job: JobId(id), owner, priority: Priority(5), accepted: Timestamp::EPOCH, usage: OwnerUsage::default() }
}
