//! Pictures and sound from whatever ffmpeg can open: a capture card, a stream, a file, a test pattern.
//!
//! ```text
//!  Options ─► ffmpeg ─► pipe 1: pictures, red green blue ─► the newest one ─► latest()
//!                   ├─► pipe 3: sound, 16 bit, 48 kHz    ─► ten seconds    ─► sound()
//!                   └─► stderr: its last words           ─► "no signal: …"
//! ```
//!
//! [`start`] gives an [`Ffmpeg`], which owns one process, or the next one when that ends: begun anew after 200 ms, then twice as long up to
//! ten seconds, until pictures came for ten seconds. A picture older than `stale_ms` is never given; the error names the source and what
//! ffmpeg said. All ends with the tool, and the process also with ours, however that ends.
//!
//! What was tried: test patterns, files, streams over HTTP, RTSP that another ffmpeg brings, and the message for a card that is not there.
//! Cards themselves (V4L2, ALSA) and RTSP servers were not: only their command lines are compared.

mod arguments;
mod film;
mod input;
mod options;
mod process;
mod recording;
mod state;
mod supervisor;
mod words;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use headend_media::Sound;
use tokio::task::JoinSet;

pub use self::film::{can_make_mp4, to_mp4};
pub use self::input::Input;
pub use self::options::Options;
use self::state::State;
use crate::{Capture, DriverError, Place, Shot, Tool};

/// What a probe waits for a picture.
const PROBE_TIME: Duration = Duration::from_secs(9);
/// Sound is there this long after it was heard: ffmpeg's pieces have up to 100 ms, and a busy machine needs some more.
const SOUND_LAG_US: u64 = 250_000;

/// A source that is open, or about to be opened again.
#[derive(Debug)]
pub struct Ffmpeg {
    version: String,
    state: Arc<State>,
    /// Its supervisor, ended with it.
    _tasks: JoinSet<()>,
}

/// Starts ffmpeg and what watches over it. Does not wait for a picture: [`Tool::probe`] does.
///
/// # Errors
/// What [`Options::check`] finds, and a program that is no ffmpeg.
pub async fn start(options: &Options, place: &Place) -> Result<Ffmpeg, DriverError> {
    options.check()?;
    let version = process::version(options).await?;
    tracing::debug!(slot = place.slot, source = %options.input, version, "ffmpeg begins");
    let state = Arc::new(State::new(options.clone()));
    let mut tasks = JoinSet::new();
    tasks.spawn(supervisor::supervise(Arc::clone(&state)));
    Ok(Ffmpeg { version, state, _tasks: tasks })
}

impl Ffmpeg {
    /// How often ffmpeg was started again.
    pub fn restarts(&self) -> u64 {
        self.state.health().restarts
    }

    /// Number of its process, while there is one.
    pub fn process(&self) -> Option<u32> {
        self.state.process()
    }

    async fn first_picture(&self) -> Result<String, DriverError> {
        let mut pictures = self.state.pictures();
        let fresh = async { while self.state.latest().is_err() && pictures.changed().await.is_ok() {} };
        // Late or not, the source itself says what is wrong.
        let _ = tokio::time::timeout(PROBE_TIME, fresh).await;
        self.state.latest()?;
        let options = &self.state.options;
        let health = self.state.health();
        let sound = if health.sounds { "with sound" } else { "no sound" };
        let form = format!("{}x{}, up to {} a second", options.width, options.height, options.fps);
        Ok(format!("{}: {}, {form}, {sound}, {} restarts", self.version, options.input, health.restarts))
    }
}

impl Tool for Ffmpeg {
    fn name(&self) -> &'static str {
        "ffmpeg"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        self.first_picture().boxed()
    }
}

impl Capture for Ffmpeg {
    fn latest(&self) -> Result<Shot, DriverError> {
        self.state.latest()
    }

    fn frame_us(&self) -> u64 {
        1_000_000 / u64::from(self.state.options.fps)
    }

    fn sound(&self, from_us: u64, length_us: u64) -> Result<Option<Sound>, DriverError> {
        Ok(self.state.sound(from_us, length_us))
    }

    fn sound_lag_us(&self) -> u64 {
        if self.state.options.listens() { SOUND_LAG_US } else { 0 }
    }
}
