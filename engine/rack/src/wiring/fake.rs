//! A tool without a device, for tests of what stands around it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt, ready};
use headend_drivers::{Capture, DriverError, Place, Power, Remote, Serial, SerialLine, SerialNews, Shot, Tool, now_us};
use headend_media::Picture;
use serde::Deserialize;

use super::keeper::Tools;
use super::tools::{Claim, Spec};
use crate::driver::wired::Gear;

/// Works until it is told to fail.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    calls: Mutex<Vec<String>>,
    fault: Mutex<Option<String>>,
    starts: AtomicUsize,
    probes: AtomicUsize,
}

impl Fake {
    pub(crate) fn gear(tool: &Arc<Self>) -> Gear {
        Gear {
            capture: Some(tool.clone()),
            remote: Some(tool.clone()),
            power: Some(tool.clone()),
            serial: Some(tool.clone()),
            tools: vec![("all".to_owned(), tool.clone())],
        }
    }

    /// Everything fails from now on.
    pub(crate) fn fail(&self, reason: &str) {
        *self.fault.lock().unwrap() = Some(reason.to_owned());
    }

    /// Everything works from now on.
    pub(crate) fn mend(&self) {
        *self.fault.lock().unwrap() = None;
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn starts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    pub(crate) fn probes(&self) -> usize {
        self.probes.load(Ordering::SeqCst)
    }

    fn call<T>(&self, what: String, answer: T) -> Result<T, DriverError> {
        self.calls.lock().unwrap().push(what);
        self.works(answer)
    }

    fn works<T>(&self, answer: T) -> Result<T, DriverError> {
        let fault = self.fault.lock().unwrap().clone();
        fault.map_or(Ok(answer), |reason| Err(DriverError(reason)))
    }
}

impl Tool for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        self.probes.fetch_add(1, Ordering::SeqCst);
        ready(self.works("it is there".to_owned())).boxed()
    }
}

impl Capture for Fake {
    fn latest(&self) -> Result<Shot, DriverError> {
        let picture = Picture::colour(16, 9, vec![7; 16 * 9 * 3]).map_err(|fault| DriverError(format!("{fault:?}")))?;
        self.works(Shot { at_us: now_us(), picture })
    }
}

impl Remote for Fake {
    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        ready(self.call(format!("press {key}"), true)).boxed()
    }
}

impl Power for Fake {
    fn switch(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        ready(self.call(format!("power {on}"), true)).boxed()
    }
}

impl Serial for Fake {
    fn send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>> {
        ready(self.call(format!("send {}", String::from_utf8_lossy(bytes)), ())).boxed()
    }

    fn since(&self, from: u64) -> SerialNews {
        let lines = vec![SerialLine { at_us: now_us(), text: "ready".to_owned() }];
        SerialNews { lines, next: from + 1, lost: 0 }
    }
}

/// Starts as the tool works.
#[derive(Debug)]
pub(crate) struct FakeTools(pub(crate) Arc<Fake>);

impl Tools for FakeTools {
    fn start<'a>(&'a self, _: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        self.0.starts.fetch_add(1, Ordering::SeqCst);
        ready(self.0.works(Fake::gear(&self.0))).boxed()
    }
}

/// `fake = { … }`: a whole machine.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FakeOptions {
    memory_mib: u32,
}

impl Spec for FakeOptions {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn check(&self) -> Result<(), DriverError> {
        let fine = self.memory_mib <= 1_024;
        if fine { Ok(()) } else { Err(DriverError(format!("memory_mib = {}: at most 1024", self.memory_mib))) }
    }

    fn start<'a>(&'a self, _: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        ready(Ok(Fake::gear(&Arc::new(Fake::default())))).boxed()
    }
}

/// `port = { … }`: a serial line or a remote control.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortOptions {
    path: std::path::PathBuf,
}

impl Spec for PortOptions {
    fn name(&self) -> &'static str {
        "port"
    }

    fn check(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::device("serial port", &self.path)]
    }

    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        let there = place.scratch.is_dir() && self.path.exists();
        let error = || DriverError(format!("{} is not there", self.path.display()));
        ready(if there { Ok(Fake::gear(&Arc::new(Fake::default()))) } else { Err(error()) }).boxed()
    }
}
