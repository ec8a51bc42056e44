//! Slots that a script is to drive: by number in a rack file, or a slot of a server that its person has reserved; and the session on such a slot.

use std::path::{Path, PathBuf};

use headend_wire::api::{ReservationItem, ServerInfo, SlotRef};
use headend_wire::relay;
use reqwest::Upgraded;

use crate::client::Client;
use crate::commands::Context;
use crate::commands::reserve::{self, OneSlot};
use crate::events::Events;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets;
use crate::ui::{plain, when};

/// A slot as a script is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Of a rack file.
    Number(u16),
    /// Of a server.
    Far(SlotRef),
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        text.parse().map(Self::Number).or_else(|_| text.parse().map(|OneSlot(slot)| Self::Far(slot)))
    }
}

/// The one slot of a server that is meant; `None`: none is.
pub(super) fn of_server(slots: &[Wanted]) -> Result<Option<&SlotRef>> {
    match slots {
        [] => Ok(None),
        [Wanted::Far(slot)] => Ok(Some(slot)),
        [Wanted::Number(no), ..] => {
            let message = format!("{no} is no slot of a server");
            Err(Failure::usage(message).help(format!("write rack1/{no}; or name the rack file with --file")))
        }
        [Wanted::Far(_), ..] => {
            Err(Failure::usage("a session has one slot of a server").help("name one: --slot rack1/4"))
        }
    }
}

/// Numbers of slots of a rack file.
pub(super) fn of_file(slots: &[Wanted]) -> Result<Vec<u16>> {
    let number = |wanted: &Wanted| match wanted {
        Wanted::Number(no) => Ok(*no),
        Wanted::Far(slot) => {
            let message = format!("{} is a slot of a server", targets::show(slot));
            Err(Failure::usage(message).help(format!("with --file give its number alone: --slot {}", slot.slot)))
        }
    };
    slots.iter().map(number).collect()
}

/// A session that is open.
pub(super) struct Opened {
    /// To the rack.
    pub(super) stream: Upgraded,
    why: Why,
}

/// What it takes to learn why a reservation ended.
struct Why {
    client: Client,
    /// The newest event before the session.
    before: u64,
    reservation: u64,
    place: String,
}

/// Opens a session on a slot that the person has reserved.
pub(super) async fn open(context: &Context, slot: &SlotRef) -> Result<Opened> {
    // Before the session: that its reservation ended is an event after this.
    let info: ServerInfo = context.client.get("/server").await?;
    let item = reserve::of_slot(context, slot).await?;
    if item.user != info.user && info.role != "admin" {
        return Err(of_another(&item));
    }
    let number = item.reservation;
    let stream = context.client.stream(&format!("/reservations/{number}/session"), relay::UPGRADE).await?;
    let (client, place) = (context.client.clone(), targets::show(slot));
    Ok(Opened { stream, why: Why { client, before: info.event, reservation: number, place } })
}

fn of_another(item: &ReservationItem) -> Failure {
    let slot = targets::show(&item.slot);
    let message = format!("{slot} is reserved by {} until {}, not by you", plain(&item.user), when(&item.until));
    Failure::new(Exit::Refused, "not_yours", message)
        .help(format!("`headend reserve {slot} --for 30m --wait 1h` waits for it, or take another slot"))
}

impl Opened {
    /// The stream; and, to be asked if the session is cut off, why the reservation ended: racks are not told, the lab's events have it.
    pub(super) fn parts(self) -> (Upgraded, impl Future<Output = Option<String>>) {
        (self.stream, self.why.told())
    }
}

impl Why {
    /// Waits until it is told. The caller has a deadline.
    async fn told(self) -> Option<String> {
        let mut events = Events::of_the_lab(self.client, self.before);
        loop {
            let event = events.next().await;
            if event.kind == "reservation_ended" && event.data["reservation"] == self.reservation {
                let text = event.text.strip_prefix(&format!("{}: ", self.place)).unwrap_or(&event.text);
                return Some(plain(text));
            }
        }
    }
}

/// Where the session's files are. Nobody else has them: a run's are with the server, a session's with its person.
pub(super) fn files(what: &str, out: &Path) -> String {
    if has_files(out) {
        format!("{what} in {}; the server keeps none of it", absolute(out).display())
    } else {
        "the session has left no files; the server keeps none of a session".to_owned()
    }
}

/// Something has come of it.
pub(super) fn has_files(out: &Path) -> bool {
    std::fs::read_dir(out).is_ok_and(|mut files| files.next().is_some())
}

/// The path for people who are in another folder.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The person is told where the rest is, and where to look.
pub(super) fn cut_off(slot: &SlotRef, why: &str) -> Failure {
    let message = format!("the session on {} was cut off: {}", targets::show(slot), plain(why));
    Failure::new(Exit::Unavailable, "cut_off", message).help("`headend reservations` shows who has the slot")
}

/// What is said of the files of a session that came to its own end.
pub(super) const ALL_FILES: &str = "log and captures of the session are";
/// And of one that did not.
pub(super) const SOME_FILES: &str = "what came of log and captures before the end is";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_of_a_file_or_one_of_a_server() {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Wanted>>();
        assert_eq!(of_file(&read(&["2", "4"])).unwrap(), [2, 4]);
        assert_eq!(of_server(&read(&[])).unwrap(), None);
        let slot = SlotRef { rack: "rack1".to_owned(), slot: 4 };
        assert_eq!(of_server(&read(&["rack1:4"])).unwrap(), Some(&slot));
        assert!(of_file(&read(&["rack1/4"])).is_err());
        for bad in [&["2"][..], &["rack1/1", "rack1/2"], &["2", "rack1/2"]] {
            assert!(of_server(&read(bad)).is_err(), "{bad:?}");
        }
        assert!("".parse::<Wanted>().is_err() && "rack1".parse::<Wanted>().is_err());
    }
}
