;; An analyser that behaves on small frames, and does its mischief once it has seen a large one.
;; In braces: what a case puts in. `$armed` is set by a frame of more than 64 pixels; parts but `imports`, `module` and `build` stand
;; within `(if (global.get $armed) …)`, unless the case says `always`.
;; The answer stands at 1024: option, and from 1032 on the verdict: passed, score at 8, area at 16, frame at 40, at at 48, sentence at 56, values at 64,
;; overlay at 72.
(module
  (import "headend:analyser/pictures@1.2.0" "[method]frame.width" (func $width (param i32) (result i32)))
  (import "headend:analyser/pictures@1.2.0" "[resource-drop]frame" (func $drop_frame (param i32)))
  (import "headend:analyser/pictures@1.2.0" "[method]frame.picture" (func $picture (param i32 i32)))
  (import "headend:analyser/pictures@1.2.0" "[resource-drop]picture" (func $drop_picture (param i32)))
  (import "headend:analyser/sounds@1.2.0" "[resource-drop]sound" (func $drop_sound (param i32)))
  {imports}
  (memory (export "memory") {pages})
  (global $heap (mut i32) (i32.const 8192))
  (global $armed (mut i32) (i32.const 0))
  (global $kept (mut i32) (i32.const 0))
  (data (i32.const 256) "so said the analyser")
  {module}
  ;; It is so, with score 1.
  (func $verdict
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 88))
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store8 (i32.const 1032) (i32.const 1))
    (f64.store (i32.const 1040) (f64.const 1))
    (i32.store (i32.const 1088) (i32.const 256)) (i32.store (i32.const 1092) (i32.const 20)))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $p i32)
    (local.set $p (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $p) (local.get $size)))
    (local.get $p))
  (func (export "headend:analyser/analysing@1.2.0#build") (param i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 64) (i32.const 0))
    {build}
    (i32.const 64))
  (func (export "headend:analyser/analysing@1.2.0#feed") (param $frame i32) (result i32)
    (global.set $heap (i32.const 8192))
    (global.set $armed (i32.gt_u (call $width (local.get $frame)) (i32.const 64)))
    (call $verdict)
    {feed}
    (call $drop_frame (local.get $frame))
    (i32.const 1024))
  (func (export "headend:analyser/analysing@1.2.0#hear") (param $sound i32) (result i32)
    (global.set $heap (i32.const 8192))
    (call $verdict)
    {hear}
    (call $drop_sound (local.get $sound))
    (i32.const 1024))
  (func (export "headend:analyser/serial@1.2.0#read") (param $lines i32) (param $count i32) (param $lost i64) (param $now i64) (result i32)
    (call $verdict)
    {read}
    (global.set $heap (i32.const 8192))
    (i32.const 1024))
  (func (export "headend:analyser/analysing@1.2.0#finish") (result i32)
    (call $verdict)
    {finish}
    (i32.const 1024)))
