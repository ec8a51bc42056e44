//! A whole day of load, journalled, and decided a second time from the journal: every action, every reason of every job
//! that waits, every digest.

use headend_model::{DutId, Mode, Priority, RackId, SlotId, Span, Timestamp, UserName};
use headend_scheduler::event::{Heartbeat, PolicyKind};
use headend_scheduler::{Action, Event, Farm};
use headend_whatif::{Case, JobPlan, Lasts, NoPolicies, Observer, Place, Plan, Plugin, play_watched};

use super::{job, lab, slot, test};

/// So often the reasons of all waiting jobs are noted.
const EVERY: usize = 97;

#[derive(Default)]
struct Journal {
    /// Events as text, as a store would keep them.
    events: Vec<(Timestamp, String)>,
    told: Vec<Vec<Action>>,
    reasons: Vec<(usize, String)>,
    noon: Option<(usize, String)>,
    starts: usize,
}

fn reasons(farm: &Farm, now: Timestamp) -> String {
    let all: Vec<String> = farm.open_jobs().map(|job| format!("{} {:?}", job.job, farm.why(now, job.job))).collect();
    all.join("\n")
}

impl Observer for Journal {
    fn stepped(&mut self, now: Timestamp, event: &Event, told: &[Action], farm: &Farm) {
        let number = self.events.len();
        self.events.push((now, serde_json::to_string(event).unwrap()));
        self.told.push(told.to_vec());
        self.starts += told.iter().filter(|action| matches!(action, Action::Start { .. })).count();
        if number.is_multiple_of(EVERY) {
            self.reasons.push((number, reasons(farm, now)));
        }
        if self.noon.is_none() && self.starts > 500 {
            self.noon = Some((number, serde_json::to_string(farm).unwrap()));
        }
        assert_eq!(farm.violation(), None);
    }
}

/// 600 jobs over 24 hours on 24 slots: several owners, priorities, gangs, DUTs, a policy that fails.
fn day() -> Plan {
    let mut plan = lab(&[8, 8, 8]);
    plan.seed = 11;
    let lasts = Lasts::Quantiles { p50: Span::seconds(240), p90: Span::seconds(1_500) };
    plan.jobs = (0..600).map(|at| of_the_day(at, &lasts)).collect();
    plan
}

fn of_the_day(at: i64, lasts: &Lasts) -> JobPlan {
    let rack = (at % 3) as u16 + 1;
    let mode = match at % 10 {
        0 => Mode::SingleProcess,
        1..=3 => Mode::TestCoverage,
        4 => Mode::Policy(headend_model::PolicyName::new("broken").unwrap()),
        _ => Mode::DutCoverage,
    };
    let tests = (0..=at % 4).map(|n| test(&format!("t{n}.rhai"), mode.clone(), 1 + (at % 3) as u32, 0));
    let mut job = job(at * 144, [], tests);
    job.targets = match at % 5 {
        0 => (1..=8).map(|no| Place::Dut(DutId(u64::from(100 + (rack - 1) * 8 + no)))).collect(),
        _ => (1..=4 + (at % 5) as u16).map(|no| slot(rack, no)).collect(),
    };
    job.owner = UserName::new(["anna", "bert", "cleo", "nightly"][(at % 4) as usize]).unwrap();
    job.priority = Priority(1 + (at % 9) as u8);
    for test in &mut job.tests {
        test.lasts = lasts.clone();
        test.fails_percent = 20;
    }
    job
}

/// What people and racks do beside the load: busy racks, drains, moved DUTs, kills. On the journal's farm only.
fn disturb(events: &mut Vec<(Timestamp, Event)>) {
    let middle = events.len() / 2;
    let at = events[middle].0;
    let beat = |cpu_percent| {
        Event::Heartbeat(Heartbeat {
            rack: RackId(1),
            incarnation: 1,
            cpu_percent,
            holds: vec![],
            not_taking: None,
            out: Vec::new(),
        })
    };
    let by = UserName::new("operator").unwrap();
    let more = [
        beat(95),
        Event::Drain { rack: RackId(2), on: true },
        Event::PlaceDut { dut: DutId(124), slot: None },
        Event::Kill { job: headend_model::JobId(300), by },
        beat(5),
        Event::PlaceDut { dut: DutId(124), slot: Some(SlotId(24)) },
        Event::Drain { rack: RackId(2), on: false },
    ];
    events.splice(middle..middle, more.into_iter().map(|event| (at, event)));
}

fn replay(mut farm: Farm, journal: &Journal, from: usize) {
    let mut reasons_kept = journal.reasons.iter().skip_while(|(number, _)| *number < from);
    let mut next = reasons_kept.next();
    for (number, (now, text)) in journal.events.iter().enumerate().skip(from) {
        let told = farm.step(*now, &serde_json::from_str(text).unwrap());
        assert_eq!(told, journal.told[number], "event {number}: {text}");
        if let Some((_, kept)) = next.filter(|(at, _)| *at == number) {
            assert_eq!(reasons(&farm, *now), *kept, "event {number}");
            next = reasons_kept.next();
        }
    }
}

fn settings() -> Farm {
    // As the play begins: with settings of its own, told again by the first event.
    Farm::default()
}

#[test]
fn a_whole_day_replays_to_the_same_decisions_reasons_and_digests() {
    let plan = day();
    let broken = Plugin {
        name: headend_model::PolicyName::new("broken").unwrap(),
        kind: PolicyKind::Coverage,
        hash: String::new(),
        contract: 1,
    };
    let case = Case { plugins: vec![broken], ..Case::default() };
    let mut journal = Journal::default();
    let figures = play_watched(&plan, &case, &mut NoPolicies, &mut journal).unwrap();
    assert!(figures.runs > 1_000 && figures.left_open == 0, "{figures:?}");
    assert!(figures.makespan >= Span::seconds(86_000));
    replay(settings(), &journal, 0);
    let (number, snapshot) = journal.noon.as_ref().unwrap();
    replay(serde_json::from_str(snapshot).unwrap(), &journal, number + 1);

    // The same day with a few disturbances: first decided, then decided again.
    let mut events: Vec<(Timestamp, Event)> =
        journal.events.iter().map(|(now, text)| (*now, serde_json::from_str(text).unwrap())).collect();
    disturb(&mut events);
    let mut farm = settings();
    let mut disturbed = Journal::default();
    for (now, event) in &events {
        let told = farm.step(*now, event);
        disturbed.stepped(*now, event, &told, &farm);
    }
    assert_ne!(disturbed.starts, 0);
    replay(settings(), &disturbed, 0);

    // Another history has other digests, from where it differs on.
    let digests = |journal: &Journal| -> Vec<u64> {
        let starts = journal.told.iter().flatten().filter_map(|action| match action {
            Action::Start { why, .. } => Some(why.inputs),
            _ => None,
        });
        starts.collect()
    };
    let (one, other) = (digests(&journal), digests(&disturbed));
    let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    assert!(same > 0 && same < one.len(), "{same} of {}", one.len());
    assert!(one[same..].iter().all(|digest| !other.contains(digest)));
}
