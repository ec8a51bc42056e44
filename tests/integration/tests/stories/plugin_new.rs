//! The commands of `sdk/README.md`, as a reader runs them: from nothing to a policy that runs live.

use std::path::Path;
use std::process::{Command, Output};

use headend_integration::Lab;
use headend_integration::lab::{program, repository};

const TARGET: &str = "wasm32-unknown-unknown";

/// The commands of the page that belong to a story, in their order.
fn commands(story: &str) -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("sdk/README.md")).unwrap();
    let mark = format!("<!-- story: {story} -->\n```sh\n");
    let blocks = page.split(&mark).skip(1);
    let text: Vec<&str> = blocks.map(|rest| rest.split("\n```").next().unwrap()).collect();
    text.join("\n").lines().map(str::to_owned).collect()
}

/// A folder that looks like a clone to what the page does in it.
fn clone_in(lab: &Lab) -> std::path::PathBuf {
    let clone = lab.folder.path().join("clone");
    std::fs::create_dir_all(&clone).unwrap();
    for part in ["examples", "sdk"] {
        std::os::unix::fs::symlink(repository().join(part), clone.join(part)).unwrap();
    }
    clone
}

/// Runs a line of the page in the clone; gives what it printed.
async fn walk(lab: &Lab, clone: &Path, line: &str) -> String {
    // A rack that was not heard of for a while, on a busy machine, would be warned of.
    lab.rack_online().await;
    // Builds for tests are slow and the machine may be busy: how fast a policy is is not the page's point.
    let line = if line.starts_with("headend plugin check") { format!("{line} --load 10") } else { line.to_owned() };
    let path = format!("{}:{}", program().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(clone).env("PATH", path).env("NO_COLOR", "1");
    command.env("HEADEND_CONFIG", lab.server_data().join("credentials.toml"));
    command.env("XDG_STATE_HOME", lab.folder.path().join("share"));
    // The project has a target folder of its own, as the page says.
    command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "`{line}` ended with {status}:\n{stdout}\n{stderr}");
    stdout
}

/// Limits for a busy machine.
fn be_patient(clone: &Path) {
    for name in ["my-order", "my-queue", "my-eye", "my-rust-order", "my-c-order"] {
        let path = clone.join(name).join("headend-plugin.toml");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let patient = text
            .replace("deadline_ms = 500", "deadline_ms = 1000")
            .replace("deadline_ms = 100\n", "deadline_ms = 1000\n");
        std::fs::write(&path, patient).unwrap();
    }
}

#[tokio::test]
async fn a_stranger_follows_the_page_in_rhai() {
    let lab = Lab::start(2).await;
    let clone = clone_in(&lab);
    let lines = commands("rhai");
    assert!(lines.len() >= 10, "{lines:?}");
    let mut said = String::new();
    for line in &lines {
        said.push_str(&walk(&lab, &clone, line).await);
        be_patient(&clone);
    }
    for expected in [
        "sound",
        "my-order 0.1.0 is live",
        "chosen by plugin my-order",
        "my-order 0.2.0 is live",
        "my-queue 0.1.0 is live",
        "of full white",
        "my-eye 0.1.0 is live",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
}

#[tokio::test]
async fn a_stranger_follows_the_page_in_rust() {
    if !has_target() {
        println!("SKIPPED: the Rust tool chain here has no {TARGET}; `rustup target add {TARGET}` adds it");
        return;
    }
    let lab = Lab::start(2).await;
    let clone = clone_in(&lab);
    walk(&lab, &clone, "headend files upload examples/rhai-zap").await;
    let lines = commands("rust");
    assert!(lines.len() >= 6, "{lines:?}");
    let mut said = String::new();
    for line in &lines {
        said.push_str(&walk(&lab, &clone, line).await);
        be_patient(&clone);
        // The versions that our own guests are built with: what is fetched once need not be fetched again.
        let project = clone.join("my-rust-order");
        if !project.join("Cargo.lock").exists() {
            std::fs::copy(repository().join("plugins/Cargo.lock"), project.join("Cargo.lock")).unwrap();
        }
    }
    assert!(said.contains("my-rust-order 0.1.0 is live"), "{said}");
    said.push_str(&walk(&lab, &clone, "headend why 1").await);
    assert!(said.contains("chosen by plugin my-rust-order"), "{said}");
}

#[tokio::test]
async fn a_stranger_follows_the_page_in_c() {
    if !super::freestanding::has_clang() {
        return super::freestanding::skip("clang and wasm-ld are not here");
    }
    let lab = Lab::start(2).await;
    let clone = clone_in(&lab);
    walk(&lab, &clone, "headend files upload examples/rhai-zap").await;
    let lines = commands("c");
    assert!(lines.len() >= 5, "{lines:?}");
    let mut said = String::new();
    for line in &lines {
        said.push_str(&walk(&lab, &clone, line).await);
        be_patient(&clone);
    }
    said.push_str(&walk(&lab, &clone, "headend why 1").await);
    for expected in ["sound", "my-c-order 0.1.0 is live", "chosen by plugin my-c-order"] {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
}

/// The standard library for the target is here.
fn has_target() -> bool {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}
