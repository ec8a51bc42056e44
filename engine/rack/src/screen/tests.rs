//! What analysers are asked of screens, and what tests share under names.

use std::path::{Path, PathBuf};

use headend_wire::session::Resource;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::session::Places;

/// JSON's `95` and `95.0` are one number.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(all) => all.iter().map(plain).collect(),
        Value::Object(all) => all.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

fn asked(leaf: &Leaf<'_>, size: Option<Size>, image: Option<Size>) -> Value {
    match leaf.region.asked(leaf.design, size, image) {
        Err(_) => Value::Null,
        Ok(Asked::Picture(question)) => {
            let compares: Vec<_> = question.references.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(compares, leaf.region.image().into_iter().collect::<Vec<_>>());
            json!({ "analyser": question.analyser, "parameters": question.parameters })
        }
        Ok(Asked::Stream { question, timeout_ms, gap_ms }) => {
            json!({ "analyser": question.analyser, "parameters": question.parameters, "timeout_ms": timeout_ms,
                    "gap_ms": gap_ms })
        }
    }
}

#[test]
fn the_same_is_asked_as_of_legacy_scripts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/screens/questions.json");
    let data: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = data["cases"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let of = |key: &str| serde_json::from_value::<Option<Size>>(case[key].clone()).unwrap();
        let screen = Screen::read(&case["screen"]).unwrap();
        let told: Vec<Value> =
            screen.leaves().iter().map(|leaf| plain(&asked(leaf, of("size"), of("image")))).collect();
        assert_eq!(Value::from(told), plain(&case["asked"]), "{}", case["name"]);
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn places(&self, script: &str) -> Places {
        Places::by_hand(Path::new(&self.path(script)))
    }
}

const UI: &str = r#"{
    "Title": { "region": [50, 40, 300, 44], "slots": { "3": [60, 40, 300, 44] } },
    "panel": { "color": [16, 20, 40], "tolerances": [8, 8, 8], "peakError": 2 },
    "hello": { "string": "Guten Tag" },
    "odd": { "region": [1, 2] }
}"#;

#[test]
fn what_tests_share_is_found_by_its_name() {
    let folder = Folder::new(&[
        ("public/resources/ui.json", UI),
        ("public/resources/UI/Logo.PNG", ""),
        ("public/tests/resources/ui/own.json", r#"{ "string": "beside" }"#),
        ("public/tests/resources/broken.json", "{"),
    ]);
    let places = folder.places("public/tests");
    let find = |kind, name: &str, slot| named::find(&places, kind, name, slot);
    assert_eq!(find(Resource::Region, "/UI/Title", None).unwrap(), json!([50, 40, 300, 44]));
    assert_eq!(find(Resource::Region, "UI\\Title", Some(3)).unwrap(), json!([60, 40, 300, 44]));
    assert_eq!(find(Resource::Region, "/UI/Title", Some(4)).unwrap(), json!([50, 40, 300, 44]));
    let panel = json!({ "value": [16, 20, 40], "tolerance": [8, 8, 8], "peak_error": 2 });
    assert_eq!(find(Resource::Colour, "/ui/panel", None).unwrap(), panel);
    assert_eq!(find(Resource::String, "/UI/hello", None).unwrap(), json!("Guten Tag"));
    assert_eq!(find(Resource::String, "/UI/own", None).unwrap(), json!("beside"));
    let logo = folder.path("public/resources/UI/Logo.PNG").display().to_string();
    assert_eq!(find(Resource::Image, "/ui/logo", None).unwrap(), json!(logo));

    let refused = [
        (Resource::Region, "/UI/none", "/public/resources"),
        (Resource::String, "/UI/Title", "no string named"),
        (Resource::Region, "/UI/odd", "four numbers"),
        (Resource::Region, "/broken/x", "broken.json"),
        (Resource::Image, "/../secret", "no name of a resource"),
        (Resource::Image, "//", "no name of a resource"),
    ];
    for (kind, name, words) in refused {
        let why = find(kind, name, None).unwrap_err();
        assert!(why.contains(words), "{name}: {why}");
    }
}

#[test]
fn screens_of_files_stand_for_themselves_and_go_back_into_files() {
    let guide = r#"{"Type": "ScreenDef", "Name": "Guide", "Odd": 7, "Regions": [
        {"Type": "OCRTest", "Name": "title", "Rect": "/ui/Title", "ExpectedText": "Guide"},
        {"Type": "ColorTest", "Name": "panel", "Rect": {"Name": "/ui/Title"}, "ReferenceColor": {"Color": "/ui/panel", "PeakError": 9}},
        {"Type": "ScreenDef", "Name": "inner", "Regions": [{"Type": "ImageTest", "Name": "logo", "ReferenceImage": "pictures\\logo.png"}]}]}"#;
    let menus = r#"{"Type": "Navigator", "Screens": [
        {"Name": "the guide", "File": "parts\\guide.stscreen"}, {"Type": "ScreenDef", "Name": "Settings", "Regions": []}]}"#;
    let folder = Folder::new(&[
        ("resources/ui.json", UI),
        ("parts/guide.stscreen", &format!("\u{feff}{guide}")),
        ("parts/pictures/logo.png", ""),
        ("menus.stnav_runtime", menus),
    ]);
    let places = folder.places("");
    let loaded = stored::load(&places, "menus.stnav_runtime").unwrap();
    let names: Vec<_> = loaded.screens.iter().map(|screen| screen["Name"].as_str().unwrap()).collect();
    assert_eq!((loaded.name.as_str(), names), ("menus", vec!["the guide", "Settings"]));
    let screen = &loaded.screens[0];
    let image = folder.path("parts/pictures/logo.png").display().to_string();
    assert_eq!(screen["Regions"][0]["Rect"], json!({ "rect": [50, 40, 300, 44] }));
    let colour = json!({ "Color": [16, 20, 40], "Tolerance": [8, 8, 8], "PeakError": 9 });
    assert_eq!(screen["Regions"][1]["ReferenceColor"], colour);
    assert_eq!(screen["Regions"][2]["Regions"][0]["ReferenceImage"], image.as_str());
    assert_eq!(screen["Odd"], 7, "what is not known is kept");
    assert_eq!(stored::load(&places, "parts/guide.stscreen").unwrap().name, "Guide");

    let path = stored::save(&places, &folder.path("parts"), "copy.stscreen", screen.clone()).unwrap();
    assert_eq!(path, folder.path("parts/copy.stscreen"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains('\n') && text.contains("\"pictures/logo.png\""), "{text}");
    assert_eq!(&stored::load(&places, "parts/copy.stscreen").unwrap().screens[0], screen);
    // What is shared stays a name.
    let with_names: Value = serde_json::from_str(guide).unwrap();
    let path = stored::save(&places, &folder.path("parts"), "named.2", with_names).unwrap();
    assert_eq!(path, folder.path("parts/named.2.stscreen"));
    assert!(std::fs::read_to_string(path).unwrap().contains("\"/ui/Title\""));
    let none = json!({ "Regions": [{ "Type": "OCRTest", "Rect": "/ui/none" }] });
    assert!(stored::save(&places, &folder.path("parts"), "none", none).unwrap_err().contains("/ui/none"));
    let mut moved = screen.clone();
    for image in stored::images_of(&mut moved) {
        "given/1.png".clone_into(image);
    }
    assert_eq!(moved["Regions"][2]["Regions"][0]["ReferenceImage"], "given/1.png");
}

