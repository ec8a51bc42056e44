//! Test patterns, files, and what is not there.

use headend_drivers::tools::ffmpeg::{Input, Options};
use headend_drivers::{Capture, Tool, now_us};

use crate::{assert_tone, begin, common, graph, heard, make, no_signal, options, picture_after};

#[tokio::test]
async fn a_test_pattern_moves_and_sounds() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let input = graph("testsrc2=size=640x360:rate=25", Some("sine=frequency=440:sample_rate=48000"));
    let tool = begin(&Options { sound: Some(true), ..options(input) }).await;
    let probed = tool.probe().await.unwrap();
    assert!(probed.starts_with("ffmpeg ") && probed.contains("320x180, up to 25 a second, with sound"), "{probed}");
    let first = picture_after(&tool, 0).await;
    assert_eq!((first.picture.width(), first.picture.height(), first.picture.is_grey()), (320, 180, false));
    assert!(first.at_us <= now_us());
    let next = picture_after(&tool, first.at_us).await;
    assert_ne!(next.picture, first.picture, "the pattern moves");
    assert_tone(&heard(&tool).await, 440.0);
    assert_eq!((tool.frame_us(), tool.name(), tool.restarts()), (40_000, "ffmpeg", 0));
}

#[tokio::test]
async fn colours_arrive_as_they_were_drawn() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let tool = begin(&options(graph("color=c=0x2060C0:size=640x360:rate=10,format=rgb24", None))).await;
    let shot = picture_after(&tool, 0).await;
    let near = |pixel: &[u8]| pixel.iter().zip([0x20_u8, 0x60, 0xC0]).all(|(have, want)| have.abs_diff(want) <= 2);
    assert!(shot.picture.rows().all(|row| row.chunks(3).all(near)), "{:?}", &shot.picture.row(0)[..3]);
    assert_eq!(tool.sound(0, 1_000_000).unwrap(), None, "no sound was asked for");
    assert_eq!(tool.sound_lag_us(), 0);
}

#[tokio::test]
async fn a_film_plays_again_and_again() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a film: 1.mkv");
    let made = "-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=1000:sample_rate=48000 -t 1 -c:v mpeg4 -c:a pcm_s16le";
    make(made, &file).await;
    let tool = begin(&options(Input::File { file, repeat: None })).await;
    let first = picture_after(&tool, 0).await;
    // Longer than the film is.
    picture_after(&tool, first.at_us + 2_000_000).await;
    assert_tone(&heard(&tool).await, 1000.0);
    assert_eq!(tool.restarts(), 0);
}

#[tokio::test]
async fn a_silent_film_is_watched_without_sound() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("silent.mkv");
    make("-f lavfi -i testsrc2=size=320x180:rate=25 -t 1 -c:v mpeg4", &file).await;
    let input = Input::File { file, repeat: None };
    let tool = begin(&options(input.clone())).await;
    let probed = tool.probe().await.unwrap();
    assert!(probed.contains("no sound, 0 restarts"), "{probed}");
    let strict = begin(&Options { sound: Some(true), ..options(input) }).await;
    let error = common::awaited("the reason", || {
        let error = strict.latest().err()?.to_string();
        error.contains("matches no streams").then_some(error)
    });
    assert!(error.await.starts_with("no signal: no picture from "));
}

#[tokio::test]
async fn a_film_that_is_played_once_ends() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("once.mkv");
    make("-f lavfi -i testsrc2=size=320x180:rate=25 -t 1 -c:v mpeg4", &file).await;
    let tool = begin(&options(Input::File { file, repeat: Some(false) })).await;
    picture_after(&tool, 0).await;
    let error = no_signal(&tool).await;
    assert!(error.contains("ffmpeg came to the end of its input"), "{error}");
    assert_eq!((tool.restarts(), tool.process()), (0, None));
}

#[tokio::test]
async fn a_card_that_is_not_there_is_named_with_its_trouble() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let input = Input::Card { v4l2: "/dev/video-of-nobody".into(), alsa: None };
    let tool = begin(&options(input)).await;
    let error = common::awaited("the reason", || {
        let error = tool.latest().err()?.to_string();
        error.contains("No such file or directory").then_some(error)
    })
    .await;
    assert!(error.starts_with("no signal: no picture from /dev/video-of-nobody yet; ffmpeg "), "{error}");
    let error = tool.probe().await.unwrap_err().to_string();
    assert!(error.contains("No such file or directory"), "{error}");
    common::awaited("another try", || (tool.restarts() > 1).then_some(())).await;
}

#[tokio::test]
async fn a_program_that_is_no_ffmpeg_is_told_at_the_start() {
    let (_folder, place) = common::place(1);
    let options = Options { program: "/bin/true".to_owned(), ..options(graph("testsrc2", None)) };
    let error = headend_drivers::tools::ffmpeg::start(&options, &place).await.unwrap_err().to_string();
    assert!(error.contains("/bin/true -version") && error.contains("is it ffmpeg?"), "{error}");
}
