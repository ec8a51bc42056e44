;; Grows its memory for ever.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32)
      (loop $l
        (drop (memory.grow (i32.const 16)))
        (br $l))
      (unreachable))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
