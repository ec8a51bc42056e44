//! A serial port, or a pseudo-terminal.
//!
//! One task reads the port into a bounded ring of lines. When the other side goes (an adapter is pulled out, a terminal is closed), it
//! opens the port again and again, ever more seldom, and until then says so to whoever sends.

pub(crate) mod lines;
mod options;
mod port;
pub(crate) mod task;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;

use self::lines::Lines;
pub(crate) use self::options::quiet_ms;
pub use self::options::{Flow, Options, Parity};
use self::port::Port;
use self::task::Task;
use crate::{DriverError, Place, SerialNews, Tool};

/// First and longest time between two tries to open a port.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A port that is read and kept open.
#[derive(Debug)]
pub struct Serial {
    shared: Arc<Shared>,
    /// One sender at a time, so that bytes of two do not mix.
    turn: tokio::sync::Mutex<()>,
    _reader: Task,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    lines: Lines,
    /// Or why it is not open.
    port: Mutex<Result<Port, DriverError>>,
}

/// Opens the port and begins to read it.
///
/// # Errors
/// The port is not there, belongs to somebody else, or cannot do what the options ask for.
#[expect(clippy::unused_async, reason = "all tools are started alike")]
pub async fn start(options: &Options, place: &Place) -> Result<Serial, DriverError> {
    options.check()?;
    let port = Port::open(options)?;
    tracing::debug!(slot = place.slot, port = %options.port.display(), "serial port is open");
    let shared =
        Arc::new(Shared { options: options.clone(), lines: Lines::default(), port: Mutex::new(Ok(port.clone())) });
    let reader = Task::start(read(Arc::clone(&shared), port, place.slot));
    Ok(Serial { shared, turn: tokio::sync::Mutex::new(()), _reader: reader })
}

async fn read(shared: Arc<Shared>, mut port: Port, slot: u16) {
    loop {
        let reason = lines::listen(&mut port, &shared.lines, shared.options.quiet()).await;
        let name = shared.options.port.display();
        tracing::warn!(slot, port = %name, "serial port is gone: {reason}");
        let gone = format!("port {name} is gone: {reason}; it is opened again when it comes back");
        shared.set(Err(DriverError(gone)));
        drop(port);
        port = reopened(&shared).await;
        tracing::info!(slot, port = %name, "serial port is back");
        shared.set(Ok(port.clone()));
    }
}

async fn reopened(shared: &Shared) -> Port {
    let (mut pause, longest) = PAUSES;
    loop {
        tokio::time::sleep(pause).await;
        match Port::open(&shared.options) {
            Ok(port) => return port,
            Err(error) => shared.set(Err(error)),
        }
        pause = longest.min(pause * 2);
    }
}

impl Shared {
    fn set(&self, port: Result<Port, DriverError>) {
        *self.port.lock().unwrap_or_else(PoisonError::into_inner) = port;
    }

    fn port(&self) -> Result<Port, DriverError> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn send(&self, bytes: &[u8]) -> Result<(), DriverError> {
        let name = self.options.port.display();
        let longest = self.options.longest(bytes.len());
        match tokio::time::timeout(longest, self.port()?.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(DriverError(format!("port {name}: {} bytes were not sent: {error}", bytes.len()))),
            Err(_) => Err(DriverError(format!(
                "port {name} did not take {} bytes within {} s; check the cable and `flow`",
                bytes.len(),
                longest.as_secs()
            ))),
        }
    }
}

impl Tool for Serial {
    fn name(&self) -> &'static str {
        "serial"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        let options = &self.shared.options;
        let state = self.shared.port().map(|_| format!("{}, {}, open", options.port.display(), options.line()));
        Box::pin(std::future::ready(state))
    }
}

impl crate::Serial for Serial {
    fn send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.shared.send(bytes).await
        })
    }

    fn since(&self, from: u64) -> SerialNews {
        self.shared.lines.since(from)
    }
}
