//! Screens as files: `.stscreen`, and navigators with the screens of a menu.
//!
//! A `.stscreen` file is one line of JSON. A navigator is JSON too, whatever its extension (those of other products are not public):
//!
//! ```text
//! {"Type": "Navigator", "Name": "main menu", "Screens": [
//!     {"Type": "ScreenDef", "Name": "Guide", "Regions": []},
//!     {"Name": "Settings", "File": "settings.stscreen"}]}
//! ```
//!
//! What is loaded stands for itself: images have absolute paths, named regions and colours are looked up.

use std::io::Write;
use std::path::{Path, PathBuf};

use headend_wire::session::{Resource, Screens};
use serde_json::{Value, json};

use super::named::{self, parsed};
use super::{DEEPEST, Screen, kind};
use crate::session::Places;

/// Largest file, and all screens of a navigator together, in bytes: an answer to a script is one line of the wire.
const LARGEST: u64 = 512 << 10;
/// Screens of a navigator.
const MOST_SCREENS: usize = 512;
/// The ending of files with one screen.
const ENDING: &str = "stscreen";

/// The screens of a file: one of a `.stscreen` file, all of a navigator. Reads files.
///
/// # Errors
/// Words for people: what cannot be read or understood.
pub(crate) fn load(places: &Places, file: &str) -> Result<Screens, String> {
    let path = places.path(file);
    let value = object(places, &path).map_err(|why| format!("cannot load the screen {file:?}: {why}"))?;
    let folder = parent(&path);
    if kind(&value) != "navigator" {
        let screen = settled(places, folder, value).map_err(|why| format!("cannot load the screen {file:?}: {why}"))?;
        return Ok(Screens { name: screen["Name"].as_str().unwrap_or_default().to_owned(), screens: vec![screen] });
    }
    let of_file = |why: String| format!("cannot load the navigator {file:?}: {why}");
    let named = value["Name"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    let name = named.unwrap_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    let list = value["Screens"].as_array().ok_or_else(|| of_file("its `Screens` are no list".to_owned()))?;
    if list.len() > MOST_SCREENS {
        return Err(of_file(format!("it has {} screens; at most {MOST_SCREENS} are taken", list.len())));
    }
    let screens = all_of(places, folder, list).map_err(of_file)?;
    Ok(Screens { name, screens })
}

fn all_of(places: &Places, folder: &Path, list: &[Value]) -> Result<Vec<Value>, String> {
    let mut left = LARGEST;
    let mut screens = Vec::with_capacity(list.len());
    for screen in list {
        let screen = one_of(places, folder, screen)?;
        let fits = left.checked_sub(screen.to_string().len() as u64);
        left = fits.ok_or_else(|| format!("its screens take more than {LARGEST} bytes together"))?;
        screens.push(screen);
    }
    Ok(screens)
}

/// A screen of a navigator: in place, or in a file beside.
fn one_of(places: &Places, folder: &Path, value: &Value) -> Result<Value, String> {
    let Some(file) = value.get("File") else { return settled(places, folder, value.clone()) };
    let file = file.as_str().ok_or_else(|| format!("the File {file} is no name of one"))?;
    let path = folder.join(file.replace('\\', "/"));
    let mut screen = object(places, &path).map_err(|why| format!("{file:?}: {why}"))?;
    if value["Name"].is_string() {
        screen["Name"] = value["Name"].clone();
    }
    settled(places, parent(&path), screen).map_err(|why| format!("{file:?}: {why}"))
}

fn object(places: &Places, path: &Path) -> Result<Value, String> {
    let value = places.text(path, LARGEST).and_then(|text| parsed(&text)).map_err(|why| foreign(path, why))?;
    if value.is_object() { Ok(value) } else { Err("it holds no JSON object".to_owned()) }
}

/// The form of other products' navigators is not public: whoever brings one is told what to do instead.
fn foreign(path: &Path, why: String) -> String {
    let theirs = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("stnav_runtime"));
    if !theirs || !path.exists() {
        return why;
    }
    format!(
        "{why}; navigators of other products cannot be read: describe the screens as JSON (sdk/SCRIPTS.md, Screens)"
    )
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// The screen with all that its file left to others; checked.
fn settled(places: &Places, folder: &Path, mut screen: Value) -> Result<Value, String> {
    settle(places, &|image| image_file(places, folder, image), &mut screen, DEEPEST)?;
    Screen::read(&screen).map(|_| screen)
}

/// Puts in what a screen that a test has made names: regions, colours, images that are no files. Reads files.
///
/// # Errors
/// Words for people: where a region or a colour was looked for. An image that is nowhere is told of its region when that is looked at.
pub(crate) fn look_up(places: &Places, screen: &mut Value) -> Result<(), String> {
    let image = |image: &str| {
        let named = || named::find(places, Resource::Image, image, None).ok()?.as_str().map(str::to_owned);
        let named = if places.path(image).is_file() { None } else { named() };
        Ok(named.unwrap_or_else(|| image.to_owned()))
    };
    settle(places, &image, screen, DEEPEST)
}

fn settle(
    places: &Places,
    image_at: &dyn Fn(&str) -> Result<String, String>,
    screen: &mut Value,
    depth: usize,
) -> Result<(), String> {
    // A deeper one is refused when it is read.
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    for region in screen.get_mut("Regions").and_then(Value::as_array_mut).into_iter().flatten() {
        if region.get("Regions").is_some() {
            settle(places, image_at, region, depth)?;
            continue;
        }
        if let Some(image) = region["ReferenceImage"].as_str().filter(|image| !image.is_empty()) {
            region["ReferenceImage"] = image_at(image)?.into();
        }
        let rect = &region["Rect"];
        if let Some(name) = rect.as_str().or_else(|| rect["Name"].as_str()).filter(|name| !name.is_empty()) {
            region["Rect"] = json!({ "rect": named::find(places, Resource::Region, name, None)? });
        }
        if let Some(name) = region["ReferenceColor"]["Color"].as_str() {
            let found = named::find(places, Resource::Colour, name, None)?;
            settle_colour(&mut region["ReferenceColor"], &found);
        }
    }
    Ok(())
}

/// What the region says itself goes before what the named colour says.
fn settle_colour(given: &mut Value, found: &Value) {
    given["Color"] = found["value"].clone();
    for (own, shared) in [("Tolerance", "tolerance"), ("Flatness", "flatness"), ("PeakError", "peak_error")] {
        if given[own].is_null() && !found[shared].is_null() {
            given[own] = found[shared].clone();
        }
    }
}

/// Beside the screen's file, else as pictures are found that a script names, else a named image.
fn image_file(places: &Places, folder: &Path, image: &str) -> Result<String, String> {
    let beside = folder.join(image.replace('\\', "/"));
    let by_name = || Some(places.path(image)).filter(|path| path.is_file());
    let path = Some(beside).filter(|path| path.is_file()).or_else(by_name);
    if let Some(path) = path {
        return Ok(path.display().to_string());
    }
    let named = named::find(places, Resource::Image, image, None);
    let named = named.map_err(|why| format!("there is no image file {image:?}, and {why}"))?;
    Ok(named.as_str().unwrap_or_default().to_owned())
}

/// Writes a screen into a folder as a file of this name, with the ending `.stscreen`, over one that is there. Gives its path. Images that lie in the folder
/// are named relatively, so that both can be moved together; names of what tests share stay names.
///
/// # Errors
/// Words for people.
pub(crate) fn save(places: &Places, folder: &Path, name: &str, mut screen: Value) -> Result<PathBuf, String> {
    let mut known = screen.clone();
    look_up(places, &mut known)?;
    let known = Screen::read(&known)?;
    screen["Type"] = "ScreenDef".into();
    screen["Name"] = known.name.into();
    relate(&mut screen, folder, DEEPEST);
    let has_ending = Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING));
    let path = folder.join(if has_ending { name.to_owned() } else { format!("{name}.{ENDING}") });
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(screen.to_string().as_bytes())?;
        file.persist(&path).map_err(|error| error.error)
    };
    write().map_err(|error| format!("cannot write the screen {}: {error}", path.display()))?;
    Ok(path)
}

fn relate(screen: &mut Value, folder: &Path, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for region in screen.get_mut("Regions").and_then(Value::as_array_mut).into_iter().flatten() {
        let image = region["ReferenceImage"].as_str().map(Path::new);
        if let Some(inside) = image.and_then(|image| image.strip_prefix(folder).ok()) {
            region["ReferenceImage"] = inside.display().to_string().into();
        }
        relate(region, folder, depth);
    }
}

/// The images that a screen names, to be put elsewhere.
pub(crate) fn images_of(screen: &mut Value) -> Vec<&mut String> {
    let mut found = Vec::new();
    collect(screen, DEEPEST, &mut found);
    found
}

fn collect<'a>(screen: &'a mut Value, depth: usize, found: &mut Vec<&'a mut String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for region in screen.get_mut("Regions").and_then(Value::as_array_mut).into_iter().flatten() {
        if region.get("Regions").is_some() {
            collect(region, depth, found);
        } else if let Some(Value::String(image)) = region.get_mut("ReferenceImage")
            && !image.is_empty()
        {
            found.push(image);
        }
    }
}
