//! How loud it is, and whether there is sound at all.

use headend_sdk::analyser::{Analyser, Frame, Power, Setup, Sound, Stamp, Verdict, Window};
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
    window: Window<Power>,
}

impl Settings {
    fn judge(&self, frame: u64, window: &Window<Power>) -> Verdict {
        let [left, right] = window.sides;
        let mut both = left;
        both.join(right);
        let dbfs = both.dbfs();
        let passed = dbfs >= self.threshold_dbfs;
        let sentence = if passed {
            format!("there is sound: {dbfs:.1} dBFS")
        } else {
            format!("it is quiet: {dbfs:.1} dBFS, {:.1} must be reached", self.threshold_dbfs)
        };
        // -120 is the floor, 0 full scale.
        Verdict::new(Stamp { frame, at: window.at }, passed, 1.0 + dbfs / 120.0, sentence)
            .with("dbfs", dbfs)
            .with("dbfs_left", left.dbfs())
            .with("dbfs_right", right.dbfs())
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
        let window = self.window.hear(sound, self.settings.seconds, |power, channel| {
            power.add(sound.rms(channel, sound.whole()), sound.count());
        })?;
        Some(self.settings.judge(self.frame, &window))
    }

    fn finish(&mut self) -> Option<Verdict> {
        let window = self.window.rest()?;
        Some(self.settings.judge(self.frame, &window))
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
        let mut window = Window::<Power>::default();
        window.at = 7;
        window.sides[0].add(1.0, 480);
        window.sides[1].add(0.0, 480);
        let verdict = settings.judge(3, &window);
        assert!(verdict.passed && (verdict.frame, verdict.at) == (3, 7), "{}", verdict.sentence);
        assert!((verdict.values[0].number + 3.01).abs() < 0.01 && verdict.values[2].number <= -120.0);
        window.sides.iter_mut().for_each(|side| side.add(0.0, 480));
        assert!(!settings.judge(3, &window).passed);
    }
}
