//! Serial lines, results, faults, and what a run leaves for people.

use serde_json::json;

use super::fake::Fake;
use super::looking::watch;
use super::*;

#[tokio::test]
async fn serial_lines_are_read_and_kept_from_the_reservation_on() {
    let device = Fake::in_virtual_time();
    device.reach(3_500_000).await;
    let mut bench = bench_of(&[1], vec![device.clone()]);
    bench.ready(&[1]).await;
    let read = |from| Call::SerialRead { from, slot: None };
    assert_eq!(bench.ok(read(0)).await[0]["value"], json!({ "lines": [], "next": 3, "lost": 0 }));
    bench.ok(Call::Wait { ms: 2_000 }).await;
    let news = bench.ok(read(0)).await[0]["value"].clone();
    assert_eq!(news["lines"][0], json!({ "at_us": 3_000_000, "text": "second <3>" }));
    assert_eq!((news["next"].as_u64(), news["lines"].as_array().map(Vec::len)), (Some(5), Some(2)));
    assert_eq!(bench.ok(read(5)).await[0]["value"]["lines"], json!([]));
    let send = |bytes: &str| Call::SerialSend { bytes: bytes.into(), slot: None };
    assert_eq!(bench.ok(send("a\u{ff}\r")).await, json!([{ "slot": 1, "value": true }]));
    assert_eq!(device.sent(), [b'a', 0xff, b'\r']);
    assert_eq!(bench.error(send("€")).await, "bad_call");
    bench.session.close().await;
    bench.session.finish("done");
    let kept = std::fs::read_to_string(bench.out.path().join("run/serial.txt")).unwrap();
    assert_eq!(kept, "[3.000] slot 1: second <3>\n[4.000] slot 1: second <4>\n");
    assert!(bench.page().contains("slot 1: second &lt;3&gt;"));
}

#[tokio::test]
async fn a_device_that_talks_is_no_reason_to_keep_a_run() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 5_000 }).await;
    bench.ok(result(111)).await;
    bench.session.close().await;
    assert!(!bench.session.finish("done"));
    assert!(!bench.out.path().join("run").exists());
}

fn measured(name: &str, value: f64, (low, high): (Option<f64>, Option<f64>)) -> Call {
    Call::Measure { name: name.into(), value, unit: Some("s".into()), low, high }
}

#[tokio::test]
async fn limits_judge_a_measurement_and_not_the_run() {
    let mut bench = bench(&[1]);
    for (name, value, limits, within) in [
        ("zap", 1.5, (None, Some(2.0)), true),
        ("zap", 2.5, (None, Some(2.0)), false),
        ("level", -20.0, (Some(-18.0), None), false),
        ("boot", 20.0, (Some(20.0), Some(30.0)), true),
    ] {
        assert_eq!(bench.ok(measured(name, value, limits)).await, json!(within), "{name} {value}");
    }
    let wrong = bench.refusal(measured("zap", 1.0, (Some(2.0), Some(1.0)))).await;
    assert!(wrong.code == "bad_call" && wrong.message.contains("lower limit 2"), "{wrong:?}");
    assert_eq!(bench.error(measured("zap", 1.0, (Some(f64::NAN), None))).await, "bad_call");
    bench.ok(result(111)).await;
    assert_eq!(bench.session.reported().map(|reported| reported.result), headend_model::TestResult::from_code(111));
    bench.session.close().await;
    bench.session.finish("done");
    let events = bench.events();
    let found: Vec<_> = events.iter().filter(|event| event["kind"] == "measure").collect();
    assert_eq!((&found[1]["low"], &found[1]["high"], &found[1]["within"]), (&Value::Null, &json!(2.0), &json!(false)));
    assert_eq!(found.len(), 4);
    let page = bench.page();
    assert!(page.contains("zap = 2.5 s, at most 2: outside"), "{page}");
    assert!(page.contains("<tr class=\"fail\"><td>zap<td>2.5<td>s, at most 2: outside"), "{page}");
    assert!(page.contains("boot = 20.0 s, 20 to 30: within"), "{page}");
}

