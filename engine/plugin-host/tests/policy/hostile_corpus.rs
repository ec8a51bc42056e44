//! The hostile policies of `tests/guests/policies`: each ends as its verdict says, in a farm that goes on, beside a policy that does
//! not notice. One host serves them all, some at a time, as a server's does.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use headend_model::{DutId, JobId, Priority, RackName, SlotId, SlotNo, Span, Timestamp, UserName};
use headend_plugin_host::lifecycle::LoadError;
use headend_plugin_host::{PolicyFault, PolicyInstance};
use headend_scheduler::FarmConfig;
use headend_scheduler::action::{OwnerUsage, RankedJob, RankedSlot};
use serde::Deserialize;

use super::assemble::embed;
use super::cases;
use super::made;
use super::queue_farm::Bench;
use super::support::{Lab, free, name, plan};
use super::table::{Question, Said, Table};

/// Cases at a time: two cores, and children that compile.
const AT_ONCE: usize = 3;
const KIND: &str = "policies";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    frame: Frame,
    #[serde(default)]
    always: bool,
    #[serde(default)]
    limits: BTreeMap<String, i64>,
    #[serde(default)]
    capabilities: Vec<String>,
    pages: Option<u32>,
    #[serde(flatten)]
    code: Code,
    end: End,
    /// The call that failed, or the step of loading that did.
    call: Option<String>,
    text: Option<String>,
    /// It fails until it is put aside.
    #[serde(default = "yes")]
    quarantined: bool,
}

const fn yes() -> bool {
    true
}

/// What it is made of.
#[derive(Deserialize)]
struct Code {
    rhai: Option<String>,
    component: Option<String>,
    made: Option<Made>,
    #[serde(default)]
    imports: String,
    #[serde(default)]
    module: String,
    #[serde(default)]
    realloc: String,
    #[serde(default)]
    build: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    propose: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    report: String,
    #[serde(default)]
    rank: String,
    #[serde(default)]
    slot_rank: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    what: String,
    count: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Frame {
    #[default]
    Coverage,
    #[serde(rename = "coverage-1")]
    CoverageV1,
    Queue,
}

/// The class of its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    /// It is not let in.
    Refused,
    Deadline,
    Fuel,
    Memory,
    TooLarge,
    Failed,
    Declined,
    /// Its answers break the rules of the contract.
    Lie,
    /// No fault: it does no harm.
    Contained,
}

/// What became of it.
#[derive(Debug)]
struct Found {
    end: End,
    call: String,
    text: String,
    quarantined: bool,
}

impl Case {
    /// File name and content.
    fn file(&self) -> (&'static str, Vec<u8>) {
        let is_rhai = self.name.starts_with("rhai-");
        if let Some(Made { what, count }) = &self.code.made {
            return (if is_rhai { "p.rhai" } else { "p.wasm" }, made::make(what, *count));
        }
        if let Some(source) = &self.code.rhai {
            return ("p.rhai", source.clone().into_bytes());
        }
        if let Some(text) = &self.code.component {
            return ("p.wasm", wat::parse_str(text).unwrap());
        }
        let (frame, version, world) = match self.frame {
            Frame::Coverage => ("coverage.wat", "v2", "coverage-policy"),
            Frame::CoverageV1 => ("coverage-1.wat", "v1", "coverage-policy"),
            Frame::Queue => ("queue.wat", "v2", "queue-policy"),
        };
        ("p.wasm", embed(&self.fill(frame), version, world))
    }

    /// The frame with the parts of the case.
    fn fill(&self, frame: &str) -> String {
        let Code { build, note, propose, reason, report, rank, slot_rank, imports, module, realloc, .. } = &self.code;
        let guarded = [
            ("{build}", &**build),
            ("{note}", note),
            ("{propose}", propose),
            ("{reason}", reason),
            ("{report}", report),
            ("{rank}", rank),
            ("{slot-rank}", slot_rank),
        ];
        let pages = self.pages.unwrap_or(1).to_string();
        let plain = [("{imports}", &**imports), ("{module}", module), ("{realloc}", realloc), ("{pages}", &pages)];
        cases::fill((KIND, frame), self.always, &guarded, &plain)
    }

