//! A person has a box for a while: a job that wants it waits, says why, and runs when the box is given back.

use super::check;
use super::lab::Lab;
use crate::shell::{Context, Result};

const SLOT: &str = "rack1/4";
const TEST: &str = "rhai-zap/zap.rhai";

/// Shows it; what is not as it should be.
pub(crate) fn show(lab: &Lab) -> Result<Vec<String>> {
    lab.show(&["reserve", SLOT, "--for", "10m", "--note", "looking at a banner"])?;
    let submitted = lab.ask(&["submit", "--json", "--name", "waits", "--slot", SLOT, "--test", TEST])?;
    let id = submitted["job"].as_u64().context("`headend submit` gave no job")?.to_string();
    lab.show(&["why", &id])?;
    let mut faults = check::waits_for(&lab.ask(&["why", &id, "--json"])?, "reserved");
    lab.show(&["reservations", "release", SLOT])?;
    if let Err(failed) = lab.watch(&id) {
        faults.push(failed.to_string());
    }
    Ok(faults.into_iter().map(|fault| format!("a reserved slot (job {id}): {fault}")).collect())
}
