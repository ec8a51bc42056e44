;; Does not validate: a float where a number belongs.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) (f32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
