//! How loud it is, and whether there is sound at all.

use headend_sdk::analyser::{Analyser, Frame, Power, Setup, Sound, Stamp, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    threshold_dbfs: f64,
    seconds: f64,
}

/// An analyser at work.
pub struct AudioLevel {
    settings: Settings,
    /// The last frame: what the verdicts are shown on.
    frame: u64,
    window: Window,
}

/// What was heard since the last answer.
#[derive(Default)]
struct Window {
    heard: bool,
    at: i64,
    length: i64,
    left: Power,
    right: Power,
}

impl Window {
    fn add(&mut self, at: i64, length: i64, [left, right]: [f64; 2], samples: u32) {
        if self.length == 0 {
            self.at = at;
        }
        self.heard |= samples > 0;
        self.length += length;
        self.left.add(left, samples);
        self.right.add(right, samples);
    }

    fn both(&self) -> Power {
        let mut both = self.left;
        both.join(self.right);
        both
    }
}

impl Settings {
    fn judge(&self, frame: u64, window: &Window) -> Verdict {
        let dbfs = window.both().dbfs();
        let passed = dbfs >= self.threshold_dbfs;
        let sentence = if passed {
            format!("there is sound: {dbfs:.1} dBFS")
        } else {
            format!("it is quiet: {dbfs:.1} dBFS, {:.1} must be reached", self.threshold_dbfs)
        };
        // -120 is the floor, 0 full scale.
        Verdict::new(Stamp { frame, at: window.at }, passed, 1.0 + dbfs / 120.0, sentence)
            .with("dbfs", dbfs)
            .with("dbfs_left", window.left.dbfs())
            .with("dbfs_right", window.right.dbfs())
    }
}

impl Analyser for AudioLevel {
    fn build(setup: Setup) -> Result<Self, String> {
        Ok(Self { settings: setup.settings()?, frame: 0, window: Window::default() })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        self.frame = frame.number();
        None
    }

    fn hear(&mut self, sound: &Sound) -> Option<Verdict> {
        let levels = sound.stereo().map(|channel| sound.rms(channel, sound.whole()));
        self.window.add(sound.at(), sound.length(), levels, sound.count());
        if (self.window.length as f64) < self.settings.seconds * 1e6 {
            return None;
        }
        let window = std::mem::take(&mut self.window);
        Some(self.settings.judge(self.frame, &window))
    }

    fn finish(&mut self) -> Option<Verdict> {
        if self.window.heard {
            return Some(self.settings.judge(self.frame, &self.window));
        }
        None
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(AudioLevel);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_decides_on_both_channels_together() {
        let settings = Settings { threshold_dbfs: -3.1, seconds: 1.0 };
        let mut window = Window::default();
        window.add(7, 10, [1.0, 0.0], 480);
        let verdict = settings.judge(3, &window);
        assert!(verdict.passed && (verdict.frame, verdict.at) == (3, 7), "{}", verdict.sentence);
        assert!((verdict.values[0].number + 3.01).abs() < 0.01 && verdict.values[2].number <= -120.0);
        window.add(17, 10, [0.0, 0.0], 480);
        assert!(!settings.judge(3, &window).passed);
    }
}
