;; A policy, not a test.
(component
  (core module $m (func (export "build")))
  (core instance $i (instantiate $m))
  (func $build (canon lift (core func $i "build")))
  (instance $coverage (export "build" (func $build)))
  (export "headend:policy/coverage@1.0.0" (instance $coverage))
)
