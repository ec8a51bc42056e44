//! From what clients write to what the model means. What passes here is valid; everything else gets a clear error.

pub(crate) mod args;
pub(crate) mod ids;
pub(crate) mod names;
pub(crate) mod submit;
