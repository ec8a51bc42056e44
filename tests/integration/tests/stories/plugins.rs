//! The life of a plugin while jobs run: installed, replaced, rolled back, taken away; and what is refused on the way.

use base64::Engine;
use headend_integration::client::{Answer, request, slots, test};
use headend_integration::{Gate, Lab, eventually};
use headend_wire::api::{JobDetail, ModeRef, PluginItem, PluginList, TestRequest};
use headend_wire::plugins::{GrantList, PluginDetail, PluginUses, VerifyAnswer};
use reqwest::Method;
use serde_json::json;

use super::scripts;

/// The run on the slot outlives the server's restart, and a policy answers, however long that takes on a busy machine.
const PATIENT: &[(&str, &str)] = &[("HEADEND_LEASE_MS", "60000"), ("HEADEND_POLICY_DEADLINE_MS", "60000")];

/// A policy in one file: tests from the first to the last, or from the last to the first.
pub(crate) fn policy(version: &str, backwards: bool, more: &str) -> String {
    let at = if backwards { "last - n" } else { "n" };
    let more = more.lines().flat_map(|line| ["//! ", line, "\n"]).collect::<String>();
    format!(
        "//! ```headend-plugin\n//! name = \"order\"\n//! version = \"{version}\"\n//! kind = \"coverage-policy\"\n\
         //! world = \"1.0.0\"\n{more}//! [limits]\n//! deadline_ms = 1000\n//! ```\n\
         fn propose(plan, free) {{\n    let answer = [];\n    let last = plan.tests.len() - 1;\n    for ix in free {{\n\
         let seen = [];\n for target in plan.targets {{ if target.ix == ix {{ seen = target.seen; }} }}\n\
         for n in 0..=last {{\n let at = {at};\n let test = plan.tests[at];\n\
         if test.left > 0 && !(test.ix in seen) {{ answer.push([test.ix, ix]); plan.tests[at].left -= 1; break; }}\n\
         }}\n }}\n answer\n}}\n"
    )
}

async fn send(lab: &Lab, path: &str, source: &str, query: &[(&str, &str)]) -> Answer {
    let request = lab.client.request(Method::POST, path).query(&[("file", "order.rhai")]).query(query);
    let request = request.header("content-type", "application/octet-stream").body(source.to_owned());
    lab.client.send(request).await.unwrap()
}

async fn install(lab: &Lab, source: &str) -> PluginItem {
    send(lab, "/plugins", source, &[]).await.json()
}

async fn detail(lab: &Lab) -> PluginDetail {
    lab.client.get("/plugins/order").await.json()
}

async fn found(lab: &Lab, name: &str) -> Option<PluginItem> {
    lab.client.get("/plugins").await.json::<PluginList>().plugins.into_iter().find(|plugin| plugin.name == name)
}

async fn delete(lab: &Lab, force: bool) -> Answer {
    let request = lab.client.request(Method::DELETE, "/plugins/order").query(&[("force", force)]);
    lab.client.send(request).await.unwrap()
}

async fn submit(lab: &Lab, names: &[&str]) -> u64 {
    let tests = names.iter().map(|name| TestRequest { mode: ModeRef::Name("order".into()), ..test(name) });
    lab.client.submit(&request("order", &slots("rack1", [1]), tests)).await.job
}

/// The scripts of a job in the order in which they were started.
fn order(detail: &JobDetail) -> Vec<String> {
    let mut runs: Vec<_> =
        detail.run_list.iter().map(|run| (run.started.clone().unwrap(), run.script.replace("public/", ""))).collect();
    runs.sort();
    runs.into_iter().map(|(_, script)| script).collect()
}

/// A job whose first test waits for the gate, at work under the policy.
async fn waiting_job(lab: &Lab, gate: &Gate) -> u64 {
    let waits = scripts::python(&format!("{}StormTest.ReturnTestResult(TM.PASS)", gate.wait()));
    let pass = scripts::PASS.as_bytes();
    lab.client.upload("public", &[("a.py", waits.as_bytes()), ("b.rhai", pass), ("c.rhai", pass)]).await;
    let job = submit(lab, &["a.py", "b.rhai", "c.rhai"]).await;
    eventually("the first test to run", || async { (lab.client.job(job).await.item.status == 1).then_some(()) }).await;
    job
}

