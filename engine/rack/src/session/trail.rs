//! The pictures around a change that a timer has measured: the one before the key, a black one, the first new one.

use std::collections::VecDeque;

use headend_media::Picture;
use headend_wire::session::Watched;
use serde_json::{Value, json};

use super::Session;
use crate::driver::Shot;

/// Pictures kept until a timer has decided: it tells the first of those that stay some pictures later.
const RECENT: usize = 8;
/// A mean brightness below this is black.
const BLACK: u64 = 40;
/// Rows and pixels of a row from one to the next whose brightness counts.
const STEP: usize = 16;
/// Times of verdicts are told in seconds; so much may be lost on the way, in microseconds.
const SLACK_US: i64 = 1_000;

/// Of one timer under way.
#[derive(Debug, Default)]
pub(super) struct Trail {
    first: Option<Shot>,
    darkest: Option<(u64, Shot)>,
    recent: VecDeque<Shot>,
}

impl Trail {
    /// The next picture; the first one is that of before the key.
    pub(super) fn note(&mut self, shot: &Shot) {
        if self.first.is_none() {
            self.first = Some(shot.clone());
            return;
        }
        let brightness = brightness(&shot.picture);
        if self.darkest.as_ref().is_none_or(|(least, _)| brightness < *least) {
            self.darkest = Some((brightness, shot.clone()));
        }
        self.recent.push_back(shot.clone());
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Those that explain what came of it, in the order of their times.
    fn moments(self, watched: &Watched) -> Vec<(&'static str, Shot)> {
        let at = |shot: &Shot| i64::try_from(shot.at_us).unwrap_or(i64::MAX);
        let us = |seconds: f64| (seconds * 1e6) as i64;
        let key = watched.at_us.saturating_sub(us(watched.seconds));
        let changed = watched.values.get("change_seconds").map(|seconds| key.saturating_add(us(*seconds)));
        let before = self.first.filter(|shot| at(shot) <= key.saturating_add(SLACK_US));
        let black = self.darkest.filter(|(brightness, shot)| {
            let gone = changed.is_none_or(|changed| at(shot) >= changed.saturating_sub(SLACK_US));
            *brightness < BLACK && gone && (!watched.met || at(shot) < watched.at_us)
        });
        let new = self.recent.into_iter().find(|shot| watched.met && at(shot) == watched.at_us);
        let black = black.map(|(_, shot)| shot);
        let named = [("before", before), ("black", black), ("new", new)];
        named.into_iter().filter_map(|(what, shot)| Some((what, shot?))).collect()
    }
}

/// Mean of some pixels, 0 to 255.
fn brightness(picture: &Picture) -> u64 {
    let channels = if picture.is_grey() { 1 } else { 3 };
    let some = picture.rows().step_by(STEP).flat_map(|row| row.chunks_exact(channels).step_by(STEP)).flatten();
    let (sum, count) = some.fold((0, 0), |(sum, count), value| (sum + u64::from(*value), count + 1));
    sum / u64::max(count, 1)
}

impl Session {
    /// Keeps the pictures beside the verdict of a timer. Nothing hangs on them.
    pub(super) async fn keep_moments(&mut self, number: u32, analyser: &str, trail: Trail, watched: &Watched) {
        let moments = trail.moments(watched);
        let mut pictures: Vec<Value> = Vec::new();
        for (what, shot) in moments {
            let Some(path) = self.keep_picture(format!("{analyser}_{number}_{what}.jpg"), shot.picture).await else {
                break;
            };
            pictures.push(json!({ "what": what, "at_us": shot.at_us, "path": path }));
        }
        if !pictures.is_empty() {
            let kept = json!({ "slot": number, "name": analyser, "pictures": pictures });
            self.recorder.event("armed_pictures", true, &kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(at_us: u64, value: u8) -> Shot {
        Shot { at_us, picture: Picture::colour(64, 32, vec![value; 64 * 32 * 3]).unwrap() }
    }

    fn trail(values: &[u8]) -> Trail {
        let mut trail = Trail::default();
        for (frame, value) in (0..).zip(values) {
            trail.note(&shot(frame * 40_000, *value));
        }
        trail
    }

    fn verdict(at_us: i64, change_seconds: f64) -> Watched {
        let values = [("change_seconds".to_owned(), change_seconds)].into();
        Watched { met: true, at_us, seconds: at_us as f64 / 1e6, values, ..Watched::default() }
    }

    fn told(trail: Trail, watched: &Watched) -> Vec<(&'static str, u64)> {
        trail.moments(watched).into_iter().map(|(what, shot)| (what, shot.at_us)).collect()
    }

    #[test]
    fn before_black_and_new_are_told_apart() {
        let seen = told(trail(&[90, 90, 10, 5, 5, 120, 121, 122]), &verdict(200_000, 0.08));
        assert_eq!(seen, [("before", 0), ("black", 120_000), ("new", 200_000)]);
    }

    #[test]
    fn a_change_without_black_has_none() {
        assert_eq!(told(trail(&[90, 90, 120, 120, 120]), &verdict(80_000, 0.08)), [("before", 0), ("new", 80_000)]);
        let dark_before = told(trail(&[90, 3, 120, 120, 120]), &verdict(80_000, 0.08));
        assert_eq!(dark_before, [("before", 0), ("new", 80_000)], "the old picture was dark, too");
    }

    #[test]
    fn without_a_new_picture_the_black_one_is_shown() {
        let over = Watched { at_us: 600_000, seconds: 0.6, ..Watched::default() };
        assert_eq!(told(trail(&[90; 1]), &over), [("before", 0)]);
        let values: Vec<u8> = [90].into_iter().chain([2; 15]).collect();
        assert_eq!(told(trail(&values), &over), [("before", 0), ("black", 40_000)]);
    }
}
