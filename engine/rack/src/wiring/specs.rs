//! What the rack has to know of each tool: what it needs for itself alone, and what it can be.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use headend_drivers::tools::{adb, command, ffmpeg, lirc, pdudaemon, qemu, serial};
use headend_drivers::{DriverError, Place, Tool};

use super::tools::{Claim, Spec};
use crate::driver::wired::Gear;

/// The tool alone; what it can be is added by whoever knows.
fn gear(tool: &Arc<impl Tool + 'static>) -> Gear {
    Gear { tools: vec![(String::new(), tool.clone())], ..Gear::default() }
}

impl Spec for serial::Options {
    fn name(&self) -> &'static str {
        "serial"
    }

    fn check(&self) -> Result<(), DriverError> {
        Self::check(self)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::device("serial port", &self.port)]
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let tool = Arc::new(serial::start(self, place).await?);
            Ok(Gear { serial: Some(tool.clone()), ..gear(&tool) })
        }
        .boxed()
    }
}

impl Spec for lirc::Options {
    fn name(&self) -> &'static str {
        "lirc"
    }

    fn check(&self) -> Result<(), DriverError> {
        Self::check(self)
    }

    /// One remote control moves every box that hears it: two slots cannot share it.
    fn claims(&self) -> Vec<Claim> {
        let socket = self.socket.canonicalize().unwrap_or_else(|_| self.socket.clone());
        vec![Claim { what: "remote control", which: format!("{} of lircd at {}", self.remote, socket.display()) }]
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let tool = Arc::new(lirc::start(self, place).await?);
            Ok(Gear { remote: Some(tool.clone()), ..gear(&tool) })
        }
        .boxed()
    }
}

impl Spec for pdudaemon::Options {
    fn name(&self) -> &'static str {
        "pdudaemon"
    }

    fn check(&self) -> Result<(), DriverError> {
        Self::check(self)
    }

    fn claims(&self) -> Vec<Claim> {
        let which = format!("{} of {} at {}", self.port, self.hostname, self.url.trim_end_matches('/'));
        vec![Claim { what: "outlet", which }]
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let tool = Arc::new(pdudaemon::start(self, place).await?);
            Ok(Gear { power: Some(tool.clone()), ..gear(&tool) })
        }
        .boxed()
    }
}

impl Spec for command::Options {
    fn name(&self) -> &'static str {
        "command"
    }

    fn check(&self) -> Result<(), DriverError> {
        Self::check(self)
    }

    /// The same words switch the same outlet.
    fn claims(&self) -> Vec<Claim> {
        vec![Claim { what: "the command", which: format!("`{}`", self.on.join(" ")) }]
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let tool = Arc::new(command::start(self, place).await?);
            Ok(Gear { power: Some(tool.clone()), ..gear(&tool) })
        }
        .boxed()
    }
}

impl Spec for qemu::Options {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn check(&self) -> Result<(), DriverError> {
        Self::check(self)
    }

    /// Two machines that write into one image destroy it.
    fn claims(&self) -> Vec<Claim> {
        let written = self.disk.as_deref().filter(|_| self.keep_writes);
        written.map(|disk| Claim::device("disk image", disk)).into_iter().collect()
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let tool = Arc::new(qemu::start(self, place).await?);
            Ok(Gear {
                capture: Some(tool.clone()),
                remote: Some(tool.clone()),
                power: Some(tool.clone()),
                serial: Some(tool.clone()),
                ..gear(&tool)
            })
        }
        .boxed()
    }
}

impl Spec for ffmpeg::Options {
    fn name(&self) -> &'static str {
        "ffmpeg"
    }

    fn check(&self) -> Result<(), DriverError> {
        Self::check(self)
    }

    fn claims(&self) -> Vec<Claim> {
        self.device().map(|device| Claim::device("video device", device)).into_iter().collect()
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let tool = Arc::new(ffmpeg::start(self, place).await?);
            Ok(Gear { capture: Some(tool.clone()), ..gear(&tool) })
        }
        .boxed()
    }
}

impl Spec for adb::Options {
    fn name(&self) -> &'static str {
        "adb"
    }

    fn check(&self) -> Result<(), DriverError> {
        Self::check(self)
    }

    fn claims(&self) -> Vec<Claim> {
        let which = format!("{} of the adb server at {}", self.serial, self.server);
        vec![Claim { what: "device", which }]
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let tool = Arc::new(adb::start(self, place).await?);
            Ok(Gear { capture: Some(tool.clone()), remote: Some(tool.clone()), ..gear(&tool) })
        }
        .boxed()
    }
}
