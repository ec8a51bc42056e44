;; Asks for 4 GiB before it runs.
(component
  (core module $m
    (memory (export "memory") 65535)
    (func (export "run") (result i32) (i32.const 64)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
