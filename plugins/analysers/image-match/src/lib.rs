//! Whether a stored picture is on the screen.

use headend_sdk::analyser::{Analyser, Comparison, Frame, Picture, Rect, Setup, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    reference: Option<String>,
    percent: f64,
    tolerance: u8,
    #[serde(rename = "where")]
    place: Place,
    excluded: Vec<[u32; 4]>,
    region: Option<[u32; 4]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    SamePlace,
    Anywhere,
}

/// An analyser at work.
pub struct ImageMatch {
    settings: Settings,
    wanted: Picture,
    /// Of `wanted`; none: all of it counts.
    mask: Option<Picture>,
}

impl Settings {
    /// No place with a score below this can have enough pixels alike: those that are may be off by the tolerance, the others by everything.
    fn least(&self) -> f64 {
        let alike = self.percent / 100.0;
        (1.0 - alike * f64::from(self.tolerance) / 255.0 - (1.0 - alike) - 1e-9).max(0.0)
    }

    fn judge(&self, stamp: Stamp, place: Rect, seen: &Comparison) -> Verdict {
        let share = f64::from(seen.within) / f64::from(seen.pixels.max(1));
        let percent = 100.0 * share;
        let passed = percent >= self.percent;
        let tone = if passed { Tone::Good } else { Tone::Bad };
        let at = format!("at {}, {}", place.x, place.y);
        let sentence = if passed {
            format!("it is there, {at}: {percent:.2} % alike")
        } else {
            format!("the nearest to it, {at}, is {percent:.2} % alike; {:.2} % must be", self.percent)
        };
        let verdict = Verdict::new(stamp, passed, share, sentence)
            .within(place)
            .with("percent", percent)
            .with("mean_difference", seen.mean)
            .with("x", f64::from(place.x))
            .with("y", f64::from(place.y))
            .draw(place, tone, "match");
        match seen.changed {
            // In the coordinates of the frame; for people, so not when all is well.
            Some(changed) if !passed => {
                let changed = Rect { x: place.x + changed.x, y: place.y + changed.y, ..changed };
                verdict.draw(changed, Tone::Note, "differs")
            }
            _ => verdict,
        }
    }
}

fn mask(wanted: &Picture, given: Option<Picture>, excluded: &[[u32; 4]]) -> Result<Option<Picture>, String> {
    if excluded.is_empty() {
        return Ok(given);
    }
    let fault = |fault| format!("the excluded parts cannot be used: {fault:?}");
    let all = match given {
        Some(mask) => mask,
        None => Picture::plain(wanted.width(), wanted.height(), 255).map_err(fault)?,
    };
    let parts: Vec<Rect> = excluded.iter().copied().map(Rect::of).collect();
    let mask = all.covered(&parts).map_err(fault)?;
    // Of a mask that hides everything nothing can be said.
    let hidden = wanted.compare(wanted, 0, Some(&mask)).is_err();
    if hidden { Err("the mask and the excluded parts leave nothing of the reference".into()) } else { Ok(Some(mask)) }
}

impl ImageMatch {
    fn compare(&self, stamp: Stamp, picture: &Picture, place: Rect) -> Verdict {
        let missing = || Verdict::new(stamp, false, 0.0, "the reference does not fit into the frame there".into());
        let Ok(there) = picture.crop(place) else { return missing() };
        match there.compare(&self.wanted, self.settings.tolerance, self.mask.as_ref()) {
            Ok(seen) => self.settings.judge(stamp, place, &seen),
            Err(_) => missing(),
        }
    }

    fn same_place(&self, stamp: Stamp, picture: &Picture, region: Rect) -> Verdict {
        let (width, height) = (self.wanted.width(), self.wanted.height());
        let whole = (picture.width(), picture.height()) == (width, height);
        let (x, y) = if whole { (0, 0) } else { (region.x, region.y) };
        self.compare(stamp, picture, Rect { x, y, width, height })
    }

    fn anywhere(&self, stamp: Stamp, picture: &Picture, region: Rect) -> Verdict {
        let least = self.settings.least();
        let found = picture.find(&self.wanted, self.mask.as_ref(), region, least);
        let Ok(Some(found)) = found else {
            let sentence = format!("nothing like it is there: no place has a score of {least:.3}");
            let verdict = Verdict::new(stamp, false, 0.0, sentence);
            return verdict.within(region).draw(region, Tone::Bad, "searched");
        };
        let (width, height) = (self.wanted.width(), self.wanted.height());
        self.compare(stamp, picture, Rect { x: found.x, y: found.y, width, height })
    }
}

impl Analyser for ImageMatch {
    fn build(mut setup: Setup) -> Result<Self, String> {
        let settings: Settings = setup.settings()?;
        let reference = setup.take(settings.reference.as_deref())?;
        let mask = mask(&reference.picture, reference.mask, &settings.excluded)?;
        Ok(Self { settings, wanted: reference.picture, mask })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let region = self.settings.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let picture = frame.picture().ok()?;
        Some(match self.settings.place {
            Place::SamePlace => self.same_place(frame.stamp(), &picture, region),
            Place::Anywhere => self.anywhere(frame.stamp(), &picture, region),
        })
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(ImageMatch);

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(percent: f64, tolerance: u8) -> Settings {
        let place = Place::Anywhere;
        Settings { reference: None, percent, tolerance, place, excluded: vec![], region: None }
    }

    #[test]
    fn the_search_may_not_pass_over_what_would_match() {
        assert!((settings(100.0, 0).least() - 1.0).abs() < 1e-6);
        assert!((settings(95.0, 32).least() - 0.830_78).abs() < 1e-4);
        assert!(settings(0.0, 255).least().abs() < 1e-9 && settings(50.0, 255).least().abs() < 1e-9);
    }

    #[test]
    fn what_differs_is_shown_in_the_frame() {
        let seen =
            |within| Comparison { pixels: 1_000, within, mean: 3.0, most: 90, changed: Some(Rect::of([1, 2, 3, 4])) };
        let place = Rect::of([100, 50, 40, 25]);
        let miss = settings(95.0, 32).judge(Stamp::default(), place, &seen(949));
        assert!(!miss.passed && miss.sentence.contains("94.90 % alike"), "{}", miss.sentence);
        assert_eq!(miss.overlay[1].area, Rect::of([101, 52, 3, 4]));
        let hit = settings(95.0, 32).judge(Stamp::default(), place, &seen(950));
        assert!(hit.passed && hit.overlay.len() == 1);
    }
}
