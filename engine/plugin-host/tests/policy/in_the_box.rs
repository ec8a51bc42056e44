//! The coverage policies in the box: what their pages promise, held through random jobs by judges that know the plan and the events alone.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{DutFields, DutId, Span, TargetIx, TestIx, Timestamp};
use headend_plugin_host::PolicyInstance;
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::history::{LastOutcome, ScriptHistory};
use headend_scheduler::view::PlanView;
use serde_json::Value;

use super::support::{Lab, name, plan};

const TARGETS: u32 = 5;
const FIELDS: [&str; 3] = ["ModelName", "HardwareVersion", "Broadcaster"];

/// What happened, as a farm would note it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Started(Placement),
    Ended(Placement, u16),
    Lost(TargetIx),
    /// Left out by the policy.
    Skipped(TestIx, u32),
    /// No longer fits on the targets that are left.
    Surplus(TestIx, u32),
}

/// Plain books of a plan: every question walks over everything.
#[derive(Clone)]
struct Past {
    now: i64,
    left: BTreeMap<TestIx, u32>,
    been: BTreeSet<(TestIx, TargetIx)>,
    running: BTreeMap<TargetIx, (TestIx, i64)>,
    results: Vec<Placement>,
    lost: BTreeSet<TargetIx>,
    spent_us: BTreeMap<TargetIx, i64>,
}

impl Past {
    fn new(plan: &PlanView) -> Self {
        Self {
            now: 0,
            left: plan.tests.iter().map(|test| (test.test, test.runs)).collect(),
            been: BTreeSet::new(),
            running: BTreeMap::new(),
            results: Vec::new(),
            lost: BTreeSet::new(),
            spent_us: BTreeMap::new(),
        }
    }

    fn is_open(&self, test: TestIx, target: TargetIx) -> bool {
        self.left[&test] > 0 && !self.been.contains(&(test, target)) && !self.lost.contains(&target)
    }

    /// Devices that are there and that the test has not been on.
    fn others(&self, test: TestIx) -> impl Iterator<Item = TargetIx> + '_ {
        (0..TARGETS).map(TargetIx).filter(move |to| !self.lost.contains(to) && !self.been.contains(&(test, *to)))
    }

    fn apply(&mut self, now: i64, event: Event) {
        self.now = now;
        match event {
            Event::Started(of) => {
                assert!(self.is_open(of.test, of.target) && !self.running.contains_key(&of.target), "{of:?}");
                *self.left.get_mut(&of.test).unwrap() -= 1;
                self.been.insert((of.test, of.target));
                self.running.insert(of.target, (of.test, now));
            }
            Event::Ended(of, code) => {
                let (_, since) = self.running.remove(&of.target).unwrap();
                *self.spent_us.entry(of.target).or_default() += now - since;
                if [100, 110, 111].contains(&code) {
                    self.results.push(of);
                }
            }
            Event::Lost(target) => assert!(self.lost.insert(target)),
            Event::Skipped(test, runs) | Event::Surplus(test, runs) => {
                let left = self.left.get_mut(&test).unwrap();
                assert!(runs > 0 && runs <= *left, "{runs} of {left} runs of {test:?}");
                *left -= runs;
            }
        }
    }
}

fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed * 7_919 + 1;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// How rough the farm is.
#[derive(Clone, Copy)]
struct Weather {
    /// Runs come to nothing, devices are lost.
    faults: bool,
    /// Devices are busy with other jobs now and then.
    busy: bool,
}

/// A job from its plan to its end, with the policy and a twin that is thrown away and built again now and then.
struct Play<'a> {
    lab: &'a Lab,
    policy: &'static str,
    plan: PlanView,
    past: Past,
    events: Vec<(i64, Event)>,
    one: Box<dyn PolicyInstance>,
    two: Box<dyn PolicyInstance>,
    ends: BTreeMap<TargetIx, i64>,
}

impl<'a> Play<'a> {
    fn new(lab: &'a Lab, policy: &'static str, plan: PlanView) -> Self {
        let build = || lab.host.instance(&name(policy), &plan).unwrap();
        let (one, two) = (build(), build());
        Self { lab, policy, past: Past::new(&plan), plan, events: Vec::new(), one, two, ends: BTreeMap::new() }
    }

