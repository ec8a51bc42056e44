;; Uses a proposal that is switched off.
(component
  (core module $m
    (memory (export "memory") i64 1)
    (func (export "run") (result i32) (i32.const 64)))
  (core instance $i (instantiate $m))
)
