;; A coverage policy that behaves while it is tried on two targets, and does its mischief in a plan with three of them.
;; In braces: what a case puts in. `$armed` is set once the plan has three targets; parts but `imports`, `module` and `realloc` stand
;; within `(if (global.get $armed) …)`, unless the case says `always`.
(module
  {imports}
  (memory (export "memory") {pages})
  (global $heap (mut i32) (i32.const 4096))
  (global $armed (mut i32) (i32.const 0))
  (global $asked (mut i32) (i32.const 0))
  (data (i32.const 256) "so said the policy")
  {module}
  ;; Starts this test on this target.
  (func $start (param $test i32) (param $target i32) (local $at i32)
    (local.set $at (i32.add (i32.const 1024) (i32.mul (i32.load (i32.const 68)) (i32.const 8))))
    (i32.store (local.get $at) (local.get $test))
    (i32.store offset=4 (local.get $at) (local.get $target))
    (i32.store (i32.const 68) (i32.add (i32.load (i32.const 68)) (i32.const 1))))
  ;; Leaves out so many runs of this test.
  (func $skip (param $test i32) (param $runs i32) (local $at i32)
    (local.set $at (i32.add (i32.const 2048) (i32.mul (i32.load (i32.const 76)) (i32.const 16))))
    (i32.store (local.get $at) (local.get $test))
    (i32.store offset=4 (local.get $at) (local.get $runs))
    (i32.store offset=8 (local.get $at) (i32.const 256))
    (i32.store offset=12 (local.get $at) (i32.const 18))
    (i32.store (i32.const 76) (i32.add (i32.load (i32.const 76)) (i32.const 1))))
  ;; The text of a reason or report.
  (func $text (param $at i32) (param $len i32)
    (i32.store (i32.const 64) (local.get $at)) (i32.store (i32.const 68) (local.get $len)))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $p i32)
    {realloc}
    (local.set $p (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $p) (local.get $size)))
    (local.get $p))
  (func (export "headend:policy/coverage@2.0.0#build")
    (param i32 i32 i64 i32 i32 i32) (param $targets i32) (param i32 i32 i32 i32) (result i32)
    (global.set $armed (i32.ge_u (local.get $targets) (i32.const 3)))
    (i32.store8 (i32.const 64) (i32.const 0))
    {build}
    (global.set $heap (i32.const 4096))
    (i32.const 64))
  (func (export "headend:policy/coverage@2.0.0#note") (param i32 i32)
    {note}
    (global.set $heap (i32.const 4096)))
  (func (export "headend:policy/coverage@2.0.0#propose") (param i64) (param $free i32) (param $n i32) (result i32)
    (i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (i32.const 0))
    (i32.store (i32.const 72) (i32.const 2048)) (i32.store (i32.const 76) (i32.const 0))
    (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
    {propose}
    (global.set $heap (i32.const 4096))
    (i32.const 64))
  (func (export "headend:policy/coverage@2.0.0#reason") (param $test i32) (param $target i32) (result i32)
    (call $text (i32.const 256) (i32.const 18))
    {reason}
    (i32.const 64))
  (func (export "headend:policy/coverage@2.0.0#report") (result i32)
    (call $text (i32.const 256) (i32.const 0))
    {report}
    (i32.const 64)))
