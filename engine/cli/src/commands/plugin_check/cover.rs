//! The contract tests of coverage policies.

use std::time::{Duration, Instant};

use headend_model::TargetIx;
use headend_plugin_host::policy::{Answer, PluginInfo};
use headend_plugin_host::{PolicyFault, PolicyHost, PolicyInstance};
use headend_scheduler::action::{Noted, PlanChange};
use headend_scheduler::event::Placement;
use headend_scheduler::view::{PlanView, TargetView, TestView};
use serde_json::{Value, json};

use super::game::Game;
use super::memory::Memory;
use super::passport::{Fault, How, Test};
use super::plans;

/// A deadline that is missed so often is the plugin's own.
pub(super) const TRIES: usize = 3;
/// More rounds than any plan needs.
const ROUNDS: usize = 2_000;
/// Sizes that are tried before the one that counts.
pub(super) const SIZES: &[u32] = &[10, 100];

const ANSWERS: &str = "answers";
const ALLOWED: &str = "allowed";
const REPEATABLE: &str = "repeatable";
const RESTART: &str = "restart";
const LOAD: &str = "load";

/// All of them.
pub(super) fn tests(host: &PolicyHost, info: &PluginInfo, load: u32) -> Vec<Test> {
    let mut found = Findings::default();
    let asked: Vec<String> = [String::new()].into_iter().chain(host.example_parameters(&info.name)).collect();
    for (seed, plan) in plans::all() {
        for parameters in &asked {
            found.play(host, info, seed, &PlanView { parameters: parameters.clone(), ..plan.clone() });
        }
    }
    let mut tests = found.tests();
    let under_load = asked.iter().map(|parameters| under_load(host, info, load, parameters));
    tests.extend(worst(under_load));
    tests
}

/// What the games have shown.
#[derive(Default)]
struct Findings {
    games: u32,
    rounds: u32,
    built_in: u32,
    faults: Vec<(&'static str, Fault)>,
    declined: Option<String>,
}

impl Findings {
    fn play(&mut self, host: &PolicyHost, info: &PluginInfo, seed: u64, plan: &PlanView) {
        for tries in 1..=TRIES {
            let mut trial = Play::new(host, info, seed, plan);
            let stop = trial.run().err();
            match stop {
                Some(Stop::Fault(PolicyFault::Deadline { .. })) if tries < TRIES => continue,
                Some(Stop::Fault(PolicyFault::Declined { what, .. })) => self.declined = Some(what),
                other => self.add(&trial, other),
            }
            break;
        }
    }

    fn add(&mut self, play: &Play<'_>, stop: Option<Stop>) {
        self.games += 1;
        self.rounds += play.rounds;
        self.built_in += play.built_in;
        let (test, what) = match stop {
            None => return,
            Some(Stop::Fault(fault)) => (ANSWERS, fault.to_string()),
            Some(Stop::Broke(test, what)) => (test, what),
        };
        // The first is the smallest.
        if !self.faults.iter().any(|(known, _)| *known == test) {
            self.faults.push((test, Fault { what, input: play.input() }));
        }
    }

