//! A backup is put back: the server is told so, and gives out nothing that the lost past gave out.

use std::path::Path;
use std::process::Command;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::QUICK_LEASES;
use headend_integration::{Lab, Process, eventually};
use reqwest::StatusCode;

use super::scripts;

/// Handles begin anew this far above those of the backup (design 0013).
const ERA: u64 = 1_000_000;

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "cp -a {} {}", from.display(), to.display());
}

/// `headend serve --restored`, on the lab's folder and port.
fn start_restored(lab: &mut Lab) {
    let (listen, data) = (format!("127.0.0.1:{}", lab.port), lab.server_data());
    let config = data.join("credentials.toml");
    let mut environment = vec![("HEADEND_CONFIG", config.to_str().unwrap())];
    environment.extend_from_slice(QUICK_LEASES);
    let arguments = ["serve", "--restored", "--data", data.to_str().unwrap(), "--listen", &listen, "--cpu-gate", "100"];
    lab.server = Some(Process::spawn(&arguments, &environment, &lab.folder.path().join("restored.log")));
}

#[tokio::test]
async fn a_server_on_a_backup_starts_a_new_era_and_says_so() {
    let mut lab = Lab::start(1).await;
    let backup = lab.folder.path().join("backup");
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    let job = || request("one", &slots("rack1", 1..=1), [test("a.rhai")]);
    let kept = lab.client.submit(&job()).await.job;
    lab.client.finished(kept).await;
    assert!(lab.server.take().unwrap().stop().success());
    copy(&lab.server_data(), &backup);
    lab.start_server(&[]);
    lab.server_ready().await;
    let lost = lab.client.submit(&job()).await.job;
    lab.client.finished(lost).await;

    assert!(lab.server.take().unwrap().stop().success());
    std::fs::remove_dir_all(lab.server_data()).unwrap();
    copy(&backup, &lab.server_data());
    start_restored(&mut lab);
    lab.server_ready().await;

    let said = eventually("the server to say what it did", || {
        let log = lab.server.as_ref().unwrap().log();
        std::future::ready(log.lines().find(|line| line.contains("a backup was put back")).map(str::to_owned))
    })
    .await;
    // A lease of 3 s, the kill bound of 1 s, a margin of 0.2 s.
    assert!(said.contains("(generation 1)") && said.contains("nothing is leased for 4.2 s"), "{said}");
    assert_eq!(lab.client.get(&format!("/jobs/{lost}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(lab.client.job(kept).await.item.job, kept);
    let fresh = eventually("the server to take a job", || async {
        let answer = lab.client.post("/jobs", &job()).await;
        answer.status.is_success().then(|| answer.json::<headend_wire::api::SubmitAnswer>().job)
    })
    .await;
    assert!(fresh > lost && fresh >= ERA, "handle {fresh} after {lost}");
    let ended = lab.client.finished(fresh).await;
    assert!(ended.run_list.iter().all(|run| run.result == 111), "{:#?}\n{}", ended.run_list, lab.logs());
    let runs_of_backup = lab.client.job(kept).await.run_list;
    assert!(ended.run_list[0].run > runs_of_backup[0].run + 1, "a run number of the lost past was given again");
}
