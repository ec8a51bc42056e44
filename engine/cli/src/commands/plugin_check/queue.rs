//! The contract tests of queue policies.

use std::fmt::Debug;
use std::time::Instant;

use headend_model::{DutId, JobId, Priority, RackName, SlotId, SlotNo, Timestamp, UserName};
use headend_plugin_host::policy::{PluginInfo, QueueInstance};
use headend_plugin_host::{PolicyFault, PolicyHost};
use headend_scheduler::action::{OwnerUsage, RankedJob, RankedSlot};
use serde_json::{Value, json};

use super::cover::{SIZES, TRIES, millis};
use super::memory::Memory;
use super::passport::{Fault, Test};
use super::plans::ACCEPTED;
use super::random::Random;

/// Jobs, and slots, that are asked about.
const MANY: u32 = 120;
/// The most that a server asks about at a time.
const AT_A_TIME: usize = 512;
const OWNERS: &[&str] = &["ana", "bo", "ci", "nightly", "zoe"];

const ANSWERS: &str = "answers";
const REPEATABLE: &str = "repeatable";
const COMPANY: &str = "company";
const TIME: &str = "time";
const LOAD: &str = "load";

/// All of them.
pub(super) fn tests(host: &PolicyHost, info: &PluginInfo, load: u32) -> Vec<Test> {
    let (jobs, slots) = (jobs(MANY), slots(MANY));
    let of_jobs = Ranks { host, info, items: &jobs, ask: &|queue, jobs| queue.rank(jobs), show: &show_job };
    let of_slots = Ranks { host, info, items: &slots, ask: &|queue, slots| queue.rank_slots(slots), show: &show_slot };
    let figures = format!("{MANY} jobs and {MANY} devices");
    let all = || Ok::<_, PolicyFault>((of_jobs.together()?, of_slots.together()?));
    let (jobs, slots) = match patiently(all) {
        Ok(ranks) => ranks,
        Err(PolicyFault::Declined { what, .. }) => {
            return [ANSWERS, REPEATABLE, COMPANY, TIME, LOAD]
                .into_iter()
                .map(|test| Test::not_tried(test, &what))
                .collect();
        }
        Err(fault) => {
            let fault = Fault { what: fault.to_string(), input: json!({ "jobs": MANY, "devices": MANY }) };
            return vec![Test::new(ANSWERS, figures, Some(fault))];
        }
    };
    let test = |name, fault: Option<Fault>| Test::new(name, figures.clone(), fault);
    vec![
        test(ANSWERS, None),
        test(REPEATABLE, of_jobs.again(&jobs).or_else(|| of_slots.again(&slots))),
        test(COMPANY, of_jobs.alone(&jobs).or_else(|| of_slots.alone(&slots))),
        test(TIME, of_jobs.late(&jobs).or_else(|| of_slots.late(&slots))),
        under_load(host, info, load),
    ]
}

/// A busy machine may make a sound plugin miss its deadline.
fn patiently<T>(mut ask: impl FnMut() -> Result<T, PolicyFault>) -> Result<T, PolicyFault> {
    let mut result = ask();
    for _ in 1..TRIES {
        if !matches!(result, Err(PolicyFault::Deadline { .. })) {
            break;
        }
        result = ask();
    }
    result
}

type Queue = Box<dyn QueueInstance>;
/// Asks for the ranks of jobs, or of slots.
type Ask<T> = dyn Fn(&mut Queue, &[T]) -> Result<Vec<i64>, PolicyFault>;

/// Jobs or slots, and how they are asked about.
struct Ranks<'a, T> {
    host: &'a PolicyHost,
    info: &'a PluginInfo,
    items: &'a [T],
    ask: &'a Ask<T>,
    show: &'a dyn Fn(&T) -> Value,
}

impl<T: Clone + Debug> Ranks<'_, T> {
    fn together(&self) -> Result<Vec<i64>, PolicyFault> {
        (self.ask)(&mut self.host.queue(&self.info.name)?, self.items)
    }

    /// Another instance, the same question.
    fn again(&self, known: &[i64]) -> Option<Fault> {
        self.compare(known, "another instance ranked it", Self::together)
    }

    /// Each by itself, and all in another order.
    fn alone(&self, known: &[i64]) -> Option<Fault> {
        let alone = |this: &Self| {
            let mut queue = this.host.queue(&this.info.name)?;
            let ranks = this.items.iter().map(|item| (this.ask)(&mut queue, std::slice::from_ref(item)));
            Ok(ranks.collect::<Result<Vec<_>, _>>()?.concat())
        };
        self.compare(known, "asked about alone it was ranked", alone)
            .or_else(|| self.compare(known, "asked about in another order it was ranked", Self::shuffled))
    }

    /// One instance that has answered other questions before.
    fn late(&self, known: &[i64]) -> Option<Fault> {
        self.compare(known, "after other questions it was ranked", |this| {
            let mut queue = this.host.queue(&this.info.name)?;
            for piece in this.items.chunks(7).rev() {
                (this.ask)(&mut queue, piece)?;
            }
            (this.ask)(&mut queue, this.items)
        })
    }

    fn shuffled(&self) -> Result<Vec<i64>, PolicyFault> {
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        Random::new(7).shuffle(&mut order);
        let items: Vec<T> = order.iter().map(|at| self.items[*at].clone()).collect();
        let ranks = (self.ask)(&mut self.host.queue(&self.info.name)?, &items)?;
        let mut back = vec![0; self.items.len()];
        order.iter().zip(ranks).for_each(|(at, rank)| back[*at] = rank);
        Ok(back)
    }

    fn compare(&self, known: &[i64], how: &str, ask: impl Fn(&Self) -> Result<Vec<i64>, PolicyFault>) -> Option<Fault> {
        let ranks = match patiently(|| ask(self)) {
            Ok(ranks) => ranks,
            Err(fault) => return Some(Fault { what: fault.to_string(), input: json!({ "asked": self.items.len() }) }),
        };
        let at = known.iter().zip(&ranks).position(|(one, other)| one != other)?;
        let what = format!(
            "{how} {}, and {} before; a rank must depend on its argument and the parameters alone",
            ranks[at], known[at]
        );
        Some(Fault { what, input: (self.show)(&self.items[at]) })
    }
}