    fn tell(&mut self, now: i64, event: Event) {
        self.past.apply(now, event);
        self.events.push((now, event));
        let change = match event {
            Event::Started(of) => PlanChange::Started(of),
            Event::Ended(placement, code) => PlanChange::Ended { placement, code },
            Event::Lost(target) => PlanChange::TargetLost(target),
            Event::Skipped(test, runs) | Event::Surplus(test, runs) => PlanChange::Dropped { test, runs },
        };
        let noted = change.at(Timestamp::from_micros(now));
        self.one.apply(&noted);
        self.two.apply(&noted);
        self.plan.past.push(noted);
    }

    fn rebuild(&mut self) {
        self.two = self.lab.host.instance(&name(self.policy), &self.plan).unwrap();
        if self.policy == "time-budget" {
            // Its sets go back to questions that the new instance has not heard.
            self.one = self.lab.host.instance(&name(self.policy), &self.plan).unwrap();
        }
    }

    /// Plays until no run is left; the report.
    fn finish(&mut self, seed: u64, weather: Weather) -> String {
        let mut random = numbers(seed);
        let mut now = 1_000_000;
        for _ in 0..3_000 {
            if self.past.left.values().all(|left| *left == 0) && self.past.running.is_empty() {
                let report = self.one.report().unwrap();
                assert_eq!(report, self.two.report().unwrap());
                return report;
            }
            if weather.faults && random(30) == 0 {
                self.rebuild();
            }
            if weather.faults && random(40) == 0 && self.past.lost.len() < 2 {
                self.lose(now, TargetIx(random(u64::from(TARGETS)) as u32));
            }
            let mut free: Vec<TargetIx> = (0..TARGETS).map(TargetIx).collect();
            free.retain(|to| !self.past.lost.contains(to) && !self.past.running.contains_key(to));
            free.retain(|_| !weather.busy || random(4) > 0);
            if !free.is_empty() && self.ask(now, &free, &mut random) {
                continue;
            }
            if let Some((target, end)) = self.ends.iter().map(|(to, end)| (*to, *end)).min_by_key(|(_, end)| *end) {
                now = now.max(end);
                self.ends.remove(&target);
                let (test, _) = self.past.running[&target];
                let code = if weather.faults { [111, 111, 110, 100, 100, 1, 101][random(7) as usize] } else { 111 };
                self.tell(now, Event::Ended(Placement { test, target }, code));
            }
        }
        panic!("{} does not come to an end: {:?}", self.policy, self.past.left);
    }

    fn ask(&mut self, now: i64, free: &[TargetIx], random: &mut impl FnMut(u64) -> u64) -> bool {
        let time = Timestamp::from_micros(now);
        let answer = self.one.propose(time, free).unwrap();
        assert_eq!(answer, self.two.propose(time, free).unwrap(), "same plan, same news, same question");
        assert!(answer.start.iter().all(|of| free.contains(&of.target)), "{answer:?} for {free:?}");
        let open = |to: &&TargetIx| self.past.left.keys().any(|test| self.past.is_open(*test, **to));
        if answer.start.is_empty() && answer.skip.is_empty() {
            let idle = self.past.running.is_empty() && free.iter().find(open).is_some();
            assert!(!idle, "{} waits for nothing: {free:?}, {:?}", self.policy, self.past.left);
            return false;
        }
        for of in answer.start {
            assert!(!self.one.reason(of).unwrap().is_empty());
        }
        let answer = self.one.propose(time, free).unwrap();
        let _same = self.two.propose(time, free).unwrap();
        for of in answer.start {
            let length =
                self.plan.tests.iter().find(|test| test.test == of.test).and_then(|test| test.history.as_ref());
            let length = length.map_or(400_000_000, |history| history.p90.as_micros());
            self.ends.insert(of.target, now + length * (60 + random(60) as i64) / 100);
            self.tell(now, Event::Started(of));
        }
        for skip in answer.skip {
            assert!(skip.reason.len() <= 300 && skip.reason.len() > 20, "{}", skip.reason);
            self.tell(now, Event::Skipped(skip.test, skip.runs));
        }
        true
    }