/// What the feed has told of the life of plugins so far.
async fn told(lab: &Lab) -> Vec<String> {
    let newest = lab.client.get("/server").await.json::<headend_wire::api::ServerInfo>().event;
    let mut stream = lab.client.request(Method::GET, "/events?after=0").send().await.unwrap();
    let (mut text, mut told) = (String::new(), Vec::new());
    loop {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(&String::from_utf8_lossy(&chunk));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data:")) else { continue };
            let event: headend_wire::api::EventItem = serde_json::from_str(data).unwrap();
            if event.kind == "plugin_changed" {
                told.extend(event.data["change"].as_str().map(str::to_owned));
            }
            if event.number >= newest {
                return told;
            }
        }
    }
}

#[tokio::test]
async fn a_job_keeps_the_version_it_began_with_while_others_come_and_go() {
    let lab = Lab::start_with(1, PATIENT).await;
    let first = install(&lab, &policy("1.0.0", false, "")).await;
    let gate = Gate::closed();
    let job = waiting_job(&lab, &gate).await;

    let problem = delete(&lab, false).await.problem();
    assert_eq!(problem.code, "plugin_in_use");
    assert!(problem.detail.contains(&format!("job {job}")), "{}", problem.detail);

    let second = install(&lab, &policy("2.0.0", true, "")).await;
    let now = detail(&lab).await;
    assert_eq!((&now.item.hash, now.item.version.as_str()), (&second.hash, "2.0.0"));
    let versions: Vec<_> = now.versions.iter().map(|v| (&v.hash, v.current, v.jobs.clone())).collect();
    assert_eq!(versions, [(&first.hash, false, vec![job]), (&second.hash, true, vec![])]);
    assert_eq!(now.uses.jobs, [job]);

    let next = submit(&lab, &["b.rhai", "c.rhai"]).await;
    gate.open();
    assert_eq!(order(&lab.client.finished(job).await), ["a.py", "b.rhai", "c.rhai"], "as it began");
    assert_eq!(order(&lab.client.finished(next).await), ["c.rhai", "b.rhai"], "the new version");

    let back: PluginItem = lab.client.post("/plugins/order/rollback", &json!({})).await.json();
    assert_eq!(back.hash, first.hash);
    let third = submit(&lab, &["b.rhai", "c.rhai"]).await;
    assert_eq!(order(&lab.client.finished(third).await), ["b.rhai", "c.rhai"], "rolled back");
    assert_eq!(lab.client.post("/plugins/order/rollback", &json!({})).await.problem().code, "not_found");

    assert_eq!(delete(&lab, false).await.json::<PluginUses>(), PluginUses::default());
    assert!(found(&lab, "order").await.is_none());
    assert_eq!(told(&lab).await, ["installed", "installed", "rolled_back", "removed"]);
}

