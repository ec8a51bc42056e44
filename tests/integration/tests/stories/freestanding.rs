//! C and Zig: a policy in each beside a test in C on virtual boxes, and projects that are begun and build at once.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, program};
use headend_integration::{Lab, witness};
use headend_wire::api::{ModeRef, TestRequest};
use serde_json::json;

/// Says that a story is left out, which must not happen where everything is to be had.
pub(crate) fn skip(what: &str) {
    let must = std::env::var_os("CI").is_some() && Path::new("/etc/debian_version").exists();
    assert!(!must, "{what}; `cargo xtask test` brings its compiler");
    println!("SKIPPED: {what}; `cargo xtask setup` says what is missing");
}

/// An example that was built.
fn built(path: &str) -> Option<PathBuf> {
    let file = guests().join("examples").join(path);
    if file.exists() {
        return Some(file);
    }
    skip(&format!("{} is not built", file.display()));
    None
}

/// A folder of an example with limits that suit a busy machine.
fn patient(lab: &Lab, name: &str) -> PathBuf {
    let (from, to) = (guests().join("examples").join(name), lab.folder.path().join(name));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    be_patient(&to);
    to
}

fn be_patient(project: &Path) {
    let manifest = project.join("headend-plugin.toml");
    let Ok(text) = std::fs::read_to_string(&manifest) else { return };
    let lines = text.lines().map(|line| if line.starts_with("deadline_ms") { "deadline_ms = 1000" } else { line });
    std::fs::write(manifest, lines.collect::<Vec<_>>().join("\n")).unwrap();
}

/// Runs a line in a shell; gives what it said.
async fn sh(folder: &Path, line: &str) -> String {
    let path = format!("{}:{}", program().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    command.env("XDG_STATE_HOME", folder.join("state")).env("ZIG_GLOBAL_CACHE_DIR", folder.join("zig-cache"));
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "`{line}` ended with {status}:\n{said}");
    said
}

async fn a_job_under(policy: &str, reason: &str) {
    if built(&format!("{policy}/{}.wasm", policy.replace('-', "_"))).is_none() {
        return;
    }
    let Some(menu) = built("c-menu/menu.wasm") else { return };
    let lab = Lab::start(2).await;
    let folder = patient(&lab, policy);
    let checked = sh(lab.folder.path(), &format!("headend plugin check --load 10 {policy}")).await;
    assert!(checked.contains("\nsound"), "{checked}");
    let loaded = lab.client.post("/plugins/load", &json!({"path": folder})).await;
    assert!(loaded.status.is_success(), "{}", loaded.text());
    lab.client.upload("public", &[("c-menu/menu.wasm", &std::fs::read(menu).unwrap())]).await;
    let menu =
        |args: &str| TestRequest { mode: ModeRef::Name(policy.into()), args: args.into(), ..test("c-menu/menu.wasm") };
    let tests = [menu(""), menu("1"), menu("none")];
    let job = lab.client.submit(&request("c", &slots("rack1", 1..=2), tests)).await.job;
    let detail = lab.client.finished(job).await;
    assert_eq!(detail.run_list.len(), 6);
    for run in &detail.run_list {
        assert!(run.why.contains(policy) && run.why.contains(reason), "{}\n{}", run.why, lab.logs());
        let expected =
            [(111, "walked 3 entries"), (111, "walked 1 entries"), (1, "`none` is not a number of menu entries")];
        let (code, said) = expected[run.test as usize];
        assert!(run.result == code && run.comment.contains(said), "{} {}\n{}", run.result, run.comment, lab.logs());
    }
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn a_test_in_c_under_a_policy_in_c() {
    a_job_under("c-coverage", "has the fewest starts").await;
}

#[tokio::test]
async fn a_test_in_c_under_a_policy_in_zig() {
    a_job_under("zig-coverage", "is the first of the list").await;
}

/// The line of a project's page that builds it.
fn build_line(project: &Path) -> String {
    let page = std::fs::read_to_string(project.join("README.md")).unwrap();
    page.split("```sh\n").nth(1).unwrap().lines().next().unwrap().to_owned()
}

async fn projects_build_at_once(language: &str, prepare: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in [("coverage-policy", "my-order"), ("script", "my-test")] {
        sh(folder.path(), &format!("headend plugin new {name} --kind {kind} --lang {language}")).await;
        let project = folder.path().join(name);
        prepare(&project);
        be_patient(&project);
        sh(&project, &build_line(&project)).await;
    }
    let checked = sh(folder.path(), "headend plugin check --load 10 my-order").await;
    assert!(checked.contains("\nsound"), "{checked}");
    let other_way = r#"headend plugin check --load 10 --parameters '{"backwards": true}' my-order"#;
    assert!(sh(folder.path(), other_way).await.contains("\nsound"));
    let ran = sh(folder.path(), "headend run my-test/my_test.wasm").await;
    assert!(ran.contains("PASS: the menu was opened"), "{ran}");
}

/// clang that knows WebAssembly, and its linker.
pub(crate) fn has_clang() -> bool {
    let answers =
        |line: &str| Command::new("sh").args(["-c", line]).output().is_ok_and(|output| output.status.success());
    answers("clang --print-targets | grep -q wasm32 && wasm-ld --version")
}

#[tokio::test]
async fn projects_in_c_build_at_once() {
    if !has_clang() {
        return skip("clang and wasm-ld are not here");
    }
    projects_build_at_once("c", |_| {}).await;
}

#[tokio::test]
async fn projects_in_zig_build_at_once() {
    let Some(zig) = std::env::var_os("HEADEND_ZIG") else { return skip("Zig is not here") };
    // As the page asks for it.
    projects_build_at_once("zig", |project| std::os::unix::fs::symlink(&zig, project.join(".zig")).unwrap()).await;
}

#[tokio::test]
async fn what_has_no_sdk_is_refused_with_what_has() {
    let folder = tempfile::tempdir().unwrap();
    let line = "headend plugin new my-queue --kind queue-policy --lang c 2>&1; test $? -eq 2 && test ! -e my-queue";
    let said = sh(folder.path(), line).await;
    assert!(said.contains("coverage policies and scripts"), "{said}");
}
