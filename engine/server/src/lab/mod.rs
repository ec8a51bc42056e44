//! The lab's devices as people keep them: models, infrared sets, smartcards, DUTs, and where each DUT is.
//!
//! ```text
//!  InventoryDoc ──► plan (pure): what would change ──► rows, one transaction ──► moves, by the farm
//! ```

mod plan;
mod removal;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use headend_model::DutId;
use headend_scheduler::Farm;
use headend_scheduler::event::Event;
use headend_store::{CatalogueRow, DutRow, Store};
use headend_wire::api::SlotRef;
use headend_wire::inventory::{InventoryAnswer, InventoryDoc};

use crate::app::App;
use crate::edge::names;
use crate::http::ApiResult;
use crate::show::racks;

pub(crate) use text::{document, slot_text, texts_of};

/// All that is known of the devices at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) entries: BTreeMap<u64, CatalogueRow>,
    pub(crate) duts: BTreeMap<DutId, DutRow>,
    pub(crate) places: BTreeMap<DutId, SlotRef>,
    /// Slots that there are.
    pub(crate) slots: BTreeSet<(String, u16)>,
}

impl Book {
    /// Reads it.
    pub(crate) async fn read(app: &App) -> ApiResult<Self> {
        let (places, slots) = app.farm.read(|view| (places(view.farm), slots(view.farm))).await?;
        let entries = app.store.catalogue().await?.into_iter().map(|row| (row.id, row)).collect();
        let duts = app.store.duts().await?.into_iter().map(|row| (row.dut, row)).collect();
        Ok(Self { entries, duts, places, slots })
    }
}

fn places(farm: &Farm) -> BTreeMap<DutId, SlotRef> {
    let duts = farm.inventory().duts.keys();
    duts.filter_map(|dut| Some((*dut, racks::place_of(farm, *dut)?))).collect()
}

fn slots(farm: &Farm) -> BTreeSet<(String, u16)> {
    let slots = farm.inventory().slots.values();
    slots.map(|place| (crate::show::rack_text(farm, place.rack), place.no.0)).collect()
}

/// Makes the lab what the document says, whole or not at all; a repetition changes nothing.
///
/// # Errors
/// `invalid`, `unknown_slot`, `not_found`, `conflict`, each with the place in the document.
pub(crate) async fn apply(app: &App, doc: &InventoryDoc, dry_run: bool) -> ApiResult<InventoryAnswer> {
    // Two documents at once could each be right and both be wrong.
    let _one_at_a_time = app.lab.lock().await;
    let book = Book::read(app).await?;
    let ids =
        if dry_run { plan::Ids::preview(&book) } else { take_ids(&app.store, plan::newcomers(&book, doc)).await? };
    let plan = plan::plan(book, doc, ids, app.clock.now())?;
    if dry_run {
        removal::check(app, plan.removed).await?;
    } else {
        // First: it is what may be refused, and then nothing of the document happens.
        removal::remove(app, plan.removed).await?;
        app.store.write(plan.rows).await?;
        move_all(app, plan.moves).await?;
    }
    Ok(InventoryAnswer { changes: plan.changes, dry_run })
}

async fn take_ids(store: &Store, newcomers: plan::Newcomers) -> ApiResult<plan::Ids> {
    let catalogue = if newcomers.entries == 0 { 0 } else { store.take_catalogue_ids(newcomers.entries).await? };
    let dut = if newcomers.duts == 0 { 0 } else { store.take_dut_ids(newcomers.duts).await? };
    Ok(plan::Ids { catalogue, dut })
}

async fn move_all(app: &App, moves: Vec<(DutId, Option<SlotRef>)>) -> ApiResult<()> {
    for (dut, place) in moves {
        let slot = match place {
            None => None,
            Some(place) => Some(app.farm.read(move |view| names::slot(view.farm, &place)).await??),
        };
        app.farm.step(Event::PlaceDut { dut, slot }).await?;
    }
    Ok(())
}