fn under_load(host: &PolicyHost, info: &PluginInfo, load: u32) -> Test {
    let limits = format!("limits {} ms, {} MiB", info.limits.deadline_ms, info.limits.memory_mib);
    let mut held = String::new();
    for size in SIZES.iter().copied().filter(|size| *size < load).chain([load]) {
        match patiently(|| measure(host, info, size)) {
            Ok(figures) => held = format!("{size} jobs and {size} devices: {figures} ({limits})"),
            Err(fault) => {
                let input = json!({ "jobs": size, "devices": size, "at_a_time": AT_A_TIME });
                return Test::new(LOAD, held, Some(Fault { what: fault.to_string(), input }));
            }
        }
    }
    Test::new(LOAD, held, None)
}

fn measure(host: &PolicyHost, info: &PluginInfo, size: u32) -> Result<String, PolicyFault> {
    let (jobs, slots) = (jobs(size), slots(size));
    let (memory, begin) = (Memory::begin(), Instant::now());
    let mut queue = host.queue(&info.name)?;
    for piece in jobs.chunks(AT_A_TIME) {
        queue.rank(piece)?;
    }
    let of_jobs = begin.elapsed();
    for piece in slots.chunks(AT_A_TIME) {
        queue.rank_slots(piece)?;
    }
    let of_slots = begin.elapsed().saturating_sub(of_jobs);
    let taken =
        memory.taken_kib().map(|kib| format!(", at most {} MiB more memory with our own copies", kib.div_ceil(1024)));
    Ok(format!("ranked in {} and {}{}", millis(of_jobs), millis(of_slots), taken.unwrap_or_default()))
}

fn jobs(many: u32) -> Vec<RankedJob> {
    let mut random = Random::new(1);
    let names =
        (0..many).filter_map(|id| UserName::new(OWNERS[id as usize % OWNERS.len()]).ok().map(|owner| (id, owner)));
    names
        .map(|(id, owner)| RankedJob {
            job: JobId(u64::from(id) + 1),
            owner,
            priority: Priority(1 + random.below(9) as u8),
            accepted: Timestamp::from_micros(ACCEPTED.micros() + i64::from(random.below(u32::MAX)) * 20),
            usage: OwnerUsage {
                running: random.below(20),
                device_ms: u64::from(random.below(1_000_000_000)),
                open_jobs: 1 + random.below(50),
            },
        })
        .collect()
}

fn slots(many: u32) -> Vec<RankedSlot> {
    let mut random = Random::new(2);
    let racks = (0..many).filter_map(|slot| RackName::new(format!("rack{}", slot / 16)).ok().map(|rack| (slot, rack)));
    racks
        .map(|(slot, rack)| RankedSlot {
            slot: SlotId(slot + 1),
            rack,
            no: SlotNo((slot % 16) as u16 + 1),
            dut: (!random.once_in(10)).then_some(DutId(u64::from(slot) + 100)),
            starts: u64::from(random.below(1_000)),
            device_ms: u64::from(random.below(1_000_000_000)),
            last_used: (!random.once_in(10))
                .then(|| Timestamp::from_micros(ACCEPTED.micros() - i64::from(random.below(1_000_000_000)))),
        })
        .collect()
}

fn show_job(job: &RankedJob) -> Value {
    let OwnerUsage { running, device_ms, open_jobs } = job.usage;
    json!({
        "job": job.job.0, "owner": job.owner.to_string(), "priority": job.priority.0, "accepted": job.accepted.micros(),
        "usage": { "running": running, "device_ms": device_ms, "open_jobs": open_jobs },
    })
}

fn show_slot(slot: &RankedSlot) -> Value {
    json!({
        "slot": slot.slot.0, "place": format!("{}/{}", slot.rack, slot.no.0), "dut": slot.dut.map(|dut| dut.0), "starts": slot.starts,
        "device_ms": slot.device_ms, "last_used": slot.last_used.map(Timestamp::micros),
    })
}
