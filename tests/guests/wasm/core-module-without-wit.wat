;; A core module that was not built with the SDK.
(module
  (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 64))
)
