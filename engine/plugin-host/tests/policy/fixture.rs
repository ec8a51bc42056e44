//! Guests written by hand: core modules as text, with the contract's WIT embedded, so that the host makes components of them.

use std::fmt::Write;
use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A coverage policy in parts. Each part is WebAssembly text; what is left empty does nothing, and `propose` answers with nothing.
#[derive(Default)]
pub(crate) struct Fixture<'a> {
    /// Imports, which come first.
    pub(crate) imports: &'a str,
    /// Globals, functions, `start`.
    pub(crate) module: &'a str,
    /// Pages of memory at the start, one by default.
    pub(crate) pages: u32,
    /// Body of `build`.
    pub(crate) build: &'a str,
    /// Body of `propose`. Local `$n` has the number of free targets.
    pub(crate) propose: &'a str,
    /// Placements that `propose` gives, as pairs of test and target.
    pub(crate) answer: &'a [(u32, u32)],
    /// Body of `reason`, in front of an empty sentence. Locals 0 and 1 are test and target.
    pub(crate) reason: &'a str,
    /// Said to be the number of placements, if not the truth.
    pub(crate) answer_len: Option<u32>,
}

impl Fixture<'_> {
    /// Does its mischief only when three targets are free: the self-check offers two.
    pub(crate) fn later(body: &str) -> String {
        format!("(if (i32.eq (local.get $n) (i32.const 3)) (then {body}))")
    }

    pub(crate) fn wasm(&self) -> Vec<u8> {
        embed(&self.text(), "coverage-policy")
    }

    /// Lays the answer out at address 64: pointer and length, then the list at 128.
    fn text(&self) -> String {
        let Self { imports, module, build, propose, reason, .. } = self;
        let pages = self.pages.max(1);
        let mut bytes = String::new();
        for byte in self.answer.iter().flat_map(|(test, target)| [*test, *target]).flat_map(u32::to_le_bytes) {
            let _ = write!(bytes, "\\{byte:02x}");
        }
        let len = self.answer_len.unwrap_or(self.answer.len() as u32);
        format!(
            r#"(module
              {imports}
              (memory (export "memory") {pages})
              (data (i32.const 128) "{bytes}")
              (global $heap (mut i32) (i32.const 4096))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $p i32)
                (local.set $p (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.set $heap (i32.add (local.get $p) (local.get 3)))
                (local.get $p))
              {module}
              (func (export "headend:policy/coverage@1.0.0#build") (param i32 i32 i32 i32 i32 i32) {build})
              (func (export "headend:policy/coverage@1.0.0#note") (param i32 i32))
              (func (export "headend:policy/coverage@1.0.0#propose") (param i64) (param $p i32) (param $n i32) (result i32)
                {propose}
                (i32.store (i32.const 64) (i32.const 128))
                (i32.store (i32.const 68) (i32.const {len}))
                (global.set $heap (i32.const 4096))
                (i32.const 64))
              (func (export "headend:policy/coverage@1.0.0#reason") (param i32 i32) (result i32)
                {reason}
                (i32.store (i32.const 64) (i32.const 128))
                (i32.store (i32.const 68) (i32.const 0))
                (i32.const 64)))"#
        )
    }
}

/// A queue policy with this body of `rank`. Parameters: `$id`, owner's address and length, `$priority`, `$accepted`.
pub(crate) fn queue(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
          (func (export "headend:policy/queue@1.0.0#rank")
            (param $id i64) (param i32 i32) (param $priority i32) (param $accepted i64) (result i64) {body}))"#
    );
    embed(&text, "queue-policy")
}

fn embed(text: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/wit/v1/policy");
    let (package, _files) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}
