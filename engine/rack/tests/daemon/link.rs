//! Lost answers, absent servers, wrong tokens.

use std::time::Duration;

use headend_rack::{Rack, RackError};

use crate::lab::Lab;

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_lose_no_end_and_start_nothing_twice() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let mut runs = Vec::new();
    for round in 0..20 {
        lab.server.farm().lose = round % 4;
        runs.push(lab.server.submit("result(PASS);", 1 + (round % 4) as u16));
        if round % 5 == 4 {
            for run in &runs {
                assert!(lab.server.outcome(*run).await.is_pass());
            }
        }
    }
    for run in &runs {
        assert!(lab.server.outcome(*run).await.is_pass());
        assert_eq!(lab.count("drive_begin", run.0), 1);
    }
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_without_or_with_a_wrong_token_is_told_what_to_do() {
    let lab = Lab::new().await;
    let mut options = lab.options();
    options.enrol_token = None;
    let error = Rack::start(options).await.unwrap_err();
    assert!(matches!(error, RackError::NoToken { .. }), "{error}");
    let mut options = lab.options();
    options.enrol_token = Some("forged".into());
    let error = Rack::start(options).await.unwrap_err();
    assert!(matches!(error, RackError::Refused { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_server_is_an_error_after_the_patience() {
    let lab = Lab::new().await;
    let mut options = lab.options();
    // A port that nobody listens on: bound and given up again.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    options.server = format!("http://{free}");
    options.patience = Some(Duration::from_millis(300));
    let error = Rack::start(options).await.unwrap_err();
    assert!(matches!(error, RackError::Unreachable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_rack_ends_by_itself_and_leaves_no_process() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let run = lab.server.submit("result(PASS);", 1);
    assert!(lab.server.outcome(run).await.is_pass());
    rack.drain();
    rack.finished().await;
    rack.stop().await;
    let left = std::fs::read_dir(lab.folder.path().join("rack/pids")).unwrap().count();
    assert_eq!(left, 0);
}
