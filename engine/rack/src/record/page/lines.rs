//! One line of the page for each event.

use std::path::Path;

use headend_model::TestResult;
use serde_json::Value;

use super::escape::{escaped, link};
use super::sources::Sources;
use crate::record::pictures::small_name;
use crate::record::playable;
use crate::session::limits::Limits;

/// Longest rest of an event that is shown as it is.
const LONGEST: usize = 2_000;

/// `YYYY-MM-DD HH.MM.SS.mmm`, in UTC.
pub(super) fn time(event: &Value) -> String {
    event["at"].as_i64().map(clock).unwrap_or_default()
}

/// The same of microseconds; empty when there is no such time.
pub(super) fn clock(at: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(at).ok();
    at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H.%M.%S%.3f").to_string())
}

/// Words and class of a step's or the run's result.
pub(super) fn result(event: &Value) -> (String, &'static str) {
    let code = event["result"].as_i64().unwrap_or_default();
    match TestResult::from_code(code) {
        Some(result @ TestResult::Pass) => (result.to_string(), "pass"),
        Some(result @ TestResult::Fail) => (result.to_string(), "fail"),
        Some(result) => (result.to_string(), "warn"),
        None => (code.to_string(), "warn"),
    }
}

/// What a line says of itself: who speaks, how grave it is, and its text.
struct Words {
    module: &'static str,
    class: &'static str,
    text: String,
}

/// The event's line, with where the script called for it, and its pictures if it has any.
pub(super) fn line(event: &Value, folder: &Path, sources: &Sources<'_>) -> String {
    let Words { module, class, text } = words(event);
    format!(
        "<div class=\"line {class}\"><time>{}</time> <b>{module}</b> <span>{}</span>{}{}</div>\n",
        time(event),
        escaped(&text),
        sources.places(event),
        pictures(event, folder),
    )
}

fn words(event: &Value) -> Words {
    let kind = event["kind"].as_str().unwrap_or_default();
    let client = |text: String| Words { module: "CLIENT_API", class: "info", text };
    let graver = |words: Words, bad: bool| Words { class: if bad { "warning" } else { words.class }, ..words };
    let refused = event["ok"] == false;
    match kind {
        "log" => Words { module: "COMMENT", class: level(event), text: text(event, "text") },
        "error" => Words {
            module: "CLIENT_API",
            class: "error",
            text: format!("{} ({})", text(event, "text"), text(event, "code")),
        },
        "serial" => Words {
            module: "SERIAL",
            class: "serial",
            text: format!("slot {}: {}", event["slot"], text(event, "text")),
        },
        "connect" => graver(client(format!("ConnectToServer({})", text(event, "server"))), refused),
        "reserve" => graver(client(format!("ReserveSlot({})", event["slot"])), refused),
        "free" => client(format!("FreeSlot({})", event["slot"])),
        "press" => graver(client(format!("PressButton({}) on slots {}", text(event, "key"), event["slots"])), refused),
        "power" => graver(client(format!("Power({}) on slots {}", event["on"], event["slots"])), refused),
        "wait" => client(format!("WaitSec({})", event["ms"].as_f64().unwrap_or_default() / 1e3)),
        "capture" => client(format!("CaptureImageEx: slot {}", event["slot"])),
        "watch" | "armed" | "analyse" => graver(client(seen(event, kind)), event["met"] == false),
        "screen" => graver(client(screen(event)), event["met"] == false),
        "step" => Words { module: "STEP", class: "info step", text: format!("{} begins", text(event, "name")) },
        "step_end" => {
            let (words, class) = result(event);
            let class = match class {
                "pass" => "info step pass",
                "fail" => "error step fail",
                _ => "warning step warn",
            };
            let comment = text(event, "comment");
            let comment = if comment.is_empty() { comment } else { format!(": {comment}") };
            Words { module: "STEP", class, text: format!("{}: {words}{comment}", text(event, "name")) }
        }
        "result" => {
            let (words, class) = result(event);
            let class = if class == "fail" { "error" } else { "info" };
            Words { module: "RESULT", class, text: format!("{words} {}", text(event, "comment")) }
        }
        "measure" => {
            let text = format!("{} = {} {}", text(event, "name"), event["value"], unit_and_limits(event));
            graver(Words { module: "RESULT", class: "info", text }, event["within"] == false)
        }
        "artifact" => Words { module: "RESULT", class: "info", text: text(event, "name") },
        "filmstrip" => Words {
            module: "VIDEO",
            class: "warning",
            text: format!("the last seconds before: {}", text(event, "why")),
        },
        "armed_pictures" => client(around(event)),
        "files" => Words { module: "UTILS", class: "verbose", text: format!("script {}", text(event, "script")) },
        "video_start" | "video_stop" => Words { module: "VIDEO", class: "info", text: rest(event) },
        "end" => Words { module: "UTILS", class: "info", text: format!("the end: {}", text(event, "text")) },
        _ => Words { module: "UTILS", class: "verbose", text: format!("{kind} {}", rest(event)) },
    }
}

