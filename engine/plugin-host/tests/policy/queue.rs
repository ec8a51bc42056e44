//! Queue policies in both languages.

use headend_model::{JobId, Priority, Span, Timestamp, UserName};
use headend_plugin_host::{PolicyFault, PolicyHost};
use headend_scheduler::action::{OwnerUsage, RankedJob};
use headend_scheduler::policy::{PriorityFifo, QueuePolicy};

use super::fixture;
use super::support::{Lab, manifest, name, plan};

fn load(lab: &Lab, plugin: &str, file: &str, code: &[u8]) {
    let more = "[limits]\ndeadline_ms = 30000";
    let folder = lab.write(plugin, file, code, more);
    let text = manifest(plugin, file, more).replace("coverage-policy", "queue-policy");
    std::fs::write(folder.join("headend-plugin.toml"), text).unwrap();
    lab.host.load(&folder).unwrap();
}

fn one(id: u64, owner: &str, priority: Priority, accepted: Timestamp) -> RankedJob {
    let usage = OwnerUsage { running: 2, device_ms: 90, open_jobs: 4 };
    RankedJob { job: JobId(id), owner: UserName::new(owner).unwrap(), priority, accepted, usage }
}

fn rank(host: &PolicyHost, plugin: &str) -> Result<i64, PolicyFault> {
    let ranks = host.queue(&name(plugin))?.rank(&[one(7, "ada", Priority(3), Timestamp::from_micros(5))])?;
    Ok(ranks[0])
}

#[test]
fn both_languages_rank_by_what_they_are_told() {
    let lab = Lab::new();
    let body = "(i64.add (i64.mul (i64.extend_i32_u (local.get $priority)) (i64.const 100)) (i64.add (local.get $id) (local.get $accepted)))";
    load(&lab, "wasm", "p.wasm", &fixture::queue(body));
    assert_eq!(rank(&lab.host, "wasm").unwrap(), 312);
    let source = b"fn rank(job) { if job.owner == \"ada\" { job.priority * 100 + job.id + job.accepted } else { 0 } }";
    load(&lab, "rhai", "p.rhai", source);
    assert_eq!(rank(&lab.host, "rhai").unwrap(), 312);
}

#[test]
fn a_policy_of_the_other_kind_is_named_as_such() {
    let lab = Lab::new();
    load(&lab, "q", "p.wasm", &fixture::queue("(i64.const 1)"));
    let fault = lab.host.instance(&name("q"), &plan(&[1], 1)).err().unwrap();
    assert_eq!(fault.to_string(), "plugin \"q\" is a queue-policy, not a coverage-policy");
    lab.rhai("c", "fn propose(plan, free) { [] }", "[limits]\ndeadline_ms = 30000").unwrap();
    assert!(matches!(lab.host.queue(&name("c")).err(), Some(PolicyFault::WrongKind { .. })));
}

/// A spread of jobs: all priorities, acceptance from long ago to far ahead.
fn jobs() -> Vec<(u64, Priority, Timestamp)> {
    let times = [0, 1, 1_700_000_000_000_000, 4_000_000_000_000_000];
    let all = times.iter().flat_map(|at| (1..=9).map(move |priority| (*at, priority)));
    all.zip(1..).map(|((at, priority), id)| (id, Priority(priority), Timestamp::from_micros(at))).collect()
}

#[test]
fn the_native_rule_written_as_a_script_gives_the_same_ranks() {
    let lab = Lab::new();
    load(&lab, "aged", "p.rhai", b"fn rank(job) { job.accepted + (job.priority - 1) * 3600000000 }");
    load(&lab, "strict", "p.rhai", b"fn rank(job) { job.priority - 1 }");
    for (plugin, ageing_step) in [("aged", Some(Span::seconds(3_600))), ("strict", None)] {
        let native = PriorityFifo { ageing_step };
        let mut queue = lab.host.queue(&name(plugin)).unwrap();
        for (id, priority, accepted) in jobs() {
            let job = one(id, "ada", priority, accepted);
            let native = native.rank(&job.as_queued());
            assert_eq!(queue.rank(std::slice::from_ref(&job)).unwrap(), [native], "{plugin}: {job:?}");
        }
    }
}

#[test]
fn people_come_before_machines_and_each_in_strict_priority() {
    let lab = Lab::new();
    lab.host.load(&lab.stage_own("people-first")).unwrap();
    let mut queue = lab.host.queue(&name("people-first")).unwrap();
    let strict = PriorityFifo { ageing_step: None };
    let mut ranks = |owner: &str| -> Vec<(i64, i64)> {
        let all = jobs().into_iter().map(|(id, priority, accepted)| {
            let job = one(id, owner, priority, accepted);
            (queue.rank(std::slice::from_ref(&job)).unwrap()[0], strict.rank(&job.as_queued()))
        });
        all.collect()
    };
    let (people, machines) = (ranks("ann"), ranks("nightly"));
    for group in [&people, &machines] {
        for (one, other) in group.iter().zip(group.iter().skip(1)) {
            assert_eq!(one.0.cmp(&other.0), one.1.cmp(&other.1), "as strict priority orders them");
        }
    }
    let (last, first) = (people.iter().map(|rank| rank.0).max(), machines.iter().map(|rank| rank.0).min());
    assert!(last < first, "{last:?} {first:?}");
}