    fn lose(&mut self, now: i64, target: TargetIx) {
        if self.past.lost.contains(&target) {
            return;
        }
        if let Some((test, _)) = self.past.running.get(&target).copied() {
            self.ends.remove(&target);
            self.tell(now, Event::Ended(Placement { test, target }, 1));
        }
        self.tell(now, Event::Lost(target));
        for (test, left) in self.past.left.clone() {
            let fit = self.past.others(test).count() as u32;
            if left > fit {
                self.tell(now, Event::Surplus(test, left - fit));
            }
        }
    }

    /// Goes through the events again, each with the books before it.
    fn replay(&self, mut judge: impl FnMut(&Past, Event)) -> Past {
        let mut past = Past::new(&self.plan);
        for (now, event) in &self.events {
            past.now = *now;
            judge(&past, *event);
            past.apply(*now, *event);
        }
        past
    }
}

/// A job with a past: tests, devices, parameters.
fn job(seed: u64, parameters: &str) -> PlanView {
    let mut random = numbers(seed);
    let runs: Vec<u32> = (0..2 + random(5)).map(|_| 1 + random(u64::from(TARGETS)) as u32).collect();
    let mut plan = PlanView { parameters: parameters.to_owned(), ..plan(&runs, TARGETS) };
    plan.accepted = Timestamp::from_micros(1_000_000);
    for test in &mut plan.tests {
        let failures_in_a_row = random(3) as u32;
        let p50 = Span::millis(1_000 + random(600) as i64 * 1_000);
        test.history = (random(4) > 0).then_some(ScriptHistory {
            runs: 9,
            passed: 5,
            last_code: if failures_in_a_row > 0 { 100 } else { 111 },
            failures_in_a_row,
            p50,
            p90: Span::millis(p50.as_micros() / 1_000 + 5_000),
        });
        for target in 0..TARGETS {
            if random(4) > 0 {
                continue;
            }
            let outcome =
                LastOutcome { code: [100, 111][random(2) as usize], at: Timestamp::from_micros(random(900) as i64) };
            plan.outcomes.push((Placement { test: test.test, target: TargetIx(target) }, outcome));
        }
    }
    for target in &plan.targets {
        let mut pick = |of: &[&str]| of[random(of.len() as u64) as usize].to_owned();
        let fields = DutFields {
            model_name: pick(&["A", "A", "B"]),
            hardware_version: pick(&["1", "2", "3"]),
            broadcaster: pick(&["x", "y", ""]),
            ..DutFields::default()
        };
        plan.duts.insert(target.dut.unwrap(), fields);
    }
    // Somebody has filled in each field somewhere.
    plan.duts.get_mut(&DutId(100)).unwrap().broadcaster = "x".into();
    plan
}

fn through_random_jobs(policy: &'static str, parameters: &str, judge: impl Fn(&Play<'_>, &str)) {
    let lab = Lab::new();
    lab.host.load(&lab.stage_own(policy)).unwrap();
    for seed in 0..40 {
        let weather = Weather { faults: seed % 4 > 0, busy: seed % 2 > 0 };
        let mut play = Play::new(&lab, policy, job(seed, parameters));
        let report = play.finish(seed, weather);
        judge(&play, &report);
    }
}

#[test]
fn longest_first_starts_the_longest_that_there_is() {
    through_random_jobs("longest-first", "{}", |play, _| {
        let length = |test: TestIx| {
            let history = play.plan.tests[test.0 as usize].history.as_ref();
            history.map_or(i64::MAX, |history| history.p50.as_micros())
        };
        play.replay(|past, event| {
            assert!(!matches!(event, Event::Skipped(..)));
            let Event::Started(of) = event else { return };
            let longer =
                past.left.keys().find(|test| past.is_open(**test, of.target) && length(**test) > length(of.test));
            assert_eq!(longer, None, "{of:?}");
        });
    });
}

