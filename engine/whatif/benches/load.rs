//! 10,000 jobs on 256 slots, played to their end: the promise is at most 10 s. They come one a second, which is more than
//! the lab can serve: most of them wait. Each job may use every slot, or names one rack of 16.

use std::collections::BTreeMap;
use std::time::Instant;

use headend_model::{DutId, Mode, Priority, RackName, SlotNo, Span, Timestamp, TreePath, UserName};
use headend_whatif::{Case, Coverage, JobPlan, Lasts, NoPolicies, Place, Plan, RackPlan, SlotPlan, TestPlan, play};

const JOBS: usize = 10_000;
const RACKS: u16 = 16;
const SLOTS: u16 = 16;

fn main() {
    let mut all = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let wanted = all.next().unwrap_or_default();
    for (name, everywhere, tests) in
        [("every slot, 1 run each", true, 1), ("every slot, 4 runs each", true, 4), ("one rack, 4 runs each", false, 4)]
    {
        if !name.contains(&wanted) {
            continue;
        }
        let plan = load(everywhere, tests);
        for coverage in [Coverage::AsPlanned, policy("test-coverage")] {
            let case = Case { coverage, ..Case::default() };
            let begun = Instant::now();
            match play(&plan, &case, &mut NoPolicies) {
                Ok(figures) => println!(
                    "{JOBS} jobs x {} slots, {name}, {:?}: {:.2} s for {} runs, {} events, p95 of waits {}",
                    plan.slots(),
                    case.coverage,
                    begun.elapsed().as_secs_f64(),
                    figures.runs,
                    figures.steps,
                    figures.wait.p95
                ),
                Err(fault) => println!("{name}: {fault}"),
            }
        }
    }
}

fn policy(name: &str) -> Coverage {
    headend_model::PolicyName::new(name).map_or(Coverage::AsPlanned, Coverage::Policy)
}

fn rack_name(at: u16) -> Option<RackName> {
    RackName::new(format!("rack{at:02}")).ok()
}

fn load(everywhere: bool, tests: usize) -> Plan {
    let racks = (0..RACKS).filter_map(|at| {
        let slot = |no| SlotPlan { no: SlotNo(no), dut: Some(DutId(u64::from(at * SLOTS + no))) };
        Some(RackPlan { name: rack_name(at)?, slots: (1..=SLOTS).map(slot).collect() })
    });
    let jobs = (0..JOBS).filter_map(|at| job(at, everywhere, tests));
    Plan { seed: 1, racks: racks.collect(), jobs: jobs.collect(), otherwise: Span::seconds(60), ..Plan::default() }
}

fn job(at: usize, everywhere: bool, tests: usize) -> Option<JobPlan> {
    let racks = if everywhere { 0..RACKS } else { (at as u16 % RACKS)..(at as u16 % RACKS + 1) };
    let names = racks.filter_map(rack_name);
    let test = |n: usize| {
        Some(TestPlan {
            script: TreePath::parse(&format!("suite/t{n}.rhai")).ok()?,
            mode: Mode::DutCoverage,
            slots_needed: 1,
            lasts: Lasts::Quantiles { p50: Span::seconds(300), p90: Span::seconds(1_800) },
            fails_percent: 5,
        })
    };
    Some(JobPlan {
        name: format!("job {at}"),
        owner: UserName::new(format!("user{}", at % 20)).ok()?,
        priority: Priority((at % 9) as u8 + 1),
        arrives: Timestamp::from_micros(1_700_000_000_000_000 + at as i64 * 1_000_000),
        targets: names.flat_map(|name| (1..=SLOTS).map(move |no| Place::Slot(name.clone(), SlotNo(no)))).collect(),
        tests: (0..tests).filter_map(test).collect(),
        parameters: BTreeMap::new(),
    })
}
