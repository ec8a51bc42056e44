;; Its allocator hands out memory that it does not have.
(component
  (import "headend:script/session@1.0.0" (instance $s
    (type $error (record (field "code" string) (field "message" string)))
    (export "call-error" (type $call-error (eq $error)))
    (type $i (record (field "job" u64) (field "run" u64) (field "attempt" u32) (field "script" string) (field "args" (list string))
      (field "public" (option string)) (field "out" string) (field "rack" string) (field "port" u16) (field "slots" (list u16)) (field "under-daemon" bool)))
    (export "session-info" (type $session-info (eq $i)))
    (export "info" (func (result $session-info)))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x7ffffff0)))
  (core instance $libc (instantiate $memory))
  (core func $info (canon lower (func $s "info") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "s" "info" (func $info (param i32)))
    (func (export "run") (result i32)
      (call $info (i32.const 1024))
      (i32.const 64))
  )
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "s" (instance
      (export "info" (func $info))
    ))))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $libc "memory"))))
)
