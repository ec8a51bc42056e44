//! Where an icon is on the screen, and which of several it is.

use headend_sdk::analyser::{Analyser, Frame, Picture, Rect, Reference, Setup, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    percent: f64,
    reference: Option<String>,
    region: Option<[u32; 4]>,
}

/// An analyser at work.
pub struct IconSearch {
    settings: Settings,
    icons: Vec<Reference>,
}

/// The best place of an icon.
struct Place {
    icon: usize,
    area: Rect,
    score: f64,
}

impl Settings {
    fn judge(&self, stamp: Stamp, region: Rect, names: &[&str], best: Option<&Place>) -> Verdict {
        let Some(Place { icon, area, score }) = best else {
            let sentence = format!("none of {} is there: no place is {:.1} % alike", listed(names), self.percent);
            let verdict = Verdict::new(stamp, false, 0.0, sentence).within(region);
            return verdict.with("score", 0.0).draw(region, Tone::Bad, "searched");
        };
        let name = names.get(*icon).copied().unwrap_or_default();
        let sentence = format!("{name} is there, at {}, {}: {:.2} % alike", area.x, area.y, score * 100.0);
        Verdict::new(stamp, true, *score, sentence)
            .within(*area)
            .with("score", *score)
            .with("x", f64::from(area.x))
            .with("y", f64::from(area.y))
            .with("icon", *icon as f64)
            .draw(*area, Tone::Good, name)
    }
}

fn listed(names: &[&str]) -> String {
    names.join(", ").chars().take(100).collect()
}

impl IconSearch {
    /// Each search must be better than the best before, and is the faster for it. The first of equals wins.
    fn best(&self, picture: &Picture, region: Rect) -> Option<Place> {
        let mut best: Option<Place> = None;
        for (number, icon) in self.icons.iter().enumerate() {
            let least = best.as_ref().map_or(self.settings.percent / 100.0, |best| best.score);
            let Ok(Some(found)) = picture.find(&icon.picture, icon.mask.as_ref(), region, least) else { continue };
            if best.as_ref().is_none_or(|best| found.score > best.score) {
                let (width, height) = (icon.picture.width(), icon.picture.height());
                let area = Rect { x: found.x, y: found.y, width, height };
                best = Some(Place { icon: number, area, score: found.score });
            }
        }
        best
    }
}

impl Analyser for IconSearch {
    fn build(mut setup: Setup) -> Result<Self, String> {
        let settings: Settings = setup.settings()?;
        let icons = match &settings.reference {
            Some(name) => vec![setup.take(Some(name))?],
            None if setup.references.is_empty() => {
                return Err("at least one reference is needed: the icon that is looked for".into());
            }
            None => setup.references,
        };
        Ok(Self { settings, icons })
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let region = self.settings.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let picture = frame.picture().ok()?;
        let names: Vec<&str> = self.icons.iter().map(|icon| icon.name.as_str()).collect();
        let best = self.best(&picture, region);
        Some(self.settings.judge(frame.stamp(), region, &names, best.as_ref()))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(IconSearch);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_which_and_where() {
        let settings = Settings { percent: 90.0, reference: None, region: None };
        let place = Place { icon: 1, area: Rect::of([4, 5, 6, 7]), score: 0.95 };
        let found = settings.judge(Stamp::default(), Rect::ALL, &["play", "stop"], Some(&place));
        assert!(found.passed && found.sentence.starts_with("stop is there, at 4, 5"), "{}", found.sentence);
        let missing = settings.judge(Stamp::default(), Rect::ALL, &["play", "stop"], None);
        assert!(!missing.passed && missing.sentence.contains("none of play, stop"), "{}", missing.sentence);
    }
}
