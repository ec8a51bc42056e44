;; An endless loop before `run` is called.
(component
  (core module $m
    (memory (export "memory") 1)
    (func $start (loop $l (br $l)))
    (start $start)
    (func (export "run") (result i32) (i32.const 64))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
