//! What one store may hold. Growth past it ends the run; a program that hears "no" seldom does anything sensible.

use wasmtime::ResourceLimiter;

/// Elements of one table. Compilers of JavaScript and Python need some ten thousand.
pub(super) const TABLE_ELEMENTS: usize = 100_000;
/// Instances, memories and tables of one component, each. A component of several languages has about ten.
pub(super) const PARTS: usize = 64;

/// Growth past a limit, as the error of a run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Exceeded {
    #[error("memory_bytes: {wanted} bytes of memory were asked for; {limit} are allowed")]
    Memory { wanted: u64, limit: u64 },
    #[error("table size: {wanted} elements were asked for; {TABLE_ELEMENTS} are allowed")]
    Table { wanted: usize },
}

/// Counts the memory of all instances in a store together.
pub(super) struct Limiter {
    left: u64,
    limit: u64,
}

impl Limiter {
    pub(super) fn new(memory_bytes: u64) -> Self {
        Self { left: memory_bytes, limit: memory_bytes }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        let growth = desired.saturating_sub(current) as u64;
        if let Some(left) = self.left.checked_sub(growth) {
            self.left = left;
            return Ok(true);
        }
        let wanted = (self.limit - self.left).saturating_add(growth);
        Err(Exceeded::Memory { wanted, limit: self.limit }.into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        if desired > TABLE_ELEMENTS { Err(Exceeded::Table { wanted: desired }.into()) } else { Ok(true) }
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
