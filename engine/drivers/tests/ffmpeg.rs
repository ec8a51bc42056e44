//! Stories of ffmpeg, the real one.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

#[path = "ffmpeg/films.rs"]
mod films;
#[path = "ffmpeg/life.rs"]
mod life;
#[path = "ffmpeg/served.rs"]
mod served;
#[path = "ffmpeg/server.rs"]
mod server;
#[path = "ffmpeg/sources.rs"]
mod sources;

use headend_drivers::tools::ffmpeg::{Ffmpeg, Input, Options, start};
use headend_drivers::{Capture, Shot, now_us};
use headend_media::Sound;

/// Small pictures: the machine has other work.
fn options(input: Input) -> Options {
    Options { width: 320, height: 180, ..Options::of(input) }
}

fn graph(lavfi: &str, audio: Option<&str>) -> Input {
    Input::Graph { lavfi: lavfi.to_owned(), audio: audio.map(str::to_owned) }
}

fn stream(url: String) -> Input {
    Input::Stream { url, paced: None }
}

async fn begin(options: &Options) -> Ffmpeg {
    let (_folder, place) = common::place(1);
    start(options, &place).await.unwrap()
}

/// The first picture that is newer than this.
async fn picture_after(tool: &Ffmpeg, at_us: u64) -> Shot {
    common::awaited("a new picture", || tool.latest().ok().filter(|shot| shot.at_us > at_us)).await
}

/// "no signal", and why.
async fn no_signal(tool: &Ffmpeg) -> String {
    common::awaited("no signal", || trouble(tool)).await
}

/// Why there is no picture, if there is none.
fn trouble(tool: &Ffmpeg) -> Option<String> {
    tool.latest().err().map(|error| error.to_string())
}

/// A third of a second of what was heard lately.
async fn heard(tool: &Ffmpeg) -> Sound {
    const LENGTH_US: u64 = 300_000;
    common::awaited("sound", || {
        let from_us = now_us() - LENGTH_US - tool.sound_lag_us();
        let sound = tool.sound(from_us, LENGTH_US).unwrap();
        sound.filter(|sound| sound.count() == 14_400)
    })
    .await
}

fn assert_tone(sound: &Sound, hertz: f64) {
    assert_eq!((sound.rate(), sound.channels()), (48_000, 2));
    for channel in 0..2 {
        let (tone, other) =
            (sound.tone(channel, sound.whole(), hertz), sound.tone(channel, sound.whole(), hertz * 1.5));
        assert!(
            tone > 0.95 && other < 0.05,
            "channel {channel}: {hertz} Hz has {tone}, {} Hz has {other}",
            hertz * 1.5
        );
    }
}

/// Runs ffmpeg to make something.
async fn make(arguments: &str, file: &std::path::Path) {
    let mut command = tokio::process::Command::new("ffmpeg");
    command.args("-hide_banner -nostdin -loglevel error -y".split(' ')).args(arguments.split_whitespace()).arg(file);
    let output = tokio::time::timeout(common::LONGEST, command.kill_on_drop(true).output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
