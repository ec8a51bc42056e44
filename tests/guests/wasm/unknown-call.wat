;; Wants a call that this version does not have.
(component
  (import "headend:script/session@1.0.0" (instance $s (export "format-disk" (func))))
  (core module $m (func (export "run") (result i32) (i32.const 64)) (memory (export "memory") 1))
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
