//! What a test waits for, by analysers over what a slot shows and plays.

use std::time::Duration;

use super::bindings::headend::script::senses as host;
use super::{Error, Finding, Rect, Result};

/// What an analyser is asked: its name, its parameters, pictures to compare with.
///
/// ```ignore
/// let menu = Look::with("image-match", json!({ "percent": 95 })).picture("menu", "menu.png").within(Duration::from_secs(10));
/// let seen = slot.wait_for(&menu)?;
/// session.check(seen.met, &seen.sentence)?;
/// ```
#[derive(Clone, Debug)]
pub struct Look {
    question: host::Question,
    timeout: Duration,
    gap: Duration,
}

impl Look {
    /// An analyser with its defaults, one look.
    pub fn with_defaults(analyser: &str) -> Self {
        let question =
            host::Question { analyser: analyser.to_owned(), parameters: String::new(), pictures: Vec::new() };
        Self { question, timeout: Duration::ZERO, gap: Duration::ZERO }
    }

    /// An analyser with parameters, as its page says; one look.
    pub fn with(analyser: &str, parameters: impl Into<serde_json::Value>) -> Self {
        let mut look = Self::with_defaults(analyser);
        look.question.parameters = parameters.into().to_string();
        look
    }

    /// A picture to compare with: PNG or JPEG, absolute or beside the script. What is transparent in it does not count.
    #[must_use]
    pub fn picture(mut self, name: &str, path: &str) -> Self {
        self.question.pictures.push(host::PictureFile { name: name.to_owned(), path: path.to_owned() });
        self
    }

    /// For how long at most.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// From one look to the next; each picture is looked at otherwise.
    #[must_use]
    pub fn every(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    pub(super) fn watch(&self, until: host::Until, slot: u32) -> Result<Seen> {
        let seen = host::watch(&self.question, until, ms(self.timeout), ms(self.gap), Some(slot))?;
        one(seen, slot)
    }

    pub(super) fn analyse(&self, picture: &str) -> Result<Seen> {
        Ok(host::analyse(&self.question, picture)?.into())
    }

    pub(super) fn arm(&self, key: Option<&str>, slot: u32) -> Result<()> {
        host::arm(&self.question, key, 1, ms(self.timeout), Some(slot))?;
        Ok(())
    }
}

pub(super) fn one(seen: Vec<host::Seen>, slot: u32) -> Result<Seen> {
    let none = || Error::device(format!("slot {slot} gave no answer"));
    seen.into_iter().next().map(Seen::from).ok_or_else(none)
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The verdict that decided, or the last one.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What was waited for has come.
    pub met: bool,
    /// What the analyser looks for was so.
    pub passed: bool,
    /// How much so, 0.0 to 1.0.
    pub score: f64,
    /// For people.
    pub sentence: String,
    /// What was marked, and where; of text: the words.
    pub found: Vec<Finding>,
    /// Of the device's clock, in microseconds.
    pub at_us: i64,
    /// Pictures looked at.
    pub looks: u64,
    /// From the beginning, or from the key, to the verdict.
    pub time: Duration,
    /// The picture that it was said of, as a file in the run's output folder.
    pub picture: Option<String>,
    numbers: Vec<host::Number>,
}

impl Seen {
    /// Measured, by name.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|number| number.name == name).map(|number| number.value)
    }

    /// Where the first thing was marked.
    pub fn area(&self) -> Option<Rect> {
        self.found.first().map(|found| found.area)
    }
}

impl From<host::Seen> for Seen {
    fn from(seen: host::Seen) -> Self {
        Self {
            met: seen.met,
            passed: seen.passed,
            score: seen.score,
            sentence: seen.sentence,
            found: seen.found,
            at_us: seen.at_us,
            looks: seen.looks,
            time: Duration::try_from_secs_f64(seen.seconds).unwrap_or_default(),
            picture: seen.picture,
            numbers: seen.numbers,
        }
    }
}
