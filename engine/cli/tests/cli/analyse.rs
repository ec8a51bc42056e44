//! `headend analyse` and analysers of one's own, from nothing to a verdict, without a server.

use std::path::{Path, PathBuf};
use std::process::Command;

use headend_plugin_host::analyser::drawn::{card, plain};
use headend_plugin_host::analyser::media::{Colour, Picture};
use serde_json::Value;

use crate::fake::{headend, show};

const TARGET: &str = "wasm32-unknown-unknown";

fn save(path: &Path, picture: &Picture) {
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&picture.read(picture.bounds())).unwrap();
}

/// A folder with `new`, a picture of each kind, and a film of five frames that turns black.
fn studio() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    save(&home.path().join("card.png"), &card(160, 90, 0));
    save(&home.path().join("black.png"), &plain(160, 90, Colour::default()));
    std::fs::create_dir(home.path().join("film")).unwrap();
    for frame in 0..5_u32 {
        let picture = if frame < 3 { card(160, 90, frame) } else { plain(160, 90, Colour::default()) };
        save(&home.path().join(format!("film/frame-{frame:03}.png")), &picture);
    }
    std::fs::write(home.path().join("film/notes.txt"), "no picture").unwrap();
    home
}

/// `black` as it was released first.
fn black() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/released/black-1.0.0")
}

fn run(home: &Path, words: &[&str]) -> String {
    show(&headend(words).current_dir(home).env("HOME", home).output().unwrap())
}

fn json(said: &str) -> Value {
    let json = said.split_once("--- out\n").unwrap().1.split("--- err").next().unwrap();
    serde_json::from_str(json).unwrap_or_else(|_| panic!("{said}"))
}

