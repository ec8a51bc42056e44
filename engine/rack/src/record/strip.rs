//! The last seconds of a slot as small pictures, for the day when something fails: side by side, and as a film.
//!
//! A device that can show what it has shown ([`crate::driver::Driver::past`]) is asked then, and [`Strip`] only knows what was told already. Of others
//! [`Strip`] keeps what was looked at anyway, and what passes while a script waits.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use headend_media::Picture;
use headend_plugin_host::analyser::stored;

use super::avi::Avi;
use super::label::labelled;
use super::pictures::{create, jpeg, shrunk};

/// So much is shown, in microseconds of the device's clock.
pub const KEPT_US: u64 = 10_000_000;
/// From one picture to the next that a device draws again: every third one of 25 a second.
pub const PAST_GAP_US: u64 = 120_000;
/// From one to the next at least, of those that are kept: five a second.
const GAP_US: u64 = 200_000;
/// Pictures kept. They are JPEG: some 20 kilobytes each, a megabyte for a slot.
const MOST: usize = (KEPT_US / GAP_US) as usize + 1;
/// Bytes of them, whatever they show.
const MOST_BYTES: usize = 4 << 20;
/// Width of one, in pixels.
const WIDTH: u32 = 480;
const QUALITY: u8 = 80;
/// Pictures of the strip.
const SHEET: usize = 20;
/// Width of one of them, in pixels.
const SHEET_WIDTH: u32 = 320;
/// Pictures in a row of the strip.
const ACROSS: usize = 5;
/// Between two, in pixels.
const LINE: u32 = 4;
/// Turns of the film a second. Few of them have a picture of their own; the others cost some bytes.
const RATE: u32 = 25;
/// How long one turn is, in microseconds.
const TURN_US: u64 = 1_000_000 / RATE as u64;
/// Longest film, in turns.
const MOST_TURNS: u64 = 2 * KEPT_US / TURN_US;

/// What was seen lately.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// As JPEG, with when it was taken.
    kept: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    /// When the next picture is wanted, and when none is wanted any more.
    plan: Option<(u64, u64)>,
    /// Something has come since the last film.
    fresh: bool,
    /// The device's time of the last film.
    told_us: Option<u64>,
}

impl Strip {
    /// Time is about to pass: pictures of its end are wanted. Of a long wait they are no more than of a short one.
    pub fn plan(&mut self, from_us: u64, to_us: u64) {
        let length = to_us.saturating_sub(from_us).min(KEPT_US);
        let first = to_us.saturating_sub(length).saturating_add(GAP_US);
        self.plan = (first <= to_us).then_some((first, to_us));
    }

    /// When it wants to see a picture.
    pub fn due_us(&self) -> Option<u64> {
        self.plan.map(|(next, _)| next)
    }

    /// It has no picture of just before.
    pub fn wants(&self, at_us: u64) -> bool {
        self.kept.back().is_none_or(|(last, _)| at_us >= last.saturating_add(GAP_US))
    }

    /// Takes a picture, as [`small`] makes it.
    pub fn keep(&mut self, at_us: u64, small: Vec<u8>) {
        self.bytes += small.len();
        self.kept.push_back((at_us, small));
        self.fresh = true;
        while self.kept.len() > MOST || self.bytes > MOST_BYTES || self.oldest_us().saturating_add(KEPT_US) < at_us {
            let Some((_, gone)) = self.kept.pop_front() else { return };
            self.bytes -= gone.len();
        }
    }

    fn oldest_us(&self) -> u64 {
        self.kept.front().map_or(u64::MAX, |(at, _)| *at)
    }

    /// What was wanted by now is not wanted any more. A picture may be older than the moment at which it was asked for: the clock counts.
    pub fn pass_over(&mut self, now_us: u64) {
        if let Some((next, to)) = self.plan
            && now_us >= next
        {
            let next = now_us.saturating_add(GAP_US);
            self.plan = (next <= to).then_some((next, to));
        }
    }

    /// Whether the time now is later than that of the last film. From now on it is not.
    pub fn is_later(&mut self, now_us: u64) -> bool {
        self.told_us.replace(now_us).is_none_or(|told| told < now_us)
    }

    /// The pictures as they are kept, the oldest first, and when each was taken; nothing if it has given them all before.
    pub fn last(&mut self) -> Vec<(u64, Vec<u8>)> {
        if !std::mem::take(&mut self.fresh) {
            return Vec::new();
        }
        self.kept.iter().cloned().collect()
    }

