//! Screens and named resources, as a component imports them.

use headend_wire::session::{self as wire, Call};
use serde_json::Value;

use super::host::bindings::headend::script::screens::{Host, NamedKind, RegionSeen, ScreenFile, ScreenSeen};
use super::host::bindings::headend::script::session::CallError;
use super::host::{Imported, State, imported};
use super::senses::seen;

impl Host for State {
    fn load(&mut self, file: String) -> Imported<ScreenFile> {
        let screens = |wire::Screens { name, screens }| ScreenFile {
            name,
            screens: screens.iter().map(Value::to_string).collect(),
        };
        imported(self.desk.call(Call::Screens { file }).map(screens))
    }

    fn save(&mut self, screen: String, name: String) -> Imported<String> {
        match parsed(&screen) {
            Ok(screen) => imported(self.desk.call(Call::SaveScreen { screen, name })),
            Err(error) => Ok(Err(error)),
        }
    }

    fn wait_for(
        &mut self,
        screen: String,
        timeout_ms: u64,
        gap_ms: u64,
        slot: Option<u32>,
    ) -> Imported<Vec<ScreenSeen>> {
        let screen = match parsed(&screen) {
            Ok(screen) => screen,
            Err(error) => return Ok(Err(error)),
        };
        let answers = self.desk.call::<Vec<wire::SlotAnswer<_>>>(Call::WaitScreen { screen, timeout_ms, gap_ms, slot });
        let row = |wire::SlotAnswer { slot, value }| screened(slot, value);
        imported(answers.map(|answers| answers.into_iter().map(row).collect()))
    }

    fn look_at(&mut self, screen: String, picture: String) -> Imported<ScreenSeen> {
        match parsed(&screen) {
            Ok(screen) => imported(self.desk.call(Call::MatchScreen { screen, picture }).map(|said| screened(0, said))),
            Err(error) => Ok(Err(error)),
        }
    }

    fn named(&mut self, kind: NamedKind, name: String, slot: Option<u32>) -> Imported<String> {
        let kind = match kind {
            NamedKind::Image => wire::Resource::Image,
            NamedKind::Region => wire::Resource::Region,
            NamedKind::Colour => wire::Resource::Colour,
            NamedKind::Text => wire::Resource::String,
        };
        imported(self.desk.call(Call::Named { kind, name, slot }).map(|found: Value| found.to_string()))
    }
}

fn parsed(screen: &str) -> Result<Value, CallError> {
    serde_json::from_str(screen)
        .map_err(|error| CallError { code: "bad_call".to_owned(), message: format!("the screen is no JSON: {error}") })
}

fn screened(slot: u32, said: wire::Screened) -> ScreenSeen {
    let region = |wire::RegionSeen { name, kind, met, counts, seen: verdict }| RegionSeen {
        name,
        kind,
        met,
        counts,
        verdict: seen(slot, verdict),
    };
    ScreenSeen {
        slot,
        met: said.met,
        name: said.name,
        regions: said.regions.into_iter().map(region).collect(),
        seconds: said.seconds,
        looks: said.looks,
        picture: said.picture,
    }
}