#[tokio::test]
async fn measurements_and_files_are_results() {
    let mut bench = bench(&[1]);
    let measure = |name: &str, value| measured(name, value, (None, None));
    assert_eq!(bench.ok(measure("zap", 1.5)).await, Value::Null);
    for bad in [measure("zap", f64::NAN), measure("", 1.0), measure(&"x".repeat(201), 1.0)] {
        assert_eq!(bench.error(bad).await, "bad_call");
    }
    let run = bench.out.path().join("run");
    std::fs::create_dir_all(run.join("sub")).unwrap();
    std::fs::write(run.join("sub/data.csv"), "1,2").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", run.join("link")).unwrap();
    let artifact = |path: &str| Call::Artifact { path: path.into(), name: Some("data".into()) };
    assert_eq!(bench.ok(artifact("sub/data.csv")).await, Value::Null);
    assert_eq!(bench.ok(artifact(&run.join("sub/data.csv").display().to_string())).await, Value::Null);
    for bad in ["nothing", "../own-analysers", "/etc/passwd", "link", "sub"] {
        assert_eq!(bench.error(artifact(bad)).await, "bad_call", "{bad}");
    }
    bench.session.finish("done");
    let events = bench.events();
    let found = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap().clone();
    assert_eq!((found("measure")["value"].as_f64(), found("measure")["unit"].as_str()), (Some(1.5), Some("s")));
    assert_eq!(
        (found("artifact")["path"].as_str(), found("artifact")["bytes"].as_u64()),
        (Some("sub/data.csv"), Some(3))
    );
}

#[tokio::test]
async fn signal_and_faults_are_the_devices() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let signal = bench.ok(Call::Signal { slot: None }).await;
    assert_eq!(signal[0]["value"], json!({ "present": true, "width": 320, "height": 180, "rate": 25.0 }));
    let inject = |fault: &str| Call::Inject { fault: fault.into(), slot: None };
    assert_eq!(bench.ok(inject("freeze 5s")).await, json!([{ "slot": 1, "value": true }]));
    let error = bench.refusal(inject("explode")).await;
    assert!(error.code == "device" && error.message.contains("freeze 5s"), "{error:?}");
}

#[tokio::test]
async fn a_long_wait_costs_a_real_device_a_few_pictures_and_a_virtual_box_none() {
    let mut boxed = bench(&[1]);
    boxed.ready(&[1]).await;
    boxed.ok(press("Ok", None)).await;
    boxed.ok(Call::Wait { ms: 20_000 }).await;
    assert_eq!(boxed.session.scenes[0].strip().times(), [0; 0], "it draws them when somebody asks");
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 13 }).await;
    bench.ok(press("Ok", None)).await;
    let before = bench.session.scenes[0].driver.now_us();
    bench.ok(Call::Wait { ms: 86_400_007 }).await;
    assert_eq!(bench.session.scenes[0].driver.now_us() - before, 86_400_007_000);
    let times = bench.session.scenes[0].strip().times();
    assert!((45..=51).contains(&times.len()), "{times:?}");
}

#[tokio::test]
async fn a_failure_of_a_box_shows_all_of_its_last_seconds_though_nobody_has_looked() {
    let mut bench = bench(&[1]);
    let device = bench.session.scenes[0].driver.clone();
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 30_000 }).await;
    bench.ok(press("Channel+", None)).await;
    bench.ok(Call::Wait { ms: 4_000 }).await;
    bench.ok(press("Menu", None)).await;
    bench.ok(Call::Wait { ms: 2_000 }).await;
    let end = |name: &str| Call::EndStep { name: name.into(), result: 100, comment: None };
    bench.ok(end("menu")).await;
    bench.ok(end("at the same time")).await;
    bench.ok(result(100)).await;
    bench.session.close().await;
    assert!(bench.session.finish("failed"));
    let events = bench.events();
    let strips: Vec<_> = events.iter().filter(|event| event["kind"] == "filmstrip").collect();
    assert_eq!(strips.len(), 1, "nothing has passed between the steps and the result");
    let (strip, now) = (strips[0], device.now_us());
    assert_eq!((strip["failed_us"].as_u64(), strip["film_pictures"].as_u64()), (Some(now), Some(84)), "{strip}");
    let times: Vec<u64> = strip["times_us"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert_eq!(times.len(), 20);
    assert!(times[0] >= now - 10_040_000 && times[19] + 120_000 >= now, "{times:?}");
    let film = std::fs::read(strip["film"].as_str().unwrap()).unwrap();
    assert!(film.starts_with(b"RIFF") && film.len() < 4 << 20, "{} bytes", film.len());
}