    /// When each of those that are kept was taken.
    #[cfg(test)]
    pub fn times(&self) -> Vec<u64> {
        self.kept.iter().map(|(at, _)| *at).collect()
    }
}

/// A picture as it is kept. Takes some milliseconds.
///
/// # Errors
/// It cannot be scaled or encoded.
pub fn small(picture: &Picture) -> std::io::Result<Vec<u8>> {
    shrunk(picture, WIDTH).and_then(|small| jpeg(&small, QUALITY))
}

/// The last seconds before a failure, with the time to it on each picture.
#[derive(Clone, Debug)]
pub struct LastSeconds {
    /// As JPEG, all of one size, the oldest first, with when each was taken.
    frames: Vec<(u64, Vec<u8>)>,
    size: (u32, u32),
    failed_us: u64,
}

impl LastSeconds {
    /// Of what [`Strip::last`] gave.
    pub fn of_kept(kept: Vec<(u64, Vec<u8>)>, failed_us: u64) -> Option<Self> {
        let picture = |(at, bytes): (u64, Vec<u8>)| Some((at, stored::decode(&bytes).ok()?.picture));
        Self::of(kept.into_iter().filter_map(picture), failed_us)
    }

    /// Of these pictures, the oldest first, each with when it was taken; `None`: there are none. They are taken one at a time: drawn ones are large.
    pub fn of(pictures: impl IntoIterator<Item = (u64, Picture)>, failed_us: u64) -> Option<Self> {
        let (mut frames, mut size) = (Vec::new(), None);
        for (at, picture) in pictures {
            let Ok(small) = shrunk(&picture, WIDTH) else { continue };
            // After a change of size the later ones are made to fit.
            let (width, height) = *size.get_or_insert((small.width(), small.height()));
            let fitted =
                if (small.width(), small.height()) == (width, height) { Ok(small) } else { small.scale(width, height) };
            let Ok(fitted) = fitted else { continue };
            if let Ok(frame) = jpeg(&labelled(&fitted, &time_to(at, failed_us)), QUALITY) {
                frames.push((at, frame));
            }
        }
        let size = size.filter(|_| !frames.is_empty())?;
        Some(Self { frames, size, failed_us })
    }

    /// When each picture of the strip was taken.
    pub fn times(&self) -> Vec<u64> {
        self.chosen().map(|(at, _)| *at).collect()
    }

    /// Pictures of the film.
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// When it failed.
    pub fn failed_us(&self) -> u64 {
        self.failed_us
    }

    /// Those of the strip: the newest, and as many before it as there is room for, evenly.
    fn chosen(&self) -> impl Iterator<Item = &(u64, Vec<u8>)> {
        let (all, shown) = (self.frames.len(), self.frames.len().min(SHEET));
        let place = move |no: usize| if shown < 2 { all.saturating_sub(1) } else { no * (all - 1) / (shown - 1) };
        (0..shown).filter_map(move |no| self.frames.get(place(no)))
    }

