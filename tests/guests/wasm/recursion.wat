;; Calls itself for ever.
(component
  (core module $m
    (memory (export "memory") 1)
    (func $down (param i64) (result i64) (i64.add (i64.const 1) (call $down (local.get 0))))
    (func (export "run") (result i32) (drop (call $down (i64.const 0))) (i32.const 64))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