#[test]
fn failed_first_repeats_a_failure_where_it_happened_before_anything_else() {
    through_random_jobs("failed-first", "{}", |play, _| {
        let failed = |test: TestIx, target: TargetIx| {
            let pair = play.plan.outcomes.iter().find(|(of, _)| *of == Placement { test, target });
            pair.is_some_and(|(_, outcome)| outcome.code == 100)
        };
        play.replay(|past, event| {
            assert!(!matches!(event, Event::Skipped(..)));
            let Event::Started(of) = event else { return };
            let missed = past.left.keys().any(|test| past.is_open(*test, of.target) && failed(*test, of.target));
            assert!(failed(of.test, of.target) || !missed, "{of:?}");
        });
    });
}

/// A run may be left out only when more are left than devices that could add something.
fn judge_skip(past: &Past, event: Event, is_useful: impl Fn(TestIx, TargetIx) -> bool) {
    if let Event::Skipped(test, runs) = event {
        let useful = past.others(test).filter(|to| is_useful(test, *to)).count() as u32;
        assert!(past.left[&test] - runs >= useful.min(past.left[&test]), "{event:?}: {useful} could be of use");
    }
}

#[test]
fn once_per_model_repeats_no_model_and_leaves_out_only_what_would() {
    through_random_jobs("once-per-model", "{}", |play, report| {
        let model = |target: TargetIx| play.plan.duts[&DutId(u64::from(target.0) + 100)].model_name.clone();
        let is_done = |past: &Past, test, target| {
            past.results.iter().any(|of| of.test == test && model(of.target) == model(target))
        };
        let past = play.replay(|past, event| {
            judge_skip(past, event, |test, to| !is_done(past, test, to));
            let Event::Started(of) = event else { return };
            let mut running = past.running.iter();
            let again = is_done(past, of.test, of.target)
                || running.any(|(to, (test, _))| *test == of.test && model(*to) == model(of.target));
            assert!(!again || past.running.is_empty(), "{of:?} repeats a model");
        });
        let report: Value = serde_json::from_str(report).unwrap();
        let done: BTreeSet<_> = past.results.iter().map(|of| (of.test, model(of.target))).collect();
        assert_eq!(report["done"], done.len());
        assert_eq!(
            report["missed"].as_array().unwrap().len(),
            report["wanted"].as_u64().unwrap() as usize - done.len()
        );
    });
}

/// A pair: a test and a value, or two values, each with its field.
type Pair = BTreeSet<String>;

/// The pairs that a run shows, from the device's fields alone.
fn pairs(plan: &PlanView, test: TestIx, target: TargetIx) -> BTreeSet<Pair> {
    let dut = &plan.duts[&DutId(u64::from(target.0) + 100)];
    let values = [&dut.model_name, &dut.hardware_version, &dut.broadcaster];
    let filled = FIELDS.iter().zip(values).filter(|(_, value)| !value.is_empty());
    let mut words: Vec<String> = filled.map(|(field, value)| format!("{field}={value}")).collect();
    words.push(format!("test {}", test.0));
    let pair = |(n, one): (usize, &String)| {
        words[n + 1..].iter().map(|other| [one.clone(), other.clone()].into()).collect::<Vec<Pair>>()
    };
    words.iter().enumerate().flat_map(pair).collect()
}

/// The certificate's own lists, as pairs.
fn certified(certificate: &Value) -> (BTreeSet<Pair>, BTreeSet<Pair>) {
    let word = |value: &Value| format!("{}={}", value[0].as_str().unwrap(), value[1].as_str().unwrap());
    let mut covered: BTreeSet<Pair> = BTreeSet::new();
    for row in certificate["values"].as_array().unwrap() {
        covered.insert([word(&row["pair"][0]), word(&row["pair"][1])].into());
    }
    for row in certificate["tests"].as_array().unwrap() {
        for (field, by) in certificate["fields"].as_array().unwrap().iter().zip(row["on"].as_array().unwrap()) {
            for (value, target) in field["values"].as_array().unwrap().iter().zip(by.as_array().unwrap()) {
                let value = format!("{}={}", field["name"].as_str().unwrap(), value.as_str().unwrap());
                if !target.is_null() {
                    covered.insert([value, format!("test {}", row["test"])].into());
                }
            }
        }
    }
    let missed = certificate["not_covered"].as_array().unwrap().iter().map(|row| {
        let test = row.get("test").map(|test| format!("test {test}"));
        row["values"].as_array().unwrap().iter().map(word).chain(test).collect()
    });
    (covered, missed.collect())
}

