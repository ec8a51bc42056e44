//! One region of a screen: what it looks for, and how an analyser is asked.

use headend_wire::session::{Question, ReferenceFile};
use serde_json::{Map, Value, json};

use super::area::{Area, around, is_part_of, scaled};
use super::{Size, flag, kind, text, whole};

/// As real files have it: until when a region of movement or sound is looked at, in seconds.
const TIMEOUT_S: f64 = 5.0;
/// Nobody waits longer for one of them.
const LONGEST_S: f64 = 86_400.0;
/// How much of a region has to look like its image, in percent.
const IMAGE_PERCENT: f64 = 95.0;
/// Movement is what differs between two looks; closer ones would miss what moves slowly.
const MOTION_GAP_MS: u64 = 200;
const SOUND_GAP_MS: u64 = 100;
/// Sound is judged in pieces of this length, in seconds.
const PIECE_S: f64 = 0.25;
const SILENCE_DBFS: f64 = -120.0;
const SOUND_DBFS: f64 = -60.0;
/// The reader of texts takes no more.
const MOST_EXPECTED: usize = 500;

/// A region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) name: String,
    /// It has to be as wanted (`Verify`).
    pub(super) counts: bool,
    /// What it looks for must not be there (`PassOnNoMatch`).
    pub(crate) inverted: bool,
    area: Option<Area>,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Colour(Map<String, Value>),
    Image {
        percent: f64,
        path: String,
    },
    Text {
        expected: Option<String>,
        language: Option<String>,
    },
    Motion {
        percent: Option<f64>,
        timeout_ms: u64,
    },
    Sound {
        threshold: f64,
        timeout_ms: u64,
    },
    /// Of a kind that is not known.
    Unknown(String),
}

/// What an analyser is asked of a region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// Of one picture.
    Picture(Question),
    /// Of what comes in for so long at most, in milliseconds of the device's clock: movement and sound.
    Stream { question: Question, timeout_ms: u64, gap_ms: u64 },
}

