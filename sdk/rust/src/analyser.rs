//! Analysers: frames, sound or serial lines in, verdicts with evidence out.
//!
//! An analyser is one `impl` block:
//!
//! ```no_run
//! use headend_sdk::analyser::{Analyser, Colour, Frame, Rect, Setup, Verdict};
//! use serde::Deserialize;
//!
//! /// What may be set; the manifest's `[parameters]` says the same as JSON Schema, with defaults.
//! #[derive(Deserialize)]
//! struct Bright {
//!     share: f64,
//! }
//!
//! impl Analyser for Bright {
//!     fn build(setup: Setup) -> Result<Self, String> {
//!         setup.settings()
//!     }
//!
//!     fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
//!         let picture = frame.picture().ok()?;
//!         let mean = picture.statistics(Rect::ALL).ok()?.mean;
//!         let share = (mean.red + mean.green + mean.blue) / 765.0;
//!         let verdict = Verdict::new(frame.stamp(), share >= self.share, share, format!("{:.1} % of full white", share * 100.0));
//!         Some(verdict.with("mean_green", mean.green))
//!     }
//! }
//! # // On a component: headend_sdk::export_analyser!(Bright);
//! ```
//!
//! and one line that makes a component of it: `headend_sdk::export_analyser!(Bright);`
//!
//! Pixels stay with the host: a [`Picture`] is a handle, and what is done with all of its pixels is done by the host, in vector instructions. Reading single
//! pixels ([`Picture::read`]) is for small parts. A picture that is kept over calls keeps its pixels alive, so keep few.
//!
//! Which of [`Analyser::feed`], [`Analyser::hear`] and [`Analyser::read_lines`] are called is told by the manifest: `senses = ["sight"]`, `"sound"`, `"serial"`, or several.
//!
//! Text is read by the host, too ([`read_text`]), for analysers whose manifest asks for the capability `ocr` and that the host lets.
//!
//! There is no clock, no randomness, no file, no network. Same parameters, same references, same stream: the same verdicts. A panic ends the instance.
//!
//! What decides can be tested without a host when it is apart from what asks:
//!
//! ```
//! use headend_sdk::analyser::{Rect, Stamp, Tone, Verdict};
//!
//! let here = Rect { x: 8, y: 8, width: 64, height: 32 };
//! let verdict = Verdict::new(Stamp { frame: 7, at: 280_000 }, true, 0.98, "the logo is there".into())
//!     .within(here)
//!     .with("similarity", 0.98)
//!     .draw(here, Tone::Good, "logo");
//! assert_eq!((verdict.frame, verdict.values[0].number, verdict.overlay.len()), (7, 0.98, 1));
//! ```

mod hearing;
#[doc(hidden)]
pub mod seat;

pub use hearing::{Power, Tones, Window};
pub use seat::bindings::exports::headend::analyser::analysing::{Reference, Setup};
pub use seat::bindings::exports::headend::analyser::serial::{Line, News};
pub use seat::bindings::headend::analyser::ocr::{Layout, Reading, Word, read_text};
pub use seat::bindings::headend::analyser::pictures::{
    Cell, Comparison, Found, Frame, Levels, Picture, Statistics, Sums,
};
pub use seat::bindings::headend::analyser::sounds::{Sound, Span};
pub use seat::bindings::headend::analyser::types::{Colour, Fault, Instant, Rect, Shape, Tone, Value, Verdict};

/// Frames, sound or lines in, verdicts out. One value serves one stream; calls come one after another.
pub trait Analyser: Sized + 'static {
    /// From parameters and references. Called once, first.
    ///
    /// # Errors
    /// A sentence for whoever asked: the parameters make no sense together, or a reference is missing.
    fn build(setup: Setup) -> Result<Self, String>;

    /// The next frame, in order. Sizes may change from frame to frame, down to 1x1. For the sense `sight`.
    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let _ = frame;
        None
    }

    /// The next piece of sound. Called when the stream has any. For the sense `sound`.
    fn hear(&mut self, sound: &Sound) -> Option<Verdict> {
        let _ = sound;
        None
    }

    /// The next lines of the serial port, perhaps none: called at every look. For the sense `serial`; the contract calls it `read`.
    fn read_lines(&mut self, news: &News) -> Option<Verdict> {
        let _ = news;
        None
    }

    /// The stream has ended, perhaps before the first frame. Called at most once, last.
    fn finish(&mut self) -> Option<Verdict> {
        None
    }
}

/// Which frame, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its number.
    pub frame: u64,
    /// Of the stream's clock, in microseconds.
    pub at: Instant,
}

