//! The rack dies again and again; every run ends in exactly one way, none is started twice.

use headend_integration::client::{request, slots, test};
use headend_integration::{Lab, witness};

use super::scripts;

const KILLS: u64 = 50;

#[tokio::test]
async fn fifty_kills_of_a_rack_leave_every_run_with_one_end() {
    let mut lab = Lab::start(3).await;
    let files = [("a.rhai", scripts::PASS), ("b.rhai", scripts::SLOW)];
    lab.client.upload("public", &files.map(|(path, source)| (path, source.as_bytes()))).await;
    let mut jobs = Vec::new();
    for kill in 0..KILLS {
        let tests = [test("a.rhai"), test("b.rhai"), test("a.rhai")];
        jobs.push(lab.client.submit(&request(&format!("job-{kill}"), &slots("rack1", 1..=3), tests)).await.job);
        // Somewhere between the offer and the end of the first runs: the moment moves with each round.
        tokio::time::sleep(std::time::Duration::from_millis(kill * 7 % 120)).await;
        lab.rack.as_mut().unwrap().kill();
        lab.start_rack(&[]).await;
    }
    for job in jobs {
        let detail = lab.client.finished(job).await;
        assert_eq!(detail.run_list.len(), 9, "job {job}");
        for run in &detail.run_list {
            let told = run.result == 111 || (run.result == 1 && run.comment.contains("rack lost"));
            assert!(told, "job {job}: {run:#?}\n{}", lab.logs());
        }
    }
    witness::judge(&witness::read(&lab.witness()));
}

/// Still busy when the server is killed after its key press.
const LONG: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    press("Menu");
    for i in 0..2000000 { }
    result(PASS);
"#;

#[tokio::test]
async fn results_that_the_server_missed_are_delivered_later() {
    let mut lab = Lab::start(1).await;
    lab.client.upload("public", &[("a.rhai", LONG.as_bytes())]).await;
    let job = lab.client.submit(&request("job", &slots("rack1", [1]), [test("a.rhai")])).await.job;
    headend_integration::eventually("the run to start", || async {
        witness::read(&lab.witness()).iter().any(|seen| seen.what == "press").then_some(())
    })
    .await;
    lab.server.as_mut().unwrap().kill();
    headend_integration::eventually("the run to end on the rack", || async {
        witness::read(&lab.witness()).iter().any(|seen| seen.what == witness::END).then_some(())
    })
    .await;
    lab.start_server(&[]);
    let detail = lab.client.finished(job).await;
    assert_eq!(detail.run_list[0].result, 111, "{:?}\n{}", detail.run_list, lab.logs());
}
