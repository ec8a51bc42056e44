//! The last seconds of a slot as small pictures, for the day when something fails: side by side, and as a film.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use headend_media::Picture;

use super::avi::Avi;
use super::label::labelled;
use super::pictures::{create, jpeg, shrunk};
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
/// Pictures of the film a second: as many as of films that scripts make.
const RATE: u32 = 10;
/// How long one picture of the film is shown, in microseconds.
const TURN_US: u64 = 1_000_000 / RATE as u64;
/// Longest film, in turns; with at most [`MOST`] small pictures in it that is some hundred kilobytes.
const MOST_TURNS: u64 = 2 * KEPT_US / TURN_US;
const FILM_QUALITY: u8 = 70;

/// What was seen lately.
#[derive(Clone, Debug, Default)]
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

    /// There is something that [`Strip::last`] has not given yet.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The pictures, the oldest first, and when each was taken.
    pub fn last(&mut self) -> Vec<(u64, Picture)> {
        self.fresh = false;
        self.kept.iter().cloned().collect()
    }
}

/// The last seconds before a failure, with the time to it on each picture.
#[derive(Clone, Debug)]
pub struct LastSeconds {
    /// All of one size, the oldest first, with when each was taken.
    frames: Vec<(u64, Picture)>,
    failed_us: u64,
}

impl LastSeconds {
    /// Of what [`Strip::last`] gave; `None`: that was nothing.
    pub fn of(frames: Vec<(u64, Picture)>, failed_us: u64) -> Option<Self> {
        let (_, newest) = frames.last()?;
        let (width, height) = (newest.width(), newest.height());
        // After a change of size the older ones are made to fit.
        let fitted = |(at, picture): (u64, Picture)| {
            let picture = picture.scale(width, height).ok()?;
            Some((at, labelled(&picture, &time_to(at, failed_us))))
        };
        Some(Self { frames: frames.into_iter().filter_map(fitted).collect(), failed_us })
    }

    /// When each picture was taken.
    pub fn times(&self) -> Vec<u64> {
        self.frames.iter().map(|(at, _)| *at).collect()
    }

    /// When it failed.
    pub fn failed_us(&self) -> u64 {
        self.failed_us
    }

    /// The pictures side by side.
    pub fn sheet(&self) -> Option<Picture> {
        let (_, first) = self.frames.first()?;
        let (width, height) = (first.width(), first.height());
        let across = self.frames.len().min(ACROSS);
        let down = self.frames.len().div_ceil(ACROSS);
        let whole = |count: usize, side: u32| u32::try_from(count).unwrap_or(1) * (side + LINE) + LINE;
        let (all_width, all_height) = (whole(across, width), whole(down, height));
        let mut data = vec![0x30; all_width as usize * all_height as usize * 3];
        for (place, (_, picture)) in self.frames.iter().enumerate() {
            let (left, top) = (whole(place % ACROSS, width), whole(place / ACROSS, height));
            for (y, row) in picture.rows().enumerate() {
                let start = ((top as usize + y) * all_width as usize + left as usize) * 3;
                if let Some(into) = data.get_mut(start..start + row.len()).filter(|_| !picture.is_grey()) {
                    into.copy_from_slice(row);
                }
            }
        }
        Picture::colour(all_width, all_height, data).ok()
    }

    /// Writes them as a film under a free name, each shown until the next one was taken, the newest until it failed.
    ///
    /// # Errors
    /// The disk's; nothing is left then.
    pub fn film(&self, folder: &Path, name: &str) -> std::io::Result<PathBuf> {
        let (file, path) = create(folder, name)?;
        if let Err(error) = self.shoot(file) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(path)
    }

    fn shoot(&self, file: std::fs::File) -> std::io::Result<()> {
        let none = || std::io::Error::other("there is no picture");
        let ((began, first), failed) = (self.frames.first().ok_or_else(none)?, self.failed_us);
        let mut avi = Avi::begin(file, (first.width(), first.height()), RATE)?;
        let turn = |at: u64| (at.saturating_sub(*began) / TURN_US).min(MOST_TURNS);
        let ends = self.frames.iter().skip(1).map(|(at, _)| turn(*at)).chain([turn(failed) + 1]);
        for ((at, picture), end) in self.frames.iter().zip(ends) {
            avi.picture(&jpeg(picture, FILM_QUALITY)?)?;
            (turn(*at) + 1..end).try_for_each(|_| avi.again())?;
        }
        avi.finish()
    }
}

/// How long before the failure, for people.
fn time_to(at_us: u64, failed_us: u64) -> String {
    let seconds = failed_us.saturating_sub(at_us) as f64 / 1e6;
    if seconds < 0.05 { "0.0 s".to_owned() } else { format!("-{seconds:.1} s") }
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
        assert!(LastSeconds::of(strip.last(), 0).is_none());
        for frame in 0..1_000 {
            strip.offer(&shot(frame * 40_000, frame as u8));
        }
        let last = LastSeconds::of(strip.last(), 39_960_000).unwrap();
        let (film, times) = (last.sheet().unwrap(), last.times());
        assert_eq!(times.len(), MOST);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= GAP_US));
        assert!(times[0] + KEPT_US + GAP_US >= 39_960_000);
        assert_eq!((film.width(), film.height()), (5 * 324 + 4, 4 * 184 + 4));
    }

    #[test]
    fn each_picture_tells_how_long_before_the_failure_it_was() {
        assert_eq!(time_to(1_000_000, 10_460_000), "-9.5 s");
        assert_eq!(time_to(10_440_000, 10_460_000), "0.0 s");
        let mut strip = Strip::default();
        strip.offer(&shot(0, 90));
        strip.offer(&shot(500_000, 90));
        let last = LastSeconds::of(strip.last(), 1_000_000).unwrap();
        let [(_, early), (_, late)] = &last.frames[..] else { panic!("two pictures") };
        assert_ne!(early, late, "what is shown is the same, the times are not");
    }

    #[test]
    fn the_film_takes_as_long_as_it_took() {
        let folder = tempfile::tempdir().unwrap();
        let mut strip = Strip::default();
        for at in [0, 500_000, 2_000_000] {
            strip.offer(&shot(at, 5));
        }
        let frames = |failed_us: u64| {
            let last = LastSeconds::of(strip.clone().last(), failed_us).unwrap();
            let bytes = std::fs::read(last.film(folder.path(), "lastseconds_1.avi").unwrap()).unwrap();
            assert!(bytes.len() < 100 << 10, "{}", bytes.len());
            bytes.windows(4).filter(|four| *four == b"00dc").count() / 2
        };
        assert_eq!(frames(2_300_000), 24, "2.3 seconds at ten a second, and the first");
        assert_eq!(frames(u64::MAX) as u64, MOST_TURNS + 1, "it has an end");
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
