//! The channels: numbers, names, looks and tones.

/// One channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// As typed on the remote control, from 1.
    pub number: u16,
    /// As shown in the banner.
    pub name: &'static str,
    /// Colour of most of its picture: red, green, blue.
    pub back: [u8; 3],
    /// Colour of its logo, and of what moves.
    pub fore: [u8; 3],
    /// Tone of the left side, in hertz.
    pub left_hz: u32,
    /// Tone of the right side, in hertz; no channel has another's.
    pub right_hz: u32,
    pub(crate) style: Style,
}

/// What is to be seen on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// A ball that flies to and fro.
    Ball,
    /// Upright stripes that run to the left.
    Stripes,
    /// A wall of bands that run down.
    Bands,
    /// A chequerboard that runs aslant.
    Chequers,
    /// Stars that fly past.
    Stars,
    /// Rings that grow.
    Rings,
    /// Colour bars with a flash and a beep at each full second, for picture and sound side by side.
    TestCard,
}

/// How many channels there are.
pub const CHANNELS: usize = NAMES.len();

const NAMES: [&str; 24] = [
    "Headend One",
    "News 24",
    "Sport Arena",
    "Cinema Gold",
    "Kids Planet",
    "Music Box",
    "Nature World",
    "Comedy Lane",
    "History Plus",
    "Science Lab",
    "Travel Guide",
    "Shop Street",
    "Drama House",
    "Food Kitchen",
    "Motor Zone",
    "Crime Files",
    "Art Gallery",
    "Garden Life",
    "Ocean Blue",
    "Retro Hits",
    "City Local",
    "Weather Now",
    "Quiz Night",
    "Test Card",
];

/// The channel at a position of the line-up, from 0; behind the last comes the first.
pub fn channel(lineup: u64, index: usize) -> Channel {
    let index = index % CHANNELS;
    let place = index as u32;
    // Hues of neighbours are far apart, and three strengths tell those of similar hue from each other.
    let hue = (place * 105 + (lineup % 24) as u32 * 15) % 360;
    let (saturation, value) = [(190, 170), (150, 120), (225, 205)][index % 3];
    Channel {
        number: index as u16 + 1,
        name: NAMES[index],
        back: hsv(hue, saturation, value),
        fore: hsv((hue + 180) % 360, 110, 250),
        left_hz: 400 + 50 * place,
        right_hz: 1_600 + 50 * place,
        style: style(index),
    }
}

fn style(index: usize) -> Style {
    const STYLES: [Style; 6] = [Style::Ball, Style::Stripes, Style::Bands, Style::Chequers, Style::Stars, Style::Rings];
    if index == CHANNELS - 1 { Style::TestCard } else { STYLES[index % STYLES.len()] }
}

/// The position of a number, as typed.
pub(crate) fn position(number: u32) -> Option<usize> {
    (number as usize).checked_sub(1).filter(|index| *index < CHANNELS)
}

/// From hue (degrees), saturation and value (0 to 255), in whole numbers.
fn hsv(hue: u32, saturation: u32, value: u32) -> [u8; 3] {
    let low = value * (255 - saturation) / 255;
    let part = (hue % 60) * (value - low) / 60;
    let (up, down) = (low + part, value - part);
    let [red, green, blue] = match hue / 60 {
        0 => [value, up, low],
        1 => [down, value, low],
        2 => [low, value, up],
        3 => [low, down, value],
        4 => [up, low, value],
        _ => [value, low, down],
    };
    [red as u8, green as u8, blue as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_channel_looks_or_sounds_like_another() {
        let all: Vec<Channel> = (0..CHANNELS).map(|index| channel(0, index)).collect();
        for (place, one) in all.iter().enumerate() {
            for other in &all[place + 1..] {
                let apart: i32 =
                    one.back.iter().zip(other.back).map(|(a, b)| (i32::from(*a) - i32::from(b)).abs()).sum();
                assert!(apart > 30, "{} and {}: {:?} {:?}", one.name, other.name, one.back, other.back);
                assert!(one.left_hz != other.left_hz && one.right_hz != other.right_hz);
                assert!(one.left_hz != other.right_hz && one.name != other.name);
            }
        }
        assert_eq!(channel(0, 24), channel(0, 0));
        assert_ne!(channel(1, 0).back, channel(0, 0).back);
    }
}
