;; Divides by zero.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
