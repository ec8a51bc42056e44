//! A schedule comes due: at its time, and with a server that was killed across it.

use std::process::Command;

use headend_integration::{Lab, eventually, lab::program};
use headend_wire::api::JobList;
use headend_wire::schedules::{ComingList, OccurrenceItem, PastList, ScheduleDetail};
use jiff::{Timestamp, ToSpan};

use super::scripts;

const QUICK: &[(&str, &str)] = &[("HEADEND_SCHEDULE_SETTLE_MS", "500"), ("HEADEND_SCHEDULE_GRACE_MS", "60000")];
/// What begins half a second after its time is late.
const STRICT: &[(&str, &str)] = &[("HEADEND_SCHEDULE_SETTLE_MS", "200"), ("HEADEND_SCHEDULE_GRACE_MS", "500")];

/// Runs a command that has to succeed; what it prints.
fn headend(lab: &Lab, arguments: &[&str]) -> String {
    let config = lab.server_data().join("credentials.toml");
    let output = Command::new(program()).args(arguments).env("HEADEND_CONFIG", config).env("NO_COLOR", "1").output();
    let output = output.expect("`headend` starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A schedule on two boxes whose window opens in a few seconds, and everything is on it before that.
async fn soon(lab: &Lab, window_s: i64) -> (Timestamp, Timestamp) {
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    for lead in [6, 15, 30, 60] {
        let start = Timestamp::from_second(Timestamp::now().as_second() + lead).unwrap();
        let end = start + window_s.seconds();
        let part = |at: Timestamp, form: &str| at.strftime(form).to_string();
        let (date, time) = ("%Y-%m-%d", "%H:%M:%S");
        let arguments = [
            "schedule",
            "create",
            "nightly",
            "OneOff",
            "--start",
            &part(start, date),
            "--from",
            &part(start, time),
            "--end",
            &part(end, date),
            "--to",
            &part(end, time),
            "--time-zone",
            "UTC",
        ];
        headend(lab, &arguments);
        headend(lab, &["schedule", "add", "nightly", "--slot", "rack1/1-2"]);
        headend(lab, &["schedule", "add-test", "nightly", "a.rhai"]);
        if Timestamp::now() + 1.second() < start {
            return (start, end);
        }
        // This machine is slow today: once more, with more time.
        headend(lab, &["schedule", "delete", "nightly"]);
    }
    panic!("three commands take more than a minute");
}

async fn passed(at: Timestamp) {
    eventually("the time to come", || async { (Timestamp::now() > at).then_some(()) }).await;
}

fn kill_server(lab: &mut Lab) {
    lab.server.as_mut().expect("the server runs").kill();
}

async fn record(lab: &Lab) -> OccurrenceItem {
    let past = eventually("the record of the occurrence", || async {
        let past: PastList = serde_json::from_str(&headend(lab, &["schedule", "past", "nightly", "--json"])).unwrap();
        (!past.past.is_empty()).then_some(past)
    });
    let mut past = past.await.past;
    assert_eq!(past.len(), 1, "{past:#?}");
    past.remove(0)
}

async fn jobs(lab: &Lab) -> Vec<u64> {
    let list: JobList = lab.client.get("/jobs?state=all").await.json();
    list.jobs.iter().map(|job| job.job).collect()
}

async fn passed_on_both(lab: &Lab, record: &OccurrenceItem) {
    assert_eq!(jobs(lab).await, record.jobs, "one job, and no other");
    let job = lab.client.finished(record.jobs[0]).await;
    let results: Vec<_> = job.run_list.iter().map(|run| (run.result, run.slots.len())).collect();
    assert_eq!(results, [(111, 1), (111, 1)], "{}", lab.logs());
}

#[tokio::test]
async fn a_window_opens_its_test_runs_on_two_boxes_and_the_record_says_so() {
    let lab = Lab::start_with(2, QUICK).await;
    let (start, _) = soon(&lab, 600).await;
    let text = headend(&lab, &["schedule", "next", "nightly", "--json"]);
    let coming: ComingList = serde_json::from_str(&text).unwrap();
    let shown = coming.coming.iter().map(|window| window.starts.parse::<Timestamp>().unwrap()).collect::<Vec<_>>();
    // It may have come while the command was under way.
    assert!(shown == [start] || Timestamp::now() >= start, "{text}");

    let record = record(&lab).await;
    assert_eq!((record.fate.as_str(), record.reason.as_deref()), ("ran", None), "{record:#?}");
    assert_eq!(record.planned.parse::<Timestamp>().unwrap(), start);
    passed_on_both(&lab, &record).await;
    let detail: ScheduleDetail =
        serde_json::from_str(&headend(&lab, &["schedule", "show", "nightly", "--json"])).unwrap();
    let on_it = &detail.test_list[0];
    assert_eq!((on_it.status.as_str(), on_it.loops_completed, on_it.slots_needed), ("ran", 1, 2));
    assert!(headend(&lab, &["schedule", "past", "nightly"]).contains("ran"));

    // The nights to come, in a zone of its own.
    let nights = ["schedule", "create", "nights", "Daily", "--start", "2099-03-28", "--from", "22:00", "--to", "06:00"];
    headend(&lab, &[&nights[..], &["--time-zone", "Europe/Berlin"]].concat());
    let next = headend(&lab, &["schedule", "next", "nights", "--most", "2"]);
    let starts: Vec<_> = next.lines().skip(1).collect();
    assert!(
        starts[0].starts_with("2099-03-28 22:00:00+01:00") && starts[1].starts_with("2099-03-29 22:00:00+02:00"),
        "{next}"
    );
    let list = headend(&lab, &["schedule"]);
    assert!(list.contains("nightly") && list.contains("nights") && list.contains("Europe/Berlin"), "{list}");
}

#[tokio::test]
async fn a_server_that_was_away_for_a_whole_window_records_it_as_missed() {
    let mut lab = Lab::start_with(2, QUICK).await;
    let (start, end) = soon(&lab, 2).await;
    kill_server(&mut lab);
    passed(end).await;
    lab.start_server(QUICK);
    lab.server_ready().await;
    let record = record(&lab).await;
    assert_eq!((record.fate.as_str(), record.began.as_deref()), ("missed", None), "{record:#?}");
    assert_eq!(record.planned.parse::<Timestamp>().unwrap(), start);
    assert!(record.reason.is_some_and(|why| why.contains("not running")));
    assert_eq!(jobs(&lab).await, [0_u64; 0]);
    assert!(headend(&lab, &["schedule", "next", "nightly", "--json"]).contains("\"coming\": []"));
}

#[tokio::test]
async fn a_server_that_comes_back_inside_a_window_starts_once_and_late() {
    let mut lab = Lab::start_with(2, STRICT).await;
    let (start, _) = soon(&lab, 600).await;
    kill_server(&mut lab);
    passed(start + 2.seconds()).await;
    lab.start_server(STRICT);
    lab.server_ready().await;
    let first = record(&lab).await;
    assert_eq!(first.fate, "late", "{first:#?}");
    passed_on_both(&lab, &first).await;
    // Killed again inside the same window: nothing starts a second time.
    kill_server(&mut lab);
    lab.start_server(STRICT);
    lab.server_ready().await;
    lab.rack_online().await;
    assert_eq!(record(&lab).await, first);
    assert_eq!(jobs(&lab).await, first.jobs);
}
