//! Whether the picture is black: how many of its pixels are no brighter than a level.

use headend_sdk::analyser::{Analyser, Colour, Frame, Rect, Setup, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
pub struct Black {
    level: u8,
    share: f64,
    region: Option<[u32; 4]>,
}

impl Black {
    fn judge(&self, stamp: Stamp, area: Rect, black: u32) -> Verdict {
        let pixels = area.pixels();
        if pixels == 0 {
            return Verdict::new(stamp, false, 0.0, "the region lies outside of the frame".into());
        }
        let share = f64::from(black) / pixels as f64;
        let passed = share >= self.share;
        let sentence = format!("{:.1} % of it is black, {:.1} % must be", share * 100.0, self.share * 100.0);
        let tone = if passed { Tone::Good } else { Tone::Bad };
        Verdict::new(stamp, passed, share, sentence).within(area).with("share_black", share).draw(area, tone, "black")
    }
}

impl Analyser for Black {
    fn build(setup: Setup) -> Result<Self, String> {
        setup.settings()
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let area = self.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let grey = frame.picture().and_then(|picture| picture.grey()).ok()?;
        let black = grey.near(area, Colour::of([0; 3]), Colour::of([self.level; 3]));
        Some(self.judge(frame.stamp(), area, black))
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Black);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_decides() {
        let black = Black { level: 24, share: 0.5, region: None };
        let area = Rect::of([0, 0, 10, 10]);
        let judge = |count| black.judge(Stamp::default(), area, count);
        assert!(judge(50).passed && !judge(49).passed);
        assert!(!black.judge(Stamp::default(), Rect::of([0; 4]), 0).passed, "nothing is not black");
    }
}
