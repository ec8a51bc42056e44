//! One module per program that a slot may be wired to.
