//! What is known of the source now.

use std::sync::{Mutex, MutexGuard, PoisonError};

use headend_media::Sound;
use tokio::sync::watch;

use super::options::Options;
use super::recording::Recording;
use super::words::Words;
use crate::{DriverError, Shot, now_us};

/// Shared by the tool and its supervisor.
#[derive(Debug)]
pub(super) struct State {
    pub(super) options: Options,
    known: Mutex<Known>,
    /// Moves with every picture, for those who wait for one.
    pictures: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    shot: Option<Shot>,
    recording: Recording,
    sounds: bool,
    words: Words,
    /// How the ffmpeg before this one ended; `None` once there are pictures again.
    trouble: Option<String>,
    restarts: u64,
    process: Option<u32>,
}

/// Of a probe.
pub(super) struct Health {
    pub(super) sounds: bool,
    pub(super) restarts: u64,
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        Self { options, known: Mutex::default(), pictures: watch::Sender::new(0) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another ffmpeg has begun.
    pub(super) fn began(&self, process: Option<u32>, sounds: bool) {
        let mut known = self.known();
        known.words = Words::default();
        known.recording.cut();
        (known.process, known.sounds) = (process, sounds);
    }

    /// It is gone. Whether it complained that a stream of its input is missing.
    pub(super) fn ended(&self, how: &str) -> bool {
        let mut known = self.known();
        known.process = None;
        let said = known.words.text();
        let missing = said.contains("matches no streams");
        known.trouble = Some(if said.is_empty() { how.to_owned() } else { format!("{how}: {said}") });
        missing
    }

    pub(super) fn restarted(&self) {
        self.known().restarts += 1;
    }

    pub(super) fn see(&self, shot: Shot) {
        let old = {
            let mut known = self.known();
            known.trouble = None;
            known.shot.replace(shot)
        };
        // Megabytes are given back while nobody waits for the lock.
        drop(old);
        self.pictures.send_modify(|count| *count += 1);
    }

    pub(super) fn hear(&self, at_us: u64, samples: &[i16]) {
        self.known().recording.hear(at_us, samples);
    }

    pub(super) fn say(&self, bytes: &[u8]) {
        self.known().words.hear(bytes);
    }

    pub(super) fn seen_us(&self) -> Option<u64> {
        self.known().shot.as_ref().map(|shot| shot.at_us)
    }

    pub(super) fn process(&self) -> Option<u32> {
        self.known().process
    }

    pub(super) fn health(&self) -> Health {
        let known = self.known();
        Health { sounds: known.sounds, restarts: known.restarts }
    }

    pub(super) fn sound(&self, from_us: u64, length_us: u64) -> Option<Sound> {
        self.known().recording.sound(from_us, length_us)
    }

    pub(super) fn pictures(&self) -> watch::Receiver<u64> {
        self.pictures.subscribe()
    }

    /// The newest picture, if it is new.
    pub(super) fn latest(&self) -> Result<Shot, DriverError> {
        let known = self.known();
        let now = now_us();
        let stale_us = u64::from(self.options.stale_ms) * 1000;
        match &known.shot {
            Some(shot) if now.saturating_sub(shot.at_us) <= stale_us => Ok(shot.clone()),
            old => {
                let since = match old {
                    Some(shot) => format!("for {:.1} s", now.saturating_sub(shot.at_us) as f64 / 1e6),
                    None => "yet".to_owned(),
                };
                let why = known.why();
                Err(DriverError(format!("no signal: no picture from {} {since}; {why}", self.options.input)))
            }
        }
    }
}

impl Known {
    fn why(&self) -> String {
        let words = self.words.text();
        match &self.trouble {
            Some(trouble) => format!("ffmpeg {trouble}"),
            None if words.is_empty() => "ffmpeg runs and has no complaint".to_owned(),
            None => format!("ffmpeg runs and said: {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use headend_media::Picture;

    use super::*;
    use crate::tools::ffmpeg::Input;

    fn state() -> State {
        let url = "http://me:secret@box/live.ts".to_owned();
        State::new(Options::of(Input::Stream { url, paced: None }))
    }

    #[test]
    fn an_old_picture_is_no_signal() {
        let state = state();
        let error = state.latest().unwrap_err().to_string();
        let said = "no signal: no picture from http://…@box/live.ts yet; ffmpeg runs and has no complaint";
        assert_eq!(error, said);
        let picture = Picture::colour(1, 1, vec![1, 2, 3]).unwrap();
        state.see(Shot { at_us: now_us(), picture: picture.clone() });
        assert_eq!(state.latest().unwrap().picture, picture);
        state.say(b"http://me:secret@box/live.ts: too slow\n");
        state.see(Shot { at_us: now_us() - 2_000_000, picture });
        let error = state.latest().unwrap_err().to_string();
        assert!(error.contains("live.ts for 2.") && error.contains("said: http://…@box/live.ts: too slow"), "{error}");
    }

    #[test]
    fn the_last_end_is_told_until_there_are_pictures() {
        let state = state();
        state.say(b"Connection refused\n");
        assert!(!state.ended("ended with exit status: 1"));
        state.began(Some(7), true);
        let error = state.latest().unwrap_err().to_string();
        assert!(error.ends_with("ffmpeg ended with exit status: 1: Connection refused"), "{error}");
        state.see(Shot { at_us: 0, picture: Picture::colour(1, 1, vec![0; 3]).unwrap() });
        assert!(state.latest().unwrap_err().to_string().ends_with("no complaint"));
        state.say(b"Stream map '0:a:0' matches no streams.\n");
        assert!(state.ended("ended"));
    }
}
