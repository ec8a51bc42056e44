//! Opens the guide and the main menu, and knows by their screens that they are there.

use std::time::Duration;

use headend_sdk::script::{Key, Result, Screen, Session, Slot, TestResult};

/// Longer than a box may take to open a menu.
const PATIENCE: Duration = Duration::from_secs(10);

headend_sdk::script!(open_menus);

fn open_menus(session: &mut Session) -> Result<TestResult> {
    session.connect("screens of the menus")?;
    let slot = session.reserve(1)?;
    // The box shows live television by then.
    session.wait(Duration::from_secs(3))?;
    let mut there = 0;
    for (key, screen) in [Key::Guide, Key::Menu].into_iter().zip(session.screens("menus.json")?) {
        there += u32::from(open(session, slot, key, &screen)?);
        slot.press(Key::Exit)?;
        session.wait(Duration::from_secs(1))?;
    }
    // Live television is no guide.
    let guide = session.screen("guide.stscreen")?;
    if slot.wait_for_screen(&guide, Duration::ZERO)?.met {
        there = 0;
    }
    let result = if there == 2 { TestResult::Pass } else { TestResult::Fail };
    session.result_with(result, &format!("{there} of 2 screens"))?;
    session.disconnect()?;
    Ok(result)
}

/// Whether the screen comes after the key.
fn open(session: &Session, slot: Slot, key: Key, screen: &Screen) -> Result<bool> {
    let step = session.step(screen.name())?;
    slot.press(key)?;
    let seen = slot.wait_for_screen(screen, PATIENCE)?;
    for region in &seen.regions {
        session.log(&format!("{}, {}: {}", screen.name(), region.name, region.seen.sentence))?;
    }
    session.measure(&format!("{}: time", screen.name()), seen.time.as_secs_f64(), Some("s"))?;
    if seen.met {
        step.pass()?;
    } else {
        step.fail(&seen.told())?;
    }
    Ok(seen.met)
}
