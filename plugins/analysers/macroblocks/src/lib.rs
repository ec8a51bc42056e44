//! Whether there are squares of a broken video stream: even within, and a step away from all that is around them.

use headend_sdk::analyser::{Analyser, Cell, Frame, Rect, Setup, Stamp, Tone, Verdict};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
pub struct Macroblocks {
    sides: Vec<u32>,
    step: u8,
    contrast: u8,
    share: f64,
    region: Option<[u32; 4]>,
}

/// Most squares that are drawn.
const MOST_DRAWN: usize = 64;

/// Broken squares of a grid.
struct Broken {
    side: u32,
    cells: usize,
    places: Vec<(u32, u32)>,
}

impl Broken {
    fn share(&self) -> f64 {
        if self.cells == 0 { 0.0 } else { self.places.len() as f64 / self.cells as f64 }
    }
}

impl Macroblocks {
    /// Of a grid of so many columns. Squares at the edge have nothing around them, and are left out.
    fn broken(&self, cells: &[Cell], (columns, rows): (u32, u32), side: u32) -> Broken {
        let mut places = Vec::new();
        for row in 1..rows.saturating_sub(1) {
            for column in 1..columns.saturating_sub(1) {
                let at = (row * columns + column) as usize;
                let (cell, right, below) = (cells[at], cells[at + 1], cells[at + columns as usize]);
                let weakest = cell.left.min(cell.top).min(right.left).min(below.top);
                let within = u32::from(cell.inside) * u32::from(self.contrast);
                if weakest >= self.step && u32::from(weakest) >= within {
                    places.push((column * side, row * side));
                }
            }
        }
        Broken { side, cells: cells.len(), places }
    }

    fn judge(&self, stamp: Stamp, area: Rect, worst: &Broken) -> Verdict {
        let (share, side) = (worst.share(), worst.side);
        let passed = share >= self.share && !worst.places.is_empty();
        let count = worst.places.len();
        let sentence =
            format!("{count} squares of {side}x{side} pixels are broken: {:.2} % of the part", share * 100.0);
        let mut verdict = Verdict::new(stamp, passed, share, sentence).within(area);
        verdict = verdict.with("share_broken", share).with("squares", count as f64).with("side", f64::from(side));
        for (x, y) in worst.places.iter().take(MOST_DRAWN) {
            let place = Rect { x: area.x + x, y: area.y + y, width: side, height: side };
            verdict = verdict.draw(place, if passed { Tone::Bad } else { Tone::Note }, "");
        }
        verdict
    }
}

impl Analyser for Macroblocks {
    fn build(setup: Setup) -> Result<Self, String> {
        setup.settings()
    }

    fn feed(&mut self, frame: &Frame) -> Option<Verdict> {
        let area = self.region.map_or(Rect::ALL, Rect::of).cut(frame.width(), frame.height());
        let grey = frame.picture().and_then(|picture| picture.grey()).ok()?;
        let grids = self.sides.iter().filter_map(|side| {
            let size = (area.width / side, area.height / side);
            grey.grid(area, *side).ok().map(|cells| self.broken(&cells, size, *side))
        });
        let worst = grids.max_by(|one, other| one.share().total_cmp(&other.share()));
        Some(match worst {
            Some(worst) => self.judge(frame.stamp(), area, &worst),
            None => Verdict::new(frame.stamp(), false, 0.0, "the region lies outside of the frame".into()),
        })
    }
}

#[cfg(target_family = "wasm")]
headend_sdk::export_analyser!(Macroblocks);

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(left: u8, top: u8, inside: u8) -> Cell {
        Cell { left, top, inside }
    }

    /// Three by three, with steps around the one in the middle.
    fn around(left: u8, top: u8, right: u8, below: u8, inside: u8) -> usize {
        let even = cell(0, 0, 0);
        let cells = [even, even, even, even, cell(left, top, inside), cell(right, 0, 0), even, cell(0, below, 0), even];
        let blocks = Macroblocks { sides: vec![8], step: 12, contrast: 3, share: 0.01, region: None };
        blocks.broken(&cells, (3, 3), 8).places.len()
    }

    #[test]
    fn a_square_is_broken_when_it_differs_on_all_sides_and_is_even_within() {
        assert_eq!(around(20, 20, 20, 12, 4), 1);
        assert_eq!(around(20, 20, 20, 11, 0), 0, "open below");
        assert_eq!(around(20, 20, 20, 14, 5), 0, "as rough within as at its edges");
    }
}
