//! The wasmtime engine of the process.

use std::ops::Deref;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::KEPT_SCRIPTS;
use super::limiter::{PARTS, TABLE_ELEMENTS};

/// Stack of a script, in bytes.
const STACK_BYTES: usize = 1 << 20;
/// Written memory that is put back by copying after a run; what is more is given back to the kernel.
const KEPT_MEMORY: usize = 256 << 10;
/// The same for tables.
const KEPT_TABLE: usize = 4 << 10;
/// Most bytes that the runtime's own records of one instance may take.
const MOST_METADATA: usize = 64 << 20;

/// One engine per process. Proposals that tests do not need are off: fewer features, fewer faults.
pub(crate) struct WasmEngine(Engine);

impl WasmEngine {
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .wasm_tail_call(false)
            .wasm_memory64(false)
            .wasm_multi_memory(false)
            .wasm_relaxed_simd(false)
            .epoch_interruption(true)
            .max_wasm_stack(STACK_BYTES)
            .cranelift_opt_level(OptLevel::Speed)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool()))
            // One thread: the CPU guard then measures the script's own time, and the process stays small.
            .parallel_compilation(false);
        Ok(Self(Engine::new(&config)?))
    }

    /// Makes running scripts look at the clock.
    pub(crate) fn interrupter(&self) -> impl Fn() + Send + 'static {
        let engine = self.0.weak();
        move || {
            if let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
            }
        }
    }
}

/// Room for one script at a time, kept between runs: a run then maps and unmaps nothing, and the next run of the same script finds its pages
/// where they were, with their first content.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(1)
        .total_core_instances(PARTS as u32)
        .total_memories(PARTS as u32)
        .total_tables(PARTS as u32)
        // Calls are not asynchronous: a script runs on the thread's own stack.
        .total_stacks(0)
        .max_tables_per_module(PARTS as u32)
        .table_elements(TABLE_ELEMENTS)
        // Bounds of what is counted per script anyway; interpreters compiled to WASM need more than the usual ones.
        .max_core_instance_size(MOST_METADATA)
        .max_component_instance_size(MOST_METADATA)
        .max_unused_warm_slots(KEPT_SCRIPTS as u32)
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE)
        // Asks the kernel which pages a run has written to and puts only those back; older kernels take the plain way.
        .pagemap_scan(Enabled::Auto);
    pool
}

impl Deref for WasmEngine {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}
