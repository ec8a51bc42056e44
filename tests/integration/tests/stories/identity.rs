//! Who may do what, and that nobody is there twice.

use headend_integration::lab::{Process, free_port};
use headend_integration::{Lab, eventually};
use reqwest::StatusCode;

#[tokio::test]
async fn no_token_and_a_wrong_token_are_turned_away() {
    let lab = Lab::start(1).await;
    for token in ["", "wrong", "Bearer"] {
        let answer = lab.client.with_token(token).get("/jobs").await;
        assert_eq!((answer.status, answer.problem().code.as_str()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_names_the_first() {
    let lab = Lab::start(1).await;
    let data = lab.server_data();
    let listen = format!("127.0.0.1:{}", free_port());
    let log = lab.folder.path().join("second.log");
    let mut second = Process::spawn(&["serve", "--data", data.to_str().unwrap(), "--listen", &listen], &[], &log);
    eventually("the second server to give up", || std::future::ready(second.ended())).await;
    let pid = lab.server.as_ref().unwrap().pid().to_string();
    assert!(second.log().contains(&pid), "the first one's pid {pid} is not named:\n{}", second.log());
}

#[tokio::test]
async fn a_second_rack_with_the_same_identity_is_refused() {
    let lab = Lab::start(1).await;
    let copy = lab.folder.path().join("copy");
    copy_folder(&lab.folder.path().join("rack1"), &copy);
    let server = format!("http://127.0.0.1:{}", lab.port);
    let log = lab.folder.path().join("second.log");
    let arguments = ["rack", "--server", &server, "--name", "rack1", "--data", copy.to_str().unwrap(), "--slots", "1"];
    let mut second = Process::spawn(&arguments, &[], &log);
    let refusal = eventually("the second rack to be refused", || {
        let log = second.log();
        std::future::ready(log.lines().find(|line| line.contains("refuses")).map(str::to_owned))
    })
    .await;
    assert!(refusal.contains("rack1"), "{refusal}");
    second.stop();
    lab.rack_online().await;
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_folder(&entry.path(), &target),
            kind if kind.is_file() => drop(std::fs::copy(entry.path(), target).unwrap()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_enrol_token_works_once() {
    let lab = Lab::start(1).await;
    let token = lab.enrol_token().await;
    let enrol = serde_json::json!({"protocol": headend_wire::PROTOCOL, "name": "rack2"});
    let client = lab.client.with_token(&token);
    assert!(client.post("/racks/enrol", &enrol).await.status.is_success());
    assert_eq!(client.post("/racks/enrol", &enrol).await.status, StatusCode::UNAUTHORIZED);
}
