//! Analysers as plugins: frames, sound or serial lines in, verdicts with evidence out.
//!
//! [`AnalyserHost`] loads them by the same steps as policies; [`AnalyserHost::instance`] builds one for a stream:
//!
//! ```text
//!  Frame, Heard, News ─► instance.feed, .hear, .read, .finish ─► Option<Verdict>
//!                    │    ▲
//!                    ▼    │ handles, numbers, small reads: never the pixels of a frame
//!                  Desk: headend-media on the host's side, within budgets of calls, time and pixels
//! ```
//!
//! WebAssembly answers in this process; Rhai in a process of its own, one for each instance, and asks the same desk over a pipe.

mod desk;
pub mod drawn;
mod fault;
mod host;
mod ocr;
mod scripted;
mod selfcheck;
pub mod serial;
pub mod stored;
mod verdict;
mod wasm;

pub use fault::AnalyserFault;
pub use headend_media as media;
pub use host::{AnalyserHost, AnalyserHostConfig};
pub use scripted::{definitions, guest_main};
pub use verdict::{Shape, Tone, Value, Verdict};

use headend_media::{Picture, Sound};
use serial::News;

/// The contracts this build offers to analysers, oldest first (`sdk/wit/*/analyser`).
pub(crate) const WORLDS: &[crate::manifest::WorldVersion] = &[crate::manifest::WorldVersion(1, 2, 0)];

/// Most references of an instance.
pub const MAX_REFERENCES: usize = 32;

/// Building reads references and parameters: it may take this many times as long as a frame.
const BUILD_FACTOR: u32 = 10;

/// A frame of a stream. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Rises from frame to frame.
    pub number: u64,
    /// Of the stream's clock, in microseconds; never goes back.
    pub at_us: i64,
    /// Its pixels, in colour.
    pub picture: Picture,
}

/// A piece of sound of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Of its first sample, of the stream's clock, in microseconds.
    pub at_us: i64,
    /// The samples.
    pub sound: Sound,
}

/// A picture to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As parameters or manuals speak of it.
    pub name: String,
    /// Its pixels, in colour.
    pub picture: Picture,
    /// Grey, of the same size: 0 where it does not count.
    pub mask: Option<Picture>,
}

/// An analyser at work on one stream. Used by one thread at a time; calls wait at most for the plugin's deadline.
///
/// After an [`AnalyserFault`] the instance answers nothing but that fault.
pub trait AnalyserInstance: Send {
    /// The next frame.
    ///
    /// # Errors
    /// [`AnalyserFault`] when it trapped, overran, asked for too much, or answered nonsense.
    fn feed(&mut self, frame: &Frame) -> Result<Option<Verdict>, AnalyserFault>;

    /// The next piece of sound.
    ///
    /// # Errors
    /// As [`AnalyserInstance::feed`].
    fn hear(&mut self, heard: &Heard) -> Result<Option<Verdict>, AnalyserFault>;

    /// The next lines, perhaps none. An analyser whose manifest does not ask for them has nothing to say.
    ///
    /// # Errors
    /// As [`AnalyserInstance::feed`].
    fn read(&mut self, news: &News) -> Result<Option<Verdict>, AnalyserFault>;

    /// The stream has ended. To be asked at most once, last.
    ///
    /// # Errors
    /// As [`AnalyserInstance::feed`].
    fn finish(&mut self) -> Result<Option<Verdict>, AnalyserFault>;
}
