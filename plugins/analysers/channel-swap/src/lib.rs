//! Whether left and right are swapped, by a tone on each.

use headend_sdk::analyser::{Analyser, Frame, Setup, Sound, Stamp, Tones, Verdict, Window};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    left_hertz: f64,
    right_hertz: f64,
    share: f64,
    threshold_dbfs: f64,
    seconds: f64,
}

/// An analyser at work.
pub struct ChannelSwap {
    settings: Settings,
    frame: u64,
    window: Window<BothTones>,
}

/// Of one channel: the left and the right tone.
type BothTones = Tones<2>;

impl Settings {
    fn judge(&self, frame: u64, window: &Window<BothTones>) -> Verdict {
        let [left, right] = window.sides;
        let ([left_left, left_right], [right_left, right_right]) = (left.shares(), right.shares());
        let audible = [left, right].iter().all(|channel| channel.dbfs() >= self.threshold_dbfs);
        let there = |share: f64| share >= self.share;
        let swapped = audible && there(left_right) && there(right_left);
        let sentence = if !audible {
            "left or right is silent: nothing can be said"
        } else if swapped {
            "left and right are swapped"
        } else if there(left_left) && there(right_right) {
            "left and right are as they should be"
        } else if (there(left_left) && there(right_left)) || (there(left_right) && there(right_right)) {
            "left and right have the same tone"
        } else {
            "the tones are not heard"
        };
        let score = if audible { left_right.min(right_left) } else { 0.0 };
        Verdict::new(Stamp { frame, at: window.at }, swapped, score, sentence.into())
            .with("left_tone_in_left", left_left)
            .with("right_tone_in_left", left_right)
            .with("left_tone_in_right", right_left)
            .with("right_tone_in_right", right_right)
    }
}

impl Analyser for ChannelSwap {
    fn build(setup: Setup) -> Result<Self, String> {
        let settings: Settings = setup.settings()?;
        if (settings.left_hertz - settings.right_hertz).abs() < 50.0 {
            return Err("the two tones must be at least 50 Hz apart to be told from each other".into());
        }
        Ok(Self { settings, frame: 0, window: Window::default() })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        self.frame = frame.number();
        None
    }

    fn hear(&mut self, sound: &Sound) -> Option<Verdict> {
        let Settings { left_hertz, right_hertz, seconds, .. } = self.settings;
        let hertz = [left_hertz, right_hertz];
        let window = self.window.hear(sound, seconds, |tones, channel| tones.hear(sound, channel, hertz))?;
        Some(self.settings.judge(self.frame, &window))
    }

    fn finish(&mut self) -> Option<Verdict> {
        let window = self.window.rest()?;
        Some(self.settings.judge(self.frame, &window))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(ChannelSwap);

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(left: [f64; 2], right: [f64; 2], rms: f64) -> Verdict {
        let settings =
            Settings { left_hertz: 440.0, right_hertz: 880.0, share: 0.5, threshold_dbfs: -60.0, seconds: 1.0 };
        let mut window = Window::<BothTones>::default();
        window.sides[0].add(rms, 480, left);
        window.sides[1].add(rms, 480, right);
        settings.judge(0, &window)
    }

    #[test]
    fn only_both_the_wrong_way_round_is_swapped() {
        assert!(judge([0.0, 0.9], [0.9, 0.0], 0.5).passed);
        for (left, right, rms, words) in [
            ([0.9, 0.0], [0.0, 0.9], 0.5, "as they should be"),
            ([0.9, 0.0], [0.9, 0.0], 0.5, "the same tone"),
            ([0.1, 0.1], [0.1, 0.1], 0.5, "not heard"),
            ([0.0, 0.9], [0.9, 0.0], 0.000_1, "silent"),
            ([0.0, 0.9], [0.1, 0.1], 0.5, "not heard"),
        ] {
            let verdict = judge(left, right, rms);
            assert!(!verdict.passed && verdict.sentence.contains(words), "{}", verdict.sentence);
        }
    }
}
