//! What stands behind the slots of a session without a rack: virtual boxes, and real tools, which are started for it and end with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use headend_drivers::{DriverError, Place};
use tempfile::TempDir;

use super::LocalError;
use crate::driver::Driver;
use crate::driver::virtual_stb::VirtualStb;
use crate::driver::wired::Wired;
use crate::options::{SlotDriver, VirtualOptions, Wiring};
use crate::wiring::start_probed;

/// Virtual boxes, numbered from 1; at least one. `virtual_time`: waits cost nothing.
pub fn boxes(count: u16, virtual_time: bool) -> BTreeMap<u16, SlotDriver> {
    let numbered = |no| VirtualOptions { virtual_time, ..VirtualOptions::numbered(no) };
    (1..=count.max(1)).map(|no| (no, SlotDriver::Virtual(numbered(no)))).collect()
}

/// Devices of a session, until this is dropped.
#[derive(Default)]
pub(super) struct Devices {
    /// Numbers of their slots, in order.
    pub(super) slots: Vec<u16>,
    /// What drives each.
    pub(super) drivers: Vec<Arc<dyn Driver>>,
    wired: Vec<Arc<Wired>>,
    /// Where tools have their files; goes after them.
    scratch: Vec<TempDir>,
}

impl Devices {
    /// Starts tools one slot after the other, as they may share a bus, and probes them: no script begins on a device that does not work.
    pub(super) async fn start(slots: &BTreeMap<u16, SlotDriver>) -> Result<Self, LocalError> {
        let mut devices = Self::default();
        for (no, slot) in slots {
            let driver: Arc<dyn Driver> = match slot {
                SlotDriver::Virtual(options) => Arc::new(VirtualStb::new(options.clone())),
                SlotDriver::Wired(wiring) => {
                    let wired = devices.wire(wiring).await;
                    wired.map_err(|source| LocalError::Tools { slot: *no, source })?
                }
            };
            devices.slots.push(*no);
            devices.drivers.push(driver);
        }
        Ok(devices)
    }

    async fn wire(&mut self, wiring: &Wiring) -> Result<Arc<Wired>, DriverError> {
        let scratch = tempfile::Builder::new().prefix("headend-tools-").tempdir();
        let scratch = scratch.map_err(|error| {
            let path = std::env::temp_dir();
            DriverError(format!("cannot make a folder in {}: {error}; check that it is writable", path.display()))
        })?;
        let place = Place { slot: wiring.no, scratch: scratch.path().join(format!("slot-{}", wiring.no)) };
        // Kept also if they do not come up: what they leave goes with it.
        self.scratch.push(scratch);
        let gear = start_probed(wiring, &place).await?;
        let faces = wiring.wired().into_iter().map(|(face, _)| face).collect();
        let wired = Arc::new(Wired::new(wiring.no, wiring.dut.clone(), wiring.kind(), faces));
        wired.plug(gear);
        self.wired.push(wired.clone());
        Ok(wired)
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        for wired in &self.wired {
            wired.unplug("the session is over");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::wiring::Look;

    fn file(text: &str) -> BTreeMap<u16, SlotDriver> {
        Look::at(text).into_file(Path::new("rack.toml")).unwrap().slots
    }

    #[tokio::test]
    async fn tools_work_for_as_long_as_the_session_and_leave_nothing() {
        let slots = file("[[slot]]\nno = 2\nvirtual = {}\n[[slot]]\nno = 5\nfake = {}\n");
        let devices = Devices::start(&slots).await.unwrap();
        assert_eq!(devices.slots, [2, 5]);
        let (device, folder) = (devices.drivers[1].clone(), devices.scratch[0].path().to_owned());
        assert!(device.capture().is_ok() && folder.is_dir() && !device.is_virtual());
        drop(devices);
        assert!(device.capture().unwrap_err().to_string().contains("the session is over"));
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn tools_that_do_not_come_up_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("port");
        let slots = file(&format!("[[slot]]\nno = 3\nserial.port.path = \"{}\"\n", port.display()));
        let error = Devices::start(&slots).await.err().unwrap();
        let LocalError::Tools { slot: 3, source } = error else { panic!("{error:?}") };
        assert!(source.to_string().contains("is not there"), "{source}");
        std::fs::write(&port, "").unwrap();
        assert!(Devices::start(&slots).await.is_ok());
    }
}