impl Frame {
    /// For a verdict.
    pub fn stamp(&self) -> Stamp {
        Stamp { frame: self.number(), at: self.at() }
    }
}

impl Setup {
    /// Parameters in the author's own form.
    ///
    /// # Errors
    /// What does not fit. The host has checked them against the manifest's schema, so schema and form differ then.
    pub fn settings<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        crate::policy::settings(&self.parameters)
    }

    /// Takes a reference out: the one of this name, or the only one that there is.
    ///
    /// # Errors
    /// A sentence that names those that there are.
    pub fn take(&mut self, name: Option<&str>) -> Result<Reference, String> {
        let at = match name {
            Some(name) => self.references.iter().position(|reference| reference.name == name),
            None => (self.references.len() == 1).then_some(0),
        };
        at.map(|at| self.references.remove(at)).ok_or_else(|| {
            let names: Vec<&str> = self.references.iter().map(|reference| reference.name.as_str()).collect();
            let given =
                if names.is_empty() { "none is given".to_owned() } else { format!("given: {}", names.join(", ")) };
            match name {
                Some(name) => format!("there is no reference {name:?}; {given}"),
                None => format!("exactly one reference is needed, or the name of one; {given}"),
            }
        })
    }
}

impl Rect {
    /// More than any picture has: what lies outside is cut off.
    pub const ALL: Self = Self { x: 0, y: 0, width: u32::MAX, height: u32::MAX };

    /// From `[x, y, width, height]`, as parameters have it.
    pub const fn of([x, y, width, height]: [u32; 4]) -> Self {
        Self { x, y, width, height }
    }

    /// What of it lies in a picture of this size. Empty ones have neither width nor height.
    #[must_use]
    pub fn cut(self, width: u32, height: u32) -> Self {
        let (w, h) = (self.width.min(width.saturating_sub(self.x)), self.height.min(height.saturating_sub(self.y)));
        if w == 0 || h == 0 { Self::of([0; 4]) } else { Self { width: w, height: h, ..self } }
    }

    /// Its pixels.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

impl PartialEq for Rect {
    fn eq(&self, other: &Self) -> bool {
        (self.x, self.y, self.width, self.height) == (other.x, other.y, other.width, other.height)
    }
}

impl Eq for Rect {}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        (self.left, self.top, self.inside) == (other.left, other.top, other.inside)
    }
}

impl Eq for Cell {}

impl PartialEq for Colour {
    fn eq(&self, other: &Self) -> bool {
        (self.red, self.green, self.blue) == (other.red, other.green, other.blue)
    }
}

impl Eq for Colour {}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.number == other.number
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        (self.area, self.tone, &self.label) == (other.area, other.tone, &other.label)
    }
}

impl PartialEq for Verdict {
    fn eq(&self, other: &Self) -> bool {
        let what = |verdict: &Self| (verdict.passed, verdict.score, verdict.area, verdict.frame, verdict.at);
        what(self) == what(other)
            && (&self.sentence, &self.values, &self.overlay) == (&other.sentence, &other.values, &other.overlay)
    }
}

impl Colour {
    /// From `[red, green, blue]`, as parameters have it.
    pub const fn of([red, green, blue]: [u8; 3]) -> Self {
        Self { red, green, blue }
    }
}

impl Verdict {
    /// On a frame, with nothing measured and nothing drawn yet. A score outside of 0.0 to 1.0 is brought in.
    pub fn new(stamp: Stamp, passed: bool, score: f64, sentence: String) -> Self {
        let score = if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) };
        let (values, overlay) = (Vec::new(), Vec::new());
        Self { passed, score, area: None, frame: stamp.frame, at: stamp.at, sentence, values, overlay }
    }

    /// With a number that was measured.
    #[must_use]
    pub fn with(mut self, name: &str, number: f64) -> Self {
        self.values.push(Value { name: name.to_owned(), number });
        self
    }

    /// About this part of the frame.
    #[must_use]
    pub fn within(mut self, area: Rect) -> Self {
        self.area = Some(area);
        self
    }

    /// With a rectangle over the frame.
    #[must_use]
    pub fn draw(mut self, area: Rect, tone: Tone, label: &str) -> Self {
        self.overlay.push(Shape { area, tone, label: label.to_owned() });
        self
    }
}

/// Writes a line to the log of who runs the analyser. The manifest must ask for the capability `log`.
pub fn log(line: &str) {
    seat::bindings::headend::analyser::log::line(line);
}

/// Makes the component's entry from a type that implements [`Analyser`]. Once per crate.
#[macro_export]
macro_rules! export_analyser {
    ($analyser:ty) => {
        const _: () = {
            $crate::analyser::seat::instance_of!($analyser);
        };
    };
}
