//! What the page has, and what it has not.

use serde_json::json;

use super::*;

fn info(script: &str) -> SessionInfo {
    SessionInfo {
        job: 7,
        run: 12,
        attempt: 1,
        script: script.to_owned(),
        args: vec!["<arg>".into()],
        public: None,
        out: "/out".into(),
        rack: "rack1".into(),
        port: 8001,
        slots: vec![4, 9],
        under_daemon: true,
    }
}

fn about(info: &SessionInfo) -> About<'_> {
    About { info, how: "", sources: &[] }
}

fn page_of(events: &[Value], console: &str) -> String {
    page_with(events, console, "", &[])
}

fn page_with(events: &[Value], console: &str, times: &str, sources: &[Source]) -> String {
    let log = events.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let info = info("/x/zap.py");
    let about = About { info: &info, how: "Test has run to completion", sources };
    page(&about, Path::new("/out"), &log, &mut Console::new(console.as_bytes(), times))
}

#[test]
fn it_tells_what_happened_in_order() {
    let page = page_of(
        &[
            json!({ "at": 1_700_000_000_123_000_i64, "kind": "press", "key": "Menu", "slots": [1], "ok": true }),
            json!({ "at": 1, "kind": "region", "name": "outer" }),
            json!({ "at": 2, "kind": "region", "name": "inner" }),
            json!({ "at": 3, "kind": "watch", "slot": 1, "analyser": "colour", "met": true, "sentence": "it is blue",
                    "looks": 4, "seconds": 3.4, "values": { "red": 1.0 }, "path": "/out/colour_1.png" }),
            json!({ "at": 4, "kind": "region_end", "name": "outer", "style": "fail", "comment": "no menu", "ok": true }),
            json!({ "at": 5, "kind": "step_end", "name": "zap", "result": 111, "comment": null, "ok": true }),
            json!({ "at": 6, "kind": "measure", "name": "zap time", "value": 1.25, "unit": "s" }),
            json!({ "at": 7, "kind": "serial", "slot": 1, "text": "boot ok" }),
        ],
        "hello\n",
    );
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing in {page}"));
    assert!(place("2023-11-14 22.13.20.123") < place("PressButton(Menu) on slots [1]"));
    assert!(place("<q>no menu</q>") < place("inner</summary>"), "the inner region lies in the outer one");
    assert!(place("inner</summary>") < place("it is blue (4 looks, 3.400 s) red = 1.0"));
    assert!(page.contains("<details class=\"region fail\" open>"));
    assert!(page.contains("href=\"./colour_1.png\""));
    assert!(page.contains("<tr class=\"pass\"><td>zap<td>"));
    assert!(page.contains("<td>zap time<td>1.25<td>s"));
    assert!(page.contains("slot 1: boot ok") && page.contains("<pre>hello\n</pre>"));
    assert!(page.contains("job 7, run 12, attempt 1, rack rack1, slots 4, 9"));
    assert_eq!(page.matches("<details").count(), page.matches("</details>").count());
}

