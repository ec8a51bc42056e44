//! The memory cap of an instance.

use wasmtime::ResourceLimiter;

/// Table elements of an instance: far more than any policy's function table.
const MAX_TABLE: usize = 20_000;

/// Counts what an instance takes. A request past the cap traps, and is remembered, so that the fault can say so.
pub(crate) struct Meter {
    most: usize,
    denied: bool,
}

impl Meter {
    /// `most`: bytes of linear memory.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, denied: false }
    }

    /// The guest has asked for more than it may have.
    pub(crate) fn denied(&self) -> bool {
        self.denied
    }

    fn take(&mut self, wanted: usize, most: usize, what: &str) -> wasmtime::Result<bool> {
        if wanted <= most {
            return Ok(true);
        }
        self.denied = true;
        Err(wasmtime::format_err!("{wanted} {what} wanted, at most {most} allowed"))
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, _now: usize, wanted: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        self.take(wanted, self.most, "bytes of memory")
    }

    fn table_growing(&mut self, _now: usize, wanted: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        self.take(wanted, MAX_TABLE, "table elements")
    }

    fn instances(&self) -> usize {
        16
    }

    fn tables(&self) -> usize {
        8
    }

    fn memories(&self) -> usize {
        2
    }
}
