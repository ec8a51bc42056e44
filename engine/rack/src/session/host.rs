//! Whoever answers the calls of a script: a session on devices here, or one far away.

use std::path::Path;

use headend_wire::session::{Call, CalledFrom, Reply, SessionInfo};

use super::Session;

/// Hosts of scripts hand their calls to this.
pub trait Host {
    /// What the script is told.
    fn info(&self) -> SessionInfo;
    /// Where the script is that somebody has started by hand. Of no interest to whoever has started it.
    fn set_script(&mut self, script: &Path) {
        let _ = script;
    }
    /// Carries out one call, that stands there in the script.
    fn call(&mut self, call: Call, source: CalledFrom) -> impl Future<Output = Reply> + Send;
}

impl Host for Session {
    fn info(&self) -> SessionInfo {
        Self::info(self).clone()
    }

    fn set_script(&mut self, script: &Path) {
        Self::set_script(self, script);
    }

    fn call(&mut self, call: Call, source: CalledFrom) -> impl Future<Output = Reply> + Send {
        self.call_from(call, source)
    }
}
