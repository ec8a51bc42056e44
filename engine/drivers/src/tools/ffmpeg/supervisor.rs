//! Keeps an ffmpeg running, and takes what it gives.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use headend_media::Picture;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::process::{Pipes, Running};
use super::state::State;
use super::words;
use crate::tools::ffmpeg::recording::CHANNELS;
use crate::{Shot, now_us};

/// The first wait before it is started anew.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Pictures for so long make up for what was before, in microseconds.
const WELL_US: u64 = 10_000_000;
/// Bytes of sound that are taken at once: 85 ms.
const SOUND_BYTES: usize = 16 << 10;

/// Waits that double.
#[derive(Debug)]
struct BackOff(Duration);

impl BackOff {
    /// How long to wait now, after pictures for so long.
    fn after(&mut self, well_us: u64) -> Duration {
        if well_us >= WELL_US {
            self.0 = FIRST_WAIT;
        }
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST_WAIT);
        wait
    }
}

/// Until it is dropped, or the source has come to its end.
pub(super) async fn supervise(state: Arc<State>) {
    let mut back_off = BackOff(FIRST_WAIT);
    let mut listens = state.options.listens();
    loop {
        let begun_us = now_us();
        let (how, status) = one_run(&state, listens).await;
        let missing = state.ended(&how);
        tracing::debug!(source = %state.options.input, how, "ffmpeg is gone");
        if missing && listens && state.options.sound.is_none() {
            // It has no sound, and need not. Asked again when the source comes back: another film may have some.
            listens = false;
            continue;
        }
        let well_us = state.seen_us().unwrap_or(0).saturating_sub(begun_us);
        if state.options.input.ends() && well_us > 0 && status == Status::Done {
            return;
        }
        tokio::time::sleep(back_off.after(well_us)).await;
        listens = state.options.listens();
        state.restarted();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// It ended of itself, and well.
    Done,
    Failed,
}

/// From its start to its end: how it ended, for people and for us.
async fn one_run(state: &State, listens: bool) -> (String, Status) {
    let (mut running, pipes) = match Running::start(&state.options, listens).await {
        Ok(started) => started,
        Err(error) => {
            state.began(None, false);
            return (format!("could not be started: {error}"), Status::Failed);
        }
    };
    state.began(running.id(), listens);
    let work = async {
        take(state, pipes).await;
        running.end().await
    };
    tokio::select! {
        end = work => told(end),
        () = stall(state) => {
            let seconds = f64::from(state.options.restart_after_ms) / 1000.0;
            (format!("gave no picture for {seconds} s and was ended"), Status::Failed)
        }
    }
}

fn told(end: io::Result<std::process::ExitStatus>) -> (String, Status) {
    match end {
        Ok(status) if status.success() => ("came to the end of its input".to_owned(), Status::Done),
        Ok(status) => (format!("ended with {status}"), Status::Failed),
        Err(error) => (format!("is lost: {error}"), Status::Failed),
    }
}

/// Takes all that comes until all pipes are closed.
async fn take(state: &State, pipes: Pipes) {
    let Pipes { pictures, sound, words } = pipes;
    let hear = async {
        if let Some(sound) = sound {
            hear(state, sound).await;
        }
    };
    // A pipe that fails has ended for us; why is in the words, or in how ffmpeg ends.
    let _ = tokio::join!(see(state, pictures), hear, words::listen(words, |bytes| state.say(bytes)));
}

/// Reads pictures. The time of one is that of its first bytes: ffmpeg writes it whole, and its last ones may wait for us.
async fn see(state: &State, mut pipe: Receiver) -> io::Result<()> {
    let (width, height) = (state.options.width, state.options.height);
    let size = width as usize * height as usize * 3;
    loop {
        let mut pixels = vec![0; size];
        let first = pipe.read(&mut pixels).await?;
        if first == 0 {
            return Ok(());
        }
        let at_us = now_us();
        pipe.read_exact(&mut pixels[first..]).await?;
        let picture = Picture::colour(width, height, pixels).map_err(|fault| io::Error::other(format!("{fault:?}")))?;
        state.see(Shot { at_us, picture });
    }
}

/// Reads samples; bytes of an incomplete one wait for the rest.
async fn hear(state: &State, mut pipe: Receiver) {
    let step = CHANNELS as usize * 2;
    let mut bytes = vec![0; SOUND_BYTES];
    let mut open = 0;
    while let Ok(count @ 1..) = pipe.read(&mut bytes[open..]).await {
        let at_us = now_us();
        let filled = open + count;
        let whole = filled - filled % step;
        let samples: Vec<i16> =
            bytes[..whole].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        state.hear(at_us, &samples);
        bytes.copy_within(whole..filled, 0);
        open = filled - whole;
    }
}

/// Returns when there was no picture for too long.
async fn stall(state: &State) {
    let patience_us = u64::from(state.options.restart_after_ms) * 1000;
    let begun_us = now_us();
    loop {
        let last_us = state.seen_us().map_or(begun_us, |seen| seen.max(begun_us));
        let left_us = (last_us + patience_us).saturating_sub(now_us());
        if left_us == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_micros(left_us)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_ten_seconds_and_begin_anew_after_ten_good_ones() {
        let mut back_off = BackOff(FIRST_WAIT);
        let waits: Vec<u128> = (0..8).map(|_| back_off.after(9_999_999).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(back_off.after(10_000_000).as_millis(), 200);
        assert_eq!(back_off.after(0).as_millis(), 400);
    }
}
