//! Policies that give back what they are given: whatever the host is asked lies in their memory, and their answers point into it. So
//! any answer that a policy can give comes out of some question.

use headend_model::{JobId, Priority, RackName, SlotId, SlotNo, TargetIx, TestIx, Timestamp, UserName};
use headend_scheduler::action::{OwnerUsage, PlanChange, RankedJob, RankedSlot};
use headend_scheduler::event::Placement;
use headend_scheduler::view::{PlanView, TestView};
use wasmtime::component::Component;

use super::{engine, of, ticker};
use crate::manifest::Kind;
use crate::policy::wasm::WasmPolicy;
use crate::policy::{Answer, MAX_REPORT, PolicyFault, Serves};
use crate::wasm::componentize;

/// Most bytes that one call may hand back.
const MOST_BYTES: usize = 1 << 20;

/// Both mirrors (`tests/guests/policies/frames/mirror-*.wat`), ready to be asked.
pub struct Mirror {
    coverage: WasmPolicy,
    queue: WasmPolicy,
}

/// Numbers from bytes; zeros when they are used up.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> u32 {
        let (word, rest) = self.0.split_at(self.0.len().min(4));
        self.0 = rest;
        let mut bytes = [0; 4];
        bytes[..word.len()].copy_from_slice(word);
        u32::from_le_bytes(bytes)
    }

    /// At most so many.
    fn some(&mut self, most: usize) -> Vec<u32> {
        let count = (self.next() as usize).min(most).min(self.0.len().div_ceil(4));
        (0..count).map(|_| self.next()).collect()
    }

    fn long(&mut self) -> i64 {
        i64::from(self.next()) | (i64::from(self.next()) << 32)
    }
}

impl Mirror {
    /// From the core modules with their WIT.
    pub fn new(coverage: &[u8], queue: &[u8]) -> Self {
        let policy = |code: &[u8], kind| {
            let component = componentize(code.to_vec()).expect("a sound module");
            let component = Component::new(engine(), component).expect("a sound component");
            WasmPolicy::compiled_here(&component, &of(kind, 2), ticker()).expect("a policy")
        };
        Self { coverage: policy(coverage, Kind::CoveragePolicy), queue: policy(queue, Kind::QueuePolicy) }
    }

    /// Questions from these bytes. Every answer is within its bounds or a fault; a fault stays; what the coverage policy wants is given
    /// back.
    pub fn ask(&self, bytes: &[u8]) -> Vec<Answer> {
        let mut words = Words(bytes);
        let answers = self.cover(&mut words);
        self.order(&mut words);
        answers
    }

    fn cover(&self, words: &mut Words<'_>) -> Vec<Answer> {
        let test = |runs: u32| TestView { test: TestIx(runs), runs, name: "mirror".into(), history: None };
        let plan = PlanView {
            accepted: Timestamp::from_micros(words.long()),
            tests: words.some(16).into_iter().map(test).collect(),
            ..PlanView::default()
        };
        let parameters = "{}".to_owned();
        let mut instance = match self.coverage.coverage(&plan, parameters) {
            Ok(instance) => instance,
            Err(fault) => {
                sound(&fault);
                return Vec::new();
            }
        };
        let mut answers = Vec::new();
        while !words.0.is_empty() {
            if words.next().is_multiple_of(5) {
                return answers;
            }
            answers.extend(one_round(&mut *instance, words));
        }
        answers
    }

    fn order(&self, words: &mut Words<'_>) {
        let mut queue = match self.queue.queue("{}") {
            Ok(queue) => queue,
            Err(fault) => return sound(&fault),
        };
        let owner = UserName::new("mirror").expect("a name");
        let job = |id: u64| RankedJob {
            job: JobId(id),
            owner: owner.clone(),
            priority: Priority(5),
            accepted: Timestamp::EPOCH,
            usage: OwnerUsage::default(),
        };
        let jobs: Vec<_> =
            words.some(8).into_iter().map(|low| job(u64::from(low) | (u64::from(words.next()) << 32))).collect();
        let rack = RackName::new("mirror").expect("a name");
        let slot = |n: u32| RankedSlot {
            slot: SlotId(n),
            rack: rack.clone(),
            no: SlotNo(1),
            dut: None,
            starts: u64::from(n) << 7,
            device_ms: u64::from(n),
            last_used: None,
        };
        let slots: Vec<_> = words.some(8).into_iter().map(slot).collect();
        for (ranks, asked) in [(queue.rank(&jobs), jobs.len()), (queue.rank_slots(&slots), slots.len())] {
            match ranks {
                Ok(ranks) => assert_eq!(ranks.len(), asked, "one rank each"),
                Err(fault) => sound(&fault),
            }
        }
    }
}

fn one_round(instance: &mut dyn Serves, words: &mut Words<'_>) -> Option<Answer> {
    let (now, free) = (Timestamp::from_micros(words.long()), words.some(64));
    let free: Vec<TargetIx> = free.into_iter().map(TargetIx).collect();
    let answer = instance.propose(now, &free);
    check(&answer, || instance.propose(now, &free));
    if let Ok(Answer { start, skip }) = &answer {
        assert!(start.len() <= MOST_BYTES / 8 && skip.len() <= MOST_BYTES / 16);
        assert!(skip.iter().all(|skip| skip.reason.len() <= 300));
    }
    let of = Placement { test: TestIx(words.next()), target: TargetIx(words.next()) };
    instance.apply(&PlanChange::Started(of).at(now));
    let reason = instance.reason(of);
    assert!(reason.as_ref().is_ok_and(|text| text.len() <= 300) || reason.is_err());
    check(&reason, || instance.reason(of));
    let report = instance.report();
    assert!(report.as_ref().is_ok_and(|text| text.len() <= MAX_REPORT) || report.is_err());
    check(&report, || instance.report());
    answer.ok()
}

/// A fault stays, whatever is asked.
fn check<T: std::fmt::Debug + PartialEq>(one: &Result<T, PolicyFault>, again: impl FnOnce() -> Result<T, PolicyFault>) {
    if let Err(fault) = one {
        sound(fault);
        let kept = !matches!(fault, PolicyFault::AnswerTooLarge { call: "report", .. });
        assert!(!kept || again().as_ref() == Err(fault));
    }
}

/// It is the guest's fault, and told in a few words.
fn sound(fault: &PolicyFault) {
    let text = fault.to_string();
    assert!(text.len() <= 2_000 && !text.contains("the host panicked"), "{text}");
    assert!(!matches!(fault, PolicyFault::Deadline { .. } | PolicyFault::Memory { .. }), "{text}");
}
