//! Policies come, fail and go while jobs run.

use headend_integration::client::{request, slots, test};
use headend_integration::lab::guests;
use headend_integration::{Lab, eventually};
use headend_wire::api::{ModeRef, PluginItem, PluginList, TestRequest};
use serde_json::json;

use super::scripts;

async fn plugin(lab: &Lab, name: &str) -> Option<PluginItem> {
    lab.client.get("/plugins").await.json::<PluginList>().plugins.into_iter().find(|plugin| plugin.name == name)
}

async fn run_under(lab: &Lab, policy: &str) -> headend_wire::api::JobDetail {
    let pass = scripts::PASS.as_bytes();
    lab.client.upload("public", &[("a.rhai", pass), ("b.rhai", pass)]).await;
    let tests = ["a.rhai", "b.rhai"].map(|s| TestRequest { mode: ModeRef::Name(policy.into()), ..test(s) });
    let job = lab.client.submit(&request(policy, &slots("rack1", 1..=2), tests)).await.job;
    lab.client.finished(job).await
}

#[tokio::test]
async fn a_plugin_put_into_the_folder_serves_the_next_job() {
    let lab = Lab::start(2).await;
    let from = guests().join("plugins/test-coverage");
    let to = lab.server_data().join("plugins/test-coverage");
    std::fs::create_dir_all(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    eventually("the plugin to be live", || async { plugin(&lab, "test-coverage").await.filter(|p| p.state == "live") })
        .await;
    let detail = run_under(&lab, "test-coverage").await;
    assert_eq!(detail.item.passed, 4, "{:#?}", detail.run_list);
}

/// Writes a Rhai policy into a folder beside the lab and loads it.
async fn load_rhai(lab: &Lab, name: &str, source: &str) {
    write_rhai(lab, name, source);
    let answer = lab.client.post("/plugins/load", &json!({"path": lab.folder.path().join(name)})).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

fn write_rhai(lab: &Lab, name: &str, source: &str) {
    let folder = lab.folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let example = guests().join("plugins/spread/headend-plugin.toml");
    let manifest = std::fs::read_to_string(&example).unwrap_or_else(|e| panic!("{}: {e}", example.display()));
    let manifest = manifest.replace("\"spread\"", &format!("{name:?}")).replace("spread.rhai", "policy.rhai");
    std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    std::fs::write(folder.join("policy.rhai"), source).unwrap();
}

/// SIGKILL, and a new life on the same folder.
async fn restart_server(lab: &mut Lab) {
    lab.server.take().unwrap().kill();
    lab.start_server(&[]);
    lab.server_ready().await;
    lab.rack_online().await;
}

/// Behaves while it is checked at load, and throws on the racks of a lab.
const TRAITOR: &str = r#"
    fn propose(plan, free) {
        for target in plan.targets {
            if `${target.rack}` != "self-check" { throw "no"; }
        }
        []
    }
"#;

#[tokio::test]
async fn a_policy_that_fails_three_times_is_put_aside_and_the_job_goes_on() {
    let mut lab = Lab::start(2).await;
    load_rhai(&lab, "traitor", TRAITOR).await;
    // Boxes that are free at the same time are one question, so one job may be two questions.
    for _ in 0..2 {
        let detail = run_under(&lab, "traitor").await;
        assert_eq!(detail.item.passed, 4, "the job went on under the built-in rule: {:#?}", detail.run_list);
    }
    let traitor = plugin(&lab, "traitor").await.expect("it is still listed");
    assert_eq!(traitor.state, "quarantined", "{traitor:?}");
    assert!(traitor.reason.is_some());

    restart_server(&mut lab).await;
    let after = plugin(&lab, "traitor").await.expect("it is loaded again");
    assert_eq!((&after.state, &after.reason, after.strikes), (&traitor.state, &traitor.reason, traitor.strikes));
    let detail = run_under(&lab, "traitor").await;
    assert_eq!(detail.item.passed, 4);
    assert_eq!(strikes_told(&lab, "traitor").await, 3, "it was not asked after the restart");

    let answer = lab.client.post("/plugins/traitor/reload", &json!({})).await;
    assert_eq!(answer.json::<PluginItem>().state, "live", "a person ends it");
    run_under(&lab, "traitor").await;
    assert_eq!(plugin(&lab, "traitor").await.unwrap().state, "quarantined");
    write_rhai(&lab, "traitor", "fn propose(plan, free) { [] }");
    restart_server(&mut lab).await;
    assert_eq!(plugin(&lab, "traitor").await.unwrap().state, "live", "another content is another plugin");
}

/// How often the feed has told of a failure of the policy.
async fn strikes_told(lab: &Lab, policy: &str) -> usize {
    let request = lab.client.request(reqwest::Method::GET, "/events?after=0");
    let mut stream = request.send().await.unwrap();
    let newest = lab.client.get("/server").await.json::<headend_wire::api::ServerInfo>().event;
    let (mut text, mut told) = (String::new(), 0);
    // Up to the newest event of this moment; the stream itself has no end.
    loop {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(&String::from_utf8_lossy(&chunk));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data:")) else { continue };
            let event: headend_wire::api::EventItem = serde_json::from_str(data).unwrap();
            told += usize::from(event.kind == "policy_struck" && event.data["policy"] == policy);
            if event.number >= newest {
                return told;
            }
        }
    }
}

#[tokio::test]
async fn a_disabled_plugin_stays_disabled_over_restarts() {
    let mut lab = Lab::start(1).await;
    load_rhai(&lab, "idle", "fn propose(plan, free) { [] }").await;
    assert!(lab.client.post("/plugins/idle/disable", &json!({})).await.status.is_success());
    for life in 1..=2 {
        restart_server(&mut lab).await;
        assert_eq!(plugin(&lab, "idle").await.unwrap().state, "disabled", "life {life}");
    }
}

/// Takes the first test that is left for each box, and says so in its own words.
const TALKS: &str = r#"
    fn propose(plan, free) {
        let wanted = [];
        let given = [0, 0];
        for ix in free {
            for test in plan.tests {
                if test.left > given[test.ix] && !plan.targets[ix].seen.contains(test.ix) {
                    given[test.ix] += 1;
                    wanted.push([test.ix, ix]);
                    break;
                }
            }
        }
        wanted
    }
    fn reason(test, target) { `box ${target}` + " has a taste for \n" + `test ${test}` }
"#;

#[tokio::test]
async fn why_tells_a_start_in_the_policys_own_words_also_after_a_restart() {
    let mut lab = Lab::start(2).await;
    load_rhai(&lab, "talks", TALKS).await;
    let detail = run_under(&lab, "talks").await;
    assert_eq!(detail.item.passed, 4, "{:#?}", detail.run_list);
    for life in 1..=2 {
        let why: headend_wire::api::WhyAnswer = lab.client.get(&format!("/jobs/{}/why", detail.item.job)).await.json();
        let reasons: Vec<&str> = why.started.iter().map(|start| start.reason.as_str()).collect();
        assert!(reasons.iter().all(|reason| reason.contains("has a taste for  test ")), "life {life}: {reasons:?}");
        assert!(why.started.iter().all(|start| start.chosen_by.contains("talks")), "{why:#?}");
        if life == 1 {
            restart_server(&mut lab).await;
        }
    }
}

#[tokio::test]
async fn what_is_asked_of_a_policy_is_checked_where_it_is_given() {
    let lab = Lab::start(1).await;
    write_rhai(&lab, "picky", "fn propose(plan, free) { [] }");
    let manifest = lab.folder.path().join("picky/headend-plugin.toml");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("world = \"1.0.0\"", "world = \"2.0.0\"");
    let schema = "\n[parameters]\ntype = \"object\"\nadditionalProperties = false\nrequired = [\"weight\"]\n\
                  properties.weight = { type = \"integer\", minimum = 1 }\n";
    std::fs::write(&manifest, text + schema).unwrap();
    let answer = lab.client.post("/plugins/load", &json!({"path": lab.folder.path().join("picky")})).await;
    assert!(answer.status.is_success(), "a job may bring what it needs: {}", answer.text());

    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    let named = TestRequest { mode: ModeRef::Name("picky".into()), ..test("a.rhai") };
    let asking = |parameters: serde_json::Value| {
        let mut request = request("picky", &slots("rack1", 1..=1), [named.clone()]);
        request.parameters = parameters.as_object().unwrap().clone();
        request
    };
    let problem = lab.client.post("/jobs", &asking(json!({"picky": {"weight": 0}}))).await.problem();
    assert_eq!(
        (problem.code.as_str(), problem.fields.as_slice()),
        ("bad_parameters", ["/parameters/picky/weight".to_owned()].as_slice())
    );
    assert!(
        problem.detail.contains("\"weight\" of picky is 0") && problem.detail.contains("\"minimum\":1"),
        "{}",
        problem.detail
    );
    let problem = lab.client.post("/jobs", &asking(json!({}))).await.problem();
    assert!(problem.detail.contains("\"weight\" of picky is missing"), "{}", problem.detail);
    lab.client.submit(&asking(json!({"picky": {"weight": 2}}))).await;

    let timing = json!({"type": "Daily", "start_date": "2030-01-01", "start_time": "01:00:00", "end_time": "02:00:00"});
    let schedule =
        |parameters: serde_json::Value| json!({"name": "nightly", "timing": timing, "parameters": parameters});
    let problem = lab.client.post("/schedules", &schedule(json!({"picky": {"weight": "x"}}))).await.problem();
    assert_eq!(problem.code, "bad_parameters", "{}", problem.detail);
    let problem = lab.client.post("/schedules", &schedule(json!({"nobody": {}}))).await.problem();
    assert_eq!(
        (problem.code.as_str(), problem.fields.as_slice()),
        ("invalid", ["/parameters/nobody".to_owned()].as_slice())
    );
    let made: headend_wire::schedules::ScheduleItem = lab.client.post("/schedules", &schedule(json!({}))).await.json();
    let path = format!("/schedules/{}", made.schedule);
    let on_it = json!({"script": "a.rhai", "mode": "picky"});
    assert_eq!(lab.client.post(&format!("{path}/tests"), &on_it).await.problem().code, "bad_parameters");
    let changed = |body: serde_json::Value| lab.client.request(reqwest::Method::PATCH, &path).json(&body);
    let set = changed(json!({"parameters": {"picky": {"weight": 7}}})).send().await.unwrap();
    assert!(set.status().is_success());
    assert!(lab.client.post(&format!("{path}/tests"), &on_it).await.status.is_success());
    let detail: headend_wire::schedules::ScheduleDetail = lab.client.get(&path).await.json();
    assert_eq!(detail.parameters["picky"], json!({"weight": 7}));
    let taken = changed(json!({"parameters": {"picky": null}})).send().await.unwrap();
    assert_eq!(taken.status().as_u16(), 422, "its test cannot do without");
}
