//! What an analyser answers, held within bounds.

use headend_media::Rect;
use serde::{Deserialize, Serialize};

/// Most bytes of a sentence.
pub(super) const MAX_SENTENCE: usize = 300;
/// Most bytes of a name or label.
const MAX_NAME: usize = 64;
const MAX_VALUES: usize = 64;
const MAX_SHAPES: usize = 256;

/// What was found, with the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the analyser looks for is so.
    pub passed: bool,
    /// How much so: 0.0 to 1.0, as the analyser's page explains it.
    pub score: f64,
    /// Where; `None`: the frame as a whole.
    pub area: Option<Rect>,
    /// Number of the frame that shows it.
    pub frame: u64,
    /// When: of the stream's clock, in microseconds.
    pub at_us: i64,
    /// One sentence for people, at most 300 bytes.
    pub sentence: String,
    /// What was measured.
    pub values: Vec<Value>,
    /// To be drawn over the frame.
    pub overlay: Vec<Shape>,
}

/// Measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// What.
    pub name: String,
    /// Finite.
    pub number: f64,
}

/// A rectangle over the frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Around this.
    pub area: Rect,
    /// In which light.
    pub tone: Tone,
    /// Beside it; may be empty.
    pub label: String,
}

/// In which light a shape is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Neither.
    Note,
}

impl Verdict {
    /// Texts are cut to their bounds; what no program could read is refused, in a sentence.
    pub(super) fn checked(mut self) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&self.score) {
            return Err(format!("its verdict has the score {}; a score is 0.0 to 1.0", self.score));
        }
        if self.values.len() > MAX_VALUES || self.overlay.len() > MAX_SHAPES {
            let (values, shapes) = (self.values.len(), self.overlay.len());
            return Err(format!(
                "its verdict has {values} values and {shapes} shapes; at most {MAX_VALUES} and {MAX_SHAPES} are taken"
            ));
        }
        for value in &mut self.values {
            shorten(&mut value.name, MAX_NAME);
            if !value.number.is_finite() {
                return Err(format!(
                    "its verdict has the value `{}` = {}, which is no number",
                    value.name, value.number
                ));
            }
        }
        self.overlay.iter_mut().for_each(|shape| shorten(&mut shape.label, MAX_NAME));
        shorten(&mut self.sentence, MAX_SENTENCE);
        Ok(self)
    }
}

/// The first `most` bytes, cut between characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

pub(super) fn shorten(text: &mut String, most: usize) {
    let end = cut(text, most).len();
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> Verdict {
        let value = |number| Value { name: "ä".repeat(50), number };
        Verdict {
            passed: true,
            score: 1.0,
            area: None,
            frame: 0,
            at_us: 0,
            sentence: "s".repeat(400),
            values: vec![value(1.0)],
            overlay: vec![],
        }
    }

    #[test]
    fn texts_are_cut_and_nonsense_is_refused() {
        let checked = verdict().checked().unwrap();
        assert_eq!((checked.sentence.len(), checked.values[0].name.len()), (300, 64));
        for score in [-0.1, 1.01, f64::NAN, f64::INFINITY] {
            assert!(Verdict { score, ..verdict() }.checked().unwrap_err().contains("score"));
        }
        let value = Value { name: "x".into(), number: f64::NAN };
        assert!(Verdict { values: vec![value.clone()], ..verdict() }.checked().unwrap_err().contains("no number"));
        assert!(Verdict { values: vec![value; 65], ..verdict() }.checked().is_err());
    }
}
