//! The Rhai engine with every limit set. Rhai's own defaults differ between debug and release builds, so none of them is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rhai::packages::{
    BasicArrayPackage, BasicBlobPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage, CorePackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{Dynamic, Engine, FLOAT, INT, OptimizationLevel};

use super::super::desk::Desk;
use super::super::limits::Memory;
use super::{calls, errors, text};

/// Calls inside calls. With [`EXPRESSION_DEPTH`] this bounds the stack.
const CALL_DEPTH: usize = 48;
/// Nesting of expressions, outside and inside functions.
const EXPRESSION_DEPTH: (usize, usize) = (64, 32);
const VARIABLES: usize = 1_000;
const FUNCTIONS: usize = 500;
/// Longest string, in bytes.
pub(super) const STRING_BYTES: usize = 256 << 10;
/// Most items of an array or map, with what is inside their items.
pub(super) const ITEMS: usize = 16 << 10;
/// Memory is measured once in so many operations, less one: a power of two less one.
const MEASURE_MASK: u64 = (1 << 7) - 1;

/// How much memory the process may use while a script runs, in bytes.
#[derive(Default)]
pub(super) struct MemoryCap(AtomicU64);

impl MemoryCap {
    /// The script may use `bytes` on top of what is in use now.
    pub(super) fn set(&self, memory: &Memory, bytes: u64) {
        self.0.store(memory.resident().saturating_add(bytes), Ordering::Relaxed);
    }

    fn exceeded(&self, memory: &Memory) -> bool {
        memory.resident() > self.0.load(Ordering::Relaxed)
    }
}

/// The engine with the session's calls.
pub(super) fn build(desk: &Arc<Desk>, memory: &Arc<Memory>, cap: &Arc<MemoryCap>) -> Engine {
    let mut engine = Engine::new_raw();
    register_packages(&mut engine);
    set_limits(&mut engine);
    text::register(&mut engine);
    calls::register(&mut engine, desk);
    set_output(&mut engine, desk);
    set_progress(&mut engine, desk, memory, cap);
    engine
}

/// All of the standard library but the clock (`timestamp`): a script waits with `wait`.
fn register_packages(engine: &mut Engine) {
    CorePackage::new().register_into_engine(engine);
    BitFieldPackage::new().register_into_engine(engine);
    LogicPackage::new().register_into_engine(engine);
    BasicMathPackage::new().register_into_engine(engine);
    BasicArrayPackage::new().register_into_engine(engine);
    BasicBlobPackage::new().register_into_engine(engine);
    BasicMapPackage::new().register_into_engine(engine);
    MoreStringPackage::new().register_into_engine(engine);
    // `sleep` would block past every limit. It is a function, so it can be replaced but not disabled.
    engine.register_fn("sleep", |_: INT| -> Result<(), Box<rhai::EvalAltResult>> { Err(NO_SLEEP.into()) });
    engine.register_fn("sleep", |_: FLOAT| -> Result<(), Box<rhai::EvalAltResult>> { Err(NO_SLEEP.into()) });
}

const NO_SLEEP: &str = "there is no `sleep`; use wait(seconds)";

fn set_limits(engine: &mut Engine) {
    engine
        // Rhai's optimiser has changed the meaning of scripts before, and it would bake one run's arguments into a kept script.
        .set_optimization_level(OptimizationLevel::None)
        .set_max_call_levels(CALL_DEPTH)
        .set_max_expr_depths(EXPRESSION_DEPTH.0, EXPRESSION_DEPTH.1)
        .set_max_variables(VARIABLES)
        .set_max_functions(FUNCTIONS)
        .set_max_modules(0)
        .set_max_string_size(STRING_BYTES)
        .set_max_array_size(ITEMS)
        .set_max_map_size(ITEMS)
        .set_strict_variables(true);
    engine.set_max_strings_interned(256);
    // Recursion through `eval` counts neither as call depth nor as expression depth.
    engine.disable_symbol("eval");
}

fn set_output(engine: &mut Engine, desk: &Arc<Desk>) {
    let out = Arc::clone(desk);
    // A session that is gone is noticed by the next operation.
    engine.on_print(move |text| drop(out.console(text)));
    let out = Arc::clone(desk);
    engine.on_debug(move |text, _, position| drop(out.console(&format!("{position:?} {text}"))));
}

fn set_progress(engine: &mut Engine, desk: &Arc<Desk>, memory: &Arc<Memory>, cap: &Arc<MemoryCap>) {
    let (desk, memory, cap) = (Arc::clone(desk), Arc::clone(memory), Arc::clone(cap));
    engine.on_progress(move |operations| {
        if desk.guard().expired() {
            return Some(Dynamic::from(errors::Stop::Cpu));
        }
        if operations & MEASURE_MASK != 0 {
            return None;
        }
        if desk.gone() {
            return Some(Dynamic::from(errors::Stop::Gone));
        }
        cap.exceeded(&memory).then(|| Dynamic::from(errors::Stop::Memory))
    });
}
