//! The last seconds of a slot as small pictures, for the day when something fails.

use std::collections::VecDeque;

use headend_media::Picture;

use super::pictures::shrunk;
use crate::driver::Shot;

/// Pictures kept.
const MOST: usize = 20;
/// For so long, in microseconds of the device's clock.
const KEPT_US: u64 = 10_000_000;
/// From one to the next at least.
const GAP_US: u64 = 500_000;
/// Pictures taken on the way of one wait.
const ON_THE_WAY: u64 = 8;
/// Width of one, in pixels.
const WIDTH: u32 = 320;
/// Pictures in a row of the strip.
const ACROSS: usize = 5;
/// Between two, in pixels.
const LINE: u32 = 4;

/// What was seen lately.
#[derive(Debug, Default)]
pub struct Strip {
    kept: VecDeque<(u64, Picture)>,
    /// When the next picture is wanted, how far apart they are, and when none is wanted any more.
    plan: Option<(u64, u64, u64)>,
    /// Something has come since the last film.
    fresh: bool,
}

impl Strip {
    /// Time is about to pass: a few pictures of it are wanted, close to its end. Drawing costs CPU time, so there are few.
    pub fn plan(&mut self, from_us: u64, to_us: u64) {
        let length = to_us.saturating_sub(from_us).min(KEPT_US);
        let gap = GAP_US.max(length / ON_THE_WAY);
        let first = to_us.saturating_sub(length).saturating_add(gap);
        self.plan = (first <= to_us).then_some((first, gap, to_us));
    }

    /// When it wants to see a picture.
    pub fn due_us(&self) -> Option<u64> {
        self.plan.map(|(next, ..)| next)
    }

    /// Takes a picture, unless it has one of just before.
    pub fn offer(&mut self, shot: &Shot) {
        let enough = self.kept.back().is_some_and(|(last, _)| shot.at_us < last.saturating_add(GAP_US));
        if enough {
            return;
        }
        if let Ok(small) = shrunk(&shot.picture, WIDTH) {
            self.kept.push_back((shot.at_us, small));
            self.fresh = true;
        }
        while self.kept.len() > MOST || self.kept.front().is_some_and(|(at, _)| at.saturating_add(KEPT_US) < shot.at_us)
        {
            self.kept.pop_front();
        }
    }

    /// What was wanted by now is not wanted any more. A picture may be older than the moment at which it was asked for: the clock counts.
    pub fn pass_over(&mut self, now_us: u64) {
        if let Some((next, gap, to)) = self.plan
            && now_us >= next
        {
            let next = now_us.saturating_add(gap);
            self.plan = (next <= to).then_some((next, gap, to));
        }
    }

    /// There is something that [`Strip::film`] has not shown yet.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The pictures side by side, the oldest first, and when each was taken. `None`: there are none.
    pub fn film(&mut self) -> Option<(Picture, Vec<u64>)> {
        self.fresh = false;
        let (_, first) = self.kept.back()?;
        let (width, height) = (first.width(), first.height());
        let across = self.kept.len().min(ACROSS);
        let down = self.kept.len().div_ceil(ACROSS);
        let whole = |count: usize, side: u32| u32::try_from(count).unwrap_or(1) * (side + LINE) + LINE;
        let (all_width, all_height) = (whole(across, width), whole(down, height));
        let mut data = vec![0x30; all_width as usize * all_height as usize * 3];
        for (place, (_, picture)) in self.kept.iter().enumerate() {
            let (left, top) = (whole(place % ACROSS, width), whole(place / ACROSS, height));
            // After a change of size the older ones are made to fit.
            let Ok(picture) = picture.scale(width, height) else { continue };
            for (y, row) in picture.rows().enumerate() {
                let start = ((top as usize + y) * all_width as usize + left as usize) * 3;
                if let Some(into) = data.get_mut(start..start + row.len()).filter(|_| !picture.is_grey()) {
                    into.copy_from_slice(row);
                }
            }
        }
        let film = Picture::colour(all_width, all_height, data).ok()?;
        Some((film, self.kept.iter().map(|(at, _)| *at).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(at_us: u64, value: u8) -> Shot {
        Shot { at_us, picture: Picture::colour(640, 360, vec![value; 640 * 360 * 3]).unwrap() }
    }

    #[test]
    fn only_the_last_seconds_are_kept_and_not_too_close() {
        let mut strip = Strip::default();
        assert!(strip.film().is_none());
        for frame in 0..1_000 {
            strip.offer(&shot(frame * 40_000, frame as u8));
        }
        let (film, times) = strip.film().unwrap();
        assert_eq!(times.len(), MOST);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= GAP_US));
        assert!(times[0] + KEPT_US + GAP_US >= 39_960_000);
        assert_eq!((film.width(), film.height()), (5 * 324 + 4, 4 * 184 + 4));
    }

    #[test]
    fn a_long_wait_costs_few_pictures() {
        let mut strip = Strip::default();
        strip.plan(0, 3_600_000_000);
        let mut wanted = Vec::new();
        while let Some(due) = strip.due_us() {
            wanted.push(due);
            strip.offer(&shot(due - due % 40_000, 1));
            strip.pass_over(due);
        }
        assert_eq!(wanted.len() as u64, ON_THE_WAY);
        assert_eq!(wanted.last(), Some(&3_600_000_000));
        strip.plan(10, 100_000);
        assert_eq!(strip.due_us(), None, "too short to see anything new");
    }
}