    /// The pictures of the strip side by side.
    pub fn sheet(&self) -> Option<Picture> {
        let small = |(_, frame): &(u64, Vec<u8>)| shrunk(&stored::decode(frame).ok()?.picture, SHEET_WIDTH).ok();
        let pictures: Vec<Picture> = self.chosen().filter_map(small).collect();
        let first = pictures.first()?;
        let (width, height) = (first.width(), first.height());
        let across = pictures.len().min(ACROSS);
        let down = pictures.len().div_ceil(ACROSS);
        let whole = |count: usize, side: u32| u32::try_from(count).unwrap_or(1) * (side + LINE) + LINE;
        let (all_width, all_height) = (whole(across, width), whole(down, height));
        let mut data = vec![0x30; all_width as usize * all_height as usize * 3];
        for (place, picture) in pictures.iter().enumerate() {
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
        let began = self.frames.first().map_or(self.failed_us, |(at, _)| *at);
        let mut avi = Avi::begin(file, self.size, RATE)?;
        let turn = |at: u64| (at.saturating_sub(began) / TURN_US).min(MOST_TURNS);
        let ends = self.frames.iter().skip(1).map(|(at, _)| turn(*at)).chain([turn(self.failed_us) + 1]);
        let mut shown = 0;
        for ((_, frame), end) in self.frames.iter().zip(ends) {
            // Of two pictures in one turn only the later one is to be seen: the film takes as long as it took.
            if end > shown {
                avi.picture(frame)?;
                (shown + 1..end).try_for_each(|_| avi.again())?;
                shown = end;
            }
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

    fn plain(value: u8) -> Picture {
        Picture::colour(640, 360, vec![value; 640 * 360 * 3]).unwrap()
    }

    fn offer(strip: &mut Strip, at_us: u64, value: u8) {
        if strip.wants(at_us) {
            strip.keep(at_us, small(&plain(value)).unwrap());
        }
    }

    #[test]
    fn only_the_last_seconds_are_kept_and_not_too_close() {
        let mut strip = Strip::default();
        assert!(LastSeconds::of_kept(strip.last(), 0).is_none());
        for frame in 0..400 {
            offer(&mut strip, frame * 40_000, frame as u8);
        }
        assert!(strip.bytes < 1 << 20, "{}", strip.bytes);
        let times = strip.times();
        assert_eq!(times.len(), MOST, "five a second");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == GAP_US));
        assert_eq!((times[0], times[MOST - 1]), (5_800_000, 15_800_000));
        let last = LastSeconds::of_kept(strip.last(), 15_960_000).unwrap();
        let (sheet, shown) = (last.sheet().unwrap(), last.times());
        assert_eq!((last.count(), shown.len()), (MOST, SHEET));
        assert_eq!((shown[0], shown[SHEET - 1]), (5_800_000, 15_800_000));
        assert!(shown.is_sorted());
        assert_eq!((sheet.width(), sheet.height()), (5 * 324 + 4, 4 * 184 + 4));
        assert!(strip.last().is_empty(), "nothing has come since");
        assert!(strip.is_later(5) && !strip.is_later(5) && strip.is_later(6));
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_it_shows() {
        let mut strip = Strip::default();
        strip.kept.push_back((0, vec![0; MOST_BYTES]));
        strip.bytes = MOST_BYTES;
        offer(&mut strip, GAP_US, 9);
        assert_eq!(strip.times(), [GAP_US]);
        assert!(strip.bytes < 100 << 10);
    }

    #[test]
    fn each_picture_tells_how_long_before_the_failure_it_was() {
        assert_eq!(time_to(1_000_000, 10_460_000), "-9.5 s");
        assert_eq!(time_to(10_440_000, 10_460_000), "0.0 s");
        let last = LastSeconds::of([(0, plain(90)), (500_000, plain(90))], 1_000_000).unwrap();
        let [(_, early), (_, late)] = &last.frames[..] else { panic!("two pictures") };
        assert_ne!(early, late, "what is shown is the same, the times are not");
    }

    #[test]
    fn the_film_takes_as_long_as_it_took() {
        let folder = tempfile::tempdir().unwrap();
        let frames = |times: &[u64], failed_us: u64| {
            let pictures = times.iter().map(|at| (*at, plain(5)));
            let last = LastSeconds::of(pictures, failed_us).unwrap();
            let bytes = std::fs::read(last.film(folder.path(), "lastseconds_1.avi").unwrap()).unwrap();
            assert!(bytes.len() < 100 << 10, "{}", bytes.len());
            bytes.windows(4).filter(|four| *four == b"00dc").count() / 2
        };
        let times = [0, 500_000, 2_000_000];
        assert_eq!(frames(&times, 2_300_000), 58, "2.3 seconds at 25 a second, and the first");
        assert_eq!(frames(&times, u64::MAX) as u64, MOST_TURNS + 1, "it has an end");
        assert_eq!(frames(&[0, 10_000, 20_000, 40_000], 40_000), 2, "pictures of one turn do not make it longer");
    }

    #[test]
    fn a_long_wait_costs_no_more_pictures_than_ten_seconds() {
        let mut strip = Strip::default();
        strip.plan(0, 3_600_000_000);
        let mut wanted = Vec::new();
        while let Some(due) = strip.due_us() {
            wanted.push(due);
            strip.pass_over(due);
        }
        assert_eq!(wanted.len() as u64, KEPT_US / GAP_US);
        assert_eq!(wanted.last(), Some(&3_600_000_000));
        strip.plan(10, 100_000);
        assert_eq!(strip.due_us(), None, "too short to see anything new");
    }
}
