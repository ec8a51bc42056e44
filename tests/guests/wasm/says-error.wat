;; Ends with an error of its own.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 256) "no picture after 5 seconds")
    (func (export "run") (result i32)
      (i32.store8 (i32.const 64) (i32.const 1))
      (i32.store (i32.const 68) (i32.const 256))
      (i32.store (i32.const 72) (i32.const 26))
      (i32.const 64))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
