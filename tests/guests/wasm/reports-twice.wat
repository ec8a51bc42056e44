;; The first result counts.
(component
  (import "headend:script/session@1.0.0" (instance $s
    (type $error (record (field "code" string) (field "message" string)))
    (export "call-error" (type $call-error (eq $error)))
    (export "set-result" (func (param "code" s64) (param "comment" (option string)) (result (result bool (error $call-error)))))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $libc (instantiate $memory))
  (core func $set-result (canon lower (func $s "set-result") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "s" "set-result" (func $set-result (param i64 i32 i32 i32 i32)))
    (func (export "run") (result i32)
      (call $set-result (i64.const 100) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 128))
      (call $set-result (i64.const 111) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 128))
      ;; The second was answered with ok(false).
      (if (i32.load8_u (i32.const 132)) (then (unreachable)))
      (i32.const 64))
  )
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "s" (instance
      (export "set-result" (func $set-result))
    ))))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $libc "memory"))))
)
