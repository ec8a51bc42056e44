//! The farm's refusals as rows of the code table.

use headend_scheduler::schedule::ScheduleRefusal;
use headend_wire::codes::{self, Code};

use crate::http::ApiError;

/// The row of a refusal.
pub(crate) const fn code(refusal: &ScheduleRefusal) -> &'static Code {
    match refusal {
        ScheduleRefusal::NoSchedule(_) | ScheduleRefusal::NoTest(_) => &codes::NOT_FOUND,
        ScheduleRefusal::NameTaken { .. } => &codes::NAME_TAKEN,
        ScheduleRefusal::UnknownZone(_) => &codes::UNKNOWN_ZONE,
        // The rules came from this server, not from the client.
        ScheduleRefusal::BadRules { .. } => &codes::INTERNAL,
        ScheduleRefusal::UnknownSlot(_) => &codes::UNKNOWN_SLOT,
        ScheduleRefusal::UnknownDut(_) => &codes::UNKNOWN_DUT,
        ScheduleRefusal::AlreadyThere(_) => &codes::WARN_ALREADY_THERE,
        ScheduleRefusal::NotThere(_) => &codes::WARN_NOT_THERE,
        ScheduleRefusal::ZeroSlots => &codes::BAD_SLOTS_NEEDED,
        ScheduleRefusal::TooManySchedules { .. }
        | ScheduleRefusal::TooManyTests { .. }
        | ScheduleRefusal::TooManyTargets { .. } => &codes::SCHEDULE_FULL,
    }
}

/// As clients read it.
pub(super) fn error(refusal: &ScheduleRefusal) -> ApiError {
    ApiError::new(code(refusal), refusal.to_string())
}

#[cfg(test)]
mod tests {
    use headend_model::{DutId, ScheduleId, ScheduleName, ScheduledTestId, SlotId, ZoneName};

    use super::*;

    #[test]
    fn what_changes_nothing_is_a_warning_and_all_else_an_error() {
        let id = ScheduleId(1);
        let refusals = [
            ScheduleRefusal::NoSchedule(id),
            ScheduleRefusal::NoTest(ScheduledTestId(1)),
            ScheduleRefusal::NameTaken { name: ScheduleName::new("x").unwrap(), schedule: id },
            ScheduleRefusal::UnknownZone(ZoneName::utc()),
            ScheduleRefusal::BadRules { zone: ZoneName::utc(), problem: String::new() },
            ScheduleRefusal::UnknownSlot(SlotId(1)),
            ScheduleRefusal::UnknownDut(DutId(1)),
            ScheduleRefusal::AlreadyThere(id),
            ScheduleRefusal::NotThere(id),
            ScheduleRefusal::ZeroSlots,
            ScheduleRefusal::TooManySchedules { most: 1 },
            ScheduleRefusal::TooManyTests { schedule: id, most: 1 },
            ScheduleRefusal::TooManyTargets { schedule: id, most: 1 },
        ];
        for refusal in refusals {
            let harmless = matches!(refusal, ScheduleRefusal::AlreadyThere(_) | ScheduleRefusal::NotThere(_));
            let row = code(&refusal);
            assert_eq!(row.number < 0, harmless, "{refusal}");
            assert!(row.number != 0 && !row.remedy.is_empty(), "{refusal}");
        }
    }
}
