//! Where a tool stands.

use std::path::PathBuf;

/// The slot that a tool works for, and the folder that is its own there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the slot in its rack; names files and log lines.
    pub slot: u16,
    /// For sockets, pictures in passing and logs. Exists, belongs to this slot alone, and is emptied by whoever made it.
    pub scratch: PathBuf,
}
