//! The last ten seconds of sound, and when they were heard.
//!
//! A source counts samples by its own clock and sends them in pieces, sometimes late and several at once, never early. So the time of a
//! sample is its number over the rate, from a beginning that is the *earliest* that any piece of the last seconds speaks for: `arrival -
//! samples so far`. Waiting in a queue moves a piece later and changes nothing; a clock that drifts against ours is followed. A piece
//! that is later than the rest by half a second and more was not waiting, something is missing before it: a new take begins.

use std::collections::VecDeque;

use headend_media::Sound;

/// Samples a second.
pub(super) const RATE: u32 = 48_000;
/// One for each ear.
pub(super) const CHANNELS: u32 = 2;
/// Samples of each channel that are kept: ten seconds.
const KEPT: u64 = 10 * RATE as u64;
/// Most takes, however short.
const TAKES: usize = 32;
/// A beginning is the earliest of the present window of so many microseconds and of the one before.
const WINDOW_US: i64 = 5_000_000;
/// More than this is no delay but a gap, in microseconds.
const GAP_US: i64 = 500_000;

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Recording {
    takes: VecDeque<Take>,
    open: bool,
}

/// Samples without a gap.
#[derive(Debug)]
struct Take {
    clock: Clock,
    /// Of each channel, gone and kept.
    heard: u64,
    /// One of each channel, then the next of each: the last of them.
    kept: VecDeque<i16>,
}

/// When the first sample of a take was heard.
#[derive(Debug)]
struct Clock {
    window_us: i64,
    now: i64,
    before: i64,
}

impl Clock {
    fn begin(&self) -> i64 {
        self.now.min(self.before)
    }

    fn hear(&mut self, at_us: i64, begin: i64) {
        if at_us - self.window_us > WINDOW_US {
            (self.before, self.now, self.window_us) = (self.now, begin, at_us);
        }
        self.now = self.now.min(begin);
    }
}

fn us(samples: u64) -> i64 {
    (samples * 1_000_000 / u64::from(RATE)) as i64
}

impl Take {
    fn new(at_us: i64, begin: i64) -> Self {
        let clock = Clock { window_us: at_us, now: begin, before: begin };
        Self { clock, heard: 0, kept: VecDeque::new() }
    }

    fn count(&self) -> u64 {
        (self.kept.len() / CHANNELS as usize) as u64
    }

    /// What of it begins at this time, as many samples as there are of so many.
    fn part(&self, from_us: i64, count: u64) -> Option<Vec<i16>> {
        // The nearest sample; rounding must not lose the very first.
        let since = i128::from(from_us) - i128::from(self.clock.begin());
        let number = (since * i128::from(RATE) + 500_000).div_euclid(1_000_000);
        let first = u64::try_from(number).ok()?.checked_sub(self.heard - self.count())?;
        let count = count.min(self.count().checked_sub(first)?);
        let each = u64::from(CHANNELS);
        let range = (first * each) as usize..((first + count) * each) as usize;
        (count > 0).then(|| self.kept.range(range).copied().collect())
    }
}

impl Recording {
    /// Samples of both channels that came now. What is incomplete at their end is left out: the caller keeps it.
    pub(super) fn hear(&mut self, at_us: u64, samples: &[i16]) {
        let (at_us, count) = (at_us as i64, (samples.len() / CHANNELS as usize) as u64);
        if count == 0 {
            return;
        }
        let begin = |take: &Take| at_us - us(take.heard + count);
        match self.takes.back_mut().filter(|take| self.open && begin(take) - take.clock.begin() < GAP_US) {
            Some(take) => {
                let begin = begin(take);
                take.clock.hear(at_us, begin);
            }
            None => self.takes.push_back(Take::new(at_us, at_us - us(count))),
        }
        self.open = true;
        if let Some(take) = self.takes.back_mut() {
            take.heard += count;
            take.kept.extend(&samples[..count as usize * CHANNELS as usize]);
        }
        self.trim();
    }

    /// The source was cut: what comes next is counted anew.
    pub(super) fn cut(&mut self) {
        self.open = false;
    }

    fn trim(&mut self) {
        let mut surplus = self.takes.iter().map(Take::count).sum::<u64>().saturating_sub(KEPT);
        while let Some(take) = self.takes.front_mut().filter(|_| surplus > 0) {
            let gone = surplus.min(take.count());
            take.kept.drain(..(gone * u64::from(CHANNELS)) as usize);
            surplus -= gone;
            if take.kept.is_empty() {
                self.takes.pop_front();
            }
        }
        while self.takes.len() > TAKES {
            self.takes.pop_front();
        }
    }

