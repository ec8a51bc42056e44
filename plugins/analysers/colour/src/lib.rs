//! Whether a part of the picture has a colour, and has it evenly.

use headend_sdk::analyser::{Analyser, Colour, Frame, Rect, Setup, Stamp, Statistics, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
pub struct Wanted {
    value: [u8; 3],
    tolerance: [u8; 3],
    flatness: f64,
    peak_error: f64,
    region: Option<[u32; 4]>,
}

/// A deviation of half black and half white.
const LARGEST_DEVIATION: f64 = 127.5;

impl Wanted {
    /// `near`: pixels within the tolerance.
    fn judge(&self, stamp: Stamp, area: Rect, seen: &Statistics, near: u32) -> Verdict {
        let actual = [seen.mean.red, seen.mean.green, seen.mean.blue];
        let spread = [seen.deviation.red, seen.deviation.green, seen.deviation.blue].into_iter().fold(0.0, f64::max);
        let flatness = 100.0 * (1.0 - spread / LARGEST_DEVIATION);
        let share = f64::from(near) / f64::from(seen.pixels.max(1));
        // From what is off itself: 1 less a share that is not exact would put the limit past itself.
        let peak_error = 100.0 * f64::from(seen.pixels - near.min(seen.pixels)) / f64::from(seen.pixels.max(1));
        let off =
            (0..3).find(|c| (actual[*c].round() - f64::from(self.value[*c])).abs() > f64::from(self.tolerance[*c]));
        let [red, green, blue] = actual.map(f64::round);
        let sentence = match off {
            Some(c) => {
                let name = ["red", "green", "blue"][c];
                format!(
                    "it is [{red}, {green}, {blue}]: {name} is more than {} from {}",
                    self.tolerance[c], self.value[c]
                )
            }
            None if flatness < self.flatness => {
                format!("it is [{red}, {green}, {blue}] on the whole, but even only to {flatness:.1} %")
            }
            None if peak_error > self.peak_error => {
                format!("it is [{red}, {green}, {blue}] on the whole, but {peak_error:.2} % of it is off")
            }
            None => format!("it is [{red}, {green}, {blue}]"),
        };
        let passed = off.is_none() && flatness >= self.flatness && peak_error <= self.peak_error;
        let tone = if passed { Tone::Good } else { Tone::Bad };
        Verdict::new(stamp, passed, share, sentence)
            .within(area)
            .with("red", red)
            .with("green", green)
            .with("blue", blue)
            .with("flatness", flatness)
            .with("peak_error", peak_error)
            .draw(area, tone, "colour")
    }
}

impl Analyser for Wanted {
    fn build(setup: Setup) -> Result<Self, String> {
        setup.settings()
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let area = self.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let picture = frame.picture().ok()?;
        let Ok(seen) = picture.statistics(area) else {
            return Some(Verdict::new(frame.stamp(), false, 0.0, "the region lies outside of the frame".into()));
        };
        let near = picture.near(area, Colour::of(self.value), Colour::of(self.tolerance));
        Some(self.judge(frame.stamp(), area, &seen, near))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Wanted);

#[cfg(test)]
mod tests {
    use headend_sdk::analyser::Levels;

    use super::*;

    fn seen(mean: [f64; 3], deviation: f64) -> Statistics {
        let levels = |[red, green, blue]: [f64; 3]| Levels { red, green, blue };
        let (least, most) = (Colour::of([0; 3]), Colour::of([255; 3]));
        Statistics { pixels: 1_000, mean: levels(mean), deviation: levels([deviation; 3]), least, most }
    }

    #[test]
    fn mean_flatness_and_peak_error_each_decide() {
        let wanted = Wanted { value: [47, 106, 162], tolerance: [5; 3], flatness: 70.0, peak_error: 2.0, region: None };
        let judge = |mean, deviation, near| {
            wanted.judge(Stamp::default(), Rect::of([0, 0, 100, 10]), &seen(mean, deviation), near)
        };
        assert!(judge([47.0, 106.4, 160.0], 1.0, 1_000).passed);
        assert!(judge([47.0, 106.0, 162.0], 1.0, 980).passed);
        for (mean, deviation, near, word) in [
            ([53.0, 106.0, 162.0], 1.0, 1_000, "red is more than 5 from 47"),
            ([47.0, 106.0, 162.0], 40.0, 1_000, "even only to 68.6 %"),
            ([47.0, 106.0, 162.0], 1.0, 979, "2.10 % of it is off"),
        ] {
            let verdict = judge(mean, deviation, near);
            assert!(!verdict.passed && verdict.sentence.contains(word), "{}", verdict.sentence);
        }
    }
}
