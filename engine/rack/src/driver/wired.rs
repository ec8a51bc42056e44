//! A slot of real tools as a driver: pictures, keys, mains and serial line, each from whichever tool the rack file names.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use headend_drivers::{Capture, Power, Remote, Serial, Tool, now_us};
use headend_media::Sound;
use tokio::sync::Notify;

use super::{Driver, DriverError, SerialNews, Shot};

/// One of the things that a tool can be for a slot. Its name is the key in the rack file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Face {
    /// Pictures and sound.
    Capture,
    /// Keys.
    Remote,
    /// Mains.
    Power,
    /// A serial line.
    Serial,
}

impl Face {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; 4] = [Self::Capture, Self::Remote, Self::Power, Self::Serial];

    /// As in the rack file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Remote => "remote",
            Self::Power => "power",
            Self::Serial => "serial",
        }
    }
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tools that have been started, by what they are for the slot. One tool may be several.
#[derive(Clone, Debug, Default)]
pub struct Gear {
    /// Gives pictures.
    pub capture: Option<Arc<dyn Capture>>,
    /// Sends keys.
    pub remote: Option<Arc<dyn Remote>>,
    /// Switches mains.
    pub power: Option<Arc<dyn Power>>,
    /// Carries the serial line.
    pub serial: Option<Arc<dyn Serial>>,
    /// Each tool once, with what it is here, such as `capture` or `capture, remote`.
    pub tools: Vec<(String, Arc<dyn Tool>)>,
}

/// What a slot is wired to, as its driver. Without tools until [`Wired::plug`], and again after [`Wired::unplug`].
#[derive(Debug)]
pub struct Wired {
    slot: u16,
    dut: Option<String>,
    kind: String,
    faces: Vec<Face>,
    gear: RwLock<Result<Gear, String>>,
    trouble: Notify,
}

impl Wired {
    /// `kind`: names of its tools, such as `ffmpeg+lirc`. `faces`: those that the rack file wires.
    pub fn new(slot: u16, dut: Option<String>, kind: String, faces: Vec<Face>) -> Self {
        let gear = RwLock::new(Err("its tools are being started".to_owned()));
        Self { slot, dut, kind, faces, gear, trouble: Notify::new() }
    }

    /// From now on these serve.
    pub fn plug(&self, gear: Gear) {
        *self.gear.write().unwrap_or_else(PoisonError::into_inner) = Ok(gear);
    }

    /// From now on nothing does, for this reason. Tools end with the last call that uses them.
    pub fn unplug(&self, reason: &str) {
        let before =
            std::mem::replace(&mut *self.gear.write().unwrap_or_else(PoisonError::into_inner), Err(reason.to_owned()));
        // Outside the lock: ending a tool may take a moment.
        drop(before);
    }

    /// Returns when a tool has failed a call since the last time.
    pub async fn trouble(&self) {
        self.trouble.notified().await;
    }

    fn face<T: ?Sized>(&self, face: Face, of: impl Fn(&Gear) -> Option<&Arc<T>>) -> Result<Arc<T>, DriverError> {
        if !self.faces.contains(&face) {
            return Err(DriverError(format!(
                "slot {slot} has no {face} wired; add `{face} = …` to its table in the rack file",
                slot = self.slot
            )));
        }
        match &*self.gear.read().unwrap_or_else(PoisonError::into_inner) {
            Ok(gear) => of(gear).cloned().ok_or_else(|| DriverError(format!("slot {}: its {face} is gone", self.slot))),
            Err(reason) => Err(DriverError(format!("slot {} is out: {reason}", self.slot))),
        }
    }

    /// A failure of a tool is looked at by whoever watches over it.
    fn noted<T>(&self, result: Result<T, DriverError>) -> Result<T, DriverError> {
        if result.is_err() {
            self.trouble.notify_one();
        }
        result
    }
}

