//! Whether a tone of a frequency is heard.

use headend_sdk::analyser::{Analyser, Frame, Setup, Sound, Stamp, Tones, Verdict, Window};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    hertz: f64,
    share: f64,
    threshold_dbfs: f64,
    seconds: f64,
    channel: Channel,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Channel {
    Both,
    Left,
    Right,
}

/// An analyser at work.
pub struct Tone {
    settings: Settings,
    frame: u64,
    window: Window<OneTone>,
}

/// Of one channel.
type OneTone = Tones<1>;

impl Settings {
    fn sides<'a>(&self, window: &'a Window<OneTone>) -> &'a [OneTone] {
        match self.channel {
            Channel::Both => &window.sides,
            Channel::Left => &window.sides[..1],
            Channel::Right => &window.sides[1..],
        }
    }

    fn judge(&self, frame: u64, window: &Window<OneTone>) -> Verdict {
        let sides = self.sides(window);
        let share = sides.iter().flat_map(Tones::shares).fold(1.0, f64::min);
        let dbfs = sides.iter().map(Tones::dbfs).fold(0.0, f64::min);
        let loud = dbfs >= self.threshold_dbfs;
        let passed = loud && share >= self.share;
        let (hertz, percent) = (self.hertz, share * 100.0);
        let sentence = if loud {
            format!("{percent:.1} % of it is a tone of {hertz:.1} Hz, {:.1} % must be", self.share * 100.0)
        } else {
            format!("it is too quiet for a tone: {dbfs:.1} dBFS")
        };
        let score = if loud { share } else { 0.0 };
        let verdict = Verdict::new(Stamp { frame, at: window.at }, passed, score, sentence);
        verdict.with("hertz", hertz).with("share", share).with("dbfs", dbfs)
    }
}

impl Analyser for Tone {
    fn build(setup: Setup) -> Result<Self, String> {
        Ok(Self { settings: setup.settings()?, frame: 0, window: Window::default() })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        self.frame = frame.number();
        None
    }

    fn hear(&mut self, sound: &Sound) -> Option<Verdict> {
        let Settings { hertz, seconds, .. } = self.settings;
        let window = self.window.hear(sound, seconds, |tone, channel| tone.hear(sound, channel, [hertz]))?;
        Some(self.settings.judge(self.frame, &window))
    }

    fn finish(&mut self) -> Option<Verdict> {
        let window = self.window.rest()?;
        Some(self.settings.judge(self.frame, &window))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Tone);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weaker_side_decides_and_quiet_ones_have_no_tone() {
        let settings = |channel| Settings { hertz: 440.0, share: 0.5, threshold_dbfs: -60.0, seconds: 1.0, channel };
        let mut window = Window::<OneTone>::default();
        window.sides[0].add(0.5, 480, [0.9]);
        window.sides[0].add(0.5, 480, [0.3]);
        window.sides[1].add(0.5, 960, [0.1]);
        assert!((settings(Channel::Left).judge(0, &window).score - 0.6).abs() < 1e-9);
        assert!(settings(Channel::Left).judge(0, &window).passed && !settings(Channel::Right).judge(0, &window).passed);
        assert!(!settings(Channel::Both).judge(0, &window).passed);
        let mut quiet = Window::<OneTone>::default();
        quiet.sides[0].add(0.000_1, 480, [1.0]);
        let verdict = settings(Channel::Left).judge(0, &quiet);
        assert!(!verdict.passed && verdict.sentence.contains("too quiet"), "{}", verdict.sentence);
    }
}
