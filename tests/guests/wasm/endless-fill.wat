;; Long operations in an endless loop.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32)
      (drop (memory.grow (i32.const 255)))
      (loop $l
        (memory.fill (i32.const 0) (i32.const 7) (i32.const 16000000))
        (br $l))
      (unreachable))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
