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
