//! Damaged blocks, as a decoder makes them from a broken stream.

use super::canvas::{Canvas, Colour, HEIGHT, WIDTH};
use crate::FRAME_US;
use crate::chance::{Stream, throw};

/// Side of a block on a screen of 720 rows: two by two macroblocks of 16 pixels.
const SIDE: i32 = 32;
/// Pictures that damage stays the same for.
const STAYS: u64 = 3;
const COLOURS: [Colour; 4] = [[40, 200, 60], [220, 60, 200], [128, 128, 128], [16, 16, 16]];

/// One block of twelve is one that belongs elsewhere, or flat.
pub(super) fn blocks(canvas: &mut Canvas, seed: u64, at_us: u64) {
    let turn = (at_us / (FRAME_US * STAYS)) << 12;
    let (across, down) = (WIDTH / SIDE, HEIGHT.div_euclid(SIDE));
    for block in 0..across * down {
        let thrown = throw(seed, Stream::Blocks, turn + block as u64);
        if !thrown.is_multiple_of(12) {
            continue;
        }
        let to = (block % across * SIDE, block / across * SIDE);
        if (thrown >> 8).is_multiple_of(4) {
            canvas.rect(to.0, to.1, SIDE, SIDE, COLOURS[(thrown >> 16) as usize % 4]);
        } else {
            let from = |shift: u32, of: i32| ((thrown >> shift) % of as u64) as i32 * SIDE;
            canvas.copy((from(16, across), from(32, down)), to, SIDE, SIDE);
        }
    }
}
