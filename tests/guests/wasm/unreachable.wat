;; What a panic becomes.
(component
  (core module $m
    (memory (export "memory") 1)
    (func $inner (unreachable))
    (func $outer (call $inner))
    (func (export "run") (result i32) (call $outer) (i32.const 64))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