#[tokio::test]
async fn what_a_box_showed_before_the_run_is_not_the_runs() {
    let device = bench(&[1]).session.scenes[0].driver.clone();
    device.reach(60_000_000).await;
    let mut bench = bench_of(&[1], vec![device]);
    bench.ready(&[1]).await;
    bench.ok(press("Menu", None)).await;
    bench.ok(Call::Wait { ms: 960 }).await;
    bench.ok(result(100)).await;
    bench.session.close().await;
    bench.session.finish("failed");
    let events = bench.events();
    let strip = events.iter().find(|event| event["kind"] == "filmstrip").unwrap();
    assert_eq!(
        (strip["times_us"][0].as_u64(), strip["film_pictures"].as_u64()),
        (Some(60_000_000), Some(9)),
        "{strip}"
    );
}

#[tokio::test]
async fn a_failure_leaves_the_last_seconds_as_a_film_strip() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.ok(press("Ok", None)).await;
    bench.ok(Call::Wait { ms: 4_000 }).await;
    bench.ok(Call::BeginStep { name: "zap".into() }).await;
    bench.ok(Call::EndStep { name: "zap".into(), result: 100, comment: None }).await;
    bench.ok(result(100)).await;
    bench.session.close().await;
    assert!(bench.session.finish("failed"));
    let events = bench.events();
    let strips: Vec<_> = events.iter().filter(|event| event["kind"] == "filmstrip").collect();
    assert_eq!(strips.len(), 1, "nothing new was seen between the step and the result");
    assert!(strips[0]["times_us"].as_array().unwrap().len() >= 7, "{:?}", strips[0]);
    assert!(std::fs::read(bench.out.path().join("run/filmstrip_1.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(bench.page().contains("src=\"./filmstrip_1.png\""));
}

#[tokio::test]
async fn the_page_tells_the_story_and_escapes_what_a_script_wrote() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let evil = "<script>alert('x')</script>";
    bench.ok(Call::BeginRegion { name: evil.into() }).await;
    bench.ok(press(evil, None)).await;
    bench.ok(watch("since-key", json!({}), 500)).await;
    bench.ok(Call::Log { level: headend_wire::session::LogLevel::Warning, text: evil.into() }).await;
    bench.ok(Call::Console { text: evil.into() }).await;
    bench.ok(Call::EndRegion { name: evil.into(), style: Some("pass".into()), comment: Some(evil.into()) }).await;
    bench.ok(Call::Capture { rect: None, name: Some("menu.png".into()), slot: None }).await;
    bench.ok(result(111)).await;
    bench.session.close().await;
    assert!(bench.session.finish("Test has run to completion"));
    let page = bench.page();
    assert!(!page.contains("<script"), "{page}");
    for part in [
        "<details class=\"region pass\">",
        "Wait slot 1 since-key: yes, green, or not",
        "src=\"./thumbs/since-key_1_thumb.jpeg\"",
        "src=\"./thumbs/menu_thumb.jpeg\"",
        "<b>CONSOLE</b> <span>&lt;script&gt;",
        "the end: Test has run to completion",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(bench.events().iter().any(|event| event["kind"] == "analyser" && event["name"] == "since-key"));
}
