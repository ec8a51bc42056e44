//! The demo's results as people like to see them.

use std::fmt::Write;

use super::report::{Job, Run};

/// Tests by boxes.
pub(crate) fn results(job: &Job, tests: &[&str], boxes: u16) -> String {
    let mut out = format!("{:<14}", "");
    // Writing to a string cannot fail, here and below.
    (1..=boxes).for_each(|slot| _ = write!(out, "{:<12}", format!("box {slot}")));
    for (test, name) in tests.iter().enumerate() {
        write!(out, "\n{:<14}", format!("{} {name}", test + 1)).ok();
        for slot in 1..=boxes {
            let run = job.starts().find(|run| run.test == test && run.slot == slot);
            write!(out, "{:<12}", run.map_or("missing", word)).ok();
        }
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The order in which each box ran its tests.
pub(crate) fn orders(job: &Job, tests: &[&str], boxes: u16) -> String {
    let order = |slot| {
        let names = job.starts().filter(|run| run.slot == slot).map(|run| tests.get(run.test).copied().unwrap_or("?"));
        format!("box {slot}: {}", names.collect::<Vec<_>>().join(", "))
    };
    (1..=boxes).map(order).collect::<Vec<_>>().join("\n")
}

const fn word(run: &Run) -> &'static str {
    match run.result {
        111 => "PASS",
        110 => "PARTIAL",
        101 => "NOT RUN",
        100 => "FAIL",
        _ => "INCOMPLETE",
    }
}
