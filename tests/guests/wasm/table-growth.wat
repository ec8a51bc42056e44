;; Grows a table for ever.
(component
  (core module $m
    (memory (export "memory") 1)
    (table $t 1 funcref)
    (func (export "run") (result i32)
      (loop $l
        (drop (table.grow $t (ref.null func) (i32.const 10000)))
        (br $l))
      (unreachable))
  )
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))
)
