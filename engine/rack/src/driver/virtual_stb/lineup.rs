//! The channels of a box: numbers, names, colours and programmes, all from its seed.

/// One channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// As typed on the remote control.
    pub number: u16,
    /// As shown in the banner.
    pub name: &'static str,
    /// Background colour.
    pub back: [u8; 3],
    /// Colour of the moving shape.
    pub fore: [u8; 3],
    /// The shape that moves.
    pub shape: Shape,
}

/// What moves on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "plain names")]
pub enum Shape {
    Ball,
    Square,
    Bar,
}

const NAMES: [&str; 12] = [
    "HEADEND ONE",
    "NEWS 24",
    "SPORT ARENA",
    "CINEMA",
    "KIDS PLANET",
    "MUSIC BOX",
    "NATURE",
    "COMEDY",
    "HISTORY",
    "SCIENCE",
    "TRAVEL",
    "SHOPPING",
];

/// Background and foreground: far apart from each other and from their neighbours.
const COLOURS: [([u8; 3], [u8; 3]); 12] = [
    ([24, 64, 160], [250, 220, 60]),
    ([160, 24, 32], [240, 240, 240]),
    ([16, 128, 56], [250, 160, 40]),
    ([72, 24, 112], [120, 230, 230]),
    ([220, 130, 20], [30, 60, 200]),
    ([200, 40, 140], [250, 250, 120]),
    ([40, 96, 72], [230, 120, 90]),
    ([0, 140, 160], [250, 90, 60]),
    ([110, 80, 40], [170, 250, 150]),
    ([52, 60, 72], [90, 200, 250]),
    ([150, 170, 30], [110, 20, 90]),
    ([190, 90, 90], [20, 60, 60]),
];

const PROGRAMMES: [&str; 16] = [
    "MORNING SHOW",
    "THE WEATHER",
    "CITY TALES",
    "THE LONG ROAD",
    "QUIZ TIME",
    "DEEP BLUE",
    "LATE KITCHEN",
    "NIGHT TRAIN",
    "FIRST HALF",
    "WORLD REPORT",
    "OLD FRIENDS",
    "MOUNTAIN LIGHT",
    "TEN SONGS",
    "THE WORKSHOP",
    "LOST ISLAND",
    "GOOD EVENING",
];

/// How many channels a box has.
pub const CHANNELS: usize = NAMES.len();

/// Minutes that each programme lasts.
const PROGRAMME_MS: u64 = 30 * 60_000;

/// The channel at a position of the line-up.
pub fn channel(seed: u64, index: usize) -> Channel {
    let index = index % CHANNELS;
    // Names stay with their numbers, so that a script for one box fits all; looks differ from box to box.
    let look = (index + seed as usize) % CHANNELS;
    let shape = match (index as u64 + seed / 12) % 3 {
        0 => Shape::Ball,
        1 => Shape::Square,
        _ => Shape::Bar,
    };
    let (back, fore) = COLOURS[look];
    Channel { number: index as u16 + 1, name: NAMES[index], back, fore, shape }
}

/// What a channel shows at a time, and `after` programmes later.
pub fn programme(seed: u64, index: usize, now: u64, after: u64) -> &'static str {
    let turn = now / PROGRAMME_MS + after;
    let mixed = (seed ^ (index as u64) << 8).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    PROGRAMMES[((mixed + turn * 5) % PROGRAMMES.len() as u64) as usize]
}

/// How far the running programme has got, 0 to 100 percent.
pub fn progress(now: u64) -> u64 {
    now % PROGRAMME_MS * 100 / PROGRAMME_MS
}