#[tokio::test]
async fn a_restart_in_the_middle_changes_nothing() {
    const TAKES: &str = "[parameters]\ntype = \"object\"\nproperties.pace = { type = \"integer\", default = 1 }";
    let mut lab = Lab::start_with(1, PATIENT).await;
    let first = install(&lab, &policy("1.0.0", false, TAKES)).await;
    let gate = Gate::closed();
    let job = waiting_job(&lab, &gate).await;
    install(&lab, &policy("2.0.0", true, TAKES)).await;
    let third = install(&lab, &policy("3.0.0", true, TAKES)).await;
    let second: PluginItem = lab.client.post("/plugins/order/rollback", &json!({})).await.json();
    let put = lab.client.request(Method::PUT, "/plugins/order/parameters").json(&json!({ "pace": 5 }));
    assert!(lab.client.send(put).await.unwrap().status.is_success());
    let grant = json!({ "plugin": "later", "capability": "log" });
    assert!(lab.client.post("/plugin-grants", &grant).await.status.is_success());
    let before = detail(&lab).await;

    lab.server.take().unwrap().kill();
    lab.start_server(PATIENT);
    lab.server_ready().await;
    let after = detail(&lab).await;
    assert_eq!((&after.versions, &after.parameters), (&before.versions, &before.parameters));
    assert_eq!((&after.item.hash, after.parameters.effective["pace"].as_i64()), (&second.hash, Some(5)));
    assert_eq!(after.versions[0].jobs, [job], "the job keeps what it began with: {}", first.hash);
    assert_eq!(after.versions[2].hash, third.hash);
    let grants: GrantList = lab.client.get("/plugin-grants").await.json();
    assert!(grants.grants.iter().any(|grant| grant.plugin == "later" && grant.by.is_some()), "{grants:?}");

    lab.rack_online().await;
    let next = submit(&lab, &["b.rhai", "c.rhai"]).await;
    gate.open();
    assert_eq!(order(&lab.client.finished(job).await), ["a.py", "b.rhai", "c.rhai"], "as it began, over the restart");
    assert_eq!(order(&lab.client.finished(next).await), ["c.rhai", "b.rhai"], "the version in force");
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_step_and_nothing_changes() {
    let lab = Lab::start_with(1, &[("HEADEND_PLUGIN_GRANTS", "none")]).await;
    let good = policy("1.0.0", false, "");
    let cases = [
        (
            good.replace("world = \"1.0.0\"", "world = \"9.1.0\""),
            "bad_plugin",
            "contract 9.1.0; this server offers",
            "world",
        ),
        (good.replace("name =", "nmae ="), "bad_plugin", "did you mean `name`?", "manifest"),
        (policy("1", false, "capabilities = [\"lgo\"]"), "bad_plugin", "did you mean `log`?", "manifest"),
        (
            policy("1", false, "capabilities = [\"log\"]"),
            "not_granted",
            "`headend plugin grant order log`",
            "capabilities",
        ),
        (good.replace("fn propose", "fn prupose"), "bad_plugin", "propose", "link"),
        (good.replace("answer\n}", "throw 1\n}"), "bad_plugin", "self-check", "self-check"),
        (good.replace("for ix in", "for in"), "bad_plugin", "does not compile", "compile"),
    ];
    for (source, code, words, step) in &cases {
        let problem = send(&lab, "/plugins", source, &[]).await.problem();
        assert_eq!(problem.code, *code, "{}", problem.detail);
        assert!(problem.detail.contains(words), "{}", problem.detail);
        let answer: VerifyAnswer = send(&lab, "/plugins/verify", source, &[]).await.json();
        let failed: Vec<_> = answer.steps.iter().filter(|step| step.how == "failed").map(|s| s.step.as_str()).collect();
        assert_eq!((answer.ok, failed), (false, vec![*step]));
    }
    let problem = send(&lab, "/plugins", &good, &[("parameters", "{\"pace\": 1}")]).await.problem();
    assert_eq!((problem.code.as_str(), problem.fields.as_slice()), ("bad_parameters", ["/pace".to_owned()].as_slice()));
    assert!(found(&lab, "order").await.is_none());

    let user = lab.client.post("/tokens", &json!({ "user": "ann" })).await.json::<serde_json::Value>();
    let ann = lab.client.with_token(user["token"].as_str().unwrap());
    for path in
        ["/plugins?file=order.rhai", "/plugins/verify?file=order.rhai", "/plugins/order/rollback", "/plugin-grants"]
    {
        assert_eq!(ann.post(path, &json!({})).await.problem().code, "forbidden", "{path}");
    }

    let grant = json!({ "plugin": "order", "capability": "log" });
    assert!(lab.client.post("/plugin-grants", &grant).await.status.is_success());
    install(&lab, &cases[3].0).await;
    lab.client.post("/plugin-grants/revoke", &grant).await.json::<GrantList>();
    assert_eq!(found(&lab, "order").await.unwrap().state, "disabled", "it lived by the grant");
    assert_eq!(lab.client.post("/plugins/order/enable", &json!({})).await.problem().code, "not_granted");
    assert!(told(&lab).await.ends_with(&["granted", "installed", "revoked", "disabled"].map(str::to_owned)));
}

#[tokio::test]
async fn a_server_that_requires_signatures_takes_only_those_of_trusted_keys() {
    let keys = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let stranger = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let lab = Lab::start_with(1, &[("HEADEND_PLUGIN_SIGNATURES", "require")]).await;
    let source = policy("1.0.0", false, "");
    let signed = |keys: &minisign::KeyPair| {
        let text = minisign::sign(Some(&keys.pk), &keys.sk, source.as_bytes(), Some("made for a story"), None).unwrap();
        base64::engine::general_purpose::STANDARD.encode(text.to_string())
    };
    let refused = async |source: &str, signature: &str| {
        let problem = send(&lab, "/plugins", source, &[("signature", signature)]).await.problem();
        assert_eq!(problem.code, "not_vouched");
        problem.detail
    };
    let problem = send(&lab, "/plugins", &source, &[]).await.problem();
    assert_eq!(problem.code, "not_vouched");
    assert!(problem.detail.contains("order.rhai.minisig"), "{}", problem.detail);
    assert!(refused(&source, &signed(&keys)).await.contains("is not trusted here"));

    let folder = lab.server_data().join("trusted-keys");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("lab.pub"), format!("untrusted comment: ours\n{}\n", keys.pk.to_base64())).unwrap();
    assert!(refused(&source, &signed(&stranger)).await.contains("is not trusted here; trusted are"));
    assert!(
        refused(&source.replace("last - n", "n").replace("1.0.0\"\n//! kind", "1.0.1\"\n//! kind"), &signed(&keys))
            .await
            .contains("was changed")
    );
    let item: PluginItem = send(&lab, "/plugins", &source, &[("signature", &signed(&keys))]).await.json();
    assert_eq!(item.state, "live");
    let signature = detail(&lab).await.signature;
    assert_eq!((signature.state.as_str(), signature.name.as_deref()), ("good", Some("lab")));
    assert_eq!(signature.comment.as_deref(), Some("made for a story"));
}

