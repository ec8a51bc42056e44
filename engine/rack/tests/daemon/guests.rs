//! Rhai scripts through the whole daemon.

use headend_model::run::Incomplete;
use headend_model::{Outcome, TestResult};

use crate::lab::Lab;
use crate::server::eventually;

fn result(outcome: &Outcome) -> TestResult {
    match outcome {
        Outcome::Done { result, .. } => *result,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_drives_its_box_and_reports() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let script = r#"
        if args() != ["one", "two words"] { throw "arguments"; }
        connect(); reserve_slot(9);
        if allocations().slots != [3] { throw "slots"; }
        press("Channel+"); wait(86400);
        step("look", || { capture("zapped.png"); });
        log("seen"); print("printed");
        disconnect();
        result(PASS);
    "#;
    let run = lab.server.submit(script, 3);
    let outcome = lab.server.outcome(run).await;
    assert_eq!(result(&outcome), TestResult::Pass, "{outcome}");
    assert_eq!((lab.count("drive_begin", run.0), lab.count("press", run.0), lab.count("drive_end", run.0)), (1, 1, 1));
    // Evidence follows the end.
    let picture = eventually("the picture is with the server", || {
        lab.server.farm().files.get(&format!("{run}/zapped.png")).cloned()
    });
    assert!(picture.await.starts_with(b"\x89PNG"));
    let log =
        eventually("the log is with the server", || lab.server.farm().files.get(&format!("{run}/log.jsonl")).cloned());
    assert!(String::from_utf8(log.await).unwrap().contains("\"seen\""));
    let console = eventually("the console is with the server", || {
        lab.server.farm().files.get(&format!("{run}/console.txt")).cloned()
    });
    assert_eq!(console.await, b"printed\n");
    let page = eventually("the page is with the server", || {
        lab.server.farm().files.get(&format!("{run}/logfile.html")).cloned()
    });
    let page = String::from_utf8(page.await).unwrap();
    assert!(page.contains("PressButton(Channel+)") && page.contains("src=\"./thumbs/zapped_thumb.jpeg\""), "{page}");
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_end_has_its_outcome() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let server = &lab.server;
    let silent = server.submit("connect();", 1);
    assert!(matches!(server.outcome(silent).await, Outcome::Incomplete(Incomplete::NoResult(_))));
    let broken = server.submit("let x = ;", 1);
    assert!(matches!(
        server.outcome(broken).await,
        Outcome::Incomplete(Incomplete::CannotStart(_) | Incomplete::Crashed(_))
    ));
    let thrown = server.submit("throw \"oh no\";", 1);
    let outcome = server.outcome(thrown).await;
    assert!(matches!(&outcome, Outcome::Incomplete(Incomplete::Crashed(text)) if text.contains("oh no")), "{outcome}");
    let after = server.submit("result(PARTIAL_PASS); throw \"too late\";", 1);
    let Outcome::Done { result, comment } = server.outcome(after).await else { panic!() };
    assert_eq!(result, TestResult::PartialPass);
    assert!(comment.contains("crashed after its result") && comment.contains("too late"), "{comment}");
    let twice = server.submit("result(FAIL, \"first\"); result(PASS);", 1);
    assert_eq!(server.outcome(twice).await, Outcome::Done { result: TestResult::Fail, comment: "first".into() });
    let mut missing = server.order(("there.rhai", "result(PASS);"), &[1]);
    missing.script = "not-there.rhai".into();
    let missing = server.lease(missing);
    assert_eq!(server.outcome(missing).await, Outcome::Incomplete(Incomplete::ScriptMissing));
    let strange = server.lease(server.order(("readme.txt", "hello"), &[1]));
    assert!(matches!(server.outcome(strange).await, Outcome::Incomplete(Incomplete::CannotStart(_))));
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_script_ends_at_its_time_limit_and_by_a_stop() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let mut order = lab.server.order(("loop.rhai", "loop { connect(); }"), &[1]);
    order.time_limit_ms = 300;
    let limited = lab.server.lease(order);
    let outcome = lab.server.outcome(limited).await;
    assert!(
        matches!(&outcome, Outcome::Incomplete(Incomplete::Limit(text)) if text.contains("time of 0.3 s")),
        "{outcome}"
    );
    let stopped = lab.server.submit("loop { connect(); }", 2);
    eventually("it runs", || (lab.count("drive_begin", stopped.0) == 1).then_some(())).await;
    lab.server.ask_stop(stopped);
    assert_eq!(lab.server.outcome(stopped).await, Outcome::Killed);
    // The guests that were killed have been replaced.
    let next = lab.server.submit("result(PASS);", 1);
    assert_eq!(result(&lab.server.outcome(next).await), TestResult::Pass);
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_script_drives_several_slots() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let script = r#"connect(); reserve_slot(1); reserve_slot(2); press("Ok"); press("Menu", 2); result(PASS);"#;
    let run = lab.server.lease(lab.server.order(("both.rhai", script), &[2, 4]));
    assert_eq!(result(&lab.server.outcome(run).await), TestResult::Pass);
    assert_eq!(lab.count("press", run.0), 3);
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_over_all_slots_each_end_once() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let orders: Vec<_> = (0..400).map(|n| lab.server.order(("test.rhai", "result(PASS);"), &[1 + n % 4])).collect();
    let runs: Vec<_> = orders.iter().map(|order| order.lease.run).collect();
    let began = std::time::Instant::now();
    lab.server.work_off(orders);
    eventually("all have ended", || (lab.server.farm().ends.len() >= runs.len()).then_some(())).await;
    println!("{} runs in {:?}", runs.len(), began.elapsed());
    let seen = lab.seen();
    for run in &runs {
        assert_eq!(result(&lab.server.outcome(*run).await), TestResult::Pass);
        assert_eq!(seen.iter().filter(|(what, of)| what == "drive_begin" && *of == run.0).count(), 1);
    }
    assert_eq!(lab.server.farm().ends.len(), runs.len());
    let left = std::fs::read_dir(lab.folder.path().join("rack/runs")).unwrap().count();
    assert_eq!(left, 0, "runs with nothing to keep write nothing");
    rack.stop().await;
}
