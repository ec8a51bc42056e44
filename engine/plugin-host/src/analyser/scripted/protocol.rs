//! What host and child say to each other, in lines of JSON. The host says something and listens; the child may ask the desk any number of times before it
//! answers. Both ends are the same build, so the form may change at any time.

use headend_media::{Cell, Colour, Comparison, Found, Rect, Span, Statistics};
use serde::{Deserialize, Serialize};

use super::super::Verdict;
use super::super::desk::{Fault, Handle};
use super::super::ocr::{Reading, Word};

/// From the host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToChild {
    /// Always the first: limits the process, then parses.
    Load {
        source: String,
        memory_mib: u32,
    },
    Build {
        parameters: String,
        references: Vec<WireReference>,
    },
    Feed(WireFrame),
    Hear(WireSound),
    Read(WireNews),
    Finish,
    /// To a call of the child.
    Reply(Result<Reply, Fault>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireReference {
    pub(super) name: String,
    pub(super) picture: Handle,
    pub(super) mask: Option<Handle>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct WireFrame {
    pub(super) handle: Handle,
    pub(super) number: u64,
    pub(super) at: i64,
    pub(super) width: u32,
    pub(super) height: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct WireSound {
    pub(super) handle: Handle,
    pub(super) at: i64,
    pub(super) rate: u32,
    pub(super) channels: u32,
    pub(super) count: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireNews {
    /// Instant and text of each.
    pub(super) lines: Vec<(i64, String)>,
    pub(super) lost: u64,
    pub(super) now: i64,
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromChild {
    /// The child waits for a [`ToChild::Reply`].
    Call {
        /// Handles that the script has let go of.
        gone: Vec<Handle>,
        call: Call,
    },
    /// No reply is wanted.
    Log(String),
    Done,
    Verdict(Option<Verdict>),
    /// The script cannot work like that, for this reason.
    Declined(String),
    /// The source is no Rhai, or uses what is switched off.
    Refused(String),
    /// It lacks a function.
    Misfit(String),
    /// The script threw, ran out of operations, or answered something else than asked.
    Threw(String),
}

/// A question to the desk; the functions of the same names say what each does.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    FramePicture(Handle),
    Size(Handle),
    Crop(Handle, Rect),
    Grey(Handle),
    Scale(Handle, u32, u32),
    Difference(Handle, Handle),
    Covered(Handle, Vec<Rect>),
    Plain(u32, u32, u8),
    Read(Handle, Rect),
    Statistics(Handle, Rect),
    Histogram(Handle, Rect),
    Near(Handle, Rect, Colour, Colour),
    Sharpness(Handle, Rect),
    Grid(Handle, Rect, u32),
    ReadText(Handle, Rect, Reading),
    Sums(Handle),
    Sum(Handle, Rect),
    Compare(Handle, Handle, u8, Option<Handle>),
    Find(Handle, Handle, Option<Handle>, Rect, f64),
    Levels(Handle, u32, Span),
    Tone(Handle, u32, Span, f64),
    Samples(Handle, u32, Span),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Handle(Handle),
    /// Width, height, whether it is grey.
    Size(u32, u32, bool),
    Bytes(Vec<u8>),
    Counts(Vec<u32>),
    Samples(Vec<i16>),
    Count(u32),
    Statistics(Statistics),
    /// Sum, and sum of squares.
    Sum(u64, u64),
    Comparison(Comparison),
    Found(Option<Found>),
    /// Rms, peak, dBFS.
    Levels(f64, f64, f64),
    /// Of a tone; or a sharpness.
    Share(f64),
    Cells(Vec<Cell>),
    /// Or a sentence on why there are none.
    Words(Result<Vec<Word>, String>),
}
