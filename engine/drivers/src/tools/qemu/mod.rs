//! A machine of QEMU's as a device under test: its screen, a keyboard, mains and a serial port, from one process.
//!
//! ```text
//!  latest ──► Live::shot ── screendump ─► picture file, read and deleted     (only when somebody looks)
//!  press  ──► send-key                                                        all over QMP, a Unix socket
//!  switch ──► Keeper ── starts and ends the process, starts it again if it dies by itself
//!  since  ◄── Lines ◄── serial socket                                         kept across mains off and on
//! ```
//!
//! The process leads a group of its own and is killed with the tool, and by the kernel when the rack dies. With mains off there is no
//! process at all.

mod keeper;
mod keys;
mod live;
mod options;
mod ppm;
mod qmp;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use self::keeper::{Keeper, Order, State};
pub use self::options::{Accel, Options};
use crate::tools::serial::lines::Lines;
use crate::tools::serial::task::Task;
use crate::{DriverError, Place, SerialNews, Shot, Tool};

/// Longest wait for mains to be switched: an end by force and a start.
const SWITCH: Duration = Duration::from_mins(1);

/// A machine, running or off.
#[derive(Debug)]
pub struct Qemu {
    options: Options,
    state: Arc<State>,
    lines: Arc<Lines>,
    orders: mpsc::Sender<Order>,
    /// One key at a time.
    keyboard: tokio::sync::Mutex<()>,
    _keeper: Task,
}

/// Starts the machine, with mains on.
///
/// # Errors
/// QEMU is not there, or does not take the options: with what it said.
pub async fn start(options: &Options, place: &Place) -> Result<Qemu, DriverError> {
    options.check()?;
    let lines = Arc::<Lines>::default();
    let state = Arc::<State>::default();
    let keeper = Keeper::start(options.clone(), place.clone(), Arc::clone(&lines), Arc::clone(&state)).await?;
    let (orders, taken) = mpsc::channel(4);
    let keeper = Task::start(keeper.keep(taken));
    let keyboard = tokio::sync::Mutex::new(());
    Ok(Qemu { options: options.clone(), state, lines, orders, keyboard, _keeper: keeper })
}

impl Qemu {
    /// Presses the keys together and lets go.
    async fn key(&self, key: &str) -> Result<bool, DriverError> {
        let codes = keys::qcodes(&self.options.keys, key)?;
        let _turn = self.keyboard.lock().await;
        if self.state.is_off() {
            return Ok(false);
        }
        let live = self.state.live()?;
        let pressed: Vec<_> = codes.iter().map(|code| json!({ "type": "qcode", "data": code })).collect();
        live.ask("send-key", json!({ "keys": pressed, "hold-time": self.options.key_ms })).await.map_err(|error| {
            DriverError(format!(
                "key {key:?} as {}: {error}; name one of QEMU's key codes for it under `keys`",
                codes.join("+")
            ))
        })?;
        // QEMU answers at once and lets go later; the next key is another press only then.
        tokio::time::sleep(Duration::from_millis(self.options.key_ms.into())).await;
        Ok(true)
    }

    async fn mains(&self, on: bool) -> Result<bool, DriverError> {
        let gone = || DriverError("nobody looks after the machine any more; start the rack again".into());
        let (answer, done) = oneshot::channel();
        self.orders.send(Order { on, answer }).await.map_err(|_| gone())?;
        match tokio::time::timeout(SWITCH, done).await {
            Ok(done) => done.map_err(|_| gone())?.map(|()| true),
            Err(_) => {
                Err(DriverError(format!("mains were not switched within {} s; see the rack's log", SWITCH.as_secs())))
            }
        }
    }

    async fn tried(&self) -> Result<String, DriverError> {
        if self.state.is_off() {
            return self.options.found().map(|program| format!("{} is here, mains are off", program.display()));
        }
        let live = self.state.live()?;
        let status = live.status().await?;
        let version = live.qmp.version().to_owned();
        let shot = tokio::task::spawn_blocking(move || live.shot()).await;
        let picture = shot.map_err(|error| DriverError(format!("no picture of the machine: {error}")))??.picture;
        Ok(format!("QEMU {version}, {status}, {}x{}", picture.width(), picture.height()))
    }
}

impl Tool for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        Box::pin(self.tried())
    }
}

impl crate::Capture for Qemu {
    /// Asks for a picture, and so blocks for some milliseconds, three seconds at most. With mains off there is none.
    fn latest(&self) -> Result<Shot, DriverError> {
        self.state.live()?.shot()
    }

    fn frame_us(&self) -> u64 {
        self.options.frame_us()
    }
}

impl crate::Remote for Qemu {
    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        Box::pin(self.key(key))
    }
}

impl crate::Power for Qemu {
    /// Off ends the process; on starts it. On for a machine that runs changes nothing; one that has shut itself down is reset.
    fn switch(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        Box::pin(self.mains(on))
    }
}

impl crate::Serial for Qemu {
    fn send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>> {
        Box::pin(async move { self.state.live()?.send(bytes).await })
    }

    fn since(&self, from: u64) -> SerialNews {
        self.lines.since(from)
    }
}