    fn manifest(&self, file: &str) -> String {
        let kind = if self.frame == Frame::Queue { "queue-policy" } else { "coverage-policy" };
        let world = if self.frame == Frame::CoverageV1 { "1.0.0" } else { "2.0.0" };
        format!(
            "name = \"{}\"\nversion = \"1.0.0\"\nkind = \"{kind}\"\nworld = \"{world}\"\nfile = \"{file}\"\n{}",
            self.name,
            cases::grants(&self.capabilities, &self.limits)
        )
    }

    fn run(&self, lab: &Lab) -> Found {
        let (file, code) = self.file();
        let folder = lab.write(&self.name, file, &code, "");
        fs::write(folder.join("headend-plugin.toml"), self.manifest(file)).unwrap();
        let found = match cases::let_in(self.end == End::Refused, || lab.host.load(&folder).map(drop)) {
            Err(error) => refused(&error),
            Ok(()) if self.frame == Frame::Queue => self.order(lab),
            Ok(()) => self.cover(lab),
        };
        let _gone = lab.host.remove(&name(&self.name));
        fs::remove_dir_all(folder).unwrap();
        found
    }

    /// A job under it, to its end.
    fn cover(&self, lab: &Lab) -> Found {
        let mut table = Table::new(3, &[2, 1, 3]);
        let mut first: Option<PolicyFault> = None;
        let mut instance = None;
        table.play(|question| match ask(lab, &self.name, &mut instance, question) {
            Ok(said) => said,
            Err(fault) => {
                instance = None;
                let text = fault.to_string();
                let declined = matches!(fault, PolicyFault::Declined { .. });
                first.get_or_insert(fault);
                if declined { Said::Declined(text) } else { Said::Failed(text) }
            }
        });
        let quarantined = table.quarantined;
        match (first, table.strikes.first()) {
            (Some(fault), _) => Found { quarantined, ..fault_found(&fault) },
            (None, Some(lie)) => Found { end: End::Lie, call: "propose".into(), text: lie.clone(), quarantined },
            (None, None) => contained(),
        }
    }

    /// Three jobs and three slots; and when nothing comes of that, a farm.
    fn order(&self, lab: &Lab) -> Found {
        let asked = || -> Result<(), PolicyFault> {
            let mut queue = lab.host.queue(&name(&self.name))?;
            assert_eq!(queue.rank(&jobs())?.len(), 3);
            assert_eq!(queue.rank_slots(&slots())?.len(), 3);
            Ok(())
        };
        if let Err(fault) = asked() {
            return Found { quarantined: true, ..fault_found(&fault) };
        }
        let queue = lab.host.queue(&name(&self.name)).unwrap();
        let mut bench = Bench::new(3, FarmConfig::default(), Some(queue), || Span::seconds(5));
        for owner in ["anna", "bert", "carl"] {
            bench.submit(owner, 5, 4);
        }
        bench.pass(Span::seconds(120), |_| {});
        assert_eq!((bench.starts.len(), bench.failures.as_str()), (12, ""), "{}: everything was started", self.name);
        contained()
    }

    fn judge(&self, found: &Found) -> Result<(), String> {
        let call = self.call.as_ref().is_none_or(|call| *call == found.call);
        let text = cases::is_about(&found.text, self.text.as_ref());
        let must = self.quarantined && !matches!(self.end, End::Refused | End::Contained | End::Declined);
        if found.end == self.end && call && text && (found.quarantined || !must) {
            return Ok(());
        }
        Err(format!("{found:?}; expected {:?} in {:?} with {:?}, quarantined: {must}", self.end, self.call, self.text))
    }
}

/// As a server asks: the instance that there is, or one from plan and past; and reasons for all that it wants.
fn ask(
    lab: &Lab,
    policy: &str,
    slot: &mut Option<Box<dyn PolicyInstance>>,
    question: &Question,
) -> Result<Said, PolicyFault> {
    let mut instance = match slot.take() {
        Some(mut instance) => {
            question.changes.iter().for_each(|news| instance.apply(news));
            instance
        }
        None => lab.host.instance(&name(policy), &question.plan)?,
    };
    let Some(free) = &question.free else { return Ok(Said::Report(instance.report()?)) };
    let answer = instance.propose(Timestamp::from_micros(1), free)?;
    for placement in answer.start.iter().take(20) {
        assert!(instance.reason(*placement)?.len() <= 300);
    }
    assert!(answer.skip.iter().all(|skip| skip.reason.len() <= 300));
    *slot = Some(instance);
    Ok(Said::Answer(answer.start, answer.skip))
}

