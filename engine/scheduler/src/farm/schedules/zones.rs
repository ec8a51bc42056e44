//! Time zones that the farm was given the rules of.

use headend_model::ZoneName;
use jiff::tz::{Offset, TimeZone};

use crate::farm::Farm;
use crate::schedule::{ScheduleAction, ScheduleRefusal, ZoneData};

/// Far more than any zone of the database needs.
const MOST_BYTES: usize = 65_536;

/// A zone with its rules, as data and ready to use.
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "ZoneData", into = "ZoneData")
)]
pub(in crate::farm) struct Zone {
    data: ZoneData,
    rules: TimeZone,
}

impl Zone {
    pub(super) fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

impl TryFrom<ZoneData> for Zone {
    type Error = String;
    fn try_from(data: ZoneData) -> Result<Self, String> {
        if data.0.len() > MOST_BYTES {
            return Err(format!("{} bytes, at most {MOST_BYTES} are taken", data.0.len()));
        }
        // The name only shows up in what jiff prints.
        let rules = TimeZone::tzif("zone", &data.0).map_err(|error| error.to_string())?;
        Ok(Self { data, rules })
    }
}

impl From<Zone> for ZoneData {
    fn from(zone: Zone) -> Self {
        zone.data
    }
}

/// A zone that needs no rules.
pub(super) fn fixed(name: &ZoneName) -> Option<TimeZone> {
    let seconds = name.fixed_offset()?;
    Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
}

impl Farm {
    /// The rules of a zone were given, or have changed: its schedules look at their calendar again.
    pub(in crate::farm) fn zone_rules(&mut self, name: &ZoneName, data: &ZoneData) {
        let zone = match Zone::try_from(data.clone()) {
            Ok(zone) => zone,
            Err(problem) => {
                let refusal = ScheduleRefusal::BadRules { zone: name.clone(), problem };
                return self.tell(ScheduleAction::Refused(refusal));
            }
        };
        self.schedules.zones.insert(name.clone(), zone);
        self.tell(ScheduleAction::ZoneNoted(name.clone()));
        let books = self.schedules.books.iter().filter(|(_, book)| book.zone == *name);
        for id in books.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.advance(id);
        }
    }

    /// The zones whose rules the farm has, with the rules: who holds newer ones gives them at its start.
    pub fn zones(&self) -> impl Iterator<Item = (&ZoneName, &ZoneData)> {
        self.schedules.zones.iter().map(|(name, zone)| (name, &zone.data))
    }

    /// A schedule may be in this zone.
    pub fn knows_zone(&self, name: &ZoneName) -> bool {
        self.schedules.zone(name).is_some()
    }
}
