//! Search: what was typed, the keyboard, what was found.

use super::canvas::Canvas;
use super::osd::{GREY, GROOVE, WHITE};
use super::panel::{mark, open};
use super::text::Letters;
use crate::search::{EXTRA, KEYBOARD, SearchPlace, results};

const KEY: i32 = 58;
const LEFT: i32 = 92;
const TOP: i32 = 200;

pub(super) fn draw(canvas: &mut Canvas, lineup: u64, text: &str, place: SearchPlace, at_us: u64) {
    open(canvas, 1_160, "Search", at_us);
    canvas.rect(LEFT, 132, 700, 52, GROOVE);
    canvas.text(LEFT + 14, 142, Letters::Body, WHITE, &format!("{text}_"));
    keyboard(canvas, place);
    let found = results(lineup, text, at_us);
    if found.is_empty() {
        let words = if text.trim().is_empty() { "Type a name" } else { "Nothing found" };
        canvas.text(LEFT, 450, Letters::Body, GREY, words);
    }
    for (line, result) in found.iter().enumerate() {
        let y = 442 + line as i32 * 43;
        let ink = mark(canvas, [80, y, 1_120, 40], place == SearchPlace::Result(line));
        canvas.text(LEFT, y + 3, Letters::Body, ink, &result.words);
    }
}

fn keyboard(canvas: &mut Canvas, place: SearchPlace) {
    for (row, letters) in KEYBOARD.into_iter().enumerate() {
        let y = TOP + row as i32 * KEY;
        for (column, letter) in letters.chars().enumerate() {
            let x = LEFT + column as i32 * KEY;
            key(canvas, [x, y, KEY - 6, KEY - 6], place == SearchPlace::Key { row, column }, &letter.to_string());
        }
    }
    let (row, before) = (KEYBOARD.len() - 1, KEYBOARD[KEYBOARD.len() - 1].len());
    for (extra, label) in EXTRA.into_iter().enumerate() {
        let x = LEFT + before as i32 * KEY + extra as i32 * 124;
        let selected = place == SearchPlace::Key { row, column: before + extra };
        key(canvas, [x, TOP + row as i32 * KEY, 118, KEY - 6], selected, label);
    }
}

fn key(canvas: &mut Canvas, area: [i32; 4], selected: bool, label: &str) {
    let [x, y, width, height] = area;
    canvas.rect(x, y, width, height, GROOVE);
    let ink = mark(canvas, area, selected);
    canvas.text_around(x + width / 2, y + 10, Letters::Body, ink, label);
}