fn contained() -> Found {
    Found { end: End::Contained, call: String::new(), text: String::new(), quarantined: false }
}

fn refused(error: &LoadError) -> Found {
    let (call, text) = cases::refusal(error);
    Found { end: End::Refused, call, text, quarantined: false }
}

fn fault_found(fault: &PolicyFault) -> Found {
    let (end, call) = match fault {
        PolicyFault::Deadline { call, .. } => (End::Deadline, *call),
        PolicyFault::Fuel { call, .. } => (End::Fuel, *call),
        PolicyFault::Memory { call, .. } => (End::Memory, *call),
        PolicyFault::AnswerTooLarge { call, .. } => (End::TooLarge, *call),
        PolicyFault::Failed { call, .. } => (End::Failed, *call),
        PolicyFault::Declined { .. } => (End::Declined, "build"),
        other => panic!("no fault of a policy: {other}"),
    };
    Found { end, call: call.into(), text: fault.to_string(), quarantined: false }
}

fn jobs() -> Vec<RankedJob> {
    let job = |id: u64| RankedJob {
        job: JobId(id),
        owner: UserName::new("anna").unwrap(),
        priority: Priority(5),
        accepted: Timestamp::from_micros(id as i64),
        usage: OwnerUsage::default(),
    };
    (1..=3).map(job).collect()
}

fn slots() -> Vec<RankedSlot> {
    let slot = |n: u32| RankedSlot {
        slot: SlotId(n),
        rack: RackName::new("rack1").unwrap(),
        no: SlotNo(n as u16),
        dut: Some(DutId(n.into())),
        starts: 1,
        device_ms: 5,
        last_used: None,
    };
    (1..=3).map(slot).collect()
}

/// Asked all the while, by a thread of its own.
fn bystander(lab: &Lab, done: &dyn Fn() -> bool) {
    let mut instance = lab.host.instance(&name("bystander"), &plan(&[2, 2], 2)).unwrap();
    while !done() {
        let answer = instance.propose(Timestamp::EPOCH, &free(&[0, 1])).unwrap();
        assert_eq!(answer.start, [], "as ever");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_hostile_policy_ends_as_its_verdict_says() {
    let mut all: Vec<Case> = cases::read(KIND);
    if let Some(only) = cases::only() {
        all.retain(|case| case.name.contains(&only));
    } else {
        let scripts = all.iter().filter(|case| case.name.starts_with("rhai-")).count();
        assert!(scripts >= 60 && all.len() - scripts >= 60, "{scripts} of {} are in Rhai", all.len());
    }
    let before = cases::Before::now();
    let lab = Lab::new();
    lab.rhai("bystander", "fn propose(plan, free) { [] }", "[limits]\ndeadline_ms = 30000").unwrap();
    let judge = |case: &Case| case.judge(&case.run(&lab));
    cases::go_through(&all, AT_ONCE, |case| &case.name, judge, |done| bystander(&lab, done));
    let left: Vec<_> = lab.host.list().into_iter().map(|info| info.name.to_string()).collect();
    assert_eq!(left, ["bystander"]);
    cases::Before::nothing_is_half_made(lab.home.path());
    drop(lab);
    before.nothing_is_left();
}

#[test]
fn a_good_component_cut_or_changed_anywhere_is_refused_or_still_sound() {
    let lab = Lab::new();
    let case: Case = toml::from_str("name = \"tampered\"\nend = \"contained\"").unwrap();
    let (file, good) = case.file();
    let folder = lab.write("tampered", file, &good, "");
    fs::write(folder.join("headend-plugin.toml"), case.manifest(file)).unwrap();
    lab.host.load(&folder).unwrap();
    let step = good.len() / 12;
    let cut = (0..12).map(|n| good[..n * step].to_vec());
    let flipped = (0..24).map(|n| {
        let mut bytes = good.clone();
        bytes[(n * 7919) % good.len()] ^= 1 << (n % 8);
        bytes
    });
    for bytes in cut.chain(flipped) {
        fs::write(folder.join(file), &bytes).unwrap();
        match lab.host.load(&folder) {
            Ok(_) => assert_ne!(case.cover(&lab).end, End::Refused),
            Err(error) => assert!(
                ["compile", "link", "self-check"].contains(&error.step().as_str()),
                "{error} in step {}",
                error.step()
            ),
        }
    }
    fs::write(folder.join(file), &good).unwrap();
    lab.host.load(&folder).unwrap();
}
