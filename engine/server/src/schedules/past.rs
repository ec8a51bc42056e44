//! What became of the occurrences of schedules: written by the loop with the event that each came of, read here by page.

use headend_model::{OccurrenceNo, ScheduleId, Timestamp};
use headend_scheduler::Farm;
use headend_store::{OccurrenceRow, Projection, Store, StoreError};
use headend_wire::schedules::PastList;
use jiff::tz::TimeZone;

use super::{show, zones};
use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiError, ApiResult};
use crate::options::OccurrencesKept;

/// Rows that are written in one go when a database is first filled.
const FILLED_AT_ONCE: usize = 10_000;

/// The records of a schedule with numbers below `before`, the highest first. Its owner finds them by its id also when it has
/// been deleted.
///
/// # Errors
/// `not_found`.
pub(crate) async fn list(
    app: &Shared,
    person: &Person,
    schedule: ScheduleId,
    (before, most): (Option<u64>, u32),
) -> ApiResult<PastList> {
    let found = app.farm.read(move |view| {
        let found = view.farm.schedule(schedule)?;
        Some((found.owner.clone(), found.zone.to_string(), zones::of_farm(view.farm, found.zone)))
    });
    let there = found.await?;
    let rows = app.store.occurrences(schedule, before.map(OccurrenceNo), most).await?;
    let (owner, time_zone, zone) = match there {
        Some(found) => found,
        // A deleted one has left records, and no zone.
        None => match app.store.occurrences(schedule, None, 1).await?.pop() {
            Some(row) => (row.owner, "UTC".to_owned(), TimeZone::UTC),
            None => return Err(unknown(schedule)),
        },
    };
    if !person.may_see(&owner) {
        return Err(unknown(schedule));
    }
    let next = match rows.last().filter(|_| rows.len() as u64 >= u64::from(most)) {
        Some(last) if !app.store.occurrences(schedule, Some(last.first), 1).await?.is_empty() => Some(last.first.0),
        _ => None,
    };
    let past = rows.iter().map(|row| show::occurrence(&zone, row)).collect();
    Ok(PastList { schedule: schedule.0, time_zone, past, next })
}

fn unknown(schedule: ScheduleId) -> ApiError {
    ApiError::not_found(format!("schedule {schedule}"))
}

/// A database of a former release has no records: those that the farm remembers are put there, once.
///
/// # Errors
/// Of the store.
pub(crate) async fn fill(store: &Store, farm: &Farm) -> Result<(), StoreError> {
    if !store.has_no_occurrences().await? {
        return Ok(());
    }
    let records = farm.schedules().filter_map(|found| farm.past(found.schedule)).flatten();
    let rows = records.map(|record| Projection::OccurrenceEnded(Box::new(OccurrenceRow::from(record))));
    // One transaction: half of them would look like all.
    let rows: Vec<Projection> = rows.collect();
    if rows.len() > FILLED_AT_ONCE {
        tracing::info!(records = rows.len(), "what became of the occurrences of schedules is written to the database");
    }
    if rows.is_empty() { Ok(()) } else { store.write(rows).await.map(drop) }
}

/// Forgets records that are too old, or too many of one schedule. Gives how many went.
///
/// # Errors
/// Of the store.
pub(crate) async fn forget(store: &Store, kept: OccurrencesKept, now: Timestamp) -> Result<u64, StoreError> {
    let age = kept.age.map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    let before = age.map(|age| Timestamp::from_micros(now.micros().saturating_sub(age)));
    store.forget_occurrences(before, kept.count).await
}
