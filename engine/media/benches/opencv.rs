//! What each analyser does, beside `OpenCV` and stb-tester doing the same on the same pictures in the same run, and beside itself as a plugin.
//!
//! `HEADEND_OPENCV` names a Python that has `OpenCV` (`cargo xtask bench analysers` makes one), `HEADEND_PROGRAM` a `headend`, and `HEADEND_GUESTS` the folder with the
//! plugins; what is not named is left out of the table. Words behind `--` pick cases. Times are those of the quickest of many calls, for
//! all alike, pictures decoded before. Fails when verdicts differ.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may stop at the first surprise")]

mod beside;
mod drawn;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use beside::python::{Baseline, Threads};
use beside::table::{HEAD, Row};
use beside::{cases, natively, plugin};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut baseline = std::env::var_os("HEADEND_OPENCV").map(|python| Baseline::start(&python));
    let program = std::env::var_os("HEADEND_PROGRAM");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guests = std::env::var_os("HEADEND_GUESTS").map_or_else(|| workspace.join("target/guests"), PathBuf::from);
    println!("{HEAD}");
    let mut rows = Vec::new();
    for case in cases::all(&words) {
        let files = case.write(folder.path());
        let native = natively(&case);
        let by = [Threads::One, Threads::All]
            .map(|threads| baseline.as_mut().and_then(|baseline| baseline.measure(&case, &files, threads)));
        let plugin = program.as_deref().map(|program| plugin::measure(program, &guests, &case, &files));
        let row = Row::new(&case, native, plugin, by);
        println!("{}", row.text());
        rows.push(row);
    }
    keep(&workspace, &rows);
    if rows.iter().all(|row| row.right) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// For programs, beside the other figures.
fn keep(workspace: &Path, rows: &[Row]) {
    let folder = workspace.join("target/bench");
    let rows: Vec<_> = rows.iter().map(Row::json).collect();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("analysers.json"), serde_json::to_vec_pretty(&rows).unwrap()).unwrap();
}
