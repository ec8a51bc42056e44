;; Logs for ever.
(component
  (import "headend:script/session@1.0.0" (instance $s
    (type $error (record (field "code" string) (field "message" string)))
    (export "call-error" (type $call-error (eq $error)))
    (type $level (enum "error" "warning" "info" "verbose"))
    (export "log-level" (type $log-level (eq $level)))
    (export "log" (func (param "level" $log-level) (param "text" string) (result (result (error $call-error)))))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $libc (instantiate $memory))
  (core func $log (canon lower (func $s "log") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "s" "log" (func $log (param i32 i32 i32 i32)))
    (func (export "run") (result i32)
      (loop $l
        (call $log (i32.const 2) (i32.const 0) (i32.const 1000) (i32.const 128))
        (br $l))
      (unreachable))
  )
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "s" (instance
      (export "log" (func $log))
    ))))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $libc "memory"))))
)