    fn tests(mut self) -> Vec<Test> {
        let all = [ANSWERS, ALLOWED, REPEATABLE, RESTART];
        if self.games == 0 {
            let why = format!("it declined every plan: {}", self.declined.unwrap_or_default());
            return all.into_iter().map(|test| Test::not_tried(test, &why)).collect();
        }
        let (games, rounds, built_in) = (self.games, self.rounds, self.built_in);
        let figures = |test| match test {
            ANSWERS => format!("{games} plans, {rounds} rounds, {built_in} of them left to the built-in rule"),
            _ => format!("{games} plans"),
        };
        let mut test = |test| {
            let at = self.faults.iter().position(|(known, _)| *known == test);
            Test::new(test, figures(test), at.map(|at| self.faults.swap_remove(at).1))
        };
        all.into_iter().map(&mut test).collect()
    }
}

/// What ends a game early.
enum Stop {
    Fault(PolicyFault),
    /// The test that it failed, and how.
    Broke(&'static str, String),
}

impl From<PolicyFault> for Stop {
    fn from(fault: PolicyFault) -> Self {
        Self::Fault(fault)
    }
}

/// One game: an instance that goes through all of it, a twin that is told and asked the same, and one that is built in the middle.
struct Play<'a> {
    host: &'a PolicyHost,
    info: &'a PluginInfo,
    /// With all that has happened.
    plan: PlanView,
    game: Game,
    /// The round in which the third one is built.
    restart: u32,
    rounds: u32,
    built_in: u32,
    free: Vec<TargetIx>,
    answers: Vec<Answer>,
}

type Instances = Vec<Box<dyn PolicyInstance>>;

impl<'a> Play<'a> {
    fn new(host: &'a PolicyHost, info: &'a PluginInfo, seed: u64, plan: &PlanView) -> Self {
        Self {
            host,
            info,
            plan: plan.clone(),
            game: Game::new(plan, seed),
            restart: 1 + (seed % 4) as u32,
            rounds: 0,
            built_in: 0,
            free: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        let mut instances = vec![self.instance()?, self.instance()?];
        for _ in 0..ROUNDS {
            let news = self.game.pass_time();
            self.tell(&mut instances, news);
            if self.game.is_over() {
                break;
            }
            if self.rounds == self.restart && instances.len() == 2 {
                instances.push(self.instance()?);
            }
            self.free = self.game.free();
            if !self.free.is_empty() {
                self.round(&mut instances)?;
            }
        }
        self.reports(&mut instances)
    }

    fn instance(&self) -> Result<Box<dyn PolicyInstance>, PolicyFault> {
        self.host.instance(&self.info.name, &self.plan)
    }

    fn tell(&mut self, instances: &mut Instances, news: Vec<Noted>) {
        for instance in instances {
            for change in &news {
                instance.apply(change);
            }
        }
        self.plan.past.extend(news);
    }

    fn round(&mut self, instances: &mut Instances) -> Result<(), Stop> {
        self.rounds += 1;
        self.answers.clear();
        for instance in &mut *instances {
            self.answers.push(instance.propose(self.game.now, &self.free)?);
        }
        let Some(answer) = self.answers.first().cloned() else { return Ok(()) };
        self.game.check(&answer, &self.free).map_err(|what| Stop::Broke(ALLOWED, what))?;
        alike(&self.answers, "answered the same question")?;
        if let Some(placement) = answer.start.first() {
            for instance in &mut *instances {
                let _for_people = instance.reason(*placement)?;
            }
        }
        let (news, built_in) = self.game.take(&answer, &self.free);
        self.built_in += u32::from(built_in);
        self.tell(instances, news);
        Ok(())
    }

    fn reports(&mut self, instances: &mut Instances) -> Result<(), Stop> {
        self.free.clear();
        self.answers.clear();
        let mut reports = Vec::new();
        for instance in instances {
            reports.push(instance.report()?);
        }
        alike(&reports, "reported")
    }

    /// What it had been told and was asked when it ended.
    fn input(&self) -> Value {
        let mut input = plan_json(&self.plan);
        input["free"] = self.free.iter().map(|target| target.0).collect();
        input["answers"] = self.answers.iter().map(answer_json).collect();
        input
    }
}

/// The second is the twin, the third was built in the middle.
fn alike<T: PartialEq>(answers: &[T], did: &str) -> Result<(), Stop> {
    let Some((first, others)) = answers.split_first() else { return Ok(()) };
    let what = match others.iter().position(|other| other != first) {
        None => return Ok(()),
        Some(0) => (
            REPEATABLE,
            format!("two instances of one plan {did} differently; an answer must depend on the plan alone"),
        ),
        Some(_) => (
            RESTART,
            format!(
                "an instance that was built from the past {did} differently; what it counts must come from the changes it is told"
            ),
        ),
    };
    Err(Stop::Broke(what.0, what.1))
}

fn plan_json(plan: &PlanView) -> Value {
    let test = |test: &TestView| json!({ "ix": test.test.0, "runs": test.runs, "known": test.history.is_some() });
    let target = |target: &TargetView| {
        let place = target.place.as_ref().map(|(rack, slot)| format!("{rack}/{}", slot.0));
        let model = target.dut.and_then(|dut| plan.duts.get(&dut)).map(|fields| fields.model_name.as_str());
        json!({ "ix": target.target.0, "place": place, "dut": target.dut.map(|dut| dut.0), "model": model })
    };
    json!({
        "tests": plan.tests.iter().map(test).collect::<Value>(),
        "targets": plan.targets.iter().map(target).collect::<Value>(),
        "past": plan.past.iter().map(|noted| Value::from(told(&noted.change))).collect::<Value>(),
    })
}

fn told(change: &PlanChange) -> String {
    match change {
        PlanChange::Started(at) => format!("{} started", pair(*at)),
        PlanChange::Ended { placement, code } => format!("{} ended with {code}", pair(*placement)),
        PlanChange::TargetLost(target) => format!("target {} lost", target.0),
        PlanChange::Dropped { test, runs } => format!("{runs} runs of test {} dropped", test.0),
    }
}

fn pair(at: Placement) -> String {
    format!("test {} on {}", at.test.0, at.target.0)
}

fn answer_json(answer: &Answer) -> Value {
    json!({
        "start": answer.start.iter().map(|at| json!([at.test.0, at.target.0])).collect::<Value>(),
        "skip": answer.skip.iter().map(|skip| json!([skip.test.0, skip.runs, skip.reason])).collect::<Value>(),
    })
}

/// One that failed, or else one that was tried.
fn worst(tests: impl Iterator<Item = Test>) -> Option<Test> {
    tests.min_by_key(|test| match test.how {
        How::Failed => 0,
        How::Passed => 1,
        How::NotTried => 2,
    })
}

fn under_load(host: &PolicyHost, info: &PluginInfo, load: u32, parameters: &str) -> Test {
    let limits = format!("limits {} ms, {} MiB", info.limits.deadline_ms, info.limits.memory_mib);
    let mut held = String::new();
    for size in SIZES.iter().copied().filter(|size| *size < load).chain([load]) {
        let plan = PlanView { parameters: parameters.to_owned(), ..plans::large(size) };
        match (1..=TRIES).map(|_| measure(host, info, &plan)).find(|result| !missed(result)) {
            Some(Ok(figures)) => held = format!("{size} tests x {size} devices: {figures} ({limits})"),
            Some(Err(Stop::Fault(PolicyFault::Declined { what, .. }))) => return Test::not_tried(LOAD, &what),
            bad => {
                let what = match bad {
                    Some(Err(Stop::Fault(fault))) => fault.to_string(),
                    Some(Err(Stop::Broke(_, what))) => what,
                    _ => format!("it missed its deadline {TRIES} times"),
                };
                return Test::new(LOAD, held, Some(Fault { what, input: json!({ "tests": size, "devices": size }) }));
            }
        }
    }
    Test::new(LOAD, held, None)
}

fn missed(result: &Result<String, Stop>) -> bool {
    matches!(result, Err(Stop::Fault(PolicyFault::Deadline { .. })))
}

/// A full lab: built, asked about all devices, told of all starts and ends, asked about all again.
fn measure(host: &PolicyHost, info: &PluginInfo, plan: &PlanView) -> Result<String, Stop> {
    let (memory, begin) = (Memory::begin(), Instant::now());
    let mut instance = host.instance(&info.name, plan)?;
    let built = begin.elapsed();
    let mut game = Game::new(plan, 0);
    let free: Vec<TargetIx> = plan.targets.iter().map(|target| target.target).collect();
    let mut asked = Vec::new();
    for _ in 0..2 {
        let begin = Instant::now();
        let answer = instance.propose(game.now, &free)?;
        asked.push(millis(begin.elapsed()));
        game.check(&answer, &free).map_err(|what| Stop::Broke(LOAD, what))?;
        for placement in &answer.start {
            instance.apply(&PlanChange::Started(*placement).at(game.now));
            instance.apply(&PlanChange::Ended { placement: *placement, code: 111 }.at(game.now));
        }
        game.done(&answer);
    }
    let taken =
        memory.taken_kib().map(|kib| format!(", at most {} MiB more memory with our own copies", kib.div_ceil(1024)));
    Ok(format!("built in {}, asked in {}{}", millis(built), asked.join(" and "), taken.unwrap_or_default()))
}

pub(super) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