#[tokio::test]
async fn a_half_written_plugin_in_the_folder_is_told_and_its_rest_is_taken_up() {
    let lab = Lab::start(1).await;
    let folder = lab.server_data().join("plugins/slow");
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = "name = \"slow\"\nversion = \"1\"\nkind = \"coverage-policy\"\nworld = \"1.0.0\"\nfile = \"slow.rhai\"\n\
                    [limits]\ndeadline_ms = 1000\n";
    std::fs::write(folder.join("slow.rhai"), "fn propose(plan, fr").unwrap();
    std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    let broken =
        eventually("the half to be told", || async { found(&lab, "slow").await.filter(|p| p.state == "broken") });
    assert!(broken.await.reason.unwrap().contains("does not compile"));
    std::fs::write(folder.join("slow.rhai"), "fn propose(plan, free) { [] }").unwrap();
    eventually("the whole to be live", || async { found(&lab, "slow").await.filter(|p| p.state == "live") }).await;

    // Taken away by a person, it stays away although its files lie there, also over a restart; another content is another plugin.
    let request = lab.client.request(Method::DELETE, "/plugins/slow");
    assert!(lab.client.send(request).await.unwrap().status.is_success());
    let mut lab = lab;
    lab.server.take().unwrap().kill();
    lab.start_server(&[]);
    lab.server_ready().await;
    assert!(found(&lab, "slow").await.is_none());
    std::fs::write(folder.join("slow.rhai"), "fn propose(plan, free) { let none = []; none }").unwrap();
    eventually("the new content to be live", || async { found(&lab, "slow").await.filter(|p| p.state == "live") })
        .await;
}
