//! Samples, and how loud they are.

use std::sync::Arc;

/// Samples that belong together in time, cut to what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Span {
    /// The first, of each channel.
    pub first: u32,
    /// How many of each channel.
    pub count: u32,
}

/// 16 bit samples of one or several channels. Does not change; a clone shares the samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    rate: u32,
    channels: u32,
    /// One of each channel, then the next of each.
    samples: Arc<[i16]>,
}

/// Level of silence in dBFS.
const FLOOR: f64 = -120.0;
const FULL_SCALE: f64 = 32_768.0;

impl Sound {
    /// `samples`: one of each channel, then the next of each. `None`: no rate, no channels, or an incomplete last sample.
    pub fn new(rate: u32, channels: u32, samples: impl Into<Arc<[i16]>>) -> Option<Self> {
        let samples = samples.into();
        let sound = rate > 0 && channels > 0 && samples.len().is_multiple_of(channels as usize);
        (sound && u32::try_from(samples.len()).is_ok()).then_some(Self { rate, channels, samples })
    }

    /// Samples per second and channel.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// How many.
    pub fn channels(&self) -> u32 {
        self.channels
    }

    /// Samples per channel.
    pub fn count(&self) -> u32 {
        self.samples.len() as u32 / self.channels
    }

    /// All of it.
    pub fn whole(&self) -> Span {
        Span { first: 0, count: self.count() }
    }

    /// Samples of one channel.
    pub fn read(&self, channel: u32, part: Span) -> impl Iterator<Item = i16> + '_ {
        let first = part.first.min(self.count());
        let count = if channel < self.channels { part.count.min(self.count() - first) } else { 0 };
        let channels = self.channels as usize;
        let start = first as usize * channels;
        let part = &self.samples[start..start + count as usize * channels];
        part.chunks_exact(channels).map(move |sample| sample[channel as usize])
    }

    /// Root of the mean square, 0.0 to 1.0.
    pub fn rms(&self, channel: u32, part: Span) -> f64 {
        let (count, squares) = self.squares(channel, part);
        if count == 0 { 0.0 } else { (squares as f64 / f64::from(count)).sqrt() / FULL_SCALE }
    }

    fn squares(&self, channel: u32, part: Span) -> (u32, u64) {
        self.read(channel, part).fold((0, 0), |(count, sum), sample| {
            let sample = i64::from(sample);
            (count + 1, sum + (sample * sample) as u64)
        })
    }

    /// Largest magnitude, 0.0 to 1.0.
    pub fn peak(&self, channel: u32, part: Span) -> f64 {
        let most = self.read(channel, part).map(i16::unsigned_abs).max();
        f64::from(most.unwrap_or(0)) / FULL_SCALE
    }

    /// The rms level in dB of full scale, never below -120.
    pub fn dbfs(&self, channel: u32, part: Span) -> f64 {
        let rms = self.rms(channel, part);
        if rms > 0.0 { (20.0 * rms.log10()).max(FLOOR) } else { FLOOR }
    }

    /// Part of the power that a tone of this frequency has, 0.0 to 1.0 (Goertzel's algorithm). 0.0 for silence, and for frequencies that the rate cannot carry.
    pub fn tone(&self, channel: u32, part: Span, hertz: f64) -> f64 {
        let (count, squares) = self.squares(channel, part);
        if squares == 0 || !(hertz > 0.0 && hertz < f64::from(self.rate) / 2.0) {
            return 0.0;
        }
        let step = 2.0 * (std::f64::consts::TAU * hertz / f64::from(self.rate)).cos();
        let (last, before) = self
            .read(channel, part)
            .fold((0.0_f64, 0.0_f64), |(last, before), sample| (f64::from(sample) + step * last - before, last));
        let power = last * last + before * before - step * last * before;
        (2.0 * power / (f64::from(count) * squares as f64)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, level: f64) -> Sound {
        let sample = |n: u32| (f64::from(n) * hertz / 48_000.0 * std::f64::consts::TAU).sin() * level * 32_767.0;
        let samples: Vec<i16> = (0..4_800).flat_map(|n| [sample(n).round() as i16, 0]).collect();
        Sound::new(48_000, 2, samples).unwrap()
    }

    #[test]
    fn a_sine_has_its_level_and_its_tone() {
        let sound = sine(1_000.0, 1.0);
        assert!((sound.dbfs(0, sound.whole()) + 3.01).abs() < 0.01);
        assert!((sound.peak(0, sound.whole()) - 1.0).abs() < 0.001);
        assert!(sound.tone(0, sound.whole(), 1_000.0) > 0.99);
        assert!(sound.tone(0, sound.whole(), 1_500.0) < 0.01);
        let quiet = sine(440.0, 0.1);
        assert!((quiet.dbfs(0, quiet.whole()) + 23.01).abs() < 0.01);
    }

    #[test]
    fn what_is_not_there_is_silent() {
        let sound = sine(1_000.0, 1.0);
        let nothing = [
            (1, sound.whole()),
            (2, sound.whole()),
            (0, Span { first: 9_999, count: 5 }),
            (0, Span { first: 0, count: 0 }),
        ];
        for (channel, part) in nothing {
            assert_eq!((sound.rms(channel, part), sound.peak(channel, part)), (0.0, 0.0));
            assert_eq!((sound.dbfs(channel, part), sound.tone(channel, part, 1_000.0)), (-120.0, 0.0));
        }
        for hertz in [0.0, -5.0, 24_000.0, f64::NAN, f64::INFINITY] {
            assert!(sound.tone(0, sound.whole(), hertz).abs() < f64::EPSILON);
        }
        assert_eq!(sound.read(0, Span { first: 4_799, count: u32::MAX }).count(), 1);
        assert!(Sound::new(0, 1, [1]).is_none() && Sound::new(1, 0, [1]).is_none() && Sound::new(1, 2, [1]).is_none());
    }
}
