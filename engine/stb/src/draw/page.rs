//! Pages of text: about the box, help, teletext.

use super::canvas::{Canvas, Colour, HEIGHT, WIDTH};
use super::osd::{BLACK, WHITE};
use super::panel::open;
use super::text::Letters;
use crate::options::Options;
use crate::programme::clock;
use crate::state::{Page, State};

const HELP: [&str; 6] = [
    "Guide opens the programme guide",
    "Menu opens the main menu",
    "Record records what you watch",
    "List shows your recordings",
    "Search finds channels and programmes",
    "Digits or Channel+ change the channel",
];

const TELETEXT: [(&str, Colour); 7] = [
    ("101 Headlines", [80, 230, 80]),
    ("102 City council votes on new bridge", WHITE),
    ("103 Rain expected in the north", WHITE),
    ("104 Museum opens its doors again", WHITE),
    ("200 Sport", [80, 230, 80]),
    ("201 Home team wins after extra time", WHITE),
    ("202 Marathon: record on wet roads", WHITE),
];

pub(super) fn draw(canvas: &mut Canvas, options: &Options, page: Page, state: &State, at_us: u64) {
    match page {
        Page::About => {
            let lines = [
                "Headend virtual box".to_owned(),
                format!("Serial number {:06}", options.seed),
                concat!("Software ", env!("CARGO_PKG_VERSION")).to_owned(),
                format!("Picture {}", state.settings.value(0)),
                format!("Keys pressed {}", state.keys),
            ];
            open(canvas, 1_000, "About", at_us);
            text(canvas, &lines.each_ref().map(String::as_str));
        }
        Page::Help => {
            open(canvas, 1_000, "Help", at_us);
            text(canvas, &HELP);
        }
        Page::Teletext => teletext(canvas, at_us),
    }
}

fn text(canvas: &mut Canvas, lines: &[&str]) {
    for (line, words) in lines.iter().enumerate() {
        canvas.text(104, 160 + line as i32 * 64, Letters::Body, WHITE, words);
    }
}

fn teletext(canvas: &mut Canvas, at_us: u64) {
    canvas.rect(0, 0, WIDTH, HEIGHT, BLACK);
    canvas.rect(0, 40, WIDTH, 64, [0, 40, 160]);
    canvas.text(80, 52, Letters::Title, [240, 240, 60], "P100 Teletext");
    canvas.text_before(WIDTH - 80, 56, Letters::Body, WHITE, &clock(at_us));
    for (line, (words, ink)) in TELETEXT.into_iter().enumerate() {
        canvas.text(80, 150 + line as i32 * 64, Letters::Body, ink, words);
    }
}
