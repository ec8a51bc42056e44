//! The virtual set-top box: a small but real box that a test can drive and look at.
//!
//! [`state`] is what it remembers, [`keys`] what the remote control does to that, [`draw`] the picture as a pure
//! function of state and time. Nothing runs while nobody looks: a thousand idle boxes cost nothing but their state.

pub mod canvas;
pub mod draw;
pub mod font;
pub mod keys;
pub mod lineup;
pub mod state;

use std::sync::{Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt};

use super::{Driver, DriverError, Frame};
use crate::clock::boot_now;
use crate::options::VirtualOptions;
use state::BoxState;

/// What a key press takes of the box's time when that is virtual, in milliseconds.
const PRESS_MS: u64 = 40;

/// One box.
#[derive(Debug)]
pub struct VirtualStb {
    options: VirtualOptions,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: BoxState,
    /// The box's time when it is virtual.
    virtual_ms: u64,
}

impl VirtualStb {
    /// A box that has been on for a while and shows its first channel.
    pub fn new(options: VirtualOptions) -> Self {
        let inner = Inner { state: BoxState::new(options.seed), virtual_ms: 0 };
        Self { options, inner: Mutex::new(inner) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut BoxState, u64) -> T) -> T {
        // The state stays whole even if a holder panicked: each key changes it in one go.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now(&inner);
        work(&mut inner.state, now)
    }

    fn now(&self, inner: &Inner) -> u64 {
        if self.options.virtual_time { inner.virtual_ms } else { boot_now().micros().unsigned_abs() / 1_000 }
    }
}

impl Driver for VirtualStb {
    fn kind(&self) -> &'static str {
        "virtual"
    }

    fn builtin_dut(&self) -> Option<String> {
        Some(self.options.name.clone())
    }

    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        let taken = self.with(|state, now| keys::press(state, key, now));
        self.skip(PRESS_MS);
        std::future::ready(Ok(taken)).boxed()
    }

    fn power(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        self.with(|state, now| state.mains(on, now));
        std::future::ready(Ok(true)).boxed()
    }

    fn capture(&self) -> Result<Frame, DriverError> {
        // The state is copied so that nobody waits for the drawing.
        let (state, now) = self.with(|state, now| (state.clone(), now));
        Ok(draw::frame(&state, now))
    }

    fn skip(&self, ms: u64) -> bool {
        if self.options.virtual_time {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.virtual_ms = inner.virtual_ms.saturating_add(ms);
        }
        self.options.virtual_time
    }
}
