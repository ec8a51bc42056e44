;; An error text of 12 MB.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32)
      (drop (memory.grow (i32.const 255)))
      (i32.store8 (i32.const 64) (i32.const 1))
      (i32.store (i32.const 68) (i32.const 1024))
      (i32.store (i32.const 72) (i32.const 12000000))
      (i32.const 64))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
