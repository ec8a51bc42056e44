//! Apps: tiles, pages, the mosaic of channels.

use super::canvas::Canvas;
use super::osd::{GREY, PANEL, WHITE, bar};
use super::panel::{mark, open};
use super::scene::tint;
use super::text::Letters;
use crate::apps::{self, ACROSS, AppPage, LOADING_US, MOSAIC, MOSAIC_ACROSS, MOSAIC_CHANNELS};
use crate::lineup::channel;

pub(super) fn tiles(canvas: &mut Canvas, selected: usize, at_us: u64) {
    open(canvas, 1_160, "Apps", at_us);
    for (place, name) in apps::NAMES.into_iter().enumerate() {
        let (x, y) = (92 + (place % ACROSS) as i32 * 278, 160 + (place / ACROSS) as i32 * 240);
        // The looks of channels do for apps too; their names tell them apart.
        let look = channel(0, place * 3);
        canvas.rect(x, y, 262, 210, tint(look.back, 70));
        canvas.disc(x + 131, y + 80, 44, look.fore);
        canvas.text_around(x + 131, y + 150, Letters::Body, WHITE, name);
        if place == selected {
            canvas.frame(x, y, 262, 210, WHITE);
        }
    }
}

pub(super) fn page(canvas: &mut Canvas, lineup: u64, page: AppPage, at_us: u64) {
    open(canvas, 1_160, apps::name(page.app), at_us);
    let open_us = at_us.saturating_sub(page.since_us);
    if open_us < LOADING_US {
        canvas.text_around(640, 300, Letters::Body, GREY, "Loading");
        bar(canvas, 440, 360, 400, open_us * 1_000 / LOADING_US);
    } else if page.app == MOSAIC {
        mosaic(canvas, lineup, page.selected);
    } else {
        for (line, words) in apps::lines(page.app).into_iter().enumerate() {
            let y = 150 + line as i32 * 76;
            let ink = mark(canvas, [80, y, 1_120, 62], line == page.selected);
            canvas.text(104, y + 14, Letters::Body, ink, words);
        }
    }
}

fn mosaic(canvas: &mut Canvas, lineup: u64, selected: usize) {
    for index in 0..MOSAIC_CHANNELS {
        let (x, y) = (92 + (index % MOSAIC_ACROSS) as i32 * 278, 136 + (index / MOSAIC_ACROSS) as i32 * 176);
        let tuned = channel(lineup, index);
        canvas.rect(x, y, 262, 160, tuned.back);
        canvas.rect(x, y + 112, 262, 48, PANEL);
        canvas.text(x + 14, y + 124, Letters::Small, WHITE, &format!("{} {}", tuned.number, tuned.name));
        if index == selected {
            canvas.frame(x, y, 262, 160, WHITE);
        }
    }
}
