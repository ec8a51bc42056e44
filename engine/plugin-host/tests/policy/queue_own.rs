//! The queue policies in the box: what their pages promise.

use std::collections::BTreeMap;
use std::fs;

use headend_model::{JobId, Timestamp};
use headend_model::{Priority, SlotId, Span};
use headend_plugin_host::policy::QueueInstance;
use headend_scheduler::FarmConfig;
use headend_scheduler::action::{OwnerUsage, RankedJob};
use headend_scheduler::policy::{PriorityFifo, QueuePolicy};

use super::queue_farm::{Bench, numbers, user};
use super::support::{Lab, name};

/// One of our plugins, with other defaults: (key, value) of its parameters.
fn own(lab: &Lab, plugin: &str, parameters: &[(&str, &str)]) -> Box<dyn QueueInstance> {
    let folder = lab.stage_own(plugin);
    let manifest = folder.join("headend-plugin.toml");
    let mut text = fs::read_to_string(&manifest).unwrap();
    for (key, value) in parameters {
        let (head, tail) = text.split_once(&format!("[parameters.properties.{key}]")).unwrap();
        let (before, after) = tail.split_once("default = ").unwrap();
        let rest = after.split_once('\n').map_or("", |(_, rest)| rest);
        text = format!("{head}[parameters.properties.{key}]{before}default = {value}\n{rest}");
    }
    fs::write(&manifest, text).unwrap();
    lab.host.load(&folder).unwrap();
    lab.host.queue(&name(plugin)).unwrap()
}

#[test]
fn priority_ageing_is_the_built_in_rule_on_random_loads() {
    for (step_s, ageing_step) in [("3600", Some(Span::seconds(3_600))), ("60", Some(Span::seconds(60))), ("0", None)] {
        let lab = Lab::new();
        let mut policy = own(&lab, "priority-ageing", &[("step_s", step_s)]);
        let native = PriorityFifo { ageing_step };
        let mut random = numbers(7);
        let jobs: Vec<RankedJob> = (1..=600)
            .map(|id| RankedJob {
                job: JobId(id),
                owner: user("ada"),
                priority: Priority(random(9) as u8 + 1),
                accepted: Timestamp::from_micros(random(4_000_000_000) as i64 * 1_000_000),
                usage: OwnerUsage { running: 3, device_ms: random(1_000_000), open_jobs: 9 },
            })
            .collect();
        let expected: Vec<i64> = jobs.iter().map(|job| native.rank(&job.as_queued())).collect();
        assert_eq!(policy.rank(&jobs).unwrap(), expected, "step {step_s}");

        // And on a farm: the same starts, in the same order.
        let play = |policy: Option<Box<dyn QueueInstance>>| {
            let (mut length, mut random) = (numbers(3), numbers(11));
            let config = FarmConfig { ageing_step, ..FarmConfig::default() };
            let mut bench = Bench::new(3, config, policy, move || Span::millis(300 + length(4_000) as i64));
            bench.pass(Span::seconds(2), |_| ());
            for n in 0..30 {
                bench.submit(["ada", "bob", "cyd"][n % 3], random(9) as u8 + 1, 1 + random(3) as usize);
                // Long enough for the answer: a job that is not ranked yet stands behind those that are.
                bench.pass(Span::millis(50 + random(900) as i64), |_| ());
            }
            bench.pass(Span::seconds(300), |_| ());
            assert_eq!((bench.failures.as_str(), bench.farm.open_jobs().count()), ("", 0));
            bench.starts
        };
        let (plugin, built_in) = (play(Some(policy)), play(None));
        assert_eq!(plugin.len(), built_in.len());
        assert_eq!(plugin, built_in, "step {step_s}");
    }
}

/// Two users with endless work on `slots` slots: how far apart they were per weight, in milliseconds of device time, once the second had
/// caught up.
fn apart(weights: (u32, u32), slots: u16, longest: u64, half_life: i64) -> i64 {
    let lab = Lab::new();
    let set = format!("{{ anna = {}, bert = {} }}", weights.0, weights.1);
    let policy = own(&lab, "fair-share", &[("weights", &set)]);
    let mut length = numbers(5);
    let config = FarmConfig { usage_half_life: Span::seconds(half_life), ..FarmConfig::default() };
    let mut bench =
        Bench::new(slots, config, Some(policy), move || Span::millis(500 + length(longest * 1_000 - 500) as i64));
    bench.submit("anna", 1, 3_000);
    bench.pass(Span::seconds(60), |_| ());
    bench.submit("bert", 9, 3_000);
    let (mut close, mut worst) = (false, 0);
    bench.pass(Span::seconds(400), |farm| {
        let used = |name: &str, weight: u32| farm.usage(&user(name)).device_ms as i64 / i64::from(weight);
        let apart = used("anna", weights.0) - used("bert", weights.1);
        close |= apart <= 0;
        if close {
            worst = worst.max(apart.abs());
        }
    });
    assert!(close, "bert never caught up");
    assert_eq!(bench.farm.open_jobs().filter(|job| job.queued > 0).count(), 2, "there was work to the end");
    assert_eq!(bench.failures, "");
    worst * i64::from(weights.0.min(weights.1))
}

