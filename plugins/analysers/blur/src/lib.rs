//! Whether the picture is blurred: it has contrast, and little fine detail.

use headend_sdk::analyser::{Analyser, Frame, Rect, Setup, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
pub struct Blur {
    sharpness: f64,
    contrast: f64,
    region: Option<[u32; 4]>,
}

impl Blur {
    /// `deviation`: of the luma.
    fn judge(&self, stamp: Stamp, area: Rect, sharpness: f64, deviation: f64) -> Verdict {
        let even = deviation < self.contrast;
        let passed = !even && sharpness < self.sharpness;
        let sentence = if even {
            format!("it is too even to be judged: it deviates by {deviation:.1}, {:.1} are needed", self.contrast)
        } else if passed {
            format!("it is blurred: its sharpness is {sharpness:.1}, {:.1} is sharp", self.sharpness)
        } else {
            format!("it is sharp: {sharpness:.1}, {:.1} are enough", self.sharpness)
        };
        let score = if even { 0.0 } else { 1.0 / (1.0 + sharpness / self.sharpness.max(1.0)) };
        let tone = if passed { Tone::Bad } else { Tone::Good };
        let verdict = Verdict::new(stamp, passed, score, sentence).within(area);
        verdict.with("sharpness", sharpness).with("deviation", deviation).draw(area, tone, "blur")
    }
}

impl Analyser for Blur {
    fn build(setup: Setup) -> Result<Self, String> {
        setup.settings()
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let area = self.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let grey = frame.picture().and_then(|picture| picture.grey()).ok()?;
        let (Ok(sharpness), Ok(seen)) = (grey.sharpness(area), grey.statistics(area)) else {
            let small = "of the region less than 3x3 pixels lie in the frame";
            return Some(Verdict::new(frame.stamp(), false, 0.0, small.into()));
        };
        Some(self.judge(frame.stamp(), area, sharpness, seen.deviation.red))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Blur);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_pictures_are_not_blurred() {
        let blur = Blur { sharpness: 100.0, contrast: 5.0, region: None };
        let judge = |sharpness, deviation| blur.judge(Stamp::default(), Rect::ALL, sharpness, deviation);
        assert!(judge(99.0, 40.0).passed && !judge(100.0, 40.0).passed);
        let even = judge(0.0, 4.9);
        assert!(!even.passed && even.sentence.contains("too even"), "{}", even.sentence);
    }
}
