//! Whether left and right are swapped, by a tone on each.

use headend_sdk::analyser::{Analyser, Frame, Power, Setup, Sound, Stamp, Verdict};
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
    window: Window,
}

/// What was heard since the last answer.
#[derive(Default)]
struct Window {
    heard: bool,
    at: i64,
    length: i64,
    channels: [Heard; 2],
}

/// One channel: its power, and the energies of the left and the right tone in it.
#[derive(Clone, Copy, Default)]
struct Heard {
    power: Power,
    tones: [f64; 2],
}

impl Heard {
    fn add(&mut self, rms: f64, samples: u32, shares: [f64; 2]) {
        let before = self.power.energy();
        self.power.add(rms, samples);
        let energy = self.power.energy() - before;
        for (tone, share) in self.tones.iter_mut().zip(shares) {
            *tone += share * energy;
        }
    }

    fn shares(&self) -> [f64; 2] {
        let energy = self.power.energy();
        if energy > 0.0 { self.tones.map(|tone| tone / energy) } else { [0.0; 2] }
    }
}

impl Settings {
    fn judge(&self, frame: u64, window: &Window) -> Verdict {
        let [left, right] = window.channels;
        let ([left_left, left_right], [right_left, right_right]) = (left.shares(), right.shares());
        let audible = [left, right].iter().all(|channel| channel.power.dbfs() >= self.threshold_dbfs);
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
        let window = &mut self.window;
        if window.length == 0 {
            window.at = sound.at();
        }
        window.heard |= sound.count() > 0;
        window.length += sound.length();
        for (heard, channel) in window.channels.iter_mut().zip(sound.stereo()) {
            let shares = [left_hertz, right_hertz].map(|hertz| sound.tone(channel, sound.whole(), hertz));
            heard.add(sound.rms(channel, sound.whole()), sound.count(), shares);
        }
        if (window.length as f64) < seconds * 1e6 {
            return None;
        }
        let window = std::mem::take(&mut self.window);
        Some(self.settings.judge(self.frame, &window))
    }

    fn finish(&mut self) -> Option<Verdict> {
        self.window.heard.then(|| self.settings.judge(self.frame, &self.window))
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
        let mut window = Window::default();
        window.channels[0].add(rms, 480, left);
        window.channels[1].add(rms, 480, right);
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
