//! A witness for tests: it writes down who drives which box when, apart from every record that the system itself keeps.
//!
//! One JSON line per event, each written by a single `write` on a file opened for appending, so that lines of several
//! daemons never mix. `drive_begin` stands before a run's first process may touch a device, `drive_end` after nothing
//! of it is left, `press` at each key.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use headend_model::{Lease, LeasedTarget};
use serde::Serialize;

use crate::error::RackError;

/// Writes the lines, or nothing when no file was given.
#[derive(Debug, Default)]
pub struct Witness {
    file: Option<File>,
    incarnation: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    pid: u32,
    incarnation: u64,
    at: i64,
    run: u64,
    attempt: u32,
    slot: u32,
    dut: u64,
    slot_epoch: u64,
    dut_epoch: u64,
    what: &'a str,
}

impl Witness {
    /// Opens the file, if there is to be one.
    pub fn open(path: Option<&Path>, incarnation: u64) -> Result<Self, RackError> {
        let file = path
            .map(|path| {
                let opened = OpenOptions::new().create(true).append(true).open(path);
                opened.map_err(RackError::io("open the witness file", path))
            })
            .transpose()?;
        Ok(Self { file, incarnation })
    }

    /// A line for each target of a lease.
    pub fn lease(&self, lease: &Lease, what: &str) {
        if self.file.is_some() {
            lease.targets.iter().for_each(|target| self.target(lease, target, what));
        }
    }

    /// A line for one target.
    pub fn target(&self, lease: &Lease, target: &LeasedTarget, what: &str) {
        let Some(mut file) = self.file.as_ref() else { return };
        let line = Line {
            pid: std::process::id(),
            incarnation: self.incarnation,
            at: crate::clock::boot_now().micros(),
            run: lease.run.0,
            attempt: lease.attempt,
            slot: target.slot.0,
            dut: target.dut.0,
            slot_epoch: target.slot_epoch.0,
            dut_epoch: target.dut_epoch.0,
            what,
        };
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        text.push(b'\n');
        if let Err(error) = file.write_all(&text) {
            tracing::error!(%error, "cannot write to the witness file");
        }
    }
}
