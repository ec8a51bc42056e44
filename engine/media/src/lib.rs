//! What can be asked of pictures and sound: statistics, differences, sums, sizes, where something is, how loud it is.
//!
//! [`Picture`] comes first: pixels that do not change, shared and cropped without copies. [`Sound`] is the same for samples. All answers about pictures
//! are whole numbers, or made from whole numbers at the end, so they are the same on every machine. Loops are plain code over rows, which the compiler
//! turns into vector instructions; `lanes` picks the widest that the machine has. A test holds each against a slow twin.
//!
//! Absent on purpose: files, formats, clocks, plugins, and any opinion on what an answer means.

#![allow(
    clippy::inline_always,
    reason = "what is not inlined into the dispatched function is compiled for the oldest machine"
)]

mod compare;
mod derive;
mod detail;
mod find;
mod lanes;
mod near;
mod picture;
mod sound;
mod statistics;
mod sums;

pub use compare::Comparison;
pub use detail::Cell;
pub use find::Found;
pub use picture::{Colour, MAX_SIDE, Picture, Rect};
pub use sound::{Sound, Span};
pub use statistics::Statistics;
pub use sums::Sums;

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is left of the part that was asked about, or a size is zero.
    Empty,
    /// A side longer than [`MAX_SIDE`].
    TooLarge,
    /// Pictures, or picture and mask, do not fit each other.
    Misfit,
    /// The caller wanted no answer any more.
    Stopped,
}
