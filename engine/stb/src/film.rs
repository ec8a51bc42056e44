//! Stories played on a box, and the frames that they give: cases for tests of analysers.

use std::time::Duration;

use headend_media::{Picture, Sound};

use crate::fault::{Fault, FaultError};
use crate::options::Options;
use crate::stb::Stb;
use crate::{FRAME_US, SECOND_US};

/// A picture and when it came up, in microseconds from the beginning of the film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// A multiple of [`FRAME_US`].
    pub at_us: u64,
    /// In colour.
    pub picture: Picture,
}

/// A box under a film camera: whatever is done to it is done between two pictures, time goes on by pictures.
#[derive(Clone, Debug)]
pub struct Film {
    stb: Stb,
    next_us: u64,
}

impl Film {
    /// A box that has been on for a while, at time 0.
    pub fn new(options: Options) -> Self {
        Self { stb: Stb::new(options, 0), next_us: 0 }
    }

    /// The box, to look at.
    pub fn stb(&self) -> &Stb {
        &self.stb
    }

    /// When the next picture comes up.
    pub fn now_us(&self) -> u64 {
        self.next_us
    }

    /// Presses a key; it shows with the next picture.
    pub fn press(&mut self, key: &str) -> &mut Self {
        self.stb.press(key, self.next_us);
        self
    }

    /// Presses keys, each one picture after the other.
    pub fn press_all(&mut self, keys: &str) -> &mut Self {
        for key in keys.split_whitespace() {
            self.press(key).skip(Duration::from_micros(FRAME_US));
        }
        self
    }

    /// Switches mains.
    pub fn mains(&mut self, on: bool) -> &mut Self {
        self.stb.mains(on, self.next_us);
        self
    }

    /// Orders a fault.
    ///
    /// # Errors
    /// [`FaultError`] when there is no such fault.
    pub fn inject(&mut self, fault: &str) -> Result<&mut Self, FaultError> {
        Ok(self.order(fault.parse()?))
    }

    /// Orders a fault.
    pub fn order(&mut self, fault: Fault) -> &mut Self {
        self.stb.order(fault, self.next_us);
        self
    }

    /// Sends a line to the serial port.
    pub fn send(&mut self, line: &str) -> &mut Self {
        self.stb.send(line.as_bytes(), self.next_us);
        self.stb.send(b"\n", self.next_us);
        self
    }

    /// Lets time pass without drawing.
    pub fn skip(&mut self, time: Duration) -> &mut Self {
        let pictures = (time.as_micros() as u64).div_ceil(FRAME_US);
        self.next_us = self.next_us.saturating_add(pictures.saturating_mul(FRAME_US));
        self
    }

    /// The next picture.
    pub fn frame(&mut self) -> Frame {
        let at_us = self.next_us;
        let picture = self.stb.look(at_us).draw();
        self.next_us += FRAME_US;
        Frame { at_us, picture }
    }

    /// Draws the pictures of so much time, the next one first.
    pub fn roll(&mut self, time: Duration) -> impl Iterator<Item = Frame> + '_ {
        let count = (time.as_micros() as u64).div_ceil(FRAME_US);
        (0..count).map(|_| self.frame())
    }

    /// What is heard from a time on; `None` as [`Stb::sound`].
    pub fn sound(&self, from_us: u64, length_us: u64) -> Option<Sound> {
        self.stb.sound(from_us, length_us)
    }

    /// Lines of the serial line so far.
    pub fn serial(&mut self) -> Vec<String> {
        let news = self.stb.serial_since(0, self.next_us);
        news.lines.into_iter().map(|line| line.text.into()).collect()
    }
}

/// Why a story was not filmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilmError {
    /// A step that is none.
    #[error(
        "{0:?} is no step of a story; there are: key NAME, mains on, mains off, fault TEXT, send LINE, skip SECONDS, roll SECONDS"
    )]
    Step(String),
    /// A fault that is none.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

/// Films a story: steps with `;` between them, such as `key Channel+; roll 2; fault freeze 1s; roll 3`. Only `roll` draws; `skip` lets time
/// pass. Gives the frames, 25 a second.
///
/// # Errors
/// [`FilmError`] at the first step that is wrong.
pub fn film(options: Options, story: &str) -> Result<Vec<Frame>, FilmError> {
    let mut film = Film::new(options);
    let mut frames = Vec::new();
    for step in story.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        let (name, rest) = step.split_once(' ').map_or((step, ""), |(name, rest)| (name, rest.trim()));
        let wrong = || FilmError::Step(step.to_owned());
        match name {
            "key" if !rest.is_empty() => _ = film.press(rest),
            "mains" if rest == "on" || rest == "off" => _ = film.mains(rest == "on"),
            "fault" => _ = film.inject(rest)?,
            "send" => _ = film.send(rest),
            "skip" => _ = film.skip(seconds(rest).ok_or_else(wrong)?),
            "roll" => frames.extend(film.roll(seconds(rest).ok_or_else(wrong)?)),
            _ => return Err(wrong()),
        }
    }
    Ok(frames)
}

/// At most a day: a film longer than memory is a mistake.
fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds))?;
    Some(Duration::from_micros((seconds * SECOND_US as f64) as u64))
}
