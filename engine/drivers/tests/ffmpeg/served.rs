//! Streams over HTTP: live, in segments, cut, and back again.

use headend_drivers::tools::ffmpeg::{Input, Options};
use headend_drivers::{Tool, now_us};

use crate::server::{Served, Server};
use crate::{assert_tone, begin, common, heard, make, no_signal, options, picture_after, stream, trouble};

#[tokio::test]
async fn a_live_stream_is_seen_and_heard_cut_and_seen_again() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let server = Server::start(Served::Live, 0);
    let port = server.address.port();
    let input = Input::Stream { url: server.url("live.ts"), paced: Some(false) };
    let tool = begin(&Options { ..options(input) }).await;
    let first = picture_after(&tool, 0).await;
    assert_ne!(picture_after(&tool, first.at_us).await.picture, first.picture);
    assert_tone(&heard(&tool).await, 440.0);

    drop(server);
    let error = no_signal(&tool).await;
    assert!(error.starts_with(&format!("no signal: no picture from http://127.0.0.1:{port}/live.ts for ")), "{error}");
    let refused = common::awaited("the reason", || {
        let error = trouble(&tool)?;
        error.contains("Connection refused").then_some(error)
    })
    .await;
    assert!(refused.contains("ffmpeg ended with exit status"), "{refused}");

    let back_us = now_us();
    let _server = Server::start(Served::Live, port);
    picture_after(&tool, back_us).await;
    assert_tone(&heard(&tool).await, 440.0);
    assert!(tool.restarts() >= 1);
}

#[tokio::test]
async fn hls_is_played_at_its_own_pace() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let made = "-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=660:sample_rate=48000 -t 20 \
                -c:v mpeg2video -g 25 -c:a mp2 -f hls -hls_time 1 -hls_list_size 0";
    make(made, &folder.path().join("film.m3u8")).await;
    let server = Server::start(Served::Folder(folder.path().to_owned()), 0);
    let tool = begin(&options(stream(server.url("film.m3u8")))).await;
    let probed = tool.probe().await.unwrap();
    assert!(probed.contains("/film.m3u8, 320x180, up to 25 a second, with sound"), "{probed}");
    let first = picture_after(&tool, 0).await;
    // Not slowed down it would be over by now.
    picture_after(&tool, first.at_us + 3_000_000).await;
    assert_tone(&heard(&tool).await, 660.0);
    assert_eq!(tool.restarts(), 0);
}

#[tokio::test]
async fn a_stream_that_is_not_there_says_so() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Served::Folder(folder.path().to_owned()), 0);
    let url = server.url("nothing.ts").replace("http://", "http://me:secret@");
    let tool = begin(&options(stream(url))).await;
    let error = common::awaited("the reason", || trouble(&tool).filter(|error| error.contains("404"))).await;
    assert!(error.starts_with("no signal: no picture from http://…@127.0.0.1:"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

/// No small program of Debian serves RTSP. But ffmpeg can wait for another that brings its stream: the same protocol, turned around.
#[tokio::test]
async fn rtsp_is_seen_and_heard() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("rtsp://127.0.0.1:{port}/live");
    let listen = ["-rtsp_flags", "listen"].map(str::to_owned).to_vec();
    let tool = begin(&Options { arguments: listen, restart_after_ms: 60_000, ..options(stream(url.clone())) }).await;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let made = "-hide_banner -nostdin -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 -re -f lavfi \
                    -i sine=frequency=440:sample_rate=48000 -c:v mpeg2video -g 10 -c:a mp2 -f rtsp -rtsp_transport tcp";
        loop {
            // It ends with a complaint until the other one listens.
            let mut command = tokio::process::Command::new("ffmpeg");
            command.args(made.split_whitespace()).arg(&url).kill_on_drop(true).stderr(std::process::Stdio::null());
            let _ = command.status().await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    let first = picture_after(&tool, 0).await;
    assert_ne!(picture_after(&tool, first.at_us).await.picture, first.picture);
    assert_tone(&heard(&tool).await, 440.0);
}
