//! How long a zap takes: from the key to the first new stable picture, by the times of the frames.

use headend_sdk::analyser::{Analyser, Colour, Frame, Picture, Rect, Setup, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Clone, Deserialize)]
struct Settings {
    from_us: i64,
    stable_frames: u32,
    change: f64,
    tolerance: u8,
    level: u8,
    colour_count: u32,
    timeout_s: f64,
    region: Option<[u32; 4]>,
}

/// An analyser at work.
pub struct ZapTimer {
    settings: Settings,
    last: Option<Picture>,
    course: Course,
    area: Rect,
}

/// How a frame looks beside the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// Enough of it differs.
    cut: bool,
    /// Dark, or of fewer colours than a picture has.
    blank: bool,
}

/// How far the zap is.
#[derive(Default)]
struct Course {
    /// When the old picture went away.
    changed: Option<Stamp>,
    /// The first of the new picture, and how many there were with it.
    first: Option<(Stamp, u32)>,
    last: Stamp,
    told: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The first frame of the new picture.
    Stable(Stamp),
    Late,
}

/// Part of the pixels that a grey level needs to count.
const GREY_SHARE: f64 = 0.001;
/// Part of the pixels that must be dark in a black picture.
const BLACK_SHARE: f64 = 0.98;
const SECOND: f64 = 1e6;

impl Course {
    /// The next frame. `None` until it is decided, and afterwards.
    fn note(&mut self, stamp: Stamp, look: Look, settings: &Settings) -> Option<End> {
        self.last = stamp;
        if self.told || stamp.at <= settings.from_us {
            return None;
        }
        if look.cut || look.blank {
            self.changed.get_or_insert(stamp);
            self.first = None;
        }
        if self.changed.is_some() && !look.blank {
            let (first, frames) = self.first.map_or((stamp, 1), |(first, frames)| (first, frames + 1));
            self.first = Some((first, frames));
            if frames >= settings.stable_frames && settings.seconds(first) <= settings.timeout_s {
                self.told = true;
                return Some(End::Stable(first));
            }
        }
        let late = settings.seconds(self.first.map_or(stamp, |(first, _)| first)) > settings.timeout_s;
        self.told |= late;
        late.then_some(End::Late)
    }
}

impl Settings {
    /// From the key to this frame.
    fn seconds(&self, stamp: Stamp) -> f64 {
        stamp.at.saturating_sub(self.from_us) as f64 / SECOND
    }

    fn passed(&self, course: &Course, first: Stamp, area: Rect) -> Verdict {
        let seconds = self.seconds(first);
        let change = self.seconds(course.changed.unwrap_or(first));
        let sentence = format!("the new picture was there after {seconds:.3} s, the old one went after {change:.3} s");
        Verdict::new(first, true, 1.0 - seconds / self.timeout_s, sentence)
            .within(area)
            .with("seconds", seconds)
            .with("frame", first.frame as f64)
            .with("change_seconds", change)
            .draw(area, Tone::Good, "new picture")
    }

    fn failed(&self, course: &Course, area: Rect) -> Verdict {
        let sentence = match course.changed {
            _ if course.last.at <= self.from_us => "no frame came after the key".to_owned(),
            None => "the picture did not change after the key".to_owned(),
            Some(changed) => format!(
                "the old picture went after {:.3} s, and no new one was stable for {} frames",
                self.seconds(changed),
                self.stable_frames
            ),
        };
        let verdict = Verdict::new(course.last, false, 0.0, sentence).within(area).draw(area, Tone::Bad, "zap");
        match course.changed {
            Some(changed) => verdict.with("change_seconds", self.seconds(changed)),
            None => verdict,
        }
    }
}

impl ZapTimer {
    /// `None`: nothing of the region lies in the frame.
    fn look(&mut self, frame: &Frame) -> Option<Look> {
        let picture = frame.picture().ok()?.crop(self.area).ok()?;
        let pixels = self.area.pixels() as f64;
        let cut = match &self.last {
            None => false,
            // A picture of another size is another picture.
            Some(last) => picture.compare(last, self.settings.tolerance, None).map_or(true, |seen| {
                f64::from(seen.pixels - seen.within) >= self.settings.change * f64::from(seen.pixels.max(1))
            }),
        };
        let grey = picture.grey().ok()?;
        let dark = grey.near(Rect::ALL, Colour::of([0; 3]), Colour::of([self.settings.level; 3]));
        let levels = grey.histogram(Rect::ALL).ok()?;
        let colours = levels.iter().filter(|count| f64::from(**count) >= (GREY_SHARE * pixels).max(1.0)).count();
        let blank = f64::from(dark) >= BLACK_SHARE * pixels || (colours as u64) < u64::from(self.settings.colour_count);
        self.last = Some(picture);
        Some(Look { cut, blank })
    }
}

impl Analyser for ZapTimer {
    fn build(setup: Setup) -> Result<Self, String> {
        let settings: Settings = setup.settings()?;
        Ok(Self { settings, last: None, course: Course::default(), area: Rect::of([0; 4]) })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        self.area = self.settings.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let Some(look) = self.look(frame) else {
            return Some(Verdict::new(frame.stamp(), false, 0.0, "the region lies outside of the frame".into()));
        };
        match self.course.note(frame.stamp(), look, &self.settings)? {
            End::Stable(first) => Some(self.settings.passed(&self.course, first, self.area)),
            End::Late => Some(self.settings.failed(&self.course, self.area)),
        }
    }

    fn finish(&mut self) -> Option<Verdict> {
        (!self.course.told).then(|| self.settings.failed(&self.course, self.area))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(ZapTimer);

#[cfg(test)]
mod tests {
    use super::*;

    const SAME: Look = Look { cut: false, blank: false };
    const CUT: Look = Look { cut: true, blank: false };
    const BLACK: Look = Look { cut: true, blank: true };

    /// Frames each 100 ms, the key at 150 ms, three stable frames, two seconds.
    fn run(looks: &[Look]) -> Option<End> {
        let settings = Settings {
            from_us: 150_000,
            stable_frames: 3,
            change: 0.3,
            tolerance: 24,
            level: 24,
            colour_count: 4,
            timeout_s: 2.0,
            region: None,
        };
        let mut course = Course::default();
        let stamp = |frame: usize| Stamp { frame: frame as u64, at: frame as i64 * 100_000 };
        looks.iter().enumerate().find_map(|(frame, look)| course.note(stamp(frame), *look, &settings))
    }

    fn stable(frame: u64) -> End {
        End::Stable(Stamp { frame, at: frame as i64 * 100_000 })
    }

    #[test]
    fn the_first_of_the_stable_frames_is_the_new_picture() {
        assert_eq!(run(&[SAME, SAME, SAME, BLACK, BLACK, CUT, SAME, SAME]), Some(stable(5)));
        assert_eq!(run(&[SAME, SAME, SAME, CUT, SAME, SAME]), Some(stable(3)), "straight from one picture to the next");
        assert_eq!(run(&[SAME, SAME, CUT, SAME, CUT, SAME, SAME]), Some(stable(4)), "one that does not last is none");
        assert_eq!(run(&[SAME, CUT, SAME, SAME, SAME]), None, "what was before the key is not of it");
        assert_eq!(run(&[SAME; 8]), None);
        assert_eq!(run(&[BLACK; 30]), Some(End::Late));
        assert_eq!(run(&[BLACK, BLACK, BLACK, CUT, SAME, SAME]), Some(stable(3)));
    }
}
