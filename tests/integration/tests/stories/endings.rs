//! How scripts end: well, badly, twice, never, or leaving something behind.

use headend_integration::client::{request, slots, test};
use headend_integration::{Gate, Lab};
use headend_wire::api::{RunItem, TestRequest};

use super::scripts::python;

/// Runs one script on one box and gives its run.
async fn run(lab: &Lab, path: &str, source: &str) -> RunItem {
    lab.client.upload("public", &[(path, source.as_bytes())]).await;
    let one = TestRequest { time_limit_s: Some(5), ..test(path) };
    let job = lab.client.submit(&request("ending", &slots("rack1", [1]), [one])).await.job;
    lab.client.finished(job).await.run_list.remove(0)
}

#[tokio::test]
async fn a_script_without_a_result_is_incomplete_and_says_so() {
    let lab = Lab::start(1).await;
    for (path, source) in [("a.rhai", "let x = 1;".to_owned()), ("a.py", python("pass"))] {
        let run = run(&lab, path, &source).await;
        assert_eq!(run.result, 1, "{path}: {}", run.comment);
        assert!(run.comment.contains("no result"), "{path}: {}", run.comment);
    }
}

#[tokio::test]
async fn the_first_result_counts() {
    let lab = Lab::start(1).await;
    let rhai = "connect(\"s\", \"\"); reserve_slot(1); result(PASS); result(FAIL);".to_owned();
    let py = python("StormTest.ReturnTestResult(TM.PASS)\nStormTest.ReturnTestResult(TM.FAIL)");
    for (path, source) in [("a.rhai", rhai), ("a.py", py)] {
        let run = run(&lab, path, &source).await;
        assert_eq!(run.result, 111, "{path}: {}", run.comment);
    }
}

#[tokio::test]
async fn a_script_that_breaks_tells_where() {
    let lab = Lab::start(1).await;
    let rhai = run(&lab, "a.rhai", "let x = 1;\nnonesuch(x);").await;
    assert_eq!(rhai.result, 1);
    assert!(rhai.comment.contains("nonesuch") && rhai.comment.contains('2'), "{}", rhai.comment);
    let py = run(&lab, "a.py", &python("raise ValueError('broken box')")).await;
    assert_eq!(py.result, 1);
    assert!(py.comment.contains("broken box") || py.comment.contains("exit code 1"), "{}", py.comment);
}

#[tokio::test]
async fn a_script_that_ignores_sigterm_is_killed_at_its_limit() {
    let lab = Lab::start(1).await;
    let source = python("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(0.1)");
    let run = run(&lab, "stubborn.py", &source).await;
    assert_eq!(run.result, 1);
    assert!(run.comment.contains("limit"), "{}", run.comment);
}

#[tokio::test]
async fn what_a_script_leaves_behind_is_killed() {
    let lab = Lab::start(1).await;
    let gate = Gate::closed();
    let body = format!(
        "import socket\ntold, tell = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        {}        \
         os.write(tell, b'x')\n        while True:\n            gate.send(b'x')\n            time.sleep(0.05)\n    os._exit(0)\n\
         os.read(told, 1)\nStormTest.ReturnTestResult(TM.PASS)",
        gate.connect().replace('\n', "\n        ").trim_end_matches(' ')
    );
    let run = run(&lab, "leaky.py", &python(&body)).await;
    assert_eq!(run.result, 111, "{}", run.comment);
    // The end was reported, so nothing of it lives: the grandchild's connection is closed.
    gate.accept().gone();
}

#[tokio::test]
async fn a_grandchild_that_holds_the_output_does_not_hang_the_slot() {
    let lab = Lab::start(1).await;
    let source = python("StormTest.ReturnTestResult(TM.PASS)\nif os.fork() == 0:\n    time.sleep(3600)");
    assert_eq!(run(&lab, "holder.py", &source).await.result, 111);
    assert_eq!(run(&lab, "next.rhai", super::scripts::PASS).await.result, 111, "the slot is free again");
}
