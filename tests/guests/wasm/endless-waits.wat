;; Not stopped here: the supervisor's deadline ends it.
(component
  (import "headend:script/session@1.0.0" (instance $s
    (type $error (record (field "code" string) (field "message" string)))
    (export "call-error" (type $call-error (eq $error)))
    (export "wait" (func (param "ms" u64) (result (result (error $call-error)))))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $libc (instantiate $memory))
  (core func $wait (canon lower (func $s "wait") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "s" "wait" (func $wait (param i64 i32)))
    (func (export "run") (result i32)
      (loop $l (call $wait (i64.const 3600000) (i32.const 128)) (br $l))
      (unreachable))
  )
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "s" (instance
      (export "wait" (func $wait))
    ))))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $libc "memory"))))
)
