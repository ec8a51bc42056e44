//! Queue policies in both languages.

use headend_model::{JobId, Priority, Timestamp, UserName};
use headend_plugin_host::{PolicyFault, PolicyHost};
use headend_scheduler::policy::QueuedJob;

use super::fixture;
use super::support::{Lab, manifest, name, plan};

fn load(lab: &Lab, plugin: &str, file: &str, code: &[u8]) {
    let more = "[limits]\ndeadline_ms = 30000";
    let folder = lab.write(plugin, file, code, more);
    let text = manifest(plugin, file, more).replace("coverage-policy", "queue-policy");
    std::fs::write(folder.join("headend-plugin.toml"), text).unwrap();
    lab.host.load(&folder).unwrap();
}

fn rank(host: &PolicyHost, plugin: &str) -> Result<i64, PolicyFault> {
    let owner = UserName::new("ada").unwrap();
    let accepted = Timestamp::from_micros(5);
    host.queue(&name(plugin))?.rank(&QueuedJob { job: JobId(7), owner: &owner, priority: Priority(3), accepted })
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
