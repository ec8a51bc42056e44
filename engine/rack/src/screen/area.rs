//! Rectangles `[x, y, width, height]` in pixels.

use super::Size;

pub(super) type Area = [u32; 4];

/// The rectangle of a screen of the size `design` on one of the size `actual`; as it is if either is not known.
pub(super) fn scaled(area: Area, design: Option<Size>, actual: Option<Size>) -> Area {
    let Some((design, actual)) = design.zip(actual).filter(|(design, actual)| design != actual) else {
        return area;
    };
    let along = |place: u64, side: usize| {
        let factor = f64::from(actual[side]) / f64::from(design[side].max(1));
        (place as f64 * factor).round_ties_even() as u64
    };
    let [x, y, width, height] = area.map(u64::from);
    let (left, top, right, bottom) = (along(x, 0), along(y, 1), along(x + width, 0), along(y + height, 1));
    [left, top, right.saturating_sub(left).max(1), bottom.saturating_sub(top).max(1)]
        .map(|side| u32::try_from(side).unwrap_or(u32::MAX))
}

/// The area lies within a picture of this size, and is less than all of it.
pub(super) fn is_part_of([x, y, width, height]: Area, [across, down]: Size) -> bool {
    let within = |from: u32, length: u32, all: u32| from.checked_add(length).is_some_and(|end| end <= all);
    within(x, width, across) && within(y, height, down) && [x, y, width, height] != [0, 0, across, down]
}

/// What such an area leaves of the picture: above, left, right and below it.
pub(super) fn around([x, y, width, height]: Area, [across, down]: Size) -> Vec<Area> {
    let (right, below) = (x + width, y + height);
    let pieces =
        [[0, 0, across, y], [0, y, x, height], [right, y, across - right, height], [0, below, across, down - below]];
    pieces.into_iter().filter(|[_, _, width, height]| *width > 0 && *height > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_grow_and_shrink_with_the_screen() {
        assert_eq!(scaled([0, 0, 20, 10], Some([128, 72]), Some([64, 36])), [0, 0, 10, 5]);
        assert_eq!(scaled([10, 10, 20, 20], Some([720, 576]), Some([1280, 720])), [18, 12, 35, 26]);
        assert_eq!(scaled([5, 5, 1, 1], Some([1_000, 1_000]), Some([10, 10])), [0, 0, 1, 1], "never empty");
        assert_eq!(scaled([1, 2, 3, 4], None, Some([10, 10])), [1, 2, 3, 4]);
        assert_eq!(scaled([u32::MAX; 4], Some([1, 1]), Some([u32::MAX; 2])), [u32::MAX; 4]);
    }

    #[test]
    fn what_is_around_a_part_and_the_part_make_up_the_whole() {
        let whole = [10, 8];
        for part in [[2, 2, 3, 3], [0, 0, 10, 4], [0, 0, 1, 1], [9, 7, 1, 1], [3, 0, 4, 8]] {
            assert!(is_part_of(part, whole));
            let pieces = around(part, whole);
            let pixels: u32 = pieces.iter().chain([&part]).map(|[_, _, width, height]| width * height).sum();
            assert_eq!(pixels, 80, "{pieces:?}");
        }
        assert!(!is_part_of([0, 0, 10, 8], whole) && !is_part_of([5, 5, 6, 1], whole));
        assert!(!is_part_of([u32::MAX, 0, 1, 1], whole));
    }
}
