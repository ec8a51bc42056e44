//! Screens as tests describe them: several regions that make one up, looked for together (`ScreenDefinition`, `.stscreen` files).
//!
//! A screen is a JSON object, in the form of real files:
//!
//! ```text
//! {"Type": "ScreenDef", "Name": "Guide", "DesignSize": [1280, 720], "Verify": true, "Regions": [
//!     {"Type": "ColorTest", "Name": "bar", "Rect": {"rect": [0, 0, 200, 40]}, "ReferenceColor": {"Color": [20, 40, 90]}},
//!     {"Type": "OCRTest", "Name": "title", "Rect": {"rect": [40, 20, 400, 60]}, "ExpectedText": "Guide"}]}
//! ```
//!
//! Here it is read ([`Screen::read`]) and turned into questions to analysers ([`Region::asked`]): decisions without a device and without a
//! file. Where screens and named resources come from is in [`stored`] and [`named`]; `session::screens` looks. `sdk/python` has the same for the objects
//! of legacy scripts; `tests/data/screens` holds both to the same questions.

mod area;
pub(crate) mod named;
mod region;
pub(crate) mod stored;

use serde_json::Value;

pub(crate) use region::{Asked, Region};

/// Screens within screens within screens: nobody has a use for more, and files from anywhere may hold them.
const DEEPEST: usize = 8;
/// Regions of one screen, those of the screens within it included.
const MOST_REGIONS: usize = 256;

/// Width and height in pixels.
pub(crate) type Size = [u32; 2];

/// A screen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Screen {
    pub(crate) name: String,
    /// The size that its rectangles are meant for; `None`: that of what comes in.
    design: Option<Size>,
    /// Within another screen: it has to be as wanted.
    counts: bool,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Region(Region),
    Screen(Screen),
}

/// A region with what holds for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leaf<'a> {
    pub(crate) region: &'a Region,
    /// Its name after those of the screens that it is within.
    pub(crate) name: String,
    pub(crate) design: Option<Size>,
    /// It and all screens that it is within have to be as wanted.
    pub(crate) counts: bool,
}

impl Screen {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// Words for people: which key of which region is not understood, and what it must be.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let mut left = MOST_REGIONS;
        Self::read_within(value, DEEPEST, &mut left)
    }

    fn read_within(value: &Value, depth: usize, left: &mut usize) -> Result<Self, String> {
        let object = value.as_object().ok_or("a screen is a JSON object with `Name` and `Regions`")?;
        if depth == 0 {
            return Err(format!("screens lie within each other more than {DEEPEST} deep"));
        }
        let name = text(value, "Name")?.unwrap_or_default();
        if !is_screen(value) {
            return Err(format!("the screen {name:?} has the Type {}; a screen's is \"ScreenDef\"", value["Type"]));
        }
        let regions = match object.get("Regions") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(regions)) => regions.as_slice(),
            Some(other) => return Err(format!("the screen {name:?} has the Regions {other}; they are a list")),
        };
        *left = left
            .checked_sub(regions.len())
            .ok_or_else(|| format!("the screen {name:?} has more than {MOST_REGIONS} regions"))?;
        let part = |value: &Value| {
            if value.get("Type").is_some() && is_screen(value) {
                Self::read_within(value, depth - 1, left).map(Part::Screen)
            } else {
                Region::read(value).map(Part::Region)
            }
        };
        let parts = regions.iter().map(part).collect::<Result<_, _>>()?;
        let design = size(&value["DesignSize"]).map_err(|why| format!("the screen {name:?}: {why}"))?;
        Ok(Self { design, counts: flag(value, "Verify", true), parts, name })
    }

    /// Its regions and those of the screens within it, in the order of the file.
    pub(crate) fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut found = Vec::new();
        self.collect("", None, true, &mut found);
        found
    }

    fn collect<'a>(&'a self, before: &str, design: Option<Size>, counts: bool, found: &mut Vec<Leaf<'a>>) {
        let design = self.design.or(design);
        for part in &self.parts {
            match part {
                Part::Region(region) => found.push(Leaf {
                    region,
                    name: format!("{before}{}", region.name),
                    design,
                    counts: counts && region.counts,
                }),
                Part::Screen(inner) => {
                    inner.collect(&format!("{before}{}/", inner.name), design, counts && inner.counts, found);
                }
            }
        }
    }

    /// Whether it is there, of whether each leaf was as wanted, in their order. A screen without regions never is.
    pub(crate) fn is_there(&self, as_wanted: &[bool]) -> bool {
        self.is_there_by(&mut as_wanted.iter().copied())
    }

    fn is_there_by(&self, as_wanted: &mut impl Iterator<Item = bool>) -> bool {
        let mut there = !self.parts.is_empty();
        for part in &self.parts {
            // Each takes its own from the list, so none may be passed over.
            let (so, counts) = match part {
                Part::Region(region) => (as_wanted.next().unwrap_or(false), region.counts),
                Part::Screen(inner) => (inner.is_there_by(as_wanted), inner.counts),
            };
            there &= so || !counts;
        }
        there
    }
}

/// By its `Type`; what has none is taken for one.
fn is_screen(value: &Value) -> bool {
    matches!(kind(value).as_str(), "screendef" | "screendefinition" | "")
}

/// `Type` without `Test` or `Region`, in small letters: `audio`, `screendef`.
fn kind(value: &Value) -> String {
    let given = value["Type"].as_str().unwrap_or_default().to_ascii_lowercase();
    let bare = given.strip_suffix("test").or_else(|| given.strip_suffix("region")).unwrap_or(&given);
    bare.to_owned()
}

fn text(value: &Value, key: &str) -> Result<Option<String>, String> {
    match &value[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(format!("`{key}` is {other}; it is a text")),
    }
}

/// Files have 0 and 1 as well.
fn flag(value: &Value, key: &str, default: bool) -> bool {
    match &value[key] {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => default,
    }
}

fn size(value: &Value) -> Result<Option<Size>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let sides: Option<Vec<u32>> = value.as_array().and_then(|sides| sides.iter().map(whole).collect());
    let sides = sides.and_then(|sides| Size::try_from(sides).ok());
    let sides = sides.ok_or_else(|| format!("`DesignSize` is {value}; it is [width, height] in pixels"))?;
    // Files of screens that have no pictures say so.
    Ok(sides.iter().all(|&side| side > 0).then_some(sides))
}

/// A whole number of pixels; files have `20.0` as well.
fn whole(value: &Value) -> Option<u32> {
    let number = value.as_f64()?.trunc();
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
}

#[cfg(test)]
mod tests;
