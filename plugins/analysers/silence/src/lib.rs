//! Whether it is silent for longer than it should be.

use headend_sdk::analyser::{Analyser, Frame, Setup, Sound, Span, Stamp, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    threshold_dbfs: f64,
    seconds: f64,
}

/// An analyser at work.
pub struct Silence {
    settings: Settings,
    frame: u64,
    times: Times,
}

/// Sound is looked at in steps of this length, in microseconds: no silence is told to be longer than it is by more than that.
const STEP_US: i64 = 20_000;
const SECOND: f64 = 1e6;

/// When it was silent.
#[derive(Default)]
struct Times {
    since: Option<i64>,
    now: i64,
    heard: bool,
    told: bool,
    ever: bool,
    longest: i64,
}

impl Times {
    fn note(&mut self, from: i64, to: i64, silent: bool) {
        (self.now, self.heard) = (to, true);
        if !silent {
            (self.since, self.told) = (None, false);
            return;
        }
        self.since.get_or_insert(from);
        self.longest = self.longest.max(self.silent_for());
    }

    fn silent_for(&self) -> i64 {
        self.since.map_or(0, |since| self.now - since)
    }

    /// The verdict, once for each time that it is silent for so long.
    fn silent(&mut self, seconds: f64, frame: u64) -> Option<Verdict> {
        let since = self.since?;
        let silent = self.silent_for() as f64 / SECOND;
        if self.told || silent < seconds {
            return None;
        }
        (self.told, self.ever) = (true, true);
        let sentence = format!("it has been silent for {silent:.2} s");
        let verdict = Verdict::new(Stamp { frame, at: self.now }, true, 1.0, sentence);
        Some(verdict.with("silent_s", silent).with("since_s", since as f64 / SECOND))
    }

    fn end(&self, seconds: f64, frame: u64) -> Option<Verdict> {
        if self.ever {
            return None;
        }
        let longest = self.longest as f64 / SECOND;
        let sentence = if self.heard {
            format!("it was never silent for {seconds:.2} s; {longest:.2} s at most")
        } else {
            "the stream has no sound at all, not even silent one".into()
        };
        let verdict = Verdict::new(Stamp { frame, at: self.now }, false, longest / seconds.max(0.001), sentence);
        Some(verdict.with("silent_s", longest))
    }
}

impl Analyser for Silence {
    fn build(setup: Setup) -> Result<Self, String> {
        Ok(Self { settings: setup.settings()?, frame: 0, times: Times::default() })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        self.frame = frame.number();
        None
    }

    fn hear(&mut self, sound: &Sound) -> Option<Verdict> {
        let (at, rate) = (sound.at(), i64::from(sound.rate().max(1)));
        let step = u32::try_from(rate * STEP_US / 1_000_000).unwrap_or(1).max(1);
        let instant = |sample: u32| at + i64::from(sample) * 1_000_000 / rate;
        let mut verdict = None;
        let mut first = 0;
        while first < sound.count() {
            let part = Span { first, count: step.min(sound.count() - first) };
            let loudest = sound.stereo().map(|channel| sound.dbfs(channel, part)).into_iter().fold(-120.0, f64::max);
            let next = first + part.count;
            self.times.note(instant(first), instant(next), loudest < self.settings.threshold_dbfs);
            verdict = verdict.or(self.times.silent(self.settings.seconds, self.frame));
            first = next;
        }
        verdict
    }

    fn finish(&mut self) -> Option<Verdict> {
        self.times.end(self.settings.seconds, self.frame)
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Silence);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silence_is_told_once() {
        let mut times = Times::default();
        let mut told = Vec::new();
        for (step, silent) in [false, true, true, true, false, true, true].into_iter().enumerate() {
            let at = step as i64 * 500_000;
            times.note(at, at + 500_000, silent);
            told.extend(times.silent(1.0, step as u64).map(|verdict| verdict.frame));
        }
        assert_eq!((told, times.end(1.0, 0)), (vec![2, 6], None));
        let mut short = Times::default();
        short.note(0, 900_000, true);
        let end = short.end(1.0, 0);
        assert!(end.is_some_and(|end| !end.passed && end.sentence.contains("0.90 s at most")));
        assert!(Times::default().end(1.0, 0).is_some_and(|end| end.sentence.contains("no sound at all")));
    }
}
