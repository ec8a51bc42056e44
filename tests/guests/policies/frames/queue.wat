;; A queue policy that behaves while it is tried on one or two jobs and slots, and does its mischief with three.
(module
  {imports}
  (memory (export "memory") {pages})
  (global $heap (mut i32) (i32.const 4096))
  (global $armed (mut i32) (i32.const 0))
  {module}
  ;; The same rank for everything, as often as it says.
  (func $ranks (param $rank i64) (param $count i32) (local $at i32)
    (i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (local.get $count))
    (local.set $at (i32.const 1024))
    (loop $more
      (i64.store (local.get $at) (local.get $rank))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $more (i32.lt_u (local.get $at) (i32.add (i32.const 1024) (i32.mul (local.get $count) (i32.const 8)))))))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $p i32)
    {realloc}
    (local.set $p (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $p) (local.get $size)))
    (local.get $p))
  (func (export "headend:policy/queue@2.0.0#build") (param i32 i32) (result i32)
    (i32.store8 (i32.const 64) (i32.const 0))
    {build}
    (i32.const 64))
  (func (export "headend:policy/queue@2.0.0#rank") (param $of i32) (param $n i32) (result i32)
    (global.set $armed (i32.ge_u (local.get $n) (i32.const 3)))
    (call $ranks (i64.const 0) (local.get $n))
    {rank}
    (global.set $heap (i32.const 4096))
    (i32.const 64))
  (func (export "headend:policy/queue@2.0.0#slot-rank") (param $of i32) (param $n i32) (result i32)
    (global.set $armed (i32.ge_u (local.get $n) (i32.const 3)))
    (call $ranks (i64.const 0) (local.get $n))
    {slot-rank}
    (global.set $heap (i32.const 4096))
    (i32.const 64)))