#[test]
fn the_pairwise_certificate_is_what_plan_and_events_say() {
    let parameters = serde_json::json!({ "fields": FIELDS }).to_string();
    through_random_jobs("pairwise", &parameters, |play, report| {
        let covered = |past: &Past| -> BTreeSet<Pair> {
            past.results.iter().flat_map(|of| pairs(&play.plan, of.test, of.target)).collect()
        };
        let past = play.replay(|past, event| {
            judge_skip(past, event, |test, to| !pairs(&play.plan, test, to).is_subset(&covered(past)));
            let Event::Started(of) = event else { return };
            let running = past.running.iter().flat_map(|(to, (test, _))| pairs(&play.plan, *test, *to));
            let known: BTreeSet<Pair> = covered(past).into_iter().chain(running).collect();
            let adds = !pairs(&play.plan, of.test, of.target).is_subset(&known);
            assert!(adds || past.running.is_empty(), "{of:?} adds nothing");
        });
        let all: BTreeSet<Pair> = play
            .plan
            .tests
            .iter()
            .flat_map(|test| (0..TARGETS).flat_map(|to| pairs(&play.plan, test.test, TargetIx(to))))
            .collect();
        let covered = covered(&past);
        let certificate: Value = serde_json::from_str(report).unwrap();
        let missed = all.difference(&covered).cloned().collect();
        assert_eq!(certified(&certificate), (covered.clone(), missed));
        let count = |key: &str, part: &str| certificate[key][part].as_u64().unwrap() as usize;
        assert_eq!(count("test_pairs", "covered") + count("value_pairs", "covered"), covered.len());
        assert_eq!(count("test_pairs", "all") + count("value_pairs", "all"), all.len());
    });
}

#[test]
fn pairwise_covers_everything_with_few_runs_when_runs_are_plenty() {
    let lab = Lab::new();
    lab.host.load(&lab.stage_own("pairwise")).unwrap();
    let parameters = serde_json::json!({ "fields": FIELDS }).to_string();
    for seed in 0..10 {
        let mut plan = job(seed, &parameters);
        plan.tests.iter_mut().for_each(|test| test.runs = TARGETS);
        let mut story = Play::new(&lab, "pairwise", plan);
        let report = story.finish(seed, Weather { faults: false, busy: false });
        let certificate: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(certificate["not_covered"], serde_json::json!([]), "{report}");
    }
}

#[test]
fn time_budget_starts_only_what_fits_and_leaves_out_only_what_does_not() {
    let parameters = r#"{"budget_s": 900, "unknown_s": 400, "worth": "failures"}"#;
    through_random_jobs("time-budget", parameters, |play, _| {
        let takes = |test: TestIx| {
            let history = play.plan.tests[test.0 as usize].history.as_ref();
            history.map_or(400_000_000, |history| history.p90.as_micros())
        };
        play.replay(|past, event| {
            let spent = |to: TargetIx| past.spent_us.get(&to).copied().unwrap_or_default();
            let runs = |to: TargetIx| past.running.get(&to).map_or(0, |(_, since)| past.now - since);
            // The plugin counts whole milliseconds, rounded up once per run.
            let fits = |test, to| spent(to) + runs(to) + takes(test) + 20_000 <= 900_000_000;
            match event {
                Event::Started(of) => assert!(spent(of.target) + takes(of.test) <= 900_000_000, "{of:?}"),
                Event::Skipped(..) if !past.running.is_empty() => judge_skip(past, event, fits),
                _ => {}
            }
        });
    });
}

#[test]
fn a_budget_and_fields_that_nobody_has_named_are_asked_for() {
    let lab = Lab::new();
    for policy in ["time-budget", "pairwise"] {
        lab.host.load(&lab.stage_own(policy)).unwrap();
        let fault = lab.host.instance(&name(policy), &plan(&[1], 1)).err().unwrap().to_string();
        assert!(fault.contains(if policy == "pairwise" { "fields" } else { "budget_s" }), "{fault}");
    }
}
