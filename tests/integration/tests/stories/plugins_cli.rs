//! The same life from the command line.

use std::process::{Command, Output};

use headend_integration::Lab;
use headend_integration::lab::program;
use headend_wire::plugins::{PluginDetail, VerifyAnswer};

use super::plugins::policy;

async fn headend(lab: &Lab, arguments: &[&str]) -> Output {
    let config = lab.server_data().join("credentials.toml");
    let mut command = Command::new(program());
    command.arg("plugin").args(arguments).env("HEADEND_CONFIG", config).env("NO_COLOR", "1");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn says(lab: &Lab, arguments: &[&str]) -> String {
    let output = headend(lab, arguments).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test]
async fn the_command_line_does_all_of_it() {
    let lab = Lab::start(1).await;
    let folder = lab.folder.path().join("order");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.to_str().unwrap();
    let write = |version: &str, code: &str| {
        let manifest = format!(
            "name = \"order\"\nversion = \"{version}\"\nkind = \"coverage-policy\"\nworld = \"1.0.0\"\nfile = \"order.rhai\"\n\
             capabilities = [\"log\"]\n[limits]\ndeadline_ms = 1000\n[parameters]\ntype = \"object\"\n\
             properties.pace = {{ type = \"integer\", maximum = 9, default = 1 }}\n"
        );
        std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
        std::fs::write(folder.join("order.rhai"), code).unwrap();
    };
    write("1.0.0", "fn propose(plan, free) { thro");
    let output = headend(&lab, &["verify", path, "--json"]).await;
    let answer: VerifyAnswer = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), answer.ok), (Some(2), false));
    let failed = headend(&lab, &["install", path]).await;
    assert!(String::from_utf8_lossy(&failed.stderr).contains("headend plugin verify"));

    write("1.0.0", "fn propose(plan, free) { [] }");
    assert!(says(&lab, &["verify", path]).await.contains("it would be installed"));
    assert!(says(&lab, &["install", path, "--parameters", "{\"pace\": 2}"]).await.contains("order 1.0.0 is live"));
    write("2.0.0", "fn propose(plan, free) { let none = []; none }");
    assert!(
        says(&lab, &["install", folder.join("order.rhai").to_str().unwrap()]).await.contains("order 2.0.0 is live")
    );
    let detail: PluginDetail = serde_json::from_str(&says(&lab, &["show", "order", "--json"]).await).unwrap();
    assert_eq!(detail.versions.iter().map(|v| v.version.as_str()).collect::<Vec<_>>(), ["1.0.0", "2.0.0"]);
    assert_eq!(detail.parameters.set["pace"], 2);
    assert!(says(&lab, &["show", "order"]).await.contains("log (write lines to the server's log): granted"));
    assert!(says(&lab, &["rollback", "order"]).await.contains("order 1.0.0 is live"));
    assert!(says(&lab, &["rollback", "order", "--to", &detail.item.hash[..8]]).await.contains("order 2.0.0"));
    assert!(says(&lab, &["parameters", "order", "{\"pace\": 3}"]).await.contains("\"pace\": 3"));
    let output = headend(&lab, &["parameters", "order", "{\"pace\": 10}"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/pace"));
    assert!(says(&lab, &["reload", "order"]).await.contains("is live"));
    assert!(says(&lab, &["disable", "order"]).await.contains("disabled"));
    assert!(says(&lab, &["enable", "order"]).await.contains("live"));
    assert!(says(&lab, &["grant"]).await.contains("the server's start"));
    assert!(says(&lab, &["grant", "order", "log"]).await.contains("order"));
    assert!(!says(&lab, &["grant", "order", "log", "--revoke"]).await.contains("order"));
    assert!(says(&lab, &["remove", "order"]).await.contains("order was removed"));
    let file = folder.join("inner.rhai");
    std::fs::write(&file, policy("1.0.0", false, "")).unwrap();
    assert!(says(&lab, &["install", file.to_str().unwrap()]).await.contains("order 1.0.0 is live"));
    assert!(says(&lab, &["list"]).await.contains("order"));
}