#[test]
fn a_stored_picture_has_a_verdict_and_the_exit_code_is_the_last_one() {
    let home = studio();
    let plugin = black().display().to_string();
    let passed = run(home.path(), &["analyse", &plugin, "black.png"]);
    assert!(passed.starts_with("exit 0") && passed.contains("100.0 % of it is black"), "{passed}");
    let failed = run(home.path(), &["analyse", &plugin, "black.png", "card.png", "--json"]);
    assert!(failed.starts_with("exit 1"), "{failed}");
    let report = json(&failed);
    assert_eq!((&report["plugin"], &report["frames"]), (&Value::from("black"), &Value::from(2)));
    assert_eq!(report["verdicts"][1]["file"], "card.png", "{report:#}");
    assert_eq!((&report["verdicts"][0]["passed"], &report["verdicts"][1]["passed"]), (&true.into(), &false.into()));
    let seen = run(
        home.path(),
        &["analyse", &plugin, "card.png", "--parameters", r#"{"share": 0.1}"#, "--overlay", "seen.png"],
    );
    assert!(seen.starts_with("exit 0"), "{seen}");
    let drawn = headend_plugin_host::analyser::stored::read(&home.path().join("seen.png")).unwrap().picture;
    assert!(
        (drawn.width(), drawn.height()) == (160, 90) && drawn != card(160, 90, 0),
        "the frame, with something on it"
    );
}

#[test]
fn a_folder_is_a_stream_of_its_pictures() {
    let home = studio();
    let plugin = black().display().to_string();
    let said = run(home.path(), &["analyse", &plugin, "film", "--fps", "50", "--json"]);
    assert!(said.starts_with("exit 0"), "{said}");
    let report = json(&said);
    let verdicts = report["verdicts"].as_array().unwrap();
    assert_eq!((verdicts.len(), &verdicts[3]["file"]), (5, &Value::from("film/frame-003.png")), "{report:#}");
    assert_eq!((&verdicts[3]["at_us"], &verdicts[3]["passed"]), (&Value::from(60_000), &true.into()));
    std::fs::create_dir(home.path().join("empty")).unwrap();
    let none = run(home.path(), &["analyse", &plugin, "empty"]);
    assert!(none.starts_with("exit 4") && none.contains("no pictures in empty"), "{none}");
}

#[test]
fn what_cannot_be_analysed_is_told_with_its_remedy() {
    let home = studio();
    let plugin = black().display().to_string();
    let cases: [(&[&str], &str, &str); 4] = [
        (&["analyse", &plugin, "nowhere.png"], "exit 4", "nowhere.png"),
        (&["analyse", &plugin, "film/notes.txt"], "exit 2", "neither PNG nor"),
        (&["analyse", &plugin, "card.png", "--parameters", r#"{"colour": 1}"#], "exit 2", "/colour"),
        (&["analyse", &plugin, "card.png", "--grant", "orc"], "exit 2", "did you mean `ocr`?"),
    ];
    for (words, exit, text) in cases {
        let said = run(home.path(), words);
        assert!(said.starts_with(exit) && said.contains(text), "{words:?}: {said}");
    }
    // Asks for something, and says how it is given.
    std::fs::create_dir(home.path().join("asks")).unwrap();
    let manifest = "name = \"asks\"\nversion = \"1.0.0\"\nkind = \"analyser\"\nworld = \"1.1.0\"\nfile = \"a.rhai\"\ncapabilities = [\"ocr\"]\n";
    std::fs::write(home.path().join("asks/headend-plugin.toml"), manifest).unwrap();
    std::fs::write(home.path().join("asks/a.rhai"), "fn feed(frame) { #{ passed: true, sentence: \"yes\" } }").unwrap();
    let refused = run(home.path(), &["analyse", "asks", "card.png"]);
    assert!(refused.starts_with("exit 2") && refused.contains("add --grant ocr"), "{refused}");
    assert!(run(home.path(), &["analyse", "asks", "card.png", "--grant", "ocr"]).starts_with("exit 0"));
}

const SAYS: &str = r#"
fn read(news) {
    for line in news.lines {
        if line.text.contains(this.parameters.text) { return #{ passed: true, sentence: `it said ${line.text}` }; }
    }
    ()
}
fn finish() { if this.parameters.end { #{ passed: false, sentence: "that was all" } } }
"#;

/// An analyser that reads, in Rhai.
fn reader(home: &Path) {
    let manifest = "name = \"says\"\nversion = \"1.0.0\"\nkind = \"analyser\"\nworld = \"1.2.0\"\nfile = \"a.rhai\"\nsenses = [\"serial\"]\n\
                    [limits]\nmemory_mib = 32\ndeadline_ms = 5000\n[parameters]\ntype = \"object\"\n\
                    properties.text = { type = \"string\", default = \"login\" }\nproperties.end = { type = \"boolean\", default = false }\n";
    std::fs::create_dir(home.join("says")).unwrap();
    std::fs::write(home.join("says/headend-plugin.toml"), manifest).unwrap();
    std::fs::write(home.join("says/a.rhai"), SAYS).unwrap();
}

#[test]
fn serial_logs_are_read_slot_by_slot() {
    let home = tempfile::tempdir().unwrap();
    reader(home.path());
    std::fs::create_dir(home.path().join("run")).unwrap();
    let log = "[0.500] slot 1: boot: ok\n[1.250] slot 2: login: \n[2.000] slot 1: login: \n";
    std::fs::write(home.path().join("run/serial.txt"), log).unwrap();
    std::fs::write(home.path().join("plain.log"), "boot\nno prompt\n").unwrap();
    let read = run(home.path(), &["analyse", "says", "run", "--json"]);
    let report = json(&read);
    assert!(read.starts_with("exit 0") && report["lines"] == 3 && report["passed"] == true, "{read}");
    let verdicts = report["verdicts"].as_array().unwrap();
    let told: Vec<_> = verdicts.iter().map(|verdict| (&verdict["slot"], &verdict["at_us"], &verdict["file"])).collect();
    let file = Value::from("run/serial.txt");
    assert_eq!(told, [(&1.into(), &2_000_000.into(), &file), (&2.into(), &1_250_000.into(), &file)]);
    assert_eq!(json(&run(home.path(), &["analyse", "says", "run", "--slot", "2", "--json"]))["lines"], 1);
    let both = run(home.path(), &["analyse", "says", "run", "plain.log"]);
    assert!(both.starts_with("exit 1"), "of the last file nothing was said: {both}");
    let ended = run(home.path(), &["analyse", "says", "run", "--parameters", r#"{"end": true}"#]);
    assert!(ended.starts_with("exit 1") && ended.contains("that was all"), "{ended}");
    for (words, exit, text) in [
        (&["analyse", "says", "nowhere.log"] as &[&str], "exit 4", "nowhere.log"),
        (&["analyse", "says", "run", "--slot", "9"], "exit 4", "no line of slot 9"),
        (&["analyse", "says", "run", "--timing", "3"], "exit 2", "leave out --overlay and --timing"),
    ] {
        let said = run(home.path(), words);
        assert!(said.starts_with(exit) && said.contains(text), "{words:?}: {said}");
    }
    let passport = json(&run(home.path(), &["plugin", "check", "says", "--json"]));
    let tests = passport["tests"].as_array().unwrap();
    let lines = tests.iter().find(|test| test["test"] == "lines").unwrap_or_else(|| panic!("{passport:#}"));
    assert!(lines["figures"].as_str().unwrap().starts_with("600 lines"), "{lines:#}");
}

/// A manifest for a machine that is busy.
fn be_patient(project: &Path) {
    let path = project.join("headend-plugin.toml");
    let manifest = std::fs::read_to_string(&path).unwrap();
    let patient =
        |line: &str| if line.starts_with("deadline_ms") { "deadline_ms = 5000".into() } else { line.to_owned() };
    std::fs::write(&path, manifest.lines().map(patient).collect::<Vec<_>>().join("\n")).unwrap();
}

/// Checks the project, and runs it on a bright picture and a dark one.
fn is_sound(home: &Path) {
    be_patient(&home.join("mine"));
    let checked = run(home, &["plugin", "check", "mine", "--json"]);
    let passport = json(&checked);
    assert!(checked.starts_with("exit 0"), "{passport:#}");
    let tests = passport["tests"].as_array().unwrap();
    let names: Vec<&str> = tests.iter().map(|test| test["test"].as_str().unwrap()).collect();
    assert_eq!(names, ["answers", "repeatable", "sizes", "empty", "settings", "load"]);
    assert!(tests.iter().all(|test| test["how"] == "passed"), "{passport:#}");
    save(&home.join("white.png"), &plain(64, 36, Colour::new(255, 255, 255)));
    let white = run(home, &["analyse", "mine", "white.png"]);
    assert!(white.starts_with("exit 0") && white.contains("100"), "{white}");
    assert!(run(home, &["analyse", "mine", "black.png"]).starts_with("exit 1"));
}

#[test]
fn an_analyser_of_ones_own_in_rhai_is_sound_at_once() {
    let home = studio();
    let made = run(home.path(), &["plugin", "new", "mine", "--kind", "analyser", "--lang", "rhai"]);
    assert!(made.starts_with("exit 0"), "{made}");
    is_sound(home.path());
}

#[test]
fn an_analyser_of_ones_own_in_rust_builds_and_is_sound_at_once() {
    let libraries = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let has_target = libraries
        .is_ok_and(|said| said.status.success() && Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_dir());
    if !has_target {
        println!("SKIPPED: the Rust tool chain here has no {TARGET}; `rustup target add {TARGET}` adds it");
        return;
    }
    let home = studio();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust").canonicalize().unwrap();
    let words = ["plugin", "new", "mine", "--kind", "analyser", "--lang", "rust", "--sdk", sdk.to_str().unwrap()];
    let made = run(home.path(), &words);
    assert!(made.starts_with("exit 0"), "{made}");
    let project = home.path().join("mine");
    // The versions that our own guests are built with: what is fetched once need not be fetched again.
    std::fs::copy(sdk.join("../../plugins/Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--target", TARGET]).current_dir(&project);
    build.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::copy(project.join("target").join(TARGET).join("release/mine.wasm"), project.join("mine.wasm")).unwrap();
    is_sound(home.path());
}
