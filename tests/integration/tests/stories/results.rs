//! What runs have found out, from the script to the spreadsheet; and what becomes of it with the years.

use std::process::{Command, Output};

use headend_integration::client::{request, slots, test};
use headend_integration::lab::program;
use headend_integration::{Lab, eventually};
use headend_wire::api::{ArtifactList, ResultFileList, ResultList, RetentionInfo, RunResult, StepList};
use reqwest::Method;
use serde_json::{Value, json};

/// Fails, with all that results may hold, odd characters too.
const FULL: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    step("zap");
    step("to, \"five\"/5");
    press("Ok");
    measure("zap time", 1.5, #{ unit: "s", low: 0.5, high: 1.25 });
    capture("five.png");
    end_step("to, \"five\"/5", FAIL, "too\nslow");
    end_step("zap", PASS);
    step("never ended");
    measure("level", -20);
    result(FAIL, "slow, \"very\" slow");
"#;

/// Three runs on three boxes, ended and handed over.
async fn three_runs(lab: &Lab) -> (u64, Vec<RunResult>) {
    lab.client.upload("public", &[("checks/full.rhai", FULL.as_bytes())]).await;
    let mut wanted = test("checks/full.rhai");
    wanted.slots_needed = Some(3);
    let job = lab.client.submit(&request("nightly, <all>", &slots("rack1", 1..=3), [wanted])).await.job;
    lab.client.finished(job).await;
    let all = eventually("results of three runs", || async {
        let list: ResultList = lab.client.get(&format!("/results?job={job}")).await.json();
        for run in &list.results {
            // The rack has handed over all that there is, and the server has looked at all of it.
            let delivered = lab.folder.path().join(format!("rack1/runs/{}-1/.delivered", run.run)).is_file();
            let files: ArtifactList = lab.client.get(&format!("/runs/{}/files", run.run)).await.json();
            if !delivered || run.events != "read" || run.counts.artifacts != files.files.len() as u64 {
                return None;
            }
        }
        (list.results.len() == 3).then_some(list.results)
    })
    .await;
    assert!(all.iter().all(|run| run.counts.artifacts >= 4), "{all:#?}");
    (job, all)
}

fn headend(lab: &Lab, words: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(words).env("HEADEND_CONFIG", lab.server_data().join("credentials.toml"));
    command.output().unwrap()
}

fn said(lab: &Lab, words: &[&str]) -> String {
    let output = headend(lab, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Gives it to a program in Python, whose readers are those that people have.
fn by_python(text: &str, read: &str) -> Option<Value> {
    let python = std::env::var_os("HEADEND_PYTHON3")?;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exported");
    std::fs::write(&file, text).unwrap();
    let script =
        format!("import csv, json, sqlite3, sys\nimport xml.etree.ElementTree as tree\npath = sys.argv[1]\n{read}\n");
    let output = Command::new(python).args(["-c", &script]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn a_run_comes_out_in_every_format() {
    let lab = Lab::start(3).await;
    let (job, all) = three_runs(&lab).await;
    let run = &all[0];
    let number = run.run.to_string();
    assert_eq!((&*run.outcome, &*run.test, run.code), ("fail", "public/checks/full.rhai", 100));
    assert_eq!((run.counts.steps, run.counts.steps_failed, run.counts.measurements), (3, 1, 2));
    assert_eq!((run.snapshot.public_revision, run.devices.len()), (Some(1), 1));
    assert!(all.windows(2).all(|pair| pair[0].run > pair[1].run), "the newest first");

    // JSON: an array, as any reader takes it.
    let of_job = ["results", "--job", &job.to_string()].map(str::to_owned);
    let of_job: Vec<&str> = of_job.iter().map(String::as_str).collect();
    let with = |more: &[&'static str]| said(&lab, &[of_job.as_slice(), more].concat());
    let steps: Value = serde_json::from_str(&with(&["--steps", "--format", "json"])).unwrap();
    let steps: Vec<_> = steps.as_array().unwrap().iter().filter(|step| step["run"] == run.run).collect();
    let told: Vec<_> =
        steps.iter().map(|step| (step["path"].as_str().unwrap(), step["outcome"].as_str().unwrap())).collect();
    assert_eq!(told, [("zap", "pass"), ("zap/to, \"five\"\\/5", "fail"), ("never ended", "open")]);
    assert_eq!((&steps[1]["parent"], &steps[1]["comment"]), (&json!(1), &json!("too\nslow")));
    let one_page: StepList = lab.client.get(&format!("/results/steps?job={job}&limit=2")).await.json();
    assert_eq!((one_page.steps.len(), one_page.next.is_some()), (2, true));

    // CSV, read by Python's csv.
    let csv = with(&["--measurements", "--format", "csv"]);
    if let Some(rows) = by_python(&csv, "print(json.dumps(list(csv.DictReader(open(path, newline='')))))") {
        let rows: Vec<_> = rows.as_array().unwrap().iter().filter(|row| row["run"] == number).collect();
        assert_eq!(
            (&rows[0]["name"], &rows[0]["value"], &rows[0]["unit"]),
            (&json!("zap time"), &json!("1.5"), &json!("s"))
        );
        assert_eq!((&rows[0]["path"], &rows[1]["path"]), (&json!("zap/to, \"five\"\\/5"), &json!("never ended")));
        assert_eq!(rows[1]["value"], json!("-20"));
        let limits = |row: &Value| ["low", "high", "within"].map(|column| row[column].as_str().unwrap().to_owned());
        assert_eq!(limits(rows[0]), ["0.5", "1.25", "false"]);
        assert_eq!(limits(rows[1]), ["", "", ""]);
    }

    // JUnit, read by Python's ElementTree.
    let junit = with(&["--format", "junit"]);
    let read = "root = tree.parse(path).getroot()\n\
                suites = [dict(s.attrib, cases=[dict(c.attrib, failures=[f.get('message') for f in c.findall('failure')],\n\
                out=c.findtext('system-out'), run=[p.get('value') for p in c.iter('property') if p.get('name') == 'run'])\n\
                for c in s.findall('testcase')]) for s in root.findall('testsuite')]\n\
                print(json.dumps([root.tag, suites]))";
    if let Some(found) = by_python(&junit, read) {
        assert_eq!(found[0], "testsuites");
        let suite = &found[1][0];
        assert_eq!(
            (&suite["name"], &suite["tests"], &suite["failures"]),
            (&json!("nightly, <all>"), &json!("3"), &json!("3"))
        );
        let case = suite["cases"].as_array().unwrap().iter().find(|case| case["run"][0] == number).unwrap();
        assert_eq!(case["failures"], json!(["slow, \"very\" slow"]));
        let out = case["out"].as_str().unwrap();
        assert!(out.contains("open         never ended") && out.contains("too\nslow"), "{out}");
        assert!(out.contains("outside      zap time = 1.5 s (0.5..1.25) in zap/to"), "{out}");
    }

    // For people; and what is not there is not found.
    let table = with(&["--measurements"]);
    assert!(table.contains("0.5..1.25") && table.contains("WITHIN"), "{table}");
    let table = with(&[]);
    assert!(table.contains("public/checks/full.rhai") && table.contains("fail"), "{table}");
    assert_eq!(said(&lab, &["results", "--outcome", "pass", "--format", "json"]).trim(), "[]");
    assert_eq!(said(&lab, &["results", "--test", "public/nothing/*", "--format", "json"]).trim(), "[]");
    let two: Value = serde_json::from_str(&with(&["--format", "json", "--limit", "2"])).unwrap();
    assert_eq!(two.as_array().unwrap().len(), 2);
    let dut = run.devices[0].dut_name.clone();
    let of_dut = lab.client.request(Method::GET, "/results").query(&[("dut", &dut)]);
    let of_dut: ResultList = lab.client.send(of_dut).await.unwrap().json();
    assert_eq!(of_dut.results.iter().map(|one| one.run).collect::<Vec<_>>(), [run.run]);
    sql(&lab, run);
}

/// A reporting tool, while the server runs.
fn sql(lab: &Lab, run: &RunResult) {
    let database = lab.server_data().join("headend.db");
    let read = format!(
        "db = sqlite3.connect('file:{}?mode=ro', uri=True)\n\
         print(json.dumps([db.execute('SELECT outcome, steps_failed, measurements_outside FROM v1_runs WHERE run = {run}').fetchone(),\n\
         db.execute('SELECT name, value, within FROM v1_measurements WHERE run = {run} ORDER BY no').fetchall()]))",
        database.display(),
        run = run.run,
    );
    let Some(found) = by_python("", &read) else { return };
    assert_eq!(found, json!([["fail", 1, 1], [["zap time", 1.5, 0], ["level", -20.0, null]]]));
}

#[tokio::test]
async fn retention_takes_what_is_too_much_and_leaves_what_is_pinned() {
    let mut lab = Lab::start(3).await;
    let (job, all) = three_runs(&lab).await;
    let pinned = all[1].run;
    let note = said(&lab, &["runs", "pin", &pinned.to_string(), "--note", "the reference"]);
    assert!(note.contains("stays"), "{note}");
    assert!(said(&lab, &["runs", "pins"]).contains("the reference"));
    // Nothing goes unless somebody wants it.
    let info: RetentionInfo = lab.client.get("/retention").await.json();
    assert!(info.would.is_empty() && info.classes[1].bytes > 0, "{info:?}");

    // All that is older than a second goes, but numbers; the server dies after the rows have said so, before the files go.
    let wants = [("HEADEND_KEEP_LOGS", "1s"), ("HEADEND_RETENTION_MS", "100")];
    lab.server.as_mut().unwrap().kill();
    let dies = [wants.as_slice(), &[("HEADEND_CRASH_AT", "retention.before_delete:1")]].concat();
    lab.start_server(&dies);
    let server = std::cell::RefCell::new(lab.server.take().unwrap());
    eventually("the server to die in the middle", || async { server.borrow_mut().ended() }).await;
    lab.start_server(&wants);
    lab.server_ready().await;

    for run in all.iter().map(|run| run.run).filter(|run| *run != pinned) {
        let folder = lab.server_data().join(format!("runs/{run}"));
        eventually("the files and their folder to go", || async { (!folder.exists()).then_some(()) }).await;
        let files: ResultFileList = lab.client.get(&format!("/results/artifacts?run={run}")).await.json();
        assert!(files.artifacts.len() >= 4 && files.artifacts.iter().all(|file| file.removed.is_some()), "{files:?}");
        let steps: StepList = lab.client.get(&format!("/results/steps?run={run}")).await.json();
        assert_eq!(steps.steps.len(), 3, "numbers outlive logs");
    }
    let list: ResultList = lab.client.get(&format!("/results?job={job}")).await.json();
    for run in &list.results {
        assert_eq!((run.logs_removed.is_some(), run.numbers_removed.is_none()), (run.run != pinned, true));
        assert_eq!(run.events, if run.run == pinned { "read" } else { "removed" });
    }
    let kept: ArtifactList = lab.client.get(&format!("/runs/{pinned}/files")).await.json();
    assert!(kept.files.len() >= 4, "{kept:?}");
    let shown = said(&lab, &["retention"]);
    assert!(shown.contains("nothing would go now") && shown.contains("logs"), "{shown}");
    let info: RetentionInfo = lab.client.get("/retention").await.json();
    let went: u64 = info.went.iter().filter(|past| past.class == "logs").map(|past| past.runs).sum();
    assert_eq!(went, 2, "{info:?}");

    // Unpinned, it goes like the others.
    said(&lab, &["runs", "unpin", &pinned.to_string()]);
    eventually("the last files to go", || async {
        let answer = lab.client.send(lab.client.request(Method::GET, &format!("/runs/{pinned}/files"))).await.ok()?;
        answer.json::<ArtifactList>().files.is_empty().then_some(())
    })
    .await;
}