/// As its page says: slots x (longest run + 2 x (longest run, 30 s at most, + 1 s) + the resolution of a rank).
fn promised(slots: u16, longest: u64, weights: (u32, u32)) -> i64 {
    let longest = longest as i64 * 1_000;
    let resolution = 1_000 * i64::from(weights.0.max(weights.1)) / 10;
    i64::from(slots) * (longest + 2 * (longest.min(30_000) + 1_000)) + resolution
}

#[test]
fn two_users_with_endless_work_share_the_lab_by_their_weights() {
    for (weights, slots, longest, half_life) in
        [((10, 10), 4, 8, 86_400), ((10, 10), 1, 3, 600), ((20, 10), 4, 5, 86_400), ((10, 30), 3, 6, 600)]
    {
        let (is, at_most) = (apart(weights, slots, longest, half_life), promised(slots, longest, weights));
        assert!(is <= at_most, "{weights:?} on {slots} slots: {is} ms apart, promised are {at_most}");
    }
}

#[test]
fn a_newcomer_is_next_whatever_the_others_have_brought() {
    let lab = Lab::new();
    let policy = own(&lab, "fair-share", &[]);
    let mut bench = Bench::new(2, FarmConfig::default(), Some(policy), || Span::seconds(5));
    for n in 0..20 {
        bench.submit(["anna", "bert"][n % 2], 1, 30);
    }
    bench.pass(Span::seconds(120), |_| ());
    bench.submit("carl", 9, 1);
    bench.pass(Span::millis(100), |_| ());
    let before = bench.starts.len();
    bench.pass(Span::seconds(6), |_| ());
    assert_eq!(bench.starts[before].0, user("carl"), "{:?}", &bench.starts[before..]);
    assert_eq!(bench.failures, "");
}

#[test]
fn among_the_jobs_of_one_owner_priority_and_age_decide() {
    let lab = Lab::new();
    let mut policy = own(&lab, "fair-share", &[]);
    let at = |seconds: i64| Timestamp::from_micros(1_800_000_000_000_000 + seconds * 1_000_000);
    let job = |id, priority, accepted, device_ms| RankedJob {
        job: JobId(id),
        owner: user("ada"),
        priority: Priority(priority),
        accepted,
        usage: OwnerUsage { running: 0, device_ms, open_jobs: 4 },
    };
    let jobs = [
        job(1, 5, at(0), 7_000),
        job(2, 4, at(3_599), 7_000),
        job(3, 4, at(3_601), 7_000),
        job(4, 1, at(0), 8_000),
        job(5, 9, at(9_000), u64::MAX),
    ];
    let ranks = policy.rank(&jobs).unwrap();
    assert!(ranks[1] < ranks[0] && ranks[0] < ranks[2], "one priority for an hour: {ranks:?}");
    assert!(ranks[2] < ranks[3] && ranks[3] < ranks[4], "usage comes first, and no number is too large: {ranks:?}");
}

/// One job at a time on four free devices.
fn wear(by: &str) -> BTreeMap<SlotId, (u64, u64)> {
    let lab = Lab::new();
    let policy = own(&lab, "least-worn", &[("by", &format!("\"{by}\""))]);
    let mut length = numbers(9);
    let mut bench =
        Bench::new(4, FarmConfig::default(), Some(policy), move || Span::millis(200 + length(3_000) as i64));
    bench.pass(Span::seconds(2), |_| ());
    for _ in 0..60 {
        bench.submit("anna", 5, 1);
        bench.pass(Span::seconds(5), |_| ());
    }
    assert_eq!(bench.failures, "");
    let wear = (1..=4).map(SlotId).map(|slot| (slot, bench.farm.slot_wear(slot).unwrap()));
    wear.map(|(slot, wear)| (slot, (wear.starts, wear.device_ms))).collect()
}

fn spread(values: impl Iterator<Item = u64> + Clone) -> u64 {
    values.clone().max().unwrap() - values.min().unwrap()
}

#[test]
fn devices_of_a_lab_that_is_not_full_wear_alike() {
    let by_time = wear("time");
    assert!(spread(by_time.values().map(|wear| wear.1)) <= 3_200, "at most the longest run: {by_time:?}");
    for by in ["starts", "rest"] {
        let by_starts = wear(by);
        assert!(spread(by_starts.values().map(|wear| wear.0)) <= 1, "{by}: {by_starts:?}");
    }
}
