;; A list of two thousand million items.
(component
  (import "headend:script/session@1.0.0" (instance $s
    (type $error (record (field "code" string) (field "message" string)))
    (export "call-error" (type $call-error (eq $error)))
    (type $p (record (field "name" string) (field "value" string)))
    (export "param" (type $param (eq $p)))
    (export "reserve-slot" (func (param "slot" u32) (param "params" (list $param)) (result (result bool (error $call-error)))))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $libc (instantiate $memory))
  (core func $reserve-slot (canon lower (func $s "reserve-slot") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "s" "reserve-slot" (func $reserve-slot (param i32 i32 i32 i32)))
    (func (export "run") (result i32)
      (call $reserve-slot (i32.const 1) (i32.const 0) (i32.const 0x7fffffff) (i32.const 128))
      (i32.const 64))
  )
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "s" (instance
      (export "reserve-slot" (func $reserve-slot))
    ))))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $libc "memory"))))
)
