//! How far apart sound and picture are, by a flash and a beep.

use headend_sdk::analyser::{Analyser, Frame, Rect, Setup, Sound, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    tolerance_ms: f64,
    within_ms: u32,
    level: u8,
    threshold_dbfs: f64,
    region: Option<[u32; 4]>,
}

/// An analyser at work.
pub struct AvOffset {
    settings: Settings,
    bright: Option<bool>,
    area: Rect,
    loud: Loud,
    pairs: Pairs,
}

/// Whether it is loud, and since when it is not.
#[derive(Default)]
struct Loud {
    quiet_from: Option<i64>,
    began: bool,
}

/// A beep is over after so much quiet: its own wave goes through zero all the time.
const QUIET_US: i64 = 20_000;
/// More than that is no sequence of flashes and beeps.
const MOST: usize = 64;

impl Loud {
    /// A sample or some that belong together; answers when a beep begins.
    fn note(&mut self, at: i64, loud: bool) -> bool {
        let quiet_for = self.quiet_from.map_or(0, |from| at - from);
        if !loud {
            self.began = true;
            self.quiet_from.get_or_insert(at);
            return false;
        }
        self.quiet_from = None;
        // A stream that begins in the middle of a beep has no beginning of it.
        let first = !self.began;
        self.began = true;
        !first && quiet_for >= QUIET_US
    }
}

/// Flashes and beeps that have no partner yet.
#[derive(Default)]
struct Pairs {
    flashes: Vec<Stamp>,
    beeps: Vec<i64>,
    now: i64,
    told: bool,
}

impl Pairs {
    fn flash(&mut self, stamp: Stamp) {
        if self.flashes.len() < MOST {
            self.flashes.push(stamp);
        }
    }

    fn beep(&mut self, at: i64) {
        if self.beeps.len() == MOST {
            self.beeps.remove(0);
        }
        self.beeps.push(at);
    }

    /// The earliest flash that no later beep can be nearer to, and its offset if it has a beep: sound after picture is positive.
    fn next(&mut self, within: i64, ended: bool) -> Option<(Stamp, Option<i64>)> {
        let flash = *self.flashes.first()?;
        if !ended && self.now <= flash.at + within {
            return None;
        }
        self.flashes.remove(0);
        let offset = |beep: &i64| (beep - flash.at).abs();
        let near = self.beeps.iter().copied().filter(|beep| offset(beep) <= within).min_by_key(offset);
        // Those before it belong to no later flash.
        self.beeps.retain(|beep| near.is_some_and(|near| *beep > near) || (near.is_none() && *beep > flash.at));
        self.told = true;
        Some((flash, near.map(|beep| beep - flash.at)))
    }
}

impl AvOffset {
    fn verdict(&mut self, ended: bool) -> Option<Verdict> {
        let (stamp, offset) = self.pairs.next(i64::from(self.settings.within_ms) * 1_000, ended)?;
        Some(self.settings.judge(stamp, offset, self.area))
    }
}

impl Settings {
    fn judge(&self, stamp: Stamp, offset: Option<i64>, area: Rect) -> Verdict {
        let Some(offset) = offset else {
            let sentence = format!("a flash without a beep within {} ms", self.within_ms);
            return Verdict::new(stamp, false, 0.0, sentence).within(area).draw(area, Tone::Bad, "flash");
        };
        let ms = offset as f64 / 1e3;
        let passed = ms.abs() <= self.tolerance_ms;
        let order = if offset < 0 { "before" } else { "after" };
        let sentence =
            format!("the sound is {:.1} ms {order} the picture, {:.1} ms are let pass", ms.abs(), self.tolerance_ms);
        let tone = if passed { Tone::Good } else { Tone::Bad };
        let score = 1.0 - ms.abs() / f64::from(self.within_ms);
        Verdict::new(stamp, passed, score, sentence).within(area).with("offset_ms", ms).draw(area, tone, "flash")
    }

    /// The amplitude that a sine of the threshold's level reaches.
    fn amplitude(&self) -> f64 {
        10_f64.powf(self.threshold_dbfs / 20.0) * std::f64::consts::SQRT_2 * 32_768.0
    }
}

