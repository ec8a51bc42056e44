//! Every primitive against a slow twin that works pixel by pixel.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use headend_media::{Cell, Colour, Comparison, Fault, Picture, Rect, Statistics};
use proptest::prelude::*;

fn picture(channels: usize, wide: u32, high: u32) -> impl Strategy<Value = Picture> {
    (1..=wide, 1..=high, 0_u8..4).prop_flat_map(move |(width, height, noise)| {
        let count = width as usize * height as usize * channels;
        // Few values and many: pictures that look alike are where searches go wrong.
        let most = [3_u8, 17, 120, 255][usize::from(noise)];
        proptest::collection::vec(0..=most, count).prop_map(move |data| make(channels, width, height, data))
    })
}

fn make(channels: usize, width: u32, height: u32, data: Vec<u8>) -> Picture {
    if channels == 1 { Picture::of_grey(width, height, data) } else { Picture::colour(width, height, data) }.unwrap()
}

fn any_picture() -> impl Strategy<Value = Picture> {
    prop_oneof![picture(3, 40, 30), picture(1, 40, 30), picture(3, 1_100, 2), picture(1, 2, 700)]
}

fn rect() -> impl Strategy<Value = Rect> {
    let edge = || prop_oneof![0_u32..50, Just(u32::MAX)];
    (0_u32..40, 0_u32..40, edge(), edge()).prop_map(|(x, y, width, height)| Rect { x, y, width, height })
}

fn pixels(picture: &Picture, area: Rect) -> Vec<[u8; 3]> {
    let area = area.within(picture.width(), picture.height());
    let mut found = Vec::new();
    for y in area.y..area.y + area.height {
        for x in area.x as usize..(area.x + area.width) as usize {
            let row = picture.row(y);
            found.push(if picture.is_grey() { [row[x]; 3] } else { [row[3 * x], row[3 * x + 1], row[3 * x + 2]] });
        }
    }
    found
}

fn statistics(picture: &Picture, area: Rect) -> Option<Statistics> {
    let pixels = pixels(picture, area);
    let count = pixels.len() as f64;
    let channel = |c: usize| pixels.iter().map(move |pixel| f64::from(pixel[c]));
    let mean = [0, 1, 2].map(|c| channel(c).sum::<f64>() / count);
    let deviation = [0, 1, 2].map(|c| (channel(c).map(|v| (v - mean[c]).powi(2)).sum::<f64>() / count).sqrt());
    let least = |c: usize| pixels.iter().map(|pixel| pixel[c]).min();
    let most = |c: usize| pixels.iter().map(|pixel| pixel[c]).max();
    Some(Statistics {
        pixels: pixels.len() as u32,
        mean,
        deviation,
        least: [least(0)?, least(1)?, least(2)?].into(),
        most: [most(0)?, most(1)?, most(2)?].into(),
    })
}

fn compare(one: &Picture, other: &Picture, tolerance: u8, mask: Option<&Picture>) -> Option<Comparison> {
    let channels = if one.is_grey() { 1 } else { 3 };
    let (mut counted, mut within, mut sum, mut most, mut over) = (0, 0, 0_u64, 0, Vec::new());
    for y in 0..one.height() {
        for x in 0..one.width() {
            let at = Rect { x, y, width: 1, height: 1 };
            if mask.is_some_and(|mask| mask.read(at)[0] == 0) {
                continue;
            }
            let pairs = one.read(at).into_iter().zip(other.read(at));
            let differences: Vec<u8> = pairs.map(|(one, other)| one.abs_diff(other)).collect();
            let largest = *differences.iter().max().unwrap();
            counted += 1;
            within += u32::from(largest <= tolerance);
            sum += differences.iter().map(|d| u64::from(*d)).sum::<u64>();
            most = most.max(largest);
            if largest > tolerance {
                over.push((x, y));
            }
        }
    }
    let changed = over.first().map(|_| {
        let (xs, ys): (Vec<u32>, Vec<u32>) = over.iter().copied().unzip();
        let (x, y) = (*xs.iter().min().unwrap(), *ys.iter().min().unwrap());
        Rect { x, y, width: xs.iter().max().unwrap() - x + 1, height: ys.iter().max().unwrap() - y + 1 }
    });
    let mean = sum as f64 / (f64::from(counted) * f64::from(channels));
    (counted > 0).then_some(Comparison { pixels: counted, within, mean, most, changed })
}

