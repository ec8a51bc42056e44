//! Whether the picture stands still: every frame is held against the first of its still time, so that what creeps is seen to move.

use headend_sdk::analyser::{Analyser, Frame, Instant, Picture, Rect, Setup, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Clone, Deserialize)]
struct Settings {
    seconds: f64,
    tolerance: u8,
    share: f64,
    region: Option<[u32; 4]>,
}

/// An analyser at work.
pub struct Freeze {
    settings: Settings,
    first: Option<(Picture, Rect)>,
    times: Times,
}

/// When it stood still.
#[derive(Default)]
struct Times {
    since: Stamp,
    last: Stamp,
    frames: u64,
    told: bool,
    longest: Instant,
    ever: bool,
}

const SECOND: f64 = 1_000_000.0;

impl Times {
    /// A frame that is as those before it (`still`), or not.
    fn note(&mut self, stamp: Stamp, still: bool) {
        if !still || self.frames == 0 {
            (self.since, self.told) = (stamp, false);
        }
        self.last = stamp;
        self.frames += 1;
        self.longest = self.longest.max(self.still_for());
    }

    fn still_for(&self) -> Instant {
        self.last.at.saturating_sub(self.since.at)
    }

    /// The verdict, once for each time that it stands still for so long.
    fn frozen(&mut self, seconds: f64) -> Option<Verdict> {
        let still = self.still_for() as f64 / SECOND;
        if self.told || self.frames < 2 || still < seconds || self.since.frame == self.last.frame {
            return None;
        }
        (self.told, self.ever) = (true, true);
        let sentence = format!("it has stood still for {still:.2} s, since frame {}", self.since.frame);
        Some(
            Verdict::new(self.last, true, 1.0, sentence)
                .with("still_s", still)
                .with("since_frame", self.since.frame as f64),
        )
    }

    fn end(&self, seconds: f64) -> Option<Verdict> {
        if self.ever {
            return None;
        }
        let longest = self.longest as f64 / SECOND;
        let sentence =
            format!("it never stood still for {seconds:.2} s; {longest:.2} s at most, in {} frames", self.frames);
        let score = if seconds > 0.0 { longest / seconds } else { 0.0 };
        Some(Verdict::new(self.last, false, score, sentence).with("still_s", longest))
    }
}

impl Freeze {
    fn is_still(&self, picture: &Picture, area: Rect) -> bool {
        let Some((first, place)) = &self.first else { return false };
        if *place != area {
            return false;
        }
        let compared = picture.compare(first, self.settings.tolerance, None);
        compared.is_ok_and(|seen| {
            let changed = f64::from(seen.pixels - seen.within) / f64::from(seen.pixels.max(1));
            changed <= self.settings.share
        })
    }
}

impl Analyser for Freeze {
    fn build(setup: Setup) -> Result<Self, String> {
        Ok(Self { settings: setup.settings()?, first: None, times: Times::default() })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let area = self.settings.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let Ok(picture) = frame.picture().and_then(|picture| picture.crop(area)) else {
            let nothing = "the region lies outside of the frame";
            return Some(Verdict::new(frame.stamp(), false, 0.0, nothing.into()));
        };
        let still = self.is_still(&picture, area);
        self.times.note(frame.stamp(), still);
        if !still {
            self.first = Some((picture, area));
        }
        let verdict = self.times.frozen(self.settings.seconds)?;
        Some(verdict.within(area).draw(area, Tone::Bad, "frozen"))
    }

    fn finish(&mut self) -> Option<Verdict> {
        self.times.end(self.settings.seconds)
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Freeze);

#[cfg(test)]
mod tests {
    use super::*;

    fn run(still: &[bool], seconds: f64) -> (Vec<u64>, Option<Verdict>) {
        let mut times = Times::default();
        let mut told = Vec::new();
        for (frame, still) in still.iter().enumerate() {
            times.note(Stamp { frame: frame as u64, at: frame as i64 * 500_000 }, *still);
            told.extend(times.frozen(seconds).map(|verdict| verdict.frame));
        }
        (told, times.end(seconds))
    }

    #[test]
    fn each_still_time_is_told_once() {
        let (told, end) = run(&[false, true, true, true, false, true, true, true, true], 1.0);
        assert_eq!((told, end), (vec![2, 6], None));
        let (told, end) = run(&[false, true, false, true, false], 1.0);
        let end = end.unwrap();
        assert!(told.is_empty() && !end.passed && end.sentence.contains("0.50 s at most"), "{}", end.sentence);
        assert!(!run(&[], 1.0).1.unwrap().passed, "no frames");
        assert_eq!(run(&[false, true], 0.0).0, [1], "one frame alone is not still");
    }
}
