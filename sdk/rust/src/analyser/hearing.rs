//! Levels over several pieces of sound: pieces are as long as the source makes them, and what is asked about seldom is.

use super::{Sound, Span};

/// Level of silence in dBFS.
const FLOOR: f64 = -120.0;

/// Power of one channel over several pieces of sound, each as much as it is long.
///
/// ```
/// use headend_sdk::analyser::Power;
///
/// let mut power = Power::default();
/// assert_eq!(power.dbfs(), -120.0);
/// power.add(1.0, 480);
/// power.add(0.0, 480);
/// assert!((power.dbfs() + 3.01).abs() < 0.01);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Power {
    squares: f64,
    samples: f64,
}

impl Power {
    /// A piece with this rms level (0.0 to 1.0) and so many samples.
    pub fn add(&mut self, rms: f64, samples: u32) {
        self.squares += rms * rms * f64::from(samples);
        self.samples += f64::from(samples);
    }

    /// All that another has.
    pub fn join(&mut self, other: Self) {
        self.squares += other.squares;
        self.samples += other.samples;
    }

    /// Root of the mean square, 0.0 to 1.0; 0.0 when there was nothing.
    pub fn rms(&self) -> f64 {
        if self.samples > 0.0 { (self.squares / self.samples).sqrt() } else { 0.0 }
    }

    /// The level in dB of full scale, never below -120.
    pub fn dbfs(&self) -> f64 {
        let rms = self.rms();
        if rms > 0.0 { (20.0 * rms.log10()).max(FLOOR) } else { FLOOR }
    }

    /// Mean square times samples: what shares of power are weighted by.
    pub fn energy(&self) -> f64 {
        self.squares
    }
}

/// One channel of a [`Window`]: its power, and how much of it is tones of `N` frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tones<const N: usize> {
    power: Power,
    energies: [f64; N],
}

impl<const N: usize> Default for Tones<N> {
    fn default() -> Self {
        Self { power: Power::default(), energies: [0.0; N] }
    }
}

impl<const N: usize> Tones<N> {
    /// A channel of a piece of sound.
    pub fn hear(&mut self, sound: &Sound, channel: u32, hertz: [f64; N]) {
        let shares = hertz.map(|hertz| sound.tone(channel, sound.whole(), hertz));
        self.add(sound.rms(channel, sound.whole()), sound.count(), shares);
    }

    /// A piece with this rms level (0.0 to 1.0), so many samples, and these shares of its power (0.0 to 1.0) in the tones.
    pub fn add(&mut self, rms: f64, samples: u32, shares: [f64; N]) {
        let before = self.power.energy();
        self.power.add(rms, samples);
        let energy = self.power.energy() - before;
        for (tone, share) in self.energies.iter_mut().zip(shares) {
            *tone += share * energy;
        }
    }

    /// The shares of all the power, 0.0 to 1.0 each; 0.0 when nothing was heard.
    pub fn shares(&self) -> [f64; N] {
        let energy = self.power.energy();
        if energy > 0.0 { self.energies.map(|tone| tone / energy) } else { [0.0; N] }
    }

    /// The level in dB of full scale, never below -120.
    pub fn dbfs(&self) -> f64 {
        self.power.dbfs()
    }
}

/// Sound that is judged together: left and right since the last answer, until an answer is due. `T` is what is noted of
/// each of the two, such as [`Power`] or [`Tones`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window<T> {
    /// When it begins, in microseconds of the stream.
    pub at: i64,
    /// What was noted of left and right.
    pub sides: [T; 2],
    length: i64,
    heard: bool,
}

impl<T: Default> Window<T> {
    /// Takes a piece of sound in: `note` is called for left and for right, with the number of the channel. Answers with the
    /// window once it is as long as this, and begins the next one.
    pub fn hear(&mut self, sound: &Sound, seconds: f64, mut note: impl FnMut(&mut T, u32)) -> Option<Self> {
        for (side, channel) in self.sides.iter_mut().zip(sound.stereo()) {
            note(side, channel);
        }
        self.extend(sound.at(), sound.length(), sound.count());
        self.close(seconds)
    }

    /// What has been heard since the last full window, when the stream ends. `None`: nothing.
    pub fn rest(&mut self) -> Option<Self> {
        self.heard.then(|| std::mem::take(self))
    }

    fn extend(&mut self, at: i64, length: i64, samples: u32) {
        if self.length == 0 {
            self.at = at;
        }
        self.heard |= samples > 0;
        self.length += length;
    }

    fn close(&mut self, seconds: f64) -> Option<Self> {
        let full = self.length as f64 >= seconds * 1e6;
        full.then(|| std::mem::take(self))
    }
}

impl Sound {
    /// All of it.
    pub fn whole(&self) -> Span {
        Span { first: 0, count: self.count() }
    }

    /// How long it is, in microseconds.
    pub fn length(&self) -> i64 {
        i64::from(self.count()) * 1_000_000 / i64::from(self.rate().max(1))
    }

    /// The numbers of the left and the right channel; of mono both are the only one.
    pub fn stereo(&self) -> [u32; 2] {
        [0, self.channels().saturating_sub(1).min(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_with_its_first_sample_and_the_next_one_behind_it() {
        let mut window = Window::<Power>::default();
        assert_eq!(window.rest(), None, "nothing was heard");
        window.extend(40, 500_000, 24_000);
        window.sides[0].add(0.5, 24_000);
        assert_eq!(window.close(1.0), None);
        window.extend(500_040, 500_000, 24_000);
        let full = window.close(1.0).unwrap_or_default();
        assert_eq!(full.at, 40);
        assert!((full.sides[0].rms() - 0.5).abs() < 1e-9);
        assert_eq!((window.close(1.0), window.rest()), (None, None), "the next one is empty");
        window.extend(1_000_040, 20_000, 960);
        assert_eq!(window.rest().map(|rest| rest.at), Some(1_000_040));
        assert_eq!(window.rest(), None, "told once");
    }

    #[test]
    fn a_tone_weighs_as_much_as_its_piece_is_loud() {
        let mut tones = Tones::<2>::default();
        assert!(tones.shares().iter().all(|share| *share <= 0.0));
        tones.add(1.0, 480, [0.9, 0.1]);
        tones.add(0.0, 480, [0.0, 1.0]);
        let [first, second] = tones.shares();
        assert!((first - 0.9).abs() < 1e-9 && (second - 0.1).abs() < 1e-9);
        assert!((tones.dbfs() + 3.01).abs() < 0.01);
    }
}
