//! Opens the menu of a set-top box, walks down and up again, and keeps a picture of each step.
//!
//! Argument: how many entries to walk, 3 unless given.

use std::time::Duration;

use headend_sdk::script::{Error, Key, Result, Session, Slot, TestResult};

/// How long the box may take to draw.
const DRAWN: Duration = Duration::from_millis(500);

headend_sdk::script!(walk_the_menu);

fn walk_the_menu(session: &mut Session) -> Result<TestResult> {
    let entries = entries(session.args())?;
    session.connect("menu walk")?;
    let slot = session.reserve(1)?;

    open_menu(session, slot)?;
    walk(session, slot, Key::Down, entries)?;
    walk(session, slot, Key::Up, entries)?;
    leave(session, slot)?;

    session.result_with(TestResult::Pass, &format!("walked {entries} entries down and up"))?;
    session.disconnect()?;
    Ok(TestResult::Pass)
}

fn entries(args: &[String]) -> Result<u32> {
    match args.first() {
        None => Ok(3),
        Some(text) => text.parse().map_err(|_| Error::new(format!("`{text}` is not a number of menu entries"))),
    }
}

fn open_menu(session: &Session, slot: Slot) -> Result<()> {
    let region = session.region("Open the menu")?;
    slot.press(Key::Menu)?;
    session.wait(DRAWN)?;
    let picture = slot.capture("menu.png")?;
    session.log(&format!("the menu is in {}, {} x {} pixels", picture.path, picture.width, picture.height))?;
    session.check(picture.width > 0 && picture.height > 0, "the picture of the menu is empty")?;
    region.pass("it is on the screen")
}

fn walk(session: &Session, slot: Slot, key: Key, entries: u32) -> Result<()> {
    let region = session.region(&format!("{key} through the menu"))?;
    for entry in 1..=entries {
        let step = session.step(&format!("{key} {entry}"))?;
        slot.press(key)?;
        session.wait(DRAWN)?;
        slot.capture(&format!("{}-{entry}.png", key.name().to_lowercase()))?;
        step.pass()?;
    }
    region.pass(&format!("{entries} entries"))
}

fn leave(session: &Session, slot: Slot) -> Result<()> {
    let _region = session.region("Back to the picture")?;
    slot.press(Key::Menu)?;
    session.wait(DRAWN)
}
