//! Tests that drive devices.
//!
//! A test is one function; it gets the [`Session`] and says how it went:
//!
//! ```ignore
//! use std::time::Duration;
//! use headend_sdk::script::{Key, Session, TestResult};
//!
//! headend_sdk::script!(|session: &mut Session| {
//!     session.connect("menu test")?;
//!     let slot = session.reserve(1)?;
//!
//!     let region = session.region("Open the menu")?;
//!     slot.press(Key::Menu)?;
//!     session.wait(Duration::from_secs(1))?;
//!     let picture = slot.capture("menu.png")?;
//!     session.log(&format!("the menu is in {}", picture.path))?;
//!     region.pass("it is there")?;
//!
//!     Ok(TestResult::Pass)
//! });
//! ```
//!
//! Slots are the test's own numbers: under a rack they stand for the leased slots in the order of reservation, so a test runs on any box.
//! There is no clock, no file and no network beside the session, and each run starts with a fresh memory. An error that reaches the end
//! of the function, and a panic, end the run as crashed, with the text in the log.

mod answer;
#[doc(hidden)]
pub mod bindings;
mod error;
mod guards;
mod key;
mod look;
mod screens;
mod session;
mod slot;

pub use answer::{Answer, TestResult};
pub use bindings::headend::script::senses::{Finding, SerialLine, SerialNews, SignalState};
pub use bindings::headend::script::session::{
    Allocation, Captured, LogLevel, Param, Rect, RegionStyle, SessionInfo, SlotAnswer,
};
pub use error::{Error, Result};
pub use guards::{Region, Step};
pub use key::Key;
pub use look::{Look, Seen};
pub use screens::{Named, RegionSeen, Screen, ScreenSeen};
pub use session::Session;
pub use slot::Slot;

/// The component's `run`: what [`script!`](crate::script!) calls.
#[doc(hidden)]
pub fn run<T: Answer>(test: impl FnOnce(&mut Session) -> Result<T>) -> std::result::Result<(), String> {
    // A trap has no text; the log has.
    std::panic::set_hook(Box::new(|panic| {
        let _ = bindings::headend::script::session::log(LogLevel::Error, &panic.to_string());
    }));
    let mut session = Session::new();
    let answer = test(&mut session).map_err(|error| error.to_string())?;
    answer.report(&session).map_err(|error| error.to_string())
}

/// Makes a test of a function or closure `FnOnce(&mut Session) -> Result<T>`, where `T` is [`TestResult`], or `()` for a test that reports by
/// [`Session::result`]. Once per crate; the crate is a `cdylib`.
#[macro_export]
macro_rules! script {
    ($test:expr) => {
        const _: () = {
            struct Test;

            impl $crate::script::bindings::Guest for Test {
                fn run() -> ::std::result::Result<(), ::std::string::String> {
                    $crate::script::run($test)
                }
            }

    $crate::script::bindings::export!(Test with_types_in $crate::script::bindings);
        };
    };
}
