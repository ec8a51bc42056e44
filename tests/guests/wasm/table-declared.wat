;; Asks for a table of 400 MB before it runs.
(component
  (core module $m
    (memory (export "memory") 1)
    (table $t 50000000 funcref)
    (func (export "run") (result i32) (i32.const 64))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