impl Driver for Wired {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn builtin_dut(&self) -> Option<String> {
        self.dut.clone()
    }

    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        let remote = self.face(Face::Remote, |gear| gear.remote.as_ref());
        async move { self.noted(remote?.press(key).await) }.boxed()
    }

    fn power(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        let power = self.face(Face::Power, |gear| gear.power.as_ref());
        async move { self.noted(power?.switch(on).await) }.boxed()
    }

    fn capture(&self) -> Result<Shot, DriverError> {
        let capture = self.face(Face::Capture, |gear| gear.capture.as_ref())?;
        self.noted(capture.latest())
    }

    fn frame_us(&self) -> u64 {
        self.face(Face::Capture, |gear| gear.capture.as_ref()).map_or(40_000, |capture| capture.frame_us())
    }

    fn now_us(&self) -> u64 {
        now_us()
    }

    fn is_virtual(&self) -> bool {
        false
    }

    fn reach(&self, at_us: u64) -> BoxFuture<'_, ()> {
        async move {
            // The clock of the timer stands still while the host is suspended, and this one does not: look again.
            while let Some(left_us) = at_us.checked_sub(now_us()).filter(|left_us| *left_us > 0) {
                tokio::time::sleep(Duration::from_micros(left_us)).await;
            }
        }
        .boxed()
    }

    fn sound(&self, from_us: u64, length_us: u64) -> Result<Option<Sound>, DriverError> {
        let capture = self.face(Face::Capture, |gear| gear.capture.as_ref())?;
        self.noted(capture.sound(from_us, length_us))
    }

    fn sound_lag_us(&self) -> u64 {
        self.face(Face::Capture, |gear| gear.capture.as_ref()).map_or(0, |capture| capture.sound_lag_us())
    }

    fn has_serial(&self) -> bool {
        self.faces.contains(&Face::Serial)
    }

    fn serial_send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>> {
        let serial = self.face(Face::Serial, |gear| gear.serial.as_ref());
        async move { self.noted(serial?.send(bytes).await) }.boxed()
    }

    fn serial_since(&self, from: u64) -> SerialNews {
        let serial = self.face(Face::Serial, |gear| gear.serial.as_ref());
        serial.map_or_else(|_| SerialNews { next: from, ..SerialNews::default() }, |serial| serial.since(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::fake::Fake;

    fn wired(faces: &[Face]) -> Wired {
        Wired::new(2, Some("box".to_owned()), "fake".to_owned(), faces.to_vec())
    }

    #[tokio::test]
    async fn each_face_goes_to_its_tool() {
        let wired = wired(&Face::ALL);
        let tool = Arc::new(Fake::default());
        wired.plug(Fake::gear(&tool));
        assert!(wired.press("Menu").await.unwrap() && wired.power(true).await.unwrap());
        wired.serial_send(b"hello").await.unwrap();
        let shot = wired.capture().unwrap();
        assert_eq!((shot.picture.width(), wired.serial_since(0).lines.len()), (16, 1));
        assert_eq!(tool.calls(), ["press Menu", "power true", "send hello"]);
        let begun = wired.now_us();
        wired.reach(begun + 20_000).await;
        assert!(!wired.is_virtual() && wired.now_us() >= begun + 20_000);
    }

    #[tokio::test]
    async fn a_face_that_is_not_wired_and_a_slot_that_is_out_are_told_apart() {
        let slot = wired(&[Face::Capture]);
        let error = slot.press("Menu").await.unwrap_err().to_string();
        assert_eq!(error, "slot 2 has no remote wired; add `remote = …` to its table in the rack file");
        let error = slot.capture().unwrap_err().to_string();
        assert_eq!(error, "slot 2 is out: its tools are being started");
        slot.plug(Fake::gear(&Arc::new(Fake::default())));
        slot.capture().unwrap();
        slot.unplug("qemu has ended");
        assert_eq!(slot.capture().unwrap_err().to_string(), "slot 2 is out: qemu has ended");
        assert!(slot.serial_send(b"x").await.is_err());
        assert_eq!(slot.serial_since(7).next, 7);
    }

    #[tokio::test]
    async fn a_failed_call_calls_for_a_look() {
        let wired = wired(&Face::ALL);
        let tool = Arc::new(Fake::default());
        wired.plug(Fake::gear(&tool));
        tool.fail("the cable is out");
        assert_eq!(wired.capture().unwrap_err().to_string(), "the cable is out");
        wired.trouble().await;
    }
}
