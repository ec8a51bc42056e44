//! The Rhai engine that all children start from: what a script may use whatever its kind, and how much of it.

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
    LogicPackage, Package,
};
use rhai::{Engine, OptimizationLevel};

/// Operations of one call: about half a second. The deadline comes first, as a rule.
const MAX_OPERATIONS: u64 = 10_000_000;
/// Calls within calls.
const MAX_CALLS: usize = 24;
/// Expressions within expressions.
const MAX_DEPTH: usize = 32;
/// Variables in scope at once.
const MAX_VARIABLES: usize = 200;
/// Functions of a script.
const MAX_FUNCTIONS: usize = 100;
/// Bytes of a string.
const MAX_STRING: usize = 64 << 10;
/// Items of an array or map, nested ones included. What the host hands over counts too when a script stores it.
const MAX_ITEMS: usize = 200_000;

/// An engine without clock, sleep, `eval`, `import`, files, string replacement or printing. Every limit is set: the library's own
/// defaults differ between builds.
pub(crate) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    // Left out on purpose: LanguageCorePackage (sleep, exit), BasicTimePackage (clock), MoreStringPackage (`replace` and `pad` make
    // large strings in one operation; `strings` has those of it that do not), BasicBlobPackage, BitFieldPackage.
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_max_operations(MAX_OPERATIONS)
        .set_max_call_levels(MAX_CALLS)
        .set_max_expr_depths(MAX_DEPTH, MAX_DEPTH)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(0)
        .set_max_string_size(MAX_STRING)
        .set_max_array_size(MAX_ITEMS)
        .set_max_map_size(MAX_ITEMS)
        .set_max_strings_interned(1_000)
        .disable_symbol("eval")
        .disable_symbol("import")
        // Standard output belongs to the protocol.
        .on_print(|_text| {})
        .on_debug(|_text, _source, _position| {});
    engine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(source: &str) -> String {
        engine().eval::<rhai::Dynamic>(source).unwrap_err().to_string()
    }

    #[test]
    fn what_could_hurt_the_process_is_not_there() {
        assert!(fails("let s = \"eval(s)\"; eval(s)").contains("'eval' is disabled"));
        for source in
            ["sleep(60)", "let s = \"a\"; s.replace(\"a\", \"b\")", "let s = \"\"; s.pad(1000, \"x\")", "timestamp()"]
        {
            assert!(fails(source).starts_with("Function not found"), "{source}: {}", fails(source));
        }
        assert!(fails("loop {}").contains("operations"));
        assert!(fails("fn f(n) { f(n + 1) } f(0)").contains("Stack overflow"));
        let import = fails("import \"x\" as x;");
        assert!(import.contains("import"), "{import}");
    }
}
