//! `headend reserve` and `headend reservations`: slots that people have for a while.

use std::time::{Duration, Instant};

use headend_wire::api::{ReservationItem, ReservationList, SlotRef};
use serde_json::json;

use super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets::{self, Place};
use crate::ui::{self, cell, plain, when};

/// Between two tries of a slot that is not free.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// rack1/4
    slot: OneSlot,
    /// How long: 90s, 30m, 2h.
    #[arg(long = "for", value_name = "TIME")]
    length: Length,
    /// What for, so that others know.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Try again until the slot is free, for so long at most.
    #[arg(long, value_name = "TIME")]
    wait: Option<Length>,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Who has which slot, and until when (also without any word).
    List,
    /// Keep a slot longer than it was to be kept.
    Extend {
        /// Number of the reservation, or the slot.
        which: Which,
        /// How much longer: 30m, 2h.
        #[arg(long = "for", value_name = "TIME")]
        length: Length,
    },
    /// Give a slot back. A script that drives it is cut off.
    Release {
        /// Number of the reservation, or the slot.
        which: Which,
    },
    /// Take a slot away from whoever has it (administrators). A script that drives it is cut off.
    Kick {
        /// Number of the reservation, or the slot.
        which: Which,
        /// Why, for its owner.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
}

/// A slot as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OneSlot(pub(crate) SlotRef);

impl std::str::FromStr for OneSlot {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        // As scripts know it: `rack1:4`.
        let spelled = if text.contains('/') { text.to_owned() } else { text.replacen(':', "/", 1) };
        match spelled.parse()? {
            Place(Some(slot)) => Ok(Self(slot)),
            Place(None) => Err("the shelf is no slot; write rack1/4".to_owned()),
        }
    }
}

/// A reservation as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Number(u64),
    Slot(SlotRef),
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        text.parse().map(Self::Number).or_else(|_| text.parse().map(|OneSlot(slot)| Self::Slot(slot)))
    }
}

/// A length of time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Length(u32);

impl std::str::FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is not a length of time; write 90s, 30m or 2h");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let of_unit = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            _ => return Err(wrong()),
        };
        let count: u32 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(|_| wrong())?;
        count.checked_mul(of_unit).filter(|seconds| *seconds > 0).map(Self).ok_or_else(wrong)
    }
}

/// Reserves a slot.
pub(crate) async fn reserve(context: &Context, args: &Args) -> Result<()> {
    let Length(seconds) = args.length;
    let request = json!({ "slot": args.slot.0, "seconds": seconds, "note": args.note });
    let give_up = args.wait.map(|Length(seconds)| Instant::now() + Duration::from_secs(u64::from(seconds)));
    let mut told = false;
    let item: ReservationItem = loop {
        let failure = match context.client.post("/reservations", &request).await {
            Ok(item) => break item,
            Err(failure) => failure,
        };
        let may_wait = failure.name() == "slot_taken" && give_up.is_some_and(|until| Instant::now() + PAUSE < until);
        if !may_wait {
            return Err(failure);
        }
        if !std::mem::replace(&mut told, true) {
            context.ui.say(&format!("waiting: {failure}"));
        }
        tokio::time::sleep(PAUSE).await;
    };
    context.ui.show(&item, line)?;
    let slot = targets::show(&item.slot);
    context.ui.say(&format!(
        "drive it: headend run --slot {slot} script.rhai, or HEADEND_SLOT={slot} python script.py; give it back: headend reservations \
         release {slot}"
    ));
    Ok(())
}

fn line(item: &ReservationItem) -> String {
    format!("{} is yours until {} (reservation {})", targets::show(&item.slot), when(&item.until), item.reservation)
}

/// Looks at reservations or changes one.
pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List => list(context).await,
        Command::Extend { which, length: Length(seconds) } => {
            let path = format!("/reservations/{}/extend", number(context, which).await?);
            let item: ReservationItem = context.client.post(&path, &json!({ "seconds": seconds })).await?;
            context.ui.show(&item, line)
        }
        Command::Release { which } => end(context, which, "release", &json!({})).await,
        Command::Kick { which, reason } => end(context, which, "kick", &json!({ "reason": reason })).await,
    }
}

async fn list(context: &Context) -> Result<()> {
    let list: ReservationList = context.client.get("/reservations").await?;
    if list.reservations.is_empty() && !context.ui.json {
        context.ui.say("nothing is reserved; `headend reserve rack1/1 --for 30m` takes a slot");
        return Ok(());
    }
    context.ui.show(&list, |list| table(context, list))
}

fn table(context: &Context, list: &ReservationList) -> String {
    let mut table = context.ui.table(&["RESERVATION", "SLOT", "USER", "UNTIL", "STATE", "NOTE"]);
    for item in &list.reservations {
        table.add_row([
            cell(&item.reservation.to_string()),
            cell(&targets::show(&item.slot)),
            cell(&item.user),
            cell(&when(&item.until)),
            cell(state(item)),
            cell(&plain(&item.note)),
        ]);
    }
    ui::text(&table)
}

const fn state(item: &ReservationItem) -> &'static str {
    match (item.over, item.in_session) {
        (true, _) => "ending",
        (false, true) => "in session",
        (false, false) => "idle",
    }
}

async fn end(context: &Context, which: &Which, verb: &str, body: &serde_json::Value) -> Result<()> {
    let number = number(context, which).await?;
    context.client.post::<_, ()>(&format!("/reservations/{number}/{verb}"), body).await?;
    context.ui.say(&format!("reservation {number} is over"));
    Ok(())
}

/// The number of a reservation that is named by its slot.
pub(crate) async fn number(context: &Context, which: &Which) -> Result<u64> {
    let slot = match which {
        Which::Number(number) => return Ok(*number),
        Which::Slot(slot) => slot,
    };
    of_slot(context, slot).await.map(|item| item.reservation)
}

/// Who has a slot.
pub(crate) async fn of_slot(context: &Context, slot: &SlotRef) -> Result<ReservationItem> {
    let list: ReservationList = context.client.get("/reservations").await?;
    let found = list.reservations.into_iter().find(|item| !item.over && item.slot == *slot);
    found.ok_or_else(|| {
        let slot = targets::show(slot);
        Failure::new(Exit::NotFound, "not_reserved", format!("{slot} is not reserved"))
            .help(format!("reserve it with `headend reserve {slot} --for 30m`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_reservations_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Length>().map(|Length(seconds)| seconds);
        assert_eq!((read("90s"), read("30m"), read("2h")), (Ok(90), Ok(1_800), Ok(7_200)));
        for bad in ["", "30", "m", "0s", "-1m", "1.5h", "2000000h", "30 m", "3é"] {
            assert!(read(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!("7".parse(), Ok(Which::Number(7)));
        let slot = SlotRef { rack: "rack1".to_owned(), slot: 4 };
        assert_eq!("rack1/4".parse(), Ok(Which::Slot(slot.clone())));
        assert_eq!("rack1:4".parse(), Ok(OneSlot(slot)));
        assert!("rack1/1-2".parse::<Which>().is_err() && "shelf".parse::<Which>().is_err());
    }
}