/// `None`: too small for it.
fn sharpness(grey: &Picture) -> Option<f64> {
    let at = |x: u32, y: u32| f64::from(grey.row(y)[x as usize]);
    let mut values = Vec::new();
    for y in 1..grey.height().saturating_sub(1) {
        for x in 1..grey.width().saturating_sub(1) {
            values.push(4.0 * at(x, y) - at(x - 1, y) - at(x + 1, y) - at(x, y - 1) - at(x, y + 1));
        }
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (!values.is_empty()).then(|| values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

fn grid(grey: &Picture, side: u32) -> Vec<Cell> {
    let at = |x: u32, y: u32| i32::from(grey.row(y)[x as usize]);
    let step = |one: (u32, u32), other: (u32, u32)| f64::from((at(one.0, one.1) - at(other.0, other.1)).abs());
    let mean = |steps: Vec<f64>| (steps.iter().sum::<f64>() / steps.len().max(1) as f64 + 0.5).floor() as u8;
    let mut cells = Vec::new();
    for top in (0..grey.height() / side).map(|row| row * side) {
        for left in (0..grey.width() / side).map(|column| column * side) {
            let (columns, rows) = (left..left + side, top..top + side);
            let across = columns.clone().skip(1).flat_map(|x| rows.clone().map(move |y| ((x - 1, y), (x, y))));
            let down = rows.clone().skip(1).flat_map(|y| columns.clone().map(move |x| ((x, y - 1), (x, y))));
            let inside = across.chain(down).map(|(one, other)| step(one, other)).collect();
            let into_left = rows.clone().filter(|_| left > 0).map(|y| step((left - 1, y), (left, y))).collect();
            let into_top = columns.filter(|_| top > 0).map(|x| step((x, top - 1), (x, top))).collect();
            cells.push(Cell { left: mean(into_left), top: mean(into_top), inside: mean(inside) });
        }
    }
    cells
}

/// Every place, every pixel.
fn find(image: &Picture, what: &Picture, mask: Option<&Picture>, area: Rect) -> Option<(f64, u32, u32)> {
    let area = area.within(image.width(), image.height());
    let mut best: Option<(u64, u32, u32)> = None;
    let mask = mask.map(|mask| mask.read(mask.bounds()));
    let counted = |at: usize| mask.as_ref().is_none_or(|mask| mask[at] != 0);
    let wanted = what.read(what.bounds());
    let channels = if what.is_grey() { 1 } else { 3 };
    let samples = (0..what.bounds().pixels() as usize).filter(|at| counted(*at)).count() * channels;
    for y in area.y..(area.y + area.height + 1).saturating_sub(what.height()) {
        for x in area.x..(area.x + area.width + 1).saturating_sub(what.width()) {
            let here = image.read(Rect { x, y, ..what.bounds() });
            let bytes = here.iter().zip(&wanted).enumerate().filter(|(at, _)| counted(at / channels));
            let sum = bytes.map(|(_, (one, other))| u64::from(one.abs_diff(*other))).sum();
            if best.is_none_or(|best| (sum, y, x) < best) {
                best = Some((sum, y, x));
            }
        }
    }
    best.map(|(sum, y, x)| (1.0 - sum as f64 / (samples as f64 * 255.0), x, y))
}

fn never() -> bool {
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn statistics_are_those_of_the_pixels(picture in any_picture(), area in rect()) {
        match (picture.statistics(area), statistics(&picture, area)) {
            (Ok(fast), Some(slow)) => {
                prop_assert_eq!((fast.pixels, fast.least, fast.most), (slow.pixels, slow.least, slow.most));
                for c in 0..3 {
                    prop_assert!((fast.mean[c] - slow.mean[c]).abs() < 1e-6);
                    prop_assert!((fast.deviation[c] - slow.deviation[c]).abs() < 1e-5);
                }
            }
            (fast, slow) => prop_assert!(fast == Err(Fault::Empty) && slow.is_none()),
        }
    }

    #[test]
    fn near_counts_what_is_near(
        picture in any_picture(), area in rect(), colour in any::<[u8; 3]>(), tolerance in any::<[u8; 3]>(),
    ) {
        let near = |pixel: &&[u8; 3]| {
            let channels = if picture.is_grey() { 1 } else { 3 };
            (0..channels).all(|c| pixel[c].abs_diff(colour[c]) <= tolerance[c])
        };
        let slow = pixels(&picture, area).iter().filter(near).count() as u32;
        prop_assert_eq!(picture.near(area, colour.into(), tolerance.into()), slow);
    }

    #[test]
    fn luma_and_histogram_count_every_pixel(picture in any_picture(), area in rect()) {
        let luma = |pixel: &[u8; 3]| if picture.is_grey() { pixel[0] } else { Colour::from(*pixel).luma() };
        let slow: Vec<u8> = pixels(&picture, area).iter().map(luma).collect();
        prop_assert_eq!(picture.grey().read(area), slow.clone());
        let fast = picture.histogram(area);
        for value in 0..=255_u8 {
            let count = slow.iter().map(|v| usize::from(*v == value)).sum::<usize>();
            prop_assert_eq!(fast[usize::from(value)] as usize, count);
        }
    }

    #[test]
    fn sums_are_those_of_the_pixels(picture in any_picture(), areas in proptest::collection::vec(rect(), 1..5)) {
        let sums = picture.sums();
        for area in areas {
            let grey = picture.grey().read(area);
            prop_assert_eq!(sums.sum(area), grey.iter().map(|v| u64::from(*v)).sum::<u64>());
            prop_assert_eq!(sums.square_sum(area), grey.iter().map(|v| u64::from(*v) * u64::from(*v)).sum::<u64>());
        }
    }

    #[test]
    fn sharpness_is_the_variance_of_the_laplacian(picture in any_picture(), area in rect()) {
        let slow = picture.grey().crop(area).ok().and_then(|part| sharpness(&part));
        match (picture.sharpness(area), slow) {
            (Ok(fast), Some(slow)) => prop_assert!((fast - slow).abs() <= 1e-9 * slow.max(1.0), "{fast} {slow}"),
            (fast, slow) => prop_assert!(fast == Err(Fault::Empty) && slow.is_none()),
        }
    }

    #[test]
    fn grids_step_where_the_pixels_do(picture in any_picture(), area in rect(), side in 2_u32..20) {
        match (picture.grid(area, side), picture.grey().crop(area)) {
            (Ok(fast), Ok(part)) => prop_assert_eq!(fast, grid(&part, side)),
            (fast, part) => prop_assert!(fast == Err(Fault::Empty) && part.is_err()),
        }
    }

    #[test]
    fn comparisons_see_every_pixel(
        (one, other, mask) in prop_oneof![Just((3_usize, 30_u32, 300_u32)), Just((1, 30, 300)), Just((3, 700, 3))].prop_flat_map(
            |(channels, width, height)| (1..=width, 1..=height).prop_flat_map(move |(width, height)| {
                let count = (width * height) as usize;
                let data = || proptest::collection::vec(any::<u8>(), count * channels);
                let mask = proptest::option::of(proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], count));
                (data(), data(), mask).prop_map(move |(one, mut other, mask)| {
                    // Mostly alike.
                    other.iter_mut().zip(&one).enumerate().filter(|(at, _)| at % 7 != 0).for_each(|(_, (o, w))| *o = *w);
                    let mask = mask.map(|mask| make(1, width, height, mask));
                    (make(channels, width, height, one), make(channels, width, height, other), mask)
                })
            })
        ),
        tolerance in 0_u8..=255,
    ) {
        let fast = one.compare(&other, tolerance, mask.as_ref());
        match (fast, compare(&one, &other, tolerance, mask.as_ref())) {
            (Ok(fast), Some(slow)) => {
                prop_assert!((fast.mean - slow.mean).abs() < 1e-9);
                prop_assert_eq!(Comparison { mean: 0.0, ..fast }, Comparison { mean: 0.0, ..slow });
            }
            (fast, slow) => prop_assert!(fast == Err(Fault::Empty) && slow.is_none()),
        }
        let difference = one.difference(&other).unwrap();
        let bytes = one.read(one.bounds()).into_iter().zip(other.read(other.bounds()));
        prop_assert_eq!(difference.read(difference.bounds()), bytes.map(|(a, b)| a.abs_diff(b)).collect::<Vec<_>>());
    }

    #[test]
    fn scaling_keeps_what_is_even_and_the_mean(picture in picture(3, 30, 30), width in 1_u32..60, height in 1_u32..60) {
        let scaled = picture.scale(width, height).unwrap();
        prop_assert_eq!((scaled.width(), scaled.height()), (width, height));
        let (old, new) = (picture.statistics(picture.bounds()).unwrap(), scaled.statistics(scaled.bounds()).unwrap());
        for c in 0..3 {
            prop_assert!((old.mean[c] - new.mean[c]).abs() <= 0.5 + 1e-9, "{} became {}", old.mean[c], new.mean[c]);
        }
        prop_assert!(new.least.red >= old.least.red && new.most.red <= old.most.red);
    }

    #[test]
    fn find_is_a_search_of_everything(
        image in prop_oneof![picture(3, 26, 22), picture(1, 26, 22)],
        at in any::<(u8, u8)>(), size in (1_u32..14, 1_u32..14), noise in 0_u8..4, area in rect(), least in 0.0_f64..=1.0,
        holes in proptest::option::of(proptest::collection::vec(0_u8..4, 14 * 14)),
    ) {
        let corner = (u32::from(at.0) % image.width(), u32::from(at.1) % image.height());
        let part = image.crop(Rect { x: corner.0, y: corner.1, width: size.0, height: size.1 }).unwrap();
        let data = part.read(part.bounds()).iter().enumerate().map(|(n, v)| v.saturating_add(noise * (n % 3) as u8)).collect();
        let channels = if image.is_grey() { 1 } else { 3 };
        let what = make(channels, part.width(), part.height(), data);
        let mask = holes.map(|holes| {
            let data = holes[..part.bounds().pixels() as usize].to_vec();
            make(1, part.width(), part.height(), data)
        });
        if mask.as_ref().is_some_and(|mask| mask.read(mask.bounds()).iter().all(|v| *v == 0)) {
            prop_assert_eq!(image.find(&what, mask.as_ref(), area, least, &never), Err(Fault::Empty));
            return Ok(());
        }
        let slow = find(&image, &what, mask.as_ref(), area);
        for least in [0.0, least, 1.0] {
            let fast = image.find(&what, mask.as_ref(), area, least, &never).unwrap();
            let expected = slow.filter(|(score, ..)| *score >= least);
            prop_assert_eq!(fast.map(|f| (f.score, f.x, f.y)), expected);
        }
    }
}

/// Red and green add up to the same everywhere: what differs is not seen in the sum of the channels.
fn balance(data: &mut [u8]) {
    data.chunks_exact_mut(3).for_each(|pixel| pixel[1] = 255 - pixel[0]);
}

/// A picture with what is looked for nearly on it, several times, and perhaps itself.
fn decoys() -> impl Strategy<Value = (Picture, Picture, Option<Picture>)> {
    let size = (16_u32..44, 9_u32..30, prop_oneof![Just(1_usize), Just(3)]);
    size.prop_flat_map(|(width, height, channels)| {
        let pixels = (width * height) as usize;
        let most = prop_oneof![Just(20_u8), Just(255)];
        let what = most.prop_flat_map(move |most| proptest::collection::vec(0..=most, pixels * channels));
        let background = proptest::collection::vec(0_u8..=255, 24);
        let places = proptest::collection::vec((0..=80 - width, 0..=60 - height, 0_u8..5, 1_usize..40), 0..4);
        let holes = proptest::option::of(proptest::collection::vec(prop_oneof![1 => Just(0_u8), 9 => Just(1)], pixels));
        (what, background, places, holes, any::<bool>()).prop_map(
            move |(mut what, background, places, holes, balanced)| {
                let length = 80 * channels;
                let mut image: Vec<u8> = (0..length * 60).map(|at| background[at / 7 % 5 + at / length / 4]).collect();
                if balanced && channels == 3 {
                    balance(&mut what);
                    balance(&mut image);
                }
                for (left, top, off, each) in places {
                    for (at, value) in what.iter().enumerate() {
                        let (row, column) = (at / (width as usize * channels), at % (width as usize * channels));
                        let off = if at % each == 0 { off } else { 0 };
                        image[(top as usize + row) * length + left as usize * channels + column] =
                            value.saturating_add(off);
                    }
                }
                let holes = holes.map(|mut holes| {
                    holes[0] = 1;
                    make(1, width, height, holes)
                });
                (make(channels, 80, 60, image), make(channels, width, height, what), holes)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_nearly_it_is_not_taken_for_it((image, what, mask) in decoys(), least in 0.6_f64..1.0) {
        let slow = find(&image, &what, mask.as_ref(), image.bounds());
        for least in [0.0, least, slow.map_or(1.0, |(score, ..)| score), 1.0] {
            let fast = image.find(&what, mask.as_ref(), image.bounds(), least, &never).unwrap();
            let expected = slow.filter(|(score, ..)| *score >= least);
            prop_assert_eq!(fast.map(|f| (f.score, f.x, f.y)), expected);
        }
    }
}

#[test]
fn pictures_of_a_wrong_size_are_refused() {
    assert_eq!(Picture::colour(0, 1, vec![]), Err(Fault::Empty));
    assert_eq!(Picture::colour(2, 1, vec![0; 5]), Err(Fault::Misfit));
    assert_eq!(Picture::of_grey(4097, 1, vec![0; 4097]), Err(Fault::TooLarge));
    let one = make(3, 1, 1, vec![1, 2, 3]);
    assert_eq!(one.crop(Rect { x: 1, y: 0, width: 9, height: 9 }), Err(Fault::Empty));
    assert_eq!(one.scale(0, 5), Err(Fault::Empty));
    assert_eq!(one.scale(5, 4097), Err(Fault::TooLarge));
    assert_eq!(one.scale(2, 2).unwrap().read(Rect::of_size(9, 9)), [1, 2, 3].repeat(4));
    assert_eq!(one.difference(&one.grey()), Err(Fault::Misfit));
    assert_eq!(one.compare(&make(3, 2, 1, vec![0; 6]), 0, None), Err(Fault::Misfit));
    assert_eq!(one.find(&one.grey(), None, one.bounds(), 0.0, &never), Err(Fault::Misfit));
    assert_eq!(one.find(&make(3, 2, 1, vec![0; 6]), None, one.bounds(), 0.0, &never), Ok(None));
    assert_eq!(one.find(&one, None, one.bounds(), f64::NAN, &never), Ok(None));
    assert_eq!(one.find(&one, None, one.bounds(), 0.0, &|| true), Err(Fault::Stopped));
    assert_eq!(one.sharpness(one.bounds()), Err(Fault::Empty));
    assert_eq!((one.grid(one.bounds(), 1), one.grid(one.bounds(), 65)), (Err(Fault::Empty), Err(Fault::TooLarge)));
    assert_eq!(one.grid(one.bounds(), 2), Ok(vec![]));
    let large = make(1, 4096, 4096, vec![255; 4096 * 4096]);
    assert_eq!(large.grid(large.bounds(), 8), Err(Fault::TooLarge));
    let checks = make(1, 4096, 4096, (0..4096 * 4096).map(|n| if (n / 4096 + n) % 2 == 0 { 255 } else { 0 }).collect());
    assert!((checks.sharpness(checks.bounds()).unwrap() - 1_040_400.0).abs() < 1.0, "the largest that there is");
    assert_eq!(large.sums().sum(large.bounds()), 4096 * 4096 * 255);
    assert!(large.statistics(large.bounds()).unwrap().deviation.iter().all(|channel| channel.abs() < f64::EPSILON));
}

/// Differences of so many pixels need more than 31 bits.
#[test]
fn the_largest_are_found_too() {
    let mut value = 1_u32;
    let data = std::iter::repeat_with(|| {
        value = value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (value >> 24) as u8
    });
    let image = make(3, 2_004, 1_500, data.take(2_004 * 1_500 * 3).collect());
    let part = image.crop(Rect { x: 3, y: 0, width: 2_000, height: 1_500 }).unwrap();
    for (wanted, x) in [(&part, 3), (&make(3, 2_000, 1_500, vec![255; 2_000 * 1_500 * 3]), 0)] {
        let found = image.find(wanted, None, image.bounds(), 0.0, &never).unwrap().unwrap();
        let best = (0..=4).map(|x| image.crop(Rect { x, y: 0, ..part.bounds() }).unwrap().compare(wanted, 0, None));
        let best: Vec<f64> = best.map(|seen| seen.unwrap().mean).collect();
        let least = best.iter().copied().fold(f64::MAX, f64::min);
        let at = best.iter().position(|mean| mean.total_cmp(&least).is_eq()).unwrap();
        assert_eq!(found.x, at as u32);
        assert!(x == 0 || found.x == x);
    }
}

/// All places are alike: the topmost and leftmost is known to be the best without looking at the others.
#[test]
fn what_is_even_is_found_at_once_where_all_is_even() {
    let (even, what) = (make(3, 640, 360, vec![40; 640 * 360 * 3]), make(3, 32, 18, vec![40; 32 * 18 * 3]));
    for (mask, least) in [(None, 1.0), (Some(make(1, 32, 18, (0..32 * 18).map(|at| u8::from(at > 99)).collect())), 0.4)]
    {
        let asked = std::cell::Cell::new(0);
        let count = || {
            asked.set(asked.get() + 1);
            false
        };
        let found = even.find(&what, mask.as_ref(), even.bounds(), least, &count).unwrap().unwrap();
        assert_eq!((found.x, found.y), (0, 0));
        assert!(asked.get() < 300, "looked {} times", asked.get());
    }
}
