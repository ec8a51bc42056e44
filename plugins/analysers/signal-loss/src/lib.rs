//! Whether the signal is lost: one even colour, perhaps with a text on it, snow, or no frames for a while.

use headend_sdk::analyser::{Analyser, Colour, Frame, Picture, Rect, Setup, Stamp, Statistics, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    seconds: f64,
    flatness: f64,
    share: f64,
    noise: f64,
    black: bool,
    region: Option<[u32; 4]>,
}

/// An analyser at work.
pub struct SignalLoss {
    settings: Settings,
    times: Times,
}

/// Black is no brighter than this in any channel: a blue screen has little luma.
const BLACK: f64 = 24.0;
/// Variance of the Laplacian of white noise over its variance: 4 * 4 + 4 * 1.
const WHITE_NOISE: f64 = 20.0;
/// How far each channel of a pixel may be from the mean and still be of one colour with the rest: noise of a capture card, and what a white text adds to the mean.
const TOLERANCE: u8 = 8;
const SECOND: f64 = 1e6;

/// What a frame looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Picture,
    Even,
    /// Even but for a text or a sign: the page of a box that has no signal.
    Card,
    Snow,
    /// There was no frame.
    Nothing,
}

impl Look {
    const fn text(self) -> &'static str {
        match self {
            Self::Picture => "a picture",
            Self::Even => "one even colour",
            Self::Card => "one even colour with a text or a sign on it",
            Self::Snow => "snow",
            Self::Nothing => "no frames",
        }
    }
}

/// What is measured of a part: the mean of the brightest channel, the largest deviation of a channel, and that of the luma.
#[derive(Clone, Copy)]
struct Seen {
    brightest: f64,
    deviation: f64,
    grey_deviation: f64,
    sharpness: f64,
    /// Part of the pixels that are the mean colour; none: the deviation says enough.
    share_even: Option<f64>,
}

impl Seen {
    /// Detail as a part of what white noise of this contrast would have.
    fn noise(&self) -> f64 {
        let variance = self.grey_deviation * self.grey_deviation;
        if variance > 0.0 { (self.sharpness / (WHITE_NOISE * variance)).min(1.0) } else { 0.0 }
    }
}

impl Settings {
    fn look(&self, seen: &Seen) -> Look {
        if seen.deviation <= self.flatness {
            return if self.counts(seen.brightest) { Look::Even } else { Look::Picture };
        }
        if seen.noise() >= self.noise {
            return Look::Snow;
        }
        let card = self.counts(seen.brightest) && seen.share_even.is_some_and(|share| share >= self.share);
        if card { Look::Card } else { Look::Picture }
    }

    /// Black does not, unless it is said to.
    fn counts(&self, brightest: f64) -> bool {
        brightest > BLACK || self.black
    }

    /// Whether so much of a picture with this deviation can be of one colour: the rest is off by full scale at most. Usual pictures deviate more, and cost no
    /// further look.
    fn may_be_card(&self, deviation: f64) -> bool {
        // The mean that pixels are held against is rounded.
        let near = f64::from(TOLERANCE) + 1.0;
        deviation > self.flatness
            && deviation * deviation <= self.share * near * near + (1.0 - self.share) * 255.0 * 255.0
    }
}

/// Since when it is lost.
#[derive(Default)]
struct Times {
    last: Option<Stamp>,
    since: Option<Stamp>,
    told: bool,
    ever: bool,
    longest: i64,
}

impl Times {
    /// A frame with this look. Answers with the loss that it makes long enough, once for each loss, and for how long it has lasted.
    fn note(&mut self, stamp: Stamp, look: Look, seconds: f64) -> Option<(Look, f64)> {
        let before = self.last.replace(stamp);
        // The picture was there and then nothing came: that is over now, so it is told at once.
        let gap = before.filter(|_| self.since.is_none()).map_or(0, |before| stamp.at - before.at);
        if look == Look::Picture {
            (self.since, self.told) = (None, false);
            self.longest = self.longest.max(gap);
            return self.tell(gap, seconds).map(|lasted| (Look::Nothing, lasted));
        }
        let since = *self.since.get_or_insert(stamp);
        let lasted = stamp.at - since.at;
        self.longest = self.longest.max(lasted);
        if self.told {
            return None;
        }
        let told = self.tell(lasted, seconds)?;
        self.told = true;
        Some((look, told))
    }

    fn tell(&mut self, lasted: i64, seconds: f64) -> Option<f64> {
        let lasted = lasted as f64 / SECOND;
        let long = lasted >= seconds && lasted > 0.0;
        self.ever |= long;
        long.then_some(lasted)
    }

    fn end(&self, seconds: f64) -> Option<Verdict> {
        if self.ever {
            return None;
        }
        let longest = self.longest as f64 / SECOND;
        let sentence = format!("the signal was never lost for {seconds:.2} s; {longest:.2} s at most");
        let stamp = self.last.unwrap_or_default();
        Some(Verdict::new(stamp, false, longest / seconds.max(0.001), sentence).with("lost_s", longest))
    }
}

