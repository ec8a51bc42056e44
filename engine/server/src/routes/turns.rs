//! Changes that build on what they find, one after the other.

use axum::extract::{Path, State};
use headend_wire::schedules::{ScheduleNoted, ScheduledTestChange};

use super::schedules;
use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiResult, Json};

/// `PATCH /scheduled-tests/{test}`. What is left out stays as it is when the change is made: without turns, two changes of
/// different fields could both start from the same state, and the later one would undo the earlier.
pub(super) async fn change_test(
    State(app): State<Shared>,
    person: Person,
    test: Path<u64>,
    // The body is here before the turn is taken, so a slow client keeps nobody waiting.
    change: Json<ScheduledTestChange>,
) -> ApiResult<axum::Json<ScheduleNoted>> {
    let _turn = app.scheduled_tests.lock().await;
    schedules::change_test(State(app.clone()), person, test, change).await
}