#[test]
fn what_is_no_file_of_screens_is_told_by_its_name() {
    let folder = Folder::new(&[
        ("text.stscreen", "<screen/>"),
        ("list.stscreen", "[]"),
        ("other.stscreen", r#"{"Type": "Recipe"}"#),
        ("lost.stscreen", r#"{"Regions": [{"Type": "ImageTest", "ReferenceImage": "none.png"}]}"#),
        ("named.stscreen", r#"{"Regions": [{"Type": "OCRTest", "Rect": "/ui/none"}]}"#),
        ("menu.stnav", r#"{"Type": "Navigator", "Screens": {}}"#),
        ("theirs.stnav_runtime", "\u{1}"),
        ("large.stscreen", &format!(r#"{{"Comment": "{}"}}"#, "x".repeat(100_000))),
        (
            "many.stnav",
            &format!(r#"{{"Type": "Navigator", "Screens": [{}]}}"#, [r#"{"File": "large.stscreen"}"#; 6].join(",")),
        ),
        ("itself.stnav", r#"{"Type": "Navigator", "Screens": [{"File": "itself.stnav"}]}"#),
    ]);
    for (file, words) in [
        ("none.stscreen", "No such file"),
        ("text.stscreen", "no JSON"),
        ("list.stscreen", "no JSON object"),
        ("many.stnav", "its screens take more than 524288 bytes together"),
        ("theirs.stnav_runtime", "describe the screens as JSON"),
        ("other.stscreen", "\"Recipe\""),
        ("lost.stscreen", "none.png"),
        ("named.stscreen", "/ui/none"),
        ("menu.stnav", "no list"),
        ("itself.stnav", "\"Navigator\""),
    ] {
        let why = stored::load(&folder.places(""), file).unwrap_err();
        assert!(why.contains(file) && why.contains(words), "{why}");
    }
    assert!(stored::save(&folder.places(""), folder.0.path(), "x", json!([])).is_err());
}

fn colour(name: &str) -> Value {
    json!({ "Type": "ColorTest", "Name": name, "ReferenceColor": { "Color": [1, 2, 3] } })
}

#[test]
fn all_that_counts_has_to_be_there_within_other_screens_too() {
    let mut free = colour("free");
    free["Verify"] = false.into();
    let loose = json!({ "Type": "ScreenDef", "Name": "loose", "Verify": 0, "Regions": [colour("c")] });
    let inner = json!({ "Type": "ScreenDef", "Name": "inner", "DesignSize": [10, 10], "Regions": [colour("b"), free] });
    let screen = Screen::read(&json!({ "Name": "outer", "Regions": [colour("a"), inner, loose] })).unwrap();
    let leaves = screen.leaves();
    let told: Vec<_> = leaves.iter().map(|leaf| (leaf.name.as_str(), leaf.design, leaf.counts)).collect();
    assert_eq!(
        told,
        [
            ("a", None, true),
            ("inner/b", Some([10, 10]), true),
            ("inner/free", Some([10, 10]), false),
            ("loose/c", None, false)
        ]
    );
    assert!(screen.is_there(&[true, true, false, false]));
    assert!(!screen.is_there(&[true, false, true, true]));
    assert!(!screen.is_there(&[false, true, true, true]));
    assert!(!Screen::read(&json!({ "Regions": [] })).unwrap().is_there(&[]), "nothing is no screen");
}

#[test]
fn what_is_no_screen_is_refused_by_name() {
    let mut deep = json!({ "Type": "ScreenDef", "Regions": [] });
    for _ in 0..DEEPEST {
        deep = json!({ "Type": "ScreenDef", "Regions": [deep] });
    }
    let cases = [
        (json!([]), "a screen is a JSON object"),
        (json!({ "Type": "Navigator" }), "\"Navigator\""),
        (json!({ "Name": 7 }), "`Name` is 7"),
        (json!({ "Name": "x", "Regions": {} }), "a list"),
        (json!({ "Name": "x", "DesignSize": [1] }), "`DesignSize` is [1]"),
        (json!({ "Name": "x", "Regions": [7] }), "7"),
        (json!({ "Name": "x", "Regions": vec![colour("a"); MOST_REGIONS + 1] }), "more than 256"),
        (deep, "deep"),
    ];
    for (value, words) in cases {
        let why = Screen::read(&value).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}

/// Whatever a key may be given.
fn anything() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (0_u32..2_000).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-zA-Z/.]{0,8}".prop_map(Value::from),
        prop::collection::vec(0_u32..2_000, 2..5).prop_map(Value::from),
        prop::collection::vec(any::<u32>(), 4).prop_map(Value::from),
    ];
    plain.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

/// A region, or something like one; and a screen of some, as deep as it goes.
fn screens() -> impl Strategy<Value = Value> {
    const KINDS: [&str; 7] = ["ColorTest", "ImageTest", "OCRTest", "MotionTest", "AudioTest", "ScreenDef", "SmellTest"];
    const KEYS: [&str; 14] = [
        "Name",
        "Rect",
        "Verify",
        "PassOnNoMatch",
        "ReferenceColor",
        "ReferenceImage",
        "Threshold",
        "ExpectedText",
        "Language",
        "MotionThreshold",
        "AudioThreshold",
        "Timeout",
        "DesignSize",
        "Color",
    ];
    let key = || prop::sample::select(&KEYS[..]);
    let given = prop::collection::btree_map(key(), anything(), 0..5);
    let region = (prop::sample::select(&KINDS[..]), given).prop_map(|(kind, given)| {
        let mut region = json!({ "Type": kind, "ReferenceColor": { "Color": [1, 2, 3] }, "ReferenceImage": "a.png" });
        for (key, value) in given {
            region[key] = value;
        }
        region
    });
    region.prop_recursive(4, 40, 6, |inner| {
        (anything(), prop::collection::vec(inner, 0..6)).prop_map(
            |(size, regions)| json!({ "Type": "ScreenDef", "Name": "any", "DesignSize": size, "Regions": regions }),
        )
    })
}

proptest! {
    #[test]
    fn whatever_a_script_calls_a_screen_is_read_or_refused(
        value in screens(),
        size in prop::option::of(any::<Size>()),
        image in prop::option::of(any::<Size>()),
    ) {
        if let Ok(screen) = Screen::read(&value) {
            let leaves = screen.leaves();
            for leaf in &leaves {
                let asked = leaf.region.asked(leaf.design, size, image);
                if let Ok(Asked::Picture(question) | Asked::Stream { question, .. }) = asked {
                    prop_assert!(question.parameters.is_object());
                }
            }
            // Each leaf counts for its own place.
            prop_assert_eq!(screen.is_there(&vec![true; leaves.len()]), screen.parts_are_there());
            for (place, leaf) in leaves.iter().enumerate().filter(|(_, leaf)| leaf.counts) {
                let mut as_wanted = vec![true; leaves.len()];
                as_wanted[place] = false;
                prop_assert!(!screen.is_there(&as_wanted), "{}", leaf.name);
            }
        }
    }
}

impl Screen {
    /// No screen that counts is without regions.
    fn parts_are_there(&self) -> bool {
        let there = |part: &Part| match part {
            Part::Region(_) => true,
            Part::Screen(inner) => inner.parts_are_there() || !inner.counts,
        };
        !self.parts.is_empty() && self.parts.iter().all(there)
    }
}
