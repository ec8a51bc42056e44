//! Bytes on the wire that no sound client sends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Lab, PATIENCE};

/// Sends bytes and reads until the server closes, or until `enough` has come.
async fn talk(lab: &Lab, bytes: &[u8], enough: &str) -> String {
    let mut stream = TcpStream::connect(lab.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut text = Vec::new();
    let read = async {
        let mut piece = [0; 4_096];
        loop {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => text.extend_from_slice(&piece[..count]),
            }
            if !enough.is_empty() && String::from_utf8_lossy(&text).contains(enough) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the server neither answered nor closed");
    String::from_utf8_lossy(&text).into_owned()
}

fn head(lab: &Lab, method: &str, path: &str, more: &str) -> String {
    let token = lab.client.token.clone().unwrap();
    format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{more}\r\n", lab.address())
}

#[tokio::test]
async fn a_body_of_ten_gigabytes_is_refused_before_it_comes() {
    let lab = Lab::start().await;
    let length = "Content-Length: 10737418240\r\nContent-Type: application/json\r\n";
    let hash = "0".repeat(64);
    for (method, path) in [("POST", "/api/v1/jobs"), ("PUT", &format!("/api/v1/blobs/{hash}"))] {
        let answer = talk(&lab, head(&lab, method, path, length).as_bytes(), "too_large").await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"code\":\"too_large\""), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_chunked_body_without_end_is_cut_at_the_limit() {
    let lab = Lab::start_with(|options| options.limits.json_bytes = 10_000).await;
    let mut bytes =
        head(&lab, "POST", "/api/v1/jobs", "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n");
    for _ in 0..20 {
        bytes.extend(["400\r\n", &" ".repeat(1_024), "\r\n"]);
    }
    let answer = talk(&lab, bytes.as_bytes(), "too_large").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn silent_and_slow_connections_are_closed() {
    let lab = Lab::start_with(|options| {
        options.limits.header_timeout = Duration::from_millis(200);
        options.limits.body_timeout = Duration::from_millis(200);
    })
    .await;
    assert_eq!(talk(&lab, b"", "").await, "", "nothing was sent, nothing comes back, and the connection is closed");
    talk(&lab, b"GET /healthz HTTP/1.1\r\nHost: loc", "").await;
    let half = head(&lab, "POST", "/api/v1/jobs", "Content-Length: 100\r\nContent-Type: application/json\r\n") + "{";
    let answer = talk(&lab, half.as_bytes(), "too_slow").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// The head of an answer and as much of its body as it says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.unwrap().parse::<usize>().unwrap()
}

/// A client that sends on a connection while that is being closed gets no answer: connections are kept longer than clients keep them.
#[tokio::test]
async fn a_connection_may_rest_between_two_requests_and_not_within_a_head() {
    let lab = Lab::start_with(|options| options.limits.header_timeout = Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(lab.address()).await.unwrap();
    for _ in 0..2 {
        stream.write_all(head(&lab, "GET", "/api/v1/server", "").as_bytes()).await.unwrap();
        let mut text = Vec::new();
        while !is_whole(&text) {
            let count = tokio::time::timeout(PATIENCE, stream.read_buf(&mut text)).await.unwrap().unwrap();
            assert!(count > 0, "closed: {}", String::from_utf8_lossy(&text));
        }
        assert!(text.starts_with(b"HTTP/1.1 200 "));
        // Longer than a head may take.
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    closed.expect("a head that does not end is given up").ok();
}

#[tokio::test]
async fn a_submit_that_breaks_off_leaves_nothing() {
    let lab = Lab::start().await;
    lab.rack("rack1", 1).await;
    let body = serde_json::to_string(&crate::support::job("a.py", &[1])).unwrap();
    for cut in (0..body.len()).step_by(10) {
        let more = format!("Content-Length: {}\r\nContent-Type: application/json\r\n", body.len());
        let mut stream = TcpStream::connect(lab.address()).await.unwrap();
        let request = head(&lab, "POST", "/api/v1/jobs", &more) + &body[..cut];
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    let jobs = lab.client.get("/api/v1/jobs").await.json();
    assert_eq!(jobs["jobs"], serde_json::json!([]));
}

#[tokio::test]
async fn requests_without_or_with_two_hosts_are_refused() {
    let lab = Lab::start().await;
    let answer = talk(&lab, b"GET /healthz HTTP/1.1\r\n\r\n", "wrong_host").await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    let answer =
        talk(&lab, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "bad_request").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
