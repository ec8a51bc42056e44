//! The three that are measured side by side, and the pictures that all of them look at.

pub(crate) mod cases;
pub(crate) mod native;
pub(crate) mod plugin;
pub(crate) mod python;
pub(crate) mod table;

use std::time::{Duration, Instant};

use headend_media::Picture;

/// What one of them says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) passed: bool,
    /// Where, if it was looked for and found.
    pub(crate) place: Option<(u32, u32)>,
}

/// An answer and what it cost.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) answer: Answer,
    /// The quickest of many calls, in microseconds: what else the machine does is left out.
    pub(crate) us: f64,
    /// Who it was, with a version.
    pub(crate) by: String,
}

/// Measured for so long.
const LONG: Duration = Duration::from_millis(500);
/// At least, and at most, so often.
const TIMES: std::ops::RangeInclusive<usize> = 9..=400;

/// Runs the native work on frames of which nothing is remembered, such as their luma.
pub(crate) fn natively(case: &cases::Case) -> Measured {
    let (mut times, begin) = (Vec::new(), Instant::now());
    let mut answer = None;
    while times.len() < *TIMES.start() || (begin.elapsed() < LONG && times.len() < *TIMES.end()) {
        let frames: Vec<Picture> = case.frames.iter().map(fresh).collect();
        frames.last().into_iter().for_each(warm);
        let before = Instant::now();
        answer = Some(std::hint::black_box((case.native)(&frames, case.reference.as_ref())));
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    let us = times.into_iter().fold(f64::MAX, f64::min);
    Measured { answer: answer.unwrap(), us, by: "native".to_owned() }
}

fn fresh(picture: &Picture) -> Picture {
    Picture::colour(picture.width(), picture.height(), picture.read(picture.bounds())).unwrap()
}

/// The others make what they need at every call in memory that they had at the last one. Here the allocator may have given it back, and to get fresh pages
/// takes longer than the work on them.
fn warm(picture: &Picture) {
    std::hint::black_box(vec![1_u8; picture.kept_bytes() / 2]);
}
