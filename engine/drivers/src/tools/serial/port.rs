//! A port: opened, set up, read and written without threads.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{Mode, OFlags};
use rustix::termios::{ControlModes, InputModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, Interest, ReadBuf};

use super::options::{Flow, Options, Parity};
use crate::DriverError;

/// An open port. A clone is the same port.
#[derive(Clone, Debug)]
pub(super) struct Port(Arc<AsyncFd<OwnedFd>>);

impl Port {
    /// Opens it for this process alone, and sets it up.
    pub(super) fn open(options: &Options) -> Result<Self, DriverError> {
        let path = &options.port;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let port = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| failed(path, "cannot be opened", error, remedy(error)))?;
        if !rustix::termios::isatty(&port) {
            return Err(DriverError(format!(
                "`port` {} is no serial port; name one such as /dev/ttyS0 or /dev/ttyUSB0",
                path.display()
            )));
        }
        set_up(&port, options).map_err(|error| {
            failed(path, &format!("does not take {}", options.line()), error, "look up what the port can do")
        })?;
        let port = registered(port).map_err(|error| DriverError(format!("port {}: {error}", path.display())))?;
        Ok(Self(Arc::new(port)))
    }

    /// Writes all of it.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let write = |port: &OwnedFd| rustix::io::write(port, bytes).map_err(io::Error::from);
            let written = self.0.async_io(Interest::WRITABLE, write).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let room = into.initialize_unfilled();
            let read = guard.try_io(|port| rustix::io::read(port.get_ref(), room).map_err(io::Error::from));
            match read {
                Ok(Ok(count)) => {
                    into.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                // It was not ready after all.
                Err(_) => {}
            }
        }
    }
}

#[allow(unsafe_code, reason = "there is no other way to wait for a descriptor that is neither socket nor pipe")]
fn registered(port: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` gives the same open descriptor for as long as it lives, and nothing here replaces it.
    unsafe { AsyncFd::register(port) }.map_err(io::Error::from)
}

fn set_up(port: &OwnedFd, options: &Options) -> rustix::io::Result<()> {
    // Two programs on one port would each get half of what comes. Root is let in all the same.
    rustix::termios::ioctl_tiocexcl(port)?;
    let mut modes = rustix::termios::tcgetattr(port)?;
    shape(&mut modes, options);
    modes.set_speed(options.baud)?;
    rustix::termios::tcsetattr(port, OptionalActions::Now, &modes)?;
    // The kernel drops what the port cannot do without a word.
    if rustix::termios::tcgetattr(port)?.output_speed() != options.baud {
        return Err(rustix::io::Errno::INVAL);
    }
    // What came before anybody listened, perhaps at another speed, is no news.
    rustix::termios::tcflush(port, QueueSelector::IFlush)
}

/// Raw bytes, no echo, no waiting for a modem.
fn shape(modes: &mut Termios, options: &Options) {
    modes.make_raw();
    let control = &mut modes.control_modes;
    control.remove(ControlModes::CSIZE | ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB);
    control.remove(ControlModes::CRTSCTS);
    control.insert(ControlModes::CREAD | ControlModes::CLOCAL);
    control.insert(match options.bits {
        5 => ControlModes::CS5,
        6 => ControlModes::CS6,
        7 => ControlModes::CS7,
        _ => ControlModes::CS8,
    });
    control.insert(match options.parity {
        Parity::None => ControlModes::empty(),
        Parity::Even => ControlModes::PARENB,
        Parity::Odd => ControlModes::PARENB | ControlModes::PARODD,
    });
    control.set(ControlModes::CSTOPB, options.stop_bits == 2);
    control.set(ControlModes::CRTSCTS, options.flow == Flow::Hardware);
    modes.input_modes.set(InputModes::IXON | InputModes::IXOFF, options.flow == Flow::Software);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
}

fn failed(path: &Path, what: &str, error: rustix::io::Errno, remedy: &str) -> DriverError {
    DriverError(format!("port {} {what}: {error}; {remedy}", path.display()))
}

fn remedy(error: rustix::io::Errno) -> &'static str {
    match error {
        rustix::io::Errno::ACCESS => "let the rack's user into the group that owns it, often `dialout`",
        rustix::io::Errno::BUSY => "another program has it; end that one",
        rustix::io::Errno::NOENT => "check `port`, and that the adapter is plugged in",
        _ => "check `port`",
    }
}