impl Analyser for AvOffset {
    fn build(setup: Setup) -> Result<Self, String> {
        let (loud, pairs) = (Loud::default(), Pairs::default());
        Ok(Self { settings: setup.settings()?, bright: None, area: Rect::of([0; 4]), loud, pairs })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        self.area = self.settings.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        self.pairs.now = self.pairs.now.max(frame.at());
        let seen = frame.picture().and_then(|picture| picture.grey()).and_then(|grey| grey.statistics(self.area));
        let Ok(seen) = seen else {
            return Some(Verdict::new(frame.stamp(), false, 0.0, "the region lies outside of the frame".into()));
        };
        let bright = seen.mean.red >= f64::from(self.settings.level);
        if self.bright.replace(bright) == Some(false) && bright {
            self.pairs.flash(frame.stamp());
        }
        self.verdict(false)
    }

    fn hear(&mut self, sound: &Sound) -> Option<Verdict> {
        let (at, rate) = (sound.at(), i64::from(sound.rate().max(1)));
        let least = self.settings.amplitude().min(32_767.0);
        let channels: Vec<Vec<i16>> =
            sound.stereo().into_iter().filter_map(|channel| sound.read(channel, sound.whole()).ok()).collect();
        for sample in 0..sound.count() {
            let loud = channels.iter().filter_map(|channel| channel.get(sample as usize));
            let loud = loud.map(|sample| f64::from(sample.unsigned_abs())).fold(0.0, f64::max) >= least;
            let instant = at + i64::from(sample) * 1_000_000 / rate;
            if self.loud.note(instant, loud) {
                self.pairs.beep(instant);
            }
        }
        self.pairs.now = self.pairs.now.max(at);
        self.verdict(false)
    }

    fn finish(&mut self) -> Option<Verdict> {
        if let Some(last) = self.verdict(true) {
            return Some(last);
        }
        let none = "there was no flash: a dark frame and then a bright one";
        (!self.pairs.told).then(|| Verdict::new(Stamp { frame: 0, at: self.pairs.now }, false, 0.0, none.into()))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(AvOffset);

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(flashes: &[i64], beeps: &[i64]) -> Vec<Option<i64>> {
        let mut pairs = Pairs::default();
        for at in flashes {
            pairs.flash(Stamp { frame: 0, at: *at });
        }
        for at in beeps {
            pairs.beep(*at);
        }
        std::iter::from_fn(|| pairs.next(500, true).map(|(_, offset)| offset)).collect()
    }

    #[test]
    fn each_flash_has_the_nearest_beep_and_no_beep_has_two() {
        assert_eq!(offsets(&[1_000], &[1_100]), [Some(100)]);
        assert_eq!(offsets(&[1_000], &[600, 1_200]), [Some(200)]);
        assert_eq!(offsets(&[1_000, 3_000], &[900, 3_100]), [Some(-100), Some(100)]);
        assert_eq!(offsets(&[1_000, 1_300], &[1_290]), [Some(290), None]);
        assert_eq!(offsets(&[1_000], &[1_501]), [None]);
    }

    #[test]
    fn a_flash_waits_until_no_nearer_beep_can_come() {
        let mut pairs = Pairs { now: 1_400, ..Pairs::default() };
        pairs.flash(Stamp { frame: 0, at: 1_000 });
        pairs.beep(1_300);
        assert_eq!(pairs.next(500, false), None);
        pairs.now = 1_501;
        assert_eq!(pairs.next(500, false).map(|(_, offset)| offset), Some(Some(300)));
    }

    #[test]
    fn a_beep_begins_once_and_after_quiet() {
        let mut loud = Loud::default();
        assert!(!loud.note(0, true), "it was on before the stream was");
        assert!(!loud.note(1, false) && !loud.note(10_000, true), "a wave goes through zero");
        assert!(!loud.note(10_001, false) && loud.note(40_000, true) && !loud.note(40_001, true));
    }
}
