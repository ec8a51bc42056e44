;; An endless loop.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) (loop $l (br $l)) (unreachable))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