impl Region {
    /// Reads a JSON object, as regions of `.stscreen` files are.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        if !value.is_object() {
            return Err(format!("a region is {value}; it is a JSON object with a `Type`"));
        }
        let name = text(value, "Name")?.unwrap_or_default();
        let of_region = |why: String| format!("the region {name:?}: {why}");
        let area = area(&value["Rect"]).map_err(of_region)?;
        let test = Test::read(value).map_err(of_region)?;
        Ok(Self {
            counts: flag(value, "Verify", true),
            inverted: flag(value, "PassOnNoMatch", false),
            area,
            test,
            name,
        })
    }

    /// In the words of files.
    pub(crate) fn kind(&self) -> &str {
        match &self.test {
            Test::Colour(_) => "ColorTest",
            Test::Image { .. } => "ImageTest",
            Test::Text { .. } => "OCRTest",
            Test::Motion { .. } => "MotionTest",
            Test::Sound { .. } => "AudioTest",
            Test::Unknown(kind) => kind,
        }
    }

    /// It can be told of one picture.
    pub(crate) fn is_still(&self) -> bool {
        !matches!(self.test, Test::Motion { .. } | Test::Sound { .. } | Test::Unknown(_))
    }

    /// The file of the image that it compares with.
    pub(crate) fn image(&self) -> Option<&str> {
        match &self.test {
            Test::Image { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The question. `design`: the size that its rectangle is meant for; `screen`: of what comes in; `image`: of [`Region::image`]; each `None` if not
    /// known.
    ///
    /// # Errors
    /// Words for people: it cannot be looked at.
    pub(crate) fn asked(
        &self,
        design: Option<Size>,
        screen: Option<Size>,
        image: Option<Size>,
    ) -> Result<Asked, String> {
        let area = self.area.map(|area| scaled(area, design, screen));
        let stream = |question, timeout_ms, gap_ms| Asked::Stream { question, timeout_ms, gap_ms };
        Ok(match &self.test {
            Test::Colour(parameters) => {
                let mut parameters = parameters.clone();
                parameters.extend(area.map(|area| ("region".to_owned(), json!(area))));
                Asked::Picture(question("colour", Value::Object(parameters)))
            }
            Test::Image { percent, path } => {
                let own = image.ok_or_else(|| format!("its image {path:?} has no size"))?;
                Asked::Picture(comparison(*percent, path, own, screen, area))
            }
            Test::Text { expected, language } => {
                let languages = language.as_ref().map(|language| [language]);
                let parameters = json!({ "region": area, "languages": languages, "expect": expected });
                Asked::Picture(question("ocr", parameters))
            }
            Test::Motion { percent, timeout_ms } => {
                let parameters = json!({ "region": area, "percent": percent });
                stream(question("motion", parameters), *timeout_ms, MOTION_GAP_MS)
            }
            Test::Sound { threshold, timeout_ms } => {
                let parameters = json!({ "threshold_dbfs": threshold, "seconds": PIECE_S });
                stream(question("audio-level", parameters), *timeout_ms, SOUND_GAP_MS)
            }
            Test::Unknown(kind) => return Err(format!("regions of the Type {kind:?} are not known")),
        })
    }
}

impl Test {
    fn read(value: &Value) -> Result<Self, String> {
        Ok(match kind(value).as_str() {
            "color" => Self::Colour(colour(&value["ReferenceColor"])?),
            "image" => Self::Image {
                percent: percent(value, "Threshold")?.unwrap_or(IMAGE_PERCENT),
                path: text(value, "ReferenceImage")?
                    .filter(|path| !path.is_empty())
                    .ok_or("it has no `ReferenceImage`; that is the file of a picture")?,
            },
            "ocr" => Self::Text {
                expected: text(value, "ExpectedText")?
                    .filter(|expected| !expected.is_empty())
                    .map(|expected| expected.chars().take(MOST_EXPECTED).collect()),
                language: text(value, "Language")?.filter(|language| !language.is_empty()),
            },
            "motion" => Self::Motion { percent: percent(value, "MotionThreshold")?, timeout_ms: timeout_ms(value)? },
            "audio" => Self::Sound {
                threshold: number(value, "AudioThreshold")?.unwrap_or(SOUND_DBFS).clamp(SILENCE_DBFS, 0.0),
                timeout_ms: timeout_ms(value)?,
            },
            _ => Self::Unknown(value["Type"].as_str().unwrap_or_default().to_owned()),
        })
    }
}

/// Parameters that are not there are the analyser's own.
fn question(analyser: &str, mut parameters: Value) -> Question {
    if let Some(parameters) = parameters.as_object_mut() {
        parameters.retain(|_, value| !value.is_null());
    }
    Question { analyser: analyser.to_owned(), parameters, references: Vec::new() }
}

/// An area within a larger image is that part of the image, at the same place of the screen; any other area is where the image is looked for.
fn comparison(percent: f64, path: &str, own: Size, screen: Option<Size>, area: Option<Area>) -> Question {
    let parameters = match area {
        Some(area) if is_part_of(area, own) => {
            json!({ "percent": percent, "where": "same-place", "excluded": around(area, own) })
        }
        Some(area) => json!({ "percent": percent, "where": "anywhere", "region": area }),
        None => json!({ "percent": percent, "where": if screen == Some(own) { "same-place" } else { "anywhere" } }),
    };
    let references = vec![ReferenceFile { name: "reference".to_owned(), path: path.to_owned() }];
    Question { references, ..question("image-match", parameters) }
}

/// `ReferenceColor`: `{"Color": [r, g, b], "Tolerance": [r, g, b] or one number, "Flatness": percent, "PeakError": percent}`.
fn colour(given: &Value) -> Result<Map<String, Value>, String> {
    let value = &given["Color"];
    let channels: Option<Vec<u32>> = value.as_array().and_then(|channels| channels.iter().map(whole).collect());
    let channels = channels.filter(|channels| channels.len() == 3 && channels.iter().all(|&channel| channel <= 255));
    let channels = channels.ok_or_else(|| {
        format!("its `ReferenceColor` has the Color {value}; that is [red, green, blue], each 0 to 255")
    })?;
    let parameters = json!({
        "value": channels,
        "tolerance": tolerance(&given["Tolerance"])?,
        "flatness": percent(given, "Flatness")?,
        "peak_error": percent(given, "PeakError")?,
    });
    Ok(question("", parameters).parameters.as_object().cloned().unwrap_or_default())
}

fn tolerance(given: &Value) -> Result<Option<Vec<u32>>, String> {
    let channels = match given {
        Value::Null => return Ok(None),
        Value::Array(channels) => channels.iter().map(whole).collect::<Option<Vec<_>>>(),
        one => whole(one).map(|one| vec![one; 3]),
    };
    let channels = channels.filter(|channels| channels.len() == 3);
    let channels =
        channels.ok_or_else(|| format!("its Tolerance is {given}; that is [red, green, blue], or one number"))?;
    Ok(Some(channels.into_iter().map(|channel| channel.min(255)).collect()))
}

/// `{"rect": [x, y, width, height]}` or the list alone.
fn area(given: &Value) -> Result<Option<Area>, String> {
    let list = given.get("rect").or_else(|| given.get("Rect")).unwrap_or(given);
    if list.is_null() || list.as_array().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    let sides: Option<Vec<u32>> = list.as_array().and_then(|sides| sides.iter().map(whole).collect());
    let area =
        sides.and_then(|sides| Area::try_from(sides).ok()).filter(|[_, _, width, height]| *width > 0 && *height > 0);
    area.map(Some).ok_or_else(|| format!("its Rect is {given}; that is [x, y, width, height] in pixels"))
}

fn number(value: &Value, key: &str) -> Result<Option<f64>, String> {
    match &value[key] {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64()),
        other => Err(format!("its `{key}` is {other}; it is a number")),
    }
}

fn percent(value: &Value, key: &str) -> Result<Option<f64>, String> {
    Ok(number(value, key)?.map(|percent| percent.clamp(0.0, 100.0)))
}

fn timeout_ms(value: &Value) -> Result<u64, String> {
    let seconds = number(value, "Timeout")?.unwrap_or(TIMEOUT_S).clamp(0.0, LONGEST_S);
    Ok((seconds * 1e3).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_understood_is_told_with_its_region() {
        let cases = [
            (json!({ "Type": "ColorTest" }), "Color null"),
            (json!({ "Type": "ColorTest", "ReferenceColor": { "Color": [1, 2, 256] } }), "each 0 to 255"),
            (json!({ "Type": "ColorTest", "ReferenceColor": { "Color": [1, 2, 3], "Tolerance": "x" } }), "Tolerance"),
            (json!({ "Type": "ImageTest" }), "ReferenceImage"),
            (json!({ "Type": "MotionTest", "MotionThreshold": "much" }), "`MotionThreshold` is \"much\""),
            (json!({ "Type": "OCRTest", "Rect": [1, 2, 0, 4] }), "Rect"),
            (json!({ "Type": "OCRTest", "Rect": "/ui/title" }), "\"/ui/title\""),
        ];
        for (mut value, words) in cases {
            value["Name"] = "bar".into();
            let why = Region::read(&value).unwrap_err();
            assert!(why.contains("\"bar\"") && why.contains(words), "{why}");
        }
        let odd = Region::read(&json!({ "Type": "SmellTest" })).unwrap();
        assert!(!odd.is_still() && odd.asked(None, None, None).unwrap_err().contains("SmellTest"));
    }
}