#[test]
fn what_a_script_wrote_stays_text() {
    let evil = "</pre><script>alert(1)</script><img src=x onerror='a'>\"";
    let mut events = Vec::new();
    let kinds = ["log", "error", "region", "step", "step_end", "result", "serial", "watch", "artifact", "other"];
    for kind in kinds.into_iter().chain(["analyser", "files", "script", "filmstrip", "armed_pictures"]) {
        events.push(json!({ "kind": kind, "text": evil, "name": evil, "comment": evil, "path": format!("a{evil}.png"),
                            "sentence": evil, "analyser": evil, "values": { evil: 1 }, "code": evil, "level": evil,
                            "slot": evil, "looks": evil, "result": 100, "ok": true, "source": [evil, format!("{evil}:1")],
                            "version": evil, "public": evil, "script": evil, "why": evil, "film": evil,
                            "pictures": [{ "what": evil, "at_us": evil, "path": evil }] }));
    }
    events.push(json!({ "kind": "region_end", "name": evil, "style": evil, "comment": evil, "ok": true }));
    let sources = [Source::of(evil.to_owned(), evil.as_bytes(), true)];
    let page = [page_with(&events, evil, "0 1", &sources), page_of(&events, evil)].concat();
    assert!(!page.contains("<script") && !page.contains("<img src=x") && !page.contains("onerror='"));
    assert!(page.contains("&lt;script&gt;"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("javascript:"));
}

#[test]
fn versions_of_what_took_part_are_told() {
    let page = page_of(
        &[
            json!({ "kind": "files", "script": "zap.py", "public": "0123456789abcdef0123", "private": null }),
            json!({ "kind": "analyser", "name": "colour", "version": "1.0.0 (abcdef012345)" }),
        ],
        "",
    );
    assert!(page.contains("<td>public files<td>0123456789abcdef<td>"), "{page}");
    assert!(page.contains("<td>analyser colour<td>1.0.0 (abcdef012345)<td>"), "{page}");
    assert!(!page.contains("private files"), "{page}");
}

#[test]
fn nothing_outside_of_the_folder_is_linked() {
    for path in ["/etc/passwd", "../other/run.png", "a/../../b.png", "", "/out"] {
        let event = json!({ "kind": "artifact", "path": path, "film": path, "pictures": [{ "path": path }],
                            "source": ["zap.py:1"] });
        let page = page_of(&[event], "");
        assert!(!page.contains("href="), "{path}");
    }
}

#[test]
fn a_film_with_an_mp4_beside_it_can_be_played_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let events = [
        json!({ "kind": "video_stop", "path": path("zap 1.avi") }),
        json!({ "kind": "filmstrip", "path": path("filmstrip_1.png"), "film": path("lastseconds_1.avi") }),
        json!({ "kind": "artifact", "name": "theirs", "path": "/elsewhere/zap 1.avi" }),
        json!({ "kind": "log", "text": "<!--film ./zap%201.mp4-->" }),
    ];
    std::fs::write(path("log.jsonl"), events.map(|event| event.to_string()).join("\n")).unwrap();
    let info = info("/x/zap.py");
    write(folder.path(), &about(&info), LogLimits::default());
    let page = || std::fs::read_to_string(path(FILE)).unwrap();
    let films = ["zap 1.avi", "lastseconds_1.avi"].map(path);
    show_films(folder.path(), &films);
    assert!(!page().contains("<video"), "there is none to play");
    std::fs::write(path("zap 1.mp4"), "").unwrap();
    for _ in 0..2 {
        show_films(folder.path(), &films);
        assert_eq!(
            page().matches("<video ").count(),
            1,
            "one film has one, and a script cannot ask for more: {}",
            page()
        );
    }
    let shown =
        "<a href=\"./zap%201.avi\">zap 1.avi</a><video controls preload=\"metadata\" src=\"./zap%201.mp4\"></video>";
    assert!(page().contains(shown), "{}", page());
}

#[test]
fn spoilt_lines_and_deep_regions_are_borne() {
    let mut events: Vec<Value> = (0..500).map(|n| json!({ "kind": "region", "name": format!("r{n}") })).collect();
    events.push(json!({ "kind": "region_end", "name": "never opened", "ok": true }));
    events.push(json!([1, 2]));
    let page = page_of(&events, "");
    assert!(page.contains("r499") && page.contains("open at the end"));
    assert!(page.matches("<details").count() <= 60);
    let log = "no json\n{\"kind\": 5}\n";
    let info = info("/x/a.py");
    let page = super::page(&about(&info), Path::new("/out"), log, &mut Console::new(b"", ""));
    assert!(page.contains("no json"));
}

#[test]
fn a_link_in_the_place_of_a_log_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "{\"kind\":\"log\",\"text\":\"secret\"}").unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    std::os::unix::fs::symlink(&secret, run.join("log.jsonl")).unwrap();
    let info = info("/x/a.py");
    write(&run, &about(&info), LogLimits::default());
    assert!(!run.join(FILE).exists());
    std::fs::remove_file(run.join("log.jsonl")).unwrap();
    std::os::unix::fs::symlink(&secret, run.join(FILE)).unwrap();
    write(&run, &about(&info), LogLimits::default());
    assert!(std::fs::read_to_string(secret).unwrap().contains("secret"), "not written through the link");
    assert!(std::fs::read_to_string(run.join(FILE)).unwrap().starts_with("<!doctype html>"));
}