impl SignalLoss {
    fn seen(&self, frame: &Frame, area: Rect) -> Option<Seen> {
        let picture = frame.picture().ok()?;
        let grey = picture.grey().ok()?;
        let (colours, greys) = (picture.statistics(area).ok()?, grey.statistics(area).ok()?);
        let means = [colours.mean.red, colours.mean.green, colours.mean.blue];
        let deviation = [colours.deviation.red, colours.deviation.green, colours.deviation.blue];
        // Of less than 3x3 pixels it has none.
        let sharpness = grey.sharpness(area).unwrap_or(0.0);
        let most = |channels: [f64; 3]| channels.into_iter().fold(0.0, f64::max);
        let (brightest, deviation) = (most(means), most(deviation));
        let asked = self.settings.counts(brightest) && self.settings.may_be_card(deviation);
        let share_even = asked.then(|| share_even(&picture, area, &colours));
        Some(Seen { brightest, deviation, grey_deviation: greys.deviation.red, sharpness, share_even })
    }
}

/// How much of a part is its mean colour.
fn share_even(picture: &Picture, area: Rect, seen: &Statistics) -> f64 {
    let mean = [seen.mean.red, seen.mean.green, seen.mean.blue].map(whole);
    let near = picture.near(area, Colour::of(mean), Colour::of([TOLERANCE; 3]));
    f64::from(near) / f64::from(seen.pixels.max(1))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean of bytes is one, and the cast ends at 0 and 255"
)]
fn whole(mean: f64) -> u8 {
    mean.round() as u8
}

impl Analyser for SignalLoss {
    fn build(setup: Setup) -> Result<Self, String> {
        Ok(Self { settings: setup.settings()?, times: Times::default() })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let area = self.settings.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let Some(seen) = self.seen(frame, area) else {
            return Some(Verdict::new(frame.stamp(), false, 0.0, "the region lies outside of the frame".into()));
        };
        let look = self.settings.look(&seen);
        let (lost, lasted) = self.times.note(frame.stamp(), look, self.settings.seconds)?;
        let sentence = format!("the signal is lost: {} for {lasted:.2} s", lost.text());
        let verdict = Verdict::new(frame.stamp(), true, 1.0, sentence).within(area);
        let verdict = verdict.with("lost_s", lasted).with("deviation", seen.deviation).with("noise", seen.noise());
        let verdict = match seen.share_even {
            Some(share) => verdict.with("share_even", share),
            None => verdict,
        };
        Some(verdict.draw(area, Tone::Bad, "no signal"))
    }

    fn finish(&mut self) -> Option<Verdict> {
        self.times.end(self.settings.seconds)
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(SignalLoss);

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(black: bool) -> Settings {
        Settings { seconds: 1.0, flatness: 3.0, share: 0.985, noise: 0.6, black, region: None }
    }

    fn look(brightest: f64, deviation: f64, sharpness: f64, black: bool) -> Look {
        settings(black).look(&Seen { brightest, deviation, grey_deviation: deviation, sharpness, share_even: None })
    }

    #[test]
    fn even_is_lost_and_black_only_if_it_is_wanted() {
        assert_eq!(look(90.0, 0.0, 0.0, false), Look::Even);
        assert_eq!((look(10.0, 0.0, 0.0, false), look(10.0, 0.0, 0.0, true)), (Look::Picture, Look::Even));
        assert_eq!((look(90.0, 50.0, 45_000.0, false), look(90.0, 50.0, 9_000.0, false)), (Look::Snow, Look::Picture));
    }

    #[test]
    fn a_text_on_one_colour_is_lost_and_only_what_can_be_one_is_looked_at_again() {
        let look = |brightest, share_even, black| {
            let seen = Seen { brightest, deviation: 19.0, grey_deviation: 19.0, sharpness: 0.0, share_even };
            settings(black).look(&seen)
        };
        assert_eq!((look(90.0, Some(0.985), false), look(90.0, Some(0.984), false)), (Look::Card, Look::Picture));
        assert_eq!((look(20.0, Some(0.99), false), look(20.0, Some(0.99), true)), (Look::Picture, Look::Card));
        assert_eq!(look(90.0, None, false), Look::Picture);
        // White on black, three of two hundred pixels: 31.0. Nothing that so much of is even deviates more than 32.5.
        let asked = |deviation| settings(false).may_be_card(deviation);
        assert!(!asked(3.0) && asked(3.1) && asked(31.0) && asked(32.4) && !asked(32.5));
        let all = Settings { share: 1.0, ..settings(false) };
        assert!(all.may_be_card(9.0) && !all.may_be_card(9.1));
    }

    #[test]
    fn each_loss_is_told_once_and_a_gap_when_it_is_over() {
        let mut times = Times::default();
        let mut told = Vec::new();
        let looks = [Look::Picture, Look::Snow, Look::Snow, Look::Snow, Look::Picture, Look::Even];
        for (frame, look) in looks.into_iter().enumerate() {
            let stamp = Stamp { frame: frame as u64, at: frame as i64 * 600_000 };
            told.extend(times.note(stamp, look, 1.0).map(|(look, _)| (frame, look)));
        }
        assert_eq!(told, [(3, Look::Snow)]);
        let late = times.note(Stamp { frame: 9, at: 9_000_000 }, Look::Picture, 1.0);
        assert_eq!(late, None, "that it was even until now nobody saw");
        let later = times.note(Stamp { frame: 10, at: 12_000_000 }, Look::Picture, 1.0);
        assert_eq!(later, Some((Look::Nothing, 3.0)));
        assert!(times.end(1.0).is_none() && Times::default().end(1.0).is_some());
    }
}
