//! WIT values: arbitrary answers of policies, through the canonical ABI of the host and the judging of the farm.
#![no_main]

#[path = "../../../engine/plugin-host/tests/policy/assemble.rs"]
#[allow(dead_code, reason = "shared with the tests of policies; a target needs a part of it")]
mod assemble;
#[path = "../../../engine/plugin-host/tests/policy/table.rs"]
#[allow(dead_code, reason = "shared with the tests of policies; a target needs a part of it")]
mod table;

use std::path::Path;
use std::sync::OnceLock;

use headend_model::{TargetIx, TestIx};
use headend_plugin_host::fuzz::Mirror;
use headend_scheduler::event::{Placement, Skip};
use libfuzzer_sys::fuzz_target;
use table::{Said, Table};

fuzz_target!(|bytes: &[u8]| {
    static MIRROR: OnceLock<Mirror> = OnceLock::new();
    let mut answers = MIRROR.get_or_init(mirror).ask(bytes);
    // The farm hears these, and such that come closer to what it may take.
    let mut small = bytes.iter().copied();
    let mut table = Table::new(3, &[2, 1, 3]);
    let mut index = 0;
    table.play(|_| {
        index += 1;
        if index % 2 == 0 && !answers.is_empty() {
            let answer = answers.remove(0);
            return Said::Answer(answer.start, answer.skip);
        }
        let Some(kind) = small.next() else { return Said::Failed("used up".into()) };
        match kind % 8 {
            0 => Said::Failed("trap".into()),
            1 => Said::Declined("not today".into()),
            2 => Said::Nothing,
            _ => {
                let mut next = || u32::from(small.next().unwrap_or_default());
                let start =
                    (0..next() % 5).map(|_| Placement { test: TestIx(next() % 4), target: TargetIx(next() % 4) });
                let start = start.collect();
                let skip = (0..next() % 3).map(|_| Skip {
                    test: TestIx(next() % 4),
                    runs: next() % 5,
                    reason: "é".repeat(next() as usize),
                });
                Said::Answer(start, skip.collect())
            }
        }
    });
});

fn mirror() -> Mirror {
    let frame = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/policies/frames");
        std::fs::read_to_string(folder.join(name)).expect("a frame")
    };
    Mirror::new(
        &assemble::embed(&frame("mirror-coverage.wat"), "v2", "coverage-policy"),
        &assemble::embed(&frame("mirror-queue.wat"), "v2", "queue-policy"),
    )
}
