//! Named resources: images, regions, colours and texts that tests share, under paths such as `/FOLDER/Name`.
//!
//! They are files below a folder `resources` beside the script, in the public area, or in the script's nearest parent folder named `public`; the
//! public ones come first:
//!
//! ```text
//! resources/FOLDER/Name.png    an image (.png .jpg .jpeg)
//! resources/FOLDER/Name.json   {"region": [x, y, width, height]}, {"color": [r, g, b], "tolerances": [r, g, b], "flatness": 70,
//!                              "peakError": 2} or {"string": "text"}; with "slots": {"3": value} other values for some slots
//! resources/FOLDER.json        {"Name": {"region": ...}, ...}: several in one file
//! ```
//!
//! Letter case makes no difference: the names come from systems for which it made none. `sdk/python` finds the same for legacy scripts.

use std::path::{Path, PathBuf};

use headend_wire::session::Resource;
use serde_json::{Map, Value, json};

use crate::session::Places;

/// The folder that resources lie in.
const FOLDER: &str = "resources";
const IMAGES: [&str; 3] = ["png", "jpg", "jpeg"];
/// Largest file of named values, in bytes.
const LARGEST: u64 = 1 << 20;

/// What has this name: an image's file, `[x, y, width, height]`, the parameters of the analyser `colour`, or a text. Reads files.
///
/// # Errors
/// Words for people: where it was looked for, or which file cannot be understood.
pub(crate) fn find(places: &Places, kind: Resource, name: &str, slot: Option<u32>) -> Result<Value, String> {
    let parts = parts(name)?;
    match kind {
        Resource::Image => image(places, name, &parts).map(|path| path.display().to_string().into()),
        Resource::Region => value(places, name, &parts, ("region", slot)).and_then(|(found, _)| area(name, &found)),
        Resource::String => value(places, name, &parts, ("string", slot)).map(|(found, _)| found),
        Resource::Colour => {
            let (found, entry) = value(places, name, &parts, ("color", slot))?;
            let first = |keys: [&str; 2]| keys.iter().find_map(|key| entry.get(*key)).cloned();
            let mut parameters = json!({
                "value": found,
                "tolerance": first(["tolerances", "tolerance"]),
                "flatness": entry.get("flatness"),
                "peak_error": first(["peakError", "peak_error"]),
            });
            if let Some(parameters) = parameters.as_object_mut() {
                parameters.retain(|_, value| !value.is_null());
            }
            Ok(parameters)
        }
    }
}

fn parts(name: &str) -> Result<Vec<&str>, String> {
    let parts: Vec<&str> = name.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(format!("{name:?} is no name of a resource, such as \"/FOLDER/Name\""));
    }
    Ok(parts)
}

fn image(places: &Places, name: &str, parts: &[&str]) -> Result<PathBuf, String> {
    let found =
        places.shared(FOLDER).into_iter().find_map(|base| IMAGES.iter().find_map(|ending| file(&base, parts, ending)));
    found.ok_or_else(|| missing(places, "image", name, &format!("{}.png", parts.join("/"))))
}

/// The value for this slot, and the entry that it is from.
fn value(
    places: &Places,
    name: &str,
    parts: &[&str],
    (key, slot): (&str, Option<u32>),
) -> Result<(Value, Map<String, Value>), String> {
    for base in places.shared(FOLDER) {
        for entry in entries(places, &base, parts)? {
            let Value::Object(entry) = entry else { continue };
            let of_slot = slot.and_then(|slot| entry.get("slots")?.get(slot.to_string()));
            if let Some(found) = of_slot.filter(|_| entry.contains_key(key)).or_else(|| entry.get(key)) {
                return Ok((found.clone(), entry));
            }
        }
    }
    Err(missing(places, key, name, &format!("{}.json with the key {key:?}", parts.join("/"))))
}

/// The file of its own, and its place in that of the folder.
fn entries(places: &Places, base: &Path, parts: &[&str]) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    if let Some(path) = file(base, parts, "json") {
        found.push(object(places, &path)?);
    }
    if let [folders @ .., last] = parts
        && !folders.is_empty()
        && let Some(path) = file(base, folders, "json")
    {
        let mut all = object(places, &path)?;
        found.extend(all.get_mut(last).map(Value::take));
    }
    Ok(found)
}

fn object(places: &Places, path: &Path) -> Result<Value, String> {
    let read = places.text(path, LARGEST).and_then(|text| parsed(&text));
    let value = read.map_err(|why| format!("cannot read the resource file {}: {why}", path.display()))?;
    if value.is_object() { Ok(value) } else { Err(format!("the resource file {} is no JSON object", path.display())) }
}

/// JSON; editors on Windows put a mark before it.
pub(super) fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| format!("it is no JSON: {error}"))
}

fn area(name: &str, found: &Value) -> Result<Value, String> {
    let sides: Option<Vec<u32>> = found.as_array().and_then(|sides| sides.iter().map(super::whole).collect());
    let area = sides.filter(|sides| sides.len() == 4);
    area.map(|area| json!(area)).ok_or_else(|| format!("the region {name} is {found}; it must be four numbers"))
}

fn missing(places: &Places, kind: &str, name: &str, file: &str) -> String {
    let bases: Vec<String> = places.shared(FOLDER).iter().map(|base| base.display().to_string()).collect();
    format!("there is no {kind} named {name:?}: none of {} has {file}", bases.join(", "))
}

fn file(base: &Path, parts: &[&str], ending: &str) -> Option<PathBuf> {
    let (last, folders) = parts.split_last()?;
    let folder = folders.iter().try_fold(base.to_owned(), |folder, part| entry(&folder, part))?;
    entry(&folder, &format!("{last}.{ending}")).filter(|path| path.is_file())
}

/// By its exact name, else by the first that differs in letter case alone.
fn entry(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.exists() {
        return Some(exact);
    }
    let lower = name.to_lowercase();
    let all = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    let like = all.filter(|found| found.to_str().is_some_and(|found| found.to_lowercase() == lower));
    like.min().map(|found| folder.join(found))
}
