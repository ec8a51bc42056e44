//! Slots as people write them: `rack1/4`, `rack1/1-4`.

use headend_wire::api::SlotRef;

/// Most slots that one range names.
const MOST: u16 = 10_000;

/// Slots of one rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRange(pub(crate) Vec<SlotRef>);

impl std::str::FromStr for SlotRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a slot; write rack1/4, or rack1/1-4 for several");
        let (rack, numbers) = text.rsplit_once('/').ok_or_else(wrong)?;
        let rack = headend_model::RackName::new(rack).map_err(|error| error.to_string())?;
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |text: &str| text.trim().parse::<u16>().ok().filter(|number| *number > 0).ok_or_else(wrong);
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last - first >= MOST {
            return Err(wrong());
        }
        Ok(Self((first..=last).map(|slot| SlotRef { rack: rack.to_string(), slot }).collect()))
    }
}

/// A place for a DUT: a slot, or the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) Option<SlotRef>);

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "shelf" {
            return Ok(Self(None));
        }
        let SlotRange(slots) = text.parse()?;
        match slots.as_slice() {
            [slot] => Ok(Self(Some(slot.clone()))),
            _ => Err(format!("{text:?} is more than one slot; a DUT sits in one, as rack1/4, or on the shelf")),
        }
    }
}

/// As people read it.
pub(crate) fn show(slot: &SlotRef) -> String {
    format!("{}/{}", slot.rack, slot.slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_as_people_write_them() {
        let read =
            |text: &str| text.parse::<SlotRange>().map(|SlotRange(slots)| slots.iter().map(show).collect::<Vec<_>>());
        assert_eq!(read("rack1/4").unwrap(), ["rack1/4"]);
        assert_eq!(read("rack1/2-4").unwrap(), ["rack1/2", "rack1/3", "rack1/4"]);
        for bad in
            ["rack1", "rack1/", "rack1/0", "rack1/4-2", "rack1/x", "/1", "rack 1/1", "rack1/1-99999", "rack1/1-65535"]
        {
            assert!(read(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!("shelf".parse::<Place>().unwrap(), Place(None));
        assert!("rack1/1-2".parse::<Place>().is_err());
    }
}
