//! What all Rhai plugins share that answer through a child process: the child as its owner sees it, what the child does to itself, and the limits of the engine inside.
//! No set of limits keeps Rhai from taking its process along (an `eval` recursion or one big `replace` ends in an abort), so it is
//! never this process. One place for both: a limit that holds for one kind of plugin only is a hole.

mod child;
mod engine;
mod guest;
pub(crate) mod strings;

use std::time::Duration;

pub(crate) use child::{Child, ChildFault};
pub(crate) use engine::engine;
pub(crate) use guest::{limit_process, live};

/// Starting a child and parsing 64 KiB of source.
pub(crate) const LOAD_DEADLINE: Duration = Duration::from_secs(20);
