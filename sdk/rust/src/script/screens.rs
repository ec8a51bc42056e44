//! Screens, several regions looked for together, and what tests share under names.

use std::time::Duration;

use serde_json::Value;

use super::bindings::headend::script::screens::{self as host, NamedKind};
use super::look::ms;
use super::{Error, Rect, Result, Seen};

/// From one look to the next: some regions take long to read.
const GAP: Duration = Duration::from_secs(1);

/// A screen: a JSON object in the form of `.stscreen` files. [`Session::screen`](super::Session::screen) reads one.
///
/// ```ignore
/// let guide = session.screen("screens/guide.stscreen")?;
/// let seen = slot.wait_for_screen(&guide, Duration::from_secs(10))?;
/// session.check(seen.met, &seen.told())?;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Screen {
    value: Value,
    gap: Duration,
}

impl Screen {
    /// Of a JSON object that the test makes itself. What is no screen is refused when it is looked for.
    pub fn new(value: impl Into<Value>) -> Self {
        Self { value: value.into(), gap: GAP }
    }

    /// From one look to the next; a second otherwise.
    #[must_use]
    pub fn every(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// Its `Name`; empty if it has none.
    pub fn name(&self) -> &str {
        self.value["Name"].as_str().unwrap_or_default()
    }

    /// The JSON object.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The JSON object, to be changed.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    pub(super) fn wait(&self, within: Duration, slot: u32) -> Result<ScreenSeen> {
        let seen = host::wait_for(&self.value.to_string(), ms(within), ms(self.gap), Some(slot))?;
        let none = || Error::device(format!("slot {slot} gave no answer"));
        seen.into_iter().next().map(ScreenSeen::from).ok_or_else(none)
    }

    pub(super) fn look_at(&self, picture: &str) -> Result<ScreenSeen> {
        Ok(host::look_at(&self.value.to_string(), picture)?.into())
    }

    pub(super) fn save(&self, name: &str) -> Result<String> {
        Ok(host::save(&self.value.to_string(), name)?)
    }
}

/// The screens of a file: a `.stscreen` file has one, a navigator several.
pub(super) fn load(file: &str) -> Result<Vec<Screen>> {
    host::load(file)?.screens.iter().map(|screen| Ok(Screen::new(read(screen)?))).collect()
}

/// The only one.
pub(super) fn only(file: &str) -> Result<Screen> {
    let mut screens = load(file)?;
    match (screens.pop(), screens.is_empty()) {
        (Some(screen), true) => Ok(screen),
        _ => Err(Error::bad_call(format!("{file} has not one screen; take those that you want from `screens`"))),
    }
}

/// What was seen of a screen.
#[derive(Clone, Debug)]
pub struct ScreenSeen {
    /// All that counts was as wanted.
    pub met: bool,
    /// Name of the screen.
    pub name: String,
    /// Its regions and those of the screens within it, in their order.
    pub regions: Vec<RegionSeen>,
    /// From the beginning to the verdict.
    pub time: Duration,
    /// Pictures looked at.
    pub looks: u64,
    /// The picture that it was said of, as a file in the run's output folder.
    pub picture: Option<String>,
}

impl ScreenSeen {
    /// A region by its name; those within another screen by both: `screen/region`.
    pub fn region(&self, name: &str) -> Option<&RegionSeen> {
        self.regions.iter().find(|region| region.name == name)
    }

    /// For people: which regions were not as wanted, and what was seen of them.
    pub fn told(&self) -> String {
        let missing = self.regions.iter().filter(|region| region.counts && !region.met);
        let missing: Vec<String> = missing.map(|region| format!("{}: {}", region.name, region.seen.sentence)).collect();
        if missing.is_empty() {
            let there = if self.met { "is there" } else { "has no regions" };
            return format!("the screen {} {there}", self.name);
        }
        format!("the screen {} is not there: {}", self.name, missing.join("; "))
    }
}

/// What was seen of one region.
#[derive(Clone, Debug)]
pub struct RegionSeen {
    /// After the names of the screens that it is within, with `/` between them.
    pub name: String,
    /// In the words of files, such as `ColorTest`.
    pub kind: String,
    /// It was as wanted; for `PassOnNoMatch`: what it looks for was not there.
    pub met: bool,
    /// The screen is not there without it.
    pub counts: bool,
    /// What the analyser has said; of what could not be looked at a sentence alone, which says why.
    pub seen: Seen,
}

impl From<host::ScreenSeen> for ScreenSeen {
    fn from(seen: host::ScreenSeen) -> Self {
        let region = |region: host::RegionSeen| RegionSeen {
            name: region.name,
            kind: region.kind,
            met: region.met,
            counts: region.counts,
            seen: region.verdict.into(),
        };
        Self {
            met: seen.met,
            name: seen.name,
            regions: seen.regions.into_iter().map(region).collect(),
            time: Duration::try_from_secs_f64(seen.seconds).unwrap_or_default(),
            looks: seen.looks,
            picture: seen.picture,
        }
    }
}

/// What tests share under names such as `/FOLDER/Name`: files of the folder `resources` beside the script or in the public area.
///
/// Each call fails with `bad_call` where there is none of that name; the text says where it was looked for.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    slot: Option<u32>,
}

impl Named {
    pub(super) fn of(slot: Option<u32>) -> Self {
        Self { slot }
    }

    /// A picture's file, absolute: for [`Look::picture`](super::Look::picture).
    ///
    /// # Errors
    /// There is none.
    pub fn image(&self, name: &str) -> Result<String> {
        self.text_of(NamedKind::Image, name)
    }

    /// A rectangle.
    ///
    /// # Errors
    /// There is none.
    pub fn region(&self, name: &str) -> Result<Rect> {
        let found = self.find(NamedKind::Region, name)?;
        let side = |at: usize| found[at].as_u64().and_then(|side| u32::try_from(side).ok()).unwrap_or_default();
        Ok(Rect { x: side(0), y: side(1), width: side(2), height: side(3) })
    }

    /// The parameters `value`, `tolerance`, `flatness` and `peak_error` of the analyser `colour`: for [`Look::with`](super::Look::with).
    ///
    /// # Errors
    /// There is none.
    pub fn colour(&self, name: &str) -> Result<Value> {
        self.find(NamedKind::Colour, name)
    }

    /// A text.
    ///
    /// # Errors
    /// There is none.
    pub fn text(&self, name: &str) -> Result<String> {
        self.text_of(NamedKind::Text, name)
    }

    fn text_of(self, kind: NamedKind, name: &str) -> Result<String> {
        match self.find(kind, name)? {
            Value::String(text) => Ok(text),
            other => Ok(other.to_string()),
        }
    }

    fn find(self, kind: NamedKind, name: &str) -> Result<Value> {
        read(&host::named(kind, name, self.slot)?)
    }
}

fn read(json: &str) -> Result<Value> {
    serde_json::from_str(json).map_err(|error| Error::bad_call(format!("the rack's answer is no JSON: {error}")))
}
