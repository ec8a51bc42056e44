//! Keys and pictures, by way of the fake server.

use std::sync::Arc;

use headend_drivers::tools::adb::{Adb, Options, start};
use headend_drivers::{Capture, DriverError, Remote, Shot, Tool, now_us};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common;
use crate::fake_server::{Device, FakeServer, SERIAL, picture};

fn options(address: std::net::SocketAddr) -> Options {
    Options { server: address.to_string(), poll_ms: 20, ..Options::of(SERIAL) }
}

async fn begin(options: &Options) -> Arc<Adb> {
    let (_folder, place) = common::place(3);
    Arc::new(start(options, &place).await.unwrap())
}

/// Where it may wait.
async fn latest(adb: &Arc<Adb>) -> Result<Shot, DriverError> {
    let adb = Arc::clone(adb);
    tokio::task::spawn_blocking(move || adb.latest()).await.unwrap()
}

#[tokio::test]
async fn a_probe_names_the_device() {
    for modern in [true, false] {
        let server = FakeServer::start(Device { modern, ..Device::default() }).await;
        let adb = begin(&options(server.address)).await;
        assert_eq!(adb.probe().await.unwrap(), format!("adb server 41, {SERIAL}: Fake TV, Android 12"));
    }
}

#[tokio::test]
async fn keys_are_pressed_in_both_shells() {
    for modern in [true, false] {
        let server = FakeServer::start(Device { modern, ..Device::default() }).await;
        let keys = [("Guide".to_owned(), "KEYCODE_TV".to_owned())].into();
        let adb = begin(&Options { keys, ..options(server.address) }).await;
        for key in ["Vol+", "TV_Guide", "Guide", "7"] {
            assert!(adb.press(key).await.unwrap(), "{key}");
        }
        let shell = if modern { "shell,v2:" } else { "shell:" };
        let codes: Vec<String> = server.asked(shell).iter().map(|asked| asked.replace(shell, "")).collect();
        let want = ["VOLUME_UP", "GUIDE", "TV", "7"].map(|code| format!("input keyevent KEYCODE_{code}"));
        assert_eq!(codes, want);
        let error = adb.press("Warp").await.unwrap_err().to_string();
        assert!(error.contains("keys = { \"Warp\" = \"KEYCODE_…\" }"), "{error}");
        server.change(|device| device.status = 255);
        assert!(!adb.press("Ok").await.unwrap(), "the device said no");
    }
}

#[tokio::test]
async fn pictures_come_while_somebody_looks() {
    let server = FakeServer::start(Device::default()).await;
    let adb = begin(&Options { idle_ms: 100, ..options(server.address) }).await;
    assert!(server.asked("exec:").is_empty(), "nobody has looked");
    let before_us = now_us();
    let shot = latest(&adb).await.unwrap();
    assert_eq!((shot.picture.width(), shot.picture.height(), shot.picture.row(1)), (4, 2, &[10, 20, 30].repeat(4)[..]));
    assert!(shot.at_us >= before_us && shot.at_us <= now_us());
    server.change(|device| device.screen = Some(picture([90, 80, 70])));
    let changed = async {
        while latest(&adb).await.unwrap().picture.row(0)[0] != 90 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(common::LONGEST, changed).await.unwrap();
    // Nobody looks: the last fetch ends, and no other begins.
    let mut last = (0, now_us());
    common::awaited("peace", || {
        let count = server.asked("exec:").len();
        if count != last.0 {
            last = (count, now_us());
        }
        (now_us() - last.1 > 500_000).then_some(())
    })
    .await;
    assert!(latest(&adb).await.is_ok(), "and it wakes");
    let count = last.0;
    common::awaited("a fetch", || (server.asked("exec:").len() > count).then_some(())).await;
}

#[tokio::test]
async fn no_picture_is_no_signal_and_says_why() {
    let server =
        FakeServer::start(Device { screen: Some(b"screencap: no display".to_vec()), ..Device::default() }).await;
    let adb = begin(&Options { timeout_ms: 300, stale_ms: 100, ..options(server.address) }).await;
    let begin = format!("no signal: no picture of {SERIAL}: ");
    let garbage = latest(&adb).await.unwrap_err().to_string();
    assert!(garbage.starts_with(&begin) && garbage.contains("it begins \"screencap: no display\""), "{garbage}");
    for (screen, said) in [(None, "no answer within 300 ms"), (Some(Vec::new()), "it is empty")] {
        server.change(|device| device.screen = screen);
        let told = async {
            loop {
                let error = latest(&adb).await.unwrap_err().to_string();
                assert!(error.starts_with(&begin), "{error}");
                if error.contains(said) {
                    return;
                }
            }
        };
        tokio::time::timeout(common::LONGEST, told).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_helps() {
    let server = FakeServer::start(Device { state: "unauthorized", ..Device::default() }).await;
    let adb = begin(&options(server.address)).await;
    let error = adb.probe().await.unwrap_err().to_string();
    assert!(error.contains(&format!("device {SERIAL} is unauthorized")), "{error}");
    let error = adb.press("Ok").await.unwrap_err().to_string();
    assert!(error.contains("confirm this host's key on the screen"), "{error}");

    let stranger = begin(&Options { serial: "nobody".to_owned(), ..options(server.address) }).await;
    let error = stranger.probe().await.unwrap_err().to_string();
    assert_eq!(error, format!("adb server knows no device nobody, but {SERIAL}, other; connect it, or set serial"));
    let error = stranger.press("Ok").await.unwrap_err().to_string();
    assert!(error.contains("device 'nobody' not found; `adb devices` lists"), "{error}");

    let address = server.address;
    drop(server);
    let error = common::awaited("a server that is gone", || Some(adb.press("Ok"))).await.await.unwrap_err().to_string();
    assert!(error.contains(&format!("adb server at {address}")) || error.contains("adb start-server"), "{error}");
}

#[tokio::test]
async fn answers_without_sense_or_end_are_broken_off() {
    for (answer, said) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "is it an adb server?"),
        (b"OKAYzzzz", "is no length"),
        (b"OKAY00", "early eof"),
        (b"OKAY0004wxyz", "is no version"),
        (b"", "early eof"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let adb = begin(&options(listener.local_addr().unwrap())).await;
        let peer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"000chost:version");
            stream.write_all(answer).await.unwrap();
        };
        let (probed, ()) = tokio::join!(adb.probe(), peer);
        let error = probed.unwrap_err().to_string();
        assert!(error.contains(said), "{answer:?}: {error}");
    }
}
