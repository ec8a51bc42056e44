;; As `coverage.wat`, of the first contract.
(module
  {imports}
  (memory (export "memory") {pages})
  (global $heap (mut i32) (i32.const 4096))
  (global $armed (mut i32) (i32.const 0))
  {module}
  (func $start (param $test i32) (param $target i32) (local $at i32)
    (local.set $at (i32.add (i32.const 1024) (i32.mul (i32.load (i32.const 68)) (i32.const 8))))
    (i32.store (local.get $at) (local.get $test))
    (i32.store offset=4 (local.get $at) (local.get $target))
    (i32.store (i32.const 68) (i32.add (i32.load (i32.const 68)) (i32.const 1))))
  (func $text (param $at i32) (param $len i32)
    (i32.store (i32.const 64) (local.get $at)) (i32.store (i32.const 68) (local.get $len)))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $p i32)
    {realloc}
    (local.set $p (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $p) (local.get $size)))
    (local.get $p))
  (func (export "headend:policy/coverage@1.0.0#build") (param i32 i32 i32) (param $targets i32) (param i32 i32)
    (global.set $armed (i32.ge_u (local.get $targets) (i32.const 3)))
    {build}
    (global.set $heap (i32.const 4096)))
  (func (export "headend:policy/coverage@1.0.0#note") (param i32 i32)
    {note}
    (global.set $heap (i32.const 4096)))
  (func (export "headend:policy/coverage@1.0.0#propose") (param i64) (param $free i32) (param $n i32) (result i32)
    (i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (i32.const 0))
    {propose}
    (global.set $heap (i32.const 4096))
    (i32.const 64))
  (func (export "headend:policy/coverage@1.0.0#reason") (param $test i32) (param $target i32) (result i32)
    (call $text (i32.const 256) (i32.const 0))
    {reason}
    (i32.const 64)))