    /// What was heard from then on, up to so long: shorter if the rest has not come. `None`: nothing is kept of its beginning.
    pub(super) fn sound(&self, from_us: u64, length_us: u64) -> Option<Sound> {
        let count = length_us.min(us(KEPT) as u64) * u64::from(RATE) / 1_000_000;
        let samples = self.takes.iter().rev().find_map(|take| take.part(from_us as i64, count))?;
        Sound::new(RATE, CHANNELS, samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many milliseconds of samples that hold their own number, counted from `first_ms`.
    fn piece(first_ms: i16, ms: i16) -> Vec<i16> {
        (first_ms..first_ms + ms).flat_map(|number| std::iter::repeat_n([number, -number], 48)).flatten().collect()
    }

    fn heard(recording: &Recording, from_ms: u64, ms: u64) -> Option<(i16, usize)> {
        let sound = recording.sound(from_ms * 1000, ms * 1000)?;
        let left: Vec<i16> = sound.read(0, sound.whole()).collect();
        assert!(sound.read(1, sound.whole()).eq(left.iter().map(|sample| -sample)));
        Some((left[0], left.len() / 48))
    }

    #[test]
    fn samples_have_the_time_at_which_they_ended_at_the_latest() {
        let mut recording = Recording::default();
        (0..50_i16).for_each(|n| recording.hear(5_020_000 + n as u64 * 20_000, &piece(n * 20, 20)));
        assert_eq!(heard(&recording, 5_000, 40), Some((0, 40)));
        assert_eq!(heard(&recording, 5_500, 100), Some((500, 100)));
        assert_eq!(heard(&recording, 5_980, 100), Some((980, 20)), "cut to what has come");
        assert_eq!(heard(&recording, 4_990, 100), None);
        assert_eq!(heard(&recording, 6_000, 100), None);
        assert!(recording.sound(u64::MAX / 4, u64::MAX).is_none());
    }

    #[test]
    fn a_queue_that_empties_at_once_does_not_bring_sounds_of_the_future() {
        let mut recording = Recording::default();
        // Two seconds of sound have waited, and come within the tenth second.
        (0..20_i16).for_each(|n| recording.hear(10_000_000 + n as u64 * 1_000, &piece(n * 100, 100)));
        (20..40_i16).for_each(|n| recording.hear(10_019_000 + (n as u64 - 19) * 100_000, &piece(n * 100, 100)));
        assert_eq!(heard(&recording, 10_019, 100), Some((2_000, 100)));
        assert_eq!(heard(&recording, 8_019, 100), Some((0, 100)));
    }

    #[test]
    fn a_piece_that_waited_changes_no_times_and_a_gap_does() {
        let mut recording = Recording::default();
        (0..50_i16).for_each(|n| recording.hear(1_020_000 + n as u64 * 20_000, &piece(n * 20, 20)));
        // The next is 300 ms late.
        recording.hear(2_320_000, &piece(1_000, 20));
        assert_eq!(heard(&recording, 2_000, 20), Some((1_000, 20)));
        // This one comes after a silence of two seconds.
        recording.hear(4_340_000, &piece(1_020, 20));
        assert_eq!(heard(&recording, 4_320, 20), Some((1_020, 20)));
        assert_eq!(heard(&recording, 3_000, 20), None);
        assert_eq!(heard(&recording, 1_000, 20), Some((0, 20)));
    }

    #[test]
    fn a_reconnection_begins_anew() {
        let mut recording = Recording::default();
        recording.hear(1_100_000, &piece(0, 100));
        recording.cut();
        recording.hear(1_300_000, &piece(500, 100));
        assert_eq!(heard(&recording, 1_200, 100), Some((500, 100)));
        assert_eq!(heard(&recording, 1_050, 100), Some((50, 50)), "what was before stays");
        assert_eq!(heard(&recording, 1_150, 10), None);
    }

    #[test]
    fn a_slow_clock_is_followed() {
        let mut recording = Recording::default();
        // The source sends 20 ms of samples every 20.02 ms: a second is lost in 1000.
        let at = |n: u64| 1_020_000 + n * 20_020;
        (0..3_000).for_each(|n| recording.hear(at(n), &piece(n as i16, 20)));
        let end = at(2_999) - 20_000;
        let late = recording.sound(end - 15_000, 1_000).map(|sound| sound.count());
        assert_eq!(late, Some(48), "no more than ten milliseconds off");
        let begin = recording.takes.back().map(|take| take.clock.begin()).unwrap();
        assert!((begin - (at(2_999) as i64 - us(3_000 * 960))).abs() < 12_000, "{begin}");
    }

    #[test]
    fn ten_seconds_are_kept() {
        let mut recording = Recording::default();
        (0..150_i16).for_each(|n| recording.hear(1_100_000 + n as u64 * 100_000, &piece(n * 100, 100)));
        assert_eq!(heard(&recording, 5_990, 10), None);
        assert_eq!(heard(&recording, 6_000, 20_000), Some((5_000, 10_000)));
        assert_eq!(recording.takes.iter().map(Take::count).sum::<u64>(), KEPT);
        (0..100).for_each(|n| {
            recording.cut();
            recording.hear(20_000_000 + n * 1_000, &[1, 1]);
        });
        assert_eq!(recording.takes.len(), TAKES);
    }
}
