//! Films coded anew for players.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use headend_drivers::tools::ffmpeg::{can_make_mp4, to_mp4};

use crate::{common, make};

fn empty(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap()
}

/// What ffprobe says of a film's pictures: kind, width, how many.
async fn probed(file: &Path) -> String {
    let mut command = tokio::process::Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-count_packets",
        "-show_entries",
        "stream=codec_name,width,nb_read_packets",
        "-of",
        "csv=p=0",
    ]);
    let output =
        tokio::time::timeout(common::LONGEST, command.arg(file).kill_on_drop(true).output()).await.unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_film_of_ours_becomes_an_mp4_with_all_its_pictures() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    assert!(can_make_mp4());
    let folder = tempfile::tempdir().unwrap();
    let (film, mp4) = (folder.path().join("a film: 1.avi"), folder.path().join("a film: 1.mp4"));
    // Of odd height: H.264 wants even sides.
    make("-f lavfi -i testsrc2=size=320x181:rate=10 -t 3 -c:v mjpeg -q:v 5", &film).await;
    to_mp4(File::open(&film).unwrap(), empty(&mp4), common::LONGEST).await.unwrap();
    assert_eq!(probed(&mp4).await, "h264,320,30");
    let bytes = std::fs::read(&mp4).unwrap();
    let place = |atom: &[u8]| bytes.windows(4).position(|four| four == atom).unwrap();
    assert!(place(b"moov") < place(b"mdat"), "a player need not have all of it to begin");
}

#[tokio::test]
async fn what_is_no_film_of_ours_or_takes_too_long_is_told() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // A list that names another file is not followed.
    std::fs::write(at("list"), format!("#EXTM3U\n#EXTINF:1,\nfile:{}\n", at("secret.ts").display())).unwrap();
    let error = to_mp4(File::open(at("list")).unwrap(), empty(&at("list.mp4")), common::LONGEST).await.unwrap_err();
    assert!(error.to_string().contains("makes no MP4: exit status"), "{error}");
    make("-f lavfi -i testsrc2=size=320x180:rate=25 -t 20 -c:v mjpeg", &at("long.avi")).await;
    let late = to_mp4(File::open(at("long.avi")).unwrap(), empty(&at("long.mp4")), Duration::from_millis(1)).await;
    assert!(late.unwrap_err().to_string().contains("not done within"), "it was given a millisecond");
}