/// Of a measurement, such as `s, at most 2: outside`.
pub(super) fn unit_and_limits(event: &Value) -> String {
    let unit = text(event, "unit");
    let Some(within) = event["within"].as_bool() else { return unit };
    let limits = Limits { low: event["low"].as_f64(), high: event["high"].as_f64() };
    let (comma, verdict) = (if unit.is_empty() { "" } else { ", " }, if within { "within" } else { "outside" });
    format!("{unit}{comma}{limits}: {verdict}")
}

/// What an analyser has said.
fn seen(event: &Value, kind: &str) -> String {
    let what = match kind {
        "watch" => "Wait",
        "armed" => "Timer",
        _ => "Compare",
    };
    let slot = event["slot"].as_u64().map(|slot| format!(" slot {slot}")).unwrap_or_default();
    let met = if event["met"] == true { "yes" } else { "no" };
    let seconds = event["seconds"].as_f64().unwrap_or_default();
    let values = event["values"].as_object().into_iter().flatten().map(|(name, value)| format!("{name} = {value}"));
    let values = values.collect::<Vec<_>>().join(", ");
    format!(
        "{what}{slot} {}: {met}, {} ({} looks, {seconds:.3} s) {values}",
        text(event, "analyser"),
        text(event, "sentence"),
        event["looks"],
    )
}

/// Which regions of a screen were as wanted.
fn screen(event: &Value) -> String {
    let slot = event["slot"].as_u64().map(|slot| format!(" slot {slot}")).unwrap_or_default();
    let met = if event["met"] == true { "yes" } else { "no" };
    let region = |region: &Value| {
        let met = if region["met"] == true { "yes" } else { "no" };
        let free = if region["counts"] == false { ", does not count" } else { "" };
        format!("{}: {met}, {}{free}", text(region, "name"), text(region, "sentence"))
    };
    let regions: Vec<String> = event["regions"].as_array().into_iter().flatten().map(region).collect();
    let seconds = event["seconds"].as_f64().unwrap_or_default();
    let looks = &event["looks"];
    format!("Screen{slot} {}: {met} ({looks} looks, {seconds:.3} s) {}", text(event, "name"), regions.join("; "))
}

/// Which pictures a timer has kept, with their times.
fn around(event: &Value) -> String {
    let time = |picture: &Value| picture["at_us"].as_f64().unwrap_or_default() / 1e6;
    let pictures = event["pictures"].as_array().into_iter().flatten();
    let pictures = pictures.map(|picture| format!("{} at {:.3} s", text(picture, "what"), time(picture)));
    format!("Timer slot {} {}: {}", event["slot"], text(event, "name"), pictures.collect::<Vec<_>>().join(", "))
}

fn level(event: &Value) -> &'static str {
    match event["level"].as_str() {
        Some("error") => "error",
        Some("warning") => "warning",
        Some("verbose") => "verbose",
        _ => "info",
    }
}

fn text(event: &Value, name: &str) -> String {
    match &event[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// All that an event has beside its kind and time.
fn rest(event: &Value) -> String {
    let fields =
        event.as_object().into_iter().flatten().filter(|(name, _)| !matches!(name.as_str(), "at" | "kind" | "source"));
    let mut rest = fields.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ");
    rest.truncate(rest.floor_char_boundary(LONGEST));
    rest
}

/// The event's files as links, pictures in small.
fn pictures(event: &Value, folder: &Path) -> String {
    let film = event["film"].as_str().map(|path| serde_json::json!({ "path": path }));
    let more = event["pictures"].as_array().into_iter().flatten();
    std::iter::once(event).chain(&film).chain(more).map(|file| picture(file, event, folder)).collect()
}

/// Where a film is shown once there is an MP4 of it; nothing for what is no film. No text of a script can look like it: links are percent-encoded.
fn film_place(film: &str) -> String {
    playable::name(film).as_deref().map(place_of).unwrap_or_default()
}

pub(super) fn place_of(mp4: &str) -> String {
    format!("<!--film {}-->", link(mp4))
}

/// What comes there: browsers play no AVI.
pub(super) fn film(mp4: &str) -> String {
    format!("<video controls preload=\"metadata\" src=\"{}\"></video>", link(mp4))
}

/// A file as a link; a picture in small. Only what lies in the run's own folder.
fn picture(file: &Value, event: &Value, folder: &Path) -> String {
    let Some(path) = file["path"].as_str() else { return String::new() };
    let below = Path::new(path).strip_prefix(folder).unwrap_or(Path::new(path));
    let plain = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let Some(below) = below.to_str().filter(|below| plain && !below.is_empty()) else { return String::new() };
    let name = escaped(below);
    let ending = below.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    if !["png", "jpg", "jpeg"].contains(&ending.as_str()) {
        // It is shown where it ends.
        let shown = if event["kind"] == "video_start" { String::new() } else { film_place(below) };
        return format!(" <a href=\"{}\">{name}</a>{shown}", link(below));
    }
    let wide = if event["kind"] == "filmstrip" { " class=\"wide\"" } else { "" };
    let small = small_name(below);
    let shown = if wide.is_empty() && folder.join(&small).is_file() { small } else { below.to_owned() };
    format!(
        "<a href=\"{}\"{wide}><img loading=\"lazy\" alt=\"{name}\" title=\"{name}\" src=\"{}\"></a>",
        link(below),
        link(&shown),
    )
}
