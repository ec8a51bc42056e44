//! The judge: a log that the virtual rack keeps of every drive of a box, apart from all our records.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// A run is about to touch a box.
pub const BEGIN: &str = "drive_begin";
/// Nothing of the run is left on the box.
pub const END: &str = "drive_end";

/// One line of the witness.
#[derive(Clone, Debug, Deserialize)]
pub struct Seen {
    pub run: u64,
    pub attempt: u32,
    pub slot: u32,
    pub dut: u64,
    pub slot_epoch: u64,
    pub dut_epoch: u64,
    pub what: String,
}

/// All lines, in order. A torn last line (the rack was killed while writing) is passed over.
pub fn read(path: &Path) -> Vec<Seen> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Fails when a box was driven twice at once, a run was started twice, or an epoch came back.
///
/// # Panics
/// Naming the run or box at fault.
pub fn judge(seen: &[Seen]) {
    let mut starts: BTreeMap<(u64, u32, u32), u32> = BTreeMap::new();
    let mut slots: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut duts: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    assert!(seen.iter().any(|line| line.what == BEGIN), "the witness saw nothing at all");
    for line in seen {
        if line.what == BEGIN {
            let count = starts.entry((line.run, line.attempt, line.slot)).or_default();
            *count += 1;
            assert_eq!(*count, 1, "run {} attempt {} was started twice on slot {}", line.run, line.attempt, line.slot);
        }
        rises(&mut slots, u64::from(line.slot), "slot", (line.slot_epoch, line.run));
        rises(&mut duts, line.dut, "DUT", (line.dut_epoch, line.run));
    }
}

/// Epochs of a box rise with each run that drives it.
fn rises(last: &mut BTreeMap<u64, (u64, u64)>, key: u64, what: &str, now: (u64, u64)) {
    let former = last.insert(key, now).unwrap_or((0, 0));
    let sound = now.0 > former.0 || now == former;
    assert!(
        sound,
        "{what} {key}: run {} drove it under epoch {} after run {} under epoch {}",
        now.1, now.0, former.1, former.0
    );
}
