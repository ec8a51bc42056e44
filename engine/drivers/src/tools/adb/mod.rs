//! Android devices behind an adb server: keys by `input keyevent`, pictures by `screencap`.
//!
//! ```text
//!  press("Vol+") ─► KEYCODE_VOLUME_UP ─► shell,v2:input keyevent … ─┐
//!  latest() ◄─ newest PNG, decoded    ◄─ exec:screencap -p         ─┴─► adb server (5037) ─► device
//! ```
//!
//! We speak to the server ourselves; no `adb` is run, and the server is not started: `adb start-server` does. Pictures are fetched only
//! while somebody looks, so an idle device is left in peace. There is no sound.
//!
//! What was tried: the protocol of the server against Debian's adb 29, the services of a device against a small fake on loopback. No device
//! was at hand.

mod keys;
mod options;
mod png;
mod screen;
mod server;

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};

pub use self::options::Options;
use self::screen::Screen;
use self::server::{Fault, Server};
use crate::{Capture, DriverError, Place, Remote, Shot, Tool};

/// What a probe may take.
const PROBE_TIME: Duration = Duration::from_secs(9);

/// A device behind an adb server. It may come and go: every call asks anew.
#[derive(Debug)]
pub struct Adb {
    options: Options,
    server: Server,
    screen: Screen,
}

/// Gets ready. Asks nothing of the server or the device: [`Tool::probe`] does. Must be called within a runtime.
///
/// # Errors
/// What [`Options::check`] finds.
#[allow(clippy::unused_async, reason = "all tools are started alike")]
pub async fn start(options: &Options, place: &Place) -> Result<Adb, DriverError> {
    options.check()?;
    tracing::debug!(slot = place.slot, serial = options.serial, server = options.server, "adb begins");
    let limit = Duration::from_millis(u64::from(options.timeout_ms));
    let server = Server { address: options.server.clone(), limit };
    let screen = Screen::new(options, &server);
    Ok(Adb { options: options.clone(), server, screen })
}

impl Adb {
    async fn look(&self) -> Result<String, DriverError> {
        let version = self.server.version().await?;
        let devices = self.server.devices().await?;
        let serial = &self.options.serial;
        match devices.iter().find(|(known, _)| known == serial).map(|(_, state)| state.as_str()) {
            Some("device") => {}
            Some(state) => {
                let say = "it must be `device`: unlock it, confirm this host's key, or run `adb reconnect`";
                return Err(DriverError(format!("device {serial} is {state}; {say}")));
            }
            None => {
                let known: Vec<&str> = devices.iter().map(|(serial, _)| serial.as_str()).take(8).collect();
                let known = if known.is_empty() { "no device".to_owned() } else { known.join(", ") };
                let say = "connect it, or set serial";
                return Err(DriverError(format!("adb server knows no device {serial}, but {known}; {say}")));
            }
        }
        let model = self.property("ro.product.model").await?;
        let release = self.property("ro.build.version.release").await?;
        Ok(format!("adb server {version}, {serial}: {model}, Android {release}"))
    }

    async fn property(&self, name: &str) -> Result<String, DriverError> {
        let said = self.server.shell(&self.options.serial, &format!("getprop {name}")).await?;
        let text: String = said.text.chars().filter(|letter| !letter.is_control()).take(64).collect();
        Ok(if text.is_empty() { "unknown".to_owned() } else { text })
    }

    async fn send(&self, key: &str) -> Result<bool, DriverError> {
        let code = keys::code(key, &self.options.keys)?;
        let said = self.server.shell(&self.options.serial, &format!("input keyevent {code}")).await?;
        let taken = match said.status {
            Some(status) => status == 0,
            // It says nothing when all is well.
            None => said.text.is_empty(),
        };
        if !taken {
            let text: String = said.text.chars().take(200).collect();
            tracing::warn!(serial = self.options.serial, key, %code, status = said.status, text, "the device did not take a key");
        }
        Ok(taken)
    }
}

impl From<Fault> for DriverError {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

impl Tool for Adb {
    fn name(&self) -> &'static str {
        "adb"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        async {
            let late = |_| DriverError(format!("adb: no answer within {} s; see `adb devices`", PROBE_TIME.as_secs()));
            tokio::time::timeout(PROBE_TIME, self.look()).await.map_err(late)?
        }
        .boxed()
    }
}

impl Remote for Adb {
    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        self.send(key).boxed()
    }
}

impl Capture for Adb {
    /// Waits for the first picture if nobody has looked for a while, up to `timeout_ms` and a second: call it where waiting does no harm,
    /// not on a thread of the runtime.
    fn latest(&self) -> Result<Shot, DriverError> {
        self.screen.latest()
    }

    fn frame_us(&self) -> u64 {
        u64::from(self.options.poll_ms) * 1000
    }
}
