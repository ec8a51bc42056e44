;; Wants something of somebody else.
(component
  (import "evil:tools/shell@0.1.0" (instance (export "exec" (func (param "command" string)))))
  (core module $m (func (export "run") (result i32) (i32.const 64)) (memory (export "memory") 1))
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
