//! `headend rack check --probe`: the tools of a slot are started, asked, and ended.

use std::collections::BTreeMap;
use std::time::Duration;

use headend_drivers::{DriverError, Place};

use super::Wiring;
use super::keeper::{Tools, fresh, probe_each};
use crate::driver::wired::{Face, Gear};

/// Longest start of all tools of a slot.
const START: Duration = Duration::from_mins(2);

/// What came of a probe: per face, what the tool says of itself or what is wrong. `Err`: they did not come up.
pub type Probed = Result<BTreeMap<Face, Result<String, DriverError>>, DriverError>;

/// Starts the tools of a slot in a folder of their own, probes them, and ends them.
///
/// # Errors
/// They did not come up, and which one it was.
pub async fn probe(wiring: &Wiring) -> Probed {
    let scratch = tempfile::Builder::new().prefix("headend-check-").tempdir();
    let scratch = scratch.map_err(|error| {
        let path = std::env::temp_dir();
        DriverError(format!("cannot make a folder in {}: {error}; check that it is writable", path.display()))
    })?;
    let place = Place { slot: wiring.no, scratch: scratch.path().join(format!("slot-{}", wiring.no)) };
    let gear = start(wiring, &place).await?;
    let mut words = BTreeMap::new();
    for (faces, word) in probe_each(&gear).await {
        let told = faces.split(", ").filter_map(|name| Face::ALL.into_iter().find(|face| face.name() == name));
        words.extend(told.map(|face| (face, word.clone())));
    }
    Ok(words)
}

/// Starts the tools of a slot and probes them; the first that does not work is told. They end with what is given back.
pub(crate) async fn start_probed(wiring: &Wiring, place: &Place) -> Result<Gear, DriverError> {
    let gear = start(wiring, place).await?;
    for (faces, word) in probe_each(&gear).await {
        word.map_err(|error| DriverError(format!("{faces}: {error}")))?;
    }
    Ok(gear)
}

async fn start(wiring: &Wiring, place: &Place) -> Result<Gear, DriverError> {
    fresh(place)?;
    let late = || DriverError(format!("its tools did not come up within {} s", START.as_secs()));
    tokio::time::timeout(START, wiring.start(place)).await.unwrap_or_else(|_| Err(late()))
}
